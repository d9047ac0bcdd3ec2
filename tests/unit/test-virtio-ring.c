/*
 * Virtqueues, as a driver fills them and as a hostile one does.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/mainloop.h"
#include "hw/virtio/virtio.h"

enum {
    RAM_SIZE = 1 << 20,
    SIZE = 16,
    DESC = 0x1000,
    AVAIL = 0x2000,
    USED = 0x3000,
    TABLE = 0x4000,
    DATA = 0x10000,
    NEXT = 1,
    WRITE = 2,
    INDIRECT = 4,
};

static AddressSpace as;
static RamBlock *ram;
static VirtioDevice vdev;
static VirtQueue *q;
static unsigned interrupts, config_interrupts;
static bool no_dma;

static AddressSpace *dma(VirtioDevice *d)
{
    (void)d;
    return no_dma ? NULL : &as;
}

static void interrupt(VirtioDevice *d, uint16_t vector, bool queue)
{
    (void)d;
    (void)vector;
    interrupts += queue;
    config_interrupts += !queue;
}

static uint64_t features(VirtioDevice *d)
{
    (void)d;
    return 0;
}

static void handle(VirtioDevice *d, VirtQueue *queue)
{
    (void)d;
    (void)queue;
}

static const VirtioTransport transport = {dma, interrupt};
static const VirtioOps ops = {.id = 4, .features = features, .handle_queue = handle};

static void put16(uint64_t addr, uint16_t v)
{
    memcpy(ram->host + addr, &v, 2);
}

static uint16_t get16(uint64_t addr)
{
    uint16_t v;

    memcpy(&v, ram->host + addr, 2);
    return v;
}

static uint32_t get32(uint64_t addr)
{
    uint32_t v;

    memcpy(&v, ram->host + addr, 4);
    return v;
}

static void desc_at(uint64_t table, unsigned n, uint64_t addr, uint32_t len, uint16_t flags,
                    uint16_t next)
{
    uint8_t *p = ram->host + table + 16 * n;

    memcpy(p, &addr, 8);
    memcpy(p + 8, &len, 4);
    memcpy(p + 12, &flags, 2);
    memcpy(p + 14, &next, 2);
}

static void desc(unsigned n, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
    desc_at(DESC, n, addr, len, flags, next);
}

/* Makes chain HEAD available. */
static void offer(uint16_t head)
{
    uint16_t index = get16(AVAIL + 2);

    put16(AVAIL + 4 + 2 * (index % SIZE), head);
    put16(AVAIL + 2, (uint16_t)(index + 1));
}

static void start(uint64_t accepted)
{
    memset(ram->host, 0, RAM_SIZE);
    no_dma = false;
    interrupts = config_interrupts = 0;
    virtio_reset(&vdev);
    virtio_set_status(&vdev, 3);
    virtio_set_features(&vdev, VIRTIO_F_VERSION_1 | accepted);
    virtio_set_status(&vdev, 11);
    q->size = SIZE;
    q->desc = DESC;
    q->avail = AVAIL;
    q->used = USED;
    virtio_enable_queue(q);
    virtio_set_status(&vdev, 15);
    g_assert_false(vdev.broken);
}

static void expect_broken(void)
{
    g_assert_null(virtq_pop(q));
    g_assert_true(vdev.broken);
    g_assert_cmphex(vdev.status, ==, 15 | VIRTIO_STATUS_NEEDS_RESET);
    g_assert_cmpuint(config_interrupts, ==, 1);
    g_assert_null(virtq_pop(q));
    g_assert_true(virtq_empty(q));
    virtio_set_status(&vdev, 0);
    g_assert_false(vdev.broken);
    g_assert_cmphex(vdev.status, ==, 0);
}

static void test_a_chain_comes_and_goes(void)
{
    VirtElem *e;

    start(0);
    g_assert_null(virtq_pop(q));
    desc(3, DATA, 100, NEXT, 5);
    desc(5, DATA + 0x1000, 200, NEXT | WRITE, 7);
    desc(7, DATA + 0x2000, 300, WRITE, 0);
    offer(3);
    e = virtq_pop(q);
    g_assert_nonnull(e);
    g_assert_cmpuint(e->out_count, ==, 1);
    g_assert_cmpuint(e->in_count, ==, 2);
    g_assert_cmpuint(e->out_bytes, ==, 100);
    g_assert_cmpuint(e->in_bytes, ==, 500);
    g_assert_true(e->in[1].iov_base == ram->host + DATA + 0x2000);
    virtq_push(q, e, 42);
    virtq_interrupt(q);
    g_assert_cmpuint(interrupts, ==, 1);
    g_assert_cmpuint(get16(USED + 2), ==, 1);
    g_assert_cmpuint(get32(USED + 4), ==, 3);
    g_assert_cmpuint(get32(USED + 8), ==, 42);
}

static void test_indices_wrap(void)
{
    start(VIRTIO_F_EVENT_IDX);
    desc(0, DATA, 8, WRITE, 0);
    for (unsigned i = 0; i < 70000; i++) {
        VirtElem *e;
        offer(0);
        put16(AVAIL + 4 + 2 * SIZE, (uint16_t)i); /* used_event: tell me of each */
        e = virtq_pop(q);
        g_assert_nonnull(e);
        virtq_push(q, e, 8);
        virtq_interrupt(q);
        g_assert_cmpuint(interrupts, ==, i + 1);
    }
    g_assert_cmpuint(get16(USED + 2), ==, (uint16_t)70000);
}

static void test_event_index_holds_interrupts_back(void)
{
    start(VIRTIO_F_EVENT_IDX);
    desc(0, DATA, 8, WRITE, 0);
    put16(AVAIL + 4 + 2 * SIZE, 3); /* after the fourth */
    for (unsigned i = 0; i < 6; i++) {
        offer(0);
        virtq_push(q, virtq_pop(q), 0);
        virtq_interrupt(q);
        /* The first one is sent in any case: nothing is known of before. */
        g_assert_cmpuint(interrupts, ==, i < 3 ? 1 : 2);
    }
    g_assert_cmpuint(get16(USED + 4 + 8 * SIZE), ==, 6); /* avail_event */
}

static void test_flags_hold_interrupts_and_notifications_back(void)
{
    start(0);
    desc(0, DATA, 8, WRITE, 0);
    put16(AVAIL, 1);
    offer(0);
    virtq_push(q, virtq_pop(q), 0);
    virtq_interrupt(q);
    g_assert_cmpuint(interrupts, ==, 0);
    virtq_set_notification(q, false);
    g_assert_cmpuint(get16(USED), ==, 1);
    virtq_set_notification(q, true);
    g_assert_cmpuint(get16(USED), ==, 0);
}

static void test_an_indirect_table(void)
{
    VirtElem *e;

    start(VIRTIO_F_INDIRECT_DESC);
    desc(2, TABLE, 32, INDIRECT, 0);
    desc_at(TABLE, 0, DATA, 10, NEXT, 1);
    desc_at(TABLE, 1, DATA + 64, 20, WRITE, 0);
    offer(2);
    e = virtq_pop(q);
    g_assert_cmpuint(e->out_bytes, ==, 10);
    g_assert_cmpuint(e->in_bytes, ==, 20);
    virtq_drop(q, e);
}

static void test_an_element_can_be_put_back(void)
{
    VirtElem *e;

    start(0);
    desc(0, DATA, 8, 0, 0);
    offer(0);
    e = virtq_pop(q);
    virtq_unpop(q, e);
    g_assert_false(virtq_empty(q));
    e = virtq_pop(q);
    g_assert_nonnull(e);
    virtq_drop(q, e);
}

static void test_hostile_index(void)
{
    start(0);
    put16(AVAIL + 2, SIZE + 1);
    expect_broken();
    start(0);
    offer(SIZE);
    expect_broken();
    start(0);
    desc(0, DATA, 8, NEXT, SIZE);
    offer(0);
    expect_broken();
}

static void test_hostile_circle(void)
{
    start(0);
    desc(0, DATA, 8, NEXT, 1);
    desc(1, DATA, 8, NEXT, 0);
    offer(0);
    expect_broken();
    start(0);
    desc(4, DATA, 8, NEXT, 4);
    offer(4);
    expect_broken();
    start(VIRTIO_F_INDIRECT_DESC);
    desc(0, TABLE, 48, INDIRECT, 0);
    desc_at(TABLE, 0, DATA, 8, NEXT, 2);
    desc_at(TABLE, 2, DATA, 8, NEXT, 0);
    offer(0);
    expect_broken();
}

static void test_hostile_address(void)
{
    static const struct {
        uint64_t addr;
        uint32_t len;
    } bad[] = {
        {RAM_SIZE, 8},
        {RAM_SIZE - 4, 8},
        {UINT64_MAX, 1},
        {UINT64_MAX - 7, 16},
        {1ull << 63, 1u << 31},
        {DATA, 0},
        {0xfffffffffffff000, 4096},
        {DATA, UINT32_MAX},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        start(0);
        desc(0, bad[i].addr, bad[i].len, i & 1 ? WRITE : 0, 0);
        offer(0);
        expect_broken();
        start(VIRTIO_F_INDIRECT_DESC);
        desc(0, bad[i].addr, bad[i].len & ~15u, INDIRECT, 0);
        offer(0);
        expect_broken();
    }
}

static void test_hostile_order_and_nesting(void)
{
    start(0);
    desc(0, DATA, 8, NEXT | WRITE, 1);
    desc(1, DATA, 8, 0, 0);
    offer(0);
    expect_broken();
    start(0); /* indirect tables were not negotiated */
    desc(0, TABLE, 16, INDIRECT, 0);
    desc_at(TABLE, 0, DATA, 8, 0, 0);
    offer(0);
    expect_broken();
    start(VIRTIO_F_INDIRECT_DESC); /* a table in a table */
    desc(0, TABLE, 16, INDIRECT, 0);
    desc_at(TABLE, 0, TABLE, 16, INDIRECT, 0);
    offer(0);
    expect_broken();
    start(VIRTIO_F_INDIRECT_DESC); /* a table and a chain */
    desc(0, TABLE, 16, INDIRECT | NEXT, 1);
    desc_at(TABLE, 0, DATA, 8, 0, 0);
    offer(0);
    expect_broken();
    start(VIRTIO_F_INDIRECT_DESC); /* a table later in a chain */
    desc(0, DATA, 8, NEXT, 1);
    desc(1, TABLE, 16, INDIRECT, 0);
    offer(0);
    expect_broken();
    start(VIRTIO_F_INDIRECT_DESC); /* a table of one and a half entries */
    desc(0, TABLE, 24, INDIRECT, 0);
    offer(0);
    expect_broken();
}

static void test_hostile_long_table(void)
{
    const unsigned n = 2000;

    start(VIRTIO_F_INDIRECT_DESC);
    desc(0, TABLE, 16 * n, INDIRECT, 0);
    for (unsigned i = 0; i < n; i++) {
        desc_at(TABLE, i, DATA, 1, i + 1 < n ? NEXT : 0, (uint16_t)(i + 1));
    }
    offer(0);
    expect_broken();
}

static void test_hostile_ring_place(void)
{
    static const uint64_t places[][3] = {
        {RAM_SIZE, AVAIL, USED}, {DESC, RAM_SIZE, USED}, {RAM_SIZE - 8, AVAIL, USED}};

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        start(0);
        desc(0, DATA, 8, 0, 0);
        offer(0);
        q->desc = places[i][0];
        q->avail = places[i][1];
        q->used = places[i][2];
        if (i == 2) { /* the last descriptor's second half is outside */
            put16(AVAIL + 4, 0);
        }
        expect_broken();
    }
    start(0); /* a used ring outside is noticed when something is given back */
    desc(0, DATA, 8, WRITE, 0);
    offer(0);
    q->used = RAM_SIZE - 4;
    virtq_push(q, virtq_pop(q), 0);
    g_assert_true(vdev.broken);
}

static void test_bad_queue_setup_is_refused(void)
{
    static const struct {
        uint16_t size;
        uint64_t desc, avail, used;
    } bad[] = {{0, DESC, AVAIL, USED},     {3, DESC, AVAIL, USED},     {512, DESC, AVAIL, USED},
               {8, DESC + 8, AVAIL, USED}, {8, DESC, AVAIL + 1, USED}, {8, DESC, AVAIL, USED + 2}};

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        start(0);
        q->enabled = 0;
        q->size = bad[i].size;
        q->desc = bad[i].desc;
        q->avail = bad[i].avail;
        q->used = bad[i].used;
        virtio_enable_queue(q);
        g_assert_false(q->enabled);
        g_assert_true(vdev.broken);
    }
}

static void test_features_that_were_not_offered_are_refused(void)
{
    virtio_reset(&vdev);
    virtio_set_status(&vdev, 3);
    virtio_set_features(&vdev, VIRTIO_F_VERSION_1 | 1ull << 50);
    virtio_set_status(&vdev, 11);
    g_assert_cmphex(vdev.status, ==, 3);
}

static void test_without_dma_nothing_happens(void)
{
    start(0);
    desc(0, DATA, 8, 0, 0);
    offer(0);
    no_dma = true;
    g_assert_null(virtq_pop(q));
    g_assert_false(vdev.broken);
    no_dma = false;
    virtq_drop(q, virtq_pop(q));
}

/* Random rings: whatever they say, the device ends, and touches no memory it must not (which a
 * sanitizer build sees). */
static void test_random_rings(void)
{
    GRand *rng = g_rand_new_with_seed(20);

    for (int round = 0; round < 20000; round++) {
        start(VIRTIO_F_INDIRECT_DESC | (round & 1 ? VIRTIO_F_EVENT_IDX : 0));
        for (unsigned i = 0; i < 64; i++) {
            uint64_t addr = (uint64_t)g_rand_int_range(rng, 0, RAM_SIZE);
            if (!g_rand_int_range(rng, 0, 8)) {
                addr = g_rand_int(rng) * 0x100000001ull;
            }
            desc_at(i < SIZE ? DESC : TABLE, i < SIZE ? i : i - SIZE,
                    g_rand_int_range(rng, 0, 4) ? addr : TABLE,
                    g_rand_int_range(rng, 0, 4) ? (uint32_t)g_rand_int_range(rng, 0, 4096)
                                                : 16u * (uint32_t)g_rand_int_range(rng, 0, 48),
                    (uint16_t)g_rand_int_range(rng, 0, 8), (uint16_t)g_rand_int_range(rng, 0, 20));
        }
        for (unsigned i = 0; i < 4; i++) {
            offer((uint16_t)g_rand_int_range(rng, 0, SIZE + 1));
        }
        for (VirtElem *e; (e = virtq_pop(q));) {
            for (unsigned i = 0; i < e->in_count; i++) {
                memset(e->in[i].iov_base, 0x5a, e->in[i].iov_len);
            }
            virtq_push(q, e, (uint32_t)e->in_bytes);
            virtq_interrupt(q);
        }
    }
    g_rand_free(rng);
}

static void test_iovs(void)
{
    char a[4] = "abc", b[4] = "def", out[8] = {0};
    struct iovec iov[2] = {{a, 3}, {b, 3}}, *p = iov;
    uint16_t count = 2;

    g_assert_cmpuint(virtio_iov_read(iov, 2, 1, out, 8), ==, 5);
    g_assert_cmpstr(out, ==, "bcdef");
    g_assert_cmpuint(virtio_iov_write(iov, 2, 2, "XYZ", 3), ==, 3);
    g_assert_cmpstr(a, ==, "abX");
    g_assert_cmpstr(b, ==, "YZf");
    virtio_iov_trim_front(&p, &count, 4);
    g_assert_cmpuint(count, ==, 1);
    g_assert_cmpuint(p->iov_len, ==, 2);
    virtio_iov_trim_end(p, &count, 2);
    g_assert_cmpuint(count, ==, 0);
    virtio_iov_trim_front(&p, &count, 100);
    virtio_iov_trim_end(p, &count, 100);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    MemRegion *root;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    root = mem_region_container("memory", UINT64_MAX);
    ram = ram_block_new("ram", RAM_SIZE, &err);
    g_assert_no_error(err);
    mem_region_add(root, 0, mem_region_ram("ram", ram, 0, RAM_SIZE, false), 0);
    address_space_init(&as, root, "memory");
    virtio_init(&vdev, &ops, &transport, "test",
                VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
    q = virtio_add_queue(&vdev, 256);
    g_test_add_func("/virtq/chain", test_a_chain_comes_and_goes);
    g_test_add_func("/virtq/wrap", test_indices_wrap);
    g_test_add_func("/virtq/event-index", test_event_index_holds_interrupts_back);
    g_test_add_func("/virtq/flags", test_flags_hold_interrupts_and_notifications_back);
    g_test_add_func("/virtq/indirect", test_an_indirect_table);
    g_test_add_func("/virtq/unpop", test_an_element_can_be_put_back);
    g_test_add_func("/virtq/hostile/index", test_hostile_index);
    g_test_add_func("/virtq/hostile/circle", test_hostile_circle);
    g_test_add_func("/virtq/hostile/address", test_hostile_address);
    g_test_add_func("/virtq/hostile/order", test_hostile_order_and_nesting);
    g_test_add_func("/virtq/hostile/long-table", test_hostile_long_table);
    g_test_add_func("/virtq/hostile/ring", test_hostile_ring_place);
    g_test_add_func("/virtq/hostile/random", test_random_rings);
    g_test_add_func("/virtq/setup", test_bad_queue_setup_is_refused);
    g_test_add_func("/virtio/features", test_features_that_were_not_offered_are_refused);
    g_test_add_func("/virtq/no-dma", test_without_dma_nothing_happens);
    g_test_add_func("/virtio/iov", test_iovs);
    return g_test_run();
}
