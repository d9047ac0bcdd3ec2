/*
 * Finding breakpoints and watchpoints, and what hits lead to (accel/tcg/debug.h). GPR-only.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/debug.h"

#include "accel/tcg/code.h"
#include "accel/tcg/tcg_accel.h"

enum { TYPE_EXECUTE, TYPE_WRITE, TYPE_IO, TYPE_ACCESS, GUEST_POINTS = 4 };

#define DR6_BS   (1u << 14)
#define DR6_HITS 0xfu

/* ---- the guest's points (SDM 3B 17.2.4) ---- */

static inline bool guest_enabled(const X86State *st, unsigned i)
{
    return st->dr[7] >> (2 * i) & 3;
}

static inline unsigned guest_type(const X86State *st, unsigned i)
{
    return st->dr[7] >> (16 + 4 * i) & 3;
}

static inline uint64_t guest_len(const X86State *st, unsigned i)
{
    static const uint8_t lens[] = {1, 2, 8, 4};

    return lens[st->dr[7] >> (18 + 4 * i) & 3];
}

static inline uint64_t guest_addr(const X86State *st, unsigned i)
{
    return st->dr[i] & -guest_len(st, i);
}

static inline unsigned guest_kinds(const X86State *st, unsigned i)
{
    unsigned type = guest_type(st, i);

    return type == TYPE_WRITE ? DEBUG_WRITE : type == TYPE_ACCESS ? DEBUG_READ | DEBUG_WRITE : 0;
}

/* ---- the debugger's ---- */

static inline bool is_code(const DebugPoint *p)
{
    return p->kind == DEBUG_SOFTWARE || p->kind == DEBUG_HARDWARE;
}

static inline unsigned point_kinds(const DebugPoint *p)
{
    return p->kind == DEBUG_WATCH_WRITE    ? DEBUG_WRITE
           : p->kind == DEBUG_WATCH_READ   ? DEBUG_READ
           : p->kind == DEBUG_WATCH_ACCESS ? DEBUG_READ | DEBUG_WRITE
                                           : 0;
}

static void stop_for(TcgCpu *c, DebugKind kind, uint64_t addr)
{
    c->x.cpu.debug_stop = kind;
    c->x.cpu.debug_addr = addr;
}

/* ---- which there are ---- */

static inline bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a - b < b_len || b - a < a_len;
}

static void set_active(TcgCpu *c)
{
    TcgDebug *d = &c->debug;

    d->active = d->code || d->step || d->again || d->hits || c->x.cpu.debug_stop;
}

void tcg_debug_changed(TcgCpu *c)
{
    TcgDebug *d = &c->debug;
    const X86State *st = &c->x.st;
    bool had = d->code || d->data;

    d->code = d->guest_code = d->data = false;
    for (unsigned i = 0; i < GUEST_POINTS; i++) {
        if (guest_enabled(st, i)) {
            d->guest_code |= guest_type(st, i) == TYPE_EXECUTE;
            d->data |= guest_type(st, i) != TYPE_EXECUTE;
        }
    }
    d->code = d->guest_code;
    for (size_t i = 0; i < c->accel->point_count; i++) {
        bool code = is_code(&c->accel->points[i]);
        d->code |= code;
        d->data |= !code;
    }
    if (had || d->code || d->data) {
        x86_tlb_flush_all(&c->x);
    }
    set_active(c);
}

void x86_debug_changed(X86Cpu *cpu)
{
    tcg_debug_changed(tcg_cpu(cpu));
}

static inline bool on_page(uint64_t addr, uint64_t len, uint64_t linear)
{
    return overlap(addr, len, linear & ~0xfffull, 4096);
}

bool tcg_debug_code_page(const TcgCpu *c, uint64_t linear)
{
    const X86State *st = &c->x.st;

    for (unsigned i = 0; c->debug.guest_code && i < GUEST_POINTS; i++) {
        if (guest_enabled(st, i) && guest_type(st, i) == TYPE_EXECUTE &&
            on_page(st->dr[i], 1, linear)) {
            return true;
        }
    }
    for (size_t i = 0; i < c->accel->point_count; i++) {
        const DebugPoint *p = &c->accel->points[i];
        if (is_code(p) && on_page(p->addr, 1, linear)) {
            return true;
        }
    }
    return false;
}

unsigned tcg_debug_data_page(const TcgCpu *c, uint64_t linear)
{
    const X86State *st = &c->x.st;
    unsigned kinds = 0;

    for (unsigned i = 0; i < GUEST_POINTS; i++) {
        if (guest_enabled(st, i) && on_page(guest_addr(st, i), guest_len(st, i), linear)) {
            kinds |= guest_kinds(st, i);
        }
    }
    for (size_t i = 0; i < c->accel->point_count; i++) {
        const DebugPoint *p = &c->accel->points[i];
        if (on_page(p->addr, p->len, linear)) {
            kinds |= point_kinds(p);
        }
    }
    return kinds;
}

/* ---- data ---- */

/* Something watched is about to be touched: returns when that is to be noted. */
static void begin_hit(TcgCpu *c)
{
    if (atomic_load_explicit(&c->in_code, memory_order_relaxed) && !c->debug.recording) {
        c->debug.again = c->debug.active = true;
        tcg_unwind(c, EXIT_RESTART);
    }
    c->debug.active = true;
}

void tcg_debug_access(TcgCpu *c, uint64_t linear, unsigned size, unsigned kinds)
{
    const X86State *st = &c->x.st;

    for (unsigned i = 0; i < GUEST_POINTS; i++) {
        if (guest_enabled(st, i) && (guest_kinds(st, i) & kinds) &&
            overlap(guest_addr(st, i), guest_len(st, i), linear, size)) {
            begin_hit(c);
            c->debug.hits |= 1u << i;
        }
    }
    for (size_t i = 0; i < c->accel->point_count; i++) {
        const DebugPoint *p = &c->accel->points[i];
        if ((point_kinds(p) & kinds) && overlap(p->addr, p->len, linear, size)) {
            begin_hit(c);
            stop_for(c, p->kind, p->addr);
        }
    }
}

void tcg_debug_port(TcgCpu *c, uint16_t port, unsigned size)
{
    const X86State *st = &c->x.st;

    for (unsigned i = 0; (st->cr4 & CR4_DE) && i < GUEST_POINTS; i++) {
        if (guest_enabled(st, i) && guest_type(st, i) == TYPE_IO &&
            overlap(guest_addr(st, i), guest_len(st, i), port, size)) {
            begin_hit(c);
            c->debug.hits |= 1u << i;
        }
    }
}

/* ---- around an instruction ---- */

/* Prepares #DB. BITS: what DR6 is to say; the four of breakpoints are never kept from before. */
static int prepare_db(TcgCpu *c, uint32_t bits)
{
    X86State *st = &c->x.st;

    st->dr[6] = (st->dr[6] & ~(uint64_t)DR6_HITS) | bits;
    c->exc_vector = EXC_DB;
    c->has_error = false;
    c->exc_error = 0;
    c->exc_trap = true;
    c->exc_rip = st->rip;
    return TCG_DEBUG_RAISE;
}

static uint32_t guest_code_hits(const X86State *st, uint64_t linear)
{
    uint32_t hits = 0;

    if ((st->rflags & FLAG_RF) || (st->int_shadow & 2)) { /* SDM 3B 17.3.1.1; 3A 6.8.3 */
        return 0;
    }
    for (unsigned i = 0; i < GUEST_POINTS; i++) {
        if (guest_enabled(st, i) && guest_type(st, i) == TYPE_EXECUTE && st->dr[i] == linear) {
            hits |= 1u << i;
        }
    }
    return hits;
}

static bool debugger_code_hit(TcgCpu *c, uint64_t linear)
{
    for (size_t i = 0; i < c->accel->point_count; i++) {
        const DebugPoint *p = &c->accel->points[i];
        if (is_code(p) && p->addr == linear) {
            stop_for(c, p->kind, linear);
            return true;
        }
    }
    return false;
}

int tcg_debug_before(TcgCpu *c, uint64_t linear, bool alone)
{
    TcgDebug *d = &c->debug;
    X86State *st = &c->x.st;
    bool again = d->again;

    if (d->hits && !(st->int_shadow & 2)) { /* of a delivery, or held back by MOV SS */
        uint32_t bits = d->hits;
        d->hits = 0;
        return prepare_db(c, bits);
    }
    if (c->x.cpu.debug_stop) {
        return TCG_DEBUG_STOP;
    }
    d->again = false;
    set_active(c);
    alone |= again || d->step;
    if (d->code && tcg_debug_code_page(c, linear)) {
        alone = true;
        if (!again && !d->step && debugger_code_hit(c, linear)) {
            return TCG_DEBUG_STOP;
        }
        uint32_t hits = again ? 0 : guest_code_hits(st, linear);
        if (hits) {
            return prepare_db(c, hits);
        }
    }
    alone |= d->guest_code && (st->rflags & FLAG_RF);
    if (!alone) {
        return TCG_DEBUG_GO;
    }
    if (d->guest_code) {
        d->rf = st->rflags & FLAG_RF;
        st->rflags &= ~(uint64_t)FLAG_RF;
    }
    return TCG_DEBUG_ONE;
}

int tcg_debug_after(TcgCpu *c, bool completed, bool trap)
{
    TcgDebug *d = &c->debug;
    X86State *st = &c->x.st;
    uint32_t bits = completed && trap ? DR6_BS : 0;

    if (!completed) {
        st->rflags |= d->rf;
    }
    d->rf = 0;
    if (completed && d->step) {
        tcg_debug_stepped(c);
    }
    if (!(st->int_shadow & 2)) { /* a load of SS holds traps back by one instruction */
        bits |= d->hits;
        d->hits = 0;
    } else {
        bits = 0;
    }
    set_active(c);
    return bits ? prepare_db(c, bits) : c->x.cpu.debug_stop ? TCG_DEBUG_STOP : TCG_DEBUG_GO;
}

bool tcg_debug_stepped(TcgCpu *c)
{
    if (!c->debug.step) {
        return false;
    }
    if (!c->x.cpu.debug_stop) {
        stop_for(c, DEBUG_STEP, 0);
    }
    return true;
}
