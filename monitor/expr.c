/*
 * Expressions of the monitor, by recursive descent: sums of bit operations of products of unary
 * terms. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "monitor/expr.h"

#include <string.h>

#include "util/keyval.h"

enum { DEPTH_MAX = 64 };

typedef struct Expr {
    const char *p;
    ExprRegister reg;
    void *opaque;
    int depth;
    GError **err;
} Expr;

static bool eval_level(Expr *e, int level, uint64_t *value);

static void skip_blanks(Expr *e)
{
    while (*e->p == ' ' || *e->p == '\t') {
        e->p++;
    }
}

static bool eval_register(Expr *e, uint64_t *value)
{
    size_t n = 0;

    e->p++;
    while (g_ascii_isalnum(e->p[n]) || e->p[n] == '_') {
        n++;
    }
    g_autofree char *name = g_ascii_strdown(e->p, n);
    if (!e->reg(e->opaque, name, value)) {
        emu_set_error(e->err, "'$%s' is no register", name);
        return false;
    }
    e->p += n;
    return true;
}

static bool eval_number(Expr *e, uint64_t *value)
{
    size_t n = 0;

    while (g_ascii_isalnum(e->p[n])) {
        n++;
    }
    g_autofree char *word = g_strndup(e->p, n);
    bool octal = n > 1 && word[0] == '0' && g_ascii_isdigit(word[1]);
    char *end = word;
    if (octal) {
        *value = g_ascii_strtoull(word, &end, 8);
    }
    if (n == 0) {
        emu_set_error(e->err,
                      *e->p ? "a number or register is expected at '%s'"
                            : "the expression ends too early%s",
                      e->p);
        return false;
    }
    if (octal ? *end != 0 : !parse_uint(word, UINT64_MAX, value)) {
        emu_set_error(e->err, "'%s' is no number", word);
        return false;
    }
    e->p += n;
    return true;
}

static bool eval_paren(Expr *e, uint64_t *value)
{
    e->p++;
    if (!eval_level(e, 0, value)) {
        return false;
    }
    if (*e->p != ')') {
        emu_set_error(e->err, "')' is expected");
        return false;
    }
    e->p++;
    return true;
}

static bool eval_term(Expr *e, uint64_t *value)
{
    char op;
    bool ok;

    skip_blanks(e);
    switch (op = *e->p) {
    case '+':
    case '-':
    case '~':
        e->p++;
        if (++e->depth > DEPTH_MAX) {
            emu_set_error(e->err, "the expression is nested too deeply");
            return false;
        }
        ok = eval_term(e, value);
        e->depth--;
        *value = !ok ? 0 : op == '-' ? -*value : op == '~' ? ~*value : *value;
        return ok;
    case '(':
        ok = eval_paren(e, value);
        break;
    case '$':
        ok = eval_register(e, value);
        break;
    case '\'':
        ok = e->p[1] && e->p[2] == '\'';
        if (ok) {
            *value = (uint8_t)e->p[1];
            e->p += 3;
        } else {
            emu_set_error(e->err, "a character is written as 'c'");
        }
        break;
    default:
        ok = eval_number(e, value);
        break;
    }
    skip_blanks(e);
    return ok;
}

static bool apply(Expr *e, char op, uint64_t *a, uint64_t b)
{
    switch (op) {
    case '+':
        *a += b;
        return true;
    case '-':
        *a -= b;
        return true;
    case '&':
        *a &= b;
        return true;
    case '|':
        *a |= b;
        return true;
    case '^':
        *a ^= b;
        return true;
    case '*':
        *a *= b;
        return true;
    default:
        if (!b) {
            emu_set_error(e->err, "division by zero");
            return false;
        }
        *a = op == '/' ? *a / b : *a % b;
        return true;
    }
}

static bool eval_level(Expr *e, int level, uint64_t *value)
{
    static const char *const operators[] = {"+-", "&|^", "*/%"};

    if (level == G_N_ELEMENTS(operators)) {
        return eval_term(e, value);
    }
    if (++e->depth > DEPTH_MAX) {
        emu_set_error(e->err, "the expression is nested too deeply");
        return false;
    }
    bool ok = eval_level(e, level + 1, value);
    while (ok && *e->p && strchr(operators[level], *e->p)) {
        char op = *e->p++;
        uint64_t right = 0;
        ok = eval_level(e, level + 1, &right) && apply(e, op, value, right);
    }
    e->depth--;
    return ok;
}

bool expr_eval(const char **text, ExprRegister reg, void *opaque, uint64_t *value, GError **err)
{
    Expr e = {.p = *text, .reg = reg, .opaque = opaque, .err = err};
    bool ok = eval_level(&e, 0, value);

    *text = e.p;
    return ok;
}
