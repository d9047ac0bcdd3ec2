/*
 * Expressions of the monitor: numbers, 'c', $register, ( ), unary + - ~, and + - & | ^ * / %.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MONITOR_EXPR_H
#define MONITOR_EXPR_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The value of $NAME; false: no such register. */
typedef bool (*ExprRegister)(void *opaque, const char *name, uint64_t *value);

/* Evaluates an expression at *TEXT and moves *TEXT behind it and the blanks after it. */
bool expr_eval(const char **text, ExprRegister reg, void *opaque, uint64_t *value, GError **err);

#endif
