/*
 * The dirty log of guest memory, in one of KVM's three ways.
 *
 * Bitmap: KVM_GET_DIRTY_LOG fetches a slot's bits and protects its pages anew. Bitmap with manual
 * protection (used where KVM has it): fetching leaves both alone, and KVM_CLEAR_DIRTY_LOG clears
 * and protects just the pages that were taken from the log, 64 at a time; so a client that looks at
 * a little does not pay for all. Ring (dirty-ring-size=): each vCPU writes down the pages that it
 * dirties in a ring shared with us, and stops when it is full; fetching costs what was written, not
 * what there is.
 *
 * A page is logged anew before its contents are read (core/memory.h). Ring entries are harvested
 * with the vCPUs out of KVM_RUN, which also makes the host's CPU give up what it has gathered.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accel/kvm/memory_int.h"
#include "core/lock.h"
#include "util/keyval.h"

uint32_t kvm_dirty_flag(const RamBlock *ram)
{
    return ram->dirty[DIRTY_DISPLAY] || ram->dirty[DIRTY_MIGRATION] ? KVM_MEM_LOG_DIRTY_PAGES : 0;
}

static uint64_t slot_pages(const KvmSlot *slot)
{
    return slot->size >> GUEST_PAGE_BITS;
}

static bool is_logged(const KvmSlot *slot)
{
    return slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

/* ---- bitmaps ---- */

static void fetch_bitmap(const KvmSlots *s, KvmSlot *slot)
{
    uint64_t pages = slot_pages(slot), words = (pages + 63) / 64;
    g_autofree uint64_t *bits = g_new0(uint64_t, words);
    struct kvm_dirty_log log = {.slot = slot->id | s->as_id << 16, .dirty_bitmap = bits};

    if (!is_logged(slot)) {
        return;
    }
    if (ioctl(s->accel->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0) {
        if (errno != ENOENT) { /* nothing logged yet */
            g_error("KVM_GET_DIRTY_LOG: slot %u: %s", slot->id, g_strerror(errno));
        }
        return;
    }
    ram_dirty_mark_bitmap(slot->ram, slot->ram_offset, bits, pages);
    if (s->accel->manual_protect) {
        g_free(slot->fetched);
        slot->fetched = g_steal_pointer(&bits);
    }
}

/* Clears and protects the fetched pages of [first, end), which are whole words or the slot's end.
 */
static void clear_bitmap(const KvmSlots *s, KvmSlot *slot, uint64_t first, uint64_t end)
{
    struct kvm_clear_dirty_log clear = {
        .slot = slot->id | s->as_id << 16,
        .first_page = first,
        .num_pages = (uint32_t)(end - first),
        .dirty_bitmap = slot->fetched + first / 64,
    };
    bool any = false;

    for (uint64_t i = first / 64; i < (end + 63) / 64; i++) {
        any |= slot->fetched[i] != 0;
    }
    if (!any) {
        return;
    }
    if (ioctl(s->accel->vm_fd, KVM_CLEAR_DIRTY_LOG, &clear) < 0) {
        g_error("KVM_CLEAR_DIRTY_LOG: slot %u: %s", slot->id, g_strerror(errno));
    }
    memset(slot->fetched + first / 64, 0, ((end + 63) / 64 - first / 64) * sizeof(uint64_t));
}

/* ---- rings ---- */

bool kvm_dirty_ring_create(KvmAccel *a, GError **err)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_DIRTY_LOG_RING};
    uint64_t bytes = (uint64_t)a->dirty_ring_size * sizeof(struct kvm_dirty_gfn);

    if (!a->dirty_ring_size) {
        return true;
    }
    if (!a->caps.dirty_ring) {
        emu_set_error(err, "dirty-ring-size=%u: the host's KVM lacks KVM_CAP_DIRTY_LOG_RING",
                      a->dirty_ring_size);
        return false;
    }
    if (bytes & (bytes - 1) || bytes < (uint64_t)sysconf(_SC_PAGESIZE) ||
        bytes > (uint64_t)a->caps.dirty_ring) {
        emu_set_error(err, "dirty-ring-size=%u: must be a power of two between %zu and %zu entries",
                      a->dirty_ring_size,
                      (size_t)sysconf(_SC_PAGESIZE) / sizeof(struct kvm_dirty_gfn),
                      (size_t)a->caps.dirty_ring / sizeof(struct kvm_dirty_gfn));
        return false;
    }
    cap.args[0] = bytes;
    if (ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap) < 0) {
        emu_set_error(err, "KVM_ENABLE_CAP (KVM_CAP_DIRTY_LOG_RING): %s", g_strerror(errno));
        return false;
    }
    return true;
}

bool kvm_dirty_ring_map(KvmCpu *c, GError **err)
{
    size_t bytes = c->accel->dirty_ring_size * sizeof(struct kvm_dirty_gfn);

    if (!bytes) {
        return true;
    }
    c->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd,
                   (off_t)(KVM_DIRTY_LOG_PAGE_OFFSET * sysconf(_SC_PAGESIZE)));
    if (c->ring == MAP_FAILED) {
        c->ring = NULL;
        emu_set_error(err, "dirty ring of CPU %d: %s", c->x.cpu.index, g_strerror(errno));
        return false;
    }
    return true;
}

void kvm_dirty_ring_unmap(KvmCpu *c)
{
    if (c->ring) {
        munmap(c->ring, c->accel->dirty_ring_size * sizeof(struct kvm_dirty_gfn));
        c->ring = NULL;
    }
}

static void mark_entry(KvmAccel *a, uint32_t id, uint64_t page)
{
    const KvmSlots *s = &a->slots[(id >> 16) % G_N_ELEMENTS(a->slots)];

    for (guint i = 0; i < s->slots->len; i++) {
        const KvmSlot *slot = &g_array_index(s->slots, KvmSlot, i);
        if (slot->id == (id & 0xffff) && page < slot_pages(slot)) {
            ram_dirty_mark_bitmap(slot->ram, slot->ram_offset + (page << GUEST_PAGE_BITS),
                                  &(uint64_t){1}, 1);
        }
    }
}

/* Marks what the vCPU's ring holds; how many entries that was. */
static uint32_t harvest_cpu(KvmCpu *c)
{
    uint32_t count = 0, mask = c->accel->dirty_ring_size - 1;

    while (count <= mask) {
        struct kvm_dirty_gfn *e = &c->ring[c->ring_next & mask];

        if (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) != KVM_DIRTY_GFN_F_DIRTY) {
            break;
        }
        mark_entry(c->accel, e->slot, e->offset);
        __atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
        c->ring_next++;
        count++;
    }
    return count;
}

/* Of all vCPUs; then their pages are logged anew. */
static void harvest(KvmAccel *a)
{
    Machine *m = a->accel.machine;
    uint32_t count = 0;

    for (int i = 0; i < m->cpu_count; i++) {
        count += harvest_cpu(kvm_cpu(m->cpus[i]));
    }
    if (count && ioctl(a->vm_fd, KVM_RESET_DIRTY_RINGS, 0) < 0) {
        g_error("KVM_RESET_DIRTY_RINGS: %s", g_strerror(errno));
    }
}

void kvm_dirty_ring_full(KvmAccel *a)
{
    machine_lock();
    harvest(a);
    machine_unlock();
}

/* ---- what the machine's log asks for ---- */

/* Calls FN for each slot of BLOCK. */
static void each_slot(KvmAccel *a, RamBlock *block,
                      void (*fn)(KvmSlots *s, KvmSlot *slot, uint64_t offset, uint64_t len),
                      uint64_t offset, uint64_t len)
{
    for (size_t as = 0; as < G_N_ELEMENTS(a->slots); as++) {
        KvmSlots *s = &a->slots[as];
        for (guint i = 0; i < s->slots->len; i++) {
            KvmSlot *slot = &g_array_index(s->slots, KvmSlot, i);
            if (slot->ram == block && slot->ram_offset < offset + len &&
                offset < slot->ram_offset + slot->size) {
                fn(s, slot, offset, len);
            }
        }
    }
}

static void sync_slot(KvmSlots *s, KvmSlot *slot, uint64_t offset, uint64_t len)
{
    (void)offset, (void)len;
    fetch_bitmap(s, slot);
}

static void log_sync(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    KvmAccel *a = opaque;

    if (a->dirty_ring_size) {
        kvm_hold_begin(a);
        harvest(a);
        kvm_hold_end(a);
    } else {
        each_slot(a, block, sync_slot, offset, len);
    }
}

static void clear_slot(KvmSlots *s, KvmSlot *slot, uint64_t offset, uint64_t len)
{
    uint64_t start = MAX(offset, slot->ram_offset) - slot->ram_offset;
    uint64_t end = MIN(offset + len, slot->ram_offset + slot->size) - slot->ram_offset;

    if (slot->fetched) {
        clear_bitmap(s, slot, (start >> GUEST_PAGE_BITS) & ~63ull,
                     MIN(((end >> GUEST_PAGE_BITS) + 63) & ~63ull, slot_pages(slot)));
    }
}

/* The neighbours in the first and last word are in the clients' bitmaps since they were fetched. */
static void log_cleared(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    each_slot(opaque, block, clear_slot, offset, len);
}

static void change_slot(KvmSlots *s, KvmSlot *slot, uint64_t offset, uint64_t len)
{
    uint32_t flags = (slot->flags & ~(uint32_t)KVM_MEM_LOG_DIRTY_PAGES) | kvm_dirty_flag(slot->ram);

    (void)offset, (void)len;
    if (flags != slot->flags) {
        if (!s->accel->dirty_ring_size) {
            fetch_bitmap(s, slot);
        }
        slot->flags = flags;
        g_clear_pointer(&slot->fetched, g_free);
        kvm_slot_set(s, slot, slot->size);
    }
}

static void log_client_changed(void *opaque, RamBlock *block)
{
    KvmAccel *a = opaque;

    if (a->dirty_ring_size) {
        log_sync(a, block, 0, block->size);
    }
    each_slot(a, block, change_slot, 0, block->size);
}

void kvm_dirty_slot_goes(const KvmSlots *s, KvmSlot *slot)
{
    if (s->accel->dirty_ring_size) {
        harvest(s->accel);
    } else {
        fetch_bitmap(s, slot);
    }
    g_clear_pointer(&slot->fetched, g_free);
}

void kvm_dirty_init(KvmAccel *a)
{
    static const DirtyAccelOps ops = {
        .sync = log_sync, .cleared = log_cleared, .client_changed = log_client_changed};
    struct kvm_enable_cap cap = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
                                 .args = {KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE}};

    a->manual_protect = !a->dirty_ring_size &&
                        (a->caps.manual_protect & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) &&
                        ioctl(a->vm_fd, KVM_ENABLE_CAP, &cap) == 0;
    dirty_log_set_accel(&ops, a);
}
