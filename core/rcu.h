/*
 * Read-copy-update for core: liburcu's QSBR flavour, with threads that come and go.
 *
 * Every thread of the program that reads guest memory maps is attached (core/safepoint.h) and so a
 * registered reader: online from attaching on, offline while it sleeps, waits for the machine lock
 * or is in safepoint_offline(). A thread that was never attached (a test's, a library's) becomes a
 * reader for the length of one access only, through rcu_guest_enter()/rcu_guest_leave().
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_RCU_H
#define CORE_RCU_H

#include <stdbool.h>

#include <urcu-qsbr.h>

/* For a thread's own record, core/safepoint.c. */
typedef enum RcuThread {
    RCU_THREAD_NONE, /* not registered */
    RCU_THREAD_ONLINE,
    RCU_THREAD_OFFLINE,
} RcuThread;
RcuThread rcu_thread_kind(void);

/* Makes sure that the calling thread is an online reader; returns what to pass to
 * rcu_guest_leave(). */
RcuThread rcu_guest_enter(void);
void rcu_guest_leave(RcuThread before);

/* call_rcu() from any thread, attached or not. */
void rcu_defer(struct rcu_head *head, void (*fn)(struct rcu_head *head));

#endif
