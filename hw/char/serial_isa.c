/*
 * COM1 to COM4.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/char/serial_isa.h"

#include "hw/char/serial.h"
#include "hw/pc/isa.h"
#include "util/keyval.h"

enum { PORTS = 4 };

typedef struct SerialIsa {
    IsaDevice isa;
    int32_t index, irq;
    uint32_t iobase;
    char *chardev;
    Serial serial;
    MemRegion *io;
} SerialIsa;

static const uint16_t default_iobase[PORTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
static const uint8_t default_irq[PORTS] = {4, 3, 4, 3};

static bool index_taken(const SerialIsa *s, int index)
{
    for (GSList *l = s->isa.dev.parent->devices; l; l = l->next) {
        const Device *other = l->data;
        if (other != &s->isa.dev && other->cls == &serial_isa_class && other->realized &&
            ((const SerialIsa *)other)->index == index) {
            return true;
        }
    }
    return false;
}

static bool choose_index(SerialIsa *s, GError **err)
{
    if (s->index >= 0) {
        if (index_taken(s, s->index)) {
            emu_set_error(err, "isa-serial: index=%d is another serial port's already", s->index);
            return false;
        }
        return true;
    }
    for (int i = 0; i < PORTS; i++) {
        if (!index_taken(s, i)) {
            s->index = i;
            return true;
        }
    }
    emu_set_error(err, "isa-serial: there are %d serial ports already, no more have an address",
                  PORTS);
    return false;
}

static bool realize(Device *dev, GError **err)
{
    SerialIsa *s = (SerialIsa *)dev;

    if (!choose_index(s, err)) {
        return false;
    }
    s->iobase = s->iobase ? s->iobase : default_iobase[s->index];
    s->irq = s->irq >= 0 ? s->irq : default_irq[s->index];
    if (!serial_init(&s->serial, isa_irq(&s->isa, s->irq), s->chardev, err)) {
        return false;
    }
    s->io = isa_register_io(&s->isa, "serial", &serial_ops, &s->serial, (uint16_t)s->iobase, 8);
    return true;
}

static void unrealize(Device *dev)
{
    SerialIsa *s = (SerialIsa *)dev;

    mem_region_free(s->io);
    serial_fini(&s->serial);
}

static void reset(Device *dev)
{
    serial_reset(&((SerialIsa *)dev)->serial);
}

uint16_t serial_isa_iobase(const Device *dev)
{
    return (uint16_t)((const SerialIsa *)dev)->iobase;
}

int serial_isa_irq(const Device *dev)
{
    return ((const SerialIsa *)dev)->irq;
}

int serial_isa_index(const Device *dev)
{
    return ((const SerialIsa *)dev)->index;
}

static const Property props[] = {
    {.name = "index",
     .type = PROP_INT,
     PROP_FIELD(SerialIsa, index),
     .min = (uint64_t)-1,
     .max = PORTS - 1,
     .default_value = "-1",
     .description = "0 to 3 for COM1 to COM4; -1: the first free one"},
    {.name = "iobase",
     .type = PROP_UINT,
     PROP_FIELD(SerialIsa, iobase),
     .max = 0xfff8,
     .default_value = "0",
     .description = "first of its eight ports; 0: the usual one of its index"},
    {.name = "irq",
     .type = PROP_INT,
     PROP_FIELD(SerialIsa, irq),
     .min = (uint64_t)-1,
     .max = ISA_IRQS - 1,
     .default_value = "-1",
     .description = "interrupt 0 to 15; -1: the usual one of its index"},
    {.name = "chardev",
     .type = PROP_CHARDEV,
     PROP_FIELD(SerialIsa, chardev),
     .description = "character back end at the other end of the line"},
    {.type = PROP_END},
};

static const StateField fields[] = {
    STATE_FIELD_STRUCT(SerialIsa, serial, &serial_state),
    STATE_FIELD_END,
};

static const StateTable state = {
    .name = "isa-serial", .version = 1, .min_version = 1, .fields = fields};

const DeviceClass serial_isa_class = {
    .name = "isa-serial",
    .description = "serial port, 16550A",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_INPUT,
    .size = sizeof(SerialIsa),
    .props = props,
    .state = &state,
    .user_creatable = true,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
