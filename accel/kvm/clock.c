/*
 * Time: the time-stamp counter's offset, and the clock behind kvmclock.
 *
 * The state holds the offset from the host's TSC, which is also how KVM keeps it; where it does not
 * let that be seen, the TSC is read and written, and a few hundred cycles are lost on the way.
 *
 * KVM's clock is made equal to CLOCK_VM whenever the machine begins to run, as the translator's is,
 * so it stands while the machine does, and CLOCK_VM is all that is saved of it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "accel/kvm/kvm_int.h"
#include "core/clock.h"

enum { MSR_TSC = 0x10 };

static bool offset_attr(KvmCpu *c, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr attr = {
        .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset};

    return c->accel->caps.vcpu_attributes && ioctl(c->fd, request, &attr) == 0;
}

typedef struct OneMsr {
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
} OneMsr;

void kvm_tsc_get(KvmCpu *c)
{
    OneMsr msr = {.head.nmsrs = 1, .entry.index = MSR_TSC};
    uint64_t offset;

    if (offset_attr(c, KVM_GET_DEVICE_ATTR, &offset)) {
        c->x.st.tsc_offset = offset;
    } else if (ioctl(c->fd, KVM_GET_MSRS, &msr) == 1) {
        c->x.st.tsc_offset = msr.entry.data - __rdtsc();
    }
}

void kvm_tsc_put(KvmCpu *c)
{
    uint64_t now, offset = c->x.st.tsc_offset;
    OneMsr msr = {.head.nmsrs = 1, .entry.index = MSR_TSC};

    if (offset_attr(c, KVM_GET_DEVICE_ATTR, &now)) {
        if (now != offset && !offset_attr(c, KVM_SET_DEVICE_ATTR, &offset)) {
            kvm_cpu_failed(c, "KVM_SET_DEVICE_ATTR (TSC offset)", errno);
        }
        return;
    }
    msr.entry.data = __rdtsc() + offset;
    if (ioctl(c->fd, KVM_SET_MSRS, &msr) != 1) {
        kvm_cpu_failed(c, "KVM_SET_MSRS (TSC)", errno);
    }
}

bool kvm_clock_get(KvmAccel *a, uint64_t *ns)
{
    struct kvm_clock_data data = {0};

    if (ioctl(a->vm_fd, KVM_GET_CLOCK, &data) < 0) {
        return false;
    }
    *ns = data.clock;
    return true;
}

void kvm_clock_set(KvmAccel *a)
{
    struct kvm_clock_data data = {.clock = (uint64_t)clock_now(CLOCK_VM)};

    if (a->caps.adjust_clock && ioctl(a->vm_fd, KVM_SET_CLOCK, &data) < 0) {
        g_printerr("%s: KVM_SET_CLOCK: %s\n", g_get_prgname(), g_strerror(errno));
    }
}
