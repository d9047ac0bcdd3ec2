/*
 * Interrupts in protected mode without paging, as far as a KVM that interprets such a guest leaves
 * them undone or does them wrong.
 *
 * Where the host's CPU cannot run this mode by itself, KVM delivers an interrupt to it, and then
 * gives up at the handler's IRET, which its emulator lacks. So a boot loader that leaves interrupts
 * on runs or not as the timer happens to tick. kvm_complete_instruction() carries out an IRET that
 * stays in ring 0 (SDM 2 IRET); anything else is left to fail.
 *
 * Such a KVM may also push the frame as if the stack were flat (frames.c): three doublewords below
 * ESP, though SS has a base, is a 16-bit stack, or the gate is a 16-bit one. IRET then takes the
 * frame from there, if there is one, and makes it unusable, so that it is not taken for a fresh one
 * by an IRET through a frame that the guest pushed itself. With the local APIC here, interrupts are
 * delivered here in the first place. With the kernel's there is no way to come before it: the 12
 * bytes of guest memory at that address are lost.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "accel/kvm/kvm_int.h"

enum { OPCODE_IRET = 0xcf, PREFIX_OPERAND_SIZE = 0x66 };
/* Types of interrupt and trap gates (SDM 3A 6.11): the 16-bit interrupt gate and two bits. */
enum { GATE_INTERRUPT16 = 6, GATE_TRAP = 1, GATE_WIDE = 8 };

/* The flags that IRET in ring 0 loads, from a 32-bit and from a 16-bit image. */
#define FLAGS_32                                                                                   \
    (FLAG_STATUS | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID)
#define FLAGS_16 (FLAGS_32 & 0xffffu)

typedef struct Frame {
    uint32_t ip, cs, flags;
} Frame;

static void physical_read(KvmCpu *c, uint64_t addr, void *buf, uint64_t len)
{
    address_space_read(&c->x.cpu.machine->memory, addr & UINT32_MAX, buf, len);
}

static void physical_write(KvmCpu *c, uint64_t addr, const void *buf, uint64_t len)
{
    address_space_write(&c->x.cpu.machine->memory, addr & UINT32_MAX, buf, len);
}

/* Ring 0 of protected mode without paging. */
static bool is_our_mode(const X86State *st)
{
    return (st->cr0 & CR0_PE) && !(st->cr0 & CR0_PG) && !(st->rflags & FLAG_VM) && !x86_cpl(st);
}

/* Loads CS from the GDT; false when the selector needs more than a plain ring 0 code segment. */
static bool load_code_segment(KvmCpu *c, uint32_t selector, X86Segment *cs)
{
    const X86State *st = &c->x.st;
    uint32_t word[2];

    if (selector < 8 || (selector & 7) || (selector | 7u) > st->gdt.limit) {
        return false;
    }
    physical_read(c, st->gdt.base + selector, word, sizeof(word));
    cs->selector = (uint16_t)selector;
    cs->attr = word[1] >> 8 & 0xf0ff;
    cs->base = word[0] >> 16 | (word[1] & 0xff) << 16 | (word[1] & 0xff000000);
    cs->limit = (word[0] & 0xffff) | (word[1] & 0xf0000);
    if (cs->attr & SEG_ATTR_G) {
        cs->limit = cs->limit << 12 | 0xfff;
    }
    if ((cs->attr & (SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_DPL)) !=
        (SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_CODE)) {
        return false;
    }
    if (!(cs->attr & SEG_ATTR_ACCESSED)) {
        uint8_t type = (uint8_t)(cs->attr |= SEG_ATTR_ACCESSED);
        physical_write(c, st->gdt.base + selector + 5, &type, 1);
    }
    return true;
}

/* ---- IRET ---- */

/* The operand size of the IRET at CS:EIP, or 0 when there is another instruction. */
static unsigned iret_size(KvmCpu *c)
{
    const X86Segment *cs = &c->x.st.seg[SEG_CS];
    bool wide = cs->attr & SEG_ATTR_DB, prefix;
    uint8_t bytes[2];

    physical_read(c, cs->base + c->x.st.rip, bytes, sizeof(bytes));
    prefix = bytes[0] == PREFIX_OPERAND_SIZE;
    return bytes[prefix] == OPCODE_IRET ? (wide != prefix ? 4 : 2) : 0;
}

static void go_to(X86State *st, const Frame *f, const X86Segment *cs, uint32_t flags_mask)
{
    st->seg[SEG_CS] = *cs;
    st->rip = f->ip;
    st->rflags = (st->rflags & ~(uint64_t)flags_mask) | (f->flags & flags_mask) | 2;
    st->nmi_blocked = 0;
}

static bool frame_leads_to(KvmCpu *c, const Frame *f, X86Segment *cs)
{
    return !(f->flags & FLAG_VM) && load_code_segment(c, f->cs, cs) && f->ip <= cs->limit;
}

/* From the frame that KVM pushed as if the stack were flat; false: there is none. */
static bool iret_flat(KvmCpu *c)
{
    const uint32_t reserved = ~(FLAGS_32 | FLAG_VIF | FLAG_VIP | 2);
    X86State *st = &c->x.st;
    uint32_t esp = (uint32_t)st->gpr[R_RSP];
    X86Segment cs;
    Frame f;

    physical_read(c, esp, &f, sizeof(f));
    if (!(f.flags & 2) || (f.flags & reserved) || !frame_leads_to(c, &f, &cs)) {
        return false;
    }
    physical_write(c, esp + offsetof(Frame, flags), &(uint32_t){0}, sizeof(f.flags));
    go_to(st, &f, &cs, FLAGS_32);
    st->gpr[R_RSP] = (uint32_t)(esp + sizeof(f));
    return true;
}

static bool iret(KvmCpu *c, unsigned size)
{
    X86State *st = &c->x.st;
    const X86Segment *ss = &st->seg[SEG_SS];
    uint64_t mask = ss->attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff;
    Frame f = {0};
    X86Segment cs;

    for (unsigned i = 0; i < 3; i++) {
        physical_read(c, ss->base + ((st->gpr[R_RSP] + i * size) & mask), &(&f.ip)[i], size);
    }
    f.cs &= 0xffff;
    if (!frame_leads_to(c, &f, &cs)) {
        return false;
    }
    go_to(st, &f, &cs, size == 4 ? FLAGS_32 : FLAGS_16);
    st->gpr[R_RSP] = (st->gpr[R_RSP] & ~mask) | ((st->gpr[R_RSP] + 3 * size) & mask);
    return true;
}

bool kvm_complete_instruction(KvmCpu *c)
{
    const X86State *st = &c->x.st;
    const X86Segment *ss = &st->seg[SEG_SS];
    unsigned size;
    bool flat;

    kvm_get_state(&c->x.cpu);
    if (!is_our_mode(st) || (st->rflags & FLAG_NT) || !(size = iret_size(c))) {
        return false;
    }
    /* Through a 32-bit gate on a flat stack, right and wrong are the same. */
    flat = ss->base || !(ss->attr & SEG_ATTR_DB) || size == 2;
    if (!(flat && kvm_frames_are_flat(c->accel) && iret_flat(c)) && !iret(c, size)) {
        return false;
    }
    kvm_put_state(&c->x.cpu);
    return !c->broken;
}

/* ---- delivery ---- */

/* Reads the gate of VECTOR; false when it is not one that leads to ring 0 code in the GDT. */
static bool read_gate(KvmCpu *c, int vector, Frame *to, X86Segment *cs, unsigned *type)
{
    const X86State *st = &c->x.st;
    uint32_t word[2];

    if (vector * 8 + 7 > st->idt.limit) {
        return false;
    }
    physical_read(c, st->idt.base + (unsigned)vector * 8, word, sizeof(word));
    *type = word[1] >> 8 & 0x1f;
    if (!(word[1] >> 8 & SEG_ATTR_P) ||
        (*type & ~(unsigned)(GATE_WIDE | GATE_TRAP)) != GATE_INTERRUPT16) {
        return false;
    }
    to->cs = word[0] >> 16;
    to->ip = (word[0] & 0xffff) | (*type & GATE_WIDE ? word[1] & 0xffff0000 : 0);
    return frame_leads_to(c, to, cs);
}

/* Pushes F with items of SIZE bytes; false when it does not fit into the segment. */
static bool push_frame(KvmCpu *c, const Frame *f, unsigned size)
{
    X86State *st = &c->x.st;
    const X86Segment *ss = &st->seg[SEG_SS];
    uint64_t mask = ss->attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff;
    uint64_t sp = (st->gpr[R_RSP] - 3 * size) & mask;

    if ((ss->attr & SEG_ATTR_DC) || sp + 3 * size - 1 > ss->limit || sp + 3 * size - 1 > mask) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        physical_write(c, ss->base + sp + i * size, &(&f->ip)[i], size);
    }
    st->gpr[R_RSP] = (st->gpr[R_RSP] & ~mask) | sp;
    return true;
}

bool kvm_deliver_interrupt(KvmCpu *c, int vector)
{
    X86State *st = &c->x.st;
    Frame to = {0}, from;
    X86Segment cs;
    unsigned type;

    kvm_get_state(&c->x.cpu);
    from = (Frame){(uint32_t)st->rip, st->seg[SEG_CS].selector, (uint32_t)st->rflags};
    if (!is_our_mode(st) || !read_gate(c, vector, &to, &cs, &type) ||
        !push_frame(c, &from, type & GATE_WIDE ? 4 : 2)) {
        return false;
    }
    st->seg[SEG_CS] = cs;
    st->rip = to.ip;
    st->halted = 0;
    st->rflags &= ~(uint64_t)(FLAG_TF | FLAG_NT | FLAG_RF | (type & GATE_TRAP ? 0 : FLAG_IF));
    kvm_put_state(&c->x.cpu);
    return true;
}
