/*
 * Option strings, numbers and the log's item list.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "util/keyval.h"
#include "util/log.h"

static KeyVal *parsed(const char *text, const char *implied)
{
    GError *err = NULL;
    KeyVal *kv = keyval_parse("-x", text, implied, &err);

    g_assert_no_error(err);
    return kv;
}

static void error_has(GError **err, const char *text)
{
    g_assert_nonnull(*err);
    g_assert_cmpint((*err)->domain, ==, EMU_ERROR);
    if (!strstr((*err)->message, text)) {
        g_error("'%s' does not say '%s'", (*err)->message, text);
    }
    g_clear_error(err);
}

static void test_grammar(void)
{
    KeyVal *kv = parsed("e1000,mac=aa:bb,file=a,,b,,,server,nowait,empty=,mac=cc,eq=a=b", "driver");

    g_assert_cmpstr(keyval_get(kv, "driver"), ==, "e1000");
    g_assert_cmpstr(keyval_get(kv, "file"), ==, "a,b,");
    g_assert_cmpstr(keyval_get(kv, "server"), ==, "on");
    g_assert_cmpstr(keyval_get(kv, "nowait"), ==, "on");
    g_assert_cmpstr(keyval_get(kv, "empty"), ==, "");
    g_assert_cmpstr(keyval_get(kv, "mac"), ==, "cc"); /* the later one */
    g_assert_cmpstr(keyval_get(kv, "eq"), ==, "a=b");
    g_assert_null(keyval_get(kv, "absent"));
    g_assert_true(keyval_finish(kv, NULL));
    keyval_free(kv);

    kv = parsed("file=x,y", "driver"); /* a first word with a key is not the implied one */
    g_assert_null(keyval_get(kv, "driver"));
    g_assert_cmpstr(keyval_get(kv, "y"), ==, "on");
    keyval_free(kv);
    kv = parsed("a,,b=c", "path"); /* a value: its comma is doubled */
    g_assert_cmpstr(keyval_get(kv, "path"), ==, "a,b=c");
    keyval_free(kv);
    kv = parsed("", NULL);
    g_assert_true(keyval_finish(kv, NULL));
    keyval_free(kv);
    keyval_free(NULL);
}

static void test_unknown_keys_are_refused_by_name(void)
{
    KeyVal *kv = parsed("a=1,bogus=2,c", NULL);
    GError *err = NULL;

    keyval_get(kv, "a");
    keyval_get(kv, "other");
    g_assert_false(keyval_finish(kv, &err));
    g_assert_nonnull(strstr(err->message, "a, other"));
    error_has(&err, "'bogus'");
    keyval_get(kv, "bogus");
    g_assert_false(keyval_finish(kv, &err));
    error_has(&err, "'c'");
    keyval_free(kv);

    g_assert_null(keyval_parse("-drive", "a=1,=2", NULL, &err));
    error_has(&err, "-drive");
    g_assert_null(keyval_parse("-drive", ",", NULL, &err));
    error_has(&err, "empty");
}

static void test_typed_values(void)
{
    static const char *const colours[] = {"red", "green", NULL};
    KeyVal *kv = parsed("b=off,n=0x10,s=1.5G,c=green,bad=maybe", NULL);
    GError *err = NULL;
    uint64_t n = 7;
    bool b = true;
    int c = 0;

    g_assert_true(keyval_get_bool(kv, "b", &b, &err) && !b);
    g_assert_true(keyval_get_uint(kv, "n", 0, 16, &n, &err) && n == 16);
    g_assert_true(keyval_get_size(kv, "s", &n, &err) && n == UINT64_C(1536) << 20);
    g_assert_true(keyval_get_enum(kv, "c", colours, &c, &err) && c == 1);
    n = 5;
    g_assert_true(keyval_get_uint(kv, "absent", 0, 1, &n, &err) && n == 5);
    g_assert_false(keyval_get_bool(kv, "bad", &b, &err));
    error_has(&err, "bad='maybe'");
    g_assert_false(keyval_get_uint(kv, "n", 0, 15, &n, &err));
    error_has(&err, "0 to 15");
    g_assert_false(keyval_get_uint(kv, "n", 17, 99, &n, &err));
    error_has(&err, "17 to 99");
    g_assert_false(keyval_get_size(kv, "bad", &n, &err));
    error_has(&err, "suffix");
    g_assert_false(keyval_get_enum(kv, "bad", colours, &c, &err));
    error_has(&err, "red, green");
    keyval_free(kv);
}

static bool join(const char *key, const char *value, void *opaque)
{
    g_string_append_printf(opaque, "%s:%s ", key, value);
    return strcmp(key, "stop") != 0;
}

static void test_foreach_passes_all_in_order(void)
{
    KeyVal *kv = parsed("a=1,b,a=2", NULL);
    GString *out = g_string_new(NULL);

    keyval_set(kv, "z", "9");
    g_assert_true(keyval_foreach(kv, join, out));
    g_assert_cmpstr(out->str, ==, "a:1 b:on a:2 z:9 ");
    g_assert_true(keyval_finish(kv, NULL));
    keyval_set(kv, "stop", "");
    keyval_set(kv, "after", "");
    g_assert_false(keyval_foreach(kv, join, out));
    keyval_free(kv);
    g_string_free(out, TRUE);
}

static void test_sizes(void)
{
    static const struct {
        const char *text;
        uint64_t unit;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"0", 1, true, 0},
        {"512", 1, true, 512},
        {"512", 1 << 20, true, 512 << 20},
        {"512b", 1 << 20, true, 512},
        {"4k", 1, true, 4096},
        {"4K", 1, true, 4096},
        {"1.5G", 1, true, UINT64_C(1536) << 20},
        {"1.5", 1 << 20, true, 1536 << 10},
        {"0.000000000000000000001E", 1, true, 0},
        {"2T", 1, true, UINT64_C(2) << 40},
        {"3P", 1, true, UINT64_C(3) << 50},
        {"15E", 1, true, UINT64_C(15) << 60},
        {"15.9999999999999999999E", 1, true, 0xfffffffffffffffe},
        {"0x20", 1, true, 32},
        {"18446744073709551615", 1, true, UINT64_MAX},
        {"16E", 1, false, 0},
        {"18446744073709551616", 1, false, 0},
        {"99999999999999999999999", 1, false, 0},
        {"", 1, false, 0},
        {"-1", 1, false, 0},
        {"+1", 1, false, 0},
        {" 1", 1, false, 0},
        {"1 ", 1, false, 0},
        {"1.", 1, false, 0},
        {".5G", 1, false, 0},
        {"1.5", 1, false, 0},
        {"1.5b", 1, false, 0},
        {"1KK", 1, false, 0},
        {"1X", 1, false, 0},
        {"0x", 1, false, 0},
        {"0x20M", 1, false, 0},
        {"1e3", 1, false, 0},
        {"nan", 1, false, 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t value = 0;

        g_test_message("%s", cases[i].text);
        g_assert(parse_size(cases[i].text, cases[i].unit, &value) == cases[i].ok);
        if (cases[i].ok) {
            g_assert_cmpuint(value, ==, cases[i].value);
        }
    }
}

static void test_numbers_and_booleans(void)
{
    uint64_t n;
    bool b;

    g_assert_true(parse_uint("0XfF", 255, &n) && n == 255);
    g_assert_true(parse_uint("010", 255, &n) && n == 10);
    g_assert_false(parse_uint("256", 255, &n));
    g_assert_false(parse_uint("", 255, &n) || parse_uint("-1", 255, &n) ||
                   parse_uint("a", 255, &n));
    g_assert_false(parse_uint("18446744073709551616", UINT64_MAX, &n));
    g_assert_true(parse_bool("yes", &b) && b && parse_bool("n", &b) && !b);
    g_assert_false(parse_bool("1", &b) || parse_bool("", &b) || parse_bool("ON", &b));
    emu_set_error(NULL, "nobody %s", "listens");
}

/* ---- the log ---- */

static void test_log_items_and_file(void)
{
    GString *help = g_string_new(NULL);
    GError *err = NULL;
    char *dir = g_dir_make_tmp("emu-log-XXXXXX", NULL);
    char *pattern = g_strdup_printf("%s/log-%%d", dir), *path, *text;

    g_assert_false(log_enabled(LOG_INT));
    g_assert_true(log_set("int,unimp", &err));
    g_assert_true(log_enabled(LOG_INT) && log_enabled(LOG_UNIMP | LOG_MMU));
    g_assert_false(log_enabled(LOG_MMU));
    g_assert_false(log_set("int,nonsense", &err));
    error_has(&err, "'nonsense'");
    g_assert_true(log_enabled(LOG_INT)); /* as before */

    g_assert_false(log_open("/nonexistent/dir/log", &err));
    error_has(&err, "/nonexistent/dir/log");
    g_assert_true(log_open(pattern, &err));
    log_printf(LOG_INT, "v=%02x\n", 14);
    log_printf(LOG_MMU, "not asked for\n");
    log_lock();
    log_lock();
    log_write(LOG_UNIMP | LOG_MMU, "block\n", 6);
    log_unlock();
    log_unlock();
    log_close();
    path = g_strdup_printf("%s/log-%d", dir, (int)getpid());
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "v=0e\nblock\n");

    g_assert_true(log_set("all", NULL) && log_enabled(LOG_PAGE) && !log_enabled(LOG_NOCHAIN));
    g_assert_true(log_set("none", NULL) && !log_enabled(UINT32_MAX));
    log_print_help(help);
    g_assert_nonnull(strstr(help->str, "in_asm"));
    g_assert_nonnull(strstr(help->str, "nochain"));
    g_unlink(path);
    g_rmdir(dir);
    g_free(text);
    g_free(path);
    g_free(pattern);
    g_free(dir);
    g_string_free(help, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keyval/grammar", test_grammar);
    g_test_add_func("/keyval/unknown", test_unknown_keys_are_refused_by_name);
    g_test_add_func("/keyval/typed", test_typed_values);
    g_test_add_func("/keyval/foreach", test_foreach_passes_all_in_order);
    g_test_add_func("/parse/size", test_sizes);
    g_test_add_func("/parse/uint-bool", test_numbers_and_booleans);
    g_test_add_func("/log", test_log_items_and_file);
    return g_test_run();
}
