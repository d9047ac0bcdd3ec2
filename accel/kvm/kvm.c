/*
 * KVM as an accelerator: its class, its options, and its start.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accel/kvm/kvm_int.h"
#include "util/keyval.h"

/*
 * Intel processors without unrestricted guests need a page for an identity map and three for a TSS
 * while the guest is in real mode: they lie between the I/O APIC and the local APIC's window, where
 * SeaBIOS reserves 16 KiB for them.
 */
enum { IDENTITY_MAP = 0xfeffc000u, TSS_ADDRESS = 0xfeffd000u };

static bool open_device(KvmAccel *a, GError **err)
{
    a->fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (a->fd < 0) {
        int e = errno;

        emu_set_error(err, "/dev/kvm: %s%s", g_strerror(e),
                      e == ENOENT   ? "; is the kernel module kvm_intel or kvm_amd loaded?"
                      : e == EACCES ? "; is the user in the group kvm?"
                                    : "");
        return false;
    }
    return kvm_caps_check(a->fd, &a->caps, err);
}

static bool create_vm(KvmAccel *a, GError **err)
{
    uint64_t identity = IDENTITY_MAP;
    int size = ioctl(a->fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    if (size < (int)sizeof(struct kvm_run)) {
        emu_set_error(err, "/dev/kvm: KVM_GET_VCPU_MMAP_SIZE: %s", g_strerror(errno));
        return false;
    }
    a->run_size = (size_t)size;
    do {
        a->vm_fd = ioctl(a->fd, KVM_CREATE_VM, 0);
    } while (a->vm_fd < 0 && errno == EINTR);
    if (a->vm_fd < 0) {
        emu_set_error(err, "KVM_CREATE_VM: %s", g_strerror(errno));
        return false;
    }
    if (ioctl(a->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
        ioctl(a->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS) < 0) {
        emu_set_error(err, "KVM_SET_TSS_ADDR: %s", g_strerror(errno));
        return false;
    }
    if (a->halt_poll_ns >= 0) {
        struct kvm_enable_cap cap = {.cap = KVM_CAP_HALT_POLL, .args = {(uint64_t)a->halt_poll_ns}};
        if (!a->caps.halt_poll) {
            emu_set_error(err, "halt-poll-ns=%" PRId64 ": the host's KVM lacks KVM_CAP_HALT_POLL",
                          a->halt_poll_ns);
            return false;
        }
        if (ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap) < 0) {
            emu_set_error(err, "halt-poll-ns=%" PRId64 ": KVM_CAP_HALT_POLL: %s", a->halt_poll_ns,
                          g_strerror(errno));
            return false;
        }
    }
    if (a->caps.exception_payload) {
        struct kvm_enable_cap cap = {.cap = KVM_CAP_EXCEPTION_PAYLOAD, .args = {1}};
        if (ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap) < 0) {
            a->caps.exception_payload = 0;
        }
    }
    return true;
}

static void kvm_fini(Accel *accel)
{
    KvmAccel *a = kvm_accel(accel);

    kvm_memory_fini(a);
    kvm_routes_fini(a);
    if (a->vm_fd >= 0) {
        close(a->vm_fd);
    }
    if (a->fd >= 0) {
        close(a->fd);
    }
    a->fd = a->vm_fd = -1;
    g_clear_pointer(&a->cpuid, g_free);
    g_clear_pointer(&a->msrs, g_free);
    kvm_debug_fini(a);
}

static bool kvm_init(Accel *accel, Machine *machine, GError **err)
{
    KvmAccel *a = kvm_accel(accel);

    accel->machine = machine;
    a->fd = a->vm_fd = -1;
    kvm_debug_init(a);
    kvm_signal_init();
    if (!open_device(a, err) || (a->selftest && !kvm_selftest(a->fd, err)) || !create_vm(a, err) ||
        !kvm_cpuid_init(a, err) || !kvm_msrs_init(a, err) || !kvm_dirty_ring_create(a, err) ||
        !kvm_irqchip_create(a, err)) {
        kvm_fini(accel);
        return false;
    }
    kvm_memory_init(a);
    return true;
}

static bool kvm_has_cap(Accel *accel, AccelCap cap)
{
    KvmAccel *a = kvm_accel(accel);

    switch (cap) {
    case ACCEL_CAP_SMM:
        return a->caps.smm && a->caps.address_spaces > 1;
    case ACCEL_CAP_IRQCHIP:
        return accel->irqchip;
    case ACCEL_CAP_DEBUG:
        return a->caps.guest_debug;
    case ACCEL_CAP_DOORBELLS:
        return a->caps.ioeventfd;
    case ACCEL_CAP_COUNT:
        break;
    }
    return false;
}

static const MemListener *kvm_memory_listener(Accel *accel)
{
    return &kvm_accel(accel)->slots[0].listener;
}

static void kvm_print_info(Accel *accel, GString *out)
{
    KvmAccel *a = kvm_accel(accel);
    Machine *m = accel->machine;

    g_string_append_printf(out, "interrupt controllers: in %s\n",
                           accel->irqchip       ? "the kernel"
                           : accel->local_apics ? "the emulator, local APICs in the kernel"
                                                : "the emulator");
    g_string_append_printf(out, "system management mode: %s\n",
                           kvm_has_cap(accel, ACCEL_CAP_SMM) ? "yes" : "no (KVM_CAP_X86_SMM)");
    g_string_append_printf(out, "doorbells: %d\n", a->doorbells[0].count + a->doorbells[1].count);
    if (a->dirty_ring_size) {
        g_string_append_printf(out, "dirty log: rings of %u entries\n", a->dirty_ring_size);
    } else {
        g_string_append_printf(out, "dirty log: bitmaps%s\n",
                               a->manual_protect ? ", protected by hand" : "");
    }
    g_string_append_printf(out, "memory slots: %u of %d\n", a->slots[0].slots->len,
                           a->caps.nr_slots);
    g_string_append(out, "the host's KVM lacks:");
    kvm_caps_print_missing(&a->caps, out);
    g_string_append_c(out, '\n');
    for (int i = 0; i < m->cpu_count; i++) {
        const KvmCpu *c = kvm_cpu(m->cpus[i]);
        g_string_append_printf(out,
                               "CPU %d: %" PRIu64 " exits, %" PRIu64 " for ports, %" PRIu64
                               " for memory-mapped I/O\n",
                               i, c->exits, c->io_exits, c->mmio_exits);
    }
}

static const char *const irqchip_values[] = {"on", "off", "split", NULL};

static const Property kvm_props[] = {
    {
        .name = "kernel-irqchip",
        .type = PROP_ENUM,
        PROP_FIELD(KvmAccel, irqchip),
        .values = irqchip_values,
        .default_value = "on",
        .description = "what the kernel holds: the interrupt controllers and the 8254, nothing, or "
                       "only the local APICs",
    },
    {
        .name = "dirty-ring-size",
        .type = PROP_UINT,
        PROP_FIELD(KvmAccel, dirty_ring_size),
        .max = 1 << 20,
        .default_value = "0",
        .description = "entries of each CPU's ring of dirtied pages, a power of two; 0: bitmaps",
    },
    {
        .name = "halt-poll-ns",
        .type = PROP_INT,
        PROP_FIELD(KvmAccel, halt_poll_ns),
        .min = (uint64_t)-1,
        .max = 1000000000,
        .default_value = "-1",
        .description = "nanoseconds for which a halted CPU polls before it sleeps; -1: as the host "
                       "is set",
    },
    {
        .name = "selftest",
        .type = PROP_BOOL,
        PROP_FIELD(KvmAccel, selftest),
        .default_value = "on",
        .description = "off: do not check first that this KVM can run a 64-bit kernel",
    },
    {.type = PROP_END},
};

const AccelClass kvm_accel_class = {
    .name = "kvm",
    .description = "runs guest code on the host's CPU by its virtualisation extensions",
    .props = kvm_props,
    .size = sizeof(KvmAccel),
    .init = kvm_init,
    .fini = kvm_fini,
    .cpu_features = kvm_cpu_features,
    .cpu_new = kvm_cpu_new,
    .cpu_free = kvm_cpu_free,
    .cpu_thread_init = kvm_cpu_thread_init,
    .cpu_run = kvm_cpu_run,
    .cpu_kick = kvm_cpu_kick,
    .get_state = kvm_get_state,
    .put_state = kvm_put_state,
    .has_cap = kvm_has_cap,
    .irqchip_wire = kvm_irqchip_wire,
    .pit_cut_off = kvm_pit_cut_off,
    .lapic_wire = kvm_lapic_wire,
    .ioapic_changed = kvm_ioapic_changed,
    .msi_deliver = kvm_msi_deliver,
    .msi_route_add = kvm_msi_route_add,
    .msi_route_set = kvm_msi_route_set,
    .msi_route_del = kvm_msi_route_del,
    .memory_listener = kvm_memory_listener,
    .print_info = kvm_print_info,
    .set_debug_points = kvm_set_debug_points,
    .set_single_step = kvm_set_single_step,
};
