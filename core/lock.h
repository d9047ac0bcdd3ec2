/*
 * The machine lock: covers device models and the machine's run state.
 *
 * One per process, not recursive. Guest code runs without it. Order: machine lock, then the code
 * cache's lock, then leaf locks. A vCPU thread that waits for it is at a safe point for as long as
 * it waits (see core/safepoint.h), and runs the work posted to it before it goes on.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

void machine_lock(void);
void machine_unlock(void);
/* True when the calling thread holds the machine lock. */
bool machine_lock_held(void);

/*
 * A condition that goes with the machine lock. Waiting releases the lock, is a safe point on a vCPU
 * thread, and takes the lock again before it returns.
 */
typedef struct MachineCond MachineCond;

MachineCond *machine_cond_new(void);
void machine_cond_free(MachineCond *cond);
void machine_cond_wait(MachineCond *cond);
/* Waits at most until DEADLINE_NS on CLOCK_MONOTONIC; false when that passed. */
bool machine_cond_wait_until(MachineCond *cond, int64_t deadline_ns);
void machine_cond_broadcast(MachineCond *cond);

#endif
