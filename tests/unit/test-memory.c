/*
 * Address spaces: flattening, access, listeners, RAM blocks and dirty logs.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/lock.h"
#include "core/mainloop.h"
#include "core/memory.h"
#include "core/rcu.h"

typedef struct Fixture {
    MemRegion *root;
    RamBlock *ram;
    MemRegion *ram_region;
    AddressSpace as;
} Fixture;

static void setup(Fixture *f, gconstpointer unused)
{
    GError *err = NULL;

    (void)unused;
    f->root = mem_region_container("root", UINT64_MAX);
    f->ram = ram_block_new("ram", 1 << 20, &err);
    g_assert_no_error(err);
    f->ram_region = mem_region_ram("ram", f->ram, 0, 1 << 20, false);
    address_space_init(&f->as, f->root, "test");
}

static void teardown(Fixture *f, gconstpointer unused)
{
    (void)unused;
    address_space_fini(&f->as);
    mem_region_free(f->ram_region);
    mem_region_free(f->root);
    ram_block_free(f->ram);
    rcu_barrier();
}

static void flat_is(const AddressSpace *as, const char *expected)
{
    const FlatView *view = address_space_view(as);
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < view->count; i++) {
        const FlatRange *r = &view->ranges[i];

        g_string_append_printf(text, "%s%" PRIx64 "+%" PRIx64 " %s@%" PRIx64 "%s", i ? ", " : "",
                               r->base, r->size, mem_region_name(r->region), r->region_offset,
                               r->readonly ? " ro" : "");
        g_assert(!i || r[-1].base + r[-1].size <= r->base);
        g_assert(flat_view_find(view, r->base) == r);
        g_assert(flat_view_find(view, r->base + r->size - 1) == r);
    }
    g_assert_cmpstr(text->str, ==, expected);
    g_string_free(text, TRUE);
}

/* ---- a device that remembers ---- */

typedef struct Probe {
    GString *log;
    uint64_t value;
    bool lock_was_held;
} Probe;

static uint64_t probe_read(void *opaque, hwaddr addr, unsigned size)
{
    Probe *p = opaque;

    p->lock_was_held = machine_lock_held();
    g_string_append_printf(p->log, "r%u@%" PRIx64 " ", size, addr);
    return p->value >> (8 * (addr & 7));
}

static void probe_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Probe *p = opaque;

    p->lock_was_held = machine_lock_held();
    g_string_append_printf(p->log, "w%u@%" PRIx64 "=%" PRIx64 " ", size, addr, value);
}

static void log_is(Probe *p, const char *expected)
{
    g_assert_cmpstr(g_strchomp(p->log->str), ==, expected);
    g_string_truncate(p->log, 0);
}

static const MemOps ops_any = {.read = probe_read, .write = probe_write, .max_size = 8};
static const MemOps ops_4 = {.read = probe_read, .write = probe_write};
static const MemOps ops_only_4 = {probe_read, probe_write, 4, 4, false};
static const MemOps ops_lock_free = {probe_read, probe_write, 1, 8, true};

/* ---- flattening ---- */

static void test_higher_priority_wins_and_equals_by_order(Fixture *f, gconstpointer unused)
{
    MemRegion *io = mem_region_io("io", &ops_any, NULL, 0x20000);
    MemRegion *rom = mem_region_ram("rom", f->ram, 0, 0x10000, true);
    MemRegion *io2 = mem_region_io("io2", &ops_any, NULL, 0x1000);

    (void)unused;
    flat_is(&f->as, "");
    mem_region_add(f->root, 0, f->ram_region, 0);
    flat_is(&f->as, "0+100000 ram@0");
    mem_region_add(f->root, 0xa0000, io, 1);
    flat_is(&f->as, "0+a0000 ram@0, a0000+20000 io@0, c0000+40000 ram@c0000");
    mem_region_add(f->root, 0xf0000, rom, 1);
    flat_is(&f->as, "0+a0000 ram@0, a0000+20000 io@0, c0000+30000 ram@c0000, f0000+10000 rom@0 ro");
    mem_region_add(f->root, 0xaf800, io2, 1); /* added last among equals */
    flat_is(&f->as, "0+a0000 ram@0, a0000+f800 io@0, af800+1000 io2@0, b0800+f800 io@10800, "
                    "c0000+30000 ram@c0000, f0000+10000 rom@0 ro");
    mem_region_remove(io);
    flat_is(&f->as, "0+af800 ram@0, af800+1000 io2@0, b0800+3f800 ram@b0800, f0000+10000 rom@0 ro");
    mem_region_set_enabled(io2, false);
    mem_region_set_enabled(rom, false);
    flat_is(&f->as, "0+100000 ram@0");
    mem_region_free(io);
    mem_region_free(io2);
    mem_region_free(rom);
}

static void test_alias_of_alias_is_clipped_twice(Fixture *f, gconstpointer unused)
{
    MemRegion *inner = mem_region_alias("inner", f->ram_region, 0x10000, 0x8000);
    MemRegion *outer = mem_region_alias("outer", inner, 0x2000, 0x10000);

    (void)unused;
    mem_region_add(f->root, 0x100000000, outer, 0);
    flat_is(&f->as, "100000000+6000 ram@12000");
    mem_region_set_alias_offset(outer, 0x7000);
    flat_is(&f->as, "100000000+1000 ram@17000");
    mem_region_set_offset(outer, 0xfffffffffffff000);
    flat_is(&f->as, "fffffffffffff000+1000 ram@17000");
    mem_region_set_alias_offset(outer, 0);
    mem_region_set_size(outer, 0x800);
    flat_is(&f->as, "fffffffffffff000+800 ram@10000");
    mem_region_free(outer);
    flat_is(&f->as, "");
    mem_region_free(inner);
}

static void test_alias_shows_children_and_read_only(Fixture *f, gconstpointer unused)
{
    MemRegion *bus = mem_region_container("bus", 0x100000);
    MemRegion *io = mem_region_io("io", &ops_any, NULL, 0x100);
    MemRegion *low = mem_region_alias("low", bus, 0, 0x4000);

    (void)unused;
    mem_region_add(bus, 0, f->ram_region, -1);
    mem_region_add(bus, 0x3f80, io, 0);
    mem_region_add(f->root, 0x8000, low, 0);
    flat_is(&f->as, "8000+3f80 ram@0, bf80+80 io@0");
    mem_region_set_readonly(low, true);
    flat_is(&f->as, "8000+3f80 ram@0 ro, bf80+80 io@0");
    mem_region_free(low);
    mem_region_remove(f->ram_region);
    mem_region_free(io);
    mem_region_free(bus);
}

static void test_neighbours_of_one_region_merge(Fixture *f, gconstpointer unused)
{
    MemRegion *a = mem_region_alias("a", f->ram_region, 0, 0x4000);
    MemRegion *b = mem_region_alias("b", f->ram_region, 0x4000, 0x4000);

    (void)unused;
    mem_transaction_begin();
    mem_region_add(f->root, 0, a, 0);
    mem_region_add(f->root, 0x4000, b, 0);
    flat_is(&f->as, ""); /* not before the end */
    mem_transaction_commit();
    flat_is(&f->as, "0+8000 ram@0");
    mem_region_set_readonly(b, true);
    flat_is(&f->as, "0+4000 ram@0, 4000+4000 ram@4000 ro");
    mem_region_set_readonly(a, true);
    flat_is(&f->as, "0+8000 ram@0 ro");
    mem_region_free(a);
    mem_region_free(b);
}

static void test_target_freed_before_its_alias_is_gone_from_the_view(Fixture *f,
                                                                     gconstpointer unused)
{
    MemRegion *ram = mem_region_ram("gone", f->ram, 0, 0x1000, false);
    MemRegion *alias = mem_region_alias("alias", ram, 0, 0x1000);

    (void)unused;
    mem_region_add(f->root, 0, alias, 0);
    flat_is(&f->as, "0+1000 gone@0");
    mem_region_free(ram);
    flat_is(&f->as, "");
    mem_region_set_size(alias, 0x800);
    mem_region_free(alias);
}

static void test_container_is_freed_before_its_children(Fixture *f, gconstpointer unused)
{
    MemRegion *bus = mem_region_container("bus", 0x10000);

    (void)unused;
    mem_region_add(f->root, 0, bus, 0);
    mem_region_add(bus, 0, f->ram_region, 0);
    mem_region_free(bus);
    flat_is(&f->as, "");
    mem_region_add(f->root, 0, f->ram_region, 0); /* has no parent now */
    flat_is(&f->as, "0+100000 ram@0");
}

/* A view read before a region is freed stays whole until the reader's next quiescent state. */
static void test_old_view_outlives_a_freed_region(Fixture *f, gconstpointer unused)
{
    MemRegion *io = mem_region_io("io", &ops_any, NULL, 0x1000);
    const FlatView *old;

    (void)unused;
    mem_region_add(f->root, 0, io, 0);
    old = address_space_view(&f->as);
    mem_region_free(io);
    g_usleep(20 * 1000); /* time for RCU to be wrong in */
    g_assert_cmpuint(old->count, ==, 1);
    g_assert_cmpstr(mem_region_name(old->ranges[0].region), ==, "io");
    g_assert_cmpuint(address_space_view(&f->as)->count, ==, 0);
}

/* Random trees against the definition: walk the tree for each address. */
typedef struct Node {
    MemRegion *mr;
    int parent, priority, alias_of;
    uint64_t offset, size, alias_offset;
    bool leaf, enabled;
} Node;

enum { NODES = 12, SPAN = 64 };

/* The leaf that ADDR of node N is, or -1. Children later in the array were added later. */
static int resolve(const Node *nodes, int n, int64_t addr, uint64_t *offset)
{
    const Node *node = &nodes[n];
    int found = -1;

    if (!node->enabled || addr < 0 || addr >= (int64_t)node->size) {
        return -1;
    }
    if (node->alias_of >= 0) {
        return resolve(nodes, node->alias_of, addr + (int64_t)node->alias_offset, offset);
    }
    for (int priority = 3; priority >= 0 && found < 0; priority--) {
        for (int i = NODES - 1; i > 0 && found < 0; i--) {
            if (nodes[i].parent == n && nodes[i].priority == priority) {
                found = resolve(nodes, i, addr - (int64_t)nodes[i].offset, offset);
            }
        }
    }
    if (found < 0 && node->leaf) {
        *offset = (uint64_t)addr;
        found = n;
    }
    return found;
}

static void random_tree(void)
{
    Node nodes[NODES];
    AddressSpace as;

    mem_transaction_begin();
    for (int i = 0; i < NODES; i++) {
        Node *node = &nodes[i];
        char name[8];

        *node = (Node){.parent = i ? g_test_rand_int_range(-1, i) : -1,
                       .priority = g_test_rand_int_range(0, 4),
                       .alias_of = i && g_test_rand_bit() ? g_test_rand_int_range(0, i) : -1,
                       .offset = (uint64_t)g_test_rand_int_range(0, SPAN),
                       .size = i ? (uint64_t)g_test_rand_int_range(1, SPAN) : SPAN,
                       .alias_offset = (uint64_t)g_test_rand_int_range(0, SPAN / 2),
                       .leaf = g_test_rand_bit(),
                       .enabled = !i || g_test_rand_int_range(0, 5)};
        /* An alias to what contains it would never end: aliases stand on their own or name leaves.
         */
        if (node->alias_of >= 0) {
            bool above = false;

            for (int p = node->parent; p >= 0; p = nodes[p].parent) {
                above |= p == node->alias_of;
            }
            if (above || node->alias_of == 0) {
                node->alias_of = -1;
            } else {
                nodes[i].leaf = false;
            }
        }
        if (node->parent >= 0 && nodes[node->parent].alias_of >= 0) {
            node->parent = 0;
        }
        g_snprintf(name, sizeof(name), "%d", i);
        if (node->alias_of >= 0) {
            /* Only what has no part in this node's own ancestors; else it could come back here. */
            node->parent = 0;
            node->mr =
                mem_region_alias(name, nodes[node->alias_of].mr, node->alias_offset, node->size);
        } else if (node->leaf) {
            node->mr = mem_region_io(name, &ops_any, NULL, node->size);
        } else {
            node->mr = mem_region_container(name, node->size);
        }
        mem_region_set_enabled(node->mr, node->enabled);
        if (node->parent >= 0) {
            mem_region_add(nodes[node->parent].mr, node->offset, node->mr, node->priority);
        }
    }
    mem_transaction_commit();
    address_space_init(&as, nodes[0].mr, "random");

    for (int64_t addr = 0; addr < 2 * SPAN; addr++) {
        const FlatRange *range = flat_view_find(address_space_view(&as), (hwaddr)addr);
        uint64_t offset = 0;
        int found = resolve(nodes, 0, addr, &offset);

        g_assert((found >= 0) == (range != NULL));
        if (range) {
            g_assert(range->region == nodes[found].mr);
            g_assert_cmpuint(range->region_offset + ((hwaddr)addr - range->base), ==, offset);
        }
    }
    address_space_fini(&as);
    for (int i = NODES - 1; i >= 0; i--) {
        mem_region_free(nodes[i].mr);
    }
}

static void test_random_trees_flatten_as_defined(void)
{
    for (int i = 0; i < 3000; i++) {
        random_tree();
    }
    rcu_barrier();
}

/* ---- access ---- */

static void test_io_is_split_and_widened_by_its_ops(Fixture *f, gconstpointer unused)
{
    Probe p = {.log = g_string_new(NULL), .value = 0x8877665544332211};
    MemRegion *any = mem_region_io("any", &ops_any, &p, 0x100);
    MemRegion *four = mem_region_io("four", &ops_4, &p, 0x100);
    MemRegion *only4 = mem_region_io("only4", &ops_only_4, &p, 0x100);

    (void)unused;
    mem_region_add(f->root, 0x000, any, 0);
    mem_region_add(f->root, 0x100, four, 0);
    mem_region_add(f->root, 0x200, only4, 0);

    g_assert_cmphex(address_space_load(&f->as, 8, 8), ==, 0x8877665544332211);
    log_is(&p, "r8@8");
    g_assert_cmphex(address_space_load(&f->as, 3, 4), ==, 0x77665544);
    log_is(&p, "r4@3"); /* unaligned, but one access */
    g_assert_cmphex(address_space_load(&f->as, 0x108, 8), ==, 0x8877665544332211);
    log_is(&p, "r4@8 r4@c");
    address_space_store(&f->as, 0x108, 0x1122334455667788, 8);
    log_is(&p, "w4@8=55667788 w4@c=11223344");
    g_assert_cmphex(address_space_load(&f->as, 0x202, 1), ==, 0x33);
    log_is(&p, "r4@0");
    g_assert_cmphex(address_space_load(&f->as, 0x20b, 2), ==, 0x5544);
    log_is(&p, "r4@8 r4@c");
    address_space_store(&f->as, 0x206, 0xabcd, 2);
    log_is(&p, "w4@4=abcd0000");
    address_space_store(&f->as, 0x207, 0xabcd, 2);
    log_is(&p, "w4@4=cd000000 w4@8=ab");
    address_space_store(&f->as, 0x10, 0xfff12, 1);
    log_is(&p, "w1@10=12");
    /* Across two regions: each gets its part. */
    address_space_store(&f->as, 0xfe, 0x44332211, 4);
    log_is(&p, "w2@fe=2211 w2@0=4433");
    /* A buffer: aligned pieces. */
    address_space_write(&f->as, 0x11, "\1\2\3\4\5\6\7\10\11", 9);
    log_is(&p, "w1@11=1 w2@12=302 w4@14=7060504 w2@18=908");
    g_string_free(p.log, TRUE);
    mem_region_free(any);
    mem_region_free(four);
    mem_region_free(only4);
}

static void test_unassigned_reads_ones_and_rom_ignores_writes(Fixture *f, gconstpointer unused)
{
    MemRegion *rom = mem_region_ram("rom", f->ram, 0x1000, 0x1000, true);
    uint8_t buf[16];

    (void)unused;
    mem_region_add(f->root, 0x1000, rom, 0);
    g_assert_cmphex(address_space_load(&f->as, 0, 4), ==, 0xffffffff);
    memset(buf, 0, sizeof(buf));
    g_assert_cmpint(address_space_read(&f->as, 0xff8, buf, 16), ==, MEM_UNASSIGNED);
    g_assert(buf[0] == 0xff && buf[7] == 0xff && buf[8] == 0 && buf[15] == 0);
    g_assert_cmpint(address_space_write(&f->as, 0x1000, "abc", 3), ==, MEM_OK);
    address_space_store(&f->as, 0x1010, 1, 8);
    g_assert_cmphex(address_space_load(&f->as, 0x1000, 4), ==, 0);
    g_assert_cmphex(address_space_load(&f->as, 0x1010, 8), ==, 0);
    g_assert_cmpint(address_space_write_rom(&f->as, 0x1000, "abc", 3), ==, MEM_OK);
    g_assert_cmphex(address_space_load(&f->as, 0x1000, 4), ==, 0x636261);
    g_assert(f->ram->host[0x1000] == 'a');
    g_assert_cmphex(address_space_load(&f->as, 0x1ffe, 4), ==, 0xffff0000);
    g_assert_cmpint(address_space_read(&f->as, UINT64_MAX - 3, buf, 4), ==, MEM_UNASSIGNED);
    mem_region_free(rom);
}

static void test_map_gives_contiguous_ram_only(Fixture *f, gconstpointer unused)
{
    MemRegion *lo = mem_region_alias("lo", f->ram_region, 0, 0x4000);
    MemRegion *hi = mem_region_alias("hi", f->ram_region, 0x4000, 0x4000);
    uint64_t len, bits;

    (void)unused;
    mem_region_set_readonly(hi, true);
    mem_region_add(f->root, 0x10000, lo, 0);
    mem_region_add(f->root, 0x14000, hi, 0);
    len = 0x100000;
    g_assert(address_space_map(&f->as, 0x10010, &len, false) == f->ram->host + 0x10);
    g_assert_cmphex(len, ==, 0x7ff0);
    len = 0x100000;
    g_assert(address_space_map(&f->as, 0x10010, &len, true) == f->ram->host + 0x10);
    g_assert_cmphex(len, ==, 0x3ff0);
    len = 8;
    g_assert(address_space_map(&f->as, 0x13ffc, &len, false));
    g_assert_cmphex(len, ==, 8);
    len = 8;
    g_assert_null(address_space_map(&f->as, 0x14000, &len, true));
    g_assert_cmphex(len, ==, 0);
    len = 8;
    g_assert_null(address_space_map(&f->as, 0x8000, &len, false));

    dirty_log_enable(f->ram, DIRTY_MIGRATION);
    address_space_unmap(&f->as, f->ram->host + 0x2ffe, 4, false);
    g_assert_false(dirty_log_take(f->ram, DIRTY_MIGRATION, 0, 0x40000, &bits));
    address_space_unmap(&f->as, f->ram->host + 0x2ffe, 4, true);
    g_assert_true(dirty_log_take(f->ram, DIRTY_MIGRATION, 0, 0x40000, &bits));
    g_assert_cmphex(bits, ==, 0xc);
    dirty_log_disable(f->ram, DIRTY_MIGRATION);
    mem_region_free(lo);
    mem_region_free(hi);
}

static gpointer access_from_thread(gpointer opaque)
{
    Fixture *f = opaque;

    g_assert_false(machine_lock_held());
    for (int i = 0; i < 100; i++) {
        address_space_store(&f->as, 0, 1, 4);
        address_space_load(&f->as, 0x1000, 4);
    }
    g_assert_false(machine_lock_held());
    return NULL;
}

static void test_lock_is_taken_for_io_unless_lock_free(Fixture *f, gconstpointer unused)
{
    Probe locked = {.log = g_string_new(NULL)}, free_of_it = {.log = g_string_new(NULL)};
    MemRegion *a = mem_region_io("a", &ops_any, &locked, 0x100);
    MemRegion *b = mem_region_io("b", &ops_lock_free, &free_of_it, 0x100);
    GThread *thread;

    (void)unused;
    mem_region_add(f->root, 0, a, 0);
    mem_region_add(f->root, 0x1000, b, 0);
    machine_unlock();
    thread = g_thread_new("access", access_from_thread, f);
    g_thread_join(thread);
    machine_lock();
    g_assert_true(locked.lock_was_held);
    g_assert_false(free_of_it.lock_was_held);
    g_assert_true(mem_region_lock_free(b));
    g_string_free(locked.log, TRUE);
    g_string_free(free_of_it.log, TRUE);
    mem_region_free(a);
    mem_region_free(b);
}

/* A device that takes itself off the map while it is accessed. */
typedef struct Vanishing {
    MemRegion *mr;
} Vanishing;

static void vanish(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Vanishing *v = opaque;

    (void)addr;
    (void)value;
    (void)size;
    mem_region_free(v->mr);
    v->mr = NULL;
}

static void test_region_may_free_itself_in_its_callback(Fixture *f, gconstpointer unused)
{
    static const MemOps ops = {.write = vanish};
    Vanishing v;

    (void)unused;
    v.mr = mem_region_io("vanishing", &ops, &v, 0x1000);
    mem_region_add(f->root, 0, v.mr, 1);
    mem_region_add(f->root, 0, f->ram_region, 0);
    g_assert_cmpint(address_space_write(&f->as, 0, "0123456789abcdef", 16), ==, MEM_OK);
    g_assert_null(v.mr);
    g_assert(f->ram->host[0] == 0 && !memcmp(f->ram->host + 8, "89abcdef", 8));
}

/* ---- listeners ---- */

typedef struct Ears {
    GString *log;
} Ears;

static void ears_begin(void *opaque)
{
    g_string_append_c(((Ears *)opaque)->log, '(');
}

static void ears_del(void *opaque, const FlatRange *r)
{
    g_string_append_printf(((Ears *)opaque)->log, "-%" PRIx64 "+%" PRIx64, r->base, r->size);
}

static void ears_add(void *opaque, const FlatRange *r)
{
    g_string_append_printf(((Ears *)opaque)->log, "!%" PRIx64 "+%" PRIx64, r->base, r->size);
}

static void ears_commit(void *opaque)
{
    g_string_append_c(((Ears *)opaque)->log, ')');
}

static void heard(Ears *ears, const char *expected)
{
    g_assert_cmpstr(ears->log->str, ==, expected);
    g_string_truncate(ears->log, 0);
}

static void test_listener_hears_differences_only(Fixture *f, gconstpointer unused)
{
    Ears ears = {g_string_new(NULL)};
    MemListener listener = {ears_begin, ears_del, ears_add, ears_commit, &ears};
    MemRegion *io = mem_region_io("io", &ops_any, NULL, 0x1000);
    MemRegion *far = mem_region_io("far", &ops_any, NULL, 0x1000);

    (void)unused;
    mem_region_add(f->root, 0, f->ram_region, 0);
    mem_region_add(f->root, 0x200000, far, 0);
    address_space_listen(&f->as, &listener);
    heard(&ears, "(!0+100000!200000+1000)");
    mem_region_add(f->root, 0x8000, io, 1);
    heard(&ears, "(-0+100000!0+8000!8000+1000!9000+f7000)");
    mem_region_set_offset(io, 0x9000);
    heard(&ears, "(-0+8000-8000+1000-9000+f7000!0+9000!9000+1000!a000+f6000)");
    mem_transaction_begin();
    mem_region_set_enabled(io, false);
    mem_region_set_enabled(io, true);
    mem_transaction_commit();
    heard(&ears, ""); /* nothing changed in the end */
    mem_region_set_enabled(far, false);
    heard(&ears, "(-200000+1000)");
    address_space_unlisten(&f->as, &listener);
    mem_region_free(io);
    heard(&ears, "");
    mem_region_free(far);
    g_string_free(ears.log, TRUE);
}

/* ---- RAM blocks ---- */

static void test_ram_numbers_are_found_and_never_reused(Fixture *f, gconstpointer unused)
{
    RamBlock *a = ram_block_new("a", 0x3000, NULL), *b = ram_block_new("b", 0x1000, NULL);
    uint64_t offset, base = b->ram_base;

    (void)unused;
    g_assert_cmpuint(b->ram_base, >, a->ram_base + a->size); /* a guard between them */
    g_assert(ram_block_at(a->ram_base + 0x2fff, &offset) == a);
    g_assert_cmphex(offset, ==, 0x2fff);
    g_assert_null(ram_block_at(a->ram_base + 0x3000, &offset));
    g_assert(ram_block_at(b->ram_base, &offset) == b);
    g_assert(ram_block_at(f->ram->ram_base + 5, &offset) == f->ram);
    g_assert(ram_block_from_host(b->host + 17, &offset) == b);
    g_assert_cmphex(offset, ==, 17);
    g_assert_null(ram_block_from_host(&offset, &offset));
    ram_block_free(b);
    g_assert_null(ram_block_at(base, &offset));
    b = ram_block_new("b", 0x1000, NULL);
    g_assert_cmphex(b->ram_base, >, base);
    ram_block_free(a);
    ram_block_free(b);
}

static void test_ram_of_impossible_size_is_refused(Fixture *f, gconstpointer unused)
{
    static const uint64_t sizes[] = {0, 1, 4097, UINT64_MAX, UINT64_MAX & ~UINT64_C(4095)};

    (void)f;
    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        GError *err = NULL;

        g_assert_null(ram_block_new("impossible", sizes[i], &err));
        g_assert_nonnull(err);
        g_error_free(err);
    }
}

static void count_code_writes(void *opaque, uint64_t ram_addr, uint64_t len)
{
    uint64_t *seen = opaque;

    seen[0] = ram_addr;
    seen[1] = len;
    seen[2]++;
}

static void test_dirty_clients_are_apart_and_code_calls_the_hook(Fixture *f, gconstpointer unused)
{
    uint64_t bits[2], seen[3] = {0};

    (void)unused;
    g_assert_false(dirty_log_take(f->ram, DIRTY_DISPLAY, 0, 0x1000, bits)); /* off */
    dirty_log_enable(f->ram, DIRTY_DISPLAY);
    dirty_log_enable(f->ram, DIRTY_DISPLAY);
    dirty_log_enable(f->ram, DIRTY_MIGRATION);
    dirty_log_enable(f->ram, DIRTY_CODE);
    ram_set_code_hook(count_code_writes, seen);

    ram_block_written(f->ram, 0x41ffe, 3);   /* pages 41h and 42h */
    ram_block_written(f->ram, 0xfffff, 1);   /* the last */
    ram_block_written(f->ram, 0xfffff, 100); /* beyond: no harm */
    g_assert_true(dirty_log_take(f->ram, DIRTY_DISPLAY, 0x3f000, 0x50000, bits));
    g_assert_cmphex(bits[0], ==, 0xc);
    g_assert_cmphex(bits[1], ==, 0);
    g_assert_false(dirty_log_take(f->ram, DIRTY_DISPLAY, 0x3f000, 0x50000, bits));
    g_assert_true(dirty_log_take(f->ram, DIRTY_DISPLAY, 0x80000, 0x80000, bits));
    g_assert_cmphex(bits[1], ==, UINT64_C(1) << 63);
    g_assert_true(dirty_log_take(f->ram, DIRTY_MIGRATION, 0, 0x80000, bits));
    g_assert_cmphex(bits[1], ==, 6);

    g_assert_cmpuint(seen[2], ==, 0);
    __atomic_fetch_or(&f->ram->dirty[DIRTY_CODE][0], 1 << 5, __ATOMIC_SEQ_CST);
    ram_block_written(f->ram, 0x4000, 0x1000);
    g_assert_cmpuint(seen[2], ==, 0);
    ram_block_written(f->ram, 0x4fff, 2);
    g_assert_cmpuint(seen[2], ==, 1);
    g_assert_cmphex(seen[0], ==, f->ram->ram_base + 0x4fff);
    g_assert_true(ram_dirty_mark(f->ram, 0x5abc, 1));
    g_assert_cmpuint(seen[2], ==, 1);                     /* marking alone calls nobody */
    g_assert_true(f->ram->dirty[DIRTY_CODE][0] & 1 << 5); /* and clears nothing */

    ram_set_code_hook(NULL, NULL);
    dirty_log_disable(f->ram, DIRTY_DISPLAY);
    g_assert_nonnull(f->ram->dirty[DIRTY_DISPLAY]); /* enabled twice */
    dirty_log_disable(f->ram, DIRTY_DISPLAY);
    g_assert_null(f->ram->dirty[DIRTY_DISPLAY]);
}

static void test_dirty_bitmap_of_an_accelerator_is_shifted_in(Fixture *f, gconstpointer unused)
{
    uint64_t in[2] = {0x8000000000000001, 0x7}, out[4];

    (void)unused;
    dirty_log_enable(f->ram, DIRTY_MIGRATION);
    ram_dirty_mark_bitmap(f->ram, 3 << 12, in, 66); /* bit 66 is beyond */
    g_assert_true(dirty_log_take(f->ram, DIRTY_MIGRATION, 0, 1 << 20, out));
    g_assert_cmphex(out[0], ==, 0x8);
    g_assert_cmphex(out[1], ==, 0x1c);
    ram_dirty_mark_bitmap(f->ram, 255 << 12, in, 128); /* cut at the block's end */
    g_assert_true(dirty_log_take(f->ram, DIRTY_MIGRATION, 0, 1 << 20, out));
    g_assert_cmphex(out[3], ==, UINT64_C(1) << 63);
}

typedef struct AccelLog {
    int synced, cleared, changed;
} AccelLog;

static void accel_sync(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    uint64_t bit = 1;

    (void)len;
    if (!((AccelLog *)opaque)->synced++) {
        ram_dirty_mark_bitmap(block, offset, &bit, 1);
    }
}

static void accel_cleared(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    (void)block;
    (void)offset;
    (void)len;
    ((AccelLog *)opaque)->cleared++;
}

static void accel_changed(void *opaque, RamBlock *block)
{
    (void)block;
    ((AccelLog *)opaque)->changed++;
}

static void test_accelerator_is_asked_before_and_told_after(Fixture *f, gconstpointer unused)
{
    static const DirtyAccelOps ops = {accel_sync, accel_cleared, accel_changed};
    AccelLog log = {0};
    uint64_t bits;

    (void)unused;
    dirty_log_set_accel(&ops, &log);
    dirty_log_enable(f->ram, DIRTY_DISPLAY);
    g_assert_true(dirty_log_take(f->ram, DIRTY_DISPLAY, 0x5000, 0x3000, &bits));
    g_assert_cmphex(bits, ==, 1);
    g_assert_false(dirty_log_take(f->ram, DIRTY_DISPLAY, 0x5000, 0x3000, &bits));
    dirty_log_disable(f->ram, DIRTY_DISPLAY);
    g_assert(log.synced == 2 && log.cleared == 1 && log.changed == 2);
    dirty_log_set_accel(NULL, NULL);
}

/* Whatever a reader finds not marked dirty is at least as new as when the mark was taken. */
typedef struct Race {
    RamBlock *ram;
    _Atomic bool stop;
} Race;

static gpointer keep_writing(gpointer opaque)
{
    Race *race = opaque;

    for (uint64_t n = 1; !race->stop; n++) {
        __atomic_store_n((uint64_t *)race->ram->host, n, __ATOMIC_RELAXED);
        ram_block_written(race->ram, 0, 8);
    }
    return NULL;
}

static void test_no_write_is_lost_between_taking_and_copying(Fixture *f, gconstpointer unused)
{
    Race race = {.ram = f->ram};
    uint64_t copy = 0, bits;
    GThread *thread;

    (void)unused;
    dirty_log_enable(f->ram, DIRTY_MIGRATION);
    thread = g_thread_new("writer", keep_writing, &race);
    for (int i = 0; i < 200000; i++) {
        if (dirty_log_take(f->ram, DIRTY_MIGRATION, 0, 0x1000, &bits)) {
            copy = __atomic_load_n((uint64_t *)f->ram->host, __ATOMIC_RELAXED);
        }
    }
    race.stop = true;
    g_thread_join(thread);
    if (dirty_log_take(f->ram, DIRTY_MIGRATION, 0, 0x1000, &bits)) {
        copy = *(uint64_t *)f->ram->host;
    }
    g_assert_cmpuint(copy, ==, *(uint64_t *)f->ram->host);
}

/* ---- text ---- */

static void test_mtree_names_every_region(Fixture *f, gconstpointer unused)
{
    MemRegion *alias = mem_region_alias("low", f->ram_region, 0x1000, 0x2000);
    GString *out = g_string_new(NULL);

    (void)unused;
    mem_region_add(f->root, 0x100000, alias, 2);
    address_space_print(&f->as, out);
    g_assert_cmpstr(out->str, ==,
                    "address-space: test\n"
                    "  0000000000000000-ffffffffffffffff (prio 0, i/o): root\n"
                    "    0000000000100000-0000000000101fff (prio 2, ram): alias low @ram "
                    "0000000000001000-0000000000002fff\n\n");
    g_string_truncate(out, 0);
    address_space_print_flat(&f->as, out);
    g_assert_nonnull(strstr(out->str, "0000000000100000-0000000000101fff (ram): ram "
                                      "@0000000000001000\n"));
    g_string_free(out, TRUE);
    mem_region_free(alias);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*fn)(Fixture *f, gconstpointer unused);
    } tests[] = {
        {"flat/priority", test_higher_priority_wins_and_equals_by_order},
        {"flat/alias-of-alias", test_alias_of_alias_is_clipped_twice},
        {"flat/alias-children", test_alias_shows_children_and_read_only},
        {"flat/merge", test_neighbours_of_one_region_merge},
        {"flat/freed-target", test_target_freed_before_its_alias_is_gone_from_the_view},
        {"flat/freed-container", test_container_is_freed_before_its_children},
        {"flat/old-view", test_old_view_outlives_a_freed_region},
        {"access/sizes", test_io_is_split_and_widened_by_its_ops},
        {"access/unassigned-rom", test_unassigned_reads_ones_and_rom_ignores_writes},
        {"access/map", test_map_gives_contiguous_ram_only},
        {"access/lock", test_lock_is_taken_for_io_unless_lock_free},
        {"access/free-in-callback", test_region_may_free_itself_in_its_callback},
        {"listener", test_listener_hears_differences_only},
        {"ram/numbers", test_ram_numbers_are_found_and_never_reused},
        {"ram/size", test_ram_of_impossible_size_is_refused},
        {"dirty/clients", test_dirty_clients_are_apart_and_code_calls_the_hook},
        {"dirty/bitmap", test_dirty_bitmap_of_an_accelerator_is_shifted_in},
        {"dirty/accel", test_accelerator_is_asked_before_and_told_after},
        {"dirty/race", test_no_write_is_lost_between_taking_and_copying},
        {"print", test_mtree_names_every_region},
    };

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        char *path = g_strdup_printf("/memory/%s", tests[i].path);

        g_test_add(path, Fixture, NULL, setup, tests[i].fn, teardown);
        g_free(path);
    }
    g_test_add_func("/memory/flat/random", test_random_trees_flatten_as_defined);
    return g_test_run();
}
