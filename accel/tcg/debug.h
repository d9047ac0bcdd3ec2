/*
 * Breakpoints, watchpoints and single steps: the guest's (DR0..DR3, DR7) and a debugger's.
 *
 * While there are none, they cost one test in the loop and one on slow paths. A page with an
 * instruction breakpoint is left to the loop: it gets no jump cache entry and no exec_note(), so
 * that nothing leads there but next_block(), and its code runs one instruction at a time, each
 * looked at first. A page with watched bytes has impossible TLB tags for that kind of access, which
 * thus takes the slow path. A hit there leaves the block before anything has happened; the loop
 * runs the instruction again, alone, with hits noted, and what they lead to comes behind it (SDM 3B
 * 17.2, 17.3.1: instruction breakpoints are faults, all others traps). An access of a delivery has
 * no instruction to repeat: it is noted at once.
 *
 * RFLAGS.RF is exact only while the guest has an instruction breakpoint; else nothing reads it.
 *
 * GPR-only, but for debug_set.c. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_TCG_DEBUG_H
#define ACCEL_TCG_DEBUG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"

typedef struct Accel Accel;
typedef struct DebugPoint DebugPoint;
typedef struct TcgCpu TcgCpu;

/* Of a vCPU; its own thread's, but for STEP, which is set while it is parked. */
typedef struct TcgDebug {
    bool active; /* the loop has to ask tcg_debug_before() */
    bool code, guest_code, data;
    bool step;      /* stop behind the next instruction */
    bool hold;      /* interrupts wait meanwhile */
    bool again;     /* the next instruction is one that was left, to be run alone */
    bool recording; /* one instruction runs alone: hits are noted */
    uint8_t hits;   /* DR6.B3:B0 of data and port accesses noted */
    uint64_t rf;    /* RFLAGS.RF in front of the instruction that runs alone */
} TcgDebug;

/* What tcg_debug_before() and tcg_debug_after() want of the loop. */
enum {
    TCG_DEBUG_GO,
    TCG_DEBUG_ONE,   /* run the next instruction alone */
    TCG_DEBUG_RAISE, /* deliver #DB, which is prepared */
    TCG_DEBUG_STOP,  /* the debugger has the word; cpu->debug_stop says why */
};

/* DR7, DR0..DR3 or the debugger's points have changed: on the vCPU's thread. */
void tcg_debug_changed(TcgCpu *c);
/* True when the page of linear address LINEAR has an instruction breakpoint. */
bool tcg_debug_code_page(const TcgCpu *c, uint64_t linear);
/* Which accesses to the page of LINEAR are watched: DEBUG_READ | DEBUG_WRITE. */
enum { DEBUG_READ = 1, DEBUG_WRITE = 2 };
unsigned tcg_debug_data_page(const TcgCpu *c, uint64_t linear);
/* The guest is about to access these bytes, or ports. May unwind. */
void tcg_debug_access(TcgCpu *c, uint64_t linear, unsigned size, unsigned kinds);
void tcg_debug_port(TcgCpu *c, uint16_t port, unsigned size);

/* Before the instruction at linear address LINEAR; ALONE: it is run alone anyway. */
int tcg_debug_before(TcgCpu *c, uint64_t linear, bool alone);
/* After an instruction that ran alone: COMPLETED, or left to be continued; TRAP: RFLAGS.TF was set
 * in front of it. */
int tcg_debug_after(TcgCpu *c, bool completed, bool trap);
/* After something else happened that ends a debugger's step. True: the debugger has the word. */
bool tcg_debug_stepped(TcgCpu *c);

/* debug_set.c: as in core/accel.h. */
bool tcg_set_debug_points(Accel *accel, Cpu *cpu, const DebugPoint *points, size_t count,
                          GError **err);
void tcg_set_single_step(Cpu *cpu, bool on);

#endif
