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

#define OPTIONAL(c, field)                                                                         \
    {                                                                                              \
        {c, #c}, offsetof(KvmCaps, field)                                                          \
    }

static const struct {
    CapRow row;
    size_t offset; /* of an int in KvmCaps */
} optional[] = {
    OPTIONAL(KVM_CAP_IRQCHIP, irqchip),
    OPTIONAL(KVM_CAP_SPLIT_IRQCHIP, split_irqchip),
    OPTIONAL(KVM_CAP_IRQFD, irqfd),
    OPTIONAL(KVM_CAP_TSC_CONTROL, tsc_control),
    OPTIONAL(KVM_CAP_HALT_POLL, halt_poll),
    OPTIONAL(KVM_CAP_X2APIC_API, x2apic_api),
    OPTIONAL(KVM_CAP_DIRTY_LOG_RING, dirty_ring),
    OPTIONAL(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, manual_protect),
    OPTIONAL(KVM_CAP_IOEVENTFD, ioeventfd),
    OPTIONAL(KVM_CAP_IRQ_ROUTING, irq_routing),
    OPTIONAL(KVM_CAP_PIT2, pit2),
    OPTIONAL(KVM_CAP_PIT_STATE2, pit_state2),
    OPTIONAL(KVM_CAP_SIGNAL_MSI, signal_msi),
    OPTIONAL(KVM_CAP_X86_SMM, smm),
    OPTIONAL(KVM_CAP_MULTI_ADDRESS_SPACE, address_spaces),
    OPTIONAL(KVM_CAP_NR_MEMSLOTS, nr_slots),
    OPTIONAL(KVM_CAP_TSC_DEADLINE_TIMER, tsc_deadline),
    OPTIONAL(KVM_CAP_VCPU_ATTRIBUTES, vcpu_attributes),
    OPTIONAL(KVM_CAP_KVMCLOCK_CTRL, kvmclock_ctrl),
    OPTIONAL(KVM_CAP_ADJUST_CLOCK, adjust_clock),
    OPTIONAL(KVM_CAP_EXCEPTION_PAYLOAD, exception_payload),
    OPTIONAL(KVM_CAP_SREGS2, sregs2),
    OPTIONAL(KVM_CAP_MCE, mce),
    OPTIONAL(KVM_CAP_SET_GUEST_DEBUG, guest_debug),
    OPTIONAL(KVM_CAP_SET_GUEST_DEBUG2, guest_debug2),
    OPTIONAL(KVM_CAP_NESTED_STATE, nested_state),
    OPTIONAL(KVM_CAP_XSAVE2, xsave2),
    OPTIONAL(KVM_CAP_MAX_VCPUS, max_vcpus),
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
        int value = ioctl(fd, KVM_CHECK_EXTENSION, optional[i].row.cap);
        *(int *)((char *)caps + optional[i].offset) = MAX(value, 0);
    }
    return true;
}

void kvm_caps_print_missing(const KvmCaps *caps, GString *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++) {
        if (!*(const int *)((const char *)caps + optional[i].offset)) {
            g_string_append_printf(out, " %s", optional[i].row.name);
        }
    }
}
