/*
 * A bare 64-bit guest in the translator, without devices: RAM, page tables, an IDT whose every
 * vector halts. For tests that compare instructions with the host CPU. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TESTS_CPU_GUEST_H
#define TESTS_CPU_GUEST_H

#include "core/accel.h"
#include "target-x86/cpu.h"

enum {
    GUEST_CODE = 0x10000000, /* one page of code */
    GUEST_DATA = 0x20000000, /* GUEST_DATA_SIZE bytes */
    GUEST_DATA_SIZE = 0x4000,
};

/* Status of a run. */
typedef struct GuestExit {
    int vector;
    uint64_t error; /* 0 where there is none */
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

/* The same in steps: the state that is to run from GUEST_CODE; hand it to the translator and run,
 * or run on; what the stack holds of the exception whose stub the CPU has halted in. */
void guest_prepare(X86Cpu *cpu, bool code32);
AccelExit guest_go(X86Cpu *cpu);
AccelExit guest_go_on(X86Cpu *cpu);
void guest_exit(const X86Cpu *cpu, GuestExit *exit);
uint8_t *guest_physical(uint64_t addr); /* host address of RAM */

#endif
