/*
 * The monitor's info and help.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "block/options.h"
#include "core/accel.h"
#include "core/device.h"
#include "hw/intc/apic.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "monitor/monitor_int.h"
#include "net/net.h"
#include "util/keyval.h"

static void show(Monitor *mon, GString *text)
{
    monitor_puts(mon, text->str);
    g_string_free(text, TRUE);
}

/* ---- CPUs ---- */

static void print_registers(Cpu *cpu, void *data)
{
    GString *text = data;

    cpu->machine->accel->cls->get_state(cpu);
    g_string_append_printf(text, "\nCPU#%d\n", cpu->index);
    x86_print_registers((X86Cpu *)cpu, text);
}

static bool info_registers(Monitor *mon, HmpArgs *args, GError **err)
{
    Machine *m = mon->machine;
    bool all = args_flag(args, 'a');
    uint64_t only = mon->cpu;
    GString *text = g_string_new(NULL);

    if (!all && !args_end(args) && !args_number(mon, args, &only, err)) {
        g_string_free(text, TRUE);
        return false;
    }
    if (only >= (uint64_t)m->cpu_count) {
        emu_set_error(err, "there are CPUs 0 to %d", m->cpu_count - 1);
        g_string_free(text, TRUE);
        return false;
    }
    mon->host->pause(m);
    for (int i = 0; i < m->cpu_count; i++) {
        if (all || only == (uint64_t)i) {
            mon->host->run_on(m->cpus[i], print_registers, text);
        }
    }
    mon->host->resume(m);
    show(mon, text);
    return true;
}

static bool info_cpus(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    for (int i = 0; i < mon->machine->cpu_count; i++) {
        Cpu *cpu = mon->machine->cpus[i];
        monitor_printf(mon, "%c CPU #%d: apic_id=%u%s\n", i == mon->cpu ? '*' : ' ', i,
                       cpu->apic_id, atomic_load(&cpu->halted) ? " (halted)" : "");
    }
    return true;
}

static void print_accel(Monitor *mon, const char *name, const char *title)
{
    Accel *accel = mon->machine->accel;
    bool on = !strcmp(accel->cls->name, name);

    monitor_printf(mon, "%s: %s\n", title, on ? "enabled" : "disabled");
    if (on && accel->cls->print_info) {
        GString *text = g_string_new(NULL);
        accel->cls->print_info(accel, text);
        show(mon, text);
    }
}

static bool info_kvm(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    print_accel(mon, "kvm", "kvm support");
    return true;
}

static bool info_jit(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    print_accel(mon, "tcg", "translator");
    return true;
}

/* ---- memory and devices ---- */

static bool info_mtree(Monitor *mon, HmpArgs *args, GError **err)
{
    bool flat = args_flag(args, 'f');
    const AddressSpace *spaces[] = {&mon->machine->memory, &mon->machine->io};

    (void)err;
    for (size_t i = 0; i < G_N_ELEMENTS(spaces); i++) {
        GString *text = g_string_new(NULL);
        if (flat) {
            address_space_print_flat(spaces[i], text);
        } else {
            address_space_print(spaces[i], text);
        }
        show(mon, text);
    }
    return true;
}

static bool info_qtree(Monitor *mon, HmpArgs *args, GError **err)
{
    GString *text = g_string_new(NULL);

    (void)args;
    (void)err;
    device_print_tree(mon->machine->root_bus, text);
    show(mon, text);
    return true;
}

typedef struct IntcPrint {
    const DeviceClass *cls;
    void (*print)(Device *dev, GString *out);
} IntcPrint;

typedef struct IntcWalk {
    const IntcPrint *kinds; /* ends with a NULL class */
    GString *text;
} IntcWalk;

static bool print_intc(Device *dev, void *opaque)
{
    const IntcWalk *walk = opaque;

    for (const IntcPrint *k = walk->kinds; k->cls; k++) {
        if (dev->cls == k->cls) {
            k->print(dev, walk->text);
        }
    }
    return true;
}

static bool print_intcs(Monitor *mon, const IntcPrint *kinds)
{
    IntcWalk walk = {kinds, g_string_new(NULL)};

    device_foreach(mon->machine->root_bus, print_intc, &walk);
    if (!walk.text->len) {
        g_string_append(walk.text, "held by the accelerator\n");
    }
    show(mon, walk.text);
    return true;
}

static bool info_irq(Monitor *mon, HmpArgs *args, GError **err)
{
    static const IntcPrint kinds[] = {
        {&i8259_class, i8259_print_info}, {&ioapic_class, ioapic_print_info}, {NULL, NULL}};

    (void)args;
    (void)err;
    return print_intcs(mon, kinds);
}

static bool info_lapic(Monitor *mon, HmpArgs *args, GError **err)
{
    static const IntcPrint kinds[] = {{&apic_class, apic_print_info}, {NULL, NULL}};

    (void)args;
    (void)err;
    return print_intcs(mon, kinds);
}

static bool info_block(Monitor *mon, HmpArgs *args, GError **err)
{
    GString *text = g_string_new(NULL);

    (void)args;
    (void)err;
    block_print_info(text);
    show(mon, text);
    return true;
}

static bool info_chardev(Monitor *mon, HmpArgs *args, GError **err)
{
    GString *text = g_string_new(NULL);

    (void)args;
    (void)err;
    chardev_print_info(text);
    show(mon, text);
    return true;
}

/* ---- the machine ---- */

static bool info_network(Monitor *mon, HmpArgs *args, GError **err)
{
    GString *text = g_string_new(NULL);

    (void)args;
    (void)err;
    net_print(text);
    show(mon, text);
    return true;
}

#ifdef CONFIG_SLIRP
static bool info_usernet(Monitor *mon, HmpArgs *args, GError **err)
{
    GString *text = g_string_new(NULL);

    (void)args;
    (void)err;
    net_print_user(text);
    show(mon, text);
    return true;
}
#endif

static bool info_status(Monitor *mon, HmpArgs *args, GError **err)
{
    RunState state = atomic_load(&mon->machine->run_state);

    (void)args;
    (void)err;
    if (state == RUN_STATE_RUNNING || state == RUN_STATE_PAUSED) {
        monitor_printf(mon, "VM status: %s\n", mon->host->state_name(state));
    } else {
        monitor_printf(mon, "VM status: paused (%s)\n", mon->host->state_name(state));
    }
    return true;
}

static bool info_version(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    monitor_puts(mon, CONFIG_VERSION "\n");
    return true;
}

static bool info_name(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    if (mon->machine->name) {
        monitor_printf(mon, "%s\n", mon->machine->name);
    }
    return true;
}

static bool info_uuid(Monitor *mon, HmpArgs *args, GError **err)
{
    const uint8_t *u = mon->machine->uuid;

    (void)args;
    (void)err;
    for (int i = 0; i < 16; i++) {
        monitor_printf(mon, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
    }
    monitor_puts(mon, "\n");
    return true;
}

static bool info_history(Monitor *mon, HmpArgs *args, GError **err)
{
    const GPtrArray *lines = readline_history(mon->rl);

    (void)args;
    (void)err;
    for (guint i = 0; i < lines->len; i++) {
        monitor_printf(mon, "%u: '%s'\n", i, (char *)lines->pdata[i]);
    }
    return true;
}

const HmpCommand hmp_info_commands[] = {
    {"block", NULL, "", "disks and what is in them", info_block},
    {"chardev", NULL, "", "character back ends", info_chardev},
    {"cpus", NULL, "", "CPUs", info_cpus},
    {"history", NULL, "", "commands entered", info_history},
    {"irq", "pic", "", "8259 and I/O APIC", info_irq},
    {"jit", NULL, "", "the translator", info_jit},
    {"kvm", NULL, "", "KVM", info_kvm},
    {"lapic", NULL, "", "local APICs", info_lapic},
    {"mtree", NULL, "[-f]", "memory and ports as a tree (-f: as they appear to a CPU)", info_mtree},
    {"name", NULL, "", "the machine's name", info_name},
    {"network", NULL, "", "network cards and what they are connected to", info_network},
    {"qtree", NULL, "", "devices and buses", info_qtree},
    {"registers", NULL, "[-a | CPU]", "a CPU's registers (-a: of all CPUs)", info_registers},
    {"status", NULL, "", "whether the machine runs", info_status},
#ifdef CONFIG_SLIRP
    {"usernet", NULL, "", "connections of user-mode networks", info_usernet},
#endif
    {"uuid", NULL, "", "the machine's UUID", info_uuid},
    {"version", NULL, "", "version of the emulator", info_version},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- info and help themselves ---- */

static void print_help(Monitor *mon, const char *lead, const HmpCommand *c)
{
    monitor_printf(mon, "%s%s%s%s%s%s -- %s\n", lead, c->name, c->alias ? "|" : "",
                   c->alias ? c->alias : "", *c->args ? " " : "", c->args, c->help);
}

static void print_table(Monitor *mon, const char *lead, const HmpCommand *table)
{
    for (const HmpCommand *c = table; c->name; c++) {
        print_help(mon, lead, c);
    }
}

bool hmp_info(Monitor *mon, HmpArgs *args, GError **err)
{
    if (args_end(args)) {
        print_table(mon, "info ", hmp_info_commands);
        return true;
    }
    g_autofree char *name = args_word(args, "a subject", err);
    const HmpCommand *c = name ? hmp_find(hmp_info_commands, name) : NULL;
    if (name && !c) {
        emu_set_error(err, "'%s' is no subject of info (info lists them)", name);
    }
    return c && c->run(mon, args, err);
}

bool hmp_help(Monitor *mon, HmpArgs *args, GError **err)
{
    if (args_end(args)) {
        print_table(mon, "", hmp_commands);
        return true;
    }
    g_autofree char *name = args_word(args, "a command", err);
    if (!name) {
        return false;
    }
    if (!strcmp(name, "info")) {
        print_table(mon, "info ", hmp_info_commands);
        return true;
    }
    const HmpCommand *c = hmp_find(hmp_commands, name);
    if (!c) {
        emu_set_error(err, "'%s' is no command (help lists them)", name);
        return false;
    }
    print_help(mon, "", c);
    return true;
}
