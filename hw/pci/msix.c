/*
 * MSI-X (PCI 3.0, 6.8.2): a table of messages and an array of pending bits in one page of memory.
 *
 * A vector that is masked, by its own bit or by the function's, pends; unmasking delivers it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/pci/internal.h"
#include "util/keyval.h"

enum {
    MSIX_CONTROL = 2,
    MSIX_TABLE = 4,
    MSIX_PBA = 8,
    MSIX_CAP_SIZE = 12,
    MSIX_CONTROL_MASK_ALL = 1 << 14,
    MSIX_CONTROL_ENABLE = 1 << 15,

    ENTRY_ADDR_LOW = 0,
    ENTRY_ADDR_HIGH = 4,
    ENTRY_DATA = 8,
    ENTRY_VECTOR_CONTROL = 12,
    VECTOR_CONTROL_MASKED = 1,

    MSIX_PAGE = 4096,
};

static uint32_t entry_get(const PciDevice *dev, unsigned vector, unsigned field)
{
    uint32_t value;

    memcpy(&value, &dev->msix_table[vector * PCI_MSIX_ENTRY + field], 4);
    return GUINT32_FROM_LE(value);
}

static void entry_set(PciDevice *dev, unsigned vector, unsigned field, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    memcpy(&dev->msix_table[vector * PCI_MSIX_ENTRY + field], &value, 4);
}

static uint32_t msix_control(const PciDevice *dev)
{
    return dev->msix_cap ? pci_get(dev, dev->msix_cap + MSIX_CONTROL, 2) : 0;
}

bool pci_msix_enabled(const PciDevice *dev)
{
    return msix_control(dev) & MSIX_CONTROL_ENABLE;
}

bool pci_msix_vector_masked(const PciDevice *dev, unsigned vector)
{
    return (msix_control(dev) & MSIX_CONTROL_MASK_ALL) ||
           (entry_get(dev, vector, ENTRY_VECTOR_CONTROL) & VECTOR_CONTROL_MASKED);
}

static void send_vector(PciDevice *dev, unsigned vector)
{
    uint64_t addr = entry_get(dev, vector, ENTRY_ADDR_LOW) & ~3u;

    addr |= (uint64_t)entry_get(dev, vector, ENTRY_ADDR_HIGH) << 32;
    pci_bus_send_msi(dev, addr, entry_get(dev, vector, ENTRY_DATA));
}

void pci_msix_notify(PciDevice *dev, unsigned vector)
{
    if (!pci_msix_enabled(dev) || vector >= dev->msix_vectors) {
        return;
    }
    if (pci_msix_vector_masked(dev, vector)) {
        dev->msix_pba[vector / 8] |= (uint8_t)(1u << (vector % 8));
    } else {
        send_vector(dev, vector);
    }
}

static void deliver_pending(PciDevice *dev, unsigned vector)
{
    uint8_t bit = (uint8_t)(1u << (vector % 8));

    if ((dev->msix_pba[vector / 8] & bit) && pci_msix_enabled(dev) &&
        !pci_msix_vector_masked(dev, vector)) {
        dev->msix_pba[vector / 8] &= (uint8_t)~bit;
        send_vector(dev, vector);
    }
}

void pci_msix_control_written(PciDevice *dev)
{
    for (unsigned i = 0; i < dev->msix_vectors; i++) {
        deliver_pending(dev, i);
    }
}

static uint64_t msix_read(void *opaque, hwaddr addr, unsigned size)
{
    const PciDevice *dev = opaque;
    uint32_t value = 0;

    if (addr + size <= dev->msix_table_len) {
        memcpy(&value, &dev->msix_table[addr], size);
    } else if (addr >= PCI_MSIX_PBA_OFFSET &&
               addr + size <= PCI_MSIX_PBA_OFFSET + sizeof(dev->msix_pba)) {
        memcpy(&value, &dev->msix_pba[addr - PCI_MSIX_PBA_OFFSET], size);
    }
    return GUINT32_FROM_LE(value);
}

static void msix_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    PciDevice *dev = opaque;
    unsigned vector = (unsigned)(addr / PCI_MSIX_ENTRY), field = addr % PCI_MSIX_ENTRY;

    if (addr + size > dev->msix_table_len || addr % 4) {
        return; /* the pending bits are read-only (6.8.2.10) */
    }
    if (field == ENTRY_VECTOR_CONTROL) {
        value &= VECTOR_CONTROL_MASKED;
    }
    entry_set(dev, vector, field, (uint32_t)value);
    deliver_pending(dev, vector);
}

static const MemOps msix_ops = {
    .read = msix_read, .write = msix_write, .min_size = 4, .max_size = 4};

bool pci_msix_init(PciDevice *dev, unsigned vectors, int bar, GError **err)
{
    uint8_t cap;

    if (vectors == 0 || vectors > PCI_MSIX_VECTORS) {
        emu_set_error(err, "%s: %u MSI-X vectors: between 1 and %d are possible",
                      dev->dev.cls->name, vectors, PCI_MSIX_VECTORS);
        return false;
    }
    cap = pci_add_capability(dev, PCI_CAP_ID_MSIX, MSIX_CAP_SIZE, err);
    if (!cap) {
        return false;
    }
    pci_set(dev, cap + MSIX_CONTROL, 2, vectors - 1);
    pci_set_wmask(dev, cap + MSIX_CONTROL, 2, MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK_ALL);
    pci_set(dev, cap + MSIX_TABLE, 4, (uint32_t)bar);
    pci_set(dev, cap + MSIX_PBA, 4, PCI_MSIX_PBA_OFFSET | (uint32_t)bar);
    dev->msix_cap = cap;
    dev->msix_vectors = vectors;
    dev->msix_table_len = vectors * PCI_MSIX_ENTRY;
    pci_msix_reset(dev);
    pci_register_bar_mem(dev, bar, mem_region_io("msix", &msix_ops, dev, MSIX_PAGE), false, false);
    return true;
}

void pci_msix_reset(PciDevice *dev)
{
    if (!dev->msix_cap) {
        return;
    }
    pci_set(dev, dev->msix_cap + MSIX_CONTROL, 2, dev->msix_vectors - 1);
    memset(dev->msix_table, 0, sizeof(dev->msix_table));
    memset(dev->msix_pba, 0, sizeof(dev->msix_pba));
    for (unsigned i = 0; i < dev->msix_vectors; i++) {
        entry_set(dev, i, ENTRY_VECTOR_CONTROL, VECTOR_CONTROL_MASKED);
    }
}
