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

/* tcg.c, through exec_call_c: code was fetched from LINEAR, where there is no RAM. */
uint64_t tcg_log_bad_fetch(X86Cpu *cpu, uint64_t linear);
/* Likewise: -d exec and -d cpu: the loop is about to enter BLOCK; what ended the run before. */
uint64_t tcg_log_exec(X86Cpu *cpu, uint64_t block, uint64_t reason);

#endif
