/*
 * Interrupts of the KVM back end with local APICs alone in the kernel: messages, eventfds, the 8259
 * and the end of level-triggered interrupts, seen by a real-mode guest.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/lock.h"
#include "tests/unit/kvm_rig.h"

enum {
    VECTOR = 0x40,
    MSI_ADDR = 0xfee00000,
    LEVEL_ASSERT = 3 << 14,
    APIC_SVR = 0xf0,
    APIC_LINT0 = 0x350,
    EXTINT = 7 << 8,
};

static KvmRig *rig;
static IrqLine intr;

static Cpu *cpu(void)
{
    return &rig->c->x.cpu;
}

/* The guest says that it is done by reading port 90h. */
static uint64_t stop_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)opaque, (void)addr, (void)size;
    cpu_raise(cpu(), CPU_EVENT_STOP);
    return 0;
}
static void stop_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)opaque, (void)addr, (void)value, (void)size;
}
static const MemOps stop_ops = {stop_read, stop_write, 1, 1, false};

/* ---- the board ---- */

static int next_vector, acks;
static int eoi_vector;

static int fake_ack(Device *pic)
{
    (void)pic;
    g_assert_true(machine_lock_held());
    acks++;
    irq_lower(&intr);
    return next_vector;
}
static void fake_eoi(Device *ioapic, uint8_t vector)
{
    (void)ioapic;
    g_assert_true(machine_lock_held());
    eoi_vector = vector;
}

/* ---- the guest ---- */

/* Loads a guest that waits for BL to become 1, which the handler of VECTOR does; DS is the local
 * APIC's window for the end of interrupt. */
static void load_waiter(void)
{
    /* xor %bx,%bx; sti; 1: test %bl,%bl; jz 1b; cli; mov $5000,%cx; 2: loop 2b; in $0x90,%al; hlt
     */
    static const uint8_t code[] = {0x31, 0xdb, 0xfb, 0x84, 0xdb, 0x74, 0xfc, 0xfa,
                                   0xb9, 0x88, 0x13, 0xe2, 0xfe, 0xe4, 0x90, 0xf4};
    /* inc %bl; movl $0,0xb0; iret */
    static const uint8_t handler[] = {0xfe, 0xc3, 0x66, 0xc7, 0x06, 0xb0, 0, 0, 0, 0, 0, 0xcf};
    const uint32_t svr = 0x1ff, lint0 = EXTINT;

    memcpy(rig->ram->host + 0x1100, handler, sizeof(handler));
    memcpy(rig->ram->host + 4 * VECTOR, (uint16_t[]){0x1100, 0}, 4);
    kvm_lapic_reset(&rig->c->lapic, 0, true);
    memcpy(&rig->c->lapic.regs[APIC_SVR], &svr, 4);
    memcpy(&rig->c->lapic.regs[APIC_LINT0], &lint0, 4);
    rig->c->lapic_pending = true;
    kvm_rig_load(rig, code, sizeof(code));
    rig->c->x.st.seg[SEG_DS].base = MSI_ADDR;
    kvm_put_state(cpu());
    eoi_vector = -1;
    acks = 0;
}

static void runs_to_its_end(void)
{
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_EVENT);
    cpu_lower(cpu(), CPU_EVENT_STOP);
    kvm_get_state(cpu());
    g_assert_cmphex(rig->c->x.st.rip, ==, 0x100f);
    g_assert_cmphex(rig->c->x.st.gpr[R_RBX] & 0xff, ==, 1);
}

/* ---- tests ---- */

static void test_a_message_is_delivered(void)
{
    load_waiter();
    g_assert_true(kvm_msi_deliver(&rig->a->accel, MSI_ADDR, VECTOR));
    runs_to_its_end();
    /* To an APIC that does not exist: nobody takes it. */
    g_assert_false(kvm_msi_deliver(&rig->a->accel, MSI_ADDR | 0x42 << 12, VECTOR));
}

static void test_an_eventfd_is_an_interrupt(void)
{
    GError *err = NULL;
    int fd = eventfd(0, EFD_CLOEXEC);

    machine_lock();
    int route = kvm_msi_route_add(&rig->a->accel, fd, MSI_ADDR, VECTOR, &err);
    machine_unlock();
    g_assert_no_error(err);
    g_assert_cmpint(route, >=, 24);
    load_waiter();
    eventfd_write(fd, 1);
    runs_to_its_end();

    /* A route that changes sends something else. */
    machine_lock();
    g_assert_true(kvm_msi_route_set(&rig->a->accel, route, MSI_ADDR, VECTOR + 1, &err));
    machine_unlock();
    memcpy(rig->ram->host + 4 * (VECTOR + 1), (uint16_t[]){0x1100, 0}, 4);
    load_waiter();
    memset(rig->ram->host + 4 * VECTOR, 0xff, 4);
    eventfd_write(fd, 1);
    runs_to_its_end();

    machine_lock();
    kvm_msi_route_del(&rig->a->accel, route, fd);
    machine_unlock();
    load_waiter();
    eventfd_write(fd, 1); /* leads nowhere now: the message comes from elsewhere */
    memset(rig->ram->host + 4 * (VECTOR + 1), 0xff, 4);
    g_assert_true(kvm_msi_deliver(&rig->a->accel, MSI_ADDR, VECTOR));
    runs_to_its_end();
    close(fd);
}

static void test_many_routes_are_given_out_once_each(void)
{
    enum { COUNT = 200 };
    int gsi[COUNT];
    GError *err = NULL;

    machine_lock();
    for (int i = 0; i < COUNT; i++) {
        gsi[i] = kvm_route_new(rig->a, MSI_ADDR, VECTOR, &err);
        g_assert_no_error(err);
        for (int j = 0; j < i; j++) {
            g_assert_cmpint(gsi[i], !=, gsi[j]);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        kvm_route_clear(rig->a, (uint32_t)gsi[i]);
    }
    machine_unlock();
}

static void test_routes_come_to_an_end_with_an_error(void)
{
    g_autoptr(GError) err = NULL;
    int first, gsi, last = -1;

    machine_lock();
    first = gsi = kvm_route_new(rig->a, MSI_ADDR, VECTOR, &err);
    while (gsi >= 0) {
        last = gsi;
        gsi = kvm_route_new(rig->a, MSI_ADDR, VECTOR, &err);
    }
    g_assert_nonnull(err);
    g_assert_cmpint(last - first, >, 100);
    for (gsi = first; gsi <= last; gsi++) {
        kvm_route_clear(rig->a, (uint32_t)gsi);
    }
    machine_unlock();
}

static void test_pic_interrupts_reach_cpu_0(void)
{
    load_waiter();
    next_vector = VECTOR;
    machine_lock();
    irq_raise(&intr);
    machine_unlock();
    runs_to_its_end();
    g_assert_cmpint(acks, ==, 1);
}

static void test_pic_interrupts_wait_for_lint0(void)
{
    const uint32_t masked = EXTINT | 1 << 16;

    load_waiter();
    memcpy(&rig->c->lapic.regs[APIC_LINT0], &masked, 4);
    rig->c->lapic_pending = true;
    kvm_put_state(cpu());
    next_vector = 0xff; /* its handler does not exist */
    machine_lock();
    irq_raise(&intr);
    machine_unlock();
    g_assert_true(kvm_msi_deliver(&rig->a->accel, MSI_ADDR, VECTOR));
    runs_to_its_end();
    g_assert_cmpint(acks, ==, 0);
    machine_lock();
    irq_lower(&intr);
    machine_unlock();
}

static void test_the_end_of_level_interrupts_is_told(void)
{
    enum { PIN = 9 };

    load_waiter();
    machine_lock();
    kvm_ioapic_changed(&rig->a->accel, PIN, MSI_ADDR, VECTOR | LEVEL_ASSERT, false);
    machine_unlock();
    g_assert_true(kvm_msi_deliver(&rig->a->accel, MSI_ADDR, VECTOR | LEVEL_ASSERT));
    runs_to_its_end();
    g_assert_cmpint(eoi_vector, ==, VECTOR);
    /* Masked, nobody waits for it. */
    machine_lock();
    kvm_ioapic_changed(&rig->a->accel, PIN, MSI_ADDR, VECTOR | LEVEL_ASSERT, true);
    machine_unlock();
    load_waiter();
    g_assert_true(kvm_msi_deliver(&rig->a->accel, MSI_ADDR, VECTOR));
    runs_to_its_end();
    g_assert_cmpint(eoi_vector, ==, -1);
}

static void skip(void)
{
    g_assert_false(kvm_rig_available());
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"a message is delivered", test_a_message_is_delivered},
        {"an eventfd is an interrupt", test_an_eventfd_is_an_interrupt},
        {"many routes are given out once each", test_many_routes_are_given_out_once_each},
        {"routes come to an end with an error", test_routes_come_to_an_end_with_an_error},
        {"8259 interrupts reach CPU 0", test_pic_interrupts_reach_cpu_0},
        {"8259 interrupts wait for LINT0", test_pic_interrupts_wait_for_lint0},
        {"the end of level-triggered interrupts is told", test_the_end_of_level_interrupts_is_told},
    };

    g_test_init(&argc, &argv, NULL);
    bool available = access("/dev/kvm", R_OK | W_OK) == 0;
    if (available) {
        AccelIrqBoard board = {.pic_ack = fake_ack, .ioapic_eoi = fake_eoi};
        rig = kvm_rig_new("kernel-irqchip", "split", "halt-poll-ns", "0", NULL);
        machine_lock();
        g_assert_true(kvm_lapic_wire(&rig->a->accel, &board, &intr, NULL));
        mem_region_add(rig->m.io_root, 0x90, mem_region_io("stop", &stop_ops, NULL, 1), 0);
        machine_unlock();
    }
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/kvm/irq/", tests[i].name, NULL);
        g_test_add_func(path, available ? tests[i].fn : skip);
    }
    return g_test_run();
}
