/*
 * Character back ends: the far end of a serial line, a monitor or a debug port.
 *
 * A front end (a UART, a monitor) attaches its handlers; several may share one multiplexed back end
 * (mon:stdio), where Ctrl-A c moves the input focus. All under the machine lock; handlers are
 * called on the main thread. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UI_CHARDEV_H
#define UI_CHARDEV_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Chardev Chardev;
typedef struct CharFrontend CharFrontend; /* one attachment to a Chardev */

typedef enum CharEvent {
    CHAR_EVENT_OPENED,
    CHAR_EVENT_CLOSED,
    CHAR_EVENT_BREAK, /* a break condition on the line */
    CHAR_EVENT_FOCUS_IN,
    CHAR_EVENT_FOCUS_OUT,
} CharEvent;

typedef struct CharHandlers {
    /* How many bytes receive() would take now. */
    size_t (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, CharEvent event); /* may be NULL */
    void (*writable)(void *opaque);               /* after a short chardev_write(); may be NULL */
} CharHandlers;

/*
 * A back end from its legacy syntax ("stdio", "mon:stdio", "file:PATH", "pty",
 * "unix:PATH,server,...", "tcp:...", "pipe:PATH", "null", "none", "vc", "chardev:ID") under the
 * name ID.
 */
Chardev *chardev_from_legacy(const char *id, const char *spec, GError **err);
/* From -chardev KIND,id=ID,... ; unknown kinds and options are refused by name. */
Chardev *chardev_from_options(const char *optarg, GError **err);
Chardev *chardev_find(const char *id);
const char *chardev_id(const Chardev *chr);
bool chardev_is_mux(const Chardev *chr); /* front ends get focus events */
/* Focus events of multiplexed back ends are delivered from here on, the first of them now: what is
 * attached before only moves the focus. Once, when everything is attached. */
void chardev_start(void);
/* Closes one that has no front end any more. */
void chardev_remove(Chardev *chr);
void chardev_free_all(void);            /* restores the terminal */
void chardev_print_kinds(GString *out); /* -chardev help */
void chardev_print_info(GString *out);  /* info chardev */

/*
 * What the escape keys of a multiplexed back end do beyond moving the focus. Set once, before the
 * first of them is opened.
 */
typedef struct ChardevEscapes {
    void (*quit)(void *opaque); /* Ctrl-A x */
    void (*save)(void *opaque); /* Ctrl-A s; NULL: the key does nothing */
    void *opaque;
} ChardevEscapes;
void chardev_set_escapes(const ChardevEscapes *escapes);
void chardev_set_escape_char(uint8_t c); /* -echr; Ctrl-A at first */
/* From a signal handler: gives the terminal its settings back. Async-signal-safe. */
void chardev_restore_terminal(void);
/* After SIGCONT: the terminal's settings as the stdio back end needs them. */
void chardev_continue_terminal(void);

/* A ring buffer's contents (-chardev ringbuf): takes up to MAX bytes out of it; puts bytes in as
 * input of its front end. False with ERR when ID is no ring buffer. */
bool chardev_ringbuf_read(const char *id, size_t max, GByteArray *out, GError **err);
bool chardev_ringbuf_write(const char *id, const void *buf, size_t len, GError **err);

CharFrontend *chardev_attach(Chardev *chr, const CharHandlers *handlers, void *opaque,
                             GError **err);
void chardev_detach(CharFrontend *fe);
/* Writes what can be taken without blocking; returns how much. The rest is the caller's to retry
 * from writable(). */
size_t chardev_write(CharFrontend *fe, const void *buf, size_t len);
/* Writes all, blocking the thread for as long as it takes: monitors and messages. */
void chardev_write_all(CharFrontend *fe, const void *buf, size_t len);
/* Tells the back end that can_receive() may have grown. */
void chardev_accept_input(CharFrontend *fe);

#endif
