/*
 * Translation of system instructions and the rare rest: calls of helpers.
 *
 * A table says for each kind which helper, where its two arguments come from, and whether the block
 * ends with it. What does not fit the table has a function.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/helpers.h"
#include "target-x86/translate.h"

static IrOp *end(Translator *t, int helper, int64_t b)
{
    IrOp *o = tr_helper_end(t, helper);

    o->imm2 = b;
    return o;
}

/* Value of a rm16 operand in TMP0. */
static void load_rm16(Translator *t)
{
    if (t->in->is_mem) {
        tr_ld(t, VREG_TMP0, 2, tr_mem(t));
    } else {
        tr_mov(t, VREG_TMP0, t->in->rm, 8);
    }
}

/* A 16-bit result in TMP0 to rm: memory gets 16 bits, a register the operand size. */
static void store_rm16(Translator *t)
{
    if (t->in->is_mem) {
        tr_st(t, VREG_TMP0, 2, tr_mem(t));
    } else {
        tr_mov(t, t->in->rm, VREG_TMP0, t->in->opsize);
    }
}

static IrOp *helper_mem(Translator *t, IrOp *o)
{
    o->mem = tr_mem(t);
    o->has_mem = true;
    return o;
}

static bool tr_mov_seg(Translator *t)
{
    uint8_t seg = t->in->reg & 7;

    if (seg > SEG_GS || (t->in->row->kind == T_MOV_TO_S && seg == SEG_CS)) {
        return false;
    }
    if (t->in->row->kind == T_MOV_FROM_S) {
        tr_helper(t, HELPER_str, VREG_TMP0, 8)->imm2 = 1 + seg;
        store_rm16(t);
        return true;
    }
    load_rm16(t);
    end(t, HELPER_load_seg, seg)->src = VREG_TMP0;
    return true;
}

/* LDS and its kin, and far pointers in memory: offset in TMP1, selector in TMP0. */
static void load_far(Translator *t)
{
    IrMem m = tr_mem(t);

    tr_ld(t, VREG_TMP1, t->in->opsize, m);
    m.disp += t->in->opsize;
    tr_ld(t, VREG_TMP0, 2, m);
}

static bool tr_lds(Translator *t)
{
    static const uint8_t segs0f[] = {[2] = SEG_SS, [4] = SEG_FS, [5] = SEG_GS};
    uint8_t seg = t->in->row->map         ? segs0f[t->in->opcode & 7]
                  : t->in->opcode == 0xc4 ? SEG_ES
                                          : SEG_DS;

    load_far(t);
    IrOp *o = tr_helper(t, HELPER_load_seg, VREG_NONE, 8);
    o->src = VREG_TMP0;
    o->imm2 = seg | LOAD_SEG_LDS;
    tr_mov(t, t->in->reg, VREG_TMP1, t->in->opsize);
    /* the mode may have changed */
    o = tr_op(t, IR_IP, t->b->code_size);
    o->dst = VREG_TMP0;
    o->imm = t->next_off;
    tr_jump_indirect(t, VREG_TMP0);
    return true;
}

static bool tr_far(Translator *t)
{
    const Insn *in = t->in;
    bool call;
    IrOp *o;

    if (in->row->kind == T_FAR_IMM) {
        call = in->opcode == 0x9a;
        o = tr_op(t, IR_MOVI, 8);
        o->dst = VREG_TMP1;
        o->imm = in->imm & (in->opsize == 2 ? 0xffff : 0xffffffff);
        o = tr_op(t, IR_MOVI, 8);
        o->dst = VREG_TMP0;
        o->imm = in->imm2;
    } else {
        call = ((in->modrm >> 3) & 7) == 3;
        load_far(t);
    }
    /* a: offset; b: selector | operand size << 16 */
    o = tr_op(t, IR_EA, 8);
    o->dst = VREG_TMP0;
    o->mem = (IrMem){.base = VREG_TMP0, .index = VREG_NONE, .asize = 8, .disp = in->opsize << 16};
    o = tr_helper_end(t, call ? HELPER_far_call : HELPER_far_jmp);
    o->src = VREG_TMP1;
    o->src2 = VREG_TMP0;
    return true;
}

static bool tr_group6(Translator *t)
{
    static const struct {
        uint8_t helper;
        bool store, ends;
    } ops[8] = {
        {HELPER_sldt, true, false}, {HELPER_str, true, false},   {HELPER_lldt, false, false},
        {HELPER_ltr, false, false}, {HELPER_verr, false, false}, {HELPER_verw, false, false},
    };
    uint8_t ext = (t->in->modrm >> 3) & 7;

    if (ops[ext].store) {
        tr_helper(t, ops[ext].helper, VREG_TMP0, 8);
        store_rm16(t);
        return true;
    }
    load_rm16(t);
    IrOp *o = tr_helper(t, ops[ext].helper, VREG_NONE, 8);
    o->src = VREG_TMP0;
    if (ext >= 4) {
        o->fl_read = IR_FL_ALL;
        o->fl_touch = IR_FL_Z;
    }
    return true;
}

static bool tr_group7(Translator *t)
{
    uint8_t ext = (t->in->modrm >> 3) & 7;

    switch (ext) {
    case 0:
    case 1:
        helper_mem(t, tr_helper(t, ext ? HELPER_sidt : HELPER_sgdt, VREG_NONE, 8))->imm2 =
            t->in->opsize;
        return true;
    case 2:
    case 3:
        helper_mem(t, end(t, ext == 3 ? HELPER_lidt : HELPER_lgdt, t->in->opsize));
        return true;
    case 4:
        tr_helper(t, HELPER_smsw, VREG_TMP0, 8);
        store_rm16(t);
        return true;
    case 6:
        load_rm16(t);
        end(t, HELPER_lmsw, 0)->src = VREG_TMP0;
        return true;
    case 7:
        helper_mem(t, end(t, HELPER_invlpg, 0));
        return true;
    default:
        return false;
    }
}

/* 0F 01 with a register ModRM: one instruction per byte. */
static bool tr_group7_reg(Translator *t)
{
    bool user = t->req->mode & MODE_USER;

    switch (t->in->modrm) {
    case 0xca: /* clac, stac */
    case 0xcb:
        if (user) {
            return false;
        }
        end(t, HELPER_cld, t->in->modrm == 0xca ? 2 : 3);
        return true;
    case 0xd0:
        tr_helper(t, HELPER_xgetbv, VREG_NONE, 8);
        return true;
    case 0xf8:
        if (!(t->req->mode & MODE_CODE64)) {
            return false;
        }
        if (user) {
            tr_helper_end(t, HELPER_raise_gp0);
        } else {
            tr_helper(t, HELPER_swapgs, VREG_NONE, 8);
        }
        return true;
    case 0xf9:
        if (!(t->req->features >> FEAT_RDTSCP & 1)) {
            return false;
        }
        tr_helper(t, HELPER_rdtsc, VREG_NONE, 8)->imm2 = 1;
        return true;
    default: /* smsw, lmsw */
        if (((t->in->modrm >> 3) & 7) == 4 || ((t->in->modrm >> 3) & 7) == 6) {
            if (((t->in->modrm >> 3) & 7) == 6 && user) {
                tr_helper_end(t, HELPER_raise_gp0);
                return true;
            }
            return tr_group7(t);
        }
        return false;
    }
}

static bool tr_mov_crdr(Translator *t)
{
    const Insn *in = t->in;
    bool cr = in->row->kind == T_MOV_FROM_CR || in->row->kind == T_MOV_TO_CR;
    uint8_t n = in->reg;
    uint8_t gpr = (in->modrm & 7) | (in->rex & 1) << 3;
    unsigned size = t->req->mode & MODE_CODE64 ? 8 : 4;

    if (cr && in->lock) {
        n = 8;
    }
    if (cr ? n != 0 && n != 2 && n != 3 && n != 4 && n != 8 : n > 7) {
        return false;
    }
    if (in->row->kind == T_MOV_FROM_CR || in->row->kind == T_MOV_FROM_DR) {
        IrOp *o = tr_helper(t, cr ? HELPER_read_cr : HELPER_read_dr, gpr, size);
        o->imm2 = n;
        return true;
    }
    tr_mov(t, VREG_TMP0, gpr, size);
    end(t, cr ? HELPER_write_cr : HELPER_write_dr, n)->src = VREG_TMP0;
    return true;
}

static bool tr_lar_lsl(Translator *t)
{
    load_rm16(t);
    IrOp *o = tr_helper(t, t->in->row->kind == T_LAR ? HELPER_lar : HELPER_lsl, VREG_NONE, 8);
    o->src = VREG_TMP0;
    o->imm2 = t->in->reg | t->in->opsize << 8; /* the register is written only when ZF is set */
    o->fl_read = IR_FL_ALL;
    o->fl_touch = IR_FL_Z;
    return true;
}

static bool tr_in_out(Translator *t)
{
    const Insn *in = t->in;
    unsigned size = in->opcode & 1 ? (in->opsize == 2 ? 2 : 4) : 1;
    static const uint8_t out[5] = {0, HELPER_out1, HELPER_out2, 0, HELPER_out4};
    IrOp *o;

    if (in->imm_size) {
        o = tr_op(t, IR_MOVI, 8);
        o->dst = VREG_TMP0;
        o->imm = in->imm & 0xff;
    } else {
        o = tr_op(t, IR_ANDI, 8);
        o->dst = VREG_TMP0;
        o->src = R_RDX;
        o->imm = 0xffff;
    }
    if (in->row->kind == T_IN) {
        o = tr_helper(t, HELPER_in, R_RAX, size);
        o->src = VREG_TMP0;
        o->imm2 = size;
    } else {
        o = tr_helper_end(t, out[size]);
        o->src = VREG_TMP0;
        o->src2 = R_RAX;
    }
    return true;
}

static bool tr_bound(Translator *t)
{
    IrOp *o = helper_mem(t, tr_helper(t, HELPER_bound, VREG_NONE, 8));

    o->imm2 = t->in->reg | t->in->opsize << 8;
    return true;
}

static bool tr_arpl(Translator *t)
{
    load_rm16(t);
    IrOp *o = tr_helper(t, HELPER_arpl, VREG_TMP0, 8);
    o->src = VREG_TMP0;
    o->src2 = t->in->reg;
    o->fl_read = IR_FL_ALL;
    o->fl_touch = IR_FL_Z;
    store_rm16(t);
    return true;
}

static bool tr_rdfsgs(Translator *t)
{
    uint8_t ext = (t->in->modrm >> 3) & 7;
    unsigned size = t->in->rex & 8 ? 8 : 4;
    IrOp *o;

    if (ext < 2) {
        o = tr_helper(t, HELPER_rdfsgs, t->in->rm, size);
        o->imm2 = ext;
        return true;
    }
    tr_mov(t, VREG_TMP0, t->in->rm, size);
    o = tr_helper(t, HELPER_wrfsgs, VREG_NONE, 8);
    o->src = VREG_TMP0;
    o->imm2 = ext & 1;
    return true;
}

/* FLDENV and FRSTOR report a pending error first, as FWAIT does. */
static bool tr_x87_state(Translator *t)
{
    if (t->in->row->acc & IR_ACC_R) {
        IrOp *wait = tr_op(t, IR_CAPSULE, 8);
        wait->cap.opcode = 0x9b;
        wait->cap.may_fault = true;
    }
    IrOp *o = helper_mem(t, tr_helper(t, HELPER_x87_state, VREG_NONE, 8));

    o->imm2 = t->in->opcode | t->in->modrm << 8 | t->in->opsize << 16;
    return true;
}

static bool tr_fxsave(Translator *t)
{
    IrOp *o = helper_mem(t, tr_helper(t, HELPER_fxsave, VREG_NONE, 8));

    o->imm2 = ((t->in->modrm >> 3) & 7) | (t->in->rex & 8 ? 256 : 0);
    return true;
}

static bool tr_invpcid(Translator *t)
{
    helper_mem(t, tr_helper_end(t, HELPER_invpcid))->src2 = t->in->reg;
    return true;
}

static bool tr_lodstack(Translator *t)
{
    unsigned b = t->in->opsize | tr_stack_size(t) << 8;

    switch (t->in->row->kind) {
    case T_PUSHA:
        tr_helper(t, HELPER_pusha, VREG_NONE, 8)->imm2 = b;
        return true;
    case T_POPA:
        tr_helper(t, HELPER_popa, VREG_NONE, 8)->imm2 = b;
        return true;
    default: {
        IrOp *o = tr_op(t, IR_MOVI, 8);
        o->dst = VREG_TMP0;
        o->imm = (t->in->imm & 0xffff) | (t->in->imm2 & 0x1f) << 16;
        o = tr_helper(t, HELPER_enter, VREG_NONE, 8);
        o->src = VREG_TMP0;
        o->imm2 = b;
        return true;
    }
    }
}

static bool tr_pushf_popf(Translator *t)
{
    if (t->in->row->kind == T_PUSHF) {
        IrOp *o = tr_helper(t, HELPER_pushf, VREG_TMP0, 8);
        o->imm2 = t->in->opsize;
        o->fl_read = IR_FL_ALL;
        tr_push(t, VREG_TMP0, t->in->opsize);
        return true;
    }
    IrMem m = {.base = R_RSP, .index = VREG_NONE, .asize = (uint8_t)tr_stack_size(t)};
    tr_seg(t, &m, SEG_SS);
    tr_ld(t, VREG_TMP0, t->in->opsize, m);
    end(t, HELPER_popf, t->in->opsize | tr_stack_size(t) << 8)->src = VREG_TMP0;
    return true;
}

/* Helper, block ends, second argument. */
static const struct {
    uint8_t helper;
    bool listed, ends;
    enum { B_ZERO, B_OPSIZE, B_IMM, B_OPCODE, B_INT, B_INT3, B_INT1 } b;
} simple[] = {
    [T_RETF] = {HELPER_far_ret, true, true, B_OPSIZE},
    [T_IRET] = {HELPER_iret, true, true, B_OPSIZE},
    [T_INT] = {HELPER_int_n, true, true, B_INT},
    [T_INT3] = {HELPER_int_n, true, true, B_INT3},
    [T_INT1] = {HELPER_int_n, true, true, B_INT1},
    [T_INTO] = {HELPER_into, true, true, B_ZERO},
    [T_HLT] = {HELPER_hlt, true, true, B_ZERO},
    [T_CLI] = {HELPER_cli, true, true, B_ZERO},
    [T_STI] = {HELPER_sti, true, true, B_ZERO},
    [T_CLD] = {HELPER_cld, true, true, B_ZERO},
    [T_STD] = {HELPER_std, true, true, B_ZERO},
    [T_SYSCALL] = {HELPER_syscall, true, true, B_ZERO},
    [T_SYSRET] = {HELPER_sysret, true, true, B_OPSIZE},
    [T_SYSENTER] = {HELPER_sysenter, true, true, B_ZERO},
    [T_SYSEXIT] = {HELPER_sysexit, true, true, B_OPSIZE},
    [T_CLTS] = {HELPER_clts, true, true, B_ZERO},
    [T_INVD] = {HELPER_pause, true, false, B_ZERO},
    [T_RDTSC] = {HELPER_rdtsc, true, false, B_ZERO},
    [T_RDMSR] = {HELPER_rdmsr, true, false, B_ZERO},
    [T_WRMSR] = {HELPER_wrmsr, true, true, B_ZERO},
    [T_RDPMC] = {HELPER_rdpmc, true, false, B_ZERO},
    [T_CPUID] = {HELPER_cpuid, true, false, B_ZERO},
    [T_RSM] = {HELPER_rsm, true, true, B_ZERO},
    [T_PAUSE] = {HELPER_pause, true, true, B_OPCODE},
    [T_BCD] = {HELPER_bcd, true, false, B_OPCODE},
    [T_AAM] = {HELPER_aam, true, false, B_IMM},
    [T_AAD] = {HELPER_aad, true, false, B_IMM},
    [T_SALC] = {HELPER_salc, true, false, B_ZERO},
};

static bool tr_simple(Translator *t)
{
    const Insn *in = t->in;
    uint8_t kind = in->row->kind;
    IrOp *o;

    if (kind >= sizeof simple / sizeof simple[0] || !simple[kind].listed) {
        return false;
    }
    if (simple[kind].ends) {
        o = tr_helper_end(t, simple[kind].helper);
    } else {
        o = tr_helper(t, simple[kind].helper, VREG_NONE, 8);
        o->fl_read = in->row->fl_read;
        o->fl_touch = in->row->fl_write | in->row->fl_undef;
        if (o->fl_touch) {
            o->fl_read = IR_FL_ALL;
        }
    }
    switch (simple[kind].b) {
    case B_OPSIZE:
        o->imm2 = in->opsize | (in->imm & 0xffff) << 8;
        break;
    case B_IMM:
    case B_INT:
        o->imm2 = in->imm & 0xff;
        break;
    case B_OPCODE:
        o->imm2 = in->opcode;
        break;
    case B_INT3:
        o->imm2 = EXC_BP | INT_N_SHORT;
        break;
    case B_INT1:
        o->imm2 = EXC_DB | INT_N_SHORT;
        break;
    default:
        break;
    }
    return true;
}

static bool (*const handlers[])(Translator *) = {
    [T_MOV_FROM_S] = tr_mov_seg,
    [T_MOV_TO_S] = tr_mov_seg,
    [T_LDS] = tr_lds,
    [T_FAR_IMM] = tr_far,
    [T_FAR_M] = tr_far,
    [T_GRP6] = tr_group6,
    [T_GRP7_MEM] = tr_group7,
    [T_GRP7_REG] = tr_group7_reg,
    [T_MOV_FROM_CR] = tr_mov_crdr,
    [T_MOV_TO_CR] = tr_mov_crdr,
    [T_MOV_FROM_DR] = tr_mov_crdr,
    [T_MOV_TO_DR] = tr_mov_crdr,
    [T_LAR] = tr_lar_lsl,
    [T_LSL] = tr_lar_lsl,
    [T_IN] = tr_in_out,
    [T_OUT] = tr_in_out,
    [T_BOUND] = tr_bound,
    [T_ARPL] = tr_arpl,
    [T_RDFSGS] = tr_rdfsgs,
    [T_X87_STATE] = tr_x87_state,
    [T_FXSAVE] = tr_fxsave,
    [T_INVPCID] = tr_invpcid,
    [T_PUSHA] = tr_lodstack,
    [T_POPA] = tr_lodstack,
    [T_ENTER] = tr_lodstack,
    [T_PUSHF] = tr_pushf_popf,
    [T_POPF] = tr_pushf_popf,
};

bool tr_system(Translator *t)
{
    uint8_t kind = t->in->row->kind;

    if (kind < sizeof handlers / sizeof handlers[0] && handlers[kind]) {
        return handlers[kind](t);
    }
    return tr_simple(t);
}
