/*
 * States handed to the translator: impossible ones are refused, events on their way are delivered,
 * and a CPU that sleeps in HLT goes on sleeping behind an SMI.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>

#include "core/lock.h"
#include "core/machine.h"
#include "core/memory.h"
#include "tests/cpu/guest.h"

enum { NOP = 0x90, HLT = 0xf4, SMBASE = 0x30000, SMM_COUNTER = 0x50000 };

static X86Cpu *cpu;

#define ST (&cpu->st)

/* NOP; HLT; HLT ... */
static void start(void)
{
    static const uint8_t code[] = {NOP, HLT, HLT, HLT};

    guest_write_code(code, sizeof code);
    memset(ST->gpr, 0, sizeof ST->gpr);
    ST->gpr[R_RSP] = GUEST_DATA + 0x1000;
    ST->rflags = 2;
    guest_prepare(cpu, false);
}

static void refused(const char *message)
{
    if (g_test_subprocess()) {
        g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_ERROR);
        g_assert_cmphex(ST->rip, ==, GUEST_CODE); /* nothing was run */
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(message);
}

static void test_features_the_model_lacks_are_refused(void)
{
    start();
    ST->cr4 |= CR4_LA57;
    refused("*CPU state: CR4 *uses what CPU model max does not have*");
}

static void test_pending_exceptions_that_do_not_exist_are_refused(void)
{
    start();
    ST->exc_pending = X86_EVENT_EXCEPTION;
    ST->exc_vector = 40;
    refused("*pending exception 40: 0 to 31 exist*");
}

static void test_a_good_state_ends_the_refusal(void)
{
    if (g_test_subprocess()) {
        start();
        ST->cr4 |= CR4_LA57;
        g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_ERROR);
        start();
        g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_HALTED);
        g_assert_cmphex(ST->rip, ==, GUEST_CODE + 2);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

/* Runs a state with an event pending; it must be delivered before the first instruction. */
static GuestExit deliver(uint8_t kind, uint8_t vector)
{
    GuestExit e;

    ST->exc_pending = kind;
    ST->exc_vector = vector;
    g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_HALTED);
    g_assert_cmpuint(ST->exc_pending, ==, X86_EVENT_NONE);
    guest_exit(cpu, &e);
    g_assert_cmphex(e.rip, ==, GUEST_CODE);
    return e;
}

static void test_a_raised_page_fault_takes_its_address_along(void)
{
    start();
    ST->cr2 = 1;
    ST->exc_payload = 0x123456;
    ST->exc_has_error = 1;
    ST->exc_error = 6;
    GuestExit e = deliver(X86_EVENT_EXCEPTION_RAISED, EXC_PF);
    g_assert_cmpint(e.vector, ==, EXC_PF);
    g_assert_cmphex(e.error, ==, 6);
    g_assert_cmphex(ST->cr2, ==, 0x123456);
    ST->exc_has_error = 0;
    ST->exc_error = 0;
}

static void test_an_exception_under_way_leaves_cr2_and_dr6_alone(void)
{
    start();
    ST->cr2 = 1;
    ST->dr[6] = 0xffff0ff0;
    ST->exc_payload = 0x123456;
    GuestExit e = deliver(X86_EVENT_EXCEPTION, EXC_DB);
    g_assert_cmpint(e.vector, ==, EXC_DB);
    g_assert_cmphex(ST->cr2, ==, 1);
    g_assert_cmphex(ST->dr[6], ==, 0xffff0ff0);
}

static void test_a_raised_debug_exception_sets_dr6(void)
{
    start();
    ST->dr[6] = 0xffff0ff3;
    ST->exc_payload = 0x4004;
    GuestExit e = deliver(X86_EVENT_EXCEPTION_RAISED, EXC_DB);
    g_assert_cmpint(e.vector, ==, EXC_DB);
    g_assert_cmphex(ST->dr[6], ==, 0xffff4ff4);
}

static void test_an_interrupt_under_way_is_delivered_whatever_if_is(void)
{
    start();
    GuestExit e = deliver(X86_EVENT_INTERRUPT, 29);
    g_assert_cmpint(e.vector, ==, 29);
}

static void test_a_soft_event_is_repeated_by_its_instruction(void)
{
    start();
    ST->exc_pending = X86_EVENT_EXCEPTION;
    ST->exc_vector = EXC_BP;
    ST->exc_is_soft = 1;
    g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_HALTED);
    g_assert_cmphex(ST->rip, ==, GUEST_CODE + 2); /* the HLT */
    g_assert_cmpuint(ST->exc_pending, ==, X86_EVENT_NONE);
    ST->exc_is_soft = 0;
}

static void test_a_pending_nmi_is_delivered(void)
{
    GuestExit e;

    start();
    ST->nmi_pending = 1;
    g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_HALTED);
    guest_exit(cpu, &e);
    g_assert_cmpint(e.vector, ==, EXC_NMI);
    g_assert_cmphex(e.rip, ==, GUEST_CODE);
    g_assert_cmpuint(ST->nmi_blocked, ==, 1);
    ST->nmi_pending = ST->nmi_blocked = 0;
}

/* Counts at SMM_COUNTER, in the code segment of SMM's entry, and returns. */
static void put_smm_handler(void)
{
    static const uint8_t handler[] = {0x67, 0x66, 0xff, 0x05, 0x00, 0x00, 0x05, 0x00, 0x0f, 0xaa};

    memcpy(guest_physical(SMBASE + 0x8000), handler, sizeof handler);
    memset(guest_physical(SMM_COUNTER), 0, 4);
}

static uint32_t smm_count(void)
{
    uint32_t n;

    memcpy(&n, guest_physical(SMM_COUNTER), 4);
    return n;
}

static void test_hlt_goes_on_behind_an_smi(void)
{
    GuestExit e;

    put_smm_handler();
    start();
    ST->smbase = SMBASE;
    ST->gpr[R_RBX] = 0x123456789abcdef0;
    ST->rflags |= FLAG_CF;
    g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_HALTED);
    for (unsigned i = 1; i <= 3; i++) {
        cpu_raise(&cpu->cpu, CPU_EVENT_SMI);
        g_assert_cmpint(guest_go_on(cpu), ==, ACCEL_EXIT_HALTED);
        g_assert_cmpuint(smm_count(), ==, i);
        g_assert_cmpuint(ST->smm, ==, 0);
        g_assert_cmphex(ST->rip, ==, GUEST_CODE + 2);
        g_assert_cmphex(ST->gpr[R_RBX], ==, 0x123456789abcdef0);
        g_assert_cmphex(ST->rflags, ==, 2 | FLAG_CF);
    }
    /* One that comes together with an NMI goes first; the NMI wakes. */
    cpu_raise(&cpu->cpu, CPU_EVENT_SMI | CPU_EVENT_NMI);
    g_assert_cmpint(guest_go_on(cpu), ==, ACCEL_EXIT_HALTED);
    guest_exit(cpu, &e);
    g_assert_cmpuint(smm_count(), ==, 4);
    g_assert_cmpint(e.vector, ==, EXC_NMI);
    g_assert_cmphex(e.rip, ==, GUEST_CODE + 2);
    ST->nmi_blocked = 0;
}

static void add_smm_memory(void)
{
    Machine *m = cpu->cpu.machine;

    machine_lock();
    MemRegion *root = mem_region_container("smm", UINT64_MAX);
    mem_region_add(root, 0, mem_region_alias("all", m->memory_root, 0, UINT32_MAX), 0);
    address_space_init(&m->smm_memory, root, "smm");
    machine_unlock();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    cpu = guest_new();
    add_smm_memory();
#define T(name, fn) g_test_add_func("/tcg-state/" name, fn)
    T("features-the-model-lacks-are-refused", test_features_the_model_lacks_are_refused);
    T("pending-exceptions-that-do-not-exist-are-refused",
      test_pending_exceptions_that_do_not_exist_are_refused);
    T("a-good-state-ends-the-refusal", test_a_good_state_ends_the_refusal);
    T("a-raised-page-fault-takes-its-address-along",
      test_a_raised_page_fault_takes_its_address_along);
    T("an-exception-under-way-leaves-cr2-and-dr6-alone",
      test_an_exception_under_way_leaves_cr2_and_dr6_alone);
    T("a-raised-debug-exception-sets-dr6", test_a_raised_debug_exception_sets_dr6);
    T("an-interrupt-under-way-is-delivered-whatever-if-is",
      test_an_interrupt_under_way_is_delivered_whatever_if_is);
    T("a-soft-event-is-repeated-by-its-instruction",
      test_a_soft_event_is_repeated_by_its_instruction);
    T("a-pending-nmi-is-delivered", test_a_pending_nmi_is_delivered);
    T("hlt-goes-on-behind-an-smi", test_hlt_goes_on_behind_an_smi);
    return g_test_run();
}
