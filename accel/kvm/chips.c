/*
 * The 8259 pair, I/O APIC and 8254 that the kernel holds, as devices: to be reset, saved and shown
 * with the others; what they do, the kernel does.
 *
 * They are saved as the devices of hw/ that do the same, so that a state moves between
 * accelerators: the struct and the rows of its table are theirs. Saving fetches the kernel's
 * structures and translates them, loading hands them over. What the kernel does not tell is lost on
 * the way: an edge that waits at a masked input, and where in its period the 8254 is (it begins
 * anew). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm.h"
#include "accel/kvm/kvm_int.h"
#include "core/clock.h"
#include "hw/intc/i8259_impl.h"
#include "hw/intc/ioapic_impl.h"
#include "hw/timer/i8254_impl.h"
#include "util/keyval.h"

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

/* A reset that the kernel refuses is our own bug; it has nothing to check. */
static void report(GError *err)
{
    if (err) {
        g_printerr("%s: %s\n", g_get_prgname(), err->message);
        g_error_free(err);
    }
}

/* ---- 8259 pair ---- */

static void pic_from_kernel(Pic *p, const struct kvm_pic_state *k, bool slave)
{
    *p = (Pic){
        .pair = p->pair,
        .slave = slave,
        .level = k->last_irr,
        .irr = k->irr,
        .isr = k->isr,
        .imr = k->imr,
        .elcr = k->elcr,
        .icw1 = ICW1_INIT | (k->init4 ? ICW1_IC4 : 0),
        .icw2 = k->irq_base & 0xf8,
        .icw3 = slave ? CASCADE : 1 << CASCADE,
        .icw4 = (k->auto_eoi ? ICW4_AEOI : 0) | (k->special_fully_nested_mode ? ICW4_SFNM : 0) | 1,
        .init_step = k->init_state & 3,
        .lowest = (k->priority_add + 7) & 7,
        .rotate_aeoi = !!k->rotate_on_auto_eoi,
        .special_mask = !!k->special_mask,
        .read_isr = !!k->read_reg_select,
        .poll = !!k->poll,
    };
}

static void pic_to_kernel(const Pic *p, struct kvm_pic_state *k, bool slave)
{
    /* Inputs 0 to 2 of the master and 0 and 5 of the slave cannot be level-triggered. */
    const uint8_t elcr_mask = slave ? ELCR_SLAVE : ELCR_MASTER;

    *k = (struct kvm_pic_state){
        .last_irr = p->level,
        .irr = p->irr,
        .imr = p->imr,
        .isr = p->isr,
        .priority_add = (p->lowest + 1) & 7,
        .irq_base = p->icw2 & 0xf8,
        .read_reg_select = p->read_isr,
        .poll = p->poll,
        .special_mask = p->special_mask,
        .init_state = p->init_step,
        .auto_eoi = !!(p->icw4 & ICW4_AEOI),
        .rotate_on_auto_eoi = p->rotate_aeoi,
        .special_fully_nested_mode = !!(p->icw4 & ICW4_SFNM),
        .init4 = !!(p->icw1 & ICW1_IC4),
        .elcr = p->elcr & elcr_mask,
        .elcr_mask = elcr_mask,
    };
}

static bool pic_put(I8259 *s, GError **err)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct kvm_irqchip chip = {.chip_id = i ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER};

        pic_to_kernel(&s->pic[i], &chip.chip.pic, i);
        if (!load(&s->dev, KVM_SET_IRQCHIP, &chip, err)) {
            return false;
        }
    }
    return true;
}

static void pic_reset(Device *dev)
{
    I8259 *s = (I8259 *)dev;
    GError *err = NULL;

    for (int i = 0; i < 2; i++) {
        s->pic[i] = (Pic){.lowest = 7};
    }
    pic_put(s, &err);
    report(err);
}

static void pic_pre_save(void *opaque)
{
    I8259 *s = opaque;

    for (uint32_t i = 0; i < 2; i++) {
        struct kvm_irqchip chip = {.chip_id = i ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER};

        if (vm_call(&s->dev, KVM_GET_IRQCHIP, "KVM_GET_IRQCHIP", &chip)) {
            pic_from_kernel(&s->pic[i], &chip.chip.pic, i);
        }
    }
    s->intr = 0; /* who loads it finds out */
}

static bool pic_post_load(void *opaque, uint32_t version, GError **err)
{
    (void)version;
    return pic_put(opaque, err);
}

static const StateTable pic_state = {.name = "i8259",
                                     .version = 1,
                                     .min_version = 1,
                                     .fields = i8259_state_fields,
                                     .pre_save = pic_pre_save,
                                     .post_load = pic_post_load};

const DeviceClass kvm_pic_class = {
    .name = "kvm-i8259",
    .description = "8259A interrupt controller pair in the kernel",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(I8259),
    .state = &pic_state,
    .realize = no_realize,
    .reset = pic_reset,
};

/* ---- I/O APIC ---- */

static bool ioapic_put(IoApic *s, GError **err)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    struct kvm_ioapic_state *k = &chip.chip.ioapic;

    k->base_address = IOAPIC_DEFAULT_BASE;
    k->ioregsel = s->select;
    k->id = s->id;
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        k->redirtbl[i].bits = s->redir[i];
        /* An open edge input that is up has been served: as a request it would be one more. */
        k->irr |= s->redir[i] & (REDIR_LEVEL | REDIR_MASKED) ? s->level & 1u << i : 0;
    }
    return load(&s->dev, KVM_SET_IRQCHIP, &chip, err);
}

static void ioapic_reset(Device *dev)
{
    IoApic *s = (IoApic *)dev;
    GError *err = NULL;

    s->select = s->id = 0;
    s->level = 0;
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        s->redir[i] = REDIR_MASKED;
    }
    ioapic_put(s, &err);
    report(err);
}

static void ioapic_pre_save(void *opaque)
{
    IoApic *s = opaque;
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    const struct kvm_ioapic_state *k = &chip.chip.ioapic;

    if (vm_call(&s->dev, KVM_GET_IRQCHIP, "KVM_GET_IRQCHIP", &chip)) {
        s->select = (uint8_t)k->ioregsel;
        s->id = k->id & 15;
        s->level = k->irr & ((1u << IOAPIC_INPUTS) - 1);
        for (int i = 0; i < IOAPIC_INPUTS; i++) {
            s->redir[i] = k->redirtbl[i].bits & REDIR_VALID;
        }
    }
}

static bool ioapic_post_load(void *opaque, uint32_t version, GError **err)
{
    IoApic *s = opaque;

    (void)version;
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        s->redir[i] &= REDIR_VALID;
    }
    return ioapic_put(s, err);
}

static const StateTable ioapic_state = {.name = "ioapic",
                                        .version = 1,
                                        .min_version = 1,
                                        .fields = ioapic_state_fields,
                                        .pre_save = ioapic_pre_save,
                                        .post_load = ioapic_post_load};

const DeviceClass kvm_ioapic_class = {
    .name = "kvm-ioapic",
    .description = "I/O APIC in the kernel",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(IoApic),
    .state = &ioapic_state,
    .realize = no_realize,
    .reset = ioapic_reset,
};

/* ---- 8254 ---- */

/* The kernel's states of a channel's byte sequence, and its mark of a channel without a mode. */
enum { SEQUENCE_LOW = 3, SEQUENCE_HIGH = 4, NO_MODE = 0xff };

static void channel_from_kernel(Channel *c, const struct kvm_pit_channel_state *k)
{
    bool programmed = k->mode <= 5;
    /* When the kernel loaded the count, on its monotonic clock. */
    int64_t age = programmed ? MAX(clock_now(CLOCK_RT) - k->count_load_time, 0) : 0;
    int64_t start = MAX(clock_now(CLOCK_VM) - age, 0);

    *c = (Channel){
        .mode = programmed ? k->mode : 3,
        .bcd = !!k->bcd,
        .rw = k->rw_mode ? k->rw_mode & 3 : RW_BOTH,
        .gate = !!k->gate,
        .running = programmed,
        .write_msb = k->write_state == SEQUENCE_HIGH,
        .read_msb = k->read_state == SEQUENCE_HIGH,
        .latched = k->count_latched == SEQUENCE_LOW ? 2 : !!k->count_latched,
        .status_latched = !!k->status_latched,
        .status = k->status,
        .latch = k->latched_count,
        .low = k->write_latch,
        .count = k->count && k->count <= 65536 ? k->count : 65536,
        .previous = 65536,
    };
    c->start = c->running ? start : 0;
    c->paused = c->start;
}

/* As after reset: the kernel is not to let it tick. */
static bool is_unprogrammed(const Channel *c)
{
    return !c->running && c->mode == 3 && c->count == 65536;
}

static void channel_to_kernel(const Channel *c, struct kvm_pit_channel_state *k)
{
    uint8_t whole = c->rw == RW_BOTH ? SEQUENCE_LOW : c->rw;

    *k = (struct kvm_pit_channel_state){
        .count = c->count,
        .latched_count = c->latch,
        .count_latched = !c->latched        ? 0
                         : c->rw != RW_BOTH ? c->rw
                         : c->latched == 2  ? SEQUENCE_LOW
                                            : SEQUENCE_HIGH,
        .status_latched = c->status_latched,
        .status = c->status,
        .read_state = c->rw == RW_BOTH && c->read_msb ? SEQUENCE_HIGH : whole,
        .write_state = c->rw == RW_BOTH && c->write_msb ? SEQUENCE_HIGH : whole,
        .write_latch = c->low,
        .rw_mode = c->rw,
        .mode = is_unprogrammed(c) ? NO_MODE : c->mode,
        .bcd = c->bcd,
        .gate = c->gate,
    };
}

static bool pit_put(I8254 *s, GError **err)
{
    struct kvm_pit_state2 k = {0};

    for (int i = 0; i < CHANNELS; i++) {
        channel_to_kernel(&s->ch[i], &k.channels[i]);
    }
    k.flags = s->nmisc & NMISC_SPEAKER ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0;
    return load(&s->isa.dev, KVM_SET_PIT2, &k, err);
}

static void pit_reset(Device *dev)
{
    I8254 *s = (I8254 *)dev;
    GError *err = NULL;

    for (int i = 0; i < CHANNELS; i++) {
        s->ch[i] = (Channel){.mode = 3, .rw = RW_BOTH, .gate = i != 2, .count = 65536};
    }
    s->nmisc = 0;
    pit_put(s, &err);
    report(err);
}

/* The timer is there to be saved and loaded; it fires in the device of hw/. */
static void pit_timer(void *opaque)
{
    (void)opaque;
}

static bool pit_realize(Device *dev, GError **err)
{
    (void)err;
    ((I8254 *)dev)->timer = timer_new(CLOCK_VM, pit_timer, dev);
    return true;
}

static void pit_unrealize(Device *dev)
{
    timer_free(((I8254 *)dev)->timer);
}

static void pit_pre_save(void *opaque)
{
    I8254 *s = opaque;
    struct kvm_pit_state2 k;

    if (!vm_call(&s->isa.dev, KVM_GET_PIT2, "KVM_GET_PIT2", &k)) {
        return;
    }
    for (int i = 0; i < CHANNELS; i++) {
        channel_from_kernel(&s->ch[i], &k.channels[i]);
    }
    s->nmisc = (k.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? NMISC_SPEAKER : 0) |
               (s->ch[2].gate ? NMISC_GATE2 : 0);
    /* Who loads it looks at once when channel 0's output is to change. */
    s->next = clock_now(CLOCK_VM);
    timer_arm(s->timer, s->next);
}

static bool pit_post_load(void *opaque, uint32_t version, GError **err)
{
    I8254 *s = opaque;

    (void)version;
    timer_disarm(s->timer);
    for (int i = 0; i < CHANNELS; i++) {
        s->ch[i].count = s->ch[i].count ? s->ch[i].count : 65536;
    }
    return pit_put(s, err);
}

static const StateTable pit_state = {.name = "i8254",
                                     .version = 1,
                                     .min_version = 1,
                                     .fields = i8254_state_fields,
                                     .pre_save = pit_pre_save,
                                     .post_load = pit_post_load};

const DeviceClass kvm_pit_class = {
    .name = "kvm-pit",
    .description = "8254 interval timer and speaker port in the kernel",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(I8254),
    .state = &pit_state,
    .realize = pit_realize,
    .unrealize = pit_unrealize,
    .reset = pit_reset,
};
