/*
 * qcow2, versions 2 and 3: structures and the calls between its source files.
 *
 * How metadata reaches the disk. L1 and refcount table are in memory whole, L2 tables and refcount
 * blocks in caches of slices. Changes are made in memory only, and qcow2_co_flush_meta() writes
 * them in an order that leaves a valid image wherever it is cut off, with clusters leaked at worst:
 *
 *   data -> refcount blocks -> [refcount table] -> L2 slices -> [L1] -> refcount decrements
 *
 * with a barrier (flush of the file) at each arrow, the bracketed steps only where needed. Hence
 * a cluster that is let go is not free at once: it waits in `pending_frees` until a flush has made
 * the tables that no longer point to it durable, and every request that may still be using it (they
 * hold a Qcow2Pin) has finished. Only then its refcount drops and it may be allocated again.
 *
 * The flush takes copies of what is dirty, all at one instant, and writes the copies; requests go
 * on meanwhile. Example: an allocating write ends while the refcounts are being written. Its L2
 * entry is not in the copies, so it can't get ahead of its refcount; its slice is dirty again and
 * goes with the next flush.
 *
 * Locks: `lock` covers allocation and every change of L1, L2 and refcounts; `flush_lock` one flush
 * at a time, taken after `lock` where both are. Looking up a mapping takes neither.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCK_QCOW2_H
#define BLOCK_QCOW2_H

#include "block/block-int.h"

#define QCOW2_MAGIC            0x514649fbu /* "QFI\xfb" */
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
#define QCOW2_MAX_L1_BYTES     ((uint64_t)32 << 20)
#define QCOW2_MAX_REFTABLE     ((uint64_t)8 << 20)
#define QCOW2_MAX_SNAPSHOTS    65536u
#define QCOW2_MAX_SNAP_BYTES   ((uint64_t)1024 * QCOW2_MAX_SNAPSHOTS)
#define QCOW2_MAX_BACKING_NAME 1023u
#define QCOW2_V2_HEADER        72u
#define QCOW2_V3_HEADER        104u

/* incompatible_features */
#define QCOW2_INCOMPAT_DIRTY       (1ull << 0)
#define QCOW2_INCOMPAT_CORRUPT     (1ull << 1)
#define QCOW2_INCOMPAT_DATA_FILE   (1ull << 2)
#define QCOW2_INCOMPAT_COMPRESSION (1ull << 3)
#define QCOW2_INCOMPAT_EXTL2       (1ull << 4)
/* compatible_features */
#define QCOW2_COMPAT_LAZY_REFCOUNTS (1ull << 0)
/* autoclear_features */
#define QCOW2_AUTOCLEAR_BITMAPS (1ull << 0)

/* L1 and L2 entries */
#define QCOW2_OFLAG_COPIED     (1ull << 63)
#define QCOW2_OFLAG_COMPRESSED (1ull << 62)
#define QCOW2_OFLAG_ZERO       (1ull << 0)
#define QCOW2_OFFSET_MASK      0x00fffffffffffe00ull
#define QCOW2_REFTABLE_MASK    0xfffffffffffffe00ull

/* Header offsets that are written in place. */
#define QCOW2_HDR_SIZE         24
#define QCOW2_HDR_L1_SIZE      36
#define QCOW2_HDR_REFTABLE     48
#define QCOW2_HDR_INCOMPATIBLE 72
#define QCOW2_HDR_AUTOCLEAR    88

typedef enum Qcow2Compression { QCOW2_ZLIB = 0, QCOW2_ZSTD = 1 } Qcow2Compression;

typedef struct Qcow2Header {
    uint32_t version;
    uint64_t backing_offset;
    uint32_t backing_len;
    uint32_t cluster_bits;
    uint64_t size;
    uint32_t crypt_method;
    uint32_t l1_size;
    uint64_t l1_offset;
    uint64_t reftable_offset;
    uint32_t reftable_clusters;
    uint32_t snapshot_count;
    uint64_t snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order;
    uint32_t header_length;
    uint8_t compression;
    char *backing_name, *backing_format; /* owned; NULL: none */
    uint64_t bitmap_dir_offset, bitmap_dir_size;
    uint32_t bitmap_count;
} Qcow2Header;

typedef struct Qcow2Snapshot {
    uint64_t l1_offset;
    uint32_t l1_size;
    char *id, *name;
    uint32_t date_sec, date_nsec;
    uint64_t vm_clock_ns;
    uint64_t vm_state_size;
    uint64_t disk_size;
    bool has_disk_size;
    uint64_t icount; /* UINT64_MAX: not recorded */
} Qcow2Snapshot;

/* A part of an L2 table or refcount block, as on disk (big endian). */
typedef struct Qcow2Slice Qcow2Slice;
struct Qcow2Slice {
    uint64_t index;
    Qcow2Slice *newer, *older; /* by last use */
    unsigned pins;             /* must stay in memory */
    bool dirty, loading;
    void *data;
};

typedef struct Qcow2Cache {
    Qcow2Slice **slots; /* by slice index; NULL: not in memory */
    uint64_t slot_count;
    size_t slice_size;
    unsigned count, max;
    uint64_t dirty;
    Qcow2Slice *newest, *oldest;
    CoQueue loaded; /* somebody's loading has ended */
} Qcow2Cache;

/* In-flight use of host clusters: whoever holds one keeps clusters freed later from being reused.
 */
typedef struct Qcow2Pin Qcow2Pin;
struct Qcow2Pin {
    Qcow2Pin *prev, *next;
    uint64_t seq;
};

typedef struct Qcow2Free {
    uint64_t offset, bytes; /* clusters whose refcount drops by one */
    uint64_t seq;
} Qcow2Free;

/* A change of mappings in progress: guest clusters [start, end), others wait. */
typedef struct Qcow2Alloc Qcow2Alloc;
struct Qcow2Alloc {
    Qcow2Alloc *prev, *next;
    uint64_t start, end;
    CoQueue waiters;
};

typedef struct Qcow2 {
    BlockNode *node, *file;
    Qcow2Header h;
    uint32_t cluster_bits, cluster_size;
    uint32_t l2_bits;       /* log2 of entries per L2 table */
    uint32_t l2_slice_bits; /* log2 of entries per slice of one */
    uint32_t rb_bits;       /* log2 of entries per refcount block */
    uint32_t rb_slice_bits;
    uint64_t refcount_max;

    uint64_t *l1; /* host endian; l1_size entries */
    uint32_t l1_size;
    GHashTable *l1_dirty; /* 512-byte sectors of the L1 table to write */
    uint64_t *reftable;   /* host endian */
    uint64_t reftable_entries;
    GHashTable *reftable_dirty;
    bool reftable_growing;
    Qcow2Cache l2, rb;

    Qcow2Snapshot *snapshots;
    uint64_t snapshots_bytes; /* of the table on disk */

    CoMutex lock, flush_lock;
    uint64_t free_hint;       /* cluster: none below is known to be free */
    uint64_t virgin;          /* byte: nothing was ever written from here on */
    uint64_t compressed_next; /* byte behind the last compressed cluster, 0: none */
    Qcow2Pin *pin_oldest, *pin_newest;
    uint64_t seq;
    GArray *pending_frees; /* Qcow2Free: not yet covered by a flush */
    GArray *ready_frees;   /* Qcow2Free: refcounts may drop */
    Qcow2Alloc *allocs;

    GHashTable *meta_map; /* chunks of a bit per host cluster: header, tables, blocks */

    GPtrArray *unpacked; /* recently decompressed clusters */
    bool corrupt;        /* found at run time: no more writes */
    bool lazy;           /* refcounts may lag behind, marked by the dirty bit */
    bool dirty_bit;      /* set on disk */
    bool lenient;
} Qcow2;

static inline uint64_t qcow2_align_up(const Qcow2 *s, uint64_t x)
{
    return (x + s->cluster_size - 1) & ~((uint64_t)s->cluster_size - 1);
}

static inline uint64_t qcow2_align_down(const Qcow2 *s, uint64_t x)
{
    return x & ~((uint64_t)s->cluster_size - 1);
}

/* ---- qcow2-header.c ---- */

/* Reads and validates the header with its extensions; FILE's length bounds every offset. */
bool qcow2_co_read_header(BlockNode *file, Qcow2Header *h, bool lenient, GError **err);
void qcow2_header_clear(Qcow2Header *h);
/* Writes BYTES at OFFSET of the header. */
int qcow2_co_write_header(Qcow2 *s, uint32_t offset, const void *buf, uint32_t bytes);
int qcow2_co_set_incompatible(Qcow2 *s, uint64_t bits);

/* ---- qcow2-snapshot.c ---- */

bool qcow2_co_read_snapshots(Qcow2 *s, GError **err);
void qcow2_free_snapshots(Qcow2 *s);

/* ---- qcow2-cache.c ---- */

bool qcow2_cache_init(Qcow2Cache *c, uint64_t slots, size_t slice_size, uint64_t max_bytes);
void qcow2_cache_free(Qcow2Cache *c);
/* Also drops what lies behind the new end. False: out of memory, nothing changed. */
bool qcow2_cache_resize(Qcow2Cache *c, uint64_t slots);
void qcow2_cache_dirty(Qcow2Cache *c, Qcow2Slice *sl);
/* The slice in memory, valid until the next suspension. */
int qcow2_co_l2_slice(Qcow2 *s, uint64_t index, Qcow2Slice **out);
int qcow2_co_rb_slice(Qcow2 *s, uint64_t index, Qcow2Slice **out);
uint64_t qcow2_l2_slice_offset(const Qcow2 *s, uint64_t index);
uint64_t qcow2_rb_slice_offset(const Qcow2 *s, uint64_t index);

/* ---- qcow2-flush.c ---- */

/* Writes what is dirty, ordered as above; with SYNC all of it is durable on return. */
int qcow2_co_flush_meta(Qcow2 *s, bool sync);
/* Refcount blocks and table only; flush_lock held. */
int qcow2_co_flush_refcounts(Qcow2 *s);
void qcow2_pin(Qcow2 *s, Qcow2Pin *pin);
void qcow2_unpin(Qcow2 *s, Qcow2Pin *pin);
/* Lets go of clusters once nothing durable points to them. */
void qcow2_free_later(Qcow2 *s, uint64_t offset, uint64_t bytes);

/* ---- qcow2-refcount.c ---- */

uint64_t qcow2_refcount_get(const Qcow2 *s, const void *block, uint64_t i);
void qcow2_refcount_set(const Qcow2 *s, void *block, uint64_t i, uint64_t value);
/* lock held in all that follows */
int qcow2_co_get_refcount(Qcow2 *s, uint64_t cluster, uint64_t *out);
/* Up to N clusters in one run, at least one, with refcount 1; their number, or -errno. */
int64_t qcow2_co_alloc(Qcow2 *s, uint64_t n, uint64_t *offset);
/* Just N clusters in one run. */
int qcow2_co_alloc_exact(Qcow2 *s, uint64_t n, uint64_t *offset);
/* Room for a compressed cluster; refcounts of the clusters it touches are raised. */
int qcow2_co_alloc_bytes(Qcow2 *s, uint64_t bytes, uint64_t *offset);
int qcow2_co_ref_down(Qcow2 *s, uint64_t offset, uint64_t bytes);
int qcow2_co_apply_frees(Qcow2 *s);
/* Writes lazily kept refcounts and clears the dirty bit. */
int qcow2_co_mark_clean(Qcow2 *s);

/* ---- qcow2-meta.c: which host clusters hold metadata ---- */

void qcow2_meta_mark(Qcow2 *s, uint64_t offset, uint64_t bytes, bool on);
bool qcow2_meta_overlap(const Qcow2 *s, uint64_t offset, uint64_t bytes);
void qcow2_meta_free(Qcow2 *s);
/* Says once what is wrong, sets the corrupt bit, and refuses writes from now on; returns -EIO. */
int qcow2_co_corrupt(Qcow2 *s, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- qcow2-map.c ---- */

typedef enum Qcow2Type {
    QCOW2_UNALLOCATED,
    QCOW2_ZERO_PLAIN, /* reads as zeroes, no cluster */
    QCOW2_ZERO_ALLOC, /* reads as zeroes, a cluster is set aside */
    QCOW2_NORMAL,
    QCOW2_COMPRESSED,
} Qcow2Type;

typedef struct Qcow2Map {
    Qcow2Type type;
    bool copied;    /* refcount is one: may be written in place */
    uint64_t bytes; /* from the offset asked for; of one type, contiguous on the host */
    uint64_t
        host; /* NORMAL, ZERO_ALLOC: of the byte asked for; COMPRESSED: where the data starts */
    uint32_t csize; /* COMPRESSED: upper bound of the compressed size */
} Qcow2Map;

Qcow2Type qcow2_entry_type(uint64_t entry);
void qcow2_entry_compressed(const Qcow2 *s, uint64_t entry, uint64_t *host, uint32_t *size);
/* What [OFFSET, at most OFFSET + BYTES) maps to. No suspension after the answer is known. */
int qcow2_co_lookup(Qcow2 *s, uint64_t offset, uint64_t bytes, Qcow2Map *out);
/*
 * Under `lock`: sets N entries from guest cluster OFFSET on, the i-th to FIRST + i * STEP, and lets
 * go of what they referred to before (except for clusters that stay). All within one slice.
 */
int qcow2_co_set_entries(Qcow2 *s, uint64_t offset, uint64_t n, uint64_t first, uint64_t step);
int qcow2_co_grow_l1(Qcow2 *s, uint32_t entries, GError **err);

/* ---- qcow2-io.c, qcow2-write.c, qcow2-zero.c, qcow2-compress.c ---- */

int qcow2_co_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                  int iovcnt);
int qcow2_co_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   int iovcnt);
int qcow2_co_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags);
int qcow2_co_discard(BlockNode *n, uint64_t offset, uint64_t bytes);
/* The same, whether or not the node passes discards on (for shrinking). */
int qcow2_co_discard_clusters(Qcow2 *s, uint64_t offset, uint64_t bytes);
int qcow2_co_status(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out);
int qcow2_co_write_compressed(BlockNode *n, uint64_t offset, const void *buf, uint64_t bytes);
int qcow2_co_read_compressed(Qcow2 *s, const Qcow2Map *map, uint64_t skip, const struct iovec *iov,
                             int iovcnt, uint64_t iov_skip, uint64_t bytes);
void qcow2_forget_unpacked(Qcow2 *s);
/* Waits until no change of mappings is in progress in [START, END); true if it had to. */
bool qcow2_co_wait_allocs(Qcow2 *s, uint64_t start, uint64_t end);
void qcow2_alloc_begin(Qcow2 *s, Qcow2Alloc *a, uint64_t start, uint64_t end);
void qcow2_alloc_shrink(Qcow2 *s, Qcow2Alloc *a, uint64_t end);
void qcow2_alloc_end(Qcow2 *s, Qcow2Alloc *a);
/* Sets clusters aside for a range without writing to them (preallocation=metadata and up). */
int qcow2_co_preallocate(BlockNode *n, uint64_t offset, uint64_t bytes);

int qcow2_co_truncate(BlockNode *n, uint64_t length, GError **err);

/* ---- qcow2-check.c ---- */

typedef struct Qcow2CheckResult {
    uint64_t corruptions, leaks, check_errors;
    uint64_t corruptions_fixed, leaks_fixed;
    uint64_t allocated_clusters, total_clusters, compressed_clusters, fragmented_clusters;
    uint64_t image_end_offset;
} Qcow2CheckResult;

enum { QCOW2_FIX_LEAKS = 1, QCOW2_FIX_ERRORS = 2 };

/* Compares every refcount with the references there are. REPORT (may be NULL) gets one line for
 * each problem. No other request may be in flight. -errno if the check itself could not be done. */
int qcow2_co_check(BlockNode *n, unsigned fix, Qcow2CheckResult *res,
                   void (*report)(void *opaque, const char *line), void *opaque);

#endif
