/*
 * System control port A (92h): fast A20 gate and fast reset.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_PORT92_H
#define HW_PC_PORT92_H

#include "core/device.h"

extern const DeviceClass port92_class; /* on the ISA bus */

#endif
