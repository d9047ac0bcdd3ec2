/*
 * x87: the stack, loads and stores, control (SDM 1 chapter 8; SDM 2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/x87.h"

#include <string.h>

bool x87_begin(X87 *x, PortableCtx *c)
{
    static const int8_t precisions[4] = {24, 64, 53, 64};
    uint16_t fcw = c->st->fcw;

    *x = (X87){.c = c,
               .st = c->st,
               .env = {.rounding = fcw >> 10 & 3, .masked = fcw & FLOAT_ALL, .x87 = true},
               .format = float_extended};
    x->format.precision = precisions[fcw >> 8 & 3];
    return !(c->st->fsw & FSW_ES);
}

void x87_summary(X86PortableState *st)
{
    bool pending = st->fsw & ~st->fcw & FLOAT_ALL;

    st->fsw = (uint16_t)((st->fsw & ~(FSW_ES | FSW_B)) | (pending ? FSW_ES | FSW_B : 0));
}

bool x87_end(X87 *x)
{
    unsigned flags = x->env.flags;
    bool blocked = flags & FLOAT_PRE & ~x->env.masked;

    flags &= blocked ? FLOAT_PRE : FLOAT_ALL;
    x->st->fsw = (uint16_t)((x->st->fsw & ~FSW_C1) | flags | (x->env.up && !blocked ? FSW_C1 : 0));
    x87_summary(x->st);
    return !blocked;
}

/* ---- the stack ---- */

void x87_set_raw(X87 *x, unsigned i, X86Reg80 v)
{
    unsigned at = x87_index(x, i);

    x->st->x87[at] = v;
    x->st->ftw |= (uint8_t)(1u << at);
}

void x87_set(X87 *x, unsigned i, FloatNum v)
{
    x87_set_raw(x, i, float_pack80(v));
}

static void move_top(X87 *x, unsigned by)
{
    unsigned top = x87_index(x, by);

    x->st->fsw = (uint16_t)((x->st->fsw & ~(7u << FSW_TOP_SHIFT)) | top << FSW_TOP_SHIFT);
}

void x87_pop(X87 *x)
{
    x->st->ftw &= (uint8_t) ~(1u << x87_index(x, 0));
    move_top(x, 1);
}

void x87_push(X87 *x, X86Reg80 v)
{
    move_top(x, 7);
    x87_set_raw(x, 0, v);
}

static bool stack_fault(X87 *x, bool overflow)
{
    x->env.flags |= FLOAT_I;
    x->env.up = false;
    x->st->fsw |= FSW_SF;
    x87_end(x);
    x->st->fsw |= overflow ? FSW_C1 : 0;
    return x->env.masked & FLOAT_I;
}

bool x87_underflow(X87 *x)
{
    return stack_fault(x, false);
}

bool x87_overflow(X87 *x)
{
    return stack_fault(x, true);
}

static void pop_all(X87 *x, unsigned pops)
{
    while (pops--) {
        x87_pop(x);
    }
}

void x87_deliver(X87 *x, unsigned dst, FloatNum v, unsigned pops)
{
    if (x87_end(x)) {
        x87_set(x, dst, v);
        pop_all(x, pops);
    }
}

bool x87_missing(X87 *x, unsigned count, unsigned dst, unsigned pops)
{
    bool missing = false;

    for (unsigned i = 0; i < count; i++) {
        missing |= x87_empty(x, i);
    }
    if (missing && x87_underflow(x)) {
        x87_set(x, dst, float_indefinite());
        pop_all(x, pops);
    }
    return missing;
}

/* ---- loads ---- */

static void push_checked(X87 *x, X86Reg80 v)
{
    if (!x87_empty(x, 7)) {
        if (x87_overflow(x)) {
            x87_push(x, float_pack80(float_indefinite()));
        }
    } else if (x87_end(x)) {
        x87_push(x, v);
    }
}

/* FLD of a register or memory. */
static int fld(PortableCtx *c)
{
    const X86PortableInsn *in = c->in;
    X86Reg80 v;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    if (!in->mem_size) {
        if (x87_empty(&x, in->rm)) { /* also with a full stack */
            if (x87_underflow(&x)) {
                x87_push(&x, float_pack80(float_indefinite()));
            }
            return PORTABLE_OK;
        }
        v = x87_raw(&x, in->rm);
    } else if (in->mem_size == 10) {
        memcpy(&v.sig, c->st->mem, 8);
        memcpy(&v.exp, c->st->mem + 8, 2);
    } else if (x87_empty(&x, 7)) {
        uint64_t bits = portable_get_rm(c, in->mem_size);
        FloatNum n = in->mem_size == 4 ? float_unpack32(&x.env, (uint32_t)bits)
                                       : float_unpack64(&x.env, bits);
        v = float_pack80(float_convert(&x.env, &float_extended, n));
    }
    push_checked(&x, v);
    return PORTABLE_OK;
}

static int fild(PortableCtx *c)
{
    unsigned size = c->in->mem_size;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    int64_t v = sign_extend(portable_get_rm(c, size), size);
    push_checked(&x, float_pack80(float_from_int(&x.env, &float_extended, v)));
    return PORTABLE_OK;
}

/* 18 decimal digits, two a byte, then the sign. */
static int fbld(PortableCtx *c)
{
    uint64_t v = 0;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    for (int i = 8; i >= 0; i--) {
        v = v * 100 + (c->st->mem[i] >> 4) * 10u + (c->st->mem[i] & 15);
    }
    FloatNum n = float_from_int(&x.env, &float_extended, (int64_t)v);
    n.sign = c->st->mem[9] >> 7;
    push_checked(&x, float_pack80(n));
    return PORTABLE_OK;
}

/* The constants, rounded down; NEAREST and UP tell how they round otherwise. */
static const struct {
    X86Reg80 v;
    bool nearest, up;
} constants[] = {
    {{0x8000000000000000, 0x3fff}, false, false}, /* 1 */
    {{0xd49a784bcd1b8afe, 0x4000}, false, true},  /* log2(10) */
    {{0xb8aa3b295c17f0bb, 0x3fff}, true, true},   /* log2(e) */
    {{0xc90fdaa22168c234, 0x4000}, true, true},   /* pi */
    {{0x9a209a84fbcff798, 0x3ffd}, true, true},   /* log10(2) */
    {{0xb17217f7d1cf79ab, 0x3ffe}, true, true},   /* ln(2) */
    {{0, 0}, false, false},                       /* 0 */
};

static int fld_constant(PortableCtx *c)
{
    unsigned n = c->in->entry->arg;
    X86Reg80 v = constants[n].v;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    v.sig += (x.env.rounding == ROUND_NEAREST && constants[n].nearest) ||
             (x.env.rounding == ROUND_UP && constants[n].up);
    push_checked(&x, v);
    return PORTABLE_OK;
}

/* ---- stores ---- */

/* A store happens unless an exception keeps it back: overflow and underflow do, too, and are then
 * not inexact as well (SDM 1 8.5.6). */
static bool store_ends(X87 *x)
{
    unsigned kept = x->env.flags & (FLOAT_O | FLOAT_U) & ~x->env.masked;

    if (kept) {
        x->env.flags &= ~(unsigned)FLOAT_P;
        x->env.up = false;
    }
    return x87_end(x) && !kept;
}

enum { POP = 1 }; /* ARG */

static void store_bytes(X87 *x, const void *v, bool pop)
{
    memcpy(x->st->mem, v, x->c->in->mem_size);
    x->st->mem_written = true;
    if (pop) {
        x87_pop(x);
    }
}

/* FST, FSTP to memory of 4, 8, 10 bytes. */
static int fst_memory(PortableCtx *c)
{
    unsigned size = c->in->mem_size;
    uint8_t bytes[10];
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    bool empty = x87_empty(&x, 0);
    if (empty && !x87_underflow(&x)) {
        return PORTABLE_OK;
    }
    FloatNum n = empty ? float_indefinite() : x87_get(&x, 0);
    X86Reg80 raw = empty ? float_pack80(n) : x87_raw(&x, 0);
    if (size == 10) {
        memcpy(bytes, &raw.sig, 8);
        memcpy(bytes + 8, &raw.exp, 2);
    } else {
        n.denormal = false; /* not flagged here */
        n = float_convert(&x.env, size == 4 ? &float_single : &float_double, n);
    }
    if (!empty && !store_ends(&x)) {
        return PORTABLE_OK;
    }
    if (size == 4) {
        uint32_t v = float_pack32(n);
        memcpy(bytes, &v, 4);
    } else if (size == 8) {
        uint64_t v = float_pack64(n);
        memcpy(bytes, &v, 8);
    }
    store_bytes(&x, bytes, c->in->entry->arg & POP);
    return PORTABLE_OK;
}

/* FST, FSTP to a register. */
static int fst_register(PortableCtx *c)
{
    unsigned to = c->in->rm;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    if (!x87_missing(&x, 1, to, c->in->entry->arg & POP)) {
        x87_end(&x);
        x87_set_raw(&x, to, x87_raw(&x, 0));
        if (c->in->entry->arg & POP) {
            x87_pop(&x);
        }
    }
    return PORTABLE_OK;
}

enum { TRUNCATE = 2 }; /* ARG: FISTTP */

static int fist(PortableCtx *c)
{
    unsigned bits = 8u * c->in->mem_size;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    bool empty = x87_empty(&x, 0);
    if (empty && !x87_underflow(&x)) {
        return PORTABLE_OK;
    }
    x.env.rounding = c->in->entry->arg & TRUNCATE ? ROUND_ZERO : x.env.rounding;
    int64_t v = float_to_int(&x.env, empty ? float_indefinite() : x87_get(&x, 0), bits);
    if (empty || store_ends(&x)) {
        store_bytes(&x, &v, c->in->entry->arg & POP);
    }
    return PORTABLE_OK;
}

#define BCD_LIMIT 1000000000000000000ll

static int fbstp(PortableCtx *c)
{
    static const uint8_t indefinite[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
    uint8_t bytes[10];
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    bool empty = x87_empty(&x, 0);
    if (empty && !x87_underflow(&x)) {
        return PORTABLE_OK;
    }
    FloatNum n = empty ? float_indefinite() : x87_get(&x, 0);
    FloatEnv trial = x.env;
    int64_t v = float_to_int(&trial, n, 64);
    memcpy(bytes, indefinite, sizeof bytes);
    if (v <= -BCD_LIMIT || v >= BCD_LIMIT || (trial.flags & FLOAT_I)) {
        x.env.flags |= FLOAT_I;
    } else {
        uint64_t rest = (uint64_t)(v < 0 ? -v : v);
        x.env = trial;
        for (unsigned i = 0; i < 9; i++, rest /= 100) {
            bytes[i] = (uint8_t)(rest / 10 % 10 << 4 | rest % 10);
        }
        bytes[9] = n.sign ? 0x80 : 0;
    }
    if (empty || store_ends(&x)) {
        store_bytes(&x, bytes, true);
    }
    return PORTABLE_OK;
}

/* ---- moves within the stack ---- */

static int fxch(PortableCtx *c)
{
    unsigned i = c->in->rm;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    if (x87_empty(&x, 0) || x87_empty(&x, i)) {
        if (!x87_underflow(&x)) {
            return PORTABLE_OK;
        }
        for (unsigned k = 0; k < 2; k++) {
            if (x87_empty(&x, k ? i : 0)) {
                x87_set(&x, k ? i : 0, float_indefinite());
            }
        }
    } else {
        x87_end(&x);
    }
    X86Reg80 a = x87_raw(&x, 0), b = x87_raw(&x, i);
    x87_set_raw(&x, 0, b);
    x87_set_raw(&x, i, a);
    return PORTABLE_OK;
}

/* ARG: the condition code. */
static int fcmov(PortableCtx *c)
{
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    if (x87_empty(&x, 0) || x87_empty(&x, c->in->rm)) {
        if (x87_underflow(&x)) {
            x87_set(&x, 0, float_indefinite());
        }
        return PORTABLE_OK;
    }
    if (portable_condition(c->st->flags, c->in->entry->arg)) {
        x87_set_raw(&x, 0, x87_raw(&x, c->in->rm));
    }
    return PORTABLE_OK;
}

static int ffree(PortableCtx *c)
{
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    x87_end(&x);
    c->st->ftw &= (uint8_t) ~(1u << x87_index(&x, c->in->rm));
    if (c->in->entry->arg & POP) {
        x87_pop(&x);
    }
    return PORTABLE_OK;
}

/* ---- control ---- */

static int fnop(PortableCtx *c)
{
    return c->st->fsw & FSW_ES ? EXC_MF : PORTABLE_OK;
}

static int ignored(PortableCtx *c) /* FENI, FDISI, FSETPM of former coprocessors */
{
    (void)c;
    return PORTABLE_OK;
}

static int fldcw(PortableCtx *c)
{
    if (c->st->fsw & FSW_ES) {
        return EXC_MF;
    }
    c->st->fcw = (uint16_t)((portable_get_rm(c, 2) & 0x1f7f) | 0x40);
    x87_summary(c->st);
    return PORTABLE_OK;
}

static int fnstcw(PortableCtx *c)
{
    portable_set_rm(c, 2, c->st->fcw);
    return PORTABLE_OK;
}

static int fnstsw(PortableCtx *c)
{
    if (portable_is_mem(c)) {
        portable_set_rm(c, 2, c->st->fsw);
    } else {
        portable_set_gpr(c, R_RAX, 2, c->st->fsw);
    }
    return PORTABLE_OK;
}

static int fnclex(PortableCtx *c)
{
    c->st->fsw &= 0x7f00;
    return PORTABLE_OK;
}

static int fninit(PortableCtx *c)
{
    c->st->fcw = 0x37f;
    c->st->fsw = 0;
    c->st->ftw = 0;
    return PORTABLE_OK;
}

enum { CC_B = 2, CC_E = 4, CC_BE = 6, CC_P = 10 };

const PortableEntry portable_x87[] = {
    {"fld", .fn = fld},
    {"flds", .fn = fld},
    {"fldl", .fn = fld},
    {"fldt", .fn = fld},
    {"filds", .fn = fild},
    {"fildl", .fn = fild},
    {"fildll", .fn = fild},
    {"fbld", .fn = fbld},
    {"fld1", .fn = fld_constant, .arg = 0},
    {"fldl2t", .fn = fld_constant, .arg = 1},
    {"fldl2e", .fn = fld_constant, .arg = 2},
    {"fldpi", .fn = fld_constant, .arg = 3},
    {"fldlg2", .fn = fld_constant, .arg = 4},
    {"fldln2", .fn = fld_constant, .arg = 5},
    {"fldz", .fn = fld_constant, .arg = 6},
    {"fsts", .fn = fst_memory},
    {"fstl", .fn = fst_memory},
    {"fstps", .fn = fst_memory, .arg = POP},
    {"fstpl", .fn = fst_memory, .arg = POP},
    {"fstpt", .fn = fst_memory, .arg = POP},
    {"fst", .fn = fst_register},
    {"fstp", .fn = fst_register, .arg = POP},
    {"fists", .fn = fist},
    {"fistl", .fn = fist},
    {"fistps", .fn = fist, .arg = POP},
    {"fistpl", .fn = fist, .arg = POP},
    {"fistpll", .fn = fist, .arg = POP},
    {"fisttps", .fn = fist, .arg = POP | TRUNCATE},
    {"fisttpl", .fn = fist, .arg = POP | TRUNCATE},
    {"fisttpll", .fn = fist, .arg = POP | TRUNCATE},
    {"fbstp", .fn = fbstp},
    {"fxch", .fn = fxch},
    {"fcmovb", .fn = fcmov, .arg = CC_B},
    {"fcmove", .fn = fcmov, .arg = CC_E},
    {"fcmovbe", .fn = fcmov, .arg = CC_BE},
    {"fcmovu", .fn = fcmov, .arg = CC_P},
    {"fcmovnb", .fn = fcmov, .arg = CC_B | 1},
    {"fcmovne", .fn = fcmov, .arg = CC_E | 1},
    {"fcmovnbe", .fn = fcmov, .arg = CC_BE | 1},
    {"fcmovnu", .fn = fcmov, .arg = CC_P | 1},
    {"ffree", .fn = ffree},
    {"ffreep", .fn = ffree, .arg = POP},
    {"fnop", .fn = fnop},
    {"fwait", .fn = fnop},
    {"feni", .fn = ignored},
    {"fdisi", .fn = ignored},
    {"fsetpm", .fn = ignored},
    {"fldcw", .fn = fldcw},
    {"fnstcw", .fn = fnstcw},
    {"fnstsw", .fn = fnstsw},
    {"fnstsw ax", .fn = fnstsw},
    {"fnclex", .fn = fnclex},
    {"fninit", .fn = fninit},
    {0},
};
