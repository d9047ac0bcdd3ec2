/*
 * x87: arithmetic and comparison (SDM 1 8.3; SDM 2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/x87.h"
#include "target-x86/portable/x87_functions.h"

/* ARG of arithmetic: the operation, and whether the operands change places. */
enum { OP_ADD, OP_MUL, OP_SUB, OP_DIV, OP_MASK = 3, REVERSED = 4, POP = 8 };

/* The memory operand of the D8..DF rows that have one. */
static FloatNum memory_operand(const X87 *x)
{
    const X86PortableInsn *in = x->c->in;
    uint64_t v = portable_get_rm(x->c, in->mem_size);
    FloatEnv exact = {.masked = FLOAT_ALL};

    switch (in->row->opcode) {
    case 0xd8:
        return float_unpack32(&x->env, (uint32_t)v);
    case 0xdc:
        return float_unpack64(&x->env, v);
    default:
        return float_from_int(&exact, &float_extended, sign_extend(v, in->mem_size));
    }
}

static FloatNum operate(X87 *x, unsigned op, FloatNum a, FloatNum b)
{
    static FloatNum (*const operations[])(FloatEnv *, const FloatFormat *, FloatNum, FloatNum) = {
        [OP_ADD] = float_add, [OP_MUL] = float_mul, [OP_SUB] = float_sub, [OP_DIV] = float_div};

    return op & REVERSED ? operations[op & OP_MASK](&x->env, &x->format, b, a)
                         : operations[op & OP_MASK](&x->env, &x->format, a, b);
}

/* D8: ST(0) with ST(i) or memory; DC and DE: ST(i) with ST(0). */
static int arithmetic(PortableCtx *c)
{
    const X86PortableInsn *in = c->in;
    unsigned arg = in->entry->arg, pops = arg & POP ? 1 : 0;
    bool mem = in->mem_size;
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    bool to_other = !mem && in->row->opcode != 0xd8;
    unsigned dst = to_other ? in->rm : 0, src = mem || to_other ? 0 : in->rm;
    if (x87_empty(&x, dst) || x87_empty(&x, src)) {
        if (x87_underflow(&x)) {
            x87_set(&x, dst, float_indefinite());
            if (pops) {
                x87_pop(&x);
            }
        }
        return PORTABLE_OK;
    }
    FloatNum b = mem ? memory_operand(&x) : x87_get(&x, src);
    x87_deliver(&x, dst, operate(&x, arg, x87_get(&x, dst), b), pops);
    return PORTABLE_OK;
}

/* ---- comparison ---- */

/* ARG: pops, and which NaNs are invalid; the result goes to C3 C2 C0 or, of the register forms with
 * TO_EFLAGS, to EFLAGS (FCOMI is the name of a memory form, too). */
enum { POPS = 3, QUIET = 4, TO_EFLAGS = 8 };

static void compare_result(X87 *x, FloatOrder o, unsigned arg)
{
    static const uint16_t codes[] = {[FLOAT_LESS] = FSW_C0,
                                     [FLOAT_EQUAL] = FSW_C3,
                                     [FLOAT_GREATER] = 0,
                                     [FLOAT_UNORDERED] = FSW_C0 | FSW_C2 | FSW_C3};
    static const uint32_t flags[] = {[FLOAT_LESS] = IR_FL_C,
                                     [FLOAT_EQUAL] = IR_FL_Z,
                                     [FLOAT_GREATER] = 0,
                                     [FLOAT_UNORDERED] = IR_FL_Z | IR_FL_P | IR_FL_C};

    if ((arg & TO_EFLAGS) && !x->c->in->mem_size) {
        portable_set_flags(x->c, IR_FL_ALL, flags[o]);
    } else {
        x->st->fsw = (uint16_t)((x->st->fsw & ~FSW_CC) | codes[o]);
    }
    for (unsigned i = arg & POPS; i; i--) {
        x87_pop(x);
    }
}

static int compare(PortableCtx *c)
{
    const X86PortableInsn *in = c->in;
    unsigned arg = in->entry->arg;
    unsigned with = (arg & POPS) == 2 ? 1 : in->rm; /* FCOMPP and FUCOMPP have one form */
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    if (x87_empty(&x, 0) || (!in->mem_size && x87_empty(&x, with))) {
        if (x87_underflow(&x)) {
            compare_result(&x, FLOAT_UNORDERED, arg);
        }
        return PORTABLE_OK;
    }
    FloatNum b = in->mem_size ? memory_operand(&x) : x87_get(&x, with);
    FloatOrder o = float_compare(&x.env, x87_get(&x, 0), b, !(arg & QUIET));
    if (x87_end(&x)) {
        compare_result(&x, o, arg);
    }
    return PORTABLE_OK;
}

static int ftst(PortableCtx *c)
{
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    if (x87_empty(&x, 0)) {
        if (x87_underflow(&x)) {
            compare_result(&x, FLOAT_UNORDERED, 0);
        }
        return PORTABLE_OK;
    }
    FloatOrder o = float_compare(&x.env, x87_get(&x, 0), float_zero(false), true);
    if (x87_end(&x)) {
        compare_result(&x, o, 0);
    }
    return PORTABLE_OK;
}

/* The class in C3 C2 C0, the sign in C1, also of an empty register. */
static int fxam(PortableCtx *c)
{
    static const uint16_t codes[] = {[FLOAT_ZERO] = FSW_C3,
                                     [FLOAT_FINITE] = FSW_C2,
                                     [FLOAT_INF] = FSW_C2 | FSW_C0,
                                     [FLOAT_NAN] = FSW_C0,
                                     [FLOAT_UNSUPPORTED] = 0};
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    FloatNum a = x87_get(&x, 0);
    uint16_t code = x87_empty(&x, 0) ? FSW_C3 | FSW_C0
                    : a.denormal     ? FSW_C3 | FSW_C2
                                     : codes[a.kind];
    c->st->fsw = (uint16_t)((c->st->fsw & ~FSW_CC) | code | (a.sign ? FSW_C1 : 0));
    return PORTABLE_OK;
}

/* ---- one operand ---- */

static int fchs_fabs(PortableCtx *c)
{
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    if (!x87_missing(&x, 1, 0, 0)) {
        X86Reg80 v = x87_raw(&x, 0);
        v.exp = c->in->entry->arg ? v.exp & 0x7fff : v.exp ^ 0x8000;
        x87_end(&x);
        x87_set_raw(&x, 0, v);
    }
    return PORTABLE_OK;
}

static void fsqrt(X87 *x)
{
    if (!x87_missing(x, 1, 0, 0)) {
        x87_deliver(x, 0, float_sqrt(&x->env, &x->format, x87_get(x, 0)), 0);
    }
}

static void frndint(X87 *x)
{
    if (!x87_missing(x, 1, 0, 0)) {
        FloatNum a = x87_get(x, 0);
        if (!float_is_nan(&a)) {
            float_denormals(&x->env, &a, &a);
        }
        x87_deliver(x, 0, float_round_int(&x->env, &float_extended, a), 0);
    }
}

/* ST(0) * 2^ST(1), the exponent truncated. */
static FloatNum scale(X87 *x, FloatNum a, FloatNum b)
{
    enum { FAR = 0x10000 }; /* beyond every exponent there is */

    if (float_is_nan(&a) || float_is_nan(&b)) {
        return float_nan(&x->env, a, b);
    }
    if (b.kind == FLOAT_INF && a.kind == (b.sign ? FLOAT_INF : FLOAT_ZERO)) {
        x->env.flags |= FLOAT_I;
        return float_indefinite();
    }
    float_denormals(&x->env, &a, &b);
    if (b.kind == FLOAT_INF) {
        return b.sign ? float_zero(a.sign) : float_inf(a.sign);
    }
    if (a.kind != FLOAT_FINITE) {
        return a;
    }
    int by = 0;
    if (b.kind == FLOAT_FINITE && b.exp >= 0) {
        by = b.exp >= 16 ? FAR : (int)(b.sig >> (63 - b.exp));
        by = b.sign ? -by : by;
    }
    return float_round(&x->env, &float_extended, a.sign, a.exp + by, (u128)a.sig << 64);
}

static void fscale(X87 *x)
{
    if (!x87_missing(x, 2, 0, 0)) {
        x87_deliver(x, 0, scale(x, x87_get(x, 0), x87_get(x, 1)), 0);
    }
}

/* The exponent to ST(0), then the significand pushed. */
static void fxtract(X87 *x)
{
    FloatNum a = x87_get(x, 0), exponent, significand = a;
    FloatEnv exact = {.masked = FLOAT_ALL};

    if (x87_empty(x, 0) || !x87_empty(x, 7)) {
        if (x87_empty(x, 0) ? x87_underflow(x) : x87_overflow(x)) {
            x87_set(x, 0, float_indefinite());
            x87_push(x, float_pack80(float_indefinite()));
        }
        return;
    }
    if (float_is_nan(&a)) {
        exponent = significand = float_nan(&x->env, a, a);
    } else if (a.kind == FLOAT_INF) {
        exponent = float_inf(false);
    } else if (a.kind == FLOAT_ZERO) {
        x->env.flags |= FLOAT_Z;
        exponent = float_inf(true);
    } else {
        float_denormals(&x->env, &a, &a);
        exponent = float_from_int(&exact, &float_extended, a.exp);
        significand.exp = 0;
    }
    if (x87_end(x)) {
        x87_set(x, 0, exponent);
        x87_push(x, float_pack80(significand));
    }
}

/* ---- remainders ---- */

static void set_cc(X87 *x, uint16_t mask, uint16_t value)
{
    x->st->fsw = (uint16_t)((x->st->fsw & ~mask) | value);
}

/* ST(0) modulo ST(1), exactly; of exponents that are 64 or more apart only a step towards it, with
 * C2 set. The low bits of the quotient, if there is one, go to C0 C3 C1. NEAREST: FPREM1. */
static void remainder_of(X87 *x, bool nearest)
{
    FloatNum a = x87_get(x, 0), b = x87_get(x, 1), r = a;
    uint64_t q = 0;
    bool partial = false, special = true;

    if (x87_missing(x, 2, 0, 0)) {
        return;
    }
    if (float_is_nan(&a) || float_is_nan(&b)) {
        r = float_nan(&x->env, a, b);
    } else if (a.kind == FLOAT_INF || b.kind == FLOAT_ZERO) {
        x->env.flags |= FLOAT_I;
        r = float_indefinite();
    } else {
        special = false;
        float_denormals(&x->env, &a, &b);
        if (a.kind == FLOAT_FINITE && b.kind == FLOAT_FINITE) {
            partial = a.exp - b.exp >= 64;
            r = partial ? x87_remainder_step(x, a, b) : x87_remainder(x, a, b, nearest, &q);
        } else if (a.kind == FLOAT_FINITE) { /* by infinity */
            r = float_round(&x->env, &float_extended, a.sign, a.exp, (u128)a.sig << 64);
        }
    }
    if (x87_end(x)) {
        set_cc(x, FSW_C1 | FSW_C2, (partial ? FSW_C2 : 0) | (q & 1 ? FSW_C1 : 0));
        if (!special && !partial) {
            set_cc(x, FSW_C0 | FSW_C3, (q & 2 ? FSW_C3 : 0) | (q & 4 ? FSW_C0 : 0));
        }
        x87_set(x, 0, r);
    }
}

static void fprem(X87 *x)
{
    remainder_of(x, false);
}

static void fprem1(X87 *x)
{
    remainder_of(x, true);
}

static void fdecstp(X87 *x)
{
    x->st->fsw = (uint16_t)((x->st->fsw & ~(7u << FSW_TOP_SHIFT | FSW_C1)) | x87_index(x, 7)
                                                                                 << FSW_TOP_SHIFT);
}

static void fincstp(X87 *x)
{
    x->st->fsw = (uint16_t)((x->st->fsw & ~(7u << FSW_TOP_SHIFT | FSW_C1)) | x87_index(x, 1)
                                                                                 << FSW_TOP_SHIFT);
}

/* D9 F0..FF: two rows of the table, by modrm.rm. */
static int d9_group(PortableCtx *c)
{
    static void (*const functions[16])(X87 *) = {
        x87_f2xm1, x87_fyl2x,   x87_fptan, x87_fpatan,  fxtract, fprem1, fdecstp,  fincstp,
        fprem,     x87_fyl2xp1, fsqrt,     x87_fsincos, frndint, fscale, x87_fsin, x87_fcos,
    };
    X87 x;

    if (!x87_begin(&x, c)) {
        return EXC_MF;
    }
    functions[c->in->entry->arg + (c->in->rm & 7)](&x);
    return PORTABLE_OK;
}

/* Memory forms by suffix: single, double, 32-bit and 16-bit integer. */
#define MEMORY(name, fn_, arg_)                                                                    \
    {name "s", .fn = fn_, .arg = (arg_)}, {name "l", .fn = fn_, .arg = (arg_)},                    \
        {name "il", .fn = fn_, .arg = (arg_)},                                                     \
    {                                                                                              \
        name "i", .fn = fn_, .arg = (arg_)                                                         \
    }
#define ARITHMETIC(name, arg_)                                                                     \
    MEMORY(name, arithmetic, arg_), {name, .fn = arithmetic, .arg = (arg_)},                       \
    {                                                                                              \
        name "p", .fn = arithmetic, .arg = (arg_) | POP                                            \
    }

const PortableEntry portable_x87_arith[] = {
    ARITHMETIC("fadd", OP_ADD),
    ARITHMETIC("fmul", OP_MUL),
    ARITHMETIC("fsub", OP_SUB),
    ARITHMETIC("fsubr", OP_SUB | REVERSED),
    ARITHMETIC("fdiv", OP_DIV),
    ARITHMETIC("fdivr", OP_DIV | REVERSED),
    {"fcoms", .fn = compare, .arg = 0},
    {"fcoml", .fn = compare, .arg = 0},
    {"fcomil", .fn = compare, .arg = 0},
    MEMORY("fcomp", compare, 1),
    {"fcom", .fn = compare, .arg = 0},
    {"fcomp", .fn = compare, .arg = 1},
    {"fcompp", .fn = compare, .arg = 2},
    {"fucom", .fn = compare, .arg = QUIET | 0},
    {"fucomp", .fn = compare, .arg = QUIET | 1},
    {"fucompp", .fn = compare, .arg = QUIET | 2},
    {"fcomi", .fn = compare, .arg = TO_EFLAGS | 0},
    {"fcomip", .fn = compare, .arg = TO_EFLAGS | 1},
    {"fucomi", .fn = compare, .arg = TO_EFLAGS | QUIET | 0},
    {"fucomip", .fn = compare, .arg = TO_EFLAGS | QUIET | 1},
    {"ftst", .fn = ftst},
    {"fxam", .fn = fxam},
    {"fchs", .fn = fchs_fabs, .arg = 0},
    {"fabs", .fn = fchs_fabs, .arg = 1},
    {"f2xm1..", .fn = d9_group, .arg = 0},
    {"fprem..", .fn = d9_group, .arg = 8},
    {0},
};
