/*
 * The ACPI tables as firmware would place them: checksums, pointers, and what Intel's compiler
 * makes of them: each table is disassembled and compiled again, and the bytes must be the same.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/device/pc_rig.h"

static PcRig *rig;

enum { TABLES_AT = 0x3000000, RSDP_AT = 0xf0000 };

typedef struct Placed {
    GByteArray *tables, *rsdp;
} Placed;

static uint64_t get_le(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)p[i] << (8 * i);
    }
    return value;
}

static GByteArray *blob(Placed *p, const char *name)
{
    if (g_str_equal(name, "etc/acpi/tables")) {
        return p->tables;
    }
    g_assert_cmpstr(name, ==, "etc/acpi/rsdp");
    return p->rsdp;
}

static void add_pointer(Placed *p, const uint8_t *arg)
{
    GByteArray *dest = blob(p, (const char *)arg), *src = blob(p, (const char *)arg + 56);
    uint32_t offset = (uint32_t)get_le(arg + 112, 4);
    unsigned size = arg[116];
    uint64_t value;

    g_assert_cmpuint(offset + size, <=, dest->len);
    value = get_le(dest->data + offset, size);
    g_assert_cmpuint(value, <, src->len);
    value += src == p->tables ? TABLES_AT : RSDP_AT;
    for (unsigned i = 0; i < size; i++) {
        dest->data[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

static void add_checksum(Placed *p, const uint8_t *arg)
{
    GByteArray *file = blob(p, (const char *)arg);
    uint32_t at = (uint32_t)get_le(arg + 56, 4), start = (uint32_t)get_le(arg + 60, 4);
    uint32_t len = (uint32_t)get_le(arg + 64, 4);
    uint8_t sum = 0;

    g_assert_cmpuint(start + len, <=, file->len);
    g_assert_true(at >= start && at < start + len);
    for (uint32_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + file->data[start + i]);
    }
    file->data[at] = (uint8_t)(file->data[at] - sum);
}

/* What SeaBIOS does with etc/table-loader. */
static void place(Placed *p)
{
    GByteArray *loader = pc_fw_cfg_file(rig, "etc/table-loader");
    unsigned allocated = 0;

    p->tables = pc_fw_cfg_file(rig, "etc/acpi/tables");
    p->rsdp = pc_fw_cfg_file(rig, "etc/acpi/rsdp");
    g_assert_cmpuint(loader->len % 128, ==, 0);
    for (guint i = 0; i < loader->len; i += 128) {
        const uint8_t *c = loader->data + i;

        switch (get_le(c, 4)) {
        case 1:
            g_assert_nonnull(blob(p, (const char *)c + 4));
            allocated++;
            break;
        case 2:
            add_pointer(p, c + 4);
            break;
        case 3:
            add_checksum(p, c + 4);
            break;
        default:
            g_assert_not_reached();
        }
    }
    g_assert_cmpuint(allocated, ==, 2);
    g_byte_array_unref(loader);
}

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t total = 0;

    while (len--) {
        total = (uint8_t)(total + *p++);
    }
    return total;
}

static const uint8_t *at(const Placed *p, uint64_t addr, uint32_t len)
{
    g_assert_cmpuint(addr, >=, TABLES_AT);
    g_assert_cmpuint(addr + len, <=, TABLES_AT + p->tables->len);
    return p->tables->data + (addr - TABLES_AT);
}

/* The table at ADDR, checked; its length in *LEN. */
static const uint8_t *table(const Placed *p, uint64_t addr, const char *signature, uint32_t *len)
{
    const uint8_t *t = at(p, addr, 36);

    *len = (uint32_t)get_le(t + 4, 4);
    t = at(p, addr, *len);
    if (signature) {
        g_assert_cmpmem(t, 4, signature, 4);
    }
    g_assert_cmpuint(sum(t, *len), ==, 0);
    return t;
}

static const uint8_t *find(const Placed *p, const char *signature, uint32_t *len)
{
    const uint8_t *xsdt = table(p, get_le(p->rsdp->data + 24, 8), "XSDT", len);
    uint32_t n = (*len - 36) / 8;

    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *t = table(p, get_le(xsdt + 36 + 8 * i, 8), NULL, len);

        if (!memcmp(t, signature, 4)) {
            return t;
        }
    }
    return NULL;
}

static void test_every_table_is_reachable_and_sums_to_zero(void)
{
    Placed p;
    uint32_t rsdt_len, xsdt_len, len;
    const uint8_t *rsdt, *xsdt, *fadt;

    place(&p);
    g_assert_cmpmem(p.rsdp->data, 8, "RSD PTR ", 8);
    g_assert_cmpuint(sum(p.rsdp->data, 20), ==, 0);
    g_assert_cmpuint(sum(p.rsdp->data, 36), ==, 0);
    rsdt = table(&p, get_le(p.rsdp->data + 16, 4), "RSDT", &rsdt_len);
    xsdt = table(&p, get_le(p.rsdp->data + 24, 8), "XSDT", &xsdt_len);
    g_assert_cmpuint((rsdt_len - 36) / 4, ==, (xsdt_len - 36) / 8);
    for (uint32_t i = 0; i < (rsdt_len - 36) / 4; i++) {
        g_assert_cmpuint(get_le(rsdt + 36 + 4 * i, 4), ==, get_le(xsdt + 36 + 8 * i, 8));
        table(&p, get_le(rsdt + 36 + 4 * i, 4), NULL, &len);
    }
    fadt = find(&p, "FACP", &len);
    g_assert_nonnull(fadt);
    g_assert_cmpuint(len, ==, 244);
    g_assert_cmpmem(at(&p, get_le(fadt + 36, 4), 64), 4, "FACS", 4);
    g_assert_cmpuint(get_le(fadt + 36, 4) % 64, ==, 0);
    g_assert_cmpuint(get_le(fadt + 40, 4), ==, get_le(fadt + 140, 8));
    table(&p, get_le(fadt + 40, 4), "DSDT", &len);
    g_assert_nonnull(find(&p, "APIC", &len));
    g_byte_array_unref(p.tables);
    g_byte_array_unref(p.rsdp);
}

static void test_madt_lists_the_machines_interrupt_controllers(void)
{
    Placed p;
    uint32_t len;
    const uint8_t *madt;
    unsigned cpus = 0, ioapics = 0, overrides = 0;

    place(&p);
    madt = find(&p, "APIC", &len);
    for (uint32_t i = 44; i < len; i += madt[i + 1]) {
        const uint8_t *e = madt + i;

        g_assert_cmpuint(e[1], >, 0);
        if (e[0] == 0) {
            g_assert_cmpuint(e[3], ==, rig->m.cpus[cpus++]->apic_id);
        } else if (e[0] == 1) {
            ioapics++;
            g_assert_cmphex(get_le(e + 4, 4), ==, 0xfec00000);
        } else if (e[0] == 2) {
            overrides++;
            g_assert_cmpuint(get_le(e + 4, 4), ==, e[3] == 0 ? 2 : e[3]);
            g_assert_cmphex(get_le(e + 8, 2), ==, e[3] == 0 ? 0 : 0xd);
        }
    }
    g_assert_cmpuint(cpus, ==, PC_RIG_CPUS);
    g_assert_cmpuint(ioapics, ==, 1);
    g_assert_cmpuint(overrides, ==, 5);
    g_byte_array_unref(p.tables);
    g_byte_array_unref(p.rsdp);
}

/* ---- round trip through iasl ---- */

static bool run_iasl(const char *dir, const char *const *args, char **output)
{
    GPtrArray *argv = g_ptr_array_new();
    int status = -1;
    GError *err = NULL;
    bool ok;

    g_ptr_array_add(argv, (char *)"iasl");
    for (; *args; args++) {
        g_ptr_array_add(argv, (char *)*args);
    }
    g_ptr_array_add(argv, NULL);
    ok = g_spawn_sync(dir, (char **)argv->pdata, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, output, NULL,
                      &status, &err);
    g_assert_no_error(err);
    g_ptr_array_unref(argv);
    return ok && status == 0;
}

static void round_trip(const char *dir, const char *name, const uint8_t *t, uint32_t len)
{
    g_autofree char *file = g_strdup_printf("%s/%s.dat", dir, name);
    g_autofree char *dat = g_strdup_printf("%s.dat", name);
    g_autofree char *dsl = g_strdup_printf("%s.dsl", name);
    g_autofree char *out_name = g_strdup_printf("%s.aml", name);
    g_autofree char *out_path = g_strdup_printf("%s/%s.aml", dir, name);
    g_autofree char *said = NULL, *again = NULL;
    gsize again_len;

    g_assert_true(g_file_set_contents(file, (const char *)t, len, NULL));
    g_assert_true(run_iasl(dir, (const char *[]){"-d", dat, NULL}, NULL));
    if (!run_iasl(dir, (const char *[]){"-we", "-oa", "-p", out_name, dsl, NULL}, &said)) {
        g_error("iasl does not compile %s:\n%s", name, said);
    }
    g_assert_true(g_file_get_contents(out_path, &again, &again_len, NULL));
    g_assert_cmpuint(again_len, ==, len);
    /* The compiler puts its own name and version (28..35) and checksum (9) into the header. */
    g_assert_cmpmem(again + 36, again_len - 36, t + 36, len - 36);
}

static void test_tables_survive_disassembly_and_compilation(void)
{
    static const char *const names[] = {"FACP", "APIC", "WAET"};
    g_autofree char *dir = NULL, *iasl = g_find_program_in_path("iasl");
    Placed p;
    uint32_t len;
    const uint8_t *fadt, *dsdt;

    if (!iasl) {
        g_test_skip("needs iasl (package acpica-tools)");
        return;
    }
    dir = g_dir_make_tmp("emu-acpi-XXXXXX", NULL);
    place(&p);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const uint8_t *t = find(&p, names[i], &len);

        g_assert_nonnull(t);
        round_trip(dir, names[i], t, len);
    }
    fadt = find(&p, "FACP", &len);
    dsdt = table(&p, get_le(fadt + 40, 4), "DSDT", &len);
    round_trip(dir, "DSDT", dsdt, len);
    g_byte_array_unref(p.tables);
    g_byte_array_unref(p.rsdp);
    if (!g_getenv("EMU_KEEP")) {
        g_autofree char *rm = g_strdup_printf("rm -r %s", dir);

        g_spawn_command_line_sync(rm, NULL, NULL, NULL, NULL);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig = pc_rig_new(NULL);
    pc_rig_done(rig);
    g_test_add_func("/acpi/every_table_is_reachable_and_sums_to_zero",
                    test_every_table_is_reachable_and_sums_to_zero);
    g_test_add_func("/acpi/madt_lists_the_machines_interrupt_controllers",
                    test_madt_lists_the_machines_interrupt_controllers);
    g_test_add_func("/acpi/tables_survive_disassembly_and_compilation",
                    test_tables_survive_disassembly_and_compilation);
    return g_test_run();
}
