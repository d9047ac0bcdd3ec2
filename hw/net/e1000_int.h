/*
 * What the files of the 82540EM share. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_NET_E1000_INT_H
#define HW_NET_E1000_INT_H

#include "core/clock.h"
#include "hw/net/e1000_regs.h"
#include "hw/pci/pci.h"
#include "net/net.h"

enum { E1000_EEPROM_WORDS = 64, E1000_PHY_REGS = 32 };

/* A transmit context descriptor (3.3.6). */
typedef struct E1000TxContext {
    uint8_t ipcss, ipcso, tucss, tucso, tucmd, hdrlen;
    uint16_t ipcse, tucse, mss;
    uint32_t paylen;
} E1000TxContext;

/* The frame being gathered. What its first descriptor says holds for all of it. */
typedef struct E1000TxFrame {
    uint32_t len;
    uint8_t popts;
    bool tse, vle, overlong;
    uint8_t legacy_css, legacy_cso;
    bool legacy_ic;
    uint16_t vlan;
    uint8_t *data; /* NET_FRAME_MAX bytes */
} E1000TxFrame;

/* The serial EEPROM behind EECD (5.3). */
typedef struct E1000Microwire {
    uint8_t clock, selected, out; /* lines */
    uint8_t bits;                 /* clocked in since the start bit, or out */
    uint8_t reading;
    uint16_t shift;
} E1000Microwire;

typedef struct E1000 {
    PciDevice pci;
    /* properties */
    uint8_t mac[6];
    char *netdev;
    int32_t bootindex;

    uint32_t reg[REGS_END / 4];
    uint32_t io_addr; /* IOADDR (13.2.2) */
    uint16_t phy[E1000_PHY_REGS];
    uint16_t eeprom[E1000_EEPROM_WORDS];
    E1000Microwire wire;
    E1000TxContext context;
    E1000TxFrame frame;

    uint8_t irq;                                /* level of the pin */
    int64_t irq_at;                             /* when it was raised last, CLOCK_VM */
    int64_t rdtr_at, radv_at, tidv_at, tadv_at; /* delayed causes are due then; 0: none */
    Timer *delay_timer;                         /* the earliest of those */
    Timer *itr_timer;                           /* the next interrupt is allowed */
    Timer *tx_timer;                            /* goes on with a very long ring */

    NetNic *nic;
    MemRegion *bar_mem, *bar_io;
} E1000;

static inline uint32_t *e1000_reg(E1000 *s, uint32_t offset)
{
    return &s->reg[offset / 4];
}

/* e1000.c: interrupt causes */
void e1000_cause(E1000 *s, uint32_t causes);
void e1000_update_irq(E1000 *s);
/* A cause that may be delayed by RDTR and RADV, TIDV and TADV. */
void e1000_rx_cause(E1000 *s);
void e1000_tx_cause(E1000 *s);
void e1000_delays_changed(E1000 *s);
void e1000_stat(E1000 *s, uint32_t offset, uint32_t n);
void e1000_stat64(E1000 *s, uint32_t offset, uint64_t n);
/* One of the counters of frames by length that begin at OFFSET. */
void e1000_stat_size(E1000 *s, uint32_t offset, uint32_t len);

/* e1000_nvm.c: EEPROM, PHY */
void e1000_nvm_init(E1000 *s);
void e1000_phy_reset(E1000 *s);
void e1000_phy_link(E1000 *s, bool up);
uint32_t e1000_eecd_read(E1000 *s);
void e1000_eecd_write(E1000 *s, uint32_t value);
void e1000_eerd_write(E1000 *s, uint32_t value);
void e1000_mdic_write(E1000 *s, uint32_t value);
extern const StateTable e1000_microwire_state;

/* e1000_rx.c */
bool e1000_receive(void *opaque, const NetPacket *pkt);
void e1000_receive_done(void *opaque);

/* e1000_tx.c */
void e1000_transmit(E1000 *s);
extern const StateTable e1000_context_state, e1000_frame_state;

#endif
