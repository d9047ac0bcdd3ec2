/*
 * The floppy controller from inside: fdc.c has registers and life, fdc_command.c the commands,
 * fdc_transfer.c those that move data, floppy.c drives and media.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_FLOPPY_FDC_INT_H
#define HW_FLOPPY_FDC_INT_H

#include "block/backend.h"
#include "core/lock.h"
#include "hw/dma/i8237.h"
#include "hw/floppy/fdc.h"

enum {
    FDC_DRIVES = 2, /* with a drive behind them; the controller selects among four */
    FDC_SELECTS = 4,
    FDC_SECTOR = 512,
    FDC_SIZE_CODE = 2,   /* N of 512-byte sectors: 128 << N */
    FDC_TRACK_LAST = 84, /* where a drive's heads stop */
    FDC_DMA = 2,
    FDC_PARAMS_MAX = 9,
    FDC_RESULTS_MAX = 10,

    DOR_RUN = 1 << 2,  /* not in reset */
    DOR_GATE = 1 << 3, /* interrupt and DMA request go out */

    CONFIGURE_IMPLIED_SEEK = 1 << 6,
    CONFIGURE_NO_FIFO = 1 << 5,
    CONFIGURE_NO_POLLING = 1 << 4,

    /* Status registers (data sheet 6.0) */
    ST0_SEEK_END = 0x20,
    ST0_EQUIPMENT = 0x10, /* no track 0 after 79 steps */
    ST0_ABNORMAL = 0x40,
    ST0_INVALID = 0x80,
    ST0_READY_CHANGED = 0xc0,
    ST1_END_OF_CYLINDER = 0x80,
    ST1_DATA_ERROR = 0x20,
    ST1_NO_DATA = 0x04,
    ST1_NOT_WRITABLE = 0x02,
    ST1_NO_ADDRESS_MARK = 0x01,
    ST2_CONTROL_MARK = 0x40, /* a sector of the other kind: deleted, or not */
    ST2_SCAN_EQUAL = 0x08,
    ST2_SCAN_FAILED = 0x04,
    ST2_WRONG_CYLINDER = 0x10,
    ST2_DATA_ERROR = 0x20,
};

/* Capacity and recording of a medium. */
typedef struct FloppyGeometry {
    uint8_t tracks, heads, sectors;
    uint8_t rate; /* as CCR and DSR code it: 0 500, 1 300, 2 250 kb/s, 3 1 Mb/s */
} FloppyGeometry;

typedef enum FloppyType {
    FLOPPY_TYPE_AUTO,
    FLOPPY_TYPE_144,
    FLOPPY_TYPE_288,
    FLOPPY_TYPE_120
} FloppyType;

typedef struct Floppy {
    Device dev;
    /* properties */
    char *drive_prop;
    int32_t unit_prop;
    int type_prop;
    int32_t bootindex;

    BlockBackend *blk; /* NULL: never a medium */
    uint8_t unit;
    FloppyType type;
    FloppyGeometry geometry; /* of the medium; tracks 0: there is none */
    uint8_t track;           /* where the heads are */
    bool changed;            /* since the last step: the disk change line */
} Floppy;

/* What the controller does (data sheet, 4.0). */
typedef enum FdcPhase {
    FDC_IDLE,    /* waits for a command, or its parameters */
    FDC_EXECUTE, /* moves data */
    FDC_RESULT,  /* results are to be read */
    FDC_PHASE_LAST = FDC_RESULT,
} FdcPhase;

/* How a data command treats a sector. */
typedef enum FdcTransfer {
    FDC_READ,
    FDC_WRITE,
    FDC_VERIFY,
    FDC_SCAN,
    FDC_FORMAT,
    FDC_TRANSFER_LAST = FDC_FORMAT,
} FdcTransfer;

typedef struct Fdc {
    IsaDevice isa;
    Bus *bus;
    Floppy *drive[FDC_DRIVES];
    Device *dma;
    MemRegion *io, *io7;

    /* Registers */
    uint8_t dor, tdr, rate;
    uint8_t phase;
    bool irq;             /* before the gate */
    uint8_t reset_senses; /* SENSE INTERRUPT results that a reset still owes: 4..0 */
    uint8_t seek_done;    /* a bit for each drive: the end of a seek is not sensed yet */
    uint8_t seek_st0[FDC_SELECTS];
    uint8_t param[FDC_PARAMS_MAX]; /* param[0] is the command */
    uint8_t param_count;
    uint8_t result[FDC_RESULTS_MAX];
    uint8_t result_count, result_pos;
    uint8_t specify[2];
    uint8_t configure, precomp_track;
    uint8_t locked; /* a software reset leaves CONFIGURE's settings alone */
    uint8_t perpendicular;
    uint8_t cylinder[FDC_SELECTS]; /* where the controller believes the heads to be */
    uint8_t last_track_param;      /* sectors of a track or last sector, for DUMPREG */

    /* A command that moves data */
    uint8_t transfer; /* FdcTransfer */
    uint8_t select;   /* the drive */
    uint8_t c, h, r;  /* the sector in BUF */
    uint8_t st1, st2;
    uint8_t unlike;       /* SCAN: a byte of the sector broke the condition */
    uint8_t unequal;      /* SCAN: a byte differed */
    uint8_t sectors_left; /* FORMAT; VERIFY of a number of sectors */
    uint16_t pos, len;    /* bytes of BUF that have moved, and that are to be moved; LEN 0: none */
    uint8_t terminal;     /* the DMA controller said that this is all */
    uint8_t buf[FDC_SECTOR];
    uint8_t scan_byte[FDC_SECTOR]; /* what the host compares with BUF */

    /* Not state */
    bool in_flight; /* a sector is on its way from or to the medium */
    BlockRequest req;
    struct iovec iov;
    void (*io_done)(struct Fdc *s, int ret);
    bool cancelled;
    MachineCond *idle;
} Fdc;

/* fdc.c */
void fdc_set_irq(Fdc *s, bool level);
void fdc_update_lines(Fdc *s);
Floppy *fdc_selected(Fdc *s, unsigned select); /* NULL: nothing is there */
/* COUNT bytes of s->result are to be read; INTERRUPT: and the guest is told. */
void fdc_results(Fdc *s, unsigned count, bool interrupt);

/* fdc_command.c */
void fdc_write_fifo(Fdc *s, uint8_t value);
uint8_t fdc_read_fifo(Fdc *s);
/* Moves the heads of SELECT to TRACK by as many steps as the controller thinks it takes. */
void fdc_step_to(Fdc *s, unsigned select, unsigned track);

/* fdc_transfer.c */
void fdc_start_transfer(Fdc *s, FdcTransfer transfer);
void fdc_start_format(Fdc *s);
void fdc_read_id(Fdc *s);
void fdc_dma_serve(void *opaque); /* the DMA channel's function */
uint8_t fdc_pio_read(Fdc *s);
void fdc_pio_write(Fdc *s, uint8_t value);
bool fdc_to_memory(const Fdc *s);
void fdc_cancel(Fdc *s);    /* whatever is in flight; its outcome is dropped */
void fdc_wait_idle(Fdc *s); /* until nothing is in flight */

/* floppy.c */
void floppy_find_geometry(Floppy *f);
/* Byte offset of a sector, or -1 when the medium has none such. */
int64_t floppy_offset(const Floppy *f, uint8_t c, uint8_t h, uint8_t r);

#endif
