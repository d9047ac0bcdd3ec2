/*
 * What the two files of SSE floating point share.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_PORTABLE_SSE_FLOAT_H
#define TARGET_X86_PORTABLE_SSE_FLOAT_H

#include "target-x86/portable/float.h"
#include "target-x86/portable/impl.h"

/* One instruction under way. */
typedef struct SseFloat {
    FloatEnv env;
} SseFloat;

void sse_begin(SseFloat *s, const PortableCtx *c);
/* Puts the flags into MXCSR; EXC_XM if one is unmasked: nothing else may be written then. */
int sse_end(SseFloat *s, PortableCtx *c);
/* Element I of a vector of doubles or singles. */
FloatNum sse_lane(const SseFloat *s, const X86Vec *v, unsigned i, bool dbl);
void sse_set_lane(X86Vec *v, unsigned i, bool dbl, FloatNum n);
const FloatFormat *sse_format(bool dbl);

#endif
