/*
 * The file "bootorder" of fw_cfg: Open Firmware paths of the devices that have a bootindex, in its
 * order, as SeaBIOS compares them with what it finds (its documentation, "Runtime configuration").
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/pc/pc_internal.h"
#include "util/keyval.h"

typedef struct BootEntry {
    long index;
    const Device *dev;
} BootEntry;

static bool collect(Device *dev, void *opaque)
{
    GArray *entries = opaque;
    char *text = device_get_prop(dev, "bootindex");

    if (text && *text) {
        BootEntry entry = {strtol(text, NULL, 0), dev};

        if (entry.index >= 0) {
            g_array_append_val(entries, entry);
        }
    }
    g_free(text);
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    long x = ((const BootEntry *)a)->index, y = ((const BootEntry *)b)->index;

    return (x > y) - (x < y);
}

/* The node names of the PCI binding to Open Firmware; SeaBIOS does not look at them. */
static const char *pci_node_name(const PciDevice *dev)
{
    switch (pci_get(dev, PCI_CLASS_PROG + 1, 2)) {
    case 0x0100:
        return "scsi";
    case 0x0101:
        return "ide";
    case 0x0200:
        return "ethernet";
    case 0x0300:
        return "display";
    case 0x0601:
        return "isa";
    default:
        return "device";
    }
}

static void append_pci_path(GString *out, const PciDevice *dev)
{
    g_string_append_printf(out, "/pci@i0cf8/%s@%x", pci_node_name(dev), dev->devfn >> 3);
    if (dev->devfn & 7) {
        g_string_append_printf(out, ",%x", dev->devfn & 7);
    }
}

static bool append_path(GString *out, const PcMachine *pc, const Device *dev)
{
    const char *type = dev->parent ? dev->parent->type : "";

    if (g_str_equal(type, "PCI")) {
        const PciDevice *pci = (const PciDevice *)dev;

        append_pci_path(out, pci);
        if (g_str_equal(pci_node_name(pci), "scsi")) {
            g_string_append(out, "/disk@0,0");
        } else if (g_str_equal(pci_node_name(pci), "ethernet")) {
            g_string_append(out, "/ethernet-phy@0");
        }
        return true;
    }
    if (g_str_equal(type, "IDE")) {
        int channel = dev->parent == piix3_ide_bus(pc->ide, 1);

        append_pci_path(out, (const PciDevice *)dev->parent->parent);
        g_string_append_printf(out, "/drive@%x/disk@%x", channel, ((const IdeDrive *)dev)->unit);
        return true;
    }
    if (g_str_equal(type, "floppy-bus")) {
        append_pci_path(out, (const PciDevice *)pc->piix3);
        g_string_append_printf(out, "/fdc@03f0/floppy@%x", floppy_unit(dev));
        return true;
    }
    return false;
}

GString *pc_bootorder(Machine *m, GError **err)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(BootEntry));
    GString *out = g_string_new(NULL);

    device_foreach(m->root_bus, collect, entries);
    g_array_sort(entries, compare_entries);
    for (guint i = 0; i < entries->len; i++) {
        const BootEntry *e = &g_array_index(entries, BootEntry, i);

        if (i && e[-1].index == e->index) {
            emu_set_error(err, "%s and %s have the same bootindex=%ld; each needs its own",
                          e[-1].dev->id ? e[-1].dev->id : e[-1].dev->cls->name,
                          e->dev->id ? e->dev->id : e->dev->cls->name, e->index);
            g_string_free(out, TRUE);
            out = NULL;
            break;
        }
        if (append_path(out, pc_machine(m), e->dev)) {
            g_string_append_c(out, '\n');
        }
    }
    g_array_free(entries, TRUE);
    return out;
}
