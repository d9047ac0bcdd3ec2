/*
 * IEEE 754 arithmetic in integers (SDM 1 chapter 4; SDM 1 4.9 for exceptions and their priority).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/float.h"

const FloatFormat float_single = {24, -126, 127};
const FloatFormat float_double = {53, -1022, 1023};
const FloatFormat float_extended = {64, -16382, 16383};

enum { BIAS32 = 127, BIAS64 = 1023, BIAS80 = 16383 };
#define TOP      (1ull << 63)
#define WIDE_TOP ((u128)TOP << 64)

/* ---- unpacking and packing ---- */

/* FRACTION is left-justified below bit 63. */
static FloatNum unpack(bool sign, int biased, int max, int bias, uint64_t fraction, bool daz)
{
    FloatNum n = {.kind = FLOAT_FINITE, .sign = sign, .exp = biased - bias, .sig = fraction | TOP};

    if (biased == max) {
        n.kind = fraction ? FLOAT_NAN : FLOAT_INF;
    } else if (!biased && (!fraction || daz)) {
        return float_zero(sign);
    } else if (!biased) {
        int shift = __builtin_clzll(fraction);
        n.denormal = true;
        n.exp = 1 - bias - shift;
        n.sig = fraction << shift;
    }
    return n;
}

FloatNum float_unpack32(const FloatEnv *env, uint32_t v)
{
    return unpack(v >> 31, v >> 23 & 0xff, 0xff, BIAS32, (uint64_t)(v & 0x7fffff) << 40, env->daz);
}

FloatNum float_unpack64(const FloatEnv *env, uint64_t v)
{
    return unpack(v >> 63, v >> 52 & 0x7ff, 0x7ff, BIAS64, (v & ((1ull << 52) - 1)) << 11,
                  env->daz);
}

FloatNum float_unpack80(X86Reg80 v)
{
    bool sign = v.exp >> 15;
    int biased = v.exp & 0x7fff;

    if (biased && !(v.sig & TOP)) { /* unnormal, pseudo-infinity, pseudo-NaN */
        return (FloatNum){.kind = FLOAT_UNSUPPORTED, .sign = sign};
    }
    if (!biased && (v.sig & TOP)) { /* pseudo-denormal: has the value of exponent 1 */
        return (FloatNum){
            .kind = FLOAT_FINITE, .sign = sign, .denormal = true, .exp = 1 - BIAS80, .sig = v.sig};
    }
    return unpack(sign, biased, 0x7fff, BIAS80, v.sig & ~TOP, false);
}

uint32_t float_pack32(FloatNum n)
{
    uint32_t biased = n.kind >= FLOAT_INF ? 0xff : n.sig >> 63 ? (uint32_t)(n.exp + BIAS32) : 0;
    uint32_t fraction = n.kind == FLOAT_INF || n.kind == FLOAT_ZERO ? 0 : n.sig >> 40 & 0x7fffff;

    return (uint32_t)n.sign << 31 | (n.kind == FLOAT_ZERO ? 0 : biased << 23) | fraction;
}

uint64_t float_pack64(FloatNum n)
{
    uint64_t biased = n.kind >= FLOAT_INF ? 0x7ff : n.sig >> 63 ? (uint64_t)(n.exp + BIAS64) : 0;
    uint64_t fraction =
        n.kind == FLOAT_INF || n.kind == FLOAT_ZERO ? 0 : n.sig >> 11 & ((1ull << 52) - 1);

    return (uint64_t)n.sign << 63 | (n.kind == FLOAT_ZERO ? 0 : biased << 52) | fraction;
}

X86Reg80 float_pack80(FloatNum n)
{
    uint16_t sign = (uint16_t)(n.sign << 15);

    switch (n.kind) {
    case FLOAT_ZERO:
        return (X86Reg80){0, sign};
    case FLOAT_FINITE:
        return (X86Reg80){n.sig, sign | (n.sig & TOP ? (uint16_t)(n.exp + BIAS80) : 0)};
    case FLOAT_INF:
        return (X86Reg80){TOP, sign | 0x7fff};
    default:
        return (X86Reg80){n.sig | TOP, sign | 0x7fff};
    }
}

/* ---- rounding ---- */

static u128 shift_right_sticky(u128 v, int n)
{
    return n <= 0 ? v : n >= 128 ? (v != 0) : v >> n | ((v & (((u128)1 << n) - 1)) != 0);
}

static int clz128(u128 v)
{
    return v >> 64 ? __builtin_clzll((uint64_t)(v >> 64)) : 64 + __builtin_clzll((uint64_t)v);
}

/* Rounds SIG to its upper PRECISION bits; true if that carried out of bit 127 (the result is then
 * WIDE_TOP). */
static bool round_sig(unsigned rounding, bool sign, int precision, u128 *sig, bool *inexact,
                      bool *up)
{
    u128 unit = (u128)1 << (128 - precision), rest = *sig & (unit - 1);

    *sig -= rest;
    *inexact = rest;
    switch (rounding) {
    case ROUND_NEAREST:
        *up = rest > unit / 2 || (rest == unit / 2 && (*sig & unit));
        break;
    case ROUND_DOWN:
        *up = rest && sign;
        break;
    case ROUND_UP:
        *up = rest && !sign;
        break;
    default:
        *up = false;
        break;
    }
    if (*up) {
        *sig += unit;
        if (*sig == 0) {
            *sig = WIDE_TOP;
            return true;
        }
    }
    return false;
}

static FloatNum overflow(FloatEnv *env, const FloatFormat *f, bool sign)
{
    bool to_inf = env->rounding == ROUND_NEAREST || (env->rounding == ROUND_DOWN && sign) ||
                  (env->rounding == ROUND_UP && !sign);

    env->flags |= FLOAT_P;
    env->up = to_inf;
    if (to_inf) {
        return float_inf(sign);
    }
    return (FloatNum){.kind = FLOAT_FINITE,
                      .sign = sign,
                      .exp = f->emax,
                      .sig = UINT64_MAX << (64 - f->precision)};
}

/* What is still out of range after the x87's adjustment. */
static FloatNum massive(FloatEnv *env, const FloatFormat *f, bool sign, int exp)
{
    env->flags |= FLOAT_P;
    env->up = exp > f->emax;
    return exp > f->emax ? float_inf(sign) : float_zero(sign);
}

/* The x87's exponent adjustment of unmasked overflow and underflow (SDM 1 8.5.4, 8.5.5). */
enum { X87_ADJUST = 24576 };

FloatNum float_round(FloatEnv *env, const FloatFormat *f, bool sign, int exp, u128 sig)
{
    int shift = clz128(sig);
    bool inexact, up;

    sig <<= shift;
    exp -= shift;
    u128 rounded = sig;
    int rounded_exp = exp + round_sig(env->rounding, sign, f->precision, &rounded, &inexact, &up);
    if (rounded_exp > f->emax) {
        env->flags |= FLOAT_O;
        if (env->masked & FLOAT_O) {
            return overflow(env, f, sign);
        }
        rounded_exp -= env->x87 ? X87_ADJUST : 0;
    } else if (rounded_exp < f->emin) { /* tiny, by the rounded result */
        if (!(env->masked & FLOAT_U)) {
            env->flags |= FLOAT_U;
            rounded_exp += env->x87 ? X87_ADJUST : 0;
        } else if (env->ftz) {
            env->flags |= FLOAT_U | FLOAT_P;
            return float_zero(sign);
        } else {
            rounded = shift_right_sticky(sig, f->emin - exp);
            rounded_exp = f->emin;
            round_sig(env->rounding, sign, f->precision, &rounded, &inexact, &up);
            env->flags |= inexact ? FLOAT_U : 0;
        }
    }
    if (env->x87 && (rounded_exp > f->emax || rounded_exp < f->emin)) {
        return massive(env, f, sign, rounded_exp);
    }
    env->flags |= inexact ? FLOAT_P : 0;
    env->up = up;
    return (FloatNum){.kind = rounded ? FLOAT_FINITE : FLOAT_ZERO,
                      .sign = sign,
                      .exp = rounded_exp,
                      .sig = (uint64_t)(rounded >> 64)};
}

/* ---- NaNs and denormals ---- */

static FloatNum invalid(FloatEnv *env)
{
    env->flags |= FLOAT_I;
    return float_indefinite();
}

/* SDM 1 table 4-7. */
FloatNum float_nan(FloatEnv *env, FloatNum a, FloatNum b)
{
    FloatNum r;

    if (a.kind == FLOAT_UNSUPPORTED || b.kind == FLOAT_UNSUPPORTED) {
        return invalid(env);
    }
    if (float_is_snan(&a) || float_is_snan(&b)) {
        env->flags |= FLOAT_I;
    }
    if (a.kind != FLOAT_NAN || b.kind != FLOAT_NAN || !env->x87) {
        r = a.kind == FLOAT_NAN ? a : b;
    } else if (float_is_snan(&a) != float_is_snan(&b)) {
        r = float_is_snan(&a) ? b : a;
    } else if (a.sig != b.sig) {
        r = a.sig > b.sig ? a : b;
    } else {
        r = a.sign ? b : a;
    }
    r.sig |= 1ull << 62;
    return r;
}

void float_denormals(FloatEnv *env, const FloatNum *a, const FloatNum *b)
{
    env->flags |= a->denormal || b->denormal ? FLOAT_D : 0;
}

FloatNum float_convert(FloatEnv *env, const FloatFormat *f, FloatNum a)
{
    if (float_is_nan(&a)) {
        return float_nan(env, a, a);
    }
    float_denormals(env, &a, &a);
    return a.kind == FLOAT_FINITE ? float_round(env, f, a.sign, a.exp, (u128)a.sig << 64) : a;
}

/* ---- arithmetic ---- */

static FloatNum add_magnitudes(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    /* a bit of room for the carry; the smaller one's lost bits stay visible as a sticky bit */
    u128 x = (u128)a.sig << 63, y = shift_right_sticky((u128)b.sig << 63, a.exp - b.exp);

    return float_round(env, f, a.sign, a.exp + 1, x + y);
}

static FloatNum sub_magnitudes(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    u128 x = (u128)a.sig << 63, y = shift_right_sticky((u128)b.sig << 63, a.exp - b.exp);

    if (x == y) {
        return float_zero(env->rounding == ROUND_DOWN);
    }
    return float_round(env, f, a.sign, a.exp + 1, x - y);
}

FloatNum float_add(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    if (float_is_nan(&a) || float_is_nan(&b)) {
        return float_nan(env, a, b);
    }
    if (a.kind == FLOAT_INF && b.kind == FLOAT_INF && a.sign != b.sign) {
        return invalid(env);
    }
    float_denormals(env, &a, &b);
    if (a.kind == FLOAT_INF || b.kind == FLOAT_INF) {
        return float_inf(a.kind == FLOAT_INF ? a.sign : b.sign);
    }
    if (a.kind == FLOAT_ZERO && b.kind == FLOAT_ZERO) {
        return float_zero(a.sign == b.sign ? a.sign : env->rounding == ROUND_DOWN);
    }
    if (a.kind == FLOAT_ZERO || b.kind == FLOAT_ZERO) {
        FloatNum r = a.kind == FLOAT_ZERO ? b : a;
        return float_round(env, f, r.sign, r.exp, (u128)r.sig << 64);
    }
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        FloatNum t = a;
        a = b;
        b = t;
    }
    return a.sign == b.sign ? add_magnitudes(env, f, a, b) : sub_magnitudes(env, f, a, b);
}

FloatNum float_sub(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    b.sign ^= !float_is_nan(&b); /* a NaN keeps its sign */
    return float_add(env, f, a, b);
}

FloatNum float_mul(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    bool sign = a.sign != b.sign;

    if (float_is_nan(&a) || float_is_nan(&b)) {
        return float_nan(env, a, b);
    }
    if ((a.kind == FLOAT_INF && b.kind == FLOAT_ZERO) ||
        (a.kind == FLOAT_ZERO && b.kind == FLOAT_INF)) {
        return invalid(env);
    }
    float_denormals(env, &a, &b);
    if (a.kind == FLOAT_INF || b.kind == FLOAT_INF) {
        return float_inf(sign);
    }
    if (a.kind == FLOAT_ZERO || b.kind == FLOAT_ZERO) {
        return float_zero(sign);
    }
    return float_round(env, f, sign, a.exp + b.exp + 1, (u128)a.sig * b.sig);
}

FloatNum float_div(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b)
{
    bool sign = a.sign != b.sign;

    if (float_is_nan(&a) || float_is_nan(&b)) {
        return float_nan(env, a, b);
    }
    if (a.kind == b.kind && (a.kind == FLOAT_INF || a.kind == FLOAT_ZERO)) {
        return invalid(env);
    }
    if (b.kind == FLOAT_ZERO && a.kind == FLOAT_FINITE) {
        env->flags |= FLOAT_Z;
        return float_inf(sign);
    }
    float_denormals(env, &a, &b);
    if (a.kind == FLOAT_INF || b.kind == FLOAT_ZERO) {
        return float_inf(sign);
    }
    if (a.kind == FLOAT_ZERO || b.kind == FLOAT_INF) {
        return float_zero(sign);
    }
    /* 64 bits of quotient, 62 or 63 more from the remainder, and a sticky bit */
    u128 high = ((u128)a.sig << 63) / b.sig, rest = ((u128)a.sig << 63) % b.sig;
    u128 low = (rest << 63) / b.sig;
    bool more = (rest << 63) % b.sig;
    return float_round(env, f, sign, a.exp - b.exp + 1, high << 63 | low | more);
}

uint64_t float_isqrt(u128 v, bool *exact)
{
    u128 root = 0;

    for (int bit = 63; bit >= 0; bit--) {
        u128 t = root | (u128)1 << bit;
        root = t * t <= v ? t : root;
    }
    *exact = root * root == v;
    return (uint64_t)root;
}

FloatNum float_sqrt(FloatEnv *env, const FloatFormat *f, FloatNum a)
{
    bool exact;

    if (float_is_nan(&a)) {
        return float_nan(env, a, a);
    }
    if (a.sign && a.kind != FLOAT_ZERO) {
        return invalid(env);
    }
    float_denormals(env, &a, &a);
    if (a.kind != FLOAT_FINITE) {
        return a;
    }
    /* an even exponent; the root's 64 bits, and a half below it: a root is never a midpoint */
    bool odd = a.exp & 1;
    u128 v = (u128)a.sig << (odd ? 64 : 63);
    uint64_t root = float_isqrt(v, &exact);
    u128 rest = v - (u128)root * root;
    u128 sig = (u128)root << 64 | (rest > root ? TOP : 0) | !exact;
    return float_round(env, f, false, (a.exp - odd) / 2, sig);
}

/* ---- integers and comparison ---- */

/* The magnitude as an integer, rounded; exponents up to 64. */
static u128 to_integer(FloatEnv *env, const FloatNum *a)
{
    bool inexact, up;

    if (a->kind == FLOAT_ZERO) {
        env->up = false;
        return 0;
    }
    /* bit 64 of the shifted value is the unit */
    u128 v = shift_right_sticky((u128)a->sig << 64, 63 - a->exp);
    round_sig(env->rounding, a->sign, 64, &v, &inexact, &up);
    env->flags |= inexact ? FLOAT_P : 0;
    env->up = up;
    return v >> 64;
}

int64_t float_to_int(FloatEnv *env, FloatNum a, unsigned bits)
{
    uint64_t limit = 1ull << (bits - 1);

    if (a.kind < FLOAT_INF && (a.kind == FLOAT_ZERO || a.exp < 64)) {
        FloatEnv trial = *env;
        u128 v = to_integer(&trial, &a);
        if (v < (u128)limit + a.sign) {
            *env = trial;
            return (int64_t)(a.sign ? -(uint64_t)v : (uint64_t)v);
        }
    }
    env->flags |= FLOAT_I;
    env->up = false;
    return (int64_t)-limit;
}

FloatNum float_from_int(FloatEnv *env, const FloatFormat *f, int64_t v)
{
    if (!v) {
        return float_zero(false);
    }
    return float_round(env, f, v < 0, 63, (u128)(v < 0 ? -(uint64_t)v : (uint64_t)v) << 64);
}

FloatNum float_round_int(FloatEnv *env, const FloatFormat *f, FloatNum a)
{
    if (float_is_nan(&a)) {
        return float_nan(env, a, a);
    }
    if (a.kind != FLOAT_FINITE || a.exp >= f->precision - 1) {
        return a;
    }
    u128 v = to_integer(env, &a);
    if (!v) {
        return float_zero(a.sign);
    }
    int shift = clz128(v);
    return (FloatNum){.kind = FLOAT_FINITE,
                      .sign = a.sign,
                      .exp = 127 - shift,
                      .sig = (uint64_t)(v << shift >> 64)};
}

static FloatOrder order_magnitudes(const FloatNum *a, const FloatNum *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? FLOAT_LESS : FLOAT_GREATER;
    }
    if (a->kind != FLOAT_FINITE || (a->exp == b->exp && a->sig == b->sig)) {
        return FLOAT_EQUAL;
    }
    return a->exp < b->exp || (a->exp == b->exp && a->sig < b->sig) ? FLOAT_LESS : FLOAT_GREATER;
}

FloatOrder float_compare(FloatEnv *env, FloatNum a, FloatNum b, bool signal)
{
    if (float_is_nan(&a) || float_is_nan(&b)) {
        bool snan = float_is_snan(&a) || float_is_snan(&b) || a.kind == FLOAT_UNSUPPORTED ||
                    b.kind == FLOAT_UNSUPPORTED;
        env->flags |= snan || signal ? FLOAT_I : 0;
        return FLOAT_UNORDERED;
    }
    float_denormals(env, &a, &b);
    if (a.kind == FLOAT_ZERO && b.kind == FLOAT_ZERO) {
        return FLOAT_EQUAL;
    }
    if (a.sign != b.sign) {
        return a.sign ? FLOAT_LESS : FLOAT_GREATER;
    }
    FloatOrder o = order_magnitudes(&a, &b);
    return o == FLOAT_EQUAL ? o : (o == FLOAT_LESS) != a.sign ? FLOAT_LESS : FLOAT_GREATER;
}
