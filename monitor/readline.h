/*
 * A line editor for a terminal at the other end of a byte stream: cursor keys, Emacs keys, history,
 * and completion of the first word. What is typed at the end of the line is echoed as it is, so
 * that a pipe sees plain text. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MONITOR_READLINE_H
#define MONITOR_READLINE_H

#include <glib.h>
#include <stdint.h>

typedef struct ReadLine ReadLine;

typedef struct ReadLineOps {
    void (*put)(void *opaque, const char *text);
    /* A finished line; may free the ReadLine no more than its owner's other callbacks may. */
    void (*line)(void *opaque, const char *line);
    /* Adds the completions of PREFIX (g_strdup()ed) to OUT; NULL: none. */
    void (*complete)(void *opaque, const char *prefix, GPtrArray *out);
} ReadLineOps;

ReadLine *readline_new(const ReadLineOps *ops, void *opaque, const char *prompt);
void readline_free(ReadLine *rl);
/* Prints the prompt and what has been typed so far. */
void readline_show(ReadLine *rl);
void readline_byte(ReadLine *rl, uint8_t byte);
/* Lines entered, oldest first; char *. */
const GPtrArray *readline_history(const ReadLine *rl);

#endif
