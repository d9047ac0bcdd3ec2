/*
 * Helpers with a file of their own, and what helpers share. GPR-only.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_HELPERS_IMPL_H
#define TARGET_X86_HELPERS_IMPL_H

#include "target-x86/exec.h"

uint64_t x86_string_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_pusha_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_popa_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_enter_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_bound_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_arpl_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_bcd_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_aam_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_aad_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_salc_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_x87_state_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_fxsave_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_maskmov_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t x86_x87_clean_helper(X86Cpu *cpu, uint64_t a, uint64_t b);
/* Masks all x87 exceptions; the control word from before. And takes that back, unless the
 * instruction in between has loaded another. */
uint16_t x86_x87_mask(void);
void x86_x87_unmask(uint16_t control);
/* Through exec_call_c(): logs the bytes at RIP with -d unimp. */
uint64_t x86_log_unimplemented(X86Cpu *cpu, uint64_t rip, uint64_t unused);

/* Writes the low SIZE bytes of a register: 8 all, 4 zero-extended, 1 and 2 merged. */
static inline void x86_set_gpr(X86Cpu *cpu, unsigned n, uint64_t value, unsigned size)
{
    uint64_t *r = &cpu->st.gpr[n];

    switch (size) {
    case 1:
        *r = (*r & ~0xffull) | (uint8_t)value;
        break;
    case 2:
        *r = (*r & ~0xffffull) | (uint16_t)value;
        break;
    case 4:
        *r = (uint32_t)value;
        break;
    default:
        *r = value;
        break;
    }
}

static inline void x86_add_gpr(X86Cpu *cpu, unsigned n, int64_t add, unsigned size)
{
    x86_set_gpr(cpu, n, cpu->st.gpr[n] + (uint64_t)add, size);
}

static inline uint64_t x86_get_gpr(const X86Cpu *cpu, unsigned n, unsigned size)
{
    return size == 8 ? cpu->st.gpr[n] : cpu->st.gpr[n] & ((1ull << (8 * size)) - 1);
}

/* Linear address of SIZE bytes at OFFSET of segment SEG; raises #GP or #SS. */
static inline uint64_t x86_seg_linear(X86Cpu *cpu, unsigned seg, uint64_t offset, unsigned size,
                                      bool write)
{
    const X86Segment *s = &cpu->st.seg[seg];
    int vector = seg == SEG_SS ? EXC_SS : EXC_GP;

    if (x86_is_code64(&cpu->st)) {
        uint64_t linear = seg == SEG_FS || seg == SEG_GS ? s->base + offset : offset;
        if ((uint64_t)((int64_t)(linear << 16) >> 16) != linear) {
            x86_raise_err(cpu, vector, 0);
        }
        return linear;
    }
    uint64_t last = (uint32_t)offset + (uint64_t)size - 1;
    bool down = (s->attr & (SEG_ATTR_CODE | SEG_ATTR_DC)) == SEG_ATTR_DC;
    uint64_t top = s->attr & SEG_ATTR_DB ? 0xffffffff : 0xffff;
    bool in = down ? (uint32_t)offset > s->limit && last <= top : last <= s->limit;
    bool ok = !(s->attr & SEG_ATTR_UNUSABLE) && in;

    if (!x86_is_protected(&cpu->st) || x86_is_v86(&cpu->st)) {
        /* no type checks (SDM 3A 5.1): real-mode code writes through CS, whatever it was loaded
         * with */
    } else if (s->attr & SEG_ATTR_CODE) {
        ok = ok && !write && (s->attr & SEG_ATTR_RW);
    } else {
        ok = ok && (!write || (s->attr & SEG_ATTR_RW));
    }
    if (!ok) {
        x86_raise_err(cpu, vector, 0);
    }
    return (uint32_t)(s->base + offset);
}

#endif
