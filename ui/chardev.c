/*
 * Character back ends: the list of them, their option syntax, and the front end's calls.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ui/chardev.h"

#include <string.h>

#include "ui/chardev_int.h"

static GPtrArray *chardevs; /* of Chardev *, in order of creation */
static const ChardevEscapes *escapes;
static uint8_t escape_char = 1;

static const ChardevKind *const kinds[] = {
    &chardev_null, &chardev_stdio,  &chardev_file,    &chardev_pipe,
    &chardev_pty,  &chardev_socket, &chardev_ringbuf,
};

static const ChardevKind *kind_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!strcmp(kinds[i]->name, name)) {
            return kinds[i];
        }
    }
    return NULL;
}

void chardev_print_kinds(GString *out)
{
    g_string_append(out, "Character back ends (each also takes mux=on|off):\n");
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_string_append_printf(out, "%s,id=ID%s\n", kinds[i]->name, kinds[i]->options);
    }
}

void chardev_set_escapes(const ChardevEscapes *e)
{
    escapes = e;
}

const ChardevEscapes *chardev_escapes(void)
{
    return escapes;
}

void chardev_set_escape_char(uint8_t c)
{
    escape_char = c;
}

uint8_t chardev_escape_char(void)
{
    return escape_char;
}

/* ---- creation ---- */

Chardev *chardev_open(const ChardevKind *kind, const char *id, KeyVal *kv, GError **err)
{
    Chardev *chr = g_malloc0(kind->size);

    chr->kind = kind;
    chr->id = g_strdup(id);
    if (!kind->open(chr, kv, err)) {
        g_free(chr->id);
        g_free(chr);
        return NULL;
    }
    if ((kv && !keyval_finish(kv, err)) || (kind->ready && !kind->ready(chr, err))) {
        chardev_destroy(chr);
        return NULL;
    }
    return chr;
}

void chardev_destroy(Chardev *chr)
{
    if (chr->kind->close) {
        chr->kind->close(chr);
    }
    g_free(chr->id);
    g_free(chr);
}

/* Enters it in the list, behind a mux if wanted. */
static Chardev *chardev_enter(Chardev *chr, bool mux)
{
    if (mux) {
        g_autofree char *id = g_steal_pointer(&chr->id);
        chr->id = g_strconcat(id, "-base", NULL);
        chr = chardev_mux_new(id, chr);
    }
    if (!chardevs) {
        chardevs = g_ptr_array_new();
    }
    g_ptr_array_add(chardevs, chr);
    return chr;
}

static bool id_is_free(const char *id, GError **err)
{
    if (chardev_find(id)) {
        emu_set_error(err, "there is a character back end '%s' already", id);
        return false;
    }
    return true;
}

Chardev *chardev_from_options(const char *optarg, GError **err)
{
    g_autofree char *id = NULL;
    bool mux = false;
    Chardev *chr = NULL;
    KeyVal *kv = keyval_parse("-chardev", optarg, "backend", err);

    if (!kv) {
        return NULL;
    }
    const char *name = keyval_get(kv, "backend");
    const ChardevKind *kind = name ? kind_find(name) : NULL;
    id = g_strdup(keyval_get(kv, "id"));
    if (!kind) {
        emu_set_error(err, "'%s' is no character back end (-chardev help lists them)",
                      name ? name : "");
    } else if (!id || !*id) {
        emu_set_error(err, "%s needs an id= to be referred to by", name);
    } else if (id_is_free(id, err) && keyval_get_bool(kv, "mux", &mux, err)) {
        chr = chardev_open(kind, id, kv, err);
    }
    keyval_free(kv);
    return chr ? chardev_enter(chr, mux) : NULL;
}

/* "HOST:PORT", "[v6]:PORT", ":PORT" into the keys of a socket. */
static bool split_address(KeyVal *kv, const char *address, GError **err)
{
    const char *colon = address ? strrchr(address, ':') : NULL;

    if (!colon || !colon[1]) {
        emu_set_error(err, "'%s' should be tcp:HOST:PORT[,server=on][,wait=off]",
                      address ? address : "");
        return false;
    }
    g_autofree char *host = g_strndup(address, colon - address);
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = 0;
    }
    keyval_set(kv, "host", host);
    keyval_set(kv, "port", colon + 1);
    return true;
}

typedef enum LegacyForm { LEGACY_WORD, LEGACY_PATH, LEGACY_UNIX, LEGACY_TCP } LegacyForm;

static const struct LegacySyntax {
    const char *prefix;
    LegacyForm form;
    const ChardevKind *kind;
} legacy_syntax[] = {
    {"null", LEGACY_WORD, &chardev_null},  {"stdio", LEGACY_WORD, &chardev_stdio},
    {"pty", LEGACY_WORD, &chardev_pty},    {"file:", LEGACY_PATH, &chardev_file},
    {"pipe:", LEGACY_PATH, &chardev_pipe}, {"unix:", LEGACY_UNIX, &chardev_socket},
    {"tcp:", LEGACY_TCP, &chardev_socket},
};

static const struct LegacySyntax *legacy_find(const char *spec)
{
    for (size_t i = 0; i < G_N_ELEMENTS(legacy_syntax); i++) {
        const struct LegacySyntax *l = &legacy_syntax[i];
        if (l->form == LEGACY_WORD ? !strcmp(spec, l->prefix) : g_str_has_prefix(spec, l->prefix)) {
            return l;
        }
    }
    return NULL;
}

/* The options of a back end in legacy syntax, as -chardev would have them. */
static KeyVal *legacy_options(const struct LegacySyntax *l, const char *spec, GError **err)
{
    const char *rest = spec + strlen(l->prefix);
    KeyVal *kv = NULL;

    switch (l->form) {
    case LEGACY_WORD:
        return keyval_parse(spec, "", NULL, err);
    case LEGACY_PATH: /* commas are part of the path */
        kv = keyval_parse(spec, "", NULL, err);
        if (kv) {
            keyval_set(kv, "path", rest);
        }
        return kv;
    case LEGACY_UNIX:
        return keyval_parse(spec, rest, "path", err);
    case LEGACY_TCP:
        kv = keyval_parse(spec, rest, "address", err);
        if (kv && !split_address(kv, keyval_get(kv, "address"), err)) {
            keyval_free(kv);
            kv = NULL;
        }
        return kv;
    }
    return NULL;
}

Chardev *chardev_from_legacy(const char *id, const char *spec, GError **err)
{
    bool mux = g_str_has_prefix(spec, "mon:");

    if (g_str_has_prefix(spec, "chardev:")) {
        Chardev *chr = chardev_find(spec + 8);
        if (!chr) {
            emu_set_error(err, "there is no character back end '%s'", spec + 8);
        }
        return chr;
    }
    if (mux) {
        spec += 4;
    }
    const struct LegacySyntax *l = legacy_find(spec);
    if (!l) {
        emu_set_error(err,
                      "'%s' is no character back end (null, stdio, pty, file:, pipe:, unix:, tcp:, "
                      "chardev:, or mon: before one of them)",
                      spec);
        return NULL;
    }
    if (!id_is_free(id, err)) {
        return NULL;
    }
    KeyVal *kv = legacy_options(l, spec, err);
    if (!kv) {
        return NULL;
    }
    if (mux && l->kind == &chardev_stdio) {
        keyval_set(kv, "signal", "off"); /* Ctrl-C is the guest's */
    }
    Chardev *chr = chardev_open(l->kind, id, kv, err);
    keyval_free(kv);
    return chr ? chardev_enter(chr, mux) : NULL;
}

Chardev *chardev_find(const char *id)
{
    for (guint i = 0; chardevs && i < chardevs->len; i++) {
        Chardev *chr = g_ptr_array_index(chardevs, i);
        if (!strcmp(chr->id, id)) {
            return chr;
        }
    }
    return NULL;
}

const char *chardev_id(const Chardev *chr)
{
    return chr->id;
}

bool chardev_is_mux(const Chardev *chr)
{
    return chr->kind == &chardev_mux;
}

void chardev_start(void)
{
    for (guint i = 0; chardevs && i < chardevs->len; i++) {
        Chardev *chr = g_ptr_array_index(chardevs, i);
        if (chr->kind->start) {
            chr->kind->start(chr);
        }
    }
}

void chardev_remove(Chardev *chr)
{
    g_assert(!chr->fe);
    g_ptr_array_remove(chardevs, chr);
    chardev_destroy(chr);
}

void chardev_free_all(void)
{
    while (chardevs && chardevs->len) {
        Chardev *chr = g_ptr_array_steal_index(chardevs, chardevs->len - 1);
        g_clear_pointer(&chr->fe, g_free);
        chardev_destroy(chr);
    }
    g_clear_pointer(&chardevs, g_ptr_array_unref);
    chardev_restore_terminal();
}

void chardev_print_info(GString *out)
{
    for (guint i = 0; chardevs && i < chardevs->len; i++) {
        Chardev *chr = g_ptr_array_index(chardevs, i);
        g_string_append_printf(out, "%s: filename=", chr->id);
        if (chr->kind->describe) {
            chr->kind->describe(chr, out);
        } else {
            g_string_append(out, chr->kind->name);
        }
        g_string_append_c(out, '\n');
    }
}

/* ---- front ends ---- */

CharFrontend *chardev_attach(Chardev *chr, const CharHandlers *handlers, void *opaque, GError **err)
{
    if (!chr->kind->attach && chr->fe) {
        emu_set_error(err, "character back end '%s' is in use already (mux=on would share it)",
                      chr->id);
        return NULL;
    }
    CharFrontend *fe = g_new0(CharFrontend, 1);
    fe->chr = chr;
    fe->handlers = handlers;
    fe->opaque = opaque;
    if (chr->kind->attach) {
        if (!chr->kind->attach(chr, fe, err)) {
            g_free(fe);
            return NULL;
        }
        return fe;
    }
    chr->fe = fe;
    if (chr->connected) {
        char_frontend_event(fe, CHAR_EVENT_OPENED);
    }
    if (chr->kind->accept_input) {
        chr->kind->accept_input(chr);
    }
    return fe;
}

void chardev_detach(CharFrontend *fe)
{
    if (!fe) {
        return;
    }
    if (fe->chr->kind->detach) {
        fe->chr->kind->detach(fe->chr, fe);
    } else {
        fe->chr->fe = NULL;
    }
    g_free(fe);
}

size_t chardev_write(CharFrontend *fe, const void *buf, size_t len)
{
    size_t done = fe->chr->kind->write(fe->chr, buf, len);

    fe->short_write = done < len;
    return done;
}

void chardev_write_all(CharFrontend *fe, const void *buf, size_t len)
{
    Chardev *chr = fe->chr;

    for (size_t done = 0; done < len;) {
        done += chr->kind->write(chr, (const uint8_t *)buf + done, len - done);
        if (done < len && chr->kind->wait_writable) {
            chr->kind->wait_writable(chr);
        }
    }
}

void chardev_accept_input(CharFrontend *fe)
{
    if (fe->chr->kind->accept_input) {
        fe->chr->kind->accept_input(fe->chr);
    }
}

/* ---- the kinds' side ---- */

size_t char_can_receive(Chardev *chr)
{
    CharFrontend *fe = chr->fe;

    return fe && fe->handlers->can_receive ? fe->handlers->can_receive(fe->opaque) : 0;
}

void char_receive(Chardev *chr, const uint8_t *buf, size_t len)
{
    if (chr->fe && chr->fe->handlers->receive) {
        chr->fe->handlers->receive(chr->fe->opaque, buf, len);
    }
}

void char_writable(Chardev *chr)
{
    CharFrontend *fe = chr->fe;

    if (fe && fe->short_write) {
        fe->short_write = false;
        if (fe->handlers->writable) {
            fe->handlers->writable(fe->opaque);
        }
    }
}

void char_frontend_event(CharFrontend *fe, CharEvent event)
{
    if (fe->handlers->event) {
        fe->handlers->event(fe->opaque, event);
    }
}

void char_event(Chardev *chr, CharEvent event)
{
    if (event == CHAR_EVENT_OPENED) {
        chr->connected = true;
    } else if (event == CHAR_EVENT_CLOSED) {
        chr->connected = false;
    }
    if (chr->fe) {
        char_frontend_event(chr->fe, event);
    }
}
