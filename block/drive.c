/*
 * -drive: a back end and its nodes in one option, with QEMU's keys.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/options.h"

#include <errno.h>
#include <string.h>

#include "block/backend-int.h"
#include "block/qcow2-create.h"

static GPtrArray *drives;

GPtrArray *block_drives(void)
{
    if (!drives) {
        drives = g_ptr_array_new();
    }
    return drives;
}

static const struct {
    const char *name;
    bool direct, no_flush, write_cache;
} cache_modes[] = {
    {"writeback", false, false, true},     {"none", true, false, true},
    {"writethrough", false, false, false}, {"directsync", true, false, false},
    {"unsafe", false, true, true},         {"off", true, false, true},
};

bool block_parse_cache_mode(const char *mode, bool *direct, bool *no_flush, bool *write_cache)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cache_modes); i++) {
        if (strcmp(cache_modes[i].name, mode) == 0) {
            *direct = cache_modes[i].direct;
            *no_flush = cache_modes[i].no_flush;
            *write_cache = cache_modes[i].write_cache;
            return true;
        }
    }
    return false;
}

/* What one option says, besides the node's own part. */
typedef struct DriveOptions {
    const char *file, *id, *serial, *node_name;
    int iface, media;
    uint64_t index, bus, unit;
    bool has_index, has_bus, has_unit;
    bool snapshot, write_cache;
    int werror, rerror;
    BlockOpenArgs node;
} DriveOptions;

enum { MEDIA_DISK, MEDIA_CDROM };

/* In the order of DriveInterface, the default having no name. */
static const char *const iface_names[] = {"ide", "floppy", "virtio", "none", NULL};
static const char *const media_names[] = {"disk", "cdrom", NULL};
static const char *const error_names[] = {"report", "ignore", "stop", "enospc", NULL};
static const char *const discard_names[] = {"ignore", "off", "unmap", "on", NULL};
static const char *const detect_names[] = {"off", "on", "unmap", NULL};
static const char *const locking_names[] = {"auto", "on", "off", NULL};

static bool parse_place(KeyVal *kv, DriveOptions *o, GError **err)
{
    int iface = -1;

    o->has_index = keyval_get(kv, "index") != NULL;
    o->has_bus = keyval_get(kv, "bus") != NULL;
    o->has_unit = keyval_get(kv, "unit") != NULL;
    if (!keyval_get_enum(kv, "if", iface_names, &iface, err) ||
        !keyval_get_enum(kv, "media", media_names, &o->media, err) ||
        !keyval_get_uint(kv, "index", 0, 1023, &o->index, err) ||
        !keyval_get_uint(kv, "bus", 0, 1023, &o->bus, err) ||
        !keyval_get_uint(kv, "unit", 0, 1023, &o->unit, err)) {
        return false;
    }
    o->iface = iface + 1;
    if (o->has_index && (o->has_bus || o->has_unit)) {
        emu_set_error(err, "index cannot be used with bus and unit");
        return false;
    }
    return true;
}

static bool parse_cache(KeyVal *kv, DriveOptions *o, GError **err)
{
    const char *mode = keyval_get(kv, "cache");

    o->write_cache = true;
    if (mode &&
        !block_parse_cache_mode(mode, &o->node.direct, &o->node.no_flush, &o->write_cache)) {
        emu_set_error(err, "invalid cache mode '%s'; use one of: %s", mode, BLOCK_CACHE_MODES);
        return false;
    }
    return keyval_get_bool(kv, "cache.direct", &o->node.direct, err) &&
           keyval_get_bool(kv, "cache.no-flush", &o->node.no_flush, err) &&
           keyval_get_bool(kv, "cache.writeback", &o->write_cache, err);
}

static bool parse_node(KeyVal *kv, DriveOptions *o, GError **err)
{
    const char *driver = keyval_get(kv, "driver"), *format = keyval_get(kv, "format");
    const char *aio = keyval_get(kv, "aio");
    int discard = 0, detect = 0, locking = 0;
    bool read_only = o->media == MEDIA_CDROM;
    BlockOpenArgs *n = &o->node;

    if (driver && format && strcmp(driver, format) != 0) {
        emu_set_error(err, "driver=%s contradicts format=%s", driver, format);
        return false;
    }
    n->driver = format ? format : driver;
    n->filename = keyval_get(kv, "file");
    n->node_name = keyval_get(kv, "node-name");
    if (!keyval_get_bool(kv, "readonly", &read_only, err) ||
        !keyval_get_bool(kv, "read-only", &read_only, err) ||
        !keyval_get_bool(kv, "auto-read-only", &n->auto_read_only, err) ||
        !keyval_get_bool(kv, "force-share", &n->force_share, err) ||
        !keyval_get_enum(kv, "discard", discard_names, &discard, err) ||
        !keyval_get_enum(kv, "detect-zeroes", detect_names, &detect, err) ||
        !keyval_get_enum(kv, "file.locking", locking_names, &locking, err)) {
        return false;
    }
    n->read_only = read_only;
    n->unmap = discard >= 2;
    n->detect_zeroes = (BlockDetectZeroes)detect;
    n->locking = (BlockLocking)locking;
    if (detect == 2 && !n->unmap) {
        emu_set_error(err, "detect-zeroes=unmap requires discard=unmap");
        return false;
    }
    if (n->force_share && !n->read_only) {
        emu_set_error(err, "force-share=on can only be used with readonly=on");
        return false;
    }
    if (n->driver && strcmp(n->driver, "null-co") == 0) {
        if (!keyval_get_size(kv, "size", &n->size, err) ||
            !keyval_get_bool(kv, "read-zeroes", &n->read_zeroes, err) ||
            !keyval_get_size(kv, "latency-ns", &n->latency_ns, err)) {
            return false;
        }
    }
    n->thread = block_thread_for_aio(aio, n->thread, err);
    return n->thread != NULL;
}

static bool parse_drive(KeyVal *kv, DriveOptions *o, GError **err)
{
    o->werror = BLOCK_ERROR_ENOSPC;
    o->rerror = BLOCK_ERROR_REPORT;
    o->id = keyval_get(kv, "id");
    o->serial = keyval_get(kv, "serial");
    if (!parse_place(kv, o, err) || !parse_cache(kv, o, err) || !parse_node(kv, o, err) ||
        !keyval_get_bool(kv, "snapshot", &o->snapshot, err) ||
        !keyval_get_enum(kv, "werror", error_names, &o->werror, err) ||
        !keyval_get_enum(kv, "rerror", error_names, &o->rerror, err)) {
        return false;
    }
    if (o->rerror == BLOCK_ERROR_ENOSPC) {
        emu_set_error(err, "rerror must be report, ignore or stop");
        return false;
    }
    if (o->media == MEDIA_CDROM && !o->node.read_only) {
        emu_set_error(err, "media=cdrom is always read-only");
        return false;
    }
    return true;
}

/* ---- where it goes ---- */

static bool same_interface(int a, int b)
{
    a = a == DRIVE_IF_DEFAULT ? DRIVE_IF_IDE : a;
    b = b == DRIVE_IF_DEFAULT ? DRIVE_IF_IDE : b;
    return a == b;
}

static int units_per_bus(int iface)
{
    return same_interface(iface, DRIVE_IF_IDE) ? 2 : 0;
}

bool block_drive_exists(int iface, int index)
{
    GPtrArray *list = block_drives();

    for (guint i = 0; i < list->len; i++) {
        const DriveInfo *d = g_ptr_array_index(list, i);

        if (same_interface((int)d->iface, iface) && d->index == index) {
            return true;
        }
    }
    return false;
}

static bool place_drive(DriveInfo *info, const DriveOptions *o, GError **err)
{
    int per_bus = units_per_bus(info->iface);

    info->bus = o->has_bus ? (int)o->bus : -1;
    info->unit = o->has_unit ? (int)o->unit : -1;
    if (o->has_index) {
        info->index = (int)o->index;
    } else if (o->has_unit) {
        if (per_bus && info->unit >= per_bus) {
            emu_set_error(err, "unit %d is too large; an IDE bus has units 0 and 1", info->unit);
            return false;
        }
        info->index = (o->has_bus ? info->bus : 0) * MAX(per_bus, 1) + info->unit;
    } else {
        info->index = o->has_bus ? info->bus * MAX(per_bus, 1) : 0;
        while (block_drive_exists(info->iface, info->index)) {
            info->index++;
        }
    }
    if (block_drive_exists(info->iface, info->index)) {
        emu_set_error(err, "there is a drive with if=%s and index=%d already",
                      iface_names[info->iface ? info->iface - 1 : 0], info->index);
        return false;
    }
    if (per_bus && (o->has_bus || o->has_unit || o->has_index)) {
        info->bus = info->index / per_bus;
        info->unit = info->index % per_bus;
    }
    return true;
}

static char *make_id(const DriveInfo *info)
{
    const char *name = iface_names[info->iface ? info->iface - 1 : 0];
    int per_bus = units_per_bus(info->iface);

    if (per_bus) {
        return g_strdup_printf("%s%d-%s%d", name, info->index / per_bus, info->cdrom ? "cd" : "hd",
                               info->index % per_bus);
    }
    return g_strdup_printf("%s%d", name, info->index);
}

/* ---- opening ---- */

typedef struct OverlayJob {
    BlockNode *base, *node;
    const BlockOpenArgs *args;
    GError **err;
} OverlayJob;

static void overlay_job(void *opaque)
{
    OverlayJob *job = opaque;

    job->node = qcow2_co_temp_overlay(job->base, job->args, job->err);
}

static BlockNode *open_drive(DriveOptions *o, GError **err)
{
    BlockOpenArgs args = o->node;
    OverlayJob job = {.args = &o->node, .err = err};
    bool overlay = o->snapshot && o->media != MEDIA_CDROM;

    if (overlay) {
        args.read_only = true;
        args.node_name = NULL;
        args.unmap = false;
        args.detect_zeroes = BLOCK_DETECT_ZEROES_OFF;
    }
    job.base = block_open_sync(&args, err);
    if (!overlay || !job.base) {
        return job.base;
    }
    block_run_sync(args.thread, overlay_job, &job);
    block_unref_sync(job.base);
    return job.node;
}

DriveInfo *block_drive_add(const char *optarg, const char *defaults, bool snapshot,
                           IoThread *thread, GError **err)
{
    g_autofree char *text =
        defaults && *defaults
            ? (*optarg ? g_strconcat(defaults, ",", optarg, NULL) : g_strdup(defaults))
            : g_strdup(optarg);
    KeyVal *kv = keyval_parse("-drive", text, NULL, err);
    DriveOptions o = {.snapshot = snapshot};
    DriveInfo *info = g_new0(DriveInfo, 1);
    BlockNode *node = NULL;

    block_open_args_init(&o.node, thread);
    if (!kv || !parse_drive(kv, &o, err) || !keyval_finish(kv, err)) {
        goto fail;
    }
    info->iface = (DriveInterface)o.iface;
    info->cdrom = o.media == MEDIA_CDROM;
    if (!place_drive(info, &o, err)) {
        goto fail;
    }
    info->id = o.id ? g_strdup(o.id) : make_id(info);
    if (block_backend_by_name(info->id) || block_node_find(info->id)) {
        emu_set_error(err, "duplicate id '%s'", info->id);
        goto fail;
    }
    if (o.node.filename || (o.node.driver && strcmp(o.node.driver, "null-co") == 0)) {
        node = open_drive(&o, err);
        if (!node) {
            goto fail;
        }
        if (o.node.node_name && !block_node_register(node, err)) {
            block_unref_sync(node);
            goto fail;
        }
    }
    info->blk = block_backend_new(info->id, node, o.node.thread);
    info->blk->serial = g_strdup(o.serial);
    info->blk->removable = info->cdrom || o.iface == DRIVE_IF_FLOPPY;
    info->blk->on_read_error = (BlockErrorPolicy)o.rerror;
    info->blk->on_write_error = (BlockErrorPolicy)o.werror;
    block_set_write_cache(info->blk, o.write_cache);
    g_ptr_array_add(block_drives(), info);
    keyval_free(kv);
    return info;

fail:
    keyval_free(kv);
    g_free(info->id);
    g_free(info);
    return NULL;
}
