/*
 * Permission for IN, OUT, INS, OUTS (SDM 1 19.5; SDM 3A 20.2.8.1 for V86 mode). GPR-only code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/seg.h"

void x86_check_io(X86Cpu *cpu, uint16_t port, unsigned size)
{
    X86State *st = &cpu->st;
    if (!(st->cr0 & CR0_PE) ||
        (!(st->rflags & FLAG_VM) && x86_cpl(st) <= (st->rflags & FLAG_IOPL) >> 12)) {
        return;
    }
    /* Only a 32-bit TSS (which is also the 64-bit one) has a bitmap, at the offset in its word 66h.
     * Two bytes of it are always read, so that a port range may cross a byte boundary. */
    if ((st->tr.attr & 0x1d) == SYS_TSS && !(st->tr.attr & SEG_ATTR_UNUSABLE) &&
        st->tr.limit >= 0x67) {
        uint32_t offset = x86_ld(cpu, st->tr.base + 0x66, 2, MMU_SYSTEM) + port / 8;
        if (offset + 1 <= st->tr.limit) {
            uint32_t bits = x86_ld(cpu, st->tr.base + offset, 2, MMU_SYSTEM) >> (port & 7);
            if (!(bits & ((1u << size) - 1))) {
                return;
            }
        }
    }
    x86_raise_err(cpu, EXC_GP, 0);
}
