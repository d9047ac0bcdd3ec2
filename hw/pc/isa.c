/*
 * The ISA bus.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/isa.h"

struct IsaBus {
    Bus *qbus;
    MemRegion *io, *mem;
    IrqLine *lines;
};

IsaBus *isa_bus_new(Machine *m, const char *name, Device *bridge, MemRegion *io, MemRegion *mem)
{
    IsaBus *bus = g_new0(IsaBus, 1);

    (void)m;
    bus->qbus = bus_new("ISA", name, bridge);
    bus->qbus->opaque = bus;
    bus->io = io;
    bus->mem = mem;
    return bus;
}

void isa_bus_free(IsaBus *bus)
{
    bus_free(bus->qbus);
    g_free(bus);
}

Bus *isa_bus_qbus(IsaBus *bus)
{
    return bus->qbus;
}

IsaBus *isa_bus_of(IsaDevice *dev)
{
    return dev->dev.parent->opaque;
}

void isa_bus_set_irqs(IsaBus *bus, IrqLine *lines)
{
    bus->lines = lines;
}

IrqLine *isa_irq(IsaDevice *dev, int irq)
{
    IsaBus *bus = isa_bus_of(dev);

    g_assert(irq >= 0 && irq < ISA_IRQS);
    return bus->lines ? &bus->lines[irq] : NULL;
}

MemRegion *isa_register_io(IsaDevice *dev, const char *name, const MemOps *ops, void *opaque,
                           uint16_t port, uint16_t count)
{
    MemRegion *mr = mem_region_io(name, ops, opaque, count);

    mem_region_add(isa_bus_of(dev)->io, port, mr, 0);
    return mr;
}

MemRegion *isa_mem(IsaBus *bus)
{
    return bus->mem;
}
