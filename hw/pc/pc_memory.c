/*
 * The PC's physical memory: RAM around the hole below 4 GiB, the BIOS, and the A20 gate.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/pc/i440fx.h"
#include "hw/pc/pc_internal.h"
#include "util/keyval.h"

#define GIB (1ull << 30)

enum { BIOS_ALIAS_MAX = 128 << 10, BIOS_SIZE_MAX = 16 << 20, BIOS_SIZE_UNIT = 64 << 10 };

/*
 * RAM ends at 3.5 GiB at most, and already at 3 GiB when there is more than fits, so that what lies
 * above 4 GiB is a multiple of 1 GiB for round sizes (large pages).
 */
static uint64_t ram_below_4g(uint64_t size)
{
    const uint64_t limit = 0xe0000000;

    return size >= limit ? 3 * GIB : size;
}

bool pc_memory_init(PcMachine *pc, GError **err)
{
    Machine *m = pc->dev.machine;
    uint64_t size = pc->cfg.ram_size;

    if (size < 1 << 20) {
        emu_set_error(err, "-m: %" G_GUINT64_FORMAT " bytes of memory; a PC needs at least 1M",
                      size);
        return false;
    }
    m->ram_size = (size + GUEST_PAGE_SIZE - 1) & ~(uint64_t)(GUEST_PAGE_SIZE - 1);
    m->below_4g = ram_below_4g(m->ram_size);
    m->above_4g = m->ram_size - m->below_4g;
    if (!m->ram) {
        m->ram = ram_block_new("pc.ram", m->ram_size, err);
        if (!m->ram) {
            g_prefix_error(err, "-m: ");
            return false;
        }
    }
    i440fx_map_ram(m);
    return true;
}

uint32_t pc_pci_window_start(const Machine *m)
{
    if (m->below_4g <= 2 * GIB) {
        return 0x80000000;
    }
    return m->below_4g <= 3 * GIB ? 0xc0000000 : 0xe0000000;
}

/* ---- BIOS ---- */

static void map_bios(PcMachine *pc, uint64_t size)
{
    MemRegion *pci = i440fx_host_pci_mem(pc->host);
    uint64_t low = MIN(size, BIOS_ALIAS_MAX);
    MemRegion *high, *alias;

    mem_transaction_begin();
    high = mem_region_ram("pc.bios", pc->bios, 0, size, true);
    alias = mem_region_ram("isa-bios", pc->bios, size - low, low, true);
    mem_region_add(pci, 4 * GIB - size, high, 2);
    mem_region_add(pci, 0x100000 - low, alias, 2);
    mem_transaction_commit();
}

bool pc_bios_load(PcMachine *pc, GError **err)
{
    const char *name = pc->cfg.bios ? pc->cfg.bios : "bios-256k.bin";
    char *path = machine_find_firmware(pc->dev.machine, name, err);
    char *data = NULL;
    gsize len = 0;
    bool ok = path && g_file_get_contents(path, &data, &len, err);

    if (ok && (len == 0 || len > BIOS_SIZE_MAX || len % BIOS_SIZE_UNIT)) {
        emu_set_error(err, "-bios: %s has %zu bytes; a multiple of 64 KiB up to 16 MiB is needed",
                      path, (size_t)len);
        ok = false;
    }
    if (ok) {
        pc->bios = ram_block_new("pc.bios", len, err);
        ok = pc->bios != NULL;
    }
    if (ok) {
        memcpy(pc->bios->host, data, len);
        pc->bios->rom = true;
        map_bios(pc, len);
    }
    g_free(data);
    g_free(path);
    return ok;
}

/* ---- the A20 gate ---- */

static void make_a20_aliases(PcMachine *pc)
{
    MemRegion *root = pc->dev.machine->memory_root;

    for (int i = 0; i < PC_A20_ALIASES; i++) {
        uint64_t even = (uint64_t)i << 21;

        pc->a20_alias[i] = mem_region_alias("a20", root, even, 1 << 20);
        mem_region_set_enabled(pc->a20_alias[i], false);
        mem_region_add(root, even + (1 << 20), pc->a20_alias[i], 100);
    }
}

void machine_set_a20(Machine *m, bool on)
{
    PcMachine *pc = pc_machine(m);

    if (!pc || pc->a20 == on) {
        return;
    }
    pc->a20 = on;
    mem_transaction_begin();
    if (!on && !pc->a20_alias[0]) {
        make_a20_aliases(pc);
    }
    for (int i = 0; i < PC_A20_ALIASES && pc->a20_alias[0]; i++) {
        mem_region_set_enabled(pc->a20_alias[i], !on);
    }
    mem_transaction_commit();
}

bool machine_a20(Machine *m)
{
    PcMachine *pc = pc_machine(m);

    return !pc || pc->a20;
}
