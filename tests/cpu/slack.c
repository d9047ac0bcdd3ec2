/*
 * What a comparison with the host's CPU must allow.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/cpu/slack.h"

#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "target-x86/cpu.h"

/* SHLD and SHRD of 16 bits by more than 16 (SDM 2); and whether the x87's registers become MMX's
 * with a source in memory. */
static bool result_undefined(const X86PortableState *st, const X86PortableInsn *in)
{
    const char *name = in->row->name;
    uint64_t count = in->row->imm == IMM_B ? (uint64_t)in->imm : st->gpr[R_RCX];

    return ((!strcmp(name, "shld") || !strcmp(name, "shrd")) && in->size == 2 &&
            (count & 31) > 16) ||
           (!strcmp(name, "cvtpi2ps") && in->mem_size);
}

enum {
    C0 = 0x100,
    C1 = 0x200,
    C2 = 0x400,
    C3 = 0x4000,
    IE_TO_ZE = 7,
    UE = 0x10,
    PE = 0x20,
    ES = 0x80,
    B = 0x8000
};

/* The row of D9 F0..FF, from 0; -1: another one. */
static int d9_function(const X86PortableInsn *in)
{
    const char *name = in->row->name;

    return !strcmp(name, "f2xm1..") ? in->rm : !strcmp(name, "fprem..") ? in->rm + 8 : -1;
}

enum { F2XM1, FYL2X, FPTAN, FPATAN, FPREM1 = 5, FPREM = 8, FYL2XP1, FSINCOS = 11, FSIN = 14, FCOS };

/* Before an x87 instruction: whether its operands make the result undefined. */
static void check_x87_operand(Slack *s, const X86PortableState *st, const X86PortableInsn *in)
{
    const X86Reg80 *top = &st->x87[st->fsw >> 11 & 7];
    int function = d9_function(in), exp = (top->exp & 0x7fff) - 0x3fff;

    s->undefined |= s->fsw && g_str_has_prefix(in->row->name, "fnstsw");
    s->undefined |= function == F2XM1 && exp >= 0; /* beyond 1, also from infinity */
    s->undefined |= function == FYL2XP1 && exp >= -2;
}

/* After it: what processors do in different ways. */
static void note_x87(Slack *s, const X86PortableState *st, const X86PortableInsn *in)
{
    static const uint16_t functions = 1 << F2XM1 | 1 << FYL2X | 1 << FPTAN | 1 << FPATAN |
                                      1 << FYL2XP1 | 1 << FSINCOS | 1 << FSIN | 1 << FCOS;
    const char *name = in->row->name;
    int function = d9_function(in);
    bool blocked = st->fsw & ~st->fcw & IE_TO_ZE;
    bool compares =
        g_str_has_prefix(name, "fcom") || g_str_has_prefix(name, "fucom") || !strcmp(name, "ftst");

    /* FLD of a denormal leaves the stack (SDM 1 8.5.2), but AMD's load it */
    s->undefined |= (!strcmp(name, "flds") || !strcmp(name, "fldl")) && blocked;
    s->transcendental |= function >= 0 && (functions >> function & 1);
    s->undefined |= (function == FPREM1 || function == FPREM) && (st->fsw & C2); /* a step */
    if (compares && in->row->fl_write) { /* FCOMI: AMD's leave C1, and set flags when blocked */
        s->fsw |= C1;
        s->undefined |= blocked;
    } else if (compares && blocked) {
        s->fsw |= C0 | C1 | C2 | C3;
    }
}

/* Takes the host's elements where both are within the bound of RCP and RSQRT, 1.5 * 2^-12. */
static void adopt_singles(uint8_t *fx, const uint8_t *host)
{
    for (int i = 160; i < 416; i += 4) {
        float a, b;
        memcpy(&a, fx + i, 4);
        memcpy(&b, host + i, 4);
        if (fabsf(a - b) <= fabsf(b) * 0x1p-10f || (fabsf(a) < 0x1p-125f && fabsf(b) < 0x1p-125f)) {
            memcpy(fx + i, host + i, 4);
        }
    }
}

static void adopt_fsw(uint8_t *fx, const uint8_t *host, uint16_t mask)
{
    uint16_t a, b;

    memcpy(&a, fx + 2, 2);
    memcpy(&b, host + 2, 2);
    a = (a & ~mask) | (b & mask);
    memcpy(fx + 2, &a, 2);
}

/* The encoding of an x87 number without sign, in order of magnitude. */
static uint64_t x87_magnitude(const uint8_t *image, uint16_t *high)
{
    uint64_t sig;

    memcpy(&sig, image, 8);
    memcpy(high, image + 8, 2);
    return (sig & INT64_MAX) | (uint64_t)(*high & 1) << 63;
}

/* Likewise two units of the last place of an x87 register, which way it was rounded, and that a
 * result which is exact counts as inexact (and, if tiny, as underflow). */
static void adopt_x87(uint8_t *fx, const uint8_t *host)
{
    for (int i = 32; i < 160; i += 16) {
        uint16_t a_high, b_high;
        uint64_t a = x87_magnitude(fx + i, &a_high), b = x87_magnitude(host + i, &b_high);
        if (a - b + 2 <= 4 && abs(a_high - b_high) <= 1) {
            memcpy(fx + i, host + i, 10);
        }
    }
    adopt_fsw(fx, host, (uint16_t)(C1 | ES | B | (host[2] & (PE | UE))));
}

void slack_before(Slack *s, const X86PortableState *st, const X86PortableInsn *in)
{
    const char *name = in->row->name;

    s->undefined |= result_undefined(st, in);
    s->approximate |= g_str_has_prefix(name, "rcp") || g_str_has_prefix(name, "rsqrt");
    if (in->row->flags & INSN_X87) {
        check_x87_operand(s, st, in);
    }
}

void slack_after(Slack *s, const X86PortableState *st, const X86PortableInsn *in, int vector)
{
    if (in->row->flags & INSN_X87) {
        note_x87(s, st, in);
    }
    s->mxcsr = vector == EXC_XM && g_str_has_prefix(in->row->name, "dp");
}

void slack_apply(Slack *s, uint8_t *fx, const uint8_t *host, int insns)
{
    if (s->approximate) {
        adopt_singles(fx, host);
    }
    if (s->transcendental) {
        adopt_x87(fx, host);
    }
    s->undefined |= (s->approximate || s->transcendental) && insns > 1; /* others may use them */
    adopt_fsw(fx, host, s->fsw);
    if (s->mxcsr) {
        fx[24] = host[24];
    }
}
