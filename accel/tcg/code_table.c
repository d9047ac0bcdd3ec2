/*
 * The table of blocks by key: its writers' side (code_find.c has the readers'). Under the code
 * lock. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/mman.h>

#include "accel/tcg/code_int.h"

enum { TABLE_MIN = 1 << 14 };

static CodeTable *table_new(size_t size)
{
    CodeTable *t = mmap(NULL, sizeof(*t) + size * sizeof(t->slot[0]), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    g_assert(t != MAP_FAILED);
    t->size = size;
    return t;
}

static void table_free(CodeTable *t)
{
    while (t) {
        CodeTable *smaller = t->smaller;
        munmap(t, sizeof(*t) + t->size * sizeof(t->slot[0]));
        t = smaller;
    }
}

static void table_put(CodeTable *t, Block *b)
{
    uint64_t key = code_key(b->ram_addr, b->mode), found;
    size_t i = code_hash(t, key);

    while ((found = atomic_load(&t->slot[i].key)) > KEY_GONE) {
        i = (i + 1) & (t->size - 1);
    }
    t->used += found == KEY_FREE;
    atomic_store(&t->slot[i].block, b);
    atomic_store_explicit(&t->slot[i].key, key, memory_order_release);
}

void code_table_insert(TcgAccel *a, Block *b)
{
    CodeTable *t = atomic_load(&a->table), *larger;
    size_t live = 0;

    if (t->used >= t->size / 2) {
        for (size_t i = 0; i < t->size; i++) {
            live += atomic_load(&t->slot[i].key) > KEY_GONE;
        }
        larger = table_new(live >= t->size / 4 ? t->size * 2 : t->size);
        for (size_t i = 0; i < t->size; i++) {
            if (atomic_load(&t->slot[i].key) > KEY_GONE) {
                table_put(larger, atomic_load(&t->slot[i].block));
            }
        }
        larger->smaller = t;
        atomic_store_explicit(&a->table, larger, memory_order_release);
        t = larger;
    }
    table_put(t, b);
}

void code_table_remove(TcgAccel *a, Block *b)
{
    CodeTable *t = atomic_load(&a->table);
    size_t i = code_hash(t, code_key(b->ram_addr, b->mode));

    while (atomic_load(&t->slot[i].block) != b) {
        i = (i + 1) & (t->size - 1);
    }
    atomic_store(&t->slot[i].key, KEY_GONE);
}

void code_table_trim(TcgAccel *a)
{
    CodeTable *t = atomic_load(&a->table);

    table_free(t->smaller);
    t->smaller = NULL;
}

void code_table_init(TcgAccel *a)
{
    atomic_store(&a->table, table_new(TABLE_MIN));
}

void code_table_fini(TcgAccel *a)
{
    table_free(atomic_load(&a->table));
    atomic_store(&a->table, NULL);
}
