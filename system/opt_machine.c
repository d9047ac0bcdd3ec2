/*
 * Options for the machine itself: type, CPU, accelerator, memory, topology, boot order.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "core/accel.h"
#include "system/accels.h"
#include "system/options.h"
#include "target-x86/cpuid.h"
#include "util/keyval.h"

enum { CPUS_MAX = 255 };

static void set_string(char **field, const char *value)
{
    g_free(*field);
    *field = g_strdup(value);
}

static bool print_and_exit(VmConfig *cfg, GString *text)
{
    fputs(text->str, stdout);
    g_string_free(text, TRUE);
    cfg->done = true;
    return true;
}

static bool is_help(const char *word)
{
    return word && (!strcmp(word, "help") || !strcmp(word, "?"));
}

/* ---- -machine ---- */

static const struct MachineName {
    const char *name, *help;
} machine_names[] = {
    {"pc", "Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx)"},
    {"pc-i440fx", "Standard PC (i440FX + PIIX, 1996) (default)"},
};

/* What the machine does not have may be switched off. */
static const char *const absent_parts[] = {"usb", "vmport", "nvdimm"};

static bool machine_type_known(const char *type, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(machine_names); i++) {
        if (!strcmp(type, machine_names[i].name)) {
            return true;
        }
    }
    emu_set_error(err, "'%s' is no machine type (-machine help lists them)", type);
    return false;
}

static bool machine_options(VmConfig *cfg, KeyVal *kv, GError **err)
{
    static const char *const irqchip_values[] = {"on", "off", "split", NULL};
    const char *type = keyval_get(kv, "type");
    const char *accel = keyval_get(kv, "accel");
    int irqchip = -1;

    if (type && !machine_type_known(type, err)) {
        return false;
    }
    if (accel) {
        set_string(&cfg->machine_accel, accel);
    }
    if (!keyval_get_enum(kv, "kernel-irqchip", irqchip_values, &irqchip, err) ||
        !keyval_get_enum(kv, "kernel_irqchip", irqchip_values, &irqchip, err)) {
        return false;
    }
    if (!keyval_get_bool(kv, "acpi", &cfg->acpi, err) ||
        !keyval_get_bool(kv, "hpet", &cfg->hpet, err) ||
        !keyval_get_bool(kv, "smm", &cfg->smm, err)) {
        return false;
    }
    if (irqchip >= 0) {
        set_string(&cfg->irqchip, irqchip_values[irqchip]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(absent_parts); i++) {
        bool on = false;
        if (!keyval_get_bool(kv, absent_parts[i], &on, err)) {
            return false;
        }
        if (on) {
            emu_set_error(err, "%s=on is not implemented", absent_parts[i]);
            return false;
        }
    }
    return keyval_finish(kv, err);
}

bool opt_machine(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (is_help(arg)) {
        GString *text = g_string_new("Machines:\n");
        for (size_t i = 0; i < G_N_ELEMENTS(machine_names); i++) {
            g_string_append_printf(text, "%-20s %s\n", machine_names[i].name,
                                   machine_names[i].help);
        }
        g_string_append(text,
                        "none of them has versions: the machine is what this program makes\n");
        return print_and_exit(cfg, text);
    }
    KeyVal *kv = keyval_parse("-machine", arg, "type", err);
    bool ok = kv && machine_options(cfg, kv, err);
    keyval_free(kv);
    return ok;
}

bool opt_no_acpi(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)arg;
    (void)err;
    cfg->acpi = false;
    return true;
}

bool opt_no_hpet(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)arg;
    (void)err;
    cfg->hpet = false;
    return true;
}

/* ---- -cpu ---- */

bool opt_cpu(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (is_help(arg)) {
        GString *text = g_string_new(NULL);
        cpu_model_print_list(text);
        return print_and_exit(cfg, text);
    }
    if (!*arg) {
        emu_set_error(err, "a CPU model is missing (-cpu help lists them)");
        return false;
    }
    set_string(&cfg->cpu, arg);
    return true;
}

/* ---- -accel ---- */

bool opt_accel(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    if (is_help(arg)) {
        GString *text = g_string_new(NULL);
        accels_print_list(text);
        return print_and_exit(cfg, text);
    }
    const char *comma = strchr(arg, ',');
    if (comma && is_help(comma + 1)) {
        GString *text = g_string_new(NULL);
        g_autofree char *name = g_strndup(arg, comma - arg);
        if (!accels_print_options(name, text, err)) {
            g_string_free(text, TRUE);
            return false;
        }
        return print_and_exit(cfg, text);
    }
    option_keep(cfg->accels, "-accel", arg, NULL);
    return true;
}

bool opt_enable_kvm(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    (void)def;
    (void)arg;
    (void)err;
    option_keep(cfg->accels, "-enable-kvm", "kvm", NULL);
    return true;
}

/* ---- -m ---- */

bool opt_memory(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    KeyVal *kv = keyval_parse("-m", arg, "size", err);
    const char *size = kv ? keyval_get(kv, "size") : NULL;
    uint64_t bytes = 0;
    bool ok = false;

    (void)def;
    if (!kv) {
        return false;
    }
    if (!size || !parse_size(size, 1 << 20, &bytes)) {
        emu_set_error(err,
                      "'%s' is not a size; expected MiB, or a number with a suffix K, M, G or T",
                      size ? size : arg);
    } else if (bytes == 0) {
        emu_set_error(err, "a machine needs memory: the size must be more than 0");
    } else {
        ok = keyval_finish(kv, err);
        bytes = (bytes + 8191) & ~8191ULL; /* whole pages, as the firmware's tables count them */
        cfg->ram_size = bytes ? bytes : ~8191ULL;
    }
    keyval_free(kv);
    return ok;
}

/* ---- -smp ---- */

/* What is not given is filled in as few sockets as can be: N CPUs are one socket of N cores. */
static bool smp_topology(SmpConfig *smp, uint64_t cpus, uint64_t maxcpus, uint64_t sockets,
                         uint64_t cores, uint64_t threads, GError **err)
{
    uint64_t total = maxcpus ? maxcpus : cpus;

    if (!total) {
        sockets = sockets ? sockets : 1;
        cores = cores ? cores : 1;
        threads = threads ? threads : 1;
        total = sockets * cores * threads;
    }
    if (!cores) {
        sockets = sockets ? sockets : 1;
        threads = threads ? threads : 1;
        cores = MAX(total / (sockets * threads), 1);
    } else if (!sockets) {
        threads = threads ? threads : 1;
        sockets = MAX(total / (cores * threads), 1);
    } else if (!threads) {
        threads = MAX(total / (sockets * cores), 1);
    }
    if (sockets * cores * threads != total) {
        emu_set_error(err,
                      "sockets (%d) * cores (%d) * threads (%d) must be the number of CPUs (%d)",
                      (int)sockets, (int)cores, (int)threads, (int)total);
        return false;
    }
    if (cpus && cpus != total) {
        emu_set_error(err, "maxcpus (%d) must equal cpus (%d): CPUs cannot be added later",
                      (int)total, (int)cpus);
        return false;
    }
    if (total > CPUS_MAX) {
        emu_set_error(err, "%d CPUs are more than the %d that this machine can have", (int)total,
                      CPUS_MAX);
        return false;
    }
    *smp = (SmpConfig){total, sockets, cores, threads};
    return true;
}

bool opt_smp(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    uint64_t cpus = 0, maxcpus = 0, sockets = 0, dies = 1, cores = 0, threads = 0;
    KeyVal *kv = keyval_parse("-smp", arg, "cpus", err);
    bool ok;

    (void)def;
    if (!kv) {
        return false;
    }
    ok = keyval_get_uint(kv, "cpus", 1, CPUS_MAX, &cpus, err) &&
         keyval_get_uint(kv, "maxcpus", 1, CPUS_MAX, &maxcpus, err) &&
         keyval_get_uint(kv, "sockets", 1, CPUS_MAX, &sockets, err) &&
         keyval_get_uint(kv, "dies", 1, 1, &dies, err) &&
         keyval_get_uint(kv, "cores", 1, CPUS_MAX, &cores, err) &&
         keyval_get_uint(kv, "threads", 1, CPUS_MAX, &threads, err) && keyval_finish(kv, err) &&
         smp_topology(&cfg->smp, cpus, maxcpus, sockets, cores, threads, err);
    keyval_free(kv);
    return ok;
}

/* ---- -boot ---- */

static bool boot_drives(const char *key, const char *letters, char **field, GError **err)
{
    if (!letters) {
        return true;
    }
    for (const char *p = letters; *p; p++) {
        if (!strchr("abcdn", *p)) {
            emu_set_error(err, "%s=%s: '%c' is no boot device (a, b, c, d, n)", key, letters, *p);
            return false;
        }
        if (strchr(p + 1, *p)) {
            emu_set_error(err, "%s=%s: '%c' is given twice", key, letters, *p);
            return false;
        }
    }
    set_string(field, letters);
    return true;
}

static bool boot_milliseconds(KeyVal *kv, const char *key, uint64_t max, int *field, GError **err)
{
    uint64_t ms = UINT64_MAX;

    if (!keyval_get_uint(kv, key, 0, max, &ms, err)) {
        return false;
    }
    if (ms != UINT64_MAX) {
        *field = ms;
    }
    return true;
}

bool opt_boot(VmConfig *cfg, const OptionDef *def, const char *arg, GError **err)
{
    BootConfig *b = &cfg->boot;
    KeyVal *kv = keyval_parse("-boot", arg, "order", err);
    bool ok;

    (void)def;
    if (!kv) {
        return false;
    }
    ok = boot_drives("order", keyval_get(kv, "order"), &b->order, err) &&
         boot_drives("once", keyval_get(kv, "once"), &b->once, err) &&
         keyval_get_bool(kv, "menu", &b->menu, err) &&
         keyval_get_bool(kv, "strict", &b->strict, err) &&
         boot_milliseconds(kv, "splash-time", 0xffff, &b->splash_time, err) &&
         boot_milliseconds(kv, "reboot-timeout", 0xffff, &b->reboot_timeout, err);
    const char *splash = keyval_get(kv, "splash");
    if (ok && splash) {
        set_string(&b->splash, splash);
    }
    ok = ok && keyval_finish(kv, err);
    keyval_free(kv);
    return ok;
}
