/*
 * String instructions with a REP prefix, and INS/OUTS. GPR-only.
 *
 * MOVS and STOS of RAM go by the run: as far as both sides stay in their page, one host REP
 * instruction copies. Everything else goes element by element. Registers always say how far it got,
 * so that a fault or an interrupt in the middle leaves a state from which the instruction
 * continues. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/helpers.h"
#include "target-x86/helpers_impl.h"

typedef struct StringOp {
    X86Cpu *cpu;
    unsigned opcode, size, asize, seg;
    bool rep, repne;
    int64_t step;
} StringOp;

static uint64_t source(const StringOp *s, bool write)
{
    return x86_seg_linear(s->cpu, s->seg, x86_get_gpr(s->cpu, R_RSI, s->asize), s->size, write);
}

static uint64_t destination(const StringOp *s, bool write)
{
    return x86_seg_linear(s->cpu, SEG_ES, x86_get_gpr(s->cpu, R_RDI, s->asize), s->size, write);
}

static uint64_t count(const StringOp *s)
{
    return x86_get_gpr(s->cpu, R_RCX, s->asize);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many elements can be done from ADDR on in its page, and without wrapping register R. */
static uint64_t run_length(const StringOp *s, uint64_t addr, unsigned r)
{
    uint64_t n = (4096 - (addr & 4095)) / s->size;

    if (s->asize < 8) {
        uint64_t room = (1ull << (8 * s->asize)) - x86_get_gpr(s->cpu, r, s->asize);
        n = min64(n, room / s->size);
    }
    return n;
}

/* The whole run lies within the segment (outside 64-bit mode). */
static bool run_in_limit(const StringOp *s, unsigned seg, unsigned r, uint64_t bytes)
{
    const X86Segment *g = &s->cpu->st.seg[seg];

    if (x86_is_code64(&s->cpu->st)) {
        return true;
    }
    return (g->attr & (SEG_ATTR_CODE | SEG_ATTR_DC)) != SEG_ATTR_DC &&
           x86_get_gpr(s->cpu, r, s->asize) + bytes - 1 <= g->limit;
}

static void advance(const StringOp *s, unsigned r, uint64_t n)
{
    x86_add_gpr(s->cpu, r, s->step * (int64_t)n, s->asize);
}

static void copy_forward(uint8_t *dst, const uint8_t *src, uint64_t n, unsigned size)
{
    /* the element size matters where the two overlap */
    switch (size) {
    case 1:
        __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
        break;
    case 2:
        __asm__ volatile("rep movsw" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
        break;
    case 4:
        __asm__ volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
        break;
    default:
        __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
        break;
    }
}

static void fill_forward(uint8_t *dst, uint64_t value, uint64_t n, unsigned size)
{
    switch (size) {
    case 1:
        __asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(value) : "memory");
        break;
    case 2:
        __asm__ volatile("rep stosw" : "+D"(dst), "+c"(n) : "a"(value) : "memory");
        break;
    case 4:
        __asm__ volatile("rep stosl" : "+D"(dst), "+c"(n) : "a"(value) : "memory");
        break;
    default:
        __asm__ volatile("rep stosq" : "+D"(dst), "+c"(n) : "a"(value) : "memory");
        break;
    }
}

static uint64_t movs(const StringOp *s, uint64_t left)
{
    uint64_t from = source(s, false), to = destination(s, true);

    if (s->step > 0 && left > 1) {
        uint64_t n = min64(left, min64(run_length(s, from, R_RSI), run_length(s, to, R_RDI)));
        if (n > 1 && run_in_limit(s, s->seg, R_RSI, n * s->size) &&
            run_in_limit(s, SEG_ES, R_RDI, n * s->size)) {
            uint8_t *src = x86_host_ptr(s->cpu, from, false);
            uint8_t *dst = src ? x86_host_ptr(s->cpu, to, true) : NULL;
            if (dst) {
                copy_forward(dst, src, n, s->size);
                advance(s, R_RSI, n);
                advance(s, R_RDI, n);
                return n;
            }
        }
    }
    x86_st(s->cpu, to, x86_ld(s->cpu, from, s->size, MMU_CURRENT), s->size, MMU_CURRENT);
    advance(s, R_RSI, 1);
    advance(s, R_RDI, 1);
    return 1;
}

static uint64_t stos(const StringOp *s, uint64_t left)
{
    uint64_t to = destination(s, true);
    uint64_t n = min64(left, run_length(s, to, R_RDI));

    if (s->step > 0 && n > 1 && run_in_limit(s, SEG_ES, R_RDI, n * s->size)) {
        uint8_t *dst = x86_host_ptr(s->cpu, to, true);
        if (dst) {
            fill_forward(dst, s->cpu->st.gpr[R_RAX], n, s->size);
            advance(s, R_RDI, n);
            return n;
        }
    }
    x86_st(s->cpu, to, x86_get_gpr(s->cpu, R_RAX, s->size), s->size, MMU_CURRENT);
    advance(s, R_RDI, 1);
    return 1;
}

static uint64_t lods(const StringOp *s)
{
    x86_set_gpr(s->cpu, R_RAX, x86_ld(s->cpu, source(s, false), s->size, MMU_CURRENT), s->size);
    advance(s, R_RSI, 1);
    return 1;
}

/* Status flags of A - B. */
static void compare(X86Cpu *cpu, uint64_t a, uint64_t b, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    uint64_t flags;

    a <<= shift;
    b <<= shift;
    __asm__("cmp %2, %1\n\tpushf\n\tpop %0" : "=r"(flags) : "r"(a), "r"(b) : "cc");
    /* AF and PF are of the low bits */
    uint64_t low = (a >> shift) - (b >> shift);
    flags &= ~(uint64_t)(FLAG_AF | FLAG_PF);
    flags |= ((a >> shift) ^ (b >> shift) ^ low) & FLAG_AF;
    flags |= __builtin_parity((unsigned)(uint8_t)low) ? 0 : FLAG_PF;
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FLAG_STATUS) | (flags & FLAG_STATUS);
}

static uint64_t scas(const StringOp *s)
{
    uint64_t v = x86_ld(s->cpu, destination(s, false), s->size, MMU_CURRENT);

    compare(s->cpu, x86_get_gpr(s->cpu, R_RAX, s->size), v, s->size);
    advance(s, R_RDI, 1);
    return 1;
}

static uint64_t cmps(const StringOp *s)
{
    uint64_t a = x86_ld(s->cpu, source(s, false), s->size, MMU_CURRENT);
    uint64_t b = x86_ld(s->cpu, destination(s, false), s->size, MMU_CURRENT);

    compare(s->cpu, a, b, s->size);
    advance(s, R_RSI, 1);
    advance(s, R_RDI, 1);
    return 1;
}

static uint64_t ins(const StringOp *s)
{
    uint64_t to = destination(s, true);

    x86_probe_write(s->cpu, to, s->size, MMU_CURRENT);
    x86_st(s->cpu, to, x86_port_in(s->cpu, (uint16_t)s->cpu->st.gpr[R_RDX], s->size), s->size,
           MMU_CURRENT);
    advance(s, R_RDI, 1);
    return 1;
}

static uint64_t outs(const StringOp *s)
{
    uint64_t v = x86_ld(s->cpu, source(s, false), s->size, MMU_CURRENT);

    x86_port_out(s->cpu, (uint16_t)s->cpu->st.gpr[R_RDX], (uint32_t)v, s->size);
    advance(s, R_RSI, 1);
    return 1;
}

static uint64_t one_step(const StringOp *s, uint64_t left)
{
    switch (s->opcode & ~1u) {
    case 0xa4:
        return movs(s, left);
    case 0xa6:
        return cmps(s);
    case 0xaa:
        return stos(s, left);
    case 0xac:
        return lods(s);
    case 0xae:
        return scas(s);
    case 0x6c:
        return ins(s);
    default:
        return outs(s);
    }
}

uint64_t x86_string_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    StringOp s = {
        .cpu = cpu,
        .opcode = b & STRING_OPCODE,
        .size = (b >> STRING_SIZE_SHIFT) & 15,
        .asize = (b >> STRING_ASIZE_SHIFT) & 15,
        .seg = (b >> STRING_SEG_SHIFT) & 7,
        .rep = b & STRING_REP,
        .repne = b & STRING_REPNE,
    };
    bool compares = (s.opcode & ~1u) == 0xa6 || (s.opcode & ~1u) == 0xae;

    (void)a;
    s.step = cpu->st.rflags & FLAG_DF ? -(int64_t)s.size : (int64_t)s.size;
    if (s.opcode >= 0x6c && s.opcode <= 0x6f) {
        x86_check_io(cpu, (uint16_t)cpu->st.gpr[R_RDX], s.size);
    }
    if (!s.rep && !s.repne) {
        one_step(&s, 1);
        return 0;
    }
    for (uint64_t left = count(&s); left;) {
        uint64_t n = one_step(&s, left);

        left -= n;
        x86_set_gpr(cpu, R_RCX, left, s.asize);
        if (compares && !(cpu->st.rflags & FLAG_ZF) == s.rep) {
            break;
        }
        if (left && x86_poll_pending(cpu)) {
            x86_exit_loop(cpu); /* st.rip is this instruction: it goes on later */
        }
    }
    return 0;
}
