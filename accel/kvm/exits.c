/*
 * What makes KVM_RUN return, and what is done about it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>
#include <string.h>

#include "accel/kvm/kvm_int.h"
#include "core/machine.h"

/* ---- ports and memory-mapped I/O ---- */

static bool is_access_size(uint32_t len)
{
    return len == 1 || len == 2 || len == 4 || len == 8;
}

static void do_access(AddressSpace *as, uint64_t addr, uint8_t *data, uint32_t len, bool write)
{
    uint64_t value = 0;

    if (!is_access_size(len)) { /* part of an access that crosses a page */
        if (write) {
            address_space_write(as, addr, data, len);
        } else {
            address_space_read(as, addr, data, len);
        }
    } else if (write) {
        memcpy(&value, data, len);
        address_space_store(as, addr, value, len);
    } else {
        value = address_space_load(as, addr, len);
        memcpy(data, &value, len);
    }
}

static bool exit_io(KvmCpu *c, AccelExit *out)
{
    struct kvm_run *run = c->run;
    AddressSpace *io = &c->x.cpu.machine->io;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    (void)out;
    c->io_pending = true;
    c->io_exits++;
    for (uint32_t i = 0; i < run->io.count; i++) {
        do_access(io, run->io.port, data, run->io.size, run->io.direction == KVM_EXIT_IO_OUT);
        data += run->io.size;
    }
    return true;
}

static bool exit_mmio(KvmCpu *c, AccelExit *out)
{
    struct kvm_run *run = c->run;
    Machine *m = c->x.cpu.machine;
    bool smm = (run->flags & KVM_RUN_X86_SMM) && m->smm_memory.root;

    (void)out;
    c->io_pending = true;
    c->mmio_exits++;
    do_access(smm ? &m->smm_memory : &m->memory, run->mmio.phys_addr, run->mmio.data,
              MIN(run->mmio.len, 8), run->mmio.is_write);
    return true;
}

/* ---- the CPU ---- */

static bool exit_none(KvmCpu *c, AccelExit *out)
{
    (void)c, (void)out;
    return true;
}

static bool exit_hlt(KvmCpu *c, AccelExit *out)
{
    X86State *st = &c->x.st;

    (void)out;
    st->halted = 1;
    st->rflags = c->run->if_flag ? st->rflags | FLAG_IF : st->rflags & ~(uint64_t)FLAG_IF;
    return true;
}

static bool exit_shutdown(KvmCpu *c, AccelExit *out)
{
    (void)c;
    *out = ACCEL_EXIT_RESET;
    return false;
}

static bool exit_debug(KvmCpu *c, AccelExit *out)
{
    *out = ACCEL_EXIT_DEBUG;
    return !kvm_debug_exit(c);
}

static bool exit_system_event(KvmCpu *c, AccelExit *out)
{
    if (c->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN) {
        machine_request_shutdown(c->x.cpu.machine, SHUTDOWN_GUEST_POWEROFF, 0);
        return true;
    }
    *out = ACCEL_EXIT_RESET;
    return false;
}

static bool exit_ioapic_eoi(KvmCpu *c, AccelExit *out)
{
    (void)out;
    kvm_ioapic_eoi(c->accel, c->run->eoi.vector);
    return true;
}

static bool exit_dirty_ring_full(KvmCpu *c, AccelExit *out)
{
    (void)out;
    kvm_dirty_ring_full(c->accel);
    return true;
}

/* ---- the end ---- */

static const char *suberror_text(uint32_t suberror)
{
    switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
        return "an instruction that it cannot emulate";
    case KVM_INTERNAL_ERROR_SIMUL_EX:
        return "two exceptions at once";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        return "an exit while an event was being delivered";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        return "an exit that it does not know";
    }
    return "no reason that is known";
}

static void print_emulated_bytes(const struct kvm_run *run, GString *text)
{
    if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION || run->internal.ndata < 3 ||
        !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
        return;
    }
    g_string_append(text, "instruction bytes:");
    for (unsigned i = 0; i < MIN(run->emulation_failure.insn_size, 15); i++) {
        g_string_append_printf(text, " %02x", run->emulation_failure.insn_bytes[i]);
    }
    g_string_append_c(text, '\n');
}

static bool give_up(KvmCpu *c, GString *text, AccelExit *out)
{
    kvm_get_state(&c->x.cpu);
    x86_print_registers(&c->x, text);
    g_printerr("%s", text->str);
    g_string_free(text, TRUE);
    *out = ACCEL_EXIT_ERROR;
    return false;
}

static bool exit_internal_error(KvmCpu *c, AccelExit *out)
{
    const struct kvm_run *run = c->run;
    GString *text;

    if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && kvm_complete_instruction(c)) {
        return true;
    }
    text = g_string_new(NULL);
    g_string_printf(text, "%s: CPU %d: KVM stopped with an internal error: %s (suberror %u)\n",
                    g_get_prgname(), c->x.cpu.index, suberror_text(run->internal.suberror),
                    run->internal.suberror);
    print_emulated_bytes(run, text);
    return give_up(c, text, out);
}

static bool exit_fail_entry(KvmCpu *c, AccelExit *out)
{
    GString *text = g_string_new(NULL);

    g_string_printf(text,
                    "%s: CPU %d: the host's CPU refused to enter the guest (hardware reason "
                    "%" PRIx64 ")\n",
                    g_get_prgname(), c->x.cpu.index,
                    (uint64_t)c->run->fail_entry.hardware_entry_failure_reason);
    return give_up(c, text, out);
}

static bool exit_unknown(KvmCpu *c, AccelExit *out)
{
    GString *text = g_string_new(NULL);

    g_string_printf(
        text, "%s: CPU %d: KVM stopped for reason %u (hardware reason %" PRIx64 ")\n",
        g_get_prgname(), c->x.cpu.index, c->run->exit_reason,
        c->run->exit_reason == KVM_EXIT_UNKNOWN ? (uint64_t)c->run->hw.hardware_exit_reason : 0);
    return give_up(c, text, out);
}

static bool (*const handlers[])(KvmCpu *c, AccelExit *out) = {
    [KVM_EXIT_UNKNOWN] = exit_unknown,
    [KVM_EXIT_IO] = exit_io,
    [KVM_EXIT_DEBUG] = exit_debug,
    [KVM_EXIT_HLT] = exit_hlt,
    [KVM_EXIT_MMIO] = exit_mmio,
    [KVM_EXIT_IRQ_WINDOW_OPEN] = exit_none,
    [KVM_EXIT_SHUTDOWN] = exit_shutdown,
    [KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
    [KVM_EXIT_INTR] = exit_none,
    [KVM_EXIT_SET_TPR] = exit_none,
    [KVM_EXIT_NMI] = exit_none,
    [KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
    [KVM_EXIT_IOAPIC_EOI] = exit_ioapic_eoi,
    [KVM_EXIT_DIRTY_RING_FULL] = exit_dirty_ring_full,
    [KVM_EXIT_SYSTEM_EVENT] = exit_system_event,
};

bool kvm_handle_exit(KvmCpu *c, AccelExit *out)
{
    uint32_t reason = c->run->exit_reason;

    if (reason >= G_N_ELEMENTS(handlers) || !handlers[reason]) {
        return exit_unknown(c, out);
    }
    return handlers[reason](c, out);
}
