/*
 * State of the emission of one block, shared by the files of this back end.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_X86_64_EMIT_H
#define TCG_X86_64_EMIT_H

#include "tcg/host.h"
#include "tcg/x86_64/asm.h"

typedef enum FlagsAt { FLAGS_HOST, FLAGS_SAVED } FlagsAt;

/* A slow path to be emitted in the cold section: a memory access whose check failed. */
typedef struct ColdAccess {
    const IrOp *op;
    uint32_t jumps[2]; /* patches of the jumps to it; [1] is the segment check, 0: none */
    uint32_t back;     /* where the fast path goes on with TH set */
    uint32_t done;     /* behind the access */
    FlagsAt flags;     /* at BACK */
} ColdAccess;

enum { MAX_COLD = IR_MAX_OPS };

typedef struct Emit {
    Asm a;
    const HostLayout *l;
    const IrBlock *b;
    HostCode *out;
    const uint64_t *edge_ids;
    uint8_t *other, *other_end; /* the section that is not being emitted to */
    FlagsAt flags;
    int cold_count;
    ColdAccess cold[MAX_COLD];
} Emit;

/* block.c: goes on in the other section, hot or cold. */
void emit_switch_section(Emit *e);

/* flags_state.c: where the status flags are */
void emit_flags_save(Emit *e);                    /* host -> saved; destroys TI */
void emit_lahf_save(Asm *a, const HostLayout *l); /* its code */
void emit_flags_restore(Emit *e);                 /* saved -> host; destroys TI */
/* Before host code that destroys RFLAGS, with LIVE flags needed later. */
void emit_flags_before_clobber(Emit *e, uint16_t live);
/* Before an instruction with these masks runs natively; and what it leaves. */
void emit_flags_before_native(Emit *e, const IrOp *op);
void emit_flags_after_native(Emit *e, const IrOp *op);

/* access.c: guest memory */
void emit_address(Emit *e, const IrMem *m); /* TA = effective address; keeps flags */
void emit_linear(Emit *e, const IrMem *m);  /* TA = linear address; destroys flags */
/* TA = address, TLB check; then TH = host pointer. Registers a cold path when the op's tail can be
 * emitted again by emit_access_tail(). */
void emit_access_check(Emit *e, const IrOp *op);
void emit_access_tail(Emit *e, const IrOp *op); /* the access itself, at TH */
void emit_cold_paths(Emit *e);

/* regs.c: virtual registers */
int emit_vreg_read(Emit *e, uint8_t v, int scratch); /* host register holding it, full width */
void emit_vreg_write(Emit *e, uint8_t v, int host, unsigned size);
void emit_vreg_load(Emit *e, int host, uint8_t v); /* copies it */
int32_t emit_vreg_slot(const Emit *e, uint8_t v);

/* capsule.c */
void emit_capsule_native(Emit *e, const IrOp *op); /* with TH = memory operand, if it has one */

/* ends.c */
void emit_block_end(Emit *e, const IrOp *op);

/* link.c */
/* To the guest IP in TA, flags saved (or dead), by the jump cache. */
void emit_dispatch(Asm *a, const HostLayout *l);
void emit_jmp_gs(Asm *a, int32_t slot);
void emit_call_gs(Asm *a, int32_t slot);
void emit_cmp_poll(Asm *a, const HostLayout *l);

#endif
