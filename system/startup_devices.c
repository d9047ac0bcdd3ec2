/*
 * Start-up: -global and -device.
 *
 * Devices are made and given their properties before anything is opened, so that a misspelt one is
 * found early; they are put on their buses when the board is there.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/device.h"
#include "system/options.h"
#include "system/startup.h"
#include "util/keyval.h"

typedef struct PendingDevice {
    Device *dev;
    char *bus;          /* bus=, or NULL */
    const char *option; /* "-device", for messages */
} PendingDevice;

/* ---- -global ---- */

static bool global_add(Machine *m, const char *driver, const char *property, const char *value,
                       GError **err)
{
    const DeviceClass *cls = device_class_find(driver);

    if (!cls) {
        emu_set_error(err, "'%s' is no device", driver);
        return false;
    }
    if (!device_find_prop(cls, property)) {
        emu_set_error(err, "device %s has no property '%s' (-device %s,help lists them)", driver,
                      property, driver);
        return false;
    }
    Device *probe = device_new(m, cls, NULL); /* to check the value */
    bool ok = device_set_prop(probe, property, value, err);
    device_free(probe);
    if (ok) {
        g_hash_table_replace(m->globals, g_strconcat(driver, ".", property, NULL), g_strdup(value));
    }
    return ok;
}

/* DRIVER.PROPERTY=VALUE, the value as it is; or the three as keys. */
static bool global_parse(Machine *m, const char *arg, GError **err)
{
    const char *dot = strchr(arg, '.'), *equals = strchr(arg, '=');

    if (dot && equals && dot < equals) {
        g_autofree char *driver = g_strndup(arg, dot - arg);
        g_autofree char *property = g_strndup(dot + 1, equals - dot - 1);
        return global_add(m, driver, property, equals + 1, err);
    }
    KeyVal *kv = keyval_parse("-global", arg, NULL, err);
    const char *driver = kv ? keyval_get(kv, "driver") : NULL;
    const char *property = kv ? keyval_get(kv, "property") : NULL;
    const char *value = kv ? keyval_get(kv, "value") : NULL;
    bool ok = false;
    if (kv && !(driver && property && value)) {
        emu_set_error(err, "'%s' should be DRIVER.PROPERTY=VALUE", arg);
    } else if (kv) {
        ok = keyval_finish(kv, err) && global_add(m, driver, property, value, err);
    }
    keyval_free(kv);
    return ok;
}

/* ---- -device ---- */

typedef struct SetContext {
    PendingDevice *pending;
    GError **err;
} SetContext;

static bool set_property(const char *key, const char *value, void *opaque)
{
    SetContext *ctx = opaque;

    if (!strcmp(key, "driver") || !strcmp(key, "id")) {
        return true;
    }
    if (!strcmp(key, "bus")) {
        g_free(ctx->pending->bus);
        ctx->pending->bus = g_strdup(value);
        return true;
    }
    return device_set_prop(ctx->pending->dev, key, value, ctx->err);
}

static bool id_is_free(Startup *s, const char *id, GError **err)
{
    for (guint i = 0; id && i < s->devices->len; i++) {
        const PendingDevice *p = g_ptr_array_index(s->devices, i);
        if (p->dev->id && !strcmp(p->dev->id, id)) {
            emu_set_error(err, "there are two devices with the id '%s'", id);
            return false;
        }
    }
    return true;
}

static bool device_add(Startup *s, GPtrArray *list, const char *option, const char *arg,
                       GError **err)
{
    KeyVal *kv = keyval_parse(option, arg, "driver", err);
    const char *driver = kv ? keyval_get(kv, "driver") : NULL;
    const char *id = kv ? keyval_get(kv, "id") : NULL;
    const DeviceClass *cls = driver ? device_class_find(driver) : NULL;
    bool ok = false;

    if (kv && (!cls || !cls->user_creatable)) {
        emu_set_error(err, "'%s' is not a device that can be added (-device help lists them)",
                      driver ? driver : "");
    } else if (kv && id_is_free(s, id, err)) {
        PendingDevice *p = g_new0(PendingDevice, 1);
        p->dev = device_new(&s->vm->machine, cls, id);
        p->option = option;
        g_ptr_array_add(list, p);
        SetContext ctx = {p, err};
        ok = keyval_foreach(kv, set_property, &ctx);
    }
    keyval_free(kv);
    return ok;
}

static void pending_free(gpointer data)
{
    PendingDevice *p = data;

    if (p->dev) {
        device_free(p->dev);
    }
    g_free(p->bus);
    g_free(p);
}

bool devices_check(Startup *s, GError **err)
{
    const VmConfig *cfg = s->cfg;
    Machine *m = &s->vm->machine;

    m->globals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    s->devices = g_ptr_array_new_with_free_func(pending_free);
    for (guint i = 0; i < cfg->globals->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->globals, i);
        if (!global_parse(m, a->arg, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    for (guint i = 0; i < cfg->devices->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->devices, i);
        if (!device_add(s, s->devices, a->option, a->arg, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    s->nics = g_ptr_array_new_with_free_func(pending_free);
    for (guint i = 0; i < cfg->nics->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->nics, i);
        if (!device_add(s, s->nics, a->option, a->arg, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    return true;
}

GPtrArray *devices_take_nics(Startup *s)
{
    GPtrArray *devices = g_ptr_array_new();

    for (guint i = 0; i < s->nics->len; i++) {
        PendingDevice *p = g_ptr_array_index(s->nics, i);
        g_ptr_array_add(devices, g_steal_pointer(&p->dev));
    }
    return devices;
}

bool devices_have(const Startup *s, const char *const *names)
{
    for (guint i = 0; i < s->devices->len; i++) {
        const PendingDevice *p = g_ptr_array_index(s->devices, i);
        for (const char *const *n = names; *n; n++) {
            if (!strcmp(p->dev->cls->name, *n)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- on their buses ---- */

typedef struct BusSearch {
    const char *type;
    GSList *found; /* Bus * */
} BusSearch;

static bool collect_buses(Device *dev, void *opaque)
{
    BusSearch *search = opaque;

    for (GSList *l = dev->buses; l; l = l->next) {
        if (!strcmp(((Bus *)l->data)->type, search->type)) {
            search->found = g_slist_append(search->found, l->data);
        }
    }
    return true;
}

/* Without bus=, the first bus of its kind that takes it; the first one's reason if none does. */
static bool realize_anywhere(Machine *m, Device *dev, GError **err)
{
    BusSearch search = {.type = dev->cls->bus_type};
    GError *first = NULL;
    bool ok = false;

    if (!strcmp(search.type, m->root_bus->type)) {
        return device_realize(dev, m->root_bus, err);
    }
    device_foreach(m->root_bus, collect_buses, &search);
    for (GSList *l = search.found; l && !ok; l = l->next) {
        GError *local = NULL;
        ok = device_realize(dev, l->data, &local);
        if (!ok && !first) {
            first = local;
        } else if (!ok) {
            g_error_free(local);
        }
    }
    g_slist_free(search.found);
    if (ok) {
        g_clear_error(&first);
    } else if (first) {
        g_propagate_error(err, first);
    } else {
        emu_set_error(err, "%s: this machine has no bus of type %s", dev->cls->name, search.type);
    }
    return ok;
}

static bool realize_on(Machine *m, Device *dev, const char *name, GError **err)
{
    Bus *bus = bus_find(m->root_bus, name, NULL);

    if (!bus) {
        emu_set_error(err, "%s: there is no bus '%s' (info qtree in the monitor shows them)",
                      dev->cls->name, name);
        return false;
    }
    if (strcmp(bus->type, dev->cls->bus_type) != 0) {
        emu_set_error(err, "%s plugs into a bus of type %s; '%s' is of type %s", dev->cls->name,
                      dev->cls->bus_type, name, bus->type);
        return false;
    }
    return device_realize(dev, bus, err);
}

bool devices_realize(Startup *s, GError **err)
{
    Machine *m = &s->vm->machine;

    if (s->debugcon) {
        g_autofree char *arg = g_strdup_printf("isa-debugcon,chardev=%s", s->debugcon);
        if (!device_add(s, s->devices, "-debugcon", arg, err)) {
            return false;
        }
    }
    for (guint i = 0; i < s->devices->len; i++) {
        PendingDevice *p = g_ptr_array_index(s->devices, i);
        bool ok = p->bus ? realize_on(m, p->dev, p->bus, err) : realize_anywhere(m, p->dev, err);
        if (!ok) {
            option_prefix_error(err, p->option);
            return false;
        }
        p->dev = NULL; /* the bus's now */
    }
    return true;
}

void devices_free(Startup *s)
{
    g_clear_pointer(&s->devices, g_ptr_array_unref);
    g_clear_pointer(&s->nics, g_ptr_array_unref);
}
