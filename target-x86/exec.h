/*
 * What the translator and the semantics of system instructions owe each other.
 *
 * Instructions too rare or too intricate to translate inline are C functions ("helpers") in
 * target-x86/, called from generated code. These files, and accel/tcg's memory and execution loop,
 * are compiled with -mgeneral-regs-only and call no libc, GLib or PLT function: the guest's vector,
 * x87 and MXCSR state stays live in the host's registers while they run. What needs any other C
 * code goes through exec_call_c(), which saves that state, runs the function with the C
 * environment's defaults, and restores it.
 *
 * When a helper is called, cpu->st holds all guest GPRs, complete RFLAGS, and st.rip is the address
 * of the current instruction; exec_next_rip() is that of the next. A helper that transfers control
 * sets st.rip; the others leave it alone. All run on the vCPU's own thread without the machine
 * lock.
 *
 * Faults: x86_raise*() never return; what the instruction changed before must be what the
 * architecture says a fault leaves behind (check first, then commit). Memory accesses through
 * x86_ld/x86_st raise page faults the same way. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_EXEC_H
#define TARGET_X86_EXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "target-x86/cpu.h"

#define X86_NORETURN __attribute__((noreturn))

/* ---- provided by accel/tcg ---- */

X86_NORETURN void x86_raise(X86Cpu *cpu, int vector);
X86_NORETURN void x86_raise_err(X86Cpu *cpu, int vector, uint32_t error_code);
/* A trap: like x86_raise but the saved instruction pointer is RIP. */
X86_NORETURN void x86_raise_at(X86Cpu *cpu, int vector, uint64_t rip);
/* Ends the helper and the block at once, after the helper has set st.rip. */
X86_NORETURN void x86_exit_loop(X86Cpu *cpu);

/* Which rights an access has. */
typedef enum MmuAccess {
    MMU_CURRENT, /* the current CPL and EFLAGS.AC */
    MMU_SYSTEM,  /* as supervisor whatever the CPL: descriptor tables, TSS, interrupt frames to ring
                    0 */
    MMU_USER,    /* as CPL 3: interrupt frames pushed to an outer stack */
} MmuAccess;

/* SIZE 1, 2, 4, 8 at a linear address; may straddle pages; MMIO works too. Raise #PF. */
uint64_t x86_ld(X86Cpu *cpu, uint64_t linear, unsigned size, MmuAccess access);
void x86_st(X86Cpu *cpu, uint64_t linear, uint64_t value, unsigned size, MmuAccess access);
/* Raises #PF if SIZE bytes at LINEAR cannot be written. */
void x86_probe_write(X86Cpu *cpu, uint64_t linear, unsigned size, MmuAccess access);
/* Host address of the byte at LINEAR when it and the rest of its page are RAM that this kind of
 * access may touch without side effects, else NULL. Raises #PF. */
uint8_t *x86_host_ptr(X86Cpu *cpu, uint64_t linear, bool write);
/* Something waits that may interrupt the guest; long instructions ask between steps. */
bool x86_poll_pending(X86Cpu *cpu);
/* Physical access. */
uint64_t x86_ld_phys(X86Cpu *cpu, uint64_t addr, unsigned size);
void x86_st_phys(X86Cpu *cpu, uint64_t addr, uint64_t value, unsigned size);
/* Atomically replaces OLD by VALUE in a paging-structure entry of SIZE 4 or 8 in RAM; false when it
 * held something else meanwhile. */
bool x86_cas_phys(X86Cpu *cpu, uint64_t addr, uint64_t old, uint64_t value, unsigned size);

uint64_t x86_port_in(X86Cpu *cpu, uint16_t port, unsigned size);
void x86_port_out(X86Cpu *cpu, uint16_t port, uint32_t value, unsigned size);
uint64_t x86_rdtsc(X86Cpu *cpu); /* guest's TSC now, offset applied */
void x86_set_tsc(X86Cpu *cpu, uint64_t value);

/* Address of the instruction after the current one. */
uint64_t exec_next_rip(X86Cpu *cpu);
/* Runs any C function with the guest's vector state saved away; returns its value. */
uint64_t exec_call_c(uint64_t (*fn)(X86Cpu *cpu, uint64_t a, uint64_t b), X86Cpu *cpu, uint64_t a,
                     uint64_t b);

/* TLB. */
void x86_tlb_flush_all(X86Cpu *cpu);                   /* globals too, every address space */
void x86_tlb_flush_page(X86Cpu *cpu, uint64_t linear); /* INVLPG: all sizes, globals too */
/* CR3 was written: select the address space of the new PCID; FLUSH drops its non-global entries. */
void x86_tlb_switch(X86Cpu *cpu, bool flush);
void x86_tlb_flush_pcid(X86Cpu *cpu, uint16_t pcid); /* non-global entries of one PCID */
void x86_tlb_flush_pcid_page(X86Cpu *cpu, uint16_t pcid, uint64_t linear);
void x86_tlb_flush_nonglobal(X86Cpu *cpu); /* of every PCID */
/* CPL, CR0, CR4, EFER, a segment register, EFLAGS.{TF,DF,AC,VM,IF,IOPL} or x87/SSE availability
 * changed: recompute the translator's mode bits. Cheap; every helper that changes one of them calls
 * it. */
void x86_mode_changed(X86Cpu *cpu);
/* DR0..DR3 or DR7 changed; the next instruction is the first of a block. */
void x86_debug_changed(X86Cpu *cpu);
/* RFLAGS.IF, the interrupt shadow, NMI blocking or CR8 changed so that an event may be deliverable
 * now. */
void x86_recheck_events(X86Cpu *cpu);
/* Stops until an event: the body of HLT. st.rip is that of the next instruction already. */
X86_NORETURN void x86_halt(X86Cpu *cpu);
/* Triple fault or the like: the machine is reset. */
X86_NORETURN void x86_triple_fault(X86Cpu *cpu);

/* ---- provided by target-x86 ---- */

/* seg.c: segment loads and far transfers (SDM 2 instruction pages; 3A 5, 6.8) */
void x86_load_seg(X86Cpu *cpu, int seg, uint16_t selector); /* MOV/POP Sreg, LDS ... */
void x86_far_jmp(X86Cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize);
void x86_far_call(X86Cpu *cpu, uint16_t selector, uint64_t offset, unsigned opsize);
void x86_far_ret(X86Cpu *cpu, unsigned opsize, uint16_t pop_bytes);
void x86_iret(X86Cpu *cpu, unsigned opsize);
void x86_lldt(X86Cpu *cpu, uint16_t selector);
void x86_ltr(X86Cpu *cpu, uint16_t selector);
/* LAR, LSL, VERR, VERW: set ZF in st.rflags; result in the return value where ZF is set. */
uint64_t x86_lar(X86Cpu *cpu, uint16_t selector);
uint64_t x86_lsl(X86Cpu *cpu, uint16_t selector);
void x86_verr(X86Cpu *cpu, uint16_t selector);
void x86_verw(X86Cpu *cpu, uint16_t selector);

/*
 * interrupt.c: delivery (SDM 3A 7). A fault while delivering leaves x86_deliver() through
 * x86_raise_err() like any other, with st as before the delivery; the execution loop then delivers
 * that fault, and x86_deliver(), which knows from cpu->delivering what it had begun, makes it a #DF
 * or a triple fault where the architecture says so.
 */
typedef enum IntKind {
    INT_HW,
    INT_EXCEPTION,
    INT_SOFT /* INT n */,
    INT_SOFT3 /* INT3, INTO, INT1 */
} IntKind;
/* NEXT_RIP: the saved instruction pointer of soft interrupts and traps; faults save st.rip. */
void x86_deliver(X86Cpu *cpu, IntKind kind, int vector, bool has_error, uint32_t error,
                 uint64_t saved_rip);
/* INT n from the guest: checks IOPL/DPL, may raise. */
void x86_int_n(X86Cpu *cpu, int vector, IntKind kind);

/* syscall.c */
void x86_syscall(X86Cpu *cpu);
void x86_sysret(X86Cpu *cpu, unsigned opsize);
void x86_sysenter(X86Cpu *cpu);
void x86_sysexit(X86Cpu *cpu, unsigned opsize);

/* control.c: control and debug registers, MSRs in msr.c, CPUID in cpuid.c */
uint64_t x86_read_cr(X86Cpu *cpu, int n);
void x86_write_cr(X86Cpu *cpu, int n, uint64_t value);
uint64_t x86_read_dr(X86Cpu *cpu, int n);
void x86_write_dr(X86Cpu *cpu, int n, uint64_t value);
/* Whether CR3 points to PAE paging's four PDPTEs, which are loaded with it. */
bool x86_uses_pdptrs(const X86State *st);
/* These as CR3 would load them; raises #GP for reserved bits. */
void x86_read_pdptrs(X86Cpu *cpu, uint64_t cr3, uint64_t pdptr[4]);
void x86_lmsw(X86Cpu *cpu, uint16_t value);
void x86_clts(X86Cpu *cpu);
void x86_rdmsr(X86Cpu *cpu); /* ECX -> EDX:EAX */
void x86_wrmsr(X86Cpu *cpu);
void x86_cpuid(X86Cpu *cpu); /* EAX, ECX in; EAX..EDX out */
void x86_xgetbv(X86Cpu *cpu);
void x86_xsetbv(X86Cpu *cpu);
void x86_invpcid(X86Cpu *cpu, uint64_t type, uint64_t linear_descriptor);
void x86_rdtsc_insn(X86Cpu *cpu, bool with_aux); /* RDTSC, RDTSCP */
void x86_rdpmc(X86Cpu *cpu);
void x86_lgdt(X86Cpu *cpu, uint64_t linear, unsigned opsize); /* reads limit and base from memory */
void x86_lidt(X86Cpu *cpu, uint64_t linear, unsigned opsize);
void x86_sgdt(X86Cpu *cpu, uint64_t linear, unsigned opsize);
void x86_sidt(X86Cpu *cpu, uint64_t linear, unsigned opsize);
/* POPF's new value under the current IOPL/CPL/VM rules; PUSHF's value. V86 with IOPL < 3 may raise.
 */
void x86_popf(X86Cpu *cpu, uint64_t value, unsigned opsize);
uint64_t x86_pushf(X86Cpu *cpu, unsigned opsize);
void x86_cli(X86Cpu *cpu);
void x86_sti(X86Cpu *cpu);
/* Raises #GP unless IN/OUT of SIZE at PORT is allowed (IOPL, TSS bitmap). */
void x86_check_io(X86Cpu *cpu, uint16_t port, unsigned size);

/* smm.c */
void x86_enter_smm(X86Cpu *cpu);
void x86_rsm(X86Cpu *cpu);

/* paging.c */
typedef enum WalkAccess { WALK_READ, WALK_WRITE, WALK_EXEC } WalkAccess;

typedef struct WalkResult {
    uint64_t phys;     /* address of LINEAR */
    uint8_t page_bits; /* 12, 21, 22, 30 */
    bool writable;     /* a write of this kind is allowed and the D bit is set already */
    bool executable;   /* a fetch of this kind is allowed */
    bool user;         /* U/S of the whole path */
    bool global;
    uint32_t fault; /* not 0: no translation, #PF error code | WALK_FAULT */
} WalkResult;
#define WALK_FAULT (1u << 31)
/* With WALK_FAULT: LINEAR is not canonical, which is #GP(0), or #SS(0) for a stack access. */
#define WALK_NONCANONICAL (1u << 30)

/*
 * Translates LINEAR by the current CR0, CR3, CR4, EFER (SDM 3A 4) for an access with user rights
 * (AS_USER) or supervisor rights, SMAP in force unless AC_SET. Sets accessed and dirty bits unless
 * PEEK. WRITABLE and EXECUTABLE speak of later accesses with the same rights.
 */
void x86_walk(X86Cpu *cpu, uint64_t linear, WalkAccess access, bool as_user, bool ac_set, bool peek,
              WalkResult *out);

#endif
