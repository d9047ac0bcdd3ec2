/*
 * What the files of this folder share: the accelerator, its vCPUs, and the calls into the kernel.
 *
 * Reference throughout: the kernel's Documentation/virt/kvm/api.rst.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_KVM_KVM_INT_H
#define ACCEL_KVM_KVM_INT_H

#include <glib.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/accel.h"
#include "core/machine.h"
#include "core/memory.h"
#include "target-x86/cpu.h"

/* Sent to a vCPU's thread to bring it out of KVM_RUN; its handler does nothing. */
#define KVM_KICK_SIGNAL SIGUSR1

/* An MSR is 16 bytes here; room for every one of the state's table and the MTRRs and MCE banks. */
enum { KVM_MSR_MAX = 256 };

typedef enum KvmIrqchip { KVM_IRQCHIP_ON, KVM_IRQCHIP_OFF, KVM_IRQCHIP_SPLIT } KvmIrqchip;

/* Where an interrupt's frame goes in protected mode without paging (frames.c). */
typedef enum KvmFrames { KVM_FRAMES_UNKNOWN, KVM_FRAMES_ON_STACK, KVM_FRAMES_FLAT } KvmFrames;

/* Capabilities that may be missing, as KVM_CHECK_EXTENSION answers. */
typedef struct KvmCaps {
    int irqchip, split_irqchip, irqfd, ioeventfd, dirty_ring, manual_protect, tsc_control,
        halt_poll, x2apic_api, irq_routing, pit2, pit_state2, signal_msi;
    int smm, address_spaces, nr_slots;
    int tsc_deadline, vcpu_attributes, kvmclock_ctrl, adjust_clock;
    int exception_payload, sregs2, mce, guest_debug, guest_debug2, nested_state, xsave2, max_vcpus;
} KvmCaps;

enum { HARDWARE_BREAKPOINTS = 4 };

typedef struct KvmAccel KvmAccel;
typedef struct KvmRoutes KvmRoutes;

/* The slots of one of KVM's address spaces: 0, and 1 in system management mode. */
typedef struct KvmSlots {
    KvmAccel *accel;
    uint32_t as_id;
    GArray *slots;      /* KvmSlot, those the kernel has */
    GArray *gone, *new; /* FlatRange, of the transaction under way */
    MemListener listener;
} KvmSlots;

/* Doorbells of memory, or of ports, that KVM has taken over. */
typedef struct KvmDoorbells {
    KvmAccel *accel; /* NULL: nothing is followed */
    bool ports;
    int count;
    MemListener listener;
} KvmDoorbells;

struct KvmAccel {
    Accel accel; /* first */
    bool selftest;
    int irqchip;              /* KvmIrqchip */
    int64_t halt_poll_ns;     /* -1: as the host's administrator has set it */
    uint32_t dirty_ring_size; /* entries of each vCPU's ring; 0: dirty bitmaps */

    int fd, vm_fd;
    size_t run_size;
    KvmCaps caps;
    struct kvm_cpuid2 *cpuid;  /* KVM_GET_SUPPORTED_CPUID */
    struct kvm_msr_list *msrs; /* KVM_GET_MSR_INDEX_LIST */
    KvmSlots slots[2];
    bool smm_listening;
    KvmDoorbells doorbells[2];
    KvmRoutes *routes;   /* NULL without interrupt controllers in the kernel */
    AccelIrqBoard board; /* with local APICs alone in the kernel */
    bool x2apic_ids;     /* 32-bit APIC ids in messages and in the registers of x2APIC mode */
    bool manual_protect; /* fetching a dirty bitmap does not clear it (dirty.c) */
    _Atomic int frames;  /* KvmFrames, by kvm_frames_are_flat() */

    /* Holding vCPUs out of KVM_RUN while slots are replaced (memory.c). */
    pthread_mutex_t hold_mutex;
    pthread_cond_t hold_cond;
    _Atomic bool hold;
    _Atomic bool clock_stale; /* the machine was stopped: KVM's clock went on */

    /* debug.c; written while all vCPUs are parked */
    GArray *patches;
    DebugPoint debug_regs[HARDWARE_BREAKPOINTS];
    int debug_reg_count;
};

typedef struct KvmCpu {
    X86Cpu x; /* first */
    KvmAccel *accel;
    int fd;
    struct kvm_run *run;
    struct kvm_dirty_gfn *ring; /* NULL without dirty-ring-size= */
    uint32_t ring_next;         /* the entry to look at next; machine lock */
    pthread_t thread;
    _Atomic bool has_thread;
    _Atomic bool in_run; /* inside KVM_RUN, or about to be */
    bool io_pending;     /* an instruction's exit was answered, and KVM has not completed it yet */
    bool broken;         /* a state could not be loaded: it must not run */
    bool single_step;
    bool lapic_pending; /* LAPIC is to be loaded by the next kvm_put_state() */
    struct kvm_lapic_state lapic;
    uint64_t lapic_deadline; /* IA32_TSC_DEADLINE, which goes with LAPIC */
    uint64_t exits, io_exits, mmio_exits;
} KvmCpu;

static inline KvmCpu *kvm_cpu(Cpu *cpu)
{
    return (KvmCpu *)cpu;
}

static inline KvmAccel *kvm_accel(Accel *accel)
{
    return (KvmAccel *)accel;
}

/* caps.c: fills caps; false with ERR naming what is missing. FD is /dev/kvm. */
bool kvm_caps_check(int fd, KvmCaps *caps, GError **err);
/* Appends the names of those that may be missing and are, a space before each. */
void kvm_caps_print_missing(const KvmCaps *caps, GString *out);

/* selftest.c: whether this KVM can run a 64-bit kernel, in a VM of its own. */
bool kvm_selftest(int fd, GError **err);
/* Installs the kick signal's handler, for the process. */
void kvm_signal_init(void);

/* memory.c */
void kvm_memory_init(KvmAccel *a);
void kvm_memory_fini(KvmAccel *a);
/* CPU 0's thread: follows what system management mode sees, if the machine has it. */
void kvm_memory_follow_smm(KvmAccel *a);
/* What a vCPU calls around KVM_RUN; the first waits while slots change. */
void kvm_run_enter(KvmCpu *c);
void kvm_run_leave(KvmCpu *c);

/* doorbells.c; CPU 0's thread: follows the machine's doorbells. */
void kvm_doorbells_follow(KvmAccel *a);

/* dirty.c */
/* As the option dirty-ring-size= says, before there are vCPUs; a vCPU's own part of it. */
bool kvm_dirty_ring_create(KvmAccel *a, GError **err);
bool kvm_dirty_ring_map(KvmCpu *c, GError **err);
void kvm_dirty_ring_unmap(KvmCpu *c);
/* A vCPU's ring is full. Without the machine lock. */
void kvm_dirty_ring_full(KvmAccel *a);

/* cpuid.c */
bool kvm_cpuid_init(KvmAccel *a, GError **err);
void kvm_cpu_features(Accel *accel, void *features);
bool kvm_cpuid_load(KvmCpu *c, GError **err);

/* msrs.c: MSRs of X86State. Both need the state's other parts to be loaded already. */
bool kvm_msrs_init(KvmAccel *a, GError **err);
void kvm_msrs_get(KvmCpu *c);
void kvm_msrs_put(KvmCpu *c);
bool kvm_msr_listed(const KvmAccel *a, uint32_t index);

/* state.c */
void kvm_get_state(Cpu *cpu);
void kvm_put_state(Cpu *cpu);
/* Tells of a failed call, once a message is worth it. */
void kvm_cpu_failed(KvmCpu *c, const char *call, int error);

/* clock.c */
void kvm_tsc_get(KvmCpu *c);
void kvm_tsc_put(KvmCpu *c);
/* Makes KVM's clock go on from CLOCK_VM. */
void kvm_clock_set(KvmAccel *a);
bool kvm_clock_get(KvmAccel *a, uint64_t *ns);

/* events.c: the CPU's events and a local APIC in user space. */
/* INIT, SIPI, and what wakes a halted CPU; false: it is to sleep. */
bool kvm_events_wake(KvmCpu *c);
/* NMI, SMI and interrupts, before KVM_RUN; after it, what the guest did to TPR and APIC base. */
void kvm_events_inject(KvmCpu *c);
void kvm_events_after_run(KvmCpu *c);

/* exits.c: what made KVM_RUN return. True: run on; false: *OUT for the caller. */
bool kvm_handle_exit(KvmCpu *c, AccelExit *out);

/* complete.c: after KVM gave up an instruction; true: it has been carried out here. */
bool kvm_complete_instruction(KvmCpu *c);
/* Delivers an interrupt in ring 0 of protected mode without paging; false: it is KVM's to deliver,
 * and nothing has changed. No I/O may be pending. */
bool kvm_deliver_interrupt(KvmCpu *c, int vector);

/* frames.c: asks KVM in a VM of its own (FD is /dev/kvm); where that fails, KVM_FRAMES_ON_STACK. */
KvmFrames kvm_frames_probe(int fd);
/* Whether frames are pushed as if the stack were flat. The first call may ask. Any thread. */
bool kvm_frames_are_flat(KvmAccel *a);

/* vcpu.c */
Cpu *kvm_cpu_new(Accel *accel, int index, uint32_t apic_id, const void *model, GError **err);
void kvm_cpu_free(Cpu *cpu);
bool kvm_cpu_thread_init(Cpu *cpu, GError **err);
AccelExit kvm_cpu_run(Cpu *cpu);
void kvm_cpu_kick(Cpu *cpu);

/* routes.c; machine lock held */
/* With KERNEL_CHIPS, 0 to 23 lead to their pins. */
bool kvm_routes_init(KvmAccel *a, bool kernel_chips, GError **err);
void kvm_routes_fini(KvmAccel *a);
/* GSI sends DATA to ADDR from now on, or nothing. */
bool kvm_route_set(KvmAccel *a, uint32_t gsi, uint64_t addr, uint32_t data, GError **err);
void kvm_route_clear(KvmAccel *a, uint32_t gsi);
/* A GSI that sends DATA to ADDR, above those of the board; -1: none is left. */
int kvm_route_new(KvmAccel *a, uint64_t addr, uint32_t data, GError **err);
int kvm_msi_route_add(Accel *accel, int fd, uint64_t addr, uint32_t data, GError **err);
bool kvm_msi_route_set(Accel *accel, int route, uint64_t addr, uint32_t data, GError **err);
void kvm_msi_route_del(Accel *accel, int route, int fd);

/* irqchip.c */
/* As the option says; sets accel.irqchip and accel.local_apics. */
bool kvm_irqchip_create(KvmAccel *a, GError **err);
/* Stops or restores the interrupts of the kernel's interval timer (HPET in legacy replacement). */
void kvm_pit_cut_off(Accel *accel, bool on);
bool kvm_irqchip_wire(Accel *accel, IrqLine *gsi, int count, GError **err);
bool kvm_lapic_wire(Accel *accel, const AccelIrqBoard *board, IrqLine *intr, GError **err);
void kvm_ioapic_changed(Accel *accel, int n, uint64_t addr, uint32_t data, bool masked);
bool kvm_msi_deliver(Accel *accel, uint64_t addr, uint32_t data);
/* Split: the 8259's vector; the I/O APIC hears of an end of interrupt. Without the machine lock. */
int kvm_pic_ack(KvmAccel *a);
void kvm_ioapic_eoi(KvmAccel *a, uint8_t vector);
/* chips.c, lapic.c */
extern const DeviceClass kvm_apic_class, kvm_pic_class, kvm_ioapic_class, kvm_pit_class;
/* The registers after reset of the APIC with ID. */
void kvm_lapic_reset(struct kvm_lapic_state *regs, uint32_t id, bool boot_cpu);

/* debug.c */
void kvm_debug_init(KvmAccel *a);
void kvm_debug_fini(KvmAccel *a);
bool kvm_set_debug_points(Accel *accel, Cpu *cpu, const DebugPoint *points, size_t count,
                          GError **err);
/* After KVM_EXIT_DEBUG, on the CPU's thread: true: it stops for the debugger; false: what happened
 * is the guest's own affair, and the guest goes on. */
bool kvm_debug_exit(KvmCpu *c);
void kvm_set_single_step(Cpu *cpu, bool on);

#endif
