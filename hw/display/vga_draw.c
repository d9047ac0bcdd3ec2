/*
 * Drawing: from video memory to the console's surface (x8r8g8b8).
 *
 * An update first finds out what is shown (mode, size, addresses, palette). If that differs from
 * the last update all is drawn; otherwise only what lies on pages that the dirty log says were
 * written: in graphics modes whole lines, in text mode cells whose character or attribute differs
 * from what is on the surface. The log is switched on by the first update, so a machine nobody
 * looks at does not pay.
 *
 * The unit of the surface is one dot by one scan line of the monitor: a 320x200 mode is 640x400
 * here. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/clock.h"
#include "hw/display/vga.h"

typedef enum VgaMode {
    MODE_BLANK,
    MODE_TEXT,
    MODE_PLANAR, /* 16 colours, or 2: shift register, one bit of each plane per dot */
    MODE_CGA4,   /* 4 colours: shift register interleaved */
    MODE_256,    /* 256 colours through the shift register, two dots per pixel */
    MODE_VBE,    /* linear */
} VgaMode;

enum { BLINK_NS = 266 * 1000 * 1000 }; /* 16 frames of 60 Hz */

/* What is to be shown. */
typedef struct Picture {
    VgaMode mode;
    int width, height;     /* of the surface */
    uint32_t start, pitch; /* bytes of video memory */
    uint32_t line_compare; /* scan line from which on address 0 is shown */
    int bpp;               /* MODE_VBE */
    bool half_clock;       /* every dot twice */
    unsigned scan_lines;   /* repeated per row, in rows of text their height */
    bool line_doubling;
    unsigned pan;        /* dots, from AR13 */
    unsigned row_scan;   /* preset row scan */
    unsigned cell_width; /* text */
} Picture;

/* ---- what is shown ---- */

static uint32_t crtc_start(const Vga *s)
{
    /* The byte panning bits add whole addresses. */
    return (((uint32_t)s->cr[0x0c] << 8 | s->cr[0x0d]) + (s->cr[8] >> 5 & 3u)) * 4;
}

static uint32_t crtc_line_compare(const Vga *s)
{
    return s->cr[0x18] | (s->cr[7] & 0x10u) << 4 | (s->cr[9] & 0x40u) << 3;
}

static int crtc_height(const Vga *s)
{
    return (int)(s->cr[0x12] | (s->cr[7] & 0x02u) << 7 | (s->cr[7] & 0x40u) << 3) + 1;
}

static Picture vbe_picture(const Vga *s)
{
    uint32_t pitch = vga_vbe_pitch(s);
    unsigned bpp = s->vbe[VBE_BPP];
    uint32_t x = s->vbe[VBE_X_OFFSET];

    return (Picture){
        .mode = bpp == 4 ? MODE_PLANAR : MODE_VBE,
        .width = s->vbe[VBE_XRES],
        .height = s->vbe[VBE_YRES],
        .pitch = pitch,
        .start = s->vbe[VBE_Y_OFFSET] * pitch + (bpp == 4 ? x / 8 * 4 : x * ((bpp + 7) / 8)),
        .pan = bpp == 4 ? x % 8 : 0,
        .line_compare = UINT32_MAX,
        .bpp = (int)bpp,
        .scan_lines = 1,
    };
}

static Picture vga_picture(const Vga *s)
{
    Picture p = {
        .half_clock = s->sr[1] & 8,
        .height = crtc_height(s),
        .start = crtc_start(s),
        .pitch = s->cr[0x13] * 2u * 4u,
        .line_compare = crtc_line_compare(s),
        .scan_lines = (s->cr[9] & 0x1fu) + 1,
        .line_doubling = s->cr[9] & 0x80,
        .row_scan = s->cr[8] & 0x1f,
        .pan = s->ar[0x13] & 0x0f,
    };
    unsigned cell = 8;

    if (!(s->gr[6] & 1)) {
        p.mode = MODE_TEXT;
        cell = s->sr[1] & 1 ? 8 : 9;
    } else if (s->gr[5] & 0x40) {
        p.mode = MODE_256;
        p.half_clock = false;
    } else {
        p.mode = s->gr[5] & 0x20 ? MODE_CGA4 : MODE_PLANAR;
    }
    p.cell_width = cell * (p.half_clock ? 2 : 1);
    p.width = (s->cr[1] + 1) * (int)p.cell_width;
    return p;
}

static Picture current_picture(const Vga *s)
{
    Picture p;

    if (vga_vbe_on(s)) {
        p = vbe_picture(s);
    } else {
        p = vga_picture(s);
    }
    /* Nothing is seen with the attribute index's bit 5 off, or, in VGA modes, the screen off bit
     * (SR1) on or the retraces (CR17 bit 7) off. */
    if (!(s->ar_index & 0x20) || (!vga_vbe_on(s) && ((s->sr[1] & 0x20) || !(s->cr[0x17] & 0x80)))) {
        pixman_image_t *image = console_surface(s->console);

        p.mode = MODE_BLANK; /* of the size last seen */
        p.width = image ? pixman_image_get_width(image) : 720;
        p.height = image ? pixman_image_get_height(image) : 400;
    }
    return p;
}

/* ---- colours ---- */

static uint32_t dac_colour(const Vga *s, unsigned index)
{
    const uint8_t *c = s->dac + (index & s->dac_mask) * 3;

    if (s->vbe[VBE_ENABLE] & VBE_8BIT_DAC) {
        return (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
    }
    /* Six bits, the upper two repeated below. */
    uint32_t r = (uint32_t)c[0] << 2 | c[0] >> 4, g = (uint32_t)c[1] << 2 | c[1] >> 4,
             b = (uint32_t)c[2] << 2 | c[2] >> 4;
    return r << 16 | g << 8 | b;
}

/* Attribute controller: 4 bits to a DAC index, by way of the palette and colour select. */
static unsigned attribute_index(const Vga *s, unsigned colour)
{
    unsigned value = s->ar[colour & s->ar[0x12] & 0x0f];

    if (s->ar[0x10] & 0x80) {
        value = (value & 0x0f) | (s->ar[0x14] & 0x03u) << 4;
    }
    return value | (s->ar[0x14] & 0x0cu) << 4;
}

static void make_palette(const Vga *s, VgaMode mode, uint32_t *palette)
{
    if (mode == MODE_256 || mode == MODE_VBE) {
        for (unsigned i = 0; i < 256; i++) {
            palette[i] = dac_colour(s, i);
        }
        return;
    }
    memset(palette, 0, 256 * sizeof(*palette));
    for (unsigned i = 0; i < 16; i++) {
        palette[i] = dac_colour(s, attribute_index(s, i));
    }
}

/* ---- lines of graphics ---- */

static uint32_t planes_at(const Vga *s, uint32_t byte)
{
    uint32_t word;

    memcpy(&word, s->vram->host + (byte & (VGA_PLANES_SIZE - 4)), sizeof(word));
    return GUINT32_FROM_LE(word);
}

/* In VBE modes planar memory is larger than 256 KiB. */
static uint32_t planes_at_wide(const Vga *s, uint32_t byte)
{
    uint32_t word;

    memcpy(&word, s->vram->host + byte % s->vram_size / 4 * 4, sizeof(word));
    return GUINT32_FROM_LE(word);
}

/* Eight dots of one double word: bit 7 first, plane P gives bit P. */
static void planar_dots(uint32_t word, const uint32_t *palette, uint32_t *out)
{
    for (int bit = 7; bit >= 0; bit--) {
        uint32_t v = word >> bit;
        *out++ = palette[(v & 1) | (v >> 7 & 2) | (v >> 14 & 4) | (v >> 21 & 8)];
    }
}

/* Shift register interleaved: plane 0 has the even, plane 1 the odd pixels' pairs of bits for the
 * first eight; planes 2 and 3 add the upper bits. */
static void cga_dots(uint32_t word, const uint32_t *palette, uint32_t *out)
{
    for (int plane = 0; plane < 2; plane++) {
        for (int pair = 6; pair >= 0; pair -= 2) {
            uint32_t v = word >> (8 * plane + pair);
            *out++ = palette[(v & 3) | (v >> 14 & 0x0c)];
        }
    }
}

static void colour256_dots(uint32_t word, const uint32_t *palette, uint32_t *out)
{
    for (int i = 0; i < 4; i++, word >>= 8) {
        *out++ = palette[word & 0xff];
        *out++ = palette[word & 0xff];
    }
}

/* One line of a VGA graphics mode into LINE, which has room for 32 dots more than are shown. */
static void vga_line(const Vga *s, const Picture *p, uint32_t addr, unsigned pan, uint32_t *line)
{
    const uint32_t *palette = s->shown.palette;
    int need = p->half_clock ? p->width / 2 : p->width, done = 0;
    bool wide = vga_vbe_on(s);

    need += (int)pan;
    for (; done < need; done += 8, addr += 4) {
        uint32_t word = wide ? planes_at_wide(s, addr) : planes_at(s, addr);

        switch (p->mode) {
        case MODE_PLANAR:
            planar_dots(word, palette, line + done);
            break;
        case MODE_CGA4:
            cga_dots(word, palette, line + done);
            break;
        default:
            colour256_dots(word, palette, line + done);
        }
    }
    memmove(line, line + pan, (size_t)(need - (int)pan) * sizeof(*line));
    if (p->half_clock) {
        for (int i = p->width / 2 - 1; i >= 0; i--) {
            line[2 * i] = line[2 * i + 1] = line[i];
        }
    }
}

static uint32_t spread5(unsigned v)
{
    return v << 3 | v >> 2;
}

static void vbe_line(const Vga *s, const Picture *p, const uint8_t *src, uint32_t *line)
{
    const uint32_t *palette = s->shown.palette;

    for (int x = 0; x < p->width; x++) {
        unsigned v;

        switch (p->bpp) {
        case 8:
            line[x] = palette[src[x]];
            break;
        case 15:
            v = src[2 * x] | (unsigned)src[2 * x + 1] << 8;
            line[x] = spread5(v >> 10 & 31) << 16 | spread5(v >> 5 & 31) << 8 | spread5(v & 31);
            break;
        case 16:
            v = src[2 * x] | (unsigned)src[2 * x + 1] << 8;
            line[x] = spread5(v >> 11 & 31) << 16 | (v >> 5 & 63) << 10 | (v >> 9 & 3) << 8 |
                      spread5(v & 31);
            break;
        case 24:
            line[x] = src[3 * x] | (uint32_t)src[3 * x + 1] << 8 | (uint32_t)src[3 * x + 2] << 16;
            break;
        default:
            line[x] = src[4 * x] | (uint32_t)src[4 * x + 1] << 8 | (uint32_t)src[4 * x + 2] << 16;
        }
    }
}

/* ---- which bytes a scan line shows ---- */

typedef struct LineSource {
    uint32_t addr, len; /* bytes of video memory */
    unsigned pan;
} LineSource;

static LineSource line_source(const Vga *s, const Picture *p, int y)
{
    LineSource l = {.pan = p->pan};
    unsigned line = (unsigned)y, row, scan;
    uint32_t base = p->start;

    if (vga_vbe_on(s)) {
        l.addr = p->start + line * p->pitch;
        l.len = p->mode == MODE_VBE ? (uint32_t)p->width * (((uint32_t)p->bpp + 7) / 8)
                                    : ((uint32_t)p->width + p->pan + 7) / 8 * 4;
        return l;
    }
    if (line > p->line_compare) {
        line -= p->line_compare + 1;
        base = 0;
        if (s->ar[0x10] & 0x20) {
            l.pan = 0;
        }
    } else {
        line += p->row_scan * (p->line_doubling ? 2 : 1);
    }
    if (p->line_doubling) {
        line /= 2;
    }
    row = line / p->scan_lines;
    scan = line % p->scan_lines;
    l.addr = base + row * p->pitch;
    /* CGA's and Hercules' interleaving: CR17 bits 0 and 1 clear put row scan bits in place of
     * address bits 13 and 14, which are one lower here when the CRTC counts words (CR17 bit 6
     * clear). */
    if (!(s->cr[0x17] & 1)) {
        unsigned bit = s->cr[0x17] & 0x40 ? 15 : 14;
        l.addr = (l.addr & ~(1u << bit)) | (scan & 1) << bit;
    }
    if (!(s->cr[0x17] & 2)) {
        unsigned bit = s->cr[0x17] & 0x40 ? 16 : 15;
        l.addr = (l.addr & ~(1u << bit)) | (scan >> 1 & 1) << bit;
    }
    if (p->mode == MODE_256) {
        l.pan = (l.pan & 7) / 2 * 2; /* two dots per pixel */
    } else {
        l.pan &= 7;
    }
    l.len = (uint32_t)(p->half_clock ? p->width / 2 : p->width) / 8 * 4 + 4;
    l.addr &= VGA_PLANES_SIZE - 1;
    return l;
}

/* ---- the dirty log ---- */

typedef struct Dirty {
    uint64_t *bits; /* one per page of video memory */
    bool any;
} Dirty;

static Dirty take_dirty(Vga *s)
{
    uint64_t pages = s->vram_size / GUEST_PAGE_SIZE;
    Dirty d = {.bits = g_new0(uint64_t, (pages + 63) / 64)};

    if (!s->dirty_log) {
        dirty_log_enable(s->vram, DIRTY_DISPLAY);
        s->dirty_log = true;
        s->redraw_all = true;
    }
    d.any = dirty_log_take(s->vram, DIRTY_DISPLAY, 0, s->vram_size, d.bits);
    return d;
}

/* [ADDR, ADDR+LEN), wrapping at SIZE. */
static bool range_dirty(const Dirty *d, uint32_t addr, uint32_t len, uint32_t size)
{
    uint32_t first = addr / GUEST_PAGE_SIZE, last = (addr + len - 1) / GUEST_PAGE_SIZE;

    for (uint32_t page = first; page <= last; page++) {
        uint32_t in = page % (size / GUEST_PAGE_SIZE);
        if (d->bits[in / 64] >> (in % 64) & 1) {
            return true;
        }
    }
    return false;
}

/* ---- graphics ---- */

static uint32_t *surface_line(pixman_image_t *image, int y)
{
    return pixman_image_get_data(image) + (size_t)y * (size_t)pixman_image_get_stride(image) / 4;
}

static void draw_graphics(Vga *s, const Picture *p, const Dirty *dirty, bool all)
{
    pixman_image_t *image = console_surface(s->console);
    g_autofree uint32_t *line = g_new(uint32_t, (size_t)p->width + 64);
    uint32_t size = vga_vbe_on(s) ? s->vram_size : VGA_PLANES_SIZE;
    int from = -1;

    for (int y = 0; y <= p->height; y++) {
        bool draw = false;

        if (y < p->height) {
            LineSource l = line_source(s, p, y);

            draw = all || range_dirty(dirty, l.addr, l.len, size);
            if (draw && p->mode == MODE_VBE) {
                if ((uint64_t)l.addr + l.len <= s->vram_size) {
                    vbe_line(s, p, s->vram->host + l.addr, surface_line(image, y));
                }
            } else if (draw) {
                vga_line(s, p, l.addr, l.pan, line);
                memcpy(surface_line(image, y), line, (size_t)p->width * sizeof(*line));
            }
        }
        if (draw && from < 0) {
            from = y;
        } else if (!draw && from >= 0) {
            console_damage(s->console, 0, from, p->width, y - from);
            from = -1;
        }
    }
}

/* ---- text ---- */

/* SR3: which of the eight 8 KiB fonts of plane 2 the attribute's bit 3 selects. */
static uint32_t font_base(const Vga *s, bool second)
{
    static const uint16_t base[8] = {0x0000, 0x4000, 0x8000, 0xc000,
                                     0x2000, 0x6000, 0xa000, 0xe000};
    unsigned map = s->sr[3];

    return second ? base[(map >> 2 & 3) | (map >> 3 & 4)] : base[(map & 3) | (map >> 2 & 4)];
}

typedef struct Cell {
    uint8_t ch, attr;
    bool cursor;
} Cell;

/* The cursor's form is part of a cell's identity when it is on it. */
static uint32_t cell_key(const Vga *s, Cell c)
{
    return c.ch | (uint32_t)c.attr << 8 |
           (c.cursor ? 1u << 16 | (s->cr[0x0a] & 0x1fu) << 17 | (s->cr[0x0b] & 0x1fu) << 22 : 0);
}

static void draw_cell(const Vga *s, const Picture *p, Cell c, int x, int y, unsigned first_line,
                      bool blink_off)
{
    const VgaShown *shown = &s->shown;
    pixman_image_t *image = console_surface(s->console);
    uint32_t font = c.attr & 0x08 ? shown->font_b : shown->font_a;
    unsigned fg = c.attr & 0x0f, bg = c.attr >> 4;
    unsigned scale = p->half_clock ? 2 : 1, dots = p->cell_width / scale;
    bool nine = dots == 9 && (s->ar[0x10] & 0x04) && c.ch >= 0xc0 && c.ch <= 0xdf;
    unsigned cursor_start = s->cr[0x0a] & 0x1f, cursor_end = s->cr[0x0b] & 0x1f;

    if (s->ar[0x10] & 0x08) { /* bit 7 blinks instead of being a bright background */
        bg &= 7;
        if ((c.attr & 0x80) && blink_off) {
            fg = bg;
        }
    }
    for (unsigned scan = first_line; scan < p->scan_lines; scan++, y++) {
        if (y >= p->height) {
            return;
        }
        uint32_t *out = surface_line(image, y) + x;
        unsigned bits = s->vram->host[(font + c.ch * 32u + (scan & 31)) * 4 + 2] << 1;

        /* The ninth dot is background, or for line graphics the eighth again. */
        bits |= nine ? bits >> 1 & 1 : 0;
        /* Monochrome underline: colour 1 (AR10 bit 1: MDA attributes) at CR14's line. */
        if ((s->ar[0x10] & 0x02) && (c.attr & 0x07) == 1 && scan == (s->cr[0x14] & 0x1fu)) {
            bits = 0x1ff;
        }
        if (c.cursor && scan >= cursor_start && scan <= cursor_end) {
            bits = 0x1ff;
        }
        for (unsigned dot = 0; dot < dots; dot++) {
            uint32_t colour = shown->palette[bits >> (8 - dot) & 1 ? fg : bg];
            for (unsigned i = 0; i < scale; i++) {
                *out++ = colour;
            }
        }
    }
}

typedef struct Blink {
    bool cursor_on, text_off;
} Blink;

static Blink blink_now(void)
{
    int64_t phase = clock_now(CLOCK_VM) / BLINK_NS;

    return (Blink){.cursor_on = !(phase & 1), .text_off = phase >> 1 & 1};
}

static void draw_text(Vga *s, const Picture *p, bool all)
{
    unsigned columns = (unsigned)p->width / p->cell_width, cell = 0;
    uint32_t cursor = ((uint32_t)s->cr[0x0e] << 8 | s->cr[0x0f]) * 4;
    bool cursor_shown = !(s->cr[0x0a] & 0x20);
    Blink blink = blink_now();
    int y = 0, damage_from = -1, damage_to = 0;
    uint32_t addr = p->start;
    unsigned scan = MIN(p->row_scan, p->scan_lines - 1);
    bool split = false;

    while (y < p->height) {
        unsigned lines = p->scan_lines - scan;
        bool row_drawn = false;

        for (unsigned i = 0; i < columns && cell < VGA_TEXT_CELLS_MAX; i++, cell++) {
            uint32_t at = (addr + i * 4) & (VGA_PLANES_SIZE - 1), key;
            Cell c = {.ch = s->vram->host[at], .attr = s->vram->host[at + 1]};
            bool blinks = (s->ar[0x10] & 0x08) && (c.attr & 0x80);

            c.cursor = cursor_shown && blink.cursor_on && at == (cursor & (VGA_PLANES_SIZE - 1));
            key = cell_key(s, c) | (blinks && blink.text_off ? 1u << 31 : 0);
            if (!all && s->cells[cell] == key) {
                continue;
            }
            s->cells[cell] = key;
            draw_cell(s, p, c, (int)(i * p->cell_width), y, scan, blink.text_off);
            row_drawn = true;
        }
        if (row_drawn) {
            damage_from = damage_from < 0 ? y : damage_from;
            damage_to = MIN(y + (int)lines, p->height);
        }
        y += (int)lines;
        addr += p->pitch;
        scan = 0;
        if (!split && (unsigned)y > p->line_compare) {
            /* The lower part of a split screen: to the line where a row of text fits no more. */
            split = true;
            addr = 0;
        }
    }
    if (damage_from >= 0) {
        console_damage(s->console, 0, damage_from, p->width, damage_to - damage_from);
    }
}

/* ---- the update ---- */

static void draw_blank(Vga *s)
{
    pixman_image_t *image = console_surface(s->console);
    int width = pixman_image_get_width(image), height = pixman_image_get_height(image);

    for (int y = 0; y < height; y++) {
        memset(surface_line(image, y), 0, (size_t)width * 4);
    }
    console_damage(s->console, 0, 0, width, height);
}

/* Makes the surface fit; true when it is a new one. */
static bool fit_surface(Vga *s, const Picture *p)
{
    pixman_image_t *image = console_surface(s->console);

    if (image && pixman_image_get_width(image) == p->width &&
        pixman_image_get_height(image) == p->height) {
        return false;
    }
    image = pixman_image_create_bits(PIXMAN_x8r8g8b8, p->width, p->height, NULL, 0);
    g_assert(image);
    console_set_surface(s->console, image);
    pixman_image_unref(image);
    return true;
}

/* Notes what P and the registers show now; true if anything in it changed. */
static bool note_shown(Vga *s, const Picture *p)
{
    VgaShown now;

    memset(&now, 0, sizeof(now)); /* compared by memcmp */
    now.mode = (int)p->mode;
    now.width = p->width;
    now.height = p->height;
    now.start = p->start;
    now.pitch = p->pitch;
    now.line_compare = p->line_compare;
    now.bpp = p->bpp;
    now.cell_width = p->cell_width;
    now.cell_height = p->scan_lines << 8 | p->row_scan << 1 | p->line_doubling;
    now.font_a = font_base(s, false);
    now.font_b = font_base(s, true);
    memcpy(now.attrs, s->ar + 0x10, 5);
    now.attrs[5] = s->cr[0x17];
    now.attrs[6] = s->cr[0x14];
    now.attrs[7] = p->half_clock;
    make_palette(s, p->mode, now.palette);
    if (memcmp(&now, &s->shown, sizeof(now)) == 0) {
        return false;
    }
    s->shown = now;
    return true;
}

static void vga_update(void *opaque)
{
    Vga *s = opaque;
    Picture p = current_picture(s);
    Dirty dirty = take_dirty(s);
    bool all = note_shown(s, &p);

    all |= fit_surface(s, &p);
    all |= s->redraw_all;
    s->redraw_all = false;
    if (p.mode == MODE_BLANK) {
        if (all) {
            draw_blank(s);
        }
    } else if (p.mode == MODE_TEXT) {
        draw_text(s, &p, all || s->font_dirty);
        s->font_dirty = false;
    } else if (all || dirty.any) {
        draw_graphics(s, &p, &dirty, all);
    }
    g_free(dirty.bits);
}

static void vga_invalidate(void *opaque)
{
    ((Vga *)opaque)->redraw_all = true;
}

const ConsoleOps vga_console_ops = {
    .update = vga_update,
    .invalidate = vga_invalidate,
};
