/*
 * What core's own waits (the machine lock, the main loop, I/O threads) need of safe points.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_SAFEPOINT_INT_H
#define CORE_SAFEPOINT_INT_H

#include <stdbool.h>

/* Takes the thread offline for a wait; true if it was online, so that the wait must be ended. */
bool safepoint_wait_begin(void);
/*
 * Brings it back online and runs posted work. False, and the thread stays offline, while another
 * thread's exclusive section is on: the caller lets go of its lock, calls
 * safepoint_wait_exclusive(), and tries again.
 */
bool safepoint_wait_try_end(void);
void safepoint_wait_exclusive(void);

#endif
