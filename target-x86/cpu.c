/*
 * Reset, INIT and the start-up IPI (SDM 3A 9.1.1, table 9-1; 8.4). GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"
#include "target-x86/seg.h"

enum { XSAVE_FCW = 0, XSAVE_MXCSR = 24, XSAVE_MXCSR_MASK = 28, XSAVE_XSTATE_BV = 512 };

static void clear(void *p, uint32_t size)
{
    uint64_t *word = p;
    for (uint32_t i = 0; i < size / 8; i++) {
        word[i] = 0;
    }
}

static void put16(uint8_t *p, uint16_t value)
{
    p[0] = value;
    p[1] = value >> 8;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value);
    put16(p + 2, value >> 16);
}

/* x87 and SSE after power-up: FCW 40h differs from FINIT's, but firmware and KVM start from 37Fh.
 */
static void reset_fpu(X86State *st)
{
    clear(st->xsave, sizeof(st->xsave));
    put16(st->xsave + XSAVE_FCW, 0x37f);
    put32(st->xsave + XSAVE_MXCSR, 0x1f80);
    put32(st->xsave + XSAVE_MXCSR_MASK, 0xffff);
    put32(st->xsave + XSAVE_XSTATE_BV, 3);
    st->xcr0 = 1;
}

static void reset_msrs(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    bool bsp = cpu->cpu.index == 0;

    st->efer = 0;
    st->star = st->lstar = st->cstar = st->sfmask = st->kernel_gs_base = 0;
    st->sysenter_cs = st->sysenter_esp = st->sysenter_eip = 0;
    st->pat = 0x0007040600070406;
    st->apic_base = 0xfee00800 | (bsp ? 0x100 : 0);
    st->tsc_aux = st->tsc_offset = st->tsc_adjust = st->tsc_deadline = 0;
    st->misc_enable = 1; /* fast string operations */
    st->spec_ctrl = 0;
    st->mcg_cap = X86_MCE_BANKS | 1u << 8; /* with MCG_CTL */
    st->mcg_status = 0;
    st->mcg_ctl = ~0ull;
    clear(st->mce_banks, sizeof(st->mce_banks));
    for (unsigned i = 0; i < X86_MCE_BANKS; i++) {
        st->mce_banks[4 * i] = ~0ull; /* MCi_CTL */
    }
    st->mtrr_def_type = 0;
    clear(st->mtrr_fixed, sizeof(st->mtrr_fixed));
    clear(st->mtrr_base, sizeof(st->mtrr_base));
    clear(st->mtrr_mask, sizeof(st->mtrr_mask));
    st->smbase = 0x30000;
    st->debugctl = 0;
    st->kvm_wall_clock = st->kvm_system_time = st->kvm_async_pf_en = st->kvm_async_pf_int = 0;
    st->kvm_steal_time = st->kvm_pv_eoi_en = st->kvm_poll_control = 0;
    st->kvm_migration_control = 0;
}

static void set_system(X86Segment *s, uint32_t type)
{
    *s = (X86Segment){.limit = 0xffff, .attr = SEG_ATTR_P | type};
}

void x86_cpu_reset(X86Cpu *cpu, bool cold)
{
    X86State *st = &cpu->st;
    uint64_t kept = cold ? 0 : st->cr0 & (CR0_CD | CR0_NW);

    clear(st->gpr, sizeof(st->gpr));
    st->gpr[R_RDX] = cpu->model->signature;
    st->rip = 0xfff0;
    st->rflags = 2;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        st->seg[i] = (X86Segment){.limit = 0xffff, .attr = 0x93};
    }
    st->seg[SEG_CS] =
        (X86Segment){.base = 0xffff0000, .limit = 0xffff, .attr = 0x9b, .selector = 0xf000};
    set_system(&st->ldt, SYS_LDT);
    set_system(&st->tr, SYS_TSS_BUSY);
    st->gdt = st->idt = (X86TableReg){.limit = 0xffff};
    st->cr0 = (cold ? CR0_CD | CR0_NW : kept) | CR0_ET;
    st->cr2 = st->cr3 = st->cr4 = st->cr8 = 0;
    clear(st->dr, sizeof(st->dr));
    st->dr[6] = 0xffff0ff0;
    st->dr[7] = 0x400;
    clear(st->pdptr, sizeof(st->pdptr));
    st->efer = 0;
    st->int_shadow = st->nmi_blocked = st->smm = st->halted = 0;
    st->exc_pending = st->exc_vector = st->exc_has_error = st->exc_is_soft = 0;
    st->nmi_pending = st->smi_pending = 0;
    st->exc_error = 0;
    st->exc_payload = 0;
    st->wait_sipi = cpu->cpu.index != 0;
    cpu->delivering = 0;
    if (cold) {
        reset_msrs(cpu);
        reset_fpu(st);
        cpu->kvmclock_tsc = cpu->kvmclock_ns = 0;
    }
    cpu->phys_mask = cpu->model->phys_mask;
}

void x86_cpu_sipi(X86Cpu *cpu, uint8_t vector)
{
    X86State *st = &cpu->st;
    seg_set_real(st, &st->seg[SEG_CS], (uint16_t)(vector << 8));
    st->seg[SEG_CS].limit = 0xffff;
    st->rip = 0;
    st->wait_sipi = 0;
    st->halted = 0;
}
