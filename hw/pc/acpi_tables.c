/*
 * The static ACPI tables, and the script by which the firmware places them.
 *
 * All tables but the RSDP are in one blob, etc/acpi/tables, where a pointer to another table is
 * that one's offset. The firmware loads blobs where it likes and then follows etc/table-loader:
 * allocate a blob, add a blob's address to a pointer, compute a checksum (QEMU's published
 * linker/loader interface). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/intc/ioapic.h"
#include "hw/pc/acpi_internal.h"
#include "hw/pc/piix4_pm.h"
#include "hw/timer/hpet.h"

#define TABLES_FILE "etc/acpi/tables"
#define RSDP_FILE   "etc/acpi/rsdp"
#define LOADER_FILE "etc/table-loader"

enum { ACPI_HEADER = 36, ACPI_LENGTH = 4, ACPI_CHECKSUM = 9, SCI_IRQ = 9 };

/* ---- the loader's commands: 128 bytes each ---- */

enum { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER = 2, LOADER_ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };

typedef struct __attribute__((packed)) LoaderCommand {
    uint32_t command;
    union {
        struct __attribute__((packed)) {
            char file[56];
            uint32_t align;
            uint8_t zone;
        } allocate;
        struct __attribute__((packed)) {
            char file[56], source[56];
            uint32_t offset;
            uint8_t size;
        } pointer;
        struct __attribute__((packed)) {
            char file[56];
            uint32_t offset, start, length;
        } checksum;
        uint8_t pad[124];
    };
} LoaderCommand;
G_STATIC_ASSERT(sizeof(LoaderCommand) == 128);

typedef struct AcpiBuild {
    PcMachine *pc;
    GByteArray *tables, *rsdp, *loader;
    GArray *listed; /* offsets of the tables that RSDT and XSDT name */
    uint32_t facs, dsdt;
} AcpiBuild;

static void loader_allocate(AcpiBuild *b, const char *file, uint32_t align, uint8_t zone)
{
    LoaderCommand c = {.command = GUINT32_TO_LE(LOADER_ALLOCATE)};

    g_strlcpy(c.allocate.file, file, sizeof(c.allocate.file));
    c.allocate.align = GUINT32_TO_LE(align);
    c.allocate.zone = zone;
    g_byte_array_append(b->loader, (uint8_t *)&c, sizeof(c));
}

static void loader_checksum(AcpiBuild *b, const char *file, uint32_t at, uint32_t start,
                            uint32_t length)
{
    LoaderCommand c = {.command = GUINT32_TO_LE(LOADER_ADD_CHECKSUM)};

    g_strlcpy(c.checksum.file, file, sizeof(c.checksum.file));
    c.checksum.offset = GUINT32_TO_LE(at);
    c.checksum.start = GUINT32_TO_LE(start);
    c.checksum.length = GUINT32_TO_LE(length);
    g_byte_array_append(b->loader, (uint8_t *)&c, sizeof(c));
}

/* ---- bytes ---- */

static void put(GByteArray *out, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        g_byte_array_append(out, &byte, 1);
    }
}

static void put_text(GByteArray *out, const char *text, unsigned len)
{
    g_assert(strlen(text) == len);
    g_byte_array_append(out, (const uint8_t *)text, len);
}

/* A pointer of SIZE bytes to offset TARGET of the tables, at the end of OUT, which is FILE. */
static void put_pointer(AcpiBuild *b, const char *file, GByteArray *out, uint32_t target,
                        uint8_t size)
{
    LoaderCommand c = {.command = GUINT32_TO_LE(LOADER_ADD_POINTER)};

    g_strlcpy(c.pointer.file, file, sizeof(c.pointer.file));
    g_strlcpy(c.pointer.source, TABLES_FILE, sizeof(c.pointer.source));
    c.pointer.offset = GUINT32_TO_LE(out->len);
    c.pointer.size = size;
    put(out, target, size);
    g_byte_array_append(b->loader, (uint8_t *)&c, sizeof(c));
}

static void align_to(GByteArray *out, unsigned align)
{
    while (out->len % align) {
        put(out, 0, 1);
    }
}

/* Generic address structure (5.2.3.2) of an I/O register; width 0: there is none. */
static void put_gas_io(GByteArray *out, uint64_t address, uint8_t bits)
{
    put(out, bits ? 1 : 0, 1); /* system I/O */
    put(out, bits, 1);
    put(out, 0, 1);
    put(out, 0, 1); /* access size undefined */
    put(out, bits ? address : 0, 8);
}

/* ---- a table ---- */

static uint32_t table_begin(AcpiBuild *b, const char *signature, uint8_t revision)
{
    uint32_t start;

    align_to(b->tables, 8);
    start = b->tables->len;
    put_text(b->tables, signature, 4);
    put(b->tables, 0, 4); /* length */
    put(b->tables, revision, 1);
    put(b->tables, 0, 1); /* checksum */
    put_text(b->tables, "EMUSYS", 6);
    put_text(b->tables, "EMUPC   ", 8);
    put(b->tables, 1, 4);
    put_text(b->tables, "EMU ", 4);
    put(b->tables, 1, 4);
    return start;
}

static void table_end(AcpiBuild *b, uint32_t start)
{
    uint32_t length = b->tables->len - start, le = GUINT32_TO_LE(length);

    memcpy(b->tables->data + start + ACPI_LENGTH, &le, 4);
    loader_checksum(b, TABLES_FILE, start + ACPI_CHECKSUM, start, length);
}

static void list_table(AcpiBuild *b, uint32_t start)
{
    g_array_append_val(b->listed, start);
}

/* ---- the tables ---- */

/* Firmware ACPI control structure (5.2.10): 64 bytes, aligned so, without a checksum. */
static void build_facs(AcpiBuild *b)
{
    align_to(b->tables, 64);
    b->facs = b->tables->len;
    put_text(b->tables, "FACS", 4);
    put(b->tables, 64, 4);
    align_to(b->tables, 64);
}

static void build_dsdt(AcpiBuild *b)
{
    GByteArray *aml = acpi_dsdt_aml(b->pc);

    b->dsdt = table_begin(b, "DSDT", 2); /* 2: integers have 64 bits */
    g_byte_array_append(b->tables, aml->data, aml->len);
    table_end(b, b->dsdt);
    g_byte_array_unref(aml);
}

enum {
    FADT_WBINVD = 1 << 0,
    FADT_PROC_C1 = 1 << 2,
    FADT_SLP_BUTTON = 1 << 5, /* not a fixed feature: there is none */
    FADT_FIX_RTC = 1 << 6,    /* the RTC does not wake */
    FADT_RESET_REG_SUP = 1 << 10,
    FADT_FORCE_APIC_CLUSTER = 1 << 18,

    IAPC_LEGACY_DEVICES = 1 << 0,
    IAPC_8042 = 1 << 1,
    IAPC_NO_VGA = 1 << 2,
};

static void put_fadt_fixed_hardware(GByteArray *t)
{
    put(t, SCI_IRQ, 2);
    put(t, 0xb2, 4); /* SMI_CMD */
    put(t, PIIX4_ACPI_ENABLE, 1);
    put(t, PIIX4_ACPI_DISABLE, 1);
    put(t, 0, 2);                                /* S4BIOS_REQ, PSTATE_CNT */
    put(t, PIIX4_PM_BASE, 4);                    /* PM1a_EVT_BLK */
    put(t, 0, 4);                                /* PM1b_EVT_BLK */
    put(t, PIIX4_PM_BASE + 4, 4);                /* PM1a_CNT_BLK */
    put(t, 0, 8);                                /* PM1b_CNT_BLK, PM2_CNT_BLK */
    put(t, PIIX4_PM_BASE + 8, 4);                /* PM_TMR_BLK */
    put(t, PIIX4_PM_BASE + PIIX4_GPE_OFFSET, 4); /* GPE0_BLK */
    put(t, 0, 4);                                /* GPE1_BLK */
    put(t, 4, 1);                                /* PM1_EVT_LEN */
    put(t, 2, 1);                                /* PM1_CNT_LEN */
    put(t, 0, 1);                                /* PM2_CNT_LEN */
    put(t, 4, 1);                                /* PM_TMR_LEN */
    put(t, PIIX4_GPE_LEN, 1);                    /* GPE0_BLK_LEN */
    put(t, 0, 3);                                /* GPE1_BLK_LEN, GPE1_BASE, CST_CNT */
    put(t, 0xfff, 2);                            /* P_LVL2_LAT: above 100 says no C2 */
    put(t, 0xfff, 2);                            /* P_LVL3_LAT: no C3 */
    put(t, 0, 4);                                /* FLUSH_SIZE, FLUSH_STRIDE */
    put(t, 0, 4);                                /* DUTY_*, DAY_ALRM, MON_ALRM */
    put(t, 0x32, 1);                             /* CENTURY */
}

static void put_fadt_extended_addresses(AcpiBuild *b)
{
    GByteArray *t = b->tables;

    put(t, 0, 8); /* X_FIRMWARE_CTRL: the 32-bit one counts */
    put_pointer(b, TABLES_FILE, t, b->dsdt, 8);
    put_gas_io(t, PIIX4_PM_BASE, 32);
    put_gas_io(t, 0, 0);
    put_gas_io(t, PIIX4_PM_BASE + 4, 16);
    put_gas_io(t, 0, 0);
    put_gas_io(t, 0, 0);
    put_gas_io(t, PIIX4_PM_BASE + 8, 32);
    put_gas_io(t, PIIX4_PM_BASE + PIIX4_GPE_OFFSET, 8 * PIIX4_GPE_LEN);
    put_gas_io(t, 0, 0);
}

/* Fixed ACPI description table, revision 3 (ACPI 2.0; 5.2.9). */
static void build_fadt(AcpiBuild *b)
{
    GByteArray *t = b->tables;
    uint32_t start = table_begin(b, "FACP", 3);
    uint32_t flags =
        FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_RESET_REG_SUP;

    if (b->pc->dev.machine->cpu_count > 8) {
        flags |= FADT_FORCE_APIC_CLUSTER;
    }
    put_pointer(b, TABLES_FILE, t, b->facs, 4);
    put_pointer(b, TABLES_FILE, t, b->dsdt, 4);
    put(t, 0, 2); /* reserved, Preferred_PM_Profile: unspecified */
    put_fadt_fixed_hardware(t);
    put(t, IAPC_LEGACY_DEVICES | IAPC_8042 | (b->pc->vga ? 0u : IAPC_NO_VGA), 2);
    put(t, 0, 1);
    put(t, flags, 4);
    put_gas_io(t, 0xcf9, 8); /* RESET_REG */
    put(t, 0x06, 1);
    put(t, 0, 3);
    put_fadt_extended_addresses(b);
    g_assert(t->len - start == 244);
    table_end(b, start);
    list_table(b, start);
}

/* Active high and level-triggered (5.2.12.5). */
enum { MPS_ACTIVE_HIGH = 1, MPS_LEVEL = 3 << 2 };

static void put_override(GByteArray *t, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    put(t, 2, 1); /* interrupt source override */
    put(t, 10, 1);
    put(t, 0, 1); /* ISA */
    put(t, irq, 1);
    put(t, gsi, 4);
    put(t, flags, 2);
}

static void put_local_apics(GByteArray *t, const Machine *m)
{
    for (int i = 0; i < m->cpu_count; i++) {
        uint32_t id = m->cpus[i]->apic_id;

        if (id < 255) {
            put(t, 0, 1); /* processor local APIC */
            put(t, 8, 1);
            put(t, (uint64_t)i, 1);
            put(t, id, 1);
            put(t, 1, 4); /* enabled */
        } else {
            put(t, 9, 1); /* processor local x2APIC */
            put(t, 16, 1);
            put(t, 0, 2);
            put(t, id, 4);
            put(t, 1, 4);
            put(t, (uint64_t)i, 4);
        }
    }
}

/* Multiple APIC description table (5.2.12). */
static void build_madt(AcpiBuild *b)
{
    static const uint8_t level_irqs[] = {5, SCI_IRQ, 10, 11};
    GByteArray *t = b->tables;
    uint32_t start = table_begin(b, "APIC", 3);

    put(t, 0xfee00000, 4);
    put(t, 1, 4); /* PCAT_COMPAT: there are 8259s, too */
    put_local_apics(t, b->pc->dev.machine);
    put(t, 1, 1); /* I/O APIC */
    put(t, 12, 1);
    put(t, 0, 2); /* its id */
    put(t, IOAPIC_DEFAULT_BASE, 4);
    put(t, 0, 4); /* first GSI */
    put_override(t, 0, 2, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(level_irqs); i++) {
        put_override(t, level_irqs[i], level_irqs[i], MPS_ACTIVE_HIGH | MPS_LEVEL);
    }
    put(t, 4, 1); /* local APIC NMI: LINT1 of all */
    put(t, 6, 1);
    put(t, 0xff, 1);
    put(t, 0, 2);
    put(t, 1, 1);
    table_end(b, start);
    list_table(b, start);
}

/* High precision event timers (HPET specification 1.0a, 3.2.4). */
static void build_hpet(AcpiBuild *b)
{
    GByteArray *t = b->tables;
    uint32_t start = table_begin(b, "HPET", 1);

    put(t, HPET_BLOCK_ID, 4);
    put(t, 0, 1);  /* an address in memory */
    put(t, 64, 1); /* of registers that have 64 bits */
    put(t, 0, 2);
    put(t, HPET_BASE, 8);
    put(t, 0, 1);   /* its number */
    put(t, 128, 2); /* least ticks of a period in periodic mode */
    put(t, 0, 1);
    table_end(b, start);
    list_table(b, start);
}

/* What an emulated machine need not work around (Microsoft's WAET): RTC and ACPI timer are good. */
static void build_waet(AcpiBuild *b)
{
    uint32_t start = table_begin(b, "WAET", 1);

    put(b->tables, 1 << 0 | 1 << 1, 4);
    table_end(b, start);
    list_table(b, start);
}

/* RSDT or XSDT: the list, with pointers of SIZE bytes. */
static uint32_t build_list(AcpiBuild *b, const char *signature, uint8_t size)
{
    uint32_t start = table_begin(b, signature, 1);

    for (guint i = 0; i < b->listed->len; i++) {
        put_pointer(b, TABLES_FILE, b->tables, g_array_index(b->listed, uint32_t, i), size);
    }
    table_end(b, start);
    return start;
}

/* Root system description pointer (5.2.5). */
static void build_rsdp(AcpiBuild *b, uint32_t rsdt, uint32_t xsdt)
{
    put_text(b->rsdp, "RSD PTR ", 8);
    put(b->rsdp, 0, 1); /* checksum of the first 20 bytes */
    put_text(b->rsdp, "EMUSYS", 6);
    put(b->rsdp, 2, 1);
    put_pointer(b, RSDP_FILE, b->rsdp, rsdt, 4);
    put(b->rsdp, 36, 4);
    put_pointer(b, RSDP_FILE, b->rsdp, xsdt, 8);
    put(b->rsdp, 0, 4); /* checksum of all, reserved */
    loader_checksum(b, RSDP_FILE, 8, 0, 20);
    loader_checksum(b, RSDP_FILE, 32, 0, 36);
}

void pc_acpi_init(PcMachine *pc)
{
    AcpiBuild b = {
        .pc = pc,
        .tables = g_byte_array_new(),
        .rsdp = g_byte_array_new(),
        .loader = g_byte_array_new(),
        .listed = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
    };
    uint32_t rsdt, xsdt;

    loader_allocate(&b, TABLES_FILE, 64, ZONE_HIGH);
    loader_allocate(&b, RSDP_FILE, 16, ZONE_FSEG);
    build_facs(&b);
    build_dsdt(&b);
    build_fadt(&b);
    build_madt(&b);
    if (pc->hpet) {
        build_hpet(&b);
    }
    build_waet(&b);
    rsdt = build_list(&b, "RSDT", 4);
    xsdt = build_list(&b, "XSDT", 8);
    build_rsdp(&b, rsdt, xsdt);
    fw_cfg_add_file(pc->fw, TABLES_FILE, b.tables->data, b.tables->len);
    fw_cfg_add_file(pc->fw, RSDP_FILE, b.rsdp->data, b.rsdp->len);
    fw_cfg_add_file(pc->fw, LOADER_FILE, b.loader->data, b.loader->len);
    g_byte_array_free(b.tables, TRUE);
    g_byte_array_free(b.rsdp, TRUE);
    g_byte_array_free(b.loader, TRUE);
    g_array_free(b.listed, TRUE);
}
