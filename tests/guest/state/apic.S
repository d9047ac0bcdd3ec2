/*
 * Interrupts by APIC in protected mode without paging: the 8254 through the I/O APIC, IPIs to itself, the
 * local timer, and priorities.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/state/rom.inc.h"

#define LAPIC   0xfee00000
#define IOAPIC  0xfec00000
#define TPR     (LAPIC + 0x80)
#define EOI     (LAPIC + 0xb0)
#define SVR     (LAPIC + 0xf0)
#define ICR     (LAPIC + 0x300)
#define ICR_HI  (LAPIC + 0x310)
#define LVT_TMR (LAPIC + 0x320)
#define INITIAL (LAPIC + 0x380)
#define DIVIDE  (LAPIC + 0x3e0)

#define COUNTS  0x5000 /* of interrupts: 8254, local timer, the lower and the higher IPI */
#define IDT     0x6000
#define TICKS   3

    .code16
    .globl _start
_start:
entry:
    cli
    cld
    lgdtl %cs:gdt_pointer
    lidtl %cs:idt_pointer
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $8, $ROM_BASE + protected

    .macro gate vector, handler
    movl $ROM_BASE + \handler, %eax
    movw %ax, IDT + 8 * \vector
    movw $8, IDT + 8 * \vector + 2
    movw $0x8e00, %ax
    movl %eax, IDT + 8 * \vector + 4
    .endm
    .macro handle name, count
\name:
    incl \count
    movl $0, EOI
    iretl
    .endm
    .macro wait_for count, value
    sti
1:  cmpl $\value, \count
    jb 1b
    cli
    .endm

    /* Time for what is pending: a KVM that interprets looks only now and then. */
    .macro let_in
    movl $5000, %edi
    sti
1:  decl %edi
    jnz 1b
    cli
    .endm

    .code32
protected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    movl $0x8000, %esp
    movl $COUNTS, %edi
    movl $8, %ecx
    rep stosl
    gate 0x30, timer
    gate 0x31, local_timer
    gate 0x41, low_ipi
    gate 0x51, high_ipi

    /* The 8259s are shut; the local APIC is on. */
    movb $0xff, %al
    outb %al, $0x21
    outb %al, $0xa1
    movl $0x1ff, SVR
    movl $0, TPR

    /* 8254, channel 0 every 2 ms, by the I/O APIC's input 2. */
    movl $0x15, IOAPIC
    movl $0, IOAPIC + 0x10
    movl $0x14, IOAPIC
    movl $0x30, IOAPIC + 0x10
    movb $0x34, %al
    outb %al, $0x43
    movw $2386, %ax
    outb %al, $0x40
    movb %ah, %al
    outb %al, $0x40
    wait_for COUNTS, TICKS
    movl $0x14, IOAPIC
    movl $0x10030, IOAPIC + 0x10
    movl IOAPIC + 0x10, %esi
    /* One may be on its way. */
    let_in

    /* The local timer, once. */
    movl $0xb, DIVIDE
    movl $0x31, LVT_TMR
    movl $10000, INITIAL
    wait_for COUNTS + 4, 1
    movl $0x10000, LVT_TMR

    /* Two IPIs to itself; the task priority holds the lower one back. */
    movl $0x50, TPR
    movl $0, ICR_HI
    movl $0x44041, ICR
    movl $0x44051, ICR
    let_in
    movl COUNTS + 8, %ebx
    movl $0x40, TPR
    let_in
    movl COUNTS + 12, %ecx
    shll $8, %ebx
    orl COUNTS + 8, %ebx
    movl $0, TPR
    let_in
    movl COUNTS + 8, %edx
    movl COUNTS + 4, %ebp
    movl $0, %edi
    movl %esp, %eax
    cmpl $0x8000, %eax
    movl $0x1234, %eax
    hlt
    jmp .

    handle timer, COUNTS
    handle local_timer, COUNTS + 4
    handle low_ipi, COUNTS + 8
    handle high_ipi, COUNTS + 12

    .balign 16
gdt:
    .quad 0
    DESCRIPTOR(0, 0xfffff, 0x9b, 0xc)
    DESCRIPTOR(0, 0xfffff, 0x93, 0xc)
gdt_pointer:
    .word . - gdt - 1
    .long ROM_BASE + gdt
idt_pointer:
    .word 8 * 0x60 - 1
    .long IDT

    ROM_END(entry)
