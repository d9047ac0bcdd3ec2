/*
 * The ringbuf character back end: keeps the last bytes written, for the monitor to read.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ui/chardev_int.h"

enum { RING_DEFAULT = 64 * 1024, RING_MAX = 1 << 30 };

typedef struct RingChardev {
    Chardev chr;
    uint8_t *data;
    size_t size, start, used;
    GByteArray *input;
} RingChardev;

static bool ring_open(Chardev *chr, KeyVal *kv, GError **err)
{
    RingChardev *r = (RingChardev *)chr;
    uint64_t size = RING_DEFAULT;

    if (!keyval_get_size(kv, "size", &size, err)) {
        return false;
    }
    if (size == 0 || size > RING_MAX || (size & (size - 1))) {
        emu_set_error(err, "ringbuf: size must be a power of two up to 1G");
        return false;
    }
    r->size = size;
    r->data = g_malloc(size);
    r->input = g_byte_array_new();
    chr->connected = true;
    return true;
}

static void ring_close(Chardev *chr)
{
    RingChardev *r = (RingChardev *)chr;

    g_free(r->data);
    g_byte_array_unref(r->input);
}

static size_t ring_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    RingChardev *r = (RingChardev *)chr;

    for (size_t i = 0; i < len; i++) {
        r->data[(r->start + r->used) & (r->size - 1)] = buf[i];
        if (r->used < r->size) {
            r->used++;
        } else {
            r->start = (r->start + 1) & (r->size - 1);
        }
    }
    return len;
}

static void ring_accept_input(Chardev *chr)
{
    RingChardev *r = (RingChardev *)chr;

    for (size_t n; r->input->len && (n = MIN(char_can_receive(chr), r->input->len));) {
        g_autofree uint8_t *part = g_memdup2(r->input->data, n);
        g_byte_array_remove_range(r->input, 0, n);
        char_receive(chr, part, n);
    }
}

static RingChardev *ring_find(const char *id, GError **err)
{
    Chardev *chr = chardev_find(id);

    if (!chr || chr->kind != &chardev_ringbuf) {
        emu_set_error(err, "'%s' is no ring buffer", id);
        return NULL;
    }
    return (RingChardev *)chr;
}

bool chardev_ringbuf_read(const char *id, size_t max, GByteArray *out, GError **err)
{
    RingChardev *r = ring_find(id, err);

    if (!r) {
        return false;
    }
    for (; max && r->used; max--) {
        g_byte_array_append(out, &r->data[r->start], 1);
        r->start = (r->start + 1) & (r->size - 1);
        r->used--;
    }
    return true;
}

bool chardev_ringbuf_write(const char *id, const void *buf, size_t len, GError **err)
{
    RingChardev *r = ring_find(id, err);

    if (!r) {
        return false;
    }
    g_byte_array_append(r->input, buf, len);
    ring_accept_input(&r->chr);
    return true;
}

const ChardevKind chardev_ringbuf = {
    .name = "ringbuf",
    .options = "[,size=BYTES]",
    .size = sizeof(RingChardev),
    .open = ring_open,
    .close = ring_close,
    .write = ring_write,
    .accept_input = ring_accept_input,
};
