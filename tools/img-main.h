/*
 * emu-img: starting and ending the I/O thread the subcommands run on.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TOOLS_IMG_MAIN_H
#define TOOLS_IMG_MAIN_H

#include <glib.h>
#include <stdbool.h>

bool img_start(GError **err);
void img_stop(void);

#endif
