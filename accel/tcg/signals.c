/*
 * Host faults of generated code become guest exceptions.
 *
 * A capsule may fault natively: division (SIGFPE), unmasked x87 and SIMD exceptions (SIGFPE),
 * alignment (SIGSEGV from a general protection fault), an encoding this host refuses (SIGILL). The
 * handler finds the block by the host pc and the instruction by the block's fault table, moves the
 * registers to the CPU state, and lets the thread go on in the unwinding thunk. Vectors stay in the
 * signal frame and come back with it. A pc that no table knows is a bug of ours: the default action
 * follows.
 *
 * The handler runs on an alternate stack of its own thread; it reads only the thread's vCPU and
 * blocks, which cannot go away while generated code runs. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "accel/tcg/tcg_accel.h"
#include "core/safepoint.h"
#include "util/keyval.h"

static TcgAccel *signal_accel;

static int vector_of(int sig, const siginfo_t *info)
{
    switch (sig) {
    case SIGFPE:
        return info->si_code == FPE_INTDIV || info->si_code == FPE_INTOVF ? EXC_DE : -1;
    case SIGSEGV:
    case SIGBUS:
        return EXC_GP;
    default:
        return EXC_UD;
    }
}

/* SIMD exceptions and x87 ones share the other codes of SIGFPE: MXCSR tells. */
static int float_vector(const ucontext_t *uc)
{
    uint32_t mxcsr = uc->uc_mcontext.fpregs->mxcsr;

    return mxcsr & ~(mxcsr >> 7) & 0x3f ? EXC_XM : EXC_MF;
}

static const int gregs[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static bool recover(TcgCpu *c, const Block *b, int vector, ucontext_t *uc)
{
    greg_t *g = uc->uc_mcontext.gregs;
    uint64_t off = (uint64_t)g[REG_RIP] - b->code;

    for (int i = 0; i < b->fault_count; i++) {
        const HostFault *f = &b->faults[i];
        if (f->code_off != off) {
            continue;
        }
        for (int r = 0; r < 16; r++) {
            if (host_pinned(r) >= 0) {
                c->x.st.gpr[r] = (uint64_t)g[gregs[host_pinned(r)]];
            }
        }
        if (f->flags_host) {
            c->fl_saved = flags_pack((uint64_t)g[REG_EFL]);
        }
        tcg_sync_state(c, f->insn_off, f->insn_len);
        c->exc_vector = vector;
        c->has_error = vector == EXC_GP;
        c->exc_error = 0;
        c->exc_trap = false;
        g[REG_RAX] = vector == EXC_MF && !(c->x.st.cr0 & CR0_NE) ? EXIT_X87_ERROR : EXIT_EXCEPTION;
        g[REG_RIP] = (greg_t)(uintptr_t)c->accel->thunks.unwind_from_signal;
        return true;
    }
    return false;
}

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    TcgCpu *c = (TcgCpu *)safepoint_current_cpu();
    TcgAccel *a = signal_accel;
    uint64_t pc = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];

    if (a && c && pc - a->rx < a->size) {
        int vector = vector_of(sig, info);
        Block *b = code_block_at(a, pc);
        if (b && recover(c, b, vector < 0 ? float_vector(uc) : vector, uc)) {
            return;
        }
    }
    /* not ours: die of it as if there were no handler */
    signal(sig, SIG_DFL);
}

void tcg_signals_init(TcgAccel *a)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static const int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL};

    signal_accel = a;
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
}

bool tcg_signals_thread_init(GError **err)
{
    size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 64 * 1024;
    stack_t ss = {.ss_sp = g_malloc(size), .ss_size = size};

    if (sigaltstack(&ss, NULL) < 0) {
        emu_set_error(err, "signal stack: %s", g_strerror(errno));
        return false;
    }
    return true;
}
