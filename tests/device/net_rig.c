/*
 * See net_rig.h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/device/net_rig.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/net.h"

enum { PATIENCE = 200000 };

NetRig *net_rig_new(const DeviceClass *cls, const char *props, int bar)
{
    static int count;
    NetRig *r = g_new0(NetRig, 1);
    const int buffer = 4 << 20;
    int pair[2];
    GError *err = NULL;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), ==, 0);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    r->wire = pair[1];
    r->f = fixture_new(NET_RIG_RAM);
    atomic_store(&r->f->machine.run_state, RUN_STATE_RUNNING);
    clock_vm_enable(true);
    g_autofree char *arg =
        g_strdup_printf("dgram,id=n%d,local.type=fd,local.str=%d", count, pair[0]);
    net_add(arg, &err);
    g_assert_no_error(err);
    g_autofree char *all =
        g_strdup_printf("netdev=n%d,romfile=%s%s", count++, props ? "," : "", props ? props : "");
    r->dev = fixture_add(r->f, pci_bus_qbus(r->f->pci), cls, all);
    r->devfn = ((PciDevice *)r->dev)->devfn;
    pci_config_write(r->f->pci, r->devfn, 0x10 + 4 * (uint32_t)bar, NET_RIG_BAR, 4);
    pci_config_write(r->f->pci, r->devfn, 4, 7, 2);
    cls->reset(r->dev);
    return r;
}

void net_rig_free(NetRig *r)
{
    clock_vm_enable(false);
    fixture_free(r->f);
    net_close_all();
    close(r->wire);
    g_free(r);
}

uint32_t net_rig_reg(NetRig *r, uint32_t offset)
{
    return (uint32_t)net_rig_load(r, NET_RIG_BAR + offset, 4);
}

void net_rig_set_reg(NetRig *r, uint32_t offset, uint32_t value)
{
    net_rig_store(r, NET_RIG_BAR + offset, value, 4);
}

uint64_t net_rig_load(NetRig *r, uint64_t addr, unsigned size)
{
    return address_space_load(&r->f->machine.memory, addr, size);
}

void net_rig_store(NetRig *r, uint64_t addr, uint64_t value, unsigned size)
{
    address_space_store(&r->f->machine.memory, addr, value, size);
}

void net_rig_write(NetRig *r, uint64_t addr, const void *buf, size_t len)
{
    address_space_write(&r->f->machine.memory, addr, buf, len);
}

void net_rig_send(NetRig *r, const void *frame, size_t len)
{
    int patience = 100;

    while (send(r->wire, frame, len, MSG_DONTWAIT) < 0) {
        fixture_breathe(r->f); /* full: the card has not taken what is in there */
        if (--patience == 0) {
            return; /* nor will it: the frame is lost, as on a cable */
        }
    }
}

size_t net_rig_receive(NetRig *r, uint8_t frame[NET_RIG_FRAME])
{
    for (int i = 0; i < PATIENCE; i++) {
        ssize_t n = recv(r->wire, frame, NET_RIG_FRAME, MSG_DONTWAIT);

        if (n >= 0) {
            return (size_t)n;
        }
        fixture_breathe(r->f);
    }
    g_error("no frame comes");
}

void net_rig_wait(NetRig *r, bool (*what)(NetRig *r))
{
    for (int i = 0; i < PATIENCE; i++) {
        if (what(r)) {
            return;
        }
        fixture_breathe(r->f);
    }
    g_error("it does not happen");
}

void net_rig_settle(NetRig *r)
{
    /* What is in the socket is read, and then delivered, by the network's thread. */
    for (int i = 0; i < 100; i++) {
        fixture_breathe(r->f);
    }
    g_autoptr(GString) text = g_string_new(NULL);
    net_print(text);
    for (int i = 0; i < 100; i++) {
        fixture_breathe(r->f);
    }
}
