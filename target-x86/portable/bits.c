/*
 * Bit tests, scans and counts, BMI1 and BMI2, CRC32, random numbers.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/random.h>

#include "target-x86/portable/impl.h"

enum { BT_TEST, BT_SET, BT_RESET, BT_COMPLEMENT };

/* With a memory operand the bit offset is within it already: the translator moved the address. */
static int bit_test(PortableCtx *c)
{
    unsigned size = portable_op_size(c), op = c->in->entry->arg;
    uint64_t at = c->in->row->imm == IMM_B ? (uint64_t)c->in->imm : c->st->gpr[c->in->reg];
    uint64_t v = portable_get_rm(c, size), bit = 1ull << (at & (8 * size - 1));

    portable_set_flags(c, IR_FL_C, v & bit ? IR_FL_C : 0);
    if (op != BT_TEST) {
        portable_set_rm(c, size, op == BT_SET ? v | bit : op == BT_RESET ? v & ~bit : v ^ bit);
    }
    return PORTABLE_OK;
}

/* BSF, BSR: of 0, the destination stays as it is, as all processors have it. */
static int bit_scan(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t v = portable_get_rm(c, size);

    portable_set_flags(c, IR_FL_Z, v ? 0 : IR_FL_Z);
    if (v) {
        portable_set_gpr(
            c, c->in->reg, size,
            (uint64_t)(c->in->entry->arg ? 63 - __builtin_clzll(v) : __builtin_ctzll(v)));
    }
    return PORTABLE_OK;
}

/* LZCNT, TZCNT */
static int zero_count(PortableCtx *c)
{
    unsigned size = portable_op_size(c), bits = 8 * size;
    uint64_t v = portable_get_rm(c, size);
    unsigned n = !v                  ? bits
                 : c->in->entry->arg ? (unsigned)__builtin_clzll(v) - (64 - bits)
                                     : (unsigned)__builtin_ctzll(v);

    portable_set_gpr(c, c->in->reg, size, n);
    portable_set_flags(c, IR_FL_C | IR_FL_Z, (v ? 0 : IR_FL_C) | (n ? 0 : IR_FL_Z));
    return PORTABLE_OK;
}

static int popcnt(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t v = portable_get_rm(c, size);

    portable_set_gpr(c, c->in->reg, size, (uint64_t)__builtin_popcountll(v));
    portable_set_flags(c, IR_FL_ALL, v ? 0 : IR_FL_Z);
    return PORTABLE_OK;
}

static int andn(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t v = ~portable_get_gpr(c, c->in->vvvv, size) & portable_get_rm(c, size);

    portable_set_gpr(c, c->in->reg, size, v);
    portable_set_flags(c, IR_FL_S | IR_FL_Z | IR_FL_O | IR_FL_C, portable_szp(v, size));
    return PORTABLE_OK;
}

enum { BLS_R, BLS_MSK, BLS_I };

static int lowest_bit(PortableCtx *c)
{
    unsigned size = portable_op_size(c), op = c->in->entry->arg;
    uint64_t v = portable_get_rm(c, size);
    uint64_t r = (op == BLS_R     ? v & (v - 1)
                  : op == BLS_MSK ? v ^ (v - 1)
                                  : v & -v) &
                 size_mask(size);
    uint32_t carry = (op == BLS_I) == (v != 0) ? IR_FL_C : 0;

    portable_set_gpr(c, c->in->vvvv, size, r);
    portable_set_flags(c, IR_FL_S | IR_FL_Z | IR_FL_O | IR_FL_C, portable_szp(r, size) | carry);
    return PORTABLE_OK;
}

static int bextr(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t control = c->st->gpr[c->in->vvvv], v = portable_get_rm(c, size);
    unsigned start = control & 0xff, len = control >> 8 & 0xff;

    v = start < 64 ? v >> start : 0;
    v = len < 64 ? v & ((1ull << len) - 1) : v;
    portable_set_gpr(c, c->in->reg, size, v);
    portable_set_flags(c, IR_FL_Z | IR_FL_C | IR_FL_O, v ? 0 : IR_FL_Z);
    return PORTABLE_OK;
}

static int bzhi(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    unsigned n = c->st->gpr[c->in->vvvv] & 0xff;
    uint64_t v = portable_get_rm(c, size);

    v = n < 8 * size ? v & ((1ull << n) - 1) : v;
    portable_set_gpr(c, c->in->reg, size, v);
    portable_set_flags(c, IR_FL_S | IR_FL_Z | IR_FL_O | IR_FL_C,
                       portable_szp(v, size) | (n >= 8 * size ? IR_FL_C : 0));
    return PORTABLE_OK;
}

/* PDEP, PEXT: ARG 1 extracts. */
static int deposit_extract(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t src = portable_get_gpr(c, c->in->vvvv, size), mask = portable_get_rm(c, size), r = 0;

    for (unsigned low = 0; mask; mask &= mask - 1, low++) {
        unsigned high = (unsigned)__builtin_ctzll(mask);
        r |= c->in->entry->arg ? (src >> high & 1) << low : (src >> low & 1) << high;
    }
    portable_set_gpr(c, c->in->reg, size, r);
    return PORTABLE_OK;
}

/* The Castagnoli polynomial, reflected: 11EDC6F41h. */
static int crc32(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t v = portable_get_rm(c, size);
    uint32_t crc = (uint32_t)c->st->gpr[c->in->reg];

    for (unsigned i = 0; i < 8 * size; i++, v >>= 1) {
        crc = crc >> 1 ^ ((crc ^ v) & 1 ? 0x82f63b78u : 0);
    }
    portable_set_gpr(c, c->in->reg, 8, crc);
    return PORTABLE_OK;
}

/* RDRAND, RDSEED: C clear and 0 when the host has nothing to give. */
static int random_number(PortableCtx *c)
{
    uint64_t v = 0;
    bool got = getrandom(&v, sizeof v, GRND_NONBLOCK) == sizeof v;

    portable_set_gpr(c, c->in->rm, c->in->size, got ? v : 0);
    portable_set_flags(c, IR_FL_ALL, got ? IR_FL_C : 0);
    return PORTABLE_OK;
}

const PortableEntry portable_bits[] = {
    {"bt", .fn = bit_test, .arg = BT_TEST},
    {"bts", .fn = bit_test, .arg = BT_SET},
    {"btr", .fn = bit_test, .arg = BT_RESET},
    {"btc", .fn = bit_test, .arg = BT_COMPLEMENT},
    {"bsf", .fn = bit_scan, .arg = 0},
    {"bsr", .fn = bit_scan, .arg = 1},
    {"tzcnt", .fn = zero_count, .arg = 0},
    {"lzcnt", .fn = zero_count, .arg = 1},
    {"popcnt", .fn = popcnt},
    {"andn", .fn = andn},
    {"blsr", .fn = lowest_bit, .arg = BLS_R},
    {"blsmsk", .fn = lowest_bit, .arg = BLS_MSK},
    {"blsi", .fn = lowest_bit, .arg = BLS_I},
    {"bextr", .fn = bextr},
    {"bzhi", .fn = bzhi},
    {"pdep", .fn = deposit_extract, .arg = 0},
    {"pext", .fn = deposit_extract, .arg = 1},
    {"crc32", .fn = crc32},
    {"rdrand", .fn = random_number},
    {"rdseed", .fn = random_number},
    {0},
};
