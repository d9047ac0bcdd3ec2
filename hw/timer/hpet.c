/*
 * IA-PC HPET (specification 1.0a): a counter of 64 bits that counts 10 ns, and three timers
 * compared with it, each one-shot or periodic. Interrupts go through the I/O APIC's inputs 16 to
 * 23, or in legacy replacement to those of the interval timer and the real-time clock; not as
 * messages.
 *
 * Nothing counts: while the block is enabled, the counter is the clock's distance to a start. A
 * comparator that lies less than half of its range behind counts as just reached: a guest that
 * was late in setting it is told at once instead of after a turn of the counter.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/timer/hpet.h"

#include "core/accel.h"
#include "core/clock.h"
#include "core/machine.h"
#include "util/keyval.h"

enum {
    TIMERS = 3,
    TICK_NS = 10,

    REG_CAPABILITIES = 0x000,
    REG_CONFIG = 0x010,
    REG_STATUS = 0x020,
    REG_COUNTER = 0x0f0,
    REG_TIMERS = 0x100, /* 20h for each: */
    TIMER_STRIDE = 0x20,
    TIMER_CONFIG = 0x00,
    TIMER_COMPARATOR = 0x08,

    CONFIG_ENABLE = 1 << 0,
    CONFIG_LEGACY = 1 << 1,

    T_LEVEL = 1 << 1,
    T_ENABLE = 1 << 2,
    T_PERIODIC = 1 << 3,
    T_PERIODIC_CAP = 1 << 4,
    T_SIZE_CAP = 1 << 5,
    T_SET_VALUE = 1 << 6,
    T_32BIT = 1 << 8,
    T_ROUTE_SHIFT = 9,
    T_ROUTE = 31 << T_ROUTE_SHIFT,
    T_WRITABLE = T_LEVEL | T_ENABLE | T_PERIODIC | T_SET_VALUE | T_32BIT | T_ROUTE,
    T_FIXED = T_PERIODIC_CAP | T_SIZE_CAP,

    FIRST_ROUTE = 16,
    GSIS = 24,
    GSI_TIMER = 0,
    GSI_RTC = 8,
};

#define PERIOD_FS    10000000ull /* of the counter */
#define CAPABILITIES (PERIOD_FS << 32 | HPET_BLOCK_ID)
#define ROUTES       0x00ff0000ull /* which inputs the timers can use */
/* A guest that wants more interrupts per second than this only keeps the main loop busy. */
#define MIN_PERIOD_NS 10000

typedef struct Hpet Hpet;

typedef struct HpetTimer {
    uint64_t comparator, period;
    uint32_t config; /* without the fixed bits */
    bool reached;    /* a one-shot comparator has been; nothing more until it is set again */
    Timer *timer;
    Hpet *hpet;
} HpetTimer;

struct Hpet {
    Device dev;
    HpetTimer t[TIMERS];
    uint64_t config, status;
    uint64_t base; /* the counter, while it stands; what it was at START, while it runs */
    int64_t start;
    uint8_t legacy_in[2]; /* levels of the lines that legacy replacement cuts off */
    IrqLine *gsi;
    IrqLine legacy_out[2];
    MemRegion *mmio;
};

static bool enabled(const Hpet *s)
{
    return s->config & CONFIG_ENABLE;
}

static uint64_t counter(const Hpet *s)
{
    return s->base + (enabled(s) ? (uint64_t)(clock_now(CLOCK_VM) - s->start) / TICK_NS : 0);
}

/* ---- interrupts ---- */

/* Where timer N's output goes, or NULL. */
static const IrqLine *output(const Hpet *s, int n)
{
    unsigned route = (s->t[n].config & T_ROUTE) >> T_ROUTE_SHIFT;

    if (!s->gsi) {
        return NULL;
    }
    if ((s->config & CONFIG_LEGACY) && n < 2) {
        return &s->legacy_out[n];
    }
    return route < GSIS && (ROUTES >> route & 1) ? &s->gsi[route] : NULL;
}

static void interrupt(Hpet *s, int n)
{
    const HpetTimer *t = &s->t[n];

    if (t->config & T_LEVEL) {
        s->status |= 1u << n;
        if (t->config & T_ENABLE) {
            irq_raise(output(s, n));
        }
    } else if (t->config & T_ENABLE) {
        irq_pulse(output(s, n));
    }
}

/* The line of a level-triggered timer, after something about it has changed. */
static void update_level(Hpet *s, int n)
{
    const HpetTimer *t = &s->t[n];

    if (t->config & T_LEVEL) {
        irq_set(output(s, n), (t->config & T_ENABLE) && (s->status >> n & 1));
    }
}

/* The interval timer (0) or the real-time clock (1) moves its line. */
static void legacy_line(void *opaque, int n, int level)
{
    Hpet *s = opaque;

    s->legacy_in[n] = (uint8_t)level;
    if (!(s->config & CONFIG_LEGACY)) {
        irq_set(&s->legacy_out[n], level);
    }
}

static void set_legacy(Hpet *s, bool on)
{
    Accel *accel = s->dev.machine->accel;

    for (int n = 0; n < 2; n++) {
        irq_set(&s->legacy_out[n], on ? 0 : s->legacy_in[n]);
    }
    if (accel && accel->irqchip && accel->cls->pit_cut_off) {
        accel->cls->pit_cut_off(accel, on);
    }
}

/* ---- timers ---- */

static bool is_narrow(const HpetTimer *t)
{
    return t->config & T_32BIT;
}

/* Ticks from NOW to the comparator; 0 if it has been reached. */
static uint64_t distance(const HpetTimer *t, uint64_t now)
{
    uint64_t ticks = t->comparator - now;

    if (is_narrow(t)) {
        return (int32_t)ticks > 0 ? (uint32_t)ticks : 0;
    }
    return (int64_t)ticks > 0 ? ticks : 0;
}

static void arm(HpetTimer *t)
{
    Hpet *s = t->hpet;
    uint64_t ticks = distance(t, counter(s));
    int64_t now = clock_now(CLOCK_VM);

    if (!enabled(s)) {
        timer_disarm(t->timer);
        return;
    }
    if (t->reached) {
        if (!is_narrow(t)) {
            timer_disarm(t->timer);
            return;
        }
        ticks = (uint32_t)(t->comparator - counter(s)); /* the next turn of 32 bits */
        ticks = ticks ? ticks : 1ull << 32;
    }
    if (ticks > (uint64_t)(INT64_MAX - now) / TICK_NS - 1) {
        timer_disarm(t->timer); /* in centuries */
    } else {
        /* The clock need not be at a tick's start: the one after is certainly late enough. */
        timer_arm(t->timer, now + (int64_t)(ticks ? ticks + 1 : 0) * TICK_NS);
    }
}

static void next_period(HpetTimer *t, uint64_t now)
{
    uint64_t period = is_narrow(t) ? (uint32_t)t->period : t->period;
    uint64_t behind = is_narrow(t) ? (uint32_t)(now - t->comparator) : now - t->comparator;

    t->comparator += (behind / period + 1) * period;
    if (is_narrow(t)) {
        t->comparator = (uint32_t)t->comparator;
    }
}

static void timer_fired(void *opaque)
{
    HpetTimer *t = opaque;
    Hpet *s = t->hpet;
    uint64_t now = counter(s);
    bool periodic = (t->config & T_PERIODIC) && (is_narrow(t) ? (uint32_t)t->period : t->period);

    if (!enabled(s)) {
        return;
    }
    if (!t->reached && distance(t, now)) {
        arm(t);
        return;
    }
    if (periodic) {
        next_period(t, now);
    } else {
        t->reached = true;
    }
    arm(t);
    if (periodic && timer_armed(t->timer) &&
        timer_deadline(t->timer) < clock_now(CLOCK_VM) + MIN_PERIOD_NS) {
        timer_arm(t->timer, clock_now(CLOCK_VM) + MIN_PERIOD_NS);
    }
    interrupt(s, (int)(t - s->t));
}

static void arm_all(Hpet *s)
{
    for (int i = 0; i < TIMERS; i++) {
        arm(&s->t[i]);
    }
}

/* ---- registers ---- */

/* VALUE, of which SIZE bytes from byte ADDR & 7 on are WRITTEN. */
static uint64_t merged(uint64_t value, uint64_t written, hwaddr addr, unsigned size)
{
    unsigned shift = (unsigned)(addr & 7) * 8;
    uint64_t mask = (size == 8 ? ~0ull : (1ull << size * 8) - 1) << shift;

    return (value & ~mask) | (written << shift & mask);
}

static void write_config(Hpet *s, uint64_t value)
{
    uint64_t old = s->config, now = counter(s);

    value &= CONFIG_ENABLE | CONFIG_LEGACY;
    if ((old ^ value) & CONFIG_LEGACY) {
        s->config = (old & CONFIG_ENABLE) | (value & CONFIG_LEGACY);
        set_legacy(s, value & CONFIG_LEGACY);
    }
    s->config = value;
    if ((old ^ value) & CONFIG_ENABLE) {
        s->base = now;
        s->start = clock_now(CLOCK_VM);
        arm_all(s);
    }
}

static void write_status(Hpet *s, uint64_t value)
{
    for (int i = 0; i < TIMERS; i++) {
        if (value >> i & s->status >> i & 1) {
            s->status &= ~(1ull << i);
            update_level(s, i);
        }
    }
}

static void write_counter(Hpet *s, uint64_t value)
{
    s->base = value;
    s->start = clock_now(CLOCK_VM);
    arm_all(s);
}

static void write_timer_config(HpetTimer *t, uint64_t value)
{
    Hpet *s = t->hpet;
    int n = (int)(t - s->t);
    uint32_t old = t->config;

    if (old & T_LEVEL) {
        irq_lower(output(s, n));
    }
    t->config = (uint32_t)value & T_WRITABLE;
    if (!(t->config & T_PERIODIC)) {
        t->config &= ~(uint32_t)T_SET_VALUE;
    }
    if (!(t->config & T_LEVEL)) {
        s->status &= ~(1ull << n);
    }
    if (is_narrow(t)) {
        t->comparator = (uint32_t)t->comparator;
        t->period = (uint32_t)t->period;
    }
    update_level(s, n);
    if ((old ^ t->config) & (T_PERIODIC | T_32BIT)) {
        t->reached = false;
        arm(t);
    }
}

/* 2.3.9.2.2: the comparator itself, or a periodic timer's period; with SET_VALUE both. */
static void write_comparator(HpetTimer *t, uint64_t written, hwaddr addr, unsigned size)
{
    bool periodic = t->config & T_PERIODIC;

    if (!periodic || (t->config & T_SET_VALUE)) {
        t->comparator = merged(t->comparator, written, addr, size);
        t->reached = false;
    }
    if (periodic) {
        t->period = merged(t->period, written, addr, size);
    }
    t->config &= ~(uint32_t)T_SET_VALUE;
    if (is_narrow(t)) {
        t->comparator = (uint32_t)t->comparator;
        t->period = (uint32_t)t->period;
    }
    arm(t);
}

static uint64_t read_register(const Hpet *s, hwaddr reg)
{
    unsigned n = (unsigned)(reg - REG_TIMERS) / TIMER_STRIDE;

    switch (reg) {
    case REG_CAPABILITIES:
        return CAPABILITIES;
    case REG_CONFIG:
        return s->config;
    case REG_STATUS:
        return s->status;
    case REG_COUNTER:
        return counter(s);
    default:
        break;
    }
    if (reg < REG_TIMERS || n >= TIMERS) {
        return 0;
    }
    switch (reg % TIMER_STRIDE) {
    case TIMER_CONFIG:
        return ROUTES << 32 | T_FIXED | s->t[n].config;
    case TIMER_COMPARATOR:
        return s->t[n].comparator;
    default:
        return 0; /* no messages */
    }
}

static uint64_t hpet_read(void *opaque, hwaddr addr, unsigned size)
{
    uint64_t value = read_register(opaque, addr & ~(hwaddr)7) >> (addr & 7) * 8;

    return size == 8 ? value : value & 0xffffffff;
}

static void hpet_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Hpet *s = opaque;
    hwaddr reg = addr & ~(hwaddr)7;
    unsigned n = (unsigned)(reg - REG_TIMERS) / TIMER_STRIDE;
    uint64_t whole = merged(reg == REG_STATUS ? 0 : read_register(s, reg), value, addr, size);

    switch (reg) {
    case REG_CONFIG:
        write_config(s, whole);
        return;
    case REG_STATUS:
        write_status(s, whole);
        return;
    case REG_COUNTER:
        write_counter(s, whole);
        return;
    default:
        break;
    }
    if (reg < REG_TIMERS || n >= TIMERS) {
        return;
    }
    if (reg % TIMER_STRIDE == TIMER_CONFIG) {
        write_timer_config(&s->t[n], whole);
    } else if (reg % TIMER_STRIDE == TIMER_COMPARATOR) {
        write_comparator(&s->t[n], value, addr, size);
    }
}

static const MemOps ops = {hpet_read, hpet_write, 4, 8, false};

/* ---- life ---- */

void hpet_wire(Device *dev, IrqLine *gsi)
{
    Hpet *s = (Hpet *)dev;

    s->gsi = gsi;
    s->legacy_out[0] = gsi[GSI_TIMER];
    s->legacy_out[1] = gsi[GSI_RTC];
    gsi[GSI_TIMER] = (IrqLine){.handler = legacy_line, .opaque = s, .n = 0};
    gsi[GSI_RTC] = (IrqLine){.handler = legacy_line, .opaque = s, .n = 1};
}

static bool realize(Device *dev, GError **err)
{
    Hpet *s = (Hpet *)dev;

    (void)err;
    for (int i = 0; i < TIMERS; i++) {
        s->t[i].hpet = s;
        s->t[i].timer = timer_new(CLOCK_VM, timer_fired, &s->t[i]);
    }
    s->mmio = mem_region_io("hpet", &ops, s, HPET_SIZE);
    mem_region_add(dev->machine->memory_root, HPET_BASE, s->mmio, 0);
    return true;
}

static void reset(Device *dev)
{
    Hpet *s = (Hpet *)dev;
    bool legacy = s->config & CONFIG_LEGACY;

    for (int i = 0; i < TIMERS; i++) {
        HpetTimer *t = &s->t[i];

        if (t->config & T_LEVEL) {
            irq_lower(output(s, i));
        }
        timer_disarm(t->timer);
        t->config = (uint32_t)FIRST_ROUTE << T_ROUTE_SHIFT;
        t->comparator = UINT64_MAX;
        t->period = 0;
        t->reached = false;
    }
    s->config = s->status = s->base = 0;
    s->start = 0;
    if (legacy) {
        set_legacy(s, false);
    }
}

static const StateField timer_fields[] = {
    STATE_FIELD_UINT(HpetTimer, comparator),
    STATE_FIELD_UINT(HpetTimer, period),
    STATE_FIELD_UINT_MAX(HpetTimer, config, T_WRITABLE),
    STATE_FIELD_UINT(HpetTimer, reached),
    STATE_FIELD_TIMER(HpetTimer, timer),
    STATE_FIELD_END,
};

static const StateTable timer_state = {
    .name = "hpet-timer", .version = 1, .min_version = 1, .fields = timer_fields};

static const StateField fields[] = {
    STATE_FIELD_STRUCT_ARRAY(Hpet, t, &timer_state),
    STATE_FIELD_UINT_MAX(Hpet, config, CONFIG_ENABLE | CONFIG_LEGACY),
    STATE_FIELD_UINT_MAX(Hpet, status, (1 << TIMERS) - 1),
    STATE_FIELD_UINT(Hpet, base),
    STATE_FIELD_UINT(Hpet, start),
    STATE_FIELD_UINT_ARRAY(Hpet, legacy_in),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    Hpet *s = opaque;

    (void)version;
    (void)err;
    for (int i = 0; i < TIMERS; i++) {
        s->t[i].config &= T_WRITABLE;
        if (is_narrow(&s->t[i])) {
            s->t[i].comparator = (uint32_t)s->t[i].comparator;
            s->t[i].period = (uint32_t)s->t[i].period;
        }
    }
    s->legacy_in[0] &= 1;
    s->legacy_in[1] &= 1;
    return true;
}

static const StateTable state = {
    .name = "hpet", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

const DeviceClass hpet_class = {
    .name = "hpet",
    .description = "high precision event timers",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(Hpet),
    .state = &state,
    .realize = realize,
    .reset = reset,
};
