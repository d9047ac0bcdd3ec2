/*
 * The decoder: prefixes, opcode, ModRM, SIB, displacement, immediates (SDM volume 2, chapter 2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "target-x86/cpu.h"
#include "target-x86/insn.h"

enum { MAX_INSN = 15 };

/* First row of each opcode; rows of one opcode stand in table order through NEXT. */
static uint16_t first_row[6][256];
static uint16_t next_row[2048];

void insn_init(void)
{
    uint16_t last[6][256] = {{0}};

    memset(first_row, 0, sizeof first_row);
    memset(next_row, 0, sizeof next_row);
    for (size_t i = 0; i < insn_table_count; i++) {
        const InsnRow *r = &insn_table[i];
        uint16_t *tail = &last[r->map][r->opcode];

        if (*tail) {
            next_row[*tail] = (uint16_t)(i + 1);
        } else {
            first_row[r->map][r->opcode] = (uint16_t)(i + 1);
        }
        *tail = (uint16_t)(i + 1);
    }
}

typedef struct Reader {
    const uint8_t *p;
    size_t pos, avail;
} Reader;

static bool need(const Reader *r, size_t n)
{
    return r->pos + n <= r->avail;
}

static int64_t take_signed(Reader *r, unsigned size)
{
    int64_t v = 0;

    memcpy(&v, r->p + r->pos, size);
    r->pos += size;
    return size == 8 ? v : (int64_t)((uint64_t)v << (64 - 8 * size)) >> (64 - 8 * size);
}

static bool row_matches(const InsnRow *r, const Insn *in, unsigned code_size, uint64_t features)
{
    if (r->mod != MOD_ANY && (r->mod == MOD_REG) != (in->mod == 3)) {
        return false;
    }
    if (r->ext >= 0 && r->ext != ((in->modrm >> 3) & 7)) {
        return false;
    }
    if (r->rm_fixed && r->rm_fixed - 1 != (in->modrm & 7)) {
        return false;
    }
    if ((r->flags & INSN_O64) && code_size != 8) {
        return false;
    }
    if ((r->flags & INSN_I64) && code_size == 8) {
        return false;
    }
    if (in->vex && !r->vvvv && in->vvvv) {
        return false;
    }
    if (r->feature != FEAT_NONE && !(features >> r->feature & 1)) {
        return false;
    }
    switch (r->pfx) {
    case PFX_NP:
        return !in->has66 && !in->rep;
    case PFX_66:
        return in->has66 && !in->rep;
    case PFX_F3:
        return in->rep == 0xf3;
    case PFX_F2:
        return in->rep == 0xf2;
    default:
        return true;
    }
}

static bool has_modrm(uint8_t map, uint8_t opcode)
{
    for (uint16_t i = first_row[map][opcode]; i; i = next_row[i]) {
        const InsnRow *r = &insn_table[i - 1];

        if (r->ext >= 0 || r->mod != MOD_ANY || r->reg != K_NONE ||
            (r->rm != K_NONE && r->rm != K_OPREG) || (map == 1 && r->kind == T_MOV_FROM_CR) ||
            (map == 1 && opcode >= 0x20 && opcode <= 0x23)) {
            return true;
        }
    }
    return false;
}

static bool decode_mem16(Reader *r, Insn *in)
{
    static const uint8_t base[8] = {R_RBX, R_RBX, R_RBP, R_RBP, R_RSI, R_RDI, R_RBP, R_RBX};
    static const uint8_t index[8] = {R_RSI, R_RDI, R_RSI, R_RDI, 0xff, 0xff, 0xff, 0xff};
    uint8_t rm = in->modrm & 7;
    unsigned size = in->mod;

    in->base = base[rm];
    in->index = index[rm];
    if (in->mod == 0 && rm == 6) {
        in->base = 0xff;
        size = 2;
    }
    if (!need(r, size)) {
        return false;
    }
    if (size) {
        in->disp = take_signed(r, size);
    }
    if (in->base == 0xff) {
        in->disp &= 0xffff;
    }
    return true;
}

static bool decode_mem(Reader *r, Insn *in, unsigned code_size)
{
    uint8_t rm = in->modrm & 7;
    unsigned size = in->mod == 1 ? 1 : in->mod == 2 ? 4 : 0;

    in->base = in->rm;
    if (rm == 4) {
        if (!need(r, 1)) {
            return false;
        }
        uint8_t sib = r->p[r->pos++];
        in->scale = sib >> 6;
        in->index = ((sib >> 3) & 7) | (in->rex & 2) << 2;
        if (in->index == 4) {
            in->index = 0xff;
        }
        in->base = (sib & 7) | (in->rex & 1) << 3;
        if ((sib & 7) == 5 && in->mod == 0) {
            in->base = 0xff;
            size = 4;
        }
    } else if (rm == 5 && in->mod == 0) {
        in->base = 0xff;
        in->rip_relative = code_size == 8;
        size = 4;
    }
    if (!need(r, size)) {
        return false;
    }
    if (size) {
        in->disp = take_signed(r, size);
    }
    return true;
}

static unsigned imm_bytes(const Insn *in, unsigned *second)
{
    *second = 0;
    switch (in->row->imm) {
    case IMM_B:
    case IMM_J8:
        return 1;
    case IMM_W:
        return 2;
    case IMM_WB:
        *second = 1;
        return 2;
    case IMM_Z:
    case IMM_JZ:
        return in->opsize == 2 ? 2 : 4;
    case IMM_V:
        return in->opsize;
    case IMM_FAR:
        *second = 2;
        return in->opsize == 2 ? 2 : 4;
    case IMM_MOFFS:
        return in->asize;
    default:
        return 0;
    }
}

static bool decode_imm(Reader *r, Insn *in)
{
    unsigned second, first = imm_bytes(in, &second);

    if (!need(r, first + second)) {
        return false;
    }
    if (first) {
        in->imm = take_signed(r, first);
        in->imm_size = (uint8_t)first;
    }
    if (second) {
        in->imm2 = take_signed(r, second) & 0xffff;
    }
    if (in->row->imm == IMM_W || in->row->imm == IMM_WB) {
        in->imm &= 0xffff;
    }
    if (in->row->imm == IMM_MOFFS && in->asize != 8) {
        in->imm &= in->asize == 2 ? 0xffff : 0xffffffff;
    }
    return true;
}

/* Prefixes up to the opcode's first byte; false: ran out. */
static bool decode_prefixes(Reader *r, Insn *in, unsigned code_size, bool *has67)
{
    for (;;) {
        if (!need(r, 1)) {
            return false;
        }
        uint8_t b = r->p[r->pos];
        switch (b) {
        case 0x66:
            in->has66 = true;
            break;
        case 0x67:
            *has67 = true;
            break;
        case 0xf0:
            in->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            in->rep = b;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            /* ignored as overrides in 64-bit mode */
            if (code_size != 8) {
                in->seg = (b >> 3) & 3;
                in->seg_override = true;
            }
            break;
        case 0x64:
        case 0x65:
            in->seg = b == 0x64 ? SEG_FS : SEG_GS;
            in->seg_override = true;
            break;
        default:
            if (code_size == 8 && (b & 0xf0) == 0x40) {
                in->rex = b;
                r->pos++;
                if (!need(r, 1)) {
                    return false;
                }
                b = r->p[r->pos];
                /* REX counts only right before the opcode */
                if (b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x26 ||
                    b == 0x2e || b == 0x36 || b == 0x3e || b == 0x64 || b == 0x65 ||
                    (b & 0xf0) == 0x40) {
                    in->rex = 0;
                    continue;
                }
            }
            return true;
        }
        r->pos++;
        if (r->pos > MAX_INSN) {
            return true;
        }
    }
}

static void set_sizes(Insn *in, unsigned code_size, bool has67)
{
    if (code_size == 8) {
        in->opsize = in->rex & 8 ? 8 : in->has66 ? 2 : 4;
        in->asize = has67 ? 4 : 8;
    } else {
        in->opsize = (code_size == 4) != in->has66 ? 4 : 2;
        in->asize = (code_size == 4) != has67 ? 4 : 2;
    }
}

static bool is_near_branch(uint8_t kind)
{
    return kind == T_JCC || kind == T_JMP || kind == T_CALL || kind == T_RET || kind == T_CALL_M ||
           kind == T_JMP_M || kind == T_LOOP;
}

static DecodeResult finish(Reader *r, Insn *in, DecodeResult result)
{
    in->len = (uint8_t)(r->pos < MAX_INSN ? r->pos : MAX_INSN);
    return r->pos > MAX_INSN ? DECODE_GP : result;
}

/*
 * A VEX prefix (SDM 2A 2.3.5), whose first byte was read. It brings the opcode map, REX's bits and
 * the mandatory prefix, and excludes 66, F2, F3, LOCK and REX. False: ran out.
 */
static bool decode_vex(Reader *r, Insn *in, unsigned code_size, uint8_t *map, bool *valid)
{
    static const uint8_t maps[4] = {0xff, 0xff, 4, 5};
    bool three = in->opcode == 0xc4;
    uint8_t b1, b2;

    if (!need(r, three ? 3 : 2)) {
        return false;
    }
    *valid = !in->rex && !in->has66 && !in->rep && !in->lock;
    b1 = r->p[r->pos++];
    b2 = three ? r->p[r->pos++] : b1;
    uint8_t m = three ? b1 & 31 : 1;
    *map = m < 4 ? maps[m] : 0xff;
    *valid = *valid && *map != 0xff && !(b2 & 4);
    in->vex = true;
    in->rex = (b1 & 0x80 ? 0 : 4) | (three && !(b1 & 0x40) ? 2 : 0) |
              (three && !(b1 & 0x20) ? 1 : 0) | (three && (b2 & 0x80) ? 8 : 0);
    in->vvvv = (~b2 >> 3) & 15;
    if (code_size != 8) {
        in->rex = 0;
        in->vvvv &= 7;
    }
    in->has66 = (b2 & 3) == 1;
    in->rep = (b2 & 3) == 2 ? 0xf3 : (b2 & 3) == 3 ? 0xf2 : 0;
    in->opsize = in->rex & 8 ? 8 : 4;
    in->opcode = r->p[r->pos++];
    return true;
}

DecodeResult insn_decode(const uint8_t *code, size_t avail, unsigned code_size, uint64_t features,
                         Insn *in)
{
    Reader r = {.p = code, .avail = avail > MAX_INSN + 1 ? MAX_INSN + 1 : avail};
    bool has67 = false;
    uint8_t map = 0;

    *in = (Insn){.base = 0xff, .index = 0xff, .seg = SEG_DS};
    if (!decode_prefixes(&r, in, code_size, &has67)) {
        return r.pos > MAX_INSN ? finish(&r, in, DECODE_GP) : DECODE_MORE;
    }
    set_sizes(in, code_size, has67);
    in->opcode = r.p[r.pos++];
    bool vex_valid = true;
    if ((in->opcode == 0xc4 || in->opcode == 0xc5) && code_size != 8 && !need(&r, 1)) {
        return DECODE_MORE;
    }
    if ((in->opcode == 0xc4 || in->opcode == 0xc5) && (code_size == 8 || r.p[r.pos] >= 0xc0)) {
        if (!decode_vex(&r, in, code_size, &map, &vex_valid)) {
            return avail > MAX_INSN ? finish(&r, in, DECODE_GP) : DECODE_MORE;
        }
        if (!vex_valid) {
            return finish(&r, in, DECODE_UD);
        }
    } else if (in->opcode == 0x0f) {
        if (!need(&r, 1)) {
            return avail > MAX_INSN ? finish(&r, in, DECODE_GP) : DECODE_MORE;
        }
        in->opcode = r.p[r.pos++];
        map = 1;
        if (in->opcode == 0x38 || in->opcode == 0x3a) {
            map = in->opcode == 0x38 ? 2 : 3;
            if (!need(&r, 1)) {
                return avail > MAX_INSN ? finish(&r, in, DECODE_GP) : DECODE_MORE;
            }
            in->opcode = r.p[r.pos++];
        }
    }
    in->has_modrm = has_modrm(map, in->opcode);
    if (in->has_modrm) {
        if (!need(&r, 1)) {
            return avail > MAX_INSN ? finish(&r, in, DECODE_GP) : DECODE_MORE;
        }
        in->modrm = r.p[r.pos++];
        in->mod = in->modrm >> 6;
        in->reg = ((in->modrm >> 3) & 7) | (in->rex & 4) << 1;
        in->rm = (in->modrm & 7) | (in->rex & 1) << 3;
    } else {
        in->rm = (in->opcode & 7) | (in->rex & 1) << 3;
    }
    for (uint16_t i = first_row[map][in->opcode]; i; i = next_row[i]) {
        if (row_matches(&insn_table[i - 1], in, code_size, features)) {
            in->row = &insn_table[i - 1];
            break;
        }
    }
    if (!in->row) {
        return finish(&r, in, DECODE_UD);
    }
    if (in->has_modrm && in->mod != 3 && in->row->kind != T_MOV_FROM_CR &&
        in->row->kind != T_MOV_TO_CR && in->row->kind != T_MOV_FROM_DR &&
        in->row->kind != T_MOV_TO_DR) {
        in->is_mem = true;
        bool ok = in->asize == 2 ? decode_mem16(&r, in) : decode_mem(&r, in, code_size);
        if (!ok) {
            return avail > MAX_INSN ? finish(&r, in, DECODE_GP) : DECODE_MORE;
        }
        if (!in->seg_override && (in->base == R_RSP || in->base == R_RBP)) {
            in->seg = SEG_SS;
        }
    }
    if (code_size == 8 && (in->row->flags & INSN_D64)) {
        in->opsize = in->has66 && !(in->rex & 8) && !is_near_branch(in->row->kind) ? 2 : 8;
    }
    if (!decode_imm(&r, in)) {
        return avail > MAX_INSN ? finish(&r, in, DECODE_GP) : DECODE_MORE;
    }
    if (in->lock && (!(in->row->flags & INSN_LOCK) || !in->is_mem || !(in->row->acc & 2))) {
        return finish(&r, in, DECODE_UD);
    }
    return finish(&r, in, DECODE_OK);
}

unsigned insn_kind_size(uint8_t kind, unsigned opsize, bool rex_w, uint16_t mem_size)
{
    switch (kind) {
    case K_B:
        return 1;
    case K_W:
        return 2;
    case K_D:
        return 4;
    case K_Q:
        return 8;
    case K_Y:
        return rex_w ? 8 : 4;
    case K_VEC:
    case K_MMX:
    case K_MEM:
        return mem_size;
    default:
        return opsize;
    }
}

unsigned insn_mem_size(const Insn *in)
{
    if (in->row->mem_size && in->row->kind == T_CAPSULE && in->opcode == 0xc7) {
        return in->rex & 8 ? 16 : 8; /* CMPXCHG8B, CMPXCHG16B */
    }
    return insn_kind_size(in->row->rm, in->opsize, in->rex & 8, in->row->mem_size);
}
