/*
 * The device tree and the help on classes as text.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "core/device.h"
#include "core/property.h"

/* ---- info qtree ---- */

static void print_bus(Bus *bus, int indent, GString *out);

static void print_props(const Device *dev, const Property *prop, int indent, GString *out)
{
    for (; prop && prop->type != PROP_END; prop++) {
        g_string_append_printf(out, "%*s", indent, "");
        property_print_value(dev, prop, out);
    }
}

static void print_device(Device *dev, int indent, GString *out)
{
    g_string_append_printf(out, "%*sdev: %s, id \"%s\"\n", indent, "", dev->cls->name,
                           dev->id ? dev->id : "");
    indent += 2;
    print_props(dev, dev->cls->props, indent, out);
    print_props(dev, dev->cls->bus_props, indent, out);
    if (dev->parent && dev->parent->describe) {
        GString *text = g_string_new(NULL);

        dev->parent->describe(dev->parent, dev, text);
        if (text->len) {
            g_string_append_printf(out, "%*s%s\n", indent, "", g_strchomp(text->str));
        }
        g_string_free(text, TRUE);
    }
    for (GSList *b = dev->buses; b; b = b->next) {
        print_bus(b->data, indent, out);
    }
}

static void print_bus(Bus *bus, int indent, GString *out)
{
    g_string_append_printf(out, "%*sbus: %s\n%*stype %s\n", indent, "", bus->name, indent + 2, "",
                           bus->type);
    for (GSList *d = bus->devices; d; d = d->next) {
        print_device(d->data, indent + 2, out);
    }
}

void device_print_tree(Bus *root, GString *out)
{
    print_bus(root, 0, out);
}

/* ---- help ---- */

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const DeviceClass *const *)a)->name, (*(const DeviceClass *const *)b)->name);
}

void device_print_class_list(GString *out)
{
    static const char *const titles[DEVICE_CATEGORY_COUNT] = {
        [DEVICE_CATEGORY_BRIDGE] = "Controller/Bridge/Hub",
        [DEVICE_CATEGORY_STORAGE] = "Storage",
        [DEVICE_CATEGORY_NETWORK] = "Network",
        [DEVICE_CATEGORY_INPUT] = "Input",
        [DEVICE_CATEGORY_DISPLAY] = "Display",
        [DEVICE_CATEGORY_MISC] = "Misc",
    };
    const DeviceClass *const *list = device_class_list();
    GPtrArray *sorted = g_ptr_array_new();

    for (size_t i = 0; list[i]; i++) {
        if (list[i]->user_creatable) {
            g_ptr_array_add(sorted, (gpointer)list[i]);
        }
    }
    g_ptr_array_sort(sorted, by_name);
    for (int category = 0; category < DEVICE_CATEGORY_COUNT; category++) {
        bool titled = false;

        for (guint i = 0; i < sorted->len; i++) {
            const DeviceClass *cls = g_ptr_array_index(sorted, i);

            if ((int)cls->category != category) {
                continue;
            }
            if (!titled) {
                g_string_append_printf(out, "%s%s devices:\n", out->len ? "\n" : "",
                                       titles[category]);
                titled = true;
            }
            g_string_append_printf(out, "name \"%s\"", cls->name);
            if (cls->bus_type) {
                g_string_append_printf(out, ", bus %s", cls->bus_type);
            }
            if (cls->alias) {
                g_string_append_printf(out, ", alias \"%s\"", cls->alias);
            }
            if (cls->description) {
                g_string_append_printf(out, ", desc \"%s\"", cls->description);
            }
            g_string_append_c(out, '\n');
        }
    }
    g_ptr_array_free(sorted, TRUE);
}

static int prop_by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const Property *const *)a)->name, (*(const Property *const *)b)->name);
}

void device_print_class(const DeviceClass *cls, GString *out)
{
    const Property *tables[] = {cls->props, cls->bus_props};
    GPtrArray *sorted = g_ptr_array_new();

    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
        for (const Property *prop = tables[t]; prop && prop->type != PROP_END; prop++) {
            g_ptr_array_add(sorted, (gpointer)prop);
        }
    }
    g_ptr_array_sort(sorted, prop_by_name);
    if (sorted->len) {
        g_string_append_printf(out, "%s options:\n", cls->name);
    } else {
        g_string_append_printf(out, "There are no options for %s.\n", cls->name);
    }
    for (guint i = 0; i < sorted->len; i++) {
        property_print_help(g_ptr_array_index(sorted, i), out);
    }
    g_ptr_array_free(sorted, TRUE);
}
