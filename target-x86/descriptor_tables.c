/*
 * LGDT, LIDT, SGDT, SIDT (SDM 2). GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

/* Size of the base in memory: 8 in 64-bit mode whatever the prefixes, else 4. */
static unsigned base_size(const X86Cpu *cpu)
{
    return x86_is_code64(&cpu->st) ? 8 : 4;
}

static void load_table(X86Cpu *cpu, X86TableReg *table, uint64_t linear, unsigned opsize)
{
    unsigned size = base_size(cpu);

    cpl_check(cpu);
    uint16_t limit = x86_ld(cpu, linear, 2, MMU_CURRENT);
    uint64_t base = x86_ld(cpu, linear + 2, size, MMU_CURRENT);
    if (opsize == 2 && size == 4) {
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
static void store_table(X86Cpu *cpu, const X86TableReg *table, uint64_t linear)
{
    unsigned size = base_size(cpu);

    if ((cpu->st.cr4 & CR4_UMIP) && (cpu->st.cr0 & CR0_PE)) {
        cpl_check(cpu);
    }
    x86_probe_write(cpu, linear, size + 2, MMU_CURRENT);
    x86_st(cpu, linear, table->limit, 2, MMU_CURRENT);
    x86_st(cpu, linear + 2, table->base, size, MMU_CURRENT);
}

void x86_sgdt(X86Cpu *cpu, uint64_t linear, unsigned opsize)
{
    (void)opsize;
    store_table(cpu, &cpu->st.gdt, linear);
}

void x86_sidt(X86Cpu *cpu, uint64_t linear, unsigned opsize)
{
    (void)opsize;
    store_table(cpu, &cpu->st.idt, linear);
}
