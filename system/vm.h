/*
 * The machine object with what the program itself keeps about it: vCPU threads and pending
 * requests. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYSTEM_VM_H
#define SYSTEM_VM_H

#include <stdbool.h>

#include "core/lock.h"
#include "core/machine.h"
#include "core/safepoint.h"

typedef struct CpuThread CpuThread;

typedef struct Vm {
    Machine machine; /* first: a Machine * is a Vm * */

    /* cpus.c; machine lock */
    CpuThread *threads; /* one per vCPU */
    MachineCond *cond;
    int pause_count;
    bool quit;
    bool thread_names;

    /* runstate.c; machine lock */
    int exit_status;
    bool exiting;
} Vm;

static inline Vm *vm_of(Machine *m)
{
    return (Vm *)m;
}

/* ---- cpus.c: one thread per vCPU. Machine lock held, on the main thread. ---- */

/* Starts the threads of MACHINE's vCPUs, parked; false when one cannot be had. */
bool cpus_start(Machine *m, GError **err);
/* Ends them. */
void cpus_stop_threads(Machine *m);
/* Parks every vCPU at a safe point, and returns when all are; nests. */
void cpus_pause(Machine *m);
void cpus_resume(Machine *m);
/* Looks again whether parked vCPUs may run. */
void cpus_wake(Machine *m);
/* Runs FN on CPU's thread, under the machine lock, while it is parked by cpus_pause(). */
void cpus_run_on(Cpu *cpu, SafeWork fn, void *data);

/* ---- runstate.c ---- */

void runstate_init(Machine *m);
const char *runstate_name(RunState state);
/* Lets a stopped machine run, and tries again the disk requests whose failure has stopped it; false
 * with ERR when only a reset could help it. */
bool vm_start(Machine *m, GError **err);
/* Stops it and flushes disks; nothing if it is stopped already, but for WHY, which is kept unless
 * the machine waits for a reset. */
void vm_stop(Machine *m, RunState why);
/* Resets all devices and CPUs, now. */
void vm_reset(Machine *m);

/* ---- signals.c ---- */

/* Blocks the signals the main loop handles, before any other thread exists. */
void signals_block(void);
/* SIGINT, SIGTERM and SIGHUP end MACHINE from now on; SIGCONT sets the terminal up again. */
bool signals_watch(Machine *m, GError **err);

#endif
