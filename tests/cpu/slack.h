/*
 * What a comparison with the host's CPU must allow: results that no specification defines, that are
 * defined within bounds, or that processors have in different ways.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_CPU_SLACK_H
#define TESTS_CPU_SLACK_H

#include "target-x86/portable/portable.h"

typedef struct Slack {
    bool undefined;      /* the case proves nothing */
    bool approximate;    /* RCP, RSQRT: within their bound */
    bool transcendental; /* of the x87: within units of the last place */
    bool mxcsr;          /* flags of the steps after an unmasked exception */
    uint16_t fsw;        /* condition codes */
} Slack;

/* Gathers what there is to allow, before and after INSN was run; VECTOR is what that returned. */
void slack_before(Slack *s, const X86PortableState *st, const X86PortableInsn *insn);
void slack_after(Slack *s, const X86PortableState *st, const X86PortableInsn *insn, int vector);
/* Takes over from the host's FXSAVE image what is near enough to be right. INSNS: of the case. */
void slack_apply(Slack *s, uint8_t *fx, const uint8_t *host, int insns);

#endif
