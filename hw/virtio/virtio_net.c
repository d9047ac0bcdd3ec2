/*
 * The virtio network device (virtio 1.2, 5.1): one pair of queues, and a control queue.
 *
 * Frames to send are taken from their queue on the notifying vCPU's thread, and copied to the
 * network; frames that arrive are copied into the guest's buffers by the network's thread, a batch
 * at a time. All offloads are offered whatever the back end is: net/packet.c does what that cannot.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/virtio/virtio_net.h"

#include <string.h>

#include "hw/virtio/virtio_net_int.h"
#include "util/keyval.h"

enum {
    CTRL_QUEUE_SIZE = 64,
    TX_BURST = 256, /* frames in one go under the machine lock */
    HEADER_BYTES = 12,
    HEADER_BYTES_OLD = 10, /* without num_buffers: legacy, and no mergeable buffers */
};

/* struct virtio_net_config (5.1.4), little-endian */
typedef struct __attribute__((packed)) NetConfig {
    uint8_t mac[6];
    uint16_t status, max_virtqueue_pairs, mtu;
    uint32_t speed;
    uint8_t duplex;
} NetConfig;
_Static_assert(sizeof(NetConfig) == 17, "virtio 1.2, 5.1.4");

typedef struct RxHeader {
    NetHdr hdr;
    uint16_t num_buffers;
} RxHeader;
_Static_assert(sizeof(RxHeader) == HEADER_BYTES, "virtio 1.2, 5.1.6");

static uint32_t header_bytes(const VirtioDevice *vdev)
{
    return virtio_has(vdev, VIRTIO_F_VERSION_1 | NET_F_MRG_RXBUF) ? HEADER_BYTES : HEADER_BYTES_OLD;
}

static bool is_ready(const VirtioDevice *vdev)
{
    return (vdev->status & VIRTIO_STATUS_DRIVER_OK) && !vdev->broken;
}

/* ---- receiving ---- */

/* The chains a frame goes into. */
typedef struct RxChains {
    VirtElem *elems[VIRTIO_QUEUE_SIZE_MAX];
    unsigned count;
    uint64_t room;
} RxChains;

static void put_back(VirtQueue *q, RxChains *c)
{
    while (c->count) {
        virtq_unpop(q, c->elems[--c->count]);
    }
}

typedef enum TakeResult { TAKE_OK, TAKE_LATER, TAKE_NEVER } TakeResult;

/* Takes as many chains as NEEDED bytes want; none if there are too few. */
static TakeResult take_chains(VirtQueue *q, RxChains *c, uint64_t needed)
{
    unsigned most = virtio_has(q->vdev, NET_F_MRG_RXBUF) ? MIN(q->size, VIRTIO_QUEUE_SIZE_MAX) : 1;
    VirtElem *elem;

    c->count = 0;
    c->room = 0;
    while (c->room < needed) {
        if (c->count == most || !(elem = virtq_pop(q))) {
            TakeResult r = c->count == most ? TAKE_NEVER : TAKE_LATER;

            put_back(q, c);
            return r;
        }
        c->elems[c->count++] = elem;
        c->room += elem->in_bytes;
    }
    return TAKE_OK;
}

/* Header and frame into the chains, which are given back together. */
static void store_frame(VirtQueue *q, RxChains *c, const NetPacket *pkt)
{
    uint32_t header_len = header_bytes(q->vdev);
    RxHeader header = {.hdr = pkt->hdr, .num_buffers = GUINT16_TO_LE((uint16_t)c->count)};
    size_t done = 0, total = header_len + pkt->len;

    if (!virtio_has(q->vdev, NET_F_GUEST_CSUM)) {
        header.hdr = (NetHdr){0};
    }
    for (unsigned i = 0; i < c->count; i++) {
        VirtElem *elem = c->elems[i];
        size_t n = MIN(elem->in_bytes, total - done), at = 0;

        if (done < header_len) {
            at = MIN(n, header_len - done);
            virtio_iov_write(elem->in, elem->in_count, 0, (const uint8_t *)&header + done, at);
        }
        if (n > at) {
            virtio_iov_write(elem->in, elem->in_count, at, pkt->data + done + at - header_len,
                             n - at);
        }
        done += n;
        elem->in_bytes = n; /* what was written to */
        virtq_fill(q, elem, (uint32_t)n, (uint16_t)i);
    }
    virtq_flush(q, (uint16_t)c->count);
}

static bool receive(void *opaque, const NetPacket *pkt)
{
    VirtioNet *s = opaque;
    VirtioDevice *vdev = &s->vpci.vdev;
    VirtQueue *q = s->rx;
    RxChains chains;
    TakeResult r;

    if (!is_ready(vdev) || !q->enabled || !vdev->transport->dma(vdev) ||
        !virtio_net_filter_passes(s, pkt)) {
        return true;
    }
    r = take_chains(q, &chains, header_bytes(vdev) + pkt->len);
    if (r == TAKE_LATER) {
        virtq_set_notification(q, true);
        r = take_chains(q, &chains,
                        header_bytes(vdev) + pkt->len); /* it may just have added some */
        if (r == TAKE_LATER) {
            return vdev->broken;
        }
    }
    if (r == TAKE_OK) {
        store_frame(q, &chains, pkt);
    }
    if (!q->notify_off) {
        virtq_set_notification(q, false);
    }
    return true;
}

static void receive_done(void *opaque)
{
    VirtioNet *s = opaque;

    virtq_interrupt(s->rx);
}

/* ---- sending ---- */

/* False: the network takes no more for now. */
static bool send_elem(VirtioNet *s, VirtQueue *q, VirtElem *elem)
{
    VirtioDevice *vdev = q->vdev;
    uint32_t header_len = header_bytes(vdev);
    NetHdr hdr;

    if (virtio_iov_read(elem->out, elem->out_count, 0, &hdr, sizeof(hdr)) != sizeof(hdr) ||
        elem->out_bytes < header_len) {
        virtio_error(vdev, "a frame of %u bytes has no header", (unsigned)elem->out_bytes);
        virtq_drop(q, elem);
        return true;
    }
    hdr.flags &= NET_HDR_NEEDS_CSUM;
    if (!net_nic_send(s->nic, elem->out, elem->out_count, header_len, &hdr)) {
        virtq_unpop(q, elem);
        return false;
    }
    virtq_push(q, elem, 0);
    return true;
}

static void handle_tx(VirtioNet *s)
{
    VirtQueue *q = s->tx;
    VirtElem *elem;
    unsigned left = TX_BURST;

    if (s->tx_blocked || !q->enabled) {
        return;
    }
    do {
        virtq_set_notification(q, false);
        while (left && (elem = virtq_pop(q))) {
            left--;
            if (!send_elem(s, q, elem)) {
                s->tx_blocked = 1; /* and not to be notified: the network will tell */
                virtq_interrupt(q);
                return;
            }
        }
        if (!left) {
            timer_arm(s->tx_timer, clock_now(CLOCK_VM));
            break;
        }
        virtq_set_notification(q, true);
    } while (!virtq_empty(q));
    virtq_interrupt(q);
}

static void send_again(void *opaque)
{
    VirtioNet *s = opaque;

    s->tx_blocked = 0;
    if (is_ready(&s->vpci.vdev) && s->vpci.vdev.transport->dma(&s->vpci.vdev)) {
        handle_tx(s);
    }
}

static void handle_queue(VirtioDevice *vdev, VirtQueue *q)
{
    VirtioNet *s = virtio_net_of(vdev);

    if (q == s->tx) {
        handle_tx(s);
    } else if (q == s->rx) {
        net_nic_receive_ready(s->nic);
    } else {
        virtio_net_handle_ctrl(vdev, q);
    }
}

/* ---- features and configuration ---- */

void virtio_net_update_accepts(VirtioNet *s)
{
    static const struct {
        uint64_t feature;
        uint32_t accepts;
    } map[] = {
        {NET_F_GUEST_TSO4, NET_OFFLOAD_TSO4}, {NET_F_GUEST_TSO6, NET_OFFLOAD_TSO6},
        {NET_F_GUEST_ECN, NET_OFFLOAD_ECN},   {NET_F_GUEST_USO4, NET_OFFLOAD_USO4},
        {NET_F_GUEST_USO6, NET_OFFLOAD_USO6}, {NET_F_GUEST_CSUM, NET_OFFLOAD_CSUM},
    };
    uint32_t accepts = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(map); i++) {
        accepts |= s->guest_offloads & map[i].feature ? map[i].accepts : 0;
    }
    net_nic_set_accepts(s->nic, accepts & NET_OFFLOAD_CSUM ? accepts : 0);
}

static void features_set(VirtioDevice *vdev)
{
    VirtioNet *s = virtio_net_of(vdev);

    s->guest_offloads = vdev->accepted & NET_F_GUEST_OFFLOADS;
    virtio_net_update_accepts(s);
}

static uint64_t features(VirtioDevice *vdev)
{
    const VirtioNet *s = virtio_net_of(vdev);
    uint64_t f = NET_F_MAC | NET_F_STATUS;

    if (s->csum) {
        f |= NET_F_CSUM;
        f |= s->gso
                 ? NET_F_GSO | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN | NET_F_HOST_USO
                 : 0;
    }
    if (s->guest_csum) {
        f |= NET_F_GUEST_CSUM;
        f |= s->guest_tso ? NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN : 0;
        f |= s->guest_uso ? NET_F_GUEST_USO4 | NET_F_GUEST_USO6 : 0;
    }
    if (s->ctrl_vq) {
        f |= NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_VLAN | NET_F_CTRL_RX_EXTRA |
             NET_F_CTRL_MAC_ADDR | NET_F_GUEST_ANNOUNCE |
             (s->guest_csum ? NET_F_CTRL_GUEST_OFFLOADS : 0);
    }
    f |= s->mrg_rxbuf ? NET_F_MRG_RXBUF : 0;
    f |= s->host_mtu ? NET_F_MTU : 0;
    return f;
}

static void get_config(VirtioDevice *vdev, uint8_t *config)
{
    const VirtioNet *s = virtio_net_of(vdev);
    NetConfig c = {
        .status = GUINT16_TO_LE(s->status),
        .max_virtqueue_pairs = GUINT16_TO_LE(1),
        .mtu = GUINT16_TO_LE(s->host_mtu),
        .speed = UINT32_MAX, /* not known */
        .duplex = 0xff,
    };

    memcpy(c.mac, s->mac, sizeof(c.mac));
    memcpy(config, &c, sizeof(c));
}

/* A legacy driver sets the address here (5.1.4.2). */
static void set_config(VirtioDevice *vdev, const uint8_t *config, uint32_t offset, uint32_t len)
{
    VirtioNet *s = virtio_net_of(vdev);

    (void)len;
    if (offset < sizeof(s->mac) && !virtio_has(vdev, VIRTIO_F_VERSION_1 | NET_F_CTRL_MAC_ADDR)) {
        memcpy(s->mac, config, sizeof(s->mac));
        net_nic_set_mac(s->nic, s->mac);
    }
}

/* ---- events ---- */

static void link_changed(void *opaque, bool up)
{
    VirtioNet *s = opaque;

    s->status = (uint16_t)((s->status & ~NET_S_LINK_UP) | (up ? NET_S_LINK_UP : 0));
    virtio_config_changed(&s->vpci.vdev);
}

static bool announce(void *opaque)
{
    VirtioNet *s = opaque;
    VirtioDevice *vdev = &s->vpci.vdev;

    if (!is_ready(vdev) || !virtio_has(vdev, NET_F_GUEST_ANNOUNCE)) {
        return false;
    }
    s->status |= NET_S_ANNOUNCE;
    virtio_config_changed(vdev);
    return true;
}

static const NetNicOps nic_ops = {
    .receive = receive,
    .receive_done = receive_done,
    .send_ready = send_again,
    .link_changed = link_changed,
    .announce = announce,
};

static void device_reset(VirtioDevice *vdev)
{
    VirtioNet *s = virtio_net_of(vdev);

    memcpy(s->mac, s->mac_prop, sizeof(s->mac));
    net_nic_set_mac(s->nic, s->mac);
    s->status = net_nic_link_up(s->nic) ? NET_S_LINK_UP : 0;
    s->guest_offloads = 0;
    s->tx_blocked = 0;
    timer_disarm(s->tx_timer);
    virtio_net_filter_reset(s);
    virtio_net_update_accepts(s);
    net_nic_receive_ready(s->nic); /* what waits for buffers waits in vain */
}

static const VirtioOps ops = {
    .id = VIRTIO_ID_NET,
    .config_size = sizeof(NetConfig),
    .features = features,
    .features_set = features_set,
    .get_config = get_config,
    .set_config = set_config,
    .handle_queue = handle_queue,
    .reset = device_reset,
};

/* ---- the device ---- */

static void reset(Device *dev)
{
    virtio_pci_reset(&((VirtioNet *)dev)->vpci);
}

static bool is_power_of_two(unsigned v)
{
    return v && !(v & (v - 1));
}

static bool check_props(const VirtioNet *s, GError **err)
{
    const char *who = s->vpci.pci.dev.id ? s->vpci.pci.dev.id : s->vpci.pci.dev.cls->name;

    if (!is_power_of_two(s->rx_queue_size) || !is_power_of_two(s->tx_queue_size)) {
        emu_set_error(err,
                      "%s: rx_queue_size=%u and tx_queue_size=%u must be powers of two, 64 to %d",
                      who, s->rx_queue_size, s->tx_queue_size, VIRTIO_QUEUE_SIZE_MAX);
        return false;
    }
    if (s->host_mtu && s->host_mtu < 68) {
        emu_set_error(err, "%s: host_mtu=%u must be 68 or more, or 0 for none", who, s->host_mtu);
        return false;
    }
    return true;
}

static bool realize(Device *dev, GError **err)
{
    VirtioNet *s = (VirtioNet *)dev;
    VirtioDevice *vdev = &s->vpci.vdev;

    if (!check_props(s, err) || !virtio_pci_begin(&s->vpci, &ops, err)) {
        return false;
    }
    s->nic = net_nic_new(dev->machine, "virtio-net-pci", dev->id, s->netdev, s->mac_prop, &nic_ops,
                         s, err);
    if (!s->nic) {
        return false;
    }
    s->tx_timer = timer_new(CLOCK_VM, send_again, s);
    s->rx = virtio_add_queue(vdev, s->rx_queue_size);
    s->tx = virtio_add_queue(vdev, s->tx_queue_size);
    s->ctrl = s->ctrl_vq ? virtio_add_queue(vdev, CTRL_QUEUE_SIZE) : NULL;
    if (!virtio_pci_end(&s->vpci, err)) {
        net_nic_free(s->nic);
        s->nic = NULL;
        timer_free(s->tx_timer);
        s->tx_timer = NULL;
        return false;
    }
    return true;
}

static void unrealize(Device *dev)
{
    VirtioNet *s = (VirtioNet *)dev;

    net_nic_free(s->nic);
    s->nic = NULL;
    timer_free(s->tx_timer);
    s->tx_timer = NULL;
}

#define FLAG(prop, field, what)                                                                    \
    {                                                                                              \
        .name = (prop), .type = PROP_BOOL, PROP_FIELD(VirtioNet, field), .default_value = "on",    \
        .description = (what)                                                                      \
    }

static const Property props[] = {
    {.name = "mac",
     .type = PROP_MAC,
     PROP_FIELD(VirtioNet, mac_prop),
     .description = "Ethernet address (default: 52:54:00:12:34:56 and on)"},
    {.name = "netdev",
     .type = PROP_NETDEV,
     PROP_FIELD(VirtioNet, netdev),
     .description = "id of the network back end (-netdev)"},
    {.name = "bootindex",
     .type = PROP_INT,
     PROP_FIELD(VirtioNet, bootindex),
     .min = (uint64_t)-1,
     .max = INT32_MAX,
     .default_value = "-1",
     .description = "place in the boot order, 0 the first; -1: none"},
    {.name = "rx_queue_size",
     .type = PROP_UINT,
     PROP_FIELD(VirtioNet, rx_queue_size),
     .min = 64,
     .max = VIRTIO_QUEUE_SIZE_MAX,
     .default_value = "256",
     .description = "entries of the receive queue, a power of two"},
    {.name = "tx_queue_size",
     .type = PROP_UINT,
     PROP_FIELD(VirtioNet, tx_queue_size),
     .min = 64,
     .max = VIRTIO_QUEUE_SIZE_MAX,
     .default_value = "256",
     .description = "entries of the send queue, a power of two"},
    {.name = "host_mtu",
     .type = PROP_UINT,
     PROP_FIELD(VirtioNet, host_mtu),
     .max = 65535,
     .default_value = "0",
     .description = "MTU the driver is told; 0: none"},
    FLAG("csum", csum, "offer to complete checksums of frames that are sent"),
    FLAG("gso", gso, "offer to segment frames that are sent"),
    FLAG("guest_csum", guest_csum, "offer to leave checksums of received frames to the driver"),
    FLAG("guest_tso", guest_tso, "offer to deliver TCP segments together"),
    FLAG("guest_uso", guest_uso, "offer to deliver UDP datagrams together"),
    FLAG("mrg_rxbuf", mrg_rxbuf, "offer mergeable receive buffers"),
    FLAG("ctrl_vq", ctrl_vq, "offer the control queue"),
    VIRTIO_PCI_PROPS(VirtioNet),
    {.type = PROP_END},
};

static const StateField fields[] = {
    STATE_FIELD_STRUCT(VirtioNet, vpci, &virtio_pci_state_table),
    STATE_FIELD_BYTES(VirtioNet, mac),
    STATE_FIELD_UINT(VirtioNet, status),
    STATE_FIELD_UINT(VirtioNet, guest_offloads),
    STATE_FIELD_STRUCT(VirtioNet, filter, &virtio_net_filter_state),
    STATE_FIELD_UINT_MAX(VirtioNet, tx_blocked, 1),
    STATE_FIELD_TIMER(VirtioNet, tx_timer),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    VirtioNet *s = opaque;

    (void)version;
    if (s->filter.uni_count > s->filter.mac_count) {
        emu_set_error(err, "virtio-net: more unicast addresses (%u) than addresses (%u)",
                      s->filter.uni_count, s->filter.mac_count);
        s->filter.uni_count = 0;
        return false;
    }
    s->guest_offloads &= s->vpci.vdev.accepted & NET_F_GUEST_OFFLOADS;
    net_nic_set_mac(s->nic, s->mac);
    virtio_net_update_accepts(s);
    net_nic_loaded(s->nic);
    return true;
}

static const StateTable state = {
    .name = "virtio-net", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

enum { LEGACY_DEVICE_ID = 0x1000, CLASS_ETHERNET = 0x020000 };
#define ROM "efi-virtio.rom"

static const PciClass transitional_pci = {
    .vendor_id = 0x1af4,
    .device_id = LEGACY_DEVICE_ID,
    .subsystem_vendor_id = 0x1af4,
    .subsystem_id = VIRTIO_ID_NET,
    .class_code = CLASS_ETHERNET,
    .interrupt_pin = 1,
    .romfile = ROM,
    .config_read = virtio_pci_config_read,
    .config_written = virtio_pci_config_written,
};
static const PciClass modern_pci = {
    .vendor_id = 0x1af4,
    .device_id = 0x1040 + VIRTIO_ID_NET,
    .subsystem_vendor_id = 0x1af4,
    .subsystem_id = 0x1100,
    .class_code = CLASS_ETHERNET,
    .revision = 1,
    .interrupt_pin = 1,
    .romfile = ROM,
    .config_read = virtio_pci_config_read,
    .config_written = virtio_pci_config_written,
};

#define NET_CLASS(class_name, text, pci_class)                                                     \
    {                                                                                              \
        .name = (class_name), .description = (text), .bus_type = "PCI",                            \
        .category = DEVICE_CATEGORY_NETWORK, .size = sizeof(VirtioNet), .props = props,            \
        .bus_props = pci_props, .state = &state, .user_creatable = true,                           \
        .bus_class = &(pci_class), .realize = realize, .unrealize = unrealize, .reset = reset      \
    }

const DeviceClass virtio_net_pci_class =
    NET_CLASS("virtio-net-pci", "virtio network card", transitional_pci);
const DeviceClass virtio_net_pci_transitional_class = NET_CLASS(
    "virtio-net-pci-transitional", "virtio network card, legacy and 1.0", transitional_pci);
const DeviceClass virtio_net_pci_non_transitional_class =
    NET_CLASS("virtio-net-pci-non-transitional", "virtio network card, 1.0 only", modern_pci);
