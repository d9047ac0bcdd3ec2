/*
 * The complete state of an x86 CPU: what is saved, migrated, shown, and exchanged with KVM.
 *
 * While a vCPU runs in an accelerator, parts of the state may live elsewhere (host registers, the
 * kernel); the accelerator's get_state() brings X86State up to date. Accessed on the vCPU's own
 * thread, or by anyone while it is stopped.
 * References: Intel SDM volume 3 chapters 2-6, AMD APM volume 2.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_CPU_H
#define TARGET_X86_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/state.h"

enum { R_RAX, R_RCX, R_RDX, R_RBX, R_RSP, R_RBP, R_RSI, R_RDI, R_R8, R_R15 = 15 };
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* RFLAGS */
#define FLAG_CF     (1u << 0)
#define FLAG_PF     (1u << 2)
#define FLAG_AF     (1u << 4)
#define FLAG_ZF     (1u << 6)
#define FLAG_SF     (1u << 7)
#define FLAG_TF     (1u << 8)
#define FLAG_IF     (1u << 9)
#define FLAG_DF     (1u << 10)
#define FLAG_OF     (1u << 11)
#define FLAG_IOPL   (3u << 12)
#define FLAG_NT     (1u << 14)
#define FLAG_RF     (1u << 16)
#define FLAG_VM     (1u << 17)
#define FLAG_AC     (1u << 18)
#define FLAG_VIF    (1u << 19)
#define FLAG_VIP    (1u << 20)
#define FLAG_ID     (1u << 21)
#define FLAG_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)

#define CR4_VME        (1u << 0)
#define CR4_PVI        (1u << 1)
#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_PSE        (1u << 4)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_PCE        (1u << 8)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_LA57       (1u << 12)
#define CR4_FSGSBASE   (1u << 16)
#define CR4_PCIDE      (1u << 17)
#define CR4_OSXSAVE    (1u << 18)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)
#define CR4_PKE        (1u << 22)

#define EFER_SCE    (1u << 0)
#define EFER_LME    (1u << 8)
#define EFER_LMA    (1u << 10)
#define EFER_NXE    (1u << 11)
#define EFER_AIBRSE (1u << 21) /* automatic IBRS (AMD) */

/* Exception vectors */
enum {
    EXC_DE = 0,
    EXC_DB = 1,
    EXC_NMI = 2,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_BR = 5,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_DF = 8,
    EXC_TS = 10,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_MF = 16,
    EXC_AC = 17,
    EXC_MC = 18,
    EXC_XM = 19,
};

/* #PF error code */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

/*
 * A segment register. ATTR holds the descriptor's attribute bits as in descriptor bytes 5 and 6:
 * type [3:0], S [4], DPL [6:5], P [7], AVL [12], L [13], D/B [14], G [15]; and ATTR_UNUSABLE for a
 * null selector. LIMIT is in bytes (G applied).
 */
#define SEG_ATTR_TYPE      0x000fu
#define SEG_ATTR_ACCESSED  0x0001u
#define SEG_ATTR_RW        0x0002u /* data: writable; code: readable */
#define SEG_ATTR_DC        0x0004u /* data: expand-down; code: conforming */
#define SEG_ATTR_CODE      0x0008u
#define SEG_ATTR_S         0x0010u
#define SEG_ATTR_DPL_SHIFT 5
#define SEG_ATTR_DPL       0x0060u
#define SEG_ATTR_P         0x0080u
#define SEG_ATTR_AVL       0x1000u
#define SEG_ATTR_L         0x2000u
#define SEG_ATTR_DB        0x4000u
#define SEG_ATTR_G         0x8000u
#define SEG_ATTR_UNUSABLE  0x10000u

typedef struct X86Segment {
    uint64_t base;
    uint32_t limit;
    uint32_t attr;
    uint16_t selector;
} X86Segment;

typedef struct X86TableReg {
    uint64_t base;
    uint16_t limit;
} X86TableReg;

enum { X86_MTRR_VAR = 8, X86_XSAVE_SIZE = 4096, X86_MCE_BANKS = 10 };

/* X86State.exc_pending: an exception or external interrupt whose delivery has begun, or an
 * exception that was raised and has not changed any register yet (its payload goes to CR2 or DR6).
 */
enum { X86_EVENT_NONE, X86_EVENT_EXCEPTION, X86_EVENT_INTERRUPT, X86_EVENT_EXCEPTION_RAISED };

typedef struct X86State {
    uint64_t gpr[16]; /* in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
    uint64_t rip;     /* offset in CS */
    uint64_t rflags;  /* bit 1 always set */
    X86Segment seg[SEG_COUNT], ldt, tr;
    X86TableReg gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, cr8, xcr0;
    uint64_t dr[8];    /* 4 and 5 unused */
    uint64_t pdptr[4]; /* PAE paging: loaded with CR3 */

    uint64_t efer, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, apic_base, tsc_aux, tsc_offset, tsc_adjust, tsc_deadline;
    uint64_t misc_enable, spec_ctrl, mcg_cap, mcg_status, mcg_ctl, mce_banks[X86_MCE_BANKS * 4];
    uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_base[X86_MTRR_VAR], mtrr_mask[X86_MTRR_VAR];
    uint64_t smbase, debugctl;
    /* KVM's paravirtual interface (MSRs 4b564d00h.., 11h, 12h) */
    uint64_t kvm_wall_clock, kvm_system_time, kvm_async_pf_en, kvm_async_pf_int, kvm_steal_time,
        kvm_pv_eoi_en, kvm_poll_control, kvm_migration_control;

    /* Interrupt state */
    uint8_t int_shadow;  /* 1: blocked by STI for one instruction, 2: by MOV/POP SS */
    uint8_t nmi_blocked; /* until IRET */
    uint8_t smm;         /* in system management mode */
    uint8_t halted;      /* in HLT */
    uint8_t wait_sipi;   /* an AP before its start-up IPI */
    uint8_t exc_pending; /* X86_EVENT_*: what was being delivered when the state was taken */
    uint8_t exc_vector, exc_has_error, exc_is_soft, nmi_pending, smi_pending;
    uint32_t exc_error;
    uint64_t exc_payload;

    /* x87, SSE and later: an XSAVE image in standard format; the first 512 bytes are FXSAVE's with
     * REX.W. Valid fields per XSTATE_BV; without XSAVE only the first 576 bytes count. */
    uint8_t xsave[X86_XSAVE_SIZE] __attribute__((aligned(64)));
} X86State;

typedef struct CpuModel CpuModel; /* target-x86/cpuid.h: name, leaves, features */

typedef struct X86Cpu {
    Cpu cpu; /* first */
    X86State st;
    const CpuModel *model;
    uint64_t phys_mask; /* physical address bits as a mask of valid address bits */
    uint8_t
        delivering; /* interrupt.c's own: class of the event whose delivery is under way, or 0 */
    uint64_t kvmclock_tsc,
        kvmclock_ns; /* paravirt.c's own: the pair of times kvmclock counts from */
} X86Cpu;

extern const StateTable x86_state_table; /* of X86State */
/* After a state was loaded: whether it uses nothing that the CPU's model lacks. */
bool x86_cpu_check_state(const X86Cpu *cpu, GError **err);

/* Power-up (COLD) or INIT state (SDM 3A 10.1.1, table 10-1). INIT keeps x87/SSE, CR0.CD/NW, MTRRs,
 * TSC. */
void x86_cpu_reset(X86Cpu *cpu, bool cold);
/* An AP leaves wait-for-SIPI: CS = VECTOR00h:0. */
void x86_cpu_sipi(X86Cpu *cpu, uint8_t vector);

static inline unsigned x86_cpl(const X86State *st)
{
    return (st->seg[SEG_SS].attr >> SEG_ATTR_DPL_SHIFT) & 3;
}
static inline bool x86_is_long(const X86State *st)
{
    return st->efer & EFER_LMA;
}
/* 64-bit mode (not compatibility). */
static inline bool x86_is_code64(const X86State *st)
{
    return (st->efer & EFER_LMA) && (st->seg[SEG_CS].attr & SEG_ATTR_L);
}
static inline bool x86_is_protected(const X86State *st)
{
    return st->cr0 & CR0_PE;
}
static inline bool x86_is_v86(const X86State *st)
{
    return st->rflags & FLAG_VM;
}

/* Text for `info registers`. */
struct _GString;
void x86_print_registers(const X86Cpu *cpu, struct _GString *out);

#endif
