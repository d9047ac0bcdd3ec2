/*
 * `info mtree`: the trees and the views as text.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>

#include "core/lock.h"
#include "core/memory_int.h"

static const char *region_type(const MemRegion *mr)
{
    switch (mr->kind) {
    case REGION_RAM:
        return mr->readonly || mr->ram->rom ? "rom" : "ram";
    case REGION_ALIAS:
        return region_type(mr->target);
    default:
        return "i/o";
    }
}

static uint64_t last_byte(uint64_t base, const MemRegion *mr)
{
    return mr->size == UINT64_MAX ? UINT64_MAX : base + mr->size - (mr->size ? 1 : 0);
}

static void print_region(const MemRegion *mr, uint64_t base, int indent, GString *out)
{
    g_string_append_printf(out, "%*s%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): ", indent, "",
                           base, last_byte(base, mr), mr->priority, region_type(mr));
    if (mr->kind == REGION_ALIAS) {
        g_string_append_printf(out, "alias %s @%s %016" PRIx64 "-%016" PRIx64, mr->name,
                               mr->target->name, mr->target_offset,
                               last_byte(mr->target_offset, mr));
        if (mr->readonly) {
            g_string_append(out, " [read-only]");
        }
    } else {
        g_string_append(out, mr->name);
    }
    g_string_append(out, mr->enabled ? "\n" : " [disabled]\n");
    for (guint i = 0; i < mr->children->len; i++) {
        const MemRegion *child = g_ptr_array_index(mr->children, i);

        print_region(child, base + child->offset, indent + 2, out);
    }
}

void address_space_print(const AddressSpace *as, GString *out)
{
    g_assert(machine_lock_held());
    g_string_append_printf(out, "address-space: %s\n", as->name);
    print_region(as->root, 0, 2, out);
    g_string_append_c(out, '\n');
}

void address_space_print_flat(const AddressSpace *as, GString *out)
{
    const FlatView *view = address_space_view(as);

    g_assert(machine_lock_held());
    g_string_append_printf(out, "FlatView of address-space \"%s\", root %s\n", as->name,
                           as->root->name);
    for (size_t i = 0; i < view->count; i++) {
        const FlatRange *range = &view->ranges[i];

        g_string_append_printf(out, "  %016" PRIx64 "-%016" PRIx64 " (%s): %s", range->base,
                               range->base + (range->size - 1),
                               range->ram && range->readonly ? "rom" : region_type(range->region),
                               range->region->name);
        if (range->region_offset) {
            g_string_append_printf(out, " @%016" PRIx64, range->region_offset);
        }
        g_string_append_c(out, '\n');
    }
    if (!view->count) {
        g_string_append(out, "  No rendered FlatView\n");
    }
    g_string_append_c(out, '\n');
}
