/*
 * The remote protocol: framing, commands, and that no packet whatever does harm.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/accel.h"
#include "core/mainloop.h"
#include "gdbstub/gdbstub.h"
#include "gdbstub/packet.h"
#include "gdbstub/registers.h"
#include "target-x86/cpuid.h"
#include "ui/chardev.h"

enum { CPUS = 2, RAM = 64 << 10 };

static Machine machine;
static int starts, stops, pauses;
static GArray *points;
static bool refuse_points;
static bool steps[CPUS];

/* ---- a machine that does nothing ---- */

static void host_stop(Machine *m, RunState why)
{
    stops++;
    atomic_store(&m->run_state, why);
    machine_run_state_changed(m);
}

static bool host_start(Machine *m, GError **err)
{
    (void)err;
    starts++;
    atomic_store(&m->run_state, RUN_STATE_RUNNING);
    return true;
}

static void host_pause(Machine *m)
{
    (void)m;
    pauses++;
}

static void host_resume(Machine *m)
{
    (void)m;
    pauses--;
}

static void host_run_on(Cpu *cpu, SafeWork fn, void *data)
{
    g_assert_cmpint(pauses, >, 0);
    fn(cpu, data);
}

static const MonitorHost host = {
    .stop = host_stop,
    .start = host_start,
    .pause = host_pause,
    .resume = host_resume,
    .run_on = host_run_on,
};

static void no_state(Cpu *cpu)
{
    (void)cpu;
}

static bool has_cap(Accel *accel, AccelCap cap)
{
    (void)accel;
    return cap == ACCEL_CAP_DEBUG;
}

static bool set_points(Accel *accel, Cpu *cpu, const DebugPoint *p, size_t count, GError **err)
{
    (void)accel, (void)cpu, (void)err;
    if (refuse_points && count > 0) {
        return false;
    }
    g_array_set_size(points, 0);
    g_array_append_vals(points, p, (guint)count);
    return true;
}

static void set_step(Cpu *cpu, bool on)
{
    steps[cpu->index] = on;
}

static const AccelClass accel_class = {
    .name = "none",
    .get_state = no_state,
    .put_state = no_state,
    .has_cap = has_cap,
    .set_debug_points = set_points,
    .set_single_step = set_step,
};

static X86Cpu *cpu(int n)
{
    return (X86Cpu *)machine.cpus[n];
}

static void make_machine(void)
{
    static Accel accel = {.cls = &accel_class};
    Machine *m = &machine;

    points = g_array_new(FALSE, FALSE, sizeof(DebugPoint));
    m->memory_root = mem_region_container("memory", UINT64_MAX);
    m->io_root = mem_region_container("io", 65536);
    address_space_init(&m->memory, m->memory_root, "memory");
    address_space_init(&m->io, m->io_root, "I/O");
    m->ram = ram_block_new("ram", RAM, NULL);
    mem_region_add(m->memory_root, 0, mem_region_ram("ram", m->ram, 0, RAM, false), 0);
    m->accel = &accel;
    m->cpus = g_new0(Cpu *, CPUS);
    m->cpu_count = CPUS;
    CpuFeatures features;
    cpu_features_translator(&features);
    CpuModel *model = cpu_model_parse("max", &features, "tcg", NULL, NULL);
    for (int i = 0; i < CPUS; i++) {
        X86Cpu *x = g_aligned_alloc0(1, sizeof(X86Cpu), 64);
        x->cpu.machine = m;
        x->cpu.index = i;
        x->model = model;
        m->cpus[i] = &x->cpu;
        x86_cpu_reset(x, true);
    }
}

/* ---- a debugger ---- */

static void put(const void *data, size_t len)
{
    g_assert_true(chardev_ringbuf_write("ring", data, len, NULL));
}

static char *take(void)
{
    GByteArray *bytes = g_byte_array_new();

    chardev_ringbuf_read("ring", 1 << 20, bytes, NULL);
    g_byte_array_append(bytes, (const uint8_t *)"", 1);
    return (char *)g_byte_array_free(bytes, FALSE);
}

static char *ask_len(const char *packet, size_t len)
{
    GByteArray *out = g_byte_array_new();

    gdb_append_packet(out, packet, len);
    put(out->data, out->len);
    g_byte_array_unref(out);
    return take();
}

static char *ask(const char *packet)
{
    return ask_len(packet, strlen(packet));
}

static void expect(const char *packet, const char *reply)
{
    GByteArray *want = g_byte_array_new();
    g_autofree char *got = ask(packet);

    g_byte_array_append(want, (const uint8_t *)"+", 1);
    gdb_append_packet(want, reply, strlen(reply));
    g_byte_array_append(want, (const uint8_t *)"", 1);
    g_assert_cmpstr(got, ==, (const char *)want->data);
    g_byte_array_unref(want);
}

static void expect_stop(const char *reply)
{
    GByteArray *want = g_byte_array_new();
    g_autofree char *got = take();

    gdb_append_packet(want, reply, strlen(reply));
    g_byte_array_append(want, (const uint8_t *)"", 1);
    g_assert_cmpstr(got, ==, (const char *)want->data);
    g_byte_array_unref(want);
}

static void join(void)
{
    g_autoptr(GError) err = NULL;

    atomic_store(&machine.run_state, RUN_STATE_RUNNING);
    for (int i = 0; i < CPUS; i++) {
        x86_cpu_reset(cpu(i), true);
    }
    gdbstub_open(&machine, &host, "chardev:ring", &err);
    g_assert_no_error(err);
    g_assert_true(gdbstub_connected());
    g_free(take());
}

static void disconnect(void)
{
    g_assert_true(gdbstub_open(&machine, &host, "none", NULL));
    g_assert_false(gdbstub_connected());
    g_assert_cmpint(pauses, ==, 0);
    g_assert_cmpuint(points->len, ==, 0);
}

/* ---- framing ---- */

static GdbInput feed(GdbReader *r, const char *text)
{
    GdbInput last = GDB_INPUT_NONE;

    for (const char *p = text; *p; p++) {
        last = gdb_reader_byte(r, (uint8_t)*p);
    }
    return last;
}

static void test_framing(void)
{
    GdbReader r;

    gdb_reader_init(&r);
    g_assert_cmpint(feed(&r, "+noise$qC#b4"), ==, GDB_INPUT_PACKET);
    g_assert_cmpstr((char *)r.packet->data, ==, "qC");
    g_assert_cmpint(feed(&r, "$qC#b5"), ==, GDB_INPUT_BAD);
    g_assert_cmpint(feed(&r, "$qC#zz"), ==, GDB_INPUT_BAD);
    g_assert_cmpint(feed(&r, "$}\x03}\x04#04"), ==, GDB_INPUT_BAD);
    g_assert_cmpint(feed(&r, "$}\x03}\x04#01"), ==, GDB_INPUT_PACKET);
    g_assert_cmpstr((char *)r.packet->data, ==, "#$");
    g_assert_cmpint(feed(&r, "$lost$?#3f"), ==, GDB_INPUT_PACKET);
    g_assert_cmpstr((char *)r.packet->data, ==, "?");
    g_assert_cmpint(feed(&r, "\x03"), ==, GDB_INPUT_INTERRUPT);
    g_assert_cmpint(feed(&r, "$#00"), ==, GDB_INPUT_PACKET);
    g_assert_cmpuint(r.packet->len, ==, 0);
    gdb_reader_byte(&r, '$');
    for (int i = 0; i < 3 * GDB_PACKET_MAX; i++) {
        g_assert_cmpint(gdb_reader_byte(&r, 'x'), ==, GDB_INPUT_NONE);
    }
    g_assert_cmpuint(r.packet->len, <=, GDB_PACKET_MAX);
    g_assert_cmpint(feed(&r, "#00"), ==, GDB_INPUT_BAD);
    g_assert_cmpint(feed(&r, "$?#3f"), ==, GDB_INPUT_PACKET);
    gdb_reader_free(&r);
}

static void test_bad_checksum_is_asked_for_again(void)
{
    join();
    put("$?#00", 5);
    g_autofree char *nack = take();
    g_assert_cmpstr(nack, ==, "-");
    expect("?", "T02thread:1;");
    put("-", 1);
    expect_stop("T02thread:1;");
    disconnect();
}

/* ---- commands ---- */

static void test_malformed_packets_are_refused(void)
{
    static const char *const bad[] = {
        "m",
        "mxyz,4",
        "m0",
        "m0,",
        "m0,4x",
        "m11112222333344445,1",
        "M0,4:00",
        "M0,4",
        "M0,1:zz",
        "M0,ffffffff:",
        "M0,1:0000",
        "p",
        "p1000",
        "pffffffffff",
        "P0",
        "P0=",
        "P0=12",
        "P0=00112233445566778",
        "P999=00",
        "G0",
        "G00112233zz",
        "H",
        "Hx1",
        "Hg",
        "Hg1x",
        "T",
        "Z",
        "Z0",
        "Z9,0,1",
        "Z0,0",
        "Z2,0,0",
        "Z2,0,fffff",
        "z0,zz,1",
        "vCont;",
        "vCont;x",
        "vCont;c:",
        "vCont;c:9",
        "vContc",
        "cxyz",
        "Cz",
        "C05;zz",
        "s zz",
        "X0,4:abc",
        "X",
        "X0",
        "qXfer:features:read:target.xml",
        "qXfer:features:read:target.xml:0",
        "qXfer:features:read::",
    };

    join();
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        expect(bad[i], "E16");
    }
    expect("qXfer:features:read:other.xml:0,10", "E00");
    expect("qRcmd,0", "E16");
    expect("qRcmd,zz", "E16");
    expect("Hg9", "E03");
    expect("T9", "E03");
    expect("", "");
    expect("unknown", "");
    g_assert_false(machine_running(&machine));
    disconnect();
}

static void test_memory(void)
{
    join();
    memcpy(machine.ram->host + 0x100, "\x01\x02\x03\xff", 4);
    expect("m100,4", "010203ff");
    expect("M101,2:aabb", "OK");
    expect("m100,4", "01aabbff");
    g_autofree char *got = ask_len("X102,3:\0x\xfe", 10);
    g_assert_cmpstr(got, ==, "+$OK#9a");
    expect("m100,6", "01aa0078fe00");
    /* paging with nothing mapped */
    cpu(0)->st.cr0 |= CR0_PG | CR0_PE;
    cpu(0)->st.cr3 = 0x1000;
    expect("m100,4", "E0e");
    expect("M100,1:00", "E0e");
    disconnect();
}

static void test_registers(void)
{
    X86State *st = &cpu(1)->st;

    join();
    expect("Hg2", "OK");
    st->gpr[R_RBX] = 0x1122334455667788;
    expect("p1", "8877665544332211");
    expect("P1=0100000000000000", "OK");
    g_assert_cmphex(st->gpr[R_RBX], ==, 1);
    expect("P11=02030000", "OK");
    g_assert_cmphex(st->rflags, ==, 0x302);
    expect("P11=00000000", "E01"); /* bit 1 is always set */
    expect("P12=34120000", "OK");  /* CS in real mode */
    g_assert_cmphex(st->seg[SEG_CS].base, ==, 0x12340);
    st->cr0 |= CR0_PE;
    expect("P12=08000000", "E01");
    g_autofree char *all = ask("g");
    size_t size = 0;
    for (unsigned i = 0; i < gdb_register_count(); i++) {
        size += gdb_register_size(i);
    }
    g_assert_cmpuint(strlen(all), ==, 2 * size + strlen("+$#00"));
    /* what was read can be written */
    all[strlen(all) - 3] = 0;
    all[1] = 'G';
    X86State before = *st;
    expect(all + 1, "OK");
    before.xsave[512] = st->xsave[512];
    g_assert_cmpmem(&before, sizeof(before), st, sizeof(*st));
    disconnect();
}

static void test_x87_tags(void)
{
    X86State *st = &cpu(0)->st;

    join();
    memset(st->xsave, 0, 512);
    st->xsave[2 + 1] = 6 << 3; /* TOP is 6 */
    st->xsave[4] = 0xc0;       /* two registers in use: ST(0) is 6, ST(1) 7 */
    memcpy(st->xsave + 32, "\0\0\0\0\0\0\0\x80\xff\x3f", 10); /* 1.0 */
    expect("p22", "ff4f0000"); /* 7 holds zero, 6 a number, the others nothing */
    expect("P22=ff0f0000", "OK");
    g_assert_cmphex(st->xsave[4], ==, 0xc0);
    disconnect();
}

static void test_description_is_whole(void)
{
    g_autoptr(GString) text = g_string_new(NULL);

    join();
    for (bool more = true; more;) {
        g_autofree char *packet =
            g_strdup_printf("qXfer:features:read:target.xml:%zx,64", text->len);
        g_autofree char *got = ask(packet);
        g_assert_cmpuint(strlen(got), >, 5);
        got[strlen(got) - 3] = 0;
        more = got[2] == 'm';
        g_assert_false(strpbrk(got + 3, "}*") != NULL);
        g_string_append(text, got + 3);
    }
    g_assert_cmpstr(text->str, ==, gdb_description("target.xml"));
    disconnect();
}

static void test_points(void)
{
    join();
    expect("Z0,1000,1", "OK");
    expect("Z0,1000,1", "OK");
    expect("Z2,2000,8", "OK");
    g_assert_cmpuint(points->len, ==, 2);
    g_assert_cmpint(g_array_index(points, DebugPoint, 1).kind, ==, DEBUG_WATCH_WRITE);
    refuse_points = true;
    expect("Z1,3000,1", "E1c");
    refuse_points = false;
    expect("z0,1000,1", "OK");
    expect("z0,1000,1", "OK");
    g_assert_cmpuint(points->len, ==, 1);
    for (unsigned i = 0; i < 1023; i++) {
        g_autofree char *p = g_strdup_printf("Z0,%x,1", i);
        expect(p, "OK");
    }
    expect("Z0,5000,1", "E1c");
    disconnect();
}

static void test_running_and_stopping(void)
{
    join();
    expect(
        "qSupported:swbreak+;hwbreak+",
        "PacketSize=4000;qXfer:features:read+;vContSupported+;QStartNoAckMode+;swbreak+;hwbreak+");
    g_autofree char *ack = ask("vCont;s:2;c");
    g_assert_cmpstr(ack, ==, "+");
    g_assert_true(machine_running(&machine) && steps[1] && !steps[0]);
    machine.cpus[1]->debug_stop = DEBUG_STEP;
    host_stop(&machine, RUN_STATE_DEBUG);
    expect_stop("T05thread:2;");
    g_assert_false(steps[1]);
    machine.cpus[1]->debug_stop = DEBUG_NONE;

    g_autofree char *ack2 = ask("vCont;c:1");
    g_assert_cmpstr(ack2, ==, "+");
    g_assert_true(machine.cpus[1]->held && !machine.cpus[0]->held);
    machine.cpus[0]->debug_stop = DEBUG_WATCH_READ;
    machine.cpus[0]->debug_addr = 0xabc;
    host_stop(&machine, RUN_STATE_DEBUG);
    expect_stop("T05thread:1;rwatch:abc;");
    g_assert_false(machine.cpus[1]->held);
    machine.cpus[0]->debug_stop = DEBUG_NONE;

    g_free(ask("c"));
    put("\x03", 1);
    expect_stop("T02thread:1;");
    host_stop(&machine, RUN_STATE_IO_ERROR); /* nobody waits for this one */
    g_autofree char *nothing = take();
    g_assert_cmpstr(nothing, ==, "");

    int before = starts;
    expect("Z0,1000,1", "OK");
    g_autofree char *info = ask("qRcmd,70203b"); /* "p ;": no expression */
    g_assert_true(g_str_has_prefix(info, "+$O") && g_str_has_suffix(info, "$OK#9a"));
    expect("D", "OK");
    g_assert_cmpint(starts, ==, before + 1);
    g_assert_cmpuint(points->len, ==, 0);
    disconnect();
}

static void test_random_packets_do_no_harm(void)
{
    static const char letters[] = "mMpPgGHTzZXcCsS?qvDk;:,=0123456789abcdef-}#$*\x03\n~";
    static const char *const heads[] = {
        "m", "M", "P", "G", "Z0,", "Z2,", "vCont;", "X0,", "Hg", "qXfer:features:read:target.xml:"};

    join();
    for (int i = 0; i < 20000; i++) {
        g_autoptr(GString) p = g_string_new(NULL);
        if (g_test_rand_bit()) {
            g_string_append(p, heads[g_test_rand_int_range(0, G_N_ELEMENTS(heads))]);
        }
        for (int n = g_test_rand_int_range(0, 24); n > 0; n--) {
            g_string_append_c(p, letters[g_test_rand_int_range(0, sizeof(letters))]);
        }
        if (p->str[0] != 'k' && !g_str_has_prefix(p->str, "vKill")) {
            g_free(ask_len(p->str, p->len));
        }
        if (machine_running(&machine)) {
            host_stop(&machine, RUN_STATE_PAUSED);
        }
        for (int n = g_test_rand_int_range(0, 8); n > 0; n--) { /* and bytes outside of packets */
            uint8_t byte = (uint8_t)g_test_rand_int();
            put(&byte, 1);
        }
        put("#00#00", 6);
        g_free(take());
    }
    g_assert_cmpint(pauses, ==, 0);
    disconnect();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    make_machine();
    g_assert_nonnull(chardev_from_options("ringbuf,id=ring,size=1048576", NULL));
    g_test_add_func("/gdbstub/packets-are-framed", test_framing);
    g_test_add_func("/gdbstub/bad-checksum-is-asked-for-again",
                    test_bad_checksum_is_asked_for_again);
    g_test_add_func("/gdbstub/malformed-packets-are-refused", test_malformed_packets_are_refused);
    g_test_add_func("/gdbstub/memory-is-read-and-written", test_memory);
    g_test_add_func("/gdbstub/registers-are-read-and-written", test_registers);
    g_test_add_func("/gdbstub/x87-tags-are-full-ones", test_x87_tags);
    g_test_add_func("/gdbstub/description-comes-in-pieces", test_description_is_whole);
    g_test_add_func("/gdbstub/points-reach-the-accelerator", test_points);
    g_test_add_func("/gdbstub/threads-run-step-and-stop", test_running_and_stopping);
    g_test_add_func("/gdbstub/random-packets-do-no-harm", test_random_packets_do_no_harm);
    return g_test_run();
}
