/*
 * The file protocol's own state, shared by its source files.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BLOCK_FILE_H
#define BLOCK_FILE_H

#include "block/block-int.h"

typedef struct BlockFile {
    int fd;
    bool regular; /* else a block device */
    bool direct;
    uint32_t align;     /* of offset and length with O_DIRECT, else 1 */
    uint32_t mem_align; /* of memory with O_DIRECT, else 1 */
    bool no_zero_range, no_punch;
    CoRwLock rmw; /* read-modify-write against all other writes */
    CoMutex flush_lock;
    uint64_t write_gen, flushed_gen; /* writes done; writes covered by the last flush */
    int flush_error;                 /* sticky: the host may have dropped the dirty pages */
} BlockFile;

/* Finds out what O_DIRECT asks of offsets and memory. */
void block_file_probe_align(BlockFile *f);

#endif
