/*
 * The test kernel's core: serial output, interrupt table, expected faults, pages, and the list of
 * tests. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

typedef struct __attribute__((packed)) Gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, reserved;
} Gate;

typedef struct __attribute__((packed)) Tss {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_base;
    uint8_t io_bitmap[32 + 1]; /* ports 0..FFh; those beyond are not allowed */
} Tss;

static Gate idt[256] __attribute__((aligned(16)));
static uint64_t gdt[16];
static Tss tss;
static uint8_t kernel_stack[16384], ist_stack[8192];
static InterruptHandler handler;
static uint64_t fault_context[8];
static bool fault_armed;
static Fault fault;
static int tests, failures;
static uint8_t *next_page = (uint8_t *)0x400000;

void print(const char *text)
{
    for (; *text; text++) {
        while (!(inb(0x3fd) & 0x20)) {
        }
        outb(0x3f8, (uint8_t)*text);
    }
}

static void print_number(uint64_t value, unsigned base)
{
    char text[24], *at = text + sizeof(text) - 1;

    *at = 0;
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    print(at);
}

void check(bool ok, const char *name)
{
    tests++;
    failures += !ok;
    print(ok ? "ok " : "not ok ");
    print_number((uint64_t)tests, 10);
    print(" - ");
    print(name);
    print("\n");
}

void note(const char *what, uint64_t value)
{
    print("# ");
    print(what);
    print(" = 0x");
    print_number(value, 16);
    print("\n");
}

static void __attribute__((noreturn)) leave(void)
{
    print("1..");
    print_number((uint64_t)tests, 10);
    print("\n");
    outl(0xf4, failures ? 1 : 0);
    for (;;) {
        asm volatile("cli; hlt");
    }
}

void set_handler(InterruptHandler new_handler)
{
    handler = new_handler;
}

void interrupt(Frame *frame)
{
    uint64_t cr2 = READ_CR(2);

    if (handler && handler(frame)) {
        return;
    }
    if (fault_armed) {
        fault_armed = false;
        fault = (Fault){.happened = true,
                        .vector = frame->vector,
                        .error = frame->error,
                        .rip = frame->rip,
                        .cs = frame->cs,
                        .rflags = frame->rflags,
                        .rsp = frame->rsp,
                        .cr2 = cr2,
                        .rcx = frame->rcx,
                        .rsi = frame->rsi,
                        .rdi = frame->rdi};
        resume_context(fault_context, 1);
    }
    print("Bail out! unexpected interrupt\n");
    note("vector", frame->vector);
    note("error", frame->error);
    note("rip", frame->rip);
    note("rsp", frame->rsp);
    note("cr2", cr2);
    failures++;
    leave();
}

Fault catch_fault(void (*fn)(void))
{
    fault = (Fault){0};
    fault_armed = true;
    if (!save_context(fault_context)) {
        fn();
    }
    fault_armed = false;
    asm volatile("cli; cld");
    return fault;
}

Fault catch_user(void *rip, void *rsp, uint64_t rflags, uint64_t *result)
{
    fault = (Fault){0};
    fault_armed = true;
    if (!save_context(fault_context)) {
        *result = call_user(rip, rsp, rflags);
    }
    fault_armed = false;
    asm volatile("cli; cld");
    return fault;
}

void set_gate(int vector, int ist, int dpl)
{
    uint64_t at = (uint64_t)interrupt_stubs[vector];

    idt[vector] = (Gate){.offset0 = (uint16_t)at,
                         .selector = SEL_CODE64,
                         .ist = (uint8_t)ist,
                         .type = (uint8_t)(0x8e | dpl << 5),
                         .offset1 = (uint16_t)(at >> 16),
                         .offset2 = (uint32_t)(at >> 32)};
}

static void load_tables(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer;
    uint64_t at = (uint64_t)&tss;

    for (int i = 0; i < 7; i++) {
        gdt[i] = boot_gdt[i];
    }
    gdt[SEL_TSS / 8] =
        (sizeof(tss) - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24 & 0xff) << 56;
    gdt[SEL_TSS / 8 + 1] = at >> 32;
    pointer.limit = sizeof(gdt) - 1;
    pointer.base = (uint64_t)gdt;
    asm volatile("lgdt %0" : : "m"(pointer));
    tss.rsp[0] = (uint64_t)(kernel_stack + sizeof(kernel_stack));
    tss.ist[0] = (uint64_t)(ist_stack + sizeof(ist_stack));
    tss.io_base = (uint16_t)((uint64_t)tss.io_bitmap - at);
    for (unsigned i = 0; i < sizeof(tss.io_bitmap); i++) {
        tss.io_bitmap[i] = 0xff;
    }
    tss.io_bitmap[0x80 / 8] = 0xfe; /* port 80h alone is allowed */
    asm volatile("ltr %w0" : : "r"(SEL_TSS));
    for (int vector = 0; vector < 256; vector++) {
        set_gate(vector, 0, 0);
    }
    pointer.limit = sizeof(idt) - 1;
    pointer.base = (uint64_t)idt;
    asm volatile("lidt %0" : : "m"(pointer));
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%fs; mov %1, %%gs"
                 :
                 : "r"(SEL_DATA), "r"(0));
}

void *alloc_page(void)
{
    uint64_t *page = (uint64_t *)next_page;

    next_page += 4096;
    for (int i = 0; i < 512; i++) {
        page[i] = 0;
    }
    return page;
}

static uint64_t *table_below(uint64_t *entry)
{
    if (!(*entry & PTE_P)) {
        *entry = (uint64_t)alloc_page() | PTE_P | PTE_W | PTE_U;
    }
    return (uint64_t *)(*entry & 0xffffffffff000ull);
}

uint64_t *page_entry(uint64_t linear)
{
    uint64_t *table = (uint64_t *)(READ_CR(3) & 0xffffffffff000ull);

    for (int shift = 39; shift > 12; shift -= 9) {
        table = table_below(&table[linear >> shift & 511]);
    }
    return &table[linear >> 12 & 511];
}

void map_page(uint64_t linear, uint64_t physical, uint64_t flags)
{
    *page_entry(linear) = physical | flags;
    invlpg(linear);
}

bool is_qemu(void)
{
    uint32_t leaf[4];

    cpuid(0x40000000, 0, leaf);
    return leaf[1] == 0x54474354; /* "TCGT" */
}

void kernel_main(void)
{
    load_tables();
    /* Both 8259 are masked; tests open what they need. */
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    wrmsr(0xc0000081, (uint64_t)(SEL_USER_CODE32 | 3) << 48 | (uint64_t)SEL_CODE64 << 32);
    wrmsr(0xc0000082, (uint64_t)syscall_entry);
    wrmsr(0xc0000084, 0x200);

    test_exceptions();
    test_debug();
    test_paging();
    test_user();
    test_code();
    test_memory();
    test_fpu();
    test_interrupts();
    test_smp();
    leave();
}
