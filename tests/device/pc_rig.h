/*
 * The whole PC without a guest: pc_machine_init() on CPUs that only take events.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_DEVICE_PC_RIG_H
#define TESTS_DEVICE_PC_RIG_H

#include "core/machine.h"
#include "hw/pc/pc.h"
#include "hw/pci/pci.h"

enum { PC_RIG_CPUS = 2 };

typedef struct PcRig {
    Machine m;
    Cpu cpu[PC_RIG_CPUS];
    PciBus *pci;
    unsigned resets, shutdowns; /* requests carried out */
    ShutdownCause cause;
    int status;
} PcRig;

/* Main loop and machine lock, for what has to be made before the machine. pc_rig_new() does it,
 * too. */
void pc_rig_start(void);
/* One for each process. CFG NULL: defaults with 64 MiB. Machine lock held from then on. */
PcRig *pc_rig_new(const PcConfig *cfg);
void pc_rig_done(PcRig *r); /* pc_machine_done() and a reset */

uint32_t pc_in(PcRig *r, uint16_t port, unsigned size);
void pc_out(PcRig *r, uint16_t port, uint32_t value, unsigned size);
uint32_t pc_read(PcRig *r, uint64_t addr, unsigned size);
void pc_write(PcRig *r, uint64_t addr, uint32_t value, unsigned size);
/* Configuration space through CF8h and CFCh. */
uint32_t pc_config_in(PcRig *r, int slot, int function, uint32_t reg, unsigned size);
void pc_config_out(PcRig *r, int slot, int function, uint32_t reg, uint32_t value, unsigned size);

/* A fw_cfg item by port, LEN bytes; a file by name (NULL: there is none). */
void pc_fw_cfg_read(PcRig *r, uint16_t key, void *out, size_t len);
GByteArray *pc_fw_cfg_file(PcRig *r, const char *name);
uint16_t pc_fw_cfg_key(PcRig *r, const char *name, uint32_t *size); /* 0: no such file */

#endif
