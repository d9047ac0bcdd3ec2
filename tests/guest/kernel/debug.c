/*
 * Debug registers: breakpoints for instructions, data and ports, general detect, and what DR6, RIP
 * and RFLAGS.RF say (SDM 3B 17.2, 17.3.1).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

#define WINDOW 0x21000000000ull

enum { EXECUTE, WRITE, IO, ACCESS };
enum { RF = 1 << 16, DR6_BD = 1 << 13, DR6_BS = 1 << 14, CR4_DE = 1 << 3 };

#define READ_DR(n)                                                                                 \
    ({                                                                                             \
        uint64_t v_;                                                                               \
        asm volatile("mov %%dr" #n ", %0" : "=r"(v_));                                             \
        v_;                                                                                        \
    })
#define WRITE_DR(n, v) asm volatile("mov %0, %%dr" #n : : "r"((uint64_t)(v)) : "memory")

extern const uint8_t db_at[], db_loop_at[], db_written[], db_ported[], db_rep[], db_gd[], db_read[],
    db_after_ss[];

static struct {
    int count;
    uint64_t rip, dr6, dr7, rflags, rcx;
} seen;

/* Notes a #DB; an instruction breakpoint's handler sets RF to get past it. */
static bool on_debug(Frame *frame)
{
    if (frame->vector != 1) {
        return false;
    }
    seen.count++;
    seen.rip = frame->rip;
    seen.rflags = frame->rflags;
    seen.rcx = frame->rcx;
    seen.dr6 = READ_DR(6);
    seen.dr7 = READ_DR(7);
    WRITE_DR(6, 0);
    frame->rflags |= RF;
    frame->rflags &= ~0x100ull;
    return true;
}

/* DR0 watches LEN bytes at ADDR. */
static void watch(uint64_t addr, unsigned type, unsigned len)
{
    unsigned code = len == 8 ? 2 : len - 1;

    seen.count = 0;
    seen.rip = seen.dr6 = 0;
    WRITE_DR(6, 0);
    WRITE_DR(0, addr);
    WRITE_DR(7, 0x400 | 3 | type << 16 | code << 18);
}

static void watch_nothing(void)
{
    WRITE_DR(7, 0x400);
}

static bool seen_at(const uint8_t *rip, uint64_t bits)
{
    return seen.count == 1 && seen.rip == (uint64_t)rip && (seen.dr6 & 0xe00f) == bits;
}

/* ---- instructions ---- */

static __attribute__((noinline)) uint64_t two(void)
{
    uint64_t value = 0;

    asm volatile("add $1, %0; .globl db_at; db_at: add $1, %0" : "+r"(value));
    return value;
}

static __attribute__((noinline)) uint64_t loop(uint64_t count)
{
    uint64_t value = 0;

    asm volatile("1: .globl db_loop_at; db_loop_at: add $3, %0; dec %1; jnz 1b"
                 : "+r"(value), "+r"(count));
    return value;
}

static void test_instructions(void)
{
    bool right = true;

    for (int i = 0; i < 1000; i++) { /* so that it is translated, and linked */
        right &= two() == 2;
    }
    watch((uint64_t)db_at, EXECUTE, 1);
    uint64_t value = two();
    check(seen_at(db_at, 1) && value == 2, "an instruction breakpoint is a fault, with DR6.B0");
    check(!(seen.rflags & RF), "and saves RF clear");
    two();
    check(seen.count == 2, "RF holds for one instruction only");
    watch((uint64_t)db_loop_at, EXECUTE, 1);
    value = loop(50);
    check(seen.count == 50 && value == 150, "a breakpoint in a loop hits each time round");
    seen.count = 0;
    right &= two() == 2;
    check(right && !seen.count, "code on the same page runs on without it");
    watch_nothing();
    loop(50);
    check(!seen.count, "and after it is off it does not hit");
}

/* ---- data ---- */

static __attribute__((noinline)) void store(volatile void *at, uint64_t value)
{
    asm volatile("mov %1, (%0); .globl db_written; db_written: nop"
                 :
                 : "r"(at), "r"(value)
                 : "memory");
}

static __attribute__((noinline)) uint64_t load(volatile void *at)
{
    uint64_t value;

    asm volatile("mov (%1), %0; .globl db_read; db_read: nop" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static void test_data(void)
{
    uint8_t *page = alloc_page(), *next = alloc_page();
    uint64_t *word = (uint64_t *)(page + 0x100);

    map_page(WINDOW, (uint64_t)page, PTE_P | PTE_W);
    map_page(WINDOW + 4096, (uint64_t)next, PTE_P | PTE_W);
    store(word, 1);
    watch((uint64_t)word, WRITE, 8);
    store(word, 2);
    check(seen_at(db_written, 1) && *word == 2, "a write to watched bytes traps behind it");
    check(load(word) == 2 && seen.count == 1, "a read of them does not");
    store(word + 1, 3);
    store((uint8_t *)word - 8, 3);
    check(seen.count == 1, "nor does a write beside them");

    watch((uint64_t)word + 3, ACCESS, 1);
    uint64_t value = load(word);
    check(seen_at(db_read, 1) && value == 2, "a wider read over one watched byte traps");
    watch(WINDOW + 4096, WRITE, 4);
    store((void *)(WINDOW + 4093), 0x1122334455667788);
    check(seen_at(db_written, 1) && *(uint32_t *)(void *)next == 0x22334455,
          "a write across pages into watched bytes traps");
    watch((uint64_t)word, WRITE, 8);
    store((void *)(WINDOW + 0x100), 9);
    check(!seen.count && *word == 9, "it is linear addresses that are watched");

    asm volatile("lock incq (%0)" : : "r"(word) : "memory");
    check(seen.count == 1 && *word == 10, "a locked update is done once");
    seen.count = 0;
    asm volatile("mov %%rsp, %%rbx; lea 8(%0), %%rsp; push $77; mov %%rbx, %%rsp"
                 :
                 : "r"(word)
                 : "rbx", "memory");
    check(seen.count == 1 && *word == 77, "a push onto watched bytes traps");

    uint8_t *to = page + 0xf8, *from = page + 0x200;
    for (int i = 0; i < 16; i++) {
        from[i] = (uint8_t)(i + 1);
    }
    watch((uint64_t)to + 4, WRITE, 1);
    uint64_t left = 16;
    asm volatile(".globl db_rep; db_rep: rep movsb"
                 : "+D"(to), "+S"(from), "+c"(left)
                 :
                 : "memory");
    bool copied = true;
    for (int i = 0; i < 16; i++) {
        copied &= page[0xf8 + i] == i + 1;
    }
    check(copied && !left && seen.count == 1,
          "REP MOVS over a watched byte traps once and goes on");
    if (!is_qemu()) {
        check(seen.rip == (uint64_t)db_rep && seen.rcx == 11, "between two of its steps");
    }
    watch_nothing();
}

/* The trap of a watched operand and that of a step are one; MOV SS holds both back. */
static void test_together(void)
{
    static uint64_t word;

    watch((uint64_t)&word, WRITE, 8);
    asm volatile("pushf; orq $0x100, (%%rsp); popf; movq $5, %0; nop; nop"
                 : "=m"(word)
                 :
                 : "memory");
    check((seen.count == 1 && (seen.dr6 & 0xe00f) == (DR6_BS | 1)) || is_qemu(),
          "a step over a write to watched bytes is one trap");
    static uint16_t ss;
    asm volatile("mov %%ss, %0" : "=m"(ss));
    watch((uint64_t)&ss, ACCESS, 2);
    asm volatile("mov %0, %%ss; nop; .globl db_after_ss; db_after_ss: nop" : : "m"(ss) : "memory");
    if (!is_qemu()) {
        check(seen_at(db_after_ss, 1), "MOV SS holds a data breakpoint's trap back by one");
    }
    watch_nothing();
}

/* ---- ports, DR access ---- */

static __attribute__((noinline)) void write_port(void)
{
    asm volatile("mov $0x12, %%eax; out %%al, $0x80; .globl db_ported; db_ported: nop" : : : "rax");
}

static __attribute__((noinline)) void general_detect(void)
{
    asm volatile(".globl db_gd; db_gd: mov %%dr0, %%rax" : : : "rax");
}

static void test_ports(void)
{
    WRITE_CR(4, READ_CR(4) | CR4_DE);
    watch(0x80, IO, 1);
    write_port();
    check(seen_at(db_ported, 1), "a port breakpoint traps behind OUT");
    watch(0x81, IO, 1);
    write_port();
    check(!seen.count, "and only for its port");
    watch_nothing();
    WRITE_CR(4, READ_CR(4) & ~(uint64_t)CR4_DE);
}

static bool end_general_detect(Frame *frame)
{
    bool ours = on_debug(frame);

    frame->rip += 3; /* the instruction would go on for ever: GD is for the handler to set again */
    return ours;
}

static void test_general_detect(void)
{
    set_handler(end_general_detect);
    seen.count = 0;
    WRITE_DR(6, 0);
    WRITE_DR(7, 0x2400);
    general_detect();
    check(seen_at(db_gd, DR6_BD) || is_qemu(),
          "a look at a debug register is #DB when DR7.GD says so");
    check(!(seen.dr7 & 0x2000), "which clears GD");
    WRITE_DR(7, 0x400);
}

void test_debug(void)
{
    set_handler(on_debug);
    test_instructions();
    test_data();
    test_together();
    test_ports();
    test_general_detect();
    set_handler(0);
    WRITE_DR(6, 0);
}
