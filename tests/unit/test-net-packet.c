/*
 * Frames: checksums and segmentation, and what becomes of headers that make no sense.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "net/packet.h"

enum { PAYLOAD = 5000, MSS = 1448 };

static GPtrArray *out;

static void collect(NetPacket *pkt, void *opaque)
{
    (void)opaque;
    g_ptr_array_add(out, pkt);
}

static void adapt(NetPacket *pkt, uint32_t accepts)
{
    g_clear_pointer(&out, g_ptr_array_unref);
    out = g_ptr_array_new_with_free_func(g_free);
    net_packet_adapt(pkt, accepts, collect, NULL);
}

static NetPacket *result(guint n)
{
    g_assert_cmpuint(n, <, out->len);
    return g_ptr_array_index(out, n);
}

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* The sum as the RFC says it, word by word. */
static uint16_t slow_sum(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* A TCP or UDP packet of LEN bytes of payload behind TAGS VLAN tags; lengths and sums zero. */
static NetPacket *make(bool ipv6, bool tcp, unsigned tags, uint32_t len)
{
    uint32_t l3 = 14 + 4 * tags, l4 = l3 + (ipv6 ? 40 : 20), header = l4 + (tcp ? 32 : 8);
    NetPacket *pkt = net_packet_new(header + len);
    uint8_t *ip = pkt->data + l3, *th = pkt->data + l4, *type = pkt->data + 12;

    memset(pkt->data, 0, header);
    memset(pkt->data, 0x52, 12);
    for (unsigned i = 0; i < tags; i++, type += 4) {
        memcpy(type, "\x81\x00\x00\x05", 4);
    }
    memcpy(type, ipv6 ? "\x86\xdd" : "\x08\x00", 2);
    if (ipv6) {
        ip[0] = 0x60;
        ip[6] = tcp ? 6 : 17;
        memset(ip + 8, 0xfe, 32);
    } else {
        ip[0] = 0x45;
        ip[5] = 7; /* identification */
        ip[9] = tcp ? 6 : 17;
        memset(ip + 12, 10, 8);
    }
    if (tcp) {
        memcpy(th + 4, "\xff\xff\xff\x00", 4); /* sequence number: about to wrap */
        th[12] = 0x80;
        th[13] = 0x99; /* CWR, ACK, PSH, FIN */
    }
    for (uint32_t i = 0; i < len; i++) {
        pkt->data[header + i] = (uint8_t)(i * 7);
    }
    g_assert_true(net_gso_prepare(pkt->data, pkt->len, MSS, &pkt->hdr));
    return pkt;
}

static void check_transport_sum(const NetPacket *pkt)
{
    NetLayers l;
    uint32_t len;
    GByteArray *pseudo = g_byte_array_new();
    uint8_t tail[4] = {0};

    g_assert_true(net_packet_layers(pkt->data, pkt->len, &l));
    g_assert_cmpuint(l.end, ==, pkt->len);
    len = l.end - l.l4;
    g_byte_array_append(pseudo, pkt->data + l.l3 + (l.ipv4 ? 12 : 8), l.ipv4 ? 8 : 32);
    tail[1] = l.protocol;
    tail[2] = (uint8_t)(len >> 8);
    tail[3] = (uint8_t)len;
    g_byte_array_append(pseudo, tail, 4);
    g_byte_array_append(pseudo, pkt->data + l.l4, len);
    g_assert_cmphex(slow_sum(pseudo->data, pseudo->len), ==, 0);
    g_byte_array_unref(pseudo);
    if (l.ipv4) {
        g_assert_cmphex(slow_sum(pkt->data + l.l3, l.l4 - l.l3), ==, 0);
    }
}

static void test_sum_is_the_rfcs(void)
{
    uint8_t buf[300];
    uint16_t fast;

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (uint8_t)g_test_rand_int();
    }
    for (size_t len = 0; len < sizeof(buf); len++) {
        fast = net_sum_fold(net_sum(0, buf, len));
        g_assert_cmphex(be16((uint8_t *)&fast), ==, slow_sum(buf, len));
    }
    memset(buf, 0xff, sizeof(buf));
    fast = net_sum_fold(net_sum(UINT64_MAX, buf, sizeof(buf)));
    g_assert_cmphex(fast, ==, 0);
}

static void check_segments(bool ipv6, bool tcp, unsigned tags)
{
    uint32_t l3 = 14 + 4 * tags, l4 = l3 + (ipv6 ? 40 : 20), header = l4 + (tcp ? 32 : 8), at = 0;

    adapt(make(ipv6, tcp, tags, PAYLOAD), 0);
    g_assert_cmpuint(out->len, ==, 4);
    for (guint i = 0; i < out->len; i++) {
        const NetPacket *p = result(i);
        const uint8_t *th = p->data + l4;

        g_assert_cmpuint(p->len - header, ==, i < 3 ? MSS : PAYLOAD - 3 * MSS);
        g_assert_cmpuint(p->hdr.gso_type, ==, NET_GSO_NONE);
        check_transport_sum(p);
        if (!ipv6) {
            g_assert_cmpuint(be16(p->data + l3 + 4), ==, 7 + i);
        }
        if (tcp) {
            uint32_t seq = (uint32_t)be16(th + 4) << 16 | be16(th + 6);
            g_assert_cmphex(seq, ==, 0xffffff00u + at);
            g_assert_cmphex(th[13], ==, (i ? 0x10 : 0x90) | (i == 3 ? 0x09 : 0));
        } else {
            g_assert_cmpuint(be16(th + 4), ==, p->len - l4);
        }
        g_assert_cmphex(p->data[header], ==, (uint8_t)(at * 7));
        at += p->len - header;
    }
    g_assert_cmpuint(at, ==, PAYLOAD);
}

static void test_long_packets_are_cut_as_the_hardware_would(void)
{
    for (unsigned tags = 0; tags < 3; tags++) {
        check_segments(false, true, tags);
        check_segments(true, true, tags);
        check_segments(false, false, tags);
        check_segments(true, false, tags);
    }
}

static void test_who_takes_long_packets_gets_them(void)
{
    adapt(make(false, true, 0, PAYLOAD), NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4);
    g_assert_cmpuint(out->len, ==, 1);
    g_assert_cmpuint(result(0)->hdr.gso_size, ==, MSS);
    g_assert_cmphex(slow_sum(result(0)->data + 14, 20), ==, 0); /* others look at this one */
    /* Long, but with its checksum: as if the link were that wide. */
    adapt(make(false, true, 0, PAYLOAD), NET_OFFLOAD_TSO4);
    g_assert_cmpuint(out->len, ==, 1);
    check_transport_sum(result(0));
    /* Explicit congestion notification is an offload of its own. */
    NetPacket *ecn = make(false, true, 0, PAYLOAD);
    ecn->hdr.gso_type |= NET_GSO_ECN;
    adapt(ecn, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4);
    g_assert_cmpuint(out->len, ==, 4);
}

static void test_a_partial_checksum_is_completed(void)
{
    NetPacket *pkt = make(true, false, 0, 100);

    pkt->hdr.gso_type = NET_GSO_NONE;
    adapt(pkt, 0);
    check_transport_sum(result(0));
    pkt = make(true, true, 0, 101);
    pkt->hdr.gso_type = NET_GSO_NONE;
    adapt(pkt, NET_OFFLOAD_CSUM);
    g_assert_cmpuint(result(0)->hdr.flags, ==, NET_HDR_NEEDS_CSUM);
}

static void test_checksum_outside_of_the_frame_is_dropped(void)
{
    NetPacket *pkt = make(false, true, 0, 100);

    pkt->hdr = (NetHdr){.flags = NET_HDR_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535};
    adapt(pkt, 0);
    g_assert_cmpuint(out->len, ==, 0);
    pkt = make(false, true, 0, 100);
    pkt->hdr = (NetHdr){
        .flags = NET_HDR_NEEDS_CSUM, .csum_start = (uint16_t)(pkt->len - 2), .csum_offset = 1};
    adapt(pkt, 0);
    g_assert_cmpuint(out->len, ==, 0);
}

static void test_nonsense_is_neither_read_nor_written_beyond_the_frame(void)
{
    for (int round = 0; round < 20000; round++) {
        uint32_t len = (uint32_t)g_test_rand_int_range(14, 400);
        NetPacket *good = make(round & 1, round & 2, 0, 300);
        NetPacket *pkt = net_packet_dup(good);

        pkt->len = MIN(len, pkt->len);
        pkt = g_realloc(pkt, sizeof(*pkt) + pkt->len); /* for the sanitizer */
        for (int n = g_test_rand_int_range(0, 6); n > 0; n--) {
            pkt->data[g_test_rand_int_range(0, (gint32)pkt->len)] = (uint8_t)g_test_rand_int();
        }
        if (round % 3 == 0) {
            ((uint8_t *)&pkt->hdr)[g_test_rand_int_range(0, 10)] = (uint8_t)g_test_rand_int();
        }
        adapt(pkt, round % 5 ? 0 : (uint32_t)g_test_rand_int() & 63);
        for (guint i = 0; i < out->len; i++) {
            g_assert_cmpuint(result(i)->len, <=, NET_FRAME_MAX);
        }
        g_free(good);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net-packet/sum_is_the_rfcs", test_sum_is_the_rfcs);
    g_test_add_func("/net-packet/long_packets_are_cut_as_the_hardware_would",
                    test_long_packets_are_cut_as_the_hardware_would);
    g_test_add_func("/net-packet/who_takes_long_packets_gets_them",
                    test_who_takes_long_packets_gets_them);
    g_test_add_func("/net-packet/a_partial_checksum_is_completed",
                    test_a_partial_checksum_is_completed);
    g_test_add_func("/net-packet/checksum_outside_of_the_frame_is_dropped",
                    test_checksum_outside_of_the_frame_is_dropped);
    g_test_add_func("/net-packet/nonsense_is_neither_read_nor_written_beyond_the_frame",
                    test_nonsense_is_neither_read_nor_written_beyond_the_frame);
    return g_test_run();
}
