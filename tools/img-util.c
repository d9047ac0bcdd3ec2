/*
 * emu-img: messages, opening, sizes, progress.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "block/backend-int.h"
#include "tools/img-main.h"
#include "tools/img.h"

static IoThread *thread;

bool img_start(GError **err)
{
    thread = io_thread_new("emu-img", IO_ENGINE_AUTO, err);
    return thread != NULL;
}

void img_stop(void)
{
    io_thread_free(thread);
    thread = NULL;
}

IoThread *img_thread(void)
{
    return thread;
}

void img_error(const char *format, ...)
{
    va_list ap;
    g_autofree char *text = NULL;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    fflush(stdout);
    fprintf(stderr, "emu-img: %s\n", text);
}

int img_fail(GError *err, int status)
{
    img_error("%s", err->message);
    g_error_free(err);
    return status;
}

int img_usage(const ImgCommand *cmd, const char *format, ...)
{
    va_list ap;
    g_autofree char *text = NULL;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    img_error("%s: %s; usage: emu-img %s %s", cmd->name, text, cmd->name, cmd->synopsis);
    return 1;
}

BlockNode *img_open(const char *filename, const ImgOpen *how)
{
    BlockOpenArgs args;
    GError *err = NULL;
    bool write_cache;
    BlockNode *n;

    block_open_args_init(&args, thread);
    args.filename = filename;
    args.driver = how->format;
    args.read_only = !how->writable;
    args.force_share = how->force_share;
    args.no_backing = how->no_backing;
    args.lenient = how->lenient;
    args.unmap = how->unmap;
    args.quiet = how->quiet;
    if (how->force_share && how->writable) {
        img_error("-U cannot be used where the image is written to");
        return NULL;
    }
    if (how->cache &&
        !block_parse_cache_mode(how->cache, &args.direct, &args.no_flush, &write_cache)) {
        img_error("Invalid cache option: %s (use one of: %s)", how->cache, BLOCK_CACHE_MODES);
        return NULL;
    }
    n = block_co_open(&args, &err);
    if (!n) {
        img_fail(err, 1);
    }
    return n;
}

char *img_human_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t u = 0;

    while (u + 1 < G_N_ELEMENTS(units) && value >= 1000) {
        value /= 1024;
        u++;
    }
    return g_strdup_printf("%0.3g %s", value, units[u]);
}

char *img_json_string(const char *text)
{
    GString *s = g_string_new("\"");

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            g_string_append_c(s, '\\');
            g_string_append_c(s, (char)*p);
        } else if (*p < 0x20) {
            g_string_append_printf(s, "\\u%04x", *p);
        } else {
            g_string_append_c(s, (char)*p);
        }
    }
    g_string_append_c(s, '"');
    return g_string_free(s, FALSE);
}

bool img_parse_output(const char *value, bool *json)
{
    if (strcmp(value, "json") != 0 && strcmp(value, "human") != 0) {
        img_error("--output must be used with human or json as argument");
        return false;
    }
    *json = value[0] == 'j';
    return true;
}

void img_progress(ImgProgress *p, double fraction)
{
    int now = (int)(CLAMP(fraction, 0.0, 1.0) * 10000);

    /* QEMU's step is a percent; pipes and terminals thank for not more. */
    if (p->on && (now >= p->last + 100 || now == 10000 || p->last < 0)) {
        printf("    (%3.2f/100%%)\r", now / 100.0);
        fflush(stdout);
        p->last = now;
    }
}

void img_progress_end(ImgProgress *p)
{
    if (p->on) {
        p->last = -1;
        img_progress(p, 1.0);
        printf("\n");
    }
}
