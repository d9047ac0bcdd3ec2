/*
 * Hardware task switches: what is saved and loaded, busy bits and links, and the faults of both
 * halves of a switch.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>

#include "tests/unit/x86_mock.h"

#define ST (&mock.cpu.st)

/* The new task: selector 78h (32-bit), or 80h (16-bit), both at one address. */
enum { NEW = 0x4000, TSS32 = 0x78, TSS16 = 0x80, NEW_ATTR = 0x89, NEW_ATTR16 = 0x81 };

static const uint16_t new_segments[] = {0x10, 0x28, 0x10, 0x10, 0x18, 0x3b};

static void set_attr(uint16_t selector, unsigned attr)
{
    mock_put(MOCK_GDT + selector + 5, attr, 1);
}

static unsigned attr(uint16_t selector)
{
    return (unsigned)mock_get(MOCK_GDT + selector + 5, 1);
}

/* Ring 0 or 3 in task 40h, and a task that could be entered. */
static void start(unsigned cpl)
{
    mock_protected_mode(cpl);
    set_attr(0x40, 0x8b);
    mock_put(MOCK_GDT + TSS32, mock_descriptor(NEW, 0x67, NEW_ATTR), 8);
    mock_put(MOCK_GDT + TSS16, mock_descriptor(NEW, 0x2b, NEW_ATTR16), 8);
    mock_put(NEW + 28, 0x200000, 4);
    mock_put(NEW + 32, 0x5555, 4);
    mock_put(NEW + 36, FLAG_IF | FLAG_CF, 4);
    for (unsigned i = 0; i < 8; i++) {
        mock_put(NEW + 40 + 4 * i, 0x11110000u + i, 4);
    }
    mock_put(NEW + 40 + 4 * R_RSP, 0x8800, 4);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        mock_put(NEW + 72 + 4 * i, new_segments[i], 4);
    }
    mock_put(NEW + 96, 0x60, 4);
    for (unsigned i = 0; i < 16; i++) {
        ST->gpr[i] = i == R_RSP ? ST->gpr[i] : 0x22220000u + i;
    }
    ST->rflags = 2 | FLAG_ZF;
    ST->dr[7] = 0x7ff;
}

static void start16(void)
{
    static const uint16_t segments[] = {0x10, 0x50, 0x58, 0x10};
    start(0);
    mock_put(NEW + 14, 0x5555, 2);
    mock_put(NEW + 16, FLAG_CF, 2);
    for (unsigned i = 0; i < 8; i++) {
        mock_put(NEW + 18 + 2 * i, 0x3330u + i, 2);
    }
    for (unsigned i = 0; i < 4; i++) {
        mock_put(NEW + 34 + 2 * i, segments[i], 2);
    }
    mock_put(NEW + 42, 0, 2);
}

static void gate_to(unsigned vector, uint16_t selector, unsigned gate_attr)
{
    mock_put(MOCK_IDT + 8 * vector, (uint64_t)selector << 16 | (uint64_t)gate_attr << 40, 8);
}

static void deliver(IntKind kind, int vector, bool has_error, uint32_t error)
{
    x86_deliver(&mock.cpu, kind, vector, has_error, error, ST->rip);
}

static void assert_in_new_task(void)
{
    g_assert_cmphex(ST->tr.selector, ==, TSS32);
    g_assert_cmphex(ST->tr.base, ==, NEW);
    g_assert_cmphex(ST->tr.limit, ==, 0x67);
    g_assert_cmphex(ST->tr.attr, ==, 0x8b);
    g_assert_cmphex(ST->rip, ==, 0x5555);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmphex(ST->gpr[i], ==, i == R_RSP ? 0x8800 : 0x11110000u + i);
    }
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        g_assert_cmphex(ST->seg[i].selector, ==, new_segments[i]);
        g_assert_false(ST->seg[i].attr & SEG_ATTR_UNUSABLE);
    }
    g_assert_cmphex(ST->ldt.selector, ==, 0x60);
    g_assert_cmphex(ST->ldt.base, ==, MOCK_LDT);
    g_assert_true(ST->cr0 & CR0_TS);
    g_assert_cmphex(ST->dr[7], ==, 0x6aa);
    g_assert_cmphex(attr(TSS32), ==, 0x8b);
}

static void assert_old_saved(uint32_t rip, uint32_t flags)
{
    g_assert_cmphex(mock_get(MOCK_TSS + 32, 4), ==, rip);
    g_assert_cmphex(mock_get(MOCK_TSS + 36, 4), ==, flags);
    g_assert_cmphex(mock_get(MOCK_TSS + 40 + 4 * R_RAX, 4), ==, 0x22220000);
    g_assert_cmphex(mock_get(MOCK_TSS + 40 + 4 * R_RSP, 4), ==, MOCK_STACK0 - 0x100);
    g_assert_cmphex(mock_get(MOCK_TSS + 40 + 4 * R_RDI, 4), ==, 0x22220007);
    g_assert_cmphex(mock_get(MOCK_TSS + 72 + 4 * SEG_CS, 2), ==, 0x28);
    g_assert_cmphex(mock_get(MOCK_TSS + 72 + 4 * SEG_GS, 2), ==, 0x10);
}

static void test_jump_leaves_the_old_task_available(void)
{
    start(0);
    MOCK_OK(x86_far_jmp(&mock.cpu, TSS32, 0xdead, 4));
    assert_in_new_task();
    assert_old_saved(0x100002, 2 | FLAG_ZF);
    g_assert_cmphex(attr(0x40), ==, 0x89);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF | FLAG_CF);
    g_assert_cmphex(ST->cr3, ==, 0); /* paging is off */
    g_assert_cmpuint(mock.switches, ==, 0);
}

static void test_call_nests_and_iret_comes_back(void)
{
    start(0);
    MOCK_OK(x86_far_call(&mock.cpu, TSS32, 0, 4));
    assert_in_new_task();
    g_assert_cmphex(attr(0x40), ==, 0x8b);
    g_assert_cmphex(mock_get(NEW, 2), ==, 0x40);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF | FLAG_CF | FLAG_NT);
    ST->gpr[R_RAX] = 0x99;
    mock.next_rip = 0x5556;
    MOCK_OK(x86_iret(&mock.cpu, 4));
    g_assert_cmphex(ST->tr.selector, ==, 0x40);
    g_assert_cmphex(ST->rip, ==, 0x100002);
    g_assert_cmphex(ST->gpr[R_RAX], ==, 0x22220000);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_ZF);
    g_assert_cmphex(mock_get(NEW + 32, 4), ==, 0x5556);
    g_assert_cmphex(mock_get(NEW + 36, 4), ==, 2 | FLAG_IF | FLAG_CF); /* NT is gone */
    g_assert_cmphex(mock_get(NEW + 40, 4), ==, 0x99);
    g_assert_cmphex(attr(0x40), ==, 0x8b);
    g_assert_cmphex(attr(TSS32), ==, 0x89);
}

static void test_16bit_task(void)
{
    start16();
    MOCK_OK(x86_far_jmp(&mock.cpu, TSS16, 0, 4));
    g_assert_cmphex(ST->rip, ==, 0x5555);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_CF);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmphex(ST->gpr[i], ==, 0x3330u + i);
    }
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x58);
    g_assert_true(ST->seg[SEG_FS].attr & SEG_ATTR_UNUSABLE);
    g_assert_cmphex(ST->tr.attr, ==, 0x83);
    /* Back by JMP: the 16-bit TSS gets 16 bits, up to DS and no further. */
    mock_put(NEW + 42, 0x1234, 2);
    ST->gpr[R_RAX] = 0xabcd9999;
    mock_put(MOCK_TSS + 96, 0, 2);
    MOCK_OK(x86_far_jmp(&mock.cpu, 0x40, 0, 2));
    g_assert_cmphex(mock_get(NEW + 18, 2), ==, 0x9999);
    g_assert_cmphex(mock_get(NEW + 34 + 6, 2), ==, 0x10);
    g_assert_cmphex(mock_get(NEW + 42, 2), ==, 0x1234);
    g_assert_cmphex(ST->rip, ==, 0x100002);
}

static void test_paging_follows_cr3(void)
{
    start(0);
    /* Both page directories map the first 4 MiB one to one. */
    mock_put(0x201000, 0x87, 8);
    mock_put(0x202000, 0x87, 8);
    mock_put(NEW + 28, 0x202000, 4);
    ST->cr3 = 0x201000;
    ST->cr4 |= CR4_PSE;
    ST->cr0 |= CR0_PG;
    MOCK_OK(x86_far_jmp(&mock.cpu, TSS32, 0, 4));
    g_assert_cmphex(ST->cr3, ==, 0x202000);
    g_assert_cmpuint(mock.switches, ==, 1);
    g_assert_true(mock.switch_flushed);

    /* PAE paging: the four entries are checked before anything happens. */
    start(0);
    mock_put(0x201000, 0x203001, 8);
    mock_put(0x203000, 0x87, 8);
    mock_put(0x203008, 0x200087, 8);
    mock_put(0x202000, 0x203001 | 6, 8);
    mock_put(NEW + 28, 0x202000, 4);
    ST->cr3 = 0x201000;
    ST->pdptr[0] = 0x203001;
    ST->cr4 |= CR4_PAE;
    ST->cr0 |= CR0_PG;
    MOCK_RAISES(EXC_GP, 0, x86_far_jmp(&mock.cpu, TSS32, 0, 4));
    g_assert_cmphex(ST->tr.selector, ==, 0x40);
    mock_put(0x202000, 0x203001, 8);
    mock_put(0x202008, 0x204001, 8);
    MOCK_OK(x86_far_jmp(&mock.cpu, TSS32, 0, 4));
    g_assert_cmphex(ST->pdptr[1], ==, 0x204001);
}

static void test_old_tss_must_be_writable(void)
{
    start(0);
    /* 4 KiB pages, and the old TSS's is read-only. */
    mock_put(0x201000, 0x202007, 4);
    for (unsigned i = 0; i < 1024; i++) {
        mock_put(0x202000 + 4 * i, (i << 12) | 7, 4);
    }
    mock_put(0x202000 + 4 * (MOCK_TSS >> 12), MOCK_TSS | 5, 4);
    ST->cr3 = 0x201000;
    mock_put(NEW + 28, 0x201000, 4);
    ST->cr0 |= CR0_PG | CR0_WP;
    X86State before = *ST;
    MOCK_RAISES(EXC_PF, 3, x86_far_call(&mock.cpu, TSS32, 0, 4));
    g_assert_cmphex(ST->cr2, ==, MOCK_TSS + 32);
    ST->cr2 = before.cr2;
    g_assert_cmpmem(ST, sizeof(*ST), &before, sizeof(before));
    g_assert_cmphex(attr(TSS32), ==, 0x89);
    g_assert_cmphex(mock_get(NEW, 2), ==, 0);
}

static void test_privilege_of_tss_and_gate(void)
{
    start(3);
    MOCK_RAISES(EXC_GP, TSS32, x86_far_jmp(&mock.cpu, TSS32 | 3, 0, 4));
    set_attr(TSS32, 0xe9);
    MOCK_OK(x86_far_call(&mock.cpu, TSS32 | 3, 0, 4));
    start(0);
    MOCK_RAISES(EXC_GP, TSS32, x86_far_jmp(&mock.cpu, TSS32 | 3, 0, 4)); /* RPL counts, too */
    /* A task gate for ring 3 to a TSS of DPL 0 */
    start(3);
    mock_put(MOCK_GDT + TSS16, (uint64_t)TSS32 << 16 | 0xe5ull << 40, 8);
    MOCK_OK(x86_far_jmp(&mock.cpu, TSS16 | 3, 0, 4));
    assert_in_new_task();
    start(3);
    mock_put(MOCK_GDT + TSS16, (uint64_t)TSS32 << 16 | 0x85ull << 40, 8);
    MOCK_RAISES(EXC_GP, TSS16, x86_far_jmp(&mock.cpu, TSS16 | 3, 0, 4));
    mock_put(MOCK_GDT + TSS16, (uint64_t)TSS32 << 16 | 0x65ull << 40, 8);
    MOCK_RAISES(EXC_NP, TSS16, x86_far_jmp(&mock.cpu, TSS16 | 3, 0, 4));
    mock_put(MOCK_GDT + TSS16, (uint64_t)0x6c << 16 | 0xe5ull << 40, 8);
    MOCK_RAISES(EXC_GP, 0x6c, x86_far_jmp(&mock.cpu, TSS16 | 3, 0, 4)); /* TSS in the LDT */
    mock_put(MOCK_GDT + TSS16, (uint64_t)0x10 << 16 | 0xe5ull << 40, 8);
    MOCK_RAISES(EXC_GP, 0x10, x86_far_jmp(&mock.cpu, TSS16 | 3, 0, 4)); /* no TSS */
}

static void test_faults_of_the_first_half_change_nothing(void)
{
    const struct {
        unsigned attr, limit;
        int vector;
        uint32_t error;
    } cases[] = {
        {0x8b, 0x67, EXC_GP, TSS32}, /* busy */
        {0x09, 0x67, EXC_NP, TSS32},
        {0x89, 0x66, EXC_TS, TSS32},
        {0x81, 0x2a, EXC_TS, TSS32},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        start(0);
        mock_put(MOCK_GDT + TSS32, mock_descriptor(NEW, cases[i].limit, cases[i].attr), 8);
        X86State before = *ST;
        MOCK_RAISES(cases[i].vector, cases[i].error, x86_far_call(&mock.cpu, TSS32, 0, 4));
        g_assert_cmpmem(ST, sizeof(*ST), &before, sizeof(before));
    }
    start(0);
    ST->tr.limit = 0x66;
    MOCK_RAISES(EXC_TS, 0x40, x86_far_call(&mock.cpu, TSS32, 0, 4));
    /* IRET wants a busy one, and complains by #TS */
    start(0);
    ST->rflags |= FLAG_NT;
    mock_put(MOCK_TSS, TSS32, 2);
    MOCK_RAISES(EXC_TS, TSS32, x86_iret(&mock.cpu, 4));
    mock_put(MOCK_TSS, 0, 2);
    MOCK_RAISES(EXC_TS, 0, x86_iret(&mock.cpu, 4));
    mock_put(MOCK_TSS, 0x64, 2);
    MOCK_RAISES(EXC_TS, 0x64, x86_iret(&mock.cpu, 4));
    mock_put(MOCK_TSS, 0x1f0, 2);
    MOCK_RAISES(EXC_TS, 0x1f0, x86_iret(&mock.cpu, 4));
}

static void test_faults_of_the_second_half_are_the_new_tasks(void)
{
    const struct {
        unsigned offset;
        uint16_t selector;
        int vector;
        uint32_t error;
    } cases[] = {
        {96, 0x64, EXC_TS, 0x64},                /* LDT in an LDT */
        {96, 0x10, EXC_TS, 0x10},                /* no LDT */
        {72 + 4 * SEG_CS, 0x00, EXC_TS, 0x00},   /* null CS */
        {72 + 4 * SEG_CS, 0x10, EXC_TS, 0x10},   /* data in CS */
        {72 + 4 * SEG_CS, 0x2b, EXC_TS, 0x28},   /* RPL is not DPL */
        {72 + 4 * SEG_CS, 0x1f0, EXC_TS, 0x1f0}, /* beyond the table */
        {72 + 4 * SEG_SS, 0x00, EXC_TS, 0x00},   /* null SS */
        {72 + 4 * SEG_SS, 0x18, EXC_TS, 0x18},   /* DPL 3 at CPL 0 */
        {72 + 4 * SEG_SS, 0x70, EXC_TS, 0x70},   /* read-only */
        {72 + 4 * SEG_SS, 0x68, EXC_SS, 0x68},   /* not present */
        {72 + 4 * SEG_DS, 0x68, EXC_NP, 0x68},   /* not present */
        {72 + 4 * SEG_DS, TSS32, EXC_TS, TSS32}, /* a system segment */
        {72 + 4 * SEG_GS, 0x13, EXC_TS, 0x10},   /* RPL 3, DPL 0 */
        {32, 0xffff, -100, 0},                   /* EIP inside of a flat CS */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        start(0);
        mock_put(MOCK_GDT + 0x68, mock_descriptor(0, 0xfffff, 0xc012), 8);
        mock_put(NEW + cases[i].offset, cases[i].selector, 2);
        MOCK_LAND(x86_far_call(&mock.cpu, TSS32, 0, 4));
        g_assert_cmpint(mock.vector, ==, cases[i].vector);
        g_assert_cmphex(ST->tr.selector, ==, TSS32);
        if (mock.vector >= 0) {
            g_assert_cmphex(mock.error, ==, cases[i].error);
            g_assert_cmphex(mock.raised_rip, ==, 0x5555);
            g_assert_cmphex(ST->gpr[R_RCX], ==, 0x11110001);
            g_assert_cmphex(mock_get(NEW, 2), ==, 0x40);
        }
    }
    start16();
    mock_put(MOCK_GDT + 0x50, mock_descriptor(0, 0x5554, 0x009a), 8);
    MOCK_RAISES(EXC_GP, 0, x86_far_jmp(&mock.cpu, TSS16, 0, 4)); /* IP beyond CS */
    g_assert_cmphex(ST->tr.selector, ==, TSS16);
}

static void test_task_at_ring_3(void)
{
    static const uint16_t segments[] = {0x1b, 0x33, 0x1b, 0x1b, 0, 0};
    start(0);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        mock_put(NEW + 72 + 4 * i, segments[i], 2);
    }
    MOCK_OK(x86_far_jmp(&mock.cpu, TSS32, 0, 4));
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    g_assert_true(ST->seg[SEG_FS].attr & SEG_ATTR_UNUSABLE);
    start(0);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        mock_put(NEW + 72 + 4 * i, segments[i], 2);
    }
    mock_put(NEW + 72 + 4 * SEG_DS, 0x10, 2);
    MOCK_RAISES(EXC_TS, 0x10, x86_far_jmp(&mock.cpu, TSS32, 0, 4)); /* DPL 0 at CPL 3 */
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
}

static void test_task_in_v86_mode(void)
{
    start(0);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        mock_put(NEW + 72 + 4 * i, 0x1000 + i, 2);
    }
    mock_put(NEW + 36, FLAG_VM, 4);
    MOCK_OK(x86_far_jmp(&mock.cpu, TSS32, 0, 4));
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        g_assert_cmphex(ST->seg[i].base, ==, (0x1000 + i) << 4);
        g_assert_cmphex(ST->seg[i].limit, ==, 0xffff);
        g_assert_cmphex(ST->seg[i].attr, ==, 0xf3);
    }
    /* And an interrupt's task gate takes it back out. */
    gate_to(32, 0x40, 0x85);
    MOCK_OK(deliver(INT_HW, 32, false, 0));
    g_assert_false(ST->rflags & FLAG_VM);
    g_assert_true(ST->rflags & FLAG_NT);
    g_assert_cmphex(mock_get(NEW + 36, 4), ==, 2 | FLAG_VM);
    g_assert_cmphex(mock_get(NEW + 72 + 4 * SEG_FS, 2), ==, 0x1004);
    mock_put(NEW + 32, 0x10000, 4);
    MOCK_RAISES(EXC_GP, 0, x86_iret(&mock.cpu, 4)); /* EIP beyond 64 KiB */
    g_assert_true(ST->rflags & FLAG_VM);
}

static void test_interrupt_through_a_task_gate(void)
{
    start(0);
    gate_to(13, TSS32, 0x85);
    MOCK_OK(deliver(INT_EXCEPTION, EXC_GP, true, 0x1234));
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x8800 - 4);
    g_assert_cmphex(mock_get(0x8800 - 4, 4), ==, 0x1234);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF | FLAG_CF | FLAG_NT); /* the TSS's own IF */
    assert_old_saved(0x100000, 2 | FLAG_ZF | FLAG_RF);
    g_assert_cmphex(mock_get(NEW, 2), ==, 0x40);
    g_assert_cmpuint(mock.cpu.delivering, ==, 0);

    start16();
    gate_to(13, TSS16, 0x85);
    MOCK_OK(deliver(INT_EXCEPTION, EXC_GP, true, 0x1234));
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x3332);
    g_assert_cmphex(mock_get(0x3332, 2), ==, 0x1234);

    start(0);
    gate_to(0x80, TSS32, 0xe5);
    MOCK_OK(x86_int_n(&mock.cpu, 0x80, INT_SOFT));
    assert_old_saved(0x100002, 2 | FLAG_ZF);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x8800);
    start(3);
    gate_to(0x80, TSS32, 0x85);
    MOCK_RAISES(EXC_GP, 0x80 * 8 + 2, x86_int_n(&mock.cpu, 0x80, INT_SOFT));
}

static void test_faults_of_interrupt_task_gates_carry_ext(void)
{
    start(0);
    gate_to(33, 0x40, 0x85);
    MOCK_RAISES(EXC_GP, 0x41, deliver(INT_HW, 33, false, 0)); /* busy */
    mock.cpu.delivering = 0;
    gate_to(33, 0x6c, 0x85);
    MOCK_RAISES(EXC_GP, 0x6d, deliver(INT_HW, 33, false, 0)); /* in the LDT */
    mock.cpu.delivering = 0;
    gate_to(33, TSS32, 0x05);
    MOCK_RAISES(EXC_NP, 33 * 8 + 3, deliver(INT_HW, 33, false, 0));
    mock.cpu.delivering = 0;
    gate_to(33, TSS32, 0x85);
    mock_put(NEW + 72 + 4 * SEG_SS, 0x18, 2);
    MOCK_RAISES(EXC_TS, 0x19, deliver(INT_HW, 33, false, 0));
    g_assert_cmphex(ST->tr.selector, ==, TSS32);
    /* A fault of the double fault's task is a triple fault. */
    start(0);
    gate_to(8, TSS32, 0x85);
    mock_put(NEW + 72 + 4 * SEG_SS, 0x18, 2);
    MOCK_RAISES(EXC_GP, 13 * 8 + 3, deliver(INT_EXCEPTION, EXC_GP, true, 0));
    MOCK_RAISES(EXC_TS, 0x19, deliver(INT_EXCEPTION, EXC_GP, true, 0));
    MOCK_LAND(deliver(INT_EXCEPTION, EXC_TS, true, 0x19));
    g_assert_cmpint(mock.vector, ==, -1);
}

static void test_debug_trap_of_a_new_task(void)
{
    start(0);
    ST->dr[6] = 0xffff0ff0;
    mock_put(NEW + 100, 1, 2);
    MOCK_LAND(x86_far_jmp(&mock.cpu, TSS32, 0, 4));
    g_assert_cmpint(mock.vector, ==, EXC_DB);
    g_assert_cmphex(mock.raised_rip, ==, 0x5555);
    g_assert_cmphex(ST->dr[6], ==, 0xffff8ff0);
    assert_in_new_task();
    start(0);
    mock_put(NEW + 100, 1, 2);
    gate_to(2, TSS32, 0x85);
    MOCK_LAND(deliver(INT_HW, EXC_NMI, false, 0));
    g_assert_cmpint(mock.vector, ==, EXC_DB);
    g_assert_cmpuint(mock.cpu.delivering, ==, 0); /* no fault of the delivery */
    g_assert_cmpuint(ST->nmi_blocked, ==, 1);
    MOCK_LAND(x86_iret(&mock.cpu, 4));
    g_assert_cmpuint(ST->nmi_blocked, ==, 0);
}

static void test_long_mode_has_none(void)
{
    mock_long_mode(0);
    mock_put(MOCK_GDT + TSS32, mock_descriptor(NEW, 0x67, NEW_ATTR), 8);
    MOCK_RAISES(EXC_GP, TSS32, x86_far_jmp(&mock.cpu, TSS32, 0, 4));
    mock_put(MOCK_GDT + TSS16, (uint64_t)TSS32 << 16 | 0x85ull << 40, 8);
    MOCK_RAISES(EXC_GP, TSS16, x86_far_call(&mock.cpu, TSS16, 0, 4));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/x86-task/" name, fn)
    T("jump-leaves-the-old-task-available", test_jump_leaves_the_old_task_available);
    T("call-nests-and-iret-comes-back", test_call_nests_and_iret_comes_back);
    T("16bit-task", test_16bit_task);
    T("paging-follows-cr3", test_paging_follows_cr3);
    T("old-tss-must-be-writable", test_old_tss_must_be_writable);
    T("privilege-of-tss-and-gate", test_privilege_of_tss_and_gate);
    T("faults-of-the-first-half-change-nothing", test_faults_of_the_first_half_change_nothing);
    T("faults-of-the-second-half-are-the-new-tasks",
      test_faults_of_the_second_half_are_the_new_tasks);
    T("task-at-ring-3", test_task_at_ring_3);
    T("task-in-v86-mode", test_task_in_v86_mode);
    T("interrupt-through-a-task-gate", test_interrupt_through_a_task_gate);
    T("faults-of-interrupt-task-gates-carry-ext", test_faults_of_interrupt_task_gates_carry_ext);
    T("debug-trap-of-a-new-task", test_debug_trap_of_a_new_task);
    T("long-mode-has-none", test_long_mode_has_none);
    int rc = g_test_run();
    mock_free();
    return rc;
}
