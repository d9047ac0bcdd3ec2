/*
 * What the files of hw/pci share among themselves.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PCI_INTERNAL_H
#define HW_PCI_INTERNAL_H

#include "hw/pci/pci.h"

enum { PCI_DEVFNS = 256, PCI_BUS_LINES_MAX = 32 };

struct PciBus {
    Bus *qbus;
    Machine *machine;
    MemRegion *mem, *io;
    PciDevice *devices[PCI_DEVFNS];
    IrqHandler set_irq;
    void *irq_opaque;
    PciIrqMap irq_map;
    int lines;
    int line_users[PCI_BUS_LINES_MAX]; /* how many devices assert each line */
    void (*msi)(void *opaque, uint64_t addr, uint32_t data);
    void *msi_opaque;
    MemRegion *no_dma_root; /* empty: where DMA goes without bus mastering */
    AddressSpace no_dma;
};

static inline const PciClass *pci_class(const PciDevice *dev)
{
    return dev->dev.cls->bus_class;
}

/* pci.c: fills the header, before realize; takes back what the device registered. */
bool pci_device_init(PciDevice *dev, GError **err);
void pci_device_fini(PciDevice *dev);
uint32_t pci_device_config_read(PciDevice *dev, uint32_t addr, unsigned size);
void pci_device_config_write(PciDevice *dev, uint32_t addr, uint32_t value, unsigned size);
/* Maps and unmaps BARs and sets the pin's level as configuration space says. */
void pci_update_mappings(PciDevice *dev);
void pci_update_irq(PciDevice *dev);

/* bus.c */
void pci_bus_change_irq(PciBus *bus, const PciDevice *dev, int change);
void pci_bus_send_msi(PciDevice *dev, uint64_t addr, uint32_t data);

/* rom.c */
bool pci_rom_init(PciDevice *dev, GError **err);

/* msix.c: delivers what became deliverable when the capability's control word changed. */
void pci_msix_control_written(PciDevice *dev);

#endif
