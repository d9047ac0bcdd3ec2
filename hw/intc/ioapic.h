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

/* Where its messages go, when that is not to this program's local APICs. */
typedef struct IoapicBus {
    /* Sends DATA to ADDR as an MSI; whether a local APIC took it. */
    bool (*send)(void *opaque, uint64_t addr, uint32_t data);
    /* What input N would send has changed; not at all when it is MASKED. */
    void (*changed)(void *opaque, int n, uint64_t addr, uint32_t data, bool masked);
} IoapicBus;
/* Before the machine is reset first. OPAQUE is given to the calls. */
void ioapic_set_bus(Device *dev, const IoapicBus *bus, void *opaque);

IrqLine *ioapic_inputs(Device *dev);
/* An EOI message for VECTOR arrived: to be given to apic_set_eoi_handler(). */
void ioapic_eoi(Device *dev, uint8_t vector);
void ioapic_print_info(Device *dev, GString *out); /* info pic */

#endif
