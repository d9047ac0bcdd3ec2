/*
 * SMBus host interface registers (82371AB data sheet 290562-001, 7.3). No device is on the bus:
 * each transaction ends at once with a device error, the address not having been acknowledged.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/smbus_host.h"

#include <string.h>

enum {
    SMBHSTSTS = 0,
    SMBHSTCNT = 2,
    SMBHSTCMD = 3,
    SMBHSTADD = 4,
    SMBHSTDAT0 = 5,
    SMBHSTDAT1 = 6,
    SMBBLKDAT = 7,

    STS_INTERRUPT = 1 << 1,
    STS_DEVICE_ERROR = 1 << 2,
    STS_BUS_COLLISION = 1 << 3,
    STS_FAILED = 1 << 4,
    STS_W1C = STS_INTERRUPT | STS_DEVICE_ERROR | STS_BUS_COLLISION | STS_FAILED,

    CNT_KILL = 1 << 1,
    CNT_START = 1 << 6,
};

static uint64_t smbus_read(void *opaque, hwaddr addr, unsigned size)
{
    SmbusHost *s = opaque;

    (void)size;
    switch (addr) {
    case SMBHSTSTS:
        return s->status;
    case SMBHSTCNT:
        s->block_index = 0; /* reading it starts a block anew (7.3.3) */
        return s->control;
    case SMBHSTCMD:
        return s->command;
    case SMBHSTADD:
        return s->address;
    case SMBHSTDAT0:
        return s->data0;
    case SMBHSTDAT1:
        return s->data1;
    case SMBBLKDAT:
        return s->block[s->block_index++ % SMBUS_BLOCK_MAX];
    default:
        return 0;
    }
}

static void smbus_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    SmbusHost *s = opaque;

    (void)size;
    switch (addr) {
    case SMBHSTSTS:
        s->status &= (uint8_t) ~(value & STS_W1C);
        break;
    case SMBHSTCNT:
        s->control = (uint8_t)(value & ~(uint64_t)(CNT_KILL | CNT_START));
        if (value & CNT_KILL) {
            s->status |= STS_FAILED;
        } else if (value & CNT_START) {
            s->status |= STS_DEVICE_ERROR;
        }
        break;
    case SMBHSTCMD:
        s->command = (uint8_t)value;
        break;
    case SMBHSTADD:
        s->address = (uint8_t)value;
        break;
    case SMBHSTDAT0:
        s->data0 = (uint8_t)value;
        break;
    case SMBHSTDAT1:
        s->data1 = (uint8_t)value;
        break;
    case SMBBLKDAT:
        s->block[s->block_index++ % SMBUS_BLOCK_MAX] = (uint8_t)value;
        break;
    }
}

const MemOps smbus_host_ops = {.read = smbus_read, .write = smbus_write, .max_size = 1};

void smbus_host_reset(SmbusHost *s)
{
    memset(s, 0, sizeof(*s));
}

static const StateField smbus_fields[] = {
    STATE_FIELD_UINT(SmbusHost, status),
    STATE_FIELD_UINT(SmbusHost, control),
    STATE_FIELD_UINT(SmbusHost, command),
    STATE_FIELD_UINT(SmbusHost, address),
    STATE_FIELD_UINT(SmbusHost, data0),
    STATE_FIELD_UINT(SmbusHost, data1),
    STATE_FIELD_UINT(SmbusHost, block_index),
    STATE_FIELD_BYTES(SmbusHost, block),
    STATE_FIELD_END,
};
const StateTable smbus_host_state_table = {
    .name = "smbus-host", .version = 1, .min_version = 1, .fields = smbus_fields};
