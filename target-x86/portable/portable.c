/*
 * The entry to the portable expansions: from a capsule to its row, from the row to its expansion,
 * and access to operands.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>

#include "target-x86/portable/impl.h"

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN); /* lanes of X86Vec, operands in memory */

static const PortableEntry *const families[] = {
    portable_alu,         portable_shift,    portable_bits,      portable_move, portable_lanes,
    portable_shuffle,     portable_vec_move, portable_crypto,    portable_text, portable_sse_float,
    portable_sse_convert, portable_x87,      portable_x87_arith,
};

enum { MAPS = 6, MAX_ROWS = 2048, NO_ROW = MAX_ROWS };

/* What is looked up when a capsule is prepared; read-only once made. */
typedef struct Index {
    GHashTable *entries; /* by mnemonic */
    /* rows of an opcode, in the table's order */
    uint16_t first[MAPS][256], next[MAX_ROWS];
} Index;

static void index_entries(Index *x)
{
    x->entries = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t f = 0; f < G_N_ELEMENTS(families); f++) {
        for (const PortableEntry *e = families[f]; e->name; e++) {
            bool fresh = g_hash_table_insert(x->entries, (gpointer)e->name, (gpointer)e);
            g_assert(fresh); /* a mnemonic has one expansion */
        }
    }
}

static void index_rows(Index *x)
{
    g_assert(insn_table_count <= MAX_ROWS);
    for (unsigned i = 0; i < MAPS * 256; i++) {
        x->first[i / 256][i % 256] = NO_ROW;
    }
    for (size_t i = insn_table_count; i-- > 0;) {
        uint16_t *first = &x->first[insn_table[i].map][insn_table[i].opcode];
        x->next[i] = *first;
        *first = (uint16_t)i;
    }
}

static const Index *get_index(void)
{
    static Index x;
    static gsize made;

    if (g_once_init_enter(&made)) {
        index_entries(&x);
        index_rows(&x);
        g_once_init_leave(&made, 1);
    }
    return &x;
}

static const PortableEntry *entry_of(const InsnRow *row)
{
    return g_hash_table_lookup(get_index()->entries, row->name);
}

bool x86_portable_has(const InsnRow *row)
{
    return entry_of(row) != NULL;
}

/* Whether a row of the capsule's opcode is the one that it was made from. */
static bool row_is(const InsnRow *r, const IrCapsule *c, bool mem)
{
    bool opreg = !c->modrm && c->rm_role == IR_ROLE_GPR;

    if ((r->kind != T_CAPSULE && r->kind != T_BSWAP) || opreg != (r->rm == K_OPREG) ||
        (r->ext >= 0) != (c->reg_role == IR_ROLE_EXT && r->ext >= 0)) {
        return false;
    }
    if ((r->mod != MOD_ANY && (r->mod == MOD_MEM) != mem) || (r->flags & INSN_I64) ||
        (r->ext >= 0 && r->ext != c->reg) || (r->rm_fixed && r->rm_fixed - 1 != c->rm)) {
        return false;
    }
    switch (r->pfx) {
    case PFX_NP:
        return !(c->prefixes & (IR_PFX_66 | IR_PFX_F2 | IR_PFX_F3));
    case PFX_66:
        return (c->prefixes & IR_PFX_66) && !(c->prefixes & (IR_PFX_F2 | IR_PFX_F3));
    case PFX_F3:
        return c->prefixes & IR_PFX_F3;
    case PFX_F2:
        return c->prefixes & IR_PFX_F2;
    default:
        return true;
    }
}

bool x86_portable_prepare(const IrOp *op, X86PortableInsn *out)
{
    const IrCapsule *c = &op->cap;
    bool mem = c->rm_role == IR_ROLE_MEM;

    *out = (X86PortableInsn){
        .imm = op->imm,
        .size = c->prefixes & IR_PFX_W    ? 8
                : c->prefixes & IR_PFX_66 ? 2
                                          : 4,
        .y_size = c->prefixes & IR_PFX_W ? 8 : 4,
        .mem_size = mem ? (uint8_t)op->mem_size : 0,
        .reg = c->reg,
        .rm = c->rm,
        .vvvv = c->vvvv,
        .opcode = c->opcode,
        .mem_aligned = op->mem_aligned,
    };
    const Index *x = get_index();
    uint16_t i = x->first[c->vex ? c->map + 2 : c->map][c->opcode];
    while (i != NO_ROW && !row_is(&insn_table[i], c, mem)) {
        i = x->next[i];
    }
    out->row = i == NO_ROW ? NULL : &insn_table[i];
    if (!out->row || (mem && (op->mem_size > sizeof((X86PortableState *)0)->mem))) {
        return false;
    }
    out->entry = entry_of(out->row);
    return out->entry;
}

int x86_portable_run(const X86PortableInsn *in, X86PortableState *st)
{
    PortableCtx c = {in, st};

    st->mem_written = false;
    if (in->mem_aligned && st->mem_addr % 16) {
        return EXC_GP;
    }
    return in->entry->fn(&c);
}

/* ---- operands ---- */

unsigned portable_size(const PortableCtx *c, uint8_t kind)
{
    return insn_kind_size(kind, c->in->size, c->in->y_size == 8, c->in->mem_size);
}

unsigned portable_op_size(const PortableCtx *c)
{
    const InsnRow *r = c->in->row;

    if (r->rm != K_NONE && r->rm != K_OPREG) {
        return portable_size(c, r->rm);
    }
    /* AL or the wider accumulator, by the opcode's low bit */
    return r->imm != IMM_NONE && !(r->opcode & 1) ? 1 : c->in->size;
}

/* IrCapsule's byte registers: 0..15 the low bytes, 16..19 AH CH DH BH, then the temporaries. */
enum { HIGH_BYTES = 16, LOW_TEMPS = 20 };

uint64_t portable_get_gpr(const PortableCtx *c, unsigned number, unsigned size)
{
    const uint64_t *gpr = c->st->gpr;

    if (size == 1 && number >= HIGH_BYTES) {
        return number < LOW_TEMPS ? gpr[number - HIGH_BYTES] >> 8 & 0xff : gpr[number - 4] & 0xff;
    }
    return gpr[number] & size_mask(size);
}

void portable_set_gpr(PortableCtx *c, unsigned number, unsigned size, uint64_t value)
{
    uint64_t mask = size == 4 ? UINT64_MAX : size_mask(size);
    unsigned shift = 0;

    value &= size_mask(size);
    if (size == 1 && number >= HIGH_BYTES) {
        shift = number < LOW_TEMPS ? 8 : 0;
        number -= number < LOW_TEMPS ? HIGH_BYTES : 4;
    }
    uint64_t *r = &c->st->gpr[number];
    *r = (*r & ~(mask << shift)) | value << shift;
}

uint64_t portable_get_rm(const PortableCtx *c, unsigned size)
{
    uint64_t v = 0;

    if (!portable_is_mem(c)) {
        return portable_get_gpr(c, c->in->rm, size);
    }
    memcpy(&v, c->st->mem, size);
    return v;
}

void portable_set_rm(PortableCtx *c, unsigned size, uint64_t value)
{
    if (!portable_is_mem(c)) {
        portable_set_gpr(c, c->in->rm, size, value);
        return;
    }
    memcpy(c->st->mem, &value, size);
    c->st->mem_written = true;
}

/* ---- flags ---- */

void portable_set_flags(PortableCtx *c, uint32_t mask, uint32_t value)
{
    c->st->flags = (c->st->flags & ~mask) | (value & mask);
}

uint32_t portable_szp(uint64_t result, unsigned size)
{
    uint32_t fl = 0;

    result &= size_mask(size);
    fl |= result ? 0 : IR_FL_Z;
    fl |= result >> (8 * size - 1) ? IR_FL_S : 0;
    fl |= __builtin_parity(result & 0xff) ? 0 : IR_FL_P;
    return fl;
}

bool portable_condition(uint32_t fl, unsigned cc)
{
    bool less = !(fl & IR_FL_S) != !(fl & IR_FL_O);
    const bool table[8] = {
        fl & IR_FL_O, fl & IR_FL_C, fl & IR_FL_Z, fl & (IR_FL_C | IR_FL_Z),
        fl & IR_FL_S, fl & IR_FL_P, less,         less || (fl & IR_FL_Z),
    };

    return table[cc >> 1 & 7] != (cc & 1);
}

/* ---- FXSAVE images ---- */

enum { FX_MXCSR = 24, FX_MASK = 28, FX_X87 = 32, FX_XMM = 160 };

void x86_portable_load_fx(X86PortableState *st, const uint8_t *image)
{
    memcpy(&st->fcw, image, 2);
    memcpy(&st->fsw, image + 2, 2);
    st->ftw = image[4];
    memcpy(&st->mxcsr, image + FX_MXCSR, 4);
    memcpy(&st->mxcsr_mask, image + FX_MASK, 4);
    for (unsigned i = 0; i < 8; i++) {
        X86Reg80 *r = &st->x87[(i + (st->fsw >> 11)) & 7];
        memcpy(&r->sig, image + FX_X87 + 16 * i, 8);
        memcpy(&r->exp, image + FX_X87 + 16 * i + 8, 2);
    }
    memcpy(st->xmm, image + FX_XMM, sizeof st->xmm);
}

void x86_portable_store_fx(const X86PortableState *st, uint8_t *image)
{
    memcpy(image, &st->fcw, 2);
    memcpy(image + 2, &st->fsw, 2);
    image[4] = st->ftw;
    memcpy(image + FX_MXCSR, &st->mxcsr, 4);
    memcpy(image + FX_MASK, &st->mxcsr_mask, 4);
    for (unsigned i = 0; i < 8; i++) {
        const X86Reg80 *r = &st->x87[(i + (st->fsw >> 11)) & 7];
        memcpy(image + FX_X87 + 16 * i, &r->sig, 8);
        memcpy(image + FX_X87 + 16 * i + 8, &r->exp, 2);
    }
    memcpy(image + FX_XMM, st->xmm, sizeof st->xmm);
}
