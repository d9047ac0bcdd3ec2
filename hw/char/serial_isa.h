/*
 * A serial port of a PC: a 16550A on the ISA bus.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_CHAR_SERIAL_ISA_H
#define HW_CHAR_SERIAL_ISA_H

#include "core/device.h"

extern const DeviceClass
    serial_isa_class; /* "isa-serial"; properties index, iobase, irq, chardev */

/* Port address of DEV, for tables firmware reads (BIOS data, ACPI); its IRQ and number, 0 for COM1.
 */
uint16_t serial_isa_iobase(const Device *dev);
int serial_isa_irq(const Device *dev);
int serial_isa_index(const Device *dev);

#endif
