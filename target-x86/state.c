/*
 * The CPU state as saved and migrated, and the check of one that comes from outside.
 *
 * Everything is stored as the processor holds it. A loaded state is untrusted: post_load refuses
 * what no CPU can be in and what would make the host fault when it is loaded into real registers
 * (MXCSR, the XSAVE header, addresses that must be canonical).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>
#include <string.h>

#include "target-x86/cpuid.h"
#include "target-x86/exec.h"
#include "util/keyval.h"

#define RFLAGS_KNOWN 0x3f7fd7u
#define EFER_FFXSR   (1u << 14)
#define EFER_KNOWN   (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR | EFER_AIBRSE)
#define CR4_KNOWN                                                                                  \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |      \
     CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE |  \
     CR4_SMEP | CR4_SMAP | CR4_PKE)
#define SEG_ATTR_KNOWN (SEG_ATTR_UNUSABLE | 0xf0ffu)
#define XCR0_KNOWN     0x2e7u /* x87, SSE, AVX, AVX-512, PKRU */

static const StateField segment_fields[] = {
    STATE_FIELD_UINT(X86Segment, base),
    STATE_FIELD_UINT(X86Segment, limit),
    STATE_FIELD_UINT_MAX(X86Segment, attr, SEG_ATTR_KNOWN),
    STATE_FIELD_UINT(X86Segment, selector),
    STATE_FIELD_END,
};

static const StateTable segment_table = {
    .name = "x86-segment", .version = 1, .min_version = 1, .fields = segment_fields};

static const StateField table_reg_fields[] = {
    STATE_FIELD_UINT(X86TableReg, base),
    STATE_FIELD_UINT(X86TableReg, limit),
    STATE_FIELD_END,
};

static const StateTable table_reg_table = {
    .name = "x86-table-register", .version = 1, .min_version = 1, .fields = table_reg_fields};

#define U(f)        STATE_FIELD_UINT(X86State, f)
#define U_MAX(f, m) STATE_FIELD_UINT_MAX(X86State, f, m)
#define ARRAY(f)    STATE_FIELD_UINT_ARRAY(X86State, f)

static const StateField fields[] = {
    ARRAY(gpr),
    U(rip),
    U_MAX(rflags, RFLAGS_KNOWN),
    STATE_FIELD_STRUCT_ARRAY(X86State, seg, &segment_table),
    STATE_FIELD_STRUCT(X86State, ldt, &segment_table),
    STATE_FIELD_STRUCT(X86State, tr, &segment_table),
    STATE_FIELD_STRUCT(X86State, gdt, &table_reg_table),
    STATE_FIELD_STRUCT(X86State, idt, &table_reg_table),
    U_MAX(cr0, UINT32_MAX),
    U(cr2),
    U(cr3),
    U_MAX(cr4, UINT32_MAX),
    U_MAX(cr8, 15),
    U(xcr0),
    ARRAY(dr),
    ARRAY(pdptr),
    U(efer),
    U(star),
    U(lstar),
    U(cstar),
    U_MAX(sfmask, UINT32_MAX),
    U(kernel_gs_base),
    U(sysenter_cs),
    U(sysenter_esp),
    U(sysenter_eip),
    U(pat),
    U(apic_base),
    U_MAX(tsc_aux, UINT32_MAX),
    U(tsc_offset),
    U(tsc_adjust),
    U(tsc_deadline),
    U(misc_enable),
    U(spec_ctrl),
    U(mcg_cap),
    U(mcg_status),
    U(mcg_ctl),
    ARRAY(mce_banks),
    U(mtrr_def_type),
    ARRAY(mtrr_fixed),
    ARRAY(mtrr_base),
    ARRAY(mtrr_mask),
    U_MAX(smbase, UINT32_MAX),
    U(debugctl),
    U(kvm_wall_clock),
    U(kvm_system_time),
    U(kvm_async_pf_en),
    U(kvm_async_pf_int),
    U(kvm_steal_time),
    U(kvm_pv_eoi_en),
    U(kvm_poll_control),
    U(kvm_migration_control),
    U_MAX(int_shadow, 3),
    U_MAX(nmi_blocked, 1),
    U_MAX(smm, 1),
    U_MAX(halted, 1),
    U_MAX(wait_sipi, 1),
    U_MAX(exc_pending, X86_EVENT_EXCEPTION_RAISED),
    U(exc_vector),
    U_MAX(exc_has_error, 1),
    U_MAX(exc_is_soft, 1),
    U_MAX(nmi_pending, 1),
    U_MAX(smi_pending, 1),
    U(exc_error),
    U(exc_payload),
    STATE_FIELD_BYTES(X86State, xsave),
    STATE_FIELD_END,
};

static bool canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

static bool check_addresses(const X86State *st, GError **err)
{
    const struct {
        const char *name;
        uint64_t value;
    } addresses[] = {
        {"FS base", st->seg[SEG_FS].base},
        {"GS base", st->seg[SEG_GS].base},
        {"LDT base", st->ldt.base},
        {"TR base", st->tr.base},
        {"GDT base", st->gdt.base},
        {"IDT base", st->idt.base},
        {"LSTAR", st->lstar},
        {"CSTAR", st->cstar},
        {"KERNEL_GS_BASE", st->kernel_gs_base},
        {"SYSENTER_ESP", st->sysenter_esp},
        {"SYSENTER_EIP", st->sysenter_eip},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
        if (!canonical(addresses[i].value)) {
            emu_set_error(err, "CPU state: %s %016" PRIx64 " is no canonical address",
                          addresses[i].name, addresses[i].value);
            return false;
        }
    }
    return true;
}

static bool check_control(const X86State *st, GError **err)
{
    uint64_t cr0 = st->cr0, cr4 = st->cr4, efer = st->efer;
    bool lma = efer & EFER_LMA;

    if (((cr0 & CR0_PG) && !(cr0 & CR0_PE)) || ((cr0 & CR0_NW) && !(cr0 & CR0_CD)) ||
        (cr4 & ~(uint64_t)CR4_KNOWN) || (efer & ~(uint64_t)EFER_KNOWN) ||
        lma != ((efer & EFER_LME) && (cr0 & CR0_PG)) || (lma && !(cr4 & CR4_PAE)) ||
        ((cr4 & CR4_PCIDE) && !lma) || (lma && (st->rflags & FLAG_VM)) || st->cr3 >> 52 ||
        st->dr[6] >> 32 || st->dr[7] >> 32) {
        emu_set_error(err,
                      "CPU state: CR0 %08" PRIx64 " CR3 %" PRIx64 " CR4 %08" PRIx64
                      " EFER %08" PRIx64 " RFLAGS %08" PRIx64
                      " contradict each other or set reserved bits",
                      cr0, st->cr3, cr4, efer, st->rflags);
        return false;
    }
    return true;
}

static uint64_t image64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return GUINT64_FROM_LE(v);
}

/* SDM 1 13.4: the legacy region's MXCSR, the header at 512. */
static bool check_xsave(const X86State *st, GError **err)
{
    uint32_t mxcsr = (uint32_t)(image64(st->xsave + 24) & UINT32_MAX);
    bool header_ok = !(image64(st->xsave + 512) & ~(uint64_t)XCR0_KNOWN);

    for (unsigned i = 1; i < 8; i++) {
        header_ok = header_ok && !image64(st->xsave + 512 + 8 * i);
    }
    if (mxcsr >> 16 || !header_ok || !(st->xcr0 & 1) || (st->xcr0 & ~(uint64_t)XCR0_KNOWN)) {
        emu_set_error(err, "CPU state: MXCSR %08x, XCR0 %" PRIx64 " or the XSAVE header is invalid",
                      mxcsr, st->xcr0);
        return false;
    }
    return true;
}

static bool check_memory_types(const X86State *st, GError **err)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = st->pat >> (8 * i) & 0xff;
        if (type > 7 || type == 2 || type == 3) {
            emu_set_error(err, "CPU state: PAT %016" PRIx64 " has an invalid memory type", st->pat);
            return false;
        }
    }
    return true;
}

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    X86State *st = opaque;
    (void)version;
    st->rflags |= 2;
    st->cr0 |= CR0_ET;
    return check_addresses(st, err) && check_control(st, err) && check_xsave(st, err) &&
           check_memory_types(st, err);
}

const StateTable x86_state_table = {
    .name = "x86-cpu", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

bool x86_cpu_check_state(const X86Cpu *cpu, GError **err)
{
    const X86State *st = &cpu->st;
    uint64_t cr4 = st->cr4 & ~x86_cr4_valid(cpu->model);

    if (cr4 || (x86_is_long(st) && (st->cr3 & ~cpu->model->phys_mask)) ||
        (st->xcr0 & ~(cpu->model->xcr0_mask | 1))) {
        emu_set_error(err,
                      "CPU state: CR4 %08" PRIx64 ", CR3 %" PRIx64 " or XCR0 %" PRIx64
                      " uses what CPU model %s does not have",
                      st->cr4, st->cr3, st->xcr0, cpu->model->name);
        return false;
    }
    return true;
}
