/*
 * Diagnostics asked for by -d ITEM,... and written to standard error or to -D FILE.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum LogItem {
    LOG_IN_ASM = 1u << 0,
    LOG_OP = 1u << 1,
    LOG_OUT_ASM = 1u << 2,
    LOG_INT = 1u << 3,
    LOG_EXEC = 1u << 4,
    LOG_CPU = 1u << 5,
    LOG_UNIMP = 1u << 6,
    LOG_GUEST_ERRORS = 1u << 7,
    LOG_NOCHAIN = 1u << 8,
    LOG_MMU = 1u << 9,
    LOG_PAGE = 1u << 10,
} LogItem;

/* Read through log_enabled(); written by log_set(). */
extern _Atomic uint32_t log_items;

/* True when any of ITEMS (LogItem bits) was asked for. Any thread; one relaxed load. */
static inline bool log_enabled(uint32_t items)
{
    return atomic_load_explicit(&log_items, memory_order_relaxed) & items;
}

/* Writes one piece of text, whole, if ITEMS are enabled. Any thread. */
void log_printf(uint32_t items, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same for text made elsewhere; LEN bytes. */
void log_write(uint32_t items, const char *text, size_t len);

/* Brackets several calls whose lines belong together (a block's listing). Recursive. */
void log_lock(void);
void log_unlock(void);

/* Replaces what is logged by the comma-separated LIST ("none" and "all" too); false with ERR naming
 * the unknown item. "help" is the caller's to recognise. */
bool log_set(const char *list, GError **err);
/* Sends the log to PATH, truncated; "%d" in it becomes the process id. NULL: standard error. */
bool log_open(const char *path, GError **err);
void log_close(void); /* back to standard error */
/* Text of -d help. */
void log_print_help(GString *out);

#endif
