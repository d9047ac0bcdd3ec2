/*
 * Who holds the interrupt controllers, and the wires to those in the kernel.
 *
 * kernel-irqchip=on: local APICs, I/O APIC, 8259 pair and 8254 are the kernel's; the board's lines
 * go in by KVM_IRQ_LINE. split: only the local APICs are. The I/O APIC here sends them messages,
 * and is told of the end of level-triggered interrupts; the 8259's interrupts go to CPU 0, which
 * takes them as its LINT0 says. off: all are devices here. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm.h"
#include "accel/kvm/kvm_int.h"
#include "core/lock.h"
#include "util/keyval.h"

typedef struct Need {
    int present;
    const char *name;
} Need;

static bool has_all(const Need *needs, size_t count, const char *option, GError **err)
{
    for (size_t i = 0; i < count; i++) {
        if (needs[i].present <= 0) {
            emu_set_error(err,
                          "kernel-irqchip=%s: the host's KVM lacks %s (kernel-irqchip=off does "
                          "without)",
                          option, needs[i].name);
            return false;
        }
    }
    return true;
}

static bool create_all(KvmAccel *a, GError **err)
{
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    const Need needs[] = {
        {a->caps.irqchip, "KVM_CAP_IRQCHIP"},
        {a->caps.irq_routing, "KVM_CAP_IRQ_ROUTING"},
        {a->caps.pit2, "KVM_CAP_PIT2"},
        {a->caps.pit_state2, "KVM_CAP_PIT_STATE2"},
        {a->caps.signal_msi, "KVM_CAP_SIGNAL_MSI"},
    };

    if (!has_all(needs, G_N_ELEMENTS(needs), "on", err)) {
        return false;
    }
    if (ioctl(a->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0) {
        emu_set_error(err, "KVM_CREATE_IRQCHIP: %s", g_strerror(errno));
        return false;
    }
    if (ioctl(a->vm_fd, KVM_CREATE_PIT2, &pit) < 0) {
        emu_set_error(err, "KVM_CREATE_PIT2: %s", g_strerror(errno));
        return false;
    }
    return kvm_routes_init(a, true, err);
}

static bool create_split(KvmAccel *a, GError **err)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {KVM_IOAPIC_NUM_PINS}};
    const Need needs[] = {
        {a->caps.split_irqchip, "KVM_CAP_SPLIT_IRQCHIP"},
        {a->caps.irq_routing, "KVM_CAP_IRQ_ROUTING"},
        {a->caps.signal_msi, "KVM_CAP_SIGNAL_MSI"},
    };

    if (!has_all(needs, G_N_ELEMENTS(needs), "split", err)) {
        return false;
    }
    if (ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap) < 0) {
        emu_set_error(err, "KVM_ENABLE_CAP (KVM_CAP_SPLIT_IRQCHIP): %s", g_strerror(errno));
        return false;
    }
    return kvm_routes_init(a, false, err);
}

/* APIC ids above 255. */
static void enable_x2apic_ids(KvmAccel *a)
{
    const int flags = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
    struct kvm_enable_cap cap = {.cap = KVM_CAP_X2APIC_API, .args = {(uint64_t)flags}};

    a->x2apic_ids =
        (a->caps.x2apic_api & flags) == flags && ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap) == 0;
}

bool kvm_irqchip_create(KvmAccel *a, GError **err)
{
    a->accel.irqchip = a->irqchip == KVM_IRQCHIP_ON;
    a->accel.local_apics = a->irqchip != KVM_IRQCHIP_OFF;
    if (a->accel.local_apics) {
        enable_x2apic_ids(a);
    }
    switch (a->irqchip) {
    case KVM_IRQCHIP_ON:
        return create_all(a, err);
    case KVM_IRQCHIP_SPLIT:
        return create_split(a, err);
    }
    return true;
}

/* ---- wiring ---- */

static void gsi_set(void *opaque, int n, int level)
{
    KvmAccel *a = opaque;
    struct kvm_irq_level irq = {.irq = (uint32_t)n, .level = (uint32_t)level};

    if (ioctl(a->vm_fd, KVM_IRQ_LINE, &irq) < 0) {
        g_printerr("%s: KVM_IRQ_LINE: interrupt %d: %s\n", g_get_prgname(), n, g_strerror(errno));
    }
}

static bool make_apics(Machine *m, GError **err)
{
    for (int i = 0; i < m->cpu_count; i++) {
        char index[16];

        g_snprintf(index, sizeof(index), "%d", i);
        if (!device_create(m, NULL, &kvm_apic_class, err, "cpu-index", index, NULL)) {
            return false;
        }
    }
    return true;
}

void kvm_pit_cut_off(Accel *accel, bool on)
{
    KvmAccel *a = (KvmAccel *)accel;
    struct kvm_pit_state2 pit;

    if (ioctl(a->vm_fd, KVM_GET_PIT2, &pit) == 0) {
        pit.flags = on ? pit.flags | KVM_PIT_FLAGS_HPET_LEGACY
                       : pit.flags & ~(uint32_t)KVM_PIT_FLAGS_HPET_LEGACY;
        ioctl(a->vm_fd, KVM_SET_PIT2, &pit);
    }
}

bool kvm_irqchip_wire(Accel *accel, IrqLine *gsi, int count, GError **err)
{
    Machine *m = accel->machine;

    g_assert(count <= KVM_IOAPIC_NUM_PINS);
    if (!make_apics(m, err) || !device_create(m, NULL, &kvm_pic_class, err, NULL) ||
        !device_create(m, NULL, &kvm_ioapic_class, err, NULL) ||
        !device_create(m, NULL, &kvm_pit_class, err, NULL)) {
        return false;
    }
    irq_lines_init(gsi, count, gsi_set, accel);
    return true;
}

/* The 8259's output. Whether CPU 0 takes it now is for KVM to say (kvm_events_inject()). */
static void set_intr(void *opaque, int n, int level)
{
    KvmAccel *a = opaque;
    Cpu *cpu = a->accel.machine->cpus[n];

    if (level) {
        cpu_raise(cpu, CPU_EVENT_INTR);
    } else {
        cpu_lower(cpu, CPU_EVENT_INTR);
    }
}

bool kvm_lapic_wire(Accel *accel, const AccelIrqBoard *board, IrqLine *intr, GError **err)
{
    KvmAccel *a = kvm_accel(accel);

    a->board = *board;
    irq_lines_init(intr, 1, set_intr, accel);
    return make_apics(accel->machine, err);
}

int kvm_pic_ack(KvmAccel *a)
{
    int vector;

    machine_lock();
    vector = a->board.pic_ack(a->board.pic);
    machine_unlock();
    return vector;
}

void kvm_ioapic_eoi(KvmAccel *a, uint8_t vector)
{
    if (a->board.ioapic_eoi) {
        machine_lock();
        a->board.ioapic_eoi(a->board.ioapic, vector);
        machine_unlock();
    }
}

/* From the routes of its inputs KVM knows which vectors' ends the I/O APIC waits for. */
void kvm_ioapic_changed(Accel *accel, int n, uint64_t addr, uint32_t data, bool masked)
{
    KvmAccel *a = kvm_accel(accel);
    GError *err = NULL;

    if (masked) {
        kvm_route_clear(a, (uint32_t)n);
    } else if (!kvm_route_set(a, (uint32_t)n, addr, data, &err)) {
        g_printerr("%s: I/O APIC input %d: %s\n", g_get_prgname(), n, err->message);
        g_error_free(err);
    }
}

bool kvm_msi_deliver(Accel *accel, uint64_t addr, uint32_t data)
{
    struct kvm_msi msi = {
        .address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data};

    return ioctl(kvm_accel(accel)->vm_fd, KVM_SIGNAL_MSI, &msi) > 0; /* fails where none takes it */
}

const DeviceClass *const kvm_device_classes[] = {
    &kvm_apic_class, &kvm_pic_class, &kvm_ioapic_class, &kvm_pit_class, NULL,
};
