/*
 * Raising events on a CPU, and a CPU's sleep until one comes.
 *
 * cpu->wake is 0 while the CPU is awake, else the mask it waits for with bit 31 set. The sleeper
 * stores the mask, then looks at the events; whoever raises stores the events, then looks at the
 * mask: both sequentially consistent, so one of the two sees the other. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include "core/cpu.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/accel.h"
#include "core/machine.h"
#include "core/safepoint.h"

#define ASLEEP (1u << 31)

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Absolute CLOCK_MONOTONIC deadline, or none; false when it passed. */
static bool futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns)
{
    struct timespec deadline = {.tv_sec = deadline_ns / 1000000000,
                                .tv_nsec = deadline_ns % 1000000000};

    return !syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
                    deadline_ns < 0 ? NULL : &deadline, NULL, FUTEX_BITSET_MATCH_ANY) ||
           errno != ETIMEDOUT;
}

void cpu_raise(Cpu *cpu, uint32_t events)
{
    const AccelClass *cls;
    uint32_t asleep;

    atomic_fetch_or(&cpu->events, events);
    asleep = atomic_load(&cpu->wake);
    if (asleep) {
        if (asleep & events && atomic_compare_exchange_strong(&cpu->wake, &asleep, 0)) {
            futex_wake(&cpu->wake);
        }
        return;
    }
    /* One that is halted, but not asleep, looks at its events before it sleeps or runs. */
    if (atomic_load(&cpu->halted) || safepoint_current_cpu() == cpu) {
        return;
    }
    cls = cpu->machine && cpu->machine->accel ? cpu->machine->accel->cls : NULL;
    if (cls && cls->cpu_kick) {
        cls->cpu_kick(cpu);
    }
}

void cpu_lower(Cpu *cpu, uint32_t events)
{
    atomic_fetch_and(&cpu->events, ~events);
}

void cpu_sleep_until(Cpu *cpu, uint32_t mask, int64_t deadline_ns)
{
    const uint32_t asleep = (mask & ~ASLEEP) | ASLEEP;

    if (deadline_ns < -1) {
        deadline_ns = 0;
    }
    safepoint_offline();
    do {
        atomic_store(&cpu->wake, asleep);
        if (atomic_load(&cpu->events) & mask) {
            break;
        }
    } while (futex_wait(&cpu->wake, asleep, deadline_ns));
    atomic_store(&cpu->wake, 0);
    safepoint_online();
}
