/*
 * The program's GError domain.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdarg.h>

#include "util/keyval.h"

GQuark emu_error_quark(void)
{
    return g_quark_from_static_string("emu-error");
}

void emu_set_error(GError **err, const char *format, ...)
{
    va_list ap;

    if (!err) {
        return;
    }
    va_start(ap, format);
    *err = g_error_new_valist(EMU_ERROR, 0, format, ap);
    va_end(ap);
}
