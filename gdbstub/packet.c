/*
 * Framing of the remote protocol.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gdbstub/packet.h"

#include <string.h>

enum { INTERRUPT = 3, ESCAPE = '}', ESCAPE_XOR = 0x20 };

void gdb_reader_init(GdbReader *r)
{
    *r = (GdbReader){.packet = g_byte_array_new()};
}

void gdb_reader_free(GdbReader *r)
{
    g_clear_pointer(&r->packet, g_byte_array_unref);
}

void gdb_reader_reset(GdbReader *r)
{
    r->state = GDB_OUTSIDE;
    r->no_sum = false;
    g_byte_array_set_size(r->packet, 0);
}

static void begin(GdbReader *r)
{
    r->state = GDB_INSIDE;
    r->sum = 0;
    r->overflow = false;
    g_byte_array_set_size(r->packet, 0);
}

static void add(GdbReader *r, uint8_t byte)
{
    if (r->packet->len == GDB_PACKET_MAX) {
        r->overflow = true;
        return;
    }
    g_byte_array_append(r->packet, &byte, 1);
}

static GdbInput outside(GdbReader *r, uint8_t byte)
{
    switch (byte) {
    case '$':
        begin(r);
        return GDB_INPUT_NONE;
    case INTERRUPT:
        return GDB_INPUT_INTERRUPT;
    case '+':
        return GDB_INPUT_ACK;
    case '-':
        return GDB_INPUT_NACK;
    default:
        return GDB_INPUT_NONE;
    }
}

/* -1: no hexadecimal digit, which makes any checksum wrong. */
static int digit(uint8_t c)
{
    return g_ascii_xdigit_value((char)c);
}

static GdbInput end(GdbReader *r, bool good)
{
    static const uint8_t nul;

    r->state = GDB_OUTSIDE;
    if (r->overflow || (!good && !r->no_sum)) {
        return GDB_INPUT_BAD;
    }
    g_byte_array_append(r->packet, &nul, 1);
    g_byte_array_set_size(r->packet, r->packet->len - 1);
    return GDB_INPUT_PACKET;
}

GdbInput gdb_reader_byte(GdbReader *r, uint8_t byte)
{
    switch (r->state) {
    case GDB_OUTSIDE:
        return outside(r, byte);
    case GDB_INSIDE:
    case GDB_ESCAPE:
        if (byte == '#') {
            r->state = GDB_SUM1;
            return GDB_INPUT_NONE;
        }
        if (byte == '$') { /* the rest of the packet before was lost */
            begin(r);
            return GDB_INPUT_NONE;
        }
        r->sum += byte;
        if (r->state == GDB_ESCAPE) {
            r->state = GDB_INSIDE;
            add(r, byte ^ ESCAPE_XOR);
        } else if (byte == ESCAPE) {
            r->state = GDB_ESCAPE;
        } else {
            add(r, byte);
        }
        return GDB_INPUT_NONE;
    case GDB_SUM1:
        r->sent_sum = byte;
        r->state = GDB_SUM2;
        return GDB_INPUT_NONE;
    case GDB_SUM2:
        return end(r, digit(r->sent_sum) >= 0 && digit(byte) >= 0 &&
                          (digit(r->sent_sum) << 4 | digit(byte)) == r->sum);
    }
    return GDB_INPUT_NONE;
}

void gdb_append_packet(GByteArray *out, const char *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += (uint8_t)data[i];
    }
    const char tail[] = {'#', digits[sum >> 4], digits[sum & 15]};
    g_byte_array_append(out, (const uint8_t *)"$", 1);
    g_byte_array_append(out, (const uint8_t *)data, (guint)len);
    g_byte_array_append(out, (const uint8_t *)tail, sizeof(tail));
}

void gdb_append_escaped(GString *to, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] && strchr("$#}*", data[i])) {
            g_string_append_c(to, ESCAPE);
            g_string_append_c(to, (char)(data[i] ^ ESCAPE_XOR));
        } else {
            g_string_append_c(to, data[i]);
        }
    }
}

void gdb_append_hex(GString *to, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++) {
        g_string_append_printf(to, "%02x", p[i]);
    }
}

/* ---- reading ---- */

bool gdb_scan_char(GdbScan *s, char c)
{
    if (!c || *s->p != c) {
        return false;
    }
    s->p++;
    return true;
}

bool gdb_scan_word(GdbScan *s, const char *word)
{
    if (!g_str_has_prefix(s->p, word)) {
        return false;
    }
    s->p += strlen(word);
    return true;
}

bool gdb_scan_hex(GdbScan *s, uint64_t *value)
{
    const char *p = s->p;
    uint64_t v = 0;

    while (g_ascii_isxdigit(*p)) {
        if (p - s->p == 16) {
            return false;
        }
        v = v << 4 | (unsigned)g_ascii_xdigit_value(*p++);
    }
    if (p == s->p) {
        return false;
    }
    s->p = p;
    *value = v;
    return true;
}

bool gdb_scan_bytes(GdbScan *s, uint8_t *buf, size_t len)
{
    const char *p = s->p;

    for (size_t i = 0; i < len; i++, p += 2) {
        if (!g_ascii_isxdigit(p[0]) || !g_ascii_isxdigit(p[1])) {
            return false;
        }
        buf[i] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
    }
    s->p = p;
    return true;
}

bool gdb_scan_thread(GdbScan *s, int64_t *thread)
{
    uint64_t v;

    if (gdb_scan_word(s, "-1")) {
        *thread = -1;
        return true;
    }
    if (!gdb_scan_hex(s, &v) || v > INT32_MAX) {
        return false;
    }
    *thread = (int64_t)v;
    return true;
}

bool gdb_scan_end(const GdbScan *s)
{
    return !*s->p;
}
