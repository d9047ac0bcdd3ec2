/*
 * Between coroutines and the I/O threads they live on.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_COROUTINE_INT_H
#define CORE_COROUTINE_INT_H

#include <stdbool.h>

#include "core/coroutine.h"

typedef struct CoReady {
    Coroutine *next;
    bool queued; /* on some list, to be entered soon */
} CoReady;

/* The coroutine's place in a list of those to be entered; who holds the list owns it. */
CoReady *coroutine_ready(Coroutine *co);
/* Frees the calling thread's pool, before it ends. */
void coroutine_thread_done(void);

/* core/iothread.c: queues CO on T. Any thread. */
void io_thread_wake_coroutine(IoThread *t, Coroutine *co);

#endif
