/*
 * Memory accesses of unusual kinds: across pages, to device registers, atomically, through
 * segments. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

#define VA        0x30000000000ull
#define LAPIC_TPR 0xfee00080ull

void test_memory(void)
{
    uint8_t *a = alloc_page(), *gap = alloc_page(), *b = alloc_page();
    uint64_t value, other;
    bool right = true;

    (void)gap;
    map_page(VA, (uint64_t)a, PTE_P | PTE_W);
    map_page(VA + 4096, (uint64_t)b, PTE_P | PTE_W);
    for (unsigned i = 1; i < 8; i++) {
        volatile uint64_t *at = (volatile uint64_t *)(VA + 4096 - i);
        *at = 0x0123456789abcdefull + i;
        right &= *at == 0x0123456789abcdefull + i && a[4096 - i] == ((0xef + i) & 0xff);
    }
    check(right, "8-byte accesses across pages");
    right = true;
    for (unsigned i = 1; i < 16; i++) {
        uint64_t in[2] = {0x1111222233334444ull * i, ~0x5555666677778888ull}, out[2];
        asm volatile(
            "movdqu (%1), %%xmm3; movdqu %%xmm3, (%0); movdqu (%0), %%xmm4; movdqu %%xmm4, (%2)"
            :
            : "r"(VA + 4096 - i), "r"(in), "r"(out)
            : "memory");
        right &= in[0] == out[0] && in[1] == out[1];
    }
    check(right, "16-byte accesses across pages");
    volatile uint64_t *crossing = (volatile uint64_t *)(VA + 4093);
    *crossing = 41;
    asm volatile("lock incq %0; lock addq $1, %0; lock xaddq %1, %0"
                 : "+m"(*crossing), "=r"(value)
                 : "1"(7ull));
    check(*crossing == 50 && value == 43, "locked accesses across pages");
    other = 50;
    asm volatile("lock cmpxchgq %2, %0" : "+m"(*crossing), "+a"(other) : "r"(99ull) : "cc");
    check(*crossing == 99 && other == 50, "LOCK CMPXCHG across pages");

    static volatile uint64_t pair[2] __attribute__((aligned(16)));
    uint8_t equal;
    pair[0] = 1;
    pair[1] = 2;
    asm volatile("lock cmpxchg16b %0; sete %1"
                 : "+m"(pair), "=q"(equal)
                 : "a"(1ull), "d"(2ull), "b"(3ull), "c"(4ull)
                 : "cc");
    check(equal && pair[0] == 3 && pair[1] == 4, "CMPXCHG16B exchanges");

    /* The task priority register of the local APIC, as memory-mapped I/O, by many kinds of
     * instruction. */
    volatile uint32_t *tpr = (volatile uint32_t *)LAPIC_TPR;
    *tpr = 0x10;
    check(*tpr == 0x10, "a device register is read and written by MOV");
    asm volatile("addl $0x20, %0" : "+m"(*tpr) : : "cc");
    check(*tpr == 0x30, "by ADD to memory");
    uint32_t exchanged = 0x40;
    asm volatile("xchgl %1, %0" : "+m"(*tpr), "+r"(exchanged));
    check(*tpr == 0x40 && exchanged == 0x30, "by XCHG");
    uint32_t source = 0x50, *from = &source;
    volatile uint32_t *to = tpr;
    asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
    check(*tpr == 0x50, "by MOVS");
    asm volatile(
        "movl $0x60, %%eax; movd %%eax, %%xmm1; movd %%xmm1, %0; movd %0, %%xmm2; movd %%xmm2, %1"
        : "+m"(*tpr), "=r"(exchanged)
        :
        : "rax");
    check(exchanged == 0x60, "by MOVD");
    asm volatile("xorl %0, %1; pushq %2; popq %2"
                 : "+m"(*tpr), "+r"(exchanged), "+r"(value)
                 :
                 : "cc");
    check(exchanged == 0, "and as the source of XOR");
    check(READ_CR(8) == 6, "and CR8 shows the same priority");
    WRITE_CR(8, 0);
    check(*tpr == 0, "as the register shows CR8");

    static uint64_t through_gs[2] = {5, 6};
    wrmsr(0xc0000101, (uint64_t)through_gs);
    wrmsr(0xc0000102, (uint64_t)(through_gs + 1));
    asm volatile("mov %%gs:0, %0; swapgs; mov %%gs:0, %1; swapgs" : "=r"(value), "=r"(other));
    check(value == 5 && other == 6, "SWAPGS exchanges the bases of GS");
    wrmsr(0xc0000101, 0);
}
