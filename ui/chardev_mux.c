/*
 * The multiplexer: several front ends on one back end, and the escape keys.
 *
 * All write to it; one, which has the focus, gets the input. What is typed is read even while that
 * one takes nothing, into a ring per front end, so that Ctrl-A x works on a guest that hangs.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "ui/chardev_int.h"

enum { MUX_FRONTENDS = 8, MUX_RING = 4096 };

typedef struct MuxInput {
    CharFrontend *fe;
    uint8_t ring[MUX_RING];
    size_t start, used;
} MuxInput;

typedef struct MuxChardev {
    Chardev chr;
    Chardev *base;
    CharFrontend *base_fe;
    MuxInput *in[MUX_FRONTENDS]; /* NULL: free */
    int focus;                   /* -1: nobody */
    bool started;
    bool escape; /* the last byte was the escape character */
    bool timestamps;
    bool line_start;
    int64_t timestamps_from;
} MuxChardev;

/* ---- focus ---- */

static void mux_tell_focus(MuxChardev *m, CharEvent event)
{
    if (m->started && m->focus >= 0) {
        char_frontend_event(m->in[m->focus]->fe, event);
    }
}

static void mux_set_focus(MuxChardev *m, int focus)
{
    if (focus != m->focus) {
        mux_tell_focus(m, CHAR_EVENT_FOCUS_OUT);
        m->focus = focus;
        mux_tell_focus(m, CHAR_EVENT_FOCUS_IN);
    }
}

static void mux_next_focus(MuxChardev *m)
{
    for (int i = 1; m->focus >= 0 && i < MUX_FRONTENDS; i++) {
        int next = (m->focus + i) % MUX_FRONTENDS;
        if (m->in[next]) {
            mux_set_focus(m, next);
            return;
        }
    }
}

static void mux_start(Chardev *chr)
{
    MuxChardev *m = (MuxChardev *)chr;

    if (!m->started) {
        m->started = true;
        mux_tell_focus(m, CHAR_EVENT_FOCUS_IN);
    }
}

/* ---- input ---- */

static void mux_deliver(MuxChardev *m, int n)
{
    while (m->in[n] && m->in[n]->used) {
        MuxInput *in = m->in[n];
        const CharHandlers *h = in->fe->handlers;
        size_t can = h->can_receive ? h->can_receive(in->fe->opaque) : 0;
        size_t part = MIN(MIN(can, in->used), MUX_RING - in->start);
        uint8_t buf[MUX_RING];
        if (!part) {
            return;
        }
        memcpy(buf, in->ring + in->start, part);
        in->start = (in->start + part) % MUX_RING;
        in->used -= part;
        h->receive(in->fe->opaque, buf, part);
    }
}

static void mux_say(MuxChardev *m, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void mux_say(MuxChardev *m, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    chardev_write_all(m->base_fe, text, strlen(text));
}

static void mux_help(MuxChardev *m)
{
    char name[8];
    uint8_t c = chardev_escape_char();
    const ChardevEscapes *e = chardev_escapes();

    if (c >= 1 && c <= 26) {
        snprintf(name, sizeof(name), "C-%c", c - 1 + 'a');
    } else {
        snprintf(name, sizeof(name), "0x%02x", c);
    }
    mux_say(m, "\r\n%s h    print this help\r\n", name);
    if (e && e->quit) {
        mux_say(m, "%s x    exit the emulator\r\n", name);
    }
    if (e && e->save) {
        mux_say(m, "%s s    save disk data back to the files (if -snapshot)\r\n", name);
    }
    mux_say(m, "%s t    toggle timestamps\r\n", name);
    mux_say(m, "%s b    send break (magic sysrq)\r\n", name);
    mux_say(m, "%s c    switch between serial line and monitor\r\n", name);
    mux_say(m, "%s %s  send %s\r\n", name, name, name);
}

static void mux_escape(MuxChardev *m, uint8_t c)
{
    const ChardevEscapes *e = chardev_escapes();

    switch (c) {
    case 'h':
    case '?':
        mux_help(m);
        break;
    case 'x':
        if (e && e->quit) {
            mux_say(m, "\r\nTerminated\r\n");
            e->quit(e->opaque);
        }
        break;
    case 's':
        if (e && e->save) {
            e->save(e->opaque);
        }
        break;
    case 'b':
        if (m->focus >= 0) {
            char_frontend_event(m->in[m->focus]->fe, CHAR_EVENT_BREAK);
        }
        break;
    case 'c':
        mux_next_focus(m);
        break;
    case 't':
        m->timestamps = !m->timestamps;
        m->timestamps_from = clock_now(CLOCK_RT);
        break;
    default:
        break;
    }
}

static void mux_put(MuxChardev *m, uint8_t c)
{
    MuxInput *in = m->focus >= 0 ? m->in[m->focus] : NULL;

    if (in && in->used < MUX_RING) {
        in->ring[(in->start + in->used++) % MUX_RING] = c;
    }
}

static void mux_receive(void *opaque, const uint8_t *buf, size_t len)
{
    MuxChardev *m = opaque;

    for (size_t i = 0; i < len; i++) {
        uint8_t esc = chardev_escape_char();
        if (m->escape) {
            m->escape = false;
            if (buf[i] == esc) {
                mux_put(m, esc);
                continue;
            }
            if (m->focus >= 0) {
                mux_deliver(m, m->focus); /* what was typed before goes to the old focus */
            }
            mux_escape(m, buf[i]);
        } else if (buf[i] == esc) {
            m->escape = true;
        } else {
            mux_put(m, buf[i]);
        }
    }
    if (m->focus >= 0) {
        mux_deliver(m, m->focus);
    }
}

static size_t mux_can_receive(void *opaque)
{
    MuxChardev *m = opaque;

    /* With nobody to give it to, only escapes matter: read on. */
    return m->focus >= 0 ? MUX_RING - m->in[m->focus]->used : MUX_RING;
}

static void mux_base_event(void *opaque, CharEvent event)
{
    MuxChardev *m = opaque;

    if (event == CHAR_EVENT_OPENED || event == CHAR_EVENT_CLOSED) {
        m->chr.connected = event == CHAR_EVENT_OPENED;
    }
    for (int i = 0; i < MUX_FRONTENDS; i++) {
        if (m->in[i]) {
            char_frontend_event(m->in[i]->fe, event);
        }
    }
}

static void mux_base_writable(void *opaque)
{
    MuxChardev *m = opaque;

    for (int i = 0; i < MUX_FRONTENDS; i++) {
        CharFrontend *fe = m->in[i] ? m->in[i]->fe : NULL;
        if (fe && fe->short_write) {
            fe->short_write = false;
            if (fe->handlers->writable) {
                fe->handlers->writable(fe->opaque);
            }
        }
    }
}

static const CharHandlers mux_base_handlers = {
    .can_receive = mux_can_receive,
    .receive = mux_receive,
    .event = mux_base_event,
    .writable = mux_base_writable,
};

/* ---- output ---- */

static size_t mux_write_stamped(MuxChardev *m, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (m->line_start) {
            int64_t ms = (clock_now(CLOCK_RT) - m->timestamps_from) / 1000000;
            mux_say(m, "[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000), (int)(ms / 60000 % 60),
                    (int)(ms / 1000 % 60), (int)(ms % 1000));
        }
        m->line_start = buf[i] == '\n';
        chardev_write_all(m->base_fe, buf + i, 1);
    }
    return len;
}

static size_t mux_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    MuxChardev *m = (MuxChardev *)chr;

    if (m->timestamps) {
        return mux_write_stamped(m, buf, len);
    }
    size_t done = chardev_write(m->base_fe, buf, len);
    if (done) {
        m->line_start = buf[done - 1] == '\n';
    }
    return done;
}

static void mux_wait(Chardev *chr)
{
    MuxChardev *m = (MuxChardev *)chr;

    if (m->base->kind->wait_writable) {
        m->base->kind->wait_writable(m->base);
    }
}

static void mux_accept_input(Chardev *chr)
{
    MuxChardev *m = (MuxChardev *)chr;

    if (m->focus >= 0) {
        mux_deliver(m, m->focus);
    }
    chardev_accept_input(m->base_fe);
}

/* ---- life ---- */

static bool mux_attach(Chardev *chr, CharFrontend *fe, GError **err)
{
    MuxChardev *m = (MuxChardev *)chr;

    for (int i = 0; i < MUX_FRONTENDS; i++) {
        if (!m->in[i]) {
            m->in[i] = g_new0(MuxInput, 1);
            m->in[i]->fe = fe;
            fe->tag = i;
            mux_set_focus(m, i);
            chardev_accept_input(m->base_fe);
            return true;
        }
    }
    emu_set_error(err, "character back end '%s' has %d front ends already, the most it can",
                  chr->id, MUX_FRONTENDS);
    return false;
}

static void mux_detach(Chardev *chr, CharFrontend *fe)
{
    MuxChardev *m = (MuxChardev *)chr;

    if (m->focus == fe->tag) {
        mux_next_focus(m);
    }
    if (m->focus == fe->tag) {
        m->focus = -1;
    }
    g_clear_pointer(&m->in[fe->tag], g_free);
}

static void mux_close(Chardev *chr)
{
    MuxChardev *m = (MuxChardev *)chr;

    for (int i = 0; i < MUX_FRONTENDS; i++) {
        if (m->in[i]) {
            g_free(m->in[i]->fe);
            g_free(m->in[i]);
        }
    }
    chardev_detach(m->base_fe);
    chardev_destroy(m->base);
}

static void mux_describe(Chardev *chr, GString *out)
{
    MuxChardev *m = (MuxChardev *)chr;

    g_string_append(out, "mux:");
    if (m->base->kind->describe) {
        m->base->kind->describe(m->base, out);
    } else {
        g_string_append(out, m->base->kind->name);
    }
}

const ChardevKind chardev_mux = {
    .name = "mux",
    .options = "",
    .size = sizeof(MuxChardev),
    .close = mux_close,
    .write = mux_write,
    .wait_writable = mux_wait,
    .accept_input = mux_accept_input,
    .attach = mux_attach,
    .detach = mux_detach,
    .describe = mux_describe,
    .start = mux_start,
};

Chardev *chardev_mux_new(const char *id, Chardev *base)
{
    MuxChardev *m = g_new0(MuxChardev, 1);

    m->chr.kind = &chardev_mux;
    m->chr.id = g_strdup(id);
    m->focus = -1;
    m->base = base;
    m->line_start = true;
    m->chr.connected = base->connected;
    m->base_fe = chardev_attach(base, &mux_base_handlers, m, NULL); /* new: it has no front end */
    return &m->chr;
}
