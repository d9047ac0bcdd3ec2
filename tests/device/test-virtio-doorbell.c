/*
 * Queue notifications by eventfd: heard by the main loop, kept while the machine is stopped.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "core/accel.h"
#include "hw/virtio/virtio_pci.h"
#include "tests/device/fixture.h"

enum { QUEUES = 3 };

typedef struct Bell {
    VirtioPci vpci;
    unsigned handled[QUEUES];
} Bell;

/* ---- a device that counts notifications ---- */

static uint64_t no_features(VirtioDevice *vdev)
{
    (void)vdev;
    return 0;
}
static void handle_queue(VirtioDevice *vdev, VirtQueue *queue)
{
    ((Bell *)virtio_pci_of(vdev))->handled[queue->index]++;
}
static const VirtioOps ops = {
    .id = VIRTIO_ID_RNG, .features = no_features, .handle_queue = handle_queue};

static bool realize(Device *dev, GError **err)
{
    Bell *s = (Bell *)dev;

    if (!virtio_pci_begin(&s->vpci, &ops, err)) {
        return false;
    }
    for (int i = 0; i < QUEUES; i++) {
        virtio_add_queue(&s->vpci.vdev, 64);
    }
    return virtio_pci_end(&s->vpci, err);
}
static void unrealize(Device *dev)
{
    (void)dev;
}
static void reset(Device *dev)
{
    virtio_pci_reset((VirtioPci *)dev);
}

static const PciClass pci = VIRTIO_PCI_CLASS_TRANSITIONAL(VIRTIO_ID_RNG, 0x1005, 0xff0000);
static const Property bell_props[] = {
    VIRTIO_PCI_PROPS(Bell),
    {.type = PROP_END},
};
static const StateField fields[] = {
    STATE_FIELD_STRUCT(Bell, vpci, &virtio_pci_state_table),
    STATE_FIELD_END,
};
static const StateTable state = {.name = "bell", .version = 1, .min_version = 1, .fields = fields};
static const DeviceClass bell_class = {.name = "bell-pci",
                                       .bus_type = "PCI",
                                       .category = DEVICE_CATEGORY_MISC,
                                       .size = sizeof(Bell),
                                       .props = bell_props,
                                       .bus_props = pci_props,
                                       .state = &state,
                                       .bus_class = &pci,
                                       .realize = realize,
                                       .unrealize = unrealize,
                                       .reset = reset};

/* ---- a machine whose accelerator takes doorbells, or not ---- */

static bool takes_doorbells;

static bool has_cap(Accel *accel, AccelCap cap)
{
    (void)accel;
    return cap == ACCEL_CAP_DOORBELLS && takes_doorbells;
}

static Fixture *f;

static Bell *begin(bool doorbells, const char *props)
{
    static const AccelClass cls = {.name = "fake", .has_cap = has_cap};
    static Accel accel = {.cls = &cls};
    Bell *s;

    takes_doorbells = doorbells;
    f = fixture_new(1 << 20);
    f->machine.accel = &accel;
    atomic_store(&f->machine.run_state, RUN_STATE_RUNNING);
    s = (Bell *)fixture_add(f, pci_bus_qbus(f->pci), &bell_class, props);
    pci_set(&s->vpci.pci, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    for (int i = 0; i < QUEUES; i++) {
        s->vpci.vdev.queues[i].enabled = 1;
    }
    return s;
}

static void end(void)
{
    f->machine.accel = NULL;
    fixture_free(f);
}

/* ---- tests ---- */

static void test_every_queue_has_its_doorbells(void)
{
    Bell *s = begin(true, NULL);
    size_t legacy, modern;
    const MemDoorbell *l = mem_region_doorbells(s->vpci.legacy_bar, &legacy);
    const MemDoorbell *m = mem_region_doorbells(s->vpci.modern_bar, &modern);

    g_assert_cmpuint(legacy, ==, QUEUES);
    g_assert_cmpuint(modern, ==, QUEUES);
    for (size_t i = 0; i < QUEUES; i++) {
        g_assert_true(l[i].match && l[i].value == i && l[i].offset == 0x10 && l[i].size == 2);
        g_assert_true(!m[i].match && m[i].offset == 0x3000 + 4 * i && m[i].size == 2);
        g_assert_cmpint(l[i].fd, ==, m[i].fd);
    }
    end();
}

static int doorbell_fd(Bell *s, size_t queue)
{
    size_t count;
    const MemDoorbell *list = mem_region_doorbells(s->vpci.modern_bar, &count);

    g_assert_cmpuint(queue, <, count);
    return list[queue].fd;
}

static void test_a_doorbell_is_a_notification(void)
{
    Bell *s = begin(true, NULL);

    eventfd_write(doorbell_fd(s, 1), 1);
    eventfd_write(doorbell_fd(s, 1), 1);
    fixture_breathe(f);
    g_assert_cmpuint(s->handled[0], ==, 0);
    g_assert_cmpuint(s->handled[1], ==, 1);
    eventfd_write(doorbell_fd(s, 1), 1);
    fixture_breathe(f);
    g_assert_cmpuint(s->handled[1], ==, 2);
    end();
}

static void test_a_doorbell_waits_for_the_machine(void)
{
    Bell *s = begin(true, NULL);

    atomic_store(&f->machine.run_state, RUN_STATE_PAUSED);
    eventfd_write(doorbell_fd(s, 2), 1);
    fixture_breathe(f);
    g_assert_cmpuint(s->handled[2], ==, 0);
    atomic_store(&f->machine.run_state, RUN_STATE_RUNNING);
    machine_run_state_changed(&f->machine);
    g_assert_cmpuint(s->handled[2], ==, 1);
    machine_run_state_changed(&f->machine);
    g_assert_cmpuint(s->handled[2], ==, 1);
    end();
}

static void test_an_unheard_doorbell_is_saved(void)
{
    Bell *s = begin(true, NULL);
    GByteArray *saved;

    atomic_store(&f->machine.run_state, RUN_STATE_PAUSED);
    eventfd_write(doorbell_fd(s, 0), 1);
    saved = fixture_save(&s->vpci.pci.dev);
    end();

    /* It arrives in a machine whose accelerator has no doorbells. */
    s = begin(false, NULL);
    fixture_load(&s->vpci.pci.dev, saved);
    g_byte_array_unref(saved);
    g_assert_cmpuint(s->handled[0], ==, 0);
    machine_run_state_changed(&f->machine);
    g_assert_cmpuint(s->handled[0], ==, 1);
    end();
}

static void test_a_reset_silences_doorbells(void)
{
    Bell *s = begin(true, NULL);

    eventfd_write(doorbell_fd(s, 0), 1);
    virtio_pci_reset(&s->vpci);
    s->vpci.vdev.queues[0].enabled = 1;
    fixture_breathe(f);
    g_assert_cmpuint(s->handled[0], ==, 0);
    end();
}

static void test_there_are_none_without_use(void)
{
    static const struct {
        bool doorbells;
        const char *props;
    } rows[] = {{false, NULL}, {true, "ioeventfd=off"}};

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Bell *s = begin(rows[i].doorbells, rows[i].props);
        size_t count;

        mem_region_doorbells(s->vpci.modern_bar, &count);
        g_assert_cmpuint(count, ==, 0);
        end();
    }
}

static void test_removal_closes_them(void)
{
    Bell *s = begin(true, NULL);
    struct stat st;
    int fd = doorbell_fd(s, 0);

    g_assert_cmpint(fstat(fd, &st), ==, 0);
    end();
    g_assert_cmpint(fstat(fd, &st), ==, -1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"every queue has its doorbells", test_every_queue_has_its_doorbells},
        {"a doorbell is a notification", test_a_doorbell_is_a_notification},
        {"a doorbell waits for the machine", test_a_doorbell_waits_for_the_machine},
        {"an unheard doorbell is saved", test_an_unheard_doorbell_is_saved},
        {"a reset silences doorbells", test_a_reset_silences_doorbells},
        {"there are none without use", test_there_are_none_without_use},
        {"removal closes them", test_removal_closes_them},
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/virtio/doorbell/", tests[i].name, NULL);
        g_test_add_func(path, tests[i].fn);
    }
    return g_test_run();
}
