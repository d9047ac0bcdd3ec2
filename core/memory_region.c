/*
 * The tree of memory regions.
 *
 * A region is counted by its owner, by aliases that name it and by address spaces rooted in it.
 * Views refer to regions without counting: a region whose last reference went is released by RCU
 * after the views that held it were replaced. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/lock.h"
#include "core/memory_int.h"

static struct {
    unsigned depth;
    bool changed;
    MemRegion *to_free; /* without references; released once the views are replaced */
} transaction;

/* ---- transactions ---- */

void mem_transaction_begin(void)
{
    g_assert(machine_lock_held());
    transaction.depth++;
}

static void region_release(struct rcu_head *head)
{
    MemRegion *mr = caa_container_of(head, MemRegion, rcu);

    g_ptr_array_free(mr->children, TRUE);
    g_free(mr->doorbells);
    g_free(mr->name);
    g_free(mr);
}

void mem_transaction_commit(void)
{
    g_assert(machine_lock_held() && transaction.depth);
    if (transaction.depth > 1) {
        transaction.depth--;
        return;
    }
    /* A listener that changes the tree finds itself inside this transaction: once more, then. */
    while (transaction.changed) {
        transaction.changed = false;
        mem_views_update();
    }
    transaction.depth = 0;
    while (transaction.to_free) {
        MemRegion *mr = transaction.to_free;

        transaction.to_free = mr->next_free;
        rcu_defer(&mr->rcu, region_release);
    }
}

static void region_changed(void)
{
    g_assert(transaction.depth);
    transaction.changed = true;
}

/* ---- life ---- */

static MemRegion *region_new(const char *name, RegionKind kind, uint64_t size)
{
    MemRegion *mr = g_new0(MemRegion, 1);

    mr->name = g_strdup(name);
    mr->kind = kind;
    mr->size = size;
    mr->enabled = true;
    mr->refs = 1;
    mr->children = g_ptr_array_new();
    return mr;
}

MemRegion *mem_region_container(const char *name, uint64_t size)
{
    return region_new(name, REGION_CONTAINER, size);
}

MemRegion *mem_region_io(const char *name, const MemOps *ops, void *opaque, uint64_t size)
{
    MemRegion *mr = region_new(name, REGION_IO, size);

    mr->ops = ops;
    mr->opaque = opaque;
    return mr;
}

MemRegion *mem_region_ram(const char *name, RamBlock *block, uint64_t offset, uint64_t size,
                          bool readonly)
{
    MemRegion *mr = region_new(name, REGION_RAM, size);

    g_assert(offset <= block->size && size <= block->size - offset);
    mr->ram = block;
    mr->ram_offset = offset;
    mr->readonly = readonly;
    return mr;
}

MemRegion *mem_region_alias(const char *name, MemRegion *target, uint64_t offset, uint64_t size)
{
    MemRegion *mr = region_new(name, REGION_ALIAS, size);

    g_assert(machine_lock_held());
    mr->target = target;
    mr->target_offset = offset;
    target->refs++;
    return mr;
}

void mem_region_unref(MemRegion *mr)
{
    while (mr && --mr->refs == 0) {
        MemRegion *target = mr->target;

        mr->next_free = transaction.to_free;
        transaction.to_free = mr;
        mr = target;
    }
}

static void region_unlink(MemRegion *mr)
{
    if (mr->parent) {
        g_ptr_array_remove(mr->parent->children, mr);
        mr->parent = NULL;
        region_changed();
    }
}

void mem_region_free(MemRegion *mr)
{
    if (!mr) {
        return;
    }
    mem_transaction_begin();
    g_assert(!mr->dead);
    region_unlink(mr);
    for (guint i = 0; i < mr->children->len; i++) {
        ((MemRegion *)g_ptr_array_index(mr->children, i))->parent = NULL;
    }
    g_ptr_array_set_size(mr->children, 0);
    mr->dead = true;
    region_changed();
    mem_region_unref(mr);
    mem_transaction_commit();
}

void mem_region_set_doorbells(MemRegion *mr, const MemDoorbell *list, size_t count)
{
    g_assert(mr->kind == REGION_IO && !mr->parent && !mr->doorbells);
    mr->doorbells = g_memdup2(list, count * sizeof(*list));
    mr->doorbell_count = count;
}

const MemDoorbell *mem_region_doorbells(const MemRegion *mr, size_t *count)
{
    *count = mr->doorbell_count;
    return mr->doorbells;
}

/* ---- changes ---- */

static void region_insert(MemRegion *parent, MemRegion *child)
{
    guint at = 0;

    while (at < parent->children->len &&
           ((MemRegion *)g_ptr_array_index(parent->children, at))->priority > child->priority) {
        at++;
    }
    g_ptr_array_insert(parent->children, (gint)at, child);
    child->parent = parent;
}

void mem_region_add(MemRegion *parent, hwaddr offset, MemRegion *child, int priority)
{
    g_assert(!child->parent && child != parent && parent->kind != REGION_ALIAS);
    mem_transaction_begin();
    child->offset = offset;
    child->priority = priority;
    region_insert(parent, child);
    region_changed();
    mem_transaction_commit();
}

void mem_region_remove(MemRegion *child)
{
    mem_transaction_begin();
    region_unlink(child);
    mem_transaction_commit();
}

void mem_region_set_enabled(MemRegion *mr, bool enabled)
{
    mem_transaction_begin();
    if (mr->enabled != enabled) {
        mr->enabled = enabled;
        region_changed();
    }
    mem_transaction_commit();
}

void mem_region_set_offset(MemRegion *mr, hwaddr offset)
{
    mem_transaction_begin();
    if (mr->offset != offset) {
        mr->offset = offset;
        region_changed();
    }
    mem_transaction_commit();
}

void mem_region_set_alias_offset(MemRegion *mr, uint64_t offset)
{
    g_assert(mr->kind == REGION_ALIAS);
    mem_transaction_begin();
    if (mr->target_offset != offset) {
        mr->target_offset = offset;
        region_changed();
    }
    mem_transaction_commit();
}

void mem_region_set_readonly(MemRegion *mr, bool readonly)
{
    g_assert(mr->kind == REGION_RAM || mr->kind == REGION_ALIAS);
    mem_transaction_begin();
    if (mr->readonly != readonly) {
        mr->readonly = readonly;
        region_changed();
    }
    mem_transaction_commit();
}

void mem_region_set_size(MemRegion *mr, uint64_t size)
{
    g_assert(mr->kind != REGION_RAM ||
             (mr->ram_offset <= mr->ram->size && size <= mr->ram->size - mr->ram_offset));
    mem_transaction_begin();
    if (mr->size != size) {
        mr->size = size;
        region_changed();
    }
    mem_transaction_commit();
}

bool mem_region_enabled(const MemRegion *mr)
{
    return mr->enabled;
}

const char *mem_region_name(const MemRegion *mr)
{
    return mr->name;
}

uint64_t mem_region_size(const MemRegion *mr)
{
    return mr->size;
}

bool mem_region_lock_free(const MemRegion *mr)
{
    return mr->kind != REGION_IO || mr->ops->lock_free;
}
