/*
 * What the files of core/memory*.c share.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_MEMORY_INT_H
#define CORE_MEMORY_INT_H

#include "core/memory.h"
#include "core/rcu.h"

typedef enum RegionKind { REGION_CONTAINER, REGION_IO, REGION_RAM, REGION_ALIAS } RegionKind;

struct MemRegion {
    char *name;
    RegionKind kind;
    uint64_t size; /* UINT64_MAX: all of 64 bits */
    bool enabled, readonly;
    bool dead; /* freed by its owner: renders as nothing while aliases still name it */
    int refs;  /* owner, aliases to it, address spaces rooted in it */

    const MemOps *ops; /* REGION_IO */
    void *opaque;
    MemDoorbell *doorbells;
    size_t doorbell_count;

    RamBlock *ram; /* REGION_RAM */
    uint64_t ram_offset;

    MemRegion *target; /* REGION_ALIAS */
    uint64_t target_offset;

    MemRegion *parent;
    hwaddr offset; /* in parent */
    int priority;
    GPtrArray *children; /* MemRegion *, the one that wins first */

    MemRegion *next_free;
    struct rcu_head rcu;
};

/* Blocks in order of ram_base. Replaced whole under RCU. */
typedef struct RamTable {
    struct rcu_head rcu;
    size_t count;
    RamBlock *blocks[];
} RamTable;

/* memory_fast.c */
extern RamTable *ram_table;

/* memory_region.c: drops a reference, inside a transaction. */
void mem_region_unref(MemRegion *mr);

/* memory_view.c: the address spaces of the process, and: rebuilds every address space's view and
 * tells listeners. */
void mem_views_update(void);
/* The first range that ends behind ADDR, or NULL. */
const FlatRange *flat_view_next(const FlatView *view, hwaddr addr);

#endif
