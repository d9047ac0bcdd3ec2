/*
 * Options for what is attached to the machine: disks, devices, character back ends, display.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "core/device.h"
#include "system/options.h"
#include "ui/chardev.h"
#include "util/keyval.h"

static bool is_help(const char *word)
{
    return !strcmp(word, "help") || !strcmp(word, "?");
}

static bool print_and_exit(VmConfig *cfg, GString *text)
{
    fputs(text->str, stdout);
    g_string_free(text, TRUE);
    cfg->done = true;
    return true;
}

/* ---- disks ---- */

/* -hda FILE and the like: the name is taken as it is, commas and all. */
bool opt_drive_letter(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    static const char *const names[] = {"-hda", "-hdb", "-hdc", "-hdd", "-cdrom", "-fda", "-fdb"};
    g_auto(GStrv) parts = g_strsplit(arg, ",", -1);
    g_autofree char *escaped = g_strjoinv(",,", parts);
    g_autofree char *file = g_strconcat("file=", escaped, NULL);

    if (!*arg) {
        emu_set_error(err, "the name of an image is missing");
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!strcmp(names[i] + 1, def->name)) {
            option_keep(cfg->drives, names[i], file, def->data);
        }
    }
    return true;
}

bool opt_drive(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    option_keep(cfg->drives, "-drive", arg, NULL);
    return true;
}

bool opt_blockdev(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    option_keep(cfg->blockdevs, "-blockdev", arg, NULL);
    return true;
}

/* ---- devices ---- */

static bool device_help(VmConfig *cfg, const char *name, GError **err)
{
    const DeviceClass *cls = device_class_find(name);

    if (!cls || !cls->user_creatable) {
        emu_set_error(err, "'%s' is not a device that can be added (-device help lists them)",
                      name);
        return false;
    }
    GString *text = g_string_new(NULL);
    device_print_class(cls, text);
    return print_and_exit(cfg, text);
}

bool opt_device(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    const char *comma = strchr(arg, ',');

    (void)def;
    if (is_help(arg)) {
        GString *text = g_string_new(NULL);
        device_print_class_list(text);
        return print_and_exit(cfg, text);
    }
    if (comma && is_help(comma + 1)) {
        g_autofree char *name = g_strndup(arg, comma - arg);
        return device_help(cfg, g_str_has_prefix(name, "driver=") ? name + 7 : name, err);
    }
    option_keep(cfg->devices, "-device", arg, NULL);
    return true;
}

bool opt_global(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    option_keep(cfg->globals, "-global", arg, NULL);
    return true;
}

/* ---- character back ends ---- */

bool opt_chardev(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    if (is_help(arg)) {
        GString *text = g_string_new(NULL);
        chardev_print_kinds(text);
        return print_and_exit(cfg, text);
    }
    option_keep(cfg->chardevs, "-chardev", arg, NULL);
    return true;
}

/* A back end that brings its monitor leaves the default one out. */
static void note_monitor(VmConfig *cfg, const char *spec)
{
    if (g_str_has_prefix(spec, "mon:")) {
        cfg->no_default_monitor = true;
    }
}

bool opt_serial(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    enum { SERIAL_LINES = 4 };

    (void)def;
    if (cfg->serials->len == SERIAL_LINES) {
        emu_set_error(err, "a PC has %d serial lines", SERIAL_LINES);
        return false;
    }
    cfg->no_default_serial = true;
    note_monitor(cfg, arg);
    option_keep(cfg->serials, "-serial", arg, NULL);
    return true;
}

bool opt_parallel(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)cfg;
    (void)def;
    if (strcmp(arg, "none") != 0) {
        emu_set_error(err, "'%s': parallel ports are not implemented, only 'none' is", arg);
        return false;
    }
    return true;
}

bool opt_monitor(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    cfg->no_default_monitor = true;
    if (strcmp(arg, "none") != 0) {
        option_keep(cfg->monitors, "-monitor", arg, NULL);
    }
    return true;
}

bool opt_mon(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)err;
    cfg->no_default_monitor = true;
    option_keep(cfg->mons, "-mon", arg, NULL);
    return true;
}

bool opt_debugcon(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (cfg->debugcons->len) {
        emu_set_error(err, "there is one debug port");
        return false;
    }
    note_monitor(cfg, arg);
    option_keep(cfg->debugcons, "-debugcon", arg, NULL);
    return true;
}

/* ---- display ---- */

bool opt_vga(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (is_help(arg)) {
        return print_and_exit(cfg, g_string_new("none    no display adapter\n"
                                                "std     VGA with Bochs extensions (default)\n"));
    }
    if (!strcmp(arg, "std")) {
        cfg->vga = VGA_STD;
    } else if (!strcmp(arg, "none")) {
        cfg->vga = VGA_NONE;
    } else {
        emu_set_error(err, "'%s' is no display adapter: std or none", arg);
        return false;
    }
    return true;
}

bool opt_display(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (is_help(arg)) {
        return print_and_exit(cfg, g_string_new("none\n"));
    }
    if (strcmp(arg, "none") != 0) {
        emu_set_error(err, "'%s': windows are not implemented, only 'none' is", arg);
        return false;
    }
    cfg->display_given = true;
    return true;
}
