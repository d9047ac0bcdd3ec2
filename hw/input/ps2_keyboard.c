/*
 * The PS/2 keyboard, a 101/102-key one with scan code sets 1 to 3 (IBM PS/2 Hardware Interface
 * Technical Reference, "101- and 102-Key Keyboards").
 *
 * It does not repeat keys of its own: whoever sends key events (a window system) repeats them, so
 * the typematic rate is kept to be read back in saved state and has nothing else to do.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/input/ps2.h"

#include <string.h>

#include "hw/input/scancodes.h"

enum {
    CMD_SET_LEDS = 0xed,
    CMD_ECHO = 0xee,
    CMD_SCAN_SET = 0xf0,
    CMD_READ_ID = 0xf2,
    CMD_TYPEMATIC = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_ALL_TYPEMATIC = 0xf7,
    CMD_ALL_MAKE_BREAK = 0xf8,
    CMD_ALL_MAKE = 0xf9,
    CMD_ALL_TYPEMATIC_MAKE_BREAK = 0xfa,
    CMD_KEY_TYPEMATIC = 0xfb,
    CMD_KEY_MAKE_BREAK = 0xfc,
    CMD_KEY_MAKE = 0xfd,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
    TYPEMATIC_DEFAULT = 0x2b, /* 10.9 per second after 500 ms */
};

enum {
    MOD_CTRL_L = 1,
    MOD_CTRL_R = 2,
    MOD_SHIFT_L = 4,
    MOD_SHIFT_R = 8,
    MOD_ALT_L = 16,
    MOD_ALT_R = 32,
    MOD_CTRL = 3,
    MOD_SHIFT = 12,
    MOD_ALT = 48,
};

static uint8_t modifier_of(KeyCode key)
{
    switch (key) {
    case KEYCODE_CTRL:
        return MOD_CTRL_L;
    case KEYCODE_CTRL_R:
        return MOD_CTRL_R;
    case KEYCODE_SHIFT:
        return MOD_SHIFT_L;
    case KEYCODE_SHIFT_R:
        return MOD_SHIFT_R;
    case KEYCODE_ALT:
        return MOD_ALT_L;
    case KEYCODE_ALT_R:
        return MOD_ALT_R;
    default:
        return 0;
    }
}

/* ---- keys ---- */

/* Appends set 2 code CODE (E0h in the high byte: prefixed) in set SET to SEQ. */
static unsigned append(uint8_t *seq, unsigned n, int set, uint16_t code, bool down)
{
    uint8_t low = (uint8_t)code;

    if (code >> 8) {
        seq[n++] = (uint8_t)(code >> 8);
    }
    if (set == 1) {
        seq[n++] = scancode_translate(low) | (down ? 0 : 0x80);
        return n;
    }
    if (!down) {
        seq[n++] = 0xf0;
    }
    seq[n++] = low;
    return n;
}

/* Print Screen: with Shift or Ctrl its own code only, with Alt that of SysRq, else inside a made-up
 * Shift. */
static unsigned print_screen(const Ps2Keyboard *k, uint8_t *seq, bool down)
{
    unsigned n = 0;

    if (k->modifiers & MOD_ALT) {
        return append(seq, 0, k->set, 0x84, down);
    }
    if (k->modifiers & (MOD_SHIFT | MOD_CTRL)) {
        return append(seq, 0, k->set, 0xe07c, down);
    }
    n = append(seq, n, k->set, down ? 0xe012 : 0xe07c, down);
    return append(seq, n, k->set, down ? 0xe07c : 0xe012, down);
}

/* Pause sends everything when pressed and nothing when released; with Ctrl it is Break. */
static unsigned pause_key(const Ps2Keyboard *k, uint8_t *seq, bool down)
{
    unsigned n = 0;

    if (!down) {
        return 0;
    }
    if (k->modifiers & MOD_CTRL) {
        n = append(seq, n, k->set, 0xe07e, true);
        return append(seq, n, k->set, 0xe07e, false);
    }
    n = append(seq, n, k->set, 0xe114, true);
    n = append(seq, n, k->set, 0x77, true);
    n = append(seq, n, k->set, 0xe114, false);
    return append(seq, n, k->set, 0x77, false);
}

void ps2_keyboard_key(Ps2Keyboard *k, KeyCode key, bool down)
{
    uint8_t seq[SCANCODE_MAX];
    uint8_t modifier = modifier_of(key);
    unsigned n = 0;

    k->modifiers = down ? k->modifiers | modifier : k->modifiers & ~modifier;
    if (!k->scanning) {
        return;
    }
    if (k->set == 3) {
        uint8_t code = scancode_set3(key);
        if (code && !down && k->has_break[code]) {
            seq[n++] = 0xf0;
        }
        if (code && (down || k->has_break[code])) {
            seq[n++] = code;
        }
    } else if (key == KEYCODE_PRINT) {
        n = print_screen(k, seq, down);
    } else if (key == KEYCODE_PAUSE) {
        n = pause_key(k, seq, down);
    } else if (scancode_set2(key)) {
        n = append(seq, 0, k->set, scancode_set2(key), down);
    }
    /* A key that finds the queue full is lost, as on a keyboard whose buffer overruns. */
    ps2_queue_put(&k->queue, seq, n);
}

/* ---- commands ---- */

static void reply(Ps2Keyboard *k, uint8_t value)
{
    ps2_queue_reply(&k->queue, &value, 1);
}

static void set_defaults(Ps2Keyboard *k)
{
    /* Set 3: of most keys only the press is reported, of those that are held both. */
    static const KeyCode held[] = {KEYCODE_SHIFT, KEYCODE_SHIFT_R, KEYCODE_CTRL, KEYCODE_ALT,
                                   KEYCODE_CAPS_LOCK};

    k->set = 2;
    k->typematic = TYPEMATIC_DEFAULT;
    memset(k->has_break, 0, sizeof(k->has_break));
    for (size_t i = 0; i < G_N_ELEMENTS(held); i++) {
        k->has_break[scancode_set3(held[i])] = 1;
    }
}

void ps2_keyboard_reset(Ps2Keyboard *k)
{
    ps2_queue_clear(&k->queue);
    set_defaults(k);
    k->scanning = 1;
    k->command = 0;
    k->leds = 0;
}

/* The byte after a command that has one; false: VALUE is a new command instead. */
static bool take_parameter(Ps2Keyboard *k, uint8_t value)
{
    uint8_t command = k->command;

    k->command = 0;
    if (value >= CMD_SET_LEDS) {
        return false;
    }
    switch (command) {
    case CMD_SET_LEDS:
        k->leds = value & 7;
        reply(k, PS2_ACK);
        break;
    case CMD_SCAN_SET:
        if (value == 0) {
            const uint8_t answer[2] = {PS2_ACK, k->set};
            ps2_queue_reply(&k->queue, answer, 2);
        } else if (value <= 3) {
            k->set = value;
            reply(k, PS2_ACK);
        } else {
            reply(k, PS2_RESEND);
        }
        break;
    case CMD_TYPEMATIC:
        k->typematic = value & 0x7f;
        reply(k, PS2_ACK);
        break;
    default: /* FBh to FDh go on until the next command */
        k->has_break[value] = command == CMD_KEY_MAKE_BREAK;
        k->command = command;
        reply(k, PS2_ACK);
        break;
    }
    return true;
}

void ps2_keyboard_write(Ps2Keyboard *k, uint8_t value)
{
    static const uint8_t id[3] = {PS2_ACK, 0xab, 0x83};
    static const uint8_t after_reset[2] = {PS2_ACK, PS2_BAT_OK};

    if (k->command && take_parameter(k, value)) {
        return;
    }
    switch (value) {
    case CMD_SET_LEDS:
    case CMD_SCAN_SET:
    case CMD_TYPEMATIC:
    case CMD_KEY_TYPEMATIC:
    case CMD_KEY_MAKE_BREAK:
    case CMD_KEY_MAKE:
        k->command = value;
        reply(k, PS2_ACK);
        break;
    case CMD_ECHO:
        reply(k, CMD_ECHO);
        break;
    case CMD_READ_ID:
        ps2_queue_reply(&k->queue, id, 3);
        break;
    case CMD_ENABLE:
        ps2_queue_clear(&k->queue);
        k->scanning = 1;
        reply(k, PS2_ACK);
        break;
    case CMD_DISABLE:
    case CMD_DEFAULTS:
        ps2_queue_clear(&k->queue);
        set_defaults(k);
        k->scanning = value == CMD_DEFAULTS;
        reply(k, PS2_ACK);
        break;
    case CMD_ALL_TYPEMATIC:
    case CMD_ALL_MAKE_BREAK:
    case CMD_ALL_MAKE:
    case CMD_ALL_TYPEMATIC_MAKE_BREAK:
        memset(k->has_break, value == CMD_ALL_MAKE_BREAK || value == CMD_ALL_TYPEMATIC_MAKE_BREAK,
               sizeof(k->has_break));
        reply(k, PS2_ACK);
        break;
    case CMD_RESEND:
        reply(k, k->queue.last);
        break;
    case CMD_RESET:
        ps2_keyboard_reset(k);
        ps2_queue_reply(&k->queue, after_reset, 2);
        break;
    default:
        reply(k, PS2_RESEND);
        break;
    }
}

void ps2_keyboard_init(Ps2Keyboard *k, void (*changed)(void *opaque), void *opaque)
{
    ps2_queue_init(&k->queue, changed, opaque);
    ps2_keyboard_reset(k);
}

static const StateField fields[] = {
    STATE_FIELD_STRUCT(Ps2Keyboard, queue, &ps2_queue_state),
    STATE_FIELD_UINT_MAX(Ps2Keyboard, scanning, 1),
    STATE_FIELD_UINT_MAX(Ps2Keyboard, set, 3),
    STATE_FIELD_UINT(Ps2Keyboard, command),
    STATE_FIELD_UINT_MAX(Ps2Keyboard, leds, 7),
    STATE_FIELD_UINT_MAX(Ps2Keyboard, typematic, 0x7f),
    STATE_FIELD_UINT(Ps2Keyboard, modifiers),
    STATE_FIELD_BYTES(Ps2Keyboard, has_break),
    STATE_FIELD_END,
};

const StateTable ps2_keyboard_state = {
    .name = "ps2-keyboard", .version = 1, .min_version = 1, .fields = fields};
