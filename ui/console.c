/*
 * The registry of consoles, and the way of keys and pointer moves to input devices.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ui/console.h"

struct Console {
    char *name;
    const ConsoleOps *ops;
    void *opaque;
    pixman_image_t *surface;
    GSList *viewers; /* Viewer * */
};

typedef struct Viewer {
    const ConsoleViewer *ops;
    void *opaque;
} Viewer;

typedef struct InputSink {
    const InputHandler *handler;
    void *opaque;
} InputSink;

static GPtrArray *consoles; /* Console *, in the order of their making */
static GSList *sinks;       /* InputSink *, the last added first */

Console *console_new(const char *name, const ConsoleOps *ops, void *opaque)
{
    Console *con = g_new0(Console, 1);

    con->name = g_strdup(name);
    con->ops = ops;
    con->opaque = opaque;
    if (!consoles) {
        consoles = g_ptr_array_new();
    }
    g_ptr_array_add(consoles, con);
    return con;
}

void console_free(Console *con)
{
    if (!con) {
        return;
    }
    g_ptr_array_remove(consoles, con);
    if (!consoles->len) {
        g_clear_pointer(&consoles, g_ptr_array_unref);
    }
    g_slist_free_full(con->viewers, g_free);
    g_clear_pointer(&con->surface, pixman_image_unref);
    g_free(con->name);
    g_free(con);
}

Console *console_by_index(int index)
{
    if (!consoles || index < 0 || (guint)index >= consoles->len) {
        return NULL;
    }
    return g_ptr_array_index(consoles, index);
}

void console_set_surface(Console *con, pixman_image_t *image)
{
    pixman_image_ref(image);
    g_clear_pointer(&con->surface, pixman_image_unref);
    con->surface = image;
    for (GSList *l = con->viewers; l; l = l->next) {
        Viewer *viewer = l->data;

        if (viewer->ops->surface_replaced) {
            viewer->ops->surface_replaced(viewer->opaque);
        }
    }
}

pixman_image_t *console_surface(Console *con)
{
    return con->surface;
}

void console_update(Console *con)
{
    con->ops->update(con->opaque);
}

void console_add_viewer(Console *con, const ConsoleViewer *ops, void *opaque)
{
    Viewer *viewer = g_new(Viewer, 1);

    *viewer = (Viewer){.ops = ops, .opaque = opaque};
    con->viewers = g_slist_append(con->viewers, viewer);
}

void console_remove_viewer(Console *con, void *opaque)
{
    for (GSList *l = con->viewers; l; l = l->next) {
        Viewer *viewer = l->data;

        if (viewer->opaque == opaque) {
            con->viewers = g_slist_delete_link(con->viewers, l);
            g_free(viewer);
            return;
        }
    }
}

void console_damage(Console *con, int x, int y, int w, int h)
{
    for (GSList *l = con->viewers; l; l = l->next) {
        Viewer *viewer = l->data;

        viewer->ops->damage(viewer->opaque, x, y, w, h);
    }
}

/* ---- input ---- */

void input_add_handler(const InputHandler *handler, void *opaque)
{
    InputSink *sink = g_new(InputSink, 1);

    *sink = (InputSink){.handler = handler, .opaque = opaque};
    sinks = g_slist_prepend(sinks, sink);
}

void input_remove_handler(void *opaque)
{
    for (GSList *l = sinks; l;) {
        GSList *next = l->next;
        InputSink *sink = l->data;

        if (sink->opaque == opaque) {
            sinks = g_slist_delete_link(sinks, l);
            g_free(sink);
        }
        l = next;
    }
}

void input_send_key(KeyCode key, bool down)
{
    for (GSList *l = sinks; l; l = l->next) {
        InputSink *sink = l->data;

        if (sink->handler->key) {
            sink->handler->key(sink->opaque, key, down);
            return;
        }
    }
}

void input_send_pointer(int dx, int dy, int dz, unsigned buttons)
{
    for (GSList *l = sinks; l; l = l->next) {
        InputSink *sink = l->data;

        if (sink->handler->pointer) {
            sink->handler->pointer(sink->opaque, dx, dy, dz, buttons);
            return;
        }
    }
}
