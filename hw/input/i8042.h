/*
 * The 8042 keyboard controller with its PS/2 keyboard and mouse. Machine lock held.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INPUT_I8042_H
#define HW_INPUT_I8042_H

#include "core/device.h"

/* "i8042": an ISA device at 60h and 64h, on IRQ 1 and 12. Takes the user's keys and pointer. */
extern const DeviceClass i8042_class;

#endif
