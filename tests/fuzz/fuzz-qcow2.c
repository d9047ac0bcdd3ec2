/*
 * qcow2 images with damaged metadata: opening them, reading and writing them never crashes or
 * hangs, and never touches memory that is not theirs. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/backend.h"
#include "block/options.h"
#include "core/iothread.h"
#include "tests/fuzz/fuzz.h"

enum { BASES = 4, REQUESTS = 30, MAX_BYTES = 128 * 1024 };

static char *base_data[BASES];
static gsize base_size[BASES];

static void prepare(FuzzRun *run)
{
    static const char *const commands[BASES] = {
        "qemu-img create -q -f qcow2 -o cluster_size=4k $F 8M && "
        "qemu-io -c 'write -q -P 1 0 256k' -c 'write -q -P 2 5M 64k' $F",
        "qemu-img create -q -f qcow2 -o cluster_size=512,refcount_bits=1 $F 1M && "
        "qemu-io -c 'write -q -P 1 0 64k' $F",
        "qemu-img create -q -f qcow2 -o compat=0.10,cluster_size=4k $F 8M && "
        "qemu-io -c 'write -q -P 3 1M 128k' $F && qemu-img snapshot -c one $F",
        "qemu-img create -q -f qcow2 $F.raw 4M && qemu-io -c 'write -q -P 9 0 2M' $F.raw && "
        "qemu-img convert -c -O qcow2 -o cluster_size=16k $F.raw $F",
    };

    for (int i = 0; i < BASES; i++) {
        g_autofree char *path = g_strdup_printf("%s/base%d", run->folder, i);
        g_autofree char *command = g_strdup_printf("F=%s; %s", path, commands[i]);

        if (system(command) != 0 ||
            !g_file_get_contents(path, &base_data[i], &base_size[i], NULL)) {
            fprintf(stderr, "cannot make a base image: %s\n", command);
            exit(2);
        }
    }
}

/* Mostly where metadata lie: the header, and the entries of tables, which are 8-byte numbers. */
static void damage(GRand *rand, char *data, gsize size)
{
    int changes = g_rand_int_range(rand, 1, 6);

    for (int i = 0; i < changes; i++) {
        gsize at = (gsize)g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 112 : (int)size - 8);
        guint64 value = GUINT64_TO_BE(fuzz_number(rand));

        switch (g_rand_int_range(rand, 0, 4)) {
        case 0:
            data[at] ^= (char)(1 << g_rand_int_range(rand, 0, 8));
            break;
        case 1:
            at &= ~(gsize)3;
            memcpy(data + at, (char *)&value + 4, 4);
            break;
        case 2:
            at &= ~(gsize)7;
            memcpy(data + at, &value, 8);
            break;
        default:
            /* One table entry in another's place. */
            at &= ~(gsize)7;
            memcpy(data + at, data + ((gsize)g_rand_int_range(rand, 0, (int)size - 8) & ~(gsize)7),
                   8);
        }
    }
}

typedef struct Waiter {
    GMutex lock;
    GCond cond;
    bool done;
} Waiter;

static void request_done(BlockRequest *req, int ret)
{
    Waiter *w = req->opaque;

    (void)ret;
    g_mutex_lock(&w->lock);
    w->done = true;
    g_cond_signal(&w->cond);
    g_mutex_unlock(&w->lock);
}

static void request(GRand *rand, BlockBackend *blk, uint8_t *buffer)
{
    Waiter w = {.done = false};
    guint64 length = block_length(blk);
    guint64 sectors = length / 512;
    guint32 count = (guint32)g_rand_int_range(rand, 1, MAX_BYTES / 512);
    guint64 at = sectors > count ? fuzz_number(rand) % (sectors - count) : 0;
    struct iovec iov = {buffer, count * 512};
    BlockRequest req = {
        .op = (BlockOp)g_rand_int_range(rand, BLOCK_OP_READ, BLOCK_OP_WRITE_ZEROES + 1),
        .flags = (uint32_t)g_rand_int_range(rand, 0, 4),
        .offset = at * 512,
        .bytes = count * 512,
        .iov = &iov,
        .iovcnt = 1,
        .done = request_done,
        .opaque = &w,
    };

    block_submit(blk, &req);
    g_mutex_lock(&w.lock);
    while (!w.done) {
        g_cond_wait(&w.cond, &w.lock);
    }
    g_mutex_unlock(&w.lock);
}

static void one(FuzzRun *run)
{
    int base = g_rand_int_range(run->rand, 0, BASES);
    g_autofree char *data = g_memdup2(base_data[base], base_size[base]);
    g_autofree char *path = g_strdup_printf("%s/image", run->folder);
    g_autofree char *option = g_strdup_printf("file=%s,format=qcow2,if=none,id=d", path);
    g_autofree uint8_t *buffer = g_malloc0(MAX_BYTES);
    g_autoptr(GError) err = NULL;

    damage(run->rand, data, base_size[base]);
    if (!g_file_set_contents(path, data, (gssize)base_size[base], NULL)) {
        exit(3);
    }
    IoThread *thread = io_thread_new("io0", IO_ENGINE_AUTO, &err);
    DriveInfo *drive = block_drive_add(option, NULL, false, thread, &err);
    if (drive && block_backend_attach(drive->blk, "fuzz", true, &err)) {
        for (int i = 0; i < REQUESTS; i++) {
            request(run->rand, drive->blk, buffer);
        }
        block_backend_detach(drive->blk);
    } else if (!err || strchr(err->message, '\n')) {
        fprintf(stderr, "refused without one clear line\n");
        exit(4);
    }
    block_close_all();
    io_thread_free(thread);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, prepare, one);
}
