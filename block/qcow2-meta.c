/*
 * qcow2: which host clusters hold metadata, so that neither a bad mapping nor a bad refcount makes
 * the guest's data overwrite them; and what happens when an image turns out to be corrupt.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdarg.h>

enum { CHUNK_BITS = 16, CHUNK_WORDS = (1 << CHUNK_BITS) / 64 };

/* A damaged image may place its tables anywhere in 64 bits: chunks are kept by number, so that
 * memory goes with what is marked. */
static uint64_t *meta_chunk(const Qcow2 *s, uint64_t chunk)
{
    int64_t key = (int64_t)chunk;

    return s->meta_map ? g_hash_table_lookup(s->meta_map, &key) : NULL;
}

void qcow2_meta_mark(Qcow2 *s, uint64_t offset, uint64_t bytes, bool on)
{
    uint64_t first = offset >> s->cluster_bits,
             end = qcow2_align_up(s, offset + bytes) >> s->cluster_bits;

    for (uint64_t c = first; c < end; c++) {
        uint64_t chunk = c >> CHUNK_BITS, bit = c & ((1 << CHUNK_BITS) - 1);

        uint64_t *words = meta_chunk(s, chunk);

        if (!words) {
            int64_t *key = g_new(int64_t, 1);

            if (!s->meta_map) {
                s->meta_map = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
            }
            *key = (int64_t)chunk;
            words = g_new0(uint64_t, CHUNK_WORDS);
            g_hash_table_insert(s->meta_map, key, words);
        }
        if (on) {
            words[bit / 64] |= (uint64_t)1 << (bit % 64);
        } else {
            words[bit / 64] &= ~((uint64_t)1 << (bit % 64));
        }
    }
}

bool qcow2_meta_overlap(const Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    uint64_t c = offset >> s->cluster_bits, end = (offset + bytes - 1) >> s->cluster_bits;

    for (; c <= end; c++) {
        uint64_t chunk = c >> CHUNK_BITS, bit = c & ((1 << CHUNK_BITS) - 1);

        const uint64_t *words = meta_chunk(s, chunk);

        if (words && (words[bit / 64] >> (bit % 64) & 1)) {
            return true;
        }
    }
    return false;
}

void qcow2_meta_free(Qcow2 *s)
{
    g_clear_pointer(&s->meta_map, g_hash_table_unref);
}

int qcow2_co_corrupt(Qcow2 *s, const char *format, ...)
{
    g_autofree char *why = NULL;
    bool first = !s->corrupt;
    va_list ap;

    s->corrupt = true;
    if (!first) {
        return -EIO;
    }
    va_start(ap, format);
    why = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_printerr("qcow2: image '%s' is corrupt: %s; %s\n", s->node->filename, why,
               s->node->read_only ? "reads of that part will fail" : "it is read-only from now on");
    if (!s->node->read_only && s->h.version >= 3) {
        qcow2_co_set_incompatible(s, s->h.incompatible | QCOW2_INCOMPAT_CORRUPT);
    }
    return -EIO;
}
