/*
 * Links between blocks: jumps whose target is known and translated. Under the code lock.
 *
 * An edge is one aligned rel32 that leads to its target's entry, to a link that checks first
 * whether the target's page is where it was (tcg/host.h), or back to its own stub. It is changed by
 * one store, so other vCPUs may be running it. Links of edges that were undone stay until their
 * segment is evicted. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/code_int.h"

static void edge_set(Edge *e, uint64_t target)
{
    __atomic_store_n((int32_t *)(void *)e->patch_rw, (int32_t)(target - (e->patch_rx + 4)),
                     __ATOMIC_RELEASE);
}

uint64_t code_edge_target(const Edge *e)
{
    return e->patch_rx + 4 +
           (uint64_t)(int64_t)__atomic_load_n((const int32_t *)(const void *)e->patch_rw,
                                              __ATOMIC_RELAXED);
}

void code_unlink(Edge *e)
{
    Edge **p;

    if (!e->to) {
        return;
    }
    for (p = &e->to->incoming; *p != e; p = &(*p)->next_in) {
    }
    *p = e->next_in;
    e->to = NULL;
    edge_set(e, e->patch_rx + 4 + (uint64_t)(int64_t)e->unlinked_rel);
}

/* Where an edge to the block with entry ENTRY leads; 0: there is no way. */
static uint64_t make_link(TcgAccel *a, const Edge *e, const Block *to, uint64_t entry)
{
    uint64_t page = to->ram_addr >> 12;
    HostLink link = {
        .target = e->target,
        .slot = exec_slot(page),
        .tag = (uint32_t)exec_tag(page),
        .flags_host = e->flags_host,
        .poll = e->backward,
        .to = entry,
    };

    if (!exec_has_tag(page) || (uint64_t)(e->target & 0xfff) != (to->ram_addr & 0xfff)) {
        return 0;
    }
    return code_room_link(a, &link);
}

void code_link(TcgAccel *a, Edge *e, Block *to)
{
    uint64_t target;

    pthread_mutex_lock(&a->lock);
    if (!e->from->dead && !to->dead && !e->to && e->from->mode == to->mode) {
        target = e->flags_host ? (uint64_t)(uintptr_t)to->entry_host
                               : (uint64_t)(uintptr_t)atomic_load(&to->entry);
        if (e->far) {
            target = make_link(a, e, to, target);
        } else if (((e->from->ram_addr & ~0xfffull) | (uint32_t)e->target) != to->ram_addr) {
            target = 0;
        }
        if (target) {
            e->to = to;
            e->next_in = to->incoming;
            to->incoming = e;
            edge_set(e, target);
            a->linked++;
        }
    }
    pthread_mutex_unlock(&a->lock);
}
