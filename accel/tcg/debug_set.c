/*
 * What a debugger wants of the translator. Every vCPU is parked.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/debug.h"
#include "accel/tcg/tcg_accel.h"
#include "core/machine.h"
#include "core/safepoint.h"

static void changed(Cpu *cpu, void *data)
{
    (void)data;
    tcg_debug_changed((TcgCpu *)cpu);
}

bool tcg_set_debug_points(Accel *accel, Cpu *cpu, const DebugPoint *points, size_t count,
                          GError **err)
{
    TcgAccel *a = (TcgAccel *)accel;
    Machine *m = accel->machine;

    (void)cpu, (void)err;
    g_free(a->points);
    a->points = g_memdup2(points, count * sizeof(points[0]));
    a->point_count = count;
    for (int i = 0; i < m->cpu_count; i++) {
        safepoint_post(m->cpus[i], changed, NULL);
    }
    return true;
}

void tcg_set_single_step(Cpu *cpu, bool on)
{
    TcgCpu *c = (TcgCpu *)cpu;

    if (c->debug.step != on) {
        c->debug.step = on;
        safepoint_post(cpu, changed, NULL);
    }
}
