/*
 * Exceptions: vector, error code, saved RIP and RFLAGS (SDM 3A 6).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

extern const uint8_t at_divide[], at_ud2[], behind_int3[], at_gp[], behind_step[], at_popss[];

static void divide(void)
{
    asm volatile("xor %%ecx, %%ecx; mov $1, %%eax; cdq; .globl at_divide; at_divide: idiv %%ecx"
                 :
                 :
                 : "rax", "rcx", "rdx");
}
static void divide_overflow(void)
{
    asm volatile("mov $2, %%edx; xor %%eax, %%eax; mov $2, %%ecx; div %%ecx"
                 :
                 :
                 : "rax", "rcx", "rdx");
}
static void undefined(void)
{
    asm volatile(".globl at_ud2; at_ud2: ud2");
}
static void lock_undefined(void)
{
    asm volatile(".byte 0xf0, 0x01, 0xc0"); /* lock add %eax, %eax */
}
static void no_long_mode(void)
{
    asm volatile(".byte 0x06"); /* push %es */
}
static void breakpoint(void)
{
    asm volatile("int3; .globl behind_int3; behind_int3:");
}
static void software_int(void)
{
    asm volatile("int $0x55");
}
static void not_canonical(void)
{
    asm volatile(".globl at_gp; at_gp: mov (%0), %%eax" : : "r"(0x0000800000000000ull) : "rax");
}
static void not_canonical_stack(void)
{
    asm volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push %%rax; mov %%rbx, %%rsp"
                 :
                 : "r"(0x8000000000000008ull)
                 : "rbx");
}
static void bad_selector(void)
{
    asm volatile("mov %0, %%ds" : : "r"(0x1234));
}
static void bad_msr(void)
{
    rdmsr(0x12345678);
}
static void bad_cr4(void)
{
    WRITE_CR(4, READ_CR(4) | 1ull << 63);
}
static void misaligned_sse(void)
{
    asm volatile("movaps (%0), %%xmm0" : : "r"(0x200001ull));
}
static void null_jump(void)
{
    asm volatile("jmp *%0" : : "r"(0x1234567800000000ull));
}
static void single_step(void)
{
    asm volatile("pushf; orq $0x100, (%%rsp); popf; nop; .globl behind_step; behind_step: nop"
                 :
                 :
                 : "memory");
}
/* MOV SS holds back the trap of the instruction behind it (SDM 3A 6.8.3). */
static void single_step_over_ss(void)
{
    asm volatile("mov %%ss, %%eax; pushf; orq $0x100, (%%rsp); popf; mov %%eax, %%ss; nop; "
                 ".globl at_popss; at_popss: nop"
                 :
                 :
                 : "rax", "memory");
}

static int steps;
static uint64_t last_dr6;

static bool count_steps(Frame *frame)
{
    if (frame->vector != 1) {
        return false;
    }
    steps++;
    asm volatile("mov %%dr6, %0" : "=r"(last_dr6));
    if (steps == 5) {
        frame->rflags &= ~0x100ull;
    }
    return true;
}

void test_exceptions(void)
{
    Fault f = catch_fault(divide);
    check(f.vector == 0 && f.rip == (uint64_t)at_divide,
          "division by zero faults at the instruction");
    f = catch_fault(divide_overflow);
    check(f.vector == 0 && f.happened, "a quotient that does not fit faults");
    f = catch_fault(undefined);
    check(f.vector == 6 && f.rip == (uint64_t)at_ud2, "UD2 is undefined");
    f = catch_fault(lock_undefined);
    check(f.vector == 6, "LOCK with a register destination is undefined");
    f = catch_fault(no_long_mode);
    check(f.vector == 6, "PUSH ES is undefined in 64-bit mode");
    f = catch_fault(breakpoint);
    check(f.vector == 3 && f.rip == (uint64_t)behind_int3, "INT3 traps behind itself");
    f = catch_fault(software_int);
    check(f.vector == 0x55 && f.error == 0, "INT n reaches its gate");
    f = catch_fault(not_canonical);
    check(f.vector == 13 && f.error == 0 && f.rip == (uint64_t)at_gp,
          "a non-canonical address is #GP(0)");
    set_gate(12, 1, 0);
    set_gate(13, 1, 0);
    f = catch_fault(not_canonical_stack);
    set_gate(12, 0, 0);
    set_gate(13, 0, 0);
    check((f.vector == 12 || is_qemu()) && f.error == 0, "a non-canonical stack is #SS(0)");
    f = catch_fault(bad_selector);
    check(f.vector == 13 && f.error == 0x1234, "a selector outside of the table is #GP(selector)");
    if (!is_qemu()) {
        f = catch_fault(bad_msr);
        check(f.vector == 13 && f.error == 0, "an MSR that is not there is #GP(0)");
        f = catch_fault(bad_cr4);
        check(f.vector == 13, "reserved bits of CR4 are #GP");
    }
    f = catch_fault(misaligned_sse);
    check(f.vector == 13, "a misaligned MOVAPS is #GP");
    f = catch_fault(null_jump);
    check(f.vector == 13, "a jump to a non-canonical address is #GP");
    f = catch_fault(single_step);
    check(f.vector == 1 && f.rip == (uint64_t)behind_step && (f.rflags & 0x100),
          "single step traps behind the instruction after POPF");
    f = catch_fault(single_step_over_ss);
    check(f.vector == 1 && f.rip == (uint64_t)at_popss,
          "MOV SS holds a single-step trap back by one");

    set_handler(count_steps);
    asm volatile(
        "pushf; orq $0x100, (%%rsp); popf; xor %%eax, %%eax; add $5, %%eax; nop; nop; nop; nop"
        :
        :
        : "rax", "memory");
    set_handler(0);
    check(steps == 5 && (last_dr6 & 0x4000), "five steps are five traps, with DR6.BS");

    set_gate(6, 1, 0);
    f = catch_fault(undefined);
    check(f.vector == 6 && f.happened,
          "an exception on a stack of the interrupt stack table returns");
    set_gate(6, 0, 0);
}
