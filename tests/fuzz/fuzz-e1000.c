/*
 * The 82540EM under a hostile driver and a hostile network: registers, descriptor rings (that loop,
 * overlap, or lie outside of RAM) and frames at random. Nothing may crash, hang, or write outside
 * of RAM. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/socket.h>

#include "hw/net/e1000.h"
#include "hw/net/e1000_regs.h"
#include "tests/device/net_rig.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS = 3000, TX_RING = 0x10000, RX_RING = 0x20000, BUF = 0x100000 };

static NetRig *r;
static GRand *rng;

static uint32_t below(uint32_t n)
{
    return (uint32_t)g_rand_int_range(rng, 0, (gint32)n);
}

static const uint32_t hot[] = {CTRL,  EECD,  EERD,  MDIC,  ICR,    ITR,    ICS,  IMS,  IMC,   RCTL,
                               TCTL,  RDBAL, RDBAH, RDLEN, RDH,    RDT,    RDTR, RADV, TDBAL, TDBAH,
                               TDLEN, TDH,   TDT,   TIDV,  TADV,   RXCSUM, VET,  RAL,  RAH,   VFTA,
                               MTA,   TPR,   TOTL,  PRC64, STATUS, TDT,    TDT,  RDT,  TDT};

static uint64_t address(void)
{
    switch (below(8)) {
    case 0:
        return fuzz_number(rng);
    case 1:
        return NET_RIG_BAR + below(0x6000);
    case 2:
        return NET_RIG_RAM - below(0x3000);
    case 3:
        return TX_RING + below(0x20000);
    default:
        return BUF + below(0x100000);
    }
}

static void random_desc(uint64_t at)
{
    uint32_t command = g_rand_int(rng) & 0xff;

    net_rig_store(r, at, below(4) ? address() : fuzz_number(rng), 8);
    net_rig_store(r, at + 8,
                  below(3) ? below(3000) | (command | 8) << 24 | below(2) << 20 : g_rand_int(rng),
                  4);
    net_rig_store(r, at + 12, below(4) ? below(4) << 8 | below(2000) << 16 : g_rand_int(rng), 4);
}

/* A frame as a driver would send it, in memory: TCP over IPv4 or IPv6. */
static void plausible_frame(uint64_t at)
{
    uint8_t f[64] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 2, 2, 2, 2, 2, 2, 0x08, 0x00, 0x45};

    if (below(2)) {
        memcpy(f + 12, "\x86\xdd\x60", 3);
        f[20] = below(2) ? 6 : 17;
        f[18] = (uint8_t)below(8);
        f[19] = (uint8_t)below(256);
    } else {
        f[16] = (uint8_t)below(8);
        f[17] = (uint8_t)below(256);
        f[23] = below(2) ? 6 : 17;
    }
    f[below(64)] = (uint8_t)g_rand_int(rng);
    net_rig_write(r, at, f, sizeof(f));
}

static void sane(void)
{
    net_rig_set_reg(r, TDBAL, TX_RING);
    net_rig_set_reg(r, TDBAH, 0);
    net_rig_set_reg(r, TDLEN, 4096);
    net_rig_set_reg(r, TDH, 0);
    net_rig_set_reg(r, TCTL, TCTL_EN);
    net_rig_set_reg(r, RDBAL, RX_RING);
    net_rig_set_reg(r, RDBAH, 0);
    net_rig_set_reg(r, RDLEN, 4096);
    net_rig_set_reg(r, RDH, 0);
    net_rig_set_reg(r, RCTL, RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_LPE);
}

static void send_frame(void)
{
    uint8_t f[2000];
    uint32_t len = below(4) ? 60 + below(1500) : below(sizeof(f));

    for (uint32_t i = 0; i < sizeof(f); i += 4) {
        uint32_t v = g_rand_int(rng);
        memcpy(f + i, &v, 4);
    }
    if (below(2)) {
        memcpy(f + 12, below(2) ? "\x08\x00\x45" : "\x81\x00\x60", 3);
    }
    if (len) {
        net_rig_send(r, f, len);
    }
}

static void step(void)
{
    uint32_t what = below(100);

    if (what < 45) {
        net_rig_set_reg(r, hot[below(G_N_ELEMENTS(hot))],
                        below(3) ? below(300) : (uint32_t)fuzz_number(rng));
    } else if (what < 50) {
        net_rig_store(r, NET_RIG_BAR + below(0x20000), g_rand_int(rng), 1u << below(3));
    } else if (what < 55) {
        net_rig_load(r, NET_RIG_BAR + below(0x20000), 1u << below(3));
    } else if (what < 75) {
        random_desc((below(2) ? TX_RING : RX_RING) + 16 * below(256));
    } else if (what < 80) {
        plausible_frame(BUF + below(0x1000));
    } else if (what < 85) {
        sane();
    } else if (what < 97) {
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
    r = net_rig_new(&e1000_class, NULL, 0);
    sane();
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    net_rig_free(r);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, NULL, one);
}
