/*
 * qcow2: refcounts, and allocating clusters by them. The caller holds `lock` throughout.
 *
 * A refcount block that is missing means that all of its range is free; the block is then put into
 * the first cluster of the range it describes, so it counts itself. The refcount table grows by
 * half when it ends: the new one is written beside the old one, and the header switches over.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HOST_CLUSTER(s) ((uint64_t)1 << (55 - (s)->cluster_bits))

uint64_t qcow2_refcount_get(const Qcow2 *s, const void *block, uint64_t i)
{
    const uint8_t *b = block;
    unsigned order = s->h.refcount_order;

    switch (order) {
    case 3:
        return b[i];
    case 4:
        return GUINT16_FROM_BE(((const uint16_t *)block)[i]);
    case 5:
        return GUINT32_FROM_BE(((const uint32_t *)block)[i]);
    case 6:
        return GUINT64_FROM_BE(((const uint64_t *)block)[i]);
    default: {
        unsigned width = 1u << order, shift = (unsigned)(i & ((8 >> order) - 1)) * width;

        return b[i >> (3 - order)] >> shift & ((1u << width) - 1);
    }
    }
}

void qcow2_refcount_set(const Qcow2 *s, void *block, uint64_t i, uint64_t value)
{
    uint8_t *b = block;
    unsigned order = s->h.refcount_order;

    switch (order) {
    case 3:
        b[i] = (uint8_t)value;
        break;
    case 4:
        ((uint16_t *)block)[i] = GUINT16_TO_BE((uint16_t)value);
        break;
    case 5:
        ((uint32_t *)block)[i] = GUINT32_TO_BE((uint32_t)value);
        break;
    case 6:
        ((uint64_t *)block)[i] = GUINT64_TO_BE(value);
        break;
    default: {
        unsigned width = 1u << order, shift = (unsigned)(i & ((8 >> order) - 1)) * width;
        uint8_t mask = (uint8_t)(((1u << width) - 1) << shift);

        b += i >> (3 - order);
        *b = (uint8_t)((*b & ~mask) | (uint8_t)(value << shift));
        break;
    }
    }
}

int qcow2_co_get_refcount(Qcow2 *s, uint64_t cluster, uint64_t *out)
{
    uint64_t block = cluster >> s->rb_bits;
    Qcow2Slice *sl;
    int r;

    *out = 0;
    if (block >= s->reftable_entries || !s->reftable[block]) {
        return 0;
    }
    r = qcow2_co_rb_slice(s, cluster >> s->rb_slice_bits, &sl);
    if (r == 0) {
        *out = qcow2_refcount_get(s, sl->data, cluster & (((uint64_t)1 << s->rb_slice_bits) - 1));
    }
    return r;
}

/* The block of CLUSTER exists. */
static int set_refcount(Qcow2 *s, uint64_t cluster, uint64_t value)
{
    Qcow2Slice *sl;
    int r = qcow2_co_rb_slice(s, cluster >> s->rb_slice_bits, &sl);

    if (r == 0) {
        qcow2_refcount_set(s, sl->data, cluster & (((uint64_t)1 << s->rb_slice_bits) - 1), value);
        qcow2_cache_dirty(&s->rb, sl);
        if (value == 0) {
            s->free_hint = MIN(s->free_hint, cluster);
            if (s->compressed_next && s->compressed_next >> s->cluster_bits == cluster) {
                s->compressed_next = 0;
            }
        }
    }
    return r;
}

static int grow_reftable(Qcow2 *s, uint64_t block);

static int create_block(Qcow2 *s, uint64_t block)
{
    uint64_t cluster = block << s->rb_bits, offset = cluster << s->cluster_bits;
    g_autofree uint8_t *content = NULL;
    int r;

    if (qcow2_meta_overlap(s, offset, s->cluster_size)) {
        return qcow2_co_corrupt(s, "metadata at 0x%" G_GINT64_MODIFIER "x has no refcount", offset);
    }
    /* Counted on disk before the table can point to it. */
    content = g_malloc0(s->cluster_size);
    qcow2_refcount_set(s, content, 0, 1);
    r = block_co_write_buf(s->file, offset, content, s->cluster_size);
    if (r < 0) {
        return r;
    }
    s->virgin = MAX(s->virgin, offset + s->cluster_size);
    s->reftable[block] = offset;
    g_hash_table_add(s->reftable_dirty, GSIZE_TO_POINTER(block / (BLOCK_SECTOR_SIZE / 8)));
    qcow2_meta_mark(s, offset, s->cluster_size, true);
    return 0;
}

static int ensure_block(Qcow2 *s, uint64_t block)
{
    if (block >= s->reftable_entries) {
        int r = grow_reftable(s, block);

        if (r < 0) {
            return r;
        }
    }
    return s->reftable[block] ? 0 : create_block(s, block);
}

/*
 * Finds the first run of free clusters from FROM on, of N or (unless EXACT) fewer, and takes it.
 * The number taken or -errno.
 */
static int64_t take_run(Qcow2 *s, uint64_t from, uint64_t n, bool exact, uint64_t *first)
{
    uint64_t start = from, count = 0;
    int r;

    for (uint64_t c = from; count < n; c++) {
        uint64_t refs;

        if (c >= MAX_HOST_CLUSTER(s)) {
            return -EFBIG;
        }
        r = ensure_block(s, c >> s->rb_bits);
        if (r == 0) {
            r = qcow2_co_get_refcount(s, c, &refs);
        }
        if (r < 0) {
            return r;
        }
        if (refs == 0) {
            start = count ? start : c;
            count++;
        } else if (count && !exact) {
            break;
        } else {
            count = 0;
        }
    }
    if (qcow2_meta_overlap(s, start << s->cluster_bits, count << s->cluster_bits)) {
        return qcow2_co_corrupt(s,
                                "refcounts say that metadata at 0x%" G_GINT64_MODIFIER "x is free",
                                start << s->cluster_bits);
    }
    for (uint64_t i = 0; i < count; i++) {
        r = set_refcount(s, start + i, 1);
        if (r < 0) {
            while (i-- > 0) {
                set_refcount(s, start + i, 0);
            }
            return r;
        }
    }
    *first = start;
    return (int64_t)count;
}

/* ---- long runs ---- */

/* The first block behind all that exist. */
static uint64_t blocks_end(const Qcow2 *s)
{
    uint64_t b = s->reftable_entries;

    while (b > 0 && !s->reftable[b - 1]) {
        b--;
    }
    return b;
}

/* Writes COUNT blocks, which stand at the start of the range they describe; USED clusters of it are
 * taken. */
static int write_region_blocks(Qcow2 *s, uint64_t start, uint64_t count, uint64_t used)
{
    uint64_t per_block = (uint64_t)1 << s->rb_bits;
    g_autofree uint8_t *content = g_malloc(s->cluster_size);
    int r = 0;

    for (uint64_t b = 0; r == 0 && b < count; b++) {
        memset(content, 0, s->cluster_size);
        for (uint64_t i = 0; i < per_block && b * per_block + i < used; i++) {
            qcow2_refcount_set(s, content, i, 1);
        }
        r = block_co_write_buf(s->file, (start + b) << s->cluster_bits, content, s->cluster_size);
    }
    return r;
}

/*
 * Takes just N clusters in one run that may be longer than a block describes. As every block made
 * by create_block() would interrupt it, the blocks for the whole range are put before the run: |
 * blocks for all of this | the run | free |, starting where no block has been so far.
 */
static int take_region(Qcow2 *s, uint64_t n, uint64_t *first)
{
    uint64_t per_block = (uint64_t)1 << s->rb_bits, b, count = 0, start;
    int r = 0;

    while (count * per_block < count + n) {
        count++;
    }
    while (r == 0 && blocks_end(s) + count > s->reftable_entries) {
        /* The table that grows takes a region, too, with room to spare. */
        r = s->reftable_growing ? -EFBIG : grow_reftable(s, blocks_end(s) + count);
    }
    if (r < 0) {
        return r;
    }
    b = blocks_end(s);
    start = b << s->rb_bits;
    if (start + count + n >= MAX_HOST_CLUSTER(s)) {
        return -EFBIG;
    }
    if (qcow2_meta_overlap(s, start << s->cluster_bits, (count + n) << s->cluster_bits)) {
        return qcow2_co_corrupt(s, "metadata behind 0x%" G_GINT64_MODIFIER "x has no refcount",
                                start << s->cluster_bits);
    }
    r = write_region_blocks(s, start, count, count + n);
    if (r < 0) {
        return r;
    }
    for (uint64_t i = 0; i < count; i++) {
        s->reftable[b + i] = (start + i) << s->cluster_bits;
        g_hash_table_add(s->reftable_dirty, GSIZE_TO_POINTER((b + i) / (BLOCK_SECTOR_SIZE / 8)));
    }
    qcow2_meta_mark(s, start << s->cluster_bits, count << s->cluster_bits, true);
    s->virgin = MAX(s->virgin, (start + count + n) << s->cluster_bits);
    *first = start + count;
    return 0;
}

/* ---- the table grows ---- */

/* flush_lock held: the new table is durable and in force on success. */
static int switch_reftable(Qcow2 *s, uint64_t offset, uint64_t entries)
{
    uint64_t *be = g_new0(uint64_t, entries);
    uint8_t field[12];
    uint64_t be_offset = GUINT64_TO_BE(offset);
    uint32_t be_clusters = GUINT32_TO_BE((uint32_t)(entries * 8 >> s->cluster_bits));
    int r = qcow2_co_flush_refcounts(s);

    for (uint64_t i = 0; i < entries; i++) {
        be[i] = GUINT64_TO_BE(s->reftable[i]);
    }
    if (r == 0) {
        r = block_co_write_buf(s->file, offset, be, entries * 8);
    }
    g_free(be);
    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0) {
        memcpy(field, &be_offset, 8);
        memcpy(field + 8, &be_clusters, 4);
        r = qcow2_co_write_header(s, QCOW2_HDR_REFTABLE, field, sizeof(field));
    }
    return r == 0 ? block_co_flush(s->file) : r;
}

static int grow_reftable(Qcow2 *s, uint64_t block)
{
    uint64_t per_cluster = s->cluster_size / 8, old_entries = s->reftable_entries, entries,
             clusters, first;
    Qcow2Free old = {.offset = s->h.reftable_offset,
                     .bytes = (uint64_t)s->h.reftable_clusters << s->cluster_bits};
    uint64_t *table;
    int r;

    entries = MAX(old_entries + old_entries / 2, block + 1);
    entries += (entries * 8 / s->cluster_size >> s->rb_bits) + 4; /* blocks that count the table */
    clusters = (entries + per_cluster - 1) / per_cluster;
    entries = clusters * per_cluster;
    if (entries * 8 > QCOW2_MAX_REFTABLE) {
        return -EFBIG;
    }
    if (!qcow2_cache_resize(&s->rb, entries << (s->rb_bits - s->rb_slice_bits))) {
        return -ENOMEM;
    }
    co_mutex_lock(&s->flush_lock);
    s->reftable_growing = true;
    table = g_new0(uint64_t, entries);
    memcpy(table, s->reftable, old_entries * 8);
    g_free(s->reftable);
    s->reftable = table;
    s->reftable_entries = entries;

    r = take_region(s, clusters, &first);
    if (r == 0) {
        r = switch_reftable(s, first << s->cluster_bits, entries);
    }
    s->reftable_growing = false;
    if (r < 0) {
        /* As before, but for blocks that nothing points to. */
        for (uint64_t i = old_entries; i < entries; i++) {
            if (s->reftable[i]) {
                qcow2_meta_mark(s, s->reftable[i], s->cluster_size, false);
            }
        }
        s->reftable_entries = old_entries;
        qcow2_cache_resize(&s->rb, old_entries << (s->rb_bits - s->rb_slice_bits));
    } else {
        s->h.reftable_offset = first << s->cluster_bits;
        s->h.reftable_clusters = (uint32_t)clusters;
        s->virgin = MAX(s->virgin, (first + clusters) << s->cluster_bits);
        g_hash_table_remove_all(s->reftable_dirty);
        qcow2_meta_mark(s, old.offset, old.bytes, false);
        qcow2_meta_mark(s, s->h.reftable_offset, clusters << s->cluster_bits, true);
        g_array_append_val(s->ready_frees, old);
    }
    co_mutex_unlock(&s->flush_lock);
    return r;
}

int qcow2_co_ref_down(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    uint64_t end = (offset + bytes - 1) >> s->cluster_bits;

    for (uint64_t c = offset >> s->cluster_bits; c <= end; c++) {
        uint64_t refs;
        int r = qcow2_co_get_refcount(s, c, &refs);

        if (r == 0 && refs == 0) {
            r = qcow2_co_corrupt(
                s, "the cluster at 0x%" G_GINT64_MODIFIER "x is in use but has refcount 0",
                c << s->cluster_bits);
        }
        if (r == 0) {
            r = set_refcount(s, c, refs - 1);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Gives the host the storage of clusters that are about to become free. */
static void discard_freed(Qcow2 *s, const Qcow2Free *f)
{
    for (uint64_t c = f->offset >> s->cluster_bits; c < (f->offset + f->bytes) >> s->cluster_bits;
         c++) {
        uint64_t refs;

        if (qcow2_co_get_refcount(s, c, &refs) < 0 || refs != 1) {
            return;
        }
    }
    block_co_discard(s->file, f->offset, f->bytes);
}

int qcow2_co_apply_frees(Qcow2 *s)
{
    int first_error = 0;

    if (s->ready_frees->len == 0) {
        return 0;
    }
    qcow2_forget_unpacked(s);
    while (s->ready_frees->len > 0) {
        Qcow2Free f = g_array_index(s->ready_frees, Qcow2Free, s->ready_frees->len - 1);
        int r;

        g_array_set_size(s->ready_frees, s->ready_frees->len - 1);
        if (s->node->unmap && ((f.offset | f.bytes) & (s->cluster_size - 1)) == 0) {
            discard_freed(s, &f);
        }
        r = qcow2_co_ref_down(s, f.offset, f.bytes);
        first_error = first_error ? first_error : r;
    }
    return first_error;
}

static int before_alloc(Qcow2 *s)
{
    int r = qcow2_co_apply_frees(s);

    if (r == 0 && s->lazy && !s->dirty_bit) {
        r = qcow2_co_set_incompatible(s, s->h.incompatible | QCOW2_INCOMPAT_DIRTY);
        s->dirty_bit = r == 0;
    }
    return r;
}

int64_t qcow2_co_alloc(Qcow2 *s, uint64_t n, uint64_t *offset)
{
    uint64_t first;
    int64_t r = before_alloc(s);

    if (r == 0) {
        r = take_run(s, s->free_hint, n, false, &first);
    }
    if (r > 0) {
        s->free_hint = first + (uint64_t)r;
        *offset = first << s->cluster_bits;
    }
    return r;
}

int qcow2_co_alloc_exact(Qcow2 *s, uint64_t n, uint64_t *offset)
{
    uint64_t first;
    int64_t r = before_alloc(s);

    if (r == 0) {
        r = n > (uint64_t)1 << s->rb_bits >> 1 ? take_region(s, n, &first)
                                               : take_run(s, s->free_hint, n, true, &first);
    }
    if (r < 0) {
        return (int)r;
    }
    *offset = first << s->cluster_bits;
    s->virgin = MAX(s->virgin, (first + n) << s->cluster_bits);
    return 0;
}

int qcow2_co_alloc_bytes(Qcow2 *s, uint64_t bytes, uint64_t *offset)
{
    uint64_t next = s->compressed_next, in_cluster = next & (s->cluster_size - 1), refs = 0, fresh;
    uint64_t room = s->cluster_size - in_cluster;
    int64_t r;

    g_assert(bytes > 0 && bytes <= s->cluster_size);
    if (in_cluster) {
        r = qcow2_co_get_refcount(s, next >> s->cluster_bits, &refs);
        if (r < 0) {
            return (int)r;
        }
    }
    if (in_cluster && refs > 0 && refs < s->refcount_max && bytes <= room) {
        *offset = next;
        r = set_refcount(s, next >> s->cluster_bits, refs + 1);
    } else {
        r = qcow2_co_alloc(s, 1, &fresh);
        if (r < 0) {
            return (int)r;
        }
        s->virgin = MAX(s->virgin, fresh + s->cluster_size);
        *offset = fresh;
        /* apply_frees may have dropped the old tail: compressed_next says whether it still holds.
         */
        if (in_cluster && next == s->compressed_next && refs > 0 &&
            fresh == qcow2_align_up(s, next)) {
            r = qcow2_co_get_refcount(s, next >> s->cluster_bits, &refs);
            if (r == 0 && refs > 0 && refs < s->refcount_max) {
                *offset = next;
                r = set_refcount(s, next >> s->cluster_bits, refs + 1);
            }
        } else {
            r = 0;
        }
    }
    s->compressed_next = r == 0 ? *offset + bytes : 0;
    return (int)r;
}

int qcow2_co_mark_clean(Qcow2 *s)
{
    int r;

    if (!s->dirty_bit) {
        return 0;
    }
    co_mutex_lock(&s->flush_lock);
    r = qcow2_co_flush_refcounts(s);
    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0) {
        r = qcow2_co_set_incompatible(s, s->h.incompatible & ~QCOW2_INCOMPAT_DIRTY);
    }
    if (r == 0) {
        s->dirty_bit = false;
    }
    co_mutex_unlock(&s->flush_lock);
    return r;
}
