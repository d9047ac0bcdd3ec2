/*
 * emu-system-x86_64.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>

#include "accel/kvm/kvm.h"
#include "core/mainloop.h"
#include "hw/classes.h"
#include "system/daemon.h"
#include "system/options.h"
#include "system/startup.h"
#include "ui/chardev.h"
#include "util/log.h"

/* Steps 3 to 10 of docs/architecture.md; the first that fails ends the program. */
static bool (*const steps[])(Startup *s, GError **err) = {
    startup_check,    /* 3: names, properties, files to be read */
    startup_accel,    /* 4: accelerator and CPU model */
    startup_chardevs, /* 5: character back ends and monitors */
    startup_disks,    /* 6: block nodes and drives */
    startup_network,  /* 6: network back ends */
    startup_cpus,     /* 7: vCPUs */
    startup_board,    /* 8: the board and all devices */
    startup_signals,  /* 9: SIGINT and the like end the machine from here on */
    startup_run,      /* 10: reset, threads, go */
};

static bool start(Startup *s, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        if (!steps[i](s, err)) {
            return false;
        }
    }
    return true;
}

static int fail(GError *err)
{
    chardev_restore_terminal();
    fprintf(stderr, "%s: %s\n", g_get_prgname(), err->message);
    return EXIT_FAILURE;
}

/* The accelerator's own devices stand behind those of hw/. */
static void list_device_classes(void)
{
    static const DeviceClass *const *const lists[] = {hw_classes, kvm_device_classes};
    GPtrArray *all = g_ptr_array_new();

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const DeviceClass *const *cls = lists[i]; *cls; cls++) {
            g_ptr_array_add(all, (gpointer)*cls);
        }
    }
    g_ptr_array_add(all, NULL);
    device_class_list_set((const DeviceClass *const *)g_ptr_array_free(all, FALSE));
}

int main(int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    Startup s = {0};
    int status;

    /* 1. What holds for the whole process. */
    g_set_prgname("emu-system-x86_64");
    list_device_classes();

    /* 2. The command line. */
    VmConfig *cfg = vm_config_new();
    if (!options_parse(cfg, argc, argv, &err)) {
        return fail(err);
    }
    if (cfg->done) {
        return EXIT_SUCCESS;
    }
    if (!process_prepare(cfg, &err)) {
        return fail(err);
    }

    s.cfg = cfg;
    s.vm = g_new0(Vm, 1);
    signals_block();
    main_loop_init();
    if (!start(&s, &err) || !process_ready(cfg, &err)) {
        status = fail(err);
        startup_end(&s);
        return status;
    }

    /* 11. Until the guest powers off or somebody ends it. */
    main_loop_run();
    status = s.vm->exit_status;
    startup_end(&s);
    process_end(cfg);
    return status;
}
