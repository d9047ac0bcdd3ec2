/*
 * Local APICs and the I/O APIC: delivery, priorities, IPIs, the timer, and interrupts from many
 * threads at once.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <pthread.h>

#include "core/lock.h"
#include "core/safepoint.h"
#include "hw/intc/apic.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "rig.h"

enum {
    APIC = 0xfee00000,
    TPR = APIC + 0x80,
    PPR = APIC + 0xa0,
    EOI = APIC + 0xb0,
    LDR = APIC + 0xd0,
    DFR = APIC + 0xe0,
    SVR = APIC + 0xf0,
    ISR = APIC + 0x100,
    IRR = APIC + 0x200,
    ESR = APIC + 0x280,
    ICR = APIC + 0x300,
    ICR_HIGH = APIC + 0x310,
    LVT_TIMER = APIC + 0x320,
    LVT_LINT0 = APIC + 0x350,
    LVT_ERROR = APIC + 0x370,
    INITIAL = APIC + 0x380,
    CURRENT = APIC + 0x390,
    DIVIDE = APIC + 0x3e0,
    IOREGSEL = 0xfec00000,
    IOWIN = 0xfec00010,
};

static Rig *rig;
static Device *apic[RIG_CPUS], *pic, *ioapic;

/* Makes this thread CPU N for the rest of the test. */
static void become(int n)
{
    safepoint_thread_detach();
    safepoint_thread_attach(n < 0 ? NULL : &rig->cpu[n]);
}

static int ack(int n)
{
    Cpu *cpu = &rig->cpu[n];
    int vector;

    machine_unlock();
    vector = cpu->intc_ops->ack(cpu->intc);
    machine_lock();
    return vector;
}

static bool wrmsr(int n, uint32_t msr, uint64_t value)
{
    return rig->cpu[n].intc_ops->wrmsr(rig->cpu[n].intc, msr, value);
}

static uint64_t rdmsr(int n, uint32_t msr)
{
    uint64_t value = 0;

    g_assert_true(rig->cpu[n].intc_ops->rdmsr(rig->cpu[n].intc, msr, &value));
    return value;
}

static bool interrupted(int n)
{
    return rig->cpu[n].events & CPU_EVENT_INTR;
}

static void start(void)
{
    for (int i = 0; i < rig->m.cpu_count; i++) {
        apic[i]->cls->reset(apic[i]);
        become(i);
        rig_write32(rig, SVR, 0x1ff);
        rig_write32(rig, LDR, 1u << (24 + i));
        rig->cpu[i].events = 0;
    }
    become(0);
    pic->cls->reset(pic);
    ioapic->cls->reset(ioapic);
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        irq_lower(&ioapic_inputs(ioapic)[i]);
    }
}

static void send(uint32_t dest, bool logical, ApicDelivery delivery, uint8_t vector)
{
    ApicMessage msg = {
        .dest = dest, .logical = logical, .delivery = (uint8_t)delivery, .vector = vector};

    apic_deliver(&rig->m, &msg);
}

static void test_priorities_nest(void)
{
    start();
    send(0, false, APIC_FIXED, 0x41);
    send(0, false, APIC_FIXED, 0x81);
    g_assert_true(interrupted(0));
    g_assert_cmphex(ack(0), ==, 0x81);
    g_assert_false(interrupted(0));
    g_assert_cmphex(rig_read32(rig, PPR), ==, 0x80);
    g_assert_cmphex(rig_read32(rig, ISR + 0x40), ==, 2);
    send(0, false, APIC_FIXED, 0x82); /* same class: waits */
    g_assert_false(interrupted(0));
    send(0, false, APIC_FIXED, 0x91);
    g_assert_cmphex(ack(0), ==, 0x91);
    rig_write32(rig, EOI, 0);
    g_assert_false(interrupted(0));
    rig_write32(rig, EOI, 0);
    g_assert_cmphex(ack(0), ==, 0x82);
    rig_write32(rig, EOI, 0);
    g_assert_cmphex(ack(0), ==, 0x41);
    rig_write32(rig, EOI, 0);
    g_assert_cmpint(ack(0), ==, -1);
}

static void test_task_priority_holds_back(void)
{
    const CpuIntcOps *ops = rig->cpu[0].intc_ops;

    start();
    rig_write32(rig, TPR, 0x5f);
    g_assert_cmpuint(ops->get_cr8(rig->cpu[0].intc), ==, 5);
    send(0, false, APIC_FIXED, 0x51);
    g_assert_false(interrupted(0));
    g_assert_cmpint(ack(0), ==, -1);
    ops->set_cr8(rig->cpu[0].intc, 4);
    g_assert_true(interrupted(0));
    ops->set_cr8(rig->cpu[0].intc, 8);
    g_assert_false(interrupted(0));
    ops->set_cr8(rig->cpu[0].intc, 0);
    g_assert_cmphex(ack(0), ==, 0x51);
}

static void test_destinations(void)
{
    start();
    send(2, false, APIC_FIXED, 0x40);
    g_assert_true(!interrupted(0) && !interrupted(1) && interrupted(2) && !interrupted(3));
    start();
    send(0x0a, true, APIC_FIXED, 0x40); /* flat: CPUs 1 and 3 */
    g_assert_true(!interrupted(0) && interrupted(1) && !interrupted(2) && interrupted(3));
    start();
    for (int i = 0; i < 4; i++) { /* two clusters of two */
        become(i);
        rig_write32(rig, DFR, 0x0fffffff);
        rig_write32(rig, LDR, (uint32_t)(i / 2) << 28 | 1u << (24 + i % 2));
    }
    send(0x12, true, APIC_FIXED, 0x40);
    g_assert_true(!interrupted(0) && !interrupted(1) && !interrupted(2) && interrupted(3));
    send(0xff, true, APIC_FIXED, 0x50);
    g_assert_true(interrupted(0) && interrupted(1) && interrupted(2));
    become(0);
}

static void test_lowest_priority_goes_to_the_least_busy(void)
{
    start();
    for (int i = 0; i < 4; i++) {
        become(i);
        rig_write32(rig, TPR, i == 2 ? 0x10 : 0x20);
    }
    send(0x0f, true, APIC_LOWEST, 0x60);
    g_assert_true(!interrupted(0) && !interrupted(1) && interrupted(2) && !interrupted(3));
    become(0);
}

static void test_ipis(void)
{
    start();
    rig_write32(rig, ICR, 0x000c0045); /* all but self */
    g_assert_true(!interrupted(0) && interrupted(1) && interrupted(2) && interrupted(3));
    rig_write32(rig, ICR, 0x00040046); /* self */
    g_assert_cmphex(ack(0), ==, 0x46);
    rig_write32(rig, ICR_HIGH, 1 << 24);
    rig_write32(rig, ICR, 0x4500); /* INIT to CPU 1 */
    g_assert_true(rig->cpu[1].events & CPU_EVENT_INIT);
    rig_write32(rig, ICR, 0x4699); /* start-up */
    g_assert_true(rig->cpu[1].events & CPU_EVENT_SIPI);
    g_assert_cmphex(rig->cpu[1].sipi_vector, ==, 0x99);
    rig_write32(rig, ICR, 0x4400);
    g_assert_true(rig->cpu[1].events & CPU_EVENT_NMI);
    rig->cpu[1].events = 0;
    rig_write32(rig, ICR, 0x8500); /* INIT level de-assert */
    g_assert_false(rig->cpu[1].events & CPU_EVENT_INIT);
}

static void test_init_resets_the_apic(void)
{
    start();
    become(1);
    rig_write32(rig, LVT_TIMER, 0x200ee);
    rig_write32(rig, INITIAL, 100000000);
    send(1, false, APIC_FIXED, 0x50);
    send(1, false, APIC_INIT, 0);
    safepoint_poll();
    g_assert_cmphex(rig_read32(rig, SVR), ==, 0xff);
    g_assert_cmphex(rig_read32(rig, LVT_TIMER), ==, 0x10000);
    g_assert_cmpuint(rig_read32(rig, CURRENT), ==, 0);
    g_assert_false(interrupted(1));
    g_assert_true(rig->cpu[1].events & CPU_EVENT_INIT);
    rig_run(200000000);
    g_assert_false(interrupted(1));
    become(0);
}

static void test_bad_vectors_are_errors(void)
{
    start();
    rig_write32(rig, LVT_ERROR, 0xfe);
    rig_write32(rig, ICR, 0x00040005);
    g_assert_cmphex(ack(0), ==, 0xfe);
    rig_write32(rig, ESR, 0);
    g_assert_cmphex(rig_read32(rig, ESR), ==, 0x20);
    rig_write32(rig, ESR, 0);
    g_assert_cmphex(rig_read32(rig, ESR), ==, 0);
}

static void test_a_disabled_apic_takes_nothing(void)
{
    start();
    rig_write32(rig, SVR, 0xff);
    g_assert_cmphex(rig_read32(rig, LVT_TIMER) & 0x10000, !=, 0);
    rig_write32(rig, LVT_TIMER, 0x40);
    g_assert_cmphex(rig_read32(rig, LVT_TIMER), ==, 0x10040);
    send(0, false, APIC_FIXED, 0x40);
    g_assert_false(interrupted(0));
    g_assert_cmphex(rig_read32(rig, IRR + 0x20), ==, 0);
}

static void test_the_8259_comes_through_lint0(void)
{
    start();
    rig_out(rig, 0x20, 0x11);
    rig_out(rig, 0x21, 0x20);
    rig_out(rig, 0x21, 0x04);
    rig_out(rig, 0x21, 0x01);
    rig_write32(rig, LVT_LINT0, 0x10700);
    irq_raise(&i8259_inputs(pic)[4]);
    g_assert_false(interrupted(0));
    rig_write32(rig, LVT_LINT0, 0x700);
    g_assert_true(interrupted(0));
    g_assert_false(interrupted(1));
    g_assert_cmphex(ack(0), ==, 0x24);
    g_assert_false(interrupted(0));
    g_assert_cmphex(rig_read32(rig, ISR + 0x10), ==, 0); /* ExtINT does not enter ISR */
    irq_lower(&i8259_inputs(pic)[4]);
}

static void redirect(int pin, uint64_t entry)
{
    rig_write32(rig, IOREGSEL, 0x10 + 2 * (uint32_t)pin + 1);
    rig_write32(rig, IOWIN, (uint32_t)(entry >> 32));
    rig_write32(rig, IOREGSEL, 0x10 + 2 * (uint32_t)pin);
    rig_write32(rig, IOWIN, (uint32_t)entry);
}

static void test_ioapic_level_waits_for_eoi(void)
{
    IrqLine *line = &ioapic_inputs(ioapic)[10];

    start();
    redirect(10, 0x8000 | 0x55);
    irq_raise(line);
    g_assert_cmphex(ack(0), ==, 0x55);
    g_assert_cmphex(rig_read32(rig, IOWIN), ==, 0xc055); /* remote IRR */
    g_assert_false(interrupted(0));
    rig_write32(rig, EOI, 0);
    g_assert_true(interrupted(0)); /* still up: once more */
    g_assert_cmphex(ack(0), ==, 0x55);
    irq_lower(line);
    rig_write32(rig, EOI, 0);
    g_assert_false(interrupted(0));
    g_assert_cmphex(rig_read32(rig, IOWIN), ==, 0x8055);
}

static void test_ioapic_edge(void)
{
    IrqLine *line = &ioapic_inputs(ioapic)[4];

    start();
    redirect(4, 0x10000 | 0x33);
    irq_pulse(line); /* masked: lost */
    redirect(4, 3ull << 56 | 0x33);
    g_assert_false(interrupted(3));
    irq_raise(line);
    g_assert_cmphex(ack(3), ==, 0x33);
    become(3);
    rig_write32(rig, EOI, 0);
    g_assert_false(interrupted(3));
    rig_write32(rig, IOREGSEL, 1);
    g_assert_cmphex(rig_read32(rig, IOWIN), ==, 0x170011);
    become(0);
}

static void test_msi(void)
{
    start();
    apic_msi_deliver(&rig->m, 0xfee00000 | 1 << 12, 0x71);
    g_assert_cmphex(ack(1), ==, 0x71);
    rig_write32(rig, 0xfee02000, 0x72); /* a device's write that came by memory */
    g_assert_cmphex(ack(2), ==, 0x72);
}

static void test_timer_counts_and_fires(void)
{
    start();
    rig_at(0);
    rig_write32(rig, DIVIDE, 0xb); /* by 1 */
    rig_write32(rig, LVT_TIMER, 0x10000 | 0xee);
    rig_write32(rig, INITIAL, 1000000);
    rig_at(300000);
    g_assert_cmpuint(rig_read32(rig, CURRENT), ==, 700000);
    rig_write32(rig, DIVIDE, 0x3); /* by 16: goes on from there */
    rig_at(300000 + 1600000);
    g_assert_cmpuint(rig_read32(rig, CURRENT), ==, 600000);
    rig_at(100000000);
    g_assert_cmpuint(rig_read32(rig, CURRENT), ==, 0);

    rig_write32(rig, DIVIDE, 0xb);
    rig_write32(rig, LVT_TIMER, 0xee);
    rig_write32(rig, INITIAL, 500000000);
    rig_run(1000000);
    g_assert_false(interrupted(0));
    rig_run(500000000);
    g_assert_cmphex(ack(0), ==, 0xee);
    rig_write32(rig, EOI, 0);
    rig_run(10000000);
    g_assert_false(interrupted(0));

    rig_write32(rig, LVT_TIMER, 0x200ee); /* periodic */
    rig_write32(rig, INITIAL, 1000000);
    for (int i = 0; i < 5; i++) {
        rig_run(20000000);
        g_assert_cmphex(ack(0), ==, 0xee);
        rig_write32(rig, EOI, 0);
    }
    rig_write32(rig, INITIAL, 0);
}

static uint64_t fake_tsc(Cpu *cpu)
{
    (void)cpu;
    return (uint64_t)clock_now(CLOCK_VM) * 2;
}

static uint64_t fake_khz(void)
{
    return 2000000;
}

static void test_tsc_deadline(void)
{
    start();
    apic_set_tsc(&rig->m, fake_tsc, fake_khz);
    rig_write32(rig, LVT_TIMER, 0x400dd);
    g_assert_true(wrmsr(0, 0x6e0, fake_tsc(NULL) + 4000000));
    g_assert_cmpuint(rdmsr(0, 0x6e0), !=, 0);
    rig_run(30000000);
    g_assert_cmphex(ack(0), ==, 0xdd);
    g_assert_cmpuint(rdmsr(0, 0x6e0), ==, 0);
    rig_write32(rig, EOI, 0);
    g_assert_true(wrmsr(0, 0x6e0, 1)); /* long past: at once */
    g_assert_cmphex(ack(0), ==, 0xdd);
}

static void test_x2apic_mode(void)
{
    const CpuIntcOps *ops = rig->cpu[0].intc_ops;
    void *intc = rig->cpu[0].intc;
    uint64_t value;

    start();
    g_assert_cmphex(ops->get_base(intc), ==, 0xfee00900);
    g_assert_false(ops->rdmsr(intc, 0x802, &value));
    g_assert_false(ops->set_base(intc, 0xfee00500)); /* EXTD without EN */
    for (int i = 0; i < 4; i++) {
        Cpu *cpu = &rig->cpu[i];
        g_assert_true(ops->set_base(cpu->intc, ops->get_base(cpu->intc) | 0xc00));
    }
    g_assert_false(ops->set_base(intc, 0xfee00900)); /* back only through disabled */
    g_assert_cmpuint(rdmsr(3, 0x802), ==, 3);
    g_assert_cmphex(rdmsr(3, 0x80d), ==, 8);
    g_assert_cmphex(rig_read32(rig, APIC + 0x20), ==, 0xffffffff); /* no memory window */
    g_assert_true(wrmsr(0, 0x830, 3ull << 32 | 0x77));
    g_assert_cmphex(ack(3), ==, 0x77);
    g_assert_false(wrmsr(3, 0x80b, 1)); /* EOI other than 0 */
    g_assert_true(wrmsr(3, 0x80b, 0));
    g_assert_true(wrmsr(0, 0x830, 6ull << 32 | 0x878)); /* logical: CPUs 1 and 2 */
    g_assert_true(!interrupted(0) && interrupted(1) && interrupted(2) && !interrupted(3));
    g_assert_true(wrmsr(0, 0x83f, 0x79)); /* self IPI */
    g_assert_cmphex(ack(0), ==, 0x79);
    g_assert_false(wrmsr(0, 0x80e, 0)); /* no DFR */
    g_assert_false(wrmsr(0, 0x808, 0x100));
    g_assert_true(ops->set_base(intc, 0xfee00100)); /* off */
    g_assert_true(ops->set_base(intc, 0xfee00900));
    for (int i = 1; i < 4; i++) {
        ops->set_base(rig->cpu[i].intc, 0xfee00000);
        ops->set_base(rig->cpu[i].intc, 0xfee00800);
    }
}

static void test_state_survives(void)
{
    start();
    send(0, false, APIC_FIXED, 0x41);
    send(0, false, APIC_FIXED, 0x81);
    g_assert_cmphex(ack(0), ==, 0x81);
    rig_save_load(apic[0]);
    g_assert_false(interrupted(0));
    rig_write32(rig, EOI, 0);
    g_assert_cmphex(ack(0), ==, 0x41);
}

/* Every vector set by another thread is acknowledged exactly once, and none is left behind without
 * the event: many threads, no locks. */
enum { SENDERS = 3, ROUNDS = 30000 };
static _Atomic uint32_t sent, taken;

static void *sender(void *opaque)
{
    uint8_t vector = (uint8_t)(0x30 + 0x40 * (uintptr_t)opaque);
    _Atomic uint32_t *seen = &((_Atomic uint32_t *)rig->m.name)[(uintptr_t)opaque];

    for (uint32_t i = 1; i <= ROUNDS; i++) {
        atomic_fetch_add(&sent, 1);
        send(0, false, APIC_FIXED, vector);
        while (*seen != i) { /* taken: the next one is a new interrupt */
        }
    }
    return NULL;
}

static void test_no_interrupt_is_lost_between_threads(void)
{
    _Atomic uint32_t seen[SENDERS] = {0};
    pthread_t threads[SENDERS];
    Cpu *cpu = &rig->cpu[0];
    uint32_t rng = 1;

    start();
    rig->m.name = (char *)seen;
    machine_unlock();
    for (uintptr_t i = 0; i < SENDERS; i++) {
        pthread_create(&threads[i], NULL, sender, (void *)i);
    }
    while (taken < SENDERS * ROUNDS) {
        int vector;
        rng = rng * 1103515245 + 12345;
        if (rng & 0x10000) {
            cpu->intc_ops->set_cr8(cpu->intc, rng >> 20 & 15);
        }
        cpu->intc_ops->set_cr8(cpu->intc, 0);
        if (!interrupted(0)) {
            continue;
        }
        vector = cpu->intc_ops->ack(cpu->intc);
        if (vector >= 0) {
            atomic_fetch_add(&taken, 1);
            rig_write32(rig, EOI, 0);
            seen[(vector - 0x30) / 0x40]++;
        }
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    machine_lock();
    rig->m.name = NULL;
    g_assert_cmpuint(taken, ==, sent);
    g_assert_false(interrupted(0));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = rig_new(4);
    for (int i = 0; i < 4; i++) {
        GError *err = NULL;
        char index[2] = {(char)('0' + i), 0};
        apic[i] =
            device_create(&rig->m, rig->m.root_bus, &apic_class, &err, "cpu-index", index, NULL);
        g_assert_no_error(err);
    }
    pic = rig_system(rig, &i8259_class);
    ioapic = rig_system(rig, &ioapic_class);
    i8259_set_output(pic, apic_lint0(&rig->m));
    apic_set_extint(&rig->m, i8259_ack, pic);
    apic_set_eoi_handler(&rig->m, ioapic_eoi, ioapic);
    g_test_add_func("/apic/priorities", test_priorities_nest);
    g_test_add_func("/apic/tpr", test_task_priority_holds_back);
    g_test_add_func("/apic/destinations", test_destinations);
    g_test_add_func("/apic/lowest", test_lowest_priority_goes_to_the_least_busy);
    g_test_add_func("/apic/ipi", test_ipis);
    g_test_add_func("/apic/init", test_init_resets_the_apic);
    g_test_add_func("/apic/errors", test_bad_vectors_are_errors);
    g_test_add_func("/apic/disabled", test_a_disabled_apic_takes_nothing);
    g_test_add_func("/apic/extint", test_the_8259_comes_through_lint0);
    g_test_add_func("/apic/msi", test_msi);
    g_test_add_func("/apic/timer", test_timer_counts_and_fires);
    g_test_add_func("/apic/tsc-deadline", test_tsc_deadline);
    g_test_add_func("/apic/x2apic", test_x2apic_mode);
    g_test_add_func("/apic/state", test_state_survives);
    g_test_add_func("/apic/threads", test_no_interrupt_is_lost_between_threads);
    g_test_add_func("/ioapic/level", test_ioapic_level_waits_for_eoi);
    g_test_add_func("/ioapic/edge", test_ioapic_edge);
    return g_test_run();
}
