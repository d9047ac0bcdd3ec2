/*
 * The VGA device: registers, planar memory, the linear framebuffer, and what the console shows.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <unistd.h>

#include "core/lock.h"
#include "core/mainloop.h"
#include "hw/display/vga.h"
#include "tests/device/fixture.h"

enum { LFB = 0x10000000, MMIO = 0x18000000 };

typedef struct VgaTest {
    Fixture *f;
    Device *dev;
    Console *con;
} VgaTest;

static VgaTest *vga_new(void)
{
    VgaTest *t = g_new0(VgaTest, 1);

    t->f = fixture_new(0xa0000);
    t->dev = fixture_add(t->f, pci_bus_qbus(t->f->pci), &vga_pci_class, "addr=02.0,romfile=");
    t->con = console_by_index(0);
    g_assert_nonnull(t->con);
    pci_config_write(t->f->pci, pci_devfn(2, 0), 0x10, LFB, 4);
    pci_config_write(t->f->pci, pci_devfn(2, 0), 0x18, MMIO, 4);
    pci_config_write(t->f->pci, pci_devfn(2, 0), 0x04, 0x03, 2);
    return t;
}

static void vga_free(VgaTest *t)
{
    fixture_free(t->f);
    g_free(t);
}

static void out(VgaTest *t, uint16_t port, unsigned value)
{
    fixture_out(t->f, port, value, 1);
}

static void indexed(VgaTest *t, uint16_t port, unsigned index, unsigned value)
{
    fixture_out(t->f, port, index | value << 8, 2);
}

static void attribute(VgaTest *t, unsigned index, unsigned value)
{
    fixture_in(t->f, 0x3da, 1);
    out(t, 0x3c0, index);
    out(t, 0x3c0, value);
}

static void dac(VgaTest *t, unsigned index, unsigned r, unsigned g, unsigned b)
{
    out(t, 0x3c8, index);
    out(t, 0x3c9, r);
    out(t, 0x3c9, g);
    out(t, 0x3c9, b);
}

static void vbe(VgaTest *t, unsigned index, unsigned value)
{
    fixture_out(t->f, 0x1ce, index, 2);
    fixture_out(t->f, 0x1cf, value, 2);
}

static unsigned vbe_in(VgaTest *t, unsigned index)
{
    fixture_out(t->f, 0x1ce, index, 2);
    return fixture_in(t->f, 0x1cf, 2);
}

static void poke(VgaTest *t, hwaddr addr, uint64_t value, unsigned size)
{
    address_space_store(&t->f->machine.memory, addr, value, size);
}

static uint64_t peek(VgaTest *t, hwaddr addr, unsigned size)
{
    return address_space_load(&t->f->machine.memory, addr, size);
}

/* The colours 0..15 of the default palette's kind: index I is I * 4 in red, 63 - I in blue. */
static uint32_t test_colour(unsigned i)
{
    unsigned r = i * 4, b = 63 - i;

    return (r << 2 | r >> 4) << 16 | (b << 2 | b >> 4);
}

/* What the modes below have in common, as any BIOS sets it. */
static void set_mode(VgaTest *t, const uint8_t sr[5], unsigned misc, const uint8_t cr[25],
                     const uint8_t gr[9], unsigned attribute_mode)
{
    out(t, 0x3c2, misc);
    for (unsigned i = 0; i < 5; i++) {
        indexed(t, 0x3c4, i, sr[i]);
    }
    indexed(t, 0x3d4, 0x11, 0);
    for (unsigned i = 0; i < 25; i++) {
        indexed(t, 0x3d4, i, cr[i]);
    }
    for (unsigned i = 0; i < 9; i++) {
        indexed(t, 0x3ce, i, gr[i]);
    }
    for (unsigned i = 0; i < 16; i++) {
        attribute(t, i, i);
        dac(t, i, i * 4, 0, 63 - i);
    }
    attribute(t, 0x10, attribute_mode);
    attribute(t, 0x12, 0x0f);
    attribute(t, 0x13, 0);
    attribute(t, 0x14, 0);
    fixture_in(t->f, 0x3da, 1);
    out(t, 0x3c0, 0x20);
}

static void text_mode(VgaTest *t)
{
    static const uint8_t sr[5] = {3, 1, 3, 0, 2};
    static const uint8_t cr[25] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
                                   0x4f, 0x20, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                   0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
    static const uint8_t gr[9] = {0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff};

    set_mode(t, sr, 0x67, cr, gr, 0x00);
}

static void load_glyph(VgaTest *t, unsigned ch, const uint8_t glyph[16])
{
    indexed(t, 0x3c4, 2, 4);
    indexed(t, 0x3c4, 4, 6);
    indexed(t, 0x3ce, 5, 0);
    indexed(t, 0x3ce, 6, 4);
    for (unsigned i = 0; i < 16; i++) {
        poke(t, 0xa0000 + ch * 32 + i, glyph[i], 1);
    }
    indexed(t, 0x3c4, 2, 3);
    indexed(t, 0x3c4, 4, 2);
    indexed(t, 0x3ce, 5, 0x10);
    indexed(t, 0x3ce, 6, 0x0e);
}

static uint32_t pixel(VgaTest *t, int x, int y)
{
    pixman_image_t *image = console_surface(t->con);

    g_assert_cmpint(x, <, pixman_image_get_width(image));
    g_assert_cmpint(y, <, pixman_image_get_height(image));
    return pixman_image_get_data(image)[y * pixman_image_get_stride(image) / 4 + x] & 0xffffff;
}

static void check_size(VgaTest *t, int width, int height)
{
    console_update(t->con);
    g_assert_cmpint(pixman_image_get_width(console_surface(t->con)), ==, width);
    g_assert_cmpint(pixman_image_get_height(console_surface(t->con)), ==, height);
}

static void test_text_shows_glyphs_in_colours(void)
{
    static const uint8_t glyph[16] = {0x81, 0x42, [15] = 0xff};
    VgaTest *t = vga_new();

    text_mode(t);
    load_glyph(t, 'A', glyph);
    check_size(t, 640, 400);
    poke(t, 0xb8000 + 2 * (80 * 3 + 5), 'A' | 0x1e00, 2); /* row 3, column 5, colour 14 on 1 */
    console_update(t->con);
    g_assert_cmphex(pixel(t, 40, 48), ==, test_colour(14));
    g_assert_cmphex(pixel(t, 41, 48), ==, test_colour(1));
    g_assert_cmphex(pixel(t, 47, 48), ==, test_colour(14));
    g_assert_cmphex(pixel(t, 41, 49), ==, test_colour(14));
    g_assert_cmphex(pixel(t, 44, 63), ==, test_colour(14));
    g_assert_cmphex(pixel(t, 48, 48), ==, test_colour(0));
    g_assert_cmphex(peek(t, 0xb8000 + 2 * (80 * 3 + 5), 2), ==, 'A' | 0x1e00);
    /* The font changes under it. */
    load_glyph(t, 'A', (const uint8_t[16]){0x7e});
    console_update(t->con);
    g_assert_cmphex(pixel(t, 40, 48), ==, test_colour(1));
    g_assert_cmphex(pixel(t, 41, 48), ==, test_colour(14));
    /* Start address: one row further. */
    indexed(t, 0x3d4, 0x0d, 80);
    console_update(t->con);
    g_assert_cmphex(pixel(t, 41, 32), ==, test_colour(14));
    vga_free(t);
}

static void mode_13h(VgaTest *t)
{
    static const uint8_t sr[5] = {3, 1, 0x0f, 0, 0x0e};
    static const uint8_t cr[25] = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00,
                                   0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                   0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff};
    static const uint8_t gr[9] = {0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff};

    set_mode(t, sr, 0x63, cr, gr, 0x41);
}

static void test_mode_13h(void)
{
    VgaTest *t = vga_new();

    mode_13h(t);
    check_size(t, 640, 400);
    poke(t, 0xa0000 + 320 * 100 + 50, 9, 1);
    console_update(t->con);
    for (int i = 0; i < 4; i++) {
        g_assert_cmphex(pixel(t, 100 + i / 2, 200 + i % 2), ==, test_colour(9));
    }
    g_assert_cmphex(pixel(t, 102, 200), ==, test_colour(0));
    g_assert_cmphex(peek(t, 0xa0000 + 320 * 100 + 50, 1), ==, 9);
    g_assert_cmphex(peek(t, LFB + 320 * 100 + 50, 1), ==, 9);
    vga_free(t);
}

static void mode_12h(VgaTest *t)
{
    static const uint8_t sr[5] = {3, 1, 0x0f, 0, 6};
    static const uint8_t cr[25] = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00,
                                   0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0x8c,
                                   0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff};
    static const uint8_t gr[9] = {0, 0, 0, 0, 0, 0, 0x05, 0x0f, 0xff};

    set_mode(t, sr, 0xe3, cr, gr, 0x01);
}

static void test_planar_write_modes(void)
{
    VgaTest *t = vga_new();

    mode_12h(t);
    check_size(t, 640, 480);
    /* Write mode 0, set/reset: colour 5 on the left four of 8 dots. */
    indexed(t, 0x3ce, 0, 5);
    indexed(t, 0x3ce, 1, 0x0f);
    indexed(t, 0x3ce, 8, 0xf0);
    peek(t, 0xa0000 + 80, 1);
    poke(t, 0xa0000 + 80, 0xff, 1);
    /* Write mode 2: colour 10 on the right four. */
    indexed(t, 0x3ce, 1, 0);
    indexed(t, 0x3ce, 5, 2);
    indexed(t, 0x3ce, 8, 0x0f);
    peek(t, 0xa0000 + 80, 1);
    poke(t, 0xa0000 + 80, 10, 1);
    /* Write mode 1: copied to the next line. */
    indexed(t, 0x3ce, 5, 1);
    peek(t, 0xa0000 + 80, 1);
    poke(t, 0xa0000 + 160, 0, 1);
    /* Write mode 3: colour 3 where the byte says. */
    indexed(t, 0x3ce, 5, 3);
    indexed(t, 0x3ce, 0, 3);
    indexed(t, 0x3ce, 8, 0xff);
    peek(t, 0xa0000 + 160, 1);
    poke(t, 0xa0000 + 160, 0x81, 1);
    console_update(t->con);
    for (int x = 0; x < 8; x++) {
        unsigned colour = x < 4 ? 5 : 10;
        g_assert_cmphex(pixel(t, x, 1), ==, test_colour(colour));
        g_assert_cmphex(pixel(t, x, 2), ==, test_colour(x == 0 || x == 7 ? 3 : colour));
    }
    /* Read mode 0 gives a plane, read mode 1 compares. */
    indexed(t, 0x3ce, 5, 0);
    indexed(t, 0x3ce, 4, 0);
    g_assert_cmphex(peek(t, 0xa0000 + 80, 1), ==, 0xf0);
    indexed(t, 0x3ce, 4, 3);
    g_assert_cmphex(peek(t, 0xa0000 + 80, 1), ==, 0x0f);
    indexed(t, 0x3ce, 5, 8);
    indexed(t, 0x3ce, 2, 5);
    indexed(t, 0x3ce, 7, 0x0f);
    g_assert_cmphex(peek(t, 0xa0000 + 80, 1), ==, 0xf0);
    /* XOR with the latch, and rotation. */
    indexed(t, 0x3ce, 5, 0);
    indexed(t, 0x3ce, 1, 0);
    indexed(t, 0x3ce, 3, 0x18 | 4);
    indexed(t, 0x3ce, 4, 0);
    peek(t, 0xa0000 + 80, 1);
    poke(t, 0xa0000 + 80, 0x0f, 1);
    g_assert_cmphex(peek(t, 0xa0000 + 80, 1), ==, 0x00);
    vga_free(t);
}

static void test_vbe_modes(void)
{
    VgaTest *t = vga_new();

    g_assert_cmphex(vbe_in(t, VBE_ID), ==, 0xb0c5);
    g_assert_cmpuint(vbe_in(t, VBE_MEMORY_64K), ==, 256);
    vbe(t, VBE_ENABLE, VBE_GETCAPS);
    g_assert_cmpuint(vbe_in(t, VBE_XRES), ==, VGA_WIDTH_MAX);
    vbe(t, VBE_ENABLE, 0);
    vbe(t, VBE_XRES, 1024);
    vbe(t, VBE_YRES, 768);
    vbe(t, VBE_BPP, 32);
    vbe(t, VBE_ENABLE, VBE_ENABLED | VBE_LFB);
    out(t, 0x3c0, 0x20);
    check_size(t, 1024, 768);
    poke(t, LFB + (1024 * 10 + 20) * 4, 0x123456, 4);
    console_update(t->con);
    g_assert_cmphex(pixel(t, 20, 10), ==, 0x123456);
    /* Double buffering by offset. */
    vbe(t, VBE_VIRT_WIDTH, 1024);
    vbe(t, VBE_Y_OFFSET, 10);
    console_update(t->con);
    g_assert_cmphex(pixel(t, 20, 0), ==, 0x123456);
    /* 16 and 24 bits; the registers also by memory. */
    vbe(t, VBE_ENABLE, 0);
    poke(t, MMIO + 0x500 + 2 * VBE_BPP, 16, 2);
    poke(t, MMIO + 0x500 + 2 * VBE_ENABLE, VBE_ENABLED | VBE_LFB, 2);
    g_assert_cmphex(peek(t, LFB + (1024 * 10 + 20) * 4, 4), ==, 0); /* cleared */
    poke(t, LFB, 0xf81f, 2);
    console_update(t->con);
    g_assert_cmphex(pixel(t, 0, 0), ==, 0xff00ff);
    vbe(t, VBE_BPP, 24);
    poke(t, LFB + 3, 0xabcdef, 4);
    console_update(t->con);
    g_assert_cmphex(pixel(t, 1, 0), ==, 0xabcdef);
    /* 8 bits, through the banked window. */
    vbe(t, VBE_ENABLE, 0);
    vbe(t, VBE_BPP, 8);
    vbe(t, VBE_ENABLE, VBE_ENABLED | VBE_8BIT_DAC);
    dac(t, 200, 0xfe, 0x80, 0x01);
    vbe(t, VBE_BANK, 1);
    poke(t, 0xa0000 + 5, 200, 1);
    console_update(t->con);
    g_assert_cmphex(pixel(t, 5, 64), ==, 0xfe8001);
    /* More than the memory holds is clipped. */
    vbe(t, VBE_ENABLE, 0);
    vbe(t, VBE_XRES, 65535);
    vbe(t, VBE_YRES, 65535);
    vbe(t, VBE_BPP, 32);
    vbe(t, VBE_ENABLE, VBE_ENABLED | VBE_LFB);
    check_size(t, 16000, 262);
    vga_free(t);
}

static void note_damage(void *opaque, int x, int y, int w, int h)
{
    g_string_append_printf(opaque, "%d,%d %dx%d;", x, y, w, h);
}

static void test_only_changed_lines_are_redrawn(void)
{
    static const ConsoleViewer viewer = {.damage = note_damage};
    VgaTest *t = vga_new();
    g_autoptr(GString) damage = g_string_new(NULL);
    uint32_t *data;

    vbe(t, VBE_XRES, 1024);
    vbe(t, VBE_YRES, 768);
    vbe(t, VBE_BPP, 32);
    vbe(t, VBE_ENABLE, VBE_ENABLED | VBE_LFB);
    out(t, 0x3c0, 0x20);
    check_size(t, 1024, 768);
    data = pixman_image_get_data(console_surface(t->con));
    data[1024 * 5] = data[1024 * 700] = 0x777777; /* marks that a redraw removes */
    console_add_viewer(t->con, &viewer, damage);
    poke(t, LFB + 1024 * 4 * 700 + 8, 0xff, 4);
    console_update(t->con);
    g_assert_cmpstr(damage->str, ==, "0,700 1024x1;");
    console_remove_viewer(t->con, damage);
    g_assert_cmphex(data[1024 * 5], ==, 0x777777);
    g_assert_cmphex(data[1024 * 700], ==, 0);
    g_assert_cmphex(data[1024 * 700 + 2], ==, 0xff);
    vga_free(t);
}

static void test_state_is_complete(void)
{
    VgaTest *t = vga_new();
    GByteArray *state;

    text_mode(t);
    state = fixture_save(t->dev);
    mode_13h(t);
    vbe(t, VBE_XRES, 800);
    vbe(t, VBE_YRES, 600);
    vbe(t, VBE_BPP, 16);
    vbe(t, VBE_ENABLE, VBE_ENABLED);
    check_size(t, 800, 600);
    fixture_load(t->dev, state);
    check_size(t, 640, 400);
    GByteArray *again = fixture_save(t->dev);
    g_assert_cmpmem(state->data, state->len, again->data, again->len);
    g_byte_array_unref(state);
    g_byte_array_unref(again);
    vga_free(t);
}

static void test_screendump_formats(void)
{
    VgaTest *t = vga_new();
    g_autofree char *dir = g_dir_make_tmp("emu-vga-XXXXXX", NULL);
    g_autofree char *ppm = g_build_filename(dir, "a.ppm", NULL);
    g_autofree char *png = g_build_filename(dir, "a.png", NULL);
    g_autofree char *nowhere = g_build_filename(dir, "no", "a.png", NULL);
    g_autofree char *data = NULL, *packed = NULL;
    gsize len;
    GError *err = NULL;

    mode_13h(t);
    poke(t, 0xa0000, 7, 1);
    g_assert_true(console_screendump(t->con, ppm, "ppm", NULL));
    g_assert_true(g_file_get_contents(ppm, &data, &len, NULL));
    g_assert_cmpuint(len, ==, 15 + 640 * 400 * 3);
    g_assert_cmpmem(data, 15, "P6\n640 400\n255\n", 15);
    g_assert_cmphex((uint8_t)data[15] << 16 | (uint8_t)data[17], ==, test_colour(7));
    g_assert_true(console_screendump(t->con, png, "png", NULL));
    g_assert_true(g_file_get_contents(png, &packed, &len, NULL));
    g_assert_cmpmem(packed + 1, 3, "PNG", 3);
    g_assert_false(console_screendump(t->con, nowhere, "png", &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    g_assert_false(console_screendump(t->con, png, "bmp", &err));
    g_clear_error(&err);
    unlink(ppm);
    unlink(png);
    rmdir(dir);
    vga_free(t);
}

static void test_random_pokes_are_harmless(void)
{
    VgaTest *t = vga_new();
    GRand *rand = g_rand_new_with_seed(7);
    unsigned rounds = g_test_slow() ? 1000000 : 60000;

    for (unsigned i = 0; i < rounds; i++) {
        unsigned what = g_rand_int_range(rand, 0, 100);
        uint32_t value = g_rand_int(rand);
        unsigned size = 1u << (value >> 30);

        if (what < 50) {
            uint16_t port = (uint16_t)(0x3b0 + (value & 0x2f));
            fixture_out(t->f, port, value >> 8, size > 4 ? 2 : size);
            fixture_in(t->f, port, 1);
        } else if (what < 65) {
            vbe(t, value % 12, value >> 16 & (value & 0x1000 ? 0x3ff : 0xffff));
            vbe_in(t, value >> 8 & 15);
        } else if (what < 67) {
            vbe(t, VBE_ENABLE, value);
        } else if (what < 85) {
            poke(t, 0xa0000 + (value & 0x1ffff), g_rand_int(rand), size);
            peek(t, 0xa0000 + (value & 0x1ffff), size);
        } else if (what < 92) {
            poke(t, MMIO + (value & 0xfff), g_rand_int(rand), size);
            peek(t, MMIO + (value & 0xfff), size);
        } else if (what < 97) {
            poke(t, LFB + (value & 0xffffff), g_rand_int(rand), size);
        } else if (i % 8 == 0) {
            console_update(t->con);
        } else if (i % 50 == 0) {
            GByteArray *state = fixture_save(t->dev);
            fixture_load(t->dev, state);
            g_byte_array_unref(state);
        }
    }
    g_rand_free(rand);
    vga_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vga/text-shows-glyphs-in-colours", test_text_shows_glyphs_in_colours);
    g_test_add_func("/vga/mode-13h", test_mode_13h);
    g_test_add_func("/vga/planar-write-modes", test_planar_write_modes);
    g_test_add_func("/vga/vbe-modes", test_vbe_modes);
    g_test_add_func("/vga/only-changed-lines-are-redrawn", test_only_changed_lines_are_redrawn);
    g_test_add_func("/vga/state-is-complete", test_state_is_complete);
    g_test_add_func("/vga/screendump-formats", test_screendump_formats);
    g_test_add_func("/vga/random-pokes-are-harmless", test_random_pokes_are_harmless);
    return g_test_run();
}
