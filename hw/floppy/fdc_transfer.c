/*
 * The floppy controller's commands that read or write the medium.
 *
 * Sector by sector: a sector comes from the medium into BUF, or the host fills BUF first; the block
 * layer's part runs on its I/O thread, the host's part through the DMA channel or, with ND set in
 * SPECIFY, byte by byte through the FIFO. The command goes on until the DMA controller says that
 * it was all, or the last sector of the track (of both sides with MT) has been done, which without
 * such a word counts as an error (82078 data sheet, 5.1.1).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "hw/floppy/fdc_int.h"

enum {
    CMD_MULTI_TRACK = 0x80,
    CMD_SKIP = 0x20,
    CMD_CODE = 0x1f,
    CODE_READ_TRACK = 0x02,
    CODE_READ_DELETED = 0x0c,
    CODE_SCAN_LOW = 0x19,
    CODE_SCAN_HIGH = 0x1d,

    /* Parameters */
    P_SELECT = 1, /* bit 2: head */
    P_CYLINDER = 2,
    P_HEAD = 3,
    P_SECTOR = 4,
    P_SIZE = 5,
    P_END = 6,
    P_LENGTH = 8, /* VERIFY: sectors, SCAN: step */
    P_FORMAT_SIZE = 2,
    P_FORMAT_SECTORS = 3,
    P_FORMAT_FILL = 5,
    VERIFY_COUNTED = 0x80, /* bit of P_SELECT */

    SCAN_ANY = 0xff, /* a byte that fits whatever is there */
    FORMAT_ID = 4,   /* bytes that describe a sector */
};

static void next_sector(Fdc *s);

static unsigned code(const Fdc *s)
{
    return s->param[0] & CMD_CODE;
}

bool fdc_to_memory(const Fdc *s)
{
    return s->transfer == FDC_READ;
}

static unsigned physical_head(const Fdc *s)
{
    return code(s) == 0x0d || code(s) == 0x0a ? s->param[P_SELECT] >> 2 & 1 : s->h & 1;
}

/* ---- the end of a command ---- */

static void finish(Fdc *s, uint8_t st0)
{
    s->len = s->pos = 0;
    s->terminal = 0;
    s->result[0] = (uint8_t)(st0 | physical_head(s) << 2 | s->select);
    s->result[1] = s->st1;
    s->result[2] = s->st2;
    s->result[3] = s->c;
    s->result[4] = s->h;
    s->result[5] = s->r;
    s->result[6] = FDC_SIZE_CODE;
    fdc_results(s, 7, true);
}

static void fail(Fdc *s, uint8_t st1, uint8_t st2)
{
    s->st1 |= st1;
    s->st2 |= st2;
    finish(s, ST0_ABNORMAL);
}

/* To the sector behind this one; false behind the last that the command may touch. */
static bool advance(Fdc *s)
{
    unsigned step = s->transfer == FDC_SCAN && s->param[P_LENGTH] == 2 ? 2 : 1;

    if (s->r + step <= s->param[P_END]) {
        s->r = (uint8_t)(s->r + step);
        return true;
    }
    s->r = 1;
    if (s->param[0] & CMD_MULTI_TRACK) {
        s->h ^= 1;
        if (s->h & 1) {
            return true;
        }
    }
    s->c++;
    return false;
}

/* ---- requests to the medium ---- */

static void request_done(BlockRequest *req, int ret)
{
    Fdc *s = req->opaque;

    machine_lock();
    s->in_flight = false;
    if (!s->cancelled) {
        s->io_done(s, ret);
    }
    if (!s->in_flight) {
        machine_cond_broadcast(s->idle);
    }
    machine_unlock();
}

static void submit(Fdc *s, BlockOp op, int64_t offset, void (*done)(Fdc *s, int ret))
{
    s->in_flight = true;
    s->io_done = done;
    s->iov = (struct iovec){.iov_base = s->buf, .iov_len = FDC_SECTOR};
    s->req = (BlockRequest){
        .op = op,
        .offset = (uint64_t)offset,
        .bytes = FDC_SECTOR,
        .iov = &s->iov,
        .iovcnt = 1,
        .done = request_done,
        .opaque = s,
    };
    fdc_update_lines(s);
    block_submit(s->drive[s->select]->blk, &s->req);
}

/* A request that the block layer keeps because of werror=stop does not come back by itself. */
static bool take_back(Fdc *s)
{
    if (!block_cancel_kept(s->drive[s->select]->blk, &s->req)) {
        return false;
    }
    s->in_flight = false;
    return true;
}

static void wait_a_little(Fdc *s)
{
    machine_cond_wait_until(s->idle, clock_now(CLOCK_RT) + 10 * 1000 * 1000);
}

void fdc_wait_idle(Fdc *s)
{
    while (s->in_flight) {
        if (take_back(s)) {
            s->io_done(s, -EIO);
        } else {
            wait_a_little(s);
        }
    }
}

void fdc_cancel(Fdc *s)
{
    s->cancelled = true;
    while (s->in_flight && !take_back(s)) {
        wait_a_little(s);
    }
    s->cancelled = false;
}

/* ---- between BUF and the host ---- */

static void sector_done(Fdc *s)
{
    bool counted = s->transfer == FDC_VERIFY && (s->param[P_SELECT] & VERIFY_COUNTED);
    bool over = s->terminal || (counted && --s->sectors_left == 0);

    if (code(s) == CODE_READ_DELETED) {
        over = true; /* SK clear: it ends behind the first sector of the wrong kind */
        s->st2 |= ST2_CONTROL_MARK;
    }
    if (!advance(s) && !over) {
        fail(s, ST1_END_OF_CYLINDER, 0);
    } else if (over) {
        finish(s, 0);
    } else {
        next_sector(s);
    }
}

static void write_done(Fdc *s, int ret)
{
    if (ret < 0) {
        fail(s, ST1_DATA_ERROR, ST2_DATA_ERROR);
    } else {
        sector_done(s);
    }
}

static void scan_compare(Fdc *s)
{
    for (unsigned i = 0; i < s->pos; i++) {
        uint8_t disk = s->buf[i], host = s->scan_byte[i];
        bool fits = code(s) == CODE_SCAN_LOW    ? disk <= host
                    : code(s) == CODE_SCAN_HIGH ? disk >= host
                                                : disk == host;

        if (disk != SCAN_ANY && host != SCAN_ANY) {
            s->unequal |= disk != host;
            s->unlike |= !fits;
        }
    }
}

static void scan_done(Fdc *s)
{
    s->unlike = s->unequal = 0;
    scan_compare(s);
    if (!s->unlike) {
        s->st2 |= s->unequal ? 0 : ST2_SCAN_EQUAL;
        finish(s, 0);
    } else if (!advance(s) || s->terminal) {
        s->st2 |= ST2_SCAN_FAILED;
        finish(s, 0);
    } else {
        next_sector(s);
    }
}

static void format_one(Fdc *s);

/* The host has moved all of the sector, or all that it wanted. */
static void moved(Fdc *s)
{
    const Floppy *f = s->drive[s->select];
    uint16_t done = s->pos;

    s->len = 0;
    switch (s->transfer) {
    case FDC_WRITE:
        memset(s->buf + done, 0, (size_t)(FDC_SECTOR - done));
        submit(s, BLOCK_OP_WRITE, floppy_offset(f, s->c, s->h, s->r), write_done);
        break;
    case FDC_SCAN:
        scan_done(s);
        break;
    case FDC_FORMAT:
        format_one(s);
        break;
    default:
        sector_done(s);
        break;
    }
}

static void move(Fdc *s, unsigned len)
{
    s->pos = 0;
    s->len = (uint16_t)len;
    fdc_update_lines(s);
}

static uint8_t *moving(Fdc *s)
{
    return s->transfer == FDC_SCAN ? s->scan_byte : s->buf;
}

void fdc_dma_serve(void *opaque)
{
    Fdc *s = opaque;
    bool tc;

    if (s->phase != FDC_EXECUTE || !s->len || s->in_flight) {
        return;
    }
    s->pos =
        (uint16_t)(s->pos + i8237_transfer(s->dma, FDC_DMA, moving(s) + s->pos,
                                           (uint32_t)(s->len - s->pos), fdc_to_memory(s), &tc));
    s->terminal |= tc;
    if (s->pos == s->len || s->terminal) {
        i8237_restore_request(s->dma, FDC_DMA, false);
        moved(s);
    }
}

static void byte_moved(Fdc *s)
{
    if (++s->pos == s->len) {
        moved(s);
    }
    fdc_update_lines(s);
}

static bool pio_ready(const Fdc *s)
{
    return s->len && !s->in_flight && (s->specify[1] & 1);
}

uint8_t fdc_pio_read(Fdc *s)
{
    uint8_t value;

    if (!pio_ready(s) || !fdc_to_memory(s)) {
        return 0;
    }
    value = s->buf[s->pos];
    byte_moved(s);
    return value;
}

void fdc_pio_write(Fdc *s, uint8_t value)
{
    if (pio_ready(s) && !fdc_to_memory(s)) {
        moving(s)[s->pos] = value;
        byte_moved(s);
    }
}

/* ---- one sector after the other ---- */

static void sector_read(Fdc *s, int ret)
{
    if (ret < 0) {
        fail(s, ST1_DATA_ERROR, ST2_DATA_ERROR);
    } else if (s->transfer == FDC_VERIFY) {
        sector_done(s);
    } else {
        move(s, FDC_SECTOR);
    }
}

static void next_sector(Fdc *s)
{
    Floppy *f = s->drive[s->select];
    int64_t offset = floppy_offset(f, s->c, s->h, s->r);

    if (offset < 0) {
        fail(s, ST1_NO_DATA, 0);
    } else if (s->transfer == FDC_WRITE) {
        move(s, FDC_SECTOR);
    } else if ((uint64_t)offset + FDC_SECTOR > block_length(f->blk)) {
        /* The image is shorter than the medium. VERIFY steps on without recursion: at most a
         * track's sectors. */
        memset(s->buf, 0, FDC_SECTOR);
        sector_read(s, 0);
    } else {
        submit(s, BLOCK_OP_READ, offset, sector_read);
    }
}

/* The drive has a medium that can be read as the controller is set; else the command has ended. */
static bool find_medium(Fdc *s)
{
    const Floppy *f = fdc_selected(s, s->select);

    if (!f || !f->geometry.tracks || f->geometry.rate != s->rate ||
        f->track >= f->geometry.tracks || physical_head(s) >= f->geometry.heads) {
        fail(s, ST1_NO_ADDRESS_MARK, 0);
        return false;
    }
    return true;
}

static bool can_write(Fdc *s)
{
    if (block_readonly(s->drive[s->select]->blk)) {
        fail(s, ST1_NOT_WRITABLE, 0);
        return false;
    }
    return true;
}

static void begin(Fdc *s, FdcTransfer transfer)
{
    s->phase = FDC_EXECUTE;
    s->transfer = (uint8_t)transfer;
    s->select = s->param[P_SELECT] & 3;
    s->st1 = s->st2 = 0;
    s->terminal = 0;
    s->len = s->pos = 0;
    fdc_update_lines(s);
}

void fdc_start_transfer(Fdc *s, FdcTransfer transfer)
{
    const Floppy *f;

    begin(s, transfer);
    s->c = s->param[P_CYLINDER];
    s->h = s->param[P_HEAD];
    s->r = code(s) == CODE_READ_TRACK ? 1 : s->param[P_SECTOR];
    s->sectors_left = s->param[P_LENGTH];
    s->last_track_param = s->param[P_END];
    if (s->configure & CONFIGURE_IMPLIED_SEEK) {
        fdc_step_to(s, s->select, s->c);
    }
    if (!find_medium(s)) {
        return;
    }
    f = s->drive[s->select];
    if (s->c != f->track) {
        fail(s, ST1_NO_DATA, ST2_WRONG_CYLINDER);
    } else if (s->h != (s->param[P_SELECT] >> 2 & 1) || s->param[P_SIZE] != FDC_SIZE_CODE ||
               (code(s) == CODE_READ_DELETED && (s->param[0] & CMD_SKIP))) {
        fail(s, ST1_NO_DATA, 0); /* no sector's mark is such */
    } else if (transfer != FDC_WRITE || can_write(s)) {
        next_sector(s);
    }
}

/* ---- READ ID, FORMAT TRACK ---- */

void fdc_read_id(Fdc *s)
{
    begin(s, FDC_VERIFY);
    s->h = s->param[P_SELECT] >> 2 & 1;
    s->c = s->r = 0;
    if (find_medium(s)) {
        s->c = s->drive[s->select]->track;
        s->r = 1;
        finish(s, 0);
    }
}

static void format_written(Fdc *s, int ret)
{
    if (ret < 0) {
        fail(s, ST1_DATA_ERROR, ST2_DATA_ERROR);
    } else if (--s->sectors_left == 0 || s->terminal) {
        finish(s, 0);
    } else {
        move(s, FORMAT_ID);
    }
}

/* BUF has C, H, R, N of a sector. An image has fixed places for them. */
static void format_one(Fdc *s)
{
    const Floppy *f = s->drive[s->select];
    int64_t offset = floppy_offset(f, f->track, (uint8_t)physical_head(s), s->buf[2]);

    s->c = s->buf[0];
    s->h = s->buf[1];
    s->r = s->buf[2];
    if (offset < 0 || s->pos < FORMAT_ID || s->c != f->track || s->h != physical_head(s) ||
        s->buf[3] != FDC_SIZE_CODE) {
        fail(s, ST1_NO_DATA, 0);
        return;
    }
    memset(s->buf, s->param[P_FORMAT_FILL], FDC_SECTOR);
    submit(s, BLOCK_OP_WRITE, offset, format_written);
}

void fdc_start_format(Fdc *s)
{
    begin(s, FDC_FORMAT);
    s->c = s->h = s->r = 0;
    s->sectors_left = s->param[P_FORMAT_SECTORS];
    s->last_track_param = s->param[P_FORMAT_SECTORS];
    if (!find_medium(s) || !can_write(s)) {
        return;
    }
    if (!s->sectors_left || s->param[P_FORMAT_SIZE] != FDC_SIZE_CODE) {
        fail(s, ST1_NO_DATA, 0);
    } else {
        move(s, FORMAT_ID);
    }
}
