/*
 * Numbers of 128 significant bits, for the x87's transcendental functions: sums of series whose
 * errors stay far below the 64 bits of a result.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_PORTABLE_WIDE_H
#define TARGET_X86_PORTABLE_WIDE_H

#include "target-x86/portable/float.h"

/* sign * sig / 2^127 * 2^exp; SIG has bit 127 set, or is 0 for zero. */
typedef struct Wide {
    bool sign;
    int exp;
    u128 sig;
} Wide;

extern const Wide wide_one, wide_ln2, wide_pi;

Wide wide_from_num(const FloatNum *n); /* finite or zero */
Wide wide_from_int(int64_t v);
/* Rounded to the x87's format, as an inexact result. */
FloatNum wide_to_num(FloatEnv *env, Wide a);
/* These truncate. */
Wide wide_add(Wide a, Wide b);
Wide wide_mul(Wide a, Wide b);
Wide wide_div(Wide a, Wide b); /* B not zero */

static inline Wide wide_neg(Wide a)
{
    a.sign = !a.sign;
    return a;
}
static inline Wide wide_sub(Wide a, Wide b)
{
    return wide_add(a, wide_neg(b));
}
static inline Wide wide_scale(Wide a, int by)
{
    a.exp += by;
    return a;
}

Wide wide_expm1(Wide a);         /* e^A - 1, |A| < 1 */
Wide wide_log(Wide a);           /* ln A, A > 0 */
Wide wide_log1p(Wide a);         /* ln (1 + A), A > -1 */
Wide wide_atan2(Wide y, Wide x); /* the angle of (X, Y), both not zero */
Wide wide_sin(Wide a);           /* |A| < 1 */
Wide wide_cos(Wide a);

#endif
