/*
 * emu-img info.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/img.h"

static void print_snapshots(const Qcow2 *q)
{
    if (q->h.snapshot_count == 0) {
        return;
    }
    printf("Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
           "VM CLOCK", "ICOUNT");
    for (uint32_t i = 0; i < q->h.snapshot_count; i++) {
        const Qcow2Snapshot *sn = &q->snapshots[i];
        g_autofree char *size = img_human_size(sn->vm_state_size), *icount = NULL, *clock = NULL;
        time_t date = sn->date_sec;
        uint64_t secs = sn->vm_clock_ns / 1000000000;
        char when[64] = "";
        struct tm tm;

        if (localtime_r(&date, &tm)) {
            strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        }
        clock = g_strdup_printf("%02d:%02d:%02d.%03d", (int)(secs / 3600), (int)(secs / 60 % 60),
                                (int)(secs % 60), (int)(sn->vm_clock_ns / 1000000 % 1000));
        if (sn->icount != UINT64_MAX) {
            icount = g_strdup_printf("%" G_GUINT64_FORMAT, sn->icount);
        }
        printf("%-9s %-16s %8s%20s%13s%11s\n", sn->id, sn->name, size, when, clock,
               icount ? icount : "");
    }
}

static void print_human(BlockNode *n, const Qcow2 *q, const char *filename)
{
    int64_t disk = block_file_disk_usage(n);
    g_autofree char *size = img_human_size(block_node_length(n));

    printf("image: %s\nfile format: %s\nvirtual size: %s (%" G_GUINT64_FORMAT " bytes)\n", filename,
           n->drv->name, size, block_node_length(n));
    if (disk >= 0) {
        g_autofree char *text = img_human_size((uint64_t)disk);

        printf("disk size: %s\n", text);
    }
    if (!q) {
        return;
    }
    printf("cluster_size: %u\n", q->cluster_size);
    if (q->h.incompatible & QCOW2_INCOMPAT_DIRTY) {
        printf("cleanly shut down: no\n");
    }
    if (q->h.backing_name) {
        g_autofree char *full = block_path_combine(n->filename, q->h.backing_name);

        printf("backing file: %s", q->h.backing_name);
        if (strcmp(full, q->h.backing_name) != 0) {
            printf(" (actual path: %s)", full);
        }
        printf("\n");
        if (q->h.backing_format) {
            printf("backing file format: %s\n", q->h.backing_format);
        }
    }
    print_snapshots(q);
    printf("Format specific information:\n    compat: %s\n    compression type: %s\n",
           q->h.version >= 3 ? "1.1" : "0.10", q->h.compression == QCOW2_ZSTD ? "zstd" : "zlib");
    if (q->h.version >= 3) {
        printf("    lazy refcounts: %s\n",
               q->h.compatible & QCOW2_COMPAT_LAZY_REFCOUNTS ? "true" : "false");
    }
    printf("    refcount bits: %u\n", 1u << q->h.refcount_order);
    if (q->h.version >= 3) {
        printf("    corrupt: %s\n    extended l2: false\n",
               q->h.incompatible & QCOW2_INCOMPAT_CORRUPT ? "true" : "false");
    }
}

/* One member; STRING is quoted. */
static void json_member(GString *out, const char *key, const char *value, bool string)
{
    g_autofree char *quoted = string ? img_json_string(value) : NULL;

    g_string_append_printf(out, "%s\n    \"%s\": %s", out->str[out->len - 1] != '{' ? "," : "", key,
                           string ? quoted : value);
}

static void json_number(GString *out, const char *key, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

    json_member(out, key, text, false);
}

static void json_bool(GString *out, const char *key, bool value)
{
    json_member(out, key, value ? "true" : "false", false);
}

/* VALUE ("{...}" or "[...]", lines indented for the top level) one level further in. */
static void json_nested(GString *out, const char *key, const char *value)
{
    g_auto(GStrv) lines = g_strsplit(value, "\n", -1);
    g_autofree char *joined = g_strjoinv("\n    ", lines);

    json_member(out, key, joined, false);
}

static char *json_snapshots(const Qcow2 *q)
{
    GString *list = g_string_new("[");

    for (uint32_t i = 0; i < q->h.snapshot_count; i++) {
        const Qcow2Snapshot *sn = &q->snapshots[i];
        GString *o = g_string_new("{");
        g_auto(GStrv) lines = NULL;
        g_autofree char *joined = NULL;

        if (sn->icount != UINT64_MAX) {
            json_number(o, "icount", sn->icount);
        }
        json_number(o, "vm-clock-nsec", sn->vm_clock_ns % 1000000000);
        json_member(o, "name", sn->name, true);
        json_number(o, "date-sec", sn->date_sec);
        json_number(o, "date-nsec", sn->date_nsec);
        json_number(o, "vm-clock-sec", sn->vm_clock_ns / 1000000000);
        json_member(o, "id", sn->id, true);
        json_number(o, "vm-state-size", sn->vm_state_size);
        g_string_append(o, "\n}");
        lines = g_strsplit(o->str, "\n", -1);
        joined = g_strjoinv("\n    ", lines);
        g_string_append_printf(list, "%s\n    %s", i ? "," : "", joined);
        g_string_free(o, TRUE);
    }
    g_string_append(list, "\n]");
    return g_string_free(list, FALSE);
}

static char *json_specific(const Qcow2 *q)
{
    GString *data = g_string_new("{"), *o = g_string_new("{");

    json_member(data, "compat", q->h.version >= 3 ? "1.1" : "0.10", true);
    json_member(data, "compression-type", q->h.compression == QCOW2_ZSTD ? "zstd" : "zlib", true);
    if (q->h.version >= 3) {
        json_bool(data, "lazy-refcounts", q->h.compatible & QCOW2_COMPAT_LAZY_REFCOUNTS);
    }
    json_number(data, "refcount-bits", (uint64_t)1 << q->h.refcount_order);
    if (q->h.version >= 3) {
        json_bool(data, "corrupt", q->h.incompatible & QCOW2_INCOMPAT_CORRUPT);
        json_bool(data, "extended-l2", false);
    }
    g_string_append(data, "\n}");
    json_member(o, "type", "qcow2", true);
    json_nested(o, "data", data->str);
    g_string_append(o, "\n}");
    g_string_free(data, TRUE);
    return g_string_free(o, FALSE);
}

static char *json_image(BlockNode *n, const Qcow2 *q, const char *filename)
{
    int64_t disk = block_file_disk_usage(n);
    GString *o = g_string_new("{");

    if (q && q->h.backing_format) {
        json_member(o, "backing-filename-format", q->h.backing_format, true);
    }
    if (q && q->h.snapshot_count) {
        g_autofree char *list = json_snapshots(q);

        json_nested(o, "snapshots", list);
    }
    json_number(o, "virtual-size", block_node_length(n));
    json_member(o, "filename", filename, true);
    if (q) {
        json_number(o, "cluster-size", q->cluster_size);
    }
    json_member(o, "format", n->drv->name, true);
    if (disk >= 0) {
        json_number(o, "actual-size", (uint64_t)disk);
    }
    if (q) {
        g_autofree char *specific = json_specific(q);

        json_nested(o, "format-specific", specific);
        if (q->h.backing_name) {
            g_autofree char *full = block_path_combine(n->filename, q->h.backing_name);

            json_member(o, "full-backing-filename", full, true);
            json_member(o, "backing-filename", q->h.backing_name, true);
        }
    }
    json_bool(o, "dirty-flag", q && q->h.incompatible & QCOW2_INCOMPAT_DIRTY);
    g_string_append(o, "\n}");
    return g_string_free(o, FALSE);
}

static void print_image(BlockNode *n, const char *filename, bool json, bool chain, bool first)
{
    BlockNodeInfo info = {0};

    if (n->drv->get_info) {
        n->drv->get_info(n, &info);
    }
    if (!json) {
        if (!first) {
            printf("\n");
        }
        print_human(n, info.qcow2, filename);
        return;
    }
    g_autofree char *text = json_image(n, info.qcow2, filename);

    if (chain) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        g_autofree char *joined = g_strjoinv("\n    ", lines);

        printf("%s\n    %s", first ? "[" : ",", joined);
    } else {
        printf("%s\n", text);
    }
}

static int info_run(int argc, char **argv)
{
    enum { OPT_OUTPUT = 256, OPT_CHAIN };
    static const struct option longopts[] = {{"help", no_argument, NULL, 'h'},
                                             {"format", required_argument, NULL, 'f'},
                                             {"output", required_argument, NULL, OPT_OUTPUT},
                                             {"backing-chain", no_argument, NULL, OPT_CHAIN},
                                             {"force-share", no_argument, NULL, 'U'},
                                             {NULL, 0, NULL, 0}};
    ImgOpen how = {.quiet = true, .no_backing = true};
    bool json = false, chain = false;
    BlockNode *n;
    int opt;

    while ((opt = getopt_long(argc, argv, ":hf:U", longopts, NULL)) != -1) {
        switch (opt) {
        case 'h':
            printf("usage: emu-img info %s\n", img_info_command.synopsis);
            return 0;
        case 'f':
            how.format = optarg;
            break;
        case 'U':
            how.force_share = true;
            break;
        case OPT_OUTPUT:
            if (!img_parse_output(optarg, &json)) {
                return 1;
            }
            break;
        case OPT_CHAIN:
            chain = true;
            how.no_backing = false;
            break;
        default:
            return img_usage(&img_info_command, "unknown option or missing argument '%s'",
                             argv[optind - 1]);
        }
    }
    if (optind != argc - 1) {
        return img_usage(&img_info_command, "expecting one image file name");
    }
    n = img_open(argv[optind], &how);
    if (!n) {
        return 1;
    }
    for (BlockNode *b = n; b; b = chain ? b->backing : NULL) {
        print_image(b, b == n ? argv[optind] : b->filename, json, chain, b == n);
    }
    if (json && chain) {
        printf("\n]\n");
    }
    block_co_unref(n);
    return 0;
}

const ImgCommand img_info_command = {
    "info",
    "[-f FMT] [--output=human|json] [--backing-chain] [-U] FILENAME",
    info_run,
};
