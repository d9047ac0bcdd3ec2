/*
 * Ring 3: SYSCALL, faults from there, the I/O permission bitmap, and compatibility mode.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel/kernel.h"

#define USER_CODE  0x10000000000ull
#define USER_STACK 0x10000010000ull

extern const uint8_t user_begin[], user_syscall[], user_cli[], user_port80[], user_port81[],
    user_kernel[], user_int3[], user_int55[], user_hlt[], user_sysret_flags[], user_end[],
    compat_begin[], compat_end[];
extern uint32_t compat_add(void);

asm(".pushsection .rodata\n"
    "user_begin:\n"
    "user_syscall: mov $0x1234, %eax; syscall; ud2\n"
    "user_cli: cli; ud2\n"
    "user_port80: mov $7, %eax; out %al, $0x80; syscall; ud2\n"
    "user_port81: out %al, $0x81; ud2\n"
    "user_kernel: mov $0x100000, %eax; mov (%rax), %eax; ud2\n"
    "user_int3: int3; ud2\n"
    "user_int55: int $0x55; ud2\n"
    "user_hlt: hlt; ud2\n"
    "user_sysret_flags: std; stc; pushf; pop %rax; cld; syscall; ud2\n"
    "user_end:\n"
    /* 32-bit code: inc %eax is 40h here, a REX prefix in 64-bit mode. */
    "compat_begin: .code32\n"
    "mov $41, %eax; inc %eax; push %eax; pop %ecx; mov $-1, %edx; add $1, %edx; adc %ecx, %eax\n"
    "lretl\n"
    ".code64\n"
    "compat_end:\n"
    ".popsection\n");

static uint64_t user(const uint8_t *code)
{
    return USER_CODE + (uint64_t)(code - user_begin);
}

static Fault run(const uint8_t *code, uint64_t rflags, uint64_t *result)
{
    *result = 0;
    return catch_user((void *)user(code), (void *)USER_STACK, rflags, result);
}

void test_user(void)
{
    uint8_t *code = alloc_page(), *compat = (uint8_t *)0x9000;
    uint64_t stack = (uint64_t)alloc_page(), result;

    for (int i = 0; i < user_end - user_begin; i++) {
        code[i] = user_begin[i];
    }
    map_page(USER_CODE, (uint64_t)code, PTE_P | PTE_U);
    map_page(USER_STACK - 4096, stack, PTE_P | PTE_W | PTE_U);

    Fault f = run(user_syscall, 2, &result);
    check(!f.happened && result == 0x1234 && syscall_rcx == user(user_syscall) + 7 &&
              syscall_r11 == 2,
          "SYSCALL leaves ring 3 with RIP in RCX and RFLAGS in R11");
    f = run(user_cli, 2, &result);
    check(f.vector == 13 && f.error == 0 && f.cs == (SEL_USER_CODE64 | 3) && f.rsp == USER_STACK,
          "CLI in ring 3 is #GP(0)");
    f = run(user_cli, 0x3002, &result);
    check(f.vector == 6, "with IOPL 3 it is allowed");
    f = run(user_port80, 2, &result);
    check(!f.happened && result == 7, "a port that the bitmap allows can be written from ring 3");
    f = run(user_port81, 2, &result);
    check(f.vector == 13 && f.error == 0, "one that it does not allow is #GP(0)");
    f = run(user_kernel, 2, &result);
    check(f.vector == 14 && f.error == 5 && f.cr2 == 0x100000,
          "a supervisor page is #PF(P|U) from ring 3");
    f = run(user_int55, 2, &result);
    check(f.vector == 13 && (f.error == (0x55 << 3 | 2) || is_qemu()),
          "INT n through a gate of DPL 0 is #GP(vector)");
    set_gate(0x55, 0, 3);
    f = run(user_int55, 2, &result);
    check(f.vector == 0x55 && f.cs == (SEL_USER_CODE64 | 3), "and goes through one of DPL 3");
    set_gate(0x55, 0, 0);
    f = run(user_hlt, 2, &result);
    check(f.vector == 13, "HLT in ring 3 is #GP");
    f = run(user_sysret_flags, 2, &result);
    check(!f.happened && (result & 0x401) == 0x401,
          "direction and carry flags are the program's own");
    /* RF cannot be seen here; TF stops before the first instruction is through. */
    f = run(user_syscall, 0x102, &result);
    check(f.vector == 1 && f.rip == user(user_syscall) + 5, "single step works in ring 3");

    for (int i = 0; i < compat_end - compat_begin; i++) {
        compat[i] = compat_begin[i];
    }
    check(call_compat(compat, 0xa000) == 85,
          "32-bit code runs in a compatibility segment and returns");
}
