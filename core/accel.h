/*
 * The accelerator interface: what runs the vCPUs.
 *
 * One implementation is in accel/kvm, one in accel/tcg. The rest of the program sees a Cpu as
 * opaque beyond core/cpu.h; the complete CPU state is target-x86's X86Cpu, which
 * get_state()/put_state() bring up to date and load back. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_ACCEL_H
#define CORE_ACCEL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/device.h"
#include "core/irq.h"

typedef struct Accel Accel;
typedef struct MemListener MemListener;

typedef enum AccelExit {
    ACCEL_EXIT_EVENT,  /* STOP, RESET or another event the loop handles */
    ACCEL_EXIT_HALTED, /* HLT with nothing pending (accelerators that let the loop sleep) */
    ACCEL_EXIT_RESET,  /* triple fault: reset the machine */
    ACCEL_EXIT_DEBUG,  /* breakpoint, watchpoint or step */
    ACCEL_EXIT_ERROR,  /* internal error, already reported; the machine stops */
} AccelExit;

typedef enum AccelCap {
    ACCEL_CAP_SMM,
    ACCEL_CAP_IRQCHIP, /* the accelerator can hold APIC, IOAPIC, PIC (and PIT) itself */
    ACCEL_CAP_DEBUG,
    ACCEL_CAP_DOORBELLS, /* it takes over writes to doorbells (core/memory.h) */
    ACCEL_CAP_COUNT,
} AccelCap;

/* What an accelerator that holds the local APICs alone needs of the board's other controllers. The
 * calls are made under the machine lock. */
typedef struct AccelIrqBoard {
    int (*pic_ack)(Device *pic); /* the interrupt acknowledge cycle: the 8259's vector */
    Device *pic;
    void (*ioapic_eoi)(Device *ioapic, uint8_t vector); /* of a level-triggered interrupt */
    Device *ioapic;
} AccelIrqBoard;

/* A breakpoint (LEN is 1) or watchpoint at a linear address. A hit stops in front of the
 * instruction of a breakpoint, and behind the one that touched a watched byte. */
typedef struct DebugPoint {
    DebugKind kind;
    uint64_t addr, len;
} DebugPoint;

typedef struct AccelClass {
    const char *name; /* "kvm", "tcg" */
    const char *description;
    const Property *props; /* options of -accel NAME,..., fields of the Accel struct */
    size_t size;

    /* Makes the accelerator ready for MACHINE; false with ERR: it cannot be had, and why. */
    bool (*init)(Accel *accel, Machine *machine, GError **err);
    void (*fini)(Accel *accel);
    /* After init: what CPU models may use; fills target-x86's CpuFeatures. NULL: what the
     * translator offers on this host (cpu_features_translator()). */
    void (*cpu_features)(Accel *accel, void *features);

    /*
     * A new vCPU in reset state for CPU model MODEL (target-x86's CpuModel); not yet running. The
     * accelerator allocates its own structure around X86Cpu.
     */
    Cpu *(*cpu_new)(Accel *accel, int index, uint32_t apic_id, const void *model, GError **err);
    void (*cpu_free)(Cpu *cpu);
    /* On the vCPU's thread, without the machine lock, after safepoint_thread_attach(). */
    bool (*cpu_thread_init)(Cpu *cpu, GError **err);
    /* Runs guest code until an exit the caller must see. Same thread rules. */
    AccelExit (*cpu_run)(Cpu *cpu);
    /* Makes cpu_run() notice cpu->events. Any thread, also a signal handler; must not block. */
    void (*cpu_kick)(Cpu *cpu);
    /* Brings X86Cpu's state up to date / takes it over. The vCPU does not run. */
    void (*get_state)(Cpu *cpu);
    void (*put_state)(Cpu *cpu);

    /* The machine is about to run (CLOCK_VM goes on) or has stopped (CLOCK_VM stands): what else
     * the guest tells time by follows. Every vCPU is parked, the machine lock held. May be NULL. */
    void (*machine_runs)(Accel *accel, bool runs);

    bool (*has_cap)(Accel *accel, AccelCap cap);
    /* With accel->irqchip: fills GSI[0..COUNT-1] with the inputs of the interrupt controllers that
     * the accelerator holds (PIC and IOAPIC; GSI 0 is the timer's). NULL: it never holds them. */
    bool (*irqchip_wire)(Accel *accel, IrqLine *gsi, int count, GError **err);
    /* The same: lets the accelerator's interval timer not interrupt while ON, as something else
     * stands in for it. NULL: it cannot. */
    void (*pit_cut_off)(Accel *accel, bool on);
    /* With accel->local_apics alone: makes their devices. INTR becomes the line that the 8259's
     * output drives. */
    bool (*lapic_wire)(Accel *accel, const AccelIrqBoard *board, IrqLine *intr, GError **err);
    /* The same: I/O APIC input N sends DATA to ADDR, or nothing when it is MASKED. Told of every
     * change; machine lock held. */
    void (*ioapic_changed)(Accel *accel, int n, uint64_t addr, uint32_t data, bool masked);
    /* With accel->local_apics: a device's write of DATA to ADDR in FEExxxxxh. Whether a local APIC
     * took it. Any thread. */
    bool (*msi_deliver)(Accel *accel, uint64_t addr, uint32_t data);
    /*
     * Interrupts by eventfd, for what runs beside the emulator: from now on a write to FD sends
     * DATA to ADDR. The route's number, or -1 with ERR; set() changes what it sends, del() undoes
     * it. FD stays the caller's, who closes it after del(). Machine lock held. May be NULL.
     */
    int (*msi_route_add)(Accel *accel, int fd, uint64_t addr, uint32_t data, GError **err);
    bool (*msi_route_set)(Accel *accel, int route, uint64_t addr, uint32_t data, GError **err);
    void (*msi_route_del)(Accel *accel, int route, int fd);
    /* Memory differences for machine->memory and machine->io; NULL: it reads the views itself. */
    const MemListener *(*memory_listener)(Accel *accel);
    /* One line or more for `info kvm`, `info jit`. */
    void (*print_info)(Accel *accel, GString *out);

    /*
     * Debugging; both NULL where ACCEL_CAP_DEBUG is missing. Machine lock held, every vCPU parked.
     *
     * set_debug_points() replaces the debugger's set. CPU (its state up to date) is the one by
     * whose paging breakpoints are put into memory, where the accelerator has no other way. False
     * with ERR: more than it can watch at a time, or an address that cannot be; the set is as
     * before.
     *
     * With single_step on, cpu_run() executes one instruction, or delivers one exception; then it
     * returns ACCEL_EXIT_DEBUG with cpu->debug_stop DEBUG_STEP. Interrupts wait as far as the
     * accelerator can hold them, but for those that end HLT.
     */
    bool (*set_debug_points)(Accel *accel, Cpu *cpu, const DebugPoint *points, size_t count,
                             GError **err);
    void (*set_single_step)(Cpu *cpu, bool on);
} AccelClass;

struct Accel {
    const AccelClass *cls;
    Machine *machine;
    /* Decided in init: */
    bool irqchip;     /* it holds all interrupt controllers and the PIT */
    bool local_apics; /* it holds the local APICs (with irqchip: too) */
};

/* core/accel.c: allocates with defaults; sets options by the class's property table. */
Accel *accel_new(const AccelClass *cls);
bool accel_set_prop(Accel *accel, const char *name, const char *value, GError **err);
void accel_free(Accel *accel);

#endif
