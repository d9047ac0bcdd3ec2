/*
 * The PC's two DMA controllers, Intel 8237A: channels 0 to 3 move bytes, 5 to 7 words; 4 joins the
 * two. Machine lock held throughout.
 *
 * A device that has data to move asserts its channel's request. Whenever the request meets a
 * channel that the guest has enabled, the channel's function is called; it moves as much as it
 * wants with i8237_transfer(), and drops the request when it has no more.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_DMA_I8237_H
#define HW_DMA_I8237_H

#include "hw/pc/isa.h"

enum { I8237_CHANNELS = 8 };

extern const DeviceClass i8237_class; /* on an ISA bus */

/* The controllers on the bus of DEV, or NULL. */
Device *i8237_of(IsaDevice *dev);
/* FN serves CHANNEL (0 to 3, 5 to 7); NULL: nobody does any more. False if it has somebody. */
bool i8237_connect(Device *dma, int channel, void (*fn)(void *opaque), void *opaque);
/* DREQ of CHANNEL. FN may be called before this returns. */
void i8237_request(Device *dma, int channel, bool level);
/* The same after a state was loaded: FN is not called. */
void i8237_restore_request(Device *dma, int channel, bool level);
/*
 * For FN: moves up to LEN bytes between BUF and guest memory, in the direction that the guest has
 * programmed; returns how many. *TC: the programmed count has been reached. A verify transfer
 * counts, and leaves BUF and memory alone.
 */
uint32_t i8237_transfer(Device *dma, int channel, void *buf, uint32_t len, bool to_memory,
                        bool *tc);

#endif
