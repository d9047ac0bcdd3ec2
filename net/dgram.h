/*
 * A back end on a datagram socket: a frame is a datagram.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NET_DGRAM_H
#define NET_DGRAM_H

#include "net/address.h"
#include "net/net_int.h"

/* Makes one that receives at LOCAL (or on its descriptor) and sends to REMOTE, which may be a
 * multicast group: then LOCAL, if given, is the address of the interface. Takes over their texts.
 */
NetClient *net_dgram_new(const char *id, const char *type, NetAddress *local, NetAddress *remote,
                         GError **err);

#endif
