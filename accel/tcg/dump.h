/*
 * What is translated, in text: -d in_asm,op,out_asm.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_DUMP_H
#define ACCEL_TCG_DUMP_H

#include "accel/tcg/tcg_accel.h"
#include "target-x86/translate.h"

/* Logs the parts of a new block that are switched on. */
void dump_block(TcgAccel *a, const TranslateRequest *req, const IrBlock *ir, const Block *b);

#endif
