/*
 * -netdev stream: frames over a stream socket. One peer at a time; while there is none, frames are
 * lost, as they are on a cable that is not plugged in. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "net/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "util/log.h"

enum { LENGTH_BYTES = 4, READ_SIZE = 256 << 10, READS_AT_ONCE = 8, CONNECT_WAIT_MS = 5000 };

#define SECOND 1000000000LL

typedef struct NetStream {
    NetClient c;
    NetClientOps ops; /* with the type's own name */
    NetAddress address;
    bool server;
    unsigned reconnect; /* seconds */
    int listen_fd, fd;  /* -1: none */
    NetWatch *listen_watch, *watch;
    NetTimer *retry;
    bool connecting; /* connect() is under way */
    bool paused;     /* the peer's queue is full: nothing is read */
    uint8_t *in;     /* READ_SIZE bytes, the first in_len of them read */
    size_t in_len;
    GByteArray *out; /* the rest of a frame that did not fit into the socket */
} NetStream;

static NetStream *stream_of(NetClient *c)
{
    return (NetStream *)c;
}

static void update_watch(NetStream *s)
{
    if (s->fd >= 0) {
        net_watch_set(s->watch, (s->connecting || s->paused ? 0 : EPOLLIN) |
                                    (s->connecting || s->out->len ? EPOLLOUT : 0));
    }
}

static void disconnect(NetStream *s)
{
    net_watch_free(s->watch);
    s->watch = NULL;
    close(s->fd);
    s->fd = -1;
    s->connecting = false;
    s->in_len = 0;
    g_byte_array_set_size(s->out, 0);
    if (s->listen_watch) {
        net_watch_set(s->listen_watch, EPOLLIN);
    } else if (s->reconnect) {
        net_timer_set(s->retry, s->reconnect * SECOND);
    }
    net_client_ready(&s->c); /* what waits would wait in vain */
}

/* ---- in ---- */

static uint32_t frame_length(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Passes on the whole frames in the buffer; false: what is there is no frame. */
static bool take_frames(NetStream *s)
{
    size_t at = 0;
    bool ok = true;

    while (s->in_len - at >= LENGTH_BYTES && !s->paused) {
        uint32_t len = frame_length(s->in + at);
        struct iovec iov = {.iov_base = s->in + at + LENGTH_BYTES, .iov_len = len};

        if (len > NET_FRAME_MAX) {
            ok = false;
            break;
        }
        if (s->in_len - at - LENGTH_BYTES < len) {
            break;
        }
        at += LENGTH_BYTES + len;
        if (len >= NET_ETH_HEADER) {
            net_send(&s->c, net_packet_from_iov(&iov, 1, 0, len));
            s->paused = !net_can_send(&s->c);
        }
    }
    s->in_len -= at;
    memmove(s->in, s->in + at, s->in_len);
    return ok;
}

static void read_frames(NetStream *s)
{
    for (int i = 0; i < READS_AT_ONCE && !s->paused; i++) {
        ssize_t n = read(s->fd, s->in + s->in_len, READ_SIZE - s->in_len);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (n <= 0) {
            disconnect(s);
            return;
        }
        s->in_len += (size_t)n;
        if (!take_frames(s)) {
            log_printf(LOG_GUEST_ERRORS, "%s: %s sends no frames; disconnected\n", s->c.name,
                       s->address.text);
            disconnect(s);
            return;
        }
    }
    update_watch(s);
}

static void stream_resume(NetClient *c)
{
    NetStream *s = stream_of(c);

    if (!s->paused) {
        return;
    }
    s->paused = false;
    if (s->fd < 0) {
        return;
    }
    if (!take_frames(s)) {
        disconnect(s);
        return;
    }
    update_watch(s);
}

/* ---- out ---- */

static bool stream_receive(NetClient *c, NetPacket *pkt)
{
    NetStream *s = stream_of(c);
    const uint8_t length[LENGTH_BYTES] = {(uint8_t)(pkt->len >> 24), (uint8_t)(pkt->len >> 16),
                                          (uint8_t)(pkt->len >> 8), (uint8_t)pkt->len};
    struct iovec iov[2] = {{(void *)length, LENGTH_BYTES}, {pkt->data, pkt->len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    size_t done;
    ssize_t n;

    if (s->fd < 0 || s->connecting) {
        g_free(pkt);
        return true;
    }
    if (s->out->len) {
        return false;
    }
    n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    done = n > 0 ? (size_t)n : 0;
    /* An error is seen by the reading side, too. */
    if (done < LENGTH_BYTES + pkt->len) {
        if (done < LENGTH_BYTES) {
            g_byte_array_append(s->out, length + done, (guint)(LENGTH_BYTES - done));
            done = LENGTH_BYTES;
        }
        g_byte_array_append(s->out, pkt->data + done - LENGTH_BYTES,
                            (guint)(pkt->len + LENGTH_BYTES - done));
        update_watch(s);
    }
    g_free(pkt);
    return true;
}

static void write_rest(NetStream *s)
{
    ssize_t n = send(s->fd, s->out->data, s->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0) {
        g_byte_array_remove_range(s->out, 0, (guint)n);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        disconnect(s);
        return;
    }
    update_watch(s);
    if (!s->out->len) {
        net_client_ready(&s->c);
    }
}

/* ---- connections ---- */

static void connected(NetStream *s)
{
    s->connecting = false;
    s->paused = false;
    update_watch(s);
}

static void connect_done(NetStream *s)
{
    int error = 0;
    socklen_t len = sizeof(error);

    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        disconnect(s);
    } else {
        connected(s);
    }
}

static void stream_ready(void *opaque, uint32_t events)
{
    NetStream *s = opaque;

    if (s->connecting) {
        connect_done(s);
        return;
    }
    if ((events & EPOLLOUT) && s->out->len) {
        write_rest(s);
    }
    if (s->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !s->paused) {
        read_frames(s);
    }
}

static void use_fd(NetStream *s, int fd)
{
    s->fd = fd;
    s->watch = net_watch_new(fd, stream_ready, s);
}

static void accept_one(void *opaque, uint32_t events)
{
    NetStream *s = opaque;
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd >= 0) {
        net_watch_set(s->listen_watch, 0); /* the next one when this one has gone */
        use_fd(s, fd);
        connected(s);
    }
}

/* False with ERR: it failed at once. */
static bool start_connect(NetStream *s, GError **err)
{
    int fd = socket(s->address.sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int ret = fd < 0 ? -1 : connect(fd, &s->address.sa.any, s->address.len);

    if (ret < 0 && (fd < 0 || errno != EINPROGRESS)) {
        emu_set_error(err, "%s: %s", s->address.text, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    use_fd(s, fd);
    s->connecting = ret < 0;
    update_watch(s);
    return true;
}

/* At the start, and if it is not to be tried again: so that the user hears of it. */
static bool await_connect(NetStream *s, GError **err)
{
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);

    if (!s->connecting || poll(&p, 1, CONNECT_WAIT_MS) <= 0) {
        return true;
    }
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        emu_set_error(err, "%s: %s", s->address.text, g_strerror(error));
        return false;
    }
    connected(s);
    return true;
}

static void try_again(void *opaque)
{
    NetStream *s = opaque;

    if (s->fd < 0 && !start_connect(s, NULL)) {
        net_timer_set(s->retry, s->reconnect * SECOND);
    }
}

/* ---- life ---- */

static void stream_describe(NetClient *c, GString *out)
{
    const NetStream *s = stream_of(c);

    g_string_append_printf(out, "%s%s,%s", s->server ? "server," : "", s->address.text,
                           s->fd >= 0 && !s->connecting ? "connected" : "not connected");
}

static void stream_close(NetClient *c)
{
    NetStream *s = stream_of(c);

    net_watch_free(s->watch);
    net_watch_free(s->listen_watch);
    net_timer_free(s->retry);
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        if (s->address.sa.any.sa_family == AF_UNIX) {
            unlink(s->address.sa.un.sun_path);
        }
    }
    net_address_clear(&s->address);
    g_byte_array_unref(s->out);
    g_free(s->in);
}

static bool open_stream(NetStream *s, GError **err)
{
    if (s->address.fd >= 0) {
        use_fd(s, s->address.fd);
        connected(s);
        return true;
    }
    if (s->server) {
        s->listen_fd = net_socket_bind(&s->address, SOCK_STREAM, err);
        if (s->listen_fd < 0) {
            return false;
        }
        s->listen_watch = net_watch_new(s->listen_fd, accept_one, s);
        net_watch_set(s->listen_watch, EPOLLIN);
        return true;
    }
    if (!start_connect(s, s->reconnect ? NULL : err)) {
        net_timer_set(s->retry, s->reconnect * SECOND);
        return s->reconnect != 0;
    }
    return s->reconnect || await_connect(s, err);
}

NetClient *net_stream_new(const char *id, const char *type, NetAddress *address, bool server,
                          unsigned reconnect, GError **err)
{
    NetStream *s = g_new0(NetStream, 1);

    s->ops = (NetClientOps){
        .type = type,
        .receive = stream_receive,
        .resume = stream_resume,
        .describe = stream_describe,
        .close = stream_close,
    };
    net_client_init(&s->c, &s->ops, id, 0);
    s->address = *address;
    address->text = NULL;
    s->server = server;
    s->reconnect = reconnect;
    s->fd = s->listen_fd = -1;
    s->in = g_malloc(READ_SIZE);
    s->out = g_byte_array_new();
    s->retry = net_timer_new(try_again, s);
    if (!open_stream(s, err)) {
        net_client_free(&s->c);
        return NULL;
    }
    return &s->c;
}

NetClient *net_stream_create(const char *id, KeyVal *kv, GError **err)
{
    bool server = false;
    uint64_t reconnect = 0;
    NetAddress a;
    NetClient *c = NULL;

    if (!keyval_get_bool(kv, "server", &server, err) ||
        !keyval_get_uint(kv, "reconnect", 0, 3600, &reconnect, err)) {
        return NULL;
    }
    if (!net_address_get(&a, kv, "addr", SOCK_STREAM, server, err)) {
        net_address_clear(&a);
        return NULL;
    }
    if (!a.len && a.fd < 0) {
        emu_set_error(err, "addr.type= is missing: inet, unix or fd");
    } else if (server && (reconnect || a.fd >= 0)) {
        emu_set_error(err, "%s does not go with server=on",
                      reconnect ? "reconnect=" : "addr.type=fd");
    } else {
        c = net_stream_new(id, "stream", &a, server, (unsigned)reconnect, err);
    }
    net_address_clear(&a);
    return c;
}
