/*
 * An ATA channel: the command block (1F0h..1F7h) and control block (3F6h) registers as the host
 * sees them, device selection, software reset and INTRQ. ATA/ATAPI-7 volume 2, 5 and 9.
 *
 * Both devices latch what is written to the command block; only the selected one answers reads and
 * takes commands. With device 0 alone, reads with device 1 selected give device 0's registers, but
 * a status of 0 (9.16.1). A channel with no device reads as 0: nothing pulls BSY up.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <string.h>

#include "util/keyval.h"

enum {
    REG_DATA,
    REG_FEATURE, /* read: error */
    REG_COUNT,
    REG_LBA_LOW,
    REG_LBA_MID,
    REG_LBA_HIGH,
    REG_DEVICE,
    REG_COMMAND, /* read: status */
};

static IdeDrive *channel_drive(IdeChannel *c)
{
    return c->drives[c->selected];
}

void ide_channel_update_irq(IdeChannel *c)
{
    IdeDrive *d = channel_drive(c);
    bool level = d && d->intrq && !(c->control & IDE_CTRL_NIEN);

    if (level == c->irq_level) {
        return;
    }
    c->irq_level = level;
    if (level && c->dma) {
        c->dma->interrupt(c->dma_opaque);
    }
    irq_set(c->irq, level);
}

/* ---- data port ---- */

static uint32_t data_read(IdeDrive *d, unsigned size)
{
    uint32_t value = 0;

    if (!d || !(d->status & IDE_STATUS_DRQ) || d->dma_wait ||
        (d->xfer != IDE_XFER_READ && d->xfer != IDE_XFER_REPLY && d->xfer != IDE_XFER_ATAPI)) {
        return 0;
    }
    memcpy(&value, d->buf + d->pos, size); /* the buffer has room behind an odd end */
    d->pos += size;
    if (d->pos >= d->end) {
        ide_pio_block_done(d);
    }
    return value;
}

static void data_write(IdeDrive *d, uint32_t value, unsigned size)
{
    if (!d || !(d->status & IDE_STATUS_DRQ) || d->dma_wait ||
        (d->xfer != IDE_XFER_WRITE && d->xfer != IDE_XFER_PACKET)) {
        return;
    }
    memcpy(d->buf + d->pos, &value, size);
    d->pos += size;
    if (d->pos >= d->end) {
        ide_pio_block_done(d);
    }
}

/* ---- the other registers ---- */

static uint8_t status_read(IdeChannel *c, bool acknowledge)
{
    IdeDrive *d = channel_drive(c);

    if (!d) {
        return 0;
    }
    if (c->control & IDE_CTRL_SRST) {
        return IDE_STATUS_BSY;
    }
    if (acknowledge) {
        ide_clear_intrq(d);
    }
    return d->status;
}

static uint8_t register_read(IdeChannel *c, unsigned reg)
{
    IdeDrive *d = channel_drive(c);
    const IdeTaskFile *file;

    if (reg == REG_COMMAND) {
        return status_read(c, true);
    }
    d = d ? d : c->drives[0];
    if (!d) {
        return 0;
    }
    file = c->control & IDE_CTRL_HOB ? &d->hob : &d->reg;
    switch (reg) {
    case REG_FEATURE:
        return c->control & IDE_CTRL_HOB ? d->hob.feature : d->error;
    case REG_COUNT:
        return file->count;
    case REG_LBA_LOW:
        return file->lba_low;
    case REG_LBA_MID:
        return file->lba_mid;
    case REG_LBA_HIGH:
        return file->lba_high;
    case REG_DEVICE:
        return d->device;
    }
    return data_read(channel_drive(c), 1);
}

static void drive_latch(IdeDrive *d, unsigned reg, uint8_t value)
{
    uint8_t *now, *before;

    switch (reg) {
    case REG_FEATURE:
        now = &d->reg.feature;
        before = &d->hob.feature;
        break;
    case REG_COUNT:
        now = &d->reg.count;
        before = &d->hob.count;
        break;
    case REG_LBA_LOW:
        now = &d->reg.lba_low;
        before = &d->hob.lba_low;
        break;
    case REG_LBA_MID:
        now = &d->reg.lba_mid;
        before = &d->hob.lba_mid;
        break;
    case REG_LBA_HIGH:
        now = &d->reg.lba_high;
        before = &d->hob.lba_high;
        break;
    default:
        d->device = value | IDE_DEVICE_OBSOLETE;
        return;
    }
    *before = *now;
    *now = value;
}

static void command_write(IdeChannel *c, uint8_t command)
{
    IdeDrive *d = channel_drive(c);

    if (!d && command == 0x90) {
        d = c->drives[0]; /* EXECUTE DEVICE DIAGNOSTIC is for both devices, whatever is selected */
    }
    if (d && !(c->control & IDE_CTRL_SRST)) {
        ata_command(d, command);
    }
}

static void register_write(IdeChannel *c, unsigned reg, uint8_t value)
{
    IdeDrive *d = channel_drive(c);

    c->control &= (uint8_t)~IDE_CTRL_HOB;
    if (reg == REG_COMMAND) {
        command_write(c, value);
        return;
    }
    if (reg == REG_DATA) {
        data_write(d, value, 1);
        return;
    }
    if ((c->control & IDE_CTRL_SRST) || (d && (d->status & (IDE_STATUS_BSY | IDE_STATUS_DRQ)))) {
        return; /* writing while BSY or DRQ is set is indeterminate (5.x "access restrictions") */
    }
    for (int i = 0; i < 2; i++) {
        if (c->drives[i]) {
            drive_latch(c->drives[i], reg, value);
        }
    }
    if (reg == REG_DEVICE) {
        c->selected = value & IDE_DEVICE_DEV ? 1 : 0;
        ide_channel_update_irq(c);
    }
}

static uint64_t command_block_read(void *opaque, hwaddr addr, unsigned size)
{
    IdeChannel *c = opaque;
    uint32_t value = 0;

    if (addr == REG_DATA && size > 1) {
        return data_read(channel_drive(c), size);
    }
    for (unsigned i = 0; i < size && addr + i < 8; i++) {
        value |= (uint32_t)register_read(c, (unsigned)addr + i) << (8 * i);
    }
    return value;
}

static void command_block_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    IdeChannel *c = opaque;

    if (addr == REG_DATA && size > 1) {
        c->control &= (uint8_t)~IDE_CTRL_HOB;
        data_write(channel_drive(c), (uint32_t)value, size);
        return;
    }
    for (unsigned i = 0; i < size && addr + i < 8; i++) {
        register_write(c, (unsigned)addr + i, (uint8_t)(value >> (8 * i)));
    }
}

const MemOps ide_command_block_ops = {
    .read = command_block_read,
    .write = command_block_write,
    .min_size = 1,
    .max_size = 4,
};

static uint64_t control_block_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)addr, (void)size;
    return status_read(opaque, false);
}

static void control_block_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    IdeChannel *c = opaque;
    uint8_t before = c->control;

    (void)addr, (void)size;
    c->control = (uint8_t)value;
    if (!(before & IDE_CTRL_SRST) && (c->control & IDE_CTRL_SRST)) {
        for (int i = 0; i < 2; i++) {
            if (c->drives[i]) {
                ide_drive_reset(c->drives[i], false);
            }
        }
        c->selected = 0; /* the signature's device register */
    }
    ide_channel_update_irq(c);
}

const MemOps ide_control_block_ops = {
    .read = control_block_read,
    .write = control_block_write,
    .min_size = 1,
    .max_size = 1,
};

/* ---- the bus of two units ---- */

static bool channel_attach(Bus *bus, Device *dev, GError **err)
{
    IdeChannel *c = bus->opaque;
    IdeDrive *d = (IdeDrive *)dev;
    int unit = d->unit_prop;

    if (unit < 0) {
        unit = !c->drives[0] ? 0 : 1;
    }
    if (unit > 1 || c->drives[unit]) {
        emu_set_error(err, "%s: unit %d of bus '%s' is taken; a channel has units 0 and 1",
                      dev->id ? dev->id : dev->cls->name, unit, bus->name);
        return false;
    }
    d->chan = c;
    d->unit = (unsigned)unit;
    c->drives[unit] = d;
    return true;
}

static void channel_detach(Bus *bus, Device *dev)
{
    IdeChannel *c = bus->opaque;
    IdeDrive *d = (IdeDrive *)dev;

    if (c->drives[d->unit] == d) {
        c->drives[d->unit] = NULL;
    }
    d->chan = NULL;
    ide_channel_update_irq(c);
}

static void channel_describe(Bus *bus, Device *dev, GString *out)
{
    (void)bus;
    g_string_append_printf(out, "unit %u", ((IdeDrive *)dev)->unit);
}

void ide_channel_init(IdeChannel *c, Device *host, const char *name)
{
    c->bus = bus_new("IDE", name, host);
    c->bus->attach = channel_attach;
    c->bus->detach = channel_detach;
    c->bus->describe = channel_describe;
    c->bus->opaque = c;
}

void ide_channel_reset(IdeChannel *c)
{
    c->selected = 0;
    c->control = 0;
    ide_channel_update_irq(c);
}

static const StateField channel_fields[] = {
    STATE_FIELD_UINT_MAX(IdeChannel, selected, 1),
    STATE_FIELD_UINT(IdeChannel, control),
    STATE_FIELD_UINT_MAX(IdeChannel, irq_level, 1),
    STATE_FIELD_END,
};

const StateTable ide_channel_state_table = {
    .name = "ide-channel",
    .version = 1,
    .min_version = 1,
    .fields = channel_fields,
};
