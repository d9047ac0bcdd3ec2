/*
 * Queue notifications of a virtio PCI device by eventfd. Machine lock held.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_VIRTIO_DOORBELL_H
#define HW_VIRTIO_VIRTIO_DOORBELL_H

#include "hw/virtio/virtio_pci.h"

/* Once the queues are there. With an accelerator that has no use for doorbells, none are made. */
bool virtio_doorbells_init(VirtioPci *v, GError **err);
void virtio_doorbells_fini(VirtioPci *v);
/* Makes the notification registers of REGION, STRIDE apart from OFFSET on, doorbells; STRIDE 0: one
 * register that the queue's number is written to. */
void virtio_doorbells_place(VirtioPci *v, MemRegion *region, hwaddr offset, unsigned stride);
/* Takes what was rung and not heard yet into v->rung. */
void virtio_doorbells_collect(VirtioPci *v);
/* The device was reset. */
void virtio_doorbells_forget(VirtioPci *v);

#endif
