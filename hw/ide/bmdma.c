/*
 * The bus master of one IDE channel (SFF-8038i; PIIX3 data sheet 2.7): command, status, and the
 * table of physical region descriptors.
 *
 * A descriptor is a guest address and a byte count, both even; a count of 0 is 64 KiB; bit 31 of
 * the second word ends the table. The table is 64 KiB at most. Everything in it is the guest's word
 * and only that: addresses go through the PCI function's DMA address space.
 *
 * At the end, Active and Interrupt tell the host how the lengths compared (SFF-8038i 3.1):
 * Interrupt alone: equal; both: the memory was longer than the data; neither: shorter.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <string.h>

enum {
    BM_COMMAND = 0,
    BM_STATUS = 2,
    BM_TABLE = 4,

    BM_CMD_START = 0x01,
    BM_CMD_TO_MEMORY = 0x08,
    BM_STATUS_ACTIVE = 0x01,
    BM_STATUS_ERROR = 0x02,
    BM_STATUS_INTERRUPT = 0x04,
    BM_STATUS_CAPABLE = 0x60, /* drives 0 and 1, set by firmware */

    PRD_TABLE_SIZE = 65536,
};

/* Loads the next descriptor; false at the end of the table. */
static bool next_descriptor(BmDma *bm)
{
    uint32_t prd[2];

    if (bm->last || bm->next >= PRD_TABLE_SIZE) {
        return false;
    }
    pci_dma_read(bm->pci, (hwaddr)bm->table + bm->next, prd, sizeof(prd));
    bm->next += sizeof(prd);
    bm->addr = GUINT32_FROM_LE(prd[0]) & ~1u;
    bm->len = GUINT32_FROM_LE(prd[1]) & 0xfffe;
    if (!bm->len) {
        bm->len = 65536;
    }
    bm->last = GUINT32_FROM_LE(prd[1]) >> 31;
    return true;
}

static uint64_t bmdma_gather(void *opaque, IdeSg *sg, bool to_memory, uint64_t max)
{
    BmDma *bm = opaque;

    ide_sg_begin(sg, pci_dma_as(bm->pci), to_memory);
    while (sg->bytes < max && (bm->len || next_descriptor(bm))) {
        uint32_t n = (uint32_t)MIN(max - sg->bytes, bm->len);

        ide_sg_add(sg, bm->addr, n);
        bm->addr += n;
        bm->len -= n;
    }
    return sg->bytes;
}

static void bmdma_request(void *opaque, IdeDrive *d)
{
    BmDma *bm = opaque;

    bm->waiting = d;
    if (bm->command & BM_CMD_START) {
        ide_drive_dma(d);
    }
}

static void bmdma_finished(void *opaque, bool short_memory)
{
    BmDma *bm = opaque;

    bm->waiting = NULL;
    /* Memory used up, or the table's end reached with it: not active any more. */
    if (short_memory || (!bm->len && bm->last)) {
        bm->status &= (uint8_t)~BM_STATUS_ACTIVE;
    }
}

static void bmdma_interrupt(void *opaque)
{
    ((BmDma *)opaque)->status |= BM_STATUS_INTERRUPT;
}

const IdeDmaOps bmdma_ops = {
    .request = bmdma_request,
    .gather = bmdma_gather,
    .finished = bmdma_finished,
    .interrupt = bmdma_interrupt,
};

/* ---- registers ---- */

static void start(BmDma *bm)
{
    bm->status |= BM_STATUS_ACTIVE;
    bm->next = bm->addr = bm->len = 0;
    bm->last = false;
    for (int i = 0; i < 2; i++) {
        if (bm->chan->drives[i] && bm->chan->drives[i]->dma_wait) {
            ide_drive_dma(bm->chan->drives[i]);
            return;
        }
    }
}

/* A request that is on its way cannot be called back: the host waits for it, as it would for the
 * end of a burst. */
static void stop(BmDma *bm)
{
    for (int i = 0; i < 2; i++) {
        IdeDrive *d = bm->chan->drives[i];
        if (d && d->in_flight &&
            (d->xfer == IDE_XFER_READ || d->xfer == IDE_XFER_WRITE || d->xfer == IDE_XFER_ATAPI) &&
            bm->waiting == d) {
            ide_drive_wait_idle(d);
        }
    }
    bm->status &= (uint8_t)~BM_STATUS_ACTIVE;
}

static void command_write(BmDma *bm, uint8_t value)
{
    bool was_on = bm->command & BM_CMD_START, on = value & BM_CMD_START;

    /* The direction bit is not to be changed while a transfer runs, and needs not: the drive's
     * command says which way the data go. */
    bm->command = value & (BM_CMD_START | BM_CMD_TO_MEMORY);
    if (!was_on && on) {
        start(bm);
    } else if (was_on && !on) {
        stop(bm);
    }
}

static uint64_t bmdma_read(void *opaque, hwaddr addr, unsigned size)
{
    BmDma *bm = opaque;
    uint8_t regs[8] = {bm->command, 0, bm->status, 0};
    uint32_t table = GUINT32_TO_LE(bm->table);
    uint64_t value = 0;

    memcpy(regs + BM_TABLE, &table, sizeof(table));
    for (unsigned i = 0; i < size && addr + i < sizeof(regs); i++) {
        value |= (uint64_t)regs[addr + i] << (8 * i);
    }
    return value;
}

static void bmdma_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    BmDma *bm = opaque;

    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        hwaddr reg = addr + i;

        if (reg == BM_COMMAND) {
            command_write(bm, byte);
        } else if (reg == BM_STATUS) {
            bm->status = (bm->status & BM_STATUS_ACTIVE) | (byte & BM_STATUS_CAPABLE) |
                         (bm->status & ~byte & (BM_STATUS_ERROR | BM_STATUS_INTERRUPT));
        } else if (reg >= BM_TABLE && reg < BM_TABLE + 4) {
            unsigned shift = 8 * ((unsigned)reg - BM_TABLE);

            bm->table = ((bm->table & ~(0xffu << shift)) | (uint32_t)byte << shift) & ~3u;
        }
    }
}

const MemOps bmdma_io_ops = {
    .read = bmdma_read,
    .write = bmdma_write,
    .min_size = 1,
    .max_size = 4,
};

void bmdma_reset(BmDma *bm)
{
    bm->waiting = NULL;
    bm->command = bm->status = 0;
    bm->table = bm->next = bm->addr = bm->len = 0;
    bm->last = false;
}

static const StateField bmdma_fields[] = {
    STATE_FIELD_UINT(BmDma, command), STATE_FIELD_UINT(BmDma, status),
    STATE_FIELD_UINT(BmDma, table),   STATE_FIELD_UINT_MAX(BmDma, next, PRD_TABLE_SIZE),
    STATE_FIELD_UINT(BmDma, addr),    STATE_FIELD_UINT_MAX(BmDma, len, 65536),
    STATE_FIELD_UINT(BmDma, last),    STATE_FIELD_END,
};

const StateTable bmdma_state_table = {
    .name = "bmdma",
    .version = 1,
    .min_version = 1,
    .fields = bmdma_fields,
};
