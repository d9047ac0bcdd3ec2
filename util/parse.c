/*
 * Numbers, sizes and booleans as they are written on the command line.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "util/keyval.h"

bool parse_uint(const char *text, uint64_t max, uint64_t *out)
{
    unsigned base = 10;
    uint64_t value = 0;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        int digit = g_ascii_xdigit_value(*text);

        if (digit < 0 || (unsigned)digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value)) {
            return false;
        }
    }
    if (value > max) {
        return false;
    }
    *out = value;
    return true;
}

/* Log2 of the unit that suffix C stands for, -1 when it is none. */
static int suffix_shift(char c)
{
    static const char units[] = "BKMGTPE";
    const char *at = c ? strchr(units, g_ascii_toupper(c)) : NULL;

    return at ? (int)(at - units) * 10 : -1;
}

bool parse_size(const char *text, uint64_t default_unit, uint64_t *out)
{
    /* More digits than this add less than a byte, even to an exbibyte. */
    enum { MAX_FRACTION = 18 };
    unsigned __int128 bytes;
    uint64_t whole = 0, fraction = 0, scale = 1, unit = default_unit;
    int digits = 0;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        if (!parse_uint(text, UINT64_MAX, &whole)) {
            return false;
        }
        text = "";
    } else {
        for (; g_ascii_isdigit(*text); text++, digits++) {
            if (__builtin_mul_overflow(whole, (uint64_t)10, &whole) ||
                __builtin_add_overflow(whole, (uint64_t)(*text - '0'), &whole)) {
                return false;
            }
        }
        if (!digits) {
            return false;
        }
        if (*text == '.') {
            text++;
            if (!g_ascii_isdigit(*text)) {
                return false;
            }
            for (digits = 0; g_ascii_isdigit(*text); text++, digits++) {
                if (digits < MAX_FRACTION) {
                    fraction = fraction * 10 + (uint64_t)(*text - '0');
                    scale *= 10;
                }
            }
        }
    }
    if (*text) {
        int shift = suffix_shift(*text);

        if (shift < 0 || text[1]) {
            return false;
        }
        unit = UINT64_C(1) << shift;
    }
    if (fraction && unit == 1) {
        return false; /* there are no parts of a byte */
    }
    bytes = (unsigned __int128)whole * unit + (unsigned __int128)fraction * unit / scale;
    if (bytes > UINT64_MAX) {
        return false;
    }
    *out = (uint64_t)bytes;
    return true;
}

bool parse_bool(const char *text, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        {"on", true},   {"off", false},   {"yes", true}, {"no", false},
        {"true", true}, {"false", false}, {"y", true},   {"n", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (!strcmp(text, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}
