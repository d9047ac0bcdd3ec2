/*
 * State tables: what is saved is loaded, and hostile input is refused.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mainloop.h"
#include "core/state.h"

typedef struct Inner {
    uint16_t a;
    bool flag;
} Inner;

typedef struct Outer {
    uint8_t byte;
    uint32_t words[5];
    int64_t number;
    uint8_t raw[7];
    uint8_t *buffer; /* 16 bytes */
    Inner one, many[3];
    uint8_t *fifo; /* up to 8 bytes */
    uint32_t fifo_used;
    uint8_t fixed[4];
    uint32_t fixed_used;
    Timer *timer, *no_timer;
    uint8_t index; /* 0..9 */
    bool flags[2];
    uint32_t younger;
    int saved, loaded;
    uint32_t loaded_version;
} Outer;

static const StateField inner_fields[] = {
    STATE_FIELD_UINT(Inner, a),
    STATE_FIELD_UINT(Inner, flag),
    STATE_FIELD_END,
};
static const StateTable inner_table = {
    .name = "inner", .version = 1, .min_version = 1, .fields = inner_fields};

static void pre_save(void *opaque)
{
    ((Outer *)opaque)->saved++;
}

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    Outer *o = opaque;

    o->loaded++;
    o->loaded_version = version;
    if (o->byte == 0xee) {
        g_set_error(err, g_quark_from_static_string("test"), 0, "byte is EEh");
        return false;
    }
    return true;
}

static const StateField outer_fields[] = {
    STATE_FIELD_UINT(Outer, byte),
    STATE_FIELD_UINT_ARRAY(Outer, words),
    STATE_FIELD_UINT(Outer, number),
    STATE_FIELD_BYTES(Outer, raw),
    STATE_FIELD_BUFFER(Outer, buffer, 16),
    STATE_FIELD_STRUCT(Outer, one, &inner_table),
    STATE_FIELD_STRUCT_ARRAY(Outer, many, &inner_table),
    {.name = "fifo",
     .kind = STATE_VBYTES,
     .offset = offsetof(Outer, fifo),
     .size = 8,
     .count = 1,
     .count_offset = offsetof(Outer, fifo_used),
     .pointer = true},
    STATE_FIELD_VBYTES(Outer, fixed, 4, fixed_used),
    STATE_FIELD_TIMER(Outer, timer),
    STATE_FIELD_TIMER(Outer, no_timer),
    STATE_FIELD_UINT_MAX(Outer, index, 9),
    STATE_FIELD_UINT_ARRAY(Outer, flags),
    {.name = "younger",
     .kind = STATE_UINT,
     .offset = offsetof(Outer, younger),
     .size = 4,
     .count = 1,
     .version = 3},
    STATE_FIELD_END,
};
static const StateTable table = {.name = "outer",
                                 .version = 3,
                                 .min_version = 2,
                                 .fields = outer_fields,
                                 .pre_save = pre_save,
                                 .post_load = post_load};

static void never(void *opaque)
{
    (void)opaque;
    g_assert_not_reached();
}

static Outer *outer_new(void)
{
    Outer *o = g_new0(Outer, 1);

    o->buffer = g_malloc0(16);
    o->fifo = g_malloc0(8);
    o->timer = timer_new(CLOCK_VM, never, NULL);
    return o;
}

static void outer_free(Outer *o)
{
    timer_free(o->timer);
    g_free(o->buffer);
    g_free(o->fifo);
    g_free(o);
}

static Outer *outer_filled(void)
{
    Outer *o = outer_new();

    o->byte = 0x12;
    for (uint32_t i = 0; i < 5; i++) {
        o->words[i] = 0x1000 + i;
    }
    o->number = -5;
    memcpy(o->raw, "rawraw", 7);
    memcpy(o->buffer, "0123456789abcdef", 16);
    o->one = (Inner){7, true};
    o->many[2] = (Inner){9, true};
    memcpy(o->fifo, "fifo", 4);
    o->fifo_used = 4;
    o->fixed[0] = 1;
    o->fixed_used = 1;
    timer_arm(o->timer, 123456789);
    o->index = 9;
    o->flags[1] = true;
    o->younger = 77;
    return o;
}

static GByteArray *save(Outer *o)
{
    GByteArray *bytes = g_byte_array_new();

    state_save(&table, o, bytes);
    return bytes;
}

static bool load(Outer *o, const GByteArray *bytes, size_t len, GError **err)
{
    size_t pos = 0;
    bool ok = state_load(&table, o, bytes->data, len, &pos, err);

    g_assert_cmpuint(pos, <=, len);
    g_assert(!ok || pos == len);
    return ok;
}

static void test_save_then_load_gives_the_same(void)
{
    Outer *a = outer_filled(), *b = outer_new();
    GByteArray *bytes = save(a), *again;
    GError *err = NULL;

    g_assert_cmpint(a->saved, ==, 1);
    load(b, bytes, bytes->len, &err);
    g_assert_no_error(err);
    g_assert(b->loaded == 1 && b->loaded_version == 3);
    g_assert(b->byte == 0x12 && b->words[4] == 0x1004 && b->number == -5);
    g_assert(!memcmp(b->buffer, "0123456789abcdef", 16) && !memcmp(b->raw, "rawraw", 7));
    g_assert(b->one.a == 7 && b->one.flag && b->many[2].a == 9 && !b->many[1].flag);
    g_assert(b->fifo_used == 4 && !memcmp(b->fifo, "fifo", 4) && b->fixed_used == 1);
    g_assert_cmpint(timer_deadline(b->timer), ==, 123456789);
    g_assert(b->index == 9 && b->flags[1] && b->younger == 77);
    again = save(b);
    g_assert(again->len == bytes->len && !memcmp(again->data, bytes->data, bytes->len));
    /* A timer that was not armed is disarmed by loading. */
    timer_disarm(a->timer);
    g_byte_array_unref(again);
    again = save(a);
    load(b, again, again->len, &err);
    g_assert_no_error(err);
    g_assert_false(timer_armed(b->timer));
    g_byte_array_unref(bytes);
    g_byte_array_unref(again);
    outer_free(a);
    outer_free(b);
}

static void test_every_truncation_is_refused(void)
{
    Outer *a = outer_filled(), *b = outer_new();
    GByteArray *bytes = save(a);

    for (size_t len = 0; len < bytes->len; len++) {
        GError *err = NULL;

        g_assert_false(load(b, bytes, len, &err));
        g_assert_nonnull(err);
        g_error_free(err);
    }
    g_byte_array_unref(bytes);
    outer_free(a);
    outer_free(b);
}

/* Position of VALUE's bytes behind FROM. */
static size_t find(const GByteArray *bytes, const void *value, size_t len, size_t from)
{
    for (size_t i = from; i + len <= bytes->len; i++) {
        if (!memcmp(bytes->data + i, value, len)) {
            return i;
        }
    }
    g_assert_not_reached();
}

static void refused(Outer *into, const GByteArray *bytes, const char *why)
{
    GError *err = NULL;

    g_assert_false(load(into, bytes, bytes->len, &err));
    g_assert_nonnull(strstr(err->message, why));
    g_error_free(err);
}

static void test_values_out_of_range_are_refused(void)
{
    Outer *a = outer_filled(), *b = outer_new();
    GByteArray *bytes = save(a);
    uint64_t deadline = 123456789;
    size_t header = 1 + 5 + 4, at;

    /* a bool in an embedded struct */
    at = find(bytes, "inner", 5, 0) + 5 + 4 + 2;
    g_assert(bytes->data[at] == 1);
    bytes->data[at] = 2;
    refused(b, bytes, "flag");
    bytes->data[at] = 1;
    /* more in the fifo than it holds */
    at = find(bytes, "\4\0\0\0fifo", 8, 0);
    bytes->data[at] = 9;
    refused(b, bytes, "fifo");
    g_assert_cmpuint(b->fifo_used, <=, 8);
    memset(bytes->data + at, 0xff, 4);
    refused(b, bytes, "fifo");
    memcpy(bytes->data + at, "\4\0\0\0", 4);
    /* deadlines: below -1, and one for a timer that is not there */
    at = find(bytes, &deadline, 8, 0);
    memset(bytes->data + at, 0x80, 8);
    refused(b, bytes, "timer");
    memcpy(bytes->data + at, &deadline, 8);
    bytes->data[at + 8] = 0;
    refused(b, bytes, "no_timer");
    bytes->data[at + 8] = 0xff;
    /* an index beyond its table */
    at += 16;
    g_assert(bytes->data[at] == 9);
    bytes->data[at] = 10;
    refused(b, bytes, "index");
    bytes->data[at] = 9;
    /* what post_load finds */
    bytes->data[header] = 0xee;
    refused(b, bytes, "EEh");
    bytes->data[header] = 0x12;
    /* another table, other versions */
    bytes->data[1] = 'O';
    refused(b, bytes, "expected");
    bytes->data[1] = '\n';
    refused(b, bytes, "\\n");
    bytes->data[1] = 'o';
    bytes->data[6] = 4;
    refused(b, bytes, "version 4");
    bytes->data[6] = 1;
    refused(b, bytes, "version 1");
    bytes->data[6] = 3;
    g_assert_true(load(b, bytes, bytes->len, NULL));
    g_byte_array_unref(bytes);
    outer_free(a);
    outer_free(b);
}

static void test_older_version_leaves_younger_fields_alone(void)
{
    Outer *a = outer_filled(), *b = outer_new();
    GByteArray *bytes = save(a);
    GError *err = NULL;

    bytes->data[6] = 2;
    b->younger = 5;
    g_assert_true(load(b, bytes, bytes->len - 4, &err));
    g_assert_no_error(err);
    g_assert(b->younger == 5 && b->loaded_version == 2);
    g_byte_array_unref(bytes);
    outer_free(a);
    outer_free(b);
}

static void test_random_damage_does_no_harm(void)
{
    Outer *a = outer_filled(), *b = outer_new();
    GByteArray *bytes = save(a);

    for (int i = 0; i < 50000; i++) {
        GByteArray *damaged = g_byte_array_new();
        size_t pos = 0;

        g_byte_array_append(damaged, bytes->data, bytes->len);
        for (int k = g_test_rand_int_range(1, 5); k > 0; k--) {
            damaged->data[g_test_rand_int_range(0, (gint32)damaged->len)] =
                (uint8_t)g_test_rand_int_range(0, 256);
        }
        state_load(&table, b, damaged->data, damaged->len, &pos, NULL);
        g_assert(b->fifo_used <= 8 && b->fixed_used <= 4 && b->index <= 9);
        g_byte_array_unref(damaged);
    }
    g_byte_array_unref(bytes);
    outer_free(a);
    outer_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/state/round-trip", test_save_then_load_gives_the_same);
    g_test_add_func("/state/truncated", test_every_truncation_is_refused);
    g_test_add_func("/state/range", test_values_out_of_range_are_refused);
    g_test_add_func("/state/version", test_older_version_leaves_younger_fields_alone);
    g_test_add_func("/state/damage", test_random_damage_does_no_harm);
    return g_test_run();
}
