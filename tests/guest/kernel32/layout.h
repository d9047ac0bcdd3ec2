/*
 * Addresses and selectors of the 32-bit test kernel, for C and assembly.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_GUEST_KERNEL32_LAYOUT_H
#define TESTS_GUEST_KERNEL32_LAYOUT_H

#define IMAGE_BASE 0x100000
#define IMAGE_SIZE 0x20000
#define ROM_LINEAR 0xfffe0000 /* 4 GiB - IMAGE_SIZE */

#define SEL_CODE       0x08
#define SEL_DATA       0x10
#define SEL_USER_CODE  0x18
#define SEL_USER_DATA  0x20
#define SEL_CODE16     0x28 /* base 0, 64 KiB */
#define SEL_CONFORMING 0x30
#define SEL_TSS        0x38 /* the kernel's own task */
#define SEL_TASK       0x40 /* another */
#define SEL_TASK16     0x48
#define SEL_FAULT_TASK 0x50 /* handles exceptions whose stack cannot be trusted */
#define SEL_GATE       0x58
#define SEL_ABSENT     0x60 /* data, not present */
#define SEL_DATA1      0x68 /* data of ring 1 */
#define SEL_LDT        0x70
#define SEL_COUNT      16

#define LOW_CODE  0x8000 /* where code for 16-bit segments and V86 mode is copied */
#define LOW_STACK 0x7f00

#endif
