/*
 * The I/O APIC's state: also what the kernel's is saved as.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INTC_IOAPIC_IMPL_H
#define HW_INTC_IOAPIC_IMPL_H

#include "core/memory.h"
#include "hw/intc/ioapic.h"

/* Redirection table entry */
#define REDIR_VECTOR      0xffull
#define REDIR_DELIVERY(e) (((e) >> 8) & 7)
#define REDIR_LOGICAL     (1ull << 11)
#define REDIR_PENDING     (1ull << 12)
#define REDIR_REMOTE_IRR  (1ull << 14)
#define REDIR_LEVEL       (1ull << 15)
#define REDIR_MASKED      (1ull << 16)
#define REDIR_DEST(e)     ((uint32_t)((e) >> 56))
#define REDIR_RO          (REDIR_PENDING | REDIR_REMOTE_IRR)
#define REDIR_VALID       (0xff0000000001ffffull)

typedef struct IoApic {
    Device dev;
    uint8_t select, id;
    uint32_t level; /* state of the input pins */
    uint64_t redir[IOAPIC_INPUTS];
    IrqLine inputs[IOAPIC_INPUTS];
    MemRegion *window;
    const IoapicBus *bus; /* NULL: this program's local APICs */
    void *bus_opaque;
} IoApic;

/* The rows of IoApic's state table. */
extern const StateField ioapic_state_fields[];

#endif
