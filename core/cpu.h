/*
 * The part of a virtual CPU that does not depend on the target or the accelerator.
 *
 * Devices see no more of a CPU than this: its number, and the events they raise on it.
 * target-x86 embeds it first in X86Cpu, an accelerator embeds that in its own structure.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Machine Machine;
typedef struct Cpu Cpu;

/* Events, in cpu->events. They stay raised until the CPU takes them or the source lowers them. */
enum {
    CPU_EVENT_INTR = 1u << 0, /* maskable interrupt: ask the local APIC (or PIC) for the vector */
    CPU_EVENT_NMI = 1u << 1,
    CPU_EVENT_SMI = 1u << 2,
    CPU_EVENT_INIT = 1u << 3,
    CPU_EVENT_SIPI = 1u << 4, /* start-up IPI; its vector is in cpu->sipi_vector */
    CPU_EVENT_MCE = 1u << 5,
    CPU_EVENT_STOP = 1u << 8, /* leave guest code: the machine stops or the thread ends */
    CPU_EVENT_WORK = 1u << 9, /* work has been posted (core/safepoint.h) */
    CPU_EVENT_RESET = 1u << 10,
    CPU_EVENT_KICK = 1u << 11, /* leave guest code once; carries no more meaning */
};

/*
 * What a CPU asks of its local interrupt controller. Called on the CPU's own thread, without the
 * machine lock; the controller takes it where it must.
 */
typedef struct CpuIntcOps {
    /* Acknowledges the highest pending interrupt; its vector, or -1 when there is none after all.
     */
    int (*ack)(void *intc);
    /* CR8 / TPR[7:4], 0..15. */
    uint8_t (*get_cr8)(void *intc);
    void (*set_cr8)(void *intc, uint8_t value);
    /* IA32_APIC_BASE; the setter returns false for a value that must raise #GP. */
    uint64_t (*get_base)(void *intc);
    bool (*set_base)(void *intc, uint64_t value);
    /* x2APIC MSRs 800h..8FFh and IA32_TSC_DEADLINE (6E0h); false: #GP. */
    bool (*rdmsr)(void *intc, uint32_t msr, uint64_t *value);
    bool (*wrmsr)(void *intc, uint32_t msr, uint64_t value);
    /* The CPU's time-stamp counter was written: TSC deadlines lie elsewhere now. May be NULL. */
    void (*tsc_changed)(void *intc);
} CpuIntcOps;

/* What a debugger waits for, and why it stops a CPU. */
typedef enum DebugKind {
    DEBUG_NONE,
    DEBUG_STEP,
    DEBUG_SOFTWARE, /* a breakpoint: any number of them */
    DEBUG_HARDWARE, /* a breakpoint that needs no change of guest memory */
    DEBUG_WATCH_WRITE,
    DEBUG_WATCH_READ,
    DEBUG_WATCH_ACCESS,
} DebugKind;

/*
 * How the board learns of x87 errors while CR0.NE is 0 (SDM 1 appendix D.2.1). The CPU asserts
 * FERR# and calls RAISED, with the machine lock, and waits for an interrupt; while IGNNE# is
 * asserted it goes on instead. Clearing the errors negates both pins, on the CPU's own thread.
 */
typedef struct CpuX87Pins {
    void (*raised)(void *opaque);
    void *opaque;
    _Atomic uint8_t error;  /* FERR# */
    _Atomic uint8_t ignore; /* IGNNE# */
} CpuX87Pins;

struct Cpu {
    Machine *machine;
    int index; /* 0.. in order of creation */
    uint32_t apic_id;
    pthread_t thread;
    bool thread_started;

    _Atomic uint32_t events;     /* CPU_EVENT_* */
    _Atomic uint32_t safe_state; /* core/safepoint.c's own */
    _Atomic bool halted;         /* HLT, wait-for-SIPI: sleeping until an event */
    _Atomic uint32_t sipi_vector;
    bool stopped; /* machine lock: parked because the machine is stopped, or held */
    bool held;    /* machine lock: a debugger keeps it parked while others run */

    /* Why the accelerator returned ACCEL_EXIT_DEBUG, and the linear address that was hit. Written
     * by the CPU's own thread; read while it is parked, and cleared when it goes on. */
    DebugKind debug_stop;
    uint64_t debug_addr;

    const CpuIntcOps *intc_ops; /* NULL when the accelerator holds the APIC itself */
    void *intc;
    CpuX87Pins *x87_pins; /* the board's; NULL: not wired */

    struct SafeWorkItem *_Atomic work; /* core/safepoint.c's own: posted work, newest first */
    _Atomic uint32_t wake;             /* futex word of cpu_sleep_until() */
};

/* Raises events and makes the CPU notice: wakes it if halted, else kicks it out of guest code. Any
 * thread. */
void cpu_raise(Cpu *cpu, uint32_t events);
/* Lowers events. Any thread. */
void cpu_lower(Cpu *cpu, uint32_t events);

/*
 * Sleeps on CPU's own thread until an event in MASK is raised or DEADLINE_NS (CLOCK_MONOTONIC, -1:
 * none) passes. Without the machine lock. Offline for safe points while asleep.
 */
void cpu_sleep_until(Cpu *cpu, uint32_t mask, int64_t deadline_ns);

#endif
