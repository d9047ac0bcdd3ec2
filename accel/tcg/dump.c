/*
 * Dumps of blocks through capstone.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/dump.h"

#include <capstone/capstone.h>
#include <inttypes.h>

#include "accel/tcg/loop.h"
#include "util/log.h"

static void disassemble(unsigned item, cs_mode mode, const uint8_t *code, size_t len, uint64_t addr)
{
    csh handle;
    cs_insn *insn;

    if (cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK) {
        log_printf(item, "(no disassembler)\n");
        return;
    }
    cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
    cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
    size_t n = cs_disasm(handle, code, len, addr, 0, &insn);
    for (size_t i = 0; i < n; i++) {
        log_printf(item, "  %" PRIx64 ":  %s %s\n", insn[i].address, insn[i].mnemonic,
                   insn[i].op_str);
    }
    if (n) {
        cs_free(insn, n);
    }
    cs_close(&handle);
}

uint64_t tcg_log_exec(X86Cpu *cpu, uint64_t block, uint64_t reason)
{
    const Block *b = (const Block *)(uintptr_t)block;
    static const char *const reasons[] = {"next",    "link", "dispatch",    "exception",
                                          "restart", "halt", "triple fault"};

    log_printf(LOG_EXEC, "cpu %d: %04x:%016" PRIx64 " ram %" PRIx64 " mode %04x after %s\n",
               cpu->cpu.index, cpu->st.seg[SEG_CS].selector, cpu->st.rip, b->ram_addr, b->mode,
               reason < G_N_ELEMENTS(reasons) ? reasons[reason] : "?");
    if (log_enabled(LOG_CPU)) {
        g_autoptr(GString) s = g_string_new(NULL);
        x86_print_registers(cpu, s);
        log_printf(LOG_CPU, "%s", s->str);
    }
    return 0;
}

void dump_block(TcgAccel *a, const TranslateRequest *req, const IrBlock *ir, const Block *b)
{
    unsigned size = mode_code_size(req->mode);

    if (log_enabled(LOG_IN_ASM)) {
        log_printf(LOG_IN_ASM, "IN: ram %" PRIx64 " mode %04x\n", b->ram_addr, b->mode);
        disassemble(LOG_IN_ASM,
                    size == 8   ? CS_MODE_64
                    : size == 4 ? CS_MODE_32
                                : CS_MODE_16,
                    req->code, (size_t)(ir->end_off - ir->start_off), b->ram_addr);
    }
    if (log_enabled(LOG_OP)) {
        g_autoptr(GString) s = g_string_new(NULL);
        ir_print(ir, s);
        log_printf(LOG_OP, "OP: ram %" PRIx64 "\n%s", b->ram_addr, s->str);
    }
    if (log_enabled(LOG_OUT_ASM)) {
        log_printf(LOG_OUT_ASM, "OUT: %u bytes at %" PRIx64 "\n", b->code_size, b->code);
        disassemble(LOG_OUT_ASM, CS_MODE_64, a->rw + (b->code - a->rx), b->code_size, b->code);
        log_printf(LOG_OUT_ASM, "and what seldom runs of it:\n");
        disassemble(LOG_OUT_ASM, CS_MODE_64, a->rw + (b->cold - a->rx), b->cold_size, b->cold);
    }
}
