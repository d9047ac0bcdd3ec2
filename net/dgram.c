/*
 * -netdev dgram: frames as datagrams between two addresses, or in a multicast group.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "net/dgram.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { FRAMES_AT_ONCE = 64 };

typedef struct NetDgram {
    NetClient c;
    NetClientOps ops;
    NetAddress local, remote;
    int fd;
    NetWatch *watch;
    bool paused;  /* nothing is read: the peer's queue is full */
    bool blocked; /* a frame waits until the socket takes it */
    uint8_t in[NET_FRAME_MAX];
} NetDgram;

static NetDgram *dgram_of(NetClient *c)
{
    return (NetDgram *)c;
}

static void update_watch(NetDgram *s)
{
    net_watch_set(s->watch, (s->paused ? 0 : EPOLLIN) | (s->blocked ? EPOLLOUT : 0));
}

static bool dgram_receive(NetClient *c, NetPacket *pkt)
{
    NetDgram *s = dgram_of(c);
    bool named = s->remote.len != 0;
    ssize_t n = sendto(s->fd, pkt->data, pkt->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                       named ? &s->remote.sa.any : NULL, named ? s->remote.len : 0);

    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
        s->blocked = true;
        update_watch(s);
        return false;
    }
    g_free(pkt); /* nobody listens there: it is lost, as on a cable */
    return true;
}

static void read_frames(NetDgram *s)
{
    for (int i = 0; i < FRAMES_AT_ONCE && !s->paused; i++) {
        struct iovec iov = {.iov_base = s->in, .iov_len = sizeof(s->in)};
        ssize_t n = recv(s->fd, s->in, sizeof(s->in), MSG_DONTWAIT);

        if (n < 0 && errno != ECONNREFUSED) {
            break; /* ECONNREFUSED: of a frame we sent before */
        }
        if (n >= NET_ETH_HEADER) {
            net_send(&s->c, net_packet_from_iov(&iov, 1, 0, (uint32_t)n));
            s->paused = !net_can_send(&s->c);
        }
    }
    update_watch(s);
}

static void dgram_ready(void *opaque, uint32_t events)
{
    NetDgram *s = opaque;

    if (s->blocked && (events & EPOLLOUT)) {
        s->blocked = false;
        net_client_ready(&s->c);
    }
    if (!s->paused) {
        read_frames(s);
    }
}

static void dgram_resume(NetClient *c)
{
    NetDgram *s = dgram_of(c);

    s->paused = false;
    update_watch(s);
}

static void dgram_describe(NetClient *c, GString *out)
{
    const NetDgram *s = dgram_of(c);

    g_string_append_printf(out, "local=%s,remote=%s", s->local.text ? s->local.text : "none",
                           s->remote.text ? s->remote.text : "none");
}

static void dgram_close(NetClient *c)
{
    NetDgram *s = dgram_of(c);

    net_watch_free(s->watch);
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->local.sa.any.sa_family == AF_UNIX && s->local.len) {
        unlink(s->local.sa.un.sun_path);
    }
    net_address_clear(&s->local);
    net_address_clear(&s->remote);
}

static bool join_group(NetDgram *s, GError **err)
{
    const struct in_addr any = {htonl(INADDR_ANY)};
    const struct in_addr interface = s->local.len ? s->local.sa.in.sin_addr : any;
    const struct ip_mreq group = {s->remote.sa.in.sin_addr, interface};
    const int one = 1;

    /* Others on this host are in the group, too. */
    if (setsockopt(s->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ||
        setsockopt(s->fd, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof(one)) < 0 ||
        (s->local.len &&
         setsockopt(s->fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface)) < 0)) {
        emu_set_error(err, "%s: %s", s->remote.text, g_strerror(errno));
        return false;
    }
    return true;
}

static bool open_dgram(NetDgram *s, GError **err)
{
    const int buffer = 1 << 20;

    if (s->local.fd >= 0) {
        s->fd = s->local.fd;
    } else if (net_address_is_multicast(&s->remote)) {
        s->fd = net_socket_bind(&s->remote, SOCK_DGRAM, err);
        if (s->fd < 0 || !join_group(s, err)) {
            return false;
        }
    } else {
        s->fd = net_socket_bind(&s->local, SOCK_DGRAM, err);
        if (s->fd < 0) {
            return false;
        }
    }
    setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    s->watch = net_watch_new(s->fd, dgram_ready, s);
    update_watch(s);
    return true;
}

NetClient *net_dgram_new(const char *id, const char *type, NetAddress *local, NetAddress *remote,
                         GError **err)
{
    NetDgram *s = g_new0(NetDgram, 1);

    s->ops = (NetClientOps){
        .type = type,
        .receive = dgram_receive,
        .resume = dgram_resume,
        .describe = dgram_describe,
        .close = dgram_close,
    };
    net_client_init(&s->c, &s->ops, id, 0);
    s->local = *local;
    s->remote = *remote;
    local->text = remote->text = NULL;
    s->fd = -1;
    if (!open_dgram(s, err)) {
        net_client_free(&s->c);
        return NULL;
    }
    return &s->c;
}

static bool check_addresses(const NetAddress *local, const NetAddress *remote, GError **err)
{
    if (net_address_is_multicast(remote)) {
        if (local->len && local->sa.any.sa_family != AF_INET) {
            emu_set_error(err,
                          "with a multicast group, local. is the IPv4 address of an interface");
            return false;
        }
        return true;
    }
    if (local->fd >= 0 && !remote->len && remote->fd < 0) {
        return true;
    }
    if (!local->len || !remote->len) {
        emu_set_error(err, "local.type= and remote.type= (both inet or both unix) are needed; or "
                           "local.type=fd alone, or remote. alone if it is a multicast group");
        return false;
    }
    if (local->sa.any.sa_family != remote->sa.any.sa_family) {
        emu_set_error(err, "local.type= and remote.type= must be of one kind");
        return false;
    }
    return true;
}

NetClient *net_dgram_create(const char *id, KeyVal *kv, GError **err)
{
    NetAddress local = {.fd = -1}, remote = {.fd = -1};
    NetClient *c = NULL;

    if (net_address_get(&local, kv, "local", SOCK_DGRAM, true, err) &&
        net_address_get(&remote, kv, "remote", SOCK_DGRAM, false, err) &&
        check_addresses(&local, &remote, err)) {
        c = net_dgram_new(id, "dgram", &local, &remote, err);
    }
    net_address_clear(&local);
    net_address_clear(&remote);
    return c;
}
