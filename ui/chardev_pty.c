/*
 * The pty character back end: a pseudo-terminal whose other side anyone may open.
 *
 * While nobody has it open, output is dropped; a look once a second finds out who came.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "core/clock.h"
#include "ui/chardev_int.h"

typedef struct PtyChardev {
    Chardev chr;
    CharFd fd;
    Timer *timer;
    char *path;
} PtyChardev;

static void pty_look(void *opaque)
{
    PtyChardev *p = opaque;
    struct pollfd pfd = {.fd = p->fd.out_fd, .events = POLLOUT};

    poll(&pfd, 1, 0);
    if (!(pfd.revents & POLLHUP)) {
        char_event(&p->chr, CHAR_EVENT_OPENED);
        char_fd_accept_input(&p->fd);
        return;
    }
    timer_arm(p->timer, clock_now(CLOCK_RT) + NS_PER_SEC);
}

static void pty_hangup(Chardev *chr)
{
    PtyChardev *p = (PtyChardev *)chr;

    g_byte_array_set_size(p->fd.pending, 0);
    char_event(chr, CHAR_EVENT_CLOSED);
    char_writable(chr);
    timer_arm(p->timer, clock_now(CLOCK_RT) + NS_PER_SEC);
}

/* The other side starts raw, and having been opened once it reports a hang-up until the next open.
 */
static bool pty_prepare(const char *path)
{
    struct termios t;
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    if (tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    close(fd);
    return true;
}

static bool pty_open(Chardev *chr, KeyVal *kv, GError **err)
{
    PtyChardev *p = (PtyChardev *)chr;
    char path[64];
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

    (void)kv;
    if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, path, sizeof(path)) != 0 ||
        !pty_prepare(path)) {
        emu_set_error(err, "pty: %s", g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    p->path = g_strdup(path);
    p->timer = timer_new(CLOCK_RT, pty_look, p);
    p->fd.hangup = pty_hangup;
    char_fd_start(&p->fd, chr, fd, fd);
    timer_arm(p->timer, clock_now(CLOCK_RT) + NS_PER_SEC);
    printf("char device redirected to %s (label %s)\n", path, chr->id);
    fflush(stdout);
    return true;
}

static void pty_close(Chardev *chr)
{
    PtyChardev *p = (PtyChardev *)chr;

    timer_free(p->timer);
    char_fd_stop(&p->fd, false);
    g_free(p->path);
}

static size_t pty_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    PtyChardev *p = (PtyChardev *)chr;

    if (!chr->connected) {
        pty_look(p);
    }
    return chr->connected ? char_fd_write(&p->fd, buf, len) : len;
}

static void pty_wait(Chardev *chr)
{
    char_fd_wait(&((PtyChardev *)chr)->fd);
}

static void pty_accept_input(Chardev *chr)
{
    if (chr->connected) {
        char_fd_accept_input(&((PtyChardev *)chr)->fd);
    }
}

static void pty_describe(Chardev *chr, GString *out)
{
    g_string_append_printf(out, "pty:%s", ((PtyChardev *)chr)->path);
}

const ChardevKind chardev_pty = {
    .name = "pty",
    .options = "",
    .size = sizeof(PtyChardev),
    .open = pty_open,
    .close = pty_close,
    .write = pty_write,
    .wait_writable = pty_wait,
    .accept_input = pty_accept_input,
    .describe = pty_describe,
};
