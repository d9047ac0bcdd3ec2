/*
 * The local APIC's registers after reset, as KVM_SET_LAPIC takes them (SDM 3A 11.4.7.1).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "accel/kvm/kvm_int.h"

/* Offsets in the register page (SDM 3A table 11-1). */
enum {
    REG_ID = 0x20,
    REG_VERSION = 0x30,
    REG_DFR = 0xe0,
    REG_SVR = 0xf0,
    REG_LVT_TIMER = 0x320,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_ERROR = 0x370,
};

enum { VERSION = 0x14 | 5 << 16, MASKED = 1 << 16, EXTINT = 7 << 8 };

static void put(struct kvm_lapic_state *regs, unsigned at, uint32_t value)
{
    memcpy(&regs->regs[at], &value, sizeof(value));
}

void kvm_lapic_reset(struct kvm_lapic_state *regs, uint32_t id, bool boot_cpu)
{
    memset(regs, 0, sizeof(*regs));
    put(regs, REG_ID, id << 24);
    put(regs, REG_VERSION, VERSION);
    put(regs, REG_DFR, 0xffffffff);
    put(regs, REG_SVR, 0xff);
    for (unsigned at = REG_LVT_TIMER; at <= REG_LVT_ERROR; at += 0x10) {
        put(regs, at, MASKED);
    }
    if (boot_cpu) {
        /* Virtual wire mode, as the translator's: 8259 interrupts come through at once. */
        put(regs, REG_LVT_LINT0, EXTINT);
    }
}
