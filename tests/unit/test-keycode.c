/*
 * Key names and scan codes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/input/scancodes.h"
#include "ui/keycode.h"

static void test_names_are_unique_and_go_both_ways(void)
{
    for (int i = 1; i < KEYCODE_COUNT; i++) {
        g_assert_cmpint(keycode_from_name(keycode_name((KeyCode)i)), ==, i);
    }
    g_assert_cmpint(keycode_from_name("unmapped"), ==, KEYCODE_NONE);
    g_assert_cmpstr(keycode_name((KeyCode)10000), ==, "unmapped");
}

static void test_chords(void)
{
    KeyCode keys[4];
    GError *err = NULL;

    g_assert_cmpuint(keycode_parse_chord("ctrl-alt-f1", keys, 4, &err), ==, 3);
    g_assert_cmpint(keys[0], ==, KEYCODE_CTRL);
    g_assert_cmpint(keys[1], ==, KEYCODE_ALT);
    g_assert_cmpint(keys[2], ==, KEYCODE_F1);
    g_assert_cmpuint(keycode_parse_chord("<", keys, 4, &err), ==, 1);
    g_assert_cmpint(keys[0], ==, KEYCODE_LESS);
    g_assert_no_error(err);
    g_assert_cmpuint(keycode_parse_chord("ctrl-bogus", keys, 4, &err), ==, 0);
    g_assert_nonnull(strstr(err->message, "bogus"));
    g_clear_error(&err);
    g_assert_cmpuint(keycode_parse_chord("a-b-c-d-e", keys, 4, &err), ==, 0);
    g_assert_nonnull(err);
    g_clear_error(&err);
    g_assert_cmpuint(keycode_parse_chord("", keys, 4, &err), ==, 0);
    g_assert_nonnull(err);
    g_clear_error(&err);
}

static void test_every_key_has_a_scan_code(void)
{
    for (int i = 1; i < KEYCODE_COUNT; i++) {
        g_assert_cmphex(scancode_set2((KeyCode)i), !=, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keycode/names", test_names_are_unique_and_go_both_ways);
    g_test_add_func("/keycode/chords", test_chords);
    g_test_add_func("/keycode/scancodes", test_every_key_has_a_scan_code);
    return g_test_run();
}
