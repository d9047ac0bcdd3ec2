/*
 * A throw-away VM: one CPU and a little memory, to learn what this host's KVM does.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACCEL_KVM_SCRATCH_H
#define ACCEL_KVM_SCRATCH_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The program says that it is done by a write to this port. */
enum { KVM_SCRATCH_DONE_PORT = 0xf4 };

typedef struct KvmScratch {
    int vm_fd, cpu_fd;
    uint8_t *memory; /* guest-physical 0 to memory_size */
    size_t memory_size, run_size;
    struct kvm_run *run;
} KvmScratch;

/* Makes the VM with MEMORY_SIZE bytes (whole pages) of zeroes at 0 and a CPU in reset state with
 * the CPUID that KVM supports. FD is /dev/kvm. False with errno: it cannot be made; destroy it all
 * the same. */
bool kvm_scratch_create(KvmScratch *s, int fd, size_t memory_size);
void kvm_scratch_destroy(KvmScratch *s);
/* Runs until the guest writes the port; NULL, or why it has not within DEADLINE_MS. Any thread; the
 * kick signal has a handler (kvm_signal_init()). */
const char *kvm_scratch_run(KvmScratch *s, int deadline_ms);

#endif
