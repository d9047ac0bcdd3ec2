/*
 * The Intel 82540EM gigabit Ethernet controller, device "e1000".
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_NET_E1000_H
#define HW_NET_E1000_H

#include "core/device.h"

extern const DeviceClass e1000_class;

#endif
