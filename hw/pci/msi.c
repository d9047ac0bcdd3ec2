/*
 * Message-signalled interrupts (PCI 3.0, 6.8.1): the MSI capability with a 64-bit address.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pci/internal.h"
#include "util/keyval.h"

/* Capability layout with a 64-bit address and no per-vector masks. */
enum {
    MSI_CONTROL = 2,
    MSI_ADDR_LOW = 4,
    MSI_ADDR_HIGH = 8,
    MSI_DATA = 12,
    MSI_CAP_SIZE = 14,
    MSI_CONTROL_ENABLE = 1 << 0,
    MSI_CONTROL_MMC_SHIFT = 1,
    MSI_CONTROL_MME_SHIFT = 4,
    MSI_CONTROL_MME = 7 << 4,
    MSI_CONTROL_64BIT = 1 << 7,
};

bool pci_msi_init(PciDevice *dev, unsigned vectors, GError **err)
{
    unsigned log2 = 0;
    uint8_t cap;

    if (vectors == 0 || vectors > 32 || (vectors & (vectors - 1))) {
        emu_set_error(err, "%s: %u MSI vectors: a power of two up to 32 is needed",
                      dev->dev.cls->name, vectors);
        return false;
    }
    while (1u << log2 < vectors) {
        log2++;
    }
    cap = pci_add_capability(dev, PCI_CAP_ID_MSI, MSI_CAP_SIZE, err);
    if (!cap) {
        return false;
    }
    pci_set(dev, cap + MSI_CONTROL, 2, MSI_CONTROL_64BIT | log2 << MSI_CONTROL_MMC_SHIFT);
    pci_set_wmask(dev, cap + MSI_CONTROL, 2, MSI_CONTROL_ENABLE | MSI_CONTROL_MME);
    pci_set_wmask(dev, cap + MSI_ADDR_LOW, 4, ~3u);
    pci_set_wmask(dev, cap + MSI_ADDR_HIGH, 4, UINT32_MAX);
    pci_set_wmask(dev, cap + MSI_DATA, 2, 0xffff);
    dev->msi_cap = cap;
    return true;
}

bool pci_msi_enabled(const PciDevice *dev)
{
    return dev->msi_cap && (pci_get(dev, dev->msi_cap + MSI_CONTROL, 2) & MSI_CONTROL_ENABLE);
}

void pci_msi_notify(PciDevice *dev, unsigned vector)
{
    uint32_t control, data, log2;
    uint64_t addr;

    if (!pci_msi_enabled(dev)) {
        return;
    }
    control = pci_get(dev, dev->msi_cap + MSI_CONTROL, 2);
    /* No more than was asked for, whatever the guest granted (6.8.1.3). */
    log2 = MIN((control & MSI_CONTROL_MME) >> MSI_CONTROL_MME_SHIFT,
               control >> MSI_CONTROL_MMC_SHIFT & 7);
    log2 = MIN(log2, 5);
    addr = pci_get(dev, dev->msi_cap + MSI_ADDR_LOW, 4) |
           (uint64_t)pci_get(dev, dev->msi_cap + MSI_ADDR_HIGH, 4) << 32;
    data = pci_get(dev, dev->msi_cap + MSI_DATA, 2);
    /* The granted low bits of the data are the vector's (6.8.1.6). */
    data = (data & ~((1u << log2) - 1)) | (vector & ((1u << log2) - 1));
    pci_bus_send_msi(dev, addr, data);
}
