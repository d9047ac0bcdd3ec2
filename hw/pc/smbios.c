/*
 * SMBIOS tables (DMTF DSP0134 3.6; version 2.8 is claimed): what the machine is, for operating
 * systems that ask. The firmware copies them, and completes the entry point with their address.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/pc/pc_internal.h"

enum {
    HANDLE_BIOS = 0x0000,
    HANDLE_SYSTEM = 0x0100,
    HANDLE_CHASSIS = 0x0300,
    HANDLE_PROCESSOR = 0x0400,
    HANDLE_MEMORY_ARRAY = 0x1000,
    HANDLE_MEMORY_DEVICE = 0x1100,
    HANDLE_MEMORY_RANGE = 0x1300,
    HANDLE_BOOT = 0x2000,
    HANDLE_END = 0x7f00,
};

#define MEMORY_DEVICE_MAX (16ull << 30) /* bytes of one type 17 */
#define MANUFACTURER      "EMU"
#define PRODUCT           "Standard PC (i440FX + PIIX)"

typedef struct Smbios {
    GByteArray *tables;
    GString *strings; /* of the structure being built, each with its zero */
    uint8_t string_count;
    guint start;
    uint16_t count, max_len; /* structures, and the length of the longest */
} Smbios;

static void put(Smbios *s, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        g_byte_array_append(s->tables, &byte, 1);
    }
}

/* The number of a string in the set that follows the structure (6.1.3). */
static void put_string(Smbios *s, const char *text)
{
    g_string_append_len(s->strings, text, (gssize)strlen(text) + 1);
    put(s, ++s->string_count, 1);
}

static void begin(Smbios *s, uint8_t type, uint16_t handle)
{
    s->start = s->tables->len;
    g_string_truncate(s->strings, 0);
    s->string_count = 0;
    put(s, type, 1);
    put(s, 0, 1); /* length, at the end */
    put(s, handle, 2);
}

static void end(Smbios *s, uint8_t expected_len)
{
    guint len = s->tables->len - s->start;

    g_assert(len == expected_len);
    s->tables->data[s->start + 1] = (uint8_t)len;
    if (!s->strings->len) {
        put(s, 0, 1);
    }
    g_byte_array_append(s->tables, (const uint8_t *)s->strings->str, (guint)s->strings->len);
    put(s, 0, 1);
    s->count++;
    s->max_len = MAX(s->max_len, (uint16_t)(s->tables->len - s->start));
}

/* 7.1 */
static void build_bios(Smbios *s)
{
    begin(s, 0, HANDLE_BIOS);
    put_string(s, "SeaBIOS");
    put_string(s, "1.0");
    put(s, 0xe800, 2); /* segment */
    put_string(s, "04/01/2014");
    put(s, 0, 1);      /* ROM size: 64 KiB */
    put(s, 1 << 3, 8); /* characteristics are not said */
    put(s, 0x00, 1);
    put(s, 1 << 2 | 1 << 4, 1); /* targeted content distribution, virtual machine */
    put(s, 0, 2);               /* system BIOS release */
    put(s, 0xffff, 2);          /* no embedded controller */
    end(s, 24);
}

/* The UUID's first three fields are little-endian here (7.2.1). */
static void put_uuid(Smbios *s, const uint8_t *uuid)
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

    for (int i = 0; i < 16; i++) {
        put(s, uuid[order[i]], 1);
    }
}

/* 7.2 */
static void build_system(Smbios *s, const Machine *m)
{
    begin(s, 1, HANDLE_SYSTEM);
    put_string(s, MANUFACTURER);
    put_string(s, PRODUCT);
    put_string(s, "pc-i440fx");
    put(s, 0, 1); /* serial number */
    put_uuid(s, m->uuid);
    put(s, 6, 1); /* woken by the power switch */
    put(s, 0, 2); /* SKU, family */
    end(s, 27);
}

/* 7.4 */
static void build_chassis(Smbios *s)
{
    begin(s, 3, HANDLE_CHASSIS);
    put_string(s, MANUFACTURER);
    put(s, 1, 1); /* other */
    put_string(s, "pc-i440fx");
    put(s, 0, 2);          /* serial number, asset tag */
    put(s, 0x03030303, 3); /* boot-up, power supply, thermal state: safe */
    put(s, 2, 1);          /* security status unknown */
    put(s, 0, 4);
    put(s, 0, 4); /* height, power cords, contained elements */
    put(s, 0, 1); /* SKU */
    end(s, 22);
}

/* 7.5: one socket that holds all. */
static void build_processor(Smbios *s, const Machine *m)
{
    uint8_t cores = (uint8_t)MIN(m->cpu_count, 255);

    begin(s, 4, HANDLE_PROCESSOR);
    put_string(s, "CPU 0");
    put(s, 3, 1); /* central processor */
    put(s, 1, 1); /* family: other */
    put_string(s, MANUFACTURER);
    put(s, 0, 8); /* id */
    put_string(s, "pc-i440fx");
    put(s, 0, 1);    /* voltage */
    put(s, 0, 2);    /* external clock */
    put(s, 2000, 2); /* maximum and current speed, MHz */
    put(s, 2000, 2);
    put(s, 0x41, 1);   /* populated, enabled */
    put(s, 1, 1);      /* upgrade: other */
    put(s, 0xffff, 2); /* caches: not said */
    put(s, 0xffff, 2);
    put(s, 0xffff, 2);
    put(s, 0, 3); /* serial number, asset tag, part number */
    put(s, cores, 1);
    put(s, cores, 1);
    put(s, cores, 1);  /* threads */
    put(s, 1 << 2, 2); /* 64-bit capable */
    put(s, 1, 2);      /* family 2: other */
    end(s, 42);
}

/* 7.17 */
static void build_memory_array(Smbios *s, const Machine *m, uint16_t devices)
{
    uint64_t kib = m->ram_size >> 10;

    begin(s, 16, HANDLE_MEMORY_ARRAY);
    put(s, 1, 1); /* location, other */
    put(s, 3, 1); /* system memory */
    put(s, 6, 1); /* multi-bit ECC */
    put(s, kib < 0x80000000 ? kib : 0x80000000, 4);
    put(s, 0xfffe, 2); /* no error information */
    put(s, devices, 2);
    put(s, kib < 0x80000000 ? 0 : m->ram_size, 8);
    end(s, 23);
}

/* 7.18 */
static void build_memory_device(Smbios *s, uint16_t n, uint64_t size)
{
    char *locator = g_strdup_printf("DIMM %u", n);

    begin(s, 17, (uint16_t)(HANDLE_MEMORY_DEVICE + n));
    put(s, HANDLE_MEMORY_ARRAY, 2);
    put(s, 0xfffe, 2); /* no error information */
    put(s, 0xffff, 2); /* total and data width unknown */
    put(s, 0xffff, 2);
    put(s, MAX(size >> 20, 1), 2); /* MiB */
    put(s, 9, 1);                  /* DIMM */
    put(s, 0, 1);                  /* device set */
    put_string(s, locator);
    put(s, 0, 1);      /* bank locator */
    put(s, 7, 1);      /* RAM */
    put(s, 1 << 1, 2); /* type detail: other */
    put(s, 0, 2);      /* speed */
    put_string(s, MANUFACTURER);
    put(s, 0, 3); /* serial number, asset tag, part number */
    put(s, 0, 1); /* rank */
    put(s, 0, 4); /* extended size */
    put(s, 0, 2); /* configured speed */
    put(s, 0, 6); /* voltages */
    end(s, 40);
    g_free(locator);
}

/* 7.20 */
static void build_memory_range(Smbios *s, uint16_t n, uint64_t start, uint64_t size)
{
    uint64_t first = start >> 10, last = ((start + size) >> 10) - 1;
    bool wide = last >= UINT32_MAX;

    begin(s, 19, (uint16_t)(HANDLE_MEMORY_RANGE + n));
    put(s, wide ? UINT32_MAX : first, 4);
    put(s, wide ? UINT32_MAX : last, 4);
    put(s, HANDLE_MEMORY_ARRAY, 2);
    put(s, 1, 1); /* partition width */
    put(s, wide ? start : 0, 8);
    put(s, wide ? start + size - 1 : 0, 8);
    end(s, 31);
}

static void build_memory(Smbios *s, const Machine *m)
{
    uint16_t n = (uint16_t)((m->ram_size + MEMORY_DEVICE_MAX - 1) / MEMORY_DEVICE_MAX);

    build_memory_array(s, m, n);
    for (uint16_t i = 0; i < n; i++) {
        uint64_t start = i * MEMORY_DEVICE_MAX;

        build_memory_device(s, i, MIN(MEMORY_DEVICE_MAX, m->ram_size - start));
    }
    build_memory_range(s, 0, 0, m->below_4g);
    if (m->above_4g) {
        build_memory_range(s, 1, 1ull << 32, m->above_4g);
    }
}

static void build_last(Smbios *s)
{
    begin(s, 32, HANDLE_BOOT); /* 7.33 */
    put(s, 0, 6);
    put(s, 0, 1); /* no errors detected */
    end(s, 11);
    begin(s, 127, HANDLE_END); /* 7.45 */
    end(s, 4);
}

static uint8_t checksum(const uint8_t *bytes, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)-sum;
}

/* The 32-bit entry point (5.2.1); the firmware fills in the address and both checksums anew. */
static void add_entry_point(PcMachine *pc, const Smbios *s)
{
    uint8_t ep[31] = "_SM_";
    uint16_t len = GUINT16_TO_LE((uint16_t)s->tables->len), count = GUINT16_TO_LE(s->count);
    uint16_t max_len = GUINT16_TO_LE(s->max_len);

    ep[5] = sizeof(ep);
    ep[6] = 2;
    ep[7] = 8;
    memcpy(&ep[8], &max_len, 2);
    memcpy(&ep[16], "_DMI_", 5);
    memcpy(&ep[22], &len, 2);
    memcpy(&ep[28], &count, 2);
    ep[30] = 0x28;
    ep[21] = checksum(&ep[16], 15);
    ep[4] = checksum(ep, sizeof(ep));
    fw_cfg_add_file(pc->fw, "etc/smbios/smbios-anchor", ep, sizeof(ep));
}

void pc_smbios_init(PcMachine *pc)
{
    const Machine *m = pc->dev.machine;
    Smbios s = {.tables = g_byte_array_new(), .strings = g_string_new(NULL)};

    build_bios(&s);
    build_system(&s, m);
    build_chassis(&s);
    build_processor(&s, m);
    build_memory(&s, m);
    build_last(&s);
    fw_cfg_add_file(pc->fw, "etc/smbios/smbios-tables", s.tables->data, s.tables->len);
    add_entry_point(pc, &s);
    g_byte_array_free(s.tables, TRUE);
    g_string_free(s.strings, TRUE);
}
