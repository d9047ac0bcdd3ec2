/*
 * IEEE 754 arithmetic in integers, for the portable expansions: single, double and the x87's
 * extended precision, with rounding modes, flags and the responses of SSE and x87.
 *
 * A number is unpacked (FloatNum), operated on, and packed again. Flags have the positions that
 * they have in both MXCSR and FSW. Arithmetic goes through one rounding function: exact results of
 * up to 128 bits, the last of them standing for all that follow. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TARGET_X86_PORTABLE_FLOAT_H
#define TARGET_X86_PORTABLE_FLOAT_H

#include <stdbool.h>
#include <stdint.h>

#include "target-x86/portable/portable.h"

typedef unsigned __int128 u128;

enum { FLOAT_I = 1, FLOAT_D = 2, FLOAT_Z = 4, FLOAT_O = 8, FLOAT_U = 16, FLOAT_P = 32 };
enum { FLOAT_PRE = FLOAT_I | FLOAT_D | FLOAT_Z, FLOAT_ALL = 63 };
enum { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO };

typedef enum FloatKind {
    FLOAT_ZERO,
    FLOAT_FINITE,
    FLOAT_INF,
    FLOAT_NAN,
    FLOAT_UNSUPPORTED, /* x87 encodings that are no numbers */
} FloatKind;

typedef struct FloatNum {
    FloatKind kind;
    bool sign;
    bool denormal; /* as an operand: its encoding is a denormal's */
    int32_t exp;   /* value = sig / 2^63 * 2^exp */
    uint64_t sig;  /* FINITE: bit 63 set, but in denormal results; NAN: bit 62 is the quiet bit */
} FloatNum;

typedef struct FloatFormat {
    int precision;  /* bits of the significand, with the leading one */
    int emin, emax; /* exponents of normal numbers */
} FloatFormat;

extern const FloatFormat float_single, float_double, float_extended;

typedef struct FloatEnv {
    unsigned rounding; /* ROUND_* */
    unsigned masked;   /* FLOAT_* whose exceptions are masked */
    unsigned flags;    /* out: raised, accumulated */
    bool daz, ftz;
    bool x87; /* its rules for NaNs, and scaled results of unmasked overflow and underflow */
    bool up;  /* out: the last rounding increased the magnitude */
} FloatEnv;

FloatNum float_unpack32(const FloatEnv *env, uint32_t v);
FloatNum float_unpack64(const FloatEnv *env, uint64_t v);
FloatNum float_unpack80(X86Reg80 v);
/* Of what the functions below returned for that format. */
uint32_t float_pack32(FloatNum v);
uint64_t float_pack64(FloatNum v);
X86Reg80 float_pack80(FloatNum v);

static inline FloatNum float_zero(bool sign)
{
    return (FloatNum){.kind = FLOAT_ZERO, .sign = sign};
}
static inline FloatNum float_inf(bool sign)
{
    return (FloatNum){.kind = FLOAT_INF, .sign = sign};
}
/* The default NaN ("real indefinite"). */
static inline FloatNum float_indefinite(void)
{
    return (FloatNum){.kind = FLOAT_NAN, .sign = true, .sig = 3ull << 62};
}
static inline bool float_is_snan(const FloatNum *a)
{
    return a->kind == FLOAT_NAN && !(a->sig >> 62 & 1);
}
static inline bool float_is_nan(const FloatNum *a)
{
    return a->kind >= FLOAT_NAN;
}

/* Rounds sign * sig / 2^127 * 2^exp to the format; SIG not 0, need not be normalized. */
FloatNum float_round(FloatEnv *env, const FloatFormat *f, bool sign, int exp, u128 sig);
/* To another format (and precision): SNaNs are quieted and denormals flagged. */
FloatNum float_convert(FloatEnv *env, const FloatFormat *f, FloatNum a);
FloatNum float_add(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b);
FloatNum float_sub(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b);
FloatNum float_mul(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b);
FloatNum float_div(FloatEnv *env, const FloatFormat *f, FloatNum a, FloatNum b);
FloatNum float_sqrt(FloatEnv *env, const FloatFormat *f, FloatNum a);
/* To an integer in the format; flags I and P. */
FloatNum float_round_int(FloatEnv *env, const FloatFormat *f, FloatNum a);
/* NaN result of an operation with at least one NaN or unsupported operand, and I for SNaNs. */
FloatNum float_nan(FloatEnv *env, FloatNum a, FloatNum b);
/* Flags D for denormal operands. */
void float_denormals(FloatEnv *env, const FloatNum *a, const FloatNum *b);

typedef enum FloatOrder { FLOAT_LESS, FLOAT_EQUAL, FLOAT_GREATER, FLOAT_UNORDERED } FloatOrder;
/* I for SNaNs, and for QNaNs if SIGNAL; D. */
FloatOrder float_compare(FloatEnv *env, FloatNum a, FloatNum b, bool signal);

/* A signed integer of BITS bits; I and the most negative one if it does not fit. */
int64_t float_to_int(FloatEnv *env, FloatNum a, unsigned bits);
FloatNum float_from_int(FloatEnv *env, const FloatFormat *f, int64_t v);

/* Integer square root of V, *EXACT if it is one. */
uint64_t float_isqrt(u128 v, bool *exact);

#endif
