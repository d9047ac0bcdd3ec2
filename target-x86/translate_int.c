/*
 * Translation of integer instructions that are no plain capsules: stack, moves with odd encodings,
 * branches, strings.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/helpers.h"
#include "target-x86/translate.h"

/* A capsule built by hand: opcode /EXT on register RM. */
static IrOp *reg_capsule(Translator *t, uint8_t opcode, uint8_t ext_or_reg, uint8_t reg_role,
                         uint8_t rm)
{
    IrOp *o = tr_op(t, IR_CAPSULE, t->in->opsize);
    IrCapsule *c = &o->cap;

    c->opcode = opcode;
    c->modrm = true;
    c->prefixes = (t->in->opsize == 2 ? IR_PFX_66 : 0) | (t->in->opsize == 8 ? IR_PFX_W : 0);
    c->reg_role = reg_role;
    c->reg = ext_or_reg;
    c->reg_acc = IR_ACC_RW;
    c->rm_role = IR_ROLE_GPR;
    c->rm = rm;
    c->rm_acc = IR_ACC_RW;
    return o;
}

static void tr_incdec(Translator *t)
{
    IrOp *o = reg_capsule(t, 0xff, t->in->opcode >= 0x48 ? 1 : 0, IR_ROLE_EXT, t->in->rm);

    o->fl_write = o->fl_touch = t->in->row->fl_write;
}

static void tr_xchg(Translator *t)
{
    if (t->in->rm != R_RAX) {
        reg_capsule(t, 0x87, R_RAX, IR_ROLE_GPR, t->in->rm);
    }
}

static void tr_mov_ri(Translator *t)
{
    const Insn *in = t->in;

    if (in->row->imm == IMM_B) {
        IrOp *o = reg_capsule(t, 0xc6, 0, IR_ROLE_EXT, in->rm);
        o->size = 1;
        o->cap.prefixes = 0;
        o->cap.rm_role = IR_ROLE_GPR8;
        o->cap.rm = !in->rex && in->rm >= 4 ? in->rm + 12 : in->rm;
        o->cap.imm_size = 1;
        o->imm = in->imm;
        return;
    }
    IrOp *o = tr_op(t, IR_MOVI, in->opsize);
    o->dst = in->rm;
    o->imm = in->imm;
}

static void tr_moffs(Translator *t)
{
    const Insn *in = t->in;
    bool byte = !(in->opcode & 1), store = in->opcode & 2;
    IrMem m = {.base = VREG_NONE, .index = VREG_NONE, .asize = in->asize, .disp = in->imm};
    unsigned size = byte ? 1 : in->opsize;

    tr_seg(t, &m, in->seg);
    IrOp *o = store ? tr_st(t, R_RAX, size, m) : tr_ld(t, R_RAX, size, m);
    o->mem_last = true;
}

static void tr_push_reg(Translator *t)
{
    tr_push(t, t->in->rm, t->in->opsize);
}

static void tr_push_imm(Translator *t)
{
    IrOp *o = tr_op(t, IR_MOVI, 8);

    o->dst = VREG_TMP0;
    o->imm = t->in->imm;
    tr_push(t, VREG_TMP0, t->in->opsize);
}

static void load_rm(Translator *t, uint8_t tmp, unsigned size)
{
    if (t->in->is_mem) {
        tr_ld(t, tmp, size, tr_mem(t));
    } else {
        tr_mov(t, tmp, t->in->rm, 8);
    }
}

static void tr_push_rm(Translator *t)
{
    load_rm(t, VREG_TMP0, t->in->opsize);
    tr_push(t, VREG_TMP0, t->in->opsize);
}

static void tr_pop_reg(Translator *t)
{
    if (t->in->rm == R_RSP) {
        tr_pop(t, VREG_TMP0, t->in->opsize, 0);
        tr_mov(t, R_RSP, VREG_TMP0, t->in->opsize);
    } else {
        tr_pop(t, t->in->rm, t->in->opsize, 0);
    }
}

/* The address is computed with RSP already incremented; RSP itself changes only after the store. */
static void tr_pop_rm(Translator *t)
{
    unsigned size = t->in->opsize;

    if (!t->in->is_mem) {
        tr_pop_reg(t);
        return;
    }
    IrMem stack = {.base = R_RSP, .index = VREG_NONE, .asize = (uint8_t)tr_stack_size(t)};
    IrMem m = tr_mem(t);

    tr_seg(t, &stack, SEG_SS);
    if (m.base == R_RSP) {
        m.disp += size;
    }
    tr_ld(t, VREG_TMP0, size, stack);
    tr_st(t, VREG_TMP0, size, m);
    tr_addi(t, R_RSP, R_RSP, size, tr_stack_size(t));
}

static void tr_leave(Translator *t)
{
    unsigned size = t->in->opsize;
    IrMem m = {.base = R_RBP, .index = VREG_NONE, .asize = (uint8_t)tr_stack_size(t)};

    tr_seg(t, &m, SEG_SS);
    tr_ld(t, VREG_TMP0, size, m);
    tr_addi(t, R_RSP, R_RBP, size, tr_stack_size(t));
    tr_mov(t, R_RBP, VREG_TMP0, size);
}

static void tr_lea(Translator *t)
{
    IrOp *o = tr_op(t, IR_EA, t->in->opsize);

    o->dst = t->in->reg;
    o->mem = tr_mem(t);
}

static void tr_xlat(Translator *t)
{
    IrOp *o = tr_op(t, IR_ANDI, 8);

    o->dst = VREG_TMP0;
    o->src = R_RAX;
    o->imm = 0xff;
    IrMem m = {.base = R_RBX, .index = VREG_TMP0, .asize = t->in->asize};
    tr_seg(t, &m, t->in->seg);
    tr_ld(t, R_RAX, 1, m)->mem_last = true;
}

/* BT, BTS, BTR, BTC with a register bit offset reach beyond the operand: the address moves by whole
 * operands, then the instruction works on the offset within one. */
static void tr_bt_mem(Translator *t)
{
    const Insn *in = t->in;
    IrMem m = tr_mem(t);
    IrOp *o = tr_op(t, IR_EA, 8);

    o->dst = VREG_TMP0;
    o->mem = m;
    o = tr_op(t, IR_BITOFF, in->opsize);
    o->dst = VREG_TMP1;
    o->src = in->reg;
    o = tr_op(t, IR_ANDI, 8);
    o->dst = VREG_TMP2;
    o->src = in->reg;
    o->imm = in->opsize * 8 - 1;
    m.base = VREG_TMP0;
    m.index = VREG_TMP1;
    m.scale = 0;
    m.disp = 0;
    m.ip_relative = false;
    o = tr_capsule(t);
    o->mem = m;
    o->cap.reg = VREG_TMP2;
}

/* ---- branches ---- */

static void tr_jcc(Translator *t)
{
    IrOp *o = tr_op(t, IR_JCC, 8);

    o->cc = t->in->opcode & 15;
    o->fl_read = t->in->row->fl_read;
    o->imm = t->next_off + t->in->imm;
    o->imm2 = t->next_off;
}

static void tr_loop(Translator *t)
{
    static const uint8_t kinds[4] = {IR_LOOP_NZ_NE, IR_LOOP_NZ_E, IR_LOOP_NZ, IR_LOOP_CXZ};
    IrOp *o = tr_op(t, IR_JCXZ, t->in->asize);

    o->cc = kinds[t->in->opcode & 3];
    o->fl_read = t->in->row->fl_read;
    o->imm = t->next_off + t->in->imm;
    o->imm2 = t->next_off;
}

/* The IP behind this instruction, as a value of the operand's size, in TMP. */
static void next_ip(Translator *t, uint8_t tmp, int64_t add)
{
    IrOp *o = tr_op(t, IR_IP, t->in->opsize);

    o->dst = tmp;
    o->imm = t->next_off + add;
}

/* A jump whose operand size is narrower than the code segment's cuts the IP. */
static void jump_relative(Translator *t)
{
    if (t->in->opsize < t->b->code_size) {
        next_ip(t, VREG_TMP1, t->in->imm);
        tr_jump_indirect(t, VREG_TMP1);
    } else {
        tr_jump(t, t->next_off + t->in->imm);
    }
}

static void tr_call(Translator *t)
{
    next_ip(t, VREG_TMP0, 0);
    tr_push(t, VREG_TMP0, t->in->opsize);
    jump_relative(t);
}

static void tr_call_rm(Translator *t)
{
    load_rm(t, VREG_TMP1, t->in->opsize);
    if (!t->in->is_mem && t->in->opsize == 2) {
        IrOp *o = tr_op(t, IR_ANDI, 8);
        o->dst = o->src = VREG_TMP1;
        o->imm = 0xffff;
    }
    next_ip(t, VREG_TMP0, 0);
    tr_push(t, VREG_TMP0, t->in->opsize);
    tr_jump_indirect(t, VREG_TMP1);
}

static void tr_jmp_rm(Translator *t)
{
    load_rm(t, VREG_TMP1, t->in->opsize);
    if (!t->in->is_mem && t->in->opsize == 2) {
        IrOp *o = tr_op(t, IR_ANDI, 8);
        o->dst = o->src = VREG_TMP1;
        o->imm = 0xffff;
    }
    tr_jump_indirect(t, VREG_TMP1);
}

static void tr_ret(Translator *t)
{
    tr_pop(t, VREG_TMP0, t->in->opsize, t->in->row->imm == IMM_W ? (unsigned)t->in->imm : 0);
    tr_jump_indirect(t, VREG_TMP0);
}

/* ---- strings ---- */

static IrMem string_mem(Translator *t, uint8_t base, uint8_t seg)
{
    IrMem m = {.base = base, .index = VREG_NONE, .asize = t->in->asize};

    tr_seg(t, &m, seg);
    return m;
}

static void step(Translator *t, uint8_t reg, unsigned size)
{
    tr_addi(t, reg, reg, t->req->mode & MODE_DF ? -(int64_t)size : (int64_t)size, t->in->asize);
}

static void tr_string_helper(Translator *t, unsigned size)
{
    const Insn *in = t->in;
    IrOp *o = tr_helper(t, HELPER_string, VREG_NONE, 8);

    o->imm2 = in->opcode | size << STRING_SIZE_SHIFT | (unsigned)in->asize << STRING_ASIZE_SHIFT |
              (unsigned)in->seg << STRING_SEG_SHIFT | (in->rep == 0xf3 ? STRING_REP : 0) |
              (in->rep == 0xf2 ? STRING_REPNE : 0);
    /* CMPS and SCAS write the flags unless the count is 0 */
    o->fl_touch = in->row->fl_write;
    o->fl_read = in->row->fl_write;
}

static IrOp *string_compare(Translator *t, uint8_t reg, IrMem m, unsigned size)
{
    IrOp *o = tr_op(t, IR_CAPSULE, size);
    IrCapsule *c = &o->cap;

    c->opcode = size == 1 ? 0x3a : 0x3b; /* cmp reg, mem */
    c->modrm = true;
    c->prefixes = (size == 2 ? IR_PFX_66 : 0) | (size == 8 ? IR_PFX_W : 0);
    c->reg_role = size == 1 ? IR_ROLE_GPR8 : IR_ROLE_GPR;
    c->reg = size == 1 && reg >= VREG_TMP0 ? reg + 4 : reg;
    c->reg_acc = IR_ACC_R;
    c->rm_role = IR_ROLE_MEM;
    o->mem = m;
    o->mem_acc = IR_ACC_R;
    o->mem_size = (uint16_t)size;
    o->fl_write = o->fl_touch = IR_FL_ALL;
    return o;
}

static void tr_string(Translator *t)
{
    const Insn *in = t->in;
    unsigned size = in->opcode & 1 ? in->opsize : 1;
    IrMem src = string_mem(t, R_RSI, in->seg), dst = string_mem(t, R_RDI, SEG_ES);

    if (in->rep) {
        tr_string_helper(t, size);
        return;
    }
    switch (in->opcode & ~1) {
    case 0xa4: /* movs */
        tr_ld(t, VREG_TMP0, size, src);
        tr_st(t, VREG_TMP0, size, dst);
        step(t, R_RSI, size);
        step(t, R_RDI, size);
        break;
    case 0xa6: /* cmps */
        tr_ld(t, VREG_TMP0, size, src);
        string_compare(t, VREG_TMP0, dst, size);
        step(t, R_RSI, size);
        step(t, R_RDI, size);
        break;
    case 0xaa: /* stos */
        tr_st(t, R_RAX, size, dst);
        step(t, R_RDI, size);
        break;
    case 0xac: /* lods */
        tr_ld(t, R_RAX, size, src);
        step(t, R_RSI, size);
        break;
    default: /* scas */
        string_compare(t, R_RAX, dst, size);
        step(t, R_RDI, size);
        break;
    }
}

static void tr_ins_outs(Translator *t)
{
    tr_string_helper(t, t->in->opcode & 1 ? (t->in->opsize == 2 ? 2 : 4) : 1);
}

/* Hints do nothing; those that flush a line fault like a read. */
static void tr_nop(Translator *t)
{
    if (t->in->is_mem && t->in->row->acc) {
        tr_ld(t, VREG_TMP0, 1, tr_mem(t));
    }
}

static void tr_push_seg(Translator *t)
{
    static const uint8_t segs[] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    uint8_t op = t->in->opcode;
    IrOp *o = tr_helper(t, HELPER_str, VREG_TMP0, 8);

    o->imm2 = 1 + segs[t->in->row->map ? (op == 0xa0 ? 4 : 5) : op >> 3];
    tr_push(t, VREG_TMP0, t->in->opsize);
}

static void tr_pop_seg(Translator *t)
{
    static const uint8_t segs[] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS};
    uint8_t op = t->in->opcode;
    uint8_t seg = t->in->row->map ? (op == 0xa1 ? SEG_FS : SEG_GS) : segs[op >> 3];
    IrMem m = {.base = R_RSP, .index = VREG_NONE, .asize = (uint8_t)tr_stack_size(t)};

    tr_seg(t, &m, SEG_SS);
    tr_ld(t, VREG_TMP0, 2, m);
    IrOp *o = tr_helper_end(t, HELPER_pop_ss);
    o->src = VREG_TMP0;
    o->imm2 = seg | t->in->opsize << 8 | tr_stack_size(t) << 16;
}

/* MASKMOVQ is an MMX instruction even when its store faults: a pending x87 exception comes first,
 * and then its change of the x87 state. A move to a scratch register does both. */
static void mmx_effects(Translator *t, uint8_t mm)
{
    IrOp *o = tr_op(t, IR_CAPSULE, 4);

    o->cap = (IrCapsule){.map = 1,
                         .opcode = 0x7e, /* MOVD */
                         .modrm = true,
                         .reg_role = IR_ROLE_FIXED,
                         .reg = mm,
                         .rm_role = IR_ROLE_GPR,
                         .rm = VREG_TMP0,
                         .rm_acc = IR_ACC_W,
                         .vvvv = VREG_NONE,
                         .may_fault = true};
}

static void tr_maskmov(Translator *t)
{
    const Insn *in = t->in;
    bool mmx = in->row->rm == K_MMX;
    unsigned data = mmx ? in->reg & 7 : in->reg, mask = mmx ? in->rm & 7 : in->rm;

    if (mmx) {
        mmx_effects(t, (uint8_t)mask);
    }
    tr_helper(t, HELPER_maskmov, VREG_NONE, 8)->imm2 =
        mask | data << MASKMOV_DATA_SHIFT | (unsigned)in->asize << MASKMOV_ASIZE_SHIFT |
        (unsigned)in->seg << MASKMOV_SEG_SHIFT | (mmx ? MASKMOV_MMX : 0u);
}

static void (*const handlers[])(Translator *) = {
    [T_PUSH_R] = tr_push_reg,   [T_POP_R] = tr_pop_reg,   [T_PUSH_I] = tr_push_imm,
    [T_PUSH_M] = tr_push_rm,    [T_POP_M] = tr_pop_rm,    [T_INCDEC_R] = tr_incdec,
    [T_XCHG_R] = tr_xchg,       [T_MOV_RI] = tr_mov_ri,   [T_MOFFS] = tr_moffs,
    [T_LEA] = tr_lea,           [T_JCC] = tr_jcc,         [T_JMP] = jump_relative,
    [T_CALL] = tr_call,         [T_RET] = tr_ret,         [T_CALL_M] = tr_call_rm,
    [T_JMP_M] = tr_jmp_rm,      [T_LOOP] = tr_loop,       [T_STRING] = tr_string,
    [T_INS_OUTS] = tr_ins_outs, [T_LEAVE] = tr_leave,     [T_XLAT] = tr_xlat,
    [T_NOP] = tr_nop,           [T_BSWAP] = NULL,         [T_PUSH_S] = tr_push_seg,
    [T_POP_S] = tr_pop_seg,     [T_MASKMOV] = tr_maskmov,
};

bool tr_integer(Translator *t)
{
    uint8_t kind = t->in->row->kind;

    if (kind == T_BSWAP) {
        tr_capsule(t);
        return true;
    }
    if (kind >= sizeof handlers / sizeof handlers[0] || !handlers[kind]) {
        return false;
    }
    handlers[kind](t);
    return true;
}

/* BT and its kin are capsules but for the memory form with a register offset; two x87
 * instructions are more than capsules. */
bool tr_capsule_special(Translator *t)
{
    const InsnRow *r = t->in->row;

    if (t->in->is_mem && r->map == 1 && r->ext < 0 &&
        (r->opcode == 0xa3 || r->opcode == 0xab || r->opcode == 0xb3 || r->opcode == 0xbb)) {
        tr_bt_mem(t);
        return true;
    }
    /* FNCLEX, FNINIT: of interest to the board when CR0.NE is 0 */
    if (r->map == 0 && r->opcode == 0xdb && (t->in->modrm == 0xe2 || t->in->modrm == 0xe3)) {
        tr_capsule(t);
        tr_helper(t, HELPER_x87_clean, VREG_NONE, 8);
        return true;
    }
    return false;
}
