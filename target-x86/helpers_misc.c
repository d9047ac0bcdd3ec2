/*
 * Rare integer instructions: PUSHA, POPA, ENTER, BOUND, ARPL, decimal adjustment. GPR-only.
 * References: SDM volume 2, the instructions' pages.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/helpers_impl.h"

/* b: operand size | stack address size << 8 */
static uint64_t stack_linear(X86Cpu *cpu, uint64_t sp, unsigned size, unsigned stack, bool write)
{
    uint64_t off = stack == 8 ? sp : sp & ((1ull << (8 * stack)) - 1);

    return x86_seg_linear(cpu, SEG_SS, off, size, write);
}

uint64_t x86_pusha_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    unsigned size = b & 0xff, stack = (b >> 8) & 0xff;
    uint64_t sp = cpu->st.gpr[R_RSP];

    (void)a;
    for (int i = 1; i <= 8; i++) {
        x86_probe_write(cpu, stack_linear(cpu, sp - (unsigned)i * size, size, stack, true), size,
                        MMU_CURRENT);
    }
    for (unsigned i = 0; i < 8; i++) {
        x86_st(cpu, stack_linear(cpu, sp - (i + 1) * size, size, stack, true), cpu->st.gpr[i], size,
               MMU_CURRENT);
    }
    x86_add_gpr(cpu, R_RSP, -8 * (int64_t)size, stack);
    return 0;
}

uint64_t x86_popa_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    unsigned size = b & 0xff, stack = (b >> 8) & 0xff;
    uint64_t sp = cpu->st.gpr[R_RSP], v[8];

    (void)a;
    for (unsigned i = 0; i < 8; i++) {
        v[7 - i] =
            x86_ld(cpu, stack_linear(cpu, sp + i * size, size, stack, false), size, MMU_CURRENT);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i != R_RSP) {
            x86_set_gpr(cpu, i, v[i], size);
        }
    }
    x86_add_gpr(cpu, R_RSP, 8 * (int64_t)size, stack);
    return 0;
}

/* a: frame size | nesting level << 16 */
uint64_t x86_enter_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    unsigned size = b & 0xff, stack = (b >> 8) & 0xff, level = (a >> 16) & 31;
    uint64_t sp = cpu->st.gpr[R_RSP], bp = cpu->st.gpr[R_RBP];

    sp -= size;
    uint64_t frame = sp;
    x86_st(cpu, stack_linear(cpu, sp, size, stack, true), bp, size, MMU_CURRENT);
    for (unsigned i = 1; i < level; i++) {
        bp -= size;
        sp -= size;
        uint64_t v = x86_ld(cpu, stack_linear(cpu, bp, size, stack, false), size, MMU_CURRENT);
        x86_st(cpu, stack_linear(cpu, sp, size, stack, true), v, size, MMU_CURRENT);
    }
    if (level) {
        sp -= size;
        x86_st(cpu, stack_linear(cpu, sp, size, stack, true), frame, size, MMU_CURRENT);
    }
    sp -= a & 0xffff;
    x86_probe_write(cpu, stack_linear(cpu, sp, 1, stack, true), 1, MMU_CURRENT);
    x86_set_gpr(cpu, R_RBP, frame, size == 2 ? 2 : stack);
    x86_set_gpr(cpu, R_RSP, sp, stack);
    return 0;
}

/* a: linear address, b: register | operand size << 8 */
uint64_t x86_bound_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    unsigned size = (b >> 8) & 0xff, shift = 64 - 8 * size;
    int64_t low = (int64_t)(x86_ld(cpu, a, size, MMU_CURRENT) << shift) >> shift;
    int64_t high = (int64_t)(x86_ld(cpu, a + size, size, MMU_CURRENT) << shift) >> shift;
    int64_t index = (int64_t)(cpu->st.gpr[b & 15] << shift) >> shift;

    if (index < low || index > high) {
        x86_raise(cpu, EXC_BR);
    }
    return 0;
}

/* a: the selector to adjust, b: the one whose RPL counts (16 bits); the result is the new selector.
 */
uint64_t x86_arpl_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    uint64_t dst = a & 0xffff;

    cpu->st.rflags &= ~(uint64_t)FLAG_ZF;
    if ((dst & 3) < (b & 3)) {
        cpu->st.rflags |= FLAG_ZF;
        dst = (dst & ~3ull) | (b & 3);
    }
    return dst;
}

static void set_szp(X86Cpu *cpu, uint8_t v)
{
    uint64_t f = cpu->st.rflags & ~(uint64_t)(FLAG_SF | FLAG_ZF | FLAG_PF);

    f |= v & 0x80 ? FLAG_SF : 0;
    f |= v == 0 ? FLAG_ZF : 0;
    f |= __builtin_parity(v) ? 0 : FLAG_PF;
    cpu->st.rflags = f;
}

static void set_flag(X86Cpu *cpu, uint64_t flag, bool on)
{
    cpu->st.rflags = on ? cpu->st.rflags | flag : cpu->st.rflags & ~flag;
}

/* b: opcode: 27h DAA, 2Fh DAS, 37h AAA, 3Fh AAS */
uint64_t x86_bcd_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    uint64_t ax = cpu->st.gpr[R_RAX];
    uint8_t al = (uint8_t)ax, old = al;
    bool cf = cpu->st.rflags & FLAG_CF, af = cpu->st.rflags & FLAG_AF;
    bool low = (al & 15) > 9 || af;

    (void)a;
    if (b == 0x27 || b == 0x2f) {
        int sign = b == 0x27 ? 1 : -1;
        bool carry = cf;
        if (low) {
            carry = cf || (b == 0x27 ? al > 0xf9 : al < 6);
            al = (uint8_t)(al + 6 * sign);
        }
        if (old > 0x99 || cf) {
            al = (uint8_t)(al + 0x60 * sign);
            carry = true;
        } else if (b == 0x27) {
            carry = false;
        }
        x86_set_gpr(cpu, R_RAX, al, 1);
        set_flag(cpu, FLAG_CF, carry);
        set_flag(cpu, FLAG_AF, low);
        set_szp(cpu, al);
        return 0;
    }
    if (low) {
        ax = b == 0x37 ? ax + 0x106 : ax - 6 - 0x100;
    }
    x86_set_gpr(cpu, R_RAX, ax & 0xff0f, 2);
    set_flag(cpu, FLAG_CF, low);
    set_flag(cpu, FLAG_AF, low);
    return 0;
}

uint64_t x86_aam_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    uint8_t al = (uint8_t)cpu->st.gpr[R_RAX];

    (void)a;
    if (b == 0) {
        x86_raise(cpu, EXC_DE);
    }
    x86_set_gpr(cpu, R_RAX, (uint64_t)(al / (uint8_t)b) << 8 | al % (uint8_t)b, 2);
    set_szp(cpu, (uint8_t)cpu->st.gpr[R_RAX]);
    return 0;
}

uint64_t x86_aad_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    uint16_t ax = (uint16_t)cpu->st.gpr[R_RAX];

    (void)a;
    x86_set_gpr(cpu, R_RAX, (uint8_t)((ax >> 8) * b + ax), 2);
    set_szp(cpu, (uint8_t)cpu->st.gpr[R_RAX]);
    return 0;
}

uint64_t x86_salc_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    x86_set_gpr(cpu, R_RAX, cpu->st.rflags & FLAG_CF ? 0xff : 0, 1);
    return 0;
}
