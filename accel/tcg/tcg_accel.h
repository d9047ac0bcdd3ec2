/*
 * The translator's part of the machine: shared by its vCPUs.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_TCG_ACCEL_H
#define ACCEL_TCG_TCG_ACCEL_H

#include <pthread.h>

#include "accel/tcg/code.h"
#include "core/accel.h"
#include "core/memory.h"

/* Blocks by key, open addressing. It is replaced by a larger one when half full; the smaller ones
 * stay readable until the next segment is evicted. */
typedef struct CodeSlot {
    _Atomic uint64_t key; /* code_key(), KEY_FREE or KEY_GONE */
    Block *_Atomic block;
} CodeSlot;

typedef struct CodeTable {
    struct CodeTable *smaller;
    size_t size, used; /* USED: slots that are not free */
    CodeSlot slot[];
} CodeTable;

/* What of a RAM page is translated. */
typedef struct PageCode {
    _Atomic uint64_t lines; /* bit per 64 bytes */
    Block *first;
} PageCode;

typedef struct PageLeaf {
    PageCode *_Atomic page[1 << 12];
} PageLeaf;

enum { CODE_SEGMENTS = 16 };

/* A part of code memory that is emptied as one: offsets from its start. */
typedef struct CodeSegment {
    size_t first, used, end;
    size_t cold_first, cold_used, cold_end;
    Block **blocks; /* in order of their code; room for as many as can be */
    size_t room;
    _Atomic size_t count; /* read without the lock by signal handlers */
} CodeSegment;

struct TcgAccel {
    Accel accel;      /* first */
    uint64_t tb_size; /* property: MiB of code cache */

    HostLayout layout;
    HostThunks thunks;

    pthread_mutex_t lock; /* the code lock: all below */
    int fd;
    uint8_t *rw; /* writable view */
    uint64_t rx; /* executable view */
    size_t size;
    CodeSegment segment[CODE_SEGMENTS];
    unsigned segment_count, current;
    CodeTable *_Atomic table;
    PageLeaf **pages; /* by RAM page number, two levels */
    uint64_t translated, invalidated, linked, evictions;

    DebugPoint *points; /* the debugger's; changed while all vCPUs are parked */
    size_t point_count;

    uint64_t stopped_tsc;     /* the host's TSC when the machine stopped; 0: it has not run yet */
    _Atomic bool room_wanted; /* vCPUs stay out of generated code until there is some */
};

static inline TcgAccel *tcg_accel(TcgCpu *c)
{
    return c->accel;
}

/* signals.c */
void tcg_signals_init(TcgAccel *a);
bool tcg_signals_thread_init(GError **err);

#endif
