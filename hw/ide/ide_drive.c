/*
 * An ATA or ATAPI device: its data phases (PIO blocks, DMA), its requests to the block layer, and
 * the classes ide-hd and ide-cd.
 *
 * PIO reads fetch as much of the command as the buffer holds with one request and then present it
 * DRQ block by DRQ block; PIO writes collect blocks likewise and write the buffer once. A host sees
 * the same sequence of BSY, DRQ and INTRQ as from a device with that much buffer memory.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "util/keyval.h"

enum { IDE_DMA_CHUNK = 1024 * 1024 };

/* ---- interrupts and command completion ---- */

void ide_set_intrq(IdeDrive *d)
{
    d->intrq = true;
    ide_channel_update_irq(d->chan);
}

void ide_clear_intrq(IdeDrive *d)
{
    d->intrq = false;
    ide_channel_update_irq(d->chan);
}

static void end_transfer(IdeDrive *d)
{
    d->xfer = IDE_XFER_NONE;
    d->dma_wait = false;
    d->pos = d->end = d->len = 0;
    d->count = 0;
}

void ide_command_done(IdeDrive *d, uint8_t error)
{
    end_transfer(d);
    d->error = error;
    d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC | (error ? IDE_STATUS_ERR : 0);
    ide_set_intrq(d);
}

void ide_abort(IdeDrive *d)
{
    ide_command_done(d, IDE_ERROR_ABRT);
}

void ide_rw_error(IdeDrive *d, uint8_t error)
{
    uint64_t lba = d->lba;

    ide_command_done(d, error);
    ata_set_address(d, lba);
}

/* ---- requests ---- */

static void request_done(BlockRequest *req, int ret)
{
    IdeDrive *d = req->opaque;

    machine_lock();
    d->in_flight = false;
    if (d->cancelled) {
        ide_sg_finish(&d->sg,
                      0); /* at once: another CPU may start a command before the waiter runs */
    } else {
        d->io_done(d, ret);
    }
    if (!d->in_flight) {
        machine_cond_broadcast(d->idle);
    }
    machine_unlock();
}

void ide_submit(IdeDrive *d, BlockOp op, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                int iovcnt, void (*done)(IdeDrive *d, int ret))
{
    g_assert(!d->in_flight && d->blk);
    d->in_flight = true;
    d->io_done = done;
    d->req = (BlockRequest){
        .op = op,
        .flags = op == BLOCK_OP_WRITE && d->fua ? BLOCK_REQ_FUA : 0,
        .offset = offset,
        .bytes = bytes,
        .iov = iov,
        .iovcnt = iovcnt,
        .done = request_done,
        .opaque = d,
    };
    block_submit(d->blk, &d->req);
}

void ide_submit_buf(IdeDrive *d, BlockOp op, uint64_t offset, uint64_t bytes,
                    void (*done)(IdeDrive *d, int ret))
{
    d->iov = (struct iovec){.iov_base = d->buf, .iov_len = bytes};
    ide_submit(d, op, offset, bytes, &d->iov, 1, done);
}

/* A failed request that the block layer keeps until the machine goes on (werror=stop) would be
 * waited for in vain: it is taken back. */
static bool take_back(IdeDrive *d)
{
    if (!block_cancel_kept(d->blk, &d->req)) {
        return false;
    }
    d->in_flight = false;
    return true;
}

/* It becomes kept without a word to this file, hence the look every few milliseconds. */
static void wait_a_little(IdeDrive *d)
{
    machine_cond_wait_until(d->idle, clock_now(CLOCK_RT) + 10 * 1000 * 1000);
}

void ide_drive_wait_idle(IdeDrive *d)
{
    while (d->in_flight) {
        if (take_back(d)) {
            d->io_done(d, -EIO); /* saved as failed */
        } else {
            wait_a_little(d);
        }
    }
}

void ide_drive_cancel(IdeDrive *d)
{
    if (d->in_flight) {
        d->status = IDE_STATUS_BSY;
        d->cancelled = true;
        while (d->in_flight) {
            if (take_back(d)) {
                ide_sg_finish(&d->sg, 0);
            } else {
                wait_a_little(d);
            }
        }
        d->cancelled = false;
    }
    end_transfer(d);
}

/* ---- PIO ---- */

void ide_pio_block(IdeDrive *d, uint32_t bytes)
{
    d->end = d->pos + bytes;
    d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC | IDE_STATUS_DRQ;
}

void ide_pio_reply(IdeDrive *d, uint32_t len)
{
    d->xfer = IDE_XFER_REPLY;
    d->pos = 0;
    d->len = len;
    ide_pio_block(d, len);
    ide_set_intrq(d);
}

static void next_sector_block(IdeDrive *d)
{
    ide_pio_block(d, MIN((uint32_t)d->block_sectors * IDE_SECTOR, d->len - d->pos));
}

static uint32_t buffer_sectors(const IdeDrive *d)
{
    return MIN(d->count, (uint32_t)(IDE_BUF_SIZE / IDE_SECTOR));
}

static void read_done(IdeDrive *d, int ret)
{
    if (ret < 0) {
        ide_rw_error(d, IDE_ERROR_UNC);
        return;
    }
    d->pos = 0;
    next_sector_block(d);
    ide_set_intrq(d);
}

static void read_buffer(IdeDrive *d)
{
    d->status = IDE_STATUS_BSY;
    d->len = buffer_sectors(d) * IDE_SECTOR;
    ide_submit_buf(d, BLOCK_OP_READ, d->lba * IDE_SECTOR, d->len, read_done);
}

static void sectors_moved(IdeDrive *d, uint32_t sectors)
{
    d->lba += sectors;
    d->count -= sectors;
}

/* The registers then name the last sector moved, as CHS hosts expect. */
static void transfer_complete(IdeDrive *d)
{
    ata_set_address(d, d->lba ? d->lba - 1 : 0);
    d->reg.count = 0;
}

static void read_block_done(IdeDrive *d)
{
    if (d->pos < d->len) {
        next_sector_block(d);
        ide_set_intrq(d);
        return;
    }
    sectors_moved(d, d->len / IDE_SECTOR);
    if (d->count) {
        read_buffer(d);
        return;
    }
    transfer_complete(d);
    end_transfer(d);
    d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC; /* no interrupt behind the last block (9.5) */
}

static void write_buffer_begin(IdeDrive *d)
{
    d->pos = 0;
    d->len = buffer_sectors(d) * IDE_SECTOR;
    next_sector_block(d);
}

static void write_done(IdeDrive *d, int ret)
{
    if (ret < 0) {
        ide_rw_error(d, ret == -EROFS || ret == -EACCES ? IDE_ERROR_ABRT : IDE_ERROR_IDNF);
        return;
    }
    sectors_moved(d, d->len / IDE_SECTOR);
    if (d->count) {
        write_buffer_begin(d);
        ide_set_intrq(d);
        return;
    }
    transfer_complete(d);
    ide_command_done(d, 0);
}

static void write_block_done(IdeDrive *d)
{
    if (d->pos < d->len) {
        next_sector_block(d);
        ide_set_intrq(d);
        return;
    }
    d->status = IDE_STATUS_BSY;
    ide_submit_buf(d, BLOCK_OP_WRITE, d->lba * IDE_SECTOR, d->len, write_done);
}

void ide_pio_block_done(IdeDrive *d)
{
    d->pos = d->end; /* an odd block ends inside a word */
    switch ((IdeXfer)d->xfer) {
    case IDE_XFER_READ:
        read_block_done(d);
        break;
    case IDE_XFER_WRITE:
        write_block_done(d);
        break;
    case IDE_XFER_PACKET:
        atapi_packet(d);
        break;
    case IDE_XFER_ATAPI:
        atapi_block_done(d);
        break;
    default:
        end_transfer(d);
        d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC;
    }
}

void ide_start_read(IdeDrive *d)
{
    d->xfer = IDE_XFER_READ;
    read_buffer(d);
}

void ide_start_write(IdeDrive *d)
{
    d->xfer = IDE_XFER_WRITE;
    write_buffer_begin(d); /* the first block is asked for without an interrupt (9.6) */
}

/* ---- DMA ---- */

void ide_dma_continue(IdeDrive *d)
{
    d->dma_wait = true;
    d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC | IDE_STATUS_DRQ;
    d->chan->dma->request(d->chan->dma_opaque, d);
}

void ide_start_dma(IdeDrive *d, IdeXfer xfer)
{
    d->xfer = (uint8_t)xfer;
    ide_dma_continue(d);
}

static void dma_finish(IdeDrive *d, bool short_memory)
{
    transfer_complete(d);
    d->chan->dma->finished(d->chan->dma_opaque, short_memory);
    if (short_memory) {
        end_transfer(d);
        d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC;
    } else {
        ide_command_done(d, 0);
    }
}

static void dma_failed(IdeDrive *d)
{
    uint8_t error = d->xfer == IDE_XFER_READ ? IDE_ERROR_UNC : IDE_ERROR_ABRT;

    d->chan->dma->finished(d->chan->dma_opaque, false);
    ide_rw_error(d, error);
}

static void dma_chunk_done(IdeDrive *d, int ret)
{
    uint64_t bytes = d->sg.bytes;

    ide_sg_finish(&d->sg, ret < 0 ? 0 : bytes);
    if (ret < 0) {
        dma_failed(d);
        return;
    }
    sectors_moved(d, (uint32_t)(bytes / IDE_SECTOR));
    if (!d->count) {
        dma_finish(d, false);
        return;
    }
    ide_dma_continue(d);
}

static void dma_sectors(IdeDrive *d)
{
    bool read = d->xfer == IDE_XFER_READ;
    uint64_t want = MIN((uint64_t)d->count * IDE_SECTOR, IDE_DMA_CHUNK);
    uint64_t got = d->chan->dma->gather(d->chan->dma_opaque, &d->sg, read, want);

    got -= got % IDE_SECTOR;
    if (!got) {
        ide_sg_truncate(&d->sg, 0);
        dma_finish(d, true);
        return;
    }
    ide_sg_truncate(&d->sg, got);
    ide_sg_map(&d->sg);
    d->status = IDE_STATUS_BSY;
    ide_submit(d, read ? BLOCK_OP_READ : BLOCK_OP_WRITE, d->lba * IDE_SECTOR, got, d->sg.iov,
               (int)d->sg.iov_count, dma_chunk_done);
}

static void dma_trim(IdeDrive *d)
{
    uint32_t want = d->len;
    uint64_t got = d->chan->dma->gather(d->chan->dma_opaque, &d->sg, false, want);

    ide_sg_copy(&d->sg, d->buf, got);
    d->chan->dma->finished(d->chan->dma_opaque, got < want);
    d->len = (uint32_t)got;
    ata_trim(d);
}

void ide_drive_dma(IdeDrive *d)
{
    /* while a cancelled request is waited for with the lock released, its list is still in use */
    if (!d->dma_wait || d->in_flight || d->cancelled) {
        return;
    }
    d->dma_wait = false;
    switch ((IdeXfer)d->xfer) {
    case IDE_XFER_READ:
    case IDE_XFER_WRITE:
        dma_sectors(d);
        break;
    case IDE_XFER_DSM:
        dma_trim(d);
        break;
    case IDE_XFER_ATAPI:
        atapi_dma(d);
        break;
    default:
        ide_abort(d);
    }
}

/* ---- reset ---- */

void ide_drive_signature(IdeDrive *d)
{
    d->reg = (IdeTaskFile){.count = 1, .lba_low = 1};
    d->hob = (IdeTaskFile){0};
    d->device = IDE_DEVICE_OBSOLETE;
    d->error = 0x01; /* diagnostics passed */
    if (d->cd) {
        d->reg.lba_mid = 0x14;
        d->reg.lba_high = 0xeb;
        d->status = 0; /* a packet device has no DRDY until it is addressed (9.12) */
    } else {
        d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC;
    }
}

void ide_drive_reset(IdeDrive *d, bool hard)
{
    ide_drive_cancel(d);
    ide_clear_intrq(d);
    ide_drive_signature(d);
    d->fua = false;
    if (hard) {
        d->heads = d->default_heads;
        d->secs = d->default_secs;
        d->mult = IDE_MULT_MAX;
        d->mwdma = 0;
        d->udma = 1u << 5;
        d->smart = true;
        d->standby = false;
    }
    if (d->cd) {
        atapi_reset(d);
    }
}

static void ide_device_reset(Device *dev)
{
    ide_drive_reset((IdeDrive *)dev, true);
}

/* ---- realize ---- */

/* The usual translation: 16 heads of 63 sectors (ATA/ATAPI-5 annex C), unless the user gave one. */
static bool choose_geometry(IdeDrive *d, GError **err)
{
    if (!d->cyls_prop && !d->heads_prop && !d->secs_prop) {
        uint64_t cyls = d->sectors / (16 * 63);
        d->default_cyls = (uint16_t)CLAMP(cyls, 2, 16383);
        d->default_heads = 16;
        d->default_secs = 63;
        return true;
    }
    if (!d->cyls_prop || !d->heads_prop || !d->secs_prop) {
        emu_set_error(err, "%s: cyls, heads and secs must be given together", d->dev.cls->name);
        return false;
    }
    d->default_cyls = (uint16_t)d->cyls_prop;
    d->default_heads = (uint8_t)d->heads_prop;
    d->default_secs = (uint8_t)d->secs_prop;
    return true;
}

static void media_change(void *opaque)
{
    atapi_media_changed(opaque);
}

static bool attach_backend(IdeDrive *d, GError **err)
{
    const char *who = d->dev.id ? d->dev.id : d->dev.cls->name;

    if (!d->drive_prop) {
        if (d->cd) {
            return true;
        }
        emu_set_error(err, "%s: property 'drive' must name the disk's drive or node", who);
        return false;
    }
    d->blk = block_backend_find(d->drive_prop, err);
    if (!d->blk || !block_backend_attach(d->blk, who, !d->cd, err)) {
        d->blk = NULL;
        return false;
    }
    if (d->cd) {
        block_backend_set_change_cb(d->blk, media_change, d);
        return true;
    }
    d->sectors = block_length(d->blk) / IDE_SECTOR;
    if (!d->sectors || d->sectors > 1ull << 48) {
        emu_set_error(err, "%s: drive '%s' has %" G_GUINT64_FORMAT " sectors; a disk has 1 to 2^48",
                      who, d->drive_prop, d->sectors);
        block_backend_detach(d->blk);
        d->blk = NULL;
        return false;
    }
    return true;
}

static void name_drive(IdeDrive *d)
{
    const char *serial = d->serial_prop ? d->serial_prop : d->blk ? block_serial(d->blk) : NULL;
    g_autofree char *made = g_strdup_printf("EM%s-%u", d->chan->bus->name, d->unit);
    const char *model = d->cd ? "EMU DVD-ROM" : "EMU HARDDISK";

    ata_pad_string(d->serial, serial ? serial : made, 20);
    ata_pad_string(d->model, d->model_prop ? d->model_prop : model, 40);
    ata_pad_string(d->firmware, d->ver_prop ? d->ver_prop : "1.0", 8);
}

static bool ide_realize(IdeDrive *d, bool cd, GError **err)
{
    d->cd = cd;
    if (!attach_backend(d, err)) {
        return false;
    }
    if (!cd && !choose_geometry(d, err)) {
        block_backend_detach(d->blk);
        d->blk = NULL;
        return false;
    }
    name_drive(d);
    d->buf = g_malloc0(IDE_BUF_SIZE + 8); /* a double word may start at the last byte */
    d->idle = machine_cond_new();
    ide_drive_reset(d, true);
    return true;
}

static bool ide_hd_realize(Device *dev, GError **err)
{
    return ide_realize((IdeDrive *)dev, false, err);
}

static bool ide_cd_realize(Device *dev, GError **err)
{
    return ide_realize((IdeDrive *)dev, true, err);
}

static void ide_unrealize(Device *dev)
{
    IdeDrive *d = (IdeDrive *)dev;

    ide_drive_cancel(d);
    if (d->blk) {
        block_backend_detach(d->blk);
        d->blk = NULL;
    }
    ide_sg_free(&d->sg);
    machine_cond_free(d->idle);
    g_clear_pointer(&d->buf, g_free);
}

/* ---- state ---- */

static void drive_pre_save(void *opaque)
{
    ide_drive_wait_idle(opaque);
}

static bool drive_post_load(void *opaque, uint32_t version, GError **err)
{
    IdeDrive *d = opaque;
    bool disk_phase = d->xfer == IDE_XFER_READ || d->xfer == IDE_XFER_WRITE;
    bool bad =
        d->pos > d->end || d->end > d->len || d->len > IDE_BUF_SIZE ||
        (d->cd && (disk_phase || d->xfer == IDE_XFER_DSM)) ||
        (!d->cd && (d->xfer == IDE_XFER_PACKET || d->xfer == IDE_XFER_ATAPI)) ||
        (d->xfer == IDE_XFER_NONE && (d->dma_wait || (d->status & IDE_STATUS_DRQ))) ||
        (!d->dma_wait && (d->status & IDE_STATUS_DRQ) && d->pos == d->end) ||
        (d->dma_wait &&
         (!d->chan->dma || d->xfer == IDE_XFER_REPLY || d->xfer == IDE_XFER_PACKET)) ||
        (disk_phase && (!d->count || d->count > 65536 || !d->block_sectors || d->lba > d->sectors ||
                        d->count > d->sectors - d->lba || d->len / IDE_SECTOR > d->count)) ||
        (d->xfer == IDE_XFER_DSM && (d->len % IDE_SECTOR || !d->dma_wait)) ||
        (!d->cd && (!d->heads || !d->secs)) || (d->status & IDE_STATUS_BSY);

    (void)version;
    if (bad) {
        emu_set_error(err, "%s: the saved transfer state contradicts itself", d->dev.cls->name);
        end_transfer(d);
        d->status = IDE_STATUS_DRDY;
        d->heads = d->default_heads;
        d->secs = d->default_secs;
        return false;
    }
    return true;
}

static const StateField taskfile_fields[] = {
    STATE_FIELD_UINT(IdeTaskFile, feature),  STATE_FIELD_UINT(IdeTaskFile, count),
    STATE_FIELD_UINT(IdeTaskFile, lba_low),  STATE_FIELD_UINT(IdeTaskFile, lba_mid),
    STATE_FIELD_UINT(IdeTaskFile, lba_high), STATE_FIELD_END,
};

static const StateTable taskfile_state_table = {
    .name = "ide-task-file",
    .version = 1,
    .min_version = 1,
    .fields = taskfile_fields,
};

static const StateField drive_fields[] = {
    STATE_FIELD_STRUCT(IdeDrive, reg, &taskfile_state_table),
    STATE_FIELD_STRUCT(IdeDrive, hob, &taskfile_state_table),
    STATE_FIELD_UINT(IdeDrive, device),
    STATE_FIELD_UINT(IdeDrive, status),
    STATE_FIELD_UINT(IdeDrive, error),
    STATE_FIELD_UINT(IdeDrive, intrq),
    STATE_FIELD_UINT_MAX(IdeDrive, heads, 16),
    STATE_FIELD_UINT(IdeDrive, secs),
    STATE_FIELD_UINT_MAX(IdeDrive, mult, IDE_MULT_MAX),
    STATE_FIELD_UINT(IdeDrive, mwdma),
    STATE_FIELD_UINT(IdeDrive, udma),
    STATE_FIELD_UINT(IdeDrive, smart),
    STATE_FIELD_UINT(IdeDrive, standby),
    STATE_FIELD_UINT(IdeDrive, command),
    STATE_FIELD_UINT_MAX(IdeDrive, xfer, IDE_XFER_LAST),
    STATE_FIELD_UINT(IdeDrive, dma_wait),
    STATE_FIELD_UINT_MAX(IdeDrive, block_sectors, IDE_MULT_MAX),
    STATE_FIELD_UINT(IdeDrive, fua),
    STATE_FIELD_UINT(IdeDrive, lba),
    STATE_FIELD_UINT(IdeDrive, count),
    STATE_FIELD_UINT_MAX(IdeDrive, pos, IDE_BUF_SIZE),
    STATE_FIELD_UINT_MAX(IdeDrive, end, IDE_BUF_SIZE),
    {
        .name = "buf",
        .kind = STATE_VBYTES,
        .offset = offsetof(IdeDrive, buf),
        .size = IDE_BUF_SIZE,
        .count = 1,
        .count_offset = offsetof(IdeDrive, len),
        .pointer = true,
    },
    STATE_FIELD_STRUCT(IdeDrive, atapi, &atapi_state_table),
    STATE_FIELD_END,
};

static const StateTable ide_hd_state_table = {
    .name = "ide-hd",
    .version = 1,
    .min_version = 1,
    .fields = drive_fields,
    .pre_save = drive_pre_save,
    .post_load = drive_post_load,
};

static const StateTable ide_cd_state_table = {
    .name = "ide-cd",
    .version = 1,
    .min_version = 1,
    .fields = drive_fields,
    .pre_save = drive_pre_save,
    .post_load = drive_post_load,
};

/* ---- classes ---- */

#define IDE_COMMON_PROPS                                                                           \
    {.name = "drive",                                                                              \
     .type = PROP_DRIVE,                                                                           \
     PROP_FIELD(IdeDrive, drive_prop),                                                             \
     .description = "id of the drive, or node name, to use as the medium"},                        \
        {.name = "unit",                                                                           \
         .type = PROP_INT,                                                                         \
         PROP_FIELD(IdeDrive, unit_prop),                                                          \
         .min = (uint64_t)-1,                                                                      \
         .max = 1,                                                                                 \
         .default_value = "-1",                                                                    \
         .description = "device 0 or 1 of the channel; -1: the first free"},                       \
        {.name = "bootindex",                                                                      \
         .type = PROP_INT,                                                                         \
         PROP_FIELD(IdeDrive, bootindex),                                                          \
         .min = (uint64_t)-1,                                                                      \
         .max = INT32_MAX,                                                                         \
         .default_value = "-1",                                                                    \
         .description = "place in the firmware's boot order; -1: none"},                           \
        {.name = "serial",                                                                         \
         .type = PROP_STRING,                                                                      \
         PROP_FIELD(IdeDrive, serial_prop),                                                        \
         .description = "serial number, at most 20 characters"},                                   \
        {.name = "model",                                                                          \
         .type = PROP_STRING,                                                                      \
         PROP_FIELD(IdeDrive, model_prop),                                                         \
         .description = "model number, at most 40 characters"},                                    \
    {                                                                                              \
        .name = "ver", .type = PROP_STRING, PROP_FIELD(IdeDrive, ver_prop),                        \
        .description = "firmware revision, at most 8 characters"                                   \
    }

static const Property ide_hd_props[] = {
    IDE_COMMON_PROPS,
    {.name = "cyls",
     .type = PROP_UINT,
     PROP_FIELD(IdeDrive, cyls_prop),
     .max = 65535,
     .default_value = "0",
     .description = "cylinders of the default CHS translation; 0: chosen by size"},
    {.name = "heads",
     .type = PROP_UINT,
     PROP_FIELD(IdeDrive, heads_prop),
     .max = 16,
     .default_value = "0",
     .description = "heads of the default CHS translation"},
    {.name = "secs",
     .type = PROP_UINT,
     PROP_FIELD(IdeDrive, secs_prop),
     .max = 255,
     .default_value = "0",
     .description = "sectors per track of the default CHS translation"},
    {.type = PROP_END},
};

static const Property ide_cd_props[] = {
    IDE_COMMON_PROPS,
    {.type = PROP_END},
};

const DeviceClass ide_hd_class = {
    .name = "ide-hd",
    .description = "virtual IDE disk",
    .bus_type = "IDE",
    .category = DEVICE_CATEGORY_STORAGE,
    .size = sizeof(IdeDrive),
    .props = ide_hd_props,
    .state = &ide_hd_state_table,
    .user_creatable = true,
    .realize = ide_hd_realize,
    .unrealize = ide_unrealize,
    .reset = ide_device_reset,
};

const DeviceClass ide_cd_class = {
    .name = "ide-cd",
    .description = "virtual IDE CD-ROM",
    .bus_type = "IDE",
    .category = DEVICE_CATEGORY_STORAGE,
    .size = sizeof(IdeDrive),
    .props = ide_cd_props,
    .state = &ide_cd_state_table,
    .user_creatable = true,
    .realize = ide_cd_realize,
    .unrealize = ide_unrealize,
    .reset = ide_device_reset,
};
