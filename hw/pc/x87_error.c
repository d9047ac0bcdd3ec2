/*
 * x87 errors as the PC/AT reports them, for guests that leave CR0.NE clear (SDM 1 appendix D.2.1;
 * 82371SB data sheet, "Coprocessor error"): FERR# of the first CPU sets a latch that is interrupt
 * 13. Writing port F0h clears the latch and, while FERR# is still asserted, asserts IGNNE#, so that
 * the handler can use the x87 at all; that ends when the program clears the error.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/x87_error.h"

#include "core/cpu.h"
#include "core/machine.h"
#include "hw/pc/isa.h"

enum { X87_IRQ = 13, PORT_CLEAR = 0xf0 };

typedef struct X87Error {
    IsaDevice isa;
    MemRegion *io;
    CpuX87Pins pins;
    uint8_t latch, error, ignore; /* the latter two: the pins, as saved */
} X87Error;

static void set_latch(X87Error *s, uint8_t latch)
{
    s->latch = latch;
    irq_set(isa_irq(&s->isa, X87_IRQ), latch);
}

static void error_raised(void *opaque)
{
    set_latch(opaque, 1);
}

static void clear_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    X87Error *s = opaque;

    (void)addr, (void)value, (void)size;
    set_latch(s, 0);
    atomic_store(&s->pins.ignore, atomic_load(&s->pins.error));
}

static uint64_t clear_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)opaque, (void)addr, (void)size;
    return UINT64_MAX;
}

static const MemOps clear_ops = {.read = clear_read, .write = clear_write, .max_size = 1};

static void x87_error_reset(Device *dev)
{
    X87Error *s = (X87Error *)dev;

    atomic_store(&s->pins.error, 0);
    atomic_store(&s->pins.ignore, 0);
    set_latch(s, 0);
}

static bool x87_error_realize(Device *dev, GError **err)
{
    X87Error *s = (X87Error *)dev;
    Machine *m = dev->machine;

    (void)err;
    s->io = isa_register_io(&s->isa, "x87-error", &clear_ops, s, PORT_CLEAR, 1);
    s->pins.raised = error_raised;
    s->pins.opaque = s;
    if (m->cpu_count) {
        m->cpus[0]->x87_pins = &s->pins;
    }
    return true;
}

static void x87_error_unrealize(Device *dev)
{
    X87Error *s = (X87Error *)dev;
    Machine *m = dev->machine;

    if (m->cpu_count && m->cpus[0]->x87_pins == &s->pins) {
        m->cpus[0]->x87_pins = NULL;
    }
    mem_region_free(s->io);
}

static void x87_error_pre_save(void *opaque)
{
    X87Error *s = opaque;

    s->error = atomic_load(&s->pins.error);
    s->ignore = atomic_load(&s->pins.ignore);
}

static bool x87_error_post_load(void *opaque, uint32_t version, GError **err)
{
    X87Error *s = opaque;

    (void)version, (void)err;
    atomic_store(&s->pins.error, s->error);
    atomic_store(&s->pins.ignore, s->ignore);
    set_latch(s, s->latch);
    return true;
}

static const StateField x87_error_fields[] = {
    STATE_FIELD_UINT_MAX(X87Error, latch, 1),
    STATE_FIELD_UINT_MAX(X87Error, error, 1),
    STATE_FIELD_UINT_MAX(X87Error, ignore, 1),
    STATE_FIELD_END,
};
static const StateTable x87_error_state = {.name = "x87-error",
                                           .version = 1,
                                           .min_version = 1,
                                           .fields = x87_error_fields,
                                           .pre_save = x87_error_pre_save,
                                           .post_load = x87_error_post_load};

const DeviceClass x87_error_class = {
    .name = "x87-error",
    .description = "x87 errors by interrupt 13, and port F0h",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(X87Error),
    .state = &x87_error_state,
    .realize = x87_error_realize,
    .unrealize = x87_error_unrealize,
    .reset = x87_error_reset,
};
