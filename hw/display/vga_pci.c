/*
 * The PCI display "VGA": the VGA core with a linear framebuffer (BAR 0) and its registers mapped to
 * memory (BAR 2: VGA ports 3C0h..3DFh at 400h, DISPI registers at 500h), besides the fixed ports
 * and the window at A0000h. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/machine.h"
#include "hw/display/vga.h"
#include "hw/pci/pci.h"
#include "util/keyval.h"

enum {
    FRAMEBUFFER_BAR = 0,
    MMIO_BAR = 2,
    MMIO_SIZE = 4096,
    MMIO_PORTS = 0x400,
    MMIO_VBE = 0x500,
    VBE_PORT = 0x1ce,
    WINDOW = 0xa0000,
};

/* The fixed ports; there are others' between them. */
static const struct {
    uint16_t port, count;
} vga_ports[] = {{0x3b4, 2}, {0x3ba, 1}, {0x3c0, 16}, {0x3d4, 2}, {0x3da, 1}};

/* A run of VGA ports, and the first's number. */
typedef struct PortRun {
    Vga *vga;
    uint16_t base;
    MemRegion *region;
} PortRun;

typedef struct VgaPci {
    PciDevice pci;
    Vga vga;
    uint32_t memory_mb;
    RamBlock *vram;
    PortRun ports[G_N_ELEMENTS(vga_ports)], mmio_ports;
    MemRegion *framebuffer, *vbe_ports, *mmio, *mmio_vbe;
} VgaPci;

/* ---- access ---- */

static uint64_t ports_read(void *opaque, hwaddr addr, unsigned size)
{
    PortRun *run = opaque;

    (void)size;
    return vga_port_read(run->vga, (uint16_t)(run->base + addr));
}

static void ports_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    PortRun *run = opaque;

    (void)size;
    vga_port_write(run->vga, (uint16_t)(run->base + addr), (uint8_t)value);
}

static const MemOps ports_ops = {
    .read = ports_read,
    .write = ports_write,
    .min_size = 1,
    .max_size = 1,
};

static uint64_t mmio_vbe_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)size;
    return vga_vbe_read(opaque, (uint16_t)(addr / 2));
}

static void mmio_vbe_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)size;
    vga_vbe_write(opaque, (uint16_t)(addr / 2), (uint16_t)value);
}

static const MemOps mmio_vbe_ops = {
    .read = mmio_vbe_read,
    .write = mmio_vbe_write,
    .min_size = 2,
    .max_size = 2,
};

/* What BAR 2 has besides reads as 0, so that no EDID block is found at its start. */
static uint64_t mmio_rest_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)opaque, (void)addr, (void)size;
    return 0;
}

static const MemOps mmio_rest_ops = {
    .read = mmio_rest_read,
    .max_size = 8,
};

/* ---- life ---- */

static void map_ports(VgaPci *s)
{
    MemRegion *io = s->pci.dev.machine->io_root;

    for (size_t i = 0; i < G_N_ELEMENTS(vga_ports); i++) {
        PortRun *run = &s->ports[i];

        run->vga = &s->vga;
        run->base = vga_ports[i].port;
        run->region = mem_region_io("vga-ports", &ports_ops, run, vga_ports[i].count);
        mem_region_add(io, run->base, run->region, 0);
    }
    /* The data port is a word at an odd address. */
    s->vbe_ports = mem_region_io("vga-vbe", &vga_vbe_port_ops, &s->vga, 3);
    mem_region_add(io, VBE_PORT, s->vbe_ports, 0);
}

static void map_mmio(VgaPci *s)
{
    s->mmio = mem_region_io("vga-mmio", &mmio_rest_ops, s, MMIO_SIZE);
    s->mmio_ports = (PortRun){.vga = &s->vga, .base = 0x3c0};
    s->mmio_ports.region = mem_region_io("vga-mmio-ports", &ports_ops, &s->mmio_ports, 0x20);
    s->mmio_vbe = mem_region_io("vga-mmio-vbe", &mmio_vbe_ops, &s->vga, 2 * VBE_REGS);
    mem_region_add(s->mmio, MMIO_PORTS, s->mmio_ports.region, 0);
    mem_region_add(s->mmio, MMIO_VBE, s->mmio_vbe, 0);
    pci_register_bar_mem(&s->pci, MMIO_BAR, s->mmio, false, false);
}

static bool vga_pci_realize(Device *dev, GError **err)
{
    VgaPci *s = (VgaPci *)dev;

    if (s->memory_mb & (s->memory_mb - 1)) {
        emu_set_error(err, "VGA: vgamem_mb=%u must be a power of two, 1 to 256", s->memory_mb);
        return false;
    }
    s->vram = ram_block_new("vga.vram", (uint64_t)s->memory_mb << 20, err);
    if (!s->vram) {
        return false;
    }
    vga_init(&s->vga, s->vram);
    s->framebuffer = mem_region_container("vga-framebuffer", s->vram->size);
    mem_region_add(s->framebuffer, 0, s->vga.vram_region, 0);
    pci_register_bar_mem(&s->pci, FRAMEBUFFER_BAR, s->framebuffer, false, true);
    map_mmio(s);
    map_ports(s);
    mem_region_add(dev->machine->memory_root, WINDOW, s->vga.window, 0);
    s->vga.console = console_new("VGA", &vga_console_ops, &s->vga);
    return true;
}

static void vga_pci_unrealize(Device *dev)
{
    VgaPci *s = (VgaPci *)dev;

    console_free(s->vga.console);
    for (size_t i = 0; i < G_N_ELEMENTS(vga_ports); i++) {
        mem_region_free(s->ports[i].region);
    }
    mem_region_free(s->vbe_ports);
    mem_region_free(s->mmio_ports.region);
    mem_region_free(s->mmio_vbe);
    vga_destroy(&s->vga);
    ram_block_free(s->vram);
}

static void vga_pci_reset(Device *dev)
{
    vga_reset(&((VgaPci *)dev)->vga);
}

/* ---- class ---- */

static const StateField vga_pci_fields[] = {
    STATE_FIELD_STRUCT(VgaPci, pci, &pci_state_table),
    STATE_FIELD_STRUCT(VgaPci, vga, &vga_state_table),
    STATE_FIELD_END,
};

static const StateTable vga_pci_state_table = {
    .name = "VGA",
    .version = 1,
    .min_version = 1,
    .fields = vga_pci_fields,
};

static const Property vga_pci_props[] = {
    {.name = "vgamem_mb",
     .type = PROP_UINT,
     PROP_FIELD(VgaPci, memory_mb),
     .min = 1,
     .max = 256,
     .default_value = "16",
     .description = "video memory in MiB, a power of two"},
    {.type = PROP_END},
};

static const PciClass vga_pci_pci_class = {
    .vendor_id = 0x1234,
    .device_id = 0x1111,
    .class_code = 0x030000,
    .revision = 2,
    .romfile = "vgabios-stdvga.bin",
};

const DeviceClass vga_pci_class = {
    .name = "VGA",
    .description = "standard VGA with the Bochs VBE extension",
    .bus_type = "PCI",
    .category = DEVICE_CATEGORY_DISPLAY,
    .size = sizeof(VgaPci),
    .props = vga_pci_props,
    .bus_props = pci_props,
    .state = &vga_pci_state_table,
    .user_creatable = true,
    .bus_class = &vga_pci_pci_class,
    .realize = vga_pci_realize,
    .unrealize = vga_pci_unrealize,
    .reset = vga_pci_reset,
};
