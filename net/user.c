/*
 * -netdev user: a network with a router, a DHCP, a TFTP and a DNS server, all of it inside of this
 * process (libslirp); the guest's connections become sockets of ours. Needs no privilege.
 *
 * libslirp wants to be told which of its sockets are ready, all at once. Their epoll watches only
 * wake us; what is ready is then asked with one poll(2). While the card's queue is full, the
 * sockets are left alone: what comes waits in the kernel. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "net/user.h"

#ifdef CONFIG_SLIRP

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "util/log.h"

enum { NS_PER_MS = 1000000 };

/* ---- polling ---- */

static void poll_now(NetUser *u);

/* Once for all that becomes ready in one go. */
static void poll_posted(void *opaque)
{
    NetUser **token = opaque, *u = *token;

    g_free(token);
    if (u) {
        u->poll_token = NULL;
        poll_now(u);
    }
}

static void poll_soon(NetUser *u)
{
    if (!u->poll_token) {
        u->poll_token = g_new(NetUser *, 1);
        *u->poll_token = u;
        io_thread_post(io_thread_current(), poll_posted, u->poll_token);
    }
}

static void fd_ready(void *opaque, uint32_t events)
{
    (void)events;
    poll_soon(opaque);
}

static void timeout(void *opaque)
{
    poll_soon(opaque);
}

static int add_poll(int fd, int events, void *opaque)
{
    NetUser *u = opaque;
    struct pollfd p = {.fd = fd};

    p.events |= events & SLIRP_POLL_IN ? POLLIN : 0;
    p.events |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
    p.events |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
    g_array_append_val(u->polled, p);
    return (int)u->polled->len - 1;
}

static int get_revents(int index, void *opaque)
{
    const NetUser *u = opaque;
    short revents = g_array_index(u->polled, struct pollfd, index).revents;
    int out = 0;

    out |= revents & POLLIN ? SLIRP_POLL_IN : 0;
    out |= revents & POLLOUT ? SLIRP_POLL_OUT : 0;
    out |= revents & POLLPRI ? SLIRP_POLL_PRI : 0;
    out |= revents & POLLERR ? SLIRP_POLL_ERR : 0;
    out |= revents & POLLHUP ? SLIRP_POLL_HUP : 0;
    return out;
}

/* Watches what is in u->polled, and nothing else. */
static void update_watches(NetUser *u)
{
    GHashTableIter iter;
    gpointer fd, watch;

    u->generation++;
    for (guint i = 0; i < u->polled->len; i++) {
        const struct pollfd *p = &g_array_index(u->polled, struct pollfd, i);
        UserWatch *w = g_hash_table_lookup(u->watches, GINT_TO_POINTER(p->fd));
        uint32_t events = 0;

        if (!w) {
            w = g_new0(UserWatch, 1);
            w->watch = net_watch_new(p->fd, fd_ready, u);
            g_hash_table_insert(u->watches, GINT_TO_POINTER(p->fd), w);
        }
        events |= p->events & POLLIN ? EPOLLIN : 0;
        events |= p->events & POLLOUT ? EPOLLOUT : 0;
        events |= p->events & POLLPRI ? EPOLLPRI : 0;
        net_watch_set(w->watch, events);
        w->generation = u->generation;
    }
    g_hash_table_iter_init(&iter, u->watches);
    while (g_hash_table_iter_next(&iter, &fd, &watch)) {
        UserWatch *w = watch;

        if (w->generation != u->generation) {
            net_watch_set(w->watch, 0);
        }
    }
}

/* Asks what to wait for. */
static void refill(NetUser *u)
{
    uint32_t ms = UINT32_MAX;

    g_array_set_size(u->polled, 0);
    slirp_pollfds_fill(u->slirp, &ms, add_poll, u);
    update_watches(u);
    net_timer_set(u->timer, ms == UINT32_MAX ? -1 : (int64_t)ms * NS_PER_MS);
}

static void poll_now(NetUser *u)
{
    int ret;

    u->paused = !net_can_send(&u->c);
    if (u->paused) {
        g_array_set_size(u->polled, 0);
        update_watches(u);
        net_timer_set(u->timer, -1);
        return;
    }
    /* The list may be older than the sockets: those made since are in the next one. */
    refill(u);
    ret = poll((struct pollfd *)(void *)u->polled->data, u->polled->len, 0);
    slirp_pollfds_poll(u->slirp, ret < 0, get_revents, u);
    refill(u);
}

/* ---- libslirp's callbacks ---- */

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
    NetUser *u = opaque;
    const struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
    NetPacket *pkt;

    if (len > NET_FRAME_MAX) {
        return (ssize_t)len;
    }
    pkt = net_packet_from_iov(&iov, 1, 0, (uint32_t)len);
    pkt->hdr.flags = NET_HDR_DATA_VALID;
    net_send(&u->c, pkt);
    return (ssize_t)len;
}

static void guest_error(const char *msg, void *opaque)
{
    const NetUser *u = opaque;

    log_printf(LOG_GUEST_ERRORS, "%s: %s\n", u->c.name, msg);
}

static int64_t clock_get_ns(void *opaque)
{
    (void)opaque;
    return net_now_ns();
}

static void slirp_timer_fired(void *opaque)
{
    UserTimer *t = opaque;

    slirp_handle_timer(t->user->slirp, t->id, t->opaque);
}

static void *timer_new_opaque(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    UserTimer *t = g_new0(UserTimer, 1);

    t->user = opaque;
    t->id = id;
    t->opaque = cb_opaque;
    t->timer = net_timer_new(slirp_timer_fired, t);
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    UserTimer *t = timer;

    (void)opaque;
    net_timer_free(t->timer);
    g_free(t);
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    UserTimer *t = timer;

    (void)opaque;
    net_timer_set(t->timer, MAX(expire_ms * NS_PER_MS - net_now_ns(), 0));
}

/* A descriptor's number may come back for another socket: nothing is kept of the old one. */
static void forget_fd(int fd, void *opaque)
{
    NetUser *u = opaque;

    g_hash_table_remove(u->watches, GINT_TO_POINTER(fd));
}

static void notify(void *opaque)
{
    poll_soon(opaque);
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_get_ns,
    .timer_new_opaque = timer_new_opaque,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = forget_fd,
    .unregister_poll_fd = forget_fd,
    .notify = notify,
};

/* ---- the client ---- */

static bool user_receive(NetClient *c, NetPacket *pkt)
{
    NetUser *u = (NetUser *)c;

    slirp_input(u->slirp, pkt->data, (int)pkt->len);
    g_free(pkt);
    u->refill = true;
    return true;
}

static void user_flush(NetClient *c)
{
    NetUser *u = (NetUser *)c;

    if (u->refill && !u->paused) {
        refill(u);
    }
    u->refill = false;
}

static void user_resume(NetClient *c)
{
    NetUser *u = (NetUser *)c;

    if (u->paused) {
        poll_soon(u);
    }
}

static void user_describe(NetClient *c, GString *out)
{
    const NetUser *u = (const NetUser *)c;

    g_string_append_printf(out, "net=%s,restrict=%s", u->net_text, u->restricted ? "on" : "off");
}

static void user_watch_free(gpointer data)
{
    UserWatch *w = data;

    net_watch_free(w->watch);
    g_free(w);
}

static void user_close(NetClient *c)
{
    NetUser *u = (NetUser *)c;

    slirp_cleanup(u->slirp);
    if (u->poll_token) {
        *u->poll_token = NULL;
    }
    net_timer_free(u->timer);
    g_hash_table_unref(u->watches);
    g_array_unref(u->polled);
    g_free(u->net_text);
}

const NetClientOps net_user_ops = {
    .type = "user",
    .receive = user_receive,
    .flush = user_flush,
    .resume = user_resume,
    .describe = user_describe,
    .close = user_close,
};

NetClient *net_user_create(const char *id, KeyVal *kv, GError **err)
{
    UserOptions o;
    NetUser *u = NULL;

    if (user_options_parse(&o, kv, err)) {
        u = g_new0(NetUser, 1);
        /* A long IPv4 packet is as good as many short ones here; IPv6 is held to the link's MTU. */
        net_client_init(&u->c, &net_user_ops, id, NET_OFFLOAD_TSO4 | NET_OFFLOAD_ECN);
        u->watches = g_hash_table_new_full(NULL, NULL, NULL, user_watch_free);
        u->polled = g_array_new(FALSE, TRUE, sizeof(struct pollfd));
        u->timer = net_timer_new(timeout, u);
        u->net_text = g_strdup(o.net_text);
        u->restricted = o.config.restricted;
        u->slirp = slirp_new(&o.config, &callbacks, u);
        if (!user_forwards(u, &o, err)) {
            net_client_free(&u->c);
            u = NULL;
        } else {
            poll_soon(u);
        }
    }
    user_options_clear(&o);
    return u ? &u->c : NULL;
}

/* ---- the monitor ---- */

void net_user_print(NetClient *c, GString *out)
{
    NetUser *u = (NetUser *)c;
    char *text = slirp_connection_info(u->slirp);

    g_string_append_printf(out, "%s:\n%s", c->name, text);
    g_free(text);
}

#endif
