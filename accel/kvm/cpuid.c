/*
 * CPUID: what KVM supports, as the source of features for CPU models, and a model's leaves for a
 * vCPU.
 *
 * From what KVM supports is taken away what brings state that X86State does not carry, and, where
 * the local APIC is in user space, what only the kernel's can do. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "target-x86/cpuid.h"
#include "util/keyval.h"

static const char unsupported_state[] =
    "vmx svm smx ds ds-cpl dtes64 pdcm osvw ibs lwp perfctr-core perfctr-nb sgx sgxlc hle rtm mpx "
    "intel-pt waitpkg pks tsx-ldtrk arch-lbr amx-bf16 amx-tile amx-int8 xsaves arch-capabilities "
    "core-capability kvm-msi-ext-dest-id";
static const char needs_kernel_apic[] =
    "x2apic tsc-deadline kvm-asyncpf kvm-asyncpf-int kvm-pv-eoi kvm-pv-unhalt kvm-pv-ipi "
    "kvm-pv-sched-yield";

bool kvm_cpuid_init(KvmAccel *a, GError **err)
{
    for (uint32_t n = 64;; n *= 2) {
        a->cpuid = g_malloc0(sizeof(*a->cpuid) + n * sizeof(a->cpuid->entries[0]));
        a->cpuid->nent = n;
        if (ioctl(a->fd, KVM_GET_SUPPORTED_CPUID, a->cpuid) == 0) {
            return true;
        }
        g_clear_pointer(&a->cpuid, g_free);
        if (errno != E2BIG || n > 4096) {
            emu_set_error(err, "KVM_GET_SUPPORTED_CPUID: %s", g_strerror(errno));
            return false;
        }
    }
}

static void supported(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t reg[4])
{
    const KvmAccel *a = opaque;

    memset(reg, 0, 4 * sizeof(reg[0]));
    for (uint32_t i = 0; i < a->cpuid->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &a->cpuid->entries[i];
        if (e->function == leaf &&
            (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == subleaf)) {
            reg[0] = e->eax;
            reg[1] = e->ebx;
            reg[2] = e->ecx;
            reg[3] = e->edx;
            return;
        }
    }
}

static void take_away(CpuFeatures *out, const char *list)
{
    CpuFeatures f = {{0}};

    cpu_features_add(&f, list);
    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        out->words[w] &= ~f.words[w];
    }
}

void kvm_cpu_features(Accel *accel, void *features)
{
    KvmAccel *a = kvm_accel(accel);
    CpuFeatures *out = features;

    cpu_features_read(out, supported, a);
    /* KVM leaves these to the emulator to add. */
    out->words[CPUID_1_ECX] |= CPUID_1_ECX_HYPERVISOR;
    out->words[CPUID_6_EAX] |= CPUID_6_EAX_ARAT;
    if (accel->local_apics) {
        out->words[CPUID_1_ECX] |= CPUID_1_ECX_X2APIC;
        out->words[CPUID_1_ECX] |= a->caps.tsc_deadline ? CPUID_1_ECX_TSC_DEADLINE : 0;
    } else {
        take_away(out, needs_kernel_apic);
    }
    take_away(out, unsupported_state);
    out->words[CPUID_1_ECX] &= ~CPUID_1_ECX_OSXSAVE;
}

/* Leaves whose answer depends on ECX. */
static bool has_subleaves(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
}

typedef struct CpuidList {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entries[CPUID_ENTRIES + 2];
} CpuidList;

static void list_add(CpuidList *list, const KvmCpu *c, uint32_t leaf, uint32_t subleaf)
{
    uint32_t reg[4];

    cpu_model_cpuid(c->x.model, c->x.cpu.apic_id, leaf, subleaf, reg);
    list->entries[list->head.nent++] = (struct kvm_cpuid_entry2){
        .function = leaf,
        .index = subleaf,
        .flags = has_subleaves(leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = reg[0],
        .ebx = reg[1],
        .ecx = reg[2],
        .edx = reg[3],
    };
}

bool kvm_cpuid_load(KvmCpu *c, GError **err)
{
    g_autofree CpuidList *list = g_new0(CpuidList, 1);
    const CpuModel *m = c->x.model;

    for (uint32_t i = 0; i < m->entry_count; i++) {
        list_add(list, c, m->entries[i].leaf, m->entries[i].subleaf);
    }
    if (m->level >= 0xb) {
        list_add(list, c, 0xb, 2); /* ends the levels, and tells the x2APIC id all the same */
    }
    if (ioctl(c->fd, KVM_SET_CPUID2, list) < 0) {
        emu_set_error(err, "KVM_SET_CPUID2 for CPU %d of model %s: %s", c->x.cpu.index, m->name,
                      g_strerror(errno));
        return false;
    }
    return true;
}
