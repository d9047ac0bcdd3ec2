/*
 * KVM's paravirtual clock (the kernel's Documentation/virt/kvm/x86/msr.rst describes the
 * structures).
 *
 * A page per CPU says: at guest TSC T the time was N nanoseconds, and how to turn TSC ticks into
 * nanoseconds. All CPUs count from the pair that CPU 0 took first, shifted by how far their TSCs
 * are apart; so clocks read on different CPUs agree, which the "stable" flag promises.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/clock.h"
#include "core/machine.h"
#include "target-x86/cpuid.h"
#include "target-x86/exec.h"
#include "target-x86/msr.h"

typedef struct __attribute__((packed)) PvClockTime {
    uint32_t version; /* odd while being written */
    uint32_t pad;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad2[2];
} PvClockTime;

typedef struct __attribute__((packed)) PvWallClock {
    uint32_t version, sec, nsec;
} PvWallClock;

G_STATIC_ASSERT(sizeof(PvClockTime) == 32);
G_STATIC_ASSERT(sizeof(PvWallClock) == 12);

enum { PVCLOCK_STABLE = 1 };

/* Nanoseconds = (ticks << SHIFT) * MUL >> 32, MUL as large as it can be. */
static void time_scale(uint64_t khz, uint32_t *mul, int8_t *shift)
{
    uint64_t ns = 1000000, ticks = khz;
    int s = 0;

    while (ns >= ticks) {
        ticks <<= 1;
        s++;
    }
    while (ns * 2 < ticks) {
        ns <<= 1;
        s--;
    }
    *mul = (uint32_t)(((unsigned __int128)ns << 32) / ticks);
    *shift = (int8_t)s;
}

/* The pair is kept as of a CPU whose TSC offset is 0, so that a TSC that is written moves no clock.
 */
static void take_pair(X86Cpu *cpu)
{
    Machine *m = cpu->cpu.machine;
    X86Cpu *first = m && m->cpu_count ? (X86Cpu *)m->cpus[0] : cpu;

    if (!first->kvmclock_tsc) {
        first->kvmclock_ns = (uint64_t)clock_now(CLOCK_VM);
        first->kvmclock_tsc = x86_rdtsc(cpu) - cpu->st.tsc_offset;
    }
    cpu->kvmclock_ns = first->kvmclock_ns;
    cpu->kvmclock_tsc = first->kvmclock_tsc;
}

void x86_kvmclock_restart(X86Cpu *cpu)
{
    cpu->kvmclock_tsc = 0;
}

void x86_kvmclock_update(X86Cpu *cpu)
{
    uint64_t addr = cpu->st.kvm_system_time & ~1ull;
    AddressSpace *as;
    PvClockTime t;

    if (!(cpu->st.kvm_system_time & 1)) {
        return;
    }
    as = &cpu->cpu.machine->memory;
    take_pair(cpu);
    address_space_read(as, addr, &t, sizeof(t));
    uint32_t version = (GUINT32_FROM_LE(t.version) | 1) + 1; /* even */
    t = (PvClockTime){.version = GUINT32_TO_LE(version - 1),
                      .tsc_timestamp = GUINT64_TO_LE(cpu->kvmclock_tsc + cpu->st.tsc_offset),
                      .system_time = GUINT64_TO_LE(cpu->kvmclock_ns)};
    if (cpu_model_has(cpu->model, CPUID_KVM_EAX, CPUID_KVM_CLOCK_STABLE)) {
        t.flags |= PVCLOCK_STABLE;
    }
    uint32_t mul;
    time_scale(x86_tsc_khz(), &mul, &t.tsc_shift);
    t.tsc_to_system_mul = GUINT32_TO_LE(mul);
    address_space_write(as, addr, &t, sizeof(t));
    t.version = GUINT32_TO_LE(version);
    address_space_write(as, addr, &t.version, sizeof(t.version));
}

void x86_kvm_write_wall_clock(X86Cpu *cpu)
{
    Machine *m = cpu->cpu.machine;
    uint64_t addr = cpu->st.kvm_wall_clock;
    int64_t boot = clock_now(CLOCK_HOST) + m->rtc_offset_ns - clock_now(CLOCK_VM);
    PvWallClock w;

    if (!addr) {
        return;
    }
    if (boot < 0) {
        boot = 0;
    }
    address_space_read(&m->memory, addr, &w, sizeof(w));
    uint32_t version = (GUINT32_FROM_LE(w.version) | 1) + 1;
    w = (PvWallClock){.version = GUINT32_TO_LE(version - 1),
                      .sec = GUINT32_TO_LE((uint32_t)(boot / NS_PER_SEC)),
                      .nsec = GUINT32_TO_LE((uint32_t)(boot % NS_PER_SEC))};
    address_space_write(&m->memory, addr, &w, sizeof(w));
    w.version = GUINT32_TO_LE(version);
    address_space_write(&m->memory, addr, &w.version, sizeof(w.version));
}
