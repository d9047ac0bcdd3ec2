/*
 * The device's side of the block layer: a BlockBackend joins a disk device to a node of the block
 * graph.
 *
 * Requests are posted from any thread and run as coroutines on the node's I/O thread. The
 * completion callback runs on that I/O thread, without the machine lock; it may take it, or post
 * on. A request's memory (iovec and what it points to) stays the caller's until then.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCK_BACKEND_H
#define BLOCK_BACKEND_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct BlockBackend BlockBackend;
typedef struct BlockNode BlockNode;
typedef struct IoThread IoThread;

typedef enum BlockOp {
    BLOCK_OP_READ,
    BLOCK_OP_WRITE,
    BLOCK_OP_FLUSH,
    BLOCK_OP_DISCARD,
    BLOCK_OP_WRITE_ZEROES,
} BlockOp;

enum {
    BLOCK_REQ_FUA = 1u << 0,   /* on stable storage before completion */
    BLOCK_REQ_UNMAP = 1u << 1, /* WRITE_ZEROES may deallocate */
};

typedef struct BlockRequest BlockRequest;
struct BlockRequest {
    BlockOp op;
    uint32_t flags;
    uint64_t offset, bytes; /* multiples of 512; checked against the length: -EIO outside */
    const struct iovec *iov;
    int iovcnt;
    void (*done)(BlockRequest *req, int ret); /* ret: 0 or -errno */
    void *opaque;
    BlockBackend *blk;  /* the block layer's own */
    BlockRequest *next; /* the block layer's own */
};

/* Under the machine lock: */
/* By the drive's id or the node's name, as in -device X,drive=NAME. */
BlockBackend *block_backend_find(const char *name, GError **err);
/* Claims it for DEVICE_NAME; a back end serves one device. */
bool block_backend_attach(BlockBackend *blk, const char *device_name, bool needs_write,
                          GError **err);
void block_backend_detach(BlockBackend *blk);
/* Media change for CD-ROM and floppy: told on the main loop. */
void block_backend_set_change_cb(BlockBackend *blk, void (*fn)(void *opaque), void *opaque);
/* Waits until no request of this back end is in flight; releases the machine lock meanwhile. */
void block_backend_drain(BlockBackend *blk);

/*
 * werror=stop, rerror=stop and (the default) werror=enospc: a failed request is kept, and FN is
 * called on the I/O thread to stop the machine (RUN_STATE_IO_ERROR). block_resume_requests() tries
 * such requests again when the machine continues. Without an FN errors are reported to the guest.
 */
void block_set_stop_fn(void (*fn)(void *opaque, const char *drive, int error), void *opaque);
void block_resume_requests(void);
/* Takes back a request that is kept so, without calling done(); false when REQ is not. For a device
 * that is reset, or saved. Machine lock held. */
bool block_cancel_kept(BlockBackend *blk, BlockRequest *req);

/* Any thread: */
void block_submit(BlockBackend *blk, BlockRequest *req);
bool block_inserted(BlockBackend *blk);
uint64_t block_length(BlockBackend *blk); /* bytes */
bool block_readonly(BlockBackend *blk);
bool block_write_cache(BlockBackend *blk); /* false: every write is FUA (writethrough) */
void block_set_write_cache(BlockBackend *blk, bool on);
bool block_can_discard(BlockBackend *blk);
/* Serial number from -drive serial=, or NULL. */
const char *block_serial(BlockBackend *blk);
const char *block_name(BlockBackend *blk);

#endif
