/*
 * The table of monitor commands, and the short ones.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "block/options.h"
#include "monitor/monitor_int.h"
#include "net/net.h"
#include "ui/console.h"
#include "util/keyval.h"
#include "util/log.h"

static bool hmp_stop(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    mon->host->stop(mon->machine, RUN_STATE_PAUSED);
    return true;
}

static bool hmp_cont(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    return mon->host->start(mon->machine, err);
}

static bool hmp_quit(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    mon->quit = true;
    machine_request_shutdown(mon->machine, SHUTDOWN_HOST_QMP_QUIT, 0);
    return true;
}

static bool hmp_reset(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    machine_request_reset(mon->machine, SHUTDOWN_HOST_QMP_QUIT);
    return true;
}

static bool hmp_powerdown(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    machine_request_powerdown(mon->machine);
    return true;
}

static bool hmp_nmi(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)args;
    (void)err;
    for (int i = 0; i < mon->machine->cpu_count; i++) {
        cpu_raise(mon->machine->cpus[i], CPU_EVENT_NMI);
    }
    return true;
}

static bool hmp_cpu(Monitor *mon, HmpArgs *args, GError **err)
{
    uint64_t n;

    if (!args_number(mon, args, &n, err)) {
        return false;
    }
    if (n >= (uint64_t)mon->machine->cpu_count) {
        emu_set_error(err, "there are CPUs 0 to %d", mon->machine->cpu_count - 1);
        return false;
    }
    mon->cpu = n;
    return true;
}

static bool hmp_screendump(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *path = NULL, *format = NULL;

    (void)mon;
    for (int i = 0; i < 2 && !args_end(args); i++) {
        if (args_flag(args, 'f')) {
            g_free(format);
            format = args_word(args, "the format (ppm or png)", err);
            if (!format) {
                return false;
            }
        } else if (!path) {
            path = args_word(args, "the name of a file", err);
            if (!path) {
                return false;
            }
        }
    }
    if (!path) {
        emu_set_error(err, "the name of a file is missing");
        return false;
    }
    Console *con = console_by_index(0);
    if (!con) {
        emu_set_error(err, "the machine has no display adapter");
        return false;
    }
    return console_screendump(con, path, format ? format : "ppm", err);
}

static bool hmp_eject(Monitor *mon, HmpArgs *args, GError **err)
{
    bool force = args_flag(args, 'f');
    g_autofree char *id = args_word(args, "the name of a drive", err);

    (void)mon;
    return id && block_eject(id, force, err);
}

static bool hmp_change(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *id = args_word(args, "the name of a drive", err);
    g_autofree char *path = id ? args_word(args, "the name of an image", err) : NULL;

    (void)mon;
    return path && block_change(id, path, err);
}

static bool hmp_log(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *items = args_word(args, "a list of items", err);

    if (items && !strcmp(items, "help")) {
        g_autoptr(GString) text = g_string_new(NULL);
        log_print_help(text);
        monitor_puts(mon, text->str);
        return true;
    }
    return items && log_set(items, err);
}

static bool hmp_logfile(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *path = args_word(args, "the name of a file", err);

    (void)mon;
    return path && log_open(path, err);
}

static bool hmp_gdbserver(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *spec =
        args_end(args) ? g_strdup("tcp::1234") : args_word(args, "a back end", err);

    if (!spec || !mon->host->gdbserver(mon->machine, spec, err)) {
        return false;
    }
    if (!strcmp(spec, "none")) {
        monitor_puts(mon, "Disabled gdbserver\n");
    } else {
        monitor_printf(mon, "Waiting for gdb connection on device '%s'\n", spec);
    }
    return true;
}

static bool hmp_ringbuf_read(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *id = args_word(args, "the id of a ring buffer", err);
    uint64_t size;

    if (!id || !args_number(mon, args, &size, err) || !chardev_ringbuf_read(id, size, bytes, err)) {
        return false;
    }
    for (guint i = 0; i < bytes->len; i++) {
        uint8_t c = bytes->data[i];
        if (c == '\\') {
            monitor_puts(mon, "\\\\");
        } else if ((c < 0x20 && c != '\n') || c >= 0x7f) {
            monitor_printf(mon, "\\u%04X", c);
        } else {
            monitor_printf(mon, "%c", c);
        }
    }
    monitor_puts(mon, "\n");
    return true;
}

static bool hmp_ringbuf_write(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *id = args_word(args, "the id of a ring buffer", err);

    (void)mon;
    if (!id) {
        return false;
    }
    const char *data = args_end(args) ? "" : args->p;
    args->p += strlen(data);
    return chardev_ringbuf_write(id, data, strlen(data), err);
}

static bool hmp_set_link(Monitor *mon, HmpArgs *args, GError **err)
{
    g_autofree char *name = args_word(args, "the name of a network card or back end", err);
    g_autofree char *state = name ? args_word(args, "'on' or 'off'", err) : NULL;
    bool up;

    (void)mon;
    if (state && !parse_bool(state, &up)) {
        emu_set_error(err, "'%s' is neither 'on' nor 'off'", state);
        return false;
    }
    return state && net_set_link(name, up, err);
}

static bool hmp_announce_self(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)mon;
    (void)args;
    (void)err;
    net_announce();
    return true;
}

#ifdef CONFIG_SLIRP
/* [NETDEV] RULE */
static bool hostfwd(HmpArgs *args, bool add, GError **err)
{
    g_autofree char *first = args_word(args, "a rule", err);
    g_autofree char *second = first && !args_end(args) ? args_word(args, "a rule", err) : NULL;

    return first && net_hostfwd(second ? first : NULL, second ? second : first, add, err);
}

static bool hmp_hostfwd_add(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)mon;
    return hostfwd(args, true, err);
}

static bool hmp_hostfwd_remove(Monitor *mon, HmpArgs *args, GError **err)
{
    (void)mon;
    return hostfwd(args, false, err);
}
#endif

const HmpCommand hmp_commands[] = {
    {"announce_self", NULL, "", "tell the network where its cards are", hmp_announce_self},
    {"change", NULL, "DRIVE FILE", "put another medium into a removable drive", hmp_change},
    {"cont", "c", "", "let the machine run", hmp_cont},
    {"cpu", NULL, "N", "make CPU N the one that commands speak of", hmp_cpu},
    {"eject", NULL, "[-f] DRIVE", "take the medium out of a removable drive (-f: even if locked)",
     hmp_eject},
    {"gdbserver", NULL, "[BACKEND]", "wait for a debugger (tcp::1234; none ends it)",
     hmp_gdbserver},
    {"gva2gpa", NULL, "ADDR", "physical address of a linear address", hmp_gva2gpa},
    {"help", "?", "[COMMAND]", "list the commands", hmp_help},
#ifdef CONFIG_SLIRP
    {"hostfwd_add", NULL, "[NETDEV] [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT",
     "forward a port of the host into a user-mode network", hmp_hostfwd_add},
    {"hostfwd_remove", NULL, "[NETDEV] [tcp|udp]:[HOSTADDR]:HOSTPORT", "end that",
     hmp_hostfwd_remove},
#endif
    {"i", NULL, "/FMT PORT", "read a port", hmp_port_in},
    {"info", NULL, "[SUBJECT]", "show part of the machine's state", hmp_info},
    {"log", NULL, "ITEM[,...]", "log these items (help lists them, none ends it)", hmp_log},
    {"logfile", NULL, "FILE", "log to FILE", hmp_logfile},
    {"memsave", NULL, "ADDR SIZE FILE", "write memory at a linear address to FILE", hmp_memsave},
    {"nmi", NULL, "", "send a non-maskable interrupt to every CPU", hmp_nmi},
    {"o", NULL, "/FMT PORT VALUE", "write to a port", hmp_port_out},
    {"pmemsave", NULL, "ADDR SIZE FILE", "write memory at a physical address to FILE",
     hmp_pmemsave},
    {"print", "p", "/FMT EXPR", "show the value of an expression ($rax and the like are registers)",
     hmp_print},
    {"quit", "q", "", "end the emulator", hmp_quit},
    {"ringbuf_read", NULL, "ID SIZE", "take bytes out of a ring buffer", hmp_ringbuf_read},
    {"ringbuf_write", NULL, "ID TEXT", "put bytes into a ring buffer", hmp_ringbuf_write},
    {"screendump", NULL, "FILE [-f ppm|png]", "write what the screen shows to FILE",
     hmp_screendump},
    {"sendkey", NULL, "KEYS [MS]", "press keys, as in ctrl-alt-delete, for MS milliseconds (100)",
     hmp_sendkey},
    {"set_link", NULL, "NAME on|off", "plug a network cable in or out", hmp_set_link},
    {"stop", "s", "", "stop the machine", hmp_stop},
    {"system_powerdown", NULL, "", "press the power button", hmp_powerdown},
    {"system_reset", NULL, "", "reset the machine", hmp_reset},
    {"x", NULL, "/FMT ADDR", "show memory at a linear address", hmp_x},
    {"xp", NULL, "/FMT ADDR", "show memory at a physical address", hmp_xp},
    {NULL, NULL, NULL, NULL, NULL},
};
