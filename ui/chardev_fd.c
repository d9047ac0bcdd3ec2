/*
 * What every character back end on a file descriptor does: back-pressure in both directions.
 *
 * Input is watched only while the front end takes any. Output that the descriptor does not take
 * waits here, up to a bound; beyond it writes are short and the front end waits for writable().
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mainloop.h"
#include "ui/chardev_int.h"

enum { PENDING_MAX = 64 * 1024, READ_MAX = 4096, FLUSH_MS = 500 };

static gboolean fd_readable(int fd, GIOCondition cond, void *opaque);
static gboolean fd_writable(int fd, GIOCondition cond, void *opaque);

void char_fd_start(CharFd *cf, Chardev *chr, int in_fd, int out_fd)
{
    struct stat st;

    cf->chr = chr;
    cf->in_fd = in_fd;
    cf->out_fd = out_fd;
    cf->in_watch = cf->out_watch = 0;
    cf->pending = g_byte_array_new();
    cf->out_polls = out_fd >= 0 && fstat(out_fd, &st) == 0 && !S_ISREG(st.st_mode);
}

static void fd_unwatch(guint *id)
{
    if (*id) {
        main_loop_unwatch(*id);
        *id = 0;
    }
}

/* Writes until the descriptor would block. Returns bytes taken; errors count as taken: there is
 * nobody to give the bytes to. */
static size_t fd_push(CharFd *cf, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(cf->out_fd, buf + done, len - done);
        if (n >= 0) {
            done += n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            return len;
        }
    }
    return done;
}

static void fd_flush_some(CharFd *cf)
{
    if (cf->pending->len) {
        size_t n = fd_push(cf, cf->pending->data, cf->pending->len);
        g_byte_array_remove_range(cf->pending, 0, n);
    }
}

void char_fd_stop(CharFd *cf, bool flush)
{
    if (!cf->pending) {
        return;
    }
    for (int i = 0; flush && cf->pending->len && i < 10; i++) {
        struct pollfd p = {.fd = cf->out_fd, .events = POLLOUT};
        poll(&p, 1, FLUSH_MS / 10);
        fd_flush_some(cf);
    }
    fd_unwatch(&cf->in_watch);
    fd_unwatch(&cf->out_watch);
    if (cf->in_fd >= 0) {
        close(cf->in_fd);
    }
    if (cf->out_fd >= 0 && cf->out_fd != cf->in_fd) {
        close(cf->out_fd);
    }
    cf->in_fd = cf->out_fd = -1;
    g_byte_array_unref(cf->pending);
    cf->pending = NULL;
}

size_t char_fd_write(CharFd *cf, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    if (!cf->pending || cf->out_fd < 0) {
        return len;
    }
    fd_flush_some(cf);
    if (!cf->pending->len) {
        done = fd_push(cf, buf, len);
    }
    size_t room = MIN(len - done, PENDING_MAX - cf->pending->len);
    g_byte_array_append(cf->pending, buf + done, room);
    done += room;
    if ((cf->pending->len || done < len) && !cf->out_watch) {
        cf->out_watch = main_loop_watch_fd(cf->out_fd, G_IO_OUT, fd_writable, cf);
    }
    return done;
}

void char_fd_wait(CharFd *cf)
{
    if (cf->pending && cf->out_fd >= 0) {
        struct pollfd p = {.fd = cf->out_fd, .events = POLLOUT};
        poll(&p, 1, -1);
        fd_flush_some(cf);
    }
}

static gboolean fd_writable(int fd, GIOCondition cond, void *opaque)
{
    CharFd *cf = opaque;

    (void)fd;
    (void)cond;
    fd_flush_some(cf);
    if (cf->pending->len) {
        return G_SOURCE_CONTINUE;
    }
    cf->out_watch = 0;
    char_writable(cf->chr);
    return G_SOURCE_REMOVE;
}

void char_fd_accept_input(CharFd *cf)
{
    if (cf->pending && cf->in_fd >= 0 && !cf->in_watch && char_can_receive(cf->chr)) {
        cf->in_watch = main_loop_watch_fd(cf->in_fd, G_IO_IN, fd_readable, cf);
    }
}

static gboolean fd_readable(int fd, GIOCondition cond, void *opaque)
{
    CharFd *cf = opaque;
    uint8_t buf[READ_MAX];
    size_t want = MIN(char_can_receive(cf->chr), sizeof(buf));

    (void)cond;
    if (!want) { /* accept_input() watches again */
        cf->in_watch = 0;
        return G_SOURCE_REMOVE;
    }
    guint watch = cf->in_watch;
    ssize_t n = read(fd, buf, want);
    if (n > 0) {
        char_receive(cf->chr, buf, n); /* may close, or reopen, the whole thing */
        return cf->in_watch == watch ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    cf->in_watch = 0;
    if (cf->hangup) {
        cf->hangup(cf->chr);
    } else {
        if (cf->in_fd != cf->out_fd) {
            close(cf->in_fd);
        }
        cf->in_fd = -1;
        char_event(cf->chr, CHAR_EVENT_CLOSED);
    }
    return G_SOURCE_REMOVE;
}
