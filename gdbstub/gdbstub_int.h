/*
 * What the files of the gdb stub share.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GDBSTUB_GDBSTUB_INT_H
#define GDBSTUB_GDBSTUB_INT_H

#include "core/accel.h"
#include "gdbstub/gdbstub.h"
#include "gdbstub/packet.h"
#include "target-x86/cpu.h"
#include "ui/chardev.h"

typedef enum GdbAction { GDB_HOLD, GDB_RUN, GDB_STEP } GdbAction;

typedef struct GdbStub {
    Machine *machine;
    const MonitorHost *host;
    Chardev *chr;
    bool chr_ours; /* opened here, not by -chardev */
    CharFrontend *fe;
    GdbReader reader;
    GByteArray *out, *last; /* not taken by the back end yet; the last packet */
    bool connected;
    bool busy; /* in a command, which must not close it */
    bool no_ack;
    bool swbreak;       /* it knows swbreak and hwbreak as reasons */
    bool waiting;       /* it has let the machine run and is owed the reason of the next stop */
    int cpu, c_cpu;     /* index of the thread that Hg chose, and Hc's, which may be -1 */
    int stopped;        /* the one that the last stop was about */
    GArray *points;     /* DebugPoint */
    GdbAction *actions; /* one per vCPU */
} GdbStub;

/* stub.c */
void gdb_reply(GdbStub *s, const char *text);
void gdb_reply_len(GdbStub *s, const char *data, size_t len);
/* Runs vCPUs as s->actions says; the reply follows when they stop. */
void gdb_resume(GdbStub *s);
/* Why the machine is not running, as a reply. */
void gdb_reply_stop(GdbStub *s);
/* Gives the accelerator s->points. */
bool gdb_set_points(GdbStub *s, GError **err);
/* Forgets points and steps. */
void gdb_clear(GdbStub *s);

/* The state of vCPU N, up to date; it stays parked until gdb_cpu_done(). CHANGED: it is loaded
 * back. */
X86Cpu *gdb_cpu(GdbStub *s, int n);
void gdb_cpu_done(GdbStub *s, int n, bool changed);

/* commands.c: carries out one packet. */
void gdb_command(GdbStub *s, const char *packet, size_t len);

#endif
