/*
 * Doorbells (core/memory.h) as ioeventfds: KVM writes the eventfd, and the guest goes on at once.
 *
 * They follow the views of memory and ports, as slots do. One that KVM refuses is no loss: the
 * write is an exit then, and the region's callback does the same. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "core/lock.h"

static void tell(KvmDoorbells *d, const FlatRange *range, uint32_t flags)
{
    size_t count = 0;
    const MemDoorbell *list = range->ram ? NULL : mem_region_doorbells(range->region, &count);

    for (size_t i = 0; i < count; i++) {
        uint64_t at = list[i].offset - range->region_offset;
        struct kvm_ioeventfd arg = {
            .addr = range->base + at,
            .len = list[i].size,
            .fd = list[i].fd,
            .datamatch = list[i].match ? list[i].value : 0,
            .flags = flags | (d->ports ? KVM_IOEVENTFD_FLAG_PIO : 0) |
                     (list[i].match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
        };

        if (list[i].offset >= range->region_offset && at < range->size &&
            range->size - at >= list[i].size && ioctl(d->accel->vm_fd, KVM_IOEVENTFD, &arg) == 0) {
            d->count += flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? -1 : 1;
        }
    }
}

static void range_add(void *opaque, const FlatRange *range)
{
    tell(opaque, range, 0);
}

static void range_del(void *opaque, const FlatRange *range)
{
    tell(opaque, range, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

void kvm_doorbells_follow(KvmAccel *a)
{
    Machine *m = a->accel.machine;
    AddressSpace *spaces[] = {&m->memory, &m->io};

    if (!a->caps.ioeventfd) {
        return;
    }
    machine_lock();
    for (size_t i = 0; i < G_N_ELEMENTS(spaces) && !a->doorbells[i].accel; i++) {
        KvmDoorbells *d = &a->doorbells[i];

        *d = (KvmDoorbells){
            .accel = a,
            .ports = spaces[i] == &m->io,
            .listener = {.range_add = range_add, .range_del = range_del, .opaque = d},
        };
        address_space_listen(spaces[i], &d->listener);
    }
    machine_unlock();
}
