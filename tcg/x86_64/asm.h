/*
 * x86-64 instruction encoding for the back end.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_X86_64_ASM_H
#define TCG_X86_64_ASM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    H_RAX,
    H_RCX,
    H_RDX,
    H_RBX,
    H_RSP,
    H_RBP,
    H_RSI,
    H_RDI,
    H_R8,
    H_R9,
    H_R10,
    H_R11,
    H_R12,
    H_R13,
    H_R14,
    H_R15
};

/* Scratch registers of the register contract. */
enum { H_TH = H_RBP, H_TA = H_R14, H_TI = H_R15 };

typedef struct Asm {
    uint8_t *start, *p, *end;
    bool overflow;
} Asm;

/* Room for one more instruction (and some); emission stops moving P once it is not there. */
static inline bool asm_room(Asm *a)
{
    if (a->end - a->p < 64) {
        a->overflow = true;
        a->p = a->start;
    }
    return !a->overflow;
}

static inline void asm_u8(Asm *a, uint8_t v)
{
    *a->p++ = v;
}
static inline void asm_u16(Asm *a, uint16_t v)
{
    memcpy(a->p, &v, 2);
    a->p += 2;
}
static inline void asm_u32(Asm *a, uint32_t v)
{
    memcpy(a->p, &v, 4);
    a->p += 4;
}
static inline void asm_u64(Asm *a, uint64_t v)
{
    memcpy(a->p, &v, 8);
    a->p += 8;
}
static inline uint32_t asm_off(const Asm *a)
{
    return (uint32_t)(a->p - a->start);
}

/* REX if needed: W, and the high bits of REG, INDEX, BASE. FORCE for SPL..DIL. */
static inline void asm_rex(Asm *a, bool w, int reg, int index, int base, bool force)
{
    uint8_t rex = (w ? 8 : 0) | ((reg >> 3) & 1) << 2 | ((index >> 3) & 1) << 1 | ((base >> 3) & 1);

    if (rex || force) {
        asm_u8(a, 0x40 | rex);
    }
}

/* OP reg, rm with both registers; opcodes above FFh are 0F-prefixed. */
static inline void asm_rr(Asm *a, int op, bool w, int reg, int rm)
{
    asm_room(a);
    asm_rex(a, w, reg, 0, rm, false);
    if (op > 0xff) {
        asm_u8(a, 0x0f);
    }
    asm_u8(a, (uint8_t)op);
    asm_u8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* ModRM (and SIB, displacement) for [base + disp]. */
static inline void asm_modrm_base(Asm *a, int reg, int base, int32_t disp)
{
    bool sib = (base & 7) == 4;
    int mod = disp == 0 && (base & 7) != 5 ? 0 : disp >= -128 && disp < 128 ? 1 : 2;

    asm_u8(a, mod << 6 | (reg & 7) << 3 | (base & 7));
    if (sib) {
        asm_u8(a, 0x24);
    }
    if (mod == 1) {
        asm_u8(a, (uint8_t)disp);
    } else if (mod == 2) {
        asm_u32(a, (uint32_t)disp);
    }
}

/* OP reg, [base + disp] */
static inline void asm_rm(Asm *a, int op, bool w, int reg, int base, int32_t disp)
{
    asm_room(a);
    asm_rex(a, w, reg, 0, base, false);
    if (op > 0xff) {
        asm_u8(a, 0x0f);
    }
    asm_u8(a, (uint8_t)op);
    asm_modrm_base(a, reg, base, disp);
}

/* OP reg, gs:[disp] */
static inline void asm_gs(Asm *a, int op, bool w, int reg, int32_t disp)
{
    asm_room(a);
    asm_u8(a, 0x65);
    asm_rex(a, w, reg, 0, 0, false);
    if (op > 0xff) {
        asm_u8(a, 0x0f);
    }
    asm_u8(a, (uint8_t)op);
    asm_u8(a, 0x04 | (reg & 7) << 3);
    asm_u8(a, 0x25);
    asm_u32(a, (uint32_t)disp);
}

/* OP reg, gs:[base + disp32] */
static inline void asm_gs_base(Asm *a, int op, bool w, int reg, int base, int32_t disp)
{
    asm_room(a);
    asm_u8(a, 0x65);
    asm_rex(a, w, reg, 0, base, false);
    asm_u8(a, (uint8_t)op);
    asm_u8(a, 0x80 | (reg & 7) << 3 | (base & 7));
    if ((base & 7) == 4) {
        asm_u8(a, 0x24);
    }
    asm_u32(a, (uint32_t)disp);
}

/* lea reg, [base + index << scale + disp]; base or index may be -1. */
static inline void asm_lea(Asm *a, bool w, int reg, int base, int index, int scale, int32_t disp)
{
    asm_room(a);
    asm_rex(a, w, reg, index < 0 ? 0 : index, base < 0 ? 0 : base, false);
    asm_u8(a, 0x8d);
    if (index < 0 && base >= 0) {
        asm_modrm_base(a, reg, base, disp);
        return;
    }
    if (base < 0) {
        asm_u8(a, 0x04 | (reg & 7) << 3);
        asm_u8(a, scale << 6 | (index < 0 ? 4 : index & 7) << 3 | 5);
        asm_u32(a, (uint32_t)disp);
        return;
    }
    int mod = disp == 0 && (base & 7) != 5 ? 0 : disp >= -128 && disp < 128 ? 1 : 2;
    asm_u8(a, mod << 6 | (reg & 7) << 3 | 4);
    asm_u8(a, scale << 6 | (index & 7) << 3 | (base & 7));
    if (mod == 1) {
        asm_u8(a, (uint8_t)disp);
    } else if (mod == 2) {
        asm_u32(a, (uint32_t)disp);
    }
}

/* Shortest mov reg, imm that leaves flags alone. */
static inline void asm_movi(Asm *a, int reg, uint64_t imm)
{
    asm_room(a);
    if (imm <= UINT32_MAX) {
        asm_rex(a, false, 0, 0, reg, false);
        asm_u8(a, 0xb8 | (reg & 7));
        asm_u32(a, (uint32_t)imm);
    } else if ((int64_t)imm == (int32_t)imm) {
        asm_rex(a, true, 0, 0, reg, false);
        asm_u8(a, 0xc7);
        asm_u8(a, 0xc0 | (reg & 7));
        asm_u32(a, (uint32_t)imm);
    } else {
        asm_rex(a, true, 0, 0, reg, false);
        asm_u8(a, 0xb8 | (reg & 7));
        asm_u64(a, imm);
    }
}

/* Group-1 ALU with imm32: EXT 0 add, 1 or, 4 and, 5 sub, 6 xor, 7 cmp. */
static inline void asm_alui(Asm *a, int ext, bool w, int reg, int32_t imm)
{
    asm_room(a);
    asm_rex(a, w, 0, 0, reg, false);
    if (imm >= -128 && imm < 128) {
        asm_u8(a, 0x83);
        asm_u8(a, 0xc0 | ext << 3 | (reg & 7));
        asm_u8(a, (uint8_t)imm);
    } else {
        asm_u8(a, 0x81);
        asm_u8(a, 0xc0 | ext << 3 | (reg & 7));
        asm_u32(a, (uint32_t)imm);
    }
}

/* Shift by an immediate: EXT 4 shl, 5 shr, 7 sar. */
static inline void asm_shifti(Asm *a, int ext, bool w, int reg, uint8_t count)
{
    asm_room(a);
    asm_rex(a, w, 0, 0, reg, false);
    asm_u8(a, 0xc1);
    asm_u8(a, 0xc0 | ext << 3 | (reg & 7));
    asm_u8(a, count);
}

/* Jumps with a 32-bit displacement, returning its offset for asm_patch(). */
static inline uint32_t asm_jcc(Asm *a, int cc)
{
    asm_room(a);
    asm_u8(a, 0x0f);
    asm_u8(a, 0x80 | cc);
    asm_u32(a, 0);
    return asm_off(a) - 4;
}
static inline uint32_t asm_jmp(Asm *a)
{
    asm_room(a);
    asm_u8(a, 0xe9);
    asm_u32(a, 0);
    return asm_off(a) - 4;
}
static inline void asm_patch(Asm *a, uint32_t at, uint32_t target)
{
    int32_t rel = (int32_t)(target - (at + 4));

    if (!a->overflow) {
        memcpy(a->start + at, &rel, 4);
    }
}
static inline void asm_patch_here(Asm *a, uint32_t at)
{
    asm_patch(a, at, asm_off(a));
}
static inline void asm_jmp_to(Asm *a, uint32_t target)
{
    asm_patch(a, asm_jmp(a), target);
}

/* Pads with NOPs until (offset + BIAS) is a multiple of 4, for an aligned rel32 field. */
static inline void asm_align4(Asm *a, unsigned bias)
{
    static const uint8_t nops[4][3] = {{0}, {0x90}, {0x66, 0x90}, {0x0f, 0x1f, 0x00}};
    unsigned pad = -((unsigned)(uintptr_t)a->p + bias) & 3;

    asm_room(a);
    memcpy(a->p, nops[pad], pad);
    a->p += pad;
}

enum {
    CC_O,
    CC_NO,
    CC_B,
    CC_AE,
    CC_E,
    CC_NE,
    CC_BE,
    CC_A,
    CC_S,
    CC_NS,
    CC_P,
    CC_NP,
    CC_L,
    CC_GE,
    CC_LE,
    CC_G
};

#endif
