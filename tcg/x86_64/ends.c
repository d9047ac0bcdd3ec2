/*
 * Ends of blocks: jumps in the page, to other pages, indirect ones, and exits.
 *
 * An edge inside the page is one `jmp rel32` with an aligned displacement. It starts out aimed at a
 * stub that saves the flags and leaves through thunk_link; once the target exists, the loop aims it
 * at the target's entry. Backward edges first poll for interrupts.
 *
 * All else goes through the jump cache: the guest IP is looked up together with the context (mode
 * and address space), and on a hit the page's IP base is set and the block entered by its
 * saved-flags entry. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

typedef struct Stub {
    uint32_t jumps[2];
    int count;
} Stub;

static void jmp_gs(Emit *e, int32_t slot)
{
    Asm *a = &e->a;

    asm_room(a);
    asm_u8(a, 0x65);
    asm_u8(a, 0xff);
    asm_u8(a, 0x24);
    asm_u8(a, 0x25);
    asm_u32(a, (uint32_t)slot);
}

static void cmp_poll(Emit *e)
{
    Asm *a = &e->a;

    asm_room(a);
    asm_u8(a, 0x65);
    asm_u8(a, 0x83); /* cmp dword gs:poll, 0 */
    asm_u8(a, 0x3c);
    asm_u8(a, 0x25);
    asm_u32(a, (uint32_t)e->l->poll);
    asm_u8(a, 0);
}

/* To the guest IP in TA, flags saved (or dead). */
static void emit_dispatch(Emit *e)
{
    Asm *a = &e->a;
    uint32_t miss[3];
    int32_t jc = e->l->jump_cache;

    cmp_poll(e);
    miss[0] = asm_jcc(a, CC_NE);
    asm_rr(a, 0x89, false, H_TA, H_TI);
    asm_shifti(a, 5, false, H_TI, 7);
    asm_rr(a, 0x31, false, H_TA, H_TI);
    asm_alui(a, 4, false, H_TI, (int32_t)e->l->jump_cache_mask);
    asm_shifti(a, 4, false, H_TI, 5);
    asm_gs_base(a, 0x3b, true, H_TA, H_TI, jc);
    miss[1] = asm_jcc(a, CC_NE);
    asm_gs(a, 0x8b, true, H_TH, e->l->ctx);
    asm_gs_base(a, 0x3b, true, H_TH, H_TI, jc + 8);
    miss[2] = asm_jcc(a, CC_NE);
    asm_gs_base(a, 0x8b, true, H_TH, H_TI, jc + 16);
    asm_gs(a, 0x89, true, H_TH, e->l->page_ip);
    asm_gs_base(a, 0x8b, true, H_TH, H_TI, jc + 24);
    asm_rm(a, 0xff, false, 4, H_TH, e->l->block_entry); /* jmp [TH + entry] */
    for (int i = 0; i < 3; i++) {
        asm_patch_here(a, miss[i]);
    }
    jmp_gs(e, e->l->thunk_dispatch);
}

static void mask_ip(Emit *e)
{
    if (e->b->code_size == 2) {
        asm_rr(&e->a, 0x1b7, false, H_TA, H_TA);
    } else if (e->b->code_size == 4) {
        asm_rr(&e->a, 0x89, false, H_TA, H_TA);
    }
}

static void emit_page_ip(Emit *e, int64_t off)
{
    asm_gs(&e->a, 0x8b, true, H_TA, e->l->page_ip);
    if (off == (int32_t)off) {
        asm_lea(&e->a, true, H_TA, H_TA, -1, 0, (int32_t)off);
    } else {
        asm_lea(&e->a, true, H_TA, H_TA, -1, 0, INT32_MAX);
        asm_lea(&e->a, true, H_TA, H_TA, -1, 0, (int32_t)(off - INT32_MAX));
    }
    mask_ip(e);
}

static bool in_page(int64_t off)
{
    return off >= 0 && off < 4096;
}

static bool is_plain_edge(const IrOp *op, int64_t target)
{
    return in_page(target) && target > op->insn_off;
}

/* Registers the rel32 at PATCH as an edge and emits its stub. */
static void emit_link_stub(Emit *e, uint32_t patch, int64_t target, uint32_t extra_jump)
{
    HostCode *o = e->out;
    int n = o->edge_count++;

    o->edges[n] = (HostEdge){
        .patch = patch,
        .target_off = (uint16_t)target,
        .flags_host = e->flags == FLAGS_HOST,
    };
    asm_patch_here(&e->a, patch);
    FlagsAt was = e->flags;
    if (e->flags == FLAGS_HOST) {
        emit_flags_save(e);
    }
    if (extra_jump) {
        asm_patch_here(&e->a, extra_jump);
    }
    asm_movi(&e->a, H_TA, e->edge_ids[n]);
    jmp_gs(e, e->l->thunk_link);
    e->flags = was;
}

/* A complete edge: poll if it goes back, jump, stub. LIVE: what the successor needs. */
static void emit_edge(Emit *e, const IrOp *op, int64_t target, uint16_t live)
{
    Asm *a = &e->a;
    uint32_t polled = 0;

    if (!in_page(target)) {
        emit_flags_before_clobber(e, live);
        emit_page_ip(e, target);
        emit_dispatch(e);
        return;
    }
    if (target <= op->insn_off) {
        emit_flags_before_clobber(e, live);
        if (!live) {
            e->flags = FLAGS_SAVED; /* dead: either entry will do */
        }
        cmp_poll(e);
        polled = asm_jcc(a, CC_NE);
    }
    asm_align4(a, 1);
    emit_link_stub(e, asm_jmp(a), target, polled);
}

/* jcc CC to the taken edge, which is in line when it needs no poll. */
static void emit_two_edges(Emit *e, const IrOp *op, uint32_t taken_jump, bool taken_plain)
{
    FlagsAt flags = e->flags;

    emit_edge(e, op, op->imm2, e->b->succ_live[1]);
    e->flags = flags;
    if (taken_plain) {
        emit_link_stub(e, taken_jump, op->imm, 0);
    } else {
        asm_patch_here(&e->a, taken_jump);
        emit_edge(e, op, op->imm, e->b->succ_live[0]);
    }
}

/* Conditions that are one TEST of the saved flags: mask in AH's layout << 8 | OF in bit 0. */
static uint16_t saved_test_mask(uint8_t cc)
{
    static const uint16_t masks[8] = {0x0001, 0x0100, 0x4000, 0x4100, 0x8000, 0x0400, 0, 0};

    return masks[cc >> 1];
}

static void emit_jcc(Emit *e, const IrOp *op)
{
    Asm *a = &e->a;
    uint8_t cc = op->cc;

    if (e->flags == FLAGS_SAVED && saved_test_mask(cc)) {
        asm_room(a);
        asm_u8(a, 0x65); /* test word gs:fl_saved, mask */
        asm_u8(a, 0x66);
        asm_u8(a, 0xf7);
        asm_u8(a, 0x04);
        asm_u8(a, 0x25);
        asm_u32(a, (uint32_t)e->l->fl_saved);
        asm_u16(a, saved_test_mask(cc));
        cc = cc & 1 ? CC_E : CC_NE;
    } else if (e->flags == FLAGS_SAVED) {
        emit_flags_restore(e);
    }
    bool plain = is_plain_edge(op, op->imm);
    if (plain) {
        asm_align4(a, 2);
    }
    emit_two_edges(e, op, asm_jcc(a, cc), plain);
}

/* LOOPcc and JCXZ: the count is tested by JRCXZ with the count in RCX for a moment, without flags.
 */
static void emit_loop(Emit *e, const IrOp *op)
{
    Asm *a = &e->a;
    uint32_t not_taken = 0, taken;
    uint8_t *jrcxz;

    if (op->cc == IR_LOOP_NZ_E || op->cc == IR_LOOP_NZ_NE) {
        if (e->flags == FLAGS_SAVED) {
            emit_flags_restore(e);
        }
    }
    if (op->cc != IR_LOOP_CXZ) {
        asm_lea(a, op->size == 8, H_TA, H_RCX, -1, 0, -1);
        emit_vreg_write(e, 1, H_TA, op->size);
    }
    asm_rr(a, op->size == 2 ? 0x1b7 : op->size == 4 ? 0x8b : 0x8b, op->size == 8, H_TA, H_RCX);
    if (op->cc == IR_LOOP_NZ_E || op->cc == IR_LOOP_NZ_NE) {
        not_taken = asm_jcc(a, op->cc == IR_LOOP_NZ_E ? CC_NE : CC_E);
    }
    asm_rr(a, 0x87, true, H_TA, H_RCX); /* xchg rcx, TA */
    asm_room(a);
    asm_u8(a, 0xe3); /* jrcxz zero */
    jrcxz = a->p;
    asm_u8(a, 0);
    asm_rr(a, 0x87, true, H_TA, H_RCX);
    uint32_t nonzero = asm_jmp(a);
    *jrcxz = (uint8_t)(a->p - jrcxz - 1);
    asm_rr(a, 0x87, true, H_TA, H_RCX);
    if (op->cc == IR_LOOP_CXZ) {
        taken = asm_jmp(a);
        asm_patch_here(a, nonzero);
    } else {
        taken = nonzero;
    }
    if (not_taken) {
        asm_patch_here(a, not_taken);
    }
    emit_two_edges(e, op, taken, false);
}

static void emit_ind(Emit *e, const IrOp *op)
{
    emit_flags_before_clobber(e, op->fl_live);
    emit_vreg_load(e, H_TA, op->src);
    mask_ip(e);
    emit_dispatch(e);
}

void emit_block_end(Emit *e, const IrOp *op)
{
    switch (op->op) {
    case IR_JMP:
        emit_edge(e, op, op->imm, e->b->succ_live[0]);
        break;
    case IR_JCC:
        emit_jcc(e, op);
        break;
    case IR_JCXZ:
        emit_loop(e, op);
        break;
    case IR_JIND:
        emit_ind(e, op);
        break;
    default:
        break;
    }
}
