/*
 * The diagnostic log: one mask, one stream, and a recursive lock that keeps pieces of text whole.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/keyval.h"

_Atomic uint32_t log_items;
static GRecMutex log_mutex;
static FILE *log_file; /* NULL: standard error */

static const struct {
    const char *name;
    uint32_t item;
    const char *help;
} items[] = {
    {"in_asm", LOG_IN_ASM, "guest instructions of each block, when it is translated"},
    {"op", LOG_OP, "intermediate representation of each block"},
    {"out_asm", LOG_OUT_ASM, "host instructions generated for each block"},
    {"int", LOG_INT, "interrupts and exceptions, when they are delivered"},
    {"exec", LOG_EXEC, "each block, when it is entered from the execution loop"},
    {"cpu", LOG_CPU, "CPU registers, when a block is entered from the execution loop"},
    {"unimp", LOG_UNIMP, "use of instructions and device functions that are not implemented"},
    {"guest_errors", LOG_GUEST_ERRORS, "what the guest does against a device's specification"},
    {"nochain", LOG_NOCHAIN, "do not chain blocks, so that exec and cpu show every one"},
    {"mmu", LOG_MMU, "page-table walks and TLB flushes"},
    {"page", LOG_PAGE, "the RAM map at the start, and invalidation of translated pages"},
};

void log_lock(void)
{
    g_rec_mutex_lock(&log_mutex);
}

void log_unlock(void)
{
    g_rec_mutex_unlock(&log_mutex);
}

bool log_set(const char *list, GError **err)
{
    char **words = g_strsplit(list, ",", -1);
    uint32_t mask = 0;
    bool ok = true;

    for (int i = 0; words[i] && ok; i++) {
        size_t k;

        if (!strcmp(words[i], "none")) {
            mask = 0;
            continue;
        }
        for (k = 0; k < G_N_ELEMENTS(items); k++) {
            if (!strcmp(words[i], items[k].name)) {
                mask |= items[k].item;
                break;
            }
            if (!strcmp(words[i], "all") && items[k].item != LOG_NOCHAIN) {
                mask |= items[k].item;
            }
        }
        if (k == G_N_ELEMENTS(items) && strcmp(words[i], "all")) {
            emu_set_error(err, "-d: unknown log item '%s'; '-d help' lists them", words[i]);
            ok = false;
        }
    }
    g_strfreev(words);
    if (ok) {
        atomic_store(&log_items, mask);
    }
    return ok;
}

bool log_open(const char *path, GError **err)
{
    FILE *file = NULL;

    if (path) {
        char **parts = g_strsplit(path, "%d", 2);
        char *name;

        if (parts[0] && parts[1]) {
            name = g_strdup_printf("%s%ld%s", parts[0], (long)getpid(), parts[1]);
        } else {
            name = g_strdup(path);
        }
        file = fopen(name, "we");
        if (!file) {
            emu_set_error(err, "-D: cannot write log file '%s': %s", name, g_strerror(errno));
        } else {
            setvbuf(file, NULL, _IOLBF, 0);
        }
        g_free(name);
        g_strfreev(parts);
        if (!file) {
            return false;
        }
    }
    log_lock();
    if (log_file) {
        fclose(log_file);
    }
    log_file = file;
    log_unlock();
    return true;
}

void log_close(void)
{
    log_open(NULL, NULL);
}

static FILE *log_stream(void)
{
    return log_file ? log_file : stderr;
}

void log_printf(uint32_t mask, const char *format, ...)
{
    va_list ap;

    if (log_enabled(mask)) {
        va_start(ap, format);
        log_lock();
        vfprintf(log_stream(), format, ap);
        log_unlock();
        va_end(ap);
    }
}

void log_write(uint32_t mask, const char *text, size_t len)
{
    if (log_enabled(mask)) {
        log_lock();
        fwrite(text, 1, len, log_stream());
        log_unlock();
    }
}

void log_print_help(GString *out)
{
    g_string_append(out, "Log items (comma separated):\n");
    for (size_t i = 0; i < G_N_ELEMENTS(items); i++) {
        g_string_append_printf(out, "%-15s %s\n", items[i].name, items[i].help);
    }
    g_string_append_printf(out, "%-15s %s\n", "all", "all of these but nochain");
    g_string_append_printf(out, "%-15s %s\n", "none", "nothing");
}
