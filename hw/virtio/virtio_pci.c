/*
 * Virtio over PCI (virtio 1.2, 4.1).
 *
 * BAR 0 (I/O): the legacy registers. BAR 1: the MSI-X table. BAR 4: the modern registers, in pages:
 * common configuration, ISR, device configuration, notifications. Drivers find the latter through
 * vendor capabilities, one of which is a window to BAR 4 for software without memory access.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/virtio/virtio_pci.h"

#include <string.h>

#include "hw/virtio/virtio_doorbell.h"
#include "util/keyval.h"

enum {
    BAR_LEGACY = 0,
    BAR_MSIX = 1,
    BAR_MODERN = 4,

    /* Places in BAR 4 */
    MODERN_COMMON = 0x0000,
    MODERN_ISR = 0x1000,
    MODERN_DEVICE = 0x2000,
    MODERN_NOTIFY = 0x3000,
    MODERN_PAGE = 0x1000,
    MODERN_SIZE = 0x4000,
    NOTIFY_MULTIPLIER = 4,

    /* cfg_type of the vendor capabilities (4.1.4) */
    CAP_COMMON = 1,
    CAP_NOTIFY = 2,
    CAP_ISR = 3,
    CAP_DEVICE = 4,
    CAP_PCI = 5,
    CAP_BAR = 4, /* offsets in a capability */
    CAP_OFFSET = 8,
    CAP_LENGTH = 12,
    CAP_EXTRA = 16, /* notify_off_multiplier, or pci_cfg_data */

    /* Common configuration (4.1.4.3) */
    COMMON_DFSELECT = 0x00,
    COMMON_DF = 0x04,
    COMMON_GFSELECT = 0x08,
    COMMON_GF = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10,
    COMMON_QUEUES = 0x12,
    COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15,
    COMMON_QSELECT = 0x16,
    COMMON_QSIZE = 0x18,
    COMMON_QVECTOR = 0x1a,
    COMMON_QENABLE = 0x1c,
    COMMON_QNOTIFY_OFF = 0x1e,
    COMMON_QDESC = 0x20,
    COMMON_QAVAIL = 0x28,
    COMMON_QUSED = 0x30,
    COMMON_SIZE = 0x38,

    /* Legacy registers (4.1.4.8) */
    LEGACY_DF = 0x00,
    LEGACY_GF = 0x04,
    LEGACY_QADDR = 0x08,
    LEGACY_QSIZE = 0x0c,
    LEGACY_QSELECT = 0x0e,
    LEGACY_QNOTIFY = 0x10,
    LEGACY_STATUS = 0x12,
    LEGACY_ISR = 0x13,
    LEGACY_CONFIG_VECTOR = 0x14, /* these two only while MSI-X is enabled */
    LEGACY_QVECTOR = 0x16,

    ISR_QUEUE = 1,
    ISR_CONFIG = 2,

    ON_OFF_AUTO_ON = 0,
    ON_OFF_AUTO_OFF = 1,
};

const char *const virtio_pci_on_off_auto[] = {"on", "off", "auto", NULL};

/* ---- towards the device ---- */

static AddressSpace *dma(VirtioDevice *vdev)
{
    PciDevice *pci = &virtio_pci_of(vdev)->pci;

    return pci_get(pci, PCI_COMMAND, 2) & PCI_COMMAND_MASTER ? pci_dma_as(pci) : NULL;
}

static void interrupt(VirtioDevice *vdev, uint16_t vector, bool queue)
{
    VirtioPci *v = virtio_pci_of(vdev);

    if (pci_msix_enabled(&v->pci)) {
        if (vector < v->pci.msix_vectors) {
            pci_msix_notify(&v->pci, vector);
        }
        return;
    }
    v->isr |= queue ? ISR_QUEUE : ISR_QUEUE | ISR_CONFIG;
    pci_set_irq(&v->pci, 1);
}

static const VirtioTransport transport = {dma, interrupt};

static uint8_t read_isr(VirtioPci *v)
{
    uint8_t isr = v->isr;

    v->isr = 0;
    pci_set_irq(&v->pci, 0);
    return isr;
}

static VirtQueue *selected(VirtioPci *v)
{
    return v->queue_select < v->vdev.queue_count ? &v->vdev.queues[v->queue_select] : NULL;
}

/* A vector that does not exist reads back as none, which tells the driver. */
static uint16_t valid_vector(const VirtioPci *v, uint32_t vector)
{
    return vector < v->pci.msix_vectors ? (uint16_t)vector : VIRTIO_NO_VECTOR;
}

static void write_status(VirtioPci *v, uint8_t status)
{
    virtio_set_status(&v->vdev, status);
    if (!status) {
        virtio_doorbells_forget(v);
        v->queue_select = 0;
        v->device_feature_select = v->driver_feature_select = 0;
        v->driver_features = 0;
        read_isr(v);
    }
}

/* ---- legacy registers ---- */

static uint32_t legacy_config_start(const VirtioPci *v)
{
    return pci_msix_enabled(&v->pci) ? 0x18 : 0x14;
}

static uint32_t legacy_register_read(VirtioPci *v, uint32_t addr)
{
    VirtQueue *q = selected(v);

    switch (addr) {
    case LEGACY_DF:
        return (uint32_t)v->vdev.offered;
    case LEGACY_GF:
        return (uint32_t)v->vdev.accepted;
    case LEGACY_QADDR:
        return q ? (uint32_t)(q->desc >> 12) : 0;
    case LEGACY_QSIZE:
        return q ? q->size_max : 0;
    case LEGACY_QSELECT:
        return v->queue_select;
    case LEGACY_STATUS:
        return v->vdev.status;
    case LEGACY_ISR:
        return read_isr(v);
    case LEGACY_CONFIG_VECTOR:
        return v->vdev.config_vector;
    case LEGACY_QVECTOR:
        return q ? q->vector : VIRTIO_NO_VECTOR;
    default:
        return 0;
    }
}

static void legacy_register_write(VirtioPci *v, uint32_t addr, uint32_t value)
{
    VirtQueue *q = selected(v);

    switch (addr) {
    case LEGACY_GF:
        /* No FEATURES_OK here: what was not offered is quietly not there. */
        virtio_set_features(&v->vdev, value & v->vdev.offered & UINT32_MAX);
        break;
    case LEGACY_QADDR:
        if (!value) {
            write_status(v, 0); /* how old drivers reset a device */
        } else if (q) {
            virtio_set_legacy_ring(q, (uint64_t)value << 12);
        }
        break;
    case LEGACY_QSELECT:
        v->queue_select = (uint16_t)value;
        break;
    case LEGACY_QNOTIFY:
        virtio_notify_queue(&v->vdev, value);
        break;
    case LEGACY_STATUS:
        write_status(v, (uint8_t)value);
        break;
    case LEGACY_CONFIG_VECTOR:
        v->vdev.config_vector = valid_vector(v, value);
        break;
    case LEGACY_QVECTOR:
        if (q) {
            q->vector = valid_vector(v, value);
        }
        break;
    }
}

static uint64_t legacy_read(void *opaque, hwaddr addr, unsigned size)
{
    VirtioPci *v = opaque;
    uint32_t start = legacy_config_start(v);
    uint8_t buf[4];

    if (addr < start) {
        return legacy_register_read(v, (uint32_t)addr);
    }
    virtio_read_config(&v->vdev, (uint32_t)addr - start, buf, size);
    return buf[0] | (size > 1 ? (uint32_t)buf[1] << 8 : 0) |
           (size > 2 ? (uint32_t)buf[2] << 16 | (uint32_t)buf[3] << 24 : 0);
}

static void legacy_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    VirtioPci *v = opaque;
    uint32_t start = legacy_config_start(v);

    if (addr < start) {
        legacy_register_write(v, (uint32_t)addr, (uint32_t)value);
    } else {
        const uint8_t buf[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                                (uint8_t)(value >> 24)};
        virtio_write_config(&v->vdev, (uint32_t)addr - start, buf, size);
    }
}

static const MemOps legacy_ops = {legacy_read, legacy_write, 1, 4, false};

/* ---- modern registers ---- */

static uint32_t half(uint64_t value, uint32_t select)
{
    return select == 0 ? (uint32_t)value : select == 1 ? (uint32_t)(value >> 32) : 0;
}

static void set_half(uint64_t *value, bool high, uint32_t half_value)
{
    unsigned shift = high ? 32 : 0;

    *value = (*value & ~(0xffffffffull << shift)) | (uint64_t)half_value << shift;
}

static uint32_t queue_read(const VirtQueue *q, uint32_t addr)
{
    switch (addr) {
    case COMMON_QSIZE:
        return q->size;
    case COMMON_QVECTOR:
        return q->vector;
    case COMMON_QENABLE:
        return q->enabled;
    case COMMON_QNOTIFY_OFF:
        return q->index;
    case COMMON_QDESC:
    case COMMON_QDESC + 4:
        return half(q->desc, (addr - COMMON_QDESC) / 4);
    case COMMON_QAVAIL:
    case COMMON_QAVAIL + 4:
        return half(q->avail, (addr - COMMON_QAVAIL) / 4);
    case COMMON_QUSED:
    case COMMON_QUSED + 4:
        return half(q->used, (addr - COMMON_QUSED) / 4);
    default:
        return 0;
    }
}

static uint32_t common_read(VirtioPci *v, uint32_t addr)
{
    switch (addr) {
    case COMMON_DFSELECT:
        return v->device_feature_select;
    case COMMON_DF:
        return half(v->vdev.offered, v->device_feature_select);
    case COMMON_GFSELECT:
        return v->driver_feature_select;
    case COMMON_GF:
        return half(v->driver_features, v->driver_feature_select);
    case COMMON_CONFIG_VECTOR:
        return v->vdev.config_vector;
    case COMMON_QUEUES:
        return v->vdev.queue_count;
    case COMMON_STATUS:
        return v->vdev.status;
    case COMMON_GENERATION:
        return v->vdev.generation;
    case COMMON_QSELECT:
        return v->queue_select;
    default:
        return selected(v) ? queue_read(selected(v), addr) : 0;
    }
}

static void queue_write(VirtioPci *v, VirtQueue *q, uint32_t addr, uint32_t value)
{
    if (addr == COMMON_QVECTOR) {
        q->vector = valid_vector(v, value);
        return;
    }
    if (q->enabled) {
        return; /* 4.1.4.3.2: not to be changed any more */
    }
    switch (addr) {
    case COMMON_QSIZE:
        q->size = (uint16_t)value;
        break;
    case COMMON_QENABLE:
        if (value == 1) {
            virtio_enable_queue(q);
        }
        break;
    case COMMON_QDESC:
    case COMMON_QDESC + 4:
        set_half(&q->desc, addr != COMMON_QDESC, value);
        break;
    case COMMON_QAVAIL:
    case COMMON_QAVAIL + 4:
        set_half(&q->avail, addr != COMMON_QAVAIL, value);
        break;
    case COMMON_QUSED:
    case COMMON_QUSED + 4:
        set_half(&q->used, addr != COMMON_QUSED, value);
        break;
    }
}

static void common_write(VirtioPci *v, uint32_t addr, uint32_t value)
{
    switch (addr) {
    case COMMON_DFSELECT:
        v->device_feature_select = value;
        break;
    case COMMON_GFSELECT:
        v->driver_feature_select = value;
        break;
    case COMMON_GF:
        if (v->driver_feature_select <= 1) {
            set_half(&v->driver_features, v->driver_feature_select, value);
        }
        break;
    case COMMON_CONFIG_VECTOR:
        v->vdev.config_vector = valid_vector(v, value);
        break;
    case COMMON_STATUS:
        if ((value & VIRTIO_STATUS_FEATURES_OK) && (v->driver_features & VIRTIO_F_VERSION_1)) {
            virtio_set_features(&v->vdev, v->driver_features);
        } else if (!(v->vdev.status & VIRTIO_STATUS_FEATURES_OK)) {
            /* A driver of this interface that does not know version 1 is none (6.1). */
            value &= ~(uint32_t)VIRTIO_STATUS_FEATURES_OK;
        }
        write_status(v, (uint8_t)value);
        break;
    case COMMON_QSELECT:
        v->queue_select = (uint16_t)value;
        break;
    default:
        if (selected(v)) {
            queue_write(v, selected(v), addr, value);
        }
        break;
    }
}

static uint64_t modern_read(void *opaque, hwaddr addr, unsigned size)
{
    VirtioPci *v = opaque;
    uint32_t offset = (uint32_t)addr % MODERN_PAGE;
    uint8_t buf[4];

    switch (addr / MODERN_PAGE * MODERN_PAGE) {
    case MODERN_COMMON:
        return common_read(v, offset);
    case MODERN_ISR:
        return offset ? 0 : read_isr(v);
    case MODERN_DEVICE:
        virtio_read_config(&v->vdev, offset, buf, size);
        return buf[0] | (size > 1 ? (uint32_t)buf[1] << 8 : 0) |
               (size > 2 ? (uint32_t)buf[2] << 16 | (uint32_t)buf[3] << 24 : 0);
    default:
        return 0;
    }
}

static void modern_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    VirtioPci *v = opaque;
    uint32_t offset = (uint32_t)addr % MODERN_PAGE;
    const uint8_t buf[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                            (uint8_t)(value >> 24)};

    switch (addr / MODERN_PAGE * MODERN_PAGE) {
    case MODERN_COMMON:
        common_write(v, offset, (uint32_t)value);
        break;
    case MODERN_DEVICE:
        virtio_write_config(&v->vdev, offset, buf, size);
        break;
    case MODERN_NOTIFY:
        virtio_notify_queue(&v->vdev, offset / NOTIFY_MULTIPLIER);
        break;
    }
}

static const MemOps modern_ops = {modern_read, modern_write, 1, 4, false};

/* ---- the window in configuration space (4.1.4.9) ---- */

/* Whether ACCESS to the window's data is one the capability's fields allow, and to where. */
static bool window_target(const VirtioPci *v, uint32_t addr, unsigned size, uint32_t *offset)
{
    uint32_t length = pci_get(&v->pci, v->cfg_cap + CAP_LENGTH, 4);

    *offset = pci_get(&v->pci, v->cfg_cap + CAP_OFFSET, 4);
    return v->cfg_cap && addr == v->cfg_cap + (uint32_t)CAP_EXTRA &&
           v->pci.config[v->cfg_cap + CAP_BAR] == BAR_MODERN && length == size &&
           (size == 1 || size == 2 || size == 4) && *offset % size == 0 &&
           *offset <= MODERN_SIZE - size;
}

uint32_t virtio_pci_config_read(PciDevice *dev, uint32_t addr, unsigned size, uint32_t value)
{
    VirtioPci *v = (VirtioPci *)dev;
    uint32_t offset;

    return window_target(v, addr, size, &offset) ? (uint32_t)modern_read(v, offset, size) : value;
}

void virtio_pci_config_written(PciDevice *dev, uint32_t addr, unsigned size)
{
    VirtioPci *v = (VirtioPci *)dev;
    uint32_t offset;

    if (window_target(v, addr, size, &offset)) {
        modern_write(v, offset, pci_get(dev, addr, size), size);
    }
}

/* ---- the device ---- */

static bool add_capability(VirtioPci *v, uint8_t type, uint32_t offset, uint32_t length,
                           uint8_t size, GError **err)
{
    uint8_t cap = pci_add_capability(&v->pci, PCI_CAP_ID_VENDOR, size, err);

    if (!cap) {
        return false;
    }
    v->pci.config[cap + 2] = size;
    v->pci.config[cap + 3] = type;
    v->pci.config[cap + CAP_BAR] = type == CAP_PCI ? 0 : BAR_MODERN;
    pci_set(&v->pci, cap + CAP_OFFSET, 4, offset);
    pci_set(&v->pci, cap + CAP_LENGTH, 4, length);
    if (type == CAP_NOTIFY) {
        pci_set(&v->pci, cap + CAP_EXTRA, 4, NOTIFY_MULTIPLIER);
    } else if (type == CAP_PCI) {
        v->cfg_cap = cap;
        pci_set_wmask(&v->pci, cap + CAP_BAR, 1, 0xff);
        pci_set_wmask(&v->pci, cap + CAP_OFFSET, 4, UINT32_MAX);
        pci_set_wmask(&v->pci, cap + CAP_LENGTH, 4, UINT32_MAX);
        pci_set_wmask(&v->pci, cap + CAP_EXTRA, 4, UINT32_MAX);
    }
    return true;
}

static bool add_modern(VirtioPci *v, GError **err)
{
    v->modern_bar = mem_region_io("virtio-modern", &modern_ops, v, MODERN_SIZE);
    virtio_doorbells_place(v, v->modern_bar, MODERN_NOTIFY, NOTIFY_MULTIPLIER);
    pci_register_bar_mem(&v->pci, BAR_MODERN, v->modern_bar, true, true);
    return add_capability(v, CAP_COMMON, MODERN_COMMON, COMMON_SIZE, 16, err) &&
           add_capability(v, CAP_ISR, MODERN_ISR, 1, 16, err) &&
           (!v->vdev.ops->config_size ||
            add_capability(v, CAP_DEVICE, MODERN_DEVICE, v->vdev.ops->config_size, 16, err)) &&
           add_capability(v, CAP_NOTIFY, MODERN_NOTIFY,
                          (uint32_t)v->vdev.queue_count * NOTIFY_MULTIPLIER, 20, err) &&
           add_capability(v, CAP_PCI, 0, 0, 20, err);
}

static uint32_t power_of_two(uint32_t size)
{
    uint32_t p = 32;

    while (p < size) {
        p *= 2;
    }
    return p;
}

bool virtio_pci_begin(VirtioPci *v, const VirtioOps *ops, GError **err)
{
    const char *name = v->pci.dev.cls->name;
    bool only_modern = g_str_has_suffix(name, "-non-transitional");
    uint64_t features = 0;

    v->legacy = v->disable_legacy_prop == ON_OFF_AUTO_OFF ||
                (v->disable_legacy_prop != ON_OFF_AUTO_ON && !only_modern);
    v->modern = !v->disable_modern_prop;
    if ((only_modern && v->legacy) ||
        (g_str_has_suffix(name, "-transitional") && !only_modern && !(v->legacy && v->modern))) {
        emu_set_error(err,
                      "%s: disable-legacy and disable-modern contradict this class; use "
                      "the one without suffix",
                      name);
        return false;
    }
    if (!v->legacy && !v->modern) {
        emu_set_error(err,
                      "%s: disable-legacy=on and disable-modern=on leave no interface; set "
                      "one of them to off",
                      name);
        return false;
    }
    if (!v->legacy) {
        v->pci.device_id = 0x1040 + ops->id;
        pci_set(&v->pci, PCI_DEVICE_ID, 2, v->pci.device_id);
        pci_set(&v->pci, PCI_SUBSYSTEM_ID, 2, 0x1100);
        pci_set(&v->pci, PCI_REVISION_ID, 1, 1);
    }
    features |= v->indirect_prop ? VIRTIO_F_INDIRECT_DESC : 0;
    features |= v->event_idx_prop ? VIRTIO_F_EVENT_IDX : 0;
    features |= v->legacy ? VIRTIO_F_ANY_LAYOUT : 0;
    features |= v->modern ? VIRTIO_F_VERSION_1 : 0;
    virtio_init(&v->vdev, ops, &transport, v->pci.dev.id ? v->pci.dev.id : name, features);
    return true;
}

bool virtio_pci_end(VirtioPci *v, GError **err)
{
    uint32_t vectors = v->vectors_prop ? v->vectors_prop : v->vdev.queue_count + 1u;

    v->vdev.offered |= v->vdev.ops->features(&v->vdev);
    if (!virtio_doorbells_init(v, err)) {
        return false;
    }
    if (v->legacy) {
        uint32_t size = power_of_two(0x18 + v->vdev.ops->config_size);
        v->legacy_bar = mem_region_io("virtio-legacy", &legacy_ops, v, size);
        virtio_doorbells_place(v, v->legacy_bar, LEGACY_QNOTIFY, 0);
        pci_register_bar_io(&v->pci, BAR_LEGACY, v->legacy_bar);
    }
    if (v->modern && !add_modern(v, err)) {
        return false;
    }
    return pci_msix_init(&v->pci, vectors, BAR_MSIX, err);
}

void virtio_pci_detached(PciDevice *dev)
{
    virtio_doorbells_fini((VirtioPci *)dev);
}

void virtio_pci_reset(VirtioPci *v)
{
    write_status(v, 0);
    if (v->cfg_cap) {
        v->pci.config[v->cfg_cap + CAP_BAR] = 0;
        pci_set(&v->pci, v->cfg_cap + CAP_OFFSET, 4, 0);
        pci_set(&v->pci, v->cfg_cap + CAP_LENGTH, 4, 0);
        pci_set(&v->pci, v->cfg_cap + CAP_EXTRA, 4, 0);
    }
}

static const StateField fields[] = {
    STATE_FIELD_STRUCT(VirtioPci, pci, &pci_state_table),
    STATE_FIELD_STRUCT(VirtioPci, vdev, &virtio_state_table),
    STATE_FIELD_UINT(VirtioPci, isr),
    STATE_FIELD_UINT(VirtioPci, queue_select),
    STATE_FIELD_UINT(VirtioPci, device_feature_select),
    STATE_FIELD_UINT(VirtioPci, driver_feature_select),
    STATE_FIELD_UINT(VirtioPci, driver_features),
    STATE_FIELD_UINT(VirtioPci, rung),
    STATE_FIELD_END,
};

static void pre_save(void *opaque)
{
    virtio_doorbells_collect(opaque);
}

const StateTable virtio_pci_state_table = {
    .name = "virtio-pci", .version = 1, .min_version = 1, .fields = fields, .pre_save = pre_save};
