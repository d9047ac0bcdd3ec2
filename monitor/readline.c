/*
 * The monitor's line editor.
 *
 * Escape sequences are collected until their final byte (ECMA-48: ESC [ parameters final, or ESC O
 * final) and looked up in one table together with the control keys.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "monitor/readline.h"

#include <stdbool.h>
#include <string.h>

enum { HISTORY_MAX = 128, LINE_MAX_BYTES = 4096, SEQUENCE_MAX = 8 };

struct ReadLine {
    const ReadLineOps *ops;
    void *opaque;
    char *prompt;
    GString *line;
    size_t cursor;
    GPtrArray *history;
    guint place; /* in history while stepping through it; history->len: the line being written */
    char *draft; /* that line meanwhile */
    char sequence[SEQUENCE_MAX]; /* after ESC */
    size_t sequence_len;
    bool in_sequence, skip_newline;
};

ReadLine *readline_new(const ReadLineOps *ops, void *opaque, const char *prompt)
{
    ReadLine *rl = g_new0(ReadLine, 1);

    rl->ops = ops;
    rl->opaque = opaque;
    rl->prompt = g_strdup(prompt);
    rl->line = g_string_new(NULL);
    rl->history = g_ptr_array_new_with_free_func(g_free);
    return rl;
}

void readline_free(ReadLine *rl)
{
    g_free(rl->prompt);
    g_free(rl->draft);
    g_string_free(rl->line, TRUE);
    g_ptr_array_unref(rl->history);
    g_free(rl);
}

const GPtrArray *readline_history(const ReadLine *rl)
{
    return rl->history;
}

/* ---- display ---- */

static void put(ReadLine *rl, const char *text)
{
    rl->ops->put(rl->opaque, text);
}

static void move_left(ReadLine *rl, size_t columns)
{
    if (columns) {
        g_autofree char *text = g_strdup_printf("\033[%zuD", columns);
        put(rl, text);
    }
}

void readline_show(ReadLine *rl)
{
    put(rl, rl->prompt);
    put(rl, rl->line->str);
    move_left(rl, rl->line->len - rl->cursor);
}

static void redraw(ReadLine *rl)
{
    put(rl, "\r");
    put(rl, rl->prompt);
    put(rl, rl->line->str);
    put(rl, "\033[K");
    move_left(rl, rl->line->len - rl->cursor);
}

static void replace_line(ReadLine *rl, const char *text)
{
    g_string_assign(rl->line, text);
    rl->cursor = rl->line->len;
    redraw(rl);
}

/* ---- keys ---- */

static void key_home(ReadLine *rl)
{
    rl->cursor = 0;
    redraw(rl);
}

static void key_end(ReadLine *rl)
{
    rl->cursor = rl->line->len;
    redraw(rl);
}

static void key_left(ReadLine *rl)
{
    if (rl->cursor) {
        rl->cursor--;
        redraw(rl);
    }
}

static void key_right(ReadLine *rl)
{
    if (rl->cursor < rl->line->len) {
        rl->cursor++;
        redraw(rl);
    }
}

static void erase(ReadLine *rl, size_t from, size_t to)
{
    if (to > from) {
        g_string_erase(rl->line, from, to - from);
        rl->cursor = from;
        redraw(rl);
    }
}

static void key_backspace(ReadLine *rl)
{
    erase(rl, rl->cursor ? rl->cursor - 1 : 0, rl->cursor);
}

static void key_delete(ReadLine *rl)
{
    erase(rl, rl->cursor, MIN(rl->cursor + 1, rl->line->len));
}

static void key_kill_end(ReadLine *rl)
{
    erase(rl, rl->cursor, rl->line->len);
}

static void key_kill_line(ReadLine *rl)
{
    erase(rl, 0, rl->cursor);
}

static void key_kill_word(ReadLine *rl)
{
    size_t from = rl->cursor;

    while (from && rl->line->str[from - 1] == ' ') {
        from--;
    }
    while (from && rl->line->str[from - 1] != ' ') {
        from--;
    }
    erase(rl, from, rl->cursor);
}

static void key_up(ReadLine *rl)
{
    if (!rl->place) {
        return;
    }
    if (rl->place == rl->history->len) {
        g_free(rl->draft);
        rl->draft = g_strdup(rl->line->str);
    }
    replace_line(rl, g_ptr_array_index(rl->history, --rl->place));
}

static void key_down(ReadLine *rl)
{
    if (rl->place < rl->history->len) {
        rl->place++;
        replace_line(rl, rl->place < rl->history->len ? g_ptr_array_index(rl->history, rl->place)
                                                      : rl->draft);
    }
}

static void key_clear(ReadLine *rl)
{
    put(rl, "\033[2J\033[H");
    readline_show(rl);
}

static void insert(ReadLine *rl, const char *text)
{
    bool at_end = rl->cursor == rl->line->len;

    if (rl->line->len + strlen(text) > LINE_MAX_BYTES) {
        return;
    }
    g_string_insert(rl->line, rl->cursor, text);
    rl->cursor += strlen(text);
    if (at_end) {
        put(rl, text);
    } else {
        redraw(rl);
    }
}

static size_t common_prefix(const GPtrArray *words)
{
    const char *first = g_ptr_array_index(words, 0);
    size_t len = strlen(first);

    for (guint i = 1; i < words->len; i++) {
        const char *w = g_ptr_array_index(words, i);
        size_t n = 0;
        while (n < len && first[n] == w[n]) {
            n++;
        }
        len = n;
    }
    return len;
}

static void key_tab(ReadLine *rl)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *prefix = g_strndup(rl->line->str, rl->cursor);

    if (rl->ops->complete) {
        rl->ops->complete(rl->opaque, prefix, words);
    }
    if (!words->len) {
        return;
    }
    size_t common = common_prefix(words);
    if (common > strlen(prefix)) {
        g_autofree char *more = g_strndup((char *)g_ptr_array_index(words, 0) + strlen(prefix),
                                          common - strlen(prefix));
        insert(rl, more);
    } else if (words->len > 1) {
        for (guint i = 0; i < words->len; i++) {
            put(rl, "\n");
            put(rl, g_ptr_array_index(words, i));
        }
        put(rl, "\n");
        readline_show(rl);
    }
    if (words->len == 1) {
        insert(rl, " ");
    }
}

static void remember(ReadLine *rl, const char *line)
{
    guint n = rl->history->len;

    if (*line && (!n || strcmp(g_ptr_array_index(rl->history, n - 1), line) != 0)) {
        g_ptr_array_add(rl->history, g_strdup(line));
        if (rl->history->len > HISTORY_MAX) {
            g_ptr_array_remove_index(rl->history, 0);
        }
    }
    rl->place = rl->history->len;
}

static void key_enter(ReadLine *rl)
{
    g_autofree char *line = g_strdup(rl->line->str);

    put(rl, "\n");
    g_string_truncate(rl->line, 0);
    rl->cursor = 0;
    remember(rl, line);
    rl->ops->line(rl->opaque, line);
}

static const struct Key {
    const char *bytes; /* behind ESC where SEQUENCE */
    bool sequence;
    void (*fn)(ReadLine *rl);
} keys[] = {
    {"\x01", false, key_home},      {"\x05", false, key_end},       {"\x02", false, key_left},
    {"\x06", false, key_right},     {"\x04", false, key_delete},    {"\x0b", false, key_kill_end},
    {"\x15", false, key_kill_line}, {"\x17", false, key_kill_word}, {"\x10", false, key_up},
    {"\x0e", false, key_down},      {"\x0c", false, key_clear},     {"\x08", false, key_backspace},
    {"\x7f", false, key_backspace}, {"\t", false, key_tab},         {"[A", true, key_up},
    {"[B", true, key_down},         {"[C", true, key_right},        {"[D", true, key_left},
    {"[H", true, key_home},         {"[F", true, key_end},          {"[1~", true, key_home},
    {"[4~", true, key_end},         {"[3~", true, key_delete},      {"OH", true, key_home},
    {"OF", true, key_end},
};

static void run_key(ReadLine *rl, const char *bytes, bool sequence)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].sequence == sequence && !strcmp(keys[i].bytes, bytes)) {
            keys[i].fn(rl);
            return;
        }
    }
}

static void sequence_byte(ReadLine *rl, uint8_t byte)
{
    if (rl->sequence_len < SEQUENCE_MAX - 1) {
        rl->sequence[rl->sequence_len++] = byte;
        rl->sequence[rl->sequence_len] = 0;
    }
    if (rl->sequence_len == 1 ? byte == '[' || byte == 'O' : byte < 0x40 || byte > 0x7e) {
        return; /* not the last byte */
    }
    rl->in_sequence = false;
    run_key(rl, rl->sequence, true);
}

void readline_byte(ReadLine *rl, uint8_t byte)
{
    char text[2] = {(char)byte, 0};
    bool after_cr = rl->skip_newline;

    rl->skip_newline = false;
    if (rl->in_sequence) {
        sequence_byte(rl, byte);
    } else if (byte == 0x1b) {
        rl->in_sequence = true;
        rl->sequence_len = 0;
    } else if (byte == '\r' || byte == '\n') {
        if (byte == '\n' && after_cr) {
            return;
        }
        rl->skip_newline = byte == '\r';
        key_enter(rl);
    } else if (byte < 0x20 || byte == 0x7f) {
        run_key(rl, text, false);
    } else {
        insert(rl, text);
    }
}
