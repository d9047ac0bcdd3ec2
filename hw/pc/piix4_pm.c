/*
 * Intel 82371AB (PIIX4, data sheet 290562-001), function 3: power management (chapter 11).
 *
 * Ports B2h/B3h (APMC, APMS), the 64-byte block at PMBA with PM1, the ACPI timer and the GPE
 * registers. The SMBus host is in smbus_host.c.
 *
 * APMC: the data sheet raises an SMI when DEVACTB's APMC_EN is set. Switching ACPI mode, which SMM
 * firmware would do on the values in the FADT, is done here in its place. Without system management
 * mode APMC_EN reads as set, so that firmware takes SMM for initialised and leaves it alone.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/piix4_pm.h"

#include "core/clock.h"
#include "core/machine.h"
#include "hw/pc/smbus_host.h"
#include "hw/pci/pci.h"

/* Configuration space (7.1) */
enum {
    PMBA = 0x40,
    DEVACTB = 0x58,
    DEVACTB_APMC_EN_BYTE = 0x5b,
    DEVACTB_APMC_EN_BIT = 1 << 1,
    PMREGMISC = 0x80,
    PMREGMISC_PMIOSE = 1,
    SMBBA = 0x90,
    SMBHSTCFG = 0xd2,
    SMBHSTCFG_ENABLE = 1,
};

/* The block at PMBA (7.2; ACPI 6.4, 4.8.3) */
enum {
    PMSTS = 0x00,
    PMEN = 0x02,
    PMCNTRL = 0x04,
    PMTMR = 0x08,
    GPSTS = 0x0c,
    GPEN = 0x0e,
    PM_BLOCK_SIZE = 64,

    STS_TMR = 1 << 0,
    STS_BM = 1 << 4,
    STS_GBL = 1 << 5,
    STS_PWRBTN = 1 << 8,
    STS_RTC = 1 << 10,
    STS_WAK = 1 << 15,
    STS_ALL = STS_TMR | STS_BM | STS_GBL | STS_PWRBTN | STS_RTC | STS_WAK,
    EN_ALL = STS_TMR | STS_GBL | STS_PWRBTN | STS_RTC,

    CNT_SCI_EN = 1 << 0,
    CNT_BM_RLD = 1 << 1,
    CNT_SLP_TYP = 7 << 10,
    CNT_SLP_EN = 1 << 13, /* write-only */

    SLP_TYP_S5 = 0, /* the number that the DSDT's _S5 names */
};

#define PM_TIMER_HZ   3579545
#define PM_TIMER_MASK 0xffffffu /* 24 bits; the status bit is set whenever the highest changes */
#define PM_TIMER_HALF 0x800000u

typedef struct Piix4Pm {
    PciDevice pci;
    bool smm_prop;
    IrqLine *sci;
    MemRegion *pm_io, *apm_io, *smb_io;
    Timer *timer; /* for the next change of the ACPI timer's highest bit, while it can interrupt */
    SmbusHost smbus;
    uint8_t apmc, apms;
    uint16_t pm1_sts, pm1_en, pm1_cnt;
    uint64_t timer_half; /* how many half periods pm1_sts has accounted for */
    uint16_t gpe_sts, gpe_en;
} Piix4Pm;

/* ---- ACPI timer, SCI ---- */

static uint64_t pm_ticks(void)
{
    return muldiv64((uint64_t)clock_now(CLOCK_VM), PM_TIMER_HZ, NS_PER_SEC);
}

/* TMR_STS follows from time; brings it up to date. */
static void update_timer_status(Piix4Pm *s)
{
    uint64_t half = pm_ticks() / PM_TIMER_HALF;

    if (half != s->timer_half) {
        s->timer_half = half;
        s->pm1_sts |= STS_TMR;
    }
}

static void update_sci(Piix4Pm *s)
{
    bool level;

    update_timer_status(s);
    level = (s->pm1_cnt & CNT_SCI_EN) &&
            ((s->pm1_sts & s->pm1_en & EN_ALL) || (s->gpe_sts & s->gpe_en));
    irq_set(s->sci, level);
    if ((s->pm1_en & STS_TMR) && !(s->pm1_sts & STS_TMR)) {
        uint64_t next = (s->timer_half + 1) * PM_TIMER_HALF;

        timer_arm(s->timer, (int64_t)muldiv64(next, NS_PER_SEC, PM_TIMER_HZ) + 1);
    } else {
        timer_disarm(s->timer);
    }
}

static void timer_fired(void *opaque)
{
    update_sci(opaque);
}

void piix4_pm_set_sci(Device *dev, IrqLine *sci)
{
    Piix4Pm *s = (Piix4Pm *)dev;

    s->sci = sci;
    update_sci(s);
}

void piix4_pm_set_gpe(Device *dev, int n, int level)
{
    Piix4Pm *s = (Piix4Pm *)dev;

    g_assert(n >= 0 && n < 16);
    if (level) {
        s->gpe_sts |= (uint16_t)(1u << n);
        update_sci(s);
    }
}

static void power_button(void *opaque)
{
    Piix4Pm *s = opaque;

    s->pm1_sts |= STS_PWRBTN;
    update_sci(s);
}

/* ---- the block at PMBA ---- */

static void pm1_cnt_write(Piix4Pm *s, uint16_t value)
{
    s->pm1_cnt = value & (CNT_SCI_EN | CNT_BM_RLD | CNT_SLP_TYP);
    if ((value & CNT_SLP_EN) && (value & CNT_SLP_TYP) >> 10 == SLP_TYP_S5) {
        machine_request_shutdown(s->pci.dev.machine, SHUTDOWN_GUEST_POWEROFF, 0);
    }
}

static uint16_t pm_reg_read(Piix4Pm *s, unsigned reg)
{
    switch (reg) {
    case PMSTS:
        update_timer_status(s);
        return s->pm1_sts;
    case PMEN:
        return s->pm1_en;
    case PMCNTRL:
        return s->pm1_cnt;
    case GPSTS:
        return s->gpe_sts;
    case GPEN:
        return s->gpe_en;
    default:
        return 0;
    }
}

/* VALUE holds the bytes of MASK; status registers take ones as clear. */
static void pm_reg_write(Piix4Pm *s, unsigned reg, uint16_t value, uint16_t mask)
{
    switch (reg) {
    case PMSTS:
        update_timer_status(s);
        s->pm1_sts &= (uint16_t) ~(value & mask);
        break;
    case PMEN:
        s->pm1_en = ((s->pm1_en & ~mask) | (value & mask)) & EN_ALL;
        break;
    case PMCNTRL:
        pm1_cnt_write(s, (uint16_t)((s->pm1_cnt & ~mask) | (value & mask)));
        break;
    case GPSTS:
        s->gpe_sts &= (uint16_t) ~(value & mask);
        break;
    case GPEN:
        s->gpe_en = (uint16_t)((s->gpe_en & ~mask) | (value & mask));
        break;
    }
    update_sci(s);
}

static uint64_t pm_read(void *opaque, hwaddr addr, unsigned size)
{
    Piix4Pm *s = opaque;
    uint64_t value = 0;

    if (addr >= PMTMR && addr < PMTMR + 4) {
        return (pm_ticks() & PM_TIMER_MASK) >> (8 * (addr - PMTMR));
    }
    for (unsigned i = 0; i < size; i++) {
        unsigned at = (unsigned)addr + i;

        value |= (uint64_t)(pm_reg_read(s, at & ~1u) >> (8 * (at & 1)) & 0xff) << (8 * i);
    }
    return value;
}

static void pm_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Piix4Pm *s = opaque;
    unsigned at = (unsigned)addr, end = at + size;

    while (at < end) {
        unsigned reg = at & ~1u, lo = at & 1, n = MIN(end, reg + 2) - at;
        uint16_t mask = (uint16_t)(((1u << (8 * n)) - 1) << (8 * lo));

        pm_reg_write(s, reg, (uint16_t)(value << (8 * lo)), mask);
        value >>= 8 * n;
        at += n;
    }
}

static const MemOps pm_ops = {.read = pm_read, .write = pm_write};

/* ---- APM control ---- */

static bool apmc_smi_enabled(const Piix4Pm *s)
{
    return s->smm_prop && (s->pci.config[DEVACTB_APMC_EN_BYTE] & DEVACTB_APMC_EN_BIT);
}

static uint64_t apm_read(void *opaque, hwaddr addr, unsigned size)
{
    const Piix4Pm *s = opaque;

    (void)size;
    return addr == 0 ? s->apmc : s->apms;
}

static void apm_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Piix4Pm *s = opaque;
    Machine *m = s->pci.dev.machine;

    (void)size;
    if (addr == 1) {
        s->apms = (uint8_t)value;
        return;
    }
    s->apmc = (uint8_t)value;
    if (value == PIIX4_ACPI_ENABLE) {
        s->pm1_cnt |= CNT_SCI_EN;
    } else if (value == PIIX4_ACPI_DISABLE) {
        s->pm1_cnt &= (uint16_t)~CNT_SCI_EN;
    }
    update_sci(s);
    if (apmc_smi_enabled(s) && m->cpu_count) {
        cpu_raise(m->cpus[0], CPU_EVENT_SMI);
    }
}

static const MemOps apm_ops = {.read = apm_read, .write = apm_write, .max_size = 1};

/* ---- configuration ---- */

/* Places one I/O block by its base register and enable bit. */
static void place_block(Piix4Pm *s, MemRegion *region, uint32_t base_reg, bool enabled,
                        uint32_t mask)
{
    uint32_t base = pci_get(&s->pci, base_reg, 4) & mask;

    mem_region_set_offset(region, base);
    mem_region_set_enabled(region, enabled && base != 0);
}

static void update_blocks(Piix4Pm *s)
{
    mem_transaction_begin();
    place_block(s, s->pm_io, PMBA, s->pci.config[PMREGMISC] & PMREGMISC_PMIOSE, 0xffc0);
    place_block(s, s->smb_io, SMBBA, s->pci.config[SMBHSTCFG] & SMBHSTCFG_ENABLE, 0xfff0);
    mem_transaction_commit();
}

static void pm_config_written(PciDevice *dev, uint32_t addr, unsigned size)
{
    (void)addr;
    (void)size;
    update_blocks((Piix4Pm *)dev);
}

/* ---- life ---- */

static void pm_reset(Device *dev)
{
    Piix4Pm *s = (Piix4Pm *)dev;

    pci_set(&s->pci, PCI_STATUS, 2, 0x280); /* fast back-to-back, medium DEVSEL */
    pci_set(&s->pci, PMBA, 4, 1);
    pci_set(&s->pci, DEVACTB, 4, 0);
    if (!s->smm_prop) {
        s->pci.config[DEVACTB_APMC_EN_BYTE] = DEVACTB_APMC_EN_BIT;
    }
    s->pci.config[PMREGMISC] = 0;
    pci_set(&s->pci, SMBBA, 4, 1);
    s->pci.config[SMBHSTCFG] = 0;
    s->apmc = s->apms = 0;
    s->pm1_sts = s->pm1_en = s->pm1_cnt = 0;
    s->gpe_sts = s->gpe_en = 0;
    s->timer_half = pm_ticks() / PM_TIMER_HALF;
    smbus_host_reset(&s->smbus);
    update_blocks(s);
    update_sci(s);
}

static bool pm_realize(Device *dev, GError **err)
{
    Piix4Pm *s = (Piix4Pm *)dev;
    Machine *m = dev->machine;

    (void)err;
    pci_set_wmask(&s->pci, PCI_COMMAND, 2, PCI_COMMAND_IO);
    pci_set_wmask(&s->pci, PMBA, 4, 0xffc0);
    pci_set_wmask(&s->pci, DEVACTB, 4, 0x03ffffff);
    s->pci.wmask[PMREGMISC] = PMREGMISC_PMIOSE;
    pci_set_wmask(&s->pci, SMBBA, 4, 0xfff0);
    s->pci.wmask[SMBHSTCFG] = 0x0f;

    s->timer = timer_new(CLOCK_VM, timer_fired, s);
    s->pm_io = mem_region_io("piix4-pm", &pm_ops, s, PM_BLOCK_SIZE);
    s->smb_io = mem_region_io("piix4-smbus", &smbus_host_ops, &s->smbus, SMBUS_HOST_SIZE);
    s->apm_io = mem_region_io("apm", &apm_ops, s, 2);
    mem_transaction_begin();
    mem_region_set_enabled(s->pm_io, false);
    mem_region_set_enabled(s->smb_io, false);
    mem_region_add(m->io_root, 0, s->pm_io, 1);
    mem_region_add(m->io_root, 0, s->smb_io, 1);
    mem_region_add(m->io_root, 0xb2, s->apm_io, 0);
    mem_transaction_commit();
    machine_on_powerdown(m, power_button, s);
    pm_reset(dev);
    return true;
}

static bool pm_post_load(void *opaque, uint32_t version, GError **err)
{
    Piix4Pm *s = opaque;

    (void)version;
    (void)err;
    s->pm1_sts &= STS_ALL;
    s->pm1_en &= EN_ALL;
    update_blocks(s);
    update_sci(s);
    return true;
}

static const Property pm_props[] = {
    {.name = "smm",
     .type = PROP_BOOL,
     PROP_FIELD(Piix4Pm, smm_prop),
     .default_value = "on",
     .description = "raise SMIs; off where CPUs have no system management mode"},
    {.type = PROP_END},
};

static const StateField pm_fields[] = {
    STATE_FIELD_STRUCT(Piix4Pm, pci, &pci_state_table),
    STATE_FIELD_STRUCT(Piix4Pm, smbus, &smbus_host_state_table),
    STATE_FIELD_UINT(Piix4Pm, apmc),
    STATE_FIELD_UINT(Piix4Pm, apms),
    STATE_FIELD_UINT(Piix4Pm, pm1_sts),
    STATE_FIELD_UINT(Piix4Pm, pm1_en),
    STATE_FIELD_UINT(Piix4Pm, pm1_cnt),
    STATE_FIELD_UINT(Piix4Pm, timer_half),
    STATE_FIELD_UINT(Piix4Pm, gpe_sts),
    STATE_FIELD_UINT(Piix4Pm, gpe_en),
    STATE_FIELD_END,
};
static const StateTable pm_state = {.name = "piix4-pm",
                                    .version = 1,
                                    .min_version = 1,
                                    .fields = pm_fields,
                                    .post_load = pm_post_load};

static const PciClass pm_pci = {
    .vendor_id = 0x8086,
    .device_id = 0x7113,
    .class_code = 0x068000,
    .revision = 3,
    .interrupt_pin = 1,
    .config_written = pm_config_written,
};

const DeviceClass piix4_pm_class = {
    .name = "PIIX4_PM",
    .description = "Intel PIIX4, ACPI power management and SMBus",
    .bus_type = "PCI",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(Piix4Pm),
    .props = pm_props,
    .bus_props = pci_props,
    .state = &pm_state,
    .bus_class = &pm_pci,
    .realize = pm_realize,
    .reset = pm_reset,
};
