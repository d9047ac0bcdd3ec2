/*
 * Guest code as text, for the monitor; by capstone, in AT&T syntax.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MONITOR_DISAS_H
#define MONITOR_DISAS_H

#include <glib.h>
#include <stdint.h>

typedef struct Disas Disas;

/* For code of 16, 32 or 64 BITS. NULL with ERR where capstone is missing. */
Disas *disas_new(int bits, GError **err);
void disas_free(Disas *d);
/* The instruction at ADDR, bytes and text, in *TEXT (caller frees); its length, at least 1. */
size_t disas_one(Disas *d, uint64_t addr, const uint8_t *code, size_t len, char **text);

#endif
