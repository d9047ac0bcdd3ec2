/*
 * Locked accesses that the host cannot make in one piece: across two pages that do not lie
 * together, to devices, to bytes with translated code. They go through the bounce buffer while
 * every other vCPU stands at a safe point. The machine lock is taken first, because the access may
 * need it. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/tcg_cpu.h"
#include "core/lock.h"
#include "core/safepoint.h"

uint64_t tcg_locked_begin(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    machine_lock();
    safepoint_exclusive_begin();
    tcg_cpu(cpu)->locked = true;
    return 0;
}

uint64_t tcg_locked_end(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    tcg_cpu(cpu)->locked = false;
    safepoint_exclusive_end();
    machine_unlock();
    return 0;
}
