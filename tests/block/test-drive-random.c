/*
 * Drives under random requests, many in flight, compared with a plain copy in memory; afterwards
 * Debian's qemu-img checks the image and compares it with that copy.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/backend.h"
#include "block/options.h"
#include "core/iothread.h"

enum { SECTOR = 512, SLOTS = 16, MAX_SECTORS = 600 };

typedef struct Variant {
    const char *name;
    const char *setup; /* shell; $F is the image, $D the folder */
    const char *options;
    const char *format;
    bool snapshot;
    bool overwrites; /* the image is changed: check and compare it */
} Variant;

#define CREATE(opts) "qemu-img create -q -f qcow2 -o " opts " $F 24M"
#define BACKING                                                                                    \
    "qemu-img create -q -f qcow2 $D/base.qcow2 10M && "                                            \
    "qemu-io -c 'write -q -P 7 0 3M' -c 'write -q -P 9 5M 3333k' $D/base.qcow2 && "

static const Variant variants[] = {
    {"qcow2", CREATE("cluster_size=64k"), "discard=unmap", "qcow2", false, true},
    {"qcow2_threads", CREATE("cluster_size=64k"), "discard=unmap,aio=threads", "qcow2", false,
     true},
    {"qcow2_cache_none", CREATE("cluster_size=64k"), "cache=none,discard=unmap", "qcow2", false,
     true},
    {"qcow2_directsync_512", CREATE("cluster_size=512"), "cache=directsync", "qcow2", false, true},
    {"qcow2_writethrough_4k", CREATE("cluster_size=4k"), "cache=writethrough", "qcow2", false,
     true},
    {"qcow2_unsafe_2M", CREATE("cluster_size=2M"), "cache=unsafe,discard=on", "qcow2", false, true},
    {"qcow2_v2", CREATE("compat=0.10"), "discard=unmap", "qcow2", false, true},
    {"qcow2_refcount_1_bit", CREATE("refcount_bits=1,cluster_size=8k"), "discard=unmap", "qcow2",
     false, true},
    {"qcow2_refcount_64_bits", CREATE("refcount_bits=64,cluster_size=1k"), "discard=unmap", "qcow2",
     false, true},
    {"qcow2_lazy_refcounts", CREATE("lazy_refcounts=on,cluster_size=4k"), "discard=unmap", "qcow2",
     false, true},
    {"qcow2_preallocated", CREATE("preallocation=metadata"), "detect-zeroes=on", "qcow2", false,
     true},
    {"qcow2_backing", BACKING "qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 $F 24M",
     "discard=unmap,detect-zeroes=unmap", "qcow2", false, true},
    {"qcow2_v2_backing",
     BACKING "qemu-img create -q -f qcow2 -o compat=0.10 -b base.qcow2 -F qcow2 $F 24M",
     "discard=unmap", "qcow2", false, true},
    {"qcow2_internal_snapshot",
     CREATE(
         "cluster_size=16k") " && qemu-io -c 'write -q -P 3 1M 9M' $F && qemu-img snapshot -c one "
                             "$F && "
                             "qemu-io -c 'write -q -P 4 2M 2M' $F && qemu-img snapshot -c two $F",
     "discard=unmap", "qcow2", false, true},
    {"qcow2_compressed",
     CREATE(
         "cluster_size=64k") " && qemu-io -c 'write -q -P 3 1M 9M' -c 'write -q -P 5 12M 5M' $F && "
                             "qemu-img convert -c -O qcow2 $F $D/c && mv $D/c $F",
     "discard=unmap", "qcow2", false, true},
    {"qcow2_snapshot_mode", CREATE("cluster_size=64k") " && qemu-io -c 'write -q -P 3 1M 9M' $F",
     "", "qcow2", true, false},
    {"raw", "qemu-img create -q -f raw $F 24M", "discard=unmap", "raw", false, true},
    {"raw_cache_none", "qemu-img create -q -f raw $F 24M", "cache=none", "raw", false, true},
    {"raw_snapshot_mode",
     "qemu-img create -q -f raw $F 24M && qemu-io -f raw -c 'write -q -P 3 1M 9M' $F", "", "raw",
     true, false},
};

static char *folder;
static IoThread *thread;

static bool shell(const char *image, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool shell(const char *image, const char *format, ...)
{
    va_list ap;
    g_autofree char *body = NULL, *script = NULL;
    const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
    g_autofree char *out = NULL;
    int status = -1;

    va_start(ap, format);
    body = g_strdup_vprintf(format, ap);
    va_end(ap);
    script = g_strdup_printf("F='%s'; D='%s'; { %s; } 2>&1", image, folder, body);
    argv[2] = script;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, NULL, &status, NULL);
    if (status) {
        g_test_message("%s: %s", body, out);
    }
    return status == 0;
}

/* ---- the workload ---- */

typedef struct Slot {
    BlockRequest req;
    struct iovec iov[3];
    uint64_t sector, count;
    uint8_t *buf;
    int ret;
    bool used;
    GAsyncQueue *done;
} Slot;

typedef struct Load {
    BlockBackend *blk;
    uint64_t sectors;
    uint8_t *shadow;
    bool *loose, *busy; /* loose: discarded, old content or zeroes */
    GRand *rand;
    GAsyncQueue *done;
    Slot slots[SLOTS];
} Load;

static bool zero_sector(const uint8_t *p)
{
    return p[0] == 0 && memcmp(p, p + 1, SECTOR - 1) == 0;
}

static void request_done(BlockRequest *req, int ret)
{
    Slot *slot = req->opaque;

    slot->ret = ret;
    g_async_queue_push(slot->done, slot);
}

static void check_read(Load *l, const Slot *s)
{
    for (uint64_t i = 0; i < s->count; i++) {
        uint64_t sector = s->sector + i;
        const uint8_t *got = s->buf + i * SECTOR;
        uint8_t *want = l->shadow + sector * SECTOR;

        if (memcmp(got, want, SECTOR) == 0) {
            continue;
        }
        if (!l->loose[sector] || !zero_sector(got)) {
            g_error("sector %" G_GUINT64_FORMAT " reads wrong", sector);
        }
        memset(want, 0, SECTOR);
    }
}

static void finish_one(Load *l)
{
    Slot *s = g_async_queue_pop(l->done);

    g_assert_cmpint(s->ret, ==, 0);
    if (s->req.op == BLOCK_OP_READ) {
        check_read(l, s);
    } else if (s->req.op == BLOCK_OP_WRITE) {
        memcpy(l->shadow + s->sector * SECTOR, s->buf, s->count * SECTOR);
        memset(l->loose + s->sector, 0, s->count);
    } else if (s->req.op == BLOCK_OP_WRITE_ZEROES) {
        memset(l->shadow + s->sector * SECTOR, 0, s->count * SECTOR);
        memset(l->loose + s->sector, 0, s->count);
    } else if (s->req.op == BLOCK_OP_DISCARD) {
        memset(l->loose + s->sector, 1, s->count);
    }
    memset(l->busy + s->sector, 0, s->count);
    free(s->buf);
    s->used = false;
}

static bool choose_range(Load *l, Slot *s)
{
    s->count = (uint64_t)g_rand_int_range(l->rand, 1, g_rand_int_range(l->rand, 2, MAX_SECTORS));
    s->sector = (uint64_t)g_rand_int_range(l->rand, 0, (int)l->sectors);
    if (g_rand_int_range(l->rand, 0, 4) == 0) {
        s->sector &= ~(uint64_t)127;
    }
    s->count = MIN(s->count, l->sectors - s->sector);
    for (uint64_t i = 0; i < s->count; i++) {
        if (l->busy[s->sector + i]) {
            return false;
        }
    }
    memset(l->busy + s->sector, 1, s->count);
    return true;
}

/* The buffer in three pieces, which need not be aligned. */
static void set_iov(Load *l, Slot *s)
{
    size_t bytes = s->count * SECTOR, a = 0, b = bytes;

    if (g_rand_boolean(l->rand) && s->count > 2) {
        a = (size_t)g_rand_int_range(l->rand, 1, (int)bytes / 2);
        b = (size_t)g_rand_int_range(l->rand, (int)a + 1, (int)bytes);
    }
    s->iov[0] = (struct iovec){s->buf, a};
    s->iov[1] = (struct iovec){s->buf + a, b - a};
    s->iov[2] = (struct iovec){s->buf + b, bytes - b};
    s->req.iov = s->iov;
    s->req.iovcnt = 3;
}

static void start_one(Load *l, Slot *s)
{
    int kind = g_rand_int_range(l->rand, 0, 100);

    s->req.flags = 0;
    s->req.done = request_done;
    s->req.opaque = s;
    s->done = l->done;
    s->buf = NULL;
    if (kind < 3) {
        s->sector = s->count = 0;
        s->req.op = BLOCK_OP_FLUSH;
    } else {
        if (!choose_range(l, s)) {
            return;
        }
        s->req.op = kind < 55   ? BLOCK_OP_WRITE
                    : kind < 80 ? BLOCK_OP_READ
                    : kind < 90 ? BLOCK_OP_WRITE_ZEROES
                                : BLOCK_OP_DISCARD;
        s->buf = aligned_alloc(4096, (s->count * SECTOR + 4095) & ~(size_t)4095);
        set_iov(l, s);
        if (s->req.op == BLOCK_OP_WRITE) {
            uint8_t fill = (uint8_t)g_rand_int_range(l->rand, 0, 8); /* now and then zero */

            memset(s->buf, fill, s->count * SECTOR);
            for (uint64_t i = 0; fill && i < s->count; i++) {
                uint32_t tag = g_rand_int(l->rand);

                memcpy(s->buf + i * SECTOR + (tag & 0x1fc), &tag, 4);
            }
            s->req.flags = kind < 6 ? BLOCK_REQ_FUA : 0;
        } else if (s->req.op == BLOCK_OP_WRITE_ZEROES) {
            s->req.flags = kind & 1 ? BLOCK_REQ_UNMAP : 0;
        }
    }
    s->req.offset = s->sector * SECTOR;
    s->req.bytes = s->count * SECTOR;
    s->used = true;
    block_submit(l->blk, &s->req);
}

static int in_flight(const Load *l)
{
    int n = 0;

    for (int i = 0; i < SLOTS; i++) {
        n += l->slots[i].used;
    }
    return n;
}

static void run_requests(Load *l, int requests)
{
    while (requests > 0) {
        for (int i = 0; i < SLOTS && requests > 0; i++) {
            if (!l->slots[i].used) {
                start_one(l, &l->slots[i]);
                requests -= l->slots[i].used;
            }
        }
        if (in_flight(l)) {
            finish_one(l);
        }
    }
    while (in_flight(l)) {
        finish_one(l);
    }
}

static void read_all(Load *l)
{
    for (uint64_t at = 0; at < l->sectors; at += 1024) {
        Slot *s = &l->slots[0];

        s->sector = at;
        s->count = MIN(1024, l->sectors - at);
        s->buf = aligned_alloc(4096, 1024 * SECTOR);
        s->iov[0] = (struct iovec){s->buf, s->count * SECTOR};
        s->req = (BlockRequest){.op = BLOCK_OP_READ,
                                .offset = at * SECTOR,
                                .bytes = s->count * SECTOR,
                                .iov = s->iov,
                                .iovcnt = 1,
                                .done = request_done,
                                .opaque = s};
        s->done = l->done;
        s->used = true;
        block_submit(l->blk, &s->req);
        finish_one(l);
    }
}

static void drive_matches_shadow(gconstpointer data)
{
    const Variant *v = data;
    g_autofree char *image = g_build_filename(folder, "image", NULL);
    g_autofree char *shadow = g_build_filename(folder, "shadow", NULL), *option = NULL,
                    *before = NULL;
    Load l = {0};
    GError *err = NULL;
    DriveInfo *drive;
    gsize len;
    uint32_t seed = (uint32_t)g_test_rand_int_range(1, G_MAXINT32);

    g_test_message("seed %u", seed);
    g_unlink(image);
    g_assert_true(shell(image, "%s", v->setup));
    g_assert_true(
        shell(image, "qemu-img convert -f %s -O raw $F $D/shadow && cp $F $D/before", v->format));
    g_assert_true(g_file_get_contents(shadow, (char **)&l.shadow, &len, NULL));
    l.sectors = len / SECTOR;
    l.loose = g_new0(bool, l.sectors);
    l.busy = g_new0(bool, l.sectors);
    l.rand = g_rand_new_with_seed(seed);
    l.done = g_async_queue_new();

    option = g_strdup_printf("file=%s,if=none,id=d0,format=%s%s%s", image, v->format,
                             *v->options ? "," : "", v->options);
    drive = block_drive_add(option, NULL, v->snapshot, thread, &err);
    g_assert_no_error(err);
    l.blk = drive->blk;
    g_assert_true(block_backend_attach(l.blk, "test", true, &err));
    g_assert_cmpuint(block_length(l.blk), ==, len);
    run_requests(&l, g_getenv("TEST_QUICK") ? 500 : 2500);
    read_all(&l);
    block_backend_detach(l.blk);
    block_close_all();

    if (v->overwrites) {
        g_assert_true(g_file_set_contents(shadow, (char *)l.shadow, (gssize)len, NULL));
        g_assert_true(shell(image, "qemu-img compare -f raw -F %s $D/shadow $F", v->format));
        g_assert_true(strcmp(v->format, "qcow2") != 0 || shell(image, "qemu-img check $F"));
    } else {
        g_assert_true(shell(image, "cmp $F $D/before"));
    }
    if (strcmp(v->name, "qcow2_internal_snapshot") == 0) {
        g_assert_true(shell(image,
                            "qemu-img convert -l one -O raw $F $D/one && "
                            "! qemu-io -f raw -r -c 'read -P 3 1M 9M' $D/one | grep -q failed && "
                            "qemu-img snapshot -a two $F && qemu-img check $F"));
        g_assert_true(shell(image, "qemu-io -r -c 'read -P 4 2M 2M' $F | grep -q 'read 2097152'"));
    }
    g_free(l.shadow);
    g_free(l.loose);
    g_free(l.busy);
    g_rand_free(l.rand);
    g_async_queue_unref(l.done);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    g_autofree char *qemu_img = g_find_program_in_path("qemu-img");
    g_autofree char *qemu_io = g_find_program_in_path("qemu-io");
    int status;

    g_test_init(&argc, &argv, NULL);
    if (!qemu_img || !qemu_io) {
        printf("1..0 # SKIP qemu-img and qemu-io (package qemu-utils) are not installed\n");
        return 0;
    }
    folder = g_dir_make_tmp("block-XXXXXX", &err);
    g_assert_no_error(err);
    thread = io_thread_new("test", IO_ENGINE_AUTO, &err);
    g_assert_no_error(err);
    for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
        g_autofree char *path = g_strdup_printf("/block/drive/%s_matches_shadow", variants[i].name);

        g_test_add_data_func(path, &variants[i], drive_matches_shadow);
    }
    status = g_test_run();
    io_thread_free(thread);
    shell("", "rm -rf \"$D\"");
    g_free(folder);
    return status;
}
