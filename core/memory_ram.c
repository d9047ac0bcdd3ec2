/*
 * RAM blocks and their dirty logs, the part that runs under the machine lock.
 *
 * Blocks are numbered linearly from 0 with an unmapped page between them, so that no range of
 * linear addresses runs from one block into the next; numbers are never used again.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/lock.h"
#include "core/memory_int.h"
#include "util/keyval.h"

typedef struct RamBlockBox {
    RamBlock block; /* first */
    struct rcu_head rcu;
} RamBlockBox;

typedef struct DirtyBitmap {
    struct rcu_head rcu;
    uint64_t bits[];
} DirtyBitmap;

static uint64_t next_ram_base;

static DirtyBitmap *bitmap_of(uint64_t *bits)
{
    return (DirtyBitmap *)((char *)bits - offsetof(DirtyBitmap, bits));
}

static struct {
    const DirtyAccelOps *ops;
    void *opaque;
} dirty_accel;

static void ram_table_free(struct rcu_head *head)
{
    g_free(caa_container_of(head, RamTable, rcu));
}

/* Publishes a table with ADD, or without REMOVE. */
static void ram_table_change(RamBlock *add, RamBlock *remove)
{
    RamTable *old = ram_table;
    size_t count = old ? old->count : 0, n = 0;
    RamTable *new = g_malloc0(sizeof(*new) + (count + 1) * sizeof(new->blocks[0]));

    for (size_t i = 0; i < count; i++) {
        if (old->blocks[i] != remove) {
            new->blocks[n++] = old->blocks[i];
        }
    }
    if (add) {
        new->blocks[n++] = add; /* it has the highest ram_base */
    }
    new->count = n;
    __atomic_store_n(&ram_table, new, __ATOMIC_RELEASE);
    if (old) {
        rcu_defer(&old->rcu, ram_table_free);
    }
}

RamBlock *ram_block_new(const char *name, uint64_t size, GError **err)
{
    RamBlockBox *box;
    RamBlock *block;
    char *fd_name;
    void *host;
    int fd;

    g_assert(machine_lock_held());
    if (!size || size % GUEST_PAGE_SIZE || size > INT64_MAX - GUEST_PAGE_SIZE) {
        emu_set_error(err,
                      "memory '%s': a size of %" G_GUINT64_FORMAT
                      " bytes is not a positive multiple of %d",
                      name, size, GUEST_PAGE_SIZE);
        return NULL;
    }
    fd_name = g_strdup_printf("emu-%.200s", name); /* the kernel takes at most 249 characters */
    fd = memfd_create(fd_name, MFD_CLOEXEC);
    g_free(fd_name);
    if (fd < 0) {
        emu_set_error(err, "memory '%s': memfd_create: %s", name, g_strerror(errno));
        return NULL;
    }
    if (ftruncate(fd, (off_t)size) < 0) {
        emu_set_error(err, "memory '%s': cannot size it to %" G_GUINT64_FORMAT " bytes: %s", name,
                      size, g_strerror(errno));
        close(fd);
        return NULL;
    }
    host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (host == MAP_FAILED) {
        emu_set_error(err, "memory '%s': cannot map %" G_GUINT64_FORMAT " bytes: %s", name, size,
                      g_strerror(errno));
        close(fd);
        return NULL;
    }
    madvise(host, size, MADV_DONTDUMP);

    box = g_new0(RamBlockBox, 1);
    block = &box->block;
    block->name = g_strdup(name);
    block->host = host;
    block->size = size;
    block->fd = fd;
    block->ram_base = next_ram_base;
    next_ram_base += size + GUEST_PAGE_SIZE;
    ram_table_change(block, NULL);
    return block;
}

static void ram_block_release(struct rcu_head *head)
{
    RamBlock *block = &caa_container_of(head, RamBlockBox, rcu)->block;

    for (int client = 0; client < DIRTY_CLIENTS; client++) {
        if (block->dirty[client]) {
            g_free(bitmap_of(block->dirty[client]));
        }
    }
    munmap(block->host, block->size);
    close(block->fd);
    g_free(block->name);
    g_free(caa_container_of(block, RamBlockBox, block));
}

void ram_block_free(RamBlock *block)
{
    if (block) {
        g_assert(machine_lock_held());
        ram_table_change(NULL, block);
        rcu_defer(&caa_container_of(block, RamBlockBox, block)->rcu, ram_block_release);
    }
}

RamBlock *ram_block_from_host(const void *host, uint64_t *offset)
{
    const RamTable *table = __atomic_load_n(&ram_table, __ATOMIC_ACQUIRE);

    for (size_t i = 0; table && i < table->count; i++) {
        RamBlock *block = table->blocks[i];
        uintptr_t distance = (uintptr_t)host - (uintptr_t)block->host;

        if (distance < block->size) {
            *offset = distance;
            return block;
        }
    }
    return NULL;
}

bool ram_block_foreach(bool (*fn)(RamBlock *block, void *opaque), void *opaque)
{
    const RamTable *table = ram_table;

    for (size_t i = 0; table && i < table->count; i++) {
        if (!fn(table->blocks[i], opaque)) {
            return false;
        }
    }
    return true;
}

/* ---- dirty log ---- */

static size_t bitmap_words(const RamBlock *block)
{
    return ((block->size >> GUEST_PAGE_BITS) + 63) / 64;
}

static void dirty_bitmap_free(struct rcu_head *head)
{
    g_free(caa_container_of(head, DirtyBitmap, rcu));
}

static void dirty_client_changed(RamBlock *block)
{
    if (dirty_accel.ops && dirty_accel.ops->client_changed) {
        dirty_accel.ops->client_changed(dirty_accel.opaque, block);
    }
}

void dirty_log_enable(RamBlock *block, DirtyClient client)
{
    DirtyBitmap *map;

    g_assert(machine_lock_held());
    if (block->dirty_on[client]++) {
        return;
    }
    map = g_malloc0(sizeof(*map) + bitmap_words(block) * sizeof(uint64_t));
    __atomic_store_n(&block->dirty[client], map->bits, __ATOMIC_RELEASE);
    dirty_client_changed(block);
}

void dirty_log_disable(RamBlock *block, DirtyClient client)
{
    uint64_t *bits = block->dirty[client];

    g_assert(machine_lock_held() && block->dirty_on[client]);
    if (--block->dirty_on[client]) {
        return;
    }
    __atomic_store_n(&block->dirty[client], NULL, __ATOMIC_RELEASE);
    dirty_client_changed(block);
    rcu_defer(&bitmap_of(bits)->rcu, dirty_bitmap_free);
}

void dirty_log_set_accel(const DirtyAccelOps *ops, void *opaque)
{
    g_assert(machine_lock_held());
    dirty_accel.ops = ops;
    dirty_accel.opaque = opaque;
}

void ram_dirty_mark_bitmap(RamBlock *block, uint64_t offset, const uint64_t *bits, uint64_t pages)
{
    uint64_t first = offset >> GUEST_PAGE_BITS, total = block->size >> GUEST_PAGE_BITS;

    if (first >= total) {
        return;
    }
    pages = MIN(pages, total - first);
    for (int client = 0; client < DIRTY_CODE; client++) {
        uint64_t *map = __atomic_load_n(&block->dirty[client], __ATOMIC_ACQUIRE);

        if (!map) {
            continue;
        }
        for (uint64_t i = 0; i < pages; i += 64) {
            uint64_t word = bits[i / 64], at = first + i;

            if (pages - i < 64) {
                word &= (UINT64_C(1) << (pages - i)) - 1;
            }
            if (!word) {
                continue;
            }
            __atomic_fetch_or(&map[at / 64], word << (at % 64), __ATOMIC_SEQ_CST);
            if (at % 64 && word >> (64 - at % 64)) {
                __atomic_fetch_or(&map[at / 64 + 1], word >> (64 - at % 64), __ATOMIC_SEQ_CST);
            }
        }
    }
}

bool dirty_log_take(RamBlock *block, DirtyClient client, uint64_t offset, uint64_t len,
                    uint64_t *out)
{
    uint64_t *map = block->dirty[client];
    uint64_t first = offset >> GUEST_PAGE_BITS;
    uint64_t pages = ((offset + len + GUEST_PAGE_SIZE - 1) >> GUEST_PAGE_BITS) - first;
    bool any = false;

    g_assert(machine_lock_held());
    g_assert(offset <= block->size && len <= block->size - offset);
    memset(out, 0, (pages + 63) / 64 * sizeof(uint64_t));
    if (!map || !len) {
        return false;
    }
    if (dirty_accel.ops && dirty_accel.ops->sync) {
        dirty_accel.ops->sync(dirty_accel.opaque, block, offset, len);
    }
    for (uint64_t page = first, end = first + pages; page < end;) {
        uint64_t bit = page % 64, n = MIN(64 - bit, end - page);
        uint64_t mask = (n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << bit;
        uint64_t got = 0;

        if (__atomic_load_n(&map[page / 64], __ATOMIC_RELAXED) & mask) {
            /* Before the caller reads the pages: see memory_fast.c. */
            got = (__atomic_fetch_and(&map[page / 64], ~mask, __ATOMIC_SEQ_CST) & mask) >> bit;
        }
        if (got) {
            uint64_t to = page - first;

            out[to / 64] |= got << (to % 64);
            if (to % 64 && got >> (64 - to % 64)) {
                out[to / 64 + 1] |= got >> (64 - to % 64);
            }
            any = true;
        }
        page += n;
    }
    if (any && dirty_accel.ops && dirty_accel.ops->cleared) {
        dirty_accel.ops->cleared(dirty_accel.opaque, block, offset, len);
    }
    return any;
}
