/*
 * MMX and SSE: operands, and moves between vector registers, general registers and memory.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "target-x86/portable/impl.h"

enum { FSW_ES = 1 << 7, FSW_TOP = 7 << 11 };

/* ---- operands ---- */

int portable_enter_mmx(PortableCtx *c)
{
    if (c->st->fsw & FSW_ES) {
        return EXC_MF;
    }
    c->st->fsw &= (uint16_t)~FSW_TOP;
    c->st->ftw = 0xff;
    return PORTABLE_OK;
}

static X86Vec get_reg(const PortableCtx *c, uint8_t kind, unsigned number)
{
    return kind == K_MMX ? (X86Vec){.q = {c->st->x87[number].sig}} : c->st->xmm[number];
}

static void set_reg(PortableCtx *c, uint8_t kind, unsigned number, const X86Vec *v)
{
    if (kind == K_MMX) {
        c->st->x87[number] = (X86Reg80){v->q[0], 0xffff};
    } else {
        c->st->xmm[number] = *v;
    }
}

X86Vec portable_get_vec_reg(const PortableCtx *c)
{
    return get_reg(c, c->in->row->reg, c->in->reg);
}

X86Vec portable_get_vec_rm(const PortableCtx *c)
{
    X86Vec v = {0};

    if (!portable_is_mem(c)) {
        return get_reg(c, c->in->row->rm, c->in->rm);
    }
    memcpy(&v, c->st->mem, c->in->mem_size);
    return v;
}

void portable_set_vec_reg(PortableCtx *c, const X86Vec *v)
{
    set_reg(c, c->in->row->reg, c->in->reg, v);
}

void portable_set_vec_rm(PortableCtx *c, const X86Vec *v)
{
    if (!portable_is_mem(c)) {
        set_reg(c, c->in->row->rm, c->in->rm, v);
        return;
    }
    memcpy(c->st->mem, v, c->in->mem_size);
    c->st->mem_written = true;
}

static bool uses_mmx(const PortableCtx *c)
{
    return c->in->row->reg == K_MMX || c->in->row->rm == K_MMX;
}

int portable_run_lanes(PortableCtx *c)
{
    const InsnRow *r = c->in->row;
    bool by_imm = r->reg == K_NONE;
    unsigned n = uses_mmx(c) ? 8 : 16, imm = (uint8_t)c->in->imm;

    if (uses_mmx(c)) {
        int vector = portable_enter_mmx(c);
        if (vector >= 0) {
            return vector;
        }
    }
    X86Vec d = by_imm ? portable_get_vec_rm(c) : portable_get_vec_reg(c);
    X86Vec s = by_imm ? (X86Vec){.q = {imm}} : portable_get_vec_rm(c);
    c->in->entry->lanes(&d, &s, n, imm);
    if (by_imm) {
        portable_set_vec_rm(c, &d);
    } else {
        portable_set_vec_reg(c, &d);
    }
    return PORTABLE_OK;
}

/* ---- moves ---- */

#define ENTER(c)                                                                                   \
    do {                                                                                           \
        int enter_vector = uses_mmx(c) ? portable_enter_mmx(c) : PORTABLE_OK;                      \
        if (enter_vector >= 0) {                                                                   \
            return enter_vector;                                                                   \
        }                                                                                          \
    } while (0)

static bool is_store(const PortableCtx *c)
{
    return c->in->row->acc == IR_ACC_W;
}

/* Whole operands; ARG is how many bytes an XMM register gets, the rest is cleared. */
static int move_all(PortableCtx *c)
{
    ENTER(c);
    X86Vec v = is_store(c) ? portable_get_vec_reg(c) : portable_get_vec_rm(c);

    if (c->in->entry->arg == 8) {
        v.q[1] = 0;
    }
    if (is_store(c)) {
        portable_set_vec_rm(c, &v);
    } else {
        portable_set_vec_reg(c, &v);
    }
    return PORTABLE_OK;
}

/* MOVSS, MOVSD: ARG bytes; between registers the rest is kept, from memory cleared. */
static int move_scalar(PortableCtx *c)
{
    bool store = is_store(c), mem = portable_is_mem(c);
    X86Vec src = store ? portable_get_vec_reg(c) : portable_get_vec_rm(c), dst = {0};

    if (!mem) {
        dst = store ? portable_get_vec_rm(c) : portable_get_vec_reg(c);
    }
    memcpy(&dst, &src, c->in->entry->arg);
    if (store) {
        portable_set_vec_rm(c, &dst);
    } else {
        portable_set_vec_reg(c, &dst);
    }
    return PORTABLE_OK;
}

/* MOVLPS, MOVHPS and their PD forms: ARG is the half; between registers they are MOVHLPS, MOVLHPS,
 * which read the other one. */
static int move_half(PortableCtx *c)
{
    unsigned half = c->in->entry->arg;
    X86Vec reg = portable_get_vec_reg(c);

    if (is_store(c)) {
        X86Vec v = {.q = {reg.q[half]}};
        portable_set_vec_rm(c, &v);
        return PORTABLE_OK;
    }
    X86Vec src = portable_get_vec_rm(c);
    reg.q[half] = src.q[portable_is_mem(c) ? 0 : 1 - half];
    portable_set_vec_reg(c, &reg);
    return PORTABLE_OK;
}

/* MOVD, MOVQ with a general register or memory. */
static int move_gpr(PortableCtx *c)
{
    unsigned size = c->in->y_size;

    ENTER(c);
    if (is_store(c)) {
        portable_set_rm(c, size, portable_get_vec_reg(c).q[0]);
    } else {
        X86Vec v = {.q = {portable_get_rm(c, size)}};
        portable_set_vec_reg(c, &v);
    }
    return PORTABLE_OK;
}

/* The sign bits of lanes of ARG bytes. */
static int move_mask(PortableCtx *c)
{
    unsigned lane = c->in->entry->arg, bytes = c->in->row->rm == K_MMX ? 8 : 16, mask = 0;

    ENTER(c);
    X86Vec v = portable_get_vec_rm(c);
    for (unsigned i = 0; i < bytes / lane; i++) {
        mask |= (unsigned)(v.b[(i + 1) * lane - 1] >> 7) << i;
    }
    portable_set_gpr(c, c->in->reg, 4, mask);
    return PORTABLE_OK;
}

static unsigned lane_size(const PortableCtx *c) /* ARG; 0: by REX.W */
{
    return c->in->entry->arg ? c->in->entry->arg : c->in->y_size;
}

static int insert(PortableCtx *c)
{
    unsigned size = lane_size(c), bytes = c->in->row->reg == K_MMX ? 8 : 16;
    unsigned at = ((unsigned)c->in->imm & (bytes / size - 1)) * size;

    ENTER(c);
    X86Vec d = portable_get_vec_reg(c);
    uint64_t v = portable_is_mem(c) ? portable_get_rm(c, size) : c->st->gpr[c->in->rm];
    memcpy(d.b + at, &v, size);
    portable_set_vec_reg(c, &d);
    return PORTABLE_OK;
}

/* Zero-extended into a general register; PEXTRW has a form with the operands exchanged. */
static int extract(PortableCtx *c)
{
    const InsnRow *r = c->in->row;
    bool to_reg = r->rm == K_VEC || r->rm == K_MMX;
    unsigned size = lane_size(c), bytes = r->rm == K_MMX ? 8 : 16;
    unsigned at = ((unsigned)c->in->imm & (bytes / size - 1)) * size;
    uint64_t v = 0;

    ENTER(c);
    X86Vec s = to_reg ? portable_get_vec_rm(c) : portable_get_vec_reg(c);
    memcpy(&v, s.b + at, size);
    if (to_reg) {
        portable_set_gpr(c, c->in->reg, 8, v);
    } else if (portable_is_mem(c)) {
        portable_set_rm(c, size, v);
    } else {
        portable_set_gpr(c, c->in->rm, 8, v);
    }
    return PORTABLE_OK;
}

/* Selector: source lane [7:6] (not of memory), destination lane [5:4], lanes to clear [3:0]. */
static int insertps(PortableCtx *c)
{
    unsigned imm = (uint8_t)c->in->imm;
    X86Vec d = portable_get_vec_reg(c), s = portable_get_vec_rm(c);

    d.d[imm >> 4 & 3] = s.d[portable_is_mem(c) ? 0 : imm >> 6];
    for (unsigned i = 0; i < 4; i++) {
        d.d[i] = imm >> i & 1 ? 0 : d.d[i];
    }
    portable_set_vec_reg(c, &d);
    return PORTABLE_OK;
}

static int emms(PortableCtx *c)
{
    int vector = portable_enter_mmx(c);

    c->st->ftw = vector < 0 ? 0 : c->st->ftw;
    return vector;
}

const PortableEntry portable_vec_move[] = {
    {"movups", .fn = move_all},
    {"movupd", .fn = move_all},
    {"movaps", .fn = move_all},
    {"movapd", .fn = move_all},
    {"movdqa", .fn = move_all},
    {"movdqu", .fn = move_all},
    {"lddqu", .fn = move_all},
    {"movntps", .fn = move_all},
    {"movntpd", .fn = move_all},
    {"movntdq", .fn = move_all},
    {"movntdqa", .fn = move_all},
    {"movntq", .fn = move_all},
    {"movq", .fn = move_all, .arg = 8},
    {"movq2dq", .fn = move_all, .arg = 8},
    {"movdq2q", .fn = move_all, .arg = 8},
    {"movss", .fn = move_scalar, .arg = 4},
    {"movsd", .fn = move_scalar, .arg = 8},
    {"movlps", .fn = move_half, .arg = 0},
    {"movlpd", .fn = move_half, .arg = 0},
    {"movhps", .fn = move_half, .arg = 1},
    {"movhpd", .fn = move_half, .arg = 1},
    {"movd", .fn = move_gpr},
    {"pmovmskb", .fn = move_mask, .arg = 1},
    {"movmskps", .fn = move_mask, .arg = 4},
    {"movmskpd", .fn = move_mask, .arg = 8},
    {"pinsrb", .fn = insert, .arg = 1},
    {"pinsrw", .fn = insert, .arg = 2},
    {"pinsrd", .fn = insert},
    {"pextrb", .fn = extract, .arg = 1},
    {"pextrw", .fn = extract, .arg = 2},
    {"pextrd", .fn = extract},
    {"extractps", .fn = extract, .arg = 4},
    {"insertps", .fn = insertps},
    {"emms", .fn = emms},
    {0},
};
