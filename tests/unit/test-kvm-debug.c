/*
 * A debugger's breakpoints, watchpoints and steps under KVM, in a real-mode guest.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/lock.h"
#include "tests/unit/kvm_rig.h"

static KvmRig *rig;

static Cpu *cpu(void)
{
    return &rig->c->x.cpu;
}

static X86State *state(void)
{
    kvm_get_state(cpu());
    return &rig->c->x.st;
}

static bool set(const DebugPoint *points, size_t count, GError **err)
{
    bool ok;

    kvm_get_state(cpu());
    machine_lock();
    ok = kvm_set_debug_points(rig->m.accel, cpu(), points, count, err);
    machine_unlock();
    return ok;
}

static void set_one(DebugKind kind, uint64_t addr, uint64_t len)
{
    g_autoptr(GError) err = NULL;

    set(&(DebugPoint){kind, addr, len}, 1, &err);
    g_assert_no_error(err);
}

static void clear(void)
{
    g_assert_true(set(NULL, 0, NULL));
}

static void expect_stop(DebugKind kind, uint64_t addr)
{
    cpu()->debug_stop = DEBUG_NONE;
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_DEBUG);
    g_assert_cmpint(cpu()->debug_stop, ==, kind);
    g_assert_cmphex(cpu()->debug_addr, ==, addr);
}

static void load(void)
{
    /* 1000: mov $5,%ax; 1003: mov %ax,0x2000; 1006: mov 0x2000,%bx; 100a: int3; 100b: inc %bx;
     * 100c: hlt; the handler of INT3 at 1100: inc %cx; iret */
    static const uint8_t code[] = {0xb8, 5,    0,    0xa3, 0x00, 0x20, 0x8b,
                                   0x1e, 0x00, 0x20, 0xcc, 0x43, 0xf4};
    static const uint8_t handler[] = {0x41, 0xcf};

    kvm_rig_load(rig, code, sizeof(code));
    memcpy(rig->ram->host + 0x1100, handler, sizeof(handler));
    memcpy(rig->ram->host + 3 * 4, (const uint8_t[]){0x00, 0x11, 0, 0}, 4);
}

static void finish(void)
{
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    X86State *st = state();
    g_assert_cmphex(st->gpr[R_RBX] & 0xffff, ==, 6);
    g_assert_cmphex(st->gpr[R_RCX] & 0xffff, ==, 1); /* the guest's own INT3 reached it */
}

static void test_software_breakpoint(void)
{
    load();
    set_one(DEBUG_SOFTWARE, 0x1003, 1);
    expect_stop(DEBUG_SOFTWARE, 0x1003);
    g_assert_cmphex(state()->rip, ==, 0x1003);
    g_assert_cmphex(state()->gpr[R_RAX] & 0xffff, ==, 5);
    clear();
    finish();
}

static void test_more_breakpoints_than_registers(void)
{
    DebugPoint points[] = {{DEBUG_HARDWARE, 0x2000, 1},
                           {DEBUG_HARDWARE, 0x2001, 1},
                           {DEBUG_HARDWARE, 0x2002, 1},
                           {DEBUG_SOFTWARE, 0x2003, 1},
                           {DEBUG_SOFTWARE, 0x1003, 1}};
    g_autoptr(GError) err = NULL;

    load();
    set(points, G_N_ELEMENTS(points), &err);
    g_assert_no_error(err);
    g_assert_cmphex(rig->ram->host[0x1003], ==, 0xcc);
    if (kvm_cpu_run(cpu()) != ACCEL_EXIT_DEBUG) {
        g_test_skip("this KVM interprets real mode and keeps INT3 to itself");
        clear();
        return;
    }
    g_assert_cmpint(cpu()->debug_stop, ==, DEBUG_SOFTWARE);
    g_assert_cmphex(cpu()->debug_addr, ==, 0x1003);
    clear();
    g_assert_cmphex(rig->ram->host[0x1003], ==, 0xa3);
    finish();
}

static void test_breakpoint_on_the_guests_int3(void)
{
    load();
    set_one(DEBUG_SOFTWARE, 0x100a, 1);
    expect_stop(DEBUG_SOFTWARE, 0x100a);
    clear();
    finish();
}

static void test_hardware_breakpoint(void)
{
    load();
    set_one(DEBUG_HARDWARE, 0x1006, 1);
    expect_stop(DEBUG_HARDWARE, 0x1006);
    g_assert_cmphex(state()->rip, ==, 0x1006);
    clear();
    finish();
}

static void test_watchpoint(void)
{
    load();
    set_one(DEBUG_WATCH_WRITE, 0x2000, 2);
    if (kvm_cpu_run(cpu()) != ACCEL_EXIT_DEBUG) {
        g_test_skip("this KVM interprets real mode and watches no data");
        clear();
        return;
    }
    g_assert_cmpint(cpu()->debug_stop, ==, DEBUG_WATCH_WRITE);
    g_assert_cmphex(cpu()->debug_addr, ==, 0x2000);
    g_assert_cmphex(state()->rip, ==, 0x1006);
    clear();
    finish();
}

static void test_single_step(void)
{
    static const uint16_t rips[] = {0x1003, 0x1006, 0x100a};

    load();
    kvm_set_single_step(cpu(), true);
    for (size_t i = 0; i < G_N_ELEMENTS(rips); i++) {
        expect_stop(DEBUG_STEP, rips[i]);
        g_assert_cmphex(state()->rip, ==, rips[i]);
        g_assert_cmphex(state()->rflags & FLAG_TF, ==, 0);
    }
    kvm_set_single_step(cpu(), false);
    finish();
}

static void test_breakpoint_in_rom(void)
{
    static const uint8_t code[] = {0x90, 0x90, 0xf4};

    load();
    memcpy(rig->rom->host + 0x100, code, sizeof(code));
    memcpy(rig->ram->host + 0x1000, (const uint8_t[]){0xea, 0x00, 0x01, 0x00, 0xf0}, 5);
    set_one(DEBUG_SOFTWARE, 0xf0101, 1);
    expect_stop(DEBUG_SOFTWARE, 0xf0101);
    clear();
}

static void test_too_many_points_change_nothing(void)
{
    const DebugPoint many[] = {{DEBUG_HARDWARE, 0x1000, 1}, {DEBUG_HARDWARE, 0x1001, 1},
                               {DEBUG_HARDWARE, 0x1002, 1}, {DEBUG_HARDWARE, 0x1004, 1},
                               {DEBUG_SOFTWARE, 0x1003, 1}, {DEBUG_SOFTWARE, 0xf0100, 1}};
    g_autoptr(GError) err = NULL;

    load();
    set(many, 5, &err);
    g_assert_no_error(err);
    g_assert_cmphex(rig->ram->host[0x1003], ==, 0xcc);
    g_assert_false(set(many, G_N_ELEMENTS(many), &err));
    g_assert_nonnull(strstr(err->message, "at f0100"));
    g_assert_cmphex(rig->ram->host[0x1003], ==, 0xcc);
    g_clear_error(&err);
    g_assert_false(set(&(DebugPoint){DEBUG_WATCH_WRITE, 0x1001, 2}, 1, &err));
    g_assert_nonnull(strstr(err->message, "aligned"));
    clear();
    g_assert_cmphex(rig->ram->host[0x1003], ==, 0xa3);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"software-breakpoint-stops-in-front-of-its-instruction", test_software_breakpoint},
        {"more-breakpoints-than-registers-are-int3", test_more_breakpoints_than_registers},
        {"breakpoint-on-the-guests-own-int3", test_breakpoint_on_the_guests_int3},
        {"hardware-breakpoint-stops", test_hardware_breakpoint},
        {"watchpoint-stops-behind-the-write", test_watchpoint},
        {"single-steps-are-one-instruction-each", test_single_step},
        {"breakpoint-in-rom-stops", test_breakpoint_in_rom},
        {"too-many-points-change-nothing", test_too_many_points_change_nothing},
    };

    g_test_init(&argc, &argv, NULL);
    if (!kvm_rig_available()) {
        return g_test_run();
    }
    rig = kvm_rig_new("kernel-irqchip", "off", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/kvm/debug/", tests[i].name, NULL);
        g_test_add_func(path, tests[i].fn);
    }
    return g_test_run();
}
