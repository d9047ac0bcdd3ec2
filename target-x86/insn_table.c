/*
 * The rows of the encoding table. One long table, because an opcode is looked up here by eye as
 * often as by machine; sections follow the opcode maps. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/insn.h"

enum { C = 0x001, P = 0x004, A = 0x010, Z = 0x040, S = 0x080, O = 0x800, ALL = 0x8d5 };
enum { RD = 1, WR = 2, RW = 3 };

#define ROW(...)                                                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
/* map opcode prefix mod ext name kind reg rm imm access memsize | flags read, written, undefined |
 * ... */
#define INSN(m, o, px, md, x, n, k, rg, r, i, ac, ms, fr, fw, fu, fl, ft)                          \
    {                                                                                              \
        .map = m, .opcode = o, .pfx = px, .mod = md, .ext = x, .name = n, .kind = T_##k,           \
        .reg = rg, .rm = r, .imm = i, .acc = ac, .mem_size = ms, .fl_read = fr, .fl_write = fw,    \
        .fl_undef = fu, .flags = fl, .feature = ft                                                 \
    }
/* Integer instruction with modrm, no mandatory prefix. */
#define G(m, o, x, n, rg, r, i, ac, fr, fw, fu, fl)                                                \
    INSN(m, o, PFX_ANY, MOD_ANY, x, n, CAPSULE, rg, r, i, ac, 0, fr, fw, fu, fl, FEAT_NONE)
/* No modrm. */
#define N(m, o, n, k, i, fr, fw, fu, fl)                                                           \
    INSN(m, o, PFX_ANY, MOD_ANY, -1, n, k, K_NONE, K_NONE, i, 0, 0, fr, fw, fu, fl, FEAT_NONE)
/* Register in the opcode: eight rows. */
#define N8R(m, o, n, k, i, fr, fw, fu, fl)                                                         \
    N1R(m, o, n, k, i, fr, fw, fu, fl), N1R(m, o + 1, n, k, i, fr, fw, fu, fl),                    \
        N1R(m, o + 2, n, k, i, fr, fw, fu, fl), N1R(m, o + 3, n, k, i, fr, fw, fu, fl),            \
        N1R(m, o + 4, n, k, i, fr, fw, fu, fl), N1R(m, o + 5, n, k, i, fr, fw, fu, fl),            \
        N1R(m, o + 6, n, k, i, fr, fw, fu, fl), N1R(m, o + 7, n, k, i, fr, fw, fu, fl)
#define N1R(m, o, n, k, i, fr, fw, fu, fl)                                                         \
    INSN(m, o, PFX_ANY, MOD_ANY, -1, n, k, K_NONE, K_OPREG, i, 0, 0, fr, fw, fu, fl, FEAT_NONE)
/* Other instruction with modrm. */
#define M(m, o, md, x, n, k, rg, r, i, ac, ms, fl)                                                 \
    INSN(m, o, PFX_ANY, md, x, n, k, rg, r, i, ac, ms, 0, 0, 0, fl, FEAT_NONE)

#define ALU(o, n, ac, fr, fu, lock)                                                                \
    G(0, o, -1, n, K_B, K_B, IMM_NONE, ac, fr, ALL & ~(fu), fu, (lock) | INSN_REG_R),              \
        G(0, o + 1, -1, n, K_V, K_V, IMM_NONE, ac, fr, ALL & ~(fu), fu, (lock) | INSN_REG_R),      \
        G(0, o + 2, -1, n, K_B, K_B, IMM_NONE, RD, fr, ALL & ~(fu), fu,                            \
          (ac) == RD ? INSN_REG_R : 0),                                                            \
        G(0, o + 3, -1, n, K_V, K_V, IMM_NONE, RD, fr, ALL & ~(fu), fu,                            \
          (ac) == RD ? INSN_REG_R : 0),                                                            \
        N(0, o + 4, n, CAPSULE, IMM_B, fr, ALL & ~(fu), fu, 0),                                    \
        N(0, o + 5, n, CAPSULE, IMM_Z, fr, ALL & ~(fu), fu, 0)

#define GROUP1(o, r, i, fl)                                                                        \
    G(0, o, 0, "add", K_NONE, r, i, RW, 0, ALL, 0, INSN_LOCK | (fl)),                              \
        G(0, o, 1, "or", K_NONE, r, i, RW, 0, ALL & ~A, A, INSN_LOCK | (fl)),                      \
        G(0, o, 2, "adc", K_NONE, r, i, RW, C, ALL, 0, INSN_LOCK | (fl)),                          \
        G(0, o, 3, "sbb", K_NONE, r, i, RW, C, ALL, 0, INSN_LOCK | (fl)),                          \
        G(0, o, 4, "and", K_NONE, r, i, RW, 0, ALL & ~A, A, INSN_LOCK | (fl)),                     \
        G(0, o, 5, "sub", K_NONE, r, i, RW, 0, ALL, 0, INSN_LOCK | (fl)),                          \
        G(0, o, 6, "xor", K_NONE, r, i, RW, 0, ALL & ~A, A, INSN_LOCK | (fl)),                     \
        G(0, o, 7, "cmp", K_NONE, r, i, RD, 0, ALL, 0, fl)

#define SHIFTS(o, r, i, fl)                                                                        \
    G(0, o, 0, "rol", K_NONE, r, i, RW, 0, C, O, fl),                                              \
        G(0, o, 1, "ror", K_NONE, r, i, RW, 0, C, O, fl),                                          \
        G(0, o, 2, "rcl", K_NONE, r, i, RW, C, C, O, fl),                                          \
        G(0, o, 3, "rcr", K_NONE, r, i, RW, C, C, O, fl),                                          \
        G(0, o, 4, "shl", K_NONE, r, i, RW, 0, C | P | Z | S, A | O, fl),                          \
        G(0, o, 5, "shr", K_NONE, r, i, RW, 0, C | P | Z | S, A | O, fl),                          \
        G(0, o, 6, "shl", K_NONE, r, i, RW, 0, C | P | Z | S, A | O, fl),                          \
        G(0, o, 7, "sar", K_NONE, r, i, RW, 0, C | P | Z | S, A | O, fl)

#define GROUP3(o, r, i)                                                                            \
    G(0, o, 0, "test", K_NONE, r, i, RD, 0, ALL & ~A, A, 0),                                       \
        G(0, o, 1, "test", K_NONE, r, i, RD, 0, ALL & ~A, A, 0),                                   \
        G(0, o, 2, "not", K_NONE, r, IMM_NONE, RW, 0, 0, 0, INSN_LOCK),                            \
        G(0, o, 3, "neg", K_NONE, r, IMM_NONE, RW, 0, ALL, 0, INSN_LOCK),                          \
        G(0, o, 4, "mul", K_NONE, r, IMM_NONE, RD, 0, C | O, S | Z | A | P, 0),                    \
        G(0, o, 5, "imul", K_NONE, r, IMM_NONE, RD, 0, C | O, S | Z | A | P, 0),                   \
        G(0, o, 6, "div", K_NONE, r, IMM_NONE, RD, 0, 0, ALL, INSN_FAULT),                         \
        G(0, o, 7, "idiv", K_NONE, r, IMM_NONE, RD, 0, 0, ALL, INSN_FAULT)

/* Flags that condition codes read, by code >> 1. */
enum { CC0 = O, CC1 = C, CC2 = Z, CC3 = C | Z, CC4 = S, CC5 = P, CC6 = S | O, CC7 = S | O | Z };

#define CC16(X)                                                                                    \
    X(0, "o", CC0), X(1, "no", CC0), X(2, "b", CC1), X(3, "ae", CC1), X(4, "e", CC2),              \
        X(5, "ne", CC2), X(6, "be", CC3), X(7, "a", CC3), X(8, "s", CC4), X(9, "ns", CC4),         \
        X(10, "p", CC5), X(11, "np", CC5), X(12, "l", CC6), X(13, "ge", CC6), X(14, "le", CC7),    \
        X(15, "g", CC7)
#define JCC8(c, n, f)  N(0, 0x70 + c, "j" n, JCC, IMM_J8, f, 0, 0, 0)
#define JCC32(c, n, f) N(1, 0x80 + c, "j" n, JCC, IMM_JZ, f, 0, 0, 0)
#define SETCC(c, n, f) G(1, 0x90 + c, -1, "set" n, K_NONE, K_B, IMM_NONE, WR, f, 0, 0, 0)
#define CMOV(c, n, f)                                                                              \
    INSN(1, 0x40 + c, PFX_ANY, MOD_ANY, -1, "cmov" n, CAPSULE, K_V, K_V, IMM_NONE, RD, 0, f, 0, 0, \
         0, FEAT_CMOV)

#define STR(o, n, fr, fw) N(0, o, n, STRING, IMM_NONE, fr, fw, 0, 0)

/* ---- SIMD rows: PX, opcode, mod, name, reg kind, rm kind, imm, access, memory size, feature ----
 */
#define V(m, o, px, md, x, n, rg, r, i, ac, ms, ft)                                                \
    INSN(m, o, px, md, x, n, CAPSULE, rg, r, i, ac, ms, 0, 0, 0, INSN_SSE | INSN_FAULT, ft)
#define VU(m, o, px, md, x, n, rg, r, i, ac, ms, ft)                                               \
    INSN(m, o, px, md, x, n, CAPSULE, rg, r, i, ac, ms, 0, 0, 0,                                   \
         INSN_SSE | INSN_FAULT | INSN_UNALIGNED, ft)
#define VFL(m, o, px, n, r, i, ms, ft)                                                             \
    INSN(m, o, px, MOD_ANY, -1, n, CAPSULE, K_VEC, r, i, RD, ms, 0, ALL, 0, INSN_SSE | INSN_FAULT, \
         ft)
#define VSTR(o, n)                                                                                 \
    INSN(3, o, PFX_66, MOD_ANY, -1, n, CAPSULE, K_VEC, K_VEC, IMM_B, RD, 16, 0, ALL, 0,            \
         INSN_SSE | INSN_FAULT | INSN_UNALIGNED, FEAT_SSE42)
#define MM(m, o, md, x, n, rg, r, i, ac, ms, ft)                                                   \
    INSN(m, o, PFX_NP, md, x, n, CAPSULE, rg, r, i, ac, ms, 0, 0, 0, INSN_MMX | INSN_FAULT, ft)
/* xmm, xmm/m of each scalar and packed form */
#define FP4(o, n)                                                                                  \
    V(1, o, PFX_NP, MOD_ANY, -1, n "ps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE),                \
        V(1, o, PFX_66, MOD_ANY, -1, n "pd", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),           \
        V(1, o, PFX_F3, MOD_ANY, -1, n "ss", K_VEC, K_VEC, IMM_NONE, RD, 4, FEAT_SSE),             \
        V(1, o, PFX_F2, MOD_ANY, -1, n "sd", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2)
#define FP2(o, n)                                                                                  \
    V(1, o, PFX_NP, MOD_ANY, -1, n "ps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE),                \
        V(1, o, PFX_66, MOD_ANY, -1, n "pd", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2)
/* MMX and SSE2 integer pair; MSZ is the MMX form's memory size */
#define INT2(o, n, msz, mft)                                                                       \
    MM(1, o, MOD_ANY, -1, n, K_MMX, K_MMX, IMM_NONE, RD, msz, mft),                                \
        V(1, o, PFX_66, MOD_ANY, -1, n, K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2)
#define S3(o, n)                                                                                   \
    MM(2, o, MOD_ANY, -1, n, K_MMX, K_MMX, IMM_NONE, RD, 8, FEAT_SSSE3),                           \
        V(2, o, PFX_66, MOD_ANY, -1, n, K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSSE3)
#define X16(m, o, n, i, ft)     V(m, o, PFX_66, MOD_ANY, -1, n, K_VEC, K_VEC, i, RD, 16, ft)
#define XSZ(m, o, n, i, ms, ft) V(m, o, PFX_66, MOD_ANY, -1, n, K_VEC, K_VEC, i, RD, ms, ft)
#define SHIFTIMM(o, x, n)                                                                          \
    MM(1, o, MOD_REG, x, n, K_NONE, K_MMX, IMM_B, RW, 8, FEAT_MMX),                                \
        V(1, o, PFX_66, MOD_REG, x, n, K_NONE, K_VEC, IMM_B, RW, 16, FEAT_SSE2)

/* x87: memory forms, and register forms by opcode extension. */
#define FM(o, x, n, ac, ms)                                                                        \
    INSN(0, o, PFX_ANY, MOD_MEM, x, n, CAPSULE, K_NONE, K_MEM, IMM_NONE, ac, ms, 0, 0, 0,          \
         INSN_X87 | INSN_FAULT, FEAT_FPU)
#define FMS(o, x, n, ac)                                                                           \
    INSN(0, o, PFX_ANY, MOD_MEM, x, n, X87_STATE, K_NONE, K_MEM, IMM_NONE, ac, 28, 0, 0, 0,        \
         INSN_X87 | INSN_FAULT, FEAT_FPU)
#define FR(o, x, n)                                                                                \
    INSN(0, o, PFX_ANY, MOD_REG, x, n, CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, 0, 0, 0,           \
         INSN_X87 | INSN_FAULT, FEAT_FPU)
#define FRC(o, x, n, fr)                                                                           \
    INSN(0, o, PFX_ANY, MOD_REG, x, n, CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, fr, 0, 0,          \
         INSN_X87 | INSN_FAULT, FEAT_CMOV)
#define FRI(o, x, n)                                                                               \
    INSN(0, o, PFX_ANY, MOD_REG, x, n, CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, 0, ALL, 0,         \
         INSN_X87 | INSN_FAULT, FEAT_CMOV)
/* one fixed modrm */
#define F1(o, x, rmv, n)                                                                           \
    {                                                                                              \
        .map = 0, .opcode = o, .pfx = PFX_ANY, .mod = MOD_REG, .ext = x, .rm_fixed = (rmv) + 1,    \
        .name = n, .kind = T_CAPSULE, .flags = INSN_X87 | INSN_FAULT, .feature = FEAT_FPU          \
    }
#define FARITH(o, s, ms)                                                                           \
    FM(o, 0, "fadd" s, RD, ms), FM(o, 1, "fmul" s, RD, ms), FM(o, 2, "fcom" s, RD, ms),            \
        FM(o, 3, "fcomp" s, RD, ms), FM(o, 4, "fsub" s, RD, ms), FM(o, 5, "fsubr" s, RD, ms),      \
        FM(o, 6, "fdiv" s, RD, ms), FM(o, 7, "fdivr" s, RD, ms)

/* VEX-encoded: VV is the access to the second register operand */
#define BMI(m, o, px, x, n, rg, i, vv, fw, fu, ft)                                                 \
    {                                                                                              \
        .map = m, .opcode = o, .pfx = px, .mod = MOD_ANY, .ext = x, .name = n, .kind = T_CAPSULE,  \
        .reg = rg, .rm = K_Y, .imm = i, .acc = RD, .fl_write = fw, .fl_undef = fu,                 \
        .flags = INSN_REG_W, .vvvv = vv, .feature = ft                                             \
    }

const InsnRow insn_table[] = {
    /* ---- one-byte map ---- */
    ALU(0x00, "add", RW, 0, 0, INSN_LOCK),
    ALU(0x08, "or", RW, 0, A, INSN_LOCK),
    ALU(0x10, "adc", RW, C, 0, INSN_LOCK),
    ALU(0x18, "sbb", RW, C, 0, INSN_LOCK),
    ALU(0x20, "and", RW, 0, A, INSN_LOCK),
    ALU(0x28, "sub", RW, 0, 0, INSN_LOCK),
    ALU(0x30, "xor", RW, 0, A, INSN_LOCK),
    ALU(0x38, "cmp", RD, 0, 0, 0),
    N(0, 0x06, "push es", PUSH_S, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x07, "pop es", POP_S, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x0e, "push cs", PUSH_S, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x16, "push ss", PUSH_S, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x17, "pop ss", POP_S, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x1e, "push ds", PUSH_S, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x1f, "pop ds", POP_S, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x27, "daa", BCD, IMM_NONE, C | A, ALL & ~O, O, INSN_I64),
    N(0, 0x2f, "das", BCD, IMM_NONE, C | A, ALL & ~O, O, INSN_I64),
    N(0, 0x37, "aaa", BCD, IMM_NONE, A, C | A, O | S | Z | P, INSN_I64),
    N(0, 0x3f, "aas", BCD, IMM_NONE, A, C | A, O | S | Z | P, INSN_I64),
    N8R(0, 0x40, "inc", INCDEC_R, IMM_NONE, 0, ALL & ~C, 0, INSN_I64),
    N8R(0, 0x48, "dec", INCDEC_R, IMM_NONE, 0, ALL & ~C, 0, INSN_I64),
    N8R(0, 0x50, "push", PUSH_R, IMM_NONE, 0, 0, 0, INSN_D64),
    N8R(0, 0x58, "pop", POP_R, IMM_NONE, 0, 0, 0, INSN_D64),
    N(0, 0x60, "pusha", PUSHA, IMM_NONE, 0, 0, 0, INSN_I64),
    N(0, 0x61, "popa", POPA, IMM_NONE, 0, 0, 0, INSN_I64),
    M(0, 0x62, MOD_MEM, -1, "bound", BOUND, K_V, K_MEM, IMM_NONE, RD, 0, INSN_I64),
    INSN(0, 0x63, PFX_ANY, MOD_ANY, -1, "movsxd", CAPSULE, K_V, K_D, IMM_NONE, RD, 0, 0, 0, 0,
         INSN_O64 | INSN_REG_W, FEAT_NONE),
    INSN(0, 0x63, PFX_ANY, MOD_ANY, -1, "arpl", ARPL, K_W, K_W, IMM_NONE, RW, 0, 0, Z, 0,
         INSN_I64 | INSN_PE, FEAT_NONE),
    N(0, 0x68, "push", PUSH_I, IMM_Z, 0, 0, 0, INSN_D64),
    G(0, 0x69, -1, "imul", K_V, K_V, IMM_Z, RD, 0, C | O, S | Z | A | P, INSN_REG_W),
    N(0, 0x6a, "push", PUSH_I, IMM_B, 0, 0, 0, INSN_D64),
    G(0, 0x6b, -1, "imul", K_V, K_V, IMM_B, RD, 0, C | O, S | Z | A | P, INSN_REG_W),
    N(0, 0x6c, "ins", INS_OUTS, IMM_NONE, 0, 0, 0, 0),
    N(0, 0x6d, "ins", INS_OUTS, IMM_NONE, 0, 0, 0, 0),
    N(0, 0x6e, "outs", INS_OUTS, IMM_NONE, 0, 0, 0, 0),
    N(0, 0x6f, "outs", INS_OUTS, IMM_NONE, 0, 0, 0, 0),
    CC16(JCC8),
    GROUP1(0x80, K_B, IMM_B, 0),
    GROUP1(0x81, K_V, IMM_Z, 0),
    GROUP1(0x82, K_B, IMM_B, INSN_I64),
    GROUP1(0x83, K_V, IMM_B, 0),
    G(0, 0x84, -1, "test", K_B, K_B, IMM_NONE, RD, 0, ALL & ~A, A, INSN_REG_R),
    G(0, 0x85, -1, "test", K_V, K_V, IMM_NONE, RD, 0, ALL & ~A, A, INSN_REG_R),
    G(0, 0x86, -1, "xchg", K_B, K_B, IMM_NONE, RW, 0, 0, 0, INSN_LOCK),
    G(0, 0x87, -1, "xchg", K_V, K_V, IMM_NONE, RW, 0, 0, 0, INSN_LOCK),
    G(0, 0x88, -1, "mov", K_B, K_B, IMM_NONE, WR, 0, 0, 0, INSN_REG_R),
    G(0, 0x89, -1, "mov", K_V, K_V, IMM_NONE, WR, 0, 0, 0, INSN_REG_R),
    G(0, 0x8a, -1, "mov", K_B, K_B, IMM_NONE, RD, 0, 0, 0, INSN_REG_W),
    G(0, 0x8b, -1, "mov", K_V, K_V, IMM_NONE, RD, 0, 0, 0, INSN_REG_W),
    M(0, 0x8c, MOD_ANY, -1, "mov", MOV_FROM_S, K_NONE, K_W, IMM_NONE, WR, 0, 0),
    M(0, 0x8d, MOD_MEM, -1, "lea", LEA, K_V, K_MEM, IMM_NONE, 0, 0, INSN_REG_W),
    M(0, 0x8e, MOD_ANY, -1, "mov", MOV_TO_S, K_NONE, K_W, IMM_NONE, RD, 0, 0),
    M(0, 0x8f, MOD_ANY, 0, "pop", POP_M, K_NONE, K_V, IMM_NONE, WR, 0, INSN_D64),
    INSN(0, 0x90, PFX_F3, MOD_ANY, -1, "pause", PAUSE, K_NONE, K_OPREG, IMM_NONE, 0, 0, 0, 0, 0, 0,
         FEAT_NONE),
    N8R(0, 0x90, "xchg", XCHG_R, IMM_NONE, 0, 0, 0, 0),
    N(0, 0x98, "cbw", CAPSULE, IMM_NONE, 0, 0, 0, 0),
    N(0, 0x99, "cwd", CAPSULE, IMM_NONE, 0, 0, 0, 0),
    N(0, 0x9a, "call far", FAR_IMM, IMM_FAR, 0, 0, 0, INSN_I64),
    INSN(0, 0x9b, PFX_ANY, MOD_ANY, -1, "fwait", CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, 0, 0, 0,
         INSN_WAIT | INSN_FAULT, FEAT_FPU),
    N(0, 0x9c, "pushf", PUSHF, IMM_NONE, ALL, 0, 0, INSN_D64),
    N(0, 0x9d, "popf", POPF, IMM_NONE, ALL, 0, 0, INSN_D64),
    N(0, 0x9e, "sahf", CAPSULE, IMM_NONE, 0, ALL & ~O, 0, 0),
    N(0, 0x9f, "lahf", CAPSULE, IMM_NONE, ALL & ~O, 0, 0, 0),
    N(0, 0xa0, "mov", MOFFS, IMM_MOFFS, 0, 0, 0, 0),
    N(0, 0xa1, "mov", MOFFS, IMM_MOFFS, 0, 0, 0, 0),
    N(0, 0xa2, "mov", MOFFS, IMM_MOFFS, 0, 0, 0, 0),
    N(0, 0xa3, "mov", MOFFS, IMM_MOFFS, 0, 0, 0, 0),
    STR(0xa4, "movs", 0, 0),
    STR(0xa5, "movs", 0, 0),
    STR(0xa6, "cmps", 0, ALL),
    STR(0xa7, "cmps", 0, ALL),
    STR(0xaa, "stos", 0, 0),
    STR(0xab, "stos", 0, 0),
    STR(0xac, "lods", 0, 0),
    STR(0xad, "lods", 0, 0),
    STR(0xae, "scas", 0, ALL),
    STR(0xaf, "scas", 0, ALL),
    N(0, 0xa8, "test", CAPSULE, IMM_B, 0, ALL & ~A, A, 0),
    N(0, 0xa9, "test", CAPSULE, IMM_Z, 0, ALL & ~A, A, 0),
    N8R(0, 0xb0, "mov", MOV_RI, IMM_B, 0, 0, 0, 0),
    N8R(0, 0xb8, "mov", MOV_RI, IMM_V, 0, 0, 0, 0),
    SHIFTS(0xc0, K_B, IMM_B, INSN_MAYFL),
    SHIFTS(0xc1, K_V, IMM_B, INSN_MAYFL),
    SHIFTS(0xd0, K_B, IMM_NONE, 0),
    SHIFTS(0xd1, K_V, IMM_NONE, 0),
    SHIFTS(0xd2, K_B, IMM_NONE, INSN_MAYFL),
    SHIFTS(0xd3, K_V, IMM_NONE, INSN_MAYFL),
    N(0, 0xc2, "ret", RET, IMM_W, 0, 0, 0, INSN_D64),
    N(0, 0xc3, "ret", RET, IMM_NONE, 0, 0, 0, INSN_D64),
    M(0, 0xc4, MOD_MEM, -1, "les", LDS, K_V, K_MEM, IMM_NONE, RD, 0, INSN_I64),
    M(0, 0xc5, MOD_MEM, -1, "lds", LDS, K_V, K_MEM, IMM_NONE, RD, 0, INSN_I64),
    G(0, 0xc6, 0, "mov", K_NONE, K_B, IMM_B, WR, 0, 0, 0, 0),
    G(0, 0xc7, 0, "mov", K_NONE, K_V, IMM_Z, WR, 0, 0, 0, 0),
    N(0, 0xc8, "enter", ENTER, IMM_WB, 0, 0, 0, INSN_D64),
    N(0, 0xc9, "leave", LEAVE, IMM_NONE, 0, 0, 0, INSN_D64),
    N(0, 0xca, "retf", RETF, IMM_W, ALL, 0, 0, 0),
    N(0, 0xcb, "retf", RETF, IMM_NONE, ALL, 0, 0, 0),
    N(0, 0xcc, "int3", INT3, IMM_NONE, ALL, 0, 0, 0),
    N(0, 0xcd, "int", INT, IMM_B, ALL, 0, 0, 0),
    N(0, 0xce, "into", INTO, IMM_NONE, ALL, 0, 0, INSN_I64),
    N(0, 0xcf, "iret", IRET, IMM_NONE, ALL, 0, 0, 0),
    N(0, 0xd4, "aam", AAM, IMM_B, 0, S | Z | P, O | A | C, INSN_I64),
    N(0, 0xd5, "aad", AAD, IMM_B, 0, S | Z | P, O | A | C, INSN_I64),
    N(0, 0xd6, "salc", SALC, IMM_NONE, C, 0, 0, INSN_I64),
    N(0, 0xd7, "xlat", XLAT, IMM_NONE, 0, 0, 0, 0),
    FARITH(0xd8, "s", 4),
    FR(0xd8, 0, "fadd"),
    FR(0xd8, 1, "fmul"),
    FR(0xd8, 2, "fcom"),
    FR(0xd8, 3, "fcomp"),
    FR(0xd8, 4, "fsub"),
    FR(0xd8, 5, "fsubr"),
    FR(0xd8, 6, "fdiv"),
    FR(0xd8, 7, "fdivr"),
    FM(0xd9, 0, "flds", RD, 4),
    FM(0xd9, 2, "fsts", WR, 4),
    FM(0xd9, 3, "fstps", WR, 4),
    FMS(0xd9, 4, "fldenv", RD),
    FM(0xd9, 5, "fldcw", RD, 2),
    FMS(0xd9, 6, "fnstenv", WR),
    FM(0xd9, 7, "fnstcw", WR, 2),
    FR(0xd9, 0, "fld"),
    FR(0xd9, 1, "fxch"),
    F1(0xd9, 2, 0, "fnop"),
    F1(0xd9, 4, 0, "fchs"),
    F1(0xd9, 4, 1, "fabs"),
    F1(0xd9, 4, 4, "ftst"),
    F1(0xd9, 4, 5, "fxam"),
    F1(0xd9, 5, 0, "fld1"),
    F1(0xd9, 5, 1, "fldl2t"),
    F1(0xd9, 5, 2, "fldl2e"),
    F1(0xd9, 5, 3, "fldpi"),
    F1(0xd9, 5, 4, "fldlg2"),
    F1(0xd9, 5, 5, "fldln2"),
    F1(0xd9, 5, 6, "fldz"),
    FR(0xd9, 6, "f2xm1.."),
    FR(0xd9, 7, "fprem.."),
    FARITH(0xda, "il", 4),
    FRC(0xda, 0, "fcmovb", C),
    FRC(0xda, 1, "fcmove", Z),
    FRC(0xda, 2, "fcmovbe", C | Z),
    FRC(0xda, 3, "fcmovu", P),
    F1(0xda, 5, 1, "fucompp"),
    FM(0xdb, 0, "fildl", RD, 4),
    FM(0xdb, 1, "fisttpl", WR, 4),
    FM(0xdb, 2, "fistl", WR, 4),
    FM(0xdb, 3, "fistpl", WR, 4),
    FM(0xdb, 5, "fldt", RD, 10),
    FM(0xdb, 7, "fstpt", WR, 10),
    FRC(0xdb, 0, "fcmovnb", C),
    FRC(0xdb, 1, "fcmovne", Z),
    FRC(0xdb, 2, "fcmovnbe", C | Z),
    FRC(0xdb, 3, "fcmovnu", P),
    F1(0xdb, 4, 0, "feni"),
    F1(0xdb, 4, 1, "fdisi"),
    F1(0xdb, 4, 2, "fnclex"),
    F1(0xdb, 4, 3, "fninit"),
    F1(0xdb, 4, 4, "fsetpm"),
    FRI(0xdb, 5, "fucomi"),
    FRI(0xdb, 6, "fcomi"),
    FARITH(0xdc, "l", 8),
    FR(0xdc, 0, "fadd"),
    FR(0xdc, 1, "fmul"),
    FR(0xdc, 2, "fcom"),
    FR(0xdc, 3, "fcomp"),
    FR(0xdc, 4, "fsubr"),
    FR(0xdc, 5, "fsub"),
    FR(0xdc, 6, "fdivr"),
    FR(0xdc, 7, "fdiv"),
    FM(0xdd, 0, "fldl", RD, 8),
    FM(0xdd, 1, "fisttpll", WR, 8),
    FM(0xdd, 2, "fstl", WR, 8),
    FM(0xdd, 3, "fstpl", WR, 8),
    FMS(0xdd, 4, "frstor", RD),
    FMS(0xdd, 6, "fnsave", WR),
    FM(0xdd, 7, "fnstsw", WR, 2),
    FR(0xdd, 0, "ffree"),
    FR(0xdd, 1, "fxch"),
    FR(0xdd, 2, "fst"),
    FR(0xdd, 3, "fstp"),
    FR(0xdd, 4, "fucom"),
    FR(0xdd, 5, "fucomp"),
    FARITH(0xde, "i", 2),
    FR(0xde, 0, "faddp"),
    FR(0xde, 1, "fmulp"),
    FR(0xde, 2, "fcomp"),
    F1(0xde, 3, 1, "fcompp"),
    FR(0xde, 4, "fsubrp"),
    FR(0xde, 5, "fsubp"),
    FR(0xde, 6, "fdivrp"),
    FR(0xde, 7, "fdivp"),
    FM(0xdf, 0, "filds", RD, 2),
    FM(0xdf, 1, "fisttps", WR, 2),
    FM(0xdf, 2, "fists", WR, 2),
    FM(0xdf, 3, "fistps", WR, 2),
    FM(0xdf, 4, "fbld", RD, 10),
    FM(0xdf, 5, "fildll", RD, 8),
    FM(0xdf, 6, "fbstp", WR, 10),
    FM(0xdf, 7, "fistpll", WR, 8),
    FR(0xdf, 0, "ffreep"),
    FR(0xdf, 1, "fxch"),
    FR(0xdf, 2, "fstp"),
    FR(0xdf, 3, "fstp"),
    F1(0xdf, 4, 0, "fnstsw ax"),
    FRI(0xdf, 5, "fucomip"),
    FRI(0xdf, 6, "fcomip"),
    N(0, 0xe0, "loopne", LOOP, IMM_J8, Z, 0, 0, INSN_D64),
    N(0, 0xe1, "loope", LOOP, IMM_J8, Z, 0, 0, INSN_D64),
    N(0, 0xe2, "loop", LOOP, IMM_J8, 0, 0, 0, INSN_D64),
    N(0, 0xe3, "jcxz", LOOP, IMM_J8, 0, 0, 0, INSN_D64),
    N(0, 0xe4, "in", IN, IMM_B, 0, 0, 0, 0),
    N(0, 0xe5, "in", IN, IMM_B, 0, 0, 0, 0),
    N(0, 0xe6, "out", OUT, IMM_B, 0, 0, 0, 0),
    N(0, 0xe7, "out", OUT, IMM_B, 0, 0, 0, 0),
    N(0, 0xe8, "call", CALL, IMM_JZ, 0, 0, 0, INSN_D64),
    N(0, 0xe9, "jmp", JMP, IMM_JZ, 0, 0, 0, INSN_D64),
    N(0, 0xea, "jmp far", FAR_IMM, IMM_FAR, ALL, 0, 0, INSN_I64),
    N(0, 0xeb, "jmp", JMP, IMM_J8, 0, 0, 0, INSN_D64),
    N(0, 0xec, "in", IN, IMM_NONE, 0, 0, 0, 0),
    N(0, 0xed, "in", IN, IMM_NONE, 0, 0, 0, 0),
    N(0, 0xee, "out", OUT, IMM_NONE, 0, 0, 0, 0),
    N(0, 0xef, "out", OUT, IMM_NONE, 0, 0, 0, 0),
    N(0, 0xf1, "int1", INT1, IMM_NONE, ALL, 0, 0, 0),
    N(0, 0xf4, "hlt", HLT, IMM_NONE, ALL, 0, 0, INSN_PRIV),
    N(0, 0xf5, "cmc", CAPSULE, IMM_NONE, C, C, 0, 0),
    GROUP3(0xf6, K_B, IMM_B),
    GROUP3(0xf7, K_V, IMM_Z),
    N(0, 0xf8, "clc", CAPSULE, IMM_NONE, 0, C, 0, 0),
    N(0, 0xf9, "stc", CAPSULE, IMM_NONE, 0, C, 0, 0),
    N(0, 0xfa, "cli", CLI, IMM_NONE, 0, 0, 0, 0),
    N(0, 0xfb, "sti", STI, IMM_NONE, 0, 0, 0, 0),
    N(0, 0xfc, "cld", CLD, IMM_NONE, 0, 0, 0, 0),
    N(0, 0xfd, "std", STD, IMM_NONE, 0, 0, 0, 0),
    G(0, 0xfe, 0, "inc", K_NONE, K_B, IMM_NONE, RW, 0, ALL & ~C, 0, INSN_LOCK),
    G(0, 0xfe, 1, "dec", K_NONE, K_B, IMM_NONE, RW, 0, ALL & ~C, 0, INSN_LOCK),
    G(0, 0xff, 0, "inc", K_NONE, K_V, IMM_NONE, RW, 0, ALL & ~C, 0, INSN_LOCK),
    G(0, 0xff, 1, "dec", K_NONE, K_V, IMM_NONE, RW, 0, ALL & ~C, 0, INSN_LOCK),
    M(0, 0xff, MOD_ANY, 2, "call", CALL_M, K_NONE, K_V, IMM_NONE, RD, 0, INSN_D64),
    M(0, 0xff, MOD_MEM, 3, "call far", FAR_M, K_NONE, K_MEM, IMM_NONE, RD, 0, 0),
    M(0, 0xff, MOD_ANY, 4, "jmp", JMP_M, K_NONE, K_V, IMM_NONE, RD, 0, INSN_D64),
    M(0, 0xff, MOD_MEM, 5, "jmp far", FAR_M, K_NONE, K_MEM, IMM_NONE, RD, 0, 0),
    M(0, 0xff, MOD_ANY, 6, "push", PUSH_M, K_NONE, K_V, IMM_NONE, RD, 0, INSN_D64),

    /* ---- 0F map ---- */
    M(1, 0x00, MOD_ANY, 0, "sldt", GRP6, K_NONE, K_W, IMM_NONE, WR, 0, INSN_PE),
    M(1, 0x00, MOD_ANY, 1, "str", GRP6, K_NONE, K_W, IMM_NONE, WR, 0, INSN_PE),
    M(1, 0x00, MOD_ANY, 2, "lldt", GRP6, K_NONE, K_W, IMM_NONE, RD, 0, INSN_PRIV | INSN_PE),
    M(1, 0x00, MOD_ANY, 3, "ltr", GRP6, K_NONE, K_W, IMM_NONE, RD, 0, INSN_PRIV | INSN_PE),
    INSN(1, 0x00, PFX_ANY, MOD_ANY, 4, "verr", GRP6, K_NONE, K_W, IMM_NONE, RD, 0, ALL, Z, 0,
         INSN_PE, FEAT_NONE),
    INSN(1, 0x00, PFX_ANY, MOD_ANY, 5, "verw", GRP6, K_NONE, K_W, IMM_NONE, RD, 0, ALL, Z, 0,
         INSN_PE, FEAT_NONE),
    M(1, 0x01, MOD_MEM, 0, "sgdt", GRP7_MEM, K_NONE, K_MEM, IMM_NONE, WR, 10, 0),
    M(1, 0x01, MOD_MEM, 1, "sidt", GRP7_MEM, K_NONE, K_MEM, IMM_NONE, WR, 10, 0),
    M(1, 0x01, MOD_MEM, 2, "lgdt", GRP7_MEM, K_NONE, K_MEM, IMM_NONE, RD, 10, INSN_PRIV),
    M(1, 0x01, MOD_MEM, 3, "lidt", GRP7_MEM, K_NONE, K_MEM, IMM_NONE, RD, 10, INSN_PRIV),
    M(1, 0x01, MOD_ANY, 4, "smsw", GRP7_MEM, K_NONE, K_W, IMM_NONE, WR, 0, 0),
    M(1, 0x01, MOD_ANY, 6, "lmsw", GRP7_MEM, K_NONE, K_W, IMM_NONE, RD, 0, INSN_PRIV),
    M(1, 0x01, MOD_MEM, 7, "invlpg", GRP7_MEM, K_NONE, K_MEM, IMM_NONE, 0, 1, INSN_PRIV),
    M(1, 0x01, MOD_REG, -1, "grp7", GRP7_REG, K_NONE, K_NONE, IMM_NONE, 0, 0, 0),
    INSN(1, 0x02, PFX_ANY, MOD_ANY, -1, "lar", LAR, K_V, K_W, IMM_NONE, RD, 0, ALL, Z, 0, INSN_PE,
         FEAT_NONE),
    INSN(1, 0x03, PFX_ANY, MOD_ANY, -1, "lsl", LSL, K_V, K_W, IMM_NONE, RD, 0, ALL, Z, 0, INSN_PE,
         FEAT_NONE),
    INSN(1, 0x05, PFX_ANY, MOD_ANY, -1, "syscall", SYSCALL, K_NONE, K_NONE, IMM_NONE, 0, 0, ALL, 0,
         0, 0, FEAT_SYSCALL),
    N(1, 0x06, "clts", CLTS, IMM_NONE, 0, 0, 0, INSN_PRIV),
    INSN(1, 0x07, PFX_ANY, MOD_ANY, -1, "sysret", SYSRET, K_NONE, K_NONE, IMM_NONE, 0, 0, ALL, 0, 0,
         0, FEAT_SYSCALL),
    N(1, 0x08, "invd", INVD, IMM_NONE, 0, 0, 0, INSN_PRIV),
    N(1, 0x09, "wbinvd", INVD, IMM_NONE, 0, 0, 0, INSN_PRIV),
    N(1, 0x0b, "ud2", UD, IMM_NONE, ALL, 0, 0, 0),
    INSN(1, 0x0d, PFX_ANY, MOD_MEM, -1, "prefetchw", NOP, K_V, K_V, IMM_NONE, 0, 0, 0, 0, 0, 0,
         FEAT_LONG),
    VU(1, 0x10, PFX_NP, MOD_ANY, -1, "movups", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE),
    VU(1, 0x10, PFX_66, MOD_ANY, -1, "movupd", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    V(1, 0x10, PFX_F3, MOD_ANY, -1, "movss", K_VEC, K_VEC, IMM_NONE, RD, 4, FEAT_SSE),
    V(1, 0x10, PFX_F2, MOD_ANY, -1, "movsd", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2),
    VU(1, 0x11, PFX_NP, MOD_ANY, -1, "movups", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE),
    VU(1, 0x11, PFX_66, MOD_ANY, -1, "movupd", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE2),
    V(1, 0x11, PFX_F3, MOD_ANY, -1, "movss", K_VEC, K_VEC, IMM_NONE, WR, 4, FEAT_SSE),
    V(1, 0x11, PFX_F2, MOD_ANY, -1, "movsd", K_VEC, K_VEC, IMM_NONE, WR, 8, FEAT_SSE2),
    V(1, 0x12, PFX_NP, MOD_ANY, -1, "movlps", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE),
    V(1, 0x12, PFX_66, MOD_MEM, -1, "movlpd", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2),
    V(1, 0x12, PFX_F3, MOD_ANY, -1, "movsldup", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    V(1, 0x12, PFX_F2, MOD_ANY, -1, "movddup", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE3),
    V(1, 0x13, PFX_NP, MOD_MEM, -1, "movlps", K_VEC, K_VEC, IMM_NONE, WR, 8, FEAT_SSE),
    V(1, 0x13, PFX_66, MOD_MEM, -1, "movlpd", K_VEC, K_VEC, IMM_NONE, WR, 8, FEAT_SSE2),
    FP2(0x14, "unpckl"),
    FP2(0x15, "unpckh"),
    V(1, 0x16, PFX_NP, MOD_ANY, -1, "movhps", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE),
    V(1, 0x16, PFX_66, MOD_MEM, -1, "movhpd", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2),
    V(1, 0x16, PFX_F3, MOD_ANY, -1, "movshdup", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    V(1, 0x17, PFX_NP, MOD_MEM, -1, "movhps", K_VEC, K_VEC, IMM_NONE, WR, 8, FEAT_SSE),
    V(1, 0x17, PFX_66, MOD_MEM, -1, "movhpd", K_VEC, K_VEC, IMM_NONE, WR, 8, FEAT_SSE2),
#define HINT(o) M(1, o, MOD_ANY, -1, "nop", NOP, K_V, K_V, IMM_NONE, 0, 0, 0)
    HINT(0x18),
    HINT(0x19),
    HINT(0x1a),
    HINT(0x1b),
    HINT(0x1c),
    HINT(0x1d),
    HINT(0x1e),
    HINT(0x1f),
    M(1, 0x20, MOD_ANY, -1, "mov", MOV_FROM_CR, K_NONE, K_NONE, IMM_NONE, 0, 0, INSN_PRIV),
    M(1, 0x21, MOD_ANY, -1, "mov", MOV_FROM_DR, K_NONE, K_NONE, IMM_NONE, 0, 0, INSN_PRIV),
    M(1, 0x22, MOD_ANY, -1, "mov", MOV_TO_CR, K_NONE, K_NONE, IMM_NONE, 0, 0, INSN_PRIV),
    M(1, 0x23, MOD_ANY, -1, "mov", MOV_TO_DR, K_NONE, K_NONE, IMM_NONE, 0, 0, INSN_PRIV),
    V(1, 0x28, PFX_NP, MOD_ANY, -1, "movaps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE),
    V(1, 0x28, PFX_66, MOD_ANY, -1, "movapd", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    V(1, 0x29, PFX_NP, MOD_ANY, -1, "movaps", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE),
    V(1, 0x29, PFX_66, MOD_ANY, -1, "movapd", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE2),
    V(1, 0x2a, PFX_NP, MOD_ANY, -1, "cvtpi2ps", K_VEC, K_MMX, IMM_NONE, RD, 8, FEAT_SSE),
    V(1, 0x2a, PFX_66, MOD_ANY, -1, "cvtpi2pd", K_VEC, K_MMX, IMM_NONE, RD, 8, FEAT_SSE2),
    V(1, 0x2a, PFX_F3, MOD_ANY, -1, "cvtsi2ss", K_VEC, K_Y, IMM_NONE, RD, 0, FEAT_SSE),
    V(1, 0x2a, PFX_F2, MOD_ANY, -1, "cvtsi2sd", K_VEC, K_Y, IMM_NONE, RD, 0, FEAT_SSE2),
    V(1, 0x2b, PFX_NP, MOD_MEM, -1, "movntps", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE),
    V(1, 0x2b, PFX_66, MOD_MEM, -1, "movntpd", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE2),
#define CVT2I(o, n)                                                                                \
    V(1, o, PFX_NP, MOD_ANY, -1, n "ps2pi", K_MMX, K_VEC, IMM_NONE, RD, 8, FEAT_SSE),              \
        V(1, o, PFX_66, MOD_ANY, -1, n "pd2pi", K_MMX, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),        \
        V(1, o, PFX_F3, MOD_ANY, -1, n "ss2si", K_Y, K_VEC, IMM_NONE, RD, 4, FEAT_SSE),            \
        V(1, o, PFX_F2, MOD_ANY, -1, n "sd2si", K_Y, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2)
    CVT2I(0x2c, "cvtt"),
    CVT2I(0x2d, "cvt"),
    VFL(1, 0x2e, PFX_NP, "ucomiss", K_VEC, IMM_NONE, 4, FEAT_SSE),
    VFL(1, 0x2e, PFX_66, "ucomisd", K_VEC, IMM_NONE, 8, FEAT_SSE2),
    VFL(1, 0x2f, PFX_NP, "comiss", K_VEC, IMM_NONE, 4, FEAT_SSE),
    VFL(1, 0x2f, PFX_66, "comisd", K_VEC, IMM_NONE, 8, FEAT_SSE2),
    N(1, 0x30, "wrmsr", WRMSR, IMM_NONE, ALL, 0, 0, INSN_PRIV),
    N(1, 0x31, "rdtsc", RDTSC, IMM_NONE, 0, 0, 0, 0),
    N(1, 0x32, "rdmsr", RDMSR, IMM_NONE, 0, 0, 0, INSN_PRIV),
    N(1, 0x33, "rdpmc", RDPMC, IMM_NONE, 0, 0, 0, 0),
    N(1, 0x34, "sysenter", SYSENTER, IMM_NONE, ALL, 0, 0, 0),
    N(1, 0x35, "sysexit", SYSEXIT, IMM_NONE, ALL, 0, 0, 0),
    CC16(CMOV),
    V(1, 0x50, PFX_NP, MOD_REG, -1, "movmskps", K_D, K_VEC, IMM_NONE, RD, 0, FEAT_SSE),
    V(1, 0x50, PFX_66, MOD_REG, -1, "movmskpd", K_D, K_VEC, IMM_NONE, RD, 0, FEAT_SSE2),
    FP4(0x51, "sqrt"),
    V(1, 0x52, PFX_NP, MOD_ANY, -1, "rsqrtps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE),
    V(1, 0x52, PFX_F3, MOD_ANY, -1, "rsqrtss", K_VEC, K_VEC, IMM_NONE, RD, 4, FEAT_SSE),
    V(1, 0x53, PFX_NP, MOD_ANY, -1, "rcpps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE),
    V(1, 0x53, PFX_F3, MOD_ANY, -1, "rcpss", K_VEC, K_VEC, IMM_NONE, RD, 4, FEAT_SSE),
    FP2(0x54, "and"),
    FP2(0x55, "andn"),
    FP2(0x56, "or"),
    FP2(0x57, "xor"),
    FP4(0x58, "add"),
    FP4(0x59, "mul"),
    V(1, 0x5a, PFX_NP, MOD_ANY, -1, "cvtps2pd", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2),
    V(1, 0x5a, PFX_66, MOD_ANY, -1, "cvtpd2ps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    V(1, 0x5a, PFX_F3, MOD_ANY, -1, "cvtss2sd", K_VEC, K_VEC, IMM_NONE, RD, 4, FEAT_SSE2),
    V(1, 0x5a, PFX_F2, MOD_ANY, -1, "cvtsd2ss", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2),
    V(1, 0x5b, PFX_NP, MOD_ANY, -1, "cvtdq2ps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    V(1, 0x5b, PFX_66, MOD_ANY, -1, "cvtps2dq", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    V(1, 0x5b, PFX_F3, MOD_ANY, -1, "cvttps2dq", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    FP4(0x5c, "sub"),
    FP4(0x5d, "min"),
    FP4(0x5e, "div"),
    FP4(0x5f, "max"),
    INT2(0x60, "punpcklbw", 4, FEAT_MMX),
    INT2(0x61, "punpcklwd", 4, FEAT_MMX),
    INT2(0x62, "punpckldq", 4, FEAT_MMX),
    INT2(0x63, "packsswb", 8, FEAT_MMX),
    INT2(0x64, "pcmpgtb", 8, FEAT_MMX),
    INT2(0x65, "pcmpgtw", 8, FEAT_MMX),
    INT2(0x66, "pcmpgtd", 8, FEAT_MMX),
    INT2(0x67, "packuswb", 8, FEAT_MMX),
    INT2(0x68, "punpckhbw", 8, FEAT_MMX),
    INT2(0x69, "punpckhwd", 8, FEAT_MMX),
    INT2(0x6a, "punpckhdq", 8, FEAT_MMX),
    INT2(0x6b, "packssdw", 8, FEAT_MMX),
    X16(1, 0x6c, "punpcklqdq", IMM_NONE, FEAT_SSE2),
    X16(1, 0x6d, "punpckhqdq", IMM_NONE, FEAT_SSE2),
    MM(1, 0x6e, MOD_ANY, -1, "movd", K_MMX, K_Y, IMM_NONE, RD, 0, FEAT_MMX),
    V(1, 0x6e, PFX_66, MOD_ANY, -1, "movd", K_VEC, K_Y, IMM_NONE, RD, 0, FEAT_SSE2),
    MM(1, 0x6f, MOD_ANY, -1, "movq", K_MMX, K_MMX, IMM_NONE, RD, 8, FEAT_MMX),
    V(1, 0x6f, PFX_66, MOD_ANY, -1, "movdqa", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    VU(1, 0x6f, PFX_F3, MOD_ANY, -1, "movdqu", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    MM(1, 0x70, MOD_ANY, -1, "pshufw", K_MMX, K_MMX, IMM_B, RD, 8, FEAT_SSE),
    V(1, 0x70, PFX_66, MOD_ANY, -1, "pshufd", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SSE2),
    V(1, 0x70, PFX_F3, MOD_ANY, -1, "pshufhw", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SSE2),
    V(1, 0x70, PFX_F2, MOD_ANY, -1, "pshuflw", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SSE2),
    SHIFTIMM(0x71, 2, "psrlw"),
    SHIFTIMM(0x71, 4, "psraw"),
    SHIFTIMM(0x71, 6, "psllw"),
    SHIFTIMM(0x72, 2, "psrld"),
    SHIFTIMM(0x72, 4, "psrad"),
    SHIFTIMM(0x72, 6, "pslld"),
    SHIFTIMM(0x73, 2, "psrlq"),
    SHIFTIMM(0x73, 6, "psllq"),
    V(1, 0x73, PFX_66, MOD_REG, 3, "psrldq", K_NONE, K_VEC, IMM_B, RW, 16, FEAT_SSE2),
    V(1, 0x73, PFX_66, MOD_REG, 7, "pslldq", K_NONE, K_VEC, IMM_B, RW, 16, FEAT_SSE2),
    INT2(0x74, "pcmpeqb", 8, FEAT_MMX),
    INT2(0x75, "pcmpeqw", 8, FEAT_MMX),
    INT2(0x76, "pcmpeqd", 8, FEAT_MMX),
    INSN(1, 0x77, PFX_NP, MOD_ANY, -1, "emms", CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, 0, 0, 0,
         INSN_MMX | INSN_FAULT, FEAT_MMX),
    V(1, 0x7c, PFX_66, MOD_ANY, -1, "haddpd", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    V(1, 0x7c, PFX_F2, MOD_ANY, -1, "haddps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    V(1, 0x7d, PFX_66, MOD_ANY, -1, "hsubpd", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    V(1, 0x7d, PFX_F2, MOD_ANY, -1, "hsubps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    MM(1, 0x7e, MOD_ANY, -1, "movd", K_MMX, K_Y, IMM_NONE, WR, 0, FEAT_MMX),
    V(1, 0x7e, PFX_66, MOD_ANY, -1, "movd", K_VEC, K_Y, IMM_NONE, WR, 0, FEAT_SSE2),
    V(1, 0x7e, PFX_F3, MOD_ANY, -1, "movq", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2),
    MM(1, 0x7f, MOD_ANY, -1, "movq", K_MMX, K_MMX, IMM_NONE, WR, 8, FEAT_MMX),
    V(1, 0x7f, PFX_66, MOD_ANY, -1, "movdqa", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE2),
    VU(1, 0x7f, PFX_F3, MOD_ANY, -1, "movdqu", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE2),
    CC16(JCC32),
    CC16(SETCC),
    N(1, 0xa0, "push fs", PUSH_S, IMM_NONE, 0, 0, 0, INSN_D64),
    N(1, 0xa1, "pop fs", POP_S, IMM_NONE, 0, 0, 0, INSN_D64),
    N(1, 0xa2, "cpuid", CPUID, IMM_NONE, 0, 0, 0, 0),
    G(1, 0xa3, -1, "bt", K_V, K_V, IMM_NONE, RD, 0, C, O | S | A | P, INSN_REG_R),
    G(1, 0xa4, -1, "shld", K_V, K_V, IMM_B, RW, 0, C | P | Z | S, A | O, INSN_MAYFL | INSN_REG_R),
    G(1, 0xa5, -1, "shld", K_V, K_V, IMM_NONE, RW, 0, C | P | Z | S, A | O,
      INSN_MAYFL | INSN_REG_R),
    N(1, 0xa8, "push gs", PUSH_S, IMM_NONE, 0, 0, 0, INSN_D64),
    N(1, 0xa9, "pop gs", POP_S, IMM_NONE, 0, 0, 0, INSN_D64),
    N(1, 0xaa, "rsm", RSM, IMM_NONE, ALL, 0, 0, 0),
    G(1, 0xab, -1, "bts", K_V, K_V, IMM_NONE, RW, 0, C, O | S | A | P, INSN_LOCK | INSN_REG_R),
    G(1, 0xac, -1, "shrd", K_V, K_V, IMM_B, RW, 0, C | P | Z | S, A | O, INSN_MAYFL | INSN_REG_R),
    G(1, 0xad, -1, "shrd", K_V, K_V, IMM_NONE, RW, 0, C | P | Z | S, A | O,
      INSN_MAYFL | INSN_REG_R),
    INSN(1, 0xae, PFX_NP, MOD_MEM, 0, "fxsave", FXSAVE, K_NONE, K_MEM, IMM_NONE, WR, 512, 0, 0, 0,
         0, FEAT_SSE),
    INSN(1, 0xae, PFX_NP, MOD_MEM, 1, "fxrstor", FXSAVE, K_NONE, K_MEM, IMM_NONE, RD, 512, 0, 0, 0,
         0, FEAT_SSE),
    V(1, 0xae, PFX_NP, MOD_MEM, 2, "ldmxcsr", K_NONE, K_MEM, IMM_NONE, RD, 4, FEAT_SSE),
    V(1, 0xae, PFX_NP, MOD_MEM, 3, "stmxcsr", K_NONE, K_MEM, IMM_NONE, WR, 4, FEAT_SSE),
    INSN(1, 0xae, PFX_NP, MOD_MEM, 7, "clflush", NOP, K_NONE, K_MEM, IMM_NONE, RD, 1, 0, 0, 0, 0,
         FEAT_SSE2),
    INSN(1, 0xae, PFX_66, MOD_MEM, 7, "clflushopt", NOP, K_NONE, K_MEM, IMM_NONE, RD, 1, 0, 0, 0, 0,
         FEAT_CLFLUSHOPT),
    INSN(1, 0xae, PFX_66, MOD_MEM, 6, "clwb", NOP, K_NONE, K_MEM, IMM_NONE, RD, 1, 0, 0, 0, 0,
         FEAT_CLWB),
    INSN(1, 0xae, PFX_NP, MOD_REG, 5, "lfence", CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, 0, 0, 0, 0,
         FEAT_SSE2),
    INSN(1, 0xae, PFX_NP, MOD_REG, 6, "mfence", CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, 0, 0, 0, 0,
         FEAT_SSE2),
    INSN(1, 0xae, PFX_NP, MOD_REG, 7, "sfence", CAPSULE, K_NONE, K_NONE, IMM_NONE, 0, 0, 0, 0, 0, 0,
         FEAT_SSE),
#define FSGS(x, n)                                                                                 \
    INSN(1, 0xae, PFX_F3, MOD_REG, x, n, RDFSGS, K_NONE, K_Y, IMM_NONE, 0, 0, 0, 0, 0, INSN_O64,   \
         FEAT_FSGSBASE)
    FSGS(0, "rdfsbase"),
    FSGS(1, "rdgsbase"),
    FSGS(2, "wrfsbase"),
    FSGS(3, "wrgsbase"),
    G(1, 0xaf, -1, "imul", K_V, K_V, IMM_NONE, RD, 0, C | O, S | Z | A | P, 0),
    G(1, 0xb0, -1, "cmpxchg", K_B, K_B, IMM_NONE, RW, 0, ALL, 0, INSN_LOCK | INSN_REG_R),
    G(1, 0xb1, -1, "cmpxchg", K_V, K_V, IMM_NONE, RW, 0, ALL, 0, INSN_LOCK | INSN_REG_R),
    M(1, 0xb2, MOD_MEM, -1, "lss", LDS, K_V, K_MEM, IMM_NONE, RD, 0, 0),
    G(1, 0xb3, -1, "btr", K_V, K_V, IMM_NONE, RW, 0, C, O | S | A | P, INSN_LOCK | INSN_REG_R),
    M(1, 0xb4, MOD_MEM, -1, "lfs", LDS, K_V, K_MEM, IMM_NONE, RD, 0, 0),
    M(1, 0xb5, MOD_MEM, -1, "lgs", LDS, K_V, K_MEM, IMM_NONE, RD, 0, 0),
    G(1, 0xb6, -1, "movzx", K_V, K_B, IMM_NONE, RD, 0, 0, 0, INSN_REG_W),
    G(1, 0xb7, -1, "movzx", K_V, K_W, IMM_NONE, RD, 0, 0, 0, INSN_REG_W),
    INSN(1, 0xb8, PFX_F3, MOD_ANY, -1, "popcnt", CAPSULE, K_V, K_V, IMM_NONE, RD, 0, 0, ALL, 0,
         INSN_REG_W, FEAT_POPCNT),
    N(1, 0xb9, "ud1", UD, IMM_NONE, ALL, 0, 0, 0),
    G(1, 0xba, 4, "bt", K_NONE, K_V, IMM_B, RD, 0, C, O | S | A | P, 0),
    G(1, 0xba, 5, "bts", K_NONE, K_V, IMM_B, RW, 0, C, O | S | A | P, INSN_LOCK),
    G(1, 0xba, 6, "btr", K_NONE, K_V, IMM_B, RW, 0, C, O | S | A | P, INSN_LOCK),
    G(1, 0xba, 7, "btc", K_NONE, K_V, IMM_B, RW, 0, C, O | S | A | P, INSN_LOCK),
    G(1, 0xbb, -1, "btc", K_V, K_V, IMM_NONE, RW, 0, C, O | S | A | P, INSN_LOCK | INSN_REG_R),
    INSN(1, 0xbc, PFX_F3, MOD_ANY, -1, "tzcnt", CAPSULE, K_V, K_V, IMM_NONE, RD, 0, 0, C | Z,
         O | S | A | P, INSN_REG_W, FEAT_BMI1),
    G(1, 0xbc, -1, "bsf", K_V, K_V, IMM_NONE, RD, 0, Z, C | O | S | A | P, 0),
    INSN(1, 0xbd, PFX_F3, MOD_ANY, -1, "lzcnt", CAPSULE, K_V, K_V, IMM_NONE, RD, 0, 0, C | Z,
         O | S | A | P, INSN_REG_W, FEAT_LZCNT),
    G(1, 0xbd, -1, "bsr", K_V, K_V, IMM_NONE, RD, 0, Z, C | O | S | A | P, 0),
    G(1, 0xbe, -1, "movsx", K_V, K_B, IMM_NONE, RD, 0, 0, 0, INSN_REG_W),
    G(1, 0xbf, -1, "movsx", K_V, K_W, IMM_NONE, RD, 0, 0, 0, INSN_REG_W),
    G(1, 0xc0, -1, "xadd", K_B, K_B, IMM_NONE, RW, 0, ALL, 0, INSN_LOCK),
    G(1, 0xc1, -1, "xadd", K_V, K_V, IMM_NONE, RW, 0, ALL, 0, INSN_LOCK),
    V(1, 0xc2, PFX_NP, MOD_ANY, -1, "cmpps", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SSE),
    V(1, 0xc2, PFX_66, MOD_ANY, -1, "cmppd", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SSE2),
    V(1, 0xc2, PFX_F3, MOD_ANY, -1, "cmpss", K_VEC, K_VEC, IMM_B, RD, 4, FEAT_SSE),
    V(1, 0xc2, PFX_F2, MOD_ANY, -1, "cmpsd", K_VEC, K_VEC, IMM_B, RD, 8, FEAT_SSE2),
    INSN(1, 0xc3, PFX_NP, MOD_MEM, -1, "movnti", CAPSULE, K_Y, K_Y, IMM_NONE, WR, 0, 0, 0, 0,
         INSN_REG_R, FEAT_SSE2),
    MM(1, 0xc4, MOD_REG, -1, "pinsrw", K_MMX, K_D, IMM_B, RD, 0, FEAT_SSE),
    MM(1, 0xc4, MOD_MEM, -1, "pinsrw", K_MMX, K_MEM, IMM_B, RD, 2, FEAT_SSE),
    V(1, 0xc4, PFX_66, MOD_REG, -1, "pinsrw", K_VEC, K_D, IMM_B, RD, 0, FEAT_SSE2),
    V(1, 0xc4, PFX_66, MOD_MEM, -1, "pinsrw", K_VEC, K_MEM, IMM_B, RD, 2, FEAT_SSE2),
    MM(1, 0xc5, MOD_REG, -1, "pextrw", K_D, K_MMX, IMM_B, RD, 0, FEAT_SSE),
    V(1, 0xc5, PFX_66, MOD_REG, -1, "pextrw", K_D, K_VEC, IMM_B, RD, 0, FEAT_SSE2),
    V(1, 0xc6, PFX_NP, MOD_ANY, -1, "shufps", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SSE),
    V(1, 0xc6, PFX_66, MOD_ANY, -1, "shufpd", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SSE2),
    INSN(1, 0xc7, PFX_ANY, MOD_MEM, 1, "cmpxchg8b", CAPSULE, K_NONE, K_MEM, IMM_NONE, RW, 8, 0, Z,
         0, INSN_LOCK | INSN_FAULT, FEAT_CX8),
    INSN(1, 0xc7, PFX_ANY, MOD_REG, 6, "rdrand", CAPSULE, K_NONE, K_V, IMM_NONE, WR, 0, 0, ALL, 0,
         0, FEAT_RDRAND),
    INSN(1, 0xc7, PFX_ANY, MOD_REG, 7, "rdseed", CAPSULE, K_NONE, K_V, IMM_NONE, WR, 0, 0, ALL, 0,
         0, FEAT_RDSEED),
    N8R(1, 0xc8, "bswap", BSWAP, IMM_NONE, 0, 0, 0, 0),
    V(1, 0xd0, PFX_66, MOD_ANY, -1, "addsubpd", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    V(1, 0xd0, PFX_F2, MOD_ANY, -1, "addsubps", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    INT2(0xd1, "psrlw", 8, FEAT_MMX),
    INT2(0xd2, "psrld", 8, FEAT_MMX),
    INT2(0xd3, "psrlq", 8, FEAT_MMX),
    INT2(0xd4, "paddq", 8, FEAT_SSE2),
    INT2(0xd5, "pmullw", 8, FEAT_MMX),
    V(1, 0xd6, PFX_66, MOD_ANY, -1, "movq", K_VEC, K_VEC, IMM_NONE, WR, 8, FEAT_SSE2),
    V(1, 0xd6, PFX_F3, MOD_REG, -1, "movq2dq", K_VEC, K_MMX, IMM_NONE, RD, 0, FEAT_SSE2),
    V(1, 0xd6, PFX_F2, MOD_REG, -1, "movdq2q", K_MMX, K_VEC, IMM_NONE, RD, 0, FEAT_SSE2),
    MM(1, 0xd7, MOD_REG, -1, "pmovmskb", K_D, K_MMX, IMM_NONE, RD, 0, FEAT_SSE),
    V(1, 0xd7, PFX_66, MOD_REG, -1, "pmovmskb", K_D, K_VEC, IMM_NONE, RD, 0, FEAT_SSE2),
    INT2(0xd8, "psubusb", 8, FEAT_MMX),
    INT2(0xd9, "psubusw", 8, FEAT_MMX),
    INT2(0xda, "pminub", 8, FEAT_SSE),
    INT2(0xdb, "pand", 8, FEAT_MMX),
    INT2(0xdc, "paddusb", 8, FEAT_MMX),
    INT2(0xdd, "paddusw", 8, FEAT_MMX),
    INT2(0xde, "pmaxub", 8, FEAT_SSE),
    INT2(0xdf, "pandn", 8, FEAT_MMX),
    INT2(0xe0, "pavgb", 8, FEAT_SSE),
    INT2(0xe1, "psraw", 8, FEAT_MMX),
    INT2(0xe2, "psrad", 8, FEAT_MMX),
    INT2(0xe3, "pavgw", 8, FEAT_SSE),
    INT2(0xe4, "pmulhuw", 8, FEAT_SSE),
    INT2(0xe5, "pmulhw", 8, FEAT_MMX),
    V(1, 0xe6, PFX_66, MOD_ANY, -1, "cvttpd2dq", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    V(1, 0xe6, PFX_F3, MOD_ANY, -1, "cvtdq2pd", K_VEC, K_VEC, IMM_NONE, RD, 8, FEAT_SSE2),
    V(1, 0xe6, PFX_F2, MOD_ANY, -1, "cvtpd2dq", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE2),
    MM(1, 0xe7, MOD_MEM, -1, "movntq", K_MMX, K_MMX, IMM_NONE, WR, 8, FEAT_SSE),
    V(1, 0xe7, PFX_66, MOD_MEM, -1, "movntdq", K_VEC, K_VEC, IMM_NONE, WR, 16, FEAT_SSE2),
    INT2(0xe8, "psubsb", 8, FEAT_MMX),
    INT2(0xe9, "psubsw", 8, FEAT_MMX),
    INT2(0xea, "pminsw", 8, FEAT_SSE),
    INT2(0xeb, "por", 8, FEAT_MMX),
    INT2(0xec, "paddsb", 8, FEAT_MMX),
    INT2(0xed, "paddsw", 8, FEAT_MMX),
    INT2(0xee, "pmaxsw", 8, FEAT_SSE),
    INT2(0xef, "pxor", 8, FEAT_MMX),
    VU(1, 0xf0, PFX_F2, MOD_MEM, -1, "lddqu", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE3),
    INT2(0xf1, "psllw", 8, FEAT_MMX),
    INT2(0xf2, "pslld", 8, FEAT_MMX),
    INT2(0xf3, "psllq", 8, FEAT_MMX),
    INT2(0xf4, "pmuludq", 8, FEAT_SSE2),
    INT2(0xf5, "pmaddwd", 8, FEAT_MMX),
    INT2(0xf6, "psadbw", 8, FEAT_SSE),
    INSN(1, 0xf7, PFX_NP, MOD_REG, -1, "maskmovq", MASKMOV, K_MMX, K_MMX, IMM_NONE, 0, 8, 0, 0, 0,
         INSN_MMX | INSN_FAULT, FEAT_SSE),
    INSN(1, 0xf7, PFX_66, MOD_REG, -1, "maskmovdqu", MASKMOV, K_VEC, K_VEC, IMM_NONE, 0, 16, 0, 0,
         0, INSN_SSE | INSN_FAULT, FEAT_SSE2),
    INT2(0xf8, "psubb", 8, FEAT_MMX),
    INT2(0xf9, "psubw", 8, FEAT_MMX),
    INT2(0xfa, "psubd", 8, FEAT_MMX),
    INT2(0xfb, "psubq", 8, FEAT_SSE2),
    INT2(0xfc, "paddb", 8, FEAT_MMX),
    INT2(0xfd, "paddw", 8, FEAT_MMX),
    INT2(0xfe, "paddd", 8, FEAT_MMX),
    N(1, 0xff, "ud0", UD, IMM_NONE, ALL, 0, 0, 0),

    /* ---- 0F 38 map ---- */
    S3(0x00, "pshufb"),
    S3(0x01, "phaddw"),
    S3(0x02, "phaddd"),
    S3(0x03, "phaddsw"),
    S3(0x04, "pmaddubsw"),
    S3(0x05, "phsubw"),
    S3(0x06, "phsubd"),
    S3(0x07, "phsubsw"),
    S3(0x08, "psignb"),
    S3(0x09, "psignw"),
    S3(0x0a, "psignd"),
    S3(0x0b, "pmulhrsw"),
    X16(2, 0x10, "pblendvb", IMM_NONE, FEAT_SSE41),
    X16(2, 0x14, "blendvps", IMM_NONE, FEAT_SSE41),
    X16(2, 0x15, "blendvpd", IMM_NONE, FEAT_SSE41),
    VFL(2, 0x17, PFX_66, "ptest", K_VEC, IMM_NONE, 16, FEAT_SSE41),
    S3(0x1c, "pabsb"),
    S3(0x1d, "pabsw"),
    S3(0x1e, "pabsd"),
    XSZ(2, 0x20, "pmovsxbw", IMM_NONE, 8, FEAT_SSE41),
    XSZ(2, 0x21, "pmovsxbd", IMM_NONE, 4, FEAT_SSE41),
    XSZ(2, 0x22, "pmovsxbq", IMM_NONE, 2, FEAT_SSE41),
    XSZ(2, 0x23, "pmovsxwd", IMM_NONE, 8, FEAT_SSE41),
    XSZ(2, 0x24, "pmovsxwq", IMM_NONE, 4, FEAT_SSE41),
    XSZ(2, 0x25, "pmovsxdq", IMM_NONE, 8, FEAT_SSE41),
    X16(2, 0x28, "pmuldq", IMM_NONE, FEAT_SSE41),
    X16(2, 0x29, "pcmpeqq", IMM_NONE, FEAT_SSE41),
    V(2, 0x2a, PFX_66, MOD_MEM, -1, "movntdqa", K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SSE41),
    X16(2, 0x2b, "packusdw", IMM_NONE, FEAT_SSE41),
    XSZ(2, 0x30, "pmovzxbw", IMM_NONE, 8, FEAT_SSE41),
    XSZ(2, 0x31, "pmovzxbd", IMM_NONE, 4, FEAT_SSE41),
    XSZ(2, 0x32, "pmovzxbq", IMM_NONE, 2, FEAT_SSE41),
    XSZ(2, 0x33, "pmovzxwd", IMM_NONE, 8, FEAT_SSE41),
    XSZ(2, 0x34, "pmovzxwq", IMM_NONE, 4, FEAT_SSE41),
    XSZ(2, 0x35, "pmovzxdq", IMM_NONE, 8, FEAT_SSE41),
    X16(2, 0x37, "pcmpgtq", IMM_NONE, FEAT_SSE42),
    X16(2, 0x38, "pminsb", IMM_NONE, FEAT_SSE41),
    X16(2, 0x39, "pminsd", IMM_NONE, FEAT_SSE41),
    X16(2, 0x3a, "pminuw", IMM_NONE, FEAT_SSE41),
    X16(2, 0x3b, "pminud", IMM_NONE, FEAT_SSE41),
    X16(2, 0x3c, "pmaxsb", IMM_NONE, FEAT_SSE41),
    X16(2, 0x3d, "pmaxsd", IMM_NONE, FEAT_SSE41),
    X16(2, 0x3e, "pmaxuw", IMM_NONE, FEAT_SSE41),
    X16(2, 0x3f, "pmaxud", IMM_NONE, FEAT_SSE41),
    X16(2, 0x40, "pmulld", IMM_NONE, FEAT_SSE41),
    X16(2, 0x41, "phminposuw", IMM_NONE, FEAT_SSE41),
    INSN(2, 0x82, PFX_66, MOD_MEM, -1, "invpcid", INVPCID, K_V, K_MEM, IMM_NONE, RD, 16, 0, 0, 0,
         INSN_PRIV | INSN_REG_R, FEAT_INVPCID),
#define SHA(o, n) VU(2, o, PFX_NP, MOD_ANY, -1, n, K_VEC, K_VEC, IMM_NONE, RD, 16, FEAT_SHA)
    SHA(0xc8, "sha1nexte"),
    SHA(0xc9, "sha1msg1"),
    SHA(0xca, "sha1msg2"),
    SHA(0xcb, "sha256rnds2"),
    SHA(0xcc, "sha256msg1"),
    SHA(0xcd, "sha256msg2"),
    X16(2, 0xdb, "aesimc", IMM_NONE, FEAT_AES),
    X16(2, 0xdc, "aesenc", IMM_NONE, FEAT_AES),
    X16(2, 0xdd, "aesenclast", IMM_NONE, FEAT_AES),
    X16(2, 0xde, "aesdec", IMM_NONE, FEAT_AES),
    X16(2, 0xdf, "aesdeclast", IMM_NONE, FEAT_AES),
    INSN(2, 0xf0, PFX_F2, MOD_ANY, -1, "crc32", CAPSULE, K_Y, K_B, IMM_NONE, RD, 0, 0, 0, 0, 0,
         FEAT_SSE42),
    INSN(2, 0xf1, PFX_F2, MOD_ANY, -1, "crc32", CAPSULE, K_Y, K_V, IMM_NONE, RD, 0, 0, 0, 0, 0,
         FEAT_SSE42),
    INSN(2, 0xf0, PFX_ANY, MOD_MEM, -1, "movbe", CAPSULE, K_V, K_V, IMM_NONE, RD, 0, 0, 0, 0,
         INSN_REG_W, FEAT_MOVBE),
    INSN(2, 0xf1, PFX_ANY, MOD_MEM, -1, "movbe", CAPSULE, K_V, K_V, IMM_NONE, WR, 0, 0, 0, 0,
         INSN_REG_R, FEAT_MOVBE),
    INSN(2, 0xf6, PFX_66, MOD_ANY, -1, "adcx", CAPSULE, K_Y, K_Y, IMM_NONE, RD, 0, C, C, 0, 0,
         FEAT_ADX),
    INSN(2, 0xf6, PFX_F3, MOD_ANY, -1, "adox", CAPSULE, K_Y, K_Y, IMM_NONE, RD, 0, O, O, 0, 0,
         FEAT_ADX),

    /* ---- 0F 3A map ---- */
    X16(3, 0x08, "roundps", IMM_B, FEAT_SSE41),
    X16(3, 0x09, "roundpd", IMM_B, FEAT_SSE41),
    XSZ(3, 0x0a, "roundss", IMM_B, 4, FEAT_SSE41),
    XSZ(3, 0x0b, "roundsd", IMM_B, 8, FEAT_SSE41),
    X16(3, 0x0c, "blendps", IMM_B, FEAT_SSE41),
    X16(3, 0x0d, "blendpd", IMM_B, FEAT_SSE41),
    X16(3, 0x0e, "pblendw", IMM_B, FEAT_SSE41),
    MM(3, 0x0f, MOD_ANY, -1, "palignr", K_MMX, K_MMX, IMM_B, RD, 8, FEAT_SSSE3),
    X16(3, 0x0f, "palignr", IMM_B, FEAT_SSSE3),
    V(3, 0x14, PFX_66, MOD_REG, -1, "pextrb", K_VEC, K_D, IMM_B, WR, 0, FEAT_SSE41),
    V(3, 0x14, PFX_66, MOD_MEM, -1, "pextrb", K_VEC, K_MEM, IMM_B, WR, 1, FEAT_SSE41),
    V(3, 0x15, PFX_66, MOD_REG, -1, "pextrw", K_VEC, K_D, IMM_B, WR, 0, FEAT_SSE41),
    V(3, 0x15, PFX_66, MOD_MEM, -1, "pextrw", K_VEC, K_MEM, IMM_B, WR, 2, FEAT_SSE41),
    V(3, 0x16, PFX_66, MOD_ANY, -1, "pextrd", K_VEC, K_Y, IMM_B, WR, 0, FEAT_SSE41),
    V(3, 0x17, PFX_66, MOD_ANY, -1, "extractps", K_VEC, K_D, IMM_B, WR, 0, FEAT_SSE41),
    V(3, 0x20, PFX_66, MOD_REG, -1, "pinsrb", K_VEC, K_D, IMM_B, RD, 0, FEAT_SSE41),
    V(3, 0x20, PFX_66, MOD_MEM, -1, "pinsrb", K_VEC, K_MEM, IMM_B, RD, 1, FEAT_SSE41),
    XSZ(3, 0x21, "insertps", IMM_B, 4, FEAT_SSE41),
    V(3, 0x22, PFX_66, MOD_ANY, -1, "pinsrd", K_VEC, K_Y, IMM_B, RD, 0, FEAT_SSE41),
    X16(3, 0x40, "dpps", IMM_B, FEAT_SSE41),
    X16(3, 0x41, "dppd", IMM_B, FEAT_SSE41),
    X16(3, 0x42, "mpsadbw", IMM_B, FEAT_SSE41),
    X16(3, 0x44, "pclmulqdq", IMM_B, FEAT_PCLMUL),
    VSTR(0x60, "pcmpestrm"),
    VSTR(0x61, "pcmpestri"),
    VSTR(0x62, "pcmpistrm"),
    VSTR(0x63, "pcmpistri"),
    VU(3, 0xcc, PFX_NP, MOD_ANY, -1, "sha1rnds4", K_VEC, K_VEC, IMM_B, RD, 16, FEAT_SHA),
    X16(3, 0xdf, "aeskeygenassist", IMM_B, FEAT_AES),

    /* ---- VEX 0F 38 and 0F 3A, general registers ---- */
    BMI(4, 0xf2, PFX_NP, -1, "andn", K_Y, IMM_NONE, RD, Z | S | C | O, A | P, FEAT_BMI1),
    BMI(4, 0xf3, PFX_NP, 1, "blsr", K_NONE, IMM_NONE, WR, Z | S | C | O, A | P, FEAT_BMI1),
    BMI(4, 0xf3, PFX_NP, 2, "blsmsk", K_NONE, IMM_NONE, WR, Z | S | C | O, A | P, FEAT_BMI1),
    BMI(4, 0xf3, PFX_NP, 3, "blsi", K_NONE, IMM_NONE, WR, Z | S | C | O, A | P, FEAT_BMI1),
    BMI(4, 0xf7, PFX_NP, -1, "bextr", K_Y, IMM_NONE, RD, Z | C | O, A | S | P, FEAT_BMI1),
    BMI(4, 0xf5, PFX_NP, -1, "bzhi", K_Y, IMM_NONE, RD, Z | S | C | O, A | P, FEAT_BMI2),
    BMI(4, 0xf5, PFX_F2, -1, "pdep", K_Y, IMM_NONE, RD, 0, 0, FEAT_BMI2),
    BMI(4, 0xf5, PFX_F3, -1, "pext", K_Y, IMM_NONE, RD, 0, 0, FEAT_BMI2),
    BMI(4, 0xf6, PFX_F2, -1, "mulx", K_Y, IMM_NONE, WR, 0, 0, FEAT_BMI2),
    BMI(4, 0xf7, PFX_66, -1, "shlx", K_Y, IMM_NONE, RD, 0, 0, FEAT_BMI2),
    BMI(4, 0xf7, PFX_F3, -1, "sarx", K_Y, IMM_NONE, RD, 0, 0, FEAT_BMI2),
    BMI(4, 0xf7, PFX_F2, -1, "shrx", K_Y, IMM_NONE, RD, 0, 0, FEAT_BMI2),
    BMI(5, 0xf0, PFX_F2, -1, "rorx", K_Y, IMM_B, 0, 0, 0, FEAT_BMI2),
};

const size_t insn_table_count = sizeof insn_table / sizeof insn_table[0];
