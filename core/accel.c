/*
 * Accelerator objects: allocation and options, by the same property tables as devices.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/accel.h"

#include "core/property.h"
#include "util/keyval.h"

Accel *accel_new(const AccelClass *cls)
{
    Accel *accel = g_malloc0(cls->size);

    g_assert(cls->size >= sizeof(Accel));
    accel->cls = cls;
    property_set_defaults(accel, cls->props, cls->name);
    return accel;
}

bool accel_set_prop(Accel *accel, const char *name, const char *value, GError **err)
{
    const Property *prop = property_find(accel->cls->props, name);

    if (!prop) {
        char *list = property_list(accel->cls->props, NULL);

        emu_set_error(err, "-accel %s: no option '%s'%s", accel->cls->name, name, list);
        g_free(list);
        return false;
    }
    if (!property_set(accel, prop, accel->cls->name, value, err)) {
        if (err) {
            g_prefix_error(err, "-accel ");
        }
        return false;
    }
    return true;
}

void accel_free(Accel *accel)
{
    if (accel) {
        property_clear(accel, accel->cls->props);
        g_free(accel);
    }
}
