/*
 * The virtio network device's control queue (virtio 1.2, 5.1.6.5) and the filters it sets.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/virtio/virtio_net_int.h"
#include "util/keyval.h"

enum {
    CTRL_RX = 0,
    CTRL_RX_NOBCAST = 5, /* the last of its commands */
    CTRL_MAC = 1,
    CTRL_MAC_TABLE_SET = 0,
    CTRL_MAC_ADDR_SET = 1,
    CTRL_VLAN = 2,
    CTRL_VLAN_ADD = 0,
    CTRL_VLAN_DEL = 1,
    CTRL_ANNOUNCE = 3,
    CTRL_ANNOUNCE_ACK = 0,
    CTRL_GUEST_OFFLOADS = 5,
    CTRL_GUEST_OFFLOADS_SET = 0,

    ACK_OK = 0,
    ACK_ERROR = 1,
    HEADER_BYTES = 2, /* class, command */
};

/* A command's data, read from the front. */
typedef struct Data {
    const VirtElem *elem;
    size_t at;
} Data;

static bool take(Data *d, void *buf, size_t len)
{
    size_t n = virtio_iov_read(d->elem->out, d->elem->out_count, d->at, buf, len);

    d->at += n;
    return n == len;
}

static bool set_rx_mode(VirtioNet *s, uint8_t command, Data *d)
{
    VirtioNetFilter *f = &s->filter;
    uint8_t *const modes[] = {&f->promisc, &f->allmulti, &f->alluni,
                              &f->nomulti, &f->nouni,    &f->nobcast};
    uint8_t on;

    if (command > CTRL_RX_NOBCAST || !take(d, &on, 1)) {
        return false;
    }
    *modes[command] = on != 0;
    return true;
}

/* One of the table's two parts, behind the *COUNT addresses there are. */
static bool take_macs(Data *d, VirtioNetFilter *f, uint32_t *count, uint8_t *overflow)
{
    uint32_t n;

    if (!take(d, &n, sizeof(n))) {
        return false;
    }
    n = GUINT32_FROM_LE(n);
    if (d->at > d->elem->out_bytes || n > (d->elem->out_bytes - d->at) / 6) {
        return false;
    }
    *overflow = n > VIRTIO_NET_MACS - *count;
    if (*overflow) {
        d->at += (size_t)n * 6;
        return true;
    }
    if (!take(d, f->macs + *count * 6, (size_t)n * 6)) {
        return false;
    }
    *count += n;
    return true;
}

static bool set_mac_table(VirtioNet *s, Data *d)
{
    VirtioNetFilter f = s->filter;
    uint32_t count = 0;

    memset(f.macs, 0, sizeof(f.macs));
    if (!take_macs(d, &f, &count, &f.uni_overflow)) {
        return false;
    }
    f.uni_count = count;
    if (!take_macs(d, &f, &count, &f.multi_overflow)) {
        return false;
    }
    f.mac_count = count;
    s->filter = f;
    return true;
}

static bool set_mac(VirtioNet *s, uint8_t command, Data *d)
{
    uint8_t mac[6];

    if (command == CTRL_MAC_TABLE_SET) {
        return set_mac_table(s, d);
    }
    if (command != CTRL_MAC_ADDR_SET || !take(d, mac, sizeof(mac))) {
        return false;
    }
    memcpy(s->mac, mac, sizeof(mac));
    net_nic_set_mac(s->nic, mac);
    return true;
}

static bool set_vlan(VirtioNet *s, uint8_t command, Data *d)
{
    uint16_t id;

    if (!take(d, &id, sizeof(id)) || command > CTRL_VLAN_DEL) {
        return false;
    }
    id = GUINT16_FROM_LE(id);
    if (id >= VIRTIO_NET_VLANS) {
        return false;
    }
    if (command == CTRL_VLAN_ADD) {
        s->filter.vlans[id / 32] |= 1u << id % 32;
    } else {
        s->filter.vlans[id / 32] &= ~(1u << id % 32);
    }
    return true;
}

static bool set_offloads(VirtioNet *s, uint8_t command, Data *d)
{
    uint64_t offloads, allowed = s->vpci.vdev.accepted & NET_F_GUEST_OFFLOADS;

    if (command != CTRL_GUEST_OFFLOADS_SET || !take(d, &offloads, sizeof(offloads))) {
        return false;
    }
    offloads = GUINT64_FROM_LE(offloads);
    if (offloads & ~allowed) {
        return false;
    }
    s->guest_offloads = offloads;
    virtio_net_update_accepts(s);
    return true;
}

static bool run_command(VirtioNet *s, const VirtElem *elem)
{
    VirtioDevice *vdev = &s->vpci.vdev;
    Data d = {elem, 0};
    uint8_t header[HEADER_BYTES];

    if (!take(&d, header, sizeof(header))) {
        return false;
    }
    switch (header[0]) {
    case CTRL_RX:
        return virtio_has(vdev, header[1] >= 2 ? NET_F_CTRL_RX_EXTRA : NET_F_CTRL_RX) &&
               set_rx_mode(s, header[1], &d);
    case CTRL_MAC:
        return set_mac(s, header[1], &d);
    case CTRL_VLAN:
        return virtio_has(vdev, NET_F_CTRL_VLAN) && set_vlan(s, header[1], &d);
    case CTRL_ANNOUNCE:
        if (header[1] != CTRL_ANNOUNCE_ACK || !(s->status & NET_S_ANNOUNCE)) {
            return false;
        }
        s->status &= (uint16_t)~NET_S_ANNOUNCE;
        return true;
    case CTRL_GUEST_OFFLOADS:
        return virtio_has(vdev, NET_F_CTRL_GUEST_OFFLOADS) && set_offloads(s, header[1], &d);
    default:
        return false;
    }
}

void virtio_net_handle_ctrl(VirtioDevice *vdev, VirtQueue *q)
{
    VirtioNet *s = virtio_net_of(vdev);
    VirtElem *elem;
    unsigned left = q->size; /* a driver that adds all the time waits for its next notification */
    uint8_t ack;

    while (left-- && (elem = virtq_pop(q))) {
        if (!elem->in_bytes || elem->out_bytes < HEADER_BYTES) {
            virtio_error(vdev, "a control command without room for header or answer");
            virtq_drop(q, elem);
            return;
        }
        ack = run_command(s, elem) ? ACK_OK : ACK_ERROR;
        virtio_iov_write(elem->in, elem->in_count, 0, &ack, sizeof(ack));
        virtq_push(q, elem, sizeof(ack));
    }
    virtq_interrupt(q);
}

/* ---- filters ---- */

void virtio_net_filter_reset(VirtioNet *s)
{
    VirtioNetFilter *f = &s->filter;

    memset(f, 0, sizeof(*f));
    f->promisc = 1; /* until the driver says otherwise: it may not know how to */
}

static bool in_table(const VirtioNetFilter *f, const uint8_t *mac, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        if (!memcmp(f->macs + 6 * i, mac, 6)) {
            return true;
        }
    }
    return false;
}

static bool vlan_passes(const VirtioNet *s, const NetPacket *pkt)
{
    const uint8_t *p = pkt->data + 12;
    unsigned id;

    if (!virtio_has(&s->vpci.vdev, NET_F_CTRL_VLAN) || pkt->len < NET_ETH_HEADER + 4 ||
        p[0] != 0x81 || p[1] != 0) {
        return true;
    }
    id = (p[2] << 8 | p[3]) & 0xfff;
    return s->filter.vlans[id / 32] >> id % 32 & 1;
}

bool virtio_net_filter_passes(const VirtioNet *s, const NetPacket *pkt)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const VirtioNetFilter *f = &s->filter;
    const uint8_t *mac = pkt->data;

    if (f->promisc) {
        return true;
    }
    if (!vlan_passes(s, pkt)) {
        return false;
    }
    if (!(mac[0] & 1)) {
        return !f->nouni && (f->alluni || f->uni_overflow || !memcmp(mac, s->mac, 6) ||
                             in_table(f, mac, 0, f->uni_count));
    }
    if (!memcmp(mac, broadcast, 6)) {
        return !f->nobcast;
    }
    return !f->nomulti &&
           (f->allmulti || f->multi_overflow || in_table(f, mac, f->uni_count, f->mac_count));
}

static const StateField fields[] = {
    STATE_FIELD_UINT_MAX(VirtioNetFilter, promisc, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, allmulti, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, alluni, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, nomulti, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, nouni, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, nobcast, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, uni_overflow, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, multi_overflow, 1),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, uni_count, VIRTIO_NET_MACS),
    STATE_FIELD_UINT_MAX(VirtioNetFilter, mac_count, VIRTIO_NET_MACS),
    STATE_FIELD_BYTES(VirtioNetFilter, macs),
    STATE_FIELD_UINT_ARRAY(VirtioNetFilter, vlans),
    STATE_FIELD_END,
};
const StateTable virtio_net_filter_state = {
    .name = "virtio-net-filter", .version = 1, .min_version = 1, .fields = fields};
