/*
 * Hardware task switches (SDM 3A 8, "Task Management"; SDM 2, JMP, CALL, INT n, IRET). GPR-only
 * code.
 *
 * A switch has two halves (SDM 3A 8.3). The first looks at the TSS that is to be entered, reads all
 * of it, and makes sure that everything which will be written can be: a fault in it is one of the
 * instruction or event that asked for the switch, and leaves everything as it was. Then the old
 * task is saved and the new one's registers stand, its segment registers with selectors but without
 * descriptors. The second half loads the descriptors; a fault in it is one of the new task, before
 * its first instruction.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

#define TASK_RFLAGS                                                                                \
    (FLAG_STATUS | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM |         \
     FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID)

#define TSS_WIDE 8u /* in the type: a 32-bit TSS */
#define TSS_BUSY 2u

#define DR6_BT     (1u << 15)
#define DR7_LOCALS 0x155u /* L0..L3, LE */

/*
 * Where a TSS of either size has what (SDM 3A figures 8-2 and 8-10). The registers are SIZE bytes
 * each and stand in encoding order; segment selectors take SIZE bytes, too, in the order of SEG_*.
 * What a switch writes lies from IP up to LDT.
 */
typedef struct TssLayout {
    uint8_t size, cr3, ip, flags, gpr, seg, seg_count, ldt, trap;
    uint8_t min_limit;
} TssLayout;

static const TssLayout layouts[2] = {
    {.size = 2,
     .ip = 14,
     .flags = 16,
     .gpr = 18,
     .seg = 34,
     .seg_count = 4,
     .ldt = 42,
     .min_limit = 43},
    {.size = 4,
     .cr3 = 28,
     .ip = 32,
     .flags = 36,
     .gpr = 40,
     .seg = 72,
     .seg_count = 6,
     .ldt = 96,
     .trap = 100,
     .min_limit = 103},
};

static const TssLayout *layout_of(uint32_t attr)
{
    return &layouts[attr & TSS_WIDE ? 1 : 0];
}

/* The TSS that a switch goes to. */
typedef struct Task {
    const TssLayout *layout;
    uint64_t descriptor, descriptor_addr;
    uint32_t base;
    uint16_t selector;
    uint32_t cr3, ip, flags, gpr[8];
    uint16_t seg[SEG_COUNT], ldt;
    bool trap;
    bool load_cr3;
    uint64_t pdptr[4];
} Task;

static uint64_t tss_read(X86Cpu *cpu, uint32_t base, unsigned offset, unsigned size)
{
    return x86_ld(cpu, (uint32_t)(base + offset), size, MMU_SYSTEM);
}

static void tss_write(X86Cpu *cpu, uint32_t base, unsigned offset, uint64_t value, unsigned size)
{
    x86_st(cpu, (uint32_t)(base + offset), value, size, MMU_SYSTEM);
}

/* ---- the first half: still in the old task ---- */

static void find_task(X86Cpu *cpu, TaskHow how, uint16_t selector, uint32_t ext, Task *t)
{
    uint32_t error = sel_error(selector, ext);
    int vector = how == TASK_RETURN ? EXC_TS : EXC_GP;

    if (selector & SEL_TI) {
        x86_raise_err(cpu, vector, error);
    }
    uint64_t d = desc_fetch(cpu, selector, vector, ext, &t->descriptor_addr);
    unsigned type = desc_type(d);
    if ((type & ~(TSS_WIDE | TSS_BUSY)) != SYS_TSS16 ||
        !!(type & TSS_BUSY) != (how == TASK_RETURN)) {
        x86_raise_err(cpu, vector, error);
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, error);
    }
    t->layout = layout_of(type);
    if (desc_limit(d) < t->layout->min_limit) {
        x86_raise_err(cpu, EXC_TS, error);
    }
    t->selector = selector;
    t->descriptor = d;
    t->base = desc_base(d);
}

static void read_task(X86Cpu *cpu, Task *t)
{
    const TssLayout *l = t->layout;

    t->ip = tss_read(cpu, t->base, l->ip, l->size);
    t->flags = tss_read(cpu, t->base, l->flags, l->size);
    for (unsigned i = 0; i < 8; i++) {
        t->gpr[i] = tss_read(cpu, t->base, l->gpr + i * l->size, l->size);
    }
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        /* A 16-bit task knows no FS and GS. */
        t->seg[i] = i < l->seg_count ? tss_read(cpu, t->base, l->seg + i * l->size, 2) : 0;
    }
    t->ldt = tss_read(cpu, t->base, l->ldt, 2);
    t->trap = l->trap && (tss_read(cpu, t->base, l->trap, 2) & 1);
    t->load_cr3 = l->cr3 && (cpu->st.cr0 & CR0_PG);
    if (t->load_cr3) {
        t->cr3 = tss_read(cpu, t->base, l->cr3, 4);
        if (x86_uses_pdptrs(&cpu->st)) {
            x86_read_pdptrs(cpu, t->cr3, t->pdptr);
        }
    }
}

/* Raises what writing the old task's state, the link and the busy bits would raise. */
static void probe_old(X86Cpu *cpu, TaskHow how, const Task *t, uint64_t old_descriptor)
{
    X86State *st = &cpu->st;
    const TssLayout *old = layout_of(st->tr.attr);

    if ((st->tr.attr & SEG_ATTR_UNUSABLE) || st->tr.limit < old->min_limit) {
        x86_raise_err(cpu, EXC_TS, sel_error(st->tr.selector, 0));
    }
    x86_probe_write(cpu, (uint32_t)(st->tr.base + old->ip), old->ldt - old->ip, MMU_SYSTEM);
    if (how == TASK_CALL) {
        x86_probe_write(cpu, t->base, 2, MMU_SYSTEM);
    } else {
        x86_probe_write(cpu, old_descriptor + 5, 1, MMU_SYSTEM);
    }
    if (how != TASK_RETURN) {
        x86_probe_write(cpu, t->descriptor_addr + 5, 1, MMU_SYSTEM);
    }
}

static void save_old(X86Cpu *cpu, uint32_t ip, uint32_t flags)
{
    X86State *st = &cpu->st;
    const TssLayout *l = layout_of(st->tr.attr);
    uint32_t base = st->tr.base;

    tss_write(cpu, base, l->ip, ip, l->size);
    tss_write(cpu, base, l->flags, flags, l->size);
    for (unsigned i = 0; i < 8; i++) {
        tss_write(cpu, base, l->gpr + i * l->size, st->gpr[i], l->size);
    }
    for (unsigned i = 0; i < l->seg_count; i++) {
        tss_write(cpu, base, l->seg + i * l->size, st->seg[i].selector, 2);
    }
}

static void set_busy(X86Cpu *cpu, uint64_t descriptor, bool busy)
{
    unsigned attr = x86_ld(cpu, descriptor + 5, 1, MMU_SYSTEM);
    x86_st(cpu, descriptor + 5, busy ? attr | TSS_BUSY : attr & ~TSS_BUSY, 1, MMU_SYSTEM);
}

/* The registers of T, which need no more checks; segment registers hold nothing yet. */
static void enter_task(X86Cpu *cpu, TaskHow how, const Task *t)
{
    X86State *st = &cpu->st;
    unsigned cpl = t->flags & FLAG_VM ? 3 : t->seg[SEG_CS] & SEL_RPL;

    st->tr = (X86Segment){.base = t->base,
                          .limit = desc_limit(t->descriptor),
                          .attr = desc_attr(t->descriptor) | TSS_BUSY,
                          .selector = t->selector};
    st->cr0 |= CR0_TS;
    st->dr[7] &= ~(uint64_t)DR7_LOCALS;
    x86_debug_changed(cpu);
    st->rip = t->ip;
    st->rflags = (t->flags & TASK_RFLAGS) | (how == TASK_CALL ? FLAG_NT : 0) | 2;
    for (unsigned i = 0; i < 8; i++) {
        st->gpr[i] = t->gpr[i];
    }
    seg_set_null(&st->ldt, t->ldt, 0);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        seg_set_null(&st->seg[i], t->seg[i], i == SEG_SS ? cpl : 0);
    }
    if (t->load_cr3 && t->cr3 != st->cr3) {
        st->cr3 = t->cr3;
        for (unsigned i = 0; i < 4 && x86_uses_pdptrs(st); i++) {
            st->pdptr[i] = t->pdptr[i];
        }
        x86_tlb_switch(cpu, true);
    }
    x86_mode_changed(cpu);
}

/* ---- the second half: in the new task (SDM 3A table 8-1) ---- */

static void load_task_ldt(X86Cpu *cpu, uint16_t selector, uint32_t ext)
{
    uint64_t addr;

    if (sel_is_null(selector)) {
        return;
    }
    if (selector & SEL_TI) {
        x86_raise_err(cpu, EXC_TS, sel_error(selector, ext));
    }
    uint64_t d = desc_fetch(cpu, selector, EXC_TS, ext, &addr);
    if (desc_type(d) != SYS_LDT || !desc_present(d)) {
        x86_raise_err(cpu, EXC_TS, sel_error(selector, ext));
    }
    cpu->st.ldt = (X86Segment){
        .base = desc_base(d), .limit = desc_limit(d), .attr = desc_attr(d), .selector = selector};
}

/* Whether D may be what SELECTOR loads into segment register N of a task at CPL. */
static bool task_segment_ok(unsigned n, uint16_t selector, uint64_t d, unsigned cpl)
{
    unsigned rpl = selector & SEL_RPL, dpl = desc_dpl(d), type = desc_type(d);
    bool code = desc_is_code(d), conforming = code && desc_is_conforming(d);

    switch (n) {
    case SEG_CS:
        return code && (conforming ? dpl <= rpl : dpl == rpl);
    case SEG_SS:
        return desc_is_writable_data(d) && dpl == cpl && rpl == cpl;
    default:
        return (type & SEG_ATTR_S) && (!code || (type & SEG_ATTR_RW)) &&
               (conforming || (dpl >= cpl && dpl >= rpl));
    }
}

static void load_task_segment(X86Cpu *cpu, unsigned n, uint32_t ext)
{
    X86State *st = &cpu->st;
    uint16_t selector = st->seg[n].selector;
    uint32_t error = sel_error(selector, ext);
    uint64_t addr;

    if (sel_is_null(selector)) {
        if (n == SEG_CS || n == SEG_SS) {
            x86_raise_err(cpu, EXC_TS, error);
        }
        return;
    }
    uint64_t d = desc_fetch(cpu, selector, EXC_TS, ext, &addr);
    if (!task_segment_ok(n, selector, d, x86_cpl(st))) {
        x86_raise_err(cpu, EXC_TS, error);
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, n == SEG_SS ? EXC_SS : EXC_NP, error);
    }
    desc_set_accessed(cpu, addr, d);
    seg_set(&st->seg[n], selector, d);
}

static void load_segments(X86Cpu *cpu, uint32_t ext)
{
    static const uint8_t order[] = {SEG_CS, SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    X86State *st = &cpu->st;

    load_task_ldt(cpu, st->ldt.selector, ext);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        if (st->rflags & FLAG_VM) {
            seg_set_real(st, &st->seg[i], st->seg[i].selector);
        } else {
            load_task_segment(cpu, order[i], ext);
        }
    }
    x86_mode_changed(cpu);
}

static void check_ip(X86Cpu *cpu, uint32_t ext)
{
    if (cpu->st.rip > cpu->st.seg[SEG_CS].limit) {
        x86_raise_err(cpu, EXC_GP, ext);
    }
}

/* Both halves, but for the check of the new IP. IP and FLAGS are what the old task's TSS gets;
 * returns the new one's T flag. */
static bool task_switch(X86Cpu *cpu, TaskHow how, uint16_t selector, uint32_t ip, uint32_t flags,
                        uint32_t ext)
{
    X86State *st = &cpu->st;
    uint64_t old_descriptor = (uint32_t)(st->gdt.base + (st->tr.selector & ~7u));
    uint16_t old_selector = st->tr.selector;
    Task t = {.load_cr3 = false};

    find_task(cpu, how, selector, ext, &t);
    read_task(cpu, &t);
    probe_old(cpu, how, &t, old_descriptor);

    save_old(cpu, ip, how == TASK_RETURN ? flags & ~FLAG_NT : flags);
    if (how == TASK_CALL) {
        tss_write(cpu, t.base, 0, old_selector, 2);
    } else {
        set_busy(cpu, old_descriptor, false);
    }
    if (how != TASK_RETURN) {
        set_busy(cpu, t.descriptor_addr, true);
    }
    enter_task(cpu, how, &t);
    x86_recheck_events(cpu);
    load_segments(cpu, ext);
    return t.trap;
}

void task_debug_trap(X86Cpu *cpu)
{
    cpu->st.dr[6] |= DR6_BT;
    x86_raise_at(cpu, EXC_DB, cpu->st.rip);
}

void task_transfer(X86Cpu *cpu, TaskHow how, uint16_t selector, uint64_t d)
{
    X86State *st = &cpu->st;
    uint32_t error = sel_error(selector, 0);

    if (desc_dpl(d) < x86_cpl(st) || desc_dpl(d) < (selector & SEL_RPL)) {
        x86_raise_err(cpu, EXC_GP, error);
    }
    if (desc_type(d) == SYS_TASK_GATE) {
        if (!desc_present(d)) {
            x86_raise_err(cpu, EXC_NP, error);
        }
        selector = d >> 16;
    }
    bool trap = task_switch(cpu, how, selector, exec_next_rip(cpu), st->rflags, 0);
    check_ip(cpu, 0);
    if (trap) {
        task_debug_trap(cpu);
    }
}

void task_return(X86Cpu *cpu)
{
    X86State *st = &cpu->st;

    uint16_t link = tss_read(cpu, st->tr.base, 0, 2);
    bool trap = task_switch(cpu, TASK_RETURN, link, exec_next_rip(cpu), st->rflags, 0);
    st->nmi_blocked = 0;
    x86_recheck_events(cpu);
    check_ip(cpu, 0);
    if (trap) {
        task_debug_trap(cpu);
    }
}

bool task_interrupt(X86Cpu *cpu, uint16_t selector, uint64_t rip, uint64_t rflags, uint32_t ext,
                    const uint32_t *error)
{
    X86Stack s;
    bool trap = task_switch(cpu, TASK_CALL, selector, rip, rflags, ext);

    if (error) {
        stack_current(cpu, &s);
        s.error = ext;
        s.access = x86_cpl(&cpu->st) == 3 ? MMU_USER : MMU_SYSTEM;
        stack_push(cpu, &s, *error, layout_of(cpu->st.tr.attr)->size);
        stack_commit(cpu, &s);
    }
    check_ip(cpu, ext);
    return trap;
}
