/*
 * The process as a whole: its name, log, pid file, and going to the background.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "system/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/keyval.h"
#include "util/log.h"

static int ready_pipe = -1; /* the daemon's end, on which it tells its parent */

static bool fail_errno(const char *what, GError **err)
{
    emu_set_error(err, "%s: %s", what, g_strerror(errno));
    return false;
}

/* The parent: waits for the daemon's word. */
static void wait_and_exit(int fd)
{
    char word;
    ssize_t n;

    do {
        n = read(fd, &word, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Twice, so that the daemon is no session leader and never gets a terminal. */
static bool go_to_background(GError **err)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0) {
        return fail_errno("-daemonize", err);
    }
    pid = fork();
    if (pid < 0) {
        return fail_errno("-daemonize", err);
    }
    if (pid > 0) {
        close(fds[1]);
        wait_and_exit(fds[0]);
    }
    close(fds[0]);
    setsid();
    pid = fork();
    if (pid < 0) {
        return fail_errno("-daemonize", err);
    }
    if (pid > 0) {
        _exit(EXIT_SUCCESS);
    }
    ready_pipe = fds[1];
    return true;
}

bool process_prepare(const VmConfig *cfg, GError **err)
{
    if (cfg->daemonize && cfg->nographic) {
        emu_set_error(err, "-daemonize: does not go with -nographic, which needs the terminal");
        return false;
    }
    if (cfg->process_name) {
        prctl(PR_SET_NAME, cfg->process_name);
    }
    if (cfg->log_path && !log_open(cfg->log_path, err)) {
        return false;
    }
    return !cfg->daemonize || go_to_background(err);
}

static bool write_pidfile(const char *path, GError **err)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fprintf(f, "%d\n", (int)getpid()) > 0;

    if (f) {
        ok = fclose(f) == 0 && ok;
    }
    return ok || fail_errno(path, err);
}

static bool let_go(GError **err)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0 || chdir("/") < 0) {
        return fail_errno("-daemonize", err);
    }
    for (int fd = 0; fd <= 2; fd++) {
        dup2(null_fd, fd);
    }
    close(null_fd);
    if (write(ready_pipe, "", 1) != 1) {
        return fail_errno("-daemonize", err);
    }
    close(ready_pipe);
    return true;
}

bool process_ready(const VmConfig *cfg, GError **err)
{
    if (cfg->pidfile && !write_pidfile(cfg->pidfile, err)) {
        g_prefix_error(err, "-pidfile: ");
        return false;
    }
    return !cfg->daemonize || let_go(err);
}

void process_end(const VmConfig *cfg)
{
    if (cfg->pidfile) {
        unlink(cfg->pidfile);
    }
    log_close();
}
