/*
 * Nodes: opening, probing the format, and closing.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/block-int.h"

#include <errno.h>
#include <string.h>

#include "core/lock.h"

static const BlockDriver *const drivers[] = {
    &block_driver_file,
    &block_driver_raw,
    &block_driver_qcow2,
    &block_driver_null,
};

const BlockDriver *block_driver_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (strcmp(drivers[i]->name, name) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

char *block_driver_names(void)
{
    GString *s = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        g_string_append_printf(s, "%s%s", i ? ", " : "", drivers[i]->name);
    }
    return g_string_free(s, FALSE);
}

void block_open_args_init(BlockOpenArgs *args, IoThread *thread)
{
    memset(args, 0, sizeof(*args));
    args->fd = -1;
    args->thread = thread;
}

/* The path in NAME, which may have the prefix of a protocol; NULL for one there is no driver for.
 */
static const char *plain_filename(const char *name, GError **err)
{
    size_t len = strcspn(name, ":/");

    if (name[len] != ':') {
        return name;
    }
    if (g_str_has_prefix(name, "file:")) {
        return name + strlen("file:");
    }
    emu_set_error(err, "Unknown protocol '%.*s' in '%s'; only 'file' is supported", (int)len, name,
                  name);
    return NULL;
}

static const BlockDriver *probe(BlockNode *file, GError **err)
{
    const BlockDriver *best = &block_driver_raw;
    g_autofree uint8_t *buf = g_malloc0(2048);
    size_t len = MIN(block_node_length(file), (uint64_t)2048);
    int score = 0, r = block_co_read_buf(file, 0, buf, len);

    if (r < 0) {
        emu_set_error(err, "Could not read image '%s' for determining its format: %s",
                      file->filename, g_strerror(-r));
        return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        int s = drivers[i]->probe ? drivers[i]->probe(buf, len) : 0;

        if (s > score) {
            score = s;
            best = drivers[i];
        }
    }
    return best;
}

static bool check_chain(const BlockOpenArgs *args, const BlockNode *file, GError **err)
{
    if (args->chain && args->chain->depth >= BLOCK_MAX_CHAIN_DEPTH) {
        emu_set_error(err, "Could not open '%s': the backing chain has more than %d images",
                      file->filename, BLOCK_MAX_CHAIN_DEPTH);
        return false;
    }
    for (const BlockChain *c = args->chain; c; c = c->up) {
        if (c->file->ino == file->ino && c->file->dev == file->dev && c->file->ino) {
            emu_set_error(err, "Could not open '%s': the backing chain leads back to this image",
                          file->filename);
            return false;
        }
    }
    return true;
}

static BlockNode *node_new(const BlockDriver *drv, const BlockOpenArgs *args, const char *filename)
{
    static _Atomic unsigned counter;
    BlockNode *n = g_new0(BlockNode, 1);

    n->drv = drv;
    n->refs = 1;
    n->node_name = args->node_name ? g_strdup(args->node_name)
                                   : g_strdup_printf("#block%03u", atomic_fetch_add(&counter, 1));
    n->filename = g_strdup(filename ? filename : "");
    n->thread = args->thread;
    n->read_only = args->read_only;
    n->direct = args->direct;
    n->no_flush = args->no_flush;
    n->unmap = args->unmap;
    n->detect_zeroes = args->detect_zeroes;
    n->state = g_malloc0(MAX(drv->state_size, 1));
    return n;
}

static void node_free(BlockNode *n)
{
    g_free(n->node_name);
    g_free(n->filename);
    g_free(n->state);
    g_free(n);
}

static BlockNode *open_protocol(const BlockDriver *drv, const BlockOpenArgs *args, GError **err)
{
    const char *path = args->filename ? plain_filename(args->filename, err) : "";
    BlockNode *n;

    if (!path) {
        return NULL;
    }
    n = node_new(drv, args, path);
    if (!drv->co_open(n, args, err)) {
        node_free(n);
        return NULL;
    }
    return n;
}

/* The protocol node of an image: the one given, or a new one for its file name. */
static BlockNode *open_file_child(const BlockOpenArgs *args, GError **err)
{
    BlockOpenArgs child = *args;

    if (args->file) {
        return block_node_ref(args->file);
    }
    child.driver = "file";
    child.node_name = NULL;
    child.detect_zeroes = BLOCK_DETECT_ZEROES_OFF;
    child.backing = NULL;
    return open_protocol(&block_driver_file, &child, err);
}

BlockNode *block_co_open(const BlockOpenArgs *args, GError **err)
{
    const BlockDriver *drv = NULL;
    bool probed = false;
    BlockNode *n, *file;

    if (args->driver) {
        drv = block_driver_find(args->driver);
        if (!drv) {
            g_autofree char *names = block_driver_names();

            emu_set_error(err, "Unknown driver '%s'; known are: %s", args->driver, names);
            return NULL;
        }
        if (drv->protocol) {
            return open_protocol(drv, args, err);
        }
    }
    file = open_file_child(args, err);
    if (!file) {
        return NULL;
    }
    if (!check_chain(args, file, err)) {
        goto fail_file;
    }
    if (!drv) {
        drv = probe(file, err);
        if (!drv) {
            goto fail_file;
        }
        probed = true;
    }
    n = node_new(drv, args, file->filename);
    n->file = file;
    n->read_only |= file->read_only;
    if (!drv->co_open(n, args, err)) {
        node_free(n);
        goto fail_file;
    }
    if (probed && drv == &block_driver_raw && !n->read_only) {
        n->probed_raw = true;
        if (!args->quiet) {
            g_printerr(
                "warning: image format was not specified for '%s' and probing guessed raw; writes "
                "to sector 0 are restricted, specify format=raw to lift that\n",
                n->filename);
        }
    }
    return n;

fail_file:
    block_co_unref(file);
    return NULL;
}

BlockNode *block_node_ref(BlockNode *n)
{
    n->refs++;
    return n;
}

void block_co_unref(BlockNode *n)
{
    if (!n || --n->refs > 0) {
        return;
    }
    if (n->drv->co_close) {
        n->drv->co_close(n);
    }
    block_co_unref(n->backing);
    block_co_unref(n->file);
    node_free(n);
}

/* ---- from outside the I/O thread ---- */

void block_run_sync(IoThread *t, void (*fn)(void *opaque), void *opaque)
{
    bool locked;

    if (coroutine_self()) {
        fn(opaque);
        return;
    }
    /* Completions on the I/O thread may be waiting for the machine lock. */
    locked = machine_lock_held();
    if (locked) {
        machine_unlock();
    }
    io_thread_run_sync(t, fn, opaque);
    if (locked) {
        machine_lock();
    }
}

typedef struct OpenJob {
    const BlockOpenArgs *args;
    BlockNode *node;
    GError **err;
} OpenJob;

static void open_job(void *opaque)
{
    OpenJob *job = opaque;

    job->node = block_co_open(job->args, job->err);
}

BlockNode *block_open_sync(const BlockOpenArgs *args, GError **err)
{
    OpenJob job = {.args = args, .err = err};

    block_run_sync(args->thread, open_job, &job);
    return job.node;
}

static void unref_job(void *opaque)
{
    block_co_unref(opaque);
}

void block_unref_sync(BlockNode *n)
{
    if (n) {
        block_run_sync(n->thread, unref_job, n);
    }
}
