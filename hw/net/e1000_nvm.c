/*
 * The 82540EM's EEPROM and PHY.
 *
 * The EEPROM is a 93C46: 64 words, behind a Microwire interface that software clocks bit by bit
 * (the manual, 5.3), or through EERD. Reading only: it is write-protected. The PHY is that of the
 * 88E1011 kind behind MDIC (chapter 11); its link is always negotiated at 1000 Mb/s.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/net/e1000_int.h"

enum {
    /* Words (5.6) */
    WORD_PBA = 0x08,
    WORD_INIT1 = 0x0a,
    WORD_SUBSYSTEM = 0x0b,
    WORD_SUBSYSTEM_VENDOR = 0x0c,
    WORD_DEVICE = 0x0d,
    WORD_VENDOR = 0x0e,
    WORD_INIT2 = 0x0f,
    WORD_CHECKSUM = 0x3f,
    EEPROM_SUM = 0xbaba,
    INIT1_VALID = 0x4403, /* signature 01 in the top bits; load the IDs */
    INIT2_PAUSE = 0x3000, /* advertise flow control */

    /* Microwire: two bits of opcode and six of address behind the start bit */
    WIRE_COMMAND_BITS = 8,
    WIRE_OP_READ = 2,
    WIRE_DATA_BITS = 16,

    /* PHY registers (11.2) */
    PHY_CTRL = 0,
    PHY_STATUS = 1,
    PHY_ID1 = 2,
    PHY_ID2 = 3,
    PHY_ANA = 4,
    PHY_LPA = 5,
    PHY_1000T_CTRL = 9,
    PHY_1000T_STATUS = 10,
    PHY_EXT_STATUS = 15,
    PHY_SPEC_CTRL = 16,
    PHY_SPEC_STATUS = 17,
    PHY_INT_STATUS = 19,
    PHY_EXT_SPEC_CTRL = 20,
    PHY_CTRL_RESET = 0x8000,
    PHY_CTRL_RESTART_AN = 0x0200,
    PHY_STATUS_LINK = 0x0004,
    PHY_STATUS_AN_DONE = 0x0020,
    PHY_SPEC_LINK = 0x0400,

    MDI_WRITE = 1,
    MDI_READ = 2,
    PHY_ADDRESS = 1,
};

static const struct {
    uint8_t reg;
    uint16_t reset, wmask;
} phy_regs[] = {
    {PHY_CTRL, 0x1140, 0x7d80}, /* negotiates; 1000 Mb/s, full duplex */
    {PHY_STATUS, 0x7949, 0},
    {PHY_ID1, 0x0141, 0},
    {PHY_ID2, 0x0c20, 0},
    {PHY_ANA, 0x01e1, 0xffff},
    {PHY_LPA, 0x45e1, 0}, /* a partner that can do all */
    {6, 0x0001, 0},
    {7, 0x2001, 0xffff},
    {PHY_1000T_CTRL, 0x0300, 0xff00},
    {PHY_1000T_STATUS, 0x3c00, 0},
    {PHY_EXT_STATUS, 0x3000, 0},
    {PHY_SPEC_CTRL, 0x0068, 0xffff},
    {PHY_SPEC_STATUS, 0xa800, 0},
    {18, 0, 0xffff},
    {PHY_INT_STATUS, 0, 0},
    {PHY_EXT_SPEC_CTRL, 0x0c60, 0xffff},
    {29, 0, 0xffff},
    {30, 0, 0xffff},
};

/* ---- EEPROM ---- */

void e1000_nvm_init(E1000 *s)
{
    uint16_t sum = 0;

    memset(s->eeprom, 0, sizeof(s->eeprom));
    for (int i = 0; i < 3; i++) {
        s->eeprom[i] = (uint16_t)(s->mac[2 * i] | s->mac[2 * i + 1] << 8);
    }
    s->eeprom[WORD_PBA] = s->eeprom[WORD_PBA + 1] = 0xffff;
    s->eeprom[WORD_INIT1] = INIT1_VALID;
    s->eeprom[WORD_SUBSYSTEM] = (uint16_t)pci_get(&s->pci, PCI_SUBSYSTEM_ID, 2);
    s->eeprom[WORD_SUBSYSTEM_VENDOR] = (uint16_t)pci_get(&s->pci, PCI_SUBSYSTEM_VENDOR_ID, 2);
    s->eeprom[WORD_DEVICE] = (uint16_t)pci_get(&s->pci, PCI_DEVICE_ID, 2);
    s->eeprom[WORD_VENDOR] = (uint16_t)pci_get(&s->pci, PCI_VENDOR_ID, 2);
    s->eeprom[WORD_INIT2] = INIT2_PAUSE;
    for (int i = 0; i < WORD_CHECKSUM; i++) {
        sum = (uint16_t)(sum + s->eeprom[i]);
    }
    s->eeprom[WORD_CHECKSUM] = (uint16_t)(EEPROM_SUM - sum);
}

uint32_t e1000_eecd_read(E1000 *s)
{
    uint32_t value = *e1000_reg(s, EECD) & ~EECD_DO;

    return value | EECD_PRES | (value & EECD_REQ ? EECD_GNT : 0) | (s->wire.out ? EECD_DO : 0);
}

/* The clock's rising edge with the chip selected. */
static void wire_clock(E1000 *s, bool in)
{
    E1000Microwire *w = &s->wire;

    if (w->reading) {
        w->out = w->shift >> 15;
        w->shift = (uint16_t)(w->shift << 1);
        w->reading = ++w->bits < WIRE_DATA_BITS;
        return;
    }
    if (!w->bits && !w->shift) {
        w->shift = in; /* zeros may precede the start bit */
        return;
    }
    w->shift = (uint16_t)(w->shift << 1 | in);
    if (++w->bits == WIRE_COMMAND_BITS) {
        uint8_t address = w->shift & (E1000_EEPROM_WORDS - 1);

        w->reading = (w->shift >> 6 & 3) == WIRE_OP_READ;
        w->bits = 0;
        w->out = 0; /* a dummy bit comes first */
        w->shift = w->reading ? s->eeprom[address] : 0;
    }
}

void e1000_eecd_write(E1000 *s, uint32_t value)
{
    const uint32_t writable = EECD_SK | EECD_CS | EECD_DI | EECD_REQ | 0x30;
    E1000Microwire *w = &s->wire;
    bool clock = value & EECD_SK, selected = value & EECD_CS;

    *e1000_reg(s, EECD) = value & writable;
    if (!selected) {
        *w = (E1000Microwire){.clock = clock, .out = 1};
        return;
    }
    if (!w->selected) {
        *w = (E1000Microwire){.selected = 1, .out = 1};
    } else if (clock && !w->clock) {
        wire_clock(s, value & EECD_DI);
    }
    w->clock = clock;
}

void e1000_eerd_write(E1000 *s, uint32_t value)
{
    uint32_t address = value >> 8 & 0xff;
    uint16_t word = address < E1000_EEPROM_WORDS ? s->eeprom[address] : 0xffff;

    *e1000_reg(s, EERD) =
        value & EERD_START ? (uint32_t)word << 16 | (value & 0xff00) | EERD_DONE : value & 0xff00;
}

/* ---- PHY ---- */

void e1000_phy_link(E1000 *s, bool up)
{
    const uint16_t status = PHY_STATUS_LINK | PHY_STATUS_AN_DONE;

    if (up) {
        s->phy[PHY_STATUS] |= status;
        s->phy[PHY_SPEC_STATUS] |= PHY_SPEC_LINK;
        *e1000_reg(s, STATUS) |= STATUS_LU;
    } else {
        s->phy[PHY_STATUS] &= (uint16_t)~status;
        s->phy[PHY_SPEC_STATUS] &= (uint16_t)~PHY_SPEC_LINK;
        *e1000_reg(s, STATUS) &= ~STATUS_LU;
    }
}

void e1000_phy_reset(E1000 *s)
{
    memset(s->phy, 0, sizeof(s->phy));
    for (size_t i = 0; i < G_N_ELEMENTS(phy_regs); i++) {
        s->phy[phy_regs[i].reg] = phy_regs[i].reset;
    }
    e1000_phy_link(s, net_nic_link_up(s->nic));
}

static void phy_write(E1000 *s, uint8_t reg, uint16_t value)
{
    if (reg == PHY_CTRL && (value & PHY_CTRL_RESET)) {
        e1000_phy_reset(s);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(phy_regs); i++) {
        if (phy_regs[i].reg == reg) {
            s->phy[reg] =
                (uint16_t)((s->phy[reg] & ~phy_regs[i].wmask) | (value & phy_regs[i].wmask));
        }
    }
    if (reg == PHY_CTRL && (value & PHY_CTRL_RESTART_AN) && net_nic_link_up(s->nic)) {
        e1000_phy_link(s, true); /* it does not take long here */
        e1000_cause(s, ICR_LSC);
    }
}

void e1000_mdic_write(E1000 *s, uint32_t value)
{
    uint8_t reg = value >> 16 & 31, phy = value >> 21 & 31, op = value >> 26 & 3;
    bool there = phy == PHY_ADDRESS;

    value &= ~(MDIC_READY | MDIC_ERROR);
    if (op == MDI_READ) {
        value = (value & 0xffff0000) | (there ? s->phy[reg] : 0xffff);
        if (reg == PHY_INT_STATUS && there) {
            s->phy[reg] = 0; /* cleared by reading */
        }
    } else if (op == MDI_WRITE && there) {
        phy_write(s, reg, (uint16_t)value);
    }
    *e1000_reg(s, MDIC) =
        value | MDIC_READY | (there && (op == MDI_READ || op == MDI_WRITE) ? 0 : MDIC_ERROR);
    if (value & MDIC_INT) {
        e1000_cause(s, ICR_MDAC);
    }
}

static const StateField microwire_fields[] = {
    STATE_FIELD_UINT_MAX(E1000Microwire, clock, 1),
    STATE_FIELD_UINT_MAX(E1000Microwire, selected, 1),
    STATE_FIELD_UINT_MAX(E1000Microwire, out, 1),
    STATE_FIELD_UINT_MAX(E1000Microwire, bits, WIRE_DATA_BITS),
    STATE_FIELD_UINT_MAX(E1000Microwire, reading, 1),
    STATE_FIELD_UINT(E1000Microwire, shift),
    STATE_FIELD_END,
};
const StateTable e1000_microwire_state = {
    .name = "e1000-eeprom", .version = 1, .min_version = 1, .fields = microwire_fields};
