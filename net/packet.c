/*
 * Frames, checksums and segmentation.
 *
 * A frame to be segmented has a header of hdr bytes (Ethernet, IP, TCP or UDP) and a payload that
 * is cut into pieces of gso_size; each piece gets a copy of the header with lengths,
 * identification, sequence number, flags and checksums made its own. What the header says is
 * checked against the frame's own bytes: it comes from a guest. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include "net/packet.h"

#include <string.h>

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_QINQ = 0x88a8,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    TCP_HEADER = 20,
    UDP_HEADER = 8,
    IPV4_HEADER = 20,
    IPV6_HEADER = 40,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_CWR = 0x80,
};

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void store16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)load16(p) << 16 | load16(p + 2);
}

static void store32(uint8_t *p, uint32_t value)
{
    store16(p, value >> 16);
    store16(p + 2, value);
}

/* ---- frames ---- */

NetPacket *net_packet_new(uint32_t len)
{
    NetPacket *pkt = g_malloc(sizeof(NetPacket) + len);

    g_assert(len <= NET_FRAME_MAX);
    pkt->next = NULL;
    pkt->len = len;
    pkt->hdr = (NetHdr){0};
    return pkt;
}

NetPacket *net_packet_from_iov(const struct iovec *iov, unsigned count, size_t skip, uint32_t len)
{
    NetPacket *pkt = net_packet_new(len);
    uint32_t done = 0;

    for (unsigned i = 0; i < count && done < len; i++) {
        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        size_t n = MIN(len - done, iov[i].iov_len - skip);
        memcpy(pkt->data + done, (const uint8_t *)iov[i].iov_base + skip, n);
        done += (uint32_t)n;
        skip = 0;
    }
    pkt->len = done;
    return pkt;
}

NetPacket *net_packet_dup(const NetPacket *pkt)
{
    NetPacket *copy = net_packet_new(pkt->len);

    copy->hdr = pkt->hdr;
    memcpy(copy->data, pkt->data, pkt->len);
    return copy;
}

/* ---- checksums ---- */

/* Byte order does not matter to this sum as long as it is stored as it was loaded (RFC 1071, 2). */
uint64_t net_sum(uint64_t sum, const void *buf, size_t len)
{
    const uint8_t *p = buf;
    unsigned __int128 wide = sum;
    uint64_t v = 0;

    for (; len >= 32; p += 32, len -= 32) {
        uint64_t part[4];

        memcpy(part, p, sizeof(part));
        wide += part[0];
        wide += part[1];
        wide += part[2];
        wide += part[3];
    }
    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&v, p, 8);
        wide += v;
    }
    v = 0;
    memcpy(&v, p, len);
    wide += v;
    /* 2^64 is 1 modulo 2^16 - 1. Twice: the first time may carry. */
    wide = (uint64_t)wide + (uint64_t)(wide >> 64);
    return (uint64_t)wide + (uint64_t)(wide >> 64);
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum >> 32) + (uint32_t)sum;
    sum = (sum >> 32) + (uint32_t)sum;
    sum = (sum >> 16) + (uint16_t)sum;
    sum = (sum >> 16) + (uint16_t)sum;
    return (uint16_t)sum;
}

uint16_t net_sum_fold(uint64_t sum)
{
    return (uint16_t)~fold(sum);
}

static void store_sum(uint8_t *p, uint64_t sum)
{
    uint16_t value = net_sum_fold(sum);

    memcpy(p, &value, sizeof(value));
}

uint64_t net_pseudo_sum(const uint8_t *data, const NetLayers *l, uint32_t len)
{
    const uint8_t tail[8] = {
        (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0,
        l->protocol};

    return net_sum(net_sum(0, data + l->l3 + (l->ipv4 ? 12 : 8), l->ipv4 ? 8 : 32), tail,
                   sizeof(tail));
}

/* Completes the partial checksum of a whole frame. */
static bool complete_csum(NetPacket *pkt)
{
    uint32_t start = pkt->hdr.csum_start, at = start + pkt->hdr.csum_offset;
    uint16_t value;

    if (start >= pkt->len || at + 2 > pkt->len) {
        return false;
    }
    value = net_sum_fold(net_sum(0, pkt->data + start, pkt->len - start));
    if (!value && pkt->hdr.csum_offset == 6) {
        value = 0xffff; /* UDP: 0 would mean that there is none (RFC 768) */
    }
    memcpy(pkt->data + at, &value, sizeof(value));
    pkt->hdr.flags &= (uint8_t)~NET_HDR_NEEDS_CSUM;
    pkt->hdr.flags |= NET_HDR_DATA_VALID;
    return true;
}

/* ---- layers ---- */

static bool ipv4_layers(const uint8_t *data, uint32_t len, NetLayers *out)
{
    const uint8_t *ip = data + out->l3;
    uint32_t header, total;

    if (len < out->l3 + IPV4_HEADER || ip[0] >> 4 != 4) {
        return false;
    }
    header = (ip[0] & 15) * 4u;
    total = load16(ip + 2);
    if (header < IPV4_HEADER || total < header || out->l3 + total > len) {
        return false;
    }
    out->ipv4 = true;
    out->end = out->l3 + total;
    if (!(load16(ip + 6) & 0x3fff)) { /* neither a fragment nor the first of some */
        out->protocol = ip[9];
        out->l4 = out->l3 + header;
    }
    return true;
}

/* Extension headers that may stand before the transport's (RFC 8200, 4.1), but for fragments. */
static bool is_ipv6_extension(uint8_t header)
{
    return header == 0 || header == 43 || header == 60;
}

static bool ipv6_layers(const uint8_t *data, uint32_t len, NetLayers *out)
{
    const uint8_t *ip = data + out->l3;
    uint32_t at = out->l3 + IPV6_HEADER;
    uint8_t next;

    if (len < at || ip[0] >> 4 != 6 || at + load16(ip + 4) > len) {
        return false;
    }
    out->ipv6 = true;
    out->end = at + load16(ip + 4);
    next = ip[6];
    while (is_ipv6_extension(next)) {
        if (at + 8 > out->end) {
            return true;
        }
        next = data[at];
        at += (data[at + 1] + 1u) * 8;
    }
    if (at <= out->end && (next == PROTO_TCP || next == PROTO_UDP)) {
        out->protocol = next;
        out->l4 = at;
    }
    return true;
}

bool net_packet_layers(const uint8_t *data, uint32_t len, NetLayers *out)
{
    uint32_t at = 12;
    uint16_t type;

    memset(out, 0, sizeof(*out));
    if (len < NET_ETH_HEADER) {
        return false;
    }
    type = load16(data + at);
    for (int tags = 0; tags < 2 && (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ); tags++) {
        at += 4;
        if (at + 2 > len) {
            return false;
        }
        type = load16(data + at);
    }
    out->l3 = at + 2;
    if (type == ETHERTYPE_IPV4) {
        return ipv4_layers(data, len, out);
    }
    return type == ETHERTYPE_IPV6 && ipv6_layers(data, len, out);
}

/* ---- segmentation ---- */

typedef struct Segmenter {
    NetLayers l;
    uint32_t header, mss; /* bytes of all headers; of payload in a segment */
    uint32_t payload;
} Segmenter;

/* The layers of a frame whose IP length field cannot be right: it is of a packet still to be cut,
 * which may be longer than the field can say. */
static bool gso_layers(uint8_t *data, uint32_t len, NetLayers *l)
{
    uint32_t total;

    if (!net_packet_layers(data, len, l) && !l->l3) {
        return false;
    }
    total = len - MIN(l->l3, len);
    if (total < IPV4_HEADER || total > 65535) {
        return false;
    }
    if (data[l->l3] >> 4 == 4) {
        store16(data + l->l3 + 2, total);
    } else if (total >= IPV6_HEADER) {
        store16(data + l->l3 + 4, total - IPV6_HEADER);
    }
    return net_packet_layers(data, len, l) &&
           (l->protocol == PROTO_TCP ? l->l4 + TCP_HEADER <= len
                                     : l->protocol == PROTO_UDP && l->l4 + UDP_HEADER <= len);
}

static bool segmenter_init(Segmenter *s, NetPacket *pkt)
{
    uint8_t type = pkt->hdr.gso_type & (uint8_t)~NET_GSO_ECN;
    bool tcp = type == NET_GSO_TCPV4 || type == NET_GSO_TCPV6;

    if (!gso_layers(pkt->data, pkt->len, &s->l) || !pkt->hdr.gso_size ||
        s->l.protocol != (tcp ? PROTO_TCP : PROTO_UDP) || (type == NET_GSO_TCPV4 && !s->l.ipv4) ||
        (type == NET_GSO_TCPV6 && !s->l.ipv6)) {
        return false;
    }
    if (tcp) {
        s->header = s->l.l4 + (pkt->data[s->l.l4 + 12] >> 4) * 4u;
        if (s->header < s->l.l4 + TCP_HEADER) {
            return false;
        }
    } else {
        s->header = s->l.l4 + UDP_HEADER;
    }
    if (s->header > pkt->len) {
        return false;
    }
    s->mss = pkt->hdr.gso_size;
    s->payload = pkt->len - s->header;
    return true;
}

/* Lengths and checksums of a frame whose other fields are right, as LEN says. */
static void finish_headers(uint8_t *data, uint32_t len, const NetLayers *l)
{
    uint32_t field = l->protocol == PROTO_TCP ? 16 : 6;
    uint8_t *sum = data + l->l4 + field;

    if (l->ipv4) {
        uint8_t *ip = data + l->l3;

        store16(ip + 2, len - l->l3);
        memset(ip + 10, 0, 2);
        store_sum(ip + 10, net_sum(0, ip, l->l4 - l->l3));
    } else {
        store16(data + l->l3 + 4, len - l->l3 - IPV6_HEADER);
    }
    if (l->protocol == PROTO_UDP) {
        store16(data + l->l4 + 4, len - l->l4);
    }
    memset(sum, 0, 2);
    store_sum(sum, net_sum(net_pseudo_sum(data, l, len - l->l4), data + l->l4, len - l->l4));
    if (l->protocol == PROTO_UDP && !sum[0] && !sum[1]) {
        memset(sum, 0xff, 2);
    }
}

bool net_gso_prepare(uint8_t *data, uint32_t len, uint16_t gso_size, NetHdr *hdr)
{
    NetLayers l;
    bool tcp;
    uint16_t sum;

    if (!gso_size || !gso_layers(data, len, &l)) {
        return false;
    }
    tcp = l.protocol == PROTO_TCP;
    if (l.ipv4) {
        memset(data + l.l3 + 10, 0, 2);
        store_sum(data + l.l3 + 10, net_sum(0, data + l.l3, l.l4 - l.l3));
    }
    if (!tcp) {
        store16(data + l.l4 + 4, len - l.l4);
    }
    sum = fold(net_pseudo_sum(data, &l, len - l.l4));
    memcpy(data + l.l4 + (tcp ? 16 : 6), &sum, sizeof(sum));
    *hdr = (NetHdr){
        .flags = NET_HDR_NEEDS_CSUM,
        .gso_type = !tcp     ? NET_GSO_UDP_L4
                    : l.ipv4 ? NET_GSO_TCPV4
                             : NET_GSO_TCPV6,
        .hdr_len = (uint16_t)(l.l4 + (tcp ? (data[l.l4 + 12] >> 4) * 4u : UDP_HEADER)),
        .gso_size = gso_size,
        .csum_start = (uint16_t)l.l4,
        .csum_offset = tcp ? 16 : 6,
    };
    return true;
}

static NetPacket *cut_segment(const Segmenter *s, const NetPacket *pkt, uint32_t offset,
                              uint32_t index)
{
    uint32_t len = MIN(s->mss, s->payload - offset);
    bool last = offset + len == s->payload;
    NetPacket *seg = net_packet_new(s->header + len);
    uint8_t *l4 = seg->data + s->l.l4;

    memcpy(seg->data, pkt->data, s->header);
    memcpy(seg->data + s->header, pkt->data + s->header + offset, len);
    if (s->l.ipv4) {
        uint8_t *id = seg->data + s->l.l3 + 4;
        store16(id, load16(id) + index);
    }
    if (s->l.protocol == PROTO_TCP) {
        store32(l4 + 4, load32(l4 + 4) + offset);
        l4[13] &= (uint8_t) ~((last ? 0 : TCP_FIN | TCP_PSH) | (index ? TCP_CWR : 0));
    }
    finish_headers(seg->data, seg->len, &s->l);
    seg->hdr.flags = NET_HDR_DATA_VALID;
    return seg;
}

static void segment(NetPacket *pkt, void (*out)(NetPacket *pkt, void *opaque), void *opaque)
{
    Segmenter s;
    uint32_t offset = 0, index = 0;

    if (segmenter_init(&s, pkt)) {
        do {
            out(cut_segment(&s, pkt, offset, index++), opaque);
            offset += s.mss;
        } while (offset < s.payload);
    }
    g_free(pkt);
}

/* Whether ACCEPTS covers PKT's segmentation. */
static bool takes_gso(const NetPacket *pkt, uint32_t accepts)
{
    uint8_t type = pkt->hdr.gso_type & (uint8_t)~NET_GSO_ECN;
    bool ipv6 = pkt->len > 13 && pkt->data[12] == 0x86; /* if not behind a VLAN tag */

    if ((pkt->hdr.gso_type & NET_GSO_ECN) && !(accepts & NET_OFFLOAD_ECN)) {
        return false;
    }
    switch (type) {
    case NET_GSO_TCPV4:
        return accepts & NET_OFFLOAD_TSO4;
    case NET_GSO_TCPV6:
        return accepts & NET_OFFLOAD_TSO6;
    case NET_GSO_UDP_L4:
        return accepts & (ipv6 ? NET_OFFLOAD_USO6 : NET_OFFLOAD_USO4);
    default:
        return false;
    }
}

void net_packet_adapt(NetPacket *pkt, uint32_t accepts, void (*out)(NetPacket *pkt, void *opaque),
                      void *opaque)
{
    bool gso = pkt->hdr.gso_type != NET_GSO_NONE;
    Segmenter s;

    if (gso && !takes_gso(pkt, accepts)) {
        segment(pkt, out, opaque);
        return;
    }
    if (gso && !(accepts & NET_OFFLOAD_CSUM)) {
        /* It goes as one long packet: its checksums are made as if it were one. */
        if (!segmenter_init(&s, pkt)) {
            g_free(pkt);
            return;
        }
        finish_headers(pkt->data, pkt->len, &s.l);
        pkt->hdr.flags = NET_HDR_DATA_VALID;
    } else if ((pkt->hdr.flags & NET_HDR_NEEDS_CSUM) && !(accepts & NET_OFFLOAD_CSUM) &&
               !complete_csum(pkt)) {
        g_free(pkt);
        return;
    }
    out(pkt, opaque);
}
