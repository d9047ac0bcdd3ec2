/*
 * Requests to the machine, from any thread, and the search for firmware.
 *
 * A request is noted under a leaf mutex, every vCPU is told to leave guest code, and the main loop
 * calls the hook that carries it out. Of several requests before that, a shutdown wins over a
 * reset, a reset over a stop; of two shutdowns the first. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/machine.h"

#include <pthread.h>
#include <unistd.h>

#include "core/mainloop.h"
#include "util/keyval.h"

typedef struct Callback {
    void (*fn)(void *opaque);
    void *opaque;
} Callback;

static const MachineHooks *hooks;

static struct {
    pthread_mutex_t mutex; /* a leaf */
    bool called;           /* the main loop has been asked to come */
    bool reset, shutdown, powerdown, stop;
    ShutdownCause reset_cause, shutdown_cause;
    int status;
    RunState why;
    _Atomic bool pending; /* as machine_request_pending() says */
} requests = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void machine_set_hooks(const MachineHooks *h)
{
    hooks = h;
}

bool machine_request_pending(Machine *m)
{
    (void)m;
    return atomic_load(&requests.pending);
}

static GSList *add_callback(GSList *list, void (*fn)(void *opaque), void *opaque)
{
    Callback *cb = g_new0(Callback, 1);

    cb->fn = fn;
    cb->opaque = opaque;
    return g_slist_append(list, cb);
}

static void call_all(GSList *list)
{
    for (GSList *l = list; l; l = l->next) {
        const Callback *cb = l->data;

        cb->fn(cb->opaque);
    }
}

static void carry_out(void *opaque)
{
    Machine *m = opaque;
    ShutdownCause reset_cause, shutdown_cause;
    bool reset, shutdown, powerdown, stop;
    RunState why;
    int status;

    pthread_mutex_lock(&requests.mutex);
    reset_cause = requests.reset_cause;
    shutdown_cause = requests.shutdown_cause;
    status = requests.status;
    why = requests.why;
    shutdown = requests.shutdown;
    reset = requests.reset && !shutdown;
    stop = requests.stop && !shutdown;
    powerdown = requests.powerdown;
    requests.shutdown = requests.reset = requests.stop = requests.powerdown = false;
    requests.called = false;
    pthread_mutex_unlock(&requests.mutex);

    if (shutdown && hooks && hooks->shutdown) {
        hooks->shutdown(m, shutdown_cause, status);
    }
    if (reset && hooks && hooks->reset) {
        hooks->reset(m, reset_cause);
    }
    if (stop && hooks && hooks->stop) {
        hooks->stop(m, why);
    }
    if (powerdown) {
        call_all(m->powerdown_callbacks);
    }

    pthread_mutex_lock(&requests.mutex);
    if (!requests.called) {
        atomic_store(&requests.pending, false);
    }
    pthread_mutex_unlock(&requests.mutex);
}

/* Called with the mutex held, which it releases. HALT: the guest goes no further. */
static void call_main_loop(Machine *m, bool halt)
{
    bool call = !requests.called;

    requests.called = true;
    if (halt) {
        atomic_store(&requests.pending, true);
    }
    pthread_mutex_unlock(&requests.mutex);

    for (int i = 0; halt && i < m->cpu_count; i++) {
        cpu_raise(m->cpus[i], CPU_EVENT_STOP);
    }
    if (call) {
        main_loop_call(carry_out, m);
    }
}

void machine_request_reset(Machine *m, ShutdownCause cause)
{
    pthread_mutex_lock(&requests.mutex);
    if (!requests.reset) {
        requests.reset_cause = cause;
    }
    requests.reset = true;
    call_main_loop(m, true);
}

void machine_request_shutdown(Machine *m, ShutdownCause cause, int exit_status)
{
    pthread_mutex_lock(&requests.mutex);
    if (!requests.shutdown) {
        requests.shutdown_cause = cause;
        requests.status = exit_status;
    }
    requests.shutdown = true;
    call_main_loop(m, true);
}

void machine_request_stop(Machine *m, RunState why)
{
    pthread_mutex_lock(&requests.mutex);
    if (!requests.stop) {
        requests.why = why;
    }
    requests.stop = true;
    call_main_loop(m, true);
}

void machine_request_powerdown(Machine *m)
{
    pthread_mutex_lock(&requests.mutex);
    requests.powerdown = true;
    call_main_loop(m, false);
}

void machine_on_powerdown(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    m->powerdown_callbacks = add_callback(m->powerdown_callbacks, fn, opaque);
}

void machine_on_run_state(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    m->run_callbacks = add_callback(m->run_callbacks, fn, opaque);
}

void machine_off_run_state(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    for (GSList *l = m->run_callbacks; l; l = l->next) {
        Callback *cb = l->data;

        if (cb->fn == fn && cb->opaque == opaque) {
            m->run_callbacks = g_slist_delete_link(m->run_callbacks, l);
            g_free(cb);
            return;
        }
    }
}

void machine_run_state_changed(Machine *m)
{
    call_all(m->run_callbacks);
}

char *machine_find_firmware(Machine *m, const char *name, GError **err)
{
    GString *tried;

    if (!access(name, R_OK) && !g_file_test(name, G_FILE_TEST_IS_DIR)) {
        return g_strdup(name);
    }
    tried = g_string_new(NULL);
    for (GSList *dir = m->firmware_path; dir && name[0] != '/'; dir = dir->next) {
        char *path = g_build_filename(dir->data, name, NULL);

        if (!access(path, R_OK) && !g_file_test(path, G_FILE_TEST_IS_DIR)) {
            g_string_free(tried, TRUE);
            return path;
        }
        g_string_append_printf(tried, "%s%s", tried->len ? ", " : "; looked in ",
                               (const char *)dir->data);
        g_free(path);
    }
    emu_set_error(err, "cannot find firmware file '%s'%s (-L DIR adds a directory)", name,
                  tried->str);
    g_string_free(tried, TRUE);
    return NULL;
}
