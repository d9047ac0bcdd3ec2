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

enum { CODE_ALIGN = 16 };

/* code_table.c */
void code_table_init(TcgAccel *a);
void code_table_fini(TcgAccel *a);
void code_table_insert(TcgAccel *a, Block *b);
void code_table_remove(TcgAccel *a, Block *b);
void code_table_trim(TcgAccel *a); /* frees the smaller ones: no vCPU may be reading */

/* code_link.c */
void code_unlink(Edge *e); /* unless it is not linked */
uint64_t code_edge_target(const Edge *e);

/* code.c */
void code_block_remove(TcgAccel *a, Block *b);

/* code_room.c; under the code lock but for init, fini and code_make_room() */
bool code_room_init(TcgAccel *a, GError **err); /* also the thunks */
void code_room_fini(TcgAccel *a);
/* There is room for one more block; false: code_make_room() must be called first. */
bool code_room_ready(TcgAccel *a);
HostBuf code_room(TcgAccel *a);
/* CODE was emitted there and belongs to B: sets B's addresses; its writable view. */
uint8_t *code_room_take(TcgAccel *a, Block *b, const HostCode *code);
/* Emits LINK, of which only rx is not filled in; where it runs, or 0 when there is no room. */
uint64_t code_room_link(TcgAccel *a, HostLink *link);

enum { KEY_FREE, KEY_GONE };

/* What a block is found by; never 0 or 1. Those of one straddling instruction with different second
 * pages have the same. */
static inline uint64_t code_key(uint64_t ram_addr, uint32_t mode)
{
    return ram_addr | (uint64_t)mode << 46 | 1ull << 63;
}

static inline size_t code_hash(const CodeTable *t, uint64_t key)
{
    return (size_t)(key * 0x9e3779b97f4a7c15ull >> 20) & (t->size - 1);
}

/* GPR-only: the record of RAM page PAGE, or NULL. */
PageCode *code_page(TcgAccel *a, uint64_t page);
/* Bit per 64 bytes that [start, end) of a page touches. */
uint64_t code_lines(unsigned start, unsigned end);

#endif
