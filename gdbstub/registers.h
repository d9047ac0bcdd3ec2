/*
 * The registers a debugger sees, in one order and size whatever mode the CPU is in: those of 64-bit
 * mode. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GDBSTUB_REGISTERS_H
#define GDBSTUB_REGISTERS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target-x86/cpu.h"

enum { GDB_REGISTER_MAX = 16 }; /* bytes */

unsigned gdb_register_count(void);
/* Bytes of register N, which is below the count. */
size_t gdb_register_size(unsigned n);
/* Little endian, gdb_register_size(N) bytes. */
void gdb_register_read(const X86Cpu *cpu, unsigned n, uint8_t *buf);
/* False, and nothing changed: a value this CPU cannot have, or that only an instruction can bring
 * about (a protected-mode selector, a change of mode). */
bool gdb_register_write(X86Cpu *cpu, unsigned n, const uint8_t *buf);

/* The target description (GDB manual, appendix G): the text of file NAME; NULL: there is none. */
const char *gdb_description(const char *name);

#endif
