/*
 * The virtio network device over PCI.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_VIRTIO_NET_H
#define HW_VIRTIO_VIRTIO_NET_H

#include "core/device.h"

extern const DeviceClass virtio_net_pci_class, virtio_net_pci_transitional_class,
    virtio_net_pci_non_transitional_class;

#endif
