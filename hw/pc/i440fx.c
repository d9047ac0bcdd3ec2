/*
 * Intel 440FX PCIset, 82441FX PMC (data sheet 290549-001): host bridge.
 *
 * Two devices: "i440FX-pcihost" stands between CPU and PCI bus and has the configuration mechanism
 * (3.1), "i440FX" is function 00.0 with the registers that say, for each part of A0000h..FFFFFh,
 * whether RAM or PCI answers.
 *
 * PCI memory is a container below RAM in priority. Each of the thirteen PAM segments has a RAM
 * region for modes 1 and 3 and a window for mode 2, where writes go to RAM while reads still come
 * from PCI: how a BIOS of old copies itself into shadow RAM.
 *
 * SMRAM (3.2.21): A0000h..BFFFFh is RAM for CPUs in system management mode once G_SMRAME is set,
 * and for all while D_OPEN is. The view of the former is i440fx_smm_root(). D_CLS, which would
 * send data accesses of SMM code to PCI, is stored but has no effect. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include "hw/pc/i440fx.h"

#include "core/machine.h"
#include "util/keyval.h"

enum {
    PAM_BASE = 0x59,
    PAM_SEGMENTS = 13,
    PAM_READ = 1,
    PAM_WRITE = 2,
    SMRAM_REG = 0x72,
    SMRAM_D_OPEN = 1 << 6,
    SMRAM_D_CLS = 1 << 5,
    SMRAM_D_LCK = 1 << 4,
    SMRAM_G_SMRAME = 1 << 3,
    SMRAM_BASE_SEG = 2, /* bits 2:0, read-only: A0000h */
};

#define SMRAM_START 0xa0000u
#define SMRAM_SIZE  0x20000u
#define PAM_START   0xc0000u
#define PAM_SIZE    0x40000u

/* ---- the host side ---- */

typedef struct I440fxHost {
    Device dev;
    PciBus *bus;
    MemRegion *pci_mem;
    MemRegion *conf_addr, *conf_data;
    const MemOps *cf9_ops;
    void *cf9_opaque;
    uint32_t config_address;
} I440fxHost;

PciBus *i440fx_host_bus(Device *host)
{
    return ((I440fxHost *)host)->bus;
}

MemRegion *i440fx_host_pci_mem(Device *host)
{
    return ((I440fxHost *)host)->pci_mem;
}

void i440fx_host_set_cf9(Device *host, const MemOps *ops, void *opaque)
{
    ((I440fxHost *)host)->cf9_ops = ops;
    ((I440fxHost *)host)->cf9_opaque = opaque;
}

/* Only a dword access is one to CONFADD (3.1.1); others pass it by. */
static uint64_t conf_addr_read(void *opaque, hwaddr addr, unsigned size)
{
    I440fxHost *s = opaque;

    if (addr == 0 && size == 4) {
        return s->config_address;
    }
    if (addr == 1 && size == 1 && s->cf9_ops) {
        return s->cf9_ops->read(s->cf9_opaque, 0, 1);
    }
    return UINT64_MAX;
}

static void conf_addr_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I440fxHost *s = opaque;

    if (addr == 0 && size == 4) {
        s->config_address = (uint32_t)value & 0x80fffffcu;
    } else if (addr == 1 && size == 1 && s->cf9_ops) {
        s->cf9_ops->write(s->cf9_opaque, 0, value, 1);
    }
}

/* True when CONFADD names a function of bus 0. */
static bool conf_target(const I440fxHost *s, uint8_t *devfn)
{
    *devfn = (uint8_t)(s->config_address >> 8);
    return (s->config_address >> 31) && (s->config_address >> 16 & 0xff) == 0;
}

static uint64_t conf_data_read(void *opaque, hwaddr addr, unsigned size)
{
    I440fxHost *s = opaque;
    uint8_t devfn;

    if (!conf_target(s, &devfn)) {
        return UINT64_MAX;
    }
    return pci_config_read(s->bus, devfn, (s->config_address & 0xfc) + (uint32_t)addr, size);
}

static void conf_data_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I440fxHost *s = opaque;
    uint8_t devfn;

    if (conf_target(s, &devfn)) {
        pci_config_write(s->bus, devfn, (s->config_address & 0xfc) + (uint32_t)addr,
                         (uint32_t)value, size);
    }
}

static const MemOps conf_addr_ops = {.read = conf_addr_read, .write = conf_addr_write};
static const MemOps conf_data_ops = {.read = conf_data_read, .write = conf_data_write};

static bool host_realize(Device *dev, GError **err)
{
    I440fxHost *s = (I440fxHost *)dev;
    Machine *m = dev->machine;

    (void)err;
    s->pci_mem = mem_region_container("pci", UINT64_MAX);
    mem_region_add(m->memory_root, 0, s->pci_mem, -1);
    s->conf_addr = mem_region_io("pci-conf-address", &conf_addr_ops, s, 4);
    s->conf_data = mem_region_io("pci-conf-data", &conf_data_ops, s, 4);
    mem_region_add(m->io_root, 0xcf8, s->conf_addr, 0);
    mem_region_add(m->io_root, 0xcfc, s->conf_data, 0);
    s->bus = pci_bus_new(m, "pci.0", dev, s->pci_mem, m->io_root);
    return true;
}

static void host_unrealize(Device *dev)
{
    I440fxHost *s = (I440fxHost *)dev;

    mem_region_free(s->conf_addr);
    mem_region_free(s->conf_data);
    pci_bus_free(s->bus);
    mem_region_free(s->pci_mem);
}

static void host_reset(Device *dev)
{
    I440fxHost *s = (I440fxHost *)dev;

    s->config_address = 0;
    pci_bus_reset(s->bus);
}

static const StateField host_fields[] = {
    STATE_FIELD_UINT(I440fxHost, config_address),
    STATE_FIELD_END,
};
static const StateTable host_state = {
    .name = "i440fx-pcihost", .version = 1, .min_version = 1, .fields = host_fields};

const DeviceClass i440fx_host_class = {
    .name = "i440FX-pcihost",
    .description = "Intel 440FX host bridge, CPU side",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(I440fxHost),
    .state = &host_state,
    .realize = host_realize,
    .unrealize = host_unrealize,
    .reset = host_reset,
};

/* ---- function 00.0 ---- */

typedef struct I440fx {
    PciDevice pci;
    MemRegion *pci_mem;
    MemRegion *ram[PAM_SEGMENTS];          /* modes 1 and 3 */
    MemRegion *write_window[PAM_SEGMENTS]; /* mode 2 */
    MemRegion *write_io;                   /* what the windows are aliases of */
    AddressSpace pci_as;                   /* made when the first segment goes into mode 2 */
    MemRegion *smram_open;                 /* in everyone's view */
    MemRegion *smm_root, *smm_all, *smram; /* the view of CPUs in SMM */
} I440fx;

/* Segment 0 is F0000h..FFFFFh, the others 16 KiB each from C0000h up (3.2.18). */
static uint32_t pam_offset(int segment)
{
    return segment == 0 ? 0x30000 : 0x4000u * (uint32_t)(segment - 1);
}

static uint32_t pam_size(int segment)
{
    return segment == 0 ? 0x10000 : 0x4000;
}

static unsigned pam_mode(const I440fx *s, int segment)
{
    uint8_t reg = s->pci.config[PAM_BASE + (segment + 1) / 2];

    return (segment % 2 ? reg : reg >> 4) & (PAM_READ | PAM_WRITE);
}

static uint64_t write_window_read(void *opaque, hwaddr addr, unsigned size)
{
    I440fx *s = opaque;

    return address_space_load(&s->pci_as, PAM_START + addr, size);
}

static void write_window_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I440fx *s = opaque;
    RamBlock *ram = s->pci.dev.machine->ram;

    for (unsigned i = 0; i < size; i++) {
        ram->host[PAM_START + addr + i] = (uint8_t)(value >> (8 * i));
    }
    ram_block_written(ram, PAM_START + addr, size);
}

static const MemOps write_window_ops = {
    .read = write_window_read, .write = write_window_write, .max_size = 8};

static void update_pam(I440fx *s)
{
    for (int i = 0; i < PAM_SEGMENTS; i++) {
        unsigned mode = pam_mode(s, i);

        if (mode == PAM_WRITE && !s->pci_as.root) {
            address_space_init(&s->pci_as, s->pci_mem, "pci-memory");
        }
        mem_region_set_readonly(s->ram[i], !(mode & PAM_WRITE));
        mem_region_set_enabled(s->ram[i], mode & PAM_READ);
        mem_region_set_enabled(s->write_window[i], mode == PAM_WRITE);
    }
}

static void update_smram(I440fx *s)
{
    uint8_t reg = s->pci.config[SMRAM_REG];

    mem_region_set_enabled(s->smram_open, (reg & SMRAM_G_SMRAME) && (reg & SMRAM_D_OPEN));
    mem_region_set_enabled(s->smram, reg & SMRAM_G_SMRAME);
}

static void update_memory(I440fx *s)
{
    mem_transaction_begin();
    update_pam(s);
    update_smram(s);
    mem_transaction_commit();
}

static void smram_written(I440fx *s)
{
    uint8_t *reg = &s->pci.config[SMRAM_REG];

    /* D_LCK stays until reset, closes D_OPEN and freezes all else (3.2.21). */
    if (*reg & SMRAM_D_LCK) {
        *reg &= (uint8_t)~SMRAM_D_OPEN;
        s->pci.wmask[SMRAM_REG] = SMRAM_D_CLS;
    }
}

static void i440fx_config_written(PciDevice *dev, uint32_t addr, unsigned size)
{
    I440fx *s = (I440fx *)dev;

    if (addr <= SMRAM_REG && addr + size > SMRAM_REG) {
        smram_written(s);
        update_memory(s);
    } else if (addr < PAM_BASE + 7 && addr + size > PAM_BASE) {
        update_memory(s);
    }
}

static void i440fx_reset(Device *dev)
{
    I440fx *s = (I440fx *)dev;

    for (int i = 0; i < 7; i++) {
        s->pci.config[PAM_BASE + i] = 0;
    }
    s->pci.config[SMRAM_REG] = SMRAM_BASE_SEG;
    s->pci.wmask[SMRAM_REG] = SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME;
    pci_set(&s->pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    update_memory(s);
}

static bool i440fx_post_load(void *opaque, uint32_t version, GError **err)
{
    I440fx *s = opaque;

    (void)version;
    (void)err;
    s->pci.wmask[SMRAM_REG] = SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME;
    smram_written(s);
    update_memory(s);
    return true;
}

static void make_pam_regions(I440fx *s, Machine *m)
{
    s->write_io = mem_region_io("pam-write", &write_window_ops, s, PAM_SIZE);
    for (int i = 0; i < PAM_SEGMENTS; i++) {
        uint32_t offset = pam_offset(i), size = pam_size(i);

        s->ram[i] = mem_region_ram("pam-ram", m->ram, PAM_START + offset, size, false);
        s->write_window[i] = mem_region_alias("pam-write-window", s->write_io, offset, size);
        mem_region_set_enabled(s->ram[i], false);
        mem_region_set_enabled(s->write_window[i], false);
        mem_region_add(m->memory_root, PAM_START + offset, s->ram[i], 1);
        mem_region_add(m->memory_root, PAM_START + offset, s->write_window[i], 1);
    }
}

static void make_smram_regions(I440fx *s, Machine *m)
{
    s->smram_open = mem_region_ram("smram-open", m->ram, SMRAM_START, SMRAM_SIZE, false);
    mem_region_set_enabled(s->smram_open, false);
    mem_region_add(m->memory_root, SMRAM_START, s->smram_open, 1);

    s->smm_root = mem_region_container("smm", UINT64_MAX);
    s->smm_all = mem_region_alias("smm-memory", m->memory_root, 0, UINT64_MAX);
    s->smram = mem_region_ram("smram", m->ram, SMRAM_START, SMRAM_SIZE, false);
    mem_region_set_enabled(s->smram, false);
    mem_region_add(s->smm_root, 0, s->smm_all, 0);
    mem_region_add(s->smm_root, SMRAM_START, s->smram, 1);
}

static bool i440fx_realize(Device *dev, GError **err)
{
    I440fx *s = (I440fx *)dev;
    Machine *m = dev->machine;

    if (!m->ram || m->ram->size < PAM_START + PAM_SIZE) {
        emu_set_error(err, "i440FX needs a machine with at least 1 MiB of RAM");
        return false;
    }
    s->pci_mem = i440fx_host_pci_mem(dev->parent->parent);
    for (int i = 0; i < 7; i++) {
        s->pci.wmask[PAM_BASE + i] = i == 0 ? 0x30 : 0x33;
    }
    /* Memory and mastering are always on (3.2.3). */
    pci_set_wmask(&s->pci, PCI_COMMAND, 2, PCI_COMMAND_SERR | PCI_COMMAND_PARITY);
    mem_transaction_begin();
    make_pam_regions(s, m);
    make_smram_regions(s, m);
    i440fx_reset(dev);
    mem_transaction_commit();
    return true;
}

static const StateField i440fx_fields[] = {
    STATE_FIELD_STRUCT(I440fx, pci, &pci_state_table),
    STATE_FIELD_END,
};
static const StateTable i440fx_state = {.name = "i440fx",
                                        .version = 1,
                                        .min_version = 1,
                                        .fields = i440fx_fields,
                                        .post_load = i440fx_post_load};

static const PciClass i440fx_pci = {
    .vendor_id = 0x8086,
    .device_id = 0x1237,
    .class_code = 0x060000,
    .revision = 2,
    .config_written = i440fx_config_written,
};

const DeviceClass i440fx_class = {
    .name = "i440FX",
    .description = "Intel 440FX host bridge, PCI side",
    .bus_type = "PCI",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(I440fx),
    .bus_props = pci_props,
    .state = &i440fx_state,
    .bus_class = &i440fx_pci,
    .realize = i440fx_realize,
    .reset = i440fx_reset,
};

MemRegion *i440fx_smm_root(Device *dev)
{
    return ((I440fx *)dev)->smm_root;
}

void i440fx_map_ram(Machine *m)
{
    MemRegion *low, *high, *above;

    mem_transaction_begin();
    low = mem_region_ram("ram-below-640k", m->ram, 0, SMRAM_START, false);
    mem_region_add(m->memory_root, 0, low, 0);
    if (m->below_4g > 0x100000) {
        high = mem_region_ram("ram-below-4g", m->ram, 0x100000, m->below_4g - 0x100000, false);
        mem_region_add(m->memory_root, 0x100000, high, 0);
    }
    if (m->above_4g) {
        above = mem_region_ram("ram-above-4g", m->ram, m->below_4g, m->above_4g, false);
        mem_region_add(m->memory_root, 0x100000000ull, above, 0);
    }
    mem_transaction_commit();
}
