/*
 * Direct kernel boot: a Linux bzImage, an initial RAM disk and a command line go into fw_cfg, with
 * the addresses where the option ROM (rom/linuxboot.S) is to put them.
 *
 * The image is a sector-wise set-up part that runs in real mode, and the kernel proper. What the
 * boot loader owes the set-up header is in the kernel's Documentation/x86/boot.rst; protocols
 * from 2.00 on are understood. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "hw/pc/pc_internal.h"
#include "util/keyval.h"

extern const uint8_t linuxboot_rom[], linuxboot_rom_end[];

/* The set-up header, by offset in the image. */
enum {
    HDR_CMD_LINE_MAGIC = 0x20, /* before 2.02 */
    HDR_CMD_LINE_OFFSET = 0x22,
    HDR_SETUP_SECTS = 0x1f1,
    HDR_VID_MODE = 0x1fa,
    HDR_BOOT_FLAG = 0x1fe,
    HDR_MAGIC = 0x202,
    HDR_VERSION = 0x206,
    HDR_TYPE_OF_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211,
    HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21c,
    HDR_HEAP_END_PTR = 0x224,
    HDR_CMD_LINE_PTR = 0x228,
    HDR_INITRD_ADDR_MAX = 0x22c,
    HDR_XLOADFLAGS = 0x236,
    HDR_CMDLINE_SIZE = 0x238,
    HDR_END = 0x268,

    LOADED_HIGH = 1 << 0,
    CAN_USE_HEAP = 1 << 7,
    XLF_CAN_BE_LOADED_ABOVE_4G = 1 << 1,
    LOADER_UNKNOWN = 0xff,
    CMD_LINE_MAGIC = 0xa33f,

    SECTOR = 512,
    /* The firmware's own tables lie at the end of RAM below 4 GiB. */
    FIRMWARE_RESERVE = 512 << 10,
};

typedef struct LinuxImage {
    const PcMachine *pc;
    const char *file;
    uint8_t *data;
    gsize len;
    uint32_t version; /* of the boot protocol */
    uint32_t setup_len;
    uint32_t setup_addr, cmdline_addr, kernel_addr, initrd_addr;
} LinuxImage;

static uint32_t get(const LinuxImage *k, uint32_t offset, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)k->data[offset + i] << (8 * i);
    }
    return value;
}

static void set(LinuxImage *k, uint32_t offset, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++) {
        k->data[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

static bool parse_image(LinuxImage *k, GError **err)
{
    uint32_t sects;

    if (k->len < HDR_END || get(k, HDR_BOOT_FLAG, 2) != 0xaa55 ||
        memcmp(k->data + HDR_MAGIC, "HdrS", 4)) {
        emu_set_error(err,
                      "-kernel: %s is no Linux kernel for x86 (bzImage): it lacks the boot header",
                      k->file);
        return false;
    }
    k->version = get(k, HDR_VERSION, 2);
    if (k->version < 0x200) {
        emu_set_error(err, "-kernel: %s has boot protocol %u.%02u; 2.00 or later is needed",
                      k->file, k->version >> 8, k->version & 0xff);
        return false;
    }
    sects = get(k, HDR_SETUP_SECTS, 1);
    k->setup_len = ((sects ? sects : 4) + 1) * SECTOR;
    if (k->setup_len >= k->len) {
        emu_set_error(err,
                      "-kernel: %s is truncated: its set-up code alone has %u bytes, the file %zu",
                      k->file, k->setup_len, (size_t)k->len);
        return false;
    }
    return true;
}

/* Where set-up code and kernel go: a kernel that is loaded low leaves no room below 90000h. */
static bool choose_addresses(LinuxImage *k, size_t cmdline_size, GError **err)
{
    bool high = get(k, HDR_LOADFLAGS, 1) & LOADED_HIGH;
    uint64_t room;

    if (high && k->version >= 0x202) {
        k->setup_addr = 0x10000;
        k->cmdline_addr = 0x20000;
        k->kernel_addr = 0x100000;
    } else {
        k->setup_addr = 0x90000;
        k->cmdline_addr = 0x9a000 - (uint32_t)((cmdline_size + 15) & ~15u);
        k->kernel_addr = high ? 0x100000 : 0x10000;
    }
    room = high ? k->pc->dev.machine->below_4g - k->kernel_addr : 0x80000;
    if (k->len - k->setup_len > room) {
        emu_set_error(err,
                      "-kernel: %s does not fit into memory: %zu bytes, room for %" G_GUINT64_FORMAT
                      " (see -m)",
                      k->file, (size_t)(k->len - k->setup_len), room);
        return false;
    }
    return true;
}

/* ---- command line ---- */

/* vga=: a number, or a name; the loader has to put it into the header. */
static bool set_video_mode(LinuxImage *k, const char *cmdline, GError **err)
{
    static const struct {
        const char *name;
        uint32_t mode;
    } names[] = {{"normal", 0xffff}, {"ext", 0xfffe}, {"ask", 0xfffd}};
    const char *found = g_str_has_prefix(cmdline, "vga=") ? cmdline : strstr(cmdline, " vga=");
    const char *value;
    char *end;
    unsigned long mode;

    if (!found) {
        return true;
    }
    value = strchr(found, '=') + 1;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        size_t len = strlen(names[i].name);

        if (!strncmp(value, names[i].name, len) && (!value[len] || value[len] == ' ')) {
            set(k, HDR_VID_MODE, 2, names[i].mode);
            return true;
        }
    }
    mode = strtoul(value, &end, 0);
    if (end == value || (*end && *end != ' ') || mode > 0xffff) {
        emu_set_error(err, "-append: vga= wants normal, ext, ask or a number up to 0xffff");
        return false;
    }
    set(k, HDR_VID_MODE, 2, (uint32_t)mode);
    return true;
}

static bool set_cmdline(LinuxImage *k, const char *cmdline, GError **err)
{
    size_t max = k->version >= 0x206 ? get(k, HDR_CMDLINE_SIZE, 4) : 255;

    if (strlen(cmdline) > MIN(max, 0x8000)) {
        emu_set_error(err, "-append: %zu characters; this kernel takes %zu at most",
                      strlen(cmdline), MIN(max, (size_t)0x8000));
        return false;
    }
    if (k->version >= 0x202) {
        set(k, HDR_CMD_LINE_PTR, 4, k->cmdline_addr);
    } else {
        set(k, HDR_CMD_LINE_MAGIC, 2, CMD_LINE_MAGIC);
        set(k, HDR_CMD_LINE_OFFSET, 2, k->cmdline_addr - k->setup_addr);
    }
    return set_video_mode(k, cmdline, err);
}

/* ---- initial RAM disk ---- */

/* As high as the kernel lets it and RAM and firmware leave room. */
static bool place_initrd(LinuxImage *k, gsize size, GError **err)
{
    uint64_t below_4g = k->pc->dev.machine->below_4g;
    uint64_t max = k->version >= 0x203 ? get(k, HDR_INITRD_ADDR_MAX, 4) : 0x37ffffff;
    uint64_t start = k->kernel_addr + k->len - k->setup_len, end;

    if (k->version >= 0x20c && (get(k, HDR_XLOADFLAGS, 2) & XLF_CAN_BE_LOADED_ABOVE_4G)) {
        max = UINT32_MAX;
    }
    end = MIN(max + 1, below_4g > FIRMWARE_RESERVE ? below_4g - FIRMWARE_RESERVE : 0);
    if (size > end || ((end - size) & ~(uint64_t)(GUEST_PAGE_SIZE - 1)) < start) {
        emu_set_error(err,
                      "-initrd: %s does not fit into memory beside the kernel: %zu bytes (see -m)",
                      k->pc->cfg.initrd, (size_t)size);
        return false;
    }
    k->initrd_addr = (uint32_t)((end - size) & ~(uint64_t)(GUEST_PAGE_SIZE - 1));
    set(k, HDR_RAMDISK_IMAGE, 4, k->initrd_addr);
    set(k, HDR_RAMDISK_SIZE, 4, (uint32_t)size);
    return true;
}

static bool load_initrd(LinuxImage *k, GError **err)
{
    FwCfg *fw = k->pc->fw;
    char *data = NULL;
    gsize len = 0;
    bool ok = true;

    if (k->pc->cfg.initrd) {
        ok = g_file_get_contents(k->pc->cfg.initrd, &data, &len, err);
        if (!ok) {
            g_prefix_error(err, "-initrd: ");
        }
        ok = ok && place_initrd(k, len, err);
    }
    if (ok) {
        fw_cfg_add_u32(fw, FW_CFG_INITRD_ADDR, k->initrd_addr);
        fw_cfg_add_u32(fw, FW_CFG_INITRD_SIZE, (uint32_t)len);
        fw_cfg_add_bytes(fw, FW_CFG_INITRD_DATA, data, len);
    }
    g_free(data);
    return ok;
}

/* ---- together ---- */

static void set_loader_fields(LinuxImage *k)
{
    set(k, HDR_TYPE_OF_LOADER, 1, LOADER_UNKNOWN);
    if (k->version >= 0x201) {
        set(k, HDR_HEAP_END_PTR, 2, k->cmdline_addr - k->setup_addr - 0x200);
        set(k, HDR_LOADFLAGS, 1, get(k, HDR_LOADFLAGS, 1) | CAN_USE_HEAP);
    }
}

/* The ROM's bytes have to add up to 0. */
static void add_rom(FwCfg *fw)
{
    size_t len = (size_t)(linuxboot_rom_end - linuxboot_rom);
    uint8_t *rom = g_memdup2(linuxboot_rom, len), sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + rom[i]);
    }
    rom[len - 1] = (uint8_t)(rom[len - 1] - sum);
    fw_cfg_add_file(fw, "genroms/" PC_LINUX_ROM, rom, len);
    g_free(rom);
}

static bool publish(LinuxImage *k, const char *cmdline, GError **err)
{
    FwCfg *fw = k->pc->fw;
    uint32_t cmdline_len = (uint32_t)strlen(cmdline) + 1;

    if (!load_initrd(k, err)) {
        return false;
    }
    fw_cfg_add_u32(fw, FW_CFG_SETUP_ADDR, k->setup_addr);
    fw_cfg_add_u32(fw, FW_CFG_SETUP_SIZE, k->setup_len);
    fw_cfg_add_bytes(fw, FW_CFG_SETUP_DATA, k->data, k->setup_len);
    fw_cfg_add_u32(fw, FW_CFG_CMDLINE_ADDR, k->cmdline_addr);
    fw_cfg_add_u32(fw, FW_CFG_CMDLINE_SIZE, cmdline_len);
    fw_cfg_add_bytes(fw, FW_CFG_CMDLINE_DATA, cmdline, cmdline_len);
    fw_cfg_add_u32(fw, FW_CFG_KERNEL_ADDR, k->kernel_addr);
    fw_cfg_add_u32(fw, FW_CFG_KERNEL_SIZE, (uint32_t)(k->len - k->setup_len));
    fw_cfg_add_bytes(fw, FW_CFG_KERNEL_DATA, k->data + k->setup_len, k->len - k->setup_len);
    add_rom(fw);
    return true;
}

bool pc_linux_boot(PcMachine *pc, GError **err)
{
    LinuxImage k = {.pc = pc, .file = pc->cfg.kernel};
    const char *cmdline = pc->cfg.append ? pc->cfg.append : "";
    bool ok = g_file_get_contents(k.file, (char **)&k.data, &k.len, err);

    if (!ok) {
        g_prefix_error(err, "-kernel: ");
        return false;
    }
    ok = parse_image(&k, err) && choose_addresses(&k, strlen(cmdline) + 1, err) &&
         set_cmdline(&k, cmdline, err);
    if (ok) {
        set_loader_fields(&k);
        ok = publish(&k, cmdline, err);
    }
    g_free(k.data);
    return ok;
}
