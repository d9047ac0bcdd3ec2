/*
 * sendkey: chords are pressed one after the other, each held for its time.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/clock.h"
#include "monitor/monitor_int.h"
#include "ui/console.h"
#include "util/keyval.h"

enum { CHORD_MAX = 16, HOLD_DEFAULT_MS = 100, HOLD_MAX_MS = 60000, GAP_MS = 20 };

typedef struct Chord {
    KeyCode keys[CHORD_MAX];
    size_t count;
    int64_t hold_ns;
} Chord;

/* One keyboard, so one queue; machine lock. */
static struct {
    GQueue waiting; /* of Chord * */
    Chord *pressed;
    Timer *timer; /* CLOCK_VM: a stopped machine's keys wait */
} keys;

static void key_step(void *opaque)
{
    int64_t wait = GAP_MS * (NS_PER_SEC / 1000);

    (void)opaque;
    if (keys.pressed) {
        for (size_t i = keys.pressed->count; i-- > 0;) {
            input_send_key(keys.pressed->keys[i], false);
        }
        g_clear_pointer(&keys.pressed, g_free);
    } else {
        keys.pressed = g_queue_pop_head(&keys.waiting);
        for (size_t i = 0; i < keys.pressed->count; i++) {
            input_send_key(keys.pressed->keys[i], true);
        }
        wait = keys.pressed->hold_ns;
    }
    if (keys.pressed || keys.waiting.length) {
        timer_arm(keys.timer, clock_now(CLOCK_VM) + wait);
    }
}

bool hmp_sendkey(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *text = args_word(args, "the name of a key", err);
    g_autofree Chord *chord = g_new0(Chord, 1);
    uint64_t ms = HOLD_DEFAULT_MS;

    if (!text || !(chord->count = keycode_parse_chord(text, chord->keys, CHORD_MAX, err))) {
        return false;
    }
    if (!args_end(args) && !args_number(mon, args, &ms, err)) {
        return false;
    }
    if (ms > HOLD_MAX_MS) {
        emu_set_error(err, "a key is held for at most %d ms", HOLD_MAX_MS);
        return false;
    }
    chord->hold_ns = (int64_t)ms * (NS_PER_SEC / 1000);
    g_queue_push_tail(&keys.waiting, g_steal_pointer(&chord));
    if (!keys.timer) {
        keys.timer = timer_new(CLOCK_VM, key_step, NULL);
    }
    if (!timer_armed(keys.timer)) {
        timer_arm(keys.timer, clock_now(CLOCK_VM));
    }
    return true;
}

void hmp_keys_cancel(void)
{
    timer_free(keys.timer);
    keys.timer = NULL;
    g_clear_pointer(&keys.pressed, g_free);
    g_queue_clear_full(&keys.waiting, g_free);
}
