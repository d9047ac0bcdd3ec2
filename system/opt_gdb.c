/*
 * -gdb and -s.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "system/options.h"
#include "util/keyval.h"

bool opt_gdb(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    const char *spec = def->data ? def->data : arg;

    if (!*spec) {
        emu_set_error(err, "a back end is missing: tcp:[HOST]:PORT, unix:PATH, stdio, none ...");
        return false;
    }
    g_free(cfg->gdb);
    cfg->gdb = strcmp(spec, "none") ? g_strdup(spec) : NULL;
    return true;
}
