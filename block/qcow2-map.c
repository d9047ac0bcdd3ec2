/*
 * qcow2: from guest offsets to host clusters through L1 and L2, and changing that.
 *
 * An entry with the COPIED flag has refcount one and is written in place. Anything without it may
 * be shared with a snapshot: an L2 table is copied before it changes, a cluster before it is
 * written. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

#define RESERVED_BITS 0x3f000000000001feull /* 56..61 and 1..8 of a standard entry */

Qcow2Type qcow2_entry_type(uint64_t entry)
{
    if (entry & QCOW2_OFLAG_COMPRESSED) {
        return QCOW2_COMPRESSED;
    }
    if (entry & QCOW2_OFLAG_ZERO) {
        return entry & QCOW2_OFFSET_MASK ? QCOW2_ZERO_ALLOC : QCOW2_ZERO_PLAIN;
    }
    return entry & QCOW2_OFFSET_MASK ? QCOW2_NORMAL : QCOW2_UNALLOCATED;
}

void qcow2_entry_compressed(const Qcow2 *s, uint64_t entry, uint64_t *host, uint32_t *size)
{
    unsigned shift = 62 - (s->cluster_bits - 8);
    uint64_t sectors = entry >> shift & (((uint64_t)1 << (s->cluster_bits - 8)) - 1);

    *host = entry & (((uint64_t)1 << shift) - 1);
    *size = (uint32_t)((sectors + 1) * 512 - (*host & 511));
}

static int bad_entry(Qcow2 *s, uint64_t offset, uint64_t entry)
{
    return qcow2_co_corrupt(s,
                            "the L2 entry 0x%" G_GINT64_MODIFIER
                            "x for guest offset 0x%" G_GINT64_MODIFIER "x is invalid",
                            entry, offset);
}

/* Does an entry make sense? HOST is its cluster (or start of compressed data). */
static bool entry_valid(const Qcow2 *s, uint64_t entry, Qcow2Type type, uint64_t host)
{
    uint64_t file_len = block_node_length(s->file);

    if (type == QCOW2_COMPRESSED) {
        return host < file_len && host >= s->cluster_size;
    }
    if (entry & RESERVED_BITS || host & (s->cluster_size - 1)) {
        return false;
    }
    if (entry & QCOW2_OFLAG_ZERO && s->h.version < 3) {
        return false;
    }
    return type != QCOW2_NORMAL || host < file_len;
}

static void map_entries(Qcow2 *s, const uint64_t *e, uint64_t n, uint64_t in_cluster,
                        uint64_t bytes, Qcow2Map *out)
{
    uint64_t first = GUINT64_FROM_BE(e[0]), step, i = 1;

    step = out->type == QCOW2_NORMAL || out->type == QCOW2_ZERO_ALLOC ? s->cluster_size : 0;
    if (out->type == QCOW2_COMPRESSED) {
        n = 1;
    }
    while (i < n && GUINT64_FROM_BE(e[i]) == first + i * step) {
        i++;
    }
    out->copied = first & QCOW2_OFLAG_COPIED;
    out->bytes = MIN(bytes, (i << s->cluster_bits) - in_cluster);
}

int qcow2_co_lookup(Qcow2 *s, uint64_t offset, uint64_t bytes, Qcow2Map *out)
{
    uint64_t cluster = offset >> s->cluster_bits, in_cluster = offset & (s->cluster_size - 1);
    uint64_t l1_index = cluster >> s->l2_bits;
    uint64_t slice_entries = (uint64_t)1 << s->l2_slice_bits, at = cluster & (slice_entries - 1), n;
    uint64_t entry, host;
    const uint64_t *e;
    Qcow2Slice *sl;
    int r;

    memset(out, 0, sizeof(*out));
    if (l1_index >= s->l1_size || !(s->l1[l1_index] & QCOW2_OFFSET_MASK)) {
        uint64_t span = (uint64_t)1 << (s->l2_bits + s->cluster_bits);

        out->bytes = MIN(bytes, span - (offset & (span - 1)));
        return 0;
    }
    r = qcow2_co_l2_slice(s, cluster >> s->l2_slice_bits, &sl);
    if (r < 0) {
        return r;
    }
    e = (const uint64_t *)sl->data + at;
    entry = GUINT64_FROM_BE(*e);
    out->type = qcow2_entry_type(entry);
    host = entry & QCOW2_OFFSET_MASK;
    if (out->type == QCOW2_COMPRESSED) {
        qcow2_entry_compressed(s, entry, &host, &out->csize);
    }
    if (!entry_valid(s, entry, out->type, host)) {
        return bad_entry(s, qcow2_align_down(s, offset), entry);
    }
    n = MIN(slice_entries - at, (in_cluster + bytes + s->cluster_size - 1) >> s->cluster_bits);
    map_entries(s, e, n, in_cluster, bytes, out);
    if (out->type == QCOW2_COMPRESSED) {
        out->host = host;
        return 0;
    }
    out->host = host ? host + in_cluster : 0;
    /* The first cluster was checked; of a run, the last one must start within the file, too. */
    if (out->type == QCOW2_NORMAL) {
        uint64_t file_len = block_node_length(s->file), last = out->host + out->bytes - 1;

        if (qcow2_align_down(s, last) >= file_len) {
            out->bytes = MIN(out->bytes, qcow2_align_up(s, file_len) - out->host);
        }
    }
    return 0;
}

/* The L2 table of L1 entry L1_INDEX exists and belongs to the active disk alone. */
static int ensure_l2(Qcow2 *s, uint64_t l1_index)
{
    uint64_t old, offset;
    g_autofree uint8_t *table = NULL;
    int64_t r;

    if (l1_index >= s->l1_size) {
        return -EIO;
    }
    old = s->l1[l1_index] & QCOW2_OFFSET_MASK;
    if (old && s->l1[l1_index] & QCOW2_OFLAG_COPIED) {
        return 0;
    }
    r = qcow2_co_alloc(s, 1, &offset);
    if (r < 0) {
        return (int)r;
    }
    s->virgin = MAX(s->virgin, offset + s->cluster_size);
    table = g_malloc0(s->cluster_size);
    r = old ? block_co_read_buf(s->file, old, table, s->cluster_size) : 0;
    if (r == 0) {
        r = block_co_write_buf(s->file, offset, table, s->cluster_size);
    }
    if (r < 0) {
        qcow2_co_ref_down(s, offset, s->cluster_size);
        return (int)r;
    }
    s->l1[l1_index] = offset | QCOW2_OFLAG_COPIED;
    g_hash_table_add(s->l1_dirty, GSIZE_TO_POINTER(l1_index / (BLOCK_SECTOR_SIZE / 8)));
    qcow2_meta_mark(s, offset, s->cluster_size, true);
    if (old) {
        qcow2_meta_mark(s, old, s->cluster_size, false);
        qcow2_free_later(s, old, s->cluster_size);
    }
    return 0;
}

/* What an entry referred to is let go of, unless the new one keeps it. */
static void release_entry(Qcow2 *s, uint64_t old, uint64_t new)
{
    uint64_t host = old & QCOW2_OFFSET_MASK;
    uint32_t size = s->cluster_size;

    switch (qcow2_entry_type(old)) {
    case QCOW2_NORMAL:
    case QCOW2_ZERO_ALLOC:
        if (!(new &QCOW2_OFLAG_COMPRESSED) && (new &QCOW2_OFFSET_MASK) == host) {
            return;
        }
        break;
    case QCOW2_COMPRESSED:
        qcow2_entry_compressed(s, old, &host, &size);
        break;
    default:
        return;
    }
    qcow2_free_later(s, host, size);
}

int qcow2_co_set_entries(Qcow2 *s, uint64_t offset, uint64_t n, uint64_t first, uint64_t step)
{
    uint64_t cluster = offset >> s->cluster_bits;
    uint64_t slice_entries = (uint64_t)1 << s->l2_slice_bits, at = cluster & (slice_entries - 1);
    Qcow2Slice *sl;
    uint64_t *e;
    int r = ensure_l2(s, cluster >> s->l2_bits);

    g_assert(at + n <= slice_entries);
    if (r == 0) {
        r = qcow2_co_l2_slice(s, cluster >> s->l2_slice_bits, &sl);
    }
    if (r < 0) {
        return r;
    }
    e = (uint64_t *)sl->data + at;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t new = first + i *step;

        release_entry(s, GUINT64_FROM_BE(e[i]), new);
        e[i] = GUINT64_TO_BE(new);
    }
    qcow2_cache_dirty(&s->l2, sl);
    return 0;
}

int qcow2_co_grow_l1(Qcow2 *s, uint32_t entries, GError **err)
{
    uint64_t clusters = ((uint64_t)entries * 8 + s->cluster_size - 1) >> s->cluster_bits, offset;
    uint64_t old_offset = s->h.l1_offset, old_bytes = qcow2_align_up(s, (uint64_t)s->l1_size * 8);
    g_autofree uint64_t *be = NULL;
    uint64_t *l1;
    uint8_t field[12];
    uint64_t be_offset;
    uint32_t be_size = GUINT32_TO_BE(entries);
    int r;

    if (entries <= s->l1_size) {
        return 0;
    }
    if ((uint64_t)entries * 8 > QCOW2_MAX_L1_BYTES) {
        emu_set_error(err,
                      "The image is too large for its cluster size of %u bytes; use a larger one",
                      s->cluster_size);
        return -EFBIG;
    }
    r = qcow2_co_alloc_exact(s, clusters, &offset);
    if (r == 0) {
        r = qcow2_co_flush_meta(s, true);
    }
    if (r < 0) {
        emu_set_error(err, "Could not allocate an L1 table: %s", g_strerror(-r));
        return r;
    }
    co_mutex_lock(&s->flush_lock);
    be = g_malloc0(clusters << s->cluster_bits);
    for (uint32_t i = 0; i < s->l1_size; i++) {
        be[i] = GUINT64_TO_BE(s->l1[i]);
    }
    r = qcow2_co_flush_refcounts(s); /* also when refcounts are lazy otherwise */
    if (r == 0) {
        r = block_co_write_buf(s->file, offset, be, clusters << s->cluster_bits);
    }
    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0) {
        be_offset = GUINT64_TO_BE(offset);
        memcpy(field, &be_size, 4);
        memcpy(field + 4, &be_offset, 8);
        r = qcow2_co_write_header(s, QCOW2_HDR_L1_SIZE, field, sizeof(field));
    }
    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0 &&
        !qcow2_cache_resize(&s->l2, (uint64_t)entries << (s->l2_bits - s->l2_slice_bits))) {
        r = -ENOMEM;
    }
    if (r < 0) {
        emu_set_error(err, "Could not write an L1 table: %s", g_strerror(-r));
        co_mutex_unlock(&s->flush_lock);
        return r;
    }
    l1 = g_new0(uint64_t, entries);
    memcpy(l1, s->l1, (size_t)s->l1_size * 8);
    g_free(s->l1);
    s->l1 = l1;
    s->l1_size = s->h.l1_size = entries;
    s->h.l1_offset = offset;
    qcow2_meta_mark(s, offset, clusters << s->cluster_bits, true);
    if (old_bytes && old_offset) {
        Qcow2Free old = {.offset = old_offset, .bytes = old_bytes};

        qcow2_meta_mark(s, old_offset, old_bytes, false);
        g_array_append_val(s->ready_frees, old);
    }
    co_mutex_unlock(&s->flush_lock);
    return 0;
}
