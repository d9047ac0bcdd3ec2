/*
 * Saving and loading x87 and SSE state: FXSAVE, FXRSTOR, FSAVE, FRSTOR, FSTENV, FLDENV; and the
 * masked stores, which look at vector registers one byte at a time. GPR-only:
 * the state itself is live in the host's registers and is moved by the host's own instructions.
 *
 * The images go through a buffer. What the host notes of the last x87 instruction's address is an
 * address of generated code, which the guest must not see: the pointers are stored as zero, as a
 * processor that keeps them only for unmasked exceptions stores them.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/helpers.h"
#include "target-x86/helpers_impl.h"

static void copy_in(X86Cpu *cpu, uint64_t linear, uint8_t *buf, unsigned len)
{
    for (unsigned i = 0; i < len; i += 2) {
        unsigned n = len - i >= 8 ? 8 : 2;
        uint64_t v = x86_ld(cpu, linear + i, n, MMU_CURRENT);
        for (unsigned k = 0; k < n; k++) {
            buf[i + k] = (uint8_t)(v >> (8 * k));
        }
        i += n - 2;
    }
}

static void copy_out(X86Cpu *cpu, uint64_t linear, const uint8_t *buf, unsigned len)
{
    for (unsigned i = 0; i < len;) {
        unsigned n = len - i >= 8 ? 8 : 2;
        uint64_t v = 0;
        for (unsigned k = 0; k < n; k++) {
            v |= (uint64_t)buf[i + k] << (8 * k);
        }
        x86_st(cpu, linear + i, v, n, MMU_CURRENT);
        i += n;
    }
}

static void probe(X86Cpu *cpu, uint64_t linear, unsigned len)
{
    x86_probe_write(cpu, linear, 1, MMU_CURRENT);
    x86_probe_write(cpu, linear + len - 1, 1, MMU_CURRENT);
}

/* The x87 and SSE state as it is. */
static inline void save_state(uint8_t *image)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(image) : "memory");
}

static void clear(uint8_t *p, unsigned from, unsigned to)
{
    for (volatile uint8_t *q = p + from; q < p + to; q++) {
        *q = 0;
    }
}

/* Behind whatever has cleared or replaced the x87 errors: the pins of CR0.NE = 0 are negated. */
static void negate_pins(X86Cpu *cpu)
{
    CpuX87Pins *pins = cpu->cpu.x87_pins;

    if (pins) {
        atomic_store_explicit(&pins->error, 0, memory_order_relaxed);
        atomic_store_explicit(&pins->ignore, 0, memory_order_relaxed);
    }
}

uint64_t x86_x87_clean_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    negate_pins(cpu);
    return 0;
}

#define X87_MASKS 0x3f

uint16_t x86_x87_mask(void)
{
    uint16_t control;
    uint8_t env[28];

    __asm__ volatile("fnstcw %0\n\tfnstenv %1" : "=m"(control), "=m"(env)); /* FNSTENV masks all */
    return control;
}

void x86_x87_unmask(uint16_t control)
{
    uint16_t now;

    __asm__ volatile("fnstcw %0" : "=m"(now));
    if (now == (control | X87_MASKS)) {
        __asm__ volatile("fldcw %0" : : "m"(control));
    }
}

/* a: linear address; b: 0 FXSAVE, 1 FXRSTOR; bit 8: REX.W */
uint64_t x86_fxsave_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    uint8_t buf[512] __attribute__((aligned(16)));
    X86State *st = &cpu->st;
    bool save = !(b & 1);

    if (st->cr0 & CR0_EM) {
        x86_raise(cpu, EXC_UD);
    }
    if (st->cr0 & CR0_TS) {
        x86_raise(cpu, EXC_NM);
    }
    if (a & 15) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    if (save) {
        save_state(buf);
        clear(buf, 8, 24);
        probe(cpu, a, 512);
        copy_out(cpu, a, buf, x86_is_code64(st) ? 416 : 288);
        return 0;
    }
    /* XMM8..15 are loaded in 64-bit mode only */
    save_state(buf);
    copy_in(cpu, a, buf, x86_is_code64(st) ? 416 : 288);
    uint32_t mxcsr = (uint32_t)buf[24] | (uint32_t)buf[25] << 8 | (uint32_t)buf[26] << 16 |
                     (uint32_t)buf[27] << 24;
    if (mxcsr & ~0xffffu) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    clear(buf, 8, 24);
    __asm__ volatile("fxrstor64 %0" ::"m"(buf));
    negate_pins(cpu);
    return 0;
}

/* Offsets of the environment's pointer fields: 16-bit and 32-bit formats. */
static void clear_pointers(uint8_t *buf, bool wide)
{
    if (wide) {
        clear(buf, 12, 18);
        clear(buf, 20, 28);
    } else {
        clear(buf, 6, 14);
    }
}

/* a: linear address; b: opcode | modrm << 8 | operand size << 16 */
uint64_t x86_x87_state_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    uint8_t buf[108];
    bool wide = ((b >> 16) & 0xff) != 2, whole = (b & 0xff) == 0xdd;
    bool load = ((b >> 11) & 7) == 4;
    unsigned env = wide ? 28 : 14, len = env + (whole ? 80 : 0);

    if (load) {
        copy_in(cpu, a, buf, len);
        clear_pointers(buf, wide);
        if (whole && wide) {
            __asm__ volatile("frstor %0" ::"m"(buf));
        } else if (whole) {
            __asm__ volatile("data16 frstor %0" ::"m"(buf));
        } else if (wide) {
            __asm__ volatile("fldenv %0" ::"m"(buf));
        } else {
            __asm__ volatile("data16 fldenv %0" ::"m"(buf));
        }
        negate_pins(cpu);
        return 0;
    }
    probe(cpu, a, len);
    if (whole && wide) {
        __asm__ volatile("fnsave %0" : "=m"(buf));
    } else if (whole) {
        __asm__ volatile("data16 fnsave %0" : "=m"(buf));
    } else if (wide) {
        __asm__ volatile("fnstenv %0" : "=m"(buf));
    } else {
        __asm__ volatile("data16 fnstenv %0" : "=m"(buf));
    }
    negate_pins(cpu);
    clear_pointers(buf, wide);
    copy_out(cpu, a, buf, len);
    return 0;
}

/*
 * MASKMOVQ, MASKMOVDQU. b: MASKMOV_*. The top of the x87 stack is register 0, so that the image has
 * MMX registers in order.
 */
uint64_t x86_maskmov_helper(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    uint8_t image[512] __attribute__((aligned(16)));
    bool mmx = b & MASKMOV_MMX;
    unsigned size = mmx ? 8 : 16, asize = (b >> MASKMOV_ASIZE_SHIFT) & 15;
    uint64_t offset = x86_get_gpr(cpu, R_RDI, asize);
    uint64_t linear = x86_seg_linear(cpu, (b >> MASKMOV_SEG_SHIFT) & 7, offset, size, true);

    (void)a;
    save_state(image);
    const uint8_t *registers = image + (mmx ? 32 : 160);
    const uint8_t *data = registers + 16 * ((b >> MASKMOV_DATA_SHIFT) & 15);
    const uint8_t *mask = registers + 16 * (b & 15);
    /* All bytes must be writable, also those that the mask leaves out: up to the processor, and
     * what processors do (SDM 2 MASKMOVDQU). */
    x86_probe_write(cpu, linear, size, MMU_CURRENT);
    for (unsigned i = 0; i < size; i++) {
        if (mask[i] & 0x80) {
            x86_st(cpu, linear + i, data[i], 1, MMU_CURRENT);
        }
    }
    return 0;
}
