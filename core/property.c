/*
 * Properties: parsing, printing and defaults, driven by one row of operations per type.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/property.h"

#include <inttypes.h>
#include <string.h>

#include "util/keyval.h"

/* ---- integers of 1, 2, 4 or 8 bytes ---- */

static uint64_t load_uint(const void *field, uint32_t size)
{
    uint64_t value = 0;

    memcpy(&value, field, size); /* little-endian host */
    return value;
}

static int64_t load_int(const void *field, uint32_t size)
{
    unsigned shift = 64 - 8 * size;

    return (int64_t)(load_uint(field, size) << shift) >> shift;
}

static void store_uint(void *field, uint32_t size, uint64_t value)
{
    memcpy(field, &value, size);
}

static void uint_limits(const Property *prop, uint64_t *min, uint64_t *max)
{
    uint32_t size = prop->type == PROP_SIZE ? 8 : prop->size;

    *min = prop->min;
    *max = prop->max;
    if (!prop->min && !prop->max) {
        *max = UINT64_MAX >> (64 - 8 * size);
    }
}

static void int_limits(const Property *prop, int64_t *min, int64_t *max)
{
    *min = (int64_t)prop->min;
    *max = (int64_t)prop->max;
    if (!prop->min && !prop->max) {
        *max = INT64_MAX >> (64 - 8 * prop->size);
        *min = -*max - 1;
    }
}

static bool parse_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    bool negative = text[0] == '-';
    uint64_t magnitude;
    int64_t value;

    if (!parse_uint(text + negative, (uint64_t)INT64_MAX + negative, &magnitude)) {
        return false;
    }
    value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

/* ---- one function per type and direction: SET returns what would be right, or NULL when set ----
 */

static char *set_bool(void *field, const Property *prop, const char *value)
{
    bool on;

    (void)prop;
    if (!parse_bool(value, &on)) {
        return g_strdup("'on' or 'off'");
    }
    *(bool *)field = on;
    return NULL;
}

static char *get_bool(const void *field, const Property *prop)
{
    (void)prop;
    return g_strdup(*(const bool *)field ? "on" : "off");
}

static char *set_uint(void *field, const Property *prop, const char *value)
{
    uint64_t min, max, number;

    uint_limits(prop, &min, &max);
    if (!parse_uint(value, max, &number) || number < min) {
        return g_strdup_printf("a number from %" PRIu64 " to %" PRIu64, min, max);
    }
    store_uint(field, prop->size, number);
    return NULL;
}

static char *get_uint(const void *field, const Property *prop)
{
    return g_strdup_printf("%" PRIu64, load_uint(field, prop->size));
}

static char *set_int(void *field, const Property *prop, const char *value)
{
    int64_t min, max, number;

    int_limits(prop, &min, &max);
    if (!parse_int(value, min, max, &number)) {
        return g_strdup_printf("a number from %" PRId64 " to %" PRId64, min, max);
    }
    store_uint(field, prop->size, (uint64_t)number);
    return NULL;
}

static char *get_int(const void *field, const Property *prop)
{
    return g_strdup_printf("%" PRId64, load_int(field, prop->size));
}

static char *set_size(void *field, const Property *prop, const char *value)
{
    uint64_t min, max, number;

    uint_limits(prop, &min, &max);
    if (!parse_size(value, 1, &number) || number < min || number > max) {
        if (min || max != UINT64_MAX) {
            return g_strdup_printf("a size from %" PRIu64 " to %" PRIu64
                                   " bytes, also with a suffix K, M, G or T",
                                   min, max);
        }
        return g_strdup("a size in bytes or with a suffix K, M, G or T");
    }
    *(uint64_t *)field = number;
    return NULL;
}

static char *get_size(const void *field, const Property *prop)
{
    (void)prop;
    return g_strdup_printf("%" PRIu64, *(const uint64_t *)field);
}

static char *set_string(void *field, const Property *prop, const char *value)
{
    char **text = field;

    (void)prop;
    g_free(*text);
    *text = g_strdup(value);
    return NULL;
}

static char *get_string(const void *field, const Property *prop)
{
    (void)prop;
    return g_strdup(*(char *const *)field);
}

static char *set_enum(void *field, const Property *prop, const char *value)
{
    char *list, *right;

    for (int i = 0; prop->values[i]; i++) {
        if (!strcmp(value, prop->values[i])) {
            *(int *)field = i;
            return NULL;
        }
    }
    list = g_strjoinv(", ", (char **)prop->values);
    right = g_strdup_printf("one of: %s", list);
    g_free(list);
    return right;
}

static char *get_enum(const void *field, const Property *prop)
{
    return g_strdup(prop->values[*(const int *)field]);
}

static char *set_mac(void *field, const Property *prop, const char *value)
{
    uint8_t mac[6];
    bool ok = strlen(value) == 17;

    (void)prop;
    for (int i = 0; ok && i < 6; i++) {
        int high = g_ascii_xdigit_value(value[3 * i]);
        int low = g_ascii_xdigit_value(value[3 * i + 1]);
        char separator = value[3 * i + 2];

        ok = high >= 0 && low >= 0 && (i == 5 || separator == ':' || separator == '-');
        mac[i] = (uint8_t)(high << 4 | low);
    }
    if (!ok) {
        return g_strdup("six hexadecimal bytes as in 52:54:00:12:34:56");
    }
    memcpy(field, mac, sizeof(mac));
    return NULL;
}

static char *get_mac(const void *field, const Property *prop)
{
    const uint8_t *mac = field;

    (void)prop;
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

/* A hexadecimal number up to MAX, which ends at END or at the end of the text. */
static bool parse_hex(const char **text, char end, int max, int *out)
{
    const char *p = *text;
    int value = 0;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        p += 2;
    }
    if (!g_ascii_isxdigit(*p)) {
        return false;
    }
    for (; g_ascii_isxdigit(*p); p++) {
        value = value * 16 + g_ascii_xdigit_value(*p);
        if (value > max) {
            return false;
        }
    }
    if (*p && *p != end) {
        return false;
    }
    *text = p;
    *out = value;
    return true;
}

static char *set_devfn(void *field, const Property *prop, const char *value)
{
    const char *p = value;
    int slot, function = 0;
    bool ok;

    (void)prop;
    if (!strcmp(value, "-1")) {
        *(int32_t *)field = -1;
        return NULL;
    }
    ok = parse_hex(&p, '.', 0x1f, &slot);
    if (ok && *p) {
        p++;
        ok = parse_hex(&p, '\0', 7, &function);
    }
    if (!ok) {
        return g_strdup("a PCI slot from 0 to 1f in hexadecimal, with a function from 0 to 7 after "
                        "a dot if need be, as in 03.0");
    }
    *(int32_t *)field = slot << 3 | function;
    return NULL;
}

static char *get_devfn(const void *field, const Property *prop)
{
    int32_t devfn = *(const int32_t *)field;

    (void)prop;
    return devfn < 0 ? g_strdup("-1") : g_strdup_printf("%02x.%x", devfn >> 3, devfn & 7);
}

typedef struct PropOps {
    const char *type_name; /* in help; NULL: from the size */
    char *(*set)(void *field, const Property *prop, const char *value);
    char *(*get)(const void *field, const Property *prop);
    bool text; /* a char * */
} PropOps;

static const PropOps prop_ops[] = {
    [PROP_BOOL] = {"bool", set_bool, get_bool, false},
    [PROP_UINT] = {NULL, set_uint, get_uint, false},
    [PROP_INT] = {NULL, set_int, get_int, false},
    [PROP_SIZE] = {"size", set_size, get_size, false},
    [PROP_STRING] = {"str", set_string, get_string, true},
    [PROP_ENUM] = {"enum", set_enum, get_enum, false},
    [PROP_DRIVE] = {"str", set_string, get_string, true},
    [PROP_CHARDEV] = {"str", set_string, get_string, true},
    [PROP_NETDEV] = {"str", set_string, get_string, true},
    [PROP_MAC] = {"str", set_mac, get_mac, false},
    [PROP_DEVFN] = {"str", set_devfn, get_devfn, false},
};

static void *prop_field(void *obj, const Property *prop)
{
    return (char *)obj + prop->offset;
}

static const void *prop_const_field(const void *obj, const Property *prop)
{
    return (const char *)obj + prop->offset;
}

/* ---- the interface ---- */

const Property *property_find(const Property *props, const char *name)
{
    for (; props && props->type != PROP_END; props++) {
        if (!strcmp(props->name, name)) {
            return props;
        }
    }
    return NULL;
}

bool property_set(void *obj, const Property *prop, const char *owner, const char *value,
                  GError **err)
{
    char *right = prop_ops[prop->type].set(prop_field(obj, prop), prop, value);

    if (right) {
        emu_set_error(err, "%s.%s: '%s' is not valid; expected %s", owner, prop->name, value,
                      right);
        g_free(right);
        return false;
    }
    return true;
}

char *property_get(const void *obj, const Property *prop)
{
    return prop_ops[prop->type].get(prop_const_field(obj, prop), prop);
}

void property_set_defaults(void *obj, const Property *props, const char *owner)
{
    for (; props && props->type != PROP_END; props++) {
        GError *err = NULL;

        if (props->default_value && !property_set(obj, props, owner, props->default_value, &err)) {
            g_error("default value: %s", err->message); /* our own table is wrong */
        }
    }
}

void property_clear(void *obj, const Property *props)
{
    for (; props && props->type != PROP_END; props++) {
        if (prop_ops[props->type].text) {
            g_clear_pointer((char **)prop_field(obj, props), g_free);
        }
    }
}

void property_print_help(const Property *prop, GString *out)
{
    enum { DESCRIPTION_COLUMN = 24 };
    const char *type = prop_ops[prop->type].type_name;
    GString *line = g_string_new(NULL);

    if (type) {
        g_string_append_printf(line, "  %s=<%s>", prop->name, type);
    } else {
        g_string_append_printf(line, "  %s=<%s%u>", prop->name,
                               prop->type == PROP_UINT ? "uint" : "int", prop->size * 8);
    }
    if (prop->description || prop->default_value || prop->type == PROP_ENUM) {
        g_string_append_printf(line, "%*s - ", (int)MAX(0, DESCRIPTION_COLUMN - (int)line->len - 1),
                               "");
    }
    if (prop->description) {
        g_string_append(line, prop->description);
    }
    if (prop->type == PROP_ENUM) {
        char *values = g_strjoinv("/", (char **)prop->values);

        g_string_append_printf(line, "%s(%s)", prop->description ? " " : "", values);
        g_free(values);
    }
    if (prop->default_value) {
        g_string_append_printf(line, " (default: %s)", prop->default_value);
    }
    g_string_append_printf(out, "%s\n", line->str);
    g_string_free(line, TRUE);
}

void property_print_value(const void *obj, const Property *prop, GString *out)
{
    char *value = property_get(obj, prop);

    if (prop_ops[prop->type].text || prop->type == PROP_ENUM || prop->type == PROP_MAC) {
        g_string_append_printf(out, "%s = \"%s\"\n", prop->name, value ? value : "");
    } else if (prop->type == PROP_UINT) {
        g_string_append_printf(out, "%s = %s (0x%" PRIx64 ")\n", prop->name, value,
                               load_uint(prop_const_field(obj, prop), prop->size));
    } else {
        g_string_append_printf(out, "%s = %s\n", prop->name, value);
    }
    g_free(value);
}

char *property_list(const Property *a, const Property *b)
{
    const Property *tables[] = {a, b};
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        for (const Property *prop = tables[i]; prop && prop->type != PROP_END; prop++) {
            g_string_append_printf(out, "%s%s", out->len ? ", " : "; known here: ", prop->name);
        }
    }
    return g_string_free(out, FALSE);
}
