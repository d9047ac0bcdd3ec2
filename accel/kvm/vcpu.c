/*
 * vCPUs: creation, the loop around KVM_RUN, and the kick out of it.
 *
 * The kick: whoever wants the vCPU's attention raises an event, then sets run->immediate_exit and
 * sends a signal. The loop clears immediate_exit first and looks at the events after that, so that
 * an event it does not see makes KVM_RUN return at once; the signal ends a KVM_RUN that has begun.
 *
 * An access to ports or memory-mapped I/O is answered in kvm_run and completed by the next KVM_RUN.
 * So before anybody looks at the registers, or changes them, KVM_RUN is entered once more with
 * immediate_exit set, which completes the instruction and runs no other.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel/kvm/kvm_int.h"
#include "core/lock.h"
#include "core/safepoint.h"
#include "target-x86/cpuid.h"
#include "target-x86/msr.h"
#include "util/keyval.h"

/* ---- creation ---- */

static void on_kick(int signal)
{
    (void)signal;
}

void kvm_signal_init(void)
{
    struct sigaction sa = {.sa_handler = on_kick};

    sigaction(KVM_KICK_SIGNAL, &sa, NULL);
}

static bool setup_mce(KvmCpu *c, GError **err)
{
    uint64_t supported = 0, cap = X86_MCE_BANKS | 1u << 8;

    if (!c->accel->caps.mce || !cpu_model_has(c->x.model, CPUID_1_EDX, CPUID_1_EDX_MCA)) {
        return true;
    }
    if (ioctl(c->accel->fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &supported) < 0) {
        emu_set_error(err, "KVM_X86_GET_MCE_CAP_SUPPORTED: %s", g_strerror(errno));
        return false;
    }
    cap &= supported | 0xff;
    if (ioctl(c->fd, KVM_X86_SETUP_MCE, &cap) < 0) {
        emu_set_error(err, "KVM_X86_SETUP_MCE: %s", g_strerror(errno));
        return false;
    }
    return true;
}

/* Another frequency than the host's needs scaling, and then the offset must be KVM's own to tell.
 */
static bool setup_tsc(KvmCpu *c, GError **err)
{
    const CpuModel *m = c->x.model;
    int khz = ioctl(c->fd, KVM_GET_TSC_KHZ, 0);
    const char *missing = !c->accel->caps.tsc_control       ? "KVM_CAP_TSC_CONTROL"
                          : !c->accel->caps.vcpu_attributes ? "KVM_CAP_VCPU_ATTRIBUTES"
                                                            : NULL;

    if (!m->tsc_khz || (khz > 0 && cpu_model_tsc_is(m, (uint64_t)khz))) {
        return true;
    }
    if (missing) {
        emu_set_error(err,
                      "-cpu: tsc-frequency=%u000: the host's KVM lacks %s, and its TSC has %d000 "
                      "cycles per second",
                      m->tsc_khz, missing, khz);
        return false;
    }
    if (ioctl(c->fd, KVM_SET_TSC_KHZ, (unsigned long)m->tsc_khz) < 0) {
        emu_set_error(err, "-cpu: tsc-frequency=%u000: KVM_SET_TSC_KHZ: %s", m->tsc_khz,
                      g_strerror(errno));
        return false;
    }
    return true;
}

Cpu *kvm_cpu_new(Accel *accel, int index, uint32_t apic_id, const void *model, GError **err)
{
    KvmAccel *a = kvm_accel(accel);
    KvmCpu *c = g_aligned_alloc0(1, sizeof(*c), 64);

    c->accel = a;
    c->x.model = model;
    c->x.cpu.machine = accel->machine;
    c->x.cpu.index = index;
    c->x.cpu.apic_id = apic_id;
    c->fd = ioctl(a->vm_fd, KVM_CREATE_VCPU, (unsigned long)apic_id);
    if (c->fd < 0) {
        emu_set_error(err, "KVM_CREATE_VCPU for CPU %d: %s", index, g_strerror(errno));
        g_aligned_free(c);
        return NULL;
    }
    c->run = mmap(NULL, a->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
    if (c->run == MAP_FAILED) {
        emu_set_error(err, "shared memory of CPU %d with KVM: %s", index, g_strerror(errno));
        c->run = NULL;
        kvm_cpu_free(&c->x.cpu);
        return NULL;
    }
    x86_cpu_reset(&c->x, true);
    if (!kvm_dirty_ring_map(c, err) || !kvm_cpuid_load(c, err) || !setup_tsc(c, err) ||
        !setup_mce(c, err)) {
        kvm_cpu_free(&c->x.cpu);
        return NULL;
    }
    if (accel->local_apics) {
        kvm_lapic_reset(&c->lapic, apic_id, index == 0);
        c->lapic_pending = true;
    }
    return &c->x.cpu;
}

void kvm_cpu_free(Cpu *cpu)
{
    KvmCpu *c = kvm_cpu(cpu);

    kvm_dirty_ring_unmap(c);
    if (c->run) {
        munmap(c->run, c->accel->run_size);
    }
    close(c->fd);
    g_aligned_free(c);
}

bool kvm_cpu_thread_init(Cpu *cpu, GError **err)
{
    KvmCpu *c = kvm_cpu(cpu);
    sigset_t set;
    int rc;

    sigemptyset(&set);
    sigaddset(&set, KVM_KICK_SIGNAL);
    rc = pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (rc) {
        emu_set_error(err, "signal mask of CPU %d: %s", cpu->index, g_strerror(rc));
        return false;
    }
    c->thread = pthread_self();
    atomic_store(&c->has_thread, true);
    if (cpu->index == 0) {
        kvm_memory_follow_smm(c->accel);
        kvm_doorbells_follow(c->accel);
    }
    return true;
}

/* ---- running ---- */

void kvm_cpu_kick(Cpu *cpu)
{
    KvmCpu *c = kvm_cpu(cpu);

    __atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    if (atomic_load(&c->has_thread)) {
        pthread_kill(c->thread, KVM_KICK_SIGNAL);
    }
}

/* KVM_RUN; 0 or -errno. */
static int run_once(KvmCpu *c)
{
    int r;

    safepoint_offline();
    kvm_run_enter(c);
    r = ioctl(c->fd, KVM_RUN, 0) < 0 ? -errno : 0;
    kvm_run_leave(c);
    safepoint_online();
    c->exits++;
    return r;
}

/* One step of the loop; false: cpu_run() returns *OUT. */
static bool run_and_handle(KvmCpu *c, AccelExit *out)
{
    int r = run_once(c);

    c->io_pending = false;
    if (r == -EINTR || r == -EAGAIN) {
        kvm_events_after_run(c);
        return true;
    }
    if (r < 0) {
        kvm_cpu_failed(c, "KVM_RUN", -r);
        *out = ACCEL_EXIT_ERROR;
        return false;
    }
    kvm_events_after_run(c);
    return kvm_handle_exit(c, out);
}

static bool complete_io(KvmCpu *c, AccelExit *out)
{
    while (c->io_pending) {
        __atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (!run_and_handle(c, out)) {
            return false;
        }
    }
    return true;
}

static void after_stop(KvmCpu *c)
{
    if (atomic_exchange(&c->accel->clock_stale, false)) {
        kvm_clock_set(c->accel);
    }
    if (c->accel->caps.kvmclock_ctrl && c->x.st.kvm_system_time & 1) {
        ioctl(c->fd, KVM_KVMCLOCK_CTRL, 0); /* EINVAL where the guest has no clock */
    }
}

AccelExit kvm_cpu_run(Cpu *cpu)
{
    const uint32_t need_state = CPU_EVENT_STOP | CPU_EVENT_INIT | CPU_EVENT_SIPI;
    KvmCpu *c = kvm_cpu(cpu);
    AccelExit out;

    if (atomic_load(&c->accel->clock_stale)) {
        after_stop(c);
    }
    for (;;) {
        atomic_store(&cpu->halted, false);
        safepoint_poll();
        __atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        uint32_t events = atomic_load(&cpu->events);
        if ((events & need_state) && !complete_io(c, &out)) {
            return out;
        }
        if (events & CPU_EVENT_STOP) {
            if (!machine_running(cpu->machine)) {
                atomic_store(&c->accel->clock_stale, true);
            }
            return ACCEL_EXIT_EVENT;
        }
        cpu_lower(cpu, CPU_EVENT_KICK);
        if (c->broken) {
            return ACCEL_EXIT_ERROR;
        }
        if (!kvm_events_wake(c)) {
            atomic_store(&cpu->halted, true);
            return ACCEL_EXIT_HALTED;
        }
        kvm_events_inject(c);
        if (!run_and_handle(c, &out)) {
            return out;
        }
    }
}
