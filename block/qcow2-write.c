/*
 * qcow2: writing.
 *
 * A cluster that is this disk's alone is written in place, and that path is a lookup and one write.
 * All others need a new cluster (or one set aside): it is written whole, guest data in the middle
 * and the old content around it, and only then the L2 entry changes. Writers that want to change
 * the mapping of the same cluster wait for each other in `allocs`; everything else runs in
 * parallel.
 *
 * Around the data, zeroes need not be written where the new cluster lies behind all that was ever
 * written to the file: a hole reads as zeroes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- changes in progress ---- */

void qcow2_alloc_begin(Qcow2 *s, Qcow2Alloc *a, uint64_t start, uint64_t end)
{
    memset(a, 0, sizeof(*a));
    a->start = start;
    a->end = end;
    a->next = s->allocs;
    if (s->allocs) {
        s->allocs->prev = a;
    }
    s->allocs = a;
}

void qcow2_alloc_shrink(Qcow2 *s, Qcow2Alloc *a, uint64_t end)
{
    (void)s;
    if (end < a->end) {
        a->end = end;
        co_queue_wake_all(&a->waiters);
    }
}

void qcow2_alloc_end(Qcow2 *s, Qcow2Alloc *a)
{
    *(a->prev ? &a->prev->next : &s->allocs) = a->next;
    if (a->next) {
        a->next->prev = a->prev;
    }
    co_queue_wake_all(&a->waiters);
}

bool qcow2_co_wait_allocs(Qcow2 *s, uint64_t start, uint64_t end)
{
    for (Qcow2Alloc *a = s->allocs; a; a = a->next) {
        if (a->start < end && start < a->end) {
            co_queue_wait(&a->waiters);
            return true;
        }
    }
    return false;
}

/* ---- a new cluster for old ---- */

typedef struct AllocWrite {
    uint64_t offset, bytes; /* guest data */
    uint64_t start, end;    /* the clusters around it */
    uint64_t host;          /* of START */
    bool fresh;             /* allocated by this write */
    bool virgin;
    Qcow2Type old;
} AllocWrite;

/* The old content of what this write changes in part reads as zeroes for sure. */
static bool old_is_zero(const Qcow2 *s, const AllocWrite *w)
{
    const BlockNode *backing = s->node->backing;

    return w->old == QCOW2_ZERO_PLAIN || w->old == QCOW2_ZERO_ALLOC ||
           (w->old == QCOW2_UNALLOCATED &&
            (!backing || w->start >= block_node_length((BlockNode *)backing)));
}

/* Fills BUF with the guest's old content of [OFFSET, OFFSET + BYTES). */
static int read_old(Qcow2 *s, const AllocWrite *w, uint64_t offset, void *buf, uint64_t bytes)
{
    if (old_is_zero(s, w)) {
        memset(buf, 0, bytes);
        return 0;
    }
    return block_co_read_buf(s->node, offset, buf, bytes);
}

static int write_data(Qcow2 *s, const AllocWrite *w, const struct iovec *iov, int iovcnt)
{
    uint64_t head = w->offset - w->start, tail = w->end - (w->offset + w->bytes);
    struct iovec *all;
    uint8_t *cow;
    int n = 0, r = 0;

    if ((head | tail) == 0 || (w->virgin && old_is_zero(s, w))) {
        return block_co_write(s->file, w->host + head, w->bytes, iov, iovcnt, 0);
    }
    cow = block_buffer_new(head + tail);
    all = g_new(struct iovec, (size_t)iovcnt + 2);
    if (head) {
        r = read_old(s, w, w->start, cow, head);
        all[n].iov_base = cow;
        all[n++].iov_len = head;
    }
    memcpy(all + n, iov, (size_t)iovcnt * sizeof(*iov));
    n += iovcnt;
    if (tail && r == 0) {
        r = read_old(s, w, w->offset + w->bytes, cow + head, tail);
        all[n].iov_base = cow + head;
        all[n++].iov_len = tail;
    }
    if (r == 0) {
        r = block_co_write(s->file, w->host, w->end - w->start, all, n, 0);
    }
    g_free(all);
    free(cow);
    return r;
}

/* Finds the host clusters for W, which may become shorter. */
static int find_clusters(Qcow2 *s, AllocWrite *w, const Qcow2Map *map)
{
    int64_t got;

    if (map->type == QCOW2_ZERO_ALLOC && map->copied) {
        w->host = qcow2_align_down(s, map->host);
        if (qcow2_meta_overlap(s, w->host, w->end - w->start)) {
            return qcow2_co_corrupt(s, "guest data at 0x%" G_GINT64_MODIFIER "x overlaps metadata",
                                    w->host);
        }
        return 0;
    }
    co_mutex_lock(&s->lock);
    got = qcow2_co_alloc(s, (w->end - w->start) >> s->cluster_bits, &w->host);
    if (got > 0) {
        w->fresh = true;
        w->end = MIN(w->end, w->start + ((uint64_t)got << s->cluster_bits));
        w->virgin = w->host >= s->virgin;
        s->virgin = MAX(s->virgin, w->host + (w->end - w->start));
    }
    co_mutex_unlock(&s->lock);
    return got < 0 ? (int)got : 0;
}

/* Writes the first part of [OFFSET, OFFSET + map->bytes); *DONE is how much. */
static int write_alloc(Qcow2 *s, uint64_t offset, const Qcow2Map *map, const struct iovec *iov,
                       int iovcnt, uint64_t skip, uint64_t *done)
{
    uint64_t slice_span = (uint64_t)1 << (s->l2_slice_bits + s->cluster_bits);
    uint64_t slice_end = (offset & ~(slice_span - 1)) + slice_span;
    AllocWrite w = {.offset = offset, .start = qcow2_align_down(s, offset), .old = map->type};
    struct iovec stack[BLOCK_IOV_STACK], *part = stack;
    Qcow2Alloc alloc;
    int r;

    w.end = MIN(qcow2_align_up(s, offset + map->bytes), slice_end);
    qcow2_alloc_begin(s, &alloc, w.start, w.end);
    r = find_clusters(s, &w, map);
    if (r < 0) {
        goto out;
    }
    qcow2_alloc_shrink(s, &alloc, w.end);
    w.bytes = MIN(map->bytes, w.end - offset);
    if (iovcnt > BLOCK_IOV_STACK) {
        part = g_new(struct iovec, iovcnt);
    }
    r = write_data(s, &w, part, iov_slice(part, iov, iovcnt, skip, w.bytes));
    if (part != stack) {
        g_free(part);
    }
    co_mutex_lock(&s->lock);
    if (r == 0) {
        r = qcow2_co_set_entries(s, w.start, (w.end - w.start) >> s->cluster_bits,
                                 w.host | QCOW2_OFLAG_COPIED, s->cluster_size);
    }
    if (r < 0 && w.fresh) {
        qcow2_co_ref_down(s, w.host, w.end - w.start);
    }
    co_mutex_unlock(&s->lock);
    *done = w.bytes;
out:
    qcow2_alloc_end(s, &alloc);
    return r;
}

/* ---- in place ---- */

static int write_in_place(Qcow2 *s, const Qcow2Map *map, const struct iovec *iov, int iovcnt,
                          uint64_t skip, bool whole)
{
    struct iovec stack[BLOCK_IOV_STACK], *part = stack;
    Qcow2Pin pin;
    int r;

    if (G_UNLIKELY(qcow2_meta_overlap(s, map->host, map->bytes))) {
        return qcow2_co_corrupt(s, "guest data at 0x%" G_GINT64_MODIFIER "x overlaps metadata",
                                map->host);
    }
    qcow2_pin(s, &pin);
    if (whole) {
        r = block_co_write(s->file, map->host, map->bytes, iov, iovcnt, 0);
    } else {
        if (iovcnt > BLOCK_IOV_STACK) {
            part = g_new(struct iovec, iovcnt);
        }
        iovcnt = iov_slice(part, iov, iovcnt, skip, map->bytes);
        r = block_co_write(s->file, map->host, map->bytes, part, iovcnt, 0);
        if (part != stack) {
            g_free(part);
        }
    }
    qcow2_unpin(s, &pin);
    return r;
}

int qcow2_co_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   int iovcnt)
{
    Qcow2 *s = n->state;
    uint64_t done = 0, part;
    Qcow2Map map;
    int r = 0;

    while (r == 0 && done < bytes) {
        if (s->corrupt) {
            return -EIO;
        }
        r = qcow2_co_lookup(s, offset + done, bytes - done, &map);
        if (r < 0) {
            break;
        }
        part = map.bytes;
        if (map.type == QCOW2_NORMAL && map.copied) {
            r = write_in_place(s, &map, iov, iovcnt, done, map.bytes == bytes);
        } else if (qcow2_co_wait_allocs(s, qcow2_align_down(s, offset + done),
                                        qcow2_align_up(s, offset + done + map.bytes))) {
            continue; /* the mapping may be another now */
        } else {
            r = write_alloc(s, offset + done, &map, iov, iovcnt, done, &part);
        }
        done += part;
    }
    return r;
}

/* ---- preallocation ---- */

int qcow2_co_preallocate(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    Qcow2 *s = n->state;
    uint64_t end = offset + bytes;
    int r = 0;

    while (r == 0 && offset < end) {
        uint64_t slice_span = (uint64_t)1 << (s->l2_slice_bits + s->cluster_bits);
        uint64_t stop = MIN((offset & ~(slice_span - 1)) + slice_span, end), host;
        uint64_t want = (qcow2_align_up(s, stop) - offset) >> s->cluster_bits;
        int64_t got;

        co_mutex_lock(&s->lock);
        got = qcow2_co_alloc(s, want, &host);
        if (got > 0) {
            uint64_t span = (uint64_t)got << s->cluster_bits;

            /* The data clusters are a hole of the file for now, and lie within it. */
            if (host + span > block_node_length(s->file)) {
                r = block_co_truncate(s->file, host + span, NULL);
            }
            if (r == 0) {
                r = qcow2_co_set_entries(s, offset, (uint64_t)got, host | QCOW2_OFLAG_COPIED,
                                         s->cluster_size);
            }
            s->virgin = MAX(s->virgin, host + span);
            offset += span;
        } else {
            r = (int)got;
        }
        co_mutex_unlock(&s->lock);
    }
    return r;
}
