/*
 * What the boot sectors of this folder share: firmware loads them to 0:7C00h. They speak through port E9h
 * (-debugcon), and end through port F4h (-device isa-debug-exit,iobase=0xf4,iosize=4).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define BOOT_START                                                                                 \
    .code16;                                                                                       \
    ljmp $0, $1f;                                                                                  \
    1 : xor %ax, %ax;                                                                            \
    mov %ax, %ds;                                                                                \
    mov %ax, %es;                                                                                \
    mov %ax, %ss;                                                                                \
    mov $0x7c00, %sp;                                                                             \
    cld;                                                                                           \
    sti

/* Prints the character in AL. */
#define PUTC outb %al, $0xe9

/* Prints the string at SI; the subroutine itself. */
#define PUTS_ROUTINE                                                                               \
    puts : lodsb;                                                                                  \
    test %al, %al;                                                                               \
    jz 1f;                                                                                         \
    PUTC;                                                                                          \
    jmp puts;                                                                                      \
    1 : ret

/* Waits for good. */
#define HANG                                                                                       \
    2 : hlt;                                                                                       \
    jmp 2b

#define BOOT_END                                                                                   \
    .org 510;                                                                                      \
    .byte 0x55, 0xaa
