/*
 * The connection: bytes in and out, stopping and letting run.
 *
 * Once a debugger lets the machine run it is owed one reply, with the reason of the next stop,
 * whatever that is: a breakpoint, a step, its own interrupt (03h), or a stop from elsewhere.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>
#include <string.h>

#include "gdbstub/gdbstub_int.h"
#include "util/keyval.h"

enum { OUT_LIMIT = 256 << 10, INPUT_ROOM = 4096 };

/* GDB's numbers of signals, which are nobody's own (its include/gdb/signals.def). */
enum { GDB_SIGINT = 2, GDB_SIGQUIT = 3, GDB_SIGTRAP = 5, GDB_SIGABRT = 6, GDB_SIGSTOP = 17 };

static GdbStub *stub; /* the one there may be; Machine has no place for it */

/* ---- output ---- */

static void flush(GdbStub *s)
{
    if (s->fe && s->out->len) {
        size_t n = chardev_write(s->fe, s->out->data, s->out->len);
        g_byte_array_remove_range(s->out, 0, (guint)n);
    }
}

static void put(GdbStub *s, const void *data, size_t len)
{
    if (s->connected) {
        g_byte_array_append(s->out, data, (guint)len);
        flush(s);
    }
}

void gdb_reply_len(GdbStub *s, const char *data, size_t len)
{
    g_byte_array_set_size(s->last, 0);
    gdb_append_packet(s->last, data, len);
    put(s, s->last->data, s->last->len);
}

void gdb_reply(GdbStub *s, const char *text)
{
    gdb_reply_len(s, text, strlen(text));
}

/* ---- vCPUs ---- */

static void get_state(Cpu *cpu, void *data)
{
    (void)data;
    cpu->machine->accel->cls->get_state(cpu);
}

static void put_state(Cpu *cpu, void *data)
{
    (void)data;
    cpu->machine->accel->cls->put_state(cpu);
}

X86Cpu *gdb_cpu(GdbStub *s, int n)
{
    Cpu *cpu = s->machine->cpus[n];

    s->host->pause(s->machine);
    s->host->run_on(cpu, get_state, NULL);
    return (X86Cpu *)cpu;
}

void gdb_cpu_done(GdbStub *s, int n, bool changed)
{
    if (changed) {
        s->host->run_on(s->machine->cpus[n], put_state, NULL);
    }
    s->host->resume(s->machine);
}

bool gdb_set_points(GdbStub *s, GError **err)
{
    Accel *a = s->machine->accel;
    X86Cpu *cpu = gdb_cpu(s, s->cpu);
    bool ok = a->cls->set_debug_points(a, &cpu->cpu, (const DebugPoint *)(void *)s->points->data,
                                       s->points->len, err);

    gdb_cpu_done(s, s->cpu, false);
    return ok;
}

static void end_steps(GdbStub *s)
{
    Machine *m = s->machine;

    s->host->pause(m);
    for (int i = 0; i < m->cpu_count; i++) {
        m->cpus[i]->held = false;
        m->accel->cls->set_single_step(m->cpus[i], false);
    }
    s->host->resume(m);
}

void gdb_clear(GdbStub *s)
{
    if (s->points->len) {
        g_array_set_size(s->points, 0);
        gdb_set_points(s, NULL); /* none is never too many */
    }
    end_steps(s);
    s->waiting = false;
}

/* ---- stopping and running ---- */

static const char *reason_text(DebugKind kind)
{
    switch (kind) {
    case DEBUG_SOFTWARE:
        return "swbreak:;";
    case DEBUG_HARDWARE:
        return "hwbreak:;";
    case DEBUG_WATCH_WRITE:
        return "watch:";
    case DEBUG_WATCH_READ:
        return "rwatch:";
    case DEBUG_WATCH_ACCESS:
        return "awatch:";
    default:
        return "";
    }
}

static int signal_of(RunState state)
{
    switch (state) {
    case RUN_STATE_DEBUG:
        return GDB_SIGTRAP;
    case RUN_STATE_IO_ERROR:
        return GDB_SIGSTOP;
    case RUN_STATE_SHUTDOWN:
        return GDB_SIGQUIT;
    case RUN_STATE_INTERNAL_ERROR:
        return GDB_SIGABRT;
    default:
        return GDB_SIGINT;
    }
}

void gdb_reply_stop(GdbStub *s)
{
    RunState state = (RunState)atomic_load(&s->machine->run_state);
    const Cpu *cpu = s->machine->cpus[s->stopped];
    g_autoptr(GString) text = g_string_new(NULL);
    DebugKind kind = state == RUN_STATE_DEBUG ? cpu->debug_stop : DEBUG_NONE;

    g_string_printf(text, "T%02xthread:%x;", signal_of(state), s->stopped + 1);
    if (kind >= DEBUG_WATCH_WRITE) {
        g_string_append_printf(text, "%s%" PRIx64 ";", reason_text(kind), cpu->debug_addr);
    } else if (s->swbreak) {
        g_string_append(text, reason_text(kind));
    }
    gdb_reply(s, text->str);
}

static void run_state_changed(void *opaque)
{
    GdbStub *s = stub;
    Machine *m = opaque;

    if (!s || !s->waiting || machine_running(m)) {
        return;
    }
    s->waiting = false;
    end_steps(s);
    s->stopped = s->c_cpu >= 0 ? s->c_cpu : s->cpu;
    for (int i = m->cpu_count - 1; i >= 0; i--) {
        if (m->cpus[i]->debug_stop) {
            s->stopped = i;
        }
    }
    s->cpu = s->c_cpu = s->stopped;
    gdb_reply_stop(s);
}

void gdb_resume(GdbStub *s)
{
    Machine *m = s->machine;
    g_autoptr(GError) err = NULL;

    s->host->pause(m);
    for (int i = 0; i < m->cpu_count; i++) {
        m->cpus[i]->held = s->actions[i] == GDB_HOLD;
        m->accel->cls->set_single_step(m->cpus[i], s->actions[i] == GDB_STEP);
    }
    s->host->resume(m);
    s->waiting = true;
    if (!s->host->start(m, &err)) {
        s->waiting = false;
        end_steps(s);
        gdb_reply_stop(s);
    }
}

/* ---- input ---- */

static void interrupt(GdbStub *s)
{
    if (machine_running(s->machine)) {
        s->host->stop(s->machine, RUN_STATE_PAUSED);
    }
}

static void take(GdbStub *s, uint8_t byte)
{
    switch (gdb_reader_byte(&s->reader, byte)) {
    case GDB_INPUT_PACKET:
        if (!s->no_ack) {
            put(s, "+", 1);
        }
        s->busy = true;
        gdb_command(s, (const char *)s->reader.packet->data, s->reader.packet->len);
        s->busy = false;
        break;
    case GDB_INPUT_BAD:
        put(s, "-", 1);
        break;
    case GDB_INPUT_INTERRUPT:
        interrupt(s);
        break;
    case GDB_INPUT_NACK:
        if (!s->no_ack) {
            put(s, s->last->data, s->last->len);
        }
        break;
    case GDB_INPUT_ACK:
    case GDB_INPUT_NONE:
        break;
    }
}

static size_t can_receive(void *opaque)
{
    const GdbStub *s = opaque;

    return s->out->len < OUT_LIMIT ? INPUT_ROOM : 0;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    GdbStub *s = opaque;

    for (size_t i = 0; i < len && s->connected; i++) {
        take(s, buf[i]);
    }
}

static void connected(GdbStub *s)
{
    s->connected = true;
    s->no_ack = s->swbreak = s->waiting = false;
    s->cpu = s->c_cpu = s->stopped = 0;
    gdb_reader_reset(&s->reader);
    g_byte_array_set_size(s->out, 0);
    g_byte_array_set_size(s->last, 0);
    s->host->stop(s->machine, RUN_STATE_PAUSED);
}

static void event(void *opaque, CharEvent event)
{
    GdbStub *s = opaque;

    if (event == CHAR_EVENT_OPENED) {
        connected(s);
    } else if (event == CHAR_EVENT_CLOSED && s->connected) {
        s->connected = false;
        g_byte_array_set_size(s->out, 0);
        gdb_clear(s);
    } else if (event == CHAR_EVENT_BREAK) {
        interrupt(s);
    }
}

static void writable(void *opaque)
{
    GdbStub *s = opaque;

    flush(s);
    chardev_accept_input(s->fe);
}

static const CharHandlers handlers = {
    .can_receive = can_receive,
    .receive = receive,
    .event = event,
    .writable = writable,
};

/* ---- opening and closing ---- */

static void stub_free(GdbStub *s)
{
    chardev_detach(s->fe);
    if (s->chr && s->chr_ours) {
        chardev_remove(s->chr);
    }
    gdb_reader_free(&s->reader);
    g_byte_array_unref(s->out);
    g_byte_array_unref(s->last);
    g_array_unref(s->points);
    g_free(s->actions);
    g_free(s);
}

/* Sockets listen, and let the machine start meanwhile. */
static char *complete_spec(const char *spec)
{
    GString *s = g_string_new(spec);

    if (g_str_has_prefix(spec, "tcp:") || g_str_has_prefix(spec, "unix:")) {
        bool server = !strstr(spec, ",server=off");
        if (!strstr(spec, ",server")) {
            g_string_append(s, ",server=on");
        }
        if (server && !strstr(spec, ",wait") && !strstr(spec, ",nowait")) {
            g_string_append(s, ",wait=off");
        }
        if (spec[0] == 't' && !strstr(spec, ",nodelay")) {
            g_string_append(s, ",nodelay=on");
        }
    }
    return g_string_free(s, FALSE);
}

static void close_connection(void)
{
    if (stub) {
        GdbStub *s = stub;
        stub = NULL;
        if (s->connected) {
            gdb_clear(s);
        }
        stub_free(s);
    }
}

static bool can_debug(Machine *m, GError **err)
{
    Accel *a = m->accel;

    if (!a->cls->set_debug_points || !a->cls->has_cap(a, ACCEL_CAP_DEBUG)) {
        emu_set_error(err, "accelerator %s cannot debug a guest here (-accel tcg can)",
                      a->cls->name);
        return false;
    }
    return true;
}

bool gdbstub_open(Machine *m, const MonitorHost *host, const char *spec, GError **err)
{
    static Machine *watched;
    g_autofree char *full = complete_spec(spec);

    if (stub && stub->busy) {
        emu_set_error(err, "a debugger cannot close its own connection this way");
        return false;
    }
    if (!strcmp(spec, "none")) {
        close_connection();
        return true;
    }
    if (!can_debug(m, err)) {
        return false;
    }
    close_connection();
    Chardev *chr = chardev_from_legacy("gdb", full, err);
    if (!chr) {
        return false;
    }
    if (watched != m) {
        machine_on_run_state(m, run_state_changed, m);
        watched = m;
    }
    GdbStub *s = g_new0(GdbStub, 1);
    s->machine = m;
    s->host = host;
    s->chr = chr;
    s->chr_ours = !g_str_has_prefix(spec, "chardev:");
    s->out = g_byte_array_new();
    s->last = g_byte_array_new();
    s->points = g_array_new(FALSE, TRUE, sizeof(DebugPoint));
    s->actions = g_new0(GdbAction, (gsize)m->cpu_count);
    gdb_reader_init(&s->reader);
    stub = s;
    s->fe = chardev_attach(chr, &handlers, s, err);
    if (!s->fe) {
        close_connection();
        return false;
    }
    return true;
}

bool gdbstub_connected(void)
{
    return stub && stub->connected;
}

void gdbstub_close(int status)
{
    if (!stub) {
        return;
    }
    if (stub->connected) {
        char text[8];
        g_snprintf(text, sizeof(text), "W%02x", status & 0xff);
        gdb_reply(stub, text);
    }
    stub_free(stub);
    stub = NULL;
}
