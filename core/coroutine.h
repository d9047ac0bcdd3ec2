/*
 * Stackful coroutines. A coroutine is created on an I/O thread (core/iothread.h), never changes
 * thread, and runs until it suspends itself. Stacks have a guard page and are pooled per thread;
 * the switch is a few lines of assembly with sanitizer fibre annotations. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef CORE_COROUTINE_H
#define CORE_COROUTINE_H

#include <stdbool.h>

typedef struct Coroutine Coroutine;
typedef struct IoThread IoThread;

Coroutine *coroutine_new(void (*fn)(void *opaque), void *opaque);
/* Runs CO until it suspends or ends; on the thread that created it. */
void coroutine_enter(Coroutine *co);
/* Suspends the running coroutine. */
void coroutine_yield(void);
/* The running coroutine, or NULL. */
Coroutine *coroutine_self(void);
/* Enters CO soon: from its own thread's loop when called there, by posting otherwise. Any thread.
 */
void coroutine_wake(Coroutine *co);
/* The I/O thread it lives on (NULL for one created outside of any). */
IoThread *coroutine_thread(const Coroutine *co);

/* A mutex among coroutines of one thread; FIFO. Zero-initialised. */
typedef struct CoMutex {
    Coroutine *owner;
    void *waiters_head, *waiters_tail;
} CoMutex;
void co_mutex_lock(CoMutex *m);
void co_mutex_unlock(CoMutex *m);

/* A queue of waiting coroutines of one thread. Zero-initialised. */
typedef struct CoQueue {
    void *head, *tail;
} CoQueue;
void co_queue_wait(CoQueue *q);
bool co_queue_wake_one(CoQueue *q); /* false when nobody waited */
void co_queue_wake_all(CoQueue *q);

/* Many readers or one writer, among coroutines of one thread. Zero-initialised. */
typedef struct CoRwLock {
    int readers;
    bool writer;
    CoQueue queue;
} CoRwLock;
void co_rwlock_rdlock(CoRwLock *l);
void co_rwlock_wrlock(CoRwLock *l);
void co_rwlock_unlock(CoRwLock *l);

#endif
