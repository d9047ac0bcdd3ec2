/*
 * What the kinds of character back end share; private to ui/chardev*.c.
 *
 * A kind is one const ChardevKind in its own file; its struct embeds Chardev first. Those that sit
 * on a file descriptor use CharFd, which reads only as much as the front end takes, and keeps what
 * the descriptor does not take yet. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UI_CHARDEV_INT_H
#define UI_CHARDEV_INT_H

#include "ui/chardev.h"
#include "util/keyval.h"

typedef struct ChardevKind {
    const char *name;
    const char *options; /* for -chardev help */
    size_t size;
    /* Reads its options from KV (the caller finishes KV) and opens. */
    bool (*open)(Chardev *chr, KeyVal *kv, GError **err);
    /* Called once KV's keys were all known; may block (a server waiting). NULL: nothing. */
    bool (*ready)(Chardev *chr, GError **err);
    void (*close)(Chardev *chr);
    /* Takes what can be taken without blocking. */
    size_t (*write)(Chardev *chr, const uint8_t *buf, size_t len);
    /* Blocks until write() may take more. NULL: it always takes all. */
    void (*wait_writable)(Chardev *chr);
    /* can_receive() may have grown. NULL: it never has input. */
    void (*accept_input)(Chardev *chr);
    /* Instead of the one front end of Chardev; both or none. */
    bool (*attach)(Chardev *chr, CharFrontend *fe, GError **err);
    void (*detach)(Chardev *chr, CharFrontend *fe);
    void (*describe)(Chardev *chr, GString *out); /* "unix:/path,server=on"; NULL: the name */
    void (*start)(Chardev *chr);                  /* chardev_start() */
} ChardevKind;

struct Chardev {
    const ChardevKind *kind;
    char *id;
    CharFrontend *fe;
    bool connected; /* OPENED has been sent, or would have been to a front end */
    bool mux_base;  /* belongs to a mux: not to be found or attached by name */
};

struct CharFrontend {
    Chardev *chr;
    const CharHandlers *handlers;
    void *opaque;
    bool short_write; /* writable() is owed */
    int tag;          /* kind's own */
};

extern const ChardevKind chardev_null, chardev_file, chardev_pipe, chardev_pty, chardev_stdio,
    chardev_socket, chardev_ringbuf, chardev_mux;

/* For the kinds: the front end of CHR, if there is one. */
size_t char_can_receive(Chardev *chr);
void char_receive(Chardev *chr, const uint8_t *buf, size_t len);
void char_writable(Chardev *chr);
/* OPENED and CLOSED also change chr->connected. */
void char_event(Chardev *chr, CharEvent event);
void char_frontend_event(CharFrontend *fe, CharEvent event);

/* Makes a mux with id ID of BASE, which it owns from then on. */
Chardev *chardev_mux_new(const char *id, Chardev *base);
uint8_t chardev_escape_char(void);
const ChardevEscapes *chardev_escapes(void);
/* Opens, with ID, the kind that KV's options are for; not yet in the list. */
Chardev *chardev_open(const ChardevKind *kind, const char *id, KeyVal *kv, GError **err);
void chardev_destroy(Chardev *chr);

/* ---- file descriptors ---- */

typedef struct CharFd {
    Chardev *chr;
    int in_fd, out_fd; /* -1: none; may be the same */
    guint in_watch, out_watch;
    GByteArray *pending; /* output not taken yet */
    bool out_polls;      /* false for regular files, which always take everything */
    /* End of file or a broken connection; NULL: input just ends. May stop the CharFd. */
    void (*hangup)(Chardev *chr);
} CharFd;

/* FDs become the CharFd's; OUT_FD should not block. */
void char_fd_start(CharFd *cf, Chardev *chr, int in_fd, int out_fd);
/* Gives pending output a moment to leave if FLUSH; closes. */
void char_fd_stop(CharFd *cf, bool flush);
size_t char_fd_write(CharFd *cf, const uint8_t *buf, size_t len);
void char_fd_wait(CharFd *cf);
void char_fd_accept_input(CharFd *cf);

#endif
