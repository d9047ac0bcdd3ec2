/*
 * The translator's driver and what its parts share.
 *
 * Most instructions become one capsule straight from their row. The others are small sequences of
 * ordinary operations, or helper calls; the functions for them are in translate_int.c and
 * translate_sys.c, chosen by the row's kind.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/helpers.h"
#include "target-x86/translate.h"

enum { MAX_OPS_PER_INSN = 12, HIGH_BYTES = 16 };

IrOp *tr_op(Translator *t, IrOpcode op, unsigned size)
{
    IrOp *o = &t->b->ops[t->b->count++];

    *o = (IrOp){
        .op = op,
        .size = (uint8_t)size,
        .dst = VREG_NONE,
        .src = VREG_NONE,
        .src2 = VREG_NONE,
        .insn_off = t->off,
        .insn_len = t->in->len,
        .mem = {.base = VREG_NONE, .index = VREG_NONE},
    };
    o->cap.vvvv = VREG_NONE;
    if (ir_op_ends(op)) {
        t->done = true;
    }
    return o;
}

void tr_seg(const Translator *t, IrMem *m, uint8_t seg)
{
    uint32_t mode = t->req->mode;

    m->seg = seg;
    if (mode & MODE_CODE64) {
        m->seg_base = seg == SEG_FS || seg == SEG_GS;
    } else if (seg == SEG_FS || seg == SEG_GS) {
        m->seg_base = true;
        m->seg_check = !(mode & MODE_FSGS_FULL);
    } else {
        m->seg_base = m->seg_check = !(mode & MODE_FLAT);
    }
}

IrMem tr_mem(const Translator *t)
{
    const Insn *in = t->in;
    IrMem m = {
        .base = in->base == 0xff ? VREG_NONE : in->base,
        .index = in->index == 0xff ? VREG_NONE : in->index,
        .scale = in->scale,
        .asize = in->asize,
        .ip_relative = in->rip_relative,
        .disp = in->rip_relative ? in->disp + t->next_off : in->disp,
    };

    tr_seg(t, &m, in->seg);
    return m;
}

IrOp *tr_ld(Translator *t, uint8_t dst, unsigned size, IrMem mem)
{
    IrOp *o = tr_op(t, IR_LD, size);

    o->dst = dst;
    o->mem = mem;
    o->mem_acc = IR_ACC_R;
    o->mem_size = (uint16_t)size;
    return o;
}

IrOp *tr_st(Translator *t, uint8_t src, unsigned size, IrMem mem)
{
    IrOp *o = tr_op(t, IR_ST, size);

    o->src = src;
    o->mem = mem;
    o->mem_acc = IR_ACC_W;
    o->mem_size = (uint16_t)size;
    return o;
}

void tr_mov(Translator *t, uint8_t dst, uint8_t src, unsigned size)
{
    IrOp *o = tr_op(t, IR_MOV, size);

    o->dst = dst;
    o->src = src;
}

void tr_addi(Translator *t, uint8_t dst, uint8_t src, int64_t imm, unsigned size)
{
    IrOp *o = tr_op(t, IR_ADDI, size);

    o->dst = dst;
    o->src = src;
    o->imm = imm;
}

unsigned tr_stack_size(const Translator *t)
{
    return t->req->mode & MODE_CODE64 ? 8 : t->req->mode & MODE_STACK32 ? 4 : 2;
}

static IrMem stack_mem(const Translator *t, int64_t disp)
{
    IrMem m = {.base = R_RSP, .index = VREG_NONE, .asize = (uint8_t)tr_stack_size(t), .disp = disp};

    tr_seg(t, &m, SEG_SS);
    return m;
}

void tr_push(Translator *t, uint8_t src, unsigned size)
{
    tr_st(t, src, size, stack_mem(t, -(int64_t)size));
    tr_addi(t, R_RSP, R_RSP, -(int64_t)size, tr_stack_size(t));
}

void tr_pop(Translator *t, uint8_t dst, unsigned size, unsigned extra)
{
    tr_ld(t, dst, size, stack_mem(t, 0));
    tr_addi(t, R_RSP, R_RSP, size + extra, tr_stack_size(t));
}

/* Byte registers: without REX, 4..7 are AH CH DH BH. */
static uint8_t byte_reg(const Insn *in, uint8_t num)
{
    return !in->rex && num >= 4 && num < 8 ? num - 4 + HIGH_BYTES : num;
}

static void set_operand(const Insn *in, uint8_t kind, uint8_t num, uint8_t *role, uint8_t *reg)
{
    *reg = num;
    switch (kind) {
    case K_B:
        *role = IR_ROLE_GPR8;
        *reg = byte_reg(in, num);
        break;
    case K_W:
    case K_D:
    case K_Q:
    case K_V:
    case K_Y:
    case K_OPREG:
        *role = IR_ROLE_GPR;
        break;
    case K_MMX:
        *reg = num & 7;
        *role = IR_ROLE_FIXED;
        break;
    default:
        *role = IR_ROLE_FIXED;
        break;
    }
}

static uint8_t capsule_prefixes(const Insn *in)
{
    uint8_t p = in->lock ? IR_PFX_LOCK : 0;

    switch (in->row->pfx) {
    case PFX_66:
        p |= IR_PFX_66;
        break;
    case PFX_F3:
        p |= IR_PFX_F3 | (in->has66 ? IR_PFX_66 : 0);
        break;
    case PFX_F2:
        p |= IR_PFX_F2 | (in->has66 ? IR_PFX_66 : 0);
        break;
    case PFX_ANY:
        p |= in->opsize == 2 ? IR_PFX_66 : 0;
        break;
    default:
        break;
    }
    /* in 16-bit code the operand-size prefix is the other way round for integer rows */
    if ((in->row->pfx == PFX_F3 || in->row->pfx == PFX_F2) && !(in->row->flags & INSN_SSE)) {
        p = (uint8_t)((p & ~IR_PFX_66) | (in->opsize == 2 ? IR_PFX_66 : 0));
    }
    if (in->vex) { /* in the VEX prefix, whatever the code size */
        p = in->has66 ? IR_PFX_66 : in->rep == 0xf3 ? IR_PFX_F3 : in->rep == 0xf2 ? IR_PFX_F2 : 0;
    }
    if (in->rex & 8) {
        p |= IR_PFX_W;
    }
    return p;
}

static void capsule_flags(const Insn *in, IrOp *o)
{
    const InsnRow *r = in->row;
    bool may = r->flags & INSN_MAYFL;

    o->fl_read = r->fl_read;
    o->fl_touch = r->fl_write | r->fl_undef;
    if (may && r->imm == IMM_B && (in->imm & (in->opsize == 8 && r->rm == K_V ? 63 : 31)) &&
        (r->map == 1 || r->ext >= 4)) {
        may = false; /* SHL, SHR, SAR, SHLD, SHRD by a count that is not 0 */
    }
    o->fl_write = may ? 0 : o->fl_touch;
}

/* Locked even without the prefix (SDM 3A 8.1.2.1). */
static bool is_xchg(const InsnRow *r)
{
    return r->map == 0 && (r->opcode | 1) == 0x87;
}

IrOp *tr_capsule(Translator *t)
{
    const Insn *in = t->in;
    const InsnRow *r = in->row;
    IrOp *o = tr_op(t, IR_CAPSULE, in->opsize);
    IrCapsule *c = &o->cap;

    c->prefixes = capsule_prefixes(in);
    c->map = r->map;
    c->opcode =
        r->map == 0 && in->opcode == 0x82 ? 0x80 : in->opcode; /* its alias outside 64-bit mode */
    c->modrm = in->has_modrm;
    c->imm_size = in->imm_size;
    o->imm = in->imm;
    c->may_fault = r->flags & INSN_FAULT;
    if (in->vex) {
        c->vex = true;
        c->map = r->map - 2;
        if (r->vvvv) {
            c->vvvv = in->vvvv;
            c->vvvv_acc = r->vvvv;
        }
    }
    if (in->has_modrm) {
        if (r->reg == K_NONE) {
            c->reg_role = IR_ROLE_EXT;
            c->reg = (in->modrm >> 3) & 7;
        } else {
            set_operand(in, r->reg, in->reg, &c->reg_role, &c->reg);
        }
        c->reg_acc = r->flags & INSN_REG_R   ? IR_ACC_R
                     : r->flags & INSN_REG_W ? IR_ACC_W
                                             : IR_ACC_RW;
        if (r->reg == K_B) {
            o->size = 1;
        }
    }
    if (in->is_mem) {
        c->rm_role = IR_ROLE_MEM;
        o->mem = tr_mem(t);
        o->mem_acc = r->acc;
        o->mem_size = (uint16_t)insn_mem_size(in);
        o->mem_last = true;
        o->mem_locked = in->lock || is_xchg(r);
        if (o->mem_size >= 16) {
            c->may_fault = true;
            o->mem_aligned = !(r->flags & INSN_UNALIGNED);
        }
    } else if (in->has_modrm) {
        set_operand(in, r->rm == K_NONE ? K_VEC : r->rm, r->rm == K_NONE ? in->rm & 7 : in->rm,
                    &c->rm_role, &c->rm);
        c->rm_acc = r->acc;
        if (r->rm == K_B && r->reg == K_NONE) {
            o->size = 1;
        }
    } else if (r->rm == K_OPREG) {
        c->rm_role = IR_ROLE_GPR;
        c->rm = in->rm;
        c->rm_acc = IR_ACC_RW;
        c->opcode = in->opcode & 0xf8;
    }
    capsule_flags(in, o);
    return o;
}

IrOp *tr_helper(Translator *t, int helper, uint8_t dst, unsigned size)
{
    IrOp *o = tr_op(t, IR_HELPER, size);

    o->dst = dst;
    o->imm = helper;
    return o;
}

IrOp *tr_helper_end(Translator *t, int helper)
{
    IrOp *o = tr_op(t, IR_HELPER_END, 8);

    o->imm = helper;
    o->fl_read = IR_FL_ALL;
    return o;
}

void tr_raise(Translator *t, int vector)
{
    IrOp *o = tr_op(t, IR_MOVI, 8);

    o->dst = VREG_TMP0;
    o->imm = vector;
    o = tr_helper_end(t, vector == EXC_UD ? HELPER_raise_unimp : HELPER_raise);
    o->src = VREG_TMP0;
}

void tr_jump(Translator *t, int64_t target_off)
{
    IrOp *o = tr_op(t, IR_JMP, 8);

    o->imm = target_off;
}

void tr_jump_indirect(Translator *t, uint8_t vreg)
{
    IrOp *o = tr_op(t, IR_JIND, 8);

    o->src = vreg;
}

/* Faults that depend only on mode bits. True: the instruction raises, and is done with. */
static bool check_mode(Translator *t)
{
    uint16_t f = t->in->row->flags;
    uint32_t m = t->req->mode;

    if (((f & INSN_PE) && !(m & MODE_PE)) || ((f & INSN_SSE) && (m & MODE_SSE_UD)) ||
        ((f & INSN_MMX) && (m & MODE_MMX_UD))) {
        tr_raise(t, EXC_UD);
        return true;
    }
    if (((f & INSN_X87) && (m & MODE_FPU_NM)) ||
        ((f & (INSN_SSE | INSN_MMX)) && (m & MODE_SSE_NM)) ||
        ((f & INSN_WAIT) && (m & MODE_WAIT_NM))) {
        tr_raise(t, EXC_NM);
        return true;
    }
    if ((f & INSN_PRIV) && (m & MODE_USER)) {
        tr_helper_end(t, HELPER_raise_gp0);
        return true;
    }
    return false;
}

static void translate_one(Translator *t, DecodeResult decoded)
{
    tr_op(t, IR_INSN, 0);
    if (decoded == DECODE_GP) {
        tr_helper_end(t, HELPER_raise_gp0);
    } else if (decoded == DECODE_UD) {
        tr_raise(t, EXC_UD);
    } else if (!check_mode(t)) {
        if (t->in->row->kind == T_CAPSULE) {
            if (!tr_capsule_special(t)) {
                tr_capsule(t);
            }
        } else if (!tr_integer(t) && !tr_system(t)) {
            tr_raise(t, EXC_UD);
        }
    }
}

/* What the code at page offset OFF needs of the flags, looking a few instructions ahead in this
 * block's page. The block depends on the bytes looked at: they become its peek range N. */
static uint16_t peek_live(const TranslateRequest *req, IrBlock *b, int n, int64_t off)
{
    uint16_t live = 0, dead = 0;
    Insn in;

    if (off < 0 || off >= 4096) {
        return IR_FL_ALL;
    }
    b->peek_start[n] = (uint16_t)off;
    for (int i = 0; i < 6; i++) {
        int64_t pos = off - req->start_off;
        b->peek_end[n] = (uint16_t)off;
        if (pos >= (int64_t)req->avail ||
            insn_decode(req->code + pos, req->avail - (size_t)pos, mode_code_size(req->mode),
                        req->features, &in) != DECODE_OK) {
            break;
        }
        const InsnRow *r = in.row;
        b->peek_end[n] = (uint16_t)(off + in.len);
        live |= r->fl_read & ~dead;
        if (r->kind != T_CAPSULE && r->kind != T_LEA && r->kind != T_PUSH_R && r->kind != T_POP_R &&
            r->kind != T_MOV_RI && r->kind != T_NOP && r->kind != T_MOFFS && r->kind != T_LEAVE) {
            break;
        }
        if (!(r->flags & INSN_MAYFL)) {
            dead |= r->fl_write | r->fl_undef;
        }
        if ((dead & IR_FL_ALL) == IR_FL_ALL) {
            return live;
        }
        off += in.len;
    }
    return live | (IR_FL_ALL & ~dead);
}

static void successors(const TranslateRequest *req, IrBlock *b)
{
    const IrOp *end = &b->ops[b->count - 1];
    int64_t start = b->start_off;

    b->succ_live[0] = b->succ_live[1] = IR_FL_ALL;
    b->peek_start[0] = b->peek_end[0] = b->peek_start[1] = b->peek_end[1] = 0;
    if ((req->mode & MODE_ONE) || !req->whole_page) {
        return;
    }
    if (end->op == IR_JMP || end->op == IR_JCC || end->op == IR_JCXZ) {
        b->succ_live[0] = peek_live(req, b, 0, end->imm);
        if (end->op != IR_JMP) {
            b->succ_live[1] = peek_live(req, b, 1, end->imm2);
        }
        /* a loop to the block itself: what the block needs, to the least fixed point */
        if (end->imm == start && b->succ_live[0]) {
            uint16_t pessimistic = b->succ_live[0];
            b->succ_live[0] = 0;
            ir_flags_liveness(b);
            b->succ_live[0] = b->fl_live_in;
            ir_flags_liveness(b);
            b->succ_live[0] = b->fl_live_in & pessimistic;
        }
    }
}

TranslateResult x86_translate(const TranslateRequest *req, IrBlock *b)
{
    Insn in;
    Translator t = {.req = req, .b = b, .in = &in};
    size_t pos = 0;

    b->count = 0;
    b->start_off = req->start_off;
    b->code_size = (uint8_t)mode_code_size(req->mode);
    b->direct_far = req->mode & MODE_CODE64;
    for (int n = 0; !t.done; n++) {
        DecodeResult r =
            insn_decode(req->code + pos, req->avail - pos, b->code_size, req->features, &in);

        t.off = (uint16_t)(req->start_off + pos);
        if (n > 0 && (n >= req->max_insns || b->count + MAX_OPS_PER_INSN * 2 > IR_MAX_OPS)) {
            in.len = 0;
            tr_jump(&t, t.off);
            break;
        }
        if (r == DECODE_MORE) {
            if (n == 0) {
                return TRANSLATE_STRADDLES;
            }
            /* the straddling instruction is a block of its own, found by its address */
            in.len = 0;
            IrOp *o = tr_op(&t, IR_IP, b->code_size);
            o->dst = VREG_TMP0;
            o->imm = t.off;
            tr_jump_indirect(&t, VREG_TMP0);
            break;
        }
        pos += in.len;
        t.next_off = (uint16_t)(req->start_off + pos);
        translate_one(&t, r);
        if (!t.done && req->start_off + pos >= 4096) {
            in.len = 0;
            tr_jump(&t, t.next_off);
        }
    }
    b->end_off = (uint16_t)(req->start_off + pos);
    successors(req, b);
    ir_flags_liveness(b);
    return TRANSLATE_OK;
}
