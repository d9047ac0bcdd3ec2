/*
 * Helpers: C functions called from generated code, by number.
 *
 * Each takes the CPU and two values and returns one; see target-x86/exec.h for what they may rely
 * on. One row per helper. JUMPS: it leaves st.rip where the guest goes on; otherwise that is the
 * next instruction. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_HELPERS_H
#define TARGET_X86_HELPERS_H

#include <stdbool.h>
#include <stdint.h>

#include "target-x86/cpu.h"

/* name, jumps */
/* clang-format off */
#define X86_HELPERS(X)                                                                             \
    X(raise, 1) X(raise_gp0, 1) X(raise_unimp, 1) X(load_seg, 0) X(pop_ss, 0) X(far_jmp, 1)        \
    X(far_call, 1) X(far_ret, 1) X(iret, 1) X(int_n, 1) X(into, 1) X(syscall, 1) X(sysret, 1)      \
    X(sysenter, 1) X(sysexit, 1) X(hlt, 1) X(cli, 0) X(sti, 0) X(cld, 0) X(std, 0) X(pushf, 0)     \
    X(popf, 0) X(lar, 0) X(lsl, 0) X(verr, 0) X(verw, 0) X(lldt, 0) X(ltr, 0) X(sldt, 0)           \
    X(str, 0) X(smsw, 0) X(lmsw, 0) X(sgdt, 0) X(sidt, 0) X(lgdt, 0) X(lidt, 0) X(invlpg, 0)       \
    X(invpcid, 0) X(read_cr, 0) X(write_cr, 0) X(read_dr, 0) X(write_dr, 0) X(clts, 0)             \
    X(rdtsc, 0) X(rdpmc, 0) X(rdmsr, 0) X(wrmsr, 0) X(cpuid, 0) X(rsm, 1) X(swapgs, 0)             \
    X(xgetbv, 0) X(in, 0) X(out1, 0) X(out2, 0) X(out4, 0) X(string, 0) X(pusha, 0) X(popa, 0)     \
    X(enter, 0) X(bound, 0) X(arpl, 0) X(bcd, 0) X(aam, 0) X(aad, 0) X(salc, 0) X(x87_state, 0)    \
    X(fxsave, 0) X(rdfsgs, 0) X(wrfsgs, 0) X(pause, 0) X(maskmov, 0)          \
    X(x87_clean, 0)
/* clang-format on */

enum {
#define X(name, jumps) HELPER_##name,
    X86_HELPERS(X)
#undef X
        HELPER_COUNT,
};

typedef uint64_t (*X86Helper)(X86Cpu *cpu, uint64_t a, uint64_t b);
extern const X86Helper x86_helpers[HELPER_COUNT];
extern const bool x86_helper_jumps[HELPER_COUNT];

/* The string helper's second argument. */
enum {
    STRING_OPCODE = 0xff,    /* A4h..AFh, 6Ch..6Fh */
    STRING_SIZE_SHIFT = 8,   /* 4 bits: 1, 2, 4, 8 */
    STRING_ASIZE_SHIFT = 12, /* 4 bits */
    STRING_SEG_SHIFT = 16,   /* 3 bits: source segment */
    STRING_REP = 1 << 20,    /* F3 */
    STRING_REPNE = 1 << 21,  /* F2 */
};

/* The masked stores' second argument: the mask's register in the low 4 bits. */
enum {
    MASKMOV_DATA_SHIFT = 4,  /* 4 bits: the other register */
    MASKMOV_ASIZE_SHIFT = 8, /* 4 bits */
    MASKMOV_SEG_SHIFT = 12,  /* 3 bits */
    MASKMOV_MMX = 1 << 15,
};

/* In the segment load helper's second argument: LDS and its kin. */
enum { LOAD_SEG_LDS = 8 };

/* In the interrupt helper's second argument: INT3 or INT1, not INT n. */
enum { INT_N_SHORT = 256 };

#endif
