/*
 * Every device class of the program, by folder.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/classes.h"

#include "hw/char/serial_isa.h"
#include "hw/display/vga.h"
#include "hw/dma/i8237.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/input/i8042.h"
#include "hw/intc/apic.h"
#include "hw/intc/cpu_pic.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/net/e1000.h"
#include "hw/pc/debug_ports.h"
#include "hw/pc/fw_cfg.h"
#include "hw/pc/i440fx.h"
#include "hw/pc/pc_internal.h"
#include "hw/pc/piix3.h"
#include "hw/pc/piix4_pm.h"
#include "hw/pc/port92.h"
#include "hw/pc/x87_error.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"
#include "hw/virtio/virtio_blk.h"
#include "hw/virtio/virtio_net.h"
#include "hw/virtio/virtio_rng.h"

const DeviceClass *const hw_classes[] = {
    &serial_isa_class,
    &vga_pci_class,
    &i8237_class,
    &fdc_class,
    &floppy_class,
    &ide_hd_class,
    &ide_cd_class,
    &piix3_ide_class,
    &i8042_class,
    &apic_class,
    &cpu_pic_class,
    &i8259_class,
    &ioapic_class,
    &e1000_class,
    &fw_cfg_class,
    &i440fx_host_class,
    &i440fx_class,
    &isa_debugcon_class,
    &isa_debug_exit_class,
    &pc_board_class,
    &piix3_class,
    &piix4_pm_class,
    &port92_class,
    &x87_error_class,
    &i8254_class,
    &hpet_class,
    &mc146818_class,
    &virtio_blk_pci_class,
    &virtio_blk_pci_transitional_class,
    &virtio_blk_pci_non_transitional_class,
    &virtio_net_pci_class,
    &virtio_net_pci_transitional_class,
    &virtio_net_pci_non_transitional_class,
    &virtio_rng_pci_class,
    &virtio_rng_pci_transitional_class,
    &virtio_rng_pci_non_transitional_class,
    NULL,
};
