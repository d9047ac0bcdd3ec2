/*
 * Where firmware and ROM files are looked for.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYSTEM_FIRMWARE_H
#define SYSTEM_FIRMWARE_H

#include <glib.h>

typedef struct Machine Machine;

/* The folders of -L (char *), then those of the packages. */
void firmware_set_path(Machine *m, const GPtrArray *dirs);
void firmware_print_default_dirs(GString *out);

#endif
