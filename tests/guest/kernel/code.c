/*
 * Code that changes: stores into code that has run, into the running block, through another
 * mapping, and across pages (SDM 3A 8.1.3 and 11.6: on one processor a jump suffices, and all of
 * them honour less). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

#define ALIAS 0x20000000000ull

typedef uint32_t (*Code)(void);

/* mov $VALUE, %eax; ret */
static void put_return(volatile uint8_t *at, uint32_t value)
{
    at[0] = 0xb8;
    for (int i = 0; i < 4; i++) {
        at[1 + i] = (uint8_t)(value >> (8 * i));
    }
    at[5] = 0xc3;
}

static uint32_t call(const volatile uint8_t *at)
{
    return ((Code)(uint64_t)at)();
}

static void copy(uint8_t *to, const uint8_t *from, uint64_t count)
{
    asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

/* Changes the immediate of an instruction a few bytes on, in the same block. */
static uint32_t patch_ahead(void)
{
    uint32_t value;

    asm volatile("movl $2, 2f + 1(%%rip); nop; 2: movl $1, %%eax; movl $1, 2b + 1(%%rip)"
                 : "=a"(value)
                 :
                 : "memory");
    return value;
}

/* A loop that changes its own body each time round. */
static uint32_t patch_loop(void)
{
    uint32_t sum;

    asm volatile("xor %%eax, %%eax; mov $100, %%ecx\n"
                 "3: add $0, %%eax\n" /* 83 c0 ib */
                 "movb %%cl, 3b + 2(%%rip)\n"
                 "loop 3b\n"
                 "movb $0, 3b + 2(%%rip)"
                 : "=a"(sum)
                 :
                 : "rcx", "memory");
    return sum;
}

void test_code(void)
{
    uint8_t *page = alloc_page(), *next = alloc_page();
    bool right = true;

    for (uint32_t i = 0; i < 200; i++) {
        put_return(page, i);
        right &= call(page) == i;
    }
    check(right, "a routine rewritten between calls runs as rewritten");
    check(patch_ahead() == 2 && patch_ahead() == 2,
          "a store to an instruction just ahead takes effect");
    check(patch_loop() == 100 * 101 / 2 - 1, "a loop that rewrites its body runs each version");

    map_page(ALIAS, (uint64_t)page, PTE_P | PTE_W);
    right = true;
    for (uint32_t i = 0; i < 100; i++) {
        put_return((uint8_t *)ALIAS + 64, i);
        right &= call(page + 64) == i;
        put_return(page + 64, i + 1000);
        right &= call((uint8_t *)ALIAS + 64) == i + 1000;
    }
    check(right, "a store through another mapping is seen");

    /* An instruction across two pages; the second one changes, then is mapped elsewhere. */
    map_page(ALIAS + 4096, (uint64_t)next, PTE_P | PTE_W);
    uint8_t *crossing = (uint8_t *)ALIAS + 4096 - 2, *other = alloc_page();
    put_return(crossing, 0x11223344);
    check(call(crossing) == 0x11223344, "an instruction across two pages runs");
    next[0] = 0x55;
    check(call(crossing) == 0x11225544, "and is seen to change on its second page");
    for (int i = 0; i < 16; i++) {
        other[i] = next[i];
    }
    other[1] = 0x66;
    map_page(ALIAS + 4096, (uint64_t)other, PTE_P | PTE_W);
    check(call(crossing) == 0x11665544, "and when its second page is mapped elsewhere");
    map_page(ALIAS + 4096, 0, 0);

    /* The same address with other code behind it. */
    put_return(other + 128, 1);
    put_return(next + 128, 2);
    right = true;
    for (int i = 0; i < 50; i++) {
        map_page(ALIAS, (uint64_t)(i & 1 ? other : next), PTE_P | PTE_W);
        right &= call((uint8_t *)ALIAS + 128) == (i & 1 ? 1u : 2u);
    }
    check(right, "an address whose mapping changes runs what is mapped");

    /* REP MOVS over code, and a copy of a copy. */
    put_return(page + 256, 77);
    copy(page + 512, page + 256, 6);
    right = call(page + 512) == 77;
    put_return(page + 256, 78);
    copy(page + 512, page + 256, 6);
    check(right && call(page + 512) == 78, "code that REP MOVS replaces runs as replaced");

    if (is_qemu()) {
        return; /* it reads such a register as zero */
    }
    /* mov $0x42, %al; ret, in a register of the local APIC: the count of a timer that is masked. */
    *lapic(0x320) = 0x10000;
    *lapic(0x380) = 0x00c342b0;
    check((call((uint8_t *)(uint64_t)lapic(0x380)) & 0xff) == 0x42,
          "code in a device's register runs");
    *lapic(0x380) = 0x00c343b0;
    check((call((uint8_t *)(uint64_t)lapic(0x380)) & 0xff) == 0x43, "and as the register changes");
    *lapic(0x380) = 0;
}
