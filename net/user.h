/*
 * What the files of the user-mode network share.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NET_USER_H
#define NET_USER_H

#include "net/net_int.h"

#ifdef CONFIG_SLIRP
#include <slirp/libslirp.h>

typedef struct NetUser {
    NetClient c;
    Slirp *slirp;
    GHashTable *watches;         /* fd -> UserWatch * */
    GArray *polled;              /* struct pollfd: what libslirp asked for last */
    NetTimer *timer;             /* libslirp's next deadline */
    unsigned generation;         /* of update_watches() */
    struct NetUser **poll_token; /* posted, and told when this one goes; or NULL */
    bool paused;                 /* the card's queue is full */
    bool refill;                 /* frames came in since the last one */
    bool restricted;
    char *net_text;
} NetUser;

typedef struct UserWatch {
    NetWatch *watch;
    unsigned generation;
} UserWatch;

typedef struct UserTimer {
    NetUser *user;
    NetTimer *timer;
    SlirpTimerId id;
    void *opaque;
} UserTimer;

typedef struct UserOptions {
    SlirpConfig config;
    char *net_text;                            /* "10.0.2.0" */
    GPtrArray *hostfwd, *guestfwd, *dnssearch; /* char * */
    GPtrArray *strings;                        /* what config points to */
} UserOptions;

/* user_options.c. CLEAR also after PARSE failed. */
bool user_options_parse(UserOptions *o, KeyVal *kv, GError **err);
void user_options_clear(UserOptions *o);
/* user_forward.c: opens what the options forward. */
bool user_forwards(NetUser *u, const UserOptions *o, GError **err);

#endif
#endif
