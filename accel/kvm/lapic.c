/*
 * A local APIC that the kernel holds, as a device; and its registers after reset, as KVM_SET_LAPIC
 * takes them (SDM 3A 11.4.7.1). It is saved as the device "apic" of hw/intc, so that a state moves
 * between accelerators.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "hw/intc/apic_impl.h"
#include "util/keyval.h"

/* Offsets in the register page (SDM 3A table 11-1). */
enum {
    REG_ID = 0x20,
    REG_VERSION = 0x30,
    REG_TPR = 0x80,
    REG_LDR = 0xd0,
    REG_DFR = 0xe0,
    REG_SVR = 0xf0,
    REG_ISR = 0x100,
    REG_TMR = 0x180,
    REG_IRR = 0x200,
    REG_ESR = 0x280,
    REG_ICR = 0x300,
    REG_LVT_TIMER = 0x320,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_ERROR = 0x370,
    REG_TIMER_INITIAL = 0x380,
    REG_TIMER_CURRENT = 0x390,
    REG_TIMER_DIVIDE = 0x3e0,
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

static uint32_t get(const struct kvm_lapic_state *regs, unsigned at)
{
    uint32_t value;

    memcpy(&value, &regs->regs[at], sizeof(value));
    return value;
}

static KvmCpu *apic_cpu(Apic *s)
{
    return kvm_cpu(s->dev.machine->cpus[s->cpu_index]);
}

/* The timer is there to be saved and loaded; it fires in the device of hw/. */
static void apic_timer(void *opaque)
{
    (void)opaque;
}

static bool apic_realize(Device *dev, GError **err)
{
    Apic *s = (Apic *)dev;

    if (s->cpu_index >= (uint32_t)dev->machine->cpu_count) {
        emu_set_error(err, "kvm-apic: cpu-index %u is not a CPU of this machine (0 to %d)",
                      s->cpu_index, dev->machine->cpu_count - 1);
        return false;
    }
    s->timer = timer_new(CLOCK_VM, apic_timer, s);
    return true;
}

static void apic_unrealize(Device *dev)
{
    timer_free(((Apic *)dev)->timer);
}

static void apic_reset(Device *dev)
{
    Apic *s = (Apic *)dev;
    KvmCpu *c = apic_cpu(s);

    kvm_lapic_reset(&c->lapic, c->x.cpu.apic_id, s->cpu_index == 0);
    c->lapic_deadline = 0;
    c->lapic_pending = true;
}

static void from_kernel(Apic *s, const struct kvm_lapic_state *k, const X86State *st)
{
    uint32_t current = get(k, REG_TIMER_CURRENT); /* then: how many ticks have passed */

    s->base = st->apic_base;
    for (unsigned i = 0; i < 8; i++) {
        s->isr[i] = get(k, REG_ISR + 16 * i);
        s->tmr[i] = get(k, REG_TMR + 16 * i);
        s->irr[i] = get(k, REG_IRR + 16 * i);
    }
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        s->lvt[i] = get(k, REG_LVT_TIMER + 16 * i);
    }
    s->tpr = get(k, REG_TPR) & 0xff;
    s->ldr = get(k, REG_LDR);
    s->dfr = get(k, REG_DFR);
    s->svr = get(k, REG_SVR);
    s->esr = get(k, REG_ESR);
    s->esr_pending = 0;
    s->icr_low = get(k, REG_ICR);
    s->icr_high = get(k, REG_ICR + 16);
    s->lint[0] = s->lint[1] = 0; /* the 8259 drives them anew */
    s->timer_divide = get(k, REG_TIMER_DIVIDE) & 15;
    s->timer_initial = get(k, REG_TIMER_INITIAL);
    current = s->timer_initial - MIN(current, s->timer_initial);
    s->timer_start = s->timer_initial ? MAX(clock_now(CLOCK_VM) - apic_timer_ns(s, current), 0) : 0;
    s->tsc_deadline = st->tsc_deadline;
}

static void to_kernel(const Apic *s, struct kvm_lapic_state *k, const KvmCpu *c)
{
    uint32_t id = c->x.cpu.apic_id;

    kvm_lapic_reset(k, id, false);
    put(k, REG_ID, apic_is_x2(s) && c->accel->x2apic_ids ? id : id << 24);
    for (unsigned i = 0; i < 8; i++) {
        put(k, REG_ISR + 16 * i, s->isr[i]);
        put(k, REG_TMR + 16 * i, s->tmr[i]);
        put(k, REG_IRR + 16 * i, s->irr[i]);
    }
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        put(k, REG_LVT_TIMER + 16 * i, s->lvt[i]);
    }
    put(k, REG_TPR, s->tpr);
    put(k, REG_LDR, s->ldr);
    put(k, REG_DFR, s->dfr);
    put(k, REG_SVR, s->svr);
    put(k, REG_ESR, s->esr);
    put(k, REG_ICR, s->icr_low);
    put(k, REG_ICR + 16, s->icr_high);
    put(k, REG_TIMER_DIVIDE, s->timer_divide);
    put(k, REG_TIMER_INITIAL, s->timer_initial);
    put(k, REG_TIMER_CURRENT, apic_timer_count(s));
}

static void apic_pre_save(void *opaque)
{
    Apic *s = opaque;
    KvmCpu *c = apic_cpu(s);
    struct kvm_lapic_state k = c->lapic;

    if (!c->lapic_pending && ioctl(c->fd, KVM_GET_LAPIC, &k) < 0) {
        kvm_cpu_failed(c, "KVM_GET_LAPIC", errno);
        return;
    }
    from_kernel(s, &k, &c->x.st);
    if ((s->lvt[LVT_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_TSC) {
        timer_arm(s->timer, clock_now(CLOCK_VM)); /* who loads it looks at the deadline then */
    } else {
        apic_timer_rearm(s);
    }
}

/* The CPU's kvm_put_state(), which follows a load, hands the registers over. */
static bool apic_post_load(void *opaque, uint32_t version, GError **err)
{
    Apic *s = opaque;
    KvmCpu *c = apic_cpu(s);

    (void)version, (void)err;
    timer_disarm(s->timer);
    s->timer_start = MIN(s->timer_start, clock_now(CLOCK_VM));
    to_kernel(s, &c->lapic, c);
    c->lapic_deadline = s->tsc_deadline;
    c->lapic_pending = true;
    return true;
}

static const StateTable apic_state = {.name = "apic",
                                      .version = 1,
                                      .min_version = 1,
                                      .fields = apic_state_fields,
                                      .pre_save = apic_pre_save,
                                      .post_load = apic_post_load};

static const Property apic_props[] = {
    {
        .name = "cpu-index",
        .type = PROP_UINT,
        PROP_FIELD(Apic, cpu_index),
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
    .size = sizeof(Apic),
    .props = apic_props,
    .state = &apic_state,
    .realize = apic_realize,
    .unrealize = apic_unrealize,
    .reset = apic_reset,
};
