/*
 * emu-img compare.
 *
 * Exit status: 0 the same content, 1 different, 2 an image could not be opened, 3 its layout and 4
 * its content could not be read. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/img.h"

#define CHUNK ((uint64_t)1 << 20)

typedef struct Compare {
    BlockNode *n[2];
    const char *name[2];
    void *buf[2];
    bool strict, quiet;
    ImgProgress progress;
} Compare;

static int differ(Compare *c, const char *format, uint64_t offset)
{
    if (!c->quiet) {
        /* FORMAT is one of this file's literals with one offset. */
        g_autofree char *at = g_strdup_printf("%" G_GUINT64_FORMAT, offset);

        printf(format, at);
        printf("\n");
    }
    return 1;
}

static int read_side(Compare *c, int side, uint64_t offset, uint64_t len)
{
    int r = block_co_read_buf(c->n[side], offset, c->buf[side], len);

    if (r < 0) {
        img_error("Error while reading offset %" G_GUINT64_FORMAT " of %s: %s", offset,
                  c->name[side], g_strerror(-r));
        return 4;
    }
    return 0;
}

/* The first byte of LEN at which the two differ; LEN if none. */
static uint64_t mismatch(const uint8_t *a, const uint8_t *b, uint64_t len)
{
    uint64_t i = 0;

    if (memcmp(a, b, len) == 0) {
        return len;
    }
    while (a[i] == b[i]) {
        i++;
    }
    return i;
}

static int compare_data(Compare *c, uint64_t offset, uint64_t len, bool zero0, bool zero1)
{
    uint64_t at;
    int status = 0;

    for (int i = 0; i < 2 && status == 0; i++) {
        if (i == 0 ? zero0 : zero1) {
            memset(c->buf[i], 0, len);
        } else {
            status = read_side(c, i, offset, len);
        }
    }
    if (status) {
        return status;
    }
    at = mismatch(c->buf[0], c->buf[1], len);
    if (at < len) {
        return differ(c, "Content mismatch at offset %s!", (offset + at) & ~(uint64_t)511);
    }
    return 0;
}

/* [OFFSET, END) of both. */
static int compare_common(Compare *c, uint64_t end)
{
    uint64_t offset = 0;

    while (offset < end) {
        BlockExtent e[2];
        uint64_t len = end - offset;
        int status;

        for (int i = 0; i < 2; i++) {
            int r = block_co_status_chain(c->n[i], offset, len, &e[i], NULL, NULL);

            if (r < 0) {
                img_error("Sector allocation test failed for %s: %s", c->name[i], g_strerror(-r));
                return 3;
            }
            len = MIN(len, e[i].bytes);
        }
        if (c->strict && (e[0].data != e[1].data || e[0].zero != e[1].zero)) {
            return differ(c, "Strict mode: Offset %s block status mismatch!", offset);
        }
        if (!e[0].zero || !e[1].zero) {
            len = MIN(len, CHUNK);
            status = compare_data(c, offset, len, e[0].zero, e[1].zero);
            if (status) {
                return status;
            }
        }
        offset += len;
        img_progress(&c->progress, (double)offset / (double)end);
    }
    return 0;
}

/* What image SIDE has beyond the other's end must be zeroes. */
static int compare_rest(Compare *c, int side, uint64_t offset)
{
    uint64_t end = block_node_length(c->n[side]);

    while (offset < end) {
        BlockExtent e;
        uint64_t len;
        int r = block_co_status_chain(c->n[side], offset, end - offset, &e, NULL, NULL), status;

        if (r < 0) {
            img_error("Sector allocation test failed for %s: %s", c->name[side], g_strerror(-r));
            return 3;
        }
        len = e.bytes;
        if (!e.zero) {
            len = MIN(len, CHUNK);
            status = compare_data(c, offset, len, side == 1, side == 0);
            if (status) {
                return status;
            }
        }
        offset += len;
    }
    return 0;
}

static int compare_images(Compare *c)
{
    uint64_t a = block_node_length(c->n[0]), b = block_node_length(c->n[1]);
    int status;

    if (a != b && c->strict) {
        if (!c->quiet) {
            printf("Strict mode: Image size mismatch!\n");
        }
        return 1;
    }
    c->buf[0] = block_buffer_new(CHUNK);
    c->buf[1] = block_buffer_new(CHUNK);
    status = compare_common(c, MIN(a, b));
    if (status == 0 && a != b) {
        if (!c->quiet) {
            printf("Warning: Image size mismatch!\n");
        }
        status = compare_rest(c, a > b ? 0 : 1, MIN(a, b));
    }
    img_progress_end(&c->progress);
    if (status == 0 && !c->quiet) {
        printf("Images are identical.\n");
    }
    free(c->buf[0]);
    free(c->buf[1]);
    return status;
}

static int compare_run(int argc, char **argv)
{
    static const struct option longopts[] = {{"help", no_argument, NULL, 'h'},
                                             {"force-share", no_argument, NULL, 'U'},
                                             {NULL, 0, NULL, 0}};
    ImgOpen how[2] = {{.quiet = true}, {.quiet = true}};
    Compare c = {.progress.last = -1};
    int opt, status = 2;

    while ((opt = getopt_long(argc, argv, ":hf:F:T:pqsU", longopts, NULL)) != -1) {
        switch (opt) {
        case 'h':
            printf("usage: emu-img compare %s\n", img_compare_command.synopsis);
            return 0;
        case 'f':
            how[0].format = optarg;
            break;
        case 'F':
            how[1].format = optarg;
            break;
        case 'T':
            how[0].cache = how[1].cache = optarg;
            break;
        case 'p':
            c.progress.on = true;
            break;
        case 'q':
            c.quiet = true;
            break;
        case 's':
            c.strict = true;
            break;
        case 'U':
            how[0].force_share = how[1].force_share = true;
            break;
        default:
            img_usage(&img_compare_command, "unknown option or missing argument '%s'",
                      argv[optind - 1]);
            return 2;
        }
    }
    if (optind != argc - 2) {
        img_usage(&img_compare_command, "expecting two image file names");
        return 2;
    }
    c.progress.on = c.progress.on && !c.quiet;
    for (int i = 0; i < 2; i++) {
        c.name[i] = argv[optind + i];
        c.n[i] = img_open(c.name[i], &how[i]);
    }
    if (c.n[0] && c.n[1]) {
        status = compare_images(&c);
    }
    block_co_unref(c.n[0]);
    block_co_unref(c.n[1]);
    return status;
}

const ImgCommand img_compare_command = {
    "compare",
    "[-f FMT] [-F FMT] [-T SRC_CACHE] [-p] [-q] [-s] [-U] FILENAME1 FILENAME2",
    compare_run,
};
