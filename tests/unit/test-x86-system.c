/*
 * System registers and what goes with them: segments, control and debug registers, MSRs, flags,
 * port permission, SMM, reset, saved state, `info registers`.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "core/machine.h"
#include "core/mainloop.h"
#include "target-x86/msr.h"
#include "tests/unit/x86_mock.h"
#include "util/keyval.h"

#define ST (&mock.cpu.st)

/* ---- segments ---- */

static void test_load_seg_checks(void)
{
    const struct {
        unsigned cpl;
        int seg;
        uint16_t selector;
        int vector;
        uint32_t error;
    } cases[] = {
        {0, SEG_DS, 0x10, -100, 0},      {0, SEG_DS, 0x03, -100, 0},
        {0, SEG_SS, 0x00, EXC_GP, 0},    {0, SEG_SS, 0x18, EXC_GP, 0x18},
        {0, SEG_SS, 0x11, EXC_GP, 0x10}, {0, SEG_SS, 0x70, EXC_GP, 0x70},
        {0, SEG_SS, 0x28, EXC_GP, 0x28}, {0, SEG_SS, 0x68, EXC_SS, 0x68},
        {0, SEG_ES, 0x68, EXC_NP, 0x68}, {0, SEG_DS, 0x40, EXC_GP, 0x40},
        {0, SEG_DS, 0x28, -100, 0},      {0, SEG_DS, 0x98, EXC_GP, 0x98},
        {0, SEG_DS, 0x14, EXC_GP, 0x14}, {3, SEG_DS, 0x13, EXC_GP, 0x10},
        {3, SEG_DS, 0x10, EXC_GP, 0x10}, {3, SEG_DS, 0x3b, -100, 0}, /* conforming */
        {3, SEG_SS, 0x1b, -100, 0},      {3, SEG_FS, 0x30, -100, 0},
        {0, SEG_CS, 0x28, EXC_UD, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        mock_protected_mode(cases[i].cpl);
        mock_put(MOCK_GDT + 0x68, mock_descriptor(0, 0xfffff, 0xc012), 8);
        uint16_t before = ST->seg[cases[i].seg].selector;
        MOCK_LAND(x86_load_seg(&mock.cpu, cases[i].seg, cases[i].selector));
        g_assert_cmpint(mock.vector, ==, cases[i].vector);
        if (mock.vector >= 0) {
            g_assert_cmphex(mock.error, ==, cases[i].error);
            g_assert_cmphex(ST->seg[cases[i].seg].selector, ==, before);
        } else {
            g_assert_cmphex(ST->seg[cases[i].seg].selector, ==, cases[i].selector);
        }
    }
}

static void test_null_ss_in_long_mode(void)
{
    mock_long_mode(0);
    MOCK_OK(x86_load_seg(&mock.cpu, SEG_SS, 0));
    g_assert_cmpuint(x86_cpl(ST), ==, 0);
    mock_long_mode(3);
    MOCK_RAISES(EXC_GP, 0, x86_load_seg(&mock.cpu, SEG_SS, 3));
}

static void test_ldt(void)
{
    mock_protected_mode(0);
    MOCK_RAISES(EXC_GP, 0x14, x86_load_seg(&mock.cpu, SEG_DS, 0x14));
    MOCK_RAISES(EXC_GP, 0x10, x86_lldt(&mock.cpu, 0x10));
    MOCK_RAISES(EXC_GP, 0x64, x86_lldt(&mock.cpu, 0x64));
    MOCK_OK(x86_lldt(&mock.cpu, 0x60));
    g_assert_cmphex(ST->ldt.base, ==, MOCK_LDT);
    mock_put(MOCK_LDT + 0x10, mock_descriptor(0x12345678, 0xff, 0x4093), 8);
    MOCK_OK(x86_load_seg(&mock.cpu, SEG_DS, 0x14));
    g_assert_cmphex(ST->seg[SEG_DS].base, ==, 0x12345678);
    g_assert_cmphex(ST->seg[SEG_DS].limit, ==, 0xff);
    MOCK_OK(x86_lldt(&mock.cpu, 0));
    g_assert_true(ST->ldt.attr & SEG_ATTR_UNUSABLE);
    mock_protected_mode(3);
    MOCK_RAISES(EXC_GP, 0, x86_lldt(&mock.cpu, 0x60));
    mock_real_mode();
    MOCK_RAISES(EXC_UD, 0, x86_lldt(&mock.cpu, 0x60));
}

static void test_ltr(void)
{
    mock_long_mode(0);
    mock_put(MOCK_GDT + 0x48, 0xffff8000, 8);
    MOCK_OK(x86_ltr(&mock.cpu, 0x40));
    g_assert_cmphex(ST->tr.base, ==, 0xffff800000000000 | MOCK_TSS);
    g_assert_cmphex(ST->tr.attr & 0x1f, ==, 11);
    g_assert_cmphex(mock_get(MOCK_GDT + 0x45, 1), ==, 0x8b);
    MOCK_RAISES(EXC_GP, 0x40, x86_ltr(&mock.cpu, 0x40)); /* busy now */
    MOCK_RAISES(EXC_GP, 0, x86_ltr(&mock.cpu, 0));
    mock_put(MOCK_GDT + 0x45, 0x89, 1);
    mock_put(MOCK_GDT + 0x48, 0x00008000, 8);
    MOCK_RAISES(EXC_GP, 0x40, x86_ltr(&mock.cpu, 0x40)); /* base not canonical */
    mock_put(MOCK_GDT + 0x48, 0, 8);
    ST->gdt.limit = 0x4e;
    MOCK_RAISES(EXC_GP, 0x40, x86_ltr(&mock.cpu, 0x40));
}

static void test_lar_and_friends(void)
{
    mock_protected_mode(3);
    g_assert_cmphex(x86_lar(&mock.cpu, 0x1b), ==,
                    0xcff200 | (mock_get(MOCK_GDT + 0x1d, 1) & 1) << 8);
    g_assert_true(ST->rflags & FLAG_ZF);
    g_assert_cmphex(x86_lsl(&mock.cpu, 0x1b), ==, 0xffffffff);
    x86_lar(&mock.cpu, 0x10); /* DPL 0 */
    g_assert_false(ST->rflags & FLAG_ZF);
    x86_lar(&mock.cpu, 0);
    g_assert_false(ST->rflags & FLAG_ZF);
    x86_verr(&mock.cpu, 0x3b); /* conforming code, readable */
    g_assert_true(ST->rflags & FLAG_ZF);
    x86_verw(&mock.cpu, 0x3b);
    g_assert_false(ST->rflags & FLAG_ZF);
    x86_verw(&mock.cpu, 0x1b);
    g_assert_true(ST->rflags & FLAG_ZF);
    mock_protected_mode(0);
    g_assert_cmphex(x86_lsl(&mock.cpu, 0x40), ==, 0x2067);
    x86_lsl(&mock.cpu, 0x98);
    g_assert_false(ST->rflags & FLAG_ZF);
    mock_v86_mode(3);
    MOCK_RAISES(EXC_UD, 0, x86_verr(&mock.cpu, 0x10));
}

static void test_descriptor_table_registers(void)
{
    mock_long_mode(0);
    mock_put(0x5000, 0x1234, 2);
    mock_put(0x5002, 0xffff812345678900, 8);
    MOCK_OK(x86_lgdt(&mock.cpu, 0x5000, 4)); /* 64 bits all the same */
    g_assert_cmphex(ST->gdt.base, ==, 0xffff812345678900);
    g_assert_cmphex(ST->gdt.limit, ==, 0x1234);
    MOCK_OK(x86_sgdt(&mock.cpu, 0x6000, 8));
    g_assert_cmphex(mock_get(0x6002, 8), ==, 0xffff812345678900);
    mock_put(0x5002, 0x0000812345678900, 8);
    MOCK_RAISES(EXC_GP, 0, x86_lidt(&mock.cpu, 0x5000, 8));
    g_assert_cmphex(ST->idt.base, ==, MOCK_IDT);
    mock_real_mode();
    mock_put(0x5002, 0x12345678, 4);
    MOCK_OK(x86_lidt(&mock.cpu, 0x5000, 2));
    g_assert_cmphex(ST->idt.base, ==, 0x345678);
    mock_long_mode(3);
    MOCK_RAISES(EXC_GP, 0, x86_lgdt(&mock.cpu, 0x5000, 8));
    MOCK_OK(x86_sidt(&mock.cpu, 0x6000, 8));
    ST->cr4 |= CR4_UMIP;
    MOCK_RAISES(EXC_GP, 0, x86_sidt(&mock.cpu, 0x6000, 8));
}

/* ---- control registers ---- */

static void test_cr0(void)
{
    mock_protected_mode(0);
    uint64_t cr0 = ST->cr0;
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 0, cr0 | 1ull << 32));
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 0, CR0_PG));
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 0, CR0_PE | CR0_NW));
    MOCK_OK(x86_write_cr(&mock.cpu, 0, CR0_PE | 0x0fe0ffc0)); /* reserved bits are ignored */
    g_assert_cmphex(ST->cr0, ==, CR0_PE | CR0_ET | (0x0fe0ffc0 & 0));
    MOCK_OK(x86_lmsw(&mock.cpu, CR0_TS));
    g_assert_cmphex(ST->cr0, ==, CR0_PE | CR0_ET | CR0_TS); /* PE stays */
    MOCK_OK(x86_clts(&mock.cpu));
    g_assert_cmphex(x86_read_cr(&mock.cpu, 0), ==, CR0_PE | CR0_ET);
    mock_protected_mode(3);
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 0, CR0_PE));
    MOCK_RAISES(EXC_GP, 0, x86_read_cr(&mock.cpu, 3));
    MOCK_RAISES(EXC_GP, 0, x86_clts(&mock.cpu));
}

static void test_entering_and_leaving_long_mode(void)
{
    mock_protected_mode(0);
    ST->efer = EFER_LME;
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 0, CR0_PE | CR0_PG)); /* PAE is off */
    MOCK_OK(x86_write_cr(&mock.cpu, 4, CR4_PAE));
    MOCK_OK(x86_write_cr(&mock.cpu, 0, CR0_PE | CR0_PG));
    g_assert_cmphex(ST->efer, ==, EFER_LME | EFER_LMA);
    g_assert_cmpuint(mock.flush_all, >, 0);
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 4, 0)); /* PAE is needed */
    ST->seg[SEG_CS].attr |= SEG_ATTR_L;
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 0, CR0_PE)); /* in 64-bit mode */
    ST->seg[SEG_CS].attr &= ~SEG_ATTR_L;
    MOCK_OK(x86_write_cr(&mock.cpu, 0, CR0_PE));
    g_assert_cmphex(ST->efer, ==, EFER_LME);
}

static void test_pdptes_are_loaded_and_checked(void)
{
    mock_protected_mode(0);
    ST->cr4 = CR4_PAE;
    ST->cr3 = 0x7020;
    mock_put(0x7020, 0x8001, 8);
    mock_put(0x7028, 0x1e6, 8); /* not present: anything goes */
    MOCK_OK(x86_write_cr(&mock.cpu, 0, CR0_PE | CR0_PG));
    g_assert_cmphex(ST->pdptr[0], ==, 0x8001);
    mock_put(0x7120, 0x9003, 8);
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 3, 0x7120));
    g_assert_cmphex(ST->cr3, ==, 0x7020);
    g_assert_cmphex(ST->pdptr[0], ==, 0x8001);
    mock_put(0x7120, 0x9001, 8);
    MOCK_OK(x86_write_cr(&mock.cpu, 3, 0x7120));
    g_assert_cmphex(ST->pdptr[0], ==, 0x9001);
}

static void test_cr3_and_pcid(void)
{
    mock_long_mode(0);
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 3, 1ull << 45)); /* 40 physical bits */
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 3, 1ull << 63 | 0x100000));
    MOCK_OK(x86_write_cr(&mock.cpu, 3, 0x100000));
    g_assert_true(mock.switch_flushed);
    MOCK_OK(x86_write_cr(&mock.cpu, 4, ST->cr4 | CR4_PCIDE));
    MOCK_OK(x86_write_cr(&mock.cpu, 3, 1ull << 63 | 0x100005));
    g_assert_false(mock.switch_flushed);
    g_assert_cmphex(x86_read_cr(&mock.cpu, 3), ==, 0x100005);
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 0, CR0_PE)); /* PG with PCIDE */
    MOCK_OK(x86_write_cr(&mock.cpu, 4, ST->cr4 & ~(uint64_t)CR4_PCIDE));
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 4, ST->cr4 | CR4_PCIDE)); /* CR3[11:0] */
}

static void test_cr4_follows_cpuid(void)
{
    mock_long_mode(0);
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 4, ST->cr4 | CR4_LA57));
    MOCK_OK(x86_write_cr(&mock.cpu, 4, ST->cr4 | CR4_SMEP | CR4_PGE));
    mock_free();
    mock_reset("max,-smep");
    MOCK_RAISES(EXC_GP, 0, x86_write_cr(&mock.cpu, 4, CR4_SMEP));
}

static void test_invpcid(void)
{
    mock_long_mode(0);
    mock_put(0x5000, 0, 8);
    mock_put(0x5008, 0x1234, 8);
    MOCK_OK(x86_invpcid(&mock.cpu, 0, 0x5000));
    g_assert_cmpuint(mock.flush_pcid_page, ==, 1);
    MOCK_OK(x86_invpcid(&mock.cpu, 1, 0x5000));
    MOCK_OK(x86_invpcid(&mock.cpu, 2, 0x5000));
    MOCK_OK(x86_invpcid(&mock.cpu, 3, 0x5000));
    g_assert_cmpuint(mock.flush_pcid + mock.flush_all + mock.flush_nonglobal, ==, 3);
    MOCK_RAISES(EXC_GP, 0, x86_invpcid(&mock.cpu, 4, 0x5000));
    mock_put(0x5000, 5, 8);
    MOCK_RAISES(EXC_GP, 0, x86_invpcid(&mock.cpu, 1, 0x5000)); /* PCIDE is off */
    mock_put(0x5000, 0x1000, 8);
    MOCK_RAISES(EXC_GP, 0, x86_invpcid(&mock.cpu, 2, 0x5000));
}

static void test_debug_registers(void)
{
    mock_long_mode(0);
    MOCK_OK(x86_write_dr(&mock.cpu, 7, 0xffffffff & ~0x2000u));
    g_assert_cmphex(ST->dr[7], ==, 0xffff07ff);
    MOCK_OK(x86_write_dr(&mock.cpu, 4, 0)); /* DR6 under another name */
    g_assert_cmphex(ST->dr[6], ==, 0xffff0ff0);
    MOCK_RAISES(EXC_GP, 0, x86_write_dr(&mock.cpu, 6, 1ull << 32));
    ST->cr4 |= CR4_DE;
    MOCK_RAISES(EXC_UD, 0, x86_read_dr(&mock.cpu, 5));
    mock_long_mode(3);
    MOCK_RAISES(EXC_GP, 0, x86_read_dr(&mock.cpu, 0));
}

/* ---- MSRs ---- */

static bool wrmsr(uint32_t msr, uint64_t value)
{
    ST->gpr[R_RCX] = msr | 0xabcdull << 32;
    ST->gpr[R_RAX] = (uint32_t)value | 0x5555ull << 32;
    ST->gpr[R_RDX] = value >> 32 | 0x6666ull << 32;
    MOCK_LAND(x86_wrmsr(&mock.cpu));
    g_assert_true(mock.vector == -100 || (mock.vector == EXC_GP && mock.error == 0));
    return mock.vector == -100;
}

static uint64_t rdmsr(uint32_t msr)
{
    ST->gpr[R_RCX] = msr;
    MOCK_OK(x86_rdmsr(&mock.cpu));
    g_assert_cmphex((ST->gpr[R_RAX] | ST->gpr[R_RDX]) >> 32, ==, 0);
    return ST->gpr[R_RAX] | ST->gpr[R_RDX] << 32;
}

static void test_msrs(void)
{
    mock_long_mode(0);
    g_assert_false(wrmsr(0x12345678, 0));
    g_assert_true(wrmsr(0xc0000100, 0xffff800000001234));
    g_assert_cmphex(rdmsr(0xc0000100), ==, 0xffff800000001234);
    g_assert_cmphex(ST->seg[SEG_FS].base, ==, 0xffff800000001234);
    g_assert_false(wrmsr(0xc0000101, 0x0000800000000000));
    g_assert_false(wrmsr(0xc0000082, 1ull << 60));
    g_assert_true(wrmsr(0xc0000102, 5));
    g_assert_false(wrmsr(0xc0000084, 1ull << 32));
    g_assert_true(wrmsr(0x277, 0x0007040600070406));
    g_assert_false(wrmsr(0x277, 2));
    g_assert_false(wrmsr(0xfe, 0));
    g_assert_cmphex(rdmsr(0xfe) & 0xff, ==, X86_MTRR_VAR);
    g_assert_true(wrmsr(0x200, 0x80000006));
    g_assert_true(wrmsr(0x201, 0xff80000800));
    g_assert_false(wrmsr(0x201, 1ull << 41));
    g_assert_cmphex(ST->mtrr_base[0], ==, 0x80000006);
    g_assert_cmphex(ST->mtrr_mask[0], ==, 0xff80000800);
    g_assert_true(wrmsr(0x26f, 0x0606060606060606));
    g_assert_cmphex(ST->mtrr_fixed[10], ==, 0x0606060606060606);
    g_assert_true(wrmsr(0x2ff, 0xc06));
    g_assert_false(wrmsr(0x2ff, 0x1000));
    g_assert_true(wrmsr(0x401, 0));
    g_assert_false(wrmsr(0x401, 1));
    g_assert_false(wrmsr(0x800 + 8, 0)); /* there is no APIC here */
    g_assert_true(wrmsr(0xc0000103, 7));
    mock.tsc = 1000;
    g_assert_true(wrmsr(0x10, 5000));
    g_assert_cmphex(rdmsr(0x10), ==, 5000);
    g_assert_cmphex(rdmsr(0x3b), ==, 4000);
    g_assert_true(wrmsr(0x3b, 0));
    g_assert_cmphex(rdmsr(0x10), ==, 1000);
    ST->cr4 |= CR4_TSD;
    MOCK_OK(x86_rdtsc_insn(&mock.cpu, true));
    g_assert_cmphex(ST->gpr[R_RCX], ==, 7);
    mock_long_mode(3);
    ST->cr4 |= CR4_TSD;
    MOCK_RAISES(EXC_GP, 0, x86_rdtsc_insn(&mock.cpu, false));
    MOCK_RAISES(EXC_GP, 0, x86_rdmsr(&mock.cpu));
}

static void test_efer(void)
{
    mock_long_mode(0);
    g_assert_false(wrmsr(0xc0000080, 1u << 20));
    g_assert_false(wrmsr(0xc0000080, 0)); /* LME with paging on */
    g_assert_true(wrmsr(0xc0000080, EFER_LME));
    g_assert_cmphex(rdmsr(0xc0000080), ==, EFER_LME | EFER_LMA); /* LMA is the CPU's */
    mock_reset("max,nx=off");
    g_assert_false(wrmsr(0xc0000080, EFER_NXE));
}

static void test_msrs_of_a_vendor(void)
{
    mock_reset("max");
    g_assert_cmphex(rdmsr(0xc0011029), ==, 2);
    g_assert_false(wrmsr(0x1a0, 1));
    mock_reset("max,vendor=GenuineIntel");
    g_assert_false(wrmsr(0xc0011029, 2));
    g_assert_true(wrmsr(0x1a0, 1));
}

static unsigned tsc_changes;

static void tsc_changed(void *intc)
{
    g_assert_true(intc == &mock);
    tsc_changes++;
}

static void test_writes_of_the_tsc_are_told_to_the_apic(void)
{
    static const CpuIntcOps ops = {.tsc_changed = tsc_changed};
    Machine machine = {.cpu_count = 1};

    mock_long_mode(0);
    mock.cpu.cpu.machine = &machine;
    mock.cpu.cpu.intc_ops = &ops;
    mock.cpu.cpu.intc = &mock;
    tsc_changes = 0;
    g_assert_true(wrmsr(0x10, 5000));
    g_assert_cmpuint(tsc_changes, ==, 1);
    g_assert_true(wrmsr(0x3b, 0));
    g_assert_cmpuint(tsc_changes, ==, 2);
    rdmsr(0x10);
    g_assert_cmpuint(tsc_changes, ==, 2);
}

static void test_kvmclock(void)
{
    Machine machine = {.cpu_count = 1};
    Cpu *cpus[] = {&mock.cpu.cpu};
    GError *err = NULL;
    MemRegion *root = mem_region_container("root", UINT64_MAX);
    RamBlock *ram = ram_block_new("ram", 1 << 20, &err);
    g_assert_no_error(err);
    MemRegion *region = mem_region_ram("ram", ram, 0, 1 << 20, false);
    uint8_t page[32];

    mem_region_add(root, 0, region, 0);
    address_space_init(&machine.memory, root, "test");
    machine.cpus = cpus;
    mock_long_mode(0);
    mock.cpu.cpu.machine = &machine;
    mock.tsc = 1000000;
    address_space_store(&machine.memory, 0x5000, 7, 4);
    g_assert_true(wrmsr(0x4b564d01, 0x5001));
    address_space_read(&machine.memory, 0x5000, page, sizeof(page));
    g_assert_cmpuint(*(uint32_t *)page, ==, 8); /* the version went on, and is even */
    g_assert_cmpuint(*(uint64_t *)(page + 8), ==, 1000000);
    g_assert_cmpuint(page[29], ==, 1);
    double ns = ldexp((double)*(uint32_t *)(page + 24), (int8_t)page[28] - 32);
    double expected = 1e6 / (double)x86_tsc_khz();
    g_assert_cmpfloat_with_epsilon(ns, expected, expected * 1e-8);

    /* A TSC that was moved does not move the time. */
    g_assert_true(wrmsr(0x10, 5000000));
    address_space_read(&machine.memory, 0x5000, page, sizeof(page));
    g_assert_cmpuint(*(uint64_t *)(page + 8), ==, 5000000);
    g_assert_cmpuint(*(uint32_t *)page, ==, 10);

    g_assert_true(wrmsr(0x4b564d00, 0x5100));
    g_assert_cmpuint(address_space_load(&machine.memory, 0x5100, 4) & 1, ==, 0);
    g_assert_cmpuint(address_space_load(&machine.memory, 0x5104, 4), >, 1600000000);
    address_space_fini(&machine.memory);
    mem_region_free(region);
    mem_region_free(root);
    ram_block_free(ram);
}

/* ---- flags and ports ---- */

static uint64_t popf(uint64_t start, uint64_t value, unsigned opsize)
{
    ST->rflags = start;
    MOCK_LAND(x86_popf(&mock.cpu, value, opsize));
    return mock.vector == -100 ? ST->rflags : (uint64_t)mock.vector;
}

static void test_popf(void)
{
    mock_protected_mode(0);
    g_assert_cmphex(popf(2, ~0ull, 4), ==, 0x247fd7);
    g_assert_cmphex(popf(2 | FLAG_VIF | FLAG_VIP | FLAG_RF, 0, 4), ==, 2 | FLAG_VIF | FLAG_VIP);
    g_assert_cmphex(popf(2, ~0ull, 2), ==, 0x7fd7);
    mock_protected_mode(3);
    g_assert_cmphex(popf(2, ~0ull, 4), ==, 0x244dd7);
    g_assert_cmphex(popf(0x3002, ~0ull, 4), ==, 0x247fd7);
    mock_v86_mode(0);
    g_assert_cmphex(popf(FLAG_VM | 2, 0, 2), ==, EXC_GP);
    ST->cr4 |= CR4_VME;
    g_assert_cmphex(popf(FLAG_VM | 2, FLAG_IF, 2), ==, FLAG_VM | FLAG_VIF | 2);
    g_assert_cmphex(popf(FLAG_VM | FLAG_VIP | 2, FLAG_IF, 2), ==, EXC_GP);
    g_assert_cmphex(popf(FLAG_VM | 2, 0, 4), ==, EXC_GP);
    ST->rflags = FLAG_VM | FLAG_VIF | 2;
    g_assert_cmphex(x86_pushf(&mock.cpu, 2) & 0xffff, ==, FLAG_IF | FLAG_IOPL | 2);
}

static void test_cli_and_sti(void)
{
    mock_protected_mode(0);
    MOCK_OK(x86_sti(&mock.cpu));
    g_assert_cmpuint(ST->int_shadow, ==, 1);
    g_assert_true(ST->rflags & FLAG_IF);
    ST->int_shadow = 0;
    MOCK_OK(x86_sti(&mock.cpu)); /* no shadow when IF was set */
    g_assert_cmpuint(ST->int_shadow, ==, 0);
    MOCK_OK(x86_cli(&mock.cpu));
    g_assert_false(ST->rflags & FLAG_IF);
    mock_protected_mode(3);
    MOCK_RAISES(EXC_GP, 0, x86_cli(&mock.cpu));
    ST->cr4 |= CR4_PVI;
    MOCK_OK(x86_sti(&mock.cpu));
    g_assert_true(ST->rflags & FLAG_VIF);
    g_assert_false(ST->rflags & FLAG_IF);
    ST->rflags |= FLAG_VIP;
    MOCK_RAISES(EXC_GP, 0, x86_sti(&mock.cpu));
}

static void test_port_permission(void)
{
    mock_protected_mode(3);
    mock_put(MOCK_TSS + 0x68 + 0x3f8 / 8, 0xffff, 2);
    MOCK_OK(x86_check_io(&mock.cpu, 0x3f0, 8));
    MOCK_RAISES(EXC_GP, 0, x86_check_io(&mock.cpu, 0x3f8, 1));
    MOCK_RAISES(EXC_GP, 0, x86_check_io(&mock.cpu, 0x3f7, 2));
    MOCK_OK(x86_check_io(&mock.cpu, 0x3f7, 1));
    ST->rflags |= FLAG_IOPL;
    MOCK_OK(x86_check_io(&mock.cpu, 0x3f8, 1));
    ST->rflags &= ~(uint64_t)FLAG_IOPL;
    ST->tr.limit = 0x68 + 0x3f0 / 8;
    MOCK_RAISES(EXC_GP, 0, x86_check_io(&mock.cpu, 0x3f0, 1)); /* the second byte is outside */
    ST->tr.limit++;
    MOCK_OK(x86_check_io(&mock.cpu, 0x3f0, 1));
    ST->tr.attr = 0x83; /* a 16-bit TSS has no bitmap */
    MOCK_RAISES(EXC_GP, 0, x86_check_io(&mock.cpu, 0x3f0, 1));
    mock_v86_mode(3); /* the bitmap counts whatever IOPL is */
    mock_put(MOCK_TSS + 0x68, 1, 1);
    MOCK_RAISES(EXC_GP, 0, x86_check_io(&mock.cpu, 0, 1));
    MOCK_OK(x86_check_io(&mock.cpu, 1, 1));
}

/* ---- SMM ---- */

static void test_smm_round_trip(void)
{
    mock_long_mode(3);
    ST->seg[SEG_FS].base = 0xffff888800001000;
    ST->rflags = 2 | FLAG_IF | FLAG_CF;
    for (unsigned i = 0; i < 16; i++) {
        ST->gpr[i] = 0x1111111111111111ull * i;
    }
    X86State before = *ST;
    MOCK_OK(x86_enter_smm(&mock.cpu));
    g_assert_cmpuint(ST->smm, ==, 1);
    g_assert_cmphex(ST->rip, ==, 0x8000);
    g_assert_cmphex(ST->seg[SEG_CS].base, ==, 0x30000);
    g_assert_cmphex(ST->cr0 & (CR0_PE | CR0_PG), ==, 0);
    g_assert_cmpuint(x86_cpl(ST), ==, 0);
    g_assert_cmphex(mock_get(0x3fefc, 4), ==, 0x20064);
    mock_put(0x3ff00, 0x1f0000, 4); /* a new SMBASE */
    MOCK_OK(x86_rsm(&mock.cpu));
    g_assert_cmphex(ST->smbase, ==, 0x1f0000);
    ST->smbase = before.smbase;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        g_assert_cmphex(ST->seg[i].base, ==, before.seg[i].base);
        g_assert_cmphex(ST->seg[i].limit, ==, before.seg[i].limit);
        g_assert_cmphex(ST->seg[i].attr, ==, before.seg[i].attr);
        g_assert_cmphex(ST->seg[i].selector, ==, before.seg[i].selector);
        ST->seg[i] = before.seg[i];
    }
    ST->tr = before.tr;
    ST->ldt = before.ldt;
    ST->gdt = before.gdt;
    ST->idt = before.idt;
    g_assert_cmpmem(ST, sizeof(*ST), &before, sizeof(before));
    MOCK_RAISES(EXC_UD, 0, x86_rsm(&mock.cpu));
}

static void test_rsm_with_a_bad_map_shuts_down(void)
{
    mock_long_mode(0);
    MOCK_OK(x86_enter_smm(&mock.cpu));
    mock_put(0x3ff58, CR0_PG, 8);
    MOCK_LAND(x86_rsm(&mock.cpu));
    g_assert_cmpint(mock.vector, ==, -1);
}

/* ---- reset, state, text ---- */

static void test_reset_state(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    mock_reset("qemu64");
    x86_print_registers(&mock.cpu, out);
    g_assert_true(g_str_has_prefix(
        out->str,
        "EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1\n"
        "ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000\n"
        "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"
        "ES =0000 00000000 0000ffff 00009300\n"
        "CS =f000 ffff0000 0000ffff 00009b00\n"
        "SS =0000 00000000 0000ffff 00009300\n"
        "DS =0000 00000000 0000ffff 00009300\n"
        "FS =0000 00000000 0000ffff 00009300\n"
        "GS =0000 00000000 0000ffff 00009300\n"
        "LDT=0000 00000000 0000ffff 00008200\n"
        "TR =0000 00000000 0000ffff 00008b00\n"
        "GDT=     00000000 0000ffff\n"
        "IDT=     00000000 0000ffff\n"
        "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\n"
        "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \n"
        "DR6=00000000ffff0ff0 DR7=0000000000000400\n"
        "EFER=0000000000000000\n"
        "FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80\n"
        "FPR0=0000000000000000 0000 FPR1=0000000000000000 0000\n"));
}

static void test_init_keeps_what_it_must(void)
{
    mock_long_mode(0);
    ST->pat = 0x0606060606060606;
    ST->xsave[40] = 77;
    ST->cr0 = CR0_PE | CR0_NW | CR0_CD;
    ST->tsc_offset = 9;
    mock.cpu.cpu.index = 1;
    x86_cpu_reset(&mock.cpu, false);
    g_assert_cmphex(ST->cr0, ==, CR0_NW | CR0_CD | CR0_ET);
    g_assert_cmphex(ST->pat, ==, 0x0606060606060606);
    g_assert_cmpuint(ST->xsave[40], ==, 77);
    g_assert_cmpuint(ST->tsc_offset, ==, 9);
    g_assert_cmphex(ST->efer, ==, 0);
    g_assert_cmpuint(ST->wait_sipi, ==, 1);
    x86_cpu_sipi(&mock.cpu, 0x9a);
    g_assert_cmphex(ST->seg[SEG_CS].selector, ==, 0x9a00);
    g_assert_cmphex(ST->seg[SEG_CS].base, ==, 0x9a000);
    g_assert_cmphex(ST->rip, ==, 0);
    g_assert_cmpuint(ST->wait_sipi, ==, 0);
}

static void test_state_round_trip(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    GError *err = NULL;
    size_t pos = 0;
    mock_long_mode(3);
    for (unsigned i = 0; i < 16; i++) {
        ST->gpr[i] = g_random_int() * 0x123456789ull;
    }
    X86State *copy = g_memdup2(ST, sizeof(*ST));
    state_save(&x86_state_table, ST, out);
    memset(ST, 0, sizeof(*ST));
    g_assert_true(state_load(&x86_state_table, ST, out->data, out->len, &pos, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(pos, ==, out->len);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        g_assert_cmphex(ST->seg[i].attr, ==, copy->seg[i].attr);
        ST->seg[i] = copy->seg[i];
    }
    ST->tr = copy->tr;
    ST->ldt = copy->ldt;
    ST->gdt = copy->gdt;
    ST->idt = copy->idt;
    g_assert_cmpmem(ST, sizeof(*ST), copy, sizeof(*copy));
    g_assert_true(x86_cpu_check_state(&mock.cpu, &err));
    g_free(copy);
}

static void load_must_fail(const char *what)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    GError *err = NULL;
    size_t pos = 0;
    state_save(&x86_state_table, ST, out);
    if (state_load(&x86_state_table, ST, out->data, out->len, &pos, &err)) {
        g_error("loaded: %s", what);
    }
    g_assert_nonnull(err);
    g_error_free(err);
    mock_long_mode(0);
}

static void test_impossible_states_are_refused(void)
{
    mock_long_mode(0);
    ST->lstar = 1ull << 50;
    load_must_fail("LSTAR not canonical");
    ST->cr0 &= ~(uint64_t)CR0_PE;
    load_must_fail("PG without PE");
    ST->cr4 &= ~(uint64_t)CR4_PAE;
    load_must_fail("long mode without PAE");
    ST->efer &= ~(uint64_t)EFER_LMA;
    load_must_fail("LME and PG without LMA");
    ST->xsave[26] = 1;
    load_must_fail("MXCSR with reserved bits");
    ST->xsave[520] = 1;
    load_must_fail("XCOMP_BV");
    ST->xcr0 = 0;
    load_must_fail("XCR0 without x87");
    ST->pat = 2;
    load_must_fail("PAT type 2");
    ST->seg[0].attr = 1u << 20;
    load_must_fail("segment attributes");
    ST->rflags |= 1ull << 22;
    load_must_fail("RFLAGS bit 22");
    ST->cr8 = 16;
    load_must_fail("CR8");
    ST->cr4 |= CR4_LA57;
    GError *err = NULL;
    g_assert_false(x86_cpu_check_state(&mock.cpu, &err));
    g_assert_nonnull(err);
    g_error_free(err);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
#define T(name, fn) g_test_add_func("/x86-system/" name, fn)
    T("load-seg-checks", test_load_seg_checks);
    T("null-ss-in-long-mode", test_null_ss_in_long_mode);
    T("ldt", test_ldt);
    T("ltr", test_ltr);
    T("lar-and-friends", test_lar_and_friends);
    T("descriptor-table-registers", test_descriptor_table_registers);
    T("cr0", test_cr0);
    T("entering-and-leaving-long-mode", test_entering_and_leaving_long_mode);
    T("pdptes-are-loaded-and-checked", test_pdptes_are_loaded_and_checked);
    T("cr3-and-pcid", test_cr3_and_pcid);
    T("cr4-follows-cpuid", test_cr4_follows_cpuid);
    T("invpcid", test_invpcid);
    T("debug-registers", test_debug_registers);
    T("msrs", test_msrs);
    T("efer", test_efer);
    T("msrs-of-a-vendor", test_msrs_of_a_vendor);
    T("writes-of-the-tsc-are-told-to-the-apic", test_writes_of_the_tsc_are_told_to_the_apic);
    T("kvmclock", test_kvmclock);
    T("popf", test_popf);
    T("cli-and-sti", test_cli_and_sti);
    T("port-permission", test_port_permission);
    T("smm-round-trip", test_smm_round_trip);
    T("rsm-with-a-bad-map-shuts-down", test_rsm_with_a_bad_map_shuts_down);
    T("reset-state", test_reset_state);
    T("init-keeps-what-it-must", test_init_keeps_what_it_must);
    T("state-round-trip", test_state_round_trip);
    T("impossible-states-are-refused", test_impossible_states_are_refused);
    int rc = g_test_run();
    mock_free();
    return rc;
}
