/*
 * Screen dumps: a console's surface as PPM (binary, P6) or PNG.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "ui/console.h"
#include "util/keyval.h"

/* One line of the surface as bytes R G B. */
static void line_rgb(pixman_image_t *image, int y, uint8_t *out)
{
    const uint32_t *line =
        pixman_image_get_data(image) + (size_t)y * ((size_t)pixman_image_get_stride(image) / 4);
    int width = pixman_image_get_width(image);

    for (int x = 0; x < width; x++) {
        *out++ = (uint8_t)(line[x] >> 16);
        *out++ = (uint8_t)(line[x] >> 8);
        *out++ = (uint8_t)line[x];
    }
}

static bool write_ppm(FILE *file, pixman_image_t *image)
{
    size_t width = (size_t)pixman_image_get_width(image);
    int height = pixman_image_get_height(image);
    g_autofree uint8_t *line = g_malloc(width * 3);

    fprintf(file, "P6\n%zu %d\n255\n", width, height);
    for (int y = 0; y < height; y++) {
        line_rgb(image, y, line);
        if (fwrite(line, 3, width, file) != width) {
            return false;
        }
    }
    return true;
}

/* Apart from its caller, because of setjmp: nothing here is changed between it and a longjmp. */
static bool write_png_lines(png_structp png, png_infop info, FILE *file, pixman_image_t *image,
                            uint8_t *line)
{
    if (setjmp(png_jmpbuf(png))) {
        return false;
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)pixman_image_get_width(image),
                 (png_uint_32)pixman_image_get_height(image), 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < pixman_image_get_height(image); y++) {
        line_rgb(image, y, line);
        png_write_row(png, line);
    }
    png_write_end(png, NULL);
    return true;
}

static bool write_png(FILE *file, pixman_image_t *image)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    g_autofree uint8_t *line = g_malloc((size_t)pixman_image_get_width(image) * 3);
    bool ok = info && write_png_lines(png, info, file, image, line);

    png_destroy_write_struct(&png, &info);
    return ok;
}

bool console_screendump(Console *con, const char *path, const char *format, GError **err)
{
    bool png = g_str_equal(format, "png"), ok;
    pixman_image_t *image;
    FILE *file;

    if (!png && !g_str_equal(format, "ppm")) {
        emu_set_error(err, "screendump: unknown format '%s'; use png or ppm", format);
        return false;
    }
    console_update(con);
    image = console_surface(con);
    if (!image) {
        emu_set_error(err, "screendump: the display has shown nothing yet");
        return false;
    }
    file = fopen(path, "wbe");
    if (!file) {
        emu_set_error(err, "screendump: cannot write '%s': %s", path, g_strerror(errno));
        return false;
    }
    errno = 0;
    ok = png ? write_png(file, image) : write_ppm(file, image);
    if (fclose(file) != 0) {
        ok = false;
    }
    if (!ok) {
        emu_set_error(err, "screendump: writing '%s' failed: %s", path, g_strerror(errno));
    }
    return ok;
}
