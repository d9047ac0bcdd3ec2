/*
 * The one common instruction that KVM's emulator lacks: IRET in protected mode.
 *
 * Where the host's CPU cannot run unpaged protected mode by itself, KVM interprets it, delivers an
 * interrupt to it, and then gives up at the handler's IRET. So a boot loader that leaves interrupts
 * on runs or not as the timer happens to tick. This completes an IRET that stays in ring 0 of
 * protected mode without paging (SDM 2 IRET); anything else is left to fail.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "accel/kvm/kvm_int.h"

enum { OPCODE_IRET = 0xcf, PREFIX_OPERAND_SIZE = 0x66 };

/* The flags that IRET in ring 0 loads, from a 32-bit and from a 16-bit image. */
#define FLAGS_32                                                                                   \
    (FLAG_STATUS | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID)
#define FLAGS_16 (FLAGS_32 & 0xffffu)

static void physical_read(KvmCpu *c, uint64_t addr, void *buf, uint64_t len)
{
    address_space_read(&c->x.cpu.machine->memory, addr & UINT32_MAX, buf, len);
}

/* The operand size of the IRET at CS:EIP, or 0 when there is another instruction. */
static unsigned iret_size(KvmCpu *c, unsigned *length)
{
    const X86Segment *cs = &c->x.st.seg[SEG_CS];
    bool wide = cs->attr & SEG_ATTR_DB;
    uint8_t bytes[2];

    physical_read(c, cs->base + c->x.st.rip, bytes, sizeof(bytes));
    *length = 1;
    if (bytes[0] == PREFIX_OPERAND_SIZE) {
        *length = 2;
        wide = !wide;
    }
    return bytes[*length - 1] == OPCODE_IRET ? (wide ? 4 : 2) : 0;
}

/* Loads CS from the GDT; false when the selector needs more than a plain ring 0 code segment. */
static bool load_code_segment(KvmCpu *c, uint16_t selector, X86Segment *cs)
{
    const X86State *st = &c->x.st;
    uint32_t word[2];

    if (selector < 8 || (selector & 7) || (selector | 7u) > st->gdt.limit) {
        return false;
    }
    physical_read(c, st->gdt.base + selector, word, sizeof(word));
    cs->selector = selector;
    cs->attr = word[1] >> 8 & 0xf0ff;
    cs->base = word[0] >> 16 | (word[1] & 0xff) << 16 | (word[1] & 0xff000000);
    cs->limit = (word[0] & 0xffff) | (word[1] & 0xf0000);
    if (cs->attr & SEG_ATTR_G) {
        cs->limit = cs->limit << 12 | 0xfff;
    }
    return (cs->attr & (SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_DPL)) ==
           (SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_CODE);
}

bool kvm_complete_instruction(KvmCpu *c)
{
    X86State *st = &c->x.st;
    const X86Segment *ss = &st->seg[SEG_SS];
    uint64_t mask;
    uint32_t frame[3] = {0}, flags_mask;
    unsigned size, length;
    X86Segment cs;

    kvm_get_state(&c->x.cpu);
    if (!(st->cr0 & CR0_PE) || (st->cr0 & CR0_PG) || (st->rflags & (FLAG_VM | FLAG_NT)) ||
        x86_cpl(st) || !(size = iret_size(c, &length))) {
        return false;
    }
    mask = ss->attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff;
    for (unsigned i = 0; i < 3; i++) {
        physical_read(c, ss->base + ((st->gpr[R_RSP] + i * size) & mask), &frame[i], size);
    }
    flags_mask = size == 4 ? FLAGS_32 : FLAGS_16;
    if ((frame[2] & FLAG_VM) || !load_code_segment(c, (uint16_t)frame[1], &cs) ||
        frame[0] > cs.limit) {
        return false;
    }
    st->seg[SEG_CS] = cs;
    st->rip = frame[0];
    st->gpr[R_RSP] = (st->gpr[R_RSP] & ~mask) | ((st->gpr[R_RSP] + 3 * size) & mask);
    st->rflags = (st->rflags & ~(uint64_t)flags_mask) | (frame[2] & flags_mask) | 2;
    st->nmi_blocked = 0;
    kvm_put_state(&c->x.cpu);
    return !c->broken;
}
