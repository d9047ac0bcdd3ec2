/*
 * qcow2: the consistency check and its repairs.
 *
 * All references are counted by walking everything that can refer to a cluster: header, L1 and L2
 * tables of the disk and of every snapshot, data, refcount table and blocks, snapshot table,
 * bitmaps. Then the counts are compared with the refcounts. A refcount too high is a leak; one too
 * low is an error, since the cluster could be given away while in use. Leaks are repaired in place.
 * For errors the whole refcount structure is written anew behind the end of the file, and the
 * header then switches to it, so that nothing depends on what is broken. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LX "0x%" G_GINT64_MODIFIER "x"

typedef struct Check {
    Qcow2 *s;
    Qcow2CheckResult *res;
    unsigned fix;
    void (*report)(void *opaque, const char *line);
    void *opaque;
    uint32_t *refs;    /* counted references, by host cluster */
    uint64_t clusters; /* of the file */
    uint64_t next_contiguous;
    bool rebuild; /* refcounts cannot be repaired in place */
    bool quiet;   /* a second walk, for counting alone */
} Check;

static void G_GNUC_PRINTF(2, 3) say(Check *c, const char *format, ...)
{
    g_autofree char *line = NULL;
    va_list ap;

    if (!c->report || c->quiet) {
        return;
    }
    va_start(ap, format);
    line = g_strdup_vprintf(format, ap);
    va_end(ap);
    c->report(c->opaque, line);
}

/* A problem with metadata that FIX_ERRORS repairs or not. */
static void corruption(Check *c, bool fixed)
{
    if (!c->quiet) {
        *(fixed ? &c->res->corruptions_fixed : &c->res->corruptions) += 1;
    }
}

/* Counts a reference to [OFFSET, OFFSET + BYTES); false (and an error) if that is not in the file.
 */
static bool count(Check *c, uint64_t offset, uint64_t bytes, const char *what)
{
    uint64_t first = offset >> c->s->cluster_bits, last;

    if (bytes == 0) {
        return true;
    }
    last = (offset + bytes - 1) >> c->s->cluster_bits;
    if (offset + bytes < offset || last >= c->clusters) {
        say(c, "ERROR: %s at " LX " lies outside the file", what, offset);
        return false;
    }
    for (; first <= last; first++) {
        if (c->refs[first] < UINT32_MAX) {
            c->refs[first]++;
        }
    }
    return true;
}

/* ---- walking ---- */

static void note_allocated(Check *c, uint64_t host, bool compressed)
{
    if (c->quiet) {
        return;
    }
    c->res->allocated_clusters++;
    if (compressed) {
        c->res->compressed_clusters++;
        c->res->fragmented_clusters++;
        return;
    }
    if (c->next_contiguous && host != c->next_contiguous) {
        c->res->fragmented_clusters++;
    }
    c->next_contiguous = host + c->s->cluster_size;
}

/* True if ENTRY is well-formed and has been counted. */
static bool walk_entry(Check *c, uint64_t entry, bool active)
{
    Qcow2 *s = c->s;
    Qcow2Type type = qcow2_entry_type(entry);
    uint64_t host = entry & QCOW2_OFFSET_MASK;
    uint32_t size = s->cluster_size;

    if (type == QCOW2_UNALLOCATED || (type == QCOW2_ZERO_PLAIN && s->h.version >= 3)) {
        return true;
    }
    if (type == QCOW2_COMPRESSED) {
        qcow2_entry_compressed(s, entry, &host, &size);
        if (entry & QCOW2_OFLAG_COPIED) {
            say(c, "ERROR: compressed cluster at " LX " has the COPIED flag", host);
            return false;
        }
        /* The last sector may reach beyond the end of the file. */
        size = host < block_node_length(s->file)
                   ? (uint32_t)MIN(size, block_node_length(s->file) - host)
                   : size;
    } else if (host & (s->cluster_size - 1)) {
        say(c, "ERROR: data cluster at " LX " is not aligned; the L2 entry is corrupt", host);
        return false;
    } else if (entry & QCOW2_OFLAG_ZERO && s->h.version < 3) {
        say(c, "ERROR: L2 entry " LX " has a zero flag in a version 2 image", entry);
        return false;
    }
    if (!count(c, host, size, "data cluster")) {
        return false;
    }
    if (active) {
        note_allocated(c, host, type == QCOW2_COMPRESSED);
    }
    return true;
}

static int walk_l2(Check *c, uint64_t l2_offset, uint64_t *table, bool active)
{
    Qcow2 *s = c->s;
    int r = block_co_read_buf(s->file, l2_offset, table, s->cluster_size);

    for (uint64_t i = 0; r == 0 && i < s->cluster_size / 8; i++) {
        bool fix = c->fix & QCOW2_FIX_ERRORS && active;

        if (walk_entry(c, GUINT64_FROM_BE(table[i]), active)) {
            continue;
        }
        corruption(c, fix);
        if (fix) {
            /* The data is lost; say so by zeroes rather than by what the backing file has. */
            table[i] = s->h.version >= 3 ? GUINT64_TO_BE(QCOW2_OFLAG_ZERO) : 0;
            r = block_co_write_buf(s->file, l2_offset + i * 8, &table[i], 8);
        }
    }
    return r;
}

static int walk_l1(Check *c, uint64_t *l1, uint64_t l1_offset, uint32_t size, bool active)
{
    Qcow2 *s = c->s;
    g_autofree uint64_t *table = g_malloc(s->cluster_size);
    int r = 0;

    if (!count(c, l1_offset, (uint64_t)size * 8, "L1 table")) {
        corruption(c, false);
    }
    for (uint32_t i = 0; r == 0 && i < size; i++) {
        uint64_t l2 = l1[i] & QCOW2_OFFSET_MASK;
        bool fix = c->fix & QCOW2_FIX_ERRORS && active;

        if (l2 == 0) {
            continue;
        }
        if (l2 & (s->cluster_size - 1) || !count(c, l2, s->cluster_size, "L2 table")) {
            say(c, "ERROR: L1 entry %u (" LX ") is corrupt", i, l1[i]);
            corruption(c, fix);
            if (fix) {
                uint64_t zero = 0;

                l1[i] = 0;
                r = block_co_write_buf(s->file, l1_offset + (uint64_t)i * 8, &zero, 8);
            }
            continue;
        }
        r = walk_l2(c, l2, table, active);
    }
    return r;
}

static int walk_snapshots(Check *c)
{
    Qcow2 *s = c->s;
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < s->h.snapshot_count; i++) {
        const Qcow2Snapshot *sn = &s->snapshots[i];
        g_autofree uint64_t *l1 = g_new0(uint64_t, MAX(sn->l1_size, 1));

        r = block_co_read_buf(s->file, sn->l1_offset, l1, (uint64_t)sn->l1_size * 8);
        for (uint32_t k = 0; k < sn->l1_size; k++) {
            l1[k] = GUINT64_FROM_BE(l1[k]);
        }
        if (r == 0) {
            r = walk_l1(c, l1, sn->l1_offset, sn->l1_size, false);
        }
    }
    if (r == 0 && !count(c, s->h.snapshots_offset, s->snapshots_bytes, "snapshot table")) {
        corruption(c, false);
    }
    return r;
}

/* One bitmap: its table, and the clusters that has. */
static int walk_bitmap(Check *c, uint64_t offset, uint32_t entries)
{
    Qcow2 *s = c->s;
    g_autofree uint64_t *table = NULL;
    int r;

    if (offset & (s->cluster_size - 1) || (uint64_t)entries * 8 > QCOW2_MAX_L1_BYTES ||
        !count(c, offset, (uint64_t)entries * 8, "bitmap table")) {
        corruption(c, false);
        return 0;
    }
    table = g_new0(uint64_t, MAX(entries, 1));
    r = block_co_read_buf(s->file, offset, table, (uint64_t)entries * 8);
    for (uint32_t i = 0; r == 0 && i < entries; i++) {
        uint64_t host = GUINT64_FROM_BE(table[i]) & QCOW2_OFFSET_MASK;

        if (host && !count(c, host, s->cluster_size, "bitmap data")) {
            corruption(c, false);
        }
    }
    return r;
}

/* The bitmap directory, valid only while its autoclear bit is set. */
static int walk_bitmaps(Check *c)
{
    Qcow2 *s = c->s;
    uint64_t size = s->h.bitmap_dir_size, at = 0;
    g_autofree uint8_t *dir = NULL;
    int r;

    if (!(s->h.autoclear & QCOW2_AUTOCLEAR_BITMAPS) || s->h.bitmap_count == 0) {
        return 0;
    }
    if (size > QCOW2_MAX_SNAP_BYTES ||
        !count(c, s->h.bitmap_dir_offset, size, "bitmap directory")) {
        corruption(c, false);
        return 0;
    }
    dir = g_malloc0(size + 24);
    r = block_co_read_buf(s->file, s->h.bitmap_dir_offset, dir, size);
    for (uint32_t i = 0; r == 0 && i < s->h.bitmap_count; i++) {
        uint64_t table;
        uint32_t entries, extra;
        uint16_t name;

        if (at + 24 > size) {
            say(c, "ERROR: the bitmap directory is too short");
            corruption(c, false);
            break;
        }
        memcpy(&table, dir + at, 8);
        memcpy(&entries, dir + at + 8, 4);
        memcpy(&name, dir + at + 18, 2);
        memcpy(&extra, dir + at + 20, 4);
        r = walk_bitmap(c, GUINT64_FROM_BE(table), GUINT32_FROM_BE(entries));
        at += (24 + (uint64_t)GUINT32_FROM_BE(extra) + GUINT16_FROM_BE(name) + 7) & ~(uint64_t)7;
    }
    return r;
}

static bool block_usable(const Check *c, uint64_t block)
{
    uint64_t offset = c->s->reftable[block];

    return offset && !(offset & (c->s->cluster_size - 1)) && offset < block_node_length(c->s->file);
}

static void walk_refcounts(Check *c)
{
    Qcow2 *s = c->s;

    if (s->reftable_entries == 0) {
        say(c, "ERROR: the refcount table is not in the file");
        corruption(c, c->fix & QCOW2_FIX_ERRORS);
        c->rebuild = true;
        return;
    }
    if (!count(c, s->h.reftable_offset, s->reftable_entries * 8, "refcount table")) {
        corruption(c, c->fix & QCOW2_FIX_ERRORS);
        c->rebuild = true;
    }
    for (uint64_t i = 0; i < s->reftable_entries; i++) {
        uint64_t offset = s->reftable[i];

        if (!offset) {
            continue;
        }
        if (!block_usable(c, i)) {
            say(c,
                "ERROR: refcount block %" G_GUINT64_FORMAT " at " LX
                " is not a cluster of the file",
                i, offset);
        } else if (count(c, offset, s->cluster_size, "refcount block") &&
                   c->refs[offset >> s->cluster_bits] == 1) {
            continue;
        } else {
            say(c,
                "ERROR: refcount block %" G_GUINT64_FORMAT " at " LX
                " is used for something else, too",
                i, offset);
        }
        corruption(c, c->fix & QCOW2_FIX_ERRORS);
        c->rebuild = true;
    }
}

static int walk(Check *c, bool with_refcounts)
{
    Qcow2 *s = c->s;
    int r;

    memset(c->refs, 0, c->clusters * sizeof(*c->refs));
    c->next_contiguous = 0;
    count(c, 0, s->cluster_size, "header");
    r = walk_l1(c, s->l1, s->h.l1_offset, s->l1_size, true);
    if (r == 0) {
        r = walk_snapshots(c);
    }
    if (r == 0) {
        r = walk_bitmaps(c);
    }
    if (r == 0 && with_refcounts) {
        walk_refcounts(c);
    }
    return r;
}

/* ---- comparing ---- */

static int stored(Check *c, uint64_t cluster, uint64_t *out)
{
    uint64_t block = cluster >> c->s->rb_bits;

    *out = 0;
    return block < c->s->reftable_entries && block_usable(c, block)
               ? qcow2_co_get_refcount(c->s, cluster, out)
               : 0;
}

static int fix_leak(Check *c, uint64_t cluster, uint64_t have, uint64_t want)
{
    int r = 0;

    /* Steps of one: what the allocator has for it. */
    while (r == 0 && have-- > want) {
        r = qcow2_co_ref_down(c->s, cluster << c->s->cluster_bits, 1);
    }
    return r;
}

static int compare(Check *c, uint64_t cluster)
{
    uint64_t have, want = cluster < c->clusters ? c->refs[cluster] : 0;
    int r = stored(c, cluster, &have);

    if (r < 0) {
        c->res->check_errors++;
        return r;
    }
    if (want && cluster >= c->res->image_end_offset >> c->s->cluster_bits) {
        c->res->image_end_offset = (cluster + 1) << c->s->cluster_bits;
    }
    if (have == want) {
        return 0;
    }
    if (have < want) {
        say(c,
            "ERROR cluster %" G_GUINT64_FORMAT " refcount=%" G_GUINT64_FORMAT
            " reference=%" G_GUINT64_FORMAT,
            cluster, have, want);
        corruption(c, c->fix & QCOW2_FIX_ERRORS);
        c->rebuild = true;
        return 0;
    }
    say(c,
        "%s cluster %" G_GUINT64_FORMAT " refcount=%" G_GUINT64_FORMAT
        " reference=%" G_GUINT64_FORMAT,
        c->fix & QCOW2_FIX_LEAKS ? "Repairing" : "Leaked", cluster, have, want);
    if (c->fix & QCOW2_FIX_LEAKS) {
        c->res->leaks_fixed++;
        return c->rebuild ? 0 : fix_leak(c, cluster, have, want);
    }
    c->res->leaks++;
    return 0;
}

static int compare_all(Check *c)
{
    Qcow2 *s = c->s;
    uint64_t end = MAX(c->clusters, s->reftable_entries << s->rb_bits);
    int r = 0;

    for (uint64_t i = 0; r == 0 && i < end; i++) {
        uint64_t block = i >> s->rb_bits;

        /* Behind the end of the file only existing blocks can say anything. */
        if (i >= c->clusters && (block >= s->reftable_entries || !block_usable(c, block))) {
            i |= ((uint64_t)1 << s->rb_bits) - 1;
            continue;
        }
        r = compare(c, i);
    }
    return r;
}

/* ---- a new refcount structure ---- */

/* Which blocks the counts in c->refs need; those from cluster FIRST_NEW on hold the structure
 * itself. */
static uint64_t count_blocks(const Check *c, uint64_t first_new, uint64_t end, bool *need)
{
    const Qcow2 *s = c->s;
    uint64_t n = 0;

    for (uint64_t b = 0; b << s->rb_bits < end; b++) {
        uint64_t from = b << s->rb_bits, to = MIN((b + 1) << s->rb_bits, end);
        bool used = to > first_new;

        for (uint64_t i = from; !used && i < to; i++) {
            used = c->refs[i] != 0;
        }
        need[b] = used;
        n += used;
    }
    return n;
}

static int write_blocks(Check *c, uint64_t first_new, uint64_t end, const bool *need,
                        uint64_t *table)
{
    Qcow2 *s = c->s;
    uint64_t per_block = (uint64_t)1 << s->rb_bits, next = first_new;
    g_autofree uint8_t *buf = g_malloc(s->cluster_size);
    int r = 0;

    for (uint64_t b = 0; r == 0 && b << s->rb_bits < end; b++) {
        if (!need[b]) {
            continue;
        }
        memset(buf, 0, s->cluster_size);
        for (uint64_t i = 0; i < per_block && (b << s->rb_bits) + i < end; i++) {
            uint64_t cluster = (b << s->rb_bits) + i;
            uint64_t refs = cluster >= first_new ? 1 : c->refs[cluster];

            if (refs > s->refcount_max) {
                return -ERANGE;
            }
            qcow2_refcount_set(s, buf, i, refs);
        }
        table[b] = next << s->cluster_bits;
        r = block_co_write_buf(s->file, table[b], buf, s->cluster_size);
        next++;
    }
    return r;
}

static int install_reftable(Check *c, uint64_t *table, uint64_t entries, uint64_t offset)
{
    Qcow2 *s = c->s;
    g_autofree uint64_t *be = g_new(uint64_t, entries);
    uint8_t field[12];
    uint64_t be_offset = GUINT64_TO_BE(offset);
    uint32_t be_clusters = GUINT32_TO_BE((uint32_t)(entries * 8 >> s->cluster_bits));
    int r;

    for (uint64_t i = 0; i < entries; i++) {
        be[i] = GUINT64_TO_BE(table[i]);
    }
    r = block_co_write_buf(s->file, offset, be, entries * 8);
    if (r == 0) {
        r = block_co_flush(s->file);
    }
    memcpy(field, &be_offset, 8);
    memcpy(field + 8, &be_clusters, 4);
    if (r == 0) {
        r = qcow2_co_write_header(s, QCOW2_HDR_REFTABLE, field, sizeof(field));
    }
    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0) {
        qcow2_cache_free(&s->rb);
        if (!qcow2_cache_init(&s->rb, entries << (s->rb_bits - s->rb_slice_bits),
                              (size_t)1 << s->rb_slice_bits << s->h.refcount_order >> 3, 4 << 20)) {
            return -ENOMEM;
        }
        g_hash_table_remove_all(s->reftable_dirty);
        g_free(s->reftable);
        s->reftable = table;
        s->reftable_entries = entries;
        s->h.reftable_offset = offset;
        s->h.reftable_clusters = (uint32_t)(entries * 8 >> s->cluster_bits);
    }
    return r;
}

static int rebuild_refcounts(Check *c)
{
    Qcow2 *s = c->s;
    uint64_t first_new = c->clusters, end = first_new, per_cluster = s->cluster_size / 8;
    uint64_t blocks = 0, table_clusters = 0;
    g_autofree bool *need = NULL;
    uint64_t *table;
    int r;

    c->quiet = true;
    r = walk(c, false);
    c->quiet = false;
    if (r < 0) {
        return r;
    }
    /* The structure counts itself, so its size is found by growing until it fits. */
    for (;;) {
        uint64_t n, t;

        g_free(need);
        need = g_new0(bool, (end >> s->rb_bits) + 2);
        n = count_blocks(c, first_new, end, need);
        t = ((end >> s->rb_bits) + 1 + per_cluster - 1) / per_cluster;
        if (n <= blocks && t <= table_clusters) {
            break;
        }
        blocks = MAX(blocks, n);
        table_clusters = MAX(table_clusters, t);
        end = first_new + blocks + table_clusters;
    }
    if (table_clusters << s->cluster_bits > QCOW2_MAX_REFTABLE) {
        return -EFBIG;
    }
    table = g_new0(uint64_t, table_clusters * per_cluster);
    r = write_blocks(c, first_new, end, need, table);
    if (r == 0) {
        r = install_reftable(c, table, table_clusters * per_cluster,
                             (first_new + blocks) << s->cluster_bits);
    }
    if (r < 0) {
        g_free(table);
    } else {
        c->res->image_end_offset = end << s->cluster_bits;
    }
    return r;
}

/* ---- the COPIED flags ---- */

/* *ENTRY's flag agrees with its refcount; 1 if it was changed. */
static int check_copied(Check *c, uint64_t *entry, const char *what)
{
    uint64_t refs;
    bool want, fix = c->fix & QCOW2_FIX_ERRORS;
    int r = stored(c, (*entry & QCOW2_OFFSET_MASK) >> c->s->cluster_bits, &refs);

    if (r < 0) {
        return r;
    }
    want = refs == 1;
    if (want == !!(*entry & QCOW2_OFLAG_COPIED)) {
        return 0;
    }
    say(c, "%s OFLAG_COPIED %s: entry=" LX " refcount=%" G_GUINT64_FORMAT,
        fix ? "Repairing" : "ERROR", what, *entry, refs);
    corruption(c, fix);
    if (!fix) {
        return 0;
    }
    *entry ^= QCOW2_OFLAG_COPIED;
    return 1;
}

static int check_flags(Check *c)
{
    Qcow2 *s = c->s;
    g_autofree uint64_t *table = g_malloc(s->cluster_size);
    int r = 0;

    for (uint32_t i = 0; r >= 0 && i < s->l1_size; i++) {
        uint64_t l2 = s->l1[i] & QCOW2_OFFSET_MASK, be;

        if (!l2 || l2 & (s->cluster_size - 1) || l2 >= block_node_length(s->file)) {
            continue;
        }
        r = check_copied(c, &s->l1[i], "L2 cluster");
        if (r == 1) {
            be = GUINT64_TO_BE(s->l1[i]);
            r = block_co_write_buf(s->file, s->h.l1_offset + (uint64_t)i * 8, &be, 8);
        }
        if (r >= 0) {
            r = block_co_read_buf(s->file, l2, table, s->cluster_size);
        }
        for (uint64_t k = 0; r >= 0 && k < s->cluster_size / 8; k++) {
            uint64_t entry = GUINT64_FROM_BE(table[k]);
            Qcow2Type type = qcow2_entry_type(entry);

            if ((type != QCOW2_NORMAL && type != QCOW2_ZERO_ALLOC) ||
                (entry & QCOW2_OFFSET_MASK) & (s->cluster_size - 1)) {
                continue;
            }
            r = check_copied(c, &entry, "data cluster");
            if (r == 1) {
                be = GUINT64_TO_BE(entry);
                r = block_co_write_buf(s->file, l2 + k * 8, &be, 8);
            }
        }
    }
    return r < 0 ? r : 0;
}

/* ---- all of it ---- */

static int finish_repair(Check *c)
{
    Qcow2 *s = c->s;
    uint64_t bits = s->h.incompatible & ~(QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT);
    int r;

    co_mutex_lock(&s->flush_lock);
    r = qcow2_co_flush_refcounts(s);
    co_mutex_unlock(&s->flush_lock);
    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0 && c->fix & QCOW2_FIX_ERRORS && !c->res->corruptions && !c->res->check_errors &&
        bits != s->h.incompatible && s->h.version >= 3) {
        r = qcow2_co_set_incompatible(s, bits);
    }
    return r;
}

int qcow2_co_check(BlockNode *n, unsigned fix, Qcow2CheckResult *res,
                   void (*report)(void *opaque, const char *line), void *opaque)
{
    Qcow2 *s = n->state;
    Check c = {.s = s, .res = res, .fix = fix, .report = report, .opaque = opaque};
    int r;

    memset(res, 0, sizeof(*res));
    res->total_clusters = qcow2_align_up(s, s->h.size) >> s->cluster_bits;
    c.clusters = qcow2_align_up(s, block_node_length(s->file)) >> s->cluster_bits;
    c.refs = calloc(MAX(c.clusters, 1), sizeof(*c.refs));
    if (!c.refs) {
        return -ENOMEM;
    }
    r = walk(&c, true);
    if (r == 0) {
        r = compare_all(&c);
    }
    if (r == 0 && fix & QCOW2_FIX_ERRORS && c.rebuild) {
        r = rebuild_refcounts(&c);
    }
    if (r == 0) {
        r = check_flags(&c);
    }
    if (r == 0 && fix) {
        r = finish_repair(&c);
    }
    free(c.refs);
    return r;
}
