/*
 * System control port A of the PS/2 (92h): bit 0 resets the CPU when it becomes 1, bit 1 is the A20
 * gate. The A20 gate itself is machine_set_a20(); whichever of this port and the keyboard
 * controller was written last has the say. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/port92.h"

#include "core/machine.h"
#include "hw/pc/isa.h"
#include "hw/pc/pc.h"

enum { PORT92_RESET = 1 << 0, PORT92_A20 = 1 << 1 };

typedef struct Port92 {
    IsaDevice isa;
    MemRegion *io;
    uint8_t value;
} Port92;

static uint64_t port92_read(void *opaque, hwaddr addr, unsigned size)
{
    Port92 *s = opaque;

    (void)addr;
    (void)size;
    return (s->value & ~PORT92_A20) | (machine_a20(s->isa.dev.machine) ? PORT92_A20 : 0);
}

static void port92_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Port92 *s = opaque;
    Machine *m = s->isa.dev.machine;
    bool reset = (value & PORT92_RESET) && !(s->value & PORT92_RESET);

    (void)addr;
    (void)size;
    s->value = (uint8_t)value;
    machine_set_a20(m, value & PORT92_A20);
    if (reset) {
        machine_request_reset(m, SHUTDOWN_GUEST_RESET);
    }
}

static const MemOps port92_ops = {.read = port92_read, .write = port92_write, .max_size = 1};

static void port92_reset(Device *dev)
{
    Port92 *s = (Port92 *)dev;

    s->value = 0;
}

static bool port92_realize(Device *dev, GError **err)
{
    Port92 *s = (Port92 *)dev;

    (void)err;
    s->io = isa_register_io(&s->isa, "port92", &port92_ops, s, 0x92, 1);
    return true;
}

static void port92_unrealize(Device *dev)
{
    mem_region_free(((Port92 *)dev)->io);
}

static const StateField port92_fields[] = {
    STATE_FIELD_UINT(Port92, value),
    STATE_FIELD_END,
};
static const StateTable port92_state = {
    .name = "port92", .version = 1, .min_version = 1, .fields = port92_fields};

const DeviceClass port92_class = {
    .name = "port92",
    .description = "system control port A: A20 gate and reset",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(Port92),
    .state = &port92_state,
    .realize = port92_realize,
    .unrealize = port92_unrealize,
    .reset = port92_reset,
};
