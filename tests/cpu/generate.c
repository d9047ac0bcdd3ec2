/*
 * Random cases.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/cpu/generate.h"

#include <capstone/capstone.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "target-x86/cpu.h"
#include "tests/cpu/guest.h"

static uint64_t rng_state;

void rnd_seed(uint64_t seed, uint64_t number)
{
    rng_state = seed * 0x100000001b3ull + number;
}

uint64_t rnd(void)
{
    uint64_t z = rng_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

unsigned below(unsigned n)
{
    return (unsigned)(rnd() % n);
}

bool one_in(unsigned n)
{
    return below(n) == 0;
}

static const char *const unwanted[] = {"rdrand", "rdseed", "fwait", NULL};

bool case_usable(const InsnRow *r, uint64_t features, bool code32)
{
    static const uint8_t kinds[] = {T_CAPSULE,  T_PUSH_R, T_POP_R, T_PUSH_I, T_PUSH_M, T_POP_M,
                                    T_XCHG_R,   T_MOV_RI, T_LEA,   T_STRING, T_LEAVE,  T_XLAT,
                                    T_INCDEC_R, T_BCD,    T_AAM,   T_AAD,    T_SALC,   T_PUSHA,
                                    T_POPA,     T_BSWAP,  T_NOP,   T_ENTER,  T_JCC,    T_MASKMOV};
    bool kind = false;

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        kind |= r->kind == kinds[i];
    }
    for (int i = 0; unwanted[i]; i++) {
        if (!strcmp(r->name, unwanted[i])) {
            return false;
        }
    }
    return kind && !(r->flags & ((code32 ? INSN_O64 : INSN_I64) | INSN_PRIV | INSN_WAIT)) &&
           (r->feature == FEAT_NONE || (features >> r->feature & 1));
}

static void put(Case *c, uint8_t b)
{
    c->code[c->len++] = b;
}

static void put_imm(Case *c, unsigned size)
{
    uint64_t v = one_in(3) ? below(256) : rnd();

    for (unsigned i = 0; i < size; i++) {
        put(c, (uint8_t)(v >> (8 * i)));
    }
}

static unsigned imm_size(const InsnRow *r, bool p66, bool w)
{
    switch (r->imm) {
    case IMM_B:
        return 1;
    case IMM_W:
        return 2;
    case IMM_WB:
        return 3;
    case IMM_Z:
        return p66 && !w ? 2 : 4;
    case IMM_V:
        return w ? 8 : p66 ? 2 : 4;
    default:
        return 0;
    }
}

/* ModRM and what follows for a memory operand; needs the REX bits chosen before. */
static void put_mem(Case *c, uint8_t reg, unsigned imm)
{
    if (one_in(12) && !c->code32) { /* RIP-relative */
        put(c, (uint8_t)(reg << 3 | 5));
        int32_t disp = (int32_t)(c->pointer - (GUEST_CODE + c->len + 4 + imm));
        for (int i = 0; i < 4; i++) {
            put(c, (uint8_t)((uint32_t)disp >> (8 * i)));
        }
        return;
    }
    bool sib = (c->base & 7) == 4 || one_in(3);
    unsigned mod = one_in(3) ? 2 : (c->base & 7) == 5 || one_in(2) ? 1 : 0;
    put(c, (uint8_t)(mod << 6 | reg << 3 | (sib ? 4 : c->base & 7)));
    if (sib) {
        put(c, (uint8_t)(below(4) << 6 | (c->index & 7) << 3 | (c->base & 7)));
    }
    if (mod == 1) {
        put(c, (uint8_t)(below(64) - 32));
    } else if (mod == 2) {
        int32_t disp = (int32_t)below(256) - 128;
        for (int i = 0; i < 4; i++) {
            put(c, (uint8_t)((uint32_t)disp >> (8 * i)));
        }
    }
}

static void generate(Case *c, const InsnRow *r)
{
    bool modrm = r->reg != K_NONE || r->ext >= 0 || r->mod != MOD_ANY ||
                 (r->rm != K_NONE && r->rm != K_OPREG);
    bool mem = modrm && (r->mod == MOD_MEM || (r->mod == MOD_ANY && one_in(2)));
    bool p66 = r->pfx == PFX_66 || (!(r->flags & (INSN_SSE | INSN_MMX | INSN_X87)) &&
                                    r->pfx != PFX_NP && r->kind != T_JCC && one_in(4));
    bool w = one_in(2) && r->kind != T_JCC && !c->code32;
    uint8_t rex = (uint8_t)(0x40 | (w ? 8 : 0) | (one_in(2) && !c->code32 ? 4 : 0));
    unsigned imm = imm_size(r, p66, w);
    size_t start = c->len;

    if (r->kind == T_PUSH_I || r->kind == T_ENTER) {
        imm = r->imm == IMM_B ? 1 : r->imm == IMM_WB ? 3 : p66 && !w ? 2 : 4;
    }
    if (mem) {
        rex |= (c->base >> 3) | (c->index >> 3) << 1;
    } else if (one_in(2) && !c->code32) {
        rex |= 1;
    }
    if ((r->flags & INSN_LOCK) && mem && (r->acc & 2) && one_in(3)) {
        put(c, 0xf0);
    }
    if (p66) {
        put(c, 0x66);
    }
    if (r->pfx == PFX_F3 || (r->kind == T_STRING && one_in(2))) {
        put(c, 0xf3);
    } else if (r->pfx == PFX_F2) {
        put(c, 0xf2);
    }
    if (r->map >= 4) {
        static const uint8_t pp[] = {[PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
        uint8_t vvvv = r->vvvv ? (uint8_t)below(c->code32 ? 8 : 16) : 0;
        c->len = start;
        put(c, 0xc4);
        put(c, (uint8_t)((~rex & 7) << 5 | (r->map - 2)));
        put(c, (uint8_t)((rex & 8) << 4 | (~vvvv & 15) << 3 | pp[r->pfx]));
    } else if (!c->code32 && (rex != 0x40 || one_in(4))) {
        put(c, rex);
    }
    if (r->map && r->map < 4) {
        put(c, 0x0f);
        if (r->map > 1) {
            put(c, r->map == 2 ? 0x38 : 0x3a);
        }
    }
    put(c, r->opcode);
    if (modrm) {
        uint8_t reg = r->ext >= 0 ? (uint8_t)r->ext : (uint8_t)below(8);
        if (mem) {
            put_mem(c, reg, imm);
        } else {
            uint8_t rm = r->rm_fixed ? r->rm_fixed - 1 : (uint8_t)below(8);
            put(c, (uint8_t)(0xc0 | reg << 3 | rm));
        }
    }
    if (r->kind == T_JCC) {
        for (unsigned i = 0; i < (r->map ? 4u : 1u); i++) {
            put(c, 0);
        }
    } else if (r->kind == T_ENTER) {
        put(c, (uint8_t)below(64));
        put(c, 0);
        put(c, (uint8_t)below(4));
    } else {
        put_imm(c, imm);
    }
    if (!(r->flags & INSN_MAYFL) && r->kind != T_STRING) { /* REP with a count of 0 writes none */
        c->undefined &= ~(uint64_t)r->fl_write;
    }
    c->undefined |= r->fl_undef;
    c->insns++;
    c->two_faults |= r->kind == T_STRING;
    c->partial |= r->kind == T_PUSHA || r->kind == T_ENTER || r->kind == T_MASKMOV;
}

void case_add(Case *c, const InsnRow *const *rows, size_t count)
{
    const InsnRow *r;

    do {
        r = rows[below((unsigned)count)];
    } while (r->fl_read & c->undefined);
    generate(c, r);
}

void case_start(Case *c, bool code32)
{
    *c = (Case){.code32 = code32};
    c->base = (int)below(code32 ? 8 : 16);
    do {
        c->index = (int)below(code32 ? 8 : 16);
    } while (c->index == c->base || c->index == R_RSP);
    c->pointer = GUEST_DATA + 0x1800 + (one_in(3) ? below(256) : below(16) * 16);
    if (one_in(8)) {
        c->pointer = GUEST_DATA + 0x2000 - below(20);
    }
}

void case_end(Case *c)
{
    put(c, 0xcc);
}

/* ---- values at the edges ---- */

/* A number of a format with EXP_BITS and FRACTION bits: zeros, denormals, infinities, NaNs, powers
 * of two, values beside them, and exponents of ordinary size, in which results are inexact. */
static uint64_t special_number(unsigned exp_bits, unsigned fraction_bits)
{
    uint64_t max_exp = (1ull << exp_bits) - 1, bias = max_exp >> 1;
    uint64_t fraction_mask = (1ull << fraction_bits) - 1;
    uint64_t exps[] = {0,
                       0,
                       1,
                       max_exp - 1,
                       max_exp,
                       bias,
                       bias + below(70) - 5,
                       bias + below(8),
                       rnd() & max_exp,
                       below(60),
                       max_exp - below(60)};
    uint64_t fractions[] = {0,
                            0,
                            1,
                            fraction_mask,
                            1ull << (fraction_bits - 1),
                            rnd() & fraction_mask,
                            rnd() & fraction_mask,
                            fraction_mask << below(fraction_bits) & fraction_mask,
                            1ull << below(fraction_bits)};
    uint64_t sign = rnd() & 1;

    return sign << (exp_bits + fraction_bits) | exps[below(G_N_ELEMENTS(exps))] << fraction_bits |
           fractions[below(G_N_ELEMENTS(fractions))];
}

/* 16 bytes of one kind of content. */
static void special_vector(uint8_t *out)
{
    unsigned kind = below(6);

    for (unsigned i = 0; i < 16; i++) {
        out[i] = kind == 0 ? (uint8_t)rnd() : kind == 1 ? (uint8_t)below(4) : 0;
        if (kind == 5) {
            out[i] = one_in(2) ? 0xff : one_in(2) ? 0x80 : (uint8_t)rnd();
        }
    }
    for (unsigned i = 0; kind == 2 && i < 4; i++) {
        uint32_t v = (uint32_t)special_number(8, 23);
        memcpy(out + 4 * i, &v, 4);
    }
    for (unsigned i = 0; (kind == 3 || kind == 4) && i < 2; i++) {
        uint64_t v = special_number(11, 52);
        memcpy(out + 8 * i, &v, 8);
    }
}

/* An x87 register: also encodings that are not numbers (SDM 1 8.2.2). */
static void special_x87(uint8_t *out)
{
    static const uint16_t exps[] = {0,      0,      1,      0x7ffe, 0x7fff,
                                    0x3fff, 0x3ffe, 0x4000, 0x403e, 0x401e};
    uint16_t e = one_in(3)   ? exps[below(G_N_ELEMENTS(exps))]
                 : one_in(4) ? (uint16_t)(rnd() & 0x7fff)
                             : (uint16_t)(0x3fff + below(140) - 70);
    uint64_t m = one_in(3)   ? 0
                 : one_in(3) ? UINT64_MAX << below(64)
                 : one_in(2) ? rnd()
                             : 1ull << below(64);

    m = e == 0 && !one_in(8) ? m & INT64_MAX : one_in(20) ? m : m | 1ull << 63;
    e |= (uint16_t)(rnd() & 0x8000);
    memcpy(out, &m, 8);
    memcpy(out + 8, &e, 2);
}

static void special_state(NativeState *st)
{
    uint32_t mxcsr = 0x1f80 | below(4) << 13;

    mxcsr ^= one_in(3) ? 1u << 15 : 0;                      /* FTZ */
    mxcsr ^= one_in(3) ? 1u << 6 : 0;                       /* DAZ */
    mxcsr ^= one_in(4) ? (uint32_t)(rnd() & 0x3f) << 7 : 0; /* unmasked */
    mxcsr |= one_in(4) ? (uint32_t)rnd() & 0x3f & mxcsr >> 7 : 0;
    memcpy(st->fx + 24, &mxcsr, 4);
    /* x87: precision, rounding, masks; C0 to C3; a pending exception now and then */
    static const uint16_t precisions[] = {0x300, 0x300, 0x200, 0x000};
    uint16_t fcw = 0x7f | precisions[below(4)] | (uint16_t)(below(4) << 10);
    uint16_t fsw = (uint16_t)(below(8) << 11) | (uint16_t)(rnd() & 0x4700);
    fcw &= one_in(4) ? (uint16_t) ~(rnd() & 0x3f) : 0xffff;
    fsw |= one_in(4) ? (uint16_t)(rnd() & fcw & 0x3f) : 0;
    if (one_in(40)) {
        fsw |= (uint16_t)(~fcw & 0x3f);
    }
    fsw |= fsw & ~fcw & 0x3f ? 0x8080 : 0;
    memcpy(st->fx, &fcw, 2);
    memcpy(st->fx + 2, &fsw, 2);
    for (unsigned i = 0; i < 8; i++) {
        special_x87(st->fx + 32 + 16 * i);
    }
    for (unsigned i = 0; i < 16; i++) {
        special_vector(st->fx + 160 + 16 * i);
    }
    if (one_in(3)) { /* equal operands */
        memcpy(st->fx + 32, st->fx + 48, 16);
        memcpy(st->fx + 160, st->fx + 176, 16);
    }
}

void case_state(NativeState *st, const Case *c, bool specials)
{
    for (int i = 0; i < 16; i++) {
        st->gpr[i] = one_in(3) ? below(256) : one_in(2) ? rnd() : (uint64_t)(int64_t)(int32_t)rnd();
    }
    st->gpr[R_RSP] = GUEST_DATA + 0x2000 + below(64) * 8;
    st->gpr[R_RBP] = one_in(2) ? GUEST_DATA + 0x1800 + below(64) * 8 : st->gpr[R_RBP];
    st->gpr[R_RSI] = one_in(2) ? GUEST_DATA + 0x1000 - below(80) : st->gpr[R_RSI];
    st->gpr[R_RDI] = one_in(2) ? GUEST_DATA + 0x3000 - below(80) : st->gpr[R_RDI];
    st->gpr[R_RBX] = one_in(4) ? GUEST_DATA + below(0x2000) : st->gpr[R_RBX];
    if (one_in(2)) {
        st->gpr[R_RCX] = below(70);
    }
    st->gpr[c->index] = below(16);
    if (c->index == R_RSP) {
        st->gpr[R_RSP] = GUEST_DATA + 0x2000;
    }
    st->gpr[c->base] = c->pointer;
    for (int i = 0; i < 16 && c->code32; i++) {
        st->gpr[i] = i < 8 ? (uint32_t)st->gpr[i] : 0;
    }
    st->code32 = c->code32;
    st->rflags = 0x202 | (rnd() & FLAG_STATUS);
    for (int i = 0; i < 512; i++) {
        st->fx[i] = 0;
    }
    st->fx[0] = 0x7f;
    st->fx[1] = 0x03;
    uint32_t mxcsr = 0x1f80 | below(4) << 13;
    memcpy(st->fx + 24, &mxcsr, 4);
    bool full = one_in(2);
    st->fx[4] = full ? 0xff : (uint8_t)rnd();
    st->fx[3] = (uint8_t)(below(8) << 3);
    for (int i = 0; i < 8; i++) {
        uint64_t m = rnd() | 1ull << 63;
        uint16_t e = (uint16_t)(0x3fff + below(40) - 20) | (one_in(2) ? 0x8000 : 0);
        memcpy(st->fx + 32 + 16 * i, &m, 8);
        memcpy(st->fx + 40 + 16 * i, &e, 2);
    }
    for (int i = 0; i < 16; i++) {
        for (int k = 0; k < 4; k++) {
            uint32_t v = (uint32_t)rnd();
            if (one_in(2)) { /* a plausible float */
                float f = (float)((int32_t)v) / 65536.0f;
                memcpy(&v, &f, 4);
            }
            memcpy(st->fx + 160 + 16 * i + 4 * k, &v, 4);
        }
    }
    if (specials) {
        special_state(st);
    }
}

void case_fill_memory(bool specials)
{
    uint8_t *data = (uint8_t *)GUEST_DATA;
    uint64_t fill = rnd();

    for (int i = 0; i < GUEST_DATA_SIZE / 8; i++) {
        ((uint64_t *)data)[i] = fill = fill * 6364136223846793005ull + 1442695040888963407ull;
    }
    /* where operands are: vectors, and x87 numbers at other alignments */
    for (int i = 0x1700; specials && i < 0x2100; i += 16) {
        if (one_in(4)) {
            special_x87(data + i);
        } else {
            special_vector(data + i);
        }
    }
}

bool fx_equal(const uint8_t *a, const uint8_t *b, bool code32)
{
    /* not the last instruction's opcode and pointers, nor the parts that are reserved */
    return !memcmp(a, b, 6) && !memcmp(a + 24, b + 24, 4) &&
           !memcmp(a + 32, b + 32, (code32 ? 288 : 416) - 32);
}

void case_show(const Case *c)
{
    csh h;
    cs_insn *insn;

    for (size_t i = 0; i < c->len; i++) {
        printf("%02x ", c->code[i]);
    }
    printf("\n");
    if (cs_open(CS_ARCH_X86, c->code32 ? CS_MODE_32 : CS_MODE_64, &h) == CS_ERR_OK) {
        size_t n = cs_disasm(h, c->code, c->len, GUEST_CODE, 0, &insn);
        for (size_t i = 0; i < n; i++) {
            printf("#   %s %s\n", insn[i].mnemonic, insn[i].op_str);
        }
        if (n) {
            cs_free(insn, n);
        }
        cs_close(&h);
    }
}

const char *const reg_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
