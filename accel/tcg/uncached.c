/*
 * Code that is not in RAM, one instruction at a time: its bytes are fetched from the device each
 * time they run, and what is translated of them is run once. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <string.h>

#include "accel/tcg/code.h"
#include "accel/tcg/loop.h"
#include "target-x86/translate.h"

enum { LONGEST = 15 };

/* LEN bytes of one page, by aligned accesses of 4 bytes, which any device understands. */
static void fetch(AddressSpace *as, uint64_t phys, uint8_t *buf, unsigned len)
{
    uint64_t end = phys + len;

    for (uint64_t at = phys & ~3ull; at < end; at += 4) {
        uint32_t word = (uint32_t)address_space_load(as, at, 4);
        for (unsigned i = 0; i < 4; i++) {
            if (at + i >= phys && at + i < end) {
                buf[at + i - phys] = (uint8_t)(word >> (8 * i));
            }
        }
    }
}

uint64_t tcg_translate_uncached(X86Cpu *cpu, uint64_t code, uint64_t b)
{
    const UncachedCode *u = (const UncachedCode *)(uintptr_t)code;
    AddressSpace *as = tcg_memory(tcg_cpu(cpu));
    unsigned off = u->phys[0] & 0xfff, first = MIN(LONGEST, 4096 - off);
    uint8_t bytes[LONGEST];
    TranslateRequest req = {
        .code = bytes,
        .avail = u->straddles ? LONGEST : first,
        .start_off = (uint16_t)off,
        .mode = u->mode,
        .features = tcg_cpu(cpu)->features,
        .max_insns = 1,
    };

    (void)b;
    fetch(as, u->phys[0], bytes, first);
    if (first < req.avail) {
        fetch(as, u->phys[1] & ~0xfffull, bytes + first, LONGEST - first);
    }
    return (uint64_t)(uintptr_t)code_translate_once(tcg_cpu(cpu), &req);
}
