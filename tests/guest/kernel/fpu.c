/*
 * x87 and SSE as the operating system sees them: lazy switching, unmasked exceptions, saved images.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

extern const uint8_t at_divss[], at_fwait[];

static void use_x87(void)
{
    asm volatile("fld1; fstp %st(0)");
}
static void use_sse(void)
{
    asm volatile("addss %xmm0, %xmm0");
}
static void sse_divide(void)
{
    uint32_t mxcsr = 0x1f80 & ~(1u << 9);

    asm volatile("ldmxcsr %0; mov $0x3f800000, %%eax; movd %%eax, %%xmm0; xorps %%xmm1, %%xmm1; "
                 ".globl at_divss; at_divss: divss %%xmm1, %%xmm0"
                 :
                 : "m"(mxcsr)
                 : "rax");
}
static void x87_divide(void)
{
    uint16_t control = 0x37f & ~4;

    asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; .globl at_fwait; at_fwait: fwait"
                 :
                 : "m"(control));
}

static uint8_t store_data[16], store_mask[16];
static uint64_t store_at;

static void masked_store(void)
{
    asm volatile("movdqu %0, %%xmm1; movdqu %1, %%xmm2; maskmovdqu %%xmm2, %%xmm1"
                 :
                 : "m"(store_data), "m"(store_mask), "D"(store_at)
                 : "memory");
}
static void masked_store_mmx(void)
{
    asm volatile("fld1; movq %0, %%mm1; movq %1, %%mm2; fld1; maskmovq %%mm2, %%mm1"
                 :
                 : "m"(store_data), "m"(store_mask), "D"(store_at)
                 : "memory");
}

/* Pages at LINEAR and behind it, of which the second is absent. */
static void test_masked_stores(void)
{
    const uint64_t linear = 0x20000000000ull;
    uint8_t *page = alloc_page(), *at = page + 4092, image[108];
    bool exact = true;

    map_page(linear, (uint64_t)page, PTE_P | PTE_W);
    map_page(linear + 4096, 0, 0);
    for (int i = 0; i < 16; i++) {
        store_data[i] = (uint8_t)(i + 1);
        store_mask[i] = i < 4 && i != 2 ? 0x80 : 0x7f;
    }
    store_at = linear + 4080;
    Fault f = catch_fault(masked_store);
    check(!f.happened && page[4080] == 1 && page[4081] == 2 && page[4082] == 0 && page[4083] == 4 &&
              !page[4084],
          "a masked store touches selected bytes alone");
    /* Whether bytes that are left out may fault is up to the processor: here one is selected. */
    store_at = linear + 4092;
    store_mask[5] = 0xff;
    at[0] = 0x55;
    f = catch_fault(masked_store);
    check(f.vector == 14 && f.error == 2 &&
              (is_qemu() || (f.cr2 >> 12 == (linear + 4096) >> 12 && at[0] == 0x55)),
          "and faults before it writes any");
    store_at = linear + 64;
    f = catch_fault(masked_store_mmx);
    asm volatile("fnsave %0" : "=m"(image));
    for (int i = 0; i < 8; i++) {
        exact &= page[64 + i] == (store_mask[i] & 0x80 ? i + 1 : 0);
    }
    check(!f.happened && exact && !(image[5] & 0x38) && (image[8] & 0xc) != 0xc,
          "MASKMOVQ does the same and ends in MMX state");
    WRITE_CR(0, READ_CR(0) | 8);
    f = catch_fault(masked_store);
    check(f.vector == 7, "with CR0.TS it is #NM");
    asm volatile("clts");
}

static bool clobber(Frame *frame)
{
    if (frame->vector != 0x60) {
        return false;
    }
    asm volatile("nop");
    return true;
}

void test_fpu(void)
{
    static uint8_t image[512] __attribute__((aligned(16))), again[512] __attribute__((aligned(16)));
    uint32_t mxcsr = 0x1f80, seen;
    double value, half = 0.5;

    asm volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
    WRITE_CR(0, READ_CR(0) | 8);
    Fault f = catch_fault(use_x87);
    check(f.vector == 7, "x87 with CR0.TS is #NM");
    f = catch_fault(use_sse);
    check(f.vector == 7, "SSE with CR0.TS is #NM");
    asm volatile("clts");
    f = catch_fault(use_sse);
    check(!f.happened, "CLTS ends that");
    WRITE_CR(4, READ_CR(4) & ~(1ull << 9));
    f = catch_fault(use_sse);
    WRITE_CR(4, READ_CR(4) | 1ull << 9);
    check(f.vector == 6, "SSE without CR4.OSFXSR is #UD");

    if (!is_qemu()) {
        f = catch_fault(sse_divide);
        check(f.vector == 19 && f.rip == (uint64_t)at_divss,
              "an unmasked SSE exception is #XM at the instruction");
        asm volatile("stmxcsr %0" : "=m"(seen));
        check((seen & 0x3f) == 4, "and leaves its flag in MXCSR");
    }
    asm volatile("ldmxcsr %0" : : "m"(mxcsr));
    f = catch_fault(x87_divide);
    check(f.vector == 16 && f.rip == (uint64_t)at_fwait,
          "an unmasked x87 exception is #MF at the next one");
    asm volatile("fninit");

    /* Denormals are what the default mode makes of them; rounding follows MXCSR across an
     * interrupt. */
    mxcsr = 0x1f80 | 3u << 13;
    set_handler(clobber);
    asm volatile("ldmxcsr %1; movsd %2, %%xmm5; int $0x60; stmxcsr %0"
                 : "=m"(seen)
                 : "m"(mxcsr), "m"(half));
    asm volatile("movsd %%xmm5, %0" : "=m"(value));
    set_handler(0);
    check(seen == mxcsr && *(uint64_t *)&value == *(uint64_t *)&half,
          "an interrupt keeps MXCSR and XMM registers");
    mxcsr = 0x1f80;
    asm volatile("ldmxcsr %0" : : "m"(mxcsr));

    asm volatile("fninit; fldpi; fld1; movdqu %1, %%xmm7; fxsave64 %0"
                 : "=m"(image)
                 : "m"(image[0])
                 : "memory");
    asm volatile("fninit; xorps %%xmm7, %%xmm7; fxrstor64 %1; fxsave64 %0"
                 : "=m"(again)
                 : "m"(image)
                 : "memory");
    bool same = true;
    for (int i = 0; i < 416; i++) {
        same &= image[i] == again[i];
    }
    check(same && image[4] == 0xc0 && (image[2] & 0xff) == 0,
          "FXSAVE and FXRSTOR keep x87 and SSE state");
    check(image[32 + 9] == 0x3f && image[32 + 8] == 0xff && image[48 + 9] == 0x40,
          "in the order of the register stack");
    asm volatile("fninit");
    test_masked_stores();
}
