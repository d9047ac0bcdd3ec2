/*
 * Between the main loop and the clocks.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_CLOCK_INT_H
#define CORE_CLOCK_INT_H

/* Creates the timerfds and attaches them to the main loop. Called by main_loop_init(). */
void clock_init(void);
/* Before each poll: a loop nested in a timer's callback must see what that armed. */
void clock_before_poll(void);

#endif
