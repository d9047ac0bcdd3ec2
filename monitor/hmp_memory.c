/*
 * The monitor's looks at memory and ports: x, xp, print, i, o, gva2gpa, memsave, pmemsave.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/accel.h"
#include "monitor/disas.h"
#include "target-x86/linear.h"
#include "monitor/monitor_int.h"
#include "util/keyval.h"

enum { LINE_BYTES = 16, LINE_BYTES_SMALL = 8, INSN_MAX = 15 };

/* ---- reading guest memory ---- */

static void get_state(Cpu *cpu, void *data)
{
    (void)data;
    cpu->machine->accel->cls->get_state(cpu);
}

static bool translate(Monitor *mon, uint64_t linear, uint64_t *phys)
{
    X86Cpu *cpu = monitor_cpu(mon);
    bool ok;

    mon->host->pause(mon->machine);
    mon->host->run_on(&cpu->cpu, get_state, NULL);
    ok = linear_to_physical(&mon->machine->memory, &cpu->st, linear, phys);
    mon->host->resume(mon->machine);
    return ok;
}

/* Reads up to LEN bytes at ADDR, linear or physical; how many could be read. */
static size_t read_memory(Monitor *mon, bool linear, uint64_t addr, uint8_t *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        uint64_t phys = addr + done;
        size_t part = MIN(len - done, GUEST_PAGE_SIZE - (phys & (GUEST_PAGE_SIZE - 1)));
        if (linear && !translate(mon, addr + done, &phys)) {
            break;
        }
        address_space_read(&mon->machine->memory, phys, buf + done, part);
        done += part;
    }
    return done;
}

/* ---- output ---- */

static uint64_t load_unit(const uint8_t *p, int unit)
{
    uint64_t v = 0;

    for (int i = unit - 1; i >= 0; i--) {
        v = v << 8 | p[i];
    }
    return v;
}

static void print_char(Monitor *mon, uint8_t c)
{
    static const char escapes[] = "n\nr\rt\t\\\\''";

    for (const char *e = escapes; *e; e += 2) {
        if ((uint8_t)e[1] == c) {
            monitor_printf(mon, "'\\%c'", e[0]);
            return;
        }
    }
    if (c >= 0x20 && c < 0x7f) {
        monitor_printf(mon, "'%c'", c);
    } else {
        monitor_printf(mon, "'\\x%02x'", c);
    }
}

/* One value of UNIT bytes, right-aligned in the width that the widest one needs. */
static void print_value(Monitor *mon, char format, int unit, uint64_t v)
{
    int bits = unit * 8;

    switch (format) {
    case 'o':
        monitor_printf(mon, "0%0*" PRIo64, (bits + 2) / 3, v);
        break;
    case 'u':
        monitor_printf(mon, "%*" PRIu64, (bits * 10 + 32) / 33, v);
        break;
    case 'd':
        monitor_printf(mon, "%*" PRId64, (bits * 10 + 32) / 33,
                       (int64_t)(v << (64 - bits)) >> (64 - bits));
        break;
    case 'c':
        print_char(mon, v);
        break;
    default:
        monitor_printf(mon, "0x%0*" PRIx64, bits / 4, v);
        break;
    }
}

static void dump_values(Monitor *mon, const HmpFormat *f, bool linear, uint64_t addr)
{
    size_t left = (size_t)f->count * f->unit;
    size_t line = f->unit == 1 ? LINE_BYTES_SMALL : LINE_BYTES;

    while (left) {
        uint8_t buf[LINE_BYTES];
        size_t len = MIN(left, line);
        monitor_printf(mon, "%016" PRIx64 ":", addr);
        if (read_memory(mon, linear, addr, buf, len) < len) {
            monitor_puts(mon, " Cannot access memory\n");
            return;
        }
        for (size_t i = 0; i < len; i += f->unit) {
            monitor_puts(mon, " ");
            print_value(mon, f->format, f->unit, load_unit(buf + i, f->unit));
        }
        monitor_puts(mon, "\n");
        addr += len;
        left -= len;
    }
}

static int code_bits(Monitor *mon)
{
    const X86State *st = &monitor_cpu(mon)->st;

    return x86_is_code64(st) ? 64 : st->seg[SEG_CS].attr & SEG_ATTR_DB ? 32 : 16;
}

static bool dump_code(Monitor *mon, const HmpFormat *f, bool linear, uint64_t addr, GError **err)
{
    uint64_t unused;

    translate(mon, addr, &unused); /* brings the CPU's mode up to date */
    Disas *d = disas_new(code_bits(mon), err);
    if (!d) {
        return false;
    }
    for (int i = 0; i < f->count; i++) {
        uint8_t buf[INSN_MAX];
        size_t have = read_memory(mon, linear, addr, buf, sizeof(buf));
        g_autofree char *text = NULL;
        size_t len = have ? disas_one(d, addr, buf, have, &text) : 0;
        if (!have) {
            monitor_printf(mon, "0x%08" PRIx64 ": unable to read memory\n", addr);
            break;
        }
        monitor_printf(mon, "0x%08" PRIx64 ":  %s\n", addr, text);
        addr += len;
    }
    disas_free(d);
    return true;
}

static bool dump(Monitor *mon, HmpArgs *args, bool linear, GError **err)
{
    HmpFormat f;
    uint64_t addr;

    if (!args_format(mon, args, true, &f, err) || !args_number(mon, args, &addr, err)) {
        return false;
    }
    if (f.format == 'i') {
        return dump_code(mon, &f, linear, addr, err);
    }
    dump_values(mon, &f, linear, addr);
    return true;
}

bool hmp_x(Monitor *mon, HmpArgs *args, GError **err)
{
    return dump(mon, args, true, err);
}

bool hmp_xp(Monitor *mon, HmpArgs *args, GError **err)
{
    return dump(mon, args, false, err);
}

bool hmp_print(Monitor *mon, HmpArgs *args, GError **err)
{
    HmpFormat f;
    uint64_t v;

    if (!args_format(mon, args, false, &f, err) || !args_number(mon, args, &v, err)) {
        return false;
    }
    switch (f.format) {
    case 'o':
        monitor_printf(mon, "%#" PRIo64 "\n", v);
        break;
    case 'u':
        monitor_printf(mon, "%" PRIu64 "\n", v);
        break;
    case 'd':
        monitor_printf(mon, "%" PRId64 "\n", v);
        break;
    case 'c':
        print_char(mon, v);
        monitor_puts(mon, "\n");
        break;
    default:
        monitor_printf(mon, "%#" PRIx64 "\n", v);
        break;
    }
    return true;
}

bool hmp_gva2gpa(Monitor *mon, HmpArgs *args, GError **err)
{
    uint64_t addr, phys;

    if (!args_number(mon, args, &addr, err)) {
        return false;
    }
    if (translate(mon, addr, &phys)) {
        monitor_printf(mon, "gpa: %#" PRIx64 "\n", phys);
    } else {
        monitor_puts(mon, "Unmapped\n");
    }
    return true;
}

/* ---- ports ---- */

static int port_unit(const HmpFormat *f)
{
    return MIN(f->unit, 4);
}

bool hmp_port_in(Monitor *mon, HmpArgs *args, GError **err)
{
    HmpFormat f;
    uint64_t port;

    if (!args_format(mon, args, false, &f, err) || !args_number(mon, args, &port, err)) {
        return false;
    }
    int unit = port_unit(&f);
    uint64_t v = address_space_load(&mon->machine->io, port & 0xffff, unit);
    monitor_printf(mon, "port%c[0x%04x] = 0x%0*" PRIx64 "\n",
                   unit == 1   ? 'b'
                   : unit == 2 ? 'w'
                               : 'l',
                   (unsigned)(port & 0xffff), unit * 2, v);
    return true;
}

bool hmp_port_out(Monitor *mon, HmpArgs *args, GError **err)
{
    HmpFormat f;
    uint64_t port, v;

    if (!args_format(mon, args, false, &f, err) ||
        !args_number_word(mon, args, "the port", &port, err) || !args_number(mon, args, &v, err)) {
        return false;
    }
    address_space_store(&mon->machine->io, port & 0xffff, v, port_unit(&f));
    return true;
}

/* ---- memory to files ---- */

static bool save(Monitor *mon, HmpArgs *args, bool linear, GError **err)
{
    uint8_t buf[GUEST_PAGE_SIZE];
    uint64_t addr, size;

    if (!args_number_word(mon, args, "the address", &addr, err) ||
        !args_number_word(mon, args, "the size", &size, err)) {
        return false;
    }
    g_autofree char *path = args_word(args, "the name of a file", err);
    FILE *f = path ? fopen(path, "wbe") : NULL;
    if (path && !f) {
        emu_set_error(err, "%s: %s", path, g_strerror(errno));
    }
    if (!f) {
        return false;
    }
    while (size) {
        size_t part = MIN(size, sizeof(buf));
        if (read_memory(mon, linear, addr, buf, part) < part) {
            emu_set_error(err, "there is no memory at %#" PRIx64, addr);
            break;
        }
        if (fwrite(buf, 1, part, f) < part) {
            emu_set_error(err, "%s: %s", path, g_strerror(errno));
            break;
        }
        addr += part;
        size -= part;
    }
    fclose(f);
    return size == 0;
}

bool hmp_memsave(Monitor *mon, HmpArgs *args, GError **err)
{
    return save(mon, args, true, err);
}

bool hmp_pmemsave(Monitor *mon, HmpArgs *args, GError **err)
{
    return save(mon, args, false, err);
}
