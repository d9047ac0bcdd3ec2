/*
 * Control and debug registers, XCR0, INVPCID, RDTSC, RDPMC (SDM 3A 2.5, 17.2; SDM 2). GPR-only
 * code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"
#include "target-x86/seg.h"

#define CR0_WRITABLE                                                                               \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

#define CR3_NOFLUSH (1ull << 63)

/* CR4 bits by the CPUID feature that brings them; bits of features the CPU lacks are reserved. */
static const struct {
    uint32_t bit;
    uint8_t word;
    uint32_t feature;
} cr4_bits[] = {
    {CR4_VME | CR4_PVI, CPUID_1_EDX, CPUID_1_EDX_VME},
    {CR4_TSD, CPUID_1_EDX, CPUID_1_EDX_TSC},
    {CR4_DE, CPUID_1_EDX, CPUID_1_EDX_DE},
    {CR4_PSE, CPUID_1_EDX, CPUID_1_EDX_PSE},
    {CR4_PAE, CPUID_1_EDX, CPUID_1_EDX_PAE},
    {CR4_MCE, CPUID_1_EDX, CPUID_1_EDX_MCE},
    {CR4_PGE, CPUID_1_EDX, CPUID_1_EDX_PGE},
    {CR4_OSFXSR, CPUID_1_EDX, CPUID_1_EDX_FXSR},
    {CR4_OSXMMEXCPT, CPUID_1_EDX, CPUID_1_EDX_SSE},
    {CR4_UMIP, CPUID_7_0_ECX, CPUID_7_0_ECX_UMIP},
    {CR4_FSGSBASE, CPUID_7_0_EBX, CPUID_7_0_EBX_FSGSBASE},
    {CR4_PCIDE, CPUID_1_ECX, CPUID_1_ECX_PCID},
    {CR4_OSXSAVE, CPUID_1_ECX, CPUID_1_ECX_XSAVE},
    {CR4_SMEP, CPUID_7_0_EBX, CPUID_7_0_EBX_SMEP},
    {CR4_SMAP, CPUID_7_0_EBX, CPUID_7_0_EBX_SMAP},
};

uint64_t x86_cr4_valid(const CpuModel *model)
{
    uint64_t valid = CR4_PCE;
    for (unsigned i = 0; i < sizeof(cr4_bits) / sizeof(cr4_bits[0]); i++) {
        if (model->words[cr4_bits[i].word] & cr4_bits[i].feature) {
            valid |= cr4_bits[i].bit;
        }
    }
    return valid;
}

static X86_NORETURN void gp0(X86Cpu *cpu)
{
    x86_raise_err(cpu, EXC_GP, 0);
}

/* SDM 3A 4.4.1 */
void x86_read_pdptrs(X86Cpu *cpu, uint64_t cr3, uint64_t pdptr[4])
{
    uint64_t reserved = (~cpu->phys_mask & ~0xfffull) | 0x1e6;
    for (unsigned i = 0; i < 4; i++) {
        pdptr[i] = x86_ld_phys(cpu, (cr3 & 0xffffffe0) + 8 * i, 8);
        if ((pdptr[i] & 1) && (pdptr[i] & reserved)) {
            gp0(cpu);
        }
    }
}

static void set_pdptrs(X86State *st, const uint64_t pdptr[4])
{
    for (unsigned i = 0; i < 4; i++) {
        st->pdptr[i] = pdptr[i];
    }
}

/* PAE paging that is not long mode's: the kind with PDPTE registers. */
static bool uses_pdptrs(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

bool x86_uses_pdptrs(const X86State *st)
{
    return uses_pdptrs(st->cr0, st->cr4, st->efer);
}

static void write_cr0(X86Cpu *cpu, uint64_t value)
{
    X86State *st = &cpu->st;
    uint64_t pdptr[4];

    if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) ||
        ((value & CR0_NW) && !(value & CR0_CD))) {
        gp0(cpu);
    }
    value = (value & CR0_WRITABLE) | CR0_ET;
    uint64_t changed = st->cr0 ^ value, efer = st->efer;
    if (changed & CR0_PG) {
        if (value & CR0_PG) {
            if (efer & EFER_LME) {
                bool tss16 = (st->tr.attr & 0x1f) == SYS_TSS16_BUSY;
                if (!(st->cr4 & CR4_PAE) || (st->seg[SEG_CS].attr & SEG_ATTR_L) || tss16) {
                    gp0(cpu);
                }
                efer |= EFER_LMA;
            }
        } else {
            if (x86_is_code64(st) || (st->cr4 & CR4_PCIDE)) {
                gp0(cpu);
            }
            efer &= ~(uint64_t)EFER_LMA;
        }
    }
    bool pdptrs = (changed & (CR0_PG | CR0_CD | CR0_NW)) && uses_pdptrs(value, st->cr4, efer);
    if (pdptrs) {
        x86_read_pdptrs(cpu, st->cr3, pdptr);
        set_pdptrs(st, pdptr);
    }
    st->cr0 = value;
    st->efer = efer;
    if (changed & (CR0_PG | CR0_PE | CR0_WP)) {
        x86_tlb_flush_all(cpu);
    }
    x86_mode_changed(cpu);
}

static void write_cr3(X86Cpu *cpu, uint64_t value)
{
    X86State *st = &cpu->st;
    uint64_t pdptr[4];
    bool flush = true;

    if (x86_is_long(st)) {
        if (st->cr4 & CR4_PCIDE) {
            flush = !(value & CR3_NOFLUSH);
            value &= ~CR3_NOFLUSH;
        }
        if (value & ~cpu->phys_mask) {
            gp0(cpu);
        }
    } else {
        value = (uint32_t)value;
        if (x86_uses_pdptrs(st)) {
            x86_read_pdptrs(cpu, value, pdptr);
            set_pdptrs(st, pdptr);
        }
    }
    st->cr3 = value;
    x86_tlb_switch(cpu, flush);
}

static void write_cr4(X86Cpu *cpu, uint64_t value)
{
    X86State *st = &cpu->st;
    uint64_t changed = st->cr4 ^ value, pdptr[4];

    if (value & ~x86_cr4_valid(cpu->model)) {
        gp0(cpu);
    }
    if ((changed & value & CR4_PCIDE) && (!x86_is_long(st) || (st->cr3 & 0xfff))) {
        gp0(cpu);
    }
    if (x86_is_long(st) && !(value & CR4_PAE)) {
        gp0(cpu);
    }
    if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) &&
        uses_pdptrs(st->cr0, value, st->efer)) {
        x86_read_pdptrs(cpu, st->cr3, pdptr);
        set_pdptrs(st, pdptr);
    }
    st->cr4 = value;
    if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PCIDE)) {
        x86_tlb_flush_all(cpu);
        x86_tlb_switch(cpu, false); /* the PCID counts from now on, or no longer */
    }
    x86_mode_changed(cpu);
}

static uint64_t get_cr8(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    return cpu->cpu.intc_ops->get_cr8(cpu->cpu.intc);
}

static uint64_t set_cr8(X86Cpu *cpu, uint64_t value, uint64_t b)
{
    (void)b;
    cpu->cpu.intc_ops->set_cr8(cpu->cpu.intc, value);
    return 0;
}

uint64_t x86_read_cr(X86Cpu *cpu, int n)
{
    X86State *st = &cpu->st;
    cpl_check(cpu);
    switch (n) {
    case 0:
        return st->cr0;
    case 2:
        return st->cr2;
    case 3:
        return st->cr3;
    case 4:
        return st->cr4;
    case 8:
        if (cpu->cpu.intc_ops) {
            st->cr8 = exec_call_c(get_cr8, cpu, 0, 0);
        }
        return st->cr8;
    }
    x86_raise(cpu, EXC_UD);
}

void x86_write_cr(X86Cpu *cpu, int n, uint64_t value)
{
    X86State *st = &cpu->st;
    cpl_check(cpu);
    switch (n) {
    case 0:
        write_cr0(cpu, value);
        return;
    case 2:
        st->cr2 = value;
        return;
    case 3:
        write_cr3(cpu, value);
        return;
    case 4:
        write_cr4(cpu, value);
        return;
    case 8:
        if (value > 15) {
            gp0(cpu);
        }
        st->cr8 = value;
        if (cpu->cpu.intc_ops) {
            exec_call_c(set_cr8, cpu, value, 0);
        }
        x86_recheck_events(cpu);
        return;
    }
    x86_raise(cpu, EXC_UD);
}

void x86_lmsw(X86Cpu *cpu, uint16_t value)
{
    uint64_t cr0 = cpu->st.cr0;
    cpl_check(cpu);
    /* PE can be set but not cleared. */
    write_cr0(cpu, (cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS)) | (value & 15));
}

void x86_clts(X86Cpu *cpu)
{
    cpl_check(cpu);
    cpu->st.cr0 &= ~(uint64_t)CR0_TS;
    x86_mode_changed(cpu);
}

/* ---- debug registers ---- */

#define DR6_BD    (1u << 13)
#define DR6_FIXED 0xffff0ff0u
#define DR6_VALID 0x0000e00fu
#define DR7_GD    (1u << 13)
#define DR7_FIXED 0x00000400u
#define DR7_VALID 0xffff23ffu

/* Number N with the aliases of 4 and 5 resolved; faults. */
static int debug_register(X86Cpu *cpu, int n)
{
    X86State *st = &cpu->st;
    if (n > 7 || ((n == 4 || n == 5) && (st->cr4 & CR4_DE))) {
        x86_raise(cpu, EXC_UD);
    }
    cpl_check(cpu);
    if (st->dr[7] & DR7_GD) {
        st->dr[6] |= DR6_BD;
        x86_raise(cpu, EXC_DB);
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

uint64_t x86_read_dr(X86Cpu *cpu, int n)
{
    return cpu->st.dr[debug_register(cpu, n)];
}

void x86_write_dr(X86Cpu *cpu, int n, uint64_t value)
{
    X86State *st = &cpu->st;
    n = debug_register(cpu, n);
    if (n >= 6 && value >> 32) {
        gp0(cpu);
    }
    if (n == 6) {
        value = (value & DR6_VALID) | DR6_FIXED;
    } else if (n == 7) {
        value = (value & DR7_VALID) | DR7_FIXED;
    }
    st->dr[n] = value;
    st->rflags &=
        ~(uint64_t)FLAG_RF; /* this instruction needs no reminder: it has no way to set it */
    x86_debug_changed(cpu);
}

/* ---- XCR0 ---- */

static void need_osxsave(X86Cpu *cpu)
{
    if (!(cpu->st.cr4 & CR4_OSXSAVE)) {
        x86_raise(cpu, EXC_UD);
    }
}

void x86_xgetbv(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    need_osxsave(cpu);
    if ((uint32_t)st->gpr[R_RCX] != 0) {
        gp0(cpu);
    }
    st->gpr[R_RAX] = (uint32_t)st->xcr0;
    st->gpr[R_RDX] = st->xcr0 >> 32;
}

void x86_xsetbv(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    uint64_t value = (uint32_t)st->gpr[R_RAX] | st->gpr[R_RDX] << 32;

    need_osxsave(cpu);
    cpl_check(cpu);
    /* x87 always; AVX only with SSE (SDM 1 13.3). */
    if ((uint32_t)st->gpr[R_RCX] != 0 || !(value & 1) || (value & ~cpu->model->xcr0_mask) ||
        ((value & 4) && !(value & 2))) {
        gp0(cpu);
    }
    st->xcr0 = value;
    x86_mode_changed(cpu);
}

/* ---- INVPCID ---- */

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_GLOBAL, INVPCID_ALL };

void x86_invpcid(X86Cpu *cpu, uint64_t type, uint64_t linear_descriptor)
{
    X86State *st = &cpu->st;
    cpl_check(cpu);
    uint64_t pcid = x86_ld(cpu, linear_descriptor, 8, MMU_CURRENT);
    uint64_t linear = x86_ld(cpu, linear_descriptor + 8, 8, MMU_CURRENT);
    bool pcide = st->cr4 & CR4_PCIDE;

    if (type > INVPCID_ALL || pcid >> 12) {
        gp0(cpu);
    }
    switch (type) {
    case INVPCID_ADDRESS:
        if (!is_canonical(linear) || (pcid && !pcide)) {
            gp0(cpu);
        }
        x86_tlb_flush_pcid_page(cpu, pcid, linear);
        break;
    case INVPCID_CONTEXT:
        if (pcid && !pcide) {
            gp0(cpu);
        }
        x86_tlb_flush_pcid(cpu, pcid);
        break;
    case INVPCID_ALL_GLOBAL:
        x86_tlb_flush_all(cpu);
        break;
    case INVPCID_ALL:
        x86_tlb_flush_nonglobal(cpu);
        break;
    }
}

/* ---- RDTSC, RDPMC ---- */

void x86_rdtsc_insn(X86Cpu *cpu, bool with_aux)
{
    X86State *st = &cpu->st;
    if ((st->cr4 & CR4_TSD) && (st->cr0 & CR0_PE) && x86_cpl(st)) {
        gp0(cpu);
    }
    uint64_t tsc = x86_rdtsc(cpu);
    st->gpr[R_RAX] = (uint32_t)tsc;
    st->gpr[R_RDX] = tsc >> 32;
    if (with_aux) {
        st->gpr[R_RCX] = (uint32_t)st->tsc_aux;
    }
}

void x86_rdpmc(X86Cpu *cpu)
{
    /* CPUID announces no performance counter, so that every number is one that does not exist. */
    gp0(cpu);
}
