/*
 * V86 mode: the ways in and out, what is privileged there, and the extensions of CR4.VME
 * (SDM 3A 21).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel32/kernel.h"

enum {
    FLAG_IF = 0x200,
    FLAG_IOPL = 0x3000,
    FLAG_VM = 0x20000,
    FLAG_VIF = 0x80000,
    FLAG_VIP = 0x100000
};

extern const uint8_t v86_begin[], v86_pushf[], v86_cli[], v86_popf[], v86_int21[], v86_port[],
    v86_far[], v86_handler[], v86_sti[], v86_popf_tf[], v86_data[], v86_end[];

asm(".pushsection .rodata\n"
    ".code16\n"
    "v86_begin:\n"
    "v86_pushf: pushf; pop %ax; hlt\n"
    "v86_cli: cli; pushf; pop %ax; hlt\n"
    "v86_sti: sti; pushf; pop %ax; hlt\n"
    "v86_popf: pushw $0x203; popf; pushf; pop %ax; hlt\n"
    "v86_popf_tf: pushw $0x103; popf; hlt\n"
    "v86_int21: mov $1, %ax; int $0x21; hlt\n"
    "v86_port: in $0x80, %al; hlt\n"
    "v86_far: lcall $0x810, $0; hlt\n" /* to 8100h, which returns */
    "v86_data: mov $0x1234, %ax; mov %ax, %fs; mov %fs:0, %ax; mov %ax, %gs:2; hlt\n"
    "v86_handler: pop %bx; pop %cx; pop %dx; push %dx; push %cx; push %bx; mov $2, %ax; iret\n"
    "v86_end:\n"
    ".code32\n"
    ".popsection\n");

static struct {
    const uint8_t *code;
    uint32_t flags;
} start;

static void enter_v86(void)
{
    uint32_t frame[] = {(uint32_t)(start.code - v86_begin),
                        LOW_CODE / 16,
                        start.flags | FLAG_VM | 2,
                        LOW_STACK,
                        0,
                        0x50,
                        0x60,
                        0x70,
                        0x80};

    iret_to(frame, 9);
}

/* Runs CODE in V86 mode until it faults; HLT, which every piece ends with, is #GP(0). */
static Fault v86(const uint8_t *code, uint32_t flags)
{
    start.code = code;
    start.flags = flags;
    return catch_fault(enter_v86);
}

/* It came to the HLT that ends the piece. */
static bool ended(const Fault *f)
{
    return f->frame.vector == 13 && f->frame.error == 0 &&
           ((const uint8_t *)LOW_CODE)[f->frame.eip] == 0xf4;
}

static bool faulted_at(const Fault *f, const uint8_t *code)
{
    return f->frame.vector == 13 && f->frame.error == 0 &&
           f->frame.eip == (uint32_t)(code - v86_begin);
}

static void check_plain(void)
{
    Fault f = v86(v86_pushf, FLAG_IOPL);
    check(ended(&f) && (f.frame.eflags & FLAG_VM) && f.frame.cs == LOW_CODE / 16 &&
              f.frame.ss == 0 && f.frame.v86_es == 0x50 && f.frame.v86_ds == 0x60 &&
              f.frame.v86_fs == 0x70 && f.frame.v86_gs == 0x80,
          "IRET enters V86 mode, and a fault leaves it with all segments saved");
    check(f.frame.ds == 0 && f.frame.es == 0, "the handler starts with null data segments");
    check((f.frame.eax & 0xffff) == (FLAG_IOPL | 2), "PUSHF with IOPL 3 shows the flags");
    f = v86(v86_cli, FLAG_IOPL | FLAG_IF);
    check(ended(&f) && !(f.frame.eax & FLAG_IF) && !(f.frame.eflags & FLAG_IF),
          "CLI with IOPL 3 clears IF");
    f = v86(v86_popf, FLAG_IOPL);
    check(ended(&f) && (f.frame.eax & 0x203) == 0x203 && (f.frame.eflags & FLAG_IOPL) == FLAG_IOPL,
          "POPF with IOPL 3 sets IF");
    f = v86(v86_pushf, 0);
    check(faulted_at(&f, v86_pushf), "PUSHF with IOPL 0 is #GP(0)");
    f = v86(v86_cli, 0);
    check(faulted_at(&f, v86_cli), "so is CLI");
    f = v86(v86_int21, 0);
    check(faulted_at(&f, v86_int21 + 3), "and INT n");
    set_gate(0x21, 3);
    f = v86(v86_int21, FLAG_IOPL);
    check(f.frame.vector == 0x21 && (f.frame.eflags & FLAG_VM) &&
              f.frame.eip == (uint32_t)(v86_int21 + 5 - v86_begin),
          "INT n with IOPL 3 goes through the IDT");
    set_gate(0x21, 0);
    f = v86(v86_int21, FLAG_IOPL);
    check(f.frame.vector == 13 && f.frame.error == (0x21 << 3 | 2), "whose gate needs DPL 3");
    f = v86(v86_port, FLAG_IOPL);
    check(faulted_at(&f, v86_port), "IN asks the I/O bitmap whatever IOPL is");
    *(volatile uint16_t *)(0x12340) = 0xbeef;
    f = v86(v86_data, FLAG_IOPL);
    check(ended(&f) && *(volatile uint16_t *)(0x802) == 0xbeef && f.frame.v86_fs == 0x1234,
          "segment registers are loaded as in real-address mode");
    *(volatile uint8_t *)0x8100 = 0xcb; /* lret */
    f = v86(v86_far, FLAG_IOPL);
    check(ended(&f) && f.frame.esp == LOW_STACK && f.frame.cs == LOW_CODE / 16,
          "far calls and returns, too");
}

static void check_vme(void)
{
    Fault f;

    WRITE_CR(4, READ_CR(4) | 1);
    main_tss.io_base = (uint16_t)((uint32_t)&main_tss.io_end - (uint32_t)&main_tss);
    main_tss.redirection[0x21 / 8] = 0; /* 21h to the program */
    ((volatile uint16_t *)0)[0x21 * 2] = (uint16_t)(v86_handler - v86_begin);
    ((volatile uint16_t *)0)[0x21 * 2 + 1] = LOW_CODE / 16;

    f = v86(v86_int21, FLAG_VIF | FLAG_IF);
    check_beyond_qemu(ended(&f) && (f.frame.eax & 0xffff) == 2 &&
                          (f.frame.ecx & 0xffff) == LOW_CODE / 16 &&
                          (f.frame.edx & 0xffff) == (FLAG_IOPL | FLAG_IF | 2),
                      "VME: INT n goes through the interrupt vector table, with VIF for IF");
    check((f.frame.eflags & (FLAG_VIF | FLAG_IF)) == (FLAG_VIF | FLAG_IF),
          "and IRET brings VIF back");
    main_tss.redirection[0x21 / 8] = 0xff;
    f = v86(v86_int21, 0);
    check(faulted_at(&f, v86_int21 + 3), "unless the redirection bitmap says otherwise");
    f = v86(v86_cli, FLAG_VIF | FLAG_IF);
    check_beyond_qemu(ended(&f) && (f.frame.eflags & (FLAG_VIF | FLAG_IF)) == FLAG_IF &&
                          !(f.frame.eax & FLAG_IF),
                      "CLI clears VIF alone");
    f = v86(v86_sti, 0);
    check_beyond_qemu(ended(&f) && (f.frame.eflags & (FLAG_VIF | FLAG_IF)) == FLAG_VIF &&
                          (f.frame.eax & FLAG_IF),
                      "STI sets VIF alone");
    f = v86(v86_sti, FLAG_VIP);
    check(faulted_at(&f, v86_sti), "with an interrupt pending it is #GP(0)");
    f = v86(v86_popf, 0);
    check_beyond_qemu(ended(&f) && (f.frame.eflags & (FLAG_VIF | FLAG_IF)) == FLAG_VIF,
                      "POPF's IF is VIF");
    f = v86(v86_popf, FLAG_VIP);
    check(faulted_at(&f, v86_popf + 3), "POPF that sets it with one pending is #GP(0)");
    f = v86(v86_popf_tf, 0);
    check(faulted_at(&f, v86_popf_tf + 3), "POPF that sets TF is #GP(0)");
    WRITE_CR(4, READ_CR(4) & ~1u);
}

void test_v86(void)
{
    for (const uint8_t *p = v86_begin; p < v86_end; p++) {
        ((uint8_t *)LOW_CODE)[p - v86_begin] = *p;
    }
    check_plain();
    check_vme();
}
