/*
 * Safe points, the machine lock and sleeping CPUs, with threads that stand for vCPUs.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "core/accel.h"
#include "core/cpu.h"
#include "core/lock.h"
#include "core/machine.h"
#include "core/mainloop.h"
#include "core/rcu.h"
#include "core/safepoint.h"

enum { CPUS = 4 };

typedef struct TestCpu {
    Cpu cpu;
    _Atomic bool stop;
    _Atomic uint64_t laps;
    _Atomic int kicks;
    uint64_t plain; /* written by its own thread only, and by work and exclusive sections */
    void (*body)(struct TestCpu *c);
} TestCpu;

static void count_kick(Cpu *cpu)
{
    atomic_fetch_add(&((TestCpu *)cpu)->kicks, 1);
}

static const AccelClass accel_class = {
    .name = "test", .size = sizeof(Accel), .cpu_kick = count_kick};
static Accel accel = {.cls = &accel_class};
static Machine machine = {.accel = &accel};

/* Guest code: looks at its poll word now and then. */
static void run_guest(TestCpu *c)
{
    while (!atomic_load(&c->stop)) {
        for (int i = 0; i < 50; i++) {
            c->plain++;
        }
        atomic_fetch_add(&c->laps, 1);
        if (atomic_load(&c->cpu.events)) {
            safepoint_poll();
        }
    }
}

static void *cpu_thread(void *opaque)
{
    TestCpu *c = opaque;

    safepoint_thread_attach(&c->cpu);
    g_assert(safepoint_current_cpu() == &c->cpu);
    c->body(c);
    safepoint_thread_detach();
    g_assert_null(safepoint_current_cpu());
    return NULL;
}

static void start_cpus(TestCpu *cpus, int count, void (*body)(TestCpu *c))
{
    for (int i = 0; i < count; i++) {
        cpus[i] = (TestCpu){.cpu = {.machine = &machine, .index = i}, .body = body};
    }
    for (int i = 0; i < count; i++) {
        g_assert_cmpint(pthread_create(&cpus[i].cpu.thread, NULL, cpu_thread, &cpus[i]), ==, 0);
    }
}

static void stop_cpus(TestCpu *cpus, int count)
{
    for (int i = 0; i < count; i++) {
        atomic_store(&cpus[i].stop, true);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(cpus[i].cpu.thread, NULL);
    }
}

static void wait_for_laps(TestCpu *cpus, int count, uint64_t laps)
{
    for (int i = 0; i < count; i++) {
        while (atomic_load(&cpus[i].laps) < laps) {
            g_usleep(100);
        }
    }
}

/* ---- posted work ---- */

static _Atomic int work_done;

static void count_work(Cpu *cpu, void *data)
{
    g_assert(safepoint_current_cpu() == cpu);
    ((TestCpu *)cpu)->plain++;
    atomic_fetch_add(&work_done, data ? *(int *)data : 1);
}

static bool odd_only(Cpu *cpu, void *data)
{
    (void)data;
    return cpu->index & 1;
}

static void test_run_on_all_waits_for_every_running_cpu(void)
{
    TestCpu cpus[CPUS];

    start_cpus(cpus, CPUS, run_guest);
    wait_for_laps(cpus, CPUS, 1);
    for (int i = 0; i < 500; i++) {
        atomic_store(&work_done, 0);
        safepoint_run_on_all(NULL, count_work, NULL);
        g_assert_cmpint(atomic_load(&work_done), ==, CPUS);
    }
    atomic_store(&work_done, 0);
    safepoint_run_on_all(odd_only, count_work, NULL);
    g_assert_cmpint(atomic_load(&work_done), ==, CPUS / 2);
    g_assert_cmpint(atomic_load(&cpus[0].kicks), >, 0);
    stop_cpus(cpus, CPUS);
    /* Nobody left: nothing to do, nothing to wait for. */
    safepoint_run_on_all(NULL, count_work, NULL);
}

static void go_offline_and_back(TestCpu *c)
{
    atomic_store(&c->laps, 1);
    safepoint_offline();
    atomic_store(&c->laps, 2);
    while (!atomic_load(&c->stop)) {
        g_usleep(100);
    }
    atomic_store(&c->laps, (uint64_t)atomic_load(&work_done) + 10);
    safepoint_online();
    g_assert_cmpuint(c->plain, ==, 2); /* both items have run here */
}

static void test_offline_cpu_is_not_waited_for_and_runs_work_first(void)
{
    TestCpu cpu;

    atomic_store(&work_done, 0);
    start_cpus(&cpu, 1, go_offline_and_back);
    wait_for_laps(&cpu, 1, 2);
    safepoint_run_on_all(NULL, count_work, NULL);
    safepoint_post(&cpu.cpu, count_work, NULL);
    g_assert_cmpint(atomic_load(&work_done), ==, 0);
    stop_cpus(&cpu, 1);
    g_assert_cmpuint(atomic_load(&cpu.laps), ==, 10);
    g_assert_cmpint(atomic_load(&work_done), ==, 2);
}

static GArray *order;

static void append_number(Cpu *cpu, void *data)
{
    (void)cpu;
    g_array_append_val(order, data);
}

static void wait_then_poll(TestCpu *c)
{
    atomic_store(&c->laps, 1);
    while (!atomic_load(&c->stop)) {
        g_usleep(100);
    }
    safepoint_poll();
    g_assert_cmpint(order->len, ==, 100);
    g_assert_cmpuint(atomic_load(&c->cpu.events) & CPU_EVENT_WORK, ==, 0);
}

static void test_posted_work_runs_in_order(void)
{
    TestCpu cpu;

    order = g_array_new(FALSE, FALSE, sizeof(void *));
    start_cpus(&cpu, 1, wait_then_poll);
    wait_for_laps(&cpu, 1, 1);
    for (intptr_t i = 0; i < 100; i++) {
        safepoint_post(&cpu.cpu, append_number, (void *)i);
    }
    stop_cpus(&cpu, 1);
    for (intptr_t i = 0; i < 100; i++) {
        g_assert(g_array_index(order, void *, i) == (void *)i);
    }
    g_array_free(order, TRUE);
}

/* Each asks all the others, all the time: nobody may wait for somebody who waits. */
static void ask_the_others(TestCpu *c)
{
    for (int i = 0; i < 300; i++) {
        safepoint_run_on_all(NULL, count_work, NULL);
        safepoint_poll();
    }
    atomic_store(&c->laps, 1);
    run_guest(c);
}

static void test_cpus_that_ask_each_other_do_not_deadlock(void)
{
    TestCpu cpus[CPUS];

    atomic_store(&work_done, 0);
    start_cpus(cpus, CPUS, ask_the_others);
    wait_for_laps(cpus, CPUS, 2);
    stop_cpus(cpus, CPUS);
    g_assert_cmpint(atomic_load(&work_done), >=, CPUS * 300);
}

/* ---- exclusive sections ---- */

static uint64_t exclusive_sum;
static TestCpu *exclusive_cpus;

static void look_at_all(void *data)
{
    uint64_t before = 0, after = 0;

    (void)data;
    for (int i = 0; i < CPUS; i++) {
        before += exclusive_cpus[i].plain;
    }
    for (volatile int i = 0; i < 2000; i++) {
    }
    for (int i = 0; i < CPUS; i++) {
        after += exclusive_cpus[i].plain;
    }
    g_assert_cmpuint(before, ==, after);
    exclusive_sum++;
}

static void nested(void *data)
{
    safepoint_exclusive(look_at_all, data);
}

static void guest_with_exclusive(TestCpu *c)
{
    for (int i = 0; i < 300; i++) {
        c->plain++;
        safepoint_exclusive(look_at_all, NULL);
        if (atomic_load(&c->cpu.events)) {
            safepoint_poll();
        }
    }
    atomic_fetch_add(&c->laps, 1);
    run_guest(c);
}

static void test_exclusive_section_stops_all_others(void)
{
    static TestCpu cpus[CPUS];

    exclusive_cpus = cpus;
    exclusive_sum = 0;
    start_cpus(cpus, CPUS, guest_with_exclusive);
    wait_for_laps(cpus, CPUS, 1);
    for (int i = 0; i < 200; i++) {
        safepoint_exclusive(nested, NULL);
    }
    stop_cpus(cpus, CPUS);
    g_assert_cmpuint(exclusive_sum, ==, 200 + CPUS * 300);
}

/* The machine lock, exclusive sections, work and offline stretches all at once. */
static int under_lock;

static void mixture(TestCpu *c)
{
    GRand *rand = g_rand_new_with_seed((guint32)c->cpu.index);

    for (int i = 0; i < 1500; i++) {
        switch (g_rand_int_range(rand, 0, 6)) {
        case 0:
            machine_lock();
            g_assert_cmpint(++under_lock, ==, 1);
            g_assert_true(machine_lock_held());
            under_lock--;
            machine_unlock();
            break;
        case 1:
            machine_lock();
            safepoint_exclusive(look_at_all, NULL);
            machine_unlock();
            break;
        case 2:
            safepoint_exclusive(look_at_all, NULL);
            break;
        case 3:
            safepoint_run_on_all(NULL, count_work, NULL);
            break;
        case 4:
            safepoint_offline();
            sched_yield();
            safepoint_online();
            break;
        default:
            c->plain++;
            safepoint_poll();
            break;
        }
    }
    g_rand_free(rand);
    atomic_fetch_add(&c->laps, 1);
    run_guest(c);
}

static void test_everything_at_once(void)
{
    static TestCpu cpus[CPUS];

    exclusive_cpus = cpus;
    start_cpus(cpus, CPUS, mixture);
    for (int i = 0; i < 300; i++) {
        safepoint_run_on_all(NULL, count_work, NULL); /* with the machine lock held */
        machine_unlock();
        sched_yield();
        machine_lock();
    }
    machine_unlock();
    wait_for_laps(cpus, CPUS, 1);
    machine_lock();
    stop_cpus(cpus, CPUS);
}

/* ---- the machine lock ---- */

static MachineCond *cond;
static int baton;

static void pass_baton(TestCpu *c)
{
    machine_lock();
    for (int i = 0; i < 200; i++) {
        while (baton != c->cpu.index) {
            machine_cond_wait(cond);
        }
        baton = (baton + 1) % CPUS;
        machine_cond_broadcast(cond);
    }
    machine_unlock();
}

static void test_waiting_for_the_lock_or_a_condition_is_a_safe_point(void)
{
    TestCpu cpus[CPUS];

    cond = machine_cond_new();
    baton = 0;
    atomic_store(&work_done, 0);
    start_cpus(cpus, CPUS, pass_baton);
    for (int i = 0; i < 100; i++) {
        safepoint_run_on_all(NULL, count_work, NULL); /* they wait for the lock that is held here */
    }
    machine_unlock();
    stop_cpus(cpus, CPUS);
    machine_lock();
    machine_cond_free(cond);
}

static int64_t monotonic_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void test_condition_wait_ends_at_its_deadline(void)
{
    MachineCond *c = machine_cond_new();
    int64_t start = monotonic_ns();

    g_assert_false(machine_cond_wait_until(c, start + 10 * 1000 * 1000));
    g_assert_cmpint(monotonic_ns(), >=, start + 10 * 1000 * 1000);
    g_assert_false(machine_cond_wait_until(c, -1)); /* long ago */
    g_assert_true(machine_lock_held());
    machine_cond_free(c);
}

/* ---- sleep ---- */

static void sleeper(TestCpu *c)
{
    int64_t start = monotonic_ns();

    atomic_store(&c->cpu.halted, true);
    cpu_sleep_until(&c->cpu, CPU_EVENT_INTR, start + 5 * 1000 * 1000);
    g_assert_cmpint(monotonic_ns(), >=, start + 5 * 1000 * 1000);
    cpu_sleep_until(&c->cpu, CPU_EVENT_INTR, 0); /* has passed: at once */
    atomic_store(&c->laps, 1);
    for (int i = 0; i < 1000; i++) {
        cpu_sleep_until(&c->cpu, CPU_EVENT_INTR | CPU_EVENT_NMI, -1);
        g_assert(atomic_load(&c->cpu.events) & CPU_EVENT_INTR);
        cpu_lower(&c->cpu, CPU_EVENT_INTR);
        atomic_fetch_add(&c->laps, 1);
    }
    atomic_store(&c->cpu.halted, false);
}

static void test_sleeping_cpu_wakes_for_its_events_only(void)
{
    TestCpu cpu;

    atomic_store(&work_done, 0);
    start_cpus(&cpu, 1, sleeper);
    wait_for_laps(&cpu, 1, 1);
    cpu_raise(&cpu.cpu, CPU_EVENT_SMI);           /* not in the mask */
    safepoint_run_on_all(NULL, count_work, NULL); /* asleep is offline */
    for (uint64_t i = 0; i < 1000; i++) {
        cpu_raise(&cpu.cpu, CPU_EVENT_INTR);
        wait_for_laps(&cpu, 1, i + 2);
    }
    stop_cpus(&cpu, 1);
    g_assert_cmpint(atomic_load(&work_done), ==, 1);
    g_assert(atomic_load(&cpu.cpu.events) & CPU_EVENT_SMI);
    g_assert_cmpint(atomic_load(&cpu.kicks), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/safepoint/run-on-all", test_run_on_all_waits_for_every_running_cpu);
    g_test_add_func("/safepoint/offline", test_offline_cpu_is_not_waited_for_and_runs_work_first);
    g_test_add_func("/safepoint/order", test_posted_work_runs_in_order);
    g_test_add_func("/safepoint/mutual", test_cpus_that_ask_each_other_do_not_deadlock);
    g_test_add_func("/safepoint/exclusive", test_exclusive_section_stops_all_others);
    g_test_add_func("/safepoint/mixture", test_everything_at_once);
    g_test_add_func("/lock/safe-point", test_waiting_for_the_lock_or_a_condition_is_a_safe_point);
    g_test_add_func("/lock/deadline", test_condition_wait_ends_at_its_deadline);
    g_test_add_func("/cpu/sleep", test_sleeping_cpu_wakes_for_its_events_only);
    return g_test_run();
}
