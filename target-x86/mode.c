/*
 * Computing the mode bits. GPR-only.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/mode.h"

static bool is_flat_data(const X86Segment *s)
{
    return s->base == 0 && s->limit == UINT32_MAX &&
           (s->attr & (SEG_ATTR_P | SEG_ATTR_CODE | SEG_ATTR_RW | SEG_ATTR_DC |
                       SEG_ATTR_UNUSABLE)) == (SEG_ATTR_P | SEG_ATTR_RW);
}

static bool is_full(const X86Segment *s)
{
    return s->limit == UINT32_MAX &&
           (s->attr & (SEG_ATTR_P | SEG_ATTR_CODE | SEG_ATTR_RW | SEG_ATTR_DC |
                       SEG_ATTR_UNUSABLE)) == (SEG_ATTR_P | SEG_ATTR_RW);
}

uint32_t x86_mode_bits(const X86State *st)
{
    uint32_t m = 0;
    const X86Segment *seg = st->seg;

    if (x86_is_code64(st)) {
        m |= MODE_CODE64 | MODE_FLAT | MODE_FSGS_FULL | MODE_STACK32;
    } else {
        m |= seg[SEG_CS].attr & SEG_ATTR_DB ? MODE_CODE32 : 0;
        m |= seg[SEG_SS].attr & SEG_ATTR_DB ? MODE_STACK32 : 0;
        if (is_flat_data(&seg[SEG_ES]) && is_flat_data(&seg[SEG_SS]) &&
            is_flat_data(&seg[SEG_DS]) && seg[SEG_CS].base == 0 &&
            seg[SEG_CS].limit == UINT32_MAX && (seg[SEG_CS].attr & SEG_ATTR_RW)) {
            m |= MODE_FLAT;
        }
        if (is_full(&seg[SEG_FS]) && is_full(&seg[SEG_GS])) {
            m |= MODE_FSGS_FULL;
        }
    }
    m |= x86_cpl(st) ? MODE_USER : 0;
    m |= x86_is_protected(st) && !x86_is_v86(st) ? MODE_PE : 0;
    m |= st->rflags & FLAG_DF ? MODE_DF : 0;
    m |= st->cr0 & (CR0_EM | CR0_TS) ? MODE_FPU_NM : 0;
    m |= st->cr0 & CR0_EM || !(st->cr4 & CR4_OSFXSR) ? MODE_SSE_UD : 0;
    m |= st->cr0 & CR0_TS ? MODE_SSE_NM : 0;
    m |= st->cr0 & CR0_EM ? MODE_MMX_UD : 0;
    m |= (st->cr0 & (CR0_TS | CR0_MP)) == (CR0_TS | CR0_MP) ? MODE_WAIT_NM : 0;
    return m;
}
