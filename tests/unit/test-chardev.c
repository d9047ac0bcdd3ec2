/*
 * Character back ends: what is written arrives, back-pressure holds both ways, focus and escapes of
 * the multiplexer. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mainloop.h"
#include "ui/chardev.h"

/* A front end that takes ROOM bytes and keeps what it got. */
typedef struct End {
    CharFrontend *fe;
    size_t room;
    GString *got;
    GString *events; /* one letter each */
    int writable;
} End;

static size_t end_can_receive(void *opaque)
{
    return ((End *)opaque)->room;
}

static void end_receive(void *opaque, const uint8_t *buf, size_t len)
{
    End *e = opaque;

    g_assert_cmpuint(len, <=, e->room);
    e->room -= len;
    g_string_append_len(e->got, (const char *)buf, len);
}

static void end_event(void *opaque, CharEvent event)
{
    g_string_append_c(((End *)opaque)->events, "OCBIo"[event]);
}

static void end_writable(void *opaque)
{
    ((End *)opaque)->writable++;
}

static const CharHandlers end_handlers = {end_can_receive, end_receive, end_event, end_writable};

static End *end_new(Chardev *chr, size_t room)
{
    End *e = g_new0(End, 1);

    e->room = room;
    e->got = g_string_new(NULL);
    e->events = g_string_new(NULL);
    e->fe = chardev_attach(chr, &end_handlers, e, NULL);
    g_assert_nonnull(e->fe);
    return e;
}

static void end_free(End *e)
{
    chardev_detach(e->fe);
    g_string_free(e->got, TRUE);
    g_string_free(e->events, TRUE);
    g_free(e);
}

/* Runs the loop until nothing happens for a moment. */
static void settle(void)
{
    for (int quiet = 0; quiet < 20;) {
        if (main_loop_iterate(false)) {
            quiet = 0;
        } else {
            quiet++;
            g_usleep(1000);
        }
    }
}

static char *tmp_path(const char *name)
{
    static char *dir;

    if (!dir) {
        dir = g_dir_make_tmp("test-chardev-XXXXXX", NULL);
    }
    return g_build_filename(dir, name, NULL);
}

/* ---- files and pipes ---- */

static void test_file_holds_what_was_written(void)
{
    g_autofree char *path = tmp_path("out,with,commas");
    g_autofree char *spec = g_strconcat("file:", path, NULL);
    g_autofree char *text = NULL;
    End *e = end_new(chardev_from_legacy("f", spec, NULL), 0);

    g_assert_cmpstr(e->events->str, ==, "O");
    g_assert_cmpuint(chardev_write(e->fe, "hello ", 6), ==, 6);
    chardev_write_all(e->fe, "world", 5);
    end_free(e);
    chardev_free_all();
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "hello world");
    g_unlink(path);
}

static void test_pipe_reads_only_what_the_front_end_takes(void)
{
    g_autofree char *path = tmp_path("pipe");
    g_autofree char *in = g_strconcat(path, ".in", NULL), *out = g_strconcat(path, ".out", NULL);
    g_autofree char *spec = g_strconcat("pipe:", path, NULL);

    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    End *e = end_new(chardev_from_legacy("p", spec, NULL), 3);
    int fd = open(in, O_WRONLY);
    g_assert_cmpint(write(fd, "abcdefgh", 8), ==, 8);
    settle();
    g_assert_cmpstr(e->got->str, ==, "abc");
    e->room = 100;
    settle();
    g_assert_cmpstr(e->got->str, ==, "abc"); /* not told that there is room */
    chardev_accept_input(e->fe);
    settle();
    g_assert_cmpstr(e->got->str, ==, "abcdefgh");
    close(fd);
    end_free(e);
    chardev_free_all();
    g_unlink(in);
    g_unlink(out);
}

/* ---- sockets ---- */

static int connect_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
    return fd;
}

static void test_socket_serves_one_client_after_the_other(void)
{
    g_autofree char *path = tmp_path("socket");
    g_autofree char *spec = g_strdup_printf("unix:%s,server=on,wait=off", path);
    char buf[16] = "";
    End *e = end_new(chardev_from_legacy("s", spec, NULL), 100);

    g_assert_cmpuint(chardev_write(e->fe, "lost", 4), ==, 4);
    for (int i = 0; i < 2; i++) {
        int fd = connect_unix(path);
        g_assert_cmpint(write(fd, "in", 2), ==, 2);
        settle();
        chardev_write_all(e->fe, "out", 3);
        g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 3);
        close(fd);
        settle();
    }
    g_assert_cmpstr(e->events->str, ==, "OCOC");
    g_assert_cmpstr(e->got->str, ==, "inin");
    end_free(e);
    chardev_free_all();
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_a_full_socket_makes_writes_short_until_writable(void)
{
    g_autofree char *path = tmp_path("socket2");
    g_autofree char *spec = g_strdup_printf("unix:%s,server,nowait", path);
    static uint8_t block[65536], buf[65536];
    size_t sent = 0, part, got = 0;
    End *e = end_new(chardev_from_legacy("s", spec, NULL), 0);
    int fd = connect_unix(path);

    settle();
    do {
        part = chardev_write(e->fe, block, sizeof(block));
        sent += part;
        g_assert_cmpuint(sent, <, 64 << 20);
    } while (part == sizeof(block));
    g_assert_cmpint(e->writable, ==, 0);
    while (got < sent) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 0) == 1) {
            got += read(fd, buf, sizeof(buf));
        }
        main_loop_iterate(false);
    }
    settle();
    g_assert_cmpuint(got, ==, sent);
    g_assert_cmpint(e->writable, ==, 1);
    close(fd);
    end_free(e);
    chardev_free_all();
}

static void test_socket_options_are_checked(void)
{
    static const char *const bad[] = {
        "unix:/nonexistent/x",         "tcp:nocolon",
        "unix:/tmp/x,wait=on",         "unix:/tmp/x,foo=1",
        "tcp:localhost:1,reconnect=5", "telnet:localhost:1",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        g_assert_null(chardev_from_legacy("x", bad[i], &err));
        g_assert_nonnull(err);
    }
}

/* ---- ids ---- */

static void test_a_back_end_serves_one_front_end_unless_shared(void)
{
    g_autoptr(GError) err = NULL;
    Chardev *chr = chardev_from_options("null,id=n", NULL);
    Chardev *mux = chardev_from_options("null,id=m,mux=on", NULL);
    End *e = end_new(chr, 0), *a = end_new(mux, 0), *b = end_new(mux, 0);

    g_assert_null(chardev_attach(chr, &end_handlers, e, &err));
    g_assert_nonnull(err);
    g_assert_true(chardev_find("m") == mux);
    g_assert_true(chardev_from_legacy("other", "chardev:n", NULL) == chr);
    end_free(e);
    end_free(a);
    end_free(b);
    chardev_free_all();
}

static void test_ids_are_unique_and_required(void)
{
    static const char *const bad[] = {"null", "null,id=n", "foo,id=x", "null,id=y,foo=1"};

    chardev_from_options("null,id=n", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        g_assert_null(chardev_from_options(bad[i], &err));
        g_assert_nonnull(err);
    }
    chardev_free_all();
}

/* ---- ring buffer ---- */

static void test_ringbuf_keeps_the_last_bytes(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    End *e = end_new(chardev_from_options("ringbuf,id=r,size=8", NULL), 2);

    chardev_write_all(e->fe, "0123456789", 10);
    g_assert_true(chardev_ringbuf_read("r", 100, out, NULL));
    g_assert_cmpmem(out->data, out->len, "23456789", 8);
    g_assert_true(chardev_ringbuf_write("r", "abc", 3, NULL));
    g_assert_cmpstr(e->got->str, ==, "ab");
    e->room = 5;
    chardev_accept_input(e->fe);
    g_assert_cmpstr(e->got->str, ==, "abc");
    g_assert_false(chardev_ringbuf_read("other", 1, out, NULL));
    end_free(e);
    chardev_free_all();
}

/* ---- the multiplexer ---- */

static void note_quit(void *opaque)
{
    (*(int *)opaque)++;
}

static void test_mux_gives_the_focus_to_the_last_attached_once_started(void)
{
    Chardev *mux = chardev_from_options("null,id=m,mux=on", NULL);
    End *a = end_new(mux, 100), *b = end_new(mux, 100);

    g_assert_cmpstr(b->events->str, ==, "");
    chardev_start();
    g_assert_cmpstr(a->events->str, ==, "");
    g_assert_cmpstr(b->events->str, ==, "I");
    end_free(b);
    g_assert_cmpstr(a->events->str, ==, "I");
    end_free(a);
    chardev_free_all();
}

static void test_mux_escapes_work_also_when_the_front_end_takes_nothing(void)
{
    int quits = 0;
    char buf[1024];
    ChardevEscapes escapes = {.quit = note_quit, .opaque = &quits};
    g_autofree char *path = tmp_path("socket3");
    g_autofree char *spec = g_strdup_printf("mon:unix:%s,server=on,wait=off", path);

    chardev_set_escapes(&escapes);
    Chardev *mux = chardev_from_legacy("m", spec, NULL);
    End *a = end_new(mux, 100), *b = end_new(mux, 4);
    chardev_start();
    int fd = connect_unix(path);
    settle();
    g_assert_cmpint(write(fd, "b\1\1\1cab\1bx", 10), ==, 10);
    settle();
    g_assert_cmpstr(b->got->str, ==, "b\1");
    g_assert_cmpstr(a->got->str, ==, "abx");
    g_assert_cmpstr(b->events->str, ==, "IOo");
    g_assert_cmpstr(a->events->str, ==, "OIB");
    /* The one that takes no more does not keep escapes from being seen. */
    a->room = 0;
    g_assert_cmpint(write(fd, "zzzz\1x\1h", 8), ==, 8);
    settle();
    g_assert_cmpint(quits, ==, 1);
    g_assert_cmpstr(a->got->str, ==, "abx");
    a->room = 100;
    chardev_accept_input(a->fe);
    g_assert_cmpstr(a->got->str, ==, "abxzzzz");
    ssize_t n = read(fd, buf, sizeof(buf) - 1);
    g_assert_cmpint(n, >, 0);
    buf[n] = 0;
    g_assert_nonnull(strstr(buf, "C-a x"));
    close(fd);
    end_free(a);
    end_free(b);
    chardev_free_all();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_set_prgname("test-chardev");
    signal(SIGPIPE, SIG_IGN);
    main_loop_init();
    g_test_add_func("/chardev/file_holds_what_was_written", test_file_holds_what_was_written);
    g_test_add_func("/chardev/pipe_reads_only_what_the_front_end_takes",
                    test_pipe_reads_only_what_the_front_end_takes);
    g_test_add_func("/chardev/socket_serves_one_client_after_the_other",
                    test_socket_serves_one_client_after_the_other);
    g_test_add_func("/chardev/a_full_socket_makes_writes_short_until_writable",
                    test_a_full_socket_makes_writes_short_until_writable);
    g_test_add_func("/chardev/socket_options_are_checked", test_socket_options_are_checked);
    g_test_add_func("/chardev/a_back_end_serves_one_front_end_unless_shared",
                    test_a_back_end_serves_one_front_end_unless_shared);
    g_test_add_func("/chardev/ids_are_unique_and_required", test_ids_are_unique_and_required);
    g_test_add_func("/chardev/ringbuf_keeps_the_last_bytes", test_ringbuf_keeps_the_last_bytes);
    g_test_add_func("/chardev/mux_gives_the_focus_to_the_last_attached_once_started",
                    test_mux_gives_the_focus_to_the_last_attached_once_started);
    g_test_add_func("/chardev/mux_escapes_work_also_when_the_front_end_takes_nothing",
                    test_mux_escapes_work_also_when_the_front_end_takes_nothing);
    return g_test_run();
}
