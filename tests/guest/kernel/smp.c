/*
 * A second processor: start-up, atomic operations, the order of stores, code and mappings changed
 * by the other, and interrupts between them. Without a second processor nothing is checked.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

#define SHARED 0x40000000000ull
#define SPLIT  0x40000400000ull /* two pages that do not lie together */

static uint8_t second_stack[16384] __attribute__((aligned(16)));
static volatile uint32_t online, command, done, stop;
static volatile uint64_t counter, plain_x, plain_y, seen_x;
static volatile uint32_t result;
static uint8_t *code;
static volatile uint32_t *odd_counter;

enum { ODD_COUNT = 20000 };

enum { IDLE, COUNT, COUNT_AT, ORDER, RUN_CODE, READ_SHARED, HALT };

static void count_at(void)
{
    for (int i = 0; i < ODD_COUNT; i++) {
        asm volatile("lock incl %0" : "+m"(*odd_counter) : : "cc");
    }
}

void ap_main(void)
{
    asm volatile("fninit");
    online = 1;
    for (;;) {
        while (command == IDLE) {
            asm volatile("pause");
        }
        switch (command) {
        case COUNT:
            for (int i = 0; i < 200000; i++) {
                asm volatile("lock incq %0" : "+m"(counter) : : "cc");
            }
            break;
        case COUNT_AT:
            count_at();
            break;
        case ORDER:
            /* Stores stay in order: whoever sees y sees x (SDM 3A 8.2.2). */
            for (uint64_t i = 1; i <= 300000; i++) {
                plain_x = i;
                plain_y = i;
            }
            break;
        case RUN_CODE:
            while (!stop) {
                result = ((uint32_t(*)(void))(uint64_t)code)();
            }
            break;
        case READ_SHARED:
            while (!stop) {
                result = *(volatile uint32_t *)SHARED;
            }
            invlpg(SHARED);
            result = *(volatile uint32_t *)SHARED;
            break;
        case HALT:
            done = 1;
            for (;;) {
                asm volatile("cli; hlt");
            }
        }
        command = IDLE;
        done = 1;
    }
}

static void begin(uint32_t what)
{
    stop = 0;
    done = 0;
    command = what;
}

static void finish(void)
{
    stop = 1;
    while (!done) {
        asm volatile("pause");
    }
}

/* By the 8254's channel 0, which counts down at 1193182 Hz, from 65536 here. */
static uint16_t pit_count(void)
{
    outb(0x43, 0);
    uint16_t low = inb(0x40);
    return (uint16_t)(low | inb(0x40) << 8);
}

static void wait_us(unsigned us)
{
    outb(0x43, 0x34);
    outb(0x40, 0);
    outb(0x40, 0);
    uint16_t last = pit_count();
    for (int64_t left = (int64_t)us * 1193 / 1000; left > 0;) {
        uint16_t now = pit_count();
        left -= (uint16_t)(last - now);
        last = now;
    }
}

static bool start_second(void)
{
    uint8_t *at = (uint8_t *)AP_START;

    for (int i = 0; i < ap_code_end - ap_code; i++) {
        at[i] = ap_code[i];
    }
    ap_stack = (uint64_t)(second_stack + sizeof(second_stack));
    *lapic(0xf0) = 0x1ff;
    *lapic(0x300) = 0xc4500; /* INIT to all but self */
    wait_us(10000);
    *lapic(0x300) = 0xc4600 | AP_START >> 12;
    for (int i = 0; i < 100 && !online; i++) {
        wait_us(1000);
    }
    return online;
}

void test_smp(void)
{
    if (!start_second()) {
        print("# one processor only\n");
        return;
    }
    check(true, "INIT and start-up IPI bring a second processor to 64-bit mode");

    begin(COUNT);
    for (int i = 0; i < 200000; i++) {
        asm volatile("lock incq %0" : "+m"(counter) : : "cc");
    }
    finish();
    check(counter == 400000, "locked increments of two processors add up");

    uint8_t *low = alloc_page();
    alloc_page();
    map_page(SPLIT, (uint64_t)low, PTE_P | PTE_W);
    map_page(SPLIT + 4096, (uint64_t)alloc_page(), PTE_P | PTE_W);
    odd_counter = (volatile uint32_t *)(SPLIT + 4094);
    *odd_counter = 65536 - ODD_COUNT; /* a carry between the pages on the way */
    begin(COUNT_AT);
    count_at();
    finish();
    check(*odd_counter == 65536 + ODD_COUNT, "so they do across two pages");

    code = alloc_page();
    code[0] = 0xc3;
    ((void (*)(void))(uint64_t)code)();
    odd_counter = (volatile uint32_t *)(code + 4);
    begin(COUNT_AT);
    for (int i = 0; i < ODD_COUNT; i++) {
        asm volatile("lock incl %0" : "+m"(*odd_counter) : : "cc");
        ((void (*)(void))(uint64_t)code)();
    }
    finish();
    check(*odd_counter == 2 * ODD_COUNT, "and next to code that runs");

    bool ordered = true;
    uint64_t y = 0;
    begin(ORDER);
    while (y < 300000) {
        y = plain_y;
        seen_x = plain_x;
        ordered &= seen_x >= y;
    }
    finish();
    check(ordered, "stores of one processor are seen in order by the other");

    code = alloc_page();
    bool fresh = true;
    for (int i = 0; i < 6; i++) {
        code[i] = (uint8_t[]){0xb8, 0, 0, 0, 0, 0xc3}[i];
    }
    begin(RUN_CODE);
    for (uint8_t i = 1; i < 100; i++) {
        *(volatile uint8_t *)(code + 1) = i;
        uint64_t start = rdtsc();
        while (result != i && rdtsc() - start < 30000000000ull) {
        }
        fresh &= result == i;
    }
    finish();
    check(fresh || is_qemu(), "code changed by one processor reaches the other that runs it");

    uint32_t *a = alloc_page(), *b = alloc_page();
    *a = 1;
    *b = 2;
    map_page(SHARED, (uint64_t)a, PTE_P | PTE_W);
    begin(READ_SHARED);
    while (result != 1) {
    }
    *page_entry(SHARED) = (uint64_t)b | PTE_P | PTE_W;
    finish();
    check(result == 2, "INVLPG on the other processor shows it a changed mapping");
    begin(HALT);
    finish();
}
