/*
 * The stdio character back end: the terminal, raw, or whatever standard input and output are.
 *
 * The terminal's settings are given back at every exit, also from signal handlers. Output gets an
 * open file description of its own, so that making it non-blocking does not leak into the shell
 * that shares ours. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "ui/chardev_int.h"

typedef struct StdioChardev {
    Chardev chr;
    CharFd fd;
} StdioChardev;

/* Process-wide, as the terminal is, and reached from signal handlers. */
static struct termios saved_settings, raw_settings;
static _Atomic bool terminal_raw;
static bool stdio_in_use;

void chardev_restore_terminal(void)
{
    if (atomic_exchange(&terminal_raw, false)) {
        tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings);
    }
}

void chardev_continue_terminal(void)
{
    if (atomic_load(&terminal_raw)) {
        tcsetattr(STDIN_FILENO, TCSANOW, &raw_settings);
    }
}

/* SIGNALS: Ctrl-C and Ctrl-Z keep their meaning. */
static void terminal_make_raw(bool signals)
{
    if (tcgetattr(STDIN_FILENO, &saved_settings) < 0) {
        return; /* no terminal */
    }
    raw_settings = saved_settings;
    raw_settings.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw_settings.c_oflag |= OPOST;
    raw_settings.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals) {
        raw_settings.c_lflag &= ~ISIG;
    }
    raw_settings.c_cflag = (raw_settings.c_cflag & ~(CSIZE | PARENB)) | CS8;
    raw_settings.c_cc[VMIN] = 1;
    raw_settings.c_cc[VTIME] = 0;
    atomic_store(&terminal_raw, true);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw_settings);
}

static int output_fd(void)
{
    struct stat st;

    if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))) {
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
    }
    return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

static bool stdio_open(Chardev *chr, KeyVal *kv, GError **err)
{
    StdioChardev *s = (StdioChardev *)chr;
    bool signals = true;

    if (!keyval_get_bool(kv, "signal", &signals, err)) {
        return false;
    }
    if (stdio_in_use) {
        emu_set_error(err, "standard input and output serve one back end (mon:stdio shares it)");
        return false;
    }
    int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    int out = output_fd();
    if (in < 0 && out < 0) {
        emu_set_error(err, "stdio: standard input and output are closed");
        return false;
    }
    stdio_in_use = true;
    terminal_make_raw(signals);
    char_fd_start(&s->fd, chr, in, out);
    chr->connected = true;
    return true;
}

static void stdio_close(Chardev *chr)
{
    char_fd_stop(&((StdioChardev *)chr)->fd, true);
    chardev_restore_terminal();
    stdio_in_use = false;
}

static size_t stdio_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return char_fd_write(&((StdioChardev *)chr)->fd, buf, len);
}

static void stdio_wait(Chardev *chr)
{
    char_fd_wait(&((StdioChardev *)chr)->fd);
}

static void stdio_accept_input(Chardev *chr)
{
    char_fd_accept_input(&((StdioChardev *)chr)->fd);
}

const ChardevKind chardev_stdio = {
    .name = "stdio",
    .options = "[,signal=on|off]",
    .size = sizeof(StdioChardev),
    .open = stdio_open,
    .close = stdio_close,
    .write = stdio_write,
    .wait_writable = stdio_wait,
    .accept_input = stdio_accept_input,
};
