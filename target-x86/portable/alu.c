/*
 * Integer arithmetic and logic (SDM 2, each instruction's "Operation"; flags: SDM 1 appendix A).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/impl.h"

typedef unsigned __int128 u128;

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST };

/* Flags of A + B + CARRY, or of A - B - CARRY: then B comes complemented and CARRY inverted. */
static uint64_t add_flags(uint64_t a, uint64_t b, bool carry, unsigned size, uint32_t *fl)
{
    uint64_t mask = size_mask(size);
    u128 sum = (u128)(a & mask) + (b & mask) + carry;
    uint64_t r = (uint64_t)sum & mask;
    uint64_t sign = 1ull << (8 * size - 1);

    *fl = portable_szp(r, size);
    *fl |= sum >> (8 * size) ? IR_FL_C : 0;
    *fl |= (a ^ b ^ r) & 0x10 ? IR_FL_A : 0;
    *fl |= ~(a ^ b) & (a ^ r) & sign ? IR_FL_O : 0;
    return r;
}

static uint64_t sub_flags(uint64_t a, uint64_t b, bool borrow, unsigned size, uint32_t *fl)
{
    uint64_t r = add_flags(a, ~b, !borrow, size, fl);

    *fl ^= IR_FL_C | IR_FL_A;
    return r;
}

static uint64_t compute(unsigned op, uint64_t a, uint64_t b, bool carry, unsigned size,
                        uint32_t *fl)
{
    uint64_t r;

    switch (op) {
    case ALU_ADD:
        return add_flags(a, b, false, size, fl);
    case ALU_ADC:
        return add_flags(a, b, carry, size, fl);
    case ALU_SUB:
    case ALU_CMP:
        return sub_flags(a, b, false, size, fl);
    case ALU_SBB:
        return sub_flags(a, b, carry, size, fl);
    case ALU_OR:
        r = a | b;
        break;
    case ALU_XOR:
        r = a ^ b;
        break;
    default:
        r = a & b;
        break;
    }
    *fl = portable_szp(r, size);
    return r;
}

/* The eight two-operand operations and TEST, in all their forms. */
static int alu(PortableCtx *c)
{
    const InsnRow *r = c->in->row;
    unsigned op = c->in->entry->arg, size = portable_op_size(c);
    bool to_rm = r->rm != K_NONE, to_reg = false;
    uint64_t a, b;
    uint32_t fl;

    if (!to_rm) { /* accumulator, immediate */
        a = portable_get_gpr(c, R_RAX, size);
        b = (uint64_t)c->in->imm;
    } else if (r->reg == K_NONE) {
        a = portable_get_rm(c, size);
        b = (uint64_t)c->in->imm;
    } else {
        to_reg = op != ALU_TEST && (r->opcode & 2);
        a = to_reg ? portable_get_gpr(c, c->in->reg, size) : portable_get_rm(c, size);
        b = to_reg ? portable_get_rm(c, size) : portable_get_gpr(c, c->in->reg, size);
    }
    uint64_t v = compute(op, a, b, portable_flag(c, IR_FL_C), size, &fl);
    portable_set_flags(c, IR_FL_ALL, fl);
    if (op == ALU_CMP || op == ALU_TEST) {
        return PORTABLE_OK;
    }
    if (to_reg) {
        portable_set_gpr(c, c->in->reg, size, v);
    } else if (to_rm) {
        portable_set_rm(c, size, v);
    } else {
        portable_set_gpr(c, R_RAX, size, v);
    }
    return PORTABLE_OK;
}

/* INC, DEC: ARG is what is added. */
static int inc_dec(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint32_t fl;
    uint64_t a = portable_get_rm(c, size);
    uint64_t v = c->in->entry->arg == 1 ? add_flags(a, 1, false, size, &fl)
                                        : sub_flags(a, 1, false, size, &fl);

    portable_set_flags(c, IR_FL_ALL & ~IR_FL_C, fl);
    portable_set_rm(c, size, v);
    return PORTABLE_OK;
}

static int neg(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint32_t fl;
    uint64_t v = sub_flags(0, portable_get_rm(c, size), false, size, &fl);

    portable_set_flags(c, IR_FL_ALL, fl);
    portable_set_rm(c, size, v);
    return PORTABLE_OK;
}

static int complement(PortableCtx *c)
{
    unsigned size = portable_op_size(c);

    portable_set_rm(c, size, ~portable_get_rm(c, size));
    return PORTABLE_OK;
}

static int xadd(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint32_t fl;
    uint64_t a = portable_get_rm(c, size), b = portable_get_gpr(c, c->in->reg, size);
    uint64_t v = add_flags(a, b, false, size, &fl);

    portable_set_flags(c, IR_FL_ALL, fl);
    portable_set_gpr(c, c->in->reg, size, a);
    portable_set_rm(c, size, v);
    return PORTABLE_OK;
}

/* The destination is written in either case; a 32-bit register loses its upper half only when it
 * is the one that changes. */
static int cmpxchg(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint32_t fl;
    uint64_t dest = portable_get_rm(c, size);

    sub_flags(portable_get_gpr(c, R_RAX, size), dest, false, size, &fl);
    portable_set_flags(c, IR_FL_ALL, fl);
    if (fl & IR_FL_Z) {
        portable_set_rm(c, size, portable_get_gpr(c, c->in->reg, size));
    } else {
        portable_set_gpr(c, R_RAX, size, dest);
        if (portable_is_mem(c)) {
            c->st->mem_written = true;
        }
    }
    return PORTABLE_OK;
}

/* CMPXCHG8B, CMPXCHG16B: EDX:EAX or RDX:RAX against memory. */
static int cmpxchg_pair(PortableCtx *c)
{
    unsigned half = c->in->mem_size / 2;
    uint64_t v[2] = {0, 0};

    if (half == 8 && c->st->mem_addr % 16) {
        return EXC_GP;
    }
    __builtin_memcpy(&v[0], c->st->mem, half);
    __builtin_memcpy(&v[1], c->st->mem + half, half);
    bool equal =
        v[0] == portable_get_gpr(c, R_RAX, half) && v[1] == portable_get_gpr(c, R_RDX, half);
    if (equal) {
        v[0] = c->st->gpr[R_RBX];
        v[1] = c->st->gpr[R_RCX];
        __builtin_memcpy(c->st->mem, &v[0], half);
        __builtin_memcpy(c->st->mem + half, &v[1], half);
    } else {
        portable_set_gpr(c, R_RAX, half, v[0]);
        portable_set_gpr(c, R_RDX, half, v[1]);
    }
    c->st->mem_written = true;
    portable_set_flags(c, IR_FL_Z, equal ? IR_FL_Z : 0);
    return PORTABLE_OK;
}

/* ADCX, ADOX: ARG is the flag that carries. */
static int add_carry_flag(PortableCtx *c)
{
    unsigned size = portable_op_size(c), flag = c->in->entry->arg;
    u128 sum = (u128)portable_get_gpr(c, c->in->reg, size) + portable_get_rm(c, size) +
               portable_flag(c, flag);

    portable_set_gpr(c, c->in->reg, size, (uint64_t)sum);
    portable_set_flags(c, flag, sum >> (8 * size) ? flag : 0);
    return PORTABLE_OK;
}

/* ---- multiplication and division ---- */

/* The double-width accumulator: AX, or rDX:rAX. */
static void set_wide(PortableCtx *c, unsigned size, uint64_t low, uint64_t high)
{
    if (size == 1) {
        portable_set_gpr(c, R_RAX, 2, (low & 0xff) | high << 8);
    } else {
        portable_set_gpr(c, R_RAX, size, low);
        portable_set_gpr(c, R_RDX, size, high);
    }
}

static void mul_flags(PortableCtx *c, bool overflow)
{
    portable_set_flags(c, IR_FL_C | IR_FL_O, overflow ? IR_FL_C | IR_FL_O : 0);
}

static int mul(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    u128 p = (u128)portable_get_gpr(c, R_RAX, size) * portable_get_rm(c, size);

    set_wide(c, size, (uint64_t)p, (uint64_t)(p >> (8 * size)));
    mul_flags(c, p >> (8 * size));
    return PORTABLE_OK;
}

/* One, two or three operands. */
static int imul(PortableCtx *c)
{
    const InsnRow *r = c->in->row;
    unsigned size = portable_op_size(c);
    int64_t b = sign_extend(portable_get_rm(c, size), size);
    int64_t a =
        r->imm != IMM_NONE
            ? c->in->imm
            : sign_extend(portable_get_gpr(c, r->reg == K_NONE ? R_RAX : c->in->reg, size), size);
    __int128 p = (__int128)a * b;

    if (r->reg == K_NONE) {
        set_wide(c, size, (uint64_t)p, (uint64_t)(p >> (8 * size)));
    } else {
        portable_set_gpr(c, c->in->reg, size, (uint64_t)p);
    }
    mul_flags(c, p != sign_extend((uint64_t)p & size_mask(size), size));
    return PORTABLE_OK;
}

static int mulx(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    u128 p = (u128)portable_get_gpr(c, R_RDX, size) * portable_get_rm(c, size);

    portable_set_gpr(c, c->in->vvvv, size, (uint64_t)p);
    portable_set_gpr(c, c->in->reg, size, (uint64_t)(p >> (8 * size))); /* last: may be the same */
    return PORTABLE_OK;
}

static u128 get_wide(const PortableCtx *c, unsigned size)
{
    if (size == 1) {
        return portable_get_gpr(c, R_RAX, 2);
    }
    return (u128)portable_get_gpr(c, R_RDX, size) << (8 * size) | portable_get_gpr(c, R_RAX, size);
}

static int div_unsigned(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    u128 a = get_wide(c, size);
    uint64_t b = portable_get_rm(c, size);

    if (!b || a / b > size_mask(size)) {
        return EXC_DE;
    }
    set_wide(c, size, (uint64_t)(a / b), (uint64_t)(a % b));
    return PORTABLE_OK;
}

static int div_signed(PortableCtx *c)
{
    unsigned size = portable_op_size(c), spare = 128 - 16 * size;
    __int128 a = (__int128)(get_wide(c, size) << spare) >> spare;
    int64_t b = sign_extend(portable_get_rm(c, size), size);
    bool negative = (a < 0) != (b < 0);

    if (!b) {
        return EXC_DE;
    }
    /* magnitudes: the most negative dividend has no positive counterpart */
    u128 ua = a < 0 ? -(u128)a : (u128)a;
    uint64_t ub = b < 0 ? -(uint64_t)b : (uint64_t)b;
    u128 q = ua / ub;
    uint64_t rem = (uint64_t)(ua % ub);
    if (q > (size_mask(size) >> 1) + negative) {
        return EXC_DE;
    }
    set_wide(c, size, negative ? -(uint64_t)q : (uint64_t)q, a < 0 ? -rem : rem);
    return PORTABLE_OK;
}

/* ---- carry flag ---- */

static int carry_flag(PortableCtx *c) /* CLC, STC, CMC */
{
    uint32_t how = c->in->entry->arg;

    portable_set_flags(c, IR_FL_C, how == 2 ? ~c->st->flags : how);
    return PORTABLE_OK;
}

const PortableEntry portable_alu[] = {
    {"add", .fn = alu, .arg = ALU_ADD},
    {"or", .fn = alu, .arg = ALU_OR},
    {"adc", .fn = alu, .arg = ALU_ADC},
    {"sbb", .fn = alu, .arg = ALU_SBB},
    {"and", .fn = alu, .arg = ALU_AND},
    {"sub", .fn = alu, .arg = ALU_SUB},
    {"xor", .fn = alu, .arg = ALU_XOR},
    {"cmp", .fn = alu, .arg = ALU_CMP},
    {"test", .fn = alu, .arg = ALU_TEST},
    {"inc", .fn = inc_dec, .arg = 1},
    {"dec", .fn = inc_dec, .arg = 0},
    {"neg", .fn = neg},
    {"not", .fn = complement},
    {"xadd", .fn = xadd},
    {"cmpxchg", .fn = cmpxchg},
    {"cmpxchg8b", .fn = cmpxchg_pair},
    {"adcx", .fn = add_carry_flag, .arg = IR_FL_C},
    {"adox", .fn = add_carry_flag, .arg = IR_FL_O},
    {"mul", .fn = mul},
    {"imul", .fn = imul},
    {"mulx", .fn = mulx},
    {"div", .fn = div_unsigned},
    {"idiv", .fn = div_signed},
    {"clc", .fn = carry_flag, .arg = 0},
    {"stc", .fn = carry_flag, .arg = IR_FL_C},
    {"cmc", .fn = carry_flag, .arg = 2},
    {0},
};
