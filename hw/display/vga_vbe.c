/*
 * The Bochs VBE extension ("DISPI"): linear modes of any size, through ports 1CEh (index) and 1CFh
 * (data), or memory-mapped.
 *
 * As published with vgabios: an identification B0C0h..B0C5h that the guest may set to the version
 * it knows; resolution, depth, bank, virtual size and offset; enabling sets the mode, and clears
 * the memory unless told not to. Values are clipped to what the memory holds.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/display/vga.h"

enum { ID_FIRST = 0xb0c0, ID_LAST = 0xb0c5 };

static unsigned pixel_bits(const Vga *s)
{
    unsigned bpp = s->vbe[VBE_BPP];

    return bpp == 15 ? 16 : bpp;
}

uint32_t vga_vbe_pitch(const Vga *s)
{
    /* Planar memory has 8 pixels in a double word. */
    return s->vbe[VBE_VIRT_WIDTH] * pixel_bits(s) / 8;
}

static void fit_virtual_size(Vga *s)
{
    uint16_t *vbe = s->vbe;
    unsigned bits = pixel_bits(s);
    uint32_t width_max = (uint32_t)MIN((uint64_t)s->vram_size * 8 / bits / vbe[VBE_YRES], 0xffffu);
    uint32_t pitch;

    vbe[VBE_VIRT_WIDTH] = (uint16_t)CLAMP(vbe[VBE_VIRT_WIDTH], vbe[VBE_XRES], width_max);
    if (bits == 4) {
        vbe[VBE_VIRT_WIDTH] &= 0xfff8;
    }
    pitch = MAX(vga_vbe_pitch(s), 1u);
    vbe[VBE_VIRT_HEIGHT] = (uint16_t)MIN(s->vram_size / pitch, 0xffffu);
    vbe[VBE_X_OFFSET] = MIN(vbe[VBE_X_OFFSET], (uint16_t)(vbe[VBE_VIRT_WIDTH] - vbe[VBE_XRES]));
    vbe[VBE_Y_OFFSET] = MIN(vbe[VBE_Y_OFFSET], (uint16_t)(vbe[VBE_VIRT_HEIGHT] - vbe[VBE_YRES]));
}

/* Makes the mode that the registers ask for fit. */
static void fit_mode(Vga *s)
{
    uint16_t *vbe = s->vbe;
    static const uint8_t depths[] = {4, 8, 15, 16, 24, 32};
    uint32_t line;

    if (!memchr(depths, vbe[VBE_BPP] < 256 ? vbe[VBE_BPP] : 0, sizeof(depths))) {
        vbe[VBE_BPP] = 8;
    }
    vbe[VBE_XRES] = CLAMP(vbe[VBE_XRES] & ~7, 8, VGA_WIDTH_MAX);
    line = vbe[VBE_XRES] * pixel_bits(s) / 8;
    vbe[VBE_YRES] = (uint16_t)CLAMP(vbe[VBE_YRES], 1, MIN(VGA_HEIGHT_MAX, s->vram_size / line));
    fit_virtual_size(s);
}

bool vga_vbe_valid(const Vga *s)
{
    Vga copy;

    if (s->vbe[VBE_ID] < ID_FIRST || s->vbe[VBE_ID] > ID_LAST || (s->bank_offset & 0xffff) ||
        s->bank_offset >= s->vram_size) {
        return false;
    }
    if (!vga_vbe_on(s)) {
        return true;
    }
    memcpy(copy.vbe, s->vbe, sizeof(copy.vbe));
    copy.vram_size = s->vram_size;
    fit_mode(&copy);
    return memcmp(copy.vbe, s->vbe, sizeof(copy.vbe)) == 0;
}

/* The VGA registers that linear modes need for the window at A0000h to be linear too, and for the
 * display to be on. */
static void set_vga_registers(Vga *s)
{
    s->gr[6] = (s->gr[6] & ~0x0c) | 0x05; /* graphics, 64 KiB at A0000h */
    s->cr[0x17] |= 0x03;
    s->cr[9] &= (uint8_t)~0x9f; /* no line is doubled */
    s->gr[5] &= (uint8_t)~0x60;
    if (s->vbe[VBE_BPP] == 4) {
        s->sr[4] &= (uint8_t)~0x08;
    } else {
        s->sr[4] |= 0x08;
        s->sr[2] = 0x0f;
        s->gr[5] |= 0x40;
    }
}

static void enable_write(Vga *s, uint16_t value)
{
    bool was_on = vga_vbe_on(s), on = value & VBE_ENABLED;

    s->vbe[VBE_ENABLE] = value & (VBE_ENABLED | VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NOCLEAR);
    if (on && !was_on) {
        s->vbe[VBE_VIRT_WIDTH] = 0;
        s->vbe[VBE_X_OFFSET] = s->vbe[VBE_Y_OFFSET] = 0;
        fit_mode(s);
        set_vga_registers(s);
        if (!(value & VBE_NOCLEAR)) {
            uint64_t len = (uint64_t)vga_vbe_pitch(s) * s->vbe[VBE_YRES];

            memset(s->vram->host, 0, len);
            ram_block_written(s->vram, 0, len);
        }
    }
    if (on != was_on) {
        s->bank_offset = 0;
        s->vbe[VBE_BANK] = 0;
        s->redraw_all = true;
    }
    vga_update_direct(s);
}

static void bank_write(Vga *s, uint16_t value)
{
    uint64_t offset = (uint64_t)value << 16;

    if (vga_vbe_on(s) && s->vbe[VBE_BPP] == 4) {
        offset &= 0x30000; /* planar: within 256 KiB per plane */
    }
    if (offset >= s->vram_size) {
        return;
    }
    s->vbe[VBE_BANK] = (uint16_t)(offset >> 16);
    s->bank_offset = (uint32_t)offset;
    vga_update_direct(s);
}

uint16_t vga_vbe_read(Vga *s, uint16_t index)
{
    if (s->vbe[VBE_ENABLE] & VBE_GETCAPS) {
        switch (index) {
        case VBE_XRES:
            return VGA_WIDTH_MAX;
        case VBE_YRES:
            return VGA_HEIGHT_MAX;
        case VBE_BPP:
            return 32;
        }
    }
    if (index == VBE_MEMORY_64K) {
        return (uint16_t)(s->vram_size >> 16);
    }
    return index < VBE_REGS ? s->vbe[index] : 0;
}

void vga_vbe_write(Vga *s, uint16_t index, uint16_t value)
{
    bool on = vga_vbe_on(s);

    switch (index) {
    case VBE_ID:
        if (value >= ID_FIRST && value <= ID_LAST) {
            s->vbe[VBE_ID] = value;
        }
        break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
        if (on) {
            /* A change of mode while it is on takes effect at once, and keeps the memory. */
            s->vbe[index] = value;
            fit_mode(s);
            set_vga_registers(s);
            vga_update_direct(s);
            s->redraw_all = true;
        } else {
            s->vbe[index] = value;
        }
        break;
    case VBE_ENABLE:
        enable_write(s, value);
        break;
    case VBE_BANK:
        bank_write(s, value);
        break;
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        s->vbe[index] = value;
        if (on) {
            fit_virtual_size(s);
        }
        break;
    }
}

static uint64_t port_read(void *opaque, hwaddr addr, unsigned size)
{
    Vga *s = opaque;

    if (size != 2) {
        return 0xff;
    }
    return addr == 0 ? s->vbe_index : vga_vbe_read(s, s->vbe_index);
}

static void port_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Vga *s = opaque;

    if (size != 2) {
        return; /* the registers are 16 bits wide */
    }
    if (addr == 0) {
        s->vbe_index = (uint16_t)value;
    } else {
        vga_vbe_write(s, s->vbe_index, (uint16_t)value);
    }
}

const MemOps vga_vbe_port_ops = {
    .read = port_read,
    .write = port_write,
    .min_size = 1,
    .max_size = 2,
};

void vga_vbe_reset(Vga *s)
{
    memset(s->vbe, 0, sizeof(s->vbe));
    s->vbe_index = 0;
    s->vbe[VBE_ID] = ID_LAST;
    s->bank_offset = 0;
}
