/*
 * The test kernel: a few hundred lines that bring up long mode and then check, from inside of the
 * guest, that the CPU and its interrupt controllers behave as the manuals say. It prints TAP on the
 * first serial port and leaves through isa-debug-exit at port F4h. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TESTS_GUEST_KERNEL_KERNEL_H
#define TESTS_GUEST_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/guest/kernel/layout.h"

typedef struct Frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
} Frame;

/* What an expected exception left behind. */
typedef struct Fault {
    bool happened;
    uint64_t vector, error, rip, cs, rflags, rsp, cr2, rcx, rsi, rdi;
} Fault;

/* Runs FN; an exception in it is recorded in the result and ends it. */
Fault catch_fault(void (*fn)(void));
/* Also the way for code in ring 3: what call_user() is given. */
Fault catch_user(void *rip, void *rsp, uint64_t rflags, uint64_t *result);
/* HANDLER (NULL: none) sees interrupts and exceptions first; true: handled, go on behind it. */
typedef bool (*InterruptHandler)(Frame *frame);
void set_handler(InterruptHandler handler);
/* Interrupt stack table entry 1..7 (0: none) and descriptor privilege of a vector. */
void set_gate(int vector, int ist, int dpl);

/* One TAP result. The macro prints the text of the condition. */
void check(bool ok, const char *name);
void note(const char *what, uint64_t value);
void print(const char *text);

void map_page(uint64_t linear, uint64_t physical,
              uint64_t flags);         /* 4 KiB, in the current tables */
uint64_t *page_entry(uint64_t linear); /* of a page mapped by map_page() */
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 32, PTE_D = 64, PTE_G = 256 };
#define PTE_NX (1ull << 63)
void *alloc_page(void); /* zeroed, identity mapped */

/* QEMU's translator, on which the kernel itself is tried out, departs from the manual in a few
 * places. */
bool is_qemu(void);

void test_exceptions(void);
void test_debug(void);
void test_paging(void);
void test_user(void);
void test_interrupts(void);
void test_code(void);
void test_memory(void);
void test_fpu(void);
void test_smp(void);

/* boot.S */
extern const uint8_t interrupt_stubs[256][16], ap_code[], ap_code_end[];
extern uint64_t boot_pml4[512], boot_gdt[];
extern uint64_t kernel_rsp, syscall_rcx, syscall_r11, ap_stack;
int save_context(uint64_t context[8]) __attribute__((returns_twice));
void resume_context(uint64_t context[8], int value) __attribute__((noreturn));
uint64_t call_user(void *rip, void *rsp, uint64_t rflags);
uint32_t call_compat(const void *code32, uint32_t stack);
void syscall_entry(void);
void interrupt(Frame *frame);
void kernel_main(void);
void ap_main(void);

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
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline void wrmsr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr"
                 :
                 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                 : "memory");
}
static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
#define READ_CR(n)                                                                                 \
    ({                                                                                             \
        uint64_t v_;                                                                               \
        asm volatile("mov %%cr" #n ", %0" : "=r"(v_));                                             \
        v_;                                                                                        \
    })
#define WRITE_CR(n, v) asm volatile("mov %0, %%cr" #n : : "r"((uint64_t)(v)) : "memory")
static inline void invlpg(uint64_t linear)
{
    asm volatile("invlpg (%0)" : : "r"(linear) : "memory");
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    asm volatile("cpuid"
                 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                 : "a"(leaf), "c"(sub));
}
static inline volatile uint32_t *lapic(unsigned reg)
{
    return (volatile uint32_t *)(0xfee00000ull + reg);
}

#endif
