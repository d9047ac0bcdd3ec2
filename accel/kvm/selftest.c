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
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "accel/kvm/kvm_int.h"
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
    DONE_PORT = 0xf4,
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
    0xe6, DONE_PORT,                                /* out %al, $DONE_PORT */
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

typedef struct SelfTest {
    int vm_fd, cpu_fd;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_size;
} SelfTest;

static void put64(SelfTest *t, unsigned at, uint64_t value)
{
    memcpy(t->memory + at, &value, 8);
}

/* A 64-bit interrupt gate (SDM 3A 6.14.1). */
static void gate(SelfTest *t, unsigned vector, uint64_t offset)
{
    put64(t, IDT + 16 * vector,
          (offset & 0xffff) | 8u << 16 | 0x8e00ull << 32 | (offset >> 16) << 48);
    put64(t, IDT + 16 * vector + 8, offset >> 32);
}

static void fill_memory(SelfTest *t)
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

static bool load_cpu(SelfTest *t)
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

/* Long mode and what goes with it must be in CPUID before EFER takes it. */
static bool load_cpuid(SelfTest *t, int fd)
{
    enum { ENTRIES = 256 };
    g_autofree struct kvm_cpuid2 *cpuid =
        g_malloc0(sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

    cpuid->nent = ENTRIES;
    return ioctl(fd, KVM_GET_SUPPORTED_CPUID, cpuid) >= 0 &&
           ioctl(t->cpu_fd, KVM_SET_CPUID2, cpuid) >= 0;
}

static bool create(SelfTest *t, int fd)
{
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY};
    int size = ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    t->vm_fd = ioctl(fd, KVM_CREATE_VM, 0);
    if (size < 0 || t->vm_fd < 0) {
        return false;
    }
    t->run_size = (size_t)size;
    t->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t->memory == MAP_FAILED) {
        t->memory = NULL;
        return false;
    }
    fill_memory(t);
    region.userspace_addr = (uintptr_t)t->memory;
    if (ioctl(t->vm_fd, KVM_SET_TSS_ADDR, 0xfeffd000ul) < 0 ||
        ioctl(t->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        return false;
    }
    t->cpu_fd = ioctl(t->vm_fd, KVM_CREATE_VCPU, 0);
    if (t->cpu_fd < 0) {
        return false;
    }
    t->run = mmap(NULL, t->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, t->cpu_fd, 0);
    if (t->run == MAP_FAILED) {
        t->run = NULL;
        return false;
    }
    return load_cpuid(t, fd) && load_cpu(t);
}

static void destroy(SelfTest *t)
{
    if (t->run) {
        munmap(t->run, t->run_size);
    }
    if (t->cpu_fd >= 0) {
        close(t->cpu_fd);
    }
    if (t->vm_fd >= 0) {
        close(t->vm_fd);
    }
    if (t->memory) {
        munmap(t->memory, MEMORY);
    }
}

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Runs until the guest writes the port, KVM gives up, or time is over. The timer's signal is the
 * kick of vCPU threads; it repeats, so that one which comes just before KVM_RUN is not the last. */
static const char *run(SelfTest *t)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_KICK_SIGNAL};
    struct itimerspec time = {.it_interval = {.tv_nsec = 50000000},
                              .it_value = {.tv_nsec = 50000000}};
    int64_t deadline = now_ms() + DEADLINE_MS;
    const char *failure = NULL;
    sigset_t set, old;
    timer_t timer;

    event._sigev_un._tid = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) {
        return "no timer for its deadline";
    }
    sigemptyset(&set);
    sigaddset(&set, KVM_KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, &old);
    timer_settime(timer, 0, &time, NULL);
    for (;;) {
        int r = ioctl(t->cpu_fd, KVM_RUN, 0);
        if (r < 0 && errno != EINTR && errno != EAGAIN) {
            failure = "KVM_RUN fails";
        } else if (now_ms() > deadline) {
            failure = "it does not come to an end";
        } else if (r < 0 || t->run->exit_reason == KVM_EXIT_INTR) {
            continue;
        } else if (t->run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
            failure = "KVM_EXIT_INTERNAL_ERROR";
        } else if (t->run->exit_reason == KVM_EXIT_SHUTDOWN) {
            failure = "KVM_EXIT_SHUTDOWN";
        } else if (t->run->exit_reason != KVM_EXIT_IO || t->run->io.port != DONE_PORT) {
            failure = "an unexpected exit";
        }
        break;
    }
    timer_delete(timer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}

static void judge(SelfTest *t, const char *failure, GError **err)
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
    SelfTest t = {.vm_fd = -1, .cpu_fd = -1};
    GError *local = NULL;

    if (create(&t, fd)) {
        judge(&t, run(&t), &local);
    } else {
        emu_set_error(&local, "this host's KVM makes no VM for its self-test: %s",
                      g_strerror(errno));
    }
    destroy(&t);
    if (local) {
        g_propagate_error(err, local);
        return false;
    }
    return true;
}
