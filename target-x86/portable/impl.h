/*
 * What the families of portable expansions share: their table rows, operands and flags.
 *
 * A family is a file with a table of PortableEntry, keyed by the mnemonic in insn_table: forms of
 * one mnemonic that differ in operands only share an entry, whose function looks at the operands.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_PORTABLE_IMPL_H
#define TARGET_X86_PORTABLE_IMPL_H

#include "target-x86/cpu.h"
#include "target-x86/portable/portable.h"

enum { PORTABLE_OK = -1 };

typedef struct PortableCtx {
    const X86PortableInsn *in;
    X86PortableState *st;
} PortableCtx;

/* Returns PORTABLE_OK or an exception vector, having changed nothing but exception flags. */
typedef int PortableFn(PortableCtx *c);
/* D = D op S on the low N bytes (8 or 16). */
typedef void PortableLanes(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm);

typedef struct PortableEntry {
    const char *name;
    PortableFn *fn;
    PortableLanes *lanes; /* for families of vector operations */
    unsigned arg;         /* the function's own */
} PortableEntry;

/* Each ends with a NULL name. */
extern const PortableEntry portable_alu[], portable_shift[], portable_bits[], portable_move[],
    portable_lanes[], portable_shuffle[], portable_vec_move[], portable_crypto[], portable_text[],
    portable_sse_float[], portable_sse_convert[], portable_x87[], portable_x87_arith[];

/* ---- operands ---- */

static inline uint64_t size_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static inline int64_t sign_extend(uint64_t v, unsigned size)
{
    return (int64_t)(v << (64 - 8 * size)) >> (64 - 8 * size);
}

/* Of a kind of insn_table, in bytes; of K_VEC, K_MMX and K_MEM the memory operand's. */
unsigned portable_size(const PortableCtx *c, uint8_t kind);
/* Operand size of an integer instruction: of modrm.rm, or of the accumulator forms. */
unsigned portable_op_size(const PortableCtx *c);
/* General registers by number as IrCapsule has them (16..19 are AH..BH for SIZE 1), zero-extended;
 * writing SIZE 4 clears the upper half. */
uint64_t portable_get_gpr(const PortableCtx *c, unsigned number, unsigned size);
void portable_set_gpr(PortableCtx *c, unsigned number, unsigned size, uint64_t value);
/* modrm.rm: a general register or memory. */
uint64_t portable_get_rm(const PortableCtx *c, unsigned size);
void portable_set_rm(PortableCtx *c, unsigned size, uint64_t value);
static inline bool portable_is_mem(const PortableCtx *c)
{
    return c->in->mem_size;
}

/* ---- vector operands ---- */

/* An instruction with MMX operands: #MF if an x87 exception is pending, else the registers become
 * MMX's (SDM 1 9.5). */
int portable_enter_mmx(PortableCtx *c);
/* modrm.reg and modrm.rm: XMM, MMX or memory, zero-extended to 16 bytes. */
X86Vec portable_get_vec_reg(const PortableCtx *c);
X86Vec portable_get_vec_rm(const PortableCtx *c);
void portable_set_vec_reg(PortableCtx *c, const X86Vec *v);
void portable_set_vec_rm(PortableCtx *c, const X86Vec *v);
/* Rows with ENTRY.lanes: modrm.reg (or modrm.rm where reg is part of the opcode) is the first
 * operand and result, modrm.rm (or the immediate) the second. */
PortableFn portable_run_lanes;

/* ---- flags ---- */

static inline bool portable_flag(const PortableCtx *c, uint32_t flag)
{
    return c->st->flags & flag;
}
void portable_set_flags(PortableCtx *c, uint32_t mask, uint32_t value);
/* S, Z and P of a result of SIZE bytes. */
uint32_t portable_szp(uint64_t result, unsigned size);
bool portable_condition(uint32_t flags, unsigned cc);

#endif
