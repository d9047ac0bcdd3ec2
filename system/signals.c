/*
 * Signals, as events of the main loop.
 *
 * They are blocked in every thread and read from a signalfd, so that none interrupts a vCPU. Until
 * that is set up, and where start-up waits with them unblocked, they end the process after the
 * terminal has got its settings back. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/mainloop.h"
#include "system/vm.h"
#include "ui/chardev.h"
#include "util/keyval.h"

static void handled_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCONT);
}

static void die_by_signal(int number)
{
    sigset_t set;

    chardev_restore_terminal();
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

void signals_block(void)
{
    static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT};
    sigset_t set;

    for (size_t i = 0; i < G_N_ELEMENTS(fatal); i++) {
        struct sigaction old, sa = {.sa_handler = die_by_signal, .sa_flags = SA_ONSTACK};
        if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(fatal[i], &sa, NULL);
        }
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond ulimit -f is an I/O error like any other */
    handled_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static gboolean signal_came(int fd, GIOCondition cond, void *opaque)
{
    struct signalfd_siginfo info;

    (void)cond;
    if (read(fd, &info, sizeof(info)) != sizeof(info)) {
        return G_SOURCE_CONTINUE;
    }
    if (info.ssi_signo == SIGCONT) {
        chardev_continue_terminal();
        return G_SOURCE_CONTINUE;
    }
    fprintf(stderr, "%s: terminating on signal %d", g_get_prgname(), (int)info.ssi_signo);
    if (info.ssi_code <= 0) { /* sent by a process, not by the terminal */
        fprintf(stderr, " from pid %d", (int)info.ssi_pid);
    }
    fputc('\n', stderr);
    machine_request_shutdown(opaque, SHUTDOWN_HOST_SIGNAL, 0);
    return G_SOURCE_CONTINUE;
}

bool signals_watch(Machine *m, GError **err)
{
    sigset_t set;
    int fd;

    handled_signals(&set);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        emu_set_error(err, "signalfd: %s", g_strerror(errno));
        return false;
    }
    main_loop_watch_fd(fd, G_IO_IN, signal_came, m);
    return true;
}
