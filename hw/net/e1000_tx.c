/*
 * The 82540EM's transmit side (the manual, 3.3 and 3.4 and 3.5).
 *
 * Descriptors between head and tail are gathered into a frame until one says that it is the last.
 * Checksums and segmentation are left to the network where it can do them. A descriptor whose frame
 * the network does not take now stays at the head, and is looked at again when it does.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/net/e1000_int.h"

enum {
    DESC_SIZE = 16,
    VLAN_TAG = 4,
    MAC_BYTES = 12,
    /* Bytes in one go under the machine lock: a ring of nothing but long descriptors must not hold
       it for long. */
    BUDGET = 2 << 20,
    DESC_COST = 64,
};

typedef struct TxDesc {
    uint64_t addr;
    uint32_t lower, upper;
} TxDesc;

static uint8_t desc_cmd(const TxDesc *d)
{
    return (uint8_t)(d->lower >> 24);
}

static void load_context(E1000 *s, const TxDesc *d)
{
    s->context = (E1000TxContext){
        .ipcss = (uint8_t)d->addr,
        .ipcso = (uint8_t)(d->addr >> 8),
        .ipcse = (uint16_t)(d->addr >> 16),
        .tucss = (uint8_t)(d->addr >> 32),
        .tucso = (uint8_t)(d->addr >> 40),
        .tucse = (uint16_t)(d->addr >> 48),
        .paylen = d->lower & 0xfffff,
        .tucmd = desc_cmd(d),
        .hdrlen = (uint8_t)(d->upper >> 8),
        .mss = (uint16_t)(d->upper >> 16),
    };
}

/* ---- frames ---- */

/* Stores the checksum of [start, end] (END 0: all that follows) at AT (3.5). */
static void insert_sum(E1000TxFrame *f, uint32_t start, uint32_t end, uint32_t at)
{
    uint32_t stop = end && end < f->len ? end + 1 : f->len;
    uint16_t sum;

    if (start < stop && at + 2 <= f->len) {
        sum = net_sum_fold(net_sum(0, f->data + start, stop - start));
        memcpy(f->data + at, &sum, sizeof(sum));
    }
}

/* The sum of TCP or UDP: the network's to make if it goes to the frame's end. */
static void transport_sum(E1000TxFrame *f, uint32_t start, uint32_t end, uint32_t at, NetHdr *hdr)
{
    if ((!end || end + 1 >= f->len) && at >= start && start < f->len && at + 2 <= f->len) {
        hdr->flags = NET_HDR_NEEDS_CSUM;
        hdr->csum_start = (uint16_t)start;
        hdr->csum_offset = (uint16_t)(at - start);
    } else {
        insert_sum(f, start, end, at);
    }
}

/* False: the frame is not one that can be sent. */
static bool offloads(E1000 *s, NetHdr *hdr)
{
    E1000TxFrame *f = &s->frame;
    const E1000TxContext *c = &s->context;

    *hdr = (NetHdr){0};
    if (f->overlong) {
        return false;
    }
    if (f->tse) {
        if (net_gso_prepare(f->data, f->len, c->mss, hdr)) {
            e1000_stat(s, TSCTC, 1);
            return true;
        }
        e1000_stat(s, TSCTFC, 1);
        return false;
    }
    if (f->popts & TXD_POPTS_IXSM) {
        insert_sum(f, c->ipcss, c->ipcse, c->ipcso);
    }
    if (f->popts & TXD_POPTS_TXSM) {
        transport_sum(f, c->tucss, c->tucse, c->tucso, hdr);
    }
    if (f->legacy_ic) {
        transport_sum(f, f->legacy_css, 0, f->legacy_cso, hdr);
    }
    return true;
}

static void count_frame(E1000 *s, uint32_t len)
{
    const uint8_t *data = s->frame.data;

    e1000_stat(s, TPT, 1);
    e1000_stat(s, GPTC, 1);
    e1000_stat64(s, TOTL, len + 4);
    e1000_stat64(s, GOTCL, len + 4);
    e1000_stat_size(s, PTC64, len);
    if (data[0] & 1) {
        e1000_stat(s, !memcmp(data, "\xff\xff\xff\xff\xff\xff", 6) ? BPTC : MPTC, 1);
    }
}

static void loop_back_one(NetPacket *pkt, void *opaque)
{
    e1000_receive(opaque, pkt);
    g_free(pkt);
}

static void loop_back(E1000 *s, const struct iovec *iov, unsigned count, uint32_t len,
                      const NetHdr *hdr)
{
    NetPacket *pkt = net_packet_from_iov(iov, count, 0, len);

    pkt->hdr = *hdr;
    net_packet_adapt(pkt, 0, loop_back_one, s);
    e1000_receive_done(s);
}

/* Sends the gathered frame. False: not now. */
static bool send_frame(E1000 *s)
{
    E1000TxFrame *f = &s->frame;
    uint32_t vet = *e1000_reg(s, VET);
    const uint8_t tag[VLAN_TAG] = {(uint8_t)(vet >> 8), (uint8_t)vet, (uint8_t)(f->vlan >> 8),
                                   (uint8_t)f->vlan};
    bool tagged = f->vle && (*e1000_reg(s, CTRL) & CTRL_VME);
    uint32_t front = tagged ? MAC_BYTES : f->len, len;
    struct iovec iov[3] = {
        {f->data, front}, {(void *)tag, tagged ? VLAN_TAG : 0}, {f->data + front, f->len - front}};
    NetHdr hdr;

    if (f->len < NET_ETH_HEADER || f->len > NET_FRAME_MAX - VLAN_TAG || !offloads(s, &hdr)) {
        return true;
    }
    len = f->len + (tagged ? VLAN_TAG : 0);
    if (tagged && (hdr.flags & NET_HDR_NEEDS_CSUM)) {
        hdr.csum_start += VLAN_TAG;
        hdr.hdr_len = (uint16_t)(hdr.hdr_len ? hdr.hdr_len + VLAN_TAG : 0);
    }
    if (*e1000_reg(s, RCTL) & RCTL_LBM) {
        loop_back(s, iov, 3, len, &hdr);
    } else if (!net_nic_send(s->nic, iov, 3, 0, &hdr)) {
        return false;
    }
    count_frame(s, len);
    return true;
}

/* ---- descriptors ---- */

/* The first descriptor of a frame decides on its kind. */
static void start_frame(E1000 *s, const TxDesc *d)
{
    E1000TxFrame *f = &s->frame;
    uint8_t cmd = desc_cmd(d);
    bool data = cmd & TXD_DEXT;

    f->overlong = false;
    f->tse = data && (cmd & TXD_TSE);
    f->popts = data ? (uint8_t)(d->upper >> 8) : 0;
}

/* What a frame's last descriptor says. */
static void end_frame(E1000 *s, const TxDesc *d)
{
    E1000TxFrame *f = &s->frame;
    uint8_t cmd = desc_cmd(d);
    bool data = cmd & TXD_DEXT;

    f->vle = cmd & TXD_VLE;
    f->vlan = (uint16_t)(d->upper >> 16);
    f->legacy_ic = !data && (cmd & TXD_IC);
    f->legacy_css = (uint8_t)(d->upper >> 8);
    f->legacy_cso = (uint8_t)(d->lower >> 16);
}

/* Takes one descriptor; false: its frame cannot be sent now, and it is as if it had not been looked
 * at. */
static bool take_desc(E1000 *s, const TxDesc *d, uint32_t *cost)
{
    E1000TxFrame *f = &s->frame;
    uint8_t cmd = desc_cmd(d);
    bool extended = cmd & TXD_DEXT;
    uint32_t len = d->lower & (extended ? 0xfffff : 0xffff), before = f->len;

    *cost += DESC_COST;
    if (extended && (d->lower >> 20 & 15) == TXD_DTYP_CONTEXT) {
        load_context(s, d);
        return true;
    }
    if (!f->len && !f->overlong) {
        start_frame(s, d);
    }
    if (len > NET_FRAME_MAX - f->len) {
        f->overlong = true;
    } else if (len) {
        pci_dma_read(&s->pci, d->addr, f->data + f->len, len);
        f->len += len;
        *cost += len;
    }
    if (cmd & TXD_EOP) {
        end_frame(s, d);
        if (!send_frame(s)) {
            f->len = before;
            return false;
        }
        f->len = 0;
        f->overlong = false;
    }
    return true;
}

/* Tells that it is done (3.3.3.2), when asked to. */
static void write_back(E1000 *s, hwaddr at, const TxDesc *d, bool *report, bool *delayed)
{
    uint8_t cmd = desc_cmd(d);

    if (cmd & TXD_RS) {
        uint32_t upper = d->upper | TXD_STA_DD;

        address_space_store(pci_dma_as(&s->pci), at + 12, upper, 4);
        *report = true;
        *delayed &= (cmd & TXD_IDE) != 0;
    }
}

static void report_done(E1000 *s, bool delayed)
{
    if (delayed && (*e1000_reg(s, TIDV) & DELAY_MASK)) {
        e1000_tx_cause(s);
    } else {
        e1000_cause(s, ICR_TXDW);
    }
}

void e1000_transmit(E1000 *s)
{
    uint64_t base = (uint64_t)*e1000_reg(s, TDBAH) << 32 | *e1000_reg(s, TDBAL);
    uint32_t count = *e1000_reg(s, TDLEN) / DESC_SIZE, *head = e1000_reg(s, TDH);
    uint32_t tail = *e1000_reg(s, TDT), cost = 0;
    bool report = false, delayed = true, blocked = false;

    if (!(*e1000_reg(s, TCTL) & TCTL_EN) || tail >= count || *head >= count || *head == tail) {
        return;
    }
    while (*head != tail && cost < BUDGET && !blocked) {
        hwaddr at = base + (uint64_t)*head * DESC_SIZE;
        TxDesc d;

        if (pci_dma_read(&s->pci, at, &d, sizeof(d)) != MEM_OK) {
            break;
        }
        blocked = !take_desc(s, &d, &cost);
        if (!blocked) {
            write_back(s, at, &d, &report, &delayed);
            *head = *head + 1 == count ? 0 : *head + 1;
        }
    }
    if (report) {
        report_done(s, delayed);
    }
    if (*head == tail) {
        e1000_cause(s, ICR_TXQE);
    } else if (cost >= BUDGET) {
        timer_arm(s->tx_timer, clock_now(CLOCK_VM));
    }
}

/* ---- saved state ---- */

static const StateField context_fields[] = {
    STATE_FIELD_UINT(E1000TxContext, ipcss),
    STATE_FIELD_UINT(E1000TxContext, ipcso),
    STATE_FIELD_UINT(E1000TxContext, tucss),
    STATE_FIELD_UINT(E1000TxContext, tucso),
    STATE_FIELD_UINT(E1000TxContext, tucmd),
    STATE_FIELD_UINT(E1000TxContext, hdrlen),
    STATE_FIELD_UINT(E1000TxContext, ipcse),
    STATE_FIELD_UINT(E1000TxContext, tucse),
    STATE_FIELD_UINT(E1000TxContext, mss),
    STATE_FIELD_UINT(E1000TxContext, paylen),
    STATE_FIELD_END,
};
const StateTable e1000_context_state = {
    .name = "e1000-context", .version = 1, .min_version = 1, .fields = context_fields};

static const StateField frame_fields[] = {
    STATE_FIELD_UINT(E1000TxFrame, popts),
    STATE_FIELD_UINT(E1000TxFrame, tse),
    STATE_FIELD_UINT(E1000TxFrame, overlong),
    {.name = "data",
     .kind = STATE_VBYTES,
     .offset = offsetof(E1000TxFrame, data),
     .size = NET_FRAME_MAX,
     .count = 1,
     .count_offset = offsetof(E1000TxFrame, len),
     .pointer = true},
    STATE_FIELD_END,
};
const StateTable e1000_frame_state = {
    .name = "e1000-frame", .version = 1, .min_version = 1, .fields = frame_fields};
