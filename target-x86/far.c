/*
 * Far jumps, calls and returns (SDM 2, JMP, CALL, RET; SDM 3A 5.8). GPR-only code.
 *
 * Each function first reads and checks everything, then pushes (which may still fault), and commits
 * CS, RIP, SS and RSP last, so that a fault leaves the state as it was.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

/* What a far transfer has found out before it commits. */
typedef struct Target {
    uint64_t code; /* descriptor */
    uint64_t code_addr;
    uint64_t rip;
    uint16_t selector; /* with the RPL that CS will have */
} Target;

static uint64_t cut(uint64_t value, unsigned opsize)
{
    return opsize == 8 ? value : opsize == 4 ? (uint32_t)value : (uint16_t)value;
}

static void commit_code(X86Cpu *cpu, const Target *t)
{
    desc_set_accessed(cpu, t->code_addr, t->code);
    seg_set(&cpu->st.seg[SEG_CS], t->selector, t->code);
    cpu->st.rip = t->rip;
    x86_mode_changed(cpu);
}

static void check_real(X86Cpu *cpu, uint64_t offset)
{
    if (offset > cpu->st.seg[SEG_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

static void commit_real(X86Cpu *cpu, uint16_t selector, uint64_t offset)
{
    X86State *st = &cpu->st;
    seg_set_real(st, &st->seg[SEG_CS], selector);
    st->rip = offset;
    x86_mode_changed(cpu);
}

/* A code segment as the direct target of a jump or call from the current CPL. */
static void check_direct(X86Cpu *cpu, uint16_t selector, uint64_t offset, Target *t)
{
    X86State *st = &cpu->st;
    uint32_t error = sel_error(selector, 0);
    unsigned cpl = x86_cpl(st), dpl = desc_dpl(t->code);
    uint32_t attr = desc_attr(t->code);

    if (x86_is_long(st) && (attr & SEG_ATTR_L) && (attr & SEG_ATTR_DB)) {
        x86_raise_err(cpu, EXC_GP, error);
    }
    if (desc_is_conforming(t->code) ? dpl > cpl : (selector & SEL_RPL) > cpl || dpl != cpl) {
        x86_raise_err(cpu, EXC_GP, error);
    }
    if (!desc_present(t->code)) {
        x86_raise_err(cpu, EXC_NP, error);
    }
    t->selector = (selector & ~SEL_RPL) | cpl;
    t->rip = seg_check_rip(cpu, t->code, offset, 0);
}

typedef struct Gate {
    uint64_t offset;
    unsigned size; /* of what it pushes: 2, 4, 8 */
    unsigned params;
} Gate;

/* Checks the call gate D at ADDR that SELECTOR names, and its target code segment. */
static void check_gate(X86Cpu *cpu, uint16_t selector, uint64_t d, uint64_t addr, bool call,
                       Gate *gate, Target *t)
{
    X86State *st = &cpu->st;
    uint32_t error = sel_error(selector, 0);
    unsigned cpl = x86_cpl(st);

    if (desc_dpl(d) < cpl || (selector & SEL_RPL) > desc_dpl(d)) {
        x86_raise_err(cpu, EXC_GP, error);
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, error);
    }
    gate->offset = (d & 0xffff) | ((d >> 32) & 0xffff0000);
    gate->params = (d >> 32) & 31;
    gate->size = desc_type(d) == SYS_CALL ? 4 : 2;
    if (gate->size == 2) {
        gate->offset &= 0xffff;
    }
    if (x86_is_long(st)) {
        uint32_t limit = selector & SEL_TI ? st->ldt.limit : st->gdt.limit;
        if ((selector & ~7u) + 15u > limit) {
            x86_raise_err(cpu, EXC_GP, error);
        }
        uint64_t high = x86_ld(cpu, addr + 8, 8, MMU_SYSTEM);
        if ((high >> 40) & 0x1f) {
            x86_raise_err(cpu, EXC_GP, error);
        }
        gate->offset |= high << 32;
        gate->size = 8;
        gate->params = 0;
    }
    uint16_t code = d >> 16;
    error = sel_error(code, 0);
    if (sel_is_null(code)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    t->code = desc_fetch(cpu, code, EXC_GP, 0, &t->code_addr);
    unsigned dpl = desc_dpl(t->code);
    bool inner = call && !desc_is_conforming(t->code) && dpl < cpl;
    if (!desc_is_code(t->code) || dpl > cpl ||
        (!call && !desc_is_conforming(t->code) && dpl != cpl)) {
        x86_raise_err(cpu, EXC_GP, error);
    }
    if (x86_is_long(st) && (desc_attr(t->code) & (SEG_ATTR_L | SEG_ATTR_DB)) != SEG_ATTR_L) {
        x86_raise_err(cpu, EXC_GP, error);
    }
    if (!desc_present(t->code)) {
        x86_raise_err(cpu, EXC_NP, error);
    }
    t->selector = (code & ~SEL_RPL) | (inner ? dpl : cpl);
    t->rip = seg_check_rip(cpu, t->code, gate->offset, 0);
}

typedef enum TargetKind { TARGET_CODE, TARGET_GATE, TARGET_TASK } TargetKind;

/* The descriptor of a jump's or call's SELECTOR, and what it is. */
static TargetKind fetch_target(X86Cpu *cpu, uint16_t selector, uint64_t *d, uint64_t *addr)
{
    if (sel_is_null(selector)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    *d = desc_fetch(cpu, selector, EXC_GP, 0, addr);
    if (desc_is_code(*d)) {
        return TARGET_CODE;
    }
    bool legacy = !x86_is_long(&cpu->st);
    switch (desc_type(*d)) {
    case SYS_CALL:
        return TARGET_GATE;
    case SYS_CALL16:
        if (legacy) {
            return TARGET_GATE;
        }
        break;
    case SYS_TASK_GATE:
    case SYS_TSS:
    case SYS_TSS16:
        if (legacy) {
            return TARGET_TASK;
        }
        break;
    }
    x86_raise_err(cpu, EXC_GP, sel_error(selector, 0));
}

void x86_far_jmp(X86Cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize)
{
    Target t;
    Gate gate;
    uint64_t d, addr;

    offset = cut(offset, opsize);
    if (in_real_or_v86(&cpu->st)) {
        check_real(cpu, offset);
        commit_real(cpu, selector, offset);
        return;
    }
    switch (fetch_target(cpu, selector, &d, &addr)) {
    case TARGET_CODE:
        t.code = d;
        t.code_addr = addr;
        check_direct(cpu, selector, offset, &t);
        break;
    case TARGET_GATE:
        check_gate(cpu, selector, d, addr, false, &gate, &t);
        break;
    case TARGET_TASK:
        task_transfer(cpu, TASK_JUMP, selector, d);
        return;
    }
    commit_code(cpu, &t);
}

/* The return address, on the current stack; nothing is committed yet. */
static void push_return(X86Cpu *cpu, X86Stack *s, unsigned opsize)
{
    stack_current(cpu, s);
    stack_push(cpu, s, cpu->st.seg[SEG_CS].selector, opsize);
    stack_push(cpu, s, exec_next_rip(cpu), opsize);
}

static void call_same_level(X86Cpu *cpu, const Target *t, unsigned opsize)
{
    X86Stack s;

    push_return(cpu, &s, opsize);
    desc_set_accessed(cpu, t->code_addr, t->code);
    stack_commit(cpu, &s);
    commit_code(cpu, t);
}

/* A call gate to an inner level in legacy mode: new stack, parameters copied (SDM 3A figure 5-13).
 */
static void call_inner_legacy(X86Cpu *cpu, const Gate *gate, const Target *t)
{
    X86State *st = &cpu->st;
    unsigned dpl = t->selector & SEL_RPL, size = gate->size;
    X86Segment ss;
    uint32_t sp;
    X86Stack old, s;

    seg_inner_stack(cpu, dpl, 0, &ss, &sp);
    stack_current(cpu, &old);
    s = (X86Stack){.ss = &ss,
                   .mask = stack_mask(&ss),
                   .error = sel_error(ss.selector, 0),
                   .access = MMU_SYSTEM};
    s.sp = sp & s.mask;
    stack_push(cpu, &s, st->seg[SEG_SS].selector, size);
    stack_push(cpu, &s, st->gpr[R_RSP], size);
    for (unsigned i = gate->params; i-- > 0;) {
        uint64_t from = (old.sp + i * size) & old.mask;
        stack_push(cpu, &s, x86_ld(cpu, stack_linear(cpu, &old, from, size), size, MMU_CURRENT),
                   size);
    }
    stack_push(cpu, &s, st->seg[SEG_CS].selector, size);
    stack_push(cpu, &s, exec_next_rip(cpu), size);
    desc_set_accessed(cpu, t->code_addr, t->code);
    st->seg[SEG_SS] = ss;
    st->gpr[R_RSP] = sp;
    stack_commit(cpu, &s);
    commit_code(cpu, t);
}

static void call_inner_long(X86Cpu *cpu, const Target *t)
{
    X86State *st = &cpu->st;
    unsigned dpl = t->selector & SEL_RPL;
    X86Stack s = {.mask = ~0ull, .access = MMU_SYSTEM};

    s.sp = seg_inner_rsp(cpu, dpl, 0);
    stack_push(cpu, &s, st->seg[SEG_SS].selector, 8);
    stack_push(cpu, &s, st->gpr[R_RSP], 8);
    stack_push(cpu, &s, st->seg[SEG_CS].selector, 8);
    stack_push(cpu, &s, exec_next_rip(cpu), 8);
    desc_set_accessed(cpu, t->code_addr, t->code);
    seg_set_null(&st->seg[SEG_SS], dpl, dpl);
    stack_commit(cpu, &s);
    commit_code(cpu, t);
}

/* A call through the gate D at ADDR. */
static void call_gate(X86Cpu *cpu, uint16_t selector, uint64_t d, uint64_t addr)
{
    Target t;
    Gate gate;

    check_gate(cpu, selector, d, addr, true, &gate, &t);
    if ((t.selector & SEL_RPL) == x86_cpl(&cpu->st)) {
        call_same_level(cpu, &t, gate.size);
    } else if (x86_is_long(&cpu->st)) {
        call_inner_long(cpu, &t);
    } else {
        call_inner_legacy(cpu, &gate, &t);
    }
}

static void call_real(X86Cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize)
{
    X86Stack s;

    check_real(cpu, offset);
    push_return(cpu, &s, opsize);
    stack_commit(cpu, &s);
    commit_real(cpu, selector, offset);
}

void x86_far_call(X86Cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize)
{
    Target t;
    uint64_t d, addr;

    offset = cut(offset, opsize);
    if (in_real_or_v86(&cpu->st)) {
        call_real(cpu, selector, offset, opsize);
        return;
    }
    switch (fetch_target(cpu, selector, &d, &addr)) {
    case TARGET_CODE:
        t.code = d;
        t.code_addr = addr;
        check_direct(cpu, selector, offset, &t);
        call_same_level(cpu, &t, opsize);
        break;
    case TARGET_GATE:
        call_gate(cpu, selector, d, addr);
        break;
    case TARGET_TASK:
        task_transfer(cpu, TASK_CALL, selector, d);
        break;
    }
}

/* A code segment that a far return may go to. */
static void check_return(X86Cpu *cpu, uint16_t selector, uint64_t offset, Target *t)
{
    uint32_t error = sel_error(selector, 0);
    unsigned rpl = selector & SEL_RPL;

    if (sel_is_null(selector)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    t->code = desc_fetch(cpu, selector, EXC_GP, 0, &t->code_addr);
    uint32_t attr = desc_attr(t->code);
    unsigned dpl = desc_dpl(t->code);
    if (!desc_is_code(t->code) || rpl < x86_cpl(&cpu->st) ||
        (desc_is_conforming(t->code) ? dpl > rpl : dpl != rpl) ||
        (x86_is_long(&cpu->st) && (attr & SEG_ATTR_L) && (attr & SEG_ATTR_DB))) {
        x86_raise_err(cpu, EXC_GP, error);
    }
    if (!desc_present(t->code)) {
        x86_raise_err(cpu, EXC_NP, error);
    }
    t->selector = selector;
    t->rip = seg_check_rip(cpu, t->code, offset, 0);
}

void x86_far_ret(X86Cpu *cpu, unsigned opsize, uint16_t pop_bytes)
{
    X86State *st = &cpu->st;
    X86Stack s;
    Target t;

    stack_current(cpu, &s);
    uint64_t rip = stack_pop(cpu, &s, opsize);
    uint16_t selector = stack_pop(cpu, &s, opsize);
    s.sp = (s.sp + pop_bytes) & s.mask;
    if (in_real_or_v86(st)) {
        check_real(cpu, rip);
        stack_commit(cpu, &s);
        commit_real(cpu, selector, rip);
        return;
    }
    check_return(cpu, selector, rip, &t);
    unsigned rpl = selector & SEL_RPL;
    if (rpl == x86_cpl(st)) {
        desc_set_accessed(cpu, t.code_addr, t.code);
        stack_commit(cpu, &s);
        commit_code(cpu, &t);
        return;
    }
    uint64_t rsp = stack_pop(cpu, &s, opsize), d = 0;
    uint16_t ss = stack_pop(cpu, &s, opsize);
    bool code64 = x86_is_long(st) && (desc_attr(t.code) & SEG_ATTR_L);
    bool has_ss = seg_check_return_ss(cpu, ss, rpl, code64, &d);
    desc_set_accessed(cpu, t.code_addr, t.code);
    if (has_ss) {
        seg_set(&st->seg[SEG_SS], ss, d);
    } else {
        seg_set_null(&st->seg[SEG_SS], ss, rpl);
    }
    X86Stack outer = {.mask = code64 ? ~0ull : stack_mask(&st->seg[SEG_SS])};
    outer.sp = (rsp + pop_bytes) & outer.mask;
    stack_commit(cpu, &outer);
    seg_drop_inner(cpu, rpl);
    commit_code(cpu, &t);
}
