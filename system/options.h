/*
 * The command line: one table of options, from which parsing and -help derive.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYSTEM_OPTIONS_H
#define SYSTEM_OPTIONS_H

#include "system/config.h"

typedef struct OptionDef OptionDef;

typedef bool (*OptionHandler)(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);

struct OptionDef {
    const char *name; /* without the dash */
    const char *arg;  /* how -help writes its argument; NULL: it takes none */
    const char *help; /* lines joined by \n; NULL: a heading, whose text is NAME */
    OptionHandler handle;
    const char *data; /* the handler's own */
};

extern const OptionDef option_table[]; /* ends with a NULL name */

/*
 * Parses a whole command line into CFG. False with ERR "-opt: what is wrong". Prints help texts
 * that were asked for, and sets CFG->done.
 */
bool options_parse(VmConfig *cfg, int argc, char **argv, GError **err);
void options_print_help(GString *out);
/* Puts "-opt: " before ERR's message unless it is there already. */
void option_prefix_error(GError **err, const char *option);

/* Keeps ARG in LIST. */
void option_keep(GPtrArray *list, const char *option, const char *arg, const char *defaults);

/* opt_gdb.c */
bool opt_gdb(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);

/* opt_machine.c */
bool opt_machine(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_no_acpi(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_no_hpet(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_cpu(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_accel(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_enable_kvm(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_memory(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_smp(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_boot(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);

/* opt_devices.c */
bool opt_drive_letter(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_drive(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_blockdev(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_device(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_global(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_chardev(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_serial(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_parallel(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_monitor(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_mon(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_debugcon(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_vga(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_display(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);

/* opt_net.c */
bool opt_netdev(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_nic(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_net(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_object(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
/* Without -nodefaults and without any option of the network: an e1000 on -netdev user. */
void opt_net_defaults(VmConfig *cfg);

/* opt_misc.c */
bool opt_help(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_version(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_kernel(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_initrd(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_append(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_bios(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_firmware_dir(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_rtc(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_name(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_uuid(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_log_items(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_log_file(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_pidfile(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_echr(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);
bool opt_flag(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err);

#endif
