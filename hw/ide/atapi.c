/*
 * The packet interface of an ATAPI CD-ROM: from the PACKET command to its completion, by PIO or DMA
 * (ATA/ATAPI-7 volume 2, 9.7 and 9.8). The commands themselves are in atapi_mmc.c.
 *
 * Data to the host comes from the buffer: a reply that was built there, or sectors fetched from the
 * disc as many at a time as fit. In PIO the buffer is handed out in DRQ blocks no longer than the
 * host's byte count limit.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <string.h>

#include "util/keyval.h"

enum { PACKET_SIZE = 12, EVENT_NEW_MEDIUM = 2, EVENT_MEDIA_REMOVAL = 3 };

/* ---- the medium ---- */

bool atapi_medium_present(const IdeDrive *d)
{
    return d->blk && !d->atapi.tray_open && block_inserted(d->blk) &&
           block_length(d->blk) >= CD_SECTOR;
}

uint32_t atapi_disc_sectors(const IdeDrive *d)
{
    return (uint32_t)MIN(block_length(d->blk) / CD_SECTOR, (uint64_t)INT32_MAX);
}

void atapi_media_changed(IdeDrive *d)
{
    bool inserted = block_inserted(d->blk);

    d->atapi.tray_open = false;
    d->atapi.attention = inserted;
    d->atapi.media_event = inserted ? EVENT_NEW_MEDIUM : EVENT_MEDIA_REMOVAL;
}

/* ---- completion ---- */

static void packet_end(IdeDrive *d, uint8_t error)
{
    d->atapi.sectors = 0;
    ide_command_done(d, error);
}

void atapi_ok(IdeDrive *d)
{
    d->atapi.sense_key = d->atapi.sense_asc = d->atapi.sense_ascq = 0;
    d->reg.count = IDE_REASON_IO | IDE_REASON_COD;
    packet_end(d, 0);
}

void atapi_error(IdeDrive *d, AtapiSense sense)
{
    d->atapi.sense_key = sense.key;
    d->atapi.sense_asc = sense.asc;
    d->atapi.sense_ascq = sense.ascq;
    d->reg.count = IDE_REASON_IO | IDE_REASON_COD;
    packet_end(d, (uint8_t)(sense.key << 4 | IDE_ERROR_ABRT));
}

/* ---- PIO to the host ---- */

/* Offers the next DRQ block of the buffer. */
static void offer_block(IdeDrive *d)
{
    uint32_t left = d->len - d->pos;
    uint32_t limit = d->atapi.byte_limit;

    if (left > limit) {
        left = limit & ~1u; /* only the last block may be odd (9.7) */
    }
    d->reg.lba_mid = (uint8_t)left;
    d->reg.lba_high = (uint8_t)(left >> 8);
    d->reg.count = IDE_REASON_IO;
    ide_pio_block(d, left);
    ide_set_intrq(d);
}

/* The image has 2048 bytes per sector; a raw sector adds what a mode 1 sector has around them
 * (ECMA-130, 14): sync, header with the address in BCD minutes, seconds and frames, and EDC and
 * ECC, which are left 0. Works from the last to the first, in place. */
static void make_raw(uint8_t *buf, uint32_t lba, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        uint8_t *raw = buf + (size_t)i * CD_RAW_SECTOR;
        uint32_t frame = lba + i + 150, s = frame / 75 % 60, m = frame / 75 / 60 % 100,
                 f = frame % 75;

        memmove(raw + 16, buf + (size_t)i * CD_SECTOR, CD_SECTOR);
        memset(raw, 0xff, 12);
        raw[0] = raw[11] = 0;
        raw[12] = (uint8_t)(m / 10 << 4 | m % 10);
        raw[13] = (uint8_t)(s / 10 << 4 | s % 10);
        raw[14] = (uint8_t)(f / 10 << 4 | f % 10);
        raw[15] = 1;
        memset(raw + 16 + CD_SECTOR, 0, CD_RAW_SECTOR - 16 - CD_SECTOR);
    }
}

static uint32_t fetch_count(const IdeDrive *d)
{
    return MIN(d->atapi.sectors, (uint32_t)IDE_BUF_SIZE / d->atapi.sector_size);
}

/* N sectors have arrived in the buffer. */
static void fetched(IdeDrive *d)
{
    uint32_t n = fetch_count(d);

    if (d->atapi.sector_size == CD_RAW_SECTOR) {
        make_raw(d->buf, d->atapi.lba, n);
    }
    d->atapi.lba += n;
    d->atapi.sectors -= n;
    d->pos = 0;
    d->len = n * d->atapi.sector_size;
}

static void pio_fetch_done(IdeDrive *d, int ret)
{
    if (ret < 0) {
        atapi_error(d, ATAPI_SENSE_READ_ERROR);
        return;
    }
    fetched(d);
    offer_block(d);
}

static void fetch(IdeDrive *d, void (*done)(IdeDrive *d, int ret))
{
    if (!atapi_medium_present(d) || d->atapi.lba >= atapi_disc_sectors(d) ||
        d->atapi.sectors > atapi_disc_sectors(d) - d->atapi.lba) {
        done(d, -1); /* taken out meanwhile */
        return;
    }
    d->status = IDE_STATUS_BSY;
    ide_submit_buf(d, BLOCK_OP_READ, (uint64_t)d->atapi.lba * CD_SECTOR,
                   (uint64_t)fetch_count(d) * CD_SECTOR, done);
}

void atapi_block_done(IdeDrive *d)
{
    if (d->pos < d->len) {
        offer_block(d);
    } else if (d->atapi.sectors) {
        fetch(d, pio_fetch_done);
    } else {
        atapi_ok(d);
    }
}

/* ---- DMA to the host ---- */

static void dma_end(IdeDrive *d, bool short_memory, const AtapiSense *sense)
{
    d->chan->dma->finished(d->chan->dma_opaque, short_memory);
    if (sense) {
        atapi_error(d, *sense);
    } else {
        atapi_ok(d);
    }
}

static void dma_fetch_done(IdeDrive *d, int ret)
{
    if (ret < 0) {
        dma_end(d, false, &ATAPI_SENSE_READ_ERROR);
        return;
    }
    fetched(d);
    ide_dma_continue(d);
}

static void dma_direct_done(IdeDrive *d, int ret)
{
    uint64_t bytes = d->sg.bytes;

    ide_sg_finish(&d->sg, ret < 0 ? 0 : bytes);
    if (ret < 0) {
        dma_end(d, false, &ATAPI_SENSE_READ_ERROR);
        return;
    }
    d->atapi.lba += (uint32_t)(bytes / CD_SECTOR);
    d->atapi.sectors -= (uint32_t)(bytes / CD_SECTOR);
    if (!d->atapi.sectors) {
        dma_end(d, false, NULL);
        return;
    }
    ide_dma_continue(d);
}

/* Sectors of 2048 bytes go straight to guest memory. */
static void dma_direct(IdeDrive *d)
{
    uint64_t want = (uint64_t)MIN(d->atapi.sectors, 512u) * CD_SECTOR;
    uint64_t got = d->chan->dma->gather(d->chan->dma_opaque, &d->sg, true, want);

    got -= got % CD_SECTOR;
    if (!got || !atapi_medium_present(d) || d->atapi.lba >= atapi_disc_sectors(d) ||
        d->atapi.sectors > atapi_disc_sectors(d) - d->atapi.lba) {
        dma_end(d, !got, &ATAPI_SENSE_READ_ERROR);
        return;
    }
    ide_sg_truncate(&d->sg, got);
    ide_sg_map(&d->sg);
    d->status = IDE_STATUS_BSY;
    ide_submit(d, BLOCK_OP_READ, (uint64_t)d->atapi.lba * CD_SECTOR, got, d->sg.iov,
               (int)d->sg.iov_count, dma_direct_done);
}

void atapi_dma(IdeDrive *d)
{
    if (d->pos == d->len && d->atapi.sectors) {
        if (d->atapi.sector_size == CD_SECTOR) {
            dma_direct(d);
        } else {
            fetch(d, dma_fetch_done);
        }
        return;
    }
    uint32_t want = d->len - d->pos;
    uint64_t got = d->chan->dma->gather(d->chan->dma_opaque, &d->sg, true, want);

    ide_sg_copy(&d->sg, d->buf + d->pos, got);
    d->pos = d->end = d->len;
    if (got == want && d->atapi.sectors) {
        atapi_dma(d);
        return;
    }
    dma_end(d, got < want, NULL);
}

/* ---- replies ---- */

static void begin_data(IdeDrive *d)
{
    if (d->atapi.dma) {
        d->end = d->pos;
        d->reg.count = IDE_REASON_IO;
        ide_start_dma(d, IDE_XFER_ATAPI);
        return;
    }
    d->xfer = IDE_XFER_ATAPI;
    atapi_block_done(d);
}

void atapi_reply(IdeDrive *d, uint32_t len, uint32_t allocation)
{
    d->pos = 0;
    d->len = MIN(len, allocation);
    if (!d->len) {
        atapi_ok(d);
        return;
    }
    begin_data(d);
}

void atapi_read(IdeDrive *d, uint32_t lba, uint32_t count, uint16_t sector_size)
{
    uint32_t total = atapi_disc_sectors(d);

    if (lba >= total || count > total - lba) {
        atapi_error(d, ATAPI_SENSE_OUT_OF_RANGE);
        return;
    }
    if (!count) {
        atapi_ok(d);
        return;
    }
    d->atapi.lba = lba;
    d->atapi.sectors = count;
    d->atapi.sector_size = sector_size;
    d->pos = d->len = 0;
    begin_data(d);
}

/* ---- the packet ---- */

void atapi_start_packet(IdeDrive *d)
{
    uint16_t limit = (uint16_t)(d->reg.lba_mid | d->reg.lba_high << 8);

    if ((d->reg.feature & 0x02) || ((d->reg.feature & 0x01) && !d->chan->dma)) {
        ide_abort(d); /* overlapped, or DMA without a bus master */
        return;
    }
    d->atapi.dma = d->reg.feature & 0x01;
    d->atapi.byte_limit = limit == 0 || limit == 0xffff ? 0xfffe : limit == 1 ? 2 : limit;
    d->atapi.sectors = 0;
    d->xfer = IDE_XFER_PACKET;
    d->pos = 0;
    d->len = PACKET_SIZE;
    d->reg.count = IDE_REASON_COD;
    ide_pio_block(d, PACKET_SIZE); /* no interrupt: word 0 says DRQ comes at once */
}

void atapi_packet(IdeDrive *d)
{
    uint8_t cdb[PACKET_SIZE];
    const AtapiCommand *cmd;

    memcpy(cdb, d->buf, sizeof(cdb));
    d->xfer = IDE_XFER_NONE;
    d->pos = d->end = d->len = 0;
    d->status = IDE_STATUS_BSY;
    cmd = atapi_command_find(cdb[0]);
    if (!cmd) {
        atapi_error(d, ATAPI_SENSE_INVALID_OPCODE);
        return;
    }
    if (d->atapi.attention && !(cmd->flags & ATAPI_CMD_NO_ATTENTION)) {
        d->atapi.attention = false;
        atapi_error(d, ATAPI_SENSE_MEDIUM_CHANGED);
        return;
    }
    if ((cmd->flags & ATAPI_CMD_MEDIUM) && !atapi_medium_present(d)) {
        atapi_error(d, ATAPI_SENSE_NO_MEDIUM);
        return;
    }
    cmd->run(d, cdb);
}

void atapi_reset(IdeDrive *d)
{
    d->atapi.sense_key = d->atapi.sense_asc = d->atapi.sense_ascq = 0;
    d->atapi.sectors = 0;
    d->atapi.tray_locked = false;
}

/* ---- state ---- */

static bool atapi_post_load(void *opaque, uint32_t version, GError **err)
{
    AtapiState *a = opaque;

    (void)version;
    if ((a->sector_size != 0 && a->sector_size != CD_SECTOR && a->sector_size != CD_RAW_SECTOR) ||
        (a->sectors && !a->sector_size) || a->byte_limit == 1) {
        emu_set_error(err, "ide-cd: the saved transfer state contradicts itself");
        *a = (AtapiState){0};
        return false;
    }
    return true;
}

static const StateField atapi_fields[] = {
    STATE_FIELD_UINT_MAX(AtapiState, sense_key, 15),
    STATE_FIELD_UINT(AtapiState, sense_asc),
    STATE_FIELD_UINT(AtapiState, sense_ascq),
    STATE_FIELD_UINT(AtapiState, attention),
    STATE_FIELD_UINT(AtapiState, tray_open),
    STATE_FIELD_UINT(AtapiState, tray_locked),
    STATE_FIELD_UINT(AtapiState, media_event),
    STATE_FIELD_UINT(AtapiState, dma),
    STATE_FIELD_UINT(AtapiState, byte_limit),
    STATE_FIELD_UINT(AtapiState, sector_size),
    STATE_FIELD_UINT(AtapiState, lba),
    STATE_FIELD_UINT(AtapiState, sectors),
    STATE_FIELD_END,
};

const StateTable atapi_state_table = {
    .name = "atapi",
    .version = 1,
    .min_version = 1,
    .fields = atapi_fields,
    .post_load = atapi_post_load,
};
