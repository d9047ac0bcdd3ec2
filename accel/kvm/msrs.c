/*
 * The model-specific registers that are part of the state: one table.
 *
 * A row is used when the kernel lists it (KVM_GET_MSR_INDEX_LIST), or when it is one of those it
 * knows without listing them (ALWAYS), and when the guest's CPU has the feature that brings it: KVM
 * refuses the others. EFER, APIC_BASE and the segment bases travel with the special registers, the
 * TSC in clock.c. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "target-x86/cpuid.h"
#include "util/keyval.h"
#include "util/log.h"

typedef struct MsrRow {
    uint32_t index, count;
    uint32_t offset, stride; /* of a uint64_t in X86State, and from one to the next */
    bool always;
    bool needs_apic; /* the kernel's local APIC */
    CpuidWord word;  /* with BITS: any of these features brings it */
    uint32_t bits;
} MsrRow;

#define AT(i, f) .index = i, .count = 1, .offset = offsetof(X86State, f)
#define RUN(i, n, f, s)                                                                            \
    .index = i, .count = n, .offset = offsetof(X86State, f), .stride = s, .always = true
#define GATE(w, f)  .word = CPUID_##w, .bits = CPUID_##w##_##f
#define KVM_GATE(f) .word = CPUID_KVM_EAX, .bits = CPUID_KVM_##f

static const MsrRow rows[] = {
    /* clang-format off */
    {AT(0x174, sysenter_cs)},
    {AT(0x175, sysenter_esp)},
    {AT(0x176, sysenter_eip)},
    {AT(0xc0000081, star), GATE(8000_0001_EDX, SYSCALL)},
    {AT(0xc0000082, lstar), GATE(8000_0001_EDX, LM)},
    {AT(0xc0000083, cstar), GATE(8000_0001_EDX, LM)},
    {AT(0xc0000084, sfmask), GATE(8000_0001_EDX, LM)},
    {AT(0xc0000102, kernel_gs_base), GATE(8000_0001_EDX, LM)},
    {AT(0xc0000103, tsc_aux), GATE(8000_0001_EDX, RDTSCP)},
    {AT(0x277, pat), GATE(1_EDX, PAT)},
    {AT(0x3b, tsc_adjust), GATE(7_0_EBX, TSC_ADJUST)},
    {AT(0x48, spec_ctrl), .word = CPUID_7_0_EDX,
     .bits = CPUID_7_0_EDX_SPEC_CTRL | CPUID_7_0_EDX_SSBD},
    {AT(0x1a0, misc_enable)},
    {AT(0x1d9, debugctl)},
    {RUN(0x2ff, 1, mtrr_def_type, 8), GATE(1_EDX, MTRR)},
    {RUN(0x250, 1, mtrr_fixed[0], 8), GATE(1_EDX, MTRR)},
    {RUN(0x258, 2, mtrr_fixed[1], 8), GATE(1_EDX, MTRR)},
    {RUN(0x268, 8, mtrr_fixed[3], 8), GATE(1_EDX, MTRR)},
    {RUN(0x17a, 1, mcg_status, 8), GATE(1_EDX, MCA)},
    {RUN(0x17b, 1, mcg_ctl, 8), GATE(1_EDX, MCA)},
    {RUN(0x400, 4 * X86_MCE_BANKS, mce_banks, 8), GATE(1_EDX, MCA)},
    {AT(0x6e0, tsc_deadline), .needs_apic = true, GATE(1_ECX, TSC_DEADLINE)},
    /* After the TSC: the clock pages are written by it. */
    {AT(0x4b564d00, kvm_wall_clock), KVM_GATE(KVMCLOCK2)},
    {AT(0x4b564d01, kvm_system_time), KVM_GATE(KVMCLOCK2)},
    {AT(0x4b564d06, kvm_async_pf_int), .needs_apic = true, .word = CPUID_KVM_EAX, .bits = 1u << 14},
    {AT(0x4b564d02, kvm_async_pf_en), .needs_apic = true, KVM_GATE(ASYNC_PF)},
    {AT(0x4b564d03, kvm_steal_time), KVM_GATE(STEAL_TIME)},
    {AT(0x4b564d04, kvm_pv_eoi_en), .needs_apic = true, KVM_GATE(PV_EOI)},
    {AT(0x4b564d05, kvm_poll_control), KVM_GATE(POLL_CONTROL)},
    /* clang-format on */
};

typedef struct MsrList {
    struct kvm_msrs head;
    struct kvm_msr_entry entries[KVM_MSR_MAX];
} MsrList;

typedef struct MsrPlan {
    MsrList list;
    uint64_t *field[KVM_MSR_MAX];
} MsrPlan;

bool kvm_msrs_init(KvmAccel *a, GError **err)
{
    struct kvm_msr_list probe = {0};
    size_t size;

    if (ioctl(a->fd, KVM_GET_MSR_INDEX_LIST, &probe) < 0 && errno != E2BIG) {
        emu_set_error(err, "KVM_GET_MSR_INDEX_LIST: %s", g_strerror(errno));
        return false;
    }
    size = sizeof(probe) + probe.nmsrs * sizeof(probe.indices[0]);
    a->msrs = g_malloc0(size);
    a->msrs->nmsrs = probe.nmsrs;
    if (ioctl(a->fd, KVM_GET_MSR_INDEX_LIST, a->msrs) < 0) {
        emu_set_error(err, "KVM_GET_MSR_INDEX_LIST: %s", g_strerror(errno));
        return false;
    }
    return true;
}

bool kvm_msr_listed(const KvmAccel *a, uint32_t index)
{
    for (uint32_t i = 0; i < a->msrs->nmsrs; i++) {
        if (a->msrs->indices[i] == index) {
            return true;
        }
    }
    return false;
}

static void plan_add(MsrPlan *p, uint32_t index, uint64_t *field)
{
    uint32_t n = p->list.head.nmsrs++;

    g_assert(n < KVM_MSR_MAX);
    p->list.entries[n] = (struct kvm_msr_entry){.index = index};
    p->field[n] = field;
}

static bool row_applies(const KvmCpu *c, const MsrRow *row)
{
    return (row->always || kvm_msr_listed(c->accel, row->index)) &&
           (!row->needs_apic || c->accel->accel.local_apics) &&
           (!row->bits || (c->x.model->words[row->word] & row->bits));
}

static void make_plan(KvmCpu *c, MsrPlan *p)
{
    X86State *st = &c->x.st;

    p->list.head = (struct kvm_msrs){0};
    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
        const MsrRow *row = &rows[r];
        if (row->always && row->word == CPUID_1_EDX && row->bits == CPUID_1_EDX_MCA &&
            !c->accel->caps.mce) {
            continue;
        }
        for (uint32_t i = 0; row_applies(c, row) && i < row->count; i++) {
            plan_add(p, row->index + i,
                     (uint64_t *)((char *)st + row->offset + (size_t)i * row->stride));
        }
    }
    /* Base and mask of each variable range take turns. */
    for (uint32_t i = 0;
         i < X86_MTRR_VAR && cpu_model_has(c->x.model, CPUID_1_EDX, CPUID_1_EDX_MTRR); i++) {
        plan_add(p, 0x200 + 2 * i, &st->mtrr_base[i]);
        plan_add(p, 0x201 + 2 * i, &st->mtrr_mask[i]);
    }
}

/* KVM stops at the first register it refuses: go on behind it. */
void kvm_msrs_get(KvmCpu *c)
{
    g_autofree MsrPlan *p = g_new(MsrPlan, 1);
    g_autofree MsrList *part = g_new(MsrList, 1);
    uint32_t done = 0;

    make_plan(c, p);
    while (done < p->list.head.nmsrs) {
        uint32_t left = p->list.head.nmsrs - done;
        part->head = (struct kvm_msrs){.nmsrs = left};
        memcpy(part->entries, &p->list.entries[done], left * sizeof(part->entries[0]));
        int n = ioctl(c->fd, KVM_GET_MSRS, part);
        if (n < 0) {
            kvm_cpu_failed(c, "KVM_GET_MSRS", errno);
            return;
        }
        for (int i = 0; i < n; i++) {
            *p->field[done + (uint32_t)i] = part->entries[i].data;
        }
        done += (uint32_t)n;
        if (done < p->list.head.nmsrs) {
            log_printf(LOG_UNIMP, "KVM does not let MSR %x be read\n", p->list.entries[done].index);
            done++;
        }
    }
}

void kvm_msrs_put(KvmCpu *c)
{
    g_autofree MsrPlan *p = g_new(MsrPlan, 1);
    g_autofree MsrList *part = g_new(MsrList, 1);
    uint32_t done = 0;

    make_plan(c, p);
    while (done < p->list.head.nmsrs) {
        uint32_t left = p->list.head.nmsrs - done;
        part->head = (struct kvm_msrs){.nmsrs = left};
        for (uint32_t i = 0; i < left; i++) {
            part->entries[i] = (struct kvm_msr_entry){.index = p->list.entries[done + i].index,
                                                      .data = *p->field[done + i]};
        }
        int n = ioctl(c->fd, KVM_SET_MSRS, part);
        if (n < 0) {
            kvm_cpu_failed(c, "KVM_SET_MSRS", errno);
            c->broken = true;
            return;
        }
        done += (uint32_t)n;
        if (done < p->list.head.nmsrs) {
            log_printf(LOG_UNIMP, "KVM refuses %" PRIx64 " for MSR %x\n", *p->field[done],
                       p->list.entries[done].index);
            done++;
        }
    }
}
