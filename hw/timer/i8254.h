/*
 * The 8254 programmable interval timer, with port 61h that gates its channel 2. Machine lock held.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_TIMER_I8254_H
#define HW_TIMER_I8254_H

#include "core/device.h"

/* "isa-pit": an ISA device at 40h to 43h and 61h, on IRQ 0. */
extern const DeviceClass i8254_class;

#define I8254_HZ 1193182

#endif
