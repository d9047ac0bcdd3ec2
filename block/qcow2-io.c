/*
 * qcow2: reading, and saying what is where.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

/* Reads one mapped stretch into IOV (just its bytes). */
static int read_mapped(Qcow2 *s, uint64_t offset, const Qcow2Map *map, const struct iovec *iov,
                       int iovcnt)
{
    Qcow2Pin pin;
    int r = 0;

    switch (map->type) {
    case QCOW2_NORMAL:
        qcow2_pin(s, &pin);
        r = block_co_read(s->file, map->host, map->bytes, iov, iovcnt);
        qcow2_unpin(s, &pin);
        return r;
    case QCOW2_COMPRESSED:
        qcow2_pin(s, &pin);
        r = qcow2_co_read_compressed(s, map, offset & (s->cluster_size - 1), iov, iovcnt, 0,
                                     map->bytes);
        qcow2_unpin(s, &pin);
        return r;
    case QCOW2_UNALLOCATED:
        if (s->node->backing) {
            return block_co_read(s->node->backing, offset, map->bytes, iov, iovcnt);
        }
        break;
    default:
        break;
    }
    iov_zero(iov, iovcnt, 0, map->bytes);
    return 0;
}

int qcow2_co_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                  int iovcnt)
{
    Qcow2 *s = n->state;
    struct iovec stack[BLOCK_IOV_STACK], *part = stack;
    uint64_t done = 0;
    Qcow2Map map;
    int r;

    r = qcow2_co_lookup(s, offset, bytes, &map);
    if (G_LIKELY(r == 0 && map.bytes == bytes)) {
        return read_mapped(s, offset, &map, iov, iovcnt);
    }
    if (iovcnt > BLOCK_IOV_STACK) {
        part = g_new(struct iovec, iovcnt);
    }
    while (r == 0) {
        int cnt = iov_slice(part, iov, iovcnt, done, map.bytes);

        r = read_mapped(s, offset + done, &map, part, cnt);
        done += map.bytes;
        if (r < 0 || done == bytes) {
            break;
        }
        r = qcow2_co_lookup(s, offset + done, bytes - done, &map);
    }
    if (part != stack) {
        g_free(part);
    }
    return r;
}

int qcow2_co_status(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out)
{
    Qcow2 *s = n->state;
    uint64_t done;
    Qcow2Map map, more;
    int r = qcow2_co_lookup(s, offset, bytes, &map);

    if (r < 0) {
        return r;
    }
    done = map.bytes;
    out->present = map.type != QCOW2_UNALLOCATED;
    out->data = map.type == QCOW2_NORMAL || map.type == QCOW2_COMPRESSED;
    out->zero = map.type == QCOW2_ZERO_PLAIN || map.type == QCOW2_ZERO_ALLOC;
    out->compressed = map.type == QCOW2_COMPRESSED;
    out->offset_valid = map.type == QCOW2_NORMAL || map.type == QCOW2_ZERO_ALLOC;
    out->host_offset = out->offset_valid ? map.host : 0;
    while (done < bytes) {
        r = qcow2_co_lookup(s, offset + done, bytes - done, &more);
        if (r < 0 || more.type != map.type || (out->offset_valid && more.host != map.host + done)) {
            break; /* an error is found when the caller asks on from there */
        }
        done += more.bytes;
    }
    out->bytes = done;
    return 0;
}
