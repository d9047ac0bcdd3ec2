/*
 * Options of the network.
 *
 * -nic is a card and a back end in one; -net nic and -net TYPE meet at hub 0. Both are turned into
 * what -netdev and -device would say. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "core/device.h"
#include "net/net.h"
#include "system/options.h"
#include "util/keyval.h"

#define DEFAULT_MODEL "e1000"

static bool is_help(const char *word)
{
    return !strcmp(word, "help") || !strcmp(word, "?");
}

static bool print_and_exit(VmConfig *cfg, GString *text)
{
    fputs(text->str, stdout);
    g_string_free(text, TRUE);
    cfg->done = true;
    return true;
}

static bool kinds_help(VmConfig *cfg)
{
    GString *text = g_string_new(NULL);

    net_print_kinds(text);
    return print_and_exit(cfg, text);
}

/* ---- models ---- */

static bool is_card(const DeviceClass *cls)
{
    return cls->category == DEVICE_CATEGORY_NETWORK && cls->user_creatable;
}

static bool models_help(VmConfig *cfg)
{
    GString *text = g_string_new("Available NIC models:\n");

    for (const DeviceClass *const *c = device_class_list(); *c; c++) {
        if (is_card(*c)) {
            g_string_append_printf(text, "%s\n", (*c)->name);
        }
    }
    return print_and_exit(cfg, text);
}

/* "virtio" is what one says on most machines. */
static const DeviceClass *find_model(const char *model, GError **err)
{
    const DeviceClass *cls = device_class_find(!strcmp(model, "virtio") ? "virtio-net-pci" : model);

    if (!cls || !is_card(cls)) {
        emu_set_error(err, "model=%s is no network card (-nic model=help lists them)", model);
        return NULL;
    }
    return cls;
}

/* ---- cards and back ends ---- */

static char *new_id(VmConfig *cfg, const char *what)
{
    return g_strdup_printf("#%s%03u", what, cfg->net_ids++);
}

/* Appends ",KEY=VALUE", commas in VALUE doubled. */
static void append(GString *out, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *escaped = g_strjoinv(",,", parts);

    g_string_append_printf(out, ",%s=%s", key, escaped);
}

/* What of -nic and -net nic is the card's. */
static const struct {
    const char *key, *property;
} card_keys[] = {{"mac", "mac"}, {"macaddr", "mac"}, {"addr", "addr"}, {"vectors", "vectors"}};

static const char *card_property(const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(card_keys); i++) {
        if (!strcmp(key, card_keys[i].key)) {
            return card_keys[i].property;
        }
    }
    return NULL;
}

typedef struct Split {
    GString *card, *backend;
} Split;

static bool split_pair(const char *key, const char *value, void *opaque)
{
    Split *split = opaque;
    const char *property = card_property(key);

    if (property) {
        append(split->card, property, value);
    } else if (strcmp(key, "model") != 0 && strcmp(key, "type") != 0 && strcmp(key, "id") != 0) {
        append(split->backend, key, value);
    }
    return true;
}

static bool add_card(VmConfig *cfg, const char *option, const char *model, const char *rest,
                     const char *netdev, GError **err)
{
    const DeviceClass *cls = find_model(model ? model : DEFAULT_MODEL, err);
    g_autoptr(GString) text = g_string_new(cls ? cls->name : "");

    if (!cls) {
        return false;
    }
    g_string_append(text, rest);
    append(text, "netdev", netdev);
    option_keep(cfg->nics, option, text->str, NULL);
    return true;
}

static bool add_nic(VmConfig *cfg, KeyVal *kv, GError **err)
{
    const char *type = keyval_get(kv, "type"), *id = keyval_get(kv, "id");
    const char *model = keyval_get(kv, "model");
    g_autofree char *netdev = id ? g_strdup(id) : new_id(cfg, "net");
    g_autoptr(GString) card = g_string_new(NULL);
    g_autoptr(GString) backend = g_string_new(type ? type : "user");
    Split split = {card, backend};

    append(backend, "id", netdev);
    keyval_foreach(kv, split_pair, &split);
    option_keep(cfg->netdevs, "-nic", backend->str, NULL);
    return add_card(cfg, "-nic", model, card->str, netdev, err);
}

bool opt_nic(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    KeyVal *kv;
    const char *model;
    bool ok;

    (void)def;
    cfg->net_given = true;
    if (!strcmp(arg, "none")) {
        return true;
    }
    if (is_help(arg)) {
        return kinds_help(cfg);
    }
    kv = keyval_parse("-nic", arg, "type", err);
    model = kv ? keyval_get(kv, "model") : NULL;
    if (model && is_help(model)) {
        ok = models_help(cfg);
    } else {
        ok = kv && add_nic(cfg, kv, err);
    }
    keyval_free(kv);
    return ok;
}

bool opt_netdev(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    if (is_help(arg)) {
        return kinds_help(cfg);
    }
    cfg->net_given = true;
    option_keep(cfg->netdevs, "-netdev", arg, NULL);
    return true;
}

/* ---- -net: everything at hub 0 ---- */

/* -net nic: a card at a port of the hub, or at netdev=. */
static bool add_net_nic(VmConfig *cfg, KeyVal *kv, GError **err)
{
    const char *netdev = keyval_get(kv, "netdev"), *model = keyval_get(kv, "model");
    const char *name = keyval_get(kv, "name");
    g_autoptr(GString) card = g_string_new(NULL);
    g_autoptr(GString) rest = g_string_new(NULL);
    g_autofree char *port = NULL;
    Split split = {card, rest};

    if (model && is_help(model)) {
        return models_help(cfg);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(card_keys); i++) {
        keyval_get(kv, card_keys[i].key);
    }
    if (!keyval_finish(kv, err)) {
        return false;
    }
    keyval_foreach(kv, split_pair, &split);
    if (name) {
        append(card, "id", name);
    }
    if (!netdev) {
        port = new_id(cfg, "hub0port");
        g_autofree char *hubport = g_strdup_printf("hubport,id=%s,hubid=0", port);
        option_keep(cfg->netdevs, "-net", hubport, NULL);
    }
    return add_card(cfg, "-net", model, card->str, netdev ? netdev : port, err);
}

static void add_net_backend(VmConfig *cfg, KeyVal *kv, const char *type)
{
    const char *name = keyval_get(kv, "name");
    g_autofree char *id = name ? g_strdup(name) : new_id(cfg, "net");
    g_autofree char *port = new_id(cfg, "hub0port");
    g_autofree char *hubport = g_strdup_printf("hubport,id=%s,hubid=0,netdev=%s", port, id);
    g_autoptr(GString) card = g_string_new(NULL);
    g_autoptr(GString) backend = g_string_new(type);
    Split split = {card, backend};

    append(backend, "id", id);
    keyval_foreach(kv, split_pair, &split);
    option_keep(cfg->netdevs, "-net", backend->str, NULL);
    option_keep(cfg->netdevs, "-net", hubport, NULL);
}

bool opt_net(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    KeyVal *kv;
    const char *type;
    bool ok = true;

    (void)def;
    cfg->net_given = true;
    if (!strcmp(arg, "none")) {
        return true;
    }
    if (is_help(arg)) {
        return kinds_help(cfg);
    }
    kv = keyval_parse("-net", arg, "type", err);
    type = kv ? keyval_get(kv, "type") : NULL;
    if (!kv) {
        ok = false;
    } else if (type && !strcmp(type, "nic")) {
        ok = add_net_nic(cfg, kv, err);
    } else {
        add_net_backend(cfg, kv, type ? type : "");
    }
    keyval_free(kv);
    return ok;
}

/* ---- -object ---- */

bool opt_object(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    g_autofree char *type = g_strndup(arg, strcspn(arg, ","));
    const char *name = g_str_has_prefix(type, "qom-type=") ? type + 9 : type;

    (void)def;
    if (is_help(name)) {
        return print_and_exit(cfg, g_string_new("List of user creatable objects:\n"
                                                "  filter-dump\n"));
    }
    if (strcmp(name, "filter-dump") != 0) {
        emu_set_error(err, "'%s' is no object that can be made; there is filter-dump", name);
        return false;
    }
    option_keep(cfg->objects, "-object", arg, NULL);
    return true;
}

void opt_net_defaults(VmConfig *cfg)
{
#ifdef CONFIG_SLIRP
    if (!cfg->nodefaults && !cfg->net_given) {
        opt_nic(cfg, NULL, "user", NULL);
    }
#else
    (void)cfg;
#endif
}
