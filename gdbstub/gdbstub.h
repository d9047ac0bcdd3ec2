/*
 * A debugger's remote connection to the machine: GDB's remote serial protocol on a character back
 * end (GDB manual, appendix E). Each vCPU is a thread, numbered from 1; all of them stop together.
 *
 * One connection at a time, one after another. A debugger that comes stops the machine; one that
 * detaches lets it run; one whose connection breaks leaves it as it is, without breakpoints.
 *
 * Main thread, machine lock held. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GDBSTUB_GDBSTUB_H
#define GDBSTUB_GDBSTUB_H

#include <glib.h>
#include <stdbool.h>

#include "core/machine.h"
#include "monitor/monitor.h"

/*
 * Waits for a debugger where SPEC says: "tcp:HOST:PORT", "unix:PATH" (these two listen, and do not
 * wait, unless they say otherwise) or another back end as with -serial; "none" ends it. One that
 * was there before is closed first. HOST lives as long as the machine. False with ERR: the back end
 * cannot be had, or the accelerator cannot debug.
 */
bool gdbstub_open(Machine *m, const MonitorHost *host, const char *spec, GError **err);
/* A debugger is connected. */
bool gdbstub_connected(void);
/* The process ends with STATUS, which a debugger is told. Before character back ends go. */
void gdbstub_close(int status);

#endif
