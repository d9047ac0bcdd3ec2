/*
 * A back end on a stream socket: each frame is preceded by its length as four bytes, big-endian.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/address.h"
#include "net/net_int.h"

/* Makes one of ADDRESS, whose text it takes over: listens there (SERVER), connects, or uses its
 * descriptor. RECONNECT seconds after a connection was lost, or refused, it is tried again; 0:
 * never. */
NetClient *net_stream_new(const char *id, const char *type, NetAddress *address, bool server,
                          unsigned reconnect, GError **err);

#endif
