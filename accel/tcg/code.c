/*
 * The code cache: translation and invalidation.
 *
 * Translating bytes of a page that has no code yet: first its code bit is set, then every vCPU's
 * TLB stops writing to it unnoticed, only then are its bytes read. So a write is either seen by the
 * translation or finds the bit.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>
#include <string.h>

#include "accel/tcg/code_int.h"
#include "accel/tcg/dump.h"
#include "core/machine.h"
#include "core/safepoint.h"
#include "target-x86/translate.h"
#include "util/keyval.h"

enum { MAX_INSNS = 48 };

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

void code_block_remove(TcgAccel *a, Block *b)
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
                code_block_remove(a, b);
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
    a->translated++;
}

static void block_set_code(TcgAccel *a, Block *b, const HostCode *code)
{
    uint8_t *hot = code_room_take(a, b, code);

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
    b->fault_count = (uint16_t)code->fault_count;
    b->faults = g_memdup2(code->faults, sizeof(HostFault) * (size_t)code->fault_count);
}

/* Translates what REQ says; NULL: the first instruction straddles. The block is not known to anyone
 * yet, and depends on no byte. */
static Block *block_new(TcgAccel *a, const TranslateRequest *req, IrBlock *ir)
{
    static HostCode code; /* under the code lock */
    Block *b;

    if (x86_translate(req, ir) == TRANSLATE_STRADDLES) {
        return NULL;
    }
    b = g_new0(Block, 1);
    b->ram_addr = b->page2 = NO_RAM_ADDR;
    b->mode = req->mode;
    uint64_t ids[HOST_MAX_EDGES] = {(uint64_t)(uintptr_t)&b->edges[0],
                                    (uint64_t)(uintptr_t)&b->edges[1]};
    HostBuf buf = code_room(a);
    bool ok = host_emit_block(&a->layout, ir, &buf, ids, &code);
    g_assert(ok);
    block_set_code(a, b, &code);
    return b;
}

static Block *block_build(TcgCpu *c, uint64_t ram_addr, uint32_t mode, uint64_t page2)
{
    static IrBlock ir; /* under the code lock */
    uint64_t offset, offset2;
    uint8_t both[32];
    unsigned off = ram_addr & 4095;
    RamBlock *ram = ram_block_at(ram_addr, &offset);
    TranslateRequest req = {
        .code = ram->host + offset,
        .avail = 4096 - off,
        .start_off = (uint16_t)off,
        .whole_page = true,
        .mode = mode,
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
    Block *b = block_new(c->accel, &req, &ir);
    if (!b) {
        return NULL;
    }
    b->ram_addr = ram_addr;
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
    dump_block(c->accel, &req, &ir, b);
    return b;
}

/* Takes the code lock with room for a block. */
static void lock_with_room(TcgAccel *a)
{
    pthread_mutex_lock(&a->lock);
    while (!code_room_ready(a)) {
        pthread_mutex_unlock(&a->lock);
        code_make_room(a);
        pthread_mutex_lock(&a->lock);
    }
}

Block *code_translate_once(TcgCpu *c, const TranslateRequest *req)
{
    static IrBlock ir; /* under the code lock */
    Block *b;

    lock_with_room(c->accel);
    b = block_new(c->accel, req, &ir);
    if (b) {
        b->dead = true; /* nothing is to be linked to it */
        dump_block(c->accel, req, &ir, b);
    }
    pthread_mutex_unlock(&c->accel->lock);
    return b;
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
        lock_with_room(a);
        if (is_protected_addr(ram_addr) && (page2 == NO_RAM_ADDR || is_protected_addr(page2))) {
            break;
        }
        pthread_mutex_unlock(&a->lock);
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

/* ---- start and end ---- */

bool code_init(TcgAccel *a, GError **err)
{
    uint64_t max = PAGES_MAX * GUEST_PAGE_SIZE - OTHER_RAM;

    if (a->accel.machine && a->accel.machine->ram_size > max) {
        emu_set_error(err,
                      "-m: %" PRIu64 " MiB is more than the translator can run code from: at most "
                      "%" PRIu64 " MiB",
                      a->accel.machine->ram_size >> 20, max >> 20);
        return false;
    }
    if (!code_room_init(a, err)) {
        return false;
    }
    code_table_init(a);
    a->pages = g_malloc0(sizeof(*a->pages) * PAGES_TOP);
    pthread_mutex_init(&a->lock, NULL);
    return true;
}

void code_fini(TcgAccel *a)
{
    code_table_fini(a);
    code_room_fini(a);
    pthread_mutex_destroy(&a->lock);
}
