/*
 * Typed properties of a struct, shared by devices and accelerators.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_PROPERTY_H
#define CORE_PROPERTY_H

#include "core/device.h"

/* The row NAME of PROPS (NULL: none), or NULL. */
const Property *property_find(const Property *props, const char *name);
/* Parses VALUE into OBJ's field. False with ERR naming OWNER.PROPERTY and what would be right. */
bool property_set(void *obj, const Property *prop, const char *owner, const char *value,
                  GError **err);
/* The value in the syntax property_set() takes; caller frees. NULL: an unset string. */
char *property_get(const void *obj, const Property *prop);
/* Sets all defaults in a zeroed OBJ; frees what properties allocated. */
void property_set_defaults(void *obj, const Property *props, const char *owner);
void property_clear(void *obj, const Property *props);
/* "name=<type> - description (default: x)" */
void property_print_help(const Property *prop, GString *out);
/* As `info qtree` shows a value. */
void property_print_value(const void *obj, const Property *prop, GString *out);
/* "; known here: a, b, c" of up to two tables, for errors; caller frees. */
char *property_list(const Property *a, const Property *b);

#endif
