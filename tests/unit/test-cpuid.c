/*
 * CPU models: what -cpu accepts and refuses, and what CPUID then answers.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>

#include "target-x86/cpuid.h"
#include "util/keyval.h"

static CpuFeatures everything(void)
{
    CpuFeatures f;
    memset(&f, 0xff, sizeof(f));
    return f;
}

static CpuModel *parse(const char *text)
{
    CpuFeatures all = everything();
    GError *err = NULL;
    CpuModel *m = cpu_model_parse(text, &all, "tcg", NULL, &err);
    g_assert_no_error(err);
    g_assert_nonnull(m);
    return m;
}

static void cpuid(const CpuModel *m, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    cpu_model_cpuid(m, 0, leaf, subleaf, r);
}

static void refuse(const char *text, const CpuFeatures *available, const char *mentions)
{
    GError *err = NULL;
    CpuModel *m = cpu_model_parse(text, available, "tcg", NULL, &err);
    g_assert_null(m);
    g_assert_error(err, EMU_ERROR, 0);
    if (!strstr(err->message, mentions)) {
        g_error("'%s' does not mention '%s'", err->message, mentions);
    }
    g_error_free(err);
}

static void test_every_model_compiles(void)
{
    for (const CpuModelRow *row = cpu_model_rows; row->name; row++) {
        CpuModel *m = parse(row->name);
        uint32_t r[4];
        cpuid(m, 0, 0, r);
        g_assert_cmpuint(r[0], ==, m->level);
        g_assert_cmpuint(m->level, >=, 1);
        /* Sorted in runs: every entry is found again. */
        for (unsigned i = 0; i < m->entry_count; i++) {
            const CpuidEntry *e = &m->entries[i];
            cpuid(m, e->leaf, e->subleaf, r);
            g_assert_cmphex(r[0], ==, e->reg[0]);
        }
        cpu_model_set_topology(m, 2, 3, 2);
        g_assert_cmpuint(cpu_model_apic_id(m, 0), ==, 0);
        cpu_model_free(m);
    }
}

static void test_qemu64_looks_like_qemus(void)
{
    CpuModel *m = parse("qemu64");
    uint32_t r[4];
    char vendor[13] = "", brand[49] = "";

    cpuid(m, 0, 0, r);
    g_assert_cmphex(r[0], ==, 0xd);
    memcpy(vendor, &r[1], 4);
    memcpy(vendor + 4, &r[3], 4);
    memcpy(vendor + 8, &r[2], 4);
    g_assert_cmpstr(vendor, ==, "AuthenticAMD");
    cpuid(m, 1, 0, r);
    g_assert_cmphex(r[0], ==, 0x60fb1);
    g_assert_cmphex(r[1], ==, 0x800);
    g_assert_cmphex(r[3], ==, 0x78bfbff & ~(1u << 21));
    g_assert_cmphex(r[2], ==, 0x80202001); /* pni cx16 x2apic hypervisor */
    cpuid(m, 0x80000001, 0, r);
    g_assert_cmphex(r[3], ==, 0x2193fbff);
    for (unsigned i = 0; i < 3; i++) {
        cpuid(m, 0x80000002 + i, 0, (uint32_t *)(brand + 16 * i));
    }
    g_assert_cmpstr(brand, ==, "QEMU Virtual CPU version 2.5+");
    cpu_model_free(m);
}

static void test_features_are_added_and_removed(void)
{
    CpuModel *m = parse("qemu64,+aes,-cx16,sse4_2=on,lahf_lm=off,phys-bits=42,model-id=a,,b");
    uint32_t r[4];
    g_assert_true(cpu_model_has(m, CPUID_1_ECX, CPUID_1_ECX_AES | CPUID_1_ECX_SSE42));
    g_assert_false(cpu_model_has(m, CPUID_1_ECX, CPUID_1_ECX_CX16));
    g_assert_false(cpu_model_has(m, CPUID_8000_0001_ECX, CPUID_8000_0001_ECX_LAHF_LM));
    cpuid(m, 0x80000008, 0, r);
    g_assert_cmphex(r[0], ==, 42 | 48 << 8);
    g_assert_cmphex(m->phys_mask, ==, (1ull << 42) - 1);
    g_assert_cmpstr(m->model_id, ==, "a,b");
    cpu_model_free(m);
}

static void test_identity_can_be_set(void)
{
    CpuModel *m = parse("qemu64,vendor=GenuineIntel,family=6,model=158,stepping=10");
    uint32_t r[4];
    cpuid(m, 1, 0, r);
    g_assert_cmphex(r[0], ==, 0x906ea);
    g_assert_true(m->is_intel && !m->is_amd);
    cpuid(m, 4, 3, r);
    g_assert_cmphex(r[0] & 0xff, ==, 3 | 3 << 5); /* Intel caches: L3 */
    cpuid(m, 0x40, 0, r);
    uint32_t last[4];
    cpuid(m, m->level, 0, last);
    g_assert_cmpmem(r, sizeof(r), last, sizeof(last)); /* beyond the last leaf */
    cpu_model_free(m);
    m = parse("qemu64");
    cpuid(m, 0x40, 0, r);
    g_assert_cmphex(r[0] | r[1] | r[2] | r[3], ==, 0);
    cpu_model_free(m);
    m = parse("qemu64,family=25");
    g_assert_cmphex(m->signature >> 8 & 15, ==, 15);
    g_assert_cmphex(m->signature >> 20, ==, 10);
    cpu_model_free(m);
}

static void test_bad_text_is_refused(void)
{
    CpuFeatures all = everything();
    refuse("nosuch", &all, "nosuch");
    refuse("qemu64,+nosuch", &all, "nosuch");
    refuse("qemu64,nosuch", &all, "nosuch");
    refuse("qemu64,nosuch=1", &all, "nosuch");
    refuse("qemu64,vendor=abc", &all, "12 characters");
    refuse("qemu64,family=1000", &all, "270");
    refuse("qemu64,phys-bits=100", &all, "52");
    refuse("qemu64,tsc-frequency=0", &all, "tsc-frequency");
    refuse("qemu64,tsc-frequency=fast", &all, "cycles per second");
    refuse("qemu64,aes=maybe", &all, "aes");
    refuse("qemu64,enforce=7", &all, "enforce");
    refuse("", &all, "");
}

static void test_a_missing_feature_is_named(void)
{
    CpuFeatures some = everything();
    g_autoptr(GString) warnings = g_string_new(NULL);
    GError *err = NULL;

    some.words[CPUID_1_ECX] &= ~CPUID_1_ECX_AVX;
    refuse("qemu64,+avx", &some, "CPUID.01H:ECX.avx [bit 28]");
    refuse("SandyBridge,enforce=on", &some, "avx");
    CpuModel *m = cpu_model_parse("SandyBridge", &some, "tcg", warnings, &err);
    g_assert_no_error(err);
    g_assert_nonnull(strstr(warnings->str, " avx"));
    g_assert_false(cpu_model_has(m, CPUID_1_ECX, CPUID_1_ECX_AVX));
    g_assert_true(cpu_model_has(m, CPUID_1_ECX, CPUID_1_ECX_AES));
    cpu_model_free(m);
    g_string_truncate(warnings, 0);
    m = cpu_model_parse("SandyBridge,-avx", &some, "tcg", warnings, &err);
    g_assert_cmpstr(warnings->str, ==, "");
    cpu_model_free(m);
    m = cpu_model_parse("SandyBridge,check=off", &some, "tcg", warnings, &err);
    g_assert_cmpstr(warnings->str, ==, "");
    cpu_model_free(m);
}

static void test_max_on_this_host(void)
{
    CpuFeatures tcg, host;
    GError *err = NULL;
    uint32_t r[4];

    cpu_features_translator(&tcg);
    cpu_features_read(&host, cpuid_host, NULL);
    CpuModel *m = cpu_model_parse("max", &tcg, "tcg", NULL, &err);
    g_assert_no_error(err);
    g_assert_true(cpu_model_has(m, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_LM));
    g_assert_true(cpu_model_has(m, CPUID_1_ECX, CPUID_1_ECX_PCID | CPUID_1_ECX_X2APIC));
    g_assert_true(cpu_model_has(m, CPUID_7_0_EBX, CPUID_7_0_EBX_INVPCID | CPUID_7_0_EBX_SMEP));
    /* Instructions that run on the host's CPU are the host's. */
    g_assert_cmphex(m->words[CPUID_1_ECX] & CPUID_1_ECX_AES, ==,
                    host.words[CPUID_1_ECX] & CPUID_1_ECX_AES);
    g_assert_false(cpu_model_has(m, CPUID_1_ECX, CPUID_1_ECX_AVX));
    g_assert_false(cpu_model_has(m, CPUID_8000_0007_EDX, CPUID_8000_0007_EDX_INVTSC));
    g_assert_false(cpu_model_has(m, CPUID_8000_0021_EAX, CPUID_8000_0021_EAX_AUTO_IBRS));
    cpuid(m, 0x40000000, 0, r);
    g_assert_cmphex(r[0], ==, 0x40000001);
    g_assert_cmpmem(&r[1], 12, "KVMKVMKVM\0\0", 12);
    cpuid(m, 0x40000001, 0, r);
    g_assert_cmphex(r[0] & 9, ==, 9);
    cpu_model_free(m);
    m = cpu_model_parse("max,kvm=off", &tcg, "tcg", NULL, &err);
    cpuid(m, 0x40000000, 0, r);
    g_assert_cmphex(r[1], ==, 0);
    cpu_model_free(m);
}

static void test_topology(void)
{
    CpuModel *m = parse("EPYC");
    uint32_t r[4];

    cpu_model_set_topology(m, 1, 3, 2);
    g_assert_cmpuint(cpu_model_apic_id(m, 1), ==, 1);
    g_assert_cmpuint(cpu_model_apic_id(m, 5), ==, 5);
    g_assert_cmpuint(cpu_model_apic_id(m, 6), ==, 8); /* the second socket */
    cpu_model_cpuid(m, 9, 0xb, 0, r);
    g_assert_cmphex(r[0], ==, 1);
    g_assert_cmphex(r[1], ==, 2);
    g_assert_cmphex(r[2], ==, 0x100);
    g_assert_cmphex(r[3], ==, 9);
    cpu_model_cpuid(m, 9, 0xb, 1, r);
    g_assert_cmphex(r[0], ==, 3);
    g_assert_cmphex(r[1], ==, 6);
    g_assert_cmphex(r[2], ==, 0x201);
    cpu_model_cpuid(m, 9, 0xb, 2, r);
    g_assert_cmphex(r[0] | r[1], ==, 0);
    g_assert_cmphex(r[2], ==, 2);
    cpu_model_cpuid(m, 9, 1, 0, r);
    g_assert_cmphex(r[1] >> 24, ==, 9);
    g_assert_cmphex(r[1] >> 16 & 0xff, ==, 6);
    g_assert_true(r[3] & CPUID_1_EDX_HT);
    cpu_model_cpuid(m, 9, 0x80000008, 0, r);
    g_assert_cmphex(r[2], ==, 5 | 3 << 12);
    cpu_model_cpuid(m, 9, 0x8000001e, 0, r);
    g_assert_cmphex(r[0], ==, 9);
    g_assert_cmphex(r[1], ==, 4 | 1 << 8);
    cpu_model_free(m);
}

static void test_help_lists_models_and_features(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    cpu_model_print_list(out);
    g_assert_nonnull(strstr(out->str, "x86 Nehalem "));
    g_assert_nonnull(strstr(out->str, " sse4.2 "));
}

static void test_every_name_is_found_again(void)
{
    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        for (unsigned b = 0; b < 32; b++) {
            const char *name = cpu_feature_name((CpuidWord)w, b);
            CpuidWord word;
            uint32_t bits;
            if (!name) {
                continue;
            }
            g_assert_true(cpu_feature_find(name, &word, &bits));
            g_assert_cmpint(word, ==, w);
            g_assert_true(bits >> b & 1);
        }
    }
}

static void test_tsc_frequency_is_plausible(void)
{
    uint64_t khz = x86_tsc_khz();
    g_assert_cmpuint(khz, >, 500000);
    g_assert_cmpuint(khz, <, 10000000);
    g_assert_cmpuint(khz, ==, x86_tsc_khz());
    g_test_message("%" G_GUINT64_FORMAT " kHz", khz);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cpuid/every-model-compiles", test_every_model_compiles);
    g_test_add_func("/cpuid/qemu64-looks-like-qemus", test_qemu64_looks_like_qemus);
    g_test_add_func("/cpuid/features-are-added-and-removed", test_features_are_added_and_removed);
    g_test_add_func("/cpuid/identity-can-be-set", test_identity_can_be_set);
    g_test_add_func("/cpuid/bad-text-is-refused", test_bad_text_is_refused);
    g_test_add_func("/cpuid/a-missing-feature-is-named", test_a_missing_feature_is_named);
    g_test_add_func("/cpuid/max-on-this-host", test_max_on_this_host);
    g_test_add_func("/cpuid/topology", test_topology);
    g_test_add_func("/cpuid/help-lists-models-and-features", test_help_lists_models_and_features);
    g_test_add_func("/cpuid/every-name-is-found-again", test_every_name_is_found_again);
    g_test_add_func("/cpuid/tsc-frequency-is-plausible", test_tsc_frequency_is_plausible);
    return g_test_run();
}
