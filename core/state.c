/*
 * State tables to bytes and back.
 *
 * A table is written as: length of its name (1 byte), the name, its version (4 bytes), then the
 * fields in order. Integers are little-endian in their own size; a STATE_VBYTES field is its length
 * in 4 bytes, then the bytes; a timer is its deadline in 8 bytes, -1 for none; an embedded struct
 * is its own table, for each element of an array. Fields that are younger than the version in the
 * stream are not in it. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/state.h"

#include <inttypes.h>
#include <string.h>

#include "core/clock.h"
#include "util/keyval.h"

typedef struct Reader {
    const uint8_t *data;
    size_t len, pos;
} Reader;

/* Fields without a version came with the first one. */
static bool field_in_version(const StateField *field, uint32_t version)
{
    return field->version <= version;
}

static void *field_data(const StateField *field, void *opaque)
{
    char *place = (char *)opaque + field->offset;

    return field->pointer ? *(void **)place : place;
}

static uint32_t *field_count(const StateField *field, void *opaque)
{
    return (uint32_t *)((char *)opaque + field->count_offset);
}

/* ---- saving ---- */

static void put(GByteArray *out, const void *data, size_t len)
{
    g_byte_array_append(out, data, (guint)len);
}

static void save_field(const StateField *field, void *opaque, GByteArray *out)
{
    char *data = field_data(field, opaque);
    uint32_t used;

    switch (field->kind) {
    case STATE_UINT: /* the host is little-endian */
    case STATE_BYTES:
        put(out, data, (size_t)field->size * field->count);
        break;
    case STATE_STRUCT:
        for (uint32_t i = 0; i < field->count; i++) {
            state_save(field->sub, data + (size_t)i * field->size, out);
        }
        break;
    case STATE_VBYTES:
        used = *field_count(field, opaque);
        g_assert(used <= field->size);
        put(out, &used, sizeof(used));
        put(out, data, used);
        break;
    case STATE_TIMER:
        for (uint32_t i = 0; i < field->count; i++) {
            const Timer *timer = ((Timer **)(void *)data)[i];
            int64_t deadline = timer ? timer_deadline(timer) : -1;

            put(out, &deadline, sizeof(deadline));
        }
        break;
    case STATE_END:
        g_assert_not_reached();
    }
}

void state_save(const StateTable *table, void *opaque, GByteArray *out)
{
    size_t name_len = strlen(table->name);
    uint8_t len = (uint8_t)name_len;

    g_assert(name_len <= UINT8_MAX);
    if (table->pre_save) {
        table->pre_save(opaque);
    }
    put(out, &len, sizeof(len));
    put(out, table->name, len);
    put(out, &table->version, sizeof(table->version));
    for (const StateField *field = table->fields; field && field->kind != STATE_END; field++) {
        save_field(field, opaque, out);
    }
}

/* ---- loading ---- */

static const uint8_t *take(Reader *in, size_t len, const StateTable *table, const char *what,
                           GError **err)
{
    const uint8_t *data = in->data + in->pos;

    if (len > in->len - in->pos) {
        emu_set_error(err, "state of '%s' ends inside '%s'", table->name, what);
        return NULL;
    }
    in->pos += len;
    return data;
}

static bool load_uints(const StateTable *table, const StateField *field, char *data, Reader *in,
                       GError **err)
{
    const uint8_t *from = take(in, (size_t)field->size * field->count, table, field->name, err);

    if (!from) {
        return false;
    }
    for (uint32_t i = 0; field->max && i < field->count; i++) {
        uint64_t value = 0;

        memcpy(&value, from + (size_t)i * field->size, field->size);
        if (value > field->max) {
            emu_set_error(err, "state of '%s': %s is %" PRIu64 ", the largest valid is %" PRIu64,
                          table->name, field->name, value, field->max);
            return false;
        }
    }
    memcpy(data, from, (size_t)field->size * field->count);
    return true;
}

static bool load_vbytes(const StateTable *table, const StateField *field, void *opaque, Reader *in,
                        GError **err)
{
    const uint8_t *from = take(in, sizeof(uint32_t), table, field->name, err);
    uint32_t used;

    if (!from) {
        return false;
    }
    memcpy(&used, from, sizeof(used));
    if (used > field->size) {
        emu_set_error(err, "state of '%s': %s has %" PRIu32 " bytes, room is for %" PRIu32,
                      table->name, field->name, used, field->size);
        return false;
    }
    from = take(in, used, table, field->name, err);
    if (!from) {
        return false;
    }
    if (used) {
        memcpy(field_data(field, opaque), from, used);
    }
    *field_count(field, opaque) = used;
    return true;
}

static bool load_timers(const StateTable *table, const StateField *field, void *data, Reader *in,
                        GError **err)
{
    Timer **timers = data;

    for (uint32_t i = 0; i < field->count; i++) {
        int64_t deadline;
        const uint8_t *from = take(in, sizeof(deadline), table, field->name, err);

        if (!from) {
            return false;
        }
        memcpy(&deadline, from, sizeof(deadline));
        if (deadline < -1 || (!timers[i] && deadline != -1)) {
            emu_set_error(err, "state of '%s': timer %s has an impossible deadline", table->name,
                          field->name);
            return false;
        }
        if (deadline >= 0) {
            timer_arm(timers[i], deadline);
        } else if (timers[i]) {
            timer_disarm(timers[i]);
        }
    }
    return true;
}

static bool load_table(const StateTable *table, void *opaque, Reader *in, GError **err);

static bool load_field(const StateTable *table, const StateField *field, void *opaque, Reader *in,
                       GError **err)
{
    char *data = field_data(field, opaque);
    const uint8_t *from;

    switch (field->kind) {
    case STATE_UINT:
        return load_uints(table, field, data, in, err);
    case STATE_BYTES:
        from = take(in, (size_t)field->size * field->count, table, field->name, err);
        if (from) {
            memcpy(data, from, (size_t)field->size * field->count);
        }
        return from;
    case STATE_STRUCT:
        for (uint32_t i = 0; i < field->count; i++) {
            if (!load_table(field->sub, data + (size_t)i * field->size, in, err)) {
                return false;
            }
        }
        return true;
    case STATE_VBYTES:
        return load_vbytes(table, field, opaque, in, err);
    case STATE_TIMER:
        return load_timers(table, field, data, in, err);
    case STATE_END:
        break;
    }
    g_assert_not_reached();
}

static bool load_header(const StateTable *table, Reader *in, uint32_t *version, GError **err)
{
    const uint8_t *len = take(in, 1, table, "name", err);
    const uint8_t *name = len ? take(in, *len, table, "name", err) : NULL;
    const uint8_t *from;

    if (!name) {
        return false;
    }
    if (*len != strlen(table->name) || memcmp(name, table->name, *len)) {
        char *found = g_strndup((const char *)name, *len);
        char *printable = g_strescape(found, NULL);

        emu_set_error(err, "state of '%s' expected, found that of '%s'", table->name, printable);
        g_free(printable);
        g_free(found);
        return false;
    }
    from = take(in, sizeof(*version), table, "version", err);
    if (!from) {
        return false;
    }
    memcpy(version, from, sizeof(*version));
    if (*version < table->min_version || *version > table->version) {
        emu_set_error(err,
                      "state of '%s' has version %" PRIu32 "; this program loads %" PRIu32
                      " to %" PRIu32,
                      table->name, *version, table->min_version, table->version);
        return false;
    }
    return true;
}

static bool load_table(const StateTable *table, void *opaque, Reader *in, GError **err)
{
    uint32_t version;

    if (!load_header(table, in, &version, err)) {
        return false;
    }
    for (const StateField *field = table->fields; field && field->kind != STATE_END; field++) {
        if (field_in_version(field, version) && !load_field(table, field, opaque, in, err)) {
            return false;
        }
    }
    return !table->post_load || table->post_load(opaque, version, err);
}

bool state_load(const StateTable *table, void *opaque, const uint8_t *data, size_t len, size_t *pos,
                GError **err)
{
    Reader in = {data, len, *pos};
    bool ok;

    g_assert(*pos <= len);
    ok = load_table(table, opaque, &in, err);
    *pos = in.pos;
    return ok;
}
