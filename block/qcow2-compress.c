/*
 * qcow2: compressed clusters (zlib's raw deflate, or zstd).
 *
 * Packing and unpacking run on helper threads. A few unpacked clusters are kept, because a guest
 * reads a cluster in many small requests.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define UNPACKED_BYTES ((size_t)4 << 20)
#define UNPACKED_MAX   16u

typedef struct Unpacked {
    uint64_t host;
    void *data;
} Unpacked;

typedef struct CodecJob {
    Qcow2Compression type;
    const void *in;
    size_t in_len;
    void *out;
    size_t out_len;
} CodecJob;

/* Window bits of qcow2's deflate streams: raw, 4 KiB window when writing. */
enum { DEFLATE_WINDOW = -12, INFLATE_WINDOW = -15 };

static int64_t unpack_zlib(const CodecJob *job)
{
    z_stream z = {.next_in = (Bytef *)job->in,
                  .avail_in = (uInt)job->in_len,
                  .next_out = job->out,
                  .avail_out = (uInt)job->out_len};
    int r;

    if (inflateInit2(&z, INFLATE_WINDOW) != Z_OK) {
        return -ENOMEM;
    }
    r = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    /* The input has up to a sector of something else behind it: what counts is a full cluster. */
    return (r == Z_STREAM_END || r == Z_BUF_ERROR) && z.avail_out == 0 ? 0 : -EIO;
}

static int64_t unpack_zstd(const CodecJob *job)
{
    ZSTD_inBuffer in = {job->in, job->in_len, 0};
    ZSTD_outBuffer out = {job->out, job->out_len, 0};
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    size_t r = 1;

    if (!ctx) {
        return -ENOMEM;
    }
    while (out.pos < out.size) {
        size_t before_in = in.pos, before_out = out.pos;

        r = ZSTD_decompressStream(ctx, &out, &in);
        if (ZSTD_isError(r) || (in.pos == before_in && out.pos == before_out)) {
            break;
        }
    }
    ZSTD_freeDCtx(ctx);
    return out.pos == out.size ? 0 : -EIO;
}

static int64_t unpack_job(void *opaque)
{
    const CodecJob *job = opaque;

    return job->type == QCOW2_ZSTD ? unpack_zstd(job) : unpack_zlib(job);
}

static int64_t pack_zlib(const CodecJob *job)
{
    z_stream z = {.next_in = (Bytef *)job->in,
                  .avail_in = (uInt)job->in_len,
                  .next_out = job->out,
                  .avail_out = (uInt)job->out_len};
    int r;

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return -ENOMEM;
    }
    r = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return r == Z_STREAM_END ? (int64_t)(job->out_len - z.avail_out) : -ENOTSUP;
}

static int64_t pack_job(void *opaque)
{
    const CodecJob *job = opaque;
    size_t r;

    if (job->type != QCOW2_ZSTD) {
        return pack_zlib(job);
    }
    r = ZSTD_compress(job->out, job->out_len, job->in, job->in_len, ZSTD_CLEVEL_DEFAULT);
    return ZSTD_isError(r) ? -ENOTSUP : (int64_t)r;
}

/* ---- the unpacked clusters kept ---- */

static void unpacked_free(gpointer data)
{
    Unpacked *u = data;

    free(u->data);
    g_free(u);
}

static Unpacked *find_unpacked(Qcow2 *s, uint64_t host)
{
    for (guint i = 0; s->unpacked && i < s->unpacked->len; i++) {
        Unpacked *u = g_ptr_array_index(s->unpacked, i);

        if (u->host == host) {
            return u;
        }
    }
    return NULL;
}

/* Takes over DATA. */
static void keep_unpacked(Qcow2 *s, uint64_t host, void *data)
{
    guint max = MAX(1u, MIN(UNPACKED_MAX, (guint)(UNPACKED_BYTES >> s->cluster_bits)));
    Unpacked *u;

    if (!s->unpacked) {
        s->unpacked = g_ptr_array_new_with_free_func(unpacked_free);
    }
    if (find_unpacked(s, host)) {
        free(data);
        return;
    }
    if (s->unpacked->len >= max) {
        g_ptr_array_remove_index(s->unpacked, 0);
    }
    u = g_new(Unpacked, 1);
    u->host = host;
    u->data = data;
    g_ptr_array_add(s->unpacked, u);
}

void qcow2_forget_unpacked(Qcow2 *s)
{
    if (s->unpacked) {
        g_ptr_array_set_size(s->unpacked, 0);
    }
}

int qcow2_co_read_compressed(Qcow2 *s, const Qcow2Map *map, uint64_t skip, const struct iovec *iov,
                             int iovcnt, uint64_t iov_skip, uint64_t bytes)
{
    Unpacked *u = find_unpacked(s, map->host);
    void *packed, *data;
    CodecJob job;
    int r;

    if (u) {
        iov_from_buf(iov, iovcnt, iov_skip, (char *)u->data + skip, bytes);
        return 0;
    }
    packed = block_buffer_new(map->csize);
    data = block_buffer_new(s->cluster_size);
    r = block_co_read_buf(s->file, map->host, packed, map->csize);
    if (r == 0) {
        job = (CodecJob){(Qcow2Compression)s->h.compression, packed, map->csize, data,
                         s->cluster_size};
        r = (int)io_co_blocking(unpack_job, &job);
    }
    free(packed);
    if (r < 0) {
        free(data);
        return r;
    }
    iov_from_buf(iov, iovcnt, iov_skip, (char *)data + skip, bytes);
    keep_unpacked(s, map->host, data);
    return 0;
}

/* ---- writing ---- */

static int store_packed(Qcow2 *s, uint64_t offset, const void *packed, uint64_t size)
{
    unsigned shift = 62 - (s->cluster_bits - 8);
    uint64_t host = 0, entry, sectors;
    Qcow2Alloc alloc;
    int r;

    while (qcow2_co_wait_allocs(s, offset, offset + s->cluster_size)) {
    }
    qcow2_alloc_begin(s, &alloc, offset, offset + s->cluster_size);
    co_mutex_lock(&s->lock);
    r = qcow2_co_alloc_bytes(s, size, &host);
    co_mutex_unlock(&s->lock);
    if (r < 0) {
        goto out;
    }
    sectors = ((host + size - 1) >> 9) - (host >> 9);
    entry = host | sectors << shift | QCOW2_OFLAG_COMPRESSED;
    r = host >> shift ? -EFBIG : block_co_write_buf(s->file, host, packed, size);
    co_mutex_lock(&s->lock);
    if (r == 0) {
        r = qcow2_co_set_entries(s, offset, 1, entry, 0);
    }
    if (r < 0) {
        qcow2_co_ref_down(s, host, size);
    }
    co_mutex_unlock(&s->lock);
out:
    qcow2_alloc_end(s, &alloc);
    return r;
}

int qcow2_co_write_compressed(BlockNode *n, uint64_t offset, const void *buf, uint64_t bytes)
{
    Qcow2 *s = n->state;
    g_autofree void *padded = NULL;
    void *packed;
    CodecJob job;
    int64_t size;
    int r;

    if (n->read_only) {
        return -EPERM;
    }
    if (s->corrupt) {
        return -EIO;
    }
    if (offset & (s->cluster_size - 1) || bytes > s->cluster_size ||
        offset + bytes > block_node_length(n)) {
        return -EINVAL;
    }
    if (bytes < s->cluster_size) {
        padded = g_malloc0(s->cluster_size);
        memcpy(padded, buf, bytes);
        buf = padded;
    }
    packed = block_buffer_new(s->cluster_size);
    job = (CodecJob){(Qcow2Compression)s->h.compression, buf, s->cluster_size, packed,
                     s->cluster_size - 1};
    size = io_co_blocking(pack_job, &job);
    r = size < 0 ? (int)size : store_packed(s, offset, packed, (uint64_t)size);
    free(packed);
    return r;
}
