/*
 * Writes the second hard disk (INT 13h, drive 81h): 16 MiB in pieces of 32 KiB, each filled with its own
 * number. Prints '.' for each that went well and 'E' for an error, then reads them back: ',' for one
 * that holds its number, '?' for one that does not, 'e' for an error; then "done".
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/boot/boot.inc.h"

#define PIECES  512
#define SECTORS 64
#define BUFFER  0x1000 /* segment */

    BOOT_START
write_next:
    mov $BUFFER, %ax
    mov %ax, %es
    mov piece, %ax
    xor %di, %di
    mov $SECTORS * 256, %cx
    rep stosw
    mov $0x4300, %ax
    call transfer
    mov $'.', %al
    jnc 1f
    mov $'E', %al
1:  PUTC
    incw piece
    cmpw $PIECES, piece
    jb write_next

    movw $0, piece
read_next:
    mov $0x4200, %ax
    call transfer
    mov $'e', %al
    jc 1f
    mov $BUFFER, %ax
    mov %ax, %es
    mov piece, %ax
    xor %di, %di
    mov $SECTORS * 256, %cx
    repe scasw
    mov $',', %al
    je 1f
    mov $'?', %al
1:  PUTC
    incw piece
    cmpw $PIECES, piece
    jb read_next
    xor %ax, %ax
    mov %ax, %ds
    mov $done, %si
    call puts
    HANG

/* INT 13h with function AX for the current piece; CF as it returns. */
transfer:
    push %ax
    mov piece, %ax
    mov $SECTORS, %bx
    mul %bx
    mov %ax, lba
    mov %dx, lba + 2
    movw $SECTORS, count
    pop %ax
    mov $0x81, %dl
    mov $packet, %si
    int $0x13
    ret

    PUTS_ROUTINE
done:
    .asciz "done\n"
piece:
    .word 0
    .balign 4
packet:
    .byte 16, 0
count:
    .word SECTORS
    .word 0, BUFFER
lba:
    .quad 0
    BOOT_END
