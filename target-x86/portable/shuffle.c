/*
 * MMX and SSE: packing, unpacking, shuffling, blending, widening (SDM 2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/impl.h"

/* ---- packing: the first operand's lanes, then the second's, with saturation ---- */

#define PACK(name, from, to, low, high)                                                            \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        unsigned count = n / sizeof d->from[0];                                                    \
        X86Vec first = *d, second = *s;                                                            \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < 2 * count; i++) {                                                 \
            int32_t v = i < count ? first.from[i] : second.from[i - count];                        \
            d->to[i] = (__typeof__(d->to[0]))(v < (low) ? (low) : v > (high) ? (high) : v);        \
        }                                                                                          \
    }

PACK(packsswb, sw, sb, INT8_MIN, INT8_MAX)
PACK(packuswb, sw, b, 0, UINT8_MAX)
PACK(packssdw, sd, sw, INT16_MIN, INT16_MAX)
PACK(packusdw, sd, w, 0, UINT16_MAX)

/* ---- unpacking: lanes of both in turn, from the low or the high half ---- */

#define UNPACK(name, field, high)                                                                  \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        unsigned count = n / sizeof d->field[0];                                                   \
        X86Vec first = *d, second = *s;                                                            \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < count; i++) {                                                     \
            unsigned at = i / 2 + (high ? count / 2 : 0);                                          \
            d->field[i] = i & 1 ? second.field[at] : first.field[at];                              \
        }                                                                                          \
    }

UNPACK(punpcklbw, b, false)
UNPACK(punpcklwd, w, false)
UNPACK(punpckldq, d, false)
UNPACK(punpcklqdq, q, false)
UNPACK(punpckhbw, b, true)
UNPACK(punpckhwd, w, true)
UNPACK(punpckhdq, d, true)
UNPACK(punpckhqdq, q, true)

/* ---- shuffles ---- */

static void pshufb(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec v = *d;

    (void)imm;
    for (unsigned i = 0; i < n; i++) {
        d->b[i] = s->b[i] & 0x80 ? 0 : v.b[s->b[i] & (n - 1)];
    }
}

static unsigned select2(unsigned imm, unsigned i)
{
    return imm >> (2 * i) & 3;
}

static void shuffle_words(uint16_t *d, const uint16_t *s, unsigned imm)
{
    const uint16_t v[4] = {s[0], s[1], s[2], s[3]};

    for (unsigned i = 0; i < 4; i++) {
        d[i] = v[select2(imm, i)];
    }
}

static void pshufw(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n;
    shuffle_words(d->w, s->w, imm);
}

static void pshuflw(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n;
    d->q[1] = s->q[1];
    shuffle_words(d->w, s->w, imm);
}

static void pshufhw(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n;
    d->q[0] = s->q[0];
    shuffle_words(d->w + 4, s->w + 4, imm);
}

static void pshufd(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec v = *s;

    for (unsigned i = 0; i < n / 4; i++) {
        d->d[i] = v.d[select2(imm, i)];
    }
}

static void shufps(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec first = *d, second = *s;

    for (unsigned i = 0; i < n / 4; i++) {
        d->d[i] = (i < 2 ? &first : &second)->d[select2(imm, i)];
    }
}

static void shufpd(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n;
    *d = (X86Vec){.q = {d->q[imm & 1], s->q[imm >> 1 & 1]}};
}

static void movsldup(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)imm;
    pshufd(d, s, n, 0xa0);
}

static void movshdup(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)imm;
    pshufd(d, s, n, 0xf5);
}

static void movddup(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)imm;
    pshufd(d, s, n, 0x44);
}

/* Bytes from IMM on of the two operands, the first one being the upper half. */
static void palignr(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec high = *d, low = *s;

    for (unsigned i = 0; i < n; i++) {
        unsigned at = i + imm;
        d->b[i] = at < n ? low.b[at] : at < 2 * n ? high.b[at - n] : 0;
    }
}

/* ---- widening ---- */

#define WIDEN(name, from, to)                                                                      \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        X86Vec v = *s;                                                                             \
        (void)imm;                                                                                 \
        for (unsigned i = 0; i < n / sizeof d->to[0]; i++) {                                       \
            d->to[i] = v.from[i];                                                                  \
        }                                                                                          \
    }

WIDEN(pmovsxbw, sb, sw)
WIDEN(pmovsxbd, sb, sd)
WIDEN(pmovsxbq, sb, sq)
WIDEN(pmovsxwd, sw, sd)
WIDEN(pmovsxwq, sw, sq)
WIDEN(pmovsxdq, sd, sq)
WIDEN(pmovzxbw, b, w)
WIDEN(pmovzxbd, b, d)
WIDEN(pmovzxbq, b, q)
WIDEN(pmovzxwd, w, d)
WIDEN(pmovzxwq, w, q)
WIDEN(pmovzxdq, d, q)

/* ---- blends ---- */

#define BLEND(name, field)                                                                         \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        for (unsigned i = 0; i < n / sizeof d->field[0]; i++) {                                    \
            d->field[i] = imm >> i & 1 ? s->field[i] : d->field[i];                                \
        }                                                                                          \
    }

BLEND(blendps, d)
BLEND(blendpd, q)
BLEND(pblendw, w)

/* By the sign bits of XMM0's lanes of ARG bytes. */
static int blend_variable(PortableCtx *c)
{
    unsigned lane = c->in->entry->arg;
    X86Vec d = portable_get_vec_reg(c), s = portable_get_vec_rm(c), mask = c->st->xmm[0];

    for (unsigned i = 0; i < 16; i++) {
        d.b[i] = mask.b[i | (lane - 1)] & 0x80 ? s.b[i] : d.b[i];
    }
    portable_set_vec_reg(c, &d);
    return PORTABLE_OK;
}

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, .fn = portable_run_lanes, .lanes = name                                             \
    }

/* clang-format off */
const PortableEntry portable_shuffle[] = {
    ROW(packsswb), ROW(packuswb), ROW(packssdw), ROW(packusdw),
    ROW(punpcklbw), ROW(punpcklwd), ROW(punpckldq), ROW(punpcklqdq),
    ROW(punpckhbw), ROW(punpckhwd), ROW(punpckhdq), ROW(punpckhqdq),
    {"unpcklps", .fn = portable_run_lanes, .lanes = punpckldq},
    {"unpcklpd", .fn = portable_run_lanes, .lanes = punpcklqdq},
    {"unpckhps", .fn = portable_run_lanes, .lanes = punpckhdq},
    {"unpckhpd", .fn = portable_run_lanes, .lanes = punpckhqdq},
    ROW(pshufb), ROW(pshufw), ROW(pshuflw), ROW(pshufhw), ROW(pshufd), ROW(shufps), ROW(shufpd),
    ROW(movsldup), ROW(movshdup), ROW(movddup), ROW(palignr),
    ROW(pmovsxbw), ROW(pmovsxbd), ROW(pmovsxbq), ROW(pmovsxwd), ROW(pmovsxwq), ROW(pmovsxdq),
    ROW(pmovzxbw), ROW(pmovzxbd), ROW(pmovzxbq), ROW(pmovzxwd), ROW(pmovzxwq), ROW(pmovzxdq),
    ROW(blendps), ROW(blendpd), ROW(pblendw),
    {"pblendvb", .fn = blend_variable, .arg = 1},
    {"blendvps", .fn = blend_variable, .arg = 4},
    {"blendvpd", .fn = blend_variable, .arg = 8},
    {0},
};
