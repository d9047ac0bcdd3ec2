/*
 * Guest code as text, by capstone.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "monitor/disas.h"

#include "util/keyval.h"

#ifdef CONFIG_CAPSTONE

#include <capstone/capstone.h>

struct Disas {
    csh handle;
};

Disas *disas_new(int bits, GError **err)
{
    cs_mode mode = bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16;
    Disas *d = g_new0(Disas, 1);

    if (cs_open(CS_ARCH_X86, mode, &d->handle) != CS_ERR_OK) {
        emu_set_error(err, "capstone cannot disassemble x86 code");
        g_free(d);
        return NULL;
    }
    cs_option(d->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
    return d;
}

void disas_free(Disas *d)
{
    cs_close(&d->handle);
    g_free(d);
}

size_t disas_one(Disas *d, uint64_t addr, const uint8_t *code, size_t len, char **text)
{
    GString *out = g_string_new(NULL);
    cs_insn *insn = NULL;
    size_t count = cs_disasm(d->handle, code, len, addr, 1, &insn);
    size_t used = count ? insn->size : 1;

    for (size_t i = 0; i < used; i++) {
        g_string_append_printf(out, "%02x ", code[i]);
    }
    while (out->len < 24) {
        g_string_append_c(out, ' ');
    }
    if (count) {
        g_string_append_printf(out, " %-8s %s", insn->mnemonic, insn->op_str);
        cs_free(insn, count);
    } else {
        g_string_append_printf(out, " %-8s $0x%02x", ".byte", code[0]);
    }
    *text = g_string_free(out, FALSE);
    return used;
}

#else

Disas *disas_new(int bits, GError **err)
{
    (void)bits;
    emu_set_error(err, "this build has no disassembler (configure found no capstone)");
    return NULL;
}

void disas_free(Disas *d)
{
    (void)d;
}

size_t disas_one(Disas *d, uint64_t addr, const uint8_t *code, size_t len, char **text)
{
    (void)d;
    (void)addr;
    (void)code;
    (void)len;
    *text = g_strdup("");
    return 1;
}

#endif
