/*
 * What is put into KVM comes back: CPU state, interrupt controllers, clock; with a CPU that never
 * runs. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/lock.h"
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
