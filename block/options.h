/*
 * The command line's side of the block layer: -blockdev, -drive, and what `info block` shows.
 * Machine lock held (the machine is not running yet).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCK_OPTIONS_H
#define BLOCK_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

#include "block/backend.h"

typedef enum DriveInterface {
    DRIVE_IF_DEFAULT, /* none given: the machine's (IDE on pc) */
    DRIVE_IF_IDE,
    DRIVE_IF_FLOPPY,
    DRIVE_IF_VIRTIO,
    DRIVE_IF_NONE, /* for a -device ...,drive=ID */
} DriveInterface;

typedef struct DriveInfo {
    char *id; /* of its BlockBackend: given, or made up as ide0-hd0 and the like */
    DriveInterface iface;
    bool cdrom;
    int index;     /* as given or counted per interface, -1: not set yet */
    int bus, unit; /* -1: not given */
    BlockBackend *blk;
} DriveInfo;

/*
 * Opens what one -drive option describes (QEMU's grammar; unknown keys refused by name). DEFAULTS
 * is a further option string that OPTARG overrides, or NULL ("media=cdrom,index=2" for -cdrom).
 * SNAPSHOT: writes go to a temporary overlay. I/O runs on THREAD. The list of all is
 * block_drives().
 */
DriveInfo *block_drive_add(const char *optarg, const char *defaults, bool snapshot,
                           IoThread *thread, GError **err);
GPtrArray *block_drives(void); /* of DriveInfo * */
/* Whether a drive has place INDEX of interface IFACE (DriveInterface). */
bool block_drive_exists(int iface, int index);
/* -blockdev: key=value form or a JSON object. */
bool block_node_add(const char *optarg, IoThread *thread, GError **err);
/* Flushes and closes every node, at exit. Call once no device uses them. */
void block_close_all(void);
/* Flush of all back ends, when the machine stops. */
void block_flush_all(void);
void block_print_info(GString *out); /* info block */
/* -snapshot off ... monitor: closes the medium of a removable drive; opens PATH in it. */
bool block_eject(const char *id, bool force, GError **err);
bool block_change(const char *id, const char *path, GError **err);

#endif
