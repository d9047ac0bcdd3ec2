/*
 * The drives of -drive, -hda and the like, as devices: IDE disks and CD-ROMs by channel and unit,
 * floppy drives, and virtio disks as PCI functions. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/options.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/pc/pc_internal.h"
#include "hw/virtio/virtio_blk.h"
#include "util/keyval.h"

enum { IDE_CHANNELS = 2, IDE_UNITS = 2, IDE_DRIVES = IDE_CHANNELS * IDE_UNITS };

typedef struct IdePlaces {
    const DriveInfo *taken[IDE_DRIVES];
} IdePlaces;

/* The place that bus= and unit=, or index=, name; the first free one without; -1 with ERR. */
static int ide_place(IdePlaces *places, const DriveInfo *drive, GError **err)
{
    int place = drive->index;

    if (drive->bus >= 0 || drive->unit >= 0) {
        place = MAX(drive->bus, 0) * IDE_UNITS + MAX(drive->unit, 0);
        if (drive->unit >= IDE_UNITS) {
            place = IDE_DRIVES;
        }
    }
    for (int i = 0; place < 0 && i < IDE_DRIVES; i++) {
        if (!places->taken[i]) {
            place = i;
        }
    }
    if (place < 0 || place >= IDE_DRIVES) {
        emu_set_error(
            err,
            "drive '%s': the machine has two IDE channels with two drives each, so index= "
            "is 0 to 3, bus= and unit= are 0 or 1",
            drive->id);
        return -1;
    }
    if (places->taken[place]) {
        emu_set_error(err, "drive '%s': IDE bus=%d,unit=%d (index=%d) is taken by drive '%s'",
                      drive->id, place / IDE_UNITS, place % IDE_UNITS, place,
                      places->taken[place]->id);
        return -1;
    }
    return place;
}

static bool ide_add(PcMachine *pc, const char *id, bool cdrom, int place, GError **err)
{
    Bus *bus = piix3_ide_bus(pc->ide, place / IDE_UNITS);
    const char *unit = place % IDE_UNITS ? "1" : "0";
    const DeviceClass *cls = cdrom ? &ide_cd_class : &ide_hd_class;

    return device_create(pc->dev.machine, bus, cls, err, "unit", unit, "drive", id, NULL) != NULL;
}

static bool virtio_add(PcMachine *pc, const DriveInfo *drive, GError **err)
{
    return device_create(pc->dev.machine, pc->pci, &virtio_blk_pci_class, err, "drive", drive->id,
                         NULL) != NULL;
}

static bool floppy_add(PcMachine *pc, const DriveInfo *drive, GError **err)
{
    char unit[16];

    if (drive->bus > 0 || drive->index > 1) {
        emu_set_error(err, "drive '%s': if=floppy: there are two floppy drives, index=0 and 1",
                      drive->id);
        return false;
    }
    g_snprintf(unit, sizeof(unit), "%d", drive->index);
    return device_create(pc->dev.machine, fdc_bus(pc->fdc), &floppy_class, err, "unit", unit,
                         "drive", drive->id, NULL) != NULL;
}

/* Those that name their place come first, lest another take it. */
static bool place_ide_drives(IdePlaces *places, bool named, GError **err)
{
    GPtrArray *drives = block_drives();

    for (guint i = 0; drives && i < drives->len; i++) {
        const DriveInfo *drive = g_ptr_array_index(drives, i);
        bool has_place = drive->index >= 0 || drive->bus >= 0 || drive->unit >= 0;
        int place;

        if ((drive->iface != DRIVE_IF_DEFAULT && drive->iface != DRIVE_IF_IDE) ||
            has_place != named) {
            continue;
        }
        place = ide_place(places, drive, err);
        if (place < 0) {
            return false;
        }
        places->taken[place] = drive;
    }
    return true;
}

static bool make_other_drives(PcMachine *pc, GError **err)
{
    GPtrArray *drives = block_drives();

    for (guint i = 0; drives && i < drives->len; i++) {
        const DriveInfo *drive = g_ptr_array_index(drives, i);

        if (drive->iface == DRIVE_IF_FLOPPY && !floppy_add(pc, drive, err)) {
            return false;
        }
        if (drive->iface == DRIVE_IF_VIRTIO && !virtio_add(pc, drive, err)) {
            return false;
        }
    }
    return true;
}

bool pc_drives_init(PcMachine *pc, GError **err)
{
    IdePlaces places = {{NULL}};

    if (!place_ide_drives(&places, true, err) || !place_ide_drives(&places, false, err) ||
        !make_other_drives(pc, err)) {
        return false;
    }
    for (int i = 0; i < IDE_DRIVES; i++) {
        const DriveInfo *drive = places.taken[i];

        if (drive && !ide_add(pc, drive->id, drive->cdrom, i, err)) {
            return false;
        }
    }
    return true;
}
