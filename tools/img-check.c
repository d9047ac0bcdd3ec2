/*
 * emu-img check.
 *
 * Exit status: 0 no problem (left), 1 the check could not be done, 2 the image is corrupt, 3 it has
 * leaked clusters only, 63 the format cannot be checked.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/img.h"

static void print_line(void *opaque, const char *line)
{
    FILE *out = opaque;

    if (out) {
        fprintf(out, "%s\n", line);
    }
}

static void print_human(const Qcow2CheckResult *r)
{
    if (!r->corruptions && !r->leaks && !r->check_errors) {
        printf("No errors were found on the image.\n");
    } else {
        if (r->corruptions) {
            printf("\n%" G_GUINT64_FORMAT " errors were found on the image.\n"
                   "Data may be corrupted, or further writes to the image may corrupt it.\n",
                   r->corruptions);
        }
        if (r->leaks) {
            printf("\n%" G_GUINT64_FORMAT " leaked clusters were found on the image.\n"
                   "This means waste of disk space, but no harm to data.\n",
                   r->leaks);
        }
        if (r->check_errors) {
            printf("\n%" G_GUINT64_FORMAT " internal errors have occurred during the check.\n",
                   r->check_errors);
        }
    }
    if (r->total_clusters && r->allocated_clusters) {
        printf("%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
               " = %0.2f%% allocated, %0.2f%% fragmented, "
               "%0.2f%% compressed clusters\n",
               r->allocated_clusters, r->total_clusters,
               (double)r->allocated_clusters * 100.0 / (double)r->total_clusters,
               (double)r->fragmented_clusters * 100.0 / (double)r->allocated_clusters,
               (double)r->compressed_clusters * 100.0 / (double)r->allocated_clusters);
    }
    if (r->image_end_offset) {
        printf("Image end offset: %" G_GUINT64_FORMAT "\n", r->image_end_offset);
    }
}

static void print_json(const Qcow2CheckResult *r, const char *filename, const char *format)
{
    g_autofree char *name = img_json_string(filename);
    const struct {
        const char *key;
        uint64_t value;
        bool always;
    } fields[] = {
        {"image-end-offset", r->image_end_offset, false},
        {"total-clusters", r->total_clusters, false},
        {"check-errors", r->check_errors, true},
        {"corruptions", r->corruptions, false},
        {"corruptions-fixed", r->corruptions_fixed, false},
        {"leaks", r->leaks, false},
        {"leaks-fixed", r->leaks_fixed, false},
        {"allocated-clusters", r->allocated_clusters, false},
        {"fragmented-clusters", r->fragmented_clusters, false},
        {"compressed-clusters", r->compressed_clusters, false},
    };

    printf("{\n");
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (fields[i].always || fields[i].value) {
            printf("    \"%s\": %" G_GUINT64_FORMAT ",\n", fields[i].key, fields[i].value);
        }
    }
    printf("    \"filename\": %s,\n    \"format\": \"%s\"\n}\n", name, format);
}

typedef struct CheckOptions {
    ImgOpen how;
    bool json, quiet;
    unsigned fix;
} CheckOptions;

/* Repairs what FIX says and looks again; the exit status. */
static int check_image(BlockNode *n, const char *filename, const CheckOptions *o)
{
    FILE *out = o->quiet ? NULL : o->json ? stderr : stdout;
    Qcow2CheckResult res, fixed;
    int r;

    if (n->drv != &block_driver_qcow2) {
        img_error("This image format does not support checks");
        return 63;
    }
    r = qcow2_co_check(n, o->fix, &res, print_line, out);
    if (r == 0 && o->fix && (res.leaks_fixed || res.corruptions_fixed)) {
        if (!o->quiet && !o->json) {
            printf("The following inconsistencies were found and repaired:\n\n"
                   "    %" G_GUINT64_FORMAT " leaked clusters\n    %" G_GUINT64_FORMAT
                   " corruptions\n\n"
                   "Double checking the fixed image now...\n",
                   res.leaks_fixed, res.corruptions_fixed);
        }
        fixed = res;
        r = qcow2_co_check(n, 0, &res, print_line, out);
        res.leaks_fixed = fixed.leaks_fixed;
        res.corruptions_fixed = fixed.corruptions_fixed;
    }
    if (r < 0) {
        img_error("Check failed: %s", g_strerror(-r));
        return 1;
    }
    if (o->json) {
        print_json(&res, filename, n->drv->name);
    } else if (!o->quiet) {
        print_human(&res);
    }
    return res.check_errors ? 1 : res.corruptions ? 2 : res.leaks ? 3 : 0;
}

static int check_run(int argc, char **argv)
{
    enum { OPT_OUTPUT = 256 };
    static const struct option longopts[] = {
        {"help", no_argument, NULL, 'h'},         {"format", required_argument, NULL, 'f'},
        {"repair", required_argument, NULL, 'r'}, {"output", required_argument, NULL, OPT_OUTPUT},
        {"force-share", no_argument, NULL, 'U'},  {NULL, 0, NULL, 0}};
    CheckOptions o = {.how = {.quiet = true, .no_backing = true, .lenient = true}};
    BlockNode *n;
    int opt, status;

    while ((opt = getopt_long(argc, argv, ":hf:r:T:qU", longopts, NULL)) != -1) {
        switch (opt) {
        case 'h':
            printf("usage: emu-img check %s\n", img_check_command.synopsis);
            return 0;
        case 'f':
            o.how.format = optarg;
            break;
        case 'r':
            if (strcmp(optarg, "leaks") == 0) {
                o.fix = QCOW2_FIX_LEAKS;
            } else if (strcmp(optarg, "all") == 0) {
                o.fix = QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS;
            } else {
                return img_usage(&img_check_command, "-r expects leaks or all, not '%s'", optarg);
            }
            o.how.writable = true;
            break;
        case 'T':
            o.how.cache = optarg;
            break;
        case 'q':
            o.quiet = true;
            break;
        case 'U':
            o.how.force_share = true;
            break;
        case OPT_OUTPUT:
            if (!img_parse_output(optarg, &o.json)) {
                return 1;
            }
            break;
        default:
            return img_usage(&img_check_command, "unknown option or missing argument '%s'",
                             argv[optind - 1]);
        }
    }
    if (optind != argc - 1) {
        return img_usage(&img_check_command, "expecting one image file name");
    }
    n = img_open(argv[optind], &o.how);
    if (!n) {
        return 1;
    }
    status = check_image(n, argv[optind], &o);
    block_co_unref(n);
    return status;
}

const ImgCommand img_check_command = {
    "check",
    "[-q] [-f FMT] [--output=human|json] [-r leaks|all] [-T SRC_CACHE] [-U] FILENAME",
    check_run,
};
