/*
 * isa-debugcon: bytes written to a port (E9h, as Bochs has it) go to a character back end; reading
 * it gives a value that tells software that it is there. isa-debug-exit: a write ends the emulator
 * with the exit status (value << 1) | 1. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/pc/debug_ports.h"

#include "core/machine.h"
#include "hw/pc/isa.h"
#include "ui/chardev.h"
#include "util/keyval.h"

/* ---- isa-debugcon ---- */

typedef struct DebugCon {
    IsaDevice isa;
    char *chardev;
    uint16_t iobase;
    uint8_t readback;
    CharFrontend *fe;
    MemRegion *io;
} DebugCon;

static uint64_t debugcon_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)addr;
    (void)size;
    return ((DebugCon *)opaque)->readback;
}

static void debugcon_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    uint8_t byte = (uint8_t)value;

    (void)addr;
    (void)size;
    chardev_write_all(((DebugCon *)opaque)->fe, &byte, 1);
}

static const MemOps debugcon_ops = {.read = debugcon_read, .write = debugcon_write, .max_size = 1};

static size_t debugcon_can_receive(void *opaque)
{
    (void)opaque;
    return 0;
}

static void debugcon_receive(void *opaque, const uint8_t *buf, size_t len)
{
    (void)opaque;
    (void)buf;
    (void)len;
}

static const CharHandlers debugcon_handlers = {.can_receive = debugcon_can_receive,
                                               .receive = debugcon_receive};

static bool debugcon_realize(Device *dev, GError **err)
{
    DebugCon *s = (DebugCon *)dev;
    Chardev *chr;

    if (!s->chardev) {
        emu_set_error(err, "isa-debugcon: chardev= must name a character back end");
        return false;
    }
    chr = chardev_find(s->chardev);
    if (!chr) {
        emu_set_error(err, "isa-debugcon: chardev=%s: there is no character back end of that id",
                      s->chardev);
        return false;
    }
    s->fe = chardev_attach(chr, &debugcon_handlers, s, err);
    if (!s->fe) {
        return false;
    }
    s->io = isa_register_io(&s->isa, "debugcon", &debugcon_ops, s, s->iobase, 1);
    return true;
}

static void debugcon_unrealize(Device *dev)
{
    DebugCon *s = (DebugCon *)dev;

    mem_region_free(s->io);
    chardev_detach(s->fe);
}

static const Property debugcon_props[] = {
    {.name = "chardev",
     .type = PROP_CHARDEV,
     PROP_FIELD(DebugCon, chardev),
     .description = "character back end that gets the bytes"},
    {.name = "iobase",
     .type = PROP_UINT,
     PROP_FIELD(DebugCon, iobase),
     .default_value = "0xe9",
     .description = "port"},
    {.name = "readback",
     .type = PROP_UINT,
     PROP_FIELD(DebugCon, readback),
     .default_value = "0xe9",
     .description = "what the port reads as"},
    {.type = PROP_END},
};

const DeviceClass isa_debugcon_class = {
    .name = "isa-debugcon",
    .description = "debug console port",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(DebugCon),
    .props = debugcon_props,
    .state = &state_table_none,
    .user_creatable = true,
    .realize = debugcon_realize,
    .unrealize = debugcon_unrealize,
};

/* ---- isa-debug-exit ---- */

typedef struct DebugExit {
    IsaDevice isa;
    uint16_t iobase;
    uint8_t iosize;
    MemRegion *io;
} DebugExit;

static uint64_t debug_exit_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)opaque;
    (void)addr;
    (void)size;
    return 0;
}

static void debug_exit_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    DebugExit *s = opaque;

    (void)addr;
    (void)size;
    machine_request_shutdown(s->isa.dev.machine, SHUTDOWN_DEBUG_EXIT, (int)(value << 1 | 1) & 0xff);
}

static const MemOps debug_exit_ops = {.read = debug_exit_read, .write = debug_exit_write};

static bool debug_exit_realize(Device *dev, GError **err)
{
    DebugExit *s = (DebugExit *)dev;

    if (s->iobase + s->iosize > 0x10000) {
        emu_set_error(err, "isa-debug-exit: iobase=0x%x with iosize=%u ends beyond port 0xffff",
                      s->iobase, s->iosize);
        return false;
    }
    s->io = isa_register_io(&s->isa, "debug-exit", &debug_exit_ops, s, s->iobase, s->iosize);
    return true;
}

static void debug_exit_unrealize(Device *dev)
{
    mem_region_free(((DebugExit *)dev)->io);
}

static const Property debug_exit_props[] = {
    {.name = "iobase",
     .type = PROP_UINT,
     PROP_FIELD(DebugExit, iobase),
     .default_value = "0x501",
     .description = "first port"},
    {.name = "iosize",
     .type = PROP_UINT,
     PROP_FIELD(DebugExit, iosize),
     .min = 1,
     .max = 4,
     .default_value = "2",
     .description = "how many ports"},
    {.type = PROP_END},
};

const DeviceClass isa_debug_exit_class = {
    .name = "isa-debug-exit",
    .description = "port that ends the emulator",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(DebugExit),
    .props = debug_exit_props,
    .state = &state_table_none,
    .user_creatable = true,
    .realize = debug_exit_realize,
    .unrealize = debug_exit_unrealize,
};
