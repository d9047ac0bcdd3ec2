/*
 * The 8259 pair's state: also what the kernel's pair is saved as.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INTC_I8259_IMPL_H
#define HW_INTC_I8259_IMPL_H

#include "core/memory.h"
#include "hw/intc/i8259.h"

enum {
    ICW1_IC4 = 1u << 0,  /* ICW4 follows */
    ICW1_SNGL = 1u << 1, /* single: no ICW3 */
    ICW1_LTIM = 1u << 3, /* level triggered, where there is no ELCR */
    ICW1_INIT = 1u << 4,
    ICW4_AEOI = 1u << 1,
    ICW4_SFNM = 1u << 4,
    OCW3_SELECT = 1u << 3,
    OCW3_RIS = 1u << 0,
    OCW3_RR = 1u << 1,
    OCW3_POLL = 1u << 2,
    OCW3_SMM = 1u << 5,
    OCW3_ESMM = 1u << 6,
    CASCADE = 2,
    SPURIOUS = 7,
    /* Inputs that are edge triggered by the board's design: 0, 1, 2 and 8, 13. */
    ELCR_MASTER = 0xf8,
    ELCR_SLAVE = 0xde,
};

/* What the next write to the odd port is. */
enum { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

typedef struct I8259 I8259;

typedef struct Pic {
    I8259 *pair;
    uint8_t level; /* state of the input pins */
    uint8_t irr, isr, imr;
    uint8_t elcr;
    uint8_t icw1, icw2, icw3, icw4;
    uint8_t init_step; /* INIT_* */
    uint8_t lowest;    /* input with the lowest priority, 7 unless rotated */
    uint8_t rotate_aeoi;
    uint8_t special_mask;
    uint8_t read_isr; /* OCW3: reads of the even port give ISR */
    uint8_t poll;     /* OCW3: the next read is an acknowledge */
    bool slave;
} Pic;

struct I8259 {
    Device dev;
    Pic pic[2];
    uint8_t intr; /* level of the output */
    IrqLine inputs[I8259_INPUTS];
    IrqLine output;
    MemRegion *io[3];
};

/* The rows of I8259's state table. */
extern const StateField i8259_state_fields[];

#endif
