/*
 * Long mode on an identity map of 2 MiB pages, without interrupts: 64-bit arithmetic, addressing, strings,
 * and compatibility mode.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/state/rom.inc.h"

#define PML4 0x10000
#define PDPT 0x11000
#define PD   0x12000

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
    movw %ax, %fs
    movw %ax, %gs
    movl $PML4, %edi
    movl $0xc00, %ecx
    rep stosl
    movl $PDPT | 3, PML4
    movl $PD | 3, PDPT
    movl $0x83, %eax
    movl $PD, %edi
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    cmpl $PD + 8 * 32, %edi
    jne 1b
    movl $PML4, %eax
    movl %eax, %cr3
    movl $0x620, %eax
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000002, %eax
    movl %eax, %cr0
    ljmpl $0x18, $ROM_BASE + long_mode

    .code64
long_mode:
    movl $0x80000, %esp
    movabsq $0x0123456789abcdef, %rax
    movabsq $0xfedcba9876543211, %rbx
    movq %rax, %r8
    addq %rbx, %r8
    adcq %rax, %r8
    movq %rax, %r9
    mulq %rbx
    xorq %rdx, %r9
    imulq %rbx, %r9
    movq %rbx, %r10
    rolq $17, %r10
    bswapq %r10
    movl $12345, %ecx
    xorl %edx, %edx
    divq %rcx
    movq %rdx, %r11
    bsrq %rbx, %r12
    movslq %r10d, %r13
    leaq 5(%r13, %r12, 8), %r13
    shrdq $23, %r10, %r13
    pushq %r13
    popq %r14
    btcq $40, %r14
    /* Memory, RIP-relative and through FS and GS bases. */
    movl $0xc0000101, %ecx
    movl $0x300000, %eax
    xorl %edx, %edx
    wrmsr
    movq %r14, %gs:0x20
    addq 0x300020, %r14
    movl $5000, %ecx
    movl $0x400000, %edi
    movabsq $0x5deece66d, %rdx
2:  imulq %rdx, %r14
    addq $11, %r14
    movq %r14, (%rdi, %rcx, 8)
    loop 2b
    movl $0x400000, %esi
    movl $0x500004, %edi
    movl $5000, %ecx
    rep movsq
    movl $0x500004, %esi
    movl $10000, %ecx
    xorl %r15d, %r15d
3:  lodsl
    rolq $3, %r15
    xorq %rax, %r15
    loop 3b
    /* Vector registers, as far as a KVM that interprets can move them. */
    fninit
    movdqu 0x500000, %xmm0
    movups 0x500010, %xmm1
    movdqa %xmm0, %xmm12
    movaps %xmm1, %xmm8
    /* Compatibility mode and back. */
    lcall *far_pointer(%rip)
    cmpq %rax, %rbx
    hlt
    jmp .

far_pointer:
    .long ROM_BASE + compatibility
    .word 0x8
    .code32
compatibility:
    pushl %ebx
    xorl $0x5a5a5a5a, (%esp)
    popl %esi
    addl $0x7fffffff, %esi
    pushfl
    popl %edx
    lretl

    .balign 16
gdt:
    .quad 0
    DESCRIPTOR(0, 0xfffff, 0x9b, 0xc)
    DESCRIPTOR(0, 0xfffff, 0x93, 0xc)
    DESCRIPTOR(0, 0xfffff, 0x9b, 0xa)
gdt_pointer:
    .word . - gdt - 1
    .long ROM_BASE + gdt

    ROM_END(entry)
