/*
 * The bare guest.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/cpu/guest.h"

#include <string.h>

#include "accel/tcg/tcg.h"
#include "accel/tcg/tcg_cpu.h"
#include "core/lock.h"
#include "core/machine.h"
#include "core/mainloop.h"
#include "core/safepoint.h"
#include "target-x86/cpuid.h"

enum {
    RAM_SIZE = 16 << 20,
    /* physical addresses */
    PML4 = 0x1000,
    PDPT = 0x2000,
    PD0 = 0x3000,
    PD_CODE = 0x4000,
    PT_CODE = 0x5000,
    PT_DATA = 0x6000,
    IDT = 0x8000,
    GDT = 0x9000,
    TSS = 0xa000,
    STUBS = 0xb000,
    STACK = 0x20000,
    PDPT_HIGH = 0x7000,
    PD_HIGH = 0xc000,
    CODE = 0x100000,
    DATA = 0x200000,
};

/* Where the system's own structures are mapped: no test address reaches them. */
#define SYSTEM 0xffff800000000000ull

static Machine machine;
static RamBlock *ram;
static const AccelClass *cls = &tcg_accel_class;

static void put64(uint64_t at, uint64_t v)
{
    memcpy(ram->host + at, &v, 8);
}

static void build_tables(void)
{
    put64(PML4, PDPT | 7);
    put64(PDPT, PD0 | 7);
    put64(PML4 + 8 * 256, PDPT_HIGH | 7);
    put64(PDPT_HIGH, PD_HIGH | 7);
    put64(PD_HIGH, 0x83);
    put64(PD0 + 8 * (GUEST_CODE >> 21), PT_CODE | 7);
    put64(PD0 + 8 * (GUEST_DATA >> 21), PT_DATA | 7);
    put64(PT_CODE, CODE | 7);
    for (int i = 0; i < GUEST_DATA_SIZE / 4096; i++) {
        put64(PT_DATA + 8u * i, (DATA + 4096u * i) | 7);
    }
    put64(GDT + 8, 0x00af9b000000ffffull);
    put64(GDT + 16, 0x00cf93000000ffffull);
    put64(GDT + 32, 0x00cf9b000000ffffull);
    put64(TSS + 36, SYSTEM + STACK);
    for (unsigned v = 0; v < 32; v++) {
        uint64_t stub = SYSTEM + STUBS + 16 * v;
        ram->host[STUBS + 16 * v] = 0xf4; /* hlt */
        put64(IDT + 16 * v, (stub & 0xffff) | 8 << 16 | 1ull << 32 | 0x8e00ull << 32 |
                                (stub >> 16 & 0xffff) << 48);
        put64(IDT + 16 * v + 8, stub >> 32);
    }
}

static void init_state(X86State *st, bool code32)
{
    static const uint32_t data = 0xc093;

    st->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP;
    st->cr3 = PML4;
    st->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE;
    st->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    for (int i = 0; i < SEG_COUNT; i++) {
        st->seg[i] = (X86Segment){.limit = UINT32_MAX, .attr = data, .selector = 16};
    }
    st->seg[SEG_CS] = (X86Segment){
        .limit = UINT32_MAX, .attr = code32 ? 0xc09b : 0xa09b, .selector = code32 ? 32 : 8};
    st->gdt = (X86TableReg){SYSTEM + GDT, 39};
    st->idt = (X86TableReg){SYSTEM + IDT, 511};
    st->tr = (X86Segment){.base = SYSTEM + TSS, .limit = 103, .attr = 0x8b, .selector = 24};
}

X86Cpu *guest_new(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(GString) warnings = g_string_new(NULL);
    CpuFeatures features;
    MemRegion *root;

    main_loop_init();
    machine.memory_root = root = mem_region_container("memory", UINT64_MAX);
    machine.io_root = mem_region_container("io", 65536);
    address_space_init(&machine.memory, root, "memory");
    address_space_init(&machine.io, machine.io_root, "I/O");
    ram = ram_block_new("ram", RAM_SIZE, &err);
    g_assert_no_error(err);
    mem_region_add(root, 0, mem_region_ram("ram", ram, 0, RAM_SIZE, false), 0);
    machine.accel = accel_new(cls);
    g_assert(cls->init(machine.accel, &machine, &err));
    cpu_features_translator(&features);
    CpuModel *model = cpu_model_parse("max", &features, "tcg", warnings, &err);
    g_assert_no_error(err);
    cpu_model_set_topology(model, 1, 1, 1);
    Cpu *cpu = cls->cpu_new(machine.accel, 0, 0, model, &err);
    machine.cpus = g_new0(Cpu *, 1);
    machine.cpus[0] = cpu;
    machine.cpu_count = 1;
    address_space_listen(&machine.memory, cls->memory_listener(machine.accel));
    build_tables();
    machine_unlock();
    safepoint_thread_attach(cpu);
    g_assert(cls->cpu_thread_init(cpu, &err));
    return (X86Cpu *)cpu;
}

uint64_t guest_features(const X86Cpu *cpu)
{
    return ((const TcgCpu *)cpu)->features;
}

uint8_t *guest_code(void)
{
    return ram->host + CODE;
}

uint8_t *guest_data(void)
{
    return ram->host + DATA;
}

void guest_write_code(const uint8_t *code, size_t len)
{
    memcpy(guest_code(), code, len);
    ram_block_written(ram, CODE, len);
}

uint8_t *guest_physical(uint64_t addr)
{
    return ram->host + addr;
}

void guest_prepare(X86Cpu *cpu, bool code32)
{
    init_state(&cpu->st, code32);
    cpu->st.rip = GUEST_CODE;
    cpu->st.halted = 0;
}

AccelExit guest_go(X86Cpu *cpu)
{
    cls->put_state(&cpu->cpu);
    return guest_go_on(cpu);
}

AccelExit guest_go_on(X86Cpu *cpu)
{
    return cls->cpu_run(&cpu->cpu);
}

static bool has_error_code(int vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

void guest_exit(const X86Cpu *cpu, GuestExit *out)
{
    const X86State *st = &cpu->st;
    uint64_t frame[6];
    const uint64_t *f = frame;

    out->vector = (int)((st->rip - SYSTEM - STUBS) / 16);
    memcpy(frame, ram->host + (st->gpr[R_RSP] - SYSTEM), sizeof frame);
    out->error = has_error_code(out->vector) ? *f++ : 0;
    out->rip = f[0];
    out->rflags = f[2];
    out->rsp = f[3];
}

void guest_run(X86Cpu *cpu, bool code32, GuestExit *out)
{
    guest_prepare(cpu, code32);
    g_assert_cmpint(guest_go(cpu), ==, ACCEL_EXIT_HALTED);
    guest_exit(cpu, out);
}
