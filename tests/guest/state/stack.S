/*
 * Protected mode without paging on a stack that is not flat, with the timer's interrupts: a base, a 16-bit
 * stack, a 16-bit gate, and IRET through a frame of the guest's own.
 *
 * Each part runs until the timer has ticked a few times. What lies at a flat ESP is not looked at: a KVM
 * that interprets such a guest may write there.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/state/rom.inc.h"

#define STACK_BASE 0x60000
#define STACK_SIZE 0x2000
#define TICKS      3
#define VECTOR     0x20
#define COUNT      0x5000
#define IDT        0x51000

#define FLAT_CODE  0x08
#define FLAT_DATA  0x10
#define BASED      0x18
#define BASED16    0x20
#define ROM_CODE16 0x28

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
    ljmpl $FLAT_CODE, $ROM_BASE + protected

    /* Runs with interrupts until the timer has ticked TICKS times, in no known place. */
    .macro wait_for_ticks
    movl $0, COUNT
    sti
1:  pushl %ebx
    roll $1, %ebx
    popl %ebx
    cmpl $TICKS, COUNT
    jb 1b
    cli
    .endm

    .code32
protected:
    movw $FLAT_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs

    /* 8259: vectors from 20h, only the timer's line open. 8254: channel 0 every 2 ms. */
    movb $0x11, %al
    outb %al, $0x20
    .irp value, VECTOR, 4, 1, 0xfe
    movb $\value, %al
    outb %al, $0x21
    .endr
    movb $0x34, %al
    outb %al, $0x43
    movw $2386, %ax
    outb %al, $0x40
    movb %ah, %al
    outb %al, $0x40

    /* A 32-bit stack with a base, and a marker above the stack pointer. */
    movw $BASED, %ax
    movw %ax, %ss
    movl $STACK_SIZE - 0x10, %esp
    movl $ROM_BASE + handler, %esi
    call install
    movl $0x5eaf00d5, STACK_BASE + STACK_SIZE - 0x10
    movl $0x80000001, %ebx
    wait_for_ticks
    movl %esp, %edi
    xorl STACK_BASE + STACK_SIZE - 0x10, %edi

    /* IRET through a frame that the guest pushed. */
    pushl $0xad7
    pushl $FLAT_CODE
    pushl $ROM_BASE + returned
    iretl
    hlt
returned:
    pushfl
    popl %ebp
    cli
    cld
    roll $5, %edi
    xorl %esp, %edi

    /* A 16-bit stack: the upper half of ESP stays out of it. */
    movw $BASED16, %ax
    movw %ax, %ss
    movl $0x00041ff0, %esp
    wait_for_ticks
    roll $7, %edi
    xorl %esp, %edi

    /* A 16-bit gate to 16-bit code, from 16-bit code. */
    movl $handler16, %esi
    movl $ROM_CODE16, %eax
    movl $0x8600, %edx
    call write_gate
    ljmp $ROM_CODE16, $code16
    .code16
code16:
    wait_for_ticks
    ljmpl $FLAT_CODE, $ROM_BASE + back
    .code32
back:
    roll $7, %edi
    xorl %esp, %edi
    movb $0xff, %al
    outb %al, $0x21
    xorl %eax, %eax
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %ebx, %ebx
    hlt
    jmp .

    /* Vector VECTOR goes to ESI: by a 32-bit gate, or by EAX's segment and EDX's type. */
install:
    movl $FLAT_CODE, %eax
    movl $0x8e00, %edx
write_gate:
    movw %si, IDT + 8 * VECTOR
    movw %ax, IDT + 8 * VECTOR + 2
    movl %esi, %ecx
    movw %dx, %cx
    movl %ecx, IDT + 8 * VECTOR + 4
    ret

handler:
    pushl %eax
    incl COUNT
    movb $0x20, %al
    outb %al, $0x20
    popl %eax
    iretl
    .code16
handler16:
    pushw %ax
    incl COUNT
    movb $0x20, %al
    outb %al, $0x20
    popw %ax
    iretw

    .balign 16
gdt:
    .quad 0
    DESCRIPTOR(0, 0xfffff, 0x9b, 0xc)
    DESCRIPTOR(0, 0xfffff, 0x93, 0xc)
    DESCRIPTOR(STACK_BASE, STACK_SIZE - 1, 0x93, 0x4)
    DESCRIPTOR(STACK_BASE, STACK_SIZE - 1, 0x93, 0x0)
    DESCRIPTOR(ROM_BASE, 0xffff, 0x9b, 0x0)
gdt_pointer:
    .word . - gdt - 1
    .long ROM_BASE + gdt
idt_pointer:
    .word 8 * VECTOR + 7
    .long IDT

    ROM_END(entry)
