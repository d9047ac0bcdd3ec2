/*
 * The virtio block device.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_VIRTIO_BLK_H
#define HW_VIRTIO_VIRTIO_BLK_H

#include "core/device.h"

extern const DeviceClass virtio_blk_pci_class;
extern const DeviceClass virtio_blk_pci_transitional_class;
extern const DeviceClass virtio_blk_pci_non_transitional_class;

#endif
