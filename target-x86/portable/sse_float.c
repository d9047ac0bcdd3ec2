/*
 * SSE floating-point arithmetic (SDM 1 10.2, 11.5; SDM 2).
 *
 * Results go to a copy, and are written only if no unmasked exception was raised. Exceptions that
 * are found before computing (I, D, Z) in any element keep those found after it from being flagged
 * when one of them is unmasked (SDM 1 11.5.3.2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/sse_float.h"

enum { MXCSR_DAZ = 1 << 6, MXCSR_MASKS = 7, MXCSR_RC = 13, MXCSR_FTZ = 1 << 15 };

/* ---- shared with sse_convert.c ---- */

void sse_begin(SseFloat *s, const PortableCtx *c)
{
    uint32_t mxcsr = c->st->mxcsr;

    *s = (SseFloat){.env = {.rounding = mxcsr >> MXCSR_RC & 3,
                            .masked = mxcsr >> MXCSR_MASKS & FLOAT_ALL,
                            .daz = mxcsr & MXCSR_DAZ,
                            .ftz = mxcsr & MXCSR_FTZ}};
}

int sse_end(SseFloat *s, PortableCtx *c)
{
    unsigned flags = s->env.flags;

    if (flags & FLOAT_PRE & ~s->env.masked) {
        flags &= FLOAT_PRE;
    }
    c->st->mxcsr |= flags;
    return flags & ~s->env.masked ? EXC_XM : PORTABLE_OK;
}

FloatNum sse_lane(const SseFloat *s, const X86Vec *v, unsigned i, bool dbl)
{
    return dbl ? float_unpack64(&s->env, v->q[i]) : float_unpack32(&s->env, v->d[i]);
}

void sse_set_lane(X86Vec *v, unsigned i, bool dbl, FloatNum n)
{
    if (dbl) {
        v->q[i] = float_pack64(n);
    } else {
        v->d[i] = float_pack32(n);
    }
}

const FloatFormat *sse_format(bool dbl)
{
    return dbl ? &float_double : &float_single;
}

/* ---- operations on two numbers ---- */

/* An operand as a result: denormals get their encoding back. */
static FloatNum as_result(const FloatFormat *f, FloatNum a)
{
    FloatEnv exact = {.masked = FLOAT_ALL};

    return a.kind == FLOAT_FINITE ? float_round(&exact, f, a.sign, a.exp, (u128)a.sig << 64) : a;
}

/* The second operand if they are equal or there is a NaN. */
static FloatNum minimum(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    return as_result(f, float_compare(env, a, b, true) == FLOAT_LESS ? a : b);
}

static FloatNum maximum(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    return as_result(f, float_compare(env, a, b, true) == FLOAT_GREATER ? a : b);
}

static FloatNum square_root(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    (void)a;
    return float_sqrt(env, f, b);
}

/* ARG: an operation, then what it is applied to. */
enum { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MIN, OP_MAX, OP_SQRT, OP_MASK = 7 };
enum { DOUBLE = 8, SCALAR = 16 };

static FloatNum (*const operations[])(FloatEnv *, const FloatFormat *, FloatNum, FloatNum) = {
    [OP_ADD] = float_add, [OP_SUB] = float_sub, [OP_MUL] = float_mul,    [OP_DIV] = float_div,
    [OP_MIN] = minimum,   [OP_MAX] = maximum,   [OP_SQRT] = square_root,
};

static unsigned lanes_of(unsigned arg)
{
    return arg & SCALAR ? 1 : arg & DOUBLE ? 2 : 4;
}

static FloatNum operate(SseFloat *s, unsigned op, bool dbl, FloatNum a, FloatNum b)
{
    return operations[op](&s->env, sse_format(dbl), a, b);
}

static int finish(SseFloat *s, PortableCtx *c, const X86Vec *d)
{
    int vector = sse_end(s, c);

    if (vector < 0) {
        portable_set_vec_reg(c, d);
    }
    return vector;
}

static int arithmetic(PortableCtx *c)
{
    unsigned arg = c->in->entry->arg;
    bool dbl = arg & DOUBLE;
    X86Vec d = portable_get_vec_reg(c), b = portable_get_vec_rm(c);
    SseFloat s;

    sse_begin(&s, c);
    for (unsigned i = 0; i < lanes_of(arg); i++) {
        sse_set_lane(
            &d, i, dbl,
            operate(&s, arg & OP_MASK, dbl, sse_lane(&s, &d, i, dbl), sse_lane(&s, &b, i, dbl)));
    }
    return finish(&s, c, &d);
}

/* ADDSUB: even elements are subtracted. */
static int add_sub(PortableCtx *c)
{
    bool dbl = c->in->entry->arg & DOUBLE;
    X86Vec d = portable_get_vec_reg(c), b = portable_get_vec_rm(c);
    SseFloat s;

    sse_begin(&s, c);
    for (unsigned i = 0; i < lanes_of(c->in->entry->arg); i++) {
        sse_set_lane(&d, i, dbl,
                     operate(&s, i & 1 ? OP_ADD : OP_SUB, dbl, sse_lane(&s, &d, i, dbl),
                             sse_lane(&s, &b, i, dbl)));
    }
    return finish(&s, c, &d);
}

/* HADD, HSUB: pairs of the first operand, then of the second. */
static int horizontal(PortableCtx *c)
{
    unsigned arg = c->in->entry->arg, n = lanes_of(arg);
    bool dbl = arg & DOUBLE;
    X86Vec a = portable_get_vec_reg(c), b = portable_get_vec_rm(c), d = a;
    SseFloat s;

    sse_begin(&s, c);
    for (unsigned i = 0; i < n; i++) {
        const X86Vec *v = i < n / 2 ? &a : &b;
        unsigned at = 2 * i % n;
        sse_set_lane(&d, i, dbl,
                     operate(&s, arg & OP_MASK, dbl, sse_lane(&s, v, at, dbl),
                             sse_lane(&s, v, at + 1, dbl)));
    }
    return finish(&s, c, &d);
}

/* A step of a dot product ends the instruction when it raises an unmasked exception. */
static bool stopped(const SseFloat *s)
{
    return s->env.flags & ~s->env.masked;
}

/* DPPS, DPPD: products chosen by imm[7:4], summed in pairs, stored where imm[3:0] says. */
static int dot_product(PortableCtx *c)
{
    unsigned arg = c->in->entry->arg, n = lanes_of(arg), imm = (uint8_t)c->in->imm;
    bool dbl = arg & DOUBLE;
    X86Vec a = portable_get_vec_reg(c), b = portable_get_vec_rm(c), t = {0}, d;
    SseFloat s;

    sse_begin(&s, c);
    for (unsigned i = 0; i < n; i++) {
        if (imm >> (4 + i) & 1) {
            sse_set_lane(
                &t, i, dbl,
                operate(&s, OP_MUL, dbl, sse_lane(&s, &a, i, dbl), sse_lane(&s, &b, i, dbl)));
        }
    }
    for (unsigned step = 1; step < n && !stopped(&s); step *= 2) {
        for (unsigned i = 0; i < n; i += 2 * step) {
            sse_set_lane(&t, i, dbl,
                         operate(&s, OP_ADD, dbl, sse_lane(&s, &t, i, dbl),
                                 sse_lane(&s, &t, i + step, dbl)));
        }
    }
    for (unsigned i = 0; i < n; i++) {
        FloatNum v = imm >> i & 1 ? sse_lane(&s, &t, 0, dbl) : float_zero(false);
        sse_set_lane(&d, i, dbl, as_result(sse_format(dbl), v));
    }
    return finish(&s, c, &d);
}

/* ---- comparison ---- */

/* CMP: imm[1:0] EQ, LT, LE, UNORD; [2] negates. */
static int compare_mask(PortableCtx *c)
{
    unsigned arg = c->in->entry->arg, predicate = (unsigned)c->in->imm & 7;
    bool dbl = arg & DOUBLE, signal = (predicate & 3) == 1 || (predicate & 3) == 2;
    X86Vec d = portable_get_vec_reg(c), b = portable_get_vec_rm(c);
    SseFloat s;

    sse_begin(&s, c);
    for (unsigned i = 0; i < lanes_of(arg); i++) {
        FloatOrder o =
            float_compare(&s.env, sse_lane(&s, &d, i, dbl), sse_lane(&s, &b, i, dbl), signal);
        const bool met[4] = {o == FLOAT_EQUAL, o == FLOAT_LESS, o == FLOAT_LESS || o == FLOAT_EQUAL,
                             o == FLOAT_UNORDERED};
        uint64_t mask = met[predicate & 3] != (predicate >> 2) ? UINT64_MAX : 0;
        if (dbl) {
            d.q[i] = mask;
        } else {
            d.d[i] = (uint32_t)mask;
        }
    }
    return finish(&s, c, &d);
}

enum { SIGNAL = 32 }; /* ARG: COMIS, not UCOMIS */

static int compare_flags(PortableCtx *c)
{
    static const uint32_t flags[] = {[FLOAT_LESS] = IR_FL_C,
                                     [FLOAT_EQUAL] = IR_FL_Z,
                                     [FLOAT_GREATER] = 0,
                                     [FLOAT_UNORDERED] = IR_FL_Z | IR_FL_P | IR_FL_C};
    unsigned arg = c->in->entry->arg;
    bool dbl = arg & DOUBLE;
    X86Vec a = portable_get_vec_reg(c), b = portable_get_vec_rm(c);
    SseFloat s;

    sse_begin(&s, c);
    FloatOrder o =
        float_compare(&s.env, sse_lane(&s, &a, 0, dbl), sse_lane(&s, &b, 0, dbl), arg & SIGNAL);
    int vector = sse_end(&s, c);
    if (vector < 0) {
        portable_set_flags(c, IR_FL_ALL, flags[o]);
    }
    return vector;
}

/* ---- approximations: relative error at most 1.5 * 2^-12, no exceptions ---- */

/* These deliver the correctly rounded 12 bits. Denormals count as zeros, tiny results become. */
static FloatNum approximate(FloatNum a, bool root)
{
    static const FloatFormat twelve = {12, -126, 127};
    FloatEnv env = {.masked = FLOAT_ALL, .ftz = true};
    FloatNum one = {.kind = FLOAT_FINITE, .sig = 1ull << 63};

    if (float_is_nan(&a)) {
        return float_nan(&env, a, a);
    }
    if (a.kind == FLOAT_ZERO) {
        return float_inf(a.sign);
    }
    if (root) {
        a = float_sqrt(&env, &float_extended, a);
        if (a.kind == FLOAT_NAN) {
            return a;
        }
    }
    return float_div(&env, &twelve, one, a);
}

static int reciprocal(PortableCtx *c)
{
    unsigned arg = c->in->entry->arg;
    X86Vec d = portable_get_vec_reg(c), b = portable_get_vec_rm(c);
    SseFloat s = {.env.daz = true};

    for (unsigned i = 0; i < lanes_of(arg); i++) {
        sse_set_lane(&d, i, false, approximate(sse_lane(&s, &b, i, false), arg & OP_MASK));
    }
    portable_set_vec_reg(c, &d);
    return PORTABLE_OK;
}

/* ---- MXCSR ---- */

static int ldmxcsr(PortableCtx *c)
{
    uint32_t v = (uint32_t)portable_get_rm(c, 4);
    uint32_t mask = c->st->mxcsr_mask ? c->st->mxcsr_mask : 0xffff;

    if (v & ~mask) {
        return EXC_GP;
    }
    c->st->mxcsr = v;
    return PORTABLE_OK;
}

static int stmxcsr(PortableCtx *c)
{
    portable_set_rm(c, 4, c->st->mxcsr);
    return PORTABLE_OK;
}

#define FORMS4(name, fn_, arg_)                                                                    \
    {name "ps", .fn = fn_, .arg = (arg_)}, {name "pd", .fn = fn_, .arg = (arg_) | DOUBLE},         \
        {name "ss", .fn = fn_, .arg = (arg_) | SCALAR},                                            \
    {                                                                                              \
        name "sd", .fn = fn_, .arg = (arg_) | DOUBLE | SCALAR                                      \
    }
#define FORMS2(name, fn_, arg_)                                                                    \
    {name "ps", .fn = fn_, .arg = (arg_)},                                                         \
    {                                                                                              \
        name "pd", .fn = fn_, .arg = (arg_) | DOUBLE                                               \
    }

const PortableEntry portable_sse_float[] = {
    FORMS4("add", arithmetic, OP_ADD),
    FORMS4("sub", arithmetic, OP_SUB),
    FORMS4("mul", arithmetic, OP_MUL),
    FORMS4("div", arithmetic, OP_DIV),
    FORMS4("min", arithmetic, OP_MIN),
    FORMS4("max", arithmetic, OP_MAX),
    FORMS4("sqrt", arithmetic, OP_SQRT),
    FORMS4("cmp", compare_mask, 0),
    FORMS2("addsub", add_sub, 0),
    FORMS2("hadd", horizontal, OP_ADD),
    FORMS2("hsub", horizontal, OP_SUB),
    FORMS2("dp", dot_product, 0),
    {"ucomiss", .fn = compare_flags, .arg = 0},
    {"ucomisd", .fn = compare_flags, .arg = DOUBLE},
    {"comiss", .fn = compare_flags, .arg = SIGNAL},
    {"comisd", .fn = compare_flags, .arg = SIGNAL | DOUBLE},
    {"rcpps", .fn = reciprocal, .arg = 0},
    {"rcpss", .fn = reciprocal, .arg = SCALAR},
    {"rsqrtps", .fn = reciprocal, .arg = 1},
    {"rsqrtss", .fn = reciprocal, .arg = 1 | SCALAR},
    {"ldmxcsr", .fn = ldmxcsr},
    {"stmxcsr", .fn = stmxcsr},
    {0},
};
