/*
 * Drives and nodes that go wrong: options that are refused, images that turn out corrupt while the
 * guest runs, errors that stop the machine, media that change. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/backend-int.h"
#include "block/options.h"
#include "block/qcow2-create.h"

static char *folder;
static IoThread *thread;

static char *path_of(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

/* ---- requests, one at a time ---- */

typedef struct Wait {
    GMutex lock;
    GCond cond;
    bool done;
    int ret;
} Wait;

static void wait_done(BlockRequest *req, int ret)
{
    Wait *w = req->opaque;

    g_mutex_lock(&w->lock);
    w->ret = ret;
    w->done = true;
    g_cond_signal(&w->cond);
    g_mutex_unlock(&w->lock);
}

static int request(BlockBackend *blk, BlockOp op, uint64_t offset, void *buf, size_t len)
{
    Wait w = {.done = false};
    struct iovec iov = {buf, len};
    BlockRequest req = {.op = op,
                        .offset = offset,
                        .bytes = len,
                        .iov = &iov,
                        .iovcnt = 1,
                        .done = wait_done,
                        .opaque = &w};

    g_mutex_init(&w.lock);
    g_cond_init(&w.cond);
    block_submit(blk, &req);
    g_mutex_lock(&w.lock);
    while (!w.done) {
        g_cond_wait(&w.cond, &w.lock);
    }
    g_mutex_unlock(&w.lock);
    g_mutex_clear(&w.lock);
    g_cond_clear(&w.cond);
    return w.ret;
}

static int read_at(BlockBackend *blk, uint64_t offset, uint8_t expect)
{
    uint8_t buf[4096];
    int r = request(blk, BLOCK_OP_READ, offset, buf, sizeof(buf));

    if (r == 0) {
        g_assert_cmpint(buf[0], ==, expect);
        g_assert_cmpint(buf[4095], ==, expect);
    }
    return r;
}

static int write_at(BlockBackend *blk, uint64_t offset, uint8_t value)
{
    uint8_t buf[4096];

    memset(buf, value, sizeof(buf));
    return request(blk, BLOCK_OP_WRITE, offset, buf, sizeof(buf));
}

/* ---- images ---- */

static void make_job(void *opaque)
{
    const char *path = opaque;
    Qcow2CreateOptions o;
    BlockNode *file = block_co_create_file(path, 0, false, true, thread, NULL);

    qcow2_create_options_init(&o);
    o.size = 64 << 20;
    g_assert_true(qcow2_co_create(file, &o, NULL));
    block_co_unref(file);
}

static BlockBackend *open_drive(const char *options)
{
    GError *err = NULL;
    DriveInfo *d = block_drive_add(options, NULL, false, thread, &err);

    g_assert_no_error(err);
    return d->blk;
}

/* An image with clusters 0 and 1 written; its L2 table is at the offset returned. */
static char *make_image(uint64_t *l2)
{
    char *path = path_of("disk.qcow2");
    g_autofree char *options = g_strdup_printf("file=%s,if=none,id=d,format=qcow2", path);
    BlockBackend *blk;
    uint64_t l1, entry;
    FILE *f;

    io_thread_run_sync(thread, make_job, path);
    blk = open_drive(options);
    g_assert_cmpint(write_at(blk, 0, 1), ==, 0);
    g_assert_cmpint(write_at(blk, 65536, 2), ==, 0);
    block_close_all();
    f = fopen(path, "rb");
    fseek(f, 40, SEEK_SET);
    g_assert_cmpint(fread(&l1, 8, 1, f), ==, 1);
    fseek(f, (long)GUINT64_FROM_BE(l1), SEEK_SET);
    g_assert_cmpint(fread(&entry, 8, 1, f), ==, 1);
    fclose(f);
    *l2 = GUINT64_FROM_BE(entry) & QCOW2_OFFSET_MASK;
    return path;
}

static void patch64(const char *path, uint64_t offset, uint64_t value)
{
    FILE *f = fopen(path, "r+b");
    uint64_t be = GUINT64_TO_BE(value);

    fseek(f, (long)offset, SEEK_SET);
    fwrite(&be, 8, 1, f);
    fclose(f);
}

static uint64_t peek64(const char *path, uint64_t offset)
{
    FILE *f = fopen(path, "rb");
    uint64_t be = 0;

    fseek(f, (long)offset, SEEK_SET);
    g_assert_cmpint(fread(&be, 8, 1, f), ==, 1);
    fclose(f);
    return GUINT64_FROM_BE(be);
}

static void bad_l2_entry_is_an_io_error(gconstpointer data)
{
    uint64_t l2;
    g_autofree char *path = make_image(&l2);
    g_autofree char *options = g_strdup_printf("file=%s,if=none,id=d,format=qcow2", path);
    BlockBackend *blk;

    patch64(path, l2 + 8, *(const uint64_t *)data);
    blk = open_drive(options);
    g_assert_cmpint(read_at(blk, 0, 1), ==, 0);
    g_assert_cmpint(write_at(blk, 4096, 5), ==, 0);
    g_assert_cmpint(read_at(blk, 65536, 2), ==, -EIO);
    g_assert_cmpint(write_at(blk, 65536, 2), ==, -EIO);
    g_assert_cmpint(write_at(blk, 0, 3), ==, -EIO); /* read-only from now on */
    g_assert_cmpint(write_at(blk, 1 << 20, 3), ==, -EIO);
    g_assert_cmpint(read_at(blk, 0, 1), ==, 0);
    g_assert_cmpint(request(blk, BLOCK_OP_DISCARD, 0, NULL, 65536), ==, 0);
    block_close_all();
    g_assert_cmpuint(peek64(path, QCOW2_HDR_INCOMPATIBLE) & QCOW2_INCOMPAT_CORRUPT, !=, 0);
}

static void data_never_overwrites_metadata(gconstpointer data)
{
    uint64_t l2, l1, before;
    g_autofree char *path = make_image(&l2);
    g_autofree char *options = g_strdup_printf("file=%s,if=none,id=d,format=qcow2", path);
    BlockBackend *blk;
    uint64_t target;

    (void)data;
    l1 = peek64(path, 40);
    target = l1;
    before = peek64(path, l1);
    patch64(path, l2 + 8, target | QCOW2_OFLAG_COPIED);
    blk = open_drive(options);
    g_assert_cmpint(write_at(blk, 65536, 0xee), ==, -EIO);
    g_assert_cmpint(read_at(blk, 0, 1), ==, 0);
    block_close_all();
    g_assert_cmpuint(peek64(path, l1), ==, before);
    g_assert_cmpuint(peek64(path, QCOW2_HDR_INCOMPATIBLE) & QCOW2_INCOMPAT_CORRUPT, !=, 0);
}

static void free_metadata_is_never_allocated(void)
{
    uint64_t l2, table, block;
    g_autofree char *path = make_image(&l2);
    g_autofree char *options = g_strdup_printf("file=%s,if=none,id=d,format=qcow2", path);
    BlockBackend *blk;

    table = peek64(path, 48);
    block = peek64(path, table);
    patch64(path, block, 0); /* the first four clusters count as free */
    blk = open_drive(options);
    g_assert_cmpint(write_at(blk, 8 << 20, 9), ==, -EIO);
    g_assert_cmpint(read_at(blk, 0, 1), ==, 0);
    block_close_all();
    g_assert_cmpuint(peek64(path, 0) >> 32, ==, QCOW2_MAGIC);
    g_assert_cmpuint(peek64(path, table), ==, block);
}

static void bad_compressed_data_is_an_io_error(void)
{
    uint64_t l2;
    g_autofree char *path = make_image(&l2);
    g_autofree char *options = g_strdup_printf("file=%s,if=none,id=d,format=qcow2", path);
    BlockBackend *blk;

    patch64(path, l2 + 8, QCOW2_OFLAG_COMPRESSED | (uint64_t)3 << 54 | (l2 + 8));
    blk = open_drive(options);
    g_assert_cmpint(read_at(blk, 65536, 2), ==, -EIO);
    g_assert_cmpint(read_at(blk, 0, 1), ==, 0);
    block_close_all();
}

/* ---- options ---- */

static void drive_options_are_refused_by_name(void)
{
    static const struct {
        const char *options, *says;
    } cases[] = {
        {"file=%s,format=raw,banana=1", "banana"},
        {"file=%s,format=raw,throttling.iops-total=5", "throttling.iops-total"},
        {"file=%s,format=raw,copy-on-read=on", "copy-on-read"},
        {"file=%s,format=vmdk", "vmdk"},
        {"file=%s,format=raw,aio=native", "native"},
        {"file=%s,format=raw,cache=sometimes", "sometimes"},
        {"file=%s,format=raw,if=scsi", "scsi"},
        {"file=%s,format=raw,media=tape", "tape"},
        {"file=%s,format=raw,index=x", "index"},
        {"file=%s,format=raw,index=1,unit=1", "index"},
        {"file=%s,format=raw,unit=2", "unit"},
        {"file=%s,format=raw,werror=panic", "panic"},
        {"file=%s,format=raw,rerror=enospc", "rerror"},
        {"file=%s,format=raw,discard=maybe", "maybe"},
        {"file=%s,format=raw,detect-zeroes=unmap", "discard"},
        {"file=%s,format=qcow2", "qcow2"},
        {"file=%s.missing,format=raw", "No such file"},
        {"file=nbd:localhost:1,id=%s", "nbd"},
    };
    g_autofree char *path = path_of("plain");

    g_assert_true(g_file_set_contents(path, "plain", -1, NULL));
    g_assert_cmpint(truncate(path, 1 << 20), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(cases[i].options, "%s", 2);
        g_autofree char *options = g_strconcat(parts[0], path, parts[1], NULL);
        g_autoptr(GError) err = NULL;

        g_assert_null(block_drive_add(options, NULL, false, thread, &err));
        g_assert_nonnull(err);
        if (!strstr(err->message, cases[i].says)) {
            g_error("'%s': '%s' does not say '%s'", options, err->message, cases[i].says);
        }
        g_assert_null(strchr(err->message, '\n'));
    }
    g_assert_cmpuint(block_drives()->len, ==, 0);
}

static void drives_get_qemus_names_and_places(void)
{
    GError *err = NULL;
    DriveInfo *d;

    d = block_drive_add("if=none,id=x", NULL, false, thread, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(d->id, ==, "x");
    d = block_drive_add("driver=null-co,size=1M", "media=disk,index=0", false, thread, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(d->id, ==, "ide0-hd0");
    d = block_drive_add("", "media=cdrom,index=2", false, thread, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(d->id, ==, "ide1-cd0");
    g_assert_false(block_inserted(d->blk));
    d = block_drive_add("driver=null-co,if=virtio", NULL, false, thread, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(d->id, ==, "virtio0");
    d = block_drive_add("driver=null-co", NULL, false, thread, &err);
    g_assert_cmpstr(d->id, ==, "ide0-hd1");
    g_assert_cmpint(d->index, ==, 1);
    g_assert_null(block_drive_add("driver=null-co,index=1", NULL, false, thread, &err));
    g_clear_error(&err);
    g_assert_null(block_drive_add("driver=null-co,id=x,if=none", NULL, false, thread, &err));
    g_clear_error(&err);
    block_close_all();
}

static void blockdev_takes_pairs_and_json(void)
{
    uint64_t l2;
    g_autofree char *path = make_image(&l2);
    g_autofree char *pairs = g_strdup_printf("driver=file,filename=%s,node-name=f", path);
    g_autofree char *json =
        g_strdup_printf("{\"driver\":\"qcow2\",\"node-name\":\"q\",\"file\":{\"driver\":\"file\","
                        "\"filename\":\"%s\"},"
                        "\"backing\":null,\"read-only\":true,\"cache\":{\"direct\":false}}",
                        path);
    GError *err = NULL;
    BlockBackend *blk;

    g_assert_true(block_node_add(pairs, thread, &err));
    g_assert_no_error(err);
    g_assert_true(block_node_add("driver=qcow2,node-name=q0,file=f", thread, &err));
    g_assert_no_error(err);
    blk = block_backend_find("q0", &err);
    g_assert_no_error(err);
    g_assert_cmpint(read_at(blk, 65536, 2), ==, 0);
    g_assert_cmpint(write_at(blk, 65536, 2), ==, 0);
    /* The file is taken, by this process, too. */
    g_assert_false(block_node_add("driver=raw,node-name=r,file=f", thread, &err));
    g_assert_nonnull(strstr(err->message, "in use"));
    g_clear_error(&err);
    g_assert_false(block_node_add(json, thread, &err));
    g_assert_nonnull(strstr(err->message, "lock"));
    g_clear_error(&err);
    block_close_all();

    g_assert_true(block_node_add(json, thread, &err));
    g_assert_no_error(err);
    blk = block_backend_find("q", &err);
    g_assert_true(block_readonly(blk));
    g_assert_false(block_backend_attach(blk, "disk", true, &err));
    g_clear_error(&err);
    g_assert_true(block_backend_attach(blk, "disk", false, &err));
    g_assert_false(block_backend_attach(blk, "disk2", false, &err));
    g_clear_error(&err);
    g_assert_cmpint(read_at(blk, 65536, 2), ==, 0);
    g_assert_cmpint(write_at(blk, 65536, 2), ==, -EPERM);
    block_close_all();

    static const char *const wrong[] = {
        "driver=file,node-name=x",
        "driver=raw,node-name=x",
        "driver=banana,node-name=x",
        "driver=null-co",
        "driver=null-co,node-name=x,y=1",
        "{\"driver\":",
        "[1]",
        "{\"driver\":\"null-co\",\"node-name\":[1]}",
        "driver=raw,node-name=x,file=nix",
        "driver=qcow2,node-name=x,file.driver=null-co",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_false(block_node_add(wrong[i], thread, &err));
        g_assert_nonnull(err);
        g_assert_null(strchr(err->message, '\n'));
        g_clear_error(&err);
        block_close_all();
    }
}

static void two_writers_are_refused(void)
{
    uint64_t l2;
    g_autofree char *path = make_image(&l2);
    g_autofree char *options = g_strdup_printf("file=%s,if=none,id=a", path);
    g_autofree char *again = g_strdup_printf("file=%s,if=none,id=b", path);
    g_autofree char *reader = g_strdup_printf("file=%s,if=none,id=c,readonly=on", path);
    g_autofree char *sharing =
        g_strdup_printf("file=%s,if=none,id=d,readonly=on,force-share=on", path);
    GError *err = NULL;

    open_drive(options);
    g_assert_null(block_drive_add(again, NULL, false, thread, &err));
    g_assert_nonnull(strstr(err->message, "lock"));
    g_clear_error(&err);
    g_assert_null(block_drive_add(reader, NULL, false, thread, &err));
    g_clear_error(&err);
    open_drive(sharing);
    block_close_all();
    open_drive(reader);
    g_assert_null(block_drive_add(again, NULL, false, thread, &err));
    g_clear_error(&err);
    block_close_all();
}

static void probed_raw_image_cannot_become_another_format(void)
{
    g_autofree char *path = path_of("probed");
    g_autofree char *options = NULL, *given = NULL;
    uint8_t sector[512] = "QFI\xfb";
    BlockBackend *blk;

    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(truncate(path, 1 << 20), ==, 0);
    options = g_strdup_printf("file=%s,if=none,id=d", path);
    given = g_strdup_printf("%s,format=raw", options);
    blk = open_drive(options);
    g_assert_cmpint(request(blk, BLOCK_OP_WRITE, 0, sector, 512), ==, -EPERM);
    g_assert_cmpint(request(blk, BLOCK_OP_WRITE, 512, sector, 512), ==, 0);
    sector[0] = 0;
    g_assert_cmpint(request(blk, BLOCK_OP_WRITE, 0, sector, 512), ==, 0);
    block_close_all();
    blk = open_drive(given);
    sector[0] = 'Q';
    g_assert_cmpint(request(blk, BLOCK_OP_WRITE, 0, sector, 512), ==, 0);
    block_close_all();
}

static void requests_outside_the_disk_fail(void)
{
    BlockBackend *blk = open_drive("driver=null-co,size=1M,if=none,id=d,read-zeroes=on");
    uint8_t buf[1024] = {0};

    g_assert_cmpint(request(blk, BLOCK_OP_READ, (1 << 20) - 512, buf, 1024), ==, -EIO);
    g_assert_cmpint(request(blk, BLOCK_OP_WRITE, UINT64_MAX - 511, buf, 512), ==, -EIO);
    g_assert_cmpint(request(blk, BLOCK_OP_READ, 100, buf, 512), ==, -EIO);
    g_assert_cmpint(request(blk, BLOCK_OP_READ, (1 << 20) - 512, buf, 512), ==, 0);
    block_close_all();
}

/* ---- errors that stop the machine ---- */

static int fail_times;

static int failing_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                         int iovcnt)
{
    (void)n;
    (void)offset;
    (void)bytes;
    (void)iov;
    (void)iovcnt;
    return fail_times-- > 0 ? -ENOSPC : 0;
}

static const BlockDriver failing_driver = {
    .name = "failing", .protocol = true, .co_write = failing_write};

static _Atomic int stops;

static void note_stop(void *opaque, const char *drive, int error)
{
    g_assert_cmpstr(drive, ==, "d");
    g_assert_cmpint(error, ==, ENOSPC);
    (void)opaque;
    stops++;
}

static gpointer resume_later(gpointer opaque)
{
    while (stops == 0) {
        g_usleep(1000);
    }
    block_resume_requests();
    return opaque;
}

static void full_host_disk_stops_and_the_request_is_repeated(void)
{
    BlockBackend *blk = open_drive("if=none,id=d");
    BlockNode *n = g_new0(BlockNode, 1);
    uint8_t buf[512] = {0};
    GThread *t;

    n->drv = &failing_driver;
    n->refs = 1;
    n->thread = thread;
    n->node_name = g_strdup("failing");
    n->filename = g_strdup("");
    n->state = g_malloc0(1);
    atomic_store(&n->length, 1 << 20);
    block_backend_set_root(blk, n);
    fail_times = 1;
    g_assert_cmpint(request(blk, BLOCK_OP_WRITE, 0, buf, 512), ==,
                    -ENOSPC); /* nobody can stop: reported */
    block_set_stop_fn(note_stop, NULL);
    fail_times = 1;
    t = g_thread_new("resume", resume_later, NULL);
    g_assert_cmpint(request(blk, BLOCK_OP_WRITE, 0, buf, 512), ==, 0);
    g_thread_join(t);
    g_assert_cmpint(stops, ==, 1);
    block_set_stop_fn(NULL, NULL);
    block_close_all();
}

/* ---- media ---- */

static void count_change(void *opaque)
{
    ++*(int *)opaque;
}

static void medium_can_be_ejected_and_changed(void)
{
    g_autofree char *one = path_of("one.iso"), *two = path_of("two.iso");
    g_autofree char *options = g_strdup_printf("file=%s,media=cdrom,id=cd,if=none,format=raw", one);
    char content[4096];
    BlockBackend *blk;
    GError *err = NULL;
    int changes = 0;

    memset(content, '1', sizeof(content));
    g_assert_true(g_file_set_contents(one, content, sizeof(content), NULL));
    memset(content, '2', sizeof(content));
    g_assert_true(g_file_set_contents(two, content, sizeof(content), NULL));
    blk = open_drive(options);
    g_assert_true(block_backend_attach(blk, "cd", false, &err));
    block_backend_set_change_cb(blk, count_change, &changes);
    g_assert_cmpint(read_at(blk, 0, '1'), ==, 0);
    g_assert_true(block_readonly(blk));
    g_assert_true(block_eject("cd", false, &err));
    g_assert_false(block_inserted(blk));
    g_assert_cmpint(read_at(blk, 0, '1'), ==, -ENOMEDIUM);
    g_assert_true(block_change("cd", two, &err));
    g_assert_cmpint(read_at(blk, 0, '2'), ==, 0);
    g_assert_false(block_change("cd", "/nothing", &err));
    g_clear_error(&err);
    g_assert_cmpint(read_at(blk, 0, '2'), ==, 0);
    g_assert_cmpint(changes, ==, 2);
    g_assert_false(block_eject("nothing", false, &err));
    g_clear_error(&err);
    block_close_all();
}

static const uint64_t misaligned = 0x50200 | QCOW2_OFLAG_COPIED,
                      outside = (1ull << 45) | QCOW2_OFLAG_COPIED,
                      reserved = 0x50000 | QCOW2_OFLAG_COPIED | 1ull << 60,
                      compressed_outside = QCOW2_OFLAG_COMPRESSED | 1ull << 44;

int main(int argc, char **argv)
{
    GError *err = NULL;
    g_autofree char *clean = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("drive-XXXXXX", &err);
    g_assert_no_error(err);
    thread = io_thread_new("test", IO_ENGINE_AUTO, &err);
    g_assert_no_error(err);
    g_test_add_data_func("/block/corrupt/misaligned_l2_entry_is_an_io_error", &misaligned,
                         bad_l2_entry_is_an_io_error);
    g_test_add_data_func("/block/corrupt/l2_entry_outside_the_file_is_an_io_error", &outside,
                         bad_l2_entry_is_an_io_error);
    g_test_add_data_func("/block/corrupt/l2_entry_with_reserved_bits_is_an_io_error", &reserved,
                         bad_l2_entry_is_an_io_error);
    g_test_add_data_func("/block/corrupt/compressed_entry_outside_the_file_is_an_io_error",
                         &compressed_outside, bad_l2_entry_is_an_io_error);
    g_test_add_data_func("/block/corrupt/data_never_overwrites_metadata", NULL,
                         data_never_overwrites_metadata);
    g_test_add_func("/block/corrupt/metadata_is_never_allocated", free_metadata_is_never_allocated);
    g_test_add_func("/block/corrupt/bad_compressed_data_is_an_io_error",
                    bad_compressed_data_is_an_io_error);
    g_test_add_func("/block/options/drive_options_are_refused_by_name",
                    drive_options_are_refused_by_name);
    g_test_add_func("/block/options/drives_get_qemus_names_and_places",
                    drives_get_qemus_names_and_places);
    g_test_add_func("/block/options/blockdev_takes_pairs_and_json", blockdev_takes_pairs_and_json);
    g_test_add_func("/block/options/two_writers_are_refused", two_writers_are_refused);
    g_test_add_func("/block/raw/probed_image_cannot_become_another_format",
                    probed_raw_image_cannot_become_another_format);
    g_test_add_func("/block/backend/requests_outside_the_disk_fail",
                    requests_outside_the_disk_fail);
    g_test_add_func("/block/backend/full_host_disk_stops_and_the_request_is_repeated",
                    full_host_disk_stops_and_the_request_is_repeated);
    g_test_add_func("/block/backend/medium_can_be_ejected_and_changed",
                    medium_can_be_ejected_and_changed);
    status = g_test_run();
    io_thread_free(thread);
    clean = g_strdup_printf("rm -rf '%s'", folder);
    status |= system(clean) != 0;
    g_free(folder);
    return status;
}
