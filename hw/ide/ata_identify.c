/*
 * What a device says of itself: IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data (ATA/ATAPI-7 volume
 * 1, 6.16 and 6.17; word 105, 169: ACS-2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <string.h>

void ata_pad_string(char *dst, const char *text, size_t len)
{
    size_t n = MIN(strlen(text), len);

    memset(dst, ' ', len);
    memcpy(dst, text, n);
    dst[len] = 0;
}

static void put_word(uint8_t *buf, unsigned word, unsigned value)
{
    buf[2 * word] = (uint8_t)value;
    buf[2 * word + 1] = (uint8_t)(value >> 8);
}

/* Strings have their first character in the high byte of each word. */
static void put_string(uint8_t *buf, unsigned word, const char *text)
{
    for (unsigned i = 0; text[i] && text[i + 1]; i += 2) {
        buf[2 * word + i] = (uint8_t)text[i + 1];
        buf[2 * word + i + 1] = (uint8_t)text[i];
    }
}

static void put_names(const IdeDrive *d, uint8_t *buf)
{
    put_string(buf, 10, d->serial);
    put_string(buf, 23, d->firmware);
    put_string(buf, 27, d->model);
}

static void put_modes(const IdeDrive *d, uint8_t *buf)
{
    put_word(buf, 63, 0x0007 | (unsigned)d->mwdma << 8);
    put_word(buf, 64, 0x0003); /* PIO modes 3 and 4 */
    for (unsigned word = 65; word <= 68; word++) {
        put_word(buf, word, 120); /* ns per cycle */
    }
    put_word(buf, 80, 0x00f0); /* ATA/ATAPI-4 to 7 */
    put_word(buf, 81, 0x0016);
    put_word(buf, 88, 0x003f | (unsigned)d->udma << 8);
    /* Hardware reset result: 80-conductor cable, device number by jumper, no fault. */
    put_word(buf, 93, d->unit ? 0x6b00 : 0x600b);
}

static void put_geometry(const IdeDrive *d, uint8_t *buf)
{
    uint64_t cyls = MIN(d->sectors / ((unsigned)d->heads * d->secs), 65535ull);
    uint32_t chs, lba28 = (uint32_t)MIN(d->sectors, 0x0fffffffull);

    put_word(buf, 1, d->default_cyls);
    put_word(buf, 3, d->default_heads);
    put_word(buf, 6, d->default_secs);
    if (d->heads == d->default_heads && d->secs == d->default_secs) {
        cyls = MIN(cyls, d->default_cyls);
    }
    chs = (uint32_t)cyls * d->heads * d->secs;
    put_word(buf, 54, (unsigned)cyls);
    put_word(buf, 55, d->heads);
    put_word(buf, 56, d->secs);
    put_word(buf, 57, chs);
    put_word(buf, 58, chs >> 16);
    put_word(buf, 60, lba28);
    put_word(buf, 61, lba28 >> 16);
    for (unsigned i = 0; i < 4; i++) {
        put_word(buf, 100 + i, (unsigned)(d->sectors >> (16 * i)) & 0xffff);
    }
}

void ata_identify(IdeDrive *d, uint8_t *buf)
{
    bool cache = block_write_cache(d->blk);

    memset(buf, 0, IDE_SECTOR);
    put_word(buf, 0, 0x0040); /* fixed disk */
    put_names(d, buf);
    put_geometry(d, buf);
    put_word(buf, 47, 0x8000 | IDE_MULT_MAX);
    put_word(buf, 48, 1);      /* double-word data port access */
    put_word(buf, 49, 0x0f00); /* IORDY, may be disabled; LBA; DMA */
    put_word(buf, 50, 0x4000);
    put_word(buf, 51, 0x0200);
    put_word(buf, 52, 0x0200);
    put_word(buf, 53, 0x0007); /* words 54-58, 64-70, 88 are valid */
    put_word(buf, 59, d->mult ? 0x0100u | d->mult : 0);
    put_modes(d, buf);
    /* Command sets: SMART, power management, write cache, look-ahead; FLUSH CACHE (EXT), 48-bit;
     * WRITE DMA FUA EXT. First what is supported, then what is on. */
    put_word(buf, 82, 0x4069);
    put_word(buf, 83, 0x7400);
    put_word(buf, 84, 0x4040);
    put_word(buf, 85, 0x4048 | (d->smart ? 0x01 : 0) | (cache ? 0x20 : 0));
    put_word(buf, 86, 0x3400);
    put_word(buf, 87, 0x4040);
    if (block_can_discard(d->blk)) {
        put_word(buf, 105, IDE_BUF_SIZE / IDE_SECTOR); /* blocks of ranges per command */
        put_word(buf, 169, 0x0001);
    }
}

void ata_identify_packet(IdeDrive *d, uint8_t *buf)
{
    memset(buf, 0, IDE_SECTOR);
    put_word(buf, 0, 0x85c0); /* ATAPI, CD/DVD, removable, DRQ within 50 us, 12-byte packets */
    put_names(d, buf);
    put_word(buf, 49, 0x0f00);
    put_word(buf, 53, 0x0006);
    put_modes(d, buf);
    put_word(buf, 71, 30);     /* ns from PACKET to bus release, */
    put_word(buf, 72, 30);     /* and from SERVICE to BSY clear */
    put_word(buf, 82, 0x4218); /* NOP, DEVICE RESET, PACKET, power management */
    put_word(buf, 83, 0x4000);
    put_word(buf, 84, 0x4000);
    put_word(buf, 85, 0x4218);
    put_word(buf, 86, 0x0000);
    put_word(buf, 87, 0x4000);
}
