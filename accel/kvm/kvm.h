/*
 * KVM as an accelerator.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_KVM_KVM_H
#define ACCEL_KVM_KVM_H

#include "core/accel.h"

extern const AccelClass kvm_accel_class;

#endif
