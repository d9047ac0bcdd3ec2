/*
 * -cpu: from a text to a CPU model.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"

#include <string.h>

#include "util/keyval.h"

enum { DEFAULT_PHYS_BITS = 40, MIN_PHYS_BITS = 32, MAX_PHYS_BITS = 52 };

/* A model while -cpu's options are applied to it. */
typedef struct Parser {
    CpuModel *model;
    const CpuFeatures *available;
    const char *accel;
    bool check, enforce, migratable;
    bool kvm;                     /* show KVM's leaves */
    bool named;                   /* the model's name has been seen */
    CpuFeatures wanted, unwanted; /* by the user */
    GError *err;
} Parser;

static const CpuModelRow *find_row(const char *name)
{
    for (const CpuModelRow *row = cpu_model_rows; row->name; row++) {
        if (!strcmp(row->name, name)) {
            return row;
        }
    }
    return NULL;
}

static void set_model_id(CpuModel *m, const char *text)
{
    memset(m->model_id, 0, sizeof(m->model_id));
    strncpy(m->model_id, text, sizeof(m->model_id) - 1);
}

static void take_host_identity(CpuModel *m)
{
    uint32_t r[4], family;

    cpuid_host(NULL, 0, 0, r);
    memcpy(m->vendor, &r[1], 4);
    memcpy(m->vendor + 4, &r[3], 4);
    memcpy(m->vendor + 8, &r[2], 4);
    cpuid_host(NULL, 1, 0, r);
    family = r[0] >> 8 & 15;
    m->stepping = r[0] & 15;
    m->model = (r[0] >> 4 & 15) | (family == 6 || family == 15 ? r[0] >> 12 & 0xf0 : 0);
    m->family = family == 15 ? family + (r[0] >> 20 & 0xff) : family;
    cpuid_host(NULL, 0x80000000, 0, r);
    if (r[0] >= 0x80000004) {
        for (unsigned i = 0; i < 3; i++) {
            cpuid_host(NULL, 0x80000002 + i, 0, r);
            memcpy(m->model_id + 16 * i, r, 16);
        }
    }
}

static unsigned host_phys_bits(void)
{
    uint32_t r[4];
    cpuid_host(NULL, 0x80000000, 0, r);
    if (r[0] < 0x80000008) {
        return 36;
    }
    cpuid_host(NULL, 0x80000008, 0, r);
    return CLAMP(r[0] & 0xff, MIN_PHYS_BITS, MAX_PHYS_BITS);
}

/* ---- properties ---- */

typedef struct CpuProperty {
    const char *name, *description;
    uint64_t min, max;
    size_t offset; /* of a uint32_t in CpuModel */
} CpuProperty;

static const CpuProperty numbers[] = {
    {"family", "family as shown by CPUID, 0 to 270", 0, 270, offsetof(CpuModel, family)},
    {"model", "model, 0 to 255", 0, 255, offsetof(CpuModel, model)},
    {"stepping", "stepping, 0 to 15", 0, 15, offsetof(CpuModel, stepping)},
    {"level", "highest basic CPUID leaf, 1 to 13", 1, 0xd, offsetof(CpuModel, level)},
    {"xlevel", "highest extended CPUID leaf, 0x80000000 to 0x80000021", 0x80000000, 0x80000021,
     offsetof(CpuModel, xlevel)},
    {"phys-bits", "physical address bits, 32 to 52", MIN_PHYS_BITS, MAX_PHYS_BITS,
     offsetof(CpuModel, phys_bits)},
};

static bool set_number(Parser *p, const CpuProperty *prop, const char *value)
{
    uint64_t n;
    if (!parse_uint(value, prop->max, &n) || n < prop->min) {
        emu_set_error(&p->err, "-cpu: '%s' is no value of %s: %s", value, prop->name,
                      prop->description);
        return false;
    }
    *(uint32_t *)((char *)p->model + prop->offset) = (uint32_t)n;
    return true;
}

static bool set_switch(Parser *p, const char *key, const char *value, bool *out)
{
    if (!parse_bool(value, out)) {
        emu_set_error(&p->err, "-cpu: %s takes on or off, not '%s'", key, value);
        return false;
    }
    return true;
}

static bool set_tsc_frequency(Parser *p, const char *value)
{
    uint64_t hz;

    if (!parse_uint(value, 100000000000, &hz) || hz < 100000000) {
        emu_set_error(&p->err,
                      "-cpu: '%s' is no value of tsc-frequency: cycles per second, 100000000 to "
                      "100000000000",
                      value);
        return false;
    }
    p->model->tsc_khz = (uint32_t)(hz / 1000);
    if (!strcmp(p->accel, "tcg") && !cpu_model_tsc_is(p->model, x86_tsc_khz())) {
        emu_set_error(&p->err,
                      "-cpu: tsc-frequency=%s: in the translator (tcg) the TSC is the host's, with "
                      "%u000 cycles per second",
                      value, (unsigned)x86_tsc_khz());
        return false;
    }
    return true;
}

bool cpu_model_tsc_is(const CpuModel *model, uint64_t khz)
{
    enum { TOLERANCE_PPM = 250 }; /* as good as NTP keeps a clock together */
    uint64_t want = model->tsc_khz ? model->tsc_khz : khz;

    return (want > khz ? want - khz : khz - want) * 1000000 <= khz * TOLERANCE_PPM;
}

/* 1: done, 0: no such property, -1: error. */
static int set_property(Parser *p, const char *key, const char *value)
{
    const struct {
        const char *name;
        bool *out;
    } switches[] = {
        {"check", &p->check},
        {"enforce", &p->enforce},
        {"kvm", &p->kvm},
        {"migratable", &p->migratable},
    };
    bool on;

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        if (!strcmp(key, numbers[i].name)) {
            return set_number(p, &numbers[i], value) ? 1 : -1;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
        if (!strcmp(key, switches[i].name)) {
            return set_switch(p, key, value, switches[i].out) ? 1 : -1;
        }
    }
    if (!strcmp(key, "host-phys-bits")) {
        if (!set_switch(p, key, value, &on)) {
            return -1;
        }
        p->model->phys_bits = on ? host_phys_bits() : p->model->phys_bits;
        return 1;
    }
    if (!strcmp(key, "tsc-frequency")) {
        return set_tsc_frequency(p, value) ? 1 : -1;
    }
    if (!strcmp(key, "vendor")) {
        if (strlen(value) != 12) {
            emu_set_error(&p->err, "-cpu: vendor '%s' must have 12 characters, like AuthenticAMD",
                          value);
            return -1;
        }
        memcpy(p->model->vendor, value, 13);
        return 1;
    }
    if (!strcmp(key, "model-id")) {
        if (strlen(value) > 48) {
            emu_set_error(&p->err, "-cpu: model-id '%s' is longer than 48 characters", value);
            return -1;
        }
        set_model_id(p->model, value);
        return 1;
    }
    return 0;
}

static bool set_feature(Parser *p, const char *name, bool on)
{
    CpuidWord word;
    uint32_t bits;

    if (!cpu_feature_find(name, &word, &bits)) {
        emu_set_error(&p->err,
                      "-cpu: '%s' is neither a feature nor a property of CPU models (-cpu help "
                      "lists the features)",
                      name);
        return false;
    }
    p->wanted.words[word] &= ~bits;
    p->unwanted.words[word] &= ~bits;
    (on ? &p->wanted : &p->unwanted)->words[word] |= bits;
    return true;
}

static bool apply(const char *key, const char *value, void *opaque)
{
    Parser *p = opaque;
    bool on;

    if (!p->named) {
        p->named = true; /* the model's name, seen already */
        return true;
    }
    if (key[0] == '+' || key[0] == '-') {
        return set_feature(p, key + 1, key[0] == '+');
    }
    int done = set_property(p, key, value);
    if (done) {
        return done > 0;
    }
    CpuidWord word;
    uint32_t bits;
    if (!cpu_feature_find(key, &word, &bits)) {
        return set_feature(p, key, true); /* which says that there is none */
    }
    return set_switch(p, key, value, &on) && set_feature(p, key, on);
}

/* ---- features ---- */

static void append_names(GString *out, CpuidWord word, uint32_t bits)
{
    for (unsigned b = 0; b < 32; b++) {
        const char *name = cpu_feature_name(word, b);
        if ((bits >> b & 1) && name) {
            g_string_append_printf(out, " %s", name);
        }
    }
}

/* Cuts MODEL down to what is available. */
static bool filter(Parser *p, const CpuModelRow *row, GString *warnings)
{
    CpuModel *m = p->model;
    g_autoptr(GString) dropped = g_string_new(NULL);

    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        uint32_t missing = p->wanted.words[w] & ~p->available->words[w];
        if (missing) {
            g_autofree char *what =
                cpu_feature_describe((CpuidWord)w, (unsigned)__builtin_ctz(missing));
            emu_set_error(&p->err, "-cpu: %s on this host does not support the feature %s",
                          !strcmp(p->accel, "tcg") ? "the translator (tcg)" : p->accel, what);
            return false;
        }
        append_names(dropped, (CpuidWord)w,
                     m->words[w] & ~p->available->words[w] & ~p->unwanted.words[w]);
        m->words[w] &= p->available->words[w];
        m->words[w] = (m->words[w] | p->wanted.words[w]) & ~p->unwanted.words[w];
    }
    if (dropped->len && p->enforce) {
        emu_set_error(&p->err, "-cpu: enforce=on, and %s on this host lacks features of %s:%s",
                      p->accel, row->name, dropped->str);
        return false;
    }
    if (dropped->len && p->check && warnings) {
        g_string_append_printf(warnings, "%s on this host lacks features of CPU model %s:%s\n",
                               p->accel, row->name, dropped->str);
    }
    return true;
}

static CpuModel *model_from_row(const CpuModelRow *row, const Parser *p)
{
    CpuModel *m = g_new0(CpuModel, 1);
    CpuFeatures f = {{0}}, defaults = {{0}};
    bool kvm = !strcmp(p->accel, "kvm");

    m->name = g_strdup(row->name);
    m->description = g_strdup(row->description);
    memcpy(m->vendor, row->vendor, sizeof(m->vendor));
    m->family = row->family;
    m->model = row->model;
    m->stepping = row->stepping;
    m->level = row->level;
    m->xlevel = row->xlevel;
    set_model_id(m, row->model_id ? row->model_id : row->description);
    m->dies = m->cores = m->threads = 1;
    if (row->host_identity || (kvm && !row->features)) {
        take_host_identity(m);
    }
    if (row->features) {
        cpu_features_add(&f, row->features);
    } else {
        f = *p->available;
    }
    if (!row->bare) {
        cpu_features_add(&defaults, cpu_default_features);
    }
    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        m->words[w] = f.words[w] | (defaults.words[w] & p->available->words[w]);
    }
    return m;
}

/* What "all that is available" leaves out unless asked for: what ties the guest to this very host,
 * what the topology decides, and what promises more than it keeps. */
static void trim_max(const Parser *p, const CpuModelRow *row)
{
    if (row->features) {
        return;
    }
    if (p->migratable) {
        p->model->words[CPUID_8000_0007_EDX] &= ~CPUID_8000_0007_EDX_INVTSC;
    }
    if (!strcmp(p->accel, "tcg")) {
        p->model->words[CPUID_8000_0021_EAX] &= ~CPUID_8000_0021_EAX_AUTO_IBRS;
    }
    p->model->words[CPUID_1_EDX] &= ~CPUID_1_EDX_HT;
    p->model->words[CPUID_8000_0001_ECX] &= ~CPUID_8000_0001_ECX_CMP_LEGACY;
    if (p->model->family < 0x17) {
        p->model->words[CPUID_8000_0001_ECX] &= ~CPUID_8000_0001_ECX_TOPOEXT;
    }
}

CpuModel *cpu_model_parse(const char *text, const CpuFeatures *available, const char *accel,
                          GString *warnings, GError **err)
{
    Parser p = {
        .available = available, .accel = accel, .check = true, .migratable = true, .kvm = true};
    g_autofree char *name = g_strndup(text, strcspn(text, ","));
    const CpuModelRow *row = find_row(name);
    KeyVal *kv = NULL;

    if (!row) {
        emu_set_error(err, "-cpu: unable to find CPU model '%s' (-cpu help lists the models)",
                      name);
        return NULL;
    }
    p.model = model_from_row(row, &p);
    kv = keyval_parse("-cpu", text, "name", &p.err);
    if (!kv || !keyval_foreach(kv, apply, &p)) {
        goto fail;
    }
    trim_max(&p, row);
    if (!filter(&p, row, warnings)) {
        goto fail;
    }
    if (!p.model->phys_bits) {
        uint32_t edx = p.model->words[CPUID_1_EDX];
        p.model->phys_bits = p.model->words[CPUID_8000_0001_EDX] & CPUID_8000_0001_EDX_LM
                                 ? DEFAULT_PHYS_BITS
                             : edx & (CPUID_1_EDX_PAE | CPUID_1_EDX_PSE36) ? 36
                                                                           : 32;
    }
    p.model->kvm_leaves = p.kvm;
    cpu_model_compile(p.model);
    keyval_free(kv);
    return p.model;

fail:
    g_propagate_error(err, p.err);
    keyval_free(kv);
    cpu_model_free(p.model);
    return NULL;
}

void cpu_model_free(CpuModel *m)
{
    if (m) {
        g_free(m->name);
        g_free(m->description);
        g_free(m);
    }
}

void cpu_model_print_list(GString *out)
{
    g_string_append(out, "Available CPUs:\n");
    for (const CpuModelRow *row = cpu_model_rows; row->name; row++) {
        g_string_append_printf(out, "x86 %-20s  %s\n", row->name, row->description);
    }
    g_string_append(out, "\nRecognized CPUID flags:\n");
    size_t column = 0;
    for (int w = 0; w < CPUID_WORD_COUNT; w++) {
        for (unsigned b = 0; b < 32; b++) {
            const char *name = cpu_feature_name((CpuidWord)w, b);
            if (!name || (w == CPUID_KVM_EAX && b == 3)) {
                continue;
            }
            if (column + strlen(name) > 72) {
                g_string_append_c(out, '\n');
                column = 0;
            }
            g_string_append_printf(out, "%s%s", column ? " " : "  ", name);
            column += strlen(name) + (column ? 1 : 2);
        }
    }
    g_string_append_c(out, '\n');
}
