/*
 * Portable expansions of capsules: every instruction that the translator keeps whole, in plain C.
 *
 * A back end for a host that is not x86 cannot re-encode a capsule (tcg/ir.h). It prepares the
 * capsule once, when it translates, and calls x86_portable_run() each time the code gets there:
 *
 *     X86PortableInsn insn;                       when translating
 *     x86_portable_prepare(op, &insn);
 *
 *     gather op->mem_size bytes into state->mem   at run time, if op->mem_acc has IR_ACC_R
 *     state->mem_addr = linear address
 *     vector = x86_portable_run(&insn, state);
 *     if (vector < 0 && state->mem_written) write state->mem back
 *
 * The expansion works on a register file in memory, has the results and flags of the SDM, and uses
 * neither inline assembly nor the host's floating point; the host is little-endian. Flags that the
 * SDM leaves undefined are whatever is simplest, except where all processors agree. The x87's
 * last-instruction pointers and opcode are the back end's own matter. A locked capsule has to be
 * run such that no other vCPU comes between gathering and writing back. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TARGET_X86_PORTABLE_PORTABLE_H
#define TARGET_X86_PORTABLE_PORTABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "target-x86/insn.h"
#include "tcg/ir.h"

typedef union X86Vec {
    uint8_t b[16];
    uint16_t w[8];
    uint32_t d[4];
    uint64_t q[2];
    int8_t sb[16];
    int16_t sw[8];
    int32_t sd[4];
    int64_t sq[2];
} X86Vec;

/* An x87 register; MMX registers are the significands. */
typedef struct X86Reg80 {
    uint64_t sig;
    uint16_t exp; /* with the sign in bit 15 */
} X86Reg80;

typedef struct X86PortableState {
    uint64_t gpr[VREG_COUNT]; /* the guest's, then the IR's temporaries */
    uint32_t flags;           /* IR_FL_*; other bits are kept */
    uint32_t mxcsr;
    uint32_t mxcsr_mask; /* bits that LDMXCSR may set; 0 means FFFFh */
    X86Vec xmm[16];
    X86Reg80 x87[8]; /* physical registers R0..R7: ST(0) is x87[fsw >> 11 & 7] */
    uint16_t fcw, fsw;
    uint8_t ftw; /* a bit per physical register: 1 not empty */
    uint8_t mem[16];
    uint64_t mem_addr; /* linear address of the memory operand: decides about alignment */
    bool mem_written;  /* out: MEM is to be written back */
} X86PortableState;

typedef struct X86PortableInsn {
    const InsnRow *row;
    const struct PortableEntry *entry;
    int64_t imm;
    uint8_t size;     /* operand size of K_V: 2, 4, 8 */
    uint8_t y_size;   /* of K_Y: 4, 8 */
    uint8_t mem_size; /* bytes of the memory operand; 0: none */
    uint8_t reg, rm, vvvv;
    uint8_t opcode; /* with the condition code or register in its low bits */
    bool mem_aligned;
} X86PortableInsn;

/* The expansion of the capsule OP; false: there is none. Thread-safe. */
bool x86_portable_prepare(const IrOp *op, X86PortableInsn *out);
/*
 * Runs it. Returns -1 or the vector of the exception it ends in: #DE, #GP, #MF, #XM. Then no
 * register, flag or memory has changed, except that MXCSR and FSW hold the exception's flags.
 * Thread-safe for different states. C code that knows nothing of live guest registers.
 */
int x86_portable_run(const X86PortableInsn *insn, X86PortableState *st);
/* Whether there is an expansion for the row; for the test of completeness. */
bool x86_portable_has(const InsnRow *row);

/* Between a state's x87, SSE part and an FXSAVE image (SDM 1 10.5.1) of 512 bytes. */
void x86_portable_load_fx(X86PortableState *st, const uint8_t *image);
void x86_portable_store_fx(const X86PortableState *st, uint8_t *image);

#endif
