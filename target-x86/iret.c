/*
 * IRET (SDM 2, IRET/IRETD/IRETQ). GPR-only code.
 *
 * iret_long() is how a 64-bit kernel returns from every interrupt and fault; it does no more than
 * the architecture asks for.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

#define IRET_FLAGS                                                                                 \
    (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF | FLAG_OF | FLAG_NT)

/* The flags that IRET of OPSIZE at the current CPL takes from the popped image. */
static uint64_t flags_mask(const X86State *st, unsigned opsize, unsigned cpl)
{
    uint64_t mask = IRET_FLAGS;
    if (opsize > 2) {
        mask |= FLAG_RF | FLAG_AC | FLAG_ID;
    }
    if (cpl <= (st->rflags & FLAG_IOPL) >> 12) {
        mask |= FLAG_IF;
    }
    if (cpl == 0) {
        mask |= FLAG_IOPL;
        if (opsize > 2) {
            mask |= FLAG_VIF | FLAG_VIP;
        }
    }
    return mask;
}

static void finish(X86Cpu *cpu, uint64_t image, uint64_t mask)
{
    X86State *st = &cpu->st;
    uint64_t old = st->rflags;
    bool recheck = st->nmi_blocked;

    st->rflags = (old & ~mask) | (image & mask) | 2;
    st->nmi_blocked = 0;
    x86_mode_changed(cpu);
    if (recheck || ((st->rflags & ~old) & FLAG_IF)) {
        x86_recheck_events(cpu);
    }
}

/* The code segment IRET returns to, checked. */
static uint64_t check_code(X86Cpu *cpu, uint16_t selector, uint64_t *addr)
{
    unsigned rpl = selector & SEL_RPL;
    if (sel_is_null(selector)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint64_t d = desc_fetch(cpu, selector, EXC_GP, 0, addr);
    uint32_t attr = desc_attr(d);
    unsigned dpl = desc_dpl(d);
    if (!desc_is_code(d) || rpl < x86_cpl(&cpu->st) ||
        (desc_is_conforming(d) ? dpl > rpl : dpl != rpl) ||
        (x86_is_long(&cpu->st) && (attr & SEG_ATTR_L) && (attr & SEG_ATTR_DB))) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, sel_error(selector, 0));
    }
    return d;
}

/* From long mode: always to where the frame says, SS and RSP too when in 64-bit mode. */
static void iret_protected(X86Cpu *cpu, X86Stack *s, unsigned opsize, uint64_t rip,
                           uint16_t selector, uint64_t image)
{
    X86State *st = &cpu->st;
    unsigned cpl = x86_cpl(st), rpl = selector & SEL_RPL;
    uint64_t addr, d = check_code(cpu, selector, &addr), ss_desc = 0, rsp = 0;
    bool to64 = x86_is_long(st) && (desc_attr(d) & SEG_ATTR_L);
    bool with_stack = rpl != cpl || x86_is_code64(st), has_ss = false;
    uint16_t ss = 0;

    if (with_stack) {
        rsp = stack_pop(cpu, s, opsize);
        ss = stack_pop(cpu, s, opsize);
        has_ss = seg_check_return_ss(cpu, ss, rpl, to64, &ss_desc);
    }
    rip = seg_check_rip(cpu, d, rip, 0);
    desc_set_accessed(cpu, addr, d);

    uint64_t mask = flags_mask(st, opsize, cpl);
    if (with_stack) {
        X86Stack outer = {.mask = ~0ull};
        if (has_ss) {
            seg_set(&st->seg[SEG_SS], ss, ss_desc);
        } else {
            seg_set_null(&st->seg[SEG_SS], ss, rpl);
        }
        if (!to64 && stack_mask(&st->seg[SEG_SS]) == 0xffff) {
            outer.mask = 0xffff;
        }
        outer.sp = rsp & outer.mask;
        stack_commit(cpu, &outer);
        if (rpl != cpl) {
            seg_drop_inner(cpu, rpl);
        }
    } else {
        stack_commit(cpu, s);
    }
    seg_set(&st->seg[SEG_CS], selector, d);
    st->rip = rip;
    finish(cpu, image, mask);
}

/* To V86 mode, from protected mode at CPL 0 with VM set in the popped flags. */
static void iret_to_v86(X86Cpu *cpu, X86Stack *s, uint64_t rip, uint16_t cs, uint64_t image)
{
    static const uint8_t order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    X86State *st = &cpu->st;
    uint16_t selectors[5];

    uint64_t rsp = stack_pop(cpu, s, 4);
    for (unsigned i = 0; i < 5; i++) {
        selectors[i] = stack_pop(cpu, s, 4);
    }
    rip = (uint32_t)rip;
    if (rip > 0xffff) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint64_t mask = flags_mask(st, 4, 0) | FLAG_VM;
    st->rflags |= FLAG_VM; /* for seg_set_real() */
    for (unsigned i = 0; i < 5; i++) {
        seg_set_real(st, &st->seg[order[i]], selectors[i]);
    }
    seg_set_real(st, &st->seg[SEG_CS], cs);
    st->gpr[R_RSP] = rsp;
    st->rip = rip;
    finish(cpu, image, mask);
}

/* Real-address mode, and V86 mode where it is allowed to. */
static void iret_16(X86Cpu *cpu, X86Stack *s, unsigned opsize, uint64_t rip, uint16_t cs,
                    uint64_t image)
{
    X86State *st = &cpu->st;
    bool v86 = st->rflags & FLAG_VM;
    uint64_t mask = IRET_FLAGS | FLAG_IF;

    if (rip > st->seg[SEG_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (opsize > 2) {
        mask |= FLAG_RF | FLAG_AC | FLAG_ID;
    }
    if (!v86) {
        mask |= FLAG_IOPL;
    } else if ((st->rflags & FLAG_IOPL) != FLAG_IOPL) {
        /* VME, 16-bit operand: IF goes to VIF (SDM 3A 20.3.3.4). */
        if (((image & FLAG_IF) && (st->rflags & FLAG_VIP)) || (image & FLAG_TF)) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        mask = (mask & ~(uint64_t)FLAG_IF) | FLAG_VIF;
        image = (image & ~(uint64_t)FLAG_VIF) | (image & FLAG_IF ? FLAG_VIF : 0);
    }
    stack_commit(cpu, s);
    seg_set_real(st, &st->seg[SEG_CS], cs);
    st->rip = rip;
    finish(cpu, image, mask);
}

/*
 * IRETQ between 64-bit code segments of the GDT: all checks in a few compares. False, with nothing
 * done, leaves whatever is out of the ordinary, and every fault, to the general path.
 */
static inline bool iretq_fast(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    uint64_t sp = st->gpr[R_RSP];

    if (!is_canonical(sp) || !is_canonical(sp + 39) || (st->rflags & FLAG_NT)) {
        return false;
    }
    uint64_t rip = x86_ld(cpu, sp, 8, MMU_CURRENT);
    uint16_t cs = x86_ld(cpu, sp + 8, 8, MMU_CURRENT);
    uint64_t image = x86_ld(cpu, sp + 16, 8, MMU_CURRENT);
    uint64_t rsp = x86_ld(cpu, sp + 24, 8, MMU_CURRENT);
    uint16_t ss = x86_ld(cpu, sp + 32, 8, MMU_CURRENT);
    unsigned rpl = cs & SEL_RPL, cpl = x86_cpl(st);

    if (((cs | ss) & SEL_TI) || cs < 8 || ss < 8 || (cs | 7u) > st->gdt.limit ||
        (ss | 7u) > st->gdt.limit || (ss & SEL_RPL) != rpl || rpl < cpl || !is_canonical(rip)) {
        return false;
    }
    uint64_t code = x86_ld(cpu, st->gdt.base + (cs & ~7u), 8, MMU_SYSTEM);
    uint64_t data = x86_ld(cpu, st->gdt.base + (ss & ~7u), 8, MMU_SYSTEM);
    if (((desc_attr(code) ^ (USUAL_CODE | rpl << SEG_ATTR_DPL_SHIFT)) & USUAL_CODE_MASK) ||
        ((desc_attr(data) ^ (USUAL_DATA | rpl << SEG_ATTR_DPL_SHIFT)) & USUAL_DATA_MASK)) {
        return false;
    }
    uint64_t mask = flags_mask(st, 8, cpl);
    seg_set(&st->seg[SEG_CS], cs, code);
    seg_set(&st->seg[SEG_SS], ss, data);
    st->rip = rip;
    st->gpr[R_RSP] = rsp;
    if (rpl != cpl) {
        seg_drop_inner(cpu, rpl);
    }
    finish(cpu, image, mask);
    return true;
}

void x86_iret(X86Cpu *cpu, unsigned opsize)
{
    X86State *st = &cpu->st;
    X86Stack s;
    uint64_t rip, image;
    uint16_t cs;

    if (__builtin_expect(x86_is_code64(st) && opsize == 8, 1) && iretq_fast(cpu)) {
        return;
    }
    if (st->rflags & FLAG_VM) {
        if ((st->rflags & FLAG_IOPL) != FLAG_IOPL && (!(st->cr4 & CR4_VME) || opsize != 2)) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
    } else if ((st->cr0 & CR0_PE) && (st->rflags & FLAG_NT)) {
        if (x86_is_long(st)) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        task_return(cpu);
        return;
    }
    stack_current(cpu, &s);
    rip = stack_pop(cpu, &s, opsize);
    cs = stack_pop(cpu, &s, opsize);
    image = stack_pop(cpu, &s, opsize);
    if (in_real_or_v86(st)) {
        iret_16(cpu, &s, opsize, rip, cs, image);
    } else if (opsize == 4 && (image & FLAG_VM) && x86_cpl(st) == 0 && !x86_is_long(st)) {
        iret_to_v86(cpu, &s, rip, cs, image);
    } else {
        iret_protected(cpu, &s, opsize, rip, cs, image);
    }
}
