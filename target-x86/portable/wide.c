/*
 * Arithmetic and series with 128 bits.
 *
 * Each series is summed until its terms no longer count. Arguments are first brought near 0, where
 * few terms are enough: logarithms to between 1/sqrt(2) and sqrt(2), arctangents below tan(pi/8).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/wide.h"

#define WIDE(high, low) ((u128)(high) << 64 | (low))

const Wide wide_one = {false, 0, WIDE(1ull << 63, 0)};
const Wide wide_ln2 = {false, -1, WIDE(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af)};
const Wide wide_pi = {false, 1, WIDE(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1)};

enum { BITS = 128 };

static Wide normal(bool sign, int exp, u128 sig)
{
    if (!sig) {
        return (Wide){0};
    }
    int shift =
        sig >> 64 ? __builtin_clzll((uint64_t)(sig >> 64)) : 64 + __builtin_clzll((uint64_t)sig);
    return (Wide){sign, exp - shift, sig << shift};
}

Wide wide_from_num(const FloatNum *n)
{
    return n->kind == FLOAT_ZERO ? (Wide){0} : normal(n->sign, n->exp, (u128)n->sig << 64);
}

Wide wide_from_int(int64_t v)
{
    return normal(v < 0, 127, v < 0 ? -(u128)v : (u128)v);
}

FloatNum wide_to_num(FloatEnv *env, Wide a)
{
    return a.sig ? float_round(env, &float_extended, a.sign, a.exp, a.sig | 1) : float_zero(a.sign);
}

Wide wide_add(Wide a, Wide b)
{
    if (!a.sig || !b.sig) {
        return a.sig ? a : b;
    }
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        Wide t = a;
        a = b;
        b = t;
    }
    int shift = a.exp - b.exp;
    u128 y = shift < BITS ? b.sig >> shift : 0;
    if (a.sign != b.sign) {
        return normal(a.sign, a.exp, a.sig - y);
    }
    u128 sum = a.sig + y;
    return sum < y ? (Wide){a.sign, a.exp + 1, sum >> 1 | (u128)1 << 127}
                   : (Wide){a.sign, a.exp, sum};
}

Wide wide_mul(Wide a, Wide b)
{
    uint64_t a1 = (uint64_t)(a.sig >> 64), a0 = (uint64_t)a.sig;
    uint64_t b1 = (uint64_t)(b.sig >> 64), b0 = (uint64_t)b.sig;
    u128 middle = ((u128)a0 * b0 >> 64) + (uint64_t)((u128)a1 * b0) + (uint64_t)((u128)a0 * b1);
    u128 high = (u128)a1 * b1 + ((u128)a1 * b0 >> 64) + ((u128)a0 * b1 >> 64) + (middle >> 64);

    return normal(a.sign != b.sign, a.exp + b.exp + 1, high);
}

Wide wide_div(Wide a, Wide b)
{
    u128 rest = a.sig, q = 0;
    bool carry = false; /* bit 128 of the rest */

    for (int i = 0; i < BITS; i++) {
        q <<= 1;
        if (carry || rest >= b.sig) {
            rest -= b.sig;
            q |= 1;
        }
        carry = rest >> 127;
        rest <<= 1;
    }
    return normal(a.sign != b.sign, a.exp - b.exp, q);
}

static bool counts(Wide term, Wide sum)
{
    return term.sig && term.exp > sum.exp - BITS;
}

/* A first term of the other sign that is too small to count makes the sum smaller all the same. */
static Wide below(Wide sum)
{
    return sum.sig > (u128)1 << 127 ? (Wide){sum.sign, sum.exp, sum.sig - 1}
                                    : (Wide){sum.sign, sum.exp - 1, ~(u128)0};
}

/* Sum of A^k / k!, from TERM = A^(k-1) / (k-1)! on in steps of STEP. */
static Wide factorial_series(Wide factor, Wide term, int k, int step)
{
    Wide sum = term;
    bool sign = term.sign, first = true;

    do {
        for (int i = 0; i < step; i++, k++) {
            term = wide_div(term, wide_from_int(k));
        }
        term = wide_mul(term, factor);
        if (first && !counts(term, sum) && term.sign != sign) {
            return below(sum);
        }
        first = false;
        sum = wide_add(sum, term);
    } while (counts(term, sum));
    return sum;
}

/* Sum of +-A^k / k for odd k. */
static Wide odd_series(Wide a, bool alternate)
{
    Wide square = wide_mul(a, a), power = a, sum = a, term;
    int k = 1;

    square.sign = alternate;
    do {
        power = wide_mul(power, square);
        k += 2;
        term = wide_div(power, wide_from_int(k));
        if (k == 3 && alternate && !counts(term, sum)) {
            return below(sum);
        }
        sum = wide_add(sum, term);
    } while (counts(term, sum));
    return sum;
}

Wide wide_expm1(Wide a)
{
    return factorial_series(a, a, 2, 1);
}

Wide wide_sin(Wide a)
{
    return factorial_series(wide_neg(wide_mul(a, a)), a, 2, 2);
}

Wide wide_cos(Wide a)
{
    return factorial_series(wide_neg(wide_mul(a, a)), wide_one, 1, 2);
}

/* ln((1 + Z) / (1 - Z)) */
static Wide log_quotient(Wide z)
{
    return z.sig ? wide_scale(odd_series(z, false), 1) : z;
}

Wide wide_log(Wide a)
{
    /* sqrt(2) is about B504F3h / 2^23 */
    int exp = a.exp + (a.sig >> 104 >= 0xb504f3);

    a.exp -= exp;
    Wide z = wide_div(wide_sub(a, wide_one), wide_add(a, wide_one));
    return wide_add(log_quotient(z), wide_mul(wide_from_int(exp), wide_ln2));
}

Wide wide_log1p(Wide a)
{
    if (a.exp >= -2) {
        return wide_log(wide_add(wide_one, a));
    }
    return log_quotient(wide_div(a, wide_add(wide_from_int(2), a)));
}

Wide wide_atan2(Wide y, Wide x)
{
    bool steep = y.exp > x.exp || (y.exp == x.exp && y.sig > x.sig);
    bool sign = y.sign, left = x.sign;
    Wide r, angle;

    x.sign = y.sign = false;
    r = steep ? wide_div(x, y) : wide_div(y, x);
    if (r.exp > -2 || (r.exp == -2 && r.sig >> 104 > 0xd413cd)) { /* tan(pi / 8) */
        Wide t = wide_div(wide_sub(r, wide_one), wide_add(r, wide_one));
        angle = wide_scale(wide_pi, -2);
        angle = t.sig ? wide_add(angle, odd_series(t, true)) : angle;
    } else {
        angle = odd_series(r, true);
    }
    angle = steep ? wide_sub(wide_scale(wide_pi, -1), angle) : angle;
    angle = left ? wide_sub(wide_pi, angle) : angle;
    angle.sign = sign;
    return angle;
}
