/*
 * The local APIC's registers, as memory at FEE00000h and, in x2APIC mode, as MSRs 800h to 83Fh (SDM
 * 3A tables 11-1 and 11-6). A register's number is its offset in the page divided by 16, which is
 * its MSR minus 800h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/intc/apic_impl.h"

#include "core/safepoint.h"

enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32, /* timer, thermal, performance, LINT0, LINT1, error */
    REG_INITIAL = 0x38,
    REG_CURRENT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
    REG_COUNT = 0x40,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC = 0x800,
    /* Version 14h (integrated), six LVT entries. */
    VERSION = 0x00050014,
    ICR_DELIVERY_PENDING = 1u << 12,
};

enum { R = 1, W = 2, X2_R = 4, X2_W = 8, X2_ONLY = 16 };

typedef struct RegInfo {
    uint8_t access;
    uint32_t mask; /* bits that can be written; x2APIC: others raise #GP */
} RegInfo;

#define RO     (R | X2_R)
#define RW     (R | W | X2_R | X2_W)
#define RO8(n) [n... n + 7] = {RO, 0}

static const RegInfo regs[REG_COUNT] = {
    [REG_ID] = {RO, 0},
    [REG_VERSION] = {RO, 0},
    [REG_TPR] = {RW, 0xff},
    [REG_APR] = {R, 0},
    [REG_PPR] = {RO, 0},
    [REG_EOI] = {W | X2_W, 0},
    [REG_LDR] = {R | W | X2_R, 0xff000000},
    [REG_DFR] = {R | W, 0xf0000000},
    [REG_SVR] = {RW, 0x3ff},
    RO8(REG_ISR),
    RO8(REG_TMR),
    RO8(REG_IRR),
    [REG_ESR] = {RW, 0},
    [REG_ICR_LOW] = {RW, 0xccfff},
    [REG_ICR_HIGH] = {R | W, 0xff000000},
    [REG_LVT + LVT_TIMER] = {RW, 0x700ff},
    [REG_LVT + LVT_THERMAL] = {RW, 0x107ff},
    [REG_LVT + LVT_PERF] = {RW, 0x107ff},
    [REG_LVT + LVT_LINT0] = {RW, 0x1a7ff},
    [REG_LVT + LVT_LINT1] = {RW, 0x1a7ff},
    [REG_LVT + LVT_ERROR] = {RW, 0x100ff},
    [REG_INITIAL] = {RW, 0xffffffff},
    [REG_CURRENT] = {RO, 0},
    [REG_DIVIDE] = {RW, 0xb},
    [REG_SELF_IPI] = {X2_W | X2_ONLY, 0xff},
};

static uint32_t reg_read(Apic *s, unsigned reg)
{
    switch (reg) {
    case REG_ID:
        return apic_is_x2(s) ? s->id : s->id << 24;
    case REG_VERSION:
        return VERSION;
    case REG_TPR:
        return s->tpr;
    case REG_PPR:
        return s->ppr;
    case REG_LDR:
        return apic_is_x2(s) ? (s->id >> 4) << 16 | 1u << (s->id & 15) : s->ldr;
    case REG_DFR:
        return s->dfr;
    case REG_SVR:
        return s->svr;
    case REG_ISR ... REG_ISR + 7:
        return s->isr[reg - REG_ISR];
    case REG_TMR ... REG_TMR + 7:
        return s->tmr[reg - REG_TMR];
    case REG_IRR ... REG_IRR + 7:
        return s->irr[reg - REG_IRR];
    case REG_ESR:
        return s->esr;
    case REG_ICR_LOW:
        return s->icr_low;
    case REG_ICR_HIGH:
        return s->icr_high;
    case REG_LVT ... REG_LVT + LVT_COUNT - 1:
        return s->lvt[reg - REG_LVT];
    case REG_INITIAL:
        return s->timer_initial;
    case REG_CURRENT:
        return apic_timer_count(s);
    case REG_DIVIDE:
        return s->timer_divide;
    default:
        return 0;
    }
}

static void write_svr(Apic *s, uint32_t value)
{
    s->svr = value;
    if (!(value & SVR_ENABLE)) {
        /* SDM 3A 11.4.7.2: the LVT's mask bits are set and cannot be cleared. */
        bool taken = apic_lock();
        for (int i = 0; i < LVT_COUNT; i++) {
            atomic_fetch_or(&s->lvt[i], LVT_MASKED);
        }
        apic_timer_rearm(s);
        apic_unlock(taken);
    }
    apic_update(s);
}

static void write_lvt(Apic *s, int n, uint32_t value)
{
    bool taken = apic_lock();
    uint32_t old = s->lvt[n];

    if (!(s->svr & SVR_ENABLE)) {
        value |= LVT_MASKED;
    }
    s->lvt[n] = value | (old & LVT_REMOTE_IRR);
    if (n == LVT_TIMER) {
        if ((old ^ value) & LVT_TIMER_TSC) {
            s->tsc_deadline = 0; /* SDM 3A 11.5.4.1: changing to or from this mode disarms */
            s->timer_initial = 0;
        }
        apic_timer_rearm(s);
    } else if (n == LVT_LINT0) {
        if (!(value & LVT_LEVEL)) {
            atomic_fetch_and(&s->lvt[n], ~LVT_REMOTE_IRR);
        } else if (s->lint[0] && ((value >> 8) & 7) == APIC_FIXED) {
            apic_local_interrupt(s, n);
        }
        apic_update(s);
    }
    apic_unlock(taken);
}

static void write_timer(Apic *s, unsigned reg, uint32_t value)
{
    bool taken = apic_lock();

    if (reg == REG_INITIAL) {
        apic_timer_load(s, value);
    } else {
        apic_timer_set_divide(s, value);
    }
    apic_unlock(taken);
}

/* VALUE holds no bits outside the register's mask. */
static void reg_write(Apic *s, unsigned reg, uint32_t value)
{
    switch (reg) {
    case REG_TPR:
        s->tpr = value;
        apic_update_ppr(s);
        apic_update(s);
        break;
    case REG_EOI:
        apic_eoi(s);
        break;
    case REG_LDR:
        s->ldr = value;
        break;
    case REG_DFR:
        s->dfr = value | 0x0fffffff;
        break;
    case REG_SVR:
        write_svr(s, value);
        break;
    case REG_ESR:
        s->esr = atomic_exchange(&s->esr_pending, 0);
        break;
    case REG_ICR_LOW: {
        uint32_t dest = s->icr_high >> 24;
        s->icr_low = value & ~(uint32_t)ICR_DELIVERY_PENDING;
        if (dest == 0xff && !(value & (1u << 11))) {
            dest = APIC_DEST_ALL;
        }
        apic_send_ipi(s, s->icr_low, dest);
        break;
    }
    case REG_ICR_HIGH:
        s->icr_high = value;
        break;
    case REG_LVT ... REG_LVT + LVT_COUNT - 1:
        write_lvt(s, (int)reg - REG_LVT, value);
        break;
    case REG_INITIAL:
    case REG_DIVIDE:
        write_timer(s, reg, value);
        break;
    }
}

/* ---- memory window ---- */

/* Every CPU sees its own APIC; whoever is no CPU (a debugger) sees that of CPU 0. */
static Apic *accessing(Machine *m)
{
    Cpu *cpu = safepoint_current_cpu();

    return cpu ? apic_get(cpu) : apic_shared(m);
}

static uint64_t window_read(void *opaque, hwaddr addr, unsigned size)
{
    Apic *s = accessing(opaque);
    unsigned reg = (unsigned)(addr >> 4);

    (void)size;
    if (!s || !apic_hw_enabled(s) || apic_is_x2(s) || addr >= 0x1000) {
        return 0xffffffff;
    }
    if (addr & 0xf) {
        return 0;
    }
    if (reg >= REG_COUNT || !(regs[reg].access & (R | W))) {
        apic_error(s, ESR_REGISTER);
        return 0;
    }
    return reg_read(s, reg);
}

static void window_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Machine *m = opaque;
    Apic *s = accessing(m);
    unsigned reg = (unsigned)(addr >> 4);

    (void)size;
    if (addr >= 0x1000 || reg == 0) {
        /* No register there: a message-signalled interrupt from a device's DMA engine. */
        apic_msi_deliver(m, APIC_BASE_RESET + addr, (uint32_t)value);
        return;
    }
    if (!s || !apic_hw_enabled(s) || apic_is_x2(s) || (addr & 0xf)) {
        return;
    }
    if (reg >= REG_COUNT || !(regs[reg].access & (R | W))) {
        apic_error(s, ESR_REGISTER);
        return;
    }
    if (regs[reg].access & W) {
        reg_write(s, reg, (uint32_t)value & regs[reg].mask);
    }
}

const MemOps apic_window_ops = {window_read, window_write, 4, 4, true};

/* ---- model-specific registers ---- */

static bool has_tsc_deadline(Apic *s)
{
    return apic_shared(s->dev.machine)->tsc_now;
}

bool apic_rdmsr(void *opaque, uint32_t msr, uint64_t *value)
{
    Apic *s = opaque;
    unsigned reg = msr - MSR_X2APIC;

    if (msr == MSR_TSC_DEADLINE) {
        *value = s->tsc_deadline;
        return has_tsc_deadline(s);
    }
    if (!apic_is_x2(s) || reg >= REG_COUNT || !(regs[reg].access & X2_R)) {
        return false;
    }
    *value = reg_read(s, reg);
    if (reg == REG_ICR_LOW) {
        *value |= (uint64_t)s->icr_high << 32;
    }
    return true;
}

bool apic_wrmsr(void *opaque, uint32_t msr, uint64_t value)
{
    Apic *s = opaque;
    unsigned reg = msr - MSR_X2APIC;

    if (msr == MSR_TSC_DEADLINE) {
        bool taken;
        if (!has_tsc_deadline(s)) {
            return false;
        }
        taken = apic_lock();
        apic_timer_set_deadline(s, value);
        apic_unlock(taken);
        return true;
    }
    if (!apic_is_x2(s) || reg >= REG_COUNT || !(regs[reg].access & X2_W)) {
        return false;
    }
    if (reg == REG_ICR_LOW) {
        if ((uint32_t)value & ~regs[reg].mask) {
            return false;
        }
        s->icr_low = (uint32_t)value;
        s->icr_high = (uint32_t)(value >> 32);
        apic_send_ipi(s, s->icr_low, s->icr_high);
        return true;
    }
    /* Read-only status bits of the LVT may be written back. */
    if (reg >= REG_LVT && reg < REG_LVT + LVT_COUNT) {
        value &= ~(uint64_t)(1u << 12 | LVT_REMOTE_IRR);
    }
    if (value & ~(uint64_t)regs[reg].mask) {
        return false;
    }
    if (reg == REG_SELF_IPI) {
        apic_send_ipi(s, 1u << 18 | (uint32_t)value, 0);
    } else {
        reg_write(s, reg, (uint32_t)value);
    }
    return true;
}

/* IA32_APIC_BASE: the mode transitions of SDM 3A figure 11-27. */
bool apic_set_base(void *opaque, uint64_t value)
{
    Apic *s = opaque;
    uint64_t old = s->base;
    uint64_t mode = value & (APIC_BASE_ENABLE | APIC_BASE_EXTD);
    uint64_t old_mode = old & (APIC_BASE_ENABLE | APIC_BASE_EXTD);
    uint64_t valid =
        APIC_BASE_ADDR | APIC_BASE_BSP | APIC_BASE_ENABLE | (s->allow_x2apic ? APIC_BASE_EXTD : 0);
    bool taken;

    if (value & ~valid || mode == APIC_BASE_EXTD) {
        return false;
    }
    if (old_mode == (APIC_BASE_ENABLE | APIC_BASE_EXTD) && mode == APIC_BASE_ENABLE) {
        return false; /* x2APIC to xAPIC goes through disabled */
    }
    if (!old_mode && (mode & APIC_BASE_EXTD)) {
        return false; /* so does disabled to x2APIC through xAPIC */
    }
    taken = apic_lock();
    if (old_mode && !mode) {
        uint32_t lint0 = s->lvt[LVT_LINT0];
        apic_reset_registers(s, false);
        s->lvt[LVT_LINT0] = lint0 | LVT_MASKED;
        apic_timer_rearm(s);
    }
    s->base = value;
    if (s->window && ((old ^ value) & APIC_BASE_ADDR)) {
        /* The window is one for all; firmware that moves it does so first on CPU 0. */
        mem_region_set_offset(s->window, value & APIC_BASE_ADDR);
    }
    apic_update(s);
    apic_unlock(taken);
    return true;
}
