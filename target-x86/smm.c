/*
 * System management mode: entry through SMI and RSM, with the 64-bit state-save map (APM 2, 10.2.3,
 * table 10-1), revision 20064h. GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"
#include "target-x86/seg.h"
#include "util/log.h"

enum { SMM_REVISION = 0x20064, SMM_ENTRY = 0x8000 };

/* Offsets from SMBASE + 8000h. */
enum {
    MAP_SEGMENTS = 0x7e00,
    MAP_GDT = 0x7e60,
    MAP_LDT = 0x7e70,
    MAP_IDT = 0x7e80,
    MAP_TR = 0x7e90,
    MAP_IO_RESTART = 0x7ec8,
    MAP_HALT_RESTART = 0x7ec9,
    MAP_NMI_MASK = 0x7eca,
    MAP_EFER = 0x7ed0,
    MAP_REVISION = 0x7efc,
    MAP_SMBASE = 0x7f00,
    MAP_CR4 = 0x7f48,
    MAP_CR3 = 0x7f50,
    MAP_CR0 = 0x7f58,
    MAP_DR7 = 0x7f60,
    MAP_DR6 = 0x7f68,
    MAP_RFLAGS = 0x7f70,
    MAP_RIP = 0x7f78,
    MAP_R15 = 0x7f80,
};

/* The map stores R15 first and RAX last, in descending order of encoding. */
static uint64_t gpr_offset(unsigned n)
{
    return MAP_R15 + 8 * (15 - n);
}

/* A segment takes 16 bytes: selector, attributes (12 bits, G to AVL directly above type to P),
 * limit, base. */
static void save_segment(X86Cpu *cpu, uint64_t at, const X86Segment *s)
{
    uint32_t attr = (s->attr & 0xff) | ((s->attr & 0xf000) >> 4);
    if (s->attr & SEG_ATTR_UNUSABLE) {
        attr &= ~SEG_ATTR_P;
    }
    x86_st_phys(cpu, at, s->selector, 2);
    x86_st_phys(cpu, at + 2, attr, 2);
    x86_st_phys(cpu, at + 4, s->limit, 4);
    x86_st_phys(cpu, at + 8, s->base, 8);
}

static void load_segment(X86Cpu *cpu, uint64_t at, X86Segment *s)
{
    uint32_t attr = x86_ld_phys(cpu, at + 2, 2);
    s->selector = x86_ld_phys(cpu, at, 2);
    s->attr = (attr & 0xff) | ((attr & 0xf00) << 4);
    if (!(attr & SEG_ATTR_P)) {
        s->attr |= SEG_ATTR_UNUSABLE;
    }
    s->limit = x86_ld_phys(cpu, at + 4, 4);
    s->base = x86_ld_phys(cpu, at + 8, 8);
}

static void save_state(X86Cpu *cpu, uint64_t map)
{
    X86State *st = &cpu->st;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        save_segment(cpu, map + MAP_SEGMENTS + 16 * i, &st->seg[i]);
    }
    save_segment(cpu, map + MAP_LDT, &st->ldt);
    save_segment(cpu, map + MAP_TR, &st->tr);
    x86_st_phys(cpu, map + MAP_GDT + 4, st->gdt.limit, 4);
    x86_st_phys(cpu, map + MAP_GDT + 8, st->gdt.base, 8);
    x86_st_phys(cpu, map + MAP_IDT + 4, st->idt.limit, 4);
    x86_st_phys(cpu, map + MAP_IDT + 8, st->idt.base, 8);
    x86_st_phys(cpu, map + MAP_IO_RESTART, 0, 1);
    x86_st_phys(cpu, map + MAP_HALT_RESTART, st->halted, 1);
    x86_st_phys(cpu, map + MAP_NMI_MASK, st->nmi_blocked, 1);
    x86_st_phys(cpu, map + MAP_EFER, st->efer, 8);
    x86_st_phys(cpu, map + MAP_REVISION, SMM_REVISION, 4);
    x86_st_phys(cpu, map + MAP_SMBASE, st->smbase, 4);
    x86_st_phys(cpu, map + MAP_CR4, st->cr4, 8);
    x86_st_phys(cpu, map + MAP_CR3, st->cr3, 8);
    x86_st_phys(cpu, map + MAP_CR0, st->cr0, 8);
    x86_st_phys(cpu, map + MAP_DR7, st->dr[7], 8);
    x86_st_phys(cpu, map + MAP_DR6, st->dr[6], 8);
    x86_st_phys(cpu, map + MAP_RFLAGS, st->rflags, 8);
    x86_st_phys(cpu, map + MAP_RIP, st->rip, 8);
    for (unsigned i = 0; i < 16; i++) {
        x86_st_phys(cpu, map + gpr_offset(i), st->gpr[i], 8);
    }
}

void x86_enter_smm(X86Cpu *cpu)
{
    X86State *st = &cpu->st;

    if (__builtin_expect(log_enabled(LOG_INT), 0)) {
        exec_call_c(x86_log_smm, cpu, 1, 0);
    }
    st->smm = 1; /* from here on physical accesses see SMRAM */
    save_state(cpu, st->smbase + SMM_ENTRY);
    st->efer = 0;
    st->rflags = 2;
    st->rip = SMM_ENTRY;
    st->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    st->cr4 = 0;
    st->dr[7] = 0x400;
    /* SMIs find NMIs blocked until RSM or an IRET. */
    st->nmi_blocked = 1;
    st->int_shadow = 0;
    st->halted = 0;
    seg_set_flat(&st->seg[SEG_CS], (st->smbase >> 4) & 0xffff, 0x8093);
    st->seg[SEG_CS].base = st->smbase;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        if (i != SEG_CS) {
            seg_set_flat(&st->seg[i], 0, 0x8093);
        }
    }
    x86_tlb_flush_all(cpu);
    x86_debug_changed(cpu);
    x86_mode_changed(cpu);
}

/* Whether the state in the map is one a CPU can have (SDM 3C 31.4.1, "shutdown" conditions). */
static bool map_is_valid(X86Cpu *cpu, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    if (cr0 >> 32 || ((cr0 & CR0_PG) && !(cr0 & CR0_PE)) || ((cr0 & CR0_NW) && !(cr0 & CR0_CD)) ||
        cr4 >> 32 || (cr4 & CR4_LA57)) {
        return false;
    }
    if ((efer & ~(uint64_t)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_AIBRSE)) ||
        ((efer & EFER_LMA) && !(cr4 & CR4_PAE)) ||
        (!(efer & EFER_LMA) != !((cr0 & CR0_PG) && (efer & EFER_LME)))) {
        return false;
    }
    return !(efer & EFER_LMA) || !(cr3 & ~cpu->phys_mask);
}

void x86_rsm(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    if (!st->smm) {
        x86_raise(cpu, EXC_UD);
    }
    uint64_t map = st->smbase + SMM_ENTRY;
    uint64_t cr0 = x86_ld_phys(cpu, map + MAP_CR0, 8), cr3 = x86_ld_phys(cpu, map + MAP_CR3, 8);
    uint64_t cr4 = x86_ld_phys(cpu, map + MAP_CR4, 8), efer = x86_ld_phys(cpu, map + MAP_EFER, 8);
    if (!map_is_valid(cpu, cr0, cr3, cr4, efer)) {
        x86_triple_fault(cpu);
    }
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        load_segment(cpu, map + MAP_SEGMENTS + 16 * i, &st->seg[i]);
    }
    load_segment(cpu, map + MAP_LDT, &st->ldt);
    load_segment(cpu, map + MAP_TR, &st->tr);
    st->gdt.limit = x86_ld_phys(cpu, map + MAP_GDT + 4, 4);
    st->gdt.base = x86_ld_phys(cpu, map + MAP_GDT + 8, 8);
    st->idt.limit = x86_ld_phys(cpu, map + MAP_IDT + 4, 4);
    st->idt.base = x86_ld_phys(cpu, map + MAP_IDT + 8, 8);
    st->nmi_blocked = x86_ld_phys(cpu, map + MAP_NMI_MASK, 1) & 1;
    bool halted = x86_ld_phys(cpu, map + MAP_HALT_RESTART, 1) & 1;
    st->efer = efer;
    st->cr0 = cr0;
    st->cr3 = cr3;
    st->cr4 = cr4;
    st->dr[6] = x86_ld_phys(cpu, map + MAP_DR6, 8);
    st->dr[7] = x86_ld_phys(cpu, map + MAP_DR7, 8);
    st->rflags = (x86_ld_phys(cpu, map + MAP_RFLAGS, 8) & 0x3f7fd7) | 2;
    st->rip = x86_ld_phys(cpu, map + MAP_RIP, 8);
    for (unsigned i = 0; i < 16; i++) {
        st->gpr[i] = x86_ld_phys(cpu, map + gpr_offset(i), 8);
    }
    uint32_t smbase = x86_ld_phys(cpu, map + MAP_SMBASE, 4);
    st->smm = 0;
    st->smbase = smbase;
    st->int_shadow = 0;
    if ((cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA)) {
        for (unsigned i = 0; i < 4; i++) {
            st->pdptr[i] = x86_ld_phys(cpu, (cr3 & 0xffffffe0) + 8 * i, 8);
        }
    }
    x86_tlb_flush_all(cpu);
    x86_debug_changed(cpu);
    x86_tlb_switch(cpu, true);
    x86_mode_changed(cpu);
    x86_recheck_events(cpu);
    if (__builtin_expect(log_enabled(LOG_INT), 0)) {
        exec_call_c(x86_log_smm, cpu, 0, 0);
    }
    if (halted) {
        x86_halt(cpu);
    }
}
