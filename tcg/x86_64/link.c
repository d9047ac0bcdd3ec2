/*
 * Ways from block to block that depend on what the guest's pages are now: the jump cache, and links
 * between pages.
 *
 * The jump cache is looked up by guest IP and context (mode and address space); on a hit the page's
 * IP base is set and the block entered by its saved-flags entry.
 *
 * A link is made for one direct jump to another page, say from page A to B, with B's RAM page r:
 *     mov TI, gs:exec_ip; mov TA, gs:page_ip     TA = IP of A
 *     lea TH, [TA + (B - A) + tag(r)]; add TH, [TI + 8 * slot(r)]
 *     jne miss                                   0: r's code runs at B's IP
 *     lea TA, [TA + (B - A)]; mov gs:page_ip, TA; jmp target
 * When the flags are the guest's, nothing may touch them: LEA does the sums, and JRCXZ the test,
 * with RCX set aside. A miss is left to the jump cache, and where that fails, to the loop.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcg/x86_64/emit.h"

static void op_gs(Asm *a, uint8_t modrm, int32_t slot)
{
    asm_room(a);
    asm_u8(a, 0x65);
    asm_u8(a, 0xff);
    asm_u8(a, modrm);
    asm_u8(a, 0x25);
    asm_u32(a, (uint32_t)slot);
}

void emit_jmp_gs(Asm *a, int32_t slot)
{
    op_gs(a, 0x24, slot);
}

void emit_call_gs(Asm *a, int32_t slot)
{
    op_gs(a, 0x14, slot);
}

void emit_cmp_poll(Asm *a, const HostLayout *l)
{
    asm_room(a);
    asm_u8(a, 0x65);
    asm_u8(a, 0x83); /* cmp dword gs:poll, 0 */
    asm_u8(a, 0x3c);
    asm_u8(a, 0x25);
    asm_u32(a, (uint32_t)l->poll);
    asm_u8(a, 0);
}

void emit_dispatch(Asm *a, const HostLayout *l)
{
    uint32_t miss[3];
    int32_t jc = l->jump_cache;

    emit_cmp_poll(a, l);
    miss[0] = asm_jcc(a, CC_NE);
    asm_rr(a, 0x89, false, H_TA, H_TI);
    asm_shifti(a, 5, false, H_TI, 7);
    asm_rr(a, 0x31, false, H_TA, H_TI);
    asm_alui(a, 4, false, H_TI, (int32_t)l->jump_cache_mask);
    asm_shifti(a, 4, false, H_TI, 5);
    asm_gs_base(a, 0x3b, true, H_TA, H_TI, jc);
    miss[1] = asm_jcc(a, CC_NE);
    asm_gs(a, 0x8b, true, H_TH, l->ctx);
    asm_gs_base(a, 0x3b, true, H_TH, H_TI, jc + 8);
    miss[2] = asm_jcc(a, CC_NE);
    asm_gs_base(a, 0x8b, true, H_TH, H_TI, jc + 16);
    asm_gs(a, 0x89, true, H_TH, l->page_ip);
    asm_gs_base(a, 0x8b, true, H_TH, H_TI, jc + 24);
    asm_rm(a, 0xff, false, 4, H_TH, l->block_entry); /* jmp [TH + entry] */
    for (int i = 0; i < 3; i++) {
        asm_patch_here(a, miss[i]);
    }
    emit_jmp_gs(a, l->thunk_dispatch);
}

/* ---- links ---- */

/* jrcxz: where its displacement is; the target is not far. */
static uint8_t *jrcxz(Asm *a)
{
    asm_room(a);
    asm_u8(a, 0xe3);
    asm_u8(a, 0);
    return a->p - 1;
}

static void jrcxz_here(Asm *a, uint8_t *at)
{
    *at = (uint8_t)(a->p - at - 1);
}

static void emit_hit(Asm *a, const HostLayout *l, const HostLink *link)
{
    int32_t delta = link->target & ~0xfff;

    asm_lea(a, true, H_TA, H_TA, -1, 0, delta);
    asm_gs(a, 0x89, true, H_TA, l->page_ip);
    asm_jmp_to(a, (uint32_t)(link->to - link->rx));
}

static void emit_miss(Asm *a, const HostLayout *l, const HostLink *link)
{
    asm_lea(a, true, H_TA, H_TA, -1, 0, link->target);
    emit_jmp_gs(a, l->thunk_find);
}

static void emit_link_saved(Asm *a, const HostLayout *l, const HostLink *link)
{
    uint32_t miss[2] = {0};

    asm_gs(a, 0x8b, true, H_TA, l->page_ip);
    if (link->poll) {
        emit_cmp_poll(a, l);
        miss[1] = asm_jcc(a, CC_NE);
    }
    asm_gs(a, 0x8b, true, H_TI, l->exec_ip);
    asm_lea(a, true, H_TH, H_TA, -1, 0, (link->target & ~0xfff) + (int32_t)link->tag);
    asm_rm(a, 0x03, true, H_TH, H_TI, (int32_t)link->slot * 8);
    miss[0] = asm_jcc(a, CC_NE);
    emit_hit(a, l, link);
    asm_patch_here(a, miss[0]);
    if (miss[1]) {
        asm_patch_here(a, miss[1]);
    }
    emit_miss(a, l, link);
}

static void emit_link_host(Asm *a, const HostLayout *l, const HostLink *link)
{
    uint8_t *same, *idle = NULL, *poll = NULL;

    asm_gs(a, 0x8b, true, H_TI, l->exec_ip);
    asm_gs(a, 0x8b, true, H_TA, l->page_ip);
    asm_rm(a, 0x8b, true, H_TI, H_TI, (int32_t)link->slot * 8);
    asm_rr(a, 0x89, true, H_RCX, H_TH); /* mov TH, rcx */
    asm_lea(a, true, H_RCX, H_TA, H_TI, 0, (link->target & ~0xfff) + (int32_t)link->tag);
    same = jrcxz(a);
    if (link->poll) {
        poll = a->p;
    }
    asm_rr(a, 0x89, true, H_TH, H_RCX);
    emit_lahf_save(a, l);
    emit_miss(a, l, link);
    jrcxz_here(a, same);
    if (link->poll) {
        asm_gs(a, 0x8b, false, H_RCX, l->poll);
        idle = jrcxz(a);
        asm_u8(a, 0xeb); /* jmp poll */
        asm_u8(a, 0);
        a->p[-1] = (uint8_t)(poll - a->p);
        jrcxz_here(a, idle);
    }
    asm_rr(a, 0x89, true, H_TH, H_RCX);
    emit_hit(a, l, link);
}

size_t host_emit_link(const HostLayout *layout, const HostLink *link, uint8_t *buf, size_t size)
{
    Asm a = {.start = buf, .p = buf, .end = buf + size};

    if (link->flags_host) {
        emit_link_host(&a, layout, link);
    } else {
        emit_link_saved(&a, layout, link);
    }
    return a.overflow ? 0 : asm_off(&a);
}
