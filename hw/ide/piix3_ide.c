/*
 * The IDE function of the PIIX3 (Intel 290550, 2.3 and 2.7): two channels at the compatible
 * addresses with interrupts 14 and 15, and a bus master for each in one I/O BAR.
 *
 * The channels answer at 1F0h/3F6h and 170h/376h whether or not the decode enable bits of IDETIM
 * are set: firmware older than the bits, and guests started without any, rely on it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/machine.h"
#include "hw/ide/ide.h"

typedef struct Piix3Ide {
    PciDevice pci;
    IdeChannel channels[2];
    BmDma bm[2];
    MemRegion *command_block[2], *control_block[2], *bm_block[2], *bar;
} Piix3Ide;

enum {
    BM_BAR = 4,
    BM_SIZE = 16,
    IDETIM = 0x40, /* two words: timing and decode enable of each channel */
    SIDETIM = 0x44,
};

static const struct {
    uint16_t command, control;
    const char *bus;
} channel_ports[2] = {{0x1f0, 0x3f6, "ide.0"}, {0x170, 0x376, "ide.1"}};

Bus *piix3_ide_bus(Device *dev, int channel)
{
    return ((Piix3Ide *)dev)->channels[channel].bus;
}

void piix3_ide_connect_irqs(Device *dev, IrqLine *irq14, IrqLine *irq15)
{
    Piix3Ide *s = (Piix3Ide *)dev;

    s->channels[0].irq = irq14;
    s->channels[1].irq = irq15;
}

static void add_channel(Piix3Ide *s, int n)
{
    Machine *m = s->pci.dev.machine;
    IdeChannel *c = &s->channels[n];
    BmDma *bm = &s->bm[n];

    ide_channel_init(c, &s->pci.dev, channel_ports[n].bus);
    c->dma = &bmdma_ops;
    c->dma_opaque = bm;
    bm->chan = c;
    bm->pci = &s->pci;
    s->command_block[n] = mem_region_io("ide-command", &ide_command_block_ops, c, 8);
    s->control_block[n] = mem_region_io("ide-control", &ide_control_block_ops, c, 1);
    mem_region_add(m->io_root, channel_ports[n].command, s->command_block[n], 0);
    mem_region_add(m->io_root, channel_ports[n].control, s->control_block[n], 0);
    s->bm_block[n] = mem_region_io("bmdma", &bmdma_io_ops, bm, 8);
    mem_region_add(s->bar, (hwaddr)n * 8, s->bm_block[n], 0);
}

static bool piix3_ide_realize(Device *dev, GError **err)
{
    Piix3Ide *s = (Piix3Ide *)dev;

    (void)err;
    s->bar = mem_region_container("piix3-bmdma", BM_SIZE);
    for (int n = 0; n < 2; n++) {
        add_channel(s, n);
    }
    pci_register_bar_io(&s->pci, BM_BAR, s->bar);
    pci_set_wmask(&s->pci, IDETIM, 4, 0xffffffff);
    pci_set_wmask(&s->pci, SIDETIM, 1, 0xff);
    return true;
}

static void piix3_ide_unrealize(Device *dev)
{
    Piix3Ide *s = (Piix3Ide *)dev;

    for (int n = 0; n < 2; n++) {
        mem_region_free(s->command_block[n]);
        mem_region_free(s->control_block[n]);
        mem_region_free(s->bm_block[n]);
        s->channels[n].irq = NULL;
    }
}

static void piix3_ide_reset(Device *dev)
{
    Piix3Ide *s = (Piix3Ide *)dev;

    for (int n = 0; n < 2; n++) {
        /* The drives, reset after their bus, may still have a request on its way. */
        for (int i = 0; i < 2; i++) {
            if (s->channels[n].drives[i]) {
                ide_drive_cancel(s->channels[n].drives[i]);
            }
        }
        bmdma_reset(&s->bm[n]);
        ide_channel_reset(&s->channels[n]);
    }
    pci_set(&s->pci, IDETIM, 4, 0);
    pci_set(&s->pci, SIDETIM, 1, 0);
}

static const StateField piix3_ide_fields[] = {
    STATE_FIELD_STRUCT(Piix3Ide, pci, &pci_state_table),
    STATE_FIELD_STRUCT_ARRAY(Piix3Ide, channels, &ide_channel_state_table),
    STATE_FIELD_STRUCT_ARRAY(Piix3Ide, bm, &bmdma_state_table),
    STATE_FIELD_END,
};

/* The drives' requests change this device's registers when they finish. */
static void piix3_ide_pre_save(void *opaque)
{
    Piix3Ide *s = opaque;

    for (int n = 0; n < 4; n++) {
        IdeDrive *d = s->channels[n / 2].drives[n % 2];
        if (d) {
            ide_drive_wait_idle(d);
        }
    }
}

static const StateTable piix3_ide_state_table = {
    .name = "piix3-ide",
    .version = 1,
    .min_version = 1,
    .fields = piix3_ide_fields,
    .pre_save = piix3_ide_pre_save,
};

static const PciClass piix3_ide_pci_class = {
    .vendor_id = 0x8086,
    .device_id = 0x7010,
    .class_code = 0x010180, /* IDE, both channels in compatibility mode, bus master */
};

const DeviceClass piix3_ide_class = {
    .name = "piix3-ide",
    .description = "Intel PIIX3 IDE controller",
    .bus_type = "PCI",
    .category = DEVICE_CATEGORY_STORAGE,
    .size = sizeof(Piix3Ide),
    .bus_props = pci_props,
    .state = &piix3_ide_state_table,
    .bus_class = &piix3_ide_pci_class,
    .realize = piix3_ide_realize,
    .unrealize = piix3_ide_unrealize,
    .reset = piix3_ide_reset,
};
