/*
 * -netdev hubport: hubs. A frame that comes in at one port leaves at all others.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "net/net_int.h"

typedef struct Hub {
    int id;
    GPtrArray *ports; /* HubPort * */
    bool busy;        /* a frame is on its way through */
} Hub;

typedef struct HubPort {
    NetClient c;
    Hub *hub;
} HubPort;

static GSList *hubs; /* Hub *; the network's thread */

static Hub *hub_get(int id)
{
    Hub *hub;

    for (GSList *l = hubs; l; l = l->next) {
        hub = l->data;
        if (hub->id == id) {
            return hub;
        }
    }
    hub = g_new0(Hub, 1);
    hub->id = id;
    hub->ports = g_ptr_array_new();
    hubs = g_slist_prepend(hubs, hub);
    return hub;
}

static bool hub_receive(NetClient *c, NetPacket *pkt)
{
    Hub *hub = ((HubPort *)c)->hub;

    /* Two hubs that are connected twice would send it round for ever. */
    if (!hub->busy) {
        hub->busy = true;
        for (guint i = 0; i < hub->ports->len; i++) {
            NetClient *port = g_ptr_array_index(hub->ports, i);
            if (port != c) {
                net_send(port, net_packet_dup(pkt));
            }
        }
        hub->busy = false;
    }
    g_free(pkt);
    return true;
}

static void hub_flush(NetClient *c)
{
    Hub *hub = ((HubPort *)c)->hub;

    for (guint i = 0; i < hub->ports->len; i++) {
        NetClient *port = g_ptr_array_index(hub->ports, i);
        if (port != c && port->peer && port->peer->ops->flush) {
            port->peer->ops->flush(port->peer);
        }
    }
}

static void hub_describe(NetClient *c, GString *out)
{
    g_string_append_printf(out, "hubid=%d", ((HubPort *)c)->hub->id);
}

static void hub_close(NetClient *c)
{
    Hub *hub = ((HubPort *)c)->hub;

    g_ptr_array_remove(hub->ports, c);
    if (!hub->ports->len) {
        hubs = g_slist_remove(hubs, hub);
        g_ptr_array_unref(hub->ports);
        g_free(hub);
    }
}

static const NetClientOps hub_ops = {
    .type = "hubport",
    .receive = hub_receive,
    .flush = hub_flush,
    .describe = hub_describe,
    .close = hub_close,
};

NetClient *net_hubport_create(const char *id, KeyVal *kv, GError **err)
{
    /* What the ports cannot all take is cut at each one that cannot. */
    const uint32_t all = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN |
                         NET_OFFLOAD_USO4 | NET_OFFLOAD_USO6;
    const char *netdev = keyval_get(kv, "netdev");
    uint64_t hubid = 0;
    NetClient *other = NULL;
    HubPort *port;

    if (!keyval_get(kv, "hubid")) {
        emu_set_error(err, "hubid= is missing");
        return NULL;
    }
    if (!keyval_get_uint(kv, "hubid", 0, INT32_MAX, &hubid, err)) {
        return NULL;
    }
    if (netdev) {
        other = net_backend_find(netdev);
        if (!other || other->peer) {
            emu_set_error(err, "netdev=%s: %s", netdev,
                          other ? "it is connected already"
                                : "there is no such -netdev before this one");
            return NULL;
        }
    }
    port = g_new0(HubPort, 1);
    net_client_init(&port->c, &hub_ops, id, all);
    port->hub = hub_get((int)hubid);
    g_ptr_array_add(port->hub->ports, port);
    if (other) {
        net_client_connect(&port->c, other);
    }
    return &port->c;
}
