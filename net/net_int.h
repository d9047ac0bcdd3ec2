/*
 * What the network's own files share. All of it on the network's thread, without the machine lock,
 * unless it says otherwise. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NET_NET_INT_H
#define NET_NET_INT_H

#include "core/iothread.h"
#include "net/net.h"
#include "util/keyval.h"

/* ---- the thread and its loop: loop.c ---- */

/* Starts the thread if need be. Main thread. */
IoThread *net_thread(GError **err);
/* Runs FN(OPAQUE) on it and waits; releases the machine lock meanwhile. Main thread. */
void net_run(void (*fn)(void *opaque), void *opaque);
void net_thread_stop(void);

typedef struct NetWatch NetWatch;
/* Calls FN with epoll's events when FD is ready for what net_watch_set() says (EPOLLIN ...; at
 * first nothing). */
NetWatch *net_watch_new(int fd, void (*fn)(void *opaque, uint32_t events), void *opaque);
void net_watch_set(NetWatch *w, uint32_t events);
void net_watch_free(NetWatch *w); /* before FD is closed; NULL is fine */

typedef struct NetTimer NetTimer;
NetTimer *net_timer_new(void (*fn)(void *opaque), void *opaque);
void net_timer_set(NetTimer *t, int64_t ns); /* from now on; -1: never */
void net_timer_free(NetTimer *t);            /* NULL is fine */
int64_t net_now_ns(void);                    /* CLOCK_MONOTONIC */

/* ---- ends of a connection: client.c ---- */

typedef struct NetClient NetClient;
typedef struct NetFilter NetFilter;

typedef struct NetClientOps {
    const char *type; /* "user" */
    /* Takes a frame (its memory, too). False: not now; net_client_ready() will say when. */
    bool (*receive)(NetClient *c, NetPacket *pkt);
    /* No more frames for now. May be NULL, as all that follows. */
    void (*flush)(NetClient *c);
    /* net_can_send() was false, and is true now. */
    void (*resume)(NetClient *c);
    void (*peer_accepts)(NetClient *c, uint32_t accepts);
    void (*describe)(NetClient *c, GString *out); /* "net=10.0.2.0" */
    void (*close)(NetClient *c);                  /* frees what is its own */
} NetClientOps;

typedef struct NetQueue {
    NetPacket *head, **tail;
    unsigned count;
    size_t bytes;
} NetQueue;

/* A back end's struct embeds it first. */
struct NetClient {
    const NetClientOps *ops;
    char *name; /* unique among all; the id of a -netdev */
    NetClient *peer;
    uint32_t accepts; /* NET_OFFLOAD_* */
    bool link_down;
    bool peer_waits; /* the peer found this one's queue full */
    NetQueue in;     /* what receive() refused */
    GSList *filters;
    uint64_t dropped;
};

enum { NET_QUEUE_PACKETS = 512, NET_QUEUE_BYTES = 2 << 20 };

void net_queue_init(NetQueue *q);
void net_queue_add(NetQueue *q, NetPacket *pkt);
NetPacket *net_queue_take(NetQueue *q); /* NULL when empty */
void net_queue_clear(NetQueue *q);
bool net_queue_full(const NetQueue *q);
bool net_queue_low(const NetQueue *q); /* room for a good many */

void net_client_init(NetClient *c, const NetClientOps *ops, const char *name, uint32_t accepts);
void net_client_connect(NetClient *a, NetClient *b);
/* Disconnects, closes, and frees what C has, but not C itself. */
void net_client_fini(NetClient *c);
void net_client_free(NetClient *c);
/* Sends a frame, which it takes, to C's peer. */
void net_send(NetClient *c, NetPacket *pkt);
/* False: it would be dropped, or wait; ops->resume will be called. */
bool net_can_send(NetClient *c);
/* C takes frames again. */
void net_client_ready(NetClient *c);
void net_client_set_accepts(NetClient *c, uint32_t accepts);
void net_client_set_link(NetClient *c, bool up);

typedef struct NetFilterOps {
    const char *type;
    void (*frame)(NetFilter *f, const NetPacket *pkt);
    void (*describe)(NetFilter *f, GString *out);
    void (*close)(NetFilter *f);
} NetFilterOps;
struct NetFilter {
    const NetFilterOps *ops;
    char *id;
    NetClient *client;
    bool to_client, from_client; /* which direction it sees */
};

/* ---- kinds of back ends: netdev.c ---- */

typedef struct NetKind {
    const char *name;
    /* Makes the back end called ID of KV's options, all of which it asks for; on the network's
     * thread. */
    NetClient *(*create)(const char *id, KeyVal *kv, GError **err);
} NetKind;
extern const NetKind net_kinds[]; /* ends with a NULL name */

/* Back ends: NetClient *, in the order made; cards: NetNic *. Machine lock. Not NULL. */
GPtrArray *net_backends(void);
GPtrArray *net_nics(void);
/* The back end called NAME, or NULL. Machine lock. */
NetClient *net_backend_find(const char *name);

/* ---- cards: nic.c ---- */

struct NetNic {
    NetClient c; /* the network's thread */
    _Atomic int refs;

    /* Machine lock: */
    Machine *machine;
    const NetNicOps *ops;
    void *opaque; /* NULL: the device has gone */
    char *name, *model;
    uint8_t mac[6];
    bool connected, link_up;
    bool rx_blocked; /* no buffers, or the machine stands */
    bool loaded;     /* its state was: it may have been waiting to send */

    bool rx_posted; /* the network's thread */

    GMutex mutex; /* of what follows */
    NetQueue tx;
    bool tx_posted, tx_blocked;
    unsigned tx_waiting; /* frames and bytes from net_nic_send() to the back end */
    size_t tx_waiting_bytes;

    NetQueue tx_now; /* the network's thread: taken out of TX */
};

/* The link is what both ends say. On the main thread, after a client's changed. Machine lock. */
void net_nic_update_link(NetNic *nic);
void net_nic_machine_started(NetNic *nic);
/* Ends the connection for good; the network's thread. */
void net_nic_disconnect(NetNic *nic);

NetClient *net_user_create(const char *id, KeyVal *kv, GError **err);
NetClient *net_tap_create(const char *id, KeyVal *kv, GError **err);
NetClient *net_socket_create(const char *id, KeyVal *kv, GError **err);
NetClient *net_stream_create(const char *id, KeyVal *kv, GError **err);
NetClient *net_dgram_create(const char *id, KeyVal *kv, GError **err);
NetClient *net_hubport_create(const char *id, KeyVal *kv, GError **err);
NetClient *net_bridge_create(const char *id, KeyVal *kv, GError **err);

/* user.c */
extern const NetClientOps net_user_ops;
bool net_user_hostfwd(NetClient *c, const char *rule, bool add, GError **err);
void net_user_print(NetClient *c, GString *out);

#endif
