/*
 * The mode bits a translation depends on: part of a block's key.
 *
 * Whatever else of the CPU's state generated code needs, it reads at run time.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_MODE_H
#define TARGET_X86_MODE_H

#include <stdint.h>

#include "target-x86/cpu.h"

enum {
    MODE_CODE32 = 1 << 0, /* neither: 16-bit */
    MODE_CODE64 = 1 << 1,
    MODE_STACK32 = 1 << 2,   /* SS.B, outside 64-bit mode */
    MODE_FLAT = 1 << 3,      /* ES, CS, SS, DS: base 0, 4 GiB, readable, writable */
    MODE_FSGS_FULL = 1 << 4, /* FS and GS need no limit check */
    MODE_USER = 1 << 5,      /* CPL is not 0 */
    MODE_PE = 1 << 6,        /* protected mode, not V86 */
    MODE_DF = 1 << 7,
    MODE_FPU_NM = 1 << 8,   /* x87 raises #NM: CR0.EM or TS */
    MODE_SSE_UD = 1 << 9,   /* SSE (MMX by EM only) raises #UD */
    MODE_SSE_NM = 1 << 10,  /* CR0.TS */
    MODE_MMX_UD = 1 << 11,  /* CR0.EM */
    MODE_WAIT_NM = 1 << 12, /* CR0.TS and MP */
    MODE_ONE = 1 << 13,     /* one instruction, then back to the loop: TF, interrupt shadow */
    MODE_BITS = 14,
};

/* From the present state; without MODE_ONE. GPR-only. */
uint32_t x86_mode_bits(const X86State *st);

static inline unsigned mode_code_size(uint32_t mode)
{
    return mode & MODE_CODE64 ? 8 : mode & MODE_CODE32 ? 4 : 2;
}

#endif
