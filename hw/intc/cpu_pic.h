/*
 * What stands in a CPU's place of a local APIC when it has none: the 8259's INTR goes straight to
 * the CPU's pin (cpu model with -apic).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INTC_CPU_PIC_H
#define HW_INTC_CPU_PIC_H

#include "core/cpu.h"
#include "core/device.h"
#include "core/irq.h"

extern const DeviceClass cpu_pic_class; /* "cpu-pic", on no bus; property "cpu-index" */

/* The CPU's INTR pin, to be given to i8259_set_output(). */
IrqLine *cpu_pic_intr(Device *dev);
/* Where the vector comes from (i8259_ack). Called under the machine lock. */
void cpu_pic_set_ack(Device *dev, int (*ack)(Device *pic), Device *pic);

#endif
