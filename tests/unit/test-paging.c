/*
 * The page walk: translations, rights, fault codes, accessed and dirty bits.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>

#include "tests/unit/x86_mock.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX (1ull << 63)

enum { PML4 = 0x10000, PDPT = 0x11000, PD = 0x12000, PT = 0x13000 };
#define LINEAR 0x0000008040201123ull /* index 1 at every level, offset 123h */

static WalkResult walk(uint64_t linear, WalkAccess access, bool user, bool ac)
{
    WalkResult r;
    x86_walk(&mock.cpu, linear, access, user, ac, false, &r);
    return r;
}

static void set4(uint64_t pml4e, uint64_t pdpte, uint64_t pde, uint64_t pte)
{
    mock_put(PML4 + 8, pml4e, 8);
    mock_put(PDPT + 8, pdpte, 8);
    mock_put(PD + 8, pde, 8);
    mock_put(PT + 8, pte, 8);
}

static void setup_4level(void)
{
    X86State *st = &mock.cpu.st;
    mock_reset("max");
    st->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    st->cr3 = PML4 | 0xabc; /* a PCID, or ignored bits */
    st->cr4 = CR4_PAE;
    st->efer = EFER_LME | EFER_LMA | EFER_NXE;
    set4(PDPT | P | W | U, PD | P | W | U, PT | P | W | U, 0x55000 | P | W | U);
}

static void assert_fault(WalkResult r, uint32_t code)
{
    g_assert_cmphex(r.fault, ==, WALK_FAULT | code);
}

static void test_without_paging_is_identity(void)
{
    mock_reset("max");
    WalkResult r = walk(0xfedcba98, WALK_WRITE, true, false);
    g_assert_cmphex(r.fault, ==, 0);
    g_assert_cmphex(r.phys, ==, 0xfedcba98);
    g_assert_true(r.writable && r.executable);
}

static void test_4level_page_sizes(void)
{
    setup_4level();
    WalkResult r = walk(LINEAR, WALK_READ, true, false);
    g_assert_cmphex(r.fault, ==, 0);
    g_assert_cmphex(r.phys, ==, 0x55123);
    g_assert_cmpuint(r.page_bits, ==, 12);
    g_assert_true(r.user && r.executable && !r.writable && !r.global);

    set4(PDPT | P | W | U, PD | P | W | U, 0x200000 | P | W | U | PS | G, 0);
    r = walk(LINEAR, WALK_READ, true, false);
    g_assert_cmphex(r.phys, ==, 0x200000 | (LINEAR & 0x1fffff));
    g_assert_cmpuint(r.page_bits, ==, 21);
    g_assert_false(r.global); /* CR4.PGE is clear */
    mock.cpu.st.cr4 |= CR4_PGE;
    g_assert_true(walk(LINEAR, WALK_READ, true, false).global);

    set4(PDPT | P | W | U, 0x40000000 | P | W | U | PS, 0, 0);
    r = walk(LINEAR, WALK_READ, true, false);
    g_assert_cmphex(r.phys, ==, 0x40000000 | (LINEAR & 0x3fffffff));
    g_assert_cmpuint(r.page_bits, ==, 30);
}

static void test_accessed_and_dirty_bits(void)
{
    WalkResult r;
    setup_4level();
    x86_walk(&mock.cpu, LINEAR, WALK_WRITE, true, false, true, &r); /* peek */
    g_assert_cmphex(r.phys, ==, 0x55123);
    g_assert_cmphex(mock_get(PT + 8, 8), ==, 0x55000 | P | W | U);
    g_assert_cmpuint(mock.cas, ==, 0);

    r = walk(LINEAR, WALK_READ, true, false);
    g_assert_cmphex(mock_get(PML4 + 8, 8), ==, PDPT | P | W | U | A);
    g_assert_cmphex(mock_get(PDPT + 8, 8), ==, PD | P | W | U | A);
    g_assert_cmphex(mock_get(PD + 8, 8), ==, PT | P | W | U | A);
    g_assert_cmphex(mock_get(PT + 8, 8), ==, 0x55000 | P | W | U | A);
    g_assert_false(r.writable); /* D is still to be set */

    r = walk(LINEAR, WALK_WRITE, true, false);
    g_assert_true(r.writable);
    g_assert_cmphex(mock_get(PT + 8, 8), ==, 0x55000 | P | W | U | A | D);
    g_assert_cmpuint(mock.cas, ==, 5);
    walk(LINEAR, WALK_WRITE, true, false);
    g_assert_cmpuint(mock.cas, ==, 5); /* nothing left to set */
}

static void test_faulting_walk_sets_nothing(void)
{
    setup_4level();
    mock_put(PT + 8, 0x55000 | P | U, 8);
    assert_fault(walk(LINEAR, WALK_WRITE, true, false), PF_P | PF_W | PF_U);
    g_assert_cmpuint(mock.cas, ==, 0);
    g_assert_cmphex(mock_get(PML4 + 8, 8), ==, PDPT | P | W | U);
}

static void move_page(void)
{
    mock_put(PT + 8, 0x66000 | P | W | U, 8);
}

static void remove_page(void)
{
    mock_put(PT + 8, 0, 8);
}

static void test_walk_restarts_when_an_entry_changes(void)
{
    setup_4level();
    set4(PDPT | P | W | U | A, PD | P | W | U | A, PT | P | W | U | A, 0x55000 | P | W | U);
    mock.before_cas = move_page;
    WalkResult r = walk(LINEAR, WALK_WRITE, true, false);
    g_assert_cmphex(r.phys, ==, 0x66123);
    g_assert_cmphex(mock_get(PT + 8, 8), ==, 0x66000 | P | W | U | A | D);

    mock_put(PT + 8, 0x55000 | P | W | U, 8);
    mock.before_cas = remove_page;
    assert_fault(walk(LINEAR, WALK_WRITE, true, false), PF_W | PF_U);
    g_assert_cmphex(mock_get(PT + 8, 8), ==, 0);
}

static void test_not_present_at_every_level(void)
{
    const uint64_t at[] = {PML4 + 8, PDPT + 8, PD + 8, PT + 8};
    for (unsigned i = 0; i < 4; i++) {
        setup_4level();
        mock_put(at[i], 0x7ffffffffffff000ull | W | U, 8); /* other bits are the system's */
        assert_fault(walk(LINEAR, WALK_READ, false, false), 0);
        assert_fault(walk(LINEAR, WALK_WRITE, true, false), PF_W | PF_U);
        assert_fault(walk(LINEAR, WALK_EXEC, true, false), PF_I | PF_U);
    }
}

static void test_reserved_bits(void)
{
    setup_4level();
    mock_put(PML4 + 8, PDPT | P | W | U | PS, 8);
    assert_fault(walk(LINEAR, WALK_READ, false, false), PF_P | PF_RSVD);

    setup_4level();
    mock_put(PT + 8, 0x55000 | P | W | U | 1ull << 40, 8); /* beyond 40 address bits */
    assert_fault(walk(LINEAR, WALK_READ, true, false), PF_P | PF_RSVD | PF_U);

    setup_4level();
    mock_put(PD + 8, 0x202000 | P | W | U | PS, 8);
    assert_fault(walk(LINEAR, WALK_READ, false, false), PF_P | PF_RSVD);
    mock_put(PD + 8, 0x201000 | P | W | U | PS, 8); /* bit 12 is PAT */
    g_assert_cmphex(walk(LINEAR, WALK_READ, false, false).fault, ==, 0);

    setup_4level();
    mock_put(PT + 8, 0x55000 | P | W | U | NX, 8);
    mock.cpu.st.efer &= ~(uint64_t)EFER_NXE;
    assert_fault(walk(LINEAR, WALK_READ, false, false), PF_P | PF_RSVD);

    setup_4level();
    mock_put(PT + 8, 0x55000 | P | W | U | 0x7ffull << 52, 8); /* ignored in 4-level paging */
    g_assert_cmphex(walk(LINEAR, WALK_READ, false, false).fault, ==, 0);
}

static void test_1g_pages_need_the_feature(void)
{
    setup_4level();
    mock_reset("max,pdpe1gb=off");
    X86State *st = &mock.cpu.st;
    st->cr0 = CR0_PE | CR0_PG | CR0_ET;
    st->cr3 = PML4;
    st->cr4 = CR4_PAE;
    st->efer = EFER_LME | EFER_LMA;
    set4(PDPT | P | W | U, 0x40000000 | P | W | U | PS, 0, 0);
    assert_fault(walk(LINEAR, WALK_READ, false, false), PF_P | PF_RSVD);
}

static void test_rights_combine_over_all_levels(void)
{
    for (unsigned level = 0; level < 4; level++) {
        const uint64_t at[] = {PML4 + 8, PDPT + 8, PD + 8, PT + 8};
        setup_4level();
        mock_put(at[level], mock_get(at[level], 8) & ~(uint64_t)U, 8);
        assert_fault(walk(LINEAR, WALK_READ, true, false), PF_P | PF_U);
        g_assert_false(walk(LINEAR, WALK_READ, false, false).user);

        setup_4level();
        mock_put(at[level], mock_get(at[level], 8) & ~(uint64_t)W, 8);
        assert_fault(walk(LINEAR, WALK_WRITE, true, false), PF_P | PF_W | PF_U);
        assert_fault(walk(LINEAR, WALK_WRITE, false, false), PF_P | PF_W);
        mock.cpu.st.cr0 &= ~(uint64_t)CR0_WP;
        g_assert_true(walk(LINEAR, WALK_WRITE, false, false).writable);
        assert_fault(walk(LINEAR, WALK_WRITE, true, false), PF_P | PF_W | PF_U);

        setup_4level();
        mock_put(at[level], mock_get(at[level], 8) | NX, 8);
        assert_fault(walk(LINEAR, WALK_EXEC, true, false), PF_P | PF_I | PF_U);
        g_assert_false(walk(LINEAR, WALK_READ, true, false).executable);
    }
}

static void test_fetch_flag_needs_nxe_or_smep(void)
{
    setup_4level();
    mock.cpu.st.efer &= ~(uint64_t)EFER_NXE;
    mock_put(PT + 8, 0, 8);
    assert_fault(walk(LINEAR, WALK_EXEC, true, false), PF_U);
    mock.cpu.st.cr4 |= CR4_SMEP;
    assert_fault(walk(LINEAR, WALK_EXEC, true, false), PF_U | PF_I);
}

static void test_smep_and_smap(void)
{
    setup_4level();
    g_assert_cmphex(walk(LINEAR, WALK_EXEC, false, false).fault, ==, 0);
    mock.cpu.st.cr4 |= CR4_SMEP | CR4_SMAP;
    assert_fault(walk(LINEAR, WALK_EXEC, false, false), PF_P | PF_I);
    assert_fault(walk(LINEAR, WALK_READ, false, false), PF_P);
    assert_fault(walk(LINEAR, WALK_WRITE, false, false), PF_P | PF_W);
    WalkResult r = walk(LINEAR, WALK_WRITE, false, true); /* AC set */
    g_assert_cmphex(r.fault, ==, 0);
    g_assert_true(r.writable && !r.executable);
    g_assert_cmphex(walk(LINEAR, WALK_EXEC, true, false).fault, ==, 0);
}

static void test_noncanonical_is_told_apart(void)
{
    setup_4level();
    WalkResult r = walk(0x0000800000000000ull, WALK_READ, false, false);
    g_assert_cmphex(r.fault, ==, WALK_FAULT | WALK_NONCANONICAL);
    mock_put(PML4 + 0x800, 0, 8);
    assert_fault(walk(0xffff800000000000ull, WALK_READ, false, false), 0);
}

static void setup_pae(void)
{
    X86State *st = &mock.cpu.st;
    mock_reset("max");
    st->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    st->cr4 = CR4_PAE;
    st->efer = EFER_NXE;
    st->pdptr[1] = PD | P;
    mock_put(PD + 8, PT | P | W | U, 8);
    mock_put(PT + 8, 0x755000 | P | W | U, 8);
}

static void test_pae(void)
{
    setup_pae();
    g_assert_cmphex(walk(0x40201123, WALK_READ, true, false).phys, ==, 0x755123);
    assert_fault(walk(0x80201123, WALK_READ, true, false), PF_U);
    mock_put(PT + 8, 0x755000 | P | W | U | NX, 8);
    assert_fault(walk(0x40201123, WALK_EXEC, true, false), PF_P | PF_U | PF_I);
    mock_put(PT + 8, 0x755000 | P | W | U | 1ull << 52, 8); /* reserved, unlike in 4-level paging */
    assert_fault(walk(0x40201123, WALK_READ, true, false), PF_P | PF_RSVD | PF_U);
    mock_put(PD + 8, 0x9200000 | P | W | U | PS, 8);
    WalkResult r = walk(0xffffffff40312345ull, WALK_READ, true, false); /* upper half ignored */
    g_assert_cmphex(r.phys, ==, 0x9312345);
    g_assert_cmpuint(r.page_bits, ==, 21);
}

static void setup_32(void)
{
    X86State *st = &mock.cpu.st;
    mock_reset("max");
    st->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    st->cr3 = PD;
    mock_put(PD + 4, PT | P | W | U, 4);
    mock_put(PT + 4, 0xfff55000 | P | W | U, 4);
}

static void test_32bit(void)
{
    setup_32();
    WalkResult r = walk(0x401123, WALK_WRITE, true, false);
    g_assert_cmphex(r.phys, ==, 0xfff55123);
    g_assert_cmphex(mock_get(PT + 4, 4), ==, 0xfff55000 | P | W | U | A | D);
    g_assert_cmphex(mock_get(PD + 4, 4), ==, PT | P | W | U | A);
    assert_fault(walk(0x402123, WALK_EXEC, true, false), PF_U);
}

static void test_pse_and_pse36(void)
{
    setup_32();
    mock_put(PD + 4, 0x00800000 | P | W | U | PS, 4);
    /* Without CR4.PSE the bit means nothing: a page table at 800000h (beyond the test's memory). */
    mock.cpu.st.cr4 = CR4_PSE;
    WalkResult r = walk(0x401123, WALK_READ, true, false);
    g_assert_cmphex(r.phys, ==, 0x801123);
    g_assert_cmpuint(r.page_bits, ==, 22);
    mock_put(PD + 4, 0x00800000 | 0x5a << 13 | P | W | U | PS, 4);
    g_assert_cmphex(walk(0x401123, WALK_READ, true, false).phys, ==, 0x5a00801123);
    mock_put(PD + 4, 0x00a00000 | P | W | U | PS, 4); /* bit 21 */
    assert_fault(walk(0x401123, WALK_READ, true, false), PF_P | PF_RSVD | PF_U);
    mock_reset("max,phys-bits=36");
    mock.cpu.st.cr0 = CR0_PE | CR0_PG | CR0_ET;
    mock.cpu.st.cr3 = PD;
    mock.cpu.st.cr4 = CR4_PSE;
    mock_put(PD + 4, 0x00800000 | 0x0f << 13 | P | W | U | PS, 4);
    g_assert_cmphex(walk(0x401123, WALK_READ, true, false).phys, ==, 0xf00801123);
    mock_put(PD + 4, 0x00800000 | 0x10 << 13 | P | W | U | PS, 4);
    assert_fault(walk(0x401123, WALK_READ, true, false), PF_P | PF_RSVD | PF_U);
}

static void test_unwritable_tables_do_not_hang(void)
{
    setup_4level();
    mock.cas_fails = true;
    g_assert_cmphex(walk(LINEAR, WALK_READ, true, false).fault, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/paging/without-paging-is-identity", test_without_paging_is_identity);
    g_test_add_func("/paging/4level-page-sizes", test_4level_page_sizes);
    g_test_add_func("/paging/accessed-and-dirty-bits", test_accessed_and_dirty_bits);
    g_test_add_func("/paging/faulting-walk-sets-nothing", test_faulting_walk_sets_nothing);
    g_test_add_func("/paging/restarts-when-an-entry-changes",
                    test_walk_restarts_when_an_entry_changes);
    g_test_add_func("/paging/not-present-at-every-level", test_not_present_at_every_level);
    g_test_add_func("/paging/reserved-bits", test_reserved_bits);
    g_test_add_func("/paging/1g-pages-need-the-feature", test_1g_pages_need_the_feature);
    g_test_add_func("/paging/rights-combine", test_rights_combine_over_all_levels);
    g_test_add_func("/paging/fetch-flag-needs-nxe-or-smep", test_fetch_flag_needs_nxe_or_smep);
    g_test_add_func("/paging/smep-and-smap", test_smep_and_smap);
    g_test_add_func("/paging/noncanonical-is-told-apart", test_noncanonical_is_told_apart);
    g_test_add_func("/paging/pae", test_pae);
    g_test_add_func("/paging/32bit", test_32bit);
    g_test_add_func("/paging/pse-and-pse36", test_pse_and_pse36);
    g_test_add_func("/paging/unwritable-tables-do-not-hang", test_unwritable_tables_do_not_hang);
    int rc = g_test_run();
    mock_free();
    return rc;
}
