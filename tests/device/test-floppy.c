/*
 * The floppy controller with its drives, and the DMA controllers.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "block/options.h"
#include "core/mainloop.h"
#include "hw/dma/i8237.h"
#include "hw/floppy/fdc.h"
#include "hw/pc/isa.h"
#include "tests/device/fixture.h"

enum {
    DOR = 0x3f2,
    MSR = 0x3f4,
    FIFO = 0x3f5,
    CHANGE = 0x3f7,
    SIZE = 1474560,
    BUFFER = 0x20000,
    IRQ = 6,
};

static Fixture *f;
static IsaBus *isa;
static Device *dma, *fdc, *drive_a;
static char *image;

static uint8_t in(uint16_t port)
{
    return (uint8_t)fixture_in(f, port, 1);
}

static void out(uint16_t port, uint8_t value)
{
    fixture_out(f, port, value, 1);
}

static uint8_t *ram(uint64_t addr)
{
    return (uint8_t *)f->machine.ram->host + addr;
}

static void make(const char *extra)
{
    GError *err = NULL;

    f = fixture_new(16 << 20);
    isa = isa_bus_new(&f->machine, "isa.0", &f->host, f->machine.io_root, f->machine.memory_root);
    isa_bus_set_irqs(isa, f->irqs);
    dma = fixture_add(f, isa_bus_qbus(isa), &i8237_class, NULL);
    fdc = fixture_add(f, isa_bus_qbus(isa), &fdc_class, NULL);
    g_free(image); /* of the test before */
    image = fixture_image(f, SIZE);
    fixture_drive(f, "a", image, extra);
    drive_a = fixture_add(f, fdc_bus(fdc), &floppy_class, "drive=a,unit=0");
    g_assert_true(block_drive_add("if=none,id=b", NULL, false, f->machine.io_thread, &err) != NULL);
    g_assert_no_error(err);
    fixture_add(f, fdc_bus(fdc), &floppy_class, "drive=b,unit=1");
    fdc->cls->reset(fdc);
    for (GSList *l = fdc_bus(fdc)->devices; l; l = l->next) {
        ((Device *)l->data)->cls->reset(l->data);
    }
    dma->cls->reset(dma);
}

/* ---- the controller's protocol ---- */

static void command(const char *hex)
{
    g_auto(GStrv) words = g_strsplit(hex, " ", -1);

    for (char **w = words; *w; w++) {
        g_assert_cmphex(in(MSR)&0xc0, ==, 0x80);
        out(FIFO, (uint8_t)g_ascii_strtoull(*w, NULL, 16));
    }
}

/* Waits for the interrupt, if WAIT, and compares the result's bytes. */
static void results(bool wait, const char *expect)
{
    g_autoptr(GString) got = g_string_new(NULL);

    for (int i = 0; wait && !f->irq_level[IRQ]; i++) {
        g_assert_cmpint(i, <, 100000);
        fixture_breathe(f);
    }
    while ((in(MSR)&0xd0) == 0xd0) {
        g_string_append_printf(got, "%s%02x", got->len ? " " : "", in(FIFO));
    }
    g_assert_cmpstr(got->str, ==, expect);
    g_assert_cmphex(in(MSR), ==, 0x80);
}

static void sense(const char *expect)
{
    command("08");
    results(false, expect);
}

/* Out of reset, motors on, drive 0 calibrated at 500 kb/s. */
static void start(void)
{
    out(DOR, 0);
    out(DOR, 0x3c);
    for (int i = 0; i < 4; i++) {
        g_autofree char *expect = g_strdup_printf("c%d 00", i);
        sense(expect);
    }
    out(CHANGE, 0); /* CCR: 500 kb/s */
    out(0xd6, 0xc0);
    out(0xd4, 0); /* the DMA channel that joins the two controllers */
    command("03 df 02");
    command("07 00");
    sense("20 00");
    g_assert_cmpint(f->irq_level[IRQ], ==, 0);
}

static void program_dma(uint8_t mode, uint32_t addr, uint32_t count)
{
    out(0x0a, 6); /* mask channel 2 */
    out(0x0c, 0);
    out(0x0b, mode);
    out(0x04, (uint8_t)addr);
    out(0x04, (uint8_t)(addr >> 8));
    out(0x81, (uint8_t)(addr >> 16));
    out(0x05, (uint8_t)(count - 1));
    out(0x05, (uint8_t)((count - 1) >> 8));
    out(0x0a, 2);
}

static void check_sectors(uint64_t first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t sector[512];

        fixture_sector(first + i, sector);
        g_assert_cmpmem(ram(BUFFER) + (size_t)i * 512, 512, sector, 512);
    }
}

static void test_reset_is_sensed_four_times(void)
{
    make("");
    g_assert_cmphex(in(MSR), ==, 0);
    out(DOR, 0x0c);
    g_assert_cmpint(f->irq_level[IRQ], ==, 1);
    sense("c0 00");
    g_assert_cmpint(f->irq_level[IRQ], ==, 0);
    sense("c1 00");
    sense("c2 00");
    sense("c3 00");
    sense("80");
    out(MSR, 0x80); /* DSR: the same by software */
    g_assert_cmpint(f->irq_level[IRQ], ==, 1);
    sense("c0 00");
    fixture_free(f);
}

static void test_settings_and_identity(void)
{
    make("");
    start();
    command("10");
    results(false, "90");
    command("18");
    results(false, "21");
    command("13 00 57 11");
    command("94");
    results(false, "10");
    command("12 84");
    command("0e");
    results(false, "00 00 00 00 df 02 00 84 57 11");
    out(DOR, 0x08);
    out(DOR, 0x0c);
    command("0e"); /* locked settings survive the reset */
    results(false, "00 00 00 00 df 02 00 84 57 11");
    command("1a");
    results(false, "80");
    fixture_free(f);
}

static void test_seeks_are_sensed(void)
{
    make("");
    start();
    command("0f 00 05");
    g_assert_cmpint(f->irq_level[IRQ], ==, 1);
    sense("20 05");
    command("8f 00 02");
    sense("20 03");
    command("cf 00 01");
    sense("20 04");
    command("04 00");
    results(false, "28");
    command("07 02"); /* no such drive */
    sense("72 00");
    command("07 00");
    sense("20 00");
    command("04 04");
    results(false, "3c");
    fixture_free(f);
}

static void test_dma_reads_sectors_and_tracks(void)
{
    make("");
    start();
    program_dma(0x46, BUFFER, 18 * 512);
    command("e6 00 00 00 01 02 12 1b ff");
    results(true, "04 00 00 00 01 01 02"); /* with MT the other side comes next */
    check_sectors(0, 18);
    program_dma(0x46, BUFFER, 36 * 512);
    command("e6 00 00 00 01 02 12 1b ff");
    results(true, "00 00 00 01 00 01 02");
    check_sectors(0, 36);
    command("0f 04 02");
    sense("24 02");
    program_dma(0x46, BUFFER, 3 * 512);
    command("46 04 02 01 04 02 12 1b ff");
    results(true, "04 00 00 02 01 07 02");
    check_sectors((2 * 2 + 1) * 18 + 3, 3);
    g_assert_cmphex(in(0x08) & 4, ==, 4); /* terminal count, once */
    g_assert_cmphex(in(0x08) & 4, ==, 0);
    fixture_free(f);
}

static void test_dma_that_wants_more_than_the_track_fails(void)
{
    make("");
    start();
    program_dma(0x46, BUFFER, 4 * 512);
    command("46 00 00 00 11 02 12 1b ff");
    results(true, "40 80 00 01 00 01 02");
    check_sectors(16, 2);
    fixture_free(f);
}

static void test_a_masked_channel_holds_the_command(void)
{
    make("");
    start();
    program_dma(0x46, BUFFER, 512);
    out(0x0a, 6);
    command("46 00 00 00 01 02 12 1b ff");
    for (int i = 0; i < 50; i++) {
        fixture_breathe(f);
    }
    g_assert_cmpint(f->irq_level[IRQ], ==, 0);
    g_assert_cmphex(in(MSR), ==, 0x10);
    /* As it stands, it can be saved and goes on elsewhere. */
    g_autoptr(GByteArray) state = fixture_save(fdc);
    fdc->cls->reset(fdc);
    fixture_load(fdc, state);
    out(0x0a, 2);
    results(true, "00 00 00 00 00 02 02");
    check_sectors(0, 1);
    fixture_free(f);
}

static void test_bytes_go_through_the_fifo(void)
{
    make("");
    start();
    command("03 df 03");
    command("46 00 00 00 05 02 05 1b ff");
    for (int i = 0; i < 512; i++) {
        uint8_t sector[512];

        while (in(MSR) != 0xf0) {
            fixture_breathe(f);
        }
        g_assert_cmpint(f->irq_level[IRQ], ==, 1);
        fixture_sector(4, sector);
        if (i == 100) {
            g_autoptr(GByteArray) state = fixture_save(fdc);
            fdc->cls->reset(fdc);
            fixture_load(fdc, state);
        }
        g_assert_cmphex(in(FIFO), ==, sector[i]);
    }
    results(true, "40 80 00 01 00 01 02"); /* nobody said that it was all */
    command("45 00 00 00 06 02 06 1b ff");
    for (int i = 0; i < 512; i++) {
        g_assert_cmphex(in(MSR), ==, 0xb0);
        out(FIFO, (uint8_t)(i * 3));
    }
    results(true, "40 80 00 01 00 01 02");
    command("03 df 02");
    program_dma(0x46, BUFFER, 512);
    command("46 00 00 00 06 02 12 1b ff");
    results(true, "00 00 00 00 00 07 02");
    for (int i = 0; i < 512; i++) {
        g_assert_cmphex(ram(BUFFER)[i], ==, (uint8_t)(i * 3));
    }
    fixture_free(f);
}

static void test_writing_pads_the_last_sector(void)
{
    make("");
    start();
    memset(ram(BUFFER), 0xa5, 1024);
    program_dma(0x4a, BUFFER, 700);
    command("45 00 00 00 02 02 12 1b ff");
    results(true, "00 00 00 00 00 04 02");
    memset(ram(BUFFER), 0x11, 4096);
    program_dma(0x46, BUFFER, 2048);
    command("46 00 00 00 01 02 12 1b ff");
    results(true, "00 00 00 00 00 05 02");
    check_sectors(0, 1);
    for (int i = 0; i < 1024; i++) {
        g_assert_cmphex(ram(BUFFER + 512)[i], ==, i < 700 ? 0xa5 : 0);
    }
    memmove(ram(BUFFER), ram(BUFFER + 1536), 512);
    check_sectors(3, 1);
    fixture_free(f);
}

static void test_what_is_not_on_the_disk_is_not_found(void)
{
    make("");
    start();
    program_dma(0x46, BUFFER, 512);
    command("46 00 03 00 01 02 12 1b ff"); /* another cylinder */
    results(true, "40 04 10 03 00 01 02");
    command("46 00 00 00 13 02 13 1b ff"); /* sector 19 */
    results(true, "40 04 00 00 00 13 02");
    command("46 00 00 00 01 03 12 1b ff"); /* sectors of 1024 bytes */
    results(true, "40 04 00 00 00 01 02");
    command("46 01 00 00 01 02 12 1b ff"); /* no medium */
    results(true, "41 01 00 00 00 01 02");
    command("46 02 00 00 01 02 12 1b ff"); /* no drive */
    results(true, "42 01 00 00 00 01 02");
    out(CHANGE, 2);
    command("4a 00"); /* 250 kb/s: no mark can be read */
    results(true, "40 01 00 00 00 00 02");
    out(CHANGE, 0);
    command("4a 04");
    results(true, "04 00 00 00 01 01 02");
    command("4c 00 00 00 01 02 12 1b ff"); /* READ DELETED: an ordinary sector */
    results(true, "00 00 40 00 00 02 02");
    fixture_free(f);
}

static void test_a_protected_disk_is_not_written(void)
{
    make(",readonly=on");
    start();
    program_dma(0x4a, BUFFER, 512);
    command("45 00 00 00 01 02 12 1b ff");
    results(true, "40 02 00 00 00 01 02");
    command("4d 00 02 12 50 f6");
    results(true, "40 02 00 00 00 00 02");
    command("04 00");
    results(false, "78");
    fixture_free(f);
}

static void test_format_verify_and_scan(void)
{
    make("");
    start();
    for (int i = 0; i < 18; i++) {
        const uint8_t id[4] = {0, 1, (uint8_t)(i + 1), 2};
        memcpy(ram(BUFFER) + i * 4, id, 4);
    }
    program_dma(0x4a, BUFFER, 18 * 4);
    command("4d 04 02 12 50 f6");
    results(true, "04 00 00 00 01 12 02");
    command("56 84 00 01 01 02 12 1b 12"); /* VERIFY of 18 sectors */
    results(true, "04 00 00 01 01 01 02");
    memset(ram(BUFFER), 0xf6, 512);
    program_dma(0x4a, BUFFER, 512);
    command("51 04 00 01 03 02 12 1b 01"); /* SCAN EQUAL */
    results(true, "04 00 08 00 01 03 02");
    ram(BUFFER)[7] = 0xf7;
    program_dma(0x4a, BUFFER, 512);
    command("59 04 00 01 03 02 12 1b 01"); /* LOW OR EQUAL */
    results(true, "04 00 00 00 01 03 02");
    program_dma(0x4a, BUFFER, 512);
    command("5d 04 00 01 03 02 12 1b 01"); /* HIGH OR EQUAL */
    results(true, "04 00 04 00 01 04 02");
    ram(BUFFER)[7] = 0xff; /* whatever */
    program_dma(0x4a, BUFFER, 512);
    command("51 04 00 01 03 02 12 1b 01");
    results(true, "04 00 08 00 01 03 02");
    fixture_free(f);
}

static void test_the_change_line_falls_with_a_step(void)
{
    GError *err = NULL;

    make("");
    start();
    g_assert_cmphex(in(CHANGE)&0x80, ==, 0x80);
    command("0f 00 01");
    sense("20 01");
    g_assert_cmphex(in(CHANGE)&0x80, ==, 0);
    g_assert_true(block_eject("a", false, &err));
    fixture_breathe(f);
    g_assert_cmphex(in(CHANGE)&0x80, ==, 0x80);
    command("0f 00 00");
    sense("20 00");
    g_assert_cmphex(in(CHANGE)&0x80, ==, 0x80);
    command("4a 00");
    results(true, "40 01 00 00 00 00 02");
    g_assert_true(block_change("a", image, &err));
    g_assert_no_error(err);
    fixture_breathe(f);
    g_assert_cmphex(in(CHANGE)&0x80, ==, 0x80);
    command("0f 00 01");
    sense("20 01");
    g_assert_cmphex(in(CHANGE)&0x80, ==, 0);
    fixture_free(f);
}

static void test_a_reset_ends_what_is_under_way(void)
{
    make("");
    start();
    for (int i = 0; i < 50; i++) {
        program_dma(0x46, BUFFER, 512);
        command("46 00 00 00 01 02 12 1b ff");
        out(DOR, 0x38);
        g_assert_cmphex(in(MSR), ==, 0);
        start();
    }
    program_dma(0x46, BUFFER, 512);
    command("46 00 00 00 01 02 12 1b ff");
    results(true, "00 00 00 00 00 02 02");
    check_sectors(0, 1);
    fixture_free(f);
}

static void test_drives_have_their_places(void)
{
    GError *err = NULL;

    make("");
    g_assert_cmpuint(fdc_cmos_type(fdc, 0), ==, 4);
    g_assert_cmpuint(fdc_cmos_type(fdc, 1), ==, 5);
    g_assert_null(device_create(&f->machine, fdc_bus(fdc), &floppy_class, &err, NULL));
    g_assert_nonnull(strstr(err->message, "both"));
    g_clear_error(&err);
    g_assert_null(device_create(&f->machine, isa_bus_qbus(isa), &fdc_class, &err, NULL));
    g_assert_nonnull(strstr(err->message, "already"));
    g_clear_error(&err);
    fixture_free(f);
}

/* ---- the DMA controllers by themselves ---- */

static uint8_t source[64];
static uint32_t moved_bytes;
static bool ended, upwards;

static void serve(void *opaque)
{
    int channel = GPOINTER_TO_INT(opaque);

    moved_bytes = i8237_transfer(dma, channel, source, sizeof(source), upwards, &ended);
    i8237_request(dma, channel, false);
}

static void program(int channel, uint8_t mode, uint32_t addr, uint16_t count)
{
    static const uint8_t pages[] = {0x87, 0x83, 0x81, 0x82, 0, 0x8b, 0x89, 0x8a};
    int step = channel < 4 ? 1 : 2, n = channel & 3;
    uint16_t base = channel < 4 ? 0 : 0xc0;
    uint16_t offset = (uint16_t)(channel < 4 ? addr : addr >> 1);

    out((uint16_t)(base + 12 * step), 0);
    out((uint16_t)(base + 11 * step), mode | (uint8_t)n);
    out((uint16_t)(base + 2 * n * step), (uint8_t)offset);
    out((uint16_t)(base + 2 * n * step), (uint8_t)(offset >> 8));
    out((uint16_t)(base + (2 * n + 1) * step), (uint8_t)count);
    out((uint16_t)(base + (2 * n + 1) * step), (uint8_t)(count >> 8));
    out(pages[channel], (uint8_t)(addr >> 16));
    out((uint16_t)(base + 10 * step), (uint8_t)n);
}

static void make_dma(int channel)
{
    make("");
    g_assert_true(i8237_connect(dma, channel, serve, GINT_TO_POINTER(channel)));
    for (unsigned i = 0; i < sizeof(source); i++) {
        source[i] = (uint8_t)(i + 1);
    }
    out(0xd4, 0); /* the channel that joins the two */
}

static void test_dma_registers_read_back(void)
{
    make_dma(1);
    program(1, 0x44, 0x12345, 0x6789);
    out(0x0c, 0);
    g_assert_cmphex(in(2), ==, 0x45);
    g_assert_cmphex(in(2), ==, 0x23);
    g_assert_cmphex(in(3), ==, 0x89);
    g_assert_cmphex(in(3), ==, 0x67);
    g_assert_cmphex(in(0x83), ==, 1);
    out(0x80, 0x5a);
    g_assert_cmphex(in(0x80), ==, 0x5a);
    g_assert_cmphex(in(0x0f), ==, 0xfd);
    out(0x0d, 0);
    g_assert_cmphex(in(0x0f), ==, 0xff);
    fixture_free(f);
}

static void test_dma_moves_up_down_and_again(void)
{
    make_dma(3);
    upwards = true;
    program(3, 0x44, 0x1fff0, 15);
    i8237_request(dma, 3, true);
    g_assert_cmpuint(moved_bytes, ==, 16);
    g_assert_true(ended);
    g_assert_cmpmem(ram(0x1fff0), 16, source, 16);
    g_assert_cmphex(in(0x0f) & 8, ==, 8); /* masked at the end */

    program(3, 0x64, 0x20010, 63); /* down */
    i8237_request(dma, 3, true);
    g_assert_cmphex(ram(0x20010)[0], ==, 1);
    g_assert_cmphex(ram(0x2000f)[0], ==, 2);
    g_assert_cmphex(ram(0x2ffff)[0], ==, 18); /* wrapped inside of its 64 KiB */

    program(3, 0x54, 0x30000, 9); /* with auto-initialization */
    for (int i = 0; i < 3; i++) {
        i8237_request(dma, 3, true);
        g_assert_cmpuint(moved_bytes, ==, 10);
    }
    g_assert_cmphex(in(0x0f) & 8, ==, 0);

    memset(ram(0x40000), 0x77, 64);
    program(3, 0x40, 0x40000, 63); /* verify: nothing moves */
    i8237_request(dma, 3, true);
    g_assert_cmpuint(moved_bytes, ==, 64);
    g_assert_cmphex(ram(0x40000)[5], ==, 0x77);

    upwards = false;
    program(3, 0x48, 0x40000, 63);
    i8237_request(dma, 3, true);
    g_assert_cmphex(source[5], ==, 0x77);
    fixture_free(f);
}

static void test_dma_of_words(void)
{
    make_dma(5);
    upwards = true;
    program(5, 0x44, 0x51000, 7);
    i8237_request(dma, 5, true);
    g_assert_cmpuint(moved_bytes, ==, 16);
    g_assert_cmpmem(ram(0x51000), 16, source, 16);
    fixture_free(f);
}

static void test_dma_waits_for_its_mask_and_its_chip(void)
{
    make_dma(1);
    upwards = true;
    program(1, 0x44, 0x60000, 63);
    out(0x0a, 5);
    moved_bytes = 0;
    i8237_request(dma, 1, true);
    g_assert_cmpuint(moved_bytes, ==, 0);
    g_assert_cmphex(in(8) & 0xf0, ==, 0x20); /* it asks */
    out(8, 4);
    out(0x0a, 1);
    g_assert_cmpuint(moved_bytes, ==, 0);
    out(8, 0);
    g_assert_cmpuint(moved_bytes, ==, 64);

    program(1, 0x44, 0x60000, 63);
    moved_bytes = 0;
    out(0xd4, 4); /* the first chip is cut off */
    i8237_request(dma, 1, true);
    g_assert_cmpuint(moved_bytes, ==, 0);
    out(0xd4, 0);
    g_assert_cmpuint(moved_bytes, ==, 64);
    fixture_free(f);
}

#define TEST(name)                                                                                 \
    {                                                                                              \
        "/floppy/" #name, test_##name                                                              \
    }

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*fn)(void);
    } tests[] = {
        TEST(reset_is_sensed_four_times),
        TEST(settings_and_identity),
        TEST(seeks_are_sensed),
        TEST(dma_reads_sectors_and_tracks),
        TEST(dma_that_wants_more_than_the_track_fails),
        TEST(a_masked_channel_holds_the_command),
        TEST(bytes_go_through_the_fifo),
        TEST(writing_pads_the_last_sector),
        TEST(what_is_not_on_the_disk_is_not_found),
        TEST(a_protected_disk_is_not_written),
        TEST(format_verify_and_scan),
        TEST(the_change_line_falls_with_a_step),
        TEST(a_reset_ends_what_is_under_way),
        TEST(drives_have_their_places),
        TEST(dma_registers_read_back),
        TEST(dma_moves_up_down_and_again),
        TEST(dma_of_words),
        TEST(dma_waits_for_its_mask_and_its_chip),
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add_func(tests[i].path, tests[i].fn);
    }
    return g_test_run();
}
