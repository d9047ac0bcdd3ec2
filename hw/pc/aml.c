/*
 * AML encoding. A term is its opcode bytes (the head) and a body; a term whose length AML stores is
 * closed when it is appended to its parent, because only then the length is known (PkgLength, ACPI
 * 6.4, 20.2.4).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/aml.h"

#include <string.h>

typedef enum AmlKind {
    AML_PLAIN,     /* head, body */
    AML_PKG,       /* head, PkgLength, body */
    AML_RESOURCES, /* a buffer: opcode, PkgLength, size, body, end tag */
} AmlKind;

struct Aml {
    AmlKind kind;
    GByteArray *head, *body;
};

/* ---- bytes ---- */

static void put(GByteArray *out, uint8_t byte)
{
    g_byte_array_append(out, &byte, 1);
}

static void put_le(GByteArray *out, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        put(out, (uint8_t)(value >> (8 * i)));
    }
}

static Aml *term(AmlKind kind)
{
    Aml *aml = g_new0(Aml, 1);

    aml->kind = kind;
    aml->head = g_byte_array_new();
    aml->body = g_byte_array_new();
    return aml;
}

/* A term of one opcode byte, or of ExtOpPrefix and one. */
static Aml *op(AmlKind kind, unsigned opcode)
{
    Aml *aml = term(kind);

    if (opcode > 0xff) {
        put(aml->head, (uint8_t)(opcode >> 8));
    }
    put(aml->head, (uint8_t)opcode);
    return aml;
}

/* One to four bytes; LEN does not count them, what is stored does. */
static void put_pkg_length(GByteArray *out, size_t len)
{
    static const size_t limit[4] = {0x3f, 0xfff, 0xfffff, 0xfffffff};
    unsigned more = 0;

    while (len + more + 1 > limit[more]) {
        more++;
        g_assert(more < 4);
    }
    len += more + 1;
    if (more == 0) {
        put(out, (uint8_t)len);
        return;
    }
    put(out, (uint8_t)(more << 6 | (len & 0xf)));
    put_le(out, len >> 4, more);
}

/* A PkgLength in a field list: bits, and itself not counted. */
static void put_field_length(GByteArray *out, unsigned bits)
{
    g_assert(bits <= 0xfff);
    if (bits <= 0x3f) {
        put(out, (uint8_t)bits);
    } else {
        put(out, (uint8_t)(1 << 6 | (bits & 0xf)));
        put(out, (uint8_t)(bits >> 4));
    }
}

static void put_name_seg(GByteArray *out, const char *seg, size_t len)
{
    g_assert(len >= 1 && len <= 4);
    for (size_t i = 0; i < 4; i++) {
        put(out, (uint8_t)(i < len ? seg[i] : '_'));
    }
}

/* NameString (20.2.2): root prefix, then none, one, two or more segments. */
static void put_name(GByteArray *out, const char *name)
{
    char **segs;
    guint count;

    if (*name == '\\') {
        put(out, '\\');
        name++;
    }
    segs = g_strsplit(name, ".", -1);
    count = *name ? g_strv_length(segs) : 0;
    if (count == 0) {
        put(out, 0); /* NullName */
    } else if (count == 2) {
        put(out, 0x2e); /* DualNamePrefix */
    } else if (count > 2) {
        put(out, 0x2f); /* MultiNamePrefix */
        put(out, (uint8_t)count);
    }
    for (guint i = 0; i < count; i++) {
        put_name_seg(out, segs[i], strlen(segs[i]));
    }
    g_strfreev(segs);
}

static void put_int(GByteArray *out, uint64_t value)
{
    if (value <= 1) {
        put(out, (uint8_t)value); /* ZeroOp, OneOp */
    } else if (value <= 0xff) {
        put(out, 0x0a);
        put_le(out, value, 1);
    } else if (value <= 0xffff) {
        put(out, 0x0b);
        put_le(out, value, 2);
    } else if (value <= 0xffffffff) {
        put(out, 0x0c);
        put_le(out, value, 4);
    } else {
        put(out, 0x0e);
        put_le(out, value, 8);
    }
}

/* Closes a resource template: the end tag with checksum 0 (none), and the buffer's size before it.
 */
static void close_resources(Aml *aml)
{
    GByteArray *size = g_byte_array_new();

    put(aml->body, 0x79);
    put(aml->body, 0);
    put_int(size, aml->body->len);
    g_byte_array_prepend(aml->body, size->data, size->len);
    g_byte_array_free(size, TRUE);
}

static void aml_free(Aml *aml)
{
    g_byte_array_free(aml->head, TRUE);
    g_byte_array_free(aml->body, TRUE);
    g_free(aml);
}

void aml_append(Aml *parent, Aml *child)
{
    GByteArray *out = parent->body;

    if (child->kind == AML_RESOURCES) {
        close_resources(child);
    }
    g_byte_array_append(out, child->head->data, child->head->len);
    if (child->kind != AML_PLAIN) {
        put_pkg_length(out, child->body->len);
    }
    g_byte_array_append(out, child->body->data, child->body->len);
    aml_free(child);
}

Aml *aml_root(void)
{
    return term(AML_PLAIN);
}

GByteArray *aml_take(Aml *root)
{
    GByteArray *bytes = g_byte_array_ref(root->body);

    g_assert(root->kind == AML_PLAIN && root->head->len == 0);
    g_byte_array_unref(root->body);
    g_byte_array_free(root->head, TRUE);
    g_free(root);
    return bytes;
}

/* ---- containers ---- */

Aml *aml_scope(const char *name)
{
    Aml *aml = op(AML_PKG, 0x10);

    put_name(aml->body, name);
    return aml;
}

Aml *aml_device(const char *name)
{
    Aml *aml = op(AML_PKG, 0x5b82);

    put_name(aml->body, name);
    return aml;
}

Aml *aml_method(const char *name, int args, bool serialized)
{
    Aml *aml = op(AML_PKG, 0x14);

    put_name(aml->body, name);
    put(aml->body, (uint8_t)(args | (serialized ? 1 << 3 : 0)));
    return aml;
}

Aml *aml_package(uint8_t elements)
{
    Aml *aml = op(AML_PKG, 0x12);

    put(aml->body, elements);
    return aml;
}

Aml *aml_if(Aml *condition)
{
    Aml *aml = op(AML_PKG, 0xa0);

    aml_append(aml, condition);
    return aml;
}

Aml *aml_else(void)
{
    return op(AML_PKG, 0xa1);
}

Aml *aml_field(const char *region, unsigned access)
{
    Aml *aml = op(AML_PKG, 0x5b81);

    put_name(aml->body, region);
    put(aml->body, (uint8_t)access); /* no lock, preserve */
    return aml;
}

/* ---- objects ---- */

Aml *aml_name(const char *name, Aml *value)
{
    Aml *aml = op(AML_PLAIN, 0x08);

    put_name(aml->body, name);
    aml_append(aml, value);
    return aml;
}

Aml *aml_int(uint64_t value)
{
    Aml *aml = term(AML_PLAIN);

    put_int(aml->body, value);
    return aml;
}

Aml *aml_string(const char *text)
{
    Aml *aml = op(AML_PLAIN, 0x0d);

    g_byte_array_append(aml->body, (const uint8_t *)text, (guint)strlen(text) + 1);
    return aml;
}

/* EISAID() (19.6.35): three letters of five bits, four hexadecimal digits, big-endian. */
Aml *aml_eisaid(const char *id)
{
    Aml *aml = op(AML_PLAIN, 0x0c);
    uint32_t value = 0;

    g_assert(strlen(id) == 7);
    for (int i = 0; i < 3; i++) {
        value = value << 5 | (uint32_t)(id[i] - 0x40);
    }
    for (int i = 3; i < 7; i++) {
        value = value << 4 | (uint32_t)g_ascii_xdigit_value(id[i]);
    }
    put_le(aml->body, GUINT32_SWAP_LE_BE(value), 4);
    return aml;
}

Aml *aml_buffer(const void *data, size_t len)
{
    Aml *aml = op(AML_PKG, 0x11);

    put_int(aml->body, len);
    g_byte_array_append(aml->body, data, (guint)len);
    return aml;
}

Aml *aml_path(const char *name)
{
    Aml *aml = term(AML_PLAIN);

    put_name(aml->body, name);
    return aml;
}

Aml *aml_local(int n)
{
    g_assert(n >= 0 && n < 8);
    return op(AML_PLAIN, 0x60 + (unsigned)n);
}

Aml *aml_arg(int n)
{
    g_assert(n >= 0 && n < 7);
    return op(AML_PLAIN, 0x68 + (unsigned)n);
}

Aml *aml_op_region(const char *name, unsigned space, uint64_t offset, uint64_t len)
{
    Aml *aml = op(AML_PLAIN, 0x5b80);

    put_name(aml->body, name);
    put(aml->body, (uint8_t)space);
    put_int(aml->body, offset);
    put_int(aml->body, len);
    return aml;
}

Aml *aml_named_field(const char *name, unsigned bits)
{
    Aml *aml = term(AML_PLAIN);

    put_name_seg(aml->body, name, strlen(name));
    put_field_length(aml->body, bits);
    return aml;
}

/* ---- statements ---- */

Aml *aml_return(Aml *value)
{
    Aml *aml = op(AML_PLAIN, 0xa4);

    aml_append(aml, value);
    return aml;
}

Aml *aml_store(Aml *value, Aml *target)
{
    Aml *aml = op(AML_PLAIN, 0x70);

    aml_append(aml, value);
    aml_append(aml, target);
    return aml;
}

static Aml *binary(unsigned opcode, Aml *a, Aml *b, Aml *target)
{
    Aml *aml = op(AML_PLAIN, opcode);

    aml_append(aml, a);
    aml_append(aml, b);
    if (target) {
        aml_append(aml, target);
    } else {
        put(aml->body, 0); /* NullName: nowhere */
    }
    return aml;
}

Aml *aml_and(Aml *a, Aml *b, Aml *target)
{
    return binary(0x7b, a, b, target);
}

Aml *aml_or(Aml *a, Aml *b, Aml *target)
{
    return binary(0x7d, a, b, target);
}

Aml *aml_create_dword_field(Aml *buffer, uint64_t byte, const char *name)
{
    Aml *aml = op(AML_PLAIN, 0x8a);

    aml_append(aml, buffer);
    put_int(aml->body, byte);
    put_name(aml->body, name);
    return aml;
}

/* ---- resource descriptors (6.4) ---- */

Aml *aml_resources(void)
{
    return op(AML_RESOURCES, 0x11);
}

Aml *aml_res_io(uint16_t min, uint16_t max, uint8_t align, uint8_t len)
{
    Aml *aml = op(AML_PLAIN, 0x47); /* small, I/O port, 7 bytes */

    put(aml->body, 1); /* decodes 16 bits */
    put_le(aml->body, min, 2);
    put_le(aml->body, max, 2);
    put(aml->body, align);
    put(aml->body, len);
    return aml;
}

Aml *aml_res_irq(unsigned irq)
{
    Aml *aml = op(AML_PLAIN, 0x22); /* small, IRQ, 2 bytes: without flags */

    g_assert(irq < 16);
    put_le(aml->body, 1u << irq, 2);
    return aml;
}

Aml *aml_res_dma(unsigned channel)
{
    Aml *aml = op(AML_PLAIN, 0x2a); /* small, DMA, 2 bytes (6.4.2.2) */

    g_assert(channel < 8);
    put_le(aml->body, 1u << channel, 1);
    put_le(aml->body, 0, 1);
    return aml;
}

Aml *aml_res_fixed_memory(uint32_t base, uint32_t len)
{
    Aml *aml = op(AML_PLAIN, 0x86); /* large, 32-bit fixed memory range (6.4.3.4) */

    put_le(aml->body, 9, 2);
    put_le(aml->body, 1, 1); /* writable */
    put_le(aml->body, base, 4);
    put_le(aml->body, len, 4);
    return aml;
}

Aml *aml_res_interrupt(const uint32_t *irqs, uint8_t count)
{
    Aml *aml = op(AML_PLAIN, 0x89); /* large, extended interrupt */

    put_le(aml->body, 2u + 4u * count, 2);
    put(aml->body, 1 << 0 | 1 << 3); /* consumer, level, active high, shared */
    put(aml->body, count);
    for (uint8_t i = 0; i < count; i++) {
        put_le(aml->body, irqs[i], 4);
    }
    return aml;
}

enum { RES_MEMORY = 0, RES_IO = 1, RES_BUS = 2 };

/* Address space descriptors of the sizes 2, 4 and 8: what a bridge passes on, both ends fixed. */
static Aml *res_address(unsigned tag, unsigned size, uint8_t type, uint8_t type_flags, uint64_t min,
                        uint64_t max)
{
    Aml *aml = op(AML_PLAIN, tag);

    put_le(aml->body, 3 + 5 * size, 2);
    put(aml->body, type);
    put(aml->body, 1 << 2 | 1 << 3); /* producer, positive decode, MinFixed, MaxFixed */
    put(aml->body, type_flags);
    put_le(aml->body, 0, size); /* granularity */
    put_le(aml->body, min, size);
    put_le(aml->body, max, size);
    put_le(aml->body, 0, size); /* translation */
    put_le(aml->body, max - min + 1, size);
    return aml;
}

Aml *aml_res_bus(uint16_t min, uint16_t max)
{
    return res_address(0x88, 2, RES_BUS, 0, min, max);
}

Aml *aml_res_word_io(uint16_t min, uint16_t max)
{
    return res_address(0x88, 2, RES_IO, 3, min, max); /* ISA and non-ISA ranges */
}

static uint8_t memory_flags(bool cacheable)
{
    return 1 | (cacheable ? 1 << 1 : 0); /* read-write */
}

Aml *aml_res_dword_memory(uint32_t min, uint32_t max, bool cacheable)
{
    return res_address(0x87, 4, RES_MEMORY, memory_flags(cacheable), min, max);
}

Aml *aml_res_qword_memory(uint64_t min, uint64_t max, bool cacheable)
{
    return res_address(0x8a, 8, RES_MEMORY, memory_flags(cacheable), min, max);
}
