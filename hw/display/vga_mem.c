/*
 * The CPU's window to video memory, A0000h..BFFFFh: the graphics controller's read and write modes,
 * chain-4 and odd/even addressing.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/display/vga.h"

/* Bits of a 4-bit plane mask spread to bytes of a double word. */
static const uint32_t plane_mask[16] = {
    0x00000000, 0x000000ff, 0x0000ff00, 0x0000ffff, 0x00ff0000, 0x00ff00ff, 0x00ffff00, 0x00ffffff,
    0xff000000, 0xff0000ff, 0xff00ff00, 0xff00ffff, 0xffff0000, 0xffff00ff, 0xffffff00, 0xffffffff,
};

static bool chain4(const Vga *s)
{
    return s->sr[4] & 0x08;
}

/* Odd/even addressing: address bit 0 selects between planes 0/1 or 2/3 (SR4 bit 2 clear for writes,
 * GR5 bit 4 set for reads). */
static bool odd_even_write(const Vga *s)
{
    return !(s->sr[4] & 0x04);
}

static bool odd_even_read(const Vga *s)
{
    return s->gr[5] & 0x10;
}

/* Where GR6 bits 3:2 place video memory inside the window; false: ADDR is not in it. */
static bool window_offset(const Vga *s, hwaddr addr, uint32_t *offset)
{
    switch (s->gr[6] >> 2 & 3) {
    case 0:
        *offset = (uint32_t)addr;
        return true;
    case 1:
        *offset = (uint32_t)addr + s->bank_offset;
        return addr < 0x10000;
    case 2:
        *offset = (uint32_t)addr - 0x10000;
        return addr >= 0x10000 && addr < 0x18000;
    default:
        *offset = (uint32_t)addr - 0x18000;
        return addr >= 0x18000;
    }
}

static void mark_written(Vga *s, uint32_t offset, uint32_t len)
{
    ram_block_written(s->vram, offset, len);
}

static uint32_t *plane_word(Vga *s, uint32_t offset)
{
    return offset < s->vram_size / 4 ? (uint32_t *)(void *)s->vram->host + offset : NULL;
}

/* ---- reading ---- */

static uint8_t read_planes(Vga *s, uint32_t addr)
{
    uint32_t offset = addr, *word, diff;
    unsigned plane = s->gr[4] & 3;

    if (odd_even_read(s)) {
        plane = (plane & 2) | (addr & 1);
        offset = addr >> 1;
    }
    word = plane_word(s, offset);
    if (!word) {
        return 0xff;
    }
    s->latch = *word;
    if (!(s->gr[5] & 0x08)) {
        return (uint8_t)(s->latch >> (8 * plane));
    }
    /* Read mode 1: a bit is set where the planes that count (GR7) equal the compare colour (GR2).
     */
    diff = (s->latch ^ plane_mask[s->gr[2] & 15]) & plane_mask[s->gr[7] & 15];
    diff |= diff >> 16;
    diff |= diff >> 8;
    return (uint8_t)~diff;
}

static uint8_t window_read_byte(Vga *s, hwaddr addr)
{
    uint32_t offset;

    if (!window_offset(s, addr, &offset)) {
        return 0xff;
    }
    if (chain4(s)) {
        return offset < s->vram_size ? s->vram->host[offset] : 0xff;
    }
    return read_planes(s, offset);
}

static uint64_t window_read(void *opaque, hwaddr addr, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)window_read_byte(opaque, addr + i) << (8 * i);
    }
    return value;
}

/* ---- writing ---- */

static uint32_t to_all_planes(uint8_t value)
{
    return value * 0x01010101u;
}

static uint8_t rotate(const Vga *s, uint8_t value)
{
    unsigned n = s->gr[3] & 7;

    return (uint8_t)(value >> n | value << (8 - n));
}

static uint32_t combine(const Vga *s, uint32_t value, uint32_t bit_mask)
{
    switch (s->gr[3] >> 3 & 3) {
    case 1:
        value &= s->latch;
        break;
    case 2:
        value |= s->latch;
        break;
    case 3:
        value ^= s->latch;
        break;
    }
    return (value & bit_mask) | (s->latch & ~bit_mask);
}

/* The double word that write mode GR5 bits 1:0 makes of VALUE. */
static uint32_t written_word(const Vga *s, uint8_t value)
{
    uint32_t bit_mask = to_all_planes(s->gr[8]);
    uint32_t reset = plane_mask[s->gr[0] & 15], enable = plane_mask[s->gr[1] & 15];

    switch (s->gr[5] & 3) {
    case 0: {
        uint32_t data = to_all_planes(rotate(s, value));
        return combine(s, (data & ~enable) | (reset & enable), bit_mask);
    }
    case 1:
        return s->latch;
    case 2:
        return combine(s, plane_mask[value & 0x0f], bit_mask);
    default:
        return combine(s, reset, bit_mask & to_all_planes(rotate(s, value)));
    }
}

static void write_planes(Vga *s, uint32_t addr, uint8_t value)
{
    uint32_t offset = addr, planes = s->sr[2], *word, mask;

    if (odd_even_write(s)) {
        planes &= addr & 1 ? 0x0a : 0x05;
        offset = addr >> 1;
    }
    word = plane_word(s, offset);
    if (!word || !planes) {
        return;
    }
    mask = plane_mask[planes];
    *word = (*word & ~mask) | (written_word(s, value) & mask);
    if (planes & 0x04) {
        s->font_dirty = true;
    }
    mark_written(s, offset * 4, 4);
}

static void window_write_byte(Vga *s, hwaddr addr, uint8_t value)
{
    uint32_t offset;

    if (!window_offset(s, addr, &offset)) {
        return;
    }
    if (!chain4(s)) {
        write_planes(s, offset, value);
    } else if (offset < s->vram_size && (s->sr[2] >> (offset & 3) & 1)) {
        s->vram->host[offset] = value;
        s->font_dirty = true;
        mark_written(s, offset, 1);
    }
}

static void window_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        window_write_byte(opaque, addr + i, (uint8_t)(value >> (8 * i)));
    }
}

const MemOps vga_window_ops = {
    .read = window_read,
    .write = window_write,
    .min_size = 1,
    .max_size = 8,
};

/* ---- chain-4 without the detour ---- */

/* With all planes writable, chain-4 memory at A0000h is plain memory (write modes and latches play
 * no part here): map it. */
void vga_update_direct(Vga *s)
{
    unsigned map = s->gr[6] >> 2 & 3;
    bool on = chain4(s) && s->sr[2] == 0x0f && map <= 1;
    uint32_t offset = map == 1 ? s->bank_offset : 0;
    uint32_t size = map == 1 ? 0x10000 : 0x20000;

    on = on && offset + size <= s->vram_size;
    mem_transaction_begin();
    if (on) {
        if (mem_region_size(s->direct) != size) {
            mem_region_set_size(s->direct, size);
        }
        mem_region_set_alias_offset(s->direct, offset);
    }
    mem_region_set_enabled(s->direct, on);
    mem_transaction_commit();
}
