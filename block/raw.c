/*
 * The raw format: the file's bytes are the disk's, or a window of them.
 *
 * A raw image whose format was guessed is dangerous: a guest could write another format's header
 * into sector 0, and whoever opens the image next would believe it (and, say, follow a backing file
 * name into the host). Such a write is refused. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/block-int.h"

#include <errno.h>

typedef struct BlockRaw {
    uint64_t offset;
    bool window;
} BlockRaw;

static uint64_t round_up_sector(uint64_t length)
{
    return (length + BLOCK_SECTOR_SIZE - 1) & ~(uint64_t)(BLOCK_SECTOR_SIZE - 1);
}

static bool raw_co_open(BlockNode *n, const BlockOpenArgs *args, GError **err)
{
    BlockRaw *raw = n->state;
    uint64_t length = block_node_length(n->file);

    if (args->window) {
        if (args->offset > length || args->size > length - args->offset) {
            emu_set_error(err,
                          "raw: offset %" G_GUINT64_FORMAT " and size %" G_GUINT64_FORMAT
                          " do not lie within the %" G_GUINT64_FORMAT " bytes of '%s'",
                          args->offset, args->size, length, n->filename);
            return false;
        }
        if ((args->offset | args->size) & (BLOCK_SECTOR_SIZE - 1)) {
            emu_set_error(err, "raw: offset and size must be multiples of 512");
            return false;
        }
        raw->window = true;
        raw->offset = args->offset;
        length =
            args->size ? args->size : (length - args->offset) & ~(uint64_t)(BLOCK_SECTOR_SIZE - 1);
    }
    atomic_store(&n->length, round_up_sector(length));
    return true;
}

static int raw_co_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                       int iovcnt)
{
    const BlockRaw *raw = n->state;

    return block_co_read(n->file, raw->offset + offset, bytes, iov, iovcnt);
}

static int raw_co_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                        int iovcnt)
{
    const BlockRaw *raw = n->state;
    uint8_t head[BLOCK_SECTOR_SIZE];

    if (n->probed_raw && offset < sizeof(head)) {
        uint64_t len = MIN(bytes, sizeof(head) - offset);

        if (offset > 0 || len < sizeof(head)) {
            int r = block_co_read_buf(n, 0, head, sizeof(head));

            if (r < 0) {
                return r;
            }
        }
        iov_to_buf(iov, iovcnt, 0, head + offset, len);
        if (block_looks_like_format(head, sizeof(head))) {
            return -EPERM;
        }
    }
    return block_co_write(n->file, raw->offset + offset, bytes, iov, iovcnt, 0);
}

static int raw_co_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags)
{
    const BlockRaw *raw = n->state;

    return block_co_write_zeroes(n->file, raw->offset + offset, bytes, flags);
}

static int raw_co_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    const BlockRaw *raw = n->state;

    return block_co_discard(n->file, raw->offset + offset, bytes);
}

static int raw_co_flush(BlockNode *n)
{
    return block_co_flush(n->file);
}

static int raw_co_status(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out)
{
    const BlockRaw *raw = n->state;
    uint64_t end = block_node_length(n->file);
    int r;

    if (raw->offset + offset >= end) { /* the last, partial sector's padding */
        out->present = out->zero = true;
        return 0;
    }
    r = block_co_status(n->file, raw->offset + offset, MIN(bytes, end - raw->offset - offset), out);
    /* The file's last bytes and their padding are one extent. */
    if (r == 0 && raw->offset + offset + out->bytes == end &&
        bytes - out->bytes < BLOCK_SECTOR_SIZE) {
        out->bytes = bytes;
    }
    return r;
}

static int raw_co_truncate(BlockNode *n, uint64_t length, GError **err)
{
    const BlockRaw *raw = n->state;
    int r;

    if (raw->window) {
        emu_set_error(err, "Cannot resize a raw node that has an offset or a size");
        return -ENOTSUP;
    }
    r = block_co_truncate(n->file, length, err);
    if (r == 0) {
        atomic_store(&n->length, round_up_sector(length));
    }
    return r;
}

const BlockDriver block_driver_raw = {
    .name = "raw",
    .state_size = sizeof(BlockRaw),
    .co_open = raw_co_open,
    .co_read = raw_co_read,
    .co_write = raw_co_write,
    .co_write_zeroes = raw_co_write_zeroes,
    .co_discard = raw_co_discard,
    .co_flush = raw_co_flush,
    .co_status = raw_co_status,
    .co_truncate = raw_co_truncate,
};
