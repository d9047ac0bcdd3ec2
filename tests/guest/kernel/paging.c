/*
 * Paging: page-fault error codes and CR2, accessed and dirty bits, what INVLPG, CR3 and PCID flush
 * (SDM 3A 4). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

#define VA  0x7f0000000000ull
#define VA2 0x7f0000001000ull
#define FAR 0xffff900000000000ull

static void read_va(void)
{
    asm volatile("mov (%0), %%eax" : : "r"(VA + 0x123) : "rax");
}
static void write_va(void)
{
    asm volatile("movb $1, (%0)" : : "r"(VA + 0x123) : "memory");
}
static void rmw_va(void)
{
    asm volatile("addl $1, (%0)" : : "r"(VA + 0x123) : "memory");
}
static void exec_va(void)
{
    asm volatile("call *%0" : : "r"(VA + 0x10) : "memory");
}
static void write_crossing(void)
{
    asm volatile("movq %1, (%0)" : : "r"(VA2 - 3), "r"(~0ull) : "memory");
}
static void rep_into_hole(void)
{
    uint64_t at = VA2 - 100, count = 200;

    asm volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(0x77) : "memory");
}
static void user_data_read(void)
{
    asm volatile("clac" : : : "cc");
    read_va();
}

static uint64_t peek(uint64_t address)
{
    return *(volatile uint64_t *)address;
}

static void test_faults(void)
{
    uint64_t page = (uint64_t)alloc_page(), other = (uint64_t)alloc_page();

    map_page(VA, 0, 0);
    Fault f = catch_fault(read_va);
    check(f.vector == 14 && f.error == 0 && f.cr2 == VA + 0x123,
          "a read of an absent page is #PF(0)");
    f = catch_fault(write_va);
    check(f.vector == 14 && f.error == 2 && f.cr2 == VA + 0x123,
          "a write to an absent page is #PF(W)");
    f = catch_fault(exec_va);
    check(f.vector == 14 && f.error == 0x10 && f.cr2 == VA + 0x10 && f.rip == VA + 0x10,
          "a fetch from an absent page is #PF(I)");

    map_page(VA, page, PTE_P);
    f = catch_fault(read_va);
    check(!f.happened && (*page_entry(VA) & (PTE_A | PTE_D)) == PTE_A,
          "a read sets the accessed bit alone");
    f = catch_fault(write_va);
    check(f.vector == 14 && f.error == 3, "a write to a read-only page is #PF(P|W) with CR0.WP");
    f = catch_fault(rmw_va);
    check(f.vector == 14 && f.error == 3, "so is a read-modify-write");
    WRITE_CR(0, READ_CR(0) & ~(1ull << 16));
    f = catch_fault(write_va);
    WRITE_CR(0, READ_CR(0) | 1ull << 16);
    check(!f.happened, "without CR0.WP it is allowed");
    f = catch_fault(write_va);
    check(f.vector == 14 && f.error == 3, "and no longer once WP is set again");

    map_page(VA, page, PTE_P | PTE_W | PTE_NX);
    f = catch_fault(write_va);
    check(!f.happened && (*page_entry(VA) & PTE_D), "a write sets the dirty bit");
    f = catch_fault(exec_va);
    check(f.vector == 14 && f.error == 0x11 && f.cr2 == VA + 0x10,
          "a fetch from an NX page is #PF(P|I)");
    map_page(VA, page | 1ull << 51, PTE_P | PTE_W);
    f = catch_fault(read_va);
    check(f.vector == 14 && ((f.error & 9) == 9 || is_qemu()),
          "a reserved bit in an entry is #PF(P|RSVD)");

    map_page(VA, page, PTE_P | PTE_W);
    map_page(VA2, other, PTE_P);
    *(volatile uint64_t *)(page + 4088) = 0x1111111111111111ull;
    f = catch_fault(write_crossing);
    check(f.vector == 14 && f.cr2 == VA2 && peek(page + 4088) == 0x1111111111111111ull,
          "a write across pages writes nothing when the second one faults");
    map_page(VA2, other, PTE_P | PTE_W);
    f = catch_fault(write_crossing);
    check(!f.happened && peek(page + 4088) == 0xffffff1111111111ull &&
              peek(other) == 0xffffffffffull,
          "and both parts when it does not");
    map_page(VA2, 0, 0);
    f = catch_fault(rep_into_hole);
    check(f.vector == 14 && f.cr2 == VA2 && f.rcx == 100 && f.rdi == VA2,
          "REP STOS stops at the fault with RCX and RDI where it stood");

    uint32_t leaf[4];
    cpuid(7, 0, leaf);
    if (leaf[1] & 1u << 7) {
        static const uint8_t ret = 0xc3;
        WRITE_CR(4, READ_CR(4) | 1ull << 20);
        map_page(VA, page, PTE_P | PTE_W | PTE_U);
        *(volatile uint8_t *)(page + 0x10) = ret;
        f = catch_fault(exec_va);
        check(f.vector == 14 && f.error == 0x11, "SMEP keeps the supervisor off user pages");
        WRITE_CR(4, READ_CR(4) & ~(1ull << 20));
        f = catch_fault(exec_va);
        check(!f.happened, "and only while it is set");
    }
    if (leaf[1] & 1u << 20) {
        WRITE_CR(4, READ_CR(4) | 1ull << 21);
        map_page(VA, page, PTE_P | PTE_W | PTE_U);
        f = catch_fault(user_data_read);
        check(f.vector == 14 && f.error == 1, "SMAP keeps the supervisor from user data");
        asm volatile("stac");
        f = catch_fault(read_va);
        check(!f.happened, "STAC lifts it");
        asm volatile("clac");
        f = catch_fault(read_va);
        check(f.vector == 14, "CLAC restores it");
        WRITE_CR(4, READ_CR(4) & ~(1ull << 21));
    }
}

/* One address with two pages: which one is seen tells what was flushed. */
static void test_flushes(void)
{
    uint64_t *a = alloc_page(), *b = alloc_page();

    *a = 'a';
    *b = 'b';
    map_page(FAR, (uint64_t)a, PTE_P | PTE_W);
    check(peek(FAR) == 'a', "a mapping in the upper half is seen");
    *page_entry(FAR) = (uint64_t)b | PTE_P | PTE_W;
    invlpg(FAR);
    check(peek(FAR) == 'b', "INVLPG makes a changed entry seen");
    *page_entry(FAR) = (uint64_t)a | PTE_P | PTE_W;
    WRITE_CR(3, READ_CR(3));
    check(peek(FAR) == 'a', "so does a write to CR3");
    *page_entry(FAR) = (uint64_t)b | PTE_P | PTE_W | PTE_G;
    WRITE_CR(3, READ_CR(3));
    check(peek(FAR) == 'b', "a global page is seen as any other");
    *page_entry(FAR) = (uint64_t)a | PTE_P | PTE_W | PTE_G;
    WRITE_CR(4, READ_CR(4) & ~(1ull << 7));
    WRITE_CR(4, READ_CR(4) | 1ull << 7);
    check(peek(FAR) == 'a', "a change of CR4.PGE flushes global pages");

    /* A large page whose one entry moves: INVLPG of any address in it must do. */
    uint64_t *pdpt = (uint64_t *)(boot_pml4[0] & 0xffffffffff000ull);
    uint64_t *dir = (uint64_t *)(pdpt[1] & 0xffffffffff000ull); /* 1..2 GiB */
    uint64_t old = dir[0];
    *(volatile uint64_t *)0x600000 = 'x';
    *(volatile uint64_t *)0x800000 = 'y';
    dir[0] = 0x600000 | 0x83;
    invlpg(0x40000000);
    check(peek(0x40000000) == 'x', "a 2 MiB page is seen");
    (void)peek(0x40100000);
    dir[0] = 0x800000 | 0x83;
    invlpg(0x40150000);
    check(peek(0x40000000) == 'y', "INVLPG of one address flushes all of a 2 MiB page");
    dir[0] = old;
    invlpg(0x40000000);

    uint32_t leaf[4];
    cpuid(1, 0, leaf);
    if (!(leaf[2] & 1u << 17)) {
        return;
    }
    uint64_t cr3 = READ_CR(3), *second = alloc_page();
    for (int i = 0; i < 512; i++) {
        second[i] = boot_pml4[i];
    }
    second[FAR >> 39 & 511] = 0;
    WRITE_CR(4, READ_CR(4) | 1ull << 17);
    map_page(FAR, (uint64_t)a, PTE_P | PTE_W);
    check(peek(FAR) == 'a', "PCID 0 sees its mapping");
    WRITE_CR(3, (uint64_t)second | 1);
    map_page(FAR, (uint64_t)b, PTE_P | PTE_W);
    check(peek(FAR) == 'b', "PCID 1 sees another");
    WRITE_CR(3, cr3 | 1ull << 63);
    check(peek(FAR) == 'a', "back without a flush, PCID 0 sees its own again");
    WRITE_CR(3, (uint64_t)second | 1 | 1ull << 63);
    check(peek(FAR) == 'b', "and PCID 1 its own");
    WRITE_CR(3, cr3);
    cpuid(7, 0, leaf);
    if (leaf[1] & 1u << 10) {
        struct {
            uint64_t pcid, linear;
        } descriptor = {1, FAR};
        WRITE_CR(3, (uint64_t)second | 1 | 1ull << 63);
        *page_entry(FAR) = (uint64_t)a | PTE_P | PTE_W;
        WRITE_CR(3, cr3 | 1ull << 63);
        asm volatile("invpcid %0, %1" : : "m"(descriptor), "r"(0ull) : "memory");
        WRITE_CR(3, (uint64_t)second | 1 | 1ull << 63);
        check(peek(FAR) == 'a', "INVPCID of one address of another PCID makes its change seen");
    }
    WRITE_CR(3, cr3);
    WRITE_CR(4, READ_CR(4) & ~(1ull << 17));
}

void test_paging(void)
{
    test_faults();
    test_flushes();
}
