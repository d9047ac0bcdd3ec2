/*
 * -netdev socket: the older way to say what `stream` and `dgram` do.
 *
 *   listen=[HOST]:PORT, connect=HOST:PORT   a stream
 *   mcast=GROUP:PORT[,localaddr=ADDR]       datagrams in a multicast group
 *   udp=HOST:PORT,localaddr=HOST:PORT       datagrams
 *   fd=N                                    an open socket of either kind
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "net/dgram.h"
#include "net/stream.h"

static NetClient *open_fd(const char *id, const char *text, GError **err)
{
    NetAddress a = {.fd = -1}, none = {.fd = -1};
    int type = 0;
    socklen_t len = sizeof(type);

    if (!net_fd_parse(text, true, &a.fd, err)) {
        return NULL;
    }
    if (getsockopt(a.fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        (type != SOCK_STREAM && type != SOCK_DGRAM)) {
        emu_set_error(err, "fd=%s is neither a stream nor a datagram socket", text);
        return NULL;
    }
    a.text = g_strdup_printf("fd:%d", a.fd);
    return type == SOCK_STREAM ? net_stream_new(id, "socket", &a, false, 0, err)
                               : net_dgram_new(id, "socket", &a, &none, err);
}

static NetClient *open_stream(const char *id, const char *text, bool server, GError **err)
{
    NetAddress a;
    NetClient *c = NULL;

    if (net_address_parse(&a, text, SOCK_STREAM, server, err)) {
        c = net_stream_new(id, "socket", &a, server, 0, err);
    }
    net_address_clear(&a);
    return c;
}

static NetClient *open_mcast(const char *id, const char *text, const char *localaddr, GError **err)
{
    NetAddress local = {.fd = -1}, remote;
    NetClient *c = NULL;

    if (net_address_parse(&remote, text, SOCK_DGRAM, false, err)) {
        if (!net_address_is_multicast(&remote)) {
            emu_set_error(err, "mcast=%s is no multicast group (224.0.0.0 to 239.255.255.255)",
                          text);
        } else if (localaddr && inet_pton(AF_INET, localaddr, &local.sa.in.sin_addr) != 1) {
            emu_set_error(err, "localaddr=%s is no IPv4 address of an interface", localaddr);
        } else {
            if (localaddr) {
                local.sa.in.sin_family = AF_INET;
                local.len = sizeof(local.sa.in);
                local.text = g_strdup_printf("udp:%s:0", localaddr);
            }
            c = net_dgram_new(id, "socket", &local, &remote, err);
        }
    }
    net_address_clear(&local);
    net_address_clear(&remote);
    return c;
}

static NetClient *open_udp(const char *id, const char *text, const char *localaddr, GError **err)
{
    NetAddress local = {.fd = -1}, remote = {.fd = -1};
    NetClient *c = NULL;

    if (!localaddr) {
        emu_set_error(err, "udp= needs localaddr=HOST:PORT, where to receive");
    } else if (net_address_parse(&local, localaddr, SOCK_DGRAM, true, err) &&
               net_address_parse(&remote, text, SOCK_DGRAM, false, err)) {
        c = net_dgram_new(id, "socket", &local, &remote, err);
    }
    net_address_clear(&local);
    net_address_clear(&remote);
    return c;
}

NetClient *net_socket_create(const char *id, KeyVal *kv, GError **err)
{
    static const char *const ways[] = {"fd", "listen", "connect", "mcast", "udp"};
    const char *value[G_N_ELEMENTS(ways)], *localaddr = keyval_get(kv, "localaddr");
    int given = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        value[i] = keyval_get(kv, ways[i]);
        given += value[i] != NULL;
    }
    if (given != 1) {
        emu_set_error(err, "exactly one of fd=, listen=, connect=, mcast= and udp= is needed");
        return NULL;
    }
    if (localaddr && !value[3] && !value[4]) {
        emu_set_error(err, "localaddr= goes with mcast= and udp= only");
        return NULL;
    }
    return value[0]   ? open_fd(id, value[0], err)
           : value[1] ? open_stream(id, value[1], true, err)
           : value[2] ? open_stream(id, value[2], false, err)
           : value[3] ? open_mcast(id, value[3], localaddr, err)
                      : open_udp(id, value[4], localaddr, err);
}
