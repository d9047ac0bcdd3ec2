/*
 * The monitor's parts that need no machine: expressions, the line editor, the disassembler.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>

#include "core/mainloop.h"
#include "monitor/disas.h"
#include "monitor/expr.h"
#include "target-x86/linear.h"
#include "monitor/readline.h"

/* ---- expressions ---- */

static bool some_register(void *opaque, const char *name, uint64_t *value)
{
    (void)opaque;
    *value = 0x1000;
    return !strcmp(name, "rax");
}

static void value_is(const char *text, uint64_t expected)
{
    const char *p = text;
    uint64_t value = 0;
    g_autoptr(GError) err = NULL;

    if (!expr_eval(&p, some_register, NULL, &value, &err)) {
        g_error("'%s': %s", text, err->message);
    }
    g_assert_cmpstr(p, ==, "");
    g_assert_cmpuint(value, ==, expected);
}

static void is_refused(const char *text)
{
    const char *p = text;
    uint64_t value;
    g_autoptr(GError) err = NULL;

    g_assert_false(expr_eval(&p, some_register, NULL, &value, &err));
    g_assert_nonnull(err);
}

static void test_expressions_follow_their_precedence(void)
{
    value_is("1", 1);
    value_is("0x10", 16);
    value_is("010", 8);
    value_is("'A'", 65);
    value_is(" 1 + 2 * 3 ", 7);
    value_is("(1 + 2) * 3", 9);
    value_is("10 - 2 - 3", 5);
    value_is("0xff & 0x0f + 1", 0x10); /* sums bind weakest */
    value_is("-1", UINT64_MAX);
    value_is("~0 / 2", UINT64_MAX / 2);
    value_is("7 % 4", 3);
    value_is("$rax + 4", 0x1004);
    value_is("$RAX", 0x1000);
    value_is("0xffffffffffffffff", UINT64_MAX);
}

static void test_bad_expressions_are_refused(void)
{
    g_autofree char *deep = g_strnfill(100000, '(');
    g_autofree char *minuses = g_strnfill(100000, '-');

    is_refused("");
    is_refused("1 +");
    is_refused("(1");
    is_refused("1 / 0");
    is_refused("$nothing");
    is_refused("abc");
    is_refused("08");
    is_refused("0x");
    is_refused("0x1ffffffffffffffff");
    is_refused("'ab'");
    is_refused(deep);
    is_refused(minuses);
}

/* ---- the line editor ---- */

typedef struct Editor {
    GString *shown, *lines;
} Editor;

static void put(void *opaque, const char *text)
{
    g_string_append(((Editor *)opaque)->shown, text);
}

static void line(void *opaque, const char *text)
{
    g_string_append_printf(((Editor *)opaque)->lines, "[%s]", text);
}

static void complete(void *opaque, const char *prefix, GPtrArray *out)
{
    static const char *const words[] = {"stop", "system_powerdown", "system_reset", "quit"};

    (void)opaque;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_has_prefix(words[i], prefix)) {
            g_ptr_array_add(out, g_strdup(words[i]));
        }
    }
}

/* The lines that come out of typing KEYS. */
static void lines_are(const char *keys, const char *expected)
{
    static const ReadLineOps ops = {put, line, complete};
    Editor e = {g_string_new(NULL), g_string_new(NULL)};
    ReadLine *rl = readline_new(&ops, &e, "> ");

    for (const char *p = keys; *p; p++) {
        readline_byte(rl, *p);
    }
    g_assert_cmpstr(e.lines->str, ==, expected);
    readline_free(rl);
    g_string_free(e.shown, TRUE);
    g_string_free(e.lines, TRUE);
}

static void test_editing_keys_edit(void)
{
    lines_are("abc\r", "[abc]");
    lines_are("abc\r\ndef\n\n", "[abc][def][]");
    lines_are("abx\x7f"
              "c\n",
              "[abc]");
    lines_are("bc\001a\005d\n", "[abcd]");
    lines_are("ac\033[Db\n", "[abc]");
    lines_are("xabc\033[H\033[3~\n", "[abc]");
    lines_are("one two\027three\n", "[one three]");
    lines_are("gone\025here\n", "[here]");
    lines_are("abcd\002\002\013\n", "[ab]");
    lines_are("a\033[99;99;99;99;99;99Zb\n", "[ab]");
    lines_are("a\033OHb\n", "[ba]");
    lines_are("\x7f\x7f\033[D\033[C\033[A\033[B\n", "[]");
}

static void test_history_is_walked_with_the_draft_kept(void)
{
    lines_are("one\ntwo\n\033[A\n", "[one][two][two]");
    lines_are("one\ntwo\n\033[A\033[A\n", "[one][two][one]");
    lines_are("one\ntwo\ndra\033[A\033[A\033[B\033[Bft\n", "[one][two][draft]");
    lines_are("one\n\033[A\033[A\033[A\n", "[one][one]");
}

static void test_tab_completes_as_far_as_it_is_clear(void)
{
    lines_are("q\t\n", "[quit ]");
    lines_are("sy\t\n", "[system_]");
    lines_are("sy\tr\t\n", "[system_reset ]");
    lines_are("zz\t\n", "[zz]");
}

static void test_a_pipe_sees_plain_echo(void)
{
    static const ReadLineOps ops = {put, line, complete};
    Editor e = {g_string_new(NULL), g_string_new(NULL)};
    ReadLine *rl = readline_new(&ops, &e, "> ");

    readline_show(rl);
    for (const char *p = "info\n"; *p; p++) {
        readline_byte(rl, *p);
    }
    g_assert_cmpstr(e.shown->str, ==, "> info\n");
    readline_free(rl);
    g_string_free(e.shown, TRUE);
    g_string_free(e.lines, TRUE);
}

/* ---- the disassembler ---- */

static void test_code_is_shown_by_mode(void)
{
    static const uint8_t code[] = {0x48, 0x89, 0xe5}, junk[] = {0x0f, 0xff};
    g_autofree char *text = NULL, *text16 = NULL, *junk_text = NULL;
    Disas *d = disas_new(64, NULL);

    if (!d) {
        g_test_skip("this build has no capstone");
        return;
    }
    g_assert_cmpuint(disas_one(d, 0, code, 3, &text), ==, 3);
    g_assert_nonnull(strstr(text, "48 89 e5"));
    g_assert_nonnull(strstr(text, "%rsp, %rbp"));
    g_assert_cmpuint(disas_one(d, 0, junk, 1, &junk_text), ==, 1);
    g_assert_nonnull(strstr(junk_text, ".byte"));
    disas_free(d);
    d = disas_new(16, NULL);
    g_assert_cmpuint(disas_one(d, 0, code, 3, &text16), ==, 1); /* dec %ax */
    disas_free(d);
}

/* ---- linear addresses ---- */

enum { RAM_SIZE = 1 << 20 };

static AddressSpace space;
static RamBlock *ram;

static void poke(uint64_t addr, uint64_t value, unsigned size)
{
    memcpy(ram->host + addr, &value, size);
}

static void maps_to(const X86State *st, uint64_t linear, uint64_t expected)
{
    uint64_t phys = 0;

    g_assert_true(linear_to_physical(&space, st, linear, &phys));
    g_assert_cmphex(phys, ==, expected);
}

static void is_unmapped(const X86State *st, uint64_t linear)
{
    uint64_t phys;

    g_assert_false(linear_to_physical(&space, st, linear, &phys));
}

static void test_linear_addresses_follow_the_paging_mode(void)
{
    X86State st = {0};
    MemRegion *root = mem_region_container("root", UINT64_MAX);

    ram = ram_block_new("ram", RAM_SIZE, NULL);
    mem_region_add(root, 0, mem_region_ram("ram", ram, 0, RAM_SIZE, false), 0);
    address_space_init(&space, root, "test");

    maps_to(&st, 0x12345678, 0x12345678); /* no paging; 32 bits */
    maps_to(&st, 0x1ffffffff, 0xffffffff);

    st.cr0 = CR0_PE | CR0_PG; /* 32-bit paging */
    st.cr3 = 0x1000;
    st.cr4 = CR4_PSE;
    poke(0x1000 + 4 * 1, 0x2000 | 1, 4);
    poke(0x2000 + 4 * 3, 0x55000 | 1, 4);
    poke(0x1000 + 4 * 2, 0x00c00000 | 3 << 13 | 1 << 7 | 1, 4);
    maps_to(&st, 0x403123, 0x55123);
    maps_to(&st, 0x812345, 0x300c12345);
    is_unmapped(&st, 0x404000);
    is_unmapped(&st, 0xc00000);

    st.cr4 = CR4_PAE; /* PAE */
    st.pdptr[1] = 0x3000 | 1;
    poke(0x3000 + 8 * 2, 0x4000 | 1, 8);
    poke(0x4000 + 8 * 5, 0x8000000066000001ull, 8);
    poke(0x3000 + 8 * 3, 0x200000 | 1 << 7 | 1, 8);
    maps_to(&st, 0x40405678, 0x66000678);
    maps_to(&st, 0x40612345, 0x212345);
    is_unmapped(&st, 0x405678);

    st.efer = EFER_LME | EFER_LMA; /* 4 and 5 levels */
    st.cr3 = 0x5000;
    poke(0x5000 + 8 * 511, 0x6000 | 1, 8);
    poke(0x6000 + 8 * 510, 0x3000 | 1, 8);
    poke(0x6000 + 8 * 511, 0x80000000 | 1 << 7 | 1, 8);
    maps_to(&st, 0xffffffff80405678, 0x66000678);
    maps_to(&st, 0xffffffff80612345, 0x212345);
    maps_to(&st, 0xffffffffc1234567, 0x81234567);
    is_unmapped(&st, 0x0000ffff80405678); /* not canonical */
    is_unmapped(&st, 0x1000);
    st.cr4 |= CR4_LA57;
    st.cr3 = 0x7000;
    poke(0x7000 + 8 * 1, 0x5000 | 1, 8);
    maps_to(&st, 0x0001ffff80405678, 0x66000678);
    is_unmapped(&st, 0xffffffff80405678);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/monitor/expressions_follow_their_precedence",
                    test_expressions_follow_their_precedence);
    g_test_add_func("/monitor/bad_expressions_are_refused", test_bad_expressions_are_refused);
    g_test_add_func("/monitor/editing_keys_edit", test_editing_keys_edit);
    g_test_add_func("/monitor/history_is_walked_with_the_draft_kept",
                    test_history_is_walked_with_the_draft_kept);
    g_test_add_func("/monitor/tab_completes_as_far_as_it_is_clear",
                    test_tab_completes_as_far_as_it_is_clear);
    g_test_add_func("/monitor/a_pipe_sees_plain_echo", test_a_pipe_sees_plain_echo);
    g_test_add_func("/monitor/code_is_shown_by_mode", test_code_is_shown_by_mode);
    g_test_add_func("/monitor/linear_addresses_follow_the_paging_mode",
                    test_linear_addresses_follow_the_paging_mode);
    return g_test_run();
}
