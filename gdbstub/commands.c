/*
 * What a debugger may ask for, packet by packet (GDB manual, E.2 to E.5). A packet that is not
 * known is answered by an empty one, as the protocol says; one that is malformed by E16h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>
#include <string.h>

#include "gdbstub/gdbstub_int.h"
#include "gdbstub/registers.h"
#include "target-x86/linear.h"

enum { POINTS_MAX = 1024, WATCH_MAX = 65536 };

#define BAD_PACKET   "E16"
#define BAD_ADDRESS  "E0e"
#define NO_ROOM      "E1c"
#define NO_THREAD    "E03"
#define NOT_POSSIBLE "E01"

typedef void (*Handler)(GdbStub *s, GdbScan *p);

/* ---- threads ---- */

/* Index of the vCPU; -1 for all; ANY for 0. False: there is no such thread. */
static bool thread_index(const GdbStub *s, int64_t thread, int any, int *out)
{
    *out = thread == -1 ? -1 : thread == 0 ? any : (int)thread - 1;
    return thread <= s->machine->cpu_count;
}

static void cmd_select(GdbStub *s, GdbScan *p)
{
    bool run = gdb_scan_char(p, 'c');
    int64_t thread;
    int n;

    if ((!run && !gdb_scan_char(p, 'g')) || !gdb_scan_thread(p, &thread) || !gdb_scan_end(p)) {
        gdb_reply(s, BAD_PACKET);
    } else if (!thread_index(s, thread, s->cpu, &n)) {
        gdb_reply(s, NO_THREAD);
    } else {
        if (run) {
            s->c_cpu = n;
        } else {
            s->cpu = n < 0 ? s->cpu : n;
        }
        gdb_reply(s, "OK");
    }
}

static void cmd_alive(GdbStub *s, GdbScan *p)
{
    int64_t thread;
    bool ok = gdb_scan_thread(p, &thread) && gdb_scan_end(p);

    gdb_reply(s, !ok                                              ? BAD_PACKET
                 : thread >= 1 && thread <= s->machine->cpu_count ? "OK"
                                                                  : NO_THREAD);
}

static void query_threads(GdbStub *s, GdbScan *p)
{
    g_autoptr(GString) text = g_string_new("m");

    (void)p;
    for (int i = 0; i < s->machine->cpu_count; i++) {
        g_string_append_printf(text, "%s%x", i ? "," : "", i + 1);
    }
    gdb_reply(s, text->str);
}

static void query_no_more_threads(GdbStub *s, GdbScan *p)
{
    (void)p;
    gdb_reply(s, "l");
}

static void query_thread_extra(GdbStub *s, GdbScan *p)
{
    g_autoptr(GString) text = g_string_new(NULL);
    int64_t thread;
    char name[48];

    if (!gdb_scan_thread(p, &thread) || thread < 1 || thread > s->machine->cpu_count) {
        gdb_reply(s, NO_THREAD);
        return;
    }
    int n = g_snprintf(name, sizeof(name), "CPU#%d [%s]", (int)thread - 1,
                       atomic_load(&s->machine->cpus[thread - 1]->halted) ? "halted" : "running");
    gdb_append_hex(text, name, (size_t)n);
    gdb_reply(s, text->str);
}

static void query_current(GdbStub *s, GdbScan *p)
{
    g_autofree char *text = g_strdup_printf("QC%x", s->cpu + 1);

    (void)p;
    gdb_reply(s, text);
}

/* ---- registers ---- */

static void append_register(GString *text, const X86Cpu *cpu, unsigned n)
{
    uint8_t buf[GDB_REGISTER_MAX];

    gdb_register_read(cpu, n, buf);
    gdb_append_hex(text, buf, gdb_register_size(n));
}

static void cmd_read_registers(GdbStub *s, GdbScan *p)
{
    g_autoptr(GString) text = g_string_new(NULL);
    X86Cpu *cpu = gdb_cpu(s, s->cpu);

    (void)p;
    for (unsigned n = 0; n < gdb_register_count(); n++) {
        append_register(text, cpu, n);
    }
    gdb_cpu_done(s, s->cpu, false);
    gdb_reply(s, text->str);
}

static void cmd_read_register(GdbStub *s, GdbScan *p)
{
    g_autoptr(GString) text = g_string_new(NULL);
    uint64_t n;

    if (!gdb_scan_hex(p, &n) || !gdb_scan_end(p) || n >= gdb_register_count()) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    append_register(text, gdb_cpu(s, s->cpu), (unsigned)n);
    gdb_cpu_done(s, s->cpu, false);
    gdb_reply(s, text->str);
}

static void cmd_write_register(GdbStub *s, GdbScan *p)
{
    uint8_t buf[GDB_REGISTER_MAX];
    uint64_t n;

    if (!gdb_scan_hex(p, &n) || !gdb_scan_char(p, '=') || n >= gdb_register_count() ||
        !gdb_scan_bytes(p, buf, gdb_register_size((unsigned)n)) || !gdb_scan_end(p)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    bool ok = gdb_register_write(gdb_cpu(s, s->cpu), (unsigned)n, buf);
    gdb_cpu_done(s, s->cpu, ok);
    gdb_reply(s, ok ? "OK" : NOT_POSSIBLE);
}

/* As many as are given. A value that cannot be leaves its register alone, but the reply says so. */
static void cmd_write_registers(GdbStub *s, GdbScan *p)
{
    uint8_t buf[GDB_REGISTER_MAX];
    X86Cpu *cpu = gdb_cpu(s, s->cpu);
    bool ok = true, good = true;

    for (unsigned n = 0; n < gdb_register_count() && good && !gdb_scan_end(p); n++) {
        good = gdb_scan_bytes(p, buf, gdb_register_size(n));
        ok &= good && gdb_register_write(cpu, n, buf);
    }
    good &= gdb_scan_end(p);
    gdb_cpu_done(s, s->cpu, true);
    gdb_reply(s, !good ? BAD_PACKET : ok ? "OK" : NOT_POSSIBLE);
}

/* ---- memory ---- */

/* How many of LEN bytes at the linear address could be read or written. */
static size_t access_memory(GdbStub *s, uint64_t addr, uint8_t *buf, size_t len, bool write)
{
    AddressSpace *as = &s->machine->memory;
    X86Cpu *cpu = gdb_cpu(s, s->cpu);
    size_t done = 0;

    if (cpu->st.smm && s->machine->smm_memory.root) {
        as = &s->machine->smm_memory;
    }
    while (done < len) {
        uint64_t at = addr + done, phys;
        size_t part = MIN(len - done, GUEST_PAGE_SIZE - (at & (GUEST_PAGE_SIZE - 1)));
        if (!linear_to_physical(as, &cpu->st, at, &phys)) {
            break;
        }
        if (write) {
            address_space_write(as, phys, buf + done, part);
        } else {
            address_space_read(as, phys, buf + done, part);
        }
        done += part;
    }
    gdb_cpu_done(s, s->cpu, false);
    return done;
}

static void cmd_read_memory(GdbStub *s, GdbScan *p)
{
    uint8_t buf[GDB_PACKET_MAX / 2];
    uint64_t addr, len;

    if (!gdb_scan_hex(p, &addr) || !gdb_scan_char(p, ',') || !gdb_scan_hex(p, &len) ||
        !gdb_scan_end(p)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    size_t done = access_memory(s, addr, buf, MIN(len, sizeof(buf)), false);
    if (len && !done) {
        gdb_reply(s, BAD_ADDRESS);
        return;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    gdb_append_hex(text, buf, done);
    gdb_reply(s, text->str);
}

static bool scan_write(GdbScan *p, uint64_t *addr, uint64_t *len)
{
    return gdb_scan_hex(p, addr) && gdb_scan_char(p, ',') && gdb_scan_hex(p, len) &&
           gdb_scan_char(p, ':') && *len <= GDB_PACKET_MAX;
}

static void cmd_write_memory(GdbStub *s, GdbScan *p)
{
    uint8_t buf[GDB_PACKET_MAX];
    uint64_t addr, len;

    if (!scan_write(p, &addr, &len) || !gdb_scan_bytes(p, buf, len) || !gdb_scan_end(p)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    gdb_reply(s, access_memory(s, addr, buf, len, true) == len ? "OK" : BAD_ADDRESS);
}

/* X: the bytes follow as they are, so the packet's own length counts. */
static void write_binary(GdbStub *s, const char *packet, size_t size)
{
    GdbScan p = {packet + 1};
    uint64_t addr, len;

    if (!scan_write(&p, &addr, &len) || len != size - (size_t)(p.p - packet)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    g_autofree uint8_t *buf = g_memdup2(p.p, len);
    gdb_reply(s, access_memory(s, addr, buf, len, true) == len ? "OK" : BAD_ADDRESS);
}

/* ---- breakpoints ---- */

static bool scan_point(GdbScan *p, DebugPoint *point)
{
    static const DebugKind kinds[] = {DEBUG_SOFTWARE, DEBUG_HARDWARE, DEBUG_WATCH_WRITE,
                                      DEBUG_WATCH_READ, DEBUG_WATCH_ACCESS};
    uint64_t type;

    if (!gdb_scan_hex(p, &type) || type >= G_N_ELEMENTS(kinds) || !gdb_scan_char(p, ',') ||
        !gdb_scan_hex(p, &point->addr) || !gdb_scan_char(p, ',') || !gdb_scan_hex(p, &point->len) ||
        !gdb_scan_end(p)) {
        return false;
    }
    point->kind = kinds[type];
    if (type < 2) {
        point->len = 1; /* the "kind" of a breakpoint, which x86 does not have */
    }
    return point->len >= 1 && point->len <= WATCH_MAX;
}

static int find_point(const GdbStub *s, const DebugPoint *p)
{
    for (guint i = 0; i < s->points->len; i++) {
        const DebugPoint *q = &g_array_index(s->points, DebugPoint, i);
        if (q->kind == p->kind && q->addr == p->addr && q->len == p->len) {
            return (int)i;
        }
    }
    return -1;
}

static void cmd_insert(GdbStub *s, GdbScan *p)
{
    DebugPoint point = {0};

    if (!scan_point(p, &point)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    if (find_point(s, &point) < 0) {
        if (s->points->len == POINTS_MAX) {
            gdb_reply(s, NO_ROOM);
            return;
        }
        g_array_append_val(s->points, point);
        if (!gdb_set_points(s, NULL)) {
            g_array_set_size(s->points, s->points->len - 1);
            gdb_reply(s, NO_ROOM);
            return;
        }
    }
    gdb_reply(s, "OK");
}

static void cmd_remove(GdbStub *s, GdbScan *p)
{
    DebugPoint point = {0};

    if (!scan_point(p, &point)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    int n = find_point(s, &point);
    if (n >= 0) {
        g_array_remove_index(s->points, (guint)n);
        gdb_set_points(s, NULL); /* fewer than there were */
    }
    gdb_reply(s, "OK");
}

/* ---- running ---- */

static void cmd_why(GdbStub *s, GdbScan *p)
{
    (void)p;
    gdb_reply_stop(s);
}

/* c and s, with the address to go on at; C and S, whose signal nobody would take. */
static void go_on(GdbStub *s, GdbScan *p, bool step, bool signal)
{
    uint64_t v = 0;
    bool good = true, jump = false;

    if (signal) {
        good = gdb_scan_hex(p, &v) && (gdb_scan_end(p) || gdb_scan_char(p, ';'));
    }
    if (good && !gdb_scan_end(p)) {
        jump = good = gdb_scan_hex(p, &v) && gdb_scan_end(p);
    }
    if (!good) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    int one = s->c_cpu >= 0 ? s->c_cpu : s->cpu;
    if (jump) {
        gdb_cpu(s, one)->st.rip = v;
        gdb_cpu_done(s, one, true);
    }
    for (int i = 0; i < s->machine->cpu_count; i++) {
        s->actions[i] = !step ? GDB_RUN : i == one ? GDB_STEP : GDB_HOLD;
    }
    gdb_resume(s);
}

static void cmd_continue(GdbStub *s, GdbScan *p)
{
    go_on(s, p, false, false);
}

static void cmd_continue_signal(GdbStub *s, GdbScan *p)
{
    go_on(s, p, false, true);
}

static void cmd_step(GdbStub *s, GdbScan *p)
{
    go_on(s, p, true, false);
}

static void cmd_step_signal(GdbStub *s, GdbScan *p)
{
    go_on(s, p, true, true);
}

static void cmd_vcont_query(GdbStub *s, GdbScan *p)
{
    (void)p;
    gdb_reply(s, "vCont;c;C;s;S");
}

/* One ";ACTION[:THREAD]". Of several for a thread the first counts. */
static bool take_action(GdbStub *s, GdbScan *p, bool *given)
{
    GdbAction action;
    int64_t thread = -1;
    uint64_t signal;
    int n;

    if (!gdb_scan_char(p, ';')) {
        return false;
    }
    bool step = *p->p == 's' || *p->p == 'S';
    if (gdb_scan_char(p, 'C') || gdb_scan_char(p, 'S')) {
        if (!gdb_scan_hex(p, &signal)) {
            return false;
        }
    } else if (!gdb_scan_char(p, 'c') && !gdb_scan_char(p, 's')) {
        return false;
    }
    action = step ? GDB_STEP : GDB_RUN;
    if ((gdb_scan_char(p, ':') && !gdb_scan_thread(p, &thread)) ||
        !thread_index(s, thread, s->cpu, &n)) {
        return false;
    }
    for (int i = 0; i < s->machine->cpu_count; i++) {
        if (!given[i] && (n < 0 || n == i)) {
            given[i] = true;
            s->actions[i] = action;
        }
    }
    return true;
}

static void cmd_vcont(GdbStub *s, GdbScan *p)
{
    g_autofree bool *given = g_new0(bool, (gsize)s->machine->cpu_count);
    bool any = false;

    for (int i = 0; i < s->machine->cpu_count; i++) {
        s->actions[i] = GDB_HOLD;
    }
    do {
        if (!take_action(s, p, given)) {
            gdb_reply(s, BAD_PACKET);
            return;
        }
    } while (!gdb_scan_end(p));
    for (int i = 0; i < s->machine->cpu_count; i++) {
        any |= given[i];
    }
    if (!any) {
        gdb_reply(s, NO_THREAD);
        return;
    }
    gdb_resume(s);
}

static void cmd_detach(GdbStub *s, GdbScan *p)
{
    (void)p;
    gdb_clear(s);
    gdb_reply(s, "OK");
    s->host->start(s->machine, NULL); /* one that only a reset helps stays as it is */
}

static void cmd_kill(GdbStub *s, GdbScan *p)
{
    (void)p;
    gdb_clear(s);
    machine_request_shutdown(s->machine, SHUTDOWN_HOST_QMP_QUIT, 0);
}

static void cmd_vkill(GdbStub *s, GdbScan *p)
{
    gdb_reply(s, "OK");
    cmd_kill(s, p);
}

/* ---- the rest ---- */

static void query_supported(GdbStub *s, GdbScan *p)
{
    g_autofree char *text =
        g_strdup_printf("PacketSize=%x;qXfer:features:read+;vContSupported+;QStartNoAckMode+;"
                        "swbreak+;hwbreak+",
                        GDB_PACKET_MAX);

    s->swbreak = strstr(p->p, "swbreak+") && strstr(p->p, "hwbreak+");
    gdb_reply(s, text);
}

/* ANNEX:OFFSET,LENGTH */
static void query_features(GdbStub *s, GdbScan *p)
{
    const char *colon = strchr(p->p, ':');
    g_autofree char *name = colon ? g_strndup(p->p, (gsize)(colon - p->p)) : NULL;
    uint64_t offset, len;

    p->p = colon ? colon + 1 : p->p;
    if (!name || !gdb_scan_hex(p, &offset) || !gdb_scan_char(p, ',') || !gdb_scan_hex(p, &len) ||
        !gdb_scan_end(p)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    const char *text = gdb_description(name);
    if (!text) {
        gdb_reply(s, "E00");
        return;
    }
    size_t size = strlen(text);
    offset = MIN(offset, size);
    len = MIN(MIN(len, size - offset), GDB_PACKET_MAX / 2);
    g_autoptr(GString) reply = g_string_new(offset + len < size ? "m" : "l");
    gdb_append_escaped(reply, text + offset, len);
    gdb_reply_len(s, reply->str, reply->len);
}

static void query_attached(GdbStub *s, GdbScan *p)
{
    (void)p;
    gdb_reply(s, "1");
}

/* A line for the monitor, in hexadecimal digits; its output comes in packets of their own. */
static void query_monitor(GdbStub *s, GdbScan *p)
{
    size_t len = strlen(p->p) / 2;
    g_autofree char *line = g_malloc0(len + 1);

    if (!gdb_scan_bytes(p, (uint8_t *)line, len) || !gdb_scan_end(p)) {
        gdb_reply(s, BAD_PACKET);
        return;
    }
    g_autofree char *text = monitor_run(s->machine, s->host, line);
    for (size_t at = 0, size = strlen(text); at < size;) {
        size_t part = MIN(size - at, GDB_PACKET_MAX / 2 - 1);
        g_autoptr(GString) reply = g_string_new("O");
        gdb_append_hex(reply, text + at, part);
        gdb_reply(s, reply->str);
        at += part;
    }
    gdb_reply(s, "OK");
}

static void set_no_ack(GdbStub *s, GdbScan *p)
{
    (void)p;
    gdb_reply(s, "OK");
    s->no_ack = s->reader.no_sum = true;
}

/* Longer ones first where one begins like another. */
static const struct {
    const char *word;
    Handler run;
} commands[] = {
    {"?", cmd_why},
    {"vCont?", cmd_vcont_query},
    {"vCont", cmd_vcont},
    {"vKill", cmd_vkill},
    {"qSupported", query_supported},
    {"qXfer:features:read:", query_features},
    {"qfThreadInfo", query_threads},
    {"qsThreadInfo", query_no_more_threads},
    {"qThreadExtraInfo,", query_thread_extra},
    {"qRcmd,", query_monitor},
    {"qAttached", query_attached},
    {"QStartNoAckMode", set_no_ack},
    {"g", cmd_read_registers},
    {"G", cmd_write_registers},
    {"p", cmd_read_register},
    {"P", cmd_write_register},
    {"m", cmd_read_memory},
    {"M", cmd_write_memory},
    {"Z", cmd_insert},
    {"z", cmd_remove},
    {"H", cmd_select},
    {"T", cmd_alive},
    {"c", cmd_continue},
    {"C", cmd_continue_signal},
    {"s", cmd_step},
    {"S", cmd_step_signal},
    {"D", cmd_detach},
    {"k", cmd_kill},
};

void gdb_command(GdbStub *s, const char *packet, size_t len)
{
    if (packet[0] == 'X') {
        write_binary(s, packet, len);
        return;
    }
    if (!strcmp(packet, "qC")) {
        GdbScan p = {packet};
        query_current(s, &p);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_str_has_prefix(packet, commands[i].word)) {
            GdbScan p = {packet + strlen(commands[i].word)};
            commands[i].run(s, &p);
            return;
        }
    }
    gdb_reply(s, "");
}
