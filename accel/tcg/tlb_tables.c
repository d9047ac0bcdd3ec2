/*
 * The tables of the software TLB: which there are, and flushing them. GPR-only (target-x86/exec.h).
 *
 * Each address space (PCID) has a set: a table for user accesses, and one for those of a kernel
 * that may touch user pages. What a kernel does with SMAP in force touches supervisor pages only,
 * which mostly are global, so one table serves all address spaces; of its entries those that are
 * not global go when the address space changes. Code addresses are divided likewise (exec_tlb.c).
 *
 * Flushing a table undoes the entries named in its journal, so that it costs what was filled.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/code.h"
#include "accel/tcg/tcg_cpu.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")

/* ---- one table ---- */

static void table_flush(TlbTable *t, bool keep_global)
{
    unsigned kept = 0;

    if (keep_global && !t->has_nonglobal) {
        return;
    }
    for (unsigned j = 0; j < t->used; j++) {
        unsigned i = t->journal[j];
        if (keep_global && (t->e[i].info & TLB_INFO_GLOBAL)) {
            t->journal[kept++] = (uint16_t)i;
        } else {
            t->e[i].rtag = t->e[i].wtag = tlb_impossible_tag(i);
            t->e[i].info = 0;
        }
    }
    t->used = (uint16_t)kept;
    t->has_nonglobal = false;
    if (!keep_global) {
        t->large_lo = UINT64_MAX;
        t->large_hi = 0;
    }
}

static void table_flush_page(TlbTable *t, uint64_t linear)
{
    uint64_t page = linear & ~0xfffull;
    unsigned i = tlb_index(linear);

    if (page >= t->large_lo && page <= t->large_hi) {
        table_flush(t, false); /* a large page's entries stand anywhere in it */
    } else if ((t->e[i].info & ~0xfffull) == page && (t->e[i].info & TLB_INFO_USED)) {
        t->e[i].rtag = t->e[i].wtag = tlb_impossible_tag(i);
    }
}

static void table_protect(TlbTable *t, const uint8_t *host)
{
    for (unsigned j = 0; j < t->used; j++) {
        unsigned i = t->journal[j];
        if (!host || t->e[i].host == (uint64_t)(uintptr_t)host) {
            t->e[i].wtag = tlb_impossible_tag(i);
        }
    }
}

/* ---- sets ---- */

static void set_flush(TcgCpu *c, TlbSet *s, bool keep_global)
{
    table_flush(&s->user, keep_global);
    table_flush(&s->kernel_ac, keep_global);
    exec_drop(c, &s->exec);
}

/* What kernels have in common loses what is not global. */
static void common_drop_nonglobal(TcgCpu *c)
{
    table_flush(c->kernel, true);
    exec_drop_nonglobal(c, c->kernel_exec);
}

void x86_tlb_flush_all(X86Cpu *cpu)
{
    TcgCpu *c = tcg_cpu(cpu);

    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid) {
            set_flush(c, c->sets[i], false);
            c->sets[i]->valid = c->sets[i] == c->set;
        }
    }
    table_flush(c->kernel, false);
    exec_drop(c, c->kernel_exec);
}

void x86_tlb_flush_nonglobal(X86Cpu *cpu)
{
    TcgCpu *c = tcg_cpu(cpu);

    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid) {
            set_flush(c, c->sets[i], true);
        }
    }
    common_drop_nonglobal(c);
}

static TlbSet *set_find(TcgCpu *c, uint16_t pcid)
{
    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid && c->sets[i]->pcid == pcid) {
            return c->sets[i];
        }
    }
    return NULL;
}

void x86_tlb_flush_pcid(X86Cpu *cpu, uint16_t pcid)
{
    TcgCpu *c = tcg_cpu(cpu);
    TlbSet *s = set_find(c, pcid);

    if (s) {
        set_flush(c, s, true);
    }
    common_drop_nonglobal(c);
}

static void set_flush_page(TcgCpu *c, TlbSet *s, uint64_t linear)
{
    table_flush_page(&s->user, linear);
    table_flush_page(&s->kernel_ac, linear);
    exec_drop_page(c, &s->exec, linear);
}

static void common_flush_page(TcgCpu *c, uint64_t linear)
{
    table_flush_page(c->kernel, linear);
    exec_drop_page(c, c->kernel_exec, linear);
}

void x86_tlb_flush_page(X86Cpu *cpu, uint64_t linear)
{
    TcgCpu *c = tcg_cpu(cpu);

    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid) {
            set_flush_page(c, c->sets[i], linear);
        }
    }
    common_flush_page(c, linear);
}

void x86_tlb_flush_pcid_page(X86Cpu *cpu, uint16_t pcid, uint64_t linear)
{
    TcgCpu *c = tcg_cpu(cpu);
    TlbSet *s = set_find(c, pcid);

    if (s) {
        set_flush_page(c, s, linear);
    }
    common_flush_page(c, linear);
}

void x86_tlb_switch(X86Cpu *cpu, bool flush)
{
    TcgCpu *c = tcg_cpu(cpu);
    uint16_t pcid = cpu->st.cr4 & CR4_PCIDE ? cpu->st.cr3 & 0xfff : 0;
    TlbSet *s = set_find(c, pcid);

    if (!s) {
        s = c->sets[0];
        for (int i = 1; i < TLB_SETS && s->valid; i++) {
            if (!c->sets[i]->valid || c->sets[i]->last_use < s->last_use) {
                s = c->sets[i];
            }
        }
        set_flush(c, s, s->valid); /* global entries are good for any PCID */
        s->valid = true;
        s->pcid = pcid;
    } else if (flush) {
        set_flush(c, s, true);
    }
    common_drop_nonglobal(c);
    s->last_use = ++c->use_counter;
    c->set = s;
    tcg_ctx_changed(c);
}

void tlb_protect(TcgCpu *c, const uint8_t *host)
{
    for (int n = 0; n < TLB_SETS; n++) {
        if (c->sets[n]->valid) {
            table_protect(&c->sets[n]->user, host);
            table_protect(&c->sets[n]->kernel_ac, host);
        }
    }
    table_protect(c->kernel, host);
}

void tlb_protect_all(TcgCpu *c)
{
    tlb_protect(c, NULL);
}
