/*
 * Making new qcow2 images: an image of size 0 (header, refcount table and one refcount block) is
 * written, opened, and grown to its size by the ordinary code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2-create.h"

#include <errno.h>
#include <string.h>

void qcow2_create_options_init(Qcow2CreateOptions *o)
{
    memset(o, 0, sizeof(*o));
    o->version = 3;
    o->cluster_size = 65536;
    o->refcount_bits = 16;
}

bool qcow2_create_options_check(const Qcow2CreateOptions *o, GError **err)
{
    if (o->cluster_size < 512 || o->cluster_size > 2097152 ||
        o->cluster_size & (o->cluster_size - 1)) {
        emu_set_error(err, "Cluster size must be a power of two between 512 and 2048k");
        return false;
    }
    if (o->refcount_bits < 1 || o->refcount_bits > 64 ||
        o->refcount_bits & (o->refcount_bits - 1)) {
        emu_set_error(err, "Refcount width must be a power of two and may not exceed 64 bits");
        return false;
    }
    if (o->version < 3 && o->refcount_bits != 16) {
        emu_set_error(err, "Refcount widths other than 16 bits require compat=1.1 (version 3)");
        return false;
    }
    if (o->version < 3 && o->lazy_refcounts) {
        emu_set_error(err, "lazy_refcounts=on requires compat=1.1 (version 3)");
        return false;
    }
    if (o->version < 3 && o->compression != QCOW2_ZLIB) {
        emu_set_error(err, "compression_type=zstd requires compat=1.1 (version 3)");
        return false;
    }
    if (o->backing_file && o->preallocation != QCOW2_PREALLOC_OFF) {
        emu_set_error(err, "Backing file and preallocation can only be used at the same time with "
                           "preallocation=off");
        return false;
    }
    if (o->backing_file && strlen(o->backing_file) > QCOW2_MAX_BACKING_NAME) {
        emu_set_error(err, "The backing file name is longer than 1023 bytes");
        return false;
    }
    if (o->backing_format && strlen(o->backing_format) > 15) {
        emu_set_error(err, "The backing format name is too long");
        return false;
    }
    if (o->size > BLOCK_MAX_LENGTH) {
        emu_set_error(err, "The image size is too large");
        return false;
    }
    return true;
}

static void put32(uint8_t *p, uint32_t v)
{
    v = GUINT32_TO_BE(v);
    memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
    v = GUINT64_TO_BE(v);
    memcpy(p, &v, 8);
}

/* The first cluster; false if the names do not fit. */
static bool fill_header(uint8_t *b, const Qcow2CreateOptions *o, GError **err)
{
    uint32_t cluster_bits = (uint32_t)__builtin_ctz(o->cluster_size);
    size_t header = o->version >= 3 ? 112 : QCOW2_V2_HEADER, at = header;

    put32(b, QCOW2_MAGIC);
    put32(b + 4, o->version);
    put32(b + 20, cluster_bits);
    put64(b + 48, o->cluster_size); /* the refcount table is the second cluster */
    put32(b + 56, 1);
    if (o->version >= 3) {
        put64(b + 72, o->compression == QCOW2_ZLIB ? 0 : QCOW2_INCOMPAT_COMPRESSION);
        put64(b + 80, o->lazy_refcounts ? QCOW2_COMPAT_LAZY_REFCOUNTS : 0);
        put32(b + 96, (uint32_t)__builtin_ctz(o->refcount_bits));
        put32(b + 100, (uint32_t)header);
        b[104] = (uint8_t)o->compression;
    }
    if (o->backing_file && o->backing_format) {
        size_t len = strlen(o->backing_format);

        put32(b + at, 0xe2792aca);
        put32(b + at + 4, (uint32_t)len);
        memcpy(b + at + 8, o->backing_format, len);
        at += 8 + ((len + 7) & ~(size_t)7);
    }
    at += 8; /* end of extensions: zeroes */
    if (o->backing_file) {
        size_t len = strlen(o->backing_file);

        if (len > o->cluster_size - at) {
            emu_set_error(
                err,
                "The backing file name does not fit into a header of %u bytes; use larger "
                "clusters",
                o->cluster_size);
            return false;
        }
        put64(b + 8, at);
        put32(b + 16, (uint32_t)len);
        memcpy(b + at, o->backing_file, len);
    }
    return true;
}

static bool write_empty(BlockNode *file, const Qcow2CreateOptions *o, GError **err)
{
    g_autofree uint8_t *b = g_malloc0((size_t)o->cluster_size * 3);
    Qcow2 fake = {.h.refcount_order = (uint32_t)__builtin_ctz(o->refcount_bits)};
    int r;

    if (!fill_header(b, o, err)) {
        return false;
    }
    put64(b + o->cluster_size, (uint64_t)o->cluster_size * 2);
    for (uint64_t i = 0; i < 3; i++) {
        qcow2_refcount_set(&fake, b + (size_t)o->cluster_size * 2, i, 1);
    }
    r = block_co_write_buf(file, 0, b, (uint64_t)o->cluster_size * 3);
    if (r < 0) {
        emu_set_error(err, "Could not write to '%s': %s", file->filename, g_strerror(-r));
        return false;
    }
    return true;
}

static int preallocate(BlockNode *n, const Qcow2CreateOptions *o)
{
    uint64_t end;
    int r = qcow2_co_preallocate(n, 0, o->size);

    if (r < 0 || o->preallocation == QCOW2_PREALLOC_METADATA) {
        return r;
    }
    end = block_node_length(n->file);
    if (o->preallocation == QCOW2_PREALLOC_FALLOC) {
        return block_co_file_allocate(n->file, 0, end);
    }
    for (uint64_t at = 0; r == 0 && at < o->size;) {
        uint64_t len = MIN(o->size - at, (uint64_t)1 << 20);
        size_t size;
        const void *zero = block_zero_buffer(&size);

        r = block_co_write_buf(n, at, zero, len);
        at += len;
    }
    return r;
}

bool qcow2_co_create(BlockNode *file, const Qcow2CreateOptions *o, GError **err)
{
    BlockOpenArgs args;
    BlockNode *n;
    int r;

    if (!qcow2_create_options_check(o, err) || !write_empty(file, o, err)) {
        return false;
    }
    block_open_args_init(&args, file->thread);
    args.file = file;
    args.driver = "qcow2";
    args.no_backing = true;
    args.no_flush = file->no_flush;
    n = block_co_open(&args, err);
    if (!n) {
        return false;
    }
    r = block_co_truncate(n, o->size, err);
    if (r == 0 && o->preallocation != QCOW2_PREALLOC_OFF) {
        r = preallocate(n, o);
        if (r < 0) {
            emu_set_error(err, "Could not preallocate '%s': %s", file->filename, g_strerror(-r));
        }
    }
    block_co_unref(n);
    return r == 0;
}

BlockNode *qcow2_co_temp_overlay(BlockNode *base, const BlockOpenArgs *args, GError **err)
{
    Qcow2CreateOptions create;
    BlockOpenArgs open;
    BlockNode *file, *n = NULL;
    int fd = block_temp_file(err);

    if (fd < 0) {
        return NULL;
    }
    block_open_args_init(&open, base->thread);
    open.driver = "file";
    open.fd = fd;
    open.no_flush = true; /* gone with the process */
    open.unmap = true;
    file = block_co_open(&open, err);
    if (!file) {
        return NULL;
    }
    qcow2_create_options_init(&create);
    create.size = block_node_length(base);
    if (qcow2_co_create(file, &create, err)) {
        block_open_args_init(&open, base->thread);
        open.driver = "qcow2";
        open.node_name = args->node_name;
        open.file = file;
        open.backing = base;
        open.no_flush = true;
        open.unmap = true;
        open.detect_zeroes = args->detect_zeroes;
        n = block_co_open(&open, err);
    }
    block_co_unref(file);
    return n;
}
