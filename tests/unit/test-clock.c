/*
 * Clocks, timers and the main loop.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/lock.h"
#include "core/mainloop.h"
#include "core/safepoint.h"

#define MS (NS_PER_SEC / 1000)

static GString *trace;

static void note_a(void *opaque)
{
    (void)opaque;
    g_assert_true(machine_lock_held());
    g_string_append_c(trace, 'a');
}

static void note_b(void *opaque)
{
    (void)opaque;
    g_string_append_c(trace, 'b');
}

static void note_c(void *opaque)
{
    (void)opaque;
    g_string_append_c(trace, 'c');
}

static void trace_is(const char *expected)
{
    g_assert_cmpstr(trace->str, ==, expected);
    g_string_truncate(trace, 0);
}

/* Lets the loop run until TEXT has LEN characters, or for a second. */
static void loop_until(gsize len)
{
    int64_t end = clock_now(CLOCK_RT) + NS_PER_SEC;

    while (trace->len < len && clock_now(CLOCK_RT) < end) {
        if (!main_loop_iterate(false)) {
            machine_unlock();
            g_usleep(100);
            machine_lock();
        }
    }
}

static void loop_for(int64_t ns)
{
    int64_t end = clock_now(CLOCK_RT) + ns;

    while (clock_now(CLOCK_RT) < end) {
        main_loop_iterate(false);
        g_usleep(200);
    }
}

static void test_timers_fire_in_order_of_their_deadlines(void)
{
    static const ClockId clocks[] = {CLOCK_RT, CLOCK_HOST};

    for (size_t i = 0; i < G_N_ELEMENTS(clocks); i++) {
        int64_t now = clock_now(clocks[i]);
        Timer *a = timer_new(clocks[i], note_a, NULL);
        Timer *b = timer_new(clocks[i], note_b, NULL);
        Timer *c = timer_new(clocks[i], note_c, NULL);

        g_assert_false(timer_armed(a));
        g_assert_cmpint(timer_deadline(a), ==, -1);
        timer_arm(c, now + 6 * MS);
        timer_arm(b, now + 4 * MS);
        timer_arm(a, now + 2 * MS);
        g_assert_cmpint(timer_deadline(b), ==, now + 4 * MS);
        loop_until(3);
        trace_is("abc");
        g_assert_false(timer_armed(a));
        g_assert_cmpint(clock_now(clocks[i]), >=, now + 6 * MS);
        timer_free(a);
        timer_free(b);
        timer_free(c);
    }
}

static void test_timer_moves_and_disarms(void)
{
    int64_t now = clock_now(CLOCK_RT);
    Timer *a = timer_new(CLOCK_RT, note_a, NULL), *b = timer_new(CLOCK_RT, note_b, NULL);
    Timer *c = timer_new(CLOCK_RT, note_c, NULL);

    timer_arm(a, now + MS);
    timer_arm(b, now + 3600 * NS_PER_SEC);
    timer_arm(c, now + 2 * MS);
    timer_arm(a, now + 3600 * NS_PER_SEC); /* away: the timerfd fires for nothing */
    timer_arm(b, now - 5);                 /* has passed: at once */
    timer_disarm(c);
    timer_disarm(c);
    loop_until(1);
    trace_is("b");
    loop_for(5 * MS);
    trace_is("");
    timer_arm(a, -1234); /* long before the clock began */
    loop_until(1);
    trace_is("a");
    timer_free(a);
    timer_arm(b, now + 3600 * NS_PER_SEC);
    timer_free(b); /* while armed */
    timer_free(c);
    timer_free(NULL);
}

static void test_random_heap_fires_sorted(void)
{
    enum { COUNT = 500 };
    static Timer *timers[COUNT];
    int64_t base = clock_now(CLOCK_RT) - NS_PER_SEC;

    for (int i = 0; i < COUNT; i++) {
        timers[i] = timer_new(CLOCK_RT, i & 1 ? note_a : note_b, NULL);
    }
    for (int i = 0; i < 20 * COUNT; i++) {
        Timer *t = timers[g_test_rand_int_range(0, COUNT)];

        if (g_test_rand_int_range(0, 4)) {
            timer_arm(t, base + (t == timers[0] ? 0 : g_test_rand_int_range(0, 1000)));
        } else {
            timer_disarm(t);
        }
    }
    /* Even ones before odd ones. */
    for (int i = 0; i < COUNT; i++) {
        timer_arm(timers[i], base + (i & 1 ? 1000 : 0) + g_test_rand_int_range(0, 1000));
    }
    loop_until(COUNT);
    g_assert_cmpuint(trace->len, ==, COUNT);
    for (int i = 0; i < COUNT; i++) {
        g_assert(trace->str[i] == (i < COUNT / 2 ? 'b' : 'a'));
    }
    g_string_truncate(trace, 0);
    for (int i = 0; i < COUNT; i++) {
        timer_free(timers[i]);
    }
}

/* ---- re-arming ---- */

typedef struct Periodic {
    Timer *timer;
    int64_t next, period;
    int left;
} Periodic;

static void periodic(void *opaque)
{
    Periodic *p = opaque;

    note_a(NULL);
    if (--p->left) {
        timer_arm(p->timer, p->next += p->period);
    }
}

static void test_periodic_timer_rearms_in_its_callback(void)
{
    Periodic p = {.period = MS, .left = 10, .next = clock_now(CLOCK_RT)};
    int64_t start = p.next;

    p.timer = timer_new(CLOCK_RT, periodic, &p);
    timer_arm(p.timer, p.next);
    loop_until(10);
    trace_is("aaaaaaaaaa");
    g_assert_cmpint(clock_now(CLOCK_RT), >=, start + 9 * MS);
    timer_free(p.timer);
}

static void at_once(void *opaque)
{
    Timer **timer = opaque;

    note_b(NULL);
    timer_arm(*timer, 0);
}

static void test_timer_that_always_asks_for_at_once_lets_others_run(void)
{
    int64_t now = clock_now(CLOCK_RT);
    Timer *a = timer_new(CLOCK_RT, note_a, NULL), *b;

    b = timer_new(CLOCK_RT, at_once, &b);
    timer_arm(b, 0);
    timer_arm(a, now + MS);
    while (!strchr(trace->str, 'a')) {
        g_assert_cmpint(clock_now(CLOCK_RT), <, now + NS_PER_SEC);
        main_loop_iterate(false);
    }
    g_string_truncate(trace, 0);
    timer_free(a);
    timer_free(b);
}

static void free_self(void *opaque)
{
    Timer **timer = opaque;

    note_c(NULL);
    timer_free(*timer);
    *timer = NULL;
}

static void test_timer_may_free_itself_and_others_that_are_due(void)
{
    Timer *a, *b;

    a = timer_new(CLOCK_RT, free_self, &b); /* frees b, which is due too */
    b = timer_new(CLOCK_RT, note_b, NULL);
    timer_arm(a, 1);
    timer_arm(b, 2);
    loop_until(1);
    loop_for(2 * MS);
    trace_is("c");
    g_assert_null(b);
    timer_free(a);
    a = timer_new(CLOCK_RT, free_self, &a);
    timer_arm(a, 1);
    loop_until(1);
    trace_is("c");
    g_assert_null(a);
}

/* ---- the virtual clock ---- */

static void test_virtual_clock_stands_still_while_stopped(void)
{
    Timer *a = timer_new(CLOCK_VM, note_a, NULL);
    int64_t t;

    g_assert_cmpint(clock_now(CLOCK_VM), ==, 0);
    timer_arm(a, 0);
    loop_for(2 * MS);
    trace_is("");
    g_assert_cmpint(clock_vm_to_rt(100), ==, -1);

    clock_vm_enable(true);
    loop_until(1);
    trace_is("a");
    t = clock_now(CLOCK_VM);
    timer_arm(a, t + 5 * MS);
    g_assert_cmpint(clock_vm_to_rt(-1), ==, -1);
    g_assert_cmpint(clock_vm_to_rt(t + NS_PER_SEC), <=, clock_now(CLOCK_RT) + NS_PER_SEC);
    g_assert_cmpint(clock_vm_to_rt(INT64_MAX), >, 0);
    g_usleep(1000);
    clock_vm_enable(false);
    t = clock_now(CLOCK_VM);
    g_assert_cmpint(t, >=, MS);
    loop_for(8 * MS);
    g_assert_cmpint(clock_now(CLOCK_VM), ==, t);
    trace_is("");
    g_assert_true(timer_armed(a));

    clock_vm_set(1000 * NS_PER_SEC);
    g_assert_cmpint(clock_now(CLOCK_VM), ==, 1000 * NS_PER_SEC);
    timer_arm(a, 1000 * NS_PER_SEC + 2 * MS);
    clock_vm_enable(true);
    clock_vm_enable(true);
    loop_until(1);
    trace_is("a");
    t = clock_now(CLOCK_VM);
    g_assert(t >= 1000 * NS_PER_SEC + 2 * MS && t < 1010 * NS_PER_SEC);
    clock_vm_enable(false);
    timer_free(a);
}

static gpointer watch_vm_clock(gpointer opaque)
{
    _Atomic bool *stop = opaque;
    int64_t last = 0;

    while (!*stop) {
        int64_t now = clock_now(CLOCK_VM);

        g_assert_cmpint(now, >=, last);
        last = now;
    }
    return NULL;
}

static void test_virtual_clock_never_goes_back(void)
{
    _Atomic bool stop = false;
    GThread *thread = g_thread_new("watch", watch_vm_clock, (gpointer)&stop);

    for (int i = 0; i < 20000; i++) {
        clock_vm_enable(!(i & 1));
    }
    stop = true;
    g_thread_join(thread);
    clock_vm_enable(false);
}

/* ---- the main loop ---- */

static gpointer call_from_thread(gpointer opaque)
{
    (void)opaque;
    for (int i = 0; i < 100; i++) {
        main_loop_call(note_a, NULL);
    }
    main_loop_call(note_b, NULL);
    return NULL;
}

static void quit(void *opaque)
{
    (void)opaque;
    note_c(NULL);
    main_loop_quit();
}

static void test_calls_run_in_order_under_the_lock(void)
{
    GThread *thread = g_thread_new("caller", call_from_thread, NULL);
    Timer *t = timer_new(CLOCK_RT, quit, NULL);

    g_thread_join(thread);
    timer_arm(t, clock_now(CLOCK_RT) + 5 * MS);
    main_loop_run();
    g_assert_cmpuint(trace->len, ==, 102);
    g_assert_cmpstr(trace->str + 99, ==, "abc");
    g_string_truncate(trace, 0);
    timer_free(t);
}

static gpointer take_lock_and_quit(gpointer opaque)
{
    (void)opaque;
    machine_lock(); /* the loop lets go of it while it polls */
    note_a(NULL);
    machine_unlock();
    main_loop_quit();
    return NULL;
}

static void test_lock_is_free_while_the_loop_polls(void)
{
    GThread *thread = g_thread_new("locker", take_lock_and_quit, NULL);

    main_loop_run();
    g_assert_true(machine_lock_held());
    g_thread_join(thread);
    trace_is("a");
}

static gboolean read_one(int fd, GIOCondition cond, void *opaque)
{
    char c;

    (void)cond;
    g_assert_cmpint(read(fd, &c, 1), ==, 1);
    note_a(opaque);
    return G_SOURCE_CONTINUE;
}

static void test_watched_fd_is_told_until_unwatched(void)
{
    int fds[2];
    guint id;

    g_assert_cmpint(pipe(fds), ==, 0);
    id = main_loop_watch_fd(fds[0], G_IO_IN, read_one, NULL);
    g_assert_cmpint(write(fds[1], "xy", 2), ==, 2);
    loop_until(2);
    trace_is("aa");
    main_loop_unwatch(id);
    main_loop_unwatch(0);
    g_assert_cmpint(write(fds[1], "z", 1), ==, 1);
    loop_for(2 * MS);
    trace_is("");
    close(fds[0]);
    close(fds[1]);
}

static void test_muldiv_keeps_128_bits(void)
{
    g_assert_cmpuint(muldiv64(UINT64_MAX, 1000000000, 1000000000), ==, UINT64_MAX);
    g_assert_cmpuint(muldiv64(1193182, 1000000000, 1193182), ==, 1000000000);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    trace = g_string_new(NULL);
    g_test_add_func("/timer/order", test_timers_fire_in_order_of_their_deadlines);
    g_test_add_func("/timer/move", test_timer_moves_and_disarms);
    g_test_add_func("/timer/heap", test_random_heap_fires_sorted);
    g_test_add_func("/timer/periodic", test_periodic_timer_rearms_in_its_callback);
    g_test_add_func("/timer/at-once", test_timer_that_always_asks_for_at_once_lets_others_run);
    g_test_add_func("/timer/free", test_timer_may_free_itself_and_others_that_are_due);
    g_test_add_func("/clock/vm", test_virtual_clock_stands_still_while_stopped);
    g_test_add_func("/clock/monotonic", test_virtual_clock_never_goes_back);
    g_test_add_func("/clock/muldiv", test_muldiv_keeps_128_bits);
    g_test_add_func("/main-loop/calls", test_calls_run_in_order_under_the_lock);
    g_test_add_func("/main-loop/lock", test_lock_is_free_while_the_loop_polls);
    g_test_add_func("/main-loop/watch", test_watched_fd_is_told_until_unwatched);
    ret = g_test_run();
    g_string_free(trace, TRUE);
    return ret;
}
