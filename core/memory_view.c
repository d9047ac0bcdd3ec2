/*
 * Flattening: from the tree of regions to the sorted list of ranges that readers search.
 *
 * A region is rendered only into what those before it left free, and the order is: the children of
 * a region, the one that wins first, each with all that lies in it; then the region itself. An
 * alias renders its target moved and clipped to its own window. Example: a container of 1 MiB with
 * RAM at 0 (priority 0) and an I/O window of 128 KiB at A0000h (priority 1) gives RAM 0-9FFFFh, I/O
 * A0000h-BFFFFh, RAM C0000h-FFFFFh.
 *
 * Addresses are 128 bits wide here, because a window may begin below 0 (an alias to the upper part
 * of its target) and end at 2^64.
 *
 * An address space's view is published whole, by one store with release order, before listeners
 * learn of the differences: a TLB that they flush is refilled from the new view. The old view is
 * freed by call_rcu. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/lock.h"
#include "core/memory_int.h"

typedef __int128 Addr;

/* More levels than any machine has: an alias that reaches itself is our own bug. */
enum { MAX_DEPTH = 64 };

typedef struct ViewBox {
    struct rcu_head rcu;
    FlatView view;
} ViewBox;

static GPtrArray *spaces; /* AddressSpace * */

static Addr region_end(Addr base, const MemRegion *mr)
{
    return base + (mr->size == UINT64_MAX ? (Addr)1 << 64 : (Addr)mr->size);
}

/* Puts [start, end) of MR, whose offset 0 is at BASE, wherever RANGES leaves room. */
static void render_leaf(GArray *ranges, MemRegion *mr, Addr base, Addr start, Addr end,
                        bool readonly)
{
    guint i = 0;

    while (start < end) {
        const FlatRange *next = NULL;
        Addr stop = end;

        for (; i < ranges->len; i++) {
            next = &g_array_index(ranges, FlatRange, i);
            if ((Addr)next->base + next->size > start) {
                break;
            }
            next = NULL;
        }
        if (next && (Addr)next->base <= start) {
            start = (Addr)next->base + next->size;
            continue;
        }
        if (next && (Addr)next->base < stop) {
            stop = (Addr)next->base;
        }
        FlatRange range = {
            .base = (hwaddr)start,
            /* The one range that fills all of 64 bits lacks its last byte. */
            .size = stop - start > UINT64_MAX ? UINT64_MAX : (uint64_t)(stop - start),
            .region = mr,
            .region_offset = (uint64_t)(start - base),
            .ram = mr->ram,
            .ram_offset = mr->ram_offset + (uint64_t)(start - base),
            .readonly = mr->kind == REGION_RAM && readonly,
        };
        g_array_insert_val(ranges, i, range);
        start = stop;
    }
}

/* Renders MR with its offset 0 at BASE, as far as it lies in [start, end). */
static void render(GArray *ranges, MemRegion *mr, Addr base, Addr start, Addr end, bool readonly,
                   int depth)
{
    g_assert(depth < MAX_DEPTH);
    if (!mr->enabled || mr->dead) {
        return;
    }
    start = MAX(start, base);
    end = MIN(end, region_end(base, mr));
    if (start >= end) {
        return;
    }
    readonly |= mr->readonly;
    if (mr->kind == REGION_ALIAS) {
        render(ranges, mr->target, base - mr->target_offset, start, end, readonly, depth + 1);
        return;
    }
    for (guint i = 0; i < mr->children->len; i++) {
        MemRegion *child = g_ptr_array_index(mr->children, i);

        render(ranges, child, base + child->offset, start, end, readonly, depth + 1);
    }
    if (mr->kind != REGION_CONTAINER) {
        render_leaf(ranges, mr, base, start, end, readonly);
    }
}

static bool same_backing(const FlatRange *a, const FlatRange *b)
{
    return a->region == b->region && a->ram == b->ram && a->readonly == b->readonly;
}

static void merge_neighbours(GArray *ranges)
{
    guint to = 0;

    for (guint i = 1; i < ranges->len; i++) {
        FlatRange *last = &g_array_index(ranges, FlatRange, to);
        const FlatRange *range = &g_array_index(ranges, FlatRange, i);

        if (same_backing(last, range) && last->base + last->size == range->base &&
            last->region_offset + last->size == range->region_offset &&
            last->ram_offset + last->size == range->ram_offset &&
            last->size + range->size > last->size) {
            last->size += range->size;
        } else {
            g_array_index(ranges, FlatRange, ++to) = *range;
        }
    }
    if (ranges->len) {
        g_array_set_size(ranges, to + 1);
    }
}

static FlatView *view_build(MemRegion *root)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FlatRange));
    ViewBox *box;
    FlatView *view;

    render(ranges, root, 0, 0, (Addr)1 << 64, false, 0);
    merge_neighbours(ranges);
    box = g_malloc(sizeof(*box) + ranges->len * sizeof(FlatRange));
    view = &box->view;
    view->count = ranges->len;
    if (ranges->len) {
        memcpy(view->ranges, ranges->data, ranges->len * sizeof(FlatRange));
    }
    g_array_free(ranges, TRUE);
    return view;
}

static void view_free(FlatView *view)
{
    g_free(caa_container_of(view, ViewBox, view));
}

static void view_free_rcu(struct rcu_head *head)
{
    g_free(caa_container_of(head, ViewBox, rcu));
}

static bool range_equal(const FlatRange *a, const FlatRange *b)
{
    return a->base == b->base && a->size == b->size && same_backing(a, b) &&
           a->region_offset == b->region_offset && a->ram_offset == b->ram_offset;
}

static bool view_equal(const FlatView *a, const FlatView *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!range_equal(&a->ranges[i], &b->ranges[i])) {
            return false;
        }
    }
    return true;
}

/* Calls FN for each range of A that B lacks. */
static void view_minus(const FlatView *a, const FlatView *b,
                       void (*fn)(void *opaque, const FlatRange *range), void *opaque)
{
    size_t k = 0;

    for (size_t i = 0; fn && i < a->count; i++) {
        while (k < b->count && b->ranges[k].base < a->ranges[i].base) {
            k++;
        }
        if (k == b->count || !range_equal(&a->ranges[i], &b->ranges[k])) {
            fn(opaque, &a->ranges[i]);
        }
    }
}

static void listener_tell(const MemListener *listener, const FlatView *old, const FlatView *new)
{
    if (listener->begin) {
        listener->begin(listener->opaque);
    }
    view_minus(old, new, listener->range_del, listener->opaque);
    view_minus(new, old, listener->range_add, listener->opaque);
    if (listener->commit) {
        listener->commit(listener->opaque);
    }
}

static const FlatView empty_view;

static void address_space_update(AddressSpace *as)
{
    FlatView *old = as->view, *new = view_build(as->root);

    if (view_equal(old, new)) {
        view_free(new);
        return;
    }
    /* Pairs with the acquire in address_space_view(). */
    __atomic_store_n(&as->view, new, __ATOMIC_RELEASE);
    for (guint i = 0; i < as->listeners->len; i++) {
        listener_tell(g_ptr_array_index(as->listeners, i), old, new);
    }
    rcu_defer(&caa_container_of(old, ViewBox, view)->rcu, view_free_rcu);
}

void mem_views_update(void)
{
    for (guint i = 0; spaces && i < spaces->len; i++) {
        address_space_update(g_ptr_array_index(spaces, i));
    }
}

void address_space_init(AddressSpace *as, MemRegion *root, const char *name)
{
    g_assert(machine_lock_held());
    as->name = name;
    as->root = root;
    root->refs++;
    as->listeners = g_ptr_array_new();
    __atomic_store_n(&as->view, view_build(root), __ATOMIC_RELEASE);
    if (!spaces) {
        spaces = g_ptr_array_new();
    }
    g_ptr_array_add(spaces, as);
}

void address_space_fini(AddressSpace *as)
{
    FlatView *old = as->view;
    FlatView *none = view_build(as->root);

    none->count = 0;
    mem_transaction_begin();
    g_ptr_array_remove(spaces, as);
    if (!spaces->len) {
        g_clear_pointer(&spaces, g_ptr_array_unref);
    }
    __atomic_store_n(&as->view, none, __ATOMIC_RELEASE);
    for (guint i = 0; i < as->listeners->len; i++) {
        listener_tell(g_ptr_array_index(as->listeners, i), old, none);
    }
    g_clear_pointer(&as->listeners, g_ptr_array_unref);
    rcu_defer(&caa_container_of(old, ViewBox, view)->rcu, view_free_rcu);
    rcu_defer(&caa_container_of(none, ViewBox, view)->rcu, view_free_rcu);
    mem_region_unref(as->root);
    mem_transaction_commit();
}

void address_space_listen(AddressSpace *as, const MemListener *listener)
{
    g_assert(machine_lock_held());
    g_ptr_array_add(as->listeners, (gpointer)listener);
    listener_tell(listener, &empty_view, as->view);
}

void address_space_unlisten(AddressSpace *as, const MemListener *listener)
{
    g_assert(machine_lock_held());
    g_ptr_array_remove(as->listeners, (gpointer)listener);
}

const FlatRange *flat_view_next(const FlatView *view, hwaddr addr)
{
    size_t low = 0, high = view->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const FlatRange *range = &view->ranges[mid];

        if (addr < range->base || addr - range->base < range->size) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return low < view->count ? &view->ranges[low] : NULL;
}
