/*
 * What of KVM must be there, by name, and what may be.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "util/keyval.h"

typedef struct CapRow {
    int cap;
    const char *name;
} CapRow;

#define ROW(c)                                                                                     \
    {                                                                                              \
        c, #c                                                                                      \
    }

static const CapRow required[] = {
    ROW(KVM_CAP_USER_MEMORY),
    ROW(KVM_CAP_DESTROY_MEMORY_REGION_WORKS),
    ROW(KVM_CAP_READONLY_MEM),
    ROW(KVM_CAP_SET_TSS_ADDR),
    ROW(KVM_CAP_SET_IDENTITY_MAP_ADDR),
    ROW(KVM_CAP_EXT_CPUID),
    ROW(KVM_CAP_MP_STATE),
    ROW(KVM_CAP_VCPU_EVENTS),
    ROW(KVM_CAP_DEBUGREGS),
    ROW(KVM_CAP_XSAVE),
    ROW(KVM_CAP_XCRS),
    ROW(KVM_CAP_IMMEDIATE_EXIT),
    ROW(KVM_CAP_INTERNAL_ERROR_DATA),
};

static const struct {
    int cap;
    size_t offset;
} optional[] = {
    {KVM_CAP_IRQCHIP, offsetof(KvmCaps, irqchip)},
    {KVM_CAP_SPLIT_IRQCHIP, offsetof(KvmCaps, split_irqchip)},
    {KVM_CAP_IRQFD, offsetof(KvmCaps, irqfd)},
    {KVM_CAP_TSC_CONTROL, offsetof(KvmCaps, tsc_control)},
    {KVM_CAP_HALT_POLL, offsetof(KvmCaps, halt_poll)},
    {KVM_CAP_X2APIC_API, offsetof(KvmCaps, x2apic_api)},
    {KVM_CAP_DIRTY_LOG_RING, offsetof(KvmCaps, dirty_ring)},
    {KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, offsetof(KvmCaps, manual_protect)},
    {KVM_CAP_IOEVENTFD, offsetof(KvmCaps, ioeventfd)},
    {KVM_CAP_IRQ_ROUTING, offsetof(KvmCaps, irq_routing)},
    {KVM_CAP_PIT2, offsetof(KvmCaps, pit2)},
    {KVM_CAP_PIT_STATE2, offsetof(KvmCaps, pit_state2)},
    {KVM_CAP_SIGNAL_MSI, offsetof(KvmCaps, signal_msi)},
    {KVM_CAP_X86_SMM, offsetof(KvmCaps, smm)},
    {KVM_CAP_MULTI_ADDRESS_SPACE, offsetof(KvmCaps, address_spaces)},
    {KVM_CAP_NR_MEMSLOTS, offsetof(KvmCaps, nr_slots)},
    {KVM_CAP_TSC_DEADLINE_TIMER, offsetof(KvmCaps, tsc_deadline)},
    {KVM_CAP_VCPU_ATTRIBUTES, offsetof(KvmCaps, vcpu_attributes)},
    {KVM_CAP_KVMCLOCK_CTRL, offsetof(KvmCaps, kvmclock_ctrl)},
    {KVM_CAP_ADJUST_CLOCK, offsetof(KvmCaps, adjust_clock)},
    {KVM_CAP_EXCEPTION_PAYLOAD, offsetof(KvmCaps, exception_payload)},
    {KVM_CAP_SREGS2, offsetof(KvmCaps, sregs2)},
    {KVM_CAP_MCE, offsetof(KvmCaps, mce)},
    {KVM_CAP_SET_GUEST_DEBUG, offsetof(KvmCaps, guest_debug)},
    {KVM_CAP_SET_GUEST_DEBUG2, offsetof(KvmCaps, guest_debug2)},
    {KVM_CAP_NESTED_STATE, offsetof(KvmCaps, nested_state)},
    {KVM_CAP_XSAVE2, offsetof(KvmCaps, xsave2)},
    {KVM_CAP_MAX_VCPUS, offsetof(KvmCaps, max_vcpus)},
};

bool kvm_caps_check(int fd, KvmCaps *caps, GError **err)
{
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);

    if (version != KVM_API_VERSION) {
        if (version < 0) {
            emu_set_error(err, "/dev/kvm: KVM_GET_API_VERSION: %s", g_strerror(errno));
        } else {
            emu_set_error(err, "/dev/kvm speaks version %d of the API; %d is needed", version,
                          KVM_API_VERSION);
        }
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(required); i++) {
        if (ioctl(fd, KVM_CHECK_EXTENSION, required[i].cap) <= 0) {
            emu_set_error(err, "the host's KVM lacks %s", required[i].name);
            return false;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++) {
        int value = ioctl(fd, KVM_CHECK_EXTENSION, optional[i].cap);
        *(int *)((char *)caps + optional[i].offset) = MAX(value, 0);
    }
    return true;
}
