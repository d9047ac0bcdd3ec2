/*
 * See pc_rig.h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/device/pc_rig.h"

#include <string.h>

#include "core/device.h"
#include "core/mainloop.h"
#include "hw/classes.h"
#include "hw/pc/fw_cfg.h"

static PcRig *the_rig;

static void on_reset(Machine *m, ShutdownCause cause)
{
    (void)m;
    the_rig->resets++;
    the_rig->cause = cause;
}

static void on_shutdown(Machine *m, ShutdownCause cause, int status)
{
    (void)m;
    the_rig->shutdowns++;
    the_rig->cause = cause;
    the_rig->status = status;
}

static void make_machine(PcRig *r)
{
    Machine *m = &r->m;

    m->memory_root = mem_region_container("memory", UINT64_MAX);
    m->io_root = mem_region_container("io", 65536);
    address_space_init(&m->memory, m->memory_root, "memory");
    address_space_init(&m->io, m->io_root, "io");
    m->root_bus = bus_new("System", "main-system-bus", NULL);
    m->firmware_path = g_slist_append(NULL, g_strdup("/usr/share/seabios"));
    m->cpus = g_new0(Cpu *, PC_RIG_CPUS);
    for (int i = 0; i < PC_RIG_CPUS; i++) {
        r->cpu[i].machine = m;
        r->cpu[i].index = i;
        r->cpu[i].apic_id = (uint32_t)i;
        m->cpus[m->cpu_count++] = &r->cpu[i];
    }
}

void pc_rig_start(void)
{
    static bool started;

    if (!started) {
        started = true;
        main_loop_init();
    }
}

PcRig *pc_rig_new(const PcConfig *cfg)
{
    static const MachineHooks hooks = {.reset = on_reset, .shutdown = on_shutdown};
    PcConfig config;
    GError *err = NULL;

    g_assert_null(the_rig);
    the_rig = g_new0(PcRig, 1);
    pc_rig_start();
    machine_set_hooks(&hooks);
    device_class_list_set(hw_classes);
    make_machine(the_rig);
    pc_config_init(&config);
    config.ram_size = 64 << 20;
    pc_machine_init(&the_rig->m, cfg ? cfg : &config, &err);
    g_assert_no_error(err);
    the_rig->pci = pci_bus_from_qbus(bus_find(the_rig->m.root_bus, "pci.0", NULL));
    return the_rig;
}

void pc_rig_done(PcRig *r)
{
    GError *err = NULL;

    pc_machine_done(&r->m, &err);
    g_assert_no_error(err);
    device_reset_all(r->m.root_bus);
}

uint32_t pc_in(PcRig *r, uint16_t port, unsigned size)
{
    return (uint32_t)address_space_load(&r->m.io, port, size);
}

void pc_out(PcRig *r, uint16_t port, uint32_t value, unsigned size)
{
    address_space_store(&r->m.io, port, value, size);
}

uint32_t pc_read(PcRig *r, uint64_t addr, unsigned size)
{
    return (uint32_t)address_space_load(&r->m.memory, addr, size);
}

void pc_write(PcRig *r, uint64_t addr, uint32_t value, unsigned size)
{
    address_space_store(&r->m.memory, addr, value, size);
}

static void select_config(PcRig *r, int slot, int function, uint32_t reg)
{
    pc_out(r, 0xcf8, 0x80000000u | (uint32_t)slot << 11 | (uint32_t)function << 8 | (reg & ~3u), 4);
}

uint32_t pc_config_in(PcRig *r, int slot, int function, uint32_t reg, unsigned size)
{
    select_config(r, slot, function, reg);
    return pc_in(r, (uint16_t)(0xcfc + (reg & 3)), size);
}

void pc_config_out(PcRig *r, int slot, int function, uint32_t reg, uint32_t value, unsigned size)
{
    select_config(r, slot, function, reg);
    pc_out(r, (uint16_t)(0xcfc + (reg & 3)), value, size);
}

void pc_fw_cfg_read(PcRig *r, uint16_t key, void *out, size_t len)
{
    pc_out(r, 0x510, key, 2);
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = (uint8_t)pc_in(r, 0x511, 1);
    }
}

uint16_t pc_fw_cfg_key(PcRig *r, const char *name, uint32_t *size)
{
    uint32_t count;
    g_autofree uint8_t *dir = NULL;

    pc_fw_cfg_read(r, FW_CFG_FILE_DIR, &count, 4);
    count = GUINT32_FROM_BE(count);
    g_assert_cmpuint(count, <, 1000);
    dir = g_malloc(4 + 64 * count);
    pc_fw_cfg_read(r, FW_CFG_FILE_DIR, dir, 4 + 64 * count);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = dir + 4 + 64 * i;

        if (!strcmp((const char *)entry + 8, name)) {
            *size = (uint32_t)entry[0] << 24 | (uint32_t)entry[1] << 16 | (uint32_t)entry[2] << 8 |
                    entry[3];
            return (uint16_t)(entry[4] << 8 | entry[5]);
        }
    }
    return 0;
}

GByteArray *pc_fw_cfg_file(PcRig *r, const char *name)
{
    uint32_t size;
    uint16_t key = pc_fw_cfg_key(r, name, &size);
    GByteArray *out;

    if (!key) {
        return NULL;
    }
    out = g_byte_array_new();
    g_byte_array_set_size(out, size);
    pc_fw_cfg_read(r, key, out->data, size);
    return out;
}
