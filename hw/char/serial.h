/*
 * The 16550A UART, without a bus: a device that has one embeds a Serial, maps serial_ops over eight
 * ports and gives it an interrupt line. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_CHAR_SERIAL_H
#define HW_CHAR_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/irq.h"
#include "core/memory.h"
#include "core/state.h"
#include "ui/chardev.h"

enum { SERIAL_FIFO_SIZE = 16 };

typedef struct SerialFifo {
    uint8_t data[SERIAL_FIFO_SIZE];
    uint8_t status[SERIAL_FIFO_SIZE]; /* LSR error bits that belong to each byte received */
    uint32_t head, count;
} SerialFifo;

typedef struct Serial {
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    uint8_t thre_pending;    /* the THRE interrupt: set by an edge, cleared by reading IIR */
    uint8_t timeout_pending; /* bytes wait below the trigger level and nobody reads them */
    SerialFifo rx, tx;
    Timer *timeout_timer, *tx_timer;
    IrqLine *irq;
    CharFrontend *fe; /* NULL: nothing is connected, bytes sent are lost */
} Serial;

extern const MemOps serial_ops; /* opaque: the Serial */
extern const StateTable serial_state;

/* CHARDEV: the id of a character back end, or NULL. */
bool serial_init(Serial *s, IrqLine *irq, const char *chardev, GError **err);
void serial_fini(Serial *s);
void serial_reset(Serial *s);

#endif
