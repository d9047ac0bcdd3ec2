/*
 * The translator as an accelerator.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_TCG_H
#define ACCEL_TCG_TCG_H

#include "core/accel.h"

extern const AccelClass tcg_accel_class;

#endif
