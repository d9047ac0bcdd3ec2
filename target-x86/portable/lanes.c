/*
 * MMX and SSE integer arithmetic, lane by lane (SDM 2). A function per operation, most of them one
 * expression in the lanes A and B of the operands; the same for 8 and for 16 bytes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>

#include "target-x86/portable/impl.h"

#define LANES(name, field, expression)                                                             \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < n / sizeof d->field[0]; i++) {                                    \
            __typeof__(d->field[0]) a = d->field[i], b = s->field[i];                              \
            (void)a;                                                                               \
            d->field[i] = (__typeof__(a))(expression);                                             \
        }                                                                                          \
    }

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

LANES(paddb, b, a + b)
LANES(paddw, w, a + b)
LANES(paddd, d, a + b)
LANES(paddq, q, a + b)
LANES(psubb, b, a - b)
LANES(psubw, w, a - b)
LANES(psubd, d, a - b)
LANES(psubq, q, a - b)
LANES(paddsb, sb, clamp(a + b, INT8_MIN, INT8_MAX))
LANES(paddsw, sw, clamp(a + b, INT16_MIN, INT16_MAX))
LANES(paddusb, b, clamp(a + b, 0, UINT8_MAX))
LANES(paddusw, w, clamp(a + b, 0, UINT16_MAX))
LANES(psubsb, sb, clamp(a - b, INT8_MIN, INT8_MAX))
LANES(psubsw, sw, clamp(a - b, INT16_MIN, INT16_MAX))
LANES(psubusb, b, clamp(a - b, 0, UINT8_MAX))
LANES(psubusw, w, clamp(a - b, 0, UINT16_MAX))

LANES(pcmpeqb, sb, -(a == b))
LANES(pcmpeqw, sw, -(a == b))
LANES(pcmpeqd, sd, -(a == b))
LANES(pcmpeqq, sq, -(int64_t)(a == b))
LANES(pcmpgtb, sb, -(a > b))
LANES(pcmpgtw, sw, -(a > b))
LANES(pcmpgtd, sd, -(a > b))
LANES(pcmpgtq, sq, -(int64_t)(a > b))

LANES(pminub, b, a < b ? a : b)
LANES(pminuw, w, a < b ? a : b)
LANES(pminud, d, a < b ? a : b)
LANES(pminsb, sb, a < b ? a : b)
LANES(pminsw, sw, a < b ? a : b)
LANES(pminsd, sd, a < b ? a : b)
LANES(pmaxub, b, a > b ? a : b)
LANES(pmaxuw, w, a > b ? a : b)
LANES(pmaxud, d, a > b ? a : b)
LANES(pmaxsb, sb, a > b ? a : b)
LANES(pmaxsw, sw, a > b ? a : b)
LANES(pmaxsd, sd, a > b ? a : b)
LANES(pavgb, b, (a + b + 1) >> 1)
LANES(pavgw, w, (a + b + 1) >> 1)

LANES(pand, q, a &b)
LANES(pandn, q, ~a &b)
LANES(por, q, a | b)
LANES(pxor, q, a ^ b)

LANES(pmullw, w, (uint32_t)a *b)
LANES(pmulhw, sw, (a * b) >> 16)
LANES(pmulhuw, w, ((uint32_t)a * b) >> 16)
LANES(pmulhrsw, sw, (((a * b) >> 14) + 1) >> 1)
LANES(pmulld, d, a *b)
LANES(pmuludq, q, (uint64_t)(uint32_t)a *(uint32_t)b)
LANES(pmuldq, sq, (int64_t)(int32_t)a *(int32_t)b)

/* ABS and SIGN leave the most negative value as it is. */
LANES(pabsb, b, (int8_t)b < 0 ? -b : b)
LANES(pabsw, w, (int16_t)b < 0 ? -b : b)
LANES(pabsd, d, (int32_t)b < 0 ? -b : b)
LANES(psignb, sb, b < 0 ? -a : b ? a : 0)
LANES(psignw, sw, b < 0 ? -a : b ? a : 0)
LANES(psignd, d, (int32_t)b < 0 ? -a : b ? a : 0)

/* ---- shifts: the count is the low quadword of the second operand ---- */

#define SHIFTS(suffix, field, bits)                                                                \
    static void psll##suffix(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                 \
    {                                                                                              \
        uint64_t count = s->q[0];                                                                  \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < n / sizeof d->field[0]; i++) {                                    \
            d->field[i] = (__typeof__(d->field[0]))(count < bits ? d->field[i] << count : 0);      \
        }                                                                                          \
    }                                                                                              \
    static void psrl##suffix(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                 \
    {                                                                                              \
        uint64_t count = s->q[0];                                                                  \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < n / sizeof d->field[0]; i++) {                                    \
            d->field[i] = (__typeof__(d->field[0]))(count < bits ? d->field[i] >> count : 0);      \
        }                                                                                          \
    }
#define SHIFT_SIGNED(name, sfield, bits)                                                           \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        uint64_t count = s->q[0] < bits ? s->q[0] : bits - 1;                                      \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < n / sizeof d->sfield[0]; i++) {                                   \
            d->sfield[i] = (__typeof__(d->sfield[0]))(d->sfield[i] >> count);                      \
        }                                                                                          \
    }

SHIFTS(w, w, 16)
SHIFTS(d, d, 32)
SHIFTS(q, q, 64)
SHIFT_SIGNED(psraw, sw, 16)
SHIFT_SIGNED(psrad, sd, 32)

static void psrldq(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec v = *d;

    (void)s;
    for (unsigned i = 0; i < n; i++) {
        d->b[i] = i + imm < n ? v.b[i + imm] : 0;
    }
}

static void pslldq(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec v = *d;

    (void)s;
    for (unsigned i = 0; i < n; i++) {
        d->b[i] = i >= imm ? v.b[i - imm] : 0;
    }
}

/* ---- across lanes ---- */

static void pmaddwd(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)imm;
    for (unsigned i = 0; i < n / 4; i++) {
        d->d[i] = (uint32_t)(d->sw[2 * i] * s->sw[2 * i]) +
                  (uint32_t)(d->sw[2 * i + 1] * s->sw[2 * i + 1]);
    }
}

static void pmaddubsw(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)imm;
    for (unsigned i = 0; i < n / 2; i++) {
        d->sw[i] = (int16_t)clamp(d->b[2 * i] * s->sb[2 * i] + d->b[2 * i + 1] * s->sb[2 * i + 1],
                                  INT16_MIN, INT16_MAX);
    }
}

static void psadbw(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)imm;
    for (unsigned i = 0; i < n / 8; i++) {
        unsigned sum = 0;
        for (unsigned k = 8 * i; k < 8 * i + 8; k++) {
            sum += (unsigned)abs(d->b[k] - s->b[k]);
        }
        d->q[i] = sum;
    }
}

/* Sums of four absolute differences, at eight places in the first operand. */
static void mpsadbw(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec a = *d;
    unsigned first = imm & 4, second = 4 * (imm & 3);

    for (unsigned i = 0; i < n / 2; i++) {
        unsigned sum = 0;
        for (unsigned k = 0; k < 4; k++) {
            sum += (unsigned)abs(a.b[first + i + k] - s->b[second + k]);
        }
        d->w[i] = (uint16_t)sum;
    }
}

static void phminposuw(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    unsigned at = 0;

    (void)imm;
    for (unsigned i = 1; i < n / 2; i++) {
        at = s->w[i] < s->w[at] ? i : at;
    }
    *d = (X86Vec){.w = {s->w[at], (uint16_t)at}};
}

/* Pairs of the first operand, then pairs of the second. */
#define HORIZONTAL(name, field, expression)                                                        \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        unsigned count = n / sizeof d->field[0];                                                   \
        X86Vec first = *d, second = *s;                                                            \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < count; i++) {                                                     \
            const X86Vec *v = i < count / 2 ? &first : &second;                                    \
            unsigned at = 2 * i % count;                                                           \
            __typeof__(d->field[0]) a = v->field[at], b = v->field[at + 1];                        \
            d->field[i] = (__typeof__(a))(expression);                                             \
        }                                                                                          \
    }

HORIZONTAL(phaddw, w, a + b)
HORIZONTAL(phaddd, d, a + b)
HORIZONTAL(phaddsw, sw, clamp(a + b, INT16_MIN, INT16_MAX))
HORIZONTAL(phsubw, w, a - b)
HORIZONTAL(phsubd, d, a - b)
HORIZONTAL(phsubsw, sw, clamp(a - b, INT16_MIN, INT16_MAX))

/* Z: no bit of the second operand is in the first; C: all are. */
static int ptest(PortableCtx *c)
{
    X86Vec a = portable_get_vec_reg(c), b = portable_get_vec_rm(c);
    bool none = !((a.q[0] & b.q[0]) | (a.q[1] & b.q[1]));
    bool all = !((~a.q[0] & b.q[0]) | (~a.q[1] & b.q[1]));

    portable_set_flags(c, IR_FL_ALL, (none ? IR_FL_Z : 0) | (all ? IR_FL_C : 0));
    return PORTABLE_OK;
}

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, .fn = portable_run_lanes, .lanes = name                                             \
    }

/* clang-format off */
const PortableEntry portable_lanes[] = {
    ROW(paddb), ROW(paddw), ROW(paddd), ROW(paddq),
    ROW(psubb), ROW(psubw), ROW(psubd), ROW(psubq),
    ROW(paddsb), ROW(paddsw), ROW(paddusb), ROW(paddusw),
    ROW(psubsb), ROW(psubsw), ROW(psubusb), ROW(psubusw),
    ROW(pcmpeqb), ROW(pcmpeqw), ROW(pcmpeqd), ROW(pcmpeqq),
    ROW(pcmpgtb), ROW(pcmpgtw), ROW(pcmpgtd), ROW(pcmpgtq),
    ROW(pminub), ROW(pminuw), ROW(pminud), ROW(pminsb), ROW(pminsw), ROW(pminsd),
    ROW(pmaxub), ROW(pmaxuw), ROW(pmaxud), ROW(pmaxsb), ROW(pmaxsw), ROW(pmaxsd),
    ROW(pavgb), ROW(pavgw),
    ROW(pand), ROW(pandn), ROW(por), ROW(pxor),
    {"andps", .fn = portable_run_lanes, .lanes = pand},
    {"andpd", .fn = portable_run_lanes, .lanes = pand},
    {"andnps", .fn = portable_run_lanes, .lanes = pandn},
    {"andnpd", .fn = portable_run_lanes, .lanes = pandn},
    {"orps", .fn = portable_run_lanes, .lanes = por},
    {"orpd", .fn = portable_run_lanes, .lanes = por},
    {"xorps", .fn = portable_run_lanes, .lanes = pxor},
    {"xorpd", .fn = portable_run_lanes, .lanes = pxor},
    ROW(pmullw), ROW(pmulhw), ROW(pmulhuw), ROW(pmulhrsw), ROW(pmulld), ROW(pmuludq), ROW(pmuldq),
    ROW(pabsb), ROW(pabsw), ROW(pabsd), ROW(psignb), ROW(psignw), ROW(psignd),
    ROW(psllw), ROW(pslld), ROW(psllq), ROW(psrlw), ROW(psrld), ROW(psrlq), ROW(psraw), ROW(psrad),
    ROW(pslldq), ROW(psrldq),
    ROW(pmaddwd), ROW(pmaddubsw), ROW(psadbw), ROW(mpsadbw), ROW(phminposuw),
    ROW(phaddw), ROW(phaddd), ROW(phaddsw), ROW(phsubw), ROW(phsubd), ROW(phsubsw),
    {"ptest", .fn = ptest},
    {0},
};
