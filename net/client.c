/*
 * The two ends of a connection, and frames between them.
 *
 * A frame goes from one client to its peer: past the filters of both, then made such as the peer
 * takes it (segmented, summed), then into receive(). What that refuses waits in the peer's queue.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "net/net_int.h"

/* ---- queues ---- */

void net_queue_init(NetQueue *q)
{
    *q = (NetQueue){0};
    q->tail = &q->head;
}

void net_queue_add(NetQueue *q, NetPacket *pkt)
{
    pkt->next = NULL;
    *q->tail = pkt;
    q->tail = &pkt->next;
    q->count++;
    q->bytes += pkt->len;
}

NetPacket *net_queue_take(NetQueue *q)
{
    NetPacket *pkt = q->head;

    if (pkt) {
        q->head = pkt->next;
        if (!q->head) {
            q->tail = &q->head;
        }
        q->count--;
        q->bytes -= pkt->len;
    }
    return pkt;
}

void net_queue_clear(NetQueue *q)
{
    NetPacket *pkt;

    while ((pkt = net_queue_take(q))) {
        g_free(pkt);
    }
}

bool net_queue_full(const NetQueue *q)
{
    return q->count >= NET_QUEUE_PACKETS || q->bytes >= NET_QUEUE_BYTES;
}

bool net_queue_low(const NetQueue *q)
{
    return q->count <= NET_QUEUE_PACKETS / 2 && q->bytes <= NET_QUEUE_BYTES / 2;
}

/* ---- life ---- */

void net_client_init(NetClient *c, const NetClientOps *ops, const char *name, uint32_t accepts)
{
    c->ops = ops;
    c->name = g_strdup(name);
    c->accepts = accepts;
    net_queue_init(&c->in);
}

static void tell_accepts(NetClient *c)
{
    if (c->peer && c->peer->ops->peer_accepts) {
        c->peer->ops->peer_accepts(c->peer, c->accepts);
    }
}

void net_client_connect(NetClient *a, NetClient *b)
{
    g_assert(!a->peer && !b->peer);
    a->peer = b;
    b->peer = a;
    tell_accepts(a);
    tell_accepts(b);
}

void net_client_set_accepts(NetClient *c, uint32_t accepts)
{
    if (c->accepts != accepts) {
        c->accepts = accepts;
        tell_accepts(c);
    }
}

static void filter_free(NetFilter *f)
{
    if (f->ops->close) {
        f->ops->close(f);
    }
    g_free(f->id);
    g_free(f);
}

void net_client_fini(NetClient *c)
{
    if (c->peer) {
        net_queue_clear(&c->peer->in);
        c->peer->peer = NULL;
        c->peer = NULL;
    }
    net_queue_clear(&c->in);
    if (c->ops->close) {
        c->ops->close(c);
    }
    for (GSList *l = c->filters; l; l = l->next) {
        filter_free(l->data);
    }
    g_slist_free(c->filters);
    g_free(c->name);
}

void net_client_free(NetClient *c)
{
    net_client_fini(c);
    g_free(c);
}

/* ---- frames ---- */

static void filter(const NetClient *c, const NetPacket *pkt, bool to_client)
{
    for (GSList *l = c->filters; l; l = l->next) {
        NetFilter *f = l->data;

        if (to_client ? f->to_client : f->from_client) {
            f->ops->frame(f, pkt);
        }
    }
}

/* A frame arrives as C takes it. */
static void arrive(NetPacket *pkt, void *opaque)
{
    NetClient *c = opaque;

    if (!c->in.count && c->ops->receive(c, pkt)) {
        return;
    }
    if (c->in.count >= 2 * NET_QUEUE_PACKETS || c->in.bytes >= 2 * NET_QUEUE_BYTES) {
        c->dropped++; /* a sender that cannot wait, or one frame of very many segments */
        g_free(pkt);
        return;
    }
    net_queue_add(&c->in, pkt);
}

void net_send(NetClient *c, NetPacket *pkt)
{
    NetClient *peer = c->peer;

    if (!peer || c->link_down || peer->link_down) {
        g_free(pkt);
        return;
    }
    filter(c, pkt, false);
    filter(peer, pkt, true);
    net_packet_adapt(pkt, peer->accepts, arrive, peer);
}

bool net_can_send(NetClient *c)
{
    if (c->peer && net_queue_full(&c->peer->in)) {
        c->peer->peer_waits = true;
        return false;
    }
    return true;
}

void net_client_ready(NetClient *c)
{
    while (c->in.count) {
        NetPacket *pkt = c->in.head, *next = pkt->next;
        uint32_t len = pkt->len;

        if (!c->ops->receive(c, pkt)) { /* PKT is not ours any more if it took it */
            return;
        }
        c->in.head = next;
        if (!next) {
            c->in.tail = &c->in.head;
        }
        c->in.count--;
        c->in.bytes -= len;
    }
    if (c->ops->flush) {
        c->ops->flush(c);
    }
    if (c->peer_waits && c->peer && net_queue_low(&c->in)) {
        c->peer_waits = false;
        if (c->peer->ops->resume) {
            c->peer->ops->resume(c->peer);
        }
    }
}

void net_client_set_link(NetClient *c, bool up)
{
    c->link_down = !up;
    if (!up) {
        net_queue_clear(&c->in);
        net_client_ready(c); /* who waits for room has it */
    }
}
