/*
 * qcow2: opening with every check that can be made up front, flushing, closing, and the driver
 * table. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

#define SLICE_BYTES    ((uint32_t)16384)
#define L2_CACHE_BYTES ((uint64_t)32 << 20)
#define RB_CACHE_BYTES ((uint64_t)4 << 20)

static int qcow2_probe(const uint8_t *buf, size_t len)
{
    return len >= 8 && memcmp(buf, "QFI\xfb", 4) == 0 && buf[4] == 0 && buf[5] == 0 &&
                   buf[6] == 0 && buf[7] >= 2
               ? 100
               : 0;
}

static unsigned log2_of(uint64_t x)
{
    return 63 - (unsigned)__builtin_clzll(x);
}

static void set_geometry(Qcow2 *s)
{
    uint32_t slice;

    s->cluster_bits = s->h.cluster_bits;
    s->cluster_size = 1u << s->cluster_bits;
    slice = MIN(s->cluster_size, SLICE_BYTES);
    s->l2_bits = s->cluster_bits - 3;
    s->l2_slice_bits = log2_of(slice) - 3;
    s->rb_bits = s->cluster_bits + 3 - s->h.refcount_order;
    s->rb_slice_bits = log2_of(slice) + 3 - s->h.refcount_order;
    s->refcount_max =
        s->h.refcount_order == 6 ? INT64_MAX : ((uint64_t)1 << (1u << s->h.refcount_order)) - 1;
}

/* Reads COUNT big-endian entries at OFFSET. */
static uint64_t *read_table(Qcow2 *s, const char *what, uint64_t offset, uint64_t count,
                            GError **err)
{
    uint64_t *table = g_new0(uint64_t, MAX(count, 1));
    int r = count ? block_co_read_buf(s->file, offset, table, count * 8) : 0;

    if (r < 0) {
        emu_set_error(err, "Could not read the %s of '%s': %s", what, s->node->filename,
                      g_strerror(-r));
        g_free(table);
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++) {
        table[i] = GUINT64_FROM_BE(table[i]);
    }
    return table;
}

/* Every entry points to a whole cluster inside the file, and to nothing twice. */
static bool check_entries(Qcow2 *s, const char *what, const uint64_t *table, uint64_t count,
                          uint64_t mask, uint64_t reserved, GError **err)
{
    uint64_t file_len = block_node_length(s->file);

    for (uint64_t i = 0; i < count && !s->lenient; i++) {
        uint64_t offset = table[i] & mask;
        const char *why = NULL;

        if (table[i] & reserved) {
            why = "has reserved bits set";
        } else if (offset & (s->cluster_size - 1)) {
            why = "is not aligned to a cluster";
        } else if (offset >= file_len && offset) {
            why = "points outside the file";
        }
        if (why) {
            emu_set_error(err,
                          "Could not open '%s': %s entry %" G_GUINT64_FORMAT
                          " (0x%" G_GINT64_MODIFIER "x) %s",
                          s->node->filename, what, i, table[i], why);
            return false;
        }
    }
    return true;
}

static bool read_tables(Qcow2 *s, GError **err)
{
    uint64_t file_len = block_node_length(s->file);

    s->l1_size = s->h.l1_size;
    s->l1 = read_table(s, "L1 table", s->h.l1_offset, s->l1_size, err);
    if (!s->l1 || !check_entries(s, "L1 table", s->l1, s->l1_size, QCOW2_OFFSET_MASK,
                                 ~(QCOW2_OFFSET_MASK | QCOW2_OFLAG_COPIED), err)) {
        return false;
    }
    s->reftable_entries = ((uint64_t)s->h.reftable_clusters << s->cluster_bits) / 8;
    if (s->lenient && (s->h.reftable_offset & (s->cluster_size - 1) || s->h.reftable_offset == 0 ||
                       s->h.reftable_offset >= file_len)) {
        s->reftable_entries = 0;
    }
    s->reftable = read_table(s, "refcount table", s->h.reftable_offset, s->reftable_entries, err);
    return s->reftable && check_entries(s, "refcount table", s->reftable, s->reftable_entries,
                                        QCOW2_REFTABLE_MASK, ~QCOW2_REFTABLE_MASK, err);
}

static void mark_metadata(Qcow2 *s)
{
    qcow2_meta_mark(s, 0, s->cluster_size, true);
    qcow2_meta_mark(s, s->h.l1_offset, (uint64_t)s->l1_size * 8, true);
    qcow2_meta_mark(s, s->h.reftable_offset, s->reftable_entries * 8, true);
    qcow2_meta_mark(s, s->h.snapshots_offset, s->snapshots_bytes, true);
    for (uint32_t i = 0; i < s->h.snapshot_count; i++) {
        qcow2_meta_mark(s, s->snapshots[i].l1_offset, (uint64_t)s->snapshots[i].l1_size * 8, true);
    }
    for (uint64_t i = 0; i < s->l1_size; i++) {
        if (s->l1[i] & QCOW2_OFFSET_MASK) {
            qcow2_meta_mark(s, s->l1[i] & QCOW2_OFFSET_MASK, s->cluster_size, true);
        }
    }
    for (uint64_t i = 0; i < s->reftable_entries; i++) {
        if (s->reftable[i] & QCOW2_REFTABLE_MASK) {
            qcow2_meta_mark(s, s->reftable[i] & QCOW2_REFTABLE_MASK, s->cluster_size, true);
        }
    }
}

static bool make_caches(Qcow2 *s, GError **err)
{
    uint32_t slice = MIN(s->cluster_size, SLICE_BYTES);

    if (!qcow2_cache_init(&s->l2, (uint64_t)s->l1_size << (s->l2_bits - s->l2_slice_bits), slice,
                          L2_CACHE_BYTES) ||
        !qcow2_cache_init(&s->rb, s->reftable_entries << (s->rb_bits - s->rb_slice_bits), slice,
                          RB_CACHE_BYTES)) {
        emu_set_error(err, "Could not open '%s': not enough memory for its tables",
                      s->node->filename);
        return false;
    }
    return true;
}

static bool open_backing(Qcow2 *s, const BlockOpenArgs *args, GError **err)
{
    BlockChain chain = {
        .file = s->file, .up = args->chain, .depth = args->chain ? args->chain->depth + 1 : 1};
    g_autofree char *path = NULL;
    BlockOpenArgs below;
    GError *why = NULL;

    if (args->backing) {
        s->node->backing = block_node_ref(args->backing);
        return true;
    }
    if (args->no_backing || !s->h.backing_name) {
        return true;
    }
    path = block_path_combine(s->node->filename, s->h.backing_name);
    block_open_args_init(&below, args->thread);
    below.filename = path;
    below.driver = s->h.backing_format;
    below.read_only = true;
    below.direct = args->direct;
    below.no_flush = args->no_flush;
    below.force_share = args->force_share;
    below.locking = args->locking;
    below.quiet = true;
    below.chain = &chain;
    s->node->backing = block_co_open(&below, &why);
    if (!s->node->backing) {
        emu_set_error(err, "Could not open the backing file of '%s': %s", s->node->filename,
                      why->message);
        g_error_free(why);
        return false;
    }
    return true;
}

static void report_repair(void *opaque, const char *line)
{
    (void)opaque;
    (void)line;
}

/* What has to be put in order before the first write. */
static bool prepare_writing(Qcow2 *s, const BlockOpenArgs *args, GError **err)
{
    const char *name = s->node->filename;
    uint64_t zero = 0;
    int r;

    if (s->h.incompatible & QCOW2_INCOMPAT_CORRUPT) {
        emu_set_error(err,
                      "Could not open '%s': the image is marked as corrupt and can only be opened "
                      "read-only; emu-img check -r all may repair it",
                      name);
        return false;
    }
    if (s->h.incompatible & QCOW2_INCOMPAT_DIRTY) {
        Qcow2CheckResult res;

        r = qcow2_co_check(s->node, QCOW2_FIX_ERRORS | QCOW2_FIX_LEAKS, &res, report_repair, NULL);
        if (r < 0 || res.corruptions || res.check_errors) {
            emu_set_error(
                err, "Could not open '%s': it was not closed cleanly and cannot be repaired: %s",
                name, r < 0 ? g_strerror(-r) : "it is corrupt");
            return false;
        }
    }
    if (s->h.autoclear) {
        /* What these bits vouch for (bitmaps) is not kept up to date by this program. */
        r = qcow2_co_write_header(s, QCOW2_HDR_AUTOCLEAR, &zero, sizeof(zero));
        if (r < 0) {
            emu_set_error(err, "Could not write the header of '%s': %s", name, g_strerror(-r));
            return false;
        }
        s->h.autoclear = 0;
    }
    s->lazy = s->h.version >= 3 &&
              (args->lazy_refcounts ? args->lazy_refcounts > 0
                                    : !!(s->h.compatible & QCOW2_COMPAT_LAZY_REFCOUNTS));
    return true;
}

static void free_state(Qcow2 *s)
{
    qcow2_cache_free(&s->l2);
    qcow2_cache_free(&s->rb);
    qcow2_free_snapshots(s);
    qcow2_meta_free(s);
    g_clear_pointer(&s->unpacked, g_ptr_array_unref);
    g_clear_pointer(&s->l1_dirty, g_hash_table_unref);
    g_clear_pointer(&s->reftable_dirty, g_hash_table_unref);
    g_clear_pointer(&s->pending_frees, g_array_unref);
    g_clear_pointer(&s->ready_frees, g_array_unref);
    g_clear_pointer(&s->l1, g_free);
    g_clear_pointer(&s->reftable, g_free);
    qcow2_header_clear(&s->h);
}

static bool qcow2_co_open(BlockNode *n, const BlockOpenArgs *args, GError **err)
{
    Qcow2 *s = n->state;

    s->node = n;
    s->file = n->file;
    s->lenient = args->lenient;
    s->l1_dirty = g_hash_table_new(NULL, NULL);
    s->reftable_dirty = g_hash_table_new(NULL, NULL);
    s->pending_frees = g_array_new(FALSE, FALSE, sizeof(Qcow2Free));
    s->ready_frees = g_array_new(FALSE, FALSE, sizeof(Qcow2Free));
    if (!qcow2_co_read_header(n->file, &s->h, args->lenient, err)) {
        goto fail;
    }
    set_geometry(s);
    if (!read_tables(s, err) || !qcow2_co_read_snapshots(s, err) || !make_caches(s, err)) {
        goto fail;
    }
    atomic_store(&n->length, s->h.size);
    /* A block device has old data everywhere; behind a regular file's end there is nothing. */
    s->virgin = n->file->ino ? block_node_length(n->file) : UINT64_MAX;
    if (!n->read_only && !args->lenient) {
        if (!prepare_writing(s, args, err)) {
            goto fail;
        }
        mark_metadata(s);
    }
    if (!open_backing(s, args, err)) {
        goto fail;
    }
    return true;

fail:
    free_state(s);
    return false;
}

static int flush_all(Qcow2 *s)
{
    int r = qcow2_co_flush_meta(s, true);

    if (r == 0 && s->ready_frees->len > 0) {
        co_mutex_lock(&s->lock);
        r = qcow2_co_apply_frees(s);
        co_mutex_unlock(&s->lock);
        if (r == 0) {
            r = qcow2_co_flush_meta(s, true);
        }
    }
    return r;
}

static void qcow2_co_close(BlockNode *n)
{
    Qcow2 *s = n->state;
    int r = 0;

    if (!n->read_only && !s->lenient) {
        r = flush_all(s);
        if (r == 0) {
            r = qcow2_co_mark_clean(s);
        }
        if (r < 0) {
            g_printerr("qcow2: could not write everything to '%s': %s\n", n->filename,
                       g_strerror(-r));
        }
    }
    free_state(s);
}

static int qcow2_co_flush(BlockNode *n)
{
    return qcow2_co_flush_meta(n->state, true);
}

static void qcow2_get_info(BlockNode *n, BlockNodeInfo *info)
{
    const Qcow2 *s = n->state;

    info->cluster_size = s->cluster_size;
    info->dirty = s->h.incompatible & QCOW2_INCOMPAT_DIRTY;
    info->qcow2 = s;
}

const BlockDriver block_driver_qcow2 = {
    .name = "qcow2",
    .state_size = sizeof(Qcow2),
    .probe = qcow2_probe,
    .co_open = qcow2_co_open,
    .co_close = qcow2_co_close,
    .co_read = qcow2_co_read,
    .co_write = qcow2_co_write,
    .co_write_zeroes = qcow2_co_write_zeroes,
    .co_discard = qcow2_co_discard,
    .co_flush = qcow2_co_flush,
    .co_status = qcow2_co_status,
    .co_truncate = qcow2_co_truncate,
    .co_write_compressed = qcow2_co_write_compressed,
    .get_info = qcow2_get_info,
};
