/*
 * Where this KVM puts an interrupt's frame in protected mode without paging: asked of it once, in a
 * VM of its own.
 *
 * A KVM that lets the host's CPU deliver interrupts pushes EFLAGS, CS and EIP at SS:ESP, as the
 * architecture has it (SDM 3A 6.12.1). One that interprets such a guest may instead write three
 * doublewords below ESP as if the stack were flat and the gate a 32-bit one, whatever SS and the
 * gate say. The VM's memory:
 *
 *     0000 code   1000 GDT   2000 IDT   3000 handler   12000 where the stack is, 2000 where flat
 * ESP
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "accel/kvm/scratch.h"

enum {
    CODE = 0x100,
    GDT = 0x1000,
    IDT = 0x4000,
    HANDLER = 0x3000,
    STACK_BASE = 0x10000,
    ESP = 0x2100,
    FRAME_SIZE = 12,
    MEMORY = 0x20000,
    VECTOR = 0x20,
    DEADLINE_MS = 2000,
};

/* clang-format off */
static const uint8_t code[] = {0xeb, 0xfe};                                 /* jmp . */
static const uint8_t handler[] = {0xe6, KVM_SCRATCH_DONE_PORT, 0xeb, 0xfe}; /* out; jmp . */
/* clang-format on */

static void fill_memory(KvmScratch *s)
{
    const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93010000ffff};
    const uint64_t gate = HANDLER | 8u << 16 | 0x8e00ull << 32;

    memcpy(s->memory + CODE, code, sizeof(code));
    memcpy(s->memory + HANDLER, handler, sizeof(handler));
    memcpy(s->memory + GDT, gdt, sizeof(gdt));
    memcpy(s->memory + IDT + 8 * VECTOR, &gate, sizeof(gate));
}

static bool load_cpu(KvmScratch *s)
{
    struct kvm_sregs r;
    struct kvm_regs g = {.rip = CODE, .rsp = ESP, .rflags = FLAG_IF | 2};
    struct kvm_interrupt interrupt = {.irq = VECTOR};
    struct kvm_segment flat = {
        .limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};

    if (ioctl(s->cpu_fd, KVM_GET_SREGS, &r) < 0) {
        return false;
    }
    r.ds = r.es = r.fs = r.gs = r.ss = r.cs = flat;
    r.cs.selector = 8;
    r.cs.type = 11;
    r.ss.base = STACK_BASE;
    r.gdt = (struct kvm_dtable){.base = GDT, .limit = 23};
    r.idt = (struct kvm_dtable){.base = IDT, .limit = 0x7ff};
    r.cr0 = CR0_PE | CR0_ET;
    return ioctl(s->cpu_fd, KVM_SET_SREGS, &r) >= 0 && ioctl(s->cpu_fd, KVM_SET_REGS, &g) >= 0 &&
           ioctl(s->cpu_fd, KVM_INTERRUPT, &interrupt) >= 0;
}

KvmFrames kvm_frames_probe(int fd)
{
    const uint32_t frame[] = {CODE, 8, FLAG_IF | 2};
    KvmFrames result = KVM_FRAMES_ON_STACK;
    KvmScratch s;

    G_STATIC_ASSERT(sizeof(frame) == FRAME_SIZE);
    if (kvm_scratch_create(&s, fd, MEMORY)) {
        fill_memory(&s);
        if (load_cpu(&s) && !kvm_scratch_run(&s, DEADLINE_MS) &&
            memcmp(s.memory + STACK_BASE + ESP - FRAME_SIZE, frame, FRAME_SIZE) != 0 &&
            memcmp(s.memory + ESP - FRAME_SIZE, frame, FRAME_SIZE) == 0) {
            result = KVM_FRAMES_FLAT;
        }
    }
    kvm_scratch_destroy(&s);
    return result;
}

bool kvm_frames_are_flat(KvmAccel *a)
{
    int frames = atomic_load(&a->frames);

    if (frames == KVM_FRAMES_UNKNOWN) {
        /* What passed the self-test delivers by the IDT of 64-bit code: it has a CPU's help. */
        frames = a->selftest ? KVM_FRAMES_ON_STACK : kvm_frames_probe(a->fd);
        atomic_store(&a->frames, frames);
    }
    return frames == KVM_FRAMES_FLAT;
}
