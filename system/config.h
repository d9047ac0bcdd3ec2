/*
 * What the command line asked for, before anything has been made or opened.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYSTEM_CONFIG_H
#define SYSTEM_CONFIG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* An option kept for later, in the order of the command line. */
typedef struct OptArg {
    const char *option; /* "-drive", for messages */
    char *arg;
    const char *defaults; /* drives: what the option itself says, in -drive's syntax */
} OptArg;

typedef struct SmpConfig {
    unsigned cpus, sockets, cores, threads; /* cpus = sockets * cores * threads */
} SmpConfig;

typedef struct BootConfig {
    char *order, *once; /* letters of drives, NULL: the default */
    bool menu, strict;
    char *splash;
    int splash_time, reboot_timeout; /* milliseconds, -1: not given */
} BootConfig;

typedef struct RtcConfig {
    bool localtime;
    bool has_date;
    int64_t date; /* seconds since the Epoch that base=DATE names, as UTC */
} RtcConfig;

typedef enum VgaKind { VGA_DEFAULT, VGA_STD, VGA_NONE } VgaKind;

typedef struct VmConfig {
    bool done; /* a help text has been printed: exit with status 0 */

    char *machine_accel;  /* -machine accel=A:B, or NULL */
    GPtrArray *accels;    /* OptArg, -accel */
    char *irqchip;        /* -machine kernel-irqchip=, or NULL */
    bool acpi, smm, hpet; /* -machine */
    char *cpu;            /* -cpu, or NULL */
    uint64_t ram_size;
    SmpConfig smp;
    BootConfig boot;
    RtcConfig rtc;
    char *name, *process_name;
    bool thread_names;
    bool uuid_set;
    uint8_t uuid[16];
    char *kernel, *initrd, *append, *bios;
    GPtrArray *firmware_dirs; /* char *, -L */
    VgaKind vga;

    GPtrArray *drives, *blockdevs, *chardevs, *serials, *monitors, *mons, *debugcons, *devices,
        *globals, *netdevs, *nics, *objects; /* OptArg */
    bool nodefaults, nographic, display_given, no_default_serial, no_default_monitor;
    bool net_given;   /* -netdev, -nic or -net: no default network card */
    unsigned net_ids; /* generated so far */
    bool snapshot, no_reboot, no_shutdown, start_paused;
    bool daemonize;
    char *pidfile;
    char *log_items, *log_path;
    char *gdb; /* -gdb, or NULL */
} VmConfig;

VmConfig *vm_config_new(void);
void vm_config_free(VmConfig *cfg);

#endif
