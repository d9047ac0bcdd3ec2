/*
 * qcow2's caches of L2 table and refcount block slices.
 *
 * Indexed by what a slice describes (guest or host cluster number), not by where it is stored, so
 * that a hit is one array access. Slices that are dirty are never evicted; when nothing else is
 * left, all are flushed at once. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool qcow2_cache_init(Qcow2Cache *c, uint64_t slots, size_t slice_size, uint64_t max_bytes)
{
    memset(c, 0, sizeof(*c));
    c->slots = calloc(MAX(slots, 1), sizeof(*c->slots));
    if (!c->slots) {
        return false;
    }
    c->slot_count = slots;
    c->slice_size = slice_size;
    c->max = (unsigned)MAX(max_bytes / slice_size, (uint64_t)16);
    return true;
}

static void lru_remove(Qcow2Cache *c, Qcow2Slice *sl)
{
    *(sl->newer ? &sl->newer->older : &c->newest) = sl->older;
    *(sl->older ? &sl->older->newer : &c->oldest) = sl->newer;
    sl->newer = sl->older = NULL;
}

static void lru_push(Qcow2Cache *c, Qcow2Slice *sl)
{
    sl->older = c->newest;
    sl->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = sl;
    c->newest = sl;
}

static void drop(Qcow2Cache *c, Qcow2Slice *sl)
{
    if (sl->dirty) {
        c->dirty--;
    }
    c->slots[sl->index] = NULL;
    lru_remove(c, sl);
    c->count--;
    free(sl->data);
    g_free(sl);
}

void qcow2_cache_free(Qcow2Cache *c)
{
    while (c->newest) {
        drop(c, c->newest);
    }
    free(c->slots);
    c->slots = NULL;
    c->slot_count = 0;
}

bool qcow2_cache_resize(Qcow2Cache *c, uint64_t slots)
{
    Qcow2Slice **bigger;

    for (uint64_t i = slots; i < c->slot_count; i++) {
        if (c->slots[i]) {
            drop(c, c->slots[i]);
        }
    }
    if (slots > c->slot_count) {
        bigger = calloc(slots, sizeof(*bigger));
        if (!bigger) {
            return false;
        }
        memcpy(bigger, c->slots, c->slot_count * sizeof(*bigger));
        free(c->slots);
        c->slots = bigger;
    }
    c->slot_count = slots;
    return true;
}

void qcow2_cache_dirty(Qcow2Cache *c, Qcow2Slice *sl)
{
    if (!sl->dirty) {
        sl->dirty = true;
        c->dirty++;
    }
}

uint64_t qcow2_l2_slice_offset(const Qcow2 *s, uint64_t index)
{
    unsigned per_table = s->l2_bits - s->l2_slice_bits;
    uint64_t in_table = index & (((uint64_t)1 << per_table) - 1);

    return (s->l1[index >> per_table] & QCOW2_OFFSET_MASK) + in_table * s->l2.slice_size;
}

uint64_t qcow2_rb_slice_offset(const Qcow2 *s, uint64_t index)
{
    unsigned per_block = s->rb_bits - s->rb_slice_bits;
    uint64_t in_block = index & (((uint64_t)1 << per_block) - 1);

    return (s->reftable[index >> per_block] & QCOW2_REFTABLE_MASK) + in_block * s->rb.slice_size;
}

/* Makes room for one more slice; 1: there may be more or fewer slices now, 0: go ahead, or -errno.
 */
static int make_room(Qcow2 *s, Qcow2Cache *c)
{
    Qcow2Slice *sl;
    int r;

    if (c->count < c->max) {
        return 0;
    }
    for (sl = c->oldest; sl; sl = sl->newer) {
        if (!sl->dirty && !sl->loading && !sl->pins) {
            drop(c, sl);
            return 0;
        }
    }
    if (c->dirty == 0 || s->reftable_growing) {
        return 0; /* more than wanted for a moment */
    }
    r = qcow2_co_flush_meta(s, false);
    return r < 0 ? r : 1;
}

static int cache_get(Qcow2 *s, Qcow2Cache *c, uint64_t index,
                     uint64_t (*where)(const Qcow2 *s, uint64_t index), Qcow2Slice **out)
{
    Qcow2Slice *sl;
    Qcow2Pin pin;
    int r;

    g_assert(index < c->slot_count);
    for (;;) {
        sl = c->slots[index];
        if (sl && !sl->loading) {
            lru_remove(c, sl);
            lru_push(c, sl);
            *out = sl;
            return 0;
        }
        if (sl) {
            co_queue_wait(&c->loaded);
            continue;
        }
        r = make_room(s, c);
        if (r < 0) {
            return r;
        }
        if (r == 0) {
            break;
        }
    }
    sl = g_new0(Qcow2Slice, 1);
    sl->index = index;
    sl->loading = true;
    sl->data = block_buffer_new(c->slice_size);
    c->slots[index] = sl;
    c->count++;
    lru_push(c, sl);
    qcow2_pin(s, &pin);
    r = block_co_read_buf(s->file, where(s, index), sl->data, c->slice_size);
    qcow2_unpin(s, &pin);
    sl->loading = false;
    if (r < 0) {
        drop(c, sl);
    }
    co_queue_wake_all(&c->loaded);
    *out = r < 0 ? NULL : sl;
    return r;
}

int qcow2_co_l2_slice(Qcow2 *s, uint64_t index, Qcow2Slice **out)
{
    Qcow2Slice *sl = s->l2.slots[index];

    if (G_LIKELY(sl && !sl->loading)) {
        if (sl != s->l2.newest) {
            lru_remove(&s->l2, sl);
            lru_push(&s->l2, sl);
        }
        *out = sl;
        return 0;
    }
    return cache_get(s, &s->l2, index, qcow2_l2_slice_offset, out);
}

int qcow2_co_rb_slice(Qcow2 *s, uint64_t index, Qcow2Slice **out)
{
    return cache_get(s, &s->rb, index, qcow2_rb_slice_offset, out);
}
