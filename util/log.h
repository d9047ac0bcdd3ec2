/*
 * The log of -d and -D: items switched on by name, one stream for all threads.
 *
 * log_on() is one load, so that code on a hot path can ask; the lines of one log_printf() call come
 * out together. What takes several calls (a block's listing) is bracketed by
 * log_lock()/log_unlock(). SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* LOG_<symbol>, name, what -d help says of it */
#define LOG_TABLE(ITEM)                                                                            \
    ITEM(IN_ASM, "in_asm", "guest code of each block as it is translated")                         \
    ITEM(OP, "op", "intermediate code of each block")                                              \
    ITEM(OUT_ASM, "out_asm", "host code of each block")                                            \
    ITEM(INT, "int", "interrupts and exceptions as they are delivered")                            \
    ITEM(EXEC, "exec", "each block as it is entered (very long)")                                  \
    ITEM(CPU, "cpu", "CPU registers as each block is entered (very long)")                         \
    ITEM(UNIMP, "unimp", "what the guest asks for and this program does not have")                 \
    ITEM(GUEST_ERRORS, "guest_errors", "what the guest does wrong with a device")

enum {
#define LOG_BIT(symbol, name, help) LOG_BIT_##symbol,
    LOG_TABLE(LOG_BIT)
#undef LOG_BIT
        LOG_BITS,
#define LOG_MASK(symbol, name, help) LOG_##symbol = 1 << LOG_BIT_##symbol,
    LOG_TABLE(LOG_MASK)
#undef LOG_MASK
};

extern _Atomic uint32_t log_items_on; /* LOG_*; by log_set() only */

static inline bool log_on(uint32_t items)
{
    return (atomic_load_explicit(&log_items_on, memory_order_relaxed) & items) != 0;
}

/* Appends a line or more when ITEM is on. Any thread but code compiled for GPRs only. */
void log_printf(uint32_t item, const char *format, ...) G_GNUC_PRINTF(2, 3);
void log_lock(void); /* recursive */
void log_unlock(void);
FILE *log_stream(void); /* under log_lock() */

/* ITEMS as in -d ("int,unimp", "all", "none"); false with ERR naming the word that is no item. */
bool log_set(const char *items, GError **err);
/* Where the log goes from now on; PATH NULL: stderr. */
bool log_open(const char *path, GError **err);
void log_close(void);
void log_print_help(GString *out);

#endif
