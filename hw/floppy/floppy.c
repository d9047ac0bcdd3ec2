/*
 * A floppy disk drive, and the medium in it.
 *
 * An image is a medium of the format that has its size; an image of no format's size lies on the
 * smallest one that holds it, whose last sectors then read as zeroes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/floppy/fdc_int.h"
#include "util/keyval.h"

enum { RATE_500 = 0, RATE_300 = 1, RATE_250 = 2, RATE_1000 = 3 };

static const struct FloppyFormat {
    FloppyType type; /* the drive it wants */
    FloppyGeometry geometry;
} formats[] = {
    /* 3.5 inches */
    {FLOPPY_TYPE_144, {80, 2, 18, RATE_500}},
    {FLOPPY_TYPE_144, {80, 2, 20, RATE_500}},
    {FLOPPY_TYPE_144, {80, 2, 21, RATE_500}},
    {FLOPPY_TYPE_144, {82, 2, 21, RATE_500}},
    {FLOPPY_TYPE_144, {83, 2, 21, RATE_500}},
    {FLOPPY_TYPE_144, {80, 2, 9, RATE_250}},
    {FLOPPY_TYPE_288, {80, 2, 36, RATE_1000}},
    {FLOPPY_TYPE_288, {80, 2, 39, RATE_1000}},
    /* 5.25 inches, in a drive for 1.2 MB */
    {FLOPPY_TYPE_120, {80, 2, 15, RATE_500}},
    {FLOPPY_TYPE_120, {40, 2, 9, RATE_300}},
    {FLOPPY_TYPE_120, {40, 1, 9, RATE_300}},
    {FLOPPY_TYPE_120, {40, 2, 8, RATE_300}},
    {FLOPPY_TYPE_120, {40, 1, 8, RATE_300}},
};

static uint64_t format_bytes(const FloppyGeometry *g)
{
    return (uint64_t)g->tracks * g->heads * g->sectors * FDC_SECTOR;
}

/* Whether a drive of TYPE reads media that want WANTED; a 2.88 MB drive reads those of 1.44 MB. */
static bool drive_reads(FloppyType type, FloppyType wanted)
{
    return type == FLOPPY_TYPE_AUTO || type == wanted ||
           (type == FLOPPY_TYPE_288 && wanted == FLOPPY_TYPE_144);
}

static const struct FloppyFormat *find_format(FloppyType type, uint64_t bytes)
{
    const struct FloppyFormat *best = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        const struct FloppyFormat *f = &formats[i];
        uint64_t size = format_bytes(&f->geometry);

        if (!drive_reads(type, f->type)) {
            continue;
        }
        if (size == bytes) {
            return f;
        }
        /* Nobody makes odd images for odd drives: only the usual ones are guessed. */
        if (size > bytes && f->type != FLOPPY_TYPE_120 && f->geometry.sectors >= 18 &&
            (!best || size < format_bytes(&best->geometry))) {
            best = f;
        }
    }
    return best;
}

void floppy_find_geometry(Floppy *f)
{
    const struct FloppyFormat *format = NULL;

    if (f->blk && block_inserted(f->blk)) {
        format = find_format(f->type, block_length(f->blk));
    }
    f->geometry = format ? format->geometry : (FloppyGeometry){0};
}

int64_t floppy_offset(const Floppy *f, uint8_t c, uint8_t h, uint8_t r)
{
    const FloppyGeometry *g = &f->geometry;

    if (c >= g->tracks || h >= g->heads || r < 1 || r > g->sectors) {
        return -1;
    }
    return (int64_t)((c * g->heads + h) * g->sectors + r - 1) * FDC_SECTOR;
}

/* ---- the device ---- */

unsigned floppy_unit(const Device *floppy)
{
    return ((const Floppy *)floppy)->unit;
}

static void media_changed(void *opaque)
{
    Floppy *f = opaque;

    f->changed = true;
    floppy_find_geometry(f);
}

/* What a drive must be for the image in it; an empty one is of the kind that reads most. */
static FloppyType choose_type(const Floppy *f)
{
    const struct FloppyFormat *format = NULL;

    if (f->type_prop != FLOPPY_TYPE_AUTO) {
        return (FloppyType)f->type_prop;
    }
    if (f->blk && block_inserted(f->blk)) {
        format = find_format(FLOPPY_TYPE_AUTO, block_length(f->blk));
    }
    return format ? format->type : FLOPPY_TYPE_288;
}

static bool floppy_realize(Device *dev, GError **err)
{
    Floppy *f = (Floppy *)dev;
    const char *who = dev->id ? dev->id : dev->cls->name;

    if (f->drive_prop) {
        f->blk = block_backend_find(f->drive_prop, err);
        if (!f->blk || !block_backend_attach(f->blk, who, false, err)) {
            f->blk = NULL;
            return false;
        }
        block_backend_set_change_cb(f->blk, media_changed, f);
    }
    f->type = choose_type(f);
    floppy_find_geometry(f);
    if (f->blk && block_inserted(f->blk) && !f->geometry.tracks) {
        emu_set_error(err,
                      "%s: drive '%s' has %" G_GUINT64_FORMAT " bytes, which no floppy disk of "
                      "this drive-type holds",
                      who, f->drive_prop, block_length(f->blk));
        block_backend_detach(f->blk);
        f->blk = NULL;
        return false;
    }
    f->changed = true;
    return true;
}

static void floppy_unrealize(Device *dev)
{
    Floppy *f = (Floppy *)dev;

    if (f->blk) {
        fdc_cancel(dev->parent->opaque);
        block_backend_detach(f->blk);
        f->blk = NULL;
    }
}

static void floppy_reset(Device *dev)
{
    Floppy *f = (Floppy *)dev;

    f->track = 0;
    f->changed = true;
}

static const char *const type_names[] = {"auto", "144", "288", "120", NULL};

static const Property props[] = {
    {.name = "drive",
     .type = PROP_DRIVE,
     PROP_FIELD(Floppy, drive_prop),
     .description = "id of the drive, or node name, to use as the medium"},
    {.name = "unit",
     .type = PROP_INT,
     PROP_FIELD(Floppy, unit_prop),
     .min = (uint64_t)-1,
     .max = FDC_DRIVES - 1,
     .default_value = "-1",
     .description = "0 for A:, 1 for B:; -1: the first free"},
    {.name = "drive-type",
     .type = PROP_ENUM,
     PROP_FIELD(Floppy, type_prop),
     .values = type_names,
     .default_value = "auto",
     .description = "120, 144 or 288 for 1.2, 1.44 or 2.88 MB; auto: by the medium"},
    {.name = "bootindex",
     .type = PROP_INT,
     PROP_FIELD(Floppy, bootindex),
     .min = (uint64_t)-1,
     .max = INT32_MAX,
     .default_value = "-1",
     .description = "place in the firmware's boot order; -1: none"},
    {.type = PROP_END},
};

static bool floppy_post_load(void *opaque, uint32_t version, GError **err)
{
    (void)version;
    (void)err;
    floppy_find_geometry(opaque);
    return true;
}

static const StateField fields[] = {
    STATE_FIELD_UINT_MAX(Floppy, track, 255),
    STATE_FIELD_UINT(Floppy, changed),
    STATE_FIELD_END,
};

static const StateTable state = {.name = "floppy",
                                 .version = 1,
                                 .min_version = 1,
                                 .fields = fields,
                                 .post_load = floppy_post_load};

const DeviceClass floppy_class = {
    .name = "floppy",
    .description = "virtual floppy drive",
    .bus_type = "floppy-bus",
    .category = DEVICE_CATEGORY_STORAGE,
    .size = sizeof(Floppy),
    .props = props,
    .state = &state,
    .user_creatable = true,
    .realize = floppy_realize,
    .unrealize = floppy_unrealize,
    .reset = floppy_reset,
};
