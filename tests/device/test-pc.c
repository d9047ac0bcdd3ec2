/*
 * The chipset: host bridge, PCI to ISA bridge, power management and the board's own ports.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/clock.h"
#include "core/lock.h"
#include "core/mainloop.h"
#include "hw/intc/i8259.h"
#include "hw/pc/i440fx.h"
#include "hw/pc/pc_internal.h"
#include "tests/device/pc_rig.h"

static PcRig *rig;
static AddressSpace smm;

static void run(int64_t ns)
{
    int64_t end = clock_now(CLOCK_RT) + ns;

    do {
        main_loop_iterate(false);
    } while (clock_now(CLOCK_RT) < end);
}

/* ---- configuration space ---- */

static void test_every_function_is_where_a_pc_has_it(void)
{
    static const struct {
        int slot, function;
        uint32_t id, class_code;
    } want[] = {
        {0, 0, 0x12378086, 0x060000}, {1, 0, 0x70008086, 0x060100}, {1, 1, 0x70108086, 0x010180},
        {1, 3, 0x71138086, 0x068000}, {2, 0, 0x11111234, 0x030000},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
        g_assert_cmphex(pc_config_in(rig, want[i].slot, want[i].function, 0, 4), ==, want[i].id);
        g_assert_cmphex(pc_config_in(rig, want[i].slot, want[i].function, 8, 4) >> 8, ==,
                        want[i].class_code);
    }
    g_assert_cmphex(pc_config_in(rig, 1, 0, 0x0e, 1), ==, 0x80);
    g_assert_cmphex(pc_config_in(rig, 1, 2, 0, 4), ==, 0xffffffff);
    g_assert_cmphex(pc_config_in(rig, 17, 0, 0, 4), ==, 0xffffffff);
    pc_out(rig, 0xcf8, 0x80010000, 4); /* bus 1 */
    g_assert_cmphex(pc_in(rig, 0xcfc, 4), ==, 0xffffffff);
    pc_out(rig, 0xcf8, 0x00000000, 4); /* not enabled */
    g_assert_cmphex(pc_in(rig, 0xcfc, 4), ==, 0xffffffff);
}

static void test_ids_cannot_be_written(void)
{
    pc_config_out(rig, 2, 0, 0, 0xdeadbeef, 4);
    pc_config_out(rig, 2, 0, 8, 0xdeadbeef, 4);
    g_assert_cmphex(pc_config_in(rig, 2, 0, 0, 4), ==, 0x11111234);
    g_assert_cmphex(pc_config_in(rig, 2, 0, 8, 4) >> 8, ==, 0x030000);
}

static void test_memory_bar_is_sized_mapped_and_unmapped(void)
{
    uint32_t old = pc_config_in(rig, 2, 0, 0x10, 4), size;

    pc_config_out(rig, 2, 0, 0x10, 0xffffffff, 4);
    size = ~(pc_config_in(rig, 2, 0, 0x10, 4) & ~15u) + 1;
    g_assert_cmphex(size, ==, 16 << 20);
    pc_config_out(rig, 2, 0, 0x10, 0xe0000000, 4);
    g_assert_cmphex(pc_read(rig, 0xe0000000, 4), ==, 0xffffffff);
    pc_config_out(rig, 2, 0, 4, 3, 2);
    pc_write(rig, 0xe0000010, 0x12345678, 4);
    g_assert_cmphex(pc_read(rig, 0xe0000010, 4), ==, 0x12345678);
    pc_config_out(rig, 2, 0, 0x10, 0xd0000000, 4);
    g_assert_cmphex(pc_read(rig, 0xd0000010, 4), ==, 0x12345678);
    g_assert_cmphex(pc_read(rig, 0xe0000010, 4), ==, 0xffffffff);
    pc_config_out(rig, 2, 0, 4, 0, 2);
    g_assert_cmphex(pc_read(rig, 0xd0000010, 4), ==, 0xffffffff);
    pc_config_out(rig, 2, 0, 0x10, old, 4);
}

static void test_rom_bar_shows_the_option_rom_while_enabled(void)
{
    pc_config_out(rig, 2, 0, 0x30, 0xfffff800, 4);
    g_assert_cmphex(pc_config_in(rig, 2, 0, 0x30, 4) & 1, ==, 0);
    pc_config_out(rig, 2, 0, 0x30, 0xd8000000, 4);
    pc_config_out(rig, 2, 0, 4, 2, 2);
    g_assert_cmphex(pc_read(rig, 0xd8000000, 2), ==, 0xffff);
    pc_config_out(rig, 2, 0, 0x30, 0xd8000001, 4);
    g_assert_cmphex(pc_read(rig, 0xd8000000, 2), ==, 0xaa55);
    pc_write(rig, 0xd8000000, 0, 2);
    g_assert_cmphex(pc_read(rig, 0xd8000000, 2), ==, 0xaa55);
    pc_config_out(rig, 2, 0, 4, 0, 2);
    g_assert_cmphex(pc_read(rig, 0xd8000000, 2), ==, 0xffff);
}

static void test_io_bar_needs_the_command_bit(void)
{
    pc_config_out(rig, 1, 1, 0x20, 0xc001, 4);
    g_assert_cmphex(pc_in(rig, 0xc002, 1), ==, 0xff);
    pc_config_out(rig, 1, 1, 4, 5, 2);
    g_assert_cmphex(pc_in(rig, 0xc002, 1), !=, 0xff);
    pc_config_out(rig, 1, 1, 4, 0, 2);
    g_assert_cmphex(pc_in(rig, 0xc002, 1), ==, 0xff);
}

static void test_narrow_and_unaligned_configuration_cycles_work(void)
{
    g_assert_cmphex(pc_config_in(rig, 1, 3, 1, 1), ==, 0x80);
    g_assert_cmphex(pc_config_in(rig, 1, 3, 2, 2), ==, 0x7113);
    pc_config_out(rig, 1, 3, 0x3c, 0x5a, 1);
    g_assert_cmphex(pc_config_in(rig, 1, 3, 0x3c, 4), ==, 0x0000015a);
}

/* ---- shadow RAM ---- */

static void set_pam(uint32_t reg, uint8_t value)
{
    pc_config_out(rig, 0, 0, reg, value, 1);
}

static void test_bios_is_seen_at_both_ends(void)
{
    g_assert_cmphex(pc_read(rig, 0xffff0, 4), ==, pc_read(rig, 0xfffffff0, 4));
    g_assert_cmphex(pc_read(rig, 0xffff0, 1), ==, 0xea); /* a far jump */
    g_assert_cmphex(pc_read(rig, 0xe0000, 4), ==, pc_read(rig, 0xfffe0000, 4));
}

static void test_pam_modes_route_reads_and_writes(void)
{
    uint32_t rom = pc_read(rig, 0xf1000, 4);

    pc_write(rig, 0xf1000, 0x11111111, 4);
    g_assert_cmphex(pc_read(rig, 0xf1000, 4), ==, rom);
    set_pam(0x59, 0x20); /* writes go to RAM, reads come from ROM */
    pc_write(rig, 0xf1000, 0x22222222, 4);
    g_assert_cmphex(pc_read(rig, 0xf1000, 4), ==, rom);
    set_pam(0x59, 0x10); /* read-only RAM */
    g_assert_cmphex(pc_read(rig, 0xf1000, 4), ==, 0x22222222);
    pc_write(rig, 0xf1000, 0x33333333, 4);
    g_assert_cmphex(pc_read(rig, 0xf1000, 4), ==, 0x22222222);
    set_pam(0x59, 0x30);
    pc_write(rig, 0xf1000, 0x44444444, 4);
    g_assert_cmphex(pc_read(rig, 0xf1000, 4), ==, 0x44444444);
    set_pam(0x59, 0x00);
    g_assert_cmphex(pc_read(rig, 0xf1000, 4), ==, rom);
}

static void test_each_pam_nibble_has_its_segment(void)
{
    for (int segment = 0; segment < 12; segment++) {
        uint32_t addr = 0xc0000 + 0x4000u * (uint32_t)segment, reg = 0x5a + (uint32_t)segment / 2;

        set_pam(reg, segment % 2 ? 0x30 : 0x03);
        pc_write(rig, addr, 0xabcd0000 + (uint32_t)segment, 4);
        pc_write(rig, addr + 0x3ffc, 0x1234, 4);
        g_assert_cmphex(pc_read(rig, addr, 4), ==, 0xabcd0000 + (uint32_t)segment);
        g_assert_cmphex(pc_read(rig, addr + 0x3ffc, 4), ==, 0x1234);
        set_pam(reg, 0);
        g_assert_cmphex(pc_read(rig, addr, 4), !=, 0xabcd0000 + (uint32_t)segment);
    }
}

static void test_smram_is_closed_locked_and_seen_in_smm(void)
{
    uint32_t outside;

    pc_config_out(rig, 0, 0, 0x72, 0x4a, 1); /* open */
    pc_write(rig, 0xa8000, 0x5aa55aa5, 4);
    g_assert_cmphex(pc_read(rig, 0xa8000, 4), ==, 0x5aa55aa5);
    pc_config_out(rig, 0, 0, 0x72, 0x0a, 1); /* closed, enabled */
    outside = pc_read(rig, 0xa8000, 4);
    g_assert_cmphex(outside, !=, 0x5aa55aa5);
    g_assert_cmphex((uint32_t)address_space_load(&smm, 0xa8000, 4), ==, 0x5aa55aa5);
    pc_config_out(rig, 0, 0, 0x72, 0x5a, 1); /* lock: open goes away and stays away */
    g_assert_cmphex(pc_config_in(rig, 0, 0, 0x72, 1), ==, 0x1a);
    pc_config_out(rig, 0, 0, 0x72, 0x4a, 1);
    g_assert_cmphex(pc_config_in(rig, 0, 0, 0x72, 1), ==, 0x1a);
    g_assert_cmphex(pc_read(rig, 0xa8000, 4), ==, outside);
    device_reset_all(rig->m.root_bus);
    g_assert_cmphex(pc_config_in(rig, 0, 0, 0x72, 1), ==, 0x02);
    g_assert_cmphex((uint32_t)address_space_load(&smm, 0xa8000, 4), !=, 0x5aa55aa5);
}

/* ---- interrupts ---- */

static PciDevice *function(int slot, int fn)
{
    return pci_bus_device(rig->pci, pci_devfn(slot, fn));
}

/* Master and slave with vectors from 20h, all inputs open, level-triggered where PCI lands. */
static void init_pics(void)
{
    static const uint8_t words[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1}, {0x21, 0},
                                       {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1}, {0xa1, 0}};

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        pc_out(rig, words[i][0], words[i][1], 1);
    }
    pc_out(rig, 0x4d0, 0x20, 1);
    pc_out(rig, 0x4d1, 0x0e, 1);
}

/* The 8259s' request registers. */
static uint16_t requests(void)
{
    uint16_t irr;

    pc_out(rig, 0x20, 0x0a, 1);
    pc_out(rig, 0xa0, 0x0a, 1);
    irr = (uint16_t)(pc_in(rig, 0x20, 1) | pc_in(rig, 0xa0, 1) << 8);
    return irr & (uint16_t) ~(1 << 2); /* the cascade */
}

static void test_pins_are_steered_to_isa_interrupts(void)
{
    init_pics();
    pc_config_out(rig, 1, 0, 0x60, 0x0b0a8005, 4); /* A: 5, B: off, C: 10, D: 11 */
    /* The power management function's INTA# is on slot 1: PIRQA#. */
    pci_set_irq(function(1, 3), 1);
    g_assert_cmphex(requests() & 0x0e20, ==, 1 << 5);
    pc_config_out(rig, 1, 0, 0x60, 0x0a, 1);
    g_assert_cmphex(requests() & 0x0e20, ==, 1 << 10);
    pc_config_out(rig, 1, 3, 4, 0x400, 2); /* not disabled by a bit that this function lacks */
    g_assert_cmphex(requests() & 0x0e20, ==, 1 << 10);
    pc_config_out(rig, 1, 0, 0x60, 0x80, 1);
    g_assert_cmphex(requests() & 0x0e20, ==, 0);
    pc_config_out(rig, 1, 0, 0x60, 0x05, 1);
    g_assert_cmphex(requests() & 0x0e20, ==, 1 << 5);
    pci_set_irq(function(1, 3), 0);
    g_assert_cmphex(requests() & 0x0e20, ==, 0);
    pc_config_out(rig, 1, 0, 0x60, 0x80808080, 4);
}

/* ---- power management ---- */

enum { PM = 0x600 };

static void enable_pm(void)
{
    pc_config_out(rig, 1, 3, 0x40, PM | 1, 4);
    pc_config_out(rig, 1, 3, 0x80, 1, 1);
}

static void test_pm_block_moves_with_its_base(void)
{
    g_assert_cmphex(pc_in(rig, PM + 4, 2), ==, 0xffff);
    pc_config_out(rig, 1, 3, 0x40, PM | 1, 4);
    g_assert_cmphex(pc_in(rig, PM + 4, 2), ==, 0xffff);
    pc_config_out(rig, 1, 3, 0x80, 1, 1);
    g_assert_cmphex(pc_in(rig, PM + 4, 2), ==, 0);
    pc_config_out(rig, 1, 3, 0x40, 0xb001, 4);
    g_assert_cmphex(pc_in(rig, PM + 4, 2), ==, 0xffff);
    g_assert_cmphex(pc_in(rig, 0xb004, 2), ==, 0);
}

static void test_acpi_timer_counts_at_its_rate(void)
{
    uint32_t before, after;
    int64_t t0, t1;

    enable_pm();
    clock_vm_enable(true);
    t0 = clock_now(CLOCK_VM);
    before = pc_in(rig, PM + 8, 4);
    run(20000000);
    after = pc_in(rig, PM + 8, 4);
    t1 = clock_now(CLOCK_VM);
    g_assert_cmphex(before & 0xff000000, ==, 0);
    g_assert_cmpint(ABS((int64_t)((after - before) & 0xffffff) -
                        (int64_t)muldiv64((uint64_t)(t1 - t0), 3579545, NS_PER_SEC)),
                    <, 500);
}

static void test_acpi_timer_overflow_raises_the_sci(void)
{
    int64_t half = 0x800000ll * NS_PER_SEC / 3579545;

    enable_pm();
    init_pics();
    pc_out(rig, 0xb2, 0xf1, 1);
    g_assert_cmphex(pc_in(rig, PM + 4, 2), ==, 1);
    clock_vm_enable(false);
    clock_vm_set(10 * half - 30000000);
    pc_out(rig, PM, 0xffff, 2);
    pc_out(rig, PM + 2, 1, 2);
    g_assert_cmphex(requests() & 0x200, ==, 0);
    clock_vm_enable(true);
    run(60000000);
    g_assert_cmphex(requests() & 0x200, ==, 0x200);
    g_assert_cmphex(pc_in(rig, PM, 2) & 1, ==, 1);
    pc_out(rig, PM, 1, 2);
    g_assert_cmphex(requests() & 0x200, ==, 0);
    pc_out(rig, PM + 2, 0, 2);
}

static void test_power_button_raises_the_sci(void)
{
    enable_pm();
    init_pics();
    pc_out(rig, PM + 2, 0x100, 2);
    machine_request_powerdown(&rig->m);
    run(1000000);
    g_assert_cmphex(pc_in(rig, PM, 2) & 0x100, ==, 0x100);
    g_assert_cmphex(requests() & 0x200, ==, 0); /* not in ACPI mode */
    pc_out(rig, 0xb2, 0xf1, 1);
    g_assert_cmphex(requests() & 0x200, ==, 0x200);
    pc_out(rig, PM, 0x100, 2);
    g_assert_cmphex(requests() & 0x200, ==, 0);
    pc_out(rig, 0xb2, 0xf0, 1);
    g_assert_cmphex(pc_in(rig, PM + 4, 2) & 1, ==, 0);
}

static void test_s5_shuts_down(void)
{
    unsigned before = rig->shutdowns;

    enable_pm();
    pc_out(rig, PM + 4, 1 << 13 | 1 << 10, 2); /* another state than S5 */
    run(1000000);
    g_assert_cmpuint(rig->shutdowns, ==, before);
    pc_out(rig, PM + 4, 1 << 13, 2);
    run(1000000);
    g_assert_cmpuint(rig->shutdowns, ==, before + 1);
    g_assert_cmpint(rig->cause, ==, SHUTDOWN_GUEST_POWEROFF);
}

static void test_without_smm_firmware_finds_it_taken(void)
{
    /* No accelerator here, hence no SMM: APMC_EN is set, and B2h raises nothing. */
    g_assert_cmphex(pc_config_in(rig, 1, 3, 0x5b, 1) & 2, ==, 2);
    pc_out(rig, 0xb2, 0x42, 1);
    g_assert_cmphex(pc_in(rig, 0xb2, 1), ==, 0x42);
    g_assert_cmphex(rig->cpu[0].events & CPU_EVENT_SMI, ==, 0);
}

static void test_smbus_without_devices_reports_errors(void)
{
    pc_config_out(rig, 1, 3, 0x90, 0x701, 4);
    pc_config_out(rig, 1, 3, 0xd2, 1, 1);
    pc_out(rig, 0x704, 0xa1, 1);
    pc_out(rig, 0x702, 0x48, 1);
    g_assert_cmphex(pc_in(rig, 0x700, 1), ==, 4);
    pc_out(rig, 0x700, 4, 1);
    g_assert_cmphex(pc_in(rig, 0x700, 1), ==, 0);
}

/* ---- resets, A20 ---- */

static void expect_reset(unsigned before)
{
    run(1000000);
    g_assert_cmpuint(rig->resets, ==, before + 1);
    g_assert_cmpint(rig->cause, ==, SHUTDOWN_GUEST_RESET);
}

static void test_port_cf9_resets_on_the_rising_bit(void)
{
    unsigned before = rig->resets;

    pc_out(rig, 0xcf9, 2, 1);
    run(1000000);
    g_assert_cmpuint(rig->resets, ==, before);
    pc_out(rig, 0xcf9, 6, 1);
    expect_reset(before);
    pc_out(rig, 0xcf9, 6, 1);
    run(1000000);
    g_assert_cmpuint(rig->resets, ==, before + 1);
    pc_out(rig, 0xcf8, 0x80000000, 4); /* the configuration address is not disturbed */
    pc_out(rig, 0xcf9, 0, 1);
    g_assert_cmphex(pc_in(rig, 0xcf8, 4), ==, 0x80000000);
}

static void test_port_92_resets_and_gates_a20(void)
{
    unsigned before = rig->resets;

    g_assert_cmphex(pc_in(rig, 0x92, 1) & 2, ==, 2);
    pc_out(rig, 0x92, 3, 1);
    expect_reset(before);
    pc_write(rig, 0x000500, 0x11111111, 4);
    pc_write(rig, 0x100500, 0x22222222, 4);
    pc_write(rig, 0x300500, 0x33333333, 4);
    pc_out(rig, 0x92, 0, 1);
    g_assert_cmphex(pc_in(rig, 0x92, 1) & 2, ==, 0);
    g_assert_cmphex(pc_read(rig, 0x100500, 4), ==, 0x11111111);
    g_assert_cmphex(pc_read(rig, 0x300500, 4), ==, pc_read(rig, 0x200500, 4));
    pc_write(rig, 0x100500, 0x44444444, 4);
    g_assert_cmphex(pc_read(rig, 0x000500, 4), ==, 0x44444444);
    g_assert_cmphex(pc_read(rig, 0xfffffff0, 1), ==, 0xea); /* the first megabytes only */
    pc_out(rig, 0x92, 2, 1);
    g_assert_cmphex(pc_read(rig, 0x100500, 4), ==, 0x22222222);
    machine_set_a20(&rig->m, false);
    g_assert_cmphex(pc_in(rig, 0x92, 1) & 2, ==, 0);
    device_reset_all(rig->m.root_bus);
    g_assert_cmphex(pc_read(rig, 0x100500, 4), ==, 0x22222222);
}

static void test_keyboard_controller_gates_a20(void)
{
    pc_out(rig, 0x64, 0xd1, 1);
    pc_out(rig, 0x60, 0xdd, 1);
    g_assert_false(machine_a20(&rig->m));
    g_assert_cmphex(pc_in(rig, 0x92, 1) & 2, ==, 0);
    pc_out(rig, 0x64, 0xd0, 1);
    for (int i = 0; i < 100 && !(pc_in(rig, 0x64, 1) & 1); i++) {
        run(200000);
    }
    g_assert_cmphex(pc_in(rig, 0x60, 1) & 0x03, ==, 0x01);
    pc_out(rig, 0x64, 0xd1, 1);
    pc_out(rig, 0x60, 0xdf, 1);
    g_assert_true(machine_a20(&rig->m));
    pc_out(rig, 0x64, 0xdd, 1);
    g_assert_false(machine_a20(&rig->m));
    pc_out(rig, 0x64, 0xdf, 1);
    g_assert_true(machine_a20(&rig->m));
}

typedef struct Test {
    const char *path;
    void (*fn)(void);
} Test;

#define TEST(name)                                                                                 \
    {                                                                                              \
        "/pc/" #name, test_##name                                                                  \
    }
static const Test tests[] = {
    TEST(every_function_is_where_a_pc_has_it),
    TEST(ids_cannot_be_written),
    TEST(memory_bar_is_sized_mapped_and_unmapped),
    TEST(rom_bar_shows_the_option_rom_while_enabled),
    TEST(io_bar_needs_the_command_bit),
    TEST(narrow_and_unaligned_configuration_cycles_work),
    TEST(bios_is_seen_at_both_ends),
    TEST(pam_modes_route_reads_and_writes),
    TEST(each_pam_nibble_has_its_segment),
    TEST(smram_is_closed_locked_and_seen_in_smm),
    TEST(pins_are_steered_to_isa_interrupts),
    TEST(pm_block_moves_with_its_base),
    TEST(acpi_timer_counts_at_its_rate),
    TEST(acpi_timer_overflow_raises_the_sci),
    TEST(power_button_raises_the_sci),
    TEST(s5_shuts_down),
    TEST(without_smm_firmware_finds_it_taken),
    TEST(smbus_without_devices_reports_errors),
    TEST(port_cf9_resets_on_the_rising_bit),
    TEST(port_92_resets_and_gates_a20),
    TEST(keyboard_controller_gates_a20),
};

/* Each test begins with a machine just reset. */
static void run_test(const void *data)
{
    device_reset_all(rig->m.root_bus);
    ((const Test *)data)->fn();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = pc_rig_new(NULL);
    pc_rig_done(rig);
    address_space_init(&smm, i440fx_smm_root(&function(0, 0)->dev), "smm");
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add_data_func(tests[i].path, &tests[i], run_test);
    }
    return g_test_run();
}
