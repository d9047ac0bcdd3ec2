/*
 * Breakpoints, watchpoints and single steps for a debugger (KVM_SET_GUEST_DEBUG).
 *
 * Watchpoints and hardware breakpoints take the debug registers, which KVM then lends to the host's
 * side: the guest's own stay loaded but have no effect. Software breakpoints take the registers
 * that are left: so they hold by linear address, whatever gets mapped there, and also where KVM
 * interprets the guest and INT3 does not come out. Those beyond are INT3 in guest memory, at the
 * physical address that the debugger's CPU sees. An INT3 or a #DB that is not the debugger's goes
 * back to the guest. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "core/safepoint.h"
#include "target-x86/linear.h"
#include "util/keyval.h"

#ifndef KVM_GUESTDBG_BLOCKIRQ
#define KVM_GUESTDBG_BLOCKIRQ 0x00100000
#endif

enum { INT3 = 0xcc, DR6_BS = 1 << 14, DR7_GE_LE = 0x600 };

/* An INT3 in guest memory. */
typedef struct Patch {
    uint64_t linear, phys;
    uint8_t byte; /* what was there */
} Patch;

/* ---- what the kernel is told ---- */

/* R/W field of DR7 (SDM 3B 17.2.4). */
static unsigned dr7_type(DebugKind kind)
{
    return kind == DEBUG_WATCH_WRITE                                ? 1
           : kind == DEBUG_WATCH_READ || kind == DEBUG_WATCH_ACCESS ? 3
                                                                    : 0;
}

static unsigned dr7_len(uint64_t len)
{
    return len == 8 ? 2 : (unsigned)len - 1;
}

static void fill(const KvmCpu *c, struct kvm_guest_debug *d)
{
    const KvmAccel *a = c->accel;

    if (c->single_step) {
        d->control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
                      (a->caps.guest_debug2 & KVM_GUESTDBG_BLOCKIRQ);
    }
    if (a->patches->len) {
        d->control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
    }
    if (a->debug_reg_count) {
        d->control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        d->arch.debugreg[7] = DR7_GE_LE;
    }
    for (int i = 0; i < a->debug_reg_count; i++) {
        const DebugPoint *p = &a->debug_regs[i];
        d->arch.debugreg[i] = p->addr;
        d->arch.debugreg[7] |= 2ull << (2 * i); /* global */
        d->arch.debugreg[7] |= (uint64_t)(dr7_type(p->kind) | dr7_len(p->len) << 2) << (16 + 4 * i);
    }
}

/* On the vCPU's thread: the call waits while it is in KVM_RUN. INJECT: KVM_GUESTDBG_INJECT_*. */
static void apply(KvmCpu *c, uint32_t inject)
{
    struct kvm_guest_debug d = {0};

    fill(c, &d);
    if (inject) {
        d.control |= KVM_GUESTDBG_ENABLE | inject;
    }
    if (ioctl(c->fd, KVM_SET_GUEST_DEBUG, &d) < 0) {
        kvm_cpu_failed(c, "KVM_SET_GUEST_DEBUG", errno);
    }
}

static void apply_work(Cpu *cpu, void *data)
{
    (void)data;
    apply(kvm_cpu(cpu), 0);
}

/* ---- the debugger's set ---- */

static void store_byte(KvmAccel *a, uint64_t phys, uint8_t byte)
{
    address_space_write(&a->accel.machine->memory, phys, &byte, 1);
}

static uint8_t load_byte(KvmAccel *a, uint64_t phys)
{
    uint8_t byte = 0;

    address_space_read(&a->accel.machine->memory, phys, &byte, 1);
    return byte;
}

static bool add_register(DebugPoint *regs, int *count, const DebugPoint *p, GError **err)
{
    if (*count == HARDWARE_BREAKPOINTS) {
        emu_set_error(err, "KVM has %d debug registers, which are all in use",
                      HARDWARE_BREAKPOINTS);
        return false;
    }
    if ((p->len & (p->len - 1)) || p->len < 1 || p->len > 8 || (p->addr & (p->len - 1))) {
        emu_set_error(err, "KVM watches 1, 2, 4 or 8 aligned bytes");
        return false;
    }
    regs[(*count)++] = *p;
    return true;
}

static bool patch(KvmAccel *a, Cpu *cpu, uint64_t linear, GArray *patches)
{
    Patch p = {.linear = linear};

    if (!linear_to_physical(&a->accel.machine->memory, &((X86Cpu *)cpu)->st, linear, &p.phys)) {
        return false;
    }
    for (guint i = 0; i < patches->len; i++) {
        if (g_array_index(patches, Patch, i).phys == p.phys) {
            p.byte = g_array_index(patches, Patch, i).byte;
            g_array_append_val(patches, p);
            return true;
        }
    }
    p.byte = load_byte(a, p.phys);
    store_byte(a, p.phys, INT3);
    if (load_byte(a, p.phys) != INT3) {
        return false;
    }
    g_array_append_val(patches, p);
    return true;
}

static void remove_patches(KvmAccel *a, GArray *patches)
{
    for (guint i = patches->len; i > 0; i--) {
        const Patch *p = &g_array_index(patches, Patch, i - 1);
        if (load_byte(a, p->phys) == INT3) { /* else the guest has put something else there */
            store_byte(a, p->phys, p->byte);
        }
    }
    g_array_set_size(patches, 0);
}

/* The points that can be nothing else take their registers first. */
static bool make_set(KvmAccel *a, Cpu *cpu, const DebugPoint *points, size_t count, GArray *patches,
                     DebugPoint *regs, int *reg_count, GError **err)
{
    for (size_t i = 0; i < count; i++) {
        if (points[i].kind != DEBUG_SOFTWARE && !add_register(regs, reg_count, &points[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (points[i].kind == DEBUG_SOFTWARE && !add_register(regs, reg_count, &points[i], NULL) &&
            !patch(a, cpu, points[i].addr, patches)) {
            emu_set_error(err,
                          "%d debug registers are in use, and there is no memory to be "
                          "written at %" PRIx64,
                          HARDWARE_BREAKPOINTS, points[i].addr);
            return false;
        }
    }
    return true;
}

bool kvm_set_debug_points(Accel *accel, Cpu *cpu, const DebugPoint *points, size_t count,
                          GError **err)
{
    KvmAccel *a = kvm_accel(accel);
    GArray *old = g_array_new(FALSE, FALSE, sizeof(Patch));
    DebugPoint regs[HARDWARE_BREAKPOINTS];
    int reg_count = 0;
    bool ok;

    g_array_append_vals(old, a->patches->data, a->patches->len);
    remove_patches(a, a->patches);
    ok = make_set(a, cpu, points, count, a->patches, regs, &reg_count, err);
    if (ok) {
        memcpy(a->debug_regs, regs, sizeof(regs[0]) * (size_t)reg_count);
        a->debug_reg_count = reg_count;
    } else {
        remove_patches(a, a->patches);
        for (guint i = 0; i < old->len; i++) {
            const Patch *p = &g_array_index(old, Patch, i);
            store_byte(a, p->phys, INT3);
            g_array_append_val(a->patches, *p);
        }
    }
    g_array_unref(old);
    for (int i = 0; ok && i < accel->machine->cpu_count; i++) {
        safepoint_post(accel->machine->cpus[i], apply_work, NULL);
    }
    return ok;
}

void kvm_set_single_step(Cpu *cpu, bool on)
{
    if (kvm_cpu(cpu)->single_step != on) {
        kvm_cpu(cpu)->single_step = on;
        safepoint_post(cpu, apply_work, NULL);
    }
}

void kvm_debug_init(KvmAccel *a)
{
    a->patches = g_array_new(FALSE, FALSE, sizeof(Patch));
}

void kvm_debug_fini(KvmAccel *a)
{
    g_clear_pointer(&a->patches, g_array_unref);
}

/* ---- what the kernel tells ---- */

static bool is_patched(const KvmAccel *a, uint64_t linear)
{
    for (guint i = 0; i < a->patches->len; i++) {
        if (g_array_index(a->patches, Patch, i).linear == linear) {
            return true;
        }
    }
    return false;
}

static bool stop(KvmCpu *c, DebugKind kind, uint64_t addr)
{
    c->x.cpu.debug_stop = kind;
    c->x.cpu.debug_addr = addr;
    return true;
}

bool kvm_debug_exit(KvmCpu *c)
{
    const struct kvm_debug_exit_arch *d = &c->run->debug.arch;
    const KvmAccel *a = c->accel;

    if (d->exception == EXC_BP) {
        if (is_patched(a, d->pc)) {
            return stop(c, DEBUG_SOFTWARE, d->pc);
        }
        apply(c, KVM_GUESTDBG_INJECT_BP);
        return false;
    }
    for (int i = 0; i < a->debug_reg_count; i++) {
        if (d->dr6 >> i & 1) {
            return stop(c, a->debug_regs[i].kind, a->debug_regs[i].addr);
        }
    }
    if (c->single_step && (d->dr6 & DR6_BS)) {
        return stop(c, DEBUG_STEP, d->pc);
    }
    struct kvm_debugregs regs;
    if (ioctl(c->fd, KVM_GET_DEBUGREGS, &regs) == 0) {
        regs.dr6 |= d->dr6 & 0xe00f;
        ioctl(c->fd, KVM_SET_DEBUGREGS, &regs);
    }
    apply(c, KVM_GUESTDBG_INJECT_DB);
    return false;
}
