/*
 * Names of key codes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ui/keycode.h"

#include <string.h>

#include "util/keyval.h"

static const char *const names[KEYCODE_COUNT] = {[KEYCODE_NONE] = "unmapped",
#define KEYCODE_NAME(symbol, name) [KEYCODE_##symbol] = name,
                                                 KEYCODE_TABLE(KEYCODE_NAME)
#undef KEYCODE_NAME
};

KeyCode keycode_from_name(const char *name)
{
    for (int i = KEYCODE_NONE + 1; i < KEYCODE_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return (KeyCode)i;
        }
    }
    return strcmp(name, "<") == 0 ? KEYCODE_LESS : KEYCODE_NONE;
}

const char *keycode_name(KeyCode key)
{
    return names[(unsigned)key < KEYCODE_COUNT ? key : KEYCODE_NONE];
}

size_t keycode_parse_chord(const char *text, KeyCode *keys, size_t max, GError **err)
{
    char **words = g_strsplit(text, "-", -1);
    size_t n = 0;

    for (; words[n]; n++) {
        KeyCode key = keycode_from_name(words[n]);
        if (key == KEYCODE_NONE) {
            emu_set_error(err,
                          "'%s' is not the name of a key in '%s' (keys are named like ctrl-alt-f1)",
                          words[n], text);
            n = 0;
            break;
        }
        if (n == max) {
            emu_set_error(err, "'%s' names more than %zu keys", text, max);
            n = 0;
            break;
        }
        keys[n] = key;
    }
    if (!words[0]) {
        emu_set_error(err, "a key name is needed, like ctrl-alt-f1");
    }
    g_strfreev(words);
    return n;
}
