/*
 * From a configuration to a machine that is ready to run.
 *
 * Each step checks before it changes anything outside the process; disks are opened only when all
 * that can be checked without them has been. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYSTEM_STARTUP_H
#define SYSTEM_STARTUP_H

#include "system/accels.h"
#include "system/config.h"
#include "system/vm.h"

typedef struct CpuModel CpuModel;

typedef struct Startup {
    const VmConfig *cfg;
    Vm *vm;
    AccelChoice *accels;
    CpuModel *model;
    GPtrArray *devices;    /* PendingDevice *: made and configured, not yet on a bus */
    GPtrArray *nics;       /* the same: network cards of -nic, which the board realizes */
    const char *serial[4]; /* character back ends of the serial lines */
    const char *debugcon;
} Startup;

/* All return false with ERR "-option: what is wrong" where an option is to blame. */

/* What follows from the command line alone: names, properties, files that must be readable. */
bool startup_check(Startup *s, GError **err);
/* Accelerator and CPU model, and whether the memory fits what they can address. */
bool startup_accel(Startup *s, GError **err);
/* Character back ends and monitors. */
bool startup_chardevs(Startup *s, GError **err);
/* Block nodes and drives. */
bool startup_disks(Startup *s, GError **err);
/* Network back ends and filters. */
bool startup_network(Startup *s, GError **err);
bool startup_cpus(Startup *s, GError **err);
/* The board and its default devices, then those of -device. */
bool startup_board(Startup *s, GError **err);
/* SIGINT and the like end the machine in order from here on. */
bool startup_signals(Startup *s, GError **err);
/* Resets everything and starts vCPU threads, and with them the guest unless -S. */
bool startup_run(Startup *s, GError **err);
/* Ends what has been started, in reverse; disks are flushed and closed. */
void startup_end(Startup *s);

/* startup_devices.c */
bool devices_check(Startup *s, GError **err); /* -global, -device, -debugcon */
bool devices_realize(Startup *s, GError **err);
bool devices_have(const Startup *s, const char *const *names); /* one of NAMES is among -device's */
/* The board's to realize: Device *, the array to be freed, the devices not. */
GPtrArray *devices_take_nics(Startup *s);
void devices_free(Startup *s);

/* startup_chardevs.c has startup_chardevs(). */
extern const struct MonitorHost monitor_host;

#endif
