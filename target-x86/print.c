/*
 * The registers as text, in the layout of QEMU's `info registers`, which scripts parse.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "target-x86/cpu.h"

static const char *const system_types[2][16] = {
    {"Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16",
     "TrapGate16", "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved",
     "IntGate32", "TrapGate32"},
    {"<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved",
     "Reserved", "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64",
     "TrapGate64"},
};

/* Bits 63:32 of the descriptor without its base. */
static uint32_t descriptor_flags(const X86Segment *s)
{
    uint32_t limit = s->attr & SEG_ATTR_G ? s->limit >> 12 : s->limit;
    return (s->attr & 0xff) << 8 | (limit & 0xf0000) | (s->attr & 0xf000) << 8;
}

static void print_segment(const X86State *st, GString *out, const char *name, const X86Segment *s)
{
    uint32_t attr = s->attr;
    bool lma = x86_is_long(st);

    g_string_append_printf(out,
                           x86_is_code64(st) ? "%-3s=%04x %016" PRIx64 " %08x %08x"
                                             : "%-3s=%04x %08" PRIx64 " %08x %08x",
                           name, s->selector, s->base, s->limit, descriptor_flags(s));
    if (!x86_is_protected(st) || !(attr & SEG_ATTR_P)) {
        g_string_append_c(out, '\n');
        return;
    }
    g_string_append_printf(out, " DPL=%u ", (attr & SEG_ATTR_DPL) >> SEG_ATTR_DPL_SHIFT);
    if (!(attr & SEG_ATTR_S)) {
        g_string_append_printf(out, "%s\n", system_types[lma][attr & SEG_ATTR_TYPE]);
        return;
    }
    if (attr & SEG_ATTR_CODE) {
        g_string_append_printf(out, "%s [%c%c",
                               attr & SEG_ATTR_L    ? "CS64"
                               : attr & SEG_ATTR_DB ? "CS32"
                                                    : "CS16",
                               attr & SEG_ATTR_DC ? 'C' : '-', attr & SEG_ATTR_RW ? 'R' : '-');
    } else {
        g_string_append_printf(out, "%s [%c%c", attr & SEG_ATTR_DB || lma ? "DS  " : "DS16",
                               attr & SEG_ATTR_DC ? 'E' : '-', attr & SEG_ATTR_RW ? 'W' : '-');
    }
    g_string_append_printf(out, "%c]\n", attr & SEG_ATTR_ACCESSED ? 'A' : '-');
}

static void print_general(const X86State *st, GString *out)
{
    static const char *const names[] = {"AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP"};
    static const uint8_t order[] = {R_RAX, R_RBX, R_RCX, R_RDX, R_RSI, R_RDI, R_RBP, R_RSP};
    bool wide = x86_is_code64(st);

    for (unsigned i = 0; i < 8; i++) {
        g_string_append_printf(out, wide ? "R%s=%016" PRIx64 "%c" : "E%s=%08" PRIx64 "%c", names[i],
                               wide ? st->gpr[order[i]] : (uint32_t)st->gpr[order[i]],
                               i % 4 == 3 ? '\n' : ' ');
    }
    for (unsigned i = 8; wide && i < 16; i++) {
        g_string_append_printf(out, "R%-2u=%016" PRIx64 "%c", i, st->gpr[i],
                               i % 4 == 3 ? '\n' : ' ');
    }
}

static void print_flags(const X86State *st, GString *out)
{
    static const struct {
        uint32_t bit;
        char letter;
    } letters[] = {{FLAG_DF, 'D'}, {FLAG_OF, 'O'}, {FLAG_SF, 'S'}, {FLAG_ZF, 'Z'},
                   {FLAG_AF, 'A'}, {FLAG_PF, 'P'}, {FLAG_CF, 'C'}};
    bool wide = x86_is_code64(st);

    g_string_append_printf(out,
                           wide ? "RIP=%016" PRIx64 " RFL=%08x [" : "EIP=%08" PRIx64 " EFL=%08x [",
                           wide ? st->rip : (uint32_t)st->rip, (uint32_t)st->rflags);
    for (size_t i = 0; i < G_N_ELEMENTS(letters); i++) {
        g_string_append_c(out, st->rflags & letters[i].bit ? letters[i].letter : '-');
    }
    /* A20 is the chipset's, which masks addresses there; CPUs of this machine always drive it. */
    g_string_append_printf(out, "] CPL=%u II=%u A20=1 SMM=%u HLT=%u\n", x86_cpl(st),
                           st->int_shadow != 0, st->smm, st->halted);
}

static void print_system(const X86State *st, GString *out)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    bool wide = x86_is_code64(st);

    for (unsigned i = 0; i < SEG_COUNT; i++) {
        print_segment(st, out, names[i], &st->seg[i]);
    }
    print_segment(st, out, "LDT", &st->ldt);
    print_segment(st, out, "TR", &st->tr);
    const char *format = wide ? "%s=     %016" PRIx64 " %08x\n" : "%s=     %08" PRIx64 " %08x\n";
    g_string_append_printf(out, format, "GDT", st->gdt.base, st->gdt.limit);
    g_string_append_printf(out, format, "IDT", st->idt.base, st->idt.limit);
    g_string_append_printf(out,
                           wide ? "CR0=%08x CR2=%016" PRIx64 " CR3=%016" PRIx64 " CR4=%08x\n"
                                : "CR0=%08x CR2=%08" PRIx64 " CR3=%08" PRIx64 " CR4=%08x\n",
                           (uint32_t)st->cr0, wide ? st->cr2 : (uint32_t)st->cr2,
                           wide ? st->cr3 : (uint32_t)st->cr3, (uint32_t)st->cr4);
    for (unsigned i = 0; i < 4; i++) {
        g_string_append_printf(out, "DR%u=%016" PRIx64 " ", i, st->dr[i]);
    }
    g_string_append_printf(out, "\nDR6=%016" PRIx64 " DR7=%016" PRIx64 "\nEFER=%016" PRIx64 "\n",
                           st->dr[6], st->dr[7], st->efer);
}

static uint64_t image(const X86State *st, unsigned offset, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, st->xsave + offset, size);
    return GUINT64_FROM_LE(v);
}

/* From the FXSAVE image (SDM 1 table 10-2); FPRn are physical registers, the image holds ST(n). */
static void print_fpu(const X86State *st, GString *out)
{
    unsigned fsw = (unsigned)image(st, 2, 2), top = fsw >> 11 & 7;

    g_string_append_printf(out, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n",
                           (unsigned)image(st, 0, 2), fsw, top, (unsigned)image(st, 4, 1),
                           (unsigned)image(st, 24, 4));
    for (unsigned i = 0; i < 8; i++) {
        unsigned at = 32 + 16 * ((i - top) & 7);
        g_string_append_printf(out, "FPR%u=%016" PRIx64 " %04x%c", i, image(st, at, 8),
                               (unsigned)image(st, at + 8, 2), i & 1 ? '\n' : ' ');
    }
    for (unsigned i = 0; i < (x86_is_code64(st) ? 16u : 8u); i++) {
        g_string_append_printf(out, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i,
                               image(st, 168 + 16 * i, 8), image(st, 160 + 16 * i, 8),
                               i & 1 ? '\n' : ' ');
    }
}

void x86_print_registers(const X86Cpu *cpu, GString *out)
{
    const X86State *st = &cpu->st;
    print_general(st, out);
    print_flags(st, out);
    print_system(st, out);
    print_fpu(st, out);
}
