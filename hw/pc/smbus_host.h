/*
 * The SMBus host controller of a PIIX4. Part of piix4_pm.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_SMBUS_HOST_H
#define HW_PC_SMBUS_HOST_H

#include "core/memory.h"
#include "core/state.h"

enum { SMBUS_HOST_SIZE = 16, SMBUS_BLOCK_MAX = 32 };

typedef struct SmbusHost {
    uint8_t status, control, command, address, data0, data1;
    uint8_t block_index;
    uint8_t block[SMBUS_BLOCK_MAX];
} SmbusHost;

extern const MemOps smbus_host_ops; /* opaque: SmbusHost; SMBUS_HOST_SIZE ports */
extern const StateTable smbus_host_state_table;
void smbus_host_reset(SmbusHost *s);

#endif
