/*
 * ATA and ATAPI devices and the channel (cable) that joins two of them to a host adapter.
 *
 * Files: ide_bus.c the channel's registers; ide_drive.c a device's data phases and requests, and
 * the classes ide-hd and ide-cd; ata.c ATA commands; ata_identify.c what devices say of themselves;
 * atapi.c the packet interface; atapi_mmc.c the replies of MMC commands; bmdma.c the bus master;
 * piix3_ide.c the PCI function.
 *
 * A request to the block layer is finished on an I/O thread, which takes the machine lock; all else
 * runs under that lock anyway. A drive has one request in flight at most.
 * Specifications: ATA/ATAPI-7 (volumes 1 and 2), SFF-8038i, MMC-5.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_IDE_IDE_H
#define HW_IDE_IDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "block/backend.h"
#include "core/device.h"
#include "core/irq.h"
#include "core/lock.h"
#include "core/memory.h"
#include "core/state.h"
#include "hw/pci/pci.h"

typedef struct IdeDrive IdeDrive;
typedef struct IdeChannel IdeChannel;

extern const DeviceClass ide_hd_class;
extern const DeviceClass ide_cd_class;
extern const DeviceClass piix3_ide_class;

/* The channels of a realized piix3-ide: buses "ide.0" and "ide.1", for channel 0 and 1. */
Bus *piix3_ide_bus(Device *dev, int channel);
/* Wires the channels' interrupt outputs (ISA 14 and 15); the lines outlive the device. */
void piix3_ide_connect_irqs(Device *dev, IrqLine *irq14, IrqLine *irq15);

/* ---- registers ---- */

enum {
    /* Status (ATA/ATAPI-7 5.14) */
    IDE_STATUS_ERR = 0x01, /* CHK for packet commands */
    IDE_STATUS_DRQ = 0x08,
    IDE_STATUS_DSC = 0x10, /* seek complete */
    IDE_STATUS_DF = 0x20,
    IDE_STATUS_DRDY = 0x40,
    IDE_STATUS_BSY = 0x80,
    /* Error (5.9) */
    IDE_ERROR_ABRT = 0x04,
    IDE_ERROR_IDNF = 0x10,
    IDE_ERROR_UNC = 0x40,
    /* Device control (5.6) */
    IDE_CTRL_NIEN = 0x02,
    IDE_CTRL_SRST = 0x04,
    IDE_CTRL_HOB = 0x80,
    /* Device (5.7) */
    IDE_DEVICE_DEV = 0x10,
    IDE_DEVICE_LBA = 0x40,
    IDE_DEVICE_OBSOLETE = 0xa0, /* read as ones by hosts older than ATA-5 */
    /* Interrupt reason, the sector count of packet commands (5.11) */
    IDE_REASON_COD = 0x01,
    IDE_REASON_IO = 0x02,
};

enum {
    IDE_SECTOR = 512,
    CD_SECTOR = 2048,
    CD_RAW_SECTOR = 2352,
    IDE_BUF_SIZE = 128 * 1024, /* 256 sectors: what a 28-bit command moves at most */
    IDE_MULT_MAX = 16,
};

/* What the data phase in progress belongs to. */
typedef enum IdeXfer {
    IDE_XFER_NONE,
    IDE_XFER_REPLY,  /* LEN bytes of the buffer to the host, and the command is over */
    IDE_XFER_READ,   /* sectors to the host */
    IDE_XFER_WRITE,  /* sectors from the host */
    IDE_XFER_DSM,    /* ranges to be trimmed, from the host, by DMA */
    IDE_XFER_PACKET, /* a command packet from the host */
    IDE_XFER_ATAPI,  /* a packet command's data to the host */
    IDE_XFER_LAST = IDE_XFER_ATAPI,
} IdeXfer;

/* The registers that have a previous content for 48-bit commands. */
typedef struct IdeTaskFile {
    uint8_t feature, count, lba_low, lba_mid, lba_high;
} IdeTaskFile;

/* One sense triple (SPC-3 4.5). */
typedef struct AtapiSense {
    uint8_t key, asc, ascq;
} AtapiSense;

typedef struct AtapiState {
    uint8_t sense_key, sense_asc, sense_ascq;
    bool attention; /* UNIT ATTENTION: the medium may have changed */
    bool tray_open, tray_locked;
    uint8_t media_event;   /* to be told by GET EVENT STATUS NOTIFICATION */
    bool dma;              /* of the command in progress */
    uint16_t byte_limit;   /* most bytes in one DRQ block */
    uint16_t sector_size;  /* of a read in progress: 2048, 2352 */
    uint32_t lba, sectors; /* still to be read from the disc */
} AtapiState;

/* A stretch of guest memory for one DMA request. */
typedef struct IdeSg {
    struct iovec *iov; /* direct pointers, or one element: the bounce buffer */
    unsigned iov_count, iov_cap;
    struct IdeSgPiece {
        hwaddr addr;
        uint32_t len;
    } * pieces; /* guest addresses, when bounced */
    unsigned piece_count, piece_cap;
    uint8_t *bounce;
    uint64_t bytes;
    bool to_memory;
    AddressSpace *as;
} IdeSg;

struct IdeDrive {
    Device dev;
    /* properties */
    char *drive_prop, *serial_prop, *model_prop, *ver_prop;
    int32_t unit_prop, bootindex;
    uint32_t cyls_prop, heads_prop, secs_prop;

    BlockBackend *blk; /* NULL: an ide-cd without a back end */
    IdeChannel *chan;
    unsigned unit;
    bool cd;
    uint64_t sectors; /* 512 bytes each; ide-hd only */
    uint16_t default_cyls;
    uint8_t default_heads, default_secs;
    char serial[21], model[41], firmware[9]; /* padded with spaces */

    /* task file */
    IdeTaskFile reg, hob;
    uint8_t device, status, error;
    bool intrq; /* an interrupt is pending */

    /* settings */
    uint8_t heads, secs; /* current CHS translation */
    uint8_t mult;        /* sectors in a DRQ block of the MULTIPLE commands, 0: not allowed */
    uint8_t mwdma, udma; /* words 63 and 88 bits of the selected mode, 0: none */
    bool smart, standby;

    /* data phase */
    uint8_t command;
    uint8_t xfer;          /* IdeXfer */
    bool dma_wait;         /* ready for the bus master */
    uint8_t block_sectors; /* in a DRQ block */
    bool fua;
    uint64_t lba;           /* of the next sector to move */
    uint32_t count;         /* sectors still to move */
    uint32_t pos, end, len; /* in buf: next byte, end of the DRQ block, end of the data */
    uint8_t *buf;           /* IDE_BUF_SIZE and a little more */

    AtapiState atapi;

    /* the request in flight */
    BlockRequest req;
    struct iovec iov;
    IdeSg sg;
    bool in_flight;
    bool cancelled; /* its completion is not to touch anything */
    void (*io_done)(IdeDrive *d, int ret);
    MachineCond *idle;
};

/* How a channel's host moves DMA data; NULL ops: no DMA. */
typedef struct IdeDmaOps {
    /* A drive asserts DMARQ. The host calls ide_drive_dma() now or when it is ready. */
    void (*request)(void *opaque, IdeDrive *d);
    /* The next stretch of guest memory, at most MAX bytes; fills SG; returns its length, which is
     * less than MAX only when the host has no more. */
    uint64_t (*gather)(void *opaque, IdeSg *sg, bool to_memory, uint64_t max);
    /* The data phase is over; SHORT_MEMORY: the host's memory ended before the data. */
    void (*finished)(void *opaque, bool short_memory);
    /* INTRQ rose. */
    void (*interrupt)(void *opaque);
} IdeDmaOps;

struct IdeChannel {
    Bus *bus;
    IrqLine *irq;
    const IdeDmaOps *dma;
    void *dma_opaque;
    IdeDrive *drives[2];
    uint8_t selected; /* 0 or 1 */
    uint8_t control;  /* last written */
    bool irq_level;
};

/* ---- bmdma.c: the bus master (SFF-8038i) of one channel ---- */

typedef struct BmDma {
    IdeChannel *chan;
    PciDevice *pci;    /* whose DMA it does */
    IdeDrive *waiting; /* asserts DMARQ; derived from the drives */
    uint8_t command, status;
    uint32_t table;     /* guest address of the descriptors */
    uint32_t next;      /* bytes of the table consumed */
    uint32_t addr, len; /* what is left of the current descriptor */
    bool last;          /* it had the end-of-table mark */
} BmDma;

extern const IdeDmaOps bmdma_ops; /* opaque is the BmDma */
extern const MemOps bmdma_io_ops; /* 8 ports; opaque is the BmDma */
extern const StateTable bmdma_state_table;
void bmdma_reset(BmDma *bm);

/* ---- ide_bus.c ---- */

void ide_channel_init(IdeChannel *c, Device *host, const char *name);
void ide_channel_reset(IdeChannel *c);
extern const StateTable ide_channel_state_table;
extern const MemOps ide_command_block_ops; /* 8 ports; opaque is the IdeChannel */
extern const MemOps ide_control_block_ops; /* 1 port */
/* Drives INTRQ from the selected drive's state. */
void ide_channel_update_irq(IdeChannel *c);

/* ---- ide_drive.c: data phases ---- */

/* Status, error and registers as after power-on or reset (ATA/ATAPI-7 9.12: signature). */
void ide_drive_signature(IdeDrive *d);
/* Ends what is in flight, waiting for the block layer with the machine lock released. */
void ide_drive_cancel(IdeDrive *d);
void ide_drive_wait_idle(IdeDrive *d);
/* Software reset; HARD adds what a power-on does. */
void ide_drive_reset(IdeDrive *d, bool hard);

void ide_set_intrq(IdeDrive *d);
void ide_clear_intrq(IdeDrive *d);
/* Ends the command: DRDY, and ERR when ERROR is not 0; with an interrupt. */
void ide_command_done(IdeDrive *d, uint8_t error);
void ide_abort(IdeDrive *d);
/* A failed transfer: reports the LBA of its first sector. */
void ide_rw_error(IdeDrive *d, uint8_t error);

/* Sends BUF[0..LEN) to the host by PIO in one DRQ block, with an interrupt, and ends the command.
 */
void ide_pio_reply(IdeDrive *d, uint32_t len);
/* Starts a DRQ block of what lies at POS. */
void ide_pio_block(IdeDrive *d, uint32_t bytes);
/* The current DRQ block was moved completely. */
void ide_pio_block_done(IdeDrive *d);
/* Begin moving COUNT sectors from or to LBA, as set in the drive. */
void ide_start_read(IdeDrive *d);
void ide_start_write(IdeDrive *d);
/* Waits for the bus master with data phase XFER. */
void ide_start_dma(IdeDrive *d, IdeXfer xfer);
/* The same, for the next part of a data phase. */
void ide_dma_continue(IdeDrive *d);
/* From the bus master: go on. */
void ide_drive_dma(IdeDrive *d);

/* Submits a request; DONE runs later under the machine lock, or never when cancelled. */
void ide_submit(IdeDrive *d, BlockOp op, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                int iovcnt, void (*done)(IdeDrive *d, int ret));
/* The same between LBA and the buffer. */
void ide_submit_buf(IdeDrive *d, BlockOp op, uint64_t offset, uint64_t bytes,
                    void (*done)(IdeDrive *d, int ret));

/* ---- ide_sg.c ---- */

void ide_sg_begin(IdeSg *sg, AddressSpace *as, bool to_memory);
void ide_sg_add(IdeSg *sg, hwaddr addr, uint32_t len);
/* Makes iov usable: maps the pieces, or bounces them. */
void ide_sg_map(IdeSg *sg);
/* Only the first BYTES are to be used. */
void ide_sg_truncate(IdeSg *sg, uint64_t bytes);
/* After the transfer of BYTES: delivers bounced data and tells the dirty log. */
void ide_sg_finish(IdeSg *sg, uint64_t bytes);
/* Copies LEN bytes of BUF to memory (or from it). */
void ide_sg_copy(IdeSg *sg, void *buf, uint64_t len);
void ide_sg_free(IdeSg *sg);

/* ---- ata.c ---- */

void ata_command(IdeDrive *d, uint8_t command);
/* All of the DSM ranges are in buf. */
void ata_trim(IdeDrive *d);
/* Stores the address in the task file in the form the command used. */
void ata_set_address(IdeDrive *d, uint64_t lba);

/* ---- ata_identify.c ---- */

void ata_identify(IdeDrive *d, uint8_t *buf);
void ata_identify_packet(IdeDrive *d, uint8_t *buf);
/* Copies TEXT to DST, padded with spaces to LEN characters and a terminating zero. */
void ata_pad_string(char *dst, const char *text, size_t len);

/* ---- atapi.c ---- */

extern const StateTable atapi_state_table;
void atapi_reset(IdeDrive *d);
/* PACKET was written to the command register. */
void atapi_start_packet(IdeDrive *d);
/* The command packet has arrived in buf. */
void atapi_packet(IdeDrive *d);
/* A DRQ block was moved. */
void atapi_block_done(IdeDrive *d);
void atapi_dma(IdeDrive *d);
void atapi_media_changed(IdeDrive *d);

/* Ends the command. */
void atapi_ok(IdeDrive *d);
void atapi_error(IdeDrive *d, AtapiSense sense);
/* Sends the first min(LEN, ALLOCATION) bytes of buf. */
void atapi_reply(IdeDrive *d, uint32_t len, uint32_t allocation);
/* Sends COUNT sectors of SECTOR_SIZE bytes from LBA. */
void atapi_read(IdeDrive *d, uint32_t lba, uint32_t count, uint16_t sector_size);
bool atapi_medium_present(const IdeDrive *d);
uint32_t atapi_disc_sectors(const IdeDrive *d); /* of 2048 bytes */

/* ---- atapi_mmc.c ---- */

enum {
    ATAPI_CMD_MEDIUM = 1u << 0,       /* NOT READY without a medium */
    ATAPI_CMD_NO_ATTENTION = 1u << 1, /* runs in spite of a pending unit attention */
};

typedef struct AtapiCommand {
    uint8_t opcode;
    uint8_t flags;
    void (*run)(IdeDrive *d, const uint8_t *cdb);
} AtapiCommand;

/* NULL: not implemented. */
const AtapiCommand *atapi_command_find(uint8_t opcode);

#define ATAPI_SENSE_NO_MEDIUM      ((AtapiSense){0x02, 0x3a, 0x00})
#define ATAPI_SENSE_READ_ERROR     ((AtapiSense){0x03, 0x11, 0x00})
#define ATAPI_SENSE_INVALID_OPCODE ((AtapiSense){0x05, 0x20, 0x00})
#define ATAPI_SENSE_OUT_OF_RANGE   ((AtapiSense){0x05, 0x21, 0x00})
#define ATAPI_SENSE_INVALID_FIELD  ((AtapiSense){0x05, 0x24, 0x00})
#define ATAPI_SENSE_ILLEGAL_MODE   ((AtapiSense){0x05, 0x64, 0x00})
#define ATAPI_SENSE_LOCKED         ((AtapiSense){0x05, 0x53, 0x02})
#define ATAPI_SENSE_MEDIUM_CHANGED ((AtapiSense){0x06, 0x28, 0x00})

#endif
