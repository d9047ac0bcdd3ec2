/*
 * The main loop: GLib's default context with a poll function that lets go of the machine lock.
 *
 * The thread is an RCU reader; it is offline while it polls. Calls from other threads are gathered
 * in a list, and one source runs them all. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/mainloop.h"

#include <glib-unix.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/clock_int.h"
#include "core/lock.h"
#include "core/safepoint.h"
#include "core/safepoint_int.h"

typedef struct Call Call;
struct Call {
    Call *next;
    void (*fn)(void *opaque);
    void *opaque;
};

static struct {
    GMainContext *context;
    _Atomic bool quit;
    pthread_mutex_t mutex; /* of the calls; a leaf */
    Call *calls, **tail;
    GSource *source; /* ready while there are calls */
} loop = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static gint poll_unlocked(GPollFD *fds, guint count, gint timeout_ms)
{
    bool begun;
    gint ret;

    clock_before_poll();
    machine_unlock();
    begun = safepoint_wait_begin();
    ret = g_poll(fds, count, timeout_ms);
    while (begun && !safepoint_wait_try_end()) {
        safepoint_wait_exclusive();
    }
    machine_lock();
    return ret;
}

static gboolean run_calls(GSource *source, GSourceFunc fn, gpointer opaque)
{
    Call *todo;

    (void)fn;
    (void)opaque;
    pthread_mutex_lock(&loop.mutex);
    todo = loop.calls;
    loop.calls = NULL;
    loop.tail = &loop.calls;
    g_source_set_ready_time(source, -1);
    pthread_mutex_unlock(&loop.mutex);

    while (todo) {
        Call *call = todo;

        todo = call->next;
        call->fn(call->opaque);
        g_free(call);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs call_source_funcs = {.dispatch = run_calls};

void main_loop_init(void)
{
    g_assert(!loop.context);
    safepoint_thread_attach(NULL);
    loop.context = g_main_context_ref(g_main_context_default());
    g_main_context_set_poll_func(loop.context, poll_unlocked);
    loop.tail = &loop.calls;
    loop.source = g_source_new(&call_source_funcs, sizeof(GSource));
    g_source_set_name(loop.source, "main_loop_call");
    g_source_attach(loop.source, loop.context);
    machine_lock();
    clock_init();
}

void main_loop_run(void)
{
    while (!atomic_exchange(&loop.quit, false)) {
        g_main_context_iteration(loop.context, TRUE);
    }
}

void main_loop_quit(void)
{
    atomic_store(&loop.quit, true);
    g_main_context_wakeup(loop.context);
}

GMainContext *main_loop_context(void)
{
    return loop.context;
}

bool main_loop_iterate(bool may_block)
{
    return g_main_context_iteration(loop.context, may_block);
}

void main_loop_call(void (*fn)(void *opaque), void *opaque)
{
    Call *call = g_new0(Call, 1);

    call->fn = fn;
    call->opaque = opaque;
    pthread_mutex_lock(&loop.mutex);
    if (!loop.calls) {
        g_source_set_ready_time(loop.source, 0); /* wakes the loop if it polls */
    }
    *loop.tail = call;
    loop.tail = &call->next;
    pthread_mutex_unlock(&loop.mutex);
}

guint main_loop_watch_fd(int fd, GIOCondition cond, gboolean (*fn)(int, GIOCondition, void *),
                         void *opaque)
{
    GSource *source = g_unix_fd_source_new(fd, cond);
    guint id;

    /* The callback of such a source has its own signature; GLib passes it through this type. */
    g_source_set_callback(source, (GSourceFunc)(void (*)(void))fn, opaque, NULL);
    id = g_source_attach(source, loop.context);
    g_source_unref(source);
    return id;
}

void main_loop_unwatch(guint id)
{
    GSource *source = id ? g_main_context_find_source_by_id(loop.context, id) : NULL;

    if (source) {
        g_source_destroy(source);
    }
}
