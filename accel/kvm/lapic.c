/*
 * A local APIC that the kernel holds, as a device; and its registers after reset, as KVM_SET_LAPIC
 * takes them (SDM 3A 11.4.7.1).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "util/keyval.h"

/* Offsets in the register page (SDM 3A table 11-1). */
enum {
    REG_ID = 0x20,
    REG_VERSION = 0x30,
    REG_DFR = 0xe0,
    REG_SVR = 0xf0,
    REG_LVT_TIMER = 0x320,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_ERROR = 0x370,
};

enum { VERSION = 0x14 | 5 << 16, MASKED = 1 << 16, EXTINT = 7 << 8 };

static void put(struct kvm_lapic_state *regs, unsigned at, uint32_t value)
{
    memcpy(&regs->regs[at], &value, sizeof(value));
}

void kvm_lapic_reset(struct kvm_lapic_state *regs, uint32_t id, bool boot_cpu)
{
    memset(regs, 0, sizeof(*regs));
    put(regs, REG_ID, id << 24);
    put(regs, REG_VERSION, VERSION);
    put(regs, REG_DFR, 0xffffffff);
    put(regs, REG_SVR, 0xff);
    for (unsigned at = REG_LVT_TIMER; at <= REG_LVT_ERROR; at += 0x10) {
        put(regs, at, MASKED);
    }
    if (boot_cpu) {
        /* Virtual wire mode, as the translator's: 8259 interrupts come through at once. */
        put(regs, REG_LVT_LINT0, EXTINT);
    }
}

/* ---- the device ---- */

typedef struct KvmApicDev {
    Device dev;
    uint32_t cpu_index;
    struct kvm_lapic_state regs;
} KvmApicDev;

static KvmCpu *apic_cpu(KvmApicDev *d)
{
    return kvm_cpu(d->dev.machine->cpus[d->cpu_index]);
}

static bool apic_realize(Device *dev, GError **err)
{
    KvmApicDev *d = (KvmApicDev *)dev;

    if (d->cpu_index >= (uint32_t)dev->machine->cpu_count) {
        emu_set_error(err, "kvm-apic: cpu-index %u is not a CPU of this machine (0 to %d)",
                      d->cpu_index, dev->machine->cpu_count - 1);
        return false;
    }
    return true;
}

/* The CPU's kvm_put_state(), which follows a reset and a load, hands the registers over. */
static void apic_hand_over(KvmApicDev *d)
{
    KvmCpu *c = apic_cpu(d);

    c->lapic = d->regs;
    c->lapic_pending = true;
}

static void apic_reset(Device *dev)
{
    KvmApicDev *d = (KvmApicDev *)dev;

    kvm_lapic_reset(&d->regs, apic_cpu(d)->x.cpu.apic_id, d->cpu_index == 0);
    apic_hand_over(d);
}

static void apic_pre_save(void *opaque)
{
    KvmApicDev *d = opaque;
    KvmCpu *c = apic_cpu(d);

    if (c->lapic_pending) {
        d->regs = c->lapic;
    } else if (ioctl(c->fd, KVM_GET_LAPIC, &d->regs) < 0) {
        kvm_cpu_failed(c, "KVM_GET_LAPIC", errno);
    }
}

static bool apic_post_load(void *opaque, uint32_t version, GError **err)
{
    (void)version, (void)err;
    apic_hand_over(opaque);
    return true;
}

static const StateField apic_fields[] = {
    STATE_FIELD_BYTES(KvmApicDev, regs),
    STATE_FIELD_END,
};
static const StateTable apic_state = {.name = "kvm-apic",
                                      .version = 1,
                                      .min_version = 1,
                                      .fields = apic_fields,
                                      .pre_save = apic_pre_save,
                                      .post_load = apic_post_load};

static const Property apic_props[] = {
    {
        .name = "cpu-index",
        .type = PROP_UINT,
        PROP_FIELD(KvmApicDev, cpu_index),
        .default_value = "0",
        .description = "number of the CPU it serves",
    },
    {.type = PROP_END},
};

const DeviceClass kvm_apic_class = {
    .name = "kvm-apic",
    .description = "local APIC in the kernel",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(KvmApicDev),
    .props = apic_props,
    .state = &apic_state,
    .realize = apic_realize,
    .reset = apic_reset,
};
