/*
 * The I/O APIC, Intel 82093AA. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INTC_IOAPIC_H
#define HW_INTC_IOAPIC_H

#include "core/device.h"
#include "core/irq.h"

enum { IOAPIC_INPUTS = 24 };
#define IOAPIC_DEFAULT_BASE 0xfec00000u

extern const DeviceClass ioapic_class; /* "ioapic", on no bus; maps itself */

IrqLine *ioapic_inputs(Device *dev);
/* An EOI message for VECTOR arrived: to be given to apic_set_eoi_handler(). */
void ioapic_eoi(Device *dev, uint8_t vector);
void ioapic_print_info(Device *dev, GString *out); /* info pic */

#endif
