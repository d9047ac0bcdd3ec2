/*
 * Where the guest's status flags are: in RFLAGS, or in the fl_saved slot.
 *
 * They are saved once, lazily, when host code is about to destroy RFLAGS while they are live, and
 * restored only when an instruction needs them in RFLAGS: one that reads them, or one that
 * overwrites some and leaves others that are live. LAHF and SETO instead of PUSHF: two cheap
 * operations against a microcoded one. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

void emit_lahf_save(Asm *a, const HostLayout *l)
{
    asm_rr(a, 0x89, true, H_RAX, H_TI); /* mov TI, rax */
    asm_room(a);
    asm_u8(a, 0x9f); /* lahf */
    asm_u8(a, 0x0f); /* seto al */
    asm_u8(a, 0x90);
    asm_u8(a, 0xc0);
    asm_u8(a, 0x66); /* mov gs:fl_saved, ax */
    asm_gs(a, 0x89, false, H_RAX, l->fl_saved);
    asm_rr(a, 0x89, true, H_TI, H_RAX); /* mov rax, TI */
}

void emit_flags_save(Emit *e)
{
    emit_lahf_save(&e->a, e->l);
    e->flags = FLAGS_SAVED;
}

void emit_flags_restore(Emit *e)
{
    Asm *a = &e->a;

    asm_rr(a, 0x89, true, H_RAX, H_TI);
    asm_gs(a, 0x1b7, false, H_RAX, e->l->fl_saved); /* movzx eax, word */
    asm_room(a);
    asm_u8(a, 0x04); /* add al, 7Fh: OF = al */
    asm_u8(a, 0x7f);
    asm_u8(a, 0x9e); /* sahf */
    asm_rr(a, 0x89, true, H_TI, H_RAX);
    e->flags = FLAGS_HOST;
}

void emit_flags_before_clobber(Emit *e, uint16_t live)
{
    if (live && e->flags == FLAGS_HOST) {
        emit_flags_save(e);
    }
}

void emit_flags_before_native(Emit *e, const IrOp *op)
{
    bool partial = op->fl_touch && (op->fl_live & ~op->fl_write);

    if ((op->fl_read || partial) && e->flags == FLAGS_SAVED) {
        emit_flags_restore(e);
    }
}

void emit_flags_after_native(Emit *e, const IrOp *op)
{
    if (op->fl_touch) {
        e->flags = FLAGS_HOST;
    }
}
