/*
 * x87: remainders by long division, a quotient bit for each binary place (SDM 2 "FPREM").
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/x87_functions.h"

/* REST modulo DIVISOR << PLACES; the quotient. */
static uint64_t divide(u128 *rest, u128 divisor, int places)
{
    uint64_t q = 0;

    for (int i = places; i >= 0; i--) {
        q <<= 1;
        if (*rest >= divisor) {
            *rest -= divisor;
            q |= 1;
        }
        *rest <<= i > 0;
    }
    return q;
}

static FloatNum result(X87 *x, bool sign, int exp, u128 rest)
{
    return rest ? float_round(&x->env, &float_extended, sign, exp, rest << 64) : float_zero(sign);
}

FloatNum x87_remainder(X87 *x, FloatNum a, FloatNum b, bool nearest, uint64_t *quotient)
{
    int places = a.exp - b.exp, unit = b.exp;
    u128 rest = a.sig, divisor = b.sig;
    bool sign = a.sign;

    *quotient = 0;
    if (places < -1) {
        return result(x, sign, a.exp, rest);
    }
    if (places < 0) { /* more than half of the divisor rounds up */
        divisor <<= 1;
        unit = a.exp;
        places = 0;
    }
    *quotient = divide(&rest, divisor, places);
    if (nearest && (2 * rest > divisor || (2 * rest == divisor && (*quotient & 1)))) {
        rest = divisor - rest;
        sign = !sign;
        ++*quotient;
    }
    return rest ? result(x, sign, unit, rest) : float_zero(a.sign);
}

FloatNum x87_remainder_step(X87 *x, FloatNum a, FloatNum b)
{
    enum { STEP = 63 }; /* SDM: between 32 and 63 */
    u128 rest = a.sig;

    divide(&rest, b.sig, STEP);
    return result(x, a.sign, a.exp - STEP, rest);
}
