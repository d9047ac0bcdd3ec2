/*
 * The floppy disk controller, Intel 82078 in AT mode, and the drives on its bus. Machine lock held
 * throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_FLOPPY_FDC_H
#define HW_FLOPPY_FDC_H

#include "core/device.h"

/* "isa-fdc": ports 3F2h to 3F5h and 3F7h, interrupt 6, DMA channel 2. Owns a bus for drives. */
extern const DeviceClass fdc_class;
/* "floppy", on a controller's bus: unit 0 (A:) or 1 (B:). */
extern const DeviceClass floppy_class;

/* The bus of a controller's drives. */
Bus *fdc_bus(Device *fdc);
/* 0 for A:, 1 for B:. */
unsigned floppy_unit(const Device *floppy);
/* What the CMOS byte of floppy types says of drive UNIT: 0 no drive, 4: 1.44 MB, 5: 2.88 MB. */
uint8_t fdc_cmos_type(const Device *fdc, int unit);

#endif
