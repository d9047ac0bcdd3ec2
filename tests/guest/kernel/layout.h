/*
 * Addresses and selectors of the test kernel, for C and assembly.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_GUEST_KERNEL_LAYOUT_H
#define TESTS_GUEST_KERNEL_LAYOUT_H

#define IMAGE_BASE 0x100000
#define IMAGE_SIZE 0x20000
#define ROM_LINEAR 0xfffe0000 /* 4 GiB - IMAGE_SIZE */
#define AP_START   0x8000

/* SYSCALL and SYSRET want them in this order. */
#define SEL_CODE32      0x08
#define SEL_CODE64      0x10
#define SEL_DATA        0x18
#define SEL_USER_CODE32 0x20
#define SEL_USER_DATA   0x28
#define SEL_USER_CODE64 0x30
#define SEL_TSS         0x38

#endif
