/*
 * PIIX4, function 3: ACPI power management and SMBus host. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_PIIX4_PM_H
#define HW_PC_PIIX4_PM_H

#include "core/device.h"
#include "core/irq.h"

extern const DeviceClass piix4_pm_class;

/* Where firmware is told, by the ACPI tables, to place the power management block. */
enum { PIIX4_PM_BASE = 0x600, PIIX4_GPE_OFFSET = 0x0c, PIIX4_GPE_LEN = 4 };

/* What the guest writes to port B2h to switch to ACPI mode and back (FADT's ACPI_ENABLE). */
enum { PIIX4_ACPI_ENABLE = 0xf1, PIIX4_ACPI_DISABLE = 0xf0 };

/* The system control interrupt, ISA 9, active high. */
void piix4_pm_set_sci(Device *dev, IrqLine *sci);
/* Level of general-purpose event N (0..15), latched in GPSTS. */
void piix4_pm_set_gpe(Device *dev, int n, int level);

#endif
