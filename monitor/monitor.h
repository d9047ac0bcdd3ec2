/*
 * The human monitor: a command line on a character back end.
 *
 * Machine lock held, main thread.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <glib.h>
#include <stdbool.h>

#include "core/machine.h"
#include "core/safepoint.h"
#include "ui/chardev.h"

/* What the program does for its monitors. All are given. */
typedef struct MonitorHost {
    /* Stops the machine; lets it run. */
    void (*stop)(Machine *m, RunState why);
    bool (*start)(Machine *m, GError **err);
    /* Parks all vCPUs for a look at them, without changing the run state; nests. */
    void (*pause)(Machine *m);
    void (*resume)(Machine *m);
    /* Runs FN on CPU's own thread while it is parked. */
    void (*run_on)(Cpu *cpu, SafeWork fn, void *data);
    const char *(*state_name)(RunState state);
    /* Waits for a debugger on the back end SPEC ("none": no more). */
    bool (*gdbserver)(Machine *m, const char *spec, GError **err);
} MonitorHost;

/* A monitor on CHR. It is silent until monitor_start(), and on a multiplexed back end while another
 * has the focus. */
bool monitor_new(Machine *m, const MonitorHost *host, Chardev *chr, GError **err);
/* Runs one command for somebody else; what it printed, lines ended by \n. Caller frees. */
char *monitor_run(Machine *m, const MonitorHost *host, const char *line);
void monitor_start(void); /* all of them; the machine is ready for commands */
void monitor_free_all(void);

#endif
