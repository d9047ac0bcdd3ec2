/*
 * The execution loop's interface. GPR-only functions unless said otherwise.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_LOOP_H
#define ACCEL_TCG_LOOP_H

#include "accel/tcg/tcg_cpu.h"

typedef struct FindRequest {
    uint64_t ram_addr, page2;
    uint32_t mode;
} FindRequest;

enum { TCG_LOOP_EVENT, TCG_LOOP_HALTED, TCG_LOOP_TRIPLE, TCG_LOOP_DEBUG };

/* Runs guest code with the guest's vectors in the host's registers; why it stopped: TCG_LOOP_*. */
int tcg_loop(TcgCpu *c);

/* Callbacks of the thunks. */
uint64_t tcg_call_helper(void *cpu, uint64_t a, uint64_t b, uint64_t desc);
void tcg_call_helper_end(void *cpu, uint64_t a, uint64_t b, uint64_t desc);

/* An instruction that lies, at least in part, where there is no RAM. */
typedef struct UncachedCode {
    uint64_t phys[2]; /* of the first byte, and of the page behind its */
    uint32_t mode;
    bool straddles; /* PHYS[1] is filled in */
} UncachedCode;

/* uncached.c, through exec_call_c: CODE (UncachedCode *) as a block of one instruction; NULL: it
 * straddles. */
uint64_t tcg_translate_uncached(X86Cpu *cpu, uint64_t code, uint64_t b);
/* tcg.c, likewise: asserts FERR#. */
uint64_t tcg_x87_error(X86Cpu *cpu, uint64_t a, uint64_t b);
/* Likewise: -d exec and -d cpu: the loop is about to enter BLOCK; what ended the run before. */
uint64_t tcg_log_exec(X86Cpu *cpu, uint64_t block, uint64_t reason);

#endif
