/*
 * The file protocol: bytes in a host file or block device.
 *
 * Without O_DIRECT any byte range may be read and written. With it, what does not fit the host's
 * alignment goes through a bounce buffer, and a write that covers blocks in part is a
 * read-modify-write, which excludes every other write so that none is undone.
 * A read beyond the end gives zeroes, a write there extends the file.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_IOV_MAX 1024

/* ---- opening ---- */

static bool file_setup(BlockNode *n, int fd, GError **err)
{
    BlockFile *f = n->state;
    struct stat st;
    uint64_t length;

    f->fd = fd;
    f->align = f->mem_align = 1;
    if (fstat(fd, &st) < 0) {
        emu_set_error(err, "Could not open '%s': %s", n->filename, g_strerror(errno));
        return false;
    }
    f->regular = S_ISREG(st.st_mode);
    if (!f->regular && !S_ISBLK(st.st_mode)) {
        emu_set_error(err, "Could not open '%s': it is neither a regular file nor a block device",
                      n->filename);
        return false;
    }
    if (f->regular) {
        length = (uint64_t)st.st_size;
        n->dev = st.st_dev;
        n->ino = st.st_ino;
    } else {
        if (ioctl(fd, BLKGETSIZE64, &length) < 0) {
            emu_set_error(err, "Could not get the size of '%s': %s", n->filename,
                          g_strerror(errno));
            return false;
        }
        n->dev = st.st_rdev;
        n->ino = 0;
    }
    if (length > BLOCK_MAX_LENGTH) {
        emu_set_error(err, "'%s' is too large", n->filename);
        return false;
    }
    atomic_store(&n->length, length);
    if (f->direct) {
        block_file_probe_align(f);
    }
    return true;
}

static bool file_co_open(BlockNode *n, const BlockOpenArgs *args, GError **err)
{
    BlockFile *f = n->state;
    const char *path = n->filename;
    int flags = O_CLOEXEC | (args->direct ? O_DIRECT : 0);
    int fd = args->fd;

    f->fd = -1;
    f->direct = args->direct && fd < 0;
    if (fd < 0) {
        if (!*path) {
            emu_set_error(err, "The 'file' block driver requires a file name");
            return false;
        }
        fd = open(path, flags | (args->read_only ? O_RDONLY : O_RDWR));
        if (fd < 0 && !args->read_only && args->auto_read_only &&
            (errno == EACCES || errno == EROFS || errno == EPERM)) {
            n->read_only = true;
            fd = open(path, flags | O_RDONLY);
        }
        if (fd < 0) {
            if (errno == EINVAL && args->direct) {
                emu_set_error(err,
                              "Could not open '%s': its file system does not support O_DIRECT; use "
                              "cache=writeback or cache=writethrough",
                              path);
            } else {
                emu_set_error(err, "Could not open '%s': %s", path, g_strerror(errno));
            }
            return false;
        }
        if (!args->force_share &&
            block_file_lock(fd, path, !n->read_only, args->locking, err) < 0) {
            g_prefix_error(err, "Could not open '%s': ", path);
            close(fd);
            return false;
        }
    }
    if (!file_setup(n, fd, err)) {
        close(fd);
        f->fd = -1;
        return false;
    }
    return true;
}

static void file_co_close(BlockNode *n)
{
    BlockFile *f = n->state;

    if (f->fd >= 0) {
        close(f->fd);
        f->fd = -1;
    }
}

/* ---- reading ---- */

static int full_preadv(BlockFile *f, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                       int iovcnt)
{
    int64_t r = io_co_preadv(f->fd, iov, MIN(iovcnt, FILE_IOV_MAX), offset);
    uint64_t done;
    struct iovec stack[BLOCK_IOV_STACK], *rest = stack;

    if (r < 0) {
        return (int)r;
    }
    done = (uint64_t)r;
    if (done == bytes) {
        return 0;
    }
    if (iovcnt > BLOCK_IOV_STACK) {
        rest = g_new(struct iovec, iovcnt);
    }
    while (done < bytes) {
        int cnt = iov_slice(rest, iov, iovcnt, done, bytes - done);

        r = io_co_preadv(f->fd, rest, MIN(cnt, FILE_IOV_MAX), offset + done);
        if (r <= 0) {
            break;
        }
        done += (uint64_t)r;
    }
    if (r == 0 && done < bytes) {
        iov_zero(iov, iovcnt, done, bytes - done); /* end of file */
    }
    if (rest != stack) {
        g_free(rest);
    }
    return r < 0 ? (int)r : 0;
}

static bool iov_aligned(const struct iovec *iov, int iovcnt, uint32_t mem, uint32_t len)
{
    for (int i = 0; i < iovcnt; i++) {
        if ((uintptr_t)iov[i].iov_base & (mem - 1) || iov[i].iov_len & (len - 1)) {
            return false;
        }
    }
    return true;
}

static bool request_aligned(const BlockFile *f, uint64_t offset, uint64_t bytes,
                            const struct iovec *iov, int iovcnt)
{
    return !f->direct || (((offset | bytes) & (f->align - 1)) == 0 &&
                          iov_aligned(iov, iovcnt, f->mem_align, f->align));
}

static int file_co_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                        int iovcnt)
{
    BlockFile *f = n->state;
    uint64_t start, end;
    struct iovec one;
    int r;

    if (request_aligned(f, offset, bytes, iov, iovcnt)) {
        return full_preadv(f, offset, bytes, iov, iovcnt);
    }
    start = offset & ~(uint64_t)(f->align - 1);
    end = (offset + bytes + f->align - 1) & ~(uint64_t)(f->align - 1);
    one.iov_base = block_buffer_new(end - start);
    one.iov_len = end - start;
    r = full_preadv(f, start, end - start, &one, 1);
    if (r == 0) {
        iov_from_buf(iov, iovcnt, 0, (char *)one.iov_base + (offset - start), bytes);
    }
    free(one.iov_base);
    return r;
}

/* ---- writing ---- */

static int full_pwritev(BlockFile *f, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                        int iovcnt)
{
    int64_t r = io_co_pwritev(f->fd, iov, MIN(iovcnt, FILE_IOV_MAX), offset);
    uint64_t done;
    struct iovec stack[BLOCK_IOV_STACK], *rest = stack;

    if (r < 0) {
        return (int)r;
    }
    done = (uint64_t)r;
    if (done == bytes) {
        return 0;
    }
    if (iovcnt > BLOCK_IOV_STACK) {
        rest = g_new(struct iovec, iovcnt);
    }
    while (r > 0 && done < bytes) {
        int cnt = iov_slice(rest, iov, iovcnt, done, bytes - done);

        r = io_co_pwritev(f->fd, rest, MIN(cnt, FILE_IOV_MAX), offset + done);
        if (r > 0) {
            done += (uint64_t)r;
        }
    }
    if (rest != stack) {
        g_free(rest);
    }
    return r < 0 ? (int)r : done < bytes ? -ENOSPC : 0;
}

/* A write that does not fit the alignment: whole blocks through a bounce buffer. */
static int write_bounced(BlockFile *f, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                         int iovcnt)
{
    uint64_t mask = f->align - 1;
    uint64_t start = offset & ~mask, end = (offset + bytes + mask) & ~mask;
    bool partial = start != offset || end != offset + bytes;
    struct iovec one = {.iov_base = block_buffer_new(end - start), .iov_len = end - start};
    struct iovec part;
    int r = 0;

    if (partial) {
        co_rwlock_wrlock(&f->rmw);
        part.iov_len = f->align;
        part.iov_base = one.iov_base;
        r = full_preadv(f, start, f->align, &part, 1);
        if (r == 0 && end - start > f->align) {
            part.iov_base = (char *)one.iov_base + (end - start - f->align);
            r = full_preadv(f, end - f->align, f->align, &part, 1);
        }
    } else {
        co_rwlock_rdlock(&f->rmw);
    }
    if (r == 0) {
        iov_to_buf(iov, iovcnt, 0, (char *)one.iov_base + (offset - start), bytes);
        r = full_pwritev(f, start, end - start, &one, 1);
    }
    co_rwlock_unlock(&f->rmw);
    free(one.iov_base);
    return r;
}

static void grow_length(BlockNode *n, uint64_t end)
{
    if (end > block_node_length(n)) {
        atomic_store(&n->length, end);
    }
}

static int file_co_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                         int iovcnt)
{
    BlockFile *f = n->state;
    int r;

    if (!f->regular && offset + bytes > block_node_length(n)) {
        return -ENOSPC;
    }
    if (!request_aligned(f, offset, bytes, iov, iovcnt)) {
        r = write_bounced(f, offset, bytes, iov, iovcnt);
    } else if (f->direct && f->align > BLOCK_SECTOR_SIZE) {
        co_rwlock_rdlock(&f->rmw);
        r = full_pwritev(f, offset, bytes, iov, iovcnt);
        co_rwlock_unlock(&f->rmw);
    } else {
        r = full_pwritev(f, offset, bytes, iov, iovcnt);
    }
    f->write_gen++;
    if (r == 0) {
        grow_length(n, offset + bytes);
    }
    return r;
}

static bool unsupported(int r)
{
    return r == -EOPNOTSUPP || r == -ENOSYS || r == -ENOTTY || r == -EINVAL || r == -ENODEV;
}

static int file_co_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags)
{
    BlockFile *f = n->state;
    bool inside = offset + bytes <= block_node_length(n);
    int r = -EOPNOTSUPP;

    if ((flags & BLOCK_REQ_UNMAP) && inside && !f->no_punch) {
        r = io_co_fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
        f->no_punch = r < 0 && unsupported(r);
    }
    if (r < 0 && unsupported(r) && !f->no_zero_range) {
        r = io_co_fallocate(f->fd, FALLOC_FL_ZERO_RANGE, offset, bytes);
        f->no_zero_range = r < 0 && unsupported(r);
        if (r == 0) {
            grow_length(n, offset + bytes);
        }
    }
    f->write_gen++;
    return r < 0 && unsupported(r) ? -ENOTSUP : r;
}

static int file_co_discard(BlockNode *n, uint64_t offset, uint64_t bytes)
{
    BlockFile *f = n->state;
    int r;

    if (f->no_punch) {
        return 0;
    }
    r = io_co_fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
    f->write_gen++;
    if (r < 0 && unsupported(r)) {
        f->no_punch = true;
        return 0; /* a discard is a hint */
    }
    return r;
}

static int file_co_flush(BlockNode *n)
{
    BlockFile *f = n->state;
    uint64_t wanted = f->write_gen, covered;
    int r = 0;

    if (n->no_flush) {
        return 0;
    }
    co_mutex_lock(&f->flush_lock);
    if (f->flush_error) {
        r = f->flush_error;
    } else if (f->flushed_gen < wanted) {
        covered = f->write_gen;
        r = io_co_fdatasync(f->fd);
        if (r == 0) {
            f->flushed_gen = covered;
        } else if (!f->direct) {
            f->flush_error = r;
        }
    }
    co_mutex_unlock(&f->flush_lock);
    return r;
}

/* ---- layout ---- */

static int file_co_status(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out)
{
    BlockFile *f = n->state;
    off_t data = -1, hole;

    out->present = true;
    out->offset_valid = true;
    out->host_offset = offset;
    out->data = true;
    if (f->regular) {
        data = lseek(f->fd, (off_t)offset, SEEK_DATA);
    }
    if (data < 0) {
        if (f->regular && errno == ENXIO) { /* a hole up to the end */
            out->data = false;
            out->zero = true;
        }
    } else if ((uint64_t)data > offset) {
        out->data = false;
        out->zero = true;
        out->bytes = MIN(bytes, (uint64_t)data - offset);
    } else {
        hole = lseek(f->fd, (off_t)offset, SEEK_HOLE);
        if (hole > 0 && (uint64_t)hole > offset) {
            out->bytes = MIN(bytes, (uint64_t)hole - offset);
        }
    }
    return 0;
}

typedef struct TruncateJob {
    int fd;
    uint64_t length;
} TruncateJob;

static int64_t truncate_job(void *opaque)
{
    TruncateJob *job = opaque;

    return ftruncate(job->fd, (off_t)job->length) < 0 ? -errno : 0;
}

static int file_co_truncate(BlockNode *n, uint64_t length, GError **err)
{
    BlockFile *f = n->state;
    TruncateJob job = {f->fd, length};
    int r;

    if (!f->regular) {
        if (length <= block_node_length(n)) {
            return 0;
        }
        emu_set_error(err, "Cannot grow the device '%s'", n->filename);
        return -ENOTSUP;
    }
    r = (int)io_co_blocking(truncate_job, &job);
    if (r < 0) {
        emu_set_error(err, "Could not resize '%s': %s", n->filename, g_strerror(-r));
        return r;
    }
    f->write_gen++;
    atomic_store(&n->length, length);
    return 0;
}

const BlockDriver block_driver_file = {
    .name = "file",
    .protocol = true,
    .state_size = sizeof(BlockFile),
    .co_open = file_co_open,
    .co_close = file_co_close,
    .co_read = file_co_read,
    .co_write = file_co_write,
    .co_write_zeroes = file_co_write_zeroes,
    .co_discard = file_co_discard,
    .co_flush = file_co_flush,
    .co_status = file_co_status,
    .co_truncate = file_co_truncate,
};
