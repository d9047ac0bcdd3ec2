/*
 * Option strings of any content: parsing them ends, with a result or with one clear line.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "util/keyval.h"

enum { ROUNDS = 20000 };

static char *random_text(GRand *rand)
{
    static const char *const words[] = {
        "file",  "=",  ",",  ",,", "on",   "off", "no",  "1.5G",
        "0x",    "-1", "id", "\n", "\xff", " ",   "1e9", "99999999999999999999",
        "cache", ".",  "\"", "{",  "K",    "T",   "P",   "E"};
    GString *text = g_string_new(NULL);
    int count = g_rand_int_range(rand, 0, 12);

    for (int i = 0; i < count; i++) {
        g_string_append(text, words[g_rand_int_range(rand, 0, G_N_ELEMENTS(words))]);
    }
    return g_string_free(text, FALSE);
}

static bool see(const char *key, const char *value, void *opaque)
{
    *(size_t *)opaque += strlen(key) + strlen(value);
    return true;
}

static void one(FuzzRun *run)
{
    for (int i = 0; i < ROUNDS; i++) {
        g_autofree char *text = random_text(run->rand);
        g_autoptr(GError) err = NULL;
        uint64_t number;
        size_t total = 0;
        bool flag;

        parse_size(text, 1, &number);
        parse_uint(text, UINT32_MAX, &number);
        parse_bool(text, &flag);
        KeyVal *kv = keyval_parse("-drive", text, g_rand_boolean(run->rand) ? "file" : NULL, &err);
        if (!kv) {
            g_assert(err);
            continue;
        }
        keyval_get_uint(kv, "id", 0, 100, &number, NULL);
        keyval_get_size(kv, "cache", &number, NULL);
        keyval_get_bool(kv, "on", &flag, NULL);
        if (!keyval_finish(kv, &err)) {
            g_assert(err);
        }
        keyval_foreach(kv, see, &total);
        keyval_free(kv);
    }
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, NULL, one);
}
