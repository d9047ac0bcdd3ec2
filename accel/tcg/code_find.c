/*
 * Finding blocks, and which RAM bytes are translated. GPR-only, without locks.
 *
 * A slot gets its block before its key, and a reader checks the block, so a slot that changes hands
 * in between is a miss at worst. Blocks stay readable until their segment is emptied with every
 * vCPU out of it; a removed one has its dead mark. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/code_int.h"

Block *code_find(TcgAccel *a, uint64_t ram_addr, uint32_t mode, uint64_t page2)
{
    const CodeTable *t = atomic_load_explicit(&a->table, memory_order_acquire);
    uint64_t key = code_key(ram_addr, mode), found;

    for (size_t i = code_hash(t, key);; i = (i + 1) & (t->size - 1)) {
        found = atomic_load_explicit(&t->slot[i].key, memory_order_acquire);
        if (found == key) {
            Block *b = atomic_load_explicit(&t->slot[i].block, memory_order_relaxed);
            if (b->ram_addr == ram_addr && b->mode == mode && b->page2 == page2 && !b->dead) {
                return b;
            }
        } else if (found == KEY_FREE) {
            return NULL;
        }
    }
}

PageCode *code_page(TcgAccel *a, uint64_t page)
{
    PageLeaf *leaf;

    if (page >> PAGES_LEAF_BITS >= PAGES_TOP) {
        return NULL;
    }
    leaf = __atomic_load_n(&a->pages[page >> PAGES_LEAF_BITS], __ATOMIC_ACQUIRE);
    return leaf ? atomic_load_explicit(&leaf->page[page & (PAGES_LEAF - 1)], memory_order_acquire)
                : NULL;
}

uint64_t code_lines(unsigned start, unsigned end)
{
    unsigned first = start >> 6, last = (end - 1) >> 6;

    return (UINT64_MAX << first) & (UINT64_MAX >> (63 - last));
}

bool tcg_code_hit(TcgAccel *a, uint64_t ram_addr, uint64_t len)
{
    while (len) {
        unsigned off = ram_addr & 4095;
        uint64_t n = 4096 - off < len ? 4096 - off : len;
        PageCode *p = code_page(a, ram_addr >> 12);
        if (p && (atomic_load_explicit(&p->lines, memory_order_acquire) &
                  code_lines(off, off + (unsigned)n))) {
            return true;
        }
        ram_addr += n;
        len -= n;
    }
    return false;
}

static uint64_t invalidate_thunk(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    code_invalidate(tcg_cpu(cpu)->accel, a, b);
    return 0;
}

bool tcg_code_written(TcgCpu *c, uint64_t ram_addr, uint64_t len)
{
    if (!tcg_code_hit(c->accel, ram_addr, len)) {
        return false;
    }
    exec_call_c(invalidate_thunk, &c->x, ram_addr, len);
    /* The block that runs need not be the one the loop entered: chained jumps lead on. So any hit
     * ends the block. */
    return true;
}
