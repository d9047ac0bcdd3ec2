/*
 * emu-img resize.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/img.h"

typedef struct ResizeOptions {
    ImgOpen how;
    int prealloc;
    bool quiet, shrink;
} ResizeOptions;

static int reserve(BlockNode *n, const ResizeOptions *o, uint64_t old, uint64_t size)
{
    int r = 0;

    if (n->drv == &block_driver_qcow2) {
        uint64_t start = (old + ((const Qcow2 *)n->state)->cluster_size - 1) &
                         ~((uint64_t)((const Qcow2 *)n->state)->cluster_size - 1);

        r = start < size ? qcow2_co_preallocate(n, start, size - start) : 0;
        if (r == 0 && o->prealloc != QCOW2_PREALLOC_METADATA) {
            r = block_co_file_allocate(n->file, 0, block_node_length(n->file));
        }
    } else if (o->prealloc == QCOW2_PREALLOC_FALLOC) {
        r = block_co_file_allocate(n->file, old, size - old);
    }
    if (r == 0 && o->prealloc == QCOW2_PREALLOC_FULL) {
        size_t chunk;
        const void *zero = block_zero_buffer(&chunk);

        for (uint64_t at = old; r == 0 && at < size; at += chunk) {
            r = block_co_write_buf(n, at, zero, MIN(chunk, size - at));
        }
    }
    return r;
}

/* The new size from TEXT, which may be relative; false after reporting. */
static bool parse_target(const char *text, uint64_t old, uint64_t *size)
{
    char sign = *text == '+' || *text == '-' ? *text : 0;
    uint64_t n;

    if (!parse_size(text + (sign != 0), 1, &n) || n > BLOCK_MAX_LENGTH) {
        img_error("Invalid image size '%s'; a number, or +/- a number, with k, M, G, T, P or E",
                  text);
        return false;
    }
    if (sign == '-' && n > old) {
        img_error("New image size must be positive");
        return false;
    }
    *size = sign == '+' ? old + n : sign == '-' ? old - n : n;
    *size = (*size + 511) & ~(uint64_t)511;
    if (*size > BLOCK_MAX_LENGTH) {
        img_error("The image size is too large");
        return false;
    }
    return true;
}

static int resize_image(BlockNode *n, const char *text, const ResizeOptions *o)
{
    uint64_t old = block_node_length(n), size;
    GError *err = NULL;
    int r;

    if (!parse_target(text, old, &size)) {
        return 1;
    }
    if (size < old && !o->shrink) {
        img_error(
            "Shrinking an image deletes all data beyond its new end; use the --shrink option to "
            "perform a shrink operation");
        return 1;
    }
    if (size <= old && o->prealloc) {
        img_error("Preallocation can only be used for growing images");
        return 1;
    }
    if (block_co_truncate(n, size, &err) < 0) {
        return img_fail(err, 1);
    }
    if (o->prealloc) {
        r = reserve(n, o, old, size);
        if (r < 0) {
            img_error("Could not preallocate: %s", g_strerror(-r));
            return 1;
        }
    }
    r = block_co_flush(n);
    if (r < 0) {
        img_error("Could not flush: %s", g_strerror(-r));
        return 1;
    }
    if (!o->quiet) {
        printf("Image resized.\n");
    }
    return 0;
}

static bool parse_prealloc(const char *text, int *out)
{
    static const char *const names[] = {"off", "metadata", "falloc", "full"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (int)i;
            return true;
        }
    }
    img_error("Invalid preallocation mode '%s'; use off, metadata, falloc or full", text);
    return false;
}

static int resize_run(int argc, char **argv)
{
    enum { OPT_SHRINK = 256, OPT_PREALLOC };
    static const struct option longopts[] = {
        {"help", no_argument, NULL, 'h'},
        {"format", required_argument, NULL, 'f'},
        {"shrink", no_argument, NULL, OPT_SHRINK},
        {"preallocation", required_argument, NULL, OPT_PREALLOC},
        {NULL, 0, NULL, 0}};
    ResizeOptions o = {.how = {.writable = true}};
    const char *size;
    BlockNode *n;
    int opt, status;

    /* "-1G" at the end is a size, not options. */
    if (argc < 3) {
        return img_usage(&img_resize_command, "expecting an image file name and a size");
    }
    size = argv[--argc];
    while ((opt = getopt_long(argc, argv, ":hf:q", longopts, NULL)) != -1) {
        switch (opt) {
        case 'h':
            printf("usage: emu-img resize %s\n", img_resize_command.synopsis);
            return 0;
        case 'f':
            o.how.format = optarg;
            break;
        case 'q':
            o.quiet = true;
            break;
        case OPT_SHRINK:
            o.shrink = true;
            break;
        case OPT_PREALLOC:
            if (!parse_prealloc(optarg, &o.prealloc)) {
                return 1;
            }
            break;
        default:
            return img_usage(&img_resize_command, "unknown option or missing argument '%s'",
                             argv[optind - 1]);
        }
    }
    if (optind != argc - 1) {
        return img_usage(&img_resize_command, "expecting an image file name and a size");
    }
    n = img_open(argv[optind], &o.how);
    if (!n) {
        return 1;
    }
    status = resize_image(n, size, &o);
    block_co_unref(n);
    return status;
}

const ImgCommand img_resize_command = {
    "resize",
    "[-f FMT] [--preallocation=MODE] [-q] [--shrink] FILENAME [+|-]SIZE",
    resize_run,
};
