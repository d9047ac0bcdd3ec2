/*
 * The 8042 keyboard controller of the AT and PS/2 (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboard and Auxiliary Device Controller"): ports 60h and 64h, IRQ 1 for the keyboard and 12 for
 * the mouse, the A20 gate and the system reset line on its output port.
 *
 * A device's bytes come over a slow serial line: after software has read one, the next appears
 * BYTE_NS later. Software of the DOS kind reads port 60h more than once per interrupt and relies on
 * that.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/input/i8042.h"

#include "core/clock.h"
#include "core/machine.h"
#include "hw/input/ps2.h"
#include "hw/input/scancodes.h"
#include "hw/pc/isa.h"
#include "hw/pc/pc.h"
#include "ui/console.h"

#define BYTE_NS 150000

enum {
    STATUS_OBF = 0x01,
    STATUS_SYS = 0x04,
    STATUS_COMMAND = 0x08, /* the last write was to port 64h */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX = 0x20,

    /* Command byte */
    CB_INT_KBD = 0x01,
    CB_INT_AUX = 0x02,
    CB_SYS = 0x04,
    CB_DISABLE_KBD = 0x10,
    CB_DISABLE_AUX = 0x20,
    CB_TRANSLATE = 0x40,

    /* Output port */
    P2_RESET = 0x01, /* high: no reset */
    P2_A20 = 0x02,
    P2_IRQ_KBD = 0x10,
    P2_IRQ_AUX = 0x20,
    P2_IDLE = 0xcc, /* clock and data lines, unused pins */

    P1_DEFAULT = 0xb0, /* not locked, colour display off, manufacturing jumper out, 512K */

    CMD_READ_RAM = 0x20, /* to 3Fh; 20h is the command byte */
    CMD_WRITE_RAM = 0x60,
    CMD_TEST_PASSWORD = 0xa4,
    CMD_DISABLE_AUX = 0xa7,
    CMD_ENABLE_AUX = 0xa8,
    CMD_TEST_AUX = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_TEST_KBD = 0xab,
    CMD_DISABLE_KBD = 0xad,
    CMD_ENABLE_KBD = 0xae,
    CMD_READ_P1 = 0xc0,
    CMD_READ_P2 = 0xd0,
    CMD_WRITE_P2 = 0xd1,
    CMD_WRITE_KBD_OBUF = 0xd2,
    CMD_WRITE_AUX_OBUF = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_READ_TEST = 0xe0,
    CMD_PULSE = 0xf0, /* to FFh: pulse output port bits whose bit here is 0 */
};

enum { FROM_CONTROLLER, FROM_KBD, FROM_AUX };

typedef struct I8042 {
    IsaDevice isa;
    Ps2Keyboard kbd;
    Ps2Mouse mouse;
    uint8_t status, output;
    uint8_t ram[32];      /* [0] is the command byte */
    uint8_t command;      /* waits for its parameter, 0: none */
    uint8_t source;       /* FROM_* of the byte in the output buffer */
    uint8_t break_prefix; /* translation has swallowed an F0h */
    uint8_t waiting;      /* until the line can have delivered another byte */
    Timer *timer;
    IrqLine *irq_kbd, *irq_aux;
} I8042;

static void update_irqs(I8042 *s)
{
    bool full = s->status & STATUS_OBF;
    bool aux = s->status & STATUS_AUX;

    irq_set(s->irq_kbd, full && !aux && (s->ram[0] & CB_INT_KBD));
    irq_set(s->irq_aux, full && aux && (s->ram[0] & CB_INT_AUX));
}

static void put_output(I8042 *s, uint8_t value, uint8_t source)
{
    s->output = value;
    s->source = source;
    s->status |= STATUS_OBF;
    s->status = source == FROM_AUX ? s->status | STATUS_AUX : s->status & ~STATUS_AUX;
    update_irqs(s);
}

/* Set 2 to set 1, where a break is a bit and not a prefix; false: nothing to pass on yet. */
static bool translate(I8042 *s, uint8_t *value)
{
    if (!(s->ram[0] & CB_TRANSLATE)) {
        return true;
    }
    if (*value == 0xf0) {
        s->break_prefix = 0x80;
        return false;
    }
    *value = scancode_translate(*value) | s->break_prefix;
    s->break_prefix = 0;
    return true;
}

/* Moves the next byte of a device to the output buffer, if that is free. */
static void fetch(I8042 *s)
{
    uint8_t value;
    int byte;

    if (s->status & STATUS_OBF || s->waiting) {
        return;
    }
    while (!(s->ram[0] & CB_DISABLE_KBD) && (byte = ps2_queue_get(&s->kbd.queue)) >= 0) {
        value = (uint8_t)byte;
        if (translate(s, &value)) {
            put_output(s, value, FROM_KBD);
            return;
        }
    }
    if (!(s->ram[0] & CB_DISABLE_AUX) && (byte = ps2_queue_get(&s->mouse.queue)) >= 0) {
        put_output(s, (uint8_t)byte, FROM_AUX);
        ps2_mouse_flush(&s->mouse);
    }
}

static void queue_changed(void *opaque)
{
    fetch(opaque);
}

static void timer_fired(void *opaque)
{
    I8042 *s = opaque;

    s->waiting = 0;
    fetch(s);
}

static uint8_t read_data(I8042 *s)
{
    if (s->status & STATUS_OBF) {
        s->status &= ~STATUS_OBF;
        update_irqs(s);
        if (s->source != FROM_CONTROLLER) {
            s->waiting = 1;
            timer_arm(s->timer, clock_now(CLOCK_VM) + BYTE_NS);
        } else {
            fetch(s);
        }
    }
    return s->output;
}

static void write_p2(I8042 *s, uint8_t value)
{
    machine_set_a20(s->isa.dev.machine, value & P2_A20);
    if (!(value & P2_RESET)) {
        machine_request_reset(s->isa.dev.machine, SHUTDOWN_GUEST_RESET);
    }
}

static uint8_t read_p2(const I8042 *s)
{
    bool full = s->status & STATUS_OBF;

    return P2_IDLE | P2_RESET | (machine_a20(s->isa.dev.machine) ? P2_A20 : 0) |
           (full && s->source == FROM_KBD ? P2_IRQ_KBD : 0) |
           (full && s->source == FROM_AUX ? P2_IRQ_AUX : 0);
}

static void set_command_byte(I8042 *s, uint8_t value)
{
    s->ram[0] = value;
    s->status = value & CB_SYS ? s->status | STATUS_SYS : s->status & ~STATUS_SYS;
    update_irqs(s);
    fetch(s);
}

static void answer(I8042 *s, uint8_t value)
{
    put_output(s, value, FROM_CONTROLLER);
}

static void write_command(I8042 *s, uint8_t value)
{
    s->status |= STATUS_COMMAND;
    s->command = 0;
    switch (value) {
    case CMD_READ_RAM ... CMD_READ_RAM + 31:
        answer(s, s->ram[value & 31]);
        break;
    case CMD_WRITE_RAM ... CMD_WRITE_RAM + 31:
    case CMD_WRITE_P2:
    case CMD_WRITE_KBD_OBUF:
    case CMD_WRITE_AUX_OBUF:
    case CMD_WRITE_AUX:
        s->command = value;
        break;
    case CMD_TEST_PASSWORD:
        answer(s, 0xf1); /* none is installed */
        break;
    case CMD_DISABLE_AUX:
    case CMD_ENABLE_AUX:
        set_command_byte(s, value == CMD_DISABLE_AUX ? s->ram[0] | CB_DISABLE_AUX
                                                     : s->ram[0] & ~CB_DISABLE_AUX);
        break;
    case CMD_SELF_TEST:
        set_command_byte(s, (s->ram[0] & CB_TRANSLATE) | CB_SYS | CB_DISABLE_KBD | CB_DISABLE_AUX);
        answer(s, 0x55);
        break;
    case CMD_TEST_AUX:
    case CMD_TEST_KBD:
        answer(s, 0); /* no error */
        break;
    case CMD_DISABLE_KBD:
    case CMD_ENABLE_KBD:
        set_command_byte(s, value == CMD_DISABLE_KBD ? s->ram[0] | CB_DISABLE_KBD
                                                     : s->ram[0] & ~CB_DISABLE_KBD);
        break;
    case CMD_READ_P1:
        answer(s, P1_DEFAULT);
        break;
    case CMD_READ_P2:
        answer(s, read_p2(s));
        break;
    case CMD_A20_OFF:
    case CMD_A20_ON:
        machine_set_a20(s->isa.dev.machine, value == CMD_A20_ON);
        break;
    case CMD_READ_TEST:
        answer(s, 0); /* both clock lines low */
        break;
    case CMD_PULSE ... 0xff:
        if (!(value & P2_RESET)) {
            machine_request_reset(s->isa.dev.machine, SHUTDOWN_GUEST_RESET);
        }
        break;
    default: /* the controller knows no such command and ignores it */
        break;
    }
}

static void write_data(I8042 *s, uint8_t value)
{
    uint8_t command = s->command;

    s->status &= ~STATUS_COMMAND;
    s->command = 0;
    switch (command) {
    case 0: /* to the keyboard, which this enables */
        set_command_byte(s, s->ram[0] & ~CB_DISABLE_KBD);
        ps2_keyboard_write(&s->kbd, value);
        break;
    case CMD_WRITE_RAM:
        set_command_byte(s, value);
        break;
    case CMD_WRITE_RAM + 1 ... CMD_WRITE_RAM + 31:
        s->ram[command & 31] = value;
        break;
    case CMD_WRITE_P2:
        write_p2(s, value);
        break;
    case CMD_WRITE_KBD_OBUF:
        put_output(s, value, FROM_KBD);
        break;
    case CMD_WRITE_AUX_OBUF:
        put_output(s, value, FROM_AUX);
        break;
    case CMD_WRITE_AUX:
        set_command_byte(s, s->ram[0] & ~CB_DISABLE_AUX);
        ps2_mouse_write(&s->mouse, value);
        break;
    }
}

static uint64_t data_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)addr;
    (void)size;
    return read_data(opaque);
}

static void data_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)addr;
    (void)size;
    write_data(opaque, (uint8_t)value);
}

static uint64_t status_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)addr;
    (void)size;
    return ((I8042 *)opaque)->status;
}

static void command_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)addr;
    (void)size;
    write_command(opaque, (uint8_t)value);
}

static const MemOps data_ops = {data_read, data_write, 1, 1, false};
static const MemOps command_ops = {status_read, command_write, 1, 1, false};

/* ---- the user ---- */

static void user_key(void *opaque, KeyCode key, bool down)
{
    I8042 *s = opaque;

    ps2_keyboard_key(&s->kbd, key, down);
}

static void user_pointer(void *opaque, int dx, int dy, int dz, unsigned buttons)
{
    I8042 *s = opaque;

    ps2_mouse_move(&s->mouse, dx, dy, dz, buttons);
}

static const InputHandler input_handler = {user_key, user_pointer};

/* ---- the device ---- */

static void reset(Device *dev)
{
    I8042 *s = (I8042 *)dev;

    s->status = STATUS_UNLOCKED | STATUS_COMMAND;
    s->output = 0;
    s->ram[0] = CB_INT_KBD | CB_INT_AUX;
    s->command = 0;
    s->source = FROM_CONTROLLER;
    s->break_prefix = 0;
    s->waiting = 0;
    timer_disarm(s->timer);
    update_irqs(s);
    ps2_keyboard_reset(&s->kbd);
    ps2_mouse_reset(&s->mouse);
}

static bool realize(Device *dev, GError **err)
{
    I8042 *s = (I8042 *)dev;

    (void)err;
    s->irq_kbd = isa_irq(&s->isa, 1);
    s->irq_aux = isa_irq(&s->isa, 12);
    s->timer = timer_new(CLOCK_VM, timer_fired, s);
    ps2_keyboard_init(&s->kbd, queue_changed, s);
    ps2_mouse_init(&s->mouse, queue_changed, s);
    reset(dev);
    isa_register_io(&s->isa, "i8042-data", &data_ops, s, 0x60, 1);
    isa_register_io(&s->isa, "i8042-command", &command_ops, s, 0x64, 1);
    input_add_handler(&input_handler, s);
    return true;
}

static const StateField fields[] = {
    STATE_FIELD_STRUCT(I8042, kbd, &ps2_keyboard_state),
    STATE_FIELD_STRUCT(I8042, mouse, &ps2_mouse_state),
    STATE_FIELD_UINT(I8042, status),
    STATE_FIELD_UINT(I8042, output),
    STATE_FIELD_BYTES(I8042, ram),
    STATE_FIELD_UINT(I8042, command),
    STATE_FIELD_UINT_MAX(I8042, source, FROM_AUX),
    STATE_FIELD_UINT(I8042, break_prefix),
    STATE_FIELD_UINT_MAX(I8042, waiting, 1),
    STATE_FIELD_TIMER(I8042, timer),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    I8042 *s = opaque;

    (void)version;
    (void)err;
    s->break_prefix &= 0x80;
    if (s->waiting && !timer_armed(s->timer)) {
        s->waiting = 0;
    }
    return true;
}

static const StateTable state = {
    .name = "i8042", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

const DeviceClass i8042_class = {
    .name = "i8042",
    .description = "8042 keyboard controller with PS/2 keyboard and mouse",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_INPUT,
    .size = sizeof(I8042),
    .state = &state,
    .realize = realize,
    .reset = reset,
};
