/*
 * Translated code: blocks, how they are found, linked, and dropped.
 *
 * A block is keyed by where its first byte is in RAM (linear RAM numbering) and its mode bits,
 * never by a guest address, so page tables and chipset mappings may change without it. Blocks and
 * their links are changed under the code lock; finding one needs no lock.
 *
 * Lock order: machine lock, code lock, leaves. Whoever holds the code lock never waits for a vCPU.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_CODE_H
#define ACCEL_TCG_CODE_H

#include <glib.h>

#include "accel/tcg/tcg_cpu.h"

typedef struct Edge Edge;

#define NO_RAM_ADDR UINT64_MAX

/* An edge out of a block to another. */
struct Edge {
    Block *from;
    Block *to;         /* NULL: not linked */
    Edge *next_in;     /* among TO's incoming edges */
    uint8_t *patch_rw; /* the jump's rel32, writable view */
    uint64_t patch_rx;
    int32_t unlinked_rel; /* its value that leads to the stub */
    int32_t target;       /* as in HostEdge */
    bool flags_host, far, backward;
};

struct Block {
    const void *_Atomic entry; /* with flags saved; the dispatch thunk once the block is dead */
    const void *entry_host;
    uint64_t ram_addr; /* of the first byte; NO_RAM_ADDR: code_translate_once() */
    uint64_t page2;    /* RAM address of the second page of a straddling instruction */
    uint32_t mode;
    bool dead;
    uint16_t ranges[3]
                   [2]; /* page offsets [start, end) this block depends on, the page of ram_addr */
    uint16_t page2_end;
    uint64_t code, cold; /* where it runs, and what of it seldom does */
    uint32_t code_size, cold_size;
    uint16_t fault_count;
    HostFault *faults;
    int edge_count;
    Edge edges[HOST_MAX_EDGES];
    Edge *incoming;
    Block *page_next[2]; /* on the lists of its page(s) */
};

/* ---- any thread ---- */
bool code_init(TcgAccel *a, GError **err);
void code_fini(TcgAccel *a);
/* Drops translations of RAM bytes that were written. */
void code_invalidate(TcgAccel *a, uint64_t ram_addr, uint64_t len);
/* The block whose code holds host address PC, or NULL. Async-signal-safe. */
Block *code_block_at(TcgAccel *a, uint64_t pc);
void code_print_info(TcgAccel *a, GString *out);

/* ---- vCPU threads ---- */
/* The live block at RAM_ADDR, or NULL. PAGE2: RAM address of the following page, or NO_RAM_ADDR for
 * one that does not straddle. GPR-only. */
Block *code_find(TcgAccel *a, uint64_t ram_addr, uint32_t mode, uint64_t page2);
/* True when translated code covers any of these bytes. GPR-only. */
bool tcg_code_hit(TcgAccel *a, uint64_t ram_addr, uint64_t len);
/* Bytes were written by this vCPU: drops what they hit. True when that was the running block.
 * GPR-only. */
bool tcg_code_written(TcgCpu *c, uint64_t ram_addr, uint64_t len);
/* Translates (not GPR-only: call through exec_call_c). NULL: the instruction straddles and PAGE2 is
 * NO_RAM_ADDR. */
Block *code_translate(TcgCpu *c, uint64_t ram_addr, uint32_t mode, uint64_t page2);
/* Translates REQ to a block that is run once and not found again: code that is not in RAM.
 * Likewise.
 */
Block *code_translate_once(TcgCpu *c, const struct TranslateRequest *req);
/* Room is wanted for code: waits until a segment of the cache was emptied. Outside generated code;
 * blocks and edges that were known before may be gone afterwards. Not GPR-only. */
void code_make_room(TcgAccel *a);
/* Links EDGE to TO unless one of them is dead. Not GPR-only. */
void code_link(TcgAccel *a, Edge *edge, Block *to);

/* ---- loop.c, GPR-only ---- */
X86_NORETURN void tcg_unwind(TcgCpu *c, uint64_t reason);
/* Sets st.rip, next_rip and RFLAGS for the instruction at page offset OFF. */
void tcg_sync_state(TcgCpu *c, unsigned off, unsigned len);
/* Recomputes ctx and the current TLB table. */
void tcg_ctx_changed(TcgCpu *c);
uint64_t tcg_seg_linear(X86Cpu *cpu, unsigned seg, uint64_t offset, unsigned size, bool write);

#endif
