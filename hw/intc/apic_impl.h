/*
 * What apic.c (bus, priorities), apic_regs.c (registers) and apic_timer.c share.
 *
 * Who may touch what:
 * - irr, tmr: any thread, by atomic read-modify-write.
 * - isr, the ICR and what is derived from them: the CPU's own thread.
 * - other atomic registers: written by the own thread, read by any.
 * - the timer and the LINT pins: under the machine lock.
 *
 * CPU_EVENT_INTR follows "something is deliverable" without a lock: whoever makes that true does so
 * with a sequentially consistent store and raises the event after it; whoever lowers the event
 * evaluates again afterwards and raises it if it was too hasty (apic_update()).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INTC_APIC_IMPL_H
#define HW_INTC_APIC_IMPL_H

#include "core/clock.h"
#include "core/lock.h"
#include "core/machine.h"
#include "hw/intc/apic.h"

enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

enum {
    LVT_MASKED = 1u << 16,
    LVT_LEVEL = 1u << 15,
    LVT_REMOTE_IRR = 1u << 14,
    LVT_TIMER_MODE = 3u << 17,
    LVT_TIMER_PERIODIC = 1u << 17,
    LVT_TIMER_TSC = 2u << 17,
    SVR_ENABLE = 1u << 8,
};

/* ESR (SDM 3A 11.5.3) */
enum {
    ESR_SEND_VECTOR = 1u << 5,
    ESR_RECV_VECTOR = 1u << 6,
    ESR_REGISTER = 1u << 7,
};

/* IA32_APIC_BASE (SDM 3A 11.4.4, 11.12.1) */
#define APIC_BASE_BSP    (1u << 8)
#define APIC_BASE_EXTD   (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_ADDR   0xffffff000ull
#define APIC_BASE_RESET  0xfee00000u

typedef struct Apic {
    Device dev;
    uint32_t cpu_index;
    bool allow_x2apic;
    Cpu *cpu;
    uint32_t id;

    _Atomic uint64_t base;
    _Atomic uint32_t irr[8], tmr[8];
    uint32_t isr[8];
    _Atomic uint32_t tpr, ppr; /* ppr is derived, and published for other threads */
    _Atomic uint32_t ldr, dfr, svr;
    _Atomic uint32_t lvt[LVT_COUNT];
    _Atomic uint32_t esr_pending; /* collected since the last write to ESR */
    uint32_t esr;
    uint32_t icr_low, icr_high;
    _Atomic uint8_t lint[2]; /* level of the pins */

    uint32_t timer_initial, timer_divide;
    int64_t timer_start; /* when timer_initial was loaded, CLOCK_VM */
    _Atomic uint64_t tsc_deadline;
    Timer *timer;

    /* Of all APICs; used in that of CPU 0 only. */
    MemRegion *window;
    IrqLine lint_lines[2];
    int (*extint_ack)(Device *pic);
    Device *extint_pic;
    void (*eoi_fn)(Device *ioapic, uint8_t vector);
    Device *eoi_ioapic;
    uint64_t (*tsc_now)(Cpu *cpu);
    uint64_t (*tsc_khz)(void);
} Apic;

static inline bool apic_hw_enabled(const Apic *s)
{
    return s->base & APIC_BASE_ENABLE;
}

static inline bool apic_is_x2(const Apic *s)
{
    return (s->base & (APIC_BASE_ENABLE | APIC_BASE_EXTD)) == (APIC_BASE_ENABLE | APIC_BASE_EXTD);
}

static inline bool apic_sw_enabled(const Apic *s)
{
    return apic_hw_enabled(s) && (s->svr & SVR_ENABLE);
}

/* Takes the machine lock unless the caller has it: registers are reached both ways. */
static inline bool apic_lock(void)
{
    if (machine_lock_held()) {
        return false;
    }
    machine_lock();
    return true;
}

static inline void apic_unlock(bool taken)
{
    if (taken) {
        machine_unlock();
    }
}

/* apic.c */
/* The rows of Apic's state table: also what the kernel's APIC is saved as. */
extern const StateField apic_state_fields[];
Apic *apic_get(const Cpu *cpu);
Apic *apic_shared(Machine *m); /* that of CPU 0 */
void apic_update(Apic *s);
void apic_update_ppr(Apic *s);
void apic_eoi(Apic *s);
void apic_error(Apic *s, uint32_t bit);
void apic_local_interrupt(Apic *s, int lvt);
void apic_send_ipi(Apic *s, uint32_t low, uint32_t dest);
/* Reset (COLD) or INIT, which keeps the base register (SDM 3A 11.4.7). The timer is to be rearmed.
 */
void apic_reset_registers(Apic *s, bool cold);

/* apic_regs.c */
extern const MemOps apic_window_ops;
bool apic_set_base(void *opaque, uint64_t value);
bool apic_rdmsr(void *opaque, uint32_t msr, uint64_t *value);
bool apic_wrmsr(void *opaque, uint32_t msr, uint64_t value);

/* apic_timer.c; machine lock held, but for apic_timer_count(), which is for the own thread */
uint32_t apic_timer_count(const Apic *s);
/* Nanoseconds that COUNT ticks of the timer take. */
int64_t apic_timer_ns(const Apic *s, uint32_t count);
void apic_timer_load(Apic *s, uint32_t initial);
void apic_timer_set_divide(Apic *s, uint32_t divide);
void apic_timer_set_deadline(Apic *s, uint64_t tsc);
/* The mode, the mask or the clock changed: arm or disarm. */
void apic_timer_rearm(Apic *s);
void apic_timer_fired(void *opaque);

#endif
