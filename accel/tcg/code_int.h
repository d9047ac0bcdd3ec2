/*
 * What the files of the code cache share.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_CODE_INT_H
#define ACCEL_TCG_CODE_INT_H

#include "accel/tcg/tcg_accel.h"

enum { PAGES_LEAF_BITS = 12, PAGES_LEAF = 1 << PAGES_LEAF_BITS, PAGES_TOP = 1 << 16 };

/* The record of what is translated covers so many pages of RAM numbering, of which OTHER_RAM bytes
 * are for ROMs, video memory and the like. */
#define PAGES_MAX ((uint64_t)PAGES_TOP * PAGES_LEAF)
#define OTHER_RAM (4ull << 30)

static inline unsigned code_hash(uint64_t ram_addr, uint32_t mode)
{
    uint64_t h = (ram_addr ^ (uint64_t)mode << 32) * 0x9e3779b97f4a7c15ull;

    return (unsigned)(h >> (64 - HASH_BITS));
}

/* GPR-only: the record of RAM page PAGE, or NULL. */
PageCode *code_page(TcgAccel *a, uint64_t page);
/* Bit per 64 bytes that [start, end) of a page touches. */
uint64_t code_lines(unsigned start, unsigned end);

#endif
