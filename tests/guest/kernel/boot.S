/*
 * Brings the test kernel from reset to 64-bit C: the image lies below 4 GiB as a BIOS, is copied to 1 MiB,
 * where it is linked, and runs there on an identity map of the first 4 GiB in 2 MiB pages.
 *
 * Also here: interrupt stubs, the way back out of an expected fault, entry to ring 3, and the code that an
 * application processor starts with.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/layout.h"

    .section .reset, "ax"
    .code16
    .globl reset
reset:
    /* CS is F000 with the base of reset, FFFF0000h: the last 64 KiB of the image. */
    cli
    lgdtl %cs:(boot_gdt_pointer - (IMAGE_BASE + IMAGE_SIZE - 0x10000))
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SEL_CODE32, $(protected - IMAGE_BASE + ROM_LINEAR)

boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt - IMAGE_BASE + ROM_LINEAR

    .code32
protected:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
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
    /* PML4, PDPT, and four page directories of 2 MiB pages. */
    movl $boot_pdpt + 7, boot_pml4
    movl $boot_pd, %eax
    movl $boot_pdpt, %edi
    movl $4, %ecx
1:  leal 7(%eax), %edx
    movl %edx, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    loop 1b
    movl $0x83, %eax
    movl $boot_pd, %edi
    movl $2048, %ecx
2:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 2b
    movl $stack_top, %esp
    call enter_long_mode
    .code64
    movl $kernel_main, %eax /* in RAM: all until here ran in the ROM */
    call *%rax
    hlt

/* From 32-bit code with a stack: returns in 64-bit mode (the caller goes on as 64-bit code). */
    .section .text
    .code32
enter_long_mode:
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0x6a0, %eax /* PAE, PGE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x901, %eax /* SCE, LME, NXE */
    wrmsr
    movl %cr0, %eax
    andl $~0x60000000, %eax
    orl $0x80010022, %eax /* PG, WP, NE, MP */
    movl %eax, %cr0
    lgdt ram_gdt_pointer
    popl %edx
    /* The return address may point to the image's first place: both are mapped. */
    pushl $SEL_CODE64
    pushl %edx
    lretl

    .code64
/* Stubs: vector and error code (0 where the CPU pushes none), then the common part. */
    .globl interrupt_stubs
    .balign 16
interrupt_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushq $0
    .endif
    pushq $vector
    jmp interrupt_common
    .set vector, vector + 1
    .endr

interrupt_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    movq %rsp, %rbp
    andq $-16, %rsp
    call interrupt
    movq %rbp, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

/* int save_context(uint64_t context[8]): 0 at first, VALUE after resume_context(context, VALUE). */
    .globl save_context, resume_context
save_context:
    movq %rbx, 0(%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    movq %rsp, 48(%rdi)
    movq (%rsp), %rax
    movq %rax, 56(%rdi)
    xorl %eax, %eax
    ret
resume_context:
    movq 0(%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 48(%rdi), %rsp
    movl %esi, %eax
    movq 56(%rdi), %rdx
    movq %rdx, (%rsp)
    ret

/*
 * uint64_t call_user(void *rip, void *rsp, uint64_t rflags): goes to ring 3, and comes back with RAX when that
 * executes SYSCALL.
 */
    .globl call_user, syscall_entry
call_user:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, kernel_rsp(%rip)
    pushq $SEL_USER_DATA | 3
    pushq %rsi
    pushq %rdx
    pushq $SEL_USER_CODE64 | 3
    pushq %rdi
    iretq
syscall_entry:
    movq kernel_rsp(%rip), %rsp
    movq %rcx, syscall_rcx(%rip)
    movq %r11, syscall_r11(%rip)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

/*
 * uint32_t call_compat(uint32_t (*code32)(void), uint32_t stack): calls 32-bit code in a compatibility
 * segment; it returns with lretl.
 */
    .globl call_compat
call_compat:
    pushq %rbx
    pushq %rbp
    movq %rsp, %rbx
    /* An interrupt from ring 3 left SS null, which only 64-bit mode can use. */
    movl $SEL_DATA, %eax
    movl %eax, %ss
    movl %esi, %esp
    subq $16, %rsp
    movl %edi, 0(%rsp)
    movl $SEL_CODE32, 4(%rsp)
    lcall *0(%rsp)
    movq %rbx, %rsp
    popq %rbp
    popq %rbx
    movl %eax, %eax
    ret

/* What an application processor executes first, copied to AP_START. */
    .globl ap_code, ap_code_end
    .code16
ap_code:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl (ap_gdt_pointer - ap_code)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SEL_CODE32, $ap_protected
ap_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt
ap_code_end:
    .code32
ap_protected:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl ap_stack, %esp
    call enter_long_mode
    .code64
    call ap_main
1:  hlt
    jmp 1b

    .section .rodata
    .balign 16
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* SEL_CODE32 */
    .quad 0x00af9b000000ffff /* SEL_CODE64 */
    .quad 0x00cf93000000ffff /* SEL_DATA */
    .quad 0x00cffb000000ffff /* SEL_USER_CODE32 */
    .quad 0x00cff3000000ffff /* SEL_USER_DATA */
    .quad 0x00affb000000ffff /* SEL_USER_CODE64 */
boot_gdt_end:
ram_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt

    .section .reset_vector, "ax"
    .code16
    .byte 0xe9 /* jmp rel16, to the image's last 64 KiB */
    .word reset - (. + 2)
    .balign 16, 0xf4

    .section .bss
    .balign 4096
    .globl boot_pml4, boot_pdpt, boot_pd
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pd:
    .skip 4 * 4096
    .skip 16384
stack_top:
    .globl kernel_rsp, syscall_rcx, syscall_r11, ap_stack
kernel_rsp:
    .skip 8
syscall_rcx:
    .skip 8
syscall_r11:
    .skip 8
ap_stack:
    .skip 8
