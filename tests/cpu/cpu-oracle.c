/*
 * The oracle: random instructions from the encoding table, run on the host CPU and in the
 * translator; registers, flags, memory, x87, vectors, MXCSR and the exception must be the same.
 *
 *     cpu-oracle --seed N --count M [--name MNEMONIC] [--code32] [--verbose] [--log ITEMS]
 *
 * A case (tests/cpu/generate.h) is one to six instructions and an INT3.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cpu/generate.h"
#include "tests/cpu/guest.h"
#include "tests/cpu/native.h"
#include "util/log.h"

static void report(uint64_t seed, uint64_t number, const Case *c, const NativeState *before,
                   const NativeState *n, const X86Cpu *cpu, const GuestExit *g)
{
    printf("# seed %" PRIu64 " case %" PRIu64 ": ", seed, number);
    case_show(c);
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
    Case c;
    GuestExit g;

    rnd_seed(seed, number);
    case_start(&c, code32);
    for (int n = 1 + (one_in(2) ? 0 : (int)below(MAX_CASE)); n > 0; n--) {
        case_add(&c, rows, count);
    }
    case_end(&c);
    case_state(&before, &c, one_in(2));
    native = before;
    case_fill_memory(one_in(2));
    memcpy(guest_data(), (void *)GUEST_DATA, GUEST_DATA_SIZE);
    if (verbose) {
        printf("# case %" PRIu64 ": ", number);
        case_show(&c);
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
        if (case_usable(&insn_table[i], guest_features(cpu), code32) &&
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
