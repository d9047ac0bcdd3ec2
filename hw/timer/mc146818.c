/*
 * Motorola MC146818 real-time clock with 128 bytes of CMOS memory (data sheet, ADI-1026), as in a
 * PC: index at port 70h, data at 71h, IRQ 8, the century in byte 32h.
 *
 * The time is an offset to the host's UTC, in nanoseconds. While it runs, the time registers are
 * computed when read; while it does not (SET, or the divider held in reset), they are plain bytes
 * and become the time when it is let go again. Flags in register C are brought up to date when
 * somebody looks or when one of their interrupts is due, so an idle clock costs no wake-ups.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/timer/mc146818.h"

#include <inttypes.h>
#include <time.h>

#include "core/clock.h"
#include "core/machine.h"
#include "hw/pc/isa.h"
#include "util/keyval.h"

enum {
    RTC_SECONDS = 0,
    RTC_SECONDS_ALARM = 1,
    RTC_MINUTES = 2,
    RTC_MINUTES_ALARM = 3,
    RTC_HOURS = 4,
    RTC_HOURS_ALARM = 5,
    RTC_DAY_OF_WEEK = 6, /* 1 is Sunday */
    RTC_DAY = 7,
    RTC_MONTH = 8,
    RTC_YEAR = 9,
    REG_A = 10,
    REG_B = 11,
    REG_C = 12,
    REG_D = 13,
    RTC_CENTURY = 0x32,
    CMOS_SIZE = 128,

    A_RS = 0x0f,
    A_DV = 0x70,
    A_DV_RUN = 0x20, /* 32768 Hz time base */
    A_DV_RESET = 0x60,
    A_UIP = 0x80,
    B_DSE = 0x01,
    B_24H = 0x02,
    B_DM = 0x04, /* binary, not BCD */
    B_SQWE = 0x08,
    B_UIE = 0x10,
    B_AIE = 0x20,
    B_PIE = 0x40,
    B_SET = 0x80,
    C_UF = 0x10,
    C_AF = 0x20,
    C_PF = 0x40,
    C_IRQF = 0x80,
    D_VRT = 0x80,
    HOUR_PM = 0x80,
    ALARM_ANY = 0xc0,
};

#define RTC_HZ 32768
/* UIP is set 244 us before an update cycle, which takes 1984 us (data sheet, "Update Cycle"). The
 * registers change at the end of the cycle, on the second. */
#define UIP_NS ((244 + 1984) * 1000)

typedef struct Rtc {
    IsaDevice isa;
    uint8_t cmos[CMOS_SIZE];
    uint8_t index, nmi_masked;
    int64_t offset_sec, offset_ns; /* RTC time minus CLOCK_HOST; offset_ns in [0, 1 s) */
    int64_t held;          /* while it does not run: the sub-second part it was stopped at */
    uint8_t weekday_shift; /* guest's day of the week minus the calendar's, modulo 7 */
    int64_t checked;       /* RTC second up to which UF and AF have been looked at */
    int64_t period_start;  /* CLOCK_VM, when the periodic divider chain was set */
    int64_t period_seen;   /* how many periods PF knows of */
    Timer *second_timer, *periodic_timer;
    IrqLine *irq;
} Rtc;

/* ---- calendar ---- */

static bool is_running(const Rtc *s)
{
    return !(s->cmos[REG_B] & B_SET) && (s->cmos[REG_A] & A_DV) <= A_DV_RUN;
}

static int64_t floor_second(int64_t ns)
{
    return ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
}

/* RTC time, in seconds since 1970; *FRACTION: the nanoseconds of this second that are gone. Kept
 * apart because a guest may set years that do not fit nanoseconds in 64 bits. */
static int64_t rtc_now(const Rtc *s, int64_t *fraction)
{
    int64_t ns = clock_now(CLOCK_HOST) + s->offset_ns;
    int64_t second = floor_second(ns);

    if (fraction) {
        *fraction = ns - second * NS_PER_SEC;
    }
    return second + s->offset_sec;
}

static uint8_t encode(const Rtc *s, int v)
{
    return (uint8_t)(s->cmos[REG_B] & B_DM ? v : (v / 10 % 10) << 4 | v % 10);
}

static int decode(const Rtc *s, uint8_t v)
{
    return s->cmos[REG_B] & B_DM ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const Rtc *s, int hour)
{
    if (s->cmos[REG_B] & B_24H) {
        return encode(s, hour);
    }
    return encode(s, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static int decode_hour(const Rtc *s, uint8_t v)
{
    int hour;

    if (s->cmos[REG_B] & B_24H) {
        return decode(s, v);
    }
    hour = decode(s, v & 0x7f) % 12;
    return v & HOUR_PM ? hour + 12 : hour;
}

/* Fills the time registers for RTC time SECOND. */
static void set_registers(Rtc *s, int64_t second)
{
    time_t t = (time_t)second;
    struct tm tm;

    if (!gmtime_r(&t, &tm)) {
        return;
    }
    s->cmos[RTC_SECONDS] = encode(s, tm.tm_sec);
    s->cmos[RTC_MINUTES] = encode(s, tm.tm_min);
    s->cmos[RTC_HOURS] = encode_hour(s, tm.tm_hour);
    s->cmos[RTC_DAY_OF_WEEK] = encode(s, (tm.tm_wday + s->weekday_shift) % 7 + 1);
    s->cmos[RTC_DAY] = encode(s, tm.tm_mday);
    s->cmos[RTC_MONTH] = encode(s, tm.tm_mon + 1);
    s->cmos[RTC_YEAR] = encode(s, (tm.tm_year + 1900) % 100);
    s->cmos[RTC_CENTURY] = encode(s, (tm.tm_year + 1900) / 100);
}

/* Brings the time registers up to date, if the clock runs. */
static void refresh(Rtc *s)
{
    if (is_running(s)) {
        set_registers(s, rtc_now(s, NULL));
    }
}

static void set_time(Rtc *s, int64_t second, int64_t fraction)
{
    int64_t ns = fraction - clock_now(CLOCK_HOST);

    s->offset_sec = second + floor_second(ns);
    s->offset_ns = ns - floor_second(ns) * NS_PER_SEC;
}

/* Makes the time registers the time, with FRACTION nanoseconds of the second gone. */
static void take_registers(Rtc *s, int64_t fraction)
{
    struct tm tm = {
        .tm_sec = decode(s, s->cmos[RTC_SECONDS]),
        .tm_min = decode(s, s->cmos[RTC_MINUTES]),
        .tm_hour = decode_hour(s, s->cmos[RTC_HOURS]),
        .tm_mday = decode(s, s->cmos[RTC_DAY]),
        .tm_mon = decode(s, s->cmos[RTC_MONTH]) - 1,
        .tm_year = decode(s, s->cmos[RTC_CENTURY]) * 100 + decode(s, s->cmos[RTC_YEAR]) - 1900,
    };
    int weekday = decode(s, s->cmos[RTC_DAY_OF_WEEK]) - 1;
    int64_t second = timegm(&tm); /* also normalises what is no date; fills in tm_wday */

    s->weekday_shift = (uint8_t)(((weekday - tm.tm_wday) % 7 + 7) % 7);
    set_time(s, second, fraction);
    s->checked = second;
}

/* ---- alarm, update and periodic flags ---- */

static bool alarm_field_matches(const Rtc *s, int reg, int value)
{
    uint8_t alarm = s->cmos[reg];

    if ((alarm & ALARM_ANY) == ALARM_ANY) {
        return true;
    }
    return (reg == RTC_HOURS_ALARM ? decode_hour(s, alarm) : decode(s, alarm)) == value;
}

/* The first RTC second after AFTER and up to LIMIT at which the alarm goes off; -1: none. */
static int64_t next_alarm(const Rtc *s, int64_t after, int64_t limit)
{
    int64_t t = after + 1;

    if (limit > after + 86400) {
        limit = after + 86400; /* there is one each day, if its values are any time of day */
    }
    while (t <= limit) {
        int day_second = (int)((t % 86400 + 86400) % 86400);
        if (!alarm_field_matches(s, RTC_HOURS_ALARM, day_second / 3600)) {
            t += 3600 - day_second % 3600;
        } else if (!alarm_field_matches(s, RTC_MINUTES_ALARM, day_second / 60 % 60)) {
            t += 60 - day_second % 60;
        } else if (!alarm_field_matches(s, RTC_SECONDS_ALARM, day_second % 60)) {
            t++;
        } else {
            return t;
        }
    }
    return -1;
}

/* 32768 Hz ticks between periodic interrupts; 0: none (data sheet, table 5). */
static int64_t period_ticks(const Rtc *s)
{
    int rate = s->cmos[REG_A] & A_RS;

    if (!rate || (s->cmos[REG_A] & A_DV) > A_DV_RUN) {
        return 0;
    }
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
}

static int64_t periods_gone(const Rtc *s, int64_t ticks)
{
    return (
        int64_t)(muldiv64((uint64_t)(clock_now(CLOCK_VM) - s->period_start), RTC_HZ, NS_PER_SEC) /
                 (uint64_t)ticks);
}

/* Collects what has happened since last time into register C, and drives the interrupt. */
static void update_flags(Rtc *s)
{
    uint8_t b = s->cmos[REG_B];
    int64_t ticks = period_ticks(s);

    if (is_running(s)) {
        int64_t second = rtc_now(s, NULL);
        if (second > s->checked) {
            s->cmos[REG_C] |= C_UF;
            if (next_alarm(s, s->checked, second) >= 0) {
                s->cmos[REG_C] |= C_AF;
            }
        }
        s->checked = second; /* also when the host's clock went back */
    }
    if (ticks) {
        int64_t gone = periods_gone(s, ticks);
        if (gone > s->period_seen) {
            s->cmos[REG_C] |= C_PF;
            s->period_seen = gone;
        }
    }
    if (s->cmos[REG_C] & b & (C_UF | C_AF | C_PF)) {
        s->cmos[REG_C] |= C_IRQF;
    }
    irq_set(s->irq, !!(s->cmos[REG_C] & C_IRQF));
}

/* Arms the timers for the next interrupt that is enabled. */
static void arm(Rtc *s)
{
    uint8_t b = s->cmos[REG_B];
    int64_t ticks = period_ticks(s);
    int64_t next = -1;

    if (is_running(s)) {
        if (b & B_UIE) {
            next = s->checked + 1;
        } else if (b & B_AIE) {
            next = next_alarm(s, s->checked, INT64_MAX);
        }
    }
    if (next >= 0) {
        timer_arm(s->second_timer, (next - s->offset_sec) * NS_PER_SEC - s->offset_ns);
    } else {
        timer_disarm(s->second_timer);
    }
    if (ticks && (b & B_PIE)) {
        uint64_t due = (uint64_t)(s->period_seen + 1) * (uint64_t)ticks;
        timer_arm(s->periodic_timer,
                  s->period_start + (int64_t)muldiv64(due, NS_PER_SEC, RTC_HZ) + 1);
    } else {
        timer_disarm(s->periodic_timer);
    }
}

static void timer_fired(void *opaque)
{
    Rtc *s = opaque;

    update_flags(s);
    arm(s);
}

/* ---- registers ---- */

static void write_a(Rtc *s, uint8_t value)
{
    bool was_running = is_running(s);
    uint8_t old = s->cmos[REG_A];

    refresh(s);
    if (was_running) {
        rtc_now(s, &s->held);
    }
    s->cmos[REG_A] = value & 0x7f;
    if ((old ^ value) & (A_RS | A_DV)) {
        s->period_start = clock_now(CLOCK_VM);
        s->period_seen = 0;
    }
    if (!was_running && is_running(s)) {
        /* Out of divider reset, the first update comes half a second later. */
        take_registers(s, (old & A_DV_RESET) == A_DV_RESET ? NS_PER_SEC / 2 : s->held);
    }
}

static void write_b(Rtc *s, uint8_t value)
{
    bool was_running = is_running(s);

    refresh(s);
    if (was_running && (value & B_SET)) {
        rtc_now(s, &s->held);
    }
    if (value & B_SET) {
        value &= ~B_UIE; /* data sheet: setting SET clears UIE */
    }
    s->cmos[REG_B] = value;
    if (was_running && is_running(s)) {
        refresh(s); /* the data mode may have changed */
    } else if (!was_running && is_running(s)) {
        take_registers(s, s->held);
    }
}

static void write_register(Rtc *s, int reg, uint8_t value)
{
    update_flags(s);
    switch (reg) {
    case REG_A:
        write_a(s, value);
        break;
    case REG_B:
        write_b(s, value);
        break;
    case REG_C:
    case REG_D:
        return; /* read-only */
    case RTC_SECONDS_ALARM:
    case RTC_MINUTES_ALARM:
    case RTC_HOURS_ALARM:
        s->cmos[reg] = value;
        break;
    default: /* the time and the century */
        if (is_running(s)) {
            int64_t fraction;
            set_registers(s, rtc_now(s, &fraction));
            s->cmos[reg] = value;
            take_registers(s, fraction);
        } else {
            s->cmos[reg] = value;
        }
        break;
    }
    update_flags(s);
    arm(s);
}

static bool is_clock_register(int reg)
{
    return reg <= REG_D || reg == RTC_CENTURY;
}

static uint8_t read_register(Rtc *s, int reg)
{
    uint8_t value;

    switch (reg) {
    case REG_A:
        value = s->cmos[REG_A];
        if (is_running(s)) {
            int64_t fraction;
            rtc_now(s, &fraction);
            value |= fraction >= NS_PER_SEC - UIP_NS ? A_UIP : 0;
        }
        return value;
    case REG_C:
        update_flags(s);
        value = s->cmos[REG_C];
        s->cmos[REG_C] = 0;
        irq_lower(s->irq);
        arm(s);
        return value;
    case REG_D:
        return D_VRT;
    case REG_B:
    case RTC_SECONDS_ALARM:
    case RTC_MINUTES_ALARM:
    case RTC_HOURS_ALARM:
        return s->cmos[reg];
    default:
        refresh(s);
        return s->cmos[reg];
    }
}

static uint64_t port_read(void *opaque, hwaddr addr, unsigned size)
{
    Rtc *s = opaque;

    (void)size;
    if (!(addr & 1)) {
        return 0xff; /* the index is write-only */
    }
    return is_clock_register(s->index) ? read_register(s, s->index) : s->cmos[s->index];
}

static void port_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Rtc *s = opaque;

    (void)size;
    if (!(addr & 1)) {
        s->index = value & 0x7f;
        s->nmi_masked = (value >> 7) & 1;
    } else if (is_clock_register(s->index)) {
        write_register(s, s->index, (uint8_t)value);
    } else {
        s->cmos[s->index] = (uint8_t)value;
    }
}

static const MemOps ops = {port_read, port_write, 1, 1, false};

void mc146818_cmos_write(Device *dev, int addr, uint8_t value)
{
    Rtc *s = (Rtc *)dev;

    g_assert(addr > REG_D && addr < CMOS_SIZE && addr != RTC_CENTURY);
    s->cmos[addr] = value;
}

uint8_t mc146818_cmos_read(Device *dev, int addr)
{
    Rtc *s = (Rtc *)dev;

    g_assert(addr >= 0 && addr < CMOS_SIZE);
    refresh(s);
    return s->cmos[addr];
}

bool mc146818_nmi_masked(const Device *dev)
{
    return ((const Rtc *)dev)->nmi_masked;
}

/* ---- the device ---- */

/* RESET clears the interrupt enables and flags; time and memory live on the battery. */
static void reset(Device *dev)
{
    Rtc *s = (Rtc *)dev;

    s->cmos[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->cmos[REG_C] = 0;
    s->index = 0;
    s->nmi_masked = 0;
    irq_lower(s->irq);
    arm(s);
}

static bool realize(Device *dev, GError **err)
{
    Rtc *s = (Rtc *)dev;

    (void)err;
    s->irq = isa_irq(&s->isa, 8);
    s->second_timer = timer_new(CLOCK_HOST, timer_fired, s);
    s->periodic_timer = timer_new(CLOCK_VM, timer_fired, s);
    s->cmos[REG_A] = A_DV_RUN | 6; /* 1024 Hz */
    s->cmos[REG_B] = B_24H;
    s->offset_sec = floor_second(dev->machine->rtc_offset_ns);
    s->offset_ns = dev->machine->rtc_offset_ns - s->offset_sec * NS_PER_SEC;
    s->checked = rtc_now(s, NULL);
    s->period_start = clock_now(CLOCK_VM);
    set_registers(s, s->checked);
    isa_register_io(&s->isa, "rtc", &ops, s, 0x70, 2);
    return true;
}

static const StateField fields[] = {
    STATE_FIELD_BYTES(Rtc, cmos),
    STATE_FIELD_UINT_MAX(Rtc, index, CMOS_SIZE - 1),
    STATE_FIELD_UINT_MAX(Rtc, nmi_masked, 1),
    STATE_FIELD_UINT(Rtc, offset_sec),
    STATE_FIELD_UINT_MAX(Rtc, offset_ns, NS_PER_SEC - 1),
    STATE_FIELD_UINT_MAX(Rtc, held, NS_PER_SEC),
    STATE_FIELD_UINT_MAX(Rtc, weekday_shift, 6),
    STATE_FIELD_UINT(Rtc, checked),
    STATE_FIELD_UINT(Rtc, period_start),
    STATE_FIELD_UINT(Rtc, period_seen),
    STATE_FIELD_TIMER(Rtc, second_timer),
    STATE_FIELD_TIMER(Rtc, periodic_timer),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    const int64_t limit = 1ll << 40; /* seconds: year 36800, past what four digits can be set to */
    Rtc *s = opaque;

    (void)version;
    if (s->offset_sec > limit || s->offset_sec < -limit) {
        emu_set_error(
            err, "mc146818rtc: time offset %" G_GINT64_FORMAT " is not within %" PRId64 " seconds",
            (gint64)s->offset_sec, limit);
        return false;
    }
    if (s->period_start < 0 || s->period_start > clock_now(CLOCK_VM)) {
        s->period_start = clock_now(CLOCK_VM);
    }
    if (s->period_seen < 0 || s->period_seen > limit) {
        s->period_seen = 0;
    }
    if (s->checked > 2 * limit || s->checked < -2 * limit) {
        s->checked = rtc_now(s, NULL);
    }
    return true;
}

static const StateTable state = {
    .name = "mc146818", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

const DeviceClass mc146818_class = {
    .name = "mc146818rtc",
    .description = "MC146818 real-time clock",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(Rtc),
    .state = &state,
    .realize = realize,
    .reset = reset,
};
