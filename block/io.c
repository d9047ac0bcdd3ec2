/*
 * Requests on nodes: what is the same for every driver.
 *
 * Bounds, splitting of large requests, zero detection, the fallback for writing zeroes, and FUA (a
 * flush behind the write) are done here; drivers see requests inside their length only.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/block-int.h"

#include <errno.h>
#include <string.h>

typedef int (*TransferFn)(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                          int iovcnt);

/* Calls FN for pieces of at most BLOCK_MAX_TRANSFER bytes. */
static int transfer(BlockNode *n, TransferFn fn, uint64_t offset, uint64_t bytes,
                    const struct iovec *iov, int iovcnt)
{
    struct iovec *part;
    uint64_t done = 0;
    int r = 0;

    if (G_LIKELY(bytes <= BLOCK_MAX_TRANSFER)) {
        return fn(n, offset, bytes, iov, iovcnt);
    }
    part = g_new(struct iovec, iovcnt);
    while (r == 0 && done < bytes) {
        uint64_t len = MIN(bytes - done, BLOCK_MAX_TRANSFER);
        int cnt = iov_slice(part, iov, iovcnt, done, len);

        r = fn(n, offset + done, len, part, cnt);
        done += len;
    }
    g_free(part);
    return r;
}

int block_co_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                  int iovcnt)
{
    uint64_t length = block_node_length(n), inside;
    struct iovec *part;
    int r = 0;

    if (bytes == 0) {
        return 0;
    }
    if (G_LIKELY(offset <= length && bytes <= length - offset)) {
        return transfer(n, n->drv->co_read, offset, bytes, iov, iovcnt);
    }
    inside = offset < length ? length - offset : 0;
    if (inside) {
        part = g_new(struct iovec, iovcnt);
        r = transfer(n, n->drv->co_read, offset, inside, part,
                     iov_slice(part, iov, iovcnt, 0, inside));
        g_free(part);
    }
    iov_zero(iov, iovcnt, inside, bytes - inside);
    return r;
}

static bool write_allowed(BlockNode *n, uint64_t offset, uint64_t bytes, int *r)
{
    if (n->read_only) {
        *r = -EPERM;
        return false;
    }
    if (bytes > BLOCK_MAX_LENGTH || offset > BLOCK_MAX_LENGTH - bytes) {
        *r = -EFBIG;
        return false;
    }
    /* Protocols grow with what is written, formats are as long as they say. */
    if (!n->drv->protocol && offset + bytes > block_node_length(n)) {
        *r = -EIO;
        return false;
    }
    return true;
}

int block_co_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   int iovcnt, uint32_t flags)
{
    int r = 0;

    if (!write_allowed(n, offset, bytes, &r) || bytes == 0) {
        return r;
    }
    if (n->detect_zeroes != BLOCK_DETECT_ZEROES_OFF && iov_is_zero(iov, iovcnt)) {
        if (n->detect_zeroes == BLOCK_DETECT_ZEROES_UNMAP) {
            flags |= BLOCK_REQ_UNMAP;
        }
        return block_co_write_zeroes(n, offset, bytes, flags);
    }
    r = transfer(n, n->drv->co_write, offset, bytes, iov, iovcnt);
    if (r == 0 && (flags & BLOCK_REQ_FUA)) {
        r = block_co_flush(n);
    }
    return r;
}

int block_co_read_buf(BlockNode *n, uint64_t offset, void *buf, uint64_t bytes)
{
    struct iovec iov = {.iov_base = buf, .iov_len = bytes};

    return block_co_read(n, offset, bytes, &iov, 1);
}

int block_co_write_buf(BlockNode *n, uint64_t offset, const void *buf, uint64_t bytes)
{
    struct iovec iov = {.iov_base = (void *)buf, .iov_len = bytes};

    return block_co_write(n, offset, bytes, &iov, 1, 0);
}

/* Zeroes as data. */
static int write_zero_data(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    size_t size;
    void *zero = (void *)block_zero_buffer(&size);
    int r = 0;

    while (r == 0 && bytes > 0) {
        struct iovec iov = {.iov_base = zero, .iov_len = MIN(bytes, size)};

        r = n->drv->co_write(n, offset, iov.iov_len, &iov, 1);
        offset += iov.iov_len;
        bytes -= iov.iov_len;
    }
    return r;
}

int block_co_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags)
{
    int r = 0;

    if (!write_allowed(n, offset, bytes, &r) || bytes == 0) {
        return r;
    }
    if (!n->unmap) {
        flags &= ~(uint32_t)BLOCK_REQ_UNMAP;
    }
    r = n->drv->co_write_zeroes ? n->drv->co_write_zeroes(n, offset, bytes, flags) : -ENOTSUP;
    if (r == -ENOTSUP) {
        r = write_zero_data(n, offset, bytes);
    }
    if (r == 0 && (flags & BLOCK_REQ_FUA)) {
        r = block_co_flush(n);
    }
    return r;
}

int block_co_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    uint64_t length = block_node_length(n);

    if (n->read_only) {
        return -EPERM;
    }
    if (!n->unmap || !n->drv->co_discard || offset >= length) {
        return 0;
    }
    bytes = MIN(bytes, length - offset);
    return bytes ? n->drv->co_discard(n, offset, bytes) : 0;
}

int block_co_flush(BlockNode *n)
{
    if (n->read_only || !n->drv->co_flush) {
        return 0;
    }
    return n->drv->co_flush(n);
}

int block_co_status(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out)
{
    uint64_t length = block_node_length(n);

    memset(out, 0, sizeof(*out));
    if (offset >= length) {
        out->bytes = bytes;
        out->zero = true;
        out->present = true;
        return 0;
    }
    out->bytes = bytes = MIN(bytes, length - offset);
    if (!n->drv->co_status) {
        out->present = out->data = true;
        return 0;
    }
    return n->drv->co_status(n, offset, bytes, out);
}

int block_co_status_chain(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out,
                          unsigned *depth, BlockNode **owner)
{
    unsigned level = 0;
    int r;

    for (;; n = n->backing, level++) {
        r = block_co_status(n, offset, bytes, out);
        if (r < 0 || out->present || !n->backing) {
            break;
        }
        bytes = out->bytes;
    }
    if (r == 0 && !out->present) {
        out->zero = true;
    }
    if (depth) {
        *depth = level;
    }
    if (owner) {
        *owner = n;
    }
    return r;
}

int block_co_truncate(BlockNode *n, uint64_t length, GError **err)
{
    if (n->read_only) {
        emu_set_error(err, "'%s' is read-only", n->filename);
        return -EPERM;
    }
    if (length > BLOCK_MAX_LENGTH) {
        emu_set_error(err, "The size is too large; the largest is %" G_GUINT64_FORMAT " bytes",
                      BLOCK_MAX_LENGTH);
        return -EFBIG;
    }
    if (!n->drv->co_truncate) {
        emu_set_error(err, "The '%s' driver cannot resize", n->drv->name);
        return -ENOTSUP;
    }
    return n->drv->co_truncate(n, length, err);
}
