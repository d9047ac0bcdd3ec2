/*
 * The 8259 pair, I/O APIC and 8254 that the kernel holds, as devices: to be reset, saved and shown
 * with the others; what they do, the kernel does.
 *
 * Their state tables name the fields of the kernel's structures. Saving fetches them first, loading
 * hands them over.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm.h"
#include "accel/kvm/kvm_int.h"
#include "util/keyval.h"

enum { IOAPIC_INPUTS = KVM_IOAPIC_NUM_PINS };

/* ---- what the devices share ---- */

/* 0 or a failure that has been reported: the caller is a hook that cannot fail. */
static bool vm_call(Device *dev, unsigned long request, const char *name, void *arg)
{
    KvmAccel *a = kvm_accel(dev->machine->accel);

    if (ioctl(a->vm_fd, request, arg) < 0) {
        g_printerr("%s: %s: %s: %s\n", g_get_prgname(), dev->cls->name, name, g_strerror(errno));
        return false;
    }
    return true;
}

static bool load(Device *dev, unsigned long request, void *arg, GError **err)
{
    KvmAccel *a = kvm_accel(dev->machine->accel);

    if (ioctl(a->vm_fd, request, arg) < 0) {
        emu_set_error(err, "%s: KVM refuses the state: %s", dev->cls->name, g_strerror(errno));
        return false;
    }
    return true;
}

static bool no_realize(Device *dev, GError **err)
{
    (void)dev, (void)err;
    return true;
}

/* ---- PIC pair ---- */

typedef struct KvmPicDev {
    Device dev;
    struct kvm_pic_state pic[2];
} KvmPicDev;

static const StateField pic_fields[] = {
    STATE_FIELD_UINT(struct kvm_pic_state, last_irr),
    STATE_FIELD_UINT(struct kvm_pic_state, irr),
    STATE_FIELD_UINT(struct kvm_pic_state, imr),
    STATE_FIELD_UINT(struct kvm_pic_state, isr),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, priority_add, 7),
    STATE_FIELD_UINT(struct kvm_pic_state, irq_base),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, read_reg_select, 1),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, poll, 1),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, special_mask, 1),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, init_state, 3),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, auto_eoi, 1),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, rotate_on_auto_eoi, 1),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, special_fully_nested_mode, 1),
    STATE_FIELD_UINT_MAX(struct kvm_pic_state, init4, 1),
    STATE_FIELD_UINT(struct kvm_pic_state, elcr),
    STATE_FIELD_UINT(struct kvm_pic_state, elcr_mask),
    STATE_FIELD_END,
};
static const StateTable pic_chip_state = {
    .name = "kvm-i8259-chip", .version = 1, .min_version = 1, .fields = pic_fields};

/* Lines 0 to 2 of the master and 0 and 5 of the slave cannot be level-triggered. */
static const uint8_t elcr_mask[2] = {0xf8, 0xde};

static bool pic_transfer(KvmPicDev *d, bool get, GError **err)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct kvm_irqchip chip = {.chip_id = i ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER};

        if (get) {
            if (!vm_call(&d->dev, KVM_GET_IRQCHIP, "KVM_GET_IRQCHIP", &chip)) {
                return false;
            }
            d->pic[i] = chip.chip.pic;
        } else {
            d->pic[i].elcr_mask = elcr_mask[i];
            d->pic[i].elcr &= elcr_mask[i];
            chip.chip.pic = d->pic[i];
            if (!load(&d->dev, KVM_SET_IRQCHIP, &chip, err)) {
                return false;
            }
        }
    }
    return true;
}

/* A reset that the kernel refuses is our own bug; it has nothing to check. */
static void report(GError *err)
{
    if (err) {
        g_printerr("%s: %s\n", g_get_prgname(), err->message);
        g_error_free(err);
    }
}

static void pic_reset(Device *dev)
{
    KvmPicDev *d = (KvmPicDev *)dev;
    GError *err = NULL;

    memset(d->pic, 0, sizeof(d->pic));
    pic_transfer(d, false, &err);
    report(err);
}

static void pic_pre_save(void *opaque)
{
    pic_transfer(opaque, true, NULL);
}

static bool pic_post_load(void *opaque, uint32_t version, GError **err)
{
    (void)version;
    return pic_transfer(opaque, false, err);
}

static const StateField pic_dev_fields[] = {
    STATE_FIELD_STRUCT_ARRAY(KvmPicDev, pic, &pic_chip_state),
    STATE_FIELD_END,
};
static const StateTable pic_state = {.name = "kvm-i8259",
                                     .version = 1,
                                     .min_version = 1,
                                     .fields = pic_dev_fields,
                                     .pre_save = pic_pre_save,
                                     .post_load = pic_post_load};

const DeviceClass kvm_pic_class = {
    .name = "kvm-i8259",
    .description = "8259A interrupt controller pair in the kernel",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(KvmPicDev),
    .state = &pic_state,
    .realize = no_realize,
    .reset = pic_reset,
};

/* ---- I/O APIC ---- */

#define IOAPIC_BASE   0xfec00000u
#define IOAPIC_MASKED (1ull << 16)

typedef struct KvmIoapicDev {
    Device dev;
    uint64_t base_address;
    uint32_t ioregsel, id, irr;
    uint64_t redirtbl[IOAPIC_INPUTS];
} KvmIoapicDev;

static bool ioapic_put(KvmIoapicDev *d, GError **err)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    struct kvm_ioapic_state *s = &chip.chip.ioapic;

    s->base_address = d->base_address;
    s->ioregsel = d->ioregsel;
    s->id = d->id;
    s->irr = d->irr;
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        s->redirtbl[i].bits = d->redirtbl[i];
    }
    return load(&d->dev, KVM_SET_IRQCHIP, &chip, err);
}

static void ioapic_reset(Device *dev)
{
    KvmIoapicDev *d = (KvmIoapicDev *)dev;
    GError *err = NULL;

    d->base_address = IOAPIC_BASE;
    d->ioregsel = d->id = d->irr = 0;
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        d->redirtbl[i] = IOAPIC_MASKED;
    }
    ioapic_put(d, &err);
    report(err);
}

static void ioapic_pre_save(void *opaque)
{
    KvmIoapicDev *d = opaque;
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    const struct kvm_ioapic_state *s = &chip.chip.ioapic;

    if (vm_call(&d->dev, KVM_GET_IRQCHIP, "KVM_GET_IRQCHIP", &chip)) {
        d->base_address = s->base_address;
        d->ioregsel = s->ioregsel;
        d->id = s->id;
        d->irr = s->irr;
        for (int i = 0; i < IOAPIC_INPUTS; i++) {
            d->redirtbl[i] = s->redirtbl[i].bits;
        }
    }
}

static bool ioapic_post_load(void *opaque, uint32_t version, GError **err)
{
    KvmIoapicDev *d = opaque;

    (void)version;
    d->base_address = IOAPIC_BASE;
    return ioapic_put(d, err);
}

static const StateField ioapic_fields[] = {
    STATE_FIELD_UINT_MAX(KvmIoapicDev, ioregsel, 0xff),
    STATE_FIELD_UINT_MAX(KvmIoapicDev, id, 0xf),
    STATE_FIELD_UINT_MAX(KvmIoapicDev, irr, 0xffffff),
    STATE_FIELD_UINT_ARRAY(KvmIoapicDev, redirtbl),
    STATE_FIELD_END,
};
static const StateTable ioapic_state = {.name = "kvm-ioapic",
                                        .version = 1,
                                        .min_version = 1,
                                        .fields = ioapic_fields,
                                        .pre_save = ioapic_pre_save,
                                        .post_load = ioapic_post_load};

const DeviceClass kvm_ioapic_class = {
    .name = "kvm-ioapic",
    .description = "I/O APIC in the kernel",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(KvmIoapicDev),
    .state = &ioapic_state,
    .realize = no_realize,
    .reset = ioapic_reset,
};

/* ---- 8254 ---- */

typedef struct KvmPitDev {
    Device dev;
    struct kvm_pit_state2 pit;
} KvmPitDev;

static void pit_reset(Device *dev)
{
    KvmPitDev *d = (KvmPitDev *)dev;
    GError *err = NULL;

    memset(&d->pit, 0, sizeof(d->pit));
    for (int i = 0; i < 3; i++) {
        d->pit.channels[i].mode = 0xff; /* not programmed: no timer */
        d->pit.channels[i].gate = i != 2;
    }
    load(dev, KVM_SET_PIT2, &d->pit, &err);
    report(err);
}

static void pit_pre_save(void *opaque)
{
    KvmPitDev *d = opaque;

    vm_call(&d->dev, KVM_GET_PIT2, "KVM_GET_PIT2", &d->pit);
}

static bool pit_post_load(void *opaque, uint32_t version, GError **err)
{
    KvmPitDev *d = opaque;

    (void)version;
    return load(&d->dev, KVM_SET_PIT2, &d->pit, err);
}

static const StateField channel_fields[] = {
    STATE_FIELD_UINT_MAX(struct kvm_pit_channel_state, count, 65536),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, latched_count),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, count_latched),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, status_latched),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, status),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, read_state),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, write_state),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, write_latch),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, rw_mode),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, mode),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, bcd),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, gate),
    STATE_FIELD_UINT(struct kvm_pit_channel_state, count_load_time),
    STATE_FIELD_END,
};
static const StateTable channel_state = {
    .name = "kvm-pit-channel", .version = 1, .min_version = 1, .fields = channel_fields};

static const StateField pit_fields[] = {
    STATE_FIELD_STRUCT_ARRAY(KvmPitDev, pit.channels, &channel_state),
    STATE_FIELD_UINT(KvmPitDev, pit.flags),
    STATE_FIELD_END,
};
static const StateTable pit_state = {.name = "kvm-pit",
                                     .version = 1,
                                     .min_version = 1,
                                     .fields = pit_fields,
                                     .pre_save = pit_pre_save,
                                     .post_load = pit_post_load};

const DeviceClass kvm_pit_class = {
    .name = "kvm-pit",
    .description = "8254 interval timer and speaker port in the kernel",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(KvmPitDev),
    .state = &pit_state,
    .realize = no_realize,
    .reset = pit_reset,
};
