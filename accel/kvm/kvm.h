/*
 * KVM as an accelerator.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_KVM_KVM_H
#define ACCEL_KVM_KVM_H

#include "core/accel.h"
#include "core/device.h"

extern const AccelClass kvm_accel_class;

/* The devices that stand for the interrupt controllers and the timer in the kernel; ends with NULL.
 */
extern const DeviceClass *const kvm_device_classes[];

#endif
