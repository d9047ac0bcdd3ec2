/*
 * The portable expansions of capsules against the host's CPU: the oracle's random cases go through
 * the translator's front end, and its IR is interpreted here, capsules by their expansions.
 *
 *     test-portable [--seed N] [--count M] [--start K] [--name MNEMONIC] [--code32] [--verbose]
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target-x86/cpu.h"
#include "target-x86/helpers.h"
#include "target-x86/portable/portable.h"
#include "target-x86/translate.h"
#include "tests/cpu/generate.h"
#include "tests/cpu/guest.h"
#include "tests/cpu/native.h"
#include "tests/cpu/slack.h"

typedef struct Options {
    uint64_t seed, start, count;
    const char *name;
    bool code32, verbose;
} Options;

typedef struct Outcome {
    int vector;
    uint64_t rip;
} Outcome;

static uint8_t memory[GUEST_DATA_SIZE];
static uint64_t features;
static Slack slack; /* of the case */

/* ---- the interpreter ---- */

static uint64_t cut(uint64_t v, unsigned size)
{
    return size == 8 ? v : v & ((1ull << (8 * size)) - 1);
}

static void set(X86PortableState *st, uint8_t vreg, unsigned size, uint64_t v)
{
    uint64_t keep = size >= 4 ? 0 : ~cut(UINT64_MAX, size);

    st->gpr[vreg] = (st->gpr[vreg] & keep) | cut(v, size);
}

static uint64_t address(const X86PortableState *st, const IrMem *m)
{
    uint64_t a = (uint64_t)m->disp;

    a += m->base == VREG_NONE ? 0 : st->gpr[m->base];
    a += m->index == VREG_NONE ? 0 : st->gpr[m->index] << m->scale;
    a += m->ip_relative ? GUEST_CODE : 0;
    return cut(a, m->asize);
}

/* Host address of SIZE bytes of the data area, or NULL and the fault's vector. */
static uint8_t *access_memory(const X86PortableState *st, const IrOp *o, int *vector)
{
    uint64_t a = address(st, &o->mem), last = a + o->mem_size - 1;

    if (o->mem_aligned && a % 16) {
        slack.undefined |= st->mxcsr >> 17 & 1; /* AMD's misaligned SSE mode, by LDMXCSR */
        *vector = EXC_GP;
        return NULL;
    }
    if (last >= GUEST_CODE && a < GUEST_CODE + 4096) {
        slack.undefined = true; /* there is memory on the host, with what former cases have left */
    }
    if (a - GUEST_DATA > (uint64_t)GUEST_DATA_SIZE - o->mem_size) {
        bool canonical = (uint64_t)((int64_t)(a << 16) >> 16) == a &&
                         (uint64_t)((int64_t)(last << 16) >> 16) == last;
        *vector = canonical ? EXC_PF : o->mem.seg == SEG_SS ? EXC_SS : EXC_GP;
        return NULL;
    }
    return memory + (a - GUEST_DATA);
}

static int run_capsule(X86PortableState *st, const IrOp *o)
{
    X86PortableInsn in;
    uint8_t *p = NULL;
    int vector = -1;

    g_assert(x86_portable_prepare(o, &in));
    if (o->cap.rm_role == IR_ROLE_MEM) {
        p = access_memory(st, o, &vector);
        if (!p) {
            return vector;
        }
        memset(st->mem, 0xa5, sizeof st->mem);
        if (o->mem_acc & IR_ACC_R) {
            memcpy(st->mem, p, o->mem_size);
        }
        st->mem_addr = address(st, &o->mem);
    }
    slack_before(&slack, st, &in);
    vector = x86_portable_run(&in, st);
    slack_after(&slack, st, &in, vector);
    if (vector < 0 && st->mem_written) {
        g_assert(o->mem_acc & IR_ACC_W);
        memcpy(p, st->mem, o->mem_size);
    }
    return vector;
}

static int run_op(X86PortableState *st, const IrOp *o)
{
    int vector = -1;
    uint64_t v = 0;
    uint8_t *p;

    switch (o->op) {
    case IR_INSN:
        break;
    case IR_CAPSULE:
        return run_capsule(st, o);
    case IR_MOV:
        set(st, o->dst, o->size, st->gpr[o->src]);
        break;
    case IR_MOVI:
        set(st, o->dst, o->size, (uint64_t)o->imm);
        break;
    case IR_ANDI:
        set(st, o->dst, 8, st->gpr[o->src] & (uint64_t)o->imm);
        break;
    case IR_EA:
        set(st, o->dst, o->size, address(st, &o->mem));
        break;
    case IR_BITOFF:
        v = st->gpr[o->src] << (64 - 8 * o->size);
        set(st, o->dst, 8,
            (uint64_t)(((int64_t)v >> (64 - 8 * o->size)) >> (o->size == 2   ? 4
                                                              : o->size == 4 ? 5
                                                                             : 6)) *
                o->size);
        break;
    case IR_LD:
        p = access_memory(st, o, &vector);
        if (p) {
            memcpy(&v, p, o->mem_size);
            set(st, o->dst, o->size, v);
        }
        break;
    case IR_ST:
        p = access_memory(st, o, &vector);
        if (p) {
            memcpy(p, &st->gpr[o->src], o->mem_size);
        }
        break;
    case IR_HELPER:
        g_assert_cmpint(o->imm, ==, HELPER_x87_clean); /* tells the board, of which there is none */
        break;
    default:
        g_error("no interpretation of %s", ir_op_name(o->op));
    }
    return vector;
}

/* Up to the INT3, which is a helper call. */
static Outcome run_portable(X86PortableState *st, const Case *c)
{
    static IrBlock block;
    TranslateRequest req = {
        .code = c->code,
        .avail = c->len,
        .mode = (c->code32 ? MODE_CODE32 : MODE_CODE64) | MODE_STACK32 | MODE_FLAT |
                MODE_FSGS_FULL | MODE_PE,
        .features = features,
        .max_insns = 64,
    };

    g_assert(x86_translate(&req, &block) == TRANSLATE_OK);
    for (int i = 0; i < block.count; i++) {
        const IrOp *o = &block.ops[i];
        if (o->op == IR_HELPER_END) {
            break;
        }
        int vector = run_op(st, o);
        if (vector >= 0) {
            return (Outcome){vector, GUEST_CODE + o->insn_off};
        }
    }
    return (Outcome){EXC_BP, GUEST_CODE + c->len};
}

/* ---- comparison ---- */

static bool same_vector(const Case *c, int host, int ours)
{
    if (host == EXC_MF && (ours == EXC_PF || ours == EXC_GP || ours == EXC_SS)) {
        return true; /* no order between an operand's fault and a pending one (SDM 3A 6.9) */
    }
    if (c->code32 && ours == EXC_PF && (host == EXC_GP || host == EXC_SS)) {
        return true; /* an operand that wraps around 4 GiB (SDM 3A 5.3) */
    }
    return host == ours;
}

static bool same_gpr(const Case *c, uint64_t a, uint64_t b, int n)
{
    return c->code32 ? n >= 8 || (uint32_t)a == (uint32_t)b : a == b;
}

static bool same(const Case *c, const NativeState *n, const X86PortableState *st, const uint8_t *fx,
                 Outcome o)
{
    uint32_t flags = FLAG_STATUS & ~(uint32_t)c->undefined;

    if (n->vector != EXC_BP && c->insns > 1) {
        flags = 0; /* what is undefined is known at the end only */
    }
    for (int i = 0; i < 16; i++) {
        if (!same_gpr(c, n->gpr[i], st->gpr[i], i)) {
            return false;
        }
    }
    return same_vector(c, n->vector, o.vector) && n->rip == o.rip &&
           !((n->rflags ^ st->flags) & flags) && fx_equal(n->fx, fx, c->code32) &&
           !memcmp((void *)GUEST_DATA, memory, sizeof memory);
}

static void show_fx(const char *what, const uint8_t *a, const uint8_t *b)
{
    printf("#   %s: FCW %02x%02x FSW %02x%02x FTW %02x MXCSR %02x%02x\n", what, a[1], a[0], a[3],
           a[2], a[4], a[25], a[24]);
    for (int i = 32; i < 416; i += 16) {
        if (memcmp(a + i, b + i, 16)) {
            printf("#   %s: %s%d", what, i < 160 ? "st" : "xmm",
                   i < 160 ? i / 16 - 2 : i / 16 - 10);
            for (int k = 15; k >= 0; k--) {
                printf("%s%02x", k % 4 == 3 ? " " : "", a[i + k]);
            }
            printf("\n");
        }
    }
}

static void report(const Options *opt, uint64_t number, const Case *c, const NativeState *before,
                   const NativeState *n, const X86PortableState *st, const uint8_t *fx, Outcome o)
{
    printf("# seed %" PRIu64 " case %" PRIu64 ": ", opt->seed, number);
    case_show(c);
    if (!same_vector(c, n->vector, o.vector) || n->rip != o.rip) {
        printf("#   exception: host %d at %" PRIx64 ", portable %d at %" PRIx64 "\n", n->vector,
               n->rip, o.vector, o.rip);
    }
    for (int i = 0; i < 16; i++) {
        if (!same_gpr(c, n->gpr[i], st->gpr[i], i)) {
            printf("#   %s: before %" PRIx64 " host %" PRIx64 " portable %" PRIx64 "\n",
                   reg_names[i], before->gpr[i], n->gpr[i], st->gpr[i]);
        }
    }
    if ((n->rflags ^ st->flags) & FLAG_STATUS & ~c->undefined) {
        printf("#   flags: before %03" PRIx64 " host %03" PRIx64 " portable %03" PRIx32 "\n",
               before->rflags & FLAG_STATUS, n->rflags & FLAG_STATUS, st->flags & FLAG_STATUS);
    }
    if (!fx_equal(n->fx, fx, c->code32)) {
        uint8_t all[512];
        memset(all, 0x5a, sizeof all);
        show_fx("before  ", before->fx, opt->verbose ? all : n->fx);
        show_fx("host    ", n->fx, fx);
        show_fx("portable", fx, n->fx);
    }
    for (int i = 0; i < GUEST_DATA_SIZE; i++) {
        const uint8_t *host = (const uint8_t *)GUEST_DATA;
        if (host[i] != memory[i]) {
            printf("#   memory differs from %x on: host", GUEST_DATA + i);
            for (int k = 0; k < 16 && i + k < GUEST_DATA_SIZE; k++) {
                printf(" %02x", host[i + k]);
            }
            printf(", portable");
            for (int k = 0; k < 16 && i + k < GUEST_DATA_SIZE; k++) {
                printf(" %02x", memory[i + k]);
            }
            printf("\n");
            break;
        }
    }
}

/* ---- cases ---- */

static bool run_case(const Options *opt, uint64_t number, const InsnRow *const *rows, size_t count,
                     uint64_t *skipped)
{
    static NativeState before, native;
    static X86PortableState st;
    uint8_t fx[512];
    Case c;

    rnd_seed(opt->seed, number);
    case_start(&c, opt->code32);
    for (int n = one_in(4) ? 3 : 1; n > 0; n--) {
        case_add(&c, rows, count);
    }
    case_end(&c);
    case_state(&before, &c, true);
    native = before;
    case_fill_memory(one_in(2));
    memcpy(memory, (void *)GUEST_DATA, sizeof memory);
    if (opt->verbose) {
        printf("# case %" PRIu64 ": ", number);
        case_show(&c);
        fflush(stdout);
    }
    memcpy((void *)GUEST_CODE, c.code, c.len);
    native_run(&native);

    slack = (Slack){0};
    memset(&st, 0, sizeof st);
    memcpy(st.gpr, before.gpr, sizeof before.gpr);
    st.flags = (uint32_t)before.rflags;
    x86_portable_load_fx(&st, before.fx);
    memcpy(&st.mxcsr_mask, native.fx + 28, 4); /* the host's */
    Outcome o = run_portable(&st, &c);
    memcpy(fx, before.fx, sizeof fx);
    x86_portable_store_fx(&st, fx);
    slack_apply(&slack, fx, native.fx, c.insns);
    if (slack.undefined) {
        ++*skipped;
    } else if (!same(&c, &native, &st, fx, o)) {
        report(opt, number, &c, &before, &native, &st, fx, o);
        return false;
    }
    return true;
}

static bool is_capsule(const InsnRow *r)
{
    return r->kind == T_CAPSULE || r->kind == T_BSWAP;
}

static bool test_random(const Options *opt)
{
    g_autofree const InsnRow **rows = g_new(const InsnRow *, insn_table_count);
    uint64_t failed = 0, skipped = 0;
    size_t n = 0;

    for (size_t i = 0; i < insn_table_count; i++) {
        const InsnRow *r = &insn_table[i];
        bool usable = (is_capsule(r) && x86_portable_has(r)) || r->kind == T_INCDEC_R ||
                      r->kind == T_XCHG_R || r->kind == T_MOV_RI;
        if (usable && case_usable(r, features, opt->code32) &&
            (!opt->name || !strcmp(r->name, opt->name))) {
            rows[n++] = r;
        }
    }
    printf("# seed %" PRIu64 ", %" PRIu64 " cases, %zu encodings\n", opt->seed, opt->count, n);
    fflush(stdout);
    for (uint64_t i = opt->start; i < opt->start + opt->count && n; i++) {
        if (!run_case(opt, i, rows, n, &skipped) && ++failed == 20) {
            break;
        }
    }
    printf("# %" PRIu64 " of them have an undefined result\n", skipped);
    return !failed;
}

/* How many mnemonics have none; they are printed. */
static unsigned count_missing(void)
{
    g_autoptr(GHashTable) missing = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; i < insn_table_count; i++) {
        const InsnRow *r = &insn_table[i];
        if (is_capsule(r) && !x86_portable_has(r) && g_hash_table_add(missing, (gpointer)r->name)) {
            printf("# no portable expansion: %s\n", r->name);
        }
    }
    return g_hash_table_size(missing);
}

int main(int argc, char **argv)
{
    bool quick = g_getenv("TEST_QUICK") && *g_getenv("TEST_QUICK");
    const char *seed = g_getenv("TEST_SEED");
    Options opt = {.seed = seed ? strtoull(seed, NULL, 0) : 1, .count = quick ? 50000 : 240000};
    bool all = argc == 1, ok;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
            opt.seed = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--count") && i + 1 < argc) {
            opt.count = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--start") && i + 1 < argc) {
            opt.start = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--name") && i + 1 < argc) {
            opt.name = argv[++i];
        } else if (!strcmp(argv[i], "--code32")) {
            opt.code32 = true;
        } else if (!strcmp(argv[i], "--verbose")) {
            opt.verbose = true;
        } else if (!strcmp(argv[i], "--tap")) {
            all = true; /* tests/run's, for GLib's test programs */
        } else {
            fprintf(stderr, "usage: test-portable [--seed N] [--count M] [--start K] "
                            "[--name MNEMONIC] [--code32] [--verbose]\n");
            return 1;
        }
    }
    features = guest_features(guest_new());
    native_init();
    if (!all) {
        ok = test_random(&opt);
        printf("1..1\n%sok 1 - agrees with the host's CPU\n", ok ? "" : "not ");
        return !ok;
    }
    printf("1..3\n");
    unsigned missing = count_missing();
    printf("ok 1 - every capsule has a portable expansion%s\n",
           missing ? " # SKIP see the list" : "");
    ok = test_random(&opt);
    printf("%sok 2 - 64-bit code agrees with the host's CPU\n", ok ? "" : "not ");
    all = ok;
    opt.code32 = true;
    opt.count /= 4;
    ok = test_random(&opt);
    printf("%sok 3 - 32-bit code agrees with the host's CPU\n", ok ? "" : "not ");
    return !(all && ok);
}
