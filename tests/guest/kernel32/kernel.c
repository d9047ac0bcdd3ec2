/*
 * The 32-bit test kernel's core: serial output, descriptor tables, expected faults, and the list of
 * tests. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel32/kernel.h"

Tss main_tss, task_tss, fault_tss;
Tss16 task16_tss;
uint64_t gdt[SEL_COUNT];
uint8_t task_stack[4096];
static uint64_t idt[256];
static uint8_t ring0_stack[4096], fault_stack[4096];
static InterruptHandler handler;
static uint32_t fault_context[6];
static bool fault_armed;
static Fault fault;
static int tests, failures;

void print(const char *text)
{
    for (; *text; text++) {
        while (!(inb(0x3fd) & 0x20)) {
        }
        outb(0x3f8, (uint8_t)*text);
    }
}

static void print_number(uint32_t value, unsigned base)
{
    char text[24], *at = text + sizeof(text) - 1;

    *at = 0;
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    print(at);
}

static void result(bool ok, const char *name, const char *remark)
{
    tests++;
    failures += !ok;
    print(ok ? "ok " : "not ok ");
    print_number((uint32_t)tests, 10);
    print(" - ");
    print(name);
    print(remark);
    print("\n");
}

void check(bool ok, const char *name)
{
    result(ok, name, "");
}

static bool is_qemu(void)
{
    uint32_t leaf = 0x40000000, ebx, ecx, edx;

    asm volatile("cpuid" : "+a"(leaf), "=b"(ebx), "=c"(ecx), "=d"(edx));
    return ebx == 0x54474354; /* "TCGT" */
}

void check_beyond_qemu(bool ok, const char *name)
{
    if (!ok && is_qemu()) {
        result(true, name, " # SKIP not by QEMU");
    } else {
        result(ok, name, "");
    }
}

void note(const char *what, uint32_t value)
{
    print("# ");
    print(what);
    print(" = 0x");
    print_number(value, 16);
    print("\n");
}

static void __attribute__((noreturn)) leave(void)
{
    print("1..");
    print_number((uint32_t)tests, 10);
    print("\n");
    outl(0xf4, failures ? 1 : 0);
    for (;;) {
        asm volatile("cli; hlt");
    }
}

void set_handler(InterruptHandler new_handler)
{
    handler = new_handler;
}

/* ---- faults ---- */

static void back_to_test(void)
{
    fault_armed = false;
    resume_context(fault_context);
}

static void unexpected(uint32_t vector, uint32_t error, uint32_t eip)
{
    print("Bail out! unexpected interrupt\n");
    note("vector", vector);
    note("error", error);
    note("eip", eip);
    note("tr", read_tr());
    failures++;
    leave();
}

void interrupt(Frame *frame)
{
    if (handler && handler(frame)) {
        return;
    }
    if (!fault_armed) {
        unexpected(frame->vector, frame->error, frame->eip);
    }
    fault = (Fault){.happened = true, .tr = read_tr(), .frame = *frame};
    back_to_test();
}

void fault_task(uint32_t error)
{
    if (!fault_armed) {
        unexpected(0, error, 0);
    }
    fault = (Fault){.happened = true, .in_task = true, .tr = (uint16_t)fault_tss.link};
    fault.frame.error = error;
    back_to_test();
}

static void load_tr(uint16_t selector)
{
    gdt[selector / 8] &= ~(2ull << 40);
    asm volatile("ltr %w0" : : "r"(selector) : "memory");
}

static void reset_fault_task(void)
{
    fault_tss = (Tss){.eip = (uint32_t)fault_task_entry,
                      .eflags = 2,
                      .cr3 = READ_CR(3),
                      .esp = (uint32_t)(fault_stack + sizeof(fault_stack)),
                      .es = SEL_DATA,
                      .cs = SEL_CODE,
                      .ss = SEL_DATA,
                      .ds = SEL_DATA,
                      .fs = SEL_DATA,
                      .gs = SEL_DATA};
    gdt[SEL_FAULT_TASK / 8] = descriptor((uint32_t)&fault_tss, 0x67, 0x89);
}

Fault catch_fault(void (*fn)(void))
{
    reset_fault_task();
    fault = (Fault){0};
    fault_armed = true;
    if (!save_context(fault_context)) {
        fn();
    }
    fault_armed = false;
    /* Wherever that ended: the kernel's own task and flags. */
    asm volatile("cli; cld; clts; pushl $2; popf" : : : "memory", "cc");
    if (read_tr() != SEL_TSS) {
        load_tr(SEL_TSS);
    }
    asm volatile("lldt %w0" : : "r"(0));
    return fault;
}

/* ---- tables ---- */

uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
}

void set_gate(int vector, int dpl)
{
    uint32_t at = (uint32_t)interrupt_stubs[vector];

    idt[vector] = (at & 0xffff) | SEL_CODE << 16 | (uint64_t)(0x8e | dpl << 5) << 40 |
                  (uint64_t)(at >> 16) << 48;
}

void set_task_gate(int vector, uint16_t selector, int dpl)
{
    idt[vector] = (uint32_t)selector << 16 | (uint64_t)(0x85 | dpl << 5) << 40;
}

void reset_task(void (*entry)(void))
{
    task_tss = (Tss){.eip = (uint32_t)entry,
                     .eflags = 2,
                     .cr3 = READ_CR(3),
                     .esp = (uint32_t)(task_stack + sizeof(task_stack)),
                     .esp0 = (uint32_t)(task_stack + sizeof(task_stack) / 2),
                     .ss0 = SEL_DATA,
                     .es = SEL_DATA,
                     .cs = SEL_CODE,
                     .ss = SEL_DATA,
                     .ds = SEL_DATA,
                     .fs = SEL_DATA,
                     .gs = SEL_DATA,
                     .io_base = sizeof(Tss)};
    gdt[SEL_TASK / 8] = descriptor((uint32_t)&task_tss, 0x67, 0x89);
}

void reset_task16(uint16_t entry)
{
    task16_tss = (Tss16){.ip = entry,
                         .flags = 2,
                         .sp = LOW_STACK,
                         .es = SEL_DATA,
                         .cs = SEL_CODE,
                         .ss = SEL_DATA,
                         .ds = SEL_DATA};
    gdt[SEL_TASK16 / 8] = descriptor((uint32_t)&task16_tss, sizeof(Tss16) - 1, 0x81);
}

static void load_tables(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } pointer = {sizeof(gdt) - 1, (uint32_t)gdt};

    gdt[SEL_CODE / 8] = descriptor(0, 0xfffff, 0xc09a);
    gdt[SEL_DATA / 8] = descriptor(0, 0xfffff, 0xc092);
    gdt[SEL_USER_CODE / 8] = descriptor(0, 0xfffff, 0xc0fa);
    gdt[SEL_USER_DATA / 8] = descriptor(0, 0xfffff, 0xc0f2);
    gdt[SEL_CODE16 / 8] = descriptor(0, 0xffff, 0x009a);
    gdt[SEL_CONFORMING / 8] = descriptor(0, 0xfffff, 0xc09e);
    gdt[SEL_ABSENT / 8] = descriptor(0, 0xfffff, 0xc012);
    gdt[SEL_DATA1 / 8] = descriptor(0, 0xfffff, 0xc0b2);
    gdt[SEL_TSS / 8] = descriptor((uint32_t)&main_tss, sizeof(Tss) - 1, 0x89);
    main_tss.esp0 = (uint32_t)(ring0_stack + sizeof(ring0_stack));
    main_tss.ss0 = SEL_DATA;
    main_tss.io_base = (uint16_t)((uint32_t)&main_tss.io_end - (uint32_t)&main_tss);
    main_tss.io_end = 0xff;
    asm volatile("lgdt %0" : : "m"(pointer));
    for (int vector = 0; vector < 256; vector++) {
        set_gate(vector, 0);
    }
    pointer.limit = sizeof(idt) - 1;
    pointer.base = (uint32_t)idt;
    asm volatile("lidt %0" : : "m"(pointer));
    load_tr(SEL_TSS);
}

void kernel_main(void)
{
    load_tables();
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    test_tasks();
    test_gates();
    test_v86();
    leave();
}
