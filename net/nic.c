/*
 * A network card's end: the way between a device model under the machine lock and the network's
 * thread.
 *
 * Towards the network frames are copied into a queue with a mutex of its own, and the thread is
 * woken once for all that come together. Towards the guest the thread takes the machine lock once
 * for a batch, gives the card as many frames as it has buffers for, and lets it interrupt once.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdatomic.h>
#include <string.h>

#include "core/lock.h"
#include "core/machine.h"
#include "net/net_int.h"

enum { RX_BATCH = 64 }; /* frames in one go under the machine lock */

static void nic_unref(NetNic *nic)
{
    if (atomic_fetch_sub(&nic->refs, 1) == 1) {
        g_mutex_clear(&nic->mutex);
        g_free(nic->name);
        g_free(nic->model);
        g_free(nic);
    }
}

/* FN gets a reference to NIC, which it gives back. */
static void post(NetNic *nic, void (*fn)(void *opaque))
{
    atomic_fetch_add(&nic->refs, 1);
    io_thread_post(net_thread(NULL), fn, nic);
}

/* ---- to the guest ---- */

static void resume_peer(NetClient *c)
{
    if (c->peer_waits && c->peer && net_queue_low(&c->in)) {
        c->peer_waits = false;
        if (c->peer->ops->resume) {
            c->peer->ops->resume(c->peer);
        }
    }
}

static void rx_run(void *opaque);

static void rx_post(NetNic *nic)
{
    if (!nic->rx_posted) {
        nic->rx_posted = true;
        post(nic, rx_run);
    }
}

/* Machine lock held. True when the card takes more. */
static bool rx_deliver(NetNic *nic)
{
    int taken = 0;

    while (nic->c.in.count && nic->opaque && taken < RX_BATCH) {
        if (!machine_running(nic->machine) || !nic->ops->receive(nic->opaque, nic->c.in.head)) {
            nic->rx_blocked = true;
            break;
        }
        g_free(net_queue_take(&nic->c.in));
        taken++;
    }
    if (taken) {
        nic->ops->receive_done(nic->opaque);
    }
    return nic->opaque && !nic->rx_blocked;
}

static void rx_run(void *opaque)
{
    NetNic *nic = opaque;
    bool more;

    nic->rx_posted = false;
    machine_lock();
    more = rx_deliver(nic);
    machine_unlock();
    if (more && nic->c.in.count) {
        rx_post(nic);
    }
    resume_peer(&nic->c);
    nic_unref(nic);
}

/* The frame stays in the client's queue, from which rx_run() takes it. */
static bool nic_receive(NetClient *c, NetPacket *pkt)
{
    (void)pkt;
    rx_post((NetNic *)c);
    return false;
}

/* After the card was blocked: the queue may not be empty, and nothing arrives that would see to it.
 */
static void rx_again(void *opaque)
{
    rx_post(opaque);
    nic_unref(opaque);
}

void net_nic_receive_ready(NetNic *nic)
{
    if (nic->rx_blocked && nic->connected) {
        nic->rx_blocked = false;
        post(nic, rx_again);
    }
}

void net_nic_loaded(NetNic *nic)
{
    nic->loaded = true;
}

static void send_again(void *opaque)
{
    NetNic *nic = opaque;

    machine_lock();
    if (nic->opaque) {
        nic->ops->send_ready(nic->opaque);
    }
    machine_unlock();
    nic_unref(nic);
}

void net_nic_machine_started(NetNic *nic)
{
    net_nic_receive_ready(nic);
    if (nic->loaded && nic->connected) {
        post(nic, send_again);
    }
    nic->loaded = false;
}

/* ---- from the guest ---- */

/* Gives the back end what it takes of tx_now; how many frames and bytes. */
static void tx_forward(NetNic *nic, unsigned *count, size_t *bytes)
{
    while (nic->tx_now.count && net_can_send(&nic->c)) {
        NetPacket *pkt = net_queue_take(&nic->tx_now);

        *count += 1;
        *bytes += pkt->len;
        net_send(&nic->c, pkt);
    }
    if (nic->c.peer && nic->c.peer->ops->flush) {
        nic->c.peer->ops->flush(nic->c.peer);
    }
}

static void tx_take(NetNic *nic)
{
    NetPacket *pkt;

    g_mutex_lock(&nic->mutex);
    nic->tx_posted = false;
    while ((pkt = net_queue_take(&nic->tx))) {
        net_queue_add(&nic->tx_now, pkt);
    }
    g_mutex_unlock(&nic->mutex);
}

static void tx_go(NetNic *nic)
{
    unsigned count = 0;
    size_t bytes = 0;
    bool unblocked;

    tx_take(nic);
    tx_forward(nic, &count, &bytes);
    g_mutex_lock(&nic->mutex);
    nic->tx_waiting -= count;
    nic->tx_waiting_bytes -= bytes;
    unblocked = nic->tx_blocked && nic->tx_waiting <= NET_QUEUE_PACKETS / 2 &&
                nic->tx_waiting_bytes <= NET_QUEUE_BYTES / 2;
    if (unblocked) {
        nic->tx_blocked = false;
    }
    g_mutex_unlock(&nic->mutex);
    if (unblocked) {
        machine_lock();
        if (nic->opaque) {
            nic->ops->send_ready(nic->opaque);
        }
        machine_unlock();
    }
}

static void tx_run(void *opaque)
{
    tx_go(opaque);
    nic_unref(opaque);
}

static void nic_resume(NetClient *c)
{
    tx_go((NetNic *)c);
}

bool net_nic_send(NetNic *nic, const struct iovec *iov, unsigned count, size_t skip,
                  const NetHdr *hdr)
{
    size_t len = 0;
    NetPacket *pkt;
    bool wake;

    for (unsigned i = 0; i < count; i++) {
        len += iov[i].iov_len;
    }
    if (!nic->connected || !nic->link_up || len < skip + NET_ETH_HEADER ||
        len - skip > NET_FRAME_MAX) {
        return true; /* nobody there to see it, or no frame */
    }
    g_mutex_lock(&nic->mutex);
    if (nic->tx_waiting >= NET_QUEUE_PACKETS || nic->tx_waiting_bytes >= NET_QUEUE_BYTES) {
        nic->tx_blocked = true;
        g_mutex_unlock(&nic->mutex);
        return false;
    }
    g_mutex_unlock(&nic->mutex);

    pkt = net_packet_from_iov(iov, count, skip, (uint32_t)(len - skip));
    if (hdr) {
        pkt->hdr = *hdr;
    }
    g_mutex_lock(&nic->mutex);
    nic->tx_waiting++;
    nic->tx_waiting_bytes += pkt->len;
    net_queue_add(&nic->tx, pkt);
    wake = !nic->tx_posted;
    nic->tx_posted = true;
    g_mutex_unlock(&nic->mutex);
    if (wake) {
        post(nic, tx_run);
    }
    return true;
}

static const NetClientOps nic_ops = {
    .type = "nic",
    .receive = nic_receive,
    .resume = nic_resume,
};

/* ---- offloads, link ---- */

typedef struct SetAccepts {
    NetNic *nic;
    uint32_t accepts;
} SetAccepts;

static void set_accepts(void *opaque)
{
    SetAccepts *set = opaque;

    net_client_set_accepts(&set->nic->c, set->accepts);
    nic_unref(set->nic);
    g_free(set);
}

void net_nic_set_accepts(NetNic *nic, uint32_t accepts)
{
    SetAccepts *set;

    if (!nic->connected) {
        return;
    }
    set = g_new0(SetAccepts, 1);
    set->nic = nic;
    set->accepts = accepts;
    atomic_fetch_add(&nic->refs, 1);
    io_thread_post(net_thread(NULL), set_accepts, set);
}

bool net_nic_link_up(const NetNic *nic)
{
    return nic->link_up;
}

void net_nic_update_link(NetNic *nic)
{
    bool up = !nic->c.link_down && !(nic->c.peer && nic->c.peer->link_down);

    if (nic->link_up != up) {
        nic->link_up = up;
        if (nic->opaque) {
            nic->ops->link_changed(nic->opaque, up);
        }
    }
}

void net_nic_set_mac(NetNic *nic, const uint8_t mac[6])
{
    memcpy(nic->mac, mac, 6);
}

/* "Who am I?", to all (RFC 903): switches learn from the sender's address. */
static void send_rarp(NetNic *nic)
{
    uint8_t frame[NET_ETH_MIN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0,
                                  0,    0x80, 0x35, 0,    1,    8,    0, 6, 4, 0, 3};
    const struct iovec iov = {frame, sizeof(frame)};

    memcpy(frame + 6, nic->mac, 6);
    memcpy(frame + 22, nic->mac, 6); /* the sender's hardware address */
    memcpy(frame + 32, nic->mac, 6); /* the one asked for */
    net_nic_send(nic, &iov, 1, 0, NULL);
}

void net_announce(void)
{
    for (guint i = 0; i < net_nics()->len; i++) {
        NetNic *nic = g_ptr_array_index(net_nics(), i);

        if (nic->opaque && !(nic->ops->announce && nic->ops->announce(nic->opaque))) {
            send_rarp(nic);
        }
    }
}

/* ---- life ---- */

static NetNic *nic_with_mac(const uint8_t mac[6])
{
    GPtrArray *nics = net_nics();

    for (guint i = 0; i < nics->len; i++) {
        NetNic *nic = g_ptr_array_index(nics, i);
        if (!memcmp(nic->mac, mac, 6)) {
            return nic;
        }
    }
    return NULL;
}

static bool choose_mac(uint8_t mac[6], const char *name, GError **err)
{
    static const uint8_t none[6], first[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    NetNic *other;

    if (!memcmp(mac, none, 6)) {
        memcpy(mac, first, 6);
        while (nic_with_mac(mac)) {
            mac[5]++;
        }
        return true;
    }
    if (mac[0] & 1) {
        emu_set_error(
            err, "%s: mac: the first byte of a card's address is even (this is a group's)", name);
        return false;
    }
    other = nic_with_mac(mac);
    if (other) {
        emu_set_error(err, "%s: mac: %02x:%02x:%02x:%02x:%02x:%02x is the address of %s already",
                      name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], other->name);
        return false;
    }
    return true;
}

/* "e1000.0": the first free. */
static char *make_name(const char *model)
{
    GPtrArray *nics = net_nics();

    for (unsigned n = 0;; n++) {
        char *name = g_strdup_printf("%s.%u", model, n);
        bool taken = false;

        for (guint i = 0; i < nics->len; i++) {
            taken |= !strcmp(((NetNic *)g_ptr_array_index(nics, i))->name, name);
        }
        if (!taken) {
            return name;
        }
        g_free(name);
    }
}

static NetClient *find_backend(const char *netdev, const char *name, GError **err)
{
    NetClient *c = net_backend_find(netdev);

    if (!c) {
        emu_set_error(err, "%s: netdev: there is no -netdev with id=%s", name, netdev);
    } else if (c->peer) {
        emu_set_error(err, "%s: netdev: '%s' is connected to %s already", name, netdev,
                      c->peer->name);
        return NULL;
    }
    return c;
}

typedef struct Connect {
    NetClient *a, *b;
} Connect;

static void connect_clients(void *opaque)
{
    const Connect *connect = opaque;

    net_client_connect(connect->a, connect->b);
}

NetNic *net_nic_new(Machine *m, const char *model, const char *id, const char *netdev,
                    uint8_t mac[6], const NetNicOps *ops, void *opaque, GError **err)
{
    NetClient *backend = NULL;
    g_autofree char *name = id ? g_strdup(id) : make_name(model);
    NetNic *nic;

    if ((netdev && !(backend = find_backend(netdev, name, err))) || !choose_mac(mac, name, err)) {
        return NULL;
    }
    nic = g_new0(NetNic, 1);
    atomic_store(&nic->refs, 1);
    nic->machine = m;
    nic->ops = ops;
    nic->opaque = opaque;
    nic->name = g_steal_pointer(&name);
    nic->model = g_strdup(model);
    memcpy(nic->mac, mac, 6);
    g_mutex_init(&nic->mutex);
    net_queue_init(&nic->tx);
    net_queue_init(&nic->tx_now);
    net_client_init(&nic->c, &nic_ops, nic->name, 0);
    nic->link_up = !(backend && backend->link_down);
    g_ptr_array_add(net_nics(), nic);
    if (backend) {
        Connect connect = {&nic->c, backend};

        nic->connected = true;
        net_run(connect_clients, &connect);
    }
    return nic;
}

void net_nic_disconnect(NetNic *nic)
{
    net_client_fini(&nic->c);
    net_queue_clear(&nic->tx_now);
    g_mutex_lock(&nic->mutex);
    net_queue_clear(&nic->tx);
    g_mutex_unlock(&nic->mutex);
}

static void disconnect(void *opaque)
{
    net_nic_disconnect(opaque);
}

void net_nic_free(NetNic *nic)
{
    if (!nic) {
        return;
    }
    nic->opaque = NULL;
    g_ptr_array_remove(net_nics(), nic);
    if (nic->connected) {
        nic->connected = false;
        net_run(disconnect, nic);
    } else {
        net_nic_disconnect(nic);
    }
    nic_unref(nic);
}
