/*
 * Ethernet frames on their way, and work on them that hardware would do: checksums and
 * segmentation.
 *
 * A frame carries what is still to be done to it in a NetHdr, with the fields of virtio's header
 * (virtio 1.2, 5.1.6): a partial checksum, or a payload to be cut into segments. Who takes a frame
 * says what of that he takes as it is (NET_OFFLOAD_*); the rest is done here, so that a network
 * card need not ask what is behind it. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NET_PACKET_H
#define NET_PACKET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    /* NetHdr.flags */
    NET_HDR_NEEDS_CSUM = 1, /* sum from csum_start to the end, store at csum_start + csum_offset */
    NET_HDR_DATA_VALID = 2, /* its checksums are known to be right */
    /* NetHdr.gso_type */
    NET_GSO_NONE = 0,
    NET_GSO_TCPV4 = 1,
    NET_GSO_TCPV6 = 4,
    NET_GSO_UDP_L4 = 5,
    NET_GSO_ECN = 0x80,

    /* What a receiver takes as it is. */
    NET_OFFLOAD_CSUM = 1 << 0,
    NET_OFFLOAD_TSO4 = 1 << 1,
    NET_OFFLOAD_TSO6 = 1 << 2,
    NET_OFFLOAD_ECN = 1 << 3, /* segmentation of frames with CWR set */
    NET_OFFLOAD_USO4 = 1 << 4,
    NET_OFFLOAD_USO6 = 1 << 5,

    NET_ETH_HEADER = 14,
    NET_ETH_MIN = 60,               /* without the frame check sequence */
    NET_FRAME_MAX = 65535 + 14 + 8, /* an IP packet behind a header with two VLAN tags */
};

/* As virtio has it; all in host order, which is little-endian. */
typedef struct NetHdr {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
} NetHdr;
_Static_assert(sizeof(NetHdr) == 10, "virtio 1.2, 5.1.6");

typedef struct NetPacket NetPacket;
struct NetPacket {
    NetPacket *next;
    uint32_t len;
    NetHdr hdr;
    uint8_t data[];
};

/* A frame of LEN bytes (at most NET_FRAME_MAX), contents undefined, header zero. g_free() ends it.
 */
NetPacket *net_packet_new(uint32_t len);
/* The same with what SKIP bytes into the iovecs follows. */
NetPacket *net_packet_from_iov(const struct iovec *iov, unsigned count, size_t skip, uint32_t len);
NetPacket *net_packet_dup(const NetPacket *pkt);

/* Ones' complement sum (RFC 1071) of BUF, added to SUM; not folded. */
uint64_t net_sum(uint64_t sum, const void *buf, size_t len);
/* Folds and complements it: what goes into a checksum field, in network order as it lies in memory.
 */
uint16_t net_sum_fold(uint64_t sum);

/*
 * Makes of PKT, which it takes, frames that need nothing beyond ACCEPTS, and gives each to OUT,
 * which takes it. A frame whose header makes no sense is dropped. Any thread.
 */
void net_packet_adapt(NetPacket *pkt, uint32_t accepts, void (*out)(NetPacket *pkt, void *opaque),
                      void *opaque);

/*
 * Makes DATA, a TCP (or UDP) packet still to be cut into pieces of GSO_SIZE bytes of payload, one
 * that others accept: lengths, the IP header's checksum, the pseudo header's sum; HDR says the
 * rest. False: it is no such packet.
 */
bool net_gso_prepare(uint8_t *data, uint32_t len, uint16_t gso_size, NetHdr *hdr);

/* Where the parts of a frame are, as far as it is IPv4 or IPv6 and in one piece. */
typedef struct NetLayers {
    bool ipv4, ipv6;
    uint8_t protocol; /* TCP 6, UDP 17; 0: not known, or a fragment */
    uint32_t l3, l4;  /* offsets; l4 is valid when protocol is not 0 */
    uint32_t end;     /* of the IP packet: padding may follow */
} NetLayers;
bool net_packet_layers(const uint8_t *data, uint32_t len, NetLayers *out);
/* Sum of the pseudo header for LEN bytes of transport (RFC 9293, 3.1; RFC 8200, 8.1). */
uint64_t net_pseudo_sum(const uint8_t *data, const NetLayers *l, uint32_t len);

#endif
