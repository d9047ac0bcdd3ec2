/*
 * What every device class owes: a description, documented properties, a state table; and that its
 * state, saved and loaded into a reset device, is the same state again, whatever a guest did
 * before.
 *
 * The guest is a stream of pseudo-random port, memory and configuration accesses (seed in the
 * output; EMU_SEED repeats a run). Damaged states must be refused or give a device that can be
 * used. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mainloop.h"
#include "hw/classes.h"
#include "tests/device/pc_rig.h"
#include "ui/chardev.h"

enum { ROUNDS = 20, ACCESSES = 3000, DAMAGES = 30 };

static PcRig *rig;
static GRand *rng;

/* ---- classes ---- */

static void check_props(const DeviceClass *cls, const Property *props)
{
    for (const Property *p = props; p && p->type != PROP_END; p++) {
        if (!p->name || !p->description || !p->size) {
            g_error("%s: property %s lacks a description or a field", cls->name,
                    p->name ? p->name : "(unnamed)");
        }
    }
}

static void test_every_class_is_described_once(void)
{
    GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; hw_classes[i]; i++) {
        const DeviceClass *cls = hw_classes[i];

        g_assert_nonnull(cls->name);
        g_assert_nonnull(cls->description);
        g_assert_nonnull(cls->bus_type);
        g_assert_nonnull(cls->state);
        g_assert_nonnull(cls->realize);
        g_assert_true(g_hash_table_add(names, (gpointer)cls->name));
        g_assert_true(!cls->user_creatable || cls->unrealize);
        check_props(cls, cls->props);
        check_props(cls, cls->bus_props);
    }
    g_hash_table_unref(names);
}

/* ---- state ---- */

typedef struct Saved {
    Device *dev;
    GByteArray *state;
} Saved;

static bool save_one(Device *dev, void *opaque)
{
    Saved s = {dev, g_byte_array_new()};

    state_save(dev->cls->state, dev, s.state);
    g_array_append_val((GArray *)opaque, s);
    return true;
}

static GArray *save_all(void)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(Saved));

    device_foreach(rig->m.root_bus, save_one, all);
    return all;
}

static void load_all(GArray *all)
{
    for (guint i = 0; i < all->len; i++) {
        const Saved *s = &g_array_index(all, Saved, i);
        size_t pos = 0;
        GError *err = NULL;

        if (!state_load(s->dev->cls->state, s->dev, s->state->data, s->state->len, &pos, &err)) {
            g_error("%s does not load what it saved: %s", s->dev->cls->name, err->message);
        }
        g_assert_cmpuint(pos, ==, s->state->len);
    }
}

static void compare_all(const GArray *a, const GArray *b)
{
    g_assert_cmpuint(a->len, ==, b->len);
    for (guint i = 0; i < a->len; i++) {
        const Saved *x = &g_array_index(a, Saved, i), *y = &g_array_index(b, Saved, i);
        guint at = 0;

        g_assert_cmpuint(x->state->len, ==, y->state->len);
        while (at < x->state->len && x->state->data[at] == y->state->data[at]) {
            at++;
        }
        if (at < x->state->len) {
            g_error("%s: byte %u of %u of its state is %02x after save, reset and load, was %02x",
                    x->dev->cls->name, at, x->state->len, y->state->data[at], x->state->data[at]);
        }
    }
}

static void free_all(GArray *all)
{
    for (guint i = 0; i < all->len; i++) {
        g_byte_array_unref(g_array_index(all, Saved, i).state);
    }
    g_array_free(all, TRUE);
}

/* ---- the guest ---- */

static const uint16_t ports[] = {
    0x00,  0x01,  0x04,  0x05,  0x08,  0x09,  0x0a,  0x0b,  0x0c,   0x0d,   0x0f,   0x81,  0x83,
    0xc0,  0xc4,  0xd0,  0xd4,  0xd6,  0xde,  0x3f2, 0x3f4, 0x3f5,  0x3f5,  0x3f5,  0x3f7, 0x20,
    0x21,  0x40,  0x41,  0x42,  0x43,  0x60,  0x61,  0x64,  0x70,   0x71,   0x92,   0xa0,  0xa1,
    0xb2,  0xb3,  0x1ce, 0x1cf, 0x1d0, 0x1f0, 0x1f1, 0x1f2, 0x1f3,  0x1f4,  0x1f5,  0x1f6, 0x1f7,
    0x170, 0x171, 0x172, 0x173, 0x174, 0x175, 0x176, 0x177, 0x3f6,  0x376,  0x3c0,  0x3c1, 0x3c2,
    0x3c4, 0x3c5, 0x3c6, 0x3c7, 0x3c8, 0x3c9, 0x3ce, 0x3cf, 0x3d4,  0x3d5,  0x3da,  0x3f8, 0x3f9,
    0x3fa, 0x3fb, 0x3fc, 0x3fe, 0x3ff, 0x4d0, 0x4d1, 0x510, 0x511,  0x514,  0x601,  0x602, 0x604,
    0x60c, 0x60e, 0x700, 0x702, 0x703, 0x707, 0xcf8, 0xcf9, 0xc000, 0xc002, 0xc004,
};
static const uint32_t windows[] = {0xfed00000, 0xfee00000, 0xfec00000, 0xa0000,
                                   0xb8000,    0xe0000000, 0xe1000000, 0xe1001000,
                                   0xe1100000, 0xe1102000, 0xe1103000, 0xe1204000};

static uint32_t random_below(uint32_t n)
{
    return (uint32_t)g_rand_int_range(rng, 0, (gint32)n);
}

static void poke_config(void)
{
    int devfn = (int)random_below(6 * 8);
    uint32_t reg = random_below(256);

    pc_config_out(rig, devfn >> 3, devfn & 7, reg, g_rand_int(rng), 1);
}

/* Puts BARs and blocks back where the accesses can find them. */
static void place_windows(void)
{
    pc_config_out(rig, 1, 1, 0x20, 0xc001, 4);
    pc_config_out(rig, 1, 1, 4, 5, 2);
    pc_config_out(rig, 1, 3, 0x40, 0x601, 4);
    pc_config_out(rig, 1, 3, 0x80, 1, 1);
    pc_config_out(rig, 1, 3, 0x90, 0x701, 4);
    pc_config_out(rig, 1, 3, 0xd2, 1, 1);
    pc_config_out(rig, 2, 0, 0x10, 0xe0000000, 4);
    pc_config_out(rig, 2, 0, 4, 3, 2);
    pc_config_out(rig, 3, 0, 0x14, 0xe1000000, 4);
    pc_config_out(rig, 3, 0, 0x20, 0xe1004000, 4);
    pc_config_out(rig, 3, 0, 4, 7, 2);
    pc_config_out(rig, 4, 0, 0x10, 0xe1100000, 4);
    pc_config_out(rig, 4, 0, 4, 7, 2);
    pc_config_out(rig, 5, 0, 0x14, 0xe1200000, 4);
    pc_config_out(rig, 5, 0, 0x20, 0xe1204000, 4);
    pc_config_out(rig, 5, 0, 4, 7, 2);
}

static void poke(void)
{
    uint32_t what = random_below(100);
    unsigned size = 1u << random_below(3);

    if (what < 60) {
        uint16_t port = ports[random_below(G_N_ELEMENTS(ports))];

        pc_out(rig, port, g_rand_int(rng), random_below(4) ? 1 : size);
    } else if (what < 75) {
        pc_in(rig, ports[random_below(G_N_ELEMENTS(ports))], size);
    } else if (what < 95) {
        uint32_t addr = windows[random_below(G_N_ELEMENTS(windows))] + 4 * random_below(0x400);

        if (what < 90) {
            pc_write(rig, addr, g_rand_int(rng), size);
        } else {
            pc_read(rig, addr, size);
        }
    } else {
        poke_config();
    }
}

static void poke_much(void)
{
    place_windows();
    for (int i = 0; i < ACCESSES; i++) {
        poke();
    }
    main_loop_iterate(false);
}

static void test_state_saved_is_the_state_loaded(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        GArray *before, *after;

        poke_much();
        before = save_all();
        device_reset_all(rig->m.root_bus);
        load_all(before);
        after = save_all();
        compare_all(before, after);
        free_all(before);
        free_all(after);
    }
}

static void damage_and_load(const Saved *s)
{
    GByteArray *bad = g_byte_array_new();
    size_t pos = 0;
    GError *err = NULL;

    g_byte_array_append(bad, s->state->data, s->state->len);
    for (uint32_t n = 1 + random_below(8); n && bad->len; n--) {
        bad->data[random_below(bad->len)] = (uint8_t)g_rand_int(rng);
    }
    if (random_below(8) == 0) {
        g_byte_array_set_size(bad, random_below(bad->len + 1));
    }
    if (!state_load(s->dev->cls->state, s->dev, bad->data, bad->len, &pos, &err)) {
        g_assert_nonnull(err);
        g_clear_error(&err);
    }
    g_byte_array_unref(bad);
}

static void test_damaged_state_is_refused_or_harmless(void)
{
    for (int round = 0; round < DAMAGES; round++) {
        GArray *all;

        poke_much();
        all = save_all();
        for (guint i = 0; i < all->len; i++) {
            damage_and_load(&g_array_index(all, Saved, i));
        }
        poke_much();
        device_reset_all(rig->m.root_bus);
        free_all(all);
    }
}

/* ---- the machine has all of them ---- */

static bool count_class(Device *dev, void *opaque)
{
    g_hash_table_add(opaque, (gpointer)dev->cls);
    return true;
}

static void test_every_class_is_in_the_machine(void)
{
    /* Takes the place of the APICs where a machine has none; or needs a disk. */
    static const char *const elsewhere[] = {"cpu-pic",
                                            "ide-hd",
                                            "virtio-blk-pci",
                                            "virtio-blk-pci-transitional",
                                            "virtio-blk-pci-non-transitional",
                                            NULL};
    GHashTable *seen = g_hash_table_new(NULL, NULL);

    device_foreach(rig->m.root_bus, count_class, seen);
    for (size_t i = 0; hw_classes[i]; i++) {
        if (!g_hash_table_contains(seen, hw_classes[i]) &&
            !g_strv_contains(elsewhere, hw_classes[i]->name)) {
            g_error("%s is in no machine of this test", hw_classes[i]->name);
        }
    }
    g_hash_table_unref(seen);
}

static void add(const char *cls, const char *bus, const char *prop, const char *value)
{
    GError *err = NULL;

    if (device_class_find(cls)) {
        device_create(&rig->m, bus_find(rig->m.root_bus, NULL, bus), device_class_find(cls), &err,
                      prop, value, NULL);
        g_assert_no_error(err);
    }
}

int main(int argc, char **argv)
{
    const char *given = g_getenv("EMU_SEED");
    uint32_t seed = given ? (uint32_t)strtoul(given, NULL, 0) : g_random_int();
    PcConfig cfg;
    GError *err = NULL;

    g_test_init(&argc, &argv, NULL);
    printf("# EMU_SEED=%u\n", seed);
    rng = g_rand_new_with_seed(seed);
    pc_rig_start();
    chardev_from_legacy("com1", "null", &err);
    g_assert_no_error(err);
    chardev_from_legacy("debug", "null", &err);
    g_assert_no_error(err);
    pc_config_init(&cfg);
    cfg.ram_size = 32 << 20;
    cfg.serial[0] = "com1";
    rig = pc_rig_new(&cfg);
    add("virtio-rng-pci", "PCI", NULL, NULL);
    add("e1000", "PCI", "romfile", "");
    add("virtio-net-pci", "PCI", "romfile", "");
    add("virtio-net-pci-transitional", "PCI", "romfile", "");
    add("virtio-net-pci-non-transitional", "PCI", "romfile", "");
    add("virtio-rng-pci-transitional", "PCI", NULL, NULL);
    add("virtio-rng-pci-non-transitional", "PCI", NULL, NULL);
    add("ide-cd", "IDE", "unit", "1");
    add("floppy", "floppy-bus", "unit", "0");
    add("isa-debugcon", "ISA", "chardev", "debug");
    add("isa-debug-exit", "ISA", NULL, NULL);
    pc_rig_done(rig);
    clock_vm_enable(false);
    clock_vm_set(3 * NS_PER_SEC);
    g_test_add_func("/contract/every_class_is_described_once", test_every_class_is_described_once);
    g_test_add_func("/contract/every_class_is_in_the_machine", test_every_class_is_in_the_machine);
    g_test_add_func("/contract/state_saved_is_the_state_loaded",
                    test_state_saved_is_the_state_loaded);
    g_test_add_func("/contract/damaged_state_is_refused_or_harmless",
                    test_damaged_state_is_refused_or_harmless);
    return g_test_run();
}
