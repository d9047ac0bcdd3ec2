/*
 * What firmware reads: fw_cfg by port and by DMA, memory map, CMOS, boot order, SMBIOS, and a
 * kernel for direct boot. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib/gstdio.h>
#include <string.h>

#include "hw/pc/pc_internal.h"
#include "tests/device/pc_rig.h"

static PcRig *rig;
static char *kernel_file, *initrd_file;

enum { RAM_SIZE = 64 << 20, SETUP_SECTS = 3, KERNEL_LEN = 5000, INITRD_LEN = 12345 };

/* ---- ports and DMA ---- */

enum { REQUEST = 0x8000, BUFFER = 0x9000 };

/* Runs one DMA request; its control word afterwards. */
static uint32_t dma(uint32_t control, uint32_t len, uint64_t address)
{
    uint8_t request[16];

    for (int i = 0; i < 4; i++) {
        request[i] = (uint8_t)(control >> (24 - 8 * i));
        request[4 + i] = (uint8_t)(len >> (24 - 8 * i));
    }
    for (int i = 0; i < 8; i++) {
        request[8 + i] = (uint8_t)(address >> (56 - 8 * i));
    }
    address_space_write(&rig->m.memory, REQUEST, request, sizeof(request));
    pc_out(rig, 0x514, 0, 4);
    pc_out(rig, 0x518, GUINT32_SWAP_LE_BE(REQUEST), 4);
    return GUINT32_SWAP_LE_BE(pc_read(rig, REQUEST, 4));
}

static void test_signature_and_version_are_qemus(void)
{
    char signature[5] = "";
    uint32_t id;

    pc_fw_cfg_read(rig, FW_CFG_SIGNATURE, signature, 4);
    g_assert_cmpstr(signature, ==, "QEMU");
    pc_fw_cfg_read(rig, FW_CFG_ID, &id, 4);
    g_assert_cmphex(id, ==, 3);
    g_assert_cmphex(pc_in(rig, 0x514, 4), ==, GUINT32_SWAP_LE_BE(0x51454d55));
    g_assert_cmphex(pc_in(rig, 0x518, 4), ==, GUINT32_SWAP_LE_BE(0x20434647));
}

static void test_reading_beyond_an_item_gives_zeroes(void)
{
    uint8_t bytes[8];

    pc_fw_cfg_read(rig, FW_CFG_SIGNATURE, bytes, sizeof(bytes));
    g_assert_cmpmem(bytes, 8, "QEMU\0\0\0\0", 8);
    pc_fw_cfg_read(rig, 0x7777, bytes, 2);
    g_assert_cmpmem(bytes, 2, "\0\0", 2);
}

static void test_dma_selects_reads_skips_and_fills_with_zeroes(void)
{
    pc_write(rig, BUFFER, 0x55555555, 4);
    pc_write(rig, BUFFER + 4, 0x55555555, 4);
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | 8 | 4, 1, 0), ==, 0);
    g_assert_cmphex(dma(2, 5, BUFFER), ==, 0);
    g_assert_cmphex(pc_read(rig, BUFFER, 4), ==, 0x00554d45); /* "EMU" */
    g_assert_cmphex(pc_read(rig, BUFFER + 4, 4), ==, 0x55555500);
}

static void test_dma_refuses_writes_to_read_only_items(void)
{
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | 8 | 0x10, 4, BUFFER) & 1, ==, 1);
    pc_write(rig, BUFFER, 0, 4);
    test_signature_and_version_are_qemus();
    g_assert_cmphex(dma(0x7777 << 16 | 8 | 0x10, 4, BUFFER) & 1, ==, 1);
}

static void written(void *opaque)
{
    ++*(int *)opaque;
}

static void test_dma_writes_to_writable_files_only_inside_them(void)
{
    static uint8_t data[8];
    static int calls;
    uint32_t size;
    uint16_t key;

    fw_cfg_add_writable_file(pc_machine(&rig->m)->fw, "test/writable", data, sizeof(data), written,
                             &calls);
    key = pc_fw_cfg_key(rig, "test/writable", &size);
    g_assert_cmpuint(size, ==, 8);
    pc_write(rig, BUFFER, 0x01020304, 4);
    g_assert_cmphex(dma((uint32_t)key << 16 | 8 | 0x10, 4, BUFFER), ==, 0);
    g_assert_cmpint(calls, ==, 1);
    g_assert_cmpmem(data, 4, "\4\3\2\1", 4);
    g_assert_cmphex(dma((uint32_t)key << 16 | 8 | 0x10, 9, BUFFER), ==, 1);
    g_assert_cmpint(calls, ==, 1);
}

static void test_dma_from_nowhere_is_an_error(void)
{
    pc_out(rig, 0x514, GUINT32_SWAP_LE_BE(0x7fffffff), 4);
    pc_out(rig, 0x518, 0, 4);
    test_signature_and_version_are_qemus();
    g_assert_cmphex(dma(FW_CFG_SIGNATURE << 16 | 8 | 2, 0xffffffff, 0xff00000000000000), ==, 1);
}

/* ---- memory map, CMOS ---- */

static void test_e820_lists_ram_and_reserved_memory(void)
{
    GByteArray *map = pc_fw_cfg_file(rig, "etc/e820");
    uint64_t entry[2];

    g_assert_cmpuint(map->len, ==, 2 * 20);
    memcpy(entry, map->data, 16);
    g_assert_cmphex(entry[0], ==, 0);
    g_assert_cmphex(entry[1], ==, RAM_SIZE);
    g_assert_cmphex(map->data[16], ==, 1);
    g_assert_cmphex(map->data[36], ==, 2);
    g_byte_array_unref(map);
}

static uint8_t cmos(uint8_t addr)
{
    pc_out(rig, 0x70, addr, 1);
    return (uint8_t)pc_in(rig, 0x71, 1);
}

static void test_cmos_has_memory_cpus_and_boot_order(void)
{
    g_assert_cmphex(cmos(0x15) | cmos(0x16) << 8, ==, 640);
    g_assert_cmphex(cmos(0x17) | cmos(0x18) << 8, ==, 63 << 10);
    g_assert_cmphex(cmos(0x34) | cmos(0x35) << 8, ==, (48 << 20) >> 16);
    g_assert_cmphex(cmos(0x5b) | cmos(0x5c) | cmos(0x5d), ==, 0);
    g_assert_cmphex(cmos(0x5f), ==, PC_RIG_CPUS - 1);
}

static void test_once_is_the_first_boots_order(void)
{
    g_assert_cmphex(cmos(0x3d), ==, 0x34); /* "nd", from the first reset */
    device_reset_all(rig->m.root_bus);
    g_assert_cmphex(cmos(0x3d), ==, 0x23); /* "dca" */
    g_assert_cmphex(cmos(0x38), ==, 0x10);
}

static void test_bootorder_begins_with_the_kernel_and_ends_with_halt(void)
{
    GByteArray *order = pc_fw_cfg_file(rig, "bootorder");

    g_assert_cmpstr((char *)order->data, ==, "/rom@genroms/linuxboot.bin\nHALT\n");
    g_byte_array_unref(order);
}

static void test_firmware_talks_on_com1_without_graphics(void)
{
    uint32_t size;

    /* nographic, but there is no COM1 */
    g_assert_cmpuint(pc_fw_cfg_key(rig, "etc/sercon-port", &size), ==, 0);
}

/* ---- SMBIOS ---- */

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t total = 0;

    while (len--) {
        total = (uint8_t)(total + *p++);
    }
    return total;
}

static void test_smbios_structures_match_their_entry_point(void)
{
    static const uint8_t order[] = {0, 1, 3, 4, 16, 17, 19, 32, 127};
    GByteArray *ep = pc_fw_cfg_file(rig, "etc/smbios/smbios-anchor");
    GByteArray *t = pc_fw_cfg_file(rig, "etc/smbios/smbios-tables");
    guint pos = 0, count = 0;

    g_assert_cmpuint(ep->len, ==, 31);
    g_assert_cmpmem(ep->data, 4, "_SM_", 4);
    g_assert_cmpuint(sum(ep->data, 31), ==, 0);
    g_assert_cmpuint(sum(ep->data + 16, 15), ==, 0);
    g_assert_cmpuint(ep->data[22] | ep->data[23] << 8, ==, t->len);
    while (pos < t->len) {
        g_assert_cmpuint(t->data[pos], ==, order[count]);
        g_assert_cmpuint(t->data[pos + 1], >=, 4);
        pos += t->data[pos + 1];
        while (t->data[pos] || t->data[pos + 1]) {
            pos++;
            g_assert_cmpuint(pos + 1, <, t->len);
        }
        pos += 2;
        count++;
    }
    g_assert_cmpuint(pos, ==, t->len);
    g_assert_cmpuint(count, ==, G_N_ELEMENTS(order));
    g_assert_cmpuint(ep->data[28] | ep->data[29] << 8, ==, count);
    g_byte_array_unref(ep);
    g_byte_array_unref(t);
}

/* ---- direct kernel boot ---- */

static uint32_t item32(uint16_t key)
{
    uint32_t value;

    pc_fw_cfg_read(rig, key, &value, 4);
    return value;
}

static void put_le(uint8_t *p, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

static void make_kernel(uint8_t *image)
{
    for (int i = 0; i < (SETUP_SECTS + 1) * 512 + KERNEL_LEN; i++) {
        image[i] = (uint8_t)(i * 7);
    }
    image[0x1f1] = SETUP_SECTS;
    put_le(image + 0x1fe, 0xaa55, 2);
    memcpy(image + 0x202, "HdrS", 4);
    put_le(image + 0x206, 0x20f, 2);
    image[0x211] = 1;
    put_le(image + 0x22c, 0x7fffffff, 4);
    put_le(image + 0x236, 0, 2);
    put_le(image + 0x238, 2047, 4);
}

static char *temp_file(const void *data, size_t len)
{
    char *name = NULL;
    int fd = g_file_open_tmp("emu-fw-cfg-XXXXXX", &name, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(name, data, (gssize)len, NULL));
    return name;
}

static void test_kernel_parts_are_offered_with_their_addresses(void)
{
    uint8_t setup[(SETUP_SECTS + 1) * 512];
    char cmdline[64];
    uint32_t initrd = item32(FW_CFG_INITRD_ADDR);

    g_assert_cmphex(item32(FW_CFG_SETUP_ADDR), ==, 0x10000);
    g_assert_cmphex(item32(FW_CFG_KERNEL_ADDR), ==, 0x100000);
    g_assert_cmphex(item32(FW_CFG_CMDLINE_ADDR), ==, 0x20000);
    g_assert_cmpuint(item32(FW_CFG_SETUP_SIZE), ==, sizeof(setup));
    g_assert_cmpuint(item32(FW_CFG_KERNEL_SIZE), ==, KERNEL_LEN);
    g_assert_cmpuint(item32(FW_CFG_INITRD_SIZE), ==, INITRD_LEN);
    g_assert_cmphex(initrd % 4096, ==, 0);
    g_assert_cmphex(initrd + INITRD_LEN, <=, RAM_SIZE - (512 << 10));
    g_assert_cmphex(initrd, >, RAM_SIZE / 2);
    pc_fw_cfg_read(rig, FW_CFG_SETUP_DATA, setup, sizeof(setup));
    g_assert_cmphex(setup[0x210], ==, 0xff);
    g_assert_cmphex(setup[0x211], ==, 0x81);
    g_assert_cmphex(setup[0x224] | setup[0x225] << 8, ==, 0xfe00);
    g_assert_cmpmem(setup + 0x228, 4, "\0\0\2\0", 4);
    g_assert_cmphex(setup[0x218] | setup[0x219] << 8 | setup[0x21a] << 16 |
                        (uint32_t)setup[0x21b] << 24,
                    ==, initrd);
    g_assert_cmphex(setup[0x1fa] | setup[0x1fb] << 8, ==, 0x317);
    pc_fw_cfg_read(rig, FW_CFG_CMDLINE_DATA, cmdline, sizeof(cmdline));
    g_assert_cmpstr(cmdline, ==, "console=ttyS0 vga=0x317");
}

static void test_boot_rom_is_valid(void)
{
    GByteArray *rom = pc_fw_cfg_file(rig, "genroms/linuxboot.bin");
    const uint8_t *pnp;

    g_assert_cmpuint(rom->len % 512, ==, 0);
    g_assert_cmpmem(rom->data, 2, "\x55\xaa", 2);
    g_assert_cmpuint(rom->data[2] * 512u, ==, rom->len);
    g_assert_cmpuint(sum(rom->data, rom->len), ==, 0);
    pnp = rom->data + (rom->data[0x1a] | rom->data[0x1b] << 8);
    g_assert_cmpmem(pnp, 4, "$PnP", 4);
    g_assert_cmpuint(pnp[0x1a] | pnp[0x1b] << 8, >, 0x20);
    g_byte_array_unref(rom);
}

/* Sets the board's kernel to IMAGE and expects an error that holds TEXT. */
static void expect_refused(const void *image, size_t len, const char *append, const char *text)
{
    PcMachine *pc = pc_machine(&rig->m);
    PcConfig old = pc->cfg;
    char *file = temp_file(image, len);
    GError *err = NULL;

    pc->cfg.kernel = file;
    pc->cfg.append = append;
    g_assert_false(pc_linux_boot(pc, &err));
    g_assert_nonnull(err);
    if (!strstr(err->message, text)) {
        g_error("'%s' does not say '%s'", err->message, text);
    }
    g_clear_error(&err);
    pc->cfg = old;
    g_remove(file);
    g_free(file);
}

static void test_what_is_no_kernel_is_refused(void)
{
    g_autofree uint8_t *image = g_malloc0((SETUP_SECTS + 1) * 512 + KERNEL_LEN);
    g_autofree char *longer = g_strnfill(3000, 'x');
    PcMachine *pc = pc_machine(&rig->m);
    const char *old = pc->cfg.initrd;
    GError *err = NULL;

    expect_refused("", 0, NULL, "no Linux kernel");
    expect_refused(image, 4096, NULL, "no Linux kernel");
    make_kernel(image);
    expect_refused(image, (SETUP_SECTS + 1) * 512, NULL, "truncated");
    expect_refused(image, 6000, longer, "3000 characters");
    expect_refused(image, 6000, "vga=nonsense", "vga=");
    put_le(image + 0x206, 0x105, 2);
    expect_refused(image, 6000, NULL, "1.05");
    pc->cfg.initrd = "/nonexistent";
    g_assert_false(pc_linux_boot(pc, &err));
    g_assert_nonnull(strstr(err->message, "-initrd"));
    g_clear_error(&err);
    pc->cfg.initrd = old;
}

static void test_initrd_that_does_not_fit_is_refused(void)
{
    PcMachine *pc = pc_machine(&rig->m);
    const char *old = pc->cfg.initrd;
    g_autofree char *big = g_malloc0(RAM_SIZE);
    g_autofree char *file = temp_file(big, RAM_SIZE);
    GError *err = NULL;

    pc->cfg.initrd = file;
    g_assert_false(pc_linux_boot(pc, &err));
    g_assert_nonnull(strstr(err->message, "does not fit"));
    g_clear_error(&err);
    pc->cfg.initrd = old;
    g_remove(file);
}

static void test_boot_order_letters_are_checked(void)
{
    GError *err = NULL;

    g_assert_true(pc_boot_order_check("cdn", &err));
    g_assert_no_error(err);
    g_assert_false(pc_boot_order_check("cx", &err));
    g_assert_nonnull(strstr(err->message, "'x'"));
    g_clear_error(&err);
    g_assert_false(pc_boot_order_check("cdc", &err));
    g_assert_nonnull(strstr(err->message, "twice"));
    g_clear_error(&err);
}

typedef struct Test {
    const char *path;
    void (*fn)(void);
} Test;

#define TEST(name)                                                                                 \
    {                                                                                              \
        "/fw-cfg/" #name, test_##name                                                              \
    }
static const Test tests[] = {
    TEST(signature_and_version_are_qemus),
    TEST(reading_beyond_an_item_gives_zeroes),
    TEST(dma_selects_reads_skips_and_fills_with_zeroes),
    TEST(dma_refuses_writes_to_read_only_items),
    TEST(dma_writes_to_writable_files_only_inside_them),
    TEST(dma_from_nowhere_is_an_error),
    TEST(e820_lists_ram_and_reserved_memory),
    TEST(cmos_has_memory_cpus_and_boot_order),
    TEST(once_is_the_first_boots_order),
    TEST(bootorder_begins_with_the_kernel_and_ends_with_halt),
    TEST(firmware_talks_on_com1_without_graphics),
    TEST(smbios_structures_match_their_entry_point),
    TEST(kernel_parts_are_offered_with_their_addresses),
    TEST(boot_rom_is_valid),
    TEST(what_is_no_kernel_is_refused),
    TEST(initrd_that_does_not_fit_is_refused),
    TEST(boot_order_letters_are_checked),
};

int main(int argc, char **argv)
{
    uint8_t image[(SETUP_SECTS + 1) * 512 + KERNEL_LEN], initrd[INITRD_LEN] = {0};
    PcConfig cfg;
    int ret;

    g_test_init(&argc, &argv, NULL);
    make_kernel(image);
    kernel_file = temp_file(image, sizeof(image));
    initrd_file = temp_file(initrd, sizeof(initrd));
    pc_config_init(&cfg);
    cfg.ram_size = RAM_SIZE;
    cfg.kernel = kernel_file;
    cfg.initrd = initrd_file;
    cfg.append = "console=ttyS0 vga=0x317";
    cfg.boot_order = "dca";
    cfg.boot_once = "nd";
    cfg.boot_strict = true;
    cfg.nographic = true;
    rig = pc_rig_new(&cfg);
    pc_rig_done(rig);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add_func(tests[i].path, tests[i].fn);
    }
    ret = g_test_run();
    g_remove(kernel_file);
    g_remove(initrd_file);
    return ret;
}
