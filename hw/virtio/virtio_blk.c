/*
 * The virtio block device (virtio 1.2, 5.2).
 *
 * Requests are taken from the ring on the notifying vCPU's thread, and go to the block layer with
 * the guest's buffers as they lie in its RAM. Reads or writes that follow one another on the disk
 * go as one, held by the first of them (the leader). Completions gather in a lock-free list on the
 * I/O thread, which then takes the machine lock once for all that came together, and interrupts
 * once. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/virtio/virtio_blk.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "block/backend.h"
#include "core/iothread.h"
#include "core/lock.h"
#include "core/safepoint.h"
#include "hw/virtio/virtio_pci.h"
#include "util/keyval.h"

enum {
    SECTOR = 512,
    ID_BYTES = 20,
    HEADER_BYTES = 16,
    SEGMENT_BYTES = 16, /* of discard and write zeroes */
    MERGE_IOV_MAX = 1024,
    MERGE_BYTES_MAX = 1 << 20,
    RANGE_SECTORS_MAX = 4194303, /* of a discard or write zeroes request: just under 2 GiB */
    SEG_MAX_SPARE = 2,           /* header and status also take descriptors */

    /* Request types and statuses (5.2.6) */
    T_IN = 0,
    T_OUT = 1,
    T_FLUSH = 4,
    T_GET_ID = 8,
    T_DISCARD = 11,
    T_WRITE_ZEROES = 13,
    S_OK = 0,
    S_IOERR = 1,
    S_UNSUPP = 2,
    RANGE_UNMAP = 1,
};

/* Features (5.2.3) */
#define F_SEG_MAX      (1ull << 2)
#define F_GEOMETRY     (1ull << 4)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_TOPOLOGY     (1ull << 10)
#define F_CONFIG_WCE   (1ull << 11)
#define F_MQ           (1ull << 12)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

/* struct virtio_blk_config (5.2.4), little-endian */
typedef struct __attribute__((packed)) BlkConfig {
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
} BlkConfig;
_Static_assert(sizeof(BlkConfig) == 60, "virtio 1.2, 5.2.4");

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkReq BlkReq;

/* Outlives the device until the I/O thread has let go of it. */
typedef struct DoneList {
    BlkReq *_Atomic head; /* newest first */
    _Atomic int refs;
    VirtioBlk *owner; /* machine lock; NULL: the device has gone */
} DoneList;

struct BlkReq {
    VirtElem elem; /* first */
    VirtQueue *queue;
    DoneList *done;
    uint8_t *status; /* where it goes in guest RAM */
    uint64_t offset, bytes;
    BlkReq *next_merged;

    /* Of a leader: */
    BlkReq *last_merged;
    BlockRequest block;
    struct iovec *merged_iov; /* NULL: the element's own */
    int iov_count;
    int ret;
    BlkReq *next_done;
    BlkReq *prev, *next; /* in VirtioBlk.in_flight */
};

struct VirtioBlk {
    VirtioPci vpci;
    /* properties */
    char *drive_prop, *serial_prop;
    uint32_t num_queues, queue_size;
    uint64_t logical_block_size, physical_block_size, min_io_size, opt_io_size;
    bool config_wce, discard_prop, write_zeroes_prop;
    int write_cache_prop;
    int32_t bootindex;

    BlockBackend *blk;
    bool readonly;
    uint8_t writeback;       /* cache mode as the driver sees it */
    uint8_t writeback_start; /* after reset */
    BlkReq *in_flight;       /* leaders */
    DoneList *done;
    bool discarding; /* a reset is under way: completions are dropped, no new requests taken */
};

static VirtioBlk *blk_of(VirtioDevice *vdev)
{
    return (VirtioBlk *)virtio_pci_of(vdev);
}

/* ---- completion ---- */

static void finish(BlkReq *r, uint8_t status)
{
    uint64_t written = r->elem.in_bytes;

    *r->status = status;
    virtq_written(r->queue, r->status, 1);
    virtq_push(r->queue, &r->elem, (uint32_t)MIN(written, UINT32_MAX));
}

static void submit(VirtioBlk *s, BlkReq *leader);

static void unlink_in_flight(VirtioBlk *s, BlkReq *r)
{
    if (r->prev) {
        r->prev->next = r->next;
    } else {
        s->in_flight = r->next;
    }
    if (r->next) {
        r->next->prev = r->prev;
    }
}

/* A leader's request is over. */
static void complete(VirtioBlk *s, BlkReq *leader)
{
    bool merged = leader->next_merged;
    int ret = leader->ret;
    BlockOp op = leader->block.op;
    uint32_t flags = leader->block.flags;

    unlink_in_flight(s, leader);
    g_clear_pointer(&leader->merged_iov, g_free);
    for (BlkReq *r = leader, *next; r; r = next) {
        next = r->next_merged;
        if (s->discarding) {
            virtq_drop(r->queue, &r->elem);
        } else if (ret < 0 && merged) {
            /* Which of them was it? Each for itself. */
            r->block = (BlockRequest){.op = op, .flags = flags};
            r->next_merged = NULL;
            submit(s, r);
        } else {
            finish(r, ret < 0 ? S_IOERR : S_OK);
        }
    }
}

/* Completes all that the I/O thread has put into the list. Machine lock held. */
static void complete_all(VirtioBlk *s)
{
    BlkReq *list = atomic_exchange(&s->done->head, NULL), *ordered = NULL;
    uint32_t touched = 0;

    while (list) {
        BlkReq *next = list->next_done;
        list->next_done = ordered;
        ordered = list;
        list = next;
    }
    while (ordered) {
        BlkReq *next = ordered->next_done;
        touched |= 1u << ordered->queue->index;
        complete(s, ordered);
        ordered = next;
    }
    for (int i = 0; touched >> i && !s->discarding; i++) {
        if (touched & (1u << i)) {
            virtq_interrupt(&s->vpci.vdev.queues[i]);
        }
    }
}

static void done_list_unref(DoneList *d)
{
    if (atomic_fetch_sub(&d->refs, 1) == 1) {
        g_free(d);
    }
}

/* On the I/O thread, after the completions that came together. */
static void deliver(void *opaque)
{
    DoneList *d = opaque;

    machine_lock();
    if (d->owner) {
        complete_all(d->owner);
    }
    machine_unlock();
    done_list_unref(d);
}

static void block_done(BlockRequest *req, int ret)
{
    BlkReq *r = req->opaque;
    DoneList *d = r->done;
    BlkReq *head = atomic_load(&d->head);

    r->ret = ret;
    /* R can be completed as soon as it is in the list: the reference is taken before. */
    atomic_fetch_add(&d->refs, 1);
    do {
        r->next_done = head;
    } while (!atomic_compare_exchange_weak(&d->head, &head, r));
    if (head) {
        done_list_unref(d); /* whoever put the first one has seen to it */
    } else {
        io_thread_post(io_thread_current(), deliver, d);
    }
}

/* ---- submission ---- */

static void submit(VirtioBlk *s, BlkReq *leader)
{
    bool write = leader->block.op != BLOCK_OP_READ;
    struct iovec *iov = write ? leader->elem.out : leader->elem.in;
    uint64_t bytes = 0;

    if (leader->next_merged) {
        int n = 0;
        iov = leader->merged_iov = g_new(struct iovec, (size_t)leader->iov_count);
        for (BlkReq *r = leader; r; r = r->next_merged) {
            unsigned count = write ? r->elem.out_count : r->elem.in_count;
            memcpy(iov + n, write ? r->elem.out : r->elem.in, count * sizeof(*iov));
            n += (int)count;
            bytes += r->bytes;
        }
    } else {
        bytes = leader->bytes;
        leader->iov_count = write ? leader->elem.out_count : leader->elem.in_count;
    }
    leader->block.offset = leader->offset;
    leader->block.bytes = bytes;
    leader->block.iov = iov;
    leader->block.iovcnt = leader->iov_count;
    leader->block.done = block_done;
    leader->block.opaque = leader;
    leader->prev = NULL;
    leader->next = s->in_flight;
    if (s->in_flight) {
        s->in_flight->prev = leader;
    }
    s->in_flight = leader;
    block_submit(s->blk, &leader->block);
}

static int data_iovs(const BlkReq *r, BlockOp op)
{
    return op == BLOCK_OP_READ ? r->elem.in_count : r->elem.out_count;
}

/* Appends R to the waiting LEADER if it goes on where that ends. */
static bool merge(BlkReq *leader, BlkReq *r)
{
    const BlkReq *last = leader->last_merged;
    int count = leader->iov_count + data_iovs(r, r->block.op);

    if (leader->block.op != r->block.op || leader->block.flags != r->block.flags ||
        leader->queue != r->queue || last->offset + last->bytes != r->offset ||
        count > MERGE_IOV_MAX || r->offset + r->bytes - leader->offset > MERGE_BYTES_MAX) {
        return false;
    }
    leader->last_merged->next_merged = r;
    leader->last_merged = r;
    leader->iov_count = count;
    return true;
}

/* R is a read or write ready to go; *WAITING the leader that collects. */
static void add_transfer(VirtioBlk *s, BlkReq **waiting, BlkReq *r)
{
    if (*waiting && merge(*waiting, r)) {
        return;
    }
    if (*waiting) {
        submit(s, *waiting);
    }
    r->last_merged = r;
    r->iov_count = data_iovs(r, r->block.op);
    *waiting = r;
}

/* ---- requests ---- */

static bool in_range(const VirtioBlk *s, uint64_t sector, uint64_t bytes)
{
    uint64_t capacity = block_length(s->blk) / SECTOR;

    return bytes && bytes % s->logical_block_size == 0 &&
           sector % (s->logical_block_size / SECTOR) == 0 && sector <= capacity &&
           bytes / SECTOR <= capacity - sector;
}

static uint32_t write_flags(const VirtioBlk *s)
{
    /* 5.2.6.2: without FLUSH, or in writethrough mode, a write that completes is stable. */
    bool stable = !virtio_has(&s->vpci.vdev, F_FLUSH) || !s->writeback;

    return stable ? BLOCK_REQ_FUA : 0;
}

static void start_transfer(VirtioBlk *s, BlkReq **waiting, BlkReq *r, uint64_t sector, bool write)
{
    r->bytes = write ? r->elem.out_bytes - HEADER_BYTES : r->elem.in_bytes - 1;
    if (!in_range(s, sector, r->bytes) || (write && s->readonly)) {
        finish(r, S_IOERR);
        return;
    }
    r->offset = sector * SECTOR;
    r->block.op = write ? BLOCK_OP_WRITE : BLOCK_OP_READ;
    r->block.flags = write ? write_flags(s) : 0;
    add_transfer(s, waiting, r);
}

static void start_range(VirtioBlk *s, BlkReq *r, bool zeroes)
{
    struct {
        uint64_t sector;
        uint32_t sectors, flags;
    } range;
    uint64_t sectors;

    if (!virtio_has(&s->vpci.vdev, zeroes ? F_WRITE_ZEROES : F_DISCARD)) {
        finish(r, S_UNSUPP);
        return;
    }
    if (r->elem.out_bytes - HEADER_BYTES != SEGMENT_BYTES ||
        virtio_iov_read(r->elem.out, r->elem.out_count, 0, &range, sizeof(range)) !=
            sizeof(range)) {
        finish(r, S_IOERR); /* more than max_*_seg, or none */
        return;
    }
    range.sector = GUINT64_FROM_LE(range.sector);
    range.flags = GUINT32_FROM_LE(range.flags);
    sectors = GUINT32_FROM_LE(range.sectors);
    if (range.flags & ~(zeroes ? RANGE_UNMAP : 0u)) {
        finish(r, S_UNSUPP);
        return;
    }
    if (!in_range(s, range.sector, sectors * SECTOR) || sectors > RANGE_SECTORS_MAX ||
        s->readonly) {
        finish(r, S_IOERR);
        return;
    }
    r->offset = range.sector * SECTOR;
    r->bytes = sectors * SECTOR;
    r->block.op = zeroes ? BLOCK_OP_WRITE_ZEROES : BLOCK_OP_DISCARD;
    r->block.flags = zeroes ? write_flags(s) | (range.flags ? BLOCK_REQ_UNMAP : 0) : 0;
    submit(s, r);
}

static void send_id(VirtioBlk *s, BlkReq *r)
{
    char id[ID_BYTES] = {0};
    const char *serial = s->serial_prop ? s->serial_prop : block_serial(s->blk);

    if (serial) {
        memcpy(id, serial, strnlen(serial, sizeof(id)));
    }
    virtio_iov_write(r->elem.in, r->elem.in_count, 0, id, sizeof(id));
    finish(r, S_OK);
}

/* Starts R; false: it is malformed, and the device broken. */
static bool start(VirtioBlk *s, BlkReq **waiting, BlkReq *r)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    const struct iovec *last = r->elem.in_count ? &r->elem.in[r->elem.in_count - 1] : NULL;
    uint64_t sector;

    if (!last ||
        virtio_iov_read(r->elem.out, r->elem.out_count, 0, &header, HEADER_BYTES) != HEADER_BYTES) {
        virtio_error(&s->vpci.vdev, "a request without room for header or status");
        virtq_drop(r->queue, &r->elem);
        return false;
    }
    r->status = (uint8_t *)last->iov_base + last->iov_len - 1;
    virtio_iov_trim_end(r->elem.in, &r->elem.in_count, 1);
    virtio_iov_trim_front(&r->elem.out, &r->elem.out_count, HEADER_BYTES);
    sector = GUINT64_FROM_LE(header.sector);
    switch (GUINT32_FROM_LE(header.type)) {
    case T_IN:
    case T_OUT:
        start_transfer(s, waiting, r, sector, GUINT32_FROM_LE(header.type) == T_OUT);
        break;
    case T_FLUSH:
        r->block.op = BLOCK_OP_FLUSH;
        submit(s, r);
        break;
    case T_GET_ID:
        send_id(s, r);
        break;
    case T_DISCARD:
    case T_WRITE_ZEROES:
        start_range(s, r, GUINT32_FROM_LE(header.type) == T_WRITE_ZEROES);
        break;
    default:
        finish(r, S_UNSUPP);
        break;
    }
    return true;
}

static void handle_queue(VirtioDevice *vdev, VirtQueue *q)
{
    VirtioBlk *s = blk_of(vdev);
    BlkReq *waiting = NULL, *r;
    uint16_t used = q->used_index;

    if (s->discarding) {
        return;
    }
    do {
        virtq_set_notification(q, false);
        while ((r = virtq_pop_sized(q, sizeof(BlkReq)))) {
            r->queue = q;
            r->done = s->done;
            if (!start(s, &waiting, r)) {
                break;
            }
        }
        virtq_set_notification(q, true);
    } while (!virtq_empty(q));
    if (waiting) {
        submit(s, waiting);
    }
    if (q->used_index != used) {
        virtq_interrupt(q); /* those that were done at once */
    }
}

/* ---- stopping ---- */

/* A request that failed and waits for the machine to go on (werror=stop) will not come back by
 * itself. */
static void take_back_kept(VirtioBlk *s)
{
    for (BlkReq *r = s->in_flight, *next; r; r = next) {
        next = r->next;
        if (block_cancel_kept(s->blk, &r->block)) {
            g_clear_pointer(&r->merged_iov, g_free);
            r->ret = -EIO;
            unlink_in_flight(s, r);
            for (BlkReq *m = r, *next_merged; m; m = next_merged) {
                next_merged = m->next_merged;
                if (s->discarding) {
                    virtq_drop(m->queue, &m->elem);
                } else {
                    finish(m, S_IOERR);
                }
            }
        }
    }
}

/* Returns with nothing in flight. Releases the machine lock meanwhile. */
static void quiesce(VirtioBlk *s)
{
    while (s->in_flight) {
        take_back_kept(s);
        machine_unlock();
        safepoint_offline();
        block_backend_drain(s->blk);
        safepoint_online();
        machine_lock();
        complete_all(s);
    }
}

static void device_reset(VirtioDevice *vdev)
{
    VirtioBlk *s = blk_of(vdev);

    if (s->in_flight) {
        s->discarding = true;
        quiesce(s);
        s->discarding = false;
    }
    s->writeback = s->writeback_start;
}

/* ---- configuration ---- */

static uint64_t features(VirtioDevice *vdev)
{
    const VirtioBlk *s = blk_of(vdev);
    bool discard = s->discard_prop && block_can_discard(s->blk);

    return F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_TOPOLOGY | F_FLUSH | (s->readonly ? F_RO : 0) |
           (s->config_wce ? F_CONFIG_WCE : 0) | (s->num_queues > 1 ? F_MQ : 0) |
           (discard && !s->readonly ? F_DISCARD : 0) |
           (s->write_zeroes_prop && !s->readonly ? F_WRITE_ZEROES : 0);
}

static void get_config(VirtioDevice *vdev, uint8_t *config)
{
    const VirtioBlk *s = blk_of(vdev);
    uint64_t sectors = block_length(s->blk) / SECTOR;
    uint64_t cylinders = sectors / (16 * 63);
    uint32_t per_block = (uint32_t)(s->logical_block_size / SECTOR);
    const BlkConfig c = {
        .capacity = GUINT64_TO_LE(sectors),
        .seg_max = GUINT32_TO_LE(s->queue_size - SEG_MAX_SPARE),
        .cylinders = GUINT16_TO_LE((uint16_t)MIN(cylinders, 65535)),
        .heads = 16,
        .sectors = 63,
        .blk_size = GUINT32_TO_LE((uint32_t)s->logical_block_size),
        .physical_block_exp =
            (uint8_t)__builtin_ctzll(s->physical_block_size / s->logical_block_size),
        .min_io_size = GUINT16_TO_LE((uint16_t)(s->min_io_size / s->logical_block_size)),
        .opt_io_size = GUINT32_TO_LE((uint32_t)(s->opt_io_size / s->logical_block_size)),
        .writeback = s->writeback,
        .num_queues = GUINT16_TO_LE((uint16_t)s->num_queues),
        .max_discard_sectors = GUINT32_TO_LE(RANGE_SECTORS_MAX / per_block * per_block),
        .max_discard_seg = GUINT32_TO_LE(1),
        .discard_sector_alignment = GUINT32_TO_LE(per_block),
        .max_write_zeroes_sectors = GUINT32_TO_LE(RANGE_SECTORS_MAX / per_block * per_block),
        .max_write_zeroes_seg = GUINT32_TO_LE(1),
        .write_zeroes_may_unmap = 1,
    };

    memcpy(config, &c, sizeof(c));
}

static void set_config(VirtioDevice *vdev, const uint8_t *config, uint32_t offset, uint32_t len)
{
    VirtioBlk *s = blk_of(vdev);
    const uint32_t at = offsetof(BlkConfig, writeback);

    if (s->config_wce && offset <= at && at < offset + len) {
        s->writeback = config[at] & 1;
    }
}

static const VirtioOps ops = {
    .id = VIRTIO_ID_BLOCK,
    .config_size = sizeof(BlkConfig),
    .features = features,
    .get_config = get_config,
    .set_config = set_config,
    .handle_queue = handle_queue,
    .reset = device_reset,
};

/* ---- the device ---- */

static void reset(Device *dev)
{
    virtio_pci_reset(&((VirtioBlk *)dev)->vpci);
}

static const char *who(const VirtioBlk *s)
{
    const Device *dev = &s->vpci.pci.dev;

    return dev->id ? dev->id : dev->cls->name;
}

static bool is_power_of_two(uint64_t v)
{
    return v && !(v & (v - 1));
}

static bool check_props(VirtioBlk *s, GError **err)
{
    if (!s->drive_prop) {
        emu_set_error(err, "%s: property 'drive' must name the disk's drive or node", who(s));
        return false;
    }
    if (!is_power_of_two(s->queue_size)) {
        emu_set_error(err, "%s: queue-size=%u must be a power of two, 4 to %d", who(s),
                      s->queue_size, VIRTIO_QUEUE_SIZE_MAX);
        return false;
    }
    if (!is_power_of_two(s->logical_block_size) || !is_power_of_two(s->physical_block_size) ||
        s->physical_block_size < s->logical_block_size) {
        emu_set_error(err,
                      "%s: logical_block_size=%" G_GUINT64_FORMAT
                      " and physical_block_size=%" G_GUINT64_FORMAT " must be powers of "
                      "two from 512 up, the second not below the first",
                      who(s), s->logical_block_size, s->physical_block_size);
        return false;
    }
    if (s->min_io_size % s->logical_block_size || s->opt_io_size % s->logical_block_size) {
        emu_set_error(err,
                      "%s: min_io_size and opt_io_size must be multiples of "
                      "logical_block_size=%" G_GUINT64_FORMAT "",
                      who(s), s->logical_block_size);
        return false;
    }
    return true;
}

static bool attach_drive(VirtioBlk *s, GError **err)
{
    enum { WRITE_CACHE_ON, WRITE_CACHE_OFF };

    s->blk = block_backend_find(s->drive_prop, err);
    if (!s->blk) {
        return false;
    }
    s->readonly = block_inserted(s->blk) && block_readonly(s->blk);
    if (!block_backend_attach(s->blk, who(s), !s->readonly, err)) {
        s->blk = NULL;
        return false;
    }
    if (block_length(s->blk) < SECTOR || block_length(s->blk) % s->logical_block_size) {
        emu_set_error(err,
                      "%s: drive '%s' has %" G_GUINT64_FORMAT " bytes, which is no whole number "
                      "of blocks of %" G_GUINT64_FORMAT,
                      who(s), s->drive_prop, block_length(s->blk), s->logical_block_size);
        block_backend_detach(s->blk);
        s->blk = NULL;
        return false;
    }
    if (s->write_cache_prop == WRITE_CACHE_ON || s->write_cache_prop == WRITE_CACHE_OFF) {
        block_set_write_cache(s->blk, s->write_cache_prop == WRITE_CACHE_ON);
    }
    s->writeback_start = block_write_cache(s->blk);
    s->writeback = s->writeback_start;
    return true;
}

static bool realize(Device *dev, GError **err)
{
    VirtioBlk *s = (VirtioBlk *)dev;

    if (!check_props(s, err) || !virtio_pci_begin(&s->vpci, &ops, err) || !attach_drive(s, err)) {
        return false;
    }
    for (uint32_t i = 0; i < s->num_queues; i++) {
        virtio_add_queue(&s->vpci.vdev, (uint16_t)s->queue_size);
    }
    if (!virtio_pci_end(&s->vpci, err)) {
        block_backend_detach(s->blk);
        s->blk = NULL;
        return false;
    }
    s->done = g_new0(DoneList, 1);
    atomic_store(&s->done->refs, 1);
    s->done->owner = s;
    return true;
}

static void unrealize(Device *dev)
{
    VirtioBlk *s = (VirtioBlk *)dev;

    s->discarding = true;
    quiesce(s);
    s->done->owner = NULL;
    done_list_unref(s->done);
    s->done = NULL;
    block_backend_detach(s->blk);
    s->blk = NULL;
}

static const Property props[] = {
    {.name = "drive",
     .type = PROP_DRIVE,
     PROP_FIELD(VirtioBlk, drive_prop),
     .description = "id of the drive or node name of the block node"},
    {.name = "serial",
     .type = PROP_STRING,
     PROP_FIELD(VirtioBlk, serial_prop),
     .description = "serial number, up to 20 characters (default: the drive's)"},
    {.name = "bootindex",
     .type = PROP_INT,
     PROP_FIELD(VirtioBlk, bootindex),
     .min = (uint64_t)-1,
     .max = INT32_MAX,
     .default_value = "-1",
     .description = "place in the boot order, 0 the first; -1: none"},
    {.name = "num-queues",
     .type = PROP_UINT,
     PROP_FIELD(VirtioBlk, num_queues),
     .min = 1,
     .max = VIRTIO_QUEUES_MAX,
     .default_value = "1",
     .description = "number of request queues"},
    {.name = "queue-size",
     .type = PROP_UINT,
     PROP_FIELD(VirtioBlk, queue_size),
     .min = 4,
     .max = VIRTIO_QUEUE_SIZE_MAX,
     .default_value = "256",
     .description = "entries of each queue, a power of two"},
    {.name = "logical_block_size",
     .type = PROP_SIZE,
     PROP_FIELD(VirtioBlk, logical_block_size),
     .min = 512,
     .max = 32768,
     .default_value = "512",
     .description = "smallest unit of transfer, in bytes"},
    {.name = "physical_block_size",
     .type = PROP_SIZE,
     PROP_FIELD(VirtioBlk, physical_block_size),
     .min = 512,
     .max = 32768,
     .default_value = "512",
     .description = "unit the medium is written in, in bytes"},
    {.name = "min_io_size",
     .type = PROP_SIZE,
     PROP_FIELD(VirtioBlk, min_io_size),
     .max = 32768,
     .default_value = "0",
     .description = "preferred smallest transfer, in bytes"},
    {.name = "opt_io_size",
     .type = PROP_SIZE,
     PROP_FIELD(VirtioBlk, opt_io_size),
     .max = 1u << 30,
     .default_value = "0",
     .description = "preferred size of transfers, in bytes"},
    {.name = "write-cache",
     .type = PROP_ENUM,
     PROP_FIELD(VirtioBlk, write_cache_prop),
     .default_value = "auto",
     .values = virtio_pci_on_off_auto,
     .description = "off: writes are stable when they complete; auto: as the drive's cache mode"},
    {.name = "config-wce",
     .type = PROP_BOOL,
     PROP_FIELD(VirtioBlk, config_wce),
     .default_value = "on",
     .description = "the driver may change the cache mode"},
    {.name = "discard",
     .type = PROP_BOOL,
     PROP_FIELD(VirtioBlk, discard_prop),
     .default_value = "on",
     .description = "offer discard, if the drive can"},
    {.name = "write-zeroes",
     .type = PROP_BOOL,
     PROP_FIELD(VirtioBlk, write_zeroes_prop),
     .default_value = "on",
     .description = "offer write zeroes"},
    VIRTIO_PCI_PROPS(VirtioBlk),
    {.type = PROP_END},
};

static const StateField fields[] = {
    STATE_FIELD_STRUCT(VirtioBlk, vpci, &virtio_pci_state_table),
    STATE_FIELD_UINT_MAX(VirtioBlk, writeback, 1),
    STATE_FIELD_END,
};

static void pre_save(void *opaque)
{
    quiesce(opaque); /* the machine is stopped: nothing new comes */
}

static const StateTable state = {
    .name = "virtio-blk", .version = 1, .min_version = 1, .fields = fields, .pre_save = pre_save};

static const PciClass transitional_pci =
    VIRTIO_PCI_CLASS_TRANSITIONAL(VIRTIO_ID_BLOCK, 0x1001, 0x010000);
static const PciClass modern_pci = VIRTIO_PCI_CLASS_MODERN(VIRTIO_ID_BLOCK, 0x010000);

#define BLK_CLASS(class_name, text, pci_class)                                                     \
    {                                                                                              \
        .name = (class_name), .description = (text), .bus_type = "PCI",                            \
        .category = DEVICE_CATEGORY_STORAGE, .size = sizeof(VirtioBlk), .props = props,            \
        .bus_props = pci_props, .state = &state, .user_creatable = true,                           \
        .bus_class = &(pci_class), .realize = realize, .unrealize = unrealize, .reset = reset      \
    }

const DeviceClass virtio_blk_pci_class =
    BLK_CLASS("virtio-blk-pci", "virtio disk", transitional_pci);
const DeviceClass virtio_blk_pci_transitional_class =
    BLK_CLASS("virtio-blk-pci-transitional", "virtio disk, legacy and 1.0", transitional_pci);
const DeviceClass virtio_blk_pci_non_transitional_class =
    BLK_CLASS("virtio-blk-pci-non-transitional", "virtio disk, 1.0 only", modern_pci);
