/*
 * Ends of blocks: direct jumps, indirect ones, and exits.
 *
 * A direct edge is one `jmp rel32` with an aligned displacement. It starts out aimed at a stub that
 * saves the flags and leaves through thunk_link; once the target exists, the loop aims it at the
 * target's entry, or, when that is in another page, at a link (link.c) that leads there. Backward
 * edges inside the page poll for interrupts first; links poll by themselves.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

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

/* A direct edge that can be linked at all. */
static bool is_linkable(const Emit *e, int64_t target)
{
    return in_page(target) ||
           (e->b->direct_far && target > -INT32_MAX / 2 && target < INT32_MAX / 2);
}

/* A jump that needs no poll before it. */
static bool is_plain_edge(const Emit *e, const IrOp *op, int64_t target)
{
    return is_linkable(e, target) && (!in_page(target) || target > op->insn_off);
}

/* Registers the rel32 at PATCH as an edge and emits its stub. */
static void emit_link_stub(Emit *e, const IrOp *op, uint32_t patch, int64_t target,
                           uint32_t extra_jump)
{
    HostCode *o = e->out;
    int n = o->edge_count++;

    o->edges[n] = (HostEdge){
        .patch = patch,
        .target = (int32_t)target,
        .flags_host = e->flags == FLAGS_HOST,
        .far = !in_page(target),
        .backward = target <= op->insn_off,
    };
    emit_switch_section(e);
    asm_patch_here(&e->a, patch);
    if (e->flags == FLAGS_HOST) {
        emit_lahf_save(&e->a, e->l);
    }
    if (extra_jump) {
        asm_patch_here(&e->a, extra_jump);
    }
    asm_movi(&e->a, H_TA, e->edge_ids[n]);
    emit_jmp_gs(&e->a, e->l->thunk_link);
    emit_switch_section(e);
}

/* A complete edge: poll if it goes back, jump, stub. LIVE: what the successor needs. */
static void emit_edge(Emit *e, const IrOp *op, int64_t target, uint16_t live)
{
    Asm *a = &e->a;
    uint32_t polled = 0;

    if (!is_linkable(e, target)) {
        emit_flags_before_clobber(e, live);
        emit_page_ip(e, target);
        emit_jmp_gs(a, e->l->thunk_find);
        return;
    }
    if (target <= op->insn_off && in_page(target)) {
        emit_flags_before_clobber(e, live);
        if (!live) {
            e->flags = FLAGS_SAVED; /* dead: either entry will do */
        }
        emit_cmp_poll(a, e->l);
        polled = asm_jcc(a, CC_NE);
    }
    asm_align4(a, 1);
    emit_link_stub(e, op, asm_jmp(a), target, polled);
}

/* jcc CC to the taken edge, which is in line when it needs no poll. */
static void emit_two_edges(Emit *e, const IrOp *op, uint32_t taken_jump, bool taken_plain)
{
    FlagsAt flags = e->flags;

    emit_edge(e, op, op->imm2, e->b->succ_live[1]);
    e->flags = flags;
    if (taken_plain) {
        emit_link_stub(e, op, taken_jump, op->imm, 0);
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
    bool plain = is_plain_edge(e, op, op->imm);
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
    asm_rr(a, op->size == 2 ? 0x1b7 : 0x8b, op->size == 8, H_TA, H_RCX);
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
    emit_dispatch(&e->a, e->l);
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
