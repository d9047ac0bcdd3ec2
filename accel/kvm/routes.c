/*
 * KVM's table of interrupt routes: what an interrupt number (GSI) leads to.
 *
 * The kernel takes the table as a whole, so it is kept here and handed over at each change. Numbers
 * 0 to 23 are the board's: pins of the kernel's own controllers, or, where those are devices here,
 * the messages of the I/O APIC's inputs, from which the kernel learns whose end of interrupt it has
 * to tell of. Those above are messages (MSI) for who asks for one. Machine lock held.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "util/keyval.h"

enum { BOARD_GSIS = KVM_IOAPIC_NUM_PINS, PIC_INPUTS = 16, PIC_CASCADE = 2, ROUTES_MAX = 1024 };

struct KvmRoutes {
    uint32_t gsi_end; /* numbers are below */
    struct kvm_irq_routing head;
    struct kvm_irq_routing_entry entries[ROUTES_MAX]; /* in no order */
};

static bool commit(KvmAccel *a, GError **err)
{
    if (ioctl(a->vm_fd, KVM_SET_GSI_ROUTING, &a->routes->head) < 0) {
        emu_set_error(err, "KVM_SET_GSI_ROUTING: %s", g_strerror(errno));
        return false;
    }
    return true;
}

static void add_pin(KvmRoutes *r, uint32_t gsi, uint32_t chip, uint32_t pin)
{
    r->entries[r->head.nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_IRQCHIP,
        .u.irqchip = {.irqchip = chip, .pin = pin},
    };
}

/* 0 to 15 lead to PIC and I/O APIC both, but the timer's 0 to the I/O APIC's pin 2. */
static void add_board_pins(KvmRoutes *r)
{
    for (uint32_t gsi = 0; gsi < BOARD_GSIS; gsi++) {
        if (gsi == PIC_CASCADE) {
            continue;
        }
        if (gsi < PIC_INPUTS) {
            add_pin(r, gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % 8);
        }
        add_pin(r, gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
    }
}

bool kvm_routes_init(KvmAccel *a, bool kernel_chips, GError **err)
{
    KvmRoutes *r = a->routes = g_new0(KvmRoutes, 1);

    G_STATIC_ASSERT(offsetof(KvmRoutes, entries) ==
                    offsetof(KvmRoutes, head) + sizeof(struct kvm_irq_routing));
    r->gsi_end = (uint32_t)MIN(a->caps.irq_routing, ROUTES_MAX - PIC_INPUTS);
    if (kernel_chips) {
        add_board_pins(r);
    }
    return commit(a, err);
}

void kvm_routes_fini(KvmAccel *a)
{
    g_clear_pointer(&a->routes, g_free);
}

static struct kvm_irq_routing_entry *find_msi(KvmRoutes *r, uint32_t gsi)
{
    for (uint32_t i = 0; i < r->head.nr; i++) {
        if (r->entries[i].gsi == gsi && r->entries[i].type == KVM_IRQ_ROUTING_MSI) {
            return &r->entries[i];
        }
    }
    return NULL;
}

bool kvm_route_set(KvmAccel *a, uint32_t gsi, uint64_t addr, uint32_t data, GError **err)
{
    KvmRoutes *r = a->routes;
    struct kvm_irq_routing_entry *e = find_msi(r, gsi);

    if (!e) {
        if (r->head.nr == ROUTES_MAX) {
            emu_set_error(err, "all %d interrupt routes are in use", ROUTES_MAX);
            return false;
        }
        e = &r->entries[r->head.nr++];
    }
    *e = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_MSI,
        .u.msi = {.address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data},
    };
    return commit(a, err);
}

void kvm_route_clear(KvmAccel *a, uint32_t gsi)
{
    KvmRoutes *r = a->routes;
    struct kvm_irq_routing_entry *e = find_msi(r, gsi);

    if (e) {
        *e = r->entries[--r->head.nr];
        commit(a, NULL); /* a smaller table is never refused */
    }
}

int kvm_route_new(KvmAccel *a, uint64_t addr, uint32_t data, GError **err)
{
    for (uint32_t gsi = BOARD_GSIS; gsi < a->routes->gsi_end; gsi++) {
        if (!find_msi(a->routes, gsi)) {
            return kvm_route_set(a, gsi, addr, data, err) ? (int)gsi : -1;
        }
    }
    emu_set_error(err, "all %u interrupt numbers of KVM are in use", a->routes->gsi_end);
    return -1;
}

/* ---- interrupts by eventfd ---- */

static bool irqfd(KvmAccel *a, int gsi, int fd, uint32_t flags)
{
    struct kvm_irqfd arg = {.fd = (uint32_t)fd, .gsi = (uint32_t)gsi, .flags = flags};

    return ioctl(a->vm_fd, KVM_IRQFD, &arg) >= 0;
}

int kvm_msi_route_add(Accel *accel, int fd, uint64_t addr, uint32_t data, GError **err)
{
    KvmAccel *a = kvm_accel(accel);
    int gsi;

    if (!a->routes || !a->caps.irqfd) {
        emu_set_error(err, "interrupts by eventfd need %s",
                      a->caps.irqfd ? "-accel kvm,kernel-irqchip=on or split"
                                    : "KVM_CAP_IRQFD, which the host's KVM lacks");
        return -1;
    }
    gsi = kvm_route_new(a, addr, data, err);
    if (gsi >= 0 && !irqfd(a, gsi, fd, 0)) {
        emu_set_error(err, "KVM_IRQFD: %s", g_strerror(errno));
        kvm_route_clear(a, (uint32_t)gsi);
        return -1;
    }
    return gsi;
}

bool kvm_msi_route_set(Accel *accel, int route, uint64_t addr, uint32_t data, GError **err)
{
    return kvm_route_set(kvm_accel(accel), (uint32_t)route, addr, data, err);
}

void kvm_msi_route_del(Accel *accel, int route, int fd)
{
    KvmAccel *a = kvm_accel(accel);

    irqfd(a, route, fd, KVM_IRQFD_FLAG_DEASSIGN);
    kvm_route_clear(a, (uint32_t)route);
}
