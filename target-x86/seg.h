/*
 * Descriptors, stacks and code-segment targets: what segment loads, far transfers, interrupts and
 * IRET share. GPR-only code (target-x86/exec.h).
 *
 * A descriptor is handled as the 8 bytes it is in memory; X86Segment.attr is its bits 55..52
 * and 47..40 moved down. References: SDM 3A 3.4.5 (descriptors), 5 (protection), 3.5.2 (16-byte
 * system descriptors).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_SEG_H
#define TARGET_X86_SEG_H

#include "target-x86/exec.h"

/* The compiler must not turn our loops into calls of memset and memcpy. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

#define SEL_RPL 3u
#define SEL_TI  4u

/* Attributes of the segments that are loaded without a descriptor. */
#define ATTR_FLAT_CODE64 0xa09bu
#define ATTR_FLAT_CODE32 0xc09bu
#define ATTR_FLAT_DATA   0xc093u
#define ATTR_V86         0x00f3u

/* Attributes of the descriptors that the short ways through IRET and delivery take, but for DPL:
 * present, accessed, and 64-bit code that is not conforming, or writable data. */
#define USUAL_CODE_MASK                                                                            \
    (SEG_ATTR_CODE | SEG_ATTR_DC | SEG_ATTR_ACCESSED | SEG_ATTR_S | SEG_ATTR_DPL | SEG_ATTR_P |    \
     SEG_ATTR_L | SEG_ATTR_DB)
#define USUAL_CODE (SEG_ATTR_CODE | SEG_ATTR_ACCESSED | SEG_ATTR_S | SEG_ATTR_P | SEG_ATTR_L)
#define USUAL_DATA_MASK                                                                            \
    (SEG_ATTR_CODE | SEG_ATTR_RW | SEG_ATTR_ACCESSED | SEG_ATTR_S | SEG_ATTR_DPL | SEG_ATTR_P)
#define USUAL_DATA (SEG_ATTR_RW | SEG_ATTR_ACCESSED | SEG_ATTR_S | SEG_ATTR_P)

/* Types of system descriptors, the low 5 attribute bits with S clear. */
enum {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS = 9,
    SYS_TSS_BUSY = 11,
    SYS_CALL = 12,
    SYS_INT = 14,
    SYS_TRAP = 15,
};

/* A selector as it stands in an error code. */
static inline uint32_t sel_error(uint16_t selector, uint32_t ext)
{
    return (selector & ~SEL_RPL) | ext;
}

static inline bool sel_is_null(uint16_t selector)
{
    return (selector & ~SEL_RPL) == 0;
}

static inline bool is_canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

static inline uint32_t desc_attr(uint64_t d)
{
    return (d >> 40) & 0xf0ff;
}

static inline uint32_t desc_base(uint64_t d)
{
    return ((d >> 16) & 0xffffff) | ((d >> 32) & 0xff000000);
}

static inline uint32_t desc_limit(uint64_t d)
{
    uint32_t limit = (d & 0xffff) | ((d >> 32) & 0xf0000);
    return (d >> 55) & 1 ? limit << 12 | 0xfff : limit;
}

static inline unsigned desc_dpl(uint64_t d)
{
    return (d >> 45) & 3;
}

/* Type and S. */
static inline unsigned desc_type(uint64_t d)
{
    return (d >> 40) & 0x1f;
}

static inline bool desc_present(uint64_t d)
{
    return (d >> 47) & 1;
}

static inline bool desc_is_code(uint64_t d)
{
    return (desc_type(d) & (SEG_ATTR_S | SEG_ATTR_CODE)) == (SEG_ATTR_S | SEG_ATTR_CODE);
}

static inline bool desc_is_conforming(uint64_t d)
{
    return desc_type(d) & SEG_ATTR_DC;
}

static inline bool desc_is_writable_data(uint64_t d)
{
    return (desc_type(d) & (SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_RW)) ==
           (SEG_ATTR_S | SEG_ATTR_RW);
}

static inline void seg_set(X86Segment *s, uint16_t selector, uint64_t d)
{
    s->selector = selector;
    s->base = desc_base(d);
    s->limit = desc_limit(d);
    s->attr = desc_attr(d) | SEG_ATTR_ACCESSED;
}

static inline void seg_set_flat(X86Segment *s, uint16_t selector, uint32_t attr)
{
    s->selector = selector;
    s->base = 0;
    s->limit = 0xffffffff;
    s->attr = attr;
}

/* A null selector; SS keeps the CPL in its DPL. */
static inline void seg_set_null(X86Segment *s, uint16_t selector, unsigned dpl)
{
    s->selector = selector;
    s->base = 0;
    s->limit = 0;
    s->attr = SEG_ATTR_UNUSABLE | dpl << SEG_ATTR_DPL_SHIFT;
}

/* In real-address mode a load changes selector and base only (which makes "unreal mode"), in V86
 * mode all segments are 64 KiB at DPL 3. */
static inline void seg_set_real(const X86State *st, X86Segment *s, uint16_t selector)
{
    s->selector = selector;
    s->base = (uint64_t)selector << 4;
    if (st->rflags & FLAG_VM) {
        s->limit = 0xffff;
        s->attr = ATTR_V86;
    } else if (s->attr & SEG_ATTR_UNUSABLE) {
        s->limit = 0xffff;
        s->attr = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW | SEG_ATTR_ACCESSED;
    }
}

static inline bool in_real_or_v86(const X86State *st)
{
    return !(st->cr0 & CR0_PE) || (st->rflags & FLAG_VM);
}

/* Reads the descriptor of a SELECTOR that is not null; VECTOR(selector | EXT) when it lies outside
 * its table. *ADDR is where it is, for desc_set_accessed(). */
static inline uint64_t desc_fetch(X86Cpu *cpu, uint16_t selector, int vector, uint32_t ext,
                                  uint64_t *addr)
{
    X86State *st = &cpu->st;
    uint64_t base = st->gdt.base;
    uint32_t limit = st->gdt.limit;
    if (selector & SEL_TI) {
        base = st->ldt.base;
        limit = st->ldt.attr & SEG_ATTR_UNUSABLE ? 0 : st->ldt.limit;
    }
    if ((selector | 7u) > limit) {
        x86_raise_err(cpu, vector, sel_error(selector, ext));
    }
    base += selector & ~7u;
    if (!x86_is_long(st)) {
        base = (uint32_t)base;
    }
    *addr = base;
    return x86_ld(cpu, base, 8, MMU_SYSTEM);
}

static inline void desc_set_accessed(X86Cpu *cpu, uint64_t addr, uint64_t d)
{
    if (__builtin_expect(!((d >> 40) & SEG_ATTR_ACCESSED), 0)) {
        x86_st(cpu, addr + 5, ((d >> 40) & 0xff) | SEG_ATTR_ACCESSED, 1, MMU_SYSTEM);
    }
}

/* ---- limits ---- */

/* SIZE bytes at OFFSET lie inside S (SDM 3A 5.3); SIZE at least 1. */
static inline bool seg_contains(const X86Segment *s, uint32_t offset, unsigned size)
{
    uint32_t last = offset + size - 1;
    if (last < offset) {
        return false;
    }
    if ((s->attr & (SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_DC)) == (SEG_ATTR_S | SEG_ATTR_DC)) {
        return offset > s->limit && last <= (s->attr & SEG_ATTR_DB ? 0xffffffffu : 0xffffu);
    }
    return last <= s->limit;
}

/* ---- stacks ---- */

/* A stack that is pushed to or popped from without touching RSP until everything has succeeded. */
typedef struct X86Stack {
    uint64_t sp;
    uint64_t mask;        /* the bits of RSP that make the stack pointer */
    const X86Segment *ss; /* NULL in 64-bit mode: flat, canonical addresses */
    uint32_t error;       /* error code of #SS */
    MmuAccess access;
} X86Stack;

static inline uint64_t stack_mask(const X86Segment *ss)
{
    return ss->attr & SEG_ATTR_DB ? 0xffffffffu : 0xffffu;
}

/* The stack of the current mode. */
static inline void stack_current(X86Cpu *cpu, X86Stack *s)
{
    X86State *st = &cpu->st;
    s->error = 0;
    s->access = MMU_CURRENT;
    if (x86_is_code64(st)) {
        s->ss = 0;
        s->mask = ~0ull;
    } else {
        s->ss = &st->seg[SEG_SS];
        s->mask = stack_mask(s->ss);
    }
    s->sp = st->gpr[R_RSP] & s->mask;
}

static inline uint64_t stack_linear(X86Cpu *cpu, const X86Stack *s, uint64_t sp, unsigned size)
{
    if (!s->ss) {
        if (__builtin_expect(!is_canonical(sp) || !is_canonical(sp + size - 1), 0)) {
            x86_raise_err(cpu, EXC_SS, s->error);
        }
        return sp;
    }
    if (__builtin_expect(!seg_contains(s->ss, sp, size), 0)) {
        x86_raise_err(cpu, EXC_SS, s->error);
    }
    return (uint32_t)(s->ss->base + sp);
}

static inline void stack_push(X86Cpu *cpu, X86Stack *s, uint64_t value, unsigned size)
{
    uint64_t sp = (s->sp - size) & s->mask;
    x86_st(cpu, stack_linear(cpu, s, sp, size), value, size, s->access);
    s->sp = sp;
}

static inline uint64_t stack_pop(X86Cpu *cpu, X86Stack *s, unsigned size)
{
    uint64_t value = x86_ld(cpu, stack_linear(cpu, s, s->sp, size), size, s->access);
    s->sp = (s->sp + size) & s->mask;
    return value;
}

static inline void stack_commit(X86Cpu *cpu, const X86Stack *s)
{
    uint64_t *rsp = &cpu->st.gpr[R_RSP];
    /* A 32-bit stack pointer clears the upper half, as any 32-bit write; a 16-bit one keeps the
     * rest. */
    *rsp = s->mask == 0xffff ? (*rsp & ~0xffffull) | s->sp : s->sp;
}

/* ---- shared by far.c, interrupt.c, iret.c ---- */

/* OFFSET as an instruction pointer in code segment descriptor CODE, #GP(EXT) when beyond its limit
 * or not canonical. */
uint64_t seg_check_rip(X86Cpu *cpu, uint64_t code, uint64_t offset, uint32_t ext);
/* Legacy modes: stack segment and pointer for a switch to privilege level DPL, read from the TSS
 * and checked: #TS, #SS. *SS is what will be loaded, *SP the stack pointer. */
void seg_inner_stack(X86Cpu *cpu, unsigned dpl, uint32_t ext, X86Segment *ss, uint32_t *sp);
/* Long mode: an RSP from the TSS, SLOT 0..2 for RSP0..2, 4..10 for IST1..7. */
uint64_t seg_inner_rsp(X86Cpu *cpu, unsigned slot, uint32_t ext);
/* Makes data segments that CPL may not see null, on a return to an outer level. */
void seg_drop_inner(X86Cpu *cpu, unsigned cpl);
/* An SS for a return to privilege level RPL: *D is its descriptor; false: a (permitted) null one.
 */
bool seg_check_return_ss(X86Cpu *cpu, uint16_t selector, unsigned rpl, bool code64, uint64_t *d);

static inline void cpl_check(X86Cpu *cpu)
{
    if (x86_cpl(&cpu->st)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

/* log.c: any C code; call through exec_call_c(). A is one of X86_LOG_*, B its argument. */
enum { X86_LOG_RDMSR = 1, X86_LOG_WRMSR };
uint64_t x86_log_refusal(X86Cpu *cpu, uint64_t what, uint64_t arg);
/* WHAT: IntKind << 8 | vector. For -d int. */
uint64_t x86_log_event(X86Cpu *cpu, uint64_t what, uint64_t error);
uint64_t x86_log_smm(X86Cpu *cpu, uint64_t entry, uint64_t unused);

/* ---- task.c: hardware task switches (legacy modes only) ---- */

typedef enum TaskHow {
    TASK_JUMP,
    TASK_CALL, /* and every interrupt: the new task is nested in the old one */
    TASK_RETURN,
} TaskHow;

/* JMP and CALL to D, the descriptor of a TSS or a task gate, which SELECTOR names. Raises #DB
 * behind the switch when the new task's T flag is set. */
void task_transfer(X86Cpu *cpu, TaskHow how, uint16_t selector, uint64_t d);
/* IRET with NT set: back to the task that the current TSS is linked to. */
void task_return(X86Cpu *cpu);
/*
 * An event through a task gate to the TSS of SELECTOR. RIP and RFLAGS are saved in the old task;
 * EXT is that of faults of the switch; *ERROR (NULL: none) is pushed onto the new task's stack.
 * True: the new task's T flag is set, and task_debug_trap() is due once the event is over.
 */
bool task_interrupt(X86Cpu *cpu, uint16_t selector, uint64_t rip, uint64_t rflags, uint32_t ext,
                    const uint32_t *error);
X86_NORETURN void task_debug_trap(X86Cpu *cpu);

#endif
