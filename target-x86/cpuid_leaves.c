/*
 * Lays out the leaves that CPUID answers with, from a model's features and topology.
 * SDM 2 CPUID; APM 3 appendix E.4; leaves 40000000h: the kernel's
 * Documentation/virt/kvm/x86/cpuid.rst.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "target-x86/cpuid.h"

/* The caches every model claims to have; shared by the threads of a core (L1, L2) or all (L3). */
typedef struct Cache {
    uint8_t level, type; /* 1 data, 2 instruction, 3 unified */
    uint32_t kib, ways;
    bool shared;
} Cache;

enum { LINE = 64 };

static const Cache caches[] = {
    {1, 1, 32, 8, false},
    {1, 2, 32, 8, false},
    {2, 3, 512, 8, false},
    {3, 3, 16384, 16, true},
};

static void add(CpuModel *m, uint32_t leaf, uint32_t subleaf, uint32_t a, uint32_t b, uint32_t c,
                uint32_t d)
{
    g_assert(m->entry_count < CPUID_ENTRIES && leaf >> 30 < 3 && (leaf & 0x3fffffff) < CPUID_RANGE);
    uint8_t *first = &m->first[leaf >> 30][leaf & 0x3fffffff];
    if (*first == CPUID_NONE) {
        *first = (uint8_t)m->entry_count;
    }
    m->entries[m->entry_count++] =
        (CpuidEntry){.leaf = leaf, .subleaf = subleaf, .reg = {a, b, c, d}};
}

static uint32_t chars(const char *s)
{
    const uint8_t *u = (const uint8_t *)s;
    return u[0] | u[1] << 8 | u[2] << 16 | (uint32_t)u[3] << 24;
}

static unsigned width(unsigned count)
{
    unsigned bits = 0;
    while (1u << bits < count) {
        bits++;
    }
    return bits;
}

static unsigned package_cpus(const CpuModel *m)
{
    return m->dies * m->cores * m->threads;
}

static unsigned package_width(const CpuModel *m)
{
    return width(m->dies) + width(m->cores) + width(m->threads);
}

static uint32_t signature(const CpuModel *m)
{
    uint32_t family = MIN(m->family, 15), extended = m->family - family;
    return m->stepping | (m->model & 15) << 4 | family << 8 | (m->model >> 4) << 16 |
           extended << 20;
}

/* How many CPUs can share CACHE, as counted in APIC ids. */
static uint32_t sharing(const CpuModel *m, const Cache *c)
{
    return 1u << (c->shared ? package_width(m) : width(m->threads));
}

static void cache_registers(const Cache *c, uint32_t *b, uint32_t *sets)
{
    *b = (LINE - 1) | (c->ways - 1) << 22;
    *sets = c->kib * 1024 / (c->ways * LINE) - 1;
}

static void add_basic(CpuModel *m)
{
    const uint32_t *w = m->words;
    uint32_t cpus = package_cpus(m), ht = cpus > 1 ? CPUID_1_EDX_HT : 0;

    add(m, 0, 0, m->level, chars(m->vendor), chars(m->vendor + 8), chars(m->vendor + 4));
    if (m->level < 1) {
        return;
    }
    add(m, 1, 0, m->signature,
        (w[CPUID_1_EDX] & CPUID_1_EDX_CLFLUSH ? (LINE / 8) << 8 : 0) |
            (ht ? MIN(cpus, 255) << 16 : 0),
        w[CPUID_1_ECX], w[CPUID_1_EDX] | ht);
    if (m->is_intel && m->level >= 2) {
        /* Descriptor FFh: ask leaf 4. */
        add(m, 2, 0, m->level >= 4 ? 0xff01 : 1, 0, 0, 0);
    }
    for (unsigned i = 0; m->is_intel && m->level >= 4 && i < G_N_ELEMENTS(caches); i++) {
        uint32_t b, sets, cores = 1u << (width(m->cores) + width(m->dies));
        cache_registers(&caches[i], &b, &sets);
        add(m, 4, i,
            caches[i].type | caches[i].level << 5 | 1u << 8 |
                (MIN(sharing(m, &caches[i]), 4096) - 1) << 14 | (MIN(cores, 64) - 1) << 26,
            b, sets, 0);
    }
    if (m->level >= 6) {
        add(m, 6, 0, w[CPUID_6_EAX], 0, 0, 0);
    }
    if (m->level >= 7) {
        add(m, 7, 0, w[CPUID_7_1_EAX] ? 1 : 0, w[CPUID_7_0_EBX], w[CPUID_7_0_ECX],
            w[CPUID_7_0_EDX]);
        add(m, 7, 1, w[CPUID_7_1_EAX], 0, 0, 0);
    }
    if (m->level >= 0xb) {
        add(m, 0xb, 0, width(m->threads), m->threads, 1u << 8, 0);
        add(m, 0xb, 1, package_width(m), cpus, 2u << 8, 0);
    }
}

/* The XSAVE components that the features bring. Sizes and places are the host's, which is where the
 * guest's instructions run. */
static void add_xsave(CpuModel *m)
{
    static const struct {
        CpuidWord word;
        uint32_t bits;
        uint64_t components;
    } brings[] = {
        {CPUID_1_ECX, CPUID_1_ECX_AVX, 4},
        {CPUID_7_0_EBX, 1u << 16 /* avx512f */, 0xe0},
        {CPUID_7_0_ECX, CPUID_7_0_ECX_PKU, 0x200},
    };
    uint64_t mask = 3;
    uint32_t size = 576, reg[4], part[10][4] = {{0}};

    m->xcr0_mask = 0;
    if (!(m->words[CPUID_1_ECX] & CPUID_1_ECX_XSAVE) || m->level < 0xd) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(brings); i++) {
        if (m->words[brings[i].word] & brings[i].bits) {
            mask |= brings[i].components;
        }
    }
    for (unsigned c = 2; c < G_N_ELEMENTS(part); c++) {
        if (mask >> c & 1) {
            cpuid_host(NULL, 0xd, c, reg);
            memcpy(part[c], reg, sizeof(reg));
            size = MAX(size, reg[0] + reg[1]);
        }
    }
    m->xcr0_mask = mask;
    add(m, 0xd, 0, (uint32_t)mask, size, size, 0);
    add(m, 0xd, 1, m->words[CPUID_D_1_EAX], size, 0, 0);
    for (unsigned c = 2; c < G_N_ELEMENTS(part); c++) {
        if (mask >> c & 1) {
            add(m, 0xd, c, part[c][0], part[c][1], part[c][2], 0);
        }
    }
}

static void add_paravirt(CpuModel *m)
{
    if (m->kvm_leaves && m->words[CPUID_KVM_EAX]) {
        add(m, 0x40000000, 0, 0x40000001, chars("KVMK"), chars("VMKV"), chars("M\0\0"));
        add(m, 0x40000001, 0, m->words[CPUID_KVM_EAX], 0, 0, 0);
    }
}

/* APM 3 E.4.5: associativity as leaf 80000006h encodes it. */
static uint32_t assoc_code(unsigned ways)
{
    return ways >= 16 ? 8 : 6;
}

static void add_amd_caches(CpuModel *m)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(caches); i++) {
        uint32_t b, sets;
        cache_registers(&caches[i], &b, &sets);
        add(m, 0x8000001d, i,
            caches[i].type | caches[i].level << 5 | 1u << 8 |
                (MIN(sharing(m, &caches[i]), 4096) - 1) << 14,
            b, sets, 0);
    }
}

static void add_extended(CpuModel *m)
{
    const uint32_t *w = m->words;
    uint32_t cpus = package_cpus(m), edx = w[CPUID_8000_0001_EDX], ecx = w[CPUID_8000_0001_ECX];

    if (!m->xlevel) {
        return;
    }
    add(m, 0x80000000, 0, m->xlevel, m->is_amd ? chars(m->vendor) : 0,
        m->is_amd ? chars(m->vendor + 8) : 0, m->is_amd ? chars(m->vendor + 4) : 0);
    if (m->is_amd) {
        edx |= w[CPUID_1_EDX] & 0x0183f3ff; /* the bits both leaves have */
        ecx |= cpus > 1 ? CPUID_8000_0001_ECX_CMP_LEGACY : 0;
    }
    add(m, 0x80000001, 0, m->is_amd ? m->signature : 0, 0, ecx, edx);
    for (unsigned i = 0; i < 3 && m->xlevel >= 0x80000004; i++) {
        const char *s = m->model_id + 16 * i;
        add(m, 0x80000002 + i, 0, chars(s), chars(s + 4), chars(s + 8), chars(s + 12));
    }
    if (m->is_amd && m->xlevel >= 0x80000005) {
        add(m, 0x80000005, 0, 0xff40ff40, 0xff40ff40, caches[0].kib << 24 | 8 << 16 | 1 << 8 | LINE,
            caches[1].kib << 24 | 8 << 16 | 1 << 8 | LINE);
    }
    if (m->xlevel >= 0x80000006) {
        uint32_t l2 = caches[2].kib << 16 | assoc_code(caches[2].ways) << 12 | 1 << 8 | LINE;
        uint32_t l3 =
            (caches[3].kib / 512) << 18 | assoc_code(caches[3].ways) << 12 | 1 << 8 | LINE;
        add(m, 0x80000006, 0, m->is_amd ? 0x42004200 : 0, m->is_amd ? 0x42004200 : 0,
            m->is_amd ? l2 : l2 & ~0x100u, m->is_amd ? l3 : 0);
    }
    if (m->xlevel >= 0x80000007) {
        add(m, 0x80000007, 0, 0, 0, 0, w[CPUID_8000_0007_EDX]);
    }
    if (m->xlevel >= 0x80000008) {
        add(m, 0x80000008, 0, m->phys_bits | m->linear_bits << 8, w[CPUID_8000_0008_EBX],
            m->is_amd ? (MIN(cpus, 256) - 1) | MIN(package_width(m), 15) << 12 : 0, 0);
    }
    if ((ecx & CPUID_8000_0001_ECX_TOPOEXT) && m->xlevel >= 0x8000001e) {
        add_amd_caches(m);
        add(m, 0x8000001e, 0, 0, (m->threads - 1) << 8, (m->dies - 1) << 8, 0);
    }
    if (m->xlevel >= 0x80000021) {
        add(m, 0x80000021, 0, w[CPUID_8000_0021_EAX], 0, 0, 0);
    }
}

/* The highest leaf that the features need, where the model says less. */
static void raise_levels(CpuModel *m)
{
    const uint32_t *w = m->words;
    uint32_t level = 1, xlevel = 0;

    if (w[CPUID_6_EAX]) {
        level = 6;
    }
    if (w[CPUID_7_0_EBX] | w[CPUID_7_0_ECX] | w[CPUID_7_0_EDX] | w[CPUID_7_1_EAX]) {
        level = 7;
    }
    if (w[CPUID_1_ECX] & CPUID_1_ECX_X2APIC) {
        level = 0xb;
    }
    if (w[CPUID_1_ECX] & CPUID_1_ECX_XSAVE) {
        level = 0xd;
    }
    if (w[CPUID_8000_0001_EDX] | w[CPUID_8000_0001_ECX] | w[CPUID_8000_0007_EDX] |
        w[CPUID_8000_0008_EBX]) {
        xlevel = 0x80000008;
    }
    if (w[CPUID_8000_0001_ECX] & CPUID_8000_0001_ECX_TOPOEXT) {
        xlevel = 0x8000001e;
    }
    if (w[CPUID_8000_0021_EAX]) {
        xlevel = 0x80000021;
    }
    m->level = MAX(m->level, level);
    m->xlevel = MAX(m->xlevel, xlevel);
}

void cpu_model_compile(CpuModel *m)
{
    m->is_intel = !strcmp(m->vendor, "GenuineIntel");
    m->is_amd = !strcmp(m->vendor, "AuthenticAMD") || !strcmp(m->vendor, "HygonGenuine");
    m->signature = signature(m);
    m->phys_mask = (1ull << m->phys_bits) - 1;
    m->linear_bits = m->words[CPUID_8000_0001_EDX] & CPUID_8000_0001_EDX_LM ? 48 : 32;
    raise_levels(m);
    m->entry_count = 0;
    memset(m->first, CPUID_NONE, sizeof(m->first));
    add_basic(m);
    add_xsave(m);
    add_paravirt(m);
    add_extended(m);
}

void cpu_model_set_topology(CpuModel *m, unsigned dies, unsigned cores, unsigned threads)
{
    m->dies = dies;
    m->cores = cores;
    m->threads = threads;
    cpu_model_compile(m);
}

uint32_t cpu_model_apic_id(const CpuModel *m, unsigned index)
{
    uint32_t thread = index % m->threads, core = index / m->threads % m->cores;
    uint32_t die = index / m->threads / m->cores % m->dies, socket = index / package_cpus(m);
    unsigned tw = width(m->threads), cw = width(m->cores), dw = width(m->dies);

    return ((socket << dw | die) << cw | core) << tw | thread;
}
