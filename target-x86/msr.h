/*
 * What model-specific registers need of ordinary C code: KVM's paravirtual clock.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_MSR_H
#define TARGET_X86_MSR_H

#include "target-x86/cpu.h"

/*
 * Writes the CPU's pvclock page, when the guest has asked for one, so that guest time goes on from
 * CLOCK_VM as it is now. WRMSR does it; the accelerator does it again whenever the relation between
 * the guest's TSC and CLOCK_VM has changed: after the machine was stopped, after a state was
 * loaded. On the CPU's thread or while it is stopped.
 */
void x86_kvmclock_update(X86Cpu *cpu);
/* Forgets what the pages count from, for the same occasions: call it for CPU 0 before the updates.
 */
void x86_kvmclock_restart(X86Cpu *cpu);
/* Writes the wall-clock time of CLOCK_VM 0 where kvm_wall_clock points. */
void x86_kvm_write_wall_clock(X86Cpu *cpu);

#endif
