/*
 * The native side of the oracle: a jump into the code with all registers loaded, and signal
 * handlers that take them back. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/cpu/native.h"

#include <glib.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "target-x86/cpu.h"
#include "tests/cpu/guest.h"

enum { CS_USER64 = 0x33, CS_USER32 = 0x23 }; /* Linux's */

static NativeState *volatile running;
static struct sigaction before[NSIG];

void native_enter(NativeState *st);
void native_enter32(NativeState *st);
extern const char native_leave[];
extern uint64_t native_rsp, native_target;

__asm__(".text\n"
        ".globl native_enter\n"
        "native_enter:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, native_rsp(%rip)\n"
        "  fxrstor64 136+8(%rdi)\n" /* see the static assert below */
        "  push 128(%rdi); popf\n"
        "  mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
        "  mov 32(%rdi), %rsp; mov 40(%rdi), %rbp; mov 48(%rdi), %rsi\n"
        "  mov 64(%rdi), %r8; mov 72(%rdi), %r9; mov 80(%rdi), %r10; mov 88(%rdi), %r11\n"
        "  mov 96(%rdi), %r12; mov 104(%rdi), %r13; mov 112(%rdi), %r14; mov 120(%rdi), %r15\n"
        "  mov 56(%rdi), %rdi\n"
        "  jmp *native_target(%rip)\n"
        ".globl native_enter32\n"
        "native_enter32:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, native_rsp(%rip)\n"
        "  fxrstor64 144(%rdi)\n"
        "  push 128(%rdi); popf\n"
        "  mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
        "  mov 32(%rdi), %rsp; mov 40(%rdi), %rbp; mov 48(%rdi), %rsi\n"
        "  mov 56(%rdi), %rdi\n"
        "  ljmp *native_target(%rip)\n"
        ".globl native_leave\n"
        "native_leave:\n"
        "  mov native_rsp(%rip), %rsp\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  cld\n"
        "  fninit\n"
        "  ldmxcsr native_mxcsr(%rip)\n"
        "  ret\n"
        ".data\n"
        ".balign 8\n"
        ".globl native_rsp, native_target\n"
        "native_rsp: .quad 0\n"
        "native_target: .quad 0\n" /* its high half is the code segment of the far jump */
        "native_mxcsr: .long 0x1f80\n"
        ".text\n");

_Static_assert(offsetof(NativeState, rflags) == 128, "native_enter");
_Static_assert(offsetof(NativeState, fx) == 144, "native_enter");

static int vector_of(int sig, const siginfo_t *info, const ucontext_t *uc)
{
    switch (sig) {
    case SIGTRAP:
        return EXC_BP;
    case SIGILL:
        return EXC_UD;
    case SIGFPE:
        if (info->si_code == FPE_INTDIV) {
            return EXC_DE;
        }
        return (int)uc->uc_mcontext.gregs[REG_TRAPNO];
    case SIGBUS:
        return EXC_SS;
    default:
        return info->si_code == SI_KERNEL ? EXC_GP : EXC_PF;
    }
}

static void handler(int sig, siginfo_t *info, void *context)
{
    static const int regs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                 REG_R12, REG_R13, REG_R14, REG_R15};
    ucontext_t *uc = context;
    NativeState *st = running;

    if (!st) {
        before[sig].sa_sigaction(sig, info, context);
        return;
    }
    for (int i = 0; i < 16; i++) {
        st->gpr[i] = (uint64_t)uc->uc_mcontext.gregs[regs[i]];
    }
    st->rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
    st->rflags = (uint64_t)uc->uc_mcontext.gregs[REG_EFL];
    memcpy(st->fx, uc->uc_mcontext.fpregs, 512);
    st->vector = vector_of(sig, info, uc);
    running = NULL;
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)native_leave;
    uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)FLAG_DF;
    uc->uc_mcontext.gregs[REG_CSGSFS] = (uc->uc_mcontext.gregs[REG_CSGSFS] & ~0xffffll) | CS_USER64;
}

void native_init(void)
{
    static const int signals[] = {SIGTRAP, SIGILL, SIGFPE, SIGSEGV, SIGBUS};
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    void *code = mmap((void *)GUEST_CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    void *data = mmap((void *)GUEST_DATA, GUEST_DATA_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    g_assert(code == (void *)GUEST_CODE && data == (void *)GUEST_DATA);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &sa, &before[signals[i]]);
    }
}

void native_run(NativeState *st)
{
    uint16_t ds;

    running = st;
    if (!st->code32) {
        native_target = GUEST_CODE;
        native_enter(st);
        return;
    }
    /* 64-bit code runs with null data segments, which 32-bit code cannot use */
    native_target = GUEST_CODE | (uint64_t)CS_USER32 << 32;
    __asm__ volatile("mov %%ds, %0" : "=r"(ds));
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" ::"r"(0x2b));
    native_enter32(st);
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" ::"r"((uint32_t)ds));
}
