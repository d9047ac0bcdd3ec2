/*
 * The list of all device classes.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_CLASSES_H
#define HW_CLASSES_H

#include "core/device.h"

/* Ends with NULL; for device_class_list_set(). An accelerator's own classes are not in it. */
extern const DeviceClass *const hw_classes[];

#endif
