/*
 * Virtio devices (virtio 1.2), independent of how the driver reaches them: status, features,
 * virtqueues.
 *
 * A device type gives a VirtioOps; a transport (hw/virtio/virtio_pci.h) embeds the VirtioDevice and
 * drives it. All under the machine lock.
 *
 * Everything in a ring is the guest's to fill and not to be trusted: addresses go through the
 * address space, lengths and indices are checked, chains end. A ring that breaks a rule marks the
 * device broken (DEVICE_NEEDS_RESET); it does nothing more until it is reset.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_VIRTIO_H
#define HW_VIRTIO_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/memory.h"
#include "core/state.h"

enum {
    VIRTIO_QUEUES_MAX = 16,
    VIRTIO_QUEUE_SIZE_MAX = 1024,
    VIRTIO_CONFIG_MAX = 128,
    VIRTIO_NO_VECTOR = 0xffff,

    VIRTIO_ID_NET = 1,
    VIRTIO_ID_BLOCK = 2,
    VIRTIO_ID_RNG = 4,

    /* Device status (2.1) */
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

/* Feature bits of every device (6) */
#define VIRTIO_F_ANY_LAYOUT    (1ull << 27) /* legacy */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtQueue VirtQueue;

typedef struct VirtioOps {
    uint16_t id; /* VIRTIO_ID_* */
    uint32_t config_size;
    /* Device-type feature bits it offers. */
    uint64_t (*features)(VirtioDevice *vdev);
    /* Fills CONFIG, config_size zeroed bytes, little-endian. */
    void (*get_config)(VirtioDevice *vdev, uint8_t *config);
    /* The driver wrote [offset, offset+len) of CONFIG. NULL: nothing is writable. */
    void (*set_config)(VirtioDevice *vdev, const uint8_t *config, uint32_t offset, uint32_t len);
    /* Buffers are available in QUEUE. */
    void (*handle_queue)(VirtioDevice *vdev, VirtQueue *queue);
    /* The driver has chosen features (vdev->accepted). NULL: nobody cares. */
    void (*features_set)(VirtioDevice *vdev);
    /* Reset, before the core forgets the queues: no element is to be in flight afterwards. */
    void (*reset)(VirtioDevice *vdev);
} VirtioOps;

struct VirtQueue {
    VirtioDevice *vdev;
    uint16_t index;
    uint16_t size_max; /* 0: the queue does not exist */
    uint16_t size;     /* as the driver chose, a power of two */
    uint16_t vector;
    uint8_t enabled;
    uint64_t desc, avail, used; /* guest addresses */
    uint16_t last_avail;        /* next entry of the available ring to look at */
    uint16_t used_index;        /* what is in the used ring's idx */
    uint16_t signalled;         /* used_index at the last interrupt */
    uint8_t signalled_valid;
    uint8_t notify_off; /* the driver has been told not to notify */
    uint32_t in_flight; /* elements popped and not pushed */
};

typedef struct VirtioTransport {
    /* The device's address space for DMA; NULL: DMA is not possible now. */
    AddressSpace *(*dma)(VirtioDevice *vdev);
    /* Sends VECTOR's interrupt: QUEUE says whether one of a queue or of the configuration. */
    void (*interrupt)(VirtioDevice *vdev, uint16_t vector, bool queue);
} VirtioTransport;

struct VirtioDevice {
    const VirtioOps *ops;
    const VirtioTransport *transport;
    const char *name;
    uint64_t offered; /* features */
    uint64_t accepted;
    uint8_t status;
    uint8_t broken;
    uint8_t generation; /* of the configuration */
    uint16_t config_vector;
    uint16_t queue_count;
    VirtQueue queues[VIRTIO_QUEUES_MAX];
};

extern const StateTable virtio_state_table; /* of VirtioDevice */

/* ---- life; for devices and transports ---- */

void virtio_init(VirtioDevice *vdev, const VirtioOps *ops, const VirtioTransport *transport,
                 const char *name, uint64_t offered);
VirtQueue *virtio_add_queue(VirtioDevice *vdev, uint16_t size);
void virtio_reset(VirtioDevice *vdev);
/* The device found its ring, or a request, not to be what the specification allows. */
void virtio_error(VirtioDevice *vdev, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The configuration changed: tells the driver. */
void virtio_config_changed(VirtioDevice *vdev);

/* ---- the driver's side, called by transports ---- */

void virtio_set_status(VirtioDevice *vdev, uint8_t status);
/* The driver's features: bits that were not offered are refused at FEATURES_OK. */
void virtio_set_features(VirtioDevice *vdev, uint64_t features);
void virtio_read_config(VirtioDevice *vdev, uint32_t offset, uint8_t *buf, uint32_t len);
void virtio_write_config(VirtioDevice *vdev, uint32_t offset, const uint8_t *buf, uint32_t len);
/* A legacy driver's ring, all in one (2.7.2). ADDR 0: none. */
void virtio_set_legacy_ring(VirtQueue *q, uint64_t addr);
void virtio_enable_queue(VirtQueue *q);
void virtio_notify_queue(VirtioDevice *vdev, uint32_t index);

static inline bool virtio_has(const VirtioDevice *vdev, uint64_t feature)
{
    return vdev->accepted & feature;
}

/* ---- virtqueues; virtio_ring.c ---- */

/* A chain of buffers. DRIVER_* ("out") are the device's to read, DEVICE_* ("in") to write: host
 * addresses straight into guest RAM. */
typedef struct VirtElem {
    uint16_t head;
    uint16_t out_count, in_count;
    uint64_t out_bytes, in_bytes;
    struct iovec *out, *in;
} VirtElem;

/* The next available chain; NULL when there is none or the device is broken. */
VirtElem *virtq_pop(VirtQueue *q);
/* The same, as first member of a larger struct of SIZE bytes (the rest is zero). */
void *virtq_pop_sized(VirtQueue *q, size_t size);
/* Gives ELEM back with WRITTEN bytes of its in buffers filled, and frees it. Does not interrupt. */
void virtq_push(VirtQueue *q, VirtElem *elem, uint32_t written);
/* The same for several chains that together hold one message, which the driver is to see at once
 * (2.7.8.2): FILL each with N from 0 on, then FLUSH their number. */
void virtq_fill(VirtQueue *q, VirtElem *elem, uint32_t written, uint16_t n);
void virtq_flush(VirtQueue *q, uint16_t count);
/* LEN bytes at HOST were written, outside of what ELEM's in buffers hold when it is pushed. */
void virtq_written(VirtQueue *q, void *host, uint64_t len);
/* Frees ELEM without giving it back: after a reset. */
void virtq_drop(VirtQueue *q, VirtElem *elem);
/* Puts ELEM back as if it had not been popped (the last one popped only); frees it. */
void virtq_unpop(VirtQueue *q, VirtElem *elem);
/* Interrupts if the driver wants to hear of what was pushed since last time. */
void virtq_interrupt(VirtQueue *q);
bool virtq_empty(VirtQueue *q);
/* Whether the driver should notify of new buffers. After switching it on look for buffers again. */
void virtq_set_notification(VirtQueue *q, bool on);

/* Copies between BUF and COUNT iovecs; how much was copied. */
size_t virtio_iov_read(const struct iovec *iov, unsigned count, size_t offset, void *buf,
                       size_t len);
size_t virtio_iov_write(const struct iovec *iov, unsigned count, size_t offset, const void *buf,
                        size_t len);
/* Drops LEN bytes from the front or the end. */
void virtio_iov_trim_front(struct iovec **iov, uint16_t *count, size_t len);
void virtio_iov_trim_end(struct iovec *iov, uint16_t *count, size_t len);

#endif
