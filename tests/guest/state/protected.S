/*
 * Protected mode without paging: flat and small segments, far transfers, bit strings.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/state/rom.inc.h"

    .code16
    .globl _start
_start:
entry:
    cli
    cld
    lgdtl %cs:gdt_pointer
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $8, $ROM_BASE + protected

    .code32
protected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %gs
    movl $0x80000, %esp
    xorl %edi, %edi
    movw $0x18, %ax
    movw %ax, %fs

    /* A data segment of base 50000h. */
    movl $0x600dcafe, %fs:0x10
    movl 0x50010, %ebx
    addl %ebx, %edi
    /* Far calls: same code segment, and a 16-bit one. */
    lcall $8, $ROM_BASE + far_procedure
    lcall $0x20, $procedure16
    roll $3, %edi
    xorl %eax, %edi

    /* Loops, memory and bit strings. */
    movl $0x60000, %ebx
    movl $1000, %ecx
    movl $1, %eax
1:  imull $1664525, %eax, %eax
    addl $1013904223, %eax
    movl %eax, (%ebx, %ecx, 4)
    movl %eax, %edx
    sarl $16, %edx
    btsl %edx, 0x70000
    loop 1b
    movl $1000, %ecx
2:  roll $1, %edi
    xorl (%ebx, %ecx, 4), %edi
    loop 2b

    /* Vector registers, as far as a KVM that interprets can move them. */
    fninit
    fnstcw 0x50000
    movl 0x50000, %edx
    movl %cr4, %eax
    orl $0x600, %eax
    movl %eax, %cr4
    movups ROM_BASE + numbers, %xmm0
    movaps %xmm0, %xmm2
    movups %xmm2, 0x50012
    movl 0x50016, %ebp

    movl $0x12345678, %eax
    movl $0x9abcdef0, %ecx
    subl %ecx, %eax
    hlt
    jmp .

far_procedure:
    addl $0x01010101, %edi
    lretl
    .code16
procedure16:
    rorw $3, %di
    lretl

    .balign 16
numbers:
    .float 1.5, -2.25, 3e10, 0.1
gdt:
    .quad 0
    DESCRIPTOR(0, 0xfffff, 0x9b, 0xc)
    DESCRIPTOR(0, 0xfffff, 0x93, 0xc)
    DESCRIPTOR(0x50000, 0xfff, 0x93, 0x4)
    DESCRIPTOR(ROM_BASE, 0xffff, 0x9b, 0x0)
gdt_pointer:
    .word . - gdt - 1
    .long ROM_BASE + gdt

    ROM_END(entry)
