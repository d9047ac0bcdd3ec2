/*
 * The VGA core: registers, planar memory, Bochs VBE extension, and drawing.
 *
 * Files: vga.c registers and ports; vga_mem.c the window at A0000h; vga_vbe.c the "DISPI"
 * registers; vga_draw.c from memory to the console's surface; vga_pci.c the PCI device.
 *
 * Video memory is one linear block. The four planes are interleaved: byte P of double word N is
 * plane P at offset N, which makes the 32-bit latch one load, and makes what the CRTC fetches at
 * one memory address one double word, whatever the addressing mode: byte, word and double-word
 * addressing then differ only for the CPU, in how its addresses name plane and offset.
 * Chain-4 memory is linear in the block, as the linear framebuffer is.
 *
 * Register names as in IBM's and later data sheets: SR sequencer, CR CRT controller, GR graphics
 * controller, AR attribute controller, DAC palette. Machine lock held throughout.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_DISPLAY_VGA_H
#define HW_DISPLAY_VGA_H

#include <stdbool.h>
#include <stdint.h>

#include "core/device.h"
#include "core/memory.h"
#include "core/state.h"
#include "ui/console.h"

extern const DeviceClass vga_pci_class;

enum {
    VGA_PLANES_SIZE = 256 * 1024, /* what the planar modes can reach */
    VGA_WIDTH_MAX = 16000,        /* of the VBE extension */
    VGA_HEIGHT_MAX = 12000,
    VGA_TEXT_CELLS_MAX = 256 * 128,
};

/* DISPI registers (vgabios's published interface). */
enum {
    VBE_ID,
    VBE_XRES,
    VBE_YRES,
    VBE_BPP,
    VBE_ENABLE,
    VBE_BANK,
    VBE_VIRT_WIDTH,
    VBE_VIRT_HEIGHT,
    VBE_X_OFFSET,
    VBE_Y_OFFSET,
    VBE_MEMORY_64K,
    VBE_REGS,

    VBE_ENABLED = 0x01,
    VBE_GETCAPS = 0x02,
    VBE_8BIT_DAC = 0x20,
    VBE_LFB = 0x40,
    VBE_NOCLEAR = 0x80,
};

/* What the last update drew, so that the next can tell what has changed. */
typedef struct VgaShown {
    int mode, width, height; /* mode: a VgaMode, of vga_draw.c; -1: nothing */
    uint32_t start, pitch;
    uint32_t line_compare;
    int bpp;
    unsigned cell_width, cell_height;
    uint32_t font_a, font_b;
    uint32_t cursor_cell; /* where a cursor was drawn, UINT32_MAX: nowhere */
    bool blink_off;
    uint8_t attrs[32];
    uint32_t palette[256];
} VgaShown;

typedef struct Vga {
    RamBlock *vram;
    MemRegion *vram_region; /* all of vram */
    MemRegion *window;      /* A0000h, 128 KiB of I/O */
    MemRegion *direct;      /* chain-4 alias over it, or disabled */
    uint32_t vram_size;
    Console *console;

    uint8_t misc, feature_control;
    uint8_t sr_index, sr[8];
    uint8_t cr_index, cr[32];
    uint8_t gr_index, gr[16];
    uint8_t ar_index, ar[32]; /* index: bit 5 is palette address source */
    bool ar_flip_flop;        /* next write to 3C0h is data */
    uint8_t dac_mask, dac_read_index, dac_write_index, dac_component;
    bool dac_reading;
    uint8_t dac_latch[3];
    uint8_t dac[768];
    uint32_t latch; /* one byte per plane */

    uint16_t vbe_index, vbe[VBE_REGS];
    uint32_t bank_offset;

    /* derived */
    bool dirty_log; /* switched on at the first update */
    bool font_dirty;
    bool redraw_all;
    VgaShown shown;
    uint32_t *cells; /* text shown: character, attribute */
} Vga;

extern const StateTable vga_state_table;

/* ---- vga.c ---- */
void vga_init(Vga *s, RamBlock *vram);
void vga_destroy(Vga *s);
void vga_reset(Vga *s);
uint8_t vga_port_read(Vga *s, uint16_t port);
void vga_port_write(Vga *s, uint16_t port, uint8_t value);

/* ---- vga_mem.c ---- */
extern const MemOps vga_window_ops; /* 128 KiB; opaque is the Vga */
/* After any change of the registers that place and bank the window. */
void vga_update_direct(Vga *s);

/* ---- vga_vbe.c ---- */
uint16_t vga_vbe_read(Vga *s, uint16_t index);
void vga_vbe_write(Vga *s, uint16_t index, uint16_t value);
extern const MemOps vga_vbe_port_ops; /* 1CEh, 3 ports; opaque is the Vga */
static inline bool vga_vbe_on(const Vga *s)
{
    return s->vbe[VBE_ENABLE] & VBE_ENABLED;
}
/* Bytes from one line to the next. */
uint32_t vga_vbe_pitch(const Vga *s);
void vga_vbe_reset(Vga *s);
/* Registers that were loaded: false when no sequence of writes gives them. */
bool vga_vbe_valid(const Vga *s);

/* ---- vga_draw.c ---- */
extern const ConsoleOps vga_console_ops; /* opaque is the Vga */

#endif
