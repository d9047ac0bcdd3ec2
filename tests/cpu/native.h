/*
 * Running a few instructions on the host CPU, with every register given, up to an exception.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_CPU_NATIVE_H
#define TESTS_CPU_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct NativeState {
    uint64_t gpr[16];
    uint64_t rflags;
    uint8_t fx[512] __attribute__((aligned(16)));
    uint64_t rip;
    int vector;  /* out */
    bool code32; /* run in 32-bit compatibility mode */
} NativeState;

/* Maps code and data at the guest's addresses, installs the signal handlers (in front of those that
 * are there). */
void native_init(void);
/* Runs from GUEST_CODE; the code must end in INT3. */
void native_run(NativeState *st);

#endif
