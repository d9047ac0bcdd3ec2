/*
 * x87: transcendental functions (SDM 1 8.3.7 to 8.3.10; special operands: the tables in SDM 2).
 *
 * Values come from series in 128 bits (wide.c), so that results are within 0.51 units of the last
 * place; processors promise one. Angles are reduced with the processors' own value of pi, of 66
 * bits (SDM 1 8.3.8).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/x87_functions.h"
#include "target-x86/portable/wide.h"

static FloatNum invalid(X87 *x)
{
    x->env.flags |= FLOAT_I;
    return float_indefinite();
}

static FloatNum one(bool sign)
{
    return (FloatNum){.kind = FLOAT_FINITE, .sign = sign, .sig = 1ull << 63};
}

static bool is_power_of_two(const FloatNum *a)
{
    return a->kind == FLOAT_FINITE && a->sig == 1ull << 63;
}

/* ---- 2^x - 1 ---- */

static FloatNum exp2m1(X87 *x, FloatNum a)
{
    float_denormals(&x->env, &a, &a);
    if (a.kind == FLOAT_ZERO) {
        return a;
    }
    if (a.kind == FLOAT_INF) {
        return a.sign ? one(true) : a;
    }
    if (a.exp >= 0) { /* beyond 1 the result is undefined */
        FloatNum r = one(a.sign);
        r.exp = a.sign ? -1 : 0;
        return r;
    }
    return wide_to_num(&x->env, wide_expm1(wide_mul(wide_from_num(&a), wide_ln2)));
}

void x87_f2xm1(X87 *x)
{
    FloatNum a = x87_get(x, 0);

    if (!x87_missing(x, 1, 0, 0)) {
        x87_deliver(x, 0, float_is_nan(&a) ? float_nan(&x->env, a, a) : exp2m1(x, a), 0);
    }
}

/* ---- logarithms ---- */

/* y * log for operands of which one is infinite or zero; LOG's kind and sign are known. */
static FloatNum log_product(X87 *x, FloatNum y, FloatKind log, bool log_sign)
{
    bool sign = y.sign != log_sign;

    if ((y.kind == FLOAT_INF && log == FLOAT_ZERO) || (y.kind == FLOAT_ZERO && log == FLOAT_INF)) {
        return invalid(x);
    }
    return y.kind == FLOAT_INF || log == FLOAT_INF ? float_inf(sign) : float_zero(sign);
}

static FloatNum log2_times(X87 *x, FloatNum a, FloatNum y)
{
    if (a.sign && a.kind != FLOAT_ZERO) {
        return invalid(x);
    }
    if (a.kind == FLOAT_ZERO) {
        if (y.kind == FLOAT_FINITE) {
            x->env.flags |= FLOAT_Z;
        }
        return log_product(x, y, FLOAT_INF, true);
    }
    bool below = a.kind == FLOAT_FINITE && a.exp < 0, is_one = is_power_of_two(&a) && !a.exp;
    if (a.kind == FLOAT_INF || y.kind != FLOAT_FINITE || is_one) {
        FloatKind log = a.kind == FLOAT_INF ? FLOAT_INF : is_one ? FLOAT_ZERO : FLOAT_FINITE;
        FloatNum r = log_product(x, y, log, below);
        if (!(x->env.flags & FLOAT_I)) {
            float_denormals(&x->env, &a, &y);
        }
        return r;
    }
    if (is_power_of_two(&a)) {
        FloatEnv exact = {.masked = FLOAT_ALL};
        FloatNum log = float_from_int(&exact, &float_extended, a.exp);
        float_denormals(&x->env, &a, &a);
        return float_mul(&x->env, &float_extended, y, log);
    }
    float_denormals(&x->env, &a, &y);
    Wide log = wide_div(wide_log(wide_from_num(&a)), wide_ln2);
    return wide_to_num(&x->env, wide_mul(wide_from_num(&y), log));
}

/* Operands beyond sqrt(2) and so have undefined results: they are computed where there is one. */
static FloatNum log2p1_times(X87 *x, FloatNum a, FloatNum y)
{
    if (a.kind == FLOAT_FINITE && a.sign && a.exp >= 0) {
        return invalid(x);
    }
    if (a.kind == FLOAT_INF && a.sign) {
        return invalid(x);
    }
    if (a.kind != FLOAT_FINITE || y.kind != FLOAT_FINITE) {
        FloatNum r = log_product(x, y, a.kind, a.sign);
        if (!(x->env.flags & FLOAT_I)) {
            float_denormals(&x->env, &a, &y);
        }
        return r;
    }
    float_denormals(&x->env, &a, &y);
    Wide log = wide_div(wide_log1p(wide_from_num(&a)), wide_ln2);
    return wide_to_num(&x->env, wide_mul(wide_from_num(&y), log));
}

/* Operands in ST(0) and ST(1), the result replaces both. */
static void binary(X87 *x, FloatNum (*function)(X87 *, FloatNum, FloatNum))
{
    FloatNum a = x87_get(x, 0), y = x87_get(x, 1);

    if (!x87_missing(x, 2, 1, 1)) {
        bool nan = float_is_nan(&a) || float_is_nan(&y);
        x87_deliver(x, 1, nan ? float_nan(&x->env, a, y) : function(x, a, y), 1);
    }
}

void x87_fyl2x(X87 *x)
{
    binary(x, log2_times);
}

void x87_fyl2xp1(X87 *x)
{
    binary(x, log2p1_times);
}

/* ---- the arctangent of y / x ---- */

static FloatNum quarter_turns(X87 *x, int quarters, bool sign)
{
    Wide v = wide_mul(wide_scale(wide_pi, -2), wide_from_int(quarters));

    v.sign = sign;
    return wide_to_num(&x->env, v);
}

static FloatNum arctangent(X87 *x, FloatNum a, FloatNum y)
{
    float_denormals(&x->env, &a, &y);
    if (y.kind == FLOAT_INF) {
        return quarter_turns(x, a.kind != FLOAT_INF ? 2 : a.sign ? 3 : 1, y.sign);
    }
    if (y.kind == FLOAT_ZERO || a.kind == FLOAT_INF) {
        return a.sign ? quarter_turns(x, 4, y.sign) : float_zero(y.sign);
    }
    if (a.kind == FLOAT_ZERO) {
        return quarter_turns(x, 2, y.sign);
    }
    return wide_to_num(&x->env, wide_atan2(wide_from_num(&y), wide_from_num(&a)));
}

void x87_fpatan(X87 *x)
{
    binary(x, arctangent);
}

/* ---- sine, cosine, tangent ---- */

typedef struct Angle {
    Wide rest; /* within an eighth turn of 0 */
    unsigned quarter;
    bool sign; /* of the angle, taken out of REST and QUARTER */
} Angle;

/* Pi / 2 in units of 2^-67. */
#define HALF_PI ((u128)0xc << 64 | 0x90fdaa22168c234c)

static Angle reduce(const FloatNum *a)
{
    Angle r = {.sign = a->sign};
    u128 rest = (u128)a->sig << (a->exp < 0 ? 3 : 4);
    uint64_t q = 0;

    if (a->exp < -1) {
        r.rest = wide_from_num(a);
        r.rest.sign = false;
        return r;
    }
    for (int i = a->exp < 0 ? 0 : a->exp; i >= 0; i--) {
        q <<= 1;
        if (rest >= HALF_PI) {
            rest -= HALF_PI;
            q |= 1;
        }
        rest <<= i > 0;
    }
    bool beyond = 2 * rest > HALF_PI;
    rest = beyond ? HALF_PI - rest : rest;
    r.quarter = (unsigned)(q + beyond) & 3;
    if (rest) {
        int shift = rest >> 64 ? __builtin_clzll((uint64_t)(rest >> 64))
                               : 64 + __builtin_clzll((uint64_t)rest);
        r.rest = (Wide){beyond, 60 - shift, rest << shift};
    }
    return r;
}

static Wide sine(const Angle *a)
{
    Wide v = a->quarter & 1 ? wide_cos(a->rest) : wide_sin(a->rest);

    v.sign ^= (a->quarter >> 1 & 1) != a->sign;
    return v;
}

static Wide cosine(const Angle *a)
{
    Wide v = a->quarter & 1 ? wide_sin(a->rest) : wide_cos(a->rest);

    v.sign ^= a->quarter == 1 || a->quarter == 2;
    return v;
}

enum { SINE, COSINE, TANGENT };

static FloatNum circular(X87 *x, FloatNum a, int what)
{
    if (float_is_nan(&a)) {
        return float_nan(&x->env, a, a);
    }
    if (a.kind == FLOAT_INF) {
        return invalid(x);
    }
    if (a.kind == FLOAT_ZERO) {
        return what == COSINE ? one(false) : a;
    }
    float_denormals(&x->env, &a, &a);
    Angle angle = reduce(&a);
    switch (what) {
    case SINE:
        return wide_to_num(&x->env, sine(&angle));
    case COSINE:
        return wide_to_num(&x->env, cosine(&angle));
    default:
        return wide_to_num(&x->env, wide_div(sine(&angle), cosine(&angle)));
    }
}

/* C2 tells of an operand that is 2^63 or more; it stays as it is. */
static bool out_of_range(X87 *x, const FloatNum *a)
{
    bool out = a->kind == FLOAT_FINITE && a->exp >= 63;

    x->st->fsw |= out ? FSW_C2 : 0;
    return out;
}

static void circular_one(X87 *x, int what)
{
    FloatNum a = x87_get(x, 0);

    x->st->fsw &= (uint16_t)~FSW_C2;
    if (x87_missing(x, 1, 0, 0)) {
        return;
    }
    if (out_of_range(x, &a)) {
        x87_end(x);
        return;
    }
    x87_deliver(x, 0, circular(x, a, what), 0);
}

/* Two results: one in place of the operand, the other pushed. */
static void circular_two(X87 *x, int what)
{
    FloatNum a = x87_get(x, 0), first, second = one(false);

    x->st->fsw &= (uint16_t)~FSW_C2;
    if (x87_empty(x, 0) || !x87_empty(x, 7)) {
        if (x87_empty(x, 0) ? x87_underflow(x) : x87_overflow(x)) {
            x87_set(x, 0, float_indefinite());
            x87_push(x, float_pack80(float_indefinite()));
        }
        return;
    }
    if (out_of_range(x, &a)) {
        x87_end(x);
        return;
    }
    first = circular(x, a, what);
    if (what == SINE) {
        second = circular(x, a, COSINE);
    } else if (float_is_nan(&first)) {
        second = first;
    }
    if (x87_end(x)) {
        x87_set(x, 0, first);
        x87_push(x, float_pack80(second));
    }
}

void x87_fsin(X87 *x)
{
    circular_one(x, SINE);
}

void x87_fcos(X87 *x)
{
    circular_one(x, COSINE);
}

void x87_fptan(X87 *x)
{
    circular_two(x, TANGENT);
}

void x87_fsincos(X87 *x)
{
    circular_two(x, SINE);
}
