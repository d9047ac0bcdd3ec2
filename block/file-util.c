/*
 * The file protocol besides requests: alignment, new files, temporary files, disk usage.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void block_file_probe_align(BlockFile *f)
{
    void *buf;

    f->align = f->mem_align = 4096;
#ifdef STATX_DIOALIGN
    struct statx sx;

    if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
        (sx.stx_mask & STATX_DIOALIGN) && sx.stx_dio_offset_align >= BLOCK_SECTOR_SIZE &&
        sx.stx_dio_mem_align) {
        f->align = sx.stx_dio_offset_align;
        f->mem_align = MAX(sx.stx_dio_mem_align, 4u);
        return;
    }
#endif
    buf = block_buffer_new(4096);
    for (uint32_t align = BLOCK_SECTOR_SIZE; align <= 4096; align *= 2) {
        ssize_t r = pread(f->fd, buf, align, 0);

        if (r >= 0 || errno != EINVAL) {
            f->align = align;
            f->mem_align = 4096;
            break;
        }
    }
    free(buf);
}

BlockNode *block_co_create_file(const char *filename, uint64_t length, bool direct, bool no_flush,
                                IoThread *thread, GError **err)
{
    BlockOpenArgs args;
    BlockNode *n;
    struct stat st;
    int fd = open(filename, O_CREAT | O_RDWR | O_CLOEXEC, 0644);

    if (fd < 0) {
        emu_set_error(err, "Could not create '%s': %s", filename, g_strerror(errno));
        return NULL;
    }
    /* Another process's image must not be emptied under it: lock first, then truncate. */
    if (block_file_lock(fd, filename, true, BLOCK_LOCKING_AUTO, err) < 0) {
        g_prefix_error(err, "Could not create '%s': ", filename);
        close(fd);
        return NULL;
    }
    if (fstat(fd, &st) < 0 ||
        (S_ISREG(st.st_mode) && (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)length) < 0))) {
        emu_set_error(err, "Could not resize '%s' to %" G_GUINT64_FORMAT " bytes: %s", filename,
                      length, g_strerror(errno));
        close(fd);
        return NULL;
    }
    block_open_args_init(&args, thread);
    args.driver = "file";
    args.filename = filename;
    args.direct = direct;
    args.no_flush = no_flush;
    /* Locks belong to the open file: the second one is taken before the first goes. */
    if (direct) {
        close(fd);
    } else {
        args.fd = fd;
    }
    n = block_co_open(&args, err);
    if (n && block_node_length(n) < length) {
        emu_set_error(err, "'%s' is smaller than the %" G_GUINT64_FORMAT " bytes needed", filename,
                      length);
        block_co_unref(n);
        return NULL;
    }
    return n;
}

int block_temp_file(GError **err)
{
    const char *dir = g_getenv("TMPDIR");
    g_autofree char *path = g_build_filename(dir && *dir ? dir : "/var/tmp", "emu-XXXXXX", NULL);
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0) {
        emu_set_error(err,
                      "Could not create a temporary file '%s': %s (set TMPDIR to another folder)",
                      path, g_strerror(errno));
        return -1;
    }
    unlink(path);
    return fd;
}

int64_t block_file_disk_usage(BlockNode *n)
{
    struct stat st;

    while (n && n->drv != &block_driver_file) {
        n = n->file;
    }
    if (!n || fstat(((BlockFile *)n->state)->fd, &st) < 0) {
        return -1;
    }
    return (int64_t)st.st_blocks * 512;
}

int block_co_file_allocate(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    BlockFile *f = n->state;
    int r = io_co_fallocate(f->fd, 0, offset, bytes);

    if (r == 0 && offset + bytes > block_node_length(n)) {
        atomic_store(&n->length, offset + bytes);
    }
    return r;
}
