/*
 * SSE4.2's string comparisons PCMPxSTRx (SDM 1 "SSE4.2 string and text instructions", SDM 2 4.1).
 *
 * The immediate: element format [1:0] (signed [1], words [0]), aggregation [3:2], polarity [5:4],
 * and [6]: the highest index instead of the lowest, or a mask of whole elements instead of bits.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/impl.h"

enum { EXPLICIT_LENGTH = 1, RESULT_MASK = 2 }; /* ARG */
enum { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };

typedef struct Text {
    int32_t element[16];
    unsigned length;
} Text;

static Text text_of(const X86Vec *v, unsigned imm, unsigned count)
{
    Text t = {.length = count};

    for (unsigned i = count; i-- > 0;) {
        t.element[i] = imm & 1 ? (imm & 2 ? v->sw[i] : v->w[i]) : (imm & 2 ? v->sb[i] : v->b[i]);
        t.length = t.element[i] ? t.length : i;
    }
    return t;
}

/* The magnitude of a register, at most COUNT. */
static unsigned explicit_length(const PortableCtx *c, unsigned reg, unsigned count)
{
    int64_t v = sign_extend(portable_get_gpr(c, reg, c->in->y_size), c->in->y_size);
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

    return magnitude < count ? (unsigned)magnitude : count;
}

/* Whether element I of B matches, by the way of aggregation. */
static bool matches(const Text *a, const Text *b, unsigned i, unsigned count, unsigned how)
{
    bool valid = i < b->length;
    int32_t v = b->element[i];

    switch (how) {
    case EQUAL_ANY:
        for (unsigned k = 0; k < a->length; k++) {
            if (valid && a->element[k] == v) {
                return true;
            }
        }
        return false;
    case RANGES:
        for (unsigned k = 0; k + 1 < a->length; k += 2) {
            if (valid && v >= a->element[k] && v <= a->element[k + 1]) {
                return true;
            }
        }
        return false;
    case EQUAL_EACH:
        return valid == (i < a->length) && (!valid || a->element[i] == v);
    default:
        for (unsigned k = 0; k < a->length && i + k < count; k++) {
            if (i + k >= b->length || a->element[k] != b->element[i + k]) {
                return false;
            }
        }
        return true;
    }
}

static int pcmpstr(PortableCtx *c)
{
    unsigned imm = (uint8_t)c->in->imm, kind = c->in->entry->arg, count = imm & 1 ? 8 : 16;
    unsigned result = 0, index = count;
    X86Vec va = portable_get_vec_reg(c), vb = portable_get_vec_rm(c);
    Text a = text_of(&va, imm, count), b = text_of(&vb, imm, count);

    if (kind & EXPLICIT_LENGTH) {
        a.length = explicit_length(c, R_RAX, count);
        b.length = explicit_length(c, R_RDX, count);
    }
    for (unsigned i = 0; i < count; i++) {
        bool negative = imm & 0x10 && (!(imm & 0x20) || i < b.length);
        if (matches(&a, &b, i, count, imm >> 2 & 3) != negative) {
            result |= 1u << i;
            index = index == count || imm & 0x40 ? i : index;
        }
    }
    portable_set_flags(c, IR_FL_ALL,
                       (result ? IR_FL_C : 0) | (b.length < count ? IR_FL_Z : 0) |
                           (a.length < count ? IR_FL_S : 0) | (result & 1 ? IR_FL_O : 0));
    if (!(kind & RESULT_MASK)) {
        portable_set_gpr(c, R_RCX, 4, index);
        return PORTABLE_OK;
    }
    X86Vec mask = {.q = {result}};
    if (imm & 0x40) {
        for (unsigned i = 0; i < 16; i++) {
            mask.b[i] = result >> (i * count / 16) & 1 ? 0xff : 0;
        }
    }
    c->st->xmm[0] = mask;
    return PORTABLE_OK;
}

const PortableEntry portable_text[] = {
    {"pcmpestrm", .fn = pcmpstr, .arg = EXPLICIT_LENGTH | RESULT_MASK},
    {"pcmpestri", .fn = pcmpstr, .arg = EXPLICIT_LENGTH},
    {"pcmpistrm", .fn = pcmpstr, .arg = RESULT_MASK},
    {"pcmpistri", .fn = pcmpstr},
    {0},
};
