/*
 * vCPU threads.
 *
 * A thread runs guest code, or is parked: waiting under the machine lock until the machine runs,
 * nobody pauses it, and no request (reset, shutdown, stop) waits for the main loop. CPU_EVENT_STOP
 * brings it from one to the other. While it is parked, the main thread may have it run a job, for
 * what must happen on a CPU's own thread: taking over a state, reading it. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <pthread.h>
#include <stdio.h>

#include "core/accel.h"
#include "system/vm.h"
#include "target-x86/cpu.h"
#include "util/keyval.h"

struct CpuThread {
    Cpu *cpu;
    SafeWork job;
    void *job_data;
    enum { THREAD_STARTING, THREAD_READY, THREAD_FAILED } state;
    GError *err;
};

static bool must_park(Vm *vm, const Cpu *cpu)
{
    return vm->pause_count || cpu->held || !machine_running(&vm->machine) ||
           machine_request_pending(&vm->machine);
}

static void set_stopped(Vm *vm, Cpu *cpu, bool stopped)
{
    if (cpu->stopped != stopped) {
        cpu->stopped = stopped;
        machine_cond_broadcast(vm->cond);
    }
}

/* False: the thread is to end. */
static bool park(Vm *vm, CpuThread *t)
{
    Cpu *cpu = t->cpu;
    bool go;

    machine_lock();
    while (!vm->quit && (t->job || must_park(vm, cpu))) {
        if (t->job) {
            t->job(cpu, t->job_data);
            t->job = NULL;
            machine_cond_broadcast(vm->cond);
            continue;
        }
        set_stopped(vm, cpu, true);
        machine_cond_wait(vm->cond);
    }
    go = !vm->quit;
    cpu->debug_stop = DEBUG_NONE;
    set_stopped(vm, cpu, !go);
    cpu_lower(cpu, CPU_EVENT_STOP);
    machine_unlock();
    return go;
}

/* HLT: sleeps until something the CPU would react to. */
static void sleep_halted(Cpu *cpu)
{
    const X86State *st = &((X86Cpu *)cpu)->st;
    bool was_halted = atomic_exchange(&cpu->halted, true);
    uint32_t mask = ~0u;

    if (st->wait_sipi) {
        mask &= ~(uint32_t)(CPU_EVENT_INTR | CPU_EVENT_NMI | CPU_EVENT_SMI);
    } else if (!(st->rflags & FLAG_IF)) {
        mask &= ~(uint32_t)CPU_EVENT_INTR;
    }
    cpu_sleep_until(cpu, mask, -1);
    atomic_store(&cpu->halted, was_halted);
}

static void handle_exit(Machine *m, Cpu *cpu, AccelExit exit)
{
    switch (exit) {
    case ACCEL_EXIT_EVENT:
        break;
    case ACCEL_EXIT_HALTED:
        sleep_halted(cpu);
        break;
    case ACCEL_EXIT_RESET:
        machine_request_reset(m, SHUTDOWN_GUEST_RESET);
        break;
    case ACCEL_EXIT_DEBUG:
        machine_request_stop(m, RUN_STATE_DEBUG);
        break;
    case ACCEL_EXIT_ERROR:
        machine_request_stop(m, RUN_STATE_INTERNAL_ERROR);
        break;
    }
}

static bool thread_init(Vm *vm, CpuThread *t)
{
    GError *err = NULL;
    bool ok;

    safepoint_thread_attach(t->cpu);
    ok = vm->machine.accel->cls->cpu_thread_init(t->cpu, &err);
    machine_lock();
    t->state = ok ? THREAD_READY : THREAD_FAILED;
    t->err = err;
    machine_cond_broadcast(vm->cond);
    machine_unlock();
    return ok;
}

static void *cpu_thread(void *opaque)
{
    CpuThread *t = opaque;
    Cpu *cpu = t->cpu;
    Vm *vm = vm_of(cpu->machine);
    const AccelClass *cls = vm->machine.accel->cls;

    if (thread_init(vm, t)) {
        while (park(vm, t)) {
            while (!(atomic_load(&cpu->events) & CPU_EVENT_STOP)) {
                cpu_lower(cpu, CPU_EVENT_KICK);
                safepoint_poll();
                handle_exit(&vm->machine, cpu, cls->cpu_run(cpu));
            }
        }
    }
    safepoint_thread_detach();
    return NULL;
}

static void name_thread(Vm *vm, Cpu *cpu)
{
    char name[16];

    if (vm->thread_names) {
        snprintf(name, sizeof(name), "CPU %d/%s", cpu->index, vm->machine.accel->cls->name);
        pthread_setname_np(cpu->thread, name);
    }
}

static bool start_one(Vm *vm, CpuThread *t, GError **err)
{
    int rc = pthread_create(&t->cpu->thread, NULL, cpu_thread, t);

    if (rc != 0) {
        emu_set_error(err, "thread of CPU %d: %s", t->cpu->index, g_strerror(rc));
        return false;
    }
    t->cpu->thread_started = true;
    name_thread(vm, t->cpu);
    while (t->state == THREAD_STARTING) {
        machine_cond_wait(vm->cond);
    }
    if (t->state == THREAD_FAILED) {
        g_propagate_error(err, t->err);
        return false;
    }
    return true;
}

bool cpus_start(Machine *m, GError **err)
{
    Vm *vm = vm_of(m);

    vm->cond = machine_cond_new();
    vm->threads = g_new0(CpuThread, m->cpu_count);
    for (int i = 0; i < m->cpu_count; i++) {
        vm->threads[i].cpu = m->cpus[i];
        if (!start_one(vm, &vm->threads[i], err)) {
            return false;
        }
    }
    return true;
}

void cpus_stop_threads(Machine *m)
{
    Vm *vm = vm_of(m);

    if (!vm->threads) {
        return;
    }
    cpus_pause(m);
    vm->quit = true;
    machine_cond_broadcast(vm->cond);
    machine_unlock();
    for (int i = 0; i < m->cpu_count; i++) {
        if (m->cpus[i]->thread_started) {
            pthread_join(m->cpus[i]->thread, NULL);
        }
    }
    machine_lock();
    g_clear_pointer(&vm->threads, g_free);
}

static bool all_stopped(Vm *vm)
{
    for (int i = 0; i < vm->machine.cpu_count; i++) {
        if (vm->threads[i].state == THREAD_READY && !vm->machine.cpus[i]->stopped) {
            return false;
        }
    }
    return true;
}

void cpus_pause(Machine *m)
{
    Vm *vm = vm_of(m);

    vm->pause_count++;
    for (int i = 0; vm->threads && i < m->cpu_count; i++) {
        cpu_raise(m->cpus[i], CPU_EVENT_STOP);
    }
    while (vm->threads && !all_stopped(vm)) {
        machine_cond_wait(vm->cond);
    }
}

void cpus_resume(Machine *m)
{
    g_assert(vm_of(m)->pause_count > 0);
    vm_of(m)->pause_count--;
    cpus_wake(m);
}

void cpus_wake(Machine *m)
{
    if (vm_of(m)->threads) {
        machine_cond_broadcast(vm_of(m)->cond);
    }
}

void cpus_run_on(Cpu *cpu, SafeWork fn, void *data)
{
    Vm *vm = vm_of(cpu->machine);
    CpuThread *t = &vm->threads[cpu->index];

    if (t->state != THREAD_READY) {
        return;
    }
    g_assert(cpu->stopped && !t->job);
    t->job = fn;
    t->job_data = data;
    machine_cond_broadcast(vm->cond);
    while (t->job) {
        machine_cond_wait(vm->cond);
    }
}
