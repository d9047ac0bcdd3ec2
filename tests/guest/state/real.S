/*
 * Real mode: arithmetic with its flags, string and stack instructions, segments, BCD, shifts, division.
 * A KVM without hardware virtualisation interprets code like this, and knows no DAA, BOUND, UD2 or nested ENTER: they are left out.
 * ESI collects the flags of each step, EDI the results.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/state/rom.inc.h"

    .code16
    .globl _start
_start:

/* Results and defined status flags (AF only where MASK has it) into the accumulators. */
.macro collect reg, mask=0x8d5
    pushfl
    popl %ebp
    andl $\mask, %ebp
    roll $3, %esi
    xorl %ebp, %esi
    roll $5, %edi
    xorl \reg, %edi
.endm

entry:
    cli
    cld
    xorl %esi, %esi
    xorl %edi, %edi
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl $0x7000, %esp
    movw $0x2000, %ax
    movw %ax, %es

    movl $0x12345678, %eax
    movl $0x9abcdef0, %ebx
    addl %ebx, %eax
    collect %eax
    adcw %bx, %ax
    collect %eax
    sbbl $-5, %eax
    collect %eax
    subb %ah, %al
    collect %eax
    xorl %ebx, %eax
    collect %eax, 0x8c5
    incw %ax
    collect %eax
    decl %ebx
    collect %ebx
    negl %eax
    collect %eax
    cmpw %ax, %bx
    collect %ebx
    shll $3, %eax
    collect %eax, 0xc5
    sarw $5, %ax
    collect %eax, 0xc5
    rclb $1, %al
    collect %eax, 0x801
    rorl $1, %ebx
    collect %ebx, 0x801
    shldl $7, %eax, %ebx
    collect %ebx, 0xc5
    imulw $-321, %bx, %ax
    collect %eax, 0x801
    mull %ebx
    collect %edx, 0x801
    collect %eax, 0
    movl $77, %edx
    movl $0x12345, %ebx
    divl %ebx
    collect %eax, 0
    collect %edx, 0
    movw $0x7fff, %ax
    cwtd
    movw $-123, %bx
    idivw %bx
    collect %eax, 0
    movb $0x79, %al
    subb $0x2b, %al
    das
    collect %eax, 0xd5
    movw $0x0a0b, %ax
    aad
    collect %eax, 0xc4
    aam
    collect %eax, 0xc4
    bsfl %ebx, %ecx
    collect %ecx, 0x40
    bsrl %ebx, %ecx
    collect %ecx, 0x40
    btsl $9, %ebx
    collect %ebx, 0x1
    bswapl %ebx
    collect %ebx, 0
    cmpxchgl %ecx, %ebx
    collect %ebx
    xaddl %ecx, %ebx
    collect %ecx
    setge %cl
    cmovsw %cx, %bx
    collect %ebx, 0

    /* The stack and calls. */
    pushl %edi
    pushaw
    pushfw
    pushw $0x55aa
    popw %ax
    popfw
    popaw
    popl %edi
    collect %esp, 0
    calll far_away
    lcall $0xf000, $through_far
    collect %eax, 0
    enterw $16, $0
    leavew
    collect %esp, 0

    /* Strings, forward and backward, in ES with wrap-around of DI. */
    pushl %edi
    pushl %esi
    movl $0, %esi
    movw $0x0100, %di
    movw $0x100, %cx
    rep movsl %cs:(%si), %es:(%di)
    movw $0xfff8, %di
    movw $12, %cx
    movb $0x5a, %al
    rep stosb
    std
    movw $0x400, %si
    movw $0x800, %di
    movw $0x80, %cx
    rep movsw %es:(%si), %es:(%di)
    cld
    movw $0x100, %di
    movw $0x300, %cx
    movb $0x0f, %al
    repne scasb
    movw %cx, %bx
    popl %esi
    movl %edi, %edx
    popl %edi
    collect %ebx
    collect %edx, 0
    /* A checksum of what the strings wrote. */
    pushl %esi
    xorl %eax, %eax
    xorw %si, %si
    movw $0x400, %cx
1:  roll $1, %eax
    addl %es:(%si), %eax
    addw $4, %si
    loop 1b
    popl %esi
    collect %eax

    /* Interrupts through the vector table: INT n, INT3, INTO, and #DE as a fault. */
    movw $int_handler, %ax
    xorw %bx, %bx
    movw $256, %cx
2:  movw %ax, (%bx)
    movw $0xf000, 2(%bx)
    addw $4, %bx
    loop 2b
    movw $fault_handler, 0 * 4
    xorl %eax, %eax
    xorl %edx, %edx
    int $0x42
    int3
    movb $0x7f, %cl
    addb $1, %cl
    into
    movw $resume1, 0x600
    divb %dl
resume1:
    collect %eax, 0

    movw %ds, %bx
    movl $0xfeedface, %ebp
    hlt
    jmp .

far_away:
    addl $0x1111, %eax
    retl
through_far:
    rorl $4, %eax
    lret
int_handler:
    roll $7, %eax
    incl %eax
    iretw
fault_handler:
    pushw %bp
    movw %sp, %bp
    roll $3, %eax
    xorw 2(%bp), %ax
    pushw 0x600
    popw 2(%bp)
    popw %bp
    iretw

    ROM_END(entry)
