/*
 * Scan codes of the PS/2 keyboard.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INPUT_SCANCODES_H
#define HW_INPUT_SCANCODES_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/keycode.h"

enum { SCANCODE_MAX = 8 }; /* longest sequence: Pause in set 2 */

/* Set 2 code of KEY, with E0h in the high byte where it has that prefix; 0: the keyboard has no
 * such key. Pause and Print Screen have longer sequences, see ps2_keyboard.c. */
uint16_t scancode_set2(KeyCode key);
uint8_t scancode_set3(KeyCode key);
/* The 8042's translation of one byte of set 2 (not F0h) to set 1. */
uint8_t scancode_translate(uint8_t set2);

#endif
