/*
 * Delivery of interrupts and exceptions, and the ways back: IRET, SYSCALL and SYSRET, far
 * transfers.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>

#include "tests/unit/x86_mock.h"

#define ST (&mock.cpu.st)

static void assert_same_segment(const X86Segment *a, const X86Segment *b)
{
    g_assert_cmphex(a->selector, ==, b->selector);
    g_assert_cmphex(a->base, ==, b->base);
    g_assert_cmphex(a->limit, ==, b->limit);
    g_assert_cmphex(a->attr, ==, b->attr);
}

static void gate(unsigned vector, uint16_t selector, uint32_t offset, uint32_t attr, unsigned ist)
{
    uint64_t low = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
                   (uint64_t)attr << 40 | (uint64_t)(offset >> 16) << 48;
    if (x86_is_long(ST)) {
        mock_put(MOCK_IDT + 16 * vector, low, 8);
        mock_put(MOCK_IDT + 16 * vector + 8, 0, 8);
    } else {
        mock_put(MOCK_IDT + 8 * vector, low, 8);
    }
}

static void deliver(IntKind kind, int vector, bool has_error, uint32_t error)
{
    x86_deliver(&mock.cpu, kind, vector, has_error, error, ST->rip);
}

/* ---- long mode ---- */

static void test_long_same_level(void)
{
    mock_long_mode(0);
    gate(32, 0x08, 0x123456, 0x8e, 0);
    ST->gpr[R_RSP] = 0x8ff8; /* to be aligned to 16 */
    ST->rflags = 2 | FLAG_IF | FLAG_TF | FLAG_NT | FLAG_CF;
    uint64_t flags = ST->rflags;
    MOCK_OK(deliver(INT_HW, 32, false, 0));
    g_assert_cmphex(ST->rip, ==, 0x123456);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x8ff0 - 40);
    g_assert_cmphex(mock_get(0x8ff0 - 8, 8), ==, 0x10);
    g_assert_cmphex(mock_get(0x8ff0 - 16, 8), ==, 0x8ff8);
    g_assert_cmphex(mock_get(0x8ff0 - 24, 8), ==, flags);
    g_assert_cmphex(mock_get(0x8ff0 - 32, 8), ==, 0x08);
    g_assert_cmphex(mock_get(0x8ff0 - 40, 8), ==, 0x100000);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_CF);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x10); /* unchanged without a level change */

    MOCK_OK(x86_iret(&mock.cpu, 8));
    g_assert_cmphex(ST->rip, ==, 0x100000);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x8ff8);
    g_assert_cmphex(ST->rflags, ==, flags);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x10);
}

static void test_long_from_user_with_error_code(void)
{
    mock_long_mode(3);
    gate(14, 0x08, 0x1000, 0x8f, 0); /* a trap gate */
    ST->rflags = 2 | FLAG_IF;
    X86Segment cs = ST->seg[SEG_CS], ss = ST->seg[SEG_SS];
    MOCK_OK(deliver(INT_EXCEPTION, 14, true, 7));
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK0 - 48);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 48, 8), ==, 7);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 40, 8), ==, 0x100000);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 32, 8), ==, 0x23);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 24, 8), ==, 2 | FLAG_IF | FLAG_RF);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 16, 8), ==, MOCK_STACK3);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 8, 8), ==, 0x1b);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF);
    g_assert_cmpuint(x86_cpl(ST), ==, 0);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0);
    g_assert_true(ST->seg[SEG_SS].attr & SEG_ATTR_UNUSABLE);
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x08);
    g_assert_true(x86_is_code64(ST));
    /* The descriptor's accessed bit has been set. */
    g_assert_cmphex(mock_get(MOCK_GDT + 8 + 5, 1), ==, 0x9b);

    ST->gpr[R_RSP] += 8;
    MOCK_OK(x86_iret(&mock.cpu, 8));
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    assert_same_segment(&ST->seg[SEG_CS], &cs);
    assert_same_segment(&ST->seg[SEG_SS], &ss);
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK3);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF | FLAG_RF);
}

static void test_long_ist(void)
{
    mock_long_mode(0);
    gate(2, 0x08, 0x1000, 0x8e, 1);
    MOCK_OK(deliver(INT_HW, 2, false, 0));
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_IST1 - 40);
    g_assert_cmpuint(ST->nmi_blocked, ==, 1);
    MOCK_OK(x86_iret(&mock.cpu, 8));
    g_assert_cmpuint(ST->nmi_blocked, ==, 0);
    g_assert_cmpuint(mock.rechecks, >, 0);
}

static void test_long_gate_faults(void)
{
    mock_long_mode(3);
    MOCK_RAISES(EXC_GP, 0x80 * 8 + 2, x86_int_n(&mock.cpu, 0x80, INT_SOFT)); /* no gate */
    gate(0x80, 0x08, 0x1000, 0x8e, 0);
    MOCK_RAISES(EXC_GP, 0x80 * 8 + 2, x86_int_n(&mock.cpu, 0x80, INT_SOFT)); /* DPL 0 */
    gate(0x80, 0x08, 0x1000, 0x6e, 0);
    MOCK_RAISES(EXC_NP, 0x80 * 8 + 2, x86_int_n(&mock.cpu, 0x80, INT_SOFT));
    gate(0x80, 0x00, 0x1000, 0xee, 0);
    MOCK_RAISES(EXC_GP, 0, x86_int_n(&mock.cpu, 0x80, INT_SOFT)); /* null selector */
    gate(0x80, 0x10, 0x1000, 0xee, 0);
    MOCK_RAISES(EXC_GP, 0x10, x86_int_n(&mock.cpu, 0x80, INT_SOFT)); /* data */
    gate(0x80, 0x28, 0x1000, 0xee, 0);
    MOCK_RAISES(EXC_GP, 0x28, x86_int_n(&mock.cpu, 0x80, INT_SOFT)); /* 32-bit code */
    gate(0x80, 0x108, 0x1000, 0xee, 0);
    MOCK_RAISES(EXC_GP, 0x108, x86_int_n(&mock.cpu, 0x80, INT_SOFT)); /* beyond the GDT */
    gate(0x80, 0x08, 0x1000, 0xee, 0);
    ST->idt.limit = 0x80 * 16 + 14;
    MOCK_RAISES(EXC_GP, 0x80 * 8 + 2, x86_int_n(&mock.cpu, 0x80, INT_SOFT));
    ST->idt.limit++;
    ST->tr.limit = 10;
    MOCK_RAISES(EXC_TS, 0x40, x86_int_n(&mock.cpu, 0x80, INT_SOFT));
    ST->tr.limit = 0x67;
    mock_put(MOCK_TSS + 4, 0x8000000000000000, 8);
    MOCK_RAISES(EXC_SS, 0, x86_int_n(&mock.cpu, 0x80, INT_SOFT));
    mock_put(MOCK_TSS + 4, MOCK_STACK0, 8);
    g_assert_cmphex(ST->rip, ==, 0x100000); /* all of it as before */
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    MOCK_OK(x86_int_n(&mock.cpu, 0x80, INT_SOFT));
    g_assert_cmphex(mock_get(MOCK_STACK0 - 40, 8), ==, 0x100002); /* returns behind INT n */
}

static void test_hardware_events_set_ext(void)
{
    mock_long_mode(0);
    MOCK_RAISES(EXC_GP, 33 * 8 + 3, deliver(INT_HW, 33, false, 0));
    gate(33, 0x10, 0x1000, 0x8e, 0);
    mock.cpu.delivering = 0;
    MOCK_RAISES(EXC_GP, 0x11, deliver(INT_HW, 33, false, 0));
}

/* ---- double and triple faults ---- */

static void test_contributory_pair_is_a_double_fault(void)
{
    mock_long_mode(0);
    gate(8, 0x08, 0x8888, 0x8e, 0);
    MOCK_RAISES(EXC_GP, 13 * 8 + 3, deliver(INT_EXCEPTION, EXC_GP, true, 0)); /* no gate 13 */
    MOCK_OK(deliver(INT_EXCEPTION, EXC_GP, true, 13 * 8 + 3));
    g_assert_cmphex(ST->rip, ==, 0x8888);
    g_assert_cmphex(mock_get(ST->gpr[R_RSP], 8), ==, 0); /* #DF's error code */
    g_assert_cmpuint(mock.cpu.delivering, ==, 0);
}

static void test_fault_in_double_fault_is_a_triple_fault(void)
{
    mock_long_mode(0);
    MOCK_RAISES(EXC_GP, 13 * 8 + 3, deliver(INT_EXCEPTION, EXC_GP, true, 0));
    MOCK_RAISES(EXC_GP, 8 * 8 + 3, deliver(INT_EXCEPTION, EXC_GP, true, 13 * 8 + 3));
    MOCK_LAND(deliver(INT_EXCEPTION, EXC_GP, true, 8 * 8 + 3));
    g_assert_cmpint(mock.vector, ==, -1);
    g_assert_cmpuint(mock.cpu.delivering, ==, 0);
}

static void test_page_fault_rules(void)
{
    /* A page fault while a contributory exception is delivered is just delivered. */
    mock_long_mode(0);
    gate(13, 0x08, 0xdddd, 0x8e, 1);
    gate(14, 0x08, 0xeeee, 0x8e, 0);
    mock_put(MOCK_TSS + 0x24, 0x7000000, 8); /* IST1: not mapped */
    MOCK_LAND(deliver(INT_EXCEPTION, EXC_GP, true, 0));
    g_assert_cmpint(mock.vector, ==, EXC_PF);
    g_assert_cmphex(ST->cr2, ==, 0x7000000 - 8);
    MOCK_OK(deliver(INT_EXCEPTION, EXC_PF, true, mock.error));
    g_assert_cmphex(ST->rip, ==, 0xeeee);

    /* A page fault while a page fault is delivered is a double fault. */
    mock_long_mode(0);
    gate(8, 0x08, 0x8888, 0x8e, 0);
    gate(14, 0x08, 0xeeee, 0x8e, 1);
    mock_put(MOCK_TSS + 0x24, 0x7000000, 8);
    MOCK_LAND(deliver(INT_EXCEPTION, EXC_PF, true, 0));
    g_assert_cmpint(mock.vector, ==, EXC_PF);
    MOCK_OK(deliver(INT_EXCEPTION, EXC_PF, true, mock.error));
    g_assert_cmphex(ST->rip, ==, 0x8888);

    /* A fault while an interrupt is delivered is handled with the state from before it. */
    mock_long_mode(3);
    gate(13, 0x08, 0xdddd, 0x8e, 0);
    MOCK_RAISES(EXC_GP, 50 * 8 + 3, deliver(INT_HW, 50, false, 0));
    MOCK_OK(deliver(INT_EXCEPTION, EXC_GP, true, mock.error));
    g_assert_cmphex(ST->rip, ==, 0xdddd);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 16, 8), ==, MOCK_STACK3);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 40, 8), ==, 0x100000);
}

static void test_faults_of_int_n_are_plain(void)
{
    mock_long_mode(3);
    gate(0x80, 0x08, 0x1000, 0xee, 1);
    gate(14, 0x08, 0xeeee, 0x8e, 0);
    mock_put(MOCK_TSS + 0x24, 0x7000000, 8);
    MOCK_LAND(x86_int_n(&mock.cpu, 0x80, INT_SOFT));
    g_assert_cmpint(mock.vector, ==, EXC_PF);
    g_assert_cmphex(mock.raised_rip, ==, 0x100000); /* at the INT n itself */
    MOCK_OK(deliver(INT_EXCEPTION, EXC_PF, true, mock.error));
    g_assert_cmphex(mock_get(MOCK_STACK0 - 40, 8), ==, 0x100000);
}

/* ---- RF ---- */

static uint64_t saved_flags(IntKind kind, int vector, uint64_t rip)
{
    mock_long_mode(0);
    gate((unsigned)vector, 0x08, 0x1000, 0x8e, 0);
    x86_deliver(&mock.cpu, kind, vector, false, 0, rip);
    return mock_get(ST->gpr[R_RSP] + 16, 8);
}

static void test_rf_is_saved_for_faults_only(void)
{
    g_assert_true(saved_flags(INT_EXCEPTION, EXC_UD, 0x100000) & FLAG_RF);
    g_assert_false(saved_flags(INT_EXCEPTION, EXC_DB, 0x100000) & FLAG_RF);
    g_assert_false(saved_flags(INT_EXCEPTION, EXC_DB, 0x100002) & FLAG_RF);
    g_assert_false(saved_flags(INT_HW, 40, 0x100000) & FLAG_RF);
}

static void test_debug_handler_starts_with_gd_clear(void)
{
    mock_long_mode(0);
    gate(1, 0x08, 0x1000, 0x8e, 0);
    ST->dr[7] = 0x2400;
    MOCK_RAISES(EXC_DB, 0, x86_read_dr(&mock.cpu, 0));
    g_assert_cmphex(ST->dr[6] & 0x2000, ==, 0x2000);
    MOCK_OK(deliver(INT_EXCEPTION, EXC_DB, false, 0));
    g_assert_cmphex(ST->dr[7], ==, 0x400);
}

/* ---- legacy protected mode ---- */

static void test_legacy_inner_level(void)
{
    mock_protected_mode(3);
    gate(32, 0x28, 0x5678, 0x8e, 0);
    ST->rflags = 2 | FLAG_IF | 3u << 12;
    MOCK_OK(deliver(INT_HW, 32, false, 0));
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK0 - 20);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 4, 4), ==, 0x1b);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 8, 4), ==, MOCK_STACK3);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 12, 4), ==, 0x3202);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 16, 4), ==, 0x33);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 20, 4), ==, 0x100000);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x10);
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x28);
    MOCK_OK(x86_iret(&mock.cpu, 4));
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x1b);
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK3);
    g_assert_cmphex(ST->seg[SEG_DS].selector, ==, 0x1b); /* DPL 3 survives */
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF | 3u << 12);
}

static void test_return_to_user_drops_kernel_segments(void)
{
    mock_protected_mode(3);
    gate(32, 0x28, 0x5678, 0x8e, 0);
    MOCK_OK(deliver(INT_HW, 32, false, 0));
    MOCK_OK(x86_load_seg(&mock.cpu, SEG_DS, 0x10));
    MOCK_OK(x86_load_seg(&mock.cpu, SEG_ES, 0x38)); /* conforming code stays */
    MOCK_OK(x86_iret(&mock.cpu, 4));
    g_assert_cmphex(ST->seg[SEG_DS].selector, ==, 0);
    g_assert_true(ST->seg[SEG_DS].attr & SEG_ATTR_UNUSABLE);
    g_assert_cmphex(ST->seg[SEG_ES].selector, ==, 0x38);
}

static void test_legacy_16bit_gate_same_level(void)
{
    mock_protected_mode(0);
    ST->rflags |= FLAG_IF;
    uint64_t rsp = ST->gpr[R_RSP];
    gate(10, 0x28, 0xffff5678, 0x87, 0);
    MOCK_OK(deliver(INT_EXCEPTION, EXC_TS, true, 0x44));
    g_assert_cmphex(ST->rip, ==, 0x5678);
    g_assert_cmphex(ST->gpr[R_RSP], ==, rsp - 8);
    g_assert_cmphex(mock_get(rsp - 8, 2), ==, 0x44);
    g_assert_cmphex(mock_get(rsp - 6, 2), ==, 0x0000); /* IP */
    g_assert_cmphex(mock_get(rsp - 4, 2), ==, 0x28);
    g_assert_true(ST->rflags & FLAG_IF);
}

static void test_inner_stack_faults(void)
{
    mock_protected_mode(3);
    gate(32, 0x28, 0x5678, 0x8e, 0);
    const struct {
        uint16_t ss;
        int vector;
        uint32_t error;
    } cases[] = {{0x00, EXC_TS, 1},    {0x98, EXC_TS, 0x99}, {0x18, EXC_TS, 0x19},
                 {0x13, EXC_TS, 0x11}, {0x70, EXC_TS, 0x71}, {0x68, EXC_SS, 0x69}};
    mock_put(MOCK_GDT + 0x68, mock_descriptor(0, 0xfffff, 0xc012), 8);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        mock_put(MOCK_TSS + 8, cases[i].ss, 4);
        mock.cpu.delivering = 0;
        MOCK_RAISES(cases[i].vector, cases[i].error, deliver(INT_HW, 32, false, 0));
    }
    mock_put(MOCK_TSS + 8, 0x58, 4); /* 16-bit stack, 64 KiB */
    mock_put(MOCK_TSS + 4, 0xff0010, 4);
    mock.cpu.delivering = 0;
    ST->gpr[R_RSP] = 0x12340000;
    MOCK_OK(deliver(INT_HW, 32, false, 0));
    g_assert_cmphex(ST->gpr[R_RSP] & 0xffff, ==, (0x10 - 20) & 0xffff);
}

/* ---- real-address and V86 mode ---- */

static void test_real_mode(void)
{
    mock_real_mode();
    mock_put(0x21 * 4, 0x12345678, 4);
    ST->rflags = 2 | FLAG_IF | FLAG_TF | FLAG_CF;
    MOCK_OK(x86_int_n(&mock.cpu, 0x21, INT_SOFT));
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x1234);
    g_assert_cmphex(ST->seg[SEG_CS].base, ==, 0x12340);
    g_assert_cmphex(ST->rip, ==, 0x5678);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0xffa);
    g_assert_cmphex(mock_get(0x9ffa, 2), ==, 0x102);
    g_assert_cmphex(mock_get(0x9ffc, 2), ==, 0x800);
    g_assert_cmphex(mock_get(0x9ffe, 2), ==, 2 | FLAG_IF | FLAG_TF | FLAG_CF);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_CF);
    MOCK_OK(x86_iret(&mock.cpu, 2));
    g_assert_cmphex(ST->rip, ==, 0x102);
    g_assert_cmphex(ST->seg[SEG_CS].base, ==, 0x8000);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x1000);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF | FLAG_TF | FLAG_CF);
}

static void test_real_mode_error_code_is_not_pushed(void)
{
    mock_real_mode();
    mock_put(13 * 4, 0x12345678, 4);
    MOCK_OK(deliver(INT_EXCEPTION, EXC_GP, true, 0));
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0xffa);
    mock_real_mode();
    ST->idt.limit = 0x33;
    MOCK_RAISES(EXC_GP, 13 * 8 + 3, deliver(INT_EXCEPTION, EXC_GP, true, 0));
}

static void test_v86_to_protected_and_back(void)
{
    mock_v86_mode(3);
    gate(32, 0x28, 0x5678, 0x8e, 0);
    X86State before = *ST;
    MOCK_OK(deliver(INT_HW, 32, false, 0));
    g_assert_false(ST->rflags & FLAG_VM);
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK0 - 36);
    const uint32_t frame[] = {0x100, 0x800, 0x23002, 0x1000, 0x900, 0x111, 0x222, 0x333, 0x444};
    for (size_t i = 0; i < G_N_ELEMENTS(frame); i++) {
        g_assert_cmphex(mock_get(MOCK_STACK0 - 36 + 4 * i, 4), ==, frame[i]);
    }
    g_assert_cmphex(ST->seg[SEG_DS].selector, ==, 0);
    g_assert_true(ST->seg[SEG_GS].attr & SEG_ATTR_UNUSABLE);
    g_assert_cmpuint(x86_cpl(ST), ==, 0);
    MOCK_OK(x86_iret(&mock.cpu, 4));
    for (int i = 0; i < SEG_COUNT; i++) {
        assert_same_segment(&ST->seg[i], &before.seg[i]);
    }
    g_assert_cmphex(ST->rflags, ==, before.rflags);
    g_assert_cmphex(ST->rip, ==, 0x100);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x1000);
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
}

static void test_v86_handler_must_be_ring_0(void)
{
    mock_v86_mode(3);
    gate(32, 0x88, 0x5678, 0x8e, 0);
    MOCK_RAISES(EXC_GP, 0x89, deliver(INT_HW, 32, false, 0));
}

static void test_v86_int_n(void)
{
    mock_v86_mode(0);
    mock_put(0x21 * 4, 0x12345678, 4);
    MOCK_RAISES(EXC_GP, 0, x86_int_n(&mock.cpu, 0x21, INT_SOFT)); /* IOPL < 3 without VME */

    ST->cr4 |= CR4_VME;
    mock_put(MOCK_TSS + 0x66, 0x88, 2); /* redirection bitmap at 68h, all clear */
    ST->rflags |= FLAG_VIF | FLAG_IF | FLAG_TF;
    MOCK_OK(x86_int_n(&mock.cpu, 0x21, INT_SOFT));
    g_assert_cmphex(ST->rip, ==, 0x5678);
    g_assert_cmphex(ST->seg[SEG_CS].base, ==, 0x12340);
    g_assert_cmphex(mock_get(0x9ffe, 2), ==, 2 | FLAG_IF | FLAG_TF | 3u << 12);
    g_assert_true(ST->rflags & FLAG_VM);
    g_assert_true(ST->rflags & FLAG_IF); /* the real one */
    g_assert_false(ST->rflags & (FLAG_VIF | FLAG_TF));

    MOCK_RAISES(EXC_GP, 0, x86_iret(&mock.cpu, 2)); /* TF in the image */
    mock_put(0x9ffe, mock_get(0x9ffe, 2) & ~(uint64_t)FLAG_TF, 2);
    MOCK_OK(x86_iret(&mock.cpu, 2)); /* with VME, IF of the image is VIF */
    g_assert_true(ST->rflags & FLAG_VIF);

    mock_v86_mode(0);
    ST->cr4 |= CR4_VME;
    mock_put(MOCK_TSS + 0x66, 0x88, 2);
    mock_put(MOCK_TSS + 0x68 + 4, 2, 1); /* vector 21h to the system */
    MOCK_RAISES(EXC_GP, 0, x86_int_n(&mock.cpu, 0x21, INT_SOFT));
    ST->rflags |= FLAG_IOPL;
    gate(0x21, 0x28, 0x5678, 0xee, 0);
    MOCK_OK(x86_int_n(&mock.cpu, 0x21, INT_SOFT));
    g_assert_false(ST->rflags & FLAG_VM);
}

/* ---- IRET's checks ---- */

static void frame(uint64_t rip, uint64_t cs, uint64_t flags, uint64_t rsp, uint64_t ss)
{
    const uint64_t f[] = {rip, cs, flags, rsp, ss};
    ST->gpr[R_RSP] = 0x8000;
    for (size_t i = 0; i < G_N_ELEMENTS(f); i++) {
        mock_put(0x8000 + 8 * i, f[i], 8);
    }
}

static void test_iretq_checks(void)
{
    const struct {
        uint64_t rip, cs, ss;
        int vector;
        uint32_t error;
    } cases[] = {
        {0x1000, 0x00, 0x10, EXC_GP, 0},      {0x1000, 0x10, 0x10, EXC_GP, 0x10},
        {0x1000, 0x0b, 0x1b, EXC_GP, 0x08},   {0x1000, 0x20, 0x10, EXC_GP, 0x20},
        {0x1000, 0x23, 0x10, EXC_GP, 0x10},   {0x1000, 0x23, 0x00, EXC_GP, 0},
        {0x1000, 0x23, 0x03, EXC_GP, 0},      {0x1000, 0x08, 0x18, EXC_GP, 0x18},
        {0x1000, 0x08, 0x70, EXC_GP, 0x70},   {0x1000, 0x08, 0x68, EXC_SS, 0x68},
        {0x1000, 0x1f3, 0x1b, EXC_GP, 0x1f0}, {1ull << 47, 0x23, 0x1b, EXC_GP, 0},
        {0x100000000, 0x33, 0x1b, -100, 0}, /* truncated: 32-bit code */
        {0x1000, 0x08, 0x00, -100, 0},      /* a null SS is fine in ring 0 */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        mock_long_mode(0);
        mock_put(MOCK_GDT + 0x68, mock_descriptor(0, 0xfffff, 0xc012), 8);
        frame(cases[i].rip, cases[i].cs, 2, 0x7000, cases[i].ss);
        MOCK_LAND(x86_iret(&mock.cpu, 8));
        g_assert_cmpint(mock.vector, ==, cases[i].vector);
        if (mock.vector >= 0) {
            g_assert_cmphex(mock.error, ==, cases[i].error);
            g_assert_cmphex(ST->gpr[R_RSP], ==, 0x8000);
            g_assert_cmphex(ST->rip, ==, 0x100000);
            g_assert_cmpuint(x86_cpl(ST), ==, 0);
        }
    }
    mock_long_mode(0);
    frame(0x1000, 0x08, 2, 0x7000, 0x10);
    ST->rflags |= FLAG_NT;
    MOCK_RAISES(EXC_GP, 0, x86_iret(&mock.cpu, 8));
}

static void test_iret_flags_depend_on_level(void)
{
    mock_long_mode(3);
    ST->rflags = 2;
    frame(0x1000, 0x23, ~0ull, 0x7000, 0x1b);
    MOCK_OK(x86_iret(&mock.cpu, 8)); /* CPL 3, IOPL 0: neither IF nor IOPL nor VIF, VIP */
    g_assert_cmphex(ST->rflags, ==, 0x254dd7);
    mock_long_mode(0);
    frame(0x1000, 0x08, ~0ull, 0x7000, 0x10);
    MOCK_OK(x86_iret(&mock.cpu, 8));
    g_assert_cmphex(ST->rflags, ==, 0x3d7fd7);
}

/* ---- SYSCALL and the like ---- */

static void test_syscall_and_sysret(void)
{
    mock_long_mode(3);
    ST->star = 0x0013000800000000;
    ST->lstar = 0xffffffff80001000;
    ST->sfmask = FLAG_IF | FLAG_TF | FLAG_DF;
    ST->rflags = 2 | FLAG_IF | FLAG_DF | FLAG_RF | FLAG_CF;
    MOCK_OK(x86_syscall(&mock.cpu));
    g_assert_cmphex(ST->rip, ==, 0xffffffff80001000);
    g_assert_cmphex(ST->gpr[R_RCX], ==, 0x100002);
    g_assert_cmphex(ST->gpr[11], ==, 2 | FLAG_IF | FLAG_DF | FLAG_CF);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_CF);
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x08);
    g_assert_cmphex(ST->seg[SEG_CS].attr, ==, 0xa09b);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x10);
    g_assert_cmphex(ST->seg[SEG_SS].attr, ==, 0xc093);
    g_assert_cmpuint(x86_cpl(ST), ==, 0);
    MOCK_OK(x86_sysret(&mock.cpu, 8));
    g_assert_cmphex(ST->rip, ==, 0x100002);
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x23);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x1b);
    g_assert_cmphex(ST->rflags, ==, 2 | FLAG_IF | FLAG_DF | FLAG_CF);
    g_assert_true(x86_is_code64(ST));
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    MOCK_RAISES(EXC_GP, 0, x86_sysret(&mock.cpu, 8));

    MOCK_OK(x86_syscall(&mock.cpu));
    MOCK_OK(x86_sysret(&mock.cpu, 4));
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x13);
    g_assert_false(x86_is_code64(ST));
    ST->cstar = 0x5000;
    MOCK_OK(x86_syscall(&mock.cpu)); /* from compatibility mode: as on AMD's processors */
    g_assert_cmphex(ST->rip, ==, 0x5000);
    g_assert_true(x86_is_code64(ST));
    ST->efer &= ~(uint64_t)EFER_SCE;
    MOCK_RAISES(EXC_UD, 0, x86_syscall(&mock.cpu));
}

static void test_sysenter_and_sysexit(void)
{
    mock_protected_mode(3);
    MOCK_RAISES(EXC_GP, 0, x86_sysenter(&mock.cpu));
    ST->sysenter_cs = 0x28;
    ST->sysenter_esp = 0x7000;
    ST->sysenter_eip = 0x6000;
    ST->rflags |= FLAG_IF;
    MOCK_OK(x86_sysenter(&mock.cpu));
    g_assert_cmphex(ST->rip, ==, 0x6000);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0x7000);
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x28);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x30);
    g_assert_false(ST->rflags & FLAG_IF);
    ST->gpr[R_RCX] = 0xa000;
    ST->gpr[R_RDX] = 0xb000;
    MOCK_OK(x86_sysexit(&mock.cpu, 4));
    g_assert_cmphex(ST->rip, ==, 0xb000);
    g_assert_cmphex(ST->gpr[R_RSP], ==, 0xa000);
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x3b);
    g_assert_cmphex(ST->seg[SEG_SS].selector, ==, 0x43);
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    mock_long_mode(3);
    MOCK_RAISES(EXC_UD, 0, x86_sysenter(&mock.cpu)); /* as on AMD's processors */
}

/* ---- far transfers ---- */

static void test_far_call_and_return(void)
{
    mock_protected_mode(0);
    uint64_t rsp = ST->gpr[R_RSP];
    MOCK_OK(x86_far_call(&mock.cpu, 0x28, 0x4000, 4));
    g_assert_cmphex(ST->rip, ==, 0x4000);
    g_assert_cmphex(mock_get(rsp - 8, 4), ==, 0x100002);
    g_assert_cmphex(mock_get(rsp - 4, 4), ==, 0x28);
    MOCK_OK(x86_far_ret(&mock.cpu, 4, 16));
    g_assert_cmphex(ST->rip, ==, 0x100002);
    g_assert_cmphex(ST->gpr[R_RSP], ==, rsp + 16);

    MOCK_RAISES(EXC_GP, 0, x86_far_jmp(&mock.cpu, 0, 0, 4));
    MOCK_RAISES(EXC_GP, 0x10, x86_far_jmp(&mock.cpu, 0x10, 0, 4));
    MOCK_RAISES(EXC_GP, 0x30, x86_far_jmp(&mock.cpu, 0x30, 0, 4));
    MOCK_RAISES(EXC_GP, 0, x86_far_jmp(&mock.cpu, 0x50, 0x10000, 4)); /* beyond the limit */
    MOCK_OK(x86_far_jmp(&mock.cpu, 0x50, 0x10000, 2));
    g_assert_cmphex(ST->rip, ==, 0);
    g_assert_false(ST->seg[SEG_CS].attr & SEG_ATTR_DB);
}

static void test_call_gate_to_inner_level(void)
{
    mock_protected_mode(3);
    /* A 32-bit gate for ring 3 with two parameters. */
    mock_put(MOCK_GDT + 0x78, 0x4000 | 0x28ull << 16 | 2ull << 32 | 0xecull << 40, 8);
    mock_put(MOCK_STACK3, 0x11111111, 4);
    mock_put(MOCK_STACK3 + 4, 0x22222222, 4);
    MOCK_OK(x86_far_call(&mock.cpu, 0x7b, 0xdeadbeef, 4));
    g_assert_cmphex(ST->rip, ==, 0x4000);
    g_assert_cmpuint(x86_cpl(ST), ==, 0);
    const uint32_t stack[] = {0x100002, 0x33, 0x11111111, 0x22222222, MOCK_STACK3, 0x1b};
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK0 - sizeof(stack));
    for (size_t i = 0; i < G_N_ELEMENTS(stack); i++) {
        g_assert_cmphex(mock_get(ST->gpr[R_RSP] + 4 * i, 4), ==, stack[i]);
    }
    MOCK_OK(x86_far_ret(&mock.cpu, 4, 8));
    g_assert_cmphex(ST->rip, ==, 0x100002);
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK3 + 8);
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    MOCK_RAISES(EXC_GP, 0x28, x86_far_jmp(&mock.cpu, 0x78, 0, 4)); /* no JMP to an inner level */
    mock_put(MOCK_GDT + 0x78 + 5, 0x8c, 1);
    MOCK_RAISES(EXC_GP, 0x78, x86_far_call(&mock.cpu, 0x7b, 0, 4)); /* DPL 0 */
}

static void test_long_call_gate(void)
{
    mock_long_mode(3);
    mock_put(MOCK_GDT + 0x78, 0x4000 | 0x08ull << 16 | 0xecull << 40, 8);
    mock_put(MOCK_GDT + 0x80, 0xffffffff, 8);
    MOCK_OK(x86_far_call(&mock.cpu, 0x7b, 0, 4));
    g_assert_cmphex(ST->rip, ==, 0xffffffff00004000);
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK0 - 32);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 8, 8), ==, 0x1b);
    g_assert_cmphex(mock_get(MOCK_STACK0 - 16, 8), ==, MOCK_STACK3);
    g_assert_true(ST->seg[SEG_SS].attr & SEG_ATTR_UNUSABLE);
    MOCK_OK(x86_far_ret(&mock.cpu, 8, 0));
    g_assert_cmphex(ST->gpr[R_RSP], ==, MOCK_STACK3);
    g_assert_cmpuint(x86_cpl(ST), ==, 3);
    mock_put(MOCK_GDT + 0x80 + 5, 1, 1);
    MOCK_RAISES(EXC_GP, 0x78, x86_far_call(&mock.cpu, 0x7b, 0, 4));
}

static void test_mode_switch_far_jump(void)
{
    mock_real_mode();
    mock_put(MOCK_GDT + 0x28, mock_descriptor(0, 0xfffff, 0xc09a), 8);
    ST->gdt = (X86TableReg){.base = MOCK_GDT, .limit = 0xff};
    MOCK_OK(x86_write_cr(&mock.cpu, 0, ST->cr0 | CR0_PE));
    MOCK_OK(x86_far_jmp(&mock.cpu, 0x28, 0x12345678, 4));
    g_assert_cmphex(ST->rip, ==, 0x12345678);
    g_assert_true(ST->seg[SEG_CS].attr & SEG_ATTR_DB);
    MOCK_OK(x86_write_cr(&mock.cpu, 0, ST->cr0 & ~(uint64_t)CR0_PE));
    MOCK_OK(x86_far_jmp(&mock.cpu, 0x1000, 0x10, 2));
    g_assert_cmphex(ST->seg[SEG_CS].base, ==, 0x10000);
    g_assert_cmphex(ST->seg[SEG_CS].limit, ==, 0xffffffff); /* kept */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/x86-delivery/" name, fn)
    T("long-same-level", test_long_same_level);
    T("long-from-user-with-error-code", test_long_from_user_with_error_code);
    T("long-ist", test_long_ist);
    T("long-gate-faults", test_long_gate_faults);
    T("hardware-events-set-ext", test_hardware_events_set_ext);
    T("contributory-pair-is-a-double-fault", test_contributory_pair_is_a_double_fault);
    T("fault-in-double-fault-is-a-triple-fault", test_fault_in_double_fault_is_a_triple_fault);
    T("page-fault-rules", test_page_fault_rules);
    T("faults-of-int-n-are-plain", test_faults_of_int_n_are_plain);
    T("rf-is-saved-for-faults-only", test_rf_is_saved_for_faults_only);
    T("debug-handler-starts-with-gd-clear", test_debug_handler_starts_with_gd_clear);
    T("legacy-inner-level", test_legacy_inner_level);
    T("return-to-user-drops-kernel-segments", test_return_to_user_drops_kernel_segments);
    T("legacy-16bit-gate-same-level", test_legacy_16bit_gate_same_level);
    T("inner-stack-faults", test_inner_stack_faults);
    T("real-mode", test_real_mode);
    T("real-mode-error-code-is-not-pushed", test_real_mode_error_code_is_not_pushed);
    T("v86-to-protected-and-back", test_v86_to_protected_and_back);
    T("v86-handler-must-be-ring-0", test_v86_handler_must_be_ring_0);
    T("v86-int-n", test_v86_int_n);
    T("iretq-checks", test_iretq_checks);
    T("iret-flags-depend-on-level", test_iret_flags_depend_on_level);
    T("syscall-and-sysret", test_syscall_and_sysret);
    T("sysenter-and-sysexit", test_sysenter_and_sysexit);
    T("far-call-and-return", test_far_call_and_return);
    T("call-gate-to-inner-level", test_call_gate_to_inner_level);
    T("long-call-gate", test_long_call_gate);
    T("mode-switch-far-jump", test_mode_switch_far_jump);
    int rc = g_test_run();
    mock_free();
    return rc;
}
