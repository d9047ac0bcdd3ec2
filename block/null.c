/*
 * null-co: a disk that keeps nothing, for measuring what is above it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/block-int.h"

typedef struct BlockNull {
    bool read_zeroes;
    uint64_t latency_ns;
} BlockNull;

static bool null_co_open(BlockNode *n, const BlockOpenArgs *args, GError **err)
{
    BlockNull *null = n->state;

    if (args->size > BLOCK_MAX_LENGTH || args->size & (BLOCK_SECTOR_SIZE - 1)) {
        emu_set_error(err, "null-co: size must be a multiple of 512 and at most 8 EiB");
        return false;
    }
    null->read_zeroes = args->read_zeroes;
    null->latency_ns = args->latency_ns;
    atomic_store(&n->length, args->size ? args->size : (uint64_t)1 << 30);
    return true;
}

static int null_delay(BlockNode *n)
{
    const BlockNull *null = n->state;

    if (null->latency_ns) {
        io_co_sleep((int64_t)null->latency_ns);
    }
    return 0;
}

static int null_co_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                        int iovcnt)
{
    const BlockNull *null = n->state;

    (void)offset;
    if (null->read_zeroes) {
        iov_zero(iov, iovcnt, 0, bytes);
    }
    return null_delay(n);
}

static int null_co_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                         int iovcnt)
{
    (void)offset;
    (void)bytes;
    (void)iov;
    (void)iovcnt;
    return null_delay(n);
}

static int null_co_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags)
{
    (void)offset;
    (void)bytes;
    (void)flags;
    return null_delay(n);
}

static int null_co_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return null_co_write_zeroes(n, offset, bytes, 0);
}

static int null_co_status(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out)
{
    const BlockNull *null = n->state;

    (void)offset;
    (void)bytes;
    out->present = true;
    out->zero = null->read_zeroes;
    return 0;
}

const BlockDriver block_driver_null = {
    .name = "null-co",
    .protocol = true,
    .state_size = sizeof(BlockNull),
    .co_open = null_co_open,
    .co_read = null_co_read,
    .co_write = null_co_write,
    .co_write_zeroes = null_co_write_zeroes,
    .co_discard = null_co_discard,
    .co_flush = null_delay,
    .co_status = null_co_status,
};
