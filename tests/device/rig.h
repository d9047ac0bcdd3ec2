/*
 * A machine without firmware or processor, to poke devices in: address spaces, an ISA bus whose
 * interrupt lines are counted, CPUs that only take events.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_DEVICE_RIG_H
#define TESTS_DEVICE_RIG_H

#include <glib.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/device.h"
#include "core/irq.h"
#include "core/machine.h"
#include "hw/pc/isa.h"

enum { RIG_CPUS = 4 };

typedef struct Rig {
    Machine m;
    Cpu cpu[RIG_CPUS];
    IsaBus *isa;
    IrqLine irqs[ISA_IRQS];
    int level[ISA_IRQS];
    unsigned edges[ISA_IRQS]; /* rising */
} Rig;

/* Once per process; takes the machine lock and stops CLOCK_VM at one second. */
Rig *rig_new(int cpus);
Device *rig_isa(Rig *r, const DeviceClass *cls);
Device *rig_system(Rig *r, const DeviceClass *cls);
uint8_t rig_in(Rig *r, uint16_t port);
void rig_out(Rig *r, uint16_t port, uint8_t value);
uint32_t rig_read32(Rig *r, uint64_t addr);
void rig_write32(Rig *r, uint64_t addr, uint32_t value);
/* CLOCK_VM at NS nanoseconds after the start; timers do not run. */
void rig_at(int64_t ns);
/* Lets CLOCK_VM and the main loop run for NS nanoseconds. */
void rig_run(int64_t ns);
/* Saves DEV's state, resets it, and loads the state again. */
void rig_save_load(Device *dev);
/* A 64 MiB RAM at address 0. */
void rig_add_ram(Rig *r);

#endif
