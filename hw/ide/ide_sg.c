/*
 * A list of guest memory stretches for one DMA request: straight pointers into RAM where the memory
 * is RAM and the list short, else a bounce buffer (an adapter's descriptors can be two bytes each,
 * or name device memory).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/ide/ide.h"

#include <string.h>

enum { SG_IOV_MAX = 512 }; /* below IOV_MAX */

void ide_sg_begin(IdeSg *sg, AddressSpace *as, bool to_memory)
{
    g_assert(!sg->bounce);
    sg->as = as;
    sg->to_memory = to_memory;
    sg->bytes = 0;
    sg->iov_count = 0;
    sg->piece_count = 0;
}

void ide_sg_add(IdeSg *sg, hwaddr addr, uint32_t len)
{
    if (sg->piece_count) {
        struct IdeSgPiece *last = &sg->pieces[sg->piece_count - 1];
        if (last->addr + last->len == addr && last->len + (uint64_t)len <= UINT32_MAX) {
            last->len += len;
            sg->bytes += len;
            return;
        }
    }
    if (sg->piece_count == sg->piece_cap) {
        sg->piece_cap = sg->piece_cap ? sg->piece_cap * 2 : 16;
        sg->pieces = g_renew(struct IdeSgPiece, sg->pieces, sg->piece_cap);
    }
    sg->pieces[sg->piece_count++] = (struct IdeSgPiece){.addr = addr, .len = len};
    sg->bytes += len;
}

void ide_sg_truncate(IdeSg *sg, uint64_t bytes)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < sg->piece_count; i++) {
        if (seen + sg->pieces[i].len >= bytes) {
            sg->pieces[i].len = (uint32_t)(bytes - seen);
            sg->piece_count = bytes > seen ? i + 1 : i;
            break;
        }
        seen += sg->pieces[i].len;
    }
    sg->bytes = MIN(sg->bytes, bytes);
}

static bool sg_add_iov(IdeSg *sg, void *host, uint64_t len)
{
    if (sg->iov_count == SG_IOV_MAX) {
        return false;
    }
    if (sg->iov_count == sg->iov_cap) {
        sg->iov_cap = sg->iov_cap ? sg->iov_cap * 2 : 16;
        sg->iov = g_renew(struct iovec, sg->iov, sg->iov_cap);
    }
    sg->iov[sg->iov_count++] = (struct iovec){.iov_base = host, .iov_len = len};
    return true;
}

static bool sg_map_direct(IdeSg *sg)
{
    for (unsigned i = 0; i < sg->piece_count; i++) {
        hwaddr addr = sg->pieces[i].addr;
        uint64_t left = sg->pieces[i].len;

        while (left) {
            uint64_t len = left;
            void *host = address_space_map(sg->as, addr, &len, sg->to_memory);
            if (!host || !len || !sg_add_iov(sg, host, MIN(len, left))) {
                return false;
            }
            len = MIN(len, left);
            addr += len;
            left -= len;
        }
    }
    return true;
}

/* Moves the first BYTES between BUF and the pieces. */
static void sg_transfer(IdeSg *sg, uint8_t *buf, uint64_t bytes)
{
    for (unsigned i = 0; i < sg->piece_count && bytes; i++) {
        uint64_t len = MIN(bytes, sg->pieces[i].len);

        if (sg->to_memory) {
            address_space_write(sg->as, sg->pieces[i].addr, buf, len);
        } else {
            address_space_read(sg->as, sg->pieces[i].addr, buf, len);
        }
        buf += len;
        bytes -= len;
    }
}

void ide_sg_map(IdeSg *sg)
{
    if (sg_map_direct(sg)) {
        return;
    }
    sg->bounce = g_malloc(sg->bytes);
    sg->iov_count = 0;
    sg_add_iov(sg, sg->bounce, sg->bytes);
    if (!sg->to_memory) {
        sg_transfer(sg, sg->bounce, sg->bytes);
    }
}

void ide_sg_finish(IdeSg *sg, uint64_t bytes)
{
    if (sg->bounce) {
        if (sg->to_memory) {
            sg_transfer(sg, sg->bounce, MIN(bytes, sg->bytes));
        }
        g_clear_pointer(&sg->bounce, g_free);
    } else {
        for (unsigned i = 0; i < sg->iov_count; i++) {
            uint64_t len = MIN(bytes, sg->iov[i].iov_len);
            address_space_unmap(sg->as, sg->iov[i].iov_base, len, sg->to_memory && len);
            bytes -= len;
        }
    }
    sg->iov_count = 0;
}

void ide_sg_copy(IdeSg *sg, void *buf, uint64_t len)
{
    sg_transfer(sg, buf, MIN(len, sg->bytes));
}

void ide_sg_free(IdeSg *sg)
{
    g_free(sg->iov);
    g_free(sg->pieces);
    g_free(sg->bounce);
    memset(sg, 0, sizeof(*sg));
}
