/*
 * virtio-net under a hostile driver and a hostile network: configuration, rings (that loop,
 * overlap, or lie outside of RAM), headers, control commands and frames at random.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/socket.h>

#include "hw/virtio/virtio_net.h"
#include "tests/device/net_rig.h"
#include "tests/fuzz/fuzz.h"

enum {
    STEPS = 3000,
    QUEUES = 3,
    SIZE = 64,
    RINGS = 0x10000, /* 16 KiB for each queue: descriptors, available, used */
    BUF = 0x100000,
    NOTIFY = 0x3000,
};

static NetRig *r;
static GRand *rng;
static uint16_t next[QUEUES];

static uint32_t below(uint32_t n)
{
    return (uint32_t)g_rand_int_range(rng, 0, (gint32)n);
}

static void set(uint32_t offset, uint64_t value, unsigned size)
{
    net_rig_store(r, NET_RIG_BAR + offset, value, size);
}

static uint64_t ring(unsigned q)
{
    return RINGS + q * 0x4000ull;
}

/* Status up to DRIVER_OK with some of the features, and queues that make sense. */
static void start(void)
{
    uint64_t features = 0;

    set(0x14, 0, 1);
    set(0x14, 3, 1);
    for (unsigned i = 0; i < 2; i++) {
        set(0, i, 4);
        features |= net_rig_load(r, NET_RIG_BAR + 4, 4) << 32 * i;
    }
    if (below(2)) {
        features &= (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng) | 1ull << 32;
    }
    for (unsigned i = 0; i < 2; i++) {
        set(8, i, 4);
        set(12, features >> 32 * i & UINT32_MAX, 4);
    }
    set(0x14, 11, 1);
    for (unsigned q = 0; q < QUEUES; q++) {
        set(0x16, q, 2);
        set(0x18, SIZE, 2);
        set(0x20, ring(q), 4);
        set(0x24, 0, 4);
        set(0x28, ring(q) + 0x1000, 4);
        set(0x2c, 0, 4);
        set(0x30, ring(q) + 0x2000, 4);
        set(0x34, 0, 4);
        set(0x1c, 1, 2);
        net_rig_store(r, ring(q) + 0x1002, 0, 2);
        next[q] = 0;
    }
    set(0x14, 15, 1);
}

static uint64_t address(void)
{
    switch (below(10)) {
    case 0:
        return fuzz_number(rng);
    case 1:
        return NET_RIG_BAR + below(0x4000);
    case 2:
        return NET_RIG_RAM - below(0x1000);
    case 3:
        return RINGS + below(0xc000);
    default:
        return BUF + below(0x80000);
    }
}

/* A header and what may follow it; or a control command. */
static void fill(uint64_t at)
{
    uint8_t h[64] = {0};

    if (below(2)) {
        h[0] = (uint8_t)below(6);
        h[1] = (uint8_t)below(6);
        h[2] = (uint8_t)below(4);
    } else {
        h[0] = (uint8_t)below(4);
        h[1] = (uint8_t[]){0, 1, 4, 5, 0x81, 3}[below(6)];
        h[4] = (uint8_t)below(256);
        h[5] = (uint8_t)below(8);
        h[6] = 34;
        h[8] = below(4) ? 16 : (uint8_t)below(256);
        memcpy(h + 24, below(2) ? "\x08\x00\x45" : "\x86\xdd\x60", 3);
        h[12 + 23] = below(2) ? 6 : 17;
        h[12 + 20] = below(2) ? 6 : 17;
    }
    h[below(64)] = (uint8_t)g_rand_int(rng);
    net_rig_write(r, at, h, sizeof(h));
}

static void put_chain(unsigned q)
{
    uint16_t head = (uint16_t)below(SIZE), n = head;
    unsigned parts = 1 + below(4);

    for (unsigned i = 0; i < parts; i++) {
        uint64_t at = ring(q) + 16ull * n, addr = address();
        bool last = i + 1 == parts;
        uint16_t to = below(20) ? (uint16_t)((n + 1) % SIZE) : (uint16_t)g_rand_int(rng);
        uint16_t flags = (uint16_t)((last ? 0 : 1) | (q == 0 || (q == 2 && last) ? 2 : 0));

        if (addr < NET_RIG_RAM - 64 && addr >= BUF) {
            fill(addr);
        }
        net_rig_store(r, at, addr, 8);
        net_rig_store(r, at + 8, below(5) ? 12 + below(1600) : (uint32_t)fuzz_number(rng), 4);
        net_rig_store(r, at + 12, below(20) ? flags : g_rand_int(rng), 2);
        net_rig_store(r, at + 14, to, 2);
        n = (uint16_t)((n + 1) % SIZE);
    }
    net_rig_store(r, ring(q) + 0x1004 + 2u * (next[q] % SIZE), head, 2);
    net_rig_store(r, ring(q) + 0x1002, ++next[q], 2);
}

static void send_frame(void)
{
    uint8_t f[1600];
    uint32_t len = 14 + below(1500);

    for (uint32_t i = 0; i < sizeof(f); i += 4) {
        uint32_t v = g_rand_int(rng);
        memcpy(f + i, &v, 4);
    }
    net_rig_send(r, f, len);
}

static void step(void)
{
    uint32_t what = below(100);
    unsigned q = below(QUEUES);

    if (what < 50) {
        put_chain(q);
        if (below(2)) {
            set(NOTIFY + 4 * q, q, 2);
        }
    } else if (what < 60) {
        set(NOTIFY + 4 * q, q, 2);
    } else if (what < 64) {
        set(below(0x40), fuzz_number(rng), 1u << below(3));
    } else if (what < 67) {
        net_rig_store(r, ring(q) + below(0x3000), g_rand_int(rng), 2);
    } else if (what < 72) {
        net_rig_load(r, NET_RIG_BAR + below(0x4000), 1u << below(3));
    } else if (what < 78) {
        start();
    } else if (what < 96) {
        if (what % 2) {
            send_frame();
        }
        fixture_breathe(r->f);
    } else {
        static uint8_t drained[NET_RIG_FRAME];
        while (recv(r->wire, drained, sizeof(drained), MSG_DONTWAIT) >= 0) {
        }
    }
}

static void one(FuzzRun *run)
{
    rng = run->rand;
    r = net_rig_new(&virtio_net_pci_class, NULL, 4);
    start();
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    net_rig_free(r);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, NULL, one);
}
