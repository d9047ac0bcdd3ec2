/*
 * The accelerators there are, and the choice among them.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYSTEM_ACCELS_H
#define SYSTEM_ACCELS_H

#include <glib.h>

#include "core/accel.h"
#include "system/config.h"

void accels_print_list(GString *out);
bool accels_print_options(const char *name, GString *out, GError **err);

typedef struct AccelChoice AccelChoice; /* what to try, in order */

/* From -accel, -machine accel=, or the default; checks names and options. */
AccelChoice *accel_choice_new(const VmConfig *cfg, GError **err);
void accel_choice_free(AccelChoice *choice);
/* Makes the first that can be had the machine's; says on stderr, in one line, why one could not. */
bool accel_choice_init(AccelChoice *choice, Machine *m, GError **err);
/* What an initialised accelerator offers to CPU models. */
typedef struct CpuFeatures CpuFeatures;
void accel_cpu_features(Accel *accel, CpuFeatures *out);

#endif
