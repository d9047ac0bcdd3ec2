/*
 * A bare 64-bit guest in the translator, without devices: RAM, page tables, an IDT whose every
 * vector halts. For tests that compare instructions with the host CPU. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TESTS_CPU_GUEST_H
#define TESTS_CPU_GUEST_H

#include "target-x86/cpu.h"

enum {
    GUEST_CODE = 0x10000000, /* one page of code */
    GUEST_DATA = 0x20000000, /* GUEST_DATA_SIZE bytes */
    GUEST_DATA_SIZE = 0x4000,
};

/* Status of a run. */
typedef struct GuestExit {
    int vector;
    uint64_t rip, rflags, rsp;
} GuestExit;

/* Once per process. */
X86Cpu *guest_new(void);
uint64_t guest_features(const X86Cpu *cpu); /* bit per InsnFeature */
uint8_t *guest_code(void);                  /* host addresses of the two areas */
uint8_t *guest_data(void);
/* Writes code as DMA would: translations of it are dropped. */
void guest_write_code(const uint8_t *code, size_t len);
/* Runs from GUEST_CODE with cpu->st.gpr, rflags and xsave as they are, until an exception; in
 * 64-bit or 32-bit compatibility mode. */
void guest_run(X86Cpu *cpu, bool code32, GuestExit *exit);

#endif
