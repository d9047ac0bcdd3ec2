/*
 * POPF, PUSHF, CLI, STI, with the virtual interrupt flag of VME and PVI (SDM 2; SDM 3A 20.3.3.4,
 * 20.4). GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

#define POPF_FLAGS                                                                                 \
    (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF | FLAG_OF | FLAG_NT)

static unsigned iopl(const X86State *st)
{
    return (st->rflags & FLAG_IOPL) >> 12;
}

static void set_flags(X86Cpu *cpu, uint64_t value)
{
    X86State *st = &cpu->st;
    uint64_t old = st->rflags;
    st->rflags = value | 2;
    if ((old ^ value) & ~(uint64_t)FLAG_STATUS) {
        x86_mode_changed(cpu);
        if (value & ~old & (FLAG_IF | FLAG_VIF)) {
            x86_recheck_events(cpu);
        }
    }
}

void x86_popf(X86Cpu *cpu, uint64_t value, unsigned opsize)
{
    X86State *st = &cpu->st;
    uint64_t mask = POPF_FLAGS;
    bool protected = st->cr0 & CR0_PE;
    unsigned cpl = protected ? x86_cpl(st) : 0;

    if (opsize > 2) {
        mask |= FLAG_AC | FLAG_ID;
    }
    if (cpl == 0) {
        mask |= FLAG_IOPL;
    }
    if (cpl <= iopl(st)) {
        mask |= FLAG_IF;
    } else if (st->rflags & FLAG_VM) {
        if (!(st->cr4 & CR4_VME) || opsize != 2 || (value & FLAG_TF) ||
            ((value & FLAG_IF) && (st->rflags & FLAG_VIP))) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        mask |= FLAG_VIF;
        value = (value & ~(uint64_t)FLAG_VIF) | (value & FLAG_IF ? FLAG_VIF : 0);
    }
    set_flags(cpu, (st->rflags & ~(mask | FLAG_RF)) | (value & mask));
}

uint64_t x86_pushf(X86Cpu *cpu, unsigned opsize)
{
    const X86State *st = &cpu->st;
    uint64_t image = st->rflags & ~(uint64_t)(FLAG_RF | FLAG_VM);

    if ((st->rflags & FLAG_VM) && iopl(st) != 3) {
        if (!(st->cr4 & CR4_VME) || opsize != 2) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        image &= ~(uint64_t)FLAG_IF;
        image |= FLAG_IOPL | (st->rflags & FLAG_VIF ? FLAG_IF : 0);
    }
    return image;
}

/* Whether CLI and STI act on VIF in place of IF; raises when they may act on neither. */
static bool acts_on_vif(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    if (!(st->cr0 & CR0_PE) || x86_cpl(st) <= iopl(st)) {
        return false;
    }
    if (st->rflags & FLAG_VM ? st->cr4 & CR4_VME : (st->cr4 & CR4_PVI) && x86_cpl(st) == 3) {
        return true;
    }
    x86_raise_err(cpu, EXC_GP, 0);
}

void x86_cli(X86Cpu *cpu)
{
    bool vif = acts_on_vif(cpu);
    set_flags(cpu, cpu->st.rflags & ~(uint64_t)(vif ? FLAG_VIF : FLAG_IF));
}

void x86_sti(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    if (acts_on_vif(cpu)) {
        if (st->rflags & FLAG_VIP) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
        set_flags(cpu, st->rflags | FLAG_VIF);
        return;
    }
    if (!(st->rflags & FLAG_IF)) {
        st->int_shadow |= 1;
        set_flags(cpu, st->rflags | FLAG_IF);
    }
}
