/*
 * Split virtqueues (virtio 1.2, 2.7).
 *
 * The three parts of a ring are found by guest address at each use: nothing of the guest's memory
 * map is kept. Fields that the driver changes at the same time are read once, by one load.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdatomic.h>
#include <string.h>

#include "hw/virtio/virtio.h"

enum {
    DESC_NEXT = 1,
    DESC_WRITE = 2,
    DESC_INDIRECT = 4,
    AVAIL_NO_INTERRUPT = 1,
    USED_NO_NOTIFY = 1,
    DESC_SIZE = 16,
    /* An indirect table has no limit of its own; a chain must not be longer than the queue
     * (2.7.5.3.1), and no request needs more parts than this. */
    SEGMENTS_MAX = VIRTIO_QUEUE_SIZE_MAX,
};

typedef struct Desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Desc;

/* ---- ring memory ---- */

/* A pointer to SIZE bytes of RAM at ADDR; NULL with the device broken when there is no such RAM. */
static void *ring_map(VirtQueue *q, uint64_t addr, uint64_t size, bool write)
{
    AddressSpace *as = q->vdev->transport->dma(q->vdev);
    uint64_t len = size;
    void *host;

    if (!as) {
        return NULL;
    }
    host = address_space_map(as, addr, &len, write);
    if (!host || len < size) {
        virtio_error(q->vdev, "queue %u: its ring at %" G_GINT64_MODIFIER "x is not in RAM",
                     q->index, addr);
        return NULL;
    }
    return host;
}

static bool load16(VirtQueue *q, uint64_t addr, uint16_t *value)
{
    _Atomic uint16_t *p = ring_map(q, addr, 2, false);

    if (!p) {
        return false;
    }
    *value = GUINT16_FROM_LE(atomic_load_explicit(p, memory_order_acquire));
    return true;
}

static bool store16(VirtQueue *q, uint64_t addr, uint16_t value)
{
    _Atomic uint16_t *p = ring_map(q, addr, 2, true);

    if (!p) {
        return false;
    }
    atomic_store_explicit(p, GUINT16_TO_LE(value), memory_order_release);
    address_space_unmap(q->vdev->transport->dma(q->vdev), (void *)p, 2, true);
    return true;
}

static bool read_desc(VirtQueue *q, uint64_t table, uint32_t index, Desc *out)
{
    const void *p = ring_map(q, table + (uint64_t)index * DESC_SIZE, DESC_SIZE, false);

    if (!p) {
        return false;
    }
    memcpy(out, p, DESC_SIZE);
    out->addr = GUINT64_FROM_LE(out->addr);
    out->len = GUINT32_FROM_LE(out->len);
    out->flags = GUINT16_FROM_LE(out->flags);
    out->next = GUINT16_FROM_LE(out->next);
    return true;
}

static uint64_t avail_ring(const VirtQueue *q, uint16_t index)
{
    return q->avail + 4 + 2ull * (index & (q->size - 1u));
}

static uint64_t used_event_addr(const VirtQueue *q)
{
    return q->avail + 4 + 2ull * q->size;
}

static uint64_t avail_event_addr(const VirtQueue *q)
{
    return q->used + 4 + 8ull * q->size;
}

/* ---- taking buffers ---- */

/* What a chain's descriptors turn into, before it is known how many parts there are. */
typedef struct Parts {
    unsigned out_count, in_count;
    uint64_t out_bytes, in_bytes;
    struct iovec iov[SEGMENTS_MAX]; /* out, then in */
} Parts;

/* Adds a buffer, which may lie in several pieces of RAM. */
static bool add_buffer(VirtQueue *q, Parts *parts, const Desc *d)
{
    AddressSpace *as = q->vdev->transport->dma(q->vdev);
    bool in = d->flags & DESC_WRITE;
    uint64_t addr = d->addr, left = d->len;

    if (!as) {
        return false;
    }
    if (!in && parts->in_count) {
        virtio_error(q->vdev, "queue %u: a buffer to read follows one to write", q->index);
        return false;
    }
    if (!left) {
        virtio_error(q->vdev, "queue %u: a buffer of no bytes", q->index);
        return false;
    }
    while (left) {
        unsigned n = parts->out_count + parts->in_count;
        uint64_t len = left;
        void *host = addr + left > addr ? address_space_map(as, addr, &len, in) : NULL;

        if (!host) {
            virtio_error(q->vdev, "queue %u: no RAM at buffer address %" G_GINT64_MODIFIER "x",
                         q->index, addr);
            return false;
        }
        if (n == SEGMENTS_MAX) {
            virtio_error(q->vdev, "queue %u: a chain of more than %d buffers", q->index,
                         SEGMENTS_MAX);
            return false;
        }
        parts->iov[n] = (struct iovec){.iov_base = host, .iov_len = len};
        addr += len;
        left -= len;
        if (in) {
            parts->in_count++;
            parts->in_bytes += len;
        } else {
            parts->out_count++;
            parts->out_bytes += len;
        }
    }
    return true;
}

/* The table that a chain's buffers are in: the queue's own, or the indirect one D describes. */
static bool enter_indirect(VirtQueue *q, const Desc *d, uint64_t *table, uint32_t *count)
{
    if (!virtio_has(q->vdev, VIRTIO_F_INDIRECT_DESC)) {
        virtio_error(q->vdev, "queue %u: an indirect table, which was not negotiated", q->index);
        return false;
    }
    if (!d->len || d->len % DESC_SIZE || d->flags & DESC_NEXT) {
        virtio_error(q->vdev, "queue %u: a malformed indirect table of %u bytes", q->index, d->len);
        return false;
    }
    *table = d->addr;
    *count = d->len / DESC_SIZE;
    return true;
}

static bool walk_chain(VirtQueue *q, uint16_t head, Parts *parts)
{
    uint64_t table = q->desc;
    uint32_t count = q->size, index = head, seen = 0;
    Desc d;

    if (!read_desc(q, table, index, &d)) {
        return false;
    }
    if (d.flags & DESC_INDIRECT) {
        if (!enter_indirect(q, &d, &table, &count) || !read_desc(q, table, 0, &d)) {
            return false;
        }
    }
    for (;;) {
        if (d.flags & DESC_INDIRECT) {
            virtio_error(q->vdev, "queue %u: an indirect table inside a chain", q->index);
            return false;
        }
        if (!add_buffer(q, parts, &d)) {
            return false;
        }
        if (!(d.flags & DESC_NEXT)) {
            return true;
        }
        if (++seen >= count) {
            virtio_error(q->vdev, "queue %u: a chain that goes in a circle", q->index);
            return false;
        }
        if (d.next >= count) {
            virtio_error(q->vdev, "queue %u: descriptor %u of %u", q->index, d.next, count);
            return false;
        }
        if (!read_desc(q, table, d.next, &d)) {
            return false;
        }
    }
}

static VirtElem *make_elem(const Parts *parts, size_t size)
{
    unsigned n = parts->out_count + parts->in_count;
    size_t at = (size + 15) & ~(size_t)15;
    VirtElem *elem = g_malloc(at + n * sizeof(struct iovec));

    memset(elem, 0, at);
    elem->out = (struct iovec *)((char *)elem + at);
    elem->in = elem->out + parts->out_count;
    memcpy(elem->out, parts->iov, n * sizeof(struct iovec));
    elem->out_count = (uint16_t)parts->out_count;
    elem->in_count = (uint16_t)parts->in_count;
    elem->out_bytes = parts->out_bytes;
    elem->in_bytes = parts->in_bytes;
    return elem;
}

/* How many chains wait; 0 also when the ring is not usable. */
static uint16_t available(VirtQueue *q)
{
    uint16_t index, waiting;

    if (!q->enabled || q->vdev->broken || !load16(q, q->avail + 2, &index)) {
        return 0;
    }
    waiting = (uint16_t)(index - q->last_avail);
    if (waiting > q->size) {
        virtio_error(q->vdev, "queue %u: %u buffers are available in a queue of %u", q->index,
                     waiting, q->size);
        return 0;
    }
    return waiting;
}

bool virtq_empty(VirtQueue *q)
{
    return available(q) == 0;
}

void *virtq_pop_sized(VirtQueue *q, size_t size)
{
    Parts parts;
    VirtElem *elem;
    uint16_t head;

    if (!available(q)) {
        return NULL;
    }
    if (q->in_flight >= q->size) {
        virtio_error(q->vdev, "queue %u: more buffers than the queue has", q->index);
        return NULL;
    }
    if (!load16(q, avail_ring(q, q->last_avail), &head)) {
        return NULL;
    }
    if (head >= q->size) {
        virtio_error(q->vdev, "queue %u: descriptor %u of %u", q->index, head, q->size);
        return NULL;
    }
    parts.out_count = parts.in_count = 0;
    parts.out_bytes = parts.in_bytes = 0;
    if (!walk_chain(q, head, &parts)) {
        return NULL;
    }
    q->last_avail++;
    if (virtio_has(q->vdev, VIRTIO_F_EVENT_IDX) && !q->notify_off &&
        !store16(q, avail_event_addr(q), q->last_avail)) {
        return NULL;
    }
    elem = make_elem(&parts, size);
    elem->head = head;
    q->in_flight++;
    return elem;
}

VirtElem *virtq_pop(VirtQueue *q)
{
    return virtq_pop_sized(q, sizeof(VirtElem));
}

/* ---- giving them back ---- */

/* The device wrote into the element's buffers: dirty logs and translated code must hear of it. */
static void written_to(VirtQueue *q, const VirtElem *elem, uint64_t written)
{
    AddressSpace *as = q->vdev->transport->dma(q->vdev);

    for (unsigned i = 0; as && i < elem->in_count && written; i++) {
        uint64_t len = MIN(written, elem->in[i].iov_len);
        address_space_unmap(as, elem->in[i].iov_base, len, true);
        written -= len;
    }
}

void virtq_written(VirtQueue *q, void *host, uint64_t len)
{
    AddressSpace *as = q->vdev->transport->dma(q->vdev);

    if (as) {
        address_space_unmap(as, host, len, true);
    }
}

void virtq_drop(VirtQueue *q, VirtElem *elem)
{
    q->in_flight -= q->in_flight > 0;
    g_free(elem);
}

void virtq_unpop(VirtQueue *q, VirtElem *elem)
{
    q->last_avail--;
    virtq_drop(q, elem);
}

void virtq_fill(VirtQueue *q, VirtElem *elem, uint32_t written, uint16_t n)
{
    uint16_t index = (uint16_t)(q->used_index + n);
    uint64_t addr = q->used + 4 + 8ull * (index & (q->size - 1u));
    const uint32_t entry[2] = {GUINT32_TO_LE(elem->head), GUINT32_TO_LE(written)};
    void *p = q->vdev->broken ? NULL : ring_map(q, addr, sizeof(entry), true);

    written_to(q, elem, elem->in_bytes);
    if (p) {
        memcpy(p, entry, sizeof(entry));
        address_space_unmap(q->vdev->transport->dma(q->vdev), p, sizeof(entry), true);
    }
    virtq_drop(q, elem);
}

void virtq_flush(VirtQueue *q, uint16_t count)
{
    if (q->vdev->broken) {
        return;
    }
    q->used_index = (uint16_t)(q->used_index + count);
    store16(q, q->used + 2, q->used_index); /* release: the entries and the data come first */
    if ((uint16_t)(q->used_index - q->signalled) > q->size) {
        q->signalled_valid = 0; /* wrapped without an interrupt: the comparison means nothing */
    }
}

void virtq_push(VirtQueue *q, VirtElem *elem, uint32_t written)
{
    virtq_fill(q, elem, written, 0);
    virtq_flush(q, 1);
}

static bool wants_interrupt(VirtQueue *q)
{
    uint16_t event, flags, old = q->signalled;
    bool valid = q->signalled_valid;

    atomic_thread_fence(memory_order_seq_cst); /* the index is out before the flag is read */
    if (!virtio_has(q->vdev, VIRTIO_F_EVENT_IDX)) {
        return load16(q, q->avail, &flags) && !(flags & AVAIL_NO_INTERRUPT);
    }
    q->signalled = q->used_index;
    q->signalled_valid = 1;
    if (!load16(q, used_event_addr(q), &event)) {
        return false;
    }
    return !valid || (uint16_t)(q->used_index - event - 1) < (uint16_t)(q->used_index - old);
}

void virtq_interrupt(VirtQueue *q)
{
    if (q->enabled && !q->vdev->broken && wants_interrupt(q)) {
        q->vdev->transport->interrupt(q->vdev, q->vector, true);
    }
}

void virtq_set_notification(VirtQueue *q, bool on)
{
    uint16_t flags = on ? 0 : USED_NO_NOTIFY;

    if (!q->enabled || q->vdev->broken) {
        return;
    }
    q->notify_off = !on;
    if (!virtio_has(q->vdev, VIRTIO_F_EVENT_IDX)) {
        store16(q, q->used, flags);
    } else if (on) {
        store16(q, avail_event_addr(q), q->last_avail);
    }
    if (on) {
        atomic_thread_fence(memory_order_seq_cst); /* before the caller looks for buffers again */
    }
}

/* ---- iovecs ---- */

size_t virtio_iov_read(const struct iovec *iov, unsigned count, size_t offset, void *buf,
                       size_t len)
{
    size_t done = 0;

    for (unsigned i = 0; i < count && done < len; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        size_t n = MIN(len - done, iov[i].iov_len - offset);
        memcpy((char *)buf + done, (char *)iov[i].iov_base + offset, n);
        done += n;
        offset = 0;
    }
    return done;
}

size_t virtio_iov_write(const struct iovec *iov, unsigned count, size_t offset, const void *buf,
                        size_t len)
{
    size_t done = 0;

    for (unsigned i = 0; i < count && done < len; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        size_t n = MIN(len - done, iov[i].iov_len - offset);
        memcpy((char *)iov[i].iov_base + offset, (const char *)buf + done, n);
        done += n;
        offset = 0;
    }
    return done;
}

void virtio_iov_trim_front(struct iovec **iov, uint16_t *count, size_t len)
{
    while (*count && len >= (*iov)->iov_len) {
        len -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + len;
        (*iov)->iov_len -= len;
    }
}

void virtio_iov_trim_end(struct iovec *iov, uint16_t *count, size_t len)
{
    while (*count && len >= iov[*count - 1].iov_len) {
        len -= iov[--*count].iov_len;
    }
    if (*count) {
        iov[*count - 1].iov_len -= len;
    }
}
