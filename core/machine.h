/*
 * The one machine object: what every part can reach from its device or CPU.
 *
 * Owned by system/; created once, before any device. Everything in it but what is marked atomic is
 * under the machine lock.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/memory.h"

typedef struct Accel Accel;
typedef struct Bus Bus;
typedef struct IoThread IoThread;

typedef enum RunState {
    RUN_STATE_PRELAUNCH, /* not started yet, or -S */
    RUN_STATE_RUNNING,
    RUN_STATE_PAUSED,
    RUN_STATE_SHUTDOWN, /* the guest powered off, -no-shutdown keeps the process */
    RUN_STATE_IO_ERROR,
    RUN_STATE_INTERNAL_ERROR,
    RUN_STATE_DEBUG, /* a breakpoint, watchpoint or step */
} RunState;

typedef enum ShutdownCause {
    SHUTDOWN_HOST_QMP_QUIT,
    SHUTDOWN_HOST_SIGNAL,
    SHUTDOWN_GUEST_POWEROFF, /* ACPI S5 and the like */
    SHUTDOWN_GUEST_RESET,    /* port 92h, CF9h, keyboard controller, triple fault */
    SHUTDOWN_GUEST_PANIC,
    SHUTDOWN_DEBUG_EXIT, /* isa-debug-exit; the status is the process's */
} ShutdownCause;

struct Machine {
    AddressSpace memory; /* physical memory as the CPUs see it */
    AddressSpace io;     /* 64 KiB of ports */
    AddressSpace
        smm_memory; /* as a CPU in system management mode sees it; root NULL: no SMM here */
    MemRegion *memory_root, *io_root;
    RamBlock *ram;     /* the guest's main memory: offset 0 is the first byte of low RAM */
    uint64_t ram_size; /* bytes */
    uint64_t below_4g, above_4g; /* bytes of ram mapped at 0 and at 4 GiB */

    Cpu **cpus; /* cpu_count entries; fixed once the machine runs */
    int cpu_count;
    Accel *accel;

    void *board;         /* the machine type's own (hw/pc/pc.c: PcMachine) */
    Bus *root_bus;       /* "main-system-bus": devices with no other bus */
    IoThread *io_thread; /* the default one for disks and networks */

    _Atomic int run_state;
    bool no_reboot, no_shutdown;
    char *name;
    uint8_t uuid[16];
    bool uuid_set;
    int64_t rtc_offset_ns; /* guest's RTC minus host's UTC, set by -rtc base= */
    bool rtc_localtime;
    GHashTable *globals;   /* "driver.property" -> value string, from -global */
    GSList *firmware_path; /* directories, -L first */
    GSList *powerdown_callbacks, *run_callbacks; /* core/machine.c's own */
};

/* What requests lead to: system/'s policy. Called on the main loop under the machine lock. */
typedef struct MachineHooks {
    void (*reset)(Machine *m, ShutdownCause cause);
    void (*shutdown)(Machine *m, ShutdownCause cause, int status);
    void (*stop)(Machine *m, RunState why);
} MachineHooks;
void machine_set_hooks(const MachineHooks *hooks);

/*
 * Requests, from any thread, with or without the machine lock; they return at once and the main
 * loop carries them out. A vCPU thread's guest goes no further than its next safe point.
 */
void machine_request_reset(Machine *m, ShutdownCause cause);
void machine_request_shutdown(Machine *m, ShutdownCause cause, int exit_status);
void machine_request_powerdown(Machine *m); /* presses the power button */
void machine_request_stop(Machine *m, RunState why);
/* True from a request for reset, shutdown or stop until its hook was called. Every vCPU has
 * CPU_EVENT_STOP raised by such a request; its thread parks while this holds. Any thread. */
bool machine_request_pending(Machine *m);

/* Called (main loop, machine lock held) on powerdown; the chipset registers itself. */
void machine_on_powerdown(Machine *m, void (*fn)(void *opaque), void *opaque);

/* FN is called (main thread, machine lock held) whenever the machine has begun to run or has
 * stopped, or stays stopped for another reason: run_state says which. */
void machine_on_run_state(Machine *m, void (*fn)(void *opaque), void *opaque);
/* Not any more, for who called it with the same arguments. */
void machine_off_run_state(Machine *m, void (*fn)(void *opaque), void *opaque);
/* Calls them: whoever has changed the run state. */
void machine_run_state_changed(Machine *m);

/* Full path of a firmware or ROM file on the search path; caller frees. NULL with ERR set. */
char *machine_find_firmware(Machine *m, const char *name, GError **err);

static inline bool machine_running(Machine *m)
{
    return atomic_load(&m->run_state) == RUN_STATE_RUNNING;
}

#endif
