/*
 * A vCPU of the translator: what GS base points to while it runs.
 *
 * Everything here belongs to the vCPU's own thread, but for the atomics in X86Cpu.cpu and POLL.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_TCG_CPU_H
#define ACCEL_TCG_TCG_CPU_H

#include "core/machine.h"
#include "target-x86/cpu.h"
#include "target-x86/exec.h"
#include "target-x86/mode.h"
#include "tcg/host.h"

typedef struct Block Block;
typedef struct TcgAccel TcgAccel;

enum {
    TLB_BITS = 11,
    TLB_ENTRIES = 1 << TLB_BITS,
    TLB_KINDS = 3, /* user, kernel with SMAP in force, kernel without */
    TLB_SETS = 8,  /* address spaces kept at a time */
    JC_BITS = 12,
    JC_ENTRIES = 1 << JC_BITS,
    XTLB_ENTRIES = 512,
    GEN_BITS = 32 - MODE_BITS,
    BOUNCE_SIZE = 1024,
};

enum { TLB_USER, TLB_KERNEL, TLB_KERNEL_AC };

typedef struct TlbEntry {
    uint64_t rtag, wtag; /* negated page address, or impossible for this index */
    uint64_t host;       /* address of the page's first byte */
    uint64_t info;       /* page address | TLB_INFO_* */
} TlbEntry;

enum { TLB_INFO_GLOBAL = 1, TLB_INFO_USED = 2 };

/* One address space's translations, of the three kinds. */
typedef struct TlbSet {
    TlbEntry e[TLB_KINDS][TLB_ENTRIES];
    uint16_t journal[TLB_KINDS][TLB_ENTRIES]; /* indices in use */
    uint16_t used[TLB_KINDS];
    uint16_t pcid;
    bool valid;
    uint32_t gen; /* changes whenever a code translation may have gone */
    uint64_t last_use;
    uint64_t large_lo, large_hi; /* hull of large pages that have entries; lo > hi: none */
    uint64_t exec_seen[16];      /* hash set of pages executed in this generation */
} TlbSet;

typedef struct JumpCacheEntry {
    uint64_t ip, ctx, page_ip;
    Block *block;
} JumpCacheEntry;

/* Code translations: page address -> RAM. */
typedef struct XtlbEntry {
    uint64_t page;     /* linear page address | kind */
    uint64_t ram_addr; /* of the page */
    uint32_t gen;
} XtlbEntry;

/* Why enter() came back, beyond tcg/host.h's. */
enum { EXIT_EXCEPTION = EXIT_FIRST_OWN, EXIT_RESTART, EXIT_HALT, EXIT_TRIPLE };

typedef struct TcgCpu {
    X86Cpu x; /* first */

    void *self;
    uint64_t tmp[4];
    uint64_t page_ip;
    TlbEntry *tlb;
    uint64_t ctx;
    uint64_t helper_ret, exit_arg, loop_rsp;
    int64_t seg_rlimit[6], seg_wlimit[6];
    const void *thunk_slow, *thunk_commit, *thunk_helper, *thunk_helper_end, *thunk_link,
        *thunk_dispatch;
    uint16_t fl_saved;
    _Atomic uint32_t poll;

    TcgAccel *accel;
    _Atomic bool in_code; /* between enter() and its return: code may be on the stack */
    uint64_t next_rip;    /* of the instruction a helper runs for */
    uint32_t mode;        /* MODE_*, without MODE_ONE */
    uint8_t kind;         /* TLB_USER.. */
    bool has_error, exc_trap;
    bool broken; /* the state put last cannot be run */
    int exc_vector;
    uint32_t exc_error;
    uint64_t exc_rip; /* saved IP of a trap */

    /* A slow access on its way: what commit has to do. */
    struct {
        uint64_t linear;
        uint32_t size;
        bool active, mmio, smc_exit, last;
        uint64_t next_rip;
    } commit;

    TlbSet *sets[TLB_SETS], *set;
    uint32_t gen_counter;
    uint64_t use_counter;
    uint64_t features; /* bit per InsnFeature */
    Block *running;    /* the block the loop entered last */
    Block *found;      /* what find_block() found */
    XtlbEntry xtlb[XTLB_ENTRIES];
    JumpCacheEntry jc[JC_ENTRIES];
    uint8_t bounce[BOUNCE_SIZE] __attribute__((aligned(64)));
} TcgCpu;

static inline TcgCpu *tcg_cpu(X86Cpu *x)
{
    return (TcgCpu *)x;
}

/* Physical memory as this CPU sees it now. */
static inline AddressSpace *tcg_memory(TcgCpu *c)
{
    Machine *m = c->x.cpu.machine;

    return c->x.st.smm && m->smm_memory.root ? &m->smm_memory : &m->memory;
}

/* The status flags as LAHF and SETO leave them. */
static inline uint16_t flags_pack(uint64_t rflags)
{
    return (uint16_t)((rflags & 0xd5) << 8 | 2 << 8 | ((rflags >> 11) & 1));
}
static inline uint64_t flags_unpack(uint64_t rflags, uint16_t saved)
{
    return (rflags & ~(uint64_t)FLAG_STATUS) | ((saved >> 8) & 0xd5) | (uint64_t)(saved & 1) << 11;
}

/* ---- softtlb.c, GPR-only ---- */
void tlb_init(TcgCpu *c); /* not GPR-only: softtlb_alloc.c */
void tlb_fini(TcgCpu *c);
HostSlowResult tcg_mem_slow(void *cpu, uint64_t addr, uint64_t desc);
void tcg_mem_commit(void *cpu, uint64_t rflags, uint64_t flags_host);
/* RAM address (ram_base numbering) of the page that holds code at LINEAR; raises #PF. False: no
 * RAM. */
bool tcg_code_page(TcgCpu *c, uint64_t linear, uint64_t *ram_addr);
/* Makes entries through which the RAM page at host address HOST could be written go through the
 * slow path again. */
void tlb_protect(TcgCpu *c, const uint8_t *host);
void tlb_protect_all(TcgCpu *c);

#endif
