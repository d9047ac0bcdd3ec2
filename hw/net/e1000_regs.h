/*
 * Registers and descriptors of the 8254x (PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual, chapters 3, 5 and 13; called "the manual" here). Names are the manual's.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_NET_E1000_REGS_H
#define HW_NET_E1000_REGS_H

/* Offsets (13.3) */
enum {
    CTRL = 0x0000,
    STATUS = 0x0008,
    EECD = 0x0010,
    EERD = 0x0014,
    CTRL_EXT = 0x0018,
    MDIC = 0x0020,
    FCAL = 0x0028,
    FCAH = 0x002c,
    FCT = 0x0030,
    VET = 0x0038,
    ICR = 0x00c0,
    ITR = 0x00c4,
    ICS = 0x00c8,
    IMS = 0x00d0,
    IMC = 0x00d8,
    RCTL = 0x0100,
    FCTTV = 0x0170,
    TXCW = 0x0178,
    RXCW = 0x0180,
    TCTL = 0x0400,
    TIPG = 0x0410,
    AIT = 0x0458,
    LEDCTL = 0x0e00,
    PBA = 0x1000,
    FCRTL = 0x2160,
    FCRTH = 0x2168,
    RDFH = 0x2410,
    RDFPC = 0x2430,
    RDBAL = 0x2800,
    RDBAH = 0x2804,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    RDTR = 0x2820,
    RXDCTL = 0x2828,
    RADV = 0x282c,
    RSRPD = 0x2c00,
    TDFH = 0x3410,
    TDFPC = 0x3430,
    TDBAL = 0x3800,
    TDBAH = 0x3804,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    TIDV = 0x3820,
    TXDCTL = 0x3828,
    TADV = 0x382c,
    TSPMT = 0x3830,
    STATS_FIRST = 0x4000,
    STATS_LAST = 0x40fc,
    RXCSUM = 0x5000,
    MTA = 0x5200, /* 128 */
    RAL = 0x5400, /* 16 pairs RAL, RAH */
    RAH = 0x5404,
    VFTA = 0x5600, /* 128 */
    WUC = 0x5800,
    WUFC = 0x5808,
    WUS = 0x5810,
    MANC = 0x5820,
    IPAV = 0x5838,
    IP4AT = 0x5840,
    IP6AT = 0x5880,
    WUPM = 0x5a00,
    REGS_END = 0x6000,

    /* Statistics (13.7), cleared by reading */
    MPC = 0x4010,
    PRC64 = 0x405c, /* and 127, 255, 511, 1023, 1522 */
    GPRC = 0x4074,
    BPRC = 0x4078,
    MPRC = 0x407c,
    GPTC = 0x4080,
    GORCL = 0x4088,
    GOTCL = 0x4090,
    RNBC = 0x40a0,
    RUC = 0x40a4,
    ROC = 0x40ac,
    TORL = 0x40c0,
    TOTL = 0x40c8,
    TPR = 0x40d0,
    TPT = 0x40d4,
    PTC64 = 0x40d8,
    MPTC = 0x40f0,
    BPTC = 0x40f4,
    TSCTC = 0x40f8,
    TSCTFC = 0x40fc,
};

#define CTRL_FD      (1u << 0)
#define CTRL_SLU     (1u << 6)
#define CTRL_RST     (1u << 26)
#define CTRL_VME     (1u << 30)
#define CTRL_PHY_RST (1u << 31)

#define STATUS_LU 2u
/* Full duplex, 1000 Mb/s as read and as detected, clock ok. */
#define STATUS_REST 0x781u

#define EECD_SK   1u
#define EECD_CS   2u
#define EECD_DI   4u
#define EECD_DO   8u
#define EECD_REQ  0x40u
#define EECD_GNT  0x80u
#define EECD_PRES 0x100u

#define EERD_START 1u
#define EERD_DONE  0x10u

#define MDIC_READY (1u << 28)
#define MDIC_INT   (1u << 29)
#define MDIC_ERROR (1u << 30)

#define ICR_TXDW    (1u << 0)
#define ICR_TXQE    (1u << 1)
#define ICR_LSC     (1u << 2)
#define ICR_RXDMT0  (1u << 4)
#define ICR_RXO     (1u << 6)
#define ICR_RXT0    (1u << 7)
#define ICR_MDAC    (1u << 9)
#define ICR_TXD_LOW (1u << 15)
#define ICR_ALL     0x0001f6dfu

#define RCTL_EN    (1u << 1)
#define RCTL_SBP   (1u << 2)
#define RCTL_UPE   (1u << 3)
#define RCTL_MPE   (1u << 4)
#define RCTL_LPE   (1u << 5)
#define RCTL_LBM   (3u << 6)
#define RCTL_BAM   (1u << 15)
#define RCTL_VFE   (1u << 18)
#define RCTL_BSEX  (1u << 25)
#define RCTL_SECRC (1u << 26)

#define TCTL_EN (1u << 1)

#define RXCSUM_IPOFL (1u << 8)
#define RXCSUM_TUOFL (1u << 9)

#define DELAY_MASK 0xffffu    /* RDTR, RADV, TIDV, TADV: units of 1.024 us */
#define DELAY_FPD  (1u << 31) /* RDTR, TIDV: flush */

/* Receive descriptors (3.2.3): status and errors */
enum {
    RXD_DD = 1,
    RXD_EOP = 2,
    RXD_IXSM = 4,
    RXD_VP = 8,
    RXD_TCPCS = 0x20,
    RXD_IPCS = 0x40,
    RXD_TCPE = 0x20,
    RXD_IPE = 0x40,
};

/* Transmit descriptors (3.3): the command byte, DTYP, TUCMD, POPTS, STA */
enum {
    TXD_EOP = 1,
    TXD_IFCS = 2,
    TXD_IC = 4,  /* legacy */
    TXD_TSE = 4, /* data */
    TXD_RS = 8,
    TXD_DEXT = 0x20,
    TXD_VLE = 0x40,
    TXD_IDE = 0x80,
    TXD_DTYP_CONTEXT = 0,
    TXD_DTYP_DATA = 1,
    TXD_POPTS_IXSM = 1,
    TXD_POPTS_TXSM = 2,
    TXD_STA_DD = 1,
    TXC_TCP = 1,
};

#endif
