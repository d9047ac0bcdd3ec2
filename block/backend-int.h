/*
 * Block back ends from inside the block layer: making, filling and listing them.
 * Everything here under the machine lock, if there is one.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCK_BACKEND_INT_H
#define BLOCK_BACKEND_INT_H

#include "block/block-int.h"

typedef enum BlockErrorPolicy {
    BLOCK_ERROR_REPORT,
    BLOCK_ERROR_IGNORE,
    BLOCK_ERROR_STOP,
    BLOCK_ERROR_ENOSPC, /* stop when the host is out of space, else report */
} BlockErrorPolicy;

struct BlockBackend {
    char *name;
    char *serial;
    char *device; /* who has claimed it, or NULL */
    bool removable, locked_open;
    IoThread *thread;
    BlockNode *root; /* a reference; NULL: no medium. Changed on the I/O thread, drained */
    BlockErrorPolicy on_read_error, on_write_error;
    void (*change_fn)(void *opaque);
    void *change_opaque;

    _Atomic uint64_t length;
    _Atomic bool inserted, readonly, write_cache, can_discard;
    _Atomic unsigned in_flight, drain_waiters;
    GMutex lock; /* leaf: for the condition and PARKED */
    GCond idle;
    BlockRequest *parked; /* failed, waiting for the machine to go on */
};

/* Takes over the reference to ROOT (may be NULL). */
BlockBackend *block_backend_new(const char *name, BlockNode *root, IoThread *thread);
void block_backend_free(BlockBackend *blk); /* drained and detached */
/* Exchanges the medium; drained. Takes over the reference to ROOT. */
void block_backend_set_root(BlockBackend *blk, BlockNode *root);
/* All of them, BlockBackend *. */
GPtrArray *block_backend_list(void);
BlockBackend *block_backend_by_name(const char *name);

/* block/blockdev.c: nodes with names of their own. */
BlockNode *block_node_find(const char *name);
bool block_node_register(BlockNode *n, GError **err);
void block_node_forget_all(void);

/* block/blockdev.c: the I/O thread for aio=AIO (NULL: THREAD itself); NULL with ERR for an engine
 * that cannot be had. */
IoThread *block_thread_for_aio(const char *aio, IoThread *thread, GError **err);
void block_threads_free(void);

/* A cache= mode; false for an unknown name. */
bool block_parse_cache_mode(const char *mode, bool *direct, bool *no_flush, bool *write_cache);
#define BLOCK_CACHE_MODES "none, writeback, writethrough, directsync, unsafe"

#endif
