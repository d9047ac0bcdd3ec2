/*
 * The accelerators there are, and the choice among them.
 *
 * Without -accel, KVM is tried, then the translator. An -accel that cannot be had gives way to the
 * next one; the translator stands behind the last one unless its fallback=off says otherwise.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "system/accels.h"

#include <stdio.h>
#include <string.h>

#include "accel/kvm/kvm.h"
#include "accel/tcg/tcg.h"
#include "core/machine.h"
#include "target-x86/cpuid.h"
#include "util/keyval.h"

static const AccelClass *const accel_classes[] = {&kvm_accel_class, &tcg_accel_class};

typedef struct Candidate {
    Accel *accel;       /* options set, not initialised */
    const char *option; /* "-accel", for messages; NULL: nobody asked */
    bool fallback;      /* the next one may be tried */
} Candidate;

struct AccelChoice {
    GArray *list; /* of Candidate */
};

static const AccelClass *accel_find(const char *name, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(accel_classes); i++) {
        if (!strcmp(accel_classes[i]->name, name)) {
            return accel_classes[i];
        }
    }
    emu_set_error(err, "'%s' is no accelerator (-accel help lists them)", name);
    return NULL;
}

void accels_print_list(GString *out)
{
    g_string_append(out, "Accelerators:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(accel_classes); i++) {
        g_string_append_printf(out, "%-8s %s\n", accel_classes[i]->name,
                               accel_classes[i]->description);
    }
}

bool accels_print_options(const char *name, GString *out, GError **err)
{
    const AccelClass *cls = accel_find(name, err);

    if (!cls) {
        return false;
    }
    g_string_append_printf(out, "%s options:\n", cls->name);
    for (const Property *p = cls->props; p && p->type != PROP_END; p++) {
        g_string_append_printf(out, "  %-22s %s", p->name, p->description ? p->description : "");
        if (p->default_value) {
            g_string_append_printf(out, " (default: %s)", p->default_value);
        }
        g_string_append_c(out, '\n');
    }
    g_string_append(out, "  fallback               off: fail rather than try the next accelerator "
                         "(default: on)\n");
    return true;
}

/* ---- the list of what to try ---- */

typedef struct SetContext {
    Accel *accel;
    GError **err;
} SetContext;

static bool set_option(const char *key, const char *value, void *opaque)
{
    SetContext *ctx = opaque;

    if (!strcmp(key, "accel") || !strcmp(key, "fallback")) {
        return true;
    }
    return accel_set_prop(ctx->accel, key, value, ctx->err);
}

static bool choice_add(AccelChoice *choice, const char *option, const char *arg,
                       const char *irqchip, GError **err)
{
    Candidate c = {.option = option, .fallback = true};
    KeyVal *kv = keyval_parse("-accel", arg, "accel", err);
    const char *name = kv ? keyval_get(kv, "accel") : NULL;
    const AccelClass *cls = NULL;

    if (kv && !name) {
        emu_set_error(err, "the name of an accelerator is missing (-accel help lists them)");
    } else if (kv) {
        cls = accel_find(name, err);
    }
    if (!cls || !keyval_get_bool(kv, "fallback", &c.fallback, err)) {
        keyval_free(kv);
        return false;
    }
    c.accel = accel_new(cls);
    SetContext ctx = {c.accel, err};
    bool ok = keyval_foreach(kv, set_option, &ctx);
    if (ok && irqchip && cls == &kvm_accel_class) {
        ok = accel_set_prop(c.accel, "kernel-irqchip", irqchip, err);
    }
    keyval_free(kv);
    if (!ok) {
        accel_free(c.accel);
        return false;
    }
    g_array_append_val(choice->list, c);
    return true;
}

static bool choice_from_names(AccelChoice *choice, const VmConfig *cfg, GError **err)
{
    g_auto(GStrv) names = g_strsplit(cfg->machine_accel, ":", -1);

    for (char **n = names; *n; n++) {
        if (!choice_add(choice, "-machine", *n, cfg->irqchip, err)) {
            g_prefix_error(err, "-machine: ");
            return false;
        }
    }
    return true;
}

static bool choice_fill(AccelChoice *choice, const VmConfig *cfg, GError **err)
{
    if (cfg->machine_accel && cfg->accels->len) {
        emu_set_error(err, "-accel: -machine accel= has been given as well; use one of them");
        return false;
    }
    if (cfg->machine_accel) {
        return choice_from_names(choice, cfg, err);
    }
    for (guint i = 0; i < cfg->accels->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->accels, i);
        if (!choice_add(choice, a->option, a->arg, cfg->irqchip, err)) {
            if (!g_str_has_prefix((*err)->message, a->option)) {
                g_prefix_error(err, "%s: ", a->option);
            }
            return false;
        }
    }
    return cfg->accels->len || choice_add(choice, NULL, "kvm", cfg->irqchip, err);
}

AccelChoice *accel_choice_new(const VmConfig *cfg, GError **err)
{
    AccelChoice *choice = g_new0(AccelChoice, 1);
    GError *local = NULL;

    choice->list = g_array_new(FALSE, FALSE, sizeof(Candidate));
    if (!choice_fill(choice, cfg, &local)) {
        g_propagate_error(err, local);
        accel_choice_free(choice);
        return NULL;
    }
    const Candidate *last = &g_array_index(choice->list, Candidate, choice->list->len - 1);
    if (last->fallback && last->accel->cls != &tcg_accel_class) {
        choice_add(choice, NULL, "tcg", NULL, NULL);
    }
    return choice;
}

void accel_choice_free(AccelChoice *choice)
{
    for (guint i = 0; choice && i < choice->list->len; i++) {
        Accel *accel = g_array_index(choice->list, Candidate, i).accel;
        if (accel) {
            accel_free(accel);
        }
    }
    if (choice) {
        g_array_unref(choice->list);
        g_free(choice);
    }
}

bool accel_choice_init(AccelChoice *choice, Machine *m, GError **err)
{
    for (guint i = 0; i < choice->list->len; i++) {
        Candidate *c = &g_array_index(choice->list, Candidate, i);
        GError *why = NULL;
        if (c->accel->cls->init(c->accel, m, &why)) {
            m->accel = c->accel;
            c->accel = NULL;
            return true;
        }
        if (!c->fallback || i + 1 == choice->list->len) {
            g_prefix_error(&why, "-accel %s: ", c->accel->cls->name);
            g_propagate_error(err, why);
            return false;
        }
        const Candidate *next = &g_array_index(choice->list, Candidate, i + 1);
        fprintf(stderr, "%s: -accel %s cannot be had (%s); going on with %s\n", g_get_prgname(),
                c->accel->cls->name, why->message, next->accel->cls->name);
        g_error_free(why);
    }
    return false;
}

void accel_cpu_features(Accel *accel, CpuFeatures *out)
{
    if (accel->cls->cpu_features) {
        accel->cls->cpu_features(accel, out);
    } else {
        cpu_features_translator(out);
    }
}
