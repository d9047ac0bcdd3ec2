/*
 * Packets of the remote protocol: framing, checksums, escapes, numbers (GDB manual, E.1).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GDBSTUB_PACKET_H
#define GDBSTUB_PACKET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { GDB_PACKET_MAX = 16384 }; /* bytes between $ and # */

typedef enum GdbInput {
    GDB_INPUT_NONE,      /* more is needed */
    GDB_INPUT_PACKET,    /* a whole one is in reader->packet, escapes undone */
    GDB_INPUT_BAD,       /* wrong checksum, or too long: to be sent again */
    GDB_INPUT_INTERRUPT, /* 03h outside of a packet */
    GDB_INPUT_ACK,
    GDB_INPUT_NACK,
} GdbInput;

typedef struct GdbReader {
    enum { GDB_OUTSIDE, GDB_INSIDE, GDB_ESCAPE, GDB_SUM1, GDB_SUM2 } state;
    bool no_sum; /* the checksum may be anything */
    bool overflow;
    uint8_t sum, sent_sum;
    GByteArray *packet; /* a NUL behind it does not count */
} GdbReader;

void gdb_reader_init(GdbReader *r);
void gdb_reader_free(GdbReader *r);
void gdb_reader_reset(GdbReader *r);
/* Takes one byte. The packet is the caller's to look at until the next call. */
GdbInput gdb_reader_byte(GdbReader *r, uint8_t byte);

/* Appends "$DATA#SUM" to OUT, DATA as it is: what may contain $ # } * went through
 * gdb_append_escaped() before. */
void gdb_append_packet(GByteArray *out, const char *data, size_t len);
void gdb_append_escaped(GString *to, const char *data, size_t len);
void gdb_append_hex(GString *to, const void *data, size_t len);

/* A position in a packet's text, which ends with NUL. */
typedef struct GdbScan {
    const char *p;
} GdbScan;

/* False without a change where the text goes on otherwise. */
bool gdb_scan_char(GdbScan *s, char c);
bool gdb_scan_word(GdbScan *s, const char *word);
/* A number of 1 to 16 hexadecimal digits. */
bool gdb_scan_hex(GdbScan *s, uint64_t *value);
/* LEN bytes as 2 * LEN digits. */
bool gdb_scan_bytes(GdbScan *s, uint8_t *buf, size_t len);
/* A thread: a number, or -1 for all of them, 0 for any. */
bool gdb_scan_thread(GdbScan *s, int64_t *thread);
bool gdb_scan_end(const GdbScan *s);

#endif
