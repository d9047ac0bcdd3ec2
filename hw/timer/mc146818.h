/*
 * The MC146818 real-time clock and CMOS memory. Machine lock held.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_TIMER_MC146818_H
#define HW_TIMER_MC146818_H

#include <stdbool.h>
#include <stdint.h>

#include "core/device.h"

/* "mc146818rtc": an ISA device at 70h and 71h, on IRQ 8. */
extern const DeviceClass mc146818_class;

/* A byte of CMOS memory, 0Eh..7Fh, as firmware finds it. */
void mc146818_cmos_write(Device *dev, int addr, uint8_t value);
uint8_t mc146818_cmos_read(Device *dev, int addr);
/* Bit 7 of port 70h: NMIs are to be kept from the CPU. */
bool mc146818_nmi_masked(const Device *dev);

#endif
