/*
 * Thunks: crossing between generated code and C.
 *
 * Going out stores the pinned guest registers to their slots and calls; coming back loads them. The
 * scratch registers RBP, R14 and R15 are callee-saved in the C ABI, so they survive a call.
 * Vectors, x87 and MXCSR are not touched here.
 *
 * Stack: enter and guard push the six callee-saved registers and eight bytes more, and note RSP; it
 * is a multiple of 16 in generated code. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

static const uint8_t saved[6] = {H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15};

static void store_pinned(Asm *a, const HostLayout *l)
{
    for (int i = 0; i < 16; i++) {
        if (host_pinned(i) >= 0) {
            asm_gs(a, 0x89, true, host_pinned(i), l->gpr + 8 * i);
        }
    }
}

static void load_pinned(Asm *a, const HostLayout *l)
{
    for (int i = 0; i < 16; i++) {
        if (host_pinned(i) >= 0) {
            asm_gs(a, 0x8b, true, host_pinned(i), l->gpr + 8 * i);
        }
    }
}

static void push_frame(Asm *a, const HostLayout *l)
{
    for (int i = 0; i < 6; i++) {
        asm_room(a);
        asm_rex(a, false, 0, 0, saved[i], false);
        asm_u8(a, 0x50 | (saved[i] & 7));
    }
    asm_alui(a, 5, true, H_RSP, 8);
    asm_gs(a, 0x89, true, H_RSP, l->loop_rsp);
}

/* Returns from enter or guard with RAX. */
static void pop_frame(Asm *a, const HostLayout *l)
{
    asm_gs(a, 0x8b, true, H_RSP, l->loop_rsp);
    asm_alui(a, 0, true, H_RSP, 8);
    for (int i = 5; i >= 0; i--) {
        asm_room(a);
        asm_rex(a, false, 0, 0, saved[i], false);
        asm_u8(a, 0x58 | (saved[i] & 7));
    }
    asm_room(a);
    asm_u8(a, 0xc3);
}

static void call_c(Asm *a, const void *fn, bool align)
{
    if (align) {
        asm_alui(a, 5, true, H_RSP, 8);
    }
    asm_movi(a, H_RAX, (uint64_t)(uintptr_t)fn);
    asm_room(a);
    asm_u8(a, 0xff); /* call rax */
    asm_u8(a, 0xd0);
    if (align) {
        asm_alui(a, 0, true, H_RSP, 8);
    }
}

static void mov(Asm *a, int dst, int src)
{
    asm_rr(a, 0x89, true, src, dst);
}

static void ret(Asm *a)
{
    asm_room(a);
    asm_u8(a, 0xc3);
}

size_t host_emit_thunks(const HostLayout *l, const HostCallbacks *cb, uint8_t *buf, size_t size,
                        uint64_t rx, HostThunks *out)
{
    Asm asm_state = {.start = buf, .p = buf, .end = buf + size}, *a = &asm_state;
#define HERE() ((const void *)(uintptr_t)(rx + asm_off(a)))

    out->enter = (uint64_t(*)(void *, const void *))(uintptr_t)HERE();
    push_frame(a, l);
    mov(a, H_TH, H_RSI);
    load_pinned(a, l);
    asm_room(a);
    asm_u8(a, 0xff); /* jmp rbp */
    asm_u8(a, 0xe5);

    out->guard = (uint64_t(*)(void *, void (*)(void *, uint64_t), uint64_t))(uintptr_t)HERE();
    push_frame(a, l);
    mov(a, H_RAX, H_RSI);
    mov(a, H_RSI, H_RDX);
    asm_room(a);
    asm_u8(a, 0xff); /* call rax */
    asm_u8(a, 0xd0);
    asm_movi(a, H_RAX, EXIT_NEXT);
    pop_frame(a, l);

    out->unwind = (HostUnwind)(uintptr_t)HERE();
    mov(a, H_RAX, H_RSI);
    out->unwind_from_signal = HERE();
    pop_frame(a, l);

    out->slow = HERE();
    store_pinned(a, l);
    asm_gs(a, 0x8b, true, H_RDI, l->self);
    mov(a, H_RSI, H_TA);
    mov(a, H_RDX, H_TI);
    call_c(a, (const void *)(uintptr_t)cb->slow, true);
    mov(a, H_TH, H_RAX);
    mov(a, H_TI, H_RDX);
    load_pinned(a, l);
    ret(a);

    out->commit = HERE();
    asm_room(a);
    asm_u8(a, 0x9c); /* pushfq */
    store_pinned(a, l);
    asm_gs(a, 0x8b, true, H_RDI, l->self);
    asm_rm(a, 0x8b, true, H_RSI, H_RSP, 0);
    mov(a, H_RDX, H_TI);
    call_c(a, (const void *)(uintptr_t)cb->commit, false);
    load_pinned(a, l);
    asm_room(a);
    asm_u8(a, 0x9d); /* popfq */
    ret(a);

    out->helper = HERE();
    store_pinned(a, l);
    asm_gs(a, 0x8b, true, H_RDI, l->self);
    mov(a, H_RSI, H_TA);
    mov(a, H_RDX, H_TI);
    mov(a, H_RCX, H_TH);
    call_c(a, (const void *)(uintptr_t)cb->helper, true);
    asm_gs(a, 0x89, true, H_RAX, l->helper_ret);
    load_pinned(a, l);
    ret(a);

    out->helper_end = HERE();
    store_pinned(a, l);
    asm_gs(a, 0x8b, true, H_RDI, l->self);
    mov(a, H_RSI, H_TA);
    mov(a, H_RDX, H_TI);
    mov(a, H_RCX, H_TH);
    call_c(a, (const void *)(uintptr_t)cb->helper_end, false);
    asm_movi(a, H_RAX, EXIT_NEXT);
    pop_frame(a, l);

    out->link = HERE();
    asm_gs(a, 0x89, true, H_TA, l->exit_arg);
    store_pinned(a, l);
    asm_movi(a, H_RAX, EXIT_LINK);
    pop_frame(a, l);

    out->dispatch = HERE();
    asm_gs(a, 0x89, true, H_TA, l->exit_arg);
    store_pinned(a, l);
    asm_movi(a, H_RAX, EXIT_DISPATCH);
    pop_frame(a, l);

    out->find = HERE();
    emit_dispatch(a, l);
    return a->overflow ? 0 : asm_off(a);
}
