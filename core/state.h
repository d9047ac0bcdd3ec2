/*
 * State tables: the only way a device's or CPU's state is saved, loaded and migrated.
 *
 * A StateTable is a const list of fields of one struct. What is derived from other state is not in
 * the table; post_load rebuilds it. Every row has the version that brought it; loading accepts
 * [min_version, version]. The stream is self-describing enough to be checked: a table's name, its
 * version, then the fields in order, little-endian. Values loaded are untrusted: rows of bounded
 * integers and post_load check them.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum StateKind {
    STATE_END,
    STATE_UINT,   /* 1, 2, 4 or 8 bytes in SIZE (bool is 1) */
    STATE_BYTES,  /* SIZE bytes as they are */
    STATE_STRUCT, /* embedded struct described by SUB, SIZE bytes each */
    STATE_VBYTES, /* SIZE is the capacity; a uint32_t at COUNT_OFFSET says how many are used;
                     the field is a pointer when POINTER */
    STATE_TIMER,  /* Timer *: its deadline on its clock, or none */
} StateKind;

typedef struct StateTable StateTable;

typedef struct StateField {
    const char *name;
    StateKind kind;
    uint32_t offset;
    uint32_t size;
    uint32_t count;        /* array length, 1 for a scalar */
    uint32_t version;      /* table version that brought the field */
    uint32_t count_offset; /* STATE_VBYTES */
    bool pointer;          /* the struct holds a pointer to the (allocated) data */
    uint64_t max;          /* STATE_UINT: largest valid value, 0: any */
    const StateTable *sub;
} StateField;

struct StateTable {
    const char *name;
    uint32_t version, min_version;
    const StateField *fields; /* ends with STATE_FIELD_END */
    void (*pre_save)(void *opaque);
    bool (*post_load)(void *opaque, uint32_t version, GError **err);
};

#define STATE_SIZEOF(s, f) ((uint32_t)sizeof(((s *)0)->f))
/* The largest value a field of F's type may be loaded with: 1 for a bool, any for others. */
#define STATE_TYPE_MAX(s, f) _Generic(((s *)0)->f, bool : 1, default : 0)
/* An integer or bool field; one array of them. */
#define STATE_FIELD_UINT(s, f)                                                                     \
    {                                                                                              \
        .name = #f, .kind = STATE_UINT, .offset = offsetof(s, f), .size = STATE_SIZEOF(s, f),      \
        .count = 1, .max = STATE_TYPE_MAX(s, f)                                                    \
    }
#define STATE_FIELD_UINT_MAX(s, f, m)                                                              \
    {                                                                                              \
        .name = #f, .kind = STATE_UINT, .offset = offsetof(s, f), .size = STATE_SIZEOF(s, f),      \
        .count = 1, .max = (m)                                                                     \
    }
#define STATE_FIELD_UINT_ARRAY(s, f)                                                               \
    {                                                                                              \
        .name = #f, .kind = STATE_UINT, .offset = offsetof(s, f), .size = STATE_SIZEOF(s, f[0]),   \
        .count = STATE_SIZEOF(s, f) / STATE_SIZEOF(s, f[0]), .max = STATE_TYPE_MAX(s, f[0])        \
    }
#define STATE_FIELD_BYTES(s, f)                                                                    \
    {                                                                                              \
        .name = #f, .kind = STATE_BYTES, .offset = offsetof(s, f), .size = STATE_SIZEOF(s, f),     \
        .count = 1                                                                                 \
    }
/* F points to LEN bytes the device allocated. */
#define STATE_FIELD_BUFFER(s, f, len)                                                              \
    {                                                                                              \
        .name = #f, .kind = STATE_BYTES, .offset = offsetof(s, f), .size = (len), .count = 1,      \
        .pointer = true                                                                            \
    }
#define STATE_FIELD_STRUCT(s, f, table)                                                            \
    {                                                                                              \
        .name = #f, .kind = STATE_STRUCT, .offset = offsetof(s, f), .size = STATE_SIZEOF(s, f),    \
        .count = 1, .sub = (table)                                                                 \
    }
#define STATE_FIELD_STRUCT_ARRAY(s, f, table)                                                      \
    {                                                                                              \
        .name = #f, .kind = STATE_STRUCT, .offset = offsetof(s, f), .size = STATE_SIZEOF(s, f[0]), \
        .count = STATE_SIZEOF(s, f) / STATE_SIZEOF(s, f[0]), .sub = (table)                        \
    }
#define STATE_FIELD_VBYTES(s, f, cap, n)                                                           \
    {                                                                                              \
        .name = #f, .kind = STATE_VBYTES, .offset = offsetof(s, f), .size = (cap), .count = 1,     \
        .count_offset = offsetof(s, n)                                                             \
    }
#define STATE_FIELD_TIMER(s, f)                                                                    \
    {                                                                                              \
        .name = #f, .kind = STATE_TIMER, .offset = offsetof(s, f), .count = 1                      \
    }
#define STATE_FIELD_END                                                                            \
    {                                                                                              \
        .kind = STATE_END                                                                          \
    }

/* Appends the state of OPAQUE (whose struct TABLE describes) to OUT. */
void state_save(const StateTable *table, void *opaque, GByteArray *out);
/* Loads it from DATA[*POS..LEN) and moves *POS behind it; false with ERR set when it does not fit,
 * OPAQUE then being in an undefined but safe state. */
bool state_load(const StateTable *table, void *opaque, const uint8_t *data, size_t len, size_t *pos,
                GError **err);

#endif
