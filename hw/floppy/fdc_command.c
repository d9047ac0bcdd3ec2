/*
 * The floppy controller's commands (82078 data sheet, 5.0): how many parameters each has, and what
 * those do that move no data.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/floppy/fdc_int.h"

/* ---- seeking ---- */

void fdc_step_to(Fdc *s, unsigned select, unsigned track)
{
    Floppy *f = fdc_selected(s, select);
    int steps = (int)track - s->cylinder[select];

    if (f && steps) {
        f->track = (uint8_t)CLAMP(f->track + steps, 0, FDC_TRACK_LAST);
        f->changed = f->geometry.tracks == 0; /* a step tells a drive that its disk was noticed */
    }
    s->cylinder[select] = (uint8_t)track;
}

static void seek_ended(Fdc *s, unsigned select, unsigned st0)
{
    s->phase = FDC_IDLE;
    s->seek_done |= (uint8_t)(1 << select);
    s->seek_st0[select] = (uint8_t)(ST0_SEEK_END | st0 | select);
    fdc_set_irq(s, true);
}

static void cmd_recalibrate(Fdc *s)
{
    unsigned select = s->param[1] & 3;
    Floppy *f = fdc_selected(s, select);

    if (f) {
        s->cylinder[select] = f->track; /* it steps until the drive says that it is there */
    }
    fdc_step_to(s, select, 0);
    seek_ended(s, select, f ? 0 : ST0_ABNORMAL | ST0_EQUIPMENT);
}

static void cmd_seek(Fdc *s)
{
    unsigned select = s->param[1] & 3;

    fdc_step_to(s, select, s->param[2]);
    seek_ended(s, select, s->param[1] & 4);
}

static void cmd_relative_seek(Fdc *s)
{
    unsigned select = s->param[1] & 3;
    int way = s->param[0] & 0x40 ? s->param[2] : -s->param[2];

    fdc_step_to(s, select, (unsigned)CLAMP(s->cylinder[select] + way, 0, 255));
    seek_ended(s, select, s->param[1] & 4);
}

/* ---- status ---- */

static void invalid(Fdc *s)
{
    s->result[0] = ST0_INVALID;
    fdc_results(s, 1, false);
}

static void sensed(Fdc *s, uint8_t st0, unsigned select)
{
    s->result[0] = st0;
    s->result[1] = s->cylinder[select];
    fdc_results(s, 2, s->reset_senses == 0 && s->seek_done != 0);
}

static void cmd_sense_interrupt(Fdc *s)
{
    if (s->reset_senses) {
        unsigned select = FDC_SELECTS - s->reset_senses--;
        sensed(s, (uint8_t)(ST0_READY_CHANGED | select), select);
        return;
    }
    for (unsigned i = 0; i < FDC_SELECTS; i++) {
        if (s->seek_done & 1 << i) {
            s->seek_done &= (uint8_t) ~(1 << i);
            sensed(s, s->seek_st0[i], i);
            return;
        }
    }
    invalid(s);
}

static void cmd_sense_drive(Fdc *s)
{
    enum { ST3_PROTECTED = 0x40, ST3_ALWAYS = 0x28, ST3_TRACK_0 = 0x10 };
    const Floppy *f = fdc_selected(s, s->param[1] & 3);

    s->result[0] =
        (uint8_t)(ST3_ALWAYS | (s->param[1] & 7) | (f && f->track == 0 ? ST3_TRACK_0 : 0) |
                  (f && f->blk && block_readonly(f->blk) ? ST3_PROTECTED : 0));
    fdc_results(s, 1, false);
}

static void cmd_dumpreg(Fdc *s)
{
    for (int i = 0; i < FDC_SELECTS; i++) {
        s->result[i] = s->cylinder[i];
    }
    s->result[4] = s->specify[0];
    s->result[5] = s->specify[1];
    s->result[6] = s->last_track_param;
    s->result[7] = (uint8_t)(s->locked << 7 | (s->perpendicular & 0x3f));
    s->result[8] = s->configure;
    s->result[9] = s->precomp_track;
    fdc_results(s, 10, false);
}

static void cmd_version(Fdc *s)
{
    s->result[0] = 0x90; /* enhanced controller */
    fdc_results(s, 1, false);
}

static void cmd_part_id(Fdc *s)
{
    s->result[0] = 0x21; /* the 82078 with 44 pins */
    fdc_results(s, 1, false);
}

/* ---- settings ---- */

static void settled(Fdc *s)
{
    s->phase = FDC_IDLE;
}

static void cmd_specify(Fdc *s)
{
    s->specify[0] = s->param[1];
    s->specify[1] = s->param[2];
    settled(s);
}

static void cmd_configure(Fdc *s)
{
    s->configure = s->param[2] & 0x7f;
    s->precomp_track = s->param[3];
    settled(s);
}

static void cmd_perpendicular(Fdc *s)
{
    /* The drives' bits are only changed with OW set. */
    s->perpendicular =
        s->param[1] & 0x80 ? s->param[1] & 0x3f : (s->perpendicular & 0x3c) | (s->param[1] & 3);
    settled(s);
}

static void cmd_lock(Fdc *s)
{
    s->locked = s->param[0] >> 7;
    s->result[0] = (uint8_t)(s->locked << 4);
    fdc_results(s, 1, false);
}

/* No clock stops here, so all there is to the mode is its answer. */
static void cmd_powerdown(Fdc *s)
{
    s->result[0] = s->param[1];
    fdc_results(s, 1, false);
}

/* ---- data ---- */

static void cmd_read(Fdc *s)
{
    fdc_start_transfer(s, FDC_READ);
}

static void cmd_write(Fdc *s)
{
    fdc_start_transfer(s, FDC_WRITE);
}

static void cmd_verify(Fdc *s)
{
    fdc_start_transfer(s, FDC_VERIFY);
}

static void cmd_scan(Fdc *s)
{
    fdc_start_transfer(s, FDC_SCAN);
}

/* ---- the table ---- */

typedef struct FdcCommand {
    uint8_t mask, value;
    uint8_t length; /* with the command byte */
    void (*run)(Fdc *s);
} FdcCommand;

static const FdcCommand commands[] = {
    {0x1f, 0x06, 9, cmd_read},            /* READ DATA */
    {0x3f, 0x05, 9, cmd_write},           /* WRITE DATA */
    {0x1f, 0x0c, 9, cmd_read},            /* READ DELETED DATA */
    {0x3f, 0x09, 9, cmd_write},           /* WRITE DELETED DATA */
    {0xbf, 0x02, 9, cmd_read},            /* READ TRACK */
    {0x1f, 0x16, 9, cmd_verify},          /* VERIFY */
    {0x1f, 0x11, 9, cmd_scan},            /* SCAN EQUAL */
    {0x1f, 0x19, 9, cmd_scan},            /* SCAN LOW OR EQUAL */
    {0x1f, 0x1d, 9, cmd_scan},            /* SCAN HIGH OR EQUAL */
    {0xbf, 0x0d, 6, fdc_start_format},    /* FORMAT TRACK */
    {0xbf, 0x0a, 2, fdc_read_id},         /* READ ID */
    {0xff, 0x07, 2, cmd_recalibrate},     /* RECALIBRATE */
    {0xff, 0x0f, 3, cmd_seek},            /* SEEK */
    {0xbf, 0x8f, 3, cmd_relative_seek},   /* RELATIVE SEEK */
    {0xff, 0x08, 1, cmd_sense_interrupt}, /* SENSE INTERRUPT STATUS */
    {0xff, 0x04, 2, cmd_sense_drive},     /* SENSE DRIVE STATUS */
    {0xff, 0x03, 3, cmd_specify},         /* SPECIFY */
    {0xff, 0x13, 4, cmd_configure},       /* CONFIGURE */
    {0xff, 0x12, 2, cmd_perpendicular},   /* PERPENDICULAR MODE */
    {0x7f, 0x14, 1, cmd_lock},            /* LOCK, UNLOCK */
    {0xff, 0x0e, 1, cmd_dumpreg},         /* DUMPREG */
    {0xff, 0x10, 1, cmd_version},         /* VERSION */
    {0xff, 0x17, 2, cmd_powerdown},       /* POWERDOWN MODE */
    {0xff, 0x18, 1, cmd_part_id},         /* PART ID */
    {0x00, 0x00, 1, invalid},
};

static const FdcCommand *find_command(uint8_t first)
{
    const FdcCommand *c = commands;

    while ((first & c->mask) != c->value) {
        c++;
    }
    return c;
}

void fdc_write_fifo(Fdc *s, uint8_t value)
{
    const FdcCommand *c;

    if (!(s->dor & DOR_RUN)) {
        return;
    }
    if (s->phase == FDC_EXECUTE) {
        fdc_pio_write(s, value);
        return;
    }
    if (s->phase != FDC_IDLE) {
        return;
    }
    s->param[s->param_count++] = value;
    c = find_command(s->param[0]);
    if (s->param_count >= c->length) {
        s->param_count = 0;
        if (c->run != cmd_sense_interrupt && c->length > 1) {
            s->irq = false;
        }
        c->run(s);
    }
}

uint8_t fdc_read_fifo(Fdc *s)
{
    uint8_t value;

    if (s->phase == FDC_EXECUTE) {
        return fdc_pio_read(s);
    }
    if (s->phase != FDC_RESULT) {
        return 0;
    }
    value = s->result[s->result_pos++];
    if (s->result_pos == s->result_count) {
        s->phase = FDC_IDLE;
    }
    /* The interrupt of a command goes with its first result; that of another seek stays. */
    fdc_set_irq(s, s->reset_senses == 0 && s->seek_done != 0);
    return value;
}
