/*
 * The stack switch of coroutines, System V ABI for x86-64.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * void coroutine_switch(void **save_sp, void *new_sp)
 *
 * Saves what a callee must preserve (psABI 3.2.1: rbx, rbp, r12-r15, the control bits of MXCSR and the x87
 * control word) on the running stack, whose pointer it stores, and takes it from the other. A fresh stack
 * is laid out by coroutine.c as if it had called this function from the entry point.
 */
    .text
    .globl  coroutine_switch
    .hidden coroutine_switch
    .type   coroutine_switch, @function
    .p2align 4
coroutine_switch:
    .cfi_startproc
    endbr64
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    subq    $8, %rsp
    stmxcsr (%rsp)
    fnstcw  4(%rsp)
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    addq    $8, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    ret
    .cfi_endproc
    .size   coroutine_switch, . - coroutine_switch

    .section .note.GNU-stack, "", @progbits
