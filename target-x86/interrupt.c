/*
 * Delivery of interrupts and exceptions (SDM 3A 6, 20.3; SDM 2, INT n). GPR-only code.
 *
 * While an event that is no software interrupt is being delivered, cpu->delivering holds its class.
 * A fault then raised (a page fault while pushing the frame, a bad gate) unwinds to the execution
 * loop with the state as before, and the loop calls x86_deliver() for that fault: finding
 * cpu->delivering set, it applies the rules of SDM 3A table 6-5, "conditions for generating a
 * double fault".
 *
 * The first function after the checks is the case of a 64-bit kernel, by far the most frequent.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"
#include "util/log.h"

enum { CLASS_NONE, CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

#define ERR_IDT 2u /* error code: the index is of the IDT */

/* One event on its way, as the functions below pass it on. */
typedef struct Event {
    IntKind kind;
    int vector;
    bool has_error;
    uint32_t error;
    uint32_t ext;    /* the EXT bit of faults raised by the delivery */
    uint64_t rip;    /* to be saved */
    uint64_t rflags; /* to be saved */
} Event;

static unsigned event_class(IntKind kind, int vector)
{
    static const uint32_t contributory =
        1u << EXC_DE | 1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP;
    if (kind != INT_EXCEPTION || vector > 31) {
        return CLASS_BENIGN;
    }
    if (contributory >> vector & 1) {
        return CLASS_CONTRIBUTORY;
    }
    return vector == EXC_PF   ? CLASS_PAGE_FAULT
           : vector == EXC_DF ? CLASS_DOUBLE_FAULT
                              : CLASS_BENIGN;
}

static X86_NORETURN void gate_fault(X86Cpu *cpu, int vector, const Event *e)
{
    x86_raise_err(cpu, vector, (uint32_t)e->vector << 3 | ERR_IDT | e->ext);
}

/* What every delivery through a gate of protected mode does to RFLAGS. */
static void enter_flags(X86State *st, bool interrupt_gate)
{
    uint64_t clear = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM;
    if (interrupt_gate) {
        clear |= FLAG_IF;
    }
    st->rflags &= ~clear;
}

/* The target code segment of a gate: its descriptor, checked; *CPL is the level it will run at. */
static uint64_t check_code(X86Cpu *cpu, uint16_t selector, uint32_t ext, uint64_t *addr,
                           unsigned *cpl)
{
    X86State *st = &cpu->st;
    if (sel_is_null(selector)) {
        x86_raise_err(cpu, EXC_GP, ext);
    }
    uint64_t d = desc_fetch(cpu, selector, EXC_GP, ext, addr);
    unsigned current = x86_cpl(st);
    if (!desc_is_code(d) || desc_dpl(d) > current) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, ext));
    }
    if (x86_is_long(st) && (desc_attr(d) & (SEG_ATTR_L | SEG_ATTR_DB)) != SEG_ATTR_L) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, ext));
    }
    if (!desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, sel_error(selector, ext));
    }
    *cpl = desc_is_conforming(d) ? current : desc_dpl(d);
    return d;
}

/* The gate of E in long mode: its lower half, checked. */
static inline uint64_t read_gate_long(X86Cpu *cpu, const Event *e, uint64_t addr)
{
    if (e->vector * 16u + 15 > cpu->st.idt.limit) {
        gate_fault(cpu, EXC_GP, e);
    }
    uint64_t low = x86_ld(cpu, addr, 8, MMU_SYSTEM);
    if ((desc_type(low) & ~1u) != SYS_INT ||
        (e->kind >= INT_SOFT && desc_dpl(low) < x86_cpl(&cpu->st))) {
        gate_fault(cpu, EXC_GP, e);
    }
    if (!desc_present(low)) {
        gate_fault(cpu, EXC_NP, e);
    }
    return low;
}

/* IA-32e mode (SDM 3A 6.14). */
static void deliver_long(X86Cpu *cpu, const Event *e)
{
    X86State *st = &cpu->st;
    uint64_t gate_addr = st->idt.base + (unsigned)e->vector * 16, code_addr = 0, d, sp;
    unsigned old_cpl = x86_cpl(st), cpl;

    uint64_t low = read_gate_long(cpu, e, gate_addr);
    uint64_t high = x86_ld(cpu, gate_addr + 8, 8, MMU_SYSTEM);
    uint16_t selector = low >> 16;
    if (__builtin_expect(!(selector & SEL_TI) && selector >= 8 && (selector | 7u) <= st->gdt.limit,
                         1)) {
        d = x86_ld(cpu, st->gdt.base + (selector & ~7u), 8, MMU_SYSTEM);
        cpl = desc_dpl(d);
        if (__builtin_expect((desc_attr(d) ^ USUAL_CODE) & (USUAL_CODE_MASK & ~SEG_ATTR_DPL), 0) ||
            cpl > old_cpl) {
            d = check_code(cpu, selector, e->ext, &code_addr, &cpl);
        }
    } else {
        d = check_code(cpu, selector, e->ext, &code_addr, &cpl);
    }
    unsigned ist = (low >> 32) & 7;
    bool inner = cpl < old_cpl;
    if (ist || inner) {
        sp = seg_inner_rsp(cpu, ist ? ist + 3 : cpl, e->ext);
    } else {
        sp = st->gpr[R_RSP];
    }
    uint64_t rip = (low & 0xffff) | (low >> 32 & 0xffff0000) | high << 32;
    sp &= ~15ull;
    if (!is_canonical(rip)) {
        x86_raise_err(cpu, EXC_GP, e->ext);
    }
    if (!is_canonical(sp - 1) || !is_canonical(sp - 48)) {
        x86_raise_err(cpu, EXC_SS, e->ext);
    }
    MmuAccess access = cpl == 3 ? MMU_USER : MMU_SYSTEM;
    x86_st(cpu, sp - 8, st->seg[SEG_SS].selector, 8, access);
    x86_st(cpu, sp - 16, st->gpr[R_RSP], 8, access);
    x86_st(cpu, sp - 24, e->rflags, 8, access);
    x86_st(cpu, sp - 32, st->seg[SEG_CS].selector, 8, access);
    x86_st(cpu, sp - 40, e->rip, 8, access);
    sp -= 40;
    if (e->has_error) {
        sp -= 8;
        x86_st(cpu, sp, e->error, 8, access);
    }
    if (code_addr) {
        desc_set_accessed(cpu, code_addr, d);
    }
    if (inner) {
        seg_set_null(&st->seg[SEG_SS], cpl, cpl);
    }
    st->gpr[R_RSP] = sp;
    seg_set(&st->seg[SEG_CS], (selector & ~SEL_RPL) | cpl, d);
    st->rip = rip;
    enter_flags(st, desc_type(low) == SYS_INT);
}

/* Legacy protected mode and V86 mode (SDM 3A 6.12, 20.3). True: in a new task, whose T flag is set.
 */
static bool deliver_legacy(X86Cpu *cpu, const Event *e)
{
    X86State *st = &cpu->st;
    unsigned old_cpl = x86_cpl(st), cpl;
    bool v86 = st->rflags & FLAG_VM;
    uint64_t code_addr;
    X86Segment ss;
    X86Stack s;

    if (e->vector * 8u + 7 > st->idt.limit) {
        gate_fault(cpu, EXC_GP, e);
    }
    uint64_t gate = x86_ld(cpu, (uint32_t)(st->idt.base + (unsigned)e->vector * 8), 8, MMU_SYSTEM);
    unsigned type = desc_type(gate);
    bool wide = type & 8;
    if ((type & ~9u) != SYS_INT16 && type != SYS_TASK_GATE) {
        gate_fault(cpu, EXC_GP, e);
    }
    if (e->kind >= INT_SOFT && desc_dpl(gate) < old_cpl) {
        gate_fault(cpu, EXC_GP, e);
    }
    if (!desc_present(gate)) {
        gate_fault(cpu, EXC_NP, e);
    }
    if (type == SYS_TASK_GATE) {
        return task_interrupt(cpu, gate >> 16, e->rip, e->rflags, e->ext,
                              e->has_error ? &e->error : 0);
    }
    uint16_t selector = gate >> 16;
    uint64_t d = check_code(cpu, selector, e->ext, &code_addr, &cpl);
    bool inner = cpl < old_cpl;
    if (v86 && cpl != 0) {
        x86_raise_err(cpu, EXC_GP, sel_error(selector, e->ext));
    }
    uint64_t offset = (gate & 0xffff) | (wide ? gate >> 32 & 0xffff0000 : 0);
    unsigned size = wide ? 4 : 2;
    if (inner) {
        uint32_t sp;
        seg_inner_stack(cpu, cpl, e->ext, &ss, &sp);
        s = (X86Stack){.ss = &ss,
                       .mask = stack_mask(&ss),
                       .sp = sp,
                       .error = sel_error(ss.selector, e->ext),
                       .access = MMU_SYSTEM};
        s.sp &= s.mask;
        offset = seg_check_rip(cpu, d, offset, e->ext);
        if (v86) {
            stack_push(cpu, &s, st->seg[SEG_GS].selector, size);
            stack_push(cpu, &s, st->seg[SEG_FS].selector, size);
            stack_push(cpu, &s, st->seg[SEG_DS].selector, size);
            stack_push(cpu, &s, st->seg[SEG_ES].selector, size);
        }
        stack_push(cpu, &s, st->seg[SEG_SS].selector, size);
        stack_push(cpu, &s, st->gpr[R_RSP], size);
    } else {
        stack_current(cpu, &s);
        s.error = e->ext;
        s.access = cpl == 3 ? MMU_USER : MMU_SYSTEM;
        offset = seg_check_rip(cpu, d, offset, e->ext);
    }
    stack_push(cpu, &s, e->rflags, size);
    stack_push(cpu, &s, st->seg[SEG_CS].selector, size);
    stack_push(cpu, &s, e->rip, size);
    if (e->has_error) {
        stack_push(cpu, &s, e->error, size);
    }
    desc_set_accessed(cpu, code_addr, d);
    if (inner) {
        s.ss = 0;
        st->seg[SEG_SS] = ss;
        if (v86) {
            seg_set_null(&st->seg[SEG_GS], 0, 0);
            seg_set_null(&st->seg[SEG_FS], 0, 0);
            seg_set_null(&st->seg[SEG_DS], 0, 0);
            seg_set_null(&st->seg[SEG_ES], 0, 0);
        }
    }
    stack_commit(cpu, &s);
    seg_set(&st->seg[SEG_CS], (selector & ~SEL_RPL) | cpl, d);
    st->rip = offset;
    enter_flags(st, !(type & 1));
    return false;
}

/* Pushes a 16-bit frame and goes where the interrupt vector table at TABLE says: real-address mode,
 * and software interrupts that V86 mode with VME redirects. */
static void deliver_ivt(X86Cpu *cpu, const Event *e, uint64_t table, uint64_t rflags_image)
{
    X86State *st = &cpu->st;
    X86Stack s;
    uint32_t entry = x86_ld(cpu, (uint32_t)(table + (unsigned)e->vector * 4), 4, MMU_SYSTEM);

    if ((entry & 0xffff) > st->seg[SEG_CS].limit) {
        x86_raise_err(cpu, EXC_GP, e->ext);
    }
    stack_current(cpu, &s);
    stack_push(cpu, &s, rflags_image, 2);
    stack_push(cpu, &s, st->seg[SEG_CS].selector, 2);
    stack_push(cpu, &s, e->rip, 2);
    stack_commit(cpu, &s);
    seg_set_real(st, &st->seg[SEG_CS], entry >> 16);
    st->rip = entry & 0xffff;
}

static void deliver_real(X86Cpu *cpu, const Event *e)
{
    X86State *st = &cpu->st;
    if (e->vector * 4u + 3 > st->idt.limit) {
        gate_fault(cpu, EXC_GP, e);
    }
    deliver_ivt(cpu, e, st->idt.base, e->rflags);
    st->rflags &= ~(uint64_t)(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
}

/* True: a debug trap of the task that was entered is due. */
static bool dispatch(X86Cpu *cpu, const Event *e)
{
    X86State *st = &cpu->st;
    uint8_t shadow = st->int_shadow;
    bool task_trap = false;

    if (__builtin_expect(log_enabled(LOG_INT), 0)) {
        exec_call_c(x86_log_event, cpu, (uint64_t)e->kind << 8 | (unsigned)e->vector, e->error);
    }
    if (st->efer & EFER_LMA) {
        deliver_long(cpu, e);
    } else if (st->cr0 & CR0_PE) {
        task_trap = deliver_legacy(cpu, e);
    } else {
        deliver_real(cpu, e);
    }
    st->int_shadow = 0;
    x86_mode_changed(cpu);
    if (shadow && (st->rflags & FLAG_IF)) {
        x86_recheck_events(cpu);
    }
    return task_trap;
}

/* What the second of two events becomes; false: it is a triple fault. */
static bool combine(unsigned first, Event *e)
{
    unsigned second = event_class(e->kind, e->vector);
    if (second < CLASS_CONTRIBUTORY || first < CLASS_CONTRIBUTORY ||
        (first == CLASS_CONTRIBUTORY && second == CLASS_PAGE_FAULT)) {
        return true; /* handled one after the other */
    }
    if (first == CLASS_DOUBLE_FAULT) {
        return false;
    }
    e->vector = EXC_DF;
    e->has_error = true;
    e->error = 0;
    return true;
}

void x86_deliver(X86Cpu *cpu, IntKind kind, int vector, bool has_error, uint32_t error,
                 uint64_t saved_rip)
{
    X86State *st = &cpu->st;
    Event e = {.kind = kind,
               .vector = vector,
               .has_error = has_error,
               .error = error,
               .rip = saved_rip,
               .rflags = st->rflags};

    if (cpu->delivering && !combine(cpu->delivering, &e)) {
        cpu->delivering = CLASS_NONE;
        x86_triple_fault(cpu);
    }
    cpu->delivering = event_class(kind, e.vector);
    e.ext = kind <= INT_EXCEPTION || (kind == INT_SOFT3 && vector == EXC_DB);
    if (kind == INT_EXCEPTION) {
        /* Faults save RF set, so that their instruction, when restarted, does not hit its own
         * instruction breakpoint again; traps, aborts and #DB do not (SDM 3B 17.3.1.1). */
        if (saved_rip == st->rip && e.vector != EXC_DB && e.vector != EXC_NMI &&
            e.vector != EXC_DF && e.vector != EXC_MC) {
            e.rflags |= FLAG_RF;
        }
    }
    if (kind <= INT_EXCEPTION) {
        st->rip = saved_rip; /* where a fault of the delivery itself returns to */
    }
    bool task_trap = dispatch(cpu, &e);
    cpu->delivering = CLASS_NONE;
    if (vector == EXC_NMI && kind <= INT_EXCEPTION) {
        st->nmi_blocked = 1;
    } else if (e.vector == EXC_DB && kind == INT_EXCEPTION) {
        st->dr[7] &= ~(1ull << 13); /* GD */
    }
    if (task_trap) {
        task_debug_trap(cpu);
    }
}

/* ---- INT n ---- */

/* VME: whether the redirection bitmap of the TSS sends VECTOR to the 8086 program's own handler
 * (SDM 3A 20.3.3, figure 20-5). */
static bool redirected(X86Cpu *cpu, int vector)
{
    X86State *st = &cpu->st;
    if (st->tr.limit < 0x67) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint32_t base = st->tr.base;
    uint32_t map = x86_ld(cpu, base + 0x66, 2, MMU_SYSTEM);
    uint32_t byte = map - 32 + (unsigned)vector / 8;
    if (map < 32 || byte > st->tr.limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    return !(x86_ld(cpu, base + byte, 1, MMU_SYSTEM) >> (vector & 7) & 1);
}

/* INT n in V86 mode (SDM 3A table 20-2); true when it has been done here. */
static bool int_n_v86(X86Cpu *cpu, const Event *e)
{
    X86State *st = &cpu->st;
    bool iopl3 = (st->rflags & FLAG_IOPL) == FLAG_IOPL;

    if ((st->cr4 & CR4_VME) && redirected(cpu, e->vector)) {
        uint64_t image = st->rflags;
        if (!iopl3) {
            image &= ~(uint64_t)FLAG_IF;
            image |= FLAG_IOPL | (st->rflags & FLAG_VIF ? FLAG_IF : 0);
        }
        deliver_ivt(cpu, e, 0, image);
        st->rflags &= ~(uint64_t)(FLAG_TF | FLAG_RF | (iopl3 ? FLAG_IF : FLAG_VIF));
        st->int_shadow = 0;
        x86_mode_changed(cpu);
        return true;
    }
    if (!iopl3) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    return false;
}

void x86_int_n(X86Cpu *cpu, int vector, IntKind kind)
{
    X86State *st = &cpu->st;
    Event e = {.kind = kind,
               .vector = vector,
               .rip = exec_next_rip(cpu),
               .rflags = st->rflags,
               .ext = kind == INT_SOFT3 && vector == EXC_DB};

    if (kind == INT_SOFT && (st->rflags & FLAG_VM) && int_n_v86(cpu, &e)) {
        return;
    }
    if (vector == EXC_DB && kind == INT_SOFT3) {
        e.kind = INT_EXCEPTION; /* INT1 is privileged as hardware events are: no DPL check */
    }
    if (dispatch(cpu, &e)) {
        task_debug_trap(cpu);
    }
}
