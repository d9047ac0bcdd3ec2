/*
 * Translation of guest instructions to IR.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_TRANSLATE_H
#define TARGET_X86_TRANSLATE_H

#include "target-x86/insn.h"
#include "target-x86/mode.h"
#include "tcg/ir.h"

typedef struct TranslateRequest {
    const uint8_t *code; /* the block's first byte */
    size_t avail; /* bytes that can be read: to the end of the page, or into the next one for an
                     instruction that straddles */
    uint16_t start_off; /* page offset of the first byte */
    bool whole_page;    /* CODE is part of a page that can be read from its start */
    uint32_t mode;      /* MODE_* */
    uint64_t features;  /* bit per InsnFeature */
    int max_insns;
} TranslateRequest;

typedef enum TranslateResult {
    TRANSLATE_OK,
    TRANSLATE_STRADDLES, /* the first instruction needs more than AVAIL bytes */
} TranslateResult;

/* Fills BLOCK, with liveness done. Thread-safe. */
TranslateResult x86_translate(const TranslateRequest *req, IrBlock *block);

/* ---- among the translate_*.c files ---- */

typedef struct Translator {
    const TranslateRequest *req;
    IrBlock *b;
    const Insn *in;
    uint16_t off; /* page offset of the current instruction */
    uint16_t next_off;
    bool done; /* the block has ended */
} Translator;

IrOp *tr_op(Translator *t, IrOpcode op, unsigned size);
IrMem tr_mem(const Translator *t);                       /* of the decoded memory operand */
void tr_seg(const Translator *t, IrMem *m, uint8_t seg); /* segment base and checks */
IrOp *tr_ld(Translator *t, uint8_t dst, unsigned size, IrMem mem);
IrOp *tr_st(Translator *t, uint8_t src, unsigned size, IrMem mem);
void tr_mov(Translator *t, uint8_t dst, uint8_t src, unsigned size);
void tr_addi(Translator *t, uint8_t dst, uint8_t src, int64_t imm, unsigned size);
void tr_push(Translator *t, uint8_t src, unsigned size);
/* LD from the stack top to DST, then adds SIZE + EXTRA to RSP. */
void tr_pop(Translator *t, uint8_t dst, unsigned size, unsigned extra);
unsigned tr_stack_size(const Translator *t); /* address size of the stack */
IrOp *tr_capsule(Translator *t);             /* the instruction as it is */
IrOp *tr_helper(Translator *t, int helper, uint8_t dst, unsigned size);
IrOp *tr_helper_end(Translator *t, int helper);
void tr_raise(Translator *t, int vector);
void tr_jump(Translator *t, int64_t target_off);
void tr_jump_indirect(Translator *t, uint8_t vreg);

bool tr_integer(Translator *t);         /* translate_int.c: false: not one of its kinds */
bool tr_capsule_special(Translator *t); /* a capsule that needs more than its row says */
bool tr_system(Translator *t);          /* translate_sys.c */

#endif
