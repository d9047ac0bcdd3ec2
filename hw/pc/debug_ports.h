/*
 * Ports for firmware and test programs: a debug console, and one that ends the emulator.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_DEBUG_PORTS_H
#define HW_PC_DEBUG_PORTS_H

#include "core/device.h"

extern const DeviceClass isa_debugcon_class;
extern const DeviceClass isa_debug_exit_class;

#endif
