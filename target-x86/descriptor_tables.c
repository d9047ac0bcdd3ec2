/*
 * LGDT, LIDT, SGDT, SIDT (SDM 2). GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

static void load_table(X86Cpu *cpu, X86TableReg *table, uint64_t linear, unsigned opsize)
{
    cpl_check(cpu);
    uint16_t limit = x86_ld(cpu, linear, 2, MMU_CURRENT);
    uint64_t base = x86_ld(cpu, linear + 2, opsize == 8 ? 8 : 4, MMU_CURRENT);
    if (opsize == 2) {
        base &= 0xffffff;
    }
    if (!is_canonical(base)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    table->limit = limit;
    table->base = base;
}

void x86_lgdt(X86Cpu *cpu, uint64_t linear, unsigned opsize)
{
    load_table(cpu, &cpu->st.gdt, linear, opsize);
}

void x86_lidt(X86Cpu *cpu, uint64_t linear, unsigned opsize)
{
    load_table(cpu, &cpu->st.idt, linear, opsize);
}

/* With a 16-bit operand processors since the 80386 store all 32 bits of the base. */
static void store_table(X86Cpu *cpu, const X86TableReg *table, uint64_t linear, unsigned opsize)
{
    unsigned size = opsize == 8 ? 8 : 4;
    if ((cpu->st.cr4 & CR4_UMIP) && (cpu->st.cr0 & CR0_PE)) {
        cpl_check(cpu);
    }
    x86_probe_write(cpu, linear, size + 2, MMU_CURRENT);
    x86_st(cpu, linear, table->limit, 2, MMU_CURRENT);
    x86_st(cpu, linear + 2, table->base, size, MMU_CURRENT);
}

void x86_sgdt(X86Cpu *cpu, uint64_t linear, unsigned opsize)
{
    store_table(cpu, &cpu->st.gdt, linear, opsize);
}

void x86_sidt(X86Cpu *cpu, uint64_t linear, unsigned opsize)
{
    store_table(cpu, &cpu->st.idt, linear, opsize);
}
