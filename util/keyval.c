/*
 * Option strings: an ordered list of pairs, each remembering whether anyone asked for it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "util/keyval.h"

#include <string.h>

typedef struct Pair {
    char *key, *value;
} Pair;

struct KeyVal {
    char *option;
    GArray *pairs;    /* of Pair */
    GPtrArray *known; /* keys asked for, in the order of the first question */
};

static void pair_clear(gpointer data)
{
    Pair *pair = data;

    g_free(pair->key);
    g_free(pair->value);
}

static void keyval_add(KeyVal *kv, char *key, char *value)
{
    Pair pair = {key, value};

    g_array_append_val(kv->pairs, pair);
}

/* Text up to a single comma or the end, ",," standing for a comma; *TEXT moves behind the comma. */
static char *take_value(const char **text)
{
    GString *out = g_string_new(NULL);
    const char *p = *text;

    for (; *p; p++) {
        if (*p == ',') {
            p++;
            if (*p != ',') {
                break;
            }
        }
        g_string_append_c(out, *p);
    }
    *text = p;
    return g_string_free(out, FALSE);
}

KeyVal *keyval_parse(const char *option, const char *text, const char *implied, GError **err)
{
    KeyVal *kv = g_new0(KeyVal, 1);
    bool first = true;

    kv->option = g_strdup(option);
    kv->pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    g_array_set_clear_func(kv->pairs, pair_clear);
    kv->known = g_ptr_array_new_with_free_func(g_free);

    while (*text) {
        size_t len = strcspn(text, "=,");

        if (text[len] == '=') {
            char *key = g_strndup(text, len);

            text += len + 1;
            if (!len) {
                emu_set_error(err, "%s: a key is missing before '=%s'", option, text);
                g_free(key);
                keyval_free(kv);
                return NULL;
            }
            keyval_add(kv, key, take_value(&text));
        } else if (first && implied) {
            keyval_add(kv, g_strdup(implied), take_value(&text));
        } else {
            char *key = take_value(&text);

            if (!*key) {
                emu_set_error(err, "%s: an empty option between commas; expected KEY=VALUE",
                              option);
                g_free(key);
                keyval_free(kv);
                return NULL;
            }
            keyval_add(kv, key, g_strdup("on"));
        }
        first = false;
    }
    return kv;
}

void keyval_free(KeyVal *kv)
{
    if (kv) {
        g_array_free(kv->pairs, TRUE);
        g_ptr_array_free(kv->known, TRUE);
        g_free(kv->option);
        g_free(kv);
    }
}

static bool is_known(const KeyVal *kv, const char *key)
{
    return g_ptr_array_find_with_equal_func(kv->known, key, g_str_equal, NULL);
}

static void mark_known(KeyVal *kv, const char *key)
{
    if (!is_known(kv, key)) {
        g_ptr_array_add(kv->known, g_strdup(key));
    }
}

const char *keyval_get(KeyVal *kv, const char *key)
{
    mark_known(kv, key);
    for (guint i = kv->pairs->len; i-- > 0;) {
        const Pair *pair = &g_array_index(kv->pairs, Pair, i);

        if (!strcmp(pair->key, key)) {
            return pair->value;
        }
    }
    return NULL;
}

bool keyval_get_bool(KeyVal *kv, const char *key, bool *out, GError **err)
{
    const char *value = keyval_get(kv, key);

    if (value && !parse_bool(value, out)) {
        emu_set_error(err, "%s: %s='%s' is neither 'on' nor 'off'", kv->option, key, value);
        return false;
    }
    return true;
}

bool keyval_get_uint(KeyVal *kv, const char *key, uint64_t min, uint64_t max, uint64_t *out,
                     GError **err)
{
    const char *value = keyval_get(kv, key);
    uint64_t number;

    if (!value) {
        return true;
    }
    if (!parse_uint(value, max, &number) || number < min) {
        emu_set_error(
            err, "%s: %s='%s' is not a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
            kv->option, key, value, min, max);
        return false;
    }
    *out = number;
    return true;
}

bool keyval_get_size(KeyVal *kv, const char *key, uint64_t *out, GError **err)
{
    const char *value = keyval_get(kv, key);

    if (value && !parse_size(value, 1, out)) {
        emu_set_error(err,
                      "%s: %s='%s' is not a size; expected bytes, or a number with a suffix "
                      "K, M, G, T, P or E",
                      kv->option, key, value);
        return false;
    }
    return true;
}

bool keyval_get_enum(KeyVal *kv, const char *key, const char *const *values, int *out, GError **err)
{
    const char *value = keyval_get(kv, key);
    char *list;

    if (!value) {
        return true;
    }
    for (int i = 0; values[i]; i++) {
        if (!strcmp(value, values[i])) {
            *out = i;
            return true;
        }
    }
    list = g_strjoinv(", ", (char **)values);
    emu_set_error(err, "%s: %s='%s' is not one of: %s", kv->option, key, value, list);
    g_free(list);
    return false;
}

bool keyval_foreach(KeyVal *kv, bool (*fn)(const char *key, const char *value, void *opaque),
                    void *opaque)
{
    for (guint i = 0; i < kv->pairs->len; i++) {
        const Pair *pair = &g_array_index(kv->pairs, Pair, i);

        mark_known(kv, pair->key);
        if (!fn(pair->key, pair->value, opaque)) {
            return false;
        }
    }
    return true;
}

void keyval_set(KeyVal *kv, const char *key, const char *value)
{
    keyval_add(kv, g_strdup(key), g_strdup(value));
}

bool keyval_finish(KeyVal *kv, GError **err)
{
    for (guint i = 0; i < kv->pairs->len; i++) {
        const Pair *pair = &g_array_index(kv->pairs, Pair, i);
        GString *list;

        if (is_known(kv, pair->key)) {
            continue;
        }
        list = g_string_new(NULL);
        for (guint k = 0; k < kv->known->len; k++) {
            g_string_append_printf(list, "%s%s", k ? ", " : "",
                                   (const char *)g_ptr_array_index(kv->known, k));
        }
        if (kv->known->len) {
            emu_set_error(err, "%s: unknown option '%s'; known here: %s", kv->option, pair->key,
                          list->str);
        } else {
            emu_set_error(err, "%s: takes no option '%s'", kv->option, pair->key);
        }
        g_string_free(list, TRUE);
        return false;
    }
    return true;
}
