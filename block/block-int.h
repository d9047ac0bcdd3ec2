/*
 * The block graph from inside: nodes, drivers, and the calls drivers and jobs make on nodes.
 *
 * A node is one driver's view of some bytes: a protocol (file) at the bottom, a format (raw, qcow2)
 * above it in ->file, and the node it takes missing data from in ->backing. All nodes that are
 * joined live on one I/O thread; everything named block_co_* runs in a coroutine there, so that
 * between two suspensions no other code touches a node and no lock is needed.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCK_BLOCK_INT_H
#define BLOCK_BLOCK_INT_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "block/backend.h"
#include "core/coroutine.h"
#include "core/iothread.h"
#include "util/keyval.h"

#define BLOCK_SECTOR_SIZE     512u
#define BLOCK_MAX_LENGTH      ((uint64_t)INT64_MAX & ~(uint64_t)(1024 * 1024 - 1))
#define BLOCK_MAX_CHAIN_DEPTH 200
/* The largest request a driver sees; the generic layer splits what is larger. */
#define BLOCK_MAX_TRANSFER ((uint64_t)64 << 20)

typedef struct BlockDriver BlockDriver;

typedef enum BlockDetectZeroes {
    BLOCK_DETECT_ZEROES_OFF,
    BLOCK_DETECT_ZEROES_ON,
    BLOCK_DETECT_ZEROES_UNMAP,
} BlockDetectZeroes;

typedef enum BlockLocking { BLOCK_LOCKING_AUTO, BLOCK_LOCKING_ON, BLOCK_LOCKING_OFF } BlockLocking;

/* The nodes above the one being opened, for the depth limit and to find cycles. */
typedef struct BlockChain {
    const BlockNode *file; /* the protocol node of that image */
    const struct BlockChain *up;
    unsigned depth;
} BlockChain;

/* How to open a node. Zero is a useful default for every field but FD (use block_open_args_init).
 */
typedef struct BlockOpenArgs {
    const char *filename;
    const char *driver;    /* NULL: probed */
    const char *node_name; /* NULL: made up */
    bool read_only;
    bool auto_read_only; /* fall back to read-only where writing is not permitted */
    bool direct;         /* O_DIRECT */
    bool no_flush;
    bool unmap; /* discard requests reach the host */
    BlockDetectZeroes detect_zeroes;
    BlockLocking locking;
    bool force_share; /* read-only beside a writer (-U) */
    bool no_backing;  /* do not open the backing file */
    bool lenient;     /* tolerate damaged tables, for a consistency check */
    bool quiet;       /* no warning about a probed raw image */
    IoThread *thread;
    const BlockChain *chain;

    int fd;          /* file: an open descriptor to use instead of FILENAME (taken over), or -1 */
    BlockNode *file; /* formats: the protocol node to use (a reference is taken) */
    BlockNode *backing; /* the node to use as backing (a reference is taken) */
    bool window;        /* raw: only [OFFSET, OFFSET + SIZE) of the file */
    uint64_t offset;
    uint64_t size;       /* raw: 0 is up to the end; null-co: length */
    bool read_zeroes;    /* null-co */
    uint64_t latency_ns; /* null-co */
    int lazy_refcounts;  /* qcow2: 0 as the image says, 1 on, -1 off */
} BlockOpenArgs;

void block_open_args_init(BlockOpenArgs *args, IoThread *thread);

/* What is known of a stretch of a node. */
typedef struct BlockExtent {
    uint64_t bytes;       /* length, at least 1 */
    uint64_t host_offset; /* where in the protocol file, if OFFSET_VALID */
    bool present;         /* this node (not its backing) determines the content */
    bool data;            /* storage is allocated */
    bool zero;            /* reads as zeroes */
    bool compressed;
    bool offset_valid;
} BlockExtent;

/* Set by drivers for info and check. */
typedef struct BlockNodeInfo {
    uint32_t cluster_size; /* 0: none */
    bool dirty;
    const void *qcow2; /* Qcow2 *, for tools that know the format */
} BlockNodeInfo;

struct BlockDriver {
    const char *name;
    bool protocol; /* stands at the bottom */
    size_t state_size;
    /* 0: not mine, else how sure. BUF holds the first LEN bytes. */
    int (*probe)(const uint8_t *buf, size_t len);
    bool (*co_open)(BlockNode *n, const BlockOpenArgs *args, GError **err);
    void (*co_close)(BlockNode *n);
    /* Within the length and BLOCK_MAX_TRANSFER. 0 or -errno. */
    int (*co_read)(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   int iovcnt);
    int (*co_write)(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                    int iovcnt);
    /* -ENOTSUP: the generic layer writes zeroes instead. */
    int (*co_write_zeroes)(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags);
    int (*co_discard)(BlockNode *n, uint64_t offset, uint64_t bytes);
    int (*co_flush)(BlockNode *n);
    int (*co_status)(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out);
    int (*co_truncate)(BlockNode *n, uint64_t length, GError **err);
    /* One cluster of data, compressed; -ENOTSUP when not smaller. */
    int (*co_write_compressed)(BlockNode *n, uint64_t offset, const void *buf, uint64_t bytes);
    void (*get_info)(BlockNode *n, BlockNodeInfo *info);
};

struct BlockNode {
    const BlockDriver *drv;
    int refs;
    char *node_name;
    char *filename; /* as given; "" for none */
    IoThread *thread;
    bool read_only, direct, no_flush, unmap;
    BlockDetectZeroes detect_zeroes;
    bool probed_raw; /* format was guessed: writes must not make it another format's header */
    bool registered; /* findable by node_name */
    _Atomic uint64_t length; /* bytes; any thread */
    BlockNode *file, *backing;
    uint64_t dev, ino; /* protocol nodes: identity for cycle detection */
    int users;         /* back ends and parents */
    int writers;
    void *state;
};

extern const BlockDriver block_driver_file, block_driver_raw, block_driver_qcow2, block_driver_null;

const BlockDriver *block_driver_find(const char *name);
/* The names of all drivers, for messages. */
char *block_driver_names(void);

/* ---- nodes; in a coroutine on the node's thread ---- */

BlockNode *block_co_open(const BlockOpenArgs *args, GError **err);
BlockNode *block_node_ref(BlockNode *n);
void block_co_unref(BlockNode *n); /* closes it with the last reference; NULL is fine */

int block_co_read(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                  int iovcnt);
int block_co_write(BlockNode *n, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   int iovcnt, uint32_t flags);
int block_co_read_buf(BlockNode *n, uint64_t offset, void *buf, uint64_t bytes);
int block_co_write_buf(BlockNode *n, uint64_t offset, const void *buf, uint64_t bytes);
int block_co_write_zeroes(BlockNode *n, uint64_t offset, uint64_t bytes, uint32_t flags);
int block_co_discard(BlockNode *n, uint64_t offset, uint64_t bytes);
int block_co_flush(BlockNode *n);
int block_co_status(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out);
int block_co_truncate(BlockNode *n, uint64_t length, GError **err);
/* Looks down the backing chain: *DEPTH and *OWNER (both may be NULL) say which node answers. */
int block_co_status_chain(BlockNode *n, uint64_t offset, uint64_t bytes, BlockExtent *out,
                          unsigned *depth, BlockNode **owner);

static inline uint64_t block_node_length(BlockNode *n)
{
    return atomic_load_explicit(&n->length, memory_order_relaxed);
}

/* Runs FN(OPAQUE) as a coroutine on T and waits; lets go of the machine lock meanwhile if held. */
void block_run_sync(IoThread *t, void (*fn)(void *opaque), void *opaque);
/* The same around block_co_open() and block_co_unref(). */
BlockNode *block_open_sync(const BlockOpenArgs *args, GError **err);
void block_unref_sync(BlockNode *n);

/* ---- the file protocol's helpers ---- */

/* Creates (or truncates, once locked) a regular file of LENGTH bytes and opens it read/write. */
BlockNode *block_co_create_file(const char *filename, uint64_t length, bool direct, bool no_flush,
                                IoThread *thread, GError **err);
/* An unlinked file in TMPDIR. */
int block_temp_file(GError **err);
/* Bytes the file occupies on the host, -1 if unknown. */
int64_t block_file_disk_usage(BlockNode *n);
/* Reserves host storage for [OFFSET, OFFSET + BYTES). */
int block_co_file_allocate(BlockNode *n, uint64_t offset, uint64_t bytes);

/* block/file-lock.c, in a coroutine: 0, or -1 with ERR naming the lock that another process holds.
 */
int block_file_lock(int fd, const char *filename, bool writable, BlockLocking locking,
                    GError **err);

/* ---- small helpers (block/iov.c) ---- */

/* Describes [SKIP, SKIP + BYTES) of IOV in OUT (room for IOVCNT entries); the number used. */
int iov_slice(struct iovec *out, const struct iovec *iov, int iovcnt, uint64_t skip,
              uint64_t bytes);
void iov_zero(const struct iovec *iov, int iovcnt, uint64_t skip, uint64_t bytes);
void iov_from_buf(const struct iovec *iov, int iovcnt, uint64_t skip, const void *buf,
                  uint64_t bytes);
void iov_to_buf(const struct iovec *iov, int iovcnt, uint64_t skip, void *buf, uint64_t bytes);
bool iov_is_zero(const struct iovec *iov, int iovcnt);
bool buffer_is_zero(const void *buf, size_t len);
/* Page-aligned memory, so that it can be used with O_DIRECT; free with free(). */
void *block_buffer_new(size_t bytes);
/* A page-aligned buffer of zeroes that must not be written to. */
const void *block_zero_buffer(size_t *size);
/* True when a header of another image format than raw starts in BUF. */
bool block_looks_like_format(const uint8_t *buf, size_t len);
/* DIR of IMAGE joined with NAME unless that is absolute; caller frees. */
char *block_path_combine(const char *image, const char *name);

#define BLOCK_IOV_STACK 16

#endif
