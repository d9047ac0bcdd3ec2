/*
 * A host back end: turns an IrBlock into machine code.
 *
 * The register contract (x86-64 host). While generated code runs:
 *   GS base        the vCPU's structure; HostLayout says where its fields are
 *   RAX RCX RDX RBX RSI RDI R8 R9 R12 R13   the guest registers of the same names
 *   R10, R11       guest RSP, RBP
 *   guest R10 R11 R14 R15   in their GS slots
 *   RBP R14 R15    scratch: host pointer (TH), address (TA), index (TI)
 *   RSP            the C stack of the execution loop; nothing is kept on it
 *   RFLAGS, vectors, x87, MXCSR   the guest's
 * Status flags are either live in RFLAGS ("host") or in the GS slot fl_saved as LAHF/SETO left them
 * ("saved"); generated code knows which at every point, and the edge between two blocks agrees on
 * one: each block has an entry for either. System flags (DF, IF ...) are in the CPU state only.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_HOST_H
#define TCG_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "tcg/ir.h"

/* Offsets from GS base, in bytes. */
typedef struct HostLayout {
    int32_t gpr;         /* uint64_t[16] */
    int32_t tmp;         /* uint64_t[4] */
    int32_t fl_saved;    /* uint16_t: AH from LAHF in the high byte, OF in bit 0 */
    int32_t page_ip;     /* uint64_t: guest IP of page offset 0 */
    int32_t exec_ip;     /* uint64_t *: what linked jumps between pages check: HostLink */
    int32_t poll;        /* uint32_t: not 0: leave generated code */
    int32_t tlb;         /* struct tlb entry *: the current set */
    int32_t ctx;         /* uint64_t: mode and address space, tag of the jump cache */
    int32_t jump_cache;  /* entries {ip, ctx, page_ip, block *}, 32 bytes each */
    int32_t seg_base[6]; /* uint64_t */
    int32_t seg_rlimit, seg_wlimit; /* int64_t[6]: last valid offset for plain segments, else -1 */
    int32_t helper_ret;             /* uint64_t */
    int32_t self;                   /* void *: GS base itself */
    int32_t loop_rsp;               /* uint64_t: stack of the innermost enter or guard */
    int32_t exit_arg;               /* uint64_t */
    int32_t thunk_slow, thunk_commit, thunk_helper, thunk_helper_end, thunk_link, thunk_dispatch,
        thunk_find;
    uint32_t tlb_index_mask; /* entries - 1 */
    uint32_t jump_cache_mask;
    int32_t block_entry; /* offset in a block's descriptor of its saved-flags entry pointer */
} HostLayout;

/* A TLB entry: 32 bytes. Tags are the negated page address, so that address + tag is the offset in
 * the page when it matches; HOST is the host address of the page. */
enum { TLB_ENTRY_BITS = 5, TLB_RTAG = 0, TLB_WTAG = 8, TLB_HOST = 16 };

/* What the slow path is told in TI. */
enum {
    SLOW_OFF_MASK = 0xfff, /* insn_off */
    SLOW_LEN_SHIFT = 12,
    SLOW_SIZE_SHIFT = 16, /* 10 bits */
    SLOW_WRITE = 1 << 26,
    SLOW_READ = 1 << 27,
    SLOW_LAST = 1 << 28,     /* the instruction is complete after the commit */
    SLOW_SEGCHECK = 1 << 29, /* TA is an offset in the segment; check it */
    SLOW_ALIGNED = 1 << 30,  /* #GP unless aligned to its size */
    SLOW_SEG_SHIFT = 32,     /* 3 bits */
};
#define SLOW_LOCKED (1ull << 35) /* atomic for other CPUs */

enum { HOST_MAX_EDGES = 2, HOST_MAX_FAULTS = 256 };

/* An edge to another block. PATCH is the offset of an aligned rel32 in the code. */
typedef struct HostEdge {
    uint32_t patch;
    int32_t target;  /* offset from the start of this block's page; far: outside of the page */
    bool flags_host; /* link to the target's host entry; else to its saved entry */
    bool far;
    bool backward;
} HostEdge;

/* Offsets in a block's code count from its start, also in the cold part. */
typedef struct HostFault {
    uint32_t code_off;
    uint16_t insn_off;
    uint8_t insn_len;
    bool flags_host;
} HostFault;

typedef struct HostCode {
    uint32_t size, cold_size;
    uint32_t entry_host, entry_saved; /* offsets */
    int edge_count;
    HostEdge edges[HOST_MAX_EDGES];
    int fault_count;
    HostFault faults[HOST_MAX_FAULTS];
} HostCode;

/* Where a block's code goes: what seldom runs is laid apart, behind the rest in one mapping. */
typedef struct HostBuf {
    uint8_t *hot, *cold; /* COLD is above HOT by less than 2 GiB */
    size_t hot_size, cold_size;
} HostBuf;

/*
 * Emits BLOCK. EDGE_IDS are opaque values that an unlinked edge passes to thunk_link in TA. False
 * when a buffer is too small.
 */
bool host_emit_block(const HostLayout *layout, const IrBlock *block, const HostBuf *buf,
                     const uint64_t edge_ids[HOST_MAX_EDGES], HostCode *out);

/*
 * A link between pages: code that checks that the target's page is still the RAM page which the
 * target was translated from, sets page_ip, and jumps. SLOT of the array exec_ip points to holds
 * minus the IP at which that RAM page's code runs now, minus TAG; 0 when it is not known to.
 */
typedef struct HostLink {
    int32_t target; /* as in HostEdge */
    uint32_t slot;
    uint32_t tag; /* 1..4095 */
    bool flags_host;
    bool poll;       /* leaves when something is to be done, as every loop must somewhere */
    uint64_t to, rx; /* the target's entry for these flags; where this code runs */
} HostLink;

/* Emits LINK to BUF; its size, or 0 when SIZE is too small. */
size_t host_emit_link(const HostLayout *layout, const HostLink *link, uint8_t *buf, size_t size);

/*
 * Thunks: the pieces of code between generated code and C. C functions called from them are
 * GPR-only (design, item 5) unless they go through the owner's own vector-saving call. All guest
 * registers are in their gpr slots while they run. CPU is what GS base points to.
 */
enum {
    EXIT_NEXT,      /* a helper that ends its block is done */
    EXIT_LINK,      /* an unlinked edge; exit_arg is its id */
    EXIT_DISPATCH,  /* exit_arg is the guest IP */
    EXIT_FIRST_OWN, /* from here on: reasons given to unwind */
};

typedef struct HostSlowResult {
    uint64_t host;   /* for TH */
    uint64_t bounce; /* for TI */
} HostSlowResult;

typedef struct HostCallbacks {
    HostSlowResult (*slow)(void *cpu, uint64_t addr, uint64_t desc);
    /* RFLAGS as they are; FLAGS_HOST: they are the guest's. */
    void (*commit)(void *cpu, uint64_t rflags, uint64_t flags_host);
    uint64_t (*helper)(void *cpu, uint64_t a, uint64_t b, uint64_t desc);
    void (*helper_end)(void *cpu, uint64_t a, uint64_t b, uint64_t desc);
} HostCallbacks;

typedef __attribute__((noreturn)) void (*HostUnwind)(void *cpu, uint64_t reason);

typedef struct HostThunks {
    /* Runs code at CODE until an exit; its reason. */
    uint64_t (*enter)(void *cpu, const void *code);
    /* Calls FN(cpu, a) so that unwind can leave it; EXIT_NEXT when it returned. */
    uint64_t (*guard)(void *cpu, void (*fn)(void *cpu, uint64_t a), uint64_t a);
    /* Leaves the innermost enter or guard with REASON. */
    HostUnwind unwind;
    /* A signal handler makes the interrupted generated code go on here: unwind with the reason in
     * RAX. */
    const void *unwind_from_signal;
    /* For the GS slots of the layout. */
    const void *slow, *commit, *helper, *helper_end, *link, *dispatch, *find;
} HostThunks;

/* Emits the thunks to BUF, to run at RX; returns their size, 0 when SIZE is too small. */
size_t host_emit_thunks(const HostLayout *layout, const HostCallbacks *callbacks, uint8_t *buf,
                        size_t size, uint64_t rx, HostThunks *out);

/* Host register number that holds guest register GPR, or -1: its GS slot. */
int host_pinned(int gpr);

#endif
