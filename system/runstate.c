/*
 * The run state: start, stop, reset, power-down, shutdown.
 *
 * Requests may come from any thread. They are bits that the main loop carries out; a vCPU thread
 * that asks is parked until then, so that its guest does not run on past, say, its own power-off.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "block/backend.h"
#include "block/options.h"
#include "core/accel.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/mainloop.h"
#include "net/net.h"
#include "system/vm.h"
#include "target-x86/cpu.h"
#include "util/keyval.h"

static const char *const state_names[] = {
    [RUN_STATE_PRELAUNCH] = "prelaunch", [RUN_STATE_RUNNING] = "running",
    [RUN_STATE_PAUSED] = "paused",       [RUN_STATE_SHUTDOWN] = "shutdown",
    [RUN_STATE_IO_ERROR] = "io-error",   [RUN_STATE_INTERNAL_ERROR] = "internal-error",
    [RUN_STATE_DEBUG] = "debug",
};

const char *runstate_name(RunState state)
{
    return state_names[state];
}

/* ---- start and stop ---- */

static void tell_accel(Machine *m, bool runs)
{
    if (m->accel && m->accel->cls->machine_runs) {
        m->accel->cls->machine_runs(m->accel, runs);
    }
}

/* States that only a reset leads out of. */
static bool is_final(RunState state)
{
    return state == RUN_STATE_SHUTDOWN || state == RUN_STATE_INTERNAL_ERROR;
}

bool vm_start(Machine *m, GError **err)
{
    RunState state = atomic_load(&m->run_state);

    if (state == RUN_STATE_RUNNING) {
        return true;
    }
    if (is_final(state)) {
        emu_set_error(err, "the machine must be reset before it can run again");
        return false;
    }
    clock_vm_enable(true);
    tell_accel(m, true);
    atomic_store(&m->run_state, RUN_STATE_RUNNING);
    net_machine_started();
    block_resume_requests();
    cpus_wake(m);
    machine_run_state_changed(m);
    return true;
}

void vm_stop(Machine *m, RunState why)
{
    bool was_running = machine_running(m);

    if (!was_running) {
        if (!is_final(atomic_load(&m->run_state)) || is_final(why)) {
            atomic_store(&m->run_state, why);
            machine_run_state_changed(m);
        }
        return;
    }
    cpus_pause(m);
    atomic_store(&m->run_state, why);
    clock_vm_enable(false);
    tell_accel(m, false);
    cpus_resume(m); /* they stay parked: the machine does not run */
    block_flush_all();
    machine_run_state_changed(m);
}

/* ---- reset ---- */

static void reset_cpu(Cpu *cpu, void *data)
{
    const uint32_t lost = CPU_EVENT_INTR | CPU_EVENT_NMI | CPU_EVENT_SMI | CPU_EVENT_INIT |
                          CPU_EVENT_SIPI | CPU_EVENT_MCE;

    (void)data;
    cpu_lower(cpu, lost);
    atomic_store(&cpu->halted,
                 false); /* put_state() knows of an AP that waits for its start-up IPI */
    x86_cpu_reset((X86Cpu *)cpu, true);
    cpu->machine->accel->cls->put_state(cpu);
}

void vm_reset(Machine *m)
{
    RunState state = atomic_load(&m->run_state);

    cpus_pause(m);
    device_reset_all(m->root_bus);
    for (int i = 0; i < m->cpu_count; i++) {
        cpus_run_on(m->cpus[i], reset_cpu, NULL);
    }
    if (is_final(state)) {
        atomic_store(&m->run_state, RUN_STATE_PAUSED);
    }
    cpus_resume(m);
}

/* ---- what requests lead to ---- */

static void end(Machine *m, int status)
{
    Vm *vm = vm_of(m);

    vm->exit_status = status;
    vm->exiting = true;
    cpus_pause(m); /* for good */
    main_loop_quit();
}

static void on_shutdown(Machine *m, ShutdownCause cause, int status)
{
    bool by_guest = cause == SHUTDOWN_GUEST_POWEROFF || cause == SHUTDOWN_GUEST_RESET ||
                    cause == SHUTDOWN_GUEST_PANIC;

    if (by_guest && m->no_shutdown) {
        vm_stop(m, RUN_STATE_SHUTDOWN);
    } else if (!vm_of(m)->exiting) {
        end(m, status);
    }
}

static void on_reset(Machine *m, ShutdownCause cause)
{
    if (m->no_reboot) {
        on_shutdown(m, cause, 0);
    } else if (!vm_of(m)->exiting) {
        vm_reset(m);
    }
}

/* On an I/O thread: a request of DRIVE has failed whose policy is to wait for the user. */
static void on_io_error(void *opaque, const char *drive, int error)
{
    fprintf(stderr, "%s: drive '%s': %s: the machine is stopped, 'cont' tries again\n",
            g_get_prgname(), drive, g_strerror(error));
    machine_request_stop(opaque, RUN_STATE_IO_ERROR);
}

void runstate_init(Machine *m)
{
    static const MachineHooks hooks = {
        .reset = on_reset,
        .shutdown = on_shutdown,
        .stop = vm_stop,
    };

    atomic_store(&m->run_state, RUN_STATE_PRELAUNCH);
    machine_set_hooks(&hooks);
    block_set_stop_fn(on_io_error, m);
}
