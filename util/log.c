/*
 * The log of -d and -D.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "util/keyval.h"

_Atomic uint32_t log_items_on;

static GRecMutex log_mutex;
static FILE *log_file; /* NULL: stderr */

static const struct LogItem {
    const char *name, *help;
    uint32_t mask;
} log_items[] = {
#define LOG_ROW(symbol, name, help) {name, help, LOG_##symbol},
    LOG_TABLE(LOG_ROW)
#undef LOG_ROW
};

void log_lock(void)
{
    g_rec_mutex_lock(&log_mutex);
}

void log_unlock(void)
{
    fflush(log_stream());
    g_rec_mutex_unlock(&log_mutex);
}

FILE *log_stream(void)
{
    return log_file ? log_file : stderr;
}

void log_printf(uint32_t item, const char *format, ...)
{
    if (!log_on(item)) {
        return;
    }
    va_list ap;
    va_start(ap, format);
    log_lock();
    vfprintf(log_stream(), format, ap);
    log_unlock();
    va_end(ap);
}

static bool log_find(const char *name, uint32_t *mask)
{
    for (size_t i = 0; i < G_N_ELEMENTS(log_items); i++) {
        if (!strcmp(log_items[i].name, name)) {
            *mask = log_items[i].mask;
            return true;
        }
    }
    if (!strcmp(name, "all")) {
        *mask = ~0u;
        return true;
    }
    *mask = 0;
    return !strcmp(name, "none");
}

bool log_set(const char *items, GError **err)
{
    g_auto(GStrv) words = g_strsplit(items, ",", -1);
    uint32_t on = 0;

    for (char **w = words; *w; w++) {
        uint32_t mask;
        if (!log_find(*w, &mask)) {
            emu_set_error(err, "'%s' is no log item (-d help lists them)", *w);
            return false;
        }
        on |= mask;
    }
    atomic_store(&log_items_on, on);
    return true;
}

bool log_open(const char *path, GError **err)
{
    FILE *f = NULL;

    if (path) {
        f = fopen(path, "we");
        if (!f) {
            emu_set_error(err, "%s: %s", path, g_strerror(errno));
            return false;
        }
    }
    log_lock();
    FILE *old = log_file;
    log_file = f;
    log_unlock();
    if (old) {
        fclose(old);
    }
    return true;
}

void log_close(void)
{
    atomic_store(&log_items_on, 0);
    log_open(NULL, NULL);
}

void log_print_help(GString *out)
{
    g_string_append(out, "Log items, separated by commas:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(log_items); i++) {
        g_string_append_printf(out, "%-14s %s\n", log_items[i].name, log_items[i].help);
    }
    g_string_append(out, "all            every item\nnone           no item\n");
}
