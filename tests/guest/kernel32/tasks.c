/*
 * Hardware task switches: by CALL, JMP and IRET, through task gates, by interrupts and exceptions;
 * and their faults (SDM 3A 8).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel32/kernel.h"

enum { AVAILABLE = 0x89, BUSY = 0x8b, AVAILABLE16 = 0x81, BUSY16 = 0x83 };
enum { FLAG_CF = 1, FLAG_ZF = 0x40, FLAG_IF = 0x200, FLAG_NT = 0x4000 };

/* What the tasks below saw of themselves. */
uint32_t seen_runs, seen_eax, seen_flags, seen_tr, seen_cr0, seen_link, seen_word, seen_error;
extern const uint8_t low_begin[], low_task16[], low_end[];
extern void echo_task(void), jump_back_task(void), error_task(void), word_task(void);

/* A task goes on behind its IRET when it is entered again. */
asm(".pushsection .text\n"
    ".globl echo_task, jump_back_task, error_task, word_task\n"
    "echo_task:\n"
    "    mov %eax, seen_eax; pushf; popl seen_flags; str %eax; mov %eax, seen_tr\n"
    "    mov %cr0, %eax; mov %eax, seen_cr0; incl seen_runs\n"
    "    mov seen_eax, %eax; inc %eax; stc; iret; jmp echo_task\n"
    "jump_back_task:\n"
    "    pushf; popl seen_flags; incl seen_runs; ljmp $0x38, $0; jmp jump_back_task\n"
    "error_task:\n"
    "    popl seen_error; incl seen_runs; addl $2, main_tss + 32; iret; jmp error_task\n"
    "word_task:\n"
    "    mov 0x800000, %eax; mov %eax, seen_word; iret; jmp word_task\n"
    ".popsection\n"
    ".pushsection .rodata\n"
    "low_begin:\n"
    "low_task16: mov %eax, seen_eax; mov %esp, seen_word; mov %fs, seen_link; incl seen_runs\n"
    "    mov $0xabcd1234, %eax; iret; jmp low_task16\n"
    "low_end:\n"
    ".popsection\n");

static void call_task(void)
{
    asm volatile("lcall %0, $0" : : "i"(SEL_TASK) : "memory", "cc");
}
static void call_task_with_registers(void)
{
    uint32_t eax = 0x12345678, ecx = 0x9abcdef0, edi = 0x55aa55aa, flags;

    asm volatile("stc; lcall %4, $0; pushf; pop %3"
                 : "+a"(eax), "+c"(ecx), "+D"(edi), "=r"(flags)
                 : "i"(SEL_TASK)
                 : "memory", "cc");
    check_beyond_qemu(eax == 0x12345678 && ecx == 0x9abcdef0 && edi == 0x55aa55aa &&
                          (flags & FLAG_CF),
                      "a task that was called returns to the caller's registers and flags");
}
static void jump_task(void)
{
    asm volatile("ljmp %0, $0" : : "i"(SEL_TASK) : "memory", "cc");
}
static void call_task16(void)
{
    asm volatile("lcall %0, $0" : : "i"(SEL_TASK16) : "memory", "cc");
}
static void call_gate(void)
{
    asm volatile("lcall %0, $0" : : "i"(SEL_GATE) : "memory", "cc");
}
static void jump_self(void)
{
    asm volatile("ljmp %0, $0" : : "i"(SEL_TSS) : "memory", "cc");
}
static void int_task(void)
{
    asm volatile("int $0x60" : : : "memory", "cc");
}
static void undefined_segment(void)
{
    asm volatile("mov %w0, %%fs" : : "a"(0x1234) : "memory"); /* two bytes */
}
static void iret_nested(void)
{
    asm volatile("pushf; orl $0x4000, (%%esp); popf; iret" : : : "memory", "cc");
}
static void absent_page(void)
{
    asm volatile("mov 0xc00000, %%eax" : : : "eax", "memory");
}

static void copy_low_code(void)
{
    for (const uint8_t *p = low_begin; p < low_end; p++) {
        ((uint8_t *)LOW_CODE)[p - low_begin] = *p;
    }
}

static void test_nesting(void)
{
    reset_task(echo_task);
    task_tss.eax = 7;
    task_tss.eflags |= FLAG_ZF;
    catch_fault(call_task_with_registers);
    check(seen_runs == 1 && seen_eax == 7 && seen_tr == SEL_TASK, "CALL enters a task");
    check((seen_flags & (FLAG_NT | FLAG_ZF | FLAG_CF)) == (FLAG_NT | FLAG_ZF),
          "with its own flags, and NT set");
    check(seen_cr0 & 8, "a task switch sets CR0.TS");
    check((uint16_t)task_tss.link == SEL_TSS && type_of(SEL_TSS) == BUSY,
          "it is linked to the caller, which stays busy");
    check(type_of(SEL_TASK) == AVAILABLE && task_tss.eax == 8 &&
              (task_tss.eflags & (FLAG_NT | FLAG_CF)) == FLAG_CF,
          "IRET saves the task, with NT clear, and makes it available");
    Fault f = catch_fault(call_task);
    check(!f.happened && seen_runs == 2 && seen_eax == 8, "the next CALL goes on behind the IRET");

    reset_task(jump_back_task);
    f = catch_fault(jump_task);
    check(!f.happened && seen_runs == 3 && !(seen_flags & FLAG_NT), "JMP enters a task un-nested");
    check(type_of(SEL_TASK) == AVAILABLE && type_of(SEL_TSS) == BUSY &&
              (uint16_t)task_tss.link == 0,
          "and JMP comes back, without links");
}

static void test_gates_to_tasks(void)
{
    gdt[SEL_GATE / 8] = (uint32_t)SEL_TASK << 16 | 0x85ull << 40;
    reset_task(echo_task);
    seen_runs = 0;
    Fault f = catch_fault(call_gate);
    check(!f.happened && seen_runs == 1, "a task gate leads to its task");
    set_task_gate(0x60, SEL_TASK, 0);
    f = catch_fault(int_task);
    check(!f.happened && seen_runs == 2 && (seen_flags & FLAG_NT), "so does one of the IDT");
    set_gate(0x60, 0);
    set_task_gate(13, SEL_TASK, 0);
    reset_task(error_task);
    f = catch_fault(undefined_segment);
    set_gate(13, 0);
    check(!f.happened && seen_runs == 3 && seen_error == 0x1234,
          "an exception's error code is on the stack of the task that handles it");
    check_beyond_qemu(main_tss.eflags & 0x10000, "and RF is set in the flags saved of the fault");
}

static void test_16_bits(void)
{
    copy_low_code();
    reset_task16((uint16_t)(LOW_CODE + (low_task16 - low_begin)));
    task16_tss.ax = 0x5678;
    seen_runs = 0;
    seen_link = 0xffff;
    Fault f = catch_fault(call_task16);
    check(!f.happened && seen_runs == 1 && (seen_eax & 0xffff) == 0x5678 &&
              (seen_word & 0xffff) == LOW_STACK,
          "a task with a 16-bit TSS runs");
    check(task16_tss.link == SEL_TSS && task16_tss.ax == 0x1234 && type_of(SEL_TASK16) == 0x81,
          "and is saved in 16 bits");
}

static void test_first_half(void)
{
    Fault f;

    reset_task(echo_task);
    gdt[SEL_TASK / 8] |= 2ull << 40;
    f = catch_fault(call_task);
    check(f.frame.vector == 13 && f.frame.error == SEL_TASK && f.tr == SEL_TSS,
          "a busy task cannot be called: #GP(TSS)");
    f = catch_fault(jump_self);
    check(f.frame.vector == 13 && f.frame.error == SEL_TSS, "nor can the current one");
    reset_task(echo_task);
    gdt[SEL_TASK / 8] &= ~(0x80ull << 40);
    f = catch_fault(call_task);
    check(f.frame.vector == 11 && f.frame.error == SEL_TASK,
          "a TSS that is not present is #NP(TSS)");
    gdt[SEL_TASK / 8] = descriptor((uint32_t)&task_tss, 0x66, 0x89);
    f = catch_fault(call_task);
    check(f.frame.vector == 10 && f.frame.error == SEL_TASK, "a short TSS is #TS(TSS)");
    gdt[SEL_GATE / 8] = (uint32_t)SEL_DATA << 16 | 0x85ull << 40;
    f = catch_fault(call_gate);
    check(f.frame.vector == 13 && f.frame.error == SEL_DATA, "a task gate to no TSS is #GP");
    main_tss.link = SEL_TASK;
    reset_task(echo_task);
    f = catch_fault(iret_nested);
    check(f.frame.vector == 10 && f.frame.error == SEL_TASK && f.tr == SEL_TSS &&
              (f.frame.eflags & FLAG_NT),
          "IRET to a task that is not busy is #TS(TSS)");
}

static void test_second_half(void)
{
    Fault f;

    reset_task(echo_task);
    task_tss.ds = SEL_ABSENT;
    task_tss.eflags |= FLAG_ZF;
    seen_runs = 0;
    f = catch_fault(call_task);
    check(f.frame.vector == 11 && f.frame.error == SEL_ABSENT && f.tr == SEL_TASK,
          "an absent data segment is #NP in the new task");
    check_beyond_qemu(f.frame.eip == (uint32_t)echo_task && seen_runs == 0 &&
                          (f.frame.eflags & (FLAG_ZF | FLAG_CF | FLAG_NT)) == (FLAG_ZF | FLAG_NT),
                      "before its first instruction, with its flags");
    reset_task(echo_task);
    task_tss.es = SEL_GATE; /* a system descriptor */
    f = catch_fault(call_task);
    check(f.frame.vector == 10 && f.frame.error == SEL_GATE && f.tr == SEL_TASK,
          "a system segment in ES is #TS");
    reset_task(echo_task);
    task_tss.ldt = SEL_DATA;
    set_task_gate(10, SEL_FAULT_TASK, 0);
    f = catch_fault(call_task);
    check(f.in_task && f.frame.error == SEL_DATA && f.tr == SEL_TASK, "no LDT is #TS(LDT)");
    reset_task(echo_task);
    task_tss.cs = SEL_DATA;
    f = catch_fault(call_task);
    check(f.in_task && f.frame.error == SEL_DATA, "data in CS is #TS(CS)");
    reset_task(echo_task);
    task_tss.ss = SEL_USER_DATA;
    f = catch_fault(call_task);
    check(f.in_task && f.frame.error == SEL_USER_DATA, "a stack of another level is #TS(SS)");
    set_gate(10, 0);
    set_task_gate(12, SEL_FAULT_TASK, 0);
    reset_task(echo_task);
    task_tss.ss = SEL_ABSENT;
    f = catch_fault(call_task);
    set_gate(12, 0);
    check_beyond_qemu(f.in_task && f.frame.error == SEL_ABSENT && f.tr == SEL_TASK,
                      "an absent stack segment is #SS(SS)");
    /* A fault without a stack for its handler: the double fault's task takes over. */
    set_task_gate(8, SEL_FAULT_TASK, 0);
    reset_task(echo_task);
    task_tss.ss = SEL_USER_DATA;
    f = catch_fault(call_task);
    set_gate(8, 0);
    check_beyond_qemu(f.in_task && f.frame.error == 0 && f.tr == SEL_TASK,
                      "a fault that cannot be delivered in the new task is a double fault");
    copy_low_code();
    reset_task16(LOW_CODE);
    task16_tss.cs = SEL_CODE16;
    gdt[SEL_CODE16 / 8] = descriptor(0, 0x7fff, 0x009a);
    f = catch_fault(call_task16);
    gdt[SEL_CODE16 / 8] = descriptor(0, 0xffff, 0x009a);
    check_beyond_qemu(f.frame.vector == 13 && f.frame.error == 0 && f.frame.eip == LOW_CODE,
                      "an IP beyond the code segment is #GP(0)");
}

static void test_outer_tasks(void)
{
    reset_task(echo_task); /* its first privileged instruction is MOV from CR0, STR is free */
    task_tss.cs = SEL_USER_CODE | 3;
    task_tss.ss = task_tss.ds = task_tss.es = SEL_USER_DATA | 3;
    task_tss.fs = task_tss.gs = 0;
    Fault f = catch_fault(jump_task);
    check(f.frame.vector == 13 && f.frame.cs == (SEL_USER_CODE | 3) && f.tr == SEL_TASK &&
              f.frame.ss == (SEL_USER_DATA | 3),
          "a task may start in ring 3");
    reset_task(echo_task);
    ((uint8_t *)LOW_CODE)[0] = 0xf4; /* hlt */
    task_tss.eflags |= 0x20000;
    task_tss.cs = LOW_CODE / 16;
    task_tss.eip = 0;
    task_tss.ss = 0;
    task_tss.esp = LOW_STACK;
    task_tss.ds = 0x1111;
    task_tss.gs = 0x2222;
    f = catch_fault(jump_task);
    check(f.frame.vector == 13 && (f.frame.eflags & 0x20000) && f.frame.cs == LOW_CODE / 16 &&
              f.frame.v86_ds == 0x1111 && f.frame.v86_gs == 0x2222,
          "and in V86 mode");
}

static void test_debug_bit(void)
{
    uint32_t dr6 = 0xffff0ff0, dr7 = 0x555;

    reset_task(echo_task);
    task_tss.trap = 1;
    asm volatile("mov %0, %%dr6; mov %1, %%dr7" : : "r"(dr6), "r"(dr7));
    Fault f = catch_fault(call_task);
    asm volatile("mov %%dr6, %0; mov %%dr7, %1" : "=r"(dr6), "=r"(dr7));
    check_beyond_qemu(f.frame.vector == 1 && f.frame.eip == (uint32_t)echo_task &&
                          f.tr == SEL_TASK && (dr6 & 0x8000),
                      "the T flag is a debug trap before the first instruction, with DR6.BT");
    check((dr7 & 0x55) == 0, "a task switch clears the local breakpoints");
    dr7 = 0x400;
    asm volatile("mov %0, %%dr7" : : "r"(dr7));
}

static void test_address_spaces(void)
{
    static uint32_t here[1024] __attribute__((aligned(4096))),
        there[1024] __attribute__((aligned(4096)));

    /* 4 MiB pages; 800000h is another page in the task's own directory, C00000h is none. */
    for (unsigned i = 0; i < 1024; i++) {
        here[i] = there[i] = i << 22 | 0x83;
    }
    there[2] = 4u << 22 | 0x83;
    here[3] = 0;
    *(volatile uint32_t *)0x800000 = 0x11111111;
    *(volatile uint32_t *)0x1000000 = 0x22222222;
    WRITE_CR(4, READ_CR(4) | 0x10);
    WRITE_CR(3, here);
    WRITE_CR(0, READ_CR(0) | 0x80010000);
    reset_task(word_task);
    task_tss.cr3 = (uint32_t)there;
    main_tss.cr3 = (uint32_t)here; /* a switch does not save it */
    Fault f = catch_fault(call_task);
    check(!f.happened && seen_word == 0x22222222, "a task runs in the address space of its CR3");
    check(READ_CR(3) == (uint32_t)here && *(volatile uint32_t *)0x800000 == 0x11111111,
          "and its caller in its own again");
    set_task_gate(14, SEL_FAULT_TASK, 0);
    f = catch_fault(absent_page);
    set_gate(14, 0);
    check(f.in_task && f.frame.error == 0 && READ_CR(2) == 0xc00000,
          "a page fault can have a task, too");
    /* A TSS that cannot be read is a page fault of the CALL. */
    reset_task(word_task);
    gdt[SEL_TASK / 8] = descriptor(0xc00000, 0x67, 0x89);
    f = catch_fault(call_task);
    check(f.frame.vector == 14 && f.tr == SEL_TSS && type_of(SEL_TASK) == AVAILABLE,
          "a TSS on an absent page is a page fault, and no task switch");
    WRITE_CR(0, READ_CR(0) & ~0x80000000u);
}

void test_tasks(void)
{
    test_nesting();
    test_gates_to_tasks();
    test_16_bits();
    test_first_half();
    test_second_half();
    test_outer_tasks();
    test_debug_bit();
    test_address_spaces();
}
