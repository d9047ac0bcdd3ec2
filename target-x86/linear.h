/*
 * Linear addresses for a debugger: translated from a CPU's registers and memory alone, whoever runs
 * it, without access rights and without marking anything accessed. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TARGET_X86_LINEAR_H
#define TARGET_X86_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/memory.h"
#include "target-x86/cpu.h"

/* False: ADDR is not mapped. */
bool linear_to_physical(AddressSpace *as, const X86State *st, uint64_t addr, uint64_t *phys);

#endif
