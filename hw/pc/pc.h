/*
 * The PC with i440FX and PIIX: machine "pc".
 *
 * The program creates the Machine with its address spaces, accelerator and CPUs, then calls
 * pc_machine_init(), which makes RAM, chipset, firmware and the default devices; -device comes
 * after that, then pc_machine_done(). Machine lock held throughout. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef HW_PC_PC_H
#define HW_PC_PC_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/machine.h"

typedef struct Device Device;

typedef enum PcVga { PC_VGA_NONE, PC_VGA_STD } PcVga;

enum { PC_SERIAL_MAX = 4, PC_GSIS = 24 };

typedef struct PcConfig {
    uint64_t ram_size; /* bytes, at least 1 MiB */
    const char *bios;  /* NULL: bios-256k.bin */
    PcVga vga;
    const char *serial[PC_SERIAL_MAX];    /* chardev ids of COM1..COM4, NULL: no such port */
    const char *kernel, *initrd, *append; /* direct kernel boot; NULL: none */
    bool nographic;         /* SeaBIOS talks on COM1, too (machine property graphics=off) */
    bool acpi;              /* machine properties; on by default */
    bool hpet;              /* on by default */
    bool smm;               /* as far as the accelerator can */
    const char *boot_order; /* letters a c d n, NULL: "cad" */
    const char *boot_once;  /* for the first boot, NULL: none */
    bool boot_menu;
    bool boot_strict;
    int boot_menu_wait;      /* milliseconds, -1: firmware's default */
    int boot_fail_wait;      /* milliseconds until reboot, -1: never */
    const char *boot_splash; /* BMP or JPEG file, NULL: none */
    Device **nics;           /* made and configured: realized on the PCI bus before disks are; the
                                machine's then, also if that fails */
    unsigned nic_count;
} PcConfig;

void pc_config_init(PcConfig *cfg);
/* Refuses letters that are no boot device, or come twice; for -boot order= and once=. */
bool pc_boot_order_check(const char *order, GError **err);

bool pc_machine_init(Machine *m, const PcConfig *cfg, GError **err);
/* All devices are there: boot order by bootindex, ACPI tables, CMOS. Once, before the first reset.
 */
bool pc_machine_done(Machine *m, GError **err);

/*
 * The A20 gate. While it is off, physical address bit 20 is forced to 0, done by aliases over the
 * odd megabytes of the first PC_A20_LIMIT bytes: what software that plays with the gate can reach.
 */
#define PC_A20_LIMIT (16ull << 20)
void machine_set_a20(Machine *m, bool on);
bool machine_a20(Machine *m);

#endif
