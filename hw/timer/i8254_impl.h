/*
 * The 8254's state: also what the kernel's is saved as.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_TIMER_I8254_IMPL_H
#define HW_TIMER_I8254_IMPL_H

#include "core/clock.h"
#include "hw/pc/isa.h"
#include "hw/timer/i8254.h"

enum {
    CHANNELS = 3,
    /* RW field of the control word */
    RW_LATCH = 0,
    RW_LSB = 1,
    RW_MSB = 2,
    RW_BOTH = 3,
    /* Port 61h (PIIX4 data sheet 4.2.6) */
    NMISC_GATE2 = 1u << 0,
    NMISC_SPEAKER = 1u << 1,
    NMISC_WRITABLE = 0x0f,
    NMISC_REFRESH = 1u << 4,
    NMISC_OUT2 = 1u << 5,
    REFRESH_HALF_NS = 15085,
};

typedef struct Channel {
    uint8_t mode, bcd, rw;
    uint8_t gate;
    uint8_t running;   /* a count is loaded (modes 1, 5: and a trigger came) */
    uint8_t write_msb; /* RW_BOTH: the next byte written is the high one */
    uint8_t read_msb;
    uint8_t latched; /* bytes of latch left to be read */
    uint8_t status_latched, status;
    uint16_t latch;
    uint8_t low;    /* low byte of a count being written */
    uint32_t count; /* 1..65536; the loaded count */
    int64_t start;  /* when it was loaded; in the future: PREVIOUS is in force till then */
    uint32_t previous;
    int64_t previous_start;
    int64_t paused; /* modes 0, 4: when gate went low */
} Channel;

typedef struct I8254 {
    IsaDevice isa;
    Channel ch[CHANNELS];
    uint8_t nmisc;
    int64_t next; /* of channel 0's output: the change the timer is armed for */
    Timer *timer;
    IrqLine *irq;
} I8254;

/* The rows of I8254's state table. */
extern const StateField i8254_state_fields[];

#endif
