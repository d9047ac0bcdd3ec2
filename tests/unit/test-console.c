/*
 * Consoles and the way of input.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ui/console.h"

typedef struct Sink {
    int keys, moves;
    KeyCode last;
} Sink;

static void take_key(void *opaque, KeyCode key, bool down)
{
    Sink *s = opaque;

    s->keys += down;
    s->last = key;
}

static void take_pointer(void *opaque, int dx, int dy, int dz, unsigned buttons)
{
    (void)dx, (void)dy, (void)dz, (void)buttons;
    ((Sink *)opaque)->moves++;
}

static void test_the_last_added_gets_the_input(void)
{
    static const InputHandler keyboard = {.key = take_key}, mouse = {.pointer = take_pointer};
    Sink old = {0}, new = {0}, pointer = {0};

    input_send_key(KEYCODE_A, true); /* nobody is there */
    input_add_handler(&keyboard, &old);
    input_add_handler(&keyboard, &new);
    input_add_handler(&mouse, &pointer);
    input_send_key(KEYCODE_A, true);
    input_send_pointer(1, 1, 0, 0);
    g_assert_cmpint(new.keys, ==, 1);
    g_assert_cmpint(new.last, ==, KEYCODE_A);
    g_assert_cmpint(old.keys, ==, 0);
    g_assert_cmpint(pointer.moves, ==, 1);
    input_remove_handler(&new);
    input_send_key(KEYCODE_B, true);
    g_assert_cmpint(old.keys, ==, 1);
    input_remove_handler(&old);
    input_remove_handler(&pointer);
    input_send_key(KEYCODE_A, true);
    input_send_pointer(1, 1, 0, 0);
    g_assert_cmpint(new.keys + old.keys + pointer.moves, ==, 3);
}

static void update_nothing(void *opaque)
{
    (void)opaque;
}

static void note(void *opaque)
{
    ++*(int *)opaque;
}

static void note_damage(void *opaque, int x, int y, int w, int h)
{
    g_assert_cmpint(x + y, ==, 3);
    g_assert_cmpint(w * h, ==, 12);
    *(int *)opaque += 100;
}

static void test_viewers_are_told(void)
{
    static const ConsoleOps ops = {.update = update_nothing, .invalidate = update_nothing};
    static const ConsoleViewer viewer = {.damage = note_damage, .surface_replaced = note};
    Console *first = console_new("first", &ops, NULL), *second = console_new("second", &ops, NULL);
    pixman_image_t *image = pixman_image_create_bits(PIXMAN_x8r8g8b8, 8, 8, NULL, 0);
    int told = 0;

    g_assert_true(console_by_index(0) == first);
    g_assert_true(console_by_index(1) == second);
    g_assert_null(console_by_index(2));
    g_assert_null(console_by_index(-1));
    console_add_viewer(first, &viewer, &told);
    console_set_surface(first, image);
    console_damage(first, 1, 2, 3, 4);
    console_damage(second, 1, 2, 3, 4);
    g_assert_cmpint(told, ==, 101);
    console_remove_viewer(first, &told);
    console_damage(first, 0, 0, 1, 1);
    g_assert_cmpint(told, ==, 101);
    pixman_image_unref(image);
    console_free(first);
    g_assert_true(console_by_index(0) == second);
    console_free(second);
    g_assert_null(console_by_index(0));
}

static void test_a_dump_of_nothing_is_refused(void)
{
    static const ConsoleOps ops = {.update = update_nothing, .invalidate = update_nothing};
    Console *con = console_new("dark", &ops, NULL);
    GError *err = NULL;

    g_assert_false(console_screendump(con, "/nonexistent/x.png", "png", &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    console_free(con);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/console/the-last-added-gets-the-input", test_the_last_added_gets_the_input);
    g_test_add_func("/console/viewers-are-told", test_viewers_are_told);
    g_test_add_func("/console/a-dump-of-nothing-is-refused", test_a_dump_of_nothing_is_refused);
    return g_test_run();
}
