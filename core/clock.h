/*
 * Clocks and timers. All times are nanoseconds in int64_t.
 *
 * CLOCK_VM runs only while the machine does, and is part of saved state; CLOCK_HOST is the host's
 * UTC (it can jump); CLOCK_RT is CLOCK_MONOTONIC. Timers are kept per clock in a heap with one
 * timerfd each, and fire on the main loop's thread under the machine lock; a CLOCK_VM timer does
 * not fire while the machine is stopped. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ClockId { CLOCK_VM, CLOCK_HOST, CLOCK_RT, CLOCK_COUNT } ClockId;

#define NS_PER_SEC 1000000000LL

/* The time now. Any thread, lock-free. */
int64_t clock_now(ClockId clock);
/* Starts and stops CLOCK_VM (machine lock held). */
void clock_vm_enable(bool on);
/* Sets CLOCK_VM, for loading a saved state (stopped, machine lock held). */
void clock_vm_set(int64_t ns);
/* CLOCK_VM deadline as CLOCK_RT, for sleeping vCPUs; -1 stays -1. */
int64_t clock_vm_to_rt(int64_t vm_ns);

typedef struct Timer Timer;
typedef void (*TimerFn)(void *opaque);

Timer *timer_new(ClockId clock, TimerFn fn, void *opaque);
void timer_free(Timer *timer); /* NULL is fine */
/* Arms (or moves) it to fire at DEADLINE, at once if that has passed. Machine lock held. */
void timer_arm(Timer *timer, int64_t deadline);
void timer_disarm(Timer *timer);
bool timer_armed(const Timer *timer);
int64_t timer_deadline(const Timer *timer); /* -1 when not armed */

/* (a * b) / c with a 128-bit intermediate, for converting ticks to nanoseconds and back. */
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}

#endif
