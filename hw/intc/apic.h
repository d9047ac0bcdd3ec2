/*
 * Local APICs and the bus between them (SDM 3A chapter 11).
 *
 * One "apic" device per CPU. The bus is nothing but the list of the machine's CPUs: messages are
 * delivered by atomics on the receivers' request registers, without any lock, from any thread.
 *
 * A machine without APICs uses "cpu-pic" (hw/intc/cpu_pic.h) in their place.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INTC_APIC_H
#define HW_INTC_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/device.h"
#include "core/irq.h"

/*
 * "apic", on no bus. Property "cpu-index" (which of machine->cpus it serves; realize fills in the
 * CPU's intc and intc_ops) and "x2apic" (whether that mode can be switched on). The APIC of CPU 0
 * also maps the register window at FEE00000h, so it is created first.
 */
extern const DeviceClass apic_class;

typedef enum ApicDelivery {
    APIC_FIXED,
    APIC_LOWEST,
    APIC_SMI,
    APIC_REMOTE_READ,
    APIC_NMI,
    APIC_INIT,
    APIC_STARTUP,
    APIC_EXTINT,
} ApicDelivery;

/* Physical destination: every APIC. Eight-bit messages write FFh as this. */
#define APIC_DEST_ALL 0xffffffffu

typedef struct ApicMessage {
    uint32_t dest;
    bool logical;
    bool level; /* trigger mode */
    uint8_t delivery;
    uint8_t vector;
} ApicMessage;

/* Sends MSG over the bus. False when no APIC took it. Any thread, lock-free. */
bool apic_deliver(Machine *m, const ApicMessage *msg);
/* A write of DATA to ADDR in FEExxxxxh by a device (SDM 3A 11.11). Any thread, lock-free. */
void apic_msi_deliver(Machine *m, uint64_t addr, uint32_t data);

/* The wires every local APIC shares. Machine lock held. */
/* LINT0: drive it with the 8259's INTR. */
void apic_set_lint0(Machine *m, int level);
/* LINT1: an edge is an NMI, as firmware programs it. */
void apic_set_lint1(Machine *m, int level);
/* The same as lines, to be connected to. Owned by the APIC of CPU 0. */
IrqLine *apic_lint0(Machine *m);
IrqLine *apic_lint1(Machine *m);

/* Where an ExtINT's vector comes from (i8259_ack). Called under the machine lock. */
void apic_set_extint(Machine *m, int (*ack)(Device *pic), Device *pic);
/* Who hears the EOI of level-triggered interrupts (ioapic_eoi). Called under the machine lock. */
void apic_set_eoi_handler(Machine *m, void (*fn)(Device *ioapic, uint8_t vector), Device *ioapic);

/*
 * The time-stamp counter of TSC-deadline mode: NOW reads a CPU's guest TSC on any thread, KHZ, its
 * rate, is asked for when a deadline is first set. Without them IA32_TSC_DEADLINE raises #GP.
 */
void apic_set_tsc(Machine *m, uint64_t (*now)(Cpu *cpu), uint64_t (*khz)(void));
/* The CPU's TSC was written: its deadline is somewhere else in time now. Its own thread. */
void apic_tsc_changed(Cpu *cpu);

/* For `info lapic`. */
void apic_print_info(Device *dev, GString *out);
/* The APIC of CPU, or NULL when it has none of this class. */
Device *apic_of_cpu(Cpu *cpu);

#endif
