/*
 * The 32-bit test kernel: checks what only legacy protected mode has (tasks, V86 mode, gates with
 * parameters). It prints TAP on the first serial port and leaves through isa-debug-exit at port
 * F4h. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_GUEST_KERNEL32_KERNEL_H
#define TESTS_GUEST_KERNEL32_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/guest/kernel32/layout.h"

typedef struct Frame {
    uint32_t es, ds;
    uint32_t edi, esi, ebp, unused, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
    uint32_t esp, ss;                        /* from an outer ring only */
    uint32_t v86_es, v86_ds, v86_fs, v86_gs; /* from V86 mode only */
} Frame;

/* What an expected interrupt or exception left behind. */
typedef struct Fault {
    bool happened, in_task; /* in_task: the fault task saw it */
    uint16_t tr;            /* the task it was seen in, or that the fault task is linked to */
    Frame frame;
} Fault;

typedef struct __attribute__((packed)) Tss {
    uint32_t link;
    uint32_t esp0, ss0, esp1, ss1, esp2, ss2;
    uint32_t cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_base;
    uint8_t redirection[32]; /* of software interrupts in V86 mode */
    uint8_t io_end;
} Tss;

typedef struct __attribute__((packed)) Tss16 {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
    uint16_t ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
} Tss16;

extern Tss main_tss, task_tss, fault_tss;
extern Tss16 task16_tss;
extern uint64_t gdt[SEL_COUNT];

/* Runs FN; an exception in it is recorded in the result and ends it, in whatever task it came. */
Fault catch_fault(void (*fn)(void));
/* A handler sees interrupts first; true: handled, go on behind it. NULL: none. */
typedef bool (*InterruptHandler)(Frame *frame);
void set_handler(InterruptHandler handler);
/* The usual 32-bit interrupt gate, and a task gate. */
void set_gate(int vector, int dpl);
void set_task_gate(int vector, uint16_t selector, int dpl);

void check(bool ok, const char *name);
/* One that QEMU's translator, on which the kernel itself is tried out, does not do as the manual
 * has it; there it is skipped. */
void check_beyond_qemu(bool ok, const char *name);
void note(const char *what, uint32_t value);
void print(const char *text);

/* Descriptors: a TSS with its B bit clear, by attributes as in bytes 5 and 6 (G and D/B above). */
uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t attr);
static inline unsigned type_of(uint16_t selector)
{
    return gdt[selector / 8] >> 40 & 0x9f;
}
/* TASK_TSS and TASK16_TSS as new, for a task at ENTRY in ring 0. */
void reset_task(void (*entry)(void));
void reset_task16(uint16_t entry);
extern uint8_t task_stack[4096];

void test_tasks(void);
void test_gates(void);
void test_v86(void);

/* boot.S */
extern const uint8_t interrupt_stubs[256][16];
extern uint8_t stack_top[];
int save_context(uint32_t context[6]) __attribute__((returns_twice));
void resume_context(uint32_t context[6]) __attribute__((noreturn));
void iret_to(const uint32_t *frame, unsigned words);
void fault_task_entry(void);
void interrupt(Frame *frame);
void fault_task(uint32_t error);
void kernel_main(void);

static inline void outb(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t value)
{
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
#define READ_CR(n)                                                                                 \
    ({                                                                                             \
        uint32_t v_;                                                                               \
        asm volatile("mov %%cr" #n ", %0" : "=r"(v_));                                             \
        v_;                                                                                        \
    })
#define WRITE_CR(n, v) asm volatile("mov %0, %%cr" #n : : "r"((uint32_t)(v)) : "memory")
static inline uint32_t read_flags(void)
{
    uint32_t flags;
    asm volatile("pushf; pop %0" : "=r"(flags));
    return flags;
}
static inline uint16_t read_tr(void)
{
    uint32_t tr;
    asm volatile("str %0" : "=r"(tr));
    return (uint16_t)tr;
}

#endif
