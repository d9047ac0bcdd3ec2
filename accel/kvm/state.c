/*
 * The complete CPU state, between X86State and the kernel.
 *
 * KVM knows two things that X86State has in a form of its own: an NMI whose delivery has begun is
 * one that is pending again, and whether a CPU is halted is X86State's where the APIC is in user
 * space. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "target-x86/cpuid.h"

void kvm_cpu_failed(KvmCpu *c, const char *call, int error)
{
    g_printerr("%s: CPU %d: %s: %s\n", g_get_prgname(), c->x.cpu.index, call, g_strerror(error));
}

static bool get(KvmCpu *c, unsigned long request, const char *name, void *arg)
{
    if (ioctl(c->fd, request, arg) < 0) {
        kvm_cpu_failed(c, name, errno);
        return false;
    }
    return true;
}

static void put(KvmCpu *c, unsigned long request, const char *name, const void *arg)
{
    if (ioctl(c->fd, request, arg) < 0) {
        kvm_cpu_failed(c, name, errno);
        c->broken = true;
    }
}

#define GET(c, request, arg) get(c, request, #request, arg)
#define PUT(c, request, arg) put(c, request, #request, arg)

/* ---- general registers ---- */

/* In encoding order; struct kvm_regs has its own. */
static const size_t gpr_offset[16] = {
    offsetof(struct kvm_regs, rax), offsetof(struct kvm_regs, rcx), offsetof(struct kvm_regs, rdx),
    offsetof(struct kvm_regs, rbx), offsetof(struct kvm_regs, rsp), offsetof(struct kvm_regs, rbp),
    offsetof(struct kvm_regs, rsi), offsetof(struct kvm_regs, rdi), offsetof(struct kvm_regs, r8),
    offsetof(struct kvm_regs, r9),  offsetof(struct kvm_regs, r10), offsetof(struct kvm_regs, r11),
    offsetof(struct kvm_regs, r12), offsetof(struct kvm_regs, r13), offsetof(struct kvm_regs, r14),
    offsetof(struct kvm_regs, r15),
};

static void get_regs(KvmCpu *c)
{
    struct kvm_regs r;
    X86State *st = &c->x.st;

    if (!GET(c, KVM_GET_REGS, &r)) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(gpr_offset); i++) {
        memcpy(&st->gpr[i], (char *)&r + gpr_offset[i], 8);
    }
    st->rip = r.rip;
    st->rflags = r.rflags;
}

static void put_regs(KvmCpu *c)
{
    struct kvm_regs r;
    const X86State *st = &c->x.st;

    for (size_t i = 0; i < G_N_ELEMENTS(gpr_offset); i++) {
        memcpy((char *)&r + gpr_offset[i], &st->gpr[i], 8);
    }
    r.rip = st->rip;
    r.rflags = st->rflags;
    PUT(c, KVM_SET_REGS, &r);
}

/* ---- segments and control registers ---- */

static void segment_from_kvm(X86Segment *s, const struct kvm_segment *k)
{
    s->base = k->base;
    s->limit = k->limit;
    s->selector = k->selector;
    s->attr = (k->type & 15u) | (k->s & 1u) << 4 | (k->dpl & 3u) << 5 | (k->present & 1u) << 7 |
              (k->avl & 1u) << 12 | (k->l & 1u) << 13 | (k->db & 1u) << 14 | (k->g & 1u) << 15 |
              (k->unusable ? SEG_ATTR_UNUSABLE : 0);
}

static void segment_to_kvm(struct kvm_segment *k, const X86Segment *s)
{
    *k = (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->selector,
        .type = s->attr & 15,
        .s = s->attr >> 4 & 1,
        .dpl = s->attr >> 5 & 3,
        .present = s->attr >> 7 & 1,
        .avl = s->attr >> 12 & 1,
        .l = s->attr >> 13 & 1,
        .db = s->attr >> 14 & 1,
        .g = s->attr >> 15 & 1,
        .unusable = !!(s->attr & SEG_ATTR_UNUSABLE),
    };
}

/* struct kvm_sregs and kvm_sregs2 begin alike, down to apic_base. */
G_STATIC_ASSERT(offsetof(struct kvm_sregs, apic_base) == offsetof(struct kvm_sregs2, apic_base));

static bool fetch_sregs(KvmCpu *c, struct kvm_sregs2 *s)
{
    struct kvm_sregs old;

    if (c->accel->caps.sregs2) {
        return GET(c, KVM_GET_SREGS2, s);
    }
    if (!GET(c, KVM_GET_SREGS, &old)) {
        return false;
    }
    memset(s, 0, sizeof(*s));
    memcpy(s, &old, offsetof(struct kvm_sregs, apic_base) + sizeof(old.apic_base));
    return true;
}

static void store_sregs(KvmCpu *c, const struct kvm_sregs2 *s)
{
    struct kvm_sregs old = {0};

    if (c->accel->caps.sregs2) {
        PUT(c, KVM_SET_SREGS2, s);
        return;
    }
    memcpy(&old, s, offsetof(struct kvm_sregs, apic_base) + sizeof(old.apic_base));
    PUT(c, KVM_SET_SREGS, &old);
}

/* Which of the state's segments is which of KVM's. */
static const struct {
    size_t ours, theirs;
} segments[] = {
    {offsetof(X86State, seg[SEG_ES]), offsetof(struct kvm_sregs2, es)},
    {offsetof(X86State, seg[SEG_CS]), offsetof(struct kvm_sregs2, cs)},
    {offsetof(X86State, seg[SEG_SS]), offsetof(struct kvm_sregs2, ss)},
    {offsetof(X86State, seg[SEG_DS]), offsetof(struct kvm_sregs2, ds)},
    {offsetof(X86State, seg[SEG_FS]), offsetof(struct kvm_sregs2, fs)},
    {offsetof(X86State, seg[SEG_GS]), offsetof(struct kvm_sregs2, gs)},
    {offsetof(X86State, ldt), offsetof(struct kvm_sregs2, ldt)},
    {offsetof(X86State, tr), offsetof(struct kvm_sregs2, tr)},
};

static void get_sregs(KvmCpu *c)
{
    struct kvm_sregs2 s;
    X86State *st = &c->x.st;
    Cpu *cpu = &c->x.cpu;

    if (!fetch_sregs(c, &s)) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(segments); i++) {
        segment_from_kvm((X86Segment *)((char *)st + segments[i].ours),
                         (struct kvm_segment *)((char *)&s + segments[i].theirs));
    }
    st->gdt = (X86TableReg){s.gdt.base, s.gdt.limit};
    st->idt = (X86TableReg){s.idt.base, s.idt.limit};
    st->cr0 = s.cr0;
    st->cr2 = s.cr2;
    st->cr3 = s.cr3;
    st->cr4 = s.cr4;
    st->efer = s.efer;
    st->cr8 = cpu->intc_ops ? cpu->intc_ops->get_cr8(cpu->intc) : s.cr8;
    st->apic_base = cpu->intc_ops ? cpu->intc_ops->get_base(cpu->intc) : s.apic_base;
    if (s.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) {
        memcpy(st->pdptr, s.pdptrs, sizeof(st->pdptr));
    }
}

static bool uses_pae_paging(const X86State *st)
{
    return (st->cr0 & CR0_PG) && (st->cr4 & CR4_PAE) && !(st->efer & EFER_LMA);
}

static void put_sregs(KvmCpu *c)
{
    struct kvm_sregs2 s = {0};
    const X86State *st = &c->x.st;

    for (size_t i = 0; i < G_N_ELEMENTS(segments); i++) {
        segment_to_kvm((struct kvm_segment *)((char *)&s + segments[i].theirs),
                       (const X86Segment *)((const char *)st + segments[i].ours));
    }
    s.gdt = (struct kvm_dtable){.base = st->gdt.base, .limit = st->gdt.limit};
    s.idt = (struct kvm_dtable){.base = st->idt.base, .limit = st->idt.limit};
    s.cr0 = st->cr0;
    s.cr2 = st->cr2;
    s.cr3 = st->cr3;
    s.cr4 = st->cr4;
    s.cr8 = st->cr8;
    s.efer = st->efer;
    s.apic_base = st->apic_base;
    if (uses_pae_paging(st)) {
        s.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
        memcpy(s.pdptrs, st->pdptr, sizeof(st->pdptr));
    }
    store_sregs(c, &s);
}

/* ---- x87, SSE and later ---- */

G_STATIC_ASSERT(sizeof(((struct kvm_xsave *)0)->region) == X86_XSAVE_SIZE);

static void get_xsave(KvmCpu *c)
{
    struct kvm_xcrs xcrs;

    GET(c, KVM_GET_XSAVE, c->x.st.xsave);
    c->x.st.xcr0 = 1;
    if (!(cpu_model_has(c->x.model, CPUID_1_ECX, CPUID_1_ECX_XSAVE)) ||
        !GET(c, KVM_GET_XCRS, &xcrs)) {
        return;
    }
    for (uint32_t i = 0; i < xcrs.nr_xcrs; i++) {
        if (xcrs.xcrs[i].xcr == 0) {
            c->x.st.xcr0 = xcrs.xcrs[i].value;
        }
    }
}

static void put_xsave(KvmCpu *c)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = c->x.st.xcr0};

    if (cpu_model_has(c->x.model, CPUID_1_ECX, CPUID_1_ECX_XSAVE)) {
        PUT(c, KVM_SET_XCRS, &xcrs);
    }
    PUT(c, KVM_SET_XSAVE, c->x.st.xsave);
}

/* ---- debug registers ---- */

static void get_debugregs(KvmCpu *c)
{
    struct kvm_debugregs d;
    X86State *st = &c->x.st;

    if (GET(c, KVM_GET_DEBUGREGS, &d)) {
        memcpy(st->dr, d.db, sizeof(d.db));
        st->dr[6] = d.dr6;
        st->dr[7] = d.dr7;
    }
}

static void put_debugregs(KvmCpu *c)
{
    const X86State *st = &c->x.st;
    struct kvm_debugregs d = {.dr6 = st->dr[6], .dr7 = st->dr[7]};

    memcpy(d.db, st->dr, sizeof(d.db));
    PUT(c, KVM_SET_DEBUGREGS, &d);
}

/* ---- events ---- */

static void get_events(KvmCpu *c)
{
    struct kvm_vcpu_events e;
    X86State *st = &c->x.st;

    if (!GET(c, KVM_GET_VCPU_EVENTS, &e)) {
        return;
    }
    st->exc_pending = X86_EVENT_NONE;
    st->exc_vector = st->exc_has_error = st->exc_is_soft = 0;
    st->exc_error = 0;
    st->exc_payload = 0;
    if (e.exception.injected || e.exception.pending) {
        st->exc_pending = e.exception.injected ? X86_EVENT_EXCEPTION : X86_EVENT_EXCEPTION_RAISED;
        st->exc_vector = e.exception.nr;
        st->exc_has_error = e.exception.has_error_code;
        st->exc_error = e.exception.error_code;
        st->exc_payload = e.exception_has_payload ? e.exception_payload : 0;
    } else if (e.interrupt.injected) {
        st->exc_pending = X86_EVENT_INTERRUPT;
        st->exc_vector = e.interrupt.nr;
        st->exc_is_soft = e.interrupt.soft;
    }
    st->int_shadow = e.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? 2
                     : e.interrupt.shadow & KVM_X86_SHADOW_INT_STI  ? 1
                                                                    : 0;
    st->nmi_pending = e.nmi.pending || e.nmi.injected;
    st->nmi_blocked = e.nmi.masked && !e.nmi.injected;
    st->smm = (e.flags & KVM_VCPUEVENT_VALID_SMM) && e.smi.smm;
    st->smi_pending = (e.flags & KVM_VCPUEVENT_VALID_SMM) && e.smi.pending;
}

static void put_events(KvmCpu *c)
{
    const X86State *st = &c->x.st;
    struct kvm_vcpu_events e = {0};
    bool payload = c->accel->caps.exception_payload;

    if (st->exc_pending == X86_EVENT_EXCEPTION || st->exc_pending == X86_EVENT_EXCEPTION_RAISED) {
        bool raised = st->exc_pending == X86_EVENT_EXCEPTION_RAISED;
        e.exception.injected = !raised || !payload;
        e.exception.pending = raised && payload;
        e.exception.nr = st->exc_vector;
        e.exception.has_error_code = st->exc_has_error;
        e.exception.error_code = st->exc_error;
        e.exception_has_payload = raised && payload && st->exc_payload;
        e.exception_payload = e.exception_has_payload ? st->exc_payload : 0;
    } else if (st->exc_pending == X86_EVENT_INTERRUPT) {
        e.interrupt.injected = 1;
        e.interrupt.nr = st->exc_vector;
        e.interrupt.soft = st->exc_is_soft;
    }
    e.interrupt.shadow = st->int_shadow & 2   ? KVM_X86_SHADOW_INT_MOV_SS
                         : st->int_shadow & 1 ? KVM_X86_SHADOW_INT_STI
                                              : 0;
    e.nmi.pending = st->nmi_pending;
    e.nmi.masked = st->nmi_blocked;
    e.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
    if (payload) {
        e.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
    }
    if (c->accel->caps.smm) {
        e.flags |= KVM_VCPUEVENT_VALID_SMM;
        e.smi.smm = st->smm;
        e.smi.pending = st->smi_pending;
    }
    PUT(c, KVM_SET_VCPU_EVENTS, &e);
}

/* ---- run state and local APIC ---- */

static void get_mp_state(KvmCpu *c)
{
    struct kvm_mp_state mp;

    if (c->accel->accel.local_apics && GET(c, KVM_GET_MP_STATE, &mp)) {
        c->x.st.halted = mp.mp_state == KVM_MP_STATE_HALTED;
        c->x.st.wait_sipi =
            mp.mp_state == KVM_MP_STATE_UNINITIALIZED || mp.mp_state == KVM_MP_STATE_INIT_RECEIVED;
    }
}

static void put_mp_state(KvmCpu *c)
{
    const X86State *st = &c->x.st;
    struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};

    if (c->accel->accel.local_apics) {
        mp.mp_state = st->wait_sipi ? KVM_MP_STATE_INIT_RECEIVED
                      : st->halted  ? KVM_MP_STATE_HALTED
                                    : KVM_MP_STATE_RUNNABLE;
    }
    PUT(c, KVM_SET_MP_STATE, &mp);
}

static void put_lapic(KvmCpu *c)
{
    if (c->lapic_pending) {
        c->lapic_pending = false;
        c->x.st.tsc_deadline = c->lapic_deadline;
        PUT(c, KVM_SET_LAPIC, &c->lapic);
    }
}

void kvm_get_state(Cpu *cpu)
{
    KvmCpu *c = kvm_cpu(cpu);

    get_regs(c);
    get_sregs(c);
    get_xsave(c);
    get_debugregs(c);
    get_events(c);
    get_mp_state(c);
    kvm_msrs_get(c);
    kvm_tsc_get(c);
}

/* What KVM told of the last exit is not true of the new state. */
static void put_run_flags(KvmCpu *c)
{
    const X86State *st = &c->x.st;

    c->run->if_flag = !!(st->rflags & FLAG_IF);
    c->run->ready_for_interrupt_injection = c->run->if_flag && !st->int_shadow && !st->exc_pending;
    c->run->cr8 = st->cr8;
    c->run->apic_base = st->apic_base;
    c->io_pending = false;
}

/* The order: control registers before what depends on modes, the APIC before the deadline MSR, the
 * TSC before the clock's MSRs, run state and events last. */
void kvm_put_state(Cpu *cpu)
{
    KvmCpu *c = kvm_cpu(cpu);

    c->broken = false;
    put_sregs(c);
    put_regs(c);
    put_xsave(c);
    put_debugregs(c);
    put_lapic(c);
    kvm_tsc_put(c);
    kvm_msrs_put(c);
    put_mp_state(c);
    put_events(c);
    put_run_flags(c);
}
