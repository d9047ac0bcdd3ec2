/*
 * The ISA bus: fixed ports and sixteen interrupt lines.
 *
 * An ISA device's struct embeds IsaDevice first, its class's bus_type is "ISA". Machine lock held.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_ISA_H
#define HW_PC_ISA_H

#include "core/device.h"
#include "core/irq.h"
#include "core/memory.h"

enum { ISA_IRQS = 16 };

typedef struct IsaDevice {
    Device dev;
} IsaDevice;

typedef struct IsaBus IsaBus;

IsaBus *isa_bus_new(Machine *m, const char *name, Device *bridge, MemRegion *io, MemRegion *mem);
void isa_bus_free(IsaBus *bus);
Bus *isa_bus_qbus(IsaBus *bus);
IsaBus *isa_bus_of(IsaDevice *dev);
/* LINES: ISA_IRQS inputs of the interrupt controller(s); the bus keeps the pointer. */
void isa_bus_set_irqs(IsaBus *bus, IrqLine *lines);
IrqLine *isa_irq(IsaDevice *dev, int irq);
/* Puts an I/O region at a port of the bus; returned to be moved or freed by the device. */
MemRegion *isa_register_io(IsaDevice *dev, const char *name, const MemOps *ops, void *opaque,
                           uint16_t port, uint16_t count);
MemRegion *isa_mem(IsaBus *bus); /* the bus's memory container, address 0 = guest address 0 */

#endif
