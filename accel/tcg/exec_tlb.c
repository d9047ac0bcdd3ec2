/*
 * Where code addresses lead: page by page, for user and for kernel code. GPR-only
 * (target-x86/exec.h).
 *
 * Three caches depend on it. The xtlb has the RAM page of a linear page; the jump cache has the
 * block of an IP; both carry a generation in their tags, so forgetting everything is taking a new
 * one. The third serves jumps that are linked across pages (tcg/host.h): it is indexed by RAM page
 * and says at which IP that page runs now. A linked jump knows its target's RAM page, and its own
 * page's IP, so it compares one word. That cache is emptied by its journal.
 *
 * Kernel code has one space for all address spaces as long as every page of it is global. Once
 * another page was executed, the space is dropped with the address space.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/code.h"
#include "accel/tcg/tcg_cpu.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")

/* ---- forgetting ---- */

/* Generations have GEN_BITS bits: when they are used up, everything tagged with one is dropped. */
static void restart_gens(TcgCpu *c)
{
    for (int i = 0; i < JC_ENTRIES; i++) {
        c->jc[i].ctx = UINT64_MAX;
    }
    for (int i = 0; i < XTLB_ENTRIES; i++) {
        c->xtlb[i].gen = 0;
    }
    c->gen_counter = 0;
    for (int i = 0; i < TLB_SETS; i++) {
        c->sets[i]->exec.gen = ++c->gen_counter;
    }
    c->kernel_exec->gen = ++c->gen_counter;
}

void exec_drop(TcgCpu *c, ExecSpace *s)
{
    if (c->gen_counter + 1 == 1u << GEN_BITS) {
        restart_gens(c);
    }
    s->gen = ++c->gen_counter;
    s->has_nonglobal = false;
    s->large_lo = UINT64_MAX;
    s->large_hi = 0;
    for (int i = 0; i < 64; i++) {
        s->seen[i] = 0;
    }
    if (s->used > EXEC_JOURNAL) {
        for (int i = 0; i < EXEC_ENTRIES; i++) {
            s->ip[i] = 0;
        }
    } else {
        for (unsigned i = 0; i < s->used; i++) {
            s->ip[s->journal[i]] = 0;
        }
    }
    s->used = 0;
    tcg_ctx_changed(c);
}

void exec_drop_nonglobal(TcgCpu *c, ExecSpace *s)
{
    if (s->has_nonglobal) {
        exec_drop(c, s);
    }
}

static unsigned seen_bit(uint64_t page)
{
    return (unsigned)(page >> 12 ^ page >> 24) & (64 * 64 - 1);
}

void exec_drop_page(TcgCpu *c, ExecSpace *s, uint64_t linear)
{
    uint64_t page = linear & ~0xfffull;
    unsigned bit = seen_bit(page);

    if ((page >= s->large_lo && page <= s->large_hi) || (s->seen[bit / 64] >> (bit % 64) & 1)) {
        exec_drop(c, s);
    }
}

/* ---- looking up ---- */

static void walk_code(TcgCpu *c, uint64_t linear, WalkResult *w)
{
    x86_walk(&c->x, linear & ~0xfffull, WALK_EXEC, c->mode & MODE_USER, false, false, w);
    if (w->fault) {
        if (w->fault & WALK_NONCANONICAL) {
            x86_raise_err(&c->x, EXC_GP, 0);
        }
        c->x.st.cr2 = linear;
        x86_raise_err(&c->x, EXC_PF, w->fault & 0x1f);
    }
}

uint64_t tcg_code_phys(TcgCpu *c, uint64_t linear)
{
    WalkResult w;

    walk_code(c, linear, &w);
    return w.phys | (linear & 0xfff);
}

bool tcg_code_page(TcgCpu *c, uint64_t linear, uint64_t *ram_addr)
{
    uint64_t page = linear & ~0xfffull;
    ExecSpace *s = exec_space(c);
    int kind = c->mode & MODE_USER ? TLB_USER : TLB_KERNEL;
    XtlbEntry *x = &c->xtlb[((page >> 12) ^ (page >> 21)) & (XTLB_ENTRIES - 1)];
    unsigned bit = seen_bit(page);
    WalkResult w;
    const FlatRange *r;

    if (x->gen == s->gen && x->page == (page | (unsigned)kind)) {
        *ram_addr = x->ram_addr;
        return true;
    }
    walk_code(c, linear, &w);
    r = tcg_ram_range(c, w.phys);
    if (!r) {
        return false;
    }
    *ram_addr = r->ram->ram_base + r->ram_offset + (w.phys - r->base);
    x->page = page | (unsigned)kind;
    x->gen = s->gen;
    x->ram_addr = *ram_addr;
    s->seen[bit / 64] |= 1ull << (bit % 64);
    s->has_nonglobal |= !w.global;
    if (w.page_bits > 12) {
        uint64_t lo = page & ~((1ull << w.page_bits) - 1), hi = page | ((1ull << w.page_bits) - 1);
        s->large_lo = lo < s->large_lo ? lo : s->large_lo;
        s->large_hi = hi > s->large_hi ? hi : s->large_hi;
    }
    return true;
}

void exec_note(TcgCpu *c, uint64_t page, uint64_t page_ip)
{
    ExecSpace *s = exec_space(c);
    unsigned slot = exec_slot(page);
    uint64_t value = -(page_ip + exec_tag(page));

    if (s->ip[slot] == value || !exec_has_tag(page)) {
        return;
    }
    if (!s->ip[slot]) {
        if (s->used < EXEC_JOURNAL) {
            s->journal[s->used] = (uint16_t)slot;
        }
        s->used++;
    }
    s->ip[slot] = value;
}
