/*
 * The remaining options: help, firmware and kernel, clock, names, logging, switches.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "system/firmware.h"
#include "system/options.h"
#include "ui/chardev.h"
#include "util/keyval.h"
#include "util/log.h"

static void set_string(char **field, const char *value)
{
    g_free(*field);
    *field = g_strdup(value);
}

static bool print_and_exit(VmConfig *cfg, GString *text)
{
    fputs(text->str, stdout);
    g_string_free(text, TRUE);
    cfg->done = true;
    return true;
}

bool opt_help(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    GString *text = g_string_new(NULL);

    (void)def;
    (void)arg;
    (void)err;
    options_print_help(text);
    return print_and_exit(cfg, text);
}

bool opt_version(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)arg;
    (void)err;
    return print_and_exit(cfg, g_string_new("emu-system-x86_64 version " CONFIG_VERSION "\n"));
}

/* ---- firmware and kernel ---- */

static bool take_file(char **field, const char *arg, GError **err)
{
    if (!*arg) {
        emu_set_error(err, "the name of a file is missing");
        return false;
    }
    set_string(field, arg);
    return true;
}

bool opt_kernel(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    return take_file(&cfg->kernel, arg, err);
}

bool opt_initrd(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    return take_file(&cfg->initrd, arg, err);
}

bool opt_bios(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    return take_file(&cfg->bios, arg, err);
}

bool opt_append(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    set_string(&cfg->append, arg);
    return true;
}

bool opt_firmware_dir(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        GString *text = g_string_new(NULL);
        for (guint i = 0; i < cfg->firmware_dirs->len; i++) {
            g_string_append_printf(text, "%s\n", (char *)g_ptr_array_index(cfg->firmware_dirs, i));
        }
        firmware_print_default_dirs(text);
        return print_and_exit(cfg, text);
    }
    g_ptr_array_add(cfg->firmware_dirs, g_strdup(arg));
    return true;
}

/* ---- -rtc ---- */

static bool rtc_base(RtcConfig *rtc, const char *base, GError **err)
{
    if (!base || !strcmp(base, "utc")) {
        *rtc = (RtcConfig){0};
        return true;
    }
    if (!strcmp(base, "localtime")) {
        *rtc = (RtcConfig){.localtime = true};
        return true;
    }
    g_autofree char *iso =
        strchr(base, 'T') ? g_strdup(base) : g_strconcat(base, "T00:00:00", NULL);
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(iso, utc);
    if (!date) {
        emu_set_error(err, "base=%s is none of utc, localtime, 2006-06-17T16:01:21 and 2006-06-17",
                      base);
        return false;
    }
    *rtc = (RtcConfig){.has_date = true, .date = g_date_time_to_unix(date)};
    return true;
}

/* A value of which one choice only is implemented. */
static bool only_value(KeyVal *kv, const char *key, const char *value, GError **err)
{
    const char *v = keyval_get(kv, key);

    if (v && strcmp(v, value) != 0) {
        emu_set_error(err, "%s=%s is not implemented, only %s=%s is", key, v, key, value);
        return false;
    }
    return true;
}

bool opt_rtc(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    KeyVal *kv = keyval_parse("-rtc", arg, NULL, err);
    bool ok = kv && rtc_base(&cfg->rtc, keyval_get(kv, "base"), err) &&
              only_value(kv, "clock", "host", err) && only_value(kv, "driftfix", "none", err) &&
              keyval_finish(kv, err);

    (void)def;
    keyval_free(kv);
    return ok;
}

/* ---- names ---- */

bool opt_name(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    KeyVal *kv = keyval_parse("-name", arg, "guest", err);
    bool ok = kv && keyval_get_bool(kv, "debug-threads", &cfg->thread_names, err);

    (void)def;
    if (ok) {
        const char *guest = keyval_get(kv, "guest");
        const char *process = keyval_get(kv, "process");
        if (guest) {
            set_string(&cfg->name, guest);
        }
        if (process) {
            set_string(&cfg->process_name, process);
        }
        ok = keyval_finish(kv, err);
    }
    keyval_free(kv);
    return ok;
}

bool opt_uuid(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (!g_uuid_string_is_valid(arg)) {
        emu_set_error(err, "'%s' is no UUID like 550e8400-e29b-41d4-a716-446655440000", arg);
        return false;
    }
    size_t n = 0;
    for (const char *p = arg; *p; p++) {
        if (*p != '-') {
            cfg->uuid[n++] = g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]);
            p++;
        }
    }
    cfg->uuid_set = true;
    return true;
}

/* ---- logging ---- */

bool opt_log_items(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        GString *text = g_string_new(NULL);
        log_print_help(text);
        return print_and_exit(cfg, text);
    }
    if (!log_set(arg, err)) {
        return false;
    }
    set_string(&cfg->log_items, arg);
    return true;
}

bool opt_log_file(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    return take_file(&cfg->log_path, arg, err);
}

bool opt_pidfile(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (!take_file(&cfg->pidfile, arg, err)) {
        return false;
    }
    char *absolute = g_canonicalize_filename(arg, NULL); /* -daemonize changes folder */
    g_free(cfg->pidfile);
    cfg->pidfile = absolute;
    return true;
}

/* ---- switches ---- */

bool opt_echr(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    uint64_t code;

    (void)cfg;
    (void)def;
    if (!parse_uint(arg, 255, &code)) {
        emu_set_error(err, "'%s' is no character code from 0 to 255", arg);
        return false;
    }
    chardev_set_escape_char(code);
    return true;
}

bool opt_flag(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    static const struct {
        const char *name;
        size_t offset;
    } flags[] = {
        {"snapshot", offsetof(VmConfig, snapshot)},
        {"nographic", offsetof(VmConfig, nographic)},
        {"S", offsetof(VmConfig, start_paused)},
        {"no-reboot", offsetof(VmConfig, no_reboot)},
        {"no-shutdown", offsetof(VmConfig, no_shutdown)},
        {"nodefaults", offsetof(VmConfig, nodefaults)},
        {"daemonize", offsetof(VmConfig, daemonize)},
    };

    (void)arg;
    (void)err;
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        if (!strcmp(flags[i].name, def->data)) {
            *(bool *)((char *)cfg + flags[i].offset) = true;
        }
    }
    return true;
}
