/*
 * Addresses of sockets as options give them, and sockets made of them.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util/keyval.h"

typedef struct NetAddress {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } sa;
    socklen_t len; /* 0: none */
    int fd;        /* type fd: an open socket; else -1 */
    char *text;    /* for messages: "tcp:127.0.0.1:1234", "unix:/run/x" */
} NetAddress;

/* "host:port", "[v6]:port", ":port" (every address of this host, if PASSIVE). */
bool net_address_parse(NetAddress *out, const char *text, int socktype, bool passive, GError **err);
bool net_address_resolve(NetAddress *out, const char *host, const char *port, int socktype,
                         bool passive, GError **err);
/* PREFIX.type=inet|unix|fd with PREFIX.host, .port, .path, .str. OUT->len and fd say what was
 * given; a missing PREFIX.type leaves none. */
bool net_address_get(NetAddress *out, KeyVal *kv, const char *prefix, int socktype, bool passive,
                     GError **err);
void net_address_clear(NetAddress *a);
bool net_address_is_multicast(const NetAddress *a);

/* Non-blocking, close-on-exec sockets; -1 with ERR. A stale socket file at a Unix address is
 * replaced. */
int net_socket_bind(const NetAddress *a, int socktype, GError **err);
/* The number of an open descriptor that is a socket. */
bool net_fd_parse(const char *text, bool socket, int *fd, GError **err);

#endif
