/*
 * The 8259A interrupt controller pair of a PC, with the ELCR.
 *
 * One device is both chips: master at 20h/21h, slave at A0h/A1h on the master's input 2, edge/level
 * control at 4D0h/4D1h. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INTC_I8259_H
#define HW_INTC_I8259_H

#include "core/device.h"
#include "core/irq.h"

enum { I8259_INPUTS = 16 };

extern const DeviceClass i8259_class; /* "isa-i8259", on no bus */

/* The sixteen inputs, ISA IRQ 0..15 (2 is the cascade and not to be driven). */
IrqLine *i8259_inputs(Device *dev);
/* Where INTR goes. The line is copied and driven to its present level. */
void i8259_set_output(Device *dev, const IrqLine *intr);
/* The interrupt acknowledge cycle: the vector. A request that has gone gives the spurious vector.
 */
int i8259_ack(Device *dev);
/* True while INTR is asserted. */
bool i8259_output(const Device *dev);
/* For `info pic`. */
void i8259_print_info(Device *dev, GString *out);

#endif
