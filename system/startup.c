/*
 * Start-up, step by step.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "system/startup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "block/options.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/iothread.h"
#include "gdbstub/gdbstub.h"
#include "hw/pc/pc.h"
#include "monitor/monitor.h"
#include "net/net.h"
#include "system/firmware.h"
#include "system/options.h"
#include "target-x86/cpuid.h"
#include "ui/chardev.h"
#include "util/keyval.h"

/* ---- step: checks ---- */

static bool check_readable(const char *option, const char *path, GError **err)
{
    if (path && access(path, R_OK) < 0) {
        emu_set_error(err, "%s: %s: %s", option, path, g_strerror(errno));
        return false;
    }
    if (path && !g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        emu_set_error(err, "%s: %s: not a regular file", option, path);
        return false;
    }
    return true;
}

static bool check_files(Startup *s, GError **err)
{
    const VmConfig *cfg = s->cfg;
    g_autofree char *bios = NULL;

    if (!cfg->kernel && (cfg->initrd || cfg->append)) {
        emu_set_error(err, "%s: only goes with -kernel", cfg->initrd ? "-initrd" : "-append");
        return false;
    }
    bios = machine_find_firmware(&s->vm->machine, cfg->bios ? cfg->bios : "bios-256k.bin", err);
    if (!bios) {
        g_prefix_error(err, "-bios: ");
        return false;
    }
    return check_readable("-kernel", cfg->kernel, err) &&
           check_readable("-initrd", cfg->initrd, err) &&
           check_readable("-boot", cfg->boot.splash, err);
}

/* The guest's clock minus the host's UTC. */
static int64_t rtc_offset(const RtcConfig *rtc)
{
    time_t now = time(NULL);

    if (rtc->has_date) {
        return (rtc->date - (int64_t)now) * NS_PER_SEC;
    }
    if (rtc->localtime) {
        struct tm local;
        localtime_r(&now, &local);
        return (int64_t)local.tm_gmtoff * NS_PER_SEC;
    }
    return 0;
}

static void fill_machine(Startup *s)
{
    const VmConfig *cfg = s->cfg;
    Machine *m = &s->vm->machine;

    m->ram_size = cfg->ram_size;
    m->no_reboot = cfg->no_reboot;
    m->no_shutdown = cfg->no_shutdown;
    m->name = g_strdup(cfg->name);
    memcpy(m->uuid, cfg->uuid, sizeof(m->uuid));
    m->uuid_set = cfg->uuid_set;
    m->rtc_offset_ns = rtc_offset(&cfg->rtc);
    m->rtc_localtime = cfg->rtc.localtime;
    s->vm->thread_names = cfg->thread_names;
    m->memory_root = mem_region_container("system", UINT64_MAX);
    m->io_root = mem_region_container("io", 0x10000);
    address_space_init(&m->memory, m->memory_root, "memory");
    address_space_init(&m->io, m->io_root, "I/O");
    m->root_bus = bus_new("System", "main-system-bus", NULL);
    firmware_set_path(m, cfg->firmware_dirs);
    runstate_init(m);
}

bool startup_check(Startup *s, GError **err)
{
    fill_machine(s);
    s->accels = accel_choice_new(s->cfg, err);
    return s->accels && devices_check(s, err) && check_files(s, err);
}

/* ---- step: accelerator, CPU model ---- */

/* PC memory above this lies above 4 GiB, behind the hole for devices. */
#define LOW_RAM_MAX (3ULL << 30)

static bool check_ram_fits(Startup *s, GError **err)
{
    uint64_t size = s->cfg->ram_size;
    uint64_t top = size <= LOW_RAM_MAX ? size : size + (1ULL << 30);

    if (top < size || (s->model->phys_bits < 64 && top > 1ULL << s->model->phys_bits)) {
        emu_set_error(err,
                      "-m: %" G_GUINT64_FORMAT " MiB do not fit the %u bits of the guest's "
                      "physical addresses (-cpu %s,phys-bits=)",
                      size >> 20, s->model->phys_bits, s->model->name);
        return false;
    }
    return true;
}

bool startup_accel(Startup *s, GError **err)
{
    const SmpConfig *smp = &s->cfg->smp;
    g_autoptr(GString) warnings = g_string_new(NULL);
    CpuFeatures available;

    if (!accel_choice_init(s->accels, &s->vm->machine, err)) {
        return false;
    }
    accel_cpu_features(s->vm->machine.accel, &available);
    s->model = cpu_model_parse(s->cfg->cpu ? s->cfg->cpu : "max", &available,
                               s->vm->machine.accel->cls->name, warnings, err);
    if (!s->model) {
        option_prefix_error(err, "-cpu");
        return false;
    }
    g_auto(GStrv) lines = g_strsplit(warnings->str, "\n", -1);
    for (char **l = lines; *l; l++) {
        if (**l) {
            fprintf(stderr, "%s: -cpu: %s\n", g_get_prgname(), *l);
        }
    }
    cpu_model_set_topology(s->model, 1, smp->cores, smp->threads);
    return check_ram_fits(s, err);
}

/* ---- step: disks ---- */

/* The drives every PC has, without a medium; a device of the same kind stands in for them. */
static bool default_drives(Startup *s, GError **err)
{
    static const char *const ide_names[] = {"ide-cd", "ide-hd", NULL};
    static const char *const floppy_names[] = {"floppy", NULL};
    static const struct {
        DriveInterface iface;
        int index;
        const char *options;
        const char *const *instead;
    } list[] = {
        {DRIVE_IF_IDE, 2, "media=cdrom,index=2", ide_names},
        {DRIVE_IF_FLOPPY, 0, "if=floppy,index=0", floppy_names},
    };

    for (size_t i = 0; !s->cfg->nodefaults && i < G_N_ELEMENTS(list); i++) {
        if (!block_drive_exists(list[i].iface, list[i].index) &&
            !devices_have(s, list[i].instead) &&
            !block_drive_add("", list[i].options, false, s->vm->machine.io_thread, err)) {
            return false;
        }
    }
    return true;
}

bool startup_disks(Startup *s, GError **err)
{
    const VmConfig *cfg = s->cfg;
    Machine *m = &s->vm->machine;

    m->io_thread = io_thread_new("io0", IO_ENGINE_AUTO, err);
    if (!m->io_thread) {
        return false;
    }
    for (guint i = 0; i < cfg->blockdevs->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->blockdevs, i);
        if (!block_node_add(a->arg, m->io_thread, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    for (guint i = 0; i < cfg->drives->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->drives, i);
        if (!block_drive_add(a->arg, a->defaults, cfg->snapshot, m->io_thread, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    return default_drives(s, err);
}

/* ---- step: network ---- */

bool startup_network(Startup *s, GError **err)
{
    const VmConfig *cfg = s->cfg;

    for (guint i = 0; i < cfg->netdevs->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->netdevs, i);
        if (!net_add(a->arg, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    return true;
}

/* Last of all: their files are written from now on. */
static bool make_filters(const VmConfig *cfg, GError **err)
{
    for (guint i = 0; i < cfg->objects->len; i++) {
        const OptArg *a = g_ptr_array_index(cfg->objects, i);
        if (!net_filter_dump_add(a->arg, err)) {
            option_prefix_error(err, a->option);
            return false;
        }
    }
    return true;
}

/* A cable that ends in the air is likely a slip of the pen. */
static void warn_of_unconnected(void)
{
    g_autoptr(GString) text = g_string_new(NULL);

    net_print_unconnected(text);
    g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
    for (char **l = lines; *l; l++) {
        if (**l) {
            fprintf(stderr, "%s: %s\n", g_get_prgname(), *l);
        }
    }
}

/* ---- step: CPUs ---- */

bool startup_cpus(Startup *s, GError **err)
{
    Machine *m = &s->vm->machine;
    Accel *accel = m->accel;

    m->cpus = g_new0(Cpu *, s->cfg->smp.cpus);
    for (unsigned i = 0; i < s->cfg->smp.cpus; i++) {
        Cpu *cpu = accel->cls->cpu_new(accel, i, cpu_model_apic_id(s->model, i), s->model, err);
        if (!cpu) {
            return false;
        }
        m->cpus[m->cpu_count++] = cpu;
    }
    if (accel->cls->memory_listener) {
        address_space_listen(&m->memory, accel->cls->memory_listener(accel));
    }
    return true;
}

/* ---- step: board ---- */

static void fill_pc_config(const Startup *s, PcConfig *pc)
{
    static const char *const vga_names[] = {"VGA", "isa-vga", "bochs-display", NULL};
    const VmConfig *cfg = s->cfg;
    bool vga_default = !cfg->nodefaults && !devices_have(s, vga_names);

    pc_config_init(pc);
    pc->ram_size = cfg->ram_size;
    pc->bios = cfg->bios;
    pc->vga =
        cfg->vga == VGA_STD || (cfg->vga == VGA_DEFAULT && vga_default) ? PC_VGA_STD : PC_VGA_NONE;
    for (size_t i = 0; i < G_N_ELEMENTS(s->serial); i++) {
        pc->serial[i] = s->serial[i];
    }
    pc->kernel = cfg->kernel;
    pc->initrd = cfg->initrd;
    pc->append = cfg->append;
    pc->acpi = cfg->acpi;
    pc->hpet = cfg->hpet;
    pc->smm = cfg->smm;
    pc->nographic = cfg->nographic;
    pc->boot_order = cfg->boot.order;
    pc->boot_once = cfg->boot.once;
    pc->boot_menu = cfg->boot.menu;
    pc->boot_strict = cfg->boot.strict;
    pc->boot_menu_wait = cfg->boot.splash_time;
    pc->boot_fail_wait = cfg->boot.reboot_timeout;
    pc->boot_splash = cfg->boot.splash;
}

bool startup_board(Startup *s, GError **err)
{
    PcConfig pc;
    g_autoptr(GPtrArray) nics = devices_take_nics(s);

    fill_pc_config(s, &pc);
    pc.nics = (Device **)nics->pdata;
    pc.nic_count = nics->len;
    if (!pc_machine_init(&s->vm->machine, &pc, err) || !devices_realize(s, err) ||
        !pc_machine_done(&s->vm->machine, err) || !make_filters(s->cfg, err)) {
        return false;
    }
    warn_of_unconnected();
    return true;
}

/* ---- step: run; and the end ---- */

bool startup_signals(Startup *s, GError **err)
{
    return signals_watch(&s->vm->machine, err);
}

bool startup_run(Startup *s, GError **err)
{
    Machine *m = &s->vm->machine;

    if (!cpus_start(m, err)) {
        return false;
    }
    vm_reset(m);
    chardev_start();
    monitor_start();
    if (s->cfg->gdb && !gdbstub_open(m, &monitor_host, s->cfg->gdb, err)) {
        option_prefix_error(err, "-gdb");
        return false;
    }
    return s->cfg->start_paused || gdbstub_connected() || vm_start(m, err);
}

void startup_end(Startup *s)
{
    cpus_stop_threads(&s->vm->machine);
    if (s->vm->machine.io_thread) {
        block_close_all();
    }
    net_close_all();
    gdbstub_close(s->vm->exit_status);
    monitor_free_all();
    chardev_free_all();
}
