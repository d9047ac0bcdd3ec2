/*
 * Intel 8254 programmable interval timer (data sheet, order 231164), and the part of the system
 * control port 61h that belongs to it: speaker gate and data, refresh toggle, output of channel 2.
 *
 * Nothing counts: a channel keeps the time its count was loaded, and its count and output are
 * computed from the clock when somebody looks. Only channel 0, which interrupts, arms a timer for
 * the next change of its output.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/timer/i8254_impl.h"

#include "core/machine.h"

/* A guest that wants more interrupts per second than this only keeps the main loop busy. */
#define MIN_PERIOD_NS 10000
/* Ticks that were missed are made up for, unless by more than this. */
#define MAX_BACKLOG_NS (NS_PER_SEC / 2)

static uint64_t ns_to_ticks(int64_t ns)
{
    return ns <= 0 ? 0 : muldiv64((uint64_t)ns, I8254_HZ, NS_PER_SEC);
}

/* The first nanosecond at which TICKS ticks have passed. */
static int64_t ticks_to_ns(uint64_t ticks)
{
    return (int64_t)(((unsigned __int128)ticks * NS_PER_SEC + I8254_HZ - 1) / I8254_HZ);
}

static bool is_periodic(const Channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

static bool gate_triggers(const Channel *c)
{
    return c->mode == 1 || c->mode == 5;
}

/* The count in force at NOW and how many ticks ago it was loaded. */
static uint64_t elapsed(const Channel *c, int64_t now, uint32_t *count)
{
    if (now < c->start) {
        *count = c->previous;
        return ns_to_ticks(now - c->previous_start);
    }
    *count = c->count;
    if (!c->gate && !gate_triggers(c) && !is_periodic(c)) {
        now = c->paused > c->start ? c->paused : c->start;
    }
    return ns_to_ticks(now - c->start);
}

static int output(const Channel *c, int64_t now)
{
    uint32_t n;
    uint64_t t = elapsed(c, now, &n);

    if (!c->running) {
        return c->mode != 0;
    }
    switch (c->mode) {
    case 0: /* interrupt on terminal count: after N + 1 clocks */
        return t > n;
    case 1: /* hardware retriggerable one-shot */
        return t >= n;
    case 2: /* rate generator: low for the last clock of the period */
        return !c->gate || t % n != n - 1;
    case 3: /* square wave */
        return !c->gate || t % n < (n + 1) / 2;
    default: /* 4, 5: strobes: low for one clock */
        return t != n;
    }
}

static uint16_t to_bcd(uint32_t v)
{
    return (uint16_t)(v % 10 | (v / 10 % 10) << 4 | (v / 100 % 10) << 8 | (v / 1000 % 10) << 12);
}

static uint16_t current_count(const Channel *c, int64_t now)
{
    uint32_t n;
    uint64_t t = elapsed(c, now, &n);
    uint32_t modulus = c->bcd ? 10000 : 65536;
    uint32_t value;

    if (!c->running) {
        value = n;
    } else if (c->mode == 2) {
        value = c->gate ? n - (uint32_t)(t % n) : n;
    } else if (c->mode == 3) {
        value = c->gate ? n - (uint32_t)(t * 2 % n) : n;
        value &= ~1u;
    } else {
        value = (uint32_t)((n + modulus - t % modulus) % modulus);
    }
    return c->bcd ? to_bcd(value % 10000) : (uint16_t)value;
}

/* ---- channel 0's interrupt ---- */

/* When C's output changes next after AT; -1: not by itself. */
static int64_t next_change(const Channel *c, int64_t at)
{
    uint32_t n;
    uint64_t t, next;

    if (!c->running || (!c->gate && !gate_triggers(c))) {
        return -1;
    }
    if (at < c->start) {
        return c->start;
    }
    t = elapsed(c, at, &n);
    switch (c->mode) {
    case 0:
        next = (uint64_t)n + 1;
        break;
    case 2: /* the short low pulse before it is left out */
        next = (t / n + 1) * n;
        break;
    case 3:
        next = t / n * n;
        next += t - next < (n + 1) / 2 ? (n + 1) / 2 : n;
        break;
    case 1:
        next = n;
        break;
    default:
        next = t < n ? n : (uint64_t)n + 1;
        break;
    }
    return next > t ? c->start + ticks_to_ns(next) : -1;
}

/* Sets IRQ 0 to the output at time AT and arms the timer for the next change. */
static void update_irq(I8254 *s, int64_t at)
{
    Channel *c = &s->ch[0];

    irq_set(s->irq, output(c, at));
    s->next = next_change(c, at);
    if (s->next < 0) {
        timer_disarm(s->timer);
    } else {
        timer_arm(s->timer, s->next);
    }
}

static void timer_fired(void *opaque)
{
    I8254 *s = opaque;
    Channel *c = &s->ch[0];
    int64_t now = clock_now(CLOCK_VM);
    int64_t at = s->next;

    if (at < 0) {
        return;
    }
    if (c->mode == 2 && c->running && c->gate) {
        irq_lower(s->irq);
    }
    if (at < now - MAX_BACKLOG_NS) {
        at = now;
    }
    update_irq(s, at);
    if (s->next >= 0 && s->next - at < MIN_PERIOD_NS && s->next < now + MIN_PERIOD_NS) {
        s->next = now + MIN_PERIOD_NS;
        timer_arm(s->timer, s->next);
    }
}

static void changed(I8254 *s, const Channel *c)
{
    if (c == &s->ch[0]) {
        update_irq(s, clock_now(CLOCK_VM));
    }
}

/* ---- programming ---- */

static void load_count(I8254 *s, Channel *c, uint16_t value)
{
    int64_t now = clock_now(CLOCK_VM);
    uint32_t count = value;

    if (c->bcd) {
        count =
            (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
        count %= 10000;
    }
    if (count == 0) {
        count = c->bcd ? 10000 : 65536;
    }
    if (is_periodic(c) && c->running && c->gate) {
        /* The new count is taken at the end of the present period. */
        uint32_t n;
        uint64_t t = elapsed(c, now, &n);
        if (now >= c->start) {
            c->previous = c->count;
            c->previous_start = c->start;
        }
        c->start = c->previous_start + ticks_to_ns((t / n + 1) * n);
    } else if (!gate_triggers(c)) {
        c->start = now;
        c->paused = now;
        c->running = 1;
    }
    c->count = count;
    changed(s, c);
}

static void latch_count(Channel *c, int64_t now)
{
    if (!c->latched) {
        c->latch = current_count(c, now);
        c->latched = c->rw == RW_BOTH ? 2 : 1;
    }
}

static void read_back(I8254 *s, uint8_t value)
{
    int64_t now = clock_now(CLOCK_VM);

    for (int i = 0; i < CHANNELS; i++) {
        Channel *c = &s->ch[i];
        if (!(value & (2u << i))) {
            continue;
        }
        if (!(value & 0x20)) {
            latch_count(c, now);
        }
        if (!(value & 0x10) && !c->status_latched) {
            bool null_count = !c->running || now < c->start;
            c->status = (uint8_t)(output(c, now) << 7 | null_count << 6 | c->rw << 4 |
                                  c->mode << 1 | c->bcd);
            c->status_latched = 1;
        }
    }
}

static void write_control(I8254 *s, uint8_t value)
{
    unsigned select = value >> 6;
    Channel *c = &s->ch[select % CHANNELS];

    if (select == 3) {
        read_back(s, value);
        return;
    }
    if (((value >> 4) & 3) == RW_LATCH) {
        latch_count(c, clock_now(CLOCK_VM));
        return;
    }
    c->rw = (value >> 4) & 3;
    c->mode = (value >> 1) & 7;
    if (c->mode > 5) {
        c->mode &= 3; /* 110b and 111b are modes 2 and 3 */
    }
    c->bcd = value & 1;
    c->write_msb = 0;
    c->read_msb = 0;
    c->latched = 0;
    c->status_latched = 0;
    c->running = 0;
    c->start = 0;
    changed(s, c);
}

static void write_count(I8254 *s, Channel *c, uint8_t value)
{
    switch (c->rw) {
    case RW_LSB:
        load_count(s, c, value);
        break;
    case RW_MSB:
        load_count(s, c, (uint16_t)(value << 8));
        break;
    case RW_BOTH:
        if (c->write_msb) {
            c->write_msb = 0;
            load_count(s, c, (uint16_t)(value << 8 | c->low));
        } else {
            c->write_msb = 1;
            c->low = value;
            if (c->mode == 0) {
                c->running = 0; /* the first byte stops the count and sets the output low */
                changed(s, c);
            }
        }
        break;
    }
}

static uint8_t read_count(Channel *c)
{
    uint16_t value;

    if (c->status_latched) {
        c->status_latched = 0;
        return c->status;
    }
    if (c->latched) {
        value = c->latch;
        if (c->rw == RW_BOTH) {
            return --c->latched ? (uint8_t)value : value >> 8;
        }
        c->latched = 0;
        return c->rw == RW_MSB ? value >> 8 : (uint8_t)value;
    }
    value = current_count(c, clock_now(CLOCK_VM));
    if (c->rw == RW_BOTH) {
        c->read_msb ^= 1;
        return c->read_msb ? (uint8_t)value : value >> 8;
    }
    return c->rw == RW_MSB ? value >> 8 : (uint8_t)value;
}

static uint64_t pit_read(void *opaque, hwaddr addr, unsigned size)
{
    I8254 *s = opaque;

    (void)size;
    return addr < CHANNELS ? read_count(&s->ch[addr]) : 0xff;
}

static void pit_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I8254 *s = opaque;

    (void)size;
    if (addr < CHANNELS) {
        write_count(s, &s->ch[addr], (uint8_t)value);
    } else {
        write_control(s, (uint8_t)value);
    }
}

static void set_gate(I8254 *s, Channel *c, int gate)
{
    int64_t now = clock_now(CLOCK_VM);

    if (gate == c->gate) {
        return;
    }
    if (!gate) {
        c->paused = now;
    } else if (gate_triggers(c)) {
        c->start = now;
        c->running = 1;
    } else if (is_periodic(c)) {
        c->start = now;
    } else if (c->running) {
        c->start += now - (c->paused > c->start ? c->paused : c->start);
    }
    c->gate = (uint8_t)gate;
    changed(s, c);
}

static uint64_t nmisc_read(void *opaque, hwaddr addr, unsigned size)
{
    I8254 *s = opaque;
    int64_t now = clock_now(CLOCK_VM);

    (void)addr;
    (void)size;
    return s->nmisc | (now / REFRESH_HALF_NS & 1 ? NMISC_REFRESH : 0) |
           (output(&s->ch[2], now) ? NMISC_OUT2 : 0);
}

static void nmisc_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I8254 *s = opaque;

    (void)addr;
    (void)size;
    s->nmisc = value & NMISC_WRITABLE;
    set_gate(s, &s->ch[2], value & NMISC_GATE2);
}

static const MemOps pit_ops = {pit_read, pit_write, 1, 1, false};
static const MemOps nmisc_ops = {nmisc_read, nmisc_write, 1, 1, false};

/* ---- the device ---- */

static void reset(Device *dev)
{
    I8254 *s = (I8254 *)dev;

    for (int i = 0; i < CHANNELS; i++) {
        s->ch[i] = (Channel){.mode = 3, .rw = RW_BOTH, .gate = i != 2, .count = 65536};
        s->ch[i].previous = 65536;
    }
    s->nmisc = 0;
    changed(s, &s->ch[0]);
}

static bool realize(Device *dev, GError **err)
{
    I8254 *s = (I8254 *)dev;

    (void)err;
    s->irq = isa_irq(&s->isa, 0);
    s->timer = timer_new(CLOCK_VM, timer_fired, s);
    isa_register_io(&s->isa, "pit", &pit_ops, s, 0x40, 4);
    isa_register_io(&s->isa, "port61", &nmisc_ops, s, 0x61, 1);
    reset(dev);
    return true;
}

static const StateField channel_fields[] = {
    STATE_FIELD_UINT_MAX(Channel, mode, 5),
    STATE_FIELD_UINT_MAX(Channel, bcd, 1),
    STATE_FIELD_UINT_MAX(Channel, rw, RW_BOTH),
    STATE_FIELD_UINT_MAX(Channel, gate, 1),
    STATE_FIELD_UINT_MAX(Channel, running, 1),
    STATE_FIELD_UINT_MAX(Channel, write_msb, 1),
    STATE_FIELD_UINT_MAX(Channel, read_msb, 1),
    STATE_FIELD_UINT_MAX(Channel, latched, 2),
    STATE_FIELD_UINT_MAX(Channel, status_latched, 1),
    STATE_FIELD_UINT(Channel, status),
    STATE_FIELD_UINT(Channel, latch),
    STATE_FIELD_UINT(Channel, low),
    STATE_FIELD_UINT_MAX(Channel, count, 65536),
    STATE_FIELD_UINT_MAX(Channel, start, INT64_MAX / 4),
    STATE_FIELD_UINT_MAX(Channel, previous, 65536),
    STATE_FIELD_UINT_MAX(Channel, previous_start, INT64_MAX / 4),
    STATE_FIELD_UINT_MAX(Channel, paused, INT64_MAX / 4),
    STATE_FIELD_END,
};

static const StateTable channel_state = {
    .name = "i8254-channel", .version = 1, .min_version = 1, .fields = channel_fields};

const StateField i8254_state_fields[] = {
    STATE_FIELD_STRUCT_ARRAY(I8254, ch, &channel_state),
    STATE_FIELD_UINT_MAX(I8254, nmisc, NMISC_WRITABLE),
    STATE_FIELD_UINT(I8254, next),
    STATE_FIELD_TIMER(I8254, timer),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    I8254 *s = opaque;

    (void)version;
    (void)err;
    for (int i = 0; i < CHANNELS; i++) {
        Channel *c = &s->ch[i];
        c->count = c->count ? c->count : 65536;
        c->previous = c->previous ? c->previous : 65536;
    }
    return true;
}

static const StateTable state = {.name = "i8254",
                                 .version = 1,
                                 .min_version = 1,
                                 .fields = i8254_state_fields,
                                 .post_load = post_load};

const DeviceClass i8254_class = {
    .name = "isa-pit",
    .description = "8254 interval timer and speaker port",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(I8254),
    .state = &state,
    .realize = realize,
    .reset = reset,
};
