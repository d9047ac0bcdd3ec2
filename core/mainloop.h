/*
 * The main loop: a GLib main context whose callbacks run under the machine lock.
 *
 * The loop releases the machine lock only while it polls. Everything GLib offers (fds, idle
 * sources, signals) may be attached to main_loop_context(); callbacks then run on the main thread
 * with the machine lock held. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_MAINLOOP_H
#define CORE_MAINLOOP_H

#include <glib.h>
#include <stdbool.h>

/* Call once on the main thread, before anything else of core; takes the machine lock. */
void main_loop_init(void);
/* Runs until main_loop_quit(); called and left with the machine lock held. */
void main_loop_run(void);
void main_loop_quit(void); /* any thread */
GMainContext *main_loop_context(void);
/* One iteration, for tests; true if anything was dispatched. */
bool main_loop_iterate(bool may_block);
/* Runs FN(OPAQUE) once on the main thread under the machine lock. Any thread. */
void main_loop_call(void (*fn)(void *opaque), void *opaque);
/* Watches FD for COND (G_IO_IN ...); returns a source id for main_loop_unwatch(). */
guint main_loop_watch_fd(int fd, GIOCondition cond, gboolean (*fn)(int, GIOCondition, void *),
                         void *opaque);
void main_loop_unwatch(guint id);

#endif
