/*
 * Interrupt lines: one wire from a device's output to one input of another.
 *
 * A line is level-style: set it to 0 or 1; edges are the receiver's business. Lines are plain
 * values embedded in or allocated beside their receiver, which outlives every sender.
 * Thread: the machine lock is held by the caller of irq_set().
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

typedef void (*IrqHandler)(void *opaque, int n, int level);

typedef struct IrqLine {
    IrqHandler handler;
    void *opaque;
    int n;
} IrqLine;

/* Sets LINE to LEVEL (0 or 1). A NULL line is a wire that is not connected: nothing happens. */
static inline void irq_set(const IrqLine *line, int level)
{
    if (line && line->handler) {
        line->handler(line->opaque, line->n, level);
    }
}

static inline void irq_raise(const IrqLine *line)
{
    irq_set(line, 1);
}

static inline void irq_lower(const IrqLine *line)
{
    irq_set(line, 0);
}

static inline void irq_pulse(const IrqLine *line)
{
    irq_set(line, 1);
    irq_set(line, 0);
}

/* Fills LINES[0..COUNT-1] with inputs 0..COUNT-1 of one receiver. */
static inline void irq_lines_init(IrqLine *lines, int count, IrqHandler handler, void *opaque)
{
    for (int i = 0; i < count; i++) {
        lines[i] = (IrqLine){.handler = handler, .opaque = opaque, .n = i};
    }
}

#endif
