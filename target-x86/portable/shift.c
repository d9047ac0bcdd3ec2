/*
 * Shifts and rotates (SDM 2, "RCL/RCR/ROL/ROR", "SAL/SAR/SHL/SHR", "SHLD", "SHRD").
 *
 * OF is defined for counts of 1 only; it is computed for all as if the last step were that one.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/impl.h"

typedef unsigned __int128 u128;

/* In the order of modrm.reg of the shift group; 6 is 4's alias. */
enum { ROL, ROR, RCL, RCR, SHL, SHR, SAR = 7 };

static unsigned count_of(const PortableCtx *c, unsigned size)
{
    const InsnRow *r = c->in->row;
    uint64_t n = r->imm == IMM_B                                           ? (uint64_t)c->in->imm
                 : r->map == 0 && (r->opcode == 0xd0 || r->opcode == 0xd1) ? 1
                                                                           : c->st->gpr[R_RCX];

    return (unsigned)n & (size == 8 ? 63 : 31);
}

static uint32_t bit_flag(uint64_t v, unsigned bit, uint32_t flag)
{
    return v >> bit & 1 ? flag : 0;
}

static int rotate(PortableCtx *c)
{
    unsigned size = portable_op_size(c), bits = 8 * size, n = count_of(c, size);
    bool left = c->in->entry->arg == ROL;
    uint64_t v = portable_get_rm(c, size);
    unsigned m = left ? n % bits : (bits - n % bits) % bits; /* as a left rotate */

    v = m ? (v << m | v >> (bits - m)) & size_mask(size) : v;
    portable_set_rm(c, size, v);
    if (n) {
        uint32_t carry = bit_flag(v, left ? 0 : bits - 1, IR_FL_C);
        uint32_t over = bit_flag(v ^ (left ? v << (bits - 1) : v << 1), bits - 1, IR_FL_O);
        portable_set_flags(c, IR_FL_C | IR_FL_O, carry | over);
    }
    return PORTABLE_OK;
}

/* Rotates through the carry: a value of BITS + 1. */
static int rotate_carry(PortableCtx *c)
{
    unsigned size = portable_op_size(c), bits = 8 * size, n = count_of(c, size);
    bool left = c->in->entry->arg == RCL;
    u128 v = (u128)portable_flag(c, IR_FL_C) << bits | portable_get_rm(c, size);
    unsigned m = left ? n % (bits + 1) : (bits + 1 - n % (bits + 1)) % (bits + 1);

    if (m) {
        v = (v << m | v >> (bits + 1 - m)) & (((u128)1 << (bits + 1)) - 1);
    }
    uint64_t r = (uint64_t)v & size_mask(size);
    portable_set_rm(c, size, r);
    if (n) {
        uint64_t carry = (uint64_t)(v >> bits);
        uint32_t over = left ? bit_flag(carry ^ r >> (bits - 1), 0, IR_FL_O)
                             : bit_flag(r ^ r << 1, bits - 1, IR_FL_O);
        portable_set_flags(c, IR_FL_C | IR_FL_O, (carry ? IR_FL_C : 0) | over);
    }
    return PORTABLE_OK;
}

static int shift(PortableCtx *c)
{
    unsigned size = portable_op_size(c), bits = 8 * size, n = count_of(c, size);
    unsigned kind = c->in->entry->arg;
    uint64_t v = portable_get_rm(c, size), r;
    bool carry, over;

    if (!n) {
        portable_set_rm(c, size, v); /* a 32-bit register is still written */
        return PORTABLE_OK;
    }
    if (kind == SHL) {
        u128 w = (u128)v << n;
        r = (uint64_t)w & size_mask(size);
        carry = w >> bits & 1;
        over = carry != (r >> (bits - 1) & 1);
    } else if (kind == SHR) {
        r = v >> n;
        carry = v >> (n - 1) & 1;
        over = v >> (bits - 1) & 1;
    } else {
        int64_t s = sign_extend(v, size);
        r = (uint64_t)(s >> n);
        carry = s >> (n - 1) & 1;
        over = false;
    }
    portable_set_rm(c, size, r);
    portable_set_flags(c, IR_FL_ALL & ~IR_FL_A,
                       portable_szp(r, size) | (carry ? IR_FL_C : 0) | (over ? IR_FL_O : 0));
    return PORTABLE_OK;
}

/* SHLD, SHRD: 16 bits by more than 16 is undefined; the destination's bits come round again. */
static int shift_double(PortableCtx *c)
{
    unsigned size = portable_op_size(c), bits = 8 * size, n = count_of(c, size);
    uint64_t d = portable_get_rm(c, size), s = portable_get_gpr(c, c->in->reg, size), r;
    bool carry;

    if (!n) {
        portable_set_rm(c, size, d);
        return PORTABLE_OK;
    }
    if (bits == 64) {
        bool left = c->in->entry->arg == SHL;
        r = left ? d << n | s >> (64 - n) : d >> n | s << (64 - n);
        carry = d >> (left ? 64 - n : n - 1) & 1;
    } else {
        u128 w = (u128)d << 2 * bits | (u128)s << bits | d;
        unsigned at = c->in->entry->arg == SHL ? 2 * bits - n : n; /* of the result's bit 0 */
        r = (uint64_t)(w >> at) & size_mask(size);
        carry = w >> (c->in->entry->arg == SHL ? 3 * bits - n : n - 1) & 1;
    }
    portable_set_rm(c, size, r);
    portable_set_flags(c, IR_FL_ALL & ~IR_FL_A,
                       portable_szp(r, size) | (carry ? IR_FL_C : 0) |
                           bit_flag(r ^ d, bits - 1, IR_FL_O));
    return PORTABLE_OK;
}

/* SHLX, SHRX, SARX, RORX: no flags. */
static int shift_plain(PortableCtx *c)
{
    unsigned size = portable_op_size(c), bits = 8 * size, kind = c->in->entry->arg;
    uint64_t v = portable_get_rm(c, size);
    uint64_t count = kind == ROR ? (uint64_t)c->in->imm : c->st->gpr[c->in->vvvv];
    unsigned n = (unsigned)count & (bits - 1);

    if (kind == SHL) {
        v <<= n;
    } else if (kind == SHR) {
        v >>= n;
    } else if (kind == SAR) {
        v = (uint64_t)(sign_extend(v, size) >> n);
    } else if (n) {
        v = v >> n | v << (bits - n);
    }
    portable_set_gpr(c, c->in->reg, size, v);
    return PORTABLE_OK;
}

const PortableEntry portable_shift[] = {
    {"rol", .fn = rotate, .arg = ROL},        {"ror", rotate, .arg = ROR},
    {"rcl", .fn = rotate_carry, .arg = RCL},  {"rcr", rotate_carry, .arg = RCR},
    {"shl", .fn = shift, .arg = SHL},         {"shr", shift, .arg = SHR},
    {"sar", .fn = shift, .arg = SAR},         {"shld", shift_double, .arg = SHL},
    {"shrd", .fn = shift_double, .arg = SHR}, {"shlx", shift_plain, .arg = SHL},
    {"shrx", .fn = shift_plain, .arg = SHR},  {"sarx", shift_plain, .arg = SAR},
    {"rorx", .fn = shift_plain, .arg = ROR},  {0},
};
