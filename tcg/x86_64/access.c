/*
 * Guest memory accesses: effective address, TLB check, slow path.
 *
 * Fast path, with the address in TA:
 *     mov TI, TA; shr TI, 12-5; and TI, mask; add TI, gs:tlb     entry of the page
 *     mov TH, [TI + tag]; add TH, TA                             offset in the page, if it matches
 *     cmp TH, 4096 - size; ja cold                               page, permission, crossing at once
 *     add TH, [TI + host]
 *     <the access at [TH]>
 * A tag is the negated page address, so any other page, a page without this permission (impossible
 * tag) and an access that leaves the page all give a large unsigned number.
 *
 * Cold path: thunk_slow gets TA (address) and TI (SLOW_*), and returns TH. TI = 0: TH is the memory
 * itself, go on with the fast path's access. TI = 1, only for writes: TH is a bounce buffer with
 * the present contents; a copy of the access runs on it here, and thunk_commit writes it back. A
 * read from a bounce buffer needs no commit, and uses the fast path's access, too.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

void emit_address(Emit *e, const IrMem *m)
{
    Asm *a = &e->a;
    bool wide = m->asize == 8;
    int base = -1, index = -1;
    int64_t disp = m->disp;

    if (m->ip_relative) {
        asm_gs(a, 0x8b, true, H_TA, e->l->page_ip);
        base = H_TA;
    } else if (m->base != VREG_NONE) {
        base = emit_vreg_read(e, m->base, H_TA);
    }
    if (m->index != VREG_NONE) {
        index = emit_vreg_read(e, m->index, H_TI);
    }
    if (disp != (int32_t)disp) {
        if (base < 0 && index < 0) {
            asm_movi(a, H_TA, (uint64_t)disp);
            return;
        }
        /* only ip_relative: base is TA already */
        asm_lea(a, true, H_TA, base, index, m->scale, INT32_MAX);
        asm_lea(a, wide, H_TA, H_TA, -1, 0, (int32_t)(disp - INT32_MAX));
        return;
    }
    if (base < 0 && index < 0) {
        asm_movi(a, H_TA, wide ? (uint64_t)disp : (uint32_t)disp);
    } else {
        asm_lea(a, wide, H_TA, base, index, m->scale, (int32_t)disp);
    }
    if (m->asize == 2) {
        asm_rr(a, 0x1b7, false, H_TA, H_TA); /* movzx TAd, TAw */
    }
}

static void add_segment_base(Emit *e, const IrMem *m)
{
    if (m->seg_base) {
        asm_gs(&e->a, 0x03, e->b->code_size == 8, H_TA, e->l->seg_base[m->seg]);
    }
}

void emit_linear(Emit *e, const IrMem *m)
{
    emit_address(e, m);
    add_segment_base(e, m);
}

void emit_access_check(Emit *e, const IrOp *op)
{
    Asm *a = &e->a;
    const IrMem *m = &op->mem;
    bool write = op->mem_acc & IR_ACC_W;
    ColdAccess *c = &e->cold[e->cold_count++];

    *c = (ColdAccess){.op = op};
    emit_flags_before_clobber(e, op->fl_read | (op->fl_live & ~op->fl_write));
    emit_address(e, m);
    if (m->seg_check) {
        asm_lea(a, true, H_TI, H_TA, -1, 0, op->mem_size - 1);
        asm_gs(a, 0x3b, true, H_TI, (write ? e->l->seg_wlimit : e->l->seg_rlimit) + 8 * m->seg);
        c->jumps[1] = asm_jcc(a, CC_G);
    }
    add_segment_base(e, m);
    asm_rr(a, 0x89, true, H_TA, H_TI);
    asm_shifti(a, 5, true, H_TI, 12 - TLB_ENTRY_BITS);
    asm_alui(a, 4, false, H_TI, (int32_t)(e->l->tlb_index_mask << TLB_ENTRY_BITS));
    asm_gs(a, 0x03, true, H_TI, e->l->tlb);
    asm_rm(a, 0x8b, true, H_TH, H_TI, write ? TLB_WTAG : TLB_RTAG);
    asm_rr(a, 0x01, true, H_TA, H_TH);
    asm_alui(a, 7, true, H_TH, 4096 - op->mem_size);
    c->jumps[0] = asm_jcc(a, CC_A);
    asm_rm(a, 0x03, true, H_TH, H_TI, TLB_HOST);
    c->back = asm_off(a);
    c->flags = e->flags;
    emit_access_tail(e, op);
    c->done = asm_off(a);
}

void emit_access_tail(Emit *e, const IrOp *op)
{
    Asm *a = &e->a;
    int host;

    switch (op->op) {
    case IR_CAPSULE:
        emit_capsule_native(e, op);
        break;
    case IR_LD:
        if (op->size >= 4 || op->dst >= VREG_TMP0) {
            bool wide = op->size == 8;
            int opcode = op->size == 1 ? 0x1b6 : op->size == 2 ? 0x1b7 : 0x8b;
            host = op->dst < 16 && host_pinned(op->dst) >= 0 ? host_pinned(op->dst) : H_TA;
            asm_rm(a, opcode, wide, host, H_TH, 0);
            if (host == H_TA) {
                emit_vreg_write(e, op->dst, H_TA, 8);
            }
        } else {
            asm_rm(a, op->size == 1 ? 0x1b6 : 0x1b7, false, H_TA, H_TH, 0);
            emit_vreg_write(e, op->dst, H_TA, op->size);
        }
        break;
    case IR_ST:
        host = emit_vreg_read(e, op->src, H_TA);
        asm_room(a);
        if (op->size == 2) {
            asm_u8(a, 0x66);
        }
        asm_rex(a, op->size == 8, host, 0, H_TH, op->size == 1 && host >= 4);
        asm_u8(a, op->size == 1 ? 0x88 : 0x89);
        asm_modrm_base(a, host, H_TH, 0);
        break;
    default:
        break;
    }
}

static void emit_cold_access(Emit *e, const ColdAccess *c)
{
    Asm *a = &e->a;
    const IrOp *op = c->op;
    uint64_t desc = (op->insn_off & SLOW_OFF_MASK) | (uint32_t)op->insn_len << SLOW_LEN_SHIFT |
                    (uint32_t)op->mem_size << SLOW_SIZE_SHIFT;

    desc |= (op->mem_acc & IR_ACC_W ? SLOW_WRITE : 0) | (op->mem_acc & IR_ACC_R ? SLOW_READ : 0) |
            (op->mem_last ? SLOW_LAST : 0) | (op->mem_aligned ? SLOW_ALIGNED : 0) |
            (op->mem_locked ? SLOW_LOCKED : 0) | (uint64_t)op->mem.seg << SLOW_SEG_SHIFT;
    asm_patch_here(a, c->jumps[0]);
    asm_movi(a, H_TI, desc);
    uint32_t call = asm_off(a);
    emit_call_gs(a, e->l->thunk_slow);
    if (!(op->mem_acc & IR_ACC_W)) {
        asm_jmp_to(a, c->back);
    } else {
        asm_rr(a, 0x85, false, H_TI, H_TI);
        asm_patch(a, asm_jcc(a, CC_E), c->back);
        FlagsAt after = e->flags;
        e->flags = c->flags;
        emit_access_tail(e, op);
        asm_movi(a, H_TI, e->flags == FLAGS_HOST);
        e->flags = after;
        emit_call_gs(a, e->l->thunk_commit);
        asm_jmp_to(a, c->done);
    }
    if (c->jumps[1]) {
        asm_patch_here(a, c->jumps[1]);
        asm_movi(a, H_TI, desc | SLOW_SEGCHECK);
        asm_jmp_to(a, call);
    }
}

void emit_cold_paths(Emit *e)
{
    for (int i = 0; i < e->cold_count; i++) {
        emit_cold_access(e, &e->cold[i]);
    }
}
