/*
 * The high precision event timers.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/timer/hpet.h"
#include "rig.h"

enum {
    LINES = 24,
    CONFIG = 0x10,
    STATUS = 0x20,
    COUNTER = 0xf0,
    T0 = 0x100,
    T1 = 0x120,
    T2 = 0x140
};
enum { LEVEL = 2, ENABLE = 4, PERIODIC = 8, SET = 0x40, NARROW = 0x100, COMPARATOR = 8 };

static Rig *rig;
static Device *hpet;
static IrqLine lines[LINES];
static int level[LINES];
static unsigned edges[LINES];

static void line_set(void *opaque, int n, int value)
{
    (void)opaque;
    edges[n] += value && !level[n];
    level[n] = value;
}

static uint64_t get(unsigned reg)
{
    uint64_t value = 0;

    address_space_read(&rig->m.memory, HPET_BASE + reg, &value, 8);
    return value;
}

static void put(unsigned reg, uint64_t value)
{
    address_space_write(&rig->m.memory, HPET_BASE + reg, &value, 8);
}

/* Stands at 0, no interrupts, the clock at its start. */
static void start(void)
{
    hpet->cls->reset(hpet);
    rig_at(0);
    for (int i = 0; i < LINES; i++) {
        line_set(NULL, i, 0);
        edges[i] = 0;
    }
}

static void test_capabilities(void)
{
    start();
    g_assert_cmphex(get(0), ==, 0x009896808086a201ull);
    g_assert_cmphex(rig_read32(rig, HPET_BASE + 4), ==, 10000000);
    g_assert_cmphex(get(T0) & 0xffffffff00008030ull, ==, 0x00ff000000000030ull);
    g_assert_cmphex(get(0x160), ==, 0);
}

static void test_the_counter_counts_while_enabled(void)
{
    start();
    put(COUNTER, 1000);
    rig_at(5000);
    g_assert_cmpuint(get(COUNTER), ==, 1000);
    put(CONFIG, 1);
    rig_at(6000);
    g_assert_cmpuint(get(COUNTER), ==, 1100);
    put(CONFIG, 0);
    rig_at(9000);
    g_assert_cmpuint(get(COUNTER), ==, 1100);
    put(COUNTER, UINT64_MAX);
    put(CONFIG, 1);
    rig_at(9020);
    g_assert_cmpuint(get(COUNTER), ==, 1);
    rig_write32(rig, HPET_BASE + COUNTER + 4, 7);
    g_assert_cmphex(get(COUNTER), ==, 0x700000001ull);
}

static void test_one_shot_comes_once(void)
{
    start();
    put(T0 + COMPARATOR, 1ull << 40); /* hours */
    put(T0, ENABLE | 16 << 9);
    put(CONFIG, 1);
    rig_run(500000);
    g_assert_cmpuint(edges[16], ==, 0);
    put(T0 + COMPARATOR, get(COUNTER) + 100000); /* 1 ms */
    rig_run(20000000);
    g_assert_cmpuint(edges[16], ==, 1);
    rig_run(20000000);
    g_assert_cmpuint(edges[16], ==, 1);
    put(T0 + COMPARATOR, get(COUNTER) - 5); /* just missed: at once */
    rig_run(5000000);
    g_assert_cmpuint(edges[16], ==, 2);
    put(T0, 16 << 9);
    put(T0 + COMPARATOR, get(COUNTER) + 10);
    rig_run(5000000);
    g_assert_cmpuint(edges[16], ==, 2); /* not enabled */
}

static void test_periodic_goes_on(void)
{
    uint64_t first;

    start();
    put(CONFIG, 1);
    put(T1, ENABLE | PERIODIC | SET | NARROW | 17 << 9);
    put(T1 + COMPARATOR, 200000);
    g_assert_cmphex(get(T1) & SET, ==, 0);
    put(T1 + COMPARATOR, 100000); /* the period */
    g_assert_cmpuint(get(T1 + COMPARATOR), ==, 200000);
    rig_run(100000000);
    g_assert_cmpuint(edges[17], >, 1);
    first = edges[17];
    g_assert_cmpuint(get(T1 + COMPARATOR) % 100000, ==, 0);
    rig_save_load(hpet);
    rig_run(100000000);
    g_assert_cmpuint(edges[17], >, first);
}

static void test_level_stays_until_status_is_written(void)
{
    start();
    put(T2 + COMPARATOR, 10);
    put(T2, ENABLE | LEVEL | 23 << 9);
    put(CONFIG, 1);
    rig_run(5000000);
    g_assert_cmpint(level[23], ==, 1);
    g_assert_cmphex(get(STATUS), ==, 4);
    put(STATUS, 3);
    g_assert_cmpint(level[23], ==, 1);
    put(STATUS, 4);
    g_assert_cmpint(level[23], ==, 0);
    g_assert_cmphex(get(STATUS), ==, 0);
}

static void test_a_route_that_is_not_offered_goes_nowhere(void)
{
    start();
    put(T0 + COMPARATOR, 10);
    put(T0, ENABLE | 3 << 9);
    put(CONFIG, 1);
    rig_run(5000000);
    for (int i = 0; i < LINES; i++) {
        g_assert_cmpuint(edges[i], ==, 0);
    }
}

static void test_legacy_replacement_stands_in(void)
{
    start();
    irq_raise(&lines[8]); /* the real-time clock, through the block */
    g_assert_cmpint(level[8], ==, 1);
    put(CONFIG, 2);
    g_assert_cmpint(level[8], ==, 0);
    irq_raise(&lines[0]);
    g_assert_cmpint(level[0], ==, 0);
    put(T0 + COMPARATOR, 10);
    put(T0, ENABLE);
    put(T1 + COMPARATOR, 10);
    put(T1, ENABLE);
    put(CONFIG, 3);
    rig_run(5000000);
    g_assert_cmpuint(edges[0], ==, 1);
    g_assert_cmpuint(edges[8], ==, 2);
    put(CONFIG, 0);
    g_assert_cmpint(level[0], ==, 1); /* what the interval timer says again */
    g_assert_cmpint(level[8], ==, 1);
    irq_lower(&lines[0]);
    irq_lower(&lines[8]);
    g_assert_cmpint(level[0] + level[8], ==, 0);
}

static void test_odd_programs_are_harmless(void)
{
    start();
    put(CONFIG, 1);
    put(T0, ENABLE | PERIODIC | 16 << 9); /* no period */
    put(T0 + COMPARATOR, 0);
    put(T1, ENABLE | PERIODIC | SET | 17 << 9); /* a period of 10 ns */
    put(T1 + COMPARATOR, 1);
    put(T2, ENABLE | PERIODIC | SET | 18 << 9);
    put(T2 + COMPARATOR, UINT64_MAX);
    rig_run(2000000);
    g_assert_cmpuint(edges[17], <, 10000);
    put(COUNTER, UINT64_MAX - 3);
    put(T1, ENABLE | NARROW | 17 << 9);
    put(T1 + COMPARATOR, UINT64_MAX);
    rig_run(2000000);
    rig_write32(rig, HPET_BASE + T1 + COMPARATOR + 4, 0xffffffff);
    g_assert_cmphex(get(T1 + COMPARATOR), ==, 0xffffffff);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = rig_new(0);
    hpet = rig_system(rig, &hpet_class);
    irq_lines_init(lines, LINES, line_set, NULL);
    hpet_wire(hpet, lines);
    g_test_add_func("/hpet/capabilities", test_capabilities);
    g_test_add_func("/hpet/counter", test_the_counter_counts_while_enabled);
    g_test_add_func("/hpet/one-shot", test_one_shot_comes_once);
    g_test_add_func("/hpet/periodic", test_periodic_goes_on);
    g_test_add_func("/hpet/level", test_level_stays_until_status_is_written);
    g_test_add_func("/hpet/route", test_a_route_that_is_not_offered_goes_nowhere);
    g_test_add_func("/hpet/legacy", test_legacy_replacement_stands_in);
    g_test_add_func("/hpet/odd", test_odd_programs_are_harmless);
    return g_test_run();
}
