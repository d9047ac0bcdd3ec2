/*
 * A CPU without a translator: what accel/tcg provides to target-x86, over a plain array of guest
 * memory, so that system instructions can be called and watched one at a time.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_X86_MOCK_H
#define TESTS_X86_MOCK_H

#include <glib.h>
#include <setjmp.h>

#include "target-x86/cpuid.h"
#include "target-x86/exec.h"

enum { MOCK_MEMORY = 4 << 20 };

typedef struct Mock {
    X86Cpu cpu;
    uint8_t memory[MOCK_MEMORY]; /* guest physical 0.. */
    jmp_buf landing;
    int vector; /* raised last; -1: a triple fault, -2: halted */
    bool has_error;
    uint32_t error;
    uint64_t raised_rip;
    uint64_t next_rip;
    unsigned flush_all, flush_page, flush_nonglobal, flush_pcid, flush_pcid_page, switches;
    bool switch_flushed;
    unsigned mode_changes, rechecks, cas;
    void (*before_cas)(void); /* another CPU's write, once */
    bool cas_fails;           /* always */
    uint64_t tsc;
} Mock;

extern Mock mock;

/* A CPU of MODEL ("max,+foo", all features available) after power-up, memory zeroed. */
void mock_reset(const char *model);
void mock_free(void);

void mock_put(uint64_t phys, uint64_t value, unsigned size);
uint64_t mock_get(uint64_t phys, unsigned size);

/* No local variable changes between MOCK_LAND's setjmp() and the longjmp(). */
#pragma GCC diagnostic ignored "-Wclobbered"

/* Runs CALL, which must raise VECTOR without an error code, or with ERROR. */
#define MOCK_LAND(call)                                                                            \
    do {                                                                                           \
        mock.vector = -100;                                                                        \
        if (!setjmp(mock.landing)) {                                                               \
            call;                                                                                  \
        }                                                                                          \
    } while (0)
#define MOCK_OK(call)                                                                              \
    do {                                                                                           \
        MOCK_LAND(call);                                                                           \
        g_assert_cmpint(mock.vector, ==, -100);                                                    \
    } while (0)
#define MOCK_RAISES(vec, err, call)                                                                \
    do {                                                                                           \
        MOCK_LAND(call);                                                                           \
        g_assert_cmpint(mock.vector, ==, vec);                                                     \
        g_assert_cmphex(mock.error, ==, err);                                                      \
    } while (0)

/* A descriptor: BASE, LIMIT as in memory (20 bits), ATTR as in X86Segment. */
uint64_t mock_descriptor(uint32_t base, uint32_t limit, uint32_t attr);

/*
 * Set-ups. All use a GDT at 1000h with: 08h 64-bit code, 10h data, 18h user data, 20h user 64-bit
 * code, 28h 32-bit code, 30h user 32-bit code, 38h conforming 32-bit code, 40h and 48h TSS, 50h
 * 16-bit code, 58h 16-bit data, 60h LDT, 68h not present data, 70h read-only data, 78h and 80h free
 * for gates, 88h ring-1 code, 90h ring-1 data; an IDT at 2000h; a TSS at 3000h.
 */
enum {
    MOCK_GDT = 0x1000,
    MOCK_IDT = 0x2000,
    MOCK_TSS = 0x3000,
    MOCK_LDT = 0x3800,
    MOCK_STACK0 = 0x9000,
    MOCK_STACK3 = 0xa000,
    MOCK_IST1 = 0xb000,
};
void mock_real_mode(void);
void mock_protected_mode(unsigned cpl); /* 32-bit, no paging */
void mock_long_mode(unsigned cpl);      /* 64-bit, identity mapped, all user and writable */
void mock_v86_mode(unsigned iopl);

#endif
