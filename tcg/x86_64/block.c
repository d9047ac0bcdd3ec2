/*
 * Emission of a block: entries, operations in order, cold paths.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

/* Which state of the flags suits the block's first use of them best. */
static FlagsAt preferred_entry(const IrBlock *b)
{
    for (int i = 0; i < b->count; i++) {
        const IrOp *op = &b->ops[i];
        bool mem = op->mem_acc || op->op == IR_HELPER || op->op == IR_HELPER_END ||
                   op->op == IR_JIND || op->op == IR_BITOFF || op->op == IR_ANDI;

        if (mem && (op->fl_read | (op->fl_live & ~op->fl_write))) {
            return FLAGS_SAVED;
        }
        if (op->fl_read || op->fl_touch || op->op == IR_JCC) {
            return FLAGS_HOST;
        }
    }
    return FLAGS_HOST;
}

static void emit_entries(Emit *e)
{
    e->out->entry_host = e->out->entry_saved = asm_off(&e->a);
    e->flags = FLAGS_HOST;
    if (!e->b->fl_live_in) {
        e->flags = FLAGS_SAVED;
        return;
    }
    if (preferred_entry(e->b) == FLAGS_HOST) {
        e->flags = FLAGS_SAVED;
        emit_flags_restore(e);
        e->out->entry_host = asm_off(&e->a);
    } else {
        emit_flags_save(e);
        e->out->entry_saved = asm_off(&e->a);
    }
}

static void emit_helper(Emit *e, const IrOp *op)
{
    Asm *a = &e->a;

    emit_flags_before_clobber(e, op->fl_read | op->fl_live);
    if (op->has_mem) {
        emit_linear(e, &op->mem);
    } else if (op->src != VREG_NONE) {
        emit_vreg_load(e, H_TA, op->src);
    }
    if (op->src2 != VREG_NONE) {
        emit_vreg_load(e, H_TI, op->src2);
    } else {
        asm_movi(a, H_TI, (uint64_t)op->imm2);
    }
    asm_movi(a, H_TH,
             (uint32_t)op->insn_off | (uint32_t)op->insn_len << SLOW_LEN_SHIFT |
                 (uint64_t)op->imm << 32);
    if (op->op == IR_HELPER) {
        emit_call_gs(a, e->l->thunk_helper);
    } else {
        emit_jmp_gs(a, e->l->thunk_helper_end);
    }
    if (op->op == IR_HELPER && op->dst != VREG_NONE) {
        asm_gs(a, 0x8b, true, H_TA, e->l->helper_ret);
        emit_vreg_write(e, op->dst, H_TA, op->size);
    }
    e->flags = FLAGS_SAVED;
}

static void emit_simple(Emit *e, const IrOp *op)
{
    Asm *a = &e->a;
    int host;

    switch (op->op) {
    case IR_MOV:
        host = emit_vreg_read(e, op->src, H_TA);
        emit_vreg_write(e, op->dst, host, op->size);
        break;
    case IR_MOVI:
        if (op->size >= 4 && op->dst < 16 && host_pinned(op->dst) >= 0) {
            asm_movi(a, host_pinned(op->dst),
                     op->size == 4 ? (uint32_t)op->imm : (uint64_t)op->imm);
            break;
        }
        asm_movi(a, H_TA, op->size == 8 ? (uint64_t)op->imm : (uint32_t)op->imm);
        emit_vreg_write(e, op->dst, H_TA, op->size);
        break;
    case IR_ADDI:
        host = emit_vreg_read(e, op->src, H_TA);
        if (op->size >= 4 && op->dst < 16 && host_pinned(op->dst) >= 0) {
            asm_lea(a, op->size == 8, host_pinned(op->dst), host, -1, 0, (int32_t)op->imm);
            break;
        }
        asm_lea(a, op->size == 8, H_TA, host, -1, 0, (int32_t)op->imm);
        emit_vreg_write(e, op->dst, H_TA, op->size);
        break;
    case IR_EA:
        emit_address(e, &op->mem);
        emit_vreg_write(e, op->dst, H_TA, op->size);
        break;
    case IR_LINEAR:
        emit_flags_before_clobber(e, op->fl_live);
        emit_linear(e, &op->mem);
        emit_vreg_write(e, op->dst, H_TA, 8);
        break;
    case IR_IP:
        asm_gs(a, 0x8b, true, H_TA, e->l->page_ip);
        asm_lea(a, op->size == 8, H_TA, H_TA, -1, 0, (int32_t)op->imm);
        if (op->size == 2) {
            asm_rr(a, 0x1b7, false, H_TA, H_TA);
        }
        emit_vreg_write(e, op->dst, H_TA, 8);
        break;
    case IR_BITOFF: {
        static const uint8_t shift[9] = {[2] = 4, [4] = 5, [8] = 6};
        static const uint8_t back[9] = {[2] = 1, [4] = 2, [8] = 3};
        emit_flags_before_clobber(e, op->fl_live);
        host = emit_vreg_read(e, op->src, H_TA);
        asm_room(a);
        if (op->size == 2) {
            asm_rex(a, true, H_TA, 0, host, false); /* movsx TA, word */
            asm_u8(a, 0x0f);
            asm_u8(a, 0xbf);
        } else {
            asm_rex(a, true, H_TA, 0, host, false); /* movsxd or mov */
            asm_u8(a, op->size == 4 ? 0x63 : 0x8b);
        }
        asm_u8(a, 0xc0 | (H_TA & 7) << 3 | (host & 7));
        asm_shifti(a, 7, true, H_TA, shift[op->size]);
        asm_shifti(a, 4, true, H_TA, back[op->size]);
        emit_vreg_write(e, op->dst, H_TA, 8);
        break;
    }
    case IR_ANDI:
        emit_flags_before_clobber(e, op->fl_live);
        emit_vreg_load(e, H_TA, op->src);
        asm_alui(a, 4, true, H_TA, (int32_t)op->imm);
        emit_vreg_write(e, op->dst, H_TA, 8);
        break;
    default:
        break;
    }
}

static void emit_op(Emit *e, const IrOp *op)
{
    switch (op->op) {
    case IR_INSN:
        break;
    case IR_CAPSULE:
    case IR_LD:
    case IR_ST:
        if (op->mem_acc) {
            emit_access_check(e, op);
        } else {
            emit_capsule_native(e, op);
        }
        break;
    case IR_HELPER:
    case IR_HELPER_END:
        emit_helper(e, op);
        break;
    default:
        if (ir_op_ends(op->op)) {
            emit_block_end(e, op);
        } else {
            emit_simple(e, op);
        }
        break;
    }
}

void emit_switch_section(Emit *e)
{
    uint8_t *p = e->a.p, *end = e->a.end;

    if (!e->a.overflow) {
        e->a.p = e->other;
        e->a.end = e->other_end;
        e->other = p;
        e->other_end = end;
    }
}

bool host_emit_block(const HostLayout *layout, const IrBlock *block, const HostBuf *buf,
                     const uint64_t edge_ids[HOST_MAX_EDGES], HostCode *out)
{
    static _Thread_local Emit emit; /* large: cold paths */
    Emit *e = &emit;

    e->a = (Asm){.start = buf->hot, .p = buf->hot, .end = buf->hot + buf->hot_size};
    e->other = buf->cold;
    e->other_end = buf->cold + buf->cold_size;
    e->l = layout;
    e->b = block;
    e->out = out;
    e->edge_ids = edge_ids;
    e->cold_count = 0;
    out->edge_count = 0;
    out->fault_count = 0;
    emit_entries(e);
    for (int i = 0; i < block->count; i++) {
        emit_op(e, &block->ops[i]);
    }
    out->size = asm_off(&e->a);
    emit_switch_section(e);
    emit_cold_paths(e);
    out->cold_size = (uint32_t)(e->a.p - buf->cold);
    return !e->a.overflow;
}
