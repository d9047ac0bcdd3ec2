/*
 * PIIX3, function 0: PCI to ISA bridge. Owns the bus "isa.0", steers the PCI interrupt lines to ISA
 * interrupts, and has the reset control register at CF9h. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_PIIX3_H
#define HW_PC_PIIX3_H

#include "core/device.h"
#include "core/irq.h"
#include "hw/pc/isa.h"

extern const DeviceClass piix3_class; /* on an i440FX's bus */

IsaBus *piix3_isa_bus(Device *dev);
/* LINES: the ISA_IRQS inputs of the interrupt controllers; kept. For the ISA bus and PIRQA#..D#. */
void piix3_set_irqs(Device *dev, IrqLine *lines);

#endif
