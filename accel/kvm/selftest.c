/*
 * Whether this KVM can run what an operating system does: a short program in a VM of its own.
 *
 * Long mode on four-level paging; `int` through the guest's IDT, a page fault, IRET from both; then
 * a port write. A KVM without VT-x or AMD-V interprets or runs straight code, and gives up at the
 * first of these. The VM's memory, one page each:
 *
 *     0000 code   1000 IDT   2000 GDT, TSS   3000 PML4   4000 PDPT   5000 PD   6000 PT   7000 stack
 *
 * The page table maps the pages below themselves, and page FAULT_PAGE not until the handler maps
 * it. R15 counts the steps that were passed, and is what the port write shows.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_int.h"
#include "accel/kvm/scratch.h"
#include "util/keyval.h"

enum {
    CODE = 0,
    IDT = 0x1000,
    GDT = 0x2000,
    TSS = 0x2800,
    PML4 = 0x3000,
    PDPT = 0x4000,
    PD = 0x5000,
    PT = 0x6000,
    STACK_TOP = 0x8000,
    MEMORY = 0x9000,
    FAULT_PAGE = 0x8000,
    INT_HANDLER = 0x200,
    PF_HANDLER = 0x280,
    VECTOR = 0x20,
    STEPS = 5,
    DEADLINE_MS = 1000,
};

/* clang-format off */
static const uint8_t main_code[] = {
    0x45, 0x31, 0xff,                               /* xor %r15d, %r15d */
    0x49, 0xff, 0xc7,                               /* inc %r15: runs at all */
    0xcd, VECTOR,                                   /* int $VECTOR: counts one more */
    0x49, 0xff, 0xc7,                               /* inc %r15: came back */
    0x48, 0xc7, 0x04, 0x25, 0x08, 0x80, 0x00, 0x00, /* movq $0x5a, FAULT_PAGE + 8: counts one more */
    0x5a, 0x00, 0x00, 0x00,
    0x80, 0x3c, 0x25, 0x08, 0x80, 0x00, 0x00, 0x5a, /* cmpb $0x5a, FAULT_PAGE + 8 */
    0x75, 0x03,                                     /* jne 1f */
    0x49, 0xff, 0xc7,                               /* inc %r15: the access was made */
    0x44, 0x88, 0xf8,                               /* 1: mov %r15b, %al */
    0xe6, KVM_SCRATCH_DONE_PORT,                                /* out %al, $KVM_SCRATCH_DONE_PORT */
    0xf4,                                           /* hlt */
};
static const uint8_t int_handler[] = {
    0x49, 0xff, 0xc7,                               /* inc %r15 */
    0x48, 0xcf,                                     /* iretq */
};
static const uint8_t pf_handler[] = {
    0x50,                                           /* push %rax */
    0x0f, 0x20, 0xd0,                               /* mov %cr2, %rax */
    0x48, 0x3d, 0x08, 0x80, 0x00, 0x00,             /* cmp $FAULT_PAGE + 8, %rax */
    0x75, 0x0b,                                     /* jne 1f: the same fault again, for ever */
    0x80, 0x0c, 0x25, 0x40, 0x60, 0x00, 0x00, 0x01, /* orb $1, PT + 8 * FAULT_PAGE / 4096 */
    0x49, 0xff, 0xc7,                               /* inc %r15 */
    0x58,                                           /* 1: pop %rax */
    0x48, 0x83, 0xc4, 0x08,                         /* add $8, %rsp: the error code */
    0x48, 0xcf,                                     /* iretq */
};
/* clang-format on */

static const char *const step_names[STEPS] = {
    "64-bit code",
    "an interrupt through the guest's IDT",
    "IRET",
    "a page fault through the guest's IDT",
    "an access after its page fault",
};

static void put64(KvmScratch *t, unsigned at, uint64_t value)
{
    memcpy(t->memory + at, &value, 8);
}

/* A 64-bit interrupt gate (SDM 3A 6.14.1). */
static void gate(KvmScratch *t, unsigned vector, uint64_t offset)
{
    put64(t, IDT + 16 * vector,
          (offset & 0xffff) | 8u << 16 | 0x8e00ull << 32 | (offset >> 16) << 48);
    put64(t, IDT + 16 * vector + 8, offset >> 32);
}

static void fill_memory(KvmScratch *t)
{
    memcpy(t->memory + CODE, main_code, sizeof(main_code));
    memcpy(t->memory + INT_HANDLER, int_handler, sizeof(int_handler));
    memcpy(t->memory + PF_HANDLER, pf_handler, sizeof(pf_handler));
    gate(t, VECTOR, INT_HANDLER);
    gate(t, 14, PF_HANDLER);
    put64(t, GDT + 8, 0x00af9b000000ffff);
    put64(t, GDT + 16, 0x00cf93000000ffff);
    put64(t, GDT + 24, 0x67 | (uint64_t)TSS << 16 | 0x8bull << 40);
    put64(t, PML4, PDPT | 3);
    put64(t, PDPT, PD | 3);
    put64(t, PD, PT | 3);
    for (uint64_t page = 0; page < MEMORY / 4096; page++) {
        put64(t, PT + 8 * (unsigned)page, page << 12 | (page == FAULT_PAGE / 4096 ? 2 : 3));
    }
}

static bool load_cpu(KvmScratch *t)
{
    struct kvm_sregs s;
    struct kvm_regs r = {.rip = CODE, .rsp = STACK_TOP - 16, .rflags = 2};
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};

    if (ioctl(t->cpu_fd, KVM_GET_SREGS, &s) < 0) {
        return false;
    }
    s.ds = s.es = s.fs = s.gs = s.ss = data;
    s.cs = data;
    s.cs.selector = 8;
    s.cs.type = 11;
    s.cs.db = 0;
    s.cs.l = 1;
    s.tr =
        (struct kvm_segment){.base = TSS, .limit = 103, .selector = 24, .type = 11, .present = 1};
    s.gdt = (struct kvm_dtable){.base = GDT, .limit = 39};
    s.idt = (struct kvm_dtable){.base = IDT, .limit = 0xfff};
    s.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET;
    s.cr3 = PML4;
    s.cr4 = CR4_PAE;
    s.efer = EFER_LME | EFER_LMA;
    return ioctl(t->cpu_fd, KVM_SET_SREGS, &s) >= 0 && ioctl(t->cpu_fd, KVM_SET_REGS, &r) >= 0;
}

static void judge(KvmScratch *t, const char *failure, GError **err)
{
    struct kvm_regs r = {0};
    uint64_t passed;

    ioctl(t->cpu_fd, KVM_GET_REGS, &r);
    passed = r.r15;
    if (failure || passed != STEPS) {
        emu_set_error(err,
                      "this host's KVM cannot run a 64-bit kernel: its self-test fails at %s%s%s%s",
                      step_names[MIN(passed, STEPS - 1)], failure ? " (" : "",
                      failure ? failure : "", failure ? ")" : "");
    }
}

bool kvm_selftest(int fd, GError **err)
{
    KvmScratch t;
    GError *local = NULL;

    if (kvm_scratch_create(&t, fd, MEMORY) && load_cpu(&t)) {
        fill_memory(&t);
        judge(&t, kvm_scratch_run(&t, DEADLINE_MS), &local);
    } else {
        emu_set_error(&local, "this host's KVM makes no VM for its self-test: %s",
                      g_strerror(errno));
    }
    kvm_scratch_destroy(&t);
    if (local) {
        g_propagate_error(err, local);
        return false;
    }
    return true;
}
