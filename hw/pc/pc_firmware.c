/*
 * What the firmware is told of the machine: fw_cfg items, the memory map, and CMOS memory.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "block/options.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/pc/pc_internal.h"
#include "hw/timer/mc146818.h"
#include "util/keyval.h"

enum {
    FW_CFG_IRQ0_OVERRIDE = 0x8002, /* the timer is on the I/O APIC's input 2 */

    COM1_PORT = 0x3f8,

    E820_RAM = 1,
    E820_RESERVED = 2,

    /* CMOS memory as the IBM AT and the BIOSes after it use it */
    CMOS_FLOPPY_TYPES = 0x10,
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_MEMORY = 0x15,      /* KiB */
    CMOS_EXT_MEMORY = 0x17,       /* KiB above 1 MiB */
    CMOS_EXT_MEMORY_2 = 0x30,     /* the same again */
    CMOS_MEMORY_16M = 0x34,       /* 64 KiB units above 16 MiB, below 4 GiB */
    CMOS_BOOT_FLAGS_1 = 0x38,     /* third boot device; bit 0: no check of a floppy's signature */
    CMOS_DISK_TRANSLATION = 0x39, /* two bits for each IDE drive */
    CMOS_BOOT_FLAGS_2 = 0x3d,     /* first and second boot device */
    CMOS_MEMORY_4G = 0x5b,        /* 64 KiB units above 4 GiB, three bytes */
    CMOS_CPUS = 0x5f,             /* CPUs minus one */

    EQUIPMENT_FLOPPY = 1 << 0,
    EQUIPMENT_FPU = 1 << 1,
    EQUIPMENT_POINTER = 1 << 2,
    EQUIPMENT_SECOND_FLOPPY = 1 << 6,

    TRANSLATION_LBA = 1,
};

typedef struct __attribute__((packed)) E820Entry {
    uint64_t address, length;
    uint32_t type;
} E820Entry;

/* ---- CMOS ---- */

static void cmos_write16(PcMachine *pc, int addr, uint64_t value)
{
    mc146818_cmos_write(pc->rtc, addr, (uint8_t)value);
    mc146818_cmos_write(pc->rtc, addr + 1, (uint8_t)(value >> 8));
}

void pc_cmos_boot_order(PcMachine *pc, const char *order)
{
    uint8_t nibble[3] = {0};

    for (int i = 0; i < 3 && order[i]; i++) {
        /* 1 floppy, 2 hard disk, 3 CD-ROM, 4 network; which floppy drive cannot be said */
        static const char codes[] = "acdn";
        char letter = order[i] == 'b' ? 'a' : order[i];

        nibble[i] = (uint8_t)(strchr(codes, letter) - codes + 1);
    }
    mc146818_cmos_write(pc->rtc, CMOS_BOOT_FLAGS_2, (uint8_t)(nibble[1] << 4 | nibble[0]));
    mc146818_cmos_write(pc->rtc, CMOS_BOOT_FLAGS_1, (uint8_t)(nibble[2] << 4));
}

/* Disks that have more than 1024 cylinders of 16 heads and 63 sectors are seen through LBA. */
static uint8_t disk_translation(PcMachine *pc)
{
    uint8_t value = 0;

    for (int channel = 0; channel < 2; channel++) {
        for (GSList *l = piix3_ide_bus(pc->ide, channel)->devices; l; l = l->next) {
            const IdeDrive *drive = l->data;

            if (!drive->cd && drive->sectors > 1024 * 16 * 63) {
                value |= (uint8_t)(TRANSLATION_LBA << (2 * (2 * channel + drive->unit)));
            }
        }
    }
    return value;
}

static void floppy_cmos(PcMachine *pc)
{
    uint8_t a = fdc_cmos_type(pc->fdc, 0), b = fdc_cmos_type(pc->fdc, 1);
    uint8_t equipment = EQUIPMENT_FPU | EQUIPMENT_POINTER;

    if (a || b) {
        equipment |= EQUIPMENT_FLOPPY | (a && b ? EQUIPMENT_SECOND_FLOPPY : 0);
    }
    mc146818_cmos_write(pc->rtc, CMOS_FLOPPY_TYPES, (uint8_t)(a << 4 | b));
    mc146818_cmos_write(pc->rtc, CMOS_EQUIPMENT, equipment);
}

static void cmos_init(PcMachine *pc)
{
    Machine *m = pc->dev.machine;
    uint64_t above_1m = m->below_4g - (1 << 20);
    uint64_t above_16m = m->below_4g > 16 << 20 ? m->below_4g - (16 << 20) : 0;
    uint64_t ext_kib = MIN(above_1m >> 10, 0xffff);

    floppy_cmos(pc);
    cmos_write16(pc, CMOS_BASE_MEMORY, 640);
    cmos_write16(pc, CMOS_EXT_MEMORY, ext_kib);
    cmos_write16(pc, CMOS_EXT_MEMORY_2, ext_kib);
    cmos_write16(pc, CMOS_MEMORY_16M, MIN(above_16m >> 16, 0xffff));
    cmos_write16(pc, CMOS_MEMORY_4G, m->above_4g >> 16);
    mc146818_cmos_write(pc->rtc, CMOS_MEMORY_4G + 2, (uint8_t)(m->above_4g >> 32));
    mc146818_cmos_write(pc->rtc, CMOS_CPUS, (uint8_t)(m->cpu_count - 1));
    mc146818_cmos_write(pc->rtc, CMOS_DISK_TRANSLATION, disk_translation(pc));
    pc_cmos_boot_order(pc, pc->boot_order);
}

/* ---- fw_cfg ---- */

static void add_e820(PcMachine *pc)
{
    const Machine *m = pc->dev.machine;
    E820Entry map[3] = {
        {0, GUINT64_TO_LE(m->below_4g), GUINT32_TO_LE(E820_RAM)},
        /* Where KVM keeps its task state segment and identity map on older processors. */
        {GUINT64_TO_LE(0xfeffc000), GUINT64_TO_LE(0x4000), GUINT32_TO_LE(E820_RESERVED)},
        {GUINT64_TO_LE(1ull << 32), GUINT64_TO_LE(m->above_4g), GUINT32_TO_LE(E820_RAM)},
    };

    fw_cfg_add_file(pc->fw, "etc/e820", map, sizeof(E820Entry) * (m->above_4g ? 3 : 2));
}

static void add_u32_file(PcMachine *pc, const char *name, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    fw_cfg_add_file(pc->fw, name, &value, sizeof(value));
}

static void add_u16_file(PcMachine *pc, const char *name, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    fw_cfg_add_file(pc->fw, name, &value, sizeof(value));
}

/* Local APIC numbers may have gaps; SeaBIOS wants to know where they end. */
static uint16_t apic_id_limit(const Machine *m)
{
    uint32_t limit = 1;

    for (int i = 0; i < m->cpu_count; i++) {
        limit = MAX(limit, m->cpus[i]->apic_id + 1);
    }
    return (uint16_t)limit;
}

static bool add_splash(PcMachine *pc, GError **err)
{
    char *data = NULL;
    gsize len = 0;
    const uint8_t *bytes;
    bool bmp, jpeg;

    if (!g_file_get_contents(pc->cfg.boot_splash, &data, &len, err)) {
        g_prefix_error(err, "-boot splash=: ");
        return false;
    }
    bytes = (const uint8_t *)data;
    bmp = len > 54 && bytes[0] == 'B' && bytes[1] == 'M' && bytes[28] == 24; /* bits per pixel */
    jpeg = len > 2 && bytes[0] == 0xff && bytes[1] == 0xd8;
    if (bmp || jpeg) {
        fw_cfg_add_file(pc->fw, bmp ? "bootsplash.bmp" : "bootsplash.jpg", data, len);
    } else {
        emu_set_error(err, "-boot splash=: %s is neither a 24-bit BMP nor a JPEG file",
                      pc->cfg.boot_splash);
    }
    g_free(data);
    return bmp || jpeg;
}

static bool add_boot_settings(PcMachine *pc, GError **err)
{
    GString *order = pc_bootorder(pc->dev.machine, err);

    if (!order) {
        return false;
    }
    if (pc->cfg.kernel) {
        g_string_prepend(order, "/rom@genroms/" PC_LINUX_ROM "\n");
    }
    /* As on QEMU, there is nothing to be strict about without a list. */
    if (pc->cfg.boot_strict && order->len) {
        g_string_append(order, "HALT\n");
    }
    if (order->len) {
        fw_cfg_add_file(pc->fw, "bootorder", order->str, order->len + 1);
    }
    g_string_free(order, TRUE);
    fw_cfg_add_u16(pc->fw, FW_CFG_BOOT_MENU, pc->cfg.boot_menu);
    if (pc->cfg.boot_menu_wait >= 0) {
        add_u16_file(pc, "etc/boot-menu-wait", (uint16_t)pc->cfg.boot_menu_wait);
    }
    add_u32_file(pc, "etc/boot-fail-wait", (uint32_t)pc->cfg.boot_fail_wait);
    return !pc->cfg.boot_splash || add_splash(pc, err);
}

bool pc_firmware_init(PcMachine *pc, GError **err)
{
    /* Which sleep states there are, by number; bit 7: it exists; bits 2:0: SLP_TYP (S0, S4, S5). */
    static const uint8_t system_states[6] = {0x80, 0, 0, 1, 2, 0x80};
    Machine *m = pc->dev.machine;
    uint64_t ram_size = GUINT64_TO_LE(m->ram_size);
    uint8_t override = 1;

    g_free(pc->boot_order);
    pc->boot_order = g_strdup(pc->cfg.boot_order ? pc->cfg.boot_order : "cad");
    fw_cfg_add_bytes(pc->fw, FW_CFG_UUID, m->uuid, sizeof(m->uuid));
    fw_cfg_add_bytes(pc->fw, FW_CFG_RAM_SIZE, &ram_size, sizeof(ram_size));
    fw_cfg_add_u16(pc->fw, FW_CFG_NOGRAPHIC, pc->cfg.nographic);
    fw_cfg_add_u16(pc->fw, FW_CFG_NB_CPUS, (uint16_t)m->cpu_count);
    fw_cfg_add_u16(pc->fw, FW_CFG_MAX_CPUS, apic_id_limit(m));
    fw_cfg_add_bytes(pc->fw, FW_CFG_IRQ0_OVERRIDE, &override, sizeof(override));
    add_e820(pc);
    fw_cfg_add_file(pc->fw, "etc/system-states", system_states, sizeof(system_states));
    if (pc->cfg.nographic && pc->cfg.serial[0]) {
        add_u16_file(pc, "etc/sercon-port", COM1_PORT);
    }
    cmos_init(pc);
    return add_boot_settings(pc, err);
}
