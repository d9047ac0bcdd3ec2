/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/unit/kvm_rig.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/device.h"
#include "core/lock.h"
#include "core/mainloop.h"
#include "core/safepoint.h"
#include "target-x86/cpuid.h"

bool kvm_rig_available(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        g_test_skip("/dev/kvm cannot be opened here");
        return false;
    }
    close(fd);
    return true;
}

static void make_memory(KvmRig *rig)
{
    Machine *m = &rig->m;
    g_autoptr(GError) err = NULL;

    m->memory_root = mem_region_container("memory", UINT64_MAX);
    m->io_root = mem_region_container("io", 65536);
    address_space_init(&m->memory, m->memory_root, "memory");
    address_space_init(&m->io, m->io_root, "I/O");
    rig->ram = ram_block_new("ram", KVM_RIG_RAM, &err);
    g_assert_no_error(err);
    rig->rom = ram_block_new("rom", KVM_RIG_ROM_SIZE, &err);
    g_assert_no_error(err);
    rig->ram_region = mem_region_ram("ram", rig->ram, 0, KVM_RIG_RAM, false);
    rig->rom_region = mem_region_ram("rom", rig->rom, 0, KVM_RIG_ROM_SIZE, true);
    mem_region_add(m->memory_root, 0, rig->ram_region, 0);
    mem_region_add(m->memory_root, KVM_RIG_ROM_BASE, rig->rom_region, 1);
}

static void make_cpu(KvmRig *rig)
{
    Machine *m = &rig->m;
    CpuFeatures features;
    g_autoptr(GError) err = NULL;

    kvm_cpu_features(m->accel, &features);
    CpuModel *model = cpu_model_parse("max", &features, "kvm", NULL, &err);
    g_assert_no_error(err);
    cpu_model_set_topology(model, 1, 1, 1);
    m->cpus = g_new0(Cpu *, 1);
    m->cpus[0] = kvm_accel_class.cpu_new(m->accel, 0, 0, model, &err);
    g_assert_no_error(err);
    m->cpu_count = 1;
    rig->c = kvm_cpu(m->cpus[0]);
}

KvmRig *kvm_rig_new(const char *option, ...)
{
    KvmRig *rig = g_new0(KvmRig, 1);
    Machine *m = &rig->m;
    g_autoptr(GError) err = NULL;
    va_list args;

    main_loop_init();
    m->root_bus = bus_new("System", "main-system-bus", NULL);
    make_memory(rig);
    m->accel = accel_new(&kvm_accel_class);
    g_assert_true(accel_set_prop(m->accel, "selftest", "off", &err));
    va_start(args, option);
    for (; option; option = va_arg(args, const char *)) {
        accel_set_prop(m->accel, option, va_arg(args, const char *), &err);
        g_assert_no_error(err);
    }
    va_end(args);
    kvm_accel_class.init(m->accel, m, &err);
    g_assert_no_error(err);
    rig->a = kvm_accel(m->accel);
    make_cpu(rig);
    address_space_listen(&m->memory, kvm_accel_class.memory_listener(m->accel));
    atomic_store(&m->run_state, RUN_STATE_RUNNING);
    clock_vm_enable(true);
    machine_unlock();
    safepoint_thread_attach(&rig->c->x.cpu);
    kvm_accel_class.cpu_thread_init(&rig->c->x.cpu, &err);
    g_assert_no_error(err);
    return rig;
}

void kvm_rig_load(KvmRig *rig, const void *code, size_t size)
{
    X86State *st = &rig->c->x.st;

    memcpy(rig->ram->host + 0x1000, code, size);
    x86_cpu_reset(&rig->c->x, true);
    st->seg[SEG_CS] = (X86Segment){.limit = 0xffff, .attr = 0x9b};
    st->rip = 0x1000;
    st->gpr[R_RSP] = 0x8000;
    kvm_put_state(&rig->c->x.cpu);
}
