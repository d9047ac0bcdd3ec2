/*
 * Intel 440FX: host bridge of the PC, with its PCI bus, configuration ports, shadow RAM and SMRAM.
 * Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_I440FX_H
#define HW_PC_I440FX_H

#include "core/device.h"
#include "core/memory.h"
#include "hw/pci/pci.h"

/* The host bus side, on the system bus: owns bus "pci.0" and the ports CF8h..CFFh. */
extern const DeviceClass i440fx_host_class;
/* Function 00.0 of that bus: the PAM and SMRAM registers. Only with i440fx_host. */
extern const DeviceClass i440fx_class;

PciBus *i440fx_host_bus(Device *host);
/* What PCI memory cycles reach; the host bridge maps it below everything else. Address 0 is guest
 * address 0. */
MemRegion *i440fx_host_pci_mem(Device *host);
/* The byte at CF9h inside the configuration address port belongs to the south bridge: byte accesses
 * to it go to OPS (with address 0). */
void i440fx_host_set_cf9(Device *host, const MemOps *ops, void *opaque);

/* Of an i440FX: memory as a CPU in system management mode sees it, for machine->smm_memory. */
MemRegion *i440fx_smm_root(Device *dev);

/* Maps the machine's RAM by its below_4g and above_4g, without the parts that have their own
 * mapping (A0000h..FFFFFh). */
void i440fx_map_ram(Machine *m);

#endif
