/*
 * VGA registers behind the ports 3B0h..3DFh.
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference (Video Subsystem), and the free VGA
 * documentation that grew from it. Reserved bits are dropped when written where hardware drops
 * them. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/display/vga.h"

#include <string.h>

#include "core/clock.h"
#include "util/keyval.h"

static const uint8_t sr_mask[8] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff};
static const uint8_t gr_mask[16] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};

/* ---- retrace, input status 1 ---- */

typedef struct Timing {
    int64_t line_ns;
    unsigned total, display_end, retrace_start, retrace_lines;
    unsigned h_total, h_display;
} Timing;

static Timing current_timing(const Vga *s)
{
    unsigned dots = s->sr[1] & 1 ? 8 : 9, overflow = s->cr[7];
    int64_t khz = s->misc & 0x04 ? 28322 : 25175;
    Timing t = {.h_total = s->cr[0] + 5u, .h_display = s->cr[1] + 1u};

    if (s->sr[1] & 8) {
        dots *= 2;
    }
    t.line_ns = MAX((int64_t)t.h_total * dots * 1000000 / khz, 1);
    t.total = (s->cr[6] | (overflow & 1u) << 8 | (overflow & 0x20u) << 4) + 2u;
    t.display_end = (s->cr[0x12] | (overflow & 2u) << 7 | (overflow & 0x40u) << 3) + 1u;
    t.retrace_start = s->cr[0x10] | (overflow & 4u) << 6 | (overflow & 0x80u) << 2;
    t.retrace_lines = (s->cr[0x11] - t.retrace_start) & 0x0f;
    return t;
}

static uint8_t input_status_1(const Vga *s)
{
    Timing t = current_timing(s);
    int64_t in_frame = clock_now(CLOCK_VM) % (t.line_ns * t.total);
    unsigned line = (unsigned)(in_frame / t.line_ns);
    unsigned column = (unsigned)(in_frame % t.line_ns * t.h_total / t.line_ns);
    uint8_t value = 0;

    if (line >= t.retrace_start && line < t.retrace_start + MAX(t.retrace_lines, 1u)) {
        value |= 0x08;
    }
    if (line >= t.display_end || column >= t.h_display) {
        value |= 0x01;
    }
    return value;
}

/* ---- attribute controller ---- */

static void attribute_write(Vga *s, uint8_t value)
{
    unsigned index = s->ar_index & 0x1f;

    s->ar_flip_flop = !s->ar_flip_flop;
    if (s->ar_flip_flop) {
        s->ar_index = value & 0x3f;
        return;
    }
    if (index < 16) {
        if (!(s->ar_index & 0x20)) { /* the palette belongs to the display while bit 5 is set */
            s->ar[index] = value & 0x3f;
        }
    } else if (index < 0x15) {
        static const uint8_t mask[5] = {0xef, 0xff, 0x3f, 0x0f, 0x0f};
        s->ar[index] = value & mask[index - 0x10];
    }
}

/* ---- palette DAC ---- */

static uint8_t dac_read(Vga *s)
{
    uint8_t value = s->dac[s->dac_read_index * 3 + s->dac_component];

    if (++s->dac_component == 3) {
        s->dac_component = 0;
        s->dac_read_index++;
    }
    return value;
}

static void dac_write(Vga *s, uint8_t value)
{
    s->dac_latch[s->dac_component] = s->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? value : value & 0x3f;
    if (++s->dac_component == 3) {
        memcpy(s->dac + s->dac_write_index * 3, s->dac_latch, 3);
        s->dac_component = 0;
        s->dac_write_index++;
    }
}

/* ---- CRT controller ---- */

static void crtc_write(Vga *s, uint8_t value)
{
    unsigned index = s->cr_index & 0x1f;

    if (index <= 7 && (s->cr[0x11] & 0x80)) {
        if (index == 7) { /* the line compare bit stays writable */
            s->cr[7] = (uint8_t)((s->cr[7] & ~0x10) | (value & 0x10));
        }
        return;
    }
    if (index < 0x19) {
        s->cr[index] = value;
    }
}

/* ---- ports ---- */

/* The CRTC answers at 3Dxh for colour, at 3Bxh for monochrome (misc output bit 0). */
static bool crtc_port_hidden(const Vga *s, uint16_t port)
{
    return (port >= 0x3b0 && port <= 0x3bf && (s->misc & 1)) ||
           (port >= 0x3d0 && port <= 0x3df && !(s->misc & 1));
}

uint8_t vga_port_read(Vga *s, uint16_t port)
{
    if (crtc_port_hidden(s, port)) {
        return 0xff;
    }
    switch (port) {
    case 0x3c0:
        return s->ar_flip_flop ? 0 : s->ar_index;
    case 0x3c1:
        return s->ar[s->ar_index & 0x1f];
    case 0x3c2:
        return 0; /* input status 0: no interrupt pending, no monitor sense */
    case 0x3c3:
        return 1; /* enabled */
    case 0x3c4:
        return s->sr_index;
    case 0x3c5:
        return s->sr[s->sr_index];
    case 0x3c6:
        return s->dac_mask;
    case 0x3c7:
        return s->dac_reading ? 3 : 0;
    case 0x3c8:
        return s->dac_write_index;
    case 0x3c9:
        return dac_read(s);
    case 0x3ca:
        return s->feature_control;
    case 0x3cc:
        return s->misc;
    case 0x3ce:
        return s->gr_index;
    case 0x3cf:
        return s->gr[s->gr_index];
    case 0x3b4:
    case 0x3d4:
        return s->cr_index;
    case 0x3b5:
    case 0x3d5:
        return s->cr[s->cr_index & 0x1f];
    case 0x3ba:
    case 0x3da:
        s->ar_flip_flop = false;
        return input_status_1(s);
    }
    return 0xff;
}

void vga_port_write(Vga *s, uint16_t port, uint8_t value)
{
    if (crtc_port_hidden(s, port)) {
        return;
    }
    switch (port) {
    case 0x3c0:
        attribute_write(s, value);
        break;
    case 0x3c2:
        s->misc = value & 0xef;
        break;
    case 0x3c4:
        s->sr_index = value & 7;
        break;
    case 0x3c5:
        s->sr[s->sr_index] = value & sr_mask[s->sr_index];
        vga_update_direct(s);
        break;
    case 0x3c6:
        s->dac_mask = value;
        break;
    case 0x3c7:
        s->dac_read_index = value;
        s->dac_component = 0;
        s->dac_reading = true;
        break;
    case 0x3c8:
        s->dac_write_index = value;
        s->dac_component = 0;
        s->dac_reading = false;
        break;
    case 0x3c9:
        dac_write(s, value);
        break;
    case 0x3ce:
        s->gr_index = value & 0x0f;
        break;
    case 0x3cf:
        s->gr[s->gr_index] = value & gr_mask[s->gr_index];
        vga_update_direct(s);
        break;
    case 0x3b4:
    case 0x3d4:
        s->cr_index = value;
        break;
    case 0x3b5:
    case 0x3d5:
        crtc_write(s, value);
        break;
    case 0x3ba:
    case 0x3da:
        s->feature_control = value & 0x10;
        break;
    }
}

/* ---- life ---- */

void vga_init(Vga *s, RamBlock *vram)
{
    s->vram = vram;
    s->vram_size = (uint32_t)vram->size;
    s->cells = g_new0(uint32_t, VGA_TEXT_CELLS_MAX);
    s->vram_region = mem_region_ram("vga.vram", vram, 0, vram->size, false);
    s->window = mem_region_io("vga-window", &vga_window_ops, s, 0x20000);
    s->direct = mem_region_alias("vga-chain4", s->vram_region, 0, 0x10000);
    mem_region_set_enabled(s->direct, false);
    mem_region_add(s->window, 0, s->direct, 1);
    vga_reset(s);
}

void vga_destroy(Vga *s)
{
    if (s->dirty_log) {
        dirty_log_disable(s->vram, DIRTY_DISPLAY);
    }
    mem_region_free(s->direct);
    mem_region_free(s->window);
    mem_region_free(s->vram_region);
    g_clear_pointer(&s->cells, g_free);
}

void vga_reset(Vga *s)
{
    memset(s->sr, 0, sizeof(s->sr));
    memset(s->cr, 0, sizeof(s->cr));
    memset(s->gr, 0, sizeof(s->gr));
    memset(s->ar, 0, sizeof(s->ar));
    memset(s->dac, 0, sizeof(s->dac));
    s->misc = s->feature_control = 0;
    s->sr_index = s->cr_index = s->gr_index = s->ar_index = 0;
    s->ar_flip_flop = s->dac_reading = false;
    s->dac_mask = 0xff;
    s->dac_read_index = s->dac_write_index = s->dac_component = 0;
    s->latch = 0;
    vga_vbe_reset(s);
    vga_update_direct(s);
    s->redraw_all = true;
}

/* ---- state ---- */

static bool vga_post_load(void *opaque, uint32_t version, GError **err)
{
    Vga *s = opaque;

    (void)version;
    s->redraw_all = s->font_dirty = true;
    if (!vga_vbe_valid(s)) {
        vga_vbe_reset(s);
        vga_update_direct(s);
        emu_set_error(err, "VGA: the saved VBE registers describe no mode that fits the memory");
        return false;
    }
    vga_update_direct(s);
    return true;
}

static const StateField vga_fields[] = {
    STATE_FIELD_UINT(Vga, misc),
    STATE_FIELD_UINT(Vga, feature_control),
    STATE_FIELD_UINT_MAX(Vga, sr_index, 7),
    STATE_FIELD_UINT_ARRAY(Vga, sr),
    STATE_FIELD_UINT(Vga, cr_index),
    STATE_FIELD_UINT_ARRAY(Vga, cr),
    STATE_FIELD_UINT_MAX(Vga, gr_index, 15),
    STATE_FIELD_UINT_ARRAY(Vga, gr),
    STATE_FIELD_UINT(Vga, ar_index),
    STATE_FIELD_UINT_ARRAY(Vga, ar),
    STATE_FIELD_UINT(Vga, ar_flip_flop),
    STATE_FIELD_UINT(Vga, dac_mask),
    STATE_FIELD_UINT(Vga, dac_read_index),
    STATE_FIELD_UINT(Vga, dac_write_index),
    STATE_FIELD_UINT_MAX(Vga, dac_component, 2),
    STATE_FIELD_UINT(Vga, dac_reading),
    STATE_FIELD_UINT_ARRAY(Vga, dac_latch),
    STATE_FIELD_BYTES(Vga, dac),
    STATE_FIELD_UINT(Vga, latch),
    STATE_FIELD_UINT(Vga, vbe_index),
    STATE_FIELD_UINT_ARRAY(Vga, vbe),
    STATE_FIELD_UINT(Vga, bank_offset),
    STATE_FIELD_END,
};

const StateTable vga_state_table = {
    .name = "vga",
    .version = 1,
    .min_version = 1,
    .fields = vga_fields,
    .post_load = vga_post_load,
};
