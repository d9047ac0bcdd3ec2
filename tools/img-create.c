/*
 * emu-img create, and the creation options it shares with convert.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/img.h"

static const char *const prealloc_names[] = {"off", "metadata", "falloc", "full", NULL};
static const char *const compression_names[] = {"zlib", "zstd", NULL};
static const char *const compat_names[] = {"0.10", "1.1", "v2", "v3", NULL};

/* name, formats it is for ("q" qcow2, "r" raw), and help */
static const struct {
    const char *name, *formats, *help;
} option_help[] = {
    {"backing_file=<str>", "q", "File name of a base image"},
    {"backing_fmt=<str>", "q", "Image format of the base image"},
    {"cluster_size=<size>", "q", "qcow2 cluster size"},
    {"compat=<str>", "q", "Compatibility level (v2 [0.10] or v3 [1.1])"},
    {"compression_type=<str>", "q", "Compression method used for image cluster compression"},
    {"lazy_refcounts=<bool (on/off)>", "q", "Postpone refcount updates"},
    {"preallocation=<str>", "qr",
     "Preallocation mode (allowed values: off, metadata, falloc, full)"},
    {"refcount_bits=<num>", "q", "Width of a reference count entry in bits"},
    {"size=<size>", "qr", "Virtual disk size"},
};

void img_create_init(ImgCreate *c, const char *filename, const char *format)
{
    memset(c, 0, sizeof(*c));
    c->filename = filename;
    c->format = format;
    qcow2_create_options_init(&c->qcow2);
}

void img_create_clear(ImgCreate *c)
{
    g_free(c->backing_file);
    g_free(c->backing_format);
}

static bool is_qcow2(const ImgCreate *c)
{
    return strcmp(c->format, "qcow2") == 0;
}

static void print_option_help(const ImgCreate *c)
{
    printf("Supported %s options:\n", c->format);
    for (size_t i = 0; i < G_N_ELEMENTS(option_help); i++) {
        if (strchr(option_help[i].formats, c->format[0])) {
            printf("  %-22s - %s\n", option_help[i].name, option_help[i].help);
        }
    }
}

/* Options that stand for a feature this program does not have: only "off" will do. */
static bool refuse_features(KeyVal *kv, GError **err)
{
    static const char *const features[] = {"encryption", "extended_l2", "data_file_raw", NULL};

    for (size_t i = 0; features[i]; i++) {
        bool on = false;

        if (!keyval_get_bool(kv, features[i], &on, err)) {
            return false;
        }
        if (on) {
            emu_set_error(err, "%s=on is not supported", features[i]);
            return false;
        }
    }
    if (keyval_get(kv, "data_file") || keyval_get(kv, "encrypt.format")) {
        emu_set_error(err, "External data files and encryption are not supported");
        return false;
    }
    return true;
}

static bool qcow2_options(ImgCreate *c, KeyVal *kv, GError **err)
{
    uint64_t cluster = c->qcow2.cluster_size, bits = c->qcow2.refcount_bits;
    int compat = -1, compression = (int)c->qcow2.compression;
    const char *file = keyval_get(kv, "backing_file"), *fmt = keyval_get(kv, "backing_fmt");

    if (!refuse_features(kv, err) || !keyval_get_size(kv, "cluster_size", &cluster, err) ||
        !keyval_get_uint(kv, "refcount_bits", 1, 64, &bits, err) ||
        !keyval_get_enum(kv, "compat", compat_names, &compat, err) ||
        !keyval_get_enum(kv, "compression_type", compression_names, &compression, err) ||
        !keyval_get_bool(kv, "lazy_refcounts", &c->qcow2.lazy_refcounts, err)) {
        return false;
    }
    if (cluster > UINT32_MAX) {
        emu_set_error(err, "Cluster size must be a power of two between 512 and 2048k");
        return false;
    }
    c->has_cluster_size |= keyval_get(kv, "cluster_size") != NULL;
    c->qcow2.cluster_size = (uint32_t)cluster;
    c->qcow2.refcount_bits = (uint32_t)bits;
    c->qcow2.compression = (Qcow2Compression)compression;
    if (compat >= 0) {
        c->qcow2.version = compat & 1 ? 3 : 2;
    }
    if (file) {
        g_free(c->backing_file);
        c->backing_file = g_strdup(file);
    }
    if (fmt) {
        g_free(c->backing_format);
        c->backing_format = g_strdup(fmt);
    }
    return true;
}

bool img_create_options(ImgCreate *c, const char *list, bool *help, GError **err)
{
    int prealloc = (int)c->qcow2.preallocation;
    KeyVal *kv;
    bool ok;

    *help = strcmp(list, "help") == 0 || strcmp(list, "?") == 0;
    if (*help) {
        print_option_help(c);
        return true;
    }
    kv = keyval_parse("-o", list, NULL, err);
    if (!kv) {
        return false;
    }
    ok = keyval_get_size(kv, "size", &c->qcow2.size, err) &&
         keyval_get_enum(kv, "preallocation", prealloc_names, &prealloc, err);
    c->has_size |= keyval_get(kv, "size") != NULL;
    c->qcow2.preallocation = (Qcow2Preallocation)prealloc;
    ok = ok && (!is_qcow2(c) || qcow2_options(c, kv, err)) && keyval_finish(kv, err);
    keyval_free(kv);
    return ok;
}

/* Opens the backing file to see that it is there, and for its size. */
static bool check_backing(ImgCreate *c, GError **err)
{
    g_autofree char *path = block_path_combine(c->filename, c->backing_file);
    BlockOpenArgs args;
    BlockNode *n;

    block_open_args_init(&args, img_thread());
    args.filename = path;
    args.driver = c->backing_format;
    args.read_only = true;
    args.quiet = true;
    n = block_co_open(&args, err);
    if (!n) {
        g_prefix_error(err, "Could not open backing file: ");
        return false;
    }
    if (!c->has_size) {
        c->qcow2.size = block_node_length(n);
        c->has_size = true;
    }
    if (!c->backing_format) {
        emu_set_error(err, "Backing file specified without backing format; use -F %s",
                      n->drv->name);
        block_co_unref(n);
        return false;
    }
    block_co_unref(n);
    return true;
}

bool img_create_prepare(ImgCreate *c, GError **err)
{
    bool raw = strcmp(c->format, "raw") == 0;

    if (!raw && !is_qcow2(c)) {
        emu_set_error(err, "Unknown file format '%s'; use raw or qcow2", c->format);
        return false;
    }
    if (raw && c->backing_file) {
        emu_set_error(err, "Backing file not supported for file format 'raw'");
        return false;
    }
    if (raw && c->qcow2.preallocation == QCOW2_PREALLOC_METADATA) {
        emu_set_error(err, "preallocation=metadata is for qcow2; use off, falloc or full");
        return false;
    }
    if (c->backing_format && !c->backing_file) {
        emu_set_error(err, "A backing format was given without a backing file");
        return false;
    }
    if (c->backing_format && !block_driver_find(c->backing_format)) {
        emu_set_error(err, "Unknown backing format '%s'; use raw or qcow2", c->backing_format);
        return false;
    }
    if (c->backing_file && !c->unsafe_backing && !check_backing(c, err)) {
        return false;
    }
    if (!c->has_size) {
        emu_set_error(err, "Image creation needs a size parameter");
        return false;
    }
    if (c->qcow2.size > BLOCK_MAX_LENGTH) {
        emu_set_error(err, "The image size is too large");
        return false;
    }
    c->qcow2.size = (c->qcow2.size + 511) & ~(uint64_t)511;
    c->qcow2.backing_file = c->backing_file;
    c->qcow2.backing_format = c->backing_format;
    return raw || qcow2_create_options_check(&c->qcow2, err);
}

void img_create_describe(const ImgCreate *c)
{
    const Qcow2CreateOptions *o = &c->qcow2;

    printf("Formatting '%s', fmt=%s", c->filename, c->format);
    if (is_qcow2(c)) {
        printf(" cluster_size=%u extended_l2=off", o->cluster_size);
        if (o->preallocation != QCOW2_PREALLOC_OFF) {
            printf(" preallocation=%s", prealloc_names[o->preallocation]);
        }
        printf(" compression_type=%s size=%" G_GUINT64_FORMAT, compression_names[o->compression],
               o->size);
        if (c->backing_file) {
            printf(" backing_file=%s", c->backing_file);
        }
        if (c->backing_format) {
            printf(" backing_fmt=%s", c->backing_format);
        }
        printf(" lazy_refcounts=%s refcount_bits=%u", o->lazy_refcounts ? "on" : "off",
               o->refcount_bits);
    } else {
        printf(" size=%" G_GUINT64_FORMAT, o->size);
        if (o->preallocation != QCOW2_PREALLOC_OFF) {
            printf(" preallocation=%s", prealloc_names[o->preallocation]);
        }
    }
    printf("\n");
}

static bool fill_raw(BlockNode *file, const ImgCreate *c, GError **err)
{
    uint64_t size = c->qcow2.size;
    size_t chunk;
    const void *zero = block_zero_buffer(&chunk);
    int r = 0;

    if (c->qcow2.preallocation == QCOW2_PREALLOC_FALLOC && size) {
        r = block_co_file_allocate(file, 0, size);
    } else if (c->qcow2.preallocation == QCOW2_PREALLOC_FULL) {
        for (uint64_t at = 0; r == 0 && at < size; at += chunk) {
            r = block_co_write_buf(file, at, zero, MIN(size - at, chunk));
        }
        r = r == 0 ? block_co_flush(file) : r;
    }
    if (r < 0) {
        emu_set_error(err, "%s: Could not preallocate: %s", c->filename, g_strerror(-r));
    }
    return r == 0;
}

bool img_create_run(const ImgCreate *c, GError **err)
{
    bool raw = !is_qcow2(c), ok;
    /* A new image that is cut off is made again: no barriers. */
    BlockNode *file =
        block_co_create_file(c->filename, raw ? c->qcow2.size : 0, false, true, img_thread(), err);

    if (!file) {
        return false;
    }
    ok = raw ? fill_raw(file, c, err) : qcow2_co_create(file, &c->qcow2, err);
    block_co_unref(file);
    return ok;
}

static int create_run(int argc, char **argv)
{
    static const struct option longopts[] = {{"help", no_argument, NULL, 'h'},
                                             {"format", required_argument, NULL, 'f'},
                                             {NULL, 0, NULL, 0}};
    const char *format = "raw", *backing = NULL, *backing_format = NULL;
    g_autoptr(GPtrArray) lists = g_ptr_array_new();
    bool quiet = false, unsafe = false, help = false;
    GError *err = NULL;
    ImgCreate c;
    int opt, status = 1;

    while ((opt = getopt_long(argc, argv, ":hf:o:b:F:qu", longopts, NULL)) != -1) {
        switch (opt) {
        case 'h':
            printf("usage: emu-img create %s\n", img_create_command.synopsis);
            return 0;
        case 'f':
            format = optarg;
            break;
        case 'o':
            g_ptr_array_add(lists, optarg);
            break;
        case 'b':
            backing = optarg;
            break;
        case 'F':
            backing_format = optarg;
            break;
        case 'q':
            quiet = true;
            break;
        case 'u':
            unsafe = true;
            break;
        default:
            return img_usage(&img_create_command, "unknown option or missing argument '%s'",
                             argv[optind - 1]);
        }
    }
    img_create_init(&c, optind < argc ? argv[optind] : NULL, format);
    c.unsafe_backing = unsafe;
    c.backing_file = g_strdup(backing);
    c.backing_format = g_strdup(backing_format);
    for (guint i = 0; i < lists->len; i++) {
        if (!img_create_options(&c, g_ptr_array_index(lists, i), &help, &err)) {
            goto fail;
        }
        if (help) {
            status = 0;
            goto out;
        }
    }
    if (!c.filename) {
        img_usage(&img_create_command, "expecting an image file name");
        goto out;
    }
    if (optind + 2 < argc) {
        img_usage(&img_create_command, "unexpected argument '%s'", argv[optind + 2]);
        goto out;
    }
    if (optind + 1 < argc) {
        if (!parse_size(argv[optind + 1], 1, &c.qcow2.size) || c.qcow2.size > BLOCK_MAX_LENGTH) {
            img_error(
                "Invalid image size '%s'; a number with k, M, G, T, P or E for powers of 1024",
                argv[optind + 1]);
            goto out;
        }
        c.has_size = true;
    }
    if (!img_create_prepare(&c, &err)) {
        goto fail;
    }
    if (!quiet) {
        img_create_describe(&c);
    }
    if (!img_create_run(&c, &err)) {
        goto fail;
    }
    status = 0;
    goto out;

fail:
    img_error("%s: %s", c.filename ? c.filename : "create", err->message);
    g_error_free(err);
out:
    img_create_clear(&c);
    return status;
}

const ImgCommand img_create_command = {
    "create",
    "[-q] [-f FMT] [-b BACKING_FILE [-F BACKING_FMT]] [-u] [-o OPTIONS] FILENAME [SIZE]",
    create_run,
};
