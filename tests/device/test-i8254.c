/*
 * The 8254, through its ports.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/timer/i8254.h"
#include "rig.h"

static Rig *rig;
static Device *pit;

/* The first nanosecond at which T ticks are over. */
static int64_t ticks(int64_t t)
{
    return (t * NS_PER_SEC + I8254_HZ - 1) / I8254_HZ;
}

static void program(int channel, int mode, uint16_t count)
{
    rig_out(rig, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    rig_out(rig, (uint16_t)(0x40 + channel), (uint8_t)count);
    rig_out(rig, (uint16_t)(0x40 + channel), count >> 8);
}

static uint16_t counter(int channel)
{
    uint8_t low;

    rig_out(rig, 0x43, (uint8_t)(channel << 6));
    low = rig_in(rig, (uint16_t)(0x40 + channel));
    return (uint16_t)(low | rig_in(rig, (uint16_t)(0x40 + channel)) << 8);
}

static bool out2(void)
{
    return rig_in(rig, 0x61) & 0x20;
}

static void test_mode_0_counts_down_once(void)
{
    rig_at(0);
    rig_out(rig, 0x61, 1);
    program(2, 0, 1000);
    g_assert_false(out2());
    rig_at(ticks(400));
    g_assert_cmpuint(counter(2), ==, 600);
    rig_out(rig, 0x61, 0); /* gate low: holds */
    rig_at(ticks(900));
    g_assert_cmpuint(counter(2), ==, 600);
    rig_out(rig, 0x61, 1);
    rig_at(ticks(1500) - 1000);
    g_assert_false(out2());
    rig_at(ticks(1503));
    g_assert_true(out2());
    rig_at(ticks(1510)); /* and wraps */
    g_assert_cmpuint(counter(2), >, 60000);
}

static void test_mode_1_is_started_by_the_gate(void)
{
    rig_at(0);
    rig_out(rig, 0x61, 0);
    program(2, 1, 100);
    g_assert_true(out2());
    rig_out(rig, 0x61, 1);
    g_assert_false(out2());
    rig_at(ticks(99));
    g_assert_false(out2());
    rig_at(ticks(101));
    g_assert_true(out2());
}

static void test_mode_2_takes_a_new_count_at_the_period_s_end(void)
{
    rig_at(0);
    rig_out(rig, 0x61, 1);
    program(2, 2, 1000);
    rig_at(ticks(3500));
    g_assert_cmpuint(counter(2), ==, 500);
    rig_out(rig, 0x42, 200);
    rig_out(rig, 0x42, 0);
    rig_at(ticks(3600));
    g_assert_cmpuint(counter(2), ==, 400);
    rig_at(ticks(4050));
    g_assert_cmpuint(counter(2), ==, 150);
    rig_at(ticks(4250));
    g_assert_cmpuint(counter(2), ==, 150);
}

static void test_mode_3_is_a_square_wave(void)
{
    rig_at(0);
    rig_out(rig, 0x61, 1);
    program(2, 3, 1000);
    rig_at(ticks(250));
    g_assert_true(out2());
    g_assert_cmpuint(counter(2), ==, 500);
    rig_at(ticks(750));
    g_assert_false(out2());
    g_assert_cmpuint(counter(2), ==, 500);
    rig_at(ticks(1250));
    g_assert_true(out2());
}

static void test_read_back_latches_status_and_count(void)
{
    rig_at(0);
    program(0, 2, 0x1234);
    rig_at(ticks(4));
    rig_out(rig, 0x43, 0xc2); /* both, channel 0 */
    rig_at(ticks(100));
    g_assert_cmphex(rig_in(rig, 0x40), ==, 0xb4); /* out, low and high byte, mode 2 */
    g_assert_cmphex(rig_in(rig, 0x40), ==, 0x30);
    g_assert_cmphex(rig_in(rig, 0x40), ==, 0x12);
}

static void test_bcd(void)
{
    rig_at(0);
    rig_out(rig, 0x61, 1);
    rig_out(rig, 0x43, 0xb1); /* channel 2, mode 0, BCD */
    rig_out(rig, 0x42, 0x00);
    rig_out(rig, 0x42, 0x10);
    rig_at(ticks(1));
    g_assert_cmphex(counter(2), ==, 0x0999);
}

/* Channel 0 has made its due edges since EDGES, one each PERIOD ns since SINCE; late ones are made
 * up for, however busy the host is. */
static void check_rate(unsigned edges, int64_t since, int64_t period)
{
    unsigned due = (unsigned)((clock_now(CLOCK_VM) - since) / period), now;

    while (rig->edges[0] - edges < due * 8 / 10) {
        rig_run(1000000);
    }
    now = (unsigned)((clock_now(CLOCK_VM) - since) / period);
    g_assert_cmpuint(rig->edges[0] - edges, <=, now + 2);
}

static void test_channel_0_interrupts_at_its_rate(void)
{
    unsigned edges;

    pit->cls->reset(pit);
    rig_at(0);
    program(0, 2, 1193); /* 1 kHz */
    edges = rig->edges[0];
    rig_run(100000000);
    check_rate(edges, NS_PER_SEC, 1000000);
    program(0, 0, 1193); /* once */
    edges = rig->edges[0];
    g_assert_cmpint(rig->level[0], ==, 0);
    rig_run(20000000);
    g_assert_cmpuint(rig->edges[0] - edges, ==, 1);
    program(0, 3, 11932);
    edges = rig->edges[0];
    rig_at(0);
    program(0, 3, 11932);
    rig_run(105000000);
    check_rate(edges, NS_PER_SEC, 10000000);
    program(0, 4, 100);
}

static void test_an_absurd_rate_does_not_stop_the_machine(void)
{
    program(0, 2, 1);
    rig_run(20000000);
    program(0, 3, 2);
    rig_run(20000000);
    program(0, 4, 100);
}

static void test_refresh_toggles(void)
{
    uint8_t first;

    rig_at(1);
    first = rig_in(rig, 0x61) & 0x10;
    rig_at(15086);
    g_assert_cmphex(rig_in(rig, 0x61) & 0x10, !=, first);
}

static void test_state_survives(void)
{
    rig_at(0);
    rig_out(rig, 0x61, 1);
    program(2, 2, 1000);
    rig_at(ticks(100));
    rig_save_load(pit);
    g_assert_cmpuint(counter(2), ==, 900);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = rig_new(0);
    pit = rig_isa(rig, &i8254_class);
    g_test_add_func("/i8254/mode0", test_mode_0_counts_down_once);
    g_test_add_func("/i8254/mode1", test_mode_1_is_started_by_the_gate);
    g_test_add_func("/i8254/mode2", test_mode_2_takes_a_new_count_at_the_period_s_end);
    g_test_add_func("/i8254/mode3", test_mode_3_is_a_square_wave);
    g_test_add_func("/i8254/read-back", test_read_back_latches_status_and_count);
    g_test_add_func("/i8254/bcd", test_bcd);
    g_test_add_func("/i8254/irq", test_channel_0_interrupts_at_its_rate);
    g_test_add_func("/i8254/absurd-rate", test_an_absurd_rate_does_not_stop_the_machine);
    g_test_add_func("/i8254/refresh", test_refresh_toggles);
    g_test_add_func("/i8254/state", test_state_survives);
    return g_test_run();
}
