/*
 * CPU models: which CPU the guest sees, and what CPUID answers.
 *
 * A model starts from a named table row (cpu_models.c), gains and loses features by the user's text
 * ("Nehalem,+aes,-pcid,phys-bits=42"), is cut down to what the accelerator offers, and is then
 * compiled into a table of CPUID leaves, so that executing CPUID is a look-up. References: SDM 2
 * CPUID; APM 3 appendix E; the KVM paravirtual interface's CPUID leaves.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_CPUID_H
#define TARGET_X86_CPUID_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "target-x86/cpu.h"

/* The feature words: CPUID_<leaf>[_<subleaf>]_<register>. */
typedef enum CpuidWord {
    CPUID_1_EDX,
    CPUID_1_ECX,
    CPUID_6_EAX,
    CPUID_7_0_EBX,
    CPUID_7_0_ECX,
    CPUID_7_0_EDX,
    CPUID_7_1_EAX,
    CPUID_D_1_EAX,
    CPUID_8000_0001_EDX,
    CPUID_8000_0001_ECX,
    CPUID_8000_0007_EDX,
    CPUID_8000_0008_EBX,
    CPUID_8000_0021_EAX,
    CPUID_KVM_EAX, /* 40000001h */
    CPUID_WORD_COUNT,
} CpuidWord;

#define CPUID_1_EDX_FPU     (1u << 0)
#define CPUID_1_EDX_VME     (1u << 1)
#define CPUID_1_EDX_DE      (1u << 2)
#define CPUID_1_EDX_PSE     (1u << 3)
#define CPUID_1_EDX_TSC     (1u << 4)
#define CPUID_1_EDX_MSR     (1u << 5)
#define CPUID_1_EDX_PAE     (1u << 6)
#define CPUID_1_EDX_MCE     (1u << 7)
#define CPUID_1_EDX_CX8     (1u << 8)
#define CPUID_1_EDX_APIC    (1u << 9)
#define CPUID_1_EDX_SEP     (1u << 11)
#define CPUID_1_EDX_MTRR    (1u << 12)
#define CPUID_1_EDX_PGE     (1u << 13)
#define CPUID_1_EDX_MCA     (1u << 14)
#define CPUID_1_EDX_CMOV    (1u << 15)
#define CPUID_1_EDX_PAT     (1u << 16)
#define CPUID_1_EDX_PSE36   (1u << 17)
#define CPUID_1_EDX_CLFLUSH (1u << 19)
#define CPUID_1_EDX_MMX     (1u << 23)
#define CPUID_1_EDX_FXSR    (1u << 24)
#define CPUID_1_EDX_SSE     (1u << 25)
#define CPUID_1_EDX_SSE2    (1u << 26)
#define CPUID_1_EDX_HT      (1u << 28)

#define CPUID_1_ECX_SSE3         (1u << 0)
#define CPUID_1_ECX_PCLMULQDQ    (1u << 1)
#define CPUID_1_ECX_MONITOR      (1u << 3)
#define CPUID_1_ECX_SSSE3        (1u << 9)
#define CPUID_1_ECX_FMA          (1u << 12)
#define CPUID_1_ECX_CX16         (1u << 13)
#define CPUID_1_ECX_PCID         (1u << 17)
#define CPUID_1_ECX_SSE41        (1u << 19)
#define CPUID_1_ECX_SSE42        (1u << 20)
#define CPUID_1_ECX_X2APIC       (1u << 21)
#define CPUID_1_ECX_MOVBE        (1u << 22)
#define CPUID_1_ECX_POPCNT       (1u << 23)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_AES          (1u << 25)
#define CPUID_1_ECX_XSAVE        (1u << 26)
#define CPUID_1_ECX_OSXSAVE      (1u << 27)
#define CPUID_1_ECX_AVX          (1u << 28)
#define CPUID_1_ECX_F16C         (1u << 29)
#define CPUID_1_ECX_RDRAND       (1u << 30)
#define CPUID_1_ECX_HYPERVISOR   (1u << 31)

#define CPUID_6_EAX_ARAT (1u << 2)

#define CPUID_7_0_EBX_FSGSBASE   (1u << 0)
#define CPUID_7_0_EBX_TSC_ADJUST (1u << 1)
#define CPUID_7_0_EBX_BMI1       (1u << 3)
#define CPUID_7_0_EBX_AVX2       (1u << 5)
#define CPUID_7_0_EBX_SMEP       (1u << 7)
#define CPUID_7_0_EBX_BMI2       (1u << 8)
#define CPUID_7_0_EBX_ERMS       (1u << 9)
#define CPUID_7_0_EBX_INVPCID    (1u << 10)
#define CPUID_7_0_EBX_RDSEED     (1u << 18)
#define CPUID_7_0_EBX_ADX        (1u << 19)
#define CPUID_7_0_EBX_SMAP       (1u << 20)
#define CPUID_7_0_EBX_CLFLUSHOPT (1u << 23)
#define CPUID_7_0_EBX_CLWB       (1u << 24)
#define CPUID_7_0_EBX_SHA_NI     (1u << 29)

#define CPUID_7_0_ECX_UMIP  (1u << 2)
#define CPUID_7_0_ECX_PKU   (1u << 3)
#define CPUID_7_0_ECX_LA57  (1u << 16)
#define CPUID_7_0_ECX_RDPID (1u << 22)

#define CPUID_7_0_EDX_FSRM              (1u << 4)
#define CPUID_7_0_EDX_SPEC_CTRL         (1u << 26)
#define CPUID_7_0_EDX_ARCH_CAPABILITIES (1u << 29)
#define CPUID_7_0_EDX_SSBD              (1u << 31)

#define CPUID_8000_0001_EDX_SYSCALL (1u << 11)
#define CPUID_8000_0001_EDX_NX      (1u << 20)
#define CPUID_8000_0001_EDX_MMXEXT  (1u << 22)
#define CPUID_8000_0001_EDX_FFXSR   (1u << 25)
#define CPUID_8000_0001_EDX_PDPE1GB (1u << 26)
#define CPUID_8000_0001_EDX_RDTSCP  (1u << 27)
#define CPUID_8000_0001_EDX_LM      (1u << 29)
#define CPUID_8000_0001_EDX_3DNOW   (1u << 31)

#define CPUID_8000_0001_ECX_LAHF_LM       (1u << 0)
#define CPUID_8000_0001_ECX_CMP_LEGACY    (1u << 1)
#define CPUID_8000_0001_ECX_ABM           (1u << 5)
#define CPUID_8000_0001_ECX_SSE4A         (1u << 6)
#define CPUID_8000_0001_ECX_MISALIGNSSE   (1u << 7)
#define CPUID_8000_0001_ECX_3DNOWPREFETCH (1u << 8)
#define CPUID_8000_0001_ECX_TOPOEXT       (1u << 22)

#define CPUID_8000_0007_EDX_INVTSC (1u << 8)

#define CPUID_8000_0008_EBX_IBPB (1u << 12)

#define CPUID_8000_0021_EAX_NULL_SEL_CLR_BASE (1u << 6)
#define CPUID_8000_0021_EAX_AUTO_IBRS         (1u << 8)

#define CPUID_KVM_KVMCLOCK     (1u << 0)
#define CPUID_KVM_NOPIODELAY   (1u << 1)
#define CPUID_KVM_KVMCLOCK2    (1u << 3)
#define CPUID_KVM_ASYNC_PF     (1u << 4)
#define CPUID_KVM_STEAL_TIME   (1u << 5)
#define CPUID_KVM_PV_EOI       (1u << 6)
#define CPUID_KVM_POLL_CONTROL (1u << 12)
#define CPUID_KVM_CLOCK_STABLE (1u << 24)

typedef struct CpuFeatures {
    uint32_t words[CPUID_WORD_COUNT];
} CpuFeatures;

/* Answers CPUID for LEAF and SUBLEAF; REG is EAX, EBX, ECX, EDX. */
typedef void (*CpuidSource)(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t reg[4]);

/* Collects the feature words from a source: the host, or what KVM supports. */
void cpu_features_read(CpuFeatures *out, CpuidSource source, void *opaque);
/* The host's own CPUID, as such a source. */
void cpuid_host(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t reg[4]);
/* What the translator offers on this host: what it emulates by itself, and of what it passes to the
 * host's CPU what that has. */
void cpu_features_translator(CpuFeatures *out);

enum { CPUID_ENTRIES = 64, CPUID_RANGE = 64, CPUID_NONE = 0xff };

typedef struct CpuidEntry {
    uint32_t leaf, subleaf;
    uint32_t reg[4];
} CpuidEntry;

struct CpuModel {
    char *name, *description;
    char vendor[13];
    char model_id[49]; /* brand string */
    uint32_t family, model, stepping;
    uint32_t level, xlevel; /* highest basic and extended leaf; 0: as the features ask for */
    uint32_t words[CPUID_WORD_COUNT];
    uint32_t phys_bits, linear_bits;
    uint32_t dies, cores, threads; /* per socket, per die, per core */
    bool kvm_leaves;               /* 40000000h.. show KVM's signature */
    uint32_t tsc_khz;              /* asked for; 0: the host's */

    /* Derived by cpu_model_compile(). */
    bool is_intel, is_amd;
    uint32_t signature; /* leaf 1 EAX, EDX after reset */
    uint64_t phys_mask;
    uint64_t xcr0_mask;                /* XCR0 bits the guest may set */
    CpuidEntry entries[CPUID_ENTRIES]; /* sorted; subleaves of one leaf together */
    uint32_t entry_count;
    uint8_t first[3][CPUID_RANGE]; /* first entry of leaf N, 40000000h + N, 80000000h + N */
};

static inline bool cpu_model_has(const CpuModel *model, CpuidWord word, uint32_t bits)
{
    return (model->words[word] & bits) == bits;
}

/*
 * Makes a model from -cpu's TEXT: a name, then +feature, -feature, feature=on|off, vendor=,
 * family=, model=, stepping=, model-id=, level=, xlevel=, phys-bits=, host-phys-bits=,
 * tsc-frequency=, kvm=, check=, enforce=. AVAILABLE is what ACCEL ("tcg", "kvm") offers. A feature
 * the user asked for and ACCEL lacks is an error; one that only the named model has is dropped, and
 * named in WARNINGS (one line each, may be NULL), or an error with enforce=on. NULL with ERR:
 * unknown model or property, bad value.
 */
CpuModel *cpu_model_parse(const char *text, const CpuFeatures *available, const char *accel,
                          GString *warnings, GError **err);
/* Sets the topology (leaf 1, 4, 0Bh, 80000008h, 8000001Dh, 8000001Eh) and compiles the leaves
 * again. */
void cpu_model_set_topology(CpuModel *model, unsigned dies, unsigned cores, unsigned threads);
void cpu_model_free(CpuModel *model);
/* Whether a TSC of KHZ is what the model asks for (by tsc-frequency=), or near enough. */
bool cpu_model_tsc_is(const CpuModel *model, uint64_t khz);
/* The APIC id of CPU number INDEX: socket, die, core and thread each in a field of whole bits. */
uint32_t cpu_model_apic_id(const CpuModel *model, unsigned index);
/* What CPUID answers on the CPU with APIC_ID, save for what depends on its state (OSXSAVE, the
 * APIC's enable bit). GPR-only, no libc. */
void cpu_model_cpuid(const CpuModel *model, uint32_t apic_id, uint32_t leaf, uint32_t subleaf,
                     uint32_t reg[4]);

/* -cpu help: models, then feature names. */
void cpu_model_print_list(GString *out);
/* "avx512f", NULL for a bit without a name. */
const char *cpu_feature_name(CpuidWord word, unsigned bit);
/* Finds a feature by name or alias ('_' and '-' are alike); true with *WORD and *BITS set. */
bool cpu_feature_find(const char *name, CpuidWord *word, uint32_t *bits);
/* "CPUID.01H:ECX.aes [bit 25]" */
char *cpu_feature_describe(CpuidWord word, unsigned bit);

/* ---- rows of cpu_models.c ---- */

typedef struct CpuModelRow {
    const char *name, *description, *vendor;
    const char *model_id; /* brand string; NULL: like the description */
    uint32_t family, model, stepping, level, xlevel;
    const char *features; /* names, separated by spaces; NULL: all that are available */
    bool host_identity;   /* vendor, family, model, stepping, model_id are the host's */
    bool bare;            /* without the features that every guest of ours gets (hypervisor, ...) */
} CpuModelRow;

extern const CpuModelRow cpu_model_rows[]; /* ends with a NULL name */
extern const char cpu_default_features[];  /* what all models get that are not bare */
/* cpu_features.c: adds the features named in LIST (separated by spaces; all must exist) to OUT. */
void cpu_features_add(CpuFeatures *out, const char *list);
/* cpuid_leaves.c: fills in what is derived. */
void cpu_model_compile(CpuModel *model);

/* control.c: the CR4 bits that a CPU of this model may set. GPR-only. */
uint64_t x86_cr4_valid(const CpuModel *model);

/* tsc.c: frequency of the host's time-stamp counter, which is the guest's too. */
uint64_t x86_tsc_khz(void);

#endif
