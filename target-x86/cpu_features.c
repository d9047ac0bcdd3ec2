/*
 * The names of CPUID's feature bits (those QEMU uses), and what the translator offers.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <cpuid.h>
#include <string.h>

#include "target-x86/cpuid.h"
#include "util/keyval.h"

typedef struct WordInfo {
    const char *label;
    uint32_t leaf, subleaf;
    uint8_t reg;
    const char *names[32];
} WordInfo;

enum { EAX, EBX, ECX, EDX };

/* clang-format off */
static const WordInfo words[CPUID_WORD_COUNT] = {
    [CPUID_1_EDX] = {"CPUID.01H:EDX", 1, 0, EDX, {
        "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce",
        "cx8", "apic", NULL, "sep", "mtrr", "pge", "mca", "cmov",
        "pat", "pse36", "pn", "clflush", NULL, "ds", "acpi", "mmx",
        "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe"}},
    [CPUID_1_ECX] = {"CPUID.01H:ECX", 1, 0, ECX, {
        "pni", "pclmulqdq", "dtes64", "monitor", "ds-cpl", "vmx", "smx", "est",
        "tm2", "ssse3", "cid", NULL, "fma", "cx16", "xtpr", "pdcm",
        NULL, "pcid", "dca", "sse4.1", "sse4.2", "x2apic", "movbe", "popcnt",
        "tsc-deadline", "aes", "xsave", NULL /* osxsave */, "avx", "f16c", "rdrand", "hypervisor"}},
    [CPUID_6_EAX] = {"CPUID.06H:EAX", 6, 0, EAX, {[2] = "arat"}},
    [CPUID_7_0_EBX] = {"CPUID.07H:EBX", 7, 0, EBX, {
        "fsgsbase", "tsc-adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep",
        "bmi2", "erms", "invpcid", "rtm", NULL, NULL, "mpx", NULL,
        "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", "pcommit", "clflushopt",
        "clwb", "intel-pt", "avx512pf", "avx512er", "avx512cd", "sha-ni", "avx512bw", "avx512vl"}},
    [CPUID_7_0_ECX] = {"CPUID.07H:ECX", 7, 0, ECX, {
        NULL, "avx512vbmi", "umip", "pku", NULL /* ospke */, "waitpkg", "avx512vbmi2", NULL,
        "gfni", "vaes", "vpclmulqdq", "avx512vnni", "avx512bitalg", NULL, "avx512-vpopcntdq", NULL,
        "la57", NULL, NULL, NULL, NULL, NULL, "rdpid", NULL,
        "bus-lock-detect", "cldemote", NULL, "movdiri", "movdir64b", NULL, "sgxlc", "pks"}},
    [CPUID_7_0_EDX] = {"CPUID.07H:EDX", 7, 0, EDX, {
        NULL, NULL, "avx512-4vnniw", "avx512-4fmaps", "fsrm", NULL, NULL, NULL,
        "avx512-vp2intersect", NULL, "md-clear", NULL, NULL, NULL, "serialize", NULL,
        "tsx-ldtrk", NULL, NULL, "arch-lbr", NULL, NULL, "amx-bf16", "avx512-fp16",
        "amx-tile", "amx-int8", "spec-ctrl", "stibp", NULL, "arch-capabilities",
        "core-capability", "ssbd"}},
    [CPUID_7_1_EAX] = {"CPUID.07H.1:EAX", 7, 1, EAX, {
        [4] = "avx-vnni", [5] = "avx512-bf16", [10] = "fzrm", [11] = "fsrs", [12] = "fsrc"}},
    [CPUID_D_1_EAX] = {"CPUID.0DH.1:EAX", 0xd, 1, EAX, {
        "xsaveopt", "xsavec", "xgetbv1", "xsaves"}},
    [CPUID_8000_0001_EDX] = {"CPUID.80000001H:EDX", 0x80000001, 0, EDX, {
        [11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr-opt", [26] = "pdpe1gb",
        [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow"}},
    [CPUID_8000_0001_ECX] = {"CPUID.80000001H:ECX", 0x80000001, 0, ECX, {
        "lahf-lm", "cmp-legacy", "svm", "extapic", "cr8legacy", "abm", "sse4a", "misalignsse",
        "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", NULL, "lwp",
        "fma4", "tce", NULL, "nodeid-msr", NULL, "tbm", "topoext", "perfctr-core",
        "perfctr-nb", NULL, NULL, NULL, NULL, NULL, NULL, NULL}},
    [CPUID_8000_0007_EDX] = {"CPUID.80000007H:EDX", 0x80000007, 0, EDX, {[8] = "invtsc"}},
    [CPUID_8000_0008_EBX] = {"CPUID.80000008H:EBX", 0x80000008, 0, EBX, {
        [0] = "clzero", [2] = "xsaveerptr", [9] = "wbnoinvd", [12] = "ibpb", [14] = "ibrs",
        [15] = "amd-stibp", [24] = "amd-ssbd", [25] = "virt-ssbd", [26] = "amd-no-ssb"}},
    [CPUID_8000_0021_EAX] = {"CPUID.80000021H:EAX", 0x80000021, 0, EAX, {
        [0] = "no-nested-data-bp", [2] = "lfence-always-serializing", [6] = "null-sel-clr-base",
        [8] = "auto-ibrs"}},
    [CPUID_KVM_EAX] = {"CPUID.40000001H:EAX", 0x40000001, 0, EAX, {
        "kvmclock", "kvm-nopiodelay", "kvm-mmu", "kvmclock", "kvm-asyncpf", "kvm-steal-time",
        "kvm-pv-eoi", "kvm-pv-unhalt", NULL, "kvm-pv-tlb-flush", NULL, "kvm-pv-ipi",
        "kvm-poll-control", "kvm-pv-sched-yield", "kvm-asyncpf-int", "kvm-msi-ext-dest-id",
        [24] = "kvmclock-stable-bit"}},
};
/* clang-format on */

static const struct {
    const char *alias, *name;
} aliases[] = {
    {"sse3", "pni"},      {"pclmuldq", "pclmulqdq"},
    {"sse4-1", "sse4.1"}, {"sse4-2", "sse4.2"},
    {"xd", "nx"},         {"ffxsr", "fxsr-opt"},
    {"i64", "lm"},        {"lzcnt", "abm"},
    {"sha", "sha-ni"},    {"tsc-deadline-timer", "tsc-deadline"},
};

/*
 * What the translator does without any help of the host's CPU: the parts of the system architecture
 * it emulates. Automatic IBRS is among them because it asks for nothing: translated branches are
 * predicted by other addresses than the guest's, and neither it nor a retpoline changes that; but a
 * guest that sees it spends no time on retpolines. Only who asks for it gets it.
 */
static const char emulated[] =
    "vme de pse tsc msr pae mce apic sep mtrr pge mca pat pse36 pcid x2apic tsc-deadline "
    "hypervisor "
    "arat fsgsbase tsc-adjust smep invpcid smap umip syscall nx pdpe1gb rdtscp lm lahf-lm "
    "cmp-legacy "
    "topoext null-sel-clr-base auto-ibrs kvmclock kvm-nopiodelay kvmclock-stable-bit";

/* What it passes to the host's CPU, and what is a statement about how that behaves. */
static const char passed[] =
    "fpu cx8 cmov clflush mmx fxsr sse sse2 pni pclmulqdq ssse3 cx16 sse4.1 sse4.2 movbe popcnt "
    "aes "
    "rdrand bmi1 bmi2 erms rdseed adx clflushopt clwb sha-ni fsrm mmxext abm 3dnowprefetch invtsc";

const char *cpu_feature_name(CpuidWord word, unsigned bit)
{
    return bit < 32 ? words[word].names[bit] : NULL;
}

char *cpu_feature_describe(CpuidWord word, unsigned bit)
{
    const char *name = cpu_feature_name(word, bit);
    return g_strdup_printf("%s%s%s [bit %u]", words[word].label, name ? "." : "", name ? name : "",
                           bit);
}

bool cpu_feature_find(const char *name, CpuidWord *word, uint32_t *bits)
{
    g_autofree char *plain = g_strdelimit(g_strdup(name), "_", '-');
    const char *wanted = plain;

    for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++) {
        if (!strcmp(plain, aliases[i].alias)) {
            wanted = aliases[i].name;
        }
    }
    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        uint32_t found = 0;
        for (unsigned b = 0; b < 32; b++) {
            if (words[w].names[b] && !strcmp(words[w].names[b], wanted)) {
                found |= 1u << b; /* kvmclock has two bits */
            }
        }
        if (found) {
            *word = (CpuidWord)w;
            *bits = found;
            return true;
        }
    }
    return false;
}

void cpu_features_add(CpuFeatures *out, const char *list)
{
    g_auto(GStrv) names = g_strsplit(list, " ", -1);
    for (char **n = names; *n; n++) {
        CpuidWord word;
        uint32_t bits;
        if (!**n) {
            continue;
        }
        bool known = cpu_feature_find(*n, &word, &bits);
        g_assert(known);
        out->words[word] |= bits;
    }
}

void cpuid_host(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t reg[4])
{
    (void)opaque;
    __cpuid_count(leaf, subleaf, reg[0], reg[1], reg[2], reg[3]);
}

void cpu_features_read(CpuFeatures *out, CpuidSource source, void *opaque)
{
    uint32_t max[2], reg[4];

    source(opaque, 0, 0, reg);
    max[0] = reg[0];
    source(opaque, 0x80000000, 0, reg);
    max[1] = reg[0];
    memset(out, 0, sizeof(*out));
    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        uint32_t leaf = words[w].leaf;
        if (leaf >> 30 != 1 && leaf > max[leaf >> 31]) {
            continue;
        }
        source(opaque, leaf, words[w].subleaf, reg);
        out->words[w] = reg[words[w].reg];
    }
}

void cpu_features_translator(CpuFeatures *out)
{
    CpuFeatures host, wanted = {{0}};

    cpu_features_read(&host, cpuid_host, NULL);
    memset(out, 0, sizeof(*out));
    cpu_features_add(out, emulated);
    cpu_features_add(&wanted, passed);
    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        out->words[w] |= wanted.words[w] & host.words[w];
    }
}
