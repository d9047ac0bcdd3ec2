/*
 * emu-img: what its subcommands share.
 *
 * A subcommand runs as a whole in one coroutine on the tool's I/O thread and may call block_co_*.
 * It returns the exit status.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TOOLS_IMG_H
#define TOOLS_IMG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/block-int.h"
#include "block/qcow2-create.h"

typedef struct ImgCommand {
    const char *name;
    const char *synopsis;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand */
} ImgCommand;

extern const ImgCommand img_create_command, img_info_command, img_check_command,
    img_convert_command, img_compare_command, img_resize_command, img_map_command;

/* "emu-img: ..." on standard error. */
void img_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* The same for ERR, which is freed; returns STATUS. */
int img_fail(GError *err, int status);
/* Wrong usage: names the command's help; returns 1. */
int img_usage(const ImgCommand *cmd, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* How images are opened. */
typedef struct ImgOpen {
    const char *format; /* NULL: probed */
    const char *cache;  /* a cache mode, NULL: writeback */
    bool writable, force_share, no_backing, lenient, unmap, quiet;
} ImgOpen;

/* NULL after reporting the error. */
BlockNode *img_open(const char *filename, const ImgOpen *how);

/* Options for a new image, gathered from -o and others. */
typedef struct ImgCreate {
    const char *format;
    const char *filename;
    Qcow2CreateOptions qcow2;
    bool has_size, has_cluster_size, unsafe_backing;
    char *backing_file, *backing_format;
} ImgCreate;

void img_create_init(ImgCreate *c, const char *filename, const char *format);
void img_create_clear(ImgCreate *c);
/* An -o list; "help" prints what there is and sets *HELP. */
bool img_create_options(ImgCreate *c, const char *list, bool *help, GError **err);
/* Checks the options, and the backing file (whose size is the default). */
bool img_create_prepare(ImgCreate *c, GError **err);
/* "Formatting 'x', fmt=..." */
void img_create_describe(const ImgCreate *c);
/* Creates it; the caller has called img_create_prepare(). */
bool img_create_run(const ImgCreate *c, GError **err);

/* A size as "1.5 GiB"; caller frees. */
char *img_human_size(uint64_t bytes);
/* A JSON string literal; caller frees. */
char *img_json_string(const char *text);
bool img_parse_output(const char *value, bool *json);

/* -p: "    (12.34/100%)" rewritten in place. */
typedef struct ImgProgress {
    bool on;
    int last; /* hundredths of a percent that were shown */
} ImgProgress;
void img_progress(ImgProgress *p, double fraction);
void img_progress_end(ImgProgress *p);

IoThread *img_thread(void);

#endif
