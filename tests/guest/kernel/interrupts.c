/*
 * Interrupts: 8259 and 8254, the local APIC's timer and self-interrupts, HLT, and the shadows of
 * STI and MOV SS (SDM 3A 6.8, 10). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

enum { PIC_BASE = 0x20, APIC_VECTOR = 0x70, HIGH_VECTOR = 0x90 };

static volatile int pic_ticks, apic_ticks, order[4], order_count;
static volatile uint64_t last_rip;
extern const uint8_t behind_sti[], behind_shadow[];

static bool count(Frame *frame)
{
    last_rip = frame->rip;
    if (frame->vector == PIC_BASE) {
        pic_ticks++;
        outb(0x20, 0x20);
        return true;
    }
    if (frame->vector == APIC_VECTOR || frame->vector == HIGH_VECTOR) {
        apic_ticks++;
        if (order_count < 4) {
            order[order_count++] = (int)frame->vector;
        }
        *lapic(0xb0) = 0;
        return true;
    }
    return false;
}

static void start_pit(unsigned divisor)
{
    outb(0x43, 0x34);
    outb(0x40, (uint8_t)divisor);
    outb(0x40, (uint8_t)(divisor >> 8));
}

static void self_interrupt(unsigned vector)
{
    *lapic(0x300) = 0x40000 | vector;
    while (*lapic(0x300) & 0x1000) {
    }
}

/* The deadline is a value of the counter: writing the counter moves it in time. */
static void test_deadline(void)
{
    enum { TSC = 0x10, TSC_DEADLINE = 0x6e0 };
    const uint64_t far = 1ull << 50;
    uint32_t leaf[4];

    cpuid(1, 0, leaf);
    if (!(leaf[2] >> 24 & 1)) {
        return;
    }
    apic_ticks = 0;
    *lapic(0x320) = 0x40000 | APIC_VECTOR;
    wrmsr(TSC_DEADLINE, rdtsc() + far);
    asm volatile("sti; nop; nop; cli" : : : "memory");
    check(apic_ticks == 0 && rdmsr(TSC_DEADLINE) != 0, "a TSC deadline in the future waits");
    wrmsr(TSC, rdtsc() + far);
    while (!apic_ticks) {
        asm volatile("sti; hlt; cli" : : : "memory");
    }
    check(apic_ticks == 1 && rdmsr(TSC_DEADLINE) == 0, "until the counter is moved beyond it");
    wrmsr(TSC, rdtsc() - far);
    *lapic(0x320) = 0x10000;
}

/* ---- x87 errors as the PC/AT has them: CR0.NE is 0 ---- */

static volatile int x87_errors;
static volatile uint16_t x87_status, x87_control;
extern const uint8_t at_x87_wait[];

static bool x87_error(Frame *frame)
{
    if (frame->vector != PIC_BASE + 13) {
        return false;
    }
    x87_errors++;
    last_rip = frame->rip;
    outb(0xf0, 0);
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
    /* With IGNNE# asserted, instructions that wait go on, and change nothing of the error. */
    asm volatile("fldpi; fstp %st(0)");
    asm volatile("fnstsw %0; fnstcw %1; fnclex" : "=m"(x87_status), "=m"(x87_control));
    return true;
}

static void divide_by_zero(void)
{
    uint16_t control = 0x37f & ~4;

    asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; sti; .globl at_x87_wait; "
                 "at_x87_wait: fwait; nop; cli"
                 :
                 : "m"(control)
                 : "memory");
}
static void load_environment(void)
{
    uint16_t control = 0x37f & ~4;
    uint8_t env[28];

    asm volatile("fninit; fnstenv %1; fldcw %0; fld1; fldz; fdivrp; fldenv %1"
                 :
                 : "m"(control), "m"(env)
                 : "memory");
}

static void test_x87_errors(void)
{
    Fault f = catch_fault(load_environment);
    check(f.vector == 16, "FLDENV reports a pending x87 error first");
    outb(0x21, 0xfb);
    outb(0xa1, 0xdf);
    WRITE_CR(0, READ_CR(0) & ~0x20ull);
    set_handler(x87_error);
    f = catch_fault(divide_by_zero);
    check(!f.happened && x87_errors == 1 && last_rip == (uint64_t)at_x87_wait,
          "without CR0.NE an x87 error is interrupt 13, at the next instruction that waits");
    check((x87_status & 4) && x87_control == (0x37f & ~4), "port F0h lets its handler use the x87");
    f = catch_fault(divide_by_zero);
    check(!f.happened && x87_errors == 2, "until it has cleared the error");
    WRITE_CR(0, READ_CR(0) | 0x20);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    asm volatile("fninit");
    set_handler(count);
}

void test_interrupts(void)
{
    set_handler(count);

    /* The 8259 delivers the timer through the local APIC's LINT0 as ExtINT. */
    *lapic(0xf0) = 0x1ff;
    *lapic(0x350) = 0x700;
    outb(0x20, 0x11);
    outb(0x21, PIC_BASE);
    outb(0x21, 4);
    outb(0x21, 1);
    outb(0xa0, 0x11);
    outb(0xa1, PIC_BASE + 8);
    outb(0xa1, 2);
    outb(0xa1, 1);
    outb(0x21, 0xfe);
    outb(0xa1, 0xff);
    start_pit(11932); /* 100 Hz */
    for (int i = 0; i < 5; i++) {
        int before = pic_ticks;
        while (pic_ticks == before) {
            asm volatile("sti; hlt; cli" : : : "memory");
        }
    }
    check(pic_ticks >= 5, "the timer's interrupts wake HLT");
    int before = pic_ticks;
    asm volatile("sti" : : : "memory");
    while (pic_ticks < before + 3) {
        asm volatile("pause");
    }
    asm volatile("cli" : : : "memory");
    check(true, "and interrupt a loop");
    before = pic_ticks;
    for (uint64_t start = rdtsc(); rdtsc() - start < 100000000;) {
    }
    check(pic_ticks == before, "with IF clear nothing comes");
    outb(0x21, 0xff);

    /* Self-interrupts: at once, at the right place, by priority. */
    asm volatile("cli");
    apic_ticks = 0;
    self_interrupt(APIC_VECTOR);
    check(apic_ticks == 0, "a self-interrupt waits for IF");
    asm volatile("sti; nop; .globl behind_sti; behind_sti: nop; nop; cli" : : : "memory");
    check(apic_ticks == 1 && last_rip == (uint64_t)behind_sti,
          "STI lets one instruction pass first");
    self_interrupt(APIC_VECTOR);
    asm volatile("mov %%ss, %%eax; pushf; orq $0x200, (%%rsp); nop; popf; nop; cli"
                 :
                 :
                 : "rax", "memory");
    check(apic_ticks == 2, "POPF that sets IF lets it in");
    order_count = 0;
    self_interrupt(APIC_VECTOR);
    self_interrupt(HIGH_VECTOR);
    asm volatile("sti; nop; nop; cli" : : : "memory");
    check(order_count == 2 && order[0] == HIGH_VECTOR && order[1] == APIC_VECTOR,
          "the higher vector comes first");
    apic_ticks = 0;
    WRITE_CR(8, 8);
    self_interrupt(APIC_VECTOR);
    asm volatile("sti; nop; nop; nop; cli" : : : "memory");
    check(apic_ticks == 0, "CR8 holds lower priorities back");
    asm volatile("sti" : : : "memory");
    WRITE_CR(8, 0);
    asm volatile("nop; nop; cli" : : : "memory");
    check(apic_ticks == 1, "and lets them in when lowered");

    /* The local APIC's timer, one shot and periodic. */
    apic_ticks = 0;
    *lapic(0x3e0) = 0xb;
    *lapic(0x320) = APIC_VECTOR;
    *lapic(0x380) = 1000000;
    while (!apic_ticks) {
        asm volatile("sti; hlt; cli" : : : "memory");
    }
    check(apic_ticks == 1 && *lapic(0x390) == 0, "the APIC timer fires once");
    *lapic(0x320) = 0x20000 | APIC_VECTOR;
    *lapic(0x380) = 1000000;
    while (apic_ticks < 4) {
        asm volatile("sti; hlt; cli" : : : "memory");
    }
    *lapic(0x380) = 0;
    *lapic(0x320) = 0x10000;
    check(apic_ticks >= 4, "and periodically");
    test_deadline();
    if (!is_qemu()) { /* which ends itself at the interrupt */
        test_x87_errors();
    }
    asm volatile("sti; nop; nop; cli" : : : "memory");
    set_handler(0);
}
