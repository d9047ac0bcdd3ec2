/*
 * qcow2: discard, write zeroes, and changing the size.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

/* Let go of more than this and a flush is due, so that the space can be used again. */
#define MAX_PENDING_FREES 8192

typedef enum ZeroVerb { VERB_DISCARD, VERB_ZERO, VERB_ZERO_UNMAP } ZeroVerb;

/* Does a cluster without an entry read as zeroes at OFFSET? */
static bool unallocated_is_zero(const Qcow2 *s, uint64_t offset)
{
    return !s->node->backing || offset >= block_node_length(s->node->backing);
}

/*
 * What VERB makes of entries like MAP: *FIRST and *STEP as for qcow2_co_set_entries(). 0: nothing
 * to do, 1: set them, -ENOTSUP: this version cannot say it.
 */
static int new_entry(const Qcow2 *s, const Qcow2Map *map, uint64_t offset, ZeroVerb verb,
                     uint64_t *first, uint64_t *step)
{
    bool plain_is_zero = unallocated_is_zero(s, offset);

    *first = *step = 0;
    if (map->type == QCOW2_ZERO_PLAIN || (map->type == QCOW2_UNALLOCATED && plain_is_zero)) {
        return 0;
    }
    if (verb == VERB_DISCARD) {
        if (map->type == QCOW2_UNALLOCATED || (!plain_is_zero && s->h.version < 3)) {
            return 0;
        }
        *first = plain_is_zero ? 0 : QCOW2_OFLAG_ZERO;
        return 1;
    }
    if (map->type == QCOW2_ZERO_ALLOC) {
        return 0;
    }
    if (s->h.version < 3) {
        return plain_is_zero ? 1 : -ENOTSUP;
    }
    if (verb == VERB_ZERO && map->type == QCOW2_NORMAL && map->copied) {
        *first = qcow2_align_down(s, map->host) | QCOW2_OFLAG_ZERO | QCOW2_OFLAG_COPIED;
        *step = s->cluster_size;
    } else {
        *first = QCOW2_OFLAG_ZERO;
    }
    return 1;
}

/* Applies VERB to whole clusters. */
static int change_clusters(Qcow2 *s, uint64_t offset, uint64_t end, ZeroVerb verb)
{
    uint64_t slice_span = (uint64_t)1 << (s->l2_slice_bits + s->cluster_bits);
    uint64_t first, step;
    Qcow2Alloc alloc;
    Qcow2Map map;
    int r = 0;

    while (r >= 0 && offset < end) {
        uint64_t stop;

        if (s->corrupt) {
            return -EIO;
        }
        r = qcow2_co_lookup(s, offset, end - offset, &map);
        if (r < 0) {
            break;
        }
        stop = offset + map.bytes;
        if (qcow2_co_wait_allocs(s, offset, stop)) {
            continue;
        }
        r = new_entry(s, &map, offset, verb, &first, &step);
        if (r == 1) {
            stop = MIN(stop, (offset & ~(slice_span - 1)) + slice_span);
            qcow2_alloc_begin(s, &alloc, offset, stop);
            co_mutex_lock(&s->lock);
            r = qcow2_co_set_entries(s, offset, (stop - offset) >> s->cluster_bits, first, step);
            co_mutex_unlock(&s->lock);
            qcow2_alloc_end(s, &alloc);
        }
        offset = stop;
    }
    if (r >= 0 && s->pending_frees->len > MAX_PENDING_FREES) {
        r = qcow2_co_flush_meta(s, false);
    }
    return r < 0 ? r : 0;
}

int qcow2_co_discard_clusters(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    uint64_t length = block_node_length(s->node), start = qcow2_align_up(s, offset),
             end = offset + bytes;

    end = end >= length ? qcow2_align_up(s, length) : qcow2_align_down(s, end);
    return start < end ? change_clusters(s, start, end, VERB_DISCARD) : 0;
}

int qcow2_co_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    return qcow2_co_discard_clusters(n->state, offset, bytes);
}

/* Zeroes a part of one cluster as data, unless it reads as zeroes anyway. */
static int zero_part(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    Qcow2Map map;
    size_t size;
    void *zero = (void *)block_zero_buffer(&size);
    int r;

    /* A write in progress may be about to change what is found. */
    while (
        qcow2_co_wait_allocs(s, qcow2_align_down(s, offset), qcow2_align_up(s, offset + bytes))) {
    }
    r = qcow2_co_lookup(s, offset, bytes, &map);
    if (r < 0) {
        return r;
    }
    if (map.bytes == bytes && (map.type == QCOW2_ZERO_PLAIN || map.type == QCOW2_ZERO_ALLOC ||
                               (map.type == QCOW2_UNALLOCATED && unallocated_is_zero(s, offset)))) {
        return 0;
    }
    while (r == 0 && bytes > 0) {
        struct iovec iov = {.iov_base = zero, .iov_len = MIN(bytes, size)};

        r = qcow2_co_write(s->node, offset, iov.iov_len, &iov, 1);
        offset += iov.iov_len;
        bytes -= iov.iov_len;
    }
    return r;
}

int qcow2_co_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags)
{
    Qcow2 *s = n->state;
    uint64_t length = block_node_length(n), end = offset + bytes;
    uint64_t first = qcow2_align_up(s, offset), last;
    int r = 0;

    if (s->corrupt) {
        return -EIO;
    }
    last = end >= length ? qcow2_align_up(s, end) : qcow2_align_down(s, end);
    if (first >= last) {
        return zero_part(s, offset, bytes);
    }
    if (offset < first) {
        r = zero_part(s, offset, first - offset);
    }
    if (r == 0) {
        r = change_clusters(s, first, last, flags & BLOCK_REQ_UNMAP ? VERB_ZERO_UNMAP : VERB_ZERO);
    }
    if (r == 0 && last < end) {
        r = zero_part(s, last, end - last);
    }
    return r;
}

/* ---- size ---- */

static int write_size(Qcow2 *s, uint64_t length)
{
    uint64_t be = GUINT64_TO_BE(length);
    int r = qcow2_co_write_header(s, QCOW2_HDR_SIZE, &be, sizeof(be));

    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0) {
        s->h.size = length;
        atomic_store(&s->node->length, length);
    }
    return r;
}

static int shrink(Qcow2 *s, uint64_t length, GError **err)
{
    uint64_t start = qcow2_align_up(s, length), end = block_node_length(s->node);
    int r = 0;

    if (start < end) {
        r = qcow2_co_discard_clusters(s, start, end - start);
    }
    if (r == 0) {
        r = qcow2_co_flush_meta(s, true);
    }
    if (r == 0) {
        r = write_size(s, length);
    }
    if (r < 0) {
        emu_set_error(err, "Could not shrink '%s': %s", s->node->filename, g_strerror(-r));
    }
    return r;
}

static int grow(Qcow2 *s, uint64_t length, GError **err)
{
    uint64_t old = block_node_length(s->node),
             clusters = qcow2_align_up(s, length) >> s->cluster_bits;
    uint64_t entries = (clusters + ((uint64_t)1 << s->l2_bits) - 1) >> s->l2_bits, stale_end;
    BlockNode *backing = s->node->backing;
    int r = 0;

    if (entries * 8 > QCOW2_MAX_L1_BYTES) {
        emu_set_error(err,
                      "The image is too large for its cluster size of %u bytes; use a larger one",
                      s->cluster_size);
        return -EFBIG;
    }
    co_mutex_lock(&s->lock);
    r = qcow2_co_grow_l1(s, (uint32_t)entries, err);
    co_mutex_unlock(&s->lock);
    if (r < 0) {
        return r;
    }
    r = write_size(s, length);
    /* What is new must read as zeroes: the old end's cluster may have a rest, the backing be
     * longer. */
    stale_end = qcow2_align_up(s, old);
    if (backing && block_node_length(backing) > old) {
        stale_end = MAX(stale_end, block_node_length(backing));
    }
    stale_end = MIN(stale_end, length);
    if (r == 0 && old < stale_end) {
        r = block_co_write_zeroes(s->node, old, stale_end - old, 0);
    }
    if (r == 0) {
        r = qcow2_co_flush_meta(s, true);
    }
    if (r < 0) {
        emu_set_error(err, "Could not grow '%s': %s", s->node->filename, g_strerror(-r));
    }
    return r;
}

int qcow2_co_truncate(BlockNode *n, uint64_t length, GError **err)
{
    Qcow2 *s = n->state;
    uint64_t old = block_node_length(n);

    if (s->corrupt) {
        emu_set_error(err, "Could not resize '%s': it is corrupt", n->filename);
        return -EIO;
    }
    if (length & (BLOCK_SECTOR_SIZE - 1)) {
        emu_set_error(err, "The new size must be a multiple of 512");
        return -EINVAL;
    }
    for (uint32_t i = 0; i < s->h.snapshot_count; i++) {
        if (!s->snapshots[i].has_disk_size) {
            emu_set_error(err, "Cannot resize '%s': its snapshot '%s' does not record a disk size",
                          n->filename, s->snapshots[i].name);
            return -ENOTSUP;
        }
    }
    return length < old ? shrink(s, length, err) : length > old ? grow(s, length, err) : 0;
}
