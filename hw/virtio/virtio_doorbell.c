/*
 * Queue notifications of a virtio PCI device by eventfd.
 *
 * Where the accelerator takes doorbells over, a vCPU that notifies goes on at once, and the main
 * loop looks at the queue. A notification that is found while the machine is stopped waits in
 * v->rung, which is saved with the device, until the machine runs.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/virtio/virtio_doorbell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/accel.h"
#include "core/machine.h"
#include "core/mainloop.h"
#include "util/keyval.h"

enum { NOTIFY_SIZE = 2 /* what drivers write (virtio 1.2, 4.1.5.2) */ };

typedef struct Doorbell {
    VirtioPci *v;
    uint16_t queue;
    int fd;
    guint watch;
} Doorbell;

struct VirtioDoorbells {
    uint16_t count;
    Doorbell bell[VIRTIO_QUEUES_MAX];
};

static gboolean heard(int fd, GIOCondition condition, void *opaque)
{
    Doorbell *b = opaque;
    eventfd_t value;

    (void)condition;
    if (eventfd_read(fd, &value) == 0) {
        if (machine_running(b->v->pci.dev.machine)) {
            virtio_notify_queue(&b->v->vdev, b->queue);
        } else {
            b->v->rung |= 1u << b->queue;
        }
    }
    return G_SOURCE_CONTINUE;
}

static void run_state_changed(void *opaque)
{
    VirtioPci *v = opaque;
    uint32_t rung = v->rung;

    if (!machine_running(v->pci.dev.machine)) {
        return;
    }
    v->rung = 0;
    for (uint32_t i = 0; i < v->vdev.queue_count; i++) {
        if (rung & 1u << i) {
            virtio_notify_queue(&v->vdev, i);
        }
    }
}

bool virtio_doorbells_init(VirtioPci *v, GError **err)
{
    Machine *m = v->pci.dev.machine;
    Accel *accel = m->accel;

    machine_on_run_state(m, run_state_changed, v);
    if (!v->ioeventfd_prop || !accel || !accel->cls->has_cap ||
        !accel->cls->has_cap(accel, ACCEL_CAP_DOORBELLS)) {
        return true;
    }
    v->doorbells = g_new0(struct VirtioDoorbells, 1);
    for (uint16_t i = 0; i < v->vdev.queue_count; i++) {
        Doorbell *b = &v->doorbells->bell[i];

        *b = (Doorbell){.v = v, .queue = i, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        if (b->fd < 0) {
            emu_set_error(err, "%s: eventfd for queue %u: %s (ioeventfd=off does without)",
                          v->vdev.name, i, g_strerror(errno));
            virtio_doorbells_fini(v);
            return false;
        }
        b->watch = main_loop_watch_fd(b->fd, G_IO_IN, heard, b);
        v->doorbells->count++;
    }
    return true;
}

void virtio_doorbells_fini(VirtioPci *v)
{
    machine_off_run_state(v->pci.dev.machine, run_state_changed, v);
    for (uint16_t i = 0; v->doorbells && i < v->doorbells->count; i++) {
        main_loop_unwatch(v->doorbells->bell[i].watch);
        close(v->doorbells->bell[i].fd);
    }
    g_clear_pointer(&v->doorbells, g_free);
}

void virtio_doorbells_place(VirtioPci *v, MemRegion *region, hwaddr offset, unsigned stride)
{
    MemDoorbell list[VIRTIO_QUEUES_MAX];
    uint16_t count = v->doorbells ? v->doorbells->count : 0;

    for (uint16_t i = 0; i < count; i++) {
        list[i] = (MemDoorbell){.offset = offset + (hwaddr)i * stride,
                                .size = NOTIFY_SIZE,
                                .match = stride == 0,
                                .value = i,
                                .fd = v->doorbells->bell[i].fd};
    }
    if (count) {
        mem_region_set_doorbells(region, list, count);
    }
}

void virtio_doorbells_collect(VirtioPci *v)
{
    eventfd_t value;

    for (uint16_t i = 0; v->doorbells && i < v->doorbells->count; i++) {
        if (eventfd_read(v->doorbells->bell[i].fd, &value) == 0) {
            v->rung |= 1u << i;
        }
    }
}

void virtio_doorbells_forget(VirtioPci *v)
{
    virtio_doorbells_collect(v);
    v->rung = 0;
}
