/*
 * Device accesses on behalf of guest code.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/mmio.h"

#include <string.h>

#include "core/machine.h"
#include "core/memory.h"

uint64_t tcg_mmio_access(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    MmioRequest *r = (MmioRequest *)(uintptr_t)a;
    AddressSpace *as = tcg_memory(tcg_cpu(cpu));

    (void)b;
    for (unsigned pos = 0; pos < r->len;) {
        unsigned left = r->len - pos;
        unsigned size = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        uint64_t v = 0;

        if (r->write) {
            memcpy(&v, r->buf + pos, size);
            address_space_store(as, r->addr + pos, v, size);
        } else {
            v = address_space_load(as, r->addr + pos, size);
            memcpy(r->buf + pos, &v, size);
        }
        pos += size;
    }
    return 0;
}

uint64_t tcg_port_in(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)b;
    return address_space_load(&cpu->cpu.machine->io, a & 0xffff, (unsigned)(a >> 16));
}

uint64_t tcg_port_out(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    address_space_store(&cpu->cpu.machine->io, a & 0xffff, b, (unsigned)(a >> 16));
    return 0;
}
