/*
 * What memory.c (slots) and dirty.c (their dirty logs) share. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_KVM_MEMORY_INT_H
#define ACCEL_KVM_MEMORY_INT_H

#include "accel/kvm/kvm_int.h"

typedef struct KvmSlot {
    uint32_t id;
    uint64_t base, size;
    RamBlock *ram;
    uint64_t ram_offset;
    uint32_t flags;
    uint64_t
        *fetched; /* dirty.c's own: pages that KVM said are dirty and still holds so, or NULL */
} KvmSlot;

/* memory.c */
/* Tells KVM of SLOT; SIZE is slot->size, or 0 to remove it. */
void kvm_slot_set(const KvmSlots *s, const KvmSlot *slot, uint64_t size);
/* No vCPU is in KVM_RUN between them. */
void kvm_hold_begin(KvmAccel *a);
void kvm_hold_end(KvmAccel *a);

/* dirty.c */
void kvm_dirty_init(KvmAccel *a);
/* The slot flag for RAM's log. */
uint32_t kvm_dirty_flag(const RamBlock *ram);
/* Fetches what was logged for SLOT, which is about to be removed; vCPUs are held. */
void kvm_dirty_slot_goes(const KvmSlots *s, KvmSlot *slot);

#endif
