/*
 * Room for code: segments that are filled in turn, and emptied in turn.
 *
 * Code memory is one memfd mapped twice, writable and executable (W^X), in two areas: what runs,
 * and what of it seldom does. Each segment has a piece of both, laid down block behind block. When
 * one is full the next is used; if that holds code, all of it is removed: its blocks, the links
 * that lie in it, and the jump caches' entries. That is done while no vCPU is in generated code or
 * in a slow path called from it, and the host's cores are told to forget what they decoded of it
 * (membarrier). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "accel/tcg/code_int.h"
#include "accel/tcg/loop.h"
#include "core/machine.h"
#include "core/safepoint.h"
#include "util/keyval.h"

enum { BLOCK_ROOM = 64 * 1024, MIN_SEGMENT = 4 * BLOCK_ROOM, MIN_BLOCK = 32, THUNKS_ROOM = 4096 };

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static CodeSegment *current(TcgAccel *a)
{
    return &a->segment[a->current];
}

static CodeSegment *following(TcgAccel *a)
{
    return &a->segment[(a->current + 1) % a->segment_count];
}

/* ---- taking ---- */

static bool has_room(const CodeSegment *s)
{
    return s->used + BLOCK_ROOM <= s->end && s->cold_used + BLOCK_ROOM <= s->cold_end &&
           s->count < s->room;
}

bool code_room_ready(TcgAccel *a)
{
    if (has_room(current(a))) {
        return true;
    }
    if (following(a)->count || a->segment_count == 1) {
        atomic_store(&a->room_wanted, true);
        return false;
    }
    a->current = (a->current + 1) % a->segment_count;
    return true;
}

HostBuf code_room(TcgAccel *a)
{
    CodeSegment *s = current(a);

    return (HostBuf){
        .hot = a->rw + s->used,
        .hot_size = BLOCK_ROOM,
        .cold = a->rw + s->cold_used,
        .cold_size = BLOCK_ROOM,
    };
}

uint8_t *code_room_take(TcgAccel *a, Block *b, const HostCode *code)
{
    CodeSegment *s = current(a);
    uint8_t *hot = a->rw + s->used;

    b->code = a->rx + s->used;
    b->code_size = code->size;
    b->cold = a->rx + s->cold_used;
    b->cold_size = code->cold_size;
    s->used += round_up(code->size, CODE_ALIGN);
    s->cold_used += round_up(code->cold_size, CODE_ALIGN);
    s->blocks[s->count] = b;
    atomic_fetch_add(&s->count, 1);
    return hot;
}

uint64_t code_room_link(TcgAccel *a, HostLink *link)
{
    enum { LINK_ROOM = 256 };
    CodeSegment *s = current(a);
    size_t size;

    if (s->used + LINK_ROOM > s->end) {
        return 0;
    }
    link->rx = a->rx + s->used;
    size = host_emit_link(&a->layout, link, a->rw + s->used, LINK_ROOM);
    g_assert(size);
    s->used += round_up(size, CODE_ALIGN);
    return link->rx;
}

/* ---- emptying ---- */

/* Edges of blocks elsewhere that go through a link in S. */
static void unlink_through(TcgAccel *a, const CodeSegment *s)
{
    for (unsigned n = 0; n < a->segment_count; n++) {
        for (size_t i = 0; i < a->segment[n].count; i++) {
            Block *b = a->segment[n].blocks[i];
            for (int k = 0; k < b->edge_count; k++) {
                uint64_t to = code_edge_target(&b->edges[k]) - a->rx;
                if (b->edges[k].to && to >= s->first && to < s->end) {
                    code_unlink(&b->edges[k]);
                }
            }
        }
    }
}

static void evict(TcgAccel *a, CodeSegment *s)
{
    Machine *m = a->accel.machine;

    pthread_mutex_lock(&a->lock); /* DMA invalidates from threads that are no vCPUs */
    for (size_t i = 0; i < s->count; i++) {
        if (!s->blocks[i]->dead) {
            code_block_remove(a, s->blocks[i]);
        }
    }
    unlink_through(a, s);
    for (size_t i = 0; i < s->count; i++) {
        g_free(s->blocks[i]->faults);
        g_free(s->blocks[i]);
    }
    atomic_store(&s->count, 0);
    s->used = s->first;
    s->cold_used = s->cold_first;
    for (int i = 0; i < m->cpu_count; i++) {
        TcgCpu *c = (TcgCpu *)m->cpus[i];
        memset(c->jc, 0xff, sizeof c->jc);
        c->running = NULL;
    }
    code_table_trim(a);
    a->evictions++;
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
    pthread_mutex_unlock(&a->lock);
}

/*
 * In an exclusive section, so every vCPU is at a safe point. One whose IN_CODE is set may be in a
 * slow path there and return into code: it is asked to leave, and nothing happens yet. As nobody
 * enters while ROOM_WANTED is set, all are out in the end.
 */
static void try_evict(void *opaque)
{
    TcgAccel *a = opaque;
    Machine *m = a->accel.machine;
    bool any = false;

    if (!atomic_load(&a->room_wanted)) {
        return; /* another vCPU has done it */
    }
    for (int i = 0; i < m->cpu_count; i++) {
        TcgCpu *c = (TcgCpu *)m->cpus[i];
        if (atomic_load(&c->in_code)) {
            atomic_store(&c->poll, 1);
            any = true;
        }
    }
    if (!any) {
        evict(a, following(a));
        a->current = (a->current + 1) % a->segment_count;
        atomic_store(&a->room_wanted, false);
    }
}

/*
 * The last vCPU to come here finds the others out and evicts; but the one that was missing may have
 * halted or been stopped instead, so the others look again after a while.
 */
void code_make_room(TcgAccel *a)
{
    static const struct timespec pause = {.tv_nsec = 200000};

    for (;;) {
        safepoint_exclusive(try_evict, a);
        if (!atomic_load(&a->room_wanted)) {
            break;
        }
        safepoint_offline();
        nanosleep(&pause, NULL);
        safepoint_online();
    }
}

/* ---- look-up by host address ---- */

Block *code_block_at(TcgAccel *a, uint64_t pc)
{
    uint64_t off = pc - a->rx;

    for (unsigned n = 0; n < a->segment_count; n++) {
        CodeSegment *s = &a->segment[n];
        bool cold = off >= s->cold_first && off < s->cold_end;
        size_t low = 0, high = atomic_load(&s->count);

        if (!cold && (off < s->first || off >= s->end)) {
            continue;
        }
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            Block *b = s->blocks[mid];
            uint64_t start = cold ? b->cold : b->code;
            if (pc < start) {
                high = mid;
            } else if (pc < start + (cold ? b->cold_size : b->code_size)) {
                return b;
            } else {
                low = mid + 1;
            }
        }
    }
    return NULL;
}

void code_print_info(TcgAccel *a, GString *out)
{
    size_t used = 0, cold = 0, blocks = 0;

    for (unsigned n = 0; n < a->segment_count; n++) {
        used += a->segment[n].used - a->segment[n].first;
        cold += a->segment[n].cold_used - a->segment[n].cold_first;
        blocks += a->segment[n].count;
    }
    g_string_append_printf(
        out,
        "code cache: %zu bytes in %u segments, used %zu, and %zu for what seldom "
        "runs\nblocks: %zu\ntranslated: %" PRIu64 "\ninvalidated: %" PRIu64 "\nlinks made: %" PRIu64
        "\nsegments evicted: %" PRIu64 "\n",
        a->size, a->segment_count, used, cold, blocks, a->translated, a->invalidated, a->linked,
        a->evictions);
}

/* ---- start and end ---- */

static bool map_code(TcgAccel *a, GError **err)
{
    a->size = a->tb_size;
    a->fd = memfd_create("translated code", MFD_CLOEXEC);
    if (a->fd < 0 || ftruncate(a->fd, (off_t)a->size) < 0) {
        emu_set_error(err, "code cache of %zu bytes: %s", a->size, g_strerror(errno));
        return false;
    }
    a->rw = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
    void *rx = mmap(NULL, a->size, PROT_READ | PROT_EXEC, MAP_SHARED, a->fd, 0);
    if (a->rw == MAP_FAILED || rx == MAP_FAILED) {
        emu_set_error(err, "code cache: %s", g_strerror(errno));
        return false;
    }
    a->rx = (uint64_t)(uintptr_t)rx;
    return true;
}

bool code_room_init(TcgAccel *a, GError **err)
{
    static const HostCallbacks callbacks = {tcg_mem_slow, tcg_mem_commit, tcg_call_helper,
                                            tcg_call_helper_end};
    size_t cold_first, hot, cold;

    if (!map_code(a, err)) {
        return false;
    }
    hot = host_emit_thunks(&a->layout, &callbacks, a->rw, THUNKS_ROOM, a->rx, &a->thunks);
    g_assert(hot);
    cold_first = round_up(a->size / 8 * 5, THUNKS_ROOM);
    a->segment_count =
        (unsigned)CLAMP((cold_first - THUNKS_ROOM) / MIN_SEGMENT, 1, (size_t)CODE_SEGMENTS);
    hot = (cold_first - THUNKS_ROOM) / a->segment_count / CODE_ALIGN * CODE_ALIGN;
    cold = (a->size - cold_first) / a->segment_count / CODE_ALIGN * CODE_ALIGN;
    for (unsigned n = 0; n < a->segment_count; n++) {
        CodeSegment *s = &a->segment[n];
        s->used = s->first = THUNKS_ROOM + n * hot;
        s->end = s->first + hot;
        s->cold_used = s->cold_first = cold_first + n * cold;
        s->cold_end = s->cold_first + cold;
        s->room = hot / MIN_BLOCK;
        s->blocks = mmap(NULL, s->room * sizeof(*s->blocks), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (s->blocks == MAP_FAILED) {
            emu_set_error(err, "list of translated blocks: %s", g_strerror(errno));
            return false;
        }
    }
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
    return true;
}

void code_room_fini(TcgAccel *a)
{
    for (unsigned n = 0; n < a->segment_count; n++) {
        munmap(a->segment[n].blocks, a->segment[n].room * sizeof(*a->segment[n].blocks));
    }
    munmap(a->rw, a->size);
    munmap((void *)(uintptr_t)a->rx, a->size);
    close(a->fd);
}
