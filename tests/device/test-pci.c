/*
 * The PCI bus layer, seen from a device of the test's own: pins, MSI, MSI-X, DMA, addresses, state.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/lock.h"
#include "hw/pci/pci.h"
#include "tests/device/fixture.h"

enum { MSIX_BAR = 2, VECTORS = 5, LINES = 4 };

typedef struct TestDev {
    PciDevice pci;
    uint32_t value;
} TestDev;

static Fixture *f;
static int line_level[LINES];
static unsigned messages;
static uint64_t message_addr;
static uint32_t message_data;

static void on_line(void *opaque, int n, int level)
{
    (void)opaque;
    line_level[n] = level;
}

static int route(PciBus *bus, uint8_t devfn, int pin)
{
    (void)bus, (void)devfn;
    return pin;
}

static void on_message(void *opaque, uint64_t addr, uint32_t data)
{
    (void)opaque;
    messages++;
    message_addr = addr;
    message_data = data;
}

static uint64_t test_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)addr, (void)size;
    return ((TestDev *)opaque)->value;
}

static void test_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)addr, (void)size;
    ((TestDev *)opaque)->value = (uint32_t)value;
}

static const MemOps test_ops = {.read = test_read, .write = test_write};

static bool test_realize(Device *dev, GError **err)
{
    TestDev *t = (TestDev *)dev;

    pci_register_bar_mem(&t->pci, 0, mem_region_io("test-64", &test_ops, t, 1ull << 33), true,
                         true);
    pci_register_bar_io(&t->pci, 3, mem_region_io("test-io", &test_ops, t, 32));
    return pci_msi_init(&t->pci, 4, err) && pci_msix_init(&t->pci, VECTORS, MSIX_BAR, err);
}

static void test_unrealize(Device *dev)
{
    (void)dev;
}

static const StateField fields[] = {
    STATE_FIELD_STRUCT(TestDev, pci, &pci_state_table),
    STATE_FIELD_UINT(TestDev, value),
    STATE_FIELD_END,
};
static const StateTable state = {
    .name = "pci-test", .version = 1, .min_version = 1, .fields = fields};
static const PciClass pci_test_class = {
    .vendor_id = 0x1234, .device_id = 0x5678, .class_code = 0xff0000, .interrupt_pin = 2};
static const DeviceClass test_class = {
    .name = "pci-test",
    .bus_type = "PCI",
    .size = sizeof(TestDev),
    .bus_props = pci_props,
    .state = &state,
    .bus_class = &pci_test_class,
    .realize = test_realize,
    .unrealize = test_unrealize,
};

static TestDev *new_device(const char *addr, GError **err)
{
    return (TestDev *)device_create(&f->machine, pci_bus_qbus(f->pci), &test_class, err, "addr",
                                    addr, NULL);
}

static TestDev *begin(void)
{
    GError *err = NULL;
    TestDev *t = new_device("05.0", &err);

    g_assert_no_error(err);
    messages = 0;
    return t;
}

static void config(TestDev *t, uint32_t reg, uint32_t value, unsigned size)
{
    pci_config_write(f->pci, t->pci.devfn, reg, value, size);
}

static uint32_t peek(TestDev *t, uint32_t reg, unsigned size)
{
    return pci_config_read(f->pci, t->pci.devfn, reg, size);
}

/* ---- addresses ---- */

static void test_devices_get_free_slots_and_are_refused_taken_ones(void)
{
    TestDev *a = begin(), *b, *c;
    GError *err = NULL;

    b = new_device("-1", &err);
    g_assert_no_error(err);
    g_assert_cmpuint(b->pci.devfn, ==, 0);
    c = new_device("05.0", &err);
    g_assert_null(c);
    g_assert_nonnull(strstr(err->message, "pci-test"));
    g_clear_error(&err);
    c = new_device("05.1", &err); /* 05.0 has one function only */
    g_assert_null(c);
    g_assert_nonnull(strstr(err->message, "multifunction"));
    g_clear_error(&err);
    device_free(&b->pci.dev);
    device_free(&a->pci.dev);
    g_assert_null(pci_bus_device(f->pci, 0x28));
}

static void test_64_bit_bar_maps_above_4g(void)
{
    TestDev *t = begin();

    config(t, 0x10, 0xffffffff, 4);
    config(t, 0x14, 0xffffffff, 4);
    g_assert_cmphex(peek(t, 0x10, 4), ==, 0x0000000c);
    g_assert_cmphex(peek(t, 0x14, 4), ==, 0xfffffffe);
    config(t, 0x10, 0, 4);
    config(t, 0x14, 0x40, 4);
    config(t, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    address_space_store(&f->machine.memory, 0x41f0000000ull, 0xcafe, 4);
    g_assert_cmphex(t->value, ==, 0xcafe);
    device_free(&t->pci.dev);
    t = begin();
    g_assert_cmphex(address_space_load(&f->machine.memory, 0x41f0000000ull, 4), ==, 0xffffffff);
    device_free(&t->pci.dev);
}

/* ---- interrupts ---- */

static void test_shared_line_is_high_while_any_device_drives_it(void)
{
    TestDev *a = begin(), *b = new_device("06.0", NULL);

    pci_set_irq(&a->pci, 1);
    pci_set_irq(&b->pci, 1);
    g_assert_cmpint(line_level[1], ==, 1);
    pci_set_irq(&a->pci, 0);
    g_assert_cmpint(line_level[1], ==, 1);
    g_assert_cmphex(peek(a, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, ==, 0);
    g_assert_cmphex(peek(b, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    config(b, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
    g_assert_cmpint(line_level[1], ==, 0);
    config(b, PCI_COMMAND, 0, 2);
    g_assert_cmpint(line_level[1], ==, 1);
    device_free(&b->pci.dev); /* an unplugged device drives nothing */
    g_assert_cmpint(line_level[1], ==, 0);
    device_free(&a->pci.dev);
}

static uint8_t find_cap(TestDev *t, uint8_t id)
{
    uint8_t cap = (uint8_t)peek(t, PCI_CAPABILITY_LIST, 1);

    while (cap && peek(t, cap, 1) != id) {
        cap = (uint8_t)peek(t, cap + 1u, 1);
    }
    g_assert_cmphex(cap, !=, 0);
    return cap;
}

static void test_msi_needs_enable_and_mastering_and_ors_the_vector(void)
{
    TestDev *t = begin();
    uint8_t cap = find_cap(t, PCI_CAP_ID_MSI);

    config(t, cap + 4u, 0xfee01000, 4);
    config(t, cap + 8u, 0, 4);
    config(t, cap + 12u, 0x4040, 2);
    pci_msi_notify(&t->pci, 1);
    g_assert_cmpuint(messages, ==, 0);
    config(t, cap + 2u, 1 | 2 << 4, 2); /* all four granted */
    pci_msi_notify(&t->pci, 1);
    g_assert_cmpuint(messages, ==, 0); /* no bus mastering */
    config(t, PCI_COMMAND, PCI_COMMAND_MASTER, 2);
    pci_msi_notify(&t->pci, 3);
    g_assert_cmpuint(messages, ==, 1);
    g_assert_cmphex(message_addr, ==, 0xfee01000);
    g_assert_cmphex(message_data, ==, 0x4043);
    config(t, cap + 2u, 1 | 7 << 4, 2); /* more than asked for: still four */
    pci_msi_notify(&t->pci, 7);
    g_assert_cmphex(message_data, ==, 0x4043);
    device_free(&t->pci.dev);
}

static void table_write(unsigned vector, unsigned field, uint32_t value)
{
    address_space_store(&f->machine.memory, 0xe0000000u + 16 * vector + field, value, 4);
}

static TestDev *begin_msix(uint8_t *cap)
{
    TestDev *t = begin();

    *cap = find_cap(t, PCI_CAP_ID_MSIX);
    g_assert_cmphex(peek(t, *cap + 2u, 2), ==, VECTORS - 1);
    g_assert_cmphex(peek(t, *cap + 4u, 4), ==, MSIX_BAR);
    g_assert_cmphex(peek(t, *cap + 8u, 4), ==, MSIX_BAR | 0x800);
    config(t, PCI_BASE_ADDRESS_0 + 4 * MSIX_BAR, 0xe0000000, 4);
    config(t, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY, 2);
    config(t, *cap + 2u, 0x8000, 2);
    for (unsigned i = 0; i < VECTORS; i++) {
        table_write(i, 0, 0xfee00000);
        table_write(i, 8, 0x30 + i);
    }
    return t;
}

static uint32_t pending(void)
{
    return (uint32_t)address_space_load(&f->machine.memory, 0xe0000800, 4);
}

static void test_masked_msix_vectors_pend_until_unmasked(void)
{
    uint8_t cap;
    TestDev *t = begin_msix(&cap);

    pci_msix_notify(&t->pci, 4); /* masked after reset */
    g_assert_cmpuint(messages, ==, 0);
    g_assert_cmphex(pending(), ==, 1 << 4);
    table_write(4, 12, 0);
    g_assert_cmpuint(messages, ==, 1);
    g_assert_cmphex(message_data, ==, 0x34);
    g_assert_cmphex(pending(), ==, 0);
    config(t, cap + 2u, 0xc000, 2); /* all masked */
    pci_msix_notify(&t->pci, 4);
    g_assert_cmpuint(messages, ==, 1);
    config(t, cap + 2u, 0x8000, 2);
    g_assert_cmpuint(messages, ==, 2);
    pci_msix_notify(&t->pci, VECTORS); /* no such vector */
    g_assert_cmpuint(messages, ==, 2);
    table_write(VECTORS, 8, 7); /* nor such a row */
    g_assert_cmphex(address_space_load(&f->machine.memory, 0xe0000000u + 16 * VECTORS, 4), ==, 0);
    pci_device_reset(&t->pci);
    g_assert_false(pci_msix_enabled(&t->pci));
    device_free(&t->pci.dev);
}

static void test_saved_state_brings_back_mappings_and_pending_vectors(void)
{
    uint8_t cap;
    TestDev *t = begin_msix(&cap);
    GByteArray *saved, *again;

    pci_msix_notify(&t->pci, 2);
    pci_set_irq(&t->pci, 1);
    saved = fixture_save(&t->pci.dev);
    pci_device_reset(&t->pci);
    g_assert_cmpint(line_level[1], ==, 0);
    g_assert_cmphex(pending(), ==, 0xffffffff); /* not mapped */
    fixture_load(&t->pci.dev, saved);
    g_assert_cmphex(pending(), ==, 1 << 2);
    g_assert_cmpint(line_level[1], ==, 1);
    again = fixture_save(&t->pci.dev);
    g_assert_cmpmem(saved->data, saved->len, again->data, again->len);
    table_write(2, 12, 0);
    g_assert_cmpuint(messages, ==, 1);
    g_byte_array_unref(saved);
    g_byte_array_unref(again);
    device_free(&t->pci.dev);
}

/* ---- DMA ---- */

static void test_dma_goes_nowhere_without_bus_mastering(void)
{
    TestDev *t = begin();
    uint32_t value = 0x600d600d;

    address_space_store(&f->machine.memory, 0x2000, 0, 4);
    g_assert_cmpint(pci_dma_write(&t->pci, 0x2000, &value, 4), ==, MEM_UNASSIGNED);
    g_assert_cmphex(address_space_load(&f->machine.memory, 0x2000, 4), ==, 0);
    config(t, PCI_COMMAND, PCI_COMMAND_MASTER, 2);
    g_assert_cmpint(pci_dma_write(&t->pci, 0x2000, &value, 4), ==, MEM_OK);
    g_assert_cmphex(address_space_load(&f->machine.memory, 0x2000, 4), ==, 0x600d600d);
    device_free(&t->pci.dev);
}

typedef struct Test {
    const char *path;
    void (*fn)(void);
} Test;

#define TEST(name)                                                                                 \
    {                                                                                              \
        "/pci/" #name, test_##name                                                                 \
    }
static const Test tests[] = {
    TEST(devices_get_free_slots_and_are_refused_taken_ones),
    TEST(64_bit_bar_maps_above_4g),
    TEST(shared_line_is_high_while_any_device_drives_it),
    TEST(msi_needs_enable_and_mastering_and_ors_the_vector),
    TEST(masked_msix_vectors_pend_until_unmasked),
    TEST(saved_state_brings_back_mappings_and_pending_vectors),
    TEST(dma_goes_nowhere_without_bus_mastering),
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    f = fixture_new(16 << 20);
    pci_bus_set_irqs(f->pci, on_line, NULL, LINES, route);
    pci_bus_set_msi_handler(f->pci, on_message, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add_func(tests[i].path, tests[i].fn);
    }
    return g_test_run();
}
