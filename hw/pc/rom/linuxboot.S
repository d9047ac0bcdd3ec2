/*
 * Option ROM that boots the kernel given with -kernel.
 *
 * It is a PnP option ROM (BIOS Boot Specification 1.01, 3) with a bootstrap entry vector: firmware lists it
 * as a boot device and calls the vector. That fetches set-up code, command line, initial RAM disk and
 * kernel from fw_cfg, each to the address fw_cfg gives beside it, and enters the kernel's real-mode
 * code (Documentation/x86/boot.rst). Fetching is by fw_cfg's DMA interface, which reaches all memory
 * from real mode and is always there in this machine.
 *
 * The code lies in the program's read-only data; it refers to itself only by offsets from its start,
 * so that it needs no relocation. linux_boot.c fills in the checksum.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#define FW_CFG_DMA          0x514 /* big-endian: address bits 63:32, then 31:0 */
#define DMA_READ_SELECT     0x0a
#define DMA_ERROR           0x01

#define KERNEL_ADDR         0x07
#define INITRD_ADDR         0x0a
#define CMDLINE_ADDR        0x13
#define SETUP_ADDR          0x16
#define SIZE_AFTER_ADDR     1

#define KERNEL_DATA         0x11
#define INITRD_DATA         0x12
#define CMDLINE_DATA        0x15
#define SETUP_DATA          0x18

#define AT(label)           (label - linuxboot_rom)

    .section .rodata, "a", @progbits
    .balign 16
    .globl linuxboot_rom
    .globl linuxboot_rom_end
    .code16

linuxboot_rom:
    .byte 0x55, 0xaa
    .byte (linuxboot_rom_end - linuxboot_rom) / 512
    lretw                       /* initialisation: nothing to do */
    .org linuxboot_rom + 0x1a
    .word AT(pnp)

    .balign 16
pnp:
    .ascii "$PnP"
    .byte 1                     /* revision */
    .byte (pnp_end - pnp) / 16
    .word 0                     /* next header */
    .byte 0
    .byte 0                     /* checksum, not needed: firmware checks the whole ROM's */
    .long 0                     /* device */
    .word AT(manufacturer)
    .word AT(product)
    .byte 0, 0, 0               /* device type */
    .byte 0                     /* device indicators */
    .word 0                     /* boot connection vector */
    .word 0                     /* disconnect vector */
    .word AT(boot)              /* bootstrap entry vector */
    .word 0
    .word 0                     /* static resource information */
    .balign 16
pnp_end:

manufacturer:
    .asciz "EMU"
product:
    .asciz "Linux loader"
message:
    .asciz "\r\nLinux loader: fw_cfg does not deliver the kernel\r\n"

boot:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds

    movw $SETUP_ADDR, %si
    movw $SETUP_DATA, %di
    call load
    pushl %eax                  /* where it is */
    movw $CMDLINE_ADDR, %si
    movw $CMDLINE_DATA, %di
    call load
    pushl %eax
    movw $INITRD_ADDR, %si
    movw $INITRD_DATA, %di
    call load
    movw $KERNEL_ADDR, %si
    movw $KERNEL_DATA, %di
    call load
    popl %ebx                   /* command line */
    popl %eax                   /* set-up code */

    /* The stack ends below the command line; segments are the set-up code's; its entry is one sector
     * behind its start. */
    subl %eax, %ebx
    subl $16, %ebx
    shrl $4, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    movl %ebx, %esp
    addw $0x20, %ax
    pushw %ax
    pushw $0
    xorl %ebx, %ebx
    xorl %ebp, %ebp
    xorl %esi, %esi
    xorl %edi, %edi
    lretw

/* Item DI to the address in item SI, as many bytes as the next item says; returns the address in EAX. */
load:
    movw %si, %ax
    call read32
    pushl %eax
    leaw SIZE_AFTER_ADDR(%si), %ax
    call read32
    movl %eax, %ecx
    popl %edx
    pushl %edx
    movw %di, %ax
    call fetch
    popl %eax
    ret

/* The 32-bit item AX, in EAX. */
read32:
    pushl $0
    movw %sp, %bx
    movzwl %bx, %ebx
    movl $4, %ecx
    call linear
    call fetch
    popl %eax
    ret

/* EDX = linear address of SS:EBX */
linear:
    xorl %edx, %edx
    movw %ss, %dx
    shll $4, %edx
    addl %ebx, %edx
    ret

/* ECX bytes of item AX to linear address EDX. */
fetch:
    testl %ecx, %ecx
    jz 2f
    pushl %edx
    bswapl %edx
    bswapl %ecx
    shll $16, %eax
    orl $DMA_READ_SELECT, %eax
    bswapl %eax
    pushl %edx                  /* the request, from its end: address 31:0, 63:32, length, control */
    pushl $0
    pushl %ecx
    pushl %eax
    movw %sp, %bx
    movzwl %bx, %ebx
    call linear
    movl %edx, %ecx
    bswapl %ecx
    xorl %eax, %eax
    movw $FW_CFG_DMA, %dx
    outl %eax, %dx
    movl %ecx, %eax
    addw $4, %dx
    outl %eax, %dx
1:  movl %ss:(%bx), %eax
    bswapl %eax
    testl $DMA_ERROR, %eax
    jnz failed
    testl %eax, %eax
    jnz 1b
    addw $16, %sp
    popl %edx
2:  ret

failed:
    movw $AT(message), %si
1:  lodsb
    testb %al, %al
    jz 2f
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
    jmp 1b
2:  sti
    hlt
    jmp 2b

    .balign 512
linuxboot_rom_end:

    .section .note.GNU-stack, "", @progbits
