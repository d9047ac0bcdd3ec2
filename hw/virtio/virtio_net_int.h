/*
 * What the files of the virtio network device share. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_VIRTIO_NET_INT_H
#define HW_VIRTIO_VIRTIO_NET_INT_H

#include "core/clock.h"
#include "hw/virtio/virtio_pci.h"
#include "net/net.h"

enum { VIRTIO_NET_MACS = 64, VIRTIO_NET_VLANS = 4096 };

/* Features (virtio 1.2, 5.1.3) */
#define NET_F_CSUM                (1ull << 0)
#define NET_F_GUEST_CSUM          (1ull << 1)
#define NET_F_CTRL_GUEST_OFFLOADS (1ull << 2)
#define NET_F_MTU                 (1ull << 3)
#define NET_F_MAC                 (1ull << 5)
#define NET_F_GSO                 (1ull << 6) /* legacy */
#define NET_F_GUEST_TSO4          (1ull << 7)
#define NET_F_GUEST_TSO6          (1ull << 8)
#define NET_F_GUEST_ECN           (1ull << 9)
#define NET_F_HOST_TSO4           (1ull << 11)
#define NET_F_HOST_TSO6           (1ull << 12)
#define NET_F_HOST_ECN            (1ull << 13)
#define NET_F_MRG_RXBUF           (1ull << 15)
#define NET_F_STATUS              (1ull << 16)
#define NET_F_CTRL_VQ             (1ull << 17)
#define NET_F_CTRL_RX             (1ull << 18)
#define NET_F_CTRL_VLAN           (1ull << 19)
#define NET_F_CTRL_RX_EXTRA       (1ull << 20)
#define NET_F_GUEST_ANNOUNCE      (1ull << 21)
#define NET_F_CTRL_MAC_ADDR       (1ull << 23)
#define NET_F_GUEST_USO4          (1ull << 54)
#define NET_F_GUEST_USO6          (1ull << 55)
#define NET_F_HOST_USO            (1ull << 56)
#define NET_F_SPEED_DUPLEX        (1ull << 63)

#define NET_F_GUEST_OFFLOADS                                                                       \
    (NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN | NET_F_GUEST_USO4 | \
     NET_F_GUEST_USO6)

enum { NET_S_LINK_UP = 1, NET_S_ANNOUNCE = 2 };

/* Which frames the driver wants (5.1.6.5.1 to 5.1.6.5.3). */
typedef struct VirtioNetFilter {
    uint8_t promisc, allmulti, alluni, nomulti, nouni, nobcast;
    uint8_t uni_overflow, multi_overflow; /* the driver named more than the table holds */
    uint32_t uni_count, mac_count;        /* the table: unicast addresses first */
    uint8_t macs[VIRTIO_NET_MACS * 6];
    uint32_t vlans[VIRTIO_NET_VLANS / 32];
} VirtioNetFilter;

typedef struct VirtioNet {
    VirtioPci vpci;
    /* properties */
    uint8_t mac_prop[6];
    char *netdev;
    int32_t bootindex;
    uint16_t rx_queue_size, tx_queue_size;
    uint16_t host_mtu;
    bool csum, gso, guest_csum, guest_tso, guest_uso, mrg_rxbuf, ctrl_vq;

    uint8_t mac[6];
    uint16_t status;         /* NET_S_* */
    uint64_t guest_offloads; /* NET_F_GUEST_*: those in use of those accepted */
    VirtioNetFilter filter;
    uint8_t tx_blocked; /* the network refused a frame; it will tell */
    Timer *tx_timer;    /* goes on with a queue that does not end */

    NetNic *nic;
    VirtQueue *rx, *tx, *ctrl; /* ctrl may be NULL */
} VirtioNet;

static inline VirtioNet *virtio_net_of(VirtioDevice *vdev)
{
    return (VirtioNet *)virtio_pci_of(vdev);
}

/* virtio_net.c: tells the network what the driver takes. */
void virtio_net_update_accepts(VirtioNet *s);

/* virtio_net_ctrl.c */
void virtio_net_handle_ctrl(VirtioDevice *vdev, VirtQueue *q);
void virtio_net_filter_reset(VirtioNet *s);
bool virtio_net_filter_passes(const VirtioNet *s, const NetPacket *pkt);
extern const StateTable virtio_net_filter_state;

#endif
