/*
 * x87: remainders and transcendental functions.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_PORTABLE_X87_FUNCTIONS_H
#define TARGET_X86_PORTABLE_X87_FUNCTIONS_H

#include "target-x86/portable/x87.h"

/* A - Q * B for finite numbers whose exponents are less than 64 apart: Q truncated, or the nearest
 * integer (of two the even one). Flags only an exact tiny result's U, where unmasked. */
FloatNum x87_remainder(X87 *x, FloatNum a, FloatNum b, bool nearest, uint64_t *quotient);
/* One step for exponents further apart: A less a multiple of B that brings them nearer. */
FloatNum x87_remainder_step(X87 *x, FloatNum a, FloatNum b);

/* The instructions, with their operands on the stack (SDM 1 8.3.7). */
void x87_f2xm1(X87 *x);
void x87_fyl2x(X87 *x);
void x87_fyl2xp1(X87 *x);
void x87_fpatan(X87 *x);
void x87_fptan(X87 *x);
void x87_fsin(X87 *x);
void x87_fcos(X87 *x);
void x87_fsincos(X87 *x);

#endif
