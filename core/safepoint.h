/*
 * Safe points: where a vCPU thread can be asked to do work on its own CPU before guest code goes
 * on.
 *
 * A TLB is written by its own thread only (design, item 10). Others post work and may wait for it.
 * A thread that is outside guest code for a while (waiting for the machine lock, halted, in
 * KVM_RUN) counts as safe: it brackets that stretch with safepoint_offline()/safepoint_online(),
 * during which posted work need not be waited for, because safepoint_online() runs it before it
 * returns.
 *
 * The bracket also covers RCU: an offline thread is an offline QSBR reader, so pointers read under
 * RCU must not be kept across it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_SAFEPOINT_H
#define CORE_SAFEPOINT_H

#include <stdbool.h>

typedef struct Cpu Cpu;

/* Makes the calling thread the thread of CPU (or of none, with NULL); registers it with RCU. */
void safepoint_thread_attach(Cpu *cpu);
void safepoint_thread_detach(void);
/* The CPU whose thread this is, or NULL. */
Cpu *safepoint_current_cpu(void);

/* On a thread attached to no CPU they concern RCU only; no-ops on one that is not attached. They do
 * not nest. */
void safepoint_offline(void);
void safepoint_online(void);

/* Announces a quiescent state and runs posted work; called by a vCPU thread between stretches of
 * guest code. */
void safepoint_poll(void);

/*
 * Work runs on the vCPU's thread, which may hold the machine lock or be about to: it must not take
 * a lock that is held over a wait for a vCPU, must not wait, and must not read guest memory.
 */
typedef void (*SafeWork)(Cpu *cpu, void *data);

/* Posts FN(cpu, DATA) to be run on CPU's thread at its next safe point, and kicks the CPU. */
void safepoint_post(Cpu *cpu, SafeWork fn, void *data);

/*
 * Runs FN on every vCPU's thread for which FILTER(cpu, data) holds (NULL: all), on the caller's own
 * CPU directly, and returns when each has run it or is offline (then it runs before the thread goes
 * on, so DATA must outlive the call: pass a value, or something that lives as long as the machine).
 * Any thread; with or without the machine lock, but with no other lock; the caller's own vCPU
 * counts as safe while it waits, so work posted to it runs here. FILTER must not block.
 */
void safepoint_run_on_all(bool (*filter)(Cpu *, void *), SafeWork fn, void *data);

/*
 * Stops every other vCPU at a safe point, runs FN(DATA) on the calling thread, lets them go on. FN
 * must not take the machine lock: a caller whose FN needs it (for I/O) holds it already. Nests.
 */
void safepoint_exclusive(void (*fn)(void *data), void *data);

/* The same in two halves, for a section that does not fit into one function. Does not nest. Work
 * posted to the caller's own CPU runs before begin returns: what it has looked up is stale. */
void safepoint_exclusive_begin(void);
void safepoint_exclusive_end(void);

#endif
