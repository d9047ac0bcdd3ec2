/*
 * Memory of the software TLB.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "accel/tcg/tcg_cpu.h"

void tlb_init(TcgCpu *c)
{
    for (int n = 0; n < TLB_SETS; n++) {
        TlbSet *s;
        int r = posix_memalign((void **)&s, 64, sizeof *s);

        g_assert(!r);
        memset(s, 0, sizeof *s);
        for (int k = 0; k < TLB_KINDS; k++) {
            for (unsigned i = 0; i < TLB_ENTRIES; i++) {
                s->e[k][i].rtag = s->e[k][i].wtag = -((uint64_t)(i ^ 1) << 12);
            }
        }
        s->large_lo = UINT64_MAX;
        s->gen = ++c->gen_counter;
        c->sets[n] = s;
    }
    c->set = c->sets[0];
    c->set->valid = true;
}

void tlb_fini(TcgCpu *c)
{
    for (int n = 0; n < TLB_SETS; n++) {
        free(c->sets[n]);
    }
}
