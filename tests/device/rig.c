/*
 * The machine that device tests poke their device in.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rig.h"

#include "core/mainloop.h"

static void isa_line(void *opaque, int n, int level)
{
    Rig *r = opaque;

    r->edges[n] += level && !r->level[n];
    r->level[n] = level;
}

Rig *rig_new(int cpus)
{
    static bool started;
    Rig *r = g_new0(Rig, 1);

    if (!started) {
        main_loop_init();
        started = true;
    }
    clock_vm_enable(false);
    clock_vm_set(NS_PER_SEC);
    r->m.memory_root = mem_region_container("memory", UINT64_MAX);
    r->m.io_root = mem_region_container("io", 65536);
    address_space_init(&r->m.memory, r->m.memory_root, "memory");
    address_space_init(&r->m.io, r->m.io_root, "io");
    r->m.root_bus = bus_new("System", "main-system-bus", NULL);
    r->m.cpus = g_new0(Cpu *, RIG_CPUS);
    r->m.cpu_count = cpus;
    for (int i = 0; i < cpus; i++) {
        r->cpu[i].machine = &r->m;
        r->cpu[i].index = i;
        r->cpu[i].apic_id = (uint32_t)i;
        r->m.cpus[i] = &r->cpu[i];
    }
    r->isa = isa_bus_new(&r->m, "isa.0", NULL, r->m.io_root, r->m.memory_root);
    irq_lines_init(r->irqs, ISA_IRQS, isa_line, r);
    isa_bus_set_irqs(r->isa, r->irqs);
    return r;
}

static Device *create(Rig *r, Bus *bus, const DeviceClass *cls)
{
    GError *err = NULL;
    Device *dev = device_create(&r->m, bus, cls, &err, NULL);

    g_assert_no_error(err);
    g_assert_nonnull(dev);
    return dev;
}

Device *rig_isa(Rig *r, const DeviceClass *cls)
{
    return create(r, isa_bus_qbus(r->isa), cls);
}

Device *rig_system(Rig *r, const DeviceClass *cls)
{
    return create(r, r->m.root_bus, cls);
}

uint8_t rig_in(Rig *r, uint16_t port)
{
    return (uint8_t)address_space_load(&r->m.io, port, 1);
}

void rig_out(Rig *r, uint16_t port, uint8_t value)
{
    address_space_store(&r->m.io, port, value, 1);
}

uint32_t rig_read32(Rig *r, uint64_t addr)
{
    return (uint32_t)address_space_load(&r->m.memory, addr, 4);
}

void rig_write32(Rig *r, uint64_t addr, uint32_t value)
{
    address_space_store(&r->m.memory, addr, value, 4);
}

void rig_at(int64_t ns)
{
    clock_vm_set(NS_PER_SEC + ns);
}

void rig_run(int64_t ns)
{
    int64_t end = clock_now(CLOCK_RT) + ns;

    clock_vm_enable(true);
    while (clock_now(CLOCK_RT) < end) {
        main_loop_iterate(false);
    }
    main_loop_iterate(false); /* what became due when this thread had to wait */
    clock_vm_enable(false);
}

void rig_save_load(Device *dev)
{
    GByteArray *state = g_byte_array_new();
    GError *err = NULL;
    size_t pos = 0;

    state_save(dev->cls->state, dev, state);
    dev->cls->reset(dev);
    g_assert_true(state_load(dev->cls->state, dev, state->data, state->len, &pos, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(pos, ==, state->len);
    g_byte_array_unref(state);
}

void rig_add_ram(Rig *r)
{
    GError *err = NULL;
    const uint64_t size = 64 << 20;

    r->m.ram = ram_block_new("pc.ram", size, &err);
    g_assert_no_error(err);
    r->m.ram_size = size;
    mem_region_add(r->m.memory_root, 0, mem_region_ram("ram", r->m.ram, 0, size, false), 0);
}
