/*
 * Safe points: posted work, waiting for it, and exclusive sections.
 *
 * A vCPU thread is ONLINE while it may run guest code or use what belongs to guest code (its TLB,
 * RCU pointers), and OFFLINE otherwise. Three parties meet in pairs of "store, then load what the
 * other stored", all sequentially consistent, so that at least one of each pair sees the other:
 *
 *   poster:     push the item            | load safe_state
 *   vCPU:       safe_state = ONLINE      | take the items
 *       Either the poster sees ONLINE and waits for the item, or the vCPU finds the item before it
 * goes on.
 *
 *   exclusive:  exclusive = true         | load safe_state, raise WORK
 *   vCPU:       safe_state = ONLINE, lower WORK | load exclusive
 *       Either the section's owner sees ONLINE and waits (and its WORK stays raised, so the vCPU
 * comes by), or the vCPU sees the section and blocks.
 *
 *   waiter:     waiters++                | load safe_state, item->done
 *   vCPU:       safe_state = OFFLINE or item->done = true | load waiters
 *       Either the waiter sees the change, or the vCPU sees the waiter and broadcasts.
 *
 * Everything slow (the list of CPUs, waiting) is under one leaf mutex. A waiting vCPU is itself
 * offline, so two that wait for each other do not deadlock. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include "core/safepoint.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/cpu.h"
#include "core/rcu.h"
#include "core/safepoint_int.h"

enum { SAFE_OFFLINE, SAFE_ONLINE }; /* cpu->safe_state; a CPU without a thread is offline */

typedef struct SafeWorkItem SafeWorkItem;
struct SafeWorkItem {
    SafeWorkItem *next;
    Cpu *cpu;
    SafeWork fn;
    void *data;
    _Atomic bool done;
    _Atomic int refs; /* the CPU's list, and whoever waits */
    SafeWorkItem *next_waited;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond; /* a CPU went offline, an item is done, an exclusive section ended */
    _Atomic unsigned waiters;
    _Atomic bool exclusive;
    GPtrArray *cpus; /* with a thread */
} safe = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static _Thread_local struct {
    Cpu *cpu;
    RcuThread rcu;
    bool exclusive; /* owns the exclusive section */
} self;

/* ---- RCU ---- */

RcuThread rcu_thread_kind(void)
{
    return self.rcu;
}

RcuThread rcu_guest_enter(void)
{
    RcuThread before = self.rcu;

    if (before == RCU_THREAD_NONE) {
        rcu_register_thread();
    } else if (before == RCU_THREAD_OFFLINE) {
        rcu_thread_online();
    }
    self.rcu = RCU_THREAD_ONLINE;
    return before;
}

void rcu_guest_leave(RcuThread before)
{
    if (before == RCU_THREAD_NONE) {
        rcu_unregister_thread();
    } else if (before == RCU_THREAD_OFFLINE) {
        rcu_thread_offline();
    }
    self.rcu = before;
}

void rcu_defer(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
    RcuThread before = rcu_guest_enter();

    call_rcu(head, fn);
    rcu_guest_leave(before);
}

static void set_rcu_offline(void)
{
    if (self.rcu == RCU_THREAD_ONLINE) {
        rcu_thread_offline();
        self.rcu = RCU_THREAD_OFFLINE;
    }
}

static void set_rcu_online(void)
{
    if (self.rcu == RCU_THREAD_OFFLINE) {
        rcu_thread_online();
        self.rcu = RCU_THREAD_ONLINE;
    }
}

/* ---- posted work ---- */

static void wake_waiters(void)
{
    if (atomic_load(&safe.waiters)) {
        pthread_mutex_lock(&safe.mutex);
        pthread_cond_broadcast(&safe.cond);
        pthread_mutex_unlock(&safe.mutex);
    }
}

static void item_unref(SafeWorkItem *item)
{
    if (atomic_fetch_sub(&item->refs, 1) == 1) {
        g_free(item);
    }
}

static SafeWorkItem *item_push(Cpu *cpu, SafeWork fn, void *data, int refs)
{
    SafeWorkItem *item = g_new0(SafeWorkItem, 1);

    item->cpu = cpu;
    item->fn = fn;
    item->data = data;
    atomic_init(&item->refs, refs);
    item->next = atomic_load(&cpu->work);
    while (!atomic_compare_exchange_weak(&cpu->work, &item->next, item)) {
    }
    return item;
}

/* Runs what has been posted to CPU so far, oldest first. On its own thread, online. */
static void run_work(Cpu *cpu)
{
    SafeWorkItem *item, *todo = NULL;
    bool any = false;

    if (!atomic_load(&cpu->work)) {
        return;
    }
    for (item = atomic_exchange(&cpu->work, NULL); item;) {
        SafeWorkItem *next = item->next;

        item->next = todo;
        todo = item;
        item = next;
    }
    while (todo) {
        item = todo;
        todo = item->next;
        item->fn(cpu, item->data);
        if (atomic_load(&item->refs) > 1) {
            atomic_store(&item->done, true);
            any = true;
        }
        item_unref(item);
    }
    if (any) {
        wake_waiters();
    }
}

/* ---- online and offline ---- */

static bool is_online(const Cpu *cpu)
{
    return atomic_load(&cpu->safe_state) == SAFE_ONLINE;
}

static void go_offline(Cpu *cpu)
{
    set_rcu_offline();
    atomic_store(&cpu->safe_state, SAFE_OFFLINE);
    wake_waiters();
}

/* See the top of the file for the order of these steps. */
static bool try_go_online(Cpu *cpu)
{
    atomic_store(&cpu->safe_state, SAFE_ONLINE);
    cpu_lower(cpu, CPU_EVENT_WORK);
    if (atomic_load(&safe.exclusive) && !self.exclusive) {
        go_offline(cpu);
        return false;
    }
    set_rcu_online();
    run_work(cpu);
    return true;
}

void safepoint_wait_exclusive(void)
{
    pthread_mutex_lock(&safe.mutex);
    while (atomic_load(&safe.exclusive)) {
        pthread_cond_wait(&safe.cond, &safe.mutex);
    }
    pthread_mutex_unlock(&safe.mutex);
}

static void go_online(Cpu *cpu)
{
    while (!try_go_online(cpu)) {
        safepoint_wait_exclusive();
    }
}

bool safepoint_wait_begin(void)
{
    if (self.cpu) {
        if (!is_online(self.cpu)) {
            return false;
        }
        go_offline(self.cpu);
        return true;
    }
    if (self.rcu != RCU_THREAD_ONLINE) {
        return false;
    }
    set_rcu_offline();
    return true;
}

bool safepoint_wait_try_end(void)
{
    if (self.cpu) {
        return try_go_online(self.cpu);
    }
    set_rcu_online();
    return true;
}

static void wait_end(bool begun)
{
    if (begun) {
        while (!safepoint_wait_try_end()) {
            safepoint_wait_exclusive();
        }
    }
}

void safepoint_offline(void)
{
    safepoint_wait_begin();
}

void safepoint_online(void)
{
    if (self.cpu ? !is_online(self.cpu) : self.rcu == RCU_THREAD_OFFLINE) {
        wait_end(true);
    }
}

void safepoint_poll(void)
{
    Cpu *cpu = self.cpu;

    if (self.rcu == RCU_THREAD_ONLINE) {
        rcu_quiescent_state();
    }
    if (!cpu || !is_online(cpu)) {
        return;
    }
    if (atomic_load(&cpu->events) & CPU_EVENT_WORK || atomic_load(&cpu->work)) {
        go_online(cpu);
    }
}

/* ---- threads ---- */

void safepoint_thread_attach(Cpu *cpu)
{
    g_assert(!self.cpu);
    if (self.rcu == RCU_THREAD_NONE) {
        rcu_register_thread();
        self.rcu = RCU_THREAD_ONLINE;
    }
    if (cpu) {
        self.cpu = cpu;
        pthread_mutex_lock(&safe.mutex);
        if (!safe.cpus) {
            safe.cpus = g_ptr_array_new();
        }
        g_ptr_array_add(safe.cpus, cpu);
        pthread_mutex_unlock(&safe.mutex);
        go_online(cpu);
    }
}

void safepoint_thread_detach(void)
{
    Cpu *cpu = self.cpu;

    if (cpu) {
        go_online(cpu);
        pthread_mutex_lock(&safe.mutex);
        g_ptr_array_remove(safe.cpus, cpu);
        if (!safe.cpus->len) {
            g_clear_pointer(&safe.cpus, g_ptr_array_unref);
        }
        pthread_mutex_unlock(&safe.mutex);
        /* Nobody can post by the list any more; what came until now is done here. */
        run_work(cpu);
        go_offline(cpu);
        self.cpu = NULL;
    }
    if (self.rcu != RCU_THREAD_NONE) {
        set_rcu_online();
        rcu_unregister_thread();
        self.rcu = RCU_THREAD_NONE;
    }
}

Cpu *safepoint_current_cpu(void)
{
    return self.cpu;
}

/* ---- asking others ---- */

void safepoint_post(Cpu *cpu, SafeWork fn, void *data)
{
    item_push(cpu, fn, data, 1);
    cpu_raise(cpu, CPU_EVENT_WORK);
}

/*
 * Posts to CPU what the caller will wait for. An online CPU is kicked, and the item returned. An
 * offline one is left to sleep, for it will look before it goes on: nothing to wait for, NULL.
 */
static SafeWorkItem *post_waited(Cpu *cpu, SafeWork fn, void *data)
{
    SafeWorkItem *item = item_push(cpu, fn, data, 2);

    if (is_online(cpu)) {
        cpu_raise(cpu, CPU_EVENT_WORK);
        return item;
    }
    atomic_fetch_or(&cpu->events, CPU_EVENT_WORK);
    item_unref(item);
    return NULL;
}

/* A CPU in guest code comes by within a microsecond: sleeping would take longer than that. */
static void spin_for(const SafeWorkItem *item)
{
    enum { SPINS = 200 };

    for (int i = 0; i < SPINS && item; i++) {
        while (item && atomic_load(&item->done)) {
            item = item->next_waited;
        }
        __builtin_ia32_pause();
    }
}

void safepoint_run_on_all(bool (*filter)(Cpu *, void *), SafeWork fn, void *data)
{
    SafeWorkItem *waited = NULL, **tail = &waited;
    bool on_self = false, begun;

    pthread_mutex_lock(&safe.mutex);
    for (guint i = 0; safe.cpus && i < safe.cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(safe.cpus, i);

        if (filter && !filter(cpu, data)) {
            continue;
        }
        if (cpu == self.cpu) {
            on_self = true;
            continue;
        }
        *tail = post_waited(cpu, fn, data);
        if (*tail) {
            tail = &(*tail)->next_waited;
        }
    }
    pthread_mutex_unlock(&safe.mutex);

    if (on_self) {
        fn(self.cpu, data);
    }
    if (!waited) {
        return;
    }
    begun = self.cpu && safepoint_wait_begin();
    spin_for(waited);
    pthread_mutex_lock(&safe.mutex);
    atomic_fetch_add(&safe.waiters, 1);
    while (waited) {
        SafeWorkItem *item = waited;

        /* The order matters: after detaching, DONE is set and the CPU may be gone. */
        while (!atomic_load(&item->done) && is_online(item->cpu)) {
            pthread_cond_wait(&safe.cond, &safe.mutex);
        }
        waited = item->next_waited;
        item_unref(item);
    }
    atomic_fetch_sub(&safe.waiters, 1);
    pthread_mutex_unlock(&safe.mutex);
    wait_end(begun);
}

static bool any_other_online(void)
{
    for (guint i = 0; safe.cpus && i < safe.cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(safe.cpus, i);

        if (cpu != self.cpu && is_online(cpu)) {
            return true;
        }
    }
    return false;
}

void safepoint_exclusive_begin(void)
{
    bool begun;

    g_assert(!self.exclusive);
    begun = self.cpu && safepoint_wait_begin();
    pthread_mutex_lock(&safe.mutex);
    atomic_fetch_add(&safe.waiters, 1);
    while (atomic_load(&safe.exclusive)) {
        pthread_cond_wait(&safe.cond, &safe.mutex);
    }
    atomic_store(&safe.exclusive, true);
    for (guint i = 0; safe.cpus && i < safe.cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(safe.cpus, i);

        if (cpu != self.cpu && is_online(cpu)) {
            cpu_raise(cpu, CPU_EVENT_WORK);
        }
    }
    while (any_other_online()) {
        pthread_cond_wait(&safe.cond, &safe.mutex);
    }
    atomic_fetch_sub(&safe.waiters, 1);
    pthread_mutex_unlock(&safe.mutex);

    self.exclusive = true;
    wait_end(begun);
}

void safepoint_exclusive_end(void)
{
    self.exclusive = false;

    pthread_mutex_lock(&safe.mutex);
    atomic_store(&safe.exclusive, false);
    pthread_cond_broadcast(&safe.cond);
    pthread_mutex_unlock(&safe.mutex);
}

void safepoint_exclusive(void (*fn)(void *data), void *data)
{
    if (self.exclusive) {
        fn(data);
        return;
    }
    safepoint_exclusive_begin();
    fn(data);
    safepoint_exclusive_end();
}
