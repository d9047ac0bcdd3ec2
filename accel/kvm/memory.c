/*
 * Memory slots, from the machine's flattened views.
 *
 * A slot is a page-aligned run of one RAM block; what is not RAM, or not aligned, has no slot and
 * exits as memory-mapped I/O. Changes are gathered over a transaction and made at its end. KVM
 * cannot replace slots at once: between the removal of one and the arrival of the next a guest
 * would find no memory. So vCPUs are held out of KVM_RUN while slots are removed: "hold" is raised,
 * each vCPU that says it is in KVM_RUN is kicked, and says that it has left before it takes any
 * lock. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm.h"
#include "accel/kvm/memory_int.h"
#include "core/lock.h"

/* ---- holding vCPUs ---- */

void kvm_run_enter(KvmCpu *c)
{
    KvmAccel *a = c->accel;

    for (;;) {
        atomic_store(&c->in_run, true);
        if (!atomic_load(&a->hold)) {
            return;
        }
        kvm_run_leave(c);
        pthread_mutex_lock(&a->hold_mutex);
        while (atomic_load(&a->hold)) {
            pthread_cond_wait(&a->hold_cond, &a->hold_mutex);
        }
        pthread_mutex_unlock(&a->hold_mutex);
    }
}

void kvm_run_leave(KvmCpu *c)
{
    atomic_store(&c->in_run, false);
    if (atomic_load(&c->accel->hold)) {
        pthread_mutex_lock(&c->accel->hold_mutex);
        pthread_cond_broadcast(&c->accel->hold_cond);
        pthread_mutex_unlock(&c->accel->hold_mutex);
    }
}

void kvm_hold_begin(KvmAccel *a)
{
    Machine *m = a->accel.machine;

    atomic_store(&a->hold, true);
    for (int i = 0; i < m->cpu_count; i++) {
        if (atomic_load(&kvm_cpu(m->cpus[i])->in_run)) {
            kvm_cpu_kick(m->cpus[i]);
        }
    }
    pthread_mutex_lock(&a->hold_mutex);
    for (int i = 0; i < m->cpu_count; i++) {
        while (atomic_load(&kvm_cpu(m->cpus[i])->in_run)) {
            pthread_cond_wait(&a->hold_cond, &a->hold_mutex);
        }
    }
    pthread_mutex_unlock(&a->hold_mutex);
}

void kvm_hold_end(KvmAccel *a)
{
    pthread_mutex_lock(&a->hold_mutex);
    atomic_store(&a->hold, false);
    pthread_cond_broadcast(&a->hold_cond);
    pthread_mutex_unlock(&a->hold_mutex);
}

/* ---- slots ---- */

void kvm_slot_set(const KvmSlots *s, const KvmSlot *slot, uint64_t size)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot->id | s->as_id << 16,
        .flags = slot->flags,
        .guest_phys_addr = slot->base,
        .memory_size = size,
        .userspace_addr = (uintptr_t)slot->ram->host + slot->ram_offset,
    };

    if (ioctl(s->accel->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        g_error("KVM_SET_USER_MEMORY_REGION: slot %u, %" PRIx64 " to %" PRIx64 ", flags %u: %s",
                slot->id, slot->base, slot->base + size, slot->flags, g_strerror(errno));
    }
}

static uint32_t free_id(const KvmSlots *s)
{
    for (uint32_t id = 0;; id++) {
        bool used = false;
        for (guint i = 0; i < s->slots->len && !used; i++) {
            used = g_array_index(s->slots, KvmSlot, i).id == id;
        }
        if (!used) {
            return id;
        }
    }
}

/* The slot for RANGE; false when it has none. */
static bool slot_of(const FlatRange *range, KvmSlot *slot)
{
    const uint64_t mask = GUEST_PAGE_SIZE - 1;
    uint64_t skip = -range->base & mask;

    if (!range->ram || range->size <= skip || ((range->ram_offset + skip) & mask)) {
        return false;
    }
    *slot = (KvmSlot){
        .base = range->base + skip,
        .size = (range->size - skip) & ~mask,
        .ram = range->ram,
        .ram_offset = range->ram_offset + skip,
        .flags = kvm_dirty_flag(range->ram) | (range->readonly ? KVM_MEM_READONLY : 0),
    };
    return slot->size != 0;
}

static void remove_slot(KvmSlots *s, const FlatRange *range)
{
    KvmSlot want;

    if (!slot_of(range, &want)) {
        return;
    }
    for (guint i = 0; i < s->slots->len; i++) {
        KvmSlot *slot = &g_array_index(s->slots, KvmSlot, i);
        if (slot->base == want.base && slot->size == want.size) {
            kvm_dirty_slot_goes(s, slot);
            kvm_slot_set(s, slot, 0);
            g_array_remove_index_fast(s->slots, i);
            return;
        }
    }
}

static void add_slot(KvmSlots *s, const FlatRange *range)
{
    KvmSlot slot;

    if (slot_of(range, &slot)) {
        slot.id = free_id(s);
        kvm_slot_set(s, &slot, slot.size);
        g_array_append_val(s->slots, slot);
    }
}

/* ---- listener ---- */

static void range_del(void *opaque, const FlatRange *range)
{
    KvmSlots *s = opaque;
    g_array_append_vals(s->gone, range, 1);
}

static void range_add(void *opaque, const FlatRange *range)
{
    KvmSlots *s = opaque;
    g_array_append_vals(s->new, range, 1);
}

static void commit(void *opaque)
{
    KvmSlots *s = opaque;
    bool hold = s->gone->len > 0;

    if (hold) {
        kvm_hold_begin(s->accel);
    }
    for (guint i = 0; i < s->gone->len; i++) {
        remove_slot(s, &g_array_index(s->gone, FlatRange, i));
    }
    for (guint i = 0; i < s->new->len; i++) {
        add_slot(s, &g_array_index(s->new, FlatRange, i));
    }
    if (hold) {
        kvm_hold_end(s->accel);
    }
    g_array_set_size(s->gone, 0);
    g_array_set_size(s->new, 0);
}

/* ---- life ---- */

void kvm_memory_init(KvmAccel *a)
{
    pthread_mutex_init(&a->hold_mutex, NULL);
    pthread_cond_init(&a->hold_cond, NULL);
    for (uint32_t as = 0; as < G_N_ELEMENTS(a->slots); as++) {
        KvmSlots *s = &a->slots[as];
        *s = (KvmSlots){
            .accel = a,
            .as_id = as,
            .slots = g_array_new(FALSE, FALSE, sizeof(KvmSlot)),
            .gone = g_array_new(FALSE, FALSE, sizeof(FlatRange)),
            .new = g_array_new(FALSE, FALSE, sizeof(FlatRange)),
            .listener = {.range_del = range_del,
                         .range_add = range_add,
                         .commit = commit,
                         .opaque = s},
        };
    }
    kvm_dirty_init(a);
}

void kvm_memory_fini(KvmAccel *a)
{
    for (size_t as = 0; as < G_N_ELEMENTS(a->slots); as++) {
        KvmSlots *s = &a->slots[as];
        for (guint i = 0; s->slots && i < s->slots->len; i++) {
            g_free(g_array_index(s->slots, KvmSlot, i).fetched);
        }
        g_clear_pointer(&s->slots, g_array_unref);
        g_clear_pointer(&s->gone, g_array_unref);
        g_clear_pointer(&s->new, g_array_unref);
    }
}

void kvm_memory_follow_smm(KvmAccel *a)
{
    Machine *m = a->accel.machine;

    machine_lock();
    if (m->smm_memory.root && !a->smm_listening &&
        kvm_accel_class.has_cap(&a->accel, ACCEL_CAP_SMM)) {
        address_space_listen(&m->smm_memory, &a->slots[1].listener);
        a->smm_listening = true;
    }
    machine_unlock();
}
