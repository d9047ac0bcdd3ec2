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
