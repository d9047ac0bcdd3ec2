/*
 * The keyboard controller, its keyboard and mouse, through ports 60h and 64h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/input/i8042.h"
#include "hw/pc/pc.h"
#include "rig.h"
#include "ui/console.h"

static Rig *rig;
static Device *kbc;

/* Next byte of the output buffer, waiting for the line; -1: none comes. */
static int next(void)
{
    for (int i = 0; i < 10 && !(rig_in(rig, 0x64) & 1); i++) {
        rig_run(200000);
    }
    return rig_in(rig, 0x64) & 1 ? rig_in(rig, 0x60) : -1;
}

static void expect_bytes(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_assert_cmphex(next(), ==, bytes[i]);
    }
    g_assert_cmphex(next(), ==, -1);
}

#define EXPECT(...) expect_bytes((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void command(uint8_t value)
{
    rig_out(rig, 0x64, value);
}

static void data(uint8_t value)
{
    rig_out(rig, 0x60, value);
}

static void to_mouse(uint8_t value)
{
    command(0xd4);
    data(value);
}

static void start(uint8_t command_byte)
{
    kbc->cls->reset(kbc);
    command(0x60);
    data(command_byte);
}

static void key(KeyCode k)
{
    input_send_key(k, true);
    input_send_key(k, false);
}

static void test_controller_answers(void)
{
    start(0x47);
    command(0xaa);
    EXPECT(0x55);
    command(0xab);
    EXPECT(0x00);
    command(0xa9);
    EXPECT(0x00);
    command(0x60);
    data(0x65);
    command(0x20);
    EXPECT(0x65);
    command(0x65);
    data(0x77);
    command(0x25);
    EXPECT(0x77);
    command(0xd2);
    data(0x12);
    g_assert_cmphex(rig_in(rig, 0x64) & 0x21, ==, 0x01);
    EXPECT(0x12);
    command(0xd3);
    data(0x34);
    g_assert_cmphex(rig_in(rig, 0x64) & 0x21, ==, 0x21);
    EXPECT(0x34);
}

static void test_keyboard_commands(void)
{
    start(0x45);
    data(0xff);
    EXPECT(0xfa, 0xaa);
    data(0xf2);
    EXPECT(0xfa, 0xab, 0x41); /* translated */
    data(0xee);
    EXPECT(0xee);
    data(0xed);
    EXPECT(0xfa);
    data(0x07);
    EXPECT(0xfa);
    data(0xf0);
    EXPECT(0xfa);
    data(0x00);
    EXPECT(0xfa, 0x41); /* set 2, translated */
    data(0xf3);
    EXPECT(0xfa);
    data(0x20);
    EXPECT(0xfa);
    data(0x01);
    EXPECT(0xfe);
    start(0x05);
    data(0xf2);
    EXPECT(0xfa, 0xab, 0x83);
}

static void test_keys_in_set_1(void)
{
    start(0x45);
    key(KEYCODE_A);
    EXPECT(0x1e, 0x9e);
    key(KEYCODE_UP);
    EXPECT(0xe0, 0x48, 0xe0, 0xc8);
    key(KEYCODE_F7);
    EXPECT(0x41, 0xc1);
    key(KEYCODE_PRINT);
    EXPECT(0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa);
    key(KEYCODE_PAUSE);
    EXPECT(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
    input_send_key(KEYCODE_ALT, true);
    key(KEYCODE_PRINT);
    input_send_key(KEYCODE_ALT, false);
    EXPECT(0x38, 0x54, 0xd4, 0xb8);
}

static void test_keys_in_set_2_and_3(void)
{
    start(0x05);
    key(KEYCODE_RIGHT);
    EXPECT(0xe0, 0x74, 0xe0, 0xf0, 0x74);
    data(0xf0);
    data(0x03);
    EXPECT(0xfa, 0xfa);
    key(KEYCODE_RIGHT); /* presses only, by default */
    EXPECT(0x6a);
    key(KEYCODE_SHIFT);
    EXPECT(0x12, 0xf0, 0x12);
    data(0xf8);
    EXPECT(0xfa);
    key(KEYCODE_RIGHT);
    EXPECT(0x6a, 0xf0, 0x6a);
    data(0xf0);
    data(0x01); /* set 1 from the keyboard itself */
    EXPECT(0xfa, 0xfa);
    key(KEYCODE_RET);
    EXPECT(0x1c, 0x9c);
}

static void test_interrupts_and_a_second_read(void)
{
    unsigned edges = rig->edges[1];

    start(0x45);
    key(KEYCODE_B);
    g_assert_cmpint(rig->level[1], ==, 1);
    g_assert_cmphex(rig_in(rig, 0x60), ==, 0x30);
    g_assert_cmphex(rig_in(rig, 0x60), ==, 0x30); /* the same, not the next */
    g_assert_cmpint(rig->level[1], ==, 0);
    rig_run(2000000);
    g_assert_cmpuint(rig->edges[1] - edges, ==, 2);
    EXPECT(0xb0);
    command(0xad); /* keyboard off: keys wait */
    key(KEYCODE_C);
    g_assert_cmpint(next(), ==, -1);
    command(0xae);
    EXPECT(0x2e, 0xae);
    data(0xf5);
    EXPECT(0xfa);
    key(KEYCODE_C); /* scanning is off: lost */
    g_assert_cmpint(next(), ==, -1);
    data(0xf4);
    EXPECT(0xfa);
    key(KEYCODE_C);
    EXPECT(0x2e, 0xae);
}

static void test_mouse_reports(void)
{
    start(0x47);
    to_mouse(0xff);
    EXPECT(0xfa, 0xaa, 0x00);
    input_send_pointer(5, 5, 0, 0); /* not enabled yet */
    g_assert_cmpint(next(), ==, -1);
    to_mouse(0xf4);
    EXPECT(0xfa);
    input_send_pointer(5, -3, 0, 1);
    g_assert_cmpint(rig->level[12], ==, 1);
    g_assert_cmphex(rig_in(rig, 0x64) & 0x20, ==, 0x20);
    EXPECT(0x09, 5, 3);
    input_send_pointer(-200, 0, 0, 4);
    EXPECT(0x1a, 0x81, 0, 0x1a, (uint8_t)-73, 0);
    to_mouse(0xe9);
    EXPECT(0xfa, 0x21, 2, 100);
    to_mouse(0xf0);
    EXPECT(0xfa);
    input_send_pointer(1, 0, 0, 0);
    g_assert_cmpint(next(), ==, -1);
    to_mouse(0xeb);
    EXPECT(0xfa, 0x08, 1, 0);
    to_mouse(0xee);
    EXPECT(0xfa);
    to_mouse(0x33);
    EXPECT(0x33);
    to_mouse(0xec);
    EXPECT(0xfa);
}

static void test_mouse_wheel_is_unlocked(void)
{
    static const uint8_t wheel[] = {200, 100, 80}, five[] = {200, 200, 80};

    start(0x47);
    for (int i = 0; i < 3; i++) {
        to_mouse(0xf3);
        EXPECT(0xfa);
        to_mouse(wheel[i]);
        EXPECT(0xfa);
    }
    to_mouse(0xf2);
    EXPECT(0xfa, 3);
    to_mouse(0xf4);
    EXPECT(0xfa);
    input_send_pointer(0, 0, -1, 0);
    EXPECT(0x08, 0, 0, 0xff);
    for (int i = 0; i < 3; i++) {
        to_mouse(0xf3);
        EXPECT(0xfa);
        to_mouse(five[i]);
        EXPECT(0xfa);
    }
    to_mouse(0xf2);
    EXPECT(0xfa, 4);
    input_send_pointer(0, 0, 1, 8);
    EXPECT(0x08, 0, 0, 0x11);
}

static void test_a_flood_is_no_harm(void)
{
    start(0x47);
    to_mouse(0xf4);
    EXPECT(0xfa);
    for (int i = 0; i < 5000; i++) {
        input_send_pointer(1000, 1000, 100, (unsigned)i);
        key(KEYCODE_Q);
    }
    data(0xf2); /* replies still come, and first */
    for (int i = 0; i < 3 && next() != 0xfa; i++) {
    }
    g_assert_cmphex(next(), ==, 0xab);
    g_assert_cmphex(next(), ==, 0x41);
}

static void test_state_survives(void)
{
    start(0x45);
    key(KEYCODE_A);
    key(KEYCODE_B);
    rig_save_load(kbc);
    EXPECT(0x1e, 0x9e, 0x30, 0xb0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = rig_new(0);
    kbc = rig_isa(rig, &i8042_class);
    g_test_add_func("/i8042/controller", test_controller_answers);
    g_test_add_func("/i8042/keyboard", test_keyboard_commands);
    g_test_add_func("/i8042/set1", test_keys_in_set_1);
    g_test_add_func("/i8042/set2-3", test_keys_in_set_2_and_3);
    g_test_add_func("/i8042/irq", test_interrupts_and_a_second_read);
    g_test_add_func("/i8042/mouse", test_mouse_reports);
    g_test_add_func("/i8042/wheel", test_mouse_wheel_is_unlocked);
    g_test_add_func("/i8042/flood", test_a_flood_is_no_harm);
    g_test_add_func("/i8042/state", test_state_survives);
    return g_test_run();
}
