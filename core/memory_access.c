/*
 * Reading and writing through an address space.
 *
 * A view and its ranges last until the thread's next quiescent state, and waiting for the machine
 * lock or a device's callback may be one: so nothing from the view is used after either, and an I/O
 * range found without the lock is looked up again once it is held. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <string.h>

#include "core/lock.h"
#include "core/memory_int.h"

/* ---- regions ---- */

static uint64_t size_mask(unsigned size)
{
    return ~UINT64_C(0) >> (64 - 8 * size);
}

static unsigned ops_min(const MemOps *ops)
{
    return ops->min_size ? ops->min_size : 1;
}

static unsigned ops_max(const MemOps *ops)
{
    return ops->max_size ? ops->max_size : 4;
}

/* An access narrower than MIN, or straddling units of it, as whole units: bytes are cut out of what
 * is read, and what is written has zeros around it. */
static uint64_t read_units(const MemRegion *mr, hwaddr offset, unsigned size, unsigned min)
{
    hwaddr unit = offset & ~(hwaddr)(min - 1);
    unsigned shift = (unsigned)(offset - unit) * 8;
    uint64_t value = (mr->ops->read(mr->opaque, unit, min) & size_mask(min)) >> shift;

    if (offset + size > unit + min) {
        value |= mr->ops->read(mr->opaque, unit + min, min) << (8 * min - shift);
    }
    return value & size_mask(size);
}

static void write_units(const MemRegion *mr, hwaddr offset, uint64_t value, unsigned size,
                        unsigned min)
{
    hwaddr unit = offset & ~(hwaddr)(min - 1);
    unsigned shift = (unsigned)(offset - unit) * 8;

    mr->ops->write(mr->opaque, unit, (value << shift) & size_mask(min), min);
    if (offset + size > unit + min) {
        mr->ops->write(mr->opaque, unit + min, value >> (8 * min - shift), min);
    }
}

uint64_t mem_region_io_read(MemRegion *mr, hwaddr offset, unsigned size)
{
    unsigned min = ops_min(mr->ops), max = ops_max(mr->ops);
    uint64_t value = 0;

    if (!mr->ops->read) {
        return size_mask(size);
    }
    if (size < min) {
        return read_units(mr, offset, size, min);
    }
    if (size <= max) {
        return mr->ops->read(mr->opaque, offset, size) & size_mask(size);
    }
    for (unsigned i = 0; i < size; i += max) {
        value |= (mr->ops->read(mr->opaque, offset + i, max) & size_mask(max)) << (8 * i);
    }
    return value;
}

void mem_region_io_write(MemRegion *mr, hwaddr offset, uint64_t value, unsigned size)
{
    unsigned min = ops_min(mr->ops), max = ops_max(mr->ops);

    if (!mr->ops->write) {
        return;
    }
    value &= size_mask(size);
    if (size < min) {
        write_units(mr, offset, value, size, min);
        return;
    }
    if (size <= max) {
        mr->ops->write(mr->opaque, offset, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i += max) {
        mr->ops->write(mr->opaque, offset + i, (value >> (8 * i)) & size_mask(max), max);
    }
}

/* ---- RAM ---- */

/* Aligned accesses to RAM are single-copy atomic, as another CPU of the guest expects. */
static uint64_t ram_load(const uint8_t *host, unsigned size)
{
    uint64_t value = 0;

    if ((uintptr_t)host & (size - 1)) {
        memcpy(&value, host, size);
        return value;
    }
    switch (size) {
    case 1:
        return __atomic_load_n(host, __ATOMIC_RELAXED);
    case 2:
        return __atomic_load_n((const uint16_t *)host, __ATOMIC_RELAXED);
    case 4:
        return __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
    default:
        return __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
    }
}

static void ram_store(uint8_t *host, uint64_t value, unsigned size)
{
    if ((uintptr_t)host & (size - 1)) {
        memcpy(host, &value, size);
        return;
    }
    switch (size) {
    case 1:
        __atomic_store_n(host, (uint8_t)value, __ATOMIC_RELAXED);
        break;
    case 2:
        __atomic_store_n((uint16_t *)host, (uint16_t)value, __ATOMIC_RELAXED);
        break;
    case 4:
        __atomic_store_n((uint32_t *)host, (uint32_t)value, __ATOMIC_RELAXED);
        break;
    default:
        __atomic_store_n((uint64_t *)host, value, __ATOMIC_RELAXED);
        break;
    }
}

static bool one_access(uint64_t len)
{
    return len == 1 || len == 2 || len == 4 || len == 8;
}

static void ram_read(const uint8_t *host, void *buf, uint64_t len)
{
    if (one_access(len)) {
        uint64_t value = ram_load(host, (unsigned)len);

        memcpy(buf, &value, len);
    } else {
        memcpy(buf, host, len);
    }
}

static void ram_write(uint8_t *host, const void *buf, uint64_t len)
{
    if (one_access(len)) {
        uint64_t value = 0;

        memcpy(&value, buf, len);
        ram_store(host, value, (unsigned)len);
    } else {
        memcpy(host, buf, len);
    }
}

/* ---- address spaces ---- */

/*
 * A run of addresses with one fate, from ADDR on. I/O that needs the machine lock is found with the
 * lock held; *LOCKED says whether it was taken here.
 */
typedef struct Run {
    const FlatRange *range; /* NULL: unassigned */
    uint64_t len;
    uint64_t delta; /* of ADDR in range */
} Run;

static Run find_run(const AddressSpace *as, hwaddr addr, uint64_t len)
{
    const FlatRange *range = flat_view_next(address_space_view(as), addr);
    Run run = {NULL, len, 0};

    if (range && range->base <= addr) {
        run.range = range;
        run.delta = addr - range->base;
        run.len = MIN(len, range->size - run.delta);
    } else if (range) {
        run.len = MIN(len, range->base - addr);
    }
    return run;
}

static Run find_run_locked(const AddressSpace *as, hwaddr addr, uint64_t len, bool *locked)
{
    Run run = find_run(as, addr, len);

    *locked = false;
    if (run.range && !run.range->ram && !run.range->region->ops->lock_free &&
        !machine_lock_held()) {
        machine_lock();
        *locked = true;
        run = find_run(as, addr, len);
    }
    return run;
}

static void unlock_run(bool locked)
{
    if (locked) {
        machine_unlock();
    }
}

/* The widest naturally aligned piece that LEN bytes at ADDR begin with: what a bus would do. */
static unsigned piece_size(hwaddr addr, uint64_t len)
{
    unsigned size = 8;

    while (size > len || (addr & (size - 1))) {
        size /= 2;
    }
    return size;
}

static MemResult read_buffer(AddressSpace *as, hwaddr addr, uint8_t *buf, uint64_t len)
{
    MemResult result = MEM_OK;

    while (len) {
        bool locked;
        Run run = find_run_locked(as, addr, len, &locked);

        if (!run.range) {
            memset(buf, 0xff, run.len);
            result = MEM_UNASSIGNED;
        } else if (run.range->ram) {
            ram_read(run.range->ram->host + run.range->ram_offset + run.delta, buf, run.len);
        } else {
            uint64_t value;

            run.len = piece_size(addr, run.len);
            value = mem_region_io_read(run.range->region, run.range->region_offset + run.delta,
                                       (unsigned)run.len);
            memcpy(buf, &value, run.len);
        }
        unlock_run(locked);
        addr += run.len;
        buf += run.len;
        len -= run.len;
    }
    return result;
}

static MemResult write_buffer(AddressSpace *as, hwaddr addr, const uint8_t *buf, uint64_t len,
                              bool to_rom)
{
    MemResult result = MEM_OK;

    while (len) {
        bool locked;
        Run run = find_run_locked(as, addr, len, &locked);

        if (!run.range) {
            result = MEM_UNASSIGNED;
        } else if (run.range->ram) {
            if (!run.range->readonly || to_rom) {
                RamBlock *ram = run.range->ram;
                uint64_t offset = run.range->ram_offset + run.delta;

                ram_write(ram->host + offset, buf, run.len);
                ram_block_written(ram, offset, run.len);
            }
        } else {
            uint64_t value = 0;

            run.len = piece_size(addr, run.len);
            memcpy(&value, buf, run.len);
            mem_region_io_write(run.range->region, run.range->region_offset + run.delta, value,
                                (unsigned)run.len);
        }
        unlock_run(locked);
        addr += run.len;
        buf += run.len;
        len -= run.len;
    }
    return result;
}

MemResult address_space_read(AddressSpace *as, hwaddr addr, void *buf, uint64_t len)
{
    RcuThread before = rcu_guest_enter();
    MemResult result = read_buffer(as, addr, buf, len);

    rcu_guest_leave(before);
    return result;
}

MemResult address_space_write(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len)
{
    RcuThread before = rcu_guest_enter();
    MemResult result = write_buffer(as, addr, buf, len, false);

    rcu_guest_leave(before);
    return result;
}

MemResult address_space_write_rom(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len)
{
    RcuThread before = rcu_guest_enter();
    MemResult result = write_buffer(as, addr, buf, len, true);

    rcu_guest_leave(before);
    return result;
}

uint64_t address_space_load(AddressSpace *as, hwaddr addr, unsigned size)
{
    RcuThread before = rcu_guest_enter();
    uint64_t value = 0;
    bool locked;
    Run run;

    g_assert(one_access(size));
    run = find_run_locked(as, addr, size, &locked);
    if (run.len < size) {
        read_buffer(as, addr, (uint8_t *)&value, size);
    } else if (!run.range) {
        value = size_mask(size);
    } else if (run.range->ram) {
        value = ram_load(run.range->ram->host + run.range->ram_offset + run.delta, size);
    } else {
        value = mem_region_io_read(run.range->region, run.range->region_offset + run.delta, size);
    }
    unlock_run(locked);
    rcu_guest_leave(before);
    return value;
}

void address_space_store(AddressSpace *as, hwaddr addr, uint64_t value, unsigned size)
{
    RcuThread before = rcu_guest_enter();
    bool locked;
    Run run;

    g_assert(one_access(size));
    run = find_run_locked(as, addr, size, &locked);
    if (run.len < size) {
        write_buffer(as, addr, (const uint8_t *)&value, size, false);
    } else if (run.range && run.range->ram) {
        if (!run.range->readonly) {
            RamBlock *ram = run.range->ram;
            uint64_t offset = run.range->ram_offset + run.delta;

            ram_store(ram->host + offset, value, size);
            ram_block_written(ram, offset, size);
        }
    } else if (run.range) {
        mem_region_io_write(run.range->region, run.range->region_offset + run.delta, value, size);
    }
    unlock_run(locked);
    rcu_guest_leave(before);
}

/* ---- direct access ---- */

void *address_space_map(AddressSpace *as, hwaddr addr, uint64_t *len, bool write)
{
    RcuThread before = rcu_guest_enter();
    const FlatView *view = address_space_view(as);
    const FlatRange *range = flat_view_find(view, addr);
    uint64_t wanted = *len, offset;
    void *host = NULL;

    *len = 0;
    if (range && range->ram && !(write && range->readonly)) {
        const FlatRange *end = view->ranges + view->count, *next = range + 1;

        offset = range->ram_offset + (addr - range->base);
        host = range->ram->host + offset;
        *len = range->size - (addr - range->base);
        /* A neighbour that goes on in the same block (part of it read-only, say). */
        while (*len < wanted && next < end && next->base == next[-1].base + next[-1].size &&
               next->ram == range->ram && next->ram_offset == offset + *len &&
               !(write && next->readonly)) {
            *len += next->size;
            next++;
        }
        *len = MIN(*len, wanted);
    }
    rcu_guest_leave(before);
    return host;
}

void address_space_unmap(AddressSpace *as, void *host, uint64_t len, bool written)
{
    RcuThread before;
    RamBlock *block;
    uint64_t offset;

    (void)as;
    if (!written || !len) {
        return;
    }
    before = rcu_guest_enter();
    block = ram_block_from_host(host, &offset);
    if (block) {
        ram_block_written(block, offset, len);
    }
    rcu_guest_leave(before);
}
