/*
 * emu-img convert.
 *
 * Several coroutines take turns at one cursor: whoever holds it asks the source what comes next,
 * takes a piece, and moves on to reading, looking for zeroes and writing it while the next one
 * asks. Only what is data is read, and of that only what is not zero is written. Pieces are aligned
 * to the target's clusters, so no cluster is written in parts. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/img.h"

#define PIECE ((uint64_t)2 << 20)
enum { MAX_WORKERS = 16, DEFAULT_WORKERS = 8 };

typedef struct Convert {
    BlockNode **src;
    char **src_name;
    int sources;
    BlockNode *target;
    ImgCreate create;
    bool compress, no_create, quiet, target_is_zero, zero_known;
    uint64_t sparse; /* shortest run of zeroes that is not written; 0: write everything */
    uint64_t align;  /* of pieces */
    unsigned workers;
    ImgProgress progress;

    uint64_t total, cursor, done;
    CoMutex cursor_lock;
    unsigned running;
    Coroutine *main;
    int error;
    uint64_t error_offset;
    const char *error_verb;
} Convert;

typedef enum PieceKind { PIECE_DATA, PIECE_ZERO, PIECE_SKIP } PieceKind;

/* The source that has byte AT of all, and where its own byte 0 is. */
static BlockNode *source_at(const Convert *c, uint64_t at, uint64_t *base)
{
    *base = 0;
    for (int i = 0; i < c->sources; i++) {
        uint64_t len = block_node_length(c->src[i]);

        if (at - *base < len) {
            return c->src[i];
        }
        *base += len;
    }
    return NULL;
}

static int read_sources(Convert *c, uint64_t offset, void *buf, uint64_t bytes)
{
    int r = 0;

    while (r == 0 && bytes > 0) {
        uint64_t base, len;
        BlockNode *n = source_at(c, offset, &base);

        len = MIN(bytes, base + block_node_length(n) - offset);
        r = block_co_read_buf(n, offset - base, buf, len);
        offset += len;
        buf = (char *)buf + len;
        bytes -= len;
    }
    return r;
}

static bool same_file(const BlockNode *a, const BlockNode *b)
{
    while (a && a->file) {
        a = a->file;
    }
    while (b && b->file) {
        b = b->file;
    }
    return a && b && a->ino && a->ino == b->ino && a->dev == b->dev;
}

/* What the extent at OFFSET is, as far as the target is concerned. */
static int classify(Convert *c, uint64_t offset, uint64_t *bytes, PieceKind *kind)
{
    uint64_t base;
    BlockNode *n = source_at(c, offset, &base), *backing = c->target->backing;
    uint64_t at = offset - base, len = block_node_length(n) - at;
    BlockExtent e;
    int r;

    /* Down the chain, but not into what the target has as its backing file, too. */
    for (;;) {
        r = block_co_status(n, at, len, &e);
        if (r < 0 || e.present) {
            break;
        }
        len = e.bytes;
        if (backing && n->backing && c->sources == 1 && same_file(n->backing, backing)) {
            *bytes = len;
            *kind = PIECE_SKIP;
            return 0;
        }
        if (!n->backing) {
            e.zero = true;
            break;
        }
        n = n->backing;
    }
    *bytes = e.bytes;
    *kind = e.zero ? PIECE_ZERO : PIECE_DATA;
    return r;
}

/* The next piece; false at the end. Pieces start at multiples of c->align. */
static bool next_piece(Convert *c, uint64_t *offset, uint64_t *bytes, PieceKind *kind)
{
    uint64_t left, len = 0;
    int r = 0;

    co_mutex_lock(&c->cursor_lock);
    left = c->total - c->cursor;
    if (left == 0 || c->error) {
        co_mutex_unlock(&c->cursor_lock);
        return false;
    }
    *offset = c->cursor;
    *kind = PIECE_DATA;
    if (c->sparse > 0) {
        r = classify(c, c->cursor, &len, kind);
    } else {
        len = left;
    }
    if (r < 0) {
        c->error = r;
        c->error_offset = c->cursor;
        c->error_verb = "reading the layout at";
    }
    len = MIN(len, left);
    if (*kind != PIECE_DATA && len < left) {
        len &= ~(c->align - 1);
        if (len == 0) { /* zeroes in a part of a cluster */
            *kind = PIECE_DATA;
            len = c->align;
        }
    } else if (*kind == PIECE_DATA) {
        len = (MIN(len, MAX(PIECE, c->align)) + c->align - 1) & ~(c->align - 1);
    }
    *bytes = MIN(len, left);
    c->cursor += *bytes;
    co_mutex_unlock(&c->cursor_lock);
    return r == 0;
}

static int write_zeroes(Convert *c, uint64_t offset, uint64_t bytes)
{
    return c->zero_known ? 0 : block_co_write_zeroes(c->target, offset, bytes, BLOCK_REQ_UNMAP);
}

/* Length of the run at the start of BUF that is all zero or all data in steps of STEP. */
static uint64_t run_length(const uint8_t *buf, uint64_t bytes, uint64_t step, bool *zero)
{
    uint64_t at = 0;

    while (at < bytes) {
        uint64_t len = MIN(step, bytes - at);
        bool z = buffer_is_zero(buf + at, len);

        if (at == 0) {
            *zero = z;
        } else if (z != *zero) {
            break;
        }
        at += len;
    }
    return at;
}

static int write_sparse(Convert *c, uint64_t offset, const uint8_t *buf, uint64_t bytes)
{
    uint64_t step = c->sparse ? MAX(c->sparse, c->align) : bytes;
    int r = 0;

    while (r == 0 && bytes > 0) {
        bool zero = false;
        uint64_t len = c->sparse ? run_length(buf, bytes, step, &zero) : bytes;

        r = zero ? write_zeroes(c, offset, len) : block_co_write_buf(c->target, offset, buf, len);
        offset += len;
        buf += len;
        bytes -= len;
    }
    return r;
}

static int write_compressed(Convert *c, uint64_t offset, const uint8_t *buf, uint64_t bytes)
{
    int r = 0;

    while (r == 0 && bytes > 0) {
        uint64_t len = MIN(bytes, c->align);

        if (c->sparse && buffer_is_zero(buf, len)) {
            r = write_zeroes(c, offset, len);
        } else {
            r = c->target->drv->co_write_compressed(c->target, offset, buf, len);
            if (r == -ENOTSUP) { /* does not get smaller */
                r = block_co_write_buf(c->target, offset, buf, len);
            }
        }
        offset += len;
        buf += len;
        bytes -= len;
    }
    return r;
}

static int copy_data(Convert *c, uint64_t offset, uint64_t bytes, void *buf)
{
    int r = read_sources(c, offset, buf, bytes);

    if (r < 0) {
        c->error_verb = "reading";
        return r;
    }
    r = c->compress ? write_compressed(c, offset, buf, bytes) : write_sparse(c, offset, buf, bytes);
    if (r < 0) {
        c->error_verb = "writing";
    }
    return r;
}

static void worker(void *opaque)
{
    Convert *c = opaque;
    void *buf = block_buffer_new(MAX(PIECE, c->align));
    uint64_t offset, bytes;
    PieceKind kind;

    while (next_piece(c, &offset, &bytes, &kind)) {
        int r = 0;

        if (kind == PIECE_DATA) {
            r = copy_data(c, offset, bytes, buf);
        } else if (kind == PIECE_ZERO) {
            r = write_zeroes(c, offset, bytes);
            if (r < 0) {
                c->error_verb = "writing";
            }
        }
        if (r < 0 && !c->error) {
            c->error = r;
            c->error_offset = offset;
        }
        c->done += bytes;
        img_progress(&c->progress, (double)c->done / (double)c->total);
    }
    free(buf);
    if (--c->running == 0) {
        coroutine_wake(c->main);
    }
}

static int copy_all(Convert *c)
{
    int r;

    c->main = coroutine_self();
    c->running = c->workers;
    for (unsigned i = 0; i < c->workers; i++) {
        io_thread_spawn(img_thread(), worker, c);
    }
    coroutine_yield();
    if (c->error) {
        img_error("error while %s byte %" G_GUINT64_FORMAT ": %s", c->error_verb, c->error_offset,
                  g_strerror(-c->error));
        return 1;
    }
    r = block_co_flush(c->target);
    if (r < 0) {
        img_error("error while flushing the target: %s", g_strerror(-r));
        return 1;
    }
    img_progress_end(&c->progress);
    return 0;
}

/* ---- setting up ---- */

static bool make_target(Convert *c, const char *filename, ImgOpen *how)
{
    GError *err = NULL;

    if (!c->no_create) {
        if (!c->create.has_size) {
            c->create.qcow2.size = c->total;
            c->create.has_size = true;
        }
        if (c->create.qcow2.size < c->total) {
            img_error("The given size is smaller than the source (%" G_GUINT64_FORMAT " bytes)",
                      c->total);
            return false;
        }
        if (!img_create_prepare(&c->create, &err) || !img_create_run(&c->create, &err)) {
            img_error("%s: error while converting %s: %s", filename, c->create.format,
                      err->message);
            g_error_free(err);
            return false;
        }
    }
    how->writable = how->unmap = how->quiet = true;
    c->target = img_open(filename, how);
    if (!c->target) {
        return false;
    }
    if (block_node_length(c->target) < c->total) {
        img_error("The target is smaller (%" G_GUINT64_FORMAT
                  " bytes) than the source (%" G_GUINT64_FORMAT " bytes)",
                  block_node_length(c->target), c->total);
        return false;
    }
    return true;
}

static bool plan(Convert *c)
{
    BlockNodeInfo info = {0};

    if (c->target->drv->get_info) {
        c->target->drv->get_info(c->target, &info);
    }
    if (c->compress && !c->target->drv->co_write_compressed) {
        img_error("Compression not supported for this file format");
        return false;
    }
    if (c->compress && c->create.qcow2.preallocation != QCOW2_PREALLOC_OFF) {
        img_error("Compression and preallocation not supported at the same time");
        return false;
    }
    c->align = MAX(info.cluster_size, BLOCK_SECTOR_SIZE);
    /* A new file without a backing is zeroes already; on a block device that is not so. */
    c->zero_known = c->target_is_zero || (!c->no_create && !c->target->backing &&
                                          (info.cluster_size || c->target->file->ino));
    if (c->sparse == 0) {
        c->zero_known = false;
    }
    return true;
}

static bool open_sources(Convert *c, char **names, int count, ImgOpen *how)
{
    c->src = g_new0(BlockNode *, count);
    c->src_name = names;
    how->quiet = true;
    for (int i = 0; i < count; i++) {
        c->src[i] = img_open(names[i], how);
        if (!c->src[i]) {
            return false;
        }
        c->sources++;
        c->total += block_node_length(c->src[i]);
    }
    return true;
}

typedef struct ConvertOptions {
    ImgOpen src, dst;
    const char *format, *backing, *backing_format;
    GPtrArray *lists;
} ConvertOptions;

static bool parse_sparse(Convert *c, const char *text)
{
    uint64_t size;

    if (!parse_size(text, 1, &size) || size > PIECE || size & 511 || size & (size - 1)) {
        img_error("Invalid buffer size for sparse output '%s'; a power of two from 512 to 2M, or 0",
                  text);
        return false;
    }
    c->sparse = size;
    return true;
}

static bool parse_workers(Convert *c, const char *text)
{
    uint64_t n;

    if (!parse_uint(text, MAX_WORKERS, &n) || n == 0) {
        img_error("Invalid number of coroutines '%s'; 1 to %d", text, MAX_WORKERS);
        return false;
    }
    c->workers = (unsigned)n;
    return true;
}

/* -1: go on, else the exit status. */
static int parse_options(Convert *c, ConvertOptions *o, int argc, char **argv)
{
    enum { OPT_TARGET_ZERO = 256 };
    static const struct option longopts[] = {{"help", no_argument, NULL, 'h'},
                                             {"force-share", no_argument, NULL, 'U'},
                                             {"target-is-zero", no_argument, NULL, OPT_TARGET_ZERO},
                                             {NULL, 0, NULL, 0}};
    int opt;

    while ((opt = getopt_long(argc, argv, ":hf:O:B:b:F:cpqno:S:t:T:m:WU", longopts, NULL)) != -1) {
        switch (opt) {
        case 'h':
            printf("usage: emu-img convert %s\n", img_convert_command.synopsis);
            return 0;
        case 'f':
            o->src.format = optarg;
            break;
        case 'O':
            o->format = optarg;
            break;
        case 'B':
        case 'b':
            o->backing = optarg;
            break;
        case 'F':
            o->backing_format = optarg;
            break;
        case 'c':
            c->compress = true;
            break;
        case 'p':
            c->progress.on = true;
            break;
        case 'q':
            c->quiet = true;
            break;
        case 'n':
            c->no_create = true;
            break;
        case 'o':
            g_ptr_array_add(o->lists, optarg);
            break;
        case 'S':
            if (!parse_sparse(c, optarg)) {
                return 1;
            }
            break;
        case 't':
            o->dst.cache = optarg;
            break;
        case 'T':
            o->src.cache = optarg;
            break;
        case 'm':
            if (!parse_workers(c, optarg)) {
                return 1;
            }
            break;
        case 'W': /* the order of writing is free in any case */
            break;
        case 'U':
            o->src.force_share = true;
            break;
        case OPT_TARGET_ZERO:
            c->target_is_zero = true;
            break;
        default:
            return img_usage(&img_convert_command, "unknown option or missing argument '%s'",
                             argv[optind - 1]);
        }
    }
    return -1;
}

static int convert(Convert *c, ConvertOptions *o, int argc, char **argv)
{
    const char *filename = argv[argc - 1];
    GError *err = NULL;
    bool help = false;

    img_create_init(&c->create, filename, o->format);
    c->create.backing_file = g_strdup(o->backing);
    c->create.backing_format = g_strdup(o->backing_format);
    for (guint i = 0; i < o->lists->len; i++) {
        if (!img_create_options(&c->create, g_ptr_array_index(o->lists, i), &help, &err)) {
            return img_fail(err, 1);
        }
        if (help) {
            return 0;
        }
    }
    if (argc - optind < 2) {
        return img_usage(&img_convert_command, "expecting a source and a target file name");
    }
    if (c->no_create && (o->lists->len || c->create.backing_file)) {
        return img_usage(&img_convert_command, "-o and -B say how to create, -n says not to");
    }
    if (c->target_is_zero && !c->no_create) {
        return img_usage(&img_convert_command, "--target-is-zero requires -n");
    }
    if (c->compress && strcmp(o->format, "raw") == 0) {
        img_error("Compression not supported for this file format");
        return 1;
    }
    if (!open_sources(c, argv + optind, argc - optind - 1, &o->src)) {
        return 1;
    }
    o->dst.format = o->format;
    if (!make_target(c, filename, &o->dst) || !plan(c)) {
        return 1;
    }
    return copy_all(c);
}

static int convert_run(int argc, char **argv)
{
    Convert c = {.sparse = 4096, .workers = DEFAULT_WORKERS, .progress.last = -1};
    ConvertOptions o = {.format = "raw", .dst.cache = "unsafe", .lists = g_ptr_array_new()};
    int status = parse_options(&c, &o, argc, argv);

    c.progress.on = c.progress.on && !c.quiet;
    if (status < 0) {
        status = convert(&c, &o, argc, argv);
    }
    block_co_unref(c.target);
    for (int i = 0; i < c.sources; i++) {
        block_co_unref(c.src[i]);
    }
    g_free(c.src);
    img_create_clear(&c.create);
    g_ptr_array_free(o.lists, TRUE);
    return status;
}

const ImgCommand img_convert_command = {
    "convert",
    "[-f FMT] [-O OUTPUT_FMT] [-c] [-p] [-q] [-n [--target-is-zero]] [-B BACKING_FILE -F "
    "BACKING_FMT] "
    "[-o OPTIONS] [-S SPARSE_SIZE] [-t CACHE] [-T SRC_CACHE] [-m COROUTINES] [-W] [-U] FILENAME... "
    "OUTPUT_FILENAME",
    convert_run,
};
