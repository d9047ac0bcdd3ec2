/*
 * Names and properties of the IR's operations, and its printed form (-d op).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>

#include "tcg/ir.h"

static const struct {
    const char *name;
    bool clobbers, ends;
} op_info[IR_OP_COUNT] = {
#define X(op, name, clobbers, ends) [IR_##op] = {name, clobbers, ends},
    IR_OPS(X)
#undef X
};

const char *ir_op_name(IrOpcode op)
{
    return op_info[op].name;
}

bool ir_op_ends(IrOpcode op)
{
    return op_info[op].ends;
}

static const char *vreg_name(uint8_t v)
{
    static const char *const names[VREG_COUNT] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi",  "rdi",  "r8",   "r9",
        "r10", "r11", "r12", "r13", "r14", "r15", "tmp0", "tmp1", "tmp2", "tmp3",
    };
    return v < VREG_COUNT ? names[v] : "-";
}

static void print_mem(const IrMem *m, GString *out)
{
    static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};

    g_string_append_printf(out, " %s%s[%s", m->seg_base ? segs[m->seg] : "",
                           m->seg_check ? "!" : "", m->ip_relative ? "page+" : "");
    if (m->base != VREG_NONE) {
        g_string_append_printf(out, "%s+", vreg_name(m->base));
    }
    if (m->index != VREG_NONE) {
        g_string_append_printf(out, "%s*%d+", vreg_name(m->index), 1 << m->scale);
    }
    g_string_append_printf(out, "%#" G_GINT64_MODIFIER "x]", m->disp);
}

static void print_capsule(const IrOp *op, GString *out)
{
    const IrCapsule *c = &op->cap;

    g_string_append_printf(out, " map%d %02x pfx %02x", c->map, c->opcode, c->prefixes);
    if (c->reg_role != IR_ROLE_NONE) {
        g_string_append_printf(out, " reg %d:%d", c->reg_role, c->reg);
    }
    if (c->rm_role != IR_ROLE_NONE && c->rm_role != IR_ROLE_MEM) {
        g_string_append_printf(out, " rm %d:%d", c->rm_role, c->rm);
    }
}

void ir_print(const IrBlock *b, GString *out)
{
    for (int i = 0; i < b->count; i++) {
        const IrOp *op = &b->ops[i];

        if (op->op == IR_INSN) {
            g_string_append_printf(out, " ---- %03x\n", op->insn_off);
            continue;
        }
        g_string_append_printf(out, "  %s.%d", ir_op_name(op->op), op->size);
        if (op->op == IR_CAPSULE) {
            print_capsule(op, out);
        } else {
            g_string_append_printf(out, " %s %s", vreg_name(op->dst), vreg_name(op->src));
        }
        if (op->mem_acc || op->has_mem || op->op == IR_EA || op->op == IR_LINEAR) {
            print_mem(&op->mem, out);
        }
        g_string_append_printf(out, " imm %#" G_GINT64_MODIFIER "x", op->imm);
        if (ir_op_ends(op->op)) {
            g_string_append_printf(out, " / %#" G_GINT64_MODIFIER "x", op->imm2);
        }
        g_string_append_printf(out, "  fl r%03x w%03x live %03x\n", op->fl_read, op->fl_write,
                               op->fl_live);
    }
}
