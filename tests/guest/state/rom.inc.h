/*
 * What the ROM images of this folder share: 64 KiB at F0000h with the reset vector at its end. Labels are
 * offsets in the image; ROM_BASE + label is the linear address.
 *
 * Each image runs its program, leaves all results in registers, and halts with
 * interrupts off, where the test reads the state through the monitor.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define ROM_BASE 0xf0000

/* Ends an image: DONE with register contents final. */
#define ROM_END(entry)                                                                             \
    .code16;                                                                                       \
    .org 0xfff0;                                                                                   \
    ljmp $0xf000, $entry;                                                                          \
    .org 0x10000

#define DESCRIPTOR(base, limit, access, flags)                                                     \
    .word (limit) & 0xffff, (base) & 0xffff;                                                       \
    .byte ((base) >> 16) & 0xff, access, ((flags) << 4) | (((limit) >> 16) & 0xf), ((base) >> 24) & 0xff
