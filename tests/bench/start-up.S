/*
 * The shortest life of a machine: a BIOS whose first instructions leave through isa-debug-exit at port
 * F4h. An emulator that offers that device exits with status 2 * 0 + 1.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
    .code16
    .globl _start
_start:
    .org 0xfff0
    xorw %ax, %ax
    movw $0xf4, %dx
    outl %eax, %dx
1:  hlt
    jmp 1b
    .org 0x10000
