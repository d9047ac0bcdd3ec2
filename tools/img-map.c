/*
 * emu-img map: which part of the disk comes from which file.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/img.h"

typedef struct MapEntry {
    uint64_t start, length;
    BlockExtent e;
    unsigned depth;
    const char *file;
} MapEntry;

static bool can_merge(const MapEntry *a, const MapEntry *b)
{
    return a->depth == b->depth && a->e.present == b->e.present && a->e.zero == b->e.zero &&
           a->e.data == b->e.data && a->e.compressed == b->e.compressed &&
           a->e.offset_valid == b->e.offset_valid &&
           (!a->e.offset_valid || a->e.host_offset + a->length == b->e.host_offset) &&
           a->file == b->file;
}

static bool print_entry(const MapEntry *m, bool json, bool *first)
{
    const BlockExtent *e = &m->e;

    if (json) {
        printf("%s{ \"start\": %" G_GUINT64_FORMAT ", \"length\": %" G_GUINT64_FORMAT
               ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
               *first ? "[" : ",\n", m->start, m->length, m->depth, e->present ? "true" : "false",
               e->zero ? "true" : "false", e->data ? "true" : "false");
        if (e->offset_valid) {
            printf(", \"offset\": %" G_GUINT64_FORMAT, e->host_offset);
        }
        printf("}");
        *first = false;
        return true;
    }
    if (!e->data || e->zero) {
        return true;
    }
    if (!e->offset_valid) {
        img_error("File contains external, encrypted or compressed clusters.");
        return false;
    }
    printf("%#-16" G_GINT64_MODIFIER "x%#-16" G_GINT64_MODIFIER "x%#-16" G_GINT64_MODIFIER "x%s\n",
           m->start, m->length, e->host_offset, m->file);
    return true;
}

typedef struct MapOptions {
    ImgOpen how;
    bool json;
    uint64_t start, max;
} MapOptions;

static int map_image(BlockNode *n, const char *filename, const MapOptions *o)
{
    uint64_t length = block_node_length(n), at = MIN(o->start, length);
    uint64_t end = o->max < length - at ? at + o->max : length;
    MapEntry run = {0}, next;
    bool first = true, ok = true;

    if (!o->json) {
        printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
    }
    while (ok && at < end) {
        BlockNode *owner;
        int r;

        memset(&next, 0, sizeof(next));
        r = block_co_status_chain(n, at, end - at, &next.e, &next.depth, &owner);
        if (r < 0) {
            img_error("Failed to read image metadata: %s", g_strerror(-r));
            return 1;
        }
        next.start = at;
        next.length = next.e.bytes;
        next.file = owner == n ? filename : owner->filename;
        at += next.length;
        if (run.length && can_merge(&run, &next)) {
            run.length += next.length;
            continue;
        }
        ok = !run.length || print_entry(&run, o->json, &first);
        run = next;
    }
    ok = ok && (!run.length || print_entry(&run, o->json, &first));
    if (o->json) {
        printf("%s]\n", first ? "[" : "");
    }
    return ok ? 0 : 1;
}

static int map_run(int argc, char **argv)
{
    enum { OPT_OUTPUT = 256 };
    static const struct option longopts[] = {{"help", no_argument, NULL, 'h'},
                                             {"format", required_argument, NULL, 'f'},
                                             {"output", required_argument, NULL, OPT_OUTPUT},
                                             {"force-share", no_argument, NULL, 'U'},
                                             {"start-offset", required_argument, NULL, 's'},
                                             {"max-length", required_argument, NULL, 'l'},
                                             {NULL, 0, NULL, 0}};
    MapOptions o = {.how = {.quiet = true}, .max = UINT64_MAX};
    BlockNode *n;
    int opt, status;

    while ((opt = getopt_long(argc, argv, ":hf:Us:l:", longopts, NULL)) != -1) {
        switch (opt) {
        case 'h':
            printf("usage: emu-img map %s\n", img_map_command.synopsis);
            return 0;
        case 'f':
            o.how.format = optarg;
            break;
        case 'U':
            o.how.force_share = true;
            break;
        case 's':
        case 'l':
            if (!parse_size(optarg, 1, opt == 's' ? &o.start : &o.max)) {
                return img_usage(&img_map_command, "invalid size '%s'", optarg);
            }
            break;
        case OPT_OUTPUT:
            if (!img_parse_output(optarg, &o.json)) {
                return 1;
            }
            break;
        default:
            return img_usage(&img_map_command, "unknown option or missing argument '%s'",
                             argv[optind - 1]);
        }
    }
    if (optind != argc - 1) {
        return img_usage(&img_map_command, "expecting one image file name");
    }
    n = img_open(argv[optind], &o.how);
    if (!n) {
        return 1;
    }
    status = map_image(n, argv[optind], &o);
    block_co_unref(n);
    return status;
}

const ImgCommand img_map_command = {
    "map",
    "[-f FMT] [--start-offset=OFFSET] [--max-length=LEN] [--output=human|json] [-U] FILENAME",
    map_run,
};
