/*
 * The parts of the ACPI tables.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_ACPI_INTERNAL_H
#define HW_PC_ACPI_INTERNAL_H

#include <glib.h>

#include "hw/pc/pc_internal.h"

/* acpi_dsdt.c: the definition block's AML, without the header. */
GByteArray *acpi_dsdt_aml(PcMachine *pc);

#endif
