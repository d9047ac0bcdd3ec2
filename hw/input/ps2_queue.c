/*
 * The output queue of a PS/2 device.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/input/ps2.h"

#include "util/keyval.h"

void ps2_queue_init(Ps2Queue *q, void (*changed)(void *opaque), void *opaque)
{
    q->changed = changed;
    q->opaque = opaque;
    ps2_queue_clear(q);
}

bool ps2_queue_put(Ps2Queue *q, const uint8_t *buf, unsigned len)
{
    if (len > PS2_QUEUE_SIZE - q->count) {
        return false;
    }
    for (unsigned i = 0; i < len; i++) {
        q->data[(q->head + q->count++) % PS2_QUEUE_SIZE] = buf[i];
    }
    q->changed(q->opaque);
    return true;
}

void ps2_queue_reply(Ps2Queue *q, const uint8_t *buf, unsigned len)
{
    /* A new command ends the reply to the one before. */
    q->head = (q->head + q->replies) % PS2_QUEUE_SIZE;
    q->count -= q->replies;
    while (q->count > PS2_QUEUE_SIZE - len) {
        q->count--; /* what the user did last gives way */
    }
    q->replies = len;
    q->count += len;
    q->head = (q->head - len) % PS2_QUEUE_SIZE;
    for (unsigned i = 0; i < len; i++) {
        q->data[(q->head + i) % PS2_QUEUE_SIZE] = buf[i];
    }
    q->changed(q->opaque);
}

int ps2_queue_get(Ps2Queue *q)
{
    if (!q->count) {
        return -1;
    }
    q->last = q->data[q->head];
    q->head = (q->head + 1) % PS2_QUEUE_SIZE;
    q->count--;
    q->replies -= q->replies > 0;
    return q->last;
}

void ps2_queue_clear(Ps2Queue *q)
{
    q->head = 0;
    q->count = 0;
    q->replies = 0;
}

static const StateField fields[] = {
    STATE_FIELD_BYTES(Ps2Queue, data),
    STATE_FIELD_UINT_MAX(Ps2Queue, head, PS2_QUEUE_SIZE - 1),
    STATE_FIELD_UINT_MAX(Ps2Queue, count, PS2_QUEUE_SIZE),
    STATE_FIELD_UINT_MAX(Ps2Queue, replies, PS2_QUEUE_SIZE),
    STATE_FIELD_UINT(Ps2Queue, last),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    Ps2Queue *q = opaque;

    (void)version;
    if (q->replies > q->count) {
        emu_set_error(err, "ps2-queue: more replies (%u) than bytes (%u)", q->replies, q->count);
        return false;
    }
    return true;
}

const StateTable ps2_queue_state = {
    .name = "ps2-queue", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};
