/*
 * Port F0h and interrupt 13: x87 errors as the PC/AT reports them.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_X87_ERROR_H
#define HW_PC_X87_ERROR_H

#include "core/device.h"

extern const DeviceClass x87_error_class; /* on the ISA bus */

#endif
