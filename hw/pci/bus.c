/*
 * A PCI bus: which device sits at which slot and function, configuration cycles, and the wires of
 * the interrupt pins, each of which several devices share (PCI 3.0, 2.2.6: level, wired-or).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/machine.h"
#include "hw/pci/internal.h"
#include "util/keyval.h"

/* ---- addresses ---- */

static bool slot_is_free(const PciBus *bus, int slot)
{
    for (int f = 0; f < 8; f++) {
        if (bus->devices[slot << 3 | f]) {
            return false;
        }
    }
    return true;
}

/* The function 0 of a slot that has more must say so, or no one looks for them. */
static bool check_multifunction(const PciBus *bus, PciDevice *dev, int devfn, GError **err)
{
    const PciDevice *zero = bus->devices[devfn & ~7];
    bool self = pci_class(dev)->multifunction || dev->multifunction_prop;

    if (devfn & 7) {
        if (zero && !(zero->config[PCI_HEADER_TYPE] & PCI_HEADER_MULTIFUNCTION)) {
            emu_set_error(
                err,
                "%s: PCI slot %02x is taken by %s, a single-function device; give that one "
                "multifunction=on or choose another addr=",
                dev->dev.cls->name, devfn >> 3, zero->dev.cls->name);
            return false;
        }
        return true;
    }
    for (int f = 1; f < 8 && !self; f++) {
        if (bus->devices[devfn | f]) {
            emu_set_error(err,
                          "%s: PCI slot %02x has further functions, so addr=%02x.0 needs "
                          "multifunction=on",
                          dev->dev.cls->name, devfn >> 3, devfn >> 3);
            return false;
        }
    }
    return true;
}

static int choose_devfn(PciBus *bus, PciDevice *dev, GError **err)
{
    int devfn = dev->devfn_prop;

    if (devfn < 0) {
        for (int slot = 0; slot < 32; slot++) {
            if (slot_is_free(bus, slot)) {
                return slot << 3;
            }
        }
        emu_set_error(err, "%s: no free slot on PCI bus %s (it has 32)", dev->dev.cls->name,
                      bus->qbus->name);
        return -1;
    }
    if (devfn >= PCI_DEVFNS) {
        emu_set_error(err, "%s: addr must be between 00.0 and 1f.7", dev->dev.cls->name);
        return -1;
    }
    if (bus->devices[devfn]) {
        emu_set_error(err, "%s: PCI address %02x.%x on %s is taken by %s", dev->dev.cls->name,
                      devfn >> 3, devfn & 7, bus->qbus->name, bus->devices[devfn]->dev.cls->name);
        return -1;
    }
    return check_multifunction(bus, dev, devfn, err) ? devfn : -1;
}

static bool pci_bus_attach(Bus *qbus, Device *device, GError **err)
{
    PciBus *bus = qbus->opaque;
    PciDevice *dev = (PciDevice *)device;
    int devfn = choose_devfn(bus, dev, err);

    if (devfn < 0) {
        return false;
    }
    dev->bus = bus;
    dev->devfn = (uint8_t)devfn;
    if (!pci_device_init(dev, err)) {
        dev->bus = NULL;
        return false;
    }
    bus->devices[devfn] = dev;
    return true;
}

static void pci_bus_detach(Bus *qbus, Device *device)
{
    PciBus *bus = qbus->opaque;
    PciDevice *dev = (PciDevice *)device;

    pci_device_fini(dev);
    if (pci_class(dev)->detached) {
        pci_class(dev)->detached(dev);
    }
    bus->devices[dev->devfn] = NULL;
    dev->bus = NULL;
}

static void pci_bus_describe(Bus *qbus, Device *device, GString *out)
{
    const PciDevice *dev = (const PciDevice *)device;

    (void)qbus;
    g_string_append_printf(out, "addr %02x.%x, id %04x:%04x", dev->devfn >> 3, dev->devfn & 7,
                           pci_get(dev, PCI_VENDOR_ID, 2), pci_get(dev, PCI_DEVICE_ID, 2));
}

/* ---- life ---- */

PciBus *pci_bus_new(Machine *m, const char *name, Device *host, MemRegion *mem, MemRegion *io)
{
    PciBus *bus = g_new0(PciBus, 1);

    bus->qbus = bus_new("PCI", name, host);
    bus->qbus->attach = pci_bus_attach;
    bus->qbus->detach = pci_bus_detach;
    bus->qbus->describe = pci_bus_describe;
    bus->qbus->opaque = bus;
    bus->machine = m;
    bus->mem = mem;
    bus->io = io;
    bus->no_dma_root = mem_region_container("pci-no-dma", UINT64_MAX);
    address_space_init(&bus->no_dma, bus->no_dma_root, "pci-no-dma");
    return bus;
}

void pci_bus_free(PciBus *bus)
{
    bus_free(bus->qbus);
    address_space_fini(&bus->no_dma);
    mem_region_free(bus->no_dma_root);
    g_free(bus);
}

Bus *pci_bus_qbus(PciBus *bus)
{
    return bus->qbus;
}

PciBus *pci_bus_from_qbus(Bus *bus)
{
    return bus && g_str_equal(bus->type, "PCI") ? bus->opaque : NULL;
}

PciDevice *pci_bus_device(PciBus *bus, uint8_t devfn)
{
    return bus->devices[devfn];
}

void pci_bus_reset(PciBus *bus)
{
    for (int i = 0; i < PCI_DEVFNS; i++) {
        if (bus->devices[i]) {
            pci_device_reset(bus->devices[i]);
        }
    }
}

/* ---- configuration cycles ---- */

uint32_t pci_config_read(PciBus *bus, uint8_t devfn, uint32_t addr, unsigned size)
{
    PciDevice *dev = bus->devices[devfn];

    if (!dev) {
        return UINT32_MAX; /* master abort (PCI 3.0, 6.1) */
    }
    return pci_device_config_read(dev, addr, size);
}

void pci_config_write(PciBus *bus, uint8_t devfn, uint32_t addr, uint32_t value, unsigned size)
{
    PciDevice *dev = bus->devices[devfn];

    if (dev) {
        pci_device_config_write(dev, addr, value, size);
    }
}

/* ---- interrupts ---- */

void pci_bus_set_irqs(PciBus *bus, IrqHandler set_irq, void *opaque, int lines, PciIrqMap map)
{
    g_assert(lines <= PCI_BUS_LINES_MAX);
    bus->set_irq = set_irq;
    bus->irq_opaque = opaque;
    bus->lines = lines;
    bus->irq_map = map;
}

void pci_bus_change_irq(PciBus *bus, const PciDevice *dev, int change)
{
    int pin = pci_class(dev)->interrupt_pin - 1;
    int line;

    if (!bus->irq_map || pin < 0) {
        return;
    }
    line = bus->irq_map(bus, dev->devfn, pin);
    if (line < 0 || line >= bus->lines) {
        return;
    }
    bus->line_users[line] += change;
    bus->set_irq(bus->irq_opaque, line, bus->line_users[line] != 0);
}

int pci_bus_irq_level(PciBus *bus, int line)
{
    return bus->line_users[line] != 0;
}

void pci_bus_set_msi_handler(PciBus *bus, void (*fn)(void *opaque, uint64_t addr, uint32_t data),
                             void *opaque)
{
    bus->msi = fn;
    bus->msi_opaque = opaque;
}

/* A message is a memory write by the device (PCI 3.0, 6.8), hence none without bus mastering. */
void pci_bus_send_msi(PciDevice *dev, uint64_t addr, uint32_t data)
{
    PciBus *bus = dev->bus;

    if (!(dev->config[PCI_COMMAND] & PCI_COMMAND_MASTER)) {
        return;
    }
    if (bus->msi) {
        bus->msi(bus->msi_opaque, addr, data);
    } else {
        address_space_store(&bus->machine->memory, addr, data, 4);
    }
}
