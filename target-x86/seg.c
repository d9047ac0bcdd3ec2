/*
 * Segment register loads, LLDT and LTR, and the instructions that ask about a descriptor (LAR, LSL,
 * VERR, VERW). SDM 2: the instructions' pages; SDM 3A 5.4 to 5.10. GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

static void load_null(X86Cpu *cpu, int seg, uint16_t selector)
{
    X86State *st = &cpu->st;
    unsigned cpl = x86_cpl(st);
    if (seg == SEG_SS && (!x86_is_code64(st) || cpl == 3 || (selector & SEL_RPL) != cpl)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    seg_set_null(&st->seg[seg], selector, seg == SEG_SS ? cpl : 0);
}

static void check_stack_segment(X86Cpu *cpu, uint16_t selector, uint64_t d)
{
    unsigned cpl = x86_cpl(&cpu->st);
    if ((selector & SEL_RPL) != cpl || desc_dpl(d) != cpl || !desc_is_writable_data(d)) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_SS, sel_error(selector, 0));
    }
}

static void check_data_segment(X86Cpu *cpu, uint16_t selector, uint64_t d)
{
    unsigned type = desc_type(d);
    bool code = type & SEG_ATTR_CODE;
    if (!(type & SEG_ATTR_S) || (code && !(type & SEG_ATTR_RW))) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    if (!(code && (type & SEG_ATTR_DC)) &&
        ((selector & SEL_RPL) > desc_dpl(d) || x86_cpl(&cpu->st) > desc_dpl(d))) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, sel_error(selector, 0));
    }
}

void x86_load_seg(X86Cpu *cpu, int seg, uint16_t selector)
{
    X86State *st = &cpu->st;
    if (seg == SEG_CS) {
        x86_raise(cpu, EXC_UD);
    }
    if (in_real_or_v86(st)) {
        seg_set_real(st, &st->seg[seg], selector);
    } else if (sel_is_null(selector)) {
        load_null(cpu, seg, selector);
    } else {
        uint64_t addr, d = desc_fetch(cpu, selector, EXC_GP, 0, &addr);
        if (seg == SEG_SS) {
            check_stack_segment(cpu, selector, d);
        } else {
            check_data_segment(cpu, selector, d);
        }
        desc_set_accessed(cpu, addr, d);
        seg_set(&st->seg[seg], selector, d);
    }
    x86_mode_changed(cpu);
}

/* ---- shared helpers ---- */

uint64_t seg_check_rip(X86Cpu *cpu, uint64_t code, uint64_t offset, uint32_t ext)
{
    if (x86_is_long(&cpu->st) && (desc_attr(code) & SEG_ATTR_L)) {
        if (!is_canonical(offset)) {
            x86_raise_err(cpu, EXC_GP, ext);
        }
        return offset;
    }
    offset = (uint32_t)offset;
    if (offset > desc_limit(code)) {
        x86_raise_err(cpu, EXC_GP, ext);
    }
    return offset;
}

void seg_inner_stack(X86Cpu *cpu, unsigned dpl, uint32_t ext, X86Segment *ss, uint32_t *sp)
{
    X86State *st = &cpu->st;
    bool wide = st->tr.attr & 8; /* a 32-bit TSS: SDM 3A figures 8-2, 8-10 */
    uint32_t offset = wide ? 4 + 8 * dpl : 2 + 4 * dpl;
    unsigned size = wide ? 4 : 2;
    uint32_t base = st->tr.base;

    if ((st->tr.attr & SEG_ATTR_UNUSABLE) || offset + size + 1 > st->tr.limit) {
        x86_raise_err(cpu, EXC_TS, sel_error(st->tr.selector, ext));
    }
    *sp = x86_ld(cpu, (uint32_t)(base + offset), size, MMU_SYSTEM);
    uint16_t selector = x86_ld(cpu, (uint32_t)(base + offset + size), 2, MMU_SYSTEM);
    if (sel_is_null(selector)) {
        x86_raise_err(cpu, EXC_TS, ext);
    }
    uint64_t addr, d = desc_fetch(cpu, selector, EXC_TS, ext, &addr);
    if ((selector & SEL_RPL) != dpl || desc_dpl(d) != dpl || !desc_is_writable_data(d)) {
        x86_raise_err(cpu, EXC_TS, sel_error(selector, ext));
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_SS, sel_error(selector, ext));
    }
    desc_set_accessed(cpu, addr, d);
    seg_set(ss, selector, d);
}

uint64_t seg_inner_rsp(X86Cpu *cpu, unsigned slot, uint32_t ext)
{
    X86State *st = &cpu->st;
    uint32_t offset = 4 + 8 * slot;
    if (offset + 7 > st->tr.limit || (st->tr.attr & SEG_ATTR_UNUSABLE)) {
        x86_raise_err(cpu, EXC_TS, sel_error(st->tr.selector, ext));
    }
    uint64_t rsp = x86_ld(cpu, st->tr.base + offset, 8, MMU_SYSTEM);
    if (!is_canonical(rsp)) {
        x86_raise_err(cpu, EXC_SS, ext);
    }
    return rsp;
}

void seg_drop_inner(X86Cpu *cpu, unsigned cpl)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < sizeof(data); i++) {
        X86Segment *s = &cpu->st.seg[data[i]];
        bool conforming =
            (s->attr & (SEG_ATTR_CODE | SEG_ATTR_DC)) == (SEG_ATTR_CODE | SEG_ATTR_DC);
        if (!(s->attr & SEG_ATTR_UNUSABLE) && !conforming &&
            ((s->attr & SEG_ATTR_DPL) >> SEG_ATTR_DPL_SHIFT) < cpl) {
            seg_set_null(s, 0, 0);
        }
    }
}

bool seg_check_return_ss(X86Cpu *cpu, uint16_t selector, unsigned rpl, bool code64, uint64_t *d)
{
    uint64_t addr;
    if (sel_is_null(selector)) {
        if (!code64 || rpl == 3 || (selector & SEL_RPL) != rpl) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        return false;
    }
    *d = desc_fetch(cpu, selector, EXC_GP, 0, &addr);
    if ((selector & SEL_RPL) != rpl || desc_dpl(*d) != rpl || !desc_is_writable_data(*d)) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    if (!desc_present(*d)) {
        x86_raise_err(cpu, EXC_SS, sel_error(selector, 0));
    }
    desc_set_accessed(cpu, addr, *d);
    return true;
}

/* ---- LLDT, LTR ---- */

/* Bits 63:32 of the base of a 16-byte system descriptor at ADDR (64-bit mode only). */
static uint64_t upper_base(X86Cpu *cpu, uint16_t selector, uint64_t addr, uint64_t low)
{
    if ((selector & ~7u) + 15u > cpu->st.gdt.limit) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    uint64_t high = x86_ld(cpu, addr + 8, 8, MMU_SYSTEM);
    uint64_t base = high << 32 | low;
    /* The type field of the second half must be 0 so that it is no descriptor by itself. */
    if ((high >> 40) & 0x1f || !is_canonical(base)) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    return base;
}

static void need_protected_cpl0(X86Cpu *cpu)
{
    if (in_real_or_v86(&cpu->st)) {
        x86_raise(cpu, EXC_UD);
    }
    cpl_check(cpu);
}

/* Base and all of the system descriptor in the GDT that SELECTOR names. */
static uint64_t fetch_system(X86Cpu *cpu, uint16_t selector, uint32_t types, uint64_t *addr,
                             uint64_t *base)
{
    if (selector & SEL_TI) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    uint64_t d = desc_fetch(cpu, selector, EXC_GP, 0, addr);
    *base = desc_base(d);
    if (x86_is_code64(&cpu->st)) {
        *base = upper_base(cpu, selector, *addr, *base);
    }
    if (!(types >> desc_type(d) & 1)) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, sel_error(selector, 0));
    }
    return d;
}

void x86_lldt(X86Cpu *cpu, uint16_t selector)
{
    X86State *st = &cpu->st;
    uint64_t addr, base;
    need_protected_cpl0(cpu);
    if (sel_is_null(selector)) {
        seg_set_null(&st->ldt, selector, 0);
        return;
    }
    uint64_t d = fetch_system(cpu, selector, 1u << SYS_LDT, &addr, &base);
    st->ldt = (X86Segment){
        .base = base, .limit = desc_limit(d), .attr = desc_attr(d), .selector = selector};
}

void x86_ltr(X86Cpu *cpu, uint16_t selector)
{
    X86State *st = &cpu->st;
    uint64_t addr, base;
    need_protected_cpl0(cpu);
    if (sel_is_null(selector)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint32_t types = x86_is_long(st) ? 1u << SYS_TSS : 1u << SYS_TSS | 1u << SYS_TSS16;
    uint64_t d = fetch_system(cpu, selector, types, &addr, &base);
    x86_st(cpu, addr + 5, ((d >> 40) & 0xff) | 2, 1, MMU_SYSTEM); /* busy */
    st->tr = (X86Segment){
        .base = base, .limit = desc_limit(d), .attr = desc_attr(d) | 2, .selector = selector};
}

/* ---- LAR, LSL, VERR, VERW ---- */

/* The types that LAR and LSL answer for, by number of system type (SDM 2, LAR, table "types"). */
enum {
    LAR_LEGACY = 1u << SYS_TSS16 | 1u << SYS_LDT | 1u << SYS_TSS16_BUSY | 1u << SYS_CALL16 |
                 1u << SYS_TASK_GATE | 1u << SYS_TSS | 1u << SYS_TSS_BUSY | 1u << SYS_CALL,
    LAR_LONG = 1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY | 1u << SYS_CALL,
    LSL_LEGACY =
        1u << SYS_TSS16 | 1u << SYS_LDT | 1u << SYS_TSS16_BUSY | 1u << SYS_TSS | 1u << SYS_TSS_BUSY,
    LSL_LONG = 1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY,
};

/* True with *D set when SELECTOR's descriptor is inside its table and visible from CPL and RPL. */
static bool look_up(X86Cpu *cpu, uint16_t selector, uint64_t *d)
{
    X86State *st = &cpu->st;
    if (in_real_or_v86(st)) {
        x86_raise(cpu, EXC_UD);
    }
    uint32_t limit = st->gdt.limit;
    if (selector & SEL_TI) {
        limit = st->ldt.attr & SEG_ATTR_UNUSABLE ? 0 : st->ldt.limit;
    }
    if (sel_is_null(selector) || (selector | 7u) > limit) {
        return false;
    }
    uint64_t addr;
    *d = desc_fetch(cpu, selector, EXC_GP, 0, &addr);
    if (desc_is_code(*d) && desc_is_conforming(*d)) {
        return true;
    }
    return x86_cpl(st) <= desc_dpl(*d) && (selector & SEL_RPL) <= desc_dpl(*d);
}

static bool set_zf(X86Cpu *cpu, bool zf)
{
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FLAG_ZF) | (zf ? FLAG_ZF : 0);
    return zf;
}

static bool type_allowed(X86Cpu *cpu, uint64_t d, uint32_t legacy, uint32_t wide)
{
    unsigned type = desc_type(d);
    return (type & SEG_ATTR_S) || ((x86_is_long(&cpu->st) ? wide : legacy) >> type & 1);
}

uint64_t x86_lar(X86Cpu *cpu, uint16_t selector)
{
    uint64_t d;
    if (!set_zf(cpu, look_up(cpu, selector, &d) && type_allowed(cpu, d, LAR_LEGACY, LAR_LONG))) {
        return 0;
    }
    return (d >> 32) & 0x00ffff00; /* as processors do it, with the limit's bits 19:16 */
}

uint64_t x86_lsl(X86Cpu *cpu, uint16_t selector)
{
    uint64_t d;
    if (!set_zf(cpu, look_up(cpu, selector, &d) && type_allowed(cpu, d, LSL_LEGACY, LSL_LONG))) {
        return 0;
    }
    return desc_limit(d);
}

void x86_verr(X86Cpu *cpu, uint16_t selector)
{
    uint64_t d;
    set_zf(cpu, look_up(cpu, selector, &d) && (desc_type(d) & SEG_ATTR_S) &&
                    (!desc_is_code(d) || (desc_type(d) & SEG_ATTR_RW)));
}

void x86_verw(X86Cpu *cpu, uint16_t selector)
{
    uint64_t d;
    set_zf(cpu, look_up(cpu, selector, &d) && desc_is_writable_data(d));
}
