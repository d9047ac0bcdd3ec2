/*
 * Physical accesses that are no plain RAM, and ports. GPR-only callers; the access itself is
 * ordinary C behind exec_call_c(). SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_MMIO_H
#define ACCEL_TCG_MMIO_H

#include "accel/tcg/tcg_cpu.h"

/* LEN up to BOUNCE_SIZE, within one page. Powers of two up to 8 reach the device as one access. */
void tcg_mmio_read(TcgCpu *c, uint64_t phys, uint8_t *buf, unsigned len);
void tcg_mmio_write(TcgCpu *c, uint64_t phys, const uint8_t *buf, unsigned len);

typedef struct MmioRequest {
    uint64_t addr;
    uint8_t *buf;
    unsigned len;
    bool write;
} MmioRequest;

/* mmio.c: the body; a: MmioRequest *. */
uint64_t tcg_mmio_access(X86Cpu *cpu, uint64_t a, uint64_t b);
/* a: port | size << 16, b: value */
uint64_t tcg_port_in(X86Cpu *cpu, uint64_t a, uint64_t b);
uint64_t tcg_port_out(X86Cpu *cpu, uint64_t a, uint64_t b);

#endif
