/*
 * Intel 82371SB (PIIX3, data sheet 290550-002), function 0: PCI to ISA bridge.
 *
 * Interrupt steering: the slots' pins are swizzled onto PIRQA#..PIRQD#, and PIRQRC[A:D] (60h-63h)
 * routes each of these to an ISA interrupt. Several PIRQs may share one; the ISA input is high
 * while any is. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/piix3.h"

#include "core/machine.h"
#include "hw/pc/i440fx.h"

enum {
    PIRQ_LINES = 4,
    PIRQRC = 0x60,
    PIRQRC_DISABLED = 0x80,

    /* RC, CF9h (2.6.1) */
    RC_CPU_RESET = 1 << 2,  /* 0 to 1 starts a reset */
    RC_HARD_RESET = 1 << 1, /* of all, instead of the CPU alone */
};

typedef struct Piix3 {
    PciDevice pci;
    IsaBus *isa;
    IrqLine *lines;
    uint8_t reset_control;
    uint8_t pirq_level[PIRQ_LINES];
    uint16_t isa_level; /* what was last driven; derived */
} Piix3;

IsaBus *piix3_isa_bus(Device *dev)
{
    return ((Piix3 *)dev)->isa;
}

/* ---- interrupts ---- */

/* The slots share the four lines in turn, as the board's wiring has it. */
static int pirq_map(PciBus *bus, uint8_t devfn, int pin)
{
    (void)bus;
    return (pin + (devfn >> 3) - 1) & (PIRQ_LINES - 1);
}

static void update_irqs(Piix3 *s)
{
    uint16_t level = 0, changed;

    for (int i = 0; i < PIRQ_LINES; i++) {
        uint8_t route = s->pci.config[PIRQRC + i];

        if (s->pirq_level[i] && !(route & PIRQRC_DISABLED)) {
            level |= (uint16_t)(1u << (route & 15));
        }
    }
    changed = level ^ s->isa_level;
    s->isa_level = level;
    for (int i = 0; i < ISA_IRQS && s->lines; i++) {
        if (changed & (1u << i)) {
            irq_set(&s->lines[i], level >> i & 1);
        }
    }
}

static void pirq_set(void *opaque, int n, int level)
{
    Piix3 *s = opaque;

    s->pirq_level[n] = level != 0;
    update_irqs(s);
}

void piix3_set_irqs(Device *dev, IrqLine *lines)
{
    Piix3 *s = (Piix3 *)dev;

    s->lines = lines;
    isa_bus_set_irqs(s->isa, lines);
}

static void piix3_config_written(PciDevice *dev, uint32_t addr, unsigned size)
{
    if (addr < PIRQRC + PIRQ_LINES && addr + size > PIRQRC) {
        update_irqs((Piix3 *)dev);
    }
}

/* ---- reset control ---- */

static uint64_t rc_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)addr;
    (void)size;
    return ((Piix3 *)opaque)->reset_control;
}

static void rc_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Piix3 *s = opaque;
    bool start = (value & RC_CPU_RESET) && !(s->reset_control & RC_CPU_RESET);

    (void)addr;
    (void)size;
    s->reset_control = value & (RC_HARD_RESET | RC_CPU_RESET);
    if (start) {
        machine_request_reset(s->pci.dev.machine, SHUTDOWN_GUEST_RESET);
    }
}

static const MemOps rc_ops = {.read = rc_read, .write = rc_write, .min_size = 1, .max_size = 1};

/* ---- life ---- */

static void piix3_reset(Device *dev)
{
    Piix3 *s = (Piix3 *)dev;

    pci_set(&s->pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    for (int i = 0; i < PIRQ_LINES; i++) {
        s->pci.config[PIRQRC + i] = PIRQRC_DISABLED;
    }
    s->reset_control = 0;
    update_irqs(s);
}

static bool piix3_realize(Device *dev, GError **err)
{
    Piix3 *s = (Piix3 *)dev;
    Machine *m = dev->machine;
    Device *host = dev->parent->parent;

    (void)err;
    pci_set_wmask(&s->pci, PCI_COMMAND, 2, PCI_COMMAND_SERR);
    for (int i = 0; i < PIRQ_LINES; i++) {
        s->pci.wmask[PIRQRC + i] = PIRQRC_DISABLED | 0xf;
    }
    s->isa = isa_bus_new(m, "isa.0", dev, m->io_root, i440fx_host_pci_mem(host));
    pci_bus_set_irqs(s->pci.bus, pirq_set, s, PIRQ_LINES, pirq_map);
    i440fx_host_set_cf9(host, &rc_ops, s);
    piix3_reset(dev);
    return true;
}

static bool piix3_post_load(void *opaque, uint32_t version, GError **err)
{
    Piix3 *s = opaque;

    (void)version;
    (void)err;
    update_irqs(s);
    return true;
}

static const StateField piix3_fields[] = {
    STATE_FIELD_STRUCT(Piix3, pci, &pci_state_table),
    STATE_FIELD_UINT(Piix3, reset_control),
    STATE_FIELD_UINT_ARRAY(Piix3, pirq_level),
    STATE_FIELD_END,
};
static const StateTable piix3_state = {.name = "piix3",
                                       .version = 1,
                                       .min_version = 1,
                                       .fields = piix3_fields,
                                       .post_load = piix3_post_load};

static const PciClass piix3_pci = {
    .vendor_id = 0x8086,
    .device_id = 0x7000,
    .class_code = 0x060100,
    .multifunction = true,
    .config_written = piix3_config_written,
};

const DeviceClass piix3_class = {
    .name = "PIIX3",
    .description = "Intel PIIX3, PCI to ISA bridge",
    .bus_type = "PCI",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(Piix3),
    .bus_props = pci_props,
    .state = &piix3_state,
    .bus_class = &piix3_pci,
    .realize = piix3_realize,
    .reset = piix3_reset,
};
