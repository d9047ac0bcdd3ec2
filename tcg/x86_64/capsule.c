/*
 * Re-encoding a capsule: the guest's instruction with host registers.
 *
 * Registers RAX..RDI other than RSP and RBP, and all vectors, keep their numbers, so implicit
 * operands (MUL, CMPXCHG, shifts by CL ...) need nothing. A register that lives in a GS slot is
 * loaded to a scratch register before, and stored after. The memory operand is always [TH], a low
 * register, so that AH..DH, which exclude a REX prefix, can be encoded with it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

enum { HIGH_BYTE = 16 }; /* IR_ROLE_GPR8 16..19: AH CH DH BH */

typedef struct Operand {
    int host;     /* number in ModRM */
    uint8_t vreg; /* VREG_NONE unless it must be loaded and stored */
    bool rex;     /* a REX prefix is needed to mean the low byte */
    bool loaded;
    bool high; /* AH CH DH BH: no REX prefix allowed */
} Operand;

static Operand operand(Emit *e, uint8_t role, uint8_t num, uint8_t acc, unsigned size, int scratch)
{
    Operand o = {.host = num, .vreg = VREG_NONE};

    if (role == IR_ROLE_GPR8 && num >= HIGH_BYTE && num < HIGH_BYTE + 4) {
        o.host = num - HIGH_BYTE + 4;
        o.high = true;
    } else if (role == IR_ROLE_GPR8 || role == IR_ROLE_GPR) {
        uint8_t v = role == IR_ROLE_GPR8 && num >= HIGH_BYTE ? num - 4 : num; /* temporaries */
        o.host = v < 16 ? host_pinned(v) : -1;
        if (o.host < 0) {
            o.host = scratch;
            o.vreg = v;
            /* narrow writes merge with what is there */
            o.loaded = (acc & IR_ACC_R) || size < 4;
            if (o.loaded) {
                asm_gs(&e->a, 0x8b, true, scratch, emit_vreg_slot(e, v));
            }
        }
        o.rex = role == IR_ROLE_GPR8 && o.host >= 4;
    }
    return o;
}

static void vex_prefix(Asm *a, const IrCapsule *c, int reg, int base, int vvvv)
{
    unsigned pp = c->prefixes & IR_PFX_66   ? 1
                  : c->prefixes & IR_PFX_F3 ? 2
                  : c->prefixes & IR_PFX_F2 ? 3
                                            : 0;

    asm_u8(a, 0xc4);
    asm_u8(a, (uint8_t)((reg & 8 ? 0 : 0x80) | 0x40 | (base & 8 ? 0 : 0x20) | c->map));
    asm_u8(a, (uint8_t)((c->prefixes & IR_PFX_W ? 0x80 : 0) | (~vvvv & 15) << 3 | pp));
}

static void legacy_prefixes(Asm *a, const IrCapsule *c, const Operand *reg, const Operand *rm,
                            int base)
{
    if (c->prefixes & IR_PFX_LOCK) {
        asm_u8(a, 0xf0);
    }
    if (c->prefixes & IR_PFX_66) {
        asm_u8(a, 0x66);
    }
    if (c->prefixes & IR_PFX_F2) {
        asm_u8(a, 0xf2);
    }
    if (c->prefixes & IR_PFX_F3) {
        asm_u8(a, 0xf3);
    }
    asm_rex(a, c->prefixes & IR_PFX_W, c->modrm ? reg->host : 0, 0,
            c->modrm || c->rm_role == IR_ROLE_GPR ? base : 0, reg->rex || rm->rex);
    if (c->map > 0) {
        asm_u8(a, 0x0f);
    }
    if (c->map > 1) {
        asm_u8(a, c->map == 2 ? 0x38 : 0x3a);
    }
}

static void encode(Asm *a, const IrOp *op, const Operand *reg, const Operand *rm, int vvvv)
{
    const IrCapsule *c = &op->cap;
    bool mem = c->rm_role == IR_ROLE_MEM;
    int base = mem ? H_TH : rm->host;

    asm_room(a);
    if (c->vex) {
        vex_prefix(a, c, reg->host, base, vvvv);
    } else {
        legacy_prefixes(a, c, reg, rm, base);
    }
    if (!c->modrm) {
        asm_u8(a, c->opcode | (c->rm_role == IR_ROLE_GPR ? base & 7 : 0));
    } else {
        asm_u8(a, c->opcode);
        if (mem) {
            asm_modrm_base(a, reg->host, H_TH, 0);
        } else {
            asm_u8(a, 0xc0 | (reg->host & 7) << 3 | (base & 7));
        }
    }
    switch (c->imm_size) {
    case 1:
        asm_u8(a, (uint8_t)op->imm);
        break;
    case 2:
        asm_u16(a, (uint16_t)op->imm);
        break;
    case 4:
        asm_u32(a, (uint32_t)op->imm);
        break;
    default:
        break;
    }
}

void emit_capsule_native(Emit *e, const IrOp *op)
{
    const IrCapsule *c = &op->cap;

    emit_flags_before_native(e, op);
    Operand reg = operand(e, c->reg_role, c->reg, c->reg_acc, op->size, H_TA);
    Operand rm = operand(e, c->rm_role, c->rm, c->rm_acc, op->size, H_TI);

    if (rm.vreg != VREG_NONE && rm.vreg == reg.vreg) {
        /* the same slot twice: one scratch register, which a write-only operand did not load */
        if (!reg.loaded) {
            asm_gs(&e->a, 0x8b, true, H_TA, emit_vreg_slot(e, reg.vreg));
        }
        rm.host = reg.host;
        rm.rex = reg.rex;
    }
    Operand vvvv = {.vreg = VREG_NONE};
    if (c->vvvv != VREG_NONE) {
        vvvv = operand(e, IR_ROLE_GPR, c->vvvv, c->vvvv_acc, op->size,
                       c->rm_role == IR_ROLE_MEM ? H_TI : H_TH);
    }
    if (c->may_fault && e->out->fault_count < HOST_MAX_FAULTS) {
        e->out->faults[e->out->fault_count++] = (HostFault){
            .code_off = (uint16_t)asm_off(&e->a),
            .insn_off = op->insn_off,
            .insn_len = op->insn_len,
            .flags_host = e->flags == FLAGS_HOST,
        };
    }
    if (rm.high && reg.host >= 8) {
        /* MOVZX %ah, %ebp and the like: the register behind guest RBP needs REX, AH excludes it */
        Operand low = reg;
        low.host = H_TH;
        if (op->size == 2 || (c->reg_acc & IR_ACC_R)) {
            asm_rr(&e->a, 0x89, true, reg.host, H_TH);
        }
        encode(&e->a, op, &low, &rm, vvvv.host);
        asm_rr(&e->a, 0x89, true, H_TH, reg.host);
    } else {
        encode(&e->a, op, &reg, &rm, vvvv.host);
    }
    if (vvvv.vreg != VREG_NONE && (c->vvvv_acc & IR_ACC_W)) {
        asm_gs(&e->a, 0x89, true, vvvv.host, emit_vreg_slot(e, vvvv.vreg));
    }
    if (reg.vreg != VREG_NONE && (c->reg_acc & IR_ACC_W)) {
        asm_gs(&e->a, 0x89, true, reg.host, emit_vreg_slot(e, reg.vreg));
    }
    if (rm.vreg != VREG_NONE && (c->rm_acc & IR_ACC_W)) {
        asm_gs(&e->a, 0x89, true, rm.host, emit_vreg_slot(e, rm.vreg));
    }
    emit_flags_after_native(e, op);
}
