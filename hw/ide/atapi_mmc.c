/*
 * The commands of a CD-ROM drive with one data track (MMC-5; SPC-3 for the primary ones).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <string.h>

enum {
    PROFILE_CDROM = 0x0008,
    PROFILE_DVDROM = 0x0010,
    CD_SECTORS_MAX = 449850, /* 99:59:74, what minutes, seconds, frames can say: else a DVD */
};

/* ---- fields ---- */

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | be16(p + 1);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | be24(p + 1);
}

static void put_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, v >> 16);
    put_be16(p + 2, v);
}

/* Zeroed room for a reply of LEN bytes. */
static uint8_t *reply_buf(IdeDrive *d, size_t len)
{
    return memset(d->buf, 0, len);
}

/* Absolute minutes, seconds, frames; the first sector is 00:02:00 (MMC-5 table 9). */
static void put_msf(uint8_t *p, uint32_t lba)
{
    uint32_t frame = lba + 150;

    p[0] = 0;
    p[1] = (uint8_t)MIN(frame / 75 / 60, 255u);
    p[2] = (uint8_t)(frame / 75 % 60);
    p[3] = (uint8_t)(frame % 75);
}

static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (msf) {
        put_msf(p, lba);
    } else {
        put_be32(p, lba);
    }
}

static bool is_dvd(const IdeDrive *d)
{
    return atapi_disc_sectors(d) > CD_SECTORS_MAX;
}

/* ---- primary commands ---- */

static void cmd_test_unit_ready(IdeDrive *d, const uint8_t *cdb)
{
    (void)cdb;
    atapi_ok(d);
}

static void cmd_request_sense(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *b = reply_buf(d, 18);

    b[0] = 0x70; /* current, fixed format */
    b[7] = 10;
    if (!d->atapi.sense_key && d->atapi.attention) {
        d->atapi.attention = false;
        b[2] = ATAPI_SENSE_MEDIUM_CHANGED.key;
        b[12] = ATAPI_SENSE_MEDIUM_CHANGED.asc;
    } else {
        b[2] = d->atapi.sense_key;
        b[12] = d->atapi.sense_asc;
        b[13] = d->atapi.sense_ascq;
    }
    atapi_reply(d, 18, cdb[4]);
}

static void inquiry_vpd(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *b = reply_buf(d, 64);
    uint32_t len;

    b[0] = 0x05;
    b[1] = cdb[2];
    switch (cdb[2]) {
    case 0x00: /* supported pages */
        b[3] = 2;
        b[4] = 0x00;
        b[5] = 0x83;
        len = 6;
        break;
    case 0x83: /* device identification: the serial number, vendor specific ASCII */
        b[3] = 24;
        b[4] = 0x02;
        b[7] = 20;
        memcpy(b + 8, d->serial, 20);
        len = 28;
        break;
    default:
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    atapi_reply(d, len, be16(cdb + 3));
}

static void cmd_inquiry(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *b;

    if (cdb[1] & 0x01) {
        inquiry_vpd(d, cdb);
        return;
    }
    if (cdb[2]) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    b = reply_buf(d, 36);
    b[0] = 0x05; /* CD/DVD */
    b[1] = 0x80; /* removable */
    b[2] = 0x00; /* no version claimed, as ATAPI has it */
    b[3] = 0x21; /* ATAPI transport, response format 1 */
    b[4] = 31;
    memcpy(b + 8, "EMU     ", 8);
    memcpy(b + 16, d->model, 16);
    if (memcmp(b + 16, "EMU ", 4) == 0) {
        memcpy(b + 16, "DVD-ROM         ", 16); /* the vendor has a field of its own */
    }
    memcpy(b + 32, d->firmware, 4);
    atapi_reply(d, 36, be16(cdb + 3));
}

static void cmd_prevent_allow(IdeDrive *d, const uint8_t *cdb)
{
    d->atapi.tray_locked = cdb[4] & 1;
    atapi_ok(d);
}

static void cmd_start_stop(IdeDrive *d, const uint8_t *cdb)
{
    bool start = cdb[4] & 0x01, load_eject = cdb[4] & 0x02;

    if (cdb[4] & 0xf0) {
        atapi_ok(d); /* a power condition */
        return;
    }
    if (load_eject && !start && d->atapi.tray_locked && !d->atapi.tray_open) {
        atapi_error(d, ATAPI_SENSE_LOCKED);
        return;
    }
    if (load_eject && d->atapi.tray_open == start) {
        d->atapi.tray_open = !start;
        if (start && atapi_medium_present(d)) {
            atapi_media_changed(d);
        }
    }
    atapi_ok(d);
}

/* ---- MODE SENSE (MMC-5 7; 10-byte form, and the 6-byte form that ATAPI dropped) ---- */

static uint32_t mode_page(IdeDrive *d, uint8_t page, bool changeable, uint8_t *p)
{
    p[0] = page;
    switch (page) {
    case 0x01: /* read error recovery */
        p[1] = 6;
        p[3] = changeable ? 0 : 5; /* retries */
        return 8;
    case 0x0e: /* audio control: immediate, ports 0 and 1 at full volume */
        p[1] = 14;
        if (!changeable) {
            p[2] = 0x04;
            p[8] = 0x01;
            p[9] = 0xff;
            p[10] = 0x02;
            p[11] = 0xff;
        }
        return 16;
    case 0x2a: /* capabilities and mechanical status */
        p[1] = 18;
        if (changeable) {
            return 20;
        }
        p[2] = 0x3b; /* reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R */
        p[4] = 0x70; /* mode 2 form 1 and 2, multi-session */
        p[5] = 0x00;
        p[6] = 0x29 | (d->atapi.tray_locked ? 0x02 : 0); /* tray, eject, lock */
        put_be16(p + 8, 706);                            /* most kB/s: 4x */
        put_be16(p + 10, 2);                             /* volume levels */
        put_be16(p + 12, 512);                           /* buffer, KiB */
        put_be16(p + 14, 706);                           /* kB/s now */
        return 20;
    }
    return 0;
}

static void mode_sense(IdeDrive *d, const uint8_t *cdb, unsigned header, uint32_t allocation)
{
    static const uint8_t pages[] = {0x01, 0x0e, 0x2a};
    unsigned control = cdb[2] >> 6;
    uint8_t page = cdb[2] & 0x3f;
    uint8_t *b = reply_buf(d, 256);
    uint32_t len = header;

    if (control == 3) {
        atapi_error(d, (AtapiSense){0x05, 0x39, 0x00}); /* saving is not supported */
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        if (page == 0x3f || page == pages[i]) {
            len += mode_page(d, pages[i], control == 1, b + len);
        }
    }
    if (len == header) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    /* Medium type (obsolete, but read by hosts): 70h open, 71h none, 01h data CD of 120 mm. */
    uint8_t type = d->atapi.tray_open ? 0x70 : atapi_medium_present(d) ? 0x01 : 0x71;

    if (header == 8) {
        put_be16(b, len - 2);
        b[2] = type;
    } else {
        b[0] = (uint8_t)(len - 1);
        b[1] = type;
    }
    atapi_reply(d, len, allocation);
}

static void cmd_mode_sense_10(IdeDrive *d, const uint8_t *cdb)
{
    mode_sense(d, cdb, 8, be16(cdb + 7));
}

static void cmd_mode_sense_6(IdeDrive *d, const uint8_t *cdb)
{
    mode_sense(d, cdb, 4, cdb[4]);
}

/* ---- reading ---- */

static void cmd_read_10(IdeDrive *d, const uint8_t *cdb)
{
    atapi_read(d, be32(cdb + 2), be16(cdb + 7), CD_SECTOR);
}

static void cmd_read_12(IdeDrive *d, const uint8_t *cdb)
{
    atapi_read(d, be32(cdb + 2), be32(cdb + 6), CD_SECTOR);
}

/* READ CD (MMC-5 6.20): byte 1 bits 4:2 the sector type wanted, byte 9 which parts of a sector. */
static void cmd_read_cd(IdeDrive *d, const uint8_t *cdb)
{
    uint32_t lba = be32(cdb + 2), count = be24(cdb + 6);
    unsigned type = cdb[1] >> 2 & 7, parts = cdb[9] & 0xf8;

    if (type != 0 && type != 2) {
        atapi_error(d, ATAPI_SENSE_ILLEGAL_MODE); /* the track is mode 1 */
        return;
    }
    if (!count || (!parts && !(cdb[9] & 0x06) && !(cdb[10] & 0x07))) {
        atapi_ok(d);
    } else if (cdb[10] & 0x07) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD); /* no sub-channel in an image */
    } else if (parts == 0x10) {
        atapi_read(d, lba, count, CD_SECTOR);
    } else if (parts == 0xf8) {
        atapi_read(d, lba, count, CD_RAW_SECTOR);
    } else {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
    }
}

static void cmd_seek(IdeDrive *d, const uint8_t *cdb)
{
    if (be32(cdb + 2) >= atapi_disc_sectors(d)) {
        atapi_error(d, ATAPI_SENSE_OUT_OF_RANGE);
        return;
    }
    atapi_ok(d);
}

static void cmd_set_speed(IdeDrive *d, const uint8_t *cdb)
{
    (void)cdb;
    atapi_ok(d); /* an image has no speed */
}

/* ---- what is on the disc ---- */

static void cmd_read_capacity(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *b = reply_buf(d, 8);

    (void)cdb;
    put_be32(b, atapi_disc_sectors(d) - 1);
    put_be32(b + 4, CD_SECTOR);
    atapi_reply(d, 8, 8);
}

static void put_track(uint8_t *p, uint8_t number, uint32_t lba, bool msf)
{
    p[1] = 0x14; /* ADR 1, data track */
    p[2] = number;
    put_address(p + 4, lba, msf);
}

/* Format 0: track descriptors from the starting track on; AAh is the lead-out. */
static uint32_t toc_tracks(IdeDrive *d, uint8_t start, bool msf, uint8_t *b)
{
    uint32_t len = 4;

    if (start > 1 && start != 0xaa) {
        return 0;
    }
    b[2] = b[3] = 1; /* first and last track */
    if (start <= 1) {
        put_track(b + len, 1, 0, msf);
        len += 8;
    }
    put_track(b + len, 0xaa, atapi_disc_sectors(d), msf);
    return len + 8;
}

/* Format 1: the first track of the last complete session. */
static uint32_t toc_sessions(bool msf, uint8_t *b)
{
    b[2] = b[3] = 1;
    put_track(b + 4, 1, 0, msf);
    return 12;
}

/* Format 2: the lead-in's Q entries A0h, A1h, A2h, and track 1 (MMC-5 table 497). */
static uint32_t toc_full(IdeDrive *d, uint8_t *b)
{
    static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 0x01};
    uint32_t len = 4;

    b[2] = b[3] = 1;
    for (size_t i = 0; i < G_N_ELEMENTS(points); i++, len += 11) {
        uint8_t *p = b + len, msf[4];

        p[0] = 1; /* session */
        p[1] = 0x14;
        p[3] = points[i];
        if (points[i] == 0xa0 || points[i] == 0xa1) {
            p[8] = 1; /* first, last track; disc type CD-ROM */
            continue;
        }
        put_msf(msf, points[i] == 0xa2 ? atapi_disc_sectors(d) : 0);
        memcpy(p + 8, msf + 1, 3);
    }
    return len;
}

static void cmd_read_toc(IdeDrive *d, const uint8_t *cdb)
{
    unsigned format = cdb[2] & 0x0f;
    bool msf = cdb[1] & 0x02;
    uint8_t *b = reply_buf(d, 64);
    uint32_t len = 0;

    if (!format) {
        format = cdb[9] >> 6; /* where SFF-8020 had it */
    }
    switch (format) {
    case 0:
        len = toc_tracks(d, cdb[6], msf, b);
        break;
    case 1:
        len = toc_sessions(msf, b);
        break;
    case 2:
        len = toc_full(d, b);
        break;
    }
    if (!len) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    put_be16(b, len - 2);
    atapi_reply(d, len, be16(cdb + 7));
}

static void cmd_read_disc_information(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *b;

    if (cdb[1] & 7) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    b = reply_buf(d, 34);
    put_be16(b, 32);
    b[2] = 0x0e; /* last session complete, disc finalised */
    b[3] = 1;    /* first track, */
    b[4] = 1;    /* sessions, */
    b[5] = 1;    /* first and */
    b[6] = 1;    /* last track of the last session */
    b[7] = 0x20; /* unrestricted use */
    b[8] = 0x00; /* CD-DA or CD-ROM */
    atapi_reply(d, 34, be16(cdb + 7));
}

static void cmd_read_track_information(IdeDrive *d, const uint8_t *cdb)
{
    uint32_t which = be32(cdb + 2);
    unsigned kind = cdb[1] & 3;
    uint8_t *b;

    if ((kind == 0 && which >= atapi_disc_sectors(d)) || (kind == 1 && which != 1) ||
        (kind == 2 && which != 1) || kind == 3) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    b = reply_buf(d, 36);
    put_be16(b, 34);
    b[2] = b[3] = 1; /* track, session */
    b[5] = 0x04;     /* data track */
    b[6] = 0x01;     /* mode 1 */
    put_be32(b + 24, atapi_disc_sectors(d));
    atapi_reply(d, 36, be16(cdb + 7));
}

/* READ DVD STRUCTURE (MMC-5 6.22), format 0: physical format information of a single-layer DVD-ROM.
 */
static void cmd_read_dvd_structure(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *b;

    if (cdb[1] & 0x0f || cdb[7] != 0x00 || cdb[6]) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    if (!is_dvd(d)) {
        atapi_error(d, (AtapiSense){0x05, 0x30, 0x02}); /* incompatible format */
        return;
    }
    b = reply_buf(d, 2052);
    put_be16(b, 2050);
    b[4] = 0x01;              /* DVD-ROM, part version 1 */
    b[5] = 0x0f;              /* 120 mm, no maximum rate */
    b[6] = 0x01;              /* one layer, read-only */
    put_be32(b + 8, 0x30000); /* first physical sector of data */
    put_be32(b + 12, 0x30000 + atapi_disc_sectors(d) - 1);
    atapi_reply(d, 2052, be16(cdb + 8));
}

/* ---- what the drive can do ---- */

/* Appends a feature descriptor (MMC-5 5.2.2) with LEN bytes of data behind its header. */
static uint8_t *add_feature(uint8_t *b, uint32_t *len, uint16_t code, uint8_t flags,
                            uint8_t data_len)
{
    uint8_t *p = b + *len;

    put_be16(p, code);
    p[2] = flags; /* version << 2 | persistent << 1 | current */
    p[3] = data_len;
    *len += 4u + data_len;
    return p + 4;
}

static void cmd_get_configuration(IdeDrive *d, const uint8_t *cdb)
{
    uint32_t start = be16(cdb + 2), len = 8;
    unsigned rt = cdb[1] & 3;
    bool medium = atapi_medium_present(d), dvd = medium && is_dvd(d), cd = medium && !dvd;
    uint8_t *b = reply_buf(d, 256), *p;
    struct {
        uint16_t code;
        bool current;
    } const features[] = {{0x0000, true},   {0x0001, true}, {0x0002, true}, {0x0003, true},
                          {0x0010, medium}, {0x001e, cd},   {0x001f, dvd}};

    if (rt == 3) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD);
        return;
    }
    put_be16(b + 6, dvd ? PROFILE_DVDROM : cd ? PROFILE_CDROM : 0);
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        uint16_t code = features[i].code;
        uint8_t current = features[i].current;

        if (rt == 2 ? code != start : code < start || (rt == 1 && !current)) {
            continue;
        }
        switch (code) {
        case 0x0000: /* profile list */
            p = add_feature(b, &len, code, 0x03, 8);
            put_be16(p, PROFILE_DVDROM);
            p[2] = dvd;
            put_be16(p + 4, PROFILE_CDROM);
            p[6] = cd;
            break;
        case 0x0001: /* core: ATAPI interface */
            p = add_feature(b, &len, code, 0x08 | 0x03, 8);
            put_be32(p, 2);
            p[4] = 0x01; /* device busy events */
            break;
        case 0x0002: /* morphing: no asynchronous events */
            add_feature(b, &len, code, 0x04 | 0x03, 4);
            break;
        case 0x0003: /* removable medium: tray, eject, lock */
            p = add_feature(b, &len, code, 0x03, 4);
            p[0] = 0x29;
            break;
        case 0x0010: /* random readable */
            p = add_feature(b, &len, code, current, 8);
            put_be32(p, CD_SECTOR);
            put_be16(p + 4, 1);
            break;
        case 0x001e: /* CD read */
            add_feature(b, &len, code, 0x08 | current, 4);
            break;
        case 0x001f: /* DVD read */
            add_feature(b, &len, code, current, 0);
            break;
        }
    }
    put_be32(b, len - 4);
    atapi_reply(d, len, be16(cdb + 7));
}

/* GET EVENT STATUS NOTIFICATION (MMC-5 6.7), polled: the media class only. */
static void cmd_get_event_status(IdeDrive *d, const uint8_t *cdb)
{
    bool media = cdb[4] & 0x10;
    uint8_t *b;

    if (!(cdb[1] & 1)) {
        atapi_error(d, ATAPI_SENSE_INVALID_FIELD); /* asynchronous operation is not supported */
        return;
    }
    b = reply_buf(d, 8);
    b[3] = 0x10; /* supported classes */
    if (!media) {
        put_be16(b, 2);
        b[2] = 0x80; /* no event available */
        atapi_reply(d, 4, be16(cdb + 7));
        return;
    }
    put_be16(b, 6);
    b[2] = 0x04; /* media class */
    b[4] = d->atapi.media_event & 0x0f;
    b[5] = (uint8_t)((atapi_medium_present(d) ? 0x02 : 0) | (d->atapi.tray_open ? 0x01 : 0));
    if (be16(cdb + 7) >= 5) {
        d->atapi.media_event = 0;
    }
    atapi_reply(d, 8, be16(cdb + 7));
}

static void cmd_mechanism_status(IdeDrive *d, const uint8_t *cdb)
{
    uint8_t *b = reply_buf(d, 8);

    b[1] = d->atapi.tray_open ? 0x10 : 0;
    b[5] = 0; /* no slots */
    atapi_reply(d, 8, be16(cdb + 8));
}

/* ---- the table, by operation code ---- */

static const AtapiCommand commands[] = {
    {0x00, ATAPI_CMD_MEDIUM, cmd_test_unit_ready},
    {0x03, ATAPI_CMD_NO_ATTENTION, cmd_request_sense},
    {0x12, ATAPI_CMD_NO_ATTENTION, cmd_inquiry},
    {0x1a, 0, cmd_mode_sense_6},
    {0x1b, 0, cmd_start_stop},
    {0x1e, 0, cmd_prevent_allow},
    {0x25, ATAPI_CMD_MEDIUM, cmd_read_capacity},
    {0x28, ATAPI_CMD_MEDIUM, cmd_read_10},
    {0x2b, ATAPI_CMD_MEDIUM, cmd_seek},
    {0x43, ATAPI_CMD_MEDIUM, cmd_read_toc},
    {0x46, ATAPI_CMD_NO_ATTENTION, cmd_get_configuration},
    {0x4a, ATAPI_CMD_NO_ATTENTION, cmd_get_event_status},
    {0x51, ATAPI_CMD_MEDIUM, cmd_read_disc_information},
    {0x52, ATAPI_CMD_MEDIUM, cmd_read_track_information},
    {0x5a, 0, cmd_mode_sense_10},
    {0xa8, ATAPI_CMD_MEDIUM, cmd_read_12},
    {0xad, ATAPI_CMD_MEDIUM, cmd_read_dvd_structure},
    {0xbb, 0, cmd_set_speed},
    {0xbd, 0, cmd_mechanism_status},
    {0xbe, ATAPI_CMD_MEDIUM, cmd_read_cd},
};

const AtapiCommand *atapi_command_find(uint8_t opcode)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (commands[i].opcode == opcode) {
            return &commands[i];
        }
    }
    return NULL;
}
