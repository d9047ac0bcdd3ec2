/*
 * What the files of the monitor share.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MONITOR_MONITOR_INT_H
#define MONITOR_MONITOR_INT_H

#include "monitor/monitor.h"
#include "monitor/readline.h"
#include "target-x86/cpu.h"

typedef struct Monitor {
    Machine *machine;
    const MonitorHost *host;
    CharFrontend *fe;
    ReadLine *rl;
    GByteArray *out; /* not taken by the back end yet */
    bool greeted;
    bool hidden; /* not started, or out of a multiplexer's focus: output and input wait */
    bool muxed;
    bool quit;   /* no more prompts */
    int cpu;     /* the default CPU of commands */
    char format; /* of x, xp, print and i: the last one given */
    int unit;    /* bytes */
} Monitor;

void monitor_puts(Monitor *mon, const char *text);
void monitor_printf(Monitor *mon, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- commands ---- */

/* The arguments of a command, taken from the left. */
typedef struct HmpArgs {
    const char *p;
} HmpArgs;

typedef struct HmpCommand {
    const char *name, *alias; /* ALIAS may be NULL */
    const char *args;         /* for help */
    const char *help;
    /* False with ERR: what is wrong. Need not check for words left over. */
    bool (*run)(Monitor *mon, HmpArgs *args, GError **err);
} HmpCommand;

extern const HmpCommand hmp_commands[], hmp_info_commands[]; /* end with a NULL name */

/* Runs one line. */
void hmp_run(Monitor *mon, const char *line);
const HmpCommand *hmp_find(const HmpCommand *table, const char *name);

bool args_end(HmpArgs *args);
/* "-X" as the next word. */
bool args_flag(HmpArgs *args, char flag);
/* The next word, quotes removed; NULL with ERR when there is none. Caller frees. */
char *args_word(HmpArgs *args, const char *what, GError **err);
/* An expression (monitor/expr.h). */
bool args_number(Monitor *mon, HmpArgs *args, uint64_t *value, GError **err);
/* The same where more arguments follow: one word, or in quotes. */
bool args_number_word(Monitor *mon, HmpArgs *args, const char *what, uint64_t *value, GError **err);
/* "/8xw" as the next word, if there is one; else what was given last. */
typedef struct HmpFormat {
    int count;
    char format;
    int unit;
} HmpFormat;
bool args_format(Monitor *mon, HmpArgs *args, bool memory, HmpFormat *f, GError **err);

/* The default CPU with its state up to date; to be called while all are paused. */
X86Cpu *monitor_cpu(Monitor *mon);

/* hmp_memory.c, hmp_info.c, hmp_keys.c */
bool hmp_x(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_xp(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_print(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_port_in(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_port_out(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_gva2gpa(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_memsave(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_pmemsave(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_info(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_help(Monitor *mon, HmpArgs *args, GError **err);
bool hmp_sendkey(Monitor *mon, HmpArgs *args, GError **err);
void hmp_keys_cancel(void);

#endif
