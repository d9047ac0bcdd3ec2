/*
 * Monitors: their output, and how they live with a multiplexed back end.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "monitor/monitor_int.h"

enum { OUT_LIMIT = 64 * 1024 }; /* of waiting output, beyond which no more commands are read */

static GPtrArray *monitors; /* of Monitor * */

static void monitor_flush(Monitor *mon)
{
    if (!mon->hidden && mon->fe && mon->out->len) {
        size_t n = chardev_write(mon->fe, mon->out->data, mon->out->len);
        g_byte_array_remove_range(mon->out, 0, n);
    }
}

void monitor_puts(Monitor *mon, const char *text)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        g_byte_array_append(mon->out, (const uint8_t *)p, n);
        p += n;
        if (*p) {
            g_byte_array_append(mon->out, (const uint8_t *)"\r\n", 2);
            p++;
        }
    }
    monitor_flush(mon);
}

void monitor_printf(Monitor *mon, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    monitor_puts(mon, text);
}

/* ---- the line editor's side ---- */

static void rl_put(void *opaque, const char *text)
{
    monitor_puts(opaque, text);
}

static void rl_line(void *opaque, const char *line)
{
    Monitor *mon = opaque;

    hmp_run(mon, line);
    if (!mon->quit) {
        readline_show(mon->rl);
    }
}

static void complete_from(const HmpCommand *table, const char *lead, const char *word,
                          GPtrArray *out)
{
    for (const HmpCommand *c = table; c->name; c++) {
        if (g_str_has_prefix(c->name, word)) {
            g_ptr_array_add(out, g_strconcat(lead, c->name, NULL));
        }
    }
}

static void rl_complete(void *opaque, const char *prefix, GPtrArray *out)
{
    static const char *const leads[] = {"info ", "help "};

    (void)opaque;
    for (size_t i = 0; i < G_N_ELEMENTS(leads); i++) {
        if (g_str_has_prefix(prefix, leads[i])) {
            complete_from(i == 0 ? hmp_info_commands : hmp_commands, leads[i],
                          prefix + strlen(leads[i]), out);
            return;
        }
    }
    complete_from(hmp_commands, "", prefix, out);
}

static const ReadLineOps rl_ops = {.put = rl_put, .line = rl_line, .complete = rl_complete};

/* ---- the back end's side ---- */

static size_t mon_can_receive(void *opaque)
{
    Monitor *mon = opaque;

    return !mon->hidden && mon->out->len < OUT_LIMIT
               ? 1
               : 0; /* one at a time: a command's output may fill it */
}

static void mon_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *mon = opaque;

    for (size_t i = 0; i < len; i++) {
        readline_byte(mon->rl, buf[i]);
    }
}

static void mon_greet(Monitor *mon)
{
    if (!mon->greeted) {
        mon->greeted = true;
        monitor_puts(mon, "emu " CONFIG_VERSION " monitor - type 'help' for more information\n");
    }
    readline_show(mon->rl);
}

static void mon_event(void *opaque, CharEvent event)
{
    Monitor *mon = opaque;

    switch (event) {
    case CHAR_EVENT_OPENED:
        mon->greeted = false;
        if (!mon->hidden) {
            mon_greet(mon);
        }
        break;
    case CHAR_EVENT_FOCUS_IN:
        mon->hidden = false;
        mon_greet(mon);
        chardev_accept_input(mon->fe);
        break;
    case CHAR_EVENT_FOCUS_OUT:
        monitor_puts(mon, "\n");
        mon->hidden = true;
        break;
    case CHAR_EVENT_CLOSED:
        g_byte_array_set_size(mon->out, 0);
        break;
    case CHAR_EVENT_BREAK:
        break;
    }
}

static void mon_writable(void *opaque)
{
    Monitor *mon = opaque;

    monitor_flush(mon);
    chardev_accept_input(mon->fe);
}

static const CharHandlers mon_handlers = {
    .can_receive = mon_can_receive,
    .receive = mon_receive,
    .event = mon_event,
    .writable = mon_writable,
};

static void monitor_free(gpointer data)
{
    Monitor *mon = data;

    chardev_detach(mon->fe);
    readline_free(mon->rl);
    g_byte_array_unref(mon->out);
    g_free(mon);
}

static void monitor_init(Monitor *mon, Machine *m, const MonitorHost *host)
{
    mon->machine = m;
    mon->host = host;
    mon->out = g_byte_array_new();
    mon->hidden = true;
    mon->format = 'x';
    mon->unit = 4;
}

char *monitor_run(Machine *m, const MonitorHost *host, const char *line)
{
    Monitor mon = {0};

    monitor_init(&mon, m, host);
    hmp_run(&mon, line);
    GString *text = g_string_new_len((const char *)mon.out->data, mon.out->len);
    g_string_replace(text, "\r\n", "\n", 0);
    g_byte_array_unref(mon.out);
    return g_string_free(text, FALSE);
}

bool monitor_new(Machine *m, const MonitorHost *host, Chardev *chr, GError **err)
{
    Monitor *mon = g_new0(Monitor, 1);

    monitor_init(mon, m, host);
    mon->rl = readline_new(&rl_ops, mon, "(emu) ");
    mon->muxed = chardev_is_mux(chr);
    mon->fe = chardev_attach(chr, &mon_handlers, mon, err);
    if (!mon->fe) {
        monitor_free(mon);
        return false;
    }
    if (!monitors) {
        monitors = g_ptr_array_new_with_free_func(monitor_free);
    }
    g_ptr_array_add(monitors, mon);
    return true;
}

void monitor_start(void)
{
    for (guint i = 0; monitors && i < monitors->len; i++) {
        Monitor *mon = g_ptr_array_index(monitors, i);
        if (!mon->muxed) {
            mon->hidden = false;
            mon_greet(mon);
            chardev_accept_input(mon->fe);
        }
    }
}

void monitor_free_all(void)
{
    hmp_keys_cancel();
    g_clear_pointer(&monitors, g_ptr_array_unref);
}
