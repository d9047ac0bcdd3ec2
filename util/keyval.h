/*
 * QEMU's option grammar: "value,key=value,flag,noflag", with ",," for a comma inside a value.
 *
 * A reader asks for the keys it knows; keyval_finish() then refuses any that nobody asked for, by
 * name, so that no option is accepted and ignored. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UTIL_KEYVAL_H
#define UTIL_KEYVAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct KeyVal KeyVal;

/* OPTION ("-drive") is named in errors. IMPLIED names a first bare word's key, or NULL. Later
 * duplicates override. A bare word elsewhere is key=on, "noKEY" stays as it is (asked for by its
 * own name). */
KeyVal *keyval_parse(const char *option, const char *text, const char *implied, GError **err);
void keyval_free(KeyVal *kv);
/* The last value, or NULL; marks the key as known. Owned by KV. */
const char *keyval_get(KeyVal *kv, const char *key);
/* Typed: *OUT is untouched when the key is absent; false with ERR when the value does not parse. */
bool keyval_get_bool(KeyVal *kv, const char *key, bool *out, GError **err);
bool keyval_get_uint(KeyVal *kv, const char *key, uint64_t min, uint64_t max, uint64_t *out,
                     GError **err);
bool keyval_get_size(KeyVal *kv, const char *key, uint64_t *out, GError **err);
bool keyval_get_enum(KeyVal *kv, const char *key, const char *const *values, int *out,
                     GError **err);
/* All pairs in order, for options passed on (device properties); marks them known. */
bool keyval_foreach(KeyVal *kv, bool (*fn)(const char *key, const char *value, void *opaque),
                    void *opaque);
void keyval_set(KeyVal *kv, const char *key, const char *value);
/* False with ERR naming the first key nobody asked for and the keys that were. */
bool keyval_finish(KeyVal *kv, GError **err);

/* Numbers with suffixes b K M G T P E (powers of 1024), fractions allowed as in 1.5G; whole string.
 */
bool parse_size(const char *text, uint64_t default_unit, uint64_t *out);
bool parse_uint(const char *text, uint64_t max, uint64_t *out); /* decimal or 0x */
bool parse_bool(const char *text, bool *out);                   /* on|off|yes|no|true|false|y|n */

/* The program's GError domain, and a shorthand. */
#define EMU_ERROR emu_error_quark()
GQuark emu_error_quark(void);
void emu_set_error(GError **err, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
