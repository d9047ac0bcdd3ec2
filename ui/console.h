/*
 * Consoles: what a display device shows and where keys and pointer moves go.
 *
 * A display device creates one Console and publishes a pixman image (x8r8g8b8) as its surface; a
 * screen dump or, later, a window asks it to update. Input devices register handlers; whoever has
 * keys (sendkey, windows) sends key codes. Machine lock held throughout. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include <glib.h>
#include <pixman.h>
#include <stdbool.h>

#include "ui/keycode.h"

typedef struct Console Console;

typedef struct ConsoleOps {
    /* Brings the surface up to date (may replace it). */
    void (*update)(void *opaque);
    /* Forget what was drawn: the next update draws everything. */
    void (*invalidate)(void *opaque);
} ConsoleOps;

Console *console_new(const char *name, const ConsoleOps *ops, void *opaque);
void console_free(Console *con);
Console *console_by_index(int index); /* 0 is the first; NULL: no such */
/* Replaces the surface; the console takes a reference on IMAGE. */
void console_set_surface(Console *con, pixman_image_t *image);
pixman_image_t *console_surface(Console *con);
void console_update(Console *con);
/* Who wants to know what an update changed: windows, remote viewers. */
typedef struct ConsoleViewer {
    void (*damage)(void *opaque, int x, int y, int w, int h);
    void (*surface_replaced)(void *opaque); /* NULL: damage tells enough */
} ConsoleViewer;
void console_add_viewer(Console *con, const ConsoleViewer *viewer, void *opaque);
void console_remove_viewer(Console *con, void *opaque);
/* From the display device: a part was redrawn. */
void console_damage(Console *con, int x, int y, int w, int h);

/* Writes the updated surface to PATH as PNG or PPM (FORMAT "png", "ppm"). */
bool console_screendump(Console *con, const char *path, const char *format, GError **err);

/* Input. */
typedef struct InputHandler {
    void (*key)(void *opaque, KeyCode key, bool down); /* NULL: takes no keys */
    void (*pointer)(void *opaque, int dx, int dy, int dz, unsigned buttons); /* relative */
} InputHandler;
void input_add_handler(const InputHandler *handler,
                       void *opaque); /* the last added gets the input */
void input_remove_handler(void *opaque);
void input_send_key(KeyCode key, bool down);
void input_send_pointer(int dx, int dy, int dz, unsigned buttons);

#endif
