/*
 * The lookups and dirty marks that the translator's slow paths call with the guest's vector
 * registers live: compiled with general registers only, without sanitizers, and calling nothing
 * outside of this file but the code hook.
 *
 * Memory order of a write to guest RAM. A writer stores its bytes, executes a full fence, then
 * looks at the bitmaps. Whoever clears a dirty bit or sets a code bit does so with a sequentially
 * consistent read-modify-write before it reads the page's bytes. So either the writer sees the
 * bitmap's new state (and marks the page again, or finds the translated code), or the other side
 * sees the writer's bytes. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/memory_int.h"

RamTable *ram_table;

static struct {
    RamCodeHook fn;
    void *opaque;
} code_hook;

const FlatView *address_space_view(const AddressSpace *as)
{
    /* Pairs with the release in memory_view.c, which publishes a view that is complete. */
    return __atomic_load_n(&as->view, __ATOMIC_ACQUIRE);
}

const FlatRange *flat_view_find(const FlatView *view, hwaddr addr)
{
    size_t low = 0, high = view->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const FlatRange *range = &view->ranges[mid];

        if (addr < range->base) {
            high = mid;
        } else if (addr - range->base < range->size) {
            return range;
        } else {
            low = mid + 1;
        }
    }
    return NULL;
}

RamBlock *ram_block_at(uint64_t ram_addr, uint64_t *offset)
{
    const RamTable *table = __atomic_load_n(&ram_table, __ATOMIC_ACQUIRE);
    size_t low = 0, high = table ? table->count : 0;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        RamBlock *block = table->blocks[mid];

        if (ram_addr < block->ram_base) {
            high = mid;
        } else if (ram_addr - block->ram_base < block->size) {
            *offset = ram_addr - block->ram_base;
            return block;
        } else {
            low = mid + 1;
        }
    }
    return NULL;
}

/* Sets bits [FIRST, LAST] of MAP, writing only to words that lack some: the line stays shared. */
static void bitmap_set(uint64_t *map, uint64_t first, uint64_t last)
{
    for (uint64_t word = first / 64; word <= last / 64; word++) {
        uint64_t mask = ~UINT64_C(0);

        if (word == first / 64) {
            mask &= ~UINT64_C(0) << (first % 64);
        }
        if (word == last / 64) {
            mask &= ~UINT64_C(0) >> (63 - last % 64);
        }
        if ((__atomic_load_n(&map[word], __ATOMIC_RELAXED) & mask) != mask) {
            __atomic_fetch_or(&map[word], mask, __ATOMIC_SEQ_CST);
        }
    }
}

static bool bitmap_any(const uint64_t *map, uint64_t first, uint64_t last)
{
    for (uint64_t page = first; page <= last; page++) {
        if (__atomic_load_n(&map[page / 64], __ATOMIC_RELAXED) >> (page % 64) & 1) {
            return true;
        }
    }
    return false;
}

bool ram_dirty_mark(RamBlock *block, uint64_t offset, uint64_t len)
{
    uint64_t first, last, *map;

    if (!len || offset >= block->size) {
        return false;
    }
    first = offset >> GUEST_PAGE_BITS;
    last = (offset + (len - 1 < block->size - offset ? len - 1 : block->size - offset - 1)) >>
           GUEST_PAGE_BITS;

    /* See the top of the file. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (int client = 0; client < DIRTY_CODE; client++) {
        map = __atomic_load_n(&block->dirty[client], __ATOMIC_ACQUIRE);
        if (map) {
            bitmap_set(map, first, last);
        }
    }
    map = __atomic_load_n(&block->dirty[DIRTY_CODE], __ATOMIC_ACQUIRE);
    return map && bitmap_any(map, first, last);
}

void ram_block_written(RamBlock *block, uint64_t offset, uint64_t len)
{
    if (ram_dirty_mark(block, offset, len)) {
        RamCodeHook fn = __atomic_load_n(&code_hook.fn, __ATOMIC_ACQUIRE);

        if (fn) {
            fn(code_hook.opaque, block->ram_base + offset, len);
        }
    }
}

void ram_set_code_hook(RamCodeHook hook, void *opaque)
{
    code_hook.opaque = opaque;
    __atomic_store_n(&code_hook.fn, hook, __ATOMIC_RELEASE);
}
