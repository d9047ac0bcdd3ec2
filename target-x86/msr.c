/*
 * RDMSR and WRMSR (SDM 4; APM 2 appendix A; the KVM paravirtual interface). GPR-only code.
 *
 * One table says of each register (or run of registers) how it is accessed, which field of the
 * state holds it, which bits may be set, and which CPUID feature brings it. Only what needs an
 * action of its own has a function. The local APIC's registers are asked of the interrupt
 * controller.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"
#include "target-x86/msr.h"
#include "target-x86/seg.h"

typedef enum MsrKind {
    MSR_FIELD,     /* a field of X86State; bits outside VALID raise #GP */
    MSR_CANONICAL, /* a field that must hold a canonical address */
    MSR_CONSTANT,  /* reads as CONSTANT; writes of VALID bits are ignored, others raise #GP */
    MSR_READ_ONLY, /* reads as CONSTANT; writes raise #GP */
    MSR_FUNCTION,  /* READ and WRITE; a NULL WRITE: #GP */
    MSR_APIC,      /* the local APIC's */
} MsrKind;

typedef enum MsrVendor { ANY, INTEL, AMD } MsrVendor;

typedef struct MsrRow MsrRow;
struct MsrRow {
    uint32_t index, count; /* COUNT registers from INDEX; a field is an array then */
    const char *name;
    MsrKind kind;
    uint32_t offset;
    uint64_t valid, constant;
    uint64_t (*read)(X86Cpu *cpu, const MsrRow *row, uint32_t msr);
    bool (*write)(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value); /* false: #GP */
    CpuidWord word; /* with BITS: any of these features brings it */
    uint32_t bits;
    MsrVendor vendor;
};

static uint64_t *field(X86Cpu *cpu, const MsrRow *row, uint32_t msr)
{
    return (uint64_t *)((char *)&cpu->st + row->offset) + (msr - row->index);
}

static uint64_t read_field(X86Cpu *cpu, const MsrRow *row, uint32_t msr)
{
    return *field(cpu, row, msr);
}

/* ---- time-stamp counter ---- */

static uint64_t read_tsc(X86Cpu *cpu, const MsrRow *row, uint32_t msr)
{
    (void)row, (void)msr;
    return x86_rdtsc(cpu);
}

static uint64_t publish_kvmclock(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    x86_kvmclock_update(cpu);
    return 0;
}

static uint64_t tsc_moved(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    const CpuIntcOps *ops = cpu->cpu.intc_ops;

    (void)a, (void)b;
    x86_kvmclock_update(cpu);
    if (ops && ops->tsc_changed) {
        ops->tsc_changed(cpu->cpu.intc);
    }
    return 0;
}

static void move_tsc(X86Cpu *cpu, uint64_t value, uint64_t delta)
{
    X86State *st = &cpu->st;
    x86_set_tsc(cpu, value);
    st->tsc_adjust += delta;
    exec_call_c(tsc_moved, cpu, 0, 0);
}

/* Writing either register shows in the other (SDM 3B 17.17.3). */
static bool write_tsc(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    (void)row, (void)msr;
    move_tsc(cpu, value, value - x86_rdtsc(cpu));
    return true;
}

static bool write_tsc_adjust(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    (void)row, (void)msr;
    uint64_t delta = value - cpu->st.tsc_adjust;
    if (delta) {
        move_tsc(cpu, x86_rdtsc(cpu) + delta, delta);
    }
    return true;
}

/* ---- local APIC ---- */

static uint64_t call_get_base(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    return cpu->cpu.intc_ops->get_base(cpu->cpu.intc);
}

static uint64_t call_set_base(X86Cpu *cpu, uint64_t value, uint64_t b)
{
    (void)b;
    return cpu->cpu.intc_ops->set_base(cpu->cpu.intc, value);
}

static uint64_t call_rdmsr(X86Cpu *cpu, uint64_t msr, uint64_t value)
{
    return cpu->cpu.intc_ops->rdmsr(cpu->cpu.intc, msr, (uint64_t *)(uintptr_t)value);
}

static uint64_t call_wrmsr(X86Cpu *cpu, uint64_t msr, uint64_t value)
{
    return cpu->cpu.intc_ops->wrmsr(cpu->cpu.intc, msr, value);
}

static uint64_t read_apic_base(X86Cpu *cpu, const MsrRow *row, uint32_t msr)
{
    (void)row, (void)msr;
    if (cpu->cpu.intc_ops) {
        cpu->st.apic_base = exec_call_c(call_get_base, cpu, 0, 0);
    }
    return cpu->st.apic_base;
}

static bool write_apic_base(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    (void)row, (void)msr;
    if (value & ~(cpu->phys_mask | 0xfff)) {
        return false;
    }
    if (cpu->cpu.intc_ops && !exec_call_c(call_set_base, cpu, value, 0)) {
        return false;
    }
    cpu->st.apic_base = value;
    return true;
}

/* ---- EFER and segment bases ---- */

static bool write_efer(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    (void)row, (void)msr;
    X86State *st = &cpu->st;
    const CpuModel *m = cpu->model;
    uint64_t valid = 0;

    valid |= cpu_model_has(m, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_SYSCALL) ? EFER_SCE : 0;
    valid |= cpu_model_has(m, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_NX) ? EFER_NXE : 0;
    valid |=
        cpu_model_has(m, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_LM) ? EFER_LME | EFER_LMA : 0;
    valid |= cpu_model_has(m, CPUID_8000_0021_EAX, CPUID_8000_0021_EAX_AUTO_IBRS) ? EFER_AIBRSE : 0;
    uint64_t changed = st->efer ^ value;
    if ((value & ~valid) || ((changed & EFER_LME) && (st->cr0 & CR0_PG))) {
        return false;
    }
    st->efer = (value & ~(uint64_t)EFER_LMA) | (st->efer & EFER_LMA);
    if (changed & EFER_NXE) {
        x86_tlb_flush_all(cpu);
    }
    x86_mode_changed(cpu);
    return true;
}

static bool write_segment_base(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    if (!is_canonical(value)) {
        return false;
    }
    *field(cpu, row, msr) = value;
    x86_mode_changed(cpu);
    return true;
}

/* ---- memory types: stored, checked, and without effect, as all guest memory is cached ---- */

static bool is_memory_type(uint8_t type, bool pat)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

static bool write_memory_types(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!is_memory_type(value >> (8 * i), msr == 0x277)) {
            return false;
        }
    }
    *field(cpu, row, msr) = value;
    return true;
}

static bool write_mtrr_def_type(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    if ((value & ~0xcffull) || !is_memory_type(value, false)) {
        return false;
    }
    *field(cpu, row, msr) = value;
    return true;
}

static uint64_t read_mtrr_var(X86Cpu *cpu, const MsrRow *row, uint32_t msr)
{
    unsigned i = msr - row->index;
    return i & 1 ? cpu->st.mtrr_mask[i / 2] : cpu->st.mtrr_base[i / 2];
}

static bool write_mtrr_var(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    unsigned i = msr - row->index;
    uint64_t address = cpu->phys_mask & ~0xfffull;
    if (i & 1) {
        if (value & ~(address | 0x800)) {
            return false;
        }
        cpu->st.mtrr_mask[i / 2] = value;
    } else {
        if ((value & ~(address | 0xff)) || !is_memory_type(value, false)) {
            return false;
        }
        cpu->st.mtrr_base[i / 2] = value;
    }
    return true;
}

/* ---- machine check ---- */

static bool write_mcg_ctl(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    (void)row, (void)msr;
    if (value && ~value) {
        return false;
    }
    cpu->st.mcg_ctl = value;
    return true;
}

/* Four registers a bank: CTL (all ones or none, but that Linux clears bit 10 of bank 4's), STATUS
 * (to be cleared only), ADDR, MISC. */
static bool write_mc_bank(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    unsigned kind = (msr - row->index) & 3;
    if ((kind == 0 && value && ~(value | 1u << 10)) || (kind == 1 && value)) {
        return false;
    }
    *field(cpu, row, msr) = value;
    return true;
}

/* ---- KVM's clock ---- */

static uint64_t publish_wall_clock(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    x86_kvm_write_wall_clock(cpu);
    return 0;
}

static bool write_wall_clock(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    (void)row, (void)msr;
    cpu->st.kvm_wall_clock = value;
    exec_call_c(publish_wall_clock, cpu, 0, 0);
    return true;
}

static bool write_system_time(X86Cpu *cpu, const MsrRow *row, uint32_t msr, uint64_t value)
{
    (void)row, (void)msr;
    cpu->st.kvm_system_time = value;
    if (value & 1) {
        exec_call_c(publish_kvmclock, cpu, 0, 0);
    }
    return true;
}

/* ---- the table ---- */

#define AT(f) offsetof(X86State, f)
#define FIELD(i, n, f, v)                                                                          \
    .index = i, .count = 1, .name = n, .kind = MSR_FIELD, .offset = AT(f), .valid = v
#define CANON(i, n, f) .index = i, .count = 1, .name = n, .kind = MSR_CANONICAL, .offset = AT(f)
#define CONSTANT(i, n, c, v)                                                                       \
    .index = i, .count = 1, .name = n, .kind = MSR_CONSTANT, .constant = c, .valid = v
#define READ_ONLY(i, n, c) .index = i, .count = 1, .name = n, .kind = MSR_READ_ONLY, .constant = c
#define FUNCTION(i, c, n, f, r, w)                                                                 \
    .index = i, .count = c, .name = n, .kind = MSR_FUNCTION, .offset = AT(f), .read = r, .write = w
#define GATE(w, f)  .word = CPUID_##w, .bits = CPUID_##w##_##f
#define KVM_GATE(f) .word = CPUID_KVM_EAX, .bits = CPUID_KVM_##f

/* MTRRCAP: 8 variable ranges, fixed ranges, write-combining. */
#define MTRRCAP (X86_MTRR_VAR | 1u << 8 | 1u << 10)

static const MsrRow rows[] = {
    /* clang-format off */
    {READ_ONLY(0x00, "P5_MC_ADDR", 0)},
    {READ_ONLY(0x01, "P5_MC_TYPE", 0)},
    {FUNCTION(0x10, 1, "TSC", tsc_offset, read_tsc, write_tsc), GATE(1_EDX, TSC)},
    {READ_ONLY(0x17, "PLATFORM_ID", 0), .vendor = INTEL},
    {FUNCTION(0x1b, 1, "APIC_BASE", apic_base, read_apic_base, write_apic_base), GATE(1_EDX, APIC)},
    {READ_ONLY(0x2a, "EBL_CR_POWERON", 0), .vendor = INTEL},
    {READ_ONLY(0x2c, "EBC_FREQUENCY_ID", 1u << 24), .vendor = INTEL},
    {READ_ONLY(0x34, "SMI_COUNT", 0), .vendor = INTEL},
    {CONSTANT(0x3a, "FEATURE_CONTROL", 1, 1), .vendor = INTEL},
    {FUNCTION(0x3b, 1, "TSC_ADJUST", tsc_adjust, read_field, write_tsc_adjust),
     GATE(7_0_EBX, TSC_ADJUST)},
    {FIELD(0x48, "SPEC_CTRL", spec_ctrl, 7), .word = CPUID_7_0_EDX,
     .bits = CPUID_7_0_EDX_SPEC_CTRL | CPUID_7_0_EDX_SSBD},
    {CONSTANT(0x49, "PRED_CMD", 0, 1), GATE(7_0_EDX, SPEC_CTRL)},
    {CONSTANT(0x49, "PRED_CMD", 0, 1), GATE(8000_0008_EBX, IBPB)},
    {CONSTANT(0x79, "BIOS_UPDT_TRIG", 0, ~0ull)},
    {CONSTANT(0x8b, "BIOS_SIGN_ID", 0x100000000, ~0ull), .vendor = INTEL},
    {CONSTANT(0x8b, "PATCH_LEVEL", 0x01000065, ~0ull), .vendor = AMD},
    {READ_ONLY(0xcd, "FSB_FREQ", 3), .vendor = INTEL},
    {READ_ONLY(0xce, "PLATFORM_INFO", 1u << 31), .vendor = INTEL},
    {READ_ONLY(0xfe, "MTRRCAP", MTRRCAP), GATE(1_EDX, MTRR)},
    {FIELD(0x174, "SYSENTER_CS", sysenter_cs, 0xffffffff), GATE(1_EDX, SEP)},
    {CANON(0x175, "SYSENTER_ESP", sysenter_esp), GATE(1_EDX, SEP)},
    {CANON(0x176, "SYSENTER_EIP", sysenter_eip), GATE(1_EDX, SEP)},
    {FUNCTION(0x179, 1, "MCG_CAP", mcg_cap, read_field, NULL), GATE(1_EDX, MCA)},
    {FIELD(0x17a, "MCG_STATUS", mcg_status, 7), GATE(1_EDX, MCA)},
    {FUNCTION(0x17b, 1, "MCG_CTL", mcg_ctl, read_field, write_mcg_ctl), GATE(1_EDX, MCA)},
    {READ_ONLY(0x198, "PERF_STATUS", 1000 | 4ull << 40), .vendor = INTEL},
    {FIELD(0x1a0, "MISC_ENABLE", misc_enable, 0x400c51889), .vendor = INTEL},
    {FIELD(0x1d9, "DEBUGCTL", debugctl, 3)},
    {READ_ONLY(0x1db, "LASTBRANCHFROMIP", 0)},
    {READ_ONLY(0x1dc, "LASTBRANCHTOIP", 0)},
    {READ_ONLY(0x1dd, "LASTINTFROMIP", 0)},
    {READ_ONLY(0x1de, "LASTINTTOIP", 0)},
    {FUNCTION(0x200, 2 * X86_MTRR_VAR, "MTRR_PHYSBASE/MASK", mtrr_base, read_mtrr_var,
              write_mtrr_var), GATE(1_EDX, MTRR)},
    {FUNCTION(0x250, 1, "MTRR_FIX64K_00000", mtrr_fixed[0], read_field, write_memory_types),
     GATE(1_EDX, MTRR)},
    {FUNCTION(0x258, 2, "MTRR_FIX16K", mtrr_fixed[1], read_field, write_memory_types),
     GATE(1_EDX, MTRR)},
    {FUNCTION(0x268, 8, "MTRR_FIX4K", mtrr_fixed[3], read_field, write_memory_types),
     GATE(1_EDX, MTRR)},
    {FUNCTION(0x277, 1, "PAT", pat, read_field, write_memory_types), GATE(1_EDX, PAT)},
    {FUNCTION(0x2ff, 1, "MTRR_DEF_TYPE", mtrr_def_type, read_field, write_mtrr_def_type),
     GATE(1_EDX, MTRR)},
    {FUNCTION(0x400, 4 * X86_MCE_BANKS, "MCi", mce_banks, read_field, write_mc_bank),
     GATE(1_EDX, MCA)},
    {.index = 0x6e0, .count = 1, .name = "TSC_DEADLINE", .kind = MSR_APIC,
     GATE(1_ECX, TSC_DEADLINE)},
    {.index = 0x800, .count = 0x100, .name = "X2APIC", .kind = MSR_APIC, GATE(1_ECX, X2APIC)},

    {FUNCTION(0x11, 1, "KVM_WALL_CLOCK", kvm_wall_clock, read_field, write_wall_clock),
     KVM_GATE(KVMCLOCK)},
    {FUNCTION(0x12, 1, "KVM_SYSTEM_TIME", kvm_system_time, read_field, write_system_time),
     KVM_GATE(KVMCLOCK)},
    {FUNCTION(0x4b564d00, 1, "KVM_WALL_CLOCK_NEW", kvm_wall_clock, read_field, write_wall_clock),
     KVM_GATE(KVMCLOCK2)},
    {FUNCTION(0x4b564d01, 1, "KVM_SYSTEM_TIME_NEW", kvm_system_time, read_field,
              write_system_time), KVM_GATE(KVMCLOCK2)},
    {FIELD(0x4b564d05, "KVM_POLL_CONTROL", kvm_poll_control, 1), KVM_GATE(POLL_CONTROL)},

    {FUNCTION(0xc0000080, 1, "EFER", efer, read_field, write_efer), .word = CPUID_8000_0001_EDX,
     .bits = CPUID_8000_0001_EDX_SYSCALL | CPUID_8000_0001_EDX_NX | CPUID_8000_0001_EDX_LM},
    {FIELD(0xc0000081, "STAR", star, ~0ull), GATE(8000_0001_EDX, SYSCALL)},
    {CANON(0xc0000082, "LSTAR", lstar), GATE(8000_0001_EDX, LM)},
    {CANON(0xc0000083, "CSTAR", cstar), GATE(8000_0001_EDX, LM)},
    {FIELD(0xc0000084, "SFMASK", sfmask, 0xffffffff), GATE(8000_0001_EDX, LM)},
    {FUNCTION(0xc0000100, 1, "FS_BASE", seg[SEG_FS].base, read_field, write_segment_base),
     GATE(8000_0001_EDX, LM)},
    {FUNCTION(0xc0000101, 1, "GS_BASE", seg[SEG_GS].base, read_field, write_segment_base),
     GATE(8000_0001_EDX, LM)},
    {CANON(0xc0000102, "KERNEL_GS_BASE", kernel_gs_base), GATE(8000_0001_EDX, LM)},
    {FIELD(0xc0000103, "TSC_AUX", tsc_aux, 0xffffffff), GATE(8000_0001_EDX, RDTSCP)},

    {CONSTANT(0xc0010010, "SYSCFG", 0, 0x7c0000), .vendor = AMD},
    {CONSTANT(0xc0010015, "HWCR", 1u << 24, 0x1000148), .vendor = AMD},
    {READ_ONLY(0xc001001a, "TOP_MEM", 0), .vendor = AMD},
    {READ_ONLY(0xc001001d, "TOP_MEM2", 0), .vendor = AMD},
    {CONSTANT(0xc001001f, "NB_CFG", 0, ~0ull), .vendor = AMD},
    {CONSTANT(0xc0010020, "PATCH_LOADER", 0, ~0ull), .vendor = AMD},
    {READ_ONLY(0xc0010055, "INT_PENDING_MSG", 0), .vendor = AMD},
    {READ_ONLY(0xc0010058, "MMIO_CONF_BASE", 0), .vendor = AMD},
    {READ_ONLY(0xc0010112, "TSEG_ADDR", 0), .vendor = AMD},
    {CONSTANT(0xc0010114, "VM_CR", 0x18, 0x18), .vendor = AMD}, /* SVM disabled and locked */
    {CONSTANT(0xc0011023, "DC_CFG", 0, ~0ull), .vendor = AMD},
    {CONSTANT(0xc0011029, "DE_CFG", 2, 2), .vendor = AMD}, /* LFENCE serialises */
    {CONSTANT(0xc001102a, "BU_CFG2", 0, ~0ull), .vendor = AMD},
    /* clang-format on */
};

static bool offered(const X86Cpu *cpu, const MsrRow *row)
{
    const CpuModel *m = cpu->model;
    if (row->bits && !(m->words[row->word] & row->bits)) {
        return false;
    }
    return row->vendor == ANY || (row->vendor == AMD ? m->is_amd : m->is_intel);
}

static const MsrRow *find(const X86Cpu *cpu, uint32_t msr)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (msr - rows[i].index < rows[i].count && offered(cpu, &rows[i])) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool read_msr(X86Cpu *cpu, uint32_t msr, uint64_t *value)
{
    const MsrRow *row = find(cpu, msr);
    if (!row) {
        return false;
    }
    switch (row->kind) {
    case MSR_FIELD:
    case MSR_CANONICAL:
        *value = *field(cpu, row, msr);
        return true;
    case MSR_CONSTANT:
    case MSR_READ_ONLY:
        *value = row->constant;
        return true;
    case MSR_FUNCTION:
        *value = row->read(cpu, row, msr);
        return true;
    case MSR_APIC:
        return cpu->cpu.intc_ops && exec_call_c(call_rdmsr, cpu, msr, (uint64_t)(uintptr_t)value);
    }
    return false;
}

static bool write_msr(X86Cpu *cpu, uint32_t msr, uint64_t value)
{
    const MsrRow *row = find(cpu, msr);
    if (!row) {
        return false;
    }
    switch (row->kind) {
    case MSR_FIELD:
        if (value & ~row->valid) {
            return false;
        }
        *field(cpu, row, msr) = value;
        return true;
    case MSR_CANONICAL:
        if (!is_canonical(value)) {
            return false;
        }
        *field(cpu, row, msr) = value;
        return true;
    case MSR_CONSTANT:
        return !(value & ~row->valid);
    case MSR_READ_ONLY:
        return false;
    case MSR_FUNCTION:
        return row->write && row->write(cpu, row, msr, value);
    case MSR_APIC:
        return cpu->cpu.intc_ops && exec_call_c(call_wrmsr, cpu, msr, value);
    }
    return false;
}

/* The registers that running systems access all the time: the timer's and the end of interrupt, the
 * segment bases of threads. */
static bool is_hot_apic(const X86Cpu *cpu, uint32_t msr)
{
    return (msr - 0x800 < 0x100 || msr == 0x6e0) && cpu->cpu.intc_ops &&
           cpu_model_has(cpu->model, CPUID_1_ECX,
                         msr == 0x6e0 ? CPUID_1_ECX_TSC_DEADLINE : CPUID_1_ECX_X2APIC);
}

static uint64_t *hot_base(X86State *st, uint32_t msr)
{
    switch (msr) {
    case 0xc0000100:
        return &st->seg[SEG_FS].base;
    case 0xc0000101:
        return &st->seg[SEG_GS].base;
    case 0xc0000102:
        return &st->kernel_gs_base;
    }
    return NULL;
}

void x86_rdmsr(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    uint32_t msr = st->gpr[R_RCX];
    uint64_t value = 0, *base;

    cpl_check(cpu);
    if (x86_is_long(st) && (base = hot_base(st, msr))) {
        value = *base;
    } else if (is_hot_apic(cpu, msr)
                   ? !exec_call_c(call_rdmsr, cpu, msr, (uint64_t)(uintptr_t)&value)
                   : !read_msr(cpu, msr, &value)) {
        exec_call_c(x86_log_refusal, cpu, X86_LOG_RDMSR, msr);
        x86_raise_err(cpu, EXC_GP, 0);
    }
    st->gpr[R_RAX] = (uint32_t)value;
    st->gpr[R_RDX] = value >> 32;
}

void x86_wrmsr(X86Cpu *cpu)
{
    X86State *st = &cpu->st;
    uint32_t msr = st->gpr[R_RCX];
    uint64_t value = (uint32_t)st->gpr[R_RAX] | st->gpr[R_RDX] << 32, *base;

    cpl_check(cpu);
    if (is_hot_apic(cpu, msr)) {
        if (exec_call_c(call_wrmsr, cpu, msr, value)) {
            return;
        }
    } else if (x86_is_long(st) && is_canonical(value) && (base = hot_base(st, msr))) {
        *base = value;
        x86_mode_changed(cpu);
        return;
    } else if (write_msr(cpu, msr, value)) {
        return;
    }
    exec_call_c(x86_log_refusal, cpu, X86_LOG_WRMSR, msr);
    x86_raise_err(cpu, EXC_GP, 0);
}
