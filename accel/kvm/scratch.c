/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/kvm/scratch.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "accel/kvm/kvm_int.h"

enum { TSS_ADDRESS = 0xfeffd000u };

/* Long mode and what goes with it must be in CPUID before EFER takes it. */
static bool load_cpuid(KvmScratch *s, int fd)
{
    enum { ENTRIES = 256 };
    g_autofree struct kvm_cpuid2 *cpuid =
        g_malloc0(sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

    cpuid->nent = ENTRIES;
    return ioctl(fd, KVM_GET_SUPPORTED_CPUID, cpuid) >= 0 &&
           ioctl(s->cpu_fd, KVM_SET_CPUID2, cpuid) >= 0;
}

bool kvm_scratch_create(KvmScratch *s, int fd, size_t memory_size)
{
    struct kvm_userspace_memory_region region = {.memory_size = memory_size};
    int size = ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    *s = (KvmScratch){.cpu_fd = -1, .memory_size = memory_size};
    s->vm_fd = ioctl(fd, KVM_CREATE_VM, 0);
    if (size < 0 || s->vm_fd < 0) {
        return false;
    }
    s->run_size = (size_t)size;
    s->memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s->memory == MAP_FAILED) {
        s->memory = NULL;
        return false;
    }
    region.userspace_addr = (uintptr_t)s->memory;
    if (ioctl(s->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS) < 0 ||
        ioctl(s->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        return false;
    }
    s->cpu_fd = ioctl(s->vm_fd, KVM_CREATE_VCPU, 0);
    if (s->cpu_fd < 0) {
        return false;
    }
    s->run = mmap(NULL, s->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, s->cpu_fd, 0);
    if (s->run == MAP_FAILED) {
        s->run = NULL;
        return false;
    }
    return load_cpuid(s, fd);
}

void kvm_scratch_destroy(KvmScratch *s)
{
    if (s->run) {
        munmap(s->run, s->run_size);
    }
    if (s->cpu_fd >= 0) {
        close(s->cpu_fd);
    }
    if (s->vm_fd >= 0) {
        close(s->vm_fd);
    }
    if (s->memory) {
        munmap(s->memory, s->memory_size);
    }
    *s = (KvmScratch){.vm_fd = -1, .cpu_fd = -1};
}

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* The timer's signal is the kick of vCPU threads; it repeats, so that one which comes just before
 * KVM_RUN is not the last. */
const char *kvm_scratch_run(KvmScratch *s, int deadline_ms)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_KICK_SIGNAL};
    struct itimerspec time = {.it_interval = {.tv_nsec = 50000000},
                              .it_value = {.tv_nsec = 50000000}};
    int64_t deadline = now_ms() + deadline_ms;
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
        int r = ioctl(s->cpu_fd, KVM_RUN, 0);
        if (r < 0 && errno != EINTR && errno != EAGAIN) {
            failure = "KVM_RUN fails";
        } else if (now_ms() > deadline) {
            failure = "it does not come to an end";
        } else if (r < 0 || s->run->exit_reason == KVM_EXIT_INTR) {
            continue;
        } else if (s->run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
            failure = "KVM_EXIT_INTERNAL_ERROR";
        } else if (s->run->exit_reason == KVM_EXIT_SHUTDOWN) {
            failure = "KVM_EXIT_SHUTDOWN";
        } else if (s->run->exit_reason != KVM_EXIT_IO || s->run->io.port != KVM_SCRATCH_DONE_PORT) {
            failure = "an unexpected exit";
        }
        break;
    }
    timer_delete(timer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}
