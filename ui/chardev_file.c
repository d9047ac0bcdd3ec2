/*
 * Character back ends without a peer that comes and goes: null, file, named pipes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ui/chardev_int.h"

/* ---- null ---- */

static bool null_open(Chardev *chr, KeyVal *kv, GError **err)
{
    (void)kv;
    (void)err;
    chr->connected = true;
    return true;
}

static size_t null_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    (void)chr;
    (void)buf;
    return len;
}

const ChardevKind chardev_null = {
    .name = "null",
    .options = "",
    .size = sizeof(Chardev),
    .open = null_open,
    .write = null_write,
};

/* ---- file and pipe ---- */

typedef struct FileChardev {
    Chardev chr;
    CharFd fd;
    char *path;
} FileChardev;

static int open_or_err(const char *path, int flags, GError **err)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);

    if (fd < 0) {
        emu_set_error(err, "%s: %s", path, g_strerror(errno));
    }
    return fd;
}

static bool take_path(FileChardev *f, KeyVal *kv, GError **err)
{
    f->path = g_strdup(keyval_get(kv, "path"));
    if (!f->path || !*f->path) {
        emu_set_error(err, "%s needs a path", f->chr.kind->name);
        g_free(f->path);
        return false;
    }
    return true;
}

static bool file_open(Chardev *chr, KeyVal *kv, GError **err)
{
    FileChardev *f = (FileChardev *)chr;
    bool append = false;

    if (!keyval_get_bool(kv, "append", &append, err) || !take_path(f, kv, err)) {
        return false;
    }
    int fd = open_or_err(f->path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), err);
    if (fd < 0) {
        g_free(f->path);
        return false;
    }
    char_fd_start(&f->fd, chr, -1, fd);
    chr->connected = true;
    return true;
}

/* PATH.in and PATH.out if both are there, else PATH for both directions. They are opened for
 * reading and writing so that opening does not wait for the other side, nor end of file follow its
 * leaving. */
static bool pipe_open(Chardev *chr, KeyVal *kv, GError **err)
{
    FileChardev *f = (FileChardev *)chr;

    if (!take_path(f, kv, err)) {
        return false;
    }
    g_autofree char *in = g_strconcat(f->path, ".in", NULL);
    g_autofree char *out = g_strconcat(f->path, ".out", NULL);
    int in_fd = open(in, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    int out_fd = open(out, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (in_fd < 0 || out_fd < 0) {
        if (in_fd >= 0) {
            close(in_fd);
        }
        if (out_fd >= 0) {
            close(out_fd);
        }
        in_fd = out_fd = open_or_err(f->path, O_RDWR | O_NONBLOCK, err);
        if (in_fd < 0) {
            g_free(f->path);
            return false;
        }
    }
    char_fd_start(&f->fd, chr, in_fd, out_fd);
    chr->connected = true;
    return true;
}

static void file_close(Chardev *chr)
{
    FileChardev *f = (FileChardev *)chr;

    char_fd_stop(&f->fd, true);
    g_free(f->path);
}

static size_t file_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return char_fd_write(&((FileChardev *)chr)->fd, buf, len);
}

static void file_wait(Chardev *chr)
{
    char_fd_wait(&((FileChardev *)chr)->fd);
}

static void file_accept_input(Chardev *chr)
{
    char_fd_accept_input(&((FileChardev *)chr)->fd);
}

static void file_describe(Chardev *chr, GString *out)
{
    g_string_append_printf(out, "%s:%s", chr->kind->name, ((FileChardev *)chr)->path);
}

const ChardevKind chardev_file = {
    .name = "file",
    .options = ",path=PATH[,append=on|off]",
    .size = sizeof(FileChardev),
    .open = file_open,
    .close = file_close,
    .write = file_write,
    .wait_writable = file_wait,
    .describe = file_describe,
};

const ChardevKind chardev_pipe = {
    .name = "pipe",
    .options = ",path=PATH",
    .size = sizeof(FileChardev),
    .open = pipe_open,
    .close = file_close,
    .write = file_write,
    .wait_writable = file_wait,
    .accept_input = file_accept_input,
    .describe = file_describe,
};
