/*
 * Events on the way into the guest, where the local APIC is in user space (or there is none): INIT,
 * SIPI, HLT, NMI, SMI, and interrupts by KVM_INTERRUPT.
 *
 * With the controllers in the kernel, all of that but NMI and SMI from outside is KVM's business.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"

bool kvm_events_wake(KvmCpu *c)
{
    X86State *st = &c->x.st;
    Cpu *cpu = &c->x.cpu;
    uint32_t events = atomic_load(&cpu->events);

    if (c->accel->accel.local_apics) {
        return true;
    }
    if (events & CPU_EVENT_INIT) {
        cpu_lower(cpu, CPU_EVENT_INIT);
        kvm_get_state(cpu);
        x86_cpu_reset(&c->x, false);
        kvm_put_state(cpu);
    }
    if (events & CPU_EVENT_SIPI) {
        cpu_lower(cpu, CPU_EVENT_SIPI);
        if (st->wait_sipi) {
            x86_cpu_sipi(&c->x, (uint8_t)atomic_load(&cpu->sipi_vector));
            kvm_put_state(cpu);
        }
    }
    if (st->wait_sipi) {
        return false;
    }
    if (st->halted) {
        if (!(events & (CPU_EVENT_NMI | CPU_EVENT_SMI)) &&
            !((events & CPU_EVENT_INTR) && (st->rflags & FLAG_IF))) {
            return false;
        }
        st->halted = 0;
    }
    return true;
}

/* By KVM, but where KVM would put the frame beside the stack. */
static void deliver(KvmCpu *c, int vector)
{
    struct kvm_interrupt intr = {.irq = (uint32_t)vector};

    if (kvm_frames_are_flat(c->accel) && kvm_deliver_interrupt(c, vector)) {
        return;
    }
    if (ioctl(c->fd, KVM_INTERRUPT, &intr) < 0) {
        kvm_cpu_failed(c, "KVM_INTERRUPT", errno);
    }
    c->run->ready_for_interrupt_injection = 0; /* one at a time */
}

static void inject_interrupt(KvmCpu *c)
{
    struct kvm_run *run = c->run;
    Cpu *cpu = &c->x.cpu;

    if (run->ready_for_interrupt_injection && run->if_flag &&
        (atomic_load(&cpu->events) & CPU_EVENT_INTR)) {
        if (c->io_pending && kvm_frames_are_flat(c->accel)) {
            /* Delivery here needs the registers: the instruction is completed first. */
            __atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
            return;
        }
        int vector = cpu->intc_ops ? cpu->intc_ops->ack(cpu->intc) : kvm_pic_ack(c->accel);
        if (vector >= 0) {
            deliver(c, vector);
        }
    }
    run->request_interrupt_window = !!(atomic_load(&cpu->events) & CPU_EVENT_INTR);
}

void kvm_events_inject(KvmCpu *c)
{
    Cpu *cpu = &c->x.cpu;
    uint32_t events = atomic_load(&cpu->events);

    if (events & CPU_EVENT_NMI) {
        cpu_lower(cpu, CPU_EVENT_NMI);
        if (ioctl(c->fd, KVM_NMI, 0) < 0) {
            kvm_cpu_failed(c, "KVM_NMI", errno);
        }
    }
    if (events & CPU_EVENT_SMI) {
        cpu_lower(cpu, CPU_EVENT_SMI);
        /* Without the capability the board offers the guest nothing that raises SMIs. */
        if (c->accel->caps.smm && ioctl(c->fd, KVM_SMI, 0) < 0) {
            kvm_cpu_failed(c, "KVM_SMI", errno);
        }
    }
    if (!c->accel->accel.local_apics && cpu->intc_ops) {
        inject_interrupt(c);
        c->run->cr8 = cpu->intc_ops->get_cr8(cpu->intc);
    } else if (c->accel->board.pic_ack && cpu->index == 0) {
        inject_interrupt(c);
    }
}

void kvm_events_after_run(KvmCpu *c)
{
    Cpu *cpu = &c->x.cpu;

    if (c->accel->accel.local_apics || !cpu->intc_ops) {
        return;
    }
    if (cpu->intc_ops->get_cr8(cpu->intc) != c->run->cr8) {
        cpu->intc_ops->set_cr8(cpu->intc, (uint8_t)(c->run->cr8 & 15));
    }
    if (c->x.st.apic_base != c->run->apic_base) {
        c->x.st.apic_base = c->run->apic_base;
        cpu->intc_ops->set_base(cpu->intc, c->run->apic_base);
    }
}
