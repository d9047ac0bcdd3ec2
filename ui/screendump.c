/*
 * Screen dumps: a console's surface as PPM (binary, P6) or PNG (ISO/IEC 15948; 8-bit RGB, no
 * filter, zlib's stream cut into IDAT chunks). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "ui/console.h"
#include "util/keyval.h"

enum { IDAT_SIZE = 32768 };

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

/* ---- PNG ---- */

static void put_be32(uint8_t *p, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(p, &value, sizeof(value));
}

static bool write_chunk(FILE *file, const char *type, const uint8_t *data, size_t len)
{
    uint8_t head[8], tail[4];
    uLong crc = crc32(0, (const Bytef *)type, 4);

    if (len) {
        crc = crc32(crc, data, (uInt)len);
    }
    put_be32(head, (uint32_t)len);
    memcpy(head + 4, type, 4);
    put_be32(tail, (uint32_t)crc);
    return fwrite(head, 1, 8, file) == 8 && (!len || fwrite(data, 1, len, file) == len) &&
           fwrite(tail, 1, 4, file) == 4;
}

/* Deflates what Z has as input; every full buffer becomes a chunk, at the end also the last. */
static bool deflate_chunks(z_stream *z, FILE *file, uint8_t *out, int flush)
{
    int ret;

    do {
        if (!z->avail_out) {
            if (!write_chunk(file, "IDAT", out, IDAT_SIZE)) {
                return false;
            }
            z->next_out = out;
            z->avail_out = IDAT_SIZE;
        }
        ret = deflate(z, flush);
    } while (flush == Z_FINISH ? ret == Z_OK || ret == Z_BUF_ERROR : z->avail_in > 0);
    if (flush == Z_FINISH) {
        return ret == Z_STREAM_END && write_chunk(file, "IDAT", out, IDAT_SIZE - z->avail_out);
    }
    return true;
}

static bool write_image_data(FILE *file, pixman_image_t *image)
{
    size_t len = (size_t)pixman_image_get_width(image) * 3 + 1;
    g_autofree uint8_t *line = g_malloc(len), *out = g_malloc(IDAT_SIZE);
    z_stream z = {.next_out = out, .avail_out = IDAT_SIZE};
    bool ok = deflateInit(&z, 3) == Z_OK;

    line[0] = 0; /* filter type: none */
    for (int y = 0; ok && y < pixman_image_get_height(image); y++) {
        line_rgb(image, y, line + 1);
        z.next_in = line;
        z.avail_in = (uInt)len;
        ok = deflate_chunks(&z, file, out, Z_NO_FLUSH);
    }
    ok = ok && deflate_chunks(&z, file, out, Z_FINISH);
    deflateEnd(&z);
    return ok;
}

static bool write_png(FILE *file, pixman_image_t *image)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t header[13] = {0};

    put_be32(header, (uint32_t)pixman_image_get_width(image));
    put_be32(header + 4, (uint32_t)pixman_image_get_height(image));
    header[8] = 8; /* bits per sample */
    header[9] = 2; /* RGB */
    return fwrite(signature, 1, 8, file) == 8 && write_chunk(file, "IHDR", header, 13) &&
           write_image_data(file, image) && write_chunk(file, "IEND", NULL, 0);
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
