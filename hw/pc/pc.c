/*
 * The PC's board: which chips there are and how they are wired.
 *
 *     CPU - local APIC --+-- I/O APIC -+-- GSI 0..23; the HPET stands in front of 0 and 8
 *                        +-- 8259 pair-+
 *     i440FX - pci.0 -- 00.0 i440FX   01.0 PIIX3 (isa.0)   01.1 IDE   01.3 PIIX4 power management
 *                       02.0 VGA      03.0.. what -device and -drive add
 *     isa.0 - 8254, RTC, DMA, PS/2, serial ports, floppy controller, port 92h, debug ports
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/pc.h"

#include <string.h>

#include "core/accel.h"
#include "hw/char/serial_isa.h"
#include "hw/display/vga.h"
#include "hw/dma/i8237.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/input/i8042.h"
#include "hw/intc/apic.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/pc/i440fx.h"
#include "hw/pc/pc_internal.h"
#include "hw/pc/piix3.h"
#include "hw/pc/piix4_pm.h"
#include "hw/pc/port92.h"
#include "hw/pc/x87_error.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"
#include "util/keyval.h"

void pc_config_init(PcConfig *cfg)
{
    *cfg = (PcConfig){
        .ram_size = 128 << 20,
        .vga = PC_VGA_STD,
        .acpi = true,
        .hpet = true,
        .smm = true,
        .boot_menu_wait = -1,
        .boot_fail_wait = -1,
    };
}

bool pc_boot_order_check(const char *order, GError **err)
{
    for (const char *c = order; *c; c++) {
        if (!strchr("abcdn", *c)) {
            emu_set_error(err,
                          "'%c' is no boot device of this machine; there are a and b (floppy), c "
                          "(hard disk), d (CD-ROM), n (network)",
                          *c);
            return false;
        }
        if (strchr(c + 1, *c)) {
            emu_set_error(err, "boot device '%c' is given twice in '%s'", *c, order);
            return false;
        }
    }
    return true;
}

/* ---- interrupts ---- */

static void gsi_set(void *opaque, int n, int level)
{
    const InterruptWiring *w = opaque;

    if (n < I8259_INPUTS) {
        irq_set(&w->pic[n], level);
    }
    irq_set(&w->ioapic[n == 0 ? 2 : n], level);
}

static void deliver_msi(void *opaque, uint64_t addr, uint32_t data)
{
    apic_msi_deliver(opaque, addr, data);
}

static void deliver_msi_accel(void *opaque, uint64_t addr, uint32_t data)
{
    Accel *accel = opaque;

    accel->cls->msi_deliver(accel, addr, data);
}

static bool ioapic_send(void *opaque, uint64_t addr, uint32_t data)
{
    Accel *accel = opaque;

    return accel->cls->msi_deliver(accel, addr, data);
}

static void ioapic_changed(void *opaque, int n, uint64_t addr, uint32_t data, bool masked)
{
    Accel *accel = opaque;

    accel->cls->ioapic_changed(accel, n, addr, data, masked);
}

static const IoapicBus accel_ioapic_bus = {ioapic_send, ioapic_changed};

static bool make_apics(Machine *m, GError **err)
{
    for (int i = 0; i < m->cpu_count; i++) {
        char index[16];

        g_snprintf(index, sizeof(index), "%d", i);
        if (!device_create(m, NULL, &apic_class, err, "cpu-index", index, NULL)) {
            return false;
        }
    }
    return true;
}

/* 8259 pair and I/O APIC are devices here; local APICs too, or the accelerator's. */
static bool wire_userspace_irqs(PcMachine *pc, bool own_apics, GError **err)
{
    Machine *m = pc->dev.machine;
    Accel *accel = m->accel;
    IrqLine intr;

    if (own_apics && !make_apics(m, err)) {
        return false;
    }
    pc->pic = device_create(m, NULL, &i8259_class, err, NULL);
    pc->ioapic = pc->pic ? device_create(m, NULL, &ioapic_class, err, NULL) : NULL;
    if (!pc->ioapic) {
        return false;
    }
    pc->irq.pic = i8259_inputs(pc->pic);
    pc->irq.ioapic = ioapic_inputs(pc->ioapic);
    irq_lines_init(pc->irq.gsi, PC_GSIS, gsi_set, &pc->irq);
    if (!own_apics) {
        AccelIrqBoard board = {i8259_ack, pc->pic, ioapic_eoi, pc->ioapic};
        ioapic_set_bus(pc->ioapic, &accel_ioapic_bus, accel);
        pci_bus_set_msi_handler(pci_bus_from_qbus(pc->pci), deliver_msi_accel, accel);
        if (!accel->cls->lapic_wire(accel, &board, &intr, err)) {
            return false;
        }
        i8259_set_output(pc->pic, &intr);
        return true;
    }
    if (m->cpu_count) {
        i8259_set_output(pc->pic, apic_lint0(m));
        apic_set_extint(m, i8259_ack, pc->pic);
        apic_set_eoi_handler(m, ioapic_eoi, pc->ioapic);
    }
    pci_bus_set_msi_handler(pci_bus_from_qbus(pc->pci), deliver_msi, m);
    return true;
}

/* Fills pc->irq. The one place that knows who holds the interrupt controllers. */
static bool wire_irqs(PcMachine *pc, GError **err)
{
    Accel *accel = pc->dev.machine->accel;

    if (!accel || !accel->irqchip) {
        return wire_userspace_irqs(pc, !(accel && accel->local_apics), err);
    }
    pci_bus_set_msi_handler(pci_bus_from_qbus(pc->pci), deliver_msi_accel, accel);
    return accel->cls->irqchip_wire(accel, pc->irq.gsi, PC_GSIS, err);
}

/* ---- chips ---- */

static bool make_chipset(PcMachine *pc, GError **err)
{
    Machine *m = pc->dev.machine;

    pc->host = device_create(m, NULL, &i440fx_host_class, err, NULL);
    if (!pc->host) {
        return false;
    }
    pc->pci = pci_bus_qbus(i440fx_host_bus(pc->host));
    pc->i440fx = device_create(m, pc->pci, &i440fx_class, err, "addr", "00.0", NULL);
    pc->piix3 =
        pc->i440fx ? device_create(m, pc->pci, &piix3_class, err, "addr", "01.0", NULL) : NULL;
    if (!pc->piix3) {
        return false;
    }
    pc->isa = isa_bus_qbus(piix3_isa_bus(pc->piix3));
    if (pc->smm) {
        address_space_init(&m->smm_memory, i440fx_smm_root(pc->i440fx), "smm");
    }
    if (!wire_irqs(pc, err)) {
        return false;
    }
    if (pc->cfg.hpet) {
        pc->hpet = device_create(m, NULL, &hpet_class, err, NULL);
        if (!pc->hpet) {
            return false;
        }
        hpet_wire(pc->hpet, pc->irq.gsi);
    }
    piix3_set_irqs(pc->piix3, pc->irq.gsi);
    return true;
}

static bool make_pci_functions(PcMachine *pc, GError **err)
{
    Machine *m = pc->dev.machine;

    pc->ide = device_create(m, pc->pci, &piix3_ide_class, err, "addr", "01.1", NULL);
    if (!pc->ide) {
        return false;
    }
    piix3_ide_connect_irqs(pc->ide, &pc->irq.gsi[14], &pc->irq.gsi[15]);
    pc->pm = device_create(m, pc->pci, &piix4_pm_class, err, "addr", "01.3", "smm",
                           pc->smm ? "on" : "off", NULL);
    if (!pc->pm) {
        return false;
    }
    piix4_pm_set_sci(pc->pm, &pc->irq.gsi[9]);
    if (pc->cfg.vga == PC_VGA_STD) {
        pc->vga = device_create(m, pc->pci, &vga_pci_class, err, "addr", "02.0", NULL);
        return pc->vga != NULL;
    }
    return true;
}

static bool make_serial_ports(PcMachine *pc, GError **err)
{
    for (int i = 0; i < PC_SERIAL_MAX; i++) {
        char index[16];

        g_snprintf(index, sizeof(index), "%d", i);
        if (pc->cfg.serial[i] &&
            !device_create(pc->dev.machine, pc->isa, &serial_isa_class, err, "index", index,
                           "chardev", pc->cfg.serial[i], NULL)) {
            return false;
        }
    }
    return true;
}

static bool make_isa_devices(PcMachine *pc, GError **err)
{
    Machine *m = pc->dev.machine;
    Accel *accel = m->accel;

    pc->rtc = device_create(m, pc->isa, &mc146818_class, err, NULL);
    if (!pc->rtc) {
        return false;
    }
    /* The accelerator brings its own timer with the interrupt controllers. */
    if (!(accel && accel->irqchip) && !device_create(m, pc->isa, &i8254_class, err, NULL)) {
        return false;
    }
    if (!device_create(m, pc->isa, &i8237_class, err, NULL) ||
        !device_create(m, pc->isa, &i8042_class, err, NULL) ||
        !device_create(m, pc->isa, &port92_class, err, NULL) ||
        !device_create(m, pc->isa, &x87_error_class, err, NULL)) {
        return false;
    }
    pc->fdc = device_create(m, pc->isa, &fdc_class, err, NULL);
    return pc->fdc && make_serial_ports(pc, err);
}

static bool make_network_cards(PcMachine *pc, GError **err)
{
    for (unsigned i = 0; i < pc->cfg.nic_count; i++) {
        if (!device_realize(pc->cfg.nics[i], pc->pci, err)) {
            return false;
        }
    }
    return true;
}

bool pc_machine_init(Machine *m, const PcConfig *cfg, GError **err)
{
    PcMachine *pc;

    g_assert(!m->board);
    if ((cfg->boot_order && !pc_boot_order_check(cfg->boot_order, err)) ||
        (cfg->boot_once && !pc_boot_order_check(cfg->boot_once, err))) {
        return false;
    }
    pc = (PcMachine *)device_create(m, NULL, &pc_board_class, err, NULL);
    if (!pc) {
        return false;
    }
    m->board = pc;
    pc->cfg = *cfg;
    pc->smm = cfg->smm && m->accel && m->accel->cls->has_cap &&
              m->accel->cls->has_cap(m->accel, ACCEL_CAP_SMM);
    if (!pc_memory_init(pc, err) || !make_chipset(pc, err) || !pc_bios_load(pc, err) ||
        !make_pci_functions(pc, err) || !make_isa_devices(pc, err)) {
        return false;
    }
    pc->fw = (FwCfg *)device_create(m, NULL, &fw_cfg_class, err, NULL);
    return pc->fw && make_network_cards(pc, err) && pc_drives_init(pc, err);
}

bool pc_machine_done(Machine *m, GError **err)
{
    PcMachine *pc = pc_machine(m);

    if (!pc_firmware_init(pc, err)) {
        return false;
    }
    if (pc->cfg.kernel && !pc_linux_boot(pc, err)) {
        return false;
    }
    if (pc->cfg.acpi) {
        pc_acpi_init(pc);
    }
    pc_smbios_init(pc);
    return true;
}

/* ---- the board as a device ---- */

static void board_reset(Device *dev)
{
    PcMachine *pc = (PcMachine *)dev;

    machine_set_a20(dev->machine, true);
    if (pc->cfg.boot_once && pc->rtc) {
        pc_cmos_boot_order(pc, pc->boot_once_over ? pc->boot_order : pc->cfg.boot_once);
        pc->boot_once_over = true;
    }
}

static bool board_post_load(void *opaque, uint32_t version, GError **err)
{
    PcMachine *pc = opaque;
    bool on = pc->a20;

    (void)version;
    (void)err;
    pc->a20 = !on;
    machine_set_a20(pc->dev.machine, on);
    return true;
}

static bool board_realize(Device *dev, GError **err)
{
    (void)err;
    ((PcMachine *)dev)->a20 = true;
    return true;
}

static const StateField board_fields[] = {
    STATE_FIELD_UINT_MAX(PcMachine, a20, 1),
    STATE_FIELD_UINT_MAX(PcMachine, boot_once_over, 1),
    STATE_FIELD_END,
};
static const StateTable board_state = {.name = "pc-board",
                                       .version = 1,
                                       .min_version = 1,
                                       .fields = board_fields,
                                       .post_load = board_post_load};

const DeviceClass pc_board_class = {
    .name = "pc-board",
    .description = "what of the PC is in no chip: the A20 gate",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(PcMachine),
    .state = &board_state,
    .realize = board_realize,
    .reset = board_reset,
};
