/*
 * The command line: the table, its parser, and -help.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "system/options.h"

#include <stdio.h>
#include <string.h>

#include "util/keyval.h"

#define HEADING(text)                                                                              \
    {                                                                                              \
        .name = text                                                                               \
    }

const OptionDef option_table[] = {
    HEADING("Standard options"),
    {"h", NULL, "print this help and exit", opt_help, NULL},
    {"help", NULL, "the same", opt_help, NULL},
    {"version", NULL, "print the version and exit", opt_version, NULL},
    {"machine", "[type=]TYPE[,OPTION=VALUE...]",
     "choose the machine ('help' lists them); options:\n"
     "accel=A[:B...]  accelerators to try in turn\n"
     "acpi=on|off  ACPI tables and power management (on)\n"
     "smm=on|off  system management mode, where the accelerator has it (on)\n"
     "kernel-irqchip=on|off|split  whether KVM holds the interrupt controllers\n"
     "hpet=on|off  high precision event timers (on)\n"
     "usb=off, vmport=off  these are not there",
     opt_machine, NULL},
    {"M", "...", "the same as -machine", opt_machine, NULL},
    {"cpu", "MODEL[,+F][,-F][,F=on|off...]",
     "choose the CPU model and its features ('help' lists them)", opt_cpu, NULL},
    {"accel", "[accel=]NAME[,OPTION=VALUE...]",
     "choose the accelerator ('help' lists them, 'NAME,help' its options);\n"
     "repeat it to say what to try next. Without any: kvm, then tcg.\n"
     "fallback=off  fail instead of going on to the translator",
     opt_accel, NULL},
    {"enable-kvm", NULL, "the same as -accel kvm", opt_enable_kvm, NULL},
    {"smp", "[cpus=]N[,maxcpus=N][,sockets=N][,dies=1][,cores=N][,threads=N]",
     "number of CPUs (1 to 255) and their topology", opt_smp, NULL},
    {"m", "[size=]N[K|M|G|T]", "size of the guest's memory, in MiB without a suffix (default 128)",
     opt_memory, NULL},
    {"name", "[guest=]NAME[,process=NAME][,debug-threads=on|off]",
     "name of the guest; of the process; and whether threads have names", opt_name, NULL},
    {"uuid", "UUID", "the machine's UUID", opt_uuid, NULL},
    {"global", "DRIVER.PROPERTY=VALUE",
     "default of a property for every device of a kind\n"
     "(also driver=DRIVER,property=PROPERTY,value=VALUE)",
     opt_global, NULL},
    {"boot",
     "[order=]DRIVES[,once=DRIVES][,menu=on|off][,strict=on|off]\n"
     "    [,splash=FILE][,splash-time=MS][,reboot-timeout=MS]",
     "what to boot from: a, b floppy, c first disk, d CD-ROM, n network;\n"
     "'once' holds for the first boot only",
     opt_boot, NULL},
    {"device", "DRIVER[,PROPERTY=VALUE...]",
     "add a device ('help' lists them, 'DRIVER,help' its properties)", opt_device, NULL},

    HEADING("Disks"),
    {"fda", "FILE", "image of floppy disk A:", opt_drive_letter, "if=floppy,index=0"},
    {"fdb", "FILE", "image of floppy disk B:", opt_drive_letter, "if=floppy,index=1"},
    {"hda", "FILE", "image of IDE disk 0", opt_drive_letter, "index=0,media=disk"},
    {"hdb", "FILE", "image of IDE disk 1", opt_drive_letter, "index=1,media=disk"},
    {"hdc", "FILE", "image of IDE disk 2", opt_drive_letter, "index=2,media=disk"},
    {"hdd", "FILE", "image of IDE disk 3", opt_drive_letter, "index=3,media=disk"},
    {"cdrom", "FILE", "image in the CD-ROM drive (IDE disk 2)", opt_drive_letter,
     "index=2,media=cdrom"},
    {"drive",
     "[file=FILE][,if=ide|floppy|virtio|none][,index=N][,media=disk|cdrom]\n"
     "    [,format=F][,cache=MODE][,readonly=on|off][,snapshot=on|off][,id=ID]...",
     "add a drive and what is in it", opt_drive, NULL},
    {"blockdev", "[driver=]DRIVER,node-name=NAME[,...]", "add a node to the block graph",
     opt_blockdev, NULL},
    {"snapshot", NULL, "write to temporary files instead of the images of -drive", opt_flag,
     "snapshot"},

    HEADING("Display, serial lines and monitor"),
    {"display", "none", "no window (there are none yet: 'none' is the default)", opt_display, NULL},
    {"nographic", NULL, "no window; serial line and monitor on the terminal (Ctrl-A h for help)",
     opt_flag, "nographic"},
    {"vga", "std|none", "the display adapter", opt_vga, NULL},
    {"serial", "BACKEND",
     "where the next serial line goes: null, none, stdio, mon:stdio, pty, file:PATH,\n"
     "pipe:PATH, unix:PATH[,server=on][,wait=off], tcp:HOST:PORT[,...], chardev:ID",
     opt_serial, NULL},
    {"parallel", "none", "there is no parallel port", opt_parallel, NULL},
    {"monitor", "BACKEND", "where a monitor goes, as with -serial", opt_monitor, NULL},
    {"mon", "[chardev=]ID[,mode=readline]", "a monitor on a -chardev", opt_mon, NULL},
    {"chardev", "BACKEND,id=ID[,mux=on|off][,...]", "a character back end ('help' lists them)",
     opt_chardev, NULL},
    {"debugcon", "BACKEND", "where what is written to port E9h goes, as with -serial", opt_debugcon,
     NULL},
    {"echr", "CODE", "the terminal's escape character instead of Ctrl-A (0x01)", opt_echr, NULL},

    HEADING("Network"),
    {"nic", "none | [type=]TYPE[,model=MODEL][,mac=ADDRESS][,OPTION=VALUE...]",
     "a network card (default e1000; 'model=help' lists them) and what it is connected to;\n"
     "'none': no card. Without options of this group there is one on 'user'.",
     opt_nic, NULL},
    {"netdev", "[type=]TYPE,id=ID[,OPTION=VALUE...]",
     "what -device CARD,netdev=ID is connected to ('help' lists the types):\n"
     "user  a network inside of this process: net=, host=, dhcpstart=, dns=, dnssearch=,\n"
     "    domainname=, hostname=, restrict=on|off, ipv4=on|off, ipv6=on|off, ipv6-net=,\n"
     "    ipv6-host=, ipv6-dns=, tftp=FOLDER, tftp-server-name=, bootfile=,\n"
     "    hostfwd=[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT,\n"
     "    guestfwd=tcp:ADDRESS:PORT-cmd:COMMAND (or -unix:PATH)\n"
     "tap  an interface of the host: ifname=, script=FILE|no, downscript=FILE|no, "
     "vnet_hdr=on|off;\n"
     "    or fd=N; or helper=PROGRAM,br=BRIDGE\n"
     "bridge  the same by a helper: br=, helper=\n"
     "stream  a stream socket: server=on|off, reconnect=SECONDS, addr.type=inet|unix|fd,\n"
     "    addr.host=, addr.port=, addr.path=, addr.str=\n"
     "dgram  datagrams: local.type=, remote.type=inet|unix and so on\n"
     "socket  listen=, connect=, mcast=, udp= (with localaddr=), or fd=\n"
     "hubport  hubid=N[,netdev=ID]",
     opt_netdev, NULL},
    {"net", "nic[,model=MODEL][,macaddr=ADDRESS] | TYPE[,OPTION=VALUE...] | none",
     "a card, or a back end, on hub 0", opt_net, NULL},
    {"object", "filter-dump,id=ID,netdev=ID,file=FILE[,maxlen=N][,queue=all|rx|tx]",
     "write the frames of a -netdev to a file, in libpcap's format", opt_object, NULL},

    HEADING("Firmware and kernel"),
    {"bios", "FILE", "firmware, looked for in the folders of -L", opt_bios, NULL},
    {"L", "FOLDER", "look for firmware there first ('help' lists the folders)", opt_firmware_dir,
     NULL},
    {"kernel", "FILE", "boot this Linux kernel (bzImage)", opt_kernel, NULL},
    {"append", "TEXT", "the kernel's command line", opt_append, NULL},
    {"initrd", "FILE", "its initial RAM disk", opt_initrd, NULL},

    HEADING("Running"),
    {"rtc", "[base=utc|localtime|DATE][,clock=host][,driftfix=none]",
     "where the real-time clock starts; DATE is 2006-06-17T16:01:21 or 2006-06-17", opt_rtc, NULL},
    {"S", NULL, "do not start the CPUs (the monitor's 'cont' does)", opt_flag, "S"},
    {"no-reboot", NULL, "exit instead of rebooting", opt_flag, "no-reboot"},
    {"no-shutdown", NULL, "stop instead of exiting when the guest powers off", opt_flag,
     "no-shutdown"},
    {"nodefaults", NULL, "no devices but those asked for", opt_flag, "nodefaults"},
    {"no-acpi", NULL, "the same as -machine acpi=off", opt_no_acpi, NULL},
    {"no-hpet", NULL, "the same as -machine hpet=off", opt_no_hpet, NULL},
    {"no-user-config", NULL, "there are no configuration files to leave out", opt_flag, "nothing"},
    {"daemonize", NULL, "go to the background once started", opt_flag, "daemonize"},
    {"pidfile", "FILE", "write the process id to FILE", opt_pidfile, NULL},
    {"gdb", "tcp:[HOST]:PORT|unix:PATH|BACKEND|none",
     "wait for a debugger there, while the machine runs (with -S: before it does)", opt_gdb, NULL},
    {"s", NULL, "the same as -gdb tcp::1234", opt_gdb, "tcp::1234"},
    {"d", "ITEM[,...]", "log these ('help' lists them)", opt_log_items, NULL},
    {"D", "FILE", "log to FILE instead of standard error", opt_log_file, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- the configuration object ---- */

static void optarg_free(gpointer data)
{
    OptArg *a = data;

    g_free(a->arg);
    g_free(a);
}

VmConfig *vm_config_new(void)
{
    VmConfig *cfg = g_new0(VmConfig, 1);
    GPtrArray **lists[] = {
        &cfg->accels,   &cfg->drives, &cfg->blockdevs, &cfg->chardevs, &cfg->serials,
        &cfg->monitors, &cfg->mons,   &cfg->debugcons, &cfg->devices,  &cfg->globals,
        &cfg->netdevs,  &cfg->nics,   &cfg->objects,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        *lists[i] = g_ptr_array_new_with_free_func(optarg_free);
    }
    cfg->firmware_dirs = g_ptr_array_new_with_free_func(g_free);
    cfg->ram_size = 128ULL << 20;
    cfg->smp = (SmpConfig){1, 1, 1, 1};
    cfg->boot.splash_time = cfg->boot.reboot_timeout = -1;
    cfg->thread_names = cfg->acpi = cfg->smm = cfg->hpet = true;
    return cfg;
}

void vm_config_free(VmConfig *cfg)
{
    GPtrArray *lists[] = {
        cfg->accels,        cfg->drives,  cfg->blockdevs, cfg->chardevs, cfg->serials,
        cfg->monitors,      cfg->mons,    cfg->debugcons, cfg->devices,  cfg->globals,
        cfg->firmware_dirs, cfg->netdevs, cfg->nics,      cfg->objects,
    };
    char *strings[] = {
        cfg->machine_accel, cfg->irqchip,     cfg->cpu,      cfg->boot.order,
        cfg->boot.once,     cfg->boot.splash, cfg->name,     cfg->process_name,
        cfg->kernel,        cfg->initrd,      cfg->append,   cfg->bios,
        cfg->pidfile,       cfg->log_items,   cfg->log_path, cfg->gdb,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_ptr_array_unref(lists[i]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(strings); i++) {
        g_free(strings[i]);
    }
    g_free(cfg);
}

void option_keep(GPtrArray *list, const char *option, const char *arg, const char *defaults)
{
    OptArg *a = g_new0(OptArg, 1);

    a->option = option;
    a->arg = g_strdup(arg);
    a->defaults = defaults;
    g_ptr_array_add(list, a);
}

/* ---- parsing ---- */

void option_prefix_error(GError **err, const char *option)
{
    size_t len = strlen(option);

    if (err && *err &&
        !(g_str_has_prefix((*err)->message, option) && (*err)->message[len] == ':')) {
        g_prefix_error(err, "%s: ", option);
    }
}

static const OptionDef *option_find(const char *name)
{
    for (const OptionDef *def = option_table; def->name; def++) {
        if (def->handle && !strcmp(def->name, name)) {
            return def;
        }
    }
    return NULL;
}

/* A word that is no option: the image of the first disk. */
static bool take_image(VmConfig *cfg, const char *word, bool *seen, GError **err)
{
    if (*seen) {
        emu_set_error(err, "%s: there is a disk image without an option already; use -drive", word);
        return false;
    }
    *seen = true;
    return opt_drive_letter(cfg, option_find("hda"), word, err);
}

bool options_parse(VmConfig *cfg, int argc, char **argv, GError **err)
{
    bool image_seen = false;

    for (int i = 1; i < argc && !cfg->done; i++) {
        const char *word = argv[i], *arg = NULL;
        if (word[0] != '-') {
            if (!take_image(cfg, word, &image_seen, err)) {
                return false;
            }
            continue;
        }
        word += word[1] == '-' ? 2 : 1;
        g_autofree char *option = g_strconcat("-", word, NULL);
        const OptionDef *def = option_find(word);
        if (!def) {
            emu_set_error(err, "%s: invalid option (-help lists those there are)", argv[i]);
            return false;
        }
        if (def->arg) {
            if (i + 1 == argc) {
                emu_set_error(err, "%s: requires an argument (-help shows it)", option);
                return false;
            }
            arg = argv[++i];
        }
        if (!def->handle(cfg, def, arg, err)) {
            option_prefix_error(err, option);
            return false;
        }
    }
    opt_net_defaults(cfg);
    return true;
}

/* ---- -help ---- */

void options_print_help(GString *out)
{
    g_string_append(out, "usage: emu-system-x86_64 [options] [disk_image]\n\n"
                         "'disk_image' is the image of the first hard disk.\n");
    for (const OptionDef *def = option_table; def->name; def++) {
        if (!def->handle) {
            g_string_append_printf(out, "\n%s:\n", def->name);
            continue;
        }
        g_string_append_printf(out, "-%s%s%s\n", def->name, def->arg ? " " : "",
                               def->arg ? def->arg : "");
        g_auto(GStrv) lines = g_strsplit(def->help, "\n", -1);
        for (char **l = lines; *l; l++) {
            g_string_append_printf(out, "                %s\n", *l);
        }
    }
}
