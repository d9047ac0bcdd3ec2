/*
 * Moves between general registers and memory, conditional ones, conversions of width, fences.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdatomic.h>

#include "target-x86/portable/impl.h"

static int mov(PortableCtx *c)
{
    const InsnRow *r = c->in->row;
    unsigned size = portable_op_size(c);

    if (r->reg == K_NONE) {
        portable_set_rm(c, size, (uint64_t)c->in->imm);
    } else if (r->acc & IR_ACC_W) {
        portable_set_rm(c, size, portable_get_gpr(c, c->in->reg, size));
    } else {
        portable_set_gpr(c, c->in->reg, size, portable_get_rm(c, size));
    }
    return PORTABLE_OK;
}

/* MOVZX, MOVSX, MOVSXD: ARG 1 extends the sign. */
static int mov_extend(PortableCtx *c)
{
    unsigned dst = portable_size(c, c->in->row->reg), src = portable_op_size(c);
    uint64_t v;

    src = src > dst ? dst : src; /* MOVSXD with a 16-bit operand reads 16 */
    v = portable_get_rm(c, src);
    portable_set_gpr(c, c->in->reg, dst, c->in->entry->arg ? (uint64_t)sign_extend(v, src) : v);
    return PORTABLE_OK;
}

static int movbe(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    bool store = c->in->row->acc & IR_ACC_W;
    uint64_t v = store ? portable_get_gpr(c, c->in->reg, size) : portable_get_rm(c, size);

    v = __builtin_bswap64(v) >> (64 - 8 * size);
    if (store) {
        portable_set_rm(c, size, v);
    } else {
        portable_set_gpr(c, c->in->reg, size, v);
    }
    return PORTABLE_OK;
}

/* 16 bits are undefined (SDM 2A "BSWAP"): processors clear them. */
static int bswap(PortableCtx *c)
{
    unsigned size = c->in->size;
    uint64_t v = size == 2 ? 0 : portable_get_gpr(c, c->in->rm, size);

    portable_set_gpr(c, c->in->rm, size, __builtin_bswap64(v) >> (64 - 8 * size));
    return PORTABLE_OK;
}

static int xchg(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t a = portable_get_rm(c, size), b = portable_get_gpr(c, c->in->reg, size);

    portable_set_rm(c, size, b);
    portable_set_gpr(c, c->in->reg, size, a);
    return PORTABLE_OK;
}

/* The memory operand is read, and a 32-bit register written, whatever the condition. */
static int cmov(PortableCtx *c)
{
    unsigned size = portable_op_size(c);
    uint64_t old = portable_get_gpr(c, c->in->reg, size), v = portable_get_rm(c, size);
    bool met = portable_condition(c->st->flags, c->in->opcode & 15);

    portable_set_gpr(c, c->in->reg, size, met ? v : old);
    return PORTABLE_OK;
}

static int setcc(PortableCtx *c)
{
    portable_set_rm(c, 1, portable_condition(c->st->flags, c->in->opcode & 15));
    return PORTABLE_OK;
}

static int cbw(PortableCtx *c) /* CBW, CWDE, CDQE */
{
    unsigned size = c->in->size;

    portable_set_gpr(c, R_RAX, size,
                     (uint64_t)sign_extend(portable_get_gpr(c, R_RAX, size / 2), size / 2));
    return PORTABLE_OK;
}

static int cwd(PortableCtx *c) /* CWD, CDQ, CQO */
{
    unsigned size = c->in->size;
    bool negative = sign_extend(portable_get_gpr(c, R_RAX, size), size) < 0;

    portable_set_gpr(c, R_RDX, size, negative ? UINT64_MAX : 0);
    return PORTABLE_OK;
}

enum { AH = 16, LAHF_FLAGS = IR_FL_ALL & ~IR_FL_O };

static int sahf(PortableCtx *c)
{
    portable_set_flags(c, LAHF_FLAGS, (uint32_t)portable_get_gpr(c, AH, 1));
    return PORTABLE_OK;
}

static int lahf(PortableCtx *c)
{
    portable_set_gpr(c, AH, 1, (c->st->flags & LAHF_FLAGS) | 2);
    return PORTABLE_OK;
}

static int fence(PortableCtx *c)
{
    (void)c;
    atomic_thread_fence(memory_order_seq_cst);
    return PORTABLE_OK;
}

#define CONDITIONS(X)                                                                              \
    X("o")                                                                                         \
    X("no")                                                                                        \
    X("b")                                                                                         \
    X("ae")                                                                                        \
    X("e") X("ne") X("be") X("a") X("s") X("ns") X("p") X("np") X("l") X("ge") X("le") X("g")
#define CMOV(cc)  {"cmov" cc, .fn = cmov},
#define SETCC(cc) {"set" cc, .fn = setcc},

const PortableEntry portable_move[] = {
    /* clang-format off */
    CONDITIONS(CMOV)
    CONDITIONS(SETCC)
    /* clang-format on */
    {"mov", .fn = mov},
    {"movnti", .fn = mov},
    {"movzx", .fn = mov_extend, .arg = 0},
    {"movsx", .fn = mov_extend, .arg = 1},
    {"movsxd", .fn = mov_extend, .arg = 1},
    {"movbe", .fn = movbe},
    {"bswap", .fn = bswap},
    {"xchg", .fn = xchg},
    {"cbw", .fn = cbw},
    {"cwd", .fn = cwd},
    {"sahf", .fn = sahf},
    {"lahf", .fn = lahf},
    {"lfence", .fn = fence},
    {"mfence", .fn = fence},
    {"sfence", .fn = fence},
    {0},
};
