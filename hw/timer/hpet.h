/*
 * The high precision event timer block at FED00000h. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_TIMER_HPET_H
#define HW_TIMER_HPET_H

#include "core/device.h"
#include "core/irq.h"

#define HPET_BASE     0xfed00000u
#define HPET_SIZE     0x400u
#define HPET_BLOCK_ID 0x8086a201u /* the low half of its capability register */

extern const DeviceClass hpet_class; /* "hpet", on no bus; maps itself */

/*
 * GSI: the board's 24 interrupt inputs. The timers' outputs go to some of them; and in legacy
 * replacement the block stands in for the interval timer and the real-time clock, so it puts
 * itself in front of inputs 0 and 8: before anybody copies those lines.
 */
void hpet_wire(Device *dev, IrqLine *gsi);

#endif
