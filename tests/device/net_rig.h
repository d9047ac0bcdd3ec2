/*
 * A network card on the fixture's PCI bus, with the other end of its wire in the test's hands.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_DEVICE_NET_RIG_H
#define TESTS_DEVICE_NET_RIG_H

#include "tests/device/fixture.h"

enum { NET_RIG_RAM = 8 << 20, NET_RIG_BAR = 0x10000000, NET_RIG_FRAME = 66000 };

typedef struct NetRig {
    Fixture *f;
    Device *dev;
    uint8_t devfn;
    int wire; /* a datagram is a frame */
} NetRig;

/* PROPS as for fixture_add(), or NULL. The card's BAR number BAR is at NET_RIG_BAR, and it is a bus
 * master. */
NetRig *net_rig_new(const DeviceClass *cls, const char *props, int bar);
void net_rig_free(NetRig *r);

uint32_t net_rig_reg(NetRig *r, uint32_t offset);
void net_rig_set_reg(NetRig *r, uint32_t offset, uint32_t value);
uint64_t net_rig_load(NetRig *r, uint64_t addr, unsigned size);
void net_rig_store(NetRig *r, uint64_t addr, uint64_t value, unsigned size);
void net_rig_write(NetRig *r, uint64_t addr, const void *buf, size_t len);

/* A frame to the card; lost when the wire stays full for a while. */
void net_rig_send(NetRig *r, const void *frame, size_t len);
/* The next frame from the card; its length. Fails the test when none comes. */
size_t net_rig_receive(NetRig *r, uint8_t frame[NET_RIG_FRAME]);
/* Lets the network and the main loop work until WHAT is true; fails the test when it does not
 * become so. */
void net_rig_wait(NetRig *r, bool (*what)(NetRig *r));
/* Until all that was sent to the card so far has been offered to it. */
void net_rig_settle(NetRig *r);

#endif
