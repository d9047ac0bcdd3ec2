/*
 * Devices and buses: classes, properties, and the life of a device in the tree.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/device.h"

#include <stdarg.h>
#include <string.h>

#include "core/machine.h"
#include "core/property.h"
#include "util/keyval.h"

static const StateField no_fields[] = {STATE_FIELD_END};
const StateTable state_table_none = {
    .name = "none", .version = 1, .min_version = 1, .fields = no_fields};

/* ---- classes ---- */

static const DeviceClass *const *classes;

void device_class_list_set(const DeviceClass *const *list)
{
    classes = list;
}

const DeviceClass *const *device_class_list(void)
{
    static const DeviceClass *const none[] = {NULL};

    return classes ? classes : none;
}

const DeviceClass *device_class_find(const char *name)
{
    const DeviceClass *const *list = device_class_list();

    for (size_t i = 0; list[i]; i++) {
        if (!strcmp(list[i]->name, name) || (list[i]->alias && !strcmp(list[i]->alias, name))) {
            return list[i];
        }
    }
    return NULL;
}

const Property *device_find_prop(const DeviceClass *cls, const char *name)
{
    const Property *prop = property_find(cls->props, name);

    return prop ? prop : property_find(cls->bus_props, name);
}

/* ---- buses ---- */

Bus *bus_new(const char *type, const char *name, Device *parent)
{
    Bus *bus = g_new0(Bus, 1);

    bus->type = type;
    bus->parent = parent;
    if (name) {
        bus->name = g_strdup(name);
    } else if (parent) {
        bus->name = g_strdup_printf("%s.%u", parent->id ? parent->id : parent->cls->name,
                                    g_slist_length(parent->buses));
    } else {
        bus->name = g_strdup(type);
    }
    if (parent) {
        parent->buses = g_slist_append(parent->buses, bus);
    }
    return bus;
}

void bus_free(Bus *bus)
{
    if (bus) {
        g_assert(!bus->devices);
        if (bus->parent) {
            bus->parent->buses = g_slist_remove(bus->parent->buses, bus);
        }
        g_free(bus->name);
        g_free(bus);
    }
}

Bus *bus_find(Bus *root, const char *name, const char *type)
{
    if ((!name || !strcmp(root->name, name)) && (!type || !strcmp(root->type, type))) {
        return root;
    }
    for (GSList *d = root->devices; d; d = d->next) {
        for (GSList *b = ((Device *)d->data)->buses; b; b = b->next) {
            Bus *found = bus_find(b->data, name, type);

            if (found) {
                return found;
            }
        }
    }
    return NULL;
}

bool device_foreach(Bus *root, bool (*fn)(Device *dev, void *opaque), void *opaque)
{
    for (GSList *d = root->devices; d; d = d->next) {
        Device *dev = d->data;

        if (dev->realized && !fn(dev, opaque)) {
            return false;
        }
        for (GSList *b = dev->buses; b; b = b->next) {
            if (!device_foreach(b->data, fn, opaque)) {
                return false;
            }
        }
    }
    return true;
}

typedef struct IdSearch {
    const char *id;
    Device *found;
} IdSearch;

static bool id_matches(Device *dev, void *opaque)
{
    IdSearch *search = opaque;

    if (dev->id && !strcmp(dev->id, search->id)) {
        search->found = dev;
        return false;
    }
    return true;
}

Device *device_find(Bus *root, const char *id)
{
    IdSearch search = {id, NULL};

    device_foreach(root, id_matches, &search);
    return search.found;
}

/* ---- a device's life ---- */

/* -global values for this class, its alias included. */
static void apply_globals(Device *dev)
{
    const Property *tables[] = {dev->cls->props, dev->cls->bus_props};
    const char *names[] = {dev->cls->alias, dev->cls->name};

    if (!dev->machine || !dev->machine->globals) {
        return;
    }
    for (size_t n = 0; n < G_N_ELEMENTS(names); n++) {
        for (size_t t = 0; names[n] && t < G_N_ELEMENTS(tables); t++) {
            for (const Property *prop = tables[t]; prop && prop->type != PROP_END; prop++) {
                char *key = g_strdup_printf("%s.%s", names[n], prop->name);
                const char *value = g_hash_table_lookup(dev->machine->globals, key);

                if (value && !dev->global_error) {
                    property_set(dev, prop, names[n], value, &dev->global_error);
                }
                g_free(key);
            }
        }
    }
    if (dev->global_error) {
        g_prefix_error(&dev->global_error, "-global ");
    }
}

Device *device_new(Machine *m, const DeviceClass *cls, const char *id)
{
    Device *dev = g_malloc0(cls->size);

    g_assert(cls->size >= sizeof(Device) && cls->state);
    dev->cls = cls;
    dev->machine = m;
    dev->id = g_strdup(id);
    property_set_defaults(dev, cls->props, cls->name);
    property_set_defaults(dev, cls->bus_props, cls->name);
    apply_globals(dev);
    return dev;
}

bool device_set_prop(Device *dev, const char *name, const char *value, GError **err)
{
    const Property *prop = device_find_prop(dev->cls, name);

    g_assert(!dev->realized);
    if (!prop) {
        char *list = property_list(dev->cls->props, dev->cls->bus_props);

        emu_set_error(err, "device '%s' has no property '%s'%s", dev->cls->name, name, list);
        g_free(list);
        return false;
    }
    return property_set(dev, prop, dev->cls->name, value, err);
}

char *device_get_prop(const Device *dev, const char *name)
{
    const Property *prop = device_find_prop(dev->cls, name);
    char *value = prop ? property_get(dev, prop) : NULL;

    return prop && !value ? g_strdup("") : value;
}

static bool device_attach(Device *dev, Bus *bus, GError **err)
{
    const char *needs = dev->cls->bus_type;

    if (bus ? needs && strcmp(needs, bus->type) : needs && strcmp(needs, "System")) {
        if (bus) {
            emu_set_error(err, "device '%s' needs a bus of type %s; '%s' is of type %s",
                          dev->cls->name, needs, bus->name, bus->type);
        } else {
            emu_set_error(err, "no bus of type %s for device '%s'", needs, dev->cls->name);
        }
        return false;
    }
    dev->parent = bus;
    if (bus) {
        if (bus->attach && !bus->attach(bus, dev, err)) {
            dev->parent = NULL;
            return false;
        }
        bus->devices = g_slist_append(bus->devices, dev);
    }
    return true;
}

static void device_detach(Device *dev)
{
    Bus *bus = dev->parent;

    if (bus) {
        if (bus->detach) {
            bus->detach(bus, dev);
        }
        bus->devices = g_slist_remove(bus->devices, dev);
        dev->parent = NULL;
    }
}

/* What sits on DEV's own buses goes, newest first. */
static void device_drop_children(Device *dev)
{
    for (GSList *b = dev->buses; b; b = b->next) {
        Bus *bus = b->data;

        while (bus->devices) {
            device_free(g_slist_last(bus->devices)->data);
        }
    }
}

static void device_drop_buses(Device *dev)
{
    device_drop_children(dev);
    while (dev->buses) {
        bus_free(dev->buses->data);
    }
}

bool device_realize(Device *dev, Bus *bus, GError **err)
{
    Machine *m = dev->machine;

    g_assert(!dev->realized);
    if (dev->global_error) {
        if (err) {
            *err = g_error_copy(dev->global_error);
        }
        return false;
    }
    if (!bus && m && (!dev->cls->bus_type || !strcmp(dev->cls->bus_type, "System"))) {
        bus = m->root_bus;
    }
    if (dev->id && m && m->root_bus && device_find(m->root_bus, dev->id)) {
        emu_set_error(err, "device id '%s' is in use already; ids are unique", dev->id);
        return false;
    }
    if (!device_attach(dev, bus, err)) {
        return false;
    }
    if (dev->cls->realize && !dev->cls->realize(dev, err)) {
        device_drop_buses(dev);
        device_detach(dev);
        return false;
    }
    dev->realized = true;
    return true;
}

void device_unrealize(Device *dev)
{
    if (!dev->realized) {
        return;
    }
    device_drop_children(dev);
    if (dev->cls->unrealize) {
        dev->cls->unrealize(dev);
    }
    device_drop_buses(dev);
    device_detach(dev);
    dev->realized = false;
}

void device_free(Device *dev)
{
    if (!dev) {
        return;
    }
    device_unrealize(dev);
    device_drop_buses(dev);
    property_clear(dev, dev->cls->props);
    property_clear(dev, dev->cls->bus_props);
    g_clear_error(&dev->global_error);
    g_free(dev->id);
    g_free(dev);
}

Device *device_create(Machine *m, Bus *bus, const DeviceClass *cls, GError **err, ...)
{
    Device *dev = device_new(m, cls, NULL);
    const char *name;
    bool ok = true;
    va_list ap;

    va_start(ap, err);
    while (ok && (name = va_arg(ap, const char *))) {
        ok = device_set_prop(dev, name, va_arg(ap, const char *), err);
    }
    va_end(ap);
    if (!ok || !device_realize(dev, bus, err)) {
        device_free(dev);
        return NULL;
    }
    return dev;
}

static bool reset_one(Device *dev, void *opaque)
{
    (void)opaque;
    if (dev->cls->reset) {
        dev->cls->reset(dev);
    }
    return true;
}

void device_reset_all(Bus *root)
{
    device_foreach(root, reset_one, NULL);
}
