/*
 * A virtio device's status, features, configuration and queues (virtio 1.2, chapters 2 and 3).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/virtio/virtio.h"

#include <stdarg.h>
#include <string.h>

#include "util/keyval.h"
#include "util/log.h"

void virtio_init(VirtioDevice *vdev, const VirtioOps *ops, const VirtioTransport *transport,
                 const char *name, uint64_t offered)
{
    g_assert(ops->config_size <= VIRTIO_CONFIG_MAX);
    vdev->ops = ops;
    vdev->transport = transport;
    vdev->name = name;
    vdev->offered = offered;
    vdev->queue_count = 0;
    vdev->config_vector = VIRTIO_NO_VECTOR;
}

static void reset_queue(VirtQueue *q)
{
    q->size = q->size_max;
    q->vector = VIRTIO_NO_VECTOR;
    q->enabled = 0;
    q->desc = q->avail = q->used = 0;
    q->last_avail = q->used_index = q->signalled = 0;
    q->signalled_valid = 0;
    q->notify_off = 0;
    q->in_flight = 0;
}

VirtQueue *virtio_add_queue(VirtioDevice *vdev, uint16_t size)
{
    VirtQueue *q = &vdev->queues[vdev->queue_count];

    g_assert(vdev->queue_count < VIRTIO_QUEUES_MAX);
    g_assert(size && size <= VIRTIO_QUEUE_SIZE_MAX && !(size & (size - 1)));
    q->vdev = vdev;
    q->index = vdev->queue_count++;
    q->size_max = size;
    reset_queue(q);
    return q;
}

void virtio_reset(VirtioDevice *vdev)
{
    if (vdev->ops->reset) {
        vdev->ops->reset(vdev);
    }
    vdev->status = 0;
    vdev->broken = 0;
    vdev->accepted = 0;
    vdev->generation = 0;
    vdev->config_vector = VIRTIO_NO_VECTOR;
    for (int i = 0; i < vdev->queue_count; i++) {
        reset_queue(&vdev->queues[i]);
    }
}

void virtio_error(VirtioDevice *vdev, const char *format, ...)
{
    va_list args;
    char *text;

    if (vdev->broken) {
        return;
    }
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    log_printf(LOG_GUEST_ERRORS, "%s: %s\n", vdev->name, text);
    g_free(text);
    vdev->broken = 1;
    if (virtio_has(vdev, VIRTIO_F_VERSION_1)) {
        vdev->status |= VIRTIO_STATUS_NEEDS_RESET;
        if (vdev->status & VIRTIO_STATUS_DRIVER_OK) {
            vdev->transport->interrupt(vdev, vdev->config_vector, false);
        }
    }
}

void virtio_config_changed(VirtioDevice *vdev)
{
    if (vdev->status & VIRTIO_STATUS_DRIVER_OK) {
        vdev->generation++;
        vdev->transport->interrupt(vdev, vdev->config_vector, false);
    }
}

void virtio_set_status(VirtioDevice *vdev, uint8_t status)
{
    bool modern = virtio_has(vdev, VIRTIO_F_VERSION_1);

    if (!status) {
        virtio_reset(vdev);
        return;
    }
    if ((status & VIRTIO_STATUS_FEATURES_OK) && (vdev->accepted & ~vdev->offered)) {
        status &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK; /* the driver reads it back (3.1.1) */
    }
    if (modern) {
        status |= vdev->status & VIRTIO_STATUS_NEEDS_RESET;
    }
    vdev->status = status;
}

void virtio_set_features(VirtioDevice *vdev, uint64_t features)
{
    if (!(vdev->status & VIRTIO_STATUS_FEATURES_OK)) {
        vdev->accepted = features;
        if (vdev->ops->features_set) {
            vdev->ops->features_set(vdev);
        }
    }
}

/* ---- configuration ---- */

void virtio_read_config(VirtioDevice *vdev, uint32_t offset, uint8_t *buf, uint32_t len)
{
    uint8_t config[VIRTIO_CONFIG_MAX] = {0};
    uint32_t size = vdev->ops->config_size;

    memset(buf, 0, len);
    if (offset < size) {
        vdev->ops->get_config(vdev, config);
        memcpy(buf, config + offset, MIN(len, size - offset));
    }
}

void virtio_write_config(VirtioDevice *vdev, uint32_t offset, const uint8_t *buf, uint32_t len)
{
    uint8_t config[VIRTIO_CONFIG_MAX] = {0};
    uint32_t size = vdev->ops->config_size;

    if (offset >= size || !vdev->ops->set_config) {
        return;
    }
    len = MIN(len, size - offset);
    vdev->ops->get_config(vdev, config);
    memcpy(config + offset, buf, len);
    vdev->ops->set_config(vdev, config, offset, len);
}

/* ---- queues ---- */

void virtio_enable_queue(VirtQueue *q)
{
    /* 2.7.1 and 4.1.4.3.2: alignments, and a power of two that is not above what was offered. */
    if (!q->size || q->size > q->size_max || (q->size & (q->size - 1)) || q->desc % 16 ||
        q->avail % 2 || q->used % 4) {
        virtio_error(q->vdev, "queue %u: size %u or alignment is not allowed", q->index, q->size);
        return;
    }
    q->enabled = 1;
}

void virtio_set_legacy_ring(VirtQueue *q, uint64_t addr)
{
    const uint64_t align = 4096;

    if (!addr) {
        reset_queue(q);
        return;
    }
    q->size = q->size_max;
    q->desc = addr;
    q->avail = addr + 16ull * q->size;
    q->used = (q->avail + 6 + 2ull * q->size + align - 1) & ~(align - 1);
    virtio_enable_queue(q);
}

void virtio_notify_queue(VirtioDevice *vdev, uint32_t index)
{
    bool modern = virtio_has(vdev, VIRTIO_F_VERSION_1);

    /* Old drivers use the device a little before they say DRIVER_OK (3.1.2). */
    if (index >= vdev->queue_count || vdev->broken || !vdev->queues[index].enabled ||
        (modern && !(vdev->status & VIRTIO_STATUS_DRIVER_OK)) || !vdev->transport->dma(vdev)) {
        return;
    }
    vdev->ops->handle_queue(vdev, &vdev->queues[index]);
}

/* ---- saved state ---- */

static const StateField queue_fields[] = {
    STATE_FIELD_UINT(VirtQueue, size),
    STATE_FIELD_UINT(VirtQueue, vector),
    STATE_FIELD_UINT_MAX(VirtQueue, enabled, 1),
    STATE_FIELD_UINT(VirtQueue, desc),
    STATE_FIELD_UINT(VirtQueue, avail),
    STATE_FIELD_UINT(VirtQueue, used),
    STATE_FIELD_UINT(VirtQueue, last_avail),
    STATE_FIELD_UINT(VirtQueue, used_index),
    STATE_FIELD_UINT(VirtQueue, signalled),
    STATE_FIELD_UINT_MAX(VirtQueue, signalled_valid, 1),
    STATE_FIELD_UINT_MAX(VirtQueue, notify_off, 1),
    STATE_FIELD_END,
};

static bool queue_post_load(void *opaque, uint32_t version, GError **err)
{
    VirtQueue *q = opaque;

    (void)version;
    q->in_flight = 0;
    /* Until the queue is enabled its size is whatever the driver wrote. */
    if (q->enabled && (q->size > q->size_max || (q->size & (q->size - 1)) || !q->size)) {
        emu_set_error(err, "virtqueue %u: size %u is no power of two up to %u", q->index, q->size,
                      q->size_max);
        q->enabled = 0;
        return false;
    }
    return true;
}

static const StateTable queue_state = {.name = "virtqueue",
                                       .version = 1,
                                       .min_version = 1,
                                       .fields = queue_fields,
                                       .post_load = queue_post_load};

static const StateField fields[] = {
    STATE_FIELD_UINT(VirtioDevice, accepted),
    STATE_FIELD_UINT(VirtioDevice, status),
    STATE_FIELD_UINT_MAX(VirtioDevice, broken, 1),
    STATE_FIELD_UINT(VirtioDevice, generation),
    STATE_FIELD_UINT(VirtioDevice, config_vector),
    STATE_FIELD_STRUCT_ARRAY(VirtioDevice, queues, &queue_state),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    VirtioDevice *vdev = opaque;

    (void)version;
    if ((vdev->status & VIRTIO_STATUS_FEATURES_OK) && (vdev->accepted & ~vdev->offered)) {
        emu_set_error(err,
                      "%s: the saved device had features %" G_GINT64_MODIFIER "x that this one "
                      "has not (it offers %" G_GINT64_MODIFIER "x)",
                      vdev->name, vdev->accepted & ~vdev->offered, vdev->offered);
        return false;
    }
    return true;
}

const StateTable virtio_state_table = {
    .name = "virtio", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};
