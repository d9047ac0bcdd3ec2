/*
 * The qcow2 header and its extensions: reading, validating, and fields written in place.
 *
 * Nothing in an image is believed before it is checked. Header extensions this program does not
 * know are kept, since the area they are in is never rewritten. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

enum {
    EXT_END = 0,
    EXT_BACKING_FORMAT = (int)0xe2792aca,
    EXT_FEATURE_NAMES = 0x6803f857,
    EXT_BITMAPS = 0x23852875,
    EXT_CRYPTO = 0x0537be77,
    EXT_DATA_FILE = 0x44415441,
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32(p) << 32 | be32(p + 4);
}

void qcow2_header_clear(Qcow2Header *h)
{
    g_free(h->backing_name);
    g_free(h->backing_format);
    memset(h, 0, sizeof(*h));
}

/* A feature's own name for it, or NULL. TABLE: pairs of (type, bit, 46 bytes of name). */
static char *feature_name(const uint8_t *table, size_t len, unsigned bit)
{
    for (; len >= 48; table += 48, len -= 48) {
        if (table[0] == 0 && table[1] == bit) {
            char *name = g_strndup((const char *)table + 2, 46);

            for (char *p = name; *p; p++) {
                *p = g_ascii_isprint(*p) ? *p : '?';
            }
            return name;
        }
    }
    return NULL;
}

static bool check_features(const Qcow2Header *h, const char *name, const uint8_t *names,
                           size_t names_len, GError **err)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } refused[] = {
        {QCOW2_INCOMPAT_DATA_FILE, "an external data file"},
        {QCOW2_INCOMPAT_EXTL2, "extended L2 entries (subclusters)"},
    };
    uint64_t known = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT | QCOW2_INCOMPAT_COMPRESSION;

    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        if (h->incompatible & refused[i].bit) {
            emu_set_error(err, "Could not open '%s': it uses %s, which is not supported", name,
                          refused[i].name);
            return false;
        }
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((h->incompatible & ~known) >> bit & 1) {
            g_autofree char *feature = feature_name(names, names_len, bit);

            emu_set_error(
                err, "Could not open '%s': unsupported qcow2 feature: %s (incompatible bit %u)",
                name, feature ? feature : "unknown", bit);
            return false;
        }
    }
    return true;
}

static bool check_table(const char *name, const char *what, uint64_t offset, uint64_t bytes,
                        uint64_t align, uint64_t file_len, GError **err)
{
    if (offset & (align - 1)) {
        emu_set_error(err,
                      "Could not open '%s': %s offset 0x%" G_GINT64_MODIFIER "x is not aligned",
                      name, what, offset);
        return false;
    }
    if (offset > file_len || bytes > file_len - offset || (bytes && offset == 0)) {
        emu_set_error(err,
                      "Could not open '%s': %s at 0x%" G_GINT64_MODIFIER "x is outside the file",
                      name, what, offset);
        return false;
    }
    return true;
}

/* LENIENT: the refcount table may be anywhere, since a check can make a new one. */
static bool validate(const Qcow2Header *h, const char *name, uint64_t file_len, bool lenient,
                     GError **err)
{
    uint64_t cluster, l1_need, l1_bytes, reftable_bytes;

#define BAD(...)                                                                                   \
    do {                                                                                           \
        g_autofree char *why_ = g_strdup_printf(__VA_ARGS__);                                      \
        emu_set_error(err, "Could not open '%s': %s", name, why_);                                 \
        return false;                                                                              \
    } while (0)

    if (h->version != 2 && h->version != 3) {
        BAD("unsupported qcow2 version %u (2 and 3 are supported)", h->version);
    }
    if (h->cluster_bits < QCOW2_MIN_CLUSTER_BITS || h->cluster_bits > QCOW2_MAX_CLUSTER_BITS) {
        BAD("invalid qcow2 cluster_bits %u (must be 9 to 21)", h->cluster_bits);
    }
    cluster = (uint64_t)1 << h->cluster_bits;
    if (h->crypt_method) {
        BAD("it is encrypted (%s), which is not supported", h->crypt_method == 2 ? "LUKS" : "AES");
    }
    if (h->version == 3 && (h->header_length < QCOW2_V3_HEADER || h->header_length > cluster)) {
        BAD("invalid qcow2 header_length %u", h->header_length);
    }
    if (h->refcount_order > 6) {
        BAD("invalid qcow2 refcount_order %u (at most 6, for 64 bits)", h->refcount_order);
    }
    if (h->size > BLOCK_MAX_LENGTH) {
        BAD("the virtual size is too large");
    }
    l1_need = (h->size + cluster - 1) >> h->cluster_bits;
    l1_need = (l1_need + (cluster / 8) - 1) >> (h->cluster_bits - 3);
    l1_bytes = (uint64_t)h->l1_size * 8;
    if (l1_bytes > QCOW2_MAX_L1_BYTES) {
        BAD("the L1 table is too large (%u entries)", h->l1_size);
    }
    if (h->l1_size < l1_need) {
        BAD("the L1 table is too small (%u entries, %" G_GUINT64_FORMAT " needed)", h->l1_size,
            l1_need);
    }
    reftable_bytes = (uint64_t)h->reftable_clusters << h->cluster_bits;
    if (reftable_bytes > QCOW2_MAX_REFTABLE) {
        BAD("the refcount table is too large (%u clusters)", h->reftable_clusters);
    }
    if (reftable_bytes == 0 && !lenient) {
        BAD("it has no refcount table");
    }
    if (h->snapshot_count > QCOW2_MAX_SNAPSHOTS) {
        BAD("too many snapshots (%u)", h->snapshot_count);
    }
    if (h->version == 3 && h->compression > QCOW2_ZSTD) {
        BAD("unknown compression type %u (0 zlib, 1 zstd)", h->compression);
    }
    if ((h->compression != QCOW2_ZLIB) != !!(h->incompatible & QCOW2_INCOMPAT_COMPRESSION)) {
        BAD("compression type and the compression feature bit contradict each other");
    }
#undef BAD
    return check_table(name, "L1 table", h->l1_offset, l1_bytes, cluster, file_len, err) &&
           (lenient || check_table(name, "refcount table", h->reftable_offset, reftable_bytes,
                                   cluster, file_len, err)) &&
           check_table(name, "snapshot table", h->snapshots_offset, h->snapshot_count ? 40 : 0,
                       h->snapshot_count ? cluster : 1, h->snapshot_count ? file_len : UINT64_MAX,
                       err);
}

typedef struct Extensions {
    const uint8_t *names;
    size_t names_len;
} Extensions;

static bool parse_extensions(Qcow2Header *h, const char *name, const uint8_t *buf, size_t end,
                             Extensions *ext, GError **err)
{
    size_t at = h->header_length;

    while (at + 8 <= end) {
        uint32_t type = be32(buf + at), len = be32(buf + at + 4);

        at += 8;
        if (type == EXT_END) {
            return true;
        }
        if (len > end - at) {
            emu_set_error(err, "Could not open '%s': a header extension is too large (%u bytes)",
                          name, len);
            return false;
        }
        if (type == (uint32_t)EXT_BACKING_FORMAT) {
            if (len > 15) {
                emu_set_error(err, "Could not open '%s': the backing format name is too long",
                              name);
                return false;
            }
            g_free(h->backing_format);
            h->backing_format = g_strndup((const char *)buf + at, len);
        } else if (type == EXT_FEATURE_NAMES) {
            ext->names = buf + at;
            ext->names_len = len;
        } else if (type == EXT_BITMAPS && len >= 24) {
            h->bitmap_count = be32(buf + at);
            h->bitmap_dir_size = be64(buf + at + 8);
            h->bitmap_dir_offset = be64(buf + at + 16);
        }
        at += ((size_t)len + 7) & ~(size_t)7;
    }
    return true;
}

static void decode(Qcow2Header *h, const uint8_t *b)
{
    h->version = be32(b + 4);
    h->backing_offset = be64(b + 8);
    h->backing_len = be32(b + 16);
    h->cluster_bits = be32(b + 20);
    h->size = be64(b + 24);
    h->crypt_method = be32(b + 32);
    h->l1_size = be32(b + 36);
    h->l1_offset = be64(b + 40);
    h->reftable_offset = be64(b + 48);
    h->reftable_clusters = be32(b + 56);
    h->snapshot_count = be32(b + 60);
    h->snapshots_offset = be64(b + 64);
    h->refcount_order = 4;
    h->header_length = QCOW2_V2_HEADER;
    if (h->version >= 3) {
        h->incompatible = be64(b + 72);
        h->compatible = be64(b + 80);
        h->autoclear = be64(b + 88);
        h->refcount_order = be32(b + 96);
        h->header_length = be32(b + 100);
        h->compression = h->header_length > 104 ? b[104] : QCOW2_ZLIB;
    }
}

bool qcow2_co_read_header(BlockNode *file, Qcow2Header *h, bool lenient, GError **err)
{
    uint64_t file_len = block_node_length(file);
    const char *name = *file->filename ? file->filename : "temporary file";
    g_autofree uint8_t *buf = g_malloc0((size_t)1 << QCOW2_MAX_CLUSTER_BITS);
    Extensions ext = {0};
    size_t cluster, end;
    int r;

    memset(h, 0, sizeof(*h));
    r = block_co_read_buf(file, 0, buf, 512);
    if (r < 0) {
        emu_set_error(err, "Could not read the header of '%s': %s", name, g_strerror(-r));
        return false;
    }
    if (file_len < QCOW2_V2_HEADER || be32(buf) != QCOW2_MAGIC) {
        emu_set_error(err, "Could not open '%s': it is not in qcow2 format", name);
        return false;
    }
    decode(h, buf);
    if (!validate(h, name, file_len, lenient, err)) {
        return false;
    }
    cluster = (size_t)1 << h->cluster_bits;
    r = block_co_read_buf(file, 0, buf, cluster);
    if (r < 0) {
        emu_set_error(err, "Could not read the header of '%s': %s", name, g_strerror(-r));
        return false;
    }
    end = cluster;
    if (h->backing_offset) {
        if (h->backing_len > QCOW2_MAX_BACKING_NAME || h->backing_offset > cluster ||
            h->backing_len > cluster - h->backing_offset || h->backing_offset < h->header_length) {
            emu_set_error(
                err, "Could not open '%s': the backing file name does not lie in the header", name);
            return false;
        }
        end = h->backing_offset;
        if (h->backing_len) {
            h->backing_name = g_strndup((const char *)buf + h->backing_offset, h->backing_len);
        }
    }
    return parse_extensions(h, name, buf, end, &ext, err) &&
           check_features(h, name, ext.names, ext.names_len, err);
}

int qcow2_co_write_header(Qcow2 *s, uint32_t offset, const void *buf, uint32_t bytes)
{
    return block_co_write_buf(s->file, offset, buf, bytes);
}

int qcow2_co_set_incompatible(Qcow2 *s, uint64_t bits)
{
    uint64_t be = GUINT64_TO_BE(bits);
    int r = qcow2_co_write_header(s, QCOW2_HDR_INCOMPATIBLE, &be, sizeof(be));

    if (r == 0) {
        r = block_co_flush(s->file);
    }
    if (r == 0) {
        s->h.incompatible = bits;
    }
    return r;
}
