/*
 * fw_cfg: named and numbered blobs for the firmware (QEMU's published fw_cfg interface, ports 510h
 * and 511h, DMA at 514h).
 * Machine lock held; to be filled before the guest runs, except through callbacks.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_FW_CFG_H
#define HW_PC_FW_CFG_H

#include <stddef.h>
#include <stdint.h>

#include "core/device.h"

typedef struct FwCfg FwCfg;

extern const DeviceClass fw_cfg_class; /* on the system bus; maps itself */
FwCfg *fw_cfg_of(Device *dev);

enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_NUMA = 0x0d,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19,
};

/* DATA is copied. KEY below FILE_DIR, or an architecture key (8000h..). */
void fw_cfg_add_bytes(FwCfg *fw, uint16_t key, const void *data, size_t len);
void fw_cfg_add_u16(FwCfg *fw, uint16_t key, uint16_t value);
void fw_cfg_add_u32(FwCfg *fw, uint16_t key, uint32_t value);
/* A file of the directory; copied. */
void fw_cfg_add_file(FwCfg *fw, const char *name, const void *data, size_t len);
/* A file the guest may write by DMA, LEN bytes at DATA (kept, the caller's); WRITTEN after a
 * change. */
void fw_cfg_add_writable_file(FwCfg *fw, const char *name, void *data, size_t len,
                              void (*written)(void *opaque), void *opaque);
/* SELECTED runs before the first byte of the file is read, and may change it by fw_cfg_add_file().
 */
void fw_cfg_set_select_cb(FwCfg *fw, const char *name, void (*selected)(void *opaque),
                          void *opaque);

#endif
