/*
 * Devices, buses, properties and accelerator options; requests to the machine.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/accel.h"
#include "core/device.h"
#include "core/machine.h"
#include "core/mainloop.h"

typedef struct Widget {
    Device dev;
    bool on;
    uint8_t small;
    uint32_t ranged;
    int16_t sign;
    uint64_t size;
    char *text;
    int colour;
    char *drive;
    uint8_t mac[6];
    int32_t devfn;
    bool fail;
    Bus *child_bus;
} Widget;

static const char *const colours[] = {"red", "green", "blue", NULL};

static const Property widget_props[] = {
    {"on", PROP_BOOL, PROP_FIELD(Widget, on), .default_value = "on", .description = "a switch"},
    {"small", PROP_UINT, PROP_FIELD(Widget, small)},
    {"ranged", PROP_UINT, PROP_FIELD(Widget, ranged), .min = 2, .max = 10, .default_value = "3"},
    {"sign", PROP_INT, PROP_FIELD(Widget, sign), .default_value = "-1"},
    {"size", PROP_SIZE, PROP_FIELD(Widget, size), .default_value = "1M"},
    {"text", PROP_STRING, PROP_FIELD(Widget, text), .default_value = "hello"},
    {"colour", PROP_ENUM, PROP_FIELD(Widget, colour), .default_value = "green", .values = colours},
    {"drive", PROP_DRIVE, PROP_FIELD(Widget, drive), .description = "the disk"},
    {"mac", PROP_MAC, PROP_FIELD(Widget, mac), .default_value = "52:54:00:12:34:56"},
    {"fail", PROP_BOOL, PROP_FIELD(Widget, fail)},
    {.type = PROP_END},
};

static const Property bus_props[] = {
    {"addr", PROP_DEVFN, PROP_FIELD(Widget, devfn), .default_value = "-1",
     .description = "slot and function, example: 06.0 or 06"},
    {.type = PROP_END},
};

static GString *trace;

static void note(const char *what, Device *dev)
{
    g_string_append_printf(trace, "%s%s ", what, dev->id ? dev->id : "?");
}

static void trace_is(const char *expected)
{
    g_assert_cmpstr(g_strchomp(trace->str), ==, expected);
    g_string_truncate(trace, 0);
}

static bool widget_realize(Device *dev, GError **err)
{
    Widget *w = (Widget *)dev;

    g_assert(dev->parent);
    w->child_bus = bus_new("Slot", NULL, dev);
    if (w->fail) {
        g_set_error(err, g_quark_from_static_string("test"), 0, "told to fail");
        return false;
    }
    note("+", dev);
    return true;
}

static void widget_unrealize(Device *dev)
{
    note("-", dev);
}

static void widget_reset(Device *dev)
{
    note("r", dev);
}

#define WIDGET(n, bus)                                                                             \
    {                                                                                              \
        .name = n, .description = "a widget", .bus_type = bus, .size = sizeof(Widget),             \
        .props = widget_props, .bus_props = bus_props, .state = &state_table_none,                 \
        .user_creatable = true, .category = DEVICE_CATEGORY_STORAGE, .realize = widget_realize,    \
        .unrealize = widget_unrealize, .reset = widget_reset                                       \
    }

static const DeviceClass widget_class = WIDGET("widget", "System");
static const DeviceClass slot_class = WIDGET("slot-widget", "Slot");
static const DeviceClass plain_class = {.name = "plain",
                                        .alias = "simple",
                                        .bus_type = "Slot",
                                        .size = sizeof(Device),
                                        .state = &state_table_none,
                                        .user_creatable = true,
                                        .category = DEVICE_CATEGORY_BRIDGE};
static const DeviceClass hidden_class = {
    .name = "hidden", .size = sizeof(Device), .state = &state_table_none};
static const DeviceClass *const classes[] = {&widget_class, &slot_class, &hidden_class,
                                             &plain_class, NULL};

static Machine *machine_new(void)
{
    Machine *m = g_new0(Machine, 1);

    m->root_bus = bus_new("System", "main-system-bus", NULL);
    m->globals = g_hash_table_new(g_str_hash, g_str_equal);
    return m;
}

static void machine_free(Machine *m)
{
    bus_free(m->root_bus);
    g_hash_table_unref(m->globals);
    g_slist_free_full(m->powerdown_callbacks, g_free);
    g_free(m);
}

static void error_has(GError **err, const char *text)
{
    g_assert_nonnull(*err);
    if (!strstr((*err)->message, text)) {
        g_error("'%s' does not say '%s'", (*err)->message, text);
    }
    g_clear_error(err);
}

/* ---- properties ---- */

static void prop_is(const Device *dev, const char *name, const char *expected)
{
    char *value = device_get_prop(dev, name);

    g_assert_cmpstr(value, ==, expected);
    g_free(value);
}

static void test_defaults_and_every_type_round_trip(void)
{
    static const struct {
        const char *name, *initial, *set, *get;
    } cases[] = {
        {"on", "on", "no", "off"},
        {"small", "0", "0xff", "255"},
        {"ranged", "3", "10", "10"},
        {"sign", "-1", "-32768", "-32768"},
        {"sign", "-32768", "32767", "32767"},
        {"size", "1048576", "1.5G", "1610612736"},
        {"text", "hello", "", ""},
        {"colour", "green", "blue", "blue"},
        {"drive", "", "hd0", "hd0"},
        {"mac", "52:54:00:12:34:56", "AA-bb-cc:dd:ee:FF", "aa:bb:cc:dd:ee:ff"},
        {"addr", "-1", "1f.7", "1f.7"},
        {"addr", "1f.7", "0x3", "03.0"},
        {"addr", "03.0", "-1", "-1"},
    };
    Device *dev = device_new(NULL, &widget_class, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *err = NULL;

        prop_is(dev, cases[i].name, cases[i].initial);
        device_set_prop(dev, cases[i].name, cases[i].set, &err);
        g_assert_no_error(err);
        prop_is(dev, cases[i].name, cases[i].get);
    }
    prop_is(dev, "absent", NULL);
    g_assert_cmpint(((Widget *)dev)->sign, ==, 32767);
    device_free(dev);
}

static void test_wrong_values_are_refused_with_what_is_right(void)
{
    static const struct {
        const char *name, *value, *right;
    } cases[] = {
        {"on", "1", "'on' or 'off'"},
        {"small", "256", "0 to 255"},
        {"small", "-1", "0 to 255"},
        {"ranged", "1", "2 to 10"},
        {"ranged", "11", "2 to 10"},
        {"ranged", "", "2 to 10"},
        {"sign", "32768", "-32768 to 32767"},
        {"sign", "--1", "-32768 to 32767"},
        {"size", "1X", "size"},
        {"colour", "pink", "red, green, blue"},
        {"mac", "52:54:00:12:34", "52:54:00:12:34:56"},
        {"mac", "52:54:00:12:34:5g", "six"},
        {"mac", "52:54:00:12:34:56:78", "six"},
        {"addr", "20", "0 to 1f"},
        {"addr", "1.8", "0 to 7"},
        {"addr", "1.", "0 to 7"},
        {"addr", "", "0 to 1f"},
        {"addr", "99999999999999999999", "0 to 1f"},
        {"nonesuch", "1", "known here: on, small"},
    };
    Device *dev = device_new(NULL, &widget_class, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *err = NULL;

        g_assert_false(device_set_prop(dev, cases[i].name, cases[i].value, &err));
        g_assert_nonnull(strstr(err->message, cases[i].name));
        g_assert_nonnull(strstr(err->message, "widget"));
        error_has(&err, cases[i].right);
    }
    prop_is(dev, "ranged", "3");
    prop_is(dev, "mac", "52:54:00:12:34:56");
    device_free(dev);
}

static void test_globals_are_defaults_and_their_errors_surface(void)
{
    Machine *m = machine_new();
    GError *err = NULL;
    Device *dev;

    g_hash_table_insert(m->globals, (gpointer) "widget.ranged", (gpointer) "7");
    g_hash_table_insert(m->globals, (gpointer) "widget.addr", (gpointer) "5");
    g_hash_table_insert(m->globals, (gpointer) "other.small", (gpointer) "9");
    dev = device_new(m, &widget_class, NULL);
    prop_is(dev, "ranged", "7");
    prop_is(dev, "addr", "05.0");
    prop_is(dev, "small", "0");
    g_assert_true(device_set_prop(dev, "ranged", "4", NULL));
    prop_is(dev, "ranged", "4");
    device_free(dev);
    g_hash_table_insert(m->globals, (gpointer) "widget.small", (gpointer) "999");
    dev = device_new(m, &widget_class, NULL);
    g_assert_false(device_realize(dev, NULL, &err));
    error_has(&err, "-global widget.small");
    device_free(dev);
    machine_free(m);
}

/* ---- the tree ---- */

static void test_tree_order_of_reset_and_removal(void)
{
    Machine *m = machine_new();
    Device *a = device_new(m, &widget_class, "a"), *b = device_new(m, &widget_class, "b");
    Device *a1 = device_new(m, &slot_class, "a1"), *a2 = device_new(m, &slot_class, "a2");
    Device *a1x = device_new(m, &slot_class, "a1x");
    GString *out = g_string_new(NULL);

    g_assert_true(device_realize(a, NULL, NULL));
    g_assert(a->parent == m->root_bus);
    g_assert_true(device_realize(b, m->root_bus, NULL));
    g_assert_true(device_realize(a1, ((Widget *)a)->child_bus, NULL));
    g_assert_true(device_realize(a2, bus_find(m->root_bus, "a.0", NULL), NULL));
    g_assert_true(device_realize(a1x, ((Widget *)a1)->child_bus, NULL));
    trace_is("+a +b +a1 +a2 +a1x");
    device_reset_all(m->root_bus);
    trace_is("ra ra1 ra1x ra2 rb");
    g_assert(device_find(m->root_bus, "a1x") == a1x);
    g_assert_null(device_find(m->root_bus, "zz"));
    g_assert(bus_find(m->root_bus, NULL, "Slot") == ((Widget *)a)->child_bus);
    g_assert_null(bus_find(m->root_bus, "a.0", "PCI"));

    device_print_tree(m->root_bus, out);
    g_assert_true(g_str_has_prefix(out->str, "bus: main-system-bus\n  type System\n"
                                             "  dev: widget, id \"a\"\n    on = on\n"
                                             "    small = 0 (0x0)\n"));
    g_assert_nonnull(strstr(out->str, "    addr = -1\n    bus: a.0\n      type Slot\n"
                                      "      dev: slot-widget, id \"a1\"\n"));
    g_string_free(out, TRUE);

    device_free(a); /* what sits on it goes first, newest first */
    trace_is("-a2 -a1x -a1 -a");
    g_assert_null(device_find(m->root_bus, "a1"));
    device_unrealize(b);
    device_unrealize(b);
    trace_is("-b");
    g_assert_null(b->parent);
    device_free(b);
    device_free(NULL);
    machine_free(m);
}

static bool refuse(Bus *bus, Device *dev, GError **err)
{
    (void)bus;
    g_set_error(err, g_quark_from_static_string("test"), 0, "no place for %s", dev->id);
    return false;
}

static void test_failed_realize_leaves_the_device_as_it_was(void)
{
    Machine *m = machine_new();
    Device *dev = device_new(m, &widget_class, "x"), *twin = device_new(m, &widget_class, "x");
    Device *slot = device_new(m, &slot_class, "s");
    GError *err = NULL;

    g_assert_true(device_set_prop(dev, "fail", "on", NULL));
    g_assert_false(device_realize(dev, NULL, &err));
    error_has(&err, "told to fail");
    g_assert(!dev->parent && !dev->buses && !dev->realized && !m->root_bus->devices);
    g_assert_true(device_set_prop(dev, "fail", "off", NULL));
    g_assert_true(device_realize(dev, NULL, &err));
    trace_is("+x");

    g_assert_false(device_realize(twin, NULL, &err));
    error_has(&err, "'x'");
    g_assert_false(device_realize(slot, NULL, &err));
    error_has(&err, "no bus of type Slot");
    g_assert_false(device_realize(slot, m->root_bus, &err));
    error_has(&err, "needs a bus of type Slot");
    ((Widget *)dev)->child_bus->attach = refuse;
    g_assert_false(device_realize(slot, ((Widget *)dev)->child_bus, &err));
    error_has(&err, "no place for s");
    g_assert_null(slot->parent);
    device_free(slot);
    device_free(twin);
    device_free(dev);
    trace_is("-x");

    dev = device_create(m, NULL, &widget_class, &err, "ranged", "99", NULL);
    g_assert_null(dev);
    error_has(&err, "2 to 10");
    dev = device_create(m, NULL, &widget_class, &err, "ranged", "9", "text", "t", NULL);
    g_assert_no_error(err);
    prop_is(dev, "text", "t");
    device_free(dev);
    g_string_truncate(trace, 0);
    machine_free(m);
}

static void test_help_lists_classes_and_properties(void)
{
    GString *out = g_string_new(NULL);

    g_assert(device_class_find("simple") == &plain_class);
    g_assert(device_class_find("widget") == &widget_class);
    g_assert_null(device_class_find("gadget"));
    device_print_class_list(out);
    g_assert_cmpstr(out->str, ==,
                    "Controller/Bridge/Hub devices:\n"
                    "name \"plain\", bus Slot, alias \"simple\"\n"
                    "\nStorage devices:\n"
                    "name \"slot-widget\", bus Slot, desc \"a widget\"\n"
                    "name \"widget\", bus System, desc \"a widget\"\n");
    g_string_truncate(out, 0);
    device_print_class(&widget_class, out);
    g_assert_cmpstr(out->str, ==,
                    "widget options:\n"
                    "  addr=<str>            - slot and function, example: 06.0 or 06 "
                    "(default: -1)\n"
                    "  colour=<enum>         - (red/green/blue) (default: green)\n"
                    "  drive=<str>           - the disk\n"
                    "  fail=<bool>\n"
                    "  mac=<str>             -  (default: 52:54:00:12:34:56)\n"
                    "  on=<bool>             - a switch (default: on)\n"
                    "  ranged=<uint32>       -  (default: 3)\n"
                    "  sign=<int16>          -  (default: -1)\n"
                    "  size=<size>           -  (default: 1M)\n"
                    "  small=<uint8>\n"
                    "  text=<str>            -  (default: hello)\n");
    g_string_truncate(out, 0);
    device_print_class(&plain_class, out);
    g_assert_cmpstr(out->str, ==, "There are no options for plain.\n");
    g_string_free(out, TRUE);
}

/* ---- accelerators share the properties ---- */

typedef struct TestAccel {
    Accel accel;
    bool selftest;
    char *path;
} TestAccel;

static const Property accel_props[] = {
    {"selftest", PROP_BOOL, PROP_FIELD(TestAccel, selftest), .default_value = "on"},
    {"path", PROP_STRING, PROP_FIELD(TestAccel, path), .default_value = "/dev/kvm"},
    {.type = PROP_END},
};

static void test_accelerator_options(void)
{
    static const AccelClass cls = {.name = "test", .props = accel_props, .size = sizeof(TestAccel)};
    Accel *accel = accel_new(&cls);
    GError *err = NULL;

    g_assert(((TestAccel *)accel)->selftest && accel->cls == &cls);
    g_assert_true(accel_set_prop(accel, "selftest", "off", &err));
    g_assert_false(((TestAccel *)accel)->selftest);
    g_assert_false(accel_set_prop(accel, "selftest", "perhaps", &err));
    error_has(&err, "-accel test.selftest");
    g_assert_false(accel_set_prop(accel, "thread", "multi", &err));
    error_has(&err, "'thread'; known here: selftest, path");
    accel_free(accel);
    accel_free(NULL);
}

/* ---- requests ---- */

static void hook_reset(Machine *m, ShutdownCause cause)
{
    g_assert_true(machine_request_pending(m));
    g_string_append_printf(trace, "reset%d ", cause);
}

static void hook_shutdown(Machine *m, ShutdownCause cause, int status)
{
    (void)m;
    g_string_append_printf(trace, "shutdown%d,%d ", cause, status);
}

static void hook_stop(Machine *m, RunState why)
{
    (void)m;
    g_string_append_printf(trace, "stop%d ", why);
}

static void power_button(void *opaque)
{
    g_string_append_printf(trace, "%s ", (const char *)opaque);
}

static void test_requests_are_carried_out_by_the_main_loop(void)
{
    static const MachineHooks hooks = {hook_reset, hook_shutdown, hook_stop};
    Machine *m = machine_new();
    Cpu cpu = {.machine = m}, *cpus[] = {&cpu};

    m->cpus = cpus;
    m->cpu_count = 1;
    machine_set_hooks(&hooks);
    machine_on_powerdown(m, power_button, (gpointer) "acpi");

    machine_request_powerdown(m);
    g_assert_false(machine_request_pending(m));
    main_loop_iterate(false);
    trace_is("acpi");
    g_assert_cmphex(atomic_load(&cpu.events), ==, 0);

    machine_request_reset(m, SHUTDOWN_GUEST_RESET);
    machine_request_reset(m, SHUTDOWN_GUEST_PANIC);
    machine_request_stop(m, RUN_STATE_PAUSED);
    g_assert_true(machine_request_pending(m));
    g_assert_true(atomic_load(&cpu.events) & CPU_EVENT_STOP);
    main_loop_iterate(false);
    trace_is("reset3 stop2");
    g_assert_false(machine_request_pending(m));

    machine_request_reset(m, SHUTDOWN_GUEST_RESET);
    machine_request_shutdown(m, SHUTDOWN_DEBUG_EXIT, 33);
    machine_request_shutdown(m, SHUTDOWN_HOST_SIGNAL, 0);
    main_loop_iterate(false);
    trace_is("shutdown5,33"); /* the first shutdown wins */
    machine_set_hooks(NULL);
    machine_free(m);
}

static void test_firmware_is_searched_for_in_order(void)
{
    Machine *m = machine_new();
    char *dir = g_dir_make_tmp("emu-fw-XXXXXX", NULL);
    char *path = g_build_filename(dir, "fw.bin", NULL), *found;
    GError *err = NULL;

    g_assert_true(g_file_set_contents(path, "x", 1, NULL));
    m->firmware_path = g_slist_append(NULL, (gpointer) "/nonexistent");
    m->firmware_path = g_slist_append(m->firmware_path, dir);
    found = machine_find_firmware(m, "fw.bin", &err);
    g_assert_no_error(err);
    g_assert_cmpstr(found, ==, path);
    g_free(found);
    found = machine_find_firmware(m, path, &err);
    g_assert_cmpstr(found, ==, path);
    g_free(found);
    g_assert_null(machine_find_firmware(m, "absent.bin", &err));
    g_assert_nonnull(strstr(err->message, "/nonexistent, "));
    error_has(&err, "'absent.bin'");
    g_assert_null(machine_find_firmware(m, dir, &err)); /* a directory is no firmware */
    error_has(&err, "cannot find");
    g_unlink(path);
    g_rmdir(dir);
    g_slist_free(m->firmware_path);
    g_free(path);
    g_free(dir);
    machine_free(m);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    device_class_list_set(classes);
    trace = g_string_new(NULL);
    g_test_add_func("/property/types", test_defaults_and_every_type_round_trip);
    g_test_add_func("/property/wrong", test_wrong_values_are_refused_with_what_is_right);
    g_test_add_func("/property/globals", test_globals_are_defaults_and_their_errors_surface);
    g_test_add_func("/device/tree", test_tree_order_of_reset_and_removal);
    g_test_add_func("/device/failed-realize", test_failed_realize_leaves_the_device_as_it_was);
    g_test_add_func("/device/help", test_help_lists_classes_and_properties);
    g_test_add_func("/accel/options", test_accelerator_options);
    g_test_add_func("/machine/requests", test_requests_are_carried_out_by_the_main_loop);
    g_test_add_func("/machine/firmware", test_firmware_is_searched_for_in_order);
    ret = g_test_run();
    g_string_free(trace, TRUE);
    return ret;
}
