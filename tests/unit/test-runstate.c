/*
 * vCPU threads and the run state, with an accelerator that only counts.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <stdatomic.h>
#include <string.h>

#include "core/accel.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/mainloop.h"
#include "system/vm.h"
#include "target-x86/cpu.h"
#include "target-x86/cpuid.h"

enum { CPUS = 3 };

typedef struct FakeCpu {
    X86Cpu x86;
    _Atomic unsigned turns;
    _Atomic int next_exit; /* AccelExit to return once, or -1 */
    unsigned states_put, states_got;
    bool wrong_thread;
} FakeCpu;

static Vm *vm;
static FakeCpu *cpus[CPUS];

/* ---- the accelerator ---- */

static bool fake_thread_init(Cpu *cpu, GError **err)
{
    (void)err;
    g_assert_true(safepoint_current_cpu() == cpu);
    return true;
}

static AccelExit fake_run(Cpu *cpu)
{
    FakeCpu *f = (FakeCpu *)cpu;

    while (!(atomic_load(&cpu->events) & (CPU_EVENT_STOP | CPU_EVENT_WORK | CPU_EVENT_KICK))) {
        int exit = atomic_exchange(&f->next_exit, -1);
        atomic_fetch_add(&f->turns, 1);
        if (exit >= 0) {
            return exit;
        }
        g_usleep(50);
    }
    return ACCEL_EXIT_EVENT;
}

static void fake_kick(Cpu *cpu)
{
    (void)cpu;
}

static void fake_get(Cpu *cpu)
{
    FakeCpu *f = (FakeCpu *)cpu;

    f->states_got++;
    f->wrong_thread |= safepoint_current_cpu() != cpu;
}

static void fake_put(Cpu *cpu)
{
    FakeCpu *f = (FakeCpu *)cpu;

    f->states_put++;
    f->wrong_thread |= safepoint_current_cpu() != cpu;
}

static const AccelClass fake_class = {
    .name = "fake",
    .size = sizeof(Accel),
    .cpu_thread_init = fake_thread_init,
    .cpu_run = fake_run,
    .cpu_kick = fake_kick,
    .get_state = fake_get,
    .put_state = fake_put,
};

static void make_vm(void)
{
    CpuFeatures features;
    GError *err = NULL;

    vm = g_new0(Vm, 1);
    Machine *m = &vm->machine;
    cpu_features_translator(&features);
    CpuModel *model = cpu_model_parse("max", &features, "tcg", NULL, &err);
    g_assert_no_error(err);
    m->accel = accel_new(&fake_class);
    m->root_bus = bus_new("System", "main-system-bus", NULL);
    m->cpus = g_new0(Cpu *, CPUS);
    m->cpu_count = CPUS;
    for (int i = 0; i < CPUS; i++) {
        cpus[i] = g_aligned_alloc0(1, (sizeof(FakeCpu) + 63) & ~(size_t)63, 64);
        cpus[i]->x86.cpu.machine = m;
        cpus[i]->x86.cpu.index = cpus[i]->x86.cpu.apic_id = i;
        cpus[i]->x86.model = model;
        atomic_init(&cpus[i]->next_exit, -1);
        m->cpus[i] = &cpus[i]->x86.cpu;
    }
    runstate_init(m);
    g_assert_true(cpus_start(m, &err));
    g_assert_no_error(err);
}

static unsigned turns(void)
{
    unsigned sum = 0;

    for (int i = 0; i < CPUS; i++) {
        sum += atomic_load(&cpus[i]->turns);
    }
    return sum;
}

/* Lets the vCPUs have the lock for a while. */
static void wait_ms(int ms)
{
    int64_t end = clock_now(CLOCK_RT) + ms * (NS_PER_SEC / 1000);

    while (clock_now(CLOCK_RT) < end) {
        main_loop_iterate(false);
        machine_unlock();
        g_usleep(1000);
        machine_lock();
    }
}

static bool advances(void)
{
    unsigned before = turns();
    bool may = machine_running(&vm->machine) && !vm->pause_count && !vm->exiting;

    wait_ms(30);
    /* A busy host may keep threads from running for long. */
    for (int i = 0; may && turns() == before && i < 300; i++) {
        wait_ms(30);
    }
    return turns() != before;
}

static RunState state(void)
{
    return atomic_load(&vm->machine.run_state);
}

/* ---- tests, in order: they share one machine ---- */

static void test_nothing_runs_before_the_start(void)
{
    g_assert_false(advances());
    g_assert_cmpuint(turns(), ==, 0);
    g_assert_cmpint(state(), ==, RUN_STATE_PRELAUNCH);
}

static void test_stop_stops_all_and_the_clock(void)
{
    int64_t then;

    g_assert_true(vm_start(&vm->machine, NULL));
    g_assert_true(advances());
    vm_stop(&vm->machine, RUN_STATE_PAUSED);
    then = clock_now(CLOCK_VM);
    g_assert_false(advances());
    g_assert_cmpint(clock_now(CLOCK_VM), ==, then);
    g_assert_cmpint(state(), ==, RUN_STATE_PAUSED);
    g_assert_true(vm_start(&vm->machine, NULL));
    g_assert_true(advances());
    g_assert_cmpint(clock_now(CLOCK_VM), >, then);
}

static void test_pauses_nest_and_keep_the_run_state(void)
{
    cpus_pause(&vm->machine);
    cpus_pause(&vm->machine);
    g_assert_false(advances());
    g_assert_cmpint(state(), ==, RUN_STATE_RUNNING);
    cpus_resume(&vm->machine);
    g_assert_false(advances());
    cpus_resume(&vm->machine);
    g_assert_true(advances());
}

static void count_job(Cpu *cpu, void *data)
{
    g_assert_true(safepoint_current_cpu() == cpu);
    ++*(int *)data;
}

static void test_many_pauses_and_jobs(void)
{
    int jobs = 0;

    for (int i = 0; i < 300; i++) {
        cpus_pause(&vm->machine);
        for (int c = 0; c < CPUS; c++) {
            cpus_run_on(vm->machine.cpus[c], count_job, &jobs);
        }
        cpus_resume(&vm->machine);
    }
    g_assert_cmpint(jobs, ==, 300 * CPUS);
    g_assert_true(advances());
}

static void test_reset_loads_the_state_on_each_cpus_thread(void)
{
    unsigned before = cpus[1]->states_put;

    cpu_raise(vm->machine.cpus[1], CPU_EVENT_NMI);
    machine_request_reset(&vm->machine, SHUTDOWN_GUEST_RESET);
    wait_ms(30);
    for (int i = 0; i < CPUS; i++) {
        g_assert_cmpuint(cpus[i]->states_put, ==, before + 1);
        g_assert_false(cpus[i]->wrong_thread);
    }
    g_assert_cmpuint(atomic_load(&vm->machine.cpus[1]->events) & CPU_EVENT_NMI, ==, 0);
    g_assert_cmpuint(cpus[0]->x86.st.rip, ==, 0xfff0);
    g_assert_true(advances());
}

static void test_a_cpus_triple_fault_resets_the_machine(void)
{
    unsigned before = cpus[0]->states_put;

    atomic_store(&cpus[2]->next_exit, ACCEL_EXIT_RESET);
    wait_ms(50);
    g_assert_cmpuint(cpus[0]->states_put, ==, before + 1);
    g_assert_true(advances());
}

static void test_an_internal_error_needs_a_reset(void)
{
    GError *err = NULL;

    atomic_store(&cpus[1]->next_exit, ACCEL_EXIT_ERROR);
    wait_ms(50);
    g_assert_cmpint(state(), ==, RUN_STATE_INTERNAL_ERROR);
    g_assert_false(advances());
    g_assert_false(vm_start(&vm->machine, &err));
    g_assert_nonnull(err);
    g_error_free(err);
    vm_stop(&vm->machine, RUN_STATE_PAUSED); /* the user's 'stop' does not make it better */
    g_assert_cmpint(state(), ==, RUN_STATE_INTERNAL_ERROR);
    vm_reset(&vm->machine);
    g_assert_cmpint(state(), ==, RUN_STATE_PAUSED);
    g_assert_true(vm_start(&vm->machine, NULL));
    g_assert_true(advances());
}

static void halt_job(Cpu *cpu, void *data)
{
    ((FakeCpu *)cpu)->x86.st.rflags = *(uint64_t *)data;
}

/* HLT with interrupts off: an interrupt does not wake it, an NMI does; pausing works meanwhile. */
/* How often F has run once it does not any more. */
static unsigned settled_turns(FakeCpu *f)
{
    unsigned before, now = atomic_load(&f->turns);

    do {
        before = now;
        wait_ms(50);
        now = atomic_load(&f->turns);
    } while (now != before);
    return now;
}

static void test_a_halted_cpu_sleeps_until_it_would_react(void)
{
    FakeCpu *f = cpus[0];
    uint64_t flags = 2;

    cpus_pause(&vm->machine);
    cpus_run_on(&f->x86.cpu, halt_job, &flags);
    cpus_resume(&vm->machine);
    atomic_store(&f->next_exit, ACCEL_EXIT_HALTED);
    unsigned before = settled_turns(f);
    cpu_raise(&f->x86.cpu, CPU_EVENT_INTR);
    wait_ms(30);
    g_assert_cmpuint(atomic_load(&f->turns), ==, before);
    cpu_raise(&f->x86.cpu, CPU_EVENT_NMI);
    while (atomic_load(&f->turns) == before) {
        wait_ms(1);
    }
    cpu_lower(&f->x86.cpu, CPU_EVENT_INTR | CPU_EVENT_NMI);
}

static void test_no_shutdown_stops_instead(void)
{
    vm->machine.no_shutdown = true;
    machine_request_shutdown(&vm->machine, SHUTDOWN_GUEST_POWEROFF, 0);
    wait_ms(30);
    g_assert_cmpint(state(), ==, RUN_STATE_SHUTDOWN);
    g_assert_false(vm->exiting);
    g_assert_false(advances());
    vm_reset(&vm->machine);
    g_assert_true(vm_start(&vm->machine, NULL));
    g_assert_true(advances());
    vm->machine.no_shutdown = false;
}

static void test_no_reboot_ends_with_the_first_reset(void)
{
    unsigned before = cpus[0]->states_put;

    vm->machine.no_reboot = true;
    machine_request_reset(&vm->machine, SHUTDOWN_GUEST_RESET);
    main_loop_run();
    g_assert_true(vm->exiting);
    g_assert_cmpuint(cpus[0]->states_put, ==, before);
    g_assert_false(advances());
    cpus_stop_threads(&vm->machine);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    make_vm();
    g_test_add_func("/runstate/01_nothing_runs_before_the_start",
                    test_nothing_runs_before_the_start);
    g_test_add_func("/runstate/02_stop_stops_all_and_the_clock", test_stop_stops_all_and_the_clock);
    g_test_add_func("/runstate/03_pauses_nest_and_keep_the_run_state",
                    test_pauses_nest_and_keep_the_run_state);
    g_test_add_func("/runstate/04_many_pauses_and_jobs", test_many_pauses_and_jobs);
    g_test_add_func("/runstate/05_reset_loads_the_state_on_each_cpus_thread",
                    test_reset_loads_the_state_on_each_cpus_thread);
    g_test_add_func("/runstate/06_a_cpus_triple_fault_resets_the_machine",
                    test_a_cpus_triple_fault_resets_the_machine);
    g_test_add_func("/runstate/07_an_internal_error_needs_a_reset",
                    test_an_internal_error_needs_a_reset);
    g_test_add_func("/runstate/08_a_halted_cpu_sleeps_until_it_would_react",
                    test_a_halted_cpu_sleeps_until_it_would_react);
    g_test_add_func("/runstate/09_no_shutdown_stops_instead", test_no_shutdown_stops_instead);
    g_test_add_func("/runstate/10_no_reboot_ends_with_the_first_reset",
                    test_no_reboot_ends_with_the_first_reset);
    return g_test_run();
}
