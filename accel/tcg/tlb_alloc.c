/*
 * Memory of the software TLB.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "accel/tcg/tcg_cpu.h"

static void table_init(TlbTable *t)
{
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        t->e[i].rtag = t->e[i].wtag = tlb_impossible_tag(i);
    }
    t->large_lo = UINT64_MAX;
}

static void exec_init(TcgCpu *c, ExecSpace *s)
{
    s->gen = ++c->gen_counter;
    s->large_lo = UINT64_MAX;
}

static void *alloc_zeroed(size_t size)
{
    void *p;
    int r = posix_memalign(&p, 64, size);

    g_assert(!r);
    return memset(p, 0, size);
}

void tlb_init(TcgCpu *c)
{
    for (int n = 0; n < TLB_SETS; n++) {
        c->sets[n] = alloc_zeroed(sizeof(TlbSet));
        table_init(&c->sets[n]->user);
        table_init(&c->sets[n]->kernel_ac);
        exec_init(c, &c->sets[n]->exec);
    }
    c->set = c->sets[0];
    c->set->valid = true;
    c->kernel = alloc_zeroed(sizeof(*c->kernel));
    table_init(c->kernel);
    c->kernel_exec = alloc_zeroed(sizeof(*c->kernel_exec));
    exec_init(c, c->kernel_exec);
}

void tlb_fini(TcgCpu *c)
{
    for (int n = 0; n < TLB_SETS; n++) {
        free(c->sets[n]);
    }
    free(c->kernel);
    free(c->kernel_exec);
}
