/*
 * The machine lock and the condition that goes with it.
 *
 * On a vCPU thread every wait for the lock is a safe point. When the thread has got the lock but
 * may not go online because another one runs an exclusive section, it gives the lock back until
 * that is over. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/lock.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <time.h>

#include "core/safepoint_int.h"

struct MachineCond {
    pthread_cond_t cond;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool held;

/* The mutex is held, the thread offline: ends the wait. */
static void come_online(void)
{
    while (!safepoint_wait_try_end()) {
        pthread_mutex_unlock(&mutex);
        safepoint_wait_exclusive();
        pthread_mutex_lock(&mutex);
    }
}

void machine_lock(void)
{
    g_assert(!held);
    if (pthread_mutex_trylock(&mutex)) {
        bool begun = safepoint_wait_begin();

        pthread_mutex_lock(&mutex);
        if (begun) {
            come_online();
        }
    }
    held = true;
}

void machine_unlock(void)
{
    g_assert(held);
    held = false;
    pthread_mutex_unlock(&mutex);
}

bool machine_lock_held(void)
{
    return held;
}

MachineCond *machine_cond_new(void)
{
    MachineCond *cond = g_new0(MachineCond, 1);
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cond->cond, &attr);
    pthread_condattr_destroy(&attr);
    return cond;
}

void machine_cond_free(MachineCond *cond)
{
    if (cond) {
        pthread_cond_destroy(&cond->cond);
        g_free(cond);
    }
}

static bool cond_wait(MachineCond *cond, const struct timespec *deadline)
{
    bool begun;
    int ret;

    g_assert(held);
    begun = safepoint_wait_begin();
    held = false;
    ret = deadline ? pthread_cond_timedwait(&cond->cond, &mutex, deadline)
                   : pthread_cond_wait(&cond->cond, &mutex);
    if (begun) {
        come_online();
    }
    held = true;
    return ret != ETIMEDOUT;
}

void machine_cond_wait(MachineCond *cond)
{
    cond_wait(cond, NULL);
}

bool machine_cond_wait_until(MachineCond *cond, int64_t deadline_ns)
{
    struct timespec deadline;

    deadline_ns = MAX(deadline_ns, 0);
    deadline.tv_sec = deadline_ns / 1000000000;
    deadline.tv_nsec = deadline_ns % 1000000000;
    return cond_wait(cond, &deadline);
}

void machine_cond_broadcast(MachineCond *cond)
{
    g_assert(held);
    pthread_cond_broadcast(&cond->cond);
}
