/*
 * fw_cfg, as QEMU's documentation specifies it (docs/specs/fw_cfg): the guest selects an item by a
 * 16-bit key and reads it from its start, byte by byte at port 511h or by a DMA request.
 *
 * Numbered items and files share one table; files have the keys from 20h up in the order they were
 * added, and a directory at key 19h, built when it is selected.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/fw_cfg.h"

#include <string.h>

#include "core/machine.h"
#include "util/keyval.h"

enum {
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_FILES_MAX = 0x60,
    FW_CFG_NAME_LEN = 56,

    FW_CFG_VERSION_TRADITIONAL = 1 << 0,
    FW_CFG_VERSION_DMA = 1 << 1,

    DMA_ERROR = 1 << 0,
    DMA_READ = 1 << 1,
    DMA_SKIP = 1 << 2,
    DMA_SELECT = 1 << 3,
    DMA_WRITE = 1 << 4,

    IO_BASE = 0x510,
    DMA_BASE = 0x514,
};

#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG", what the DMA register reads as */

typedef struct FwCfgItem {
    uint8_t *data;
    uint32_t len;
    char *name; /* a file's */
    bool writable;
    void (*written)(void *opaque);
    void *written_opaque;
    void (*selected)(void *opaque);
    void *selected_opaque;
} FwCfgItem;

struct FwCfg {
    Device dev;
    GHashTable *items; /* key -> FwCfgItem * */
    unsigned files;
    MemRegion *io, *dma_io;
    uint16_t key;    /* what is selected */
    uint32_t offset; /* of the next byte */
    uint64_t dma_addr;
};

/* A DMA request in guest memory; all big-endian. */
typedef struct FwCfgDma {
    uint32_t control, length;
    uint64_t address;
} FwCfgDma;

FwCfg *fw_cfg_of(Device *dev)
{
    return (FwCfg *)dev;
}

/* ---- items ---- */

static void item_free(void *opaque)
{
    FwCfgItem *item = opaque;

    if (!item->writable) {
        g_free(item->data);
    }
    g_free(item->name);
    g_free(item);
}

static FwCfgItem *item_find(FwCfg *fw, uint16_t key)
{
    return g_hash_table_lookup(fw->items, GUINT_TO_POINTER(key));
}

static FwCfgItem *item_make(FwCfg *fw, uint16_t key)
{
    FwCfgItem *item = item_find(fw, key);

    if (!item) {
        item = g_new0(FwCfgItem, 1);
        g_hash_table_insert(fw->items, GUINT_TO_POINTER(key), item);
    }
    return item;
}

static void item_set(FwCfgItem *item, const void *data, size_t len)
{
    g_assert(len <= UINT32_MAX && !item->writable);
    g_free(item->data);
    item->data = g_memdup2(data, len);
    item->len = (uint32_t)len;
}

void fw_cfg_add_bytes(FwCfg *fw, uint16_t key, const void *data, size_t len)
{
    item_set(item_make(fw, key), data, len);
}

void fw_cfg_add_u16(FwCfg *fw, uint16_t key, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    fw_cfg_add_bytes(fw, key, &value, sizeof(value));
}

void fw_cfg_add_u32(FwCfg *fw, uint16_t key, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    fw_cfg_add_bytes(fw, key, &value, sizeof(value));
}

static FwCfgItem *file_find(FwCfg *fw, const char *name)
{
    for (unsigned i = 0; i < fw->files; i++) {
        FwCfgItem *item = item_find(fw, (uint16_t)(FW_CFG_FILE_FIRST + i));

        if (g_str_equal(item->name, name)) {
            return item;
        }
    }
    return NULL;
}

static FwCfgItem *file_make(FwCfg *fw, const char *name)
{
    FwCfgItem *item = file_find(fw, name);

    if (!item) {
        g_assert(fw->files < FW_CFG_FILES_MAX && strlen(name) < FW_CFG_NAME_LEN);
        item = item_make(fw, (uint16_t)(FW_CFG_FILE_FIRST + fw->files++));
        item->name = g_strdup(name);
    }
    return item;
}

void fw_cfg_add_file(FwCfg *fw, const char *name, const void *data, size_t len)
{
    item_set(file_make(fw, name), data, len);
}

void fw_cfg_add_writable_file(FwCfg *fw, const char *name, void *data, size_t len,
                              void (*written)(void *opaque), void *opaque)
{
    FwCfgItem *item = file_make(fw, name);

    g_assert(len <= UINT32_MAX && !item->data);
    item->data = data;
    item->len = (uint32_t)len;
    item->writable = true;
    item->written = written;
    item->written_opaque = opaque;
}

void fw_cfg_set_select_cb(FwCfg *fw, const char *name, void (*selected)(void *opaque), void *opaque)
{
    FwCfgItem *item = file_make(fw, name);

    item->selected = selected;
    item->selected_opaque = opaque;
}

/* ---- the guest's side ---- */

static void put_be(uint8_t *out, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        out[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

/* FWCfgFiles: a count, then for each file its size, key, two reserved bytes and name. */
static void build_directory(FwCfg *fw)
{
    size_t entry = 8 + FW_CFG_NAME_LEN, len = 4 + fw->files * entry;
    uint8_t *dir = g_malloc0(len);

    put_be(dir, fw->files, 4);
    for (unsigned i = 0; i < fw->files; i++) {
        uint8_t *out = dir + 4 + i * entry;
        const FwCfgItem *item = item_find(fw, (uint16_t)(FW_CFG_FILE_FIRST + i));

        put_be(out, item->len, 4);
        put_be(out + 4, FW_CFG_FILE_FIRST + i, 2);
        g_strlcpy((char *)out + 8, item->name, FW_CFG_NAME_LEN);
    }
    fw_cfg_add_bytes(fw, FW_CFG_FILE_DIR, dir, len);
    g_free(dir);
}

static void select_key(FwCfg *fw, uint16_t key)
{
    FwCfgItem *item;

    fw->key = key;
    fw->offset = 0;
    if (key == FW_CFG_FILE_DIR) {
        build_directory(fw);
    }
    item = item_find(fw, key);
    if (item && item->selected) {
        item->selected(item->selected_opaque);
    }
}

/* How many bytes of the selected item are left; 0 when there is none. */
static uint32_t bytes_left(FwCfg *fw, FwCfgItem **item)
{
    *item = item_find(fw, fw->key);
    return *item && fw->offset < (*item)->len ? (*item)->len - fw->offset : 0;
}

static uint64_t fw_cfg_read(void *opaque, hwaddr addr, unsigned size)
{
    FwCfg *fw = opaque;
    FwCfgItem *item;

    (void)size;
    if (addr != 1) {
        return 0;
    }
    return bytes_left(fw, &item) ? item->data[fw->offset++] : 0;
}

/* Bytes written to the data port are lost: only DMA writes. */
static void fw_cfg_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    if (addr == 0 && size == 2) {
        select_key(opaque, (uint16_t)value);
    }
}

static const MemOps fw_cfg_ops = {.read = fw_cfg_read, .write = fw_cfg_write, .max_size = 2};

/* Transfers up to LENGTH bytes; reads beyond the item's end give zeroes. False: an error. */
static bool dma_transfer(FwCfg *fw, uint32_t control, uint64_t address, uint32_t length)
{
    AddressSpace *as = &fw->dev.machine->memory;
    FwCfgItem *item;
    uint32_t left = bytes_left(fw, &item), n = MIN(left, length);
    MemResult result = MEM_OK;

    if (control & DMA_READ) {
        static const uint8_t zeroes[4096];

        if (n) {
            result = address_space_write(as, address, item->data + fw->offset, n);
        }
        for (uint64_t done = n; done < length && result == MEM_OK;) {
            uint32_t part = (uint32_t)MIN(length - done, sizeof(zeroes));

            result = address_space_write(as, address + done, zeroes, part);
            done += part;
        }
    } else if (control & DMA_WRITE) {
        if (!item || !item->writable || length > left) {
            return false;
        }
        result = address_space_read(as, address, item->data + fw->offset, length);
        if (item->written) {
            item->written(item->written_opaque);
        }
    } else if (!(control & DMA_SKIP)) {
        return true;
    }
    fw->offset += n;
    return result == MEM_OK;
}

static void dma_run(FwCfg *fw)
{
    AddressSpace *as = &fw->dev.machine->memory;
    uint64_t request = fw->dma_addr;
    FwCfgDma dma;
    uint32_t control;
    bool ok;

    fw->dma_addr = 0;
    if (address_space_read(as, request, &dma, sizeof(dma)) != MEM_OK) {
        dma.control = GUINT32_TO_BE(DMA_ERROR);
        address_space_write(as, request, &dma.control, sizeof(dma.control));
        return;
    }
    control = GUINT32_FROM_BE(dma.control);
    if (control & DMA_SELECT) {
        select_key(fw, (uint16_t)(control >> 16));
    }
    ok = dma_transfer(fw, control, GUINT64_FROM_BE(dma.address), GUINT32_FROM_BE(dma.length));
    dma.control = GUINT32_TO_BE(ok ? 0 : DMA_ERROR);
    address_space_write(as, request, &dma.control, sizeof(dma.control));
}

static uint64_t dma_read(void *opaque, hwaddr addr, unsigned size)
{
    uint64_t value = 0;

    (void)opaque;
    for (unsigned i = 0; i < size; i++) {
        value |= (DMA_SIGNATURE >> (8 * (7 - (addr + i) % 8)) & 0xff) << (8 * i);
    }
    return value;
}

/* Big-endian: the high half at 0, the low half at 4, whose write starts the request. */
static void dma_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    FwCfg *fw = opaque;

    if (size == 4 && addr == 0) {
        fw->dma_addr = (uint64_t)GUINT32_SWAP_LE_BE((uint32_t)value) << 32;
    } else if (size == 4 && addr == 4) {
        fw->dma_addr |= GUINT32_SWAP_LE_BE((uint32_t)value);
        dma_run(fw);
    } else if (size == 8 && addr == 0) {
        fw->dma_addr = GUINT64_SWAP_LE_BE(value);
        dma_run(fw);
    }
}

static const MemOps dma_ops = {.read = dma_read, .write = dma_write, .max_size = 8};

/* ---- life ---- */

static bool fw_cfg_realize(Device *dev, GError **err)
{
    FwCfg *fw = (FwCfg *)dev;

    (void)err;
    fw->items = g_hash_table_new_full(NULL, NULL, NULL, item_free);
    fw_cfg_add_bytes(fw, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(fw, FW_CFG_ID, FW_CFG_VERSION_TRADITIONAL | FW_CFG_VERSION_DMA);
    fw->io = mem_region_io("fw-cfg", &fw_cfg_ops, fw, 2);
    fw->dma_io = mem_region_io("fw-cfg-dma", &dma_ops, fw, 8);
    mem_region_add(dev->machine->io_root, IO_BASE, fw->io, 0);
    mem_region_add(dev->machine->io_root, DMA_BASE, fw->dma_io, 0);
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfg *fw = (FwCfg *)dev;

    mem_region_free(fw->io);
    mem_region_free(fw->dma_io);
    g_hash_table_destroy(fw->items);
}

static void fw_cfg_reset(Device *dev)
{
    FwCfg *fw = (FwCfg *)dev;

    fw->dma_addr = 0;
    select_key(fw, FW_CFG_SIGNATURE);
}

static const StateField fw_cfg_fields[] = {
    STATE_FIELD_UINT(FwCfg, key),
    STATE_FIELD_UINT(FwCfg, offset),
    STATE_FIELD_UINT(FwCfg, dma_addr),
    STATE_FIELD_END,
};
static const StateTable fw_cfg_state = {
    .name = "fw_cfg", .version = 1, .min_version = 1, .fields = fw_cfg_fields};

const DeviceClass fw_cfg_class = {
    .name = "fw_cfg_io",
    .description = "firmware configuration interface",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(FwCfg),
    .state = &fw_cfg_state,
    .realize = fw_cfg_realize,
    .unrealize = fw_cfg_unrealize,
    .reset = fw_cfg_reset,
};
