/*
 * The 82540EM's receive side (the manual, 3.2; filters: 3.2.1 and 13.5).
 *
 * A frame for which there are no descriptors stays with the network, and is offered again when the
 * tail moves; the wire stands still meanwhile, as it would with flow control. The frame check
 * sequence that follows a frame in memory, unless it is stripped, is zeros: no frame here ever had
 * one. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/net/e1000_int.h"

enum {
    DESC_SIZE = 16,
    VLAN_TAG = 4,
    FCS = 4,
    RECEIVE_ADDRESSES = 16,
    LENGTH_MAX = 1522 - FCS, /* without long packet enable, a tag included */
    IPPROTO_OF_TCP = 6,
    IPPROTO_OF_UDP = 17,
};

typedef struct RxDesc {
    uint64_t addr;
    uint16_t length, checksum;
    uint8_t status, errors;
    uint16_t special;
} RxDesc;
_Static_assert(sizeof(RxDesc) == DESC_SIZE, "the manual, 3.2.3");

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* ---- filters ---- */

static bool multicast_passes(E1000 *s, const uint8_t *mac)
{
    static const uint8_t shifts[4] = {4, 3, 2, 0};
    unsigned hash = (mac[4] | mac[5] << 8) >> shifts[*e1000_reg(s, RCTL) >> 12 & 3] & 0xfff;

    return s->reg[MTA / 4 + (hash >> 5)] >> (hash & 31) & 1;
}

static bool address_passes(E1000 *s, const uint8_t *mac)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint32_t rctl = *e1000_reg(s, RCTL);

    if (((mac[0] & 1) ? rctl & RCTL_MPE : rctl & RCTL_UPE) ||
        ((rctl & RCTL_BAM) && !memcmp(mac, broadcast, 6))) {
        return true;
    }
    for (int i = 0; i < RECEIVE_ADDRESSES; i++) {
        uint32_t low = s->reg[RAL / 4 + 2 * i], high = s->reg[RAH / 4 + 2 * i];

        if ((high & 0x80000000) && !memcmp(mac, &low, 4) && !memcmp(mac + 4, &high, 2)) {
            return true;
        }
    }
    return (mac[0] & 1) && multicast_passes(s, mac);
}

static bool is_tagged(E1000 *s, const NetPacket *pkt)
{
    return pkt->len >= NET_ETH_HEADER + VLAN_TAG &&
           load16(pkt->data + 12) == (uint16_t)*e1000_reg(s, VET);
}

static bool vlan_passes(E1000 *s, const NetPacket *pkt)
{
    uint16_t id;

    if (!(*e1000_reg(s, RCTL) & RCTL_VFE) || !is_tagged(s, pkt)) {
        return true;
    }
    id = load16(pkt->data + 14) & 0xfff;
    return s->reg[VFTA / 4 + (id >> 5)] >> (id & 31) & 1;
}

static bool length_passes(E1000 *s, const NetPacket *pkt)
{
    if (pkt->len > LENGTH_MAX && !(*e1000_reg(s, RCTL) & (RCTL_LPE | RCTL_SBP))) {
        e1000_stat(s, ROC, 1);
        return false;
    }
    return pkt->len <= 16384 - FCS; /* what the chip takes with long packets enabled */
}

/* ---- checksums ---- */

static bool transport_is_right(const uint8_t *data, const NetLayers *l)
{
    uint32_t len = l->end - l->l4;

    return net_sum_fold(net_sum(net_pseudo_sum(data, l, len), data + l->l4, len)) == 0;
}

/* Status and errors of the checksums (3.2.9). */
static void check_sums(E1000 *s, const NetPacket *pkt, RxDesc *d)
{
    uint32_t rxcsum = *e1000_reg(s, RXCSUM), start = rxcsum & 0xff;
    bool known = pkt->hdr.flags & NET_HDR_DATA_VALID, udp;
    NetLayers l;

    if (start < pkt->len) {
        d->checksum = net_sum_fold(net_sum(0, pkt->data + start, pkt->len - start));
    }
    if (!(rxcsum & (RXCSUM_IPOFL | RXCSUM_TUOFL)) || !net_packet_layers(pkt->data, pkt->len, &l)) {
        d->status |= RXD_IXSM;
        return;
    }
    if (l.ipv4 && (rxcsum & RXCSUM_IPOFL)) {
        uint32_t len = (pkt->data[l.l3] & 15) * 4u;

        d->status |= RXD_IPCS;
        d->errors |= known || net_sum_fold(net_sum(0, pkt->data + l.l3, len)) == 0 ? 0 : RXD_IPE;
    }
    if (!(rxcsum & RXCSUM_TUOFL) ||
        (l.protocol != IPPROTO_OF_TCP && l.protocol != IPPROTO_OF_UDP)) {
        return;
    }
    udp = l.protocol == IPPROTO_OF_UDP;
    if (l.l4 + (udp ? 8 : 20) > l.end || (udp && !load16(pkt->data + l.l4 + 6))) {
        return; /* too short, or without a checksum */
    }
    d->status |= RXD_TCPCS;
    d->errors |= known || transport_is_right(pkt->data, &l) ? 0 : RXD_TCPE;
}

/* ---- descriptors ---- */

static uint32_t buffer_size(uint32_t rctl)
{
    uint32_t size = 2048u >> (rctl >> 16 & 3);

    return (rctl & RCTL_BSEX) && size < 2048 ? size * 16 : size;
}

/* The parts of a frame in the order they go to memory. */
typedef struct Rx {
    struct iovec part[4];
    size_t total, done;
} Rx;

static void copy_out(E1000 *s, hwaddr addr, const Rx *rx, size_t len)
{
    size_t skip = rx->done;

    for (int i = 0; i < 4 && len; i++) {
        if (skip >= rx->part[i].iov_len) {
            skip -= rx->part[i].iov_len;
            continue;
        }
        size_t n = MIN(len, rx->part[i].iov_len - skip);
        pci_dma_write(&s->pci, addr, (const uint8_t *)rx->part[i].iov_base + skip, n);
        addr += n;
        len -= n;
        skip = 0;
    }
}

static void gather(E1000 *s, const NetPacket *pkt, Rx *rx, RxDesc *d)
{
    static const uint8_t zeros[NET_ETH_MIN + FCS];
    bool strip = (*e1000_reg(s, CTRL) & CTRL_VME) && is_tagged(s, pkt);
    size_t front = strip ? 12 : pkt->len, back = strip ? 12 + VLAN_TAG : pkt->len;
    size_t len = pkt->len - (back - front);

    rx->part[0] = (struct iovec){(void *)pkt->data, front};
    rx->part[1] = (struct iovec){(void *)(pkt->data + back), pkt->len - back};
    rx->part[2] = (struct iovec){(void *)zeros, len < NET_ETH_MIN ? NET_ETH_MIN - len : 0};
    rx->part[3] = (struct iovec){(void *)zeros, *e1000_reg(s, RCTL) & RCTL_SECRC ? 0 : FCS};
    rx->total = len + rx->part[2].iov_len + rx->part[3].iov_len;
    rx->done = 0;
    if (strip) {
        d->status |= RXD_VP;
        d->special = load16(pkt->data + 14);
    }
}

static uint32_t free_descs(E1000 *s)
{
    uint32_t count = *e1000_reg(s, RDLEN) / DESC_SIZE, head = *e1000_reg(s, RDH);
    uint32_t tail = *e1000_reg(s, RDT);

    if (head >= count || tail >= count) {
        return 0;
    }
    return tail >= head ? tail - head : count - head + tail;
}

static void store_frame(E1000 *s, Rx *rx, RxDesc *last)
{
    uint64_t base = (uint64_t)*e1000_reg(s, RDBAH) << 32 | *e1000_reg(s, RDBAL);
    uint32_t count = *e1000_reg(s, RDLEN) / DESC_SIZE, *head = e1000_reg(s, RDH);
    uint32_t size = buffer_size(*e1000_reg(s, RCTL));

    while (rx->done < rx->total && free_descs(s)) {
        hwaddr at = base + (uint64_t)*head * DESC_SIZE;
        RxDesc d;
        uint64_t second;

        if (pci_dma_read(&s->pci, at, &d, sizeof(d)) != MEM_OK) {
            return;
        }
        memset(&d.length, 0, DESC_SIZE - sizeof(d.addr));
        d.status = RXD_DD;
        if (d.addr) { /* a null descriptor is given back as it is (3.2.3) */
            size_t n = MIN(size, rx->total - rx->done);

            copy_out(s, d.addr, rx, n);
            rx->done += n;
            if (rx->done == rx->total) {
                uint64_t addr = d.addr;

                d = *last;
                d.addr = addr;
                d.status |= RXD_DD | RXD_EOP;
            }
            d.length = (uint16_t)n;
        }
        /* The data is there before the status says so. */
        memcpy(&second, &d.length, sizeof(second));
        address_space_store(pci_dma_as(&s->pci), at + 8, second, 8);
        *head = *head + 1 == count ? 0 : *head + 1;
    }
}

static void count_frame(E1000 *s, const NetPacket *pkt)
{
    e1000_stat(s, TPR, 1);
    e1000_stat(s, GPRC, 1);
    e1000_stat64(s, TORL, pkt->len + FCS);
    e1000_stat64(s, GORCL, pkt->len + FCS);
    e1000_stat_size(s, PRC64, MAX(pkt->len, NET_ETH_MIN));
    if (pkt->data[0] & 1) {
        e1000_stat(s, !memcmp(pkt->data, "\xff\xff\xff\xff\xff\xff", 6) ? BPRC : MPRC, 1);
    }
}

/* Few descriptors are left (RCTL.RDMTS: a half, a quarter, an eighth of the ring). */
static bool below_threshold(E1000 *s)
{
    uint32_t count = *e1000_reg(s, RDLEN) / DESC_SIZE;

    return free_descs(s) == count >> (1 + MIN(*e1000_reg(s, RCTL) >> 8 & 3, 2));
}

bool e1000_receive(void *opaque, const NetPacket *pkt)
{
    E1000 *s = opaque;
    uint32_t rctl = *e1000_reg(s, RCTL), needed;
    RxDesc last = {0};
    Rx rx;

    if (!(rctl & RCTL_EN) || !(*e1000_reg(s, STATUS) & STATUS_LU) ||
        !(s->pci.config[PCI_COMMAND] & PCI_COMMAND_MASTER) || !length_passes(s, pkt) ||
        !address_passes(s, pkt->data) || !vlan_passes(s, pkt)) {
        return true;
    }
    gather(s, pkt, &rx, &last);
    needed = (uint32_t)((rx.total + buffer_size(rctl) - 1) / buffer_size(rctl));
    if (free_descs(s) < needed) {
        e1000_stat(s, RNBC, 1);
        e1000_cause(s, ICR_RXO);
        return false;
    }
    check_sums(s, pkt, &last);
    store_frame(s, &rx, &last);
    count_frame(s, pkt);
    if (below_threshold(s)) {
        e1000_cause(s, ICR_RXDMT0);
    }
    return true;
}

void e1000_receive_done(void *opaque)
{
    e1000_rx_cause(opaque);
}
