/*
 * A PCI device's option ROM: a file of the firmware search path behind the expansion ROM BAR
 * (PCI 3.0, 6.2.5.2 and 6.3).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/machine.h"
#include "hw/pci/internal.h"
#include "util/keyval.h"

enum { ROM_MIN = 2048, ROM_MAX = 16 << 20 };

/* The file asked for, else the class's own; NULL when there is to be none. */
static const char *rom_file(const PciDevice *dev)
{
    if (!dev->rombar_prop) {
        return NULL;
    }
    if (dev->romfile_prop) {
        return dev->romfile_prop[0] ? dev->romfile_prop : NULL;
    }
    return pci_class(dev)->romfile;
}

/*
 * A class's own ROM may name another of the chip's device IDs (a transitional virtio card has the
 * legacy one), and firmware runs only what names the card's: the first image is made to. Byte 6,
 * which is free in an image's header, keeps its sum zero (PCI Firmware 3.0, 5.1).
 */
static void rom_adopt(const PciDevice *dev, uint8_t *rom, gsize len)
{
    enum { HEADER_SUM = 6, PCIR_POINTER = 0x18, PCIR_SIZE = 0x18, PCIR_IDS = 4 };
    uint8_t ids[4];
    gsize at;

    if (len < PCIR_POINTER + 2 || rom[0] != 0x55 || rom[1] != 0xaa) {
        return;
    }
    at = rom[PCIR_POINTER] | (gsize)rom[PCIR_POINTER + 1] << 8;
    if (at < PCIR_POINTER + 2 || at + PCIR_SIZE > len || memcmp(rom + at, "PCIR", 4) != 0) {
        return;
    }
    memcpy(ids, dev->config + PCI_VENDOR_ID, sizeof(ids));
    for (unsigned i = 0; i < sizeof(ids); i++) {
        rom[HEADER_SUM] = (uint8_t)(rom[HEADER_SUM] + rom[at + PCIR_IDS + i] - ids[i]);
        rom[at + PCIR_IDS + i] = ids[i];
    }
}

static bool rom_load(PciDevice *dev, const char *path, const char *data, gsize len, GError **err)
{
    char *name;
    uint64_t size = ROM_MIN;
    MemRegion *region;

    if (len == 0 || len > ROM_MAX) {
        emu_set_error(err, "%s: romfile %s has %zu bytes; between 1 and %d are possible",
                      dev->dev.cls->name, path, (size_t)len, ROM_MAX);
        return false;
    }
    while (size < len) {
        size <<= 1;
    }
    size = MAX(size, GUEST_PAGE_SIZE);
    name = g_strdup_printf("%s/%02x.%x/rom", dev->bus->qbus->name, dev->devfn >> 3, dev->devfn & 7);
    dev->rom_block = ram_block_new(name, size, err);
    if (dev->rom_block) {
        dev->rom_block->rom = true;
        memcpy(dev->rom_block->host, data, len);
        if (!dev->romfile_prop) {
            rom_adopt(dev, dev->rom_block->host, len);
        }
        region = mem_region_ram(name, dev->rom_block, 0, size, true);
        pci_register_bar_mem(dev, PCI_ROM_BAR, region, false, false);
    }
    g_free(name);
    return dev->rom_block != NULL;
}

bool pci_rom_init(PciDevice *dev, GError **err)
{
    const char *file = rom_file(dev);
    char *path, *data = NULL;
    gsize len = 0;
    bool ok;

    if (!file) {
        return true;
    }
    path = machine_find_firmware(dev->dev.machine, file, err);
    if (!path) {
        g_prefix_error(err, "%s: romfile: ", dev->dev.cls->name);
        return false;
    }
    ok = g_file_get_contents(path, &data, &len, err) && rom_load(dev, path, data, len, err);
    g_free(data);
    g_free(path);
    return ok;
}
