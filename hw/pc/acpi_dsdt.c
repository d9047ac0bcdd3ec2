/*
 * The DSDT (ACPI 6.4, 5.2.11.1): what of the PC cannot be found by looking.
 *
 *     \_S5                        soft off
 *     \_SB.PCI0                   host bridge: windows (_CRS), interrupt routing (_PRT)
 *     \_SB.PCI0.ISA               PIIX3, with the PIRQ route registers as fields
 *     \_SB.PCI0.ISA.{RTC,KBD,MOU,COM1..}
 *     \_SB.LNKA .. LNKD, LNKS     interrupt links; LNKS is the SCI, which cannot be moved
 *     \_SB.FWCF, \_SB.Cnnn        fw_cfg, processors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/char/serial_isa.h"
#include "hw/floppy/fdc.h"
#include "hw/pc/acpi_internal.h"
#include "hw/pc/aml.h"
#include "hw/pc/piix4_pm.h"
#include "hw/timer/hpet.h"

enum {
    PCI_SLOTS = 32,
    PCI_PINS = 4,
    LINKS = 4,
    SCI_IRQ = 9,
    PIRQ_DISABLED = 0x80,
    /* _STA (6.3.7) */
    STA_PRESENT = 1 << 0,
    STA_ENABLED = 1 << 1,
    STA_SHOWN = 1 << 2,
    STA_WORKS = 1 << 3,
};

static Aml *device_hid(const char *name, const char *hid)
{
    Aml *dev = aml_device(name);

    aml_append(dev, aml_name("_HID", aml_eisaid(hid)));
    return dev;
}

/* ---- the host bridge ---- */

static void add_memory_windows(Aml *crs, const Machine *m)
{
    uint64_t above = (1ull << 32) + m->above_4g;
    uint64_t window = (above + (1ull << 30) - 1) & ~((1ull << 30) - 1);

    aml_append(crs, aml_res_dword_memory(0xa0000, 0xbffff, true));
    aml_append(crs, aml_res_dword_memory(pc_pci_window_start(m), 0xfebfffff, false));
    aml_append(crs, aml_res_qword_memory(window, window + (2ull << 30) - 1, true));
}

static Aml *host_crs(const Machine *m)
{
    Aml *crs = aml_resources();

    aml_append(crs, aml_res_bus(0, 0xff));
    aml_append(crs, aml_res_io(0xcf8, 0xcf8, 1, 8));
    aml_append(crs, aml_res_word_io(0x0000, 0x0cf7));
    aml_append(crs, aml_res_word_io(0x0d00, 0xffff));
    add_memory_windows(crs, m);
    return crs;
}

/* The same swizzle as the PIIX3's; the power management function has the SCI. */
static const char *link_of(int slot, int pin)
{
    static const char *const links[LINKS] = {"LNKA", "LNKB", "LNKC", "LNKD"};

    if (slot == 1 && pin == 0) {
        return "LNKS";
    }
    return links[(pin + slot - 1) & (LINKS - 1)];
}

static Aml *host_prt(void)
{
    Aml *prt = aml_package(PCI_SLOTS * PCI_PINS);

    for (int i = 0; i < PCI_SLOTS * PCI_PINS; i++) {
        int slot = i / PCI_PINS, pin = i % PCI_PINS;
        Aml *route = aml_package(4);

        aml_append(route, aml_int((uint64_t)slot << 16 | 0xffff));
        aml_append(route, aml_int((uint64_t)pin));
        aml_append(route, aml_path(link_of(slot, pin)));
        aml_append(route, aml_int(0));
        aml_append(prt, route);
    }
    return prt;
}

/* ---- ISA devices ---- */

static Aml *isa_device(const char *name, const char *hid, uint16_t port, uint8_t ports, int irq)
{
    Aml *dev = device_hid(name, hid), *crs = aml_resources();

    if (ports) {
        aml_append(crs, aml_res_io(port, port, 1, ports));
    }
    aml_append(crs, aml_res_irq((unsigned)irq));
    aml_append(dev, aml_name("_CRS", crs));
    return dev;
}

static Aml *keyboard(void)
{
    Aml *dev = device_hid("KBD", "PNP0303"), *crs = aml_resources();

    aml_append(crs, aml_res_io(0x60, 0x60, 1, 1));
    aml_append(crs, aml_res_io(0x64, 0x64, 1, 1));
    aml_append(crs, aml_res_irq(1));
    aml_append(dev, aml_name("_CRS", crs));
    return dev;
}

static void add_serial_ports(Aml *isa, const PcMachine *pc)
{
    for (GSList *l = pc->isa->devices; l; l = l->next) {
        const Device *dev = l->data;
        char name[16];
        Aml *com;

        if (dev->cls != &serial_isa_class) {
            continue;
        }
        g_snprintf(name, sizeof(name), "COM%d", serial_isa_index(dev) + 1);
        com = isa_device(name, "PNP0501", serial_isa_iobase(dev), 8, serial_isa_irq(dev));
        aml_append(com, aml_name("_UID", aml_int((uint64_t)serial_isa_index(dev) + 1)));
        aml_append(isa, com);
    }
}

/* What of a drive BIOS calls would tell: type, cylinders, heads, sectors (9.13.1). */
static Aml *floppy_drive(int unit, uint8_t type)
{
    static const uint8_t sectors[] = {[2] = 15, [4] = 18, [5] = 36};
    Aml *dev = aml_device(unit ? "FLPB" : "FLPA"), *info = aml_package(16);
    const uint8_t values[16] = {(uint8_t)unit, type, 79, sectors[type], 1};

    for (int i = 0; i < 16; i++) {
        aml_append(info, aml_int(values[i]));
    }
    aml_append(dev, aml_name("_ADR", aml_int((uint64_t)unit)));
    aml_append(dev, aml_name("_FDI", info));
    return dev;
}

static Aml *floppy_controller(const PcMachine *pc)
{
    Aml *dev = device_hid("FDC0", "PNP0700"), *crs = aml_resources();

    aml_append(crs, aml_res_io(0x3f2, 0x3f2, 1, 4));
    aml_append(crs, aml_res_io(0x3f7, 0x3f7, 1, 1));
    aml_append(crs, aml_res_irq(6));
    aml_append(crs, aml_res_dma(2));
    aml_append(dev, aml_name("_CRS", crs));
    for (int i = 0; i < 2; i++) {
        if (fdc_cmos_type(pc->fdc, i)) {
            aml_append(dev, floppy_drive(i, fdc_cmos_type(pc->fdc, i)));
        }
    }
    return dev;
}

static Aml *isa_bridge(const PcMachine *pc)
{
    Aml *isa = aml_device("ISA");

    aml_append(isa, aml_name("_ADR", aml_int(0x00010000)));
    aml_append(isa, aml_op_region("P40C", AML_SPACE_PCI_CONFIG, 0x60, 4));
    aml_append(isa, isa_device("RTC", "PNP0B00", 0x70, 8, 8));
    aml_append(isa, keyboard());
    aml_append(isa, isa_device("MOU", "PNP0F13", 0, 0, 12));
    aml_append(isa, floppy_controller(pc));
    add_serial_ports(isa, pc);
    return isa;
}

/* ---- interrupt links ---- */

static Aml *interrupt_template(const uint32_t *irqs, uint8_t count)
{
    Aml *res = aml_resources();

    aml_append(res, aml_res_interrupt(irqs, count));
    return res;
}

static Aml *link_sta(const char *reg)
{
    Aml *method = aml_method("_STA", 0, false);
    Aml *off = aml_if(aml_and(aml_path(reg), aml_int(PIRQ_DISABLED), NULL));

    aml_append(off, aml_return(aml_int(STA_PRESENT | STA_WORKS)));
    aml_append(method, off);
    aml_append(method, aml_return(aml_int(STA_PRESENT | STA_ENABLED | STA_WORKS)));
    return method;
}

/* Byte 5 of an extended interrupt descriptor is its first interrupt (6.4.3.6). */
static Aml *link_crs(const char *reg)
{
    static const uint32_t none = 0;
    Aml *method = aml_method("_CRS", 0, true), *off;

    aml_append(method, aml_name("BUF0", interrupt_template(&none, 1)));
    aml_append(method, aml_create_dword_field(aml_path("BUF0"), 5, "IRQ0"));
    off = aml_if(aml_and(aml_path(reg), aml_int(PIRQ_DISABLED), NULL));
    aml_append(off, aml_return(aml_path("BUF0")));
    aml_append(method, off);
    aml_append(method, aml_and(aml_path(reg), aml_int(15), aml_path("IRQ0")));
    aml_append(method, aml_return(aml_path("BUF0")));
    return method;
}

static Aml *link_device(int n)
{
    static const uint32_t possible[] = {5, 10, 11};
    char name[8], reg[8];
    Aml *dev, *method;

    g_snprintf(name, sizeof(name), "LNK%c", 'A' + n);
    g_snprintf(reg, sizeof(reg), "PRQ%d", n);
    dev = device_hid(name, "PNP0C0F");
    aml_append(dev, aml_name("_UID", aml_int((uint64_t)n)));
    aml_append(dev, aml_name("_PRS", interrupt_template(possible, G_N_ELEMENTS(possible))));
    aml_append(dev, link_sta(reg));
    method = aml_method("_DIS", 0, false);
    aml_append(method, aml_or(aml_path(reg), aml_int(PIRQ_DISABLED), aml_path(reg)));
    aml_append(dev, method);
    aml_append(dev, link_crs(reg));
    method = aml_method("_SRS", 1, true);
    aml_append(method, aml_create_dword_field(aml_arg(0), 5, "IRQ0"));
    aml_append(method, aml_store(aml_path("IRQ0"), aml_path(reg)));
    aml_append(dev, method);
    return dev;
}

static Aml *sci_link(void)
{
    static const uint32_t sci = SCI_IRQ;
    Aml *dev = device_hid("LNKS", "PNP0C0F");

    aml_append(dev, aml_name("_UID", aml_int(LINKS)));
    aml_append(dev, aml_name("_PRS", interrupt_template(&sci, 1)));
    aml_append(dev, aml_name("_CRS", interrupt_template(&sci, 1)));
    aml_append(dev, aml_name("_STA", aml_int(STA_PRESENT | STA_ENABLED | STA_WORKS)));
    aml_append(dev, aml_method("_SRS", 1, false));
    aml_append(dev, aml_method("_DIS", 0, false));
    return dev;
}

static void add_links(Aml *sb)
{
    Aml *field = aml_field("PCI0.ISA.P40C", AML_ACCESS_BYTE);

    for (int i = 0; i < LINKS; i++) {
        char name[8];

        g_snprintf(name, sizeof(name), "PRQ%d", i);
        aml_append(field, aml_named_field(name, 8));
    }
    aml_append(sb, field);
    for (int i = 0; i < LINKS; i++) {
        aml_append(sb, link_device(i));
    }
    aml_append(sb, sci_link());
}

/* ---- the rest ---- */

/* Ports of the chipset that no device above claims. */
static Aml *board_resources(void)
{
    Aml *dev = device_hid("MRES", "PNP0C02"), *crs = aml_resources();

    aml_append(crs, aml_res_io(PIIX4_PM_BASE, PIIX4_PM_BASE, 1, 64));
    aml_append(crs, aml_res_io(PIIX4_PM_BASE + 0x100, PIIX4_PM_BASE + 0x100, 1, 16));
    aml_append(dev, aml_name("_UID", aml_int(0)));
    aml_append(dev, aml_name("_CRS", crs));
    return dev;
}

static Aml *hpet_device(void)
{
    Aml *dev = device_hid("HPET", "PNP0103"), *crs = aml_resources();

    aml_append(crs, aml_res_fixed_memory(HPET_BASE, HPET_SIZE));
    aml_append(dev, aml_name("_UID", aml_int(0)));
    aml_append(dev, aml_name("_CRS", crs));
    return dev;
}

static Aml *fw_cfg_device(void)
{
    Aml *dev = aml_device("FWCF"), *crs = aml_resources();

    aml_append(dev, aml_name("_HID", aml_string("QEMU0002")));
    aml_append(dev, aml_name("_STA", aml_int(STA_PRESENT | STA_ENABLED | STA_WORKS)));
    aml_append(crs, aml_res_io(0x510, 0x510, 1, 12));
    aml_append(dev, aml_name("_CRS", crs));
    return dev;
}

static void add_processors(Aml *sb, const Machine *m)
{
    for (int i = 0; i < m->cpu_count; i++) {
        char name[8];
        Aml *dev;

        g_snprintf(name, sizeof(name), "C%03X", i);
        dev = aml_device(name);
        aml_append(dev, aml_name("_HID", aml_string("ACPI0007")));
        aml_append(dev, aml_name("_UID", aml_int((uint64_t)i)));
        aml_append(sb, dev);
    }
}

static Aml *soft_off(void)
{
    Aml *s5 = aml_package(4);

    for (int i = 0; i < 4; i++) {
        aml_append(s5, aml_int(0)); /* SLP_TYP for PM1a, PM1b; reserved */
    }
    return aml_name("_S5", s5);
}

GByteArray *acpi_dsdt_aml(PcMachine *pc)
{
    const Machine *m = pc->dev.machine;
    Aml *root = aml_root(), *sb = aml_scope("\\_SB"), *pci0 = device_hid("PCI0", "PNP0A03");

    aml_append(pci0, aml_name("_UID", aml_int(0)));
    aml_append(pci0, aml_name("_CRS", host_crs(m)));
    aml_append(pci0, aml_name("_PRT", host_prt()));
    aml_append(pci0, isa_bridge(pc));
    aml_append(pci0, board_resources());
    aml_append(sb, pci0);
    add_links(sb);
    aml_append(sb, fw_cfg_device());
    if (pc->hpet) {
        aml_append(sb, hpet_device());
    }
    add_processors(sb, m);
    aml_append(root, soft_off());
    aml_append(root, sb);
    return aml_take(root);
}
