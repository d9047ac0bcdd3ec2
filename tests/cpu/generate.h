/*
 * Random cases for the oracles: instructions from the encoding table with operands that make sense,
 * and a state to run them in. Reproducible from a seed and a case's number.
 *
 * Memory operands use base and index registers that are set up to point into the data area, now
 * and then at a page's end. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_CPU_GENERATE_H
#define TESTS_CPU_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target-x86/insn.h"
#include "tests/cpu/native.h"

enum { MAX_CASE = 6, MAX_BYTES = MAX_CASE * 16 + 1 };

typedef struct Case {
    uint8_t code[MAX_BYTES];
    size_t len;
    int base, index; /* registers that hold addresses */
    uint64_t pointer;
    uint64_t undefined; /* flags with undefined value at the end */
    int insns;
    bool code32;
    bool partial;    /* one with several stores: which are done before a fault is its own */
    bool two_faults; /* an instruction with two memory operands: which faults first is its own */
} Case;

/* The generator's random numbers. */
void rnd_seed(uint64_t seed, uint64_t number);
uint64_t rnd(void);
unsigned below(unsigned n);
bool one_in(unsigned n);

/* Whether cases may hold instructions of ROW; FEATURES has a bit per InsnFeature. */
bool case_usable(const InsnRow *row, uint64_t features, bool code32);
/* Chooses the registers that hold addresses: first of all. */
void case_start(Case *c, bool code32);
/* Appends an instruction from one of ROWS that reads no flag left undefined by those before. */
void case_add(Case *c, const InsnRow *const *rows, size_t count);
/* Appends INT3. */
void case_end(Case *c);
/* SPECIALS: floating-point values at the edges, rounding modes, unmasked exceptions. */
void case_state(NativeState *st, const Case *c, bool specials);
/* Fills the data area at GUEST_DATA; SPECIALS as above. */
void case_fill_memory(bool specials);
void case_show(const Case *c);

/* Whether two FXSAVE images agree in all that is defined. */
bool fx_equal(const uint8_t *a, const uint8_t *b, bool code32);
extern const char *const reg_names[16];

#endif
