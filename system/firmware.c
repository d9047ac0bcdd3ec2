/*
 * Where firmware and ROM files are looked for: -L, our own data folder, the packages' folders.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "system/firmware.h"

#include "core/machine.h"

static const char *const default_dirs[] = {
    CONFIG_DATADIR "/emu", CONFIG_DATADIR "/qemu", "/usr/share/seabios",
    "/usr/share/qemu",     "/usr/share/ipxe/qemu", "/usr/lib/ipxe/qemu",
    "/usr/share/ovmf",     "/usr/share/OVMF",      NULL,
};

void firmware_print_default_dirs(GString *out)
{
    for (size_t i = 0; default_dirs[i]; i++) {
        g_string_append_printf(out, "%s\n", default_dirs[i]);
    }
}

void firmware_set_path(Machine *m, const GPtrArray *dirs)
{
    for (size_t i = G_N_ELEMENTS(default_dirs) - 1; i-- > 0;) {
        m->firmware_path = g_slist_prepend(m->firmware_path, g_strdup(default_dirs[i]));
    }
    for (guint i = dirs->len; i-- > 0;) {
        m->firmware_path = g_slist_prepend(m->firmware_path, g_strdup(dirs->pdata[i]));
    }
}
