/*
 * The whole of the block layer at run time: listing, flushing, media change, shutting down.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/options.h"

#include <string.h>

#include "block/backend-int.h"

static void print_backend(GString *out, BlockBackend *blk)
{
    BlockNode *n = blk->root;
    const char *cache;
    unsigned depth = 0;

    if (!n) {
        g_string_append_printf(out, "%s: [not inserted]\n", blk->name);
    } else {
        g_string_append_printf(out, "%s (%s): %s (%s%s)\n", blk->name, n->node_name,
                               *n->filename ? n->filename : "temporary file", n->drv->name,
                               n->read_only ? ", read-only" : "");
    }
    if (blk->device) {
        g_string_append_printf(out, "    Attached to:      %s\n", blk->device);
    }
    if (blk->removable) {
        g_string_append(out, "    Removable device\n");
    }
    if (!n) {
        return;
    }
    if (n->no_flush) {
        cache = n->direct ? "writeback, direct, ignore flushes" : "writeback, ignore flushes";
    } else if (block_write_cache(blk)) {
        cache = n->direct ? "writeback, direct" : "writeback";
    } else {
        cache = n->direct ? "writethrough, direct" : "writethrough";
    }
    g_string_append_printf(out, "    Cache mode:       %s\n", cache);
    if (n->detect_zeroes != BLOCK_DETECT_ZEROES_OFF) {
        g_string_append_printf(out, "    Detect zeroes:    %s\n",
                               n->detect_zeroes == BLOCK_DETECT_ZEROES_ON ? "on" : "unmap");
    }
    if (n->backing) {
        for (BlockNode *b = n->backing; b; b = b->backing) {
            depth++;
        }
        g_string_append_printf(out, "    Backing file:     %s (chain depth: %u)\n",
                               n->backing->filename, depth);
    }
}

void block_print_info(GString *out)
{
    GPtrArray *list = block_backend_list();

    for (guint i = 0; i < list->len; i++) {
        if (i) {
            g_string_append_c(out, '\n');
        }
        print_backend(out, g_ptr_array_index(list, i));
    }
}

static void flush_job(void *opaque)
{
    BlockBackend *blk = opaque;
    int r = blk->root ? block_co_flush(blk->root) : 0;

    if (r < 0) {
        g_printerr("%s: flush failed: %s\n", blk->name, g_strerror(-r));
    }
}

void block_flush_all(void)
{
    GPtrArray *list = block_backend_list();

    for (guint i = 0; i < list->len; i++) {
        BlockBackend *blk = g_ptr_array_index(list, i);

        block_backend_drain(blk);
        block_run_sync(blk->thread, flush_job, blk);
    }
}

void block_close_all(void)
{
    GPtrArray *list = block_backend_list();

    while (list->len > 0) {
        BlockBackend *blk = g_ptr_array_index(list, list->len - 1);

        block_backend_drain(blk);
        block_backend_free(blk);
    }
    for (guint i = 0; i < block_drives()->len; i++) {
        DriveInfo *info = g_ptr_array_index(block_drives(), i);

        g_free(info->id);
        g_free(info);
    }
    g_ptr_array_set_size(block_drives(), 0);
    block_node_forget_all();
    block_threads_free();
}

/* ---- media ---- */

static BlockBackend *removable(const char *id, GError **err)
{
    BlockBackend *blk = block_backend_by_name(id);

    if (!blk) {
        emu_set_error(err, "There is no drive named '%s'", id);
        return NULL;
    }
    if (!blk->removable) {
        emu_set_error(err, "Drive '%s' is not removable", id);
        return NULL;
    }
    return blk;
}

static void change_medium(BlockBackend *blk, BlockNode *root)
{
    block_backend_drain(blk);
    block_backend_set_root(blk, root);
    if (blk->change_fn) {
        blk->change_fn(blk->change_opaque);
    }
}

bool block_eject(const char *id, bool force, GError **err)
{
    BlockBackend *blk = removable(id, err);

    (void)force; /* no device here locks its tray against the host */
    if (!blk) {
        return false;
    }
    if (blk->root) {
        change_medium(blk, NULL);
    }
    return true;
}

bool block_change(const char *id, const char *path, GError **err)
{
    BlockBackend *blk = removable(id, err);
    BlockOpenArgs args;
    BlockNode *n;

    if (!blk) {
        return false;
    }
    block_open_args_init(&args, blk->thread);
    args.filename = path;
    args.read_only = true;
    for (guint i = 0; i < block_drives()->len; i++) {
        const DriveInfo *d = g_ptr_array_index(block_drives(), i);

        if (d->blk == blk && !d->cdrom) {
            args.read_only = false;
            args.auto_read_only = true;
        }
    }
    n = block_open_sync(&args, err);
    if (!n) {
        return false;
    }
    change_medium(blk, n);
    return true;
}
