/*
 * SSE conversions between singles, doubles and integers, and rounding to integers (SDM 1 11.4.1.6;
 * SDM 2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/sse_float.h"

/* ARG: source and destination type, and how many. */
enum { I32, I64, F32, F64, TO_SHIFT = 2, TRUNCATE = 16, SCALAR = 32 };

static unsigned type_size(unsigned type)
{
    return type & 1 ? 8 : 4;
}

static int64_t integer_lane(const X86Vec *v, unsigned i, unsigned type)
{
    return type == I64 ? v->sq[i] : v->sd[i];
}

static void convert(SseFloat *s, X86Vec *d, const X86Vec *src, unsigned i, unsigned from,
                    unsigned to)
{
    if (to >= F32) {
        const FloatFormat *f = sse_format(to == F64);
        FloatNum n = from >= F32 ? float_convert(&s->env, f, sse_lane(s, src, i, from == F64))
                                 : float_from_int(&s->env, f, integer_lane(src, i, from));
        sse_set_lane(d, i, to == F64, n);
        return;
    }
    int64_t v = float_to_int(&s->env, sse_lane(s, src, i, from == F64), 8 * type_size(to));
    if (to == I64) {
        d->sq[i] = v;
    } else {
        d->sd[i] = (int32_t)v;
    }
}

/* How much of the destination an instruction leaves: scalars all above, CVTPI2PS the upper half. */
static X86Vec destination(const PortableCtx *c)
{
    bool keep =
        (c->in->entry->arg & SCALAR) || (c->in->row->rm == K_MMX && c->in->row->opcode == 0x2a);

    return keep && c->in->row->reg == K_VEC ? portable_get_vec_reg(c) : (X86Vec){0};
}

static int cvt(PortableCtx *c)
{
    const InsnRow *r = c->in->row;
    unsigned arg = c->in->entry->arg, from = arg & 3, to = arg >> TO_SHIFT & 3;
    unsigned count = 16 / (type_size(from) > type_size(to) ? type_size(from) : type_size(to));
    /* a source in memory makes no MMX registers of the x87's */
    bool mmx = r->reg == K_MMX || (r->rm == K_MMX && !portable_is_mem(c));
    X86Vec d = destination(c), src;
    SseFloat s;

    if (mmx) {
        int vector = portable_enter_mmx(c);
        if (vector >= 0) {
            return vector;
        }
    }
    if (r->rm == K_Y) {
        src = (X86Vec){.q = {portable_get_rm(c, c->in->y_size)}};
        from = c->in->y_size == 8 ? I64 : I32;
    } else {
        src = portable_get_vec_rm(c);
    }
    if (r->reg == K_Y) {
        to = c->in->y_size == 8 ? I64 : I32;
    }
    count = arg & SCALAR ? 1 : r->reg == K_MMX || r->rm == K_MMX ? 2 : count;
    sse_begin(&s, c);
    s.env.rounding = arg & TRUNCATE ? ROUND_ZERO : s.env.rounding;
    for (unsigned i = 0; i < count; i++) {
        convert(&s, &d, &src, i, from, to);
    }
    int vector = sse_end(&s, c);
    if (vector >= 0) {
        return vector;
    }
    if (r->reg == K_Y) {
        portable_set_gpr(c, c->in->reg, c->in->y_size, d.q[0]);
    } else {
        portable_set_vec_reg(c, &d);
    }
    return PORTABLE_OK;
}

/* ROUND: imm[1:0] the mode, [2] MXCSR's instead, [3] P is not flagged. ARG: F32 or F64, SCALAR. */
static int round_int(PortableCtx *c)
{
    unsigned arg = c->in->entry->arg, imm = (unsigned)c->in->imm;
    bool dbl = (arg & 3) == F64;
    X86Vec d = portable_get_vec_reg(c), b = portable_get_vec_rm(c);
    SseFloat s;

    sse_begin(&s, c);
    s.env.rounding = imm & 4 ? s.env.rounding : imm & 3;
    for (unsigned i = 0; i < (arg & SCALAR ? 1 : dbl ? 2u : 4u); i++) {
        FloatNum n = float_round_int(&s.env, sse_format(dbl), sse_lane(&s, &b, i, dbl));
        sse_set_lane(&d, i, dbl, n);
    }
    s.env.flags &= imm & 8 ? ~(unsigned)FLOAT_P : FLOAT_ALL;
    int vector = sse_end(&s, c);
    if (vector < 0) {
        portable_set_vec_reg(c, &d);
    }
    return vector;
}

#define CVT(name, from, to, more)                                                                  \
    {                                                                                              \
        name, .fn = cvt, .arg = (from) | (to) << TO_SHIFT | (more)                                 \
    }

const PortableEntry portable_sse_convert[] = {
    CVT("cvtpi2ps", I32, F32, 0),
    CVT("cvtpi2pd", I32, F64, 0),
    CVT("cvtsi2ss", I32, F32, SCALAR), /* or I64, by REX.W */
    CVT("cvtsi2sd", I32, F64, SCALAR),
    CVT("cvtps2pi", F32, I32, 0),
    CVT("cvtpd2pi", F64, I32, 0),
    CVT("cvtss2si", F32, I32, SCALAR),
    CVT("cvtsd2si", F64, I32, SCALAR),
    CVT("cvttps2pi", F32, I32, TRUNCATE),
    CVT("cvttpd2pi", F64, I32, TRUNCATE),
    CVT("cvttss2si", F32, I32, TRUNCATE | SCALAR),
    CVT("cvttsd2si", F64, I32, TRUNCATE | SCALAR),
    CVT("cvtps2pd", F32, F64, 0),
    CVT("cvtpd2ps", F64, F32, 0),
    CVT("cvtss2sd", F32, F64, SCALAR),
    CVT("cvtsd2ss", F64, F32, SCALAR),
    CVT("cvtdq2ps", I32, F32, 0),
    CVT("cvtdq2pd", I32, F64, 0),
    CVT("cvtps2dq", F32, I32, 0),
    CVT("cvttps2dq", F32, I32, TRUNCATE),
    CVT("cvtpd2dq", F64, I32, 0),
    CVT("cvttpd2dq", F64, I32, TRUNCATE),
    {"roundps", .fn = round_int, .arg = F32},
    {"roundpd", .fn = round_int, .arg = F64},
    {"roundss", .fn = round_int, .arg = F32 | SCALAR},
    {"roundsd", .fn = round_int, .arg = F64 | SCALAR},
    {0},
};
