/*
 * The KVM back end runs small real-mode guests: ports, memory, interrupts, events, dirty log.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/lock.h"
#include "core/safepoint.h"
#include "target-x86/cpuid.h"
#include "tests/unit/kvm_rig.h"

static KvmRig *rig;

static Cpu *cpu(void)
{
    return &rig->c->x.cpu;
}

/* Runs CODE, which must end in HLT, and fetches the state. */
static X86State *run(const void *code, size_t size)
{
    kvm_rig_load(rig, code, size);
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    kvm_get_state(cpu());
    return &rig->c->x.st;
}

#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* ---- ports ---- */

static uint8_t written[16];
static unsigned write_count;

static uint64_t port_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)opaque;
    return (size == 2 ? 0xbb00 : 0) | (0xa0 + addr);
}

static void port_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)opaque, (void)addr, (void)size;
    written[write_count++ % sizeof(written)] = (uint8_t)value;
}

static const MemOps port_ops = {port_read, port_write, 1, 2, false};

static void test_port_accesses_reach_devices_with_their_size(void)
{
    /* in $0x80,%al; mov %al,%bl; in $0x82,%ax; hlt */
    X86State *st = RUN(0xe4, 0x80, 0x88, 0xc3, 0xe5, 0x82, 0xf4);

    g_assert_cmphex(st->gpr[R_RBX] & 0xff, ==, 0xa0);
    g_assert_cmphex(st->gpr[R_RAX] & 0xffff, ==, 0xbba2);
}

static void test_string_output_writes_each_element(void)
{
    memcpy(rig->ram->host + 0x2000, "abcdef", 6);
    write_count = 0;
    /* mov $0x80,%dx; mov $0x2000,%si; mov $6,%cx; rep outsb; hlt */
    X86State *st = RUN(0xba, 0x80, 0, 0xbe, 0, 0x20, 0xb9, 6, 0, 0xf3, 0x6e, 0xf4);

    g_assert_cmpuint(write_count, ==, 6);
    g_assert_cmpmem(written, 6, "abcdef", 6);
    g_assert_cmphex(st->gpr[R_RSI] & 0xffff, ==, 0x2006);
}

/* ---- memory ---- */

static uint64_t mmio_value;

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)opaque, (void)size;
    return 0x11223340 + addr;
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)opaque;
    mmio_value = value | (uint64_t)addr << 32 | (uint64_t)size << 40;
}

static const MemOps mmio_ops = {mmio_read, mmio_write, 1, 4, false};

static void test_memory_mapped_io_reaches_devices(void)
{
    /* mov $0xd000,%ax; mov %ax,%ds; mov 4,%ebx (32 bits); mov %bx,8; hlt */
    X86State *st = RUN(0xb8, 0, 0xd0, 0x8e, 0xd8, 0x66, 0x8b, 0x1e, 4, 0, 0x89, 0x1e, 8, 0, 0xf4);

    g_assert_cmphex(st->gpr[R_RBX], ==, 0x11223344);
    g_assert_cmphex(mmio_value, ==, 0x3344 | 8ull << 32 | 2ull << 40);
}

static void test_rom_is_read_but_not_written(void)
{
    rig->rom->host[5] = 0x77;
    /* mov $0xf000,%ax; mov %ax,%ds; mov 5,%bl; movb $1,5; hlt */
    X86State *st = RUN(0xb8, 0, 0xf0, 0x8e, 0xd8, 0x8a, 0x1e, 5, 0, 0xc6, 6, 5, 0, 1, 0xf4);

    g_assert_cmphex(st->gpr[R_RBX] & 0xff, ==, 0x77);
    g_assert_cmphex(rig->rom->host[5], ==, 0x77);
}

static void test_guest_writes_are_in_the_dirty_log(void)
{
    enum { PAGES = KVM_RIG_RAM / 4096 };
    uint64_t bits[PAGES / 64];

    machine_lock();
    dirty_log_enable(rig->ram, DIRTY_MIGRATION);
    dirty_log_take(rig->ram, DIRTY_MIGRATION, 0, KVM_RIG_RAM, bits);
    machine_unlock();
    /* mov $0x3000,%ax; mov %ax,%ds; mov %al,0; mov %al,0x5000; hlt */
    RUN(0xb8, 0, 0x30, 0x8e, 0xd8, 0xa2, 0, 0, 0xa2, 0, 0x50, 0xf4);
    machine_lock();
    g_assert_true(dirty_log_take(rig->ram, DIRTY_MIGRATION, 0, KVM_RIG_RAM, bits));
    g_assert_cmphex(bits[0], ==, 1ull << 0x30 | 1ull << 0x35);
    g_assert_cmphex(bits[1] | bits[2] | bits[3], ==, 0);
    g_assert_false(dirty_log_take(rig->ram, DIRTY_MIGRATION, 0, KVM_RIG_RAM, bits));
    machine_unlock();
    RUN(0xb8, 0, 0x30, 0x8e, 0xd8, 0xa2, 0, 0, 0xf4);
    machine_lock();
    g_assert_true(dirty_log_take(rig->ram, DIRTY_MIGRATION, 0x20000, 0x20000, bits));
    g_assert_cmphex(bits[0], ==, 1ull << 0x10);
    dirty_log_disable(rig->ram, DIRTY_MIGRATION);
    machine_unlock();
}

static void test_memory_moved_away_is_gone(void)
{
    /* mov $0xf000,%ax; mov %ax,%ds; mov 5,%bl; hlt */
    const uint8_t code[] = {0xb8, 0, 0xf0, 0x8e, 0xd8, 0x8a, 0x1e, 5, 0, 0xf4};

    rig->rom->host[5] = 0x77;
    rig->ram->host[0xf0005] = 0x12;
    machine_lock();
    mem_region_set_enabled(rig->rom_region, false);
    machine_unlock();
    g_assert_cmphex(run(code, sizeof(code))->gpr[R_RBX] & 0xff, ==, 0x12);
    machine_lock();
    mem_region_set_enabled(rig->rom_region, true);
    machine_unlock();
    g_assert_cmphex(run(code, sizeof(code))->gpr[R_RBX] & 0xff, ==, 0x77);
}

/* ---- doorbells ---- */

static unsigned bell_writes;

static void bell_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)opaque, (void)addr, (void)value, (void)size;
    bell_writes++;
}

static const MemOps bell_ops = {mmio_read, bell_write, 1, 4, false};

static void test_writes_to_doorbells_go_to_their_eventfds(void)
{
    int mmio_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int port_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const MemDoorbell mmio_bell = {.offset = 4, .size = 2, .fd = mmio_fd};
    const MemDoorbell port_bell = {
        .offset = 2, .size = 2, .match = true, .value = 1, .fd = port_fd};
    MemRegion *mmio = mem_region_io("bell", &bell_ops, NULL, 4096);
    MemRegion *port = mem_region_io("bell", &bell_ops, NULL, 8);
    /* mov $0xd100,%ax; mov %ax,%ds; mov %ax,4; mov %ax,4; mov %ax,6; mov $0xc002,%dx; mov $1,%ax;
     * out %ax,%dx; inc %ax; out %ax,%dx; hlt */
    static const uint8_t code[] = {0xb8, 0, 0xd1, 0x8e, 0xd8, 0xa3, 4, 0, 0xa3, 4,    0,    0xa3,
                                   6,    0, 0xba, 2,    0xc0, 0xb8, 1, 0, 0xef, 0x40, 0xef, 0xf4};
    eventfd_t value = 0;

    if (!kvm_accel_class.has_cap(&rig->a->accel, ACCEL_CAP_DOORBELLS)) {
        g_test_skip("KVM_CAP_IOEVENTFD is missing");
        return;
    }
    machine_lock();
    mem_region_set_doorbells(mmio, &mmio_bell, 1);
    mem_region_set_doorbells(port, &port_bell, 1);
    mem_region_add(rig->m.memory_root, 0xd1000, mmio, 1);
    mem_region_add(rig->m.io_root, 0xc000, port, 0);
    machine_unlock();
    bell_writes = 0;
    run(code, sizeof(code));
    g_assert_cmpuint(bell_writes, ==, 2); /* beside the doorbell, and of another value */
    g_assert_cmpint(eventfd_read(mmio_fd, &value), ==, 0);
    g_assert_cmpuint(value, ==, 2);
    g_assert_cmpint(eventfd_read(port_fd, &value), ==, 0);
    g_assert_cmpuint(value, ==, 1);

    /* Moved away, nothing rings there any more. */
    machine_lock();
    mem_region_free(mmio);
    mem_region_free(port);
    machine_unlock();
    run(code, sizeof(code));
    g_assert_cmpint(eventfd_read(mmio_fd, &value), ==, -1);
    g_assert_cmpint(eventfd_read(port_fd, &value), ==, -1);
    close(mmio_fd);
    close(port_fd);
}

/* ---- CPUID ---- */

static void test_cpuid_answers_as_the_model_says(void)
{
    static const uint32_t leaves[] = {0, 0x40000000, 0x40000001, 0x80000000, 0x80000008};

    for (size_t i = 0; i < G_N_ELEMENTS(leaves); i++) {
        uint8_t code[] = {0x66, 0xb8, 0, 0, 0, 0, 0x66, 0x31, 0xc9, 0x0f, 0xa2, 0xf4};
        uint32_t reg[4];

        memcpy(code + 2, &leaves[i], 4);
        cpu_model_cpuid(rig->c->x.model, 0, leaves[i], 0, reg);
        const X86State *st = run(code, sizeof(code));
        g_assert_cmphex(st->gpr[R_RAX], ==, reg[0]);
        g_assert_cmphex(st->gpr[R_RBX], ==, reg[1]);
        g_assert_cmphex(st->gpr[R_RCX], ==, reg[2]);
        g_assert_cmphex(st->gpr[R_RDX], ==, reg[3]);
    }
}

/* ---- events ---- */

static int next_vector = -1;

static int fake_ack(void *intc)
{
    int vector = next_vector;

    (void)intc;
    next_vector = -1;
    cpu_lower(cpu(), CPU_EVENT_INTR);
    return vector;
}
static uint8_t fake_get_cr8(void *intc)
{
    (void)intc;
    return 0;
}
static void fake_set_cr8(void *intc, uint8_t value)
{
    (void)intc, (void)value;
}
static uint64_t fake_get_base(void *intc)
{
    (void)intc;
    return 0xfee00900;
}
static bool fake_set_base(void *intc, uint64_t value)
{
    (void)intc, (void)value;
    return true;
}
static const CpuIntcOps fake_intc = {.ack = fake_ack,
                                     .get_cr8 = fake_get_cr8,
                                     .set_cr8 = fake_set_cr8,
                                     .get_base = fake_get_base,
                                     .set_base = fake_set_base};

static void vector_at(unsigned vector, uint16_t ip)
{
    memcpy(rig->ram->host + 4 * vector, (uint16_t[]){ip, 0}, 4);
}

static void test_interrupt_wakes_a_halted_cpu(void)
{
    /* xor %bx,%bx; sti; hlt; cli; hlt    at 0x1100: inc %bx; iret */
    static const uint8_t code[] = {0x31, 0xdb, 0xfb, 0xf4, 0xfa, 0xf4};

    vector_at(0x20, 0x1100);
    memcpy(rig->ram->host + 0x1100, (uint8_t[]){0x43, 0xcf}, 2);
    g_assert_cmphex(run(code, sizeof(code))->gpr[R_RBX] & 0xffff, ==, 0);
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED); /* still */
    next_vector = 0x20;
    cpu_raise(cpu(), CPU_EVENT_INTR);
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    kvm_get_state(cpu());
    g_assert_cmphex(rig->c->x.st.gpr[R_RBX] & 0xffff, ==, 1);
    g_assert_cmphex(rig->c->x.st.rip, ==, 0x1006);
}

static void test_interrupt_waits_for_sti(void)
{
    /* xor %bx,%bx; mov $1000,%cx; 1: loop 1b; mov %bx,%dx; sti; 1: test %bx,%bx; jz 1b; cli; hlt */
    static const uint8_t code[] = {0x31, 0xdb, 0xb9, 0xe8, 3,    0xe2, 0xfe, 0x89,
                                   0xda, 0xfb, 0x85, 0xdb, 0x74, 0xfc, 0xfa, 0xf4};

    vector_at(0x20, 0x1100);
    memcpy(rig->ram->host + 0x1100, (uint8_t[]){0x43, 0xcf}, 2);
    next_vector = 0x20;
    cpu_raise(cpu(), CPU_EVENT_INTR);
    const X86State *st = run(code, sizeof(code));
    g_assert_cmphex(st->gpr[R_RDX] & 0xffff, ==, 0);
    g_assert_cmphex(st->gpr[R_RBX] & 0xffff, ==, 1);
}

static void test_nmi_is_delivered(void)
{
    /* xor %bx,%bx; hlt; hlt */
    static const uint8_t code[] = {0x31, 0xdb, 0xf4, 0xf4};

    vector_at(2, 0x1100);
    memcpy(rig->ram->host + 0x1100, (uint8_t[]){0x43, 0xcf}, 2);
    run(code, sizeof(code));
    cpu_raise(cpu(), CPU_EVENT_NMI);
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    kvm_get_state(cpu());
    g_assert_cmphex(rig->c->x.st.gpr[R_RBX] & 0xffff, ==, 1);
}

static void test_init_and_sipi_start_a_cpu(void)
{
    RUN(0xf4);
    memcpy(rig->ram->host + 0x3000, (uint8_t[]){0xbb, 0x34, 0x12, 0xf4}, 4); /* mov $0x1234,%bx */
    cpu_raise(cpu(), CPU_EVENT_INIT);
    rig->c->x.cpu.index = 1; /* not the boot CPU: it waits */
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    g_assert_true(rig->c->x.st.wait_sipi);
    atomic_store(&cpu()->sipi_vector, 3);
    cpu_raise(cpu(), CPU_EVENT_SIPI);
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    rig->c->x.cpu.index = 0;
    kvm_get_state(cpu());
    g_assert_cmphex(rig->c->x.st.gpr[R_RBX] & 0xffff, ==, 0x1234);
    g_assert_cmphex(rig->c->x.st.seg[SEG_CS].base, ==, 0x3000);
}

static gpointer stopper(gpointer data)
{
    (void)data;
    g_usleep(50000);
    cpu_raise(cpu(), CPU_EVENT_STOP);
    return NULL;
}

static void test_a_kick_ends_an_endless_loop(void)
{
    static const uint8_t code[] = {0xeb, 0xfe};

    for (int i = 0; i < 5; i++) {
        kvm_rig_load(rig, code, sizeof(code));
        GThread *thread = g_thread_new("stopper", stopper, NULL);
        g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_EVENT);
        g_thread_join(thread);
        cpu_lower(cpu(), CPU_EVENT_STOP);
        kvm_get_state(cpu());
        g_assert_cmphex(rig->c->x.st.rip, ==, 0x1000);
    }
}

static uint64_t stop_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)opaque, (void)addr, (void)size;
    cpu_raise(cpu(), CPU_EVENT_STOP);
    return 0x5a;
}

static const MemOps stop_ops = {stop_read, port_write, 1, 1, false};

static void test_a_stop_finds_port_reads_completed(void)
{
    /* in $0x90,%al; hlt */
    static const uint8_t code[] = {0xe4, 0x90, 0xf4};

    kvm_rig_load(rig, code, sizeof(code));
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_EVENT);
    cpu_lower(cpu(), CPU_EVENT_STOP);
    kvm_get_state(cpu());
    g_assert_cmphex(rig->c->x.st.rip, ==, 0x1002);
    g_assert_cmphex(rig->c->x.st.gpr[R_RAX], ==, 0x5a);
}

static void test_exits_that_end_the_guest_are_told_apart(void)
{
    static const struct {
        uint32_t reason;
        AccelExit exit;
    } rows[] = {
        {KVM_EXIT_SHUTDOWN, ACCEL_EXIT_RESET},
        {KVM_EXIT_FAIL_ENTRY, ACCEL_EXIT_ERROR},
        {KVM_EXIT_UNKNOWN, ACCEL_EXIT_ERROR},
        {KVM_EXIT_INTERNAL_ERROR, ACCEL_EXIT_ERROR},
        {9999, ACCEL_EXIT_ERROR},
    };

    RUN(0xf4);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        AccelExit exit = ACCEL_EXIT_EVENT;
        rig->c->run->exit_reason = rows[i].reason;
        rig->c->run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
        g_assert_false(kvm_handle_exit(rig->c, &exit));
        g_assert_cmpint(exit, ==, rows[i].exit);
    }
}

/* Flat protected mode without paging: GDT at 2000h, IDT at 3000h with vector 20h to 1100h. */
static void enter_protected_mode(void)
{
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
    static const uint64_t gate = 0x1100 | 8u << 16 | 0x8e00ull << 32;
    X86State *st = &rig->c->x.st;

    memcpy(rig->ram->host + 0x2000, gdt, sizeof(gdt));
    memcpy(rig->ram->host + 0x3000 + 8 * 0x20, &gate, sizeof(gate));
    st->gdt = (X86TableReg){0x2000, 23};
    st->idt = (X86TableReg){0x3000, 8 * 0x20 + 7};
    st->cr0 |= CR0_PE;
    for (int i = 0; i < SEG_COUNT; i++) {
        st->seg[i] = (X86Segment){.limit = UINT32_MAX, .attr = 0xc093, .selector = 16};
    }
    st->seg[SEG_CS] = (X86Segment){.limit = UINT32_MAX, .attr = 0xc09b, .selector = 8};
    kvm_put_state(cpu());
}

static void test_iret_in_protected_mode_works(void)
{
    X86State *st = &rig->c->x.st;
    /* push $0x202; push $8; push $0x1010; iretl; hlt at 0x1010 */
    static const uint8_t code[] = {0x68, 2, 2, 0,    0,    0x6a, 8,    0x68, 0x10,
                                   0x10, 0, 0, 0xcf, 0x90, 0x90, 0x90, 0xf4};

    kvm_rig_load(rig, code, sizeof(code));
    enter_protected_mode();
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    kvm_get_state(cpu());
    g_assert_cmphex(st->rip, ==, 0x1011);
    g_assert_cmphex(st->gpr[R_RSP], ==, 0x8000);
    g_assert_cmphex(st->rflags, ==, 0x202);
}

/* ---- where frames go ---- */

static void test_interrupt_frame_is_on_a_stack_with_a_base(void)
{
    enum { STACK = 0x40000, ESP = 0x8000 };
    X86State *st = &rig->c->x.st;
    /* in $0x80,%al; sti; 1: test %bl,%bl; jz 1b; cli; hlt    at 0x1100: inc %bl; iret */
    static const uint8_t code[] = {0xe4, 0x80, 0xfb, 0x84, 0xdb, 0x74, 0xfc, 0xfa, 0xf4};
    const uint32_t frame[2] = {8, FLAG_IF | FLAG_ZF | FLAG_PF | 2};
    uint8_t untouched[12];

    kvm_rig_load(rig, code, sizeof(code));
    vector_at(0x20, 0); /* what real mode would take */
    memcpy(rig->ram->host + 0x1100, (uint8_t[]){0xfe, 0xc3, 0xcf}, 3);
    memset(rig->ram->host + ESP - 12, 0xa5, 12);
    memset(untouched, 0xa5, 12);
    st->gpr[R_RBX] = 0;
    enter_protected_mode();
    st->seg[SEG_SS].base = STACK;
    kvm_put_state(cpu());
    next_vector = 0x20;
    cpu_raise(cpu(), CPU_EVENT_INTR);
    g_assert_cmpint(kvm_cpu_run(cpu()), ==, ACCEL_EXIT_HALTED);
    kvm_get_state(cpu());
    g_assert_cmphex(st->gpr[R_RBX] & 0xff, ==, 1);
    g_assert_cmphex(st->gpr[R_RAX] & 0xff, ==, 0xa0);
    g_assert_cmphex(st->gpr[R_RSP], ==, ESP);
    g_assert_cmphex(st->rip, ==, 0x1009);
    g_assert_cmpmem(rig->ram->host + STACK + ESP - 8, 8, frame, 8);
    g_assert_cmpmem(rig->ram->host + ESP - 12, 12, untouched, 12);
}

static void test_probe_of_frames_agrees_with_what_kvm_does(void)
{
    KvmFrames frames = kvm_frames_probe(rig->a->fd);

    g_assert_cmpint(frames, !=, KVM_FRAMES_UNKNOWN);
    g_assert_cmpint(kvm_frames_probe(rig->a->fd), ==, frames);
    g_assert_cmpint(kvm_frames_are_flat(rig->a), ==, frames == KVM_FRAMES_FLAT);
    if (kvm_selftest(rig->a->fd, NULL)) {
        g_assert_cmpint(frames, ==, KVM_FRAMES_ON_STACK);
    }
}

static void test_probe_of_frames_survives_a_file_that_is_not_kvm(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    g_assert_cmpint(kvm_frames_probe(fd), ==, KVM_FRAMES_ON_STACK);
    close(fd);
}

static void skip(void)
{
    g_assert_false(kvm_rig_available());
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"port accesses reach devices with their size",
         test_port_accesses_reach_devices_with_their_size},
        {"string output writes each element", test_string_output_writes_each_element},
        {"memory-mapped registers reach devices", test_memory_mapped_io_reaches_devices},
        {"ROM is read but not written", test_rom_is_read_but_not_written},
        {"guest writes are in the dirty log", test_guest_writes_are_in_the_dirty_log},
        {"memory moved away is gone", test_memory_moved_away_is_gone},
        {"writes to doorbells go to their eventfds", test_writes_to_doorbells_go_to_their_eventfds},
        {"CPUID answers as the model says", test_cpuid_answers_as_the_model_says},
        {"interrupt wakes a halted CPU", test_interrupt_wakes_a_halted_cpu},
        {"interrupt waits for STI", test_interrupt_waits_for_sti},
        {"NMI is delivered", test_nmi_is_delivered},
        {"INIT and SIPI start a CPU", test_init_and_sipi_start_a_cpu},
        {"a kick ends an endless loop", test_a_kick_ends_an_endless_loop},
        {"a stop finds port reads completed", test_a_stop_finds_port_reads_completed},
        {"exits that end the guest are told apart", test_exits_that_end_the_guest_are_told_apart},
        {"IRET in protected mode works", test_iret_in_protected_mode_works},
        {"an interrupt's frame is on a stack with a base",
         test_interrupt_frame_is_on_a_stack_with_a_base},
        {"the probe of frames agrees with what KVM does",
         test_probe_of_frames_agrees_with_what_kvm_does},
        {"the probe of frames survives a file that is not KVM",
         test_probe_of_frames_survives_a_file_that_is_not_kvm},
    };

    g_test_init(&argc, &argv, NULL);
    bool available = access("/dev/kvm", R_OK | W_OK) == 0;
    if (available) {
        rig = kvm_rig_new("kernel-irqchip", "off", NULL);
        rig->c->x.cpu.intc_ops = &fake_intc;
        machine_lock();
        mem_region_add(rig->m.io_root, 0x80, mem_region_io("ports", &port_ops, NULL, 4), 0);
        mem_region_add(rig->m.io_root, 0x90, mem_region_io("stop", &stop_ops, NULL, 1), 0);
        mem_region_add(rig->m.memory_root, 0xd0000, mem_region_io("mmio", &mmio_ops, NULL, 4096),
                       1);
        machine_unlock();
    }
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/kvm/run/", tests[i].name, NULL);
        g_test_add_func(path, available ? tests[i].fn : skip);
    }
    return g_test_run();
}
