/*
 * Liveness of the status flags, backwards over a block.
 *
 * A flag is live after an operation when some later reader may see that operation's or an earlier
 * value: a reader in the block, or a successor (IrBlock.succ_live). A fault inside the block is not
 * counted as a reader: a flag that the block overwrites before any instruction reads it has no
 * architectural consumer but the image in the fault's own frame, which the retried instruction
 * discards. Blocks of a single instruction (stepping, oracles) have every flag live at their end,
 * so there frames are exact. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/ir.h"

static uint16_t live_at_end(const IrBlock *b, const IrOp *op)
{
    switch (op->op) {
    case IR_JMP:
        return b->succ_live[0];
    case IR_JCC:
    case IR_JCXZ:
        return b->succ_live[0] | b->succ_live[1];
    default:
        return IR_FL_ALL;
    }
}

void ir_flags_liveness(IrBlock *b)
{
    uint16_t live = IR_FL_ALL;

    for (int i = b->count - 1; i >= 0; i--) {
        IrOp *op = &b->ops[i];

        if (ir_op_ends(op->op)) {
            live = live_at_end(b, op);
        }
        op->fl_live = live;
        live = (live & ~op->fl_write) | op->fl_read;
    }
    b->fl_live_in = live;
}
