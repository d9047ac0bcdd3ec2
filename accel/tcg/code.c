/*
 * The code cache: translation, invalidation, starting anew.
 *
 * Code memory is one memfd mapped twice, writable and executable (W^X). Blocks are laid down one
 * behind the other, and their parts that seldom run likewise in an area of their own; when one is
 * full, every vCPU leaves generated code and the slow paths it called, and all of it starts anew.
 *
 * Translating bytes of a page that has no code yet: first its code bit is set, then every vCPU's
 * TLB stops writing to it unnoticed, only then are its bytes read. So a write is either seen by the
 * translation or finds the bit.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "accel/tcg/code_int.h"
#include "accel/tcg/dump.h"
#include "accel/tcg/loop.h"
#include "core/machine.h"
#include "core/safepoint.h"
#include "target-x86/translate.h"
#include "util/keyval.h"

enum { MAX_INSNS = 48, BLOCK_ROOM = 64 * 1024, MIN_BLOCK = 32 };

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* ---- pages ---- */

static PageCode *page_get(TcgAccel *a, uint64_t page)
{
    PageLeaf *leaf;
    PageCode *p;

    g_assert(page >> PAGES_LEAF_BITS < PAGES_TOP);
    leaf = a->pages[page >> PAGES_LEAF_BITS];
    if (!leaf) {
        leaf = g_new0(PageLeaf, 1);
        __atomic_store_n(&a->pages[page >> PAGES_LEAF_BITS], leaf, __ATOMIC_RELEASE);
    }
    p = atomic_load(&leaf->page[page & (PAGES_LEAF - 1)]);
    if (!p) {
        p = g_new0(PageCode, 1);
        atomic_store(&leaf->page[page & (PAGES_LEAF - 1)], p);
    }
    return p;
}

static bool block_range(const Block *b, int i, uint64_t page, unsigned *start, unsigned *end)
{
    if (page == b->ram_addr >> 12) {
        *start = b->ranges[i][0];
        *end = b->ranges[i][1];
        return *end > *start;
    }
    *start = 0;
    *end = b->page2_end;
    return i == 0;
}

static uint64_t block_lines(const Block *b, uint64_t page)
{
    uint64_t lines = 0;
    unsigned start, end;

    for (int i = 0; i < 3; i++) {
        if (block_range(b, i, page, &start, &end)) {
            lines |= code_lines(start, end);
        }
    }
    return lines;
}

static Block **page_next(Block *b, uint64_t page)
{
    return &b->page_next[page == b->ram_addr >> 12 ? 0 : 1];
}

static bool page_is_protected(const RamBlock *ram, uint64_t offset)
{
    const uint64_t *map = __atomic_load_n(&ram->dirty[DIRTY_CODE], __ATOMIC_ACQUIRE);

    return map && __atomic_load_n(&map[offset >> 18], __ATOMIC_ACQUIRE) >> (offset >> 12 & 63) & 1;
}

static void protect_work(Cpu *cpu, void *host)
{
    tlb_protect((TcgCpu *)cpu, host);
}

/* Not under the code lock. */
static void page_protect(uint64_t ram_addr)
{
    uint64_t offset;
    RamBlock *ram = ram_block_at(ram_addr, &offset);

    if (page_is_protected(ram, offset)) {
        return;
    }
    __atomic_fetch_or(&ram->dirty[DIRTY_CODE][offset >> 18], 1ull << (offset >> 12 & 63),
                      __ATOMIC_SEQ_CST);
    safepoint_run_on_all(NULL, protect_work, ram->host + (offset & ~0xfffull));
}

static bool is_protected_addr(uint64_t ram_addr)
{
    uint64_t offset;
    RamBlock *ram = ram_block_at(ram_addr, &offset);

    return page_is_protected(ram, offset);
}

static void page_unprotect(uint64_t page)
{
    uint64_t offset;
    RamBlock *ram = ram_block_at(page << 12, &offset);

    __atomic_fetch_and(&ram->dirty[DIRTY_CODE][offset >> 18], ~(1ull << (offset >> 12 & 63)),
                       __ATOMIC_SEQ_CST);
}

/* ---- removal ---- */

static void block_kill(TcgAccel *a, Block *b)
{
    code_table_remove(a, b);
    b->dead = true;
    atomic_store(&b->entry, a->thunks.dispatch);
    while (b->incoming) {
        code_unlink(b->incoming);
    }
    for (int i = 0; i < b->edge_count; i++) {
        code_unlink(&b->edges[i]);
    }
    a->invalidated++;
}

static void page_list_remove(TcgAccel *a, Block *b, uint64_t page)
{
    PageCode *p = page_get(a, page);
    Block **q;

    for (q = &p->first; *q != b; q = page_next(*q, page)) {
    }
    *q = *page_next(b, page);
}

static void page_refresh(TcgAccel *a, uint64_t page)
{
    PageCode *p = page_get(a, page);
    uint64_t lines = 0;

    for (Block *b = p->first; b; b = *page_next(b, page)) {
        lines |= block_lines(b, page);
    }
    atomic_store(&p->lines, lines);
    if (!p->first) {
        page_unprotect(page);
    }
}

static void block_remove(TcgAccel *a, Block *b)
{
    uint64_t page = b->ram_addr >> 12;

    block_kill(a, b);
    page_list_remove(a, b, page);
    page_refresh(a, page);
    if (b->page2 != NO_RAM_ADDR) {
        page_list_remove(a, b, b->page2 >> 12);
        page_refresh(a, b->page2 >> 12);
    }
}

static void invalidate_in_page(TcgAccel *a, uint64_t page, unsigned start, unsigned end)
{
    PageCode *p = code_page(a, page);
    Block *next;

    if (!p || !(atomic_load(&p->lines) & code_lines(start, end))) {
        return;
    }
    for (Block *b = p->first; b; b = next) {
        next = *page_next(b, page);
        for (int i = 0; i < 3; i++) {
            unsigned s, e;
            if (block_range(b, i, page, &s, &e) && s < end && start < e) {
                block_remove(a, b);
                break;
            }
        }
    }
}

void code_invalidate(TcgAccel *a, uint64_t ram_addr, uint64_t len)
{
    pthread_mutex_lock(&a->lock);
    while (len) {
        unsigned off = ram_addr & 4095;
        uint64_t n = MIN(4096 - off, len);
        invalidate_in_page(a, ram_addr >> 12, off, off + (unsigned)n);
        ram_addr += n;
        len -= n;
    }
    pthread_mutex_unlock(&a->lock);
}

/* ---- translation ---- */

static void block_publish(TcgAccel *a, Block *b)
{
    uint64_t pages[2] = {b->ram_addr >> 12, b->page2 >> 12};

    for (int i = 0; i < (b->page2 == NO_RAM_ADDR ? 1 : 2); i++) {
        PageCode *p = page_get(a, pages[i]);
        *page_next(b, pages[i]) = p->first;
        p->first = b;
        atomic_store(&p->lines, atomic_load(&p->lines) | block_lines(b, pages[i]));
    }
    code_table_insert(a, b);
    a->blocks[a->block_count] = b;
    atomic_fetch_add(&a->block_count, 1);
    a->translated++;
}

static void block_set_code(TcgAccel *a, Block *b, const HostCode *code)
{
    uint8_t *hot = a->rw + a->used;

    b->code = a->rx + a->used;
    b->code_size = code->size;
    b->cold = a->rx + a->cold_used;
    b->cold_size = code->cold_size;
    atomic_store(&b->entry, (const void *)(uintptr_t)(b->code + code->entry_saved));
    b->entry_host = (const void *)(uintptr_t)(b->code + code->entry_host);
    b->edge_count = code->edge_count;
    for (int i = 0; i < code->edge_count; i++) {
        const HostEdge *h = &code->edges[i];
        Edge *e = &b->edges[i];
        *e = (Edge){
            .from = b,
            .patch_rw = hot + h->patch,
            .patch_rx = b->code + h->patch,
            .target = h->target,
            .flags_host = h->flags_host,
            .far = h->far,
            .backward = h->backward,
        };
        memcpy(&e->unlinked_rel, e->patch_rw, 4);
    }
    a->used += round_up(code->size, CODE_ALIGN);
    a->cold_used += round_up(code->cold_size, CODE_ALIGN);
    b->fault_count = (uint16_t)code->fault_count;
    b->faults = g_memdup2(code->faults, sizeof(HostFault) * (size_t)code->fault_count);
}

static Block *block_build(TcgCpu *c, uint64_t ram_addr, uint32_t mode, uint64_t page2)
{
    static IrBlock ir; /* under the code lock */
    static HostCode code;
    TcgAccel *a = c->accel;
    uint64_t offset, offset2;
    uint8_t both[32];
    unsigned off = ram_addr & 4095;
    RamBlock *ram = ram_block_at(ram_addr, &offset);
    TranslateRequest req = {
        .code = ram->host + offset,
        .avail = 4096 - off,
        .start_off = (uint16_t)off,
        .whole_page = true,
        .mode = mode & ~(uint32_t)MODE_ONE,
        .features = c->features,
        .max_insns = mode & MODE_ONE ? 1 : MAX_INSNS,
    };

    if (page2 != NO_RAM_ADDR) {
        RamBlock *ram2 = ram_block_at(page2, &offset2);
        memcpy(both, req.code, req.avail);
        memcpy(both + req.avail, ram2->host + offset2, 16);
        req.code = both;
        req.avail += 16;
        req.whole_page = false;
        req.max_insns = 1;
    }
    req.mode |= mode & MODE_ONE;
    if (x86_translate(&req, &ir) == TRANSLATE_STRADDLES) {
        return NULL;
    }
    Block *b = g_new0(Block, 1);
    b->ram_addr = ram_addr;
    b->mode = mode;
    b->page2 = page2;
    b->ranges[0][0] = ir.start_off;
    b->ranges[0][1] = MIN(ir.end_off, 4096);
    if (ir.end_off <= off) {
        b->ranges[0][1] = off + 1;
    }
    b->page2_end = ir.end_off > 4096 ? ir.end_off - 4096 : 1;
    for (int i = 0; i < 2; i++) {
        b->ranges[i + 1][0] = ir.peek_start[i];
        b->ranges[i + 1][1] = MIN(ir.peek_end[i], 4096);
    }
    uint64_t ids[HOST_MAX_EDGES] = {(uint64_t)(uintptr_t)&b->edges[0],
                                    (uint64_t)(uintptr_t)&b->edges[1]};
    HostBuf buf = {
        .hot = a->rw + a->used,
        .hot_size = BLOCK_ROOM,
        .cold = a->rw + a->cold_used,
        .cold_size = BLOCK_ROOM,
    };
    bool ok = host_emit_block(&a->layout, &ir, &buf, ids, &code);
    g_assert(ok);
    block_set_code(a, b, &code);
    dump_block(a, &req, &ir, b);
    return b;
}

/* ---- starting anew ---- */

/* Forgets what of PAGE is translated. */
static void page_forget(TcgAccel *a, uint64_t page)
{
    PageCode *p = page_get(a, page);

    p->first = NULL;
    atomic_store(&p->lines, 0);
    page_unprotect(page);
}

static void flush(TcgAccel *a)
{
    Machine *m = a->accel.machine;

    pthread_mutex_lock(&a->lock); /* DMA invalidates from threads that are no vCPUs */
    for (size_t i = 0; i < a->block_count; i++) {
        page_forget(a, a->blocks[i]->ram_addr >> 12);
        if (a->blocks[i]->page2 != NO_RAM_ADDR) {
            page_forget(a, a->blocks[i]->page2 >> 12);
        }
    }
    for (size_t i = 0; i < a->block_count; i++) {
        g_free(a->blocks[i]->faults);
        g_free(a->blocks[i]);
    }
    atomic_store(&a->block_count, 0);
    code_table_fini(a);
    code_table_init(a);
    for (int i = 0; i < m->cpu_count; i++) {
        TcgCpu *c = (TcgCpu *)m->cpus[i];
        memset(c->jc, 0xff, sizeof c->jc);
        c->running = NULL;
    }
    a->used = a->first_block;
    a->cold_used = a->first_cold;
    a->flushes++;
    pthread_mutex_unlock(&a->lock);
}

static bool cache_is_full(TcgAccel *a)
{
    return a->used + BLOCK_ROOM > a->first_cold || a->cold_used + BLOCK_ROOM > a->size ||
           a->block_count == a->blocks_room;
}

/*
 * In an exclusive section, so every vCPU is at a safe point. One whose IN_CODE is set may be in a
 * slow path there and return into code: it is asked to leave, and nothing happens yet. As nobody
 * enters while FLUSH_WANTED is set, all are out in the end.
 */
static void try_flush(void *opaque)
{
    TcgAccel *a = opaque;
    Machine *m = a->accel.machine;
    bool any = false;

    if (!atomic_load(&a->flush_wanted)) {
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
        flush(a);
        atomic_store(&a->flush_wanted, false);
    }
}

/*
 * The last vCPU to come here finds the others out and flushes; but the one that was missing may
 * have halted or been stopped instead, so the others look again after a while.
 */
void code_flush_wanted(TcgAccel *a)
{
    static const struct timespec pause = {.tv_nsec = 200000};

    for (;;) {
        safepoint_exclusive(try_flush, a);
        if (!atomic_load(&a->flush_wanted)) {
            break;
        }
        safepoint_offline();
        nanosleep(&pause, NULL);
        safepoint_online();
    }
}

Block *code_translate(TcgCpu *c, uint64_t ram_addr, uint32_t mode, uint64_t page2)
{
    TcgAccel *a = c->accel;
    Block *b;

    for (;;) {
        page_protect(ram_addr);
        if (page2 != NO_RAM_ADDR) {
            page_protect(page2);
        }
        pthread_mutex_lock(&a->lock);
        bool full = cache_is_full(a);
        if (!full && is_protected_addr(ram_addr) &&
            (page2 == NO_RAM_ADDR || is_protected_addr(page2))) {
            break;
        }
        if (full) {
            atomic_store(&a->flush_wanted, true);
        }
        pthread_mutex_unlock(&a->lock);
        if (full) {
            code_flush_wanted(a);
        }
    }
    b = code_find(a, ram_addr, mode, page2);
    if (!b) {
        b = block_build(c, ram_addr, mode, page2);
        if (b) {
            block_publish(a, b);
        }
    }
    pthread_mutex_unlock(&a->lock);
    return b;
}

/* ---- look-up by host address ---- */

Block *code_block_at(TcgAccel *a, uint64_t pc)
{
    size_t low = 0, high = atomic_load(&a->block_count);
    bool cold = pc >= a->rx + a->first_cold;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        Block *b = a->blocks[mid];
        uint64_t start = cold ? b->cold : b->code;
        if (pc < start) {
            high = mid;
        } else if (pc < start + (cold ? b->cold_size : b->code_size)) {
            return b;
        } else {
            low = mid + 1;
        }
    }
    return NULL;
}

void code_print_info(TcgAccel *a, GString *out)
{
    g_string_append_printf(out,
                           "code cache: %zu of %zu bytes used, %zu of %zu for what seldom "
                           "runs\nblocks: %zu\ntranslated: %" PRIu64 "\ninvalidated: %" PRIu64
                           "\nlinks made: %" PRIu64 "\nflushes: %" PRIu64 "\n",
                           a->used, a->first_cold, a->cold_used - a->first_cold,
                           a->size - a->first_cold, a->block_count, a->translated, a->invalidated,
                           a->linked, a->flushes);
}

/* ---- start and end ---- */

bool code_init(TcgAccel *a, GError **err)
{
    static const HostCallbacks callbacks = {tcg_mem_slow, tcg_mem_commit, tcg_call_helper,
                                            tcg_call_helper_end};

    uint64_t max = PAGES_MAX * GUEST_PAGE_SIZE - OTHER_RAM;

    if (a->accel.machine && a->accel.machine->ram_size > max) {
        emu_set_error(err,
                      "-m: %" PRIu64 " MiB is more than the translator can run code from: at most "
                      "%" PRIu64 " MiB",
                      a->accel.machine->ram_size >> 20, max >> 20);
        return false;
    }
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
    a->used = host_emit_thunks(&a->layout, &callbacks, a->rw, 4096, a->rx, &a->thunks);
    g_assert(a->used);
    a->used = a->first_block = round_up(a->used, 4096);
    a->cold_used = a->first_cold = round_up(a->size / 5 * 2, 4096);
    code_table_init(a);
    a->pages = g_malloc0(sizeof(*a->pages) * PAGES_TOP);
    a->blocks_room = a->size / MIN_BLOCK;
    a->blocks = mmap(NULL, a->blocks_room * sizeof(*a->blocks), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a->blocks == MAP_FAILED) {
        emu_set_error(err, "list of translated blocks: %s", g_strerror(errno));
        return false;
    }
    pthread_mutex_init(&a->lock, NULL);
    return true;
}

void code_fini(TcgAccel *a)
{
    code_table_fini(a);
    munmap(a->rw, a->size);
    munmap((void *)(uintptr_t)a->rx, a->size);
    munmap(a->blocks, a->blocks_room * sizeof(*a->blocks));
    close(a->fd);
    pthread_mutex_destroy(&a->lock);
}
