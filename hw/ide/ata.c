/*
 * ATA commands (ATA/ATAPI-7 volume 1, clause 6).
 *
 * One row per command: who takes it, and what it does. A command that is not in the table, or not
 * for this kind of device, is aborted. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <string.h>

typedef struct AtaCommand {
    uint8_t flags;
    void (*run)(IdeDrive *d);
} AtaCommand;

enum {
    FOR_HD = 1u << 0,
    FOR_CD = 1u << 1,
    FOR_BOTH = FOR_HD | FOR_CD,
    WHILE_BUSY = 1u << 2, /* taken with BSY or DRQ set */
    LBA48 = 1u << 3,      /* addresses by 48 bits */
    MULTIPLE = 1u << 4,   /* DRQ blocks of several sectors */
    FUA = 1u << 5,
};

static const AtaCommand ata_commands[256];

/* ---- addresses ---- */

static bool command_is_lba48(const IdeDrive *d)
{
    return ata_commands[d->command].flags & LBA48;
}

/* The first sector a command names; false: no such sector. */
static bool get_address(const IdeDrive *d, uint64_t *lba)
{
    const IdeTaskFile *r = &d->reg;
    uint64_t low = r->lba_low | (uint32_t)r->lba_mid << 8 | (uint32_t)r->lba_high << 16;

    if (command_is_lba48(d)) {
        *lba = low | (uint64_t)d->hob.lba_low << 24 | (uint64_t)d->hob.lba_mid << 32 |
               (uint64_t)d->hob.lba_high << 40;
        return true;
    }
    if (d->device & IDE_DEVICE_LBA) {
        *lba = low | (uint64_t)(d->device & 0x0f) << 24;
        return true;
    }
    unsigned cyl = r->lba_mid | (unsigned)r->lba_high << 8, head = d->device & 0x0f;

    if (!r->lba_low || r->lba_low > d->secs || head >= d->heads) {
        return false;
    }
    *lba = ((uint64_t)cyl * d->heads + head) * d->secs + r->lba_low - 1;
    return true;
}

void ata_set_address(IdeDrive *d, uint64_t lba)
{
    if (command_is_lba48(d)) {
        d->hob.lba_low = (uint8_t)(lba >> 24);
        d->hob.lba_mid = (uint8_t)(lba >> 32);
        d->hob.lba_high = (uint8_t)(lba >> 40);
    } else if (d->device & IDE_DEVICE_LBA) {
        d->device = (d->device & 0xf0) | ((lba >> 24) & 0x0f);
    } else {
        uint64_t track = lba / d->secs, cyl = track / d->heads;

        d->reg.lba_low = (uint8_t)(lba % d->secs + 1);
        d->reg.lba_mid = (uint8_t)cyl;
        d->reg.lba_high = (uint8_t)(cyl >> 8);
        d->device = (d->device & 0xf0) | (uint8_t)(track % d->heads);
        return;
    }
    d->reg.lba_low = (uint8_t)lba;
    d->reg.lba_mid = (uint8_t)(lba >> 8);
    d->reg.lba_high = (uint8_t)(lba >> 16);
}

static uint32_t get_count(const IdeDrive *d)
{
    if (command_is_lba48(d)) {
        uint32_t count = d->reg.count | (uint32_t)d->hob.count << 8;
        return count ? count : 65536;
    }
    return d->reg.count ? d->reg.count : 256;
}

/* Prepares a transfer; ends the command and returns false when its range is not on the disk. */
static bool begin_sectors(IdeDrive *d)
{
    uint64_t lba = 0;

    d->standby = false;
    d->count = get_count(d);
    if (!get_address(d, &lba)) {
        ide_command_done(d, IDE_ERROR_IDNF);
        return false;
    }
    d->lba = lba;
    d->fua = ata_commands[d->command].flags & FUA;
    if (lba >= d->sectors || d->count > d->sectors - lba) {
        d->lba = MAX(lba, d->sectors);
        ide_rw_error(d, IDE_ERROR_IDNF);
        return false;
    }
    d->block_sectors = 1;
    if (ata_commands[d->command].flags & MULTIPLE) {
        if (!d->mult) {
            ide_abort(d);
            return false;
        }
        d->block_sectors = d->mult;
    }
    return true;
}

/* ---- data transfers ---- */

static void cmd_read(IdeDrive *d)
{
    if (begin_sectors(d)) {
        ide_start_read(d);
    }
}

static void cmd_write(IdeDrive *d)
{
    if (begin_sectors(d)) {
        ide_start_write(d);
    }
}

static void cmd_dma(IdeDrive *d, IdeXfer xfer)
{
    if (!d->chan->dma) {
        ide_abort(d);
    } else if (begin_sectors(d)) {
        ide_start_dma(d, xfer);
    }
}

static void cmd_read_dma(IdeDrive *d)
{
    cmd_dma(d, IDE_XFER_READ);
}

static void cmd_write_dma(IdeDrive *d)
{
    cmd_dma(d, IDE_XFER_WRITE);
}

static void verify_next(IdeDrive *d);

static void verify_done(IdeDrive *d, int ret)
{
    if (ret < 0) {
        ide_rw_error(d, IDE_ERROR_UNC);
        return;
    }
    d->lba += d->len / IDE_SECTOR;
    d->count -= d->len / IDE_SECTOR;
    verify_next(d);
}

static void verify_next(IdeDrive *d)
{
    if (!d->count) {
        ata_set_address(d, d->lba - 1);
        ide_command_done(d, 0);
        return;
    }
    d->status = IDE_STATUS_BSY;
    d->len = MIN(d->count, (uint32_t)(IDE_BUF_SIZE / IDE_SECTOR)) * IDE_SECTOR;
    ide_submit_buf(d, BLOCK_OP_READ, d->lba * IDE_SECTOR, d->len, verify_done);
}

static void cmd_verify(IdeDrive *d)
{
    if (begin_sectors(d)) {
        verify_next(d);
    }
}

static void flush_done(IdeDrive *d, int ret)
{
    ide_command_done(d, ret < 0 ? IDE_ERROR_ABRT : 0);
}

static void cmd_flush(IdeDrive *d)
{
    d->status = IDE_STATUS_BSY;
    ide_submit(d, BLOCK_OP_FLUSH, 0, 0, NULL, 0, flush_done);
}

/* ---- DATA SET MANAGEMENT: TRIM (ACS-2 7.10) ----
 * Each 512-byte block of the parameter has 64 entries of LBA (48 bits) and count (16 bits). POS
 * walks through them, one discard request each. */

static void trim_next(IdeDrive *d);

static void trim_done(IdeDrive *d, int ret)
{
    if (ret < 0) {
        ide_abort(d);
        return;
    }
    trim_next(d);
}

static void trim_next(IdeDrive *d)
{
    while (d->pos + 8 <= d->len) {
        uint64_t entry;

        memcpy(&entry, d->buf + d->pos, 8);
        entry = GUINT64_FROM_LE(entry);
        d->pos += 8;

        uint64_t lba = entry & 0xffffffffffffull, count = entry >> 48;

        if (!count) {
            continue;
        }
        if (lba >= d->sectors || count > d->sectors - lba) {
            ide_command_done(d, IDE_ERROR_IDNF | IDE_ERROR_ABRT);
            return;
        }
        ide_submit(d, BLOCK_OP_DISCARD, lba * IDE_SECTOR, count * IDE_SECTOR, NULL, 0, trim_done);
        return;
    }
    ide_command_done(d, 0);
}

void ata_trim(IdeDrive *d)
{
    d->xfer = IDE_XFER_NONE;
    d->status = IDE_STATUS_BSY;
    d->pos = 0;
    d->end = d->len;
    trim_next(d);
}

static void cmd_data_set_management(IdeDrive *d)
{
    uint32_t blocks = d->reg.count | (uint32_t)d->hob.count << 8;

    if (d->reg.feature != 0x01 || !blocks || blocks > IDE_BUF_SIZE / IDE_SECTOR || !d->chan->dma ||
        !block_can_discard(d->blk)) {
        ide_abort(d);
        return;
    }
    d->len = blocks * IDE_SECTOR;
    ide_start_dma(d, IDE_XFER_DSM);
}

/* ---- identification and settings ---- */

static void cmd_identify(IdeDrive *d)
{
    if (d->cd) {
        /* A packet device aborts, leaving its signature (6.16.5). */
        ide_drive_signature(d);
        ide_abort(d);
        return;
    }
    ata_identify(d, d->buf);
    ide_pio_reply(d, IDE_SECTOR);
}

static void cmd_identify_packet(IdeDrive *d)
{
    ata_identify_packet(d, d->buf);
    ide_pio_reply(d, IDE_SECTOR);
}

/* SET FEATURES 03h (6.48): bits 7:3 of the count name the kind of mode, 2:0 the mode. */
static bool set_transfer_mode(IdeDrive *d, uint8_t value)
{
    unsigned mode = value & 7;

    switch (value >> 3) {
    case 0: /* PIO default */
    case 1: /* PIO flow control */
        return mode <= 4;
    case 4:
        if (mode > 2) {
            return false;
        }
        d->mwdma = (uint8_t)(1u << mode);
        d->udma = 0;
        return true;
    case 8:
        if (mode > 5) {
            return false;
        }
        d->udma = (uint8_t)(1u << mode);
        d->mwdma = 0;
        return true;
    }
    return false;
}

static void write_cache_off(IdeDrive *d, int ret)
{
    if (ret >= 0) {
        block_set_write_cache(d->blk, false);
    }
    ide_command_done(d, ret < 0 ? IDE_ERROR_ABRT : 0);
}

static void cmd_set_features(IdeDrive *d)
{
    bool ok = false;

    switch (d->reg.feature) {
    case 0x02: /* write cache on */
        if (!d->cd) {
            block_set_write_cache(d->blk, true);
            ok = true;
        }
        break;
    case 0x82: /* write cache off, after what it holds is written */
        if (!d->cd) {
            d->status = IDE_STATUS_BSY;
            ide_submit(d, BLOCK_OP_FLUSH, 0, 0, NULL, 0, write_cache_off);
            return;
        }
        break;
    case 0x03:
        ok = set_transfer_mode(d, d->reg.count);
        break;
    case 0x66: /* keep settings over a software reset: they always are */
    case 0xcc: /* go back to power-on settings over a software reset */
    case 0x55: /* read look-ahead off, */
    case 0xaa: /* and on: neither can be noticed */
        ok = true;
        break;
    }
    ide_command_done(d, ok ? 0 : IDE_ERROR_ABRT);
}

static void cmd_set_multiple(IdeDrive *d)
{
    unsigned n = d->reg.count;

    if (n > IDE_MULT_MAX || (n & (n - 1))) {
        ide_abort(d);
        return;
    }
    d->mult = (uint8_t)n;
    ide_command_done(d, 0);
}

static void cmd_init_device_parameters(IdeDrive *d)
{
    if (!d->reg.count) {
        ide_abort(d);
        return;
    }
    d->heads = (d->device & 0x0f) + 1;
    d->secs = d->reg.count;
    ide_command_done(d, 0);
}

static void cmd_read_native_max(IdeDrive *d)
{
    uint64_t last = d->sectors - 1;

    if (!command_is_lba48(d)) {
        last = MIN(last, 0x0fffffffull);
        if (!(d->device & IDE_DEVICE_LBA)) {
            last = MIN(last, 65536ull * d->heads * d->secs - 1);
        }
    }
    ata_set_address(d, last);
    ide_command_done(d, 0);
}

static void cmd_nothing(IdeDrive *d)
{
    ide_command_done(d, 0);
}

static void cmd_seek(IdeDrive *d)
{
    uint64_t lba;

    ide_command_done(d, get_address(d, &lba) && lba < d->sectors ? 0 : IDE_ERROR_IDNF);
}

static void cmd_standby(IdeDrive *d)
{
    d->standby = true;
    ide_command_done(d, 0);
}

static void cmd_idle(IdeDrive *d)
{
    d->standby = false;
    if (d->cd && d->command == 0xe1) {
        ide_drive_signature(d); /* idle immediate leaves a packet device's data phase, too */
    }
    ide_command_done(d, 0);
}

static void cmd_check_power(IdeDrive *d)
{
    d->reg.count = d->standby ? 0x00 : 0xff;
    ide_command_done(d, 0);
}

/* ---- resets ---- */

static void cmd_diagnostic(IdeDrive *d)
{
    IdeChannel *c = d->chan;

    for (int i = 0; i < 2; i++) {
        if (c->drives[i]) {
            ide_drive_reset(c->drives[i], false);
        }
    }
    c->selected = 0;
    if (c->drives[0]) {
        ide_set_intrq(c->drives[0]); /* device 0 reports for both (9.10) */
    }
}

static void cmd_device_reset(IdeDrive *d)
{
    uint8_t dev = d->device & IDE_DEVICE_DEV;

    ide_drive_reset(d, false);
    d->device |= dev; /* stays selected; no interrupt (6.13) */
}

/* ---- SMART (6.54): no attributes, no threshold exceeded ---- */

static void smart_checksum(uint8_t *page)
{
    uint8_t sum = 0;

    for (int i = 0; i < 511; i++) {
        sum += page[i];
    }
    page[511] = (uint8_t)-sum;
}

static void smart_data(IdeDrive *d)
{
    memset(d->buf, 0, IDE_SECTOR);
    d->buf[0] = 0x10; /* structure revision 16 */
    if (d->reg.feature == 0xd0) {
        d->buf[370] = 0x01; /* with 368: saves attributes before power-saving */
        d->buf[368] = 0x03;
    }
    smart_checksum(d->buf);
    ide_pio_reply(d, IDE_SECTOR);
}

static void cmd_smart(IdeDrive *d)
{
    if (d->reg.lba_mid != 0x4f || d->reg.lba_high != 0xc2 ||
        (!d->smart && d->reg.feature != 0xd8)) {
        ide_abort(d);
        return;
    }
    switch (d->reg.feature) {
    case 0xd0: /* read data */
    case 0xd1: /* read thresholds */
        smart_data(d);
        return;
    case 0xd2: /* attribute autosave */
    case 0xda: /* return status: 4Fh, C2h stay where they are when all is well */
        ide_command_done(d, 0);
        return;
    case 0xd8:
        d->smart = true;
        ide_command_done(d, 0);
        return;
    case 0xd9:
        d->smart = false;
        ide_command_done(d, 0);
        return;
    }
    ide_abort(d);
}

/* ---- the table ---- */

static const AtaCommand ata_commands[256] = {
    [0x00] = {FOR_BOTH, ide_abort}, /* NOP is to be aborted (6.20) */
    [0x06] = {FOR_HD | LBA48, cmd_data_set_management},
    [0x08] = {FOR_CD | WHILE_BUSY, cmd_device_reset},
    [0x10] = {FOR_HD, cmd_nothing}, /* RECALIBRATE */
    [0x20] = {FOR_HD, cmd_read},
    [0x21] = {FOR_HD, cmd_read},
    [0x24] = {FOR_HD | LBA48, cmd_read},
    [0x25] = {FOR_HD | LBA48, cmd_read_dma},
    [0x27] = {FOR_HD | LBA48, cmd_read_native_max},
    [0x29] = {FOR_HD | LBA48 | MULTIPLE, cmd_read},
    [0x30] = {FOR_HD, cmd_write},
    [0x31] = {FOR_HD, cmd_write},
    [0x34] = {FOR_HD | LBA48, cmd_write},
    [0x35] = {FOR_HD | LBA48, cmd_write_dma},
    [0x39] = {FOR_HD | LBA48 | MULTIPLE, cmd_write},
    [0x3c] = {FOR_HD, cmd_write}, /* WRITE VERIFY */
    [0x3d] = {FOR_HD | LBA48 | FUA, cmd_write_dma},
    [0x40] = {FOR_HD, cmd_verify},
    [0x41] = {FOR_HD, cmd_verify},
    [0x42] = {FOR_HD | LBA48, cmd_verify},
    [0x70] = {FOR_HD, cmd_seek},
    [0x90] = {FOR_BOTH, cmd_diagnostic},
    [0x91] = {FOR_HD, cmd_init_device_parameters},
    [0x94] = {FOR_HD, cmd_standby},
    [0x95] = {FOR_HD, cmd_idle},
    [0x96] = {FOR_HD, cmd_standby},
    [0x97] = {FOR_HD, cmd_idle},
    [0x98] = {FOR_HD, cmd_check_power},
    [0x99] = {FOR_HD, cmd_standby},
    [0xa0] = {FOR_CD, atapi_start_packet},
    [0xa1] = {FOR_CD, cmd_identify_packet},
    [0xb0] = {FOR_HD, cmd_smart},
    [0xc4] = {FOR_HD | MULTIPLE, cmd_read},
    [0xc5] = {FOR_HD | MULTIPLE, cmd_write},
    [0xc6] = {FOR_HD, cmd_set_multiple},
    [0xc8] = {FOR_HD, cmd_read_dma},
    [0xc9] = {FOR_HD, cmd_read_dma},
    [0xca] = {FOR_HD, cmd_write_dma},
    [0xcb] = {FOR_HD, cmd_write_dma},
    [0xce] = {FOR_HD | LBA48 | MULTIPLE | FUA, cmd_write},
    [0xe0] = {FOR_BOTH, cmd_standby},
    [0xe1] = {FOR_BOTH, cmd_idle},
    [0xe2] = {FOR_HD, cmd_standby},
    [0xe3] = {FOR_HD, cmd_idle},
    [0xe5] = {FOR_BOTH, cmd_check_power},
    [0xe6] = {FOR_BOTH, cmd_standby},
    [0xe7] = {FOR_HD, cmd_flush},
    [0xea] = {FOR_HD | LBA48, cmd_flush},
    [0xec] = {FOR_BOTH, cmd_identify},
    [0xef] = {FOR_BOTH, cmd_set_features},
    [0xf8] = {FOR_HD, cmd_read_native_max},
};

void ata_command(IdeDrive *d, uint8_t command)
{
    const AtaCommand *cmd = &ata_commands[command];
    bool ours = cmd->flags & (d->cd ? FOR_CD : FOR_HD);

    if ((d->status & (IDE_STATUS_BSY | IDE_STATUS_DRQ)) && !(ours && (cmd->flags & WHILE_BUSY))) {
        return;
    }
    ide_clear_intrq(d);
    d->command = command;
    if (!ours) {
        ide_abort(d);
        return;
    }
    d->error = 0;
    cmd->run(d);
}
