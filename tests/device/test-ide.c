/*
 * IDE disks and CD-ROMs behind the PIIX3's function, driven through their ports.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "block/options.h"
#include "core/lock.h"
#include "core/safepoint.h"
#include "hw/ide/ide.h"
#include "tests/device/fixture.h"

enum {
    CMD = 0x1f0,
    CTL = 0x3f6,
    BM = 0xc000,
    DISK_SECTORS = 4096, /* 2 MiB */
    PRD = 0x1000,
    DATA = 0x10000,
    RAM = 0x200000,
};

typedef struct Ide {
    Fixture *f;
    Device *ctrl, *disk, *cd;
    char *image;
} Ide;

static uint8_t in8(Ide *t, unsigned reg)
{
    return (uint8_t)fixture_in(t->f, (uint16_t)(CMD + reg), 1);
}

static void out8(Ide *t, unsigned reg, unsigned value)
{
    fixture_out(t->f, (uint16_t)(CMD + reg), value, 1);
}

/* Waits for BSY to clear, by the alternate status, which acknowledges nothing. */
static uint8_t wait_ready(Ide *t)
{
    for (int i = 0; i < 100000; i++) {
        uint8_t status = (uint8_t)fixture_in(t->f, CTL, 1);
        if (!(status & IDE_STATUS_BSY)) {
            return status;
        }
        fixture_breathe(t->f);
    }
    g_assert_not_reached();
}

static Ide *ide_new(const char *disk_extra, bool cd)
{
    Ide *t = g_new0(Ide, 1);

    t->f = fixture_new(RAM);
    t->ctrl = fixture_add(t->f, pci_bus_qbus(t->f->pci), &piix3_ide_class, "addr=01.1");
    piix3_ide_connect_irqs(t->ctrl, &t->f->irqs[14], &t->f->irqs[15]);
    t->image = fixture_image(t->f, DISK_SECTORS * 512);
    fixture_drive(t->f, "d0", t->image, disk_extra);
    t->disk = fixture_add(t->f, piix3_ide_bus(t->ctrl, 0), &ide_hd_class, "drive=d0,unit=0");
    if (cd) {
        g_autofree char *iso = fixture_image(t->f, 1024 * 1024);
        fixture_drive(t->f, "c0", iso, ",media=cdrom");
        t->cd = fixture_add(t->f, piix3_ide_bus(t->ctrl, 0), &ide_cd_class, "drive=c0,unit=1");
    }
    pci_config_write(t->f->pci, pci_devfn(1, 1), 0x20, BM | 1, 4);
    pci_config_write(t->f->pci, pci_devfn(1, 1), 0x04, 0x05, 2);
    return t;
}

static void ide_free(Ide *t)
{
    fixture_free(t->f);
    g_free(t->image);
    g_free(t);
}

static void lba28(Ide *t, unsigned command, uint32_t lba, unsigned count)
{
    out8(t, 6, 0xe0 | (lba >> 24 & 0x0f));
    out8(t, 2, count);
    out8(t, 3, lba);
    out8(t, 4, lba >> 8);
    out8(t, 5, lba >> 16);
    out8(t, 7, command);
}

static void read_data(Ide *t, void *buf, size_t len)
{
    for (size_t i = 0; i < len; i += 2) {
        uint16_t w = (uint16_t)fixture_in(t->f, CMD, 2);
        memcpy((uint8_t *)buf + i, &w, 2);
    }
}

static void write_data(Ide *t, const void *buf, size_t len)
{
    for (size_t i = 0; i < len; i += 4) {
        uint32_t w;
        memcpy(&w, (const uint8_t *)buf + i, 4);
        fixture_out(t->f, CMD, w, 4);
    }
}

static void check_sectors(const uint8_t *buf, uint64_t first, unsigned count)
{
    uint8_t want[512];

    for (unsigned i = 0; i < count; i++) {
        fixture_sector(first + i, want);
        g_assert_cmpmem(buf + i * 512, 512, want, 512);
    }
}

static void check_file(Ide *t, uint64_t sector, const void *want, size_t len)
{
    g_autofree char *data = NULL;
    gsize size;

    g_assert_true(g_file_get_contents(t->image, &data, &size, NULL));
    g_assert_cmpmem(data + sector * 512, len, want, len);
}

/* ---- detection ---- */

static void test_signatures_after_reset(void)
{
    Ide *t = ide_new(NULL, true);

    fixture_out(t->f, CTL, IDE_CTRL_SRST, 1);
    g_assert_cmphex(in8(t, 7), ==, IDE_STATUS_BSY);
    fixture_out(t->f, CTL, 0, 1);
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    g_assert_cmphex(in8(t, 1), ==, 0x01);
    g_assert_cmphex(in8(t, 4) | in8(t, 5) << 8, ==, 0);
    out8(t, 6, 0x10);
    g_assert_cmphex(in8(t, 7), ==, 0);
    g_assert_cmphex(in8(t, 4) | in8(t, 5) << 8, ==, 0xeb14);
    ide_free(t);
}

static void test_absent_devices_read_as_zero(void)
{
    Ide *t = ide_new(NULL, false);

    for (unsigned reg = 1; reg < 8; reg++) {
        g_assert_cmphex(fixture_in(t->f, (uint16_t)(0x170 + reg), 1), ==, 0);
    }
    out8(t, 6, 0x10);
    g_assert_cmphex(in8(t, 7), ==, 0);
    out8(t, 7, 0xec);
    g_assert_cmphex(in8(t, 7), ==, 0);
    ide_free(t);
}

static void test_identify_says_what_the_disk_is(void)
{
    Ide *t = ide_new(",serial=ABC123", false);
    uint16_t id[256];

    out8(t, 6, 0xa0);
    out8(t, 7, 0xec);
    g_assert_cmphex(wait_ready(t), ==, 0x58);
    g_assert_cmpint(t->f->irq_level[14], ==, 1);
    g_assert_cmphex(in8(t, 7), ==, 0x58);
    g_assert_cmpint(t->f->irq_level[14], ==, 0);
    read_data(t, id, sizeof(id));
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    g_assert_cmpuint(id[60] | id[61] << 16, ==, DISK_SECTORS);
    g_assert_cmpuint(id[100], ==, DISK_SECTORS);
    g_assert_cmpuint(id[3], ==, 16);
    g_assert_cmpuint(id[6], ==, 63);
    g_assert_cmphex(id[10], ==, 'A' << 8 | 'B');
    g_assert_cmphex(id[12], ==, '2' << 8 | '3');
    ide_free(t);
}

/* ---- PIO ---- */

static void pio_read(unsigned command, unsigned count, unsigned block)
{
    Ide *t = ide_new(NULL, false);
    g_autofree uint8_t *buf = g_malloc(256 * 512);
    unsigned left = count ? count : 256, total = left;
    uint8_t *p = buf;

    if (block > 1) {
        out8(t, 6, 0xa0);
        out8(t, 2, block);
        out8(t, 7, 0xc6);
        g_assert_cmphex(in8(t, 7), ==, 0x50);
    }
    t->f->irq_rises[14] = 0;
    lba28(t, command, 100, count);
    while (left) {
        unsigned n = MIN(left, block);
        g_assert_cmphex(wait_ready(t), ==, 0x58);
        g_assert_cmphex(in8(t, 7), ==, 0x58);
        read_data(t, p, n * 512);
        p += n * 512;
        left -= n;
    }
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    g_assert_cmpuint(t->f->irq_rises[14], ==, (total + block - 1) / block);
    check_sectors(buf, 100, total);
    g_assert_cmpuint(in8(t, 2), ==, 0);
    g_assert_cmpuint(in8(t, 3), ==, (100 + total - 1) & 0xff);
    ide_free(t);
}

static void test_pio_reads(void)
{
    pio_read(0x20, 1, 1);
    pio_read(0x20, 7, 1);
    pio_read(0x20, 0, 1); /* 256 */
    pio_read(0xc4, 40, 16);
    pio_read(0xc4, 3, 2);
}

static void test_pio_write_reaches_the_image(void)
{
    Ide *t = ide_new(NULL, false);
    uint8_t buf[3 * 512];

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (uint8_t)(i * 13 + 5);
    }
    lba28(t, 0x30, 200, 3);
    g_assert_cmpint(t->f->irq_level[14], ==, 0); /* the first block is polled for */
    for (int i = 0; i < 3; i++) {
        g_assert_cmphex(wait_ready(t), ==, 0x58);
        in8(t, 7);
        write_data(t, buf + i * 512, 512);
    }
    g_assert_cmphex(wait_ready(t), ==, 0x50);
    g_assert_cmpint(t->f->irq_level[14], ==, 1);
    out8(t, 7, 0xe7);
    g_assert_cmphex(wait_ready(t), ==, 0x50);
    check_file(t, 200, buf, sizeof(buf));
    ide_free(t);
}

static void test_lba48_read(void)
{
    Ide *t = ide_new(NULL, false);
    g_autofree uint8_t *buf = g_malloc(300 * 512);

    out8(t, 6, 0x40);
    out8(t, 2, 300 >> 8);
    out8(t, 2, 300 & 0xff);
    out8(t, 3, 0);
    out8(t, 3, 1000 & 0xff);
    out8(t, 4, 0);
    out8(t, 4, 1000 >> 8);
    out8(t, 5, 0);
    out8(t, 5, 0);
    fixture_out(t->f, CTL, IDE_CTRL_HOB, 1);
    g_assert_cmpuint(in8(t, 2), ==, 1);
    out8(t, 7, 0x24);
    for (int i = 0; i < 300; i++) {
        g_assert_cmphex(wait_ready(t), ==, 0x58);
        read_data(t, buf + i * 512, 512);
    }
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    check_sectors(buf, 1000, 300);
    ide_free(t);
}

static void test_chs_read(void)
{
    Ide *t = ide_new(NULL, false);
    uint8_t buf[512];

    /* cylinder 1, head 2, sector 3 of 16 x 63 */
    out8(t, 6, 0xa2);
    out8(t, 2, 1);
    out8(t, 3, 3);
    out8(t, 4, 1);
    out8(t, 5, 0);
    out8(t, 7, 0x20);
    g_assert_cmphex(wait_ready(t), ==, 0x58);
    read_data(t, buf, 512);
    check_sectors(buf, (1 * 16 + 2) * 63 + 2, 1);
    /* sector 0 does not exist */
    out8(t, 3, 0);
    out8(t, 2, 1);
    out8(t, 7, 0x20);
    g_assert_cmphex(wait_ready(t), ==, 0x51);
    g_assert_cmphex(in8(t, 1), ==, IDE_ERROR_IDNF);
    ide_free(t);
}

static void test_out_of_range_is_refused(void)
{
    Ide *t = ide_new(NULL, false);

    lba28(t, 0x20, DISK_SECTORS - 1, 2);
    g_assert_cmphex(wait_ready(t), ==, 0x51);
    g_assert_cmphex(in8(t, 1), ==, IDE_ERROR_IDNF);
    lba28(t, 0xc8, 0x0fffffff, 1);
    g_assert_cmphex(wait_ready(t), ==, 0x51);
    lba28(t, 0x30, DISK_SECTORS, 1);
    g_assert_cmphex(wait_ready(t), ==, 0x51);
    lba28(t, 0x99, 0, 0);
    out8(t, 7, 0x55); /* no such command */
    g_assert_cmphex(wait_ready(t), ==, 0x51);
    g_assert_cmphex(in8(t, 1), ==, IDE_ERROR_ABRT);
    ide_free(t);
}

/* ---- DMA ---- */

static void prd(Ide *t, unsigned n, uint32_t addr, uint32_t len, bool last)
{
    uint32_t entry[2] = {addr, (len & 0xffff) | (last ? 0x80000000u : 0)};

    address_space_write(&t->f->machine.memory, PRD + n * 8, entry, 8);
}

static uint8_t *ram(Ide *t, uint32_t addr)
{
    return t->f->machine.ram->host + addr;
}

static void bm_start(Ide *t, bool to_memory)
{
    fixture_out(t->f, BM + 4, PRD, 4);
    fixture_out(t->f, BM + 2, 0x06, 1);
    fixture_out(t->f, BM, (to_memory ? 8 : 0) | 1, 1);
}

static uint8_t bm_status(Ide *t)
{
    return (uint8_t)fixture_in(t->f, BM + 2, 1);
}

static uint8_t bm_finish(Ide *t)
{
    uint8_t status;

    wait_ready(t);
    status = bm_status(t) & 7;
    fixture_out(t->f, BM, 0, 1);
    return status;
}

static void test_dma_read_scatters(void)
{
    Ide *t = ide_new(NULL, false);
    uint8_t got[16 * 512];

    prd(t, 0, DATA, 1024, false);
    prd(t, 1, DATA + 0x8002, 510, false);
    prd(t, 2, DATA + 0x4000, 16 * 512 - 1534, true);
    lba28(t, 0xc8, 10, 16);
    g_assert_cmphex(fixture_in(t->f, CTL, 1), ==, 0x58);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 4);
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    memcpy(got, ram(t, DATA), 1024);
    memcpy(got + 1024, ram(t, DATA + 0x8002), 510);
    memcpy(got + 1534, ram(t, DATA + 0x4000), sizeof(got) - 1534);
    check_sectors(got, 10, 16);
    g_assert_cmpuint(t->f->irq_rises[14], ==, 1);
    ide_free(t);
}

static void test_dma_started_before_the_command(void)
{
    Ide *t = ide_new(NULL, false);

    prd(t, 0, DATA, 512, true);
    bm_start(t, true);
    lba28(t, 0xc8, 77, 1);
    g_assert_cmphex(bm_finish(t), ==, 4);
    check_sectors(ram(t, DATA), 77, 1);
    ide_free(t);
}

static void test_dma_write_gathers(void)
{
    Ide *t = ide_new(NULL, false);
    uint8_t want[2048];

    for (int i = 0; i < 2048; i++) {
        want[i] = (uint8_t)(i * 31);
    }
    memcpy(ram(t, DATA), want, 1000);
    memcpy(ram(t, DATA + 0x3000), want + 1000, 1048);
    prd(t, 0, DATA, 1000, false);
    prd(t, 1, DATA + 0x3000, 1048, true);
    lba28(t, 0xca, 300, 4);
    bm_start(t, false);
    g_assert_cmphex(bm_finish(t), ==, 4);
    out8(t, 7, 0xe7);
    g_assert_cmphex(wait_ready(t), ==, 0x50);
    check_file(t, 300, want, sizeof(want));
    ide_free(t);
}

static void test_dma_of_many_tiny_descriptors(void)
{
    Ide *t = ide_new(NULL, false);

    /* 4096 pieces of two bytes, backwards: far more than one request can take. */
    for (unsigned i = 0; i < 4096; i++) {
        prd(t, i, DATA + (4095 - i) * 4, 2, i == 4095);
    }
    lba28(t, 0xc8, 5, 16);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 4);
    uint8_t got[8192];
    for (unsigned i = 0; i < 4096; i++) {
        memcpy(got + 2 * i, ram(t, DATA + (4095 - i) * 4), 2);
    }
    check_sectors(got, 5, 16);
    ide_free(t);
}

static void test_dma_lengths_show_in_status(void)
{
    Ide *t = ide_new(NULL, false);

    prd(t, 0, DATA, 512, true); /* shorter than the data */
    lba28(t, 0xc8, 0, 2);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 0);
    in8(t, 7);
    prd(t, 0, DATA, 0, true); /* 64 KiB: longer */
    lba28(t, 0xc8, 0, 2);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 5);
    g_assert_cmphex(bm_status(t) & 1, ==, 0);
    ide_free(t);
}

static void test_dma_outside_memory_and_without_bus_mastering(void)
{
    Ide *t = ide_new(NULL, false);

    prd(t, 0, 0xfff00000, 512, false); /* nothing is there */
    prd(t, 1, RAM - 256, 512, true);   /* half in memory */
    lba28(t, 0xc8, 40, 2);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 4);
    uint8_t want[512];
    fixture_sector(41, want);
    g_assert_cmpmem(ram(t, RAM - 256), 256, want, 256);
    in8(t, 7);

    pci_config_write(t->f->pci, pci_devfn(1, 1), 0x04, 0x01, 2);
    memset(ram(t, DATA), 0xaa, 512);
    prd(t, 0, DATA, 512, true);
    lba28(t, 0xc8, 40, 1);
    bm_start(t, true);
    bm_finish(t);
    for (int i = 0; i < 512; i++) {
        g_assert_cmphex(*ram(t, DATA + (unsigned)i), ==, 0xaa);
    }
    ide_free(t);
}

static void test_reset_in_flight(void)
{
    Ide *t = ide_new(NULL, false);

    for (int i = 0; i < 200; i++) {
        prd(t, 0, DATA, 0, false);
        prd(t, 1, DATA + 0x10000, 0, true);
        lba28(t, i & 1 ? 0xc8 : 0x20, 0, 0);
        bm_start(t, true);
        if (i & 2) {
            fixture_breathe(t->f);
        }
        if (i % 3 == 0) {
            device_reset_all(pci_bus_qbus(t->f->pci));
            pci_config_write(t->f->pci, pci_devfn(1, 1), 0x20, BM | 1, 4);
            pci_config_write(t->f->pci, pci_devfn(1, 1), 0x04, 0x05, 2);
        } else {
            fixture_out(t->f, CTL, IDE_CTRL_SRST, 1);
            fixture_out(t->f, CTL, 0, 1);
        }
        fixture_out(t->f, BM, 0, 1);
        g_assert_cmphex(in8(t, 7), ==, 0x50);
    }
    ide_free(t);
}

static void test_state_in_the_middle_of_a_transfer(void)
{
    Ide *t = ide_new(NULL, false);
    uint8_t buf[4 * 512];
    GByteArray *disk, *ctrl;

    lba28(t, 0x20, 60, 4);
    wait_ready(t);
    read_data(t, buf, 700); /* in the second sector */
    disk = fixture_save(t->disk);
    ctrl = fixture_save(t->ctrl);
    fixture_out(t->f, CTL, IDE_CTRL_SRST, 1);
    fixture_out(t->f, CTL, 0, 1);
    lba28(t, 0x20, 1, 1);
    wait_ready(t);
    fixture_load(t->ctrl, ctrl);
    fixture_load(t->disk, disk);
    read_data(t, buf + 700, sizeof(buf) - 700);
    check_sectors(buf, 60, 4);
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    g_byte_array_unref(disk);
    g_byte_array_unref(ctrl);
    ide_free(t);
}

/* ---- settings ---- */

static uint16_t identify_word(Ide *t, unsigned word)
{
    uint16_t id[256];

    out8(t, 7, 0xec);
    g_assert_cmphex(wait_ready(t), ==, 0x58);
    read_data(t, id, sizeof(id));
    return id[word];
}

/* COMMAND with the feature and count registers; its error register. */
static uint8_t command(Ide *t, unsigned cmd, unsigned feature, unsigned count)
{
    out8(t, 1, feature);
    out8(t, 2, count);
    out8(t, 7, cmd);
    return wait_ready(t) & IDE_STATUS_ERR ? in8(t, 1) : 0;
}

static void test_features_show_in_identify(void)
{
    Ide *t = ide_new(NULL, false);

    out8(t, 6, 0xe0);
    g_assert_cmphex(command(t, 0xef, 0x03, 0x22), ==, 0); /* multiword DMA 2 */
    g_assert_cmphex(identify_word(t, 63), ==, 0x0407);
    g_assert_cmphex(identify_word(t, 88), ==, 0x003f);
    g_assert_cmphex(command(t, 0xef, 0x03, 0x44), ==, 0); /* Ultra DMA 4 */
    g_assert_cmphex(identify_word(t, 88), ==, 0x103f);
    g_assert_cmphex(command(t, 0xef, 0x03, 0x47), ==, IDE_ERROR_ABRT);
    g_assert_cmphex(command(t, 0xef, 0x82, 0), ==, 0);
    g_assert_cmphex(identify_word(t, 85) & 0x20, ==, 0);
    g_assert_cmphex(command(t, 0xef, 0x02, 0), ==, 0);
    g_assert_cmphex(identify_word(t, 85) & 0x20, ==, 0x20);
    g_assert_cmphex(command(t, 0xef, 0x99, 0), ==, IDE_ERROR_ABRT);
    g_assert_cmphex(command(t, 0xc6, 0, 8), ==, 0);
    g_assert_cmphex(identify_word(t, 59), ==, 0x108);
    g_assert_cmphex(command(t, 0xc6, 0, 32), ==, IDE_ERROR_ABRT);
    g_assert_cmphex(command(t, 0xc6, 0, 0), ==, 0);
    g_assert_cmphex(command(t, 0xc4, 0, 1), ==, IDE_ERROR_ABRT);
    g_assert_cmphex(command(t, 0xe0, 0, 0), ==, 0);
    g_assert_cmphex(command(t, 0xe5, 0, 0x55), ==, 0);
    g_assert_cmphex(in8(t, 2), ==, 0x00); /* standby */
    ide_free(t);
}

static void test_smart(void)
{
    Ide *t = ide_new(NULL, false);
    uint8_t page[512], sum = 0;

    out8(t, 4, 0x4f);
    out8(t, 5, 0xc2);
    g_assert_cmphex(command(t, 0xb0, 0xda, 0), ==, 0);
    g_assert_cmphex(in8(t, 4) | in8(t, 5) << 8, ==, 0xc24f);
    g_assert_cmphex(command(t, 0xb0, 0xd0, 1), ==, 0);
    read_data(t, page, 512);
    for (int i = 0; i < 512; i++) {
        sum += page[i];
    }
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmphex(command(t, 0xb0, 0xd9, 0), ==, 0);
    g_assert_cmphex(command(t, 0xb0, 0xda, 0), ==, IDE_ERROR_ABRT);
    g_assert_cmphex(command(t, 0xb0, 0xd8, 0), ==, 0);
    out8(t, 4, 0);
    g_assert_cmphex(command(t, 0xb0, 0xda, 0), ==, IDE_ERROR_ABRT);
    ide_free(t);
}

static void lba48(Ide *t, unsigned command, uint64_t lba, unsigned count)
{
    out8(t, 6, 0xe0);
    for (int shift = 8; shift >= 0; shift -= 8) {
        out8(t, 2, count >> shift);
        out8(t, 3, (unsigned)(lba >> (shift ? 24 : 0)));
        out8(t, 4, (unsigned)(lba >> (shift ? 32 : 8)));
        out8(t, 5, (unsigned)(lba >> (shift ? 40 : 16)));
    }
    out8(t, 7, command);
}

static void test_long_pio_write(void)
{
    Ide *t = ide_new(NULL, false);
    g_autofree uint8_t *buf = g_malloc(600 * 512);

    for (int i = 0; i < 600 * 512; i++) {
        buf[i] = (uint8_t)(i * 7 + i / 512);
    }
    lba48(t, 0x39, 3000, 600); /* in blocks of 16 */
    for (unsigned at = 0; at < 600; at += 16) {
        g_assert_cmphex(wait_ready(t), ==, 0x58);
        write_data(t, buf + at * 512, MIN(16u, 600 - at) * 512);
    }
    g_assert_cmphex(wait_ready(t), ==, 0x50);
    lba48(t, 0xea, 0, 0);
    g_assert_cmphex(wait_ready(t), ==, 0x50);
    check_file(t, 3000, buf, 600 * 512);
    ide_free(t);
}

static void test_trim_discards(void)
{
    Ide *t = ide_new(",discard=unmap", false);
    uint64_t ranges[64] = {GUINT64_TO_LE(16 | 8ull << 48), 0, GUINT64_TO_LE(64 | 16ull << 48)};
    uint8_t zero[8 * 512] = {0}, want[512];

    out8(t, 6, 0xe0);
    g_assert_cmphex(identify_word(t, 169), ==, 1);
    memcpy(ram(t, DATA), ranges, sizeof(ranges));
    prd(t, 0, DATA, 512, true);
    out8(t, 1, 1);
    lba48(t, 0x06, 0, 1);
    g_assert_cmphex(fixture_in(t->f, CTL, 1), ==, 0x58);
    bm_start(t, false);
    g_assert_cmphex(bm_finish(t), ==, 4);
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    lba28(t, 0x20, 16, 8);
    for (int i = 0; i < 8; i++) {
        wait_ready(t);
        read_data(t, want, 512);
        g_assert_true(memcmp(want, zero, 512) == 0);
    }
    /* A range beyond the end is refused. */
    ranges[0] = GUINT64_TO_LE((DISK_SECTORS - 1) | 2ull << 48);
    memcpy(ram(t, DATA), ranges, sizeof(ranges));
    lba48(t, 0x06, 0, 1);
    bm_start(t, false);
    bm_finish(t);
    g_assert_cmphex(in8(t, 7), ==, 0x51);
    ide_free(t);
}

/* ---- errors ---- */

static void stop_wanted(void *opaque, const char *drive, int error)
{
    (void)drive, (void)error;
    g_atomic_int_inc((int *)opaque);
}

/* A write that the host refuses, because the file would grow over the process's limit. */
static void test_kept_request_can_be_reset(void)
{
    Ide *t = ide_new(",rerror=stop,werror=stop", false);
    int stops = 0;
    uint8_t sector[512] = {0};
    GByteArray *state;
    struct rlimit old, small;

    block_set_stop_fn(stop_wanted, &stops);
    g_assert_cmpint(truncate(t->image, 512 * 16), ==, 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){.rlim_cur = 512 * 16, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    for (int i = 0; i < 2; i++) {
        int before = g_atomic_int_get(&stops);

        lba28(t, 0x30, 1000, 1);
        write_data(t, sector, 512);
        for (int n = 0; n < 1000 && g_atomic_int_get(&stops) == before; n++) {
            fixture_breathe(t->f);
        }
        if (g_atomic_int_get(&stops) == before) {
            g_test_skip("the host does not enforce RLIMIT_FSIZE");
            break;
        }
        g_assert_cmphex(in8(t, 7), ==, IDE_STATUS_BSY);
        if (i == 0) {
            fixture_out(t->f, CTL, IDE_CTRL_SRST, 1);
            fixture_out(t->f, CTL, 0, 1);
            g_assert_cmphex(in8(t, 7), ==, 0x50);
        } else {
            state = fixture_save(t->disk);
            g_assert_cmphex(in8(t, 7), ==, 0x51);
            g_byte_array_unref(state);
        }
    }
    setrlimit(RLIMIT_FSIZE, &old);
    block_set_stop_fn(NULL, NULL);
    ide_free(t);
}

static void test_a_failed_dma_write_is_reported(void)
{
    Ide *t = ide_new(NULL, false);
    struct rlimit old, small;

    g_assert_cmpint(truncate(t->image, 512 * 16), ==, 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){.rlim_cur = 512 * 16, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    prd(t, 0, DATA, 1024, true);
    lba28(t, 0xca, 2000, 2);
    bm_start(t, false);
    bm_finish(t);
    setrlimit(RLIMIT_FSIZE, &old);
    g_assert_cmphex(in8(t, 7), ==, 0x51);
    g_assert_cmphex(in8(t, 1), ==, IDE_ERROR_ABRT);
    g_assert_cmpuint(in8(t, 3) | in8(t, 4) << 8, ==, 2000);
    ide_free(t);
}

static void test_any_saved_state_is_safe_to_load(void)
{
    Ide *t = ide_new(NULL, true);
    GRand *rand = g_rand_new_with_seed(99);
    Device *devs[] = {t->disk, t->cd, t->ctrl};
    GByteArray *states[3];

    lba28(t, 0x20, 60, 4);
    wait_ready(t);
    for (int i = 0; i < 3; i++) {
        states[i] = fixture_save(devs[i]);
    }
    for (int round = 0; round < 20000; round++) {
        int which = g_rand_int_range(rand, 0, 3);
        g_autofree uint8_t *data = g_memdup2(states[which]->data, states[which]->len);
        size_t pos = 0, len = MIN(states[which]->len, 200u);
        GError *err = NULL;

        for (int n = g_rand_int_range(rand, 1, 4); n; n--) {
            data[g_rand_int_range(rand, 0, (int)len)] = (uint8_t)g_rand_int(rand);
        }
        if (!state_load(devs[which]->cls->state, devs[which], data, states[which]->len, &pos,
                        &err)) {
            g_assert_nonnull(err);
            g_clear_error(&err);
        }
        for (int n = 0; n < 20; n++) {
            fixture_in(t->f, CMD, 4);
            fixture_out(t->f, CMD, 0x12345678, 4);
            in8(t, 1 + (unsigned)n % 7);
        }
        fixture_out(t->f, BM, round & 1, 1);
        out8(t, 6, round & 2 ? 0xb0 : 0xa0);
        out8(t, 7, (unsigned)g_rand_int(rand));
        if (round % 4 == 0) {
            fixture_breathe(t->f);
        }
        ide_drive_wait_idle((IdeDrive *)t->disk);
        ide_drive_wait_idle((IdeDrive *)t->cd);
    }
    for (int i = 0; i < 3; i++) {
        g_byte_array_unref(states[i]);
    }
    g_rand_free(rand);
    ide_free(t);
}

/* ---- CD-ROM ---- */

static uint8_t packet(Ide *t, const uint8_t *cdb, unsigned limit, bool dma)
{
    out8(t, 6, 0xb0);
    out8(t, 1, dma);
    out8(t, 4, limit);
    out8(t, 5, limit >> 8);
    out8(t, 7, 0xa0);
    g_assert_cmphex(wait_ready(t) & 0x89, ==, IDE_STATUS_DRQ);
    g_assert_cmphex(in8(t, 2), ==, IDE_REASON_COD);
    write_data(t, cdb, 12);
    return wait_ready(t);
}

/* Collects a PIO reply; its length. */
static size_t packet_in(Ide *t, const uint8_t *cdb, unsigned limit, uint8_t *buf)
{
    uint8_t status = packet(t, cdb, limit, false);
    size_t total = 0;

    while (status & IDE_STATUS_DRQ) {
        unsigned n = in8(t, 4) | in8(t, 5) << 8;
        g_assert_cmphex(in8(t, 2), ==, IDE_REASON_IO);
        g_assert_cmpuint(n, >, 0);
        g_assert_cmpuint(n, <=, limit);
        in8(t, 7);
        read_data(t, buf + total, (n + 1) & ~1u);
        total += n;
        status = wait_ready(t);
    }
    g_assert_cmphex(in8(t, 2), ==, IDE_REASON_IO | IDE_REASON_COD);
    return status & IDE_STATUS_ERR ? 0 : total;
}

static uint8_t sense_key(Ide *t)
{
    static const uint8_t cdb[12] = {0x03, 0, 0, 0, 18};
    uint8_t buf[20];

    g_assert_cmpuint(packet_in(t, cdb, 18, buf), ==, 18);
    return buf[2];
}

static void test_cd_commands(void)
{
    Ide *t = ide_new(NULL, true);
    static uint8_t buf[70000];
    static const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36}, capacity[12] = {0x25},
                         toc[12] = {0x43, 2, 0, 0, 0, 0, 0, 0, 64}, ready[12] = {0},
                         eject[12] = {0x1b, 0, 0, 0, 2}, load[12] = {0x1b, 0, 0, 0, 3},
                         lock[12] = {0x1e, 0, 0, 0, 1}, unlock[12] = {0x1e},
                         config[12] = {0x46, 0, 0, 0, 0, 0, 0, 1, 0},
                         event[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}, bad[12] = {0xff};
    uint8_t read10[12] = {0x28, 0, 0, 0, 0, 30, 0, 0, 20};

    out8(t, 6, 0xb0);
    out8(t, 7, 0xec); /* IDENTIFY DEVICE is aborted, with the signature */
    g_assert_cmphex(wait_ready(t) & 0x89, ==, 0x01);
    g_assert_cmphex(in8(t, 4) | in8(t, 5) << 8, ==, 0xeb14);
    out8(t, 7, 0xa1);
    g_assert_cmphex(wait_ready(t) & 0x89, ==, IDE_STATUS_DRQ);
    read_data(t, buf, 512);
    g_assert_cmphex(buf[0] | buf[1] << 8, ==, 0x85c0);

    g_assert_cmpuint(packet_in(t, inquiry, 36, buf), ==, 36);
    g_assert_cmphex(buf[0], ==, 5);
    g_assert_cmpuint(packet_in(t, capacity, 8, buf), ==, 8);
    g_assert_cmpuint(buf[2] << 8 | buf[3], ==, 511);
    g_assert_cmpuint(packet_in(t, toc, 64, buf), ==, 20);
    g_assert_cmpuint(packet_in(t, config, 256, buf), >, 8);
    /* 20 sectors in DRQ blocks of at most 3000 bytes */
    g_assert_cmpuint(packet_in(t, read10, 3000, buf), ==, 20 * 2048);
    check_sectors(buf, 30 * 4, 80);
    read10[4] = 2; /* 542: beyond the end */
    g_assert_cmpuint(packet_in(t, read10, 2048, buf), ==, 0);
    g_assert_cmphex(sense_key(t), ==, 5);
    g_assert_cmpuint(packet_in(t, bad, 2048, buf), ==, 0);
    g_assert_cmphex(sense_key(t), ==, 5);

    g_assert_cmphex(packet(t, lock, 0, false) & 1, ==, 0);
    g_assert_cmphex(packet(t, eject, 0, false) & 1, ==, 1);
    g_assert_cmphex(packet(t, unlock, 0, false) & 1, ==, 0);
    g_assert_cmphex(packet(t, eject, 0, false) & 1, ==, 0);
    g_assert_cmphex(packet(t, ready, 0, false) & 1, ==, 1);
    g_assert_cmphex(sense_key(t), ==, 2);
    g_assert_cmphex(packet(t, load, 0, false) & 1, ==, 0);
    g_assert_cmpuint(packet_in(t, event, 8, buf), ==, 8);
    g_assert_cmphex(buf[4], ==, 2);
    g_assert_cmphex(buf[5], ==, 2);
    g_assert_cmphex(packet(t, ready, 0, false) & 1, ==, 1);
    g_assert_cmphex(sense_key(t), ==, 6); /* the medium may have changed */
    g_assert_cmphex(packet(t, ready, 0, false) & 1, ==, 0);
    ide_free(t);
}

static void test_cd_read_cd_raw(void)
{
    Ide *t = ide_new(NULL, true);
    static uint8_t buf[4 * 2352];
    static const uint8_t cdb[12] = {0xbe, 0, 0, 0, 0, 16, 0, 0, 3, 0xf8};

    g_assert_cmpuint(packet_in(t, cdb, 2352, buf), ==, 3 * 2352);
    g_assert_cmphex(buf[1], ==, 0xff);
    g_assert_cmphex(buf[2352 + 13], ==, 0x02); /* 00:02:17 */
    g_assert_cmphex(buf[2352 + 14], ==, 0x17);
    check_sectors(buf + 2352 + 16, 17 * 4, 4);
    ide_free(t);
}

static void test_cd_dma(void)
{
    Ide *t = ide_new(NULL, true);
    static const uint8_t read10[12] = {0x28, 0, 0, 0, 0, 100, 0, 0, 16},
                         inquiry[12] = {0x12, 0, 0, 0, 36},
                         raw[12] = {0xbe, 0, 0, 0, 0, 100, 0, 0, 70, 0xf8};

    prd(t, 0, DATA, 16 * 2048, true);
    g_assert_cmphex(packet(t, read10, 0, true) & 0x89, ==, IDE_STATUS_DRQ);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 4);
    check_sectors(ram(t, DATA), 400, 64);
    g_assert_cmphex(in8(t, 2), ==, 3);
    in8(t, 7);

    prd(t, 0, DATA, 36, true);
    packet(t, inquiry, 0, true);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 4);
    g_assert_cmphex(*ram(t, DATA), ==, 5);
    in8(t, 7);

    for (unsigned i = 0; i < 3; i++) { /* more than the buffer holds */
        prd(t, i, DATA + i * 0x10000, i < 2 ? 0 : 70 * 2352 - 0x20000, i == 2);
    }
    packet(t, raw, 0, true);
    bm_start(t, true);
    g_assert_cmphex(bm_finish(t), ==, 4);
    check_sectors(ram(t, DATA + 69 * 2352 + 16), 169 * 4, 4);
    ide_free(t);
}

static void test_cd_medium_change(void)
{
    Ide *t = ide_new(NULL, true);
    static uint8_t buf[4096];
    static const uint8_t ready[12] = {0}, event[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8},
                         capacity[12] = {0x25};
    g_autofree char *other = fixture_image(t->f, 64 * 2048);
    GError *err = NULL;

    g_assert_true(block_eject("c0", true, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(packet_in(t, event, 8, buf), ==, 8);
    g_assert_cmphex(buf[4], ==, 3); /* media removal */
    g_assert_cmphex(packet(t, ready, 0, false) & 1, ==, 1);
    g_assert_cmphex(sense_key(t), ==, 2);
    g_assert_true(block_change("c0", other, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(packet_in(t, event, 8, buf), ==, 8);
    g_assert_cmphex(buf[4], ==, 2); /* new media */
    g_assert_cmphex(packet(t, ready, 0, false) & 1, ==, 1);
    g_assert_cmphex(sense_key(t), ==, 6);
    g_assert_cmpuint(packet_in(t, capacity, 8, buf), ==, 8);
    g_assert_cmpuint(buf[3], ==, 63);
    ide_free(t);
}

/* ---- hostile guests ---- */

static void test_random_packets_are_harmless(void)
{
    Ide *t = ide_new(NULL, true);
    GRand *rand = g_rand_new_with_seed(5);
    static uint8_t buf[512];

    for (int i = 0; i < 20000; i++) {
        static const uint8_t opcodes[] = {0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25,
                                          0x28, 0x2b, 0x43, 0x46, 0x4a, 0x51, 0x52,
                                          0x5a, 0xa8, 0xad, 0xbb, 0xbd, 0xbe};
        uint8_t cdb[12];
        bool dma = g_rand_int_range(rand, 0, 4) == 0;
        uint8_t status;

        for (int n = 0; n < 12; n++) {
            cdb[n] = g_rand_int_range(rand, 0, 3) ? 0 : (uint8_t)g_rand_int(rand);
        }
        cdb[0] = opcodes[g_rand_int(rand) % sizeof(opcodes)];
        status = packet(t, cdb, (unsigned)g_rand_int_range(rand, 0, 65536), dma);
        if (dma && (status & IDE_STATUS_DRQ)) {
            prd(t, 0, DATA, g_rand_int(rand) & 0x3ffe, g_rand_boolean(rand));
            prd(t, 1, DATA, g_rand_int(rand) & 0xfffe, true);
            bm_start(t, true);
            bm_finish(t);
        }
        for (int block = 0; block < 3 && (status & IDE_STATUS_DRQ); block++) {
            unsigned n = in8(t, 4) | in8(t, 5) << 8;
            read_data(t, buf, MIN(n, sizeof(buf)));
            status = wait_ready(t);
        }
        if (status & IDE_STATUS_DRQ) {
            out8(t, 7, 0x08);
            g_assert_cmphex(wait_ready(t), ==, 0);
        }
    }
    g_rand_free(rand);
    ide_free(t);
}

/* One random access; breathing is left to the caller. */
static void random_poke(Ide *t, GRand *rand)
{
    unsigned what = (unsigned)g_rand_int_range(rand, 0, 96);
    unsigned size = 1u << g_rand_int_range(rand, 0, 3);
    uint32_t value = g_rand_int(rand);

    if (what < 30) {
        out8(t, (unsigned)g_rand_int_range(rand, 1, 7), value & 0x3f);
    } else if (what < 40) {
        static const uint8_t commands[] = {0x20, 0x24, 0x25, 0x30, 0x35, 0xc8, 0xca, 0xa0,
                                           0xa0, 0xec, 0xa1, 0xef, 0xc6, 0x06, 0xb0, 0xe7,
                                           0x08, 0x90, 0x29, 0x39, 0x40, 0xc4, 0xc5, 0x91};
        out8(t, 7, value & 7 ? commands[value / 8 % sizeof(commands)] : value >> 8);
    } else if (what < 75) {
        fixture_out(t->f, CMD, value & 0x8fff, size);
        fixture_in(t->f, CMD, size);
    } else if (what < 80) {
        fixture_out(t->f, (uint16_t)(CMD + value % 10), value >> 8, size);
        fixture_in(t->f, (uint16_t)(CMD + value % 10), size);
    } else if (what < 82) {
        fixture_out(t->f, CTL, value & 0x8e, 1);
    } else if (what < 90) {
        unsigned reg = value % 16;
        uint32_t v = reg % 8 == 4 ? PRD : g_rand_int(rand);
        fixture_out(t->f, (uint16_t)(BM + reg), v, size);
        fixture_in(t->f, (uint16_t)(BM + reg), size);
    } else if (what < 93) {
        uint32_t entry[2] = {value & 0x1ffffe, g_rand_int(rand) & 0x80000fff};
        address_space_write(&t->f->machine.memory, PRD + value % 64 * 8, entry, 8);
    } else {
        fixture_in(t->f, (uint16_t)(CMD + 1 + value % 7), 1);
    }
}

static void save_and_load(Device *dev)
{
    GByteArray *state = fixture_save(dev);

    fixture_load(dev, state);
    g_byte_array_unref(state);
}

static void test_random_pokes_are_harmless(void)
{
    Ide *t = ide_new(NULL, true);
    GRand *rand = g_rand_new_with_seed(20240601);
    unsigned rounds = g_test_slow() ? 3000000 : 200000;

    for (unsigned i = 0; i < rounds; i++) {
        if (g_rand_int_range(rand, 0, 25)) {
            random_poke(t, rand);
        } else {
            fixture_breathe(t->f);
        }
        if (i % 5000 == 0) {
            save_and_load(t->disk);
            save_and_load(t->cd);
        }
    }
    g_rand_free(rand);
    ide_free(t);
}

typedef struct Poker {
    Ide *t;
    guint32 seed;
} Poker;

static void *poke_thread(void *opaque)
{
    Poker *p = opaque;
    GRand *rand = g_rand_new_with_seed(p->seed);

    safepoint_thread_attach(NULL);
    for (int i = 0; i < 40000; i++) {
        random_poke(p->t, rand);
    }
    safepoint_thread_detach();
    g_rand_free(rand);
    return NULL;
}

/* A wait for a request on its way lets the other processors in. */
static void test_pokes_from_several_threads_are_harmless(void)
{
    Ide *t = ide_new(NULL, true);
    Poker pokers[3];
    GThread *threads[3];

    machine_unlock();
    for (unsigned i = 0; i < 3; i++) {
        pokers[i] = (Poker){.t = t, .seed = i + 1};
        threads[i] = g_thread_new("poker", poke_thread, &pokers[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        g_thread_join(threads[i]);
    }
    machine_lock();
    fixture_out(t->f, CTL, IDE_CTRL_SRST, 1);
    fixture_out(t->f, CTL, 0, 1);
    g_assert_cmphex(in8(t, 7), ==, 0x50);
    ide_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ide/signatures-after-reset", test_signatures_after_reset);
    g_test_add_func("/ide/absent-devices-read-as-zero", test_absent_devices_read_as_zero);
    g_test_add_func("/ide/identify", test_identify_says_what_the_disk_is);
    g_test_add_func("/ide/pio-reads", test_pio_reads);
    g_test_add_func("/ide/pio-write-reaches-the-image", test_pio_write_reaches_the_image);
    g_test_add_func("/ide/lba48-read", test_lba48_read);
    g_test_add_func("/ide/chs-read", test_chs_read);
    g_test_add_func("/ide/out-of-range-is-refused", test_out_of_range_is_refused);
    g_test_add_func("/ide/dma-read-scatters", test_dma_read_scatters);
    g_test_add_func("/ide/dma-started-before-the-command", test_dma_started_before_the_command);
    g_test_add_func("/ide/dma-write-gathers", test_dma_write_gathers);
    g_test_add_func("/ide/dma-of-many-tiny-descriptors", test_dma_of_many_tiny_descriptors);
    g_test_add_func("/ide/dma-lengths-show-in-status", test_dma_lengths_show_in_status);
    g_test_add_func("/ide/dma-outside-memory", test_dma_outside_memory_and_without_bus_mastering);
    g_test_add_func("/ide/reset-in-flight", test_reset_in_flight);
    g_test_add_func("/ide/state-in-the-middle-of-a-transfer",
                    test_state_in_the_middle_of_a_transfer);
    g_test_add_func("/ide/kept-request-can-be-reset", test_kept_request_can_be_reset);
    g_test_add_func("/ide/any-saved-state-is-safe-to-load", test_any_saved_state_is_safe_to_load);
    g_test_add_func("/ide/features-show-in-identify", test_features_show_in_identify);
    g_test_add_func("/ide/smart", test_smart);
    g_test_add_func("/ide/long-pio-write", test_long_pio_write);
    g_test_add_func("/ide/trim-discards", test_trim_discards);
    g_test_add_func("/ide/a-failed-dma-write-is-reported", test_a_failed_dma_write_is_reported);
    g_test_add_func("/ide/cd-medium-change", test_cd_medium_change);
    g_test_add_func("/ide/random-packets-are-harmless", test_random_packets_are_harmless);
    g_test_add_func("/ide/cd-commands", test_cd_commands);
    g_test_add_func("/ide/cd-read-cd-raw", test_cd_read_cd_raw);
    g_test_add_func("/ide/cd-dma", test_cd_dma);
    g_test_add_func("/ide/random-pokes-are-harmless", test_random_pokes_are_harmless);
    g_test_add_func("/ide/pokes-from-several-threads-are-harmless",
                    test_pokes_from_several_threads_are_harmless);
    return g_test_run();
}
