/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT (SDM 2; APM 3 for legacy and compatibility mode on AMD
 * processors). They load flat segments without reading descriptors. GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"
#include "target-x86/seg.h"

#define ATTR_DPL3 (3u << SEG_ATTR_DPL_SHIFT)

static inline void load_flat(X86State *st, uint16_t cs, uint16_t ss, uint32_t code_attr,
                             uint32_t dpl)
{
    seg_set_flat(&st->seg[SEG_CS], cs, code_attr | dpl);
    seg_set_flat(&st->seg[SEG_SS], ss, ATTR_FLAT_DATA | dpl);
}

void x86_syscall(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    uint16_t cs = (st->star >> 32) & 0xfffc;

    if (!(st->efer & EFER_SCE) || (st->rflags & FLAG_VM) || !(st->cr0 & CR0_PE)) {
        x86_raise(cpu, EXC_UD);
    }
    uint64_t next = exec_next_rip(cpu);
    if (__builtin_expect(x86_is_code64(st), 1)) {
        st->gpr[R_RCX] = next;
        st->gpr[11] = st->rflags & ~(uint64_t)FLAG_RF;
        st->rip = st->lstar;
        st->rflags &= ~(st->sfmask | FLAG_RF);
        load_flat(st, cs, cs + 8, ATTR_FLAT_CODE64, 0);
    } else if (cpu->model->is_intel) {
        x86_raise(cpu, EXC_UD);
    } else if (x86_is_long(st)) {
        st->gpr[R_RCX] = (uint32_t)next;
        st->gpr[11] = st->rflags & ~(uint64_t)FLAG_RF;
        st->rip = st->cstar;
        st->rflags &= ~(st->sfmask | FLAG_RF);
        load_flat(st, cs, cs + 8, ATTR_FLAT_CODE64, 0);
    } else {
        st->gpr[R_RCX] = (uint32_t)next;
        st->rip = (uint32_t)st->star;
        st->rflags &= ~(uint64_t)(FLAG_VM | FLAG_IF | FLAG_RF);
        load_flat(st, cs, cs + 8, ATTR_FLAT_CODE32, 0);
    }
    st->rflags |= 2;
    x86_mode_changed(cpu);
}

void x86_sysret(X86Cpu *cpu, unsigned opsize)
{
    /* What SYSRET takes from R11: all but RF, VM and the reserved bits. */
    const uint64_t flags = 0x3c7fd7;
    X86State *st = &cpu->st;
    uint64_t old = st->rflags;
    uint16_t cs = st->star >> 48;

    if (!(st->efer & EFER_SCE) || (!x86_is_code64(st) && cpu->model->is_intel)) {
        x86_raise(cpu, EXC_UD);
    }
    if (!(st->cr0 & CR0_PE) || x86_cpl(st)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (opsize == 8) {
        if (!is_canonical(st->gpr[R_RCX]) && cpu->model->is_intel) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        st->rip = st->gpr[R_RCX];
        load_flat(st, (cs + 16) | 3, (cs + 8) | 3, ATTR_FLAT_CODE64, ATTR_DPL3);
    } else {
        st->rip = (uint32_t)st->gpr[R_RCX];
        load_flat(st, cs | 3, (cs + 8) | 3, ATTR_FLAT_CODE32, ATTR_DPL3);
    }
    if (x86_is_long(st)) {
        st->rflags = (st->gpr[11] & flags) | 2;
    } else {
        st->rflags |= FLAG_IF;
    }
    x86_mode_changed(cpu);
    if ((st->rflags & ~old) & FLAG_IF) {
        x86_recheck_events(cpu);
    }
}

void x86_sysenter(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    bool wide = x86_is_long(st);
    uint16_t cs = st->sysenter_cs & 0xfffc;

    if (wide && !cpu->model->is_intel) {
        x86_raise(cpu, EXC_UD);
    }
    if (!(st->cr0 & CR0_PE) || !cs) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    st->rflags &= ~(uint64_t)(FLAG_VM | FLAG_IF | FLAG_RF);
    st->gpr[R_RSP] = wide ? st->sysenter_esp : (uint32_t)st->sysenter_esp;
    st->rip = wide ? st->sysenter_eip : (uint32_t)st->sysenter_eip;
    load_flat(st, cs, cs + 8, wide ? ATTR_FLAT_CODE64 : ATTR_FLAT_CODE32, 0);
    x86_mode_changed(cpu);
}

void x86_sysexit(X86Cpu *cpu, unsigned opsize)
{
    X86State *st = &cpu->st;
    uint16_t cs = st->sysenter_cs & 0xfffc;

    if (x86_is_long(st) && !cpu->model->is_intel) {
        x86_raise(cpu, EXC_UD);
    }
    if (!(st->cr0 & CR0_PE) || !cs || x86_cpl(st)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (opsize == 8) {
        if (!is_canonical(st->gpr[R_RCX]) || !is_canonical(st->gpr[R_RDX])) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        st->gpr[R_RSP] = st->gpr[R_RCX];
        st->rip = st->gpr[R_RDX];
        load_flat(st, (cs + 32) | 3, (cs + 40) | 3, ATTR_FLAT_CODE64, ATTR_DPL3);
    } else {
        st->gpr[R_RSP] = (uint32_t)st->gpr[R_RCX];
        st->rip = (uint32_t)st->gpr[R_RDX];
        load_flat(st, (cs + 16) | 3, (cs + 24) | 3, ATTR_FLAT_CODE32, ATTR_DPL3);
    }
    x86_mode_changed(cpu);
}
