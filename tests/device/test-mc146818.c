/*
 * The real-time clock, through its ports.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <time.h>

#include "hw/timer/mc146818.h"
#include "rig.h"

static Rig *rig;
static Device *rtc;

static uint8_t get(uint8_t reg)
{
    rig_out(rig, 0x70, reg);
    return rig_in(rig, 0x71);
}

static void set(uint8_t reg, uint8_t value)
{
    rig_out(rig, 0x70, reg);
    rig_out(rig, 0x71, value);
}

static void set_time(int century, int year, int month, int day, int hour, int min, int sec)
{
    const int values[][2] = {{0x32, century}, {9, year}, {8, month}, {7, day},
                             {4, hour},       {2, min},  {0, sec}};

    set(0x0b, 0x82 | 0x04); /* SET, 24 h, binary */
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        set((uint8_t)values[i][0], (uint8_t)values[i][1]);
    }
    set(0x0b, 0x02 | 0x04);
}

static void test_it_starts_with_the_host_s_time(void)
{
    time_t now = time(NULL);
    struct tm tm;
    int tries = 0;

    do { /* a second may end in between */
        now = time(NULL);
        gmtime_r(&now, &tm);
        g_assert_cmpint(tries++, <, 5);
    } while (get(0) != (tm.tm_sec / 10 << 4 | tm.tm_sec % 10));
    g_assert_cmphex(get(4), ==, tm.tm_hour / 10 << 4 | tm.tm_hour % 10);
    g_assert_cmphex(get(9), ==, tm.tm_year % 100 / 10 << 4 | tm.tm_year % 10);
    g_assert_cmphex(get(0x32), ==, 0x20);
    g_assert_cmpuint(get(6), ==, (unsigned)tm.tm_wday + 1);
    g_assert_cmphex(get(0x0d), ==, 0x80);
}

static void test_the_last_second_of_a_year_ends_it(void)
{
    set_time(19, 99, 12, 31, 23, 59, 59);
    g_usleep(1100000);
    g_assert_cmpuint(get(0), <, 59);
    g_assert_cmpuint(get(4), ==, 0);
    g_assert_cmpuint(get(7), ==, 1);
    g_assert_cmpuint(get(8), ==, 1);
    g_assert_cmpuint(get(9), ==, 0);
    g_assert_cmpuint(get(0x32), ==, 20);
}

static void test_set_holds_the_time(void)
{
    set_time(20, 24, 2, 28, 12, 0, 10);
    set(0x0b, 0x86);
    g_usleep(1100000);
    g_assert_cmpuint(get(0), ==, 10);
    g_assert_cmphex(get(0x0a) & 0x80, ==, 0); /* no update in progress */
    set(0x0b, 0x06);
    g_assert_cmpuint(get(0), ==, 10);
    g_usleep(1000000);
    g_assert_cmpuint(get(0), >=, 11);
}

static void test_formats(void)
{
    set_time(20, 26, 11, 21, 13, 45, 30);
    set(0x0b, 0x02); /* BCD */
    g_assert_cmphex(get(4), ==, 0x13);
    g_assert_cmphex(get(2), ==, 0x45);
    set(0x0b, 0x00); /* 12 hours */
    g_assert_cmphex(get(4), ==, 0x81);
    set(0x0b, 0x82);
    set(4, 0x00);
    set(0x0b, 0x02);
    set(0x0b, 0x00);
    g_assert_cmphex(get(4), ==, 0x12); /* midnight */
    set(0x0b, 0x02);
}

static void test_any_year_can_be_set(void)
{
    set_time(99, 99, 6, 15, 1, 2, 3);
    g_assert_cmpuint(get(0x32), ==, 99);
    g_assert_cmpuint(get(9), ==, 99);
    g_assert_cmpuint(get(8), ==, 6);
    set_time(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff); /* nonsense is no crash */
    get(0);
    set_time(20, 26, 11, 21, 13, 45, 30);
}

static void test_uip_announces_the_second(void)
{
    int64_t end = clock_now(CLOCK_RT) + 10 * NS_PER_SEC;
    bool seen = false;
    uint8_t before = 0;

    set_time(20, 26, 1, 1, 0, 0, 0);
    /* It lasts 2 ms of a second, so that a busy host may not let this thread see each of them. */
    while (!seen && clock_now(CLOCK_RT) < end) {
        before = get(0);
        seen = get(0x0a) & 0x80;
    }
    g_assert_true(seen);
    while (get(0x0a) & 0x80 && clock_now(CLOCK_RT) < end + NS_PER_SEC) {
    }
    g_assert_cmphex(get(0x0a) & 0x80, ==, 0);
    g_assert_cmpuint(get(0), !=, before);
}

static void test_update_and_alarm_interrupt(void)
{
    unsigned edges;

    set_time(20, 26, 1, 1, 0, 0, 0);
    get(0x0c);
    set(0x0b, 0x16); /* UIE */
    edges = rig->edges[8];
    rig_run(1200000000);
    g_assert_cmpuint(rig->edges[8] - edges, ==, 1);
    g_assert_cmphex(get(0x0c) & 0xb0, ==, 0x90);
    g_assert_cmpint(rig->level[8], ==, 0);
    set_time(20, 26, 1, 1, 0, 0, 0);
    get(0x0c);
    set(1, 1); /* at hh:mm:01 */
    set(3, 0xff);
    set(5, 0xc0);
    set(0x0b, 0x26); /* AIE */
    rig_run(1200000000);
    g_assert_cmpuint(rig->edges[8] - edges, ==, 2);
    g_assert_cmphex(get(0x0c) & 0xa0, ==, 0xa0);
    set(0x0b, 0x06);
}

static void test_flags_come_without_interrupts(void)
{
    set_time(20, 26, 1, 1, 0, 0, 0);
    get(0x0c);
    set(1, 0x30);
    g_usleep(1100000);
    g_assert_cmphex(get(0x0c) & 0xb0, ==, 0x10); /* UF, no alarm, no IRQ */
}

static void test_periodic_interrupt_has_its_rate(void)
{
    unsigned edges = rig->edges[8];
    int64_t end;

    set(0x0a, 0x26); /* 1024 Hz */
    set(0x0b, 0x46);
    end = clock_now(CLOCK_VM) + 200000000;
    while (clock_now(CLOCK_VM) < end) {
        rig_run(200000);
        if (rig->level[8]) {
            g_assert_cmphex(get(0x0c) & 0xc0, ==, 0xc0);
        }
    }
    set(0x0b, 0x06);
    g_assert_cmpuint(rig->edges[8] - edges, >, 20); /* the host may be busy */
    g_assert_cmpuint(rig->edges[8] - edges, <, 215);
}

static void test_cmos_and_nmi_mask(void)
{
    mc146818_cmos_write(rtc, 0x34, 0x5a);
    g_assert_cmphex(get(0x34), ==, 0x5a);
    set(0x0f, 0x05);
    rtc->cls->reset(rtc);
    g_assert_cmphex(get(0x0f), ==, 0x05); /* on the battery */
    rig_out(rig, 0x70, 0x8f);
    g_assert_true(mc146818_nmi_masked(rtc));
    g_assert_cmphex(rig_in(rig, 0x71), ==, 0x05);
    rig_out(rig, 0x70, 0x0f);
    g_assert_false(mc146818_nmi_masked(rtc));
}

static void test_state_survives(void)
{
    set_time(21, 5, 3, 4, 5, 6, 7);
    rig_save_load(rtc);
    g_assert_cmpuint(get(0x32), ==, 21);
    g_assert_cmpuint(get(7), ==, 4);
    g_assert_cmpuint(get(2), ==, 6);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = rig_new(0);
    rtc = rig_isa(rig, &mc146818_class);
    g_test_add_func("/rtc/host-time", test_it_starts_with_the_host_s_time);
    g_test_add_func("/rtc/year-end", test_the_last_second_of_a_year_ends_it);
    g_test_add_func("/rtc/set", test_set_holds_the_time);
    g_test_add_func("/rtc/formats", test_formats);
    g_test_add_func("/rtc/any-year", test_any_year_can_be_set);
    g_test_add_func("/rtc/uip", test_uip_announces_the_second);
    g_test_add_func("/rtc/update-alarm", test_update_and_alarm_interrupt);
    g_test_add_func("/rtc/flags", test_flags_come_without_interrupts);
    g_test_add_func("/rtc/periodic", test_periodic_interrupt_has_its_rate);
    g_test_add_func("/rtc/cmos", test_cmos_and_nmi_mask);
    g_test_add_func("/rtc/state", test_state_survives);
    return g_test_run();
}
