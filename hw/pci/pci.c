/*
 * A PCI device's configuration space (PCI Local Bus 3.0, chapter 6): header, BARs, capabilities,
 * pin.
 *
 * The header lives in PciDevice.config with two masks beside it: the bits a guest can write, and
 * those it clears by writing ones. After every write the consequences (which BARs are mapped where,
 * whether the pin may be driven) are derived anew from the bytes, which is also all that loading a
 * saved state has to do.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/machine.h"
#include "hw/pci/internal.h"
#include "util/keyval.h"

const Property pci_props[] = {
    {.name = "addr",
     .type = PROP_DEVFN,
     PROP_FIELD(PciDevice, devfn_prop),
     .default_value = "-1",
     .description = "slot and optional function as in 06.0; -1: the first free slot"},
    {.name = "romfile",
     .type = PROP_STRING,
     PROP_FIELD(PciDevice, romfile_prop),
     .description = "option ROM, empty: none (default: the device's own)"},
    {.name = "rombar",
     .type = PROP_BOOL,
     PROP_FIELD(PciDevice, rombar_prop),
     .default_value = "on",
     .description = "show the option ROM to the guest"},
    {.name = "multifunction",
     .type = PROP_BOOL,
     PROP_FIELD(PciDevice, multifunction_prop),
     .default_value = "off",
     .description = "function 0 announces further functions"},
    {.type = PROP_END},
};

uint32_t pci_get(const PciDevice *dev, uint32_t addr, unsigned size)
{
    uint32_t value = 0;

    g_assert(size <= 4 && addr + size <= PCI_CONFIG_SIZE);
    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)dev->config[addr + i] << (8 * i);
    }
    return value;
}

static void put_bytes(uint8_t *bytes, uint32_t addr, unsigned size, uint32_t value)
{
    g_assert(size <= 4 && addr + size <= PCI_CONFIG_SIZE);
    for (unsigned i = 0; i < size; i++) {
        bytes[addr + i] = (uint8_t)(value >> (8 * i));
    }
}

void pci_set(PciDevice *dev, uint32_t addr, unsigned size, uint32_t value)
{
    put_bytes(dev->config, addr, size, value);
}

void pci_set_wmask(PciDevice *dev, uint32_t addr, unsigned size, uint32_t mask)
{
    put_bytes(dev->wmask, addr, size, mask);
}

static uint32_t get_wmask(const PciDevice *dev, uint32_t addr, unsigned size)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < size; i++) {
        mask |= (uint32_t)dev->wmask[addr + i] << (8 * i);
    }
    return mask;
}

/* Clears the bits a guest can write. */
static void clear_writable(PciDevice *dev, uint32_t addr, unsigned size)
{
    pci_set(dev, addr, size, pci_get(dev, addr, size) & ~get_wmask(dev, addr, size));
}

/* ---- BARs ---- */

static uint32_t bar_offset(int bar)
{
    return bar == PCI_ROM_BAR ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * (uint32_t)bar;
}

static void register_bar(PciDevice *dev, int bar, MemRegion *region, bool io, bool mem64,
                         bool prefetch)
{
    uint32_t offset = bar_offset(bar);
    uint64_t size = mem_region_size(region);

    g_assert(bar >= 0 && bar <= PCI_ROM_BAR && !dev->bars[bar].region);
    g_assert(size >= (io ? 4 : 16) && (size & (size - 1)) == 0);
    g_assert(!mem64 || bar < PCI_BARS - 1);
    dev->bars[bar] = (PciBar){.region = region,
                              .size = size,
                              .io = io,
                              .mem64 = mem64,
                              .prefetch = prefetch,
                              .mapped_at = UINT64_MAX};
    if (bar == PCI_ROM_BAR) {
        pci_set(dev, offset, 4, 0);
        pci_set_wmask(dev, offset, 4, (uint32_t) ~(size - 1) | 1);
        return;
    }
    pci_set(dev, offset, 4, io ? 1 : (mem64 ? 4u : 0) | (prefetch ? 8u : 0));
    pci_set_wmask(dev, offset, 4, (uint32_t) ~(size - 1));
    if (mem64) {
        pci_set_wmask(dev, offset + 4, 4, (uint32_t)(~(size - 1) >> 32));
    }
}

void pci_register_bar_mem(PciDevice *dev, int bar, MemRegion *region, bool mem64, bool prefetch)
{
    register_bar(dev, bar, region, false, mem64, prefetch);
}

void pci_register_bar_io(PciDevice *dev, int bar, MemRegion *region)
{
    register_bar(dev, bar, region, true, false, false);
}

/*
 * Where BAR's bits place it, UINT64_MAX while it is nowhere: decoding is off, or the address is
 * zero or one that sizing (all ones) leaves behind.
 */
static uint64_t bar_address(const PciDevice *dev, int bar)
{
    const PciBar *b = &dev->bars[bar];
    uint16_t command = (uint16_t)pci_get(dev, PCI_COMMAND, 2);
    uint32_t low = pci_get(dev, bar_offset(bar), 4);
    uint64_t addr = low & ~(uint32_t)(b->size - 1);
    uint64_t limit = b->io ? 0x10000 : 0x100000000ull;

    if (!(command & (b->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY))) {
        return UINT64_MAX;
    }
    if (bar == PCI_ROM_BAR && !(low & 1)) {
        return UINT64_MAX;
    }
    if (b->mem64) {
        addr |= (uint64_t)pci_get(dev, bar_offset(bar) + 4, 4) << 32;
        addr &= ~(b->size - 1);
        limit = 1ull << 52;
    }
    if (addr == 0 || addr >= limit || b->size >= limit - addr) {
        return UINT64_MAX;
    }
    return addr;
}

void pci_update_mappings(PciDevice *dev)
{
    mem_transaction_begin();
    for (int i = 0; i <= PCI_ROM_BAR; i++) {
        PciBar *b = &dev->bars[i];
        uint64_t addr;

        if (!b->region) {
            continue;
        }
        addr = bar_address(dev, i);
        if (addr == b->mapped_at) {
            continue;
        }
        if (b->mapped_at != UINT64_MAX) {
            mem_region_remove(b->region);
        }
        if (addr != UINT64_MAX) {
            mem_region_add(b->io ? dev->bus->io : dev->bus->mem, addr, b->region, 1);
        }
        b->mapped_at = addr;
    }
    mem_transaction_commit();
}

/* ---- capabilities ---- */

uint8_t pci_add_capability(PciDevice *dev, uint8_t cap_id, uint8_t size, GError **err)
{
    uint8_t offset = dev->cap_end;
    uint32_t end = (offset + (uint32_t)size + 3) & ~3u;

    if (end > PCI_CONFIG_SIZE) {
        emu_set_error(err, "%s: no room for capability %02x of %u bytes in configuration space",
                      dev->dev.cls->name, cap_id, size);
        return 0;
    }
    dev->config[offset] = cap_id;
    dev->config[offset + 1] = dev->config[PCI_CAPABILITY_LIST];
    dev->config[PCI_CAPABILITY_LIST] = offset;
    dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    dev->cap_end = (uint8_t)MIN(end, 0xff);
    return offset;
}

/* ---- the pin ---- */

void pci_update_irq(PciDevice *dev)
{
    bool disabled = pci_get(dev, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE;
    bool asserted = dev->irq_level && !disabled && dev->config[PCI_INTERRUPT_PIN];

    if (dev->irq_level) {
        dev->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    } else {
        dev->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
    }
    if (asserted != dev->irq_asserted) {
        dev->irq_asserted = asserted;
        pci_bus_change_irq(dev->bus, dev, asserted ? 1 : -1);
    }
}

void pci_set_irq(PciDevice *dev, int level)
{
    if (dev->irq_level != (level != 0)) {
        dev->irq_level = level != 0;
        pci_update_irq(dev);
    }
}

/* ---- accesses ---- */

uint32_t pci_device_config_read(PciDevice *dev, uint32_t addr, unsigned size)
{
    uint32_t value;

    if (addr + size > PCI_CONFIG_SIZE) {
        return UINT32_MAX;
    }
    value = pci_get(dev, addr, size);
    if (pci_class(dev)->config_read) {
        value = pci_class(dev)->config_read(dev, addr, size, value);
    }
    return value;
}

static bool ranges_meet(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
    return a < b + b_len && b < a + a_len;
}

void pci_device_config_write(PciDevice *dev, uint32_t addr, uint32_t value, unsigned size)
{
    if (addr + size > PCI_CONFIG_SIZE) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        uint8_t mask = dev->wmask[addr + i];
        uint8_t *reg = &dev->config[addr + i];

        *reg = (uint8_t)((*reg & ~mask) | (byte & mask));
        *reg &= (uint8_t) ~(byte & dev->w1cmask[addr + i]);
    }
    if (ranges_meet(addr, size, PCI_COMMAND, 2) ||
        ranges_meet(addr, size, PCI_BASE_ADDRESS_0, 4 * PCI_BARS) ||
        ranges_meet(addr, size, PCI_ROM_ADDRESS, 4)) {
        pci_update_mappings(dev);
        pci_update_irq(dev);
    }
    if (dev->msix_cap && ranges_meet(addr, size, dev->msix_cap + 2u, 2)) {
        pci_msix_control_written(dev);
    }
    if (pci_class(dev)->config_written) {
        pci_class(dev)->config_written(dev, addr, size);
    }
}

AddressSpace *pci_dma_as(PciDevice *dev)
{
    if (dev->config[PCI_COMMAND] & PCI_COMMAND_MASTER) {
        return &dev->dev.machine->memory;
    }
    return &dev->bus->no_dma;
}

/* ---- life ---- */

bool pci_device_init(PciDevice *dev, GError **err)
{
    const PciClass *cls = pci_class(dev);
    bool subsystem = cls->subsystem_vendor_id || cls->subsystem_id;

    memset(dev->config, 0, sizeof(dev->config));
    memset(dev->wmask, 0, sizeof(dev->wmask));
    memset(dev->w1cmask, 0, sizeof(dev->w1cmask));
    memset(dev->bars, 0, sizeof(dev->bars));
    dev->msi_cap = dev->msix_cap = 0;
    dev->msix_vectors = dev->msix_table_len = 0;
    dev->irq_level = dev->irq_asserted = 0;
    dev->cap_end = 0x40;

    pci_set(dev, PCI_VENDOR_ID, 2, cls->vendor_id);
    dev->device_id = cls->device_id;
    pci_set(dev, PCI_DEVICE_ID, 2, cls->device_id);
    dev->config[PCI_REVISION_ID] = cls->revision;
    pci_set(dev, PCI_CLASS_PROG, 3, cls->class_code);
    if (!cls->bridge) {
        pci_set(dev, PCI_SUBSYSTEM_VENDOR_ID, 2, subsystem ? cls->subsystem_vendor_id : 0x1af4);
        pci_set(dev, PCI_SUBSYSTEM_ID, 2, subsystem ? cls->subsystem_id : 0x1100);
    }
    dev->config[PCI_INTERRUPT_PIN] = cls->interrupt_pin;
    if (cls->multifunction || dev->multifunction_prop) {
        dev->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTIFUNCTION;
    }
    pci_set_wmask(dev, PCI_COMMAND, 2,
                  PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
                      PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
    dev->w1cmask[PCI_STATUS + 1] = 0xf9; /* the error bits (PCI 3.0, 6.2.3) */
    dev->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
    dev->wmask[PCI_LATENCY_TIMER] = 0xff;
    dev->wmask[PCI_INTERRUPT_LINE] = 0xff;
    return pci_rom_init(dev, err);
}

void pci_device_fini(PciDevice *dev)
{
    dev->irq_level = 0;
    pci_update_irq(dev);
    pci_set(dev, PCI_COMMAND, 2, 0);
    pci_update_mappings(dev);
    for (int i = 0; i <= PCI_ROM_BAR; i++) {
        if (dev->bars[i].region) {
            mem_region_free(dev->bars[i].region);
            dev->bars[i].region = NULL;
        }
    }
    if (dev->rom_block) {
        ram_block_free(dev->rom_block);
        dev->rom_block = NULL;
    }
}

void pci_device_reset(PciDevice *dev)
{
    pci_set_irq(dev, 0);
    clear_writable(dev, PCI_COMMAND, 2);
    for (unsigned i = 0; i < 2; i++) {
        dev->config[PCI_STATUS + i] &= (uint8_t)~dev->w1cmask[PCI_STATUS + i];
    }
    dev->config[PCI_CACHE_LINE_SIZE] = 0;
    dev->config[PCI_LATENCY_TIMER] = 0;
    dev->config[PCI_INTERRUPT_LINE] = 0;
    for (int i = 0; i <= PCI_ROM_BAR; i++) {
        const PciBar *b = &dev->bars[i];

        if (b->region) {
            clear_writable(dev, bar_offset(i), 4);
            if (b->mem64) {
                clear_writable(dev, bar_offset(i) + 4, 4);
            }
        }
    }
    if (dev->msi_cap) {
        pci_set(dev, dev->msi_cap + 2u, 2, pci_get(dev, dev->msi_cap + 2u, 2) & ~0x71u);
    }
    if (dev->msix_cap) {
        pci_msix_reset(dev);
    }
    pci_update_mappings(dev);
    pci_update_irq(dev);
}

/* ---- state ---- */

static bool pci_post_load(void *opaque, uint32_t version, GError **err)
{
    PciDevice *dev = opaque;

    (void)version;
    if (pci_get(dev, PCI_VENDOR_ID, 2) != pci_class(dev)->vendor_id ||
        pci_get(dev, PCI_DEVICE_ID, 2) != dev->device_id) {
        emu_set_error(err, "saved state is of PCI device %04x:%04x, expected %04x:%04x (%s)",
                      pci_get(dev, PCI_VENDOR_ID, 2), pci_get(dev, PCI_DEVICE_ID, 2),
                      pci_class(dev)->vendor_id, dev->device_id, dev->dev.cls->name);
        return false;
    }
    if (dev->msix_table_len != dev->msix_vectors * PCI_MSIX_ENTRY) {
        emu_set_error(err, "saved state of %s has %u MSI-X vectors, expected %u",
                      dev->dev.cls->name, dev->msix_table_len / PCI_MSIX_ENTRY, dev->msix_vectors);
        dev->msix_table_len = dev->msix_vectors * PCI_MSIX_ENTRY;
        return false;
    }
    if (dev->bus) {
        pci_update_mappings(dev);
        pci_update_irq(dev);
    }
    return true;
}

static const StateField pci_state_fields[] = {
    STATE_FIELD_BYTES(PciDevice, config),
    STATE_FIELD_UINT_MAX(PciDevice, irq_level, 1),
    STATE_FIELD_VBYTES(PciDevice, msix_table, PCI_MSIX_VECTORS *PCI_MSIX_ENTRY, msix_table_len),
    STATE_FIELD_BYTES(PciDevice, msix_pba),
    STATE_FIELD_END,
};

const StateTable pci_state_table = {
    .name = "pci-device",
    .version = 1,
    .min_version = 1,
    .fields = pci_state_fields,
    .post_load = pci_post_load,
};
