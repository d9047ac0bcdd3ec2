/*
 * The process as a whole: its name, log, pid file, and going to the background.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYSTEM_DAEMON_H
#define SYSTEM_DAEMON_H

#include "system/config.h"

/* Before any thread exists. With -daemonize the caller goes on as the child; the parent waits for
 * process_ready(), and ends with status 0, or 1 if the child ends before that. */
bool process_prepare(const VmConfig *cfg, GError **err);
/* The machine is there: writes the pid file; with -daemonize lets go of the terminal and the
 * parent. */
bool process_ready(const VmConfig *cfg, GError **err);
void process_end(const VmConfig *cfg); /* removes the pid file */

#endif
