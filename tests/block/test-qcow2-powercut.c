/*
 * qcow2 through crashes: whatever point the process or the power dies at, the image that is left
 * checks clean but for leaks, and what was flushed is there.
 *
 * The image lives in a protocol node of this test that keeps a log of every write and flush. Random
 * requests, many at once, run on it. Then crashes are made up from the log: "killed" applies a
 * prefix of it; "power cut" applies what the last flush covers, and of the rest a random choice,
 * torn by sectors. Each sector of the disk holds its number and a version, so it is known how old
 * its content is. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2-create.h"

enum { WORKERS = 6, SECTOR = 512, MEM_MAX = 96 << 20 };

/* ---- the protocol node ---- */

typedef struct LogEntry {
    uint64_t offset, bytes; /* bytes 0: a flush that covers COVERED entries */
    uint8_t *data;          /* NULL: zeroes */
    size_t covered;
} LogEntry;

typedef struct Mem {
    uint8_t *data;
    uint64_t length;
    GArray *log; /* NULL: not recorded */
    GRand *rand;
} Mem;

static void shuffle_time(Mem *m)
{
    for (int i = m->rand ? g_rand_int_range(m->rand, 0, 6) : 0; i > 0; i--) {
        coroutine_wake(coroutine_self());
        coroutine_yield();
    }
}

static void mem_log(Mem *m, uint64_t offset, uint64_t bytes, const uint8_t *data)
{
    if (m->log) {
        LogEntry e = {
            .offset = offset, .bytes = bytes, .data = data ? g_memdup2(data, bytes) : NULL};

        g_array_append_val(m->log, e);
    }
}

static void mem_grow(BlockNode *n, uint64_t end)
{
    Mem *m = n->state;

    g_assert_cmpuint(end, <=, MEM_MAX);
    m->length = MAX(m->length, end);
    atomic_store(&n->length, m->length);
}

static int mem_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                    int iovcnt)
{
    Mem *m = n->state;

    shuffle_time(m);
    iov_from_buf(iov, iovcnt, 0, m->data + offset, bytes);
    return 0;
}

static int mem_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                     int iovcnt)
{
    Mem *m = n->state;

    shuffle_time(m);
    mem_grow(n, offset + bytes);
    iov_to_buf(iov, iovcnt, 0, m->data + offset, bytes);
    mem_log(m, offset, bytes, m->data + offset);
    shuffle_time(m);
    return 0;
}

static int mem_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags)
{
    Mem *m = n->state;

    (void)flags;
    shuffle_time(m);
    mem_grow(n, offset + bytes);
    memset(m->data + offset, 0, bytes);
    mem_log(m, offset, bytes, NULL);
    return 0;
}

/* What is discarded is anything at all. */
static int mem_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    Mem *m = n->state;

    shuffle_time(m);
    memset(m->data + offset, 0xdd, bytes);
    mem_log(m, offset, bytes, m->data + offset);
    return 0;
}

static int mem_flush(BlockNode *n)
{
    Mem *m = n->state;
    LogEntry e = {0};

    if (m->log) {
        e.covered = m->log->len;
        shuffle_time(m);
        g_array_append_val(m->log, e);
    }
    return 0;
}

static int mem_truncate(BlockNode *n, uint64_t length, GError **err)
{
    (void)err;
    mem_grow(n, length);
    return 0;
}

static const BlockDriver mem_driver = {
    .name = "mem",
    .protocol = true,
    .co_read = mem_read,
    .co_write = mem_write,
    .co_write_zeroes = mem_write_zeroes,
    .co_discard = mem_discard,
    .co_flush = mem_flush,
    .co_truncate = mem_truncate,
};

static IoThread *thread;

static BlockNode *mem_node_new(Mem *m)
{
    BlockNode *n = g_new0(BlockNode, 1);

    n->drv = &mem_driver;
    n->refs = 1;
    n->node_name = g_strdup("mem");
    n->filename = g_strdup("image");
    n->thread = thread;
    n->unmap = true;
    n->ino = 1; /* behaves as a regular file: what was never written is zero */
    n->state = m;
    atomic_store(&n->length, m->length);
    return n;
}

/* The Mem stays. */
static void mem_node_free(BlockNode *n)
{
    g_assert_cmpint(n->refs, ==, 1);
    g_free(n->node_name);
    g_free(n->filename);
    g_free(n);
}

/* ---- the disk's content ---- */

typedef struct Shadow {
    uint64_t sectors;
    uint32_t *newest; /* version last written, 0: never or zeroed */
    bool *busy;
    bool *loose; /* discarded last: the old version or zero */
} Shadow;

typedef struct ZeroEvent { /* zeroed or discarded from this point of the log on */
    size_t log_len;
    uint64_t sector, count;
} ZeroEvent;

typedef struct Snap { /* state at a completed flush of the disk */
    size_t log_len;
    uint32_t *durable;
    bool *loose;
} Snap;

static void fill(uint8_t *buf, uint64_t sector, uint32_t version)
{
    uint32_t x = (uint32_t)sector * 2654435761u + version;

    for (int i = 0; i < SECTOR; i += 4) {
        memcpy(buf + i, &x, 4);
        x = x * 1664525 + 1013904223;
    }
    memcpy(buf, &sector, 8);
    memcpy(buf + 8, &version, 4);
}

/* The version SECTOR's content has, 0 for zeroes; aborts on anything else. */
static uint32_t version_of(const uint8_t *buf, uint64_t sector)
{
    uint8_t expect[SECTOR];
    uint32_t version;
    uint64_t number;

    if (buffer_is_zero(buf, SECTOR)) {
        return 0;
    }
    memcpy(&number, buf, 8);
    memcpy(&version, buf + 8, 4);
    if (number != sector) {
        g_error("sector %" G_GUINT64_FORMAT " has the content of sector %" G_GUINT64_FORMAT, sector,
                number);
    }
    fill(expect, sector, version);
    if (memcmp(buf, expect, SECTOR) != 0) {
        g_error("sector %" G_GUINT64_FORMAT " is torn", sector);
    }
    return version;
}

/* ---- the workload ---- */

typedef struct Variant {
    const char *name;
    uint32_t cluster_size, version, refcount_bits;
    bool lazy;
    uint64_t size;
    int requests;
} Variant;

static const Variant variants[] = {
    {"/block/qcow2/powercut/64k", 65536, 3, 16, false, 8 << 20, 1500},
    {"/block/qcow2/powercut/4k", 4096, 3, 16, false, 8 << 20, 1500},
    {"/block/qcow2/powercut/512_grows_refcount_table", 512, 3, 64, false, 4 << 20, 1200},
    {"/block/qcow2/powercut/v2", 16384, 2, 16, false, 8 << 20, 1500},
    {"/block/qcow2/powercut/refcount_1_bit", 4096, 3, 1, false, 4 << 20, 1500},
    {"/block/qcow2/powercut/lazy_refcounts", 4096, 3, 16, true, 8 << 20, 1500},
};

typedef struct Load {
    const Variant *v;
    BlockNode *disk;
    Mem *mem;
    Shadow sh;
    GArray *snaps, *zeroed;
    GRand *rand;
    int left, running, in_request;
    bool flushing;
    uint32_t version;
    Coroutine *main;
} Load;

static bool reserve(Load *l, uint64_t *sector, uint64_t *count)
{
    *count = (uint64_t)g_rand_int_range(l->rand, 1, g_rand_int_range(l->rand, 2, 400));
    *sector = (uint64_t)g_rand_int_range(l->rand, 0, (int)l->sh.sectors);
    if (g_rand_int_range(l->rand, 0, 3) == 0) { /* whole clusters now and then */
        uint64_t per = MAX(l->v->cluster_size / SECTOR, 1);

        *sector -= *sector % per;
        *count = per * (uint64_t)g_rand_int_range(l->rand, 1, 5);
    }
    *count = MIN(*count, l->sh.sectors - *sector);
    for (uint64_t i = 0; i < *count; i++) {
        if (l->sh.busy[*sector + i]) {
            return false;
        }
    }
    memset(l->sh.busy + *sector, 1, *count);
    return true;
}

static void verify(Load *l, uint64_t sector, uint64_t count)
{
    g_autofree uint8_t *buf = g_malloc(count * SECTOR);

    g_assert_cmpint(block_co_read_buf(l->disk, sector * SECTOR, buf, count * SECTOR), ==, 0);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t v = version_of(buf + i * SECTOR, sector + i);

        if (l->sh.loose[sector + i] && v == 0) {
            l->sh.newest[sector + i] = 0;
        } else if (v != l->sh.newest[sector + i]) {
            g_error("sector %" G_GUINT64_FORMAT " has version %u, not %u", sector + i, v,
                    l->sh.newest[sector + i]);
        }
    }
}

static void note_zeroed(Load *l, uint64_t sector, uint64_t count)
{
    ZeroEvent e = {l->mem->log->len, sector, count};

    g_array_append_val(l->zeroed, e);
    memset(l->sh.loose + sector, 1, count);
}

static void one_request(Load *l)
{
    uint64_t sector, count;
    int kind = g_rand_int_range(l->rand, 0, 100);
    uint8_t *buf;

    if (!reserve(l, &sector, &count)) {
        coroutine_wake(coroutine_self());
        coroutine_yield();
        return;
    }
    if (kind < 60) {
        buf = g_malloc(count * SECTOR);
        for (uint64_t i = 0; i < count; i++) {
            fill(buf + i * SECTOR, sector + i, ++l->version);
            l->sh.newest[sector + i] = l->version;
        }
        g_assert_cmpint(block_co_write_buf(l->disk, sector * SECTOR, buf, count * SECTOR), ==, 0);
        memset(l->sh.loose + sector, 0, count);
        g_free(buf);
    } else if (kind < 72) {
        note_zeroed(l, sector, count);
        g_assert_cmpint(block_co_write_zeroes(l->disk, sector * SECTOR, count * SECTOR,
                                              kind & 1 ? BLOCK_REQ_UNMAP : 0),
                        ==, 0);
        memset(l->sh.newest + sector, 0, count * sizeof(uint32_t));
    } else if (kind < 85) {
        note_zeroed(l, sector, count);
        g_assert_cmpint(block_co_discard(l->disk, sector * SECTOR, count * SECTOR), ==, 0);
        verify(l, sector, count);
    } else {
        verify(l, sector, count);
    }
    memset(l->sh.busy + sector, 0, count);
}

/* A flush with nothing else in flight, so that all before it is durable. */
static void quiet_flush(Load *l)
{
    Snap snap;

    l->flushing = true;
    while (l->in_request > 0) {
        coroutine_wake(coroutine_self());
        coroutine_yield();
    }
    g_assert_cmpint(block_co_flush(l->disk), ==, 0);
    snap.log_len = l->mem->log->len;
    snap.durable = g_memdup2(l->sh.newest, l->sh.sectors * sizeof(uint32_t));
    snap.loose = g_memdup2(l->sh.loose, l->sh.sectors);
    g_array_append_val(l->snaps, snap);
    l->flushing = false;
}

static void worker(void *opaque)
{
    Load *l = opaque;

    while (l->left-- > 0) {
        if (!l->flushing && g_rand_int_range(l->rand, 0, 50) == 0) {
            quiet_flush(l);
        }
        while (l->flushing) {
            coroutine_wake(coroutine_self());
            coroutine_yield();
        }
        l->in_request++;
        if (g_rand_int_range(l->rand, 0, 20) == 0) {
            g_assert_cmpint(block_co_flush(l->disk), ==, 0);
        } else {
            one_request(l);
        }
        l->in_request--;
    }
    if (--l->running == 0) {
        coroutine_wake(l->main);
    }
}

/* ---- crashes ---- */

static void apply(Mem *m, const LogEntry *e, uint64_t from, uint64_t len)
{
    if (e->data) {
        memcpy(m->data + e->offset + from, e->data + from, len);
    } else {
        memset(m->data + e->offset + from, 0, len);
    }
    m->length = MAX(m->length, e->offset + from + len);
}

/* The state after the first N log entries, with or without power. */
static void crash_state(Load *l, Mem *out, size_t n, bool power)
{
    size_t covered = 0;

    memset(out->data, 0, MEM_MAX);
    out->length = 0;
    for (size_t i = 0; i < n; i++) {
        const LogEntry *e = &g_array_index(l->mem->log, LogEntry, i);

        if (e->bytes == 0) {
            covered = MAX(covered, e->covered);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const LogEntry *e = &g_array_index(l->mem->log, LogEntry, i);
        int luck = g_rand_int_range(l->rand, 0, 4);

        if (e->bytes == 0) {
            continue;
        }
        if (!power || i < covered || luck == 0) {
            apply(out, e, 0, e->bytes);
        } else if (luck == 1) { /* some sectors of it */
            for (uint64_t at = 0; at < e->bytes; at += SECTOR) {
                if (g_rand_boolean(l->rand)) {
                    apply(out, e, at, MIN(SECTOR, e->bytes - at));
                }
            }
        }
    }
}

static void print_line(void *opaque, const char *line)
{
    (void)opaque;
    g_printerr("%s\n", line);
}

/* The sectors that some request between SNAP and LOG_LEN may have made zero. */
static bool *zeroed_since(const Load *l, const Snap *snap, size_t log_len)
{
    bool *map = g_new0(bool, l->sh.sectors);

    for (guint i = 0; i < l->zeroed->len; i++) {
        const ZeroEvent *e = &g_array_index(l->zeroed, ZeroEvent, i);

        if (e->log_len >= snap->log_len && e->log_len <= log_len) {
            memset(map + e->sector, 1, e->count);
        }
    }
    return map;
}

/* Checks the image in M, and that it has what SNAP says is durable. */
static void check_crash(Load *l, Mem *m, const Snap *snap, size_t log_len)
{
    g_autofree bool *zeroed = zeroed_since(l, snap, log_len);
    BlockNode *file = mem_node_new(m), *n;
    BlockOpenArgs args;
    Qcow2CheckResult res;
    GError *err = NULL;
    uint8_t *buf = g_malloc(1 << 20);

    block_open_args_init(&args, thread);
    args.driver = "qcow2";
    args.file = file;
    args.lenient = true;
    n = block_co_open(&args, &err);
    g_assert_no_error(err);
    g_assert_cmpint(qcow2_co_check(n, 0, &res, NULL, NULL), ==, 0);
    if (res.corruptions &&
        !(l->v->lazy && ((Qcow2 *)n->state)->h.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        qcow2_co_check(n, 0, &res, print_line, NULL);
        g_error("the image is corrupt after the crash");
    }
    block_co_unref(n);

    args.lenient = false; /* repairs a dirty one */
    n = block_co_open(&args, &err);
    g_assert_no_error(err);
    for (uint64_t s = 0; s < l->sh.sectors; s += 2048) {
        uint64_t count = MIN(2048, l->sh.sectors - s);

        g_assert_cmpint(block_co_read_buf(n, s * SECTOR, buf, count * SECTOR), ==, 0);
        for (uint64_t i = 0; i < count; i++) {
            uint32_t durable = snap->durable[s + i], v;

            /* In flight at the crash, a sector may be anything that was ever there. */
            if (buffer_is_zero(buf + i * SECTOR, SECTOR)) {
                v = 0;
            } else {
                v = version_of(buf + i * SECTOR, s + i);
            }
            if (v < durable && !(v == 0 && (zeroed[s + i] || snap->loose[s + i]))) {
                g_error("sector %" G_GUINT64_FORMAT " is back at version %u after %u was flushed",
                        s + i, v, durable);
            }
        }
    }
    block_co_unref(n);
    mem_node_free(file);
    g_free(buf);
}

static void run_load(Load *l)
{
    const Variant *v = l->v;
    Qcow2CreateOptions create;
    BlockOpenArgs args;
    GError *err = NULL;
    BlockNode *file = mem_node_new(l->mem);

    qcow2_create_options_init(&create);
    create.size = v->size;
    create.cluster_size = v->cluster_size;
    create.version = v->version;
    create.refcount_bits = v->refcount_bits;
    create.lazy_refcounts = v->lazy;
    g_assert_true(qcow2_co_create(file, &create, &err));
    g_assert_no_error(err);
    block_open_args_init(&args, thread);
    args.driver = "qcow2";
    args.file = file;
    args.unmap = true;
    l->disk = block_co_open(&args, &err);
    g_assert_no_error(err);
    g_assert_cmpint(block_co_flush(file), ==, 0);

    l->main = coroutine_self();
    l->running = WORKERS;
    l->left = v->requests;
    quiet_flush(l);
    for (int i = 0; i < WORKERS; i++) {
        io_thread_spawn(thread, worker, l);
    }
    coroutine_yield();
    for (uint64_t s = 0; s < l->sh.sectors; s += 1000) {
        verify(l, s, MIN(1000, l->sh.sectors - s));
    }
    block_co_unref(l->disk);
    mem_node_free(file);
}

static void powercut(void *opaque)
{
    Load l = {.v = opaque};
    Mem crash = {.data = g_malloc(MEM_MAX)};
    int crashes = g_getenv("TEST_QUICK") ? 20 : 60;
    uint32_t seed = g_test_rand_int_range(1, G_MAXINT32);
    size_t first;

    l.rand = g_rand_new_with_seed(seed);
    g_test_message("seed %u", seed);
    l.mem = g_new0(Mem, 1);
    l.mem->data = calloc(1, MEM_MAX);
    l.mem->log = g_array_new(FALSE, FALSE, sizeof(LogEntry));
    l.mem->rand = l.rand;
    l.snaps = g_array_new(FALSE, FALSE, sizeof(Snap));
    l.zeroed = g_array_new(FALSE, FALSE, sizeof(ZeroEvent));
    l.sh.sectors = l.v->size / SECTOR;
    l.sh.newest = g_new0(uint32_t, l.sh.sectors);
    l.sh.busy = g_new0(bool, l.sh.sectors);
    l.sh.loose = g_new0(bool, l.sh.sectors);
    run_load(&l);

    first = g_array_index(l.snaps, Snap, 0).log_len;
    for (int i = 0; i < crashes; i++) {
        size_t n = (size_t)g_rand_int_range(l.rand, (int)first, (int)l.mem->log->len + 1);
        const Snap *snap = NULL;

        for (guint k = 0; k < l.snaps->len; k++) {
            if (g_array_index(l.snaps, Snap, k).log_len <= n) {
                snap = &g_array_index(l.snaps, Snap, k);
            }
        }
        crash_state(&l, &crash, n, i & 1);
        check_crash(&l, &crash, snap, n);
    }

    for (guint i = 0; i < l.mem->log->len; i++) {
        g_free(g_array_index(l.mem->log, LogEntry, i).data);
    }
    for (guint i = 0; i < l.snaps->len; i++) {
        g_free(g_array_index(l.snaps, Snap, i).durable);
        g_free(g_array_index(l.snaps, Snap, i).loose);
    }
    g_array_free(l.mem->log, TRUE);
    g_array_free(l.snaps, TRUE);
    g_array_free(l.zeroed, TRUE);
    free(l.mem->data);
    g_free(l.mem);
    g_free(crash.data);
    g_free(l.sh.newest);
    g_free(l.sh.busy);
    g_free(l.sh.loose);
    g_rand_free(l.rand);
}

static void test_image_survives_any_crash(gconstpointer data)
{
    io_thread_run_sync(thread, powercut, (void *)data);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    thread = io_thread_new("test", IO_ENGINE_AUTO, &err);
    g_assert_no_error(err);
    for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
        g_test_add_data_func(variants[i].name, &variants[i], test_image_survives_any_crash);
    }
    status = g_test_run();
    io_thread_free(thread);
    return status;
}
