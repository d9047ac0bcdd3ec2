/*
 * The page walk of debuggers (SDM 3A, chapter 4).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/linear.h"

enum { ENTRY_P = 1 << 0, ENTRY_PS = 1 << 7 };

#define ENTRY_ADDRESS 0x000ffffffffff000ull

/* CR0.PG with CR4.PAE off: 4 MiB pages with PSE-36's upper address bits in 20:13 (SDM 3A 4.3). */
static bool walk_32bit(AddressSpace *as, const X86State *st, uint32_t addr, uint64_t *phys)
{
    uint64_t pde = address_space_load(as, (st->cr3 & 0xfffff000) + (addr >> 22) * 4, 4);

    if (!(pde & ENTRY_P)) {
        return false;
    }
    if ((pde & ENTRY_PS) && (st->cr4 & CR4_PSE)) {
        *phys = (pde & 0xffc00000) | (pde >> 13 & 0xff) << 32 | (addr & 0x3fffff);
        return true;
    }
    uint64_t pte = address_space_load(as, (pde & 0xfffff000) + (addr >> 12 & 0x3ff) * 4, 4);
    *phys = (pte & 0xfffff000) | (addr & 0xfff);
    return pte & ENTRY_P;
}

/* Tables of 512 entries, from the one at TABLE that bits SHIFT+8:SHIFT select from (SDM
 * 3A 4.4, 4.5). */
static bool walk_64bit(AddressSpace *as, uint64_t table, int shift, uint64_t addr, uint64_t *phys)
{
    for (;; shift -= 9) {
        uint64_t entry = address_space_load(as, table + (addr >> shift & 0x1ff) * 8, 8);
        bool page = shift == 12 || (shift <= 30 && (entry & ENTRY_PS));
        if (!(entry & ENTRY_P)) {
            return false;
        }
        if (page) {
            uint64_t offset = (1ull << shift) - 1;
            *phys = (entry & ENTRY_ADDRESS & ~offset) | (addr & offset);
            return true;
        }
        table = entry & ENTRY_ADDRESS;
    }
}

bool linear_to_physical(AddressSpace *as, const X86State *st, uint64_t addr, uint64_t *phys)
{
    if (!x86_is_long(st)) {
        addr = (uint32_t)addr;
    }
    if (!(st->cr0 & CR0_PG)) {
        *phys = addr;
        return true;
    }
    if (!(st->cr4 & CR4_PAE)) {
        return walk_32bit(as, st, addr, phys);
    }
    if (!x86_is_long(st)) {
        uint64_t pdpte = st->pdptr[addr >> 30];
        return (pdpte & ENTRY_P) && walk_64bit(as, pdpte & ENTRY_ADDRESS, 21, addr, phys);
    }
    int bits = st->cr4 & CR4_LA57 ? 57 : 48;
    if ((uint64_t)((int64_t)(addr << (64 - bits)) >> (64 - bits)) != addr) {
        return false; /* not canonical */
    }
    return walk_64bit(as, st->cr3 & ENTRY_ADDRESS, bits - 9, addr, phys);
}
