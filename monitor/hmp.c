/*
 * The monitor's commands: finding them, and taking their arguments apart.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/accel.h"
#include "monitor/expr.h"
#include "monitor/monitor_int.h"
#include "util/keyval.h"

const HmpCommand *hmp_find(const HmpCommand *table, const char *name)
{
    for (const HmpCommand *c = table; c->name; c++) {
        if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name))) {
            return c;
        }
    }
    return NULL;
}

static void skip_blanks(HmpArgs *args)
{
    while (*args->p == ' ' || *args->p == '\t') {
        args->p++;
    }
}

bool args_end(HmpArgs *args)
{
    skip_blanks(args);
    return !*args->p;
}

bool args_flag(HmpArgs *args, char flag)
{
    skip_blanks(args);
    if (args->p[0] == '-' && args->p[1] == flag && (!args->p[2] || args->p[2] == ' ')) {
        args->p += 2;
        return true;
    }
    return false;
}

/* A word in double quotes may hold blanks, \" and \\. */
static char *quoted_word(HmpArgs *args, GError **err)
{
    GString *out = g_string_new(NULL);
    const char *p = args->p + 1;

    for (; *p && *p != '"'; p++) {
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\')) {
            p++;
        }
        g_string_append_c(out, *p);
    }
    if (!*p) {
        emu_set_error(err, "a closing quote is missing");
        g_string_free(out, TRUE);
        return NULL;
    }
    args->p = p + 1;
    return g_string_free(out, FALSE);
}

char *args_word(HmpArgs *args, const char *what, GError **err)
{
    if (args_end(args)) {
        emu_set_error(err, "%s is missing", what);
        return NULL;
    }
    if (*args->p == '"') {
        return quoted_word(args, err);
    }
    size_t n = strcspn(args->p, " \t");
    char *word = g_strndup(args->p, n);
    args->p += n;
    return word;
}

/* ---- expressions over the default CPU's registers ---- */

X86Cpu *monitor_cpu(Monitor *mon)
{
    return (X86Cpu *)mon->machine->cpus[mon->cpu];
}

static void get_state(Cpu *cpu, void *data)
{
    (void)data;
    cpu->machine->accel->cls->get_state(cpu);
}

static bool register_by_name(const X86State *st, const char *name, uint64_t *value)
{
    static const char *const gpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char *const seg[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    const struct {
        const char *name;
        uint64_t value;
    } others[] = {
        /* Where code is: with the segment's base, so that x/i $pc shows it in every mode. */
        {"pc", st->rip + st->seg[SEG_CS].base},
        {"rip", st->rip + st->seg[SEG_CS].base},
        {"eip", st->rip + st->seg[SEG_CS].base},
        {"rflags", st->rflags},
        {"eflags", st->rflags},
        {"cr0", st->cr0},
        {"cr2", st->cr2},
        {"cr3", st->cr3},
        {"cr4", st->cr4},
        {"cr8", st->cr8},
        {"efer", st->efer},
        {"fsbase", st->seg[SEG_FS].base},
        {"gsbase", st->seg[SEG_GS].base},
    };

    for (int i = 0; i < 16; i++) {
        if (!strcmp(name, gpr[i])) {
            *value = st->gpr[i];
            return true;
        }
        if (i < 8 && name[0] == 'e' && !strcmp(name + 1, gpr[i] + 1)) {
            *value = (uint32_t)st->gpr[i];
            return true;
        }
    }
    for (int i = 0; i < SEG_COUNT; i++) {
        if (!strcmp(name, seg[i])) {
            *value = st->seg[i].selector;
            return true;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        if (!strcmp(name, others[i].name)) {
            *value = others[i].value;
            return true;
        }
    }
    return false;
}

static bool cpu_register(void *opaque, const char *name, uint64_t *value)
{
    Monitor *mon = opaque;
    X86Cpu *cpu = monitor_cpu(mon);
    bool ok;

    mon->host->pause(mon->machine);
    mon->host->run_on(&cpu->cpu, get_state, NULL);
    ok = register_by_name(&cpu->st, name, value);
    mon->host->resume(mon->machine);
    return ok;
}

bool args_number(Monitor *mon, HmpArgs *args, uint64_t *value, GError **err)
{
    skip_blanks(args);
    return expr_eval(&args->p, cpu_register, mon, value, err);
}

bool args_number_word(Monitor *mon, HmpArgs *args, const char *what, uint64_t *value, GError **err)
{
    g_autofree char *word = args_word(args, what, err);
    HmpArgs inner = {word};

    if (!word || !args_number(mon, &inner, value, err)) {
        return false;
    }
    if (!args_end(&inner)) {
        emu_set_error(err, "'%s' is no number", word);
        return false;
    }
    return true;
}

/* ---- formats ---- */

static bool format_letter(HmpFormat *f, char c, bool *unit_given)
{
    static const char unit_letters[] = "bhwg";
    const char *unit = strchr(unit_letters, c);

    if (unit) {
        f->unit = 1 << (unit - unit_letters);
        *unit_given = true;
        return true;
    }
    if (strchr("xduoci", c)) {
        f->format = c;
        return true;
    }
    return false;
}

bool args_format(Monitor *mon, HmpArgs *args, bool memory, HmpFormat *f, GError **err)
{
    bool unit_given = false;

    *f = (HmpFormat){.count = 1, .format = mon->format, .unit = mon->unit};
    skip_blanks(args);
    if (*args->p == '/') {
        uint64_t count = 0;
        args->p++;
        for (; g_ascii_isdigit(*args->p) && count < 1000000; args->p++) {
            count = count * 10 + (*args->p - '0');
            f->count = MIN(count, 1000000);
        }
        for (; *args->p && *args->p != ' ' && *args->p != '\t'; args->p++) {
            if (!format_letter(f, *args->p, &unit_given)) {
                emu_set_error(err,
                              "'%c' is no format: a count, one of x d u o c i, and one of b h w g",
                              *args->p);
                return false;
            }
        }
    }
    if (f->format == 'i' && !memory) {
        f->format = 'x';
    }
    if (f->format == 'c' && !unit_given) {
        f->unit = 1;
    } else {
        mon->unit = f->unit;
    }
    mon->format = f->format;
    return true;
}

/* ---- running a line ---- */

static void run_command(Monitor *mon, const HmpCommand *c, HmpArgs *args)
{
    GError *err = NULL;

    if (!c->run(mon, args, &err)) {
        monitor_printf(mon, "Error: %s\n", err->message);
        g_error_free(err);
    } else if (!args_end(args)) {
        monitor_printf(mon, "%s: '%s' was not expected (help %s)\n", c->name, args->p, c->name);
    }
}

void hmp_run(Monitor *mon, const char *line)
{
    HmpArgs args = {line};

    skip_blanks(&args);
    size_t n = 0;
    while (g_ascii_isalnum(args.p[n]) || strchr("_-?", args.p[n])) {
        if (!args.p[n]) {
            break;
        }
        n++;
    }
    if (!n) {
        if (*args.p) {
            monitor_printf(mon, "unknown command: '%s'\n", args.p);
        }
        return;
    }
    g_autofree char *name = g_strndup(args.p, n);
    const HmpCommand *c = hmp_find(hmp_commands, name);
    if (!c) {
        monitor_printf(mon, "unknown command: '%s'\n", name);
        return;
    }
    args.p += n;
    run_command(mon, c, &args);
}
