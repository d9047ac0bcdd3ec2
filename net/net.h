/*
 * The network: cards, back ends, and what is between them.
 *
 * Every back end (-netdev) lives on one I/O thread of the network's own, and so does what is
 * between the two ends of a connection: filters, hubs, segmentation. A card's device model runs
 * under the machine lock; frames go to and from it through two queues of bounded size. When the
 * queue to the back end is full, net_nic_send() refuses and calls the card back later; when the
 * card has no buffers, its queue fills and the back end stops reading. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "net/packet.h"

typedef struct Machine Machine;

/* ---- cards. Machine lock held by the caller of all of these ---- */

typedef struct NetNic NetNic;

/* Called under the machine lock, on any thread but always one at a time. */
typedef struct NetNicOps {
    /* A frame for the guest, which needs nothing beyond what net_nic_set_accepts() said. False: no
     * buffers; the frame is offered again after net_nic_receive_ready(). */
    bool (*receive)(void *opaque, const NetPacket *pkt);
    /* After one or more of those: the time to interrupt. */
    void (*receive_done)(void *opaque);
    /* net_nic_send() refused a frame; now it will not. */
    void (*send_ready)(void *opaque);
    void (*link_changed)(void *opaque, bool up);
    /* Let the driver tell the network where it is. False (or NULL): it cannot; a RARP frame is sent
     * for it. */
    bool (*announce)(void *opaque);
} NetNicOps;

/*
 * A card of MODEL ("e1000") with address MAC, connected to back end NETDEV (an id; NULL: to
 * nothing). MAC all zero: gets the next of 52:54:00:12:34:56 and so on. NULL with ERR: no such back
 * end, it has a card already, or the address is another card's.
 */
NetNic *net_nic_new(Machine *m, const char *model, const char *id, const char *netdev,
                    uint8_t mac[6], const NetNicOps *ops, void *opaque, GError **err);
/* OPAQUE is not called any more. NULL is fine. */
void net_nic_free(NetNic *nic);
/* Sends what the iovecs hold from SKIP on: copied before it returns. HDR NULL: nothing is left to
 * do to the frame. False: the queue is full, SEND_READY will be called. */
bool net_nic_send(NetNic *nic, const struct iovec *iov, unsigned count, size_t skip,
                  const NetHdr *hdr);
/* The card has buffers again, after it refused a frame. */
void net_nic_receive_ready(NetNic *nic);
/* The card's state was loaded: when the machine runs, SEND_READY is called, and what arrived is
 * offered. */
void net_nic_loaded(NetNic *nic);
/* NET_OFFLOAD_*: what the card takes as it is. */
void net_nic_set_accepts(NetNic *nic, uint32_t accepts);
bool net_nic_link_up(const NetNic *nic);
/* The address is another one now: for `info network`. */
void net_nic_set_mac(NetNic *nic, const uint8_t mac[6]);

/* ---- the user's side. Main thread, machine lock held ---- */

/* "-netdev ARG": [type=]TYPE,id=ID,... */
bool net_add(const char *arg, GError **err);
/* "-object filter-dump,...": ARG without the type. */
bool net_filter_dump_add(const char *arg, GError **err);
/* `-netdev help` */
void net_print_kinds(GString *out);
/* Whether there is a back end with this id. */
bool net_exists(const char *id);
/* Back ends and filters nobody can use any more, as lines for a warning: connected to nothing. */
void net_print_unconnected(GString *out);
/* `info network` */
void net_print(GString *out);
/* `set_link NAME on|off`: a card (by its device's id or its name) or a back end. */
bool net_set_link(const char *name, bool up, GError **err);
/* `hostfwd_add [NETDEV] RULE`, and remove; NETDEV NULL: the only one. */
bool net_hostfwd(const char *netdev, const char *rule, bool add, GError **err);
/* `info usernet` */
void net_print_user(GString *out);
/* Tells switches where the cards are now: after a move, and on `announce_self`. */
void net_announce(void);
/* The machine runs again: frames that waited for that are delivered. */
void net_machine_started(void);
/* Ends everything: scripts are run, files written. */
void net_close_all(void);

#endif
