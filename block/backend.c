/*
 * Block back ends: requests from devices become coroutines on the node's I/O thread.
 *
 * in_flight counts from submission until after the completion callback. block_backend_drain() waits
 * for it to reach zero; the counter is atomic and the condition is only signalled when somebody
 * waits. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/backend-int.h"

#include <errno.h>
#include <string.h>

#include "core/lock.h"

static GPtrArray *backends;

static struct {
    void (*fn)(void *opaque, const char *drive, int error);
    void *opaque;
} stop_hook;

GPtrArray *block_backend_list(void)
{
    if (!backends) {
        backends = g_ptr_array_new();
    }
    return backends;
}

BlockBackend *block_backend_by_name(const char *name)
{
    GPtrArray *list = block_backend_list();

    for (guint i = 0; i < list->len; i++) {
        BlockBackend *blk = g_ptr_array_index(list, i);

        if (strcmp(blk->name, name) == 0) {
            return blk;
        }
    }
    return NULL;
}

static void publish_root(BlockBackend *blk)
{
    BlockNode *root = blk->root;

    atomic_store(&blk->length, root ? block_node_length(root) : 0);
    atomic_store(&blk->readonly, root ? root->read_only : blk->removable);
    atomic_store(&blk->can_discard, root && root->unmap && !root->read_only);
    atomic_store(&blk->inserted, root != NULL);
}

BlockBackend *block_backend_new(const char *name, BlockNode *root, IoThread *thread)
{
    BlockBackend *blk = g_new0(BlockBackend, 1);

    blk->name = g_strdup(name);
    blk->root = root;
    blk->thread = thread;
    blk->on_write_error = BLOCK_ERROR_ENOSPC;
    atomic_store(&blk->write_cache, true);
    g_mutex_init(&blk->lock);
    g_cond_init(&blk->idle);
    publish_root(blk);
    if (root) {
        root->users++;
    }
    g_ptr_array_add(block_backend_list(), blk);
    return blk;
}

void block_backend_set_root(BlockBackend *blk, BlockNode *root)
{
    BlockNode *old = blk->root;

    atomic_store(&blk->inserted, false);
    blk->root = root;
    if (root) {
        root->users++;
    }
    publish_root(blk);
    if (old) {
        old->users--;
        block_unref_sync(old);
    }
}

static void no_job(void *opaque)
{
    (void)opaque;
}

void block_backend_free(BlockBackend *blk)
{
    block_backend_set_root(blk, NULL);
    /* The last request's coroutine may still be about to leave: see it off the I/O thread. */
    block_run_sync(blk->thread, no_job, NULL);
    g_ptr_array_remove(block_backend_list(), blk);
    g_mutex_clear(&blk->lock);
    g_cond_clear(&blk->idle);
    g_free(blk->name);
    g_free(blk->serial);
    g_free(blk->device);
    g_free(blk);
}

/* ---- the device's side ---- */

BlockBackend *block_backend_find(const char *name, GError **err)
{
    BlockBackend *blk = block_backend_by_name(name);
    BlockNode *n;

    if (blk) {
        return blk;
    }
    n = block_node_find(name);
    if (!n) {
        emu_set_error(err, "There is no drive or block node named '%s'", name);
        return NULL;
    }
    return block_backend_new(name, block_node_ref(n), n->thread);
}

bool block_backend_attach(BlockBackend *blk, const char *device_name, bool needs_write,
                          GError **err)
{
    if (blk->device) {
        emu_set_error(err, "Drive '%s' is already in use by device '%s'", blk->name, blk->device);
        return false;
    }
    if (needs_write && !blk->root) {
        emu_set_error(err, "Device '%s' needs a medium, but drive '%s' is empty", device_name,
                      blk->name);
        return false;
    }
    if (needs_write && block_readonly(blk)) {
        emu_set_error(err, "Drive '%s' is read-only, device '%s' must be able to write", blk->name,
                      device_name);
        return false;
    }
    if (blk->root && !blk->root->read_only) {
        if (blk->root->users > 1) {
            emu_set_error(err, "Block node '%s' is already in use", blk->root->node_name);
            return false;
        }
    }
    blk->device = g_strdup(device_name);
    return true;
}

void block_backend_detach(BlockBackend *blk)
{
    g_clear_pointer(&blk->device, g_free);
    blk->change_fn = NULL;
}

void block_backend_set_change_cb(BlockBackend *blk, void (*fn)(void *opaque), void *opaque)
{
    blk->change_fn = fn;
    blk->change_opaque = opaque;
    blk->removable = true;
}

void block_backend_drain(BlockBackend *blk)
{
    bool locked = machine_lock_held();

    if (locked) {
        machine_unlock();
    }
    atomic_fetch_add(&blk->drain_waiters, 1);
    g_mutex_lock(&blk->lock);
    while (atomic_load(&blk->in_flight) > 0) {
        g_cond_wait(&blk->idle, &blk->lock);
    }
    g_mutex_unlock(&blk->lock);
    atomic_fetch_sub(&blk->drain_waiters, 1);
    if (locked) {
        machine_lock();
    }
}

/* ---- requests ---- */

static int request_run(BlockBackend *blk, BlockRequest *req)
{
    BlockNode *n = blk->root;
    uint64_t length = atomic_load(&blk->length);
    uint32_t flags = req->flags;

    if (!n) {
        return -ENOMEDIUM;
    }
    if (req->op == BLOCK_OP_FLUSH) {
        return block_co_flush(n);
    }
    if (((req->offset | req->bytes) & (BLOCK_SECTOR_SIZE - 1)) || req->offset > length ||
        req->bytes > length - req->offset) {
        return -EIO;
    }
    if (req->op != BLOCK_OP_READ && !atomic_load(&blk->write_cache)) {
        flags |= BLOCK_REQ_FUA;
    }
    switch (req->op) {
    case BLOCK_OP_READ:
        return block_co_read(n, req->offset, req->bytes, req->iov, req->iovcnt);
    case BLOCK_OP_WRITE:
        return block_co_write(n, req->offset, req->bytes, req->iov, req->iovcnt, flags);
    case BLOCK_OP_WRITE_ZEROES:
        return block_co_write_zeroes(n, req->offset, req->bytes, flags);
    case BLOCK_OP_DISCARD:
        return block_co_discard(n, req->offset, req->bytes);
    default:
        return -ENOTSUP;
    }
}

static bool should_stop(const BlockBackend *blk, const BlockRequest *req, int *ret)
{
    BlockErrorPolicy policy = req->op == BLOCK_OP_READ ? blk->on_read_error : blk->on_write_error;

    if (*ret == -ENOMEDIUM) {
        return false;
    }
    if (policy == BLOCK_ERROR_IGNORE) {
        *ret = 0;
        return false;
    }
    return stop_hook.fn &&
           (policy == BLOCK_ERROR_STOP || (policy == BLOCK_ERROR_ENOSPC && *ret == -ENOSPC));
}

static void leave_flight(BlockBackend *blk)
{
    if (atomic_fetch_sub(&blk->in_flight, 1) == 1 && atomic_load(&blk->drain_waiters) > 0) {
        g_mutex_lock(&blk->lock);
        g_cond_broadcast(&blk->idle);
        g_mutex_unlock(&blk->lock);
    }
}

static void request_co(void *opaque)
{
    BlockRequest *req = opaque;
    BlockBackend *blk = req->blk;
    int ret = request_run(blk, req);

    if (G_UNLIKELY(ret < 0) && should_stop(blk, req, &ret)) {
        g_mutex_lock(&blk->lock);
        req->next = blk->parked;
        blk->parked = req;
        g_mutex_unlock(&blk->lock);
        stop_hook.fn(stop_hook.opaque, blk->name, -ret);
    } else {
        req->done(req, ret);
    }
    leave_flight(blk);
}

void block_submit(BlockBackend *blk, BlockRequest *req)
{
    req->blk = blk;
    atomic_fetch_add(&blk->in_flight, 1);
    io_thread_spawn(blk->thread, request_co, req);
}

void block_set_stop_fn(void (*fn)(void *opaque, const char *drive, int error), void *opaque)
{
    stop_hook.fn = fn;
    stop_hook.opaque = opaque;
}

void block_resume_requests(void)
{
    GPtrArray *list = block_backend_list();

    for (guint i = 0; i < list->len; i++) {
        BlockBackend *blk = g_ptr_array_index(list, i);
        BlockRequest *todo, *next;

        g_mutex_lock(&blk->lock);
        todo = g_steal_pointer(&blk->parked);
        g_mutex_unlock(&blk->lock);
        for (; todo; todo = next) {
            next = todo->next;
            block_submit(blk, todo);
        }
    }
}

bool block_cancel_kept(BlockBackend *blk, BlockRequest *req)
{
    bool found = false;

    g_mutex_lock(&blk->lock);
    for (BlockRequest **p = &blk->parked; *p; p = &(*p)->next) {
        if (*p == req) {
            *p = req->next;
            found = true;
            break;
        }
    }
    g_mutex_unlock(&blk->lock);
    return found;
}

bool block_inserted(BlockBackend *blk)
{
    return atomic_load(&blk->inserted);
}

uint64_t block_length(BlockBackend *blk)
{
    return atomic_load(&blk->length);
}

bool block_readonly(BlockBackend *blk)
{
    return atomic_load(&blk->readonly);
}

bool block_write_cache(BlockBackend *blk)
{
    return atomic_load(&blk->write_cache);
}

void block_set_write_cache(BlockBackend *blk, bool on)
{
    atomic_store(&blk->write_cache, on);
}

bool block_can_discard(BlockBackend *blk)
{
    return atomic_load(&blk->can_discard);
}

const char *block_serial(BlockBackend *blk)
{
    return blk->serial;
}

const char *block_name(BlockBackend *blk)
{
    return blk->name;
}
