/*
 * Start-up: character back ends, and who sits on them by default.
 *
 * With -nographic, the first serial line and a monitor share the terminal; where one of them has
 * been given elsewhere, the other has the terminal alone. Without it they would be windows; as
 * there are none yet, the serial line goes nowhere and there is no monitor, unless they are asked
 * for. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/accel.h"
#include "gdbstub/gdbstub.h"
#include "monitor/monitor.h"
#include "system/options.h"
#include "system/startup.h"
#include "ui/chardev.h"
#include "util/keyval.h"

static bool gdbserver(Machine *m, const char *spec, GError **err)
{
    return gdbstub_open(m, &monitor_host, spec, err);
}

const MonitorHost monitor_host = {
    .stop = vm_stop,
    .start = vm_start,
    .pause = cpus_pause,
    .resume = cpus_resume,
    .run_on = cpus_run_on,
    .state_name = runstate_name,
    .gdbserver = gdbserver,
};

static void escape_quit(void *opaque)
{
    machine_request_shutdown(opaque, SHUTDOWN_HOST_QMP_QUIT, 0);
}

/* A back end in legacy syntax; with "mon:", its monitor too. NULL without ERR set: "none". */
static Chardev *legacy(Startup *s, const char *option, const char *id, const char *spec,
                       GError **err)
{
    Chardev *chr;
    GError *local = NULL;

    if (!strcmp(spec, "none")) {
        return NULL;
    }
    chr = chardev_from_legacy(id, spec, &local);
    if (chr && g_str_has_prefix(spec, "mon:") &&
        !monitor_new(&s->vm->machine, &monitor_host, chr, &local)) {
        chr = NULL;
    }
    if (!chr) {
        option_prefix_error(&local, option);
        g_propagate_error(err, local);
    }
    return chr;
}

static bool add_monitor(Startup *s, const char *option, const char *id, const char *spec,
                        GError **err)
{
    GError *local = NULL;
    Chardev *chr = legacy(s, option, id, spec, &local);

    if (chr && !g_str_has_prefix(spec, "mon:") &&
        !monitor_new(&s->vm->machine, &monitor_host, chr, &local)) {
        option_prefix_error(&local, option);
    }
    if (local) {
        g_propagate_error(err, local);
        return false;
    }
    return true;
}

static bool add_serial(Startup *s, unsigned n, const char *option, const char *spec, GError **err)
{
    GError *local = NULL;
    g_autofree char *id = g_strdup_printf("serial%u", n);
    Chardev *chr = legacy(s, option, id, spec, &local);

    s->serial[n] = chr ? chardev_id(chr) : NULL;
    if (local) {
        g_propagate_error(err, local);
        return false;
    }
    return true;
}

static bool add_mon(Startup *s, const OptArg *a, GError **err)
{
    static const char *const modes[] = {"readline", NULL};
    int mode = 0;
    KeyVal *kv = keyval_parse("-mon", a->arg, "chardev", err);
    const char *id = kv ? keyval_get(kv, "chardev") : NULL;
    bool ok = false;

    if (kv && keyval_get_enum(kv, "mode", modes, &mode, err) && keyval_finish(kv, err)) {
        Chardev *chr = id ? chardev_find(id) : NULL;
        if (chr) {
            ok = monitor_new(&s->vm->machine, &monitor_host, chr, err);
        } else {
            emu_set_error(err, "-mon: there is no character back end '%s'", id ? id : "");
        }
    }
    keyval_free(kv);
    return ok;
}

static bool given(Startup *s, GError **err)
{
    const VmConfig *cfg = s->cfg;

    for (guint i = 0; i < cfg->chardevs->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->chardevs, i);
        if (!chardev_from_options(a->arg, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    for (guint i = 0; i < cfg->mons->len; i++) {
        if (!add_mon(s, g_ptr_array_index(cfg->mons, i), err)) {
            option_prefix_error(err, "-mon");
            return false;
        }
    }
    for (guint i = 0; i < cfg->monitors->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->monitors, i);
        g_autofree char *id = g_strdup_printf("monitor%u", i);
        if (!add_monitor(s, a->option, id, a->arg, err)) {
            return false;
        }
    }
    for (guint i = 0; i < cfg->serials->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->serials, i);
        if (!add_serial(s, i, a->option, a->arg, err)) {
            return false;
        }
    }
    for (guint i = 0; i < cfg->debugcons->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->debugcons, i);
        Chardev *chr = legacy(s, a->option, "debugcon", a->arg, err);
        if (!chr && strcmp(a->arg, "none") != 0) {
            return false;
        }
        s->debugcon = chr ? chardev_id(chr) : NULL;
    }
    return true;
}

static bool defaults(Startup *s, GError **err)
{
    static const char *const serial_names[] = {"isa-serial", NULL};
    const VmConfig *cfg = s->cfg;
    bool serial = !cfg->nodefaults && !cfg->no_default_serial && !devices_have(s, serial_names);
    bool monitor = !cfg->nodefaults && !cfg->no_default_monitor;

    if (!cfg->nographic) {
        if (serial && monitor && !cfg->display_given && isatty(STDIN_FILENO)) {
            fprintf(stderr,
                    "%s: there are no windows yet; -nographic puts serial line and monitor on the "
                    "terminal\n",
                    g_get_prgname());
        }
        return !serial || add_serial(s, 0, "-serial", "null", err);
    }
    if (serial && monitor) {
        return add_serial(s, 0, "-nographic", "mon:stdio", err);
    }
    return (!serial || add_serial(s, 0, "-nographic", "stdio", err)) &&
           (!monitor || add_monitor(s, "-nographic", "monitor", "stdio", err));
}

bool startup_chardevs(Startup *s, GError **err)
{
    static ChardevEscapes escapes = {.quit = escape_quit};

    escapes.opaque = &s->vm->machine;
    chardev_set_escapes(&escapes);
    return given(s, err) && defaults(s, err);
}
