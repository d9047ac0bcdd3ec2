/*
 * The virtio entropy source (virtio 1.2, 5.4): one queue of buffers to fill from the host kernel's
 * generator, at most max-bytes in each period.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/virtio/virtio_rng.h"

#include <errno.h>
#include <sys/random.h>

#include "core/clock.h"
#include "hw/virtio/virtio_pci.h"

enum { QUEUE_SIZE = 8, CHUNK_MAX = 65536, NS_PER_MS = 1000000 };

typedef struct VirtioRng {
    VirtioPci vpci;
    uint64_t max_bytes; /* in a period */
    uint32_t period_ms;
    uint64_t left; /* in this period */
    VirtQueue *queue;
    Timer *period_timer;
} VirtioRng;

static VirtioRng *rng_of(VirtioDevice *vdev)
{
    return (VirtioRng *)virtio_pci_of(vdev);
}

/* Fills the front of ELEM, up to LIMIT bytes; how much. */
static uint32_t fill(const VirtElem *elem, uint64_t limit)
{
    uint32_t done = 0;

    limit = MIN(limit, CHUNK_MAX);
    for (unsigned i = 0; i < elem->in_count && done < limit; i++) {
        uint8_t *p = elem->in[i].iov_base;
        size_t len = MIN(elem->in[i].iov_len, limit - done);

        while (len) {
            ssize_t n = getrandom(p, len, 0);
            if (n < 0) {
                if (errno == EINTR) {
                    continue;
                }
                return done;
            }
            p += n;
            len -= (size_t)n;
            done += (uint32_t)n;
        }
    }
    return done;
}

static void handle_queue(VirtioDevice *vdev, VirtQueue *q)
{
    VirtioRng *s = rng_of(vdev);
    bool limited = s->max_bytes != INT64_MAX;
    bool pushed = false;

    while (s->left) {
        VirtElem *elem = virtq_pop(q);
        uint32_t done;

        if (!elem) {
            break;
        }
        done = fill(elem, s->left);
        if (limited) {
            s->left -= done;
        }
        virtq_push(q, elem, done);
        pushed = true;
    }
    if (limited && !timer_armed(s->period_timer)) {
        timer_arm(s->period_timer, clock_now(CLOCK_VM) + (int64_t)s->period_ms * NS_PER_MS);
    }
    if (pushed) {
        virtq_interrupt(q);
    }
}

static void period_over(void *opaque)
{
    VirtioRng *s = opaque;

    s->left = s->max_bytes;
    virtio_notify_queue(&s->vpci.vdev, s->queue->index);
}

static uint64_t features(VirtioDevice *vdev)
{
    (void)vdev;
    return 0;
}

static const VirtioOps ops = {
    .id = VIRTIO_ID_RNG,
    .features = features,
    .handle_queue = handle_queue,
};

static void reset(Device *dev)
{
    VirtioRng *s = (VirtioRng *)dev;

    virtio_pci_reset(&s->vpci);
    s->left = s->max_bytes;
    timer_disarm(s->period_timer);
}

static bool realize(Device *dev, GError **err)
{
    VirtioRng *s = (VirtioRng *)dev;

    if (!virtio_pci_begin(&s->vpci, &ops, err)) {
        return false;
    }
    s->queue = virtio_add_queue(&s->vpci.vdev, QUEUE_SIZE);
    if (!virtio_pci_end(&s->vpci, err)) {
        return false;
    }
    s->left = s->max_bytes;
    s->period_timer = timer_new(CLOCK_VM, period_over, s);
    return true;
}

static void unrealize(Device *dev)
{
    VirtioRng *s = (VirtioRng *)dev;

    timer_free(s->period_timer);
    s->period_timer = NULL;
}

static const Property props[] = {
    {.name = "max-bytes",
     .type = PROP_UINT,
     PROP_FIELD(VirtioRng, max_bytes),
     .min = 1,
     .max = INT64_MAX,
     .default_value = "9223372036854775807",
     .description = "at most so many bytes in each period"},
    {.name = "period",
     .type = PROP_UINT,
     PROP_FIELD(VirtioRng, period_ms),
     .min = 1,
     .max = 1u << 30,
     .default_value = "65536",
     .description = "length of a period, in milliseconds"},
    VIRTIO_PCI_PROPS(VirtioRng),
    {.type = PROP_END},
};

static const StateField fields[] = {
    STATE_FIELD_STRUCT(VirtioRng, vpci, &virtio_pci_state_table),
    STATE_FIELD_UINT(VirtioRng, left),
    STATE_FIELD_TIMER(VirtioRng, period_timer),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    VirtioRng *s = opaque;

    (void)version;
    (void)err;
    s->left = MIN(s->left, s->max_bytes);
    return true;
}

static const StateTable state = {
    .name = "virtio-rng", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

static const PciClass transitional_pci =
    VIRTIO_PCI_CLASS_TRANSITIONAL(VIRTIO_ID_RNG, 0x1005, 0x00ff00);
static const PciClass modern_pci = VIRTIO_PCI_CLASS_MODERN(VIRTIO_ID_RNG, 0x00ff00);

#define RNG_CLASS(class_name, text, pci_class)                                                     \
    {                                                                                              \
        .name = (class_name), .description = (text), .bus_type = "PCI",                            \
        .category = DEVICE_CATEGORY_MISC, .size = sizeof(VirtioRng), .props = props,               \
        .bus_props = pci_props, .state = &state, .user_creatable = true,                           \
        .bus_class = &(pci_class), .realize = realize, .unrealize = unrealize, .reset = reset      \
    }

const DeviceClass virtio_rng_pci_class =
    RNG_CLASS("virtio-rng-pci", "virtio entropy source", transitional_pci);
const DeviceClass virtio_rng_pci_transitional_class = RNG_CLASS(
    "virtio-rng-pci-transitional", "virtio entropy source, legacy and 1.0", transitional_pci);
const DeviceClass virtio_rng_pci_non_transitional_class =
    RNG_CLASS("virtio-rng-pci-non-transitional", "virtio entropy source, 1.0 only", modern_pci);
