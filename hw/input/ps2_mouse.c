/*
 * The PS/2 mouse, with the wheel and the two further buttons of the IntelliMouse and IntelliMouse
 * Explorer, which drivers unlock by setting certain sample rates in a row (IBM PS/2 Hardware
 * Interface Technical Reference, "Mouse"; Microsoft, "Intellimouse" hardware notes).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/input/ps2.h"

enum {
    CMD_SCALING_1 = 0xe6,
    CMD_SCALING_2 = 0xe7,
    CMD_RESOLUTION = 0xe8,
    CMD_STATUS = 0xe9,
    CMD_STREAM = 0xea,
    CMD_READ_DATA = 0xeb,
    CMD_RESET_WRAP = 0xec,
    CMD_WRAP = 0xee,
    CMD_REMOTE = 0xf0,
    CMD_READ_ID = 0xf2,
    CMD_SAMPLE_RATE = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,

    ID_PLAIN = 0,
    ID_WHEEL = 3,
    ID_EXPLORER = 4,
    /* Movement is held back while this much has not been read: a real mouse sends one report at a
     * time. */
    QUEUE_LIMIT = 16,
    DELTA_LIMIT = 1 << 16,
};

static int clamp(int v, int min, int max)
{
    return v < min ? min : v > max ? max : v;
}

/* Bits of the first byte: left, right, middle. */
static uint8_t button_bits(const Ps2Mouse *m)
{
    return (m->buttons & 1) | (m->buttons >> 1 & 2) | (m->buttons << 1 & 4);
}

/* 2:1 scaling, of stream mode only. */
static int scale2(int v)
{
    static const uint8_t small[6] = {0, 1, 1, 3, 6, 9};
    int size = v < 0 ? -v : v;

    size = size < 6 ? small[size] : clamp(size * 2, 0, 255);
    return v < 0 ? -size : size;
}

/* One report of what has happened; its length. */
static unsigned make_packet(Ps2Mouse *m, uint8_t *p)
{
    int dx = clamp(m->dx, -127, 127), dy = clamp(m->dy, -127, 127);

    m->dx -= dx;
    m->dy -= dy;
    if (m->scaling2 && !m->remote) {
        dx = scale2(dx);
        dy = scale2(dy);
    }
    p[0] = 0x08 | button_bits(m) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    p[1] = (uint8_t)dx;
    p[2] = (uint8_t)dy;
    m->sent_buttons = m->buttons;
    if (m->id == ID_PLAIN) {
        m->dz = 0;
        return 3;
    }
    p[3] = (uint8_t)clamp(m->dz, -7, 7);
    m->dz -= (int8_t)p[3];
    if (m->id == ID_EXPLORER) {
        p[3] = (p[3] & 0x0f) | (m->buttons & 0x18) << 1;
    }
    return 4;
}

void ps2_mouse_flush(Ps2Mouse *m)
{
    uint8_t packet[4];

    while (m->enabled && !m->remote && !m->wrap && m->queue.count < QUEUE_LIMIT &&
           (m->dx || m->dy || m->dz || m->buttons != m->sent_buttons)) {
        ps2_queue_put(&m->queue, packet, make_packet(m, packet));
    }
}

void ps2_mouse_move(Ps2Mouse *m, int dx, int dy, int dz, unsigned buttons)
{
    m->dx = clamp(m->dx + clamp(dx, -DELTA_LIMIT, DELTA_LIMIT), -DELTA_LIMIT, DELTA_LIMIT);
    m->dy = clamp(m->dy - clamp(dy, -DELTA_LIMIT, DELTA_LIMIT), -DELTA_LIMIT, DELTA_LIMIT);
    m->dz = clamp(m->dz + clamp(dz, -DELTA_LIMIT, DELTA_LIMIT), -DELTA_LIMIT, DELTA_LIMIT);
    m->buttons = buttons & 0x1f;
    if (!m->enabled && !m->remote) {
        m->dx = m->dy = m->dz = 0;
        m->sent_buttons = m->buttons;
    }
    ps2_mouse_flush(m);
}

static void reply(Ps2Mouse *m, uint8_t value)
{
    ps2_queue_reply(&m->queue, &value, 1);
}

static void set_defaults(Ps2Mouse *m)
{
    m->enabled = 0;
    m->wrap = 0;
    m->remote = 0;
    m->scaling2 = 0;
    m->resolution = 2;
    m->rate = 100;
    m->dx = m->dy = m->dz = 0;
}

void ps2_mouse_reset(Ps2Mouse *m)
{
    ps2_queue_clear(&m->queue);
    set_defaults(m);
    m->command = 0;
    m->knock = 0;
    m->id = ID_PLAIN;
    m->sent_buttons = m->buttons;
}

/* 200, 100, 80 turns on the wheel; 200, 200, 80 the fourth and fifth button. */
static void set_rate(Ps2Mouse *m, uint8_t rate)
{
    enum { KNOCK_NONE, KNOCK_200, KNOCK_200_100, KNOCK_200_200 };

    m->rate = rate;
    switch (m->knock) {
    case KNOCK_200:
        m->knock = rate == 100 ? KNOCK_200_100 : rate == 200 ? KNOCK_200_200 : KNOCK_NONE;
        return;
    case KNOCK_200_100:
        m->id = rate == 80 ? ID_WHEEL : m->id;
        break;
    case KNOCK_200_200:
        m->id = rate == 80 ? ID_EXPLORER : m->id;
        break;
    }
    m->knock = rate == 200 ? KNOCK_200 : KNOCK_NONE;
}

static void send_status(Ps2Mouse *m)
{
    const uint8_t answer[4] = {
        PS2_ACK,
        (uint8_t)((m->buttons >> 2 & 1) | (m->buttons & 2) | (m->buttons << 2 & 4) |
                  m->scaling2 << 4 | m->enabled << 5 | m->remote << 6),
        m->resolution,
        m->rate,
    };

    ps2_queue_reply(&m->queue, answer, 4);
}

static void take_parameter(Ps2Mouse *m, uint8_t value)
{
    if (m->command == CMD_SAMPLE_RATE) {
        set_rate(m, value);
    } else {
        m->resolution = value & 3;
    }
    m->command = 0;
    reply(m, PS2_ACK);
}

/* Commands that only change a setting, or answer with more than ACK. */
static void run_command(Ps2Mouse *m, uint8_t value)
{
    uint8_t answer[5] = {PS2_ACK, m->id};

    switch (value) {
    case CMD_SCALING_1:
    case CMD_SCALING_2:
        m->scaling2 = value == CMD_SCALING_2;
        break;
    case CMD_RESOLUTION:
    case CMD_SAMPLE_RATE:
        m->command = value;
        break;
    case CMD_STATUS:
        send_status(m);
        return;
    case CMD_STREAM:
    case CMD_REMOTE:
        m->remote = value == CMD_REMOTE;
        break;
    case CMD_READ_DATA:
        ps2_queue_reply(&m->queue, answer, 1 + make_packet(m, answer + 1));
        return;
    case CMD_RESET_WRAP:
        break;
    case CMD_WRAP:
        m->wrap = 1;
        break;
    case CMD_READ_ID:
        ps2_queue_reply(&m->queue, answer, 2);
        return;
    case CMD_ENABLE:
    case CMD_DISABLE:
        m->enabled = value == CMD_ENABLE;
        m->dx = m->dy = m->dz = 0;
        break;
    case CMD_DEFAULTS:
        set_defaults(m);
        break;
    case CMD_RESEND:
        reply(m, m->queue.last);
        return;
    case CMD_RESET:
        ps2_mouse_reset(m);
        answer[1] = PS2_BAT_OK;
        answer[2] = ID_PLAIN;
        ps2_queue_reply(&m->queue, answer, 3);
        return;
    default:
        reply(m, PS2_RESEND);
        return;
    }
    reply(m, PS2_ACK);
}

void ps2_mouse_write(Ps2Mouse *m, uint8_t value)
{
    if (m->wrap && value != CMD_RESET_WRAP && value != CMD_RESET) {
        reply(m, value);
    } else if (m->wrap) {
        m->wrap = 0;
        run_command(m, value);
    } else if (m->command) {
        take_parameter(m, value);
    } else {
        run_command(m, value);
    }
}

void ps2_mouse_init(Ps2Mouse *m, void (*changed)(void *opaque), void *opaque)
{
    ps2_queue_init(&m->queue, changed, opaque);
    ps2_mouse_reset(m);
}

static const StateField fields[] = {
    STATE_FIELD_STRUCT(Ps2Mouse, queue, &ps2_queue_state),
    STATE_FIELD_UINT_MAX(Ps2Mouse, enabled, 1),
    STATE_FIELD_UINT_MAX(Ps2Mouse, wrap, 1),
    STATE_FIELD_UINT_MAX(Ps2Mouse, remote, 1),
    STATE_FIELD_UINT_MAX(Ps2Mouse, scaling2, 1),
    STATE_FIELD_UINT_MAX(Ps2Mouse, resolution, 3),
    STATE_FIELD_UINT(Ps2Mouse, rate),
    STATE_FIELD_UINT(Ps2Mouse, command),
    STATE_FIELD_UINT_MAX(Ps2Mouse, knock, 3),
    STATE_FIELD_UINT_MAX(Ps2Mouse, id, ID_EXPLORER),
    STATE_FIELD_UINT_MAX(Ps2Mouse, buttons, 0x1f),
    STATE_FIELD_UINT_MAX(Ps2Mouse, sent_buttons, 0x1f),
    STATE_FIELD_UINT(Ps2Mouse, dx),
    STATE_FIELD_UINT(Ps2Mouse, dy),
    STATE_FIELD_UINT(Ps2Mouse, dz),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    Ps2Mouse *m = opaque;

    (void)version;
    (void)err;
    m->dx = clamp(m->dx, -DELTA_LIMIT, DELTA_LIMIT);
    m->dy = clamp(m->dy, -DELTA_LIMIT, DELTA_LIMIT);
    m->dz = clamp(m->dz, -DELTA_LIMIT, DELTA_LIMIT);
    return true;
}

const StateTable ps2_mouse_state = {
    .name = "ps2-mouse", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};
