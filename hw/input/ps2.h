/*
 * PS/2 devices as their controller sees them: a keyboard and a mouse at the ends of two serial
 * lines.
 *
 * Both are parts of the "i8042" device, not devices of their own; they keep their output queue, and
 * tell the controller when it turns from empty. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_INPUT_PS2_H
#define HW_INPUT_PS2_H

#include <stdbool.h>
#include <stdint.h>

#include "core/state.h"
#include "ui/keycode.h"

enum { PS2_QUEUE_SIZE = 256, PS2_ACK = 0xfa, PS2_RESEND = 0xfe, PS2_BAT_OK = 0xaa };

typedef struct Ps2Queue {
    uint8_t data[PS2_QUEUE_SIZE];
    uint32_t head, count;
    uint32_t replies; /* bytes at the head that answer a command */
    uint8_t last;     /* most recent byte taken, for Resend */
    void (*changed)(void *opaque);
    void *opaque;
} Ps2Queue;

void ps2_queue_init(Ps2Queue *q, void (*changed)(void *opaque), void *opaque);
/* All of BUF or, when there is no room, nothing; false then. */
bool ps2_queue_put(Ps2Queue *q, const uint8_t *buf, unsigned len);
/* The reply to a command: goes before anything the user did. */
void ps2_queue_reply(Ps2Queue *q, const uint8_t *buf, unsigned len);
int ps2_queue_get(Ps2Queue *q); /* -1: empty */
void ps2_queue_clear(Ps2Queue *q);
extern const StateTable ps2_queue_state;

/* ---- keyboard ---- */

typedef struct Ps2Keyboard {
    Ps2Queue queue;
    uint8_t scanning;  /* enabled: keys are reported */
    uint8_t set;       /* scan code set 1..3 */
    uint8_t command;   /* waits for its parameter, 0: none */
    uint8_t leds;      /* bit 0 Scroll, 1 Num, 2 Caps */
    uint8_t typematic; /* rate and delay as set; the sender of keys repeats, not the keyboard */
    uint8_t modifiers; /* keys held that change the codes of others */
    uint8_t has_break[256]; /* set 3: whether the release of a key is reported */
} Ps2Keyboard;

void ps2_keyboard_init(Ps2Keyboard *k, void (*changed)(void *opaque), void *opaque);
void ps2_keyboard_reset(Ps2Keyboard *k);
void ps2_keyboard_write(Ps2Keyboard *k, uint8_t value);
void ps2_keyboard_key(Ps2Keyboard *k, KeyCode key, bool down);
extern const StateTable ps2_keyboard_state;

/* ---- mouse ---- */

typedef struct Ps2Mouse {
    Ps2Queue queue;
    uint8_t enabled; /* data reporting, in stream mode */
    uint8_t wrap;    /* every byte is echoed */
    uint8_t remote;  /* reports on request only */
    uint8_t scaling2;
    uint8_t resolution; /* 0..3: 1, 2, 4, 8 counts per mm */
    uint8_t rate;       /* samples per second */
    uint8_t command;    /* waits for its parameter, 0: none */
    uint8_t knock;      /* how much of the sequence of rates that unlocks the wheel was seen */
    uint8_t id;         /* 0: three buttons, 3: wheel, 4: wheel and five buttons */
    uint8_t buttons, sent_buttons;
    int32_t dx, dy, dz; /* movement not reported yet; dy up, dz towards the user */
} Ps2Mouse;

void ps2_mouse_init(Ps2Mouse *m, void (*changed)(void *opaque), void *opaque);
void ps2_mouse_reset(Ps2Mouse *m);
void ps2_mouse_write(Ps2Mouse *m, uint8_t value);
/* Movement in screen direction (DY down); BUTTONS: bit 0 left, 1 middle, 2 right, 3 side, 4 extra.
 */
void ps2_mouse_move(Ps2Mouse *m, int dx, int dy, int dz, unsigned buttons);
/* The controller took bytes: what could not be queued for lack of room may go now. */
void ps2_mouse_flush(Ps2Mouse *m);
extern const StateTable ps2_mouse_state;

#endif
