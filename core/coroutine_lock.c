/*
 * Mutex, queue and reader-writer lock among coroutines of one thread: no atomics, and first come,
 * first served. What is unlocked is handed to the next waiter at once, so nobody overtakes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <stddef.h>

#include "core/coroutine.h"

/* On the waiting coroutine's stack. */
typedef struct Waiter Waiter;
struct Waiter {
    Waiter *next;
    Coroutine *co;
    bool writer;
};

static void waiter_append(void **head, void **tail, Waiter *waiter)
{
    if (*tail) {
        ((Waiter *)*tail)->next = waiter;
    } else {
        *head = waiter;
    }
    *tail = waiter;
}

/* Takes the first one off and wakes it. */
static Coroutine *waiter_wake_first(void **head, void **tail)
{
    Waiter *waiter = *head;
    Coroutine *co = waiter->co;

    *head = waiter->next;
    if (!*head) {
        *tail = NULL;
    }
    coroutine_wake(co);
    return co;
}

static void wait_in(void **head, void **tail, bool writer)
{
    Waiter self = {.co = coroutine_self(), .writer = writer};

    g_assert(self.co);
    waiter_append(head, tail, &self);
    coroutine_yield();
}

void co_mutex_lock(CoMutex *m)
{
    Coroutine *self = coroutine_self();

    g_assert(self && m->owner != self);
    if (!m->owner) {
        m->owner = self;
    } else {
        wait_in(&m->waiters_head, &m->waiters_tail, false);
        g_assert(m->owner == self);
    }
}

void co_mutex_unlock(CoMutex *m)
{
    g_assert(m->owner && m->owner == coroutine_self());
    m->owner = NULL;
    if (m->waiters_head) {
        m->owner = ((Waiter *)m->waiters_head)->co;
        waiter_wake_first(&m->waiters_head, &m->waiters_tail);
    }
}

void co_queue_wait(CoQueue *q)
{
    wait_in(&q->head, &q->tail, false);
}

bool co_queue_wake_one(CoQueue *q)
{
    if (!q->head) {
        return false;
    }
    waiter_wake_first(&q->head, &q->tail);
    return true;
}

void co_queue_wake_all(CoQueue *q)
{
    CoQueue woken = *q;

    /* Those that wait again while others are being woken wait for the next time. */
    q->head = q->tail = NULL;
    while (co_queue_wake_one(&woken)) {
    }
}

void co_rwlock_rdlock(CoRwLock *l)
{
    if (!l->writer && !l->queue.head) {
        l->readers++;
    } else {
        wait_in(&l->queue.head, &l->queue.tail, false);
    }
}

void co_rwlock_wrlock(CoRwLock *l)
{
    if (!l->writer && !l->readers && !l->queue.head) {
        l->writer = true;
    } else {
        wait_in(&l->queue.head, &l->queue.tail, true);
    }
}

void co_rwlock_unlock(CoRwLock *l)
{
    if (l->writer) {
        l->writer = false;
    } else {
        g_assert(l->readers > 0);
        l->readers--;
    }
    /* Hand it to the writer that is first, or to all readers before the next writer. */
    while (l->queue.head && !l->writer) {
        if (((Waiter *)l->queue.head)->writer) {
            if (l->readers) {
                break;
            }
            l->writer = true;
        } else {
            l->readers++;
        }
        co_queue_wake_one(&l->queue);
    }
}
