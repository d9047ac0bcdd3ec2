/*
 * Devices and buses.
 *
 * A device is one file with one const DeviceClass: name, bus it plugs into, property table, state
 * table, realize and unrealize. Its struct embeds Device first (or PciDevice, IsaDevice..., which
 * do). Life: device_new() sets defaults and -global values, device_set_prop() what the user asked
 * for, device_realize() checks and wires it, device_unrealize() undoes that, device_free(). All
 * under the machine lock. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/state.h"

typedef struct Machine Machine;
typedef struct Device Device;
typedef struct Bus Bus;

/* ---- properties ---- */

typedef enum PropType {
    PROP_END,
    PROP_BOOL,    /* bool: on|off */
    PROP_UINT,    /* unsigned of SIZE bytes, within [min, max] */
    PROP_INT,     /* signed of SIZE bytes, within [(int64_t)min, (int64_t)max] */
    PROP_SIZE,    /* uint64_t, bytes with suffixes K M G T */
    PROP_STRING,  /* char *, owned by the device */
    PROP_ENUM,    /* int: index into VALUES */
    PROP_DRIVE,   /* char *: name of a block back end; hw resolves it (block/backend.h) */
    PROP_CHARDEV, /* char *: id of a character back end (ui/chardev.h) */
    PROP_NETDEV,  /* char *: id of a network back end */
    PROP_MAC,     /* uint8_t[6] */
    PROP_DEVFN,   /* int32_t: PCI slot[.function] as slot << 3 | function, -1: the first free */
} PropType;

typedef struct Property {
    const char *name;
    PropType type;
    uint32_t offset;
    uint32_t size;
    uint64_t min, max;         /* PROP_UINT, PROP_INT, PROP_SIZE; both 0: the type's range */
    const char *default_value; /* in the syntax of -device; NULL: zero, empty or unset */
    const char *const *values; /* PROP_ENUM, ends with NULL */
    const char *description;   /* one line for -device X,help */
} Property;

#define PROP_FIELD(s, f) .offset = offsetof(s, f), .size = (uint32_t)sizeof(((s *)0)->f)

/* ---- classes ---- */

typedef enum DeviceCategory {
    DEVICE_CATEGORY_BRIDGE, /* "Controller/Bridge/Hub devices" */
    DEVICE_CATEGORY_STORAGE,
    DEVICE_CATEGORY_NETWORK,
    DEVICE_CATEGORY_INPUT,
    DEVICE_CATEGORY_DISPLAY,
    DEVICE_CATEGORY_MISC,
    DEVICE_CATEGORY_COUNT,
} DeviceCategory;

typedef struct DeviceClass {
    const char *name;
    const char *alias; /* another name that -device takes, or NULL */
    const char *description;
    const char *bus_type; /* "PCI", "ISA", "IDE", "System", ... : the kind of bus it plugs into */
    DeviceCategory category;
    size_t size;           /* of the device's struct */
    const Property *props; /* its own; ends with PROP_END; may be NULL */
    const Property
        *bus_props;          /* those all devices on such a bus have (addr, romfile ...), or NULL */
    const StateTable *state; /* required; &state_table_none for a device without state */
    bool user_creatable;     /* by -device */
    bool hotpluggable;
    const void *bus_class; /* what the bus needs to know, e.g. PciClass */
    bool (*realize)(Device *dev, GError **err);
    void (*unrealize)(Device *dev); /* NULL: cannot be removed */
    void (*reset)(Device *dev);
} DeviceClass;

extern const StateTable state_table_none;

/* Every class of the program, in one list, hw/classes.c; ends with NULL. device_class_list_set() is
 * called once by the program (or a test) before any lookup. */
void device_class_list_set(const DeviceClass *const *list);
const DeviceClass *const *device_class_list(void);
const DeviceClass *device_class_find(const char *name);

struct Device {
    const DeviceClass *cls;
    Machine *machine;
    char *id;      /* from the user, or NULL */
    Bus *parent;   /* NULL until realized for devices that choose their bus then */
    GSList *buses; /* Bus *, its own */
    bool realized;
    GError *global_error; /* a -global value did not fit; device_realize() reports it */
};

struct Bus {
    const char *type; /* matches DeviceClass.bus_type */
    char *name;       /* unique: "pci.0", "ide.1" */
    Device *parent;   /* NULL for the root */
    GSList *devices;  /* Device *, newest last */
    /* Hooks, all optional. ATTACH may refuse, and reserves the device's address. */
    bool (*attach)(Bus *bus, Device *dev, GError **err);
    void (*detach)(Bus *bus, Device *dev);
    void (*describe)(Bus *bus, Device *dev, GString *out); /* "addr 03.0" for info qtree */
    void *opaque;
};

Device *device_new(Machine *m, const DeviceClass *cls, const char *id);
/* Parses VALUE for property NAME. False with ERR naming the device, the property, and what is
 * right. */
bool device_set_prop(Device *dev, const char *name, const char *value, GError **err);
/* The property's value in the syntax of -device; caller frees. NULL: no such property. */
char *device_get_prop(const Device *dev, const char *name);
const Property *device_find_prop(const DeviceClass *cls, const char *name);
/* Puts DEV on BUS (NULL: the machine's root bus) and realizes it. On false DEV is as before and
 * still the caller's. */
bool device_realize(Device *dev, Bus *bus, GError **err);
/* Unrealizes and frees what sits on its own buses (newest first), then itself, and takes it off its
 * bus. DEV stays the caller's. */
void device_unrealize(Device *dev);
/* Unrealizes it if need be; frees its own buses and properties. NULL is fine. */
void device_free(Device *dev);

/* device_new + properties (name, value, ..., NULL) + device_realize, for machine wiring. */
Device *device_create(Machine *m, Bus *bus, const DeviceClass *cls, GError **err,
                      ...) G_GNUC_NULL_TERMINATED;

/* NULL for NAME: made of the parent's id or class name. */
Bus *bus_new(const char *type, const char *name, Device *parent);
void bus_free(Bus *bus); /* empty; takes itself off its parent */
/* By name, or the first of TYPE when NAME is NULL, searching from ROOT. */
Bus *bus_find(Bus *root, const char *name, const char *type);
Device *device_find(Bus *root, const char *id);
/* Every realized device, parents first; stops when FN returns false. */
bool device_foreach(Bus *root, bool (*fn)(Device *dev, void *opaque), void *opaque);
/* Resets every realized device, children after their parents. */
void device_reset_all(Bus *root);
void device_print_tree(Bus *root, GString *out); /* info qtree */

/* Help: the list of classes, and one class's properties. */
void device_print_class_list(GString *out);
void device_print_class(const DeviceClass *cls, GString *out);

#endif
