/*
 * A machine under KVM without any board: RAM at 0, ROM at F0000h, ports, and one CPU; for tests of
 * the KVM back end. The calling thread is the CPU's.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_UNIT_KVM_RIG_H
#define TESTS_UNIT_KVM_RIG_H

#include "accel/kvm/kvm.h"
#include "accel/kvm/kvm_int.h"

enum { KVM_RIG_RAM = 1 << 20, KVM_RIG_ROM_BASE = 0xf0000, KVM_RIG_ROM_SIZE = 0x10000 };

typedef struct KvmRig {
    Machine m;
    KvmAccel *a;
    KvmCpu *c;
    RamBlock *ram, *rom;
    MemRegion *ram_region, *rom_region;
} KvmRig;

/* False where there is no KVM to be had: the test has been marked as skipped. */
bool kvm_rig_available(void);
/* One per process. Options of -accel kvm as name, value, ..., NULL. */
KvmRig *kvm_rig_new(const char *option, ...) G_GNUC_NULL_TERMINATED;
/* Real mode: CODE at 0:1000h, SP at 8000h. */
void kvm_rig_load(KvmRig *rig, const void *code, size_t size);

#endif
