/*
 * The socket character back end: TCP or Unix, as client or as a server for one client at a time.
 *
 * While nobody is connected, output is dropped.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>

#include "core/mainloop.h"
#include "ui/chardev_int.h"

typedef struct SocketChardev {
    Chardev chr;
    CharFd fd;
    char *path, *host, *port;
    bool server, wait, nodelay;
    int listen_fd;
    guint listen_watch;
} SocketChardev;

static gboolean socket_incoming(int fd, GIOCondition cond, void *opaque);

static void socket_describe(Chardev *chr, GString *out)
{
    SocketChardev *s = (SocketChardev *)chr;

    if (s->path) {
        g_string_append_printf(out, "unix:%s", s->path);
    } else {
        g_string_append_printf(out, "tcp:%s:%s", s->host, s->port);
    }
    g_string_append(out, s->server ? ",server=on" : "");
}

/* ---- connections ---- */

static void socket_listen_again(SocketChardev *s)
{
    if (s->listen_fd >= 0 && !s->listen_watch) {
        s->listen_watch = main_loop_watch_fd(s->listen_fd, G_IO_IN, socket_incoming, s);
    }
}

static void socket_hangup(Chardev *chr)
{
    SocketChardev *s = (SocketChardev *)chr;

    char_fd_stop(&s->fd, false);
    char_event(chr, CHAR_EVENT_CLOSED);
    char_writable(chr);
    socket_listen_again(s);
}

static void socket_connected(SocketChardev *s, int fd)
{
    int one = 1;

    if (!s->path && s->nodelay) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    s->fd.hangup = socket_hangup;
    char_fd_start(&s->fd, &s->chr, fd, fd);
    char_event(&s->chr, CHAR_EVENT_OPENED);
    char_fd_accept_input(&s->fd);
}

static gboolean socket_incoming(int listen_fd, GIOCondition cond, void *opaque)
{
    SocketChardev *s = opaque;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)cond;
    if (fd < 0) {
        return G_SOURCE_CONTINUE;
    }
    s->listen_watch = 0;
    socket_connected(s, fd);
    return G_SOURCE_REMOVE;
}

/* ---- set-up ---- */

static int finish_fd(SocketChardev *s, int fd, const struct sockaddr *addr, socklen_t len)
{
    int one = 1;

    if (!s->server) {
        return connect(fd, addr, len);
    }
    if (addr->sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    return bind(fd, addr, len) < 0 ? -1 : listen(fd, 1);
}

static int unix_fd(SocketChardev *s, GError **err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (strlen(s->path) >= sizeof(addr.sun_path)) {
        emu_set_error(err, "%s: a socket's path has at most %zu bytes", s->path,
                      sizeof(addr.sun_path) - 1);
        return -1;
    }
    strcpy(addr.sun_path, s->path);
    struct stat st;
    if (s->server && lstat(s->path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(s->path); /* of an earlier run */
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || finish_fd(s, fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        emu_set_error(err, "%s: %s", s->path, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int tcp_fd(SocketChardev *s, GError **err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = s->server ? AI_PASSIVE : 0};
    struct addrinfo *list = NULL;
    int fd = -1, error = 0;
    int rc = getaddrinfo(*s->host ? s->host : NULL, s->port, &hints, &list);

    if (rc != 0) {
        emu_set_error(err, "%s:%s: %s", s->host, s->port, gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && finish_fd(s, fd, a->ai_addr, a->ai_addrlen) < 0) {
            error = errno;
            close(fd);
            fd = -1;
        } else if (fd < 0) {
            error = errno;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        emu_set_error(err, "%s:%s: %s", s->host, s->port, g_strerror(error));
    }
    return fd;
}

static bool socket_options(SocketChardev *s, KeyVal *kv, GError **err)
{
    bool nowait = false, has_wait = keyval_get(kv, "wait") != NULL;

    s->wait = true;
    if (!keyval_get_bool(kv, "server", &s->server, err) ||
        !keyval_get_bool(kv, "wait", &s->wait, err) ||
        !keyval_get_bool(kv, "nowait", &nowait, err) ||
        !keyval_get_bool(kv, "nodelay", &s->nodelay, err)) {
        return false;
    }
    if (!s->server && (has_wait || nowait)) {
        emu_set_error(err, "wait and nowait go with server=on");
        return false;
    }
    if (nowait) {
        s->wait = false;
    }
    s->path = g_strdup(keyval_get(kv, "path"));
    s->host = g_strdup(keyval_get(kv, "host"));
    s->port = g_strdup(keyval_get(kv, "port"));
    if (s->path ? s->host || s->port : !s->port) {
        emu_set_error(err, "a socket has either path=, or port= and perhaps host=");
        return false;
    }
    if (s->port && !s->host) {
        s->host = g_strdup(s->server ? "" : "localhost");
    }
    return true;
}

static void socket_free(SocketChardev *s)
{
    g_free(s->path);
    g_free(s->host);
    g_free(s->port);
}

static bool socket_open(Chardev *chr, KeyVal *kv, GError **err)
{
    SocketChardev *s = (SocketChardev *)chr;

    s->listen_fd = -1;
    if (!socket_options(s, kv, err)) {
        socket_free(s);
        return false;
    }
    return true;
}

/* Until somebody connects. The process's signals are blocked; these may end it while it waits. */
static int wait_for_client(SocketChardev *s)
{
    g_autoptr(GString) name = g_string_new(NULL);
    struct pollfd p = {.fd = s->listen_fd, .events = POLLIN};
    sigset_t mask;
    int fd;

    socket_describe(&s->chr, name);
    fprintf(stderr, "%s: waiting for a connection on %s\n", g_get_prgname(), name->str);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigdelset(&mask, SIGINT);
    sigdelset(&mask, SIGTERM);
    sigdelset(&mask, SIGHUP);
    do {
        ppoll(&p, 1, NULL, &mask);
        fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0);
    return fd;
}

static bool socket_ready(Chardev *chr, GError **err)
{
    SocketChardev *s = (SocketChardev *)chr;
    int fd = s->path ? unix_fd(s, err) : tcp_fd(s, err);

    if (fd < 0) {
        return false;
    }
    if (!s->server) {
        g_unix_set_fd_nonblocking(fd, TRUE, NULL);
        socket_connected(s, fd);
        return true;
    }
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    s->listen_fd = fd;
    if (s->wait) {
        socket_connected(s, wait_for_client(s));
    } else {
        socket_listen_again(s);
    }
    return true;
}

static void socket_close(Chardev *chr)
{
    SocketChardev *s = (SocketChardev *)chr;

    char_fd_stop(&s->fd, true);
    if (s->listen_watch) {
        main_loop_unwatch(s->listen_watch);
    }
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        if (s->path) {
            unlink(s->path);
        }
    }
    socket_free(s);
}

static size_t socket_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return char_fd_write(&((SocketChardev *)chr)->fd, buf, len);
}

static void socket_wait(Chardev *chr)
{
    char_fd_wait(&((SocketChardev *)chr)->fd);
}

static void socket_accept_input(Chardev *chr)
{
    char_fd_accept_input(&((SocketChardev *)chr)->fd);
}

const ChardevKind chardev_socket = {
    .name = "socket",
    .options = ",path=PATH|port=PORT[,host=HOST][,server=on|off][,wait=on|off][,nodelay=on|off]",
    .size = sizeof(SocketChardev),
    .open = socket_open,
    .ready = socket_ready,
    .close = socket_close,
    .write = socket_write,
    .wait_writable = socket_wait,
    .accept_input = socket_accept_input,
    .describe = socket_describe,
};
