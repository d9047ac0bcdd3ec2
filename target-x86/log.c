/*
 * What -d int, -d unimp and -d guest_errors say of system instructions, by way of exec_call_c().
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>

#include "target-x86/helpers_impl.h"
#include "target-x86/seg.h"
#include "util/log.h"

uint64_t x86_log_event(X86Cpu *cpu, uint64_t what, uint64_t error)
{
    static const char *const kinds[] = {"interrupt", "exception", "int", "int3/into/int1"};
    const X86State *st = &cpu->st;

    log_printf(LOG_INT,
               "cpu %d: %s %02x error %04x at %04x:%016" PRIx64 " rsp %016" PRIx64
               " rax %016" PRIx64 " cr2 %016" PRIx64 " rflags %08" PRIx64 " cpl %u\n",
               cpu->cpu.index, kinds[what >> 8 & 3], (unsigned)what & 0xff, (unsigned)error,
               st->seg[SEG_CS].selector, st->rip, st->gpr[R_RSP], st->gpr[R_RAX], st->cr2,
               st->rflags, x86_cpl(st));
    return 0;
}

uint64_t x86_log_smm(X86Cpu *cpu, uint64_t entry, uint64_t unused)
{
    const X86State *st = &cpu->st;

    (void)unused;
    log_printf(LOG_INT,
               "cpu %d: %s at %04x:%016" PRIx64 " smbase %08" PRIx64 " cr0 %08" PRIx64 "\n",
               cpu->cpu.index, entry ? "SMI" : "back by RSM", st->seg[SEG_CS].selector, st->rip,
               st->smbase, st->cr0);
    return 0;
}

uint64_t x86_log_refusal(X86Cpu *cpu, uint64_t what, uint64_t arg)
{
    const X86State *st = &cpu->st;
    uint16_t cs = st->seg[SEG_CS].selector;

    switch (what) {
    case X86_LOG_RDMSR:
        log_printf(LOG_UNIMP | LOG_GUEST_ERRORS,
                   "cpu %d: rdmsr %08x at %04x:%" PRIx64 " refused: #GP\n", cpu->cpu.index,
                   (unsigned)arg, cs, st->rip);
        break;
    case X86_LOG_WRMSR:
        log_printf(LOG_UNIMP | LOG_GUEST_ERRORS,
                   "cpu %d: wrmsr %08x value %08x%08x at %04x:%" PRIx64 " refused: #GP\n",
                   cpu->cpu.index, (unsigned)arg, (unsigned)st->gpr[R_RDX],
                   (unsigned)st->gpr[R_RAX], cs, st->rip);
        break;
    }
    return 0;
}

uint64_t x86_log_unimplemented(X86Cpu *cpu, uint64_t rip, uint64_t unused)
{
    const X86State *st = &cpu->st;

    (void)unused;
    log_printf(LOG_UNIMP,
               "cpu %d: undefined or unimplemented instruction at %04x:%" PRIx64 ": #UD\n",
               cpu->cpu.index, st->seg[SEG_CS].selector, rip);
    return 0;
}
