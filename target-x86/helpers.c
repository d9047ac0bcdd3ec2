/*
 * The helper table: adapters between generated code's calling convention and the functions of
 * target-x86/exec.h. GPR-only.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/helpers.h"

#include "target-x86/exec.h"
#include "target-x86/helpers_impl.h"

#define HELPER(name) static uint64_t h_##name(X86Cpu *cpu, uint64_t a, uint64_t b)
#define UNUSED(x)    ((void)(x))

HELPER(raise)
{
    UNUSED(b);
    x86_raise(cpu, (int)a);
}

HELPER(raise_gp0)
{
    UNUSED(a), UNUSED(b);
    x86_raise_err(cpu, EXC_GP, 0);
}

HELPER(raise_unimp)
{
    UNUSED(b);
    exec_call_c(x86_log_unimplemented, cpu, cpu->st.rip, 0);
    x86_raise(cpu, (int)a);
}

/* A new SS holds interrupts off for one instruction, which sets the stack pointer (not LSS's, which
 * sets both). */
static void mov_ss_shadow(X86Cpu *cpu, uint64_t seg)
{
    if (seg == SEG_SS) {
        cpu->st.int_shadow |= 2;
    }
}

/* b: segment | LOAD_SEG_LDS */
HELPER(load_seg)
{
    x86_load_seg(cpu, b & 7, (uint16_t)a);
    if (!(b & LOAD_SEG_LDS)) {
        mov_ss_shadow(cpu, b);
    }
    return 0;
}

/* a: selector, b: segment | operand size << 8 | stack address size << 16 */
HELPER(pop_ss)
{
    unsigned opsize = (b >> 8) & 0xff, stack = (b >> 16) & 0xff;

    x86_load_seg(cpu, b & 0xff, (uint16_t)a);
    mov_ss_shadow(cpu, b & 0xff);
    x86_add_gpr(cpu, R_RSP, opsize, stack);
    return 0;
}

HELPER(far_jmp)
{
    x86_far_jmp(cpu, (uint16_t)b, a, (b >> 16) & 0xff);
    return 0;
}

HELPER(far_call)
{
    x86_far_call(cpu, (uint16_t)b, a, (b >> 16) & 0xff);
    return 0;
}

HELPER(far_ret)
{
    UNUSED(a);
    x86_far_ret(cpu, b & 0xff, (uint16_t)(b >> 8));
    return 0;
}

HELPER(iret)
{
    UNUSED(a);
    x86_iret(cpu, b & 0xff);
    return 0;
}

/* b: the vector | INT_N_SHORT */
HELPER(int_n)
{
    UNUSED(a);
    x86_int_n(cpu, (int)(b & 0xff), b & INT_N_SHORT ? INT_SOFT3 : INT_SOFT);
    return 0;
}

HELPER(into)
{
    UNUSED(a), UNUSED(b);
    if (cpu->st.rflags & FLAG_OF) {
        x86_int_n(cpu, EXC_OF, INT_SOFT3);
    } else {
        cpu->st.rip = exec_next_rip(cpu);
    }
    return 0;
}

HELPER(syscall)
{
    UNUSED(a), UNUSED(b);
    x86_syscall(cpu);
    return 0;
}

HELPER(sysret)
{
    UNUSED(a);
    x86_sysret(cpu, b & 0xff);
    return 0;
}

HELPER(sysenter)
{
    UNUSED(a), UNUSED(b);
    x86_sysenter(cpu);
    return 0;
}

HELPER(sysexit)
{
    UNUSED(a);
    x86_sysexit(cpu, b & 0xff);
    return 0;
}

HELPER(hlt)
{
    UNUSED(a), UNUSED(b);
    cpu->st.rip = exec_next_rip(cpu);
    x86_halt(cpu);
}

HELPER(cli)
{
    UNUSED(a), UNUSED(b);
    x86_cli(cpu);
    return 0;
}

HELPER(sti)
{
    UNUSED(a), UNUSED(b);
    x86_sti(cpu);
    return 0;
}

/* b: 0 CLD, 2 CLAC, 3 STAC */
HELPER(cld)
{
    UNUSED(a);
    if (b == 3) {
        cpu->st.rflags |= FLAG_AC;
    } else {
        cpu->st.rflags &= ~(uint64_t)(b == 2 ? FLAG_AC : FLAG_DF);
    }
    x86_mode_changed(cpu);
    return 0;
}

HELPER(std)
{
    UNUSED(a), UNUSED(b);
    cpu->st.rflags |= FLAG_DF;
    x86_mode_changed(cpu);
    return 0;
}

HELPER(pushf)
{
    UNUSED(a);
    return x86_pushf(cpu, (unsigned)b);
}

/* b: operand size | stack address size << 8 */
HELPER(popf)
{
    x86_popf(cpu, a, b & 0xff);
    x86_add_gpr(cpu, R_RSP, b & 0xff, (b >> 8) & 0xff);
    return 0;
}

/* b: register | operand size << 8; written only when ZF was set */
static void lar_lsl_result(X86Cpu *cpu, uint64_t value, uint64_t b)
{
    if (cpu->st.rflags & FLAG_ZF) {
        x86_set_gpr(cpu, b & 15, value, (b >> 8) & 0xff);
    }
}

HELPER(lar)
{
    lar_lsl_result(cpu, x86_lar(cpu, (uint16_t)a), b);
    return 0;
}

HELPER(lsl)
{
    lar_lsl_result(cpu, x86_lsl(cpu, (uint16_t)a), b);
    return 0;
}

HELPER(verr)
{
    UNUSED(b);
    x86_verr(cpu, (uint16_t)a);
    return 0;
}

HELPER(verw)
{
    UNUSED(b);
    x86_verw(cpu, (uint16_t)a);
    return 0;
}

HELPER(lldt)
{
    UNUSED(b);
    x86_lldt(cpu, (uint16_t)a);
    return 0;
}

HELPER(ltr)
{
    UNUSED(b);
    x86_ltr(cpu, (uint16_t)a);
    return 0;
}

static void check_umip(X86Cpu *cpu)
{
    if ((cpu->st.cr4 & CR4_UMIP) && x86_cpl(&cpu->st)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

HELPER(sldt)
{
    UNUSED(a), UNUSED(b);
    check_umip(cpu);
    return cpu->st.ldt.selector;
}

/* b: 0 the task register, else 1 + segment register */
HELPER(str)
{
    UNUSED(a);
    if (b) {
        return cpu->st.seg[b - 1].selector;
    }
    check_umip(cpu);
    return cpu->st.tr.selector;
}

HELPER(smsw)
{
    UNUSED(a), UNUSED(b);
    check_umip(cpu);
    return cpu->st.cr0;
}

HELPER(lmsw)
{
    UNUSED(b);
    x86_lmsw(cpu, (uint16_t)a);
    return 0;
}

HELPER(sgdt)
{
    x86_sgdt(cpu, a, (unsigned)b);
    return 0;
}

HELPER(sidt)
{
    x86_sidt(cpu, a, (unsigned)b);
    return 0;
}

HELPER(lgdt)
{
    x86_lgdt(cpu, a, (unsigned)b);
    return 0;
}

HELPER(lidt)
{
    x86_lidt(cpu, a, (unsigned)b);
    return 0;
}

HELPER(invlpg)
{
    UNUSED(b);
    x86_tlb_flush_page(cpu, a);
    return 0;
}

HELPER(invpcid)
{
    x86_invpcid(cpu, b, a);
    return 0;
}

HELPER(read_cr)
{
    UNUSED(a);
    return x86_read_cr(cpu, (int)b);
}

HELPER(write_cr)
{
    x86_write_cr(cpu, (int)b, a);
    return 0;
}

HELPER(read_dr)
{
    UNUSED(a);
    return x86_read_dr(cpu, (int)b);
}

HELPER(write_dr)
{
    x86_write_dr(cpu, (int)b, a);
    return 0;
}

HELPER(clts)
{
    UNUSED(a), UNUSED(b);
    x86_clts(cpu);
    return 0;
}

HELPER(rdtsc)
{
    UNUSED(a);
    x86_rdtsc_insn(cpu, b);
    return 0;
}

HELPER(rdpmc)
{
    UNUSED(a), UNUSED(b);
    x86_rdpmc(cpu);
    return 0;
}

HELPER(rdmsr)
{
    UNUSED(a), UNUSED(b);
    x86_rdmsr(cpu);
    return 0;
}

HELPER(wrmsr)
{
    UNUSED(a), UNUSED(b);
    x86_wrmsr(cpu);
    return 0;
}

HELPER(cpuid)
{
    UNUSED(a), UNUSED(b);
    x86_cpuid(cpu);
    return 0;
}

HELPER(rsm)
{
    UNUSED(a), UNUSED(b);
    x86_rsm(cpu);
    return 0;
}

HELPER(swapgs)
{
    UNUSED(a), UNUSED(b);
    uint64_t base = cpu->st.seg[SEG_GS].base;

    cpu->st.seg[SEG_GS].base = cpu->st.kernel_gs_base;
    cpu->st.kernel_gs_base = base;
    return 0;
}

HELPER(xgetbv)
{
    UNUSED(a), UNUSED(b);
    x86_xgetbv(cpu);
    return 0;
}

HELPER(in)
{
    x86_check_io(cpu, (uint16_t)a, (unsigned)b);
    return x86_port_in(cpu, (uint16_t)a, (unsigned)b);
}

static uint64_t out(X86Cpu *cpu, uint64_t port, uint64_t value, unsigned size)
{
    x86_check_io(cpu, (uint16_t)port, size);
    x86_port_out(cpu, (uint16_t)port, (uint32_t)value, size);
    return 0;
}

HELPER(out1)
{
    return out(cpu, a, (uint8_t)b, 1);
}

HELPER(out2)
{
    return out(cpu, a, (uint16_t)b, 2);
}

HELPER(out4)
{
    return out(cpu, a, (uint32_t)b, 4);
}

static void check_fsgsbase(X86Cpu *cpu)
{
    if (!(cpu->st.cr4 & CR4_FSGSBASE)) {
        x86_raise(cpu, EXC_UD);
    }
}

HELPER(rdfsgs)
{
    UNUSED(a);
    check_fsgsbase(cpu);
    return cpu->st.seg[SEG_FS + b].base;
}

HELPER(wrfsgs)
{
    check_fsgsbase(cpu);
    if ((uint64_t)((int64_t)(a << 16) >> 16) != a) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    cpu->st.seg[SEG_FS + b].base = a;
    return 0;
}

HELPER(pause)
{
    UNUSED(a), UNUSED(b);
    UNUSED(cpu);
    return 0;
}

#define h_string    x86_string_helper
#define h_pusha     x86_pusha_helper
#define h_popa      x86_popa_helper
#define h_enter     x86_enter_helper
#define h_bound     x86_bound_helper
#define h_arpl      x86_arpl_helper
#define h_bcd       x86_bcd_helper
#define h_aam       x86_aam_helper
#define h_aad       x86_aad_helper
#define h_salc      x86_salc_helper
#define h_x87_state x86_x87_state_helper
#define h_fxsave    x86_fxsave_helper
#define h_maskmov   x86_maskmov_helper
#define h_x87_clean x86_x87_clean_helper

const X86Helper x86_helpers[HELPER_COUNT] = {
#define X(name, jumps) h_##name,
    X86_HELPERS(X)
#undef X
};

const bool x86_helper_jumps[HELPER_COUNT] = {
#define X(name, jumps) jumps,
    X86_HELPERS(X)
#undef X
};
