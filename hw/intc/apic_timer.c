/*
 * The local APIC's timer (SDM 3A 11.5.4). Its input clock is 1 GHz: one tick is a nanosecond of
 * CLOCK_VM, divided as the divide configuration register says.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/intc/apic_impl.h"

/* A guest that asks for a faster tick than this would only keep the main loop from everything else.
 */
#define MIN_PERIOD_NS 20000

static unsigned shift_of(const Apic *s)
{
    uint32_t d = s->timer_divide;

    return (((d & 3) | ((d >> 1) & 4)) + 1) & 7; /* 000b: 2 ... 110b: 128, 111b: 1 */
}

static bool is_tsc_mode(const Apic *s)
{
    return (s->lvt[LVT_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_TSC;
}

static bool is_periodic(const Apic *s)
{
    return (s->lvt[LVT_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_PERIODIC;
}

int64_t apic_timer_ns(const Apic *s, uint32_t count)
{
    return (int64_t)count << shift_of(s);
}

uint32_t apic_timer_count(const Apic *s)
{
    uint64_t ticks;

    if (!s->timer_initial || is_tsc_mode(s)) {
        return 0;
    }
    ticks = (uint64_t)(clock_now(CLOCK_VM) - s->timer_start) >> shift_of(s);
    if (is_periodic(s)) {
        return s->timer_initial - (uint32_t)(ticks % s->timer_initial);
    }
    return ticks >= s->timer_initial ? 0 : s->timer_initial - (uint32_t)ticks;
}

static void rearm_tsc(Apic *s)
{
    Apic *shared = apic_shared(s->dev.machine);
    uint64_t deadline = s->tsc_deadline;
    uint64_t now, khz;

    if (!deadline || !shared->tsc_now) {
        timer_disarm(s->timer);
        return;
    }
    now = shared->tsc_now(s->cpu);
    if (now >= deadline) {
        timer_disarm(s->timer);
        s->tsc_deadline = 0;
        apic_local_interrupt(s, LVT_TIMER);
        return;
    }
    /* Rounded up, and at most a day: it is looked at again when the timer fires. */
    now = deadline - now;
    khz = shared->tsc_khz();
    now = now / khz >= 86400 * 1000ull ? 86400 * NS_PER_SEC : muldiv64(now, 1000000, khz) + 1;
    timer_arm(s->timer, clock_now(CLOCK_VM) + (int64_t)now);
}

void apic_timer_rearm(Apic *s)
{
    int64_t period = (int64_t)s->timer_initial << shift_of(s);
    int64_t now = clock_now(CLOCK_VM);
    int64_t next = s->timer_start + period;

    if (is_tsc_mode(s)) {
        rearm_tsc(s);
        return;
    }
    if (!s->timer_initial || (s->lvt[LVT_TIMER] & LVT_MASKED)) {
        timer_disarm(s->timer);
        return;
    }
    if (is_periodic(s)) {
        if (next <= now) {
            next = s->timer_start + ((now - s->timer_start) / period + 1) * period;
        }
        next = next < now + MIN_PERIOD_NS && period < MIN_PERIOD_NS ? now + MIN_PERIOD_NS : next;
    } else if (next <= now) {
        timer_disarm(s->timer); /* it ran out while masked: that one is lost */
        return;
    }
    timer_arm(s->timer, next);
}

void apic_timer_load(Apic *s, uint32_t initial)
{
    if (is_tsc_mode(s)) {
        return; /* SDM 3A 11.5.4.1: writes to the initial-count register are ignored */
    }
    s->timer_initial = initial;
    s->timer_start = clock_now(CLOCK_VM);
    apic_timer_rearm(s);
}

void apic_timer_set_divide(Apic *s, uint32_t divide)
{
    uint32_t count = apic_timer_count(s);

    s->timer_divide = divide;
    /* Counting goes on from the present count at the new rate. */
    s->timer_start = clock_now(CLOCK_VM) - ((int64_t)(s->timer_initial - count) << shift_of(s));
    apic_timer_rearm(s);
}

void apic_timer_set_deadline(Apic *s, uint64_t tsc)
{
    if (is_tsc_mode(s)) {
        s->tsc_deadline = tsc;
        rearm_tsc(s);
    }
}

void apic_timer_fired(void *opaque)
{
    Apic *s = opaque;

    if (is_tsc_mode(s)) {
        rearm_tsc(s);
        return;
    }
    apic_local_interrupt(s, LVT_TIMER);
    if (is_periodic(s)) {
        apic_timer_rearm(s);
    }
}

void apic_tsc_changed(Cpu *cpu)
{
    Apic *s = apic_get(cpu);
    bool taken = apic_lock();

    if (s && is_tsc_mode(s)) {
        rearm_tsc(s);
    }
    apic_unlock(taken);
}
