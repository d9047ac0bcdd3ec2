/*
 * qcow2: writing metadata back in a safe order. The design is in qcow2.h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_SECTOR_ENTRIES (BLOCK_SECTOR_SIZE / 8)

/* ---- pins ---- */

void qcow2_pin(Qcow2 *s, Qcow2Pin *pin)
{
    pin->seq = s->seq++;
    pin->next = NULL;
    pin->prev = s->pin_newest;
    *(s->pin_newest ? &s->pin_newest->next : &s->pin_oldest) = pin;
    s->pin_newest = pin;
}

void qcow2_unpin(Qcow2 *s, Qcow2Pin *pin)
{
    *(pin->prev ? &pin->prev->next : &s->pin_oldest) = pin->next;
    *(pin->next ? &pin->next->prev : &s->pin_newest) = pin->prev;
}

void qcow2_free_later(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    Qcow2Free f = {.offset = offset, .bytes = bytes, .seq = s->seq++};

    if (s->pending_frees->len > 0) {
        Qcow2Free *last = &g_array_index(s->pending_frees, Qcow2Free, s->pending_frees->len - 1);

        /* Whole clusters that follow each other are one entry; compressed ones may share clusters.
         */
        if (last->offset + last->bytes == offset &&
            ((last->offset | last->bytes | bytes) & (s->cluster_size - 1)) == 0) {
            last->bytes += bytes;
            last->seq = f.seq;
            return;
        }
    }
    g_array_append_val(s->pending_frees, f);
}

/* Moves what no request in flight can be using from pending_frees to a new array. */
static GArray *take_frees(Qcow2 *s)
{
    GArray *taken = g_array_new(FALSE, FALSE, sizeof(Qcow2Free));
    guint kept = 0;

    for (guint i = 0; i < s->pending_frees->len; i++) {
        Qcow2Free f = g_array_index(s->pending_frees, Qcow2Free, i);

        if (!s->pin_oldest || s->pin_oldest->seq > f.seq) {
            g_array_append_val(taken, f);
        } else {
            g_array_index(s->pending_frees, Qcow2Free, kept++) = f;
        }
    }
    g_array_set_size(s->pending_frees, kept);
    return taken;
}

/* ---- copies of what is dirty ---- */

typedef struct FlushItem {
    uint64_t offset;
    void *buf;
    size_t len;
    Qcow2Slice *slice; /* or NULL for a sector of a table */
    uint64_t sector;
} FlushItem;

static gint item_order(gconstpointer a, gconstpointer b)
{
    uint64_t x = ((const FlushItem *)a)->offset, y = ((const FlushItem *)b)->offset;

    return x < y ? -1 : x > y;
}

static GArray *gather_slices(Qcow2 *s, Qcow2Cache *c,
                             uint64_t (*where)(const Qcow2 *s, uint64_t index))
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(FlushItem));

    for (Qcow2Slice *sl = c->newest; sl && c->dirty > 0; sl = sl->older) {
        FlushItem item = {.len = c->slice_size, .slice = sl};

        if (!sl->dirty) {
            continue;
        }
        item.offset = where(s, sl->index);
        item.buf = block_buffer_new(item.len);
        memcpy(item.buf, sl->data, item.len);
        sl->dirty = false;
        sl->pins++;
        c->dirty--;
        g_array_append_val(items, item);
    }
    g_array_sort(items, item_order);
    return items;
}

static GArray *gather_table(GHashTable *dirty, const uint64_t *table, uint64_t entries,
                            uint64_t offset)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(FlushItem));
    GHashTableIter it;
    gpointer key;

    g_hash_table_iter_init(&it, dirty);
    while (g_hash_table_iter_next(&it, &key, NULL)) {
        FlushItem item = {.sector = GPOINTER_TO_SIZE(key), .len = BLOCK_SECTOR_SIZE};
        uint64_t first = item.sector * TABLE_SECTOR_ENTRIES;
        uint64_t *out = block_buffer_new(item.len);

        for (uint64_t i = 0; i < TABLE_SECTOR_ENTRIES; i++) {
            out[i] = first + i < entries ? GUINT64_TO_BE(table[first + i]) : 0;
        }
        item.buf = out;
        item.offset = offset + item.sector * BLOCK_SECTOR_SIZE;
        g_array_append_val(items, item);
    }
    g_hash_table_remove_all(dirty);
    g_array_sort(items, item_order);
    return items;
}

/* Writes ITEMS, neighbours in one request. */
static int write_items(Qcow2 *s, GArray *items)
{
    enum { MAX_RUN = 64 };
    int r = 0;

    for (guint i = 0; r == 0 && i < items->len;) {
        struct iovec iov[MAX_RUN];
        uint64_t start = g_array_index(items, FlushItem, i).offset, end = start;
        int n = 0;

        while (i < items->len && n < MAX_RUN && g_array_index(items, FlushItem, i).offset == end) {
            FlushItem *item = &g_array_index(items, FlushItem, i++);

            iov[n].iov_base = item->buf;
            iov[n++].iov_len = item->len;
            end += item->len;
        }
        r = block_co_write(s->file, start, end - start, iov, n, 0);
    }
    return r;
}

static void free_slices(Qcow2Cache *c, GArray *items, bool redo)
{
    for (guint i = 0; i < items->len; i++) {
        FlushItem *item = &g_array_index(items, FlushItem, i);

        item->slice->pins--;
        if (redo) {
            qcow2_cache_dirty(c, item->slice);
        }
        free(item->buf);
    }
    g_array_free(items, TRUE);
}

static void free_table(GHashTable *dirty, GArray *items, bool redo)
{
    for (guint i = 0; i < items->len; i++) {
        FlushItem *item = &g_array_index(items, FlushItem, i);

        if (redo) {
            g_hash_table_add(dirty, GSIZE_TO_POINTER(item->sector));
        }
        free(item->buf);
    }
    g_array_free(items, TRUE);
}

/* ---- flushing ---- */

int qcow2_co_flush_refcounts(Qcow2 *s)
{
    GArray *blocks = gather_slices(s, &s->rb, qcow2_rb_slice_offset);
    GArray *table = NULL;
    int r;

    if (!s->reftable_growing) {
        table =
            gather_table(s->reftable_dirty, s->reftable, s->reftable_entries, s->h.reftable_offset);
    }
    r = write_items(s, blocks);
    free_slices(&s->rb, blocks, r < 0);
    if (table) {
        if (r == 0 && table->len > 0) {
            r = block_co_flush(s->file);
            if (r == 0) {
                r = write_items(s, table);
            }
        }
        free_table(s->reftable_dirty, table, r < 0);
    }
    return r;
}

int qcow2_co_flush_meta(Qcow2 *s, bool sync)
{
    GArray *l2, *l1, *frees;
    bool any;
    int r = 0;

    co_mutex_lock(&s->flush_lock);
    frees = take_frees(s);
    l2 = gather_slices(s, &s->l2, qcow2_l2_slice_offset);
    l1 = gather_table(s->l1_dirty, s->l1, s->l1_size, s->h.l1_offset);
    any = l2->len > 0 || l1->len > 0;
    /* With lazy refcounts the dirty bit stands in for them, until there are too many. */
    if (!s->dirty_bit || s->rb.dirty * 2 > s->rb.max) {
        r = qcow2_co_flush_refcounts(s);
    }
    if (r == 0 && any) {
        r = block_co_flush(s->file);
    }
    if (r == 0) {
        r = write_items(s, l2);
    }
    if (r == 0 && l1->len > 0) {
        r = block_co_flush(s->file);
        if (r == 0) {
            r = write_items(s, l1);
        }
    }
    if (r == 0 && (sync || frees->len > 0)) {
        r = block_co_flush(s->file);
    }
    free_slices(&s->l2, l2, r < 0);
    free_table(s->l1_dirty, l1, r < 0);
    if (frees->len > 0) {
        g_array_append_vals(r < 0 ? s->pending_frees : s->ready_frees, frees->data, frees->len);
    }
    g_array_free(frees, TRUE);
    co_mutex_unlock(&s->flush_lock);
    return r;
}
