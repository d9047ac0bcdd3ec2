/*
 * The serial port, with a pair of pipes at the far end.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mainloop.h"
#include "hw/char/serial_isa.h"
#include "rig.h"
#include "ui/chardev.h"

enum { RBR = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

static Rig *rig;
static Device *port;
static int to_guest, from_guest;

/* A fresh port with FIFOs and interrupts let out. */
static void start(uint8_t fcr)
{
    char buf[4096];

    port->cls->reset(port);
    while (read(from_guest, buf, sizeof(buf)) > 0) {
    }
    rig_out(rig, MCR, 0x0b);
    rig_out(rig, FCR, fcr);
    rig_in(rig, MSR);
}

static void type(const char *text)
{
    g_assert_cmpint(write(to_guest, text, strlen(text)), ==, strlen(text));
    for (int i = 0; i < 20; i++) {
        main_loop_iterate(false);
    }
}

static char *output(void)
{
    static char buf[4096];
    ssize_t n = read(from_guest, buf, sizeof(buf) - 1);

    buf[n < 0 ? 0 : n] = 0;
    return buf;
}

static void test_bytes_go_out_when_status_is_read(void)
{
    start(1);
    for (const char *p = "Hello"; *p; p++) {
        rig_out(rig, RBR, (uint8_t)*p);
    }
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x60);
    g_assert_cmpstr(output(), ==, "Hello");
}

static void test_bytes_go_out_by_themselves(void)
{
    start(1);
    rig_out(rig, IER, 2);
    rig_in(rig, IIR);
    rig_out(rig, RBR, 'x');
    g_assert_cmpint(rig->level[4], ==, 0);
    rig_run(5000000);
    g_assert_cmpstr(output(), ==, "x");
    g_assert_cmpint(rig->level[4], ==, 1);
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc2);
    g_assert_cmpint(rig->level[4], ==, 0); /* reading IIR clears it */
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc1);
}

static void test_enabling_thre_interrupts_at_once(void)
{
    start(1);
    rig_out(rig, IER, 2);
    g_assert_cmpint(rig->level[4], ==, 1);
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc2);
    rig_out(rig, IER, 0);
    rig_out(rig, IER, 2); /* again, though IIR was read */
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc2);
    g_assert_cmpint(rig->level[4], ==, 0);
}

static void test_enabling_thre_behind_a_byte_interrupts_at_once(void)
{
    start(1);
    rig_out(rig, RBR, 'x'); /* SeaBIOS: its console has just printed, now it looks for ports */
    rig_out(rig, IER, 2);
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc2);
    g_assert_cmpstr(output(), ==, "x");
}

static void test_receive_interrupt_follows_the_trigger(void)
{
    start(0x41); /* 4 bytes */
    rig_out(rig, IER, 1);
    type("abc");
    g_assert_cmpint(rig->level[4], ==, 0);
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x61);
    type("d");
    g_assert_cmpint(rig->level[4], ==, 1);
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc4);
    g_assert_cmpuint(rig_in(rig, RBR), ==, 'a');
    g_assert_cmpint(rig->level[4], ==, 0);
    rig_run(20000000); /* the time-out for the rest */
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xcc);
    g_assert_cmpuint(rig_in(rig, RBR), ==, 'b');
    g_assert_cmpuint(rig_in(rig, RBR), ==, 'c');
    g_assert_cmpuint(rig_in(rig, RBR), ==, 'd');
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc1);
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x60);
}

static void test_input_waits_for_room(void)
{
    start(1);
    type("0123456789abcdefghij");
    for (const char *p = "0123456789abcdefghij"; *p; p++) {
        for (int i = 0; i < 20 && !(rig_in(rig, LSR) & 1); i++) {
            main_loop_iterate(false);
        }
        g_assert_cmpuint(rig_in(rig, RBR), ==, (uint8_t)*p);
    }
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x60); /* and no overrun */
}

static void test_a_full_pipe_holds_thre_back(void)
{
    long sent = 0, got = 0;
    char buf[4096];
    ssize_t n;

    start(1);
    while (rig_in(rig, LSR) & 0x20) {
        rig_out(rig, RBR, (uint8_t)sent++);
        g_assert_cmpint(sent, <, 10 << 20);
    }
    rig_out(rig, IER, 2);
    g_assert_cmpint(rig->level[4], ==, 0);
    while (got < sent) {
        main_loop_iterate(false);
        n = read(from_guest, buf, sizeof(buf));
        for (ssize_t i = 0; i < n; i++) {
            g_assert_cmpuint((uint8_t)buf[i], ==, (uint8_t)got++);
        }
    }
    g_assert_cmphex(rig_in(rig, LSR) & 0x60, ==, 0x60);
    g_assert_cmpint(rig->level[4], ==, 1);
}

static void test_loop_back(void)
{
    start(1);
    rig_out(rig, MCR, 0x1a); /* loop, OUT2, RTS */
    g_assert_cmphex(rig_in(rig, MSR) & 0xf0, ==, 0x90);
    rig_out(rig, MCR, 0x15); /* DTR, OUT1 */
    g_assert_cmphex(rig_in(rig, MSR), ==, 0x6b);
    rig_out(rig, RBR, 0xa5);
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x61);
    g_assert_cmphex(rig_in(rig, RBR), ==, 0xa5);
    for (int i = 0; i < 17; i++) {
        rig_out(rig, RBR, (uint8_t)i);
    }
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x63); /* overrun, once */
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x61);
    rig_out(rig, FCR, 3);
    g_assert_cmphex(rig_in(rig, LSR), ==, 0x60);
    g_assert_cmpstr(output(), ==, "");
}

static void test_divisor_scratch_and_fifo_detection(void)
{
    start(0);
    g_assert_cmphex(rig_in(rig, IIR), ==, 0x01);
    rig_out(rig, FCR, 1);
    g_assert_cmphex(rig_in(rig, IIR), ==, 0xc1);
    rig_out(rig, LCR, 0x83);
    rig_out(rig, RBR, 0x01);
    rig_out(rig, IER, 0x02);
    g_assert_cmphex(rig_in(rig, RBR), ==, 0x01);
    g_assert_cmphex(rig_in(rig, IER), ==, 0x02);
    rig_out(rig, LCR, 0x03);
    g_assert_cmphex(rig_in(rig, IER), ==, 0x00);
    rig_out(rig, SCR, 0x5a);
    g_assert_cmphex(rig_in(rig, SCR), ==, 0x5a);
}

static void test_state_survives(void)
{
    start(1);
    type("xyz");
    rig_out(rig, IER, 5);
    rig_save_load(port);
    g_assert_cmphex(rig_in(rig, IER), ==, 5);
    g_assert_cmpuint(rig_in(rig, RBR), ==, 'x');
    g_assert_cmpuint(rig_in(rig, RBR), ==, 'y');
}

static void test_ports_are_numbered(void)
{
    Device *second = rig_isa(rig, &serial_isa_class);
    GError *err = NULL;

    g_assert_cmphex(serial_isa_iobase(second), ==, 0x2f8);
    g_assert_cmpint(serial_isa_irq(second), ==, 3);
    g_assert_null(device_create(&rig->m, isa_bus_qbus(rig->isa), &serial_isa_class, &err, "index",
                                "1", NULL));
    g_assert_nonnull(strstr(err->message, "index=1"));
    g_clear_error(&err);
    g_assert_null(device_create(&rig->m, isa_bus_qbus(rig->isa), &serial_isa_class, &err, "chardev",
                                "nowhere", NULL));
    g_assert_nonnull(strstr(err->message, "nowhere"));
    g_clear_error(&err);
    rig_out(rig, 0x2f8, 'x'); /* connected to nothing: lost */
    g_assert_cmphex(rig_in(rig, 0x2fd), ==, 0x60);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    g_autofree char *dir = g_dir_make_tmp("serial-XXXXXX", NULL);
    g_autofree char *base = g_build_filename(dir, "pipe", NULL);
    g_autofree char *in = g_strconcat(base, ".in", NULL);
    g_autofree char *out = g_strconcat(base, ".out", NULL);
    g_autofree char *spec = g_strconcat("pipe:", base, NULL);
    int status;

    g_test_init(&argc, &argv, NULL);
    rig = rig_new(0);
    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    to_guest = open(in, O_RDWR | O_NONBLOCK);
    from_guest = open(out, O_RDWR | O_NONBLOCK);
    chardev_from_legacy("com1", spec, &err);
    g_assert_no_error(err);
    port = device_create(&rig->m, isa_bus_qbus(rig->isa), &serial_isa_class, &err, "chardev",
                         "com1", NULL);
    g_assert_no_error(err);
    g_test_add_func("/serial/send-poll", test_bytes_go_out_when_status_is_read);
    g_test_add_func("/serial/send", test_bytes_go_out_by_themselves);
    g_test_add_func("/serial/thre", test_enabling_thre_interrupts_at_once);
    g_test_add_func("/serial/thre-behind", test_enabling_thre_behind_a_byte_interrupts_at_once);
    g_test_add_func("/serial/receive", test_receive_interrupt_follows_the_trigger);
    g_test_add_func("/serial/room", test_input_waits_for_room);
    g_test_add_func("/serial/back-pressure", test_a_full_pipe_holds_thre_back);
    g_test_add_func("/serial/loop", test_loop_back);
    g_test_add_func("/serial/registers", test_divisor_scratch_and_fifo_detection);
    g_test_add_func("/serial/state", test_state_survives);
    g_test_add_func("/serial/index", test_ports_are_numbered);
    status = g_test_run();
    unlink(in);
    unlink(out);
    rmdir(dir);
    return status;
}
