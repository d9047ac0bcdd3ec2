/*
 * emu-img: creates, examines, checks, converts and resizes disk images, with qemu-img's command
 * line. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "core/iothread.h"
#include "tools/img.h"
#include "tools/img-main.h"

static const ImgCommand *const commands[] = {
    &img_check_command, &img_compare_command, &img_convert_command, &img_create_command,
    &img_info_command,  &img_map_command,     &img_resize_command,
};

static void print_help(void)
{
    printf("emu-img version " CONFIG_VERSION "\n"
           "usage: emu-img [--help | --version] COMMAND [OPTIONS]\n\n"
           "Disk image utility. Commands:\n\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        printf("  %s %s\n", commands[i]->name, commands[i]->synopsis);
    }
    printf("\nFormats: raw, qcow2. See emu-img(1).\n");
}

typedef struct Job {
    const ImgCommand *cmd;
    int argc;
    char **argv;
    int status;
} Job;

static void run_job(void *opaque)
{
    Job *job = opaque;

    job->status = job->cmd->run(job->argc, job->argv);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    Job job = {0};

    g_set_prgname("emu-img");
    if (argc < 2) {
        img_error("Not enough arguments; try 'emu-img --help'");
        return 1;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("emu-img version " CONFIG_VERSION "\n");
        return 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i]->name, argv[1]) == 0) {
            job.cmd = commands[i];
        }
    }
    if (!job.cmd) {
        img_error("Command not found: %s; try 'emu-img --help'", argv[1]);
        return 1;
    }
    job.argc = argc - 1;
    job.argv = argv + 1;
    if (!img_start(&err)) {
        return img_fail(err, 1);
    }
    io_thread_run_sync(img_thread(), run_job, &job);
    img_stop();
    if (fflush(stdout) != 0) {
        img_error("Could not write to standard output");
        return 1;
    }
    return job.status;
}
