/*
 * Virtual registers in host registers or GS slots.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

static const int8_t pinned[16] = {
    H_RAX, H_RCX, H_RDX, H_RBX, H_R10, H_R11, H_RSI, H_RDI,
    H_R8,  H_R9,  -1,    -1,    H_R12, H_R13, -1,    -1,
};

int host_pinned(int gpr)
{
    return pinned[gpr];
}

int32_t emit_vreg_slot(const Emit *e, uint8_t v)
{
    return v < 16 ? e->l->gpr + 8 * v : e->l->tmp + 8 * (v - VREG_TMP0);
}

void emit_vreg_load(Emit *e, int host, uint8_t v)
{
    if (v < 16 && pinned[v] >= 0) {
        if (pinned[v] != host) {
            asm_rr(&e->a, 0x89, true, pinned[v], host);
        }
    } else {
        asm_gs(&e->a, 0x8b, true, host, emit_vreg_slot(e, v));
    }
}

int emit_vreg_read(Emit *e, uint8_t v, int scratch)
{
    if (v < 16 && pinned[v] >= 0) {
        return pinned[v];
    }
    asm_gs(&e->a, 0x8b, true, scratch, emit_vreg_slot(e, v));
    return scratch;
}

/* 4 bytes zero-extend, 1 and 2 replace the low part (of a temporary: everything). */
void emit_vreg_write(Emit *e, uint8_t v, int host, unsigned size)
{
    Asm *a = &e->a;
    bool in_reg = v < 16 && pinned[v] >= 0;

    if (v >= VREG_TMP0) {
        size = 8;
    }
    if (size == 2) {
        asm_room(a);
        asm_u8(a, 0x66);
    }
    if (in_reg) {
        asm_room(a);
        asm_rex(a, size == 8, host, 0, pinned[v], size == 1);
        asm_u8(a, size == 1 ? 0x88 : 0x89);
        asm_u8(a, 0xc0 | (host & 7) << 3 | (pinned[v] & 7));
    } else if (size == 1) {
        asm_room(a);
        asm_u8(a, 0x65);
        asm_rex(a, false, host, 0, 0, true);
        asm_u8(a, 0x88);
        asm_u8(a, 0x04 | (host & 7) << 3);
        asm_u8(a, 0x25);
        asm_u32(a, (uint32_t)emit_vreg_slot(e, v));
    } else if (size == 4) {
        asm_rr(a, 0x89, false, host, H_TA); /* zeroes the upper half */
        asm_gs(a, 0x89, true, H_TA, emit_vreg_slot(e, v));
    } else {
        asm_gs(a, 0x89, size == 8, host, emit_vreg_slot(e, v));
    }
}
