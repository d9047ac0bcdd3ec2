/*
 * Breakpoints and single steps, by the debug registers that KVM lends the host's side.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "core/safepoint.h"
#include "util/keyval.h"

enum { HARDWARE_BREAKPOINTS = 4 };

/* On the vCPU's thread: the call waits while it is in KVM_RUN. */
static void apply(Cpu *cpu, void *data)
{
    KvmCpu *c = kvm_cpu(cpu);
    const KvmAccel *a = c->accel;
    struct kvm_guest_debug d = {0};

    (void)data;
    if (c->single_step) {
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
    }
    if (a->breakpoint_count) {
        d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        d.arch.debugreg[7] = 0x600;
    }
    for (size_t i = 0; i < a->breakpoint_count; i++) {
        d.arch.debugreg[i] = a->breakpoints[i];
        d.arch.debugreg[7] |= 2u << (2 * i); /* global; execution, one byte */
    }
    if (ioctl(c->fd, KVM_SET_GUEST_DEBUG, &d) < 0) {
        kvm_cpu_failed(c, "KVM_SET_GUEST_DEBUG", errno);
    }
}

bool kvm_set_breakpoints(Accel *accel, const uint64_t *linear, size_t count, GError **err)
{
    KvmAccel *a = kvm_accel(accel);

    if (!a->caps.guest_debug) {
        emu_set_error(err, "the host's KVM lacks KVM_CAP_SET_GUEST_DEBUG");
        return false;
    }
    if (count > HARDWARE_BREAKPOINTS) {
        emu_set_error(err, "KVM takes at most %d breakpoints, not %zu", HARDWARE_BREAKPOINTS,
                      count);
        return false;
    }
    g_free(a->breakpoints);
    a->breakpoints = g_memdup2(linear, count * sizeof(linear[0]));
    a->breakpoint_count = count;
    for (int i = 0; i < accel->machine->cpu_count; i++) {
        safepoint_post(accel->machine->cpus[i], apply, NULL);
    }
    return true;
}

void kvm_set_single_step(Cpu *cpu, bool on)
{
    kvm_cpu(cpu)->single_step = on;
    safepoint_post(cpu, apply, NULL);
}
