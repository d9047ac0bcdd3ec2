/*
 * Intel 82078 floppy disk controller in AT mode (data sheet, order 290475): registers, reset, and
 * the device "isa-fdc" with the bus of its drives.
 *
 * Heads move at once. The commands of the 82077AA are there, and PART ID and POWERDOWN MODE; the
 * 82078's DRIVE SPECIFICATION, OPTION, SAVE, RESTORE and FORMAT AND WRITE are invalid commands
 * here. An image keeps no deleted data marks: WRITE DELETED DATA writes ordinary sectors.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/floppy/fdc_int.h"
#include "util/keyval.h"

enum {
    FDC_PORT = 0x3f2,
    FDC_PORT7 = 0x3f7, /* 3F6h between them belongs to the disk controller */
    FDC_IRQ = 6,

    /* By port, from 3F2h */
    REG_DOR = 0,
    REG_TDR = 1,
    REG_MSR = 2, /* DSR when written */
    REG_FIFO = 3,

    MSR_READY = 0x80,
    MSR_TO_HOST = 0x40,
    MSR_NO_DMA = 0x20,
    MSR_BUSY = 0x10,

    DSR_RESET = 0x80,
    DIR_CHANGED = 0x80,

    CONFIGURE_DEFAULT = CONFIGURE_NO_FIFO,
    RATE_250 = 2,
};

/* ---- lines ---- */

/* The interrupt and the DMA request, as they leave the chip. */
void fdc_update_lines(Fdc *s)
{
    bool gate = (s->dor & DOR_GATE) && (s->dor & DOR_RUN);
    bool moves = s->phase == FDC_EXECUTE && s->len && !s->in_flight;
    bool pio = s->specify[1] & 1;

    irq_set(isa_irq(&s->isa, FDC_IRQ), gate && (s->irq || (moves && pio)));
    i8237_request(s->dma, FDC_DMA, gate && moves && !pio);
}

void fdc_set_irq(Fdc *s, bool level)
{
    s->irq = level;
    fdc_update_lines(s);
}

Floppy *fdc_selected(Fdc *s, unsigned select)
{
    return select < FDC_DRIVES ? s->drive[select] : NULL;
}

void fdc_results(Fdc *s, unsigned count, bool interrupt)
{
    s->phase = FDC_RESULT;
    s->result_count = (uint8_t)count;
    s->result_pos = 0;
    fdc_set_irq(s, interrupt);
}

/* ---- reset ---- */

static void back_to_idle(Fdc *s)
{
    fdc_cancel(s);
    s->phase = FDC_IDLE;
    s->param_count = 0;
    s->result_count = s->result_pos = 0;
    s->len = s->pos = 0;
    s->terminal = 0;
    s->seek_done = 0;
    s->reset_senses = 0;
    s->perpendicular &= 0x3c; /* a reset clears GAP and WGATE, not the drives' bits */
    for (int i = 0; i < FDC_SELECTS; i++) {
        s->cylinder[i] = 0;
    }
    if (!s->locked) {
        s->configure = CONFIGURE_DEFAULT;
        s->precomp_track = 0;
    }
    fdc_set_irq(s, false);
}

/* Out of reset the drives are polled, and all of them seem to have become ready. */
static void leave_reset(Fdc *s)
{
    if (!(s->configure & CONFIGURE_NO_POLLING)) {
        s->reset_senses = FDC_SELECTS;
        fdc_set_irq(s, true);
    }
}

static void write_dor(Fdc *s, uint8_t value)
{
    uint8_t old = s->dor;

    s->dor = value;
    if ((old & DOR_RUN) && !(value & DOR_RUN)) {
        back_to_idle(s);
    } else if (!(old & DOR_RUN) && (value & DOR_RUN)) {
        leave_reset(s);
    }
    fdc_update_lines(s);
}

/* ---- registers ---- */

static uint8_t read_msr(const Fdc *s)
{
    if (!(s->dor & DOR_RUN)) {
        return 0;
    }
    switch (s->phase) {
    case FDC_EXECUTE:
        if (!(s->specify[1] & 1) || !s->len || s->in_flight) {
            return MSR_BUSY;
        }
        return MSR_READY | MSR_NO_DMA | MSR_BUSY | (fdc_to_memory(s) ? MSR_TO_HOST : 0);
    case FDC_RESULT:
        return MSR_READY | MSR_TO_HOST | MSR_BUSY;
    default:
        return MSR_READY | (s->param_count ? MSR_BUSY : 0);
    }
}

static uint64_t fdc_read(void *opaque, hwaddr addr, unsigned size)
{
    Fdc *s = opaque;

    (void)size;
    switch (addr) {
    case REG_DOR:
        return s->dor;
    case REG_TDR:
        return s->tdr;
    case REG_MSR:
        return read_msr(s);
    default:
        return fdc_read_fifo(s);
    }
}

static void fdc_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Fdc *s = opaque;
    uint8_t value = (uint8_t)data;

    (void)size;
    switch (addr) {
    case REG_DOR:
        write_dor(s, value);
        break;
    case REG_TDR:
        s->tdr = value & 3;
        break;
    case REG_MSR:
        s->rate = value & 3;
        if ((value & DSR_RESET) && (s->dor & DOR_RUN)) {
            back_to_idle(s);
            leave_reset(s);
        }
        break;
    default:
        fdc_write_fifo(s, value);
        break;
    }
}

static uint64_t dir_read(void *opaque, hwaddr addr, unsigned size)
{
    Fdc *s = opaque;
    const Floppy *f = fdc_selected(s, s->dor & 3);

    (void)addr;
    (void)size;
    return f && (f->changed || !f->geometry.tracks) ? DIR_CHANGED : 0;
}

static void ccr_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)addr;
    (void)size;
    ((Fdc *)opaque)->rate = value & 3;
}

static const MemOps fdc_ops = {fdc_read, fdc_write, 1, 1, false};
static const MemOps fdc_ops7 = {dir_read, ccr_write, 1, 1, false};

/* ---- the drives' bus ---- */

static bool bus_attach(Bus *bus, Device *dev, GError **err)
{
    Fdc *s = bus->opaque;
    Floppy *f = (Floppy *)dev;
    int unit = f->unit_prop;

    for (int i = 0; unit < 0 && i < FDC_DRIVES; i++) {
        unit = s->drive[i] ? -1 : i;
    }
    if (unit < 0 || s->drive[unit]) {
        emu_set_error(err, "floppy: %s; a controller has units 0 and 1",
                      unit < 0 ? "both drives are there already" : "its unit is taken");
        return false;
    }
    f->unit = (uint8_t)unit;
    s->drive[unit] = f;
    return true;
}

static void bus_detach(Bus *bus, Device *dev)
{
    Fdc *s = bus->opaque;
    const Floppy *f = (const Floppy *)dev;

    if (s->drive[f->unit] == f) {
        s->drive[f->unit] = NULL;
    }
}

static void bus_describe(Bus *bus, Device *dev, GString *out)
{
    (void)bus;
    g_string_append_printf(out, "unit %d", ((const Floppy *)dev)->unit);
}

Bus *fdc_bus(Device *fdc)
{
    return ((Fdc *)fdc)->bus;
}

uint8_t fdc_cmos_type(const Device *fdc, int unit)
{
    static const uint8_t types[] = {
        [FLOPPY_TYPE_120] = 2, [FLOPPY_TYPE_144] = 4, [FLOPPY_TYPE_288] = 5};
    const Floppy *f = ((const Fdc *)fdc)->drive[unit];

    return f ? types[f->type] : 0;
}

/* ---- life ---- */

static bool realize(Device *dev, GError **err)
{
    Fdc *s = (Fdc *)dev;

    s->dma = i8237_of(&s->isa);
    if (!s->dma || !i8237_connect(s->dma, FDC_DMA, fdc_dma_serve, s)) {
        emu_set_error(err, s->dma ? "isa-fdc: there is a floppy controller already"
                                  : "isa-fdc: this ISA bus has no DMA controller");
        return false;
    }
    s->bus = bus_new("floppy-bus", NULL, dev);
    s->bus->attach = bus_attach;
    s->bus->detach = bus_detach;
    s->bus->describe = bus_describe;
    s->bus->opaque = s;
    s->idle = machine_cond_new();
    s->io = isa_register_io(&s->isa, "fdc", &fdc_ops, s, FDC_PORT, 4);
    s->io7 = isa_register_io(&s->isa, "fdc-dir", &fdc_ops7, s, FDC_PORT7, 1);
    return true;
}

static void unrealize(Device *dev)
{
    Fdc *s = (Fdc *)dev;

    fdc_cancel(s);
    i8237_connect(s->dma, FDC_DMA, NULL, NULL);
    mem_region_free(s->io);
    mem_region_free(s->io7);
    machine_cond_free(s->idle);
}

static void reset(Device *dev)
{
    Fdc *s = (Fdc *)dev;

    s->locked = 0;
    back_to_idle(s);
    s->dor = 0; /* held in reset until firmware lets it run */
    s->tdr = 0;
    s->rate = RATE_250;
    s->specify[0] = s->specify[1] = 0;
    s->perpendicular = 0;
    s->last_track_param = 0;
}

static void pre_save(void *opaque)
{
    fdc_wait_idle(opaque);
}

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    Fdc *s = opaque;
    bool bad = s->pos > s->len || (s->len && s->pos == s->len) ||
               (s->phase == FDC_EXECUTE && !s->len) || s->result_pos > s->result_count ||
               (s->phase == FDC_RESULT && s->result_pos == s->result_count) ||
               (s->phase != FDC_EXECUTE && s->len) ||
               (s->phase == FDC_EXECUTE &&
                !(fdc_selected(s, s->select) && fdc_selected(s, s->select)->blk));

    (void)version;
    if (bad) {
        back_to_idle(s);
        emu_set_error(err, "isa-fdc: the saved command contradicts itself");
        return false;
    }
    i8237_restore_request(s->dma, FDC_DMA,
                          s->phase == FDC_EXECUTE && !(s->specify[1] & 1) && (s->dor & DOR_GATE) &&
                              (s->dor & DOR_RUN));
    return true;
}

static const StateField fields[] = {
    STATE_FIELD_UINT(Fdc, dor),
    STATE_FIELD_UINT_MAX(Fdc, tdr, 3),
    STATE_FIELD_UINT_MAX(Fdc, rate, 3),
    STATE_FIELD_UINT_MAX(Fdc, phase, FDC_PHASE_LAST),
    STATE_FIELD_UINT(Fdc, irq),
    STATE_FIELD_UINT_MAX(Fdc, reset_senses, FDC_SELECTS),
    STATE_FIELD_UINT_MAX(Fdc, seek_done, 15),
    STATE_FIELD_BYTES(Fdc, seek_st0),
    STATE_FIELD_BYTES(Fdc, param),
    STATE_FIELD_UINT_MAX(Fdc, param_count, FDC_PARAMS_MAX - 1),
    STATE_FIELD_BYTES(Fdc, result),
    STATE_FIELD_UINT_MAX(Fdc, result_count, FDC_RESULTS_MAX),
    STATE_FIELD_UINT_MAX(Fdc, result_pos, FDC_RESULTS_MAX),
    STATE_FIELD_BYTES(Fdc, specify),
    STATE_FIELD_UINT(Fdc, configure),
    STATE_FIELD_UINT(Fdc, precomp_track),
    STATE_FIELD_UINT_MAX(Fdc, locked, 1),
    STATE_FIELD_UINT(Fdc, perpendicular),
    STATE_FIELD_BYTES(Fdc, cylinder),
    STATE_FIELD_UINT(Fdc, last_track_param),
    STATE_FIELD_UINT_MAX(Fdc, transfer, FDC_TRANSFER_LAST),
    STATE_FIELD_UINT_MAX(Fdc, select, FDC_SELECTS - 1),
    STATE_FIELD_UINT(Fdc, c),
    STATE_FIELD_UINT(Fdc, h),
    STATE_FIELD_UINT(Fdc, r),
    STATE_FIELD_UINT(Fdc, st1),
    STATE_FIELD_UINT(Fdc, st2),
    STATE_FIELD_UINT(Fdc, sectors_left),
    STATE_FIELD_UINT_MAX(Fdc, pos, FDC_SECTOR),
    STATE_FIELD_UINT_MAX(Fdc, len, FDC_SECTOR),
    STATE_FIELD_UINT_MAX(Fdc, terminal, 1),
    STATE_FIELD_BYTES(Fdc, buf),
    STATE_FIELD_BYTES(Fdc, scan_byte),
    STATE_FIELD_END,
};

static const StateTable state = {.name = "isa-fdc",
                                 .version = 1,
                                 .min_version = 1,
                                 .fields = fields,
                                 .pre_save = pre_save,
                                 .post_load = post_load};

const DeviceClass fdc_class = {
    .name = "isa-fdc",
    .description = "floppy disk controller, 82078",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_STORAGE,
    .size = sizeof(Fdc),
    .state = &state,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
