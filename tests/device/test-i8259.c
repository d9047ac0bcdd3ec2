/*
 * The 8259 pair, through its ports.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/intc/i8259.h"
#include "rig.h"

static Rig *rig;
static Device *pic;

static void init_pair(uint8_t icw4)
{
    pic->cls->reset(pic);
    for (int i = 0; i < I8259_INPUTS; i++) {
        irq_lower(&i8259_inputs(pic)[i]);
    }
    rig_out(rig, 0x20, 0x11);
    rig_out(rig, 0x21, 0x20);
    rig_out(rig, 0x21, 0x04);
    rig_out(rig, 0x21, icw4);
    rig_out(rig, 0xa0, 0x11);
    rig_out(rig, 0xa1, 0x28);
    rig_out(rig, 0xa1, 0x02);
    rig_out(rig, 0xa1, icw4);
}

static void set(int irq, int level)
{
    irq_set(&i8259_inputs(pic)[irq], level);
}

static void test_an_edge_interrupts_once(void)
{
    init_pair(1);
    set(3, 1);
    g_assert_true(i8259_output(pic));
    g_assert_cmphex(i8259_ack(pic), ==, 0x23);
    g_assert_false(i8259_output(pic));
    rig_out(rig, 0x20, 0x20);
    g_assert_false(i8259_output(pic)); /* still high: no new edge */
    set(3, 0);
    set(3, 1);
    g_assert_true(i8259_output(pic));
}

static void test_a_request_that_goes_is_spurious(void)
{
    init_pair(1);
    set(5, 1);
    set(5, 0);
    g_assert_false(i8259_output(pic));
    g_assert_cmphex(i8259_ack(pic), ==, 0x27);
    rig_out(rig, 0x20, 0x0b);
    g_assert_cmphex(rig_in(rig, 0x20), ==, 0); /* ISR is empty */
}

static void test_higher_priority_nests_lower_waits(void)
{
    init_pair(1);
    set(4, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x24);
    set(6, 1);
    g_assert_false(i8259_output(pic));
    set(1, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x21);
    rig_out(rig, 0x20, 0x20);
    g_assert_false(i8259_output(pic)); /* 4 is in service */
    rig_out(rig, 0x20, 0x20);
    g_assert_cmphex(i8259_ack(pic), ==, 0x26);
}

static void test_the_slave_comes_through_the_cascade(void)
{
    init_pair(1);
    set(8, 1);
    set(12, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x28);
    g_assert_false(i8259_output(pic));
    rig_out(rig, 0xa0, 0x20);
    rig_out(rig, 0x20, 0x20);
    g_assert_true(i8259_output(pic));
    g_assert_cmphex(i8259_ack(pic), ==, 0x2c);
    rig_out(rig, 0xa0, 0x0b);
    g_assert_cmphex(rig_in(rig, 0xa0), ==, 0x10);
}

static void test_level_inputs_by_elcr_repeat(void)
{
    init_pair(1);
    rig_out(rig, 0x4d1, 0x0f);
    g_assert_cmphex(rig_in(rig, 0x4d1), ==, 0x0e); /* IRQ 8 stays edge */
    set(11, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x2b);
    rig_out(rig, 0xa0, 0x20);
    rig_out(rig, 0x20, 0x20);
    g_assert_true(i8259_output(pic));
    set(11, 0);
    g_assert_false(i8259_output(pic));
}

static void test_masks_hold_requests_back(void)
{
    init_pair(1);
    rig_out(rig, 0x21, 0x10);
    set(4, 1);
    g_assert_false(i8259_output(pic));
    rig_out(rig, 0x20, 0x0a);
    g_assert_cmphex(rig_in(rig, 0x20), ==, 0x10);
    g_assert_cmphex(rig_in(rig, 0x21), ==, 0x10);
    rig_out(rig, 0x21, 0);
    g_assert_cmphex(i8259_ack(pic), ==, 0x24);
}

static void test_special_mask_lets_lower_ones_in(void)
{
    init_pair(1);
    set(1, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x21);
    set(6, 1);
    g_assert_false(i8259_output(pic));
    rig_out(rig, 0x21, 0x02);
    rig_out(rig, 0x20, 0x68);
    g_assert_true(i8259_output(pic));
    g_assert_cmphex(i8259_ack(pic), ==, 0x26);
}

static void test_automatic_eoi_and_rotation(void)
{
    init_pair(3);
    set(2 + 1, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x23);
    set(4, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x24);

    init_pair(1);
    rig_out(rig, 0x20, 0xc0 | 4); /* 4 is the lowest: 5 the highest */
    set(0, 1);
    set(5, 1);
    g_assert_cmphex(i8259_ack(pic), ==, 0x25);
    rig_out(rig, 0x20, 0xa0); /* rotate on EOI: now 6 is the highest */
    g_assert_cmphex(i8259_ack(pic), ==, 0x20);
}

static void test_poll_acknowledges(void)
{
    init_pair(1);
    rig_out(rig, 0x20, 0x0c);
    g_assert_cmphex(rig_in(rig, 0x20), ==, 0);
    set(7, 1);
    rig_out(rig, 0x20, 0x0c);
    g_assert_cmphex(rig_in(rig, 0x20), ==, 0x87);
    g_assert_false(i8259_output(pic));
    rig_out(rig, 0x20, 0x0b);
    g_assert_cmphex(rig_in(rig, 0x20), ==, 0x80);
}

static void test_state_survives(void)
{
    init_pair(1);
    rig_out(rig, 0x21, 0x40);
    set(9, 1);
    set(6, 1);
    rig_save_load(pic);
    g_assert_true(i8259_output(pic));
    g_assert_cmphex(rig_in(rig, 0x21), ==, 0x40);
    g_assert_cmphex(i8259_ack(pic), ==, 0x29);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = rig_new(0);
    pic = rig_system(rig, &i8259_class);
    g_test_add_func("/i8259/edge", test_an_edge_interrupts_once);
    g_test_add_func("/i8259/spurious", test_a_request_that_goes_is_spurious);
    g_test_add_func("/i8259/priority", test_higher_priority_nests_lower_waits);
    g_test_add_func("/i8259/cascade", test_the_slave_comes_through_the_cascade);
    g_test_add_func("/i8259/elcr", test_level_inputs_by_elcr_repeat);
    g_test_add_func("/i8259/mask", test_masks_hold_requests_back);
    g_test_add_func("/i8259/special-mask", test_special_mask_lets_lower_ones_in);
    g_test_add_func("/i8259/rotation", test_automatic_eoi_and_rotation);
    g_test_add_func("/i8259/poll", test_poll_acknowledges);
    g_test_add_func("/i8259/state", test_state_survives);
    return g_test_run();
}
