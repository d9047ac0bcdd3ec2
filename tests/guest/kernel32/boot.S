/*
 * Brings the 32-bit test kernel from reset to C in flat protected mode: the image lies below 4 GiB as a BIOS,
 * is copied to 1 MiB, where it is linked, and runs there without paging.
 *
 * Also here: interrupt stubs, the way back out of an expected fault, and ways to outer rings and V86 mode.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel32/layout.h"

    .section .reset, "ax"
    .code16
    .globl reset
reset:
    /* CS is F000 with the base of reset, FFFF0000h: the last 64 KiB of the image. */
    cli
    addr32 lgdtl %cs:(boot_gdt_pointer - (IMAGE_BASE + IMAGE_SIZE - 0x10000))
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SEL_CODE, $(protected - IMAGE_BASE + ROM_LINEAR)

    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* SEL_CODE */
    .quad 0x00cf93000000ffff /* SEL_DATA */
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long boot_gdt - IMAGE_BASE + ROM_LINEAR

    .code32
protected:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    cld
    movl $ROM_LINEAR, %esi
    movl $IMAGE_BASE, %edi
    movl $IMAGE_SIZE / 4, %ecx
    rep movsl
    xorl %eax, %eax
    movl $__bss_start, %edi
    movl $__bss_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    rep stosl
    movl $stack_top, %esp
    movl $kernel_main, %eax /* in RAM: all until here ran in the ROM */
    call *%eax
    hlt

    .section .text
/* Stubs: vector and error code (0 where the CPU pushes none), then the common part. */
    .globl interrupt_stubs
    .balign 16
interrupt_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushl $0
    .endif
    pushl $vector
    jmp interrupt_common
    .set vector, vector + 1
    .endr

interrupt_common:
    pushal
    pushl %ds
    pushl %es
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    cld
    pushl %esp
    call interrupt
    addl $4, %esp
    popl %es
    popl %ds
    popal
    addl $8, %esp
    iretl

/* The entry of the task that handles faults: its stack holds no more than an error code, if that. */
    .globl fault_task_entry
fault_task_entry:
    call fault_task
    hlt

/* int save_context(uint32_t context[5]): 0 at first, 1 after resume_context(context). */
    .globl save_context, resume_context
save_context:
    movl 4(%esp), %edx
    movl %ebx, 0(%edx)
    movl %ebp, 4(%edx)
    movl %esi, 8(%edx)
    movl %edi, 12(%edx)
    movl %esp, 16(%edx)
    movl (%esp), %eax
    movl %eax, 20(%edx)
    xorl %eax, %eax
    ret
resume_context:
    movl 4(%esp), %edx
    movl $SEL_DATA, %eax
    movl %eax, %ss
    movl 16(%edx), %esp
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl 0(%edx), %ebx
    movl 4(%edx), %ebp
    movl 8(%edx), %esi
    movl 12(%edx), %edi
    movl 20(%edx), %eax
    movl %eax, (%esp)
    movl $1, %eax
    ret

/* void iret_to(const uint32_t *frame, unsigned words): IRET with that frame; there is no way back but an
 * interrupt's. */
    .globl iret_to
iret_to:
    movl 4(%esp), %esi
    movl 8(%esp), %ecx
    leal (%esi,%ecx,4), %esi
1:  subl $4, %esi
    pushl (%esi)
    loop 1b
    iretl

    .section .reset_vector, "ax"
    .code16
    .byte 0xe9 /* jmp rel16, to the image's last 64 KiB */
    .word reset - (. + 2)
    .balign 16, 0xf4

    .section .bss
    .balign 16
    .skip 16384
    .globl stack_top
stack_top:
