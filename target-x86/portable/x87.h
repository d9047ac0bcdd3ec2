/*
 * What the files of x87 expansions share: the register stack, exceptions, one instruction's frame.
 *
 * Every function of an instruction starts with x87_begin() and ends with x87_end() (or one of the
 * faults), which puts what was raised into FSW. Unmasked exceptions found before computing (I, D,
 * Z) leave registers and memory alone; the others deliver their result first (SDM 1 8.5).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_PORTABLE_X87_H
#define TARGET_X86_PORTABLE_X87_H

#include "target-x86/portable/float.h"
#include "target-x86/portable/impl.h"

enum {
    FSW_SF = 1 << 6,
    FSW_ES = 1 << 7,
    FSW_C0 = 1 << 8,
    FSW_C1 = 1 << 9,
    FSW_C2 = 1 << 10,
    FSW_TOP_SHIFT = 11,
    FSW_C3 = 1 << 14,
    FSW_B = 1 << 15,
    FSW_CC = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3,
};

typedef struct X87 {
    PortableCtx *c;
    X86PortableState *st;
    FloatEnv env;
    FloatFormat format; /* the extended one, with the precision that FCW selects */
} X87;

/* False: an earlier exception is pending, and the instruction ends in #MF. */
bool x87_begin(X87 *x, PortableCtx *c);
/* FSW from what was raised, C1 from the rounding. True: the result is to be delivered. */
bool x87_end(X87 *x);
/* Recomputes ES and B. */
void x87_summary(X86PortableState *st);

/* ---- the stack: I counts from its top ---- */

static inline unsigned x87_index(const X87 *x, unsigned i)
{
    return ((x->st->fsw >> FSW_TOP_SHIFT) + i) & 7;
}
static inline bool x87_empty(const X87 *x, unsigned i)
{
    return !(x->st->ftw >> x87_index(x, i) & 1);
}
static inline X86Reg80 x87_raw(const X87 *x, unsigned i)
{
    return x->st->x87[x87_index(x, i)];
}
static inline FloatNum x87_get(const X87 *x, unsigned i)
{
    return float_unpack80(x87_raw(x, i));
}
void x87_set_raw(X87 *x, unsigned i, X86Reg80 v);
void x87_set(X87 *x, unsigned i, FloatNum v);
void x87_pop(X87 *x);
/* Without a check for overflow. */
void x87_push(X87 *x, X86Reg80 v);
/* Stack faults: raise I with SF. True: masked, an indefinite is to be the result. */
bool x87_underflow(X87 *x);
bool x87_overflow(X87 *x);

/* An operation's result to ST(DST) and POPS pops, unless an exception keeps it back. */
void x87_deliver(X87 *x, unsigned dst, FloatNum v, unsigned pops);
/* If any of the COUNT registers from the top is empty: the underflow, answered by an indefinite in
 * ST(DST) and POPS pops. True: that is all. */
bool x87_missing(X87 *x, unsigned count, unsigned dst, unsigned pops);

#endif
