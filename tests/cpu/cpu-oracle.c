/*
 * The oracle: random instructions from the encoding table, run on the host CPU and in the
 * translator; registers, flags, memory, x87, vectors, MXCSR and the exception must be the same.
 *
 *     cpu-oracle --seed N --count M [--name MNEMONIC] [--code32] [--verbose] [--log ITEMS]
 *
 * A case is one to six instructions and an INT3. Memory operands use base and index registers that
 * are set up to point into the data area, now and then at a page's end. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <capstone/capstone.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target-x86/insn.h"
#include "tests/cpu/guest.h"
#include "tests/cpu/native.h"
#include "util/log.h"

enum { MAX_CASE = 6, MAX_BYTES = MAX_CASE * 16 + 1 };

typedef struct Case {
    uint8_t code[MAX_BYTES];
    size_t len;
    int base, index; /* registers that hold addresses */
    uint64_t pointer;
    uint64_t undefined; /* flags with undefined value at the end */
    int insns;
    bool code32;
    bool partial;    /* one with several stores: which are done before a fault is its own */
    bool two_faults; /* an instruction with two memory operands: which faults first is its own */
} Case;

static uint64_t rng_state;

static uint64_t rnd(void)
{
    uint64_t z = rng_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(rnd() % n);
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

static const char *const unwanted[] = {"rdrand", "rdseed", "fwait", NULL};

static bool usable(const InsnRow *r, uint64_t features, bool code32)
{
    static const uint8_t kinds[] = {T_CAPSULE,  T_PUSH_R, T_POP_R, T_PUSH_I, T_PUSH_M, T_POP_M,
                                    T_XCHG_R,   T_MOV_RI, T_LEA,   T_STRING, T_LEAVE,  T_XLAT,
                                    T_INCDEC_R, T_BCD,    T_AAM,   T_AAD,    T_SALC,   T_PUSHA,
                                    T_POPA,     T_BSWAP,  T_NOP,   T_ENTER,  T_JCC};
    bool kind = false;

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        kind |= r->kind == kinds[i];
    }
    for (int i = 0; unwanted[i]; i++) {
        if (!strcmp(r->name, unwanted[i])) {
            return false;
        }
    }
    return kind && !(r->flags & ((code32 ? INSN_O64 : INSN_I64) | INSN_PRIV | INSN_WAIT)) &&
           (r->feature == FEAT_NONE || (features >> r->feature & 1));
}

static void put(Case *c, uint8_t b)
{
    c->code[c->len++] = b;
}

static void put_imm(Case *c, unsigned size)
{
    uint64_t v = one_in(3) ? below(256) : rnd();

    for (unsigned i = 0; i < size; i++) {
        put(c, (uint8_t)(v >> (8 * i)));
    }
}

static unsigned imm_size(const InsnRow *r, bool p66, bool w)
{
    switch (r->imm) {
    case IMM_B:
        return 1;
    case IMM_W:
        return 2;
    case IMM_WB:
        return 3;
    case IMM_Z:
        return p66 && !w ? 2 : 4;
    case IMM_V:
        return w ? 8 : p66 ? 2 : 4;
    default:
        return 0;
    }
}

/* ModRM and what follows for a memory operand; needs the REX bits chosen before. */
static void put_mem(Case *c, uint8_t reg, unsigned imm)
{
    if (one_in(12) && !c->code32) { /* RIP-relative */
        put(c, (uint8_t)(reg << 3 | 5));
        int32_t disp = (int32_t)(c->pointer - (GUEST_CODE + c->len + 4 + imm));
        for (int i = 0; i < 4; i++) {
            put(c, (uint8_t)((uint32_t)disp >> (8 * i)));
        }
        return;
    }
    bool sib = (c->base & 7) == 4 || one_in(3);
    unsigned mod = one_in(3) ? 2 : (c->base & 7) == 5 || one_in(2) ? 1 : 0;
    put(c, (uint8_t)(mod << 6 | reg << 3 | (sib ? 4 : c->base & 7)));
    if (sib) {
        put(c, (uint8_t)(below(4) << 6 | (c->index & 7) << 3 | (c->base & 7)));
    }
    if (mod == 1) {
        put(c, (uint8_t)(below(64) - 32));
    } else if (mod == 2) {
        int32_t disp = (int32_t)below(256) - 128;
        for (int i = 0; i < 4; i++) {
            put(c, (uint8_t)((uint32_t)disp >> (8 * i)));
        }
    }
}

static void generate(Case *c, const InsnRow *r)
{
    bool modrm = r->reg != K_NONE || r->ext >= 0 || r->mod != MOD_ANY ||
                 (r->rm != K_NONE && r->rm != K_OPREG);
    bool mem = modrm && (r->mod == MOD_MEM || (r->mod == MOD_ANY && one_in(2)));
    bool p66 = r->pfx == PFX_66 || (!(r->flags & (INSN_SSE | INSN_MMX | INSN_X87)) &&
                                    r->pfx != PFX_NP && r->kind != T_JCC && one_in(4));
    bool w = one_in(2) && r->kind != T_JCC && !c->code32;
    uint8_t rex = (uint8_t)(0x40 | (w ? 8 : 0) | (one_in(2) && !c->code32 ? 4 : 0));
    unsigned imm = imm_size(r, p66, w);
    size_t start = c->len;

    if (r->kind == T_PUSH_I || r->kind == T_ENTER) {
        imm = r->imm == IMM_B ? 1 : r->imm == IMM_WB ? 3 : p66 && !w ? 2 : 4;
    }
    if (mem) {
        rex |= (c->base >> 3) | (c->index >> 3) << 1;
    } else if (one_in(2) && !c->code32) {
        rex |= 1;
    }
    if ((r->flags & INSN_LOCK) && mem && (r->acc & 2) && one_in(3)) {
        put(c, 0xf0);
    }
    if (p66) {
        put(c, 0x66);
    }
    if (r->pfx == PFX_F3 || (r->kind == T_STRING && one_in(2))) {
        put(c, 0xf3);
    } else if (r->pfx == PFX_F2) {
        put(c, 0xf2);
    }
    if (r->map >= 4) {
        static const uint8_t pp[] = {[PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
        uint8_t vvvv = r->vvvv ? (uint8_t)below(c->code32 ? 8 : 16) : 0;
        c->len = start;
        put(c, 0xc4);
        put(c, (uint8_t)((~rex & 7) << 5 | (r->map - 2)));
        put(c, (uint8_t)((rex & 8) << 4 | (~vvvv & 15) << 3 | pp[r->pfx]));
    } else if (!c->code32 && (rex != 0x40 || one_in(4))) {
        put(c, rex);
    }
    if (r->map && r->map < 4) {
        put(c, 0x0f);
        if (r->map > 1) {
            put(c, r->map == 2 ? 0x38 : 0x3a);
        }
    }
    put(c, r->opcode);
    if (modrm) {
        uint8_t reg = r->ext >= 0 ? (uint8_t)r->ext : (uint8_t)below(8);
        if (mem) {
            put_mem(c, reg, imm);
        } else {
            uint8_t rm = r->rm_fixed ? r->rm_fixed - 1 : (uint8_t)below(8);
            put(c, (uint8_t)(0xc0 | reg << 3 | rm));
        }
    }
    if (r->kind == T_JCC) {
        for (unsigned i = 0; i < (r->map ? 4u : 1u); i++) {
            put(c, 0);
        }
    } else if (r->kind == T_ENTER) {
        put(c, (uint8_t)below(64));
        put(c, 0);
        put(c, (uint8_t)below(4));
    } else {
        put_imm(c, imm);
    }
    if (!(r->flags & INSN_MAYFL) && r->kind != T_STRING) { /* REP with a count of 0 writes none */
        c->undefined &= ~(uint64_t)r->fl_write;
    }
    c->undefined |= r->fl_undef;
    c->insns++;
    c->two_faults |= r->kind == T_STRING;
    c->partial |= r->kind == T_PUSHA || r->kind == T_ENTER;
}

/* An instruction that does not read what an earlier one left undefined. */
static const InsnRow *choose(const Case *c, const InsnRow *const *rows, size_t count)
{
    const InsnRow *r;

    do {
        r = rows[below((unsigned)count)];
    } while (r->fl_read & c->undefined);
    return r;
}

static void random_state(NativeState *st, const Case *c)
{
    for (int i = 0; i < 16; i++) {
        st->gpr[i] = one_in(3) ? below(256) : one_in(2) ? rnd() : (uint64_t)(int64_t)(int32_t)rnd();
    }
    st->gpr[R_RSP] = GUEST_DATA + 0x2000 + below(64) * 8;
    st->gpr[R_RBP] = one_in(2) ? GUEST_DATA + 0x1800 + below(64) * 8 : st->gpr[R_RBP];
    st->gpr[R_RSI] = one_in(2) ? GUEST_DATA + 0x1000 - below(80) : st->gpr[R_RSI];
    st->gpr[R_RDI] = one_in(2) ? GUEST_DATA + 0x3000 - below(80) : st->gpr[R_RDI];
    st->gpr[R_RBX] = one_in(4) ? GUEST_DATA + below(0x2000) : st->gpr[R_RBX];
    if (one_in(2)) {
        st->gpr[R_RCX] = below(70);
    }
    st->gpr[c->index] = below(16);
    if (c->index == R_RSP) {
        st->gpr[R_RSP] = GUEST_DATA + 0x2000;
    }
    st->gpr[c->base] = c->pointer;
    for (int i = 0; i < 16 && c->code32; i++) {
        st->gpr[i] = i < 8 ? (uint32_t)st->gpr[i] : 0;
    }
    st->code32 = c->code32;
    st->rflags = 0x202 | (rnd() & FLAG_STATUS);
    for (int i = 0; i < 512; i++) {
        st->fx[i] = 0;
    }
    st->fx[0] = 0x7f;
    st->fx[1] = 0x03;
    uint32_t mxcsr = 0x1f80 | below(4) << 13;
    memcpy(st->fx + 24, &mxcsr, 4);
    bool full = one_in(2);
    st->fx[4] = full ? 0xff : (uint8_t)rnd();
    st->fx[3] = (uint8_t)(below(8) << 3);
    for (int i = 0; i < 8; i++) {
        uint64_t m = rnd() | 1ull << 63;
        uint16_t e = (uint16_t)(0x3fff + below(40) - 20) | (one_in(2) ? 0x8000 : 0);
        memcpy(st->fx + 32 + 16 * i, &m, 8);
        memcpy(st->fx + 40 + 16 * i, &e, 2);
    }
    for (int i = 0; i < 16; i++) {
        for (int k = 0; k < 4; k++) {
            uint32_t v = (uint32_t)rnd();
            if (one_in(2)) { /* a plausible float */
                float f = (float)((int32_t)v) / 65536.0f;
                memcpy(&v, &f, 4);
            }
            memcpy(st->fx + 160 + 16 * i + 4 * k, &v, 4);
        }
    }
}

static bool fx_equal(const uint8_t *a, const uint8_t *b, bool code32)
{
    /* not the last instruction's opcode and pointers, nor the parts that are reserved */
    return !memcmp(a, b, 6) && !memcmp(a + 24, b + 24, 4) &&
           !memcmp(a + 32, b + 32, (code32 ? 288 : 416) - 32);
}

static void show_code(const Case *c)
{
    csh h;
    cs_insn *insn;

    for (size_t i = 0; i < c->len; i++) {
        printf("%02x ", c->code[i]);
    }
    printf("\n");
    if (cs_open(CS_ARCH_X86, c->code32 ? CS_MODE_32 : CS_MODE_64, &h) == CS_ERR_OK) {
        size_t n = cs_disasm(h, c->code, c->len, GUEST_CODE, 0, &insn);
        for (size_t i = 0; i < n; i++) {
            printf("#   %s %s\n", insn[i].mnemonic, insn[i].op_str);
        }
        if (n) {
            cs_free(insn, n);
        }
        cs_close(&h);
    }
}

static const char *const reg_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

static void report(uint64_t seed, uint64_t number, const Case *c, const NativeState *before,
                   const NativeState *n, const X86Cpu *cpu, const GuestExit *g)
{
    printf("# seed %" PRIu64 " case %" PRIu64 ": ", seed, number);
    show_code(c);
    if (n->vector != g->vector || n->rip != g->rip) {
        printf("#   exception: host %d at %" PRIx64 ", translator %d at %" PRIx64 "\n", n->vector,
               n->rip, g->vector, g->rip);
    }
    for (int i = 0; i < 16; i++) {
        uint64_t v = i == R_RSP ? g->rsp : cpu->st.gpr[i];
        if (n->gpr[i] != v) {
            printf("#   %s: before %" PRIx64 " host %" PRIx64 " translator %" PRIx64 "\n",
                   reg_names[i], before->gpr[i], n->gpr[i], v);
        }
    }
    if ((n->rflags ^ g->rflags) & FLAG_STATUS) {
        printf("#   flags: before %03" PRIx64 " host %03" PRIx64 " translator %03" PRIx64 "\n",
               before->rflags & FLAG_STATUS, n->rflags & FLAG_STATUS, g->rflags & FLAG_STATUS);
    }
    if (!fx_equal(n->fx, cpu->st.xsave, c->code32)) {
        for (int i = 0; i < 416; i++) {
            if (n->fx[i] != cpu->st.xsave[i] && !(i >= 6 && i < 24) && !(i >= 28 && i < 32)) {
                printf("#   x87/SSE image differs from byte %d on: host %02x translator %02x\n", i,
                       n->fx[i], cpu->st.xsave[i]);
                break;
            }
        }
    }
    for (int i = 0; i < GUEST_DATA_SIZE; i++) {
        if (((uint8_t *)GUEST_DATA)[i] != guest_data()[i]) {
            printf("#   memory differs from %x on: host %02x translator %02x\n", GUEST_DATA + i,
                   ((uint8_t *)GUEST_DATA)[i], guest_data()[i]);
            break;
        }
    }
}

static bool same(const Case *c, const NativeState *n, const X86Cpu *cpu, const GuestExit *g)
{
    uint64_t flags = FLAG_STATUS & ~c->undefined;
    int vector = g->vector;

    if (n->vector != EXC_BP && c->insns > 1) {
        flags = 0; /* flags that a later instruction overwrites are not kept for a fault's frame */
    }
    if (c->code32 && vector == EXC_PF && n->vector == EXC_SS) {
        vector = EXC_SS; /* a push that wraps around 4 GiB */
    }
    /* An operand that wraps around 4 GiB may exceed the limit or not (SDM 3A 5.3), the page is
     * absent. */
    if (c->code32 && vector == EXC_PF && n->vector == EXC_GP && cpu->st.cr2 > UINT32_MAX - 512) {
        vector = EXC_GP;
    }
    /* Nor is there an order of an operand's fault and a pending x87 exception (SDM 3A 6.9). */
    if (n->vector == EXC_MF && (vector == EXC_PF || vector == EXC_GP || vector == EXC_SS)) {
        vector = EXC_MF;
    }
    if (c->two_faults && (vector == EXC_PF || vector == EXC_GP) &&
        (n->vector == EXC_PF || n->vector == EXC_GP)) {
        vector = n->vector;
    }

    for (int i = 0; i < 16; i++) {
        if (c->code32
                ? i < 8 && (uint32_t)n->gpr[i] != (uint32_t)(i == R_RSP ? g->rsp : cpu->st.gpr[i])
                : n->gpr[i] != (i == R_RSP ? g->rsp : cpu->st.gpr[i])) {
            return false;
        }
    }
    return n->vector == vector && n->rip == g->rip && !((n->rflags ^ g->rflags) & flags) &&
           fx_equal(n->fx, cpu->st.xsave, c->code32) &&
           ((c->partial && n->vector != EXC_BP) ||
            !memcmp((void *)GUEST_DATA, guest_data(), GUEST_DATA_SIZE));
}

static bool run_case(X86Cpu *cpu, uint64_t seed, uint64_t number, const InsnRow *const *rows,
                     size_t count, bool code32, bool verbose)
{
    static NativeState before, native;
    Case c = {.code32 = code32};
    GuestExit g;

    rng_state = seed * 0x100000001b3ull + number;
    c.base = (int)below(code32 ? 8 : 16);
    do {
        c.index = (int)below(code32 ? 8 : 16);
    } while (c.index == c.base || c.index == R_RSP);
    c.pointer = GUEST_DATA + 0x1800 + (one_in(3) ? below(256) : below(16) * 16);
    if (one_in(8)) {
        c.pointer = GUEST_DATA + 0x2000 - below(20);
    }
    for (int n = 1 + (one_in(2) ? 0 : (int)below(MAX_CASE)); n > 0; n--) {
        generate(&c, choose(&c, rows, count));
    }
    put(&c, 0xcc);
    random_state(&before, &c);
    native = before;
    uint64_t fill = rnd();
    for (int i = 0; i < GUEST_DATA_SIZE / 8; i++) {
        ((uint64_t *)GUEST_DATA)[i] = fill = fill * 6364136223846793005ull + 1442695040888963407ull;
    }
    memcpy(guest_data(), (void *)GUEST_DATA, GUEST_DATA_SIZE);
    if (verbose) {
        printf("# case %" PRIu64 ": ", number);
        show_code(&c);
        fflush(stdout);
    }
    memcpy((void *)GUEST_CODE, c.code, c.len);
    native_run(&native);

    guest_write_code(c.code, c.len);
    memcpy(cpu->st.gpr, before.gpr, sizeof before.gpr);
    cpu->st.rflags = before.rflags;
    memcpy(cpu->st.xsave, before.fx, 512);
    guest_run(cpu, code32, &g);
    /* DF and the like cannot change; a string instruction may be interrupted nowhere */
    if (!same(&c, &native, cpu, &g)) {
        report(seed, number, &c, &before, &native, cpu, &g);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, count = 500000, start = 0, failed = 0;
    g_autofree const InsnRow **rows = g_new(const InsnRow *, insn_table_count);
    const char *name = NULL;
    bool verbose = false, code32 = false;
    size_t n = 0;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--count") && i + 1 < argc) {
            count = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--start") && i + 1 < argc) {
            start = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--name") && i + 1 < argc) {
            name = argv[++i];
        } else if (!strcmp(argv[i], "--log") && i + 1 < argc) {
            log_set(argv[++i], NULL);
        } else if (!strcmp(argv[i], "--code32")) {
            code32 = true;
        } else if (!strcmp(argv[i], "--verbose")) {
            verbose = true;
        } else {
            fprintf(stderr,
                    "usage: cpu-oracle [--seed N] [--count M] [--start K] [--name MNEMONIC] "
                    "[--code32] [--verbose]\n");
            return 1;
        }
    }
    X86Cpu *cpu = guest_new();
    native_init();
    for (size_t i = 0; i < insn_table_count; i++) {
        if (usable(&insn_table[i], guest_features(cpu), code32) &&
            (!name || !strcmp(insn_table[i].name, name))) {
            rows[n++] = &insn_table[i];
        }
    }
    printf("1..1\n# seed %" PRIu64 ", %" PRIu64 " cases, %zu encodings\n", seed, count, n);
    fflush(stdout);
    for (uint64_t i = start; i < start + count && n; i++) {
        if (!run_case(cpu, seed, i, rows, n, code32, verbose) && ++failed == 20) {
            break;
        }
    }
    printf("%sok 1 - translator and host CPU agree on random instructions\n", failed ? "not " : "");
    return failed != 0;
}
