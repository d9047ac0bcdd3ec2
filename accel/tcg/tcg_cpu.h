/*
 * A vCPU of the translator: what GS base points to while it runs.
 *
 * Everything here belongs to the vCPU's own thread, but for the atomics in X86Cpu.cpu and POLL.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_TCG_CPU_H
#define ACCEL_TCG_TCG_CPU_H

#include "accel/tcg/debug.h"
#include "core/machine.h"
#include "core/memory.h"
#include "target-x86/cpu.h"
#include "target-x86/exec.h"
#include "target-x86/mode.h"
#include "tcg/host.h"

typedef struct Block Block;
typedef struct TcgAccel TcgAccel;
struct TranslateRequest;

enum {
    TLB_BITS = 13,
    TLB_ENTRIES = 1 << TLB_BITS,
    TLB_SETS = 8, /* address spaces kept at a time */
    JC_BITS = 14,
    JC_ENTRIES = 1 << JC_BITS,
    XTLB_ENTRIES = 512,
    EXEC_BITS = 12,
    EXEC_ENTRIES = 1 << EXEC_BITS,
    EXEC_JOURNAL = 256,
    GEN_BITS = 32 - MODE_BITS,
    BOUNCE_SIZE = 1024,
};

/* With whose rights an access is made: a user's, the kernel's with SMAP in force, and without. */
enum { TLB_USER, TLB_KERNEL, TLB_KERNEL_AC };

typedef struct TlbEntry {
    uint64_t rtag, wtag; /* negated page address, or impossible for this index */
    uint64_t host;       /* address of the page's first byte */
    uint64_t info;       /* page address | TLB_INFO_* */
} TlbEntry;

enum { TLB_INFO_GLOBAL = 1, TLB_INFO_USED = 2 };

/* Translations of one kind of access. */
typedef struct TlbTable {
    TlbEntry e[TLB_ENTRIES];
    uint16_t journal[TLB_ENTRIES]; /* indices in use */
    uint16_t used;
    bool has_nonglobal;
    uint64_t large_lo, large_hi; /* hull of large pages that have entries; lo > hi: none */
} TlbTable;

/*
 * Translations of code addresses, for user or for kernel code. All that is known of them dies with
 * the generation, which is in the tags of jump cache and xtlb, but for IP, which is emptied.
 */
typedef struct ExecSpace {
    uint32_t gen;
    bool has_nonglobal;
    uint64_t seen[64];           /* hash set of pages executed in this generation */
    uint64_t large_lo, large_hi; /* hull of large ones among them */
    /* By RAM page (exec_slot()): minus the IP of its first byte, minus exec_tag(); 0: nowhere. */
    uint64_t ip[EXEC_ENTRIES];
    uint16_t journal[EXEC_JOURNAL]; /* slots in use, while they are so few */
    unsigned used;
} ExecSpace;

/* One address space's translations, but for what all have in common. */
typedef struct TlbSet {
    TlbTable user, kernel_ac;
    ExecSpace exec;
    uint16_t pcid;
    bool valid;
    uint64_t last_use;
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
enum { EXIT_EXCEPTION = EXIT_FIRST_OWN, EXIT_RESTART, EXIT_HALT, EXIT_TRIPLE, EXIT_X87_ERROR };

struct TcgCpu {
    X86Cpu x; /* first */

    void *self;
    uint64_t tmp[4];
    uint64_t page_ip;
    TlbEntry *tlb;
    uint64_t *exec_ip; /* the current ExecSpace's */
    uint64_t ctx;
    uint64_t helper_ret, exit_arg, loop_rsp;
    int64_t seg_rlimit[6], seg_wlimit[6];
    const void *thunk_slow, *thunk_commit, *thunk_helper, *thunk_helper_end, *thunk_link,
        *thunk_dispatch, *thunk_find;
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

    TcgDebug debug;
    bool locked; /* in a locked access that needs all CPUs to stand still: locked.c */
    TlbSet *sets[TLB_SETS], *set;
    TlbTable *kernel;       /* with SMAP in force: pages of the supervisor, in all address spaces */
    ExecSpace *kernel_exec; /* likewise */
    uint32_t gen_counter;
    uint64_t use_counter;
    uint64_t features; /* bit per InsnFeature */
    Block *running;    /* the block the loop entered last */
    Block *found;      /* what find_block() found */
    XtlbEntry xtlb[XTLB_ENTRIES];
    JumpCacheEntry jc[JC_ENTRIES];
    uint8_t bounce[BOUNCE_SIZE] __attribute__((aligned(64)));
};

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

/* ---- tlb_tables.c, GPR-only ---- */
static inline TlbTable *tlb_table(TcgCpu *c, int kind)
{
    return kind == TLB_KERNEL ? c->kernel : kind == TLB_USER ? &c->set->user : &c->set->kernel_ac;
}
static inline unsigned tlb_index(uint64_t linear)
{
    return (linear >> 12) & (TLB_ENTRIES - 1);
}
/* A tag that no address with index I can match. */
static inline uint64_t tlb_impossible_tag(unsigned i)
{
    return -((uint64_t)(i ^ 1) << 12);
}
void tlb_init(TcgCpu *c); /* not GPR-only: tlb_alloc.c */
void tlb_fini(TcgCpu *c);
/* Makes entries through which the RAM page at host address HOST could be written go through the
 * slow path again. */
void tlb_protect(TcgCpu *c, const uint8_t *host);
void tlb_protect_all(TcgCpu *c);

/* ---- exec_tlb.c, GPR-only ---- */
/* The slot of RAM page number PAGE, and what tells pages with one slot apart: 1..FFFh. */
static inline unsigned exec_slot(uint64_t page)
{
    return page & (EXEC_ENTRIES - 1);
}
static inline uint64_t exec_tag(uint64_t page)
{
    return (page >> EXEC_BITS) + 1;
}
static inline bool exec_has_tag(uint64_t page)
{
    return exec_tag(page) < 4096;
}
static inline ExecSpace *exec_space(TcgCpu *c)
{
    return c->mode & MODE_USER ? &c->set->exec : c->kernel_exec;
}
/* Forgets a space. */
void exec_drop(TcgCpu *c, ExecSpace *s);
void exec_drop_nonglobal(TcgCpu *c, ExecSpace *s);
void exec_drop_page(TcgCpu *c, ExecSpace *s, uint64_t linear);
/* RAM address (ram_base numbering) of the page that holds code at LINEAR; raises #PF. False: no
 * RAM. */
bool tcg_code_page(TcgCpu *c, uint64_t linear, uint64_t *ram_addr);
/* The physical address of code at LINEAR, whatever is there; raises #PF. */
uint64_t tcg_code_phys(TcgCpu *c, uint64_t linear);
/* Code of RAM page PAGE runs at PAGE_IP in 64-bit mode, as tcg_code_page() said: linked jumps may
 * go there. */
void exec_note(TcgCpu *c, uint64_t page, uint64_t page_ip);

/* ---- locked.c: called through exec_call_c ---- */
uint64_t tcg_locked_begin(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t tcg_locked_end(X86Cpu *cpu, uint64_t a, uint64_t b);

/* ---- softtlb.c, GPR-only ---- */
HostSlowResult tcg_mem_slow(void *cpu, uint64_t addr, uint64_t desc);
void tcg_mem_commit(void *cpu, uint64_t rflags, uint64_t flags_host);
/* The range of plain memory that holds the whole page at PHYS, or NULL. */
const FlatRange *tcg_ram_range(TcgCpu *c, uint64_t phys);

#endif
