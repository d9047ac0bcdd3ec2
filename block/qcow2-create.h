/*
 * Making new qcow2 images.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCK_QCOW2_CREATE_H
#define BLOCK_QCOW2_CREATE_H

#include "block/block-int.h"
#include "block/qcow2.h"

typedef enum Qcow2Preallocation {
    QCOW2_PREALLOC_OFF,
    QCOW2_PREALLOC_METADATA,
    QCOW2_PREALLOC_FALLOC,
    QCOW2_PREALLOC_FULL,
} Qcow2Preallocation;

typedef struct Qcow2CreateOptions {
    uint64_t size;          /* bytes, a multiple of 512 */
    uint32_t version;       /* 2 or 3 */
    uint32_t cluster_size;  /* 512 to 2 MiB, a power of two */
    uint32_t refcount_bits; /* 1 to 64, a power of two; 16 in version 2 */
    bool lazy_refcounts;
    Qcow2Compression compression;
    Qcow2Preallocation preallocation;
    const char *backing_file, *backing_format; /* as they shall stand in the image; NULL: none */
} Qcow2CreateOptions;

void qcow2_create_options_init(Qcow2CreateOptions *o);
/* False with ERR naming the option that does not fit. */
bool qcow2_create_options_check(const Qcow2CreateOptions *o, GError **err);

/* Writes an image into the empty protocol node FILE. Does not touch the backing file. */
bool qcow2_co_create(BlockNode *file, const Qcow2CreateOptions *o, GError **err);

/* A node whose writes go to an unlinked temporary file above BASE; ARGS has its name and options.
 */
BlockNode *qcow2_co_temp_overlay(BlockNode *base, const BlockOpenArgs *args, GError **err);

#endif
