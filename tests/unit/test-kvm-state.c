/*
 * What is put into KVM comes back: CPU state, interrupt controllers, clock; with a CPU that never
 * runs. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/lock.h"
#include "hw/intc/apic_impl.h"
#include "hw/intc/i8259_impl.h"
#include "hw/intc/ioapic_impl.h"
#include "hw/timer/i8254_impl.h"
#include "target-x86/cpuid.h"
#include "tests/unit/kvm_rig.h"

static KvmRig *rig;
static GRand *rng;

static uint64_t random64(void)
{
    return (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng);
}

static uint64_t canonical(void)
{
    return (uint64_t)((int64_t)(random64() << 17) >> 17);
}

/* ---- a state ---- */

static void fill_long_mode(X86State *st)
{
    st->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP;
    st->cr2 = random64();
    st->cr3 = 0x12345000;
    st->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    st->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    for (int i = 0; i < SEG_COUNT; i++) {
        st->seg[i] =
            (X86Segment){.limit = UINT32_MAX, .attr = 0xc093, .selector = (uint16_t)(16 + 8 * i)};
    }
    st->seg[SEG_CS].attr = 0xa09b;
    st->seg[SEG_FS].base = canonical();
    st->seg[SEG_GS].base = canonical();
    st->ldt = (X86Segment){.base = canonical(), .limit = 0xfff, .attr = 0x82, .selector = 0x80};
    st->tr = (X86Segment){.base = canonical(), .limit = 0x67, .attr = 0x8b, .selector = 0x40};
    st->gdt = (X86TableReg){canonical(), 0x7f};
    st->idt = (X86TableReg){canonical(), 0xfff};
}

static void fill_msrs(X86State *st)
{
    st->star = random64();
    st->lstar = canonical();
    st->cstar = canonical();
    st->sfmask = g_rand_int(rng);
    st->kernel_gs_base = canonical();
    st->sysenter_cs = g_rand_int(rng) & 0xffff;
    st->sysenter_esp = canonical();
    st->sysenter_eip = canonical();
    st->pat = 0x0001040600070406;
    st->mtrr_def_type = 0xc06;
    for (int i = 0; i < 11; i++) {
        st->mtrr_fixed[i] = 0x0606060600000505;
    }
    for (int i = 0; i < X86_MTRR_VAR; i++) {
        st->mtrr_base[i] = (uint64_t)i << 28 | 6;
        st->mtrr_mask[i] = 0xff0000800;
    }
    st->tsc_offset = (uint64_t)g_rand_int(rng) << 20;
    st->tsc_adjust = random64() >> 8;
    st->mcg_status = 5;
    st->mce_banks[4 * 2 + 2] = 0x123456789000;
}

static void fill_vectors(X86State *st)
{
    uint64_t components = 3 | (rig->c->x.model->xcr0_mask & 4);

    st->xcr0 = rig->c->x.model->xcr0_mask ? components : 1;
    memset(st->xsave, 0, sizeof(st->xsave));
    memcpy(st->xsave, (uint16_t[]){0x27f, 0x3800}, 4); /* FCW, FSW */
    st->xsave[4] = 0xff;
    memcpy(st->xsave + 24, (uint32_t[]){0x1fa0, 0xffff}, 8);
    for (int i = 0; i < 8; i++) {
        uint64_t mantissa = random64() | 1ull << 63;
        memcpy(st->xsave + 32 + 16 * i, &mantissa, 8);
        memcpy(st->xsave + 40 + 16 * i, (uint16_t[]){0x4001}, 2);
    }
    for (int i = 160; i < 416; i++) {
        st->xsave[i] = (uint8_t)g_rand_int(rng);
    }
    for (int i = 576; components & 4 && i < 832; i++) {
        st->xsave[i] = (uint8_t)g_rand_int(rng);
    }
    memcpy(st->xsave + 512, &components, 8);
}

static void fill(X86State *st)
{
    x86_cpu_reset(&rig->c->x, true);
    for (int i = 0; i < 16; i++) {
        st->gpr[i] = random64();
    }
    st->rip = canonical();
    st->rflags = 0x2 | (g_rand_int(rng) & (FLAG_STATUS | FLAG_DF | FLAG_IF | FLAG_IOPL | FLAG_ID));
    fill_long_mode(st);
    fill_msrs(st);
    fill_vectors(st);
    for (int i = 0; i < 4; i++) {
        st->dr[i] = canonical();
    }
    st->dr[6] = 0xffff0ff5;
    st->dr[7] = 0x000d0402;
}

/* ---- comparison ---- */

typedef struct FieldRow {
    const char *name;
    size_t offset, size;
} FieldRow;

#define F(f)                                                                                       \
    {                                                                                              \
#f, offsetof(X86State, f), sizeof(((X86State *)0)->f)                                      \
    }

static const FieldRow fields[] = {
    F(gpr),
    F(rip),
    F(rflags),
    F(seg),
    F(ldt),
    F(tr),
    F(gdt),
    F(idt),
    F(cr0),
    F(cr2),
    F(cr3),
    F(cr4),
    F(xcr0),
    F(dr),
    F(efer),
    F(star),
    F(lstar),
    F(cstar),
    F(sfmask),
    F(kernel_gs_base),
    F(sysenter_cs),
    F(sysenter_esp),
    F(sysenter_eip),
    F(pat),
    F(apic_base),
    F(tsc_offset),
    F(tsc_adjust),
    F(misc_enable),
    F(mcg_status),
    F(mcg_ctl),
    F(mce_banks),
    F(mtrr_def_type),
    F(mtrr_fixed),
    F(mtrr_base),
    F(mtrr_mask),
    F(kvm_wall_clock),
    F(kvm_system_time),
    F(int_shadow),
    F(nmi_blocked),
    F(halted),
    F(wait_sipi),
    F(exc_pending),
    F(exc_vector),
    F(exc_has_error),
    F(exc_is_soft),
    F(nmi_pending),
    F(exc_error),
    F(exc_payload),
};

/* Some KVMs take a TSC offset and ignore it: their guests read the host's TSC. */
static bool tsc_offset_is_kept(void)
{
    X86State *st = &rig->c->x.st;

    st->tsc_offset = 1ull << 40;
    kvm_tsc_put(rig->c);
    kvm_tsc_get(rig->c);
    return st->tsc_offset == 1ull << 40;
}

static bool tsc_kept;

static void compare(const X86State *want, const X86State *got)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        const FieldRow *f = &fields[i];
        const uint8_t *w = (const uint8_t *)want + f->offset, *g = (const uint8_t *)got + f->offset;
        if (!tsc_kept && f->offset == offsetof(X86State, tsc_offset)) {
            continue;
        }
        for (size_t at = 0; at < f->size; at++) {
            if (w[at] != g[at]) {
                g_error("%s: byte %zu of %zu is %02x, should be %02x", f->name, at, f->size, g[at],
                        w[at]);
            }
        }
    }
    /* Bytes 464 to 511 are the software's. */
    g_assert_cmpmem(got->xsave, 464, want->xsave, 464);
    g_assert_cmpmem(got->xsave + 512, 320, want->xsave + 512, 320);
}

static void round_trip(X86State *want)
{
    X86State *st = &rig->c->x.st;

    *want = *st;
    kvm_put_state(&rig->c->x.cpu);
    g_assert_false(rig->c->broken);
    memset(st, 0, sizeof(*st));
    kvm_get_state(&rig->c->x.cpu);
    compare(want, st);
}

static void test_random_states_come_back(void)
{
    X86State want;

    for (int i = 0; i < 20; i++) {
        fill(&rig->c->x.st);
        round_trip(&want);
    }
}

static void test_reset_state_comes_back(void)
{
    X86State want;

    x86_cpu_reset(&rig->c->x, true);
    round_trip(&want);
}

static void test_pending_events_come_back(void)
{
    X86State want;
    X86State *st = &rig->c->x.st;

    fill(st);
    st->exc_pending = X86_EVENT_EXCEPTION;
    st->exc_vector = 14;
    st->exc_has_error = 1;
    st->exc_error = 7;
    round_trip(&want);
    fill(st);
    st->exc_pending = X86_EVENT_INTERRUPT;
    st->exc_vector = 0x41;
    round_trip(&want);
    if (rig->a->caps.exception_payload) {
        fill(st);
        st->exc_pending = X86_EVENT_EXCEPTION_RAISED;
        st->exc_vector = 14;
        st->exc_has_error = 1;
        st->exc_payload = 0x123456;
        round_trip(&want);
    }
    fill(st);
    st->nmi_pending = st->nmi_blocked = 1;
    round_trip(&want);
    for (uint8_t shadow = 1; shadow <= 2; shadow++) {
        fill(st);
        st->int_shadow = shadow;
        round_trip(&want);
    }
}

static void test_run_states_come_back(void)
{
    X86State want;
    X86State *st = &rig->c->x.st;

    fill(st);
    st->halted = 1;
    round_trip(&want);
    fill(st);
    st->wait_sipi = 1;
    round_trip(&want);
}

static void test_every_listed_msr_of_the_state_is_fetched(void)
{
    static const uint32_t msrs[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082,
                                    0xc0000083, 0xc0000084, 0xc0000102, 0x277};

    for (size_t i = 0; i < G_N_ELEMENTS(msrs); i++) {
        g_assert_true(kvm_msr_listed(rig->a, msrs[i]));
    }
    g_assert_false(kvm_msr_listed(rig->a, 0x12345));
}

/* ---- interrupt controllers and timer ---- */

static Device *device_of(const DeviceClass *cls)
{
    for (GSList *l = rig->m.root_bus->devices; l; l = l->next) {
        if (((Device *)l->data)->cls == cls) {
            return l->data;
        }
    }
    g_error("there is no %s", cls->name);
}

static GByteArray *saved(Device *dev)
{
    GByteArray *out = g_byte_array_new();
    state_save(dev->cls->state, dev, out);
    return out;
}

static void load_saved(Device *dev, const GByteArray *state)
{
    g_autoptr(GError) err = NULL;
    size_t pos = 0;

    state_load(dev->cls->state, dev, state->data, state->len, &pos, &err);
    g_assert_no_error(err);
}

static void test_interrupt_controllers_come_back(void)
{
    const DeviceClass *const classes[] = {&kvm_pic_class, &kvm_ioapic_class, &kvm_apic_class};
    IrqLine gsi[24];

    machine_lock();
    g_assert_true(kvm_irqchip_wire(rig->m.accel, gsi, 24, NULL));
    device_reset_all(rig->m.root_bus);
    x86_cpu_reset(&rig->c->x, true);
    kvm_put_state(&rig->c->x.cpu);
    irq_raise(&gsi[9]); /* a request in both chips */
    for (size_t i = 0; i < G_N_ELEMENTS(classes); i++) {
        Device *dev = device_of(classes[i]);
        GByteArray *before = saved(dev);
        classes[i]->reset(dev);
        kvm_put_state(&rig->c->x.cpu);
        GByteArray *reset = saved(dev);
        load_saved(dev, before);
        kvm_put_state(&rig->c->x.cpu);
        GByteArray *after = saved(dev);
        g_assert_cmpmem(after->data, after->len, before->data, before->len);
        if (classes[i] != &kvm_apic_class) {
            g_assert_false(before->len == reset->len &&
                           !memcmp(before->data, reset->data, reset->len));
        }
        g_byte_array_unref(before);
        g_byte_array_unref(reset);
        g_byte_array_unref(after);
    }
    irq_lower(&gsi[9]);
    machine_unlock();
}

static void test_local_apic_registers_come_back(void)
{
    struct kvm_lapic_state *regs = &rig->c->lapic, got;

    kvm_lapic_reset(regs, 0, true);
    memcpy(regs->regs + 0x80, (uint32_t[]){0x50}, 4);     /* TPR */
    memcpy(regs->regs + 0xd0, (uint32_t[]){1u << 24}, 4); /* LDR */
    memcpy(regs->regs + 0xf0, (uint32_t[]){0x1ff}, 4);    /* SVR: enabled */
    memcpy(regs->regs + 0x320, (uint32_t[]){0x10030}, 4); /* timer: masked */
    memcpy(regs->regs + 0x230, (uint32_t[]){1u << 5}, 4); /* IRR: vector 65h */
    rig->c->lapic_pending = true;
    x86_cpu_reset(&rig->c->x, true);
    rig->c->x.st.cr8 = 5;
    kvm_put_state(&rig->c->x.cpu);
    g_assert_cmpint(ioctl(rig->c->fd, KVM_GET_LAPIC, &got), ==, 0);
    for (unsigned at = 0; at < 0x400; at += 16) {
        if (at != 0xa0 && at != 0x30) { /* PPR is derived, the version the kernel's */
            g_assert_cmpmem(got.regs + at, 4, regs->regs + at, 4);
        }
    }
    kvm_get_state(&rig->c->x.cpu);
    g_assert_cmphex(rig->c->x.st.cr8, ==, 5);
}

static void test_timer_comes_back(void)
{
    machine_lock();
    Device *dev = device_of(&kvm_pit_class);
    struct kvm_pit_state2 pit;

    kvm_pit_class.reset(dev);
    ioctl(rig->a->vm_fd, KVM_GET_PIT2, &pit);
    pit.channels[2].mode = 3;
    pit.channels[2].rw_mode = 3;
    pit.channels[2].count = 1193;
    g_assert_cmpint(ioctl(rig->a->vm_fd, KVM_SET_PIT2, &pit), ==, 0);
    GByteArray *before = saved(dev);
    kvm_pit_class.reset(dev);
    load_saved(dev, before);
    ioctl(rig->a->vm_fd, KVM_GET_PIT2, &pit);
    g_assert_cmpuint(pit.channels[2].count, ==, 1193);
    g_assert_cmpuint(pit.channels[2].mode, ==, 3);
    g_byte_array_unref(before);
    machine_unlock();
}

/* ---- one format for both accelerators ---- */

static void test_the_kernel_s_controllers_are_saved_as_ours(void)
{
    const DeviceClass *const pairs[][2] = {{&kvm_pic_class, &i8259_class},
                                           {&kvm_ioapic_class, &ioapic_class},
                                           {&kvm_pit_class, &i8254_class},
                                           {&kvm_apic_class, &apic_class}};

    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        const StateTable *kernel = pairs[i][0]->state, *ours = pairs[i][1]->state;

        g_assert_cmpstr(kernel->name, ==, ours->name);
        g_assert_cmpuint(kernel->version, ==, ours->version);
        g_assert_true(kernel->fields == ours->fields);
        g_assert_cmpuint(pairs[i][0]->size, ==, pairs[i][1]->size);
    }
}

/* Saves DEV, resets it, loads what was saved, and hands it to the kernel. */
static void move(Device *dev)
{
    GByteArray *state = saved(dev);

    dev->cls->reset(dev);
    load_saved(dev, state);
    kvm_put_state(&rig->c->x.cpu);
    g_byte_array_unref(state);
}

static void get_chip(uint32_t id, struct kvm_irqchip *chip)
{
    *chip = (struct kvm_irqchip){.chip_id = id};
    g_assert_cmpint(ioctl(rig->a->vm_fd, KVM_GET_IRQCHIP, chip), ==, 0);
}

static void test_the_kernel_s_8259_is_an_8259(void)
{
    Device *dev = device_of(&kvm_pic_class);
    I8259 *s = (I8259 *)dev;
    struct kvm_irqchip before, after;

    machine_lock();
    get_chip(KVM_IRQCHIP_PIC_SLAVE, &before);
    before.chip.pic = (struct kvm_pic_state){
        .last_irr = 0x12,
        .irr = 0x02,
        .imr = 0xa5,
        .isr = 0x40,
        .priority_add = 3,
        .irq_base = 0x78,
        .read_reg_select = 1,
        .special_mask = 1,
        .init_state = 2,
        .rotate_on_auto_eoi = 1,
        .special_fully_nested_mode = 1,
        .init4 = 1,
        .elcr = 0x0c,
        .elcr_mask = 0xde,
    };
    g_assert_cmpint(ioctl(rig->a->vm_fd, KVM_SET_IRQCHIP, &before), ==, 0);
    move(dev);
    g_assert_cmphex(s->pic[1].level, ==, 0x12);
    g_assert_cmphex(s->pic[1].imr, ==, 0xa5);
    g_assert_cmphex(s->pic[1].icw2, ==, 0x78);
    g_assert_cmphex(s->pic[1].icw1 & ICW1_IC4, ==, ICW1_IC4);
    g_assert_cmphex(s->pic[1].icw4, ==, ICW4_SFNM | 1);
    g_assert_cmpuint(s->pic[1].lowest, ==, 2);
    g_assert_cmpuint(s->pic[1].init_step, ==, INIT_ICW3);
    get_chip(KVM_IRQCHIP_PIC_SLAVE, &after);
    g_assert_cmpmem(&after.chip.pic, sizeof(after.chip.pic), &before.chip.pic,
                    sizeof(before.chip.pic));
    dev->cls->reset(dev);
    machine_unlock();
}

static void test_the_kernel_s_io_apic_is_an_io_apic(void)
{
    Device *dev = device_of(&kvm_ioapic_class);
    IoApic *s = (IoApic *)dev;
    struct kvm_irqchip chip;

    machine_lock();
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        s->redir[i] = ((uint64_t)g_rand_int(rng) << 32 & 0xff00000000000000) | REDIR_MASKED |
                      (g_rand_int(rng) & (0x8f00 | REDIR_VECTOR));
        s->redir[i] &= ~0x700ull;
    }
    s->select = 0x2e;
    s->id = 7;
    s->level = 0x801234;
    GByteArray *state = g_byte_array_new();
    IoApic copy = *s;
    state_save(ioapic_class.state, &copy, state);
    load_saved(dev, state);
    g_byte_array_unref(state);
    get_chip(KVM_IRQCHIP_IOAPIC, &chip);
    g_assert_cmphex(chip.chip.ioapic.ioregsel, ==, 0x2e);
    g_assert_cmphex(chip.chip.ioapic.id, ==, 7);
    g_assert_cmphex(chip.chip.ioapic.irr, ==, 0x801234);
    move(dev);
    for (int i = 0; i < IOAPIC_INPUTS; i++) {
        g_assert_cmphex(s->redir[i], ==, copy.redir[i]);
        g_assert_cmphex(chip.chip.ioapic.redirtbl[i].bits, ==, copy.redir[i]);
    }
    g_assert_cmphex(s->level, ==, 0x801234);
    dev->cls->reset(dev);
    machine_unlock();
}

static void test_the_kernel_s_8254_is_an_8254(void)
{
    Device *dev = device_of(&kvm_pit_class);
    I8254 *s = (I8254 *)dev;
    struct kvm_pit_state2 pit;

    machine_lock();
    dev->cls->reset(dev);
    g_byte_array_unref(saved(dev));
    for (int i = 0; i < CHANNELS; i++) { /* as i8254's after reset */
        g_assert_cmpuint(s->ch[i].mode, ==, 3);
        g_assert_cmpuint(s->ch[i].rw, ==, RW_BOTH);
        g_assert_cmpuint(s->ch[i].running, ==, 0);
        g_assert_cmpuint(s->ch[i].count, ==, 65536);
        g_assert_cmpuint(s->ch[i].gate, ==, i != 2);
    }
    ioctl(rig->a->vm_fd, KVM_GET_PIT2, &pit);
    /* Channel 1: the low byte of a count has been written, and a latch is half read. */
    pit.channels[1].mode = 2;
    pit.channels[1].rw_mode = 3;
    pit.channels[1].write_state = pit.channels[1].count_latched = 4;
    pit.channels[1].read_state = 3;
    pit.channels[1].write_latch = 0x5a;
    pit.channels[1].latched_count = 0x1234;
    pit.channels[1].count = 500;
    pit.channels[2].mode = 3;
    pit.channels[2].rw_mode = pit.channels[2].write_state = pit.channels[2].read_state = 1;
    pit.channels[2].count = 200;
    pit.channels[2].gate = 1;
    pit.flags = KVM_PIT_FLAGS_SPEAKER_DATA_ON;
    g_assert_cmpint(ioctl(rig->a->vm_fd, KVM_SET_PIT2, &pit), ==, 0);
    move(dev);
    g_assert_cmpuint(s->ch[1].write_msb, ==, 1);
    g_assert_cmpuint(s->ch[1].latched, ==, 1);
    g_assert_cmphex(s->ch[1].latch, ==, 0x1234);
    g_assert_cmphex(s->ch[1].low, ==, 0x5a);
    g_assert_cmpuint(s->ch[1].running, ==, 1);
    g_assert_cmpuint(s->ch[2].rw, ==, RW_LSB);
    g_assert_cmphex(s->nmisc, ==, NMISC_GATE2 | NMISC_SPEAKER);
    g_assert_cmpint(s->ch[2].start, <=, clock_now(CLOCK_VM));

    struct kvm_pit_state2 after;
    ioctl(rig->a->vm_fd, KVM_GET_PIT2, &after);
    for (int i = 0; i < CHANNELS; i++) {
        after.channels[i].count_load_time = pit.channels[i].count_load_time = 0;
        pit.channels[i].rw_mode = pit.channels[i].rw_mode ? pit.channels[i].rw_mode : 3;
        pit.channels[i].read_state = pit.channels[i].read_state ? pit.channels[i].read_state : 3;
        pit.channels[i].write_state = pit.channels[i].write_state ? pit.channels[i].write_state : 3;
        g_assert_cmpmem(&after.channels[i], sizeof(after.channels[i]), &pit.channels[i],
                        sizeof(pit.channels[i]));
    }
    g_assert_cmphex(after.flags, ==, pit.flags);
    dev->cls->reset(dev);
    machine_unlock();
}

static void test_the_kernel_s_local_apic_is_a_local_apic(void)
{
    Device *dev = device_of(&kvm_apic_class);
    Apic *s = (Apic *)dev;
    Apic want;

    machine_lock();
    dev->cls->reset(dev);
    x86_cpu_reset(&rig->c->x, true);
    kvm_put_state(&rig->c->x.cpu);
    g_byte_array_unref(saved(dev));
    s->tpr = 0x30;
    s->ldr = 0x02000000;
    s->svr = 0x1ef;
    s->irr[2] = 0x10;
    s->isr[3] = 0x20;
    s->tmr[2] = 0x10;
    s->icr_low = 0x40;
    s->icr_high = 0x03000000;
    s->timer_divide = 0xb;
    s->timer_initial = 2000000000; /* two seconds */
    s->timer_start = clock_now(CLOCK_VM) - 500000000;
    s->lvt[LVT_TIMER] = 0x10035; /* masked */
    s->lvt[LVT_ERROR] = 0x36;
    want = *s;
    GByteArray *state = g_byte_array_new();
    state_save(
        &(StateTable){.name = "apic", .version = 1, .min_version = 1, .fields = apic_state_fields},
        s, state);
    dev->cls->reset(dev);
    load_saved(dev, state);
    g_byte_array_unref(state);
    kvm_put_state(&rig->c->x.cpu);
    g_byte_array_unref(saved(dev));
    g_assert_cmphex(s->tpr, ==, want.tpr);
    g_assert_cmphex(s->ldr, ==, want.ldr);
    g_assert_cmphex(s->svr, ==, want.svr);
    g_assert_cmpmem((void *)s->irr, sizeof(s->irr), (void *)want.irr, sizeof(want.irr));
    g_assert_cmpmem(s->isr, sizeof(s->isr), want.isr, sizeof(want.isr));
    g_assert_cmpmem((void *)s->tmr, sizeof(s->tmr), (void *)want.tmr, sizeof(want.tmr));
    g_assert_cmpmem((void *)s->lvt, sizeof(s->lvt), (void *)want.lvt, sizeof(want.lvt));
    g_assert_cmphex(s->icr_high, ==, want.icr_high);
    g_assert_cmphex(s->timer_divide, ==, want.timer_divide);
    g_assert_cmphex(s->timer_initial, ==, want.timer_initial);
    /* The count went on from where it was, or, with kernels that do not take it, from the start. */
    g_assert_cmpint(s->timer_start, >=, want.timer_start - 1000000);
    g_assert_cmpint(s->timer_start, <=, clock_now(CLOCK_VM));
    dev->cls->reset(dev);
    kvm_put_state(&rig->c->x.cpu);
    machine_unlock();
}

static void test_a_local_apic_in_x2apic_mode_comes_back(void)
{
    Device *dev = device_of(&kvm_apic_class);
    Apic *s = (Apic *)dev;
    struct kvm_lapic_state before, after;

    machine_lock();
    dev->cls->reset(dev);
    x86_cpu_reset(&rig->c->x, true);
    kvm_put_state(&rig->c->x.cpu);
    rig->c->x.st.apic_base |= APIC_BASE_EXTD;
    kvm_put_state(&rig->c->x.cpu);
    g_assert_cmpint(ioctl(rig->c->fd, KVM_GET_LAPIC, &before), ==, 0);
    move(dev);
    g_assert_false(rig->c->broken);
    g_assert_cmphex(s->base & APIC_BASE_EXTD, ==, APIC_BASE_EXTD);
    g_assert_cmpint(ioctl(rig->c->fd, KVM_GET_LAPIC, &after), ==, 0);
    g_assert_cmpmem(&after, sizeof(after), &before, sizeof(before));
    dev->cls->reset(dev);
    x86_cpu_reset(&rig->c->x, true);
    kvm_put_state(&rig->c->x.cpu);
    machine_unlock();
}

/* Scaling where KVM has it; else the missing capability is named. */
static void test_tsc_frequency_is_set_or_refused(void)
{
    CpuFeatures features;
    g_autoptr(GError) err = NULL;

    kvm_cpu_features(rig->m.accel, &features);
    CpuModel *model = cpu_model_parse("max,tsc-frequency=1500000000", &features, "kvm", NULL, &err);
    g_assert_no_error(err);
    cpu_model_set_topology(model, 1, 1, 1);
    Cpu *cpu = kvm_cpu_new(rig->m.accel, 1, 1, model, &err);
    if (rig->a->caps.tsc_control) {
        g_assert_no_error(err);
        g_assert_cmpint(ioctl(kvm_cpu(cpu)->fd, KVM_GET_TSC_KHZ, 0), ==, 1500000);
        kvm_cpu_free(cpu);
    } else {
        g_assert_null(cpu);
        g_assert_nonnull(strstr(err->message, "KVM_CAP_TSC_CONTROL"));
        g_assert_nonnull(strstr(err->message, "tsc-frequency=1500000000"));
    }
    cpu_model_free(model);
}

/* ---- clock, capabilities, self-test ---- */

static void test_clock_follows_the_machines(void)
{
    uint64_t ns = 0;

    kvm_clock_set(rig->a);
    g_usleep(20000);
    g_assert_true(kvm_clock_get(rig->a, &ns));
    g_assert_cmpint(ABS((int64_t)ns - clock_now(CLOCK_VM)), <, 10000000);
}

static void test_missing_capabilities_are_reported(void)
{
    int smm = ioctl(rig->a->fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM);
    int spaces = ioctl(rig->a->fd, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE);
    g_autoptr(GString) info = g_string_new(NULL);

    g_assert_cmpint(kvm_accel_class.has_cap(rig->m.accel, ACCEL_CAP_SMM), ==,
                    smm > 0 && spaces > 1);
    kvm_accel_class.print_info(rig->m.accel, info);
    g_assert_nonnull(strstr(info->str, smm > 0 ? "mode: yes" : "KVM_CAP_X86_SMM"));
    g_assert_cmpint(!!strstr(info->str, " KVM_CAP_TSC_CONTROL"), ==, !rig->a->caps.tsc_control);
    g_assert_cmpint(!!strstr(info->str, " KVM_CAP_NESTED_STATE"), ==, !rig->a->caps.nested_state);
    g_assert_cmpint(!!strstr(info->str, " KVM_CAP_IRQFD"), ==, !rig->a->caps.irqfd);
}

static void test_unknown_irqchip_is_refused_by_name(void)
{
    g_autoptr(GError) err = NULL;
    Accel *accel = accel_new(&kvm_accel_class);

    g_assert_false(accel_set_prop(accel, "kernel-irqchip", "half", &err));
    g_assert_nonnull(strstr(err->message, "kernel-irqchip"));
    g_assert_nonnull(strstr(err->message, "half"));
    accel_free(accel);
}

static void test_self_test_ends_in_time_with_a_verdict(void)
{
    g_autoptr(GError) err = NULL;
    int64_t start = g_get_monotonic_time();
    bool ok = kvm_selftest(rig->a->fd, &err);

    g_assert_cmpint(g_get_monotonic_time() - start, <, 5000000);
    g_assert_true(ok == !err);
    if (!ok) {
        g_assert_nonnull(strstr(err->message, "self-test"));
        g_assert_null(strchr(err->message, '\n'));
        g_test_message("%s", err->message);
    }
}

static void skip(void)
{
    g_assert_false(kvm_rig_available());
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"reset state comes back", test_reset_state_comes_back},
        {"random states come back", test_random_states_come_back},
        {"pending events come back", test_pending_events_come_back},
        {"run states come back", test_run_states_come_back},
        {"every listed MSR of the state is fetched", test_every_listed_msr_of_the_state_is_fetched},
        {"interrupt controllers come back", test_interrupt_controllers_come_back},
        {"local APIC registers come back", test_local_apic_registers_come_back},
        {"timer comes back", test_timer_comes_back},
        {"the kernel's controllers are saved as ours",
         test_the_kernel_s_controllers_are_saved_as_ours},
        {"the kernel's 8259 is an 8259", test_the_kernel_s_8259_is_an_8259},
        {"the kernel's IOAPIC is an IOAPIC", test_the_kernel_s_io_apic_is_an_io_apic},
        {"the kernel's 8254 is an 8254", test_the_kernel_s_8254_is_an_8254},
        {"the kernel's local APIC is a local APIC", test_the_kernel_s_local_apic_is_a_local_apic},
        {"a local APIC in x2APIC mode comes back", test_a_local_apic_in_x2apic_mode_comes_back},
        {"TSC frequency is set or refused", test_tsc_frequency_is_set_or_refused},
        {"clock follows the machine's", test_clock_follows_the_machines},
        {"missing capabilities are reported", test_missing_capabilities_are_reported},
        {"unknown irqchip is refused by name", test_unknown_irqchip_is_refused_by_name},
        {"self-test ends in time with a verdict", test_self_test_ends_in_time_with_a_verdict},
    };

    g_test_init(&argc, &argv, NULL);
    bool available = access("/dev/kvm", R_OK | W_OK) == 0;
    rng = g_rand_new_with_seed((guint32)g_test_rand_int());
    if (available) {
        rig = kvm_rig_new("kernel-irqchip", "on", NULL);
        tsc_kept = tsc_offset_is_kept();
    }
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/kvm/state/", tests[i].name, NULL);
        g_test_add_func(path, available ? tests[i].fn : skip);
    }
    return g_test_run();
}
