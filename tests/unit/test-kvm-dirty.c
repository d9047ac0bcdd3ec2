/*
 * The dirty log under KVM is what the guest wrote, by bitmaps and by rings.
 *
 * Each way needs a VM of its own, so each runs in a process of its own.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/lock.h"
#include "tests/unit/kvm_rig.h"

enum {
    PAGES = KVM_RIG_RAM / 4096,
    FIRST = 16, /* what the guest writes to: beyond its code, below the ROM */
    END = 240,
    TABLE = 0x2000,
};

typedef uint64_t Bits[PAGES / 64];

static KvmRig *rig;
static GRand *rng;

static void set_bit(Bits bits, unsigned page)
{
    bits[page / 64] |= 1ull << (page % 64);
}

/* The guest writes to PAGES, COUNT of them, in order. */
static void guest_writes(const uint16_t *pages, uint16_t count)
{
    /* mov $TABLE,%si; mov $count,%cx; 1: lodsw; mov %ax,%es; movb $1,%es:0; loop 1b; hlt */
    uint8_t code[] = {0xbe, 0,    0x20, 0xb9, 0, 0, 0xad, 0x8e, 0xc0,
                      0x26, 0xc6, 0x06, 0,    0, 1, 0xe2, 0xf5, 0xf4};
    uint16_t *table = (uint16_t *)(rig->ram->host + TABLE);

    memcpy(code + 4, &count, 2);
    for (unsigned i = 0; i < count; i++) {
        table[i] = (uint16_t)(pages[i] << 8);
    }
    kvm_rig_load(rig, code, sizeof(code));
    g_assert_cmpint(kvm_cpu_run(&rig->c->x.cpu), ==, ACCEL_EXIT_HALTED);
}

static void take(DirtyClient client, unsigned first, unsigned count, Bits bits)
{
    machine_lock();
    dirty_log_take(rig->ram, client, (uint64_t)first * 4096, (uint64_t)count * 4096, bits);
    machine_unlock();
}

static void set_client(DirtyClient client, bool on)
{
    machine_lock();
    (on ? dirty_log_enable : dirty_log_disable)(rig->ram, client);
    machine_unlock();
}

static void logs_what_was_written(void)
{
    Bits bits;

    set_client(DIRTY_MIGRATION, true);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    for (int round = 0; round < 20; round++) {
        uint16_t pages[END - FIRST], count = (uint16_t)g_rand_int_range(rng, 1, END - FIRST);
        Bits want = {0};

        for (unsigned i = 0; i < count; i++) {
            pages[i] = (uint16_t)g_rand_int_range(rng, FIRST, END);
            set_bit(want, pages[i]);
        }
        guest_writes(pages, count);
        take(DIRTY_MIGRATION, 0, PAGES, bits);
        g_assert_cmpmem(bits, sizeof(bits), want, sizeof(want));
        take(DIRTY_MIGRATION, 0, PAGES, bits);
        g_assert_cmpmem(bits, sizeof(bits), (Bits){0}, sizeof(bits));
    }
    set_client(DIRTY_MIGRATION, false);
}

static void a_part_that_is_taken_leaves_the_rest(void)
{
    const uint16_t pages[] = {64, 65, 70, 127, 128, 200};
    Bits bits;

    set_client(DIRTY_MIGRATION, true);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    guest_writes(pages, G_N_ELEMENTS(pages));
    take(DIRTY_MIGRATION, 65, 6, bits); /* 65 to 70 */
    g_assert_cmphex(bits[0], ==, 1 | 1 << 5);
    guest_writes((uint16_t[]){65, 66}, 2); /* one of them again */
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    g_assert_cmphex(bits[0], ==, 0);
    g_assert_cmphex(bits[1], ==, 1ull << 0 | 1ull << 1 | 1ull << 2 | 1ull << 63);
    g_assert_cmphex(bits[2], ==, 1);
    g_assert_cmphex(bits[3], ==, 1ull << (200 - 192));
    set_client(DIRTY_MIGRATION, false);
}

static void clients_do_not_take_from_each_other(void)
{
    Bits bits;

    set_client(DIRTY_MIGRATION, true);
    set_client(DIRTY_DISPLAY, true);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    take(DIRTY_DISPLAY, 0, PAGES, bits);
    guest_writes((uint16_t[]){100, 160}, 2);
    take(DIRTY_DISPLAY, 64, 64, bits);
    g_assert_cmphex(bits[0], ==, 1ull << 36);
    guest_writes((uint16_t[]){101}, 1);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    g_assert_cmphex(bits[1], ==, 3ull << 36);
    g_assert_cmphex(bits[2], ==, 1ull << 32);
    take(DIRTY_DISPLAY, 0, PAGES, bits);
    g_assert_cmphex(bits[1], ==, 1ull << 37);
    g_assert_cmphex(bits[2], ==, 1ull << 32);
    set_client(DIRTY_DISPLAY, false);
    set_client(DIRTY_MIGRATION, false);
}

static void writes_of_devices_are_logged_with_the_guest_s(void)
{
    Bits bits;

    set_client(DIRTY_MIGRATION, true);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    guest_writes((uint16_t[]){20}, 1);
    address_space_write(&rig->m.memory, 30 * 4096 + 4090, "over the edge", 13);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    g_assert_cmphex(bits[0], ==, 1ull << 20 | 3ull << 30);
    set_client(DIRTY_MIGRATION, false);
}

static void memory_that_goes_away_keeps_its_log(void)
{
    Bits bits;

    set_client(DIRTY_MIGRATION, true);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    guest_writes((uint16_t[]){50, 60}, 2);
    machine_lock();
    mem_region_set_enabled(rig->ram_region, false);
    mem_region_set_enabled(rig->ram_region, true);
    machine_unlock();
    guest_writes((uint16_t[]){61}, 1);
    take(DIRTY_MIGRATION, 0, PAGES, bits);
    g_assert_cmphex(bits[0], ==, 1ull << 50 | 3ull << 60);
    set_client(DIRTY_MIGRATION, false);
}

static void all(void)
{
    rng = g_rand_new_with_seed(7);
    logs_what_was_written();
    a_part_that_is_taken_leaves_the_rest();
    clients_do_not_take_from_each_other();
    writes_of_devices_are_logged_with_the_guest_s();
    memory_that_goes_away_keeps_its_log();
    g_rand_free(rng);
}

/* ---- the ways ---- */

static bool has_cap(int cap)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), value;

    value = ioctl(fd, KVM_CHECK_EXTENSION, cap);
    close(fd);
    return value > 0;
}

static void run_bitmap(void)
{
    rig = kvm_rig_new("kernel-irqchip", "off", NULL);
    g_assert_cmpint(rig->a->manual_protect, ==, has_cap(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2));
    all();
}

/* So small that it fills up. */
static void run_ring(void)
{
    rig = kvm_rig_new("kernel-irqchip", "off", "dirty-ring-size", "256", NULL);
    g_assert_nonnull(rig->c->ring);
    all();
}

static void in_a_process(const char *path)
{
    g_test_trap_subprocess(path, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
    g_test_trap_assert_passed();
}

static void test_bitmaps_are_what_was_written(void)
{
    if (kvm_rig_available()) {
        in_a_process("/kvm/dirty/subprocess/bitmap");
    }
}

static void test_rings_are_what_was_written(void)
{
    if (!kvm_rig_available()) {
        return;
    }
    if (!has_cap(KVM_CAP_DIRTY_LOG_RING)) {
        g_test_skip("KVM_CAP_DIRTY_LOG_RING is missing");
        return;
    }
    in_a_process("/kvm/dirty/subprocess/ring");
}

static void test_sizes_of_rings_are_checked(void)
{
    static const char *const sizes[] = {"1", "300", "1048576"};

    if (!kvm_rig_available() || !has_cap(KVM_CAP_DIRTY_LOG_RING)) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) err = NULL;
        KvmAccel a = {.dirty_ring_size = (uint32_t)atoi(sizes[i]), .caps.dirty_ring = 1 << 20};

        a.vm_fd = -1;
        g_assert_false(kvm_dirty_ring_create(&a, &err));
        g_assert_nonnull(strstr(err->message, "power of two"));
        g_assert_nonnull(strstr(err->message, sizes[i]));
    }
}

static void test_a_missing_ring_is_named(void)
{
    g_autoptr(GError) err = NULL;
    KvmAccel a = {.dirty_ring_size = 4096};

    g_assert_false(kvm_dirty_ring_create(&a, &err));
    g_assert_nonnull(strstr(err->message, "KVM_CAP_DIRTY_LOG_RING"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/dirty/bitmaps are what was written", test_bitmaps_are_what_was_written);
    g_test_add_func("/kvm/dirty/rings are what was written", test_rings_are_what_was_written);
    g_test_add_func("/kvm/dirty/sizes of rings are checked", test_sizes_of_rings_are_checked);
    g_test_add_func("/kvm/dirty/a missing ring is named", test_a_missing_ring_is_named);
    g_test_add_func("/kvm/dirty/subprocess/bitmap", run_bitmap);
    g_test_add_func("/kvm/dirty/subprocess/ring", run_ring);
    return g_test_run();
}
