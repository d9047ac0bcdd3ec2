/*
 * The CPUID instruction: a look-up in what cpu_model_compile() has laid out. GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"
#include "target-x86/seg.h"

/* The entry for LEAF and SUBLEAF, or -1; *LAST is the last subleaf's entry when only SUBLEAF is
 * beyond. */
static int find(const CpuModel *m, uint32_t leaf, uint32_t subleaf)
{
    unsigned range = leaf >> 30;
    uint32_t n = leaf & 0x3fffffff;
    if (range == 3 || n >= CPUID_RANGE || m->first[range][n] == CPUID_NONE) {
        return -1;
    }
    unsigned i = m->first[range][n];
    /* A leaf with one entry ignores ECX, but those that are indexed by definition do not. */
    bool indexed = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
    if (!indexed) {
        return i;
    }
    for (; i < m->entry_count && m->entries[i].leaf == leaf; i++) {
        if (m->entries[i].subleaf == subleaf) {
            return i;
        }
    }
    return -1;
}

void cpu_model_cpuid(const CpuModel *m, uint32_t apic_id, uint32_t leaf, uint32_t subleaf,
                     uint32_t reg[4])
{
    uint32_t max = m->entries[m->first[leaf >= 0x80000000 ? 2 : 0][0]].reg[0];
    bool paravirt = leaf >> 30 == 1 && m->first[1][0] != CPUID_NONE;
    if (leaf > max && !paravirt && m->is_intel) {
        leaf = m->entries[m->first[0][0]]
                   .reg[0]; /* SDM 2, CPUID: the data of the highest basic leaf */
    }
    int i = find(m, leaf, subleaf);
    for (unsigned r = 0; r < 4; r++) {
        reg[r] = i < 0 ? 0 : m->entries[i].reg[r];
    }
    switch (leaf) {
    case 1:
        reg[1] |= apic_id << 24;
        break;
    case 0xb:
        reg[2] |= subleaf & 0xff;
        reg[3] = apic_id;
        break;
    case 0x8000001e:
        if (i >= 0) {
            reg[0] = apic_id;
            reg[1] |= m->threads ? apic_id / m->threads & 0xff : 0;
        }
        break;
    }
}

void x86_cpuid(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    uint32_t leaf = st->gpr[R_RAX], reg[4];

    cpu_model_cpuid(cpu->model, cpu->cpu.apic_id, leaf, st->gpr[R_RCX], reg);
    if (leaf == 1) {
        if (!(st->apic_base & 0x800)) {
            reg[3] &= ~CPUID_1_EDX_APIC;
        }
        if (st->cr4 & CR4_OSXSAVE) {
            reg[2] |= CPUID_1_ECX_OSXSAVE;
        }
    }
    st->gpr[R_RAX] = reg[0];
    st->gpr[R_RBX] = reg[1];
    st->gpr[R_RCX] = reg[2];
    st->gpr[R_RDX] = reg[3];
}
