/*
 * How fast the time-stamp counter runs.
 *
 * Asked in this order: CPUID leaf 15h, a hypervisor's timing leaf, the kernel's own conversion
 * factor (which any perf event's mapped page shows), and if none answers, a short measurement.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "target-x86/cpuid.h"

static uint64_t khz_from_cpuid(void)
{
    uint32_t r[4];
    cpuid_host(NULL, 0, 0, r);
    if (r[0] >= 0x15) {
        cpuid_host(NULL, 0x15, 0, r);
        if (r[0] && r[1] && r[2]) {
            return (uint64_t)r[2] * r[1] / r[0] / 1000;
        }
    }
    cpuid_host(NULL, 1, 0, r);
    if (r[2] & CPUID_1_ECX_HYPERVISOR) {
        cpuid_host(NULL, 0x40000000, 0, r);
        if (r[0] >= 0x40000010 && r[0] < 0x40001000) {
            cpuid_host(NULL, 0x40000010, 0, r);
            return r[0];
        }
    }
    return 0;
}

/* Nanoseconds = ticks * time_mult >> time_shift (perf_event_open(2)). */
static uint64_t khz_from_kernel(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_SW_DUMMY,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    uint64_t khz = 0;
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    struct perf_event_mmap_page *page = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) {
        if (page->cap_user_time && page->time_mult && page->time_shift < 64) {
            khz = (uint64_t)((unsigned __int128)1000000 << page->time_shift) / page->time_mult;
        }
        munmap(page, size);
    }
    close(fd);
    return khz;
}

/* The same instant on both clocks, taken from the quickest of several readings. */
static void sample(uint64_t *tsc, uint64_t *ns)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        struct timespec ts;
        uint64_t before = __rdtsc();
        clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
        uint64_t after = __rdtsc();
        if (after - before < best) {
            best = after - before;
            *tsc = before + best / 2;
            *ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
        }
    }
}

static uint64_t khz_measured(void)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    uint64_t tsc0 = 0, ns0 = 0, tsc1 = 0, ns1 = 0;

    sample(&tsc0, &ns0);
    nanosleep(&pause, NULL);
    sample(&tsc1, &ns1);
    return (uint64_t)((unsigned __int128)(tsc1 - tsc0) * 1000000 / (ns1 - ns0));
}

static gpointer find_khz(gpointer unused)
{
    uint64_t khz = khz_from_cpuid();
    (void)unused;
    if (!khz) {
        khz = khz_from_kernel();
    }
    if (!khz) {
        khz = khz_measured();
    }
    return (gpointer)(uintptr_t)khz;
}

uint64_t x86_tsc_khz(void)
{
    static GOnce once = G_ONCE_INIT;
    return (uint64_t)(uintptr_t)g_once(&once, find_khz, NULL);
}
