/*
 * The page walk (SDM 3A 4): identity, 32-bit with PSE and PSE-36, PAE with PDPTE registers,
 * 4-level. GPR-only code.
 *
 * A walk collects the entries on its path, decides from their combined bits whether the access is
 * allowed, and only then sets accessed and dirty bits, by compare-and-swap; when another CPU
 * changed an entry meanwhile, the walk starts again.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"
#include "target-x86/seg.h"

#define PTE_P             (1ull << 0)
#define PTE_W             (1ull << 1)
#define PTE_U             (1ull << 2)
#define PTE_A             (1ull << 5)
#define PTE_D             (1ull << 6)
#define PTE_PS            (1ull << 7)
#define PTE_G             (1ull << 8)
#define PTE_NX            (1ull << 63)
#define PTE_RSVD_LARGE_2M 0x1fe000ull   /* bits 20:13 of an entry that maps 2 MiB */
#define PTE_RSVD_LARGE_1G 0x3fffe000ull /* bits 29:13 of one that maps 1 GiB */

/* How often a walk starts again before it leaves an accessed or dirty bit unset. Only an entry in
 * memory that takes no writes can get there. */
enum { MAX_RETRIES = 256 };

typedef struct Path {
    uint64_t entry[4], addr[4]; /* from the root down; the last is the leaf */
    unsigned depth;
    unsigned entry_size;
    unsigned page_bits;
    uint64_t frame; /* physical address of the page */
    uint64_t all;   /* AND of W and U, NX inverted, of every level */
    bool missing, reserved;
} Path;

static const uint64_t ALL_RIGHTS = PTE_W | PTE_U | PTE_NX;

/* Takes one entry into the path; false: the walk ends here with a fault. */
static inline bool take(Path *p, uint64_t addr, uint64_t entry, uint64_t rsvd)
{
    p->addr[p->depth] = addr;
    p->entry[p->depth++] = entry;
    if (!(entry & PTE_P)) {
        p->missing = true;
        return false;
    }
    if (entry & rsvd) {
        p->reserved = true;
        return false;
    }
    p->all &= entry ^ PTE_NX;
    return true;
}

static inline void leaf(Path *p, uint64_t entry, uint64_t linear, unsigned bits, uint64_t mask)
{
    uint64_t offset = (1ull << bits) - 1;
    p->page_bits = bits;
    p->frame = (entry & mask & ~offset) | (linear & offset);
}

/* The two lower levels of PAE and 4-level paging, from the page directory at TABLE. */
static inline void walk_directory(X86Cpu *cpu, Path *p, uint64_t table, uint64_t linear,
                                  uint64_t mask, uint64_t rsvd)
{
    uint64_t addr = table | (linear >> 18 & 0xff8);
    uint64_t entry = x86_ld_phys(cpu, addr, 8);
    if (!take(p, addr, entry, entry & PTE_PS ? rsvd | PTE_RSVD_LARGE_2M : rsvd)) {
        return;
    }
    if (entry & PTE_PS) {
        leaf(p, entry, linear, 21, mask);
        return;
    }
    addr = (entry & mask) | (linear >> 9 & 0xff8);
    entry = x86_ld_phys(cpu, addr, 8);
    if (take(p, addr, entry, rsvd)) {
        leaf(p, entry, linear, 12, mask);
    }
}

static inline void walk_4level(X86Cpu *cpu, Path *p, uint64_t linear, uint64_t mask, uint64_t rsvd)
{
    uint64_t addr = (cpu->st.cr3 & mask) | (linear >> 36 & 0xff8);
    uint64_t entry = x86_ld_phys(cpu, addr, 8);
    if (!take(p, addr, entry, rsvd | PTE_PS)) {
        return;
    }
    addr = (entry & mask) | (linear >> 27 & 0xff8);
    entry = x86_ld_phys(cpu, addr, 8);
    if (__builtin_expect((entry & (PTE_P | PTE_PS)) == (PTE_P | PTE_PS), 0)) {
        bool huge = cpu_model_has(cpu->model, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_PDPE1GB);
        if (take(p, addr, entry, rsvd | (huge ? PTE_RSVD_LARGE_1G : PTE_PS))) {
            leaf(p, entry, linear, 30, mask);
        }
        return;
    }
    if (take(p, addr, entry, rsvd)) {
        walk_directory(cpu, p, entry & mask, linear, mask, rsvd);
    }
}

static void walk_pae(X86Cpu *cpu, Path *p, uint64_t linear, uint64_t mask, uint64_t rsvd)
{
    uint64_t pdpte = cpu->st.pdptr[linear >> 30 & 3];
    if (!(pdpte & PTE_P)) { /* reserved bits have been checked when it was loaded */
        p->missing = true;
        return;
    }
    /* Bits 62:52 are reserved here; in 4-level paging they are the system's to use. */
    rsvd |= 0x7ff0000000000000ull;
    walk_directory(cpu, p, pdpte & mask, linear, mask, rsvd);
}

static void walk_32bit(X86Cpu *cpu, Path *p, uint64_t linear)
{
    X86State *st = &cpu->st;
    uint64_t addr = (st->cr3 & 0xfffff000) | (linear >> 20 & 0xffc);
    uint64_t entry = x86_ld_phys(cpu, addr, 4);

    p->entry_size = 4;
    if ((entry & PTE_PS) && (st->cr4 & CR4_PSE)) {
        /* PSE-36: bits 20:13 are bits 39:32 of the address; those beyond its width are reserved. */
        bool pse36 = cpu_model_has(cpu->model, CPUID_1_EDX, CPUID_1_EDX_PSE36);
        uint64_t high = (entry >> 13 & 0xff) << 32;
        uint64_t rsvd = 1u << 21;
        if (!pse36) {
            rsvd |= 0x3fe000;
        } else if (high & ~cpu->phys_mask) {
            rsvd |= 0x1fe000;
        }
        if (take(p, addr, entry, rsvd)) {
            leaf(p, (entry & 0xffc00000) | high, linear, 22, ~0ull);
        }
        return;
    }
    if (!take(p, addr, entry, 0)) {
        return;
    }
    addr = (entry & 0xfffff000) | (linear >> 10 & 0xffc);
    entry = x86_ld_phys(cpu, addr, 4);
    if (take(p, addr, entry, 0)) {
        leaf(p, entry, linear, 12, 0xfffff000);
    }
}

/* Sets A in every entry, and D in the leaf; false: one has changed, start again. */
static bool set_accessed(X86Cpu *cpu, Path *p, bool dirty)
{
    for (unsigned i = 0; i < p->depth; i++) {
        uint64_t want = p->entry[i] | PTE_A | (dirty && i == p->depth - 1 ? PTE_D : 0);
        if (want != p->entry[i] &&
            !x86_cas_phys(cpu, p->addr[i], p->entry[i], want, p->entry_size)) {
            return false;
        }
        p->entry[i] = want;
    }
    return true;
}

/* The rights of an access, from the control registers and the rights of the path (SDM 3A 4.6). */
typedef struct Rights {
    bool read, write, exec;
} Rights;

static inline Rights path_rights(const X86State *st, uint64_t all, bool as_user, bool ac_set)
{
    bool user_page = all & PTE_U, executable = all & PTE_NX; /* NX is inverted in ALL */
    Rights r;
    if (as_user) {
        r.read = user_page;
        r.write = user_page && (all & PTE_W);
        r.exec = user_page && executable;
    } else {
        r.read = !(user_page && (st->cr4 & CR4_SMAP) && !ac_set);
        r.write = r.read && ((all & PTE_W) || !(st->cr0 & CR0_WP));
        r.exec = executable && !(user_page && (st->cr4 & CR4_SMEP));
    }
    return r;
}

static void identity(uint64_t linear, WalkResult *out)
{
    *out = (WalkResult){.phys = (uint32_t)linear,
                        .page_bits = 12,
                        .writable = true,
                        .executable = true,
                        .user = true};
}

void x86_walk(X86Cpu *cpu, uint64_t linear, WalkAccess access, bool as_user, bool ac_set, bool peek,
              WalkResult *out)
{
    X86State *st = &cpu->st;
    uint32_t fault = WALK_FAULT | (as_user ? PF_U : 0) | (access == WALK_WRITE ? PF_W : 0);
    bool nxe = (st->efer & EFER_NXE) && (st->cr4 & CR4_PAE);
    unsigned retries = 0;
    Path p;

    if (__builtin_expect(!(st->cr0 & CR0_PG), 0)) {
        identity(linear, out);
        return;
    }
    if (access == WALK_EXEC && (nxe || (st->cr4 & CR4_SMEP))) {
        fault |= PF_I;
    }
    uint64_t mask = cpu->phys_mask & 0x000ffffffffff000ull;
    uint64_t rsvd = (~cpu->phys_mask & 0x000ffffffffff000ull) | (nxe ? 0 : PTE_NX);
again:
    p.depth = 0;
    p.entry_size = 8;
    p.frame = 0;
    p.page_bits = 0;
    p.all = ALL_RIGHTS;
    p.missing = p.reserved = false;
    if (__builtin_expect(x86_is_long(st), 1)) {
        if (!is_canonical(linear)) {
            *out = (WalkResult){.fault = WALK_FAULT | WALK_NONCANONICAL};
            return;
        }
        walk_4level(cpu, &p, linear, mask, rsvd);
    } else if (st->cr4 & CR4_PAE) {
        walk_pae(cpu, &p, (uint32_t)linear, mask, rsvd);
    } else {
        walk_32bit(cpu, &p, (uint32_t)linear);
    }
    if (__builtin_expect(p.missing || p.reserved, 0)) {
        *out = (WalkResult){.fault = fault | (p.reserved ? PF_P | PF_RSVD : 0)};
        return;
    }
    Rights r = path_rights(st, p.all, as_user, ac_set);
    bool allowed = access == WALK_READ ? r.read : access == WALK_WRITE ? r.write : r.exec;
    if (!allowed) {
        *out = (WalkResult){.fault = fault | PF_P};
        return;
    }
    if (!peek && !set_accessed(cpu, &p, access == WALK_WRITE) && ++retries < MAX_RETRIES) {
        goto again;
    }
    uint64_t last = p.entry[p.depth - 1];
    out->phys = p.frame;
    out->page_bits = p.page_bits;
    out->writable = r.write && (last & PTE_D);
    out->executable = r.exec;
    out->user = p.all & PTE_U;
    out->global = (last & PTE_G) && (st->cr4 & CR4_PGE);
    out->fault = 0;
}
