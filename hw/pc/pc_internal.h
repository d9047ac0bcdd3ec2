/*
 * What the files that make up the PC share.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_PC_INTERNAL_H
#define HW_PC_PC_INTERNAL_H

#include "core/irq.h"
#include "core/machine.h"
#include "hw/pc/fw_cfg.h"
#include "hw/pc/pc.h"
#include "hw/pci/pci.h"

/*
 * Where the board's interrupt wires end, whoever holds the controllers: the devices here or the
 * accelerator. GSI 0..15 are the ISA interrupts, on PIC and I/O APIC both; 0 is the timer's, which
 * the I/O APIC has on its input 2.
 */
typedef struct InterruptWiring {
    IrqLine gsi[PC_GSIS];
    IrqLine *pic, *ioapic; /* inputs of the devices; NULL when the accelerator holds them */
} InterruptWiring;

enum { PC_A20_ALIASES = PC_A20_LIMIT >> 21 };

/* The board itself is a device, so that what is not in any chip is reset and saved, too. */
typedef struct PcMachine {
    Device dev;
    PcConfig cfg; /* strings belong to the caller of pc_machine_init() and last as long */
    char *boot_order;
    bool boot_once_over;
    InterruptWiring irq;
    Device *host, *i440fx, *piix3, *ide, *pm, *rtc, *pic, *ioapic, *vga, *fdc, *hpet;
    FwCfg *fw;
    Bus *pci, *isa;
    bool smm; /* wanted, and the accelerator has it */
    RamBlock *bios;
    uint8_t a20;
    MemRegion *a20_alias[PC_A20_ALIASES];
} PcMachine;

extern const DeviceClass pc_board_class;

static inline PcMachine *pc_machine(Machine *m)
{
    return m->board;
}

/* pc_memory.c */
bool pc_memory_init(PcMachine *pc, GError **err);
bool pc_bios_load(PcMachine *pc, GError **err);
/* Start of the window for PCI memory below 4 GiB, as SeaBIOS chooses it. */
uint32_t pc_pci_window_start(const Machine *m);

/* pc_drives.c */
bool pc_drives_init(PcMachine *pc, GError **err);

/* pc_firmware.c: fw_cfg items and CMOS. */
bool pc_firmware_init(PcMachine *pc, GError **err);
void pc_cmos_boot_order(PcMachine *pc, const char *order);

/* bootorder.c: the devices with a bootindex, as the file "bootorder"; empty when there are none. */
GString *pc_bootorder(Machine *m, GError **err);

/* linux_boot.c: the kernel of -kernel, and the option ROM (in genroms/) that boots it. */
#define PC_LINUX_ROM "linuxboot.bin"
bool pc_linux_boot(PcMachine *pc, GError **err);

/* acpi_tables.c: etc/acpi/tables, etc/acpi/rsdp, etc/table-loader. */
void pc_acpi_init(PcMachine *pc);
/* smbios.c: etc/smbios/... */
void pc_smbios_init(PcMachine *pc);

#endif
