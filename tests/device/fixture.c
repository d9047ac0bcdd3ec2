/*
 * See fixture.h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/device/fixture.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/options.h"
#include "core/iothread.h"
#include "core/lock.h"
#include "core/mainloop.h"

static const DeviceClass host_class = {
    .name = "fixture-host",
    .size = sizeof(Device),
    .state = &state_table_none,
};

static void irq_changed(void *opaque, int n, int level)
{
    Fixture *f = opaque;

    if (level && !f->irq_level[n]) {
        f->irq_rises[n]++;
    }
    f->irq_level[n] = level;
}

static void pci_irq(void *opaque, int n, int level)
{
    (void)opaque, (void)n, (void)level;
}

static int pci_route(PciBus *bus, uint8_t devfn, int pin)
{
    (void)bus, (void)devfn;
    return pin;
}

Fixture *fixture_new(uint64_t ram_size)
{
    static bool started;
    Fixture *f = g_new0(Fixture, 1);
    Machine *m = &f->machine;

    if (!started) {
        started = true;
        main_loop_init();
    }
    m->memory_root = mem_region_container("memory", UINT64_MAX);
    m->io_root = mem_region_container("io", 65536);
    address_space_init(&m->memory, m->memory_root, "memory");
    address_space_init(&m->io, m->io_root, "io");
    m->ram = ram_block_new("ram", ram_size, NULL);
    g_assert_nonnull(m->ram);
    m->ram_size = ram_size;
    mem_region_add(m->memory_root, 0, mem_region_ram("ram", m->ram, 0, ram_size, false), -1);
    m->io_thread = io_thread_new("test-io", IO_ENGINE_AUTO, NULL);
    g_assert_nonnull(m->io_thread);
    m->root_bus = bus_new("System", "main-system-bus", NULL);
    m->firmware_path = g_slist_append(NULL, g_strdup("/usr/share/seabios"));
    f->host.cls = &host_class;
    f->host.machine = m;
    f->pci = pci_bus_new(m, "pci.0", &f->host, m->memory_root, m->io_root);
    pci_bus_set_irqs(f->pci, pci_irq, f, 4, pci_route);
    irq_lines_init(f->irqs, 16, irq_changed, f);
    f->devices = g_ptr_array_new();
    return f;
}

void fixture_free(Fixture *f)
{
    while (f->devices->len) {
        device_free(g_ptr_array_remove_index(f->devices, f->devices->len - 1));
    }
    g_ptr_array_free(f->devices, true);
    block_close_all();
    machine_unlock();
    io_thread_free(f->machine.io_thread);
    machine_lock();
    for (GSList *l = f->files; l; l = l->next) {
        unlink(l->data);
    }
    g_slist_free_full(f->files, g_free);
    /* Address spaces live as long as the program: the fixture's husk is left. */
}

Device *fixture_add(Fixture *f, Bus *bus, const DeviceClass *cls, const char *props)
{
    Device *dev = device_new(&f->machine, cls, NULL);
    g_auto(GStrv) pairs = g_strsplit(props ? props : "", ",", -1);
    GError *err = NULL;

    for (char **p = pairs; *p && **p; p++) {
        g_auto(GStrv) pair = g_strsplit(*p, "=", 2);
        device_set_prop(dev, pair[0], pair[1], &err);
        g_assert_no_error(err);
    }
    device_realize(dev, bus, &err);
    g_assert_no_error(err);
    g_ptr_array_add(f->devices, dev);
    return dev;
}

void fixture_sector(uint64_t sector, uint8_t out[512])
{
    for (unsigned i = 0; i < 512; i++) {
        out[i] = (uint8_t)(sector * 7 + i);
    }
    memcpy(out, &sector, sizeof(sector));
}

char *fixture_image(Fixture *f, uint64_t size)
{
    g_autofree char *name = NULL;
    int fd = g_file_open_tmp("emu-device-test-XXXXXX", &name, NULL);
    uint8_t sector[512];

    g_assert_cmpint(fd, >=, 0);
    for (uint64_t n = 0; n < size / 512; n++) {
        fixture_sector(n, sector);
        g_assert_cmpint(write(fd, sector, sizeof(sector)), ==, sizeof(sector));
    }
    close(fd);
    f->files = g_slist_prepend(f->files, g_strdup(name));
    return g_steal_pointer(&name);
}

void fixture_drive(Fixture *f, const char *id, const char *path, const char *extra)
{
    g_autofree char *text =
        path ? g_strdup_printf("if=none,format=raw,id=%s,file=%s%s", id, path, extra ? extra : "")
             : g_strdup_printf("if=none,id=%s%s", id, extra ? extra : "");
    GError *err = NULL;

    block_drive_add(text, NULL, false, f->machine.io_thread, &err);
    g_assert_no_error(err);
}

uint32_t fixture_in(Fixture *f, uint16_t port, unsigned size)
{
    return (uint32_t)address_space_load(&f->machine.io, port, size);
}

void fixture_out(Fixture *f, uint16_t port, uint32_t value, unsigned size)
{
    address_space_store(&f->machine.io, port, value, size);
}

void fixture_breathe(Fixture *f)
{
    (void)f;
    machine_unlock();
    g_usleep(20);
    machine_lock();
    main_loop_iterate(false);
}

GByteArray *fixture_save(Device *dev)
{
    GByteArray *out = g_byte_array_new();

    state_save(dev->cls->state, dev, out);
    return out;
}

void fixture_load(Device *dev, const GByteArray *state)
{
    size_t pos = 0;
    GError *err = NULL;

    state_load(dev->cls->state, dev, state->data, state->len, &pos, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(pos, ==, state->len);
}
