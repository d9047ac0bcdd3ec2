/*
 * virtio-blk and virtio-rng over PCI: a small driver, modern and legacy.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "block/options.h"
#include "core/clock.h"
#include "hw/virtio/virtio_blk.h"
#include "hw/virtio/virtio_rng.h"
#include "tests/device/fixture.h"

enum {
    RAM_SIZE = 8 << 20,
    DISK_SIZE = 4 << 20,
    BAR4 = 0x10000000,
    BAR1 = 0x11000000,
    PORTS = 0xc000,
    COMMON = BAR4,
    DEVICE = BAR4 + 0x2000,
    NOTIFY = BAR4 + 0x3000,
    DESC = 0x10000,
    AVAIL = 0x11000,
    USED = 0x12000,
    BUF = 0x100000,
    NEXT = 1,
    WRITE = 2,
    MSI_ADDR = 0xfee00000,
};

static Fixture *f;
static unsigned msis;
static uint32_t msi_data;

typedef struct Driver {
    Device *dev;
    uint8_t devfn;
    bool legacy;
    uint64_t features;
    uint16_t size;
    uint64_t desc, avail, used;
    uint16_t next_avail, seen_used;
} Driver;

static void msi(void *opaque, uint64_t addr, uint32_t data)
{
    (void)opaque;
    g_assert_cmphex(addr, ==, MSI_ADDR);
    msis++;
    msi_data = data;
}

static uint64_t ld(uint64_t addr, unsigned size)
{
    return address_space_load(&f->machine.memory, addr, size);
}

static void st(uint64_t addr, uint64_t value, unsigned size)
{
    address_space_store(&f->machine.memory, addr, value, size);
}

static uint32_t cfg(const Driver *d, uint32_t addr, unsigned size)
{
    return pci_config_read(f->pci, d->devfn, addr, size);
}

static void set_cfg(const Driver *d, uint32_t addr, uint32_t value, unsigned size)
{
    pci_config_write(f->pci, d->devfn, addr, value, size);
}

/* Offset of the N-th vendor capability of TYPE. */
static uint32_t find_cap(const Driver *d, uint8_t id, uint8_t type)
{
    for (uint32_t p = cfg(d, 0x34, 1); p; p = cfg(d, p + 1, 1)) {
        if (cfg(d, p, 1) == id && (id != 9 || cfg(d, p + 3, 1) == type)) {
            return p;
        }
    }
    return 0;
}

static void map(Driver *d)
{
    d->devfn = ((PciDevice *)d->dev)->devfn;
    set_cfg(d, 0x10, PORTS, 4);
    set_cfg(d, 0x14, BAR1, 4);
    set_cfg(d, 0x20, BAR4, 4);
    set_cfg(d, 0x24, 0, 4);
    set_cfg(d, 0x04, 7, 2);
}

static void set_status(Driver *d, uint8_t status)
{
    if (d->legacy) {
        fixture_out(f, PORTS + 18, status, 1);
    } else {
        st(COMMON + 0x14, status, 1);
    }
}

static uint8_t get_status(Driver *d)
{
    return d->legacy ? (uint8_t)fixture_in(f, PORTS + 18, 1) : (uint8_t)ld(COMMON + 0x14, 1);
}

static void set_up_queue(Driver *d)
{
    memset(f->machine.ram->host + DESC, 0, 0x10000);
    d->next_avail = d->seen_used = 0;
    d->desc = DESC;
    if (d->legacy) {
        fixture_out(f, PORTS + 14, 0, 2);
        d->size = (uint16_t)fixture_in(f, PORTS + 12, 2);
        d->avail = DESC + 16u * d->size;
        d->used = (d->avail + 6 + 2u * d->size + 4095) & ~4095ull;
        fixture_out(f, PORTS + 8, DESC >> 12, 4);
        return;
    }
    d->size = 8;
    d->avail = AVAIL;
    d->used = USED;
    st(COMMON + 0x16, 0, 2);
    st(COMMON + 0x18, d->size, 2);
    st(COMMON + 0x20, d->desc, 8); /* as two halves */
    st(COMMON + 0x28, d->avail, 4);
    st(COMMON + 0x30, d->used, 4);
    st(COMMON + 0x1c, 1, 2);
    g_assert_cmpuint(ld(COMMON + 0x1c, 2), ==, 1);
}

/* Resets, negotiates WANTED of what is offered, and sets up queue 0. */
static void start(Driver *d, uint64_t wanted)
{
    set_status(d, 0);
    g_assert_cmphex(get_status(d), ==, 0);
    set_status(d, 1);
    set_status(d, 3);
    if (d->legacy) {
        d->features = fixture_in(f, PORTS, 4) & wanted;
        fixture_out(f, PORTS + 4, (uint32_t)d->features, 4);
    } else {
        st(COMMON, 0, 4);
        d->features = ld(COMMON + 4, 4);
        st(COMMON, 1, 4);
        d->features |= ld(COMMON + 4, 4) << 32;
        d->features &= wanted | 1ull << 32;
        st(COMMON + 8, 0, 4);
        st(COMMON + 12, (uint32_t)d->features, 4);
        st(COMMON + 8, 1, 4);
        st(COMMON + 12, d->features >> 32, 4);
        set_status(d, 11);
        g_assert_cmphex(get_status(d), ==, 11);
    }
    set_up_queue(d);
    set_status(d, d->legacy ? 7 : 15);
}

static void desc(const Driver *d, unsigned n, uint64_t addr, uint32_t len, uint16_t flags,
                 uint16_t next)
{
    st(d->desc + 16 * n, addr, 8);
    st(d->desc + 16 * n + 8, len, 4);
    st(d->desc + 16 * n + 12, flags, 2);
    st(d->desc + 16 * n + 14, next, 2);
}

static void offer(Driver *d, uint16_t head)
{
    st(d->avail + 4 + 2u * (d->next_avail % d->size), head, 2);
    st(d->avail + 2, ++d->next_avail, 2);
}

static void notify(Driver *d)
{
    if (d->legacy) {
        fixture_out(f, PORTS + 16, 0, 2);
    } else {
        st(NOTIFY, 0, 2);
    }
}

static void wait_used(Driver *d, unsigned count)
{
    d->seen_used = (uint16_t)(d->seen_used + count);
    for (int i = 0; i < 100000 && ld(d->used + 2, 2) != d->seen_used; i++) {
        fixture_breathe(f);
    }
    g_assert_cmpuint(ld(d->used + 2, 2), ==, d->seen_used);
}

/* Puts a request in descriptors 3 * SLOT.., its header and status at BUF + SLOT * 64 KiB. */
static void put_request(Driver *d, unsigned slot, uint32_t type, uint64_t sector, uint32_t len)
{
    uint64_t at = BUF + slot * 0x10000ull;
    uint16_t n = (uint16_t)(3 * slot % 6);
    bool in = type == 0 || type == 8;

    st(at, type, 4);
    st(at + 4, 0, 4);
    st(at + 8, sector, 8);
    st(at + 16, 0xff, 1);
    desc(d, n, at, 16, NEXT, (uint16_t)(n + 1));
    if (len) {
        desc(d, n + 1u, at + 0x1000, len, NEXT | (in ? WRITE : 0), (uint16_t)(n + 2));
    } else {
        desc(d, n, at, 16, NEXT, (uint16_t)(n + 2));
    }
    desc(d, n + 2u, at + 16, 1, WRITE, 0);
    offer(d, n);
}

static uint8_t status_of(unsigned slot)
{
    return (uint8_t)ld(BUF + slot * 0x10000ull + 16, 1);
}

static uint8_t *data_of(unsigned slot)
{
    return f->machine.ram->host + BUF + slot * 0x10000 + 0x1000;
}

static uint8_t request(Driver *d, uint32_t type, uint64_t sector, uint32_t len)
{
    put_request(d, 0, type, sector, len);
    notify(d);
    wait_used(d, 1);
    return status_of(0);
}

static void check_sector(const uint8_t *got, uint64_t n)
{
    uint8_t want[512];

    fixture_sector(n, want);
    g_assert_cmpmem(got, 512, want, 512);
}

static Driver new_disk(const DeviceClass *cls, const char *props, bool legacy)
{
    static int count;
    char *id = g_strdup_printf("d%d", count++);
    char *all = g_strdup_printf("drive=%s%s", id, props);
    Driver d = {.legacy = legacy};

    g_autofree char *image = fixture_image(f, DISK_SIZE);
    fixture_drive(f, id, image, ",serial=SN123");
    d.dev = fixture_add(f, pci_bus_qbus(f->pci), cls, all);
    map(&d);
    g_free(id);
    g_free(all);
    return d;
}

static void begin(void)
{
    f = fixture_new(RAM_SIZE);
    pci_bus_set_msi_handler(f->pci, msi, NULL);
    msis = 0;
}

static void end(void)
{
    fixture_free(f);
}

static void read_and_write(Driver *d)
{
    start(d, 0);
    g_assert_cmpuint(request(d, 0, 5, 1024), ==, 0);
    check_sector(data_of(0), 5);
    check_sector(data_of(0) + 512, 6);
    memset(data_of(0), 0xa5, 512);
    g_assert_cmpuint(request(d, 1, 9, 512), ==, 0);
    memset(data_of(0), 0, 1536);
    g_assert_cmpuint(request(d, 0, 8, 1536), ==, 0);
    check_sector(data_of(0), 8);
    g_assert_cmphex(data_of(0)[512], ==, 0xa5);
    g_assert_cmphex(data_of(0)[1023], ==, 0xa5);
    check_sector(data_of(0) + 1024, 10);
    g_assert_cmpuint(request(d, 8, 0, 20), ==, 0);
    g_assert_cmpstr((char *)data_of(0), ==, "SN123");
    g_assert_cmpuint(request(d, 4, 0, 0), ==, 0);
    g_assert_cmpuint(request(d, 99, 0, 0), ==, 2);
    /* Outside of the disk, and not whole sectors */
    g_assert_cmpuint(request(d, 0, DISK_SIZE / 512, 512), ==, 1);
    g_assert_cmpuint(request(d, 0, DISK_SIZE / 512 - 1, 1024), ==, 1);
    g_assert_cmpuint(request(d, 1, UINT64_MAX, 512), ==, 1);
    g_assert_cmpuint(request(d, 1, 0, 511), ==, 1);
}

static void test_a_modern_disk_reads_and_writes(void)
{
    Driver d;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    g_assert_cmphex(cfg(&d, 0, 4), ==, 0x10421af4);
    g_assert_cmphex(cfg(&d, 0x10, 4), ==, 0); /* no legacy registers */
    read_and_write(&d);
    end();
}

static void test_a_legacy_disk_reads_and_writes(void)
{
    Driver d;

    begin();
    d = new_disk(&virtio_blk_pci_class, "", true);
    g_assert_cmphex(cfg(&d, 0, 4), ==, 0x10011af4);
    g_assert_cmphex(cfg(&d, 0x2c, 4), ==, 0x00021af4);
    g_assert_cmphex(cfg(&d, 0x08, 1), ==, 0);
    read_and_write(&d);
    g_assert_cmpuint(fixture_in(f, PORTS + 20, 4), ==, DISK_SIZE / 512); /* without MSI-X */
    g_assert_cmpint(pci_bus_irq_level(f->pci, 0), ==, 1);
    g_assert_cmphex(fixture_in(f, PORTS + 19, 1), ==, 1);
    g_assert_cmpint(pci_bus_irq_level(f->pci, 0), ==, 0);
    end();
}

static void test_interfaces_follow_the_properties(void)
{
    Driver d;
    Device *dev;
    GError *err = NULL;

    begin();
    d = new_disk(&virtio_blk_pci_class, ",disable-legacy=on", false);
    g_assert_cmphex(cfg(&d, 0, 4), ==, 0x10421af4);
    g_assert_cmphex(cfg(&d, 0x08, 1), ==, 1);
    fixture_load(d.dev, fixture_save(d.dev));
    d = new_disk(&virtio_blk_pci_class, ",disable-modern=on", true);
    g_assert_cmphex(cfg(&d, 0, 4), ==, 0x10011af4);
    g_assert_cmpuint(find_cap(&d, 9, 1), ==, 0);
    dev = device_new(&f->machine, &virtio_rng_pci_class, NULL);
    device_set_prop(dev, "disable-legacy", "on", &err);
    device_set_prop(dev, "disable-modern", "on", &err);
    g_assert_no_error(err);
    g_assert_false(device_realize(dev, pci_bus_qbus(f->pci), &err));
    g_assert_nonnull(strstr(err->message, "disable-modern"));
    g_clear_error(&err);
    device_free(dev);
    end();
}

static void test_many_requests_at_once_are_merged_and_all_right(void)
{
    Driver d;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    start(&d, 0);
    for (int round = 0; round < 50; round++) {
        put_request(&d, 0, 0, 100, 4096);
        put_request(&d, 1, 0, 108, 4096);
        notify(&d);
        wait_used(&d, 2);
        g_assert_cmpuint(status_of(0) | status_of(1), ==, 0);
        for (unsigned i = 0; i < 8; i++) {
            check_sector(data_of(0) + 512 * i, 100 + i);
            check_sector(data_of(1) + 512 * i, 108 + i);
        }
    }
    end();
}

static void test_discard_and_write_zeroes(void)
{
    Driver d;
    uint64_t features;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    start(&d, UINT64_MAX & ~(3ull << 28));
    features = d.features;
    g_assert_cmphex(features & 1 << 14, !=, 0);
    st(BUF + 0x1000, 16, 8);
    st(BUF + 0x1008, 8, 4);
    st(BUF + 0x100c, 1, 4);
    g_assert_cmpuint(request(&d, 13, 0, 16), ==, 0);
    g_assert_cmpuint(request(&d, 0, 15, 4096), ==, 0);
    check_sector(data_of(0), 15);
    for (unsigned i = 512; i < 4096; i++) {
        g_assert_cmphex(data_of(0)[i], ==, 0);
    }
    st(BUF + 0x1000, DISK_SIZE / 512, 8);
    st(BUF + 0x1008, 1, 4);
    st(BUF + 0x100c, 0, 4);
    g_assert_cmpuint(request(&d, 13, 0, 16), ==, 1);
    st(BUF + 0x100c, 0xff, 4);
    g_assert_cmpuint(request(&d, 13, 0, 16), ==, 2);
    st(BUF + 0x100c, 0, 4);
    g_assert_cmpuint(request(&d, 13, 0, 32), ==, 1); /* two segments */
    if (features & 1 << 13) {
        st(BUF + 0x1000, 0, 8);
        g_assert_cmpuint(request(&d, 11, 0, 16), ==, 0);
    }
    end();
}

static void test_msix(void)
{
    Driver d;
    uint32_t cap;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    cap = find_cap(&d, 0x11, 0);
    g_assert_cmpuint(cap, !=, 0);
    g_assert_cmpuint((cfg(&d, cap + 2, 2) & 0x7ff) + 1, ==, 2);
    set_cfg(&d, cap + 2, 0x8000, 2);
    st(BAR1 + 16, MSI_ADDR, 4);
    st(BAR1 + 20, 0, 4);
    st(BAR1 + 24, 0x4041, 4);
    st(BAR1 + 28, 0, 4);
    start(&d, 0);
    st(COMMON + 0x1a, 7, 2);
    g_assert_cmphex(ld(COMMON + 0x1a, 2), ==, 0xffff); /* no such vector */
    st(COMMON + 0x1a, 1, 2);
    g_assert_cmphex(ld(COMMON + 0x1a, 2), ==, 1);
    g_assert_cmpuint(request(&d, 0, 0, 512), ==, 0);
    for (int i = 0; i < 10000 && !msis; i++) {
        fixture_breathe(f);
    }
    g_assert_cmpuint(msis, ==, 1);
    g_assert_cmphex(msi_data, ==, 0x4041);
    g_assert_cmpint(pci_bus_irq_level(f->pci, 0), ==, 0);
    end();
}

static void test_the_window_in_configuration_space(void)
{
    Driver d;
    uint32_t cap;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    cap = find_cap(&d, 9, 5);
    g_assert_cmpuint(cap, !=, 0);
    set_cfg(&d, cap + 4, 4, 1);
    set_cfg(&d, cap + 8, 0x2000, 4);
    set_cfg(&d, cap + 12, 4, 4);
    g_assert_cmpuint(cfg(&d, cap + 16, 4), ==, DISK_SIZE / 512);
    set_cfg(&d, cap + 8, 0x14, 4);
    set_cfg(&d, cap + 12, 1, 4);
    set_cfg(&d, cap + 16, 3, 1);
    g_assert_cmphex(get_status(&d), ==, 3);
    set_cfg(&d, cap + 8, 0xfffffffc, 4); /* outside: nothing */
    set_cfg(&d, cap + 12, 4, 4);
    set_cfg(&d, cap + 16, 0x55, 4);
    cfg(&d, cap + 16, 4);
    end();
}

static void test_reset_with_requests_in_flight(void)
{
    Driver d;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    for (int i = 0; i < 200; i++) {
        start(&d, 0);
        put_request(&d, 0, 0, 0, 32768);
        put_request(&d, 1, 1, 2000, 4096);
        notify(&d);
        set_status(&d, 0);
        memset(data_of(0), 0x77, 32768);
        st(USED + 2, 0x1234, 2);
        fixture_breathe(f);
        g_assert_cmphex(ld(USED + 2, 2), ==, 0x1234); /* nothing comes after the reset */
        g_assert_cmphex(data_of(0)[32767], ==, 0x77);
    }
    end();
}

static void test_malformed_requests_need_a_reset(void)
{
    Driver d;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    start(&d, 0);
    desc(&d, 0, BUF, 8, NEXT, 1); /* half a header */
    desc(&d, 1, BUF + 64, 1, WRITE, 0);
    offer(&d, 0);
    notify(&d);
    g_assert_cmphex(get_status(&d), ==, 0x4f);
    start(&d, 0);
    desc(&d, 0, BUF, 16, 0, 0); /* no status */
    offer(&d, 0);
    notify(&d);
    g_assert_cmphex(get_status(&d), ==, 0x4f);
    read_and_write(&d);
    end();
}

static void test_a_read_only_disk_refuses_writes(void)
{
    Driver d = {.legacy = false};

    begin();
    g_autofree char *image = fixture_image(f, DISK_SIZE);
    fixture_drive(f, "ro", image, ",readonly=on");
    d.dev =
        fixture_add(f, pci_bus_qbus(f->pci), &virtio_blk_pci_non_transitional_class, "drive=ro");
    map(&d);
    start(&d, UINT64_MAX & ~(3ull << 28));
    g_assert_cmphex(d.features & 1 << 5, !=, 0);
    g_assert_cmpuint(request(&d, 0, 3, 512), ==, 0);
    check_sector(data_of(0), 3);
    g_assert_cmpuint(request(&d, 1, 3, 512), ==, 1);
    end();
}

static void test_cache_mode_is_the_driver_s(void)
{
    Driver d;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    start(&d, UINT64_MAX & ~(3ull << 28));
    g_assert_cmpuint(ld(DEVICE + 32, 1), ==, 1);
    st(DEVICE + 32, 0, 1);
    g_assert_cmpuint(ld(DEVICE + 32, 1), ==, 0);
    st(DEVICE, 0, 4); /* the capacity is not */
    g_assert_cmpuint(ld(DEVICE, 4), ==, DISK_SIZE / 512);
    set_status(&d, 0);
    g_assert_cmpuint(ld(DEVICE + 32, 1), ==, 1);
    end();
}

static void test_state_survives(void)
{
    Driver d;
    GByteArray *state;

    begin();
    d = new_disk(&virtio_blk_pci_non_transitional_class, "", false);
    start(&d, 1ull << 29);
    g_assert_cmpuint(request(&d, 0, 3, 512), ==, 0);
    put_request(&d, 0, 0, 7, 512);
    notify(&d);
    state = fixture_save(d.dev); /* waits for what is in flight */
    wait_used(&d, 1);
    set_status(&d, 0);
    set_cfg(&d, 4, 0, 2);
    fixture_load(d.dev, state);
    g_assert_cmphex(get_status(&d), ==, 15);
    memset(data_of(0), 0, 512);
    g_assert_cmpuint(request(&d, 0, 11, 512), ==, 0);
    check_sector(data_of(0), 11);
    g_byte_array_unref(state);
    end();
}

static void test_rng_gives_bytes(void)
{
    Driver d = {.legacy = false};
    static const uint8_t zero[64];

    begin();
    d.dev = fixture_add(f, pci_bus_qbus(f->pci), &virtio_rng_pci_class, NULL);
    map(&d);
    g_assert_cmphex(cfg(&d, 0, 4), ==, 0x10051af4);
    start(&d, 0);
    memset(data_of(0), 0, 64);
    desc(&d, 0, BUF + 0x1000, 64, WRITE, 0);
    offer(&d, 0);
    notify(&d);
    wait_used(&d, 1);
    g_assert_cmpuint(ld(USED + 8, 4), ==, 64);
    g_assert_cmpint(memcmp(data_of(0), zero, 64), !=, 0);
    end();
}

static void test_rng_keeps_its_rate(void)
{
    Driver d = {.legacy = false};
    int64_t begun;

    begin();
    clock_vm_enable(true);
    d.dev = fixture_add(f, pci_bus_qbus(f->pci), &virtio_rng_pci_class, "max-bytes=16,period=50");
    map(&d);
    start(&d, 0);
    desc(&d, 0, BUF, 64, WRITE, 0);
    begun = clock_now(CLOCK_RT);
    for (int i = 0; i < 4; i++) {
        offer(&d, 0);
        notify(&d);
        wait_used(&d, 1);
        g_assert_cmpuint(ld(USED + 8 + 8ull * (unsigned)i, 4), ==, 16);
    }
    g_assert_cmpint(clock_now(CLOCK_RT) - begun, >, 140000000);
    clock_vm_enable(false);
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-blk/modern", test_a_modern_disk_reads_and_writes);
    g_test_add_func("/virtio-blk/legacy", test_a_legacy_disk_reads_and_writes);
    g_test_add_func("/virtio-blk/interfaces", test_interfaces_follow_the_properties);
    g_test_add_func("/virtio-blk/merge", test_many_requests_at_once_are_merged_and_all_right);
    g_test_add_func("/virtio-blk/zeroes", test_discard_and_write_zeroes);
    g_test_add_func("/virtio-blk/msix", test_msix);
    g_test_add_func("/virtio-blk/window", test_the_window_in_configuration_space);
    g_test_add_func("/virtio-blk/reset", test_reset_with_requests_in_flight);
    g_test_add_func("/virtio-blk/malformed", test_malformed_requests_need_a_reset);
    g_test_add_func("/virtio-blk/read-only", test_a_read_only_disk_refuses_writes);
    g_test_add_func("/virtio-blk/cache-mode", test_cache_mode_is_the_driver_s);
    g_test_add_func("/virtio-blk/state", test_state_survives);
    g_test_add_func("/virtio-rng/bytes", test_rng_gives_bytes);
    g_test_add_func("/virtio-rng/rate", test_rng_keeps_its_rate);
    return g_test_run();
}
